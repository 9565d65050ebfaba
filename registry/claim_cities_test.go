package registry_test

import (
	"slices"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// Payers of four places decide about one person's certificates, each by its own
// policy; one stands in another's way only where their texts count or exclude the
// other's fund.
func TestCitiesSideBySide(t *testing.T) {
	clock := new(registrytest.Clock)
	clock.Set(time.Date(2025, 3, 3, 1, 0, 0, 0, time.UTC))
	e := &claimEnv{Env: registrytest.New(t, registrytest.Options{Clock: clock})}
	e.issuer = e.MustAdmit(1)
	const electrician, carer, person = "6-31-01-03", "4-10-01-05", 5000
	junior := e.issue(person, electrician, standards.Junior).Number
	middle := e.issue(person, electrician, standards.Intermediate).Number
	senior := e.issue(person, electrician, standards.Senior).Number
	care := e.issue(person, carer, standards.Intermediate).Number
	type place struct {
		by     registry.Actor
		policy string
	}
	kunshan := place{registrytest.Payer("ks", "320583"), "kunshan-2020-67"}
	nanjing := place{registrytest.Payer("nj", "320100"), "jiangsu-2025-22-uplift"} // 南京 has none of its own
	shanghai := place{registrytest.Payer("sh", "310000"), "shanghai-2022-training"}
	guangdong := place{registrytest.Payer("gd", "440000"), "guangdong-2023-training"}
	for _, c := range []struct {
		what    string
		at      place
		number  string
		amount  string // 当地核定的补贴标准
		outcome policy.Outcome
		yuan    policy.Fen
		reasons []policy.Reason
	}{
		{"上海 pays for 四级 by its own amount", shanghai, middle, "2000", policy.Allow, 2000, nil},
		{"昆山 昆政办发〔2020〕67号 三（十四） counts every fund: 同一职业同一等级不可重复享受", kunshan, middle, "1500", policy.Deny, 0, []policy.Reason{policy.OnceTaken, policy.CertificateUsed}},
		{"昆山 knows no rule about higher levels and pays for 五级 all the same", kunshan, junior, "1000", policy.Allow, 1000, nil},
		{"上海 excludes no other fund, but not below what it paid", shanghai, junior, "1500", policy.Deny, 0, []policy.Reason{policy.HigherPaidReason}},
		{"上海 is not touched by what 昆山 and it itself paid for lower levels", shanghai, senior, "2500", policy.Allow, 2500, nil},
		{"广东 counts the training subsidy of 上海 on the same certificate", guangdong, senior, "2000", policy.Deny, 0, []policy.Reason{policy.OnceTaken, policy.CertificateUsed}},
		{"江苏 每人每年1次 counts what 昆山 paid from the same fund", nanjing, care, "1500", policy.Deny, 0, []policy.Reason{policy.FrequencyReached}},
		{"广东 has no frequency, and another occupation is untouched", guangdong, care, "1500", policy.Allow, 1500, nil},
		{"江苏 人社部发〔2025〕18号 不得和职业培训补贴重复享受", nanjing, care, "1500", policy.Deny, 0, []policy.Reason{policy.FrequencyReached, policy.FundExcluded, policy.CertificateUsed}},
	} {
		q := e.cityRequest(person, c.number, c.at.policy, c.amount)
		checked, err := e.CheckClaim(ctx, c.at.by, q)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		a := e.mustReserve(c.at.by, q)
		slices.Sort(c.reasons)
		if checked.Outcome != a.Outcome || a.Outcome != c.outcome || !slices.Equal(a.Reasons, append([]policy.Reason{}, c.reasons...)) {
			t.Errorf("%s: %s, then %s %v, want %s %v (%+v)", c.what, checked.Outcome, a.Outcome, a.Reasons, c.outcome, c.reasons, a.Decision)
		}
		if a.Claim != nil && (a.Claim.Policy != c.at.policy || a.Outcome == policy.Allow && a.Claim.Amount != c.yuan*100) {
			t.Errorf("%s: %s yuan by %s, want %d", c.what, a.Claim.Amount, a.Claim.Policy, c.yuan)
		}
	}
}

// cityRequest has every fact that one of the four policies asks for.
func (e *claimEnv) cityRequest(person int, number, id, amount string) registry.ClaimRequest {
	q := e.request(person, number)
	q.Policy, q.Facts = id, policy.Facts{}
	p := invented.PersonAt(person)
	q.Document, q.Name = p.Document, p.Name
	for kind, value := range map[policy.FactKind]string{
		policy.Insured: "yes", policy.Employed: "yes", policy.PolicyInForce: "yes", policy.InsuredMonths: "36", policy.Insured.On(policy.AtIssueMonth): "yes",
		policy.PersonGroup: "enterprise_employee", policy.ProvinciallyFound: "yes", policy.CatalogueListed: "yes", policy.ScarceListed: "no", policy.ApprovedAmount: amount,
	} {
		q.Facts[kind] = policy.Fact{Value: value, Source: "社会保险系统", At: e.Clock.Now(), Reference: "SB-1"}
	}
	return q
}
