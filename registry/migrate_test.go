package registry_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// A store as the first release left it: no region on filings, none of the later
// indexes, nothing in the queue of figures, no rules named by sessions.
func TestMigrationOfTheFirstRelease(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	got := e.MustCertificates(by, 0, 600)
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "查实替考"}); err != nil {
		t.Fatal(err)
	}
	strip := func(table kv.Table, member string) {
		t.Helper()
		err := e.DB.Update(ctx, func(tx kv.Tx) error {
			return kv.Each(tx, table, kv.Range{}, func(entry kv.Entry) error {
				if member == "" {
					tx.Delete(table, entry.Key)
					return nil
				}
				var v map[string]any
				if err := json.Unmarshal(entry.Value, &v); err != nil {
					return err
				}
				delete(v, member)
				b, err := json.Marshal(v)
				tx.Put(table, entry.Key, b)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	courses := map[string]any{}
	if err := e.DB.View(ctx, func(rd kv.Reader) error {
		return kv.Each(rd, "sessions", kv.Range{}, func(entry kv.Entry) error {
			var v map[string]any
			err := json.Unmarshal(entry.Value, &v)
			courses[string(entry.Key)] = v["course"]
			return err
		})
	}); err != nil {
		t.Fatal(err)
	}
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		for i := range 1100 {
			tx.Put("counters", kv.Key("claims", []byte{byte(i >> 8), byte(i)}), []byte{0, 0, 0, 0, 0, 0, 0, 2})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	strip("filings", "region")
	strip("sessions", "course")
	for _, table := range []kv.Table{"directory_by_occupation", "occupations_by_name", "results_by_person", "figure_due", "exam_days", "batches_unreported", "batches_unreported_of"} {
		strip(table, "")
	}
	if report, err := e.Check(ctx, registry.Operator(), nil); err != nil || report.Found == 0 {
		t.Fatalf("check of the old store finds %d problems, %v", report.Found, err)
	}
	for _, m := range registry.Migrations() {
		var cursor []byte
		for done, pages := false, 0; !done; pages++ {
			var next []byte // not the cursor: the function may run more than once
			err := e.DB.Update(ctx, func(tx kv.Tx) (err error) {
				next, done, err = m.Step(tx, cursor)
				return err
			})
			if !done && bytes.Equal(next, cursor) {
				t.Fatalf("%s, page %d: the cursor does not move", m.Name, pages)
			}
			cursor = next
			if err != nil || pages > 100 {
				t.Fatalf("%s, page %d: %v", m.Name, pages, err)
			}
		}
	}
	if err := e.DB.View(ctx, func(rd kv.Reader) error {
		gone := kv.Prefix(kv.Key("claims"))
		gone.Limit = 1
		left, err := rd.Scan("counters", gone)
		if err != nil {
			return err
		}
		others, err := rd.Scan("counters", kv.Range{Limit: 1})
		if len(left) > 0 || len(others) == 0 {
			t.Errorf("%d counters of claims are left, %d of others", len(left), len(others))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := e.CountFigures(ctx); err != nil || n == 0 {
		t.Errorf("counted %d, %v", n, err)
	}
	if h, err := e.HistoryOf(ctx, by.Institution.ID); err != nil || len(h.Issued) != 1 || h.Issued[0].Issued != 600 || h.Issued[0].Voided != 1 {
		t.Errorf("history %+v %v", h.Issued, err)
	}
	if page, err := e.FindInstitutions(ctx, registry.DirectoryFilter{Occupation: "电工", Region: "3205"}, registry.Page{}); err != nil || len(page.Items) != 1 {
		t.Errorf("directory %+v %v", page.Items, err)
	}
	// The events of this store say which course a session had; those of the first
	// release did not.
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		return kv.Each(tx, "sessions", kv.Range{}, func(entry kv.Entry) error {
			var v map[string]any
			if err := json.Unmarshal(entry.Value, &v); err != nil {
				return err
			}
			v["course"] = courses[string(entry.Key)]
			b, err := json.Marshal(v)
			tx.Put("sessions", entry.Key, b)
			return err
		})
	}); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
}
