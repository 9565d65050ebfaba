package kv

import (
	"bytes"
	"fmt"
	"slices"
)

// checkPage is how many records or entries Check holds at a time.
const checkPage = 500

// Check reports every record that does not read or lies under another key than
// its own, every index entry a record lacks, and every entry that no record has.
// It reads the tables in pages; give it a Snapshot. An error means that the
// check could not be finished.
func (r Records[V]) Check(rd Reader, report func(problem string)) error {
	err := pages(rd, r.Table, Range{Limit: checkPage}, func(page []Entry) error {
		return r.checkRecords(rd, page, report)
	})
	if err != nil {
		return err
	}
	for _, index := range r.Indexes {
		err := pages(rd, index.Table, Range{Limit: checkPage}, func(page []Entry) error {
			return r.checkEntries(rd, index, page, report)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRecords asks from the records' side: is each entry there, and mine?
func (r Records[V]) checkRecords(rd Reader, page []Entry, report func(string)) error {
	var keys [][]byte
	var values []V
	for _, e := range page {
		v, err := r.decode(e.Key, e.Value)
		if err != nil {
			report(err.Error())
			continue
		}
		if own := r.Key(v); !bytes.Equal(own, e.Key) {
			report(fmt.Sprintf("%s %x: the record's own key is %x", r.Table, e.Key, own))
		}
		keys, values = append(keys, e.Key), append(values, v)
	}
	for _, index := range r.Indexes {
		var entries, owners [][]byte
		for i, v := range values {
			for _, entry := range index.Keys(v) {
				entries, owners = append(entries, entry), append(owners, keys[i])
			}
		}
		got, err := rd.GetMany(index.Table, entries)
		if err != nil {
			return err
		}
		for i, key := range got {
			if key == nil {
				report(fmt.Sprintf("%s %x: no entry %x in index %s", r.Table, owners[i], entries[i], index.Table))
			} else if !bytes.Equal(key, owners[i]) {
				report(fmt.Sprintf("%s %x: entry %x in index %s is of %x", r.Table, owners[i], entries[i], index.Table, key))
			}
		}
	}
	return nil
}

// checkEntries asks from the entries' side: is there a record that has this entry?
func (r Records[V]) checkEntries(rd Reader, index Index[V], page []Entry, report func(string)) error {
	var entries, keys [][]byte
	for _, e := range page {
		if err := checkKey(r.Table, e.Value); err != nil {
			report(fmt.Sprintf("index %s: entry %x: %v", index.Table, e.Key, err))
			continue
		}
		entries, keys = append(entries, e.Key), append(keys, e.Value)
	}
	values, err := rd.GetMany(r.Table, keys)
	if err != nil {
		return err
	}
	for i, value := range values {
		if value == nil {
			report(fmt.Sprintf("index %s: entry %x points to no record in %s: %x", index.Table, entries[i], r.Table, keys[i]))
			continue
		}
		v, err := r.decode(keys[i], value)
		if err != nil {
			continue // reported from the record's side
		}
		has := func(key []byte) bool { return bytes.Equal(key, entries[i]) }
		if !slices.ContainsFunc(index.Keys(v), has) {
			report(fmt.Sprintf("index %s: entry %x is not of record %s %x", index.Table, entries[i], r.Table, keys[i]))
		}
	}
	return nil
}
