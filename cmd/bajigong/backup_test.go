package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"bajigong/internal/fail"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
)

// newJob is the backup job of a register, which a test lets look by hand.
func newJob(t *testing.T, m *machine, c backupConfig) *backupJob {
	t.Helper()
	w := m.world()
	data := dataFlags{dir: m.env["BAJIGONG_DATA"], store: m.env["BAJIGONG_STORE"]}
	reg, err := data.open(t.Context(), w, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	plan, err := c.plan(w, reg.config.Origin)
	if err != nil {
		t.Fatal(err)
	}
	return &backupJob{w: w, reg: reg, plan: *plan, log: slog.New(slog.DiscardHandler)}
}

func namesIn(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestBackupsAreMadeAndRetired: one when it is due, read back, and of the good
// ones as many as wanted; nothing that is not its own is touched.
func TestBackupsAreMadeAndRetired(t *testing.T) {
	m := newStore(t)
	now := time.Now()
	m.now = func() time.Time { return now }
	dir := filepath.Join(t.TempDir(), "backups")
	j := newJob(t, m, backupConfig{Dir: dir, Every: "24h", Keep: 2})
	for name, body := range map[string]string{
		"notes.txt": "mine", "other.example.gov.cn-20200101T000000Z-00000000.dump.zst": "of another register",
		"zs.example.gov.cn-20200101T000000Z-0000000g.dump.zst": "not our name",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	others := namesIn(t, dir)
	left := "zs.example.gov.cn-20260101T000000Z-00000000.dump.zst" // of a killed process
	if err := os.WriteFile(filepath.Join(dir, left+partMark+"1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, left), []byte("without a note"), 0o600); err != nil {
		t.Fatal(err)
	}
	for day := range 4 {
		j.look(t.Context())
		j.look(t.Context()) // not due any more
		all, err := findBackups(dir)
		if err != nil {
			t.Fatal(err)
		}
		good := slices.DeleteFunc(all, func(b foundBackup) bool { return !b.good() })
		if len(good) != min(day+1, 2) || !good[len(good)-1].made.Equal(now.UTC().Truncate(time.Second)) {
			t.Fatalf("day %d: %+v", day, good)
		}
		if j.failures != 0 {
			t.Fatal("it failed")
		}
		now = now.Add(24*time.Hour + time.Second)
	}
	for _, name := range others {
		if !slices.Contains(namesIn(t, dir), name) {
			t.Errorf("%s was removed", name)
		}
	}
	if len(namesIn(t, dir)) != len(others)+2*2 {
		t.Errorf("left: %v", namesIn(t, dir))
	}
	says(t, string(j.metrics()), "bajigong_backup_failures_total 0", "bajigong_backup_kept 2", "bajigong_backup_last_success_timestamp_seconds 1")

	list := m.run(exitOK, "backup", "list", "--backup-dir", dir)
	says(t, list, "good", "not verified")
	says(t, m.errs.String(), "3 backups, 2 good")
	var notes []backupNote
	if err := json.Unmarshal([]byte(m.run(exitOK, "backup", "list", "--backup-dir", dir, "--json")), &notes); err != nil || len(notes) != 2 || !notes[0].Content {
		t.Fatalf("%+v %v", notes, err)
	}
	newest := filepath.Join(dir, notes[1].File)
	says(t, m.run(exitOK, "backup", "verify", newest), "完好 whole")
	if err := j.reg.Close(); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "s.db")
	m.run(exitOK, "restore", newest, "--store", store)
	m.run(exitOK, "check", "--store", store)

	// One bit on the disk turns: found by verify, with or without the note.
	body := []byte(mustRead(t, newest))
	body[len(body)/2] ^= 4
	if err := os.WriteFile(newest, body, 0o600); err != nil {
		t.Fatal(err)
	}
	m.run(exitInvalid, "backup", "verify", newest)
	says(t, m.errs.String(), "backup_changed")
	m.run(exitInvalid, "backup", "verify", file(t, "copy", string(body)))
	if err := os.WriteFile(newest, body[:len(body)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, m.run(exitOK, "backup", "list", "--backup-dir", dir), "should be")
	m.run(exitNo, "backup", "list", "--backup-dir", t.TempDir())
}

// TestRetentionKeepsTheLastGoodOne: what is broken does not count, so a good one
// stays though newer files are there.
func TestRetentionKeepsTheLastGoodOne(t *testing.T) {
	dir := t.TempDir()
	put := func(day int, noted int64) string {
		name := fmt.Sprintf("h-202601%02dT000000Z-0000000%d.dump.zst", day, day)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		if noted > 0 {
			note, _ := json.Marshal(backupNote{File: name, Bytes: noted})
			if err := os.WriteFile(filepath.Join(dir, name+noteSuffix), note, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	put(1, 5)
	put(2, 5)
	third, fourth, fifth := put(3, 5), put(4, 4), put(5, 0)
	if kept, err := retain(dir, "h", 1); err != nil || kept != 1 {
		t.Fatalf("%d, %v", kept, err)
	}
	if got, want := namesIn(t, dir), []string{third, third + noteSuffix, fourth, fourth + noteSuffix, fifth}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v stays, want %v", got, want)
	}
	if _, err := retain(dir, "h", 5); err != nil || len(namesIn(t, dir)) != 5 {
		t.Errorf("fewer than wanted, and some were removed: %v, %v", namesIn(t, dir), err)
	}
}

// TestFailedBackup: it is counted, nothing half is left, the good ones stay, and
// it is tried again after a while.
func TestFailedBackup(t *testing.T) {
	m := newStore(t)
	now := time.Now()
	m.now = func() time.Time { return now }
	dir := t.TempDir()
	j := newJob(t, m, backupConfig{Dir: dir, Keep: 1})
	var log bytes.Buffer
	j.log = newLog(&log)
	j.look(t.Context())
	good := namesIn(t, dir)
	if len(good) != 2 {
		t.Fatalf("%v %s", good, &log)
	}
	now = now.Add(25 * time.Hour)
	j.w.rand = strings.NewReader("short") // ends in the middle of the header
	j.look(t.Context())
	if j.failures != 1 || !strings.Contains(log.String(), "backup failed") || !reflect.DeepEqual(namesIn(t, dir), good) {
		t.Fatalf("%d failures, left %v: %s", j.failures, namesIn(t, dir), &log)
	}
	says(t, string(j.metrics()), "bajigong_backup_failures_total 1", fmt.Sprint("last_failure_timestamp_seconds ", now.Unix()))
	j.look(t.Context())
	if j.failures != 1 {
		t.Error("tried again at once")
	}
	now = now.Add(backupRetry)
	j.w.rand = m.world().rand
	j.look(t.Context())
	if again := namesIn(t, dir); j.failures != 1 || len(again) != 2 || again[0] == good[0] {
		t.Errorf("%d failures, %v after %v", j.failures, again, good)
	}
}

// A dump whose note cannot be written does not stay: at each further try there would be
// another, on a disk that is perhaps full.
func TestBackupWithoutANoteDoesNotStay(t *testing.T) {
	m := newStore(t)
	now := time.Now()
	m.now = func() time.Time { return now }
	dir := t.TempDir()
	j := newJob(t, m, backupConfig{Dir: dir, Keep: 1})
	var log bytes.Buffer
	j.log, j.w.rand = newLog(&log), ones{}
	name := fmt.Sprintf("%s-%s-01010101.dump.zst", j.plan.host, now.UTC().Format(backupTime))
	inItsPlace := filepath.Join(dir, name+noteSuffix)
	if err := os.Mkdir(inItsPlace, 0o700); err != nil {
		t.Fatal(err)
	}
	j.look(t.Context())
	if left := namesIn(t, dir); j.failures != 1 || len(left) != 1 || !strings.Contains(log.String(), filepath.Base(inItsPlace)) {
		t.Fatalf("%d failures, left %v: %s", j.failures, left, &log)
	}
	if err := os.Remove(inItsPlace); err != nil {
		t.Fatal(err)
	}
	now = now.Add(backupRetry)
	j.look(t.Context())
	if left := namesIn(t, dir); j.failures != 1 || len(left) != 2 {
		t.Errorf("%d failures, left %v: %s", j.failures, left, &log)
	}
}

// ones is randomness that is none.
type ones struct{}

func (ones) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 1
	}
	return len(b), nil
}

// TestBackupLeavesRoom: it is given up before the disk is full.
func TestBackupLeavesRoom(t *testing.T) {
	free := uint64(2 * backupReserve)
	r := &roomy{out: io.Discard, reserve: backupReserve, since: backupLook, free: func(string) (uint64, bool) { return free, true }}
	page := make([]byte, 1<<20)
	if _, err := r.Write(page); err != nil {
		t.Fatal(err)
	}
	free = backupReserve - 1
	for n := 0; ; n++ {
		_, err := r.Write(page)
		if fail.CodeOf(err) == "no_room" {
			break
		}
		if err != nil || n > backupLook>>20 {
			t.Fatalf("%d MB written to a full disk, %v", n, err)
		}
	}
	if err := noRoom(fmt.Errorf("snapshot: %w: much", boltkv.ErrNoRoom)); fail.CodeOf(err) != "no_room" {
		t.Error(err)
	}
}

// TestEncryptedBackups: the server cannot read what it wrote, but that the bytes
// are those it wrote.
func TestEncryptedBackups(t *testing.T) {
	m := newStore(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	j := newJob(t, m, backupConfig{Dir: dir, EncryptTo: []string{id.Recipient().String()}})
	j.look(t.Context())
	all, err := findBackups(dir)
	if err != nil || len(all) != 1 || !all[0].good() || !all[0].note.Encrypted || all[0].note.Content || !strings.HasSuffix(all[0].name, ".age") {
		t.Fatalf("%+v %v", all, err)
	}
	path := filepath.Join(dir, all[0].name)
	says(t, m.run(exitOK, "backup", "verify", path), "已加密")
	says(t, m.run(exitOK, "backup", "verify", path, "--identity", file(t, "id", id.String())), "完好")
}

// TestOneProcessMakesTheBackup: of two over one database one does it, and the
// other knows.
func TestOneProcessMakesTheBackup(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.env["BAJIGONG_DATA"], m.env["BAJIGONG_STORE"] = filepath.Join(t.TempDir(), "data"), pgtest.New(t)
	m.run(exitOK, "init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js")
	a, b := newJob(t, m, backupConfig{Dir: t.TempDir()}), newJob(t, m, backupConfig{Dir: t.TempDir()})
	// While a is at it, b finds the lease taken.
	_, held, err := a.reg.LeasedBackup(t.Context(), func(ctx context.Context) (registry.Backup, error) {
		b.look(ctx)
		return a.make(ctx)
	})
	if err != nil || !held {
		t.Fatal(held, err)
	}
	b.look(t.Context())
	if len(namesIn(t, a.plan.dir)) != 2 || len(namesIn(t, b.plan.dir)) != 0 {
		t.Errorf("a made %v, b made %v", namesIn(t, a.plan.dir), namesIn(t, b.plan.dir))
	}
	if b.last.File == "" || !strings.Contains(string(b.metrics()), fmt.Sprint("last_success_timestamp_seconds ", b.last.At.Unix())) {
		t.Errorf("b knows nothing of it: %s", b.metrics())
	}
}

// TestBackupsOfAServer: serve makes the first one at once, more when asked, and
// goes on serving.
func TestBackupsOfAServer(t *testing.T) {
	t.Parallel()
	m := newStore(t)
	dir := filepath.Join(t.TempDir(), "b")
	asked := make(chan string, 1)
	go func() {
		defer close(asked)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if all, _ := findBackups(dir); len(all) > 0 && all[0].good() {
				break
			}
		}
		n := newMachine(t)
		var out, errs bytes.Buffer
		w := n.world()
		w.stdout, w.stderr = &out, &errs
		run(context.Background(), []string{"backup", "now", "--backup-dir", dir, "--wait", "20s"}, w)
		asked <- out.String() + errs.String()
	}()
	data := dataFlags{dir: m.env["BAJIGONG_DATA"]}
	c, err := loadConfig(data.config())
	if err != nil {
		t.Fatal(err)
	}
	c.Metrics, c.Backup = true, backupConfig{Dir: dir, Every: "24h", Keep: 3}
	if err := saveConfig(data.config(), c); err != nil {
		t.Fatal(err)
	}
	startServe(t, data.dir, func(errs *syncBuffer) {
		says(t, <-asked, "已备份")
		_, listen, _ := strings.Cut(errs.String(), "listen=")
		listen, _, _ = strings.Cut(listen, " ")
		answer, err := http.Get("http://" + listen + "/metrics")
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		says(t, string(body), "bajigong_http_request_duration_seconds", "bajigong_backup_kept 2", "bajigong_backup_failures_total 0")
	})
	says(t, m.run(exitOK, "backup", "list"), "good")
	all, err := findBackups(dir)
	if err != nil || len(all) != 2 || !all[0].good() || !all[1].good() || len(namesIn(t, dir)) != 4 {
		t.Errorf("%+v, %v; %v", all, err, namesIn(t, dir))
	}
	// Nobody answers any more.
	m.run(exitTemporary, "backup", "now", "--backup-dir", dir, "--wait", "300ms")
	says(t, m.errs.String(), "backup_not_answered")
	if len(namesIn(t, dir)) != 4 {
		t.Errorf("the request was left: %v", namesIn(t, dir))
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	m.run(exitDenied, "backup", "now", "--backup-dir", dir)
	m.run(exitDenied, "serve", "--listen", "127.0.0.1:0", "--backup-dir", dir)
	m.run(exitUsage, "serve", "--listen", "127.0.0.1:0", "--backup-dir", dir, "--backup-every", "soon")
	c.Backup = backupConfig{}
	if err := saveConfig(data.config(), c); err != nil {
		t.Fatal(err)
	}
	m.run(exitUsage, "backup", "list")
}
