// Package pgserver runs PostgreSQL servers of one's own from the machine's
// binaries, for tests and for torture: a primary, standbys that follow it, and a
// [Proxy] in front of one. A server ends with the process that started it, in
// whatever way that ends.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Durable are settings for a server that really writes to the disk, for
// example Start(pgserver.Durable...).
var Durable = []string{"fsync=on", "full_page_writes=on"}

// Server is a PostgreSQL of its own, for tests that stop it or set it up in
// their own way. It listens on a socket in its own directory.
type Server struct {
	dir      string
	settings []string
	cred     *syscall.Credential
	bin      string
	cmd      *exec.Cmd
	ended    chan struct{} // closed when cmd has ended
}

// Start starts a server with settings like "fsync=on" over the defaults of tests
// (no fsync, a socket in the server's directory and no port). An error that
// [IsMissing] says that the machine has no PostgreSQL.
func Start(settings ...string) (*Server, error) {
	c, err := theCluster()
	if err != nil {
		return nil, err
	}
	s, err := c.server(settings)
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("cp", "-a", c.template, s.data()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy %s: %w\n%s", c.template, err, out)
	}
	return s, s.run()
}

// Stop ends the server in good order, cutting its connections.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill ends the server at once; at the next start it recovers as after a crash.
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

// Restart starts the server again, after Kill when it still runs.
func (s *Server) Restart() error {
	s.Kill()
	return s.run()
}

// Remove ends the server and removes what it has.
func (s *Server) Remove() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// Admin is the connection string of the server's superuser.
func (s *Server) Admin() string {
	return fmt.Sprintf("host='%s' port=%s user=postgres dbname=postgres sslmode=disable", s.dir, s.port())
}

// port is the number in the name of the socket, also when it does not listen there.
func (s *Server) port() string {
	for _, setting := range s.settings {
		if port, ok := strings.CutPrefix(setting, "port="); ok {
			return port
		}
	}
	return "5432"
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) signal(sig os.Signal) {
	s.cmd.Process.Signal(sig)
	<-s.ended
}

type missingError struct{ what string }

func (e missingError) Error() string { return e.what }

// IsMissing says that there is no PostgreSQL to be started on this machine.
func IsMissing(err error) bool {
	var m missingError
	return errors.As(err, &m)
}

// A cluster is what all servers of this process start from.
type cluster struct {
	base     string // a directory that goes with the process
	bin      string // the folder of initdb and postgres
	cred     *syscall.Credential
	template string // a data directory as initdb made it
}

var theCluster = sync.OnceValues(func() (*cluster, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	base, err := newBase(cred)
	if err != nil {
		return nil, err
	}
	c := &cluster{base: base, bin: bin, cred: cred, template: filepath.Join(base, "template")}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", c.template, "-U", "postgres",
		"--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.Dir = base
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c, nil
})

// findBinaries prefers PATH, then the newest version where Debian keeps them.
func findBinaries() (string, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for i := len(versions) - 1; i >= 0; i-- {
		dirs = append(dirs, versions[i])
	}
	for _, dir := range dirs {
		// initdb looks for its companions beside its real place.
		initdb, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb"))
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(initdb), "postgres")); err == nil {
			return filepath.Dir(initdb), nil
		}
	}
	return "", missingError{"initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin"}
}

// unprivileged is who runs the server, which refuses to run as root; nil when
// we are not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, missingError{"running as root, and there is no user postgres or nobody to run the server"}
}

// reaper ends the servers and removes their directory when its standard input
// ends, that is, when this process has ended in whatever way.
const reaper = `
trap '' INT TERM HUP
while read -r _; do :; done
for f in "$1"/*/data/postmaster.pid; do
	[ -f "$f" ] && kill -QUIT "$(head -n 1 "$f")"
done
for _ in 1 2 3 4 5 6 7 8 9 10; do
	rm -rf "$1" && [ ! -e "$1" ] && exit
	sleep 0.2
done`

// life is the reaper's standard input; it stays open as long as this process.
var life *os.File

// newBase makes the directory of all servers and starts its reaper.
func newBase(cred *syscall.Credential) (string, error) {
	base, err := os.MkdirTemp(tempDir(cred), "bjgpg")
	if err != nil {
		return "", err
	}
	if cred != nil {
		if err := os.Chown(base, int(cred.Uid), int(cred.Gid)); err != nil {
			return "", err
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	life = w
	runtime.KeepAlive(life)
	cmd := exec.Command("/bin/sh", "-c", reaper, "sh", base)
	cmd.Stdin = r
	// Its own process group: an interrupt of the terminal is not meant for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		os.RemoveAll(base)
		return "", err
	}
	return base, nil
}

// tempDir is a directory that the server's user can reach and whose name leaves
// room for a socket's (107 bytes on Linux).
func tempDir(cred *syscall.Credential) string {
	dir := os.TempDir()
	if len(dir) > 60 {
		return "/tmp"
	}
	for up := dir; cred != nil && up != filepath.Dir(up); up = filepath.Dir(up) {
		if info, err := os.Stat(up); err != nil || info.Mode()&0o001 == 0 {
			return "/tmp"
		}
	}
	return dir
}

// server is one that has its directory and no data yet.
func (c *cluster) server(settings []string) (*Server, error) {
	dir, err := os.MkdirTemp(c.base, "s")
	if err != nil {
		return nil, err
	}
	if c.cred != nil {
		if err := os.Chown(dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			return nil, err
		}
	}
	return &Server{dir: dir, settings: settings, cred: c.cred, bin: c.bin}, nil
}

// run starts the server and waits until it answers.
func (s *Server) run() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", s.data()}
	for _, setting := range append([]string{
		"listen_addresses=", "unix_socket_directories=" + s.dir, "max_connections=200",
		"fsync=off", "full_page_writes=off", "shared_buffers=64MB",
		"dynamic_shared_memory_type=mmap", // in its directory: what a killed server leaves goes with it
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.cred}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		// A crash leaves this file; its number may soon be another process's.
		os.Remove(filepath.Join(s.data(), "postmaster.pid"))
		close(ended)
	}()
	s.cmd, s.ended = cmd, ended
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := s.Query("select 1")
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("postgres ended: %w\n%s", err, text[max(0, len(text)-2000):])
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Kill()
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// Query gives the first value of the first row that the last of some statements
// answers, as text; empty when it answers none.
func (s *Server) Query(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return QueryAt(ctx, s.Admin(), sql)
}

// QueryAt is Query on any database.
func QueryAt(ctx context.Context, connString, sql string) (string, error) {
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0]), nil
	}
	return "", nil
}

// Answers waits until the server, which may be recovering, answers.
func (s *Server) Answers() error {
	return until("the server", func() (bool, error) {
		_, err := s.Query("select 1")
		return err == nil, err
	})
}
