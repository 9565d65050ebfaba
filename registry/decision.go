package registry

import (
	"context"
	"fmt"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// caseRules are the rules on cases and measures in force in a region on a day.
func (r *Registry) caseRules(region string, on standards.Date) (cases.Rules, error) {
	rules, ok := r.cfg.Rules.Cases.On(region, string(on))
	if !ok {
		return rules, fail.New(fail.Conflict, "case_rules_missing", "there is no rule file on cases and measures for region %s on %s", region, on).
			In("地区 %s 在 %s 没有案件与处理措施的规则文件", region, on)
	}
	return rules, nil
}

// notBlacklisted refuses an institution that may not get a new filing yet.
func notBlacklisted(tx kv.Tx, institution string) error {
	past, err := decisionsOf(tx, institution)
	if err != nil {
		return err
	}
	if d, barred := evaluators.Barred(past, standards.DateOf(tx.Now()), tx.Now()); barred {
		return d.Barring()
	}
	return nil
}

// RecordDecision records a measure that needs no case by the rules of its day: a
// suspension, its end, an exit of the institution's own. It is made public at
// once when its kind is. What the decision does to past certificates: nothing.
//
// Conflict: case_needed (the kind is decided in a case, after a notice), or the
// institution's state does not allow it.
func (r *Registry) RecordDecision(ctx context.Context, by Actor, in evaluators.Decision) (evaluators.Decision, error) {
	if err := mustBeImpersonal("reason", in.Reason, "basis", in.Basis, "document", in.Document); err != nil {
		return evaluators.Decision{}, err
	}
	in.Case = ""
	id := r.rand.id("d")
	var out evaluators.Decision
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Decision{}
		inst, err := institutionByID(tx, in.Institution)
		if err != nil {
			return err
		}
		if err := may(by, DecideOnInstitutions, Object{Region: inst.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, decisions, kv.Key(inst.ID, id), "decision", "决定", id)
			}
			return err
		}
		rules, err := r.caseRules(inst.Region, standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		if in.Kind.Chinese() != "" && rules.Of(in.Kind).Case {
			return fail.New(fail.Conflict, "case_needed", "%s is decided in a case, after notice to the institution and time to answer (rule %s): open one with POST /api/v1/cases", in.Kind.English(), rules.ID).
				In("%s须立案，经拟处理告知和陈述申辩后在案件中决定（规则 %s）；请先立案", in.Kind.Chinese(), rules.ID)
		}
		if out, err = r.decide(tx, by, inst, rules, in, id); err != nil {
			return err
		}
		if err := publish(tx, inst, rules, out, ""); err != nil {
			return err
		}
		return remember(tx, by, out.ID)
	})
	if err != nil {
		return evaluators.Decision{}, fmt.Errorf("record decision: %w", err)
	}
	return out, nil
}

// decide lets the rules decide one decision and stores it, with its event, and
// says that the directory has changed. It is what a decision of its own and the
// steps of a case have in common. random is an id of which the random part is
// taken; several decisions of one Update may share it.
func (r *Registry) decide(tx kv.Tx, by Actor, inst evaluators.Institution, rules cases.Rules, d evaluators.Decision, random string) (evaluators.Decision, error) {
	_, filed, past, err := recorded(tx, inst.ID)
	if err != nil {
		return d, err
	}
	if err := mayDecide(by, d, filed, tx.Now()); err != nil {
		return d, err
	}
	n, err := counter(tx, counterDecisions(inst.ID), 1)
	if err != nil {
		return d, err
	}
	// The id leads with the count, so that a scan gives the order of the log.
	d.ID = fmt.Sprintf("d-%06d-%s", n, random[2:])
	d.HoldsIssue = d.Kind == evaluators.Rectify && !rules.IssueWhileRectifying
	if d, err = evaluators.Decide(inst, filed, past, d, tx.Now()); err != nil {
		return d, err
	}
	if bad := rules.PeriodProblems("", d.Kind, d.Effective, d.Until); bad != nil {
		return d, fail.New(fail.Invalid, "decision_invalid", "the decision lasts longer than its rule allows").In("决定的期限超过规则允许的长度").At(bad...)
	}
	setCounter(tx, counterDecisions(inst.ID), n+1)
	if err := decisions.Put(tx, d); err != nil {
		return d, err
	}
	if _, err := r.appendEvent(tx, by, Event{Kind: DecisionRecorded, Object: d.ID, Institution: inst.ID, Detail: d}); err != nil {
		return d, err
	}
	if err := r.signsAfterDecision(tx, d); err != nil {
		return d, err
	}
	return d, bump(tx, counterDirectory())
}
