package auditlog

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTreeIsTheOneOfTlogAtEverySize(t *testing.T) {
	m, ref := newLog(t, 0), &reference{}
	rnd := newRand()
	for n := uint64(0); n <= 600; n++ {
		h, err := ReadHead(m)
		if err != nil {
			t.Fatal(err)
		}
		root, err := Root(m, n)
		if err != nil || root != ref.root(t, n) || h.Root() != root || h.Size != n {
			t.Fatalf("size %d: root by rows %v (%v), by head %v, want %v", n, root, err, h.Root(), ref.root(t, n))
		}
		pairs := [][2]uint64{{0, n}, {n, n}}
		for i := range n {
			if n < 40 || rnd.Uint64N(n) < 4 {
				pairs = append(pairs, [2]uint64{i, n})
			}
		}
		for _, p := range pairs {
			comparePair(t, m, ref, p[0], p[1])
		}
		grow(t, m, 1)
		e, err := ReadEntry(m, n)
		if err != nil || !bytes.Equal(e.Event, testEvent(n)) || e.Salt != testSalt(n) || e.Index != n || !e.ErasedAt.IsZero() {
			t.Fatalf("entry %d = %+v, %v", n, e, err)
		}
		leaf, _ := e.Leaf.Format()
		ref.add(t, leaf)
	}
	if p := problems(t, m); p != nil {
		t.Fatal(p)
	}
}

// comparePair holds the proofs of entry a, and of size a, within size n to tlog's.
func comparePair(t *testing.T, m *store, ref *reference, a, n uint64) {
	t.Helper()
	if a < n {
		got, err := InclusionProof(m, a, n)
		want, err2 := tlog.ProveRecord(int64(n), int64(a), ref)
		if err != nil || err2 != nil || !equalHashes(got, want) {
			t.Fatalf("inclusion of %d in %d: %v %v", a, n, err, err2)
		}
	}
	got, err := ConsistencyProof(m, a, n)
	if err != nil {
		t.Fatal(err)
	}
	if a == 0 {
		if len(got) != 0 {
			t.Fatalf("consistency with the empty tree has %d hashes", len(got))
		}
		return
	}
	want, err := tlog.ProveTree(int64(n), int64(a), ref)
	if err != nil || !equalHashes(got, want) {
		t.Fatalf("consistency of %d with %d: %v", n, a, err)
	}
	if err := tlog.CheckTree(got, int64(n), ref.root(t, n), int64(a), ref.root(t, a)); err != nil {
		t.Fatal(err)
	}
}

func equalHashes[S ~[]tlog.Hash](a, b S) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestLargeTreeReadsFewRows(t *testing.T) {
	m := largeLog(t)
	ref, rnd := referenceOf(t, m), newRand()
	for _, n := range []uint64{255, 256, 257, 65_535, 65_536, 65_537, 66_000, largeSize} {
		if root, err := Root(m, n); err != nil || root != ref.root(t, n) {
			t.Fatalf("root at %d: %v", n, err)
		}
		for range 20 {
			a := rnd.Uint64N(n)
			comparePair(t, m, ref, a, n)
			m.harmed(func(kv.Tx) {}, func(tx kv.Tx) {
				c := &counter{Tx: tx}
				if _, err := InclusionProof(c, a, n); err != nil {
					t.Fatal(err)
				}
				// One Scan per group touched: of each of the five steps the group
				// around the entry and the last one.
				if c.widest > stepWidth || c.scans > 10 || c.gets != 1 {
					t.Fatalf("proof of %d in %d: %d gets, %d scans, widest %d", a, n, c.gets, c.scans, c.widest)
				}
			})
		}
	}
	// In any order, and any hash, also those inside a tile.
	var indexes []int64
	for range 2000 {
		indexes = append(indexes, rnd.Int64N(tlog.StoredHashIndex(0, largeSize)))
	}
	got, err := nodes{r: m, size: largeSize}.ReadHashes(indexes)
	want, _ := ref.ReadHashes(indexes)
	if err != nil || !equalHashes(got, want) {
		t.Fatal("hashes differ", err)
	}
	if p := problems(t, m); p != nil {
		t.Fatal(p)
	}
}

func TestAppendReadsOnlyTheHead(t *testing.T) {
	m := newLog(t, 255)
	m.update(func(tx kv.Tx) {
		c := &counter{Tx: tx}
		if _, err := Append(c, testEvent(0), testSalt(9)); err != nil {
			t.Fatal(err)
		}
		if c.gets != 1 || c.scans != 0 {
			t.Fatalf("%d gets, %d scans", c.gets, c.scans)
		}
	})
	if n := len(m.rows(tableTiles)); n != 1 {
		t.Fatalf("%d tile hashes, want 1", n)
	}
}

