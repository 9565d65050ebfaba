package credentials

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func TestStatusPermutationIsABijectionPerList(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for _, list := range []int{0, 700} {
		seen := make([]bool, StatusListBits)
		fixed := 0
		for n := range StatusListBits {
			l, i := StatusPermutation(key, uint64(list*StatusListBits+n))
			if l != list || i < 0 || i >= StatusListBits || seen[i] {
				t.Fatalf("counter %d of list %d: place %d of list %d", n, list, i, l)
			}
			seen[i] = true
			if i == n {
				fixed++
			}
		}
		if fixed > 20 { // 1 is expected; a broken round function leaves thousands
			t.Errorf("list %d: %d counters keep their place", list, fixed)
		}
	}
}

// Places that are printed can never move, so the algorithm can never change.
func TestStatusPermutationStaysAsItIs(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	var got []int
	for _, n := range []uint64{0, 1, 2, StatusListBits - 1, StatusListBits, StatusListBits + 1} {
		list, index := StatusPermutation(key, n)
		got = append(got, list, index)
	}
	b, err := json.Marshal(got)
	noFail(t, err)
	golden(t, "permutation.golden", append(b, '\n'))
	_, a := StatusPermutation(key, 0)
	_, b1 := StatusPermutation(key, StatusListBits)
	_, c := StatusPermutation([]byte("another key, another key, anothe"), 0)
	if a == b1 && a == c {
		t.Error("neither list nor key matters")
	}
}

func newList(t testing.TB, k keys, p StatusPurpose, at time.Time, indices ...int) (*StatusList, string) {
	t.Helper()
	l := NewStatusList(testOrigin, p, 0)
	l.ValidFrom, l.ValidUntil = at, at.Add(24*time.Hour)
	for _, i := range indices {
		noFail(t, l.Set(i, true))
	}
	compact, err := l.Sign(k.signers[jws.Status])
	noFail(t, err)
	return l, compact
}

func TestStatusListRoundTrip(t *testing.T) {
	k := newKeys(t, "js")
	_, compact := newList(t, k, Suspension, testNow, 0, 7, 8, 130971, StatusListBits-1)
	got, err := OpenStatusList(compact, k.set, testNow)
	noFail(t, err)
	if got.Origin != testOrigin || got.Purpose != Suspension || got.List != 0 || !got.ValidFrom.Equal(testNow) || got.TTL != time.Minute || got.Len() != StatusListBits {
		t.Fatalf("%+v", got)
	}
	if got.bits[0] != 0x81 || got.bits[1] != 0x80 || got.bits[len(got.bits)-1] != 1 { // index 0 is the left-most bit
		t.Fatalf("bits % x … % x", got.bits[:2], got.bits[len(got.bits)-1])
	}
	for index, want := range map[int]bool{0: true, 1: false, 7: true, 8: true, 130971: true, 130970: false, StatusListBits - 1: true} {
		if on, err := got.Get(index); err != nil || on != want {
			t.Errorf("index %d: %v, %v", index, on, err)
		}
	}
	for _, index := range []int{-1, StatusListBits} {
		if _, err := got.Get(index); fail.CodeOf(err) != "status_range" {
			t.Errorf("index %d: %v", index, err)
		}
		if err := got.Set(index, true); fail.CodeOf(err) != "status_range" {
			t.Errorf("index %d: %v", index, err)
		}
	}
	noFail(t, got.Set(0, false))
	if on, _ := got.Get(0); on {
		t.Error("a suspension can be lifted")
	}
	if got.Stale(testNow.Add(24*time.Hour)) || !got.Stale(testNow.Add(24*time.Hour+1)) || got.Age(testNow.Add(-time.Hour)) != 0 {
		t.Error("stale or age")
	}
	for _, p := range []jws.Purpose{jws.QR, jws.VC} {
		if _, err := got.Sign(k.signers[p]); err == nil {
			t.Errorf("signed with a %s key", p)
		}
	}
}

