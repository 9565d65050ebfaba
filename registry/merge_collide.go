package registry

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// mergeClaimsMost is how many claims the two persons of a merge may have together,
// those that were refused left out: what they collide in is found and recorded in one
// Update. More need the operator.
const mergeClaimsMost = 100

// colliding is a claim that would not have been allowed beside others.
type colliding struct {
	newer   Claim
	against []Claim
	failing []policy.Failure
}

// mergeSides is all that two persons have who are to be one.
type mergeSides struct {
	own    map[PersonID]bool // ids of the first of them
	claims []Claim           // of both, in the order of the log
	held   []holding         // of both
}

func (r *Registry) sidesOf(rd kv.Reader, a, b []PersonID) (s mergeSides, err error) {
	s.own = map[PersonID]bool{}
	for _, p := range a {
		s.own[p] = true
	}
	both := append(slices.Clone(a), b...)
	if s.claims, err = claimsUnderAll(rd, both); err != nil {
		return s, err
	}
	if n := countFunc(s.claims, func(c Claim) bool { return c.State != StateRefused }); n > mergeClaimsMost { // refused ones collide with nothing
		return s, fail.New(fail.Conflict, "too_many_claims", "these two persons have %d claims together, more than %d; ask the register's operator for a review", n, mergeClaimsMost).
			In("两人申领记录合计 %d 条，超过 %d 条，请联系登记系统运营方复核", n, mergeClaimsMost)
	}
	s.held, err = r.holdingsUnder(rd, both)
	return s, err
}

func countFunc[V any](all []V, is func(V) bool) (n int) {
	for _, v := range all {
		if is(v) {
			n++
		}
	}
	return n
}

// side are the claims and holdings of the person whose id p is.
func (s mergeSides) side(p PersonID) mergeSides {
	out := mergeSides{own: s.own}
	for _, c := range s.claims {
		if s.own[c.Person] == s.own[p] {
			out.claims = append(out.claims, c)
		}
	}
	for _, h := range s.held {
		if s.own[h.Person] == s.own[p] {
			out.held = append(out.held, h)
		}
	}
	return out
}

// collidingClaims decides every claim of both again, in the order of the log and
// under the policy it was decided by, as if the two had always been one, and
// answers those that would have been refused then, as far as their money is still
// locked, under way or in the person's hands. What did not collide with the claims
// of its own person does not collide now.
func (r *Registry) collidingClaims(rd kv.Reader, s mergeSides, now time.Time) (out []colliding, err error) {
	for _, c := range s.claims {
		if !c.counts(now) {
			continue
		}
		var one colliding
		if c.Imported != nil {
			one, err = r.collidesInThePast(rd, c, s, now)
		} else {
			one, err = r.collidesWith(rd, c, s, now)
		}
		if err != nil {
			return nil, err
		}
		stands := len(one.against) == 0 || slices.ContainsFunc(one.against, func(a Claim) bool { return a.counts(now) })
		if len(one.failing) > 0 && stands {
			out = append(out, one)
		}
	}
	return out, nil
}

// counts reports whether a claim stands in the way of others now.
func (c Claim) counts(now time.Time) bool {
	switch c.StateAt(now).Counts() {
	case policy.CountsYes:
		return true
	case policy.CountsByRefund:
		return c.Refund != nil && !c.Refund.Restores
	}
	return false
}

// countsSince is when a claim began to stand in the way of others, with the entry of
// the log: with its reservation, or where that had ended with the payment that was
// reported late, also when the bank has returned it since, or with the correction that
// took a refund away.
func (c Claim) countsSince() (at time.Time, index uint64) {
	at, index = c.Reserved, c.LogIndex
	for _, s := range c.viewSteps() {
		if s.State.Counts() != policy.CountsYes || s.LogIndex == c.LogIndex {
			continue
		}
		if was, _ := c.before(s.LogIndex); !was.counts(s.At) {
			at, index = s.At, s.LogIndex
		}
	}
	return at, index
}

// collidesWith asks the rules that rest on claims and holdings again about one
// claim, once with its own person's records and once with those of both.
func (r *Registry) collidesWith(rd kv.Reader, c Claim, s mergeSides, now time.Time) (out colliding, err error) {
	law, err := r.policyOf(rd, c)
	if err != nil {
		return out, fail.New(fail.Conflict, "merge_policy", "claim %s was decided by policy %s version %d, which is not in this register any more: it cannot be decided again", c.ID, c.Policy, c.PolicyVersion).
			In("申领 %s 依据的政策 %s 第 %d 版已不在系统中，无法复核", c.ID, c.Policy, c.PolicyVersion)
	}
	basis, _, err := r.claimBasis(rd, c)
	if err != nil {
		return out, err
	}
	out.newer = c
	apart := law.Taken(r.inputAgain(rd, c, law, basis, s.side(c.Person)))
	in := r.inputAgain(rd, c, law, basis, s)
	for _, f := range law.Taken(in) {
		if !slices.ContainsFunc(apart, func(o policy.Failure) bool { return o.Rule == f.Rule && len(o.Blocks) >= len(f.Blocks) }) {
			out.failing = append(out.failing, f)
		}
	}
	if len(out.failing) > 0 {
		out.against = standingAgainst(law, in, out.failing, s.claims)
		if counts := func(a Claim) bool { return a.counts(now) }; !slices.ContainsFunc(out.against, counts) {
			// Beside claims that held money then, a refund that keeps the right is not named.
			if left := standingAgainst(law, among(in, s.claims, counts), out.failing, s.claims); len(left) > 0 {
				out.against = left
			}
		}
	}
	return out, nil
}

