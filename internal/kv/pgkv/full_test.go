package pgkv_test

import (
	"errors"
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
)

// TestDiskFull: what the server refuses with disk_full (53100) is what a full disk is
// on bbolt: nothing of it stored, reads go on, and so do writes once there is room.
// A trigger gives the server's answer, since the disk of the machine cannot be filled.
func TestDiskFull(t *testing.T) {
	connString := pgtest.New(t)
	e := open(t, connString, pgkv.Options{})
	db := openDB(t, e, "p")
	write := func(value string) error {
		return db.Update(t.Context(), func(tx kv.Tx) error { tx.Put("t", []byte("k"), []byte(value)); return nil })
	}
	if err := write("before"); err != nil || db.Trouble() != nil {
		t.Fatal(err, db.Trouble())
	}
	sql(t, connString, "create function no_room() returns trigger language plpgsql as $$ begin "+
		"raise exception 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$")
	sql(t, connString, "create trigger no_room before insert on bajigong_kv execute function no_room()")
	for range 2 {
		if err := write("lost"); !errors.Is(err, kv.ErrFull) || errors.Is(err, kv.ErrOutcomeUnknown) {
			t.Errorf("a write without room: %v", err)
		}
	}
	if !errors.Is(db.Trouble(), kv.ErrFull) {
		t.Errorf("the operator hears %v", db.Trouble())
	}
	if got := get(t, e, "k"); got != "before" {
		t.Errorf("stored %q", got)
	}
	// An Update that writes nothing proves no room.
	if err := db.Update(t.Context(), func(kv.Tx) error { return nil }); err != nil || db.Trouble() == nil {
		t.Errorf("a reading Update: %v, and then %v", err, db.Trouble())
	}
	sql(t, connString, "drop trigger no_room on bajigong_kv")
	if err := write("after"); err != nil || db.Trouble() != nil {
		t.Errorf("with room again: %v, %v", err, db.Trouble())
	}
	if got := get(t, e, "k"); got != "after" {
		t.Errorf("stored %q", got)
	}
}
