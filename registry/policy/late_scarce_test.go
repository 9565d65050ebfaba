package policy

import "testing"

// 苏人社发〔2025〕22号: once a year, and two more times for scarce occupations. A
// payment that is reported late counts as the ordinary kind where nobody asked
// whether its occupation is scarce: money that is out is never free of the count.
func TestALatePaymentOfUnknownKindCountsAsOrdinary(t *testing.T) {
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Policy("jiangsu-2025-22-uplift", 0)
	if err != nil || p.Frequency.Extra == nil {
		t.Fatalf("%+v, %v", p.Frequency, err)
	}
	in := twoInput()
	in.Facts, in.Received = nil, "2026-03-01"
	in.Claims = claimsOn(in, "2026-02-01o")
	taken := func(in Input) (n int) {
		for _, f := range p.Taken(in) {
			if f.Rule == p.Frequency.ID {
				n++
			}
		}
		return n
	}
	if taken(in) != 1 {
		t.Error("nobody asked whether it is scarce, and it counts as if it were")
	}
	in.Facts = Facts{ScarceListed: stated(Yes)}
	if taken(in) != 0 {
		t.Error("it is scarce")
	}
	in.Facts = Facts{ScarceListed: stated(No)}
	if taken(in) != 1 {
		t.Error("it is not scarce")
	}
	in.Facts, in.Claims = nil, claimsOn(in, "2026-02-01s")
	if taken(in) != 0 {
		t.Error("the ordinary one of the year is free")
	}
	for _, m := range p.Evaluate(in).Missing {
		if m.Rule == p.Frequency.ID && taken(in) != 0 {
			t.Errorf("%+v", m)
		}
	}
}
