package registry_test

import (
	"strings"
	"testing"
	"time"

	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// A payment was recorded as returned by mistake, the claim released, another payer got the
// right and paid, and the certificate was voided. That the first payment had arrived is
// recorded after all: the claim stands again, its payer is told that the certificate is
// void, and the authority that two claims stand beside each other.
func TestClaimReleasedByMistakeStandsAgain(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	first := e.mustReserve(e.kunshan, e.request(1, cert.Number))
	amount := first.Claim.Amount
	e.mustConfirm(e.kunshan, first.Claim.ID, "PAY-1", amount)
	if _, err := e.ReturnPayment(ctx, e.kunshan, first.Claim.ID, registry.PaymentReturn{Payment: "PAY-1", Reason: "账户状态异常", On: e.today()}); err != nil {
		t.Fatal(err)
	}
	e.mustRelease(e.kunshan, first)
	e.Clock.Add(time.Hour)
	second := e.mustReserve(e.other, e.request(1, cert.Number))
	e.mustAnswer("the right is free", second, policy.Allow)
	e.mustConfirm(e.other, second.Claim.ID, "PAY-2", amount)
	e.mustChange(cert.Number, registry.ChangeVoid)
	if got := told(e.feed(e.kunshan)); got != "" {
		t.Fatalf("nothing of the first claim counted: %s", got)
	}

	asked, err := e.ProposeClaimCorrection(ctx, e.kunshan, first.Claim.ID, registry.NewClaimCorrection{Step: 2, Void: true, Reason: "银行回单核实已到账"})
	if err != nil {
		t.Fatal(err)
	}
	colleague := e.kunshan
	colleague.Account += "-2"
	c, err := e.DecideClaimCorrection(ctx, colleague, asked.ID, len(asked.Corrections), registry.ApproveClaimCorrection, "")
	if err != nil || c.State != policy.Confirmed || c.InHands != amount {
		t.Fatalf("%s, %s in hands, %v", c.State, c.InHands, err)
	}
	both := e.standing()
	if len(both) != 1 || both[0].Source != registry.FromCorrection || len(named(both[0])) != 2 {
		t.Errorf("the collision: %s", asJSON(t, both))
	}
	if got := told(e.feed(e.kunshan)); !strings.Contains(got, "paid_void recover confirmed") {
		t.Errorf("its payer was told %q", got)
	}
	rows, totals, _, err := e.Recoveries(ctx, e.kunshan, registry.RecoveryQuery{Institution: e.issuer.Institution.ID}, registry.Page{})
	if err != nil || len(rows) != 1 || rows[0].Claim != first.Claim.ID || rows[0].Outstanding != amount || rows[0].Withdrawn || len(totals) != 1 || totals[0].Outstanding != amount {
		t.Errorf("to be recovered: %+v %+v, %v", rows, totals, err)
	}
}

// A line of a payout that returns another amount than was paid is of another payment.
func TestALineReturnsAWholePayment(t *testing.T) {
	e := newClaimEnv(t)
	c := e.mustReserve(e.kunshan, e.request(1, e.issue(1, "6-31-01-03", standards.Senior).Number)).Claim
	e.mustConfirm(e.kunshan, c.ID, "PAY-1", c.Amount)
	for i, x := range []struct {
		amount  policy.Fen
		outcome registry.LineOutcome
	}{{c.Amount - 1, registry.OutcomeRefused}, {c.Amount, registry.OutcomeReturned}, {c.Amount, registry.OutcomeAlready}} {
		p, err := e.RecordPayout(ctx, e.kunshan, registry.NewPayout{Reference: "B-" + string(rune('1'+i)), Lines: []registry.PayoutLine{
			{Claim: c.ID, Amount: x.amount, PaidOn: e.today(), Payment: "PAY-1", Result: registry.LineFailed, Reason: "账户状态异常"}}})
		if err != nil || p.Outcomes[x.outcome] != 1 {
			t.Errorf("%s yuan returned: %v, %v; want %s", x.amount, p.Outcomes, err, x.outcome)
		}
	}
}
