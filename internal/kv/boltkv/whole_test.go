package boltkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

// TestOpenRefusesACutFile: a copy that was interrupted is refused in words. Its pages
// behind the end would otherwise end the process when they are first read.
func TestOpenRefusesACutFile(t *testing.T) {
	path := newPath(t)
	for _, opt := range []Options{{}, {NoSync: true}} { // a store made without syncs opens with them
		e := openAt(t, path, opt)
		for i := range 20 {
			if err := e.Apply(t.Context(), func(kv.Reader) (writes []kv.Write, _ error) {
				for n := range 100 {
					writes = append(writes, kv.Write{Table: "a", Key: fmt.Appendf(nil, "%03d %03d", i, n), Value: make([]byte, 500)})
				}
				return writes, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e := openAt(t, path, Options{})
	var used int64
	if err := e.view(context.Background(), func(tx *bbolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{used - 1, used / 2, 32 << 10, 10_000} {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Options{MustExist: true}); !errors.Is(err, ErrCut) {
			t.Errorf("%d of %d bytes: %v, want ErrCut", size, used, err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != size {
			t.Errorf("it was changed: %v %v", info, err)
		}
	}
	if err := os.WriteFile(path, whole[:used], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, path, Options{MustExist: true}).Close(); err != nil {
		t.Error(err)
	}
}

// TestMustExistRefusesAnEmptyFile: serve must not begin a register of its own in what
// a failed copy left.
func TestMustExistRefusesAnEmptyFile(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{MustExist: true}); !errors.Is(err, ErrCut) {
		t.Errorf("an empty file: %v, want ErrCut", err)
	}
	openAt(t, path, Options{}) // init and restore may use it
}
