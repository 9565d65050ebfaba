package registry_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
)

func firstDocument() string { return invented.PersonAt(0).Document }

// A stolen store file has no identity number and no name in it, neither plain
// nor in the base64 of a token or a JSON byte string.
func TestStolenStoreHasNoPersonalData(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt}) // its file is read
	by := e.MustAdmit(1)
	const people = 120
	issued := e.MustCertificates(by, 0, people)
	payer := registrytest.Payer("payer-ks", "320583")
	for i, c := range issued[:20] {
		p := invented.PersonAt(i)
		a, err := e.ReserveClaim(ctx, payer, registry.ClaimRequest{Reference: "R-" + c.Number, Policy: "sample-2026", Certificate: c.Number, Name: p.Name, Document: p.Document,
			Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "参保系统", At: e.Clock.Now(), Reference: "CB-" + c.Number}}})
		if err != nil || a.Outcome != policy.Allow {
			t.Fatalf("reserve %d: %v %v", i, a.Reasons, err)
		}
	}
	driver := invented.PersonAt(500)
	if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: "T" + driver.Document, Name: driver.Name, Document: driver.Document,
		Occupation: "6-31-01-03", Level: 4, Issued: "2024-05-01", InstitutionName: "安全生产考试中心"}}); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	raw, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(issued[0].Number)) {
		t.Fatal("the search looks at the wrong file: not even a certificate number is in it")
	}
	for i := range people {
		mustNotHold(t, raw, invented.PersonAt(i))
	}
	mustNotHold(t, raw, driver)
}

func mustNotHold(t *testing.T, raw []byte, p invented.Person) {
	t.Helper()
	for _, secret := range []string{p.Document, p.Document[:17], p.Name} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Fatalf("the store file has %q in it", secret)
		}
		if len(secret) < 6 { // two characters could stand in an institution's name
			continue
		}
		for shift := range 3 {
			// The middle of the base64 does not depend on what stands around it.
			encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
			encoded = encoded[(shift*4+2)/3:]
			if len(encoded) < 10 {
				continue
			}
			if bytes.Contains(raw, []byte(encoded[:len(encoded)-2])) {
				t.Fatalf("the store file has %q in it, in base64", secret)
			}
		}
	}
}
