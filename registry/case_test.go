package registry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func wholeOf(by registrytest.Issuer) evaluators.Target {
	return evaluators.Target{Institution: by.Institution.ID}
}

func today(e *registrytest.Env) standards.Date { return standards.DateOf(e.Clock.Now()) }

func record(t *testing.T, e *registrytest.Env, d evaluators.Decision) evaluators.Decision {
	t.Helper()
	if d.Effective == "" {
		d.Effective = today(e)
	}
	d.Document, d.Basis = "苏人社决〔2026〕9号", "示例办法第十条"
	out, err := e.RecordDecision(ctx, e.Authority, d)
	if err != nil {
		t.Fatalf("record %s: %v", d.Kind, err)
	}
	return out
}

// A suspension of a trade, a level or a site stops that, and nothing else.
func TestSuspensionOfAPart(t *testing.T) {
	const electrician, turner = "6-31-01-03", "6-18-01-01"
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	other := by
	var err error
	if other.Filing, err = e.RecordFiling(ctx, e.Authority, evaluators.Filing{Institution: by.Institution.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode,
		Province: "32", Site: "058999", Authority: "320000", From: today(e), Until: today(e).AddDays(900), Document: "苏人社备〔2026〕2号",
		Scope: append(registrytest.Scope(), evaluators.ScopeItem{Occupation: turner, Levels: standards.LevelsOf(standards.Senior)})}); err != nil {
		t.Fatal(err)
	}
	plan := func(by registrytest.Issuer, occupation, trade string, l standards.Level) error {
		_, err := e.PlanSession(ctx, by.Actor, registry.NewSession{Name: "测试批次", Filing: by.Filing.ID, Occupation: occupation, Trade: trade, Level: l, ExamDate: today(e).AddDays(1)})
		return err
	}
	refused := func(err error) {
		t.Helper()
		if fail.CodeOf(err) != "not_entitled" || len(fail.Of(err).Fields) == 0 || fail.Of(err).Fields[0].Code != "suspended" {
			t.Errorf("got %v, want a refusal for the suspension", err)
		}
	}
	allowed := func(err error) {
		t.Helper()
		if err != nil {
			t.Errorf("got %v, want a plan", err)
		}
	}
	inst := by.Institution.ID

	onTrade := evaluators.Target{Institution: inst, Occupation: turner, Trade: "01"}
	record(t, e, evaluators.Decision{Target: onTrade, Kind: evaluators.Suspend})
	refused(plan(other, turner, "01", standards.Senior))
	allowed(plan(other, turner, "02", standards.Senior))
	allowed(plan(other, electrician, "", standards.Senior))
	record(t, e, evaluators.Decision{Target: onTrade, Kind: evaluators.Resume})
	allowed(plan(other, turner, "01", standards.Senior))

	onLevel := evaluators.Target{Institution: inst, Levels: standards.LevelsOf(standards.Technician, standards.SeniorTechnician)}
	record(t, e, evaluators.Decision{Target: onLevel, Kind: evaluators.Suspend})
	refused(plan(by, electrician, "", standards.Technician))
	allowed(plan(by, electrician, "", standards.Senior))
	record(t, e, evaluators.Decision{Target: onLevel, Kind: evaluators.Resume})

	onSite := evaluators.Target{Institution: inst, Site: "058999"}
	d := record(t, e, evaluators.Decision{Target: onSite, Kind: evaluators.Suspend, Until: today(e).AddDays(9)})
	if d.Province != "32" {
		t.Errorf("province %q", d.Province)
	}
	refused(plan(other, electrician, "", standards.Senior))
	allowed(plan(by, electrician, "", standards.Senior))
	e.Clock.Set(d.Until.Time().Add(10 * time.Hour))
	// The exam is tomorrow, when it is over; today it still is not.
	refused(plan(other, electrician, "", standards.Senior))
	e.Clock.Set(d.Until.AddDays(1).Time())
	allowed(plan(other, electrician, "", standards.Senior))
}

