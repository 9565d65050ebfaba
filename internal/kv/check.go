package kv

import (
	"bytes"
	"fmt"
	"slices"
)

// Pages of Check and Repair: records or entries held at a time, and the part of
// them that one goroutine takes.
const (
	checkPage  = 500
	checkShare = 64
)

// Check reports every record that does not read or lies under another key than
// its own, every index entry a record lacks, and every entry that no record has.
// It reads the tables in pages, each record once while all is well; give it a
// Snapshot. An error means that the check could not be finished.
func (r Records[V]) Check(rd Reader, report func(problem string)) error {
	owned := make([]int, len(r.Indexes)) // entries that are there and their record's
	err := pages(rd, r.Table, Range{Limit: checkPage}, func(page []Entry) error {
		return inShares(rd, page, report, func(rd Reader, share []Entry, report func(string)) ([]int, error) {
			return r.checkRecords(rd, share, report)
		}, func(n []int) {
			for i := range n {
				owned[i] += n[i]
			}
		})
	})
	if err != nil {
		return err
	}
	for i, index := range r.Indexes {
		if err := r.checkIndex(rd, index, owned[i], report); err != nil {
			return err
		}
	}
	return nil
}

// checkIndex looks for entries that no record has. As many entries as were found
// from the records' side are all accounted for, since an entry has one record.
func (r Records[V]) checkIndex(rd Reader, index Index[V], owned int, report func(string)) error {
	there := 0
	err := pages(rd, index.Table, Range{Limit: checkPage}, func(page []Entry) error { there += len(page); return nil })
	if err != nil || there == owned {
		return err
	}
	return pages(rd, index.Table, Range{Limit: checkPage}, func(page []Entry) error {
		return inShares(rd, page, report, func(rd Reader, share []Entry, report func(string)) (struct{}, error) {
			_, err := r.strayEntries(rd, index, share, report)
			return struct{}{}, err
		}, func(struct{}) {})
	})
}

// inShares runs fn on shares of a page side by side; what they report and answer
// comes in the order of the page.
func inShares[T any](rd Reader, page []Entry, report func(string), fn func(Reader, []Entry, func(string)) (T, error), take func(T)) error {
	shares := slices.Collect(slices.Chunk(page, checkShare))
	answers, problems := make([]T, len(shares)), make([][]string, len(shares))
	err := Gather(rd, len(shares), func(i int, rd Reader) (err error) {
		answers[i], err = fn(rd, shares[i], func(problem string) { problems[i] = append(problems[i], problem) })
		return err
	})
	if err != nil {
		return err
	}
	for i := range shares {
		for _, problem := range problems[i] {
			report(problem)
		}
		take(answers[i])
	}
	return nil
}

// checkRecords asks from the records' side: is each entry there, and mine? It
// counts those that are, for each index.
func (r Records[V]) checkRecords(rd Reader, page []Entry, report func(string)) (owned []int, err error) {
	keys, values := r.readable(page, report)
	owned = make([]int, len(r.Indexes))
	for n, index := range r.Indexes {
		entries, owners := index.entries(keys, values)
		got, err := rd.GetMany(index.Table, entries)
		if err != nil {
			return nil, err
		}
		for i, key := range got {
			switch {
			case key == nil:
				report(fmt.Sprintf("%s %x: no entry %x in index %s", r.Table, owners[i], entries[i], index.Table))
			case !bytes.Equal(key, owners[i]):
				report(fmt.Sprintf("%s %x: entry %x in index %s is of %x", r.Table, owners[i], entries[i], index.Table, key))
			default:
				owned[n]++
			}
		}
	}
	return owned, nil
}

// readable are the records of a page with their keys; those that cannot be read,
// or lie elsewhere than they say, are reported and left out of the indexes.
func (r Records[V]) readable(page []Entry, report func(string)) (keys [][]byte, values []V) {
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
	return keys, values
}

// entries are the entry keys of records, each once, with the keys of the records.
func (x Index[V]) entries(keys [][]byte, values []V) (entries, owners [][]byte) {
	for i, v := range values {
		own := x.Keys(v)
		for n, entry := range own {
			if !slices.ContainsFunc(own[:n], func(e []byte) bool { return bytes.Equal(e, entry) }) {
				entries, owners = append(entries, entry), append(owners, keys[i])
			}
		}
	}
	return entries, owners
}

// strayEntries asks from the entries' side: is there a record that has this entry?
// It reports and answers those for which there is none.
func (r Records[V]) strayEntries(rd Reader, index Index[V], page []Entry, report func(string)) (stray [][]byte, err error) {
	var entries, keys [][]byte
	for _, e := range page {
		if err := checkKey(r.Table, e.Value); err != nil {
			report(fmt.Sprintf("index %s: entry %x: %v", index.Table, e.Key, err))
			stray = append(stray, e.Key)
			continue
		}
		entries, keys = append(entries, e.Key), append(keys, e.Value)
	}
	values, err := rd.GetMany(r.Table, keys)
	if err != nil {
		return nil, err
	}
	for i, value := range values {
		if value == nil {
			report(fmt.Sprintf("index %s: entry %x points to no record in %s: %x", index.Table, entries[i], r.Table, keys[i]))
			stray = append(stray, entries[i])
			continue
		}
		v, err := r.decode(keys[i], value)
		if err != nil {
			continue // reported from the record's side
		}
		has := func(key []byte) bool { return bytes.Equal(key, entries[i]) }
		if !slices.ContainsFunc(index.Keys(v), has) {
			report(fmt.Sprintf("index %s: entry %x is not of record %s %x", index.Table, entries[i], r.Table, keys[i]))
			stray = append(stray, entries[i])
		}
	}
	return stray, nil
}

// RecordTable is the table of the records.
func (r Records[V]) RecordTable() Table { return r.Table }

// IndexTables are the tables of their indexes.
func (r Records[V]) IndexTables() (out []Table) {
	for _, index := range r.Indexes {
		out = append(out, index.Table)
	}
	return out
}
