package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"bajigong/internal/needed"
)

// bare is a policy without what is no rule: names, sentences, clauses, quotes.
func bare(p Policy) Policy {
	p.ID, p.Version, p.Parent, p.Name, p.Note, p.Digest, p.Unknown, p.Under, p.Document = "", 0, "", Text{}, Text{}, "", nil, nil, Document{Number: p.Document.Number}
	p.Source = nil
	b, _ := json.Marshal(p)
	var out Policy
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			if r, ok := v.Addr().Interface().(*Rule); ok {
				*r = Rule{ID: r.ID}
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(&out).Elem())
	return out
}

// TestDiffSeesEveryChange changes one place of the files of every rule at a time:
// where Parse reads another rule, Diff says that something differs, and where it
// does not, that nothing does.
func TestDiffSeesEveryChange(t *testing.T) {
	seen := 0
	for _, name := range []string{"testdata/full.yaml", "testdata/full2.yaml", "testdata/work2.yaml"} {
		all := mutants(t, policyFiles(t)[name])
		whole, err := Parse(name, []byte(all[""]))
		if err != nil {
			t.Fatal(err)
		}
		if d := Diff(whole, whole); len(d) != 0 {
			t.Errorf("%s differs from itself: %+v", name, d)
		}
		for how, m := range all {
			if !drawn(how, 10, 40) {
				continue
			}
			p, err := Parse(name, []byte(m))
			if err != nil {
				continue
			}
			same := reflect.DeepEqual(bare(p), bare(whole))
			if d := Diff(whole, p); same != (len(d) == 0) && !renamesRule(how) {
				t.Errorf("%s, %s: same %t, differences %+v", name, how, same, d)
			}
			if !same {
				seen++
			}
		}
	}
	if seen < 50 && !needed.RaceDetector || seen < 10 {
		t.Errorf("only %d mutants are other policies", seen)
	}
}

// renamesRule reports whether a mutant only has another id of a rule, by which
// lists of rules are compared.
func renamesRule(how string) bool { return strings.Contains(how, ".id = ") }

func TestExplainGolden(t *testing.T) {
	for _, name := range []string{"full2", "work2"} {
		p := mustParse(t, "testdata/"+name+".yaml")
		var b strings.Builder
		for _, l := range []Language{Chinese, English} {
			for _, x := range p.Explain(l) {
				b.WriteString(x.Section + " [" + x.Rule + "] " + x.Clause + " " + x.Sentence + "\n")
				for _, s := range x.Parameters {
					b.WriteString("    " + s + "\n")
				}
			}
		}
		golden(t, filepath.Join("testdata", name+"-explain.golden"), b.String())
	}
	p := mustKunshan(t)
	ex := p.Explain(Chinese)
	if last := ex[len(ex)-1]; !last.Silent || last.Section != "refund" || last.Sentence == "" {
		t.Errorf("what the text does not say comes last: %+v", last)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (run with -update): %v\n%s", file, err, got)
	}
}

func TestDiffSaysBothSides(t *testing.T) {
	a, b := mustKunshan(t), mustPolicy(t, "sample-2026")
	var got []string
	for _, d := range Diff(a, b) {
		got = append(got, d.Section+"/"+d.Rule)
		if d.Section == "reuse" && len(d.Before.Parameters) != 2 || d.Section == "amounts" {
			t.Errorf("the sample has the figures of Kunshan 2020: %+v", d)
		}
		if d.Section == "refund" && (d.Before == nil || !d.Before.Silent || d.After.Clause != "示例政策 2026 第八条") {
			t.Errorf("%+v", d)
		}
	}
	if s := strings.Join(got, " "); !strings.Contains(s, "scarce/") || !strings.Contains(s, "refund/") || !strings.Contains(s, "excludes/enterprise_direct") || !strings.Contains(s, "facts/employed") {
		t.Errorf("%s", s)
	}
}
