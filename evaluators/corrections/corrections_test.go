package corrections_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators/corrections"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

// Every pair of the documented table happens as written; every other is refused.
func TestStateTable(t *testing.T) {
	table := doctest.States(t, "corrections.go", "")
	doctest.Holds(t, table, corrections.States(), corrections.Acts())
	for _, from := range corrections.States() {
		for _, do := range corrections.Acts() {
			got, err := corrections.Next(from, do)
			want := corrections.State(table.Next[string(from)][string(do)])
			ok := want != doctest.Refused
			if ok != (err == nil) || ok && got != want {
				t.Errorf("%s of %s gives %s, %v; the table says %q", do, from, got, err, want)
			}
			if !ok && (fail.CodeOf(err) != "correction_state" || got != from) {
				t.Errorf("%s of %s is refused with %v", do, from, err)
			}
		}
		if zh, en := from.Words(); zh == "" || en == "" {
			t.Errorf("%s has no words", from)
		}
	}
}

func TestSecondPerson(t *testing.T) {
	for _, c := range []struct {
		needed           bool
		proposer, decide string
		code             string
	}{{true, "a", "b", ""}, {true, "a", "a", "second_person"}, {false, "a", "a", ""}} {
		if err := corrections.SecondPersonDecides(c.needed, c.proposer, c.decide); fail.CodeOf(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What comes with the product is a sample and says so, entry by entry.
func TestEmbeddedIsASample(t *testing.T) {
	set, err := corrections.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok || r.Sample == "" || !r.SecondPerson || r.Mass.UndoHours < 1 || r.Mass.Sample == "" || len(r.Fields) != len(corrections.Fields()) {
		t.Fatalf("%+v", r)
	}
}

func rules(t *testing.T) corrections.Rules {
	t.Helper()
	set, err := corrections.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, _ := set.On("000000", "2026-03-02")
	return r
}

func TestCheck(t *testing.T) {
	r := rules(t)
	police := corrections.Proof{Kind: "police_certificate", Reference: "昆公户证〔2026〕12号"}
	contract := corrections.Proof{Kind: "labour_contract", Reference: "HT-1"}
	narrow := r
	narrow.Fields = r.Fields[:1]
	for name, c := range map[string]struct {
		rules  corrections.Rules
		given  []corrections.Field
		proofs []corrections.Proof
		want   string
	}{
		"proven":             {r, []corrections.Field{corrections.Name, corrections.Document}, []corrections.Proof{police}, ""},
		"each its own":       {r, []corrections.Field{corrections.Name, corrections.Employer}, []corrections.Proof{police, contract}, ""},
		"no proof":           {r, []corrections.Field{corrections.Name}, nil, "proofs required"},
		"wrong proof":        {r, []corrections.Field{corrections.Name}, []corrections.Proof{contract}, "proofs required, proofs[0].kind unknown"},
		"one of two":         {r, []corrections.Field{corrections.Name, corrections.Employer}, []corrections.Proof{police}, "proofs required"},
		"no reference":       {r, []corrections.Field{corrections.Name}, []corrections.Proof{{Kind: "police_certificate", Reference: "  "}}, "proofs[0].reference length"},
		"long reference":     {r, []corrections.Field{corrections.Name}, []corrections.Proof{{Kind: "police_certificate", Reference: strings.Repeat("证", 101)}}, "proofs[0].reference length"},
		"many":               {r, []corrections.Field{corrections.Name}, slices.Repeat([]corrections.Proof{police}, 11), "proofs too_many"},
		"not here":           {narrow, []corrections.Field{corrections.Photo}, nil, "photo not_correctable"},
		"never by any rules": {r, []corrections.Field{"level"}, []corrections.Proof{police}, "level not_correctable, proofs[0].kind unknown"},
	} {
		var got []string
		for _, f := range c.rules.Check(c.given, c.proofs) {
			got = append(got, f.Name+" "+f.Code)
			if f.ZH == "" || f.EN == "" {
				t.Errorf("%s: %+v has no words", name, f)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

func TestProblems(t *testing.T) {
	src, err := os.ReadFile("data/corrections-sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(src)
	for name, c := range map[string]struct{ old, new, say string }{
		"field of the code only": {"field: photo", "field: level", "there is no field level"},
		"field twice":            {"field: photo", "field: name", "twice"},
		"no proof":               {"proofs: [holder_application]", "proofs: []", "at least one kind of proof"},
		"unknown proof":          {"proofs: [holder_application]", "proofs: [letter]", "proof letter of field photo is not defined"},
		"proof twice":            {"code: identity_card", "code: police_certificate", "twice"},
		"no origin":              {"proofs: [holder_application], sample: practice", "proofs: [holder_application]", "field photo has either"},
		"no window":              {"undo_hours: 24", "undo_hours: 0", "undo_hours"},
		"a year":                 {"undo_hours: 24", "undo_hours: 8760", "undo_hours"},
	} {
		if !strings.Contains(good, c.old) {
			t.Fatalf("%s: the sample has no %q", name, c.old)
		}
		_, err := rulefile.Parse[corrections.Rules]("x.yaml", []byte(strings.Replace(good, c.old, c.new, 1)))
		if fail.CodeOf(err) != "rulefile_invalid" || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Practice: occupation, level, date and institution are never corrected.
func TestNotCorrectable(t *testing.T) {
	err := corrections.NotCorrectable([]string{"level", "issued"})
	if err.ZH != "职业、等级、发证日期、评价机构不得更正；确有错误的，应撤销或注销后重新发证" || err.Kind != fail.Invalid || len(err.Fields) != 2 {
		t.Errorf("%+v", err)
	}
}