// among is in with those of its claims alone that are as is says.
func among(in policy.Input, all []Claim, is func(Claim) bool) policy.Input {
	in.Claims = slices.DeleteFunc(slices.Clone(in.Claims), func(p policy.PastClaim) bool {
		return !slices.ContainsFunc(all, func(c Claim) bool { return c.ID == p.ID && is(c) })
	})
	return in
}

// collidesInThePast is collidesWith for a payment of the past, which was decided by
// no policy here: it is held against the earlier ones of both, as when a ledger is
// taken over. Claims decided here are held against it by collidesWith.
func (r *Registry) collidesInThePast(rd kv.Reader, c Claim, s mergeSides, now time.Time) (out colliding, err error) {
	earlier := func(all []Claim) (out []Claim) {
		for _, o := range all {
			if o.Imported != nil && cmp.Or(o.Reserved.Compare(c.Reserved), cmp.Compare(o.LogIndex, c.LogIndex), cmp.Compare(o.ID, c.ID)) < 0 {
				out = append(out, o)
			}
		}
		return out
	}
	_, apart, err := r.standsAgainst(rd, c, earlier(s.side(c.Person).claims), now)
	if err != nil {
		return out, err
	}
	failing, against, err := r.standsAgainst(rd, c, earlier(s.claims), now)
	if err != nil || len(against) <= len(apart) {
		return out, err // what did not need both did not come with the merge
	}
	return colliding{newer: c, against: against, failing: failing}, nil
}

// inputAgain is what the rules were asked about a claim, with the claims and
// holdings of s as they stood when it began to stand in the way of others. Imported payments are there whenever they
// were taken over: they were made before.
func (r *Registry) inputAgain(rd kv.Reader, c Claim, law policy.Policy, basis claimBasis, s mergeSides) policy.Input {
	at, index := c.countsSince()
	in := policy.Input{Now: at, Received: basis.Received, Payer: c.Payer, Equivalence: r.samenessOn(standards.DateOf(at))}
	for _, h := range s.held {
		if !h.received.Before(at) && !slices.Contains(basis.Certificates, h.Number) {
			continue
		}
		seen := claimed(h.Certificate, h.statusBefore(index), standards.DateOf(at))
		in.Others = append(in.Others, seen)
		if h.Number == c.Certificate {
			in.Certificate = seen
		}
	}
	var past []Claim
	for _, other := range s.claims {
		if other.Imported != nil {
			past = append(past, other)
		} else if was, there := other.before(index); there {
			past = append(past, was)
		}
	}
	in.Claims, in.Facts = pastClaims(law, past, c.ID, basis.Facts)
	in, _ = r.complete(rd, in, basis) // a table that is gone leaves that of the day
	return in
}

// standingAgainst are the claims that make the rules fail. The rules name them to
// their own payer only, so they are asked once more as if there were one payer.
func standingAgainst(law policy.Policy, in policy.Input, failing []policy.Failure, all []Claim) (out []Claim) {
	in.Payer, in.Claims = "one", slices.Clone(in.Claims)
	for i := range in.Claims {
		in.Claims[i].Payer = in.Payer
	}
	named := map[string]bool{}
	for _, f := range law.Taken(in) {
		if slices.ContainsFunc(failing, func(o policy.Failure) bool { return o.Rule == f.Rule }) {
			for _, b := range f.Blocks {
				named[b.Claim] = true
			}
		}
	}
	for _, c := range all {
		if named[c.ID] {
			out = append(out, c)
		}
	}
	return out
}

// recordCollisions opens a collision for each, with ids that begin with base.
func (r *Registry) recordCollisions(tx kv.Tx, by Actor, m Merge, found []colliding, base string) (ids []string, err error) {
	for i, one := range found {
		id := fmt.Sprintf("%s-%d", base, i+1)
		opened, err := r.openCollision(tx, by, Collision{ID: id, Source: FromMerge, Merge: m.ID, Person: one.newer.Person, Rules: one.failing}, one.newer, one.against)
		if err != nil {
			return nil, err
		}
		if opened {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
