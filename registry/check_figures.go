package registry

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"bajigong/evaluators/figures"
	"bajigong/internal/kv"
)

// figureCheck counts the ledger anew, person by person, as a naive reader of all
// certificates would, and compares it with what is kept.
type figureCheck struct {
	*check
	expected *counting
	due      map[dueEntry]bool
	rows     map[string]int // last counted row of batches that are being counted
	batches  map[string]bool
	people   int // entries of figure_people that should be there
}

// statistics: the kept figures are those of the ledger, but for what still waits
// to be counted.
func (c *check) statistics() error {
	f := &figureCheck{check: c, expected: newFigurePage(), due: map[dueEntry]bool{}, rows: map[string]int{}, batches: map[string]bool{}}
	if err := kv.Each(c.rd, tableFigureDue, kv.Range{}, f.waiting); err != nil {
		return err
	}
	var person []Certificate
	for rng := (kv.Range{Limit: pageMax}); ; {
		page, next, err := certificates.ScanIndex(c.rd, indexCertificatesByPerson, rng)
		if err != nil {
			return err
		}
		for _, one := range page {
			if len(person) > 0 && person[0].Person != one.Person {
				if err := f.person(person); err != nil {
					return err
				}
				person = nil
			}
			person = append(person, one)
		}
		if next == nil {
			break
		}
		rng.From = next
	}
	if len(person) > 0 {
		if err := f.person(person); err != nil {
			return err
		}
	}
	return f.compare()
}

func (f *figureCheck) waiting(e kv.Entry) error {
	one, err := parseDue(e)
	if err != nil {
		f.problem("%v", err)
		return nil
	}
	f.due[one] = true
	if one.kind == "batch" && len(e.Value) == 8 {
		f.rows[one.id] = int(binary.BigEndian.Uint64(e.Value))
	}
	return nil
}

// counted reports whether a certificate is public and its turn has come.
func (f *figureCheck) counted(c Certificate) (bool, error) {
	if c.Origin != OriginHere {
		return !f.due[dueEntry{kind: "certificate", id: c.Number}], nil
	}
	published, known := f.batches[c.Batch]
	if !known {
		b, ok, err := batches.Get(f.rd, kv.Key(c.Batch))
		if err != nil {
			return false, err
		}
		published = ok && b.State == BatchPublished
		f.batches[c.Batch] = published
	}
	row, waits := f.rows[c.Batch]
	return published && (!waits || c.Row <= row), nil
}

func (f *figureCheck) person(cs []Certificate) error {
	had := map[int][]figures.Fact{}
	for _, c := range cs {
		for n := range c.Changes {
			if !f.due[dueEntry{kind: "change", id: c.Number, change: n + 1}] {
				if err := f.expected.change(c, n+1); err != nil {
					return err
				}
			}
		}
		counted, err := f.counted(c)
		if err != nil {
			return err
		}
		if counted {
			year := c.Issued.Year()
			had[year] = f.expected.tally.Issue(factOf(c), had[year])
			f.expected.issuer(c, year, figures.Count{Issued: 1})
		}
	}
	for year, facts := range had {
		f.people++
		value, err := f.rd.Get(tableFigurePeople, figurePerson(year, cs[0].Person))
		if err != nil {
			return err
		}
		var kept []figures.Fact
		if value == nil || json.Unmarshal(value, &kept) != nil || !sameFacts(kept, facts) {
			f.problem("statistics: the facts kept of one person in %d are %s and should be %v", year, value, facts)
		}
	}
	return nil
}

func sameFacts(a, b []figures.Fact) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(f figures.Fact) bool { return !slices.Contains(b, f) })
}

func (f *figureCheck) compare() error {
	for table, expected := range f.expected.kept() {
		err := kv.Each(f.rd, table, kv.Range{}, func(e kv.Entry) error {
			got, err := parseCount(e.Value)
			if err != nil {
				f.problem("statistics: %s %s: %v", table, keyText(e.Key), err)
			} else if want := expected[string(e.Key)]; got != want {
				f.problem("statistics: %s %s is %+v and should be %+v", table, keyText(e.Key), got, want)
			}
			delete(expected, string(e.Key))
			return nil
		})
		if err != nil {
			return err
		}
		for key, want := range expected {
			f.problem("statistics: %s %s is missing and should be %+v", table, keyText([]byte(key)), want)
		}
	}
	kept := 0
	err := kv.Each(f.rd, tableFigurePeople, kv.Range{}, func(kv.Entry) error { kept++; return nil })
	if err == nil && kept != f.people {
		f.problem("statistics: facts are kept of %d persons and years and should be of %d", kept, f.people)
	}
	return err
}

func keyText(key []byte) string {
	parts, err := kv.ParseKey(key)
	if err != nil {
		return fmt.Sprintf("%x", key)
	}
	return fmt.Sprint(parts)
}
