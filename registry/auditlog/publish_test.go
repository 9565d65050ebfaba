package auditlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

func TestPublishFollowsTheLog(t *testing.T) {
	m, s := newLog(t, 0), newSigner(t, testOrigin, 1)
	store := NewFileStore(t.TempDir(), testOrigin)
	p := newPublisher(t, s, store)
	_, err := p.Publish(t.Context(), m)
	wantCode(t, err, fail.Conflict, "log_checkpoint_missing")
	if _, ok := p.Last(); ok {
		t.Fatal("something was handed out")
	}
	last, err := p.Begin(t.Context(), m)
	if err != nil || last.Size != 0 {
		t.Fatalf("%+v, %v", last, err)
	}
	for _, n := range []uint64{1, 1, 254, 1, 300, 9} {
		grow(t, m, n)
		next, err := p.Publish(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		root, _ := Root(m, next.Size)
		if next.Size != last.Size+n || next.Root != root || next.Origin != testOrigin {
			t.Fatalf("%+v after %+v", next.Checkpoint, last.Checkpoint)
		}
		saved, err := os.ReadFile(store.Path())
		if err != nil || !bytes.Equal(saved, next.Note) {
			t.Fatalf("saved %q, handed out %q, %v", saved, next.Note, err)
		}
		if c, err := OpenCheckpoint(saved, verifierOf(t)); err != nil || c != next.Checkpoint {
			t.Fatal(err)
		}
		if l, ok := p.Last(); !ok || l.Checkpoint != next.Checkpoint {
			t.Fatal("Last differs")
		}
		last = next
	}
	// Nothing new: the same note, and by another process too.
	for _, p := range []*Publisher{p, newPublisher(t, s, &faulty{CheckpointStore: store, before: true})} {
		again, err := p.Publish(t.Context(), m)
		if err != nil || !bytes.Equal(again.Note, last.Note) {
			t.Fatalf("%q, %v", again.Note, err)
		}
	}
	if again, err := p.Begin(t.Context(), m); err != nil || !bytes.Equal(again.Note, last.Note) {
		t.Fatal("Begin on a log that was begun is not Publish")
	}
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(store.Path()), "*"))
	if len(names) != 1 {
		t.Fatalf("files left: %q", names)
	}
}

func TestRestoredOrEditedLogCannotSign(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, backup, m *store) *store{
		"restored": func(_ *testing.T, backup, _ *store) *store { return backup },
		"restored and grown to the same size": func(t *testing.T, backup, _ *store) *store {
			for range 100 {
				if _, err := backup.append([]byte(`{"kind":"other"}`), testSalt(1)); err != nil {
					t.Fatal(err)
				}
			}
			return backup
		},
		"restored and grown further": func(t *testing.T, backup, _ *store) *store {
			for range 400 {
				if _, err := backup.append([]byte(`{"kind":"other"}`), testSalt(1)); err != nil {
					t.Fatal(err)
				}
			}
			return backup
		},
		"a leaf replaced": func(_ *testing.T, _, m *store) *store {
			leaf, _ := Leaf{Time: testStart}.Format()
			m.update(func(tx kv.Tx) { tx.Put(tableLeaves, indexKey(599), leaf) })
			return m
		},
		"history rewritten throughout": func(t *testing.T, _, m *store) *store {
			f := newStore(t)
			if err := f.startOrigin(testOrigin); err != nil {
				t.Fatal(err)
			}
			for i := range uint64(700) {
				event := testEvent(i)
				if i == 100 {
					event = []byte(`{"kind":"never_happened"}`)
				}
				if _, err := f.append(event, testSalt(i)); err != nil {
					t.Fatal(err)
				}
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := newLog(t, 500), newSigner(t, testOrigin, 1)
			backup := m.clone()
			dir := t.TempDir()
			p := newPublisher(t, s, NewFileStore(dir, testOrigin))
			grow(t, m, 100)
			last, err := p.Begin(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			forged := harm(t, backup, m)
			for _, p := range []*Publisher{p, newPublisher(t, s, NewFileStore(dir, testOrigin))} {
				_, err = p.Publish(t.Context(), forged)
				wantCode(t, err, fail.Conflict, "log_rolled_back")
				_, err = p.Begin(t.Context(), forged)
				wantCode(t, err, fail.Conflict, "log_rolled_back")
			}
			if saved, _ := os.ReadFile(p.store.(*FileStore).Path()); !bytes.Equal(saved, last.Note) {
				t.Fatal("the saved checkpoint changed")
			}
			if name == "a leaf replaced" {
				return // a damaged log cannot go on under any name
			}
			// The operator starts a new origin, with a new key or the old.
			const origin2 = "register.example.cn/log2"
			if err := forged.startOrigin(origin2); err != nil {
				t.Fatal(err)
			}
			_, err = p.Publish(t.Context(), forged)
			wantCode(t, err, fail.Conflict, "log_origin_mismatch")
			p2 := newPublisher(t, newSigner(t, origin2, 1), NewFileStore(dir, origin2))
			if next, err := p2.Begin(t.Context(), forged); err != nil || next.Origin != origin2 {
				t.Fatalf("%+v, %v", next, err)
			}
			grow(t, forged, 10)
			if _, err := p2.Publish(t.Context(), forged); err != nil {
				t.Fatal(err)
			}
			// The old name stays bound to what it signed.
			if err := forged.startOrigin(testOrigin); err != nil {
				t.Fatal(err)
			}
			_, err = p.Begin(t.Context(), forged)
			wantCode(t, err, fail.Conflict, "log_rolled_back")
		})
	}
}

