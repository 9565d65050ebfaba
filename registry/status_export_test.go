package registry

import (
	"context"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
)

// StatusDraft is a list that is signed and not stored, for tests that stop
// between the two.
type StatusDraft struct{ d statusDraft }

// Version is that of the bits in it.
func (s StatusDraft) Version() uint64 { return s.d.head.Version }

// DraftStatus signs a list and does not store it.
func (r *Registry) DraftStatus(ctx context.Context, purpose credentials.StatusPurpose, list int) (StatusDraft, error) {
	d, err := r.draftStatus(ctx, statusPlace{purpose, list})
	return StatusDraft{d}, err
}

// StoreStatus stores a draft by the one rule.
func (r *Registry) StoreStatus(ctx context.Context, l *Lease, s StatusDraft) (bool, error) {
	return r.storeStatus(ctx, l, s.d)
}

// CommitMoment is what a request without a lease does first.
func (r *Registry) CommitMoment(ctx context.Context) error { return r.commitMoment(ctx) }

// TakeLease takes a lease that nobody gives back, as a process does that dies.
func (r *Registry) TakeLease(ctx context.Context, name string) (*Lease, error) {
	return r.takeLease(ctx, name)
}

// Release gives a lease back.
func (l *Lease) Release(ctx context.Context) error { return l.release(ctx) }

// StatusLease is the name of the job.
const StatusLease = statusLease

// BaseEvery is how many changes lie between two bases.
const BaseEvery = baseEvery

// LeaseRule is the state machine of leases without a store.
type LeaseRule struct{ record leaseRecord }

// State is the state at a time.
func (l LeaseRule) State(now time.Time) LeaseState { return l.record.state(now) }

// Number is the fencing number.
func (l LeaseRule) Number() uint64 { return l.record.Number }

// Take takes.
func (l LeaseRule) Take(holder string, now time.Time) (LeaseRule, error) {
	record, err := l.record.take(holder, now)
	return LeaseRule{record}, err
}

// Renew renews.
func (l LeaseRule) Renew(number uint64, holder string, now time.Time) (LeaseRule, error) {
	record, err := l.record.renew(number, holder, now)
	return LeaseRule{record}, err
}

// Release releases.
func (l LeaseRule) Release(number uint64, holder string, now time.Time) (LeaseRule, error) {
	record, err := l.record.release(number, holder, now)
	return LeaseRule{record}, err
}

// SetStatusBits sets or clears bits as certificates would, for lists with many.
func (r *Registry) SetStatusBits(ctx context.Context, purpose credentials.StatusPurpose, list int, on bool, indices ...int) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		bits := make([]statusBit, len(indices))
		for i, index := range indices {
			bits[i] = statusBit{purpose, list, index, on}
		}
		return setStatusBits(tx, bits)
	})
}

// AllotStatus gives out places that no certificate has: from the counter of
// places up to `after`.
func (r *Registry) AllotStatus(ctx context.Context, after uint64) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		before, err := counter(tx, counterStatus(), 0)
		if err != nil {
			return err
		}
		return allotStatus(tx, before, after)
	})
}
