package auditlog

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"bajigong/internal/fail"

	"golang.org/x/mod/sumdb/tlog"
)

// A Fetch returns the resource at a path relative to the log's URL prefix
// ("checkpoint", "tile/0/000") from a server or a directory. An error for what
// is not there (404) wraps fs.ErrNotExist. It should refuse answers of more than
// MaxResource bytes.
type Fetch func(path string) ([]byte, error)

// MaxResource is the size in bytes of the largest resource of a log that
// AuditLog asks for.
const MaxResource = maxNote

// An Audit is the outcome of a successful [AuditLog].
type Audit struct {
	Checkpoint  Checkpoint // of the whole log as fetched
	Note        []byte     // its signed note: keep it as `earlier` for the next audit
	Earlier     *Checkpoint
	First, Last time.Time // of the first and the last entry; zero in an empty log
}

// AuditLog reads a whole log and proves that its checkpoint is signed by the
// log's key, that its root is that of the entries, that every tile agrees with
// them, that times never go back, and, when earlier is not nil, that the log
// extends that earlier signed checkpoint. It needs memory for a few tiles only.
// progress, which may be nil, is called after each bundle of up to 256 entries.
//
// Errors: Invalid checkpoint_malformed, checkpoint_untrusted, log_mismatch (the
// published parts contradict each other), log_time_backwards, leaf_malformed;
// Conflict log_rolled_back (it does not extend earlier); errors of fetch.
func AuditLog(fetch Fetch, v Verifier, earlier []byte, progress func(done, total uint64)) (Audit, error) {
	var out Audit
	if earlier != nil {
		c, err := OpenCheckpoint(earlier, v)
		if err != nil {
			return Audit{}, fmt.Errorf("earlier checkpoint: %w", err)
		}
		out.Earlier = &c
	}
	var err error
	if out.Note, err = fetch("checkpoint"); err != nil {
		return Audit{}, fmt.Errorf("fetch checkpoint: %w", err)
	}
	if out.Checkpoint, err = OpenCheckpoint(out.Note, v); err != nil {
		return Audit{}, err
	}
	if out.Earlier != nil && out.Earlier.Size > out.Checkpoint.Size {
		return Audit{}, notExtending(*out.Earlier, fmt.Errorf("size is %d", out.Checkpoint.Size))
	}
	a := auditor{fetch: fetch, out: out}
	if err := a.checkEarlier(); err != nil {
		return Audit{}, err
	}
	size := out.Checkpoint.Size
	for a.edge.size < size {
		if err := a.bundle(min(tileWidth, size-a.edge.size)); err != nil {
			return Audit{}, err
		}
		if progress != nil {
			progress(a.edge.size, size)
		}
	}
	for level := range a.pending {
		if err := a.compareTile(level); err != nil {
			return Audit{}, err
		}
	}
	if root := a.edge.root(); root != out.Checkpoint.Root {
		return Audit{}, mismatch("the root", fmt.Errorf("is %s by the entries", root))
	}
	return a.out, nil
}

type auditor struct {
	fetch   Fetch
	out     Audit
	edge    edge
	pending [][]byte // per level the hashes of the tile that is being filled
}

// bundle reads the next n entries, the whole of one bundle, and compares every
// tile that they fill.
func (a *auditor) bundle(n uint64) error {
	t := Tile{Entries: true, Index: a.edge.size / tileWidth, Width: int(n)}
	data, full, err := a.fetchTile(t)
	if err != nil {
		return err
	}
	entries, ok := parseEntries(data)
	if !ok || len(entries) < t.Width || !full && len(entries) > t.Width {
		return mismatch(t.Path(), fmt.Errorf("does not hold %d entries", t.Width))
	}
	for _, e := range entries[:n] {
		if err := a.entry(e); err != nil {
			return err
		}
	}
	for level := range a.pending {
		if len(a.pending[level]) == tileWidth*tlog.HashSize {
			if err := a.compareTile(level); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *auditor) entry(data []byte) error {
	index := a.edge.size
	leaf, err := ParseLeaf(data)
	if err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	if leaf.Time.Before(a.out.Last) {
		return fail.New(fail.Invalid, "log_time_backwards", "entry %d of the log is dated before the entry ahead of it", index).
			In("日志第 %d 条的时间早于其前一条", index)
	}
	if index == 0 {
		a.out.First = leaf.Time
	}
	a.out.Last = leaf.Time
	a.edge.add(tlog.RecordHash(data), func(step int, _ uint64, h tlog.Hash) {
		if step%2 == 1 {
			return // within a tile
		}
		level := step / 2
		if level == len(a.pending) {
			a.pending = append(a.pending, nil)
		}
		a.pending[level] = append(a.pending[level], h[:]...)
	})
	return a.checkEarlier()
}

// compareTile compares the tile that is full, or at the end partial, with what
// the log serves, and starts the next.
func (a *auditor) compareTile(level int) error {
	want := a.pending[level]
	if len(want) == 0 { // the last tile of the level was full; empty tiles do not exist
		return nil
	}
	width := len(want) / tlog.HashSize
	last := a.edge.size>>(tileHeight*level) - 1 // the level's last hash is in this tile
	t := Tile{Level: level, Index: last / tileWidth, Width: width}
	got, full, err := a.fetchTile(t)
	if err != nil {
		return err
	}
	if full && len(got) == tileWidth*tlog.HashSize {
		got = got[:len(want)]
	}
	if string(got) != string(want) {
		return mismatch(t.Path(), nil)
	}
	a.pending[level] = want[:0]
	return nil
}

// fetchTile fetches t or, since a log may drop a partial tile once it is full,
// the full one in its place.
func (a *auditor) fetchTile(t Tile) (data []byte, full bool, err error) {
	data, err = a.fetch(t.Path())
	if err != nil && t.Width < tileWidth && errors.Is(err, fs.ErrNotExist) {
		whole := t
		whole.Width = tileWidth
		if data, errFull := a.fetch(whole.Path()); errFull == nil {
			return data, true, nil
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("fetch %s: %w", t.Path(), err)
	}
	return data, false, nil
}

func (a *auditor) checkEarlier() error {
	c := a.out.Earlier
	if c == nil || c.Size != a.edge.size {
		return nil
	}
	if root := a.edge.root(); root != c.Root {
		return notExtending(*c, fmt.Errorf("root at that size is %s", root))
	}
	return nil
}

func mismatch(what string, cause error) error {
	return fail.New(fail.Invalid, "log_mismatch", "%s of the log does not agree with its entries", what).
		In("日志的 %s 与其条目不符", what).Because(cause)
}

func notExtending(earlier Checkpoint, cause error) error {
	return fail.New(fail.Conflict, "log_rolled_back", "the log does not extend its earlier checkpoint of size %d: entries were removed or changed", earlier.Size).
		In("日志与先前的检查点（大小 %d）不衔接：有条目被删除或改动", earlier.Size).Because(cause)
}
