package policy

import (
	"strings"
	"testing"
	"testing/fstest"

	"bajigong/internal/fail"
)

// own is a policy of the language's own example, changed; pairs of old and new.
func own(t testing.TB, changes ...string) string {
	t.Helper()
	src := policyFiles(t)["testdata/full2.yaml"]
	for i := 0; i < len(changes); i += 2 {
		if strings.Count(src, changes[i]) == 0 {
			t.Fatalf("nothing of %q", changes[i])
		}
		src = strings.Replace(src, changes[i], changes[i+1], 1)
	}
	return src
}

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, src := range files {
		out[name] = &fstest.MapFile{Data: []byte(src)}
	}
	return out
}

// lineOf is the line of a text in a file.
func lineOf(src, text string) int {
	before, _, ok := strings.Cut(src, text)
	if !ok {
		return -1
	}
	return strings.Count(before, "\n") + 1
}

const newRegion = "regions:\n  - {code: \"320585\", name: 太仓市, parent: \"320500\"}\n  - {code: \"320599\", name: 示例区, parent: \"320500\"}\n"

func TestWithOwnPolicies(t *testing.T) {
	base := mustTwo(t)
	if same, err := base.With(folder(nil)); err != nil || same.String() != base.String() {
		t.Fatalf("no folder: %s, %v", same, err)
	}
	region := strings.Replace(newRegion, "  - {code: \"320585\", name: 太仓市, parent: \"320500\"}\n", "", 1)
	there := "regions:\n  - {code: \"320583\", name: 昆山市, parent: \"320500\"}\n" + strings.TrimPrefix(region, "regions:\n")
	s, err := base.With(folder(map[string]string{
		"policies/regions.yaml":  there,
		"policies/district.yaml": own(t, `region: "320500"`, `region: "320599"`, `parent: "320000"`, `parent: "320500"`),
		"policies/notes.txt":     "not a policy", "policies/cases/x.yaml": "not a policy", "policies/.draft.yaml": "not a policy", "course/x.yaml": "not a policy",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Policies()) != len(base.Policies())+1 || len(s.Regions()) != len(base.Regions())+1 {
		t.Errorf("%s beside %s", s, base)
	}
	if p, err := s.Policy("full-two", 0); err != nil || p.Region != "320599" {
		t.Errorf("%s, %v", p, err)
	}
	if _, err := base.Policy("full-two", 0); err == nil {
		t.Error("the set it was made from changed")
	}
	if _, err := base.Chain("320599"); err == nil {
		t.Error("the regions of the set it was made from changed")
	}
}

// Every fault is told of its file and line, and nothing is taken of any file.
func TestOwnPoliciesWithFaults(t *testing.T) {
	good := own(t)
	late := own(t, "id: full-two", "id: full-late")
	moved := own(t, "version: 1", "version: 2", `region: "320500"`, `region: "320583"`, `parent: "320000"`, `parent: "320500"`)
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // file:line code words
	}{
		"version twice": {map[string]string{"policies/a.yaml": good, "policies/b.yaml": good},
			[]string{"policies/b.yaml $.version", "version_twice", "also in policies/a.yaml"}},
		"version of the program": {map[string]string{"policies/a.yaml": policyFiles(t)["policies/sample-2026.yaml"]},
			[]string{"policies/a.yaml $.version", "version_twice", "sample-2026 v1 is there already"}},
		"unknown region": {map[string]string{"policies/a.yaml": own(t, `region: "320500"`, `region: "320599"`, `parent: "320000"`, `parent: "320500"`)},
			[]string{"policies/a.yaml $.region", "region_unknown", "320599 is not in the table"}},
		"wrong parent":   {map[string]string{"policies/a.yaml": own(t, `parent: "320000"`, `parent: "000000"`)}, []string{"policies/a.yaml $.parent", "parent", `is "320000"`}},
		"overlap":        {map[string]string{"policies/a.yaml": good, "policies/late.yaml": late}, []string{"$.effective", "overlap", "full-late v1 and full-two v1 overlap"}},
		"version moved":  {map[string]string{"policies/a.yaml": good, "policies/b.yaml": moved}, []string{"policies/b.yaml $.region", "version_moved", "sample mark differ"}},
		"region changed": {map[string]string{"policies/regions.yaml": "regions:\n  - {code: \"320583\", name: 昆山, parent: \"320000\"}\n"}, []string{"policies/regions.yaml $.regions[0]", "region_differs", "昆山市 under 320500"}},
		"region twice": {map[string]string{"policies/regions.yaml": newRegion + "  - {code: \"320599\", name: 示例区, parent: \"320500\"}\n"},
			[]string{"policies/regions.yaml $.regions[2]", "region_twice", "stands twice"}},
		"region of nowhere": {map[string]string{"policies/regions.yaml": "regions:\n  - {code: \"320599\", name: 示例区, parent: \"320598\"}\n"},
			[]string{"policies/regions.yaml $.regions[0]", "region_chain", `"320598", is not in the table`}},
		"not a policy": {map[string]string{"policies/a.yaml": "id: [", "policies/b.yaml": "language: 2\nid: x\n"}, []string{"policies/a.yaml", "policies/b.yaml $", "lacks the key version"}},
	} {
		base := mustTwo(t)
		s, err := base.With(folder(c.files))
		e := fail.Of(err)
		if err == nil || e.Code != "policy_own" || e.Kind != fail.Invalid || s.String() != (Set{}).String() {
			t.Errorf("%s: %s, %v", name, s, err)
			continue
		}
		var all strings.Builder
		for _, f := range e.Fields {
			all.WriteString(strings.Join([]string{f.Name, f.Code, f.ZH, f.EN}, " ") + "\n")
			if f.Row == 0 || f.ZH == "" || f.EN == "" {
				t.Errorf("%s: %+v has no line or text", name, f)
			}
		}
		for _, want := range c.want {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%s: nothing of %q in\n%s", name, want, &all)
			}
		}
	}
	yml := folder(map[string]string{"policies/a.yml": good})
	if _, err := mustTwo(t).With(yml); fail.CodeOf(err) != "policy_file_name" || !strings.Contains(err.Error(), "policies/a.yml") {
		t.Errorf("a.yml: %v", err)
	}
}

