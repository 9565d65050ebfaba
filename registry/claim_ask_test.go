package registry_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// rule is the heading of a rule of a test's policy.
func rule(id, more string) string {
	if more != "" {
		more = ", " + more
	}
	return fmt.Sprintf("{id: %s, clause: 试行办法, zh: 试行办法的规定。, en: A rule of the trial.%s}", id, more)
}

// trial is a sample policy of Kunshan in language 2: a flat 300 yuan, with the
// sections that are given in the place of none.
func trial(t *testing.T, id string, fund policy.Fund, sections map[string]string) policy.Policy {
	t.Helper()
	all := map[string]string{
		"language": "2", "id": id, "version": "1", "region": `"320583"`, "parent": `"320500"`, "fund": string(fund),
		"name": "{zh: 试行补贴, en: Trial}", "document": "{number: 试行办法, title: 试行办法, issuer: 示例, dated: 2026-01-01}", "sample": "true",
		"note": "{zh: 示例, en: A sample}", "effective": rule("in_force", "from: 2026-01-01, until: open"), "decided_by": "receipt",
		"money": "employment", "framework": "no", "certificate": rule("certificate", ""), "kinds": rule("kinds", "allowed: [skill_level]"),
		"amounts": rule("amounts", "mean: exact, flat_yuan: 300"),
		"once":    rule("once", "group: own, funds: ["+string(fund)+"], same: [occupation, level]"),
		"reuse":   rule("reuse", "group: own, funds: ["+string(fund)+"], same: [certificate]"), "refund": rule("refund", "restores_right: true"),
	}
	for _, key := range []string{"subject", "groups", "ages", "facts", "modes", "institutions", "places", "supervision", "queryable", "window", "catalogue",
		"cost_cap", "scarce", "amount_for_scarce_always", "excludes", "higher_excludes_lower", "frequency", "beneficiary", "prepayment", "channel",
		"bounds", "unknown", "under"} {
		all[key] = "none"
	}
	if s := sections["subject"]; s != "" && strings.Contains(s, "certificate: none") {
		all["certificate"], all["kinds"], all["reuse"] = "none", "none", "none"
	}
	maps.Copy(all, sections)
	var src strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&src, "%s: %s\n", key, all[key])
	}
	p, err := policy.Parse(id+".yaml", []byte(src.String()))
	if err != nil {
		for _, f := range fail.Of(err).Fields {
			t.Log(f.Name, f.Row, f.EN)
		}
		t.Fatalf("%s: %v", id, err)
	}
	return p
}

// withPolicies gives the registry these policies beside the sample; the texts of
// real places would go before them.
func (e *claimEnv) withPolicies(more ...policy.Policy) *claimEnv {
	e.T.Helper()
	cfg := e.Config()
	sample, err := cfg.Policies.Policy("sample-2026", 0)
	if err != nil {
		e.T.Fatal(err)
	}
	set, err := policy.NewSet(cfg.Policies.Regions(), append(more, sample)...)
	if err != nil {
		e.T.Fatal(err)
	}
	cfg.Policies = set
	if e.Registry, err = registry.New(e.DB, cfg); err != nil {
		e.T.Fatal(err)
	}
	return e
}

// bare is a claim of person i without a certificate.
func (e *claimEnv) bare(i int, s policy.Subject) registry.ClaimRequest {
	e.refs++
	p := invented.PersonAt(i)
	return registry.ClaimRequest{Reference: fmt.Sprintf("ref-%d", e.refs), Document: p.Document, Name: p.Name, Subject: s}
}

func (e *claimEnv) fact(value string) policy.Fact {
	return policy.Fact{Value: value, Source: "主管部门", At: e.Clock.Now(), Reference: "1"}
}

func workTraining(t *testing.T) policy.Policy {
	return trial(t, "trial-work", policy.FundWorkTraining, map[string]string{
		"subject":     rule("subject", "kind: work_months, most_units: 6, certificate: none"),
		"amounts":     rule("amounts", "mean: exact, flat_yuan: 500, per: unit"),
		"once":        rule("once", "group: own, funds: [work_training], same: [subject, period]"),
		"beneficiary": rule("beneficiary", "pay_to: enterprise"), "prepayment": rule("prepayment", "percent: 50"),
	})
}

func preJob(t *testing.T) policy.Policy {
	return trial(t, "trial-prejob", policy.FundPreJob, map[string]string{
		"subject": rule("subject", "kind: pre_job, certificate: none"),
		"once":    rule("once", "group: own, funds: [pre_job], same: [subject]"),
	})
}

