package kvtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"bajigong/internal/kv"
)

// twice is a migration that doubles the numbers of table "a", three a page.
func twice(name string) kv.Migration {
	return kv.Migration{Name: name, Step: func(tx kv.Tx, cursor []byte) ([]byte, bool, error) {
		rng := kv.Range{From: cursor, Limit: 3}
		entries, err := tx.Scan("a", rng)
		if err != nil {
			return nil, false, err
		}
		for _, e := range entries {
			n, err := number(tx, "a", string(e.Key))
			if err != nil {
				return nil, false, err
			}
			tx.Put("a", e.Key, fmt.Append(nil, 2*n))
		}
		if len(entries) < rng.Limit {
			return nil, true, nil
		}
		return rng.After(entries[2].Key).From, false, nil
	}}
}

// failingAt is m, but fails from the page that begins at key on.
func failingAt(m kv.Migration, key string) kv.Migration {
	step := m.Step
	m.Step = func(tx kv.Tx, cursor []byte) ([]byte, bool, error) {
		if string(cursor) >= key {
			return nil, false, ErrFault
		}
		return step(tx, cursor)
	}
	return m
}

func numbers(s *store) (ns []int) {
	s.t.Helper()
	err := s.View(s.t.Context(), func(r kv.Reader) error {
		ns = nil
		return kv.Each(r, "a", kv.Range{}, func(e kv.Entry) error {
			n, err := number(r, "a", string(e.Key))
			ns = append(ns, n)
			return err
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return ns
}

func fillNumbers(s *store, n int) {
	s.update(func(tx kv.Tx) error {
		for i := range n {
			tx.Put("a", fmt.Appendf(nil, "%03d", i), []byte("1"))
		}
		return nil
	})
}

func dbMigrations(t *testing.T, h Harness) {
	e := h.Open(t)
	s := open(t, e, kv.Options{})
	fillNumbers(s, 10)
	reopen := func(migrations ...kv.Migration) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		e = h.Reopen(t, e)
		s = open(t, e, kv.Options{}, migrations...)
	}
	reopen(twice("one"))
	equal(t, "after one migration", numbers(s), slices.Repeat([]int{2}, 10))
	reopen(twice("one"))
	equal(t, "opened again", numbers(s), slices.Repeat([]int{2}, 10))
	reopen(twice("one"), twice("two"), twice("three"))
	equal(t, "after three", numbers(s), slices.Repeat([]int{8}, 10))
	s.update(increment("a", "000"))
}

// dbMigrationResumes fails on the third page and goes on from there later.
func dbMigrationResumes(t *testing.T, h Harness) {
	e := h.Open(t)
	s := open(t, e, kv.Options{})
	fillNumbers(s, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e = h.Reopen(t, e)
	for range 2 {
		_, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), []kv.Migration{failingAt(twice("one"), "005")})
		if !errors.Is(err, ErrFault) {
			t.Fatalf("Open with a failing step: %v", err)
		}
	}
	// A program that does not know the migration is shut out half-way too.
	if _, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), nil); !errors.Is(err, kv.ErrSchema) {
		t.Errorf("older program in the middle of a migration: %v", err)
	}
	s = open(t, e, kv.Options{}, twice("one"))
	equal(t, "each page once", numbers(s), slices.Repeat([]int{2}, 10))

	meddling := kv.Migration{Name: "meddling", Step: func(tx kv.Tx, _ []byte) ([]byte, bool, error) {
		tx.Put("meta", kv.Key("time"), nil)
		return nil, true, nil
	}}
	if _, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), []kv.Migration{twice("one"), meddling}); !errors.Is(err, kv.ErrLimit) {
		t.Errorf("a migration that writes kv's own table: %v, want ErrLimit", err)
	}
	stuck := kv.Migration{Name: "stuck", Step: func(kv.Tx, []byte) ([]byte, bool, error) { return []byte("x"), false, nil }}
	if _, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), []kv.Migration{twice("one"), stuck}); err == nil {
		t.Error("a migration whose cursor does not move did not end")
	}
}

