package torture

import (
	"bytes"
	"cmp"
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
type Buffer struct {
	below   kv.Engine
	writing sync.Mutex // one Apply or Flush at a time
	mu      sync.RWMutex
	tables  map[kv.Table]*sortedTable
}

var _ kv.Engine = (*Buffer)(nil)

// NewBuffer puts an empty Buffer above an engine.
func NewBuffer(e kv.Engine) *Buffer { return &Buffer{below: e, tables: map[kv.Table]*sortedTable{}} }

// View implements kv.Engine.
func (b *Buffer) View(ctx context.Context, fn func(kv.Reader) error) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.below.View(ctx, func(r kv.Reader) error { return fn(bufferReader{b, r}) })
}

// Apply implements kv.Engine, but for being durable.
func (b *Buffer) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	var writes []kv.Write
	err := b.below.View(ctx, func(r kv.Reader) (err error) {
		writes, err = fn(bufferReader{b, r})
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
		t.put(string(w.Key), w.Value)
	}
	return nil
}

// Flush gives the engine what the Buffer has, in one commit, and begins anew.
func (b *Buffer) Flush(ctx context.Context) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	var writes []kv.Write
	for _, table := range slices.Sorted(maps.Keys(b.tables)) {
		for _, block := range b.tables[table].blocks {
			for _, e := range block {
				writes = append(writes, kv.Write{Table: table, Key: []byte(e.key), Value: e.value})
			}
		}
	}
	if err := b.below.Apply(ctx, func(kv.Reader) ([]kv.Write, error) { return writes, nil }); err != nil {
		return err
	}
	b.tables = map[kv.Table]*sortedTable{}
	return nil
}

// Snapshot implements kv.Engine for a Buffer that was flushed.
func (b *Buffer) Snapshot(ctx context.Context) (kv.Reader, func(), error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.tables) > 0 {
		return nil, nil, errors.New("a snapshot of a buffer that was not flushed")
	}
	return b.below.Snapshot(ctx)
}

// Close closes the engine; what was not flushed is gone.
func (b *Buffer) Close() error { return b.below.Close() }

// bufferReader reads the buffer over the engine. Its values are never changed in
// place, so that they can be handed out as copies of the moment.
type bufferReader struct {
	buffer *Buffer
	below  kv.Reader
}

func (r bufferReader) find(t kv.Table, key []byte) (value []byte, known bool) {
	if s := r.buffer.tables[t]; s != nil {
		value, known = s.get(string(key))
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
	s := r.buffer.tables[t]
	if s == nil {
		return r.below.Scan(t, rng)
	}
	own := s.cursor(rng)
	var out []kv.Entry
	take := func() {
		if value := own.value(); value != nil {
			out = append(out, kv.Entry{Key: []byte(own.key()), Value: bytes.Clone(value)})
		}
		own.next()
	}
	for rest := rng; len(out) < rng.Limit; {
		page, err := r.below.Scan(t, rest)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			key := string(e.Key)
			for own.valid() && own.before(key) && len(out) < rng.Limit {
				take()
			}
			if len(out) == rng.Limit {
				return out, nil
			}
			if own.valid() && own.key() == key {
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

// sortedTable is an ordered map as blocks of at most blockMax entries.
type sortedTable struct{ blocks [][]bufferEntry }

type bufferEntry struct {
	key   string
	value []byte // nil deletes
}

const blockMax = 512

// place is where key is, or would be put.
func (s *sortedTable) place(key string) (block, at int, found bool) {
	block = sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i][0].key > key }) - 1
	if block < 0 {
		return 0, 0, false
	}
	at, found = slices.BinarySearchFunc(s.blocks[block], key, func(e bufferEntry, key string) int { return cmp.Compare(e.key, key) })
	return block, at, found
}

func (s *sortedTable) get(key string) (value []byte, known bool) {
	block, at, found := s.place(key)
	if !found {
		return nil, false
	}
	return s.blocks[block][at].value, true
}

func (s *sortedTable) put(key string, value []byte) {
	block, at, found := s.place(key)
	if found {
		s.blocks[block][at].value = value
		return
	}
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
		clear(b[half:])
		s.blocks[block] = b[:half]
		if half == blockMax {
			s.blocks = append(s.blocks, append(upper, bufferEntry{key, value}))
			return
		}
		s.blocks = slices.Insert(s.blocks, block+1, upper)
		if at > half {
			block, at = block+1, at-half
		}
	}
	s.blocks[block] = slices.Insert(s.blocks[block], at, bufferEntry{key, value})
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
			c.block, c.at, _ = s.place(string(rng.From))
		}
	case rng.To == nil:
		c.block = len(s.blocks)
		c.next()
	default:
		c.block, c.at, _ = s.place(string(rng.To))
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
		return c.rng.From == nil || c.key() >= string(c.rng.From)
	}
	return c.rng.To == nil || c.key() < string(c.rng.To)
}

func (c *bufferCursor) key() string   { return c.table.blocks[c.block][c.at].key }
func (c *bufferCursor) value() []byte { return c.table.blocks[c.block][c.at].value }

// before reports whether the cursor's entry comes before key in the scan.
func (c *bufferCursor) before(key string) bool {
	if c.rng.Reverse {
		return c.key() > key
	}
	return c.key() < key
}