// The directory and the verdict say when a suspension began, and that it has
// ended by itself.
func TestASuspensionEndsByItself(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 1)[0]
	e.Clock.Add(time.Hour)
	d := record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.Suspend, Until: today(e).AddDays(9)})
	word := func() string {
		t.Helper()
		v, err := e.VerdictByToken(ctx, issued.QR)
		if err != nil || !v.Valid {
			t.Fatalf("%+v %v", v.Reasons, err)
		}
		return string(v.Institution.StatusAtIssue) + " " + string(v.Institution.StatusNow)
	}
	if w := word(); w != "filed suspended" {
		t.Errorf("during: %s", w)
	}
	before := directory(t, e)
	e.Clock.Set(d.Until.AddDays(1).Time())
	if w := word(); w != "filed filed" {
		t.Errorf("after: %s", w)
	}
	payload := func(signed string) string {
		b, err := base64.RawURLEncoding.DecodeString(strings.Split(signed, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	lifted := `{"from":"` + string(d.Until.AddDays(1)) + `","recorded":"`
	if strings.Contains(payload(before), lifted) || !strings.Contains(payload(directory(t, e)), lifted) {
		t.Error("the directory does not say from when it was over")
	}
}

// Exit: a named session may finish to the day the decision names.
func TestFinishUntil(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %t", late), func(t *testing.T) {
			e := registrytest.New(t)
			by := e.MustAdmit(1)
			s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 3))
			d := record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.ExitVoluntary, FinishSessions: []string{s.ID}, FinishUntil: today(e).AddDays(10)})
			e.Clock.Set(d.FinishUntil.Time().Add(23 * time.Hour))
			if late {
				e.Clock.Set(d.FinishUntil.AddDays(1).Time())
			}
			_, err := e.Issue(ctx, by.Actor, s.ID, nil)
			if !late && err != nil {
				t.Fatal(err)
			}
			if late && (fail.CodeOf(err) != "not_entitled" || fail.Of(err).Fields[0].Code != "finish_period_over") {
				t.Fatalf("after the last day: %v", err)
			}
		})
	}
}

// Rectification: what the rules of the day say is frozen in the decision.
func TestRectificationHoldsIssueByRule(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	d := record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.Rectify, Due: today(e).AddDays(30)})
	if !d.HoldsIssue {
		t.Fatal("the sample rule lets nobody issue while rectifying")
	}
	_, err := e.PlanSession(ctx, by.Actor, registry.NewSession{Name: "测试批次", Filing: by.Filing.ID, Occupation: "6-31-01-03", Level: standards.Senior, ExamDate: today(e).AddDays(1)})
	if fail.CodeOf(err) != "not_entitled" || fail.Of(err).Fields[0].Code != "rectifying" {
		t.Fatalf("while rectifying: %v", err)
	}
	record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.Accept})
	e.MustPlan(by)
}

