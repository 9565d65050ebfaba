package registry_test

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// endUnknown is the heading of a text that does not say until when it holds.
const endUnknown = "from: 2026-01-01, until: unknown, stated_through: 2026-01-31"

// What is known to be in force decides; the city's text whose end is not known is
// told of 待确认, and is used by who names it and states that it holds.
func TestATextOfUnknownEndIsNotUsedSilently(t *testing.T) {
	unknown := "[{field: effective.until, zh: 未载明, en: not said}]"
	city := trial(t, "trial-city", policy.FundAppraisal, map[string]string{"effective": rule("in_force", endUnknown), "unknown": unknown})
	province := trial(t, "trial-province", policy.FundAppraisal, map[string]string{"region": `"320000"`, "parent": `"000000"`})
	e := newClaimEnv(t).withPolicies(city, province)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	q.Policy, q.Fund, q.Facts = "", policy.FundAppraisal, nil
	a := e.mustCheckClaim(e.kunshan, q)
	if a.Outcome != policy.Allow || a.Decision.Policy != "trial-province" || len(a.Unconfirmed) != 1 || a.Unconfirmed[0].Policy != "trial-city" ||
		!strings.Contains(a.Unconfirmed[0].Note.ZH, "待确认") || a.Unconfirmed[0].Note.EN == "" {
		t.Errorf("%s by %s, %+v", a.Outcome, a.Decision.Policy, a.Unconfirmed)
	}
	q.Policy = "trial-city"
	if a = e.mustCheckClaim(e.kunshan, q); a.Outcome != policy.Hold || a.Decision.Missing[0].Fact != string(policy.PolicyInForce) {
		t.Errorf("named: %s %+v", a.Outcome, a.Decision.Missing)
	}
	q.Facts = policy.Facts{policy.PolicyInForce: e.fact(policy.Yes)}
	if a = e.mustCheckClaim(e.kunshan, q); a.Outcome != policy.Allow || a.Decision.Policy != "trial-city" {
		t.Errorf("named and confirmed: %s by %s", a.Outcome, a.Decision.Policy)
	}

	later := trial(t, "trial-city-2", policy.FundAppraisal, map[string]string{"effective": rule("in_force", "from: 2026-02-01, until: open")})
	e = e.withPolicies(city, later)
	if _, err := e.CheckClaim(ctx, e.kunshan, q); fail.CodeOf(err) != "policy_superseded" {
		t.Errorf("named although a later one has followed: %v", err)
	}
}