func TestStatusListCredentialIsAsDocumented(t *testing.T) {
	k := newKeys(t, "js")
	_, compact := newList(t, k, Revocation, testNow)
	o, err := jws.Open(compact, k.set, jws.Status, jws.Limits{Typ: TypVC})
	noFail(t, err)
	var vc map[string]any
	noFail(t, json.Unmarshal(o.Payload, &vc))
	subject := vc["credentialSubject"].(map[string]any)
	if encoded := subject["encodedList"].(string); encoded[0] != 'u' {
		t.Error("multibase prefix")
	}
	subject["encodedList"] = "u…" // gzip may differ between Go releases
	b, err := json.MarshalIndent(vc, "", "  ")
	noFail(t, err)
	golden(t, "status.golden.json", append(b, '\n'))
}

// A3 of the specification's demands on a verifier, each refused even under a
// right signature.
func TestStatusListVerification(t *testing.T) {
	k := newKeys(t, "js")
	_, good := newList(t, k, Revocation, testNow, 5)
	o, err := jws.Open(good, k.set, jws.Status, jws.Limits{Typ: TypVC})
	noFail(t, err)
	pack := func(b []byte) string {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b)
		_ = w.Close()
		return "u" + base64.RawURLEncoding.EncodeToString(z.Bytes())
	}
	subject := func(m map[string]any) map[string]any { return m["credentialSubject"].(map[string]any) }
	for name, c := range map[string]struct {
		edit func(map[string]any)
		code string
	}{
		"unchanged":       {func(map[string]any) {}, ""},
		"unknown member":  {func(m map[string]any) { m["name"] = "x" }, ""},
		"zone":            {func(m map[string]any) { m["validFrom"] = "2026-03-02T12:00:00+08:00" }, ""},
		"no validUntil":   {func(m map[string]any) { delete(m, "validUntil") }, ""},
		"longer":          {func(m map[string]any) { subject(m)["encodedList"] = pack(make([]byte, 20000)) }, ""},
		"context":         {func(m map[string]any) { m["@context"] = []string{"https://www.w3.org/2018/credentials/v1"} }, "bad_status_list"},
		"type":            {func(m map[string]any) { m["type"] = []string{"VerifiableCredential"} }, "bad_status_list"},
		"subject type":    {func(m map[string]any) { subject(m)["type"] = "StatusList2021" }, "bad_status_list"},
		"issuer":          {func(m map[string]any) { m["issuer"] = "https://evil.example" }, "bad_status_list"},
		"no iss":          {func(m map[string]any) { delete(m, "iss") }, "bad_status_list"},
		"purpose":         {func(m map[string]any) { subject(m)["statusPurpose"] = "suspension" }, "bad_status_list"},
		"unknown purpose": {func(m map[string]any) { subject(m)["statusPurpose"] = "x"; m["id"] = testOrigin + "/status/x-0" }, "bad_status_list"},
		"address":         {func(m map[string]any) { m["id"] = "https://evil.example/status/revocation-0" }, "bad_status_list"},
		"address number":  {func(m map[string]any) { m["id"] = testOrigin + "/status/revocation-00" }, "bad_status_list"},
		"no zone":         {func(m map[string]any) { m["validFrom"] = "2026-03-02T12:00:00" }, "bad_status_list"},
		"no validFrom":    {func(m map[string]any) { delete(m, "validFrom") }, "bad_status_list"},
		"order":           {func(m map[string]any) { m["validUntil"] = "2026-03-01T00:00:00Z" }, "bad_status_list"},
		"future": {func(m map[string]any) {
			m["validFrom"], m["validUntil"] = "2026-03-02T05:00:00Z", "2026-03-03T00:00:00Z"
		}, "status_list_not_yet_valid"},
		"ttl":           {func(m map[string]any) { subject(m)["ttl"] = -1 }, "bad_status_list"},
		"long ttl":      {func(m map[string]any) { subject(m)["ttl"] = 1e15 }, "bad_status_list"},
		"short":         {func(m map[string]any) { subject(m)["encodedList"] = pack(make([]byte, StatusListBits/8-1)) }, "status_list_length"},
		"bomb":          {func(m map[string]any) { subject(m)["encodedList"] = pack(make([]byte, maxStatusBytes+1)) }, "status_list_length"},
		"no u":          {func(m map[string]any) { subject(m)["encodedList"] = pack(make([]byte, 16384))[1:] }, "bad_status_list"},
		"not base64":    {func(m map[string]any) { subject(m)["encodedList"] = "u*" }, "bad_status_list"},
		"not gzip":      {func(m map[string]any) { subject(m)["encodedList"] = "uAAAA" }, "bad_status_list"},
		"cut":           {func(m map[string]any) { s := pack(make([]byte, 16384)); subject(m)["encodedList"] = s[:len(s)-8] }, "bad_status_list"},
		"trailing":      {func(m map[string]any) { subject(m)["encodedList"] = pack(make([]byte, 16384)) + "AAAA" }, "bad_status_list"},
		"list of lists": {func(m map[string]any) { m["credentialSubject"] = []any{} }, "bad_status_list"},
	} {
		var vc map[string]any
		noFail(t, json.Unmarshal(o.Payload, &vc))
		c.edit(vc)
		payload, err := json.Marshal(vc)
		noFail(t, err)
		compact, err := k.signers[jws.Status].Sign(payload, TypVC)
		noFail(t, err)
		if _, err := OpenStatusList(compact, k.set, testNow); fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
	asVC, err := k.signers[jws.VC].Sign(o.Payload, TypVC)
	noFail(t, err)
	if _, err := OpenStatusList(asVC, k.set, testNow); !errors.Is(err, jws.ErrWrongPurpose) {
		t.Errorf("signed with a VC key: %v", err)
	}
}

