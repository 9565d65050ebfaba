package registry

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bajigong/evaluators/figures"
	"bajigong/internal/kv"
)

// figureCheck counts the ledger anew, person by person, as a naive reader of all
// certificates would, and compares it with what is kept.
type figureCheck struct {
	*check
	sums   *agreement
	people int // entries of figure_people that should be there
	absent int // of these, that are not
	// wrong, when not nil, is told of facts that are not those of their person.
	wrong func(key []byte) error
	// sumsOnly leaves out the facts.
	sumsOnly bool
}

// statistics: the kept figures are those of the ledger, but for what still waits
// to be counted.
func (c *check) statistics() error {
	c.of(indexCertificatesByPerson)
	f := &figureCheck{check: c, sums: newAgreement(5)}
	err := kv.Each(c.base, tableFigureDue, kv.Range{}, func(e kv.Entry) error {
		if _, err := parseDue(e); err != nil {
			f.problem("%v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.all(); err != nil {
		return err
	}
	kept, err := f.keptPeople()
	if err != nil {
		return err
	}
	if kept != f.people-f.absent {
		f.problem("statistics: facts are kept of %d persons and years and should be of %d", kept, f.people-f.absent)
	}
	again := func() error { return (&figureCheck{check: c.quiet(), sums: f.sums, sumsOnly: true}).all() }
	return c.settle(f.sums, again, func(id string, want, have []int64) {
		table, key, _ := strings.Cut(id, "\x00")
		f.problem("statistics: %s %s is %v and should be %v (issued, people, voided, cancelled, voided since)", table, keyText([]byte(key)), have, want)
	})
}

func (f *figureCheck) keptPeople() (n int, err error) {
	err = kv.Each(f.base, tableFigurePeople, kv.Range{}, func(kv.Entry) error { n++; return nil })
	return n, err
}

// all adds up the ledger and what is kept.
func (f *figureCheck) all() error {
	var last []Certificate // of the person with whom a page ends
	for rng := (kv.Range{Limit: pageMax}); ; {
		entries, err := f.base.Scan(indexCertificatesByPerson, rng)
		if err != nil {
			return err
		}
		page, err := f.certificatesOf(entries)
		if err != nil {
			return err
		}
		var persons [][]Certificate
		for _, one := range page {
			if len(last) > 0 && last[0].Person != one.Person {
				persons, last = append(persons, last), nil
			}
			last = append(last, one)
		}
		end := len(entries) < rng.Limit
		if end && len(last) > 0 {
			persons = append(persons, last)
		}
		if err := f.persons(persons); err != nil {
			return err
		}
		f.done(len(entries))
		if end {
			return f.kept()
		}
		rng = rng.After(entries[len(entries)-1].Key)
	}
}

// certificatesOf reads the certificates of a page of the index, those that are there.
func (f *figureCheck) certificatesOf(entries []kv.Entry) ([]Certificate, error) {
	shares := slices.Collect(slices.Chunk(entries, checkShare))
	read := make([][]Certificate, len(shares))
	err := f.side(len(shares), func(i int, c *check) error {
		keys := make([][]byte, len(shares[i]))
		for n, e := range shares[i] {
			keys[n] = e.Value
		}
		cs, ok, err := certificates.GetMany(c.rd, keys)
		for n := range cs {
			if ok[n] {
				read[i] = append(read[i], cs[n])
			}
		}
		return err
	})
	return slices.Concat(read...), err
}

// personFacts is what should be kept of a person and a year.
type personFacts struct {
	key   []byte
	facts []figures.Fact
}

// persons counts some persons, each with all certificates.
func (f *figureCheck) persons(all [][]Certificate) error {
	counted := make([][]bool, len(all))   // whose turn has come
	changes := make([][][]bool, len(all)) // changes that were counted
	err := f.side(len(all), func(i int, c *check) (err error) {
		counted[i], changes[i], err = c.turns(all[i])
		return err
	})
	if err != nil {
		return err
	}
	page := newFigurePage()
	var want []personFacts
	for i, cs := range all {
		had := map[int][]figures.Fact{}
		for n, one := range cs {
			for x, done := range changes[i][n] {
				if !done {
					continue
				}
				if err := page.change(one, x+1); err != nil {
					return err
				}
			}
			if counted[i][n] {
				year := one.Issued.Year()
				had[year] = page.tally.Issue(factOf(one), had[year])
				page.issuer(one, year, figures.Count{Issued: 1})
			}
		}
		for year, facts := range had {
			want = append(want, personFacts{figurePerson(year, cs[0].Person), facts})
		}
	}
	for table, counts := range page.kept() {
		for key, n := range counts {
			f.add(sideLedger, table, []byte(key), n)
		}
	}
	f.people += len(want)
	if f.sumsOnly {
		return nil
	}
	return f.facts(want)
}

// turns says which certificates of a person are public and have been counted, and
// which of their changes.
func (c *check) turns(cs []Certificate) (counted []bool, changes [][]bool, err error) {
	var keys [][]byte
	for _, one := range cs {
		if one.Origin != OriginHere {
			keys = append(keys, dueCertificate(one.Number))
		} else {
			keys = append(keys, dueBatch(one.Batch))
		}
		for n := range one.Changes {
			keys = append(keys, dueChange(one.Number, n+1))
		}
	}
	due, err := c.rd.GetMany(tableFigureDue, keys)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range cs {
		waits := due[0]
		due = due[1:]
		ready := waits == nil
		if one.Origin == OriginHere {
			b, ok, err := batches.Get(c.rd, kv.Key(one.Batch))
			if err != nil {
				return nil, nil, err
			}
			row := 0
			if len(waits) == 8 {
				row = int(binary.BigEndian.Uint64(waits))
			}
			ready = ok && b.State == BatchPublished && (waits == nil || one.Row <= row)
		}
		counted = append(counted, ready)
		own := make([]bool, len(one.Changes))
		for n := range own {
			own[n] = due[n] == nil
		}
		due = due[len(own):]
		changes = append(changes, own)
	}
	return counted, changes, nil
}

// facts holds what is kept of persons against what should be.
func (f *figureCheck) facts(want []personFacts) error {
	keys := make([][]byte, len(want))
	for i, one := range want {
		keys[i] = one.key
	}
	values, err := f.base.GetMany(tableFigurePeople, keys)
	for i, value := range values {
		if value == nil {
			f.absent++
		}
		var kept []figures.Fact
		if value == nil || json.Unmarshal(value, &kept) != nil || !sameFacts(kept, want[i].facts) {
			f.problem("statistics: the facts kept of one person in %v are %s and should be %v", yearOfFacts(keys[i]), value, want[i].facts)
			if f.wrong != nil {
				if err := f.wrong(keys[i]); err != nil {
					return err
				}
			}
		}
	}
	return err
}

func yearOfFacts(key []byte) any {
	parts, err := kv.ParseKey(key)
	if err != nil || len(parts) == 0 {
		return "?"
	}
	return parts[0]
}

func (f *figureCheck) add(side int64, table kv.Table, key []byte, n figures.Count) {
	f.sums.add(side, string(table)+"\x00"+string(key), int64(n.Issued), int64(n.People), int64(n.Voided), int64(n.Cancelled), int64(n.VoidedSince))
}

// kept adds up what is kept.
func (f *figureCheck) kept() error {
	for _, table := range []kv.Table{tableFigureCells, tableFigureSums, tableFigureIssuers} {
		err := kv.Each(f.base, table, kv.Range{}, func(e kv.Entry) error {
			got, err := parseCount(e.Value)
			if err != nil {
				f.problem("statistics: %s %s: %v", table, keyText(e.Key), err)
				return nil
			}
			f.add(sideKept, table, e.Key, got)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func sameFacts(a, b []figures.Fact) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(f figures.Fact) bool { return !slices.Contains(b, f) })
}

func keyText(key []byte) string {
	parts, err := kv.ParseKey(key)
	if err != nil {
		return fmt.Sprintf("%x", key)
	}
	return fmt.Sprint(parts)
}