func TestHeadThatLeavesTheRowsCannotSign(t *testing.T) {
	for _, saved := range []uint64{0, 300} {
		m := newLog(t, saved)
		p := newPublisher(t, newSigner(t, testOrigin, 1), NewFileStore(t.TempDir(), testOrigin))
		if _, err := p.Begin(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		grow(t, m, 290)
		h := m.head()
		h.edge.hashes[0] = tlog.RecordHash(nil)
		m.update(func(tx kv.Tx) { tx.Put(tableHead, headKey, formatHead(h)) })
		_, err := p.Publish(t.Context(), m)
		wantCode(t, err, fail.Internal, "log_damaged")
	}
	m := newLog(t, 300)
	p := newPublisher(t, newSigner(t, testOrigin, 1), NewFileStore(t.TempDir(), testOrigin))
	m.update(func(tx kv.Tx) { tx.Delete(tableTiles, tileKey(1, 0)) })
	_, err := p.Begin(t.Context(), m)
	wantCode(t, err, fail.Internal, "log_damaged")
}

func TestUnreadableCheckpointStopsSigning(t *testing.T) {
	m, s := newLog(t, 5), newSigner(t, testOrigin, 1)
	dir := t.TempDir()
	store := NewFileStore(dir, testOrigin)
	p := newPublisher(t, s, store)
	first, err := p.Begin(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{{}, first.Note[:50], bytes.Replace(first.Note, []byte("\n5\n"), []byte("\n4\n"), 1)} {
		if err := os.WriteFile(store.Path(), b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = p.Publish(t.Context(), m)
		wantCode(t, err, fail.Internal, "log_checkpoint_unreadable")
		_, err = p.Begin(t.Context(), m)
		wantCode(t, err, fail.Internal, "log_checkpoint_unreadable")
	}
	if err := os.Remove(store.Path()); err != nil {
		t.Fatal(err)
	}
	_, err = p.Publish(t.Context(), m)
	wantCode(t, err, fail.Conflict, "log_checkpoint_missing")
	if err := os.Mkdir(store.Path(), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context(), m); fail.KindOf(err) != fail.Internal {
		t.Fatal(err)
	}
}

func TestNothingIsHandedOutBeforeItIsDurable(t *testing.T) {
	for _, f := range []*faulty{{before: true}, {after: true}} {
		m := newLog(t, 5)
		good := NewFileStore(t.TempDir(), testOrigin)
		f.CheckpointStore = good
		p := newPublisher(t, newSigner(t, testOrigin, 1), f)
		if out, err := p.Begin(t.Context(), m); !errors.Is(err, errDisk) || out.Note != nil {
			t.Fatalf("%+v, %v", out, err)
		}
		if _, ok := p.Last(); ok {
			t.Fatal("Last has a checkpoint that may not be durable")
		}
		f.before, f.after = false, false
		grow(t, m, 5)
		if out, err := p.Begin(t.Context(), m); err != nil || out.Size != 10 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	gone := NewFileStore(filepath.Join(t.TempDir(), "gone"), testOrigin)
	if _, err := newPublisher(t, newSigner(t, testOrigin, 1), gone).Begin(t.Context(), newLog(t, 1)); err == nil {
		t.Fatal("saved into a directory that does not exist")
	}
}

func TestChangeOfKeys(t *testing.T) {
	m, store := newLog(t, 5), NewFileStore(t.TempDir(), testOrigin)
	old, young := newSigner(t, testOrigin, 1), newSigner(t, testOrigin, 2)
	if _, err := newPublisher(t, old, store).Begin(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	_, err := newPublisher(t, young, store).Publish(t.Context(), m)
	wantCode(t, err, fail.Internal, "log_checkpoint_unreadable")
	next, err := newPublisher(t, young, store, old.VKey()).Publish(t.Context(), m)
	if err != nil || next.Size != 5 {
		t.Fatal(err)
	}
	// Signed anew although nothing was added, so that verifiers with the new key can read it.
	if _, err := OpenCheckpoint(next.Note, newVerifier(t, young.VKey())); err != nil {
		t.Fatal(err)
	}
	_, err = NewPublisher(young, store, newSigner(t, "other.example.cn/log", 1).VKey())
	wantCode(t, err, fail.Invalid, "vkey_malformed")
}

func TestManyPublishAtOnce(t *testing.T) {
	m := newLog(t, 5)
	p := newPublisher(t, newSigner(t, testOrigin, 1), NewFileStore(t.TempDir(), testOrigin))
	if _, err := p.Begin(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := m.append(testEvent(1), testSalt(1)); err != nil {
					t.Error(err)
				}
				if _, err := p.Publish(t.Context(), m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if last, _ := p.Last(); last.Size != 45 {
		t.Fatalf("size %d", last.Size)
	}
}

func TestFileStoreNames(t *testing.T) {
	dir, seen := t.TempDir(), map[string]bool{}
	for _, origin := range []string{"a.cn/log", "a.cn_log", "a.cn/log2", "a.cn:80/log", "..", strings.Repeat("a/", 39) + "aa"} {
		if err := checkOrigin(origin); err != nil {
			t.Fatal(err)
		}
		s := NewFileStore(dir, origin)
		if err := s.Save([]byte(origin)); err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(s.Path()) != dir || seen[s.Path()] {
			t.Fatalf("%s lies in %s", origin, s.Path())
		}
		seen[s.Path()] = true
		if b, err := s.Load(); err != nil || string(b) != origin {
			t.Fatalf("%q, %v", b, err)
		}
	}
}