// A removal through a whole case, to its end: what each step does, who sees what.
func TestRemovalThroughAWholeCase(t *testing.T) {
	e := registrytest.New(t)
	by, stranger := e.MustAdmit(1), e.MustAdmit(2)
	reviewer := e.Authority
	reviewer.Account = "a-reviewer"
	removal, list := e.Measure(evaluators.ExitOrdered, wholeOf(by)), e.Measure(evaluators.Blacklist, wholeOf(by))

	_, err := e.RecordDecision(ctx, e.Authority, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.ExitOrdered, Effective: today(e), Document: "x", Basis: "x"})
	if fail.CodeOf(err) != "case_needed" || !strings.Contains(fail.Of(err).ZH, "立案") {
		t.Fatalf("a removal without a case: %v", err)
	}

	c := e.MustOpenCase(wholeOf(by))
	for _, err := range []error{
		errOf(e.CaseByID(ctx, by.Actor, c.ID)),
		errOf(e.AdvanceCase(ctx, by.Actor, c.ID, cases.Step{Kind: cases.Statement, Text: "x"})),
	} {
		if fail.KindOf(err) != fail.NotFound {
			t.Errorf("the institution knows of a lead: %v", err)
		}
	}
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Inquire, Text: "证人张三称试卷事先泄露"})
	notice := cases.Step{Kind: cases.Notify, Document: "苏人社告〔2026〕7号", Basis: "示例办法第二十条", Reason: "出售试题", Text: "告知书全文", Measures: []cases.Measure{removal, list}}
	c = e.MustStep(e.Authority, c.ID, notice)
	decide := cases.Step{Kind: cases.Decide, Document: "苏人社决〔2026〕7号", Basis: "示例办法第二十条", Reason: "出售试题", Measures: []cases.Measure{removal, list}}
	if _, err := e.AdvanceCase(ctx, e.Authority, c.ID, decide); fail.CodeOf(err) != "statement_period_running" || !strings.Contains(fail.Of(err).ZH, c.Notice.StatementUntil.AddDays(1).Chinese()) {
		t.Fatalf("before the days for an answer are over: %v", err)
	}
	for who, actor := range map[string]registry.Actor{"another institution": stranger.Actor, "a payer": registrytest.Payer("p", "320583"), "the public": {}} {
		if _, err := e.CaseByID(ctx, actor, c.ID); fail.KindOf(err) != fail.Forbidden && fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("%s reads the case: %v", who, err)
		}
		if _, err := e.AdvanceCase(ctx, actor, c.ID, cases.Step{Kind: cases.Statement, Text: "x"}); fail.KindOf(err) != fail.Forbidden && fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("%s answers: %v", who, err)
		}
	}
	if _, err := e.AdvanceCase(ctx, by.Actor, c.ID, decide); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("the institution decides its own case: %v", err)
	}

	c = e.MustStep(by.Actor, c.ID, cases.Step{Kind: cases.Statement, Text: "试题由外部人员泄露，本单位已报案"})
	seen := fmt.Sprint(jsonOf(t, c))
	if !strings.Contains(seen, "试题由外部人员泄露") || !strings.Contains(seen, "告知书全文") || strings.Contains(seen, "张三") || strings.Contains(seen, "举报") || strings.Contains(seen, `"report"`) {
		t.Errorf("the institution sees %s", seen)
	}
	full, err := e.CaseByID(ctx, e.Authority, c.ID)
	if err != nil || !strings.Contains(jsonOf(t, full), "张三") || len(full.Steps) != 4 {
		t.Errorf("the authority sees %s %v", jsonOf(t, full), err)
	}
	auditor := registry.Actor{Account: "a-auditor", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}
	if v, err := e.CaseByID(ctx, auditor, c.ID); err != nil || len(v.Steps) != 4 || strings.Contains(jsonOf(t, v), "张三") {
		t.Errorf("the auditor sees %s %v", jsonOf(t, v), err)
	}

	// Decision, and with it the end of the institution, in one Update.
	sizeBefore := directory(t, e)
	c = e.MustStep(e.Authority, c.ID, decide)
	if len(c.Ruling.Decisions) != 2 || directory(t, e) == sizeBefore {
		t.Fatalf("decisions %v", c.Ruling.Decisions)
	}
	inst, err := e.InstitutionByID(ctx, e.Authority, by.Institution.ID)
	if err != nil || inst.Status != evaluators.Removed || inst.Decisions[0].Case != c.ID {
		t.Fatalf("%+v %v", inst, err)
	}
	if pub, _, err := e.PublishedDecisions(ctx, registry.Page{}); err != nil || len(pub) != 0 {
		t.Errorf("public before it was served: %v %v", pub, err)
	}
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Serve})
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Publish, Reason: "自公开之日起不再受理其备案"})
	pub, _, err := e.PublishedDecisions(ctx, registry.Page{})
	if err != nil || len(pub) != 2 || pub[0].Name != by.Institution.Name || pub[0].Document != decide.Document || pub[0].Note == "" {
		t.Fatalf("public: %+v %v", pub, err)
	}
	if s := jsonOf(t, pub); strings.Contains(s, "张三") || strings.Contains(s, "举报") || strings.Contains(s, "a-authority") {
		t.Errorf("public: %s", s)
	}

	// The blacklist.
	again := evaluators.Institution{Name: by.Institution.Name, USCC: by.Institution.USCC, Region: "320583"}
	if _, err := e.AdmitInstitution(ctx, e.Authority, again); fail.CodeOf(err) != "blacklisted" {
		t.Errorf("admitted again: %v", err)
	}
	f := by.Filing
	f.Site, f.From, f.Until = "058998", today(e), today(e).AddDays(2000)
	if _, err := e.RecordFiling(ctx, e.Authority, f); fail.CodeOf(err) != "blacklisted" || !strings.Contains(fail.Of(err).ZH, list.Until.AddDays(1).Chinese()) {
		t.Errorf("filed again: %v", err)
	}

	// Review: asked for by the institution, decided by another account.
	e.MustStep(by.Actor, c.ID, cases.Step{Kind: cases.RequestReview, Text: "请求撤销列入黑名单"})
	review := cases.Step{Kind: cases.DecideReview, Outcome: cases.Revoked, Document: "苏人社复〔2026〕1号", Basis: "复核意见"}
	if _, err := e.AdvanceCase(ctx, e.Authority, c.ID, review); fail.CodeOf(err) != "second_person_needed" {
		t.Errorf("reviewed by who decided: %v", err)
	}
	c = e.MustStep(reviewer, c.ID, review)
	if len(c.Ruling.Lifted) != 1 {
		t.Errorf("lifted %v", c.Ruling.Lifted)
	}
	if pub, _, err = e.PublishedDecisions(ctx, registry.Page{}); err != nil || len(pub) != 3 || pub[0].Withdrawn == "" && pub[1].Withdrawn == "" && pub[2].Withdrawn == "" {
		t.Errorf("public after the review: %+v %v", pub, err)
	}
	if _, err := e.AdmitInstitution(ctx, e.Authority, again); fail.CodeOf(err) != "institution_exists" {
		t.Errorf("after the review: %v", err)
	}
	c = e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Close})
	if c.State != cases.Closed {
		t.Error(c.State)
	}

	// The log has every step and none of the texts; the institution sees of it
	// what it was told.
	report, err := e.Check(ctx, registry.Operator(), nil)
	if err != nil {
		t.Fatal(err)
	}
	steps, own := 0, 0
	for i := range report.Events {
		b, err := e.Proof(ctx, e.Authority, i)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"张三", "举报", "试题由外部", "请求撤销", "告知书全文"} {
			if strings.Contains(string(b.Event), text) {
				t.Errorf("the log has %q in it: %s", text, b.Event)
			}
		}
		if strings.Contains(string(b.Event), `"case_`) {
			steps++
			if b, err = e.Proof(ctx, by.Actor, i); err != nil {
				t.Fatal(err)
			} else if b.Event != nil {
				own++
			}
		}
	}
	if steps != 10 || own != 8 {
		t.Errorf("%d events of the case, %d of them shown to the institution", steps, own)
	}
}

