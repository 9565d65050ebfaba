package kv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Records are values of one type kept as JSON in a table, with their indexes.
// Only its methods may write the tables, or the indexes go astray.
type Records[V any] struct {
	Table   Table
	Key     func(V) []byte // the primary key, see Key
	Indexes []Index[V]
}

// An Index is a table of entries: entry key → primary key. A value may have
// none, one or several entries. When Unique, two records cannot share an entry
// key; otherwise Keys must end each with the primary key's parts.
type Index[V any] struct {
	Table  Table
	Keys   func(V) [][]byte
	Unique bool
}

// A Decoder is a Reader that has decoded some records already: what many ask for is
// then decoded once. Decoded gives the V that the Records of the table would decode
// from the value under key, or nil when it has none. It is shared; nobody changes
// what its pointers, slices and maps hold.
type Decoder interface {
	Decoded(t Table, key []byte) any
}

// decoded is the record that rd has decoded already.
func (r Records[V]) decoded(rd Reader, key []byte) (v V, ok bool) {
	if d, can := rd.(Decoder); can {
		v, ok = d.Decoded(r.Table, key).(V)
	}
	return v, ok
}

// Get reads one record; ok is false when there is none.
func (r Records[V]) Get(rd Reader, key []byte) (v V, ok bool, err error) {
	if v, ok := r.decoded(rd, key); ok {
		return v, true, nil
	}
	value, err := rd.Get(r.Table, key)
	if err != nil || value == nil {
		return v, false, err
	}
	v, err = r.decode(key, value)
	return v, err == nil, err
}

// GetMany reads one record per key, in order; ok tells which exist.
func (r Records[V]) GetMany(rd Reader, keys [][]byte) (vs []V, ok []bool, err error) {
	values, err := rd.GetMany(r.Table, keys)
	if err != nil {
		return nil, nil, err
	}
	vs, ok = make([]V, len(keys)), make([]bool, len(keys))
	for i, value := range values {
		if value == nil {
			continue
		}
		if vs[i], ok[i] = r.decoded(rd, keys[i]); ok[i] {
			continue
		}
		if vs[i], err = r.decode(keys[i], value); err != nil {
			return nil, nil, err
		}
		ok[i] = true
	}
	return vs, ok, nil
}

// Scan reads a page of records. next is the From of the following page (To, when
// rng is reversed), or nil at the end.
func (r Records[V]) Scan(rd Reader, rng Range) (vs []V, next []byte, err error) {
	entries, err := rd.Scan(r.Table, rng)
	if err != nil {
		return nil, nil, err
	}
	vs = make([]V, len(entries))
	for i, e := range entries {
		if vs[i], err = r.decode(e.Key, e.Value); err != nil {
			return nil, nil, err
		}
	}
	return vs, cursor(rng, entries), nil
}

// ScanIndex reads a page of records in the order of one of the indexes, named by
// its table; rng and next are of the index.
func (r Records[V]) ScanIndex(rd Reader, index Table, rng Range) (vs []V, next []byte, err error) {
	entries, err := rd.Scan(index, rng)
	if err != nil {
		return nil, nil, err
	}
	keys := make([][]byte, len(entries))
	for i, e := range entries {
		keys[i] = e.Value
	}
	vs, ok, err := r.GetMany(rd, keys)
	if err != nil {
		return nil, nil, err
	}
	for i, found := range ok {
		if !found {
			return nil, nil, fmt.Errorf("%s: entry %x has no record in %s", index, entries[i].Key, r.Table)
		}
	}
	return vs, cursor(rng, entries), nil
}

// Lookup reads the record under an entry key of a unique index.
func (r Records[V]) Lookup(rd Reader, index Table, entry []byte) (v V, ok bool, err error) {
	key, err := rd.Get(index, entry)
	if err != nil || key == nil {
		return v, false, err
	}
	v, ok, err = r.Get(rd, key)
	if err == nil && !ok {
		err = fmt.Errorf("%s: entry %x has no record in %s", index, entry, r.Table)
	}
	return v, ok, err
}

// Put stores v under its key, new or in place of the record there, and moves its
// index entries. It returns [ErrDuplicate] when another record has one of v's
// entries in a unique index.
func (r Records[V]) Put(tx Tx, v V) error {
	key := r.Key(v)
	if err := r.moveEntries(tx, key, v); err != nil {
		return err
	}
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Table, err)
	}
	tx.Put(r.Table, key, value)
	return nil
}

