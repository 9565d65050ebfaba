package registry

import (
	"context"

	"bajigong/internal/kv"
)

// SpoilClaimTotals makes the stored totals wrong.
func SpoilClaimTotals(tx kv.Tx) error {
	ts, _, err := claimTotals.Scan(tx, kv.Range{Limit: 1})
	if err != nil {
		return err
	}
	ts[0].Reserved++
	return claimTotals.Put(tx, ts[0])
}

// CountClaimsAnew takes the store back to what it was before claims were counted,
// and migrates it.
func CountClaimsAnew(ctx context.Context, db interface {
	Update(ctx context.Context, fn func(kv.Tx) error) error
}) error {
	err := db.Update(ctx, func(tx kv.Tx) error {
		ts, _, err := claimTotals.Scan(tx, kv.Range{Limit: kv.MaxScan})
		if err != nil {
			return err
		}
		for _, t := range ts {
			if err := claimTotals.Delete(tx, claimTotals.Key(t)); err != nil {
				return err
			}
		}
		cs, _, err := claims.Scan(tx, kv.Range{Limit: kv.MaxScan})
		if err != nil {
			return err
		}
		for i := range cs {
			cs[i].Institution = ""
		}
		return claims.PutMany(tx, cs)
	})
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx kv.Tx) error {
		_, _, err := claimsCounted(tx, nil)
		return err
	})
}
