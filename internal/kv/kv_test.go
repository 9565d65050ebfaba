package kv_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
)

// The contract of DB is in kvtest and runs over each engine. Here is what needs
// a special engine, or a look at what kv keeps for itself.

func openBolt(t *testing.T) kv.Engine {
	t.Helper()
	e, err := boltkv.Open(filepath.Join(t.TempDir(), "store"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func openDB(t *testing.T, e kv.Engine, opt kv.Options) *kv.DB {
	t.Helper()
	opt.Now, opt.Process = time.Now, "p"
	db, err := kv.Open(t.Context(), e, opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestOpenWantsClockAndProcess(t *testing.T) {
	for _, opt := range []kv.Options{{Now: time.Now}, {Process: "p"}} {
		if _, err := kv.Open(t.Context(), openBolt(t), opt, nil); err == nil {
			t.Errorf("Open with %+v succeeded", opt)
		}
	}
}

// remote is an engine whose reads are round trips: it counts those that were
// not prefetched while the lock was held.
type remote struct {
	kv.Engine
	prefetched []kv.Read
	missed     []string
}

func (e *remote) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	return e.Engine.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
		e.prefetched, e.missed = nil, nil
		return fn(&remoteReader{r, e})
	})
}

type remoteReader struct {
	kv.Reader
	e *remote
}

func (r *remoteReader) Prefetch(reads []kv.Read) error {
	r.e.prefetched = append(r.e.prefetched, reads...)
	return nil
}

func (r *remoteReader) Get(t kv.Table, key []byte) ([]byte, error) {
	r.note(kv.Read{Table: t, Key: key})
	return r.Reader.Get(t, key)
}

func (r *remoteReader) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	for _, key := range keys {
		r.note(kv.Read{Table: t, Key: key})
	}
	return r.Reader.GetMany(t, keys)
}

func (r *remoteReader) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	r.note(kv.Read{Table: t, Range: &rng})
	return r.Reader.Scan(t, rng)
}

func (r *remoteReader) note(read kv.Read) {
	known := func(p kv.Read) bool { return text(p) == text(read) }
	if !slices.ContainsFunc(r.e.prefetched, known) {
		r.e.missed = append(r.e.missed, text(read))
	}
}

func text(r kv.Read) string {
	if r.Range == nil {
		return fmt.Sprintf("%s %q", r.Table, r.Key)
	}
	return fmt.Sprintf("%s %+v", r.Table, *r.Range)
}

// TestPrefetch checks that what an Update reads under the lock was asked for in
// one go, that its rehearsal leaves nothing, whatever it does, and that reading
// one's own writes asks the engine for nothing.
func TestPrefetch(t *testing.T) {
	e := &remote{Engine: openBolt(t)}
	db := openDB(t, e, kv.Options{})
	rng := kv.Range{From: []byte("a"), Limit: 5, Reverse: true}
	err := db.Update(t.Context(), func(tx kv.Tx) error {
		for i := range 20 {
			tx.Put("a", fmt.Appendf(nil, "k%02d", i), []byte("v"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	err = db.Update(t.Context(), func(tx kv.Tx) error {
		runs++
		_, err1 := tx.Get("a", []byte("k01"))
		_, err2 := tx.GetMany("b", [][]byte{[]byte("x"), []byte("y"), []byte("x")})
		_, err3 := tx.Scan("a", rng)
		tx.Put("own", []byte("k"), []byte("v"))
		tx.Delete("a", []byte("k19"))
		_, err4 := tx.Get("own", []byte("k"))
		_, err5 := tx.GetMany("a", [][]byte{[]byte("k19"), []byte("k02")})
		if runs == 1 {
			panic("a rehearsal may do as it likes")
		}
		return errors.Join(err1, err2, err3, err4, err5)
	})
	if err != nil {
		t.Fatal(err)
	}
	if runs != 2 {
		t.Errorf("function ran %d times, want a rehearsal and the run that counts", runs)
	}
	if len(e.missed) > 0 {
		t.Errorf("reads that were not prefetched: %q", e.missed)
	}
	var asked []string
	for _, read := range e.prefetched {
		asked = append(asked, text(read))
	}
	if slices.Contains(asked, `own "k"`) || slices.Contains(asked, `a "k19"`) {
		t.Errorf("own writes were prefetched: %q", asked)
	}
	if compact := slices.Compact(slices.Sorted(slices.Values(asked))); len(compact) != len(asked) {
		t.Errorf("prefetched twice: %q", asked)
	}
}

// TestRehearsalRefuses: the rehearsal runs on a state that is out of date; only
// the run under the lock may refuse.
func TestRehearsalRefuses(t *testing.T) {
	db := openDB(t, &remote{Engine: openBolt(t)}, kv.Options{})
	var runs atomic.Int64
	err := db.Update(t.Context(), func(tx kv.Tx) error {
		if runs.Add(1) == 1 {
			return errors.New("refused in rehearsal")
		}
		tx.Put("a", []byte("k"), []byte("v"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMeta reads what kv keeps for itself: a refused Update writes none of it.
func TestMeta(t *testing.T) {
	e := openBolt(t)
	now := time.Date(2026, 3, 1, 2, 3, 4, 5, time.UTC)
	db, err := kv.Open(t.Context(), e, kv.Options{Now: func() time.Time { return now }, Process: "p"},
		[]kv.Migration{{Name: "first", Step: func(kv.Tx, []byte) ([]byte, bool, error) { return nil, true, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	dump := func() (rows []string) {
		err := db.View(t.Context(), func(r kv.Reader) error {
			return kv.Each(r, "meta", kv.Range{}, func(e kv.Entry) error {
				parts, err := kv.ParseKey(e.Key)
				rows = append(rows, fmt.Sprintf("%v=%s", parts, e.Value))
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	want := []string{"[schema]=1 first", "[time]=2026-03-01T02:03:04Z", "[writer p]=1"}
	if got := dump(); !slices.Equal(got, want) {
		t.Errorf("meta %q, want %q", got, want)
	}
	refused := errors.New("refused")
	now = now.Add(time.Minute)
	for _, fn := range []func(kv.Tx) error{
		func(tx kv.Tx) error { tx.Put("a", []byte("k"), nil); return refused },
		func(tx kv.Tx) error { return nil },
	} {
		if err := db.Update(t.Context(), fn); err != nil && err != refused {
			t.Fatal(err)
		}
	}
	if got := dump(); !slices.Equal(got, want) {
		t.Errorf("meta after Updates that wrote nothing: %q, want %q", got, want)
	}
}

// TestTxAfterItsEnd: a Tx that is kept is a mistake that must show.
func TestTxAfterItsEnd(t *testing.T) {
	db := openDB(t, openBolt(t), kv.Options{})
	var kept kv.Tx
	if err := db.Update(t.Context(), func(tx kv.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a Tx can be written after its end")
		}
	}()
	kept.Put("a", []byte("k"), nil)
}

func BenchmarkView(b *testing.B) {
	e, err := boltkv.Open(filepath.Join(b.TempDir(), "store"), boltkv.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	db, err := kv.Open(b.Context(), e, kv.Options{Now: time.Now, Process: "p"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for b.Loop() {
		if err := db.View(b.Context(), func(r kv.Reader) error { _, err := r.Get("a", []byte("k")); return err }); err != nil {
			b.Fatal(err)
		}
	}
}