// The blacklist bars to its last day and not longer.
func TestBlacklistBarsFilingsToItsLastDay(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	list := e.Measure(evaluators.Blacklist, wholeOf(by))
	e.MustDecideInCase(wholeOf(by), list)
	e.MustPlan(by) // what it has is not touched
	f := by.Filing
	f.Site = "058998"
	e.Clock.Set(list.Until.Time().Add(23 * time.Hour))
	f.From, f.Until = today(e), today(e).AddDays(2000)
	if _, err := e.RecordFiling(ctx, e.Authority, f); fail.CodeOf(err) != "blacklisted" {
		t.Fatalf("on the last day: %v", err)
	}
	e.Clock.Set(list.Until.AddDays(1).Time())
	f.From = today(e)
	if _, err := e.RecordFiling(ctx, e.Authority, f); err != nil {
		t.Fatalf("the day after: %v", err)
	}
}

// Rectification in a case: the institution reports, the authority accepts, and
// with that it may issue again.
func TestRectificationThroughACase(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	m := e.Measure(evaluators.Rectify, evaluators.Target{Institution: by.Institution.ID, Site: by.Filing.Site})
	c := e.MustDecideInCase(wholeOf(by), m, e.Measure(evaluators.Suspend, wholeOf(by)))
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Serve})
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Publish})
	e.MustStep(by.Actor, c.ID, cases.Step{Kind: cases.Report, Text: "录像设备已更换"})
	passed := true
	c = e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Accept, Passed: &passed, Document: "苏人社验〔2026〕1号", Basis: "现场验收"})
	if c.State != cases.Settled || len(c.Ruling.Lifted) != 2 {
		t.Fatalf("%s %v", c.State, c.Ruling.Lifted)
	}
	e.MustPlan(by)
	if pub, _, err := e.PublishedDecisions(ctx, registry.Page{}); err != nil || len(pub) != 4 {
		t.Errorf("public: %d %v", len(pub), err)
	}
	// A suspension that was lifted by itself does not hinder the acceptance.
	short := e.Measure(evaluators.Suspend, wholeOf(by))
	short.Until = today(e).AddDays(3)
	c = e.MustDecideInCase(wholeOf(by), short)
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Serve})
	e.Clock.Add(4 * 24 * time.Hour)
	if c = e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Accept, Passed: &passed, Document: "x", Basis: "x"}); len(c.Ruling.Lifted) != 0 {
		t.Errorf("lifted %v", c.Ruling.Lifted)
	}
}