// flipEvery flips every bit of a signed text and expects open to refuse each
// change. Of a text above 5,000 characters it takes a sample.
func flipEvery(t *testing.T, compact string, open func(string) error) {
	t.Helper()
	noFail(t, open(compact))
	rng := rand.New(rand.NewPCG(3, 4))
	tries := 0
	for i := range len(compact) {
		for bit := range 8 {
			if len(compact) > 5000 && rng.IntN(1000) != 0 {
				continue
			}
			tries++
			b := []byte(compact)
			b[i] ^= 1 << bit
			if open(string(b)) == nil {
				t.Fatalf("accepted with bit %d of character %d flipped", bit, i)
			}
		}
	}
	t.Logf("%d changes of %d characters refused", tries, len(compact))
}

func TestEveryFlippedBitOfAStatusListIsRefused(t *testing.T) {
	t.Parallel()
	k := newKeys(t, "js")
	_, compact := newList(t, k, Revocation, testNow, 5)
	flipEvery(t, compact, func(s string) error { _, err := OpenStatusList(s, k.set, testNow); return err })
	full := NewStatusList(testOrigin, Revocation, 1)
	full.ValidFrom = testNow
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range full.bits {
		full.bits[i] = byte(rng.Uint32())
	}
	compact, err := full.Sign(k.signers[jws.Status])
	noFail(t, err)
	if len(compact) > MaxStatusList {
		t.Fatalf("%d characters", len(compact))
	}
	flipEvery(t, compact, func(s string) error { _, err := OpenStatusList(s, k.set, testNow); return err })
}

func TestStatusListNames(t *testing.T) {
	for _, p := range StatusPurposes() {
		for _, n := range []int{0, 1, 762} {
			if gotP, gotN, err := ParseStatusListName(StatusListName(p, n)); err != nil || gotP != p || gotN != n {
				t.Errorf("%s %d: %v", p, n, err)
			}
		}
	}
	for _, s := range []string{"", "revocation", "revocation-", "revocation--1", "revocation-01", "revocation-+1", "revocation-763", "message-0", "Revocation-0", "revocation-0/", "-0"} {
		if _, _, err := ParseStatusListName(s); fail.KindOf(err) != fail.NotFound {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzOpenStatusList(f *testing.F) {
	k := newKeys(f, "js")
	_, good := newList(f, k, Revocation, testNow, 5)
	o, err := jws.Open(good, k.set, jws.Status, jws.Limits{Typ: TypVC})
	noFail(f, err)
	f.Add(string(o.Payload), true)
	f.Add(strings.Replace(string(o.Payload), "revocation", "suspension", 1), true)
	f.Add(good, false)
	f.Fuzz(func(t *testing.T, s string, sign bool) {
		text := s
		if sign { // beyond the signature, to reach what follows it
			compact, err := k.signers[jws.Status].Sign([]byte(s), TypVC)
			if err != nil {
				return
			}
			text = compact
		}
		l, err := OpenStatusList(text, k.set, testNow)
		if err != nil {
			return
		}
		if !sign && text != good {
			t.Fatalf("accepted %q", text)
		}
		if l.Len() < StatusListBits || l.ValidFrom.After(testNow.Add(clockDifference)) {
			t.Fatalf("%+v", l)
		}
	})
}
