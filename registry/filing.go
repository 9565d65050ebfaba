package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/numbering"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// powerActions is the action behind a power over a filing.
var powerActions = map[evaluators.Power]Action{
	evaluators.PowerKeep:        KeepFilings,
	evaluators.PowerSuspendSite: SuspendSites,
}

// mayUse asks may for a power over a filing and answers in which relation the
// actor stands to it. An authority acts only where a relation gives the power:
// the county of a site does not keep what the province has filed.
func mayUse(by Actor, p evaluators.Power, f evaluators.Filing, now time.Time) (evaluators.Relation, error) {
	relation, ok := evaluators.Holds(f.RelationTo(by.Region, "", standards.DateOf(now), now), p)
	about := Object{Institution: f.Institution}
	if ok {
		about.Region = by.Region
	}
	err := may(by, powerActions[p], about)
	if err != nil && by.has(RoleAuthority) {
		return "", fail.New(fail.Forbidden, "not_filing_authority", "filing authority is %s; an authority of %q does not stand in a relation to it that allows this", f.Keeper(), by.Region).
			In("备案机关为 %s；辖区为 %s 的机关与该备案的关系不允许此操作，请由备案机关办理", f.Keeper(), by.Region)
	}
	if relation == "" {
		relation = evaluators.RelationFiling // the operator acts for whoever files
	}
	return relation, err
}

// mayDecide asks, of a decision that ends or stops something, or undoes that,
// whether the actor has the power over every filing it hits: a county does not
// suspend what the province has filed, nor lift what the province has imposed.
// Warnings and rectifications come from inspecting, which any authority over the
// place does.
func mayDecide(by Actor, d evaluators.Decision, filed []evaluators.Filing, now time.Time) error {
	power := evaluators.PowerKeep
	switch d.Kind {
	case evaluators.Warn, evaluators.Rectify, evaluators.Accept:
		return nil
	case evaluators.Suspend, evaluators.Resume:
		if d.Site != "" {
			power = evaluators.PowerSuspendSite
		}
	}
	for _, f := range filed {
		hit := d.Filing == "" || d.Filing == f.ID
		if d.Site != "" && (d.Site != f.Site || d.Province != "" && d.Province != f.Province) {
			hit = false
		}
		if hit {
			if _, err := mayUse(by, power, f, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// lineOf reads the filings in whose line f may stand, when one of the dates is
// outside its own; usually none is, and nothing is read.
func lineOf(rd kv.Reader, f evaluators.Filing, dates ...standards.Date) ([]evaluators.Filing, error) {
	if !slices.ContainsFunc(dates, func(d standards.Date) bool { return !f.Covers(d) }) {
		return nil, nil
	}
	return filingsOf(rd, f.Institution)
}

// putFiling stores a filing that is new, with the bodies that its region's rule
// file gives, and its event.
func (r *Registry) putFiling(tx kv.Tx, by Actor, inst evaluators.Institution, f evaluators.Filing) (evaluators.Filing, error) {
	if err := numbersFree(tx, f); err != nil {
		return f, err
	}
	place := f.SiteRegion
	if place == "" {
		place = inst.Region
	}
	if rules, ok := r.cfg.Rules.Relations.On(place, string(standards.DateOf(tx.Now()))); ok {
		if bodies := rules.Resolve(place, f.Authority); len(bodies) > 0 {
			var err error
			if f, err = f.Supervise(evaluators.Supervision{Bodies: bodies, Rules: rules.ID, From: f.From}, tx.Now()); err != nil {
				return f, err
			}
		}
	}
	if err := filings.Put(tx, f); err != nil {
		return f, err
	}
	_, err := r.appendEvent(tx, by, Event{Kind: FilingRecorded, Object: f.ID, Institution: inst.ID, Detail: f})
	return f, err
}

// numbering is the rule file for a filing's numbers on a date.
func (r *Registry) numbering(f evaluators.Filing, on standards.Date) (numbering.Rules, bool) {
	return r.cfg.Rules.Numbering.On(f.Province+"0000", string(on))
}

// filingChange is what a use case has in hand when it changes a filing.
type filingChange struct {
	inst     evaluators.Institution
	filing   evaluators.Filing
	past     []evaluators.Decision
	relation evaluators.Relation // in which the actor stands to the filing
	now      time.Time
}

// changeFiling loads a filing, asks may for the power, lets change decide, and
// stores and logs what it answers: the filing, and the detail of the event.
func (r *Registry) changeFiling(ctx context.Context, by Actor, id string, power evaluators.Power, kind EventKind,
	change func(c filingChange) (evaluators.Filing, any, error)) (evaluators.Filing, error) {
	var out evaluators.Filing
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Filing{}
		f, err := filingByID(tx, id)
		if err != nil {
			return err
		}
		c := filingChange{filing: f, now: tx.Now()}
		if c.relation, err = mayUse(by, power, f, tx.Now()); err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			out = f
			return err
		}
		if c.inst, err = institutionByID(tx, f.Institution); err != nil {
			return err
		}
		if c.past, err = decisionsOf(tx, f.Institution); err != nil {
			return err
		}
		next, detail, err := change(c)
		if err != nil {
			return err
		}
		if err := filings.Put(tx, next); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: kind, Object: f.ID, Institution: f.Institution, Detail: detail}); err != nil {
			return err
		}
		out = next
		if err := remember(tx, by, f.ID); err != nil {
			return err
		}
		return bump(tx, counterDirectory())
	})
	if err != nil {
		return evaluators.Filing{}, fmt.Errorf("filing %s: %w", id, err)
	}
	return out, nil
}

// mustBeImpersonal refuses identity numbers in texts that are shown and logged;
// texts are pairs of field and value.
func mustBeImpersonal(texts ...string) error {
	var bad []fail.Field
	for i := 0; i+1 < len(texts); i += 2 {
		bad = append(bad, impersonal(texts[i], texts[i+1])...)
	}
	if len(bad) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, "personal", "this is public and must not have an identity number in it").In("此内容会公开，不得写身份证号码").At(bad...)
}
