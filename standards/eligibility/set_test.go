package eligibility_test

import (
	"slices"
	"strings"
	"testing"

	"bajigong/internal/rulefile"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

func embedded(t testing.TB) eligibility.Set {
	t.Helper()
	set, err := eligibility.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func rulesOn(t testing.TB, region, occupation string, date standards.Date) eligibility.Rules {
	t.Helper()
	r, ok := embedded(t).On(region, occupation, date)
	if !ok {
		t.Fatalf("no rules for %s in %s on %s", occupation, region, date)
	}
	return r
}

func keys(r eligibility.Rules) string {
	var out []string
	for _, c := range r.Conditions {
		out = append(out, c.Key)
	}
	return strings.Join(out, " ")
}

// The nineteen conditions of 国家职业标准编制技术规程（2023年版）, 人社厅发〔2023〕31号.
const nineteen = "5A 5B 4A 4B 4C 3A 3B 3C 3D 3E 3F 2A 2B 2C 2D 2E 1A 1B 1C"

func TestEmbedded(t *testing.T) {
	r := rulesOn(t, "320583", electrician, "2026-03-02")
	if got := keys(r); got != nineteen {
		t.Errorf("conditions of 2023: %s", got)
	}
	for _, f := range embedded(t).All() {
		for _, c := range f.Conditions {
			if c.Source == "" && c.Sample == "" && f.Source == "" && f.Sample == "" {
				t.Errorf("%s %s has neither source nor sample", f.ID, c.Key)
			}
		}
		// What is not the rule of 2023 or the document of Jiangsu says that it is a sample.
		if confirmed := f.ID == "conditions-2023" || f.ID == "waivers-jiangsu-2018"; confirmed == (f.Sample != "") {
			t.Errorf("%s: sample is %q", f.ID, f.Sample)
		}
		for _, w := range f.Waivers {
			if w.Sample == "" {
				t.Errorf("%s: what a basis waives is not in the document and must be a sample", f.ID)
			}
		}
	}
}

// The version in force on the date of registration counts, and a standard's own
// conditions before the default, old or new.
func TestRulesInForce(t *testing.T) {
	for _, c := range []struct {
		occupation     string
		date           standards.Date
		version, first string
	}{
		{electrician, "2022-12-31", "国家职业技能标准编制技术规程（2018年版）（样例）", "5A 5B 4A 4B 4C 4D"},
		{electrician, "2023-01-01", "国家职业标准编制技术规程（2023年版）", "5A 5B 4A 4B 4C 3A"},
		{"4-04-05-05", "2021-10-31", "国家职业技能标准编制技术规程（2018年版）（样例）", "5A"},
		{"4-04-05-05", "2026-03-02", "人工智能训练师国家职业技能标准（2021年版）（样例）", "5A"},
	} {
		r := rulesOn(t, "320583", c.occupation, c.date)
		if r.Version != c.version || !strings.HasPrefix(keys(r), c.first) {
			t.Errorf("%s on %s: %s, %s", c.occupation, c.date, r.Version, keys(r))
		}
	}
	if _, ok := embedded(t).On("320583", electrician, "2017-12-31"); ok {
		t.Error("there are rules before the first file")
	}
	// 四级 after a 五级 certificate: 3 years by the rule of 2023, 4 by the sample of
	// 2018, 3 by that of the artificial intelligence trainer of 2021.
	record := eligibility.Record{Birth: "1990-01-01", Work: work("2020-03-01", ""), Certificates: cert(standards.Junior, "2020-03-01")}
	for _, c := range []struct {
		occupation, date, key string
	}{
		{electrician, "2023-03-01", "4B"}, {electrician, "2022-12-31", ""},
	} {
		r := rulesOn(t, "000000", c.occupation, standards.Date(c.date))
		got := eligibility.Evaluate(r, record, eligibility.Question{Level: standards.Intermediate, On: standards.Date(c.date)}).Keys()
		if strings.Join(got, " ") != c.key {
			t.Errorf("%s on %s: %v, want %q", c.occupation, c.date, got, c.key)
		}
	}
}

// 学徒期满 of the sample of 2018, and of the standard of the artificial
// intelligence trainer (2021 年版 1.9.1: 累计 1 年（含）以上, or 学徒期满).
func TestApprenticeship(t *testing.T) {
	rules := rulesOn(t, "000000", "4-04-05-05", "2026-03-02")
	for _, c := range []struct {
		what   string
		record eligibility.Record
		keys   string
	}{
		{"ends today", eligibility.Record{Apprentice: []eligibility.Apprenticeship{{Completed: "2026-03-02", Occupation: "4-04-05-05", Evidence: "a1"}}}, "5B"},
		{"ends tomorrow", eligibility.Record{Apprentice: []eligibility.Apprenticeship{{Completed: "2026-03-03", Occupation: "4-04-05-05", Evidence: "a1"}}}, ""},
		{"in another occupation", eligibility.Record{Apprentice: []eligibility.Apprenticeship{{Completed: "2026-03-02", Occupation: "4-03-02-01", Evidence: "a1"}}}, ""},
		{"a year of work to the day", eligibility.Record{Work: []eligibility.Work{{From: "2025-03-02", Occupation: "4-04-05-05", Kind: eligibility.Contract, Evidence: "w1"}}}, "5A"},
		{"a day short of a year", eligibility.Record{Work: []eligibility.Work{{From: "2025-03-03", Occupation: "4-04-05-05", Kind: eligibility.Contract, Evidence: "w1"}}}, ""},
	} {
		result := eligibility.Evaluate(rules, c.record, eligibility.Question{Level: standards.Junior, On: "2026-03-02"})
		if got := strings.Join(result.Keys(), " "); got != c.keys {
			t.Errorf("%s: %q, want %q; %v", c.what, got, c.keys, result.Unsatisfied)
		}
	}
}

func TestNearestFile(t *testing.T) {
	parse := func(head, rest string) eligibility.File {
		t.Helper()
		f, err := rulefile.Parse[eligibility.File]("x.yaml", []byte(head+"\nname: {zh: 例, en: Example}\nsample: a test\n"+rest))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	one := "version: V\nconditions:\n  - {key: 5A, level: junior, zh: 例, en: Example, needs: [{min_age: 16}]}\n"
	js := parse("id: js\nregion: \"320000\"\nfrom: 2024-01-01", one)
	own := parse("id: own\nregion: \"000000\"\nfrom: 2024-01-01", "occupations: [6-31-01-03]\n"+one)
	set, err := embedded(t).With(js, own)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		region, occupation, date, file string
	}{
		{"320583", "6-18-01-01", "2024-01-01", "js"},              // the province's default before the nation's
		{"330100", "6-18-01-01", "2024-01-01", "conditions-2023"}, // elsewhere not
		{"320583", "6-31-01-03", "2024-01-01", "own"},             // a standard of its own before every default
		{"320583", "6-31-01-03", "2023-12-31", "conditions-2023"},
	} {
		if r, ok := set.On(c.region, c.occupation, standards.Date(c.date)); !ok || !slices.Contains(r.Files, c.file) {
			t.Errorf("%s in %s on %s: files %v, want %s", c.occupation, c.region, c.date, r.Files, c.file)
		}
	}
	// Two standards of different occupations may begin on one day; two of one may not.
	other := parse("id: other\nregion: \"000000\"\nfrom: 2024-01-01", "occupations: [6-18-01-01]\n"+one)
	if set, err = set.With(other); err != nil {
		t.Error(err)
	}
	again := parse("id: again\nregion: \"000000\"\nfrom: 2024-01-01", "occupations: [6-18-01-01]\n"+one)
	if _, err = set.With(again); err == nil || !strings.Contains(err.Error(), "conditions of 6-18-01-01") {
		t.Errorf("two files for one occupation and day: %v", err)
	}
}

func TestFileProblems(t *testing.T) {
	const head = "id: a\nregion: \"000000\"\nfrom: 2024-01-01\nname: {zh: 例, en: Example}\nsample: a test\n"
	condition := func(needs string) string {
		return head + "version: V\nconditions:\n  - {key: 4A, level: intermediate, zh: 例, en: Example, needs: [" + needs + "]}\n"
	}
	for say, src := range map[string]string{
		"no conditions, related":       head,
		"exactly one member":           condition("{min_age: 16, works: true}"),
		"has no needs":                 condition(""),
		"years are 0 to":               condition("{work_years_total: 61}"),
		"scope is own":                 condition("{certificate: {level: junior, scope: any}}"),
		"a certificate's level":        condition("{certificate: {level: chief_technician, scope: own}}"),
		"rank is":                      condition("{title: {rank: chief}}"),
		"school x is not known":        condition("{diploma: {words: {zh: 例, en: e}, schools: [x], field: any}}"),
		"words has zh and en":          condition("{diploma: {schools: [university], field: any}}"),
		"student has classes":          condition("{student: {words: {zh: 例, en: e}, schools: [university], classes: []}}"),
		"unknown field":                condition("{age: 16}"),
		"the level's digit":            strings.Replace(condition("{min_age: 16}"), "key: 4A", "key: 5A", 1),
		"conditions need a version":    strings.Replace(condition("{min_age: 16}"), "version: V\n", "", 1),
		"waivers.basis":                head + "waivers: [{basis: normal, levels: [technician], waives: [years]}]\n",
		"waives is years":              head + "waivers: [{basis: exceptional, levels: [technician], waives: [age]}]\n",
		"not related to itself":        head + "related: [{occupation: 6-31-01-03, codes: [6-31-01-03]}]\n",
		"an occupation code":           head + "related: [{occupation: 电工, codes: [6-31-01-03]}]\n",
		"final_year.months is 1 to 24": condition("{min_age: 16}") + "final_year: {months: 25}\n",
	} {
		if _, err := rulefile.Parse[eligibility.File]("a.yaml", []byte(src)); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v", say, err)
		}
	}
	if _, err := rulefile.Parse[eligibility.File]("a.yaml", []byte(condition("{min_age: 16}"))); err != nil {
		t.Error(err)
	}
}

// A code is judged by a list that has a source; a sample adds and keeps none out.
func TestScope(t *testing.T) {
	sample := eligibility.Rules{Occupation: electrician, Related: []string{"6-31-01-01"}}
	listed := sample
	listed.Listed = true
	for _, c := range []struct {
		rules      eligibility.Rules
		occupation string
		marked     bool
		want       eligibility.Scope
	}{
		{listed, electrician, false, eligibility.Own},
		{listed, "6-31-01-01", false, eligibility.OwnOrRelated},
		{listed, "6-31-01-02", true, ""},                 // a code that the list has not
		{listed, "电气安装", true, eligibility.OwnOrRelated}, // no code: the reviewer decides
		{listed, "电气安装", false, ""},
		{sample, "6-31-01-01", false, eligibility.OwnOrRelated},
		{sample, "6-31-01-02", true, eligibility.OwnOrRelated},
		{sample, "6-31-01-02", false, ""},
	} {
		got, ok := c.rules.Scope(c.occupation, c.marked)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("listed %t: %s marked %t is %q %t, want %q", c.rules.Listed, c.occupation, c.marked, got, ok, c.want)
		}
	}
}