func months(from, to standards.Date, units int) policy.Subject {
	return policy.Subject{Kind: policy.ForWorkMonths, From: from, To: to, Units: units, Employer: invented.USCC(7)}
}

// 昆政办发〔2020〕67号 四（二）: work as training is paid by the month, at most six.
func TestWorkTrainingIsPaidOnceForAMonth(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)}).withPolicies(workTraining(t))
	e.Clock.Add(120 * 24 * time.Hour)
	first := e.bare(3, months("2026-01-01", "2026-02-28", 2))

	check, err := e.CheckClaim(ctx, e.kunshan, first)
	if err != nil {
		t.Fatal(err)
	}
	e.mustAnswer("checked", check, policy.Allow)
	other := first
	other.Name = "另一人"
	if a, err := e.CheckClaim(ctx, e.kunshan, other); err != nil || a.Outcome != policy.Allow {
		t.Fatalf("a check has made the person: %+v, %v", a, err)
	}

	a := e.mustReserve(e.kunshan, first)
	e.mustAnswer("two months", a, policy.Allow)
	if d := a.Decision; d.Amount != 100000 || d.PayTo != "enterprise" || d.AdvanceMost != 50000 || d.Units != 2 || len(d.Calculation) == 0 || d.Policy != "trial-work" {
		t.Errorf("two months: %+v", d)
	}
	if again := e.mustReserve(e.kunshan, first); asJSON(t, again) != asJSON(t, a) {
		t.Errorf("the same reference: %+v, was %+v", again, a)
	}
	overlapping := e.mustReserve(e.kunshan, e.bare(3, months("2026-02-01", "2026-03-31", 2)))
	e.mustAnswer("a month twice", overlapping, policy.Deny, policy.OnceTaken)
	if b := overlapping.Decision.Failing[0].Blocks; len(b) != 1 || !b[0].Own || b[0].Claim != a.Claim.ID {
		t.Errorf("what blocks: %+v", b)
	}
	e.mustAnswer("another month", e.mustReserve(e.kunshan, e.bare(3, months("2026-03-01", "2026-03-31", 1))), policy.Allow)
	e.mustAnswer("more than six", e.mustReserve(e.kunshan, e.bare(3, months("2025-08-01", "2025-11-30", 4))), policy.Deny, policy.UnitsReached)
	e.mustAnswer("another person", e.mustReserve(e.kunshan, e.bare(4, months("2026-01-01", "2026-02-28", 2))), policy.Allow)
	if _, err := e.CheckClaim(ctx, e.kunshan, e.bare(3, months("2026-12-01", "2026-12-31", 1))); fail.KindOf(err) != fail.Invalid || fail.Of(err).Fields[0].Name != "subject.to" {
		t.Errorf("months that are to come: %v", err)
	}
	e.mustAnswer("without days", e.mustReserve(e.kunshan, e.bare(5, policy.Subject{Kind: policy.ForWorkMonths, Units: 1})), policy.Hold, policy.SubjectLacks)
}

// 昆政办发〔2020〕67号 二（四）: pre-job training is paid for once.
func TestPreJobTrainingIsPaidOnce(t *testing.T) {
	e := newClaimEnv(t).withPolicies(preJob(t), workTraining(t))
	a := e.mustReserve(e.kunshan, e.bare(3, policy.Subject{Kind: policy.ForPreJob, Course: "KB-1"}))
	e.mustAnswer("first", a, policy.Allow)
	if a.Decision.Policy != "trial-prejob" || a.Decision.Amount != 30000 {
		t.Errorf("first: %+v", a.Decision)
	}
	e.mustAnswer("again", e.mustReserve(e.kunshan, e.bare(3, policy.Subject{Kind: policy.ForPreJob, Course: "KB-2"})), policy.Deny, policy.OnceTaken)
	if _, err := e.ReleaseClaim(ctx, e.kunshan, a.Claim.ID, "本人撤回"); err != nil {
		t.Fatal(err)
	}
	e.mustAnswer("after it was given up", e.mustReserve(e.kunshan, e.bare(3, policy.Subject{Kind: policy.ForPreJob, Course: "KB-2"})), policy.Allow)
}