// A decision that the state refuses leaves the case as it was.
func TestARefusedMeasureChangesNothing(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.Suspend})
	c := e.MustOpenCase(wholeOf(by))
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Inquire})
	step := cases.Step{Kind: cases.Decide, Document: "x", Basis: "x", Measures: []cases.Measure{e.Measure(evaluators.Warn, wholeOf(by)), e.Measure(evaluators.Suspend, wholeOf(by))}}
	if _, err := e.AdvanceCase(ctx, e.Authority, c.ID, step); fail.CodeOf(err) != "already_suspended" {
		t.Fatal(err)
	}
	step.Measures[1].Kind, step.Measures[1].Due = evaluators.Rectify, ""
	_, err := e.AdvanceCase(ctx, e.Authority, c.ID, step)
	if fs := fail.Of(err).Fields; fail.KindOf(err) != fail.Invalid || len(fs) != 1 || fs[0].Name != "measures[1].due" {
		t.Fatalf("%v %+v", err, fs)
	}
	if inst, err := e.InstitutionByID(ctx, e.Authority, by.Institution.ID); err != nil || len(inst.Decisions) != 1 {
		t.Errorf("%d decisions, %v", len(inst.Decisions), err)
	}
	if v, err := e.CaseByID(ctx, e.Authority, c.ID); err != nil || v.State != cases.Inquiry || len(v.Steps) != 2 {
		t.Errorf("%+v %v", v, err)
	}
	step.Reason = "涉及 " + invented.PersonAt(1).Document
	if _, err := e.AdvanceCase(ctx, e.Authority, c.ID, step); fail.KindOf(err) != fail.Invalid || strings.Contains(err.Error(), invented.PersonAt(1).Document) {
		t.Errorf("an identity number in a public text: %v", err)
	}
}

