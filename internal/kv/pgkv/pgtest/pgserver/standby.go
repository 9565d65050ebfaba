package pgserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Address are the settings with which a server listens on a port of this machine,
// which standbys need.
func Address(port int) []string {
	return []string{"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port)}
}

// FreePort is a port of this machine that nobody listens on.
func FreePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// Standby makes a copy of s, which goes on working, and starts it as a standby that
// streams from it.
func (s *Server) Standby(settings ...string) (*Server, error) {
	c, err := theCluster()
	if err != nil {
		return nil, err
	}
	to, err := c.server(settings)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(s.bin, "pg_basebackup"), "--pgdata", to.data(), "--write-recovery-conf", "--wal-method=stream",
		"--checkpoint=fast", "--no-sync", "--dbname", s.Admin())
	cmd.Dir, cmd.SysProcAttr = to.dir, &syscall.SysProcAttr{Credential: s.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(to.dir)
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return to, to.run()
}

// Synchronous lets s acknowledge a commit only when a standby has it on its disk,
// or, when on is false, at once. With on it returns when a standby is there.
func (s *Server) Synchronous(on bool) error {
	names := ""
	if on {
		names = "*"
	}
	// ALTER SYSTEM runs in no transaction, so not beside another statement.
	if _, err := s.Query("alter system set synchronous_standby_names = '" + names + "'"); err != nil {
		return err
	}
	if _, err := s.Query("select pg_reload_conf()"); err != nil || !on {
		return err
	}
	return until("a synchronous standby", func() (bool, error) {
		state, err := s.Query("select sync_state from pg_stat_replication where state = 'streaming'")
		return state == "sync" || state == "quorum", err
	})
}

// Promote makes the primary of a standby; it returns when it writes.
func (s *Server) Promote() error {
	if _, err := s.Query("select pg_promote(false)"); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return until("the promotion", func() (bool, error) {
		standby, err := s.Query("select pg_is_in_recovery()")
		return standby == "f", err
	})
}

// until asks every few milliseconds, for 30 seconds.
func until(what string, done func() (bool, error)) error {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		ok, err := done()
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 30 s for %s: %w", what, err)
		}
	}
}

// Crash ends every process of the server by SIGKILL, as when its machine loses
// its power: nobody can say a last word.
func (s *Server) Crash() {
	// Stopped, it can neither start another process nor look after the dead ones.
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	pids := s.Backends("")
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	s.signal(syscall.SIGKILL)
	// Their shared memory goes with the last of them, and no server starts before.
	_ = until("the end of the killed processes", func() (bool, error) {
		pids = slices.DeleteFunc(pids, over)
		return len(pids) == 0, nil
	})
}

// over says that a process has ended, whether anybody has noticed or not.
func over(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return strings.Contains(string(stat), ") Z ")
}

// Backends are the processes of the server but the first whose title has these
// words, such as "postgres: bajigong_user ", or all; Linux only, elsewhere none.
func (s *Server) Backends(title string) (out []int) {
	parent := strconv.Itoa(s.cmd.Process.Pid)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// pid (name) state ppid …; the name may have blanks.
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != parent {
			continue
		}
		dir := filepath.Dir(name)
		if text, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && strings.Contains(string(text), title) {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
				out = append(out, pid)
			}
		}
	}
	return out
}

// KillBackend ends one process of the server by SIGKILL; the server then ends all
// the others and recovers. False when there is none with this title.
func (s *Server) KillBackend(title string) bool {
	pids := s.Backends(title)
	return len(pids) > 0 && syscall.Kill(pids[0], syscall.SIGKILL) == nil
}
