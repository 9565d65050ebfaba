package credentials

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// A joseKind is one kind of signed text with all that an attacker could want:
// its keys, a good payload, and the door it has to come through.
type joseKind struct {
	name    string
	purpose jws.Purpose
	typ     string
	payload string
	limit   int    // characters
	content string // code of the error for content that is none, "" for jws_malformed
	open    func(compact string, set jws.KeySet) error
}

func joseKinds(t testing.TB) []joseKind {
	t.Helper()
	claims, err := sample().encode()
	noFail(t, err)
	list := NewStatusList(testOrigin, Revocation, 0)
	list.ValidFrom = testNow
	directory := sampleDirectory()
	dir, err := marshalPlain(directory)
	noFail(t, err)
	claim, err := sampleStatement().payload()
	noFail(t, err)
	decisions := payloadsOf(t, sampleDecisionBatch())
	k := newKeys(t, "js")
	compact, err := list.Sign(k.signers[jws.Status])
	noFail(t, err)
	opened, err := jws.Open(compact, k.set, jws.Status, jws.Limits{Typ: TypVC, MaxChars: MaxStatusList})
	noFail(t, err)
	return []joseKind{
		{"QR token", jws.QR, "", string(claims), jws.MaxToken, "", func(s string, set jws.KeySet) error {
			_, _, err := OpenToken(Token(s), set, time.Time{})
			return err
		}},
		{"vc+jwt", jws.VC, TypVC, string(mustPayload(t, sampleVC())), MaxVC, "bad_credential", func(s string, set jws.KeySet) error {
			_, _, err := OpenVC(s, set, testNow, jws.Limits{})
			return err
		}},
		{"status list", jws.Status, TypVC, string(opened.Payload), MaxStatusList, "bad_status_list", func(s string, set jws.KeySet) error {
			_, err := OpenStatusList(s, set, testNow)
			return err
		}},
		{"directory", jws.Directory, TypDirectory, string(dir), MaxDirectory, "bad_directory", func(s string, set jws.KeySet) error {
			_, err := OpenDirectory(s, set)
			return err
		}},
		{"decision on a claim", jws.Decision, TypStatement, string(claim), MaxStatement, "bad_statement", func(s string, set jws.KeySet) error {
			_, _, err := OpenStatement(s, set, jws.Limits{})
			return err
		}},
		{"decision over a file", jws.Decision, TypStatement, decisions[TypStatement], MaxDecisionBatch, "bad_statement", func(s string, set jws.KeySet) error {
			_, err := OpenDecisionBatch(s, set, jws.Limits{})
			return err
		}},
		{"decision over a file, as before", jws.Decision, typBatchBefore, decisions[typBatchBefore], MaxDecisionBatch, "bad_decision", func(s string, set jws.KeySet) error {
			_, err := OpenDecisionBatch(s, set, jws.Limits{})
			return err
		}},
	}
}

// joseScene is one kind with keys whose private halves the test has: one in each
// state, and one of every other purpose.
type joseScene struct {
	t    *testing.T
	kind joseKind
	set  jws.KeySet
	key  map[string]*ecdsa.PrivateKey // by kid
}

// The ids of a scene: js01 active, js02 next, js03 retired, js04 distrusted, all
// for the kind's purpose; js05 is active for another purpose.
func newJoseScene(t *testing.T, kind joseKind) joseScene {
	t.Helper()
	s := joseScene{t: t, kind: kind, key: map[string]*ecdsa.PrivateKey{}}
	other := jws.QR
	if kind.purpose == other {
		other = jws.VC
	}
	var public []jws.Key
	for i, k := range []jws.Key{
		{Purpose: kind.purpose, State: jws.Active}, {Purpose: kind.purpose, State: jws.Next},
		{Purpose: kind.purpose, State: jws.Retired}, {Purpose: kind.purpose, State: jws.Distrusted, DistrustedFrom: testNow},
		{Purpose: other, State: jws.Active},
	} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		noFail(t, err)
		k.ID, k.Public = fmt.Sprintf("js%02d", i+1), &private.PublicKey
		s.key[k.ID] = private
		public = append(public, k)
	}
	var err error
	s.set, err = jws.NewKeySet(public...)
	noFail(t, err)
	return s
}

