package main

import (
	"bytes"
	"slices"
	"testing"

	"bajigong/internal/kv"
	"bajigong/registry"
)

// unseenDamage are the tables of which a lost row is no broken invariant, and why.
var unseenDamage = map[kv.Table]string{
	"appeals":             "nothing that stands rests on one that was turned down",
	"arrangements_past":   "replaced ones are kept for reading",
	"laws":                "only those that a claim rests on are missed",
	"log_witnesses":       "asked anew in the next minute",
	"meta":                "kv's own",
	"sealed":              "each kind has its own check; a row of results may go after issue",
	"sign_days":           "counted under the rules that were in force; no right rests on it",
	"sign_people":         "counted under the rules that were in force; no right rests on it",
	"supervision_reports": "what they led to stands in cases",
	"webhook_marks":       "a mark that is gone is set by the next entry",
	"accounts":            "seen only by what refers to it",
	"leases":              "a lease begins anew",
	"requests":            "an answer that is not remembered is worked out again",
}

// TestLostRecordsAreSeen takes a row from the middle and the last row of each table of
// the demonstration, one at a time, and sees the check red for each, but for those of
// which nothing hangs. A part that cannot go on with what is left says so, and the
// others are checked all the same.
func TestLostRecordsAreSeen(t *testing.T) {
	d := newDamaged(t)
	var tables []kv.Table
	e := d.engine()
	if err := e.View(t.Context(), func(rd kv.Reader) (err error) { tables, err = kv.Tables(rd); return err }); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	derived := registry.DerivedTables() // for TestRepairMakesAnew
	tables = slices.DeleteFunc(tables, func(table kv.Table) bool { return slices.Contains(derived, table) })
	rows := d.all(tables...)
	seen := 0
	for _, table := range tables {
		list := rows[table]
		for _, lost := range []kv.Entry{list[len(list)/2], list[len(list)-1]} {
			d.write(func(kv.Reader) []kv.Write { return []kv.Write{{Table: table, Key: lost.Key}} })
			report := d.check()
			switch why, known := unseenDamage[table]; {
			case report.Found > 0:
				seen++
			case !known:
				t.Errorf("%s: row %x of %d is gone, and the check is green", table, lost.Key, len(list))
			case why == "":
				t.Errorf("%s: why is that?", table)
			}
			if len(report.Parts) != len(registry.CheckPartNames()) {
				t.Errorf("%s: the check ended after %d parts", table, len(report.Parts))
			}
			d.write(func(kv.Reader) []kv.Write {
				return []kv.Write{{Table: table, Key: lost.Key, Value: bytes.Clone(lost.Value)}}
			})
		}
	}
	if report := d.check(); report.Found > 0 || !report.Whole || seen < len(tables) {
		t.Errorf("put back: %v; %d losses of %d tables were seen", report.Problems, seen, len(tables))
	}
	// The status history is replayed, and a paper leads to its holder.
	for _, table := range []kv.Table{"status_history", "persons_by_document"} {
		all := d.all(table)[table]
		row := all[len(all)/2]
		value := bytes.Clone(row.Value)
		value[0] ^= 1
		d.write(func(kv.Reader) []kv.Write { return []kv.Write{{Table: table, Key: row.Key, Value: value}} })
		if d.check().Found == 0 {
			t.Errorf("%s: another value, and the check is green", table)
		}
		d.write(func(kv.Reader) []kv.Write { return []kv.Write{{Table: table, Key: row.Key, Value: row.Value}} })
	}
}
