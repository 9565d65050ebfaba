package torture

import (
	"context"
	"errors"

	"bajigong/registry"
	"bajigong/registry/policy"
)

// VerifyStorm holds the register, when the storm is over, to what its processes
// acknowledged: nothing of it is lost, no certificate is paid for twice, every
// batch is whole, and every invariant holds.
func (s *Scene) VerifyStorm(ctx context.Context, reg *registry.Registry, acks []Ack) (Report, error) {
	v := &verifier{Scene: s, reg: reg, public: map[string]bool{}, report: Report{Acknowledged: Count(acks), Problems: []string{}}}
	for _, step := range []func(context.Context, []Ack) error{v.sessions, v.strays, v.stormAcks, v.stormClaims, v.check} {
		if err := step(ctx, acks); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

// stormAcks is acknowledged without the claims, which are many.
func (v *verifier) stormAcks(ctx context.Context, acks []Ack) error {
	var rest []Ack
	for _, a := range acks {
		if a.Did != Claimed {
			rest = append(rest, a)
		}
	}
	return v.acknowledged(ctx, rest)
}

// stormClaims: every acknowledged claim is in the acknowledged state, or in one that
// follows it; and of all claims, acknowledged or not, one at most is paid for each
// certificate, and none twice.
func (v *verifier) stormClaims(ctx context.Context, acks []Ack) error {
	said := map[string]Ack{}
	for _, a := range acks {
		if a.Did == Claimed {
			said[a.Claim] = a // the last one counts: each claim is one process's
		}
	}
	paid, held := map[string]string{}, map[string]string{}
	for page := (registry.Page{Limit: 500}); ; {
		list, next, err := v.reg.Claims(ctx, v.payer(), page)
		if err != nil {
			return err
		}
		for _, c := range list {
			if a, ok := said[c.ID]; ok {
				v.stormClaim(a, c)
				delete(said, c.ID)
			}
			switch c.State {
			case policy.Reserved:
				v.once(held, "reserved", c)
			case policy.Confirmed:
				v.once(paid, "paid", c)
			case policy.Duplicate:
				v.problem("claim %s on %s is marked as paid twice", c.ID, c.Certificate)
			}
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for id, a := range said {
		v.problem("claim %s on %s was acknowledged (%s) and is not there", id, a.Certificate, a.State)
	}
	if len(paid) == 0 {
		return errors.New("nothing was paid: this proves nothing")
	}
	return nil
}

func (v *verifier) stormClaim(a Ack, c registry.ClaimView) {
	switch {
	case c.Certificate != a.Certificate || c.Reference != a.Reference:
		v.problem("claim %s is on %s under %s, not on %s under %s", a.Claim, c.Certificate, c.Reference, a.Certificate, a.Reference)
	case c.State != a.State && a.State != policy.Reserved:
		v.problem("claim %s was %s and is %s", a.Claim, a.State, c.State)
	}
}

func (v *verifier) once(seen map[string]string, what string, c registry.ClaimView) {
	if first, twice := seen[c.Certificate]; twice {
		v.problem("certificate %s is %s twice, by %s and %s", c.Certificate, what, first, c.ID)
	}
	seen[c.Certificate] = c.ID
}
