package pgtest

import (
	"testing"
	"time"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
)

// StartArchiving starts a server whose log is archived; it is removed when the
// test ends.
func StartArchiving(t testing.TB) *Server {
	t.Helper()
	s, err := pgserver.StartArchiving()
	Need(t, err)
	t.Cleanup(s.Remove)
	return &Server{s}
}

// BaseBackup makes a base backup of the running server and returns its folder.
func (s *Server) BaseBackup(t testing.TB) string {
	t.Helper()
	dir, err := s.Server.BaseBackup()
	Need(t, err)
	return dir
}

// WaitArchived waits until everything that is committed by now is in the archive.
func (s *Server) WaitArchived(t testing.TB) {
	t.Helper()
	if err := s.Server.WaitArchived(); err != nil {
		t.Fatal(err)
	}
}

// Recover starts the server again from a base backup and the archive, up to a moment.
func (s *Server) Recover(t testing.TB, base string, until time.Time) {
	t.Helper()
	if err := s.Server.Recover(base, until); err != nil {
		t.Fatal(err)
	}
}

// Now is the server's clock, by which it recovers.
func (s *Server) Now(t testing.TB) time.Time {
	t.Helper()
	at, err := s.Server.Now()
	if err != nil {
		t.Fatal(err)
	}
	return at
}