// header is the right header with the kid, and more members behind it.
func (s joseScene) header(kid string, more ...string) string {
	h := `{"alg":"ES256","kid":"` + kid + `"`
	if s.kind.typ != "" {
		h += `,"typ":"` + s.kind.typ + `"`
	}
	for _, m := range more {
		h += "," + m
	}
	return h + "}"
}

func rawB64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign signs any header and payload with any key.
func (s joseScene) sign(head, payload, kid string) string {
	s.t.Helper()
	return signInput(s.t, rawB64(head)+"."+rawB64(payload), s.key[kid])
}

func signInput(t testing.TB, input string, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	r, sig, err := ecdsa.Sign(rand.Reader, key, sum[:])
	noFail(t, err)
	return input + "." + joinRS(r, sig)
}

func joinRS(r, s *big.Int) string {
	var out [64]byte
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return base64.RawURLEncoding.EncodeToString(out[:])
}

// good is a text of the active key that opens.
func (s joseScene) good() string { return s.sign(s.header("js01"), s.kind.payload, "js01") }

// resigned is the good text with its r and s put through change.
func (s joseScene) resigned(change func(r, sig, n *big.Int) (*big.Int, *big.Int)) string {
	s.t.Helper()
	input, signature := cutLast(s.good())
	b, err := base64.RawURLEncoding.DecodeString(signature)
	noFail(s.t, err)
	r, sig := change(new(big.Int).SetBytes(b[:32]), new(big.Int).SetBytes(b[32:]), elliptic.P256().Params().N)
	return input + "." + joinRS(r, sig)
}

func cutLast(compact string) (input, signature string) {
	i := strings.LastIndexByte(compact, '.')
	return compact[:i], compact[i+1:]
}

// jwkOf is the public key of a kid as a JWK, for a header to bring along.
func (s joseScene) jwkOf(kid string) string {
	s.t.Helper()
	var set struct{ Keys []json.RawMessage }
	only, err := jws.NewKeySet(jws.Key{ID: kid, Purpose: jws.QR, State: jws.Active, Public: &s.key[kid].PublicKey})
	noFail(s.t, err)
	noFail(s.t, json.Unmarshal(only.JWKS(), &set))
	return string(set.Keys[0])
}

