package registry

import (
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// stepped takes what a rule of a claim gives, and fails the test on an error.
func stepped(t *testing.T) func(Claim, bool, error) Claim {
	return func(c Claim, _ bool, err error) Claim {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// corrected is a claim after a correction that two accounts agreed on.
func corrected(t *testing.T, c Claim, in NewClaimCorrection, now time.Time) Claim {
	t.Helper()
	in.Reason = "银行回单核实有误"
	c, err := c.AskCorrection(in, payerActor, now)
	if err != nil {
		t.Fatal(err)
	}
	n := len(c.Corrections)
	if c, err = c.DecideCorrection(n, ApproveClaimCorrection, "", otherPayer, now); err != nil {
		t.Fatal(err)
	}
	return c
}

// A payment was recorded as returned and paid again; then it proves that it had
// arrived. The person has the money twice: what is too much comes back, and the
// right stays used.
func TestFalseReturnIsRecordedAfterTheSecondPayment(t *testing.T) {
	day := func(n int) time.Time { return claimDay.AddDate(0, 0, n) }
	must := stepped(t)
	c := claimIn(t, policy.Confirmed) // step 1: P-1
	c = must(c.Return(PaymentReturn{Payment: "P-1", Reason: "账户状态异常", On: standards.DateOf(day(14))}, payerActor, day(14)))
	c = must(c.Return(PaymentReturn{Payment: "P-x", Reason: "户名不符", On: standards.DateOf(day(14))}, payerActor, day(14))) // an attempt that failed
	c = must(c.Confirm(Payment{Reference: "P-2", PaidOn: standards.DateOf(day(15)), Amount: c.Amount}, nil, payerActor, day(15)))
	if c.State != policy.Confirmed || c.InHands() != c.Amount {
		t.Fatalf("paid again: %s", c.State)
	}
	twice := corrected(t, c, NewClaimCorrection{Step: 2, Void: true}, day(16))
	if twice.State != policy.Recovering || twice.InHands() != 2*c.Amount || twice.Owed() != c.Amount || twice.State.Counts() != policy.CountsYes {
		t.Fatalf("after the correction: %s, %s in hands, %s owed", twice.State, twice.InHands(), twice.Owed())
	}
	if _, _, err := twice.PayBack(Refund{Amount: c.Amount + 1, Reference: "R", Reason: "x"}, nil, payerActor, day(17)); fail.CodeOf(err) != "refund" {
		t.Errorf("more than is owed: %v", err)
	}
	law := &policy.RefundRule{RestoresRight: true} // of the whole claim; this one stays paid
	part := must(twice.PayBack(Refund{Amount: 60000, Reference: "R-1", Reason: "多付"}, law, payerActor, day(17)))
	if part.State != policy.PartlyRefunded || part.Owed() != c.Amount-60000 {
		t.Errorf("a part back: %s, %s owed", part.State, part.Owed())
	}
	whole := must(part.PayBack(Refund{Amount: c.Amount - 60000, Reference: "R-2", Reason: "多付"}, law, payerActor, day(18)))
	if whole.State != policy.Confirmed || whole.InHands() != c.Amount || whole.Owed() != 0 || whole.Refund != nil {
		t.Errorf("all that was too much is back: %s, %s in hands, %+v", whole.State, whole.InHands(), whole.Refund)
	}
	// And what was due may have to come back later, like that of any other claim.
	gone := must(whole.PayBack(Refund{Amount: c.Amount, Reference: "R-3", Reason: "证书撤销", Restores: &saysNo}, nil, payerActor, day(19)))
	if gone.State != policy.Refunded || gone.InHands() != 0 || gone.Refund == nil {
		t.Errorf("then all: %s, %s in hands", gone.State, gone.InHands())
	}
	returned := must(twice.Return(PaymentReturn{Payment: "P-2", Reason: "账户状态异常", On: standards.DateOf(day(17))}, payerActor, day(17)))
	if returned.State != policy.Confirmed || returned.InHands() != c.Amount || returned.Owed() != 0 {
		t.Errorf("the bank returned the second one: %s, %s in hands, %s owed", returned.State, returned.InHands(), returned.Owed())
	}
	// What was too much came back from the person, and then the bank returns the second
	// payment after all: nothing of what was due is paid, and it is paid once more.
	open := must(whole.Return(PaymentReturn{Payment: "P-2", Reason: "账户状态异常", On: standards.DateOf(day(19))}, payerActor, day(19)))
	if open.State != policy.Payable || open.InHands() != 0 || open.Owed() != 0 {
		t.Errorf("refunded and returned: %s, %s in hands, %s owed", open.State, open.InHands(), open.Owed())
	}
	if _, _, err := open.Return(PaymentReturn{Payment: "P-1", Reason: "账户状态异常", On: standards.DateOf(day(19))}, payerActor, day(19)); fail.CodeOf(err) != "return_refunded" {
		t.Errorf("neither payment arrived, and one came back: %v", err)
	}
	third := must(open.Confirm(Payment{Reference: "P-3", PaidOn: standards.DateOf(day(20)), Amount: c.Amount}, nil, payerActor, day(20)))
	if third.State != policy.Confirmed || third.InHands() != c.Amount || third.Owed() != 0 {
		t.Errorf("paid a third time: %s, %s in hands, %s owed", third.State, third.InHands(), third.Owed())
	}
	if _, _, err := third.Confirm(Payment{Reference: "P-4", PaidOn: standards.DateOf(day(20)), Amount: c.Amount}, nil, payerActor, day(20)); fail.CodeOf(err) != "claim_move" {
		t.Errorf("and a fourth: %v", err)
	}
	late := must(open.GiveUp("本人放弃", payerActor, day(20)))
	late = must(late.Confirm(Payment{Reference: "P-5", PaidOn: standards.DateOf(day(20)), Amount: c.Amount}, []policy.Failure{{}}, payerActor, day(21)))
	if late.State != policy.Duplicate || late.Owed() != c.Amount || late.InHands() != c.Amount {
		t.Errorf("given up and paid late: %s, %s in hands, %s owed", late.State, late.InHands(), late.Owed())
	}
	for name, x := range map[string]Claim{"twice": twice, "part": part, "whole": whole, "gone": gone, "returned": returned, "open": open, "third": third, "late": late} {
		for i, s := range x.Steps {
			l, err := x.lifeAfter(x.Steps[:i+1])
			if err != nil || l.state != s.State {
				t.Errorf("%s: step %d says %s, the steps lead to %s, %v", name, s.N, s.State, l.state, err)
			}
			replay{claim: x, report: func(problem string) { t.Errorf("%s: %s", name, problem) }}.sums(l)
		}
	}
}

// The same of an advance 先行拨付, and of two returns that were none.
func TestFalseReturnsOfPartsAndTwice(t *testing.T) {
	day := func(n int) time.Time { return claimDay.AddDate(0, 0, n) }
	on := func(n int) standards.Date { return standards.DateOf(day(n)) }
	must := stepped(t)
	c := reservedClaim()
	c.Advance = 100000
	pay := func(n int, reference string, amount policy.Fen) {
		t.Helper()
		c = must(c.Confirm(Payment{Reference: reference, PaidOn: on(n), Amount: amount}, nil, payerActor, day(n)))
	}
	back := func(n int, reference string) {
		t.Helper()
		c = must(c.Return(PaymentReturn{Payment: reference, Reason: "账户状态异常", On: on(n)}, payerActor, day(n)))
	}
	pay(1, "P-1", 100000)
	back(2, "P-1")
	pay(3, "P-2", c.Amount)
	once := corrected(t, c, NewClaimCorrection{Step: 2, Void: true}, day(4))
	if once.State != policy.Recovering || once.Owed() != 100000 || once.InHands() != c.Amount+100000 {
		t.Errorf("an advance twice: %s, %s owed", once.State, once.Owed())
	}
	back(4, "P-2")
	pay(5, "P-3", c.Amount)
	twice := corrected(t, corrected(t, c, NewClaimCorrection{Step: 4, Void: true}, day(6)), NewClaimCorrection{Step: 2, Void: true}, day(7))
	if twice.State != policy.Recovering || twice.Owed() != c.Amount+100000 {
		t.Errorf("and the whole twice: %s, %s owed", twice.State, twice.Owed())
	}
	for i := range twice.Steps {
		l, err := twice.lifeAfter(twice.Steps[:i+1])
		if err != nil || l.state != twice.Steps[i].State {
			t.Errorf("step %d: %s, %v", i+1, l.state, err)
		}
		replay{claim: twice, report: func(problem string) { t.Error(problem) }}.sums(l)
	}
}

// A payment of the past that was never made blocks nothing and holds nothing.
func TestPaymentOfThePastTakenAway(t *testing.T) {
	now := claimDay.AddDate(0, 0, 3)
	past := reservedClaim()
	past.State, past.Imported, past.Expires = policy.Confirmed, &ImportedPayment{At: claimDay}, time.Time{}
	past.Payment = &PaymentRecord{Payment: Payment{Reference: "P-1", PaidOn: "2026-03-20", Amount: past.Amount}, At: claimDay, LogIndex: 3}
	gone := corrected(t, past, NewClaimCorrection{Step: 1, Void: true}, now)
	if gone.State != policy.Released || gone.State.Counts() != policy.CountsNot || gone.Release == nil || gone.InHands() != 0 || gone.Payment != nil {
		t.Fatalf("taken away: %s, %+v", gone.State, gone)
	}
	if at := gone.StateAt(now.AddDate(9, 0, 0)); at != policy.Released {
		t.Errorf("years later: %s", at)
	}
	if _, _, err := gone.GiveUp("x", payerActor, now); fail.CodeOf(err) != "claim_move" {
		t.Errorf("given up again: %v", err)
	}
	if less := corrected(t, past, NewClaimCorrection{Step: 1, Reference: "P-9"}, now); less.State != policy.Confirmed {
		t.Errorf("another correction: %s", less.State)
	}
}
