package registry

import (
	"bytes"
	"context"

	"bajigong/internal/kv"
)

// BreakSealed changes the sealed blocks of a field of a table: it takes them away, or
// seals another content in their place. It returns how many there were.
func BreakSealed(ctx context.Context, r *Registry, table, field string, other []byte) (n int, err error) {
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		n = 0
		entries, err := tx.Scan(tableSealed, kv.Range{Limit: pageMax})
		if err != nil {
			return err
		}
		for _, e := range entries {
			place, err := parseSealedPlace(e.Key)
			if err != nil {
				return err
			}
			if string(place.table) != table || place.field != field {
				continue
			}
			n++
			if other == nil {
				tx.Delete(tableSealed, bytes.Clone(e.Key))
				continue
			}
			block, err := r.vault.sealBytes(place, other)
			if err != nil {
				return err
			}
			tx.Put(tableSealed, bytes.Clone(e.Key), block)
		}
		return nil
	})
	return n, err
}
