package jws

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func mustKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustSet(t testing.TB, keys ...Key) KeySet {
	t.Helper()
	s, err := NewKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSign(t testing.TB, kid string, p Purpose, k *ecdsa.PrivateKey, payload, typ string) string {
	t.Helper()
	s, err := NewSigner(kid, p, k)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := s.Sign([]byte(payload), typ)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// signRaw signs any header text, as a forger with a stolen key could.
func signRaw(t testing.TB, head, payload string, k *ecdsa.PrivateKey) string {
	t.Helper()
	input := b64(head) + "." + b64(payload)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig[:])
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestSignedTextOpensForItsPurposeOnly(t *testing.T) {
	k := mustKey(t)
	set := mustSet(t, Key{ID: "js01", Purpose: QR, State: Active, Public: &k.PublicKey})
	compact := mustSign(t, "js01", QR, k, `{"a":1}`, "")
	head, _, _ := strings.Cut(compact, ".")
	if got, _ := base64.RawURLEncoding.DecodeString(head); string(got) != `{"alg":"ES256","kid":"js01"}` {
		t.Fatalf("header %s", got)
	}
	o, err := Open(compact, set, QR, Limits{})
	if err != nil || string(o.Payload) != `{"a":1}` || o.KID != "js01" || o.Key.Purpose != QR {
		t.Fatalf("got %+v, %v", o, err)
	}
	for _, p := range []Purpose{VC, Status, Decision, Directory, Checkpoint, ""} {
		if _, err := Open(compact, set, p, Limits{}); !errors.Is(err, ErrWrongPurpose) {
			t.Errorf("purpose %q: %v", p, err)
		}
	}
	if _, err := Open(compact, KeySet{}, QR, Limits{}); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("empty set: %v", err)
	}
	if _, err := Open(compact, set, QR, Limits{Typ: "vc+jwt"}); !errors.Is(err, ErrWrongType) {
		t.Errorf("missing type: %v", err)
	}
	if _, err := Open(compact, set, QR, Limits{MaxChars: len(compact) - 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("size: %v", err)
	}
	typed := mustSign(t, "js01", QR, k, `{}`, "vc+jwt")
	if o, err := Open(typed, set, QR, Limits{Typ: "vc+jwt"}); err != nil || o.Typ != "vc+jwt" {
		t.Errorf("typed: %v", err)
	}
	if _, err := Open(typed, set, QR, Limits{}); !errors.Is(err, ErrWrongType) {
		t.Errorf("unwanted type: %v", err)
	}
}

// Plain go-jose accepts 18 changes of one character (RFC 4648 §3.5: unused
// bits) and white space inside; Open accepts none.
func TestEverySingleCharacterChangeIsRefused(t *testing.T) {
	k := mustKey(t)
	set := mustSet(t, Key{ID: "js01", Purpose: QR, State: Active, Public: &k.PublicKey})
	// Three payload lengths, so that every count of unused bits occurs.
	for _, payload := range []string{`{"a":1}`, `{"a":12}`, `{"a":123}`} {
		compact := mustSign(t, "js01", QR, k, payload, "")
		tries := 0
		check := func(s string) {
			t.Helper()
			tries++
			if _, err := Open(s, set, QR, Limits{}); err == nil {
				t.Fatalf("accepted %q", s)
			}
		}
		for i := range len(compact) {
			for _, c := range []byte(alphabet + ".= \n\r\t+/\x00\xff") {
				if c != compact[i] {
					check(compact[:i] + string([]byte{c}) + compact[i+1:])
				}
			}
			check(compact[:i] + compact[i+1:])
		}
		for i := range len(compact) + 1 {
			for _, c := range []string{"A", ".", "=", " ", "\n", "\r"} {
				check(compact[:i] + c + compact[i:])
			}
		}
		t.Logf("%d changes of %d characters refused", tries, len(compact))
	}
}

func TestForgedHeadersAreRefused(t *testing.T) {
	k, other := mustKey(t), mustKey(t)
	set := mustSet(t, Key{ID: "js01", Purpose: QR, State: Active, Public: &k.PublicKey})
	if _, err := Open(signRaw(t, `{"alg":"ES256","kid":"js01"}`, `{}`, k), set, QR, Limits{}); err != nil {
		t.Fatalf("the forger's tool itself is broken: %v", err)
	}
	for _, c := range []struct {
		name, head string
		key        *ecdsa.PrivateKey
		want       error
	}{
		{"none", `{"alg":"none","kid":"js01"}`, k, ErrWrongAlg},
		{"lower case", `{"alg":"es256","kid":"js01"}`, k, ErrWrongAlg},
		{"ES384", `{"alg":"ES384","kid":"js01"}`, k, ErrWrongAlg},
		{"no kid", `{"alg":"ES256"}`, k, ErrMalformed},
		{"unknown kid", `{"alg":"ES256","kid":"js02"}`, k, ErrUnknownKey},
		{"other key", `{"alg":"ES256","kid":"js01"}`, other, ErrBadSignature},
		{"jwk", `{"alg":"ES256","jwk":{},"kid":"js01"}`, k, ErrMalformed},
		{"jku", `{"alg":"ES256","jku":"https://x","kid":"js01"}`, k, ErrMalformed},
		{"x5u", `{"alg":"ES256","kid":"js01","x5u":"https://x"}`, k, ErrMalformed},
		{"x5c", `{"alg":"ES256","kid":"js01","x5c":["a"]}`, k, ErrMalformed},
		{"crit", `{"alg":"ES256","crit":["b64"],"kid":"js01"}`, k, ErrMalformed},
		{"b64", `{"alg":"ES256","b64":false,"kid":"js01"}`, k, ErrMalformed},
		{"zip", `{"alg":"ES256","kid":"js01","zip":"DEF"}`, k, ErrMalformed},
		{"order", `{"kid":"js01","alg":"ES256"}`, k, ErrNoncanonical},
		{"space", `{"alg":"ES256", "kid":"js01"}`, k, ErrNoncanonical},
		{"repeated", `{"alg":"none","alg":"ES256","kid":"js01"}`, k, ErrNoncanonical},
		{"case of names", `{"ALG":"ES256","kid":"js01"}`, k, ErrNoncanonical},
		{"escape", `{"alg":"ES256","kid":"js0\u0031"}`, k, ErrNoncanonical},
		{"empty type", `{"alg":"ES256","kid":"js01","typ":""}`, k, ErrNoncanonical},
		{"trailing", `{"alg":"ES256","kid":"js01"}{}`, k, ErrMalformed},
		{"null", `null`, k, ErrWrongAlg},
		{"list", `[]`, k, ErrMalformed},
		{"long", `{"alg":"ES256","kid":"` + strings.Repeat("a", 300) + `"}`, k, ErrMalformed},
	} {
		if _, err := Open(signRaw(t, c.head, `{}`, c.key), set, QR, Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	// HMAC with the public key as its secret.
	point, _ := k.PublicKey.Bytes()
	input := b64(`{"alg":"HS256","kid":"js01"}`) + "." + b64(`{}`)
	mac := hmac.New(sha256.New, point)
	mac.Write([]byte(input))
	if _, err := Open(input+"."+base64.RawURLEncoding.EncodeToString(append(mac.Sum(nil), make([]byte, 32)...)), set, QR, Limits{}); !errors.Is(err, ErrWrongAlg) {
		t.Errorf("HS256: %v", err)
	}
	for _, n := range []int{0, 63, 65, 96} {
		if _, err := Open(b64(`{"alg":"ES256","kid":"js01"}`)+"."+b64(`{}`)+"."+base64.RawURLEncoding.EncodeToString(make([]byte, n)), set, QR, Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("signature of %d bytes: %v", n, err)
		}
	}
	// JSON serialisation, and the header of one text with the rest of another.
	if _, err := Open(`{"payload":"e30","protected":"e30","signature":"AA"}`, set, QR, Limits{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("JSON: %v", err)
	}
	if _, err := Open(b64(`{"alg":"ES256","kid":"js01"}`)+"."+b64(`{}`)+"."+base64.RawURLEncoding.EncodeToString(make([]byte, 64)), set, QR, Limits{}); !errors.Is(err, ErrBadSignature) {
		t.Errorf("zero signature: %v", err)
	}
}

func TestDistrustedKeyNeedsEvidenceOfAge(t *testing.T) {
	k := mustKey(t)
	from := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	set := mustSet(t, Key{ID: "js01", Purpose: QR, State: Distrusted, DistrustedFrom: from, Public: &k.PublicKey})
	compact := mustSign(t, "js01", QR, k, `{}`, "")
	for _, c := range []struct {
		existed time.Time
		ok      bool
	}{{time.Time{}, false}, {from.Add(-time.Second), true}, {from, false}, {from.Add(time.Hour), false}} {
		o, err := Open(compact, set, QR, Limits{Existed: c.existed})
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrDistrusted) || string(o.Payload) != "{}" {
			t.Errorf("existed %v: %v, payload %q", c.existed, err, o.Payload)
		}
	}
	if o, err := Open(signRaw(t, `{"alg":"ES256","kid":"js01"}`, `{}`, mustKey(t)), set, QR, Limits{}); !errors.Is(err, ErrBadSignature) || o.Payload != nil {
		t.Errorf("a forgery must not come back as distrusted: %v", err)
	}
	// The mark survives the way through a file.
	read, err := ParseJWKS(set.JWKS(QR), QR)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(compact, read, QR, Limits{}); !errors.Is(err, ErrDistrusted) {
		t.Errorf("after a round trip: %v", err)
	}
}

func TestJWKSRoundTripAndStrictness(t *testing.T) {
	a, b, c := mustKey(t), mustKey(t), mustKey(t)
	set := mustSet(t,
		Key{ID: "js02", Purpose: QR, State: Next, Public: &b.PublicKey},
		Key{ID: "js01", Purpose: QR, State: Retired, Public: &a.PublicKey},
		Key{ID: "js03", Purpose: VC, State: Active, Public: &c.PublicKey})
	data := set.JWKS(QR)
	if !bytes.Equal(data, set.JWKS(QR)) {
		t.Fatal("equal sets must give equal bytes")
	}
	got, err := ParseJWKS(data, QR)
	if err != nil || len(got.Keys()) != 2 {
		t.Fatalf("%v, %d keys", err, len(got.Keys()))
	}
	if k, ok := got.Key("js01"); !ok || !k.Public.Equal(&a.PublicKey) || k.Purpose != QR {
		t.Fatal("the retired key must stay published")
	}
	if _, err := ParseJWKS(data, VC); err == nil {
		t.Error("a file for QR keys passed for VC keys")
	}
	if _, err := ParseJWKS(set.JWKS(QR, VC), QR); err == nil {
		t.Error("a mixed file passed for QR keys")
	}
	if ps, err := JWKSPurposes(set.JWKS(QR, VC)); err != nil || len(ps) != 2 {
		t.Errorf("purposes %v, %v", ps, err)
	}

	var one struct{ Keys []map[string]any }
	if err := json.Unmarshal(set.JWKS(VC), &one); err != nil {
		t.Fatal(err)
	}
	if len(one.Keys[0]) != 8 {
		t.Errorf("members of a key: %v", one.Keys[0])
	}
	change := func(edit func(map[string]any)) []byte {
		m := map[string]any{}
		for k, v := range one.Keys[0] {
			m[k] = v
		}
		edit(m)
		b, _ := json.Marshal(map[string]any{"keys": []any{m}})
		return b
	}
	if _, err := ParseJWKS(change(func(m map[string]any) { m["later"] = "x" }), VC); err != nil {
		t.Errorf("unknown members must not hurt: %v", err)
	}
	x := one.Keys[0]["x"].(string)
	for name, bad := range map[string][]byte{
		"private":         change(func(m map[string]any) { m["d"] = "AA" }),
		"symmetric":       change(func(m map[string]any) { m["k"] = "AA" }),
		"x5u":             change(func(m map[string]any) { m["x5u"] = "https://x" }),
		"SM2":             change(func(m map[string]any) { m["crv"] = "SM2-P-256" }),
		"RSA":             change(func(m map[string]any) { m["kty"] = "RSA" }),
		"encryption":      change(func(m map[string]any) { m["use"] = "enc" }),
		"algorithm":       change(func(m map[string]any) { m["alg"] = "ES384" }),
		"no purpose":      change(func(m map[string]any) { delete(m, "purpose") }),
		"unknown purpose": change(func(m map[string]any) { m["purpose"] = "all" }),
		"no kid":          change(func(m map[string]any) { delete(m, "kid") }),
		"kid with quote":  change(func(m map[string]any) { m["kid"] = `a"b` }),
		"off the curve":   change(func(m map[string]any) { m["x"] = m["y"] }),
		"short x":         change(func(m map[string]any) { m["x"] = "AA" }),
		"padded x":        change(func(m map[string]any) { m["x"] = x + "=" }),
		"distrusted when": change(func(m map[string]any) { m["distrusted_from"] = "yesterday" }),
		"wrong type":      change(func(m map[string]any) { m["x"] = 1 }),
		"twice":           []byte(`{"keys":[` + strings.Repeat(string(mustJSON(one.Keys[0]))+",", 2)[:2*len(mustJSON(one.Keys[0]))+1] + `]}`),
		"repeated member": []byte(strings.Replace(string(set.JWKS(VC)), `"kty":"EC"`, `"kty":"EC","kty":"EC"`, 1)),
		"empty":           []byte(`{"keys":[]}`),
		"no keys":         []byte(`{}`),
		"trailing":        append(set.JWKS(VC), '1'),
		"no JSON":         []byte(`-----BEGIN PUBLIC KEY-----`),
		"huge":            bytes.Repeat([]byte(" "), MaxJWKS+1),
	} {
		if _, err := ParseJWKS(bad, VC); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestKeySetRefusesContradictions(t *testing.T) {
	k := mustKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := Key{ID: "js01", Purpose: QR, State: Active, Public: &k.PublicKey}
	for name, keys := range map[string][]Key{
		"twice":           {good, good},
		"curve":           {{ID: "js01", Purpose: QR, State: Active, Public: &p384.PublicKey}},
		"none":            {{ID: "js01", Purpose: QR, State: Active}},
		"checkpoint":      {{ID: "js01", Purpose: Checkpoint, State: Active, Public: &k.PublicKey}},
		"state":           {{ID: "js01", Purpose: QR, State: "old", Public: &k.PublicKey}},
		"distrusted when": {{ID: "js01", Purpose: QR, State: Distrusted, Public: &k.PublicKey}},
	} {
		if _, err := NewKeySet(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := mustSet(t, good).Merge(mustSet(t, good)); err == nil {
		t.Error("merge with itself: accepted")
	}
	if _, err := NewSigner("js01", QR, p384); err == nil {
		t.Error("signer on P-384: accepted")
	}
	if _, err := ParsePurpose("everything"); err == nil {
		t.Error("purpose: accepted")
	}
}

func FuzzOpen(f *testing.F) {
	k := mustKey(f)
	set := mustSet(f, Key{ID: "js01", Purpose: QR, State: Active, Public: &k.PublicKey})
	good := mustSign(f, "js01", QR, k, `{"a":1}`, "")
	for _, s := range []string{good, good + "=", "..", good[:len(good)-1], "e30.e30.e30", `{"payload":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = PeekKID(s)
		if _, err := Open(s, set, QR, Limits{}); err == nil && s != good {
			t.Fatalf("accepted %q", s)
		}
	})
}

func FuzzParseJWKS(f *testing.F) {
	k := mustKey(f)
	f.Add(mustSet(f, Key{ID: "js01", Purpose: QR, State: Active, Public: &k.PublicKey}).JWKS(QR))
	f.Add([]byte(`{"keys":[{"kty":"EC"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseJWKS(data, QR)
		if err != nil {
			return
		}
		again, err := ParseJWKS(set.JWKS(QR), QR)
		if err != nil || !bytes.Equal(again.JWKS(QR), set.JWKS(QR)) {
			t.Fatalf("no round trip: %v", err)
		}
	})
}
