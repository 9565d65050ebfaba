package registry

import (
	"context"

	"bajigong/internal/kv"
)

// BatchStep takes one step on a batch as a process would that believes it due,
// and returns the batch as it is stored afterwards.
func (r *Registry) BatchStep(ctx context.Context, by Actor, id, step string) (Batch, error) {
	stored := func() (b Batch, err error) {
		err = r.db.View(ctx, func(rd kv.Reader) error {
			b, err = need(rd, batches, kv.Key(id), "batch", "发证批次", id)
			return err
		})
		return b, err
	}
	b, err := stored()
	if err != nil {
		return b, err
	}
	seen := b
	switch step {
	case "allocate":
		seen.State = BatchAllocating
		_, err = r.allocatePage(ctx, by, seen)
	case "sign":
		seen.State = BatchSigning
		var page []signed
		if page, err = r.signPage(ctx, seen); err == nil {
			_, err = r.storeSigned(ctx, by, seen, page)
		}
	case "publish":
		_, err = r.publish(ctx, by, seen)
	case "abort":
		_, err = r.AbortBatch(ctx, by, b.Session, "编号有误")
	default:
		panic("no step " + step)
	}
	after, readErr := stored()
	if readErr != nil {
		return after, readErr
	}
	return after, err
}
