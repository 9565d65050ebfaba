package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/kv/pgkv/pgtest/pgserver"
)

func write(db *kv.DB, key, value string) error {
	return db.Update(context.Background(), func(tx kv.Tx) error {
		tx.Put("t", []byte(key), []byte(value))
		return nil
	})
}

// A database that lacks what it confirmed is not written, and a new connection to
// it is not read: of several hosts the next is taken.
func TestOldCopyIsRefused(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t)
	p := pgtest.NewProxy(t, connString)
	e := open(t, p.ConnString(), pgkv.Options{Timeout: time.Second})
	db := openDB(t, e, "a")
	for i := range 3 {
		if err := write(db, "k", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	back := func(group string) {
		t.Helper()
		sql(t, connString, fmt.Sprintf("update bajigong_kv set value = '%s' where tbl = 'meta' and key = decode('%x', 'hex')", group, kv.Key("writer", "a")))
	}
	read := func() error {
		return db.View(t.Context(), func(r kv.Reader) error { _, err := r.Get("t", []byte("k")); return err })
	}
	back("2") // as if the last group had never been
	if err := write(db, "k", "decided on an old copy"); !errors.Is(err, kv.ErrStale) {
		t.Errorf("on the connection that there was: %v", err)
	}
	p.Cut()
	if err := write(db, "k", "decided on an old copy"); !errors.Is(err, kv.ErrStale) {
		t.Errorf("on a new connection: %v", err)
	}
	if err := read(); !errors.Is(err, kv.ErrStale) {
		t.Errorf("a View on a new connection: %v", err)
	}
	back("9999")
	if err := read(); err != nil {
		t.Errorf("a View of the right copy: %v", err)
	}
	if got := get(t, open(t, connString, pgkv.Options{}), "k"); got != "2" {
		t.Errorf("stored %q", got)
	}
}

// A group whose commit was answered to nobody, and was found to be kept, counts too.
func TestCopyWithoutASettledGroupIsRefused(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t)
	p := pgtest.NewProxy(t, connString)
	db := openDB(t, open(t, p.ConnString(), pgkv.Options{Timeout: time.Second}), "a")
	if err := write(db, "k", "first"); err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf("tbl = 'meta' and key = decode('%x', 'hex')", kv.Key("writer", "a"))
	sql(t, connString, "create table before as select * from bajigong_kv where "+row)
	cut := false
	p.OnCommit(func() pgtest.Fault {
		if cut {
			return pgtest.Pass
		}
		cut = true
		return pgtest.CutAnswered
	})
	if err := write(db, "k", "second"); err != nil || !cut {
		t.Fatalf("%v, cut off %t", err, cut)
	}
	sql(t, connString, "update bajigong_kv set value = (select value from before) where "+row)
	p.Cut()
	read := func(rd kv.Reader) error { _, err := rd.Get("t", []byte("k")); return err }
	if err := db.View(t.Context(), read); !errors.Is(err, kv.ErrStale) {
		t.Errorf("a copy without the group is read: %v", err)
	}
}

// A group that was lost, and wrote nothing when it was repeated, is not waited for: no
// copy will ever have it.
func TestALostGroupThatWritesNothingIsNotMissed(t *testing.T) {
	t.Parallel()
	p := pgtest.NewProxy(t, pgtest.New(t))
	db := openDB(t, open(t, p.ConnString(), pgkv.Options{Timeout: time.Second}), "a")
	cut := false
	p.OnCommit(func() pgtest.Fault {
		if cut {
			return pgtest.Pass
		}
		cut = true
		return pgtest.CutBefore
	})
	if err := db.Update(t.Context(), func(tx kv.Tx) error {
		if !cut {
			tx.Put("t", []byte("k"), []byte("decided before another did"))
		}
		return nil
	}); err != nil || !cut {
		t.Fatalf("%v, cut off %t", err, cut)
	}
	p.Cut()
	if err := db.View(t.Context(), func(rd kv.Reader) error { _, err := rd.Get("t", []byte("k")); return err }); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	if err := write(db, "k", "next"); err != nil {
		t.Error(err)
	}
}

// An old primary that comes back beside the new one, and is named first, is passed
// over by a process that was told of more.
func TestPrimaryThatCameBackIsPassedOver(t *testing.T) {
	t.Parallel()
	var ports [2]int
	for i := range ports {
		var err error
		if ports[i], err = pgserver.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	old := pgtest.Start(t, pgserver.Address(ports[0])...)
	next, err := old.Standby(pgserver.Address(ports[1])...)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Remove()
	if err := old.Synchronous(true); err != nil {
		t.Fatal(err)
	}
	both := fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write", ports[0], ports[1])
	e := open(t, both, pgkv.Options{})
	db := openDB(t, e, "a")
	if err := write(db, "k", "before"); err != nil {
		t.Fatal(err)
	}
	old.Crash()
	done := make(chan error, 1)
	go func() { done <- write(db, "k", "while there is no primary") }()
	time.Sleep(200 * time.Millisecond)
	if err := errors.Join(next.Promote(), next.Synchronous(false)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("a write that waits for the promotion: %v", err)
	}
	if err := errors.Join(old.Server.Restart(), old.Synchronous(false)); err != nil {
		t.Fatal(err)
	}
	next.Stop() // every connection is lost
	if err := next.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := write(db, "k", "after"); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*pgserver.Server{"the old primary": old.Server, "the new one": next} {
		value, err := s.Query("select convert_from(value, 'UTF8') from bajigong_kv where tbl = 't'")
		if want := map[string]string{"the old primary": "before", "the new one": "after"}[name]; err != nil || value != want {
			t.Errorf("%s has %q, want %q (%v)", name, value, want, err)
		}
	}
}
