package evaluators_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func dateOf(s string) standards.Date { return standards.Date(s) }

func joined(s []string) string { return strings.Join(s, ",") }

// stateTable reads the state table of the package comment.
func stateTable(t *testing.T) map[evaluators.Status]map[evaluators.Kind]evaluators.Status {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var doc *ast.CommentGroup = file.Doc
	table := map[evaluators.Status]map[evaluators.Kind]evaluators.Status{}
	var kinds []evaluators.Kind
	for line := range strings.Lines(doc.Text()) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 2:
		case kinds == nil:
			for _, c := range cells[1:] {
				kinds = append(kinds, evaluators.Kind(c))
			}
		default:
			row := map[evaluators.Kind]evaluators.Status{}
			for i, c := range cells[1:] {
				if c != "-" {
					row[kinds[i]] = evaluators.Status(c)
				}
			}
			table[evaluators.Status(cells[0])] = row
		}
	}
	if len(kinds) != len(evaluators.Kinds()) || len(table) != 4 {
		t.Fatalf("the table has kinds %v and %d states", kinds, len(table))
	}
	return table
}

// TestStateTable drives a target into every state of the documented table and
// tries every kind of decision there.
func TestStateTable(t *testing.T) {
	table := stateTable(t)
	paths := map[evaluators.Status][]evaluators.Kind{
		evaluators.Registered: nil,
		evaluators.Suspended:  {evaluators.Suspend},
		evaluators.Exited:     {evaluators.ExitVoluntary},
		evaluators.Removed:    {evaluators.Suspend, evaluators.ExitOrdered},
	}
	for _, target := range []evaluators.Target{whole, oneFile, cookOnly, cookAll} {
		for from, path := range paths {
			for _, kind := range evaluators.Kinds() {
				var ds []evaluators.Decision
				for i, k := range path {
					ds = append(ds, decision(string(rune('a'+i)), k, target, "2026-03-01", at("2026-03-01 09:00")))
				}
				now := at("2026-03-02 09:00")
				if s, _ := evaluators.StatusAt(ds, target, "2026-03-02", now); s != from {
					t.Fatalf("path to %s ends in %s", from, s)
				}
				d, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, ds, decision("z", kind, target, "2026-03-02", now), now)
				want, ok := table[from][kind]
				if !ok {
					if fail.KindOf(err) != fail.Conflict {
						t.Errorf("%s of %v while %s: error %v, want a conflict", kind, target, from, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s of %v while %s: %v", kind, target, from, err)
					continue
				}
				s, by := evaluators.StatusAt(append(ds, d), target, "2026-03-02", now)
				if s != want || by.ID != "z" {
					t.Errorf("%s of %v while %s gives %s by %q, want %s", kind, target, from, s, by.ID, want)
				}
			}
		}
	}
}

func TestDecideNamesEveryFault(t *testing.T) {
	now := at("2026-03-02 09:00")
	for _, c := range []struct {
		name string
		in   evaluators.Decision
		want []string
	}{
		{"empty", evaluators.Decision{}, []string{"id missing", "kind kind", "institution institution", "effective date", "document missing", "basis missing"}},
		{"filing of nobody", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Filing: "F9"}, "2026-03-02", now), []string{"filing filing"}},
		{"occupation out of scope", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: "1-01-01-01"}, "2026-03-02", now), []string{"occupation occupation"}},
		{"no such day", decision("1", evaluators.Suspend, whole, "2026-02-29", now), []string{"effective date"}},
		{"a suspension lets nothing finish", func() evaluators.Decision {
			d := decision("1", evaluators.Suspend, whole, "2026-03-02", now)
			d.FinishSessions = []string{"S1"}
			return d
		}(), []string{"finish_sessions kind"}},
		{"sessions", func() evaluators.Decision {
			d := decision("1", evaluators.ExitVoluntary, whole, "2026-03-02", now)
			d.Document = ""
			d.FinishSessions = []string{"S1", "", "S1"}
			return d
		}(), []string{"finish_sessions[1] missing", "finish_sessions[2] repeated"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, nil, c.in, now)
			wantFields(t, err, "decision_invalid", c.want...)
		})
	}
}

