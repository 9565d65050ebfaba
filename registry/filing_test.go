package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/evaluators/numbering"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

var bg = context.Background()

func authorityOf(region string) registry.Actor {
	return registry.Actor{Account: "a-" + region, Roles: []registry.Role{registry.RoleAuthority}, Region: region, Via: "test"}
}

func applicationForm() evaluators.ApplicationForm {
	return evaluators.ApplicationForm{Class: evaluators.Social, Province: "32", Authority: "320500", SiteName: "昆山考点", SiteAddress: "示例路 1 号", SiteRegion: "320583", Scope: registrytest.Scope()}
}

// newcomer is an institution without a filing.
func newcomer(e *registrytest.Env, n int) registrytest.Issuer {
	e.T.Helper()
	inst, err := e.AdmitInstitution(bg, e.Authority, evaluators.Institution{Name: fmt.Sprintf("新机构%d", n), USCC: invented.USCC(n), Region: "320583"})
	if err != nil {
		e.T.Fatal(err)
	}
	return registrytest.Issuer{Institution: inst, Actor: registry.Actor{Account: "a-" + inst.ID, Organisation: inst.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Via: "test"}}
}

// An application goes over correction and admission to a filing that issues; the
// county of the site supervises it and keeps nothing.
func TestApplicationBecomesAFiling(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	city, county := authorityOf("320500"), authorityOf("320583")
	who := newcomer(e, 41)

	restricted := applicationForm()
	restricted.Scope = append(restricted.Scope, evaluators.ScopeItem{Occupation: "4-07-05-01", Levels: standards.LevelsOf(standards.Senior)})
	_, err := e.ApplyForFiling(bg, who.Actor, who.Institution.ID, restricted)
	if !strings.Contains(fmt.Sprint(fail.Of(err).ZH), "该职业属准入类，须取得职业资格") {
		t.Errorf("准入类: %v", fail.Of(err).ZH)
	}
	secret := applicationForm()
	secret.Note = "联系人 " + invented.PersonAt(1).Document
	_, err = e.ApplyForFiling(bg, who.Actor, who.Institution.ID, secret)
	wantCode(t, "an identity number", err, "personal")
	other := newcomer(e, 42)
	_, err = e.ApplyForFiling(bg, other.Actor, who.Institution.ID, applicationForm())
	wantCode(t, "for another institution", err, "not_allowed")

	once := who.Actor
	once.Idempotency = registry.Idempotency{Route: "POST x", Key: "k1", Body: []byte("b")}
	a, err := e.ApplyForFiling(bg, once, who.Institution.ID, applicationForm())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.ApplyForFiling(bg, once, who.Institution.ID, applicationForm()); err != nil || again.ID != a.ID {
		t.Errorf("repeated: %v %v", again.ID, err)
	}
	adm := evaluators.Admission{Code: "0000", Site: "058341", From: standards.DateOf(e.Clock.Now()), Until: "2029-03-01", Document: "苏人社备〔2026〕41号"}
	for _, by := range []registry.Actor{county, authorityOf("320100"), who.Actor, {}} {
		if _, err := e.AdmitApplication(bg, by, a.ID, adm); fail.KindOf(err) != fail.Forbidden && fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("admitted by %s: %v", by.Account, err)
		}
	}
	if open, _, err := e.Applications(bg, city, "", "320500", registry.Page{}); err != nil || len(open) != 1 {
		t.Errorf("to decide: %d, %v", len(open), err)
	}
	if _, _, err := e.Applications(bg, county, "", "320500", registry.Page{}); err == nil {
		t.Error("the county sees what the city has to decide")
	}
	if a, err = e.ReturnApplication(bg, city, a.ID, "请补交场地证明"); err != nil || a.State != evaluators.Returned {
		t.Fatalf("returned: %v", err)
	}
	_, err = e.AdmitApplication(bg, city, a.ID, adm)
	wantCode(t, "admitted while returned", err, "application_state")
	if _, err = e.SupplementApplication(bg, who.Actor, a.ID, applicationForm()); err != nil {
		t.Fatal(err)
	}
	if a, err = e.AdmitApplication(bg, city, a.ID, adm); err != nil || a.State != evaluators.Admitted || a.Filing == "" {
		t.Fatalf("admitted: %+v, %v", a, err)
	}
	if open, _, err := e.Applications(bg, city, "", "320500", registry.Page{}); err != nil || len(open) != 0 {
		t.Errorf("still to decide: %d, %v", len(open), err)
	}
	if own, _, err := e.Applications(bg, who.Actor, who.Institution.ID, "", registry.Page{}); err != nil || len(own) != 1 {
		t.Errorf("its own: %d, %v", len(own), err)
	}
	v, err := e.FilingByID(bg, who.Actor, a.Filing, "")
	if err != nil || v.State != evaluators.Filed || v.StateZH != "已备案" || v.Prefix != "S000032058341" || v.Application != a.ID {
		t.Errorf("filing %+v, %v", v, err)
	}
	if !slices.ContainsFunc(v.Authorities, func(b evaluators.Body) bool { return b.Relation == evaluators.RelationLocal && b.Region == "320583" }) {
		t.Errorf("authorities %+v", v.Authorities)
	}
	who.Filing = v.Filing
	e.MustCertificates(who, 0, 2)

	b, _ := e.ApplyForFiling(bg, who.Actor, who.Institution.ID, applicationForm())
	if b, err = e.RefuseApplication(bg, city, b.ID, "已有备案", "示例管理办法第八条"); err != nil || b.State != evaluators.Refused || b.History[0].Basis == "" {
		t.Errorf("refused: %+v, %v", b, err)
	}
	c, _ := e.ApplyForFiling(bg, who.Actor, who.Institution.ID, applicationForm())
	if c, err = e.WithdrawApplication(bg, who.Actor, c.ID, ""); err != nil || c.State != evaluators.Withdrawn {
		t.Errorf("withdrawn: %+v, %v", c, err)
	}
}

