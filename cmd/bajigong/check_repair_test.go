package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"
	"bajigong/registry"
)

// damaged is the store of the demonstration, of which every table of an index and
// every kept sum can be spoilt behind the register's back.
type damaged struct {
	t     *testing.T
	w     world
	data  dataFlags
	clock *simClock
	live  kv.Engine // of a register that is open, which is checked then
	reg   *registry.Registry
}

func newDamaged(t *testing.T) *damaged {
	t.Helper()
	d := &damaged{t: t, data: dataFlags{dir: t.TempDir()}}
	w, out, errs := testWorld()
	if code := run(t.Context(), []string{"demo", "--once", "--dir", d.data.dir}, w); code != exitOK {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	d.w, _, _ = testWorld()
	d.clock = newSimClock(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC), time.Now)
	d.w.now = d.clock.now
	// What waits to be counted is counted, so that there is something to compare.
	d.with(nil, func(reg *registry.Registry) {
		if _, err := reg.CountFigures(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	return d
}

func (d *damaged) engine() kv.Engine {
	d.t.Helper()
	e, err := boltkv.Open(filepath.Join(d.data.dir, "store.db"), boltkv.Options{NoSync: true})
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

// with opens the register, over a wrapped engine.
func (d *damaged) with(wrap func(kv.Engine) kv.Engine, fn func(reg *registry.Registry)) {
	d.t.Helper()
	d.withStore(wrap, func(_ *kv.DB, reg *registry.Registry) { fn(reg) })
}

func (d *damaged) withStore(wrap func(kv.Engine) kv.Engine, fn func(db *kv.DB, reg *registry.Registry)) {
	d.t.Helper()
	c, err := loadConfig(d.data.config())
	if err != nil {
		d.t.Fatal(err)
	}
	keys, err := d.data.openKeys(d.w)
	if err != nil {
		d.t.Fatal(err)
	}
	e := d.engine()
	if wrap != nil {
		e = wrap(e)
	}
	db, err := kv.Open(d.t.Context(), e, kv.Options{Now: d.w.now, Process: "test"}, registry.Migrations())
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	reg, err := newRegistry(db, c, d.data.rules(), keys, d.w.now, d.w.rand, newLog(d.w.stderr))
	if err != nil {
		d.t.Fatal(err)
	}
	fn(db, reg)
}

// open opens the register for many checks.
func (d *damaged) open(fn func()) {
	d.t.Helper()
	d.with(func(e kv.Engine) kv.Engine { d.live = e; return e }, func(reg *registry.Registry) {
		d.reg = reg
		fn()
	})
	d.live, d.reg = nil, nil
}

func (d *damaged) check(parts ...string) (report registry.CheckReport) {
	d.t.Helper()
	check := func(reg *registry.Registry) {
		var err error
		if report, err = reg.Check(d.t.Context(), registry.Operator(), &registry.CheckOptions{Parts: parts}); err != nil {
			d.t.Fatal(err)
		}
	}
	if d.reg != nil {
		check(d.reg)
	} else {
		d.with(nil, check)
	}
	return report
}

func (d *damaged) write(fn func(rd kv.Reader) []kv.Write) {
	d.t.Helper()
	e := d.live
	if e == nil {
		e = d.engine()
		defer e.Close()
	}
	if err := e.Apply(context.Background(), func(rd kv.Reader) ([]kv.Write, error) { return fn(rd), nil }); err != nil {
		d.t.Fatal(err)
	}
}

// all is everything that a table has.
func (d *damaged) all(tables ...kv.Table) map[kv.Table][]kv.Entry {
	d.t.Helper()
	out := map[kv.Table][]kv.Entry{}
	d.write(func(rd kv.Reader) []kv.Write {
		for _, table := range tables {
			entries, err := rd.Scan(table, kv.Range{Limit: kv.MaxScan})
			if err != nil {
				d.t.Error(err)
			}
			out[table] = entries
		}
		return nil
	})
	return out
}

// member changes a number of a stored JSON record.
func member(value []byte, path ...string) []byte {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	_ = decoder.Decode(&v)
	at := v.(map[string]any)
	for _, name := range path[:len(path)-1] {
		at = at[name].(map[string]any)
	}
	at[path[len(path)-1]] = 977
	out, _ := json.Marshal(v)
	return out
}

// TestRepairMakesAnew spoils every index and every kept sum of the store of the
// demonstration, sees the check red for each, kills the repair in the middle again
// and again, and has everything back as it was.
func TestRepairMakesAnew(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	if report := d.check(); report.Found > 0 || !report.Whole {
		t.Fatalf("the demonstration: %v", report.Problems)
	}
	sums := map[kv.Table]string{ // with the part of the check that sees it
		"status_bits": "certificates", "status_lists": "published status lists", "claim_totals": "totals of claims",
		"figure_cells": "statistics", "figure_sums": "statistics", "figure_issuers": "statistics", "figure_people": "statistics",
		"credit_sums": "credit", "printed": "blank certificates", "blank_stock": "blank certificates", "blank_uses": "blank certificates",
		"persons_merged": "merges and collisions", "log_tiles": "audit log", "log_middles": "audit log", "exam_days": "exam dates",
	}
	indexes := slices.DeleteFunc(registry.DerivedTables(), func(table kv.Table) bool { return sums[table] != "" })
	if len(indexes) < 80 || len(registry.DerivedTables())-len(indexes) != len(sums) {
		t.Fatalf("%d indexes, %d sums", len(indexes), len(sums))
	}
	tables := slices.Concat(indexes, slices.Collect(maps.Keys(sums)), []kv.Table{"counters"})
	before := d.all(tables...)
	d.open(func() { d.spoilEach(indexes, sums, before) })
	t.Logf("%d problems", d.check().Found)

	kills := 0
	for budget := 3; ; budget += budget {
		var err error
		var report registry.RepairReport
		d.with(func(e kv.Engine) kv.Engine {
			faulty := kvtest.NewFaulty(e)
			for range budget {
				faulty.Next(kvtest.None)
			}
			if budget < 200 {
				faulty.Always(kvtest.Unreachable)
			}
			return faulty
		}, func(reg *registry.Registry) { report, err = reg.RepairIndexes(t.Context(), registry.Operator(), nil) })
		if err == nil {
			if !report.Resumed || report.LogIndex == 0 || report.Found != 0 {
				t.Errorf("%+v", report)
			}
			for _, table := range []string{"certificates", "claims", "totals of claims", "statistics", "credit", "status bits", "hashes of the audit log"} {
				if report.Repaired[table] == (kv.Repaired{}) {
					t.Errorf("nothing of %s was repaired: %v", table, report.Repaired)
				}
			}
			break
		}
		kills++
		d.clock.move(d.clock.now().Add(time.Hour)) // beyond the lease of the one that died
	}
	if kills < 3 {
		t.Errorf("killed %d times", kills)
	}
	if report := d.check(); report.Found > 0 {
		t.Errorf("after the repair: %d problems, %v", report.Found, report.Problems[:min(10, report.Found)])
	}
	after := d.all(tables...)
	for _, table := range tables {
		if !slices.EqualFunc(before[table], after[table], func(a, b kv.Entry) bool {
			return bytes.Equal(a.Key, b.Key) && (bytes.Equal(a.Value, b.Value) || table == "status_bits")
		}) && table != "counters" && table != "log_tiles" && table != "log_middles" { // the log has grown by the repair
			t.Errorf("%s has other rows than before: %d and %d", table, len(before[table]), len(after[table]))
		}
	}
	d.with(nil, func(reg *registry.Registry) {
		report, err := reg.RepairIndexes(t.Context(), registry.Operator(), nil)
		if err != nil || len(report.Repaired) > 0 || report.LogIndex != 0 {
			t.Errorf("a sound store: %+v %v", report, err)
		}
	})
}

// TestRepairNeverLowersACounter: a counter that is ahead of its records says that the
// newest of them are gone. The check says so before and after a repair; if the counter
// were made to fit, the next record would be given the number of the one that is lost.
func TestRepairNeverLowersACounter(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	parts := map[kv.Table]string{"claims": "records and their events", "decisions": "counters", "reliance": "counters", "credit_events": "credit"}
	for i, table := range slices.Sorted(maps.Keys(parts)) {
		if !needed.Tried(i, 1, 4) {
			continue
		}
		part := parts[table]
		rows := d.all(table, "counters")
		if len(rows[table]) == 0 {
			t.Logf("the demonstration has nothing in %s", table)
			continue
		}
		lost := rows[table][len(rows[table])-1] // the newest of its person, institution or payer
		d.write(func(kv.Reader) []kv.Write { return []kv.Write{{Table: table, Key: lost.Key}} })
		if d.check(part).Found == 0 {
			t.Errorf("the newest record of %s is gone, and a check of %s sees nothing", table, part)
		}
		d.with(nil, func(reg *registry.Registry) {
			if _, err := reg.RepairIndexes(t.Context(), registry.Operator(), nil); err != nil {
				t.Error(err)
			}
		})
		after := d.all("counters")["counters"]
		for i, e := range rows["counters"] {
			if !bytes.HasPrefix(e.Key, kv.Key("credit-year")) && bytes.Compare(after[i].Value, e.Value) < 0 {
				t.Errorf("%s: counter %q was lowered", table, e.Key)
			}
		}
		if d.check(part).Found == 0 {
			t.Errorf("after the repair nothing tells that a record of %s is gone", table)
		}
		d.write(func(kv.Reader) []kv.Write { return []kv.Write{{Table: table, Key: lost.Key, Value: lost.Value}} })
		d.with(nil, func(reg *registry.Registry) {
			if _, err := reg.RepairIndexes(t.Context(), registry.Operator(), nil); err != nil {
				t.Error(err)
			}
		})
		if r := d.check(); r.Found != 0 {
			t.Fatalf("%s put back: %v", table, r.Problems)
		}
	}
}

// spoilEach spoils one place after the other and sees that a check finds more.
func (d *damaged) spoilEach(indexes []kv.Table, sums map[kv.Table]string, before map[kv.Table][]kv.Entry) {
	t := d.t
	t.Helper()
	spoilt, found := 0, map[string]int{}
	red := func(table kv.Table, part, what string) int {
		t.Helper()
		spoilt++
		report := d.check(part)
		if report.Found <= found[part] {
			t.Errorf("%s: nothing more is wrong for a check of %s: %s", table, part, what)
		}
		return report.Found
	}
	var later []kv.Write // sums and counters hide each other: each is spoilt alone first
	alone := func(table kv.Table, e kv.Entry, value []byte, part, what string) {
		t.Helper()
		w := kv.Write{Table: table, Key: e.Key, Value: value}
		d.write(func(kv.Reader) []kv.Write { return []kv.Write{w} })
		red(table, part, what)
		d.write(func(kv.Reader) []kv.Write { return []kv.Write{{Table: table, Key: e.Key, Value: e.Value}} })
		later = append(later, w)
	}
	for _, counter := range []struct{ name, part string }{
		{"credit", "credit"}, {"credit-year", "credit"}, {"reliance", "reliance"}, {"status-version", "published status lists"},
		{"claims", "counters"}, {"decisions", "counters"}, {"results", "counters"}, {"status", "counters"}, {"national-uploads", "counters"},
	} {
		i := slices.IndexFunc(before["counters"], func(e kv.Entry) bool { return bytes.HasPrefix(e.Key, kv.Key(counter.name)) })
		if i < 0 {
			t.Logf("the demonstration has no counter %s", counter.name)
			continue
		}
		alone("counters", before["counters"][i], nil, counter.part, "counter "+counter.name+" is gone")
	}
	for i, table := range indexes {
		d.write(func(kv.Reader) []kv.Write {
			ws := []kv.Write{{Table: table, Key: kv.Key("~nobody"), Value: kv.Key("~nothing")}}
			for i, e := range before[table] {
				switch {
				case i%3 == 0:
					ws = append(ws, kv.Write{Table: table, Key: e.Key})
				case i%3 == 1 && len(before[table]) > 2:
					ws = append(ws, kv.Write{Table: table, Key: e.Key, Value: before[table][i-1].Value})
				}
			}
			return ws
		})
		if needed.Tried(i, 1, 8) || i == len(indexes)-1 {
			found["indexes"] = red(table, "indexes", "entries gone, of others, and of nobody")
		}
	}
	for _, table := range slices.Sorted(maps.Keys(sums)) {
		if len(before[table]) == 0 {
			t.Logf("the demonstration has nothing in %s", table)
			continue
		}
		alone(table, before[table][0], nil, sums[table], "a row is gone")
	}
	for table, path := range map[kv.Table][]string{"claim_totals": {"reserved"}, "printed": {"of_it"}, "blank_stock": {"counts", "in_stock"}, "blank_uses": {"lost"}} {
		if n := len(before[table]); n > 1 {
			alone(table, before[table][n-1], member(before[table][n-1].Value, path...), sums[table], "another number")
		}
	}
	d.write(func(kv.Reader) []kv.Write {
		bit := before["status_bits"][0]
		ws := []kv.Write{{Table: "status_bits", Key: append(bytes.Clone(bit.Key[:len(bit.Key)-1]), bit.Key[len(bit.Key)-1]^0x11), Value: bit.Value},
			{Table: "figure_people", Key: kv.Key(uint64(2026), []byte("0123456789abcdef")), Value: []byte("[]")},
			{Table: "log_tiles", Key: kv.Key(uint64(7), uint64(7)), Value: []byte("x")}}
		return ws
	})
	red("status_bits", "status lists", "a bit of nobody")
	d.write(func(kv.Reader) []kv.Write { return later })
	t.Logf("%d places spoilt", spoilt)
}

// Two records that have one unique entry are not for a repair to choose from.
func TestRepairRefusesContradictions(t *testing.T) {
	d := newDamaged(t)
	before := d.all("versions_by_handle", "certificates_by_person")
	d.write(func(rd kv.Reader) []kv.Write {
		vs, err := rd.Scan("versions", kv.Range{Limit: kv.MaxScan})
		handle := regexp.MustCompile(`"handle":"[^"]+"`)
		vs = slices.DeleteFunc(vs, func(e kv.Entry) bool { return handle.Find(e.Value) == nil })
		if err != nil || len(vs) < 2 {
			t.Fatal(err)
		}
		twin := handle.ReplaceAll(vs[1].Value, handle.Find(vs[0].Value))
		return []kv.Write{{Table: "versions", Key: vs[1].Key, Value: twin}, {Table: "certificates_by_person", Key: before["certificates_by_person"][0].Key}}
	})
	w, out, errs := testWorld()
	if code := run(t.Context(), []string{"check", "--repair-indexes", "--data", d.data.dir}, w); code != exitConflict {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	if !strings.Contains(out.String(), "versions_by_handle") || !strings.Contains(errs.String(), "互相矛盾") {
		t.Errorf("%s\n%s", out, errs)
	}
	if after := d.all("certificates_by_person"); len(after["certificates_by_person"]) != len(before["certificates_by_person"])-1 {
		t.Error("something was written")
	}
	if d.check("indexes").Found == 0 {
		t.Error("the check sees nothing")
	}
}
