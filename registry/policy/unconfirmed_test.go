package policy

import (
	"strings"
	"testing"
)

// cityAndProvince are a text of a city, whose end is changed, and one of its province
// that is open; both pay from the same fund.
func cityAndProvince(t *testing.T, city func(*Policy)) Set {
	t.Helper()
	near, far := mustParse(t, "testdata/full2.yaml"), mustParse(t, "testdata/full2.yaml")
	far.ID, far.Region, far.Parent, far.Bounds, far.Under = "full-above", "320000", "000000", nil, nil
	far.Effective.From, far.Effective.End, far.Effective.Until = "2025-06-01", EndOpen, ""
	near.Bounds, near.Under = nil, nil
	city(&near)
	s, err := NewSet(mustEmbedded(t).Regions(), near, far)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func unknownEnd(p *Policy) {
	p.Effective.End, p.Effective.Until, p.Effective.StatedThrough = EndUnknown, "", p.Effective.From
}

// What is known to be in force decides; a nearer text whose end is not known is
// told of, and is used where it says so, or where there is nothing else.
func TestWhatIsKnownToBeInForceGoesFirst(t *testing.T) {
	for name, c := range map[string]struct {
		city    func(*Policy)
		want    string
		pending int
	}{
		"the city's end is not known": {unknownEnd, "full-above", 1},
		"it goes first":               {func(p *Policy) { unknownEnd(p); p.Effective.GoesFirst = true }, "full-two", 0},
		"its end is open":             {func(p *Policy) { p.Effective.End, p.Effective.Until = EndOpen, "" }, "full-two", 0},
	} {
		s := cityAndProvince(t, c.city)
		q := Query{Region: "320583", Fund: FundSkillUplift, Received: "2026-03-05"}
		p, err := s.Select(q)
		if err != nil || p.ID != c.want {
			t.Errorf("%s: %s, %v", name, p.ID, err)
		}
		if got := s.Unconfirmed(q, p); len(got) != c.pending {
			t.Errorf("%s: %d to be confirmed", name, len(got))
		}
		choices, err := s.Choices(q)
		if err != nil || c.pending > 0 && !strings.Contains(choices[0].Why.ZH, "待确认") {
			t.Errorf("%s: %+v, %v", name, choices, err)
		}
	}
	alone := mustParse(t, "testdata/full2.yaml")
	unknownEnd(&alone)
	s, err := NewSet(mustEmbedded(t).Regions(), alone)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Select(Query{Region: "320583", Fund: FundSkillUplift, Received: "2026-03-05"}); err != nil || p.ID != "full-two" {
		t.Errorf("nothing else is there: %s, %v", p.ID, err)
	}
}

func TestSupersededByALaterText(t *testing.T) {
	old, later := mustParse(t, "testdata/full2.yaml"), mustParse(t, "testdata/full2.yaml")
	old.Effective.From = "2025-01-01"
	unknownEnd(&old)
	later.ID = "full-three"
	s, err := NewSet(mustEmbedded(t).Regions(), old, later)
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Region: "320583", Received: "2026-03-05", Applied: "2026-03-05"}
	if by, ok := s.Superseded(old, q); !ok || by.ID != "full-three" {
		t.Errorf("%s, %t", by.ID, ok)
	}
	if _, ok := s.Superseded(later, q); ok {
		t.Error("the later one is superseded")
	}
	q.Received, q.Applied = "2025-03-05", "2025-03-05"
	if _, ok := s.Superseded(old, q); ok {
		t.Error("before the later one began")
	}
}

// goes_first is said of an end that is not known, and of no other.
func TestGoesFirstIsRead(t *testing.T) {
	p := changed(t, "testdata/full2.yaml", "until: 2026-12-31}", "goes_first: yes, stated_through: 2026-06-30, until: unknown}", "unknown: none", "unknown: [{field: effective.until, zh: 未载明, en: not said}]")
	if !p.Effective.GoesFirst || p.Effective.End != EndUnknown {
		t.Errorf("%+v", p.Effective)
	}
	src := strings.Replace(policyFiles(t)["testdata/full2.yaml"], "until: 2026-12-31}", "goes_first: yes, until: 2026-12-31}", 1)
	if _, err := Parse("x.yaml", []byte(src)); err == nil {
		t.Error("with an end that is known")
	}
}

// A framework of a city cannot leave to its counties what its province does not
// leave to it.
func TestBoundsAreHeldAgainstThoseAbove(t *testing.T) {
	regions := mustEmbedded(t).Regions()
	for _, c := range []struct {
		above, own string
		ok         bool
	}{
		{"field: amounts.senior, may: at_most, value: 2500", "field: amounts.senior, may: at_most, value: 2500", true},
		{"field: amounts.senior, may: at_most, value: 2500", "field: amounts.senior, may: at_most, value: 2600", false},
		{"field: amounts.senior, may: at_most, value: 2500", "field: amounts.senior, may: at_least, value: 1000", true},
		{"field: amounts.senior, may: at_most, value: 2500", "field: amounts.senior, may: at_least, value: 2600", false},
		{"field: amounts.senior, may: at_most, value: 2500", "field: amounts.senior, may: free", false},
		{"field: amounts.senior, may: free", "field: amounts.senior, may: at_most, value: 9000", true},
		{"field: amounts.senior, may: equal, value: 2000", "field: amounts.senior, may: at_most, value: 2000", false},
		{"field: amounts.senior, may: equal, value: 2000", "field: amounts.senior, may: equal, value: 2000", true},
		{"field: amounts.senior, may: at_least, value: 1000", "field: amounts.senior, may: at_least, value: 900", false},
		{"field: amounts.senior, may: at_least, value: 1000", "field: amounts.senior, may: at_most, value: 900", false},
		{"field: frequency.max, may: at_most, value: 3", "field: frequency.max, may: at_most, value: 4", false},
		{"field: kinds, may: at_most, value: [skill_level]", "field: kinds, may: at_most, value: [skill_level, special_ability]", false},
		{"field: kinds, may: at_most, value: [vocational_qualification, skill_level, special_ability]", "field: kinds, may: equal, value: [vocational_qualification, skill_level, special_ability]", true},
		{"field: kinds, may: at_least, value: [skill_level]", "field: kinds, may: at_least, value: [special_ability]", false},
		{"field: refund, may: equal, value: \"yes\"", "field: refund, may: equal, value: \"no\"", false},
		{"field: window.months, may: at_most, value: 12", "field: window.months, may: at_most, value: 24", false},
		{"field: amounts.senior, may: at_most, value: 2500, funds: [training]", "field: amounts.senior, may: at_most, value: 9000", true},
	} {
		t.Run(c.above+" / "+c.own, func(t *testing.T) {
			above, own := upper(t, c.above), upper(t, c.own)
			own.ID, own.Region, own.Parent = "between", "320500", "320000"
			_, err := NewSet(regions, above, own)
			if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "between") {
				t.Errorf("%v", err)
			}
		})
	}
}
