package registry

import (
	"context"

	"bajigong/evaluators/credit"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// The hooks that other use cases call inside their own View or Update.

func (r *Registry) HookBarred(ctx context.Context, documents []standards.Document, examiners []string, on standards.Date) (persons map[PersonID]Bar, byID map[string]Bar, ids []PersonID, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		ids = nil
		for _, d := range documents {
			p, _, err := r.personByDocument(rd, d)
			if err != nil {
				return err
			}
			ids = append(ids, p)
		}
		if persons, err = r.barredPersons(rd, ids, on); err != nil {
			return err
		}
		byID, err = r.barredExaminers(rd, examiners, on)
		return err
	})
	return persons, byID, ids, err
}

func (r *Registry) HookListed(ctx context.Context, institution string, q credit.ListQuery) (out []credit.Entry, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		out, err = r.listed(rd, institution, q)
		return err
	})
	return out, err
}

// HookRecordCredit enters several events in one Update, as a report with several
// findings does.
func (r *Registry) HookRecordCredit(ctx context.Context, by Actor, events ...credit.Event) (out []credit.Event, err error) {
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = nil
		for _, ev := range events {
			one, err := r.recordCredit(tx, by, ev)
			if err != nil {
				return err
			}
			out = append(out, one)
		}
		return nil
	})
	return out, err
}
