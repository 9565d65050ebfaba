package registry

import (
	"context"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// PublishedDecision is a decision as anybody may read it 双公示. It is about an
// institution, never about a person.
type PublishedDecision struct {
	Decision string `json:"decision"`
	Name     string `json:"institution_name"` // on the day of publication
	evaluators.Target
	Kind      evaluators.Kind `json:"kind"`
	KindZH    string          `json:"kind_zh"`
	Document  string          `json:"document,omitempty"`
	Basis     string          `json:"basis"`
	Reason    string          `json:"reason,omitempty"`
	Note      string          `json:"note,omitempty"` // what was published beside it
	Effective standards.Date  `json:"effective"`
	Until     standards.Date  `json:"until,omitempty"`
	Due       standards.Date  `json:"due,omitempty"`
	Published time.Time       `json:"published"`
	// ShownUntil is the last day on which it is shown; none when it stays.
	ShownUntil standards.Date `json:"shown_until,omitempty"`
	// Withdrawn is the day from which a review has revoked it.
	Withdrawn standards.Date `json:"withdrawn,omitempty"`
}

// publish makes a decision public when its kind is by the rules.
func publish(tx kv.Tx, inst evaluators.Institution, rules cases.Rules, d evaluators.Decision, note string) error {
	if !rules.Of(d.Kind).Publish {
		return nil
	}
	today := standards.DateOf(tx.Now())
	p := PublishedDecision{Decision: d.ID, Name: inst.NameOn(today, tx.Now()), Target: d.Target, Kind: d.Kind, KindZH: d.Kind.Chinese(),
		Document: d.Document, Basis: d.Basis, Reason: d.Reason, Note: note, Effective: d.Effective, Until: d.Until, Due: d.Due, Published: tx.Now()}
	if rules.ShownDays > 0 {
		p.ShownUntil = today.AddDays(rules.ShownDays)
		if p.ShownUntil < d.Until {
			p.ShownUntil = d.Until // what still holds is still shown
		}
	}
	return publications.Put(tx, p)
}

// withdraw marks published decisions as revoked.
func withdraw(tx kv.Tx, ids []string) error {
	for _, id := range ids {
		p, ok, err := publications.Lookup(tx, indexPublicationsByID, kv.Key(id))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		p.Withdrawn = standards.DateOf(tx.Now())
		if err := publications.Put(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// PublishedDecisions is one page of the decisions that are public, the newest
// first. Those whose time is over are left out, so that a page may have fewer
// than its limit and still not be the last.
func (r *Registry) PublishedDecisions(ctx context.Context, page Page) (out []PublishedDecision, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		found, cursor, err := scanPage(rd, publications, kv.Range{Reverse: true}, page)
		if err != nil {
			return err
		}
		for _, p := range found {
			if p.ShownUntil == "" || standards.DateOf(now) <= p.ShownUntil {
				out = append(out, p)
			}
		}
		next = cursor
		return nil
	})
	return out, next, err
}