// A person who claimed before anything else was known is the one who later has a
// certificate, and answers to the name that was stated first.
func TestAPersonKnownByAClaimAlone(t *testing.T) {
	e := newClaimEnv(t).withPolicies(preJob(t), workTraining(t))
	e.Clock.Add(60 * 24 * time.Hour)
	subject := months("2026-02-01", "2026-02-28", 1)
	other := e.bare(1, subject)
	other.Name = "另一人"
	e.mustAnswer("nobody knows the person", e.mustReserve(e.kunshan, e.bare(1, subject)), policy.Allow)
	denied := e.mustReserve(e.kunshan, other)
	e.mustAnswer("under another name", denied, policy.Deny, registry.NoMatch)
	if denied.Match || denied.Decision != nil || denied.Claim != nil || denied.Note == nil {
		t.Errorf("under another name: %+v", denied)
	}
	e.mustAnswer("to another payer too", e.mustReserve(e.other, other), policy.Deny, registry.NoMatch)

	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustAnswer("the certificate", e.mustReserve(e.kunshan, e.request(1, cert.Number)), policy.Allow)
	e.mustAnswer("still once", e.mustReserve(e.kunshan, e.bare(1, subject)), policy.Deny, policy.OnceTaken)

	// Known by the certificate alone: the name on it counts.
	e.issue(2, "6-31-01-03", standards.Senior)
	wrong := e.bare(2, subject)
	wrong.Name = "另一人"
	e.mustAnswer("not the name on the certificate", e.mustReserve(e.kunshan, wrong), policy.Deny, registry.NoMatch)
	e.mustAnswer("the name on the certificate", e.mustReserve(e.kunshan, e.bare(2, subject)), policy.Allow)
}

// A policy is the payer's region's or one above it; frameworks decide nothing,
// and where several funds pay for a subject the request says which.
func TestWhichPolicyDecides(t *testing.T) {
	framework := trial(t, "trial-frame", policy.FundAppraisal, map[string]string{"framework": "yes", "region": `"320000"`, "parent": `"000000"`,
		"bounds": "[" + rule("bound_frequency", "field: frequency.max, may: at_most, value: 3, funds: [appraisal], in_principle: no") + "]"})
	study := trial(t, "trial-study", policy.FundAdvancedStudy, map[string]string{"subject": rule("subject", "kind: pre_job, certificate: none"),
		"once": rule("once", "group: own, funds: [advanced_study], same: [subject]")})
	e := newClaimEnv(t).withPolicies(preJob(t), study, framework)
	for name, c := range map[string]struct {
		by     registry.Actor
		change func(*registry.ClaimRequest)
		field  string
		code   string
	}{
		"several funds":      {e.kunshan, func(*registry.ClaimRequest) {}, "fund", "fund_ambiguous"},
		"no fund":            {e.kunshan, func(q *registry.ClaimRequest) { q.Subject.Kind = policy.ForGraduate }, "subject.kind", "no_policy"},
		"another's region":   {e.other, func(*registry.ClaimRequest) {}, "subject.kind", "no_policy"},
		"by its name there":  {e.other, func(q *registry.ClaimRequest) { q.Policy = "trial-prejob" }, "policy", "policy_region"},
		"a framework":        {e.kunshan, func(q *registry.ClaimRequest) { q.Policy = "trial-frame" }, "policy", "policy_framework"},
		"a framework's fund": {e.kunshan, func(q *registry.ClaimRequest) { q.Fund = policy.FundAppraisal }, "fund", "no_policy"},
		"with a certificate": {e.kunshan, func(q *registry.ClaimRequest) {
			q.Fund, q.Certificate = policy.FundPreJob, e.issue(1, "6-31-01-03", standards.Senior).Number
		}, "certificate", "subject_without"},
	} {
		q := e.bare(1, policy.Subject{Kind: policy.ForPreJob})
		c.change(&q)
		a, err := e.CheckClaim(ctx, c.by, q)
		if err == nil {
			t.Errorf("%s: %s %v", name, a.Outcome, a.Reasons)
			continue
		}
		if fields := fail.Of(err).Fields; fail.KindOf(err) != fail.Invalid || len(fields) != 1 || fields[0].Name != c.field || fields[0].Code != c.code {
			t.Errorf("%s: %v %+v", name, err, fields)
		}
	}
	q := e.bare(1, policy.Subject{Kind: policy.ForPreJob})
	q.Fund = policy.FundAdvancedStudy
	if a := e.mustReserve(e.kunshan, q); a.Outcome != policy.Allow || a.Decision.Policy != "trial-study" {
		t.Errorf("one of several: %+v", a)
	}
	_, err := e.CheckClaim(ctx, e.kunshan, e.bare(2, policy.Subject{Kind: policy.ForPreJob}))
	if err == nil {
		t.Fatal("several funds, and one was taken")
	}
	for _, fund := range []policy.Fund{policy.FundPreJob, policy.FundAdvancedStudy} {
		if f := fail.Of(err).Fields[0]; !strings.Contains(f.ZH, string(fund)) || !strings.Contains(f.EN, string(fund)) {
			t.Errorf("several funds, and %s is not named: %+v", fund, f)
		}
	}
}

