// Package pgtest gives tests a PostgreSQL: a server that the test process
// starts from the machine's binaries and that ends with it, or the one named by
// the environment variable BAJIGONG_TEST_POSTGRES (a connection string with the
// right to create databases). Without either the test is skipped, with CI=true
// it fails.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
	"bajigong/internal/needed"

	"github.com/jackc/pgx/v5"
)

// shared is the one server of this process, started by the first New.
var shared = sync.OnceValues(func() (*pgserver.Server, error) { return pgserver.Start() })

// New returns the connection string of a new, empty database, which is dropped
// when the test ends. The server does not fsync unless it was given from outside.
func New(t testing.TB) string {
	t.Helper()
	admin := os.Getenv("BAJIGONG_TEST_POSTGRES")
	if admin == "" {
		s, err := shared()
		need(t, err)
		admin = s.Admin()
	}
	name, connString := create(t, admin)
	t.Cleanup(func() {
		if err := run(admin, "drop database "+name+" with (force)"); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	})
	return connString
}

// need leaves the test out when err says that there is no PostgreSQL to be had.
func need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case pgserver.IsMissing(err):
		needed.Missing(t, "PostgreSQL; install it or set BAJIGONG_TEST_POSTGRES:", err)
	default:
		t.Fatalf("no PostgreSQL for this test: %v", err)
	}
}

// create makes a database on the server of the connection string admin.
func create(t testing.TB, admin string) (name, connString string) {
	t.Helper()
	random := make([]byte, 8)
	rand.Read(random)
	name = "bajigong_test_" + hex.EncodeToString(random)
	if err := run(admin, "create database "+name); err != nil {
		t.Fatal(err)
	}
	return name, withDatabase(admin, name)
}

// withDatabase is connString, in either of its two forms, for another database.
func withDatabase(connString, name string) string {
	if u, err := url.Parse(connString); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		u.Path = "/" + name
		return u.String()
	}
	return connString + " dbname=" + name
}

func run(connString, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql)
	return err
}