// The county suspends a site, and that stops issue; it neither changes the scope
// nor ends the filing.
func TestWhatTheLocalAuthorityMay(t *testing.T) {
	e := registrytest.New(t)
	who := e.MustAdmit(1) // filed by 320000
	county := authorityOf("320583")
	today := standards.DateOf(e.Clock.Now())
	shrink := evaluators.ScopeChange{Kind: evaluators.Shrink, Items: registrytest.Scope()[:1], From: today, Document: "d"}
	_, err := e.ChangeScope(bg, county, who.Filing.ID, shrink)
	wantCode(t, "scope", err, "not_filing_authority")
	_, err = e.RecordDecision(bg, county, evaluators.Decision{Target: evaluators.Target{Institution: who.Institution.ID, Filing: who.Filing.ID}, Kind: evaluators.ExitVoluntary,
		Effective: today, Document: "d", Basis: "b"})
	wantCode(t, "the end of a filing", err, "not_filing_authority")
	_, err = e.RecordDecision(bg, county, evaluators.Decision{Target: evaluators.Target{Institution: who.Institution.ID}, Kind: evaluators.ExitVoluntary,
		Effective: today, Document: "d", Basis: "b"})
	wantCode(t, "the end of the whole", err, "not_filing_authority")
	whole := evaluators.Target{Institution: who.Institution.ID}
	removal := []cases.Measure{e.Measure(evaluators.ExitOrdered, whole)}
	c := e.MustOpenCase(whole)
	for _, step := range []cases.Step{{Kind: cases.Inquire, Text: "已调取资料"},
		{Kind: cases.Notify, Document: "昆人社告〔2026〕1号", Basis: "b", Reason: "r", Measures: removal}, {Kind: cases.Statement, Text: "无异议"}} {
		e.MustStep(county, c.ID, step)
	}
	_, err = e.AdvanceCase(bg, county, c.ID, cases.Step{Kind: cases.Decide, Document: "昆人社决〔2026〕1号", Basis: "b", Reason: "r", Measures: removal})
	wantCode(t, "removal by a case of the county", err, "not_filing_authority")
	in := who.Filing
	in.ID, in.Site, in.Recorded, in.Bodies = "", "058399", time.Time{}, nil
	_, err = e.RecordFiling(bg, county, in)
	wantCode(t, "a filing in the province's name", err, "not_filing_authority")

	s := e.MustPublicise(who, e.MustPlan(who), registrytest.CSV(0, 2))
	pause := evaluators.SiteChange{Kind: evaluators.SuspendSite, From: standards.DateOf(e.Clock.Now()), Document: "昆人社监〔2026〕1号", Reason: "监控缺失"}
	_, err = e.ChangeSite(bg, authorityOf("320582"), who.Filing.ID, pause)
	wantCode(t, "another county", err, "not_filing_authority")
	f, err := e.ChangeSite(bg, county, who.Filing.ID, pause)
	if err != nil || f.SiteChanges[0].Relation != evaluators.RelationLocal {
		t.Fatalf("suspended: %+v, %v", f.SiteChanges, err)
	}
	_, err = e.Issue(bg, who.Actor, s.ID, nil)
	wantCode(t, "issue while the site is suspended", err, "not_entitled")
	resume := evaluators.SiteChange{Kind: evaluators.ResumeSite, From: pause.From, Document: "昆人社监〔2026〕2号"}
	if _, err = e.ChangeSite(bg, county, who.Filing.ID, resume); err != nil {
		t.Fatal(err)
	}
	e.MustIssue(who, s.ID)
	if _, err = e.ChangeSite(bg, e.Authority, who.Filing.ID, pause); err != nil {
		t.Fatal(err)
	}
	_, err = e.ChangeSite(bg, county, who.Filing.ID, resume)
	wantCode(t, "lifting the province's suspension", err, "suspended_above")

	body := []evaluators.Body{{Relation: evaluators.RelationLocal, Region: "320582", ZH: "张家港市人社局", EN: "Zhangjiagang bureau"}}
	if _, err = e.Supervise(bg, e.Authority, who.Filing.ID, evaluators.Supervision{Bodies: body, From: pause.From, Document: "苏人社函〔2026〕3号"}); err != nil {
		t.Fatal(err)
	}
	_, err = e.ChangeSite(bg, county, who.Filing.ID, resume)
	wantCode(t, "the county that supervises no more", err, "not_filing_authority")
}

