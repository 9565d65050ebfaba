package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
	"bajigong/internal/torture"
	"bajigong/registry"
)

// asCommand makes the test binary behave as the program: it is what the tests
// here kill and record.
const asCommand = "BAJIGONG_TEST_AS_COMMAND"

func init() {
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(exitOK)
	}
}

// tortureWorld is the real machine with its output kept.
func tortureWorld(t *testing.T) world {
	t.Helper()
	w := system()
	w.stdin, w.stdout, w.stderr = strings.NewReader(""), io.Discard, io.Discard
	w.env = func(string) string { return "" }
	return w
}

// The tests here do each thing a few times, in seconds; docs/figures.md has the runs
// of hours.

// TestKill kills the process in the middle of its work and looks at what it left.
func TestKill(t *testing.T) {
	t.Parallel()
	opt := killOptions{runs: 8, seed: seedOf(t), dir: t.TempDir(), every: 2, fresh: 2,
		size: torture.Size{Issue: 3, IssueRows: 60, Upload: 1, UploadRows: 40, Claims: 40}}
	mustKill(t, opt)
}

// TestKillOnPostgreSQL does the same to a process whose store is a database.
func TestKillOnPostgreSQL(t *testing.T) {
	t.Parallel()
	opt := killOptions{runs: 2, seed: seedOf(t), dir: t.TempDir(), store: postgresURL(pgtest.New(t)), every: 1, fresh: 1,
		size: torture.Size{Issue: 3, IssueRows: 60, Upload: 1, UploadRows: 40, Claims: 40}}
	mustKill(t, opt)
}

func mustKill(t *testing.T, opt killOptions) {
	t.Helper()
	report, err := tortureKill(t.Context(), tortureWorld(t), opt)
	noProblems(t, report, report.Problems, err)
	if report.Kills < opt.runs || report.Finished == report.Kills || report.Acknowledged[torture.Claimed] == 0 {
		t.Errorf("%d kills, %d of them too late: this proves nothing", report.Kills, report.Finished)
	}
}

// TestPowerCut cuts the power at moments of one process.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	needStrace(t)
	opt := powercutOptions{cuts: 12, seed: seedOf(t), dir: realDir(t),
		size: torture.Size{Issue: 2, IssueRows: 40, Upload: 1, UploadRows: 30, Claims: 24}}
	report, err := torturePowercut(t.Context(), tortureWorld(t), opt)
	noProblems(t, report, report.Problems, err)
	if report.Cuts != opt.cuts || report.Kept == 0 || report.Lost == 0 || report.Acknowledged[torture.Claimed] == 0 {
		t.Error("nothing was at stake at these moments: this proves nothing")
	}
}

// TestServeSyncs: what `serve` as shipped answers over HTTP stands on the disk.
// At the moment of an answer the writes of the store are covered by a sync, there
// was one since the answer before, and the store rebuilt from nothing but what was
// synced has what was answered.
func TestServeSyncs(t *testing.T) {
	t.Parallel()
	needStrace(t)
	w := tortureWorld(t)
	data := dataFlags{dir: filepath.Join(realDir(t), "data")}
	_, secret, err := initData(t.Context(), w, data, config{Origin: tortureOrigin, Region: torture.Region}, "tt")
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(data.storePath())
	if err != nil {
		t.Fatal(err)
	}
	const requests = 5
	var ids []string
	rec := recordServe(t, data, func(url string) {
		settled(t, data.storePath())
		for i := range requests {
			ids = append(ids, admitOverHTTP(t, url, secret, i))
		}
	})
	answers := rec.Found("HTTP/1.1 201")
	if len(answers) != requests {
		t.Fatalf("%d answers in the recording, want %d", len(answers), requests)
	}
	before, unsynced := 0, 0
	for i, at := range answers {
		if rec.Unsynced(data.storePath(), at) != 0 {
			unsynced++
		}
		if syncs := rec.Syncs(data.storePath(), before, at); syncs == 0 {
			t.Errorf("answer %d left without a sync of the store since the one before", i)
		}
		before = at
		mustHave(t, w, data, rec, base, at, ids[:i+1])
	}
	if unsynced > 1 { // once a job of the server may be writing at such a moment
		t.Errorf("%d of %d answers left with writes of the store not synced", unsynced, requests)
	}
}

// settled waits until a server has written what it writes when it starts: a write
// of a job beside an answer would be counted as the answer's.
func settled(t *testing.T, store string) {
	t.Helper()
	for last, quiet := (time.Time{}), 0; quiet < 5; time.Sleep(100 * time.Millisecond) {
		info, err := os.Stat(store)
		if err != nil {
			t.Fatal(err)
		}
		if quiet++; !info.ModTime().Equal(last) {
			last, quiet = info.ModTime(), 0
		}
	}
}

// serveUntilEOF serves until its standard input ends, which it does at the latest
// when this process does.
const serveUntilEOF = `"$0" serve --data "$1" --listen 127.0.0.1:0 </dev/null & cat >/dev/null; kill $!; wait $!`

// recordServe records `serve` on a data directory while fn uses it.
func recordServe(t *testing.T, data dataFlags, fn func(url string)) *torture.Recording {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", serveUntilEOF, self, data.dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	log, stderr := io.Pipe()
	cmd.Stderr = stderr
	recorder, err := torture.Record(cmd, data.dir)
	if err != nil {
		t.Fatal(err)
	}
	fn("http://" + listening(t, log))
	stdin.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	rec, err := recorder.Wait(ctx)
	if err != nil {
		t.Fatalf("serve: %v", err)
	}
	return rec
}

