package pgserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Archive is the folder of the archived log.
func (s *Server) Archive() string { return filepath.Join(s.dir, "archive") }

// StartArchiving starts a server whose write-ahead log is copied into Archive, by
// the settings that docs/operations.md gives.
func StartArchiving() (*Server, error) {
	s, err := Start()
	if err != nil {
		return nil, err
	}
	if err := s.own(s.Archive()); err != nil {
		return nil, err
	}
	s.settings = append(s.settings, "wal_level=replica", "archive_mode=on",
		"archive_command=test ! -f "+s.Archive()+"/%f && cp %p "+s.Archive()+"/.%f && mv "+s.Archive()+"/.%f "+s.Archive()+"/%f")
	return s, s.Restart()
}

// own makes a folder of the server's user.
func (s *Server) own(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil || s.cred == nil {
		return err
	}
	return os.Chown(dir, int(s.cred.Uid), int(s.cred.Gid))
}

// BaseBackup makes a base backup of the running server with pg_basebackup and
// returns its folder. An error that [IsMissing] says that there is no such program.
func (s *Server) BaseBackup() (dir string, err error) {
	program := filepath.Join(s.bin, "pg_basebackup")
	if _, err := os.Stat(program); err != nil {
		return "", missingError{"pg_basebackup is not beside postgres"}
	}
	dir = filepath.Join(s.dir, "base")
	cmd := exec.Command(program, "-D", dir, "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--dbname", s.Admin())
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return dir, nil
}

// WaitArchived waits until everything that is committed by now is in the archive.
func (s *Server) WaitArchived() error {
	file, err := s.Query("select pg_walfile_name(pg_switch_wal())")
	if err != nil {
		return err
	}
	return until("the archive to have "+file, func() (bool, error) {
		_, err := os.Stat(filepath.Join(s.Archive(), file))
		return err == nil, err
	})
}

// Recover stops the server for good, its data lost, and starts it again from a
// base backup and the archive, up to a moment. It is writable when this returns.
func (s *Server) Recover(base string, moment time.Time) error {
	s.Kill()
	if err := os.RemoveAll(s.data()); err != nil {
		return err
	}
	if err := os.Rename(base, s.data()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.data(), "recovery.signal"), nil, 0o644); err != nil {
		return err
	}
	s.settings = append(s.settings,
		"restore_command=cp "+s.Archive()+"/%f %p",
		"recovery_target_time="+moment.UTC().Format("2006-01-02 15:04:05.999999")+"+00",
		"recovery_target_action=promote")
	if err := s.run(); err != nil {
		return err
	}
	return until("the end of the recovery", func() (bool, error) {
		in, err := s.Query("select pg_is_in_recovery()")
		return in == "f", err
	})
}

// Now is the server's clock, by which it recovers.
func (s *Server) Now() (time.Time, error) {
	text, err := s.Query("select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US')")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse("2006-01-02 15:04:05.999999", text)
}
