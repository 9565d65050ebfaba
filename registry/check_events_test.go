package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// saysNothing are the kinds of events that say nothing of a record, or whose records
// are held against each other by another part of the check.
var saysNothing = map[registry.EventKind]string{
	"occupations_imported": "counts alone; the catalogue is public", "log_origin_started": "of the log itself", "indexes_repaired": "of what follows from records",
	"claim_confirmed": "step of a claim: claims", "claim_released": "the same", "claim_refunded": "the same", "claim_extended": "the same", "claim_publicised": "the same",
	"claim_objected": "the same", "claim_payable": "the same", "claim_part_paid": "the same", "claim_returned": "the same", "claim_withdrawn": "the same",
	"claim_recovery_opened": "the same", "claim_corrected": "the same", "person_looked_up": "no record", "tie_ended": "it may be of another id of the same person", "certificate_printed": "no record", "photos_uploaded": "counts alone; each photo is held against its hash", "blanks_moved": "blank certificates",
	"list_exported": "no record", "keys_changed": "of the key ring", "national_upload_file_taken": "no record", "holder_differs": "no record", "holder_tries_spent": "no record",
	"signed_out": "the sign-in is gone", "list_checked": "no record", "webhook_rotated": "the secrets are sealed", "webhook_replayed": "where the feed stands",
	"webhook_disabled": "where the feed stands", "webhook_removed": "the same",
}

// TestEveryEventIsConsidered: whoever adds a kind of event says what it says of which
// record, or why nothing.
func TestEveryEventIsConsidered(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "EventKind" {
			return true
		}
		kinds++
		text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		kind := registry.EventKind(text)
		if says, reason := registry.SaysOfRecords(kind), saysNothing[kind]; says == (reason != "") {
			t.Errorf("%s: what does it say of records? (%t, %q)", kind, says, reason)
		}
		return true
	})
	if kinds < 100 {
		t.Errorf("%d kinds of events found", kinds)
	}
}

// TestCheckOfEventsIsBounded: with room for five doubts, what was changed behind the
// register's back in thirty records is found in each, and told once.
func TestCheckOfEventsIsBounded(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{NoCheck: true})
	ctx := context.Background()
	for i := range 30 {
		e.MustAdmit(i + 1)
	}
	err := e.DB.Update(ctx, func(tx kv.Tx) error {
		return kv.Each(tx, "institutions", kv.Range{}, func(entry kv.Entry) error {
			tx.Put("institutions", entry.Key, bytes.Replace(entry.Value, []byte(`"region":"32`), []byte(`"region":"31`), 1))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{5, 29, 30, 1000} {
		back := registry.WithFewDoubts(most)
		report, err := e.Check(ctx, registry.Operator(), &registry.CheckOptions{Parts: []string{"records and their events"}})
		back()
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]bool{}
		for _, p := range report.Problems {
			if !strings.Contains(p, "member region is not what entry") || told[p] {
				t.Errorf("room for %d: %s", most, p)
			}
			told[p] = true
		}
		if len(told) != 30 {
			t.Errorf("room for %d: %d told", most, len(told))
		}
	}
}

// TestRecordsWithoutEventsAreSeen: a role, a key or an account that nobody gave, and
// one that is gone.
func TestRecordsWithoutEventsAreSeen(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{NoCheck: true})
	ctx := context.Background()
	a, err := e.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: "one", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region})
	if err != nil {
		t.Fatal(err)
	}
	part := &registry.CheckOptions{Parts: []string{"records and their events"}}
	var stored []byte
	_ = e.DB.View(ctx, func(rd kv.Reader) (err error) { stored, err = rd.Get("accounts", kv.Key(a.ID)); return err })
	for what, put := range map[string]func(tx kv.Tx){
		"role": func(tx kv.Tx) {
			tx.Put("accounts", kv.Key(a.ID), bytes.Replace(stored, []byte(`["auditor"]`), []byte(`["auditor","authority"]`), 1))
		},
		"account": func(tx kv.Tx) {
			tx.Put("accounts", kv.Key("a-1"), bytes.Replace(stored, []byte(a.ID), []byte("a-1"), 1))
		},
		"key": func(tx kv.Tx) {
			tx.Put("api_keys", kv.Key("k1"), []byte(fmt.Sprintf(`{"id":"k1","account":%q}`, a.ID)))
		},
		"gone": func(tx kv.Tx) { tx.Delete("accounts", kv.Key(a.ID)) },
	} {
		if err := e.DB.Update(ctx, func(tx kv.Tx) error { put(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		if report, err := e.Check(ctx, registry.Operator(), part); err != nil || report.Found == 0 {
			t.Errorf("%s: %d problems, %v", what, report.Found, err)
		}
		err := e.DB.Update(ctx, func(tx kv.Tx) error {
			tx.Put("accounts", kv.Key(a.ID), stored)
			tx.Delete("accounts", kv.Key("a-1"))
			tx.Delete("api_keys", kv.Key("k1"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if report, err := e.Check(ctx, registry.Operator(), part); err != nil || report.Found > 0 {
			t.Errorf("%s, put back: %v %v", what, report.Problems, err)
		}
	}
}
