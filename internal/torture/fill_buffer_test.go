package torture_test

import (
	"context"
	"path/filepath"
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/torture"
)

// TestBuffer holds a Buffer to the contract of engines, all in memory and, where the
// contract opens it again, all flushed.
func TestBuffer(t *testing.T) {
	paths := map[kv.Engine]string{}
	open := func(t *testing.T, path string) kv.Engine {
		e, err := boltkv.Open(path, boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		b := torture.NewBuffer(e)
		paths[b] = path
		return flushing{b}
	}
	kvtest.Run(t, kvtest.Harness{
		Open: func(t *testing.T) kv.Engine { return open(t, filepath.Join(t.TempDir(), "store")) },
		Reopen: func(t *testing.T, e kv.Engine) kv.Engine {
			_ = e.Close() // it may have been closed before
			return open(t, paths[e.(flushing).Buffer])
		},
	})
}

// flushing is a Buffer that can be asked for a snapshot at any time.
type flushing struct{ *torture.Buffer }

func (f flushing) Snapshot(ctx context.Context) (kv.Reader, func(), error) {
	if err := f.Flush(ctx); err != nil {
		return nil, nil, err
	}
	return f.Buffer.Snapshot(ctx)
}

func (f flushing) Close() error {
	_ = f.Flush(context.Background()) // fails when it was closed before, with nothing left to flush
	return f.Buffer.Close()
}
