package pgtest

import (
	"os"
	"testing"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
)

// Durable are settings for a server that really writes to the disk, for
// example Start(t, pgtest.Durable...).
var Durable = pgserver.Durable

// Server is a PostgreSQL of its own, for tests that stop it or set it up in
// their own way. It listens on a socket in its own directory.
type Server struct{ *pgserver.Server }

// Start starts a server with settings like "fsync=on" over the defaults of
// tests (no fsync); it is stopped and removed when the test ends.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := pgserver.Start(settings...)
	Need(t, err)
	t.Cleanup(s.Remove)
	return &Server{s}
}

// Database creates a database and returns its connection string; it goes with
// the server.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	_, connString := create(t, s.Admin())
	return connString
}

// Restart starts the server again, after Kill when it still runs.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.Server.Restart(); err != nil {
		t.Fatal(err)
	}
}

// Need skips a test that starts servers of its own when err says that the machine
// has no PostgreSQL; with CI=true, and no other server named, it fails.
func Need(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("BAJIGONG_TEST_POSTGRES") != "" && pgserver.IsMissing(err) {
		t.Skipf("this test starts its own server: %v", err)
	}
	need(t, err)
}
