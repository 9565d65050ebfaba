package registry

import (
	"bytes"

	"bajigong/internal/kv"
)

// warm is a Reader that remembers what it has read. Many verdicts on one state
// ask for the same institutions and filings again and again; what each needs for
// itself is read ahead in few requests, see load.
type warm struct {
	kv.Reader
	values map[kv.Table]map[string][]byte // nil: known to be absent
	scans  map[string][]kv.Entry
}

func newWarm(rd kv.Reader) *warm {
	return &warm{Reader: rd, values: map[kv.Table]map[string][]byte{}, scans: map[string][]kv.Entry{}}
}

// warmPage is how many keys are read in one request.
const warmPage = 1000

// load reads keys ahead and returns their values, in order.
func (w *warm) load(t kv.Table, keys [][]byte) ([][]byte, error) {
	known := w.values[t]
	if known == nil {
		known = map[string][]byte{}
		w.values[t] = known
	}
	var missing [][]byte
	for _, k := range keys {
		if _, ok := known[string(k)]; !ok {
			known[string(k)] = nil
			missing = append(missing, k)
		}
	}
	for len(missing) > 0 {
		n := min(len(missing), warmPage)
		values, err := w.Reader.GetMany(t, missing[:n])
		if err != nil {
			return nil, err
		}
		for i, k := range missing[:n] {
			known[string(k)] = values[i]
		}
		missing = missing[n:]
	}
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = bytes.Clone(known[string(k)])
	}
	return out, nil
}

// Get implements kv.Reader.
func (w *warm) Get(t kv.Table, key []byte) ([]byte, error) {
	out, err := w.load(t, [][]byte{key})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// GetMany implements kv.Reader.
func (w *warm) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) { return w.load(t, keys) }

// Scan implements kv.Reader.
func (w *warm) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	reverse := uint64(0)
	if r.Reverse {
		reverse = 1
	}
	id := string(kv.Key(string(t), r.From, r.To, uint64(r.Limit), reverse))
	if got, ok := w.scans[id]; ok {
		return got, nil
	}
	got, err := w.Reader.Scan(t, r)
	if err == nil {
		w.scans[id] = got
	}
	return got, err
}
