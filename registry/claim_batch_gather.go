package registry

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// parallel runs fn for 0 to n-1 on all processors, each worker taking the next few.
func parallel(n int, fn func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i := range n {
			fn(i)
		}
		return
	}
	const few = 8
	var next atomic.Int64
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for {
				end := int(next.Add(few))
				for i := end - few; i < min(end, n); i++ {
					fn(i)
				}
				if end >= n {
					return
				}
			}
		})
	}
	done.Wait()
}

// ahead is a Reader of what was read ahead of many decisions. Several goroutines
// may read from it; what was not read ahead is asked of the store by one of them at
// a time, and remembered. Values are shared: nothing that decides changes them.
type ahead struct {
	values  map[kv.Table]map[string][]byte // nil: known to be absent
	decoded map[kv.Table]map[string]any    // records of those values
	scans   map[scanID]scanned

	mu    sync.Mutex
	below kv.Reader
	later map[kv.Table]map[string][]byte // what nobody expected
}

// scanID names a scan from a key on.
type scanID struct {
	table kv.Table
	from  string
}

type scanned struct {
	rng     kv.Range
	entries []kv.Entry
}

func newAhead(below kv.Reader) *ahead {
	return &ahead{values: map[kv.Table]map[string][]byte{}, decoded: map[kv.Table]map[string]any{}, scans: map[scanID]scanned{}, below: below, later: map[kv.Table]map[string][]byte{}}
}

// load reads keys ahead and returns their values, in order. It is called before
// the goroutines begin.
func (a *ahead) load(t kv.Table, keys [][]byte) ([][]byte, error) {
	known := a.values[t]
	if known == nil {
		known = make(map[string][]byte, len(keys))
		a.values[t] = known
	}
	missing := make([][]byte, 0, len(keys))
	for _, k := range keys {
		if _, ok := known[string(k)]; !ok {
			known[string(k)] = nil
			missing = append(missing, k)
		}
	}
	for len(missing) > 0 {
		n := min(len(missing), warmPage)
		values, err := a.below.GetMany(t, missing[:n])
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
		out[i] = known[string(k)]
	}
	return out, nil
}

// loadRecords is load of records, decoded on all processors. One that cannot be
// decoded is left to who reads it later. Those that are not there are left out.
func loadRecords[V any](a *ahead, table kv.Records[V], keys [][]byte) ([]V, error) {
	values, err := a.load(table.Table, keys)
	if err != nil {
		return nil, err
	}
	known := a.decoded[table.Table]
	if known == nil {
		known = make(map[string]any, len(keys))
		a.decoded[table.Table] = known
	}
	records, ok := make([]V, len(keys)), make([]bool, len(keys))
	first := map[string]int{}
	for i, k := range keys {
		if v, is := known[string(k)].(V); is {
			records[i], ok[i], values[i] = v, true, nil
		} else if _, twice := first[string(k)]; twice {
			values[i] = nil
		} else {
			first[string(k)] = i
		}
	}
	parallel(len(keys), func(i int) {
		if values[i] != nil {
			v, err := table.Decode(keys[i], values[i])
			records[i], ok[i] = v, err == nil
		}
	})
	out := records[:0]
	for i, k := range keys {
		if ok[i] {
			known[string(k)] = records[i]
			out = append(out, records[i])
		}
	}
	return out, nil
}

// Decoded implements kv.Decoder.
func (a *ahead) Decoded(t kv.Table, key []byte) any { return a.decoded[t][string(key)] }

// scan reads a range ahead; entries are what it has when that is known already.
func (a *ahead) scan(t kv.Table, rng kv.Range, known bool, entries []kv.Entry) ([]kv.Entry, error) {
	id := scanID{t, string(rng.From)}
	if s, ok := a.scans[id]; ok {
		return s.entries, nil
	}
	if !known {
		var err error
		if entries, err = a.below.Scan(t, rng); err != nil {
			return nil, err
		}
	}
	a.scans[id] = scanned{rng, entries}
	return entries, nil
}

// Get implements kv.Reader.
func (a *ahead) Get(t kv.Table, key []byte) ([]byte, error) {
	if v, ok := a.values[t][string(key)]; ok {
		return v, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.getLater(t, key)
}

// getLater is Get of what was not read ahead; a.mu is held.
func (a *ahead) getLater(t kv.Table, key []byte) ([]byte, error) {
	if v, ok := a.later[t][string(key)]; ok {
		return v, nil
	}
	v, err := a.below.Get(t, key)
	if err != nil {
		return nil, err
	}
	if a.later[t] == nil {
		a.later[t] = map[string][]byte{}
	}
	a.later[t][string(key)] = v
	return v, nil
}

// GetMany implements kv.Reader.
func (a *ahead) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	out, known := make([][]byte, len(keys)), a.values[t]
	for i, k := range keys {
		v, ok := known[string(k)]
		if !ok {
			a.mu.Lock()
			var err error
			v, err = a.getLater(t, k)
			a.mu.Unlock()
			if err != nil {
				return nil, err
			}
		}
		out[i] = v
	}
	return out, nil
}

// Scan implements kv.Reader.
func (a *ahead) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	if s, ok := a.scans[scanID{t, string(rng.From)}]; ok && s.rng.Limit == rng.Limit && s.rng.Reverse == rng.Reverse && bytes.Equal(s.rng.To, rng.To) {
		return s.entries, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.below.Scan(t, rng)
}

