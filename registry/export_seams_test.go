package registry

import (
	"context"

	"bajigong/internal/kv"
)

// Rename gives a claim another reference, as an earlier release had it.
func (r *Registry) Rename(ctx context.Context, id, reference string) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		c, _, err := claims.Lookup(tx, indexClaimsByID, kv.Key(id))
		if err != nil {
			return err
		}
		c.Reference = reference
		return claims.Put(tx, c)
	})
}
