package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/kv"
)

// dbModel runs random Updates, some refused, that read what they wrote.
func dbModel(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	m := model{}
	refuse := errors.New("refused at random")
	for range 60 {
		var next model
		seed := rand.Uint64()
		refused := rand.N(4) == 0
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			next = m.clone()
			r := rand.New(rand.NewPCG(seed, 0))
			for range r.IntN(25) {
				table, key := randomTable(), randomKey()
				if r.IntN(3) == 0 {
					tx.Delete(table, key)
					next.set(table, string(key), nil)
				} else {
					value := randomValue()
					tx.Put(table, key, value)
					next.set(table, string(key), value)
					for i := range value {
						value[i] ^= 0xFF // Put took a copy
					}
				}
				next.check(t, tx)
			}
			if refused {
				return refuse
			}
			return nil
		})
		if refused {
			equal(t, "error", err, refuse)
		} else if err != nil {
			t.Fatal(err)
		} else {
			m = next
		}
		if err := s.View(t.Context(), func(r kv.Reader) error { m.check(t, r); m.check(t, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// dbClaimOnce lets 32 writers claim the same things through every handle there is.
func dbClaimOnce(t *testing.T, h Harness) {
	e := h.Open(t)
	var stores []*store
	for _, e := range handles(t, h, e) {
		stores = append(stores, open(t, e, kv.Options{}))
	}
	const writers, things = 32, 12
	var mu sync.Mutex
	won := map[string]string{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for _, i := range rand.Perm(things) {
				key, by := fmt.Sprint("thing-", i), fmt.Sprint("writer-", w)
				err := stores[w%len(stores)].Update(t.Context(), claim(key, by))
				if err != nil && !errors.Is(err, errTaken) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					if other, twice := won[key]; twice {
						t.Errorf("%s was claimed by %s and %s", key, other, by)
					}
					won[key] = by
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	equal(t, "things claimed", len(won), things)
	for key, by := range won {
		stores[0].want("claims", key, by)
	}
}

func dbEmptyAndAbsent(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	s.update(func(tx kv.Tx) error {
		tx.Put("a", []byte("empty"), []byte{})
		tx.Put("a", []byte("nil"), nil)
		tx.Put("a", []byte("gone"), []byte("x"))
		tx.Delete("a", []byte("gone"))
		tx.Delete("a", []byte("never"))
		return wantPresence(t, tx)
	})
	if err := s.View(t.Context(), func(r kv.Reader) error { return wantPresence(t, r) }); err != nil {
		t.Fatal(err)
	}
}

func wantPresence(t *testing.T, r kv.Reader) error {
	keys := [][]byte{[]byte("empty"), []byte("nil"), []byte("gone"), []byte("never")}
	values, err := r.GetMany("a", keys)
	if err != nil {
		return err
	}
	equal(t, "values", values, [][]byte{{}, {}, nil, nil})
	for i, key := range keys {
		value, err := r.Get("a", key)
		if err != nil {
			return err
		}
		equal(t, string(key), value, values[i])
	}
	entries, err := r.Scan("a", kv.Range{Limit: 9})
	equal(t, "entries", entries, []kv.Entry{{Key: keys[0], Value: []byte{}}, {Key: keys[1], Value: []byte{}}})
	return err
}

func dbLimits(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	long := make([]byte, kv.MaxKey+1)
	for name, fn := range map[string]func(kv.Tx){
		"empty key":        func(tx kv.Tx) { tx.Put("a", nil, nil) },
		"long key":         func(tx kv.Tx) { tx.Put("a", long, nil) },
		"large value":      func(tx kv.Tx) { tx.Put("a", []byte("k"), make([]byte, kv.MaxValue+1)) },
		"delete empty":     func(tx kv.Tx) { tx.Delete("a", []byte{}) },
		"delete long":      func(tx kv.Tx) { tx.Delete("a", long) },
		"no table":         func(tx kv.Tx) { tx.Put("", []byte("k"), nil) },
		"capital table":    func(tx kv.Tx) { tx.Put("A", []byte("k"), nil) },
		"long table":       func(tx kv.Tx) { tx.Put(kv.Table(strings.Repeat("a", kv.MaxTable+1)), []byte("k"), nil) },
		"kv's own table":   func(tx kv.Tx) { tx.Put("meta", []byte("k"), nil) },
		"get empty":        func(tx kv.Tx) { _, _ = tx.Get("a", nil) },
		"get long":         func(tx kv.Tx) { _, _ = tx.GetMany("a", [][]byte{{1}, long}) },
		"scan no limit":    func(tx kv.Tx) { _, _ = tx.Scan("a", kv.Range{}) },
		"scan too much":    func(tx kv.Tx) { _, _ = tx.Scan("a", kv.Range{Limit: kv.MaxScan + 1}) },
		"scan negative":    func(tx kv.Tx) { _, _ = tx.Scan("a", kv.Range{Limit: -1}) },
		"scan of no table": func(tx kv.Tx) { _, _ = tx.Scan("A", kv.Range{Limit: 1}) },
	} {
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			tx.Put("a", []byte("neighbour"), []byte("x"))
			fn(tx)
			return nil
		})
		if !errors.Is(err, kv.ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
		s.want("a", "neighbour", "-")
	}
	key := bytes.Repeat([]byte{'k'}, kv.MaxKey)
	s.update(func(tx kv.Tx) error {
		tx.Put(kv.Table(strings.Repeat("z", kv.MaxTable)), key, make([]byte, 1<<20))
		return nil
	})
	err := s.View(t.Context(), func(r kv.Reader) error {
		_, err := r.Scan("a", kv.Range{})
		return err
	})
	if !errors.Is(err, kv.ErrLimit) {
		t.Errorf("scan without a limit in a View: %v, want ErrLimit", err)
	}
}

// dbPages reads page by page, both ways, in a View and over own deletions.
func dbPages(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	var all []string
	s.update(func(tx kv.Tx) error {
		all = nil
		for i := range 50 {
			all = append(all, fmt.Sprintf("%03d", i))
			tx.Put("a", []byte(all[i]), []byte("v"))
		}
		return nil
	})
	read := func(r kv.Reader, rng kv.Range) (keys []string) {
		if err := kv.Each(r, "a", rng, func(e kv.Entry) error { keys = append(keys, string(e.Key)); return nil }); err != nil {
			t.Fatal(err)
		}
		return keys
	}
	check := func(r kv.Reader, want []string) {
		for limit := range 8 {
			equal(t, "forwards", read(r, kv.Range{Limit: limit + 1}), want)
			got := read(r, kv.Range{Limit: limit + 1, Reverse: true})
			for i, key := range got {
				equal(t, "backwards", key, want[len(want)-1-i])
			}
			equal(t, "backwards", len(got), len(want))
		}
	}
	if err := s.View(t.Context(), func(r kv.Reader) error { check(r, all); return nil }); err != nil {
		t.Fatal(err)
	}
	s.update(func(tx kv.Tx) error {
		for _, key := range all[5:45] {
			tx.Delete("a", []byte(key))
		}
		tx.Put("a", []byte("0205"), []byte("own"))
		check(tx, append(append(append([]string{}, all[:5]...), "0205"), all[45:]...))
		return nil
	})
}

// dbSnapshot reads a snapshot while writers go on and the store grows.
func dbSnapshot(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	s.put("a", "k", "old")
	r, release, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 10 {
				err := s.Update(t.Context(), func(tx kv.Tx) error {
					tx.Put("a", []byte("k"), []byte("new"))
					tx.Put("b", fmt.Append(nil, w, i), make([]byte, 100_000))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		v, err := r.Get("a", []byte("k"))
		if err != nil || string(v) != "old" {
			t.Errorf("snapshot reads %q, %v", v, err)
		}
		if entries, err := r.Scan("b", kv.Range{Limit: 1}); err != nil || len(entries) > 0 {
			t.Errorf("snapshot sees later entries: %d, %v", len(entries), err)
		}
	}
	wg.Wait()
	release()
	release()
	s.want("a", "k", "new")
}

// dbTime moves the clock back: tx time does not follow.
func dbTime(t *testing.T, h Harness) {
	e := h.Open(t)
	s := open(t, e, kv.Options{})
	now := func() (at time.Time) {
		s.t.Helper()
		s.update(func(tx kv.Tx) error {
			at = tx.Now()
			tx.Put("a", []byte("k"), nil)
			return nil
		})
		err := s.View(t.Context(), func(r kv.Reader) error {
			view, err := s.Now(r)
			equal(t, "time of a View", view, at)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.clock.set(start.Add(700 * time.Millisecond))
	equal(t, "time", now(), start)
	s.clock.set(start.Add(-time.Hour))
	equal(t, "time after the clock went back", now(), start)
	s.clock.set(start.Add(90 * time.Second))
	equal(t, "time after the clock went on", now(), start.Add(90*time.Second))

	// Within a group, with the clock running backwards from Update to Update.
	at := make([]time.Time, 4)
	var calls []call
	for i := range at {
		calls = append(calls, s.asUpdate(func(tx kv.Tx) error {
			s.clock.set(start.Add(time.Hour - time.Duration(i)*time.Minute))
			at[i] = tx.Now()
			tx.Put("a", []byte("k"), nil)
			return nil
		}))
	}
	equal(t, "errors", errors.Join(s.together(None, calls...)...), nil)
	for i := range at[1:] {
		if at[i+1].Before(at[i]) {
			t.Errorf("time ran backwards within a group: %v", at)
		}
	}
	last := now()

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, h.Reopen(t, e), kv.Options{})
	s.clock.set(start.Add(-time.Hour))
	if got := now(); got.Before(last) {
		t.Errorf("time after reopening %v, before it %v", got, last)
	}
}

func dbClose(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	held, release := s.engine.Hold()
	defer release()
	running, waiting := make(chan error, 1), make(chan error, 1)
	go func() { running <- s.Update(context.Background(), increment("a", "n")) }()
	<-held
	go func() { waiting <- s.Update(context.Background(), increment("a", "n")) }()
	s.await(func() bool { return s.Waiting() == 1 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	s.await(func() bool { return errors.Is(s.View(t.Context(), func(kv.Reader) error { return nil }), kv.ErrClosed) })
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait for the group: %v", err)
	default:
	}
	release()
	equal(t, "Update under way", <-running, nil)
	if err := <-waiting; !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Update in the queue: %v, want ErrClosed", err)
	}
	equal(t, "Close", <-closed, nil)
	equal(t, "second Close", s.Close(), nil)
	if err := s.Update(t.Context(), increment("a", "n")); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
	if _, _, err := s.Snapshot(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Snapshot after Close: %v", err)
	}
}

// dbNested calls the DB from inside its own functions.
func dbNested(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	inner := map[string]func() error{
		"Update": func() error { return s.Update(t.Context(), increment("a", "n")) },
		"Bulk":   func() error { return s.Bulk(t.Context(), increment("a", "n")) },
		"View":   func() error { return s.View(t.Context(), func(kv.Reader) error { return nil }) },
		"Snapshot": func() error {
			_, _, err := s.Snapshot(t.Context())
			return err
		},
	}
	for name, call := range inner {
		if err := s.Update(t.Context(), func(kv.Tx) error { return call() }); !errors.Is(err, kv.ErrNested) {
			t.Errorf("%s in an Update: %v", name, err)
		}
		if err := s.View(t.Context(), func(kv.Reader) error { return call() }); !errors.Is(err, kv.ErrNested) {
			t.Errorf("%s in a View: %v", name, err)
		}
	}
	s.update(increment("a", "n"))
	s.want("a", "n", "1")
}

// dbState holds states to what they show: two Views of one state read the same, and
// after a write there is another one. Within an Update there is none.
func dbState(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	shown := map[uint64]string{}
	var last uint64
	for n := range 20 {
		want := fmt.Sprint(n)
		if err := s.Update(t.Context(), func(tx kv.Tx) error {
			if state := kv.StateOf(tx); state != 0 {
				t.Errorf("an Update has state %d", state)
			}
			tx.Put("t1", []byte("k"), []byte(want))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.View(t.Context(), func(r kv.Reader) error {
				v, err := r.Get("t1", []byte("k"))
				if last = kv.StateOf(r); last != 0 {
					if before, ok := shown[last]; ok && before != string(v) {
						t.Errorf("state %d shows %s and %s", last, before, v)
					}
					shown[last] = string(v)
				}
				equal(t, "value", string(v), want)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last != 0 && len(shown) != 20 {
		t.Errorf("%d states of 20 writes", len(shown))
	}
}
