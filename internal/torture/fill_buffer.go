package torture

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"sync"

	"bajigong/internal/kv"
)

// A Buffer is an engine for filling a store: it keeps what is written in memory,
// above the engine, until Flush gives it all to the engine in the order of its
// keys. Nothing of it is durable before. Large groups in order are what a tree of
// pages takes most quickly: a page that many keys of a group fall into is written
// once for all of them.
//
// FlushBehind does the same beside what goes on: what is being written below stays
// readable here, under what is put above it meanwhile, until the engine has it.
type Buffer struct {
	below   kv.Engine
	writing sync.Mutex // one Apply, or start of a flush, at a time
	mu      sync.RWMutex
	tables  layer
	under   layer // on its way to the engine, or nil; never changed
	flushed error // why what is under did not get there: it stays, and the Buffer is of no use
	flights sync.WaitGroup
}

// layer is what was written over a time.
type layer map[kv.Table]*sortedTable

var _ kv.Engine = (*Buffer)(nil)

// NewBuffer puts an empty Buffer above an engine.
func NewBuffer(e kv.Engine) *Buffer { return &Buffer{below: e, tables: layer{}} }

// View implements kv.Engine.
func (b *Buffer) View(ctx context.Context, fn func(kv.Reader) error) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.below.View(ctx, func(r kv.Reader) error { return fn(over(b.tables, over(b.under, r))) })
}

// Apply implements kv.Engine, but for being durable.
func (b *Buffer) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.RLock()
	under := b.under // before the engine's state is taken: that has it, or this
	b.mu.RUnlock()
	var writes []kv.Write
	err := b.below.View(ctx, func(r kv.Reader) (err error) {
		writes, err = fn(over(b.tables, over(under, r)))
		return err
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range writes {
		t := b.tables[w.Table]
		if t == nil {
			t = &sortedTable{}
			b.tables[w.Table] = t
		}
		t.put(w.Key, w.Value)
	}
	return nil
}

// Flush gives the engine what the Buffer has, in one commit, and begins anew.
func (b *Buffer) Flush(ctx context.Context) error {
	return errors.Join(b.FlushBehind(ctx), b.Wait())
}

// FlushBehind begins a Flush and returns; it waits for the one before, and gives the
// error of that. So the engine is never more than two flushes behind.
func (b *Buffer) FlushBehind(ctx context.Context) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	if err := b.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.under, b.tables = b.tables, layer{}
	under := b.under
	b.flights.Go(func() {
		err := b.below.Apply(context.WithoutCancel(ctx), func(kv.Reader) ([]kv.Write, error) { return under.writes(), nil })
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.flushed = err; err == nil {
			b.under = nil
		}
	})
	return nil
}

// Wait waits for a flush that is under way.
func (b *Buffer) Wait() error {
	b.flights.Wait()
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.flushed
}

// writes are all of a layer, in order.
func (l layer) writes() []kv.Write {
	n := 0
	for _, t := range l {
		for _, block := range t.blocks {
			n += len(block)
		}
	}
	writes := make([]kv.Write, 0, n)
	for _, table := range slices.Sorted(maps.Keys(l)) {
		t := l[table]
		for _, block := range t.blocks {
			for _, e := range block {
				writes = append(writes, kv.Write{Table: table, Key: t.at(e.key), Value: t.at(e.value)})
			}
		}
	}
	return writes
}

// Snapshot implements kv.Engine for a Buffer that was flushed.
func (b *Buffer) Snapshot(ctx context.Context) (kv.Reader, func(), error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.tables) > 0 || b.under != nil {
		return nil, nil, errors.New("a snapshot of a buffer that was not flushed")
	}
	return b.below.Snapshot(ctx)
}

// Close waits for a flush that is under way and closes the engine; what was not
// flushed is gone.
func (b *Buffer) Close() error { return errors.Join(b.Wait(), b.below.Close()) }

