package registry

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/kv"
)

// A counter gives out what is given once: the next claim of a person, the next
// decision on an institution, the next place in the status lists. One that fell back
// would give the same again, and a new record would take the place of an old one. A
// counter that runs ahead of its records says that the newest of them are gone.
//
// Serials of certificates have no part in this: one that is taken is stepped over,
// whatever the counter says, and one that was given back stays unused.

// counted is a table whose records were numbered by counters.
type counted interface {
	of() string // the table
	// check reports counters that stand at or before a number which is in use.
	check(c *check) error
	// repair lifts those of one page of records behind it.
	repair(tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error)
}

// countedBy numbers records by the counter under key: n is the number in use. A nil
// key is for a record that has none.
type countedBy[V any] struct {
	records kv.Records[V]
	number  func(V) (key []byte, n uint64)
}

// countedTables are all whose counters follow from their records, but those of the
// credit ledger and of the feeds, which parts of their own see to.
var countedTables = []counted{
	countedBy[evaluators.Decision]{decisions, func(d evaluators.Decision) ([]byte, uint64) {
		return counterDecisions(d.Institution), leadingNumber("d-", d.ID)
	}},
	countedBy[credit.Assessment]{stars, func(a credit.Assessment) ([]byte, uint64) {
		return counterStars(a.Institution), leadingNumber("st-", a.ID)
	}},
	countedBy[NationalUpload]{nationalUploads, func(u NationalUpload) ([]byte, uint64) {
		year, n, ok := strings.Cut(u.Number, "-")
		y, err1 := strconv.Atoi(year)
		in, err2 := strconv.ParseUint(n, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return nil, 0
		}
		return counterNational(u.Institution, y), in
	}},
	countedBy[Session]{sessions, func(s Session) ([]byte, uint64) {
		n := 0
		if s.Results != nil {
			n = s.Results.Generation
		}
		if s.Roster != nil {
			n = max(n, s.Roster.Generation)
		}
		return counterGeneration(s.ID), uint64(n)
	}},
	countedBy[relianceDue]{relianceDues, func(d relianceDue) ([]byte, uint64) { return counterRelianceDue(), d.N }},
}

// placeTaken says whether a version has the nth place of the status lists. They are
// given one after another, so that the counter is behind if its own is taken.
func (r *Registry) placeTaken(rd kv.Reader, n uint64) (bool, error) {
	list, index := credentials.StatusPermutation(r.cfg.Keys.Permutation(), n)
	b, err := rd.Get(indexVersionsByStatusIndex, kv.Key(uint64(list)*credentials.StatusListBits+uint64(index)))
	return b != nil, err
}

func (c *check) places() error {
	n, err := counter(c.base, counterStatus(), 0)
	if err != nil {
		return err
	}
	if taken, err := c.r.placeTaken(c.base, n); err != nil || taken {
		c.problem("counter %s stands at %d, and that place of the status lists is in use", nameOfCounter(counterStatus()), n)
		return err
	}
	if n == 0 {
		return nil
	}
	taken, err := c.r.placeTaken(c.base, n-1)
	if err == nil && !taken {
		c.problem("counter %s has given %d places of the status lists, and no version has the last", nameOfCounter(counterStatus()), n)
	}
	return err
}

// places lifts the counter of the status lists behind all that are in use.
func (p *repairer) places() error {
	n, err := counter(p.snap.base, counterStatus(), 0)
	if err != nil {
		return err
	}
	if taken, err := p.r.placeTaken(p.snap.base, n); err != nil || !taken {
		return err
	}
	given := uint64(0)
	if err := kv.Each(p.snap.base, indexVersionsByStatusIndex, kv.Range{}, func(kv.Entry) error { given++; return nil }); err != nil {
		return err
	}
	return p.update(func(tx kv.Tx) (done kv.Repaired, err error) {
		now, err := counter(tx, counterStatus(), 0)
		if err != nil {
			return done, err
		}
		next := max(now, given)
		for taken := true; taken && err == nil; {
			if taken, err = p.r.placeTaken(tx, next); taken {
				next++
			}
		}
		if err == nil && next != now {
			setCounter(tx, counterStatus(), next)
			done.Written++
		}
		return done, err
	}, nil)
}

