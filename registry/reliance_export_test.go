package registry

import (
	"context"
	"testing"

	"bajigong/internal/kv"
)

// MassStepOnly does one page of a mass change and stops, as a crash would before
// anybody is told.
func MassStepOnly(ctx context.Context, r *Registry, by Actor, id string) (MassChange, error) {
	return r.massStep(ctx, by, id)
}

// ChangeReliance puts another entry in place of one of a feed, or none.
func ChangeReliance(t testing.TB, r *Registry, payer string, seq uint64, change func(*RelianceEntry) *RelianceEntry) {
	t.Helper()
	err := r.db.Update(context.Background(), func(tx kv.Tx) error {
		e, err := need(tx, reliances, kv.Key(payer, seq), "entry", "记录", payer)
		if err != nil {
			return err
		}
		if to := change(&e); to != nil {
			return reliances.Put(tx, *to)
		}
		return reliances.Delete(tx, kv.Key(payer, seq))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// RelianceOfPayment is what the Update that records a payment calls.
func RelianceOfPayment(t testing.TB, r *Registry, claim string) {
	t.Helper()
	err := r.db.Update(context.Background(), func(tx kv.Tx) error {
		c, _, err := claims.Lookup(tx, indexClaimsByID, kv.Key(claim))
		if err != nil {
			return err
		}
		return r.relianceOfPayment(tx, c, c.Payment.LogIndex)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// RelianceOfClaims is what the Update that opens a collision, or merges persons,
// calls.
func RelianceOfClaims(t testing.TB, r *Registry, what RelianceWhat, person *PersonID, ids ...string) {
	t.Helper()
	err := r.db.Update(context.Background(), func(tx kv.Tx) error {
		index, err := r.appendEvent(tx, Operator(), Event{Kind: IntegrityChanged, Object: "test"})
		if err != nil {
			return err
		}
		if person != nil {
			return r.relianceOfPerson(tx, *person, what, index)
		}
		return r.relianceOfClaims(tx, ids, what, index)
	})
	if err != nil {
		t.Fatal(err)
	}
}
