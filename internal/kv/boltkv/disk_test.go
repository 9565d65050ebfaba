package boltkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/needed"
)

// The disk fails in a child process, whose system calls strace makes fail: the
// file, the kernel's order of events and bbolt are the real ones.

// rounds is how often the child writes key "k".
const rounds = 3

func TestMain(m *testing.M) {
	if path := os.Getenv("BOLTKV_TEST_STORE"); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// child writes 1, 2, 3 … under one key, reads it after each and tells how it went.
func child(path string) {
	runtime.LockOSThread() // strace counts system calls by thread
	e, err := Open(path, Options{})
	if err != nil {
		fmt.Println("closed")
		return
	}
	for i := 1; i <= rounds; i++ {
		err := e.Apply(context.Background(), func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "a", Key: []byte("k"), Value: fmt.Append(nil, i)}}, nil
		})
		fmt.Println("put", outcome(err))
		value := []byte("0")
		err = e.View(context.Background(), func(r kv.Reader) error {
			v, err := r.Get("a", []byte("k"))
			if v != nil {
				value = v
			}
			return err
		})
		fmt.Println("get", outcome(err), string(value))
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, kv.ErrBroken):
		return "broken"
	}
	return "failed"
}

// runChild gives what the child printed when the nth call of syscall fails.
func runChild(t *testing.T, path, syscall, errno string, n int) []string {
	t.Helper()
	strace := needed.Tool(t, "strace", "strace")
	inject := fmt.Sprintf("inject=%s:error=%s:when=%d", syscall, errno, n)
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-o", os.DevNull, "-e", inject, os.Args[0])
	cmd.Env = append(os.Environ(), "BOLTKV_TEST_STORE="+path, "GORACE=atexit_sleep_ms=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && bytes.Contains(stderr.Bytes(), []byte("ptrace")) {
		needed.Missing(t, "strace may not trace here:", stderr.String())
	}
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.Bytes())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestDiskFails lets each write and sync fail in turn. After the failure no
// write is accepted (unless only room was lacking), no reader sees what was not
// accepted, and after a restart the store has the last accepted value, or the
// one whose outcome was left open.
func TestDiskFails(t *testing.T) {
	for _, c := range []struct{ syscall, errno, outcome string }{
		{"fdatasync", "EIO", "broken"},
		{"fsync", "EIO", "broken"},
		{"pwrite64", "EIO", "broken"},
		{"pwrite64", "ENOSPC", "failed"},
	} {
		t.Run(c.syscall+c.errno, func(t *testing.T) {
			t.Parallel()
			met := 0
			for n := 1; ; n++ {
				path := filepath.Join(t.TempDir(), "store")
				lines := runChild(t, path, c.syscall, c.errno, n)
				if lines[0] == "closed" {
					continue // before the store was ready
				}
				failed := slices.Index(lines, "put "+c.outcome)
				if failed < 0 {
					if len(lines) != 2*rounds || !slices.Contains(lines, fmt.Sprint("get ok ", rounds)) {
						t.Fatalf("without a failure: %q", lines)
					}
					break // n is beyond the last call
				}
				met++
				checkAfter(t, path, lines, failed/2+1, c.outcome == "broken")
			}
			if met == 0 {
				t.Error("no call failed")
			}
			t.Logf("%d places", met)
		})
	}
}

// checkAfter looks at a child whose put of this number failed.
func checkAfter(t *testing.T, path string, lines []string, failed int, broken bool) {
	t.Helper()
	last := 0 // the last accepted
	for i := 1; i <= rounds; i++ {
		put, get := lines[2*i-2], lines[2*i-1]
		switch {
		case i != failed && (i < failed || !broken):
			last = i
			if put != "put ok" {
				t.Errorf("put %d: %q (%q)", i, put, lines)
			}
		case broken && put != "put broken":
			t.Errorf("put %d after the failure: %q (%q)", i, put, lines)
		}
		if get != fmt.Sprint("get ok ", last) && (i < failed || get != "get broken 0") {
			t.Errorf("get %d: %q, accepted was %d (%q)", i, get, last, lines)
		}
	}
	e, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("restart: %v (%q)", err, lines)
	}
	defer e.Close()
	got, err := get1(t, e, "k")
	if got == "" {
		got = "0"
	}
	if err != nil || got != fmt.Sprint(last) && (!broken || got != fmt.Sprint(failed)) {
		t.Errorf("after a restart: %q, %v; accepted was %d (%q)", got, err, last, lines)
	}
}
