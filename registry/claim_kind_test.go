package registry_test

import (
	"testing"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// A number of a kind without a known form is claimed under its kind: as it stands
// it may look like one of another kind, or like none.
func TestAClaimNamesTheKindOfItsCertificate(t *testing.T) {
	p := trial(t, "trial-ability", policy.FundAppraisal, map[string]string{
		"kinds": rule("kinds", "allowed: [special_ability]"),
	})
	e := newClaimEnv(t).withPolicies(p)
	ask := func(i int, number string, kind policy.Kind) registry.ClaimRequest {
		q := e.request(i, number)
		q.Policy, q.Facts, q.CertificateKind = p.ID, nil, kind
		return q
	}
	for i, number := range []string{"2532053010600001", "S000032058300252000001", "专能 2025-7"} {
		in := elsewhere(i+1, policy.KindSpecialAbility, number)
		in.Place, in.Occupation, in.OccupationName, in.Level = "320583", "6-31-01-03", "", standards.Senior
		e.mustRegister(in)
		a, err := e.ReserveClaim(ctx, e.kunshan, ask(i+1, number, policy.KindSpecialAbility))
		if err != nil || !a.Match || a.Outcome != policy.Allow {
			t.Errorf("%s: %+v, %v", number, a, err)
		}
		if a, err := e.CheckClaim(ctx, e.kunshan, ask(i+1, number, policy.KindTrainingCompletion)); err != nil || a.Match {
			t.Errorf("%s as another kind: %+v, %v", number, a, err)
		}
	}
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	if _, err := e.CheckClaim(ctx, e.kunshan, ask(1, cert.Number, policy.KindQualification)); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a level number as 职业资格: %v", err)
	}
	if _, err := e.CheckClaim(ctx, e.kunshan, ask(1, cert.Number, "medal")); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a kind that is none: %v", err)
	}
	if a, err := e.CheckClaim(ctx, e.kunshan, ask(1, cert.Number, policy.KindSkillLevel)); err != nil || !a.Match {
		t.Errorf("with the kind that the number says: %+v, %v", a, err)
	}
}

// What a policy asks as a plain fact is not asked of anybody where the register
// knows it; what is said against it does not count.
func TestPlainFactsAreFilledFromTheRegister(t *testing.T) {
	p := trial(t, "trial-listed", policy.FundAppraisal, map[string]string{
		"facts": "[" + rule("listed", "fact: issuer_task_listed, want: 'yes'") + ", " + rule("supervised", "fact: supervised, want: 'no'") + "]",
	})
	e := newClaimEnv(t).withPolicies(p)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	q := e.request(1, cert.Number)
	q.Policy, q.Facts = p.ID, policy.Facts{policy.IssuerTaskListed: e.fact(policy.Yes)}
	a := e.mustReserve(e.kunshan, q)
	e.mustAnswer("its institution is on no list", a, policy.Deny, policy.FactNotMet)
	if len(a.Decision.Missing) != 0 || len(a.Decision.Failing) != 1 || a.Decision.Failing[0].Rule != "listed" {
		t.Errorf("%+v", a.Decision)
	}
	if got, err := e.ReplayClaim(ctx, e.kunshan, a.Claim.ID); err != nil || !got.Same {
		t.Errorf("%+v, %v", got.Problems, err)
	}
}
