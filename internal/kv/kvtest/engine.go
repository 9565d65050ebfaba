package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"bajigong/internal/kv"
)

func runEngine(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Model", engineModel},
		{"EmptyAndAbsent", engineEmptyAndAbsent},
		{"Large", engineLarge},
		{"ErrorLeavesNothing", engineErrorLeavesNothing},
		{"PanicFreesTheLock", enginePanicFreesTheLock},
		{"CancelledContext", engineCancelled},
		{"WritersAreAlone", engineWritersAreAlone},
		{"ViewIsConsistent", engineViewIsConsistent},
		{"Reopen", engineReopen},
		{"Snapshot", engineSnapshot},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

func apply(t *testing.T, e kv.Engine, writes ...kv.Write) {
	t.Helper()
	if err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) { return writes, nil }); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, e kv.Engine, fn func(r kv.Reader)) {
	t.Helper()
	if err := e.View(t.Context(), func(r kv.Reader) error { fn(r); return nil }); err != nil {
		t.Fatal(err)
	}
}

func write(table kv.Table, key, value string) kv.Write {
	return kv.Write{Table: table, Key: []byte(key), Value: append([]byte{}, value...)}
}

// engineModel compares random groups and reads with a map.
func engineModel(t *testing.T, h Harness) {
	e := h.Open(t)
	m := model{}
	for range 60 {
		group := map[string]kv.Write{}
		for range rand.N(20) {
			w := kv.Write{Table: randomTable(), Key: randomKey()}
			if rand.N(3) > 0 {
				w.Value = randomValue()
			}
			group[fmt.Sprintf("%s %x", w.Table, w.Key)] = w
		}
		next := m.clone()
		var writes []kv.Write
		for _, id := range slices.Sorted(maps.Keys(group)) {
			w := group[id]
			writes = append(writes, w)
			next.set(w.Table, string(w.Key), w.Value)
		}
		err := e.Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
			m.check(t, r)
			m.check(t, r)
			return writes, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		m = next
		view(t, e, func(r kv.Reader) {
			for range 5 {
				m.check(t, r)
			}
		})
	}
}

func engineEmptyAndAbsent(t *testing.T, h Harness) {
	e := h.Open(t)
	apply(t, e, write("a", "empty", ""), write("a", "gone", "x"))
	apply(t, e, kv.Write{Table: "a", Key: []byte("gone")}, kv.Write{Table: "b", Key: []byte("never")})
	view(t, e, func(r kv.Reader) {
		values, err := r.GetMany("a", [][]byte{[]byte("empty"), []byte("gone"), []byte("never"), []byte("empty")})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "values", values, [][]byte{{}, nil, nil, {}})
		for table, n := range map[kv.Table]int{"a": 1, "b": 0, "c": 0} {
			entries, err := r.Scan(table, kv.Range{Limit: 10})
			if err != nil || len(entries) != n {
				t.Errorf("scan of %s: %d entries, %v; want %d", table, len(entries), err, n)
			}
		}
		for _, rng := range []kv.Range{
			{From: []byte("z"), To: []byte("a"), Limit: 1},
			{From: []byte("z"), To: []byte("a"), Limit: 1, Reverse: true},
			{To: []byte{}, Limit: 1},
			{To: []byte{}, Limit: 1, Reverse: true},
		} {
			if entries, err := r.Scan("a", rng); err != nil || len(entries) != 0 {
				t.Errorf("scan of nothing, %v: %v, %v", rng, entries, err)
			}
		}
	})
}

func engineLarge(t *testing.T, h Harness) {
	e := h.Open(t)
	key, value := bytes.Repeat([]byte{0xFF}, kv.MaxKey), make([]byte, 2<<20)
	for i := range value {
		value[i] = byte(rand.N(256))
	}
	apply(t, e, kv.Write{Table: "large", Key: key, Value: value})
	view(t, e, func(r kv.Reader) {
		got, err := r.Get("large", key)
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("large value: %d bytes, %v", len(got), err)
		}
		entries, err := r.Scan("large", kv.Range{To: append(bytes.Clone(key), 0), Limit: kv.MaxScan, Reverse: true})
		if err != nil || len(entries) != 1 || !bytes.Equal(entries[0].Key, key) {
			t.Errorf("scan of a large entry: %d, %v", len(entries), err)
		}
	})
}

