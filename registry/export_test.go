package registry

import (
	"context"
	"time"
)

// StepByStep takes small batches through every step, as large ones are.
func (r *Registry) StepByStep() { r.fewRows = 0 }

// StartBatchOnly begins a batch and stops, as a crash would.
func (r *Registry) StartBatchOnly(ctx context.Context, by Actor, session string) (Batch, error) {
	return r.startBatch(ctx, by, session)
}

// SetRenewEvery renews leases beside long jobs more often, until the answer is called.
func SetRenewEvery(d time.Duration) (back func()) {
	old := renewEvery
	renewEvery = d
	return func() { renewEvery = old }
}
