package torture

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

// lines is what strace writes about two threads of a process.
const lines = `
7  openat(AT_FDCWD<\x2f>, "\x2f\x64\x2f\x63\x2e\x6e\x65\x77", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644) = 9<\x2f\x64\x2f\x63\x2e\x6e\x65\x77>
7  pwrite64(5<\x2f\x64\x2f\x73>, "\x61\x62", 2, 0) = 2
7  fdatasync(5<\x2f\x64\x2f\x73> <unfinished ...>
8  pwrite64(5<\x2f\x64\x2f\x73>, "\x63\x64", 2, 2 <unfinished ...>
7  <... fdatasync resumed>)        = 0
8  <... pwrite64 resumed>)         = 1
7  write(1<\x70\x69\x70\x65>, "\x6f\x6b\x0a", 3) = 3
7  ftruncate(5<\x2f\x64\x2f\x73>, 8) = 0
7  fsync(5<\x2f\x64\x2f\x73>)      = -1 EIO (Input/output error)
7  write(9<\x2f\x64\x2f\x63\x2e\x6e\x65\x77>, "\x6e", 1) = 1
8  renameat(AT_FDCWD<\x2f>, "\x2f\x64\x2f\x63\x2e\x6e\x65\x77", AT_FDCWD<\x2f>, "\x2f\x64\x2f\x63") = 0
7  --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=7, si_uid=0} ---
7  mmap(NULL, 4096, PROT_READ, MAP_SHARED, 5<\x2f\x64\x2f\x73>, 0) = 0x7f0000000000
7  +++ exited with 0 +++
`

func parsed(t *testing.T, text string) *Recording {
	t.Helper()
	r := &Recording{dir: hexOf("/d/"), pending: map[string]int{}}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if err := r.add(line); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestRecordingOfThreads(t *testing.T) {
	r := parsed(t, lines)
	if r.Len() != 12 || r.pid != 7 {
		t.Errorf("%d positions of process %d", r.Len(), r.pid)
	}
	if got := string(r.Said(1, r.Len())); got != "ok\n" {
		t.Errorf("said %q", got)
	}
	if got := string(r.Said(1, 6)); got != "" {
		t.Errorf("said %q before it did", got)
	}
	// The write of thread 8 began during the sync: it is not covered. The sync
	// that failed covers nothing.
	for at, want := range map[int]int{1: 0, 2: 1, 4: 2, 5: 1, 12: 2} {
		if got := r.Unsynced("/d/s", at); got != want {
			t.Errorf("at %d %d changes are not synced, want %d", at, got, want)
		}
	}
	if got, _ := r.Durable([]byte("...."), "/d/s", r.Len()); string(got) != "ab.." {
		t.Errorf("durable: %q", got)
	}
	if r.Syncs("/d/s", 0, 3) != 0 || r.Syncs("/d/s", 0, 5) != 1 || r.Syncs("/d/s", 3, 12) != 0 {
		t.Error("the syncs are counted wrongly")
	}
	if got := r.Found("ok"); !slices.Equal(got, []int{7}) {
		t.Errorf("found at %v", got)
	}
	if _, err := r.Replaced("/d/c", r.Len()); err == nil {
		t.Error("a file that was renamed before it was synced is taken for whole")
	}
}

func TestReplaced(t *testing.T) {
	synced := strings.Replace(lines, "8  renameat", `7  fsync(9<\x2f\x64\x2f\x63\x2e\x6e\x65\x77>) = 0`+"\n8  renameat", 1)
	r := parsed(t, synced)
	if got, err := r.Replaced("/d/c", 11); got != nil || err != nil {
		t.Errorf("before the rename: %q, %v", got, err)
	}
	if got, err := r.Replaced("/d/c", 12); string(got) != "n" || err != nil {
		t.Errorf("after the rename: %q, %v", got, err)
	}
}

func TestRecordingRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, line := range []string{
		`7  writev(5<\x2f\x64\x2f\x73>, [{iov_base="\x61", iov_len=1}], 1) = 1`,
		`7  mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5<\x2f\x64\x2f\x73>, 0) = 0x7f0000000000`,
		`7  pwrite64(5<\x2f\x64\x2f\x73>, "\x61\x62"..., 4096, 0) = 4096`,
		`7  fallocate(5<\x2f\x64\x2f\x73>, 0, 0, 4096) = 0`,
		`strange`,
		`7  strange`,
	} {
		r := &Recording{dir: hexOf("/d/"), pending: map[string]int{}}
		if err := r.add(line); err == nil && line != "strange" {
			t.Errorf("%s: taken", line)
		}
		elsewhere := strings.ReplaceAll(line, `\x64`, `\x65`)
		r = &Recording{dir: hexOf("/d/"), pending: map[string]int{}}
		if err := r.add(elsewhere); err != nil && strings.Contains(line, `\x64`) && !strings.Contains(line, "\"...") {
			t.Errorf("%s: %v", elsewhere, err)
		}
	}
}

