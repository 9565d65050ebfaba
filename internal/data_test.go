package internal_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// embedded are the data files that the product carries, by what says in each
// where its content comes from. A file that no pattern covers fails the test:
// data that came from nowhere cannot be checked by anybody.
var embedded = []struct {
	files string
	check func(name string, src []byte) []string
}{
	{"evaluators/*/data/*.yaml", ruleFile},
	{"registry/*/data/*.yaml", ruleFile},
	{"credentials/paper/data/*/*.yaml", ruleFile},
	{"standards/eligibility/data/*.yaml", ruleFile},
	{"standards/sameness/data/*.yaml", ruleFile},
	{"registry/policy/policies/*.yaml", policyFile},
	{"registry/policy/cases/*.yaml", nil},   // trials of the policies, no rules
	{"internal/torture/*.yaml", policyFile}, // for measuring
	{"registry/policy/regions.yaml", headed("GB/T 2260")},
	{"standards/data/holidays.txt", headed("notices of the General Office of the State Council")},
	{"standards/data/catalogue.json", catalogueFile},
	{"web/templates/*.html", nil},  // pages, no data
	{"web/templates/print/*", nil}, // pages, no data
	{"web/static/*", nil},
	{"web/static", nil}, // style, icon and modules
	{"web/worker", nil},
	{"credentials/vocab/*", nil}, // what our own terms mean, no data
	{"cmd/bajigong/*.sql", nil},  // views, no data
}