// bufferReader reads a layer over what is below it. What it hands out are copies of
// the moment.
type bufferReader struct {
	tables layer
	below  kv.Reader
}

func over(l layer, below kv.Reader) kv.Reader {
	if l == nil {
		return below
	}
	return bufferReader{l, below}
}

func (r bufferReader) find(t kv.Table, key []byte) (value []byte, known bool) {
	if s := r.tables[t]; s != nil {
		value, known = s.get(key)
	}
	return bytes.Clone(value), known // Clone keeps nil apart from empty
}

// Get implements kv.Reader.
func (r bufferReader) Get(t kv.Table, key []byte) ([]byte, error) {
	if value, known := r.find(t, key); known {
		return value, nil
	}
	return r.below.Get(t, key)
}

// GetMany implements kv.Reader.
func (r bufferReader) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	var ask [][]byte
	var at []int
	for i, key := range keys {
		value, known := r.find(t, key)
		if values[i] = value; !known {
			ask, at = append(ask, key), append(at, i)
		}
	}
	if len(ask) == 0 {
		return values, nil
	}
	got, err := r.below.GetMany(t, ask)
	if err != nil {
		return nil, err
	}
	for i, value := range got {
		values[at[i]] = value
	}
	return values, nil
}

// Scan implements kv.Reader: it merges pages of the engine with the buffer's own.
func (r bufferReader) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	s := r.tables[t]
	if s == nil {
		return r.below.Scan(t, rng)
	}
	own := s.cursor(rng)
	var out []kv.Entry
	take := func() {
		if value := own.value(); value != nil {
			out = append(out, kv.Entry{Key: bytes.Clone(own.key()), Value: bytes.Clone(value)})
		}
		own.next()
	}
	for rest := rng; len(out) < rng.Limit; {
		page, err := r.below.Scan(t, rest)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			for own.valid() && own.before(e.Key) && len(out) < rng.Limit {
				take()
			}
			if len(out) == rng.Limit {
				return out, nil
			}
			if own.valid() && bytes.Equal(own.key(), e.Key) {
				take()
			} else {
				out = append(out, e)
			}
			if len(out) == rng.Limit {
				return out, nil
			}
		}
		if len(page) < rest.Limit {
			break
		}
		rest = rest.After(page[len(page)-1].Key)
	}
	for own.valid() && len(out) < rng.Limit {
		take()
	}
	return out, nil
}

// sortedTable is an ordered map as blocks of at most blockMax entries. Keys and
// values lie in slabs and entries name them by number: millions of them have no
// pointer that the collector would follow again and again.
type sortedTable struct {
	slabs  [][]byte
	blocks [][]bufferEntry
}

type bufferEntry struct{ key, value slabPart }

// slabPart is a part of a slab.
type slabPart struct {
	slab, from uint32
	size       int32 // -1 for no value: deleted
}

const (
	blockMax  = 512
	slabLeast = 1 << 10
	slabMost  = 1 << 20
)

// lay puts bytes into a slab.
func (s *sortedTable) lay(b []byte) slabPart {
	if b == nil {
		return slabPart{size: -1}
	}
	last := len(s.slabs) - 1
	if last < 0 || cap(s.slabs[last])-len(s.slabs[last]) < len(b) {
		size := slabLeast
		if last >= 0 {
			size = min(2*cap(s.slabs[last]), slabMost)
		}
		s.slabs = append(s.slabs, make([]byte, 0, max(size, len(b))))
		last++
	}
	from := len(s.slabs[last])
	s.slabs[last] = append(s.slabs[last], b...)
	return slabPart{uint32(last), uint32(from), int32(len(b))}
}

// at are the bytes of a part, nil for none. They change when the entry is put again.
func (s *sortedTable) at(p slabPart) []byte {
	if p.size < 0 {
		return nil
	}
	end := p.from + uint32(p.size)
	return s.slabs[p.slab][p.from:end:end]
}

