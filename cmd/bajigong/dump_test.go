package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/dump"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/auditlog"
)

// entriesOf reads a store past dump and restore: every table with every entry.
func entriesOf(t testing.TB, store string) map[kv.Table][]kv.Entry {
	t.Helper()
	engine, err := openStore(t.Context(), store, true)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	out := map[kv.Table][]kv.Entry{}
	err = engine.View(t.Context(), func(rd kv.Reader) error {
		tables, err := kv.Tables(rd)
		if err != nil {
			return err
		}
		for _, table := range tables {
			err := kv.Each(rd, table, kv.Range{}, func(e kv.Entry) error {
				out[table] = append(out[table], e)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rootOf(t testing.TB, store string) string {
	t.Helper()
	engine, err := openStore(t.Context(), store, true)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	head, err := auditlog.ReadHead(paged{t.Context(), engine})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(head.Origin, head.Size, head.Root())
}

// TestMovingHouse moves a register with a history of everything from bbolt to
// PostgreSQL and back: every entry of every table is the same, the log has the
// same root, and the register is sound in both places.
func TestMovingHouse(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	dir := t.TempDir()
	m.run(exitOK, "demo", "--once", "--dir", dir)
	m.env["BAJIGONG_DATA"] = dir
	bolt, postgres, back := filepath.Join(dir, "store.db"), pgtest.New(t), filepath.Join(dir, "back.db")
	first, second := filepath.Join(dir, "a.dump.zst"), filepath.Join(dir, "b.dump.zst")

	says(t, m.run(exitOK, "dump", first), "已导出", "root")
	says(t, m.run(exitOK, "restore", first, "--store", postgres), "已恢复", "可以继续签发")
	m.run(exitOK, "dump", second, "--store", postgres)
	m.run(exitOK, "restore", second, "--store", back)

	want, inPostgres, inBack := entriesOf(t, bolt), entriesOf(t, postgres), entriesOf(t, back)
	if len(want) < 80 || len(want["certificates"]) < 100 || len(want["claims"]) == 0 {
		t.Fatalf("this register proves nothing: %d tables", len(want))
	}
	for _, got := range []map[kv.Table][]kv.Entry{inPostgres, inBack} {
		if !reflect.DeepEqual(got, want) {
			for table := range want {
				if !reflect.DeepEqual(got[table], want[table]) {
					t.Errorf("%s: %d entries, want %d, or others", table, len(got[table]), len(want[table]))
				}
			}
			t.Errorf("%d tables, want %d", len(got), len(want))
		}
	}
	root := rootOf(t, bolt)
	if rootOf(t, postgres) != root || rootOf(t, back) != root {
		t.Errorf("root %s became %s and %s", root, rootOf(t, postgres), rootOf(t, back))
	}
	for _, store := range []string{postgres, back} {
		m.run(exitOK, "check", "--store", store)
	}
	sizes := func(name string) int64 { info, _ := os.Stat(name); return info.Size() }
	t.Logf("%d tables; dump %d KB of a store of %d KB; restored %d KB", len(want), sizes(first)>>10, sizes(bolt)>>10, sizes(back)>>10)
}

// TestDumpIsWholeOrNotThere: nothing is overwritten, nothing half is left, the
// file is its owner's.
func TestDumpIsWholeOrNotThere(t *testing.T) {
	m := newStore(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "r.dump.zst")
	m.run(exitOK, "dump", name)
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	m.run(exitConflict, "dump", name)
	says(t, m.errs.String(), "已存在", "file_exists")
	m.run(exitTemporary, "dump", filepath.Join(dir, "none", "r.dump.zst"))
	before := mustRead(t, name)
	err = writeWhole(filepath.Join(dir, "x"), func(out io.Writer) error { _, _ = out.Write([]byte("half")); return io.ErrShortWrite }, nil)
	if entries, _ := os.ReadDir(dir); err == nil || len(entries) != 1 || mustRead(t, name) != before {
		t.Errorf("%v leaves %v", err, entries)
	}
	// To the standard output, and from the standard input.
	m.stdin = m.run(exitOK, "dump", "-")
	says(t, m.errs.String(), "已导出 -")
	back := filepath.Join(dir, "back.db")
	m.run(exitOK, "restore", "-", "--store", back)
	if !reflect.DeepEqual(entriesOf(t, back), entriesOf(t, filepath.Join(m.env["BAJIGONG_DATA"], "store.db"))) {
		t.Error("through a pipe it is another register")
	}
}

// TestDumpOfAServedStore: a bbolt store belongs to its server.
func TestDumpOfAServedStore(t *testing.T) {
	t.Parallel()
	m := newStore(t)
	data := dataFlags{dir: m.env["BAJIGONG_DATA"]}
	reg, err := data.open(t.Context(), m.world(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	m.run(exitTemporary, "dump", filepath.Join(t.TempDir(), "x"))
	says(t, m.errs.String(), "--backup-dir", "backup now")
}

func TestRestoreRefuses(t *testing.T) {
	m := newStore(t)
	dir := t.TempDir()
	name, store := filepath.Join(dir, "r.dump.zst"), filepath.Join(dir, "new.db")
	m.run(exitOK, "dump", name)

	m.run(exitConflict, "restore", name) // the register itself
	says(t, m.errs.String(), "store_not_empty", "accounts", "zs.example.gov.cn/log", "last written")
	m.run(exitNotFound, "restore", filepath.Join(dir, "none"), "--store", store)
	m.run(exitInvalid, "restore", file(t, "x", "SQLite format 3"), "--store", store)
	says(t, m.errs.String(), "dump_unknown")
	cut := file(t, "cut", mustRead(t, name)[:700])
	m.run(exitInvalid, "restore", cut, "--store", store)
	says(t, m.errs.String(), "dump_damaged")
	m.run(exitUsage, "restore", name, "--store", store, "--page", "-1")

	other := newStore(t)
	other.run(exitOK, "init", "--data", filepath.Join(dir, "other"), "--origin", "https://other.example.gov.cn", "--region", "320000", "--code", "js")
	other.run(exitConflict, "restore", name, "--data", filepath.Join(dir, "other"), "--store", store)
	says(t, other.errs.String(), "dump_other_register")
	if _, err := os.Stat(store); err == nil {
		t.Error("a refused restore made a store")
	}

	// From a pipe the end is known last: the store is there and opens for nobody.
	m.stdin = string(cutContent(t, name))
	m.run(exitInvalid, "restore", "-", "--store", store, "--page", "5")
	m.stdin = ""
	for _, args := range [][]string{{"check"}, {"dump", filepath.Join(dir, "half")}, {"key", "list"}, {"serve", "--listen", "127.0.0.1:0"}} {
		m.run(exitConflict, append(args, "--store", store)...)
		says(t, m.errs.String(), "store_half_restored", "bajigong restore")
	}
	another := filepath.Join(dir, "another.dump.zst")
	m.run(exitOK, "dump", another)
	m.run(exitConflict, "restore", another, "--store", store)
	says(t, m.errs.String(), "store_half_restored")
	m.run(exitOK, "restore", name, "--store", store)
	m.run(exitOK, "check", "--store", store)
}

// cutContent is a dump that ends early and is packed as a whole one.
func cutContent(t *testing.T, name string) []byte {
	t.Helper()
	in, done, err := dump.Open(strings.NewReader(mustRead(t, name)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	content, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p, err := dump.Create(&out, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Write(content[:len(content)*3/4]); err == nil {
		err = p.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestOlderProgramsStayOut: a program that knows no restoring sees a schema that
// is newer than any.
func TestOlderProgramsStayOut(t *testing.T) {
	e, err := boltkv.Open(filepath.Join(t.TempDir(), "s.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := kv.BeginRestoration(t.Context(), e, "abc"); err != nil {
		t.Fatal(err)
	}
	if schema, err := (paged{t.Context(), e}).Get("meta", kv.Key("schema")); err != nil || string(schema) != "2147483647 restore under way" {
		t.Errorf("%q, %v", schema, err)
	}
}

// TestRestoreOfChangedFiles flips bytes all over a dump: the restore refuses, or
// what it makes is the register.
func TestRestoreOfChangedFiles(t *testing.T) {
	m := newStore(t)
	name := filepath.Join(t.TempDir(), "r.dump.zst")
	m.run(exitOK, "dump", name)
	want := entriesOf(t, filepath.Join(m.env["BAJIGONG_DATA"], "store.db"))
	whole := []byte(mustRead(t, name))
	refused := 0
	for range 60 {
		changed := bytes.Clone(whole)
		changed[rand.N(len(changed))] ^= 1 << rand.N(8)
		store := filepath.Join(t.TempDir(), "s.db")
		m.stdin = string(changed) // as from a pipe, where nothing is verified before
		code := run(context.Background(), []string{"restore", "-", "--store", store}, m.world())
		if code == exitOK {
			if !reflect.DeepEqual(entriesOf(t, store), want) {
				t.Fatal("restored as something else")
			}
			continue
		}
		refused++
		if code != exitInvalid && code != exitConflict { // or another header: of a newer store, of another register
			t.Fatalf("exit %d: %s", code, &m.errs)
		}
		if _, err := os.Stat(store); err == nil {
			m.stdin = ""
			m.run(exitConflict, "check", "--store", store)
		}
	}
	if refused < 50 {
		t.Errorf("only %d of 60 changes were noticed", refused)
	}
}

// TestRestoreRecomputesTheLog: a dump whose hash is right and whose log is not,
// as somebody makes it who can write files, gives no store that opens.
func TestRestoreRecomputesTheLog(t *testing.T) {
	m := newStore(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "r.dump.zst")
	m.run(exitOK, "dump", name)
	forge := func(change func(t kv.Table, e *kv.Entry) bool, header func(*dump.Header)) string {
		r, done, err := openDump(m.world(), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		out := filepath.Join(t.TempDir(), "forged")
		err = writeWhole(out, func(w io.Writer) error {
			p, err := dump.Create(w, nil)
			if err != nil {
				return err
			}
			h := r.Header()
			log := *h.Log
			h.Log = &log
			header(&h)
			d, err := dump.NewWriter(p, h)
			if err != nil {
				return err
			}
			for {
				table, e, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					return err
				}
				if change(table, &e) {
					if err := d.Put(table, e.Key, e.Value); err != nil {
						return err
					}
				}
			}
			if _, err := d.Close(); err != nil {
				return err
			}
			return p.Close()
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	same, as := func(kv.Table, *kv.Entry) bool { return true }, func(*dump.Header) {}
	first := true
	for what, forged := range map[string]string{
		"leaf": forge(func(table kv.Table, e *kv.Entry) bool {
			if table == "log_leaves" {
				e.Value[40] ^= 1
			}
			return true
		}, as),
		"event": forge(func(table kv.Table, e *kv.Entry) bool {
			cut := table == "events" && first
			first = first && !cut
			return !cut
		}, as),
		"no log": forge(func(table kv.Table, _ *kv.Entry) bool { return !strings.HasPrefix(string(table), "log_") }, as),
		"root":   forge(same, func(h *dump.Header) { h.Log.Root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }),
		"size":   forge(same, func(h *dump.Header) { h.Log.Size++ }),
	} {
		store := filepath.Join(t.TempDir(), "s.db")
		m.run(exitInvalid, "restore", forged, "--store", store)
		says(t, m.errs.String(), "dump_log_mismatch")
		if code := run(t.Context(), []string{"check", "--store", store}, m.world()); code != exitConflict {
			t.Errorf("%s: exit %d", what, code)
		}
	}
}

// TestSchemas: a dump of an older store is migrated, one of a newer store refused.
func TestSchemas(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, migrations []kv.Migration) string {
		e, err := boltkv.Open(filepath.Join(dir, name+".db"), boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		db, err := kv.Open(t.Context(), e, kv.Options{Now: time.Now, Process: name}, migrations)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		m := newMachine(t)
		out := filepath.Join(dir, name+".dump")
		m.run(exitOK, "dump", out, "--data", dir, "--store", filepath.Join(dir, name+".db"))
		return out
	}
	all := registry.Migrations()
	older := make("older", all[:2])
	newer := make("newer", append(append([]kv.Migration{}, all...), kv.Migration{Name: "of tomorrow", Step: func(kv.Tx, []byte) ([]byte, bool, error) { return nil, true, nil }}))

	m := newMachine(t)
	store := filepath.Join(dir, "s.db")
	m.run(exitConflict, "restore", newer, "--data", dir, "--store", store)
	says(t, m.errs.String(), "dump_schema_newer", "of tomorrow")
	m.run(exitOK, "restore", older, "--data", dir, "--store", store)
	says(t, m.errs.String(), "升级")
	engine, err := openStore(t.Context(), store, true)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	state, err := kv.ReadState(paged{t.Context(), engine})
	if err != nil || state.Schema != len(all) || state.Migrating {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestEncryptedDump(t *testing.T) {
	m := newStore(t)
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name, store := filepath.Join(dir, "r.age"), filepath.Join(dir, "s.db")
	m.run(exitInvalid, "dump", name, "--encrypt-to", "age1nonsense")
	m.run(exitOK, "dump", name, "--encrypt-to", file(t, "keys", "# vault\n"+mine.Recipient().String()+"\n"))
	for _, identity := range []string{"", other.String()} {
		args := []string{"restore", name, "--store", store}
		if identity != "" {
			args = append(args, "--identity", file(t, "id", identity))
		}
		m.run(exitDenied, args...)
	}
	says(t, m.errs.String(), "dump_wrong_identity")
	open := file(t, "open", mine.String())
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	m.run(exitDenied, "restore", name, "--store", store, "--identity", open)
	says(t, m.errs.String(), "secret_open_to_others")
	m.run(exitOK, "restore", name, "--store", store, "--identity", file(t, "id", mine.String()))
	m.run(exitOK, "check", "--store", store)
	// The layers are those of age and zstd, which open it without us.
	t.Run("age", func(t *testing.T) {
		age := needed.Tool(t, "age", "age")
		if out, err := exec.Command(age, "-d", "-i", file(t, "id", mine.String()), name).Output(); err != nil || !bytes.HasPrefix(out, []byte("\x28\xb5\x2f\xfd")) {
			t.Errorf("age -d: %v", err)
		}
	})
}

// TestKilledRestore kills the restoring process again and again; each time it
// goes on where it stopped, and what comes out is the register.
func TestKilledRestore(t *testing.T) {
	t.Parallel()
	t.Run("bbolt", func(t *testing.T) { killedRestore(t, filepath.Join(t.TempDir(), "s.db")) })
	t.Run("postgres", func(t *testing.T) { killedRestore(t, postgresURL(pgtest.New(t))) })
}

// smallBlocks is a dump packed so that each kilobyte can be read before the next
// is there.
func smallBlocks(t *testing.T, name string) []byte {
	t.Helper()
	var out bytes.Buffer
	dec, err := zstd.NewReader(strings.NewReader(mustRead(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	enc, err := zstd.NewWriter(&out, zstd.WithWindowSize(zstd.MinWindowSize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(enc, dec); err != nil {
		t.Fatal(err)
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func killedRestore(t *testing.T, store string) {
	w := tortureWorld(t)
	p, err := newPatient(t.Context(), w, filepath.Join(t.TempDir(), "data"), "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.fill(t.Context(), torture.Size{Issue: 1, IssueRows: 60, Claims: 20}); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t)
	m.env["BAJIGONG_DATA"] = p.data.dir
	name := filepath.Join(t.TempDir(), "r.dump.zst")
	m.run(exitOK, "dump", name)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	whole := smallBlocks(t, name)
	resumed := 0
	for kills := 0; ; kills++ {
		cmd := exec.Command(self, "restore", "-", "--data", p.data.dir, "--store", store, "--page", "1")
		var errs syncBuffer
		cmd.Stderr = &errs
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		part := whole
		if kills < 5 { // not given all, it cannot end before it is killed
			part = whole[:len(whole)*(kills+2)/7]
		}
		go func() {
			_, _ = in.Write(part)
			if len(part) == len(whole) {
				_ = in.Close()
			}
		}()
		if kills < 8 { // soon after its first page
			for len(ended) == 0 && !strings.Contains(errs.String(), "恢复 restore") {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(rand.N(15 * time.Millisecond))
			_ = cmd.Process.Kill()
		}
		err = <-ended
		if strings.Contains(errs.String(), "going on after record") {
			resumed++
		}
		if err == nil {
			break
		}
		if cmd.ProcessState.Exited() {
			t.Fatalf("%v: %s", err, errs.String())
		}
		if code := run(t.Context(), []string{"key", "list", "--store", store}, m.world()); code == exitOK && kills >= 5 {
			break // killed between the last step and its own end
		} else if code != exitConflict {
			t.Fatalf("a half restored store: exit %d: %s", code, &m.errs)
		}
	}
	if resumed < 5 {
		t.Errorf("5 kills, %d times gone on", resumed)
	}
	if !reflect.DeepEqual(entriesOf(t, store), entriesOf(t, p.data.storePath())) {
		t.Error("another register came out")
	}
}

// TestResumeWithAnotherFile: what was restored in part is gone on with the same
// file only, also when another one says it is the same dump.
func TestResumeWithAnotherFile(t *testing.T) {
	write := func(records ...string) *dump.Reader {
		var out bytes.Buffer
		w, err := dump.NewWriter(&out, dump.Header{Format: dump.Format, ID: strings.Repeat("a", 32), Made: time.Unix(1, 0).UTC()})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range records {
			if err := w.Put("t", fmt.Appendf(nil, "%03d", i), []byte(r)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := dump.NewReader(&out)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	e, err := boltkv.Open(filepath.Join(t.TempDir(), "s.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	begin := func() *kv.Restoration {
		x, err := kv.BeginRestoration(t.Context(), e, strings.Repeat("a", 32))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	ctx, stop := context.WithCancel(t.Context())
	err = copyRecords(ctx, begin(), write("1", "2", "3", "4", "5"), 1, func(done, _ uint64) {
		if done == 3 {
			stop()
		}
	})
	if err == nil || begin().Point().Records != 3 {
		t.Fatalf("%v at %d", err, begin().Point().Records)
	}
	none := func(uint64, uint64) {}
	for _, other := range []*dump.Reader{write("1", "x", "3", "4", "5"), write("1", "2"), write()} {
		if err := copyRecords(t.Context(), begin(), other, 2, none); fail.CodeOf(err) != "dump_other_file" {
			t.Errorf("another file: %v", err)
		}
	}
	// Two at once: the one that comes second with its page stores nothing.
	late, x := begin(), begin()
	if err := copyRecords(t.Context(), x, write("1", "2", "3", "4", "5"), 2, none); err != nil {
		t.Fatal(err)
	}
	if err := late.Finish(t.Context()); err == nil {
		t.Error("a second restore of the same dump finished beside the first")
	}
	if err := x.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	values, err := (paged{t.Context(), e}).Scan("t", kv.Range{Limit: 10})
	if err != nil || len(values) != 5 {
		t.Errorf("%v, %v", values, err)
	}
}

// TestRestoreOfAnOlderBackup is the rule of the checkpoint from end to end: a
// register that was restored from a backup before what it published last signs
// nothing and says what to do; from the newest backup it goes on.
func TestRestoreOfAnOlderBackup(t *testing.T) {
	m := newStore(t)
	dir := m.env["BAJIGONG_DATA"]
	data := dataFlags{dir: dir}
	work := func(name string) error {
		reg, err := data.open(t.Context(), m.world(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer reg.Close()
		if name != "" {
			if _, err := reg.CreateAccount(t.Context(), registry.Operator(), registry.NewAccount{Name: name, Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = reg.Checkpoint(t.Context())
		return err
	}
	older, newest := filepath.Join(dir, "older.dump"), filepath.Join(dir, "newest.dump")
	m.run(exitOK, "dump", older)
	if err := work("one"); err != nil {
		t.Fatal(err)
	}
	m.run(exitOK, "dump", newest)
	if err := os.Remove(data.storePath()); err != nil {
		t.Fatal(err)
	}

	says(t, m.run(exitOK, "restore", older), "log_rolled_back", "new-origin", "较旧的备份")
	if err := work(""); fail.CodeOf(err) != "log_rolled_back" {
		t.Fatalf("an older backup signs: %v", err)
	}
	// serve serves, publishes nothing, and says so.
	errs := serveUntil(t, data.dir, "checkpoint not published")
	says(t, errs, "log_rolled_back", "new origin")

	if err := os.Remove(data.storePath()); err != nil {
		t.Fatal(err)
	}
	says(t, m.run(exitOK, "restore", newest), "可以继续签发")
	if err := work("two"); err != nil {
		t.Errorf("the newest backup does not go on: %v", err)
	}
	m.run(exitOK, "check")

	// Nothing newer is found: the older one goes on under a new name.
	if err := os.Remove(data.storePath()); err != nil {
		t.Fatal(err)
	}
	m.run(exitOK, "restore", older)
	m.run(exitOK, "audit", "new-origin", "--name", "zs.example.gov.cn/log-2")
	if err := work("three"); err != nil {
		t.Error(err)
	}
	m.run(exitOK, "check")
}

// serveUntil runs serve as a process of its own until it has said a word.
func serveUntil(t *testing.T, dir, word string, more ...string) string {
	t.Helper()
	out := startServe(t, dir, func(errs *syncBuffer) {
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(errs.String(), word) && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
	}, more...)
	if !strings.Contains(out.String(), word) {
		t.Fatalf("serve does not say %q:\n%s", word, out.String())
	}
	return out.String()
}

// startServe runs serve as a process of its own until fn ends.
func startServe(t *testing.T, dir string, fn func(errs *syncBuffer), more ...string) *syncBuffer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, more...)...)
	var errs syncBuffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fn(&errs)
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve: %v\n%s", err, errs.String())
	}
	return &errs
}

// syncBuffer is a buffer that is read while a process writes to it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
