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

func institutionByID(rd kv.Reader, id string) (evaluators.Institution, error) {
	return need(rd, institutions, kv.Key(id), "institution", "评价机构", id)
}

func filingByID(rd kv.Reader, id string) (evaluators.Filing, error) {
	return need(rd, filings, kv.Key(id), "filing", "备案", id)
}

// maxDecisions bounds what is read in one scan to decide on one institution.
const maxDecisions = 1000

// decisionsOf returns every decision on an institution, in the order recorded:
// all of them, since one left out may be the suspension that counts.
func decisionsOf(rd kv.Reader, institution string) (out []evaluators.Decision, err error) {
	rng := kv.Prefix(kv.Key(institution))
	rng.Limit = maxDecisions
	for {
		page, next, err := decisions.Scan(rd, rng)
		if err != nil {
			return nil, err
		}
		if out = append(out, page...); next == nil {
			return out, nil
		}
		rng.From = next
	}
}

// filingsOf returns every filing of an institution.
func filingsOf(rd kv.Reader, institution string) ([]evaluators.Filing, error) {
	rng := kv.Prefix(kv.Key(institution))
	rng.Limit = maxDecisions
	out, _, err := filings.ScanIndex(rd, indexFilingsByInstitution, rng)
	return out, err
}

// recorded is everything on record about one institution.
func recorded(rd kv.Reader, id string) (inst evaluators.Institution, filed []evaluators.Filing, past []evaluators.Decision, err error) {
	if inst, err = institutionByID(rd, id); err != nil {
		return inst, nil, nil, err
	}
	if filed, err = filingsOf(rd, id); err != nil {
		return inst, nil, nil, err
	}
	past, err = decisionsOf(rd, id)
	return inst, filed, past, err
}

// Institution is an institution with its filings and decisions.
type Institution struct {
	evaluators.Institution
	Status    evaluators.Status     `json:"status"`
	Filings   []evaluators.Filing   `json:"filings"`
	Decisions []evaluators.Decision `json:"decisions,omitempty"`
}

// AdmitInstitution adds an institution 评价机构 to the register. Conflict: its
// 统一社会信用代码 is there already; blacklisted when that is why it may not return.
func (r *Registry) AdmitInstitution(ctx context.Context, by Actor, in evaluators.Institution) (evaluators.Institution, error) {
	in.ID = r.rand.id("i")
	var out evaluators.Institution
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Institution{}
		if err := may(by, AdmitInstitutions, Object{Region: in.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = institutionByID(tx, id)
			}
			return err
		}
		i, err := evaluators.Register(in, tx.Now())
		if err != nil {
			return err
		}
		if there, taken, err := institutions.Lookup(tx, indexInstitutionsByUSCC, kv.Key(i.USCC)); err != nil {
			return err
		} else if taken {
			if err := notBlacklisted(tx, there.ID); err != nil {
				return err
			}
			return fail.New(fail.Conflict, "institution_exists", "an institution with the credit code %s is in the register", i.USCC).
				In("统一社会信用代码 %s 的机构已在册", i.USCC)
		}
		if err := institutions.Put(tx, i); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: InstitutionAdmitted, Object: i.ID, Institution: i.ID, Detail: i}); err != nil {
			return err
		}
		out = i
		if err := remember(tx, by, i.ID); err != nil {
			return err
		}
		return bump(tx, counterDirectory())
	})
	if err != nil {
		return evaluators.Institution{}, fmt.Errorf("admit institution: %w", err)
	}
	return out, nil
}

// RecordFiling adds a filing 备案 to an institution. Conflict: another
// institution's filing has the same number parts at the same time, or an
// occupation of the scope is not known or reserved to 职业资格 (准入类).
func (r *Registry) RecordFiling(ctx context.Context, by Actor, in evaluators.Filing) (evaluators.Filing, error) {
	in.ID = r.rand.id("f")
	var out evaluators.Filing
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = evaluators.Filing{}
		inst, filed, past, err := recorded(tx, in.Institution)
		if err != nil {
			return err
		}
		if err := may(by, AdmitInstitutions, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = filingByID(tx, id)
			}
			return err
		}
		if bad := evaluators.CheckScope(r.starter, in.Scope); len(bad) > 0 {
			return fail.New(fail.Invalid, "scope", "the scope of the filing has mistakes").In("备案范围有误").At(bad...)
		}
		f, err := evaluators.Admit(inst, filed, past, in, tx.Now())
		if err != nil {
			return err
		}
		if _, err := mayUse(by, evaluators.PowerKeep, f, tx.Now()); err != nil {
			return err
		}
		if f, err = r.putFiling(tx, by, inst, f); err != nil {
			return err
		}
		out = f
		if err := remember(tx, by, f.ID); err != nil {
			return err
		}
		return bump(tx, counterDirectory())
	})
	if err != nil {
		return evaluators.Filing{}, fmt.Errorf("record filing: %w", err)
	}
	return out, nil
}

// numbersFree refuses a filing whose number parts belong to another institution:
// two issuers of one number space would issue the same number.
func numbersFree(rd kv.Reader, f evaluators.Filing) error {
	rng := kv.Prefix(kv.Key(f.Prefix()))
	rng.Limit = maxDecisions
	same, _, err := filings.ScanIndex(rd, indexFilingsByPrefix, rng)
	if err != nil {
		return err
	}
	for _, other := range same {
		if other.Institution != f.Institution {
			return fail.New(fail.Conflict, "number_parts_taken", "the number parts %s belong to another institution", f.Prefix()).
				In("编码前段 %s 已分配给其他机构", f.Prefix())
		}
	}
	return nil
}

// InstitutionByID shows an institution with everything recorded on it.
func (r *Registry) InstitutionByID(ctx context.Context, by Actor, id string) (Institution, error) {
	var out Institution
	err := r.view(ctx, func(rd kv.Reader, now time.Time) error {
		inst, err := institutionByID(rd, id)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		out, err = institutionView(rd, inst, now)
		return err
	})
	return out, err
}

func institutionView(rd kv.Reader, inst evaluators.Institution, now time.Time) (Institution, error) {
	fs, err := filingsOf(rd, inst.ID)
	if err != nil {
		return Institution{}, err
	}
	ds, err := decisionsOf(rd, inst.ID)
	if err != nil {
		return Institution{}, err
	}
	status, _ := inst.StatusAt(ds, standards.DateOf(now), now)
	return Institution{Institution: inst, Status: status, Filings: fs, Decisions: ds}, nil
}

// Institutions is one page of the public directory 目录: every institution with
// its filings; decisions are left out but for the status that follows from them.
func (r *Registry) Institutions(ctx context.Context, page Page) (out []Institution, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		found, cursor, err := scanPage(rd, institutions, kv.Range{}, page)
		if err != nil {
			return err
		}
		for _, inst := range found {
			v, err := institutionView(rd, inst, now)
			if err != nil {
				return err
			}
			v.Decisions = nil
			out = append(out, v)
		}
		next = cursor
		return nil
	})
	return out, next, err
}
