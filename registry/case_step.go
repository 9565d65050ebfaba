package registry

import (
	"context"
	"fmt"
	"slices"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// AdvanceCase takes a step of a case; see [cases.Step] for what each needs. What
// follows from it is done in the same Update: a decision records its measures on
// the institution, a publication makes them public, an acceptance and a review
// that revokes them lift them. The party takes its own steps: statement, report,
// request for a review; the authority may record them for it.
//
// Errors are those of [cases.Case.Take] and of [evaluators.Decide].
func (r *Registry) AdvanceCase(ctx context.Context, by Actor, id string, in cases.Step) (CaseView, error) {
	if err := mustBeImpersonal("reason", in.Reason, "basis", in.Basis, "document", in.Document); err != nil {
		return CaseView{}, err
	}
	do := RunCases
	if in.Kind.OfParty() {
		do = AnswerCase
	}
	random := r.rand.id("d")
	var out CaseView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = CaseView{}
		c, err := caseFor(tx, by, do, id)
		if err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = r.caseView(tx, by, c)
			}
			return err
		}
		if c, err = r.takeStep(tx, by, c, in, random); err != nil {
			return err
		}
		if out, err = r.caseView(tx, by, c); err != nil {
			return err
		}
		return remember(tx, by, c.ID)
	})
	if err != nil {
		return CaseView{}, fmt.Errorf("case %s: %w", id, err)
	}
	return out, nil
}

// takeStep lets the rules decide a step, carries it out, and stores the case with
// the step's text and event.
func (r *Registry) takeStep(tx kv.Tx, by Actor, c cases.Case, in cases.Step, random string) (cases.Case, error) {
	rules, err := r.rulesOf(c)
	if err != nil {
		return c, err
	}
	if in.Measures, err = r.placeMeasures(tx, c, in.Measures); err != nil {
		return c, err
	}
	if c, err = c.Take(in, rules, r.cfg.Calendar, by.Account, tx.Now()); err != nil {
		return c, err
	}
	if c.Subject.Institution() != "" {
		if c, err = r.carryOut(tx, by, c, in, rules, random); err != nil {
			return c, err
		}
	}
	if in.Text != "" {
		if err := r.vault.seal(tx, sealedCaseText(c.ID, len(c.Steps)-1), in.Text); err != nil {
			return c, err
		}
	}
	if err := caseRecords.Put(tx, c); err != nil {
		return c, err
	}
	// The texts stay out of the log: they may name people.
	in.Text = ""
	switch in.Kind { // the measures with the targets that they have by the case
	case cases.Notify:
		in.Measures = c.Notice.Measures
	case cases.Decide:
		in.Measures = c.Ruling.Measures
	}
	ev := Event{Kind: CaseAdvanced, Object: c.ID, Detail: map[string]any{"step": in, "state": c.State, "days": caseDays(c)}}
	if c.Disclosed() {
		ev.Institution = c.Subject.Institution()
	}
	_, err = r.appendEvent(tx, by, ev)
	return c, err
}

// placeMeasures refuses targets that the institution does not have, when they are
// announced and not only when they are decided, and gives sites their province.
func (r *Registry) placeMeasures(rd kv.Reader, c cases.Case, in []cases.Measure) ([]cases.Measure, error) {
	if c.Subject.Institution() == "" || len(in) == 0 || len(in) > cases.MaxMeasures {
		return in, nil
	}
	inst, filed, _, err := recorded(rd, c.Subject.Institution())
	if err != nil {
		return nil, err
	}
	out := slices.Clone(in)
	for i, m := range in {
		if m.Target == nil {
			continue
		}
		t, bad := evaluators.CheckTarget(inst, filed, *m.Target)
		if bad != nil {
			return nil, ofMeasure(fail.New(fail.Invalid, "step_invalid", "the measure is on something that does not exist").In("措施的对象有误").At(bad...), i)
		}
		out[i].Target = &t
	}
	return out, nil
}

// rulesOf are the rules that a case was opened under.
func (r *Registry) rulesOf(c cases.Case) (cases.Rules, error) {
	for _, rules := range r.cfg.Rules.Cases.All() {
		if rules.ID == c.Rules {
			return rules, nil
		}
	}
	return r.caseRules(c.Region, c.OpenDay())
}

