package policy

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/needed"
	"bajigong/standards"
)

func full(t testing.TB) string {
	t.Helper()
	src, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ old, new, code, says string }{
		{"version: 7", "version: 7\nversoin: 8", "unknown_key", "full.yaml:4: $.versoin: no such key"},
		{"version: 7", "version: 7\nversion: 8", "yaml_syntax", "full.yaml:4: "},
		{"version: 7\n", "", "missing_key", "lacks the key version"},
		{"version: 7", "version: 0", "yaml_number", "full.yaml:3: $.version: must be a whole number from 1 to 9999"},
		{"version: 7", "version: [7]", "yaml_text", "must be a text"},
		{"version: 7", "version:", "yaml_text", "must be a text"},
		{"id: full", "id: Full", "form", "lower-case words"},
		{`region: "320500"`, `region: "32050"`, "yaml_region", "6-digit"},
		{`parent: "320000"`, `parent: "320500"`, "parent", "the region above"},
		{`parent: "320000"`, `parent: none`, "parent", "the region above"},
		{`region: "320500"` + "\nparent: \"320000\"", `region: "000000"` + "\nparent: \"320000\"", "parent", "parent none"},
		{"fund: skill_uplift", "fund: skil_uplift", "yaml_word", "must be one of advanced_study"},
		{"dated: 2026-01-01", "dated: 2026-02-30", "yaml_date", "an existing day"},
		{"sample: true\nnote", "sample: yes\nnote", "yaml_bool", "true or false"},
		{"sample: true\nnote", "sample: false\nnote", "missing_key", "lacks the key quote"},
		{"until: 2026-12-31", "until: 2025-12-31", "dates", "before from"},
		{"until: 2026-12-31", "until: unknown", "missing_key", "stated_through"},
		{"until: 2026-12-31", "until: unknown, stated_through: 2026-06-30", "unexplained", "explain effective.until"},
		{"until: 2026-12-31", "until: open, stated_through: 2026-06-30", "unknown_key", "only goes with"},
		{"decided_by: receipt", "decided_by: payment", "yaml_word", "must be one of receipt, issue"},
		{"fact: insured, ", "fact: scarce_listed, ", "yaml_word", "must be one of"},
		{"fact: insured, ", "fact: pension_eligible, ", "duplicate", "stands twice"},
		{`fact: insured, want: "yes"`, "fact: insured, at_least: 3", "unknown_key", "goes with want"},
		{`want: "yes"`, "want: maybe", "yaml_word", "must be one of yes, no"},
		{"at_least: 12", "at_least: 0", "yaml_number", "from 1 to 999"},
		{"clause: 五, ", "", "missing_key", "lacks the key clause"},
		{"{id: kinds, ", "{id: certificate, ", "duplicate_rule", "already used on line 17"},
		{"{id: kinds, ", "{id: Kinds, ", "form", "underscores"},
		{"allowed: [vocational_qualification, skill_level, special_ability]", "allowed: []", "yaml_list", "at least one member"},
		{"allowed: [vocational_qualification, skill_level, special_ability]", "allowed: [skill_level, skill_level]", "duplicate", "stands twice"},
		{"excluded: [direct_recognition, award]", "excluded: [award], allowed: [exam]", "modes", "one of allowed and excluded"},
		{", excluded: [direct_recognition, award]", "", "modes", "one of allowed and excluded"},
		{"classes: [S]", "classes: [s]", "form", "one capital letter"},
		{"level: senior, yuan", "level: junior, yuan", "duplicate", "the level stands twice"},
		{"level: senior, yuan", "level: 高级工, yuan", "level", "no code of a level"},
		{"yuan: 1000}", "yuan: 1000.005}", "yuan", "at most two decimals"},
		{"yuan: 1000}", "yuan: 0}", "yuan", "must be yuan"},
		{"yuan: 2000.50}", "yuan: 2000.53}", "uplift", "no whole number of fen"},
		{"until: 2026-06-30", "until: 2026-03-30", "dates", "before from"},
		{"code: 6-31-01-03", "code: 6-31-1-3", "form", "an occupation code"},
		{"code: 4-10-01-05", "code: 6-31-01-03", "duplicate", "the occupation stands twice"},
		{"same: [occupation, level, trade]", "same: [level]", "once_same", "must contain occupation"},
		{"same: [occupation, level, trade]", "same: [certificate]", "yaml_word", "must be one of"},
		{"group: uplift, funds: [skill_uplift], same: [occupation, level", "group: uplift, funds: [training], same: [occupation, level", "group_without_own_fund", "own fund skill_uplift"},
		{"funds: [skill_uplift, appraisal]", "funds: [appraisal]", "group_without_own_fund", "own fund"},
		{"same: [certificate]", "same: [occupation]", "yaml_word", "must be one of certificate"},
		{"by: held", "by: seen", "yaml_word", "must be one of paid, held"},
		{"by: held, group: uplift, funds: [skill_uplift], same: [occupation]", "by: held, group: uplift, funds: [skill_uplift], same: [trade]", "same", "must contain occupation"},
		{"max: 2", "max: 0", "yaml_number", "from 1 to 99"},
		{"window: {id: window, clause: 十, zh: 12个月内, en: within twelve months, months: 12}", "window: unknown", "unexplained", "explain window"},
		{"field: decided_by, zh: 未载明, en: not said, taken_as: 受理日期", "field: window, zh: 未载明, en: not said", "explained", "does not say unknown"},
		{"  - {field: decided_by", "  - {field: decided_by, zh: a, en: b}\n  - {field: decided_by", "duplicate", "stands twice"},
		{"id: full", "id: &a full", "yaml_text", "must be a text"},
		{"id: full", "id: !!str full", "yaml_text", "must be a text"},
		{"id: full", "<<: {id: full}", "yaml_key", "a key must be a word"},
		{"id: full", "---\nid: full\n---\na: b", "yaml_documents", "exactly one"},
		{"id: full", "id: {full", "yaml_syntax", "YAML"},
		{"id: full", "id: [[[[[[[[[[[[[[[[[[", "yaml_deep", "nested deeper"},
		{"zh: 全规则", "zh: " + strings.Repeat("全", 601), "yaml_text", "longer than 600"},
	} {
		src := full(t)
		if !strings.Contains(src, c.old) {
			t.Fatalf("the sample has no %q", c.old)
		}
		_, err := Parse("full.yaml", []byte(strings.Replace(src, c.old, c.new, 1)))
		e := fail.Of(err)
		if err == nil || e.Kind != fail.Invalid || len(e.Fields) == 0 {
			t.Errorf("%q → %q: %v", c.old, c.new, err)
			continue
		}
		said, found := e.Text, false
		for _, f := range e.Fields {
			said += "\n" + f.EN
			found = found || f.Code == c.code
			if f.ZH == "" || f.Row == 0 || strings.Contains(f.ZH+f.EN, "%!") {
				t.Errorf("%q: field without text or line: %+v", c.new, f)
			}
		}
		if !found || !strings.Contains(said, c.says) {
			t.Errorf("%q → %q: want %s %q in %s %+v", c.old, c.new, c.code, c.says, said, e.Fields)
		}
	}
}

