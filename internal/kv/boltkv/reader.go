package boltkv

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

// reader copies what it gives: bbolt's bytes live in the map and die with tx.
type reader struct {
	ctx context.Context
	tx  *bbolt.Tx
}

// State implements kv.Stated: bbolt numbers its transactions, and what a View shows
// is that of the last one before it.
func (r reader) State() uint64 {
	if r.tx.Writable() {
		return 0
	}
	return uint64(r.tx.ID())
}

func (r reader) Get(t kv.Table, key []byte) ([]byte, error) {
	bucket := r.tx.Bucket([]byte(t))
	if bucket == nil {
		return nil, nil
	}
	return clone(bucket.Get(key)), nil
}

func (r reader) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	bucket := r.tx.Bucket([]byte(t))
	if bucket == nil {
		return values, nil
	}
	for i, key := range keys {
		values[i] = clone(bucket.Get(key))
	}
	return values, nil
}

func (r reader) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	bucket := r.tx.Bucket([]byte(t))
	if bucket == nil {
		return nil, nil
	}
	var entries []kv.Entry
	c := bucket.Cursor()
	first, step, inside := forward, c.Next, func(key []byte) bool {
		return rng.To == nil || bytes.Compare(key, rng.To) < 0
	}
	if rng.Reverse {
		first, step, inside = backward, c.Prev, func(key []byte) bool {
			return bytes.Compare(key, rng.From) >= 0
		}
	}
	for key, value := first(c, rng); key != nil && inside(key) && len(entries) < rng.Limit; key, value = step() {
		if entries == nil {
			entries = make([]kv.Entry, 0, min(rng.Limit, 16))
		}
		entries = append(entries, cloneEntry(key, value))
	}
	return entries, nil
}

// forward finds the first entry at or after From.
func forward(c *bbolt.Cursor, rng kv.Range) (key, value []byte) {
	if len(rng.From) == 0 {
		return c.First()
	}
	return c.Seek(rng.From)
}

// backward finds the last entry before To.
func backward(c *bbolt.Cursor, rng kv.Range) (key, value []byte) {
	if rng.To == nil {
		return c.Last()
	}
	if key, _ := c.Seek(rng.To); key == nil {
		return c.Last() // all keys are before To
	}
	return c.Prev()
}

// clone keeps an empty value apart from none.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// cloneEntry copies a row into one piece of memory; the ends of its parts are
// fixed, so that appending to one does not touch the other.
func cloneEntry(key, value []byte) kv.Entry {
	b := make([]byte, len(key)+len(value))
	n := copy(b, key)
	copy(b[n:], value)
	return kv.Entry{Key: b[:n:n], Value: b[n:]}
}
