package policy

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/standards"
)

func TestSelectNearestRegion(t *testing.T) {
	s := mustTwo(t)
	for _, c := range []struct {
		region string
		on     standards.Date
		want   string
	}{
		{"320583", "2020-05-14", "kunshan-2020-67"}, {"320583", "2021-12-31", "kunshan-2020-67"},
		{"320583", "2026-03-05", "kunshan-2020-67"}, // its end is not known: evaluating asks
		{"320500", "2026-03-05", "sample-2026"}, {"110000", "2026-03-05", "sample-2026"}, {Nation, "2031-01-01", "sample-2026"},
	} {
		p, err := s.Select(Query{Region: c.region, Fund: FundSkillUplift, Received: c.on})
		if err != nil || p.ID != c.want {
			t.Errorf("%s on %s: %s, %v; want %s", c.region, c.on, p.ID, err, c.want)
		}
	}
}

func TestSelectSaysWhyThereIsNone(t *testing.T) {
	s := mustTwo(t)
	for _, c := range []struct {
		q              Query
		code, says, zh string
	}{
		{Query{Region: "320583", Fund: FundSkillUplift, Received: "2020-05-13"}, "no_policy",
			"320583 昆山市 → 320500 苏州市 → 320000 江苏省 → 000000 全国: kunshan-2020-67 is in force from 2020-05-14; sample-2026 is in force from 2026-01-01",
			"kunshan-2020-67 自2020年5月14日起执行"},
		{Query{Region: "220000", Fund: FundTraining, Received: "2026-03-05"}, "no_policy", "sample-2026 is for skill_uplift", "适用于技能提升补贴"},
		{Query{Region: "329999", Fund: FundSkillUplift, Received: "2026-03-05"}, "region_not_found", `region "329999"`, "不在区划表中"},
		{Query{Region: "320583", Fund: "lottery", Received: "2026-03-05"}, "fund_unknown", `no fund "lottery"`, "lottery"},
	} {
		_, err := s.Select(c.q)
		if e := fail.Of(err); err == nil || e.Code != c.code || !strings.Contains(e.Text, c.says) || !strings.Contains(e.ZH, c.zh) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	if _, err := s.Official().Select(Query{Region: "320500", Fund: FundSkillUplift, Received: "2026-03-05"}); fail.CodeOf(err) != "no_policy" || !strings.Contains(err.Error(), "none of these regions has a policy") {
		t.Errorf("samples must not decide in an official set: %v", err)
	}
}

func TestPolicyByVersion(t *testing.T) {
	s := mustTwo(t)
	v1 := mustPolicy(t, "sample-2026")
	v2 := v1
	v2.Version = 2
	s, err := NewSet(s.Regions(), append(s.Policies(), v2)...)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int]int{0: 2, 1: 1, 2: 2} {
		if p, err := s.Policy("sample-2026", version); err != nil || p.Version != want {
			t.Errorf("version %d: %s, %v", version, p, err)
		}
	}
	if p, err := s.Select(Query{Region: Nation, Fund: FundSkillUplift, Received: "2026-03-05"}); err != nil || p.Version != 2 {
		t.Errorf("the newest version decides: %s, %v", p, err)
	}
	if _, err := s.Policy("sample-2026", 3); fail.CodeOf(err) != "policy_not_found" || !strings.Contains(err.Error(), "sample-2026 v2, sample-2026 v1") {
		t.Errorf("%v", err)
	}
	if _, err := s.Policy("sample-2027", 0); fail.CodeOf(err) != "policy_not_found" || !strings.Contains(err.Error(), "kunshan-2020-67, sample-2026") {
		t.Errorf("%v", err)
	}
}

