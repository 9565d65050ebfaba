package auditlog

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

func TestAuditOfWholeLogs(t *testing.T) {
	v, m := verifierOf(t), largeLog(t)
	for _, size := range []uint64{0, 1, 255, 256, 257, 511, 512, 600, 65_536, 65_537, 70_000} {
		s := newSiteAt(t, m, size)
		asked := map[string]bool{}
		var done, total uint64
		a, err := AuditLog(func(path string) ([]byte, error) {
			asked[path] = true
			return s.fetch(path)
		}, v, nil, func(d, n uint64) { done, total = d, n })
		if err != nil || a.Checkpoint.Size != size || done != size || total != size || !bytes.Equal(a.Note, s["checkpoint"]) || a.Earlier != nil {
			t.Fatalf("%d: %+v, %v (%d of %d)", size, a, err, done, total)
		}
		if size > 0 {
			last, _ := ReadEntry(m, size-1)
			if !a.First.Equal(testStart) || !a.Last.Equal(last.Leaf.Time) {
				t.Fatalf("%d: from %v to %v", size, a.First, a.Last)
			}
		}
		for path := range s {
			if !asked[path] {
				t.Fatalf("%d: %s was not looked at", size, path)
			}
		}
		if len(asked) != len(s) {
			t.Fatalf("%d: asked for %d of %d", size, len(asked), len(s))
		}
	}
}

func TestAuditFindsEveryChangedByte(t *testing.T) {
	v := verifierOf(t)
	s := newSite(t, newLog(t, 260))
	for path, b := range s {
		step := 1
		if len(b) > 1000 {
			step = 97 // a prime, so every offset within an entry and a hash is met
		}
		for i := 0; i < len(b); i += step {
			c := bytes.Clone(b)
			c[i] ^= 1
			changed := maps.Clone(s)
			changed[path] = c
			if _, err := AuditLog(changed.fetch, v, nil, nil); fail.KindOf(err) != fail.Invalid {
				t.Fatalf("%s byte %d: %v", path, i, err)
			}
		}
		for _, c := range [][]byte{nil, b[:len(b)-1], append(bytes.Clone(b), 0), append(bytes.Clone(b), b...)} {
			changed := maps.Clone(s)
			changed[path] = c
			if _, err := AuditLog(changed.fetch, v, nil, nil); fail.KindOf(err) != fail.Invalid {
				t.Fatalf("%s of %d bytes instead of %d: %v", path, len(c), len(b), err)
			}
		}
		missing := maps.Clone(s)
		delete(missing, path)
		if _, err := AuditLog(missing.fetch, v, nil, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s missing: %v", path, err)
		}
	}
}

func TestAuditAgainstEarlierCheckpoint(t *testing.T) {
	m, v := newLog(t, 0), verifierOf(t)
	var earlier []Published
	for _, n := range []uint64{0, 1, 255, 44, 300} {
		grow(t, m, n)
		earlier = append(earlier, published(t, m))
	}
	s := newSite(t, m)
	for _, e := range earlier {
		a, err := AuditLog(s.fetch, v, e.Note, nil)
		if err != nil || *a.Earlier != e.Checkpoint {
			t.Fatalf("earlier %d: %v", e.Size, err)
		}
	}
	// An older store was restored, and one that went another way.
	small := newSite(t, newLog(t, 200))
	_, err := AuditLog(small.fetch, v, earlier[3].Note, nil)
	wantCode(t, err, fail.Conflict, "log_rolled_back")
	other := newStore(t)
	if err := other.startOrigin(testOrigin); err != nil {
		t.Fatal(err)
	}
	other.update(func(tx kv.Tx) {
		for i := range uint64(700) {
			if _, err := Append(tx, testEvent(i+1), testSalt(i+1)); err != nil {
				t.Fatal(err)
			}
		}
	})
	fork := newSite(t, other)
	for _, e := range earlier[1:] {
		_, err := AuditLog(fork.fetch, v, e.Note, nil)
		wantCode(t, err, fail.Conflict, "log_rolled_back")
	}
	if _, err := AuditLog(fork.fetch, v, earlier[0].Note, nil); err != nil {
		t.Fatalf("everything extends the empty log: %v", err)
	}
	// A log that lies about itself in signed notes: tiles of one tree under the
	// root of another, and an empty log with a root that is not nothing's.
	lie := maps.Clone(fork)
	lie["checkpoint"], err = newSigner(t, testOrigin, 1).sign(Checkpoint{testOrigin, 700, tlog.Hash{1}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = AuditLog(lie.fetch, v, nil, nil)
	wantCode(t, err, fail.Invalid, "log_mismatch")
	nothing, err := newSigner(t, testOrigin, 1).sign(Checkpoint{testOrigin, 0, tlog.Hash{1}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = AuditLog(s.fetch, v, nothing, nil)
	wantCode(t, err, fail.Conflict, "log_rolled_back")

	_, err = AuditLog(s.fetch, v, []byte("x"), nil)
	wantCode(t, err, fail.Invalid, "checkpoint_malformed")
	_, err = AuditLog(s.fetch, newVerifier(t, newSigner(t, testOrigin, 2).VKey()), nil, nil)
	wantCode(t, err, fail.Invalid, "checkpoint_untrusted")
}

func TestAuditTakesFullTilesForPartialOnes(t *testing.T) {
	m, v := largeLog(t), verifierOf(t)
	s := newSite(t, m)
	s["checkpoint"] = publishedAt(t, m, 300).Note
	if _, err := AuditLog(s.fetch, v, nil, nil); err != nil {
		t.Fatal(err)
	}
	s["tile/0/001"] = bytes.Clone(s["tile/0/001"])
	s["tile/0/001"][0] ^= 1
	_, err := AuditLog(s.fetch, v, nil, nil)
	wantCode(t, err, fail.Invalid, "log_mismatch")
}

func TestAuditRefusesTimesThatGoBack(t *testing.T) {
	// A log whose own key signed it, made without Append's refusal.
	s := site{}
	var e edge
	var entries [][]byte
	var hashes []byte
	for i := range 4 {
		b, err := Leaf{Time: testStart.Add(time.Duration(i%3) * time.Second), Digest: Digest(testSalt(uint64(i)), nil)}.Format()
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, b)
		h := tlog.RecordHash(b)
		hashes = append(hashes, h[:]...)
		e.add(h, func(int, uint64, tlog.Hash) {})
	}
	s["tile/entries/000.p/4"], s["tile/0/000.p/4"] = formatEntries(entries), hashes
	var err error
	if s["checkpoint"], err = newSigner(t, testOrigin, 1).sign(Checkpoint{testOrigin, 4, e.root()}); err != nil {
		t.Fatal(err)
	}
	_, err = AuditLog(s.fetch, verifierOf(t), nil, nil)
	wantCode(t, err, fail.Invalid, "log_time_backwards")
}

func TestAuditOfADirectory(t *testing.T) {
	dir := t.TempDir()
	newSite(t, newLog(t, 600)).writeTo(t, dir)
	root := os.DirFS(dir)
	a, err := AuditLog(func(path string) ([]byte, error) { return fs.ReadFile(root, path) }, verifierOf(t), nil, nil)
	if err != nil || a.Checkpoint.Size != 600 {
		t.Fatalf("%+v, %v", a, err)
	}
}

func FuzzParseEntries(f *testing.F) {
	f.Add(formatEntries([][]byte{[]byte("a"), {}, bytes.Repeat([]byte("b"), 300)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if entries, ok := parseEntries(b); ok && !bytes.Equal(formatEntries(entries), b) {
			t.Fatalf("%x", b)
		}
	})
}