var listenField = regexp.MustCompile(`msg=serving listen=(\S+)`)

// listening reads the server's log up to its address, and on without looking.
func listening(t *testing.T, log io.Reader) string {
	t.Helper()
	var text strings.Builder
	chunk := make([]byte, 4096)
	for {
		n, err := log.Read(chunk)
		text.Write(chunk[:n])
		if m := listenField.FindStringSubmatch(text.String()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return m[1]
		}
		if err != nil {
			t.Fatalf("serve did not begin: %s", text.String())
		}
	}
}

func admitOverHTTP(t *testing.T, url, secret string, i int) (id string) {
	t.Helper()
	body := fmt.Sprintf(`{"name":"断电测试评价中心%d","uscc":"%s","region":"320583"}`, i, invented.USCC(100+i))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/institutions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("power-%d", i))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s %v", resp.StatusCode, answer, err)
	}
	var out struct{ ID string }
	if err := json.Unmarshal(answer, &out); err != nil || out.ID == "" {
		t.Fatalf("%s: %v", answer, err)
	}
	return out.ID
}

// mustHave rebuilds the store from what was synced at a position alone.
func mustHave(t *testing.T, w world, data dataFlags, rec *torture.Recording, base []byte, at int, ids []string) {
	t.Helper()
	content, err := rec.Durable(base, data.storePath(), at)
	if err != nil {
		t.Fatal(err)
	}
	after := dataFlags{dir: data.dir, store: filepath.Join(t.TempDir(), "store.db")}
	if err := os.WriteFile(after.store, content, 0o600); err != nil {
		t.Fatal(err)
	}
	reg, err := after.open(t.Context(), w, newLog(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	for _, id := range ids {
		if _, err := reg.InstitutionByID(t.Context(), registry.Operator(), id); err != nil {
			t.Errorf("institution %s was answered, and is gone after a power cut: %v", id, err)
		}
	}
	report, err := reg.Check(t.Context(), registry.Operator(), nil)
	if err != nil || report.Found > 0 {
		t.Errorf("check: %v %v", report.Problems, err)
	}
}

// TestTortureRefusesAStoreInUse: torture and bench never work on a register
// that somebody has.
func TestTortureRefusesAStoreInUse(t *testing.T) {
	w := tortureWorld(t)
	store := postgresURL(pgtest.New(t))
	if _, err := newPatient(t.Context(), w, t.TempDir(), store, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := newPatient(t.Context(), w, t.TempDir(), store, 1); fail.CodeOf(err) != "store_in_use" {
		t.Errorf("a second register in one database: %v", err)
	}
}

// TestRace lets two processes race for claims, for a second each, and holds all to the
// model: over one server of a file, and on one database.
func TestRace(t *testing.T) {
	t.Parallel()
	size := torture.RaceSize{Seed: seedOf(t), People: 24, Clients: 8, For: needed.Span(time.Second), Days: 420}
	for name, store := range map[string]func(t *testing.T) string{
		"bbolt":      func(*testing.T) string { return "" },
		"postgresql": func(t *testing.T) string { return postgresURL(pgtest.New(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			report, err := tortureRace(t.Context(), tortureWorld(t), raceOptions{size: size, store: store(t), dir: t.TempDir()})
			noProblems(t, report, report.Problems, err)
			if report.Store != name || report.Storms != raceStorms || report.Outcomes["reserve allow"] == 0 || report.Outcomes["confirm done"] == 0 || report.Compared == 0 || report.Replayed != report.Claims {
				t.Error("this proves little")
			}
		})
	}
}

// noProblems fails the test with the problems that a run of torture has found.
func noProblems(t *testing.T, report any, problems []string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
	for _, p := range problems {
		t.Error(p)
	}
}

// needStrace skips where recording is impossible; with CI=true that is a failure.
func needStrace(t *testing.T) {
	t.Helper()
	dir := realDir(t)
	recorder, err := torture.Record(exec.Command("/bin/sh", "-c", "echo x > "+filepath.Join(dir, "x")), dir)
	if err == nil {
		_, err = recorder.Wait(t.Context())
	}
	if err != nil {
		needed.Missing(t, err)
	}
}

// realDir is a temporary directory by the name that strace shows.
func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// seedOf is random, printed, and what TORTURE_SEED says when a failure is to be
// looked at again.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return seed
	}
	var b [4]byte
	rand.Read(b[:])
	seed := uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	t.Logf("TORTURE_SEED=%d", seed)
	return seed
}

var settingShape = regexp.MustCompile(`(\w+)=(?:'([^']*)'|(\S+))`)

// postgresURL is a connection string in the form of a URL, which is what the
// command line takes.
func postgresURL(connString string) string {
	if strings.HasPrefix(connString, "postgres") {
		return connString
	}
	values := map[string]string{}
	for _, m := range settingShape.FindAllStringSubmatch(connString, -1) {
		values[m[1]] = m[2] + m[3]
	}
	return fmt.Sprintf("postgres:///%s?host=%s&user=%s&sslmode=disable", values["dbname"], values["host"], values["user"])
}