// A frequency in principle 原则上, and the rule about channels, may be set aside by
// an approval that is on record; nothing else may.
func TestApprovedExceptions(t *testing.T) {
	p := trial(t, "trial-appraisal", policy.FundAppraisal, map[string]string{
		"frequency": rule("frequency", "max: 1, per: natural_year, counter: own, funds: [appraisal], in_principle: yes"),
		"channel":   rule("channel", "system_only: yes"),
	})
	e := newClaimEnv(t).withPolicies(p)
	ask := func(i int, number string) registry.ClaimRequest {
		q := e.request(i, number)
		q.Policy, q.Facts = p.ID, nil
		return q
	}
	approval := policy.Exception{Rule: "frequency", Document: "昆人社〔2026〕5号", Approver: "昆山市人力资源和社会保障局", On: "2026-03-02"}
	one, two := e.issue(1, "6-31-01-03", standards.Senior), e.issue(1, "4-10-01-05", standards.Senior)
	e.mustAnswer("the first of the year", e.mustReserve(e.kunshan, ask(1, one.Number)), policy.Allow)
	second := e.mustReserve(e.kunshan, ask(1, two.Number))
	e.mustAnswer("the second", second, policy.Deny, policy.FrequencyReached)
	if n := second.Next; len(n) != 1 || n[0].Rule != "frequency" || n[0].Next.ZH == "" || n[0].Next.EN == "" {
		t.Errorf("what to do about it: %+v", n)
	}

	q := ask(1, two.Number)
	q.Exceptions = []policy.Exception{approval}
	a := e.mustReserve(e.kunshan, q)
	e.mustAnswer("the second, approved", a, policy.Allow)
	if x := a.Decision.Excepted; len(x) != 1 || x[0].Rule != "frequency" {
		t.Errorf("excepted: %+v", x)
	}
	// Three years later an auditor sees by which approval the rule was opened.
	signed, err := e.ReplayClaim(ctx, e.kunshan, a.Claim.ID)
	if x := signed.Recorded.Approvals; err != nil || !signed.Same || len(x) != 1 || x[0] != approval || a.Decision.Approvals[0] != approval {
		t.Errorf("approved by %+v, %v", x, err)
	}

	for name, c := range map[string]struct {
		spoil func(*policy.Exception)
		field string
	}{
		"of a day to come":         {func(x *policy.Exception) { x.On = standards.DateOf(e.Clock.Now()).AddDays(1) }, "exceptions[0].on"},
		"of no such rule":          {func(x *policy.Exception) { x.Rule = "phase_of_the_moon" }, "exceptions[0].rule"},
		"of a rule that is strict": {func(x *policy.Exception) { x.Rule = "once" }, "exceptions[0].rule"},
	} {
		q, x := ask(1, two.Number), approval
		c.spoil(&x)
		q.Exceptions = []policy.Exception{x}
		_, err := e.CheckClaim(ctx, e.kunshan, q)
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if fields := fail.Of(err).Fields; fail.KindOf(err) != fail.Invalid || len(fields) != 1 || fields[0].Name != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}

	three := e.issue(2, "6-31-01-03", standards.Senior)
	for _, way := range []policy.Channel{policy.ByFile, policy.ByHand} {
		q := ask(2, three.Number)
		q.Channel = way
		e.mustAnswer(string(way), e.mustReserve(e.kunshan, q), policy.Deny, policy.ChannelNotAllowed)
	}
	q = ask(2, three.Number)
	q.Channel, q.Exceptions = policy.ByFile, []policy.Exception{approval}
	q.Exceptions[0].Rule = "channel"
	if a = e.mustReserve(e.kunshan, q); a.Outcome != policy.Allow || len(a.Decision.Excepted) != 1 {
		t.Errorf("by file, approved: %+v", a)
	}
	e.MustCheck()
}

