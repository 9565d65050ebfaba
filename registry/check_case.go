package registry

import (
	"slices"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// cases is invariant 7.
func (c *check) cases() error {
	c.of(tableCases, tableDecisions, tablePublications, tableFilings)
	if err := each(c, caseRecords, sealedPage, (*check).caseIsWhole); err != nil {
		return err
	}
	if err := each(c, decisions, pageMax, (*check).decisionHasItsCase); err != nil {
		return err
	}
	if err := each(c, publications, pageMax, func(c *check, p PublishedDecision) error {
		_, ok, err := decisions.Get(c.rd, kv.Key(p.Institution, p.Decision))
		if !ok && err == nil {
			c.problem("decision %s is public and not there", p.Decision)
		}
		return err
	}); err != nil {
		return err
	}
	return each(c, filings, pageMax, (*check).filedWhileFree)
}

// caseIsWhole: its decisions are there, and what needed a notice had one and time
// to answer.
func (c *check) caseIsWhole(k cases.Case) error {
	rules, err := c.r.rulesOf(k)
	if err != nil || rules.ID != k.Rules {
		c.problem("case %s goes by rules %s, which are not in use", k.ID, k.Rules)
		return nil
	}
	for i, e := range k.Steps {
		block, err := c.rd.Get(tableSealed, sealedCaseText(k.ID, i).storeKey())
		if err != nil {
			return err
		}
		if (block != nil) != e.Text {
			c.problem("case %s: step %d has a text: %t, and should: %t", k.ID, i, block != nil, e.Text)
		}
	}
	if k.Ruling == nil {
		return nil
	}
	for _, id := range slices.Concat(k.Ruling.Decisions, k.Ruling.Lifted) {
		d, ok, err := decisions.Get(c.rd, kv.Key(k.Subject.Institution(), id))
		if err != nil {
			return err
		}
		if !ok || d.Case != k.ID {
			c.problem("case %s names decision %s, which is not of it", k.ID, id)
		}
	}
	for _, m := range k.Ruling.Measures {
		heard := slices.ContainsFunc(k.Steps, func(e cases.Entry) bool { return e.Kind == cases.Statement })
		if rules.Of(m.Kind).Notice && (k.Notice == nil || !heard && k.Ruling.On <= k.Notice.StatementUntil) {
			c.problem("case %s: %s was decided on %s without notice and time to answer", k.ID, m.Kind, k.Ruling.On)
		}
	}
	return nil
}

func (c *check) decisionHasItsCase(d evaluators.Decision) error {
	if d.Case == "" {
		return nil
	}
	k, ok, err := caseRecords.Get(c.rd, kv.Key(d.Case))
	if err != nil {
		return err
	}
	if !ok || k.Ruling == nil || !slices.Contains(k.Ruling.Decisions, d.ID) && !slices.Contains(k.Ruling.Lifted, d.ID) {
		c.problem("decision %s names case %s, which does not name it", d.ID, d.Case)
	}
	return nil
}

// filedWhileFree: decisions of the same second may have come after the filing.
func (c *check) filedWhileFree(f evaluators.Filing) error {
	past, err := decisionsOf(c.rd, f.Institution)
	if err != nil {
		return err
	}
	before := slices.DeleteFunc(past, func(d evaluators.Decision) bool { return !d.Recorded.Before(f.Recorded) })
	if d, barred := evaluators.Barred(before, standards.DateOf(f.Recorded), f.Recorded); barred {
		c.problem("filing %s was recorded at %s while its institution was blacklisted by %s", f.ID, f.Recorded, d.ID)
	}
	return nil
}
