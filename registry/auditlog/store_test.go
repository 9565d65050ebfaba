package auditlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"

	"golang.org/x/mod/sumdb/tlog"
)

const testOrigin = "register.example.cn/log"

var testStart = time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)

// A store is a real one in a file, which reruns Updates at random. Its reading
// methods open a View each.
type store struct {
	t    testing.TB
	path string
	db   *kv.DB
	now  atomic.Int64 // the clock, Unix seconds
}

func newStore(t testing.TB) *store {
	return openStore(t, filepath.Join(t.TempDir(), "store.db"), kvtest.Rerun(10))
}

func openStore(t testing.TB, path string, rerun func() bool) *store {
	t.Helper()
	s := &store{t: t, path: path}
	s.now.Store(testStart.Unix())
	e, err := boltkv.Open(path, boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s.db, err = kv.Open(t.Context(), e, kv.Options{
		Now:     func() time.Time { return time.Unix(s.now.Load(), 0) },
		Process: "test", Rerun: rerun,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *store) View(ctx context.Context, fn func(kv.Reader) error) error { return s.db.View(ctx, fn) }

func (s *store) read(fn func(kv.Reader) error) error { return s.db.View(context.Background(), fn) }

func (s *store) try(fn func(kv.Tx) error) error { return s.db.Update(context.Background(), fn) }

func (s *store) update(fn func(kv.Tx)) {
	s.t.Helper()
	if err := s.try(func(tx kv.Tx) error { fn(tx); return nil }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) Get(t kv.Table, key []byte) (v []byte, err error) {
	return v, s.read(func(r kv.Reader) error { v, err = r.Get(t, key); return err })
}

func (s *store) GetMany(t kv.Table, keys [][]byte) (vs [][]byte, err error) {
	return vs, s.read(func(r kv.Reader) error { vs, err = r.GetMany(t, keys); return err })
}

func (s *store) Scan(t kv.Table, rng kv.Range) (es []kv.Entry, err error) {
	return es, s.read(func(r kv.Reader) error { es, err = r.Scan(t, rng); return err })
}

func (s *store) append(event []byte, salt [SaltSize]byte) (index uint64, err error) {
	err = s.try(func(tx kv.Tx) error {
		index = 0
		var err error
		index, err = Append(tx, event, salt)
		return err
	})
	return index, err
}

func (s *store) startOrigin(origin string) error {
	return s.try(func(tx kv.Tx) error { return StartOrigin(tx, origin) })
}

func (s *store) erase(index uint64) error {
	return s.try(func(tx kv.Tx) error { return EraseEvent(tx, index) })
}

func (s *store) sleep(d time.Duration) { s.now.Add(int64(d / time.Second)) }

func (s *store) head() Head {
	s.t.Helper()
	h, err := ReadHead(s)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// rows returns a whole table.
func (s *store) rows(t kv.Table) (out []kv.Entry) {
	s.t.Helper()
	for it := newRows(s, t, nil, nil); ; {
		e, ok, err := it.next()
		if err != nil {
			s.t.Fatal(err)
		}
		if !ok {
			return out
		}
		out = append(out, e)
	}
}

// clone is a backup, or an attacker's copy.
func (s *store) clone() *store {
	c := newStore(s.t)
	c.now.Store(s.now.Load())
	tables := map[kv.Table][]kv.Entry{}
	for _, t := range []kv.Table{tableHead, tableLeaves, tableTiles, tableMiddle, tableEvents} {
		tables[t] = s.rows(t)
	}
	c.update(func(tx kv.Tx) {
		for t, entries := range tables {
			for _, e := range entries {
				tx.Put(t, e.Key, e.Value)
			}
		}
	})
	return c
}

var errHarmed = errors.New("only for a look")

// harmed shows the log after some damage, within an Update that is given up.
func (s *store) harmed(harm func(kv.Tx), look func(kv.Tx)) {
	s.t.Helper()
	err := s.try(func(tx kv.Tx) error {
		harm(tx)
		look(tx)
		return errHarmed
	})
	if !errors.Is(err, errHarmed) {
		s.t.Fatal(err)
	}
}

// A counter counts what is read through it.
type counter struct {
	kv.Tx
	gets, scans, widest int
}

func (c *counter) Get(t kv.Table, key []byte) ([]byte, error) {
	c.gets++
	return c.Tx.Get(t, key)
}

func (c *counter) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	c.gets += len(keys)
	return c.Tx.GetMany(t, keys)
}

func (c *counter) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	c.scans++
	c.widest = max(c.widest, r.Limit)
	return c.Tx.Scan(t, r)
}

func testEvent(i uint64) []byte {
	return fmt.Appendf(nil, `{"kind":"certificate_issued","actor":"a-%d","certificate":"S-%06d","note":"高级工 <&> \u2028"}`, i%7, i)
}

func testSalt(i uint64) (s [SaltSize]byte) {
	binary.BigEndian.PutUint64(s[:], i)
	s[15] = 1
	return s
}

// newLog is a log of n entries.
func newLog(t testing.TB, n uint64) *store {
	t.Helper()
	m := newStore(t)
	if err := m.startOrigin(testOrigin); err != nil {
		t.Fatal(err)
	}
	grow(t, m, n)
	return m
}

func grow(t testing.TB, m *store, n uint64) {
	t.Helper()
	for from := m.head().Size; n > 0; {
		page := min(n, 1000)
		m.sleep(time.Duration(from%3) * time.Second)
		m.update(func(tx kv.Tx) {
			for i := from; i < from+page; i++ {
				if index, err := Append(tx, testEvent(i), testSalt(i)); err != nil || index != i {
					t.Fatalf("Append = %d, %v; want %d", index, err, i)
				}
			}
		})
		from, n = from+page, n-page
	}
}

const largeSize = 70_450

var large struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	needed.FilesInMemory()
	code := m.Run()
	if large.dir != "" {
		if err := os.RemoveAll(large.dir); err != nil && code == 0 {
			code = 1
		}
	}
	os.Exit(code)
}

// largeLog is a log of largeSize entries, three levels of tiles. It is made once
// and copied for each test.
func largeLog(t testing.TB) *store {
	t.Helper()
	large.Lock()
	defer large.Unlock()
	path := filepath.Join(t.TempDir(), "large.db")
	made := filepath.Join(large.dir, "large.db")
	if large.dir == "" {
		dir, err := os.MkdirTemp("", "auditlog")
		if err != nil {
			t.Fatal(err)
		}
		large.dir, made = dir, filepath.Join(dir, "large.db")
		m := openStore(t, made, nil)
		if err := m.startOrigin(testOrigin); err != nil {
			t.Fatal(err)
		}
		grow(t, m, largeSize)
		if err := m.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return openStore(t, path, nil)
}

func problems(t testing.TB, r kv.Reader) (out []string) {
	t.Helper()
	if err := Check(r, func(p string) { out = append(out, p) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// A reference is the same tree kept by tlog itself.
type reference struct {
	hashes []tlog.Hash
	n      int64
}

func (ref *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = ref.hashes[x]
	}
	return out, nil
}

func (ref *reference) add(t testing.TB, leaf []byte) {
	t.Helper()
	hs, err := tlog.StoredHashes(ref.n, leaf, ref)
	if err != nil {
		t.Fatal(err)
	}
	ref.hashes = append(ref.hashes, hs...)
	ref.n++
}

func (ref *reference) root(t testing.TB, n uint64) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(int64(n), ref)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// referenceOf rebuilds the tree from the leaf rows alone.
func referenceOf(t testing.TB, m *store) *reference {
	t.Helper()
	ref := &reference{}
	for _, e := range m.rows(tableLeaves) {
		ref.add(t, e.Value)
	}
	return ref
}

func newSigner(t testing.TB, origin string, b byte) *Signer {
	t.Helper()
	s, err := NewSigner(origin, bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newVerifier(t testing.TB, vkeys ...string) Verifier {
	t.Helper()
	v, err := NewVerifier(vkeys...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newPublisher(t testing.TB, s *Signer, store CheckpointStore, retired ...string) *Publisher {
	t.Helper()
	p, err := NewPublisher(s, store, retired...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// published signs m as it is, without a history to hold to.
func published(t testing.TB, m *store) Published {
	t.Helper()
	return publishedAt(t, m, m.head().Size)
}

// publishedAt signs m as it was at a size.
func publishedAt(t testing.TB, m *store, size uint64) Published {
	t.Helper()
	root, err := Root(m, size)
	if err != nil {
		t.Fatal(err)
	}
	c := Checkpoint{m.head().Origin, size, root}
	signed, err := newSigner(t, c.Origin, 1).sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return Published{c, signed}
}

func verifierOf(t testing.TB) Verifier {
	t.Helper()
	return newVerifier(t, newSigner(t, testOrigin, 1).VKey())
}

// site is a published log as static files by path.
type site map[string][]byte

func (s site) fetch(path string) ([]byte, error) {
	if b, ok := s[path]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}

func newSite(t testing.TB, m *store) site { return newSiteAt(t, m, m.head().Size) }

func newSiteAt(t testing.TB, m *store, size uint64) site {
	t.Helper()
	p := publishedAt(t, m, size)
	out := site{"checkpoint": p.Note}
	for _, ref := range tlog.NewTiles(tileHeight, 0, int64(p.Size)) {
		tiles := []Tile{{Level: ref.L, Index: uint64(ref.N), Width: ref.W}}
		if ref.L == 0 {
			tiles = append(tiles, Tile{Entries: true, Index: uint64(ref.N), Width: ref.W})
		}
		for _, tile := range tiles {
			b, err := ReadTile(m, tile, p.Size)
			if err != nil {
				t.Fatal(err)
			}
			out[tile.Path()] = b
		}
	}
	return out
}

func (s site) writeTo(t testing.TB, dir string) {
	t.Helper()
	for path, b := range s {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wantCode(t testing.TB, err error, kind fail.Kind, code string) {
	t.Helper()
	if fail.KindOf(err) != kind || fail.CodeOf(err) != code {
		t.Fatalf("error is %v (%s %s), want %s %s", err, fail.KindOf(err), fail.CodeOf(err), kind, code)
	}
	if e := fail.Of(err); e != nil && (e.ZH == "" || e.Text == "") {
		t.Fatalf("%s lacks a language", code)
	}
}

// flips returns copies of b, each with one byte changed: its lowest bit, its
// letter case, and its highest bit.
func flips(b []byte, try func(i int, changed []byte)) {
	for i := range b {
		for _, mask := range []byte{0x01, 0x20, 0x80} {
			c := bytes.Clone(b)
			c[i] ^= mask
			try(i, c)
		}
	}
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// sortedWrites orders the writes of a group as an engine wants them.
func sortedWrites(tables map[kv.Table][]kv.Write) (out []kv.Write) {
	for _, t := range slices.Sorted(maps.Keys(tables)) {
		writes := tables[t]
		slices.SortFunc(writes, func(a, b kv.Write) int { return bytes.Compare(a.Key, b.Key) })
		out = append(out, writes...)
	}
	return out
}
