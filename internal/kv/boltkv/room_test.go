package boltkv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/kv"
)

// TestSnapshotNeedsRoom: on a disk that has no room for the copy nothing is
// written, and the store goes on.
func TestSnapshotNeedsRoom(t *testing.T) {
	dir := t.TempDir()
	opened, err := Open(filepath.Join(dir, "s.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	e := opened.(*engine)
	write := func() {
		if err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "a", Key: []byte("k"), Value: []byte("v")}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	write()
	info, err := os.Stat(e.path)
	if err != nil {
		t.Fatal(err)
	}
	need := uint64(info.Size()) + spare
	for _, c := range []struct {
		free  uint64
		known bool
		ok    bool
	}{{need - 1, true, false}, {need, true, true}, {0, true, false}, {0, false, true}} {
		e.free = func(at string) (uint64, bool) {
			if at != dir {
				t.Errorf("looked at %s", at)
			}
			return c.free, c.known
		}
		_, release, err := e.Snapshot(context.Background())
		if c.ok != (err == nil) || err != nil && (!errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "MB")) {
			t.Errorf("%d free: %v", c.free, err)
		}
		if err == nil {
			release()
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "*snapshot*")); len(files) != 0 {
			t.Errorf("left %v", files)
		}
	}
	write()
	if free, known := FreeSpace(dir); known && free == 0 {
		t.Error("this disk is full")
	}
	if _, known := FreeSpace(filepath.Join(dir, "none")); known {
		t.Error("knows what is not there")
	}
}
