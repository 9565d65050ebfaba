package registry_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// calls is an engine that counts the calls of its Readers. On PostgreSQL each is
// a round trip: of the rehearsal of an Update, which is a View, and under the lock
// when the rehearsal did not foresee it.
type calls struct {
	kv.Engine

	mu     sync.Mutex
	tables map[kv.Table]int // by table, with those of Views
	locked int              // within Apply, not foreseen
}

func (c *calls) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables, c.locked = map[kv.Table]int{}, 0
}

func (c *calls) total() (n int) {
	for _, of := range c.tables {
		n += of
	}
	return n
}

// most are the tables with the most calls.
func (c *calls) most() string {
	var out []string
	for _, t := range slices.SortedFunc(maps.Keys(c.tables), func(a, b kv.Table) int { return cmp.Compare(c.tables[b], c.tables[a]) }) {
		out = append(out, fmt.Sprintf("%s %d", t, c.tables[t]))
	}
	return strings.Join(out[:min(len(out), 6)], ", ")
}

func (c *calls) View(ctx context.Context, fn func(kv.Reader) error) error {
	return c.Engine.View(ctx, func(r kv.Reader) error { return fn(&counting{Reader: r, c: c}) })
}

func (c *calls) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	return c.Engine.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
		p, ok := r.(kv.Prefetcher)
		n := &counting{Reader: r, c: c, locked: true}
		if !ok {
			return fn(n)
		}
		return fn(&foreseeing{counting: n, Prefetcher: p})
	})
}

type counting struct {
	kv.Reader
	c      *calls
	locked bool
	known  map[string]bool // foreseen
}

func (n *counting) count(t kv.Table, what ...string) {
	if n.known != nil && !slices.ContainsFunc(what, func(w string) bool { return !n.known[w] }) {
		return
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.c.tables == nil {
		n.c.tables = map[kv.Table]int{}
	}
	n.c.tables[t]++
	if n.locked {
		n.c.locked++
	}
}

func keyRead(t kv.Table, key []byte) string { return fmt.Sprintf("%s %x", t, key) }
func rangeRead(t kv.Table, r kv.Range) string {
	return fmt.Sprintf("%s %x-%x %d %t", t, r.From, r.To, r.Limit, r.Reverse)
}

func (n *counting) Get(t kv.Table, key []byte) ([]byte, error) {
	n.count(t, keyRead(t, key))
	return n.Reader.Get(t, key)
}

func (n *counting) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	var all []string
	for _, key := range keys {
		all = append(all, keyRead(t, key))
	}
	if len(all) > 0 {
		n.count(t, all...)
	}
	return n.Reader.GetMany(t, keys)
}

func (n *counting) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	n.count(t, rangeRead(t, r))
	return n.Reader.Scan(t, r)
}

type foreseeing struct {
	*counting
	kv.Prefetcher
}

func (f *foreseeing) Prefetch(reads []kv.Read) error {
	f.known = map[string]bool{}
	for _, r := range reads {
		if r.Range != nil {
			f.known[rangeRead(r.Table, *r.Range)] = true
		} else {
			f.known[keyRead(r.Table, r.Key)] = true
		}
	}
	return f.Prefetcher.Prefetch(reads)
}

// What a use case reads does not grow with its rows but with its pages: no read
// for each row, since each is a round trip on PostgreSQL. The figures of a run are
// logged; the limits leave some room above them.
func TestRoundTrips(t *testing.T) {
	registrytest.Engines(t, measureRoundTrips)
}

func measureRoundTrips(t *testing.T, open func(testing.TB, string) kv.Engine) {
	const rows = 500
	tap := &calls{}
	e := newMassEnv(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
		tap.Engine = open(t, dir)
		return tap
	}})
	e.Clock.Add(24 * time.Hour)
	c := newCrew(t, 2, e.Env)
	measure := func(what string, limit int, fn func() error) {
		t.Helper()
		tap.reset()
		began := time.Now()
		if err := fn(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%-24s %6s  %4d reads, %d under the lock (%s)", what, time.Since(began).Round(time.Millisecond), tap.total(), tap.locked, tap.most())
		if tap.total() > limit {
			t.Errorf("%s of %d rows takes %d reads, more than %d: %s", what, rows, tap.total(), limit, tap.most())
		}
	}
	by := c.issuer
	s := c.session(10)
	measure("EnterRoster", 40, func() error { return errOf(e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(2000, 2000+rows))) })
	measure("EnterRoster again", 40, func() error { return errOf(e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(2000, 2000+rows))) })
	measure("ArrangeSession", 50, func() error { return errOf(e.ArrangeSession(ctx, by.Actor, s.ID, c.plan(0))) })
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	measure("UploadResults", 30, func() error {
		return errOf(e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(2000, 2000+rows))}))
	})
	measure("StartPublicity", 10, func() (err error) { s, err = e.StartPublicity(ctx, by.Actor, s.ID); return err })
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	measure("Issue", 100, func() error { return errOf(e.Issue(ctx, by.Actor, s.ID, nil)) })
	measure("CountFigures", 30, func() error { return errOf(e.CountFigures(ctx)) })
	e.Clock.Add(time.Hour)
	var m registry.MassChange
	measure("ProposeMassChange", 30, func() (err error) {
		m, err = e.ProposeMassChange(ctx, e.Authority, suspension(registry.MassScope{Session: s.ID}))
		return err
	})
	measure("ApproveMassChange", 30, func() (err error) {
		m, err = e.ApproveMassChange(ctx, e.second, m.ID, m.Preview.Hash)
		return err
	})
	measure("RunMassChange", 40, func() error { return errOf(e.RunMassChange(ctx, e.second, m.ID, nil)) })
	measure("CountFigures", 30, func() error { return errOf(e.CountFigures(ctx)) })
	measure("import", 40, func() error { mustImport(t, e.Env, registry.Operator(), pastFile(rows), false); return nil })
	today := standards.DateOf(e.Clock.Now())
	measure("RecordCreditEvent", 30, func() error { mustCredit(t, e.Env, creditEvent(by.Institution.ID, "award", today)); return nil })
	measure("ScoreOn", 10, func() error { return errOf(e.ScoreOn(ctx, e.Authority, by.Institution.ID, today)) })
}
