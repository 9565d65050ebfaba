package registry_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// An amount so large that it overflows beside what was paid is refused like any other
// that was not decided, as a payment, in a batch and as a correction.
func TestAmountsCannotOverflow(t *testing.T) {
	p := trial(t, "trial-ahead", policy.FundAppraisal, map[string]string{"prepayment": rule("prepayment", "percent: 50"), "beneficiary": rule("beneficiary", "pay_to: person")})
	e := newClaimEnv(t).withPolicies(p)
	q := e.request(1, e.issue(1, "6-31-01-03", standards.Senior).Number)
	q.Policy, q.Facts = p.ID, nil
	id := e.mustReserve(e.kunshan, q).Claim.ID
	if _, err := e.ConfirmClaim(ctx, e.kunshan, id, registry.Payment{Reference: "A-1", PaidOn: e.today(), Amount: 10000}); err != nil {
		t.Fatal(err)
	}
	for _, amount := range []policy.Fen{math.MaxInt64, math.MaxInt64 - 9999, 1 << 62} {
		if _, err := e.ConfirmClaim(ctx, e.kunshan, id, registry.Payment{Reference: "A-2", PaidOn: e.today(), Amount: amount}); fail.CodeOf(err) != "payment" {
			t.Errorf("%d fen beside what was paid: %v", amount, err)
		}
		if p, err := e.RecordPayout(ctx, e.kunshan, registry.NewPayout{Reference: fmt.Sprint("B-", amount), Lines: []registry.PayoutLine{
			{Claim: id, Amount: amount, PaidOn: e.today(), Payment: "A-3", Result: registry.LinePaid}}}); err != nil || p.Outcomes[registry.OutcomeRefused] != 1 {
			t.Errorf("%d fen in a batch: %+v, %v", amount, p.Outcomes, err)
		}
	}
	if _, err := e.ConfirmClaim(ctx, e.kunshan, id, registry.Payment{Reference: "A-4", PaidOn: e.today(), Amount: 20000}); err != nil {
		t.Fatal(err)
	}
	huge := policy.Fen(math.MaxInt64)
	if _, err := e.ProposeClaimCorrection(ctx, e.kunshan, id, registry.NewClaimCorrection{Step: 2, Amount: &huge, Reason: "金额有误"}); err == nil {
		t.Error("corrected to more than there is")
	}
}

// A name that was mistyped with a claim that came to nothing binds nobody: the person
// claims under the right one. With a claim that stands it does.
func TestAMistypedNameIsNotForEver(t *testing.T) {
	e := newClaimEnv(t).withPolicies(preJob(t))
	s := policy.Subject{Kind: policy.ForPreJob, From: "2026-01-05", To: "2026-01-20"}
	ask := func(name string) registry.ClaimRequest {
		q := e.bare(70, s)
		q.Name = name
		return q
	}
	third := registrytest.Payer("third", "320583")
	right := invented.PersonAt(70).Name
	first := e.mustReserve(e.kunshan, ask("张三丰"))
	e.mustAnswer("mistyped", first, policy.Allow)
	if a := e.mustCheckClaim(third, ask(right)); a.Match {
		t.Error("another name while the first claim stands")
	}
	e.mustRelease(e.kunshan, first)
	second := e.mustReserve(third, ask(right))
	e.mustAnswer("the right name", second, policy.Allow)
	if a := e.mustCheckClaim(e.kunshan, ask("张三丰")); a.Match {
		t.Error("the mistyped name afterwards")
	}
}

// Claims that were refused are no reason to keep two documents of one person apart.
func TestRefusalsDoNotPreventAMerge(t *testing.T) {
	e := newClaimEnv(t)
	number := e.issue(10, "6-31-01-03", standards.Senior).Number
	e.mustReserve(e.other, e.request(10, number))
	for range 101 {
		e.mustAnswer("again", e.mustReserve(e.kunshan, e.request(10, number)), policy.Deny, policy.OnceTaken, policy.CertificateUsed)
	}
	e.Clock.Add(time.Hour)
	e.mustReserve(e.kunshan, e.request(11, e.issue(11, "6-31-01-03", standards.Senior).Number))
	if m := e.mustMerge(10, 11); len(m.Collisions) != 1 {
		t.Errorf("%d collisions", len(m.Collisions))
	}
}
