package registry_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func (e *claimEnv) lookUp(i int) registry.OverviewRequest {
	p := invented.PersonAt(i)
	return registry.OverviewRequest{Document: p.Document, Name: p.Name, Purpose: "本人到窗口咨询",
		Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社会保险系统", At: e.Clock.Now(), Reference: "SB-1"}}}
}

func (e *claimEnv) overview(by registry.Actor, q registry.OverviewRequest) registry.ClaimOverview {
	e.T.Helper()
	return orFail[registry.ClaimOverview](e)(e.Overview(ctx, by, q))
}

func fundOf(t *testing.T, c registry.OverviewCertificate, f policy.Fund) registry.OverviewItem {
	t.Helper()
	for _, x := range c.Funds {
		if x.Fund == f {
			return x
		}
	}
	t.Fatalf("no fund %s for %s", f, c.Number)
	return registry.OverviewItem{}
}

func TestOverviewAgreesWithTheCheckOfEachClaim(t *testing.T) {
	e := newClaimEnv(t).withPolicies(workTraining(t), preJob(t))
	first, second := e.issue(3, "6-31-01-03", standards.Senior), e.issue(3, "4-10-01-05", standards.Senior)
	for _, paid := range []bool{false, true} {
		if paid {
			e.mustAnswer("reserved", e.mustReserve(e.other, e.request(3, first.Number)), policy.Allow)
		}
		got := e.overview(e.kunshan, e.lookUp(3))
		if !got.Match || len(got.Certificates) != 2 || got.Name == invented.PersonAt(3).Name || strings.Contains(got.Document, invented.PersonAt(3).Document[4:14]) {
			t.Fatalf("%+v", got)
		}
		for _, c := range got.Certificates {
			if c.Number != first.Number && c.Number != second.Number || len(c.Funds) == 0 {
				t.Errorf("%+v", c)
			}
			for _, f := range c.Funds {
				q := e.request(3, c.Number)
				q.Policy, q.Fund, q.Reference = "", f.Fund, ""
				a := orFail[registry.ClaimAnswer](e)(e.CheckClaim(ctx, e.kunshan, q))
				want, _ := json.Marshal(a.Decision)
				have, _ := json.Marshal(f.Decision)
				if string(want) != string(have) || f.Outcome != a.Outcome || !slices.Equal(f.Reasons, a.Reasons) || len(f.Next) != len(a.Next) {
					t.Errorf("%s from %s:\n%s\nwant\n%s", c.Number, f.Fund, have, want)
				}
			}
			item := fundOf(t, c, policy.FundSkillUplift)
			if allowed := item.Outcome == policy.Allow; allowed != !(paid && c.Number == first.Number) {
				t.Errorf("%s, reserved elsewhere %t: %s %v", c.Number, paid, item.Outcome, item.Reasons)
			}
			if item.LastDay != "" || item.DaysLeft != nil {
				t.Errorf("the sample has no window: %s, %v", item.LastDay, item.DaysLeft)
			}
			for _, f := range item.Decision.Failing {
				for _, b := range f.Blocks {
					if b.Own || b.Claim != "" || b.State != "" || b.On == "" {
						t.Errorf("says more than the day of another payer's claim: %+v", b)
					}
				}
			}
		}
		if len(got.Without) != 2 || got.Without[0].Policy != "trial-prejob" || got.Without[1].Subject != policy.ForWorkMonths || !got.Without[0].Sample || got.Without[0].Document == "" {
			t.Errorf("%+v", got.Without)
		}
	}
	// Nothing personal in the log, and what it was for.
	events := eventsOf(t, e.Env, registry.PersonLookedUp)
	if len(events) != 2 || !strings.Contains(events[0], "本人到窗口咨询") || !strings.Contains(events[0], `"certificates":2`) {
		t.Errorf("%v", events)
	}
	for _, text := range events {
		if p := invented.PersonAt(3); strings.Contains(text, p.Name) || strings.Contains(text, p.Document) {
			t.Errorf("personal data in %s", text)
		}
	}
}

// Who brings a number and a wrong name, and who brings a number that nobody has,
// hears the same.
func TestOverviewOfNobody(t *testing.T) {
	e := newClaimEnv(t)
	e.issue(3, "6-31-01-03", standards.Senior)
	// Person 5 is on results that are not public: known by the document alone.
	e.MustPublicise(e.issuer, e.MustPlan(e.issuer), registrytest.CSV(5, 6))
	wrong, unknown := e.lookUp(3), e.lookUp(9)
	wrong.Name = invented.PersonAt(4).Name
	var answers []string
	for _, q := range []registry.OverviewRequest{wrong, unknown, e.lookUp(5)} {
		a := e.overview(e.kunshan, q)
		a.TreeSize = 0
		b, _ := json.Marshal(a)
		answers = append(answers, string(b))
		if a.Match || a.Note == nil || len(a.Certificates)+len(a.Without) > 0 {
			t.Errorf("%s", b)
		}
	}
	if answers[0] != answers[1] || answers[0] != answers[2] {
		t.Errorf("%s", strings.Join(answers, "\n"))
	}
	for _, text := range eventsOf(t, e.Env, registry.PersonLookedUp) {
		if strings.Contains(text, `"person"`) {
			t.Errorf("names a person that was not found: %s", text)
		}
	}
	bad := e.lookUp(3)
	for _, purpose := range []string{"", strings.Repeat("问", 201), "为" + bad.Name + "查询", "查 " + bad.Document} {
		bad.Purpose = purpose
		if _, err := e.Overview(ctx, e.kunshan, bad); fail.CodeOf(err) != "overview" || fail.Of(err).Fields[0].Name != "purpose" {
			t.Errorf("%q: %v", purpose, err)
		}
	}
	auditor := registry.Actor{Account: "au", Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}
	if _, err := e.Overview(ctx, auditor, e.lookUp(3)); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an auditor: %v", err)
	}
}

