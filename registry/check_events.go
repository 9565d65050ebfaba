package registry

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"bajigong/evaluators/examiners"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// events is invariant 17: what the log says of a record is what the record says. It
// goes through the log once, in order, in pages, and reads the records that the
// events of a page name. What a record says otherwise than an event may have been
// changed by a later one, which then says it: so it is kept in mind until a later
// event says the same member again, and is a problem when none does. What is kept in
// mind is bounded: when it is too much the log is gone through once more for the
// other half of the records. That each record was made by an event, and that a list
// which is only added to has as many elements as events have added, is compared by
// sums over the tables (see agreement).
//
// Not compared are members that no event says ([saidByNone]) and records of events
// that were erased; events of the first release say less than those of today.
func (c *check) events() error {
	head, err := auditlog.ReadHead(c.rd)
	if err != nil {
		return err
	}
	c.of(eventTables...)
	c.total += int(min(head.Size, 1<<40))
	e := &eventCheck{c: c, sums: newAgreement(1), halves: []half{{}}}
	if err := e.all(); err != nil {
		return err
	}
	return c.settle(e.sums, func() error {
		again := &eventCheck{c: c.quiet(), sums: e.sums, halves: []half{{}}, sumsOnly: true}
		return again.all()
	}, e.differs)
}

// eventsPage is how many events are read at a time. An event has at most 64 KiB.
const eventsPage = 500

// doubtsMost is how many members of records are kept in mind at a time.
var doubtsMost = 100_000 // a test makes it few

// half names the records with the last bits of their hash in common: all of them
// with no bits.
type half struct {
	bits int
	hash uint64
}

// halfBitsMost ends the halving: then too many records are wrong to name each.
const halfBitsMost = 6

type eventCheck struct {
	c        *check
	sums     *agreement // nil after the first time through the log
	sumsOnly bool
	halves   []half // still to go through; the last is being gone through
	doubts   map[string]map[string]uint64
	doubted  int
	erased   int
	present  map[string]SignIn // signed in, and not met in the log yet
}

// all goes through the log, as often as it takes, and the tables.
func (e *eventCheck) all() error {
	for first := true; len(e.halves) > 0; first = false {
		e.doubts, e.doubted = map[string]map[string]uint64{}, 0
		if err := e.through(first); err != nil {
			return err
		}
		e.report()
		e.halves = e.halves[:len(e.halves)-1] // through may have put others before it
		if first {
			if err := e.tables(); err != nil {
				return err
			}
		}
		if e.sumsOnly {
			return nil
		}
	}
	return nil
}

// through goes through the log once; first adds to the sums.
func (e *eventCheck) through(first bool) error {
	if first {
		if err := e.signedIn(); err != nil {
			return err
		}
		defer e.intruders()
	}
	for from, more := uint64(0), true; more; {
		var page []auditlog.StoredEvent
		var err error
		if page, from, more, err = auditlog.ScanEvents(e.c.base, from, eventsPage); err != nil {
			return err
		}
		said, err := e.read(page)
		if err != nil {
			return err
		}
		for _, s := range said {
			e.erased += map[bool]int{true: 1}[s.erased && first]
			if s.signIn != nil && first {
				e.signed(s.signIn)
			}
			for _, add := range s.sums {
				if first {
					e.sums.add(sideLedger, add.key, add.n)
				}
			}
		}
		if !e.sumsOnly {
			if err := e.hold(said); err != nil {
				return err
			}
		}
		if first {
			e.c.done(len(page))
		}
	}
	return nil
}

// read decodes a page of events and says what they say, side by side.
func (e *eventCheck) read(page []auditlog.StoredEvent) ([]said, error) {
	out := make([]said, len(page))
	shares := (len(page) + checkShare - 1) / checkShare
	err := e.c.side(shares, func(i int, c *check) error {
		for at := i * checkShare; at < min((i+1)*checkShare, len(page)); at++ {
			ev := page[at]
			if ev.Event == nil {
				out[at].erased = true
				continue
			}
			s, err := saidBy(ev.Index, ev.Event)
			if err != nil && !e.sumsOnly {
				c.problem("entry %d of the audit log is no event that can be read", ev.Index)
			}
			out[at] = s
		}
		return nil
	})
	return out, err
}

