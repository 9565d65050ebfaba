package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

func applicationByID(rd kv.Reader, id string) (evaluators.Application, error) {
	return need(rd, applications, kv.Key(id), "application", "备案申请", id)
}

// authorityOver is the object of what an authority does with an application: the
// 备案机关 it was made to, or the province when that is the ministry.
func authorityOver(a evaluators.Application) Object {
	f := evaluators.Filing{Authority: a.Authority, Province: a.Province}
	return Object{Region: f.Keeper()}
}

// mayApply asks for the applicant's side: the institution itself, or the
// authority on its behalf.
func mayApply(by Actor, a evaluators.Application) error {
	about := authorityOver(a)
	about.Institution = a.Institution
	return may(by, ApplyForFiling, about)
}

func (r *Registry) checkForm(form evaluators.ApplicationForm) error {
	if err := mustBeImpersonal("site_name", form.SiteName, "site_address", form.SiteAddress, "note", form.Note); err != nil {
		return err
	}
	if bad := evaluators.CheckScope(r.starter, form.Scope); len(bad) > 0 {
		return fail.New(fail.Invalid, "scope", "the scope has mistakes: %s", bad[0].EN).In("备案范围有误：%s", bad[0].ZH).At(bad...)
	}
	return nil
}

// ApplyForFiling takes an application for a filing 备案申请, or for the renewal 续期
// of one. Invalid: the form is not right, or the scope has an occupation of the
// 准入类; Conflict: the institution has ended, or what it renews cannot be renewed.
func (r *Registry) ApplyForFiling(ctx context.Context, by Actor, institution string, form evaluators.ApplicationForm) (evaluators.Application, error) {
	if err := r.checkForm(form); err != nil {
		return evaluators.Application{}, err
	}
	id := r.rand.id("p")
	var out evaluators.Application
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Application{}
		in := evaluators.Application{ID: id, Institution: institution, ApplicationForm: form}
		if err := mayApply(by, in); err != nil {
			return err
		}
		if old, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = applicationByID(tx, old)
			}
			return err
		}
		inst, filed, past, err := recorded(tx, institution)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(institution))
		rng.Limit = bulkPage
		pending, _, err := applications.ScanIndex(tx, indexApplicationsPending, rng)
		if err != nil {
			return err
		}
		a, err := evaluators.Apply(inst, filed, past, pending, in, tx.Now())
		if err != nil {
			return err
		}
		if err := applications.Put(tx, a); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: FilingApplied, Object: a.ID, Institution: inst.ID, Detail: a}); err != nil {
			return err
		}
		out = a
		return remember(tx, by, a.ID)
	})
	if err != nil {
		return evaluators.Application{}, fmt.Errorf("apply for a filing: %w", err)
	}
	return out, nil
}

// moveApplication loads an application, asks allowed, lets move decide, stores
// and logs. move may itself put what follows from the step.
func (r *Registry) moveApplication(ctx context.Context, by Actor, id string, allowed func(evaluators.Application) error,
	move func(tx kv.Tx, a evaluators.Application) (evaluators.Application, error)) (evaluators.Application, error) {
	var out evaluators.Application
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Application{}
		a, err := applicationByID(tx, id)
		if err != nil {
			return err
		}
		if err := allowed(a); err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			out = a
			return err
		}
		next, err := move(tx, a)
		if err != nil {
			return err
		}
		if err := applications.Put(tx, next); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: ApplicationMoved, Object: a.ID, Institution: a.Institution,
			Detail: map[string]any{"state": next.State, "act": next.History[len(next.History)-1], "filing": next.Filing}}); err != nil {
			return err
		}
		out = next
		return remember(tx, by, a.ID)
	})
	if err != nil {
		return evaluators.Application{}, fmt.Errorf("application %s: %w", id, err)
	}
	return out, nil
}

func applicantSide(by Actor) func(evaluators.Application) error {
	return func(a evaluators.Application) error { return mayApply(by, a) }
}

func authoritySide(by Actor) func(evaluators.Application) error {
	return func(a evaluators.Application) error {
		err := may(by, KeepFilings, authorityOver(a))
		if err != nil && by.has(RoleAuthority) {
			return fail.New(fail.Forbidden, "not_filing_authority", "this application is for the filing authority %s to decide", a.Authority).
				In("该申请应由备案机关 %s 办理", a.Authority)
		}
		return err
	}
}

