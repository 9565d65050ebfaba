package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Which package may import what besides the standard library. "bajigong/x" is a
// package of ours, anything else the beginning of a module's path. A package
// that is not here may import nothing. Tests may import everything.
var imports = map[string][]string{
	"standards":               {"bajigong/internal/fail", "golang.org/x/text"},
	"evaluators":              {"bajigong/internal/form", "bajigong/standards", "bajigong/internal/fail"},
	"internal/rulefile":       {"bajigong/internal/fail", "github.com/goccy/go-yaml"},
	"standards/eligibility":   {"bajigong/standards", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"standards/sameness":      {"bajigong/standards", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/course":       {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/examiners":    {"bajigong/internal/form", "bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/credit":       {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/cases":        {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/signs":        {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/posts":        {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/figures":      {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/relations":    {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/numbering":    {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/blanks":       {"bajigong/internal/form", "bajigong/standards", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"evaluators/photos":       {"bajigong/internal/rulefile", "bajigong/internal/fail", "bajigong/internal/picture", "golang.org/x/text"},
	"evaluators/corrections":  {"bajigong/standards", "bajigong/evaluators", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"credentials/jws":         {"bajigong/internal/fail", "github.com/go-jose/go-jose/v4"},
	"credentials":             {"bajigong/credentials/jws", "bajigong/internal/fail", "bajigong/internal/picture", "github.com/skip2/go-qrcode", "rsc.io/qr", "github.com/makiuchi-d/gozxing", "golang.org/x/sys", "golang.org/x/crypto"},
	"credentials/paper":       {"bajigong/credentials", "bajigong/internal/rulefile", "bajigong/internal/fail"},
	"registry/auditlog":       {"bajigong/internal/kv", "bajigong/internal/fail", "golang.org/x/mod/sumdb"},
	"registry/locks":          {"bajigong/internal/rulefile"},
	"registry/webhooks":       {"bajigong/internal/rulefile", "bajigong/internal/fail", "github.com/standard-webhooks/standard-webhooks/libraries/go"},
	"registry/uploads":        {"bajigong/standards", "bajigong/internal/rulefile", "bajigong/internal/sheet", "bajigong/internal/fail"},
	"registry/policy":         {"bajigong/standards", "bajigong/internal/fail", "bajigong/internal/rulefile", "github.com/goccy/go-yaml"},
	"registry":                {"bajigong/standards", "bajigong/standards/eligibility", "bajigong/evaluators/course", "bajigong/evaluators/examiners", "bajigong/evaluators/credit", "bajigong/evaluators/cases", "bajigong/evaluators/signs", "bajigong/evaluators/posts", "bajigong/evaluators/figures", "bajigong/evaluators/corrections", "bajigong/evaluators/relations", "bajigong/evaluators/numbering", "bajigong/internal/rulefile", "bajigong/evaluators", "bajigong/credentials", "bajigong/credentials/jws", "bajigong/registry/auditlog", "bajigong/registry/locks", "bajigong/registry/uploads", "bajigong/registry/policy", "bajigong/internal/kv", "bajigong/internal/sheet", "bajigong/internal/fail", "golang.org/x/sync", "golang.org/x/text", "bajigong/registry/quota", "bajigong/internal/likeness", "bajigong/internal/picture", "bajigong/credentials/paper", "bajigong/evaluators/blanks", "bajigong/evaluators/photos", "bajigong/standards/sameness", "bajigong/registry/webhooks"},
	"web":                     {"bajigong/standards/eligibility", "bajigong/evaluators/course", "bajigong/evaluators/examiners", "bajigong/evaluators/credit", "bajigong/evaluators/cases", "bajigong/evaluators/signs", "bajigong/evaluators/posts", "bajigong/evaluators/figures", "bajigong/evaluators/corrections", "bajigong/evaluators/relations", "bajigong/evaluators/numbering", "bajigong/internal/rulefile", "bajigong/registry", "bajigong/registry/auditlog", "bajigong/registry/uploads", "bajigong/registry/policy", "bajigong/standards", "bajigong/evaluators", "bajigong/credentials", "bajigong/credentials/jws", "bajigong/internal/fail", "github.com/gofiber/fiber/v2", "github.com/valyala/fasthttp", "bajigong/registry/quota", "bajigong/internal/likeness", "bajigong/internal/sheet", "bajigong/credentials/paper", "bajigong/evaluators/blanks", "bajigong/standards/sameness", "bajigong/registry/webhooks"},
	"registry/quota":          {"bajigong/standards", "bajigong/internal/rulefile"},
	"internal/likeness":       {"bajigong/internal/fail", "bajigong/internal/picture"},
	"internal/picture":        {},
	"internal/fail":           {},
	"internal/kv":             {"github.com/go-json-experiment/json"},
	"internal/kv/boltkv":      {"bajigong/internal/kv", "go.etcd.io/bbolt"},
	"internal/kv/pgkv":        {"bajigong/internal/kv", "github.com/jackc/pgx/v5"},
	"internal/kv/dump":        {"bajigong/internal/kv", "bajigong/internal/fail", "github.com/klauspost/compress/zstd", "filippo.io/age"},
	"internal/sheet":          {"bajigong/internal/fail", "golang.org/x/text", "github.com/xuri/excelize/v2"},
	"internal/invented":       {"bajigong/standards"},
	"internal/doctest":        {},
	"internal/needed":         {},
	"internal/form":           {"bajigong/internal/fail"},
	"internal/kv/kvtest":      {"*"},
	"internal/kv/pgkv/pgtest": {"*"},
	"internal/torture":        {"*"},
	"internal/picture/bombs":  {"*"},
	"registry/registrytest":   {"*"},
	"cmd/bajigong":            {"*"},

	"internal/kv/pgkv/pgtest/pgserver": {"github.com/jackc/pgx/v5"},
}

// only names libraries that one package alone may import, tests included but for
// those of the packages named beside it.
var only = map[string][]string{
	"github.com/gofiber/fiber/v2":                    {"web", "cmd/bajigong"},
	"github.com/go-jose/go-jose/v4":                  {"credentials/jws"},
	"github.com/skip2/go-qrcode":                     {"credentials"},
	"github.com/xuri/excelize/v2":                    {"internal/sheet"},
	"go.etcd.io/bbolt":                               {"internal/kv/boltkv", "internal/torture", "registry"},
	"github.com/jackc/pgx/v5":                        {"internal/kv/pgkv", "internal/kv/pgkv/pgtest", "internal/kv/pgkv/pgtest/pgserver", "internal/torture", "registry"},
	"github.com/standard-webhooks/standard-webhooks": {"registry/webhooks"},
	"github.com/klauspost/compress":                  {"internal/kv/dump", "cmd/bajigong"},
	"filippo.io/age":                                 {"internal/kv/dump", "cmd/bajigong"},
}

func TestImports(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(filepath.ToSlash(path), "../")))
		if pkg == "internal" {
			return nil
		}
		checkFile(t, path, pkg)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, path, pkg string) {
	t.Helper()
	allowed, known := imports[pkg]
	if !known {
		t.Errorf("%s: package %s is not in the table of imports", path, pkg)
		return
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		for library, packages := range only {
			if within(name, library) && !slices.Contains(packages, pkg) {
				t.Errorf("%s imports %s, which only %v may", path, name, packages)
			}
		}
		ours := strings.HasPrefix(name, "bajigong/")
		if strings.HasSuffix(path, "_test.go") || !ours && !strings.Contains(strings.Split(name, "/")[0], ".") {
			continue
		}
		if !slices.ContainsFunc(allowed, func(a string) bool { return a == "*" || ours && a == name || !ours && within(name, a) }) {
			t.Errorf("%s imports %s; the table of imports does not allow it to %s", path, name, pkg)
		}
	}
}

func within(name, module string) bool { return name == module || strings.HasPrefix(name, module+"/") }

// The clock and randomness enter the program in cmd alone.
func TestClockAndRandomnessAreInjected(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, tests := range []string{"cmd/", "kvtest/", "pgtest/", "registrytest/", "torture/", "/."} {
			if strings.Contains(filepath.ToSlash(path), tests) {
				return nil
			}
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, call := range []struct{ pkg, name string }{{"time", "Now"}, {"rand", "Reader"}} {
			if uses(f, call.pkg, call.name) {
				t.Errorf("%s uses %s.%s; it has to be injected", path, call.pkg, call.name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
