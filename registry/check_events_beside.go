package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"maps"
	"slices"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/examiners"
	"bajigong/evaluators/signs"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/standards"
)

// beside holds records of which no event speaks against those they follow from.
func (e *eventCheck) beside() error {
	if e.sumsOnly {
		return nil
	}
	for _, part := range []func() error{
		func() error { return each(e.c, publications, pageMax, (*check).published) },
		func() error { return each(e.c, arrangements, pageMax, (*check).arranged) },
		func() error { return each(e.c, arrangementsPast, pageMax, (*check).arranged) },
		func() error { return each(e.c, sessions, sealedPage, (*check).holds) },
		func() error { return each(e.c, drawPopulations, sealedPage, (*check).populated) },
		e.c.resultRows, e.c.rosterEntries,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// published: what is public of a decision is what was decided.
func (c *check) published(p PublishedDecision) error {
	d, ok, err := decisions.Get(c.rd, kv.Key(p.Institution, p.Decision))
	if err != nil || !ok {
		return err // for the part about cases to say
	}
	inst, ok, err := institutions.Get(c.rd, kv.Key(p.Institution))
	if err != nil {
		return err
	}
	if p.Kind != d.Kind || p.KindZH != d.Kind.Chinese() || p.Document != d.Document || p.Basis != d.Basis || p.Reason != d.Reason || p.Effective != d.Effective || p.Until != d.Until || p.Due != d.Due ||
		p.Target != d.Target {
		c.problem("decision %s is public with other words than it was recorded with", p.Decision)
	}
	if p.Withdrawn != "" {
		k, there, err := caseRecords.Get(c.rd, kv.Key(d.Case))
		if err != nil {
			return err
		}
		if !there || !k.Revoked() || k.Review.On != p.Withdrawn {
			c.problem("decision %s is public as withdrawn on %s, and no review revoked it then", p.Decision, p.Withdrawn)
		}
	}
	// Which of two names of one second it was cannot be told.
	if ok && !slices.ContainsFunc(inst.Names, func(n evaluators.NameChange) bool { return n.Name == p.Name && !n.Recorded.After(p.Published) }) {
		c.problem("decision %s is public with another name than its institution had", p.Decision)
	}
	return nil
}

// arranged: the people of an arrangement are those that its plan places.
func (c *check) arranged(a Arrangement) error {
	s, _, err := sessions.Get(c.rd, kv.Key(a.Session))
	if err != nil {
		return err
	}
	if a.Institution != s.Institution || a.ExamDate != s.ExamDate {
		c.problem("arrangement %d of session %s is of another institution or day", a.N, a.Session)
	}
	places := a.Plan.Places()
	same := len(places) == len(a.People)
	for i := 0; same && i < len(places); i++ {
		same = a.People[i].Place == places[i]
		card, ok, err := examinerCards.Get(c.rd, kv.Key(places[i].Examiner))
		if err != nil {
			return err
		}
		same = same && (!ok || a.People[i].Person == card.Person)
	}
	if !same {
		c.problem("arrangement %d of session %s has other people than its plan places", a.N, a.Session)
	}
	return nil
}

// signedIn are those who are signed in now, by the id of their sign-in. They are some
// hundreds, and of each a few hours are kept.
func (e *eventCheck) signedIn() error {
	e.present = map[string]SignIn{}
	if e.sumsOnly {
		return nil
	}
	return eachPage(e.c, signIns, pageMax, func(page []SignIn) error {
		for _, s := range page {
			e.present[s.ID] = s
		}
		return nil
	})
}

// signed takes from those who are signed in one of whom an event speaks.
func (e *eventCheck) signed(said *signInSaid) {
	s, there := e.present[said.id]
	if there && s.Account == said.account && (said.hash == "" || said.hash == digestOf(s.Hash)) {
		delete(e.present, said.id)
	}
}

// intruders are sign-ins of which no event speaks.
func (e *eventCheck) intruders() {
	for _, id := range slices.Sorted(maps.Keys(e.present)) {
		if e.erased == 0 {
			e.c.problem("sign-in %s is not one that the audit log speaks of", id)
		}
	}
	e.present = nil
}

// holds: as many rows of a publicity are held and excluded as its appeals say.
func (c *check) holds(s Session) error {
	if s.Publicity == nil || s.Results == nil {
		return nil
	}
	held, excluded, err := holdsOf(c.rd, s)
	if err == nil && (held != s.Publicity.Held || excluded != s.Publicity.Excluded) {
		c.problem("session %s says that appeals hold %d rows and exclude %d; they hold %d and exclude %d", s.ID, s.Publicity.Held, s.Publicity.Excluded, held, excluded)
	}
	return err
}

// populated: a draw draws from the sessions that it announced.
func (c *check) populated(p drawPopulation) error {
	d, ok, err := draws.Get(c.rd, kv.Key(p.Draw))
	if err == nil && ok && (d.State == signs.DrawAnnounced) != (d.Seed == "") {
		c.problem("draw %s is %s, and its seed says otherwise", p.Draw, d.State)
	}
	if err == nil && ok && (d.State == signs.DrawPublished) != (d.Drawn != nil && d.Open == 0) {
		c.problem("draw %s is %s with %d inspections that are not published", p.Draw, d.State, d.Open)
	}
	if err == nil && (!ok || d.Population != len(p.Sessions) || d.Hash != signs.PopulationHash(p.ids())) {
		c.problem("draw %s draws from other sessions than it announced", p.Draw)
	}
	return err
}

// digest adds a row to the digest of results. Appeals and issue change the rest of it.
func (c Candidate) digest(to hash.Hash) error {
	c.Hold, c.Batch = HoldNone, ""
	b, err := json.Marshal(c)
	to.Write(append(b, '\n'))
	return err
}

// resultRows: the rows of the results that count are those that were uploaded.
func (c *check) resultRows() error {
	session, generation, content := "", 0, sha256.New()
	end := func() error {
		s, ok, err := sessions.Get(c.rd, kv.Key(session))
		if err != nil || !ok || s.Results == nil || s.Results.Generation != generation || s.Results.Content == nil {
			return err
		}
		if !bytes.Equal(content.Sum(nil), s.Results.Content) {
			c.problem("session %s has other results than were uploaded", session)
		}
		return nil
	}
	err := eachPage(c, candidates, pageMax, func(page []Candidate) error {
		for _, one := range page {
			if one.Session != session || one.Generation != generation {
				if err := end(); err != nil {
					return err
				}
				session, generation = one.Session, one.Generation
				content.Reset()
			}
			if err := one.digest(content); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return end()
}

// rosterDigest is the digest of the entries of a roster, in the order of their keys.
func rosterDigest(entries []Entry) ([]byte, error) {
	slices.SortFunc(entries, func(a, b Entry) int { return bytes.Compare(roster.Key(a), roster.Key(b)) })
	content := sha256.New()
	for _, one := range entries {
		if err := one.digest(content); err != nil {
			return nil, err
		}
	}
	return content.Sum(nil), nil
}

func (e Entry) digest(to hash.Hash) error {
	b, err := json.Marshal(e)
	to.Write(append(b, '\n'))
	return err
}

// rosterEntries: the entries of a roster that counts are those that were entered.
func (c *check) rosterEntries() error {
	var s Session
	content := sha256.New()
	end := func() {
		if s.Roster != nil && s.Roster.Content != nil && !bytes.Equal(content.Sum(nil), s.Roster.Content) {
			c.problem("session %s has another roster than was entered", s.ID)
		}
	}
	err := eachPage(c, roster, pageMax, func(page []Entry) error {
		for _, one := range page {
			if one.Session != s.ID {
				end()
				var err error
				if s, _, err = sessions.Get(c.rd, kv.Key(one.Session)); err != nil {
					return err
				}
				s.ID = one.Session
				content.Reset()
			}
			if s.Roster == nil || one.Generation != s.Roster.Generation {
				continue
			}
			if err := one.digest(content); err != nil {
				return err
			}
		}
		return nil
	})
	end()
	return err
}

// reliedOn: an entry of a feed says what its claim, its certificate and the change say.
func (c *check) reliedOn(e RelianceEntry, claim Claim) error {
	differs := e.Reference != claim.Reference || e.Region != claim.Region || e.Certificate != claim.Certificate
	logged, err := auditlog.ReadEntry(c.rd, e.LogIndex)
	if err == nil && !logged.Leaf.Time.Equal(e.At) {
		differs = true
	}
	if claim.Certificate != "" {
		cert, ok, err := certificates.Get(c.rd, kv.Key(claim.Certificate))
		if err != nil {
			return err
		}
		if ok {
			want := e.of(cert)
			for _, change := range cert.Changes {
				if change.LogIndex == e.LogIndex {
					want.Effective, want.Document, want.Reason = change.Effective, change.Document, change.Reason
				}
			}
			differs = differs || e != want
		}
	}
	if differs {
		c.problem("entry %d of the feed of payer %s does not say what claim %s, its certificate and the change say", e.Seq, e.Payer, e.Claim)
	}
	return nil
}

// addLine adds a line of a payout to the digest of all, in their one form.
func addLine(content hash.Hash, l PayoutEntry) {
	b, _ := json.Marshal(l.PayoutLine)
	between := ","
	if l.N == 1 {
		between = "["
	}
	content.Write(append([]byte(between), b...))
}

// caseDays are the terms that run in a case, as they were reckoned when it was stepped
// on: the calendar by which they were may grow.
func caseDays(c cases.Case) map[string]standards.Date {
	days := map[string]standards.Date{}
	if c.Notice != nil {
		days["notice.statement_until"] = c.Notice.StatementUntil
	}
	if c.Ruling != nil {
		days["ruling.publish_due"] = c.Ruling.PublishDue
	}
	if c.Service != nil {
		days["service.review_until"] = c.Service.ReviewUntil
	}
	return days
}

// answersLogged are the answers of a report without their texts, which may name people.
func answersLogged(items []examiners.Answer) []map[string]any {
	out := make([]map[string]any, len(items))
	for i, a := range items {
		out[i] = map[string]any{"code": a.Code, "outcome": a.Outcome, "severity": a.Severity}
	}
	return out
}
