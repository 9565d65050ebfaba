package kv

import (
	"bytes"
	"maps"
	"slices"
	"sort"
)

// overlay is a Reader of below with changes on top. Updates of one group are
// stacked: engine ← group's overlay ← Update's own overlay. A refused Update's
// overlay is dropped, an accepted one's is merged into the group's.
type overlay struct {
	below  Reader
	tables map[Table]*changes
	size   int // bytes of keys and values, for the cap of a group
}

// changes are those of one table; a nil value deletes.
type changes struct {
	values map[string][]byte
	order  []string // the keys in order, once the table has been scanned
	sorted bool
}

func newOverlay(below Reader) *overlay {
	return &overlay{below: below, tables: map[Table]*changes{}}
}

// set takes ownership of value.
func (o *overlay) set(t Table, key string, value []byte) {
	c := o.tables[t]
	if c == nil {
		c = &changes{values: map[string][]byte{}}
		o.tables[t] = c
	}
	old, had := c.values[key]
	if had {
		o.size -= len(key) + len(old)
	} else if c.sorted {
		at, _ := slices.BinarySearch(c.order, key)
		c.order = slices.Insert(c.order, at, key)
	}
	c.values[key] = value
	o.size += len(key) + len(value)
}

// merge takes over all changes of above; above is not used afterwards.
func (o *overlay) merge(above *overlay) {
	for t, c := range above.tables {
		for key, value := range c.values {
			o.set(t, key, value)
		}
	}
}

// writes gives the changes ordered by table and key.
func (o *overlay) writes() []Write {
	var ws []Write
	for _, t := range slices.Sorted(maps.Keys(o.tables)) {
		c := o.tables[t]
		for _, key := range c.ordered() {
			ws = append(ws, Write{t, []byte(key), c.values[key]})
		}
	}
	return ws
}

func (o *overlay) find(t Table, key []byte) (value []byte, changed bool) {
	if c := o.tables[t]; c != nil {
		value, changed = c.values[string(key)]
	}
	return bytes.Clone(value), changed // Clone keeps nil apart from empty
}

func (o *overlay) Get(t Table, key []byte) ([]byte, error) {
	if value, changed := o.find(t, key); changed {
		return value, nil
	}
	return o.below.Get(t, key)
}

func (o *overlay) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	var ask [][]byte
	var at []int
	for i, key := range keys {
		value, changed := o.find(t, key)
		if !changed {
			ask, at = append(ask, key), append(at, i)
		}
		values[i] = value
	}
	if len(ask) == 0 {
		return values, nil
	}
	got, err := o.below.GetMany(t, ask)
	if err != nil {
		return nil, err
	}
	for i, value := range got {
		values[at[i]] = value
	}
	return values, nil
}

// Scan asks below for exactly r first, so that a prefetched range is found, and
// goes on only when deletions here left a full page short.
func (o *overlay) Scan(t Table, r Range) ([]Entry, error) {
	c := o.tables[t]
	if c == nil {
		return o.below.Scan(t, r)
	}
	own := c.within(r)
	var out []Entry
	for rest := r; ; {
		page, err := o.below.Scan(t, rest)
		if err != nil {
			return nil, err
		}
		full := len(page) == rest.Limit
		for _, e := range page {
			for len(own) > 0 && before(own[0], string(e.Key), r.Reverse) {
				out, own = c.emit(out, own)
			}
			if len(own) > 0 && own[0] == string(e.Key) {
				out, own = c.emit(out, own)
			} else {
				out = append(out, e)
			}
			if len(out) >= r.Limit {
				return out[:r.Limit], nil
			}
		}
		if !full {
			break
		}
		rest = rest.After(page[len(page)-1].Key)
		rest.Limit = min(MaxScan, r.Limit-len(out)+len(own))
	}
	for len(own) > 0 && len(out) < r.Limit {
		out, own = c.emit(out, own)
	}
	return out, nil
}

// emit moves the first of own to out unless it is a deletion.
func (c *changes) emit(out []Entry, own []string) ([]Entry, []string) {
	if value := c.values[own[0]]; value != nil {
		out = append(out, Entry{[]byte(own[0]), bytes.Clone(value)})
	}
	return out, own[1:]
}

// ordered gives the keys in order and keeps them so.
func (c *changes) ordered() []string {
	if !c.sorted {
		c.order = slices.Sorted(maps.Keys(c.values))
		c.sorted = true
	}
	return c.order
}

// within gives the keys inside r in the order of the scan.
func (c *changes) within(r Range) []string {
	keys := c.ordered()
	if r.To != nil {
		keys = keys[:sort.SearchStrings(keys, string(r.To))]
	}
	keys = keys[sort.SearchStrings(keys, string(r.From)):]
	if r.Reverse {
		keys = slices.Clone(keys)
		slices.Reverse(keys)
	}
	return keys
}

func before(a, b string, reverse bool) bool {
	if reverse {
		return a > b
	}
	return a < b
}