// carryOut does what follows from a step for the institution.
func (r *Registry) carryOut(tx kv.Tx, by Actor, c cases.Case, in cases.Step, rules cases.Rules, random string) (cases.Case, error) {
	inst, err := institutionByID(tx, c.Subject.Institution())
	if err != nil {
		return c, err
	}
	switch in.Kind {
	case cases.Decide:
		return r.decideMeasures(tx, by, c, inst, rules, random)
	case cases.Publish:
		return c, publishRuling(tx, c, inst, rules)
	case cases.Accept, cases.DecideReview:
		if c.Revoked() {
			if err := withdraw(tx, c.Ruling.Decisions); err != nil {
				return c, err
			}
		}
		return r.liftMeasures(tx, by, c, in, inst, rules, random)
	}
	return c, nil
}

// decideMeasures records every measure of the ruling as a decision.
func (r *Registry) decideMeasures(tx kv.Tx, by Actor, c cases.Case, inst evaluators.Institution, rules cases.Rules, random string) (cases.Case, error) {
	ruling := *c.Ruling
	ruling.Measures, ruling.Decisions = nil, nil
	for i, m := range c.Ruling.Measures {
		d, err := r.decide(tx, by, inst, rules, evaluators.Decision{Target: *m.Target, Kind: m.Kind, Effective: m.Effective, Until: m.Until, Due: m.Due,
			FinishSessions: m.FinishSessions, FinishUntil: m.FinishUntil, Document: ruling.Document, Basis: ruling.Basis, Reason: ruling.Reason, Case: c.ID}, random)
		if err != nil {
			return c, ofMeasure(err, i)
		}
		m.Target = &d.Target // as it was stored: a site has its province now
		ruling.Measures, ruling.Decisions = append(ruling.Measures, m), append(ruling.Decisions, d.ID)
	}
	c.Ruling = &ruling
	return c, nil
}

// ofMeasure names the measure in the fields of an error.
func ofMeasure(err error, i int) error {
	if fail.KindOf(err) != fail.Invalid {
		return err
	}
	e := fail.Of(err)
	var fs []fail.Field
	for _, f := range e.Fields {
		f.Name = fmt.Sprintf("measures[%d].%s", i, f.Name)
		fs = append(fs, f)
	}
	return fail.New(fail.Invalid, e.Code, "%s", e.Text).In("%s", e.ZH).At(fs...)
}

func publishRuling(tx kv.Tx, c cases.Case, inst evaluators.Institution, rules cases.Rules) error {
	for _, id := range c.Ruling.Decisions {
		d, err := need(tx, decisions, kv.Key(inst.ID, id), "decision", "决定", id)
		if err != nil {
			return err
		}
		if err := publish(tx, inst, rules, d, c.Publication.Reason); err != nil {
			return err
		}
	}
	if !c.Revoked() {
		return nil
	}
	return withdraw(tx, c.Ruling.Decisions)
}

// moot are the answers to lifting what does not hold any more: it has ended by
// itself, or with the institution.
var moot = map[string]bool{"not_suspended": true, "not_rectifying": true, "not_blacklisted": true, "already_ended": true}

// liftMeasures records what undoes the ruling's measures, as of today.
func (r *Registry) liftMeasures(tx kv.Tx, by Actor, c cases.Case, in cases.Step, inst evaluators.Institution, rules cases.Rules, random string) (cases.Case, error) {
	ruling := *c.Ruling
	for _, m := range c.Lifting(in.Kind) {
		d, err := r.decide(tx, by, inst, rules, evaluators.Decision{Target: *m.Target, Kind: m.Kind, Effective: standards.DateOf(tx.Now()),
			Document: in.Document, Basis: in.Basis, Reason: in.Reason, Case: c.ID}, random)
		if moot[fail.CodeOf(err)] {
			continue
		}
		if err != nil {
			return c, err
		}
		ruling.Lifted = append(ruling.Lifted[:len(ruling.Lifted):len(ruling.Lifted)], d.ID)
		if c.Publication != nil {
			if err := publish(tx, inst, rules, d, ""); err != nil {
				return c, err
			}
		}
	}
	c.Ruling = &ruling
	return c, nil
}
