package registry

import "context"

// StartBatchOnly begins a batch and stops, as a crash would.
func (r *Registry) StartBatchOnly(ctx context.Context, by Actor, session string) (Batch, error) {
	return r.startBatch(ctx, by, session)
}
