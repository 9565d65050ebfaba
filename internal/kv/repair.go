package kv

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Repaired counts what a repair changed.
type Repaired struct {
	Removed int `json:"removed,omitempty"`
	Written int `json:"written,omitempty"`
}

// Plus is the sum of two counts.
func (r Repaired) Plus(o Repaired) Repaired {
	return Repaired{r.Removed + o.Removed, r.Written + o.Written}
}

// RepairPage makes the next page of the indexes what Check asks for, and answers
// where the page after it begins, nil when it was the last. First come the entries
// of each index, of which those that no record has are removed; then the records,
// whose entries are written where they are missing or another record's. Records are
// never changed. Called again for a page it has done it changes nothing.
//
// [ErrDuplicate]: two records have the same entry of a unique index, and nobody can
// tell from the records whose it is; see Contradictions.
func (r Records[V]) RepairPage(tx Tx, cursor []byte) (next []byte, done Repaired, err error) {
	stage, rng := 0, Range{Limit: checkPage}
	if len(cursor) > 0 {
		stage, rng.From = int(cursor[0]), cursor[1:]
	}
	if stage > len(r.Indexes) {
		return nil, done, fmt.Errorf("%s: the cursor %x is of no page", r.Table, cursor)
	}
	if len(r.Indexes) == 0 {
		return nil, done, nil
	}
	if stage < len(r.Indexes) {
		next, done, err = r.removeStray(tx, r.Indexes[stage], rng)
	} else {
		next, done, err = r.writeMissing(tx, rng)
	}
	switch {
	case err != nil:
		return nil, Repaired{}, err
	case next != nil:
		return append([]byte{byte(stage)}, next...), done, nil
	case stage < len(r.Indexes):
		return []byte{byte(stage + 1)}, done, nil
	}
	return nil, done, nil
}

func (r Records[V]) removeStray(tx Tx, index Index[V], rng Range) (next []byte, done Repaired, err error) {
	page, err := tx.Scan(index.Table, rng)
	if err != nil {
		return nil, done, err
	}
	stray, err := r.strayEntries(tx, index, page, func(string) {})
	if err != nil {
		return nil, done, err
	}
	for _, entry := range stray {
		tx.Delete(index.Table, entry)
	}
	return cursor(rng, page), Repaired{Removed: len(stray)}, nil
}

func (r Records[V]) writeMissing(tx Tx, rng Range) (next []byte, done Repaired, err error) {
	page, err := tx.Scan(r.Table, rng)
	if err != nil {
		return nil, done, err
	}
	keys, values := r.readable(page, func(string) {})
	for _, index := range r.Indexes {
		entries, owners := index.entries(keys, values)
		got, err := tx.GetMany(index.Table, entries)
		if err != nil {
			return nil, done, err
		}
		taken := map[string][]byte{}
		for i, key := range got {
			if key == nil {
				key = taken[string(entries[i])]
			}
			if bytes.Equal(key, owners[i]) {
				continue
			}
			if key != nil && index.Unique {
				return nil, done, fmt.Errorf("index %s: entry %x is of %x and of %x: %w", index.Table, entries[i], key, owners[i], ErrDuplicate)
			}
			taken[string(entries[i])] = owners[i]
			tx.Put(index.Table, entries[i], owners[i])
			done.Written++
		}
	}
	return cursor(rng, page), done, nil
}

// Contradictions reports the records that no repair can help: those that cannot be
// read, those that lie under another key than their own, and those that have the
// same entry of a unique index as another. It holds the missing entries of a part of
// each index at a time and goes through the table as often as that takes: once, when
// fewer than contradictionsHeld are missing.
func (r Records[V]) Contradictions(rd Reader, report func(problem string)) error {
	for parts := 1; ; parts *= 4 {
		var found []string
		err := r.contradictions(rd, parts, func(problem string) { found = append(found, problem) })
		if errors.Is(err, errTooManyMissing) {
			continue
		}
		for _, problem := range found {
			report(problem)
		}
		return err
	}
}

// contradictionsHeld is how many missing entries are held at a time: some 60 MB.
const contradictionsHeld = 1 << 18

var errTooManyMissing = errors.New("more entries are missing than are held")

func (r Records[V]) contradictions(rd Reader, parts int, report func(string)) error {
	for part := range parts {
		missing := map[string][]byte{} // index and hash of an entry: the record that has it
		err := pages(rd, r.Table, Range{Limit: checkPage}, func(page []Entry) error {
			say := report
			if part > 0 {
				say = func(string) {} // what a record is by itself was said
			}
			keys, values := r.readable(page, say)
			for n, index := range r.Indexes {
				if !index.Unique {
					continue
				}
				if err := r.claimants(rd, index, keys, values, func(entry, key []byte) error {
					hash := sha256.Sum256(entry)
					if int(hash[31])%parts != part {
						return nil
					}
					id := fmt.Sprintf("%d %s", n, hash[:16])
					other := missing[id]
					if missing[id] = key; other != nil {
						report(fmt.Sprintf("%s %x and %x: both have the entry %x of index %s", r.Table, other, key, entry, index.Table))
					}
					if len(missing) > contradictionsHeld && parts < 256 {
						return errTooManyMissing
					}
					return nil
				}, func(entry, key, other []byte) {
					if part == 0 {
						report(fmt.Sprintf("%s %x and %x: both have the entry %x of index %s", r.Table, other, key, entry, index.Table))
					}
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// claimants asks for the entries of a page of records: one that is not there, or is
// no record's, is missing; one of another record that has it too is contested.
func (r Records[V]) claimants(rd Reader, index Index[V], keys [][]byte, values []V, missing func(entry, key []byte) error, contested func(entry, key, other []byte)) error {
	entries, owners := index.entries(keys, values)
	got, err := rd.GetMany(index.Table, entries)
	if err != nil {
		return err
	}
	var others [][]byte
	var at []int
	for i, key := range got {
		switch {
		case key == nil:
			if err := missing(entries[i], owners[i]); err != nil {
				return err
			}
		case bytes.Equal(key, owners[i]):
		case checkKey(r.Table, key) != nil:
			if err := missing(entries[i], owners[i]); err != nil {
				return err
			}
		default:
			others, at = append(others, key), append(at, i)
		}
	}
	held, err := rd.GetMany(r.Table, others)
	if err != nil {
		return err
	}
	for n, value := range held {
		i := at[n]
		v, err := r.decode(others[n], value)
		if value != nil && err == nil && slices.ContainsFunc(index.Keys(v), func(e []byte) bool { return bytes.Equal(e, entries[i]) }) {
			contested(entries[i], owners[i], others[n])
		} else if err := missing(entries[i], owners[i]); err != nil {
			return err
		}
	}
	return nil
}