// What is announced must exist, and a site announced without its province is the
// one that is decided.
func TestMeasuresAreOnWhatExists(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	c := e.MustOpenCase(wholeOf(by))
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Inquire})
	m := e.Measure(evaluators.ExitOrdered, evaluators.Target{Institution: by.Institution.ID, Site: "999999"})
	notice := cases.Step{Kind: cases.Notify, Document: "x", Basis: "x", Reason: "x", Measures: []cases.Measure{m}}
	_, err := e.AdvanceCase(ctx, e.Authority, c.ID, notice)
	if fs := fail.Of(err).Fields; fail.KindOf(err) != fail.Invalid || len(fs) != 1 || fs[0].Name != "measures[0].site" {
		t.Fatalf("%v %+v", err, fs)
	}
	if _, err := e.OpenCase(ctx, e.Authority, registry.NewCase{Subject: cases.Subject{Target: m.Target}, Origin: cases.Origin{Kind: cases.FromReport}, Text: "x"}); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a case on a site of nobody: %v", err)
	}
	m.Target.Site = by.Filing.Site
	notice.Measures = []cases.Measure{m}
	e.MustStep(e.Authority, c.ID, notice)
	e.MustStep(by.Actor, c.ID, cases.Step{Kind: cases.Statement, Text: "无异议"})
	m.Target = &evaluators.Target{Institution: by.Institution.ID, Province: "32", Site: by.Filing.Site}
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Decide, Document: "x", Basis: "x", Measures: []cases.Measure{m}})
	if _, err := e.PlanSession(ctx, by.Actor, registry.NewSession{Name: "测试批次", Filing: by.Filing.ID, Occupation: "6-31-01-03", Level: standards.Senior, ExamDate: today(e).AddDays(1)}); fail.CodeOf(err) != "not_entitled" {
		t.Errorf("the site was removed: %v", err)
	}
}

// A transaction that runs more than once does what it does once.
func TestACaseUnderReruns(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	c := e.MustDecideInCase(wholeOf(by), e.Measure(evaluators.Suspend, wholeOf(by)), e.Measure(evaluators.Rectify, wholeOf(by)))
	if len(c.Steps) != 5 || len(c.Ruling.Decisions) != 2 || len(c.Ruling.Measures) != 2 {
		t.Errorf("%d steps, %v", len(c.Steps), c.Ruling)
	}
	inst, err := e.InstitutionByID(ctx, e.Authority, by.Institution.ID)
	if err != nil || len(inst.Decisions) != 2 {
		t.Errorf("%d decisions, %v", len(inst.Decisions), err)
	}
}

// Check finds what invariant 7 forbids.
func TestCheckFindsBrokenCases(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{NoCheck: true})
	by := e.MustAdmit(1)
	c := e.MustRemove(by.Institution.ID)
	e.MustCheck()
	d := c.Ruling.Decisions[0]
	for _, broken := range []struct {
		name, say string
		write     func(tx kv.Tx)
	}{
		{"a decision of a case that is not there", "which does not name it", func(tx kv.Tx) {
			put(t, tx, "decisions", kv.Key(by.Institution.ID, "d-9"), evaluators.Decision{ID: "d-9", Target: wholeOf(by), Kind: evaluators.Warn, Case: "case-x"})
		}},
		{"a decision without notice", "without notice", func(tx kv.Tx) {
			k := c.Case
			k.Notice = nil
			put(t, tx, "cases", kv.Key(k.ID), k)
		}},
		{"a case names another's decision", "which is not of it", func(tx kv.Tx) {
			put(t, tx, "decisions", kv.Key(by.Institution.ID, d), evaluators.Decision{ID: d, Target: wholeOf(by), Kind: evaluators.ExitOrdered, Effective: today(e)})
		}},
		{"a filing while blacklisted", "while its institution was blacklisted", func(tx kv.Tx) {
			put(t, tx, "decisions", kv.Key(by.Institution.ID, "d-8"), evaluators.Decision{ID: "d-8", Target: wholeOf(by), Kind: evaluators.Blacklist,
				Effective: "2026-01-01", Until: "2030-01-01", Recorded: by.Filing.Recorded.Add(-time.Hour)})
		}},
	} {
		before, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.DB.Update(ctx, func(tx kv.Tx) error { broken.write(tx); return nil }); err != nil {
			t.Fatal(err)
		}
		after, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(after.Problems, "\n"); after.Found <= before.Found || !strings.Contains(text, broken.say) {
			t.Errorf("%s: %v", broken.name, after.Problems)
		}
	}
}