// A site of a session must be open on the day of the exam.
func TestASessionAtAnotherSite(t *testing.T) {
	e := registrytest.New(t)
	who := e.MustAdmit(1)
	today := standards.DateOf(e.Clock.Now())
	plan := registry.NewSession{Name: "二号考点批次", Filing: who.Filing.ID, Occupation: "6-31-01-03", Level: standards.Senior, ExamDate: today.AddDays(1), Site: "02"}
	_, err := e.PlanSession(bg, who.Actor, plan)
	wantCode(t, "at a site that is not there", err, "not_entitled")
	if _, err = e.ChangeSite(bg, e.Authority, who.Filing.ID, evaluators.SiteChange{Site: "02", Kind: evaluators.OpenSite, Name: "二号考点", Address: "示例路 2 号", From: today.AddDays(1), Document: "d"}); err != nil {
		t.Fatal(err)
	}
	s, err := e.PlanSession(bg, who.Actor, plan)
	if err != nil || s.Site != "02" {
		t.Fatalf("%+v, %v", s, err)
	}
	s = e.MustPublicise(who, s, registrytest.CSV(0, 2))
	if _, err = e.ChangeSite(bg, e.Authority, who.Filing.ID, evaluators.SiteChange{Site: "02", Kind: evaluators.CloseSite, From: standards.DateOf(e.Clock.Now()), Document: "d"}); err != nil {
		t.Fatal(err)
	}
	e.MustIssue(who, s.ID)
}

