package internal_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/doctest"
)

var update = flag.Bool("update", false, "write docs/states.md from the comments")

const statesHead = `# State tables

What may become of what. Each table is the comment of the code that keeps it; a
test beside that code reads it, tries every action in every state, and sees what
is not in the table refused. This page is held to the comments by a test of
package internal, which writes it with -update. A dash is a refusal.
`

// TestStatesAreDocumented holds docs/states.md to the state tables in the comments.
func TestStatesAreDocumented(t *testing.T) {
	var sections []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "doctest") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			found, err := stateTables(path)
			sections = append(sections, found...)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(sections)
	for i, section := range sections {
		heading, _, _ := strings.Cut(section[1:], "\n")
		if i > 0 && strings.HasPrefix(sections[i-1][1:], heading+"\n") {
			t.Errorf("two tables go by %q", heading)
		}
	}
	want := statesHead + strings.Join(sections, "")
	const page = "../docs/states.md"
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil || string(got) != want {
		t.Errorf("docs/states.md is not what the comments say (%v); run go test ./internal -run States -update", err)
	}
	if len(sections) < 5 {
		t.Errorf("only %d tables were found", len(sections))
	}
}

// stateTables are the tables in the comments of a file, as sections of the page:
// package and type, or package and the heading of its comment.
func stateTables(path string) (out []string, err error) {
	tables, err := doctest.Tables(path)
	for _, table := range tables {
		name := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		switch {
		case table.Type != "":
			name += "." + table.Type
		case table.Heading != "":
			name += ": " + table.Heading
		default:
			return nil, fmt.Errorf("%s: the table of the package comment needs a heading", path)
		}
		out = append(out, "\n## "+name+"\n\n```\n"+table.Text+"```\n")
	}
	return out, err
}
