package figures_test

import (
	"encoding/csv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators/figures"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		text                         string
		from, until                  standards.Date
		months                       int
		before, chinese, first, last string
	}{
		{"2026", "2026-01-01", "2026-12-31", 12, "2025", "2026年", "2026-01", "2026-12"},
		{"2026Q1", "2026-01-01", "2026-03-31", 3, "2025Q1", "2026年第1季度", "2026-01", "2026-03"},
		{"2026Q4", "2026-10-01", "2026-12-31", 3, "2025Q4", "2026年第4季度", "2026-10", "2026-12"},
		{"2024-02", "2024-02-01", "2024-02-29", 1, "2023-02", "2024年2月", "2024-02", "2024-02"},
		{"2025-12", "2025-12-01", "2025-12-31", 1, "2024-12", "2025年12月", "2025-12", "2025-12"},
	} {
		p, err := figures.ParsePeriod(c.text)
		if err != nil || p.From() != c.from || p.Until() != c.until || string(p.Before()) != c.before || p.Chinese() != c.chinese {
			t.Errorf("%s: %s %s %s %s %v", c.text, p.From(), p.Until(), p.Before(), p.Chinese(), err)
		}
		if m := p.Months(); len(m) != c.months || string(m[0]) != c.first || string(m[len(m)-1]) != c.last {
			t.Errorf("%s: months %v", c.text, m)
		}
	}
	for _, bad := range []string{"", "20", "026", "2026Q0", "2026Q5", "2026-00", "2026-13", "2026-1", "2026q1", "2026-03-01", "0000", "1948", "9999", "2200", "２０２６", "2026 ", "+026"} {
		if p, err := figures.ParsePeriod(bad); err == nil {
			t.Errorf("%q is read as %q", bad, p)
		}
	}
	if m := figures.MonthOf("2026-03-31"); m != "2026-03" {
		t.Errorf("month %q", m)
	}
	if m := figures.MonthOf("2026-02-30"); m != "" {
		t.Errorf("a day that does not exist has the month %q", m)
	}
}

func FuzzPeriod(f *testing.F) {
	for _, s := range []string{"2026", "2026Q1", "2026-03", "", "2026-13", "2199Q4", "2200"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := figures.ParsePeriod(s)
		if err != nil {
			return
		}
		if string(p) != s || !p.From().Valid() || !p.Until().Valid() || p.From() > p.Until() || figures.MonthOf(p.From()) != p.Months()[0] {
			t.Errorf("%q: %q from %s until %s", s, p, p.From(), p.Until())
		}
		if m := p.Months(); figures.MonthOf(p.Until()) != m[len(m)-1] {
			t.Errorf("%q ends in %s and has the months %v", s, p.Until(), m)
		}
	})
}

// 高技能人才 are 高级工 and above: 中办发〔2022〕58号.
func TestHigh(t *testing.T) {
	want := map[standards.Level]bool{standards.Apprentice: false, standards.Junior: false, standards.Intermediate: false, standards.Senior: true,
		standards.Technician: true, standards.SeniorTechnician: true, standards.SpecialTechnician: true, standards.ChiefTechnician: true}
	for _, l := range standards.Levels() {
		if figures.High(l) != want[l] {
			t.Errorf("%s: %t", l, figures.High(l))
		}
	}
}

// In whatever order and in whatever pages facts are counted, every sum has the
// certificates in it and the distinct persons in it.
func TestTallyIsExactInAnyOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	type one struct {
		person string
		fact   figures.Fact
	}
	for range 40 {
		var all []one
		for range 60 {
			all = append(all, one{pick("a", "b", "c", "d", "e"), figures.Fact{Month: figures.Period(pick("2026-01", "2026-02", "2026-07", "2025-12")), Origin: pick("here", "elsewhere"),
				Region: pick("320583", "320505", "320106", "320500", "330100"), Class: pick("S", "Y", ""), Level: []standards.Level{2, 4, 5}[rnd.IntN(3)],
				Occupation: pick("6-31-01-03", "4-10-01-05"), Group: pick("", "migrant"), Mode: pick("exam", "conversion")}})
		}
		had := map[string][]figures.Fact{}
		got := map[figures.Sum]figures.Count{}
		for start := 0; start < len(all); {
			end := min(len(all), start+1+rnd.IntN(20))
			tally := figures.NewTally()
			for _, o := range all[start:end] {
				key := o.person + string(o.fact.Month[:4])
				had[key] = tally.Issue(o.fact, had[key])
			}
			for s, c := range tally.Sums() {
				got[s] = got[s].Plus(c)
			}
			start = end
		}
		issued, people := map[figures.Sum]uint64{}, map[figures.Sum]map[string]bool{}
		for _, o := range all {
			for _, s := range o.fact.Sums() {
				issued[s]++
				if people[s] == nil {
					people[s] = map[string]bool{}
				}
				people[s][o.person] = true
			}
		}
		if len(got) != len(issued) {
			t.Fatalf("%d sums, want %d", len(got), len(issued))
		}
		for s, c := range got {
			if c.Issued != issued[s] || c.People != uint64(len(people[s])) {
				t.Errorf("%+v: %+v, want %d and %d", s, c, issued[s], len(people[s]))
			}
		}
	}
}

