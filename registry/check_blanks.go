package registry

import (
	"bajigong/evaluators/blanks"
	"bajigong/internal/kv"
)

// blanks is invariant 12: every code is in exactly one run, the counts of
// institutions and sessions are those of the runs, the blanks that applications
// brought are all there, and what is printed carries one print that stands.
func (c *check) blanks() error {
	c.of(tableBlankRuns, tablePrints)
	if err := c.blankRuns(); err != nil {
		return err
	}
	err := c.compare(1, (*check).blankSums, func(id string, want, have []int64) {
		place, _ := kv.ParseKey([]byte(id))
		c.problem("%v %v: the ledger has %d blanks %v, the count says %d", place[1], place[0], want[0], place[2], have[0])
	})
	if err != nil {
		return err
	}
	return c.prints()
}

// blankSums adds up the runs and the counts of institutions, sessions and
// applications, which are to agree.
func (c *check) blankSums(s *agreement) error {
	add := func(side int64, what, id, which string, n int) {
		s.add(side, string(kv.Key(what, id, which)), int64(n))
	}
	err := scanAll(c, blankRuns, func(page []blanks.Run) {
		for _, run := range page {
			if run.Check() != nil {
				continue
			}
			n := run.Size()
			add(sideLedger, "institution", run.Institution, string(run.State), n)
			add(sideLedger, "application", run.Application, "sent", n)
			if which := usedAs(run); which != "" {
				add(sideLedger, "session", run.Session, which, n)
			}
		}
	})
	if err != nil {
		return err
	}
	err = scanAll(c, blankApplications, func(page []blanks.Application) {
		for _, a := range page {
			add(sideKept, "application", a.ID, "sent", blanks.Sum(a.Ranges))
		}
	})
	if err != nil {
		return err
	}
	err = scanAll(c, blankStocks, func(page []blanks.Stock) {
		for _, stock := range page {
			for state, n := range stock.Counts {
				add(sideKept, "institution", stock.Institution, string(state), n)
			}
		}
	})
	if err != nil {
		return err
	}
	return scanAll(c, blankUses, func(page []blanks.Use) {
		for _, u := range page {
			add(sideKept, "session", u.Session, "left", u.Left())
			add(sideKept, "session", u.Session, "printed", u.Printed)
			add(sideKept, "session", u.Session, "spoiled", u.Spoiled)
			add(sideKept, "session", u.Session, "lost", u.Lost)
		}
	})
}

// usedAs is as what a session counts the blanks of a run: left, printed, spoiled
// (destroyed ones too) or lost; empty when it does not.
func usedAs(run blanks.Run) string {
	switch {
	case run.State == blanks.Taken:
		return "left"
	case run.State == blanks.Printed:
		return "printed"
	case run.Session == "":
		return ""
	}
	switch run.State {
	case blanks.Spoiled, blanks.Waiting, blanks.Destroyed:
		return "spoiled"
	case blanks.Lost:
		return "lost"
	}
	return ""
}

func (c *check) blankRuns() error {
	var before *blanks.Run
	return eachPage(c, blankRuns, sealedPage, func(page []blanks.Run) error {
		for _, run := range page {
			if run.Check() != nil {
				c.problem("%s is no range of blanks", run.Range)
				continue
			}
			if before != nil && before.First.Prefix == run.First.Prefix && before.First.Digits == run.First.Digits && before.Last.Number >= run.First.Number {
				c.problem("blanks %s and %s share a code", before.Range, run.Range)
			}
			before = &run
		}
		return c.side(len(page), func(i int, c *check) error {
			if page[i].Check() != nil {
				return nil
			}
			return c.blankRun(page[i])
		})
	})
}

func (c *check) blankRun(run blanks.Run) error {
	switch run.State {
	case blanks.Printed:
		return c.printedRun(run)
	case blanks.Waiting, blanks.Destroyed:
		d, ok, err := destructions.Get(c.rd, kv.Key(run.Destruction))
		if err == nil && (!ok || d.Institution != run.Institution || (d.State == blanks.DestructionDone) != (run.State == blanks.Destroyed)) {
			c.problem("blanks %s are %s, their batch of destruction %s is %s", run.Range, run.State, run.Destruction, d.State)
		}
		return err
	}
	return nil
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

// prints: each with a code stands if its blank is printed and only then, and the
// sums of every certificate are those of its prints.
func (c *check) prints() error {
	var sum blanks.Prints
	flush := func(whole []blanks.Prints) error {
		return c.side(len(whole), func(i int, c *check) error {
			stored, _, err := printed.Get(c.rd, kv.Key(whole[i].Number))
			if err == nil && stored != whole[i] {
				c.problem("certificate %s: its prints add up to %+v, the sum says %+v", whole[i].Number, whole[i], stored)
			}
			return err
		})
	}
	err := eachPage(c, prints, pageMax, func(page []blanks.Printing) error {
		var whole []blanks.Prints
		for _, p := range page {
			if p.Number != sum.Number {
				if sum.Number != "" {
					whole = append(whole, sum)
				}
				sum = blanks.Prints{Number: p.Number}
			}
			if p.N != sum.N+1 {
				c.problem("certificate %s: print %d stands after %d", p.Number, p.N, sum.N)
			}
			sum = withPrint(sum, p)
		}
		if err := flush(whole); err != nil {
			return err
		}
		return c.side(len(page), func(i int, c *check) error {
			p := page[i]
			if p.Code == nil {
				return nil
			}
			run, ok, err := runOf(c.rd, *p.Code)
			if err == nil && (!ok || (run.State == blanks.Printed) != (p.Spoiled == nil) || run.Session != p.Session) {
				c.problem("certificate %s was printed on %s, which is %s", p.Number, p.Code, run.State)
			}
			return err
		})
	})
	if err != nil || sum.Number == "" {
		return err
	}
	return flush([]blanks.Prints{sum})
}

// withPrint is the sum of a certificate's prints with one more.
func withPrint(sum blanks.Prints, p blanks.Printing) blanks.Prints {
	if p.Version != sum.Version {
		sum.Version, sum.OfIt, sum.Standing = p.Version, 0, 0
	}
	sum.N, sum.OfIt = p.N, sum.OfIt+1
	if p.Spoiled == nil {
		sum.Standing++
	}
	return sum
}
