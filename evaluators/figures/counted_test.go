package figures

import (
	"testing"

	"bajigong/standards"
)

// TestCountedIn holds countedIn to Sums, for every pair of facts that differ in
// little.
func TestCountedIn(t *testing.T) {
	var all []Fact
	for _, month := range []Period{"2026-03", "2026-02", "2026-05", "2027-03"} {
		for _, region := range []string{"320583", "320505", "320106", "110000", ""} {
			for _, level := range []standards.Level{standards.Junior, standards.Senior, standards.Technician} {
				for _, group := range []string{"", "student"} {
					for _, class := range []string{"Y", "S"} {
						all = append(all, Fact{Month: month, Origin: "here", Region: region, Class: class, Level: level, Occupation: "6-18-01-01", Group: group, Mode: "exam"})
					}
				}
			}
		}
	}
	all = append(all, Fact{Month: "2026-03", Origin: "elsewhere", Region: "320583", Class: "S", Level: standards.Junior, Occupation: "4-01-01-01", Mode: "exam"})
	yes, no := 0, 0
	for _, a := range all {
		sums := map[Sum]bool{}
		for _, s := range a.Sums() {
			sums[s] = true
		}
		for _, b := range all {
			for _, s := range b.Sums() {
				got := a.place().countedIn(s)
				if got != sums[s] {
					t.Fatalf("%+v in %+v: %t", a, s, got)
				}
				if got {
					yes++
				} else {
					no++
				}
			}
		}
	}
	if yes == 0 || no == 0 {
		t.Errorf("%d pairs are counted together and %d are not", yes, no)
	}
}