// leadingNumber is that of an id which leads with its count, 0 for another id.
func leadingNumber(prefix, id string) uint64 {
	text, _, _ := strings.Cut(strings.TrimPrefix(id, prefix), "-")
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (t countedBy[V]) of() string { return string(t.records.Table) }

// floors are the counters of a page with the least at which each may stand.
func (t countedBy[V]) floors(page []V) (keys [][]byte, least []uint64) {
	at := map[string]int{}
	for _, v := range page {
		key, n := t.number(v)
		if key == nil || n == 0 {
			continue
		}
		i, seen := at[string(key)]
		if !seen {
			i = len(keys)
			at[string(key)], keys, least = i, append(keys, key), append(least, 0)
		}
		least[i] = max(least[i], n+1)
	}
	return keys, least
}

func (t countedBy[V]) check(c *check) error {
	return eachPage(c, t.records, pageMax, func(page []V) error {
		keys, least := t.floors(page)
		stand, err := c.base.GetMany(tableCounters, keys)
		if err != nil {
			return err
		}
		for i, b := range stand {
			if n := counterIn(b); n < least[i] {
				c.problem("counter %s stands at %d, and %d of %s is in use", nameOfCounter(keys[i]), n, least[i]-1, t.records.Table)
			}
		}
		return nil
	})
}

func (t countedBy[V]) repair(tx kv.Tx, cursor []byte) (next []byte, done kv.Repaired, err error) {
	page, next, err := t.records.Scan(tx, kv.Range{From: cursor, Limit: bulkPage})
	if err != nil {
		return nil, done, err
	}
	keys, least := t.floors(page)
	stand, err := tx.GetMany(tableCounters, keys)
	if err != nil {
		return nil, done, err
	}
	for i, b := range stand {
		if counterIn(b) < least[i] {
			setCounter(tx, keys[i], least[i])
			done.Written++
		}
	}
	return next, done, nil
}

// counterIn is the stored value of a counter, 0 for none.
func counterIn(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func nameOfCounter(key []byte) string {
	parts, err := kv.ParseKey(key)
	if err != nil {
		return fmt.Sprintf("%x", key)
	}
	for i, p := range parts {
		if b, ok := p.([]byte); ok {
			parts[i] = fmt.Sprintf("%x", b)
		}
	}
	return strings.Trim(fmt.Sprint(parts), "[]")
}

// counters: none is behind what it has given, and those that count every record are
// not ahead of them.
func (c *check) counters() error {
	c.of(tableDecisions, tableStars, tableNationalUploads, tableSessions, tableRelianceDue)
	for _, t := range countedTables {
		if err := t.check(c); err != nil {
			return err
		}
	}
	if err := c.places(); err != nil {
		return err
	}
	return c.eachEntry(tableCounters, pageMax, func(page []kv.Entry) error {
		var feeds [][]byte
		var payers []kv.Entry
		for _, e := range page {
			parts, err := kv.ParseKey(e.Key)
			if err != nil || len(parts) == 0 || len(e.Value) != 8 {
				c.problem("counter %x cannot be read", e.Key)
				continue
			}
			last := counterIn(e.Value) - 1
			if last == 0 || len(parts) < 2 {
				continue // has given nothing
			}
			switch parts[0] {
			case "reliance":
				if p, ok := parts[1].(string); ok {
					feeds, payers = append(feeds, kv.Key(p, last)), append(payers, e)
				}
			case "decisions":
				err = c.newest(tableDecisions, parts[1], "d-", last, e.Key)
			case "stars":
				err = c.newest(tableStars, parts[1], "st-", last, e.Key)
			}
			if err != nil {
				return err
			}
		}
		return c.newestThere(tableReliance, feeds, payers)
	})
}

// newestThere: the record with the last number that each counter gave is there.
func (c *check) newestThere(t kv.Table, keys [][]byte, counters []kv.Entry) error {
	found, err := c.base.GetMany(t, keys)
	for i := range found {
		if found[i] == nil {
			c.problem("counter %s has given %d, and %s has no such record", nameOfCounter(counters[i].Key), counterIn(counters[i].Value)-1, t)
		}
	}
	return err
}

// newest does so for records whose id leads with the number.
func (c *check) newest(t kv.Table, owner any, prefix string, last uint64, counter []byte) error {
	id, ok := owner.(string)
	if !ok {
		return nil
	}
	rng := kv.Prefix(kv.Key(id))
	rng.Limit, rng.Reverse = 1, true
	entries, err := c.base.Scan(t, rng)
	if err != nil {
		return err
	}
	there := uint64(0)
	if len(entries) == 1 {
		if parts, err := kv.ParseKey(entries[0].Key); err == nil && len(parts) == 2 {
			own, _ := parts[1].(string)
			there = leadingNumber(prefix, own)
		}
	}
	if there < last {
		c.problem("counter %s has given %d, and %s has no such record", nameOfCounter(counter), last, t)
	}
	return nil
}

// liftCounters are the stages of a repair that lift counters behind what is in use.
// They never lower one: that would hide that records are gone, and give their
// numbers again.
func liftCounters() (stages []repairStage) {
	for _, t := range countedTables {
		stages = append(stages, repairStage{name: "counters of " + t.of(), page: func(_ *Registry, tx kv.Tx, cursor []byte) ([]byte, kv.Repaired, error) {
			return t.repair(tx, cursor)
		}})
	}
	return stages
}
