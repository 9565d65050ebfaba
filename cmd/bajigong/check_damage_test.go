package main

import (
	"bytes"
	"slices"
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/needed"
	"bajigong/registry"
)

// unseenDamage are the tables of which a lost row is no broken invariant, and why.
var unseenDamage = map[kv.Table]string{
	"appeals":             "nothing that stands rests on one that was turned down",
	"arrangements_past":   "replaced ones are kept for reading",
	"laws":                "only those that a claim rests on are missed",
	"log_witnesses":       "asked anew in the next minute",
	"sealed":              "each kind has its own check; a row of results may go after issue",
	"sign_days":           "counted under the rules that were in force; no right rests on it",
	"sign_people":         "counted under the rules that were in force; no right rests on it",
	"supervision_reports": "what they led to stands in cases",
	"webhook_marks":       "a mark that is gone is set by the next entry",
	"accounts":            "seen only by what refers to it",
	"leases":              "a lease begins anew",
	"requests":            "an answer that is not remembered is worked out again",
}

// TestLostRecordsAreSeen takes rows from each table of the demonstration, one at a
// time, and sees the check red, but for tables of which nothing hangs. (Rows of a
// candidate who did not pass may go: so a few of each table are tried.) A part that cannot go on with what is left says so, and the
// others are checked all the same.
func TestLostRecordsAreSeen(t *testing.T) {
	t.Parallel()
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
	tables = slices.DeleteFunc(tables, func(table kv.Table) bool {
		return slices.Contains(derived, table) || table == "meta" // kv's own: without its schema all migrations would run
	})
	rows := d.all(tables...)
	// damage changes rows of a table, one at a time, until one is missed.
	damage := func(table kv.Table, spoil func(kv.Entry) kv.Write) bool {
		t.Helper()
		list := rows[table]
		for _, i := range slices.Compact([]int{len(list) - 1, len(list) / 2, 0, len(list) / 3, len(list) / 4, len(list) / 5, len(list) / 6, len(list) / 7, len(list) / 8}) {
			row := kv.Write{Table: table, Key: list[i].Key, Value: bytes.Clone(list[i].Value)}
			d.write(func(kv.Reader) []kv.Write { return []kv.Write{spoil(list[i])} })
			report := d.check()
			if len(report.Parts) != len(registry.CheckPartNames()) {
				t.Errorf("%s: the check ended after %d parts", table, len(report.Parts))
			}
			d.write(func(kv.Reader) []kv.Write { return []kv.Write{row} })
			if report.Found > 0 {
				return true
			}
		}
		return false
	}
	seen, tried := 0, 0
	for i, table := range tables {
		if !needed.Tried(i, 1, 8) {
			continue
		}
		tried++
		if damage(table, func(e kv.Entry) kv.Write { return kv.Write{Table: table, Key: e.Key} }) {
			seen++
		} else if unseenDamage[table] == "" {
			t.Errorf("%s: rows of %d are gone, and the check is green", table, len(rows[table]))
		}
	}
	// The status history is replayed, and a paper leads to its holder.
	for _, table := range []kv.Table{"status_history", "persons_by_document"} {
		if !damage(table, func(e kv.Entry) kv.Write {
			value := bytes.Clone(e.Value)
			value[0] ^= 1
			return kv.Write{Table: table, Key: e.Key, Value: value}
		}) {
			t.Errorf("%s: other values, and the check is green", table)
		}
	}
	if report := d.check(); report.Found > 0 || !report.Whole || seen < 3*tried/4 {
		t.Errorf("put back: %v; rows of %d of %d tables were missed", report.Problems[:min(5, len(report.Problems))], seen, tried)
	}
}
