package boltkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/needed"
)

// TestNoSpace: what is a lack of room, in the words of the errors of bbolt.
func TestNoSpace(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&os.PathError{Op: "write", Err: noRoom[0]}, true},
		{&os.PathError{Op: "write", Err: noRoom[2]}, true},
		{&os.PathError{Op: "sync", Err: noRoom[0]}, false},
		{fmt.Errorf("file resize error: %s", &os.PathError{Op: "truncate", Path: "x", Err: noRoom[0]}), true},
		{fmt.Errorf("file sync error: %s", noRoom[0]), false},
		{fmt.Errorf("file resize error: input/output error"), false},
		{noRoom[0], false}, // fdatasync
	} {
		if got := noSpace(c.err); got != c.want {
			t.Errorf("%v: %t", c.err, got)
		}
	}
}

// TestTrouble: a commit without room is told until one finds room again.
func TestTrouble(t *testing.T) {
	var d durable
	d.start(1)
	if d.trouble() != nil {
		t.Error("trouble from the start")
	}
	if err := d.lackRoom(noRoom[0]); !errors.Is(err, kv.ErrFull) || !errors.Is(d.trouble(), kv.ErrFull) || d.broken() != nil {
		t.Errorf("no room: %v, %v", err, d.trouble())
	}
	if d.reached(2); d.trouble() != nil {
		t.Errorf("with room again: %v", d.trouble())
	}
	d.breakOff(errors.New("x"))
	d.reached(3)
	if !errors.Is(d.trouble(), kv.ErrBroken) {
		t.Errorf("broken: %v", d.trouble())
	}
}

// TestSnapshotHoldsUpNobody: while a store of some size is copied again and again
// and the copies are read, writers go on.
func TestSnapshotHoldsUpNobody(t *testing.T) {
	e, err := Open(filepath.Join(t.TempDir(), "store"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	put := func(n, size int) error {
		return e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "a", Key: fmt.Append(nil, n), Value: make([]byte, size)}}, nil
		})
	}
	for i := range 64 {
		if err := put(i, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	copies := 0
	readers.Go(func() {
		for ctx.Err() == nil {
			r, release, err := e.Snapshot(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := r.Scan("a", kv.Range{Limit: 64}); err != nil || len(got) != 64 {
				t.Errorf("%d entries, %v", len(got), err)
			}
			release()
			copies++
		}
	})
	slowest := time.Duration(0)
	began := time.Now()
	n := 1000
	for ; time.Since(began) < 2*time.Second; n++ {
		at := time.Now()
		if err := put(n, 100); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(at))
	}
	stop()
	readers.Wait()
	t.Logf("%d commits, the slowest %s, beside %d copies of 64 MB", n-1000, slowest, copies)
	if copies == 0 || slowest > needed.Span(time.Second) {
		t.Errorf("a commit took %s beside %d copies", slowest, copies)
	}
}