// dbSchemaNewer migrates the store under a DB that is open.
func dbSchemaNewer(t *testing.T, h Harness) {
	e := h.Open(t)
	old := open(t, e, kv.Options{}, twice("one"))
	fillNumbers(old, 2)
	if _, err := kv.Open(t.Context(), e, old.fill(kv.Options{}), []kv.Migration{twice("one"), failingAt(twice("two"), "")}); !errors.Is(err, ErrFault) {
		t.Fatal(err)
	}
	old.update(increment("b", "n")) // a migration that failed on its first page began nothing
	equal(t, "read before", numbers(old), []int{1, 1})
	select {
	case <-old.Outdated():
		t.Error("outdated before it is")
	default:
	}
	if _, err := kv.Open(t.Context(), e, old.fill(kv.Options{}), []kv.Migration{twice("one"), twice("two")}); err != nil {
		t.Fatal(err)
	}
	for _, write := range []call{old.asUpdate(increment("b", "n")), old.asBulk(claim("k", "x"))} {
		if err := write(); !errors.Is(err, kv.ErrSchema) {
			t.Errorf("write of a DB whose store was migrated: %v, want ErrSchema", err)
		}
	}
	select {
	case <-old.Outdated():
	default:
		t.Error("the DB does not say that it is outdated")
	}
	// Reads of an engine that others may have open are refused too.
	if _, alone := e.(interface{ Exclusive() }); !alone {
		for name, read := range map[string]func(kv.Reader) error{
			"Get":     func(r kv.Reader) error { _, err := r.Get("b", []byte("n")); return err },
			"GetMany": func(r kv.Reader) error { _, err := r.GetMany("b", [][]byte{[]byte("n"), []byte("m")}); return err },
			"Scan":    func(r kv.Reader) error { _, err := r.Scan("b", kv.Range{Limit: 3}); return err },
			"twice":   func(r kv.Reader) error { _, _ = r.Get("b", []byte("n")); _, err := r.Get("b", []byte("n")); return err },
		} {
			if err := old.View(t.Context(), read); !errors.Is(err, kv.ErrSchema) {
				t.Errorf("%s of a DB whose store was migrated: %v, want ErrSchema", name, err)
			}
		}
	}
	if err := e.View(t.Context(), func(r kv.Reader) error {
		n, err := r.Get("b", []byte("n"))
		k, err2 := r.Get("claims", []byte("k"))
		if string(n) != "1" || k != nil {
			t.Errorf("a refused write left %q, %q", n, k)
		}
		return errors.Join(err, err2)
	}); err != nil {
		t.Error(err)
	}
	if _, _, err := old.Snapshot(t.Context()); !errors.Is(err, kv.ErrSchema) {
		t.Errorf("snapshot of a DB whose store was migrated: %v, want ErrSchema", err)
	}
	if _, err := kv.Open(t.Context(), e, old.fill(kv.Options{}), []kv.Migration{twice("one")}); !errors.Is(err, kv.ErrSchema) {
		t.Errorf("Open of a newer store: %v, want ErrSchema", err)
	}
}

// dbSchemaOlder empties the store under a DB that is open, and puts an older one in its
// place: no newer program did that.
func dbSchemaOlder(t *testing.T, h Harness) {
	for name, row := range map[string][]byte{"emptied": nil, "older": []byte("1 one")} {
		e := h.Open(t)
		s := open(t, e, kv.Options{}, twice("one"), twice("two"))
		fillNumbers(s, 2)
		if err := s.OutdatedBy(); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		if err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "meta", Key: kv.Key("schema"), Value: row}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.asUpdate(increment("b", "n"))(); !errors.Is(err, kv.ErrSchemaLost) || errors.Is(err, kv.ErrSchema) {
			t.Errorf("%s: a write: %v, want ErrSchemaLost", name, err)
		}
		if err := s.OutdatedBy(); !errors.Is(err, kv.ErrSchemaLost) {
			t.Errorf("%s: outdated by %v, want ErrSchemaLost", name, err)
		}
	}
}

func dbSchemaEdited(t *testing.T, h Harness) {
	e := h.Open(t)
	s := open(t, e, kv.Options{}, twice("one"), twice("two"))
	_, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), []kv.Migration{twice("one"), twice("other")})
	if !errors.Is(err, kv.ErrSchema) {
		t.Errorf("Open with another list of migrations: %v, want ErrSchema", err)
	}
}

// dbSchemaLost opens a store whose schema row is gone, or is older than what the store
// shows: migrations must not run twice over what is stored.
func dbSchemaLost(t *testing.T, h Harness) {
	e := h.Open(t)
	marked := twice("marked")
	step := marked.Step
	marked.Step = func(tx kv.Tx, cursor []byte) ([]byte, bool, error) {
		tx.Put("marks", []byte("marked"), nil)
		return step(tx, cursor)
	}
	marked.Trace = func(r kv.Reader) (bool, error) {
		v, err := r.Get("marks", []byte("marked"))
		return v != nil, err
	}
	migrations := []kv.Migration{twice("one"), marked, twice("three")}
	s := open(t, e, kv.Options{}, migrations...)
	fillNumbers(s, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e = h.Reopen(t, e)
	schema := kv.Key("schema")
	set := func(key, value []byte) {
		t.Helper()
		if err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "meta", Key: key, Value: value}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string][]byte{"gone": nil, "older": []byte("1 one")} {
		set(schema, row)
		if _, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), migrations); !errors.Is(err, kv.ErrSchemaLost) {
			t.Errorf("schema row %s: %v, want ErrSchemaLost", name, err)
		}
	}
	// The row gone in the middle of a migration leaves its cursor.
	set(schema, nil)
	set(kv.Key("migration"), []byte("002"))
	if _, err := kv.Open(t.Context(), e, s.fill(kv.Options{}), []kv.Migration{twice("one")}); !errors.Is(err, kv.ErrSchemaLost) {
		t.Errorf("a cursor without a schema row: %v, want ErrSchemaLost", err)
	}
	set(kv.Key("migration"), nil)
	set(schema, []byte("3 three"))
	s = open(t, e, kv.Options{}, migrations...)
	equal(t, "nothing was migrated again", numbers(s), slices.Repeat([]int{1}, 5))
}
