package registry_test

import (
	"testing"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// keyedAs is an actor whose request is sent under an Idempotency-Key.
func keyedAs(by registry.Actor, body string) registry.Actor {
	by.Idempotency = registry.Idempotency{Route: "POST /here", Key: "k-1", Body: []byte(body)}
	return by
}

// What asks for a second person's decision is asked once, however often the request
// is sent: the repeated one is answered from what is there.
func TestProposalsAreRepeatedUnderTheirKey(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	c := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	e.mustConfirm(e.kunshan, c.ID, "P-1", c.Amount)
	wrong := registry.NewClaimCorrection{Step: 1, Reference: "P-2", Reason: "流水号有误"}
	by := keyedAs(e.kunshan, "a")
	for i := range 3 {
		if v, err := e.ProposeClaimCorrection(ctx, by, c.ID, wrong); err != nil || len(v.Corrections) != 1 {
			t.Fatalf("correction, time %d: %d, %v", i, len(v.Corrections), err)
		}
	}
	if _, err := e.ProposeClaimCorrection(ctx, keyedAs(e.kunshan, "b"), c.ID, wrong); fail.CodeOf(err) != "idempotency_key_reused" {
		t.Errorf("another correction under the key: %v", err)
	}
	if _, err := e.ProposeClaimCorrection(ctx, e.kunshan, c.ID, wrong); fail.CodeOf(err) != "claim_correction_open" {
		t.Errorf("without a key: %v", err)
	}

	e.mustImportPayments(ledgerHeader+ledgerLine(2, "2023-03-01", "1500", "", "电工", "四级", "Q-1")+ledgerLine(2, "2024-03-01", "1500", "", "电工", "四级", "Q-2"), false)
	o := e.collisions()[0]
	by = keyedAs(e.Authority, "c")
	for i := range 3 {
		v, err := e.ProposeOnCollision(ctx, by, o.ID, registry.CollisionProposal{Outcome: registry.CollisionDismissed, Reason: "误报"})
		if err != nil || v.State != registry.CollisionProposed || len(v.Steps) != 1 {
			t.Fatalf("proposal, time %d: %+v, %v", i, v, err)
		}
	}
}

// The undoing of a merge is proposed once.
func TestMergeUndoIsRepeatedUnderItsKey(t *testing.T) {
	e := newClaimEnv(t)
	e.issue(10, "6-31-01-03", standards.Senior)
	e.issue(11, "6-31-01-03", standards.Senior)
	m := e.mustMerge(10, 11).ID
	by := keyedAs(e.Authority, "d")
	for i := range 3 {
		v, err := e.ProposeMergeUndo(ctx, by, m, "经核查不是同一人")
		if err != nil || v.State != registry.MergeUndoProposed || len(v.Steps) != 3 || v.Steps[2].Do != registry.ProposeUndo {
			t.Fatalf("time %d: %+v, %v", i, v, err)
		}
	}
}
