package registry

import "context"

// BeginPayout stores a payout and does its first pages, as a process that dies then.
func (r *Registry) BeginPayout(ctx context.Context, by Actor, in NewPayout, pages int) (Payout, error) {
	p, err := r.receivePayout(ctx, by, in)
	for range pages {
		if err == nil {
			p, err = r.payoutStep(ctx, p.ID)
		}
	}
	return p, err
}