func TestTotalsFollowEveryStep(t *testing.T) {
	e, reserved := payoutEnv(t, 3)
	auditor := registry.Actor{Account: "au", Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}
	total := func(by registry.Actor, f registry.ClaimTotalFilter) registry.ClaimTotal {
		t.Helper()
		out, next, err := e.ClaimTotals(ctx, by, f, registry.Page{})
		if err != nil || len(out) != 1 || next != "" {
			t.Fatalf("%+v %q %v", out, next, err)
		}
		return out[0]
	}
	all := func() registry.ClaimTotal {
		t.Helper()
		return total(auditor, registry.ClaimTotalFilter{Year: 2026, Policy: "sample-2026"})
	}
	amount := reserved[0].Amount
	if got := all(); got.Reserved != 3 || got.Confirmed != 0 || got.Paid != 0 || got.Payer != "" {
		t.Fatalf("%+v", got)
	}
	pay := func(c registry.ClaimView, ref string) {
		t.Helper()
		orFail[registry.ClaimView](e)(e.ConfirmClaim(ctx, e.kunshan, c.ID, registry.Payment{Reference: ref, PaidOn: e.today(), Amount: c.Amount}))
	}
	pay(reserved[0], "P-0")
	pay(reserved[1], "P-1")
	orFail[registry.ClaimView](e)(e.ReturnPayment(ctx, e.kunshan, reserved[0].ID, registry.PaymentReturn{Payment: "P-0", Reason: "账户已销户", On: e.today()}))
	restores := true
	orFail[registry.ClaimView](e)(e.RefundClaim(ctx, e.kunshan, reserved[1].ID, registry.Refund{Amount: reserved[1].Amount, Reason: "重复", Restores: &restores}))
	want := registry.ClaimTotal{Region: "320583", Policy: "sample-2026", Year: 2026, Reserved: 3, Refunded: 1,
		Paid: amount + reserved[1].Amount, Returned: amount, Back: reserved[1].Amount}
	if got := all(); got != want {
		t.Errorf("%+v, want\n%+v", got, want)
	}
	want.Payer = e.kunshan.Organisation
	if got := total(e.kunshan, registry.ClaimTotalFilter{}); got != want {
		t.Errorf("own: %+v", got)
	}
	if out, _, err := e.ClaimTotals(ctx, e.other, registry.ClaimTotalFilter{Region: "320583", Payer: e.kunshan.Organisation}, registry.Page{}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("another payer: %+v %v", out, err)
	}
	// By the institution of the certificates.
	got, _, err := e.ClaimsWhere(ctx, auditor, registry.ClaimFilter{Institution: e.issuer.Institution.ID, State: policy.Refunded, From: e.today(), To: e.today()}, registry.Page{})
	if err != nil || len(got) != 1 || got[0].ID != reserved[1].ID {
		t.Errorf("%+v %v", got, err)
	}
	if _, _, err := e.ClaimsWhere(ctx, e.kunshan, registry.ClaimFilter{Institution: e.issuer.Institution.ID}, registry.Page{}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("a payer: %v", err)
	}
	// Check recounts.
	e.MustCheck()
	err = e.DB.Update(ctx, func(tx kv.Tx) error { return registry.SpoilClaimTotals(tx) })
	if err != nil {
		t.Fatal(err)
	}
	report, err := e.Check(ctx, registry.Operator(), nil)
	if err != nil || report.Found == 0 || !strings.Contains(strings.Join(report.Problems, "\n"), "totals of region 320583") {
		t.Errorf("%+v %v", report, err)
	}
	// A store that did not count yet.
	if err := registry.CountClaimsAnew(ctx, e.DB); err != nil {
		t.Fatal(err)
	}
	if got := total(e.kunshan, registry.ClaimTotalFilter{}); got != want {
		t.Errorf("counted anew: %+v", got)
	}
	if got, _, err = e.ClaimsWhere(ctx, auditor, registry.ClaimFilter{Institution: e.issuer.Institution.ID}, registry.Page{}); err != nil || len(got) != 3 {
		t.Errorf("institutions named anew: %d %v", len(got), err)
	}
}

