package registry_test

import (
	"testing"
	"time"

	"bajigong/evaluators/course"
	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// docs/adr/0007: losing a place on the list of those charged 承接名单, or a credit of
// band D, ends subsidised work and nothing else: what was examined is issued, and
// the policy's condition on the day of the exam says who is paid.
func TestLosingTheListOrCreditBarsSubsidisedWorkAlone(t *testing.T) {
	p := trial(t, "trial-listed", policy.FundAppraisal, map[string]string{"institutions": rule("institutions", "conditions: [task_listed]")})
	e := newClaimEnv(t).withPolicies(p)
	own := e.issuer.Institution.ID
	list, err := e.MakeTaskList(ctx, e.Authority, credit.TaskList{Region: "320500", Name: "名单", Document: "文", Basis: "依据", Method: "experts", From: "2026-01-01", Until: "2026-12-31"})
	if err != nil {
		t.Fatal(err)
	}
	on, err := e.EnterTaskList(ctx, e.Authority, list.ID, []credit.Entry{{Institution: own, From: "2026-01-01"}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(i int, number string) registry.ClaimAnswer {
		q := e.request(i, number)
		q.Policy, q.Facts = p.ID, nil
		return e.mustReserve(e.kunshan, q)
	}
	while := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustAnswer("examined while listed", ask(1, while.Number), policy.Allow)
	today := standards.DateOf(e.Clock.Now())
	if _, err := e.RemoveFromTaskList(ctx, e.Authority, list.ID, on[0].ID, credit.Withdrawal{On: today, Document: "文", Reason: "退出"}); err != nil {
		t.Fatal(err)
	}
	mustCredit(t, e.Env, caseEvent(own, "false_evaluation", today))
	if v := scoreOf(t, e.Env, own, registry.CreditQuery{}); v.Score.Band.Code != "D" {
		t.Fatalf("band %s", v.Score.Band.Code)
	}
	after := e.issue(2, "6-31-01-03", standards.Senior) // is issued
	e.mustAnswer("examined when it was listed no more", ask(2, after.Number), policy.Deny, policy.ConditionNotMet)
	e.mustAnswer("by a policy that does not ask", e.mustReserve(e.kunshan, e.request(2, after.Number)), policy.Allow)
}

// docs/adr/0007: an appeal that was upheld binds the row of its upload. Results that
// are uploaded anew are objected to anew, and the person may sit the exam again.
func TestAnUpheldAppealBindsItsRow(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 2))
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	a, err := e.FileAppeal(ctx, s.ID, objection(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.DecideAppeal(ctx, e.Authority, s.ID, a.ID, registry.AppealUpheld, "查实替考"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.DecideAppeal(ctx, e.Authority, s.ID, a.ID, registry.AppealRejected, "改判"); fail.CodeOf(err) != "appeal_closed" {
		t.Errorf("decided again: %v", err)
	}
	if again, err := e.FileAppeal(ctx, s.ID, objection(3)); err != nil || again.ID == a.ID {
		t.Errorf("a further appeal: %+v, %v", again, err)
	} else if _, err := e.DecideAppeal(ctx, e.Authority, s.ID, again.ID, registry.AppealRejected, "经核查无误"); err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(24 * time.Hour)
	if got := e.MustIssue(by, s.ID); len(got) != 1 || got[0].Row != 3 {
		t.Fatalf("issued %+v, want row 3 alone", got)
	}
	next := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 1)) // the same person, in another session
	if got := e.MustIssue(by, next.ID); len(got) != 1 {
		t.Errorf("a later exam of the person: %d", len(got))
	}
}
