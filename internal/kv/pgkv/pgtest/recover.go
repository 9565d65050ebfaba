package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// archiving are the settings by which a server copies its write-ahead log into
// Archive: those that docs/operations.md gives.
func (s *Server) archiving() []string {
	return []string{
		"wal_level=replica", "archive_mode=on",
		"archive_command=test ! -f " + s.Archive() + "/%f && cp %p " + s.Archive() + "/.%f && mv " + s.Archive() + "/.%f " + s.Archive() + "/%f",
	}
}

// Archive is the folder of the archived log.
func (s *Server) Archive() string { return filepath.Join(s.dir, "archive") }

// StartArchiving starts a server whose log is archived.
func StartArchiving(t testing.TB) *Server {
	t.Helper()
	s := Start(t)
	s.own(t, s.Archive())
	s.settings = append(s.settings, s.archiving()...)
	s.Restart(t)
	return s
}

// own makes a folder of the server's user.
func (s *Server) own(t testing.TB, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if s.cred != nil {
		if err := os.Chown(dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// BaseBackup makes a base backup of the running server with pg_basebackup and
// returns its folder. The test is skipped where that program is missing, with
// CI=true it fails.
func (s *Server) BaseBackup(t testing.TB) string {
	t.Helper()
	program := filepath.Join(filepath.Dir(s.postgres), "pg_basebackup")
	if _, err := os.Stat(program); err != nil {
		need(t, missingError{"pg_basebackup is not beside postgres"})
	}
	dir := filepath.Join(s.dir, "base")
	cmd := exec.Command(program, "-D", dir, "-h", s.dir, "-U", "postgres", "--checkpoint=fast", "--wal-method=stream", "--no-sync")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	return dir
}

// WaitArchived waits until everything that is committed by now is in the archive.
func (s *Server) WaitArchived(t testing.TB) {
	t.Helper()
	file, err := query(s.admin(), "select pg_walfile_name(pg_switch_wal())")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.Archive(), file)); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not archived", file)
		}
	}
}

// Recover stops the server for good, its data lost, and starts it again from a
// base backup and the archive, up to a moment. It is writable when this returns.
func (s *Server) Recover(t testing.TB, base string, until time.Time) {
	t.Helper()
	s.Kill()
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(base, s.data()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.data(), "recovery.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s.settings = append(s.settings,
		"restore_command=cp "+s.Archive()+"/%f %p",
		"recovery_target_time="+until.UTC().Format("2006-01-02 15:04:05.999999")+"+00",
		"recovery_target_action=promote")
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		in, err := query(s.admin(), "select pg_is_in_recovery()::text")
		if err == nil && in == "false" {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("still in recovery: %q %v\n%s", in, err, tail(string(log)))
		}
	}
}

func tail(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(len(lines)-30, 0):], "\n")
}

// Now is the server's clock, by which it recovers.
func (s *Server) Now(t testing.TB) time.Time {
	t.Helper()
	text, err := query(s.admin(), "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US')")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999", text)
	if err != nil {
		t.Fatal(fmt.Errorf("the server's clock: %w", err))
	}
	return at
}
