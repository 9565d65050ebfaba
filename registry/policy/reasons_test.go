package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// reasonConstants are the values of all constants of type Reason in the package.
func reasonConstants(t *testing.T) []Reason {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []Reason
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Reason" {
				return true
			}
			for _, x := range v.Values {
				if lit, ok := x.(*ast.BasicLit); ok {
					s, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, Reason(s))
				}
			}
			return true
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestEveryReasonHasItsSentenceAndNextStep(t *testing.T) {
	all := reasonConstants(t)
	if len(all) < 30 {
		t.Fatalf("only %d constants found", len(all))
	}
	if !slices.Equal(all, Reasons()) {
		t.Errorf("constants %v\ntexts %v", all, Reasons())
	}
	var b strings.Builder
	for _, r := range Reasons() {
		sentence, next := ReasonText(r)
		for _, s := range []string{sentence.ZH, sentence.EN} {
			if !strings.Contains(s, clauseMark) && r != noMatch {
				t.Errorf("%s does not name the clause: %s", r, s)
			}
		}
		if !strings.HasPrefix(next.ZH, "下一步：") || !strings.HasPrefix(next.EN, "Next: ") || !strings.HasSuffix(sentence.ZH, "。") || !strings.HasSuffix(next.ZH, "。") {
			t.Errorf("%s: %+v", r, next)
		}
		if strings.Contains(sentence.ZH+next.ZH, "索赔") {
			t.Errorf("%s: a claim is 申领", r)
		}
		b.WriteString(string(r) + "\n  " + sentence.ZH + "\n  " + next.ZH + "\n  " + sentence.EN + "\n  " + next.EN + "\n")
	}
	golden(t, "testdata/reasons.golden", b.String())
}

func TestStepsOfADecisionAreFilledIn(t *testing.T) {
	for _, d := range []Decision{decide(mustFull(t), badInput()), decide(mustFull(t), Input{Now: at("2026-03-05")}),
		decide(mustParse(t, "testdata/work2.yaml"), Input{Now: at("2026-03-05"), Subject: Subject{Kind: ForWorkMonths}})} {
		steps := d.Steps()
		if want := max(len(d.Failing), len(d.Missing)); len(steps) == 0 || len(d.Failing) > 0 && len(steps) != len(d.Failing) || len(steps) > want {
			t.Errorf("%d steps of %d failing, %d missing", len(steps), len(d.Failing), len(d.Missing))
		}
		for _, s := range steps {
			if strings.ContainsAny(s.Sentence.ZH+s.Next.ZH+s.Sentence.EN+s.Next.EN, "{}") || s.Next.ZH == "" || s.Reason.Holds() != (len(d.Failing) == 0) {
				t.Errorf("%+v", s)
			}
		}
	}
}
