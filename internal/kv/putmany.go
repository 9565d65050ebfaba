package kv

import "bytes"

// PutMany is Put for each of vs in order, with the reads of all of them done at
// once: one for the records and one for each unique index, instead of so many for
// each record. It may name one key more than once; the last stays.
func (r Records[V]) PutMany(tx Tx, vs []V) error {
	if len(vs) == 0 {
		return nil
	}
	seen := &foreseen{Tx: tx, values: map[Table]map[string][]byte{}}
	keys := make([][]byte, len(vs))
	for i, v := range vs {
		keys[i] = r.Key(v)
	}
	if len(r.Indexes) > 0 {
		if err := seen.foresee(r.Table, keys); err != nil {
			return err
		}
	}
	for _, index := range r.Indexes {
		if !index.Unique {
			continue
		}
		var entries [][]byte
		for _, v := range vs {
			entries = append(entries, index.Keys(v)...)
		}
		if err := seen.foresee(index.Table, entries); err != nil {
			return err
		}
	}
	for _, v := range vs {
		if err := r.Put(seen, v); err != nil {
			return err
		}
	}
	return nil
}

// foreseen is a Tx that knows the values of some keys, also as it changes them.
type foreseen struct {
	Tx
	values map[Table]map[string][]byte
}

func (f *foreseen) foresee(t Table, keys [][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	values, err := f.Tx.GetMany(t, keys)
	if err != nil {
		return err
	}
	f.values[t] = make(map[string][]byte, len(keys))
	for i, key := range keys {
		f.values[t][string(key)] = values[i]
	}
	return nil
}

func (f *foreseen) Get(t Table, key []byte) ([]byte, error) {
	if value, ok := f.values[t][string(key)]; ok {
		return bytes.Clone(value), nil
	}
	return f.Tx.Get(t, key)
}

func (f *foreseen) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	out := make([][]byte, len(keys))
	for i, key := range keys {
		value, ok := f.values[t][string(key)]
		if !ok {
			return f.Tx.GetMany(t, keys)
		}
		out[i] = bytes.Clone(value)
	}
	return out, nil
}

func (f *foreseen) Put(t Table, key, value []byte) {
	f.Tx.Put(t, key, value)
	f.note(t, key, append([]byte{}, value...)) // never nil
}

func (f *foreseen) Delete(t Table, key []byte) {
	f.Tx.Delete(t, key)
	f.note(t, key, nil)
}

func (f *foreseen) note(t Table, key, value []byte) {
	if _, ok := f.values[t][string(key)]; ok {
		f.values[t][string(key)] = value
	}
}