func put(t *testing.T, tx kv.Tx, table kv.Table, key []byte, v any) {
	t.Helper()
	tx.Put(table, key, []byte(jsonOf(t, v)))
}

func TestCasesOfPeople(t *testing.T) {
	e := registrytest.New(t)
	c, err := e.OpenCase(ctx, e.Authority, registry.NewCase{Subject: cases.Subject{Person: "x-0123456789abcdef"}, Region: "320583",
		Origin: cases.Origin{Kind: cases.FromSign, ID: "g-1"}, Text: "连续三次在同一机构考评"})
	if err != nil {
		t.Fatal(err)
	}
	ban := cases.Measure{Kind: evaluators.Suspend, Effective: today(e), Until: today(e).AddDays(100)}
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Inquire})
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Decide, Document: "x", Basis: "x", Measures: []cases.Measure{ban}})
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Serve})
	if _, err := e.AdvanceCase(ctx, e.Authority, c.ID, cases.Step{Kind: cases.Publish}); fail.CodeOf(err) != "nothing_to_publish" {
		t.Errorf("a person's measure is published: %v", err)
	}
	for on, want := range map[standards.Date]bool{ban.Effective.AddDays(-1): false, ban.Effective: true, ban.Until: true, ban.Until.AddDays(1): false} {
		if h, err := e.HindranceOf(ctx, e.Authority, "x-0123456789abcdef", on); err != nil || (h != nil) != want || want && h.Case != c.ID {
			t.Errorf("hindered on %s: %+v %v", on, h, err)
		}
	}
	if _, err := e.HindranceOf(ctx, registrytest.Payer("p", "320583"), "x", today(e)); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("a payer asks: %v", err)
	}
	foreign := e.Authority
	foreign.Region = "330000"
	if _, err := e.CaseByID(ctx, foreign, c.ID); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("another province reads it: %v", err)
	}
	for _, in := range []registry.NewCase{
		{Subject: cases.Subject{Person: "x"}, Region: "330100", Origin: cases.Origin{Kind: cases.FromReport}, Text: "x"},
		{Subject: cases.Subject{Person: "x"}, Origin: cases.Origin{Kind: cases.FromReport}, Text: "x"},
	} {
		if _, err := e.OpenCase(ctx, e.Authority, in); fail.KindOf(err) != fail.Forbidden {
			t.Errorf("opened in region %q: %v", in.Region, err)
		}
	}
	if _, err := e.OpenCase(ctx, e.Authority, registry.NewCase{Subject: cases.Subject{Person: invented.PersonAt(1).Document}, Region: "320583",
		Origin: cases.Origin{Kind: cases.FromReport}, Text: "x"}); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a person by identity number: %v", err)
	}
}

