package registry_test

import (
	"testing"

	"bajigong/registry/policy"
	"bajigong/standards"
)

// That a nearer text was not used because nobody can tell that it still holds 待确认
// is said in every answer: at the counter, and when a request comes once more, also
// after the texts in use have changed.
func TestWhatIsUnconfirmedIsSaidInEveryAnswer(t *testing.T) {
	unknown := "[{field: effective.until, zh: 未载明, en: not said}]"
	city := trial(t, "trial-city", policy.FundAppraisal, map[string]string{"effective": rule("in_force", endUnknown), "unknown": unknown})
	province := trial(t, "trial-province", policy.FundAppraisal, map[string]string{"region": `"320000"`, "parent": `"000000"`})
	work := map[string]string{"subject": rule("subject", "kind: work_months, most_units: 6, certificate: none"),
		"amounts": rule("amounts", "mean: exact, flat_yuan: 500, per: unit"), "once": rule("once", "group: own, funds: [work_training], same: [subject, period]")}
	above := map[string]string{"region": `"320000"`, "parent": `"000000"`}
	near := map[string]string{"effective": rule("in_force", endUnknown), "unknown": unknown}
	for k, v := range work {
		above[k], near[k] = v, v
	}
	e := newClaimEnv(t).withPolicies(city, province, trial(t, "work-city", policy.FundWorkTraining, near), trial(t, "work-province", policy.FundWorkTraining, above))
	cert := e.issue(1, "6-31-01-03", standards.Senior)

	out := e.overview(e.kunshan, e.lookUp(1))
	x := fundOf(t, out.Certificates[0], policy.FundAppraisal)
	if x.Decision.Policy != "trial-province" || len(x.Unconfirmed) != 1 || x.Unconfirmed[0].Policy != "trial-city" {
		t.Errorf("at the counter: %s, %+v", x.Decision.Policy, x.Unconfirmed)
	}
	if len(out.Without) != 1 || out.Without[0].Policy != "work-province" || len(out.Without[0].Unconfirmed) != 1 || out.Without[0].Unconfirmed[0].Policy != "work-city" {
		t.Errorf("without a certificate: %+v", out.Without)
	}

	q := e.request(1, cert.Number)
	q.Policy, q.Fund, q.Facts = "", policy.FundAppraisal, nil
	first := e.mustReserve(e.kunshan, q)
	again := e.mustReserve(e.kunshan, q)
	e = e.withPolicies(province)
	later := e.mustReserve(e.kunshan, q)
	if want := plain(t, first.Unconfirmed); len(first.Unconfirmed) != 1 || plain(t, again.Unconfirmed) != want || plain(t, later.Unconfirmed) != want || later.Claim.ID != first.Claim.ID {
		t.Errorf("repeated: %+v, %+v, %+v", first.Unconfirmed, again.Unconfirmed, later.Unconfirmed)
	}
	if r, err := e.ReplayClaim(ctx, e.kunshan, first.Claim.ID); err != nil || !r.Same {
		t.Errorf("replayed: %+v, %v", r.Problems, err)
	}
}
