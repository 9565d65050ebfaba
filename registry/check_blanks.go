package registry

import (
	"bajigong/evaluators/blanks"
	"bajigong/internal/kv"
)

// blanks is invariant 12: every code is in exactly one run, the counts of
// institutions and sessions are those of the runs, the blanks that applications
// brought are all there, and what is printed carries one print that stands.
func (c *check) blanks() error {
	sum := blankSums{stock: map[string]map[blanks.State]int{}, left: map[string]int{}, printed: map[string]int{}, spoiled: map[string]int{}, lost: map[string]int{}, brought: map[string]int{}}
	if err := c.blankRuns(&sum); err != nil {
		return err
	}
	if err := c.blankCounts(&sum); err != nil {
		return err
	}
	err := eachRecord(c.rd, blankApplications, func(a blanks.Application) error {
		if got, want := sum.brought[a.ID], blanks.Sum(a.Ranges); got != want {
			c.problem("application %s sent %d blanks, the ledger has %d of it", a.ID, want, got)
		}
		delete(sum.brought, a.ID)
		return nil
	})
	if err != nil {
		return err
	}
	for id, n := range sum.brought {
		c.problem("%d blanks came by application %s, which is not there", n, id)
	}
	return c.prints()
}

type blankSums struct {
	stock   map[string]map[blanks.State]int // by institution
	left    map[string]int                  // taken for a session and nothing else
	printed map[string]int                  // by session
	spoiled map[string]int                  // by session, destroyed ones too
	lost    map[string]int                  // by session
	brought map[string]int                  // by application
}

func (c *check) blankRuns(sum *blankSums) error {
	var before *blanks.Run
	return eachRecord(c.rd, blankRuns, func(run blanks.Run) error {
		if run.Check() != nil {
			c.problem("%s is no range of blanks", run.Range)
			return nil
		}
		if before != nil && before.First.Prefix == run.First.Prefix && before.First.Digits == run.First.Digits && before.Last.Number >= run.First.Number {
			c.problem("blanks %s and %s share a code", before.Range, run.Range)
		}
		before = &run
		n := run.Size()
		if sum.stock[run.Institution] == nil {
			sum.stock[run.Institution] = map[blanks.State]int{}
		}
		sum.stock[run.Institution][run.State] += n
		sum.brought[run.Application] += n
		if run.Session != "" {
			switch run.State {
			case blanks.Spoiled, blanks.Waiting, blanks.Destroyed:
				sum.spoiled[run.Session] += n
			case blanks.Lost:
				sum.lost[run.Session] += n
			}
		}
		switch run.State {
		case blanks.Taken:
			sum.left[run.Session] += n
		case blanks.Printed:
			sum.printed[run.Session] += n
			return c.printedRun(run)
		case blanks.Waiting, blanks.Destroyed:
			d, ok, err := destructions.Get(c.rd, kv.Key(run.Destruction))
			if err == nil && (!ok || d.Institution != run.Institution || (d.State == blanks.DestructionDone) != (run.State == blanks.Destroyed)) {
				c.problem("blanks %s are %s, their batch of destruction %s is %s", run.Range, run.State, run.Destruction, d.State)
			}
			return err
		}
		return nil
	})
}

// printedRun: each blank of a run that is printed carries a print that stands.
func (c *check) printedRun(run blanks.Run) error {
	for from := run.First.Number; from <= run.Last.Number; from += pageMax {
		var keys [][]byte
		for code := (blanks.Code{Prefix: run.First.Prefix, Digits: run.First.Digits, Number: from}); code.Number <= min(run.Last.Number, from+pageMax-1); code.Number++ {
			keys = append(keys, blankKey(code))
		}
		found, err := c.rd.GetMany(indexPrintsByCode, keys)
		if err != nil {
			return err
		}
		for i, key := range found {
			if key == nil {
				c.problem("blank %d of %s is printed and carries no print", from+uint64(i), run.Range)
			}
		}
	}
	return nil
}

func (c *check) blankCounts(sum *blankSums) error {
	err := eachRecord(c.rd, blankStocks, func(s blanks.Stock) error {
		for _, state := range blanks.States() {
			if got := sum.stock[s.Institution][state]; got != s.Counts[state] {
				c.problem("institution %s has %d blanks %s, its count says %d", s.Institution, got, state, s.Counts[state])
			}
		}
		delete(sum.stock, s.Institution)
		return nil
	})
	if err != nil {
		return err
	}
	for id := range sum.stock {
		c.problem("institution %s has blanks and no count of them", id)
	}
	err = eachRecord(c.rd, blankUses, func(u blanks.Use) error {
		if got := sum.left[u.Session]; got != u.Left() {
			c.problem("session %s has %d blanks left, its count says %d", u.Session, got, u.Left())
		}
		if got := sum.printed[u.Session]; got != u.Printed {
			c.problem("session %s has %d blanks printed, its count says %d", u.Session, got, u.Printed)
		}
		if got := sum.spoiled[u.Session]; got != u.Spoiled {
			c.problem("session %s has %d blanks spoiled, its count says %d", u.Session, got, u.Spoiled)
		}
		if got := sum.lost[u.Session]; got != u.Lost {
			c.problem("session %s has %d blanks lost, its count says %d", u.Session, got, u.Lost)
		}
		for _, counted := range []map[string]int{sum.left, sum.printed, sum.spoiled, sum.lost} {
			delete(counted, u.Session)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, open := range []map[string]int{sum.left, sum.printed, sum.spoiled, sum.lost} {
		for id := range open {
			c.problem("session %s has blanks and no count of them", id)
		}
	}
	return nil
}

// prints: each with a code stands if its blank is printed and only then, and the
// sums of every certificate are those of its prints.
func (c *check) prints() error {
	var sum blanks.Prints
	flush := func() error {
		if sum.Number == "" {
			return nil
		}
		stored, _, err := printed.Get(c.rd, kv.Key(sum.Number))
		if err == nil && stored != sum {
			c.problem("certificate %s: its prints add up to %+v, the sum says %+v", sum.Number, sum, stored)
		}
		return err
	}
	err := eachRecord(c.rd, prints, func(p blanks.Printing) error {
		if p.Number != sum.Number {
			if err := flush(); err != nil {
				return err
			}
			sum = blanks.Prints{Number: p.Number}
		}
		if p.N != sum.N+1 {
			c.problem("certificate %s: print %d stands after %d", p.Number, p.N, sum.N)
		}
		if p.Version != sum.Version {
			sum.Version, sum.OfIt, sum.Standing = p.Version, 0, 0
		}
		sum.N, sum.OfIt = p.N, sum.OfIt+1
		if p.Spoiled == nil {
			sum.Standing++
		}
		if p.Code == nil {
			return nil
		}
		run, ok, err := runOf(c.rd, *p.Code)
		if err == nil && (!ok || (run.State == blanks.Printed) != (p.Spoiled == nil) || run.Session != p.Session) {
			c.problem("certificate %s was printed on %s, which is %s", p.Number, p.Code, run.State)
		}
		return err
	})
	if err != nil {
		return err
	}
	return flush()
}