func TestDecideConflicts(t *testing.T) {
	suspended := decision("1", evaluators.Suspend, whole, "2026-03-01", at("2026-03-01 09:00"))
	lifting := decision("2", evaluators.Resume, whole, "2026-06-01", at("2026-03-01 09:00"))
	leaving := decision("3", evaluators.ExitVoluntary, whole, "2026-12-31", at("2026-03-01 09:00"))
	now := at("2026-04-01 09:00")
	for _, c := range []struct {
		name string
		ds   []evaluators.Decision
		in   evaluators.Decision
		code string // empty: accepted
		says string // part of the English text
	}{
		{"the id is taken", []evaluators.Decision{suspended}, decision("1", evaluators.Resume, whole, "2026-04-01", now), "decision_exists", "decision 1"},
		{"twice", []evaluators.Decision{suspended}, decision("9", evaluators.Suspend, whole, "2026-04-01", now), "already_suspended", "suspension from 2026-03-01"},
		{"twice, to be lifted", []evaluators.Decision{suspended, lifting}, decision("9", evaluators.Suspend, whole, "2026-04-01", now), "already_suspended", "resumption from 2026-06-01"},
		{"again from the day it is lifted", []evaluators.Decision{suspended, lifting}, decision("9", evaluators.Suspend, whole, "2026-06-01", now), "", ""},
		{"a part of what is suspended", []evaluators.Decision{suspended}, decision("9", evaluators.Suspend, oneFile, "2026-04-01", now), "", ""},
		{"resuming the part when the whole is suspended", []evaluators.Decision{suspended}, decision("9", evaluators.Resume, cookOnly, "2026-04-01", now), "not_suspended", "suspended is institution I1"},
		{"resuming the whole when a part is suspended", []evaluators.Decision{decision("1", evaluators.Suspend, cookOnly, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Resume, whole, "2026-04-01", now), "not_suspended", "suspended is occupation 4-03-02-01 of filing F1"},
		{"resuming a part that is suspended no more", []evaluators.Decision{
			decision("1", evaluators.Suspend, cookOnly, "2026-03-01", at("2026-03-01 09:00")),
			decision("2", evaluators.Resume, cookOnly, "2026-03-02", at("2026-03-02 09:00")),
			decision("3", evaluators.Suspend, whole, "2026-03-03", at("2026-03-03 09:00"))},
			decision("9", evaluators.Resume, oneFile, "2026-04-01", now), "not_suspended", "suspended is institution I1"},
		{"before an exit to come", []evaluators.Decision{leaving}, decision("9", evaluators.Suspend, whole, "2026-04-01", now), "", ""},
		{"an order before a voluntary exit to come", []evaluators.Decision{leaving}, decision("9", evaluators.ExitOrdered, whole, "2026-04-01", now), "", ""},
		{"after an exit to come", []evaluators.Decision{leaving}, decision("9", evaluators.Suspend, whole, "2027-01-01", now), "already_ended", "voluntary exit from 2026-12-31"},
		{"a part of what has ended", []evaluators.Decision{decision("1", evaluators.ExitOrdered, oneFile, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Suspend, cookOnly, "2026-04-01", now), "already_ended", "filing F1 has ended"},
		{"the whole when a part has ended", []evaluators.Decision{decision("1", evaluators.ExitOrdered, oneFile, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Suspend, whole, "2026-04-01", now), "", ""},
		{"with a date before the suspension it lifts", []evaluators.Decision{suspended}, decision("9", evaluators.Resume, whole, "2026-01-01", now), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, c.ds, c.in, now)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantConflict(t, err, c.code); !strings.Contains(e.Text, c.says) {
				t.Errorf("text %q does not say %q", e.Text, c.says)
			}
		})
	}
}

func TestDecideStampsTheStoresTime(t *testing.T) {
	in := decision("1", evaluators.Suspend, whole, "2026-01-01", at("2020-01-01 00:00"))
	now := at("2026-03-02 09:00")
	d, err := evaluators.Decide(institution(), nil, nil, in, now)
	if err != nil || !d.Recorded.Equal(now) || !d.InForce().Equal(now) {
		t.Errorf("recorded %s, in force %s, %v", d.Recorded, d.InForce(), err)
	}
	d.Effective = "2026-03-03"
	if !d.InForce().Equal(at("2026-03-03 00:00")) {
		t.Errorf("in force %s", d.InForce())
	}
}

func TestEveryWordIsThere(t *testing.T) {
	seen := map[string]bool{}
	check := func(id, zh, en string) {
		if zh == "" || en == "" || seen[id] || seen[zh] || seen[en] {
			t.Errorf("%s: %q, %q is missing or used twice", id, zh, en)
		}
		seen[id], seen[zh], seen[en] = true, true, true
	}
	for _, k := range evaluators.Kinds() {
		check("kind "+string(k), k.Chinese(), k.English())
	}
	clear(seen)
	for _, s := range evaluators.Statuses() {
		check("status "+string(s), s.Chinese(), s.English())
	}
	for _, r := range evaluators.Reasons() {
		check("reason "+string(r), r.Chinese(), r.English())
	}
}