func TestPatternsOfAStore(t *testing.T) {
	e := newClaimEnv(t).withPolicies(workTraining(t), preJob(t))
	employer := invented.USCC(7)
	bare := e.bare(3, policy.Subject{Kind: policy.ForPreJob, From: "2026-01-01", To: "2026-01-10", Employer: employer})
	e.mustAnswer("pre-job", e.mustReserve(e.kunshan, bare), policy.Allow)
	first := months("2026-01-01", "2026-01-31", 1)
	if e.today() < "2026-02-01" {
		e.Clock.Add(60 * 24 * time.Hour)
	}
	e.mustAnswer("work", e.mustReserve(e.kunshan, e.bare(3, first)), policy.Allow)
	auditor := registry.Actor{Account: "au", Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}
	got, next, err := e.ClaimPatterns(ctx, auditor, registry.PatternQuery{PatternThresholds: registry.SamplePatternThresholds}, "")
	if err != nil || next != "" || len(got) != 1 || got[0].Kind != registry.PatternEmployer || got[0].Employer != employer || len(got[0].Claims) != 2 {
		t.Fatalf("%+v %q %v", got, next, err)
	}
	if got, _, err := e.ClaimPatterns(ctx, auditor, registry.PatternQuery{Region: "320581", PatternThresholds: registry.SamplePatternThresholds}, ""); err != nil || len(got) != 0 {
		t.Errorf("of another region: %+v %v", got, err)
	}
	if _, _, err := e.ClaimPatterns(ctx, e.kunshan, registry.PatternQuery{PatternThresholds: registry.SamplePatternThresholds}, ""); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("a payer: %v", err)
	}
	if _, _, err := e.ClaimPatterns(ctx, auditor, registry.PatternQuery{}, ""); fail.KindOf(err) != fail.Invalid {
		t.Errorf("no thresholds: %v", err)
	}
}
