package kvtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"bajigong/internal/kv"
)

// model is what a store should hold: table, key, value.
type model map[kv.Table]map[string]string

func (m model) clone() model {
	c := model{}
	for table, entries := range m {
		c[table] = maps.Clone(entries)
	}
	return c
}

func (m model) set(table kv.Table, key string, value []byte) {
	if value == nil {
		delete(m[table], key)
		return
	}
	if m[table] == nil {
		m[table] = map[string]string{}
	}
	m[table][key] = string(value)
}

func (m model) scan(table kv.Table, r kv.Range) (entries []string) {
	keys := slices.Sorted(maps.Keys(m[table]))
	if r.Reverse {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if key >= string(r.From) && (r.To == nil || key < string(r.To)) && len(entries) < r.Limit {
			entries = append(entries, fmt.Sprintf("%x=%x", key, m[table][key]))
		}
	}
	return entries
}

// check makes one random read of r and compares.
func (m model) check(t *testing.T, r kv.Reader) {
	t.Helper()
	table := randomTable()
	switch rand.N(3) {
	case 0:
		key := randomKey()
		value, err := r.Get(table, key)
		if err != nil {
			t.Fatal(err)
		}
		m.compare(t, table, key, value)
	case 1:
		keys := make([][]byte, 1+rand.N(4))
		for i := range keys {
			keys[i] = randomKey()
		}
		values, err := r.GetMany(table, keys)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "GetMany", len(values), len(keys))
		for i, value := range values {
			m.compare(t, table, keys[i], value)
			for j := range value {
				value[j] ^= 0xFF // values are the caller's to change
			}
		}
	default:
		rng := randomRange()
		entries, err := r.Scan(table, rng)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprintf("%x=%x", e.Key, e.Value))
			if e.Value == nil {
				t.Fatalf("scan of %s: entry %x has a nil value", table, e.Key)
			}
			for _, b := range [][]byte{e.Key, e.Value} { // the caller's to change
				for j := range b {
					b[j] ^= 0xFF
				}
			}
		}
		equal(t, fmt.Sprintf("scan %s %x-%x limit %d reverse %t", table, rng.From, rng.To, rng.Limit, rng.Reverse),
			got, m.scan(table, rng))
	}
}

func (m model) compare(t *testing.T, table kv.Table, key, value []byte) {
	t.Helper()
	want, present := m[table][string(key)]
	if present != (value != nil) || string(value) != want {
		t.Fatalf("%s %x = %x (present %t), want %x (present %t)", table, key, value, value != nil, want, present)
	}
}

func randomTable() kv.Table { return kv.Table("t" + string(rune('0'+rand.N(3)))) }

// randomKey gives few keys, with the bytes that are easily ordered wrongly.
func randomKey() []byte {
	key := make([]byte, 1+rand.N(3))
	for i := range key {
		key[i] = []byte{0, 1, 'a', 0x7F, 0x80, 0xFF}[rand.N(6)]
	}
	return key
}

func randomValue() []byte {
	value := make([]byte, rand.N(4))
	for i := range value {
		value[i] = byte(rand.N(256))
	}
	return value
}

func randomRange() kv.Range {
	r := kv.Range{Limit: 1 + rand.N(12), Reverse: rand.N(2) == 0}
	if rand.N(3) > 0 {
		r.From = randomKey()
	}
	if rand.N(3) > 0 {
		r.To = randomKey()
	}
	if rand.N(8) == 0 {
		r.Limit = kv.MaxScan
	}
	return r
}
