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
	"bajigong/internal/kv/kvtest"
)

// quick is for tests that cut no power.
var quick = Options{NoSync: true}

func openAt(t testing.TB, path string, opt Options) *engine {
	t.Helper()
	e, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e.(*engine)
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "store") }

func put1(t testing.TB, e kv.Engine, key, value string) error {
	return e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
		return []kv.Write{{Table: "a", Key: []byte(key), Value: []byte(value)}}, nil
	})
}

func get1(t testing.TB, e kv.Engine, key string) (value string, err error) {
	err = e.View(t.Context(), func(r kv.Reader) error {
		v, err := r.Get("a", []byte(key))
		value = string(v)
		return err
	})
	return value, err
}

func TestContract(t *testing.T) {
	kvtest.Run(t, kvtest.Harness{
		Open: func(t *testing.T) kv.Engine { return openAt(t, newPath(t), quick) },
		Reopen: func(t *testing.T, e kv.Engine) kv.Engine {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			return openAt(t, e.(*engine).path, quick)
		},
	})
}

// TestFreelists opens one store with each way to keep free pages in turn.
func TestFreelists(t *testing.T) {
	path := newPath(t)
	for i, list := range freelists {
		e := openAt(t, path, Options{NoSync: true, freelist: list})
		for j := range 50 {
			if err := put1(t, e, fmt.Sprint(j), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := get1(t, openAt(t, path, quick), "49"); v != fmt.Sprint(len(freelists)-1) || err != nil {
		t.Errorf("after each freelist had its turn: %q, %v", v, err)
	}
}

func TestOpenRefusesAStoreInUse(t *testing.T) {
	path := newPath(t)
	e := openAt(t, path, quick)
	if _, err := Open(path, Options{LockTimeout: 60 * time.Millisecond}); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: %v, want ErrLocked", err)
	}
	if err := put1(t, e, "k", "v"); err != nil {
		t.Error(err)
	}
}

func TestMustExist(t *testing.T) {
	path := newPath(t)
	if _, err := Open(path, Options{MustExist: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of no file: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open made a file: %v", err)
	}
	if err := openAt(t, path, quick).Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, Options{MustExist: true, NoSync: true})
}

func TestOpenRefusesAnotherFile(t *testing.T) {
	path := newPath(t)
	if err := os.WriteFile(path, make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, quick); err == nil {
		t.Error("Open took a file of zeros")
	}
}

// TestSnapshotFiles: a released snapshot leaves no file, nor does one that a
// killed process left survive the next Open; other files do.
func TestSnapshotFiles(t *testing.T) {
	path := newPath(t)
	names := func() (names []string) {
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}
	e := openAt(t, path, quick)
	if err := put1(t, e, "k", "v"); err != nil {
		t.Fatal(err)
	}
	_, release, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(names()); got != 2 {
		t.Errorf("%d files beside a snapshot, want 2", got)
	}
	release()
	if got := len(names()); got != 1 {
		t.Errorf("%d files after release, want 1", got)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path + ".snapshot-123", path + ".backup"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openAt(t, path, quick)
	if got := fmt.Sprint(names()); got != "[store store.backup]" {
		t.Errorf("files after Open: %s", got)
	}
}

// TestSmallMap lets the file outgrow its map while Views and a Snapshot are at work.
func TestSmallMap(t *testing.T) {
	e := openAt(t, newPath(t), Options{NoSync: true, InitialMmapSize: 1})
	_, release, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := get1(t, e, "k1"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		if err := put1(t, e, fmt.Sprint("k", i), string(make([]byte, 200_000))); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

// TestLastCommitIsSeen lets writers follow each other closely. bbolt lets the
// next one in before Commit returns to the one before, whose report must not
// come late and take back what is durable: the last View would wait for ever.
func TestLastCommitIsSeen(t *testing.T) {
	e := openAt(t, newPath(t), quick)
	for range 40 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := put1(t, e, "k", "v"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := e.View(ctx, func(kv.Reader) error { return nil })
		cancel()
		if err != nil {
			t.Fatalf("View after the last commit: %v", err)
		}
	}
}

// TestViewWaitsForTheSync shows a View a transaction that is written but not
// synced yet: it waits, and is refused when the sync fails.
func TestViewWaitsForTheSync(t *testing.T) {
	for _, synced := range []bool{true, false} {
		e := openAt(t, newPath(t), quick)
		if err := put1(t, e, "k", "v"); err != nil {
			t.Fatal(err)
		}
		id := e.durable.id
		e.durable.id-- // as between the write of the meta page and its sync
		type answer struct {
			value string
			err   error
		}
		got := make(chan answer)
		go func() {
			value, err := get1(t, e, "k")
			got <- answer{value, err}
		}()
		select {
		case a := <-got:
			t.Fatalf("View did not wait: %v", a)
		case <-time.After(10 * time.Millisecond):
		}
		if synced {
			e.durable.reached(id)
		} else {
			_ = e.durable.breakOff(errors.New("no sync"))
		}
		if a := <-got; synced && a != (answer{"v", nil}) || !synced && !errors.Is(a.err, kv.ErrBroken) {
			t.Errorf("View after the sync (%t): %v", synced, a)
		}
		if err := put1(t, e, "k", "w"); errors.Is(err, kv.ErrBroken) == synced {
			t.Errorf("Apply after the sync (%t): %v", synced, err)
		}
	}
}
