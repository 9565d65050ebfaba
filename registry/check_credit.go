package registry

import (
	"reflect"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/kv"
)

// credit recomputes from the ledger alone what is stored of each institution's
// credit, so that a score read from sums is the score of the ledger on every
// day; and it holds every yearly review against the ledger as it was then.
func (c *check) credit() error {
	c.of(tableInstitutions, tableCreditSums, tableCreditEvents, tableTaskEntries)
	if err := each(c, institutions, creditPage, (*check).creditOf); err != nil {
		return err
	}
	err := each(c, creditSums, pageMax, func(c *check, s credit.Sum) error { return c.known("credit sum", s.Institution) })
	if err != nil {
		return err
	}
	err = each(c, creditEvents, pageMax, func(c *check, e credit.Event) error { return c.known("credit event", e.Institution) })
	if err != nil {
		return err
	}
	return each(c, taskEntries, pageMax, (*check).taskEntry)
}

// creditPage is how many institutions are looked at at once: each with its ledger.
const creditPage = 32

func (c *check) known(what, institution string) error {
	_, ok, err := institutions.Get(c.rd, kv.Key(institution))
	if err == nil && !ok {
		c.problem("%s of an institution %s that is not in the register", what, institution)
	}
	return err
}

func (c *check) taskEntry(e credit.Entry) error {
	if err := c.known("task list entry", e.Institution); err != nil {
		return err
	}
	l, ok, err := taskLists.Get(c.rd, kv.Key(e.List))
	switch {
	case err != nil:
		return err
	case !ok:
		c.problem("task list entry %s is of a list %s that does not exist", e.ID, e.List)
	case e.Region != l.Region:
		c.problem("task list entry %s has the region %s and its list %s", e.ID, e.Region, l.Region)
	}
	return nil
}

func (c *check) creditOf(inst evaluators.Institution) error {
	ledger, err := pagesOf(c.rd, creditEvents, inst.ID)
	if err != nil {
		return err
	}
	c.ledger(inst.ID, ledger)
	stored, err := pagesOf(c.rd, creditSums, inst.ID)
	if err != nil {
		return err
	}
	have := map[string]credit.Sum{}
	for _, s := range stored {
		have[s.Period] = s
	}
	for _, want := range credit.Sums(inst.ID, ledger) {
		if !reflect.DeepEqual(have[want.Period], want) {
			c.problem("credit of %s in %s: stored %v, the ledger gives %v", inst.ID, want.Period, have[want.Period].Groups, want.Groups)
		}
		delete(have, want.Period)
	}
	for period := range have {
		c.problem("credit of %s in %s is stored and the ledger has nothing there", inst.ID, period)
	}
	return c.creditCounts(inst, ledger)
}

// ledger: times never run against the order, and what follows an event comes
// after it.
func (c *check) ledger(institution string, ledger []credit.Event) {
	at := map[string]bool{}
	for i, e := range ledger {
		at[e.ID] = true
		if i > 0 && e.Recorded.Before(ledger[i-1].Recorded) {
			c.problem("credit event %s of %s was recorded before the one before it", e.ID, institution)
		}
		if !at[e.Subject] {
			c.problem("credit event %s of %s follows %s, which is not before it", e.ID, institution, e.Subject)
		}
	}
}

// creditCounts: the counters are those of the ledger, and each review is that of
// the part of the ledger it was made from.
func (c *check) creditCounts(inst evaluators.Institution, ledger []credit.Event) error {
	n, err := counter(c.rd, counterCredit(inst.ID), 1)
	if err != nil {
		return err
	}
	if int(n-1) != len(ledger) {
		c.problem("credit of %s: the ledger has %d events and the counter says %d", inst.ID, len(ledger), n-1)
	}
	years := map[int]uint64{}
	for _, e := range ledger {
		years[e.Year]++
	}
	for year, want := range years {
		if got, err := counter(c.rd, counterCreditYear(inst.ID, year), 0); err != nil {
			return err
		} else if got != want {
			c.problem("credit of %s in credit year %d: %d events, the counter says %d", inst.ID, year, want, got)
		}
	}
	reviews, err := pagesOf(c.rd, creditReviews, inst.ID)
	if err != nil {
		return err
	}
	for _, v := range reviews {
		c.review(inst, v, ledger)
	}
	return nil
}

func (c *check) review(inst evaluators.Institution, v credit.Review, ledger []credit.Event) {
	if v.Events < 0 || v.Events > len(ledger) {
		c.problem("credit review of %s for %d was made from %d events and the ledger has %d", inst.ID, v.Year, v.Events, len(ledger))
		return
	}
	score, err := credit.ScoreOf(c.r.cfg.Rules.Credit.Credit, inst.Region, credit.GroupsOn(credit.Standings(ledger[:v.Events]), v.On), v.On)
	if err != nil || score.Rules != v.Rules {
		return // other files are in use now; the review keeps the figures of its own
	}
	if score.Points != v.Points || score.Band.Code != v.Band.Code {
		c.problem("credit review of %s for %d says %d points, band %s; the ledger as it was gives %d, %s", inst.ID, v.Year, v.Points, v.Band.Code, score.Points, score.Band.Code)
	}
}

// pagesOf reads every record of an institution, page by page.
func pagesOf[V any](rd kv.Reader, table kv.Records[V], institution string) (out []V, err error) {
	for rng := kv.Prefix(kv.Key(institution)); ; {
		rng.Limit = pageMax
		page, next, err := table.Scan(rd, rng)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if next == nil {
			return out, nil
		}
		rng.From = next
	}
}
