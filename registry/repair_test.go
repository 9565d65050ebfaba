package registry_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// Every kv.Records of tables.go is among those that are checked and repaired: a
// table that is forgotten there would never be looked at.
func TestEveryTableIsChecked(t *testing.T) {
	tables, err := parser.ParseFile(token.NewFileSet(), "tables.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	check, err := parser.ParseFile(token.NewFileSet(), "check.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var checked []string
	ast.Inspect(check, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == "allRecords" {
			for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
				checked = append(checked, e.(*ast.Ident).Name)
			}
		}
		return true
	})
	found := 0
	ast.Inspect(tables, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range v.Values {
			lit, ok := value.(*ast.CompositeLit)
			if !ok {
				continue
			}
			if index, ok := lit.Type.(*ast.IndexExpr); ok {
				if s, ok := index.X.(*ast.SelectorExpr); ok && s.Sel.Name == "Records" {
					if found++; !slices.Contains(checked, v.Names[i].Name) {
						t.Errorf("%s is not in allRecords", v.Names[i].Name)
					}
				}
			}
		}
		return true
	})
	if found < 70 || found != len(checked) {
		t.Errorf("%d tables of records, %d are checked", found, len(checked))
	}
}

// Sums and indexes that the demonstration does not have, see also
// TestRepairMakesAnew in cmd/bajigong: blanks and prints, merged persons.
func TestRepairOfBlanksAndMerges(t *testing.T) {
	e := newClaimEnv(t)
	by := e.issuer
	all := mustStock(t, e.Env, by, "JS-000001", "JS-000020")
	issued := e.MustCertificates(by, 100, 103)
	if _, err := use(e.Env, by, blanks.Take, issued[0].Session, "备用", 6); err != nil {
		t.Fatal(err)
	}
	for act, code := range map[blanks.Act]blanks.Code{blanks.Spoil: all.First, blanks.Lose: {Prefix: all.First.Prefix, Digits: all.First.Digits, Number: 2}} {
		if _, err := use(e.Env, by, act, "", "受潮", 0, blanks.One(code)); err != nil {
			t.Fatal(err)
		}
	}
	number := e.issue(10, "6-31-01-03", standards.Senior).Number
	e.issue(11, "6-31-01-03", standards.Senior)
	e.issue(12, "6-31-01-03", standards.Senior)
	e.mustAnswer("0", e.mustReserve(e.kunshan, e.request(10, number)), policy.Allow)
	one := e.mustMerge(11, 10)
	e.mustMerge(12, 11)
	e.mustUndo(one.ID)
	e.MustCheck()
	e.MustRepair()
	for _, table := range []kv.Table{"blank_stock", "blank_uses", "persons_merged"} {
		if err := e.DB.Update(ctx, func(tx kv.Tx) error {
			rows, err := tx.Scan(table, kv.Range{Limit: 1})
			if err != nil || len(rows) == 0 {
				t.Fatalf("nothing in %s", table)
			}
			tx.Delete(table, rows[0].Key)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if report, err := e.Check(ctx, registry.Operator(), nil); err != nil || report.Found == 0 {
			t.Errorf("%s: the check finds nothing, %v", table, err)
		}
		if got, err := e.RepairIndexes(ctx, registry.Operator(), nil); err != nil || len(got.Repaired) == 0 {
			t.Errorf("%s: %+v %v", table, got, err)
		}
		e.MustCheck()
	}
}

// The repair is the operator's, one at a time, and its event names no person.
func TestWhoMayRepair(t *testing.T) {
	e := filled(t, 20, registrytest.Options{})
	if _, err := e.RepairIndexes(ctx, e.Authority, nil); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("the authority: %v", err)
	}
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		rows, err := tx.Scan("certificates_by_person", kv.Range{Limit: 5})
		for _, row := range rows {
			tx.Delete("certificates_by_person", row.Key)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Leased(ctx, "repair", func(ctx context.Context, _ *registry.Lease) error {
		if _, err := e.RepairIndexes(ctx, registry.Operator(), nil); fail.CodeOf(err) != "repair_busy" {
			t.Errorf("two at once: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got, err := e.RepairIndexes(ctx, registry.Operator(), nil)
	if err != nil || got.Repaired["certificates"] != (kv.Repaired{Written: 5}) || len(got.Repaired) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	bundle, err := e.Proof(ctx, e.Authority, got.LogIndex)
	if err != nil || !strings.Contains(string(bundle.Event), `"indexes_repaired"`) || !strings.Contains(string(bundle.Event), `"written":5`) {
		t.Errorf("%s %v", bundle.Event, err)
	}
}