func TestListsOfCases(t *testing.T) {
	e := registrytest.New(t)
	by, other := e.MustAdmit(1), e.MustAdmit(2)
	var ids []string
	for range 3 {
		e.Clock.Add(time.Hour)
		ids = append(ids, e.MustOpenCase(wholeOf(by)).ID)
	}
	e.MustStep(e.Authority, ids[1], cases.Step{Kind: cases.Inquire})
	e.MustStep(e.Authority, ids[1], cases.Step{Kind: cases.Notify, Document: "x", Basis: "x", Reason: "x", Measures: []cases.Measure{e.Measure(evaluators.Warn, wholeOf(by))}})
	list := func(by registry.Actor, q registry.CaseQuery) string {
		t.Helper()
		var got []string
		for page := (registry.Page{Limit: 2}); ; {
			found, next, err := e.Cases(ctx, by, q, page)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			for _, c := range found {
				got = append(got, c.ID)
			}
			if page.Cursor = next; next == "" {
				return strings.Join(got, ",")
			}
		}
	}
	all := strings.Join(ids, ",")
	city, elsewhere := e.Authority, e.Authority
	city.Region, elsewhere.Region = "320500", "320100"
	for _, c := range []struct {
		name string
		by   registry.Actor
		q    registry.CaseQuery
		want string
	}{
		{"the province", e.Authority, registry.CaseQuery{}, all},
		{"the city", city, registry.CaseQuery{}, all},
		{"another city", elsewhere, registry.CaseQuery{}, ""},
		{"leads", e.Authority, registry.CaseQuery{State: cases.Lead}, ids[0] + "," + ids[2]},
		{"noticed in the county", e.Authority, registry.CaseQuery{State: cases.Noticed, Region: "320583"}, ids[1]},
		{"of the institution", e.Authority, registry.CaseQuery{Institution: by.Institution.ID}, all},
		{"its own, as far as it was told", by.Actor, registry.CaseQuery{}, ids[1]},
		{"another's own", other.Actor, registry.CaseQuery{}, ""},
	} {
		if got := list(c.by, c.q); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		by registry.Actor
		q  registry.CaseQuery
	}{{city, registry.CaseQuery{Region: "320000"}}, {other.Actor, registry.CaseQuery{Institution: by.Institution.ID}}, {elsewhere, registry.CaseQuery{Institution: by.Institution.ID}}, {registry.Actor{}, registry.CaseQuery{}}} {
		if _, _, err := e.Cases(ctx, c.by, c.q, registry.Page{}); fail.KindOf(err) != fail.Forbidden && fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("%+v lists %+v: %v", c.by, c.q, err)
		}
	}
	if _, _, err := e.Cases(ctx, e.Authority, registry.CaseQuery{State: "x"}, registry.Page{}); fail.KindOf(err) != fail.Invalid {
		t.Error(err)
	}
}

// What is public is shown as long as its rule says, the newest first.
func TestPublishedDecisions(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	var want []string
	for i := range 5 {
		e.Clock.Add(time.Minute)
		k := []evaluators.Kind{evaluators.Suspend, evaluators.Resume}[i%2]
		want = append([]string{record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: k}).ID}, want...)
	}
	e.Clock.Add(time.Minute)
	record(t, e, evaluators.Decision{Target: wholeOf(by), Kind: evaluators.Warn}) // stays between the parties
	var got []string
	for page := (registry.Page{Limit: 2}); ; {
		found, next, err := e.PublishedDecisions(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range found {
			got = append(got, p.Decision)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("%v, want %v", got, want)
	}
	e.Clock.Set(today(e).AddDays(1097).Time())
	if found, _, err := e.PublishedDecisions(ctx, registry.Page{}); err != nil || len(found) != 0 {
		t.Errorf("shown for ever: %d %v", len(found), err)
	}
}

func TestStepsCanBeRepeated(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	c := e.MustOpenCase(wholeOf(by))
	who := e.Authority
	who.Idempotency = registry.Idempotency{Route: "POST /cases/" + c.ID, Key: "k", Body: []byte("1")}
	for range 2 {
		v, err := e.AdvanceCase(ctx, who, c.ID, cases.Step{Kind: cases.Inquire})
		if err != nil || v.State != cases.Inquiry || len(v.Steps) != 2 {
			t.Fatalf("%+v %v", v, err)
		}
	}
}

func directory(t *testing.T, e *registrytest.Env) string {
	t.Helper()
	s, err := e.Directory(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func errOf[T any](_ T, err error) error { return err }