// TestEmbeddedDataSaysWhereItComesFrom reads every file that a //go:embed names:
// each has a source or says that it is a sample, and so has each entry that sets
// a rule, itself or in what it stands in.
func TestEmbeddedDataSaysWhereItComesFrom(t *testing.T) {
	files := embeddedFiles(t)
	if len(files) < 20 {
		t.Errorf("only %d embedded files were found", len(files))
	}
	for _, name := range files {
		i := slices.IndexFunc(embedded, func(e struct {
			files string
			check func(string, []byte) []string
		}) bool {
			ok, err := filepath.Match(e.files, name)
			return ok && err == nil
		})
		if i < 0 {
			t.Errorf("%s is embedded, and nothing holds it to a source; add it to the table of this test", name)
			continue
		}
		if embedded[i].check == nil {
			continue
		}
		src, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range embedded[i].check(name, src) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// The check itself: what has no source is found.
func TestDataWithoutSourceIsFound(t *testing.T) {
	const head = "id: a\nregion: \"000000\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\n"
	for src, want := range map[string]int{
		head + "source: 文件\ndays: 5\nsteps:\n  - {days: 3}\n": 0,
		head + "days: 5\n": 2, // the file, and its entry
		head + "days: 5\nsample: practice\nlevels: [junior]\nx: {source: '', days: 3}": 1, // an empty source hides the file's
		head + "days: 5\nitems: [{days: 5, sample: practice}, {days: 5}]\n":            3, // the file, days and the second item
	} {
		if got := ruleFile("x", []byte(src)); len(got) != want {
			t.Errorf("%s\nproblems: %q, want %d", src, got, want)
		}
	}
	if got := policyFile("x", []byte("id: a\nsample: false\ndocument: {number: 文}\namounts: {levels: [{yuan: 1}]}\nrule: {clause: 一, days: 3}\n")); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if got := catalogueFile("x", []byte(`{"edition": "2022", "note": "n", "standard": {"version": "x", "parts": [], "source": {"parts": "s"}}, "occupations": [{"code": "1", "levels": "5", "sample": ["levels"]}, {"code": "2", "levels": "5"}]}`)); len(got) != 2 {
		t.Errorf("%q", got)
	}
	if got := headed("GB/T 2260")("x", []byte("# codes\na: 1\n")); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// embeddedFiles are the files that the //go:embed comments of the tree name.
func embeddedFiles(t *testing.T) (out []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, pattern := range embedPatterns(f) {
			names, err := filepath.Glob(filepath.Join(filepath.Dir(path), pattern))
			if err != nil || len(names) == 0 {
				t.Errorf("%s embeds %s, which matches nothing (%v)", path, pattern, err)
			}
			for _, name := range names {
				out = append(out, strings.TrimPrefix(filepath.ToSlash(name), "../"))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func embedPatterns(f *ast.File) (out []string) {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if rest, ok := strings.CutPrefix(c.Text, "//go:embed "); ok {
				out = append(out, strings.Fields(rest)...)
			}
		}
	}
	return out
}

// ruleFile checks a file of rules: the heading and each entry has a source or a
// sample, the entry itself or what it stands in.
func ruleFile(_ string, src []byte) []string {
	var file map[string]any
	if err := yaml.Unmarshal(src, &file); err != nil {
		return []string{err.Error()}
	}
	var out []string
	if !sourced(file) {
		out = append(out, "the heading has neither source nor sample")
	}
	return append(out, unsourced(file, "", false, sourced, []string{"id", "region", "from", "name", "version", "source", "sample"})...)
}

// policyFile checks a policy: it names its document or says that it is a sample,
// and each part that sets something names its clause. Its list unknown sets
// nothing: it says what the text does not.
func policyFile(_ string, src []byte) []string {
	var file map[string]any
	if err := yaml.Unmarshal(src, &file); err != nil {
		return []string{err.Error()}
	}
	document, _ := file["document"].(map[string]any)
	if !filled(document["number"]) {
		return []string{"names no document"}
	}
	if _, ok := file["sample"].(bool); !ok {
		return []string{"does not say whether it is a sample"}
	}
	cited := func(m map[string]any) bool { return filled(m["clause"]) || sourced(m) }
	return unsourced(file, "", false, cited, []string{"id", "version", "region", "parent", "fund", "name", "document", "sample", "note", "decided_by", "unknown",
		"language", "money", "framework", "under"})
}

// headed returns a check that the comment at the head of a file names something.
func headed(what string) func(string, []byte) []string {
	return func(_ string, src []byte) []string {
		var head []string
		for line := range strings.Lines(string(src)) {
			comment, ok := strings.CutPrefix(line, "#")
			if !ok {
				break
			}
			head = append(head, strings.Fields(comment)...)
		}
		if !strings.Contains(strings.Join(head, " "), what) {
			return []string{"its first comment does not name " + what}
		}
		return nil
	}
}

// catalogueFile checks the occupations: the codes and names are those of the
// edition; what else is set has a source of its own or is named as a sample.
func catalogueFile(_ string, src []byte) (out []string) {
	var file struct {
		Edition     string           `json:"edition"`
		Note        string           `json:"note"`
		Standard    map[string]any   `json:"standard"`
		Restricted  []map[string]any `json:"restricted"`
		Occupations []map[string]any `json:"occupations"`
	}
	if err := json.Unmarshal(src, &file); err != nil {
		return []string{err.Error()}
	}
	if file.Edition == "" || file.Note == "" {
		out = append(out, "names neither its edition nor what is a sample")
	}
	one := func(at string, entry map[string]any, confirmed ...string) {
		if all, _ := entry["sample"].(bool); all || filled(entry["source"]) {
			return
		}
		samples, _ := entry["sample"].([]any)
		sources, _ := entry["source"].(map[string]any)
		for key := range entry {
			if key != "sample" && key != "source" && !filled(sources[key]) && !slices.Contains(confirmed, key) && !slices.Contains(samples, any(key)) {
				out = append(out, fmt.Sprintf("%s.%s has no source and is not named as a sample", at, key))
			}
		}
	}
	one("standard", file.Standard)
	for _, e := range file.Restricted {
		one(fmt.Sprintf("restricted %v", e["code"]), e)
	}
	for _, e := range file.Occupations {
		one(fmt.Sprintf("occupation %v", e["code"]), e, "code", "name")
	}
	return out
}

func filled(v any) bool { s, ok := v.(string); return ok && strings.TrimSpace(s) != "" }

func sourced(m map[string]any) bool { return filled(m["source"]) || filled(m["sample"]) }

// unsourced are the values of a mapping that no source stands over. What a key
// of names holds is no rule. A mapping that has a source or sample which is
// empty has none, whatever stands above it.
func unsourced(m map[string]any, at string, above bool, has func(map[string]any) bool, names []string) (out []string) {
	_, source := m["source"]
	_, sample := m["sample"].(string)
	covered := has(m) || above && !source && !sample
	for key, value := range m {
		if !slices.Contains(names, key) {
			out = append(out, unsourcedValue(value, at+"."+key, covered, has)...)
		}
	}
	slices.Sort(out)
	return out
}

func unsourcedValue(v any, at string, covered bool, has func(map[string]any) bool) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		return unsourced(v, at, covered, has, []string{"id", "code", "name", "zh", "en", "words", "source", "sample", "clause", "quote", "note"})
	case []any:
		for i, one := range v {
			if _, nested := one.(map[string]any); nested {
				out = append(out, unsourcedValue(one, fmt.Sprintf("%s[%d]", at, i), covered, has)...)
			} else if !covered {
				return []string{at + " has no source"}
			}
		}
		return out
	case string:
		if v == "unknown" || v == "none" || v == "catalogue" { // the text does not say, says nothing, or the rule stands elsewhere in the file
			return nil
		}
	case nil:
		return nil
	}
	if !covered {
		return []string{at + " has no source"}
	}
	return nil
}