func engineErrorLeavesNothing(t *testing.T, h Harness) {
	e := h.Open(t)
	mine := errors.New("mine")
	err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
		return []kv.Write{write("a", "k", "v")}, mine
	})
	if err != mine {
		t.Errorf("Apply = %v, want the function's error unchanged", err)
	}
	if err := e.View(t.Context(), func(kv.Reader) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("View = %v, want the function's error", err)
	}
	apply(t, e) // nothing at all
	view(t, e, func(r kv.Reader) {
		if v, err := r.Get("a", []byte("k")); v != nil || err != nil {
			t.Errorf("after an error: %q, %v", v, err)
		}
	})
}

func enginePanicFreesTheLock(t *testing.T, h Harness) {
	e := h.Open(t)
	for _, run := range []func(){
		func() { _ = e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) { panic("apply") }) },
		func() { _ = e.View(t.Context(), func(kv.Reader) error { panic("view") }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("panic did not reach the caller")
				}
			}()
			run()
		}()
	}
	apply(t, e, write("a", "k", "v"))
}

func engineCancelled(t *testing.T, h Harness) {
	e := h.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	errs := []error{
		e.View(ctx, func(kv.Reader) error { ran = true; return nil }),
		e.Apply(ctx, func(kv.Reader) ([]kv.Write, error) { ran = true; return nil, nil }),
	}
	for _, err := range errs {
		if !errors.Is(err, context.Canceled) || errors.Is(err, kv.ErrOutcomeUnknown) {
			t.Errorf("with a cancelled context: %v", err)
		}
	}
	if ran {
		t.Error("function ran with a cancelled context")
	}
}

// handles gives e, and the second engine over the same database if there is one.
func handles(t *testing.T, h Harness, e kv.Engine) []kv.Engine {
	t.Helper()
	if h.Second == nil {
		return []kv.Engine{e}
	}
	return []kv.Engine{e, h.Second(t, e)}
}

func engineWritersAreAlone(t *testing.T, h Harness) {
	e := h.Open(t)
	engines := handles(t, h, e)
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range rounds {
				err := engines[i%len(engines)].Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
					n, err := number(r, "a", "n")
					return []kv.Write{write("a", "n", fmt.Sprint(n+1))}, err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, e, func(r kv.Reader) {
		if n, err := number(r, "a", "n"); err != nil || n != writers*rounds {
			t.Errorf("%d increments kept, %v; want %d", n, err, writers*rounds)
		}
	})
}

func engineViewIsConsistent(t *testing.T, h Harness) {
	e := h.Open(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 60 {
			err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
				return []kv.Write{write("a", "x", fmt.Sprint(i)), write("b", "y", fmt.Sprint(i))}, nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		view(t, e, func(r kv.Reader) {
			x, err1 := number(r, "a", "x")
			y, err2 := number(r, "b", "y")
			again, err3 := number(r, "a", "x")
			if err := errors.Join(err1, err2, err3); err != nil || x != y || x != again {
				t.Errorf("a View saw %d, %d, then %d: %v", x, y, again, err)
			}
		})
	}
	wg.Wait()
}

func engineReopen(t *testing.T, h Harness) {
	e := h.Open(t)
	apply(t, e, write("a", "k", "v"), write("a", "empty", ""))
	e = h.Reopen(t, e)
	view(t, e, func(r kv.Reader) {
		values, err := r.GetMany("a", [][]byte{[]byte("k"), []byte("empty"), []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "values after reopening", values, [][]byte{[]byte("v"), {}, nil})
	})
	apply(t, e, write("a", "k", "w"))
}

// engineSnapshot takes a snapshot and lets the store grow manyfold.
func engineSnapshot(t *testing.T, h Harness) {
	e := h.Open(t)
	var writes []kv.Write
	for i := range 300 {
		writes = append(writes, write("a", fmt.Sprintf("%04d", i), "old"))
	}
	apply(t, e, writes...)
	r, release, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	page := string(make([]byte, 20_000))
	for i := range 30 {
		var writes []kv.Write
		for j := range 10 {
			writes = append(writes, write("a", fmt.Sprintf("%04d", i*10+j), page))
			writes = append(writes, write("b", fmt.Sprintf("%04d", i*10+j), page))
		}
		apply(t, e, writes...)
	}
	n := 0
	err = kv.Each(r, "a", kv.Range{Limit: 7}, func(entry kv.Entry) error {
		n++
		if string(entry.Value) != "old" {
			return fmt.Errorf("snapshot of %s changed", entry.Key)
		}
		return nil
	})
	if err != nil || n != 300 {
		t.Errorf("snapshot has %d entries, want 300: %v", n, err)
	}
	if entries, err := r.Scan("b", kv.Range{Limit: 1}); err != nil || len(entries) > 0 {
		t.Errorf("snapshot has later entries: %d, %v", len(entries), err)
	}
}
