package torture

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"bajigong/internal/kv"
)

// A Group is what one commit, or one View, read and wrote of its engine.
type Group struct {
	Reads  []kv.Read
	Writes []kv.Write // ordered by table and key, each key once
}

// Tap is an engine that notes what goes through it between Start and Stop.
type Tap struct {
	kv.Engine

	mu      sync.Mutex
	on      bool
	commits []Group
	views   []Group
}

var _ kv.Engine = (*Tap)(nil)

// NewTap puts a Tap before an engine.
func NewTap(e kv.Engine) *Tap { return &Tap{Engine: e} }

// Start begins to note.
func (t *Tap) Start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on, t.commits, t.views = true, nil, nil
}

// Stop ends it and answers the commits and the Views in order.
func (t *Tap) Stop() (commits, views []Group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.on = false
	return t.commits, t.views
}

func (t *Tap) noting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.on
}

func (t *Tap) note(into *[]Group, g Group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*into = append(*into, g)
}

// View implements kv.Engine.
func (t *Tap) View(ctx context.Context, fn func(kv.Reader) error) error {
	if !t.noting() {
		return t.Engine.View(ctx, fn)
	}
	return t.Engine.View(ctx, func(r kv.Reader) error {
		var g Group
		defer func() { t.note(&t.views, g) }()
		return fn(notingReader(r, &g))
	})
}

// Apply implements kv.Engine.
func (t *Tap) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	if !t.noting() {
		return t.Engine.Apply(ctx, fn)
	}
	var g Group
	err := t.Engine.Apply(ctx, func(r kv.Reader) (writes []kv.Write, err error) {
		g = Group{}
		g.Writes, err = fn(notingReader(r, &g))
		return g.Writes, err
	})
	if err == nil {
		t.note(&t.commits, g)
	}
	return err
}

// notingReader is a Prefetcher if r is one.
func notingReader(r kv.Reader, g *Group) kv.Reader {
	if p, ok := r.(kv.Prefetcher); ok {
		return struct {
			*noter
			kv.Prefetcher
		}{&noter{r, g}, p}
	}
	return &noter{r, g}
}

type noter struct {
	below kv.Reader
	group *Group
}

// State implements kv.Stated.
func (n *noter) State() uint64 { return kv.StateOf(n.below) }

func (n *noter) Get(t kv.Table, key []byte) ([]byte, error) {
	n.group.Reads = append(n.group.Reads, kv.Read{Table: t, Key: key})
	return n.below.Get(t, key)
}

func (n *noter) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	for _, key := range keys {
		n.group.Reads = append(n.group.Reads, kv.Read{Table: t, Key: key})
	}
	return n.below.GetMany(t, keys)
}

func (n *noter) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	n.group.Reads = append(n.group.Reads, kv.Read{Table: t, Range: &r})
	return n.below.Scan(t, r)
}

// Distinct is the group without reads that it makes twice.
func (g Group) Distinct() Group {
	seen := map[string]bool{}
	out := Group{Writes: g.Writes}
	for _, read := range g.Reads {
		id := fmt.Sprintf("%s\x00%s", read.Table, read.Key)
		if r := read.Range; r != nil {
			id = fmt.Sprintf("%s\x01%q\x01%q\x01%d%t%t", read.Table, r.From, r.To, r.Limit, r.Reverse, r.To == nil)
		}
		if !seen[id] {
			seen[id] = true
			out.Reads = append(out.Reads, read)
		}
	}
	return out
}

// Count is how many of the group's writes go to a table.
func (g Group) Count(t kv.Table) (n int) {
	for _, w := range g.Writes {
		if w.Table == t {
			n++
		}
	}
	return n
}

// Merge joins groups until each has at least n writes to a table, as clients
// that commit together would.
func Merge(groups []Group, t kv.Table, n int) (out []Group) {
	for _, g := range groups {
		if last := len(out) - 1; last >= 0 && out[last].Count(t) < n {
			out[last] = join(out[last], g)
		} else {
			out = append(out, g)
		}
	}
	return out
}

func join(a, b Group) Group {
	writes := append(slices.Clone(a.Writes), b.Writes...)
	slices.SortStableFunc(writes, compareWrites)
	out := Group{Reads: append(slices.Clone(a.Reads), b.Reads...)}
	for i, w := range writes {
		if i+1 == len(writes) || compareWrites(w, writes[i+1]) != 0 { // the last one counts
			out.Writes = append(out.Writes, w)
		}
	}
	return out
}

func compareWrites(a, b kv.Write) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), bytes.Compare(a.Key, b.Key))
}

// Shares divides groups into parts, as many as a group has writes to t: what one of
// the Updates that were committed together read and wrote on average. Keys of the
// store's own are left out, since each Update comes with them. Every value is the
// last that a group wrote under its key, so that the parts may be done in any order.
func Shares(groups []Group, t kv.Table) (out []Group) {
	last := map[string]kv.Write{}
	name := func(w kv.Write) string { return string(w.Table) + "\x00" + string(w.Key) }
	for _, g := range groups {
		for _, w := range g.Writes {
			last[name(w)] = w
		}
	}
	for _, g := range groups {
		n := g.Count(t)
		if n == 0 {
			continue
		}
		parts := make([]Group, n)
		for i, w := range g.Writes {
			if w.Table != metaTable {
				parts[i%n].Writes = append(parts[i%n].Writes, last[name(w)])
			}
		}
		for i, r := range g.Reads {
			if r.Table != metaTable {
				parts[i%n].Reads = append(parts[i%n].Reads, r)
			}
		}
		out = append(out, parts...)
	}
	return out
}

// metaTable is where the store keeps its own books.
const metaTable kv.Table = "meta"

// Update makes the reads and writes of a group in one Update.
func Update(ctx context.Context, db *kv.DB, g Group) error {
	return db.Update(ctx, func(tx kv.Tx) error {
		if err := readAll(tx, g.Reads); err != nil {
			return err
		}
		for _, w := range g.Writes {
			if w.Value == nil {
				tx.Delete(w.Table, w.Key)
			} else {
				tx.Put(w.Table, w.Key, w.Value)
			}
		}
		return nil
	})
}

// Redo makes the distinct reads of a group in as few calls as the engine has,
// and its writes, in one commit. Done on the store that the group was noted on,
// with all groups after it, it leaves the store as it was.
func Redo(ctx context.Context, e kv.Engine, g Group) error {
	return e.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
		return g.Writes, readAll(r, g.Reads)
	})
}

// Reread makes the reads of a group in one View.
func Reread(ctx context.Context, e kv.Engine, g Group) error {
	return e.View(ctx, func(r kv.Reader) error { return readAll(r, g.Reads) })
}

func readAll(r kv.Reader, reads []kv.Read) error {
	if p, ok := r.(kv.Prefetcher); ok {
		return p.Prefetch(reads)
	}
	for _, read := range reads {
		var err error
		if read.Range != nil {
			_, err = r.Scan(read.Table, *read.Range)
		} else {
			_, err = r.Get(read.Table, read.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Reads notes the distinct reads of fn, which makes no commit.
func (t *Tap) Reads(fn func() error) (out Group, err error) {
	t.Start()
	err = fn()
	_, views := t.Stop()
	for _, v := range views {
		out.Reads = append(out.Reads, v.Reads...)
	}
	return out.Distinct(), err
}
