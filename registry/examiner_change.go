package registry

import (
	"context"
	"fmt"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// changeExaminer is the shape of every change of a card: load, ask may, let the
// rule decide, store, log.
func (r *Registry) changeExaminer(ctx context.Context, by Actor, id string, what EventKind,
	rule func(rules examiners.Rules, e examiners.Examiner, tx kv.Tx) (examiners.Examiner, any, error)) (ExaminerView, error) {
	var out ExaminerView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = ExaminerView{}
		e, err := examinerByID(tx, id)
		if err != nil {
			return err
		}
		do := ManageExaminers
		if e.Institution != "" && what == ExaminerRenewed {
			do = ManageExamStaff // whoever registers such a card renews it
		}
		if err := mayOnExaminer(by, do, e); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = r.examinerFor(tx, by, id, tx.Now())
			}
			return err
		}
		rules, err := r.peopleRules(e.Region, standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		changed, detail, err := rule(rules, e, tx)
		if err != nil {
			return err
		}
		if err := examinerCards.Put(tx, changed); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: what, Object: e.ID, Institution: e.Institution, Detail: detail}); err != nil {
			return err
		}
		if out, err = r.examinerView(tx, by, changed, tx.Now()); err != nil {
			return err
		}
		return remember(tx, by, e.ID)
	})
	if err != nil {
		return ExaminerView{}, fmt.Errorf("%s %s: %w", what, id, err)
	}
	return out, nil
}

// RenewExaminer adds a term to a card. Conflict: it is suspended or revoked.
func (r *Registry) RenewExaminer(ctx context.Context, by Actor, id string, t examiners.Term) (ExaminerView, error) {
	if bad := impersonal("document", t.Document); bad != nil {
		return ExaminerView{}, fail.New(fail.Invalid, "renewal_invalid", "the renewal is not right").In("换证信息有误").At(bad...)
	}
	return r.changeExaminer(ctx, by, id, ExaminerRenewed, func(rules examiners.Rules, e examiners.Examiner, tx kv.Tx) (examiners.Examiner, any, error) {
		e, err := e.Renew(rules, t, tx.Now())
		if err != nil {
			return e, nil, err
		}
		return e, e.Terms[len(e.Terms)-1], nil
	})
}

// SuspendExaminer suspends or revokes a card, by m.Kind. Conflict: the card's
// state does not allow it.
func (r *Registry) SuspendExaminer(ctx context.Context, by Actor, id string, m examiners.Measure) (ExaminerView, error) {
	bad := append(append(impersonal("reason", m.Reason), impersonal("basis", m.Basis)...), impersonal("document", m.Document)...)
	if len(bad) > 0 {
		return ExaminerView{}, fail.New(fail.Invalid, "measure_invalid", "the decision is not right").In("决定信息有误").At(bad...)
	}
	m.ID = r.rand.id("m")
	return r.changeExaminer(ctx, by, id, ExaminerMeasured, func(_ examiners.Rules, e examiners.Examiner, tx kv.Tx) (examiners.Examiner, any, error) {
		e, err := e.Hit(m, tx.Now())
		if err != nil {
			return e, nil, err
		}
		return e, e.Measures[len(e.Measures)-1], nil
	})
}

// RestoreExaminer ends the suspensions of a card. Conflict: it is not suspended.
func (r *Registry) RestoreExaminer(ctx context.Context, by Actor, id string, l examiners.Lift) (ExaminerView, error) {
	if bad := impersonal("document", l.Document); bad != nil {
		return ExaminerView{}, fail.New(fail.Invalid, "restoration_invalid", "the restoration is not right").In("恢复信息有误").At(bad...)
	}
	return r.changeExaminer(ctx, by, id, ExaminerRestored, func(_ examiners.Rules, e examiners.Examiner, tx kv.Tx) (examiners.Examiner, any, error) {
		e, err := e.Restore(l, tx.Now())
		return e, l, err
	})
}

// ExaminerAppeal is a step of an appeal against a measure.
type ExaminerAppeal struct {
	Measure  string `json:"measure"`
	Step     string `json:"step"`     // lodge, uphold or overturn
	Document string `json:"document"` // 文号 under which it was received or answered
}

// AppealExaminer records a step of an appeal against a measure: it was lodged, or
// answered. Conflict: the appeal's state does not allow it, or it is too late.
func (r *Registry) AppealExaminer(ctx context.Context, by Actor, id string, a ExaminerAppeal) (ExaminerView, error) {
	if bad := impersonal("document", a.Document); bad != nil {
		return ExaminerView{}, fail.New(fail.Invalid, "appeal_invalid", "the appeal is not right").In("申诉信息有误").At(bad...)
	}
	return r.changeExaminer(ctx, by, id, ExaminerAppealed, func(rules examiners.Rules, e examiners.Examiner, tx kv.Tx) (examiners.Examiner, any, error) {
		e, err := e.Contest(rules, a.Measure, a.Step, a.Document, tx.Now())
		return e, a, err
	})
}