// gathered is what the decision on one row rests on. wrong is why the row cannot be
// decided, when that is not the store's fault.
type gathered struct {
	material
	match    bool
	whole    PersonID // the person as merges have it, whatever id the certificate or document has
	received standards.Date
	wrong    *fail.Error
}

// gather is gatherClaim for a row of a file.
func (g *gathered) gather(r *Registry, rd kv.Reader, by Actor, q claimQuery, today standards.Date, now time.Time) (err error) {
	if g.received, err = q.receivedOn(today); err != nil {
		return err
	}
	if g.material, g.match, err = r.gatherClaim(rd, by, q, g.received, now); err != nil || g.person == (PersonID{}) {
		return err
	}
	ids, err := identities(rd, g.person)
	if err == nil {
		g.whole = ids[0]
	}
	return err
}

// gatherMany is gatherClaim for many requests on one state: what they read is read
// ahead, a table at a time, and each is then gathered as one alone would be, on all
// processors. Rows with problems are passed over.
func (r *Registry) gatherMany(rd kv.Reader, by Actor, rows []batchRow, now time.Time) ([]gathered, error) {
	a := newAhead(rd)
	if err := r.readAhead(a, rows); err != nil {
		return nil, err
	}
	out, errs := make([]gathered, len(rows)), make([]error, len(rows))
	today := standards.DateOf(now)
	parallel(len(rows), func(i int) {
		if len(rows[i].problems) > 0 {
			return
		}
		g := &out[i]
		err := g.gather(r, a, by, rows[i].query, today, now)
		if k := fail.KindOf(err); err != nil && k != fail.Internal && k != fail.Unavailable {
			g.wrong = fail.Of(err)
			err = nil
		}
		errs[i] = err
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readAhead reads what gatherClaim asks of rows: persons, certificates, sealed
// papers, and by person certificates, batches and claims. It decides nothing: what
// it leaves out is only read later.
func (r *Registry) readAhead(a *ahead, rows []batchRow) error {
	people, err := r.peopleAhead(a, rows)
	if err != nil {
		return err
	}
	numbers := make([][]byte, len(rows))
	for i, row := range rows {
		if len(row.problems) == 0 && row.query.number.Text != "" {
			numbers[i] = kv.Key(r.storedNumber(row.query.number))
		}
	}
	if _, err := loadRecords(a, certificates, withoutNil(numbers)); err != nil {
		return err
	}
	if err := r.holdingsAhead(a, people); err != nil {
		return err
	}
	return claimsAhead(a, people)
}

func withoutNil(keys [][]byte) [][]byte {
	out := keys[:0]
	for _, k := range keys {
		if k != nil {
			out = append(out, k)
		}
	}
	return out
}

// peopleAhead finds the persons behind the documents, under every version of the
// index key, the HMACs on all processors.
func (r *Registry) peopleAhead(a *ahead, rows []batchRow) ([]PersonID, error) {
	versions := r.vault.indexVersions()
	keys, errs := make([][]byte, len(rows)*len(versions)), make([]error, len(rows))
	parallel(len(rows), func(i int) {
		if len(rows[i].problems) > 0 {
			return
		}
		d := rows[i].query.document
		for n, v := range versions {
			keys[i*len(versions)+n], errs[i] = r.vault.documentKey(v, string(d.Kind), d.Number)
			if errs[i] != nil {
				return
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	found, err := a.load(tablePersonByDocument, withoutNil(keys))
	if err != nil {
		return nil, err
	}
	var out []PersonID
	seen := map[PersonID]bool{}
	for _, b := range found {
		var p PersonID
		if len(b) == len(p) {
			copy(p[:], b)
			if !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// holdingsAhead reads the certificates of people with their papers and batches.
func (r *Registry) holdingsAhead(a *ahead, people []PersonID) error {
	var keys [][]byte
	for _, p := range people {
		rng := kv.Prefix(kv.Key(p[:]))
		rng.Limit = holdingsMax + 1
		entries, err := a.scan(indexCertificatesByPerson, rng, false, nil)
		if err != nil {
			return err
		}
		for _, e := range entries {
			keys = append(keys, e.Value)
		}
	}
	held, err := loadRecords(a, certificates, keys)
	if err != nil {
		return err
	}
	var papers, issued [][]byte
	batchSeen := map[string]bool{}
	for _, c := range held {
		papers = append(papers, sealedVersion(c.Number, c.Versions).storeKey())
		if c.Batch != "" && !batchSeen[c.Batch] {
			batchSeen[c.Batch] = true
			issued = append(issued, kv.Key(c.Batch))
		}
	}
	if _, err := loadRecords(a, batches, issued); err != nil {
		return err
	}
	_, err = a.load(tableSealed, papers)
	return err
}

// claimsAhead reads the claims of people. Who has no first claim has none.
func claimsAhead(a *ahead, people []PersonID) error {
	keys := make([][]byte, len(people))
	for i, p := range people {
		keys[i] = kv.Key(p[:], uint64(1))
	}
	first, err := a.load(tableClaims, keys)
	if err != nil {
		return err
	}
	for i, p := range people {
		rng := kv.Prefix(kv.Key(p[:]))
		rng.Limit = claimsMax + 1
		if _, err := a.scan(tableClaims, rng, first[i] == nil, nil); err != nil {
			return err
		}
	}
	return nil
}