// hold compares the records of a page with what its events say.
func (e *eventCheck) hold(page []said) error {
	if err := e.find(page); err != nil {
		return err
	}
	if err := e.findTies(page); err != nil {
		return err
	}
	wanted, asked := map[kv.Table][][]byte{}, map[string]bool{}
	for i := range page {
		page[i].records = slices.DeleteFunc(page[i].records, func(r *recordSaid) bool { return !e.now().has(r.name()) })
		for _, r := range page[i].records {
			if name := r.name(); r.key != nil && !asked[name] {
				asked[name] = true
				wanted[r.table] = append(wanted[r.table], r.key)
			}
		}
	}
	tables := slices.Sorted(maps.Keys(wanted))
	read := make([]map[string]any, len(tables))
	err := kv.Gather(e.c.base, len(tables), func(i int, rd kv.Reader) error {
		read[i] = map[string]any{}
		values, err := rd.GetMany(tables[i], wanted[tables[i]])
		for at, value := range values {
			if value != nil {
				// That one cannot be read is for the check of the indexes to say.
				read[i][recordName(tables[i], wanted[tables[i]][at])], _ = jsonOf(value)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	have := map[string]any{}
	for _, some := range read {
		maps.Copy(have, some)
	}
	for _, s := range page {
		for _, r := range s.records {
			e.compare(s.index, r, have[r.name()])
		}
	}
	return nil
}

// find finds the primary keys of records that events name by an id.
func (e *eventCheck) find(page []said) error {
	entries, of := map[kv.Table][][]byte{}, map[kv.Table][]*recordSaid{}
	for _, s := range page {
		for _, r := range s.records {
			if r.index != "" {
				entries[r.index], of[r.index] = append(entries[r.index], r.entry), append(of[r.index], r)
			}
		}
	}
	for _, index := range slices.Sorted(maps.Keys(entries)) {
		keys, err := e.c.base.GetMany(index, entries[index])
		if err != nil {
			return err
		}
		for i, key := range keys {
			of[index][i].key = key
		}
	}
	return nil
}

// findTies finds the ties of the people of cards.
func (e *eventCheck) findTies(page []said) error {
	var cards [][]byte
	var of []*recordSaid
	for _, s := range page {
		for _, r := range s.records {
			if r.card != nil {
				cards, of = append(cards, r.card), append(of, r)
			}
		}
	}
	if len(cards) == 0 {
		return nil
	}
	found, there, err := examinerCards.GetMany(e.c.base, cards)
	for i := range there {
		if there[i] {
			of[i].key = examinerTies.Key(examiners.Ties{Person: found[i].Person})
		}
	}
	return err
}

func (e *eventCheck) now() half { return e.halves[len(e.halves)-1] }

func (h half) has(name string) bool {
	if h.bits == 0 {
		return true
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name))
	return sum.Sum64()&(1<<h.bits-1) == h.hash
}

// halve forgets what is kept in mind of half of the records when it is too much, and
// remembers to go through the log for them too.
func (e *eventCheck) halve() {
	now := e.now()
	if now.bits == halfBitsMost {
		e.c.say("more records are not what the audit log says than are told apart")
		e.doubts, e.doubted = map[string]map[string]uint64{}, 0
		return
	}
	kept := half{now.bits + 1, now.hash}
	e.halves = append(e.halves[:len(e.halves)-1], half{now.bits + 1, now.hash | 1<<now.bits}, kept)
	for name, paths := range e.doubts {
		if !kept.has(name) {
			e.doubted -= len(paths)
			delete(e.doubts, name)
		}
	}
}

// compare holds one record against what one event says of it.
func (e *eventCheck) compare(index uint64, r *recordSaid, have any) {
	name := r.name()
	if have == nil {
		if !r.passing {
			e.doubt(name, wholeRecord, index)
		}
		return
	}
	for _, f := range r.facts {
		e.settled(name, f)
		f.against(have, func(path string) { e.doubt(name, path, index) })
	}
}

// settled: what earlier events said of the same members counts no more.
func (e *eventCheck) settled(name string, f fact) {
	for path := range e.doubts[name] {
		if f.covers(path) {
			delete(e.doubts[name], path)
			e.doubted--
		}
	}
	if len(e.doubts[name]) == 0 {
		delete(e.doubts, name)
	}
}

func (e *eventCheck) doubt(name, path string, index uint64) {
	for e.doubted >= doubtsMost && e.now().has(name) {
		e.halve()
	}
	if !e.now().has(name) {
		return
	}
	if e.doubts[name] == nil {
		e.doubts[name] = map[string]uint64{}
	}
	if _, there := e.doubts[name][path]; !there {
		e.doubted++
	}
	e.doubts[name][path] = index
}

// report says what no later event has said, in the order of the records.
func (e *eventCheck) report() {
	for _, name := range slices.Sorted(maps.Keys(e.doubts)) {
		paths := e.doubts[name]
		for _, path := range slices.Sorted(maps.Keys(paths)) {
			if path == wholeRecord {
				e.c.problem("%s is gone; entry %d of the audit log is about it", plainName(name), paths[path])
				break
			}
			e.c.problem("%s: member %s is not what entry %d of the audit log says", plainName(name), path, paths[path])
		}
	}
}

// differs tells a sum that is not that of the log.
func (e *eventCheck) differs(key string, want, have []int64) {
	if have[0] > want[0] && e.erased > 0 {
		return // by an event that was erased, as far as can be told
	}
	parts := strings.SplitN(key, "\x00", 2)
	e.c.problem("%s: "+parts[0]+": the audit log says %d, the records %d", plainName(parts[1]), want[0], have[0])
}

func recordName(table kv.Table, key []byte) string { return string(table) + "\x00" + string(key) }

// plainName is a record's table and key for people to read. Keys have no personal
// data: ids and numbers.
func plainName(name string) string {
	table, key, _ := strings.Cut(name, "\x00")
	parts, err := kv.ParseKey([]byte(key))
	if err != nil {
		return fmt.Sprintf("%s %x", table, key)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		if b, ok := p.([]byte); ok {
			texts[i] = fmt.Sprintf("%x", b)
		} else {
			texts[i] = fmt.Sprint(p)
		}
	}
	return table + " " + strings.Join(texts, "/")
}
