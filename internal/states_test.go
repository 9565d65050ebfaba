package internal_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "node_modules") {
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

// stateTables are the tables in the comments of a file, as sections of the page.
func stateTables(path string) (out []string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	add := func(name string, doc *ast.CommentGroup) {
		for _, table := range tables(doc.Text()) {
			out = append(out, "\n## "+name+"\n\n```\n"+table+"```\n")
		}
	}
	pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
	add(pkg, f.Doc)
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, s := range g.Specs {
			add(pkg+"."+s.(*ast.TypeSpec).Name.Name, g.Doc)
		}
	}
	return out, nil
}

// tables are the indented blocks of a comment that begin with a row "state | …".
func tables(doc string) (out []string) {
	var block string
	end := func() {
		if block != "" {
			out = append(out, block)
		}
		block = ""
	}
	for line := range strings.Lines(doc) {
		row := strings.HasPrefix(line, "\t") && (strings.Contains(line, "|") || strings.Contains(line, "+-"))
		begins := row && strings.HasPrefix(strings.TrimSpace(line), "state") && strings.Contains(line, "|")
		switch {
		case begins:
			end()
			block = line[1:]
		case row && block != "":
			block += line[1:]
		default:
			end()
		}
	}
	end()
	return out
}