// place is where key is, or would be put.
func (s *sortedTable) place(key []byte) (block, at int, found bool) {
	block = sort.Search(len(s.blocks), func(i int) bool { return bytes.Compare(s.at(s.blocks[i][0].key), key) > 0 }) - 1
	if block < 0 {
		return 0, 0, false
	}
	at, found = slices.BinarySearchFunc(s.blocks[block], key, func(e bufferEntry, key []byte) int { return bytes.Compare(s.at(e.key), key) })
	return block, at, found
}

func (s *sortedTable) get(key []byte) (value []byte, known bool) {
	block, at, found := s.place(key)
	if !found {
		return nil, false
	}
	return s.at(s.blocks[block][at].value), true
}

func (s *sortedTable) put(key, value []byte) {
	block, at, found := s.place(key)
	if found {
		old := &s.blocks[block][at].value
		if value != nil && len(value) <= int(old.size) {
			copy(s.at(*old), value)
			old.size = int32(len(value))
			return
		}
		*old = s.lay(value)
		return
	}
	added := bufferEntry{s.lay(key), s.lay(value)}
	if len(s.blocks) == 0 {
		s.blocks = append(s.blocks, make([]bufferEntry, 0, blockMax))
	}
	b := s.blocks[block]
	if len(b) == blockMax {
		half := blockMax / 2
		if at == blockMax && block == len(s.blocks)-1 {
			half = blockMax // keys that come in order fill their blocks
		}
		upper := append(make([]bufferEntry, 0, blockMax), b[half:]...)
		s.blocks[block] = b[:half]
		if half == blockMax {
			s.blocks = append(s.blocks, append(upper, added))
			return
		}
		s.blocks = slices.Insert(s.blocks, block+1, upper)
		if at > half {
			block, at = block+1, at-half
		}
	}
	s.blocks[block] = slices.Insert(s.blocks[block], at, added)
}

// bufferCursor goes over the entries of a range in the order of its scan.
type bufferCursor struct {
	table     *sortedTable
	rng       kv.Range
	block, at int
}

func (s *sortedTable) cursor(rng kv.Range) *bufferCursor {
	c := &bufferCursor{table: s, rng: rng}
	switch {
	case !rng.Reverse:
		if rng.From != nil {
			c.block, c.at, _ = s.place(rng.From)
		}
	case rng.To == nil:
		c.block = len(s.blocks)
		c.next()
	default:
		c.block, c.at, _ = s.place(rng.To)
		c.next()
	}
	c.settle()
	return c
}

// settle steps over the end of a block.
func (c *bufferCursor) settle() {
	if !c.rng.Reverse && c.block < len(c.table.blocks) && c.at >= len(c.table.blocks[c.block]) {
		c.block, c.at = c.block+1, 0
	}
}

func (c *bufferCursor) next() {
	if !c.rng.Reverse {
		c.at++
		c.settle()
		return
	}
	if c.at--; c.at < 0 {
		if c.block--; c.block >= 0 {
			c.at = len(c.table.blocks[c.block]) - 1
		}
	}
}

func (c *bufferCursor) valid() bool {
	if c.block < 0 || c.block >= len(c.table.blocks) {
		return false
	}
	if c.rng.Reverse {
		return c.rng.From == nil || bytes.Compare(c.key(), c.rng.From) >= 0
	}
	return c.rng.To == nil || bytes.Compare(c.key(), c.rng.To) < 0
}

func (c *bufferCursor) key() []byte   { return c.table.at(c.table.blocks[c.block][c.at].key) }
func (c *bufferCursor) value() []byte { return c.table.at(c.table.blocks[c.block][c.at].value) }

// before reports whether the cursor's entry comes before key in the scan.
func (c *bufferCursor) before(key []byte) bool {
	if c.rng.Reverse {
		return bytes.Compare(c.key(), key) > 0
	}
	return bytes.Compare(c.key(), key) < 0
}
