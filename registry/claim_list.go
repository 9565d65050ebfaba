package registry

import (
	"context"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// The classes of claims that something is still to be done about: an index has
// them by payer and moment, and forgets a claim when its state moves on.
const (
	openLock = "lock" // reserved or publicised, by the end of the lock
	openPay  = "pay"  // to be paid, by since when
	openOwed = "owed" // money to be recovered, by since when
)

// openClaimKeys are the entries of a claim in that index: one or none.
func openClaimKeys(c Claim) [][]byte {
	var class string
	var at time.Time
	switch {
	case c.State.Expires():
		class, at = openLock, c.Expires
	case c.State == policy.Payable:
		class, at = openPay, c.Since
	case c.State.MustRecover() && c.Recovery != nil:
		class, at = openOwed, c.Recovery.Opened
	default:
		return nil
	}
	return [][]byte{kv.Key(c.Payer, class, uint64(at.Unix()), c.ID)}
}

// payoutClaimKeys are the entries of a claim in the index of what a payout did.
func payoutClaimKeys(c Claim) (out [][]byte) {
	for _, s := range c.Steps {
		if s.Payout != "" {
			out = append(out, kv.Key(s.Payout, uint64(s.Line), c.ID))
		}
	}
	return out
}

// claimsInFull gives the claims of a store of the first release their place in the
// lists that came after it.
func claimsInFull(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	next, err = claims.Reindex(tx, kv.Range{From: cursor, Limit: migrationPage})
	return next, next == nil, err
}

// ClaimFilter narrows a list of a payer's claims. Payer is the caller's own when
// empty; an auditor names one, and sees those of its region.
type ClaimFilter struct {
	Payer string
	State policy.State   // as of the answer; empty: any
	From  standards.Date // first and last day of the reservation, in Asia/Shanghai
	To    standards.Date
	// Institution issued the certificates. Then the claims are those of all payers
	// whose region the caller oversees, unless Payer names one.
	Institution string
}

// Claims is one page of a payer's own claims, by reference.
func (r *Registry) Claims(ctx context.Context, by Actor, page Page) (out []ClaimView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		if err := may(by, ReadClaim, Object{Payer: by.Organisation, Region: by.Region}); err != nil {
			return err
		}
		if by.Organisation == "" {
			return nil
		}
		cs, cursor, err := scanIndexPage(rd, claims, indexClaimsByReference, kv.Prefix(kv.Key(by.Organisation)), page)
		if err != nil {
			return err
		}
		for _, c := range cs {
			out = append(out, c.View(now))
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// ClaimsWhere is one page of a payer's claims in the order of their reservations.
// With a state it may be shorter than asked for, or empty, and yet not the last:
// next says. Invalid query: the filter cannot be.
func (r *Registry) ClaimsWhere(ctx context.Context, by Actor, f ClaimFilter, page Page) (out []ClaimView, next string, err error) {
	if f.State != "" && f.State != StateRefused && f.State.Name() == (policy.Text{}) {
		return nil, "", badFilter("state", "没有该状态", "there is no such state")
	}
	if f.Institution != "" {
		return r.claimsOfInstitution(ctx, by, f, page)
	}
	rng := func(payer string) kv.Range {
		rng := kv.Prefix(kv.Key(payer))
		if f.From != "" {
			rng.From = kv.Key(payer, uint64(f.From.Time().Unix()))
		}
		if f.To != "" {
			rng.To = kv.Key(payer, uint64(f.To.AddDays(1).Time().Unix()))
		}
		return rng
	}
	return r.listClaims(ctx, by, f.Payer, indexClaimsByPayer, func(payer string, _ time.Time) (kv.Range, error) { return rng(payer), nil },
		func(v ClaimView) bool { return f.State == "" || v.State == f.State }, page)
}

func badFilter(field, zh, en string) error {
	return fail.New(fail.Invalid, "query", "the parameter %s cannot be read", field).In("参数 %s 无法识别", field).
		At(fail.Field{Name: field, Code: "form", ZH: zh, EN: en})
}

// listClaims is one page of the claims of a payer in the order of an index.
func (r *Registry) listClaims(ctx context.Context, by Actor, payer string, index kv.Table, within func(payer string, now time.Time) (kv.Range, error),
	keep func(ClaimView) bool, page Page) (out []ClaimView, next string, err error) {
	if payer == "" {
		payer = by.Organisation
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		if err := may(by, ReadClaim, Object{Payer: payer, Region: by.Region}); err != nil {
			return err
		}
		if payer == "" || len(payer) > 200 {
			return badFilter("payer", "请填写补贴经办机构", "name the payer")
		}
		rng, err := within(payer, now)
		if err != nil {
			return err
		}
		cs, cursor, err := scanIndexPage(rd, claims, index, rng, page)
		if err != nil {
			return err
		}
		for _, c := range cs {
			if may(by, ReadClaim, Object{Payer: c.Payer, Region: c.Region}) != nil {
				continue // of a region that this auditor does not have
			}
			if v := c.View(now); keep(v) {
				out = append(out, v)
			}
		}
		next = cursor
		return nil
	})
	return out, next, err
}

func every(ClaimView) bool { return true }

// ExpiringClaims is one page of a payer's claims whose lock runs out within so many
// days, the first to do so first: what is to be publicised, paid, extended or
// released before. With 0 days the rules of the caller's region say how many.
func (r *Registry) ExpiringClaims(ctx context.Context, by Actor, payer string, days int, page Page) ([]ClaimView, string, error) {
	if days < 0 || days > 366 {
		return nil, "", badFilter("days", "天数应为 1 至 366", "days is 1 to 366")
	}
	return r.listClaims(ctx, by, payer, indexClaimsOpen, func(payer string, now time.Time) (kv.Range, error) {
		if days == 0 {
			rules, err := r.lockRules(by.Region, now)
			if err != nil {
				return kv.Range{}, err
			}
			if days = rules.WarnDays; days == 0 {
				return kv.Range{}, badFilter("days", "本地区规则未规定预警天数，请填写天数", "the rules of the region name no days; say how many")
			}
		}
		until := now.Add(time.Duration(days) * 24 * time.Hour)
		return kv.Range{From: kv.Key(payer, openLock, uint64(now.Unix())+1), To: kv.Key(payer, openLock, uint64(until.Unix())+1)}, nil
	}, every, page)
}

// OverdueClaims is one page of a payer's claims that are to be paid for longer than
// the rules of the caller's region let them be, the longest first. Invalid: the
// rules know no such time.
func (r *Registry) OverdueClaims(ctx context.Context, by Actor, payer string, page Page) ([]ClaimView, string, error) {
	return r.listClaims(ctx, by, payer, indexClaimsOpen, func(payer string, now time.Time) (kv.Range, error) {
		rules, err := r.lockRules(by.Region, now)
		if err != nil {
			return kv.Range{}, err
		}
		before, ok := rules.Overdue(now)
		if !ok {
			return kv.Range{}, fail.New(fail.Conflict, "no_overdue_rule", "the rules of the region (%s) do not say when a payment is late", rules.Name.EN).
				In("本地区规则（%s）未规定拨付期限", rules.Name.ZH)
		}
		return kv.Range{From: kv.Key(payer, openPay), To: kv.Key(payer, openPay, uint64(before.Unix())+1)}, nil
	}, every, page)
}

// OwedClaims is one page of a payer's claims whose money has to come back and is
// not all back, the oldest recovery first.
func (r *Registry) OwedClaims(ctx context.Context, by Actor, payer string, page Page) ([]ClaimView, string, error) {
	return r.listClaims(ctx, by, payer, indexClaimsOpen, func(payer string, _ time.Time) (kv.Range, error) {
		return kv.Prefix(kv.Key(payer, openOwed)), nil
	}, every, page)
}
