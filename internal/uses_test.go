package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoCodeIsDrawnOnAVerification: drawing a QR code takes milliseconds, a verdict
// a hundredth of that. Only what prints or shows a code draws one.
func TestNoCodeIsDrawnOnAVerification(t *testing.T) {
	draws := []string{"web/certificate.go", "web/print.go", "credentials/paper/certificate.go"}
	var found []string
	for _, folder := range []string{"registry", "web", "credentials/paper"} {
		files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if uses(f, "credentials", "NewImage") || uses(f, "credentials", "NewPrintImage") {
				found = append(found, strings.TrimPrefix(filepath.ToSlash(path), "../"))
			}
		}
	}
	for _, name := range found {
		if !slices.Contains(draws, name) {
			t.Errorf("%s draws a QR code", name)
		}
	}
	if len(found) != len(draws) {
		t.Errorf("drawn in %v, not in %v", found, draws)
	}
}

// uses reports whether a file has pkg.name in it.
func uses(f *ast.File, pkg, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			if id, ok := s.X.(*ast.Ident); ok && id.Name == pkg {
				found = true
			}
		}
		return !found
	})
	return found
}