// TestCut: what a sync covers is always there, every sector of the rest is old
// or new, and each way to lose comes up.
func TestCut(t *testing.T) {
	r := &Recording{length: 6, calls: []call{
		{kind: callWrite, file: "s", at: 0, data: bytes.Repeat([]byte("a"), sector), begin: 0, end: 0},
		{kind: callSync, file: "s", begin: 1, end: 1},
		{kind: callWrite, file: "s", at: 0, data: bytes.Repeat([]byte("b"), 3*sector), begin: 2, end: 2},
		{kind: callWrite, file: "s", at: 4 * sector, data: bytes.Repeat([]byte("c"), 100), begin: 3, end: never},
		{kind: callTruncate, file: "s", size: 8 * sector, begin: 4, end: 4},
		{kind: callSync, file: "s", begin: 5, end: never},
	}}
	base := bytes.Repeat([]byte("."), 2*sector)
	seen := map[string]int{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		cut, err := r.Cut(base, "s", 6, rnd)
		if err != nil {
			t.Fatal(err)
		}
		var shape strings.Builder
		for i := 0; i < len(cut.Content); i += sector {
			part := cut.Content[i:min(i+sector, len(cut.Content))]
			if n := len(bytes.TrimLeft(part, string(part[:1]))); n != 0 && part[0] != 'c' {
				t.Fatalf("a sector in two parts: %q", part)
			}
			shape.WriteString(strings.ReplaceAll(string(part[:1]), "\x00", "0"))
		}
		seen[shape.String()]++
		if cut.Kept+cut.Lost != 4 || cut.Unsynced != 3 {
			t.Fatalf("%d sectors kept and %d lost of %d changes", cut.Kept, cut.Lost, cut.Unsynced)
		}
	}
	for _, want := range []string{"a.", "bbb0c000", "b.", "a.b", "ab", "a.00c", "bbb0c", "ab00c000", "bbb00000"} {
		if seen[want] == 0 {
			t.Errorf("never %s", want)
		}
	}
	for shape := range seen {
		if strings.HasPrefix(shape, ".") {
			t.Errorf("%s: what was synced is gone", shape)
		}
	}
	if cut, _ := r.Cut(base, "s", 2, rnd); string(cut.Content) != strings.Repeat("a", sector)+strings.Repeat(".", sector) || cut.Unsynced != 0 {
		t.Errorf("after a sync: %+v", cut)
	}
}

func TestPoints(t *testing.T) {
	r := parsed(t, lines)
	busy := 0
	for _, at := range r.Points("/d/s", 1, 100, rand.New(rand.NewPCG(1, 2))) {
		if at < 1 || at > r.Len() {
			t.Errorf("a cut at %d of %d", at, r.Len())
		}
		if slices.Contains(r.writes("/d/s"), at) {
			busy++
		}
	}
	if busy < 50 {
		t.Errorf("%d of 100 cuts lie at a write", busy)
	}
}

// TestRecord records a real process.
func TestRecord(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	cmd := exec.Command("/bin/sh", "-c", "dd if=/dev/zero bs=2000000 count=1 2>/dev/null | tr '\\0' x > $0; sync $0; echo done; printf y >> $0", file)
	var out bytes.Buffer
	cmd.Stdout = &out
	recorder, err := Record(cmd, dir)
	var rec *Recording
	if err == nil {
		rec, err = recorder.Wait(t.Context())
	}
	if fail.KindOf(err) == fail.Unavailable && err != nil {
		needed.Missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != "done\n" {
		t.Errorf("it said %q", out.String())
	}
	said := rec.Found("done")
	if len(said) != 1 || rec.Unsynced(file, said[0]) != 0 || rec.Syncs(file, 0, said[0]) != 1 || rec.Unsynced(file, rec.Len()) != 1 {
		t.Errorf("said at %v, %d writes not synced then, %d at the end", said, rec.Unsynced(file, said[0]), rec.Unsynced(file, rec.Len()))
	}
}

func TestRecordReportsAFailure(t *testing.T) {
	needed.Tool(t, "strace", "strace")
	recorder, err := Record(exec.Command("/bin/sh", "-c", "echo x > /dev/null; exit 3"), "/d")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := recorder.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "3") {
		t.Errorf("exit 3: %v", err)
	}
}

func TestParseAcks(t *testing.T) {
	acks, err := ParseAcks([]byte(`{"did":"ready"}` + "\n" + `{"did":"voided","certificate":"1"}` + "\n" + `{"did":"voi`))
	if err != nil || len(acks) != 2 || acks[1].Certificate != "1" || Count(acks)[Voided] != 1 {
		t.Errorf("%+v, %v", acks, err)
	}
	if _, err := ParseAcks([]byte("x\n")); err == nil {
		t.Error("a line that is no acknowledgement was taken")
	}
}