// Layers: the fault is told of the lower policy; where that comes with the
// program, of the bounds of the own one above it.
func TestOwnPoliciesInLayers(t *testing.T) {
	lower := own(t)
	src := lower
	at := strings.Index(src, "  - {id: bound_senior")
	line := src[at : at+strings.Index(src[at:], "\n")]
	above := own(t, line, "  - {id: the_bound, clause: 上一, zh: 约束, en: a bound, field: amounts.senior, may: at_most, value: 1}",
		"id: full-two", "id: above", `region: "320500"`, `region: "320000"`, `parent: "320000"`, `parent: "000000"`, "framework: no", "framework: yes")
	base := mustTwo(t)
	_, faults := base.Join(File{"low.yaml", []byte(lower)}, File{"high.yaml", []byte(above)})
	if len(faults) != 2 || faults[1].Field != "$.bounds" || faults[0].File != "low.yaml" || faults[0].Field != "$.amounts" || faults[0].Line != lineOf(lower, "amounts:") || faults[0].Code != "bound" {
		t.Errorf("both own: %+v", faults)
	}
	withLower, faults := base.Join(File{"low.yaml", []byte(lower)})
	if faults != nil {
		t.Fatal(faults)
	}
	_, faults = withLower.Join(File{"high.yaml", []byte(above)})
	if len(faults) != 2 || faults[0].File != "high.yaml" || faults[0].Field != "$.bounds" || !strings.Contains(faults[0].EN, "policy full-two v1: amounts.senior") {
		t.Errorf("the upper is own: %+v", faults)
	}
	under := own(t, "\nunder: none", "\nunder: [{policy: nowhere-1}]")
	if _, faults = base.Join(File{"low.yaml", []byte(under)}); len(faults) != 1 || faults[0].Code != "under" || faults[0].Line != lineOf(under, "\nunder:")+1 {
		t.Errorf("under: %+v", faults)
	}
}

// Nothing that a file says makes reading it panic, and a set is only made whole.
func FuzzJoin(f *testing.F) {
	base, err := Embedded()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(newRegion), []byte("regions: x"))
	f.Add([]byte("regions: []"), []byte(own(f)))
	f.Add([]byte(newRegion), []byte(own(f, `region: "320500"`, `region: "320599"`)))
	f.Fuzz(func(t *testing.T, regions, policy []byte) {
		s, faults := base.Join(File{"regions.yaml", regions}, File{"a.yaml", policy})
		if len(faults) > 0 && len(s.Policies()) > 0 {
			t.Error("half loaded")
		}
		if len(faults) == 0 && len(s.Policies()) <= len(base.Policies()) {
			t.Error("no fault and no policy")
		}
		for _, x := range faults {
			if x.File == "" || x.ZH == "" || x.EN == "" || x.Code == "" {
				t.Errorf("%+v", x)
			}
		}
	})
}

// Choices tell of the same policy as Select, and why of every other.
func TestChoices(t *testing.T) {
	s := mustEmbedded(t)
	for _, q := range []Query{
		{Region: "320583", Fund: FundSkillUplift, Received: "2020-09-01"}, {Region: "320583", Fund: FundSkillUplift, Received: "2026-03-05"},
		{Region: "320500", Fund: FundSkillUplift, Received: "2026-03-05"}, {Region: "320583", Fund: FundPreJob, Received: "2021-01-01", Subject: ForPreJob},
		{Region: "320583", Fund: FundPreJob, Received: "2021-01-01"}, {Region: Nation, Fund: FundSkillUplift, Received: "2001-01-01"},
	} {
		want, err := s.Select(q)
		choices, failed := s.Choices(q)
		if failed != nil {
			t.Errorf("%+v: %v", q, failed)
		}
		var decides []string
		for _, c := range choices {
			if c.Decides {
				decides = append(decides, c.Policy.String())
			}
			if c.Decides == (c.Why != Text{}) || !c.Decides && (c.Why.ZH == "" || c.Why.EN == "") {
				t.Errorf("%+v: %s %+v", q, c.Policy, c.Why)
			}
		}
		if err == nil && (len(decides) != 1 || decides[0] != want.String()) || err != nil && decides != nil {
			t.Errorf("%+v: %v; Select has %s, %v", q, decides, want, err)
		}
	}
	choices, err := s.Choices(Query{Region: "320583", Fund: FundSkillUplift, Received: "2020-09-01"})
	var why []string
	for _, c := range choices {
		why = append(why, c.Policy.String()+": "+c.Why.EN)
	}
	all := strings.Join(why, "\n")
	for _, want := range []string{"kunshan-2020-67 v1: version 2 has taken its place", "jiangsu-2018-76-uplift v1: the nearer region 320583 has kunshan-2020-67", "cn-2025-18-uplift v1: cn-2025-18-uplift is in force from"} {
		if err != nil || !strings.Contains(all, want) {
			t.Errorf("nothing of %q in\n%s (%v)", want, all, err)
		}
	}
	for _, q := range []Query{{Region: "999999", Fund: FundSkillUplift, Received: "2020-09-01"}, {Region: "320583", Fund: "x", Received: "2020-09-01"}} {
		if _, err := s.Choices(q); err == nil {
			t.Errorf("%+v has choices", q)
		}
	}
}
