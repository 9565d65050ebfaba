package registrytest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
)

// engineOfEnvironment is what BAJIGONG_TEST_ENGINE names: "bbolt", also when it
// is not set, or "postgres".
func engineOfEnvironment(t testing.TB) func(testing.TB, string) kv.Engine {
	t.Helper()
	switch name := os.Getenv("BAJIGONG_TEST_ENGINE"); name {
	case "", "bbolt":
		return Bolt
	case "postgres":
		return PostgreSQL
	default:
		t.Fatalf("BAJIGONG_TEST_ENGINE is %q; it is bbolt or postgres", name)
		return nil
	}
}

// Bolt opens the bbolt file of a directory, without syncing.
func Bolt(t testing.TB, dir string) kv.Engine {
	t.Helper()
	e, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{NoSync: true, Scattered: registry.ScatteredTables()})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// databases has the database of each directory, so that a registry opened again
// in the same directory finds its store, as it does with bbolt.
var databases sync.Map

// PostgreSQL opens the database that belongs to a directory; a new one, dropped
// when the test ends, at the first time. A test is skipped when there is no
// PostgreSQL (see [pgtest.New]).
func PostgreSQL(t testing.TB, dir string) kv.Engine {
	t.Helper()
	connString, ok := databases.Load(dir)
	if !ok {
		connString = pgtest.New(t)
		databases.Store(dir, connString)
	}
	e, err := pgkv.Open(context.Background(), connString.(string), pgkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Engines runs a test on each engine, as sub-tests "bbolt" and "postgres".
func Engines(t *testing.T, fn func(t *testing.T, engine func(t testing.TB, dir string) kv.Engine)) {
	t.Run("bbolt", func(t *testing.T) { fn(t, Bolt) })
	t.Run("postgres", func(t *testing.T) { fn(t, PostgreSQL) })
}
