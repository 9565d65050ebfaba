// Package doctest reads the state tables in the comments of our packages, for
// the tests that hold the code to them and for docs/states.md.
//
// A table stands indented in the comment of a package or of a type:
//
//	state  | open   | close
//	-------+--------+-------
//	closed | opened | -
//	opened | -      | closed
//
// The first column has the states, the others what each action leads to; a dash
// is a refusal. A table in a package comment goes by the heading above it, one in
// the comment of a type by the type.
package doctest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Refused is the cell of an action that a state does not allow.
const Refused = "-"

// Table is one state table.
type Table struct {
	Type    string   // whose comment it stands in; empty for a package comment
	Heading string   // of the part of a package comment; empty without one
	States  []string // in the order of the rows
	Actions []string // in the order of the columns
	// Next has every state's every action: the state it leads to, or Refused.
	Next map[string]map[string]string
	Text string // as it is written, a line a row
}

// States returns the state table of a type, or of the package comment's part
// whose heading begins with of, that stands in a file. An empty of is the only
// table of the package comment. The test fails when there is not exactly one.
func States(t testing.TB, file, of string) Table {
	t.Helper()
	all, err := Tables(file)
	if err != nil {
		t.Fatal(err)
	}
	found := slices.DeleteFunc(all, func(table Table) bool {
		if table.Type != "" {
			return table.Type != of
		}
		return !strings.HasPrefix(table.Heading, of)
	})
	if len(found) != 1 {
		t.Fatalf("%s has %d state tables of %q, want one", file, len(found), of)
	}
	return found[0]
}

// Holds fails the test unless the table has exactly these states and actions, in
// whatever order.
func Holds[S, A ~string](t testing.TB, table Table, states []S, actions []A) {
	t.Helper()
	if got, want := slices.Sorted(slices.Values(table.States)), sorted(states); !slices.Equal(got, want) {
		t.Fatalf("the table has the states %v, the code %v", got, want)
	}
	if got, want := slices.Sorted(slices.Values(table.Actions)), sorted(actions); !slices.Equal(got, want) {
		t.Fatalf("the table has the actions %v, the code %v", got, want)
	}
}

func sorted[S ~string](in []S) []string {
	var out []string
	for _, s := range in {
		out = append(out, string(s))
	}
	slices.Sort(out)
	return out
}

// Tables returns every state table in the comments of a file. A table that is
// not whole is an error: a row too short, a state twice, an action that leads to
// a state which is not in it.
func Tables(file string) ([]Table, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	out, err := inComment(parsed.Doc.Text(), "")
	for _, d := range parsed.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE || err != nil {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.TypeSpec)
			doc := spec.Doc
			if doc == nil {
				doc = g.Doc
			}
			var more []Table
			if more, err = inComment(doc.Text(), spec.Name.Name); err != nil {
				break
			}
			out = append(out, more...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return out, nil
}

func inComment(doc, of string) (out []Table, err error) {
	heading, in := "", false
	for line := range strings.Lines(doc) {
		if h, ok := strings.CutPrefix(line, "# "); ok {
			heading = strings.TrimSpace(h)
		}
		cells, row := cellsOf(line)
		switch {
		case row && cells[0] == "state":
			out, in = append(out, Table{Type: of, Heading: heading, Actions: cells[1:], Next: map[string]map[string]string{}}), true
		case row && in:
			if err := out[len(out)-1].add(cells); err != nil {
				return nil, err
			}
		case !strings.HasPrefix(line, "\t"):
			in = false
		}
		if in {
			out[len(out)-1].Text += line[1:]
		}
	}
	for _, table := range out {
		if err := table.whole(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func cellsOf(line string) (cells []string, row bool) {
	if !strings.HasPrefix(line, "\t") || !strings.Contains(line, "|") {
		return nil, false
	}
	for cell := range strings.SplitSeq(line, "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells, true
}

func (t *Table) add(cells []string) error {
	if len(cells) != len(t.Actions)+1 || t.Next[cells[0]] != nil {
		return fmt.Errorf("the row %v does not fit the actions %v, or its state has another", cells, t.Actions)
	}
	row := map[string]string{}
	for i, cell := range cells[1:] {
		row[t.Actions[i]] = cell
	}
	t.States, t.Next[cells[0]] = append(t.States, cells[0]), row
	return nil
}

func (t Table) whole() error {
	if len(t.States) == 0 {
		return fmt.Errorf("a table of %v has no state", t.Actions)
	}
	for _, from := range t.States {
		for _, to := range slices.Sorted(maps.Values(t.Next[from])) {
			if to != Refused && t.Next[to] == nil {
				return fmt.Errorf("%s leads to %q, which is no state of the table", from, to)
			}
		}
	}
	return nil
}
