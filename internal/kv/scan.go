package kv

import "bytes"

// After is what remains of r when the entry with this key was the last one read.
func (r Range) After(key []byte) Range {
	if r.Reverse {
		r.To = key
	} else {
		r.From = append(bytes.Clone(key), 0)
	}
	return r
}

// Each calls fn for every entry of rng, in order. It reads pages of rng.Limit
// entries (1000 when it is 0) one after another. An error of fn ends it and is
// returned.
func Each(rd Reader, t Table, rng Range, fn func(Entry) error) error {
	return pages(rd, t, rng, func(page []Entry) error {
		for _, e := range page {
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func pages(rd Reader, t Table, rng Range, fn func([]Entry) error) error {
	if rng.Limit == 0 {
		rng.Limit = 1000
	}
	for {
		page, err := rd.Scan(t, rng)
		if err != nil {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		if len(page) < rng.Limit {
			return nil
		}
		rng = rng.After(page[len(page)-1].Key)
	}
}