// Taking an occupation out between exam and issue stops the issue, unless the
// change names the session; what was issued before stays lawful.
func TestScopeShrinksBetweenExamAndIssue(t *testing.T) {
	e := registrytest.New(t)
	who := e.MustAdmit(1)
	before := e.MustCertificates(who, 0, 2)
	stopped := e.MustPublicise(who, e.MustPlan(who), registrytest.CSV(2, 4))
	now := standards.DateOf(e.Clock.Now())
	shrink := evaluators.ScopeChange{Kind: evaluators.Shrink, Items: []evaluators.ScopeItem{{Occupation: "6-31-01-03", Levels: standards.LevelsOf(standards.Senior)}},
		From: stopped.ExamDate.AddDays(-3), Document: "苏人社备〔2026〕60号"}
	if _, err := e.ChangeScope(bg, e.Authority, who.Filing.ID, shrink); err != nil {
		t.Fatal(err)
	}
	_, err := e.Issue(bg, who.Actor, stopped.ID, nil)
	wantCode(t, "issue of what is taken out", err, "not_entitled")
	if fs := fail.Of(err).Fields; len(fs) != 1 || fs[0].Code != string(evaluators.ReasonScopeNotInForce) || !strings.Contains(fs[0].ZH, "60号") {
		t.Errorf("the refusal does not name the change: %+v", fs)
	}
	shrink.From, shrink.FinishSessions = now, []string{stopped.ID}
	if _, err := e.ChangeScope(bg, e.Authority, who.Filing.ID, shrink); err != nil {
		t.Fatal(err)
	}
	e.MustIssue(who, stopped.ID)
	if v, err := e.VerdictByToken(bg, before[0].QR); err != nil || !v.Valid {
		t.Errorf("what was issued before: %v, %v", v.Reasons, err)
	}

	bad := evaluators.ScopeChange{Kind: evaluators.Extend, From: now, Document: "d", Items: []evaluators.ScopeItem{{Occupation: "4-07-05-01", Levels: standards.LevelsOf(standards.Senior)}}}
	_, err = e.ChangeScope(bg, e.Authority, who.Filing.ID, bad)
	if x := fail.Of(err); !strings.Contains(x.ZH, "该职业属准入类，须取得职业资格") || x.Fields[0].Name != "items[0].occupation" {
		t.Errorf("准入类 in a change of scope: %v %+v", x.ZH, x.Fields)
	}
	_, err = e.PlanSession(bg, who.Actor, registry.NewSession{Name: "保安", Filing: who.Filing.ID, Occupation: "4-07-05-01", Level: standards.Senior, ExamDate: now.AddDays(1)})
	if !strings.Contains(fail.Of(err).ZH, "该职业属准入类，须取得职业资格") {
		t.Errorf("准入类 in a plan: %v", err)
	}
	more := evaluators.ScopeChange{Kind: evaluators.Extend, From: now, Document: "d", Items: []evaluators.ScopeItem{{Occupation: "4-03-02-01", Levels: standards.LevelsOf(standards.Senior)}}}
	if _, err := e.ChangeScope(bg, e.Authority, who.Filing.ID, more); err != nil {
		t.Fatal(err)
	}
	s := e.MustPublicise(who, e.MustPlanFor(who, "4-03-02-01", standards.Senior), registrytest.CSV(4, 6))
	e.MustIssue(who, s.ID)
	signed, err := e.Directory(bg)
	if err != nil {
		t.Fatal(err)
	}
	d, err := credentials.OpenDirectory(signed, e.Keys.Public())
	if err != nil || d.Occupations["4-03-02-01"].Name == "" {
		t.Errorf("the directory does not name what was added: %v", err)
	}
}

