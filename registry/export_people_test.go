package registry

import (
	"context"
	"maps"
	"slices"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// What other parts of the ledger ask of arrangements and reports, for tests.

// Arranged asks mustBeArranged.
func (r *Registry) Arranged(ctx context.Context, s Session) error {
	return r.db.View(ctx, func(rd kv.Reader) error { return r.mustBeArranged(rd, s) })
}

// Supervised asks mustBeSupervised.
func (r *Registry) Supervised(ctx context.Context, s Session) error {
	return r.db.View(ctx, func(rd kv.Reader) error { return r.mustBeSupervised(rd, s) })
}

// Conflicts asks arrangementConflicts.
func (r *Registry) Conflicts(ctx context.Context, s Session, persons []PersonID) (out []fail.Field, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		out, err = r.arrangementConflicts(rd, s, persons)
		return err
	})
	return out, err
}

// HeldBefore counts the sessions that are read to decide on the row of a person.
func (r *Registry) HeldBefore(ctx context.Context, s Session, p PersonID) (n int, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		rules, err := r.peopleRules(s.Region, s.ExamDate)
		if err != nil {
			return err
		}
		held, err := r.neighbours(rd, rules, s, []examiners.Person{examiners.Person(p.String())}, true, now)
		n = len(held)
		return err
	})
	return n, err
}

// PersonOf finds or makes the person of a resident identity number.
func (r *Registry) PersonOf(ctx context.Context, number string) (p PersonID, err error) {
	fresh := r.rand.person()
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		people, err := r.peopleFor(tx, []standards.Document{{Kind: standards.ResidentID, Number: number}}, []PersonID{fresh})
		if err != nil {
			return err
		}
		p = people[0]
		return nil
	})
	return p, err
}

// Enrol puts a person on the roster of a session, or takes him off again, as bare
// as the arrangement asks for it.
func (r *Registry) Enrol(ctx context.Context, session string, p PersonID, employer string, on bool) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		e := Entry{Session: session, Person: p, Employer: employer}
		if !on {
			return roster.Delete(tx, roster.Key(e))
		}
		return roster.Put(tx, e)
	})
}

// KeptAway reports whether a bar on one card would keep a plan's people away.
func (r *Registry) KeptAway(ctx context.Context, plan examiners.Plan, barred string) (away bool, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		cards, err := cardsOfPlan(rd, plan)
		if err != nil {
			return err
		}
		cards, same, err := asOnePerson(rd, cards)
		if err != nil {
			return err
		}
		_, all, err := everyCard(rd, slices.Sorted(maps.Keys(cards)), examiners.Facts{Cards: cards}, same)
		away = slices.Contains(all, barred)
		return err
	})
	return away, err
}