func TestAppendsFromManySidesAndRefusals(t *testing.T) {
	m := newLog(t, 0)
	var wg sync.WaitGroup
	for w := range uint64(4) {
		wg.Go(func() {
			for i := range uint64(75) {
				// The refused Update leaves nothing, whoever shares its group.
				err := m.try(func(tx kv.Tx) error {
					if _, err := Append(tx, []byte(`{"kind":"refused"}`), testSalt(1)); err != nil {
						return err
					}
					return errHarmed
				})
				if !errors.Is(err, errHarmed) {
					t.Error(err)
				}
				if _, err := m.append(testEvent(w*1000+i), testSalt(w*1000+i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if h := m.head(); h.Size != 300 || h.Root() != referenceOf(t, m).root(t, 300) {
		t.Fatalf("size %d", h.Size)
	}
	if p := problems(t, m); p != nil {
		t.Fatal(p)
	}
}

func TestAppendRefuses(t *testing.T) {
	m := newLog(t, 3)
	var zero [SaltSize]byte
	for name, c := range map[string]struct {
		event []byte
		salt  [SaltSize]byte
	}{
		"no event":  {nil, testSalt(1)},
		"not JSON":  {[]byte("{"), testSalt(1)},
		"not UTF-8": {[]byte("\"\xff\""), testSalt(1)},
		"too large": {[]byte(`"` + strings.Repeat("a", MaxEvent) + `"`), testSalt(1)},
		"no salt":   {[]byte("{}"), zero},
	} {
		if _, err := m.append(c.event, c.salt); fail.KindOf(err) != fail.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := m.try(func(tx kv.Tx) error {
		_, err := Append(yesterday{tx}, []byte("{}"), testSalt(1))
		return err
	})
	wantCode(t, err, fail.Internal, "log_damaged")
	if h := m.head(); h.Size != 3 {
		t.Fatalf("size %d", h.Size)
	}
	_, err = newStore(t).append([]byte("{}"), testSalt(1))
	wantCode(t, err, fail.NotFound, "log_not_started")
}

type yesterday struct{ kv.Tx }

func (y yesterday) Now() time.Time { return y.Tx.Now().Add(-24 * time.Hour) }

func TestErasureLeavesTheLeafAndTheProof(t *testing.T) {
	m := newLog(t, 300)
	root, _ := Root(m, 300)
	m.sleep(time.Hour)
	at := time.Unix(m.now.Load(), 0)
	for range 2 {
		if err := m.erase(7); err != nil {
			t.Fatal(err)
		}
		m.sleep(time.Hour)
	}
	e, err := ReadEntry(m, 7)
	if err != nil || e.Event != nil || e.Salt != [SaltSize]byte{} || !e.ErasedAt.Equal(at) {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, row := range m.rows(tableEvents) {
		salt := testSalt(7)
		if bytes.Contains(row.Value, testEvent(7)) || bytes.Contains(row.Value, salt[:]) {
			t.Fatal("event or salt is still stored")
		}
	}
	if again, _ := Root(m, 300); again != root {
		t.Fatal("root changed")
	}
	if p := problems(t, m); p != nil {
		t.Fatal(p)
	}
	wantCode(t, m.erase(300), fail.NotFound, "log_entry_unknown")
}

func TestSizesBeyondTheLog(t *testing.T) {
	m := newLog(t, 5)
	_, err := Root(m, 6)
	wantCode(t, err, fail.NotFound, "log_size_unknown")
	_, err = InclusionProof(m, 5, 5)
	wantCode(t, err, fail.NotFound, "log_entry_unknown")
	_, err = InclusionProof(m, 5, 6)
	wantCode(t, err, fail.NotFound, "log_size_unknown")
	_, err = ConsistencyProof(m, 4, 3)
	wantCode(t, err, fail.Invalid, "log_sizes")
	_, err = ConsistencyProof(m, 4, 6)
	wantCode(t, err, fail.NotFound, "log_size_unknown")
	_, err = ReadEntry(m, 5)
	wantCode(t, err, fail.NotFound, "log_entry_unknown")
	_, err = ReadHead(newStore(t))
	wantCode(t, err, fail.NotFound, "log_not_started")
}

func TestDamagedRowsAreNamedSo(t *testing.T) {
	m := newLog(t, 300)
	for name, harm := range map[string]func(kv.Tx){
		"leaf gone": func(tx kv.Tx) { tx.Delete(tableLeaves, indexKey(299)) },
		"leaf cut":  func(tx kv.Tx) { tx.Put(tableLeaves, indexKey(299), []byte{1}) },
		"leaf misplaced": func(tx kv.Tx) {
			leaf, _ := tx.Get(tableLeaves, indexKey(298))
			tx.Delete(tableLeaves, indexKey(298))
			tx.Put(tableLeaves, append(indexKey(298), 0), leaf)
		},
		"tile gone":      func(tx kv.Tx) { tx.Delete(tableTiles, tileKey(1, 0)) },
		"tile cut":       func(tx kv.Tx) { tx.Put(tableTiles, tileKey(1, 0), []byte{1}) },
		"head malformed": func(tx kv.Tx) { tx.Put(tableHead, headKey, []byte{1}) },
	} {
		t.Run(name, func(t *testing.T) {
			m.harmed(harm, func(tx kv.Tx) {
				_, err := Root(tx, 300)
				wantCode(t, err, fail.Internal, "log_damaged")
			})
		})
	}
	for _, table := range []kv.Table{tableEvents, tableLeaves} {
		m.harmed(func(tx kv.Tx) { tx.Put(table, indexKey(0), []byte{7}) }, func(tx kv.Tx) {
			_, err := ReadEntry(tx, 0)
			wantCode(t, err, fail.Internal, "log_damaged")
		})
	}
}

func TestOrigins(t *testing.T) {
	m := newStore(t)
	for _, bad := range []string{
		"", "/log", "log/", "https://a.cn/log", "a.cn//log", "A.cn/log", "a b", "a+b", "a\nb", "日志", strings.Repeat("a", maxOrigin+1),
	} {
		wantCode(t, m.startOrigin(bad), fail.Invalid, "origin_malformed")
	}
	if err := m.startOrigin(testOrigin); err != nil {
		t.Fatal(err)
	}
	wantCode(t, m.startOrigin(testOrigin), fail.Conflict, "origin_in_use")
	grow(t, m, 5)
	root, _ := Root(m, 5)
	if err := m.startOrigin("register.example.cn/log2"); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHead(m)
	if err != nil || h.Origin != "register.example.cn/log2" || h.Size != 5 || h.Root() != root {
		t.Fatalf("%+v, %v", h, err)
	}
}

func TestHeadFormat(t *testing.T) {
	for _, n := range []uint64{0, 1, 2, 3, 255, 256, 300} {
		m := newLog(t, n)
		b, _ := m.Get(tableHead, headKey)
		h, err := parseHead(b)
		if err != nil || h.Size != n || !bytes.Equal(formatHead(h), b) {
			t.Fatalf("%d: %+v, %v", n, h, err)
		}
		for cut := range len(b) {
			if h, err := parseHead(b[:cut]); err == nil && (h.Origin == testOrigin || cut < len(b)-len(testOrigin)) {
				t.Fatalf("size %d cut to %d parses", n, cut)
			}
		}
	}
}

func FuzzParseHead(f *testing.F) {
	for _, n := range []uint64{0, 1, 7} {
		b, _ := newLog(f, n).Get(tableHead, headKey)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHead(b); err == nil && !bytes.Equal(formatHead(h), b) {
			t.Fatalf("%x parses and formats as %x", b, formatHead(h))
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	event := testEvent(1)
	b.Run("append", func(b *testing.B) {
		tx := &headOnly{}
		if err := StartOrigin(tx, testOrigin); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for i := range b.N {
			if _, err := Append(tx, event, testSalt(uint64(i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	// The hashing that no design can do without: the event, the leaf, and one
	// node per leaf on average.
	b.Run("hashing", func(b *testing.B) {
		var leaf [LeafSize]byte
		var h tlog.Hash
		for i := range b.N {
			d := Digest(testSalt(uint64(i)), event)
			copy(leaf[9:], d[:])
			h = tlog.NodeHash(h, tlog.RecordHash(leaf[:]))
		}
	})
	b.Run("store", func(b *testing.B) { // 500 per Update, no fsync
		m := openStore(b, b.TempDir()+"/store.db", nil)
		if err := m.startOrigin(testOrigin); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for i := 0; i < b.N; i += 500 {
			m.update(func(tx kv.Tx) {
				for j := i; j < min(i+500, b.N); j++ {
					if _, err := Append(tx, event, testSalt(uint64(j))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// headOnly is a Tx that keeps the head and drops the rest, so that the benchmark
// is of Append and not of a store.
type headOnly struct {
	kv.Tx
	head []byte
}

func (h *headOnly) Get(kv.Table, []byte) ([]byte, error) { return h.head, nil }

func (h *headOnly) Put(t kv.Table, _, value []byte) {
	if t == tableHead {
		h.head = value
	}
}

func (h *headOnly) Now() time.Time { return testStart }
