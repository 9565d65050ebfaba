package registry_test

import (
	"testing"
	"time"

	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// What races of payers have found (`bajigong torture race`), each as small as it can
// be made.

// 苏人社发〔2025〕22号 每人每年1次，紧缺的在此基础上增加2次: whether a claim is scarce is a
// fact of its payer. A late payment that has no right any more because the year is
// used opens a collision like any other.
func TestLatePaymentBeyondTheYearIsACollision(t *testing.T) {
	clock := new(registrytest.Clock)
	clock.Set(time.Date(2025, 3, 3, 1, 0, 0, 0, time.UTC))
	e := &claimEnv{Env: registrytest.New(t, registrytest.Options{Clock: clock})}
	e.issuer = e.MustAdmit(1)
	kunshan, nanjing := registrytest.Payer("ks", "320583"), registrytest.Payer("nj", "320100")
	const person = 5000
	senior := e.issue(person, "6-31-01-03", standards.Senior).Number
	care := e.issue(person, "4-10-01-05", standards.Intermediate).Number
	given := e.mustReserve(nanjing, e.cityRequest(person, senior, "jiangsu-2025-22-uplift", "2000"))
	e.mustAnswer("南京", given, policy.Allow)
	if _, err := e.ReleaseClaim(ctx, nanjing, given.Claim.ID, "材料不全"); err != nil {
		t.Fatal(err)
	}
	taken := e.mustReserve(kunshan, e.cityRequest(person, care, "kunshan-2020-67", "1500"))
	e.mustAnswer("昆山", taken, policy.Allow)
	v, err := e.ConfirmClaim(ctx, nanjing, given.Claim.ID, registry.Payment{Reference: "P-1", PaidOn: standards.DateOf(clock.Now()), Amount: 2000_00})
	if err != nil || v.State != policy.Duplicate {
		t.Fatalf("%s, %v", v.State, err)
	}
	found, _, err := e.Collisions(ctx, nanjing, registry.CollisionFilter{}, registry.Page{})
	if err != nil || len(found) != 1 || len(found[0].Rules) != 1 || found[0].Rules[0].Reason != policy.FrequencyReached || len(found[0].Claims) != 2 {
		t.Errorf("%d collisions: %+v, %v", len(found), found, err)
	}
}

// A finding of one merge says nothing for another one: it lapses when its own is
// undone, and the other may stand.
func TestCollisionOfAStandingMergeOutlivesAnother(t *testing.T) {
	e := newClaimEnv(t)
	a, b := e.issue(10, "6-31-01-03", standards.Senior), e.issue(11, "6-31-01-03", standards.Senior)
	e.issue(12, "4-10-01-05", standards.Senior)
	first := e.mustReserve(e.kunshan, e.request(10, a.Number))
	e.mustPay(e.kunshan, first)
	e.Clock.Add(24 * time.Hour)
	second := e.mustReserve(e.other, e.request(11, b.Number))
	e.mustAnswer("under the other document", second, policy.Allow)
	over := e.mustMerge(10, 12)
	by := e.mustMerge(12, 11) // 10 and 11 are one by the third document
	if len(by.Collisions) != 1 {
		t.Fatalf("%+v", by)
	}
	e.mustUndo(over.ID)
	if m := e.mustMerge(10, 11); len(m.Collisions) != 1 {
		t.Errorf("merged by themselves nothing collides: %+v", m)
	}
	e.mustUndo(by.ID)
	open, _, err := e.Collisions(ctx, e.other, registry.CollisionFilter{State: registry.CollisionOpen}, registry.Page{})
	if err != nil || len(open) != 1 {
		t.Errorf("10 and 11 are one, and %d collisions are open, %v", len(open), err)
	}
}

// 广东省职业技能培训补贴管理办法 一（一）6 已享受高等级的不再享受低等级: two higher claims stand
// against a lower one under another document. One of them is given up, the other was
// refunded and keeps its right: the two documents merged, it stands against it alone.
func TestRefundThatKeepsTheRightCollidesInAMerge(t *testing.T) {
	clock := new(registrytest.Clock)
	clock.Set(time.Date(2025, 3, 3, 1, 0, 0, 0, time.UTC))
	e := &claimEnv{Env: registrytest.New(t, registrytest.Options{Clock: clock})}
	e.issuer = e.MustAdmit(1)
	guangdong := registrytest.Payer("gd", "440000")
	reserve := func(person int, level standards.Level) registry.ClaimAnswer {
		number := e.issue(person, "6-31-01-03", level).Number
		a := e.mustReserve(guangdong, e.cityRequest(person, number, "guangdong-2023-training", "1000"))
		e.mustAnswer("广东", a, policy.Allow)
		return a
	}
	middle, senior := reserve(5000, standards.Intermediate), reserve(5000, standards.Senior)
	e.mustPay(guangdong, senior)
	keeps := false
	if _, err := e.RefundClaim(ctx, guangdong, senior.Claim.ID, registry.Refund{Amount: senior.Claim.Amount, Reason: "不符合条件", Restores: &keeps}); err != nil {
		t.Fatal(err)
	}
	lower := reserve(5001, standards.Junior)
	if _, err := e.ReleaseClaim(ctx, guangdong, middle.Claim.ID, "材料不全"); err != nil {
		t.Fatal(err)
	}
	e.mustMerge(5000, 5001)
	found, _, err := e.Collisions(ctx, guangdong, registry.CollisionFilter{}, registry.Page{})
	if err != nil || len(found) != 1 || len(found[0].Claims) != 2 || found[0].Claims[0].Claim.ID != lower.Claim.ID || found[0].Claims[1].Claim.ID != senior.Claim.ID {
		t.Errorf("%d collisions: %+v, %v", len(found), found, err)
	}
}