// hmacWith is HS256 with the bytes of a public key as its secret (CVE-2015-9235).
func (s joseScene) hmacWith(secret []byte) string {
	input := rawB64(strings.Replace(s.header("js01"), "ES256", "HS256", 1)) + "." + rawB64(s.kind.payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(append(mac.Sum(nil), make([]byte, 32)...))
}

func (s joseScene) publicPEM() []byte {
	s.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.key["js01"].PublicKey)
	noFail(s.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (s joseScene) publicPoint() []byte {
	s.t.Helper()
	b, err := s.key["js01"].PublicKey.Bytes()
	noFail(s.t, err)
	return b
}

func deflated(t testing.TB, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	noFail(t, err)
	_, err = w.Write(b)
	noFail(t, err)
	noFail(t, w.Close())
	return out.String()
}

// errContent stands in the table for the error of a kind for content that is
// none.
var errContent = errors.New("the error of the kind for such content")

// The known attacks on JOSE (RFC 8725 and what became of it), against every kind
// of text that this system signs. nil is for what must be accepted.
func TestJOSEAttacks(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		make func(s joseScene) string
		want error
	}{
		{"none of them", func(s joseScene) string { return s.good() }, nil},

		// RFC 8725 §3.1, §3.2: the algorithm is the verifier's choice.
		{"alg none, no signature", func(s joseScene) string {
			return rawB64(strings.Replace(s.header("js01"), "ES256", "none", 1)) + "." + rawB64(s.kind.payload) + "."
		}, jws.ErrMalformed},
		{"alg none, with one", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), "ES256", "none", 1), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"alg nOnE", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), "ES256", "nOnE", 1), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"alg missing", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), `"alg":"ES256",`, "", 1), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"alg es256", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), "ES256", "es256", 1), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"alg ES384", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), "ES256", "ES384", 1), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"alg RS256", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), "ES256", "RS256", 1), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"alg list", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), `"ES256"`, `["ES256"]`, 1), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"HS256, the point as secret", func(s joseScene) string { return s.hmacWith(s.publicPoint()) }, jws.ErrWrongAlg},
		{"HS256, PEM as secret", func(s joseScene) string { return s.hmacWith(s.publicPEM()) }, jws.ErrWrongAlg},
		{"HS256, JWK as secret", func(s joseScene) string { return s.hmacWith([]byte(s.jwkOf("js01"))) }, jws.ErrWrongAlg},
		{"HS256, published set as secret", func(s joseScene) string { return s.hmacWith(s.set.JWKS(s.kind.purpose)) }, jws.ErrWrongAlg},

		// RFC 8725 §3.10: no key that the text itself brings along.
		{"jwk", func(s joseScene) string {
			return s.sign(s.header("js01", `"jwk":`+s.jwkOf("js05")), s.kind.payload, "js05")
		}, jws.ErrMalformed},
		{"jku", func(s joseScene) string {
			return s.sign(s.header("js01", `"jku":"https://evil.example/k"`), s.kind.payload, "js05")
		}, jws.ErrMalformed},
		{"x5c", func(s joseScene) string { return s.sign(s.header("js01", `"x5c":["MII"]`), s.kind.payload, "js05") }, jws.ErrMalformed},
		{"x5u", func(s joseScene) string {
			return s.sign(s.header("js01", `"x5u":"https://evil.example/c"`), s.kind.payload, "js05")
		}, jws.ErrMalformed},
		{"x5t", func(s joseScene) string { return s.sign(s.header("js01", `"x5t":"AA"`), s.kind.payload, "js01") }, jws.ErrMalformed},

		// The key id chooses among known keys and is used for nothing else.
		{"kid missing", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), `,"kid":"js01"`, "", 1), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"kid empty", func(s joseScene) string { return s.sign(s.header(""), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"kid path", func(s joseScene) string { return s.sign(s.header("../../dev/null"), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"kid dots", func(s joseScene) string { return s.sign(s.header(".."), s.kind.payload, "js01") }, jws.ErrUnknownKey},
		{"kid SQL", func(s joseScene) string { return s.sign(s.header("js01' OR '1'='1"), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"kid command", func(s joseScene) string { return s.sign(s.header("js01|id"), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"kid address", func(s joseScene) string {
			return s.sign(s.header("https://evil.example/k"), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"kid NUL", func(s joseScene) string { return s.sign(s.header(`js01\u0000`), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"kid escaped", func(s joseScene) string { return s.sign(s.header(`js\u00301`), s.kind.payload, "js01") }, jws.ErrNoncanonical},
		{"kid upper case", func(s joseScene) string { return s.sign(s.header("JS01"), s.kind.payload, "js01") }, jws.ErrUnknownKey},
		{"kid long", func(s joseScene) string {
			return s.sign(s.header(strings.Repeat("a", jws.MaxKID+1)), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"kid huge", func(s joseScene) string {
			return s.sign(s.header(strings.Repeat("a", 1000)), s.kind.payload[:min(len(s.kind.payload), 200)], "js01")
		}, jws.ErrMalformed},
		{"kid number", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), `"js01"`, `1`, 1), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"kid unknown", func(s joseScene) string { return s.sign(s.header("js99"), s.kind.payload, "js01") }, jws.ErrUnknownKey},
		{"kid of another key of the purpose", func(s joseScene) string { return s.sign(s.header("js03"), s.kind.payload, "js01") }, jws.ErrBadSignature},
		{"next key, published before use", func(s joseScene) string { return s.sign(s.header("js02"), s.kind.payload, "js02") }, nil},
		{"retired key, verifies for ever", func(s joseScene) string { return s.sign(s.header("js03"), s.kind.payload, "js03") }, nil},
		{"distrusted key", func(s joseScene) string { return s.sign(s.header("js04"), s.kind.payload, "js04") }, jws.ErrDistrusted},

		// RFC 8725 §3.9, §3.12: a key serves one purpose.
		{"another purpose's key as itself", func(s joseScene) string { return s.sign(s.header("js05"), s.kind.payload, "js05") }, jws.ErrWrongPurpose},
		{"another purpose's key with the right kid", func(s joseScene) string { return s.sign(s.header("js01"), s.kind.payload, "js05") }, jws.ErrBadSignature},
		{"another purpose's kid, the right key", func(s joseScene) string { return s.sign(s.header("js05"), s.kind.payload, "js01") }, jws.ErrWrongPurpose},

		// RFC 7515 §4.1.11, RFC 7797, RFC 7516 §4.1.3: extensions that change what is signed.
		{"crit", func(s joseScene) string {
			return s.sign(s.header("js01", `"crit":["exp"]`, `"exp":1`), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"crit empty", func(s joseScene) string { return s.sign(s.header("js01", `"crit":[]`), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"b64 false", func(s joseScene) string {
			return s.sign(s.header("js01", `"b64":false`, `"crit":["b64"]`), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"zip", func(s joseScene) string {
			return s.sign(s.header("js01", `"zip":"DEF"`), deflated(s.t, []byte(s.kind.payload)), "js01")
		}, jws.ErrMalformed},
		{"zip bomb", func(s joseScene) string {
			return s.sign(s.header("js01", `"zip":"DEF"`), deflated(s.t, make([]byte, 1<<20)), "js01")
		}, jws.ErrMalformed},
		{"zip bomb without the header", func(s joseScene) string {
			return s.sign(s.header("js01"), deflated(s.t, make([]byte, 1<<20)), "js01")
		}, errContent},
		{"unknown header", func(s joseScene) string { return s.sign(s.header("js01", `"x":1`), s.kind.payload, "js01") }, jws.ErrMalformed},
		{"cty", func(s joseScene) string { return s.sign(s.header("js01", `"cty":"JWT"`), s.kind.payload, "js01") }, jws.ErrMalformed},

		// RFC 8725 §3.11: explicit types.
		{"typ of another kind", func(s joseScene) string {
			return s.sign(`{"alg":"ES256","kid":"js01","typ":"jwt"}`, s.kind.payload, "js01")
		}, jws.ErrWrongType},
		{"typ in capitals", func(s joseScene) string {
			return s.sign(`{"alg":"ES256","kid":"js01","typ":"VC+JWT"}`, s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"typ with application/", func(s joseScene) string {
			return s.sign(`{"alg":"ES256","kid":"js01","typ":"application/`+s.kind.typ+`"}`, s.kind.payload, "js01")
		}, jws.ErrMalformed},

		// Size.
		{"huge header", func(s joseScene) string {
			return s.sign(s.header("js01", `"x":"`+strings.Repeat("x", 2000)+`"`), s.kind.payload[:min(len(s.kind.payload), 200)], "js01")
		}, jws.ErrMalformed},
		{"deep header", func(s joseScene) string {
			return s.sign(strings.Repeat("[", 200), s.kind.payload, "js01")
		}, jws.ErrMalformed},
		{"huge payload", func(s joseScene) string { return s.sign(s.header("js01"), strings.Repeat(" ", s.kind.limit), "js01") }, jws.ErrTooLarge},
		{"deep payload", func(s joseScene) string {
			return s.sign(s.header("js01"), strings.Repeat("[", min(s.kind.limit/2, 20000)), "js01")
		}, errContent},
		{"empty payload", func(s joseScene) string { return s.sign(s.header("js01"), "", "js01") }, jws.ErrMalformed},

		// Content.
		{"repeated header member", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), `"alg"`, `"alg":"none","alg"`, 1), s.kind.payload, "js01")
		}, jws.ErrNoncanonical},
		{"repeated header member, other case", func(s joseScene) string {
			return s.sign(s.header("js01", `"ALG":"none"`), s.kind.payload, "js01")
		}, jws.ErrWrongAlg},
		{"repeated member", func(s joseScene) string {
			return s.sign(s.header("js01"), repeatFirst(s.kind.payload, true), "js01")
		}, jws.ErrNoncanonical},
		{"repeated member, other case", func(s joseScene) string {
			return s.sign(s.header("js01"), repeatFirst(s.kind.payload, false), "js01")
		}, jws.ErrNoncanonical},
		{"nested JWS", func(s joseScene) string { return s.sign(s.header("js01"), s.good(), "js01") }, errContent},
		{"null", func(s joseScene) string { return s.sign(s.header("js01"), "null", "js01") }, errContent},
		{"object of nothing", func(s joseScene) string { return s.sign(s.header("js01"), "{}", "js01") }, errContent},

		// RFC 7515 §3.2, §7.2: only the compact serialisation.
		{"JSON, flattened", func(s joseScene) string {
			p := strings.Split(s.good(), ".")
			return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2])
		}, jws.ErrMalformed},
		{"JSON, general", func(s joseScene) string {
			p := strings.Split(s.good(), ".")
			return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2])
		}, jws.ErrMalformed},
		{"detached", func(s joseScene) string { p := strings.Split(s.good(), "."); return p[0] + ".." + p[2] }, jws.ErrMalformed},
		{"two parts", func(s joseScene) string { input, _ := cutLast(s.good()); return input }, jws.ErrMalformed},
		{"five parts", func(s joseScene) string { return s.good() + ".e30.e30" }, jws.ErrMalformed},
		{"header of another text", func(s joseScene) string {
			_, rest, _ := strings.Cut(s.good(), ".")
			return rawB64(s.header("js03")) + "." + rest
		}, jws.ErrBadSignature},

		// RFC 7515 §2, RFC 4648 §3.2, §3.3, §3.5: one text for one value.
		{"space before", func(s joseScene) string { return " " + s.good() }, jws.ErrMalformed},
		{"line break after", func(s joseScene) string { return s.good() + "\n" }, jws.ErrMalformed},
		{"line break in the header", func(s joseScene) string { g := s.good(); return g[:4] + "\n" + g[4:] }, jws.ErrNoncanonical},
		{"space in the payload", func(s joseScene) string {
			head, rest, _ := strings.Cut(s.good(), ".")
			return head + ". " + rest
		}, jws.ErrMalformed},
		{"padding of the signature", func(s joseScene) string { return s.good() + "==" }, jws.ErrMalformed},
		{"padding of the header", func(s joseScene) string { return strings.Replace(s.good(), ".", "=.", 1) }, jws.ErrMalformed},
		{"standard alphabet", func(s joseScene) string { return s.swap("-", "+") }, jws.ErrMalformed},
		{"non-zero trailing bits of the signature", func(s joseScene) string { return bumpLast(s.good()) }, jws.ErrNoncanonical},
		{"non-zero trailing bits of the payload", func(s joseScene) string { return s.trailing() }, jws.ErrNoncanonical},
		{"white space in the header JSON", func(s joseScene) string {
			return s.sign(strings.Replace(s.header("js01"), ",", ", ", 1), s.kind.payload, "js01")
		}, jws.ErrNoncanonical},

		// RFC 7518 §3.4: R and S as 32 octets each.
		{"DER signature", func(s joseScene) string {
			input, _ := cutLast(s.good())
			sum := sha256.Sum256([]byte(input))
			der, err := ecdsa.SignASN1(rand.Reader, s.key["js01"], sum[:])
			noFail(s.t, err)
			return input + "." + base64.RawURLEncoding.EncodeToString(der)
		}, jws.ErrMalformed},
		{"signature of nothing", func(s joseScene) string { input, _ := cutLast(s.good()); return input + "." }, jws.ErrMalformed},
		{"signature cut", func(s joseScene) string { g := s.good(); return g[:len(g)-4] }, jws.ErrMalformed},
		{"signature longer", func(s joseScene) string { return s.good() + "AAAA" }, jws.ErrMalformed},
		{"r and s swapped", func(s joseScene) string {
			return s.resigned(func(r, sig, _ *big.Int) (*big.Int, *big.Int) { return sig, r })
		}, jws.ErrBadSignature},
		// The zero signature of CVE-2022-21449, and its neighbours.
		{"r and s zero", func(s joseScene) string {
			return s.resigned(func(_, _, _ *big.Int) (*big.Int, *big.Int) { return new(big.Int), new(big.Int) })
		}, jws.ErrBadSignature},
		{"r zero", func(s joseScene) string {
			return s.resigned(func(_, sig, _ *big.Int) (*big.Int, *big.Int) { return new(big.Int), sig })
		}, jws.ErrBadSignature},
		{"s zero", func(s joseScene) string {
			return s.resigned(func(r, _, _ *big.Int) (*big.Int, *big.Int) { return r, new(big.Int) })
		}, jws.ErrBadSignature},
		{"r and s the order of the curve", func(s joseScene) string {
			return s.resigned(func(_, _, n *big.Int) (*big.Int, *big.Int) { return n, n })
		}, jws.ErrBadSignature},
		{"s negated wrongly", func(s joseScene) string {
			return s.resigned(func(r, sig, n *big.Int) (*big.Int, *big.Int) {
				return r, new(big.Int).Mod(new(big.Int).Add(sig, big.NewInt(1)), n)
			})
		}, jws.ErrBadSignature},
		// (r, n-s) is a right signature of the same content too, and RFC 7518 asks for
		// no low s: half of what our own signer and any HSM makes has a high one. So
		// both open, to the same content, and neither text nor hash is an identity.
		{"s replaced by n-s", func(s joseScene) string {
			return s.resigned(func(r, sig, n *big.Int) (*big.Int, *big.Int) { return r, new(big.Int).Sub(n, sig) })
		}, nil},
		{"signed by a stranger", func(s joseScene) string {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			noFail(s.t, err)
			return signInput(s.t, rawB64(s.header("js01"))+"."+rawB64(s.kind.payload), key)
		}, jws.ErrBadSignature},
	}
	for _, kind := range joseKinds(t) {
		t.Run(kind.name, func(t *testing.T) {
			s := newJoseScene(t, kind)
			for _, row := range rows {
				err := kind.open(row.make(s), s.set)
				if !s.expects(row.want, err) {
					t.Errorf("%s: %v, want %v", row.name, err, row.want)
				}
			}
		})
	}
}

// expects compares an error with the one of a row.
func (s joseScene) expects(want, got error) bool {
	switch {
	case want == nil:
		return got == nil
	case want == errContent && s.kind.content == "":
		return errors.Is(got, jws.ErrMalformed) || errors.Is(got, jws.ErrTooLarge)
	case want == errContent:
		return fail.CodeOf(got) == s.kind.content || errors.Is(got, jws.ErrMalformed)
	}
	return errors.Is(got, want)
}

// repeatFirst writes the first member of a JSON object twice, the first time with
// another value, in the same or another case.
func repeatFirst(payload string, same bool) string {
	name, _, _ := strings.Cut(payload[1:], ":")
	if !same {
		name = strings.ToUpper(name)
		if name == strings.ToLower(name) || strings.HasPrefix(name, `"@`) {
			name = `"@CONTEXT"`
		}
	}
	return "{" + name + ":" + firstValue(payload) + "," + payload[1:]
}

// firstValue is the value of the first member of a JSON object.
func firstValue(payload string) string {
	_, rest, _ := strings.Cut(payload, ":")
	var v json.RawMessage
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&v); err != nil {
		return "null"
	}
	return string(v)
}

// swap makes texts until one has the old character, and writes the new one for
// it.
func (s joseScene) swap(old, replacement string) string {
	for {
		if g := s.good(); strings.Contains(g, old) {
			return strings.Replace(g, old, replacement, 1)
		}
	}
}

// bumpLast sets an unused bit of the last character.
func bumpLast(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[last|1])
}

// trailing is a good text with an unused bit of its payload set, signed anew, so
// that the signature fits the text as it is.
func (s joseScene) trailing() string {
	payload := s.kind.payload
	for len(payload)%3 == 0 { // only then there are unused bits
		payload += " "
	}
	return signInput(s.t, rawB64(s.header("js01"))+"."+bumpLast(rawB64(payload)), s.key["js01"])
}
