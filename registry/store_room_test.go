package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// noCopies is an engine on a disk without room for a snapshot.
type noCopies struct{ kv.Engine }

func (noCopies) Snapshot(context.Context) (kv.Reader, func(), error) {
	return nil, nil, fmt.Errorf("snapshot: %w: a copy of the store needs 900 MB in /srv, 3 MB are free", kv.ErrNoRoom)
}

// TestCheckWithoutRoom: a check and a repair for whose snapshot the disk has no room
// say so and what to do, in both languages; they are no fault of the program.
func TestCheckWithoutRoom(t *testing.T) {
	e, err := boltkv.Open(filepath.Join(t.TempDir(), "s.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := kv.Open(t.Context(), noCopies{e}, kv.Options{Now: time.Now, Process: "p"}, registry.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	reg, err := registry.New(db, registrytest.New(t).Registry.Config())
	if err != nil {
		t.Fatal(err)
	}
	_, checked := reg.Check(t.Context(), registry.Operator(), nil)
	_, repaired := reg.RepairIndexes(t.Context(), registry.Operator(), nil)
	for what, err := range map[string]error{"check": checked, "repair": repaired} {
		if fail.KindOf(err) != fail.Unavailable || fail.CodeOf(err) != "no_room" || !strings.Contains(fail.Of(err).Text, "900 MB") || !strings.Contains(fail.Of(err).ZH, "磁盘空间不足") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