func TestSetRefusesWhatCannotDecide(t *testing.T) {
	base := mustEmbedded(t)
	regions := base.Regions()
	sample := mustPolicy(t, "sample-2026")
	with := func(change func(*Policy)) Policy {
		p := sample
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		regions  []Region
		policies []Policy
		says     string
	}{
		"same version":    {regions, []Policy{sample, sample}, "stands twice"},
		"other region":    {regions, []Policy{with(func(p *Policy) { p.Region, p.Parent = "999999", "000000" })}, "not in the table"},
		"other parent":    {regions, []Policy{with(func(p *Policy) { p.Region, p.Parent = "320583", "320000" })}, `the region above is "320500"`},
		"version moved":   {regions, []Policy{sample, with(func(p *Policy) { p.Version, p.Fund = 2, FundTraining })}, "differ from the version before"},
		"overlap":         {regions, []Policy{sample, with(func(p *Policy) { p.ID = "other" })}, "overlap in time"},
		"region twice":    {append(base.Regions(), Region{Code: "320583", Name: "x", Parent: "320500"}), nil, "stands twice"},
		"parent missing":  {append(base.Regions(), Region{Code: "330101", Name: "x", Parent: "330100"}), nil, `"330100", is not in the table`},
		"circle":          {append(base.Regions(), Region{Code: "330101", Name: "x", Parent: "330102"}, Region{Code: "330102", Name: "y", Parent: "330101"}), nil, "in a circle"},
		"without nation":  {[]Region{{Code: "320000", Name: "江苏省", Parent: "000000"}}, nil, "not in the table"},
		"parent is empty": {append(base.Regions(), Region{Code: "330101", Name: "x"}), nil, "not in the table"},
	} {
		if _, err := NewSet(c.regions, c.policies...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOverlap(t *testing.T) {
	e := func(from standards.Date, end End, until standards.Date) Effective {
		return Effective{From: from, End: end, Until: until, StatedThrough: until}
	}
	for _, c := range []struct {
		a, b Effective
		want bool
	}{
		{e("2025-01-01", EndKnown, "2025-12-31"), e("2026-01-01", EndOpen, ""), false},
		{e("2025-01-01", EndKnown, "2026-01-01"), e("2026-01-01", EndOpen, ""), true},
		{e("2025-01-01", EndOpen, ""), e("2026-01-01", EndOpen, ""), true},
		{e("2025-01-01", EndUnknown, "2025-12-31"), e("2025-06-01", EndOpen, ""), false},
		{e("2025-01-01", EndUnknown, "2025-12-31"), e("2025-01-01", EndUnknown, "2025-12-31"), true},
	} {
		if overlap(c.a, c.b) != c.want || overlap(c.b, c.a) != c.want {
			t.Errorf("%+v and %+v: want %v", c.a, c.b, c.want)
		}
	}
}

func TestALaterPolicyReplacesOneWithoutKnownEnd(t *testing.T) {
	s := mustTwo(t)
	next := mustKunshan(t)
	next.ID, next.Effective.From, next.Effective.StatedThrough = "kunshan-next", "2023-01-01", "2023-12-31"
	s, err := NewSet(s.Regions(), append(s.Policies(), next)...)
	if err != nil {
		t.Fatal(err)
	}
	for on, want := range map[standards.Date]string{"2022-12-31": "kunshan-2020-67", "2023-01-01": "kunshan-next"} {
		if p, err := s.Select(Query{Region: "320583", Fund: FundSkillUplift, Received: on}); err != nil || p.ID != want {
			t.Errorf("%s: %s, %v", on, p.ID, err)
		}
	}
}

func TestParseRegionsIsStrict(t *testing.T) {
	for src, says := range map[string]string{
		"regions:\n  - {code: 320000, name: 江苏省, parent: \"000000\", x: y}": "f:2: $.regions[0].x: no such key",
		"regions:\n  - {code: 32, name: 江苏省, parent: none}":                 "6-digit",
		"regions: []": "at least one",
		"":            "exactly one YAML document",
		"policies: x": "no such key",
	} {
		if _, err := ParseRegions("f", []byte(src)); err == nil || !strings.Contains(err.Error()+fail.Of(err).Text, says) {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestSelectByDateOfIssue(t *testing.T) {
	p := mustPolicy(t, "sample-2026")
	p.DecidedBy = ByIssue
	s, err := NewSet(mustEmbedded(t).Regions(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		received, issued standards.Date
		found            bool
	}{
		{"2026-03-05", "2025-12-31", false}, {"2026-03-05", "2026-01-01", true}, {"2026-03-05", "", true}, {"2025-12-31", "", false},
	} {
		if _, err := s.Select(Query{Region: Nation, Fund: FundSkillUplift, Received: c.received, Issued: c.issued}); (err == nil) != c.found {
			t.Errorf("%+v: %v", c, err)
		}
	}
	p.DecidedBy = ByReceipt
	if s, err = NewSet(mustEmbedded(t).Regions(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Select(Query{Region: Nation, Fund: FundSkillUplift, Received: "2026-03-05", Issued: "2025-12-31"}); err != nil {
		t.Errorf("by receipt: %v", err)
	}
}

func TestOfficialGoesBeforeSample(t *testing.T) {
	for _, id := range []string{"a-official", "z-official"} { // whichever is looked at first
		for _, from := range []standards.Date{"2025-01-01", "2026-02-01"} {
			p := mustPolicy(t, "sample-2026")
			p.ID, p.Sample, p.Effective.From = id, false, from
			s, err := NewSet(mustEmbedded(t).Regions(), mustPolicy(t, "sample-2026"), p)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Select(Query{Region: Nation, Fund: FundSkillUplift, Received: "2026-03-05"}); err != nil || got.ID != id {
				t.Errorf("%s from %s: %s, %v", id, from, got, err)
			}
		}
	}
}

func TestSelectOnTheLastDay(t *testing.T) {
	p := mustFull(t)
	s, err := NewSet(mustEmbedded(t).Regions(), p)
	if err != nil {
		t.Fatal(err)
	}
	for on, found := range map[standards.Date]bool{"2025-12-31": false, "2026-01-01": true, "2026-12-31": true, "2027-01-01": false} {
		_, err := s.Select(Query{Region: "320583", Fund: FundSkillUplift, Received: on})
		if (err == nil) != found {
			t.Errorf("%s: %v", on, err)
		}
		if on > "2026-12-31" && !strings.Contains(err.Error(), "full was in force until 2026-12-31") {
			t.Errorf("%v", err)
		}
	}
}
