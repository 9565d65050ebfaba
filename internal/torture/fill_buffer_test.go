package torture_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/torture"
)

// TestBuffer holds a Buffer to the contract of engines, all in memory and, where the
// contract opens it again, all flushed.
func TestBuffer(t *testing.T) {
	contract(t, func(e kv.Engine) kv.Engine { return flushing{torture.NewBuffer(e)} })
}

// TestBufferBehind does so while the engine below is slow and every second Apply
// begins a flush: what is read is then in the Buffer, on its way, and in the engine.
func TestBufferBehind(t *testing.T) {
	contract(t, func(e kv.Engine) kv.Engine { return &behind{flushing: flushing{torture.NewBuffer(late{e})}} })
}

func contract(t *testing.T, over func(kv.Engine) kv.Engine) {
	paths := map[kv.Engine]string{}
	open := func(t *testing.T, path string) kv.Engine {
		e, err := boltkv.Open(path, boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		b := over(e)
		paths[b] = path
		return b
	}
	kvtest.Run(t, kvtest.Harness{
		Open: func(t *testing.T) kv.Engine { return open(t, filepath.Join(t.TempDir(), "store")) },
		Reopen: func(t *testing.T, e kv.Engine) kv.Engine {
			_ = e.Close() // it may have been closed before
			return open(t, paths[e])
		},
	})
}

// late is an engine that takes its time before it commits.
type late struct{ kv.Engine }

func (l late) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	time.Sleep(2 * time.Millisecond)
	return l.Engine.Apply(ctx, fn)
}

// behind is a Buffer that flushes while it is used.
type behind struct {
	flushing
	applied atomic.Int64
}

func (b *behind) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	if err := b.Buffer.Apply(ctx, fn); err != nil {
		return err
	}
	if b.applied.Add(1)%2 == 0 {
		return b.FlushBehind(context.WithoutCancel(ctx))
	}
	return nil
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