// A change recorded in the second of a publication may stand on either side.
func TestCheckAllowsEitherOrderWithinASecond(t *testing.T) {
	e := registrytest.New(t)
	who := e.MustAdmit(1)
	e.MustCertificates(who, 0, 2)
	if _, err := e.ChangeScope(bg, e.Authority, who.Filing.ID, evaluators.ScopeChange{Kind: evaluators.Shrink, Items: registrytest.Scope()[:1],
		From: standards.DateOf(e.Clock.Now()), Document: "d"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ChangeSite(bg, e.Authority, who.Filing.ID, evaluators.SiteChange{Kind: evaluators.SuspendSite, From: standards.DateOf(e.Clock.Now()), Document: "d", Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
}

// A filing runs out between exam and issue; its renewal without a gap lets the
// session finish, and the verdict says filed.
func TestRenewedFilingFinishesItsSessions(t *testing.T) {
	e := registrytest.New(t)
	who := newcomer(e, 1)
	today := standards.DateOf(e.Clock.Now())
	f, err := e.RecordFiling(bg, e.Authority, evaluators.Filing{Institution: who.Institution.ID, Class: evaluators.Social, Code: "0000", Province: "32", Site: "058301",
		Authority: "320000", From: today, Until: today.AddDays(3), Scope: registrytest.Scope(), Document: "苏人社备〔2026〕1号",
		Ranges: []evaluators.SerialRange{{Year: 2026, Level: standards.Senior, First: 11, Last: 11}}}) // the renewal brings more
	if err != nil {
		t.Fatal(err)
	}
	who.Filing = f
	s := e.MustPublicise(who, e.MustPlan(who), registrytest.CSV(0, 2))
	_, err = e.Issue(bg, who.Actor, s.ID, nil)
	wantCode(t, "after the last day", err, "not_entitled")
	if v, err := e.FilingByID(bg, who.Actor, f.ID, ""); err != nil || v.StateZH != "已到期" {
		t.Errorf("state %s, %v", v.StateZH, err)
	}

	form := applicationForm()
	form.Renews, form.Authority = f.ID, "320000"
	a, err := e.ApplyForFiling(bg, who.Actor, who.Institution.ID, form)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.ApplyForFiling(bg, who.Actor, who.Institution.ID, form)
	wantCode(t, "a second renewal", err, "application_pending")
	if a, err = e.AdmitApplication(bg, e.Authority, a.ID, evaluators.Admission{Until: "2029-03-01", Document: "苏人社备〔2026〕2号",
		Ranges: []evaluators.SerialRange{{Year: 2026, Level: standards.Senior, First: 12, Last: 99}}}); err != nil {
		t.Fatal(err)
	}
	issued := e.MustIssue(who, s.ID)
	if issued[0].Number != "S000032058301263000011" {
		t.Errorf("number %s is not from the range taken over", issued[0].Number)
	}
	v, err := e.VerdictByToken(bg, issued[0].QR)
	if err != nil || !v.Valid || v.Institution.StatusAtIssue != credentials.Filed || v.Institution.StatusNow != credentials.Filed {
		t.Errorf("verdict %+v, %v", v.Institution, err)
	}
	if v, err := e.FilingByID(bg, who.Actor, f.ID, ""); err != nil || v.RenewedBy != a.Filing {
		t.Errorf("renewed by %q, %v", v.RenewedBy, err)
	}
	next, err := e.FilingByID(bg, who.Actor, a.Filing, "")
	if err != nil {
		t.Fatal(err)
	}
	who.Filing = next.Filing
	more := e.MustCertificates(who, 2, 4)
	if more[0].Number != "S000032058301263000013" {
		t.Errorf("the serials do not go on: %s", more[0].Number)
	}
}

// Papers show the name of their day.
func TestRenameShowsOnThePapersOfItsDay(t *testing.T) {
	e := registrytest.New(t)
	who := e.MustAdmit(1)
	today := standards.DateOf(e.Clock.Now())
	rename := evaluators.NameChange{Name: "更名后评价中心", From: today.AddDays(30), Document: "苏人社备〔2026〕70号"}
	_, err := e.RenameInstitution(bg, authorityOf("320583"), who.Institution.ID, rename)
	wantCode(t, "by the county", err, "not_filing_authority")
	if _, err := e.RenameInstitution(bg, who.Actor, who.Institution.ID, rename); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("by itself: %v", err)
	}
	if _, err := e.RenameInstitution(bg, e.Authority, who.Institution.ID, rename); err != nil {
		t.Fatal(err)
	}
	old := e.MustCertificates(who, 0, 1)
	if old[0].InstitutionName != who.Institution.Name {
		t.Errorf("before its first day: %q", old[0].InstitutionName)
	}
	e.Clock.Set(rename.From.Time().Add(9 * time.Hour))
	if got := e.MustCertificates(who, 1, 2); got[0].InstitutionName != rename.Name {
		t.Errorf("after: %q", got[0].InstitutionName)
	}
	v, err := e.VerdictByToken(bg, old[0].QR)
	if err != nil || v.Institution.Name != who.Institution.Name || v.Institution.NameNow != rename.Name {
		t.Errorf("%+v, %v", v.Institution, err)
	}
}

// An institution that was removed is filed anew after a readmission; its earlier
// certificates and filings stay what they were.
func TestReadmittedInstitution(t *testing.T) {
	e := registrytest.New(t)
	who := e.MustAdmit(1)
	issued := e.MustCertificates(who, 0, 2)
	today := standards.DateOf(e.Clock.Now())
	e.MustRemove(who.Institution.ID)
	e.Clock.Add(24 * time.Hour)
	again := who.Filing
	again.ID, again.From, again.Until, again.Recorded, again.Bodies = "", today.AddDays(1), today.AddDays(800), time.Time{}, nil
	_, err := e.RecordFiling(bg, e.Authority, again)
	wantCode(t, "a filing after removal", err, "institution_ended")
	_, err = e.ApplyForFiling(bg, who.Actor, who.Institution.ID, applicationForm())
	wantCode(t, "an application after removal", err, "institution_ended")
	in := evaluators.Readmission{Effective: today.AddDays(1), Document: "苏人社决〔2026〕9号", Basis: "示例管理办法第三十条"}
	if _, err := e.ReadmitInstitution(bg, who.Actor, who.Institution.ID, in); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("by itself: %v", err)
	}
	if _, err := e.ReadmitInstitution(bg, e.Authority, who.Institution.ID, in); err != nil {
		t.Fatal(err)
	}
	_, err = e.PlanSession(bg, who.Actor, registry.NewSession{Name: "x", Filing: who.Filing.ID, Occupation: "6-31-01-03", Level: standards.Senior, ExamDate: today.AddDays(5)})
	wantCode(t, "under the old filing", err, "not_entitled")
	f, err := e.RecordFiling(bg, e.Authority, again)
	if err != nil {
		t.Fatal(err)
	}
	old := who.Filing
	who.Filing = f
	e.MustCertificates(who, 2, 4)
	if v, err := e.FilingByID(bg, who.Actor, old.ID, ""); err != nil || v.StateZH != "已终止" {
		t.Errorf("the old filing is %s, %v", v.StateZH, err)
	}
	if v, err := e.InstitutionByID(bg, who.Actor, who.Institution.ID); err != nil || v.Status != evaluators.Registered {
		t.Errorf("the institution is %s, %v", v.Status, err)
	}
	if v, err := e.VerdictByToken(bg, issued[0].QR); err != nil || !v.Valid {
		t.Errorf("%v, %v", v.Reasons, err)
	}
	_, err = e.ReadmitInstitution(bg, e.Authority, who.Institution.ID, in)
	wantCode(t, "twice", err, "readmission_invalid")
}

// What is recorded of an employer, class Y.
func TestEmployersGroupsAndRecognitions(t *testing.T) {
	e := registrytest.New(t)
	who := newcomer(e, 7)
	today := standards.DateOf(e.Clock.Now())
	f, err := e.RecordFiling(bg, e.Authority, evaluators.Filing{Institution: who.Institution.ID, Class: evaluators.Employer, Code: "0000", Province: "32", Site: "058307",
		Authority: "320000", From: today, Until: today.AddDays(900), Scope: registrytest.Scope(), Document: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = e.AdmitGroup(bg, e.Authority, f.ID, evaluators.AdmittedGroup{Kind: evaluators.GroupCompanies, Members: []string{invented.USCC(8)}, From: today, Document: "d"}); err != nil {
		t.Fatal(err)
	}
	if ok, _ := f.AdmitsEmployer(invented.USCC(8), who.Institution.USCC, today, e.Clock.Now()); !ok {
		t.Error("a member is not admitted")
	}
	_, err = e.Recognise(bg, authorityOf("320583"), f.ID, evaluators.Recognition{Kind: evaluators.PayLinked, From: today, Document: "d"})
	wantCode(t, "by the county", err, "not_filing_authority")
	if _, err = e.Recognise(bg, e.Authority, f.ID, evaluators.Recognition{Kind: evaluators.PayLinked, From: today, Document: "苏人社函〔2026〕9号"}); err != nil {
		t.Fatal(err)
	}
	if v, err := e.FilingByID(bg, who.Actor, f.ID, ""); err != nil || v.PayLinked == nil || v.Pilot != nil {
		t.Errorf("%+v, %v", v.PayLinked, err)
	}
	if v, err := e.FilingByID(bg, who.Actor, f.ID, today.AddDays(-1)); err != nil || v.PayLinked != nil || v.State != evaluators.NotFiled {
		t.Errorf("the day before: %+v %s, %v", v.PayLinked, v.State, err)
	}
	_, err = e.FilingByID(bg, who.Actor, f.ID, "2026-02-30")
	wantCode(t, "no such day", err, "date")
	_, err = e.FilingByID(bg, authorityOf("330000"), f.ID, "")
	wantCode(t, "another province", err, "not_allowed")
}

// Who gives the numbers is the province's rule.
func TestNumberModes(t *testing.T) {
	number := "S000032058301263000001"
	with, without := strings.Replace(registrytest.CSV(0, 1), "技能成绩\n", "技能成绩,证书编号\n", 1), registrytest.CSV(0, 1)
	with = strings.TrimSuffix(with, "\n") + "," + number + "\n"
	failed := strings.Replace(without, ",60,60", ",60,59", 1)
	for _, c := range []struct {
		mode numbering.Mode
		csv  string
		code string // of the row; empty: taken
	}{
		{numbering.Either, with, ""}, {numbering.Either, without, ""},
		{numbering.Allocated, with, "number_not_taken"}, {numbering.Allocated, without, ""},
		{numbering.Granted, with, "number_not_taken"},
		{numbering.Supplied, with, ""}, {numbering.Supplied, without, "number_missing"}, {numbering.Supplied, failed, ""},
	} {
		set, err := rulefile.NewSet(numbering.Rules{Head: rulefile.Head{ID: "x", Region: "320000", From: "2000-01-01"}, Mode: c.mode})
		if err != nil {
			t.Fatal(err)
		}
		e := registrytest.New(t, registrytest.Options{Numbering: &set})
		who := e.MustAdmit(1)
		s := e.MustPlan(who)
		e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
		_, err = e.UploadResults(bg, who.Actor, s.ID, registry.Upload{File: strings.NewReader(c.csv)})
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.mode, err)
			}
			continue
		}
		if err == nil || len(fail.Of(err).Fields) != 1 || fail.Of(err).Fields[0].Code != c.code {
			t.Errorf("%s: %v %+v", c.mode, err, fail.Of(err))
		}
	}
	set, _ := rulefile.NewSet(numbering.Rules{Head: rulefile.Head{ID: "x", Region: "320000", From: "2000-01-01"}, Mode: numbering.Granted})
	e := registrytest.New(t, registrytest.Options{Numbering: &set})
	who := e.MustAdmit(1)
	s := e.MustPublicise(who, e.MustPlan(who), without)
	_, err := e.Issue(bg, who.Actor, s.ID, nil)
	wantCode(t, "without a granted range", err, "serials_not_granted")
}