// moveEntries replaces the index entries of the record under key by those of v.
func (r Records[V]) moveEntries(tx Tx, key []byte, v V) error {
	if len(r.Indexes) == 0 {
		return nil // the record that is there need not be read
	}
	old, had, err := r.Get(tx, key)
	if err != nil {
		return err
	}
	for _, index := range r.Indexes {
		var before [][]byte
		if had {
			before = index.Keys(old)
		}
		if err := index.move(tx, key, newEntrySet(before), newEntrySet(index.Keys(v))); err != nil {
			return fmt.Errorf("%s: %w", r.Table, err)
		}
	}
	return nil
}

// Reindex writes the index entries of a page of records anew, as a migration does
// that adds an index, and says where the next page begins; nil when it was the
// last.
func (r Records[V]) Reindex(tx Tx, rng Range) (next []byte, err error) {
	page, next, err := r.Scan(tx, rng)
	if err != nil {
		return nil, err
	}
	for _, v := range page {
		key := r.Key(v)
		for _, index := range r.Indexes {
			if err := index.move(tx, key, entrySet{}, newEntrySet(index.Keys(v))); err != nil {
				return nil, fmt.Errorf("%s: %w", r.Table, err)
			}
		}
	}
	return next, nil
}

// Delete removes the record under key, if there is one, with its index entries.
func (r Records[V]) Delete(tx Tx, key []byte) error {
	old, had, err := r.Get(tx, key)
	if err != nil || !had {
		return err
	}
	for _, index := range r.Indexes {
		for _, entry := range index.Keys(old) {
			tx.Delete(index.Table, entry)
		}
	}
	tx.Delete(r.Table, key)
	return nil
}

// Decode reads a record from the value stored under key, for those who have it
// already.
func (r Records[V]) Decode(key, value []byte) (V, error) { return r.decode(key, value) }

// Unmarshal reads stored JSON as encoding/json does, in less than half the time:
// decoding is a good part of every decision and verdict. It is the reference
// implementation of encoding/json/v2 with the behaviour of v1; writing stays with
// encoding/json, which is quicker at it.
func Unmarshal(data []byte, v any) error { return jsonv1.Unmarshal(data, v) }

func (r Records[V]) decode(key, value []byte) (v V, err error) {
	if err := Unmarshal(value, &v); err != nil {
		return v, fmt.Errorf("%s %x: %w", r.Table, key, err)
	}
	return v, nil
}

// cursor is where the page after entries begins, nil when they were the last.
func cursor(rng Range, entries []Entry) []byte {
	if len(entries) < rng.Limit {
		return nil
	}
	rest := rng.After(entries[len(entries)-1].Key)
	if rng.Reverse {
		return rest.To
	}
	return rest.From
}

// entrySet are the entry keys of one record in one index, in order.
type entrySet struct {
	keys  [][]byte
	known map[string]bool // of many
}

func newEntrySet(keys [][]byte) entrySet {
	s := entrySet{keys: keys}
	const few = 8
	if len(keys) > few {
		s.known = make(map[string]bool, len(keys))
		for _, key := range keys {
			s.known[string(key)] = true
		}
	}
	return s
}

func (s entrySet) has(entry []byte) bool {
	if s.known != nil {
		return s.known[string(entry)]
	}
	return slices.ContainsFunc(s.keys, func(key []byte) bool { return bytes.Equal(key, entry) })
}

// move replaces the entries of a record. Entries that stay are not written.
func (x Index[V]) move(tx Tx, key []byte, before, after entrySet) error {
	var added [][]byte
	for _, entry := range after.keys {
		if !before.has(entry) {
			added = append(added, entry)
		}
	}
	if x.Unique && len(added) > 0 {
		taken, err := tx.GetMany(x.Table, added)
		if err != nil {
			return err
		}
		for _, other := range taken {
			if other != nil && !bytes.Equal(other, key) {
				return fmt.Errorf("index %s: %w", x.Table, ErrDuplicate)
			}
		}
	}
	for _, entry := range before.keys {
		if !after.has(entry) {
			tx.Delete(x.Table, entry)
		}
	}
	for _, entry := range added {
		tx.Put(x.Table, entry, key)
	}
	return nil
}
