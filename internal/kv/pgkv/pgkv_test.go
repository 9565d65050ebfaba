package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"

	"github.com/jackc/pgx/v5"
)

// open opens an engine that is closed when the test ends.
func open(t testing.TB, connString string, opt pgkv.Options) *pgkv.Engine {
	t.Helper()
	e, err := pgkv.Open(t.Context(), connString, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// sql runs statements beside the engine, as an administrator might.
func sql(t testing.TB, connString, statements string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close(ctx)
	if _, err := c.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		t.Error(err)
	}
}

func put(key, value string) func(kv.Reader) ([]kv.Write, error) {
	return func(kv.Reader) ([]kv.Write, error) {
		return []kv.Write{{Table: "t", Key: []byte(key), Value: []byte(value)}}, nil
	}
}

func get(t testing.TB, e kv.Engine, key string) string {
	t.Helper()
	var value []byte
	err := e.View(t.Context(), func(r kv.Reader) (err error) {
		value, err = r.Get("t", []byte(key))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func TestContract(t *testing.T) {
	t.Parallel()
	var where sync.Map // engine to connection string
	openAt := func(t *testing.T, connString string) kv.Engine {
		e := open(t, connString, pgkv.Options{})
		where.Store(e, connString)
		return e
	}
	again := func(t *testing.T, e kv.Engine) kv.Engine {
		connString, _ := where.Load(e)
		return openAt(t, connString.(string))
	}
	kvtest.Run(t, kvtest.Harness{
		Open: func(t *testing.T) kv.Engine { return openAt(t, pgtest.New(t)) },
		Reopen: func(t *testing.T, e kv.Engine) kv.Engine {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			return again(t, e)
		},
		Second: again,
	})
}

func TestConcurrentOpens(t *testing.T) {
	connString := pgtest.New(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			e, err := pgkv.Open(t.Context(), connString, pgkv.Options{})
			if err != nil {
				t.Errorf("open %d: %v", i, err)
				return
			}
			defer e.Close()
			if err := e.Apply(t.Context(), put(fmt.Sprint(i), "x")); err != nil {
				t.Errorf("apply %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// Another process is just creating the tables, and is first.
func TestOpenDuringOpen(t *testing.T) {
	connString := pgtest.New(t)
	first, err := pgx.Connect(t.Context(), connString)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close(context.Background())
	_, err = first.PgConn().Exec(t.Context(), `begin;
		create table bajigong_kv (tbl text collate "C", key bytea, value bytea not null, primary key (tbl, key));
		create table bajigong_lock (id int primary key, layout int not null);
		insert into bajigong_lock values (1, 1)`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		e, err := pgkv.Open(context.Background(), connString, pgkv.Options{})
		if err == nil {
			err = e.Close()
		}
		done <- err
	}()
	for waiting := 0; waiting == 0; time.Sleep(5 * time.Millisecond) {
		if err := first.QueryRow(t.Context(), "select count(*) from pg_locks where not granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestOpenWithoutRightToCreate(t *testing.T) {
	connString := pgtest.New(t)
	open(t, connString, pgkv.Options{})
	sql(t, connString, `revoke create on schema public from public;
		do $$ begin create role bajigong_test_plain login; exception when duplicate_object then end $$;
		grant select, insert, update, delete on bajigong_kv, bajigong_lock to bajigong_test_plain`)
	t.Cleanup(func() {
		sql(t, connString, "drop owned by bajigong_test_plain; drop role bajigong_test_plain")
	})
	config, err := pgx.ParseConfig(connString)
	if err != nil || strings.HasPrefix(connString, "postgres") || config.Password != "" {
		t.Skip("needs the test's own server")
	}
	e := open(t, connString+" user=bajigong_test_plain", pgkv.Options{})
	if err := e.Apply(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	e.Close()
}

func TestRefusesWhatIsNotThePrimary(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	connString := s.Database(t)
	e := open(t, connString, pgkv.Options{Timeout: time.Second})
	if err := e.Apply(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	refused := func(connString string) {
		t.Helper()
		_, err := pgkv.Open(t.Context(), connString, pgkv.Options{})
		if err == nil || !strings.Contains(err.Error(), "standby") {
			t.Errorf("open: %v", err)
		}
	}
	refused(connString + " options='-c default_transaction_read_only=on'")

	// As a standby the same server still serves reads, but not to us.
	makeStandby(t, s, connString)
	refused(connString)
	if err := e.View(t.Context(), func(r kv.Reader) error { _, err := r.Get("t", []byte("k")); return err }); err == nil {
		t.Error("a View reads from a standby")
	}
	if err := e.Apply(t.Context(), put("k", "w")); err == nil {
		t.Error("an Apply on a standby")
	}
}

func makeStandby(t *testing.T, s *pgtest.Server, connString string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), connString)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var dir string
	if err := c.QueryRow(t.Context(), "select current_setting('data_directory')").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := os.WriteFile(filepath.Join(dir, "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

func TestRefusesForeignTables(t *testing.T) {
	connString := pgtest.New(t)
	e := open(t, connString, pgkv.Options{})
	sql(t, connString, "update bajigong_lock set layout = 2")
	if err := e.Apply(t.Context(), put("k", "v")); err == nil || !strings.Contains(err.Error(), "layout 2") {
		t.Errorf("newer layout: %v", err)
	}
	if _, err := pgkv.Open(t.Context(), connString, pgkv.Options{}); err == nil || !strings.Contains(err.Error(), "layout 2") {
		t.Errorf("open with a newer layout: %v", err)
	}
	sql(t, connString, "delete from bajigong_lock")
	if err := e.Apply(t.Context(), put("k", "v")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("without the lock row: %v", err)
	}
	if got := get(t, e, "k"); got != "" {
		t.Errorf("stored %q without the lock", got)
	}
}

func TestBytes(t *testing.T) {
	e := open(t, pgtest.New(t), pgkv.Options{})
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	long := append(make([]byte, kv.MaxKey-1), 1)
	big := make([]byte, kv.MaxValue)
	err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
		return []kv.Write{
			{Table: "t", Key: []byte{0}, Value: []byte("first")},
			{Table: "t", Key: []byte{0}, Value: all}, // the last one counts
			{Table: "t", Key: all, Value: []byte{}},
			{Table: "t", Key: long, Value: big},
			{Table: "t", Key: []byte("gone"), Value: all},
			{Table: "t", Key: []byte("gone")},
			{Table: "u", Key: []byte("never")},
			{Table: "u", Key: []byte("back")},
			{Table: "u", Key: []byte("back"), Value: []byte("y")},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = e.View(t.Context(), func(r kv.Reader) error {
		got, err := r.GetMany("t", [][]byte{{0}, all, long, []byte("gone"), {0}})
		if err != nil {
			return err
		}
		if string(got[0]) != string(all) || got[1] == nil || len(got[1]) != 0 || len(got[2]) != len(big) || got[3] != nil {
			t.Errorf("got %d, %v, %d, %v", len(got[0]), got[1], len(got[2]), got[3])
		}
		got[0][1] = 'x'
		if string(got[4]) != string(all) {
			t.Error("the same key twice shares its bytes")
		}
		back, err := r.Scan("u", kv.Range{Limit: 10})
		if len(back) != 1 || string(back[0].Value) != "y" {
			t.Errorf("table u: %q", back)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Prefetched reads are answered without the server: a change made past the
// lock stays unseen, while a read that was not prefetched sees it.
func TestPrefetch(t *testing.T) {
	connString := pgtest.New(t)
	e := open(t, connString, pgkv.Options{})
	err := e.Apply(t.Context(), func(kv.Reader) (w []kv.Write, err error) {
		for _, k := range []string{"a", "b", "c", "d"} {
			w = append(w, kv.Write{Table: "t", Key: []byte(k), Value: []byte("old")}, kv.Write{Table: "u", Key: []byte(k), Value: []byte("old")})
		}
		return w, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := kv.Range{From: []byte("b"), To: []byte("d"), Limit: 5}
	open := kv.Range{From: []byte("b"), Limit: 5, Reverse: true}
	err = e.Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
		err := r.(kv.Prefetcher).Prefetch([]kv.Read{
			{Table: "t", Key: []byte("a")}, {Table: "t", Key: []byte("absent")}, {Table: "u", Key: []byte("a")},
			{Table: "t", Range: &rng}, {Table: "u", Range: &open},
		})
		if err != nil {
			return nil, err
		}
		sql(t, connString, "update bajigong_kv set value = 'new'; insert into bajigong_kv values ('t', 'absent', 'new')")
		check := func(what string, got []byte, err error, want string) {
			t.Helper()
			if err != nil || string(got) != want {
				t.Errorf("%s: %q, %v; want %q", what, got, err, want)
			}
		}
		for range 2 { // the second time after the first answer was overwritten
			got, err := r.Get("t", []byte("a"))
			check("get", got, err, "old")
			copy(got, "xxx")
			if got, err = r.Get("t", []byte("absent")); got != nil || err != nil {
				t.Errorf("absent: %q, %v", got, err)
			}
			many, err := r.GetMany("u", [][]byte{[]byte("b"), []byte("a")})
			if err != nil {
				return nil, err
			}
			check("not prefetched", many[0], err, "new")
			check("prefetched", many[1], err, "old")
			entries, err := r.Scan("t", rng)
			if len(entries) != 2 || string(entries[0].Key) != "b" || string(entries[1].Value) != "old" {
				t.Errorf("scan: %q, %v", entries, err)
			}
			copy(entries[1].Value, "xxx")
			entries, err = r.Scan("u", open)
			if len(entries) != 3 || string(entries[0].Key) != "d" || string(entries[0].Value) != "old" {
				t.Errorf("open reverse scan: %q, %v", entries, err)
			}
			none := open
			none.To = []byte{}
			if entries, err = r.Scan("u", none); len(entries) != 0 || err != nil {
				t.Errorf("scan to the first key: %q, %v", entries, err)
			}
			other := rng
			other.To = nil
			if entries, err = r.Scan("t", other); len(entries) != 3 || string(entries[0].Value) != "new" {
				t.Errorf("another scan: %q, %v", entries, err)
			}
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// However fn ends, nothing of it stays and the next one gets lock and connection.
func TestApplyLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t)
	e := open(t, connString, pgkv.Options{})
	other := open(t, connString, pgkv.Options{})
	if err := e.Apply(t.Context(), put("k", "0")); err != nil {
		t.Fatal(err)
	}
	next := 0
	free := func(what string) {
		t.Helper()
		if !strings.HasPrefix(what, "a cancellation") { // the server hears of these a moment later
			sql(t, connString, "select 1 from bajigong_lock for update nowait")
		}
		next++
		for _, engine := range []*pgkv.Engine{e, other} {
			if err := engine.Apply(t.Context(), put("k", fmt.Sprint(next))); err != nil {
				t.Fatalf("after %s: %v", what, err)
			}
		}
	}

	mine := errors.New("mine")
	if err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) { return nil, mine }); err != mine {
		t.Errorf("error became %v", err)
	}
	free("an error")

	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("panic became %v", p)
			}
		}()
		e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) { panic("boom") })
	}()
	free("a panic")

	done := make(chan bool)
	go func() {
		defer close(done)
		e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) { runtime.Goexit(); return nil, nil })
	}()
	<-done
	free("Goexit")

	// Cancelled inside fn: it is too late to stop.
	ctx, cancel := context.WithCancel(t.Context())
	err := e.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
		cancel()
		if _, err := r.Get("t", []byte("k")); err != nil {
			t.Errorf("read after the cancellation: %v", err)
		}
		return put("k", "cancelled")(r)
	})
	if got := get(t, e, "k"); err != nil || got != "cancelled" {
		t.Errorf("cancelled in fn: %v, stored %q", err, got)
	}
	free("a cancellation in fn")

	// Cancelled while it waits for another process's lock.
	err = other.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := e.Apply(ctx, func(kv.Reader) ([]kv.Write, error) {
			t.Error("fn runs without the lock")
			return nil, nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled while waiting: %v", err)
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	free("a cancellation while waiting")

	// A reader kept beyond its transaction reads nothing.
	var kept kv.Reader
	if err := e.View(t.Context(), func(r kv.Reader) error { kept = r; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Get("t", []byte("k")); err == nil {
		t.Error("a View reads after its end")
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	e := open(t, pgtest.New(t), pgkv.Options{Timeout: time.Second})
	if err := e.Apply(t.Context(), put("k", "old")); err != nil {
		t.Fatal(err)
	}
	r, release, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), put("k", "new")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // well over the idle time-out of other transactions
	if got, err := r.Get("t", []byte("k")); err != nil || string(got) != "old" {
		t.Errorf("snapshot: %q, %v", got, err)
	}
	release()
	release()
	if _, err := r.Get("t", []byte("k")); err == nil {
		t.Error("a snapshot reads after its release")
	}
	// Its connection is an ordinary one again.
	for range 10 {
		r, release, err := e.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Get("t", []byte("k")); err != nil || string(got) != "new" {
			t.Errorf("next snapshot: %q, %v", got, err)
		}
		release()
	}
}
