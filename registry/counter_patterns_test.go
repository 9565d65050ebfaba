package registry

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"bajigong/registry/policy"
	"bajigong/standards"
)

func patternClaim(n int, day standards.Date, change func(*Claim)) Claim {
	c := Claim{ID: fmt.Sprint("c-", n), Payer: "ks", State: policy.Reserved, Reserved: day.Time(), Occupation: "6-31-01-03", Edition: "2022", Level: standards.Senior,
		Certificate: fmt.Sprint("S", n), Amount: 100}
	if change != nil {
		change(&c)
	}
	return c
}

func paidFor(trade string) func(*Claim) {
	return func(c *Claim) {
		c.Trade, c.State = trade, policy.Confirmed
		c.Payment = &PaymentRecord{Payment: Payment{Reference: "p", Amount: c.Amount, PaidOn: standards.DateOf(c.Reserved)}, At: c.Reserved.Add(time.Hour), LogIndex: 9}
	}
}

func TestPatterns(t *testing.T) {
	refused := func(c *Claim) { c.State = StateRefused }
	elsewhere := func(c *Claim) { c.Payer, c.Certificate = "cz", "S1" }
	for name, row := range map[string]struct {
		claims []Claim
		want   []ClaimPatternKind
	}{
		"two trades in a year":         {[]Claim{patternClaim(1, "2026-01-01", paidFor("a")), patternClaim(2, "2027-01-01", paidFor("b"))}, []ClaimPatternKind{PatternTrades}},
		"two trades in a year and day": {[]Claim{patternClaim(1, "2026-01-01", paidFor("a")), patternClaim(2, "2027-01-02", paidFor("b"))}, nil},
		"one trade twice":              {[]Claim{patternClaim(1, "2026-01-01", paidFor("a")), patternClaim(2, "2026-05-01", paidFor("a"))}, nil},
		"two trades, one not paid":     {[]Claim{patternClaim(1, "2026-01-01", paidFor("a")), patternClaim(2, "2026-05-01", func(c *Claim) { c.Trade = "b" })}, nil},
		"near occupations":             {[]Claim{patternClaim(1, "2026-01-01", paidFor("")), patternClaim(2, "2026-05-01", func(c *Claim) { paidFor("")(c); c.Occupation = "6-31-01-07" })}, []ClaimPatternKind{PatternTrades}},
		"far occupations":              {[]Claim{patternClaim(1, "2026-01-01", paidFor("")), patternClaim(2, "2026-05-01", func(c *Claim) { paidFor("")(c); c.Occupation = "6-31-02-07" })}, nil},
		"refused, then allowed":        {[]Claim{patternClaim(1, "2026-01-01", refused), patternClaim(2, "2026-01-31", elsewhere)}, []ClaimPatternKind{PatternPayers}},
		"refused, allowed later":       {[]Claim{patternClaim(1, "2026-01-01", refused), patternClaim(2, "2026-02-01", elsewhere)}, nil},
		"refused, allowed by the same": {[]Claim{patternClaim(1, "2026-01-01", refused), patternClaim(2, "2026-01-31", func(c *Claim) { c.Certificate = "S1" })}, nil},
		"three in 90 days":             {[]Claim{patternClaim(1, "2026-01-01", nil), patternClaim(2, "2026-01-02", nil), patternClaim(3, "2026-04-01", nil)}, []ClaimPatternKind{PatternMany}},
		"three in 91 days":             {[]Claim{patternClaim(1, "2026-01-01", nil), patternClaim(2, "2026-01-02", nil), patternClaim(3, "2026-04-02", nil)}, nil},
		"three, one refused":           {[]Claim{patternClaim(1, "2026-01-01", nil), patternClaim(2, "2026-01-02", refused), patternClaim(3, "2026-01-03", nil)}, nil},
	} {
		var got []ClaimPatternKind
		for _, p := range patternsOf(row.claims, SamplePatternThresholds) {
			got = append(got, p.Kind)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