// What the register knows of its own certificates it does not ask for.
func TestTheRegisterKnowsItsOwnCertificates(t *testing.T) {
	asks := func(id string, fund policy.Fund, sections map[string]string) policy.Policy {
		return trial(t, id, fund, sections)
	}
	supervised := asks("trial-supervised", policy.FundAppraisal, map[string]string{"supervision": rule("supervised", "scope: [evaluation], from: 2026-01-01")})
	listed := asks("trial-listed", policy.FundTraining, map[string]string{"institutions": rule("listed", "conditions: [task_listed]")})
	pay := asks("trial-pay", policy.FundEnterpriseDirect, map[string]string{"institutions": rule("pay", "conditions: [pay_linked, pilot_recognised], for_classes: [Y]")})
	e := newClaimEnv(t).withPolicies(supervised, listed, pay)
	ask := func(i int, number string, p policy.Policy) registry.ClaimAnswer {
		t.Helper()
		q := e.request(i, number)
		q.Policy, q.Facts = p.ID, nil
		return e.mustReserve(e.kunshan, q)
	}

	// 云眸: 凡补必进，不进不补.
	with := e.MustPlan(e.issuer)
	if _, err := e.SetPlatform(ctx, e.issuer.Actor, with.ID, "YM-1"); err != nil {
		t.Fatal(err)
	}
	e.MustPublicise(e.issuer, with, registrytest.CSV(1, 2))
	one := e.MustIssue(e.issuer, with.ID)[0]
	two := e.issue(2, "6-31-01-03", standards.Senior)
	e.mustAnswer("supervised", ask(1, one.Number, supervised), policy.Allow)
	e.mustAnswer("not supervised", ask(2, two.Number, supervised), policy.Deny, policy.NotSupervised)

	// 承接名单 on the day of the exam.
	e.mustAnswer("on no list", ask(2, two.Number, listed), policy.Deny, policy.ConditionNotMet)
	list, err := e.MakeTaskList(ctx, e.Authority, credit.TaskList{Region: "320500", Name: "名单", Document: "文", Basis: "依据", Method: "experts", From: "2026-01-01", Until: "2026-12-31"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.EnterTaskList(ctx, e.Authority, list.ID, []credit.Entry{{Institution: e.issuer.Institution.ID, From: "2026-01-01"}}); err != nil {
		t.Fatal(err)
	}
	late := ask(2, two.Number, listed)
	e.mustAnswer("listed in retrospect", late, policy.Hold, policy.FactMissing)
	if m := late.Decision.Missing; len(m) != 1 || m[0].Fact != string(policy.IssuerTaskListed) {
		t.Errorf("listed in retrospect: %+v", m)
	}
	three := e.issue(3, "6-31-01-03", standards.Senior)
	e.mustAnswer("listed", ask(3, three.Number, listed), policy.Allow)

	// 苏人社发〔2018〕76号 三（三）1: an employer's own evaluation.
	y := e.MustEmploy(2)
	employed := func(i int) registry.Issued {
		t.Helper()
		s := e.MustEnter(y, e.MustPlan(y), i)
		s = e.MustPublicise(y, s, registrytest.CSV(i, i+1))
		return e.MustIssue(y, s.ID)[0]
	}
	four := employed(4)
	e.mustAnswer("neither", ask(4, four.Number, pay), policy.Deny, policy.ConditionNotMet)
	e.Clock.Add(time.Hour)
	for _, kind := range []evaluators.RecognitionKind{evaluators.PayLinked, evaluators.PilotRecognised} {
		if _, err := e.Recognise(ctx, e.Authority, y.Filing.ID, evaluators.Recognition{Kind: kind, From: "2026-01-01", Document: "苏人社〔2026〕1号"}); err != nil {
			t.Fatal(err)
		}
	}
	e.mustAnswer("recognised afterwards", ask(4, four.Number, pay), policy.Hold, policy.FactMissing)
	five := employed(5)
	e.mustAnswer("recognised", ask(5, five.Number, pay), policy.Allow)
	e.mustAnswer("not of class Y", ask(3, three.Number, pay), policy.Allow)

	// What is recorded later does not change what was decided.
	e.MustCheck()
}

// A certificate from elsewhere: what the register cannot know is asked for.
func TestOfOthersCertificatesNothingIsKnown(t *testing.T) {
	p := trial(t, "trial-supervised", policy.FundAppraisal, map[string]string{"supervision": rule("supervised", "scope: [evaluation], from: 2026-01-01")})
	e := newClaimEnv(t).withPolicies(p)
	person := invented.PersonAt(1)
	got, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: "S000032010001263000001", Name: person.Name, Document: person.Document,
		Occupation: "6-31-01-03", Level: standards.Senior, Issued: "2026-02-20", InstitutionName: "某评价机构"}})
	if err != nil {
		t.Fatal(err)
	}
	q := e.request(1, got[0].Number)
	q.Policy, q.Facts = p.ID, nil
	e.mustAnswer("nobody has said", e.mustReserve(e.kunshan, q), policy.Hold, policy.FactMissing)
	q.Facts = policy.Facts{policy.IsSupervised: e.fact(policy.Yes)}
	e.mustAnswer("the payer says", e.mustReserve(e.kunshan, q), policy.Allow)
}

