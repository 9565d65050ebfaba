package registry

import (
	"context"

	"bajigong/evaluators/signs"
	"bajigong/internal/kv"
)

// SignsAfterArrangement runs the hook that the arrangement of a session calls,
// in an Update of its own.
func (r *Registry) SignsAfterArrangement(ctx context.Context, institution string, days []signs.ExaminerDay) error {
	return r.db.Update(ctx, func(tx kv.Tx) error { return r.signsAfterArrangement(tx, institution, days) })
}
