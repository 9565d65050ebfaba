package registry

import (
	"bytes"
	"sync"

	"bajigong/internal/kv"
)

// recent keeps what was computed not long ago: at least the last few thousand
// values, at most twice as many. What it keeps must say by itself, from a version
// read in the same snapshot, whether it still holds.
type recent[K comparable, V any] struct {
	mu       sync.Mutex
	now, old map[K]V
}

// recentValues is how many values one generation of a recent has. A verdict with
// its code is about 2 KB.
const recentValues = 8192

// decoded is a record with what it was decoded from.
type decoded[V any] struct {
	raw   []byte
	value V
}

// through reads a record that is asked for again and again: as long as what is
// stored is the same, it is decoded once. Nobody may change what it answers.
func through[V any](rd kv.Reader, known *recent[string, decoded[V]], table kv.Records[V], key []byte) (v V, raw []byte, err error) {
	if raw, err = rd.Get(table.Table, key); err != nil || raw == nil {
		return v, nil, err
	}
	if d, ok := known.look(string(key)); ok && bytes.Equal(d.raw, raw) {
		return d.value, d.raw, nil
	}
	if v, err = table.Decode(key, raw); err == nil {
		known.keep(string(key), decoded[V]{raw, v})
	}
	return v, raw, err
}

func (c *recent[K, V]) look(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.now[k]
	if !ok {
		if v, ok = c.old[k]; ok {
			c.put(k, v)
		}
	}
	return v, ok
}

func (c *recent[K, V]) keep(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, v)
}

func (c *recent[K, V]) put(k K, v V) {
	if c.now == nil || len(c.now) >= recentValues {
		c.old, c.now = c.now, make(map[K]V, recentValues)
	}
	c.now[k] = v
}
