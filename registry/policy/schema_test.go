package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fits validates a file by the schema, through JSON as other tools would.
func fits(s *jsonschema.Schema, src string) error {
	var v any
	if err := yaml.Unmarshal([]byte(src), &v); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func policyFiles(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := fs.Glob(embedded, "policies/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := embedded.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = string(b)
	}
	for _, n := range []string{"testdata/full.yaml", "testdata/full2.yaml", "testdata/work2.yaml"} {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = string(b)
	}
	return out
}

func TestSchemaTakesEveryPolicy(t *testing.T) {
	s := compiledSchema(t)
	for name, src := range policyFiles(t) {
		if err := fits(s, src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// onlyParse are the codes of problems that a schema cannot say.
var onlyParse = regexp.MustCompile(`^(duplicate|duplicate_rule|duplicate_key|dates|yaml_date|parent|group_without_own_fund|explained|unexplained|uplift|sample|unknown_group|groups|ages)$`)

// mutants are all files that differ from one in one place, as JSON, which is YAML:
// a member left out, renamed or added, a value changed.
func mutants(t testing.TB, src string) map[string]string {
	t.Helper()
	var root any
	if err := yaml.Unmarshal([]byte(src), &root); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	write := func(how string) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(root); err != nil {
			t.Fatal(err)
		}
		out[how] = b.String()
	}
	write("")
	values := []any{"x", "none", "unknown", "yes", "no", 0, 7, 99999, true, []any{}, []any{"x"}, map[string]any{}, "2026-13-01", "skill_level", ""}
	var walk func(v any, path string, set func(any))
	walk = func(v any, path string, set func(any)) {
		for _, x := range values {
			set(x)
			write(fmt.Sprintf("%s = %v", path, x))
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, k := range sortedKeys(v) {
				x := v[k]
				delete(v, k)
				write(path + " without " + k)
				v[k+"s"] = x
				write(path + " renamed " + k)
				delete(v, k+"s")
				v[k] = x
				walk(x, path+"."+k, func(n any) { v[k] = n })
			}
			for _, k := range []string{"extra", "order", "months", "days", "list", "lists", "value", "want", "at_least", "mean", "quote", "levels", "in_principle"} {
				if _, there := v[k]; !there {
					v[k] = 5
					write(path + " with " + k)
					delete(v, k)
				}
			}
		case []any:
			for i, x := range v {
				walk(x, fmt.Sprintf("%s[%d]", path, i), func(n any) { v[i] = n })
			}
		}
	}
	for k, v := range root.(map[string]any) {
		walk(v, k, func(n any) { root.(map[string]any)[k] = n })
	}
	for k, v := range root.(map[string]any) {
		delete(root.(map[string]any), k)
		write("without " + k)
		root.(map[string]any)[k] = v
	}
	return out
}

// drawn reports whether a mutant is one of an nth of all, always the same ones.
func drawn(how string, usually, raced int) bool {
	h := fnv.New32a()
	h.Write([]byte(how))
	return how == "" || needed.Tried(int(h.Sum32()), usually, raced)
}

// TestSchemaRefusesWhatParseRefuses changes one place of the files of every rule
// at a time: what Parse refuses for its form the schema refuses too, and what
// Parse takes the schema takes.
func TestSchemaRefusesWhatParseRefuses(t *testing.T) {
	s := compiledSchema(t)
	refused, agreed, taken := 0, 0, 0
	for _, name := range []string{"testdata/full.yaml", "testdata/full2.yaml", "testdata/work2.yaml"} {
		for how, m := range mutants(t, policyFiles(t)[name]) {
			if !drawn(how, 16, 64) {
				continue
			}
			_, err := Parse("m.yaml", []byte(m))
			schema := fits(s, m)
			if err == nil {
				// Parse takes ids and codes of groups that YAML reads as true or 7.
				if taken++; schema != nil && !regexp.MustCompile(`got (boolean|number), want string`).MatchString(schema.Error()) {
					t.Errorf("%s: Parse takes and the schema refuses %s: %v", name, how, schema)
				}
				continue
			}
			if refused++; schema != nil {
				agreed++
				continue
			}
			for _, f := range fail.Of(err).Fields {
				if !onlyParse.MatchString(f.Code) {
					t.Errorf("%s: Parse refuses (%s) and the schema takes %s: %v", name, f.Code, how, err)
				}
			}
		}
	}
	t.Logf("%d mutants taken, %d refused, %d of them by the schema", taken, refused, agreed)
	if refused < 400 && !needed.RaceDetector || agreed < refused*95/100 {
		t.Errorf("%d mutants refused, %d by the schema too", refused, agreed)
	}
}
