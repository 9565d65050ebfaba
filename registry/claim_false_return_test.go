package registry

import (
	"slices"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// lifeStep is one thing that is done to a claim in a test, on the day after the one before.
type lifeStep struct {
	do     string // pay, late, gone (late, and the right is gone), return, refund, part, release, publicise, arrived, undo or change
	what   string // reference
	amount policy.Fen
	step   int // of a correction
	state  policy.State
	hands  policy.Fen
	owed   policy.Fen
}

// What became of a claim while a payment was taken for returned that had arrived does not
// keep the truth out: docs/subsidies.md, "A bank return that was none".
func TestWhatFollowedAFalseReturn(t *testing.T) {
	const due = policy.Fen(260000)
	for name, x := range map[string]struct {
		advance policy.Fen
		steps   []lifeStep
	}{
		"one of two is returned of which one is an advance": {100000, []lifeStep{
			{do: "pay", what: "P-1", amount: 100000, state: policy.PartPaid, hands: 100000},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 2, state: policy.Recovering, hands: due + 100000, owed: 100000},
			{do: "return", what: "P-2", state: policy.PartPaid, hands: 100000},
			{do: "pay", what: "P-3", amount: due - 100000, state: policy.Confirmed, hands: due},
		}},
		"one of three is returned": {100000, []lifeStep{
			{do: "pay", what: "P-1", amount: 100000, state: policy.PartPaid, hands: 100000},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-2", state: policy.Payable},
			{do: "pay", what: "P-3", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 4, state: policy.Recovering, hands: 2 * due, owed: due},
			{do: "arrived", step: 2, state: policy.Recovering, hands: 2*due + 100000, owed: due + 100000},
			{do: "part", what: "R-1", amount: 50000, state: policy.PartlyRefunded, hands: 2*due + 50000, owed: due + 50000},
			{do: "return", what: "P-3", state: policy.PartlyRefunded, hands: due + 50000, owed: 50000},
			{do: "part", what: "R-2", amount: 50000, state: policy.Confirmed, hands: due},
		}},
		"a part of the surplus is back, then the payment is returned": {0, []lifeStep{
			{do: "pay", what: "P-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 2, state: policy.Recovering, hands: 2 * due, owed: due},
			{do: "part", what: "R-1", amount: 60000, state: policy.PartlyRefunded, hands: 2*due - 60000, owed: due - 60000},
			{do: "return", what: "P-2", state: policy.PartPaid, hands: due - 60000},
			{do: "pay", what: "P-3", amount: 60000, state: policy.Confirmed, hands: due},
			{do: "refund", what: "R-2", amount: due, state: policy.Refunded},
		}},
		"released meanwhile": {0, []lifeStep{
			{do: "pay", what: "P-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "release", state: policy.Released},
			{do: "arrived", step: 2, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "release", state: policy.Released},
		}},
		"released and paid late meanwhile": {100000, []lifeStep{
			{do: "pay", what: "P-1", amount: 100000, state: policy.PartPaid, hands: 100000},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "release", state: policy.Released},
			{do: "late", what: "P-2", amount: 60000, state: policy.PartPaid, hands: 60000},
			{do: "arrived", step: 2, state: policy.PartPaid, hands: 160000},
			{do: "pay", what: "P-3", amount: 100000, state: policy.Confirmed, hands: due},
		}},
		"twice returned and released": {0, []lifeStep{
			{do: "pay", what: "P-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "release", state: policy.Released},
			{do: "arrived", step: 2, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 5, state: policy.Recovering, hands: 2 * due, owed: due},
		}},
		"publicised meanwhile": {100000, []lifeStep{
			{do: "pay", what: "P-1", amount: 100000, state: policy.PartPaid, hands: 100000},
			{do: "pay", what: "P-2", amount: due - 100000, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-2", state: policy.PartPaid, hands: 100000},
			{do: "publicise", state: policy.PartPaid, hands: 100000},
			{do: "arrived", step: 3, state: policy.Confirmed, hands: due},
		}},
		"after a recovery that the bank has closed": {0, []lifeStep{
			{do: "release", state: policy.Released},
			{do: "gone", what: "P-1", amount: due, state: policy.Duplicate, hands: due, owed: due},
			{do: "return", what: "P-1", state: policy.Released},
			{do: "late", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-2", state: policy.Payable},
			{do: "pay", what: "P-3", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 5, state: policy.Recovering, hands: 2 * due, owed: due},
		}},
		"twice paid too late": {0, []lifeStep{
			{do: "release", state: policy.Released},
			{do: "gone", what: "P-1", amount: due, state: policy.Duplicate, hands: due, owed: due},
			{do: "return", what: "P-1", state: policy.Released},
			{do: "gone", what: "P-2", amount: due, state: policy.Duplicate, hands: due, owed: due},
			{do: "arrived", step: 3, state: policy.Duplicate, hands: 2 * due, owed: 2 * due},
			{do: "return", what: "P-2", state: policy.Duplicate, hands: due, owed: due},
			{do: "refund", what: "R-1", amount: due, state: policy.Refunded},
		}},
		"too late, and then in time": {0, []lifeStep{
			{do: "release", state: policy.Released},
			{do: "gone", what: "P-1", amount: due, state: policy.Duplicate, hands: due, owed: due},
			{do: "return", what: "P-1", state: policy.Released},
			{do: "late", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 3, state: policy.Recovering, hands: 2 * due, owed: due},
			{do: "part", what: "R-1", amount: due, state: policy.Confirmed, hands: due},
		}},
		"settled, and then the first one was returned after all": {0, []lifeStep{
			{do: "pay", what: "P-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 2, state: policy.Recovering, hands: 2 * due, owed: due},
			{do: "part", what: "R-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-3", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-3", state: policy.Payable},
			{do: "pay", what: "P-4", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 8, state: policy.Recovering, hands: 2 * due, owed: due},
		}},
		"one payment is twice taken for returned": {0, []lifeStep{
			{do: "pay", what: "P-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 2, state: policy.Recovering, hands: 2 * due, owed: due},
			{do: "part", what: "R-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-3", amount: due, state: policy.Confirmed, hands: due},
			{do: "arrived", step: 6, state: policy.Recovering, hands: 2 * due, owed: due},
		}},
		"an attempt whose payment was taken away": {0, []lifeStep{
			{do: "pay", what: "P-1", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-1", state: policy.Payable},
			{do: "pay", what: "P-2", amount: due, state: policy.Confirmed, hands: due},
			{do: "return", what: "P-2", state: policy.Payable},
			{do: "undo", step: 3, state: policy.Payable},
			{do: "arrived", step: 2, state: policy.Confirmed, hands: due},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := reservedClaim()
			c.Advance = x.advance
			for i, s := range x.steps {
				c = s.on(t, c, claimDay.AddDate(0, 0, i+1))
				if c.State != s.state || c.InHands() != s.hands || c.Owed() != s.owed {
					t.Fatalf("%s %s %d: %s, %s in hands, %s owed; want %s, %s, %s", s.do, s.what, s.step, c.State, c.InHands(), c.Owed(), s.state, s.hands, s.owed)
				}
				replay{claim: c, report: func(problem string) { t.Error(problem) }}.sums(c.life())
			}
		})
	}
}

func (s lifeStep) on(t *testing.T, c Claim, now time.Time) Claim {
	t.Helper()
	must, on, gone := stepped(t), standards.DateOf(now), []policy.Failure(nil)
	switch s.do {
	case "gone":
		gone = []policy.Failure{{Reason: policy.OnceTaken}}
		fallthrough
	case "pay", "late":
		return must(c.Confirm(Payment{Reference: s.what, PaidOn: on, Amount: s.amount}, gone, payerActor, now))
	case "return":
		return must(c.Return(PaymentReturn{Payment: s.what, Reason: "账户状态异常", On: on}, payerActor, now))
	case "refund", "part":
		return must(c.PayBack(Refund{Amount: s.amount, Reference: s.what, Reason: "追回", Restores: &saysNo}, nil, payerActor, now))
	case "release":
		return must(c.GiveUp("材料不全", payerActor, now))
	case "publicise":
		return must(c.Publicise(NewClaimPublicity{From: on}, lockRules, standards.Calendar{}, payerActor, now))
	}
	return corrected(t, c, NewClaimCorrection{Step: s.step, Void: true}, now)
}

// lived is a claim after these steps, one a day.
func lived(t *testing.T, c Claim, steps ...lifeStep) Claim {
	t.Helper()
	for i, s := range steps {
		c = s.on(t, c, claimDay.AddDate(0, 0, i+1))
	}
	return c
}

// What a payer does now is not what it did while it was mistaken.
func TestAFalseReturnIsNoLicence(t *testing.T) {
	day := func(n int) time.Time { return claimDay.AddDate(0, 0, n) }
	c := reservedClaim()
	c = lived(t, c, lifeStep{do: "pay", what: "P-1", amount: c.Amount}, lifeStep{do: "return", what: "P-1"}, lifeStep{do: "release"}, lifeStep{do: "arrived", step: 2})
	if _, _, err := c.GiveUp("另一原因", payerActor, day(6)); fail.CodeOf(err) != "claim_move" {
		t.Errorf("a paid claim is released: %v", err)
	}
	if _, _, err := c.Withdraw("本人申请", payerActor, day(6)); fail.CodeOf(err) != "claim_move" {
		t.Errorf("a paid claim is withdrawn: %v", err)
	}
	if _, _, err := c.Confirm(Payment{Reference: "P-2", PaidOn: standards.DateOf(day(6)), Amount: c.Amount}, nil, payerActor, day(6)); fail.CodeOf(err) != "claim_move" {
		t.Errorf("a paid claim is paid: %v", err)
	}
}

// The surplus of a false return and what was due may come back in equal sums, and the
// second is not taken for the first said again.
func TestRefundOfASurplusHasAReference(t *testing.T) {
	day := func(n int) time.Time { return claimDay.AddDate(0, 0, n) }
	c := reservedClaim()
	c = lived(t, c, lifeStep{do: "pay", what: "P-1", amount: c.Amount}, lifeStep{do: "return", what: "P-1"}, lifeStep{do: "pay", what: "P-2", amount: c.Amount}, lifeStep{do: "arrived", step: 2})
	again := Refund{Amount: c.Amount, Reason: "追回", Restores: &saysNo}
	if _, _, err := c.PayBack(again, nil, payerActor, day(6)); fail.CodeOf(err) != "refund" {
		t.Fatalf("a surplus without a reference: %v", err)
	}
	if _, done, err := c.Recover(NewRecovery{Reason: c.Recovery.Reason, Restores: &saysNo}, nil, payerActor, day(6)); done || fail.CodeOf(err) != "claim_move" {
		t.Errorf("the recovery of all is not that of the surplus: %t, %v", done, err)
	}
	must := stepped(t)
	again.Reference = "R-1"
	c = must(c.PayBack(again, nil, payerActor, day(6)))
	again.Reference = ""
	if c = must(c.PayBack(again, nil, payerActor, day(7))); c.State != policy.Refunded || c.InHands() != 0 {
		t.Errorf("what was due came back: %s, %s in hands", c.State, c.InHands())
	}
}

// A reference names one payment: a return under it is that of this payment, whatever was
// corrected before.
func TestReferencesAreOfOnePayment(t *testing.T) {
	day := func(n int) time.Time { return claimDay.AddDate(0, 0, n) }
	on := func(n int) standards.Date { return standards.DateOf(day(n)) }
	must := stepped(t)
	c := reservedClaim()
	c.Advance = 200000
	give := func(c Claim, n int, what string) (Claim, bool, error) {
		return c.Return(PaymentReturn{Payment: what, Reason: "账户状态异常", On: on(n)}, payerActor, day(n))
	}
	pay := func(c Claim, n int, what string, amount policy.Fen) (Claim, bool, error) {
		return c.Confirm(Payment{Reference: what, PaidOn: on(n), Amount: amount}, nil, payerActor, day(n))
	}
	c = must(pay(c, 1, "P-1", c.Amount))
	c = must(give(c, 2, "P-1"))

	gone := corrected(t, c, NewClaimCorrection{Step: 1, Void: true}, day(3)) // the attempt stands
	if _, _, err := pay(gone, 4, "P-1", c.Amount); fail.CodeOf(err) != "payment_returned" {
		t.Errorf("a payment that the bank refused is recorded: %v", err)
	}

	other := corrected(t, c, NewClaimCorrection{Step: 1, Reference: "P-9"}, day(3))
	for _, what := range []string{"P-1", "P-9"} {
		if _, done, err := give(other, 4, what); !done || err != nil {
			t.Errorf("the return of %s again: %t, %v", what, done, err)
		}
	}
	other = must(pay(other, 4, "P-1", c.Amount))
	if other = must(give(other, 5, "P-1")); other.State != policy.Payable || other.InHands() != 0 {
		t.Errorf("the second P-1 was returned: %s", other.State)
	}

	tried := must(give(reservedClaim(), 1, "P-x"))
	tried = must(pay(tried, 2, "P-1", tried.Amount))
	for _, in := range []NewClaimCorrection{{Step: 2, Reference: "P-x", Reason: "x"}, {Step: 1, Reference: "P-1", Reason: "x"}} {
		if _, err := tried.AskCorrection(in, payerActor, day(3)); fail.CodeOf(err) != "claim_correction" {
			t.Errorf("step %d as %s: %v", in.Step, in.Reference, err)
		}
	}

	// What was free when it was asked may be taken when it is approved.
	asked := reservedClaim()
	asked.Advance = 200000
	asked = must(pay(asked, 1, "P-1", 100000))
	asked, err := asked.AskCorrection(NewClaimCorrection{Step: 1, Reference: "P-2", Reason: "x"}, payerActor, day(2))
	if err != nil {
		t.Fatal(err)
	}
	asked = must(pay(asked, 2, "P-2", 50000))
	if _, err := asked.DecideCorrection(1, ApproveClaimCorrection, "", otherPayer, day(3)); fail.CodeOf(err) != "claim_correction_reused" {
		t.Errorf("two payments of one reference: %v", err)
	}
	if asked, err = asked.DecideCorrection(1, RejectClaimCorrection, "流水号已使用", otherPayer, day(3)); err != nil || slices.ContainsFunc(asked.Corrections, func(x ClaimCorrection) bool { return x.State == ClaimCorrectionProposed }) {
		t.Errorf("rejected: %v", err)
	}
}
