package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bajigong/internal/kv/pgkv/pgtest"

	"github.com/jackc/pgx/v5"
)

func query(t *testing.T, connString, sql string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	var s string
	err = c.QueryRow(ctx, sql).Scan(&s)
	return s, err
}

func TestNewGivesDatabasesApart(t *testing.T) {
	a, err := query(t, pgtest.New(t), "select current_database()")
	if err != nil {
		t.Fatal(err)
	}
	b, err := query(t, pgtest.New(t), "select current_database()")
	if err != nil {
		t.Fatal(err)
	}
	if a == b || a == "postgres" {
		t.Fatalf("databases %q and %q", a, b)
	}
}

func TestServerRestarts(t *testing.T) {
	s := pgtest.Start(t, pgtest.Durable...)
	db := s.Database(t)
	if fsync, err := query(t, db, "select current_setting('fsync')"); err != nil || fsync != "on" {
		t.Fatalf("fsync %q, %v", fsync, err)
	}
	s.Kill()
	if _, err := query(t, db, "select ''"); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart(t)
	if _, err := query(t, db, "select ''"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := query(t, db, "select ''"); err == nil {
		t.Fatal("a stopped server answers")
	}
}

// TestServerDiesWithProcess kills a process like this one that has a server.
func TestServerDiesWithProcess(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") != "" {
		s := pgtest.Start(t)
		dir, err := query(t, s.Database(t), "select current_setting('data_directory')")
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("data " + dir + "\n")
		select {}
	}
	pgtest.Start(t) // skips when there is none
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var data, pid string
	for lines := bufio.NewScanner(out); data == "" && lines.Scan(); {
		data, _ = strings.CutPrefix(lines.Text(), "data ")
		if data == lines.Text() {
			data = ""
		}
	}
	if text, err := os.ReadFile(data + "/postmaster.pid"); err == nil {
		pid, _, _ = strings.Cut(string(text), "\n")
	}
	cmd.Process.Kill()
	cmd.Wait()
	if pid == "" {
		t.Fatal("the child had no server")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(data)
		if errors.Is(err, os.ErrNotExist) && gone(t, pid) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("server %s in %s is still there", pid, data)
		}
	}
}

// gone says that no process has the number, or only one that waits to be reaped.
func gone(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
		return true
	}
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	return strings.Contains(string(stat), ") Z ")
}

func TestProxyCutsCommit(t *testing.T) {
	db := pgtest.New(t)
	ctx := t.Context()
	direct, err := pgx.Connect(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close(ctx)
	if _, err := direct.Exec(ctx, "create table x (a text)"); err != nil {
		t.Fatal(err)
	}
	p := pgtest.NewProxy(t, db)
	for _, test := range []struct {
		name   string
		fault  pgtest.Fault
		simple bool
		want   int // rows; -1 for either
		fails  bool
	}{
		{"pass", pgtest.Pass, false, 1, false},
		{"before", pgtest.CutBefore, false, 0, true},
		{"before, simple", pgtest.CutBefore, true, 0, true},
		{"after", pgtest.CutAfter, false, -1, true},
		{"answered", pgtest.CutAnswered, false, 1, true},
		{"answered, simple", pgtest.CutAnswered, true, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.OnCommit(func() pgtest.Fault { return test.fault })
			c, err := pgx.Connect(ctx, p.ConnString())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(ctx)
			if test.simple {
				_, err = c.PgConn().Exec(ctx, "begin; insert into x values ('"+test.name+"')").ReadAll()
				if err == nil {
					_, err = c.PgConn().Exec(ctx, "COMMIT;").ReadAll()
				}
			} else {
				var b pgx.Batch
				b.Queue("begin")
				b.Queue("insert into x values ($1)", test.name)
				b.Queue("commit")
				err = c.SendBatch(ctx, &b).Close()
			}
			if (err != nil) != test.fails {
				t.Errorf("error %v", err)
			}
			var n int
			if err := direct.QueryRow(ctx, "select count(*) from x where a = $1", test.name).Scan(&n); err != nil || test.want >= 0 && n != test.want {
				t.Errorf("%d rows, want %d (%v)", n, test.want, err)
			}
		})
	}
}

func TestProxyFreezes(t *testing.T) {
	p := pgtest.NewProxy(t, pgtest.New(t))
	c, err := pgx.Connect(t.Context(), p.ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	p.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a frozen connection answers: %v", err)
	}
	p.Thaw()
	if _, err := query(t, p.ConnString(), "select ''"); err != nil {
		t.Fatal(err)
	}
}