func TestSumsOfOneFact(t *testing.T) {
	f := figures.Fact{Month: "2026-03", Origin: "here", Region: "320583", Class: "S", Level: standards.Senior, Occupation: "6-31-01-03", Mode: "exam"}
	sums := f.Sums()
	if len(sums) != 132 {
		t.Errorf("%d sums, the documentation says at most 132", len(sums))
	}
	seen := map[figures.Sum]bool{}
	for _, s := range sums {
		if seen[s] {
			t.Errorf("%+v is there twice", s)
		}
		seen[s] = true
	}
	for _, s := range []figures.Sum{
		{By: figures.Total, Period: "2026", Origin: "here", Region: "000000", Rank: figures.All},
		{By: figures.Total, Period: "2026Q1", Origin: "here", Region: "320000", Rank: figures.HighRank},
		{By: figures.Occupation, Period: "2026-03", Origin: "here", Region: "320500", Value: "6-31-01-03", Rank: "senior"},
		{By: figures.Group, Period: "2026", Origin: "here", Region: "320583", Value: "", Rank: figures.All},
	} {
		if !seen[s] {
			t.Errorf("%+v is not there", s)
		}
	}
}

// Everything in the rule files has a source or says that it is a sample, and the
// figures of the source are the source's.
func TestRuleFiles(t *testing.T) {
	fields, err := figures.EmbeddedFields()
	if err != nil {
		t.Fatal(err)
	}
	jiangsu, ok := fields.On("320583", "2026-03-31")
	if !ok || jiangsu.Sample == "" {
		t.Fatalf("which occupation is in which field is no sample: %+v", jiangsu.Head)
	}
	// 六大领域: 江苏省2025—2027年行动方案 一.
	var names []string
	for _, f := range jiangsu.Fields {
		names = append(names, f.Name.ZH)
		if f.Source == "" {
			t.Errorf("%s has no source", f.Code)
		}
	}
	if want := []string{"先进制造业", "数字经济", "低空经济", "交通运输", "农业农村", "生活服务"}; !slices.Equal(names, want) {
		t.Errorf("fields %v, want %v", names, want)
	}
	for _, m := range jiangsu.Occupations {
		if m.Sample == "" && m.Source == "" {
			t.Errorf("%s has neither source nor sample", m.Prefix)
		}
	}
	for code, want := range map[string]string{"6-31-01-03": "manufacturing", "6-31-07-01": "digital", "4-10-01-05": "services", "5-01-01-01": "rural", "7-00-00-00": "", "6-310": "", "": ""} {
		if got := jiangsu.Of(code); got != want {
			t.Errorf("%s is in %q, want %q", code, got, want)
		}
	}
	targets, err := figures.EmbeddedTargets()
	if err != nil {
		t.Fatal(err)
	}
	// 江苏省2025—2027年行动方案 一: 证书200万人次以上, 高技能人才50万人次以上.
	got := figures.TargetsOf(targets, "320000", "2026-06-30")
	if len(got) != 2 || got[0].Value != 2_000_000 || got[0].Measure != figures.Certificates || got[1].Value != 500_000 || got[1].Measure != figures.HighSkilled ||
		got[0].From != 2025 || got[0].Until != 2027 || got[0].Source == "" {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct{ region, on string }{{"320500", "2026-06-30"}, {"320000", "2028-01-01"}, {"320000", "2024-12-31"}, {"330000", "2026-06-30"}, {"000000", "2026-06-30"}} {
		if got := figures.TargetsOf(targets, c.region, standards.Date(c.on)); len(got) != 0 {
			t.Errorf("%s on %s has targets %+v", c.region, c.on, got)
		}
	}
}

func TestRuleFilesAreStrict(t *testing.T) {
	head := "id: x\nregion: \"320000\"\nfrom: 2025-01-01\nname: {zh: 例, en: Example}\nsample: a test\n"
	field := "fields:\n  - {code: a, name: {zh: 甲, en: A}, sample: s}\n"
	for name, c := range map[string]struct{ src, say string }{
		"no fields":      {head, "no fields"},
		"unknown field":  {head + field + "occupations:\n  - {prefix: 4-10, field: b, sample: s}\n", "unknown field"},
		"bad prefix":     {head + field + "occupations:\n  - {prefix: 4-1, field: a, sample: s}\n", "must read like"},
		"prefix twice":   {head + field + "occupations:\n  - {prefix: 4-10, field: a, sample: s}\n  - {prefix: 4-10, field: a, sample: s}\n", "twice"},
		"no provenance":  {head + field + "occupations:\n  - {prefix: 4-10, field: a}\n", "either a source or a sample"},
		"bare field":     {head + "fields:\n  - {code: a, name: {zh: 甲, en: A}}\n", "either a source or a sample"},
		"field unnamed":  {head + "fields:\n  - {code: a, sample: s}\n", "zh and en"},
		"field repeated": {head + field + "  - {code: a, name: {zh: 甲, en: A}, sample: s}\n", "twice"},
	} {
		if _, err := rulefile.Parse[figures.Fields](name, []byte(c.src)); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
	target := "code: a, name: {zh: 甲, en: A}, measure: high, from: 2025, until: 2027, value: 5, sample: s"
	for name, c := range map[string]struct{ old, new, say string }{
		"measure": {"measure: high", "measure: people", "measure"}, "years": {"from: 2025", "from: 2028", "years"}, "long": {"from: 2025", "from: 1990", "years"},
		"value": {"value: 5", "value: 0", "positive"}, "provenance": {", sample: s", "", "either a source"}, "name": {"zh: 甲, ", "", "zh and en"},
	} {
		src := head + "targets:\n  - {" + strings.Replace(target, c.old, c.new, 1) + "}\n"
		if _, err := rulefile.Parse[figures.Targets](name, []byte(src)); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCSV(t *testing.T) {
	n := func(v uint64) *uint64 { return &v }
	s := func(v float64) *float64 { return &v }
	rows := []figures.Row{
		{Key: "a", Name: rulefile.Text{ZH: "甲,\"乙\""}, Figures: figures.Figures{Issued: 3, People: n(2), High: 1, HighShare: s(0.3333), Before: &figures.Before{Issued: 6, People: n(6), Change: s(-0.5)},
			Levels: []figures.Level{{Level: standards.Senior, Issued: 1, People: n(1)}}}},
		{Key: "", Name: rulefile.Text{ZH: "=cmd()"}, Figures: figures.Figures{Issued: 1}},
	}
	total := figures.Figures{Issued: 4, People: n(3), Levels: []figures.Level{{Level: standards.Junior, Issued: 3, People: n(2)}, {Level: standards.Senior, Issued: 1, People: n(1)}}}
	got := figures.CSV(figures.ListGroups, rows, total, true)
	if !strings.HasPrefix(string(got), "\uFEFF编码,") || strings.Count(string(got), "\r\n") != 4 || strings.Count(string(got), "\n") != 4 {
		t.Errorf("%q", got)
	}
	table, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(got), "\uFEFF"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{
		{"a", "甲,\"乙\"", "3", "2", "6", "6", "-50.00", "1", "33.33", "0", "0", "0", "0", "0", "1", "1"},
		{"", "'=cmd()", "1", "", "", "", "", "0", "", "0", "0", "0", "0", "", "0", ""},
		{"", "合计", "4", "3", "", "", "", "0", "", "0", "0", "0", "3", "2", "1", "1"},
	} {
		if !slices.Equal(table[i+1], want) {
			t.Errorf("row %d\n%q, want\n%q", i, table[i+1], want)
		}
	}
}
