package registry

import (
	"fmt"
	"sync"

	"bajigong/internal/kv"
)

// keptReader answers what many records ask for (their batch, session, institution)
// from memory: a snapshot does not change, so what was read of it once holds. It
// keeps the last keptBytes, at most twice as much; decoded they take some four times
// that.
type keptReader struct {
	kv.Reader
	kept *keptReads
}

const keptBytes = 4 << 20

type keptReads struct {
	mu       sync.Mutex
	now, old map[string]keptRead
	size     int
}

type keptRead struct {
	raw     []byte // nil: there is no such record
	value   any
	entries []kv.Entry
	size    int
}

// keptTables are the tables whose records others name, with how they are decoded.
var keptTables = map[kv.Table]func(key, raw []byte) (any, error){
	tableBatches: keptAs(&batches), tableSessions: keptAs(&sessions), tableInstitutions: keptAs(&institutions), tableFilings: keptAs(&filings),
	tableNorms: keptAs(&norms), tableLaws: keptAs(&laws), tableCases: keptAs(&caseRecords), tableMassChanges: keptAs(&massChanges),
	tableNationalUploads: keptAs(&nationalUploads), tableTaskLists: keptAs(&taskLists), tableWebhooks: keptAs(&storedWebhooks),
	tableDestructions: keptAs(&destructions), tableOccupations: keptAs(&occupations),
}

// keptScans are the tables in which what belongs to an institution is looked up.
var keptScans = map[kv.Table]bool{indexFilingsByInstitution: true, tableDecisions: true}

// keptAs takes a pointer, since the tables are set up after this map may be.
func keptAs[V any](table *kv.Records[V]) func(key, raw []byte) (any, error) {
	return func(key, raw []byte) (any, error) { return table.Decode(key, raw) }
}

func (k keptReader) Get(t kv.Table, key []byte) ([]byte, error) {
	if keptTables[t] == nil {
		return k.Reader.Get(t, key)
	}
	one, err := k.one(t, key)
	return one.raw, err
}

func (k keptReader) one(t kv.Table, key []byte) (keptRead, error) {
	id := string(t) + "\x00" + string(key)
	if one, ok := k.kept.look(id); ok {
		return one, nil
	}
	raw, err := k.Reader.Get(t, key)
	if err != nil {
		return keptRead{}, err
	}
	one := keptRead{raw: raw}
	if raw != nil {
		// One that cannot be decoded is found again by who asks for it.
		one.value, _ = keptTables[t](key, raw)
	}
	k.kept.keep(id, one, len(raw))
	return one, nil
}

// GetMany asks for those that are not there in one go.
func (k keptReader) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	if keptTables[t] == nil {
		return k.Reader.GetMany(t, keys)
	}
	values := make([][]byte, len(keys))
	var ask [][]byte
	var at []int
	for i, key := range keys {
		one, ok := k.kept.look(string(t) + "\x00" + string(key))
		if values[i] = one.raw; !ok {
			ask, at = append(ask, key), append(at, i)
		}
	}
	got, err := k.Reader.GetMany(t, ask)
	if err != nil {
		return nil, err
	}
	for i, raw := range got {
		one := keptRead{raw: raw}
		if raw != nil {
			one.value, _ = keptTables[t](ask[i], raw)
		}
		k.kept.keep(string(t)+"\x00"+string(ask[i]), one, len(raw))
		values[at[i]] = raw
	}
	return values, nil
}

func (k keptReader) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	if !keptScans[t] {
		return k.Reader.Scan(t, r)
	}
	id := fmt.Sprintf("%s\x01%t%d\x00%q%q", t, r.Reverse, r.Limit, r.From, r.To)
	if one, ok := k.kept.look(id); ok {
		return one.entries, nil
	}
	entries, err := k.Reader.Scan(t, r)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, e := range entries {
		size += len(e.Key) + len(e.Value)
	}
	k.kept.keep(id, keptRead{entries: entries}, size)
	return entries, nil
}

// Decoded implements [kv.Decoder].
func (k keptReader) Decoded(t kv.Table, key []byte) any {
	if keptTables[t] == nil {
		return nil
	}
	one, err := k.one(t, key)
	if err != nil {
		return nil // who asks reads it and meets the error
	}
	return one.value
}

func (k *keptReads) look(id string) (keptRead, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, ok := k.now[id]
	if !ok {
		if one, ok = k.old[id]; ok {
			k.put(id, one)
		}
	}
	return one, ok
}

func (k *keptReads) keep(id string, one keptRead, size int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one.size = size + len(id) + 100
	k.put(id, one)
}

func (k *keptReads) put(id string, one keptRead) {
	if k.now == nil || k.size > keptBytes {
		k.old, k.now, k.size = k.now, map[string]keptRead{}, 0
	}
	k.now[id] = one
	k.size += one.size
}
