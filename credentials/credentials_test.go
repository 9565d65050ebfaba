package credentials

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bajigong/credentials/jws"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares got with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s differs; if that is meant, run the test with -update\n got: %s\nwant: %s", path, got, want)
	}
}

// keys is a signer for each purpose and the set of their public keys.
type keys struct {
	signers map[jws.Purpose]jws.Signer
	set     jws.KeySet
}

func newKeys(t testing.TB, code string) keys {
	t.Helper()
	out := keys{signers: map[jws.Purpose]jws.Signer{}}
	var public []jws.Key
	for i, p := range jws.Purposes() {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		kid := code + "0" + string(rune('1'+i))
		if out.signers[p], err = jws.NewSigner(kid, p, k); err != nil {
			t.Fatal(err)
		}
		public = append(public, jws.Key{ID: kid, Purpose: p, State: jws.Active, Public: &k.PublicKey})
	}
	set, err := jws.NewKeySet(public...)
	if err != nil {
		t.Fatal(err)
	}
	out.set = set
	return out
}

func sample() Claims {
	return Claims{
		Number: "S000032058300253000001", Name: "欧阳娜娜", DocumentMasked: "3****************X", Occupation: "6-31-01-03",
		Trade: "01", Level: '3', Issued: "2025-06-30", Status: 130971,
	}
}

func (k keys) token(t testing.TB, c Claims) Token {
	t.Helper()
	token, err := SignToken(k.signers[jws.QR], c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const testOrigin = "https://skills.example.org"

var testNow = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)

// noFail is for errors that would be a fault of the test itself.
func noFail(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isJWS(err error) bool {
	for _, e := range []error{
		jws.ErrMalformed, jws.ErrTooLarge, jws.ErrNoncanonical, jws.ErrWrongAlg, jws.ErrWrongType,
		jws.ErrUnknownKey, jws.ErrWrongPurpose, jws.ErrBadSignature, jws.ErrDistrusted,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