// SupplementApplication hands an application in anew after it was returned 补正.
func (r *Registry) SupplementApplication(ctx context.Context, by Actor, id string, form evaluators.ApplicationForm) (evaluators.Application, error) {
	if err := r.checkForm(form); err != nil {
		return evaluators.Application{}, err
	}
	return r.moveApplication(ctx, by, id, applicantSide(by), func(tx kv.Tx, a evaluators.Application) (evaluators.Application, error) {
		inst, filed, past, err := recorded(tx, a.Institution)
		if err != nil {
			return a, err
		}
		return a.Supplement(inst, filed, past, form, tx.Now())
	})
}

// WithdrawApplication ends an application at the applicant's wish 撤回.
func (r *Registry) WithdrawApplication(ctx context.Context, by Actor, id, reason string) (evaluators.Application, error) {
	if err := mustBeImpersonal("reason", reason); err != nil {
		return evaluators.Application{}, err
	}
	return r.moveApplication(ctx, by, id, applicantSide(by), func(tx kv.Tx, a evaluators.Application) (evaluators.Application, error) {
		return a.Withdraw(reason, tx.Now())
	})
}

// ReturnApplication asks for corrections, all at once 一次性告知.
func (r *Registry) ReturnApplication(ctx context.Context, by Actor, id, reason string) (evaluators.Application, error) {
	if err := mustBeImpersonal("reason", reason); err != nil {
		return evaluators.Application{}, err
	}
	return r.moveApplication(ctx, by, id, authoritySide(by), func(tx kv.Tx, a evaluators.Application) (evaluators.Application, error) {
		return a.Return(reason, tx.Now())
	})
}

// RefuseApplication ends an application with a reason and its basis 不予备案.
func (r *Registry) RefuseApplication(ctx context.Context, by Actor, id, reason, basis string) (evaluators.Application, error) {
	if err := mustBeImpersonal("reason", reason, "basis", basis); err != nil {
		return evaluators.Application{}, err
	}
	return r.moveApplication(ctx, by, id, authoritySide(by), func(tx kv.Tx, a evaluators.Application) (evaluators.Application, error) {
		return a.Refuse(reason, basis, tx.Now())
	})
}

// AdmitApplication makes the filing that was applied for 予以备案. Invalid: number
// parts, dates, ranges or a scope wider than applied for; Conflict: another
// institution has the number parts, or what [evaluators.Admit] refuses.
func (r *Registry) AdmitApplication(ctx context.Context, by Actor, id string, in evaluators.Admission) (evaluators.Application, error) {
	if err := mustBeImpersonal("document", in.Document); err != nil {
		return evaluators.Application{}, err
	}
	in.Filing = r.rand.id("f")
	return r.moveApplication(ctx, by, id, authoritySide(by), func(tx kv.Tx, a evaluators.Application) (evaluators.Application, error) {
		inst, filed, past, err := recorded(tx, a.Institution)
		if err != nil {
			return a, err
		}
		// The catalogue may have changed since the application.
		if bad := evaluators.CheckScope(r.starter, a.Scope); len(bad) > 0 {
			return a, fail.New(fail.Invalid, "scope", "the scope has mistakes: %s", bad[0].EN).In("备案范围有误：%s", bad[0].ZH).At(bad...)
		}
		next, f, err := a.Admit(inst, filed, past, in, tx.Now())
		if err != nil {
			return a, err
		}
		if _, err := r.putFiling(tx, by, inst, f); err != nil {
			return a, err
		}
		return next, bump(tx, counterDirectory())
	})
}

// ApplicationByID shows one application to its institution and the authority.
func (r *Registry) ApplicationByID(ctx context.Context, by Actor, id string) (out evaluators.Application, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = applicationByID(rd, id)
		if err != nil {
			return err
		}
		if err := mayApply(by, out); err != nil {
			out = evaluators.Application{}
			return err
		}
		return nil
	})
	return out, err
}

// Applications is one page of an institution's applications, or, without an
// institution, of the open ones made to an authority, the oldest first.
func (r *Registry) Applications(ctx context.Context, by Actor, institution, authority string, page Page) (out []evaluators.Application, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		if institution = strings.TrimSpace(institution); institution != "" {
			inst, err := institutionByID(rd, institution)
			if err != nil {
				return err
			}
			if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
				return err
			}
			out, next, err = scanIndexPage(rd, applications, indexApplicationsByInstitution, kv.Prefix(kv.Key(institution)), page)
			return err
		}
		if err := may(by, KeepFilings, Object{Region: authority}); err != nil {
			return err
		}
		out, next, err = scanIndexPage(rd, applications, indexApplicationsOpen, kv.Prefix(kv.Key(authority)), page)
		return err
	})
	return out, next, err
}
