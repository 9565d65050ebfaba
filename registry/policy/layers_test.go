package policy

import (
	"strings"
	"testing"
)

// upper is a framework of the province over testdata/full2.yaml, with one bound.
func upper(t *testing.T, bound string) Policy {
	t.Helper()
	src := policyFiles(t)["testdata/full2.yaml"]
	at := strings.Index(src, "  - {id: bound_senior")
	end := at + strings.Index(src[at:], "\n")
	p := changed(t, "testdata/full2.yaml", src[at:end], "  - {id: the_bound, clause: 上一, zh: 约束, en: a bound, "+bound+"}",
		"id: full-two", "id: above", `region: "320500"`, `region: "320000"`, `parent: "320000"`, `parent: "000000"`, "framework: no", "framework: yes")
	return p
}

// TestBounds holds testdata/full2.yaml, of the city below, to one bound at a time.
func TestBounds(t *testing.T) {
	regions := mustEmbedded(t).Regions()
	for _, c := range []struct {
		bound string
		kept  bool
		says  string // of what the lower policy has
	}{
		{"field: amounts.senior, may: at_most, value: 2000", true, "2000 yuan"},
		{"field: amounts.senior, may: at_most, value: 1999.99", false, "2000 yuan"},
		{"field: amounts.senior, may: equal, value: 2000", true, "2000 yuan"},
		{"field: amounts.senior, may: at_least, value: 2000.01", false, "2000 yuan"},
		{"field: amounts.technician, may: at_most, value: 3500", true, "no such rule"},
		{"field: amounts, may: free", true, "not said"},
		{"field: scarce.uplift_percent, may: at_most, value: 30", true, "30"},
		{"field: scarce.uplift_percent, may: at_most, value: 20", false, "30"},
		{"field: frequency.max, may: at_most, value: 3", true, "1"},
		{"field: frequency.extra, may: at_most, value: 1", false, "2"},
		{"field: frequency.per, may: equal, value: natural_year", false, "rolling"},
		{"field: window.months, may: at_most, value: 12", true, "365 days"},
		{"field: window.months, may: at_most, value: 11", false, "365 days"},
		{"field: window.days, may: equal, value: 365", true, "365 days"},
		{"field: kinds, may: at_most, value: [vocational_qualification, skill_level]", false, "vocational_qualification, skill_level, special_ability"},
		{"field: kinds, may: at_least, value: [skill_level]", true, "special_ability"},
		{"field: groups, may: at_most, value: [enterprise_employee, unemployment_benefit, island_worker, veteran]", true, "island_worker"},
		{"field: groups, may: equal, value: [enterprise_employee]", false, "island_worker"},
		{"field: groups.none_of, may: at_least, value: [civil_servant]", true, "civil_servant"},
		{"field: groups.none_of, may: at_least, value: [retired]", false, "civil_servant"},
		{"field: modes, may: at_most, value: [exam]", false, "exam"},
		{"field: facts.trained_within_contract_months, may: at_most, value: 12", true, "12"},
		{"field: facts.insured_months, may: at_least, value: 12", true, "12"},
		{"field: facts.insured_months, may: at_least, value: 36", false, "12"},
		{`field: facts.employed, may: equal, value: "yes"`, false, "no such rule"},
		{`field: refund, may: equal, value: "no"`, true, "no"},
		{`field: refund, may: equal, value: "yes"`, false, "no"},
		{"field: once, may: equal, value: [level, occupation]", true, "occupation, level"},
		{"field: higher_excludes_lower, may: equal, value: paid", false, "held"},
		{"field: prepayment, may: at_most, value: 50", true, "50"},
		{"field: prepayment, may: at_most, value: 49", false, "50"},
		{"field: ages.max_male, may: at_most, value: 60", true, "60"},
		{"field: ages.min, may: at_least, value: 18", false, "16"},
		{"field: subject.most_units, may: at_most, value: 6", false, "no such rule"},
		{`field: supervision, may: equal, value: "yes"`, true, "yes"},
		{`field: channel, may: equal, value: "no"`, false, "yes"},
		{"field: beneficiary, may: equal, value: funder", true, "funder"},
		{"field: amounts.senior, may: at_most, value: 1, funds: [training]", true, ""},
		{"field: amounts.senior, may: at_most, value: 1, funds: any", false, "2000 yuan"},
	} {
		t.Run(c.bound, func(t *testing.T) {
			lower, above := mustParse(t, "testdata/full2.yaml"), upper(t, c.bound)
			lower.Bounds = nil // its own are held against those above by TestBoundsAreHeldAgainstThoseAbove
			_, err := NewSet(regions, lower, above)
			if (err == nil) != c.kept {
				t.Fatalf("kept %t: %v", c.kept, err)
			}
			if err != nil && (!strings.Contains(err.Error(), "above v1 上一 demands") || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "allows no exception")) {
				t.Errorf("%v", err)
			}
			s, err := NewSet(regions, above)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Bounds(lower)
			switch {
			case c.says == "" && len(got) == 0:
			case len(got) != 1 || got[0].Kept != c.kept || got[0].Policy != "above" || !strings.Contains(got[0].Has.EN, c.says) || got[0].Has.ZH == "" || got[0].Demands.ZH == "":
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestWhatBindsWhom(t *testing.T) {
	regions := mustEmbedded(t).Regions()
	bound := "field: amounts.senior, may: at_most, value: 1000, in_principle: yes"
	lower := mustParse(t, "testdata/full2.yaml")
	excepted := changed(t, "testdata/full2.yaml", "under: none", "under: [{policy: above, exceptions: [{bound: the_bound, document: 苏批〔2026〕1号, zh: 经批准, en: approved}]}]")
	with := func(p Policy, change func(*Policy)) Policy { change(&p); return p }
	for name, c := range map[string]struct {
		policies []Policy
		says     string // empty: taken
	}{
		"in principle, without a document": {[]Policy{lower, upper(t, bound)}, "no exception with its document stands"},
		"in principle, with one":           {[]Policy{excepted, upper(t, bound)}, ""},
		"a document against a strict one":  {[]Policy{excepted, upper(t, strings.TrimSuffix(bound, ", in_principle: yes"))}, "allows no exception"},
		"an exception of no bound": {[]Policy{with(excepted, func(p *Policy) {
			p.Under = []Under{{Policy: "above", Exceptions: []BoundException{{Bound: "other"}}}}
		}), upper(t, bound)}, "is no bound of above"},
		"under what is not there": {[]Policy{excepted}, "stands under above, which is not there"},
		"under itself":            {[]Policy{with(lower, func(p *Policy) { p.Under = []Under{{Policy: "full-two"}} })}, "not of a region above"},
		"out of time":             {[]Policy{lower, with(upper(t, bound), func(p *Policy) { p.Effective.Until, p.Effective.From = "2025-12-31", "2025-01-01" })}, ""},
		"to the last day":         {[]Policy{lower, with(upper(t, bound), func(p *Policy) { p.Effective.Until, p.Effective.From = "2026-01-01", "2025-01-01" })}, "demands at most 1000 yuan"},
		"an end that is not known": {[]Policy{lower, with(upper(t, bound), func(p *Policy) {
			p.Effective = Effective{Rule: p.Effective.Rule, From: "2024-01-01", End: EndUnknown, StatedThrough: "2025-12-31"}
		})}, ""},
		"official over sample":               {[]Policy{lower, with(upper(t, bound), func(p *Policy) { p.Sample = false })}, ""},
		"of another province":                {[]Policy{lower, with(upper(t, bound), func(p *Policy) { p.Region = "420000" })}, ""},
		"a text that is silent":              {[]Policy{with(lower, func(p *Policy) { p.Amounts.Of, p.Amounts.Levels = AmountApproved, nil }), upper(t, bound)}, ""},
		"the older version is not looked at": {[]Policy{with(mustParse(t, "testdata/full2.yaml"), func(p *Policy) { p.Amounts.Levels[1].Fen = 50000; p.Version = 2 }), mustParse(t, "testdata/full2.yaml"), upper(t, bound)}, ""},
	} {
		for i := range c.policies {
			if c.policies[i].Region == "320500" {
				c.policies[i].Bounds = nil
			}
		}
		_, err := NewSet(regions, c.policies...)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSelectByFrameworkAndSubject(t *testing.T) {
	regions := mustEmbedded(t).Regions()
	work := mustParse(t, "testdata/work2.yaml")
	both := work
	both.ID, both.Subject = "for-paper", nil // a policy of the same region and fund, for a certificate
	s, err := NewSet(regions, work, both, upper(t, "field: refund, may: free"), mustParse(t, "testdata/full2.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    Query
		want string
		says string
	}{
		{Query{Region: "320583", Fund: FundWorkTraining, Received: "2026-03-05", Subject: ForWorkMonths}, "work-two", ""},
		{Query{Region: "320583", Fund: FundWorkTraining, Received: "2026-03-05"}, "for-paper", ""},
		{Query{Region: "320583", Fund: FundWorkTraining, Received: "2026-03-05", Subject: ForPreJob}, "", "work-two is for work as training"},
		{Query{Region: "320583", Fund: FundSkillUplift, Received: "2026-03-05"}, "full-two", ""},
		{Query{Region: "320100", Fund: FundSkillUplift, Received: "2026-03-05"}, "", "above is a framework"},
		{Query{Region: "320583", Fund: FundSkillUplift, Received: "2027-01-05", Applied: "2026-12-31"}, "full-two", ""},
		{Query{Region: "320583", Fund: FundSkillUplift, Received: "2026-01-05", Applied: "2025-12-31"}, "", "in force from 2026-01-01"},
	} {
		p, err := s.Select(c.q)
		if p.ID != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %s %v", c.q, p.ID, err)
		}
	}
}

func TestBoundFields(t *testing.T) {
	fields := BoundFields()
	if len(fields) < 60 {
		t.Errorf("%d fields", len(fields))
	}
	for _, f := range fields {
		form, ok := boundKind(f)
		if _, valued := boundFields[f]; !ok || valued == (form == boundFree) {
			t.Errorf("%s: form %d", f, form)
		}
		if b := boundFields[f]; b.section != "" && b.section != "decided_by" && b.section != "facts" && !contains(sectionKeys2, b.section) {
			t.Errorf("%s is of no section", f)
		}
	}
}

func contains(all []string, s string) bool {
	return strings.Contains(" "+strings.Join(all, " ")+" ", " "+s+" ")
}