func TestParseListsAllProblems(t *testing.T) {
	src := strings.NewReplacer("version: 7", "version: x", "by: held", "by: x", "max: 2", "max: x").Replace(full(t))
	e := fail.Of(func() error { _, err := Parse("f.yaml", []byte(src)); return err }())
	if len(e.Fields) != 3 || !strings.Contains(e.Text, "problems in all: 3") || !strings.Contains(e.ZH, "共 3 处") {
		t.Errorf("%s %+v", e.Text, e.Fields)
	}
	if !slices.IsSortedFunc(e.Fields, func(a, b fail.Field) int { return a.Row - b.Row }) {
		t.Errorf("problems are not in the order of lines: %+v", e.Fields)
	}
	if _, err := Parse("f.yaml", make([]byte, maxFile+1)); fail.KindOf(err) != fail.TooLarge {
		t.Errorf("too large: %v", err)
	}
}

// TestEveryLineMatters removes lines of each policy, one at a time: the file must
// then be refused or read as another policy.
func TestEveryLineMatters(t *testing.T) {
	files, err := fs.Glob(embedded, "policies/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		src, err := embedded.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := Parse(file, src)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(src, []byte("\n"))
		for i, line := range lines {
			if s := strings.TrimSpace(string(line)); s == "" || s[0] == '#' || !needed.Tried(i, 3, 30) {
				continue
			}
			p, err := Parse(file, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
			p.Digest, p.Source = whole.Digest, whole.Source
			if err == nil && reflect.DeepEqual(p, whole) {
				t.Errorf("%s:%d can be left out: %s", file, i+1, line)
			}
		}
	}
}

func TestDocCommentExampleParses(t *testing.T) {
	src, err := os.ReadFile("parse.go")
	if err != nil {
		t.Fatal(err)
	}
	var yaml strings.Builder
	for _, line := range strings.Split(string(src), "\n") {
		if s, ok := strings.CutPrefix(line, "//\t"); ok {
			yaml.WriteString(s + "\n")
		}
	}
	if p, err := Parse("example", []byte(yaml.String())); err != nil || p.ID != "example-2026" {
		t.Errorf("%v", err)
	}
}

// sourceText returns the policy text an embedded policy was written from, from
// the directory of shared documents. Outside CI its absence skips the test.
func sourceText(t *testing.T, name string) string {
	t.Helper()
	return string(needed.Shared(t, "../..", "policy/"+name))
}

func TestKunshanAgreesWithItsText(t *testing.T) {
	text := sourceText(t, "kunshan-2020-no67-action-plan.txt")
	p := mustKunshan(t)
	for _, r := range p.Rules() {
		if r.Quote == "" || !strings.Contains(text, r.Quote) {
			t.Errorf("rule %s: the text does not say %q", r.ID, r.Quote)
		}
		if !strings.HasPrefix(r.Clause, p.Document.Number+" ") {
			t.Errorf("rule %s: clause %q names another document", r.ID, r.Clause)
		}
	}
	for _, s := range []string{p.Document.Number, p.Document.Title, p.Document.Issuer, p.Document.Dated.Chinese()} {
		if !strings.Contains(strings.ReplaceAll(text, "昆山市职业技能\n提升行动实施方案", "昆山市职业技能提升行动实施方案"), s) {
			t.Errorf("the text does not say %q", s)
		}
	}
	// The amounts, from the text's own sentence.
	sentence := regexp.MustCompile(`参保职工技能提升补贴。补贴标准为([^。]*)。`).FindStringSubmatch(text)
	if sentence == nil {
		t.Fatal("the sentence of the amounts is not there")
	}
	got := map[string]Fen{}
	for _, m := range regexp.MustCompile(`([^、\d]+)(\d+)元`).FindAllStringSubmatch(sentence[1], -1) {
		got[m[1]], _ = ParseFen(m[2])
	}
	want := map[string]Fen{}
	for _, l := range p.Amounts.Levels {
		want[l.Level.Name()] = l.Fen
	}
	if len(got) != 5 || !reflect.DeepEqual(got, want) {
		t.Errorf("text %v, policy %v", got, want)
	}
	for re, n := range map[string]int{`对应等级补贴标准基础上提高(\d+)%`: p.Scarce.Percent, `每人每年可享受不超过(\d+)次`: p.Frequency.Max} {
		m := regexp.MustCompile(re).FindStringSubmatch(text)
		if m == nil || m[1] != fmt.Sprint(n) {
			t.Errorf("%s: text %v, policy %d", re, m, n)
		}
	}
	// The sample is labelled to have the same figures.
	s := mustPolicy(t, "sample-2026")
	if !reflect.DeepEqual(s.Amounts.Levels, p.Amounts.Levels) || s.Scarce.Percent != p.Scarce.Percent || s.Frequency.Max != p.Frequency.Max ||
		!reflect.DeepEqual(s.Once.Same, p.Once.Same) {
		t.Error("the sample's figures are not those of Kunshan 2020")
	}
}

func TestWhatTheTextsDoNotSayStaysUnknown(t *testing.T) {
	p := mustKunshan(t)
	if p.Effective.End != EndUnknown || p.Effective.StatedThrough != "2021-12-31" || p.Window != nil || p.Higher != nil || p.Refund != nil ||
		p.Scarce.List != nil || p.Modes != nil || !p.Frequency.InPrinciple || p.Sample {
		t.Errorf("%+v", p)
	}
	s := mustPolicy(t, "sample-2026")
	if !s.Sample || !s.Scarce.List.Sample || s.Effective.End != EndOpen || s.Effective.From != "2026-01-01" || !strings.Contains(s.Note.EN, "figures of Kunshan 2020") {
		t.Errorf("the sample must say that it is one: %+v", s)
	}
}

// TestScarceOccupationsExist holds the sample list to the classification.
func TestScarceOccupationsExist(t *testing.T) {
	csv := sourceText(t, filepath.Join("..", "data", "occupations-2022.csv"))
	for _, e := range mustPolicy(t, "sample-2026").Scarce.List.Entries {
		if !strings.Contains(csv, "\n"+e.Occupation+","+e.Name+",") {
			t.Errorf("%s %s is not in the classification", e.Occupation, e.Name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full(f)))
	for _, file := range []string{"policies/kunshan-2020-67.yaml", "policies/sample-2026.yaml", "regions.yaml"} {
		src, err := embedded.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, file := range []string{"testdata/full2.yaml", "testdata/work2.yaml"} {
		f.Add([]byte(policyFiles(f)[file]))
	}
	f.Add([]byte("? [a]\n: - {b: |\n  c}"))
	f.Add([]byte("a: &x [*x]"))
	regions := []Region{{Code: Nation, Name: "全国"}}
	f.Fuzz(func(t *testing.T, src []byte) {
		if r, err := ParseRegions("f", src); err == nil {
			if _, err := NewSet(r); err != nil && fail.KindOf(err) != fail.Invalid && fail.KindOf(err) != fail.NotFound {
				t.Errorf("regions: %v", err)
			}
		}
		p, err := Parse("f", src)
		if err != nil {
			if k := fail.KindOf(err); k != fail.Invalid && k != fail.TooLarge || fail.Of(err).ZH == "" {
				t.Errorf("%v", err)
			}
			return
		}
		p.Region, p.Parent, p.Under = Nation, "", nil
		for _, l := range []Language{Chinese, English} {
			if len(p.Explain(l)) < len(p.Rules()) {
				t.Errorf("%d rules, explained %+v", len(p.Rules()), p.Explain(l))
			}
		}
		s, err := NewSet(regions, p)
		if err != nil {
			t.Fatal(err)
		}
		q := Query{Region: Nation, Fund: p.Fund, Received: p.Effective.From, Subject: p.SubjectOf()}
		if _, err := s.Select(q); (err != nil) != p.Framework {
			t.Errorf("not in force on its first day: %v", err)
		}
		for _, l := range standards.Levels() {
			for _, in := range []Input{goodInput(), badInput(), twoInput(), workInput(), {}} {
				in.Certificate.Level = l
				d := p.Evaluate(in)
				if (d.Outcome == Allow) != (len(d.Failing)+len(d.Missing) == 0) || d.Amount < 0 || d.Outcome == Allow && d.Amount == 0 {
					t.Errorf("%+v", d)
				}
			}
		}
	})
}
