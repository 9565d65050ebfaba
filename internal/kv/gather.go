package kv

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Gather runs fn for 0 to n−1 side by side over one Reader, which alone is for one
// goroutine: each run has a Reader of its own over it. What is written record by
// record then costs few round trips and uses every processor.
//
// Over an engine for which each read is a round trip, all runs go on until each
// has ended or wants to read; then all of these reads are made in one round trip.
// So n records cost as many round trips as the longest chain of reads that depend on
// one another, and a thing that many ask for is asked once. Over another engine as
// many runs as there are processors go on at once, and reads follow one another.
//
// Gather returns when every run has ended, with the error of the lowest i. Inside a
// run, a Gather over the run's Reader runs one after another. n is at most a few
// hundred: everything that is read at a time is held at a time.
func Gather(rd Reader, n int, fn func(i int, rd Reader) error) error {
	errs := make([]error, n)
	fetch, far := rd.(farReader)
	if c, ok := rd.(checked); ok {
		fetch, far = c.below.(farReader)
	}
	switch _, inside := rd.(*gathered); {
	case inside, n == 1, !far && runtime.GOMAXPROCS(0) == 1:
		for i := range n {
			if errs[i] = fn(i, rd); errs[i] != nil {
				return errs[i]
			}
		}
	case far:
		g := &gathering{below: rd, fetch: fetch, running: n}
		g.run(n, n, errs, fn)
	default:
		g := &gathering{below: rd}
		g.run(n, min(n, runtime.GOMAXPROCS(0)), errs, fn)
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A farReader is a Prefetcher that can drop what it has brought, so that it may be
// used again and again over a snapshot.
type farReader interface {
	Prefetcher
	Forget()
}

// gathering is one call of Gather.
type gathering struct {
	mu      sync.Mutex
	below   Reader
	fetch   farReader // nil: reads are made at once, one after another
	running int       // runs that neither wait nor have ended
	waiting []*gatheredRead
}

type gatheredRead struct {
	reads []Read
	do    func(Reader) error
	err   error
	done  chan struct{}
}

func (g *gathering) run(n, workers int, errs []error, fn func(int, Reader) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	var panicked atomic.Pointer[any]
	for range workers {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				func() {
					defer g.end()
					defer func() {
						if p := recover(); p != nil {
							panicked.CompareAndSwap(nil, &p)
						}
					}()
					errs[i] = fn(i, &gathered{g})
				}()
			}
		}()
	}
	all.Wait()
	if p := panicked.Load(); p != nil {
		panic(*p) // in the caller's goroutine, where it can be met
	}
}

// end says that a run has ended.
func (g *gathering) end() {
	if g.fetch == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.round()
}

// round makes the reads of all that wait once nobody runs any more.
func (g *gathering) round() {
	if g.running > 0 || len(g.waiting) == 0 {
		return
	}
	var reads []Read
	seen := map[string]bool{}
	for _, w := range g.waiting {
		for _, read := range w.reads {
			if id := read.id(); !seen[id] {
				seen[id] = true
				reads = append(reads, read)
			}
		}
	}
	err := g.fetch.Prefetch(reads)
	for _, w := range g.waiting {
		if w.err = err; err == nil {
			w.err = w.do(g.below)
		}
	}
	g.fetch.Forget()
	g.running = len(g.waiting)
	for _, w := range g.waiting {
		close(w.done)
	}
	g.waiting = nil
}

func (g *gathering) read(do func(Reader) error, reads func() []Read) error {
	g.mu.Lock()
	if g.fetch == nil {
		defer g.mu.Unlock()
		return do(g.below)
	}
	w := &gatheredRead{reads: reads(), do: do, done: make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.running--
	g.round()
	g.mu.Unlock()
	<-w.done
	return w.err
}

// gathered is the Reader of one run.
type gathered struct{ g *gathering }

func (r *gathered) Get(t Table, key []byte) (value []byte, err error) {
	if err := checkKey(t, key); err != nil {
		return nil, err
	}
	err = r.g.read(func(rd Reader) (err error) { value, err = rd.Get(t, key); return err },
		func() []Read { return []Read{{Table: t, Key: key}} })
	return value, err
}

func (r *gathered) GetMany(t Table, keys [][]byte) (values [][]byte, err error) {
	if err := checkKeys(t, keys); err != nil || len(keys) == 0 {
		return nil, err
	}
	err = r.g.read(func(rd Reader) (err error) { values, err = rd.GetMany(t, keys); return err },
		func() []Read {
			reads := make([]Read, len(keys))
			for i, key := range keys {
				reads[i] = Read{Table: t, Key: key}
			}
			return reads
		})
	return values, err
}

func (r *gathered) Scan(t Table, rng Range) (entries []Entry, err error) {
	if err := checkRange(t, rng); err != nil {
		return nil, err
	}
	err = r.g.read(func(rd Reader) (err error) { entries, err = rd.Scan(t, rng); return err },
		func() []Read {
			at := rng
			at.From, at.To = bytes.Clone(rng.From), bytes.Clone(rng.To)
			return []Read{{Table: t, Range: &at}}
		})
	return entries, err
}

// Watch gives a Reader over rd whose reads fail once ctx has ended, also on an engine
// that does not look at it, and which tells scanned, when not nil, how many entries
// of which table a Scan has read. scanned may be called from several goroutines, never
// at the same time.
func Watch(ctx context.Context, rd Reader, scanned func(t Table, entries int)) Reader {
	if scanned == nil {
		scanned = func(Table, int) {}
	}
	w := watched{ctx, rd, scanned}
	far, ok := rd.(farReader)
	if c, is := rd.(checked); is {
		far, ok = c.below.(farReader)
	}
	if ok {
		return watchedFar{w, far}
	}
	return w
}

type watched struct {
	ctx     context.Context
	below   Reader
	scanned func(Table, int)
}

type watchedFar struct {
	watched
	farReader
}

func (w watched) Get(t Table, key []byte) ([]byte, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	return w.below.Get(t, key)
}

func (w watched) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	return w.below.GetMany(t, keys)
}

func (w watched) Scan(t Table, r Range) ([]Entry, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := w.below.Scan(t, r)
	if err == nil {
		w.scanned(t, len(entries))
	}
	return entries, err
}
