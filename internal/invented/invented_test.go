package invented

import (
	"testing"

	"bajigong/standards"
)

func TestPeopleHaveValidAndDifferentDocuments(t *testing.T) {
	seen := map[string]int{}
	for i := range 200_000 {
		if i > 30_000 && i%7 != 0 {
			continue
		}
		p := PersonAt(i)
		if first, twice := seen[p.Document]; twice {
			t.Fatalf("people %d and %d share a document", first, i)
		}
		seen[p.Document] = i
		if _, err := standards.ParseDocument("resident_id", p.Document, "2026-03-02"); err != nil {
			t.Fatalf("person %d: %v", i, err)
		}
		if clean, err := standards.CleanName(p.Name); err != nil || clean != p.Name {
			t.Fatalf("person %d: name %q: %v", i, p.Name, err)
		}
	}
}

func TestCreditCodesAreValid(t *testing.T) {
	for i := range 1000 {
		if _, warning, err := standards.ParseUSCC(USCC(i)); err != nil || warning != nil {
			t.Fatalf("%s: %v %v", USCC(i), warning, err)
		}
	}
}
