package dump

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
)

// engines are new empty stores of every kind.
func engines(t *testing.T, fn func(t *testing.T, e kv.Engine)) {
	t.Run("bbolt", func(t *testing.T) {
		e, err := boltkv.Open(filepath.Join(t.TempDir(), "s.db"), boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		fn(t, e)
	})
	t.Run("postgres", func(t *testing.T) {
		e, err := pgkv.Open(t.Context(), pgtest.New(t), pgkv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		fn(t, e)
	})
}

func tablesOf(t *testing.T, e kv.Engine) (out []kv.Table) {
	t.Helper()
	if err := e.View(t.Context(), func(r kv.Reader) (err error) { out, err = kv.Tables(r); return err }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTables(t *testing.T) {
	engines(t, func(t *testing.T, e kv.Engine) {
		if got := tablesOf(t, e); len(got) != 0 {
			t.Errorf("an empty store has %v", got)
		}
		write := func(ws ...kv.Write) {
			if err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) { return ws, nil }); err != nil {
				t.Fatal(err)
			}
		}
		write(kv.Write{Table: "a", Key: []byte("k"), Value: []byte{}}, kv.Write{Table: "a_b", Key: []byte("k"), Value: []byte("v")}, kv.Write{Table: "ab", Key: []byte("k"), Value: []byte("v")})
		if got := fmt.Sprint(tablesOf(t, e)); got != "[a a_b ab]" {
			t.Error(got)
		}
		write(kv.Write{Table: "a_b", Key: []byte("k")}) // the last entry goes
		if got := fmt.Sprint(tablesOf(t, e)); got != "[a ab]" {
			t.Error(got)
		}
		// The same through a DB, and with what the DB keeps itself.
		db, err := kv.Open(t.Context(), notClosed{e}, kv.Options{Now: time.Now, Process: "p"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx kv.Tx) error { tx.Put("z", []byte("k"), nil); return nil }); err != nil {
			t.Fatal(err)
		}
		rd, release, err := db.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if got, err := kv.Tables(rd); err != nil || fmt.Sprint(got) != "[a ab meta z]" {
			t.Error(got, err)
		}
	})
}

type notClosed struct{ kv.Engine }

func (notClosed) Close() error { return nil }

// TestRestorationOnABrokenLine: whatever becomes of the commits, each page is in
// the store once and the restoration knows it.
func TestRestorationOnABrokenLine(t *testing.T) {
	engines(t, func(t *testing.T, below kv.Engine) {
		e := kvtest.NewFaulty(below)
		id := strings.Repeat("a", 32)
		e.Next(kvtest.Kept)
		x, err := kv.BeginRestoration(t.Context(), e, id)
		if err != nil {
			t.Fatal(err)
		}
		for i, fault := range []kvtest.Fault{kvtest.None, kvtest.Kept, kvtest.Lost, kvtest.Again} {
			e.Next(fault)
			if err := x.Page(t.Context(), []kv.Write{{Table: "t", Key: fmt.Append(nil, i), Value: []byte("v")}}, kv.RestorePoint{Records: uint64(i + 1)}); err != nil {
				t.Fatalf("fault %d: %v", fault, err)
			}
		}
		e.Next(kvtest.Refused)
		if err := x.Page(t.Context(), []kv.Write{{Table: "t", Key: []byte("4"), Value: []byte("v")}}, kv.RestorePoint{Records: 5}); !errors.Is(err, kvtest.ErrFault) || x.Point().Records != 4 {
			t.Fatalf("%v at %d", err, x.Point().Records)
		}
		schema := kv.Write{Table: "meta", Key: kv.Key("schema"), Value: []byte("1 one")}
		if err := x.Page(t.Context(), []kv.Write{schema, {Table: "t", Key: []byte("4"), Value: []byte("v")}}, kv.RestorePoint{Records: 6}); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []kv.Write{{Table: "meta", Key: kv.Key("restore"), Value: []byte("x")}, {Table: "meta", Key: kv.Key("schema"), Value: []byte("one")},
			{Table: "T", Key: []byte("k"), Value: []byte("v")}, {Table: "t", Value: []byte("v")}} {
			if x.Page(t.Context(), []kv.Write{bad}, kv.RestorePoint{Records: 7}) == nil {
				t.Errorf("%s %q was taken", bad.Table, bad.Key)
			}
		}
		opens := func(migrations ...kv.Migration) error {
			_, err := kv.Open(t.Context(), notClosed{below}, kv.Options{Now: time.Now, Process: "p"}, migrations)
			return err
		}
		if err := opens(); !errors.Is(err, kv.ErrRestoring) {
			t.Errorf("a half restored store opens: %v", err)
		}
		if _, err := kv.BeginRestoration(t.Context(), e, strings.Repeat("b", 32)); !errors.Is(err, kv.ErrRestoring) {
			t.Errorf("another dump goes on: %v", err)
		}
		// A new process goes on, and the old one stores nothing any more.
		next, err := kv.BeginRestoration(t.Context(), e, id)
		if err != nil || next.Point().Records != 6 {
			t.Fatal(next.Point(), err)
		}
		e.Next(kvtest.Kept)
		if err := next.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := x.Page(t.Context(), nil, kv.RestorePoint{Records: 7}); !errors.Is(err, kv.ErrRestoring) {
			t.Errorf("a page after the end: %v", err)
		}
		if err := opens(); !errors.Is(err, kv.ErrSchema) {
			t.Errorf("the schema of the dump is not in the store: %v", err)
		}
		if err := opens(kv.Migration{Name: "one", Step: func(kv.Tx, []byte) ([]byte, bool, error) { return nil, true, nil }}); err != nil {
			t.Error(err)
		}
		var full *kv.NotEmptyError
		if _, err := kv.BeginRestoration(t.Context(), e, id); !errors.As(err, &full) || fmt.Sprint(full.Tables) != "[meta t]" {
			t.Errorf("into a full store: %v", err)
		}
		if _, err := kv.BeginRestoration(t.Context(), e, "A b"); !errors.Is(err, kv.ErrLimit) {
			t.Error(err)
		}
	})
}
