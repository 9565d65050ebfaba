package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// RenameInstitution records a change of name 更名. Papers show the name of their
// day: batches begun before the first day keep the old one. Invalid: the name or
// its date is not right.
func (r *Registry) RenameInstitution(ctx context.Context, by Actor, id string, in evaluators.NameChange) (evaluators.Institution, error) {
	if err := mustBeImpersonal("name", in.Name, "document", in.Document); err != nil {
		return evaluators.Institution{}, err
	}
	return r.changeInstitution(ctx, by, id, InstitutionRenamed, func(inst evaluators.Institution, _ []evaluators.Decision, now time.Time) (evaluators.Institution, any, error) {
		next, err := inst.ChangeName(in, now)
		if err != nil {
			return next, nil, err
		}
		return next, next.Names[len(next.Names)-1], nil
	})
}

// ReadmitInstitution lets an institution that has ended be filed anew 重新准入.
// Conflict: it has not ended, or a blacklisting of it runs.
func (r *Registry) ReadmitInstitution(ctx context.Context, by Actor, id string, in evaluators.Readmission) (evaluators.Institution, error) {
	if err := mustBeImpersonal("document", in.Document, "basis", in.Basis, "reason", in.Reason); err != nil {
		return evaluators.Institution{}, err
	}
	return r.changeInstitution(ctx, by, id, InstitutionReadmitted, func(inst evaluators.Institution, past []evaluators.Decision, now time.Time) (evaluators.Institution, any, error) {
		next, err := inst.Readmit(past, in, now)
		if err != nil {
			return next, nil, err
		}
		return next, next.Readmissions[len(next.Readmissions)-1], nil
	})
}

// changeInstitution loads an institution, asks whether the actor keeps every
// filing of it, lets change decide, stores and logs.
func (r *Registry) changeInstitution(ctx context.Context, by Actor, id string, kind EventKind,
	change func(inst evaluators.Institution, past []evaluators.Decision, now time.Time) (evaluators.Institution, any, error)) (evaluators.Institution, error) {
	var out evaluators.Institution
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Institution{}
		inst, filed, past, err := recorded(tx, id)
		if err != nil {
			return err
		}
		if err := may(by, KeepFilings, Object{Region: inst.Region}); err != nil {
			return err
		}
		for _, f := range filed {
			if _, err := mayUse(by, evaluators.PowerKeep, f, tx.Now()); err != nil {
				return err
			}
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			out = inst
			return err
		}
		next, detail, err := change(inst, past, tx.Now())
		if err != nil {
			return err
		}
		if err := institutions.Put(tx, next); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: kind, Object: inst.ID, Institution: inst.ID, Detail: detail}); err != nil {
			return err
		}
		out = next
		if err := remember(tx, by, inst.ID); err != nil {
			return err
		}
		return bump(tx, counterDirectory())
	})
	if err != nil {
		return evaluators.Institution{}, fmt.Errorf("institution %s: %w", id, err)
	}
	return out, nil
}

// Filing is a filing with where it stands.
type Filing struct {
	evaluators.Filing
	Prefix      string                  `json:"prefix"`    // first 13 characters of its numbers
	State       evaluators.Status       `json:"state"`     // not_filed, filed 已备案, expired 已到期, terminated 已终止
	StateZH     string                  `json:"state_zh"`  // as officials say it
	ScopeNow    []evaluators.InScope    `json:"scope_now"` // what it may examine on the date asked for
	Sites       []evaluators.Site       `json:"sites"`     // places of examination, the filing's own first
	Authorities []evaluators.Body       `json:"authorities"`
	PayLinked   *evaluators.Recognition `json:"pay_linked,omitempty"`       // the record by which it holds
	Pilot       *evaluators.Recognition `json:"pilot_recognised,omitempty"` // the record by which it holds
	RenewedBy   string                  `json:"renewed_by,omitempty"`       // id of the filing that goes on from it without a gap
	On          standards.Date          `json:"on"`
}

// FilingByID shows a filing as it stands on a date, by what is known now; today
// when the date is empty. Its institution and authorities of its region may see
// it. Invalid: the date does not exist.
func (r *Registry) FilingByID(ctx context.Context, by Actor, id string, on standards.Date) (out Filing, err error) {
	if on != "" && !on.Valid() {
		return Filing{}, fail.New(fail.Invalid, "date", "the date must be an existing day, for instance 2026-03-02").In("日期应为实际存在的日期，如 2026-03-02").
			At(fail.Field{Name: "on", Code: "date", ZH: "应为实际存在的日期", EN: "an existing day"})
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = Filing{}
		f, err := filingByID(rd, id)
		if err != nil {
			return err
		}
		inst, filed, past, err := recorded(rd, f.Institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		day := on
		if day == "" {
			day = standards.DateOf(now)
		}
		out = filingView(f, filed, past, day, now)
		return nil
	})
	return out, err
}

// filingView is pure.
func filingView(f evaluators.Filing, filed []evaluators.Filing, past []evaluators.Decision, on standards.Date, known time.Time) Filing {
	v := Filing{Filing: f, Prefix: f.Prefix(), State: f.StatusAt(past, on, known), ScopeNow: f.ScopeOn(on, known),
		Sites: f.SitesOn(on, known), Authorities: f.BodiesOn(on, known), On: on}
	v.StateZH = v.State.Chinese()
	if by, held := f.Recognised(evaluators.PayLinked, on, known); held {
		v.PayLinked = &by
	}
	if by, held := f.Recognised(evaluators.PilotRecognised, on, known); held {
		v.Pilot = &by
	}
	if next := f.InLine(filed, f.Until.AddDays(1), known); next.ID != f.ID {
		v.RenewedBy = next.ID
	}
	return v
}