// 粤人社 2023: 16 to 60, women to 55: an identity number says how old its holder is.
func TestAgesByTheDocument(t *testing.T) {
	limits := func(id string, more string) policy.Policy {
		return trial(t, id, policy.FundAppraisal, map[string]string{"ages": rule("ages", "at: receipt, "+more)})
	}
	for name, c := range map[string]struct {
		p       policy.Policy
		outcome policy.Outcome
	}{
		"in between": {limits("trial-age", "min: 16, max_male: 119, max_female: 119"), policy.Allow},
		"too young":  {limits("trial-age", "min: 119"), policy.Deny},
		"too old":    {limits("trial-age", "max_male: 1, max_female: 1"), policy.Deny},
	} {
		e := newClaimEnv(t).withPolicies(c.p)
		cert := e.issue(1, "6-31-01-03", standards.Senior)
		q := e.request(1, cert.Number)
		q.Policy, q.Facts = c.p.ID, nil
		if a := e.mustReserve(e.kunshan, q); a.Outcome != c.outcome {
			t.Errorf("%s: %s %v", name, a.Outcome, a.Reasons)
		}
	}
}

// decided_by application: the day the person applied decides, and is in what the
// claim was recorded with.
func TestTheDayOfApplication(t *testing.T) {
	p := trial(t, "trial-applied", policy.FundAppraisal, map[string]string{"decided_by": "application",
		"effective": rule("in_force", "from: 2026-01-01, until: 2026-03-20")})
	e := newClaimEnv(t).withPolicies(p)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.Clock.Set(time.Date(2026, 4, 10, 2, 0, 0, 0, time.UTC))
	ask := func(applied standards.Date) registry.ClaimRequest {
		q := e.request(1, cert.Number)
		q.Policy, q.Facts, q.Applied = p.ID, nil, applied
		return q
	}
	e.mustAnswer("applied today", e.mustReserve(e.kunshan, ask("")), policy.Deny, policy.NotInForce)
	a := e.mustReserve(e.kunshan, ask("2026-03-20"))
	e.mustAnswer("applied in time", a, policy.Allow)
	if a.Decision.On != "2026-03-20" {
		t.Errorf("decided as of %s", a.Decision.On)
	}
	if _, err := e.CheckClaim(ctx, e.kunshan, ask("2026-04-11")); fail.KindOf(err) != fail.Invalid {
		t.Errorf("applied after it was received: %v", err)
	}
}

// Many payers meet a person nobody knows yet: one person is made, one claim
// allowed, and the store says nothing of who it is.
func TestOneOfManyClaimsOfAnUnknownPerson(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3), Engine: registrytest.Bolt}).withPolicies(preJob(t))
	second := registrytest.Payer("ks-second", "320583")
	answers, errs := make([]registry.ClaimAnswer, 40), make([]error, 40)
	var wg sync.WaitGroup
	for i := range answers {
		q := e.bare(3, policy.Subject{Kind: policy.ForPreJob})
		if i%3 == 0 {
			q.Channel = policy.ByFile
		}
		wg.Go(func() { answers[i], errs[i] = e.ReserveClaim(ctx, []registry.Actor{e.kunshan, second}[i%2], q) })
	}
	wg.Wait()
	allowed := 0
	for i, a := range answers {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if a.Outcome == policy.Allow {
			allowed++
			continue
		}
		e.mustAnswer("the others", a, policy.Deny, policy.OnceTaken)
		for _, b := range a.Decision.Failing[0].Blocks {
			if !b.Own && (b.Claim != "" || b.State != "" || b.On == "") {
				t.Errorf("another payer learns %+v", b)
			}
		}
	}
	if allowed != 1 {
		t.Errorf("%d claims were allowed", allowed)
	}
	e.MustCheck()
	raw, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	mustNotHold(t, raw, invented.PersonAt(3))
}
