package registry

import (
	"context"
	"fmt"
	"strings"

	"bajigong/evaluators"
	"bajigong/internal/fail"
)

// ChangeScope extends or shrinks the scope of a filing 扩项、减项. Only the 备案机关
// may. Invalid: the change or its items are wrong, an item is not in the
// catalogue or is of the 准入类; Conflict: the filing is over.
func (r *Registry) ChangeScope(ctx context.Context, by Actor, filing string, in evaluators.ScopeChange) (evaluators.Filing, error) {
	if err := mustBeImpersonal("document", in.Document, "reason", in.Reason); err != nil {
		return evaluators.Filing{}, err
	}
	return r.changeFiling(ctx, by, filing, evaluators.PowerKeep, FilingScopeChanged, func(c filingChange) (evaluators.Filing, any, error) {
		if in.Kind == evaluators.Extend {
			if bad := evaluators.CheckScope(r.starter, in.Items); len(bad) > 0 {
				for i := range bad {
					bad[i].Name = strings.Replace(bad[i].Name, "scope[", "items[", 1)
				}
				return c.filing, nil, fail.New(fail.Invalid, "scope", "the scope has mistakes: %s", bad[0].EN).In("备案范围有误：%s", bad[0].ZH).At(bad...)
			}
		}
		f, err := c.filing.ChangeScope(c.past, in, c.now)
		if err != nil {
			return f, nil, err
		}
		return f, f.ScopeChanges[len(f.ScopeChanges)-1], nil
	})
}

// ChangeSite opens, changes, suspends, resumes or closes a place of examination
// 考点. The 备案机关 may all of it; the 属地监管机关 may suspend, and resume what it
// suspended. Conflict: the state of the site does not allow it.
func (r *Registry) ChangeSite(ctx context.Context, by Actor, filing string, in evaluators.SiteChange) (evaluators.Filing, error) {
	if err := mustBeImpersonal("document", in.Document, "reason", in.Reason, "name", in.Name, "address", in.Address); err != nil {
		return evaluators.Filing{}, err
	}
	power := evaluators.PowerKeep
	if in.Kind == evaluators.SuspendSite || in.Kind == evaluators.ResumeSite {
		power = evaluators.PowerSuspendSite
	}
	return r.changeFiling(ctx, by, filing, power, FilingSiteChanged, func(c filingChange) (evaluators.Filing, any, error) {
		change := in
		change.Relation = c.relation
		f, err := c.filing.ChangeSite(c.past, change, c.now)
		if err != nil {
			return f, nil, err
		}
		return f, f.SiteChanges[len(f.SiteChanges)-1], nil
	})
}

// AdmitGroup widens whom a filing of class Y may examine. Conflict: the filing is
// of another class.
func (r *Registry) AdmitGroup(ctx context.Context, by Actor, filing string, in evaluators.AdmittedGroup) (evaluators.Filing, error) {
	if err := mustBeImpersonal("document", in.Document, "reason", in.Reason); err != nil {
		return evaluators.Filing{}, err
	}
	return r.changeFiling(ctx, by, filing, evaluators.PowerKeep, FilingGroupAdmitted, func(c filingChange) (evaluators.Filing, any, error) {
		f, err := c.filing.AdmitGroup(in, c.now)
		if err != nil {
			return f, nil, err
		}
		return f, f.Groups[len(f.Groups)-1], nil
	})
}

// Recognise records 薪酬挂钩 or 试点认定 of a filing of class Y, or its end.
// Conflict: the filing is of another class, or nothing is there to end.
func (r *Registry) Recognise(ctx context.Context, by Actor, filing string, in evaluators.Recognition) (evaluators.Filing, error) {
	if err := mustBeImpersonal("document", in.Document, "reason", in.Reason); err != nil {
		return evaluators.Filing{}, err
	}
	return r.changeFiling(ctx, by, filing, evaluators.PowerKeep, FilingRecognised, func(c filingChange) (evaluators.Filing, any, error) {
		f, err := c.filing.Recognise(in, c.now)
		if err != nil {
			return f, nil, err
		}
		return f, f.Recognitions[len(f.Recognitions)-1], nil
	})
}

// Supervise records who stands in which relation to a filing, instead of what
// the rule file gave.
func (r *Registry) Supervise(ctx context.Context, by Actor, filing string, in evaluators.Supervision) (evaluators.Filing, error) {
	texts := []string{"document", in.Document, "reason", in.Reason}
	for i, b := range in.Bodies {
		texts = append(texts, fmt.Sprintf("bodies[%d].zh", i), b.ZH, fmt.Sprintf("bodies[%d].en", i), b.EN)
	}
	if err := mustBeImpersonal(texts...); err != nil {
		return evaluators.Filing{}, err
	}
	in.Rules = ""
	return r.changeFiling(ctx, by, filing, evaluators.PowerKeep, FilingSupervised, func(c filingChange) (evaluators.Filing, any, error) {
		f, err := c.filing.Supervise(in, c.now)
		if err != nil {
			return f, nil, err
		}
		return f, f.Bodies[len(f.Bodies)-1], nil
	})
}
