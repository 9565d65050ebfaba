package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

// withCourse is a registry under the thin rules changed by fn.
func withCourse(t *testing.T, fn func(*course.Rules)) *registrytest.Env {
	t.Helper()
	set := courseSet(t, fn)
	return registrytest.New(t, registrytest.Options{Course: &set, Rerun: kvtest.Rerun(2)})
}

// courseSet are the thin rules with the modes, groups and steps of the embedded
// ones, changed by fn.
func courseSet(t *testing.T, fn func(*course.Rules)) rulefile.Set[course.Rules] {
	t.Helper()
	embedded, err := course.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	full, _ := embedded.On("320583", "2026-03-02")
	rules := course.Rules{Head: rulefile.Head{ID: "test", Region: "320000", From: "2020-01-01"}, PublicityDays: 5, Modes: full.Modes, Groups: full.Groups, Steps: full.Steps}
	fn(&rules)
	set, err := rulefile.NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if fail.CodeOf(err) != code {
		t.Errorf("%s: %v; want %s", what, err, code)
	}
}

// fieldCodes are "column code" of every field of an error.
func fieldCodes(err error) (out []string) {
	var e *fail.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			out = append(out, fmt.Sprintf("%d %s %s", f.Row, f.Name, f.Code))
		}
	}
	return out
}

func TestRosterDecidesWhoIsExamined(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Roster = true })
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	e.Clock.Set(s.ExamDate.AddDays(-1).Time().Add(10 * time.Hour))
	rows := registrytest.Roster(0, 3)
	rows[0].Group = "退役军人"
	if report, err := e.EnterRoster(ctx, by.Actor, s.ID, rows); err != nil || report.Entries != 3 {
		t.Fatalf("roster: %+v %v", report, err)
	}
	list, _, err := e.RosterOf(ctx, by.Actor, s.ID, registry.Page{})
	if err != nil || len(list) != 3 {
		t.Fatalf("roster of the session: %+v %v", list, err)
	}
	for _, r := range list {
		if !slices.Equal(r.Conditions, []string{"3A"}) || strings.Contains(r.Document, invented.PersonAt(0).Document[6:14]) {
			t.Errorf("entry %+v", r)
		}
	}
	// A second, longer roster replaces the first; nobody of it stays.
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, append(rows[:2:2], registrytest.Roster(10, 520)...)); err != nil {
		t.Fatal(err)
	}
	if list, _, err = e.RosterOf(ctx, by.Actor, s.ID, registry.Page{Limit: 500}); err != nil || len(list) != 500 {
		t.Fatalf("second roster: %d %v", len(list), err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	_, err = e.EnterRoster(ctx, by.Actor, s.ID, rows)
	wantCode(t, "roster after the exam", err, "roster_closed")
	_, err = e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 3))})
	if got := fieldCodes(err); !slices.Equal(got, []string{"4 证件号码 not_on_roster"}) {
		t.Errorf("results of somebody who is not on the roster: %v", got)
	}
	wrong := strings.Replace(registrytest.CSV(0, 2), invented.PersonAt(1).Name, "另一人", 1)
	_, err = e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(wrong)})
	if got := fieldCodes(err); !slices.Equal(got, []string{"3 姓名 name_differs"}) {
		t.Errorf("another name than on the roster: %v", got)
	}
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 2))}); err != nil {
		t.Fatal(err)
	}
	if s, err = e.StartPublicity(ctx, by.Actor, s.ID); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	if got := e.MustIssue(by, s.ID); len(got) != 2 || got[0].Group != "veteran" {
		t.Errorf("issued %d, group %q", len(got), got[0].Group)
	}
}

func TestRosterRefusesEveryMistakeAtOnce(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Roster = true })
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	young := registrytest.RosterRow(1)
	young.Record.Work[0].From = "2016-03-03" // ten years on 2026-03-03, one day after today
	twice := registrytest.RosterRow(0)
	waived := registrytest.RosterRow(2)
	waived.Record.Work = nil
	waived.Basis = eligibility.Basis{Kind: eligibility.Exceptional, Document: "苏人社破〔2026〕1号", Approver: "江苏省人力资源和社会保障厅", Date: "2026-02-01"}
	group := registrytest.RosterRow(3)
	group.Group = "无此类"
	bad := registrytest.RosterRow(4)
	bad.Document = "11010519491231002"
	basis := registrytest.RosterRow(5)
	basis.ModeBasis = "竞赛第一名"
	_, err := e.EnterRoster(ctx, by.Actor, s.ID, []registry.RosterRow{registrytest.RosterRow(0), young, twice, waived, group, bad, basis})
	got := fieldCodes(err)
	for _, want := range []string{"2 申报条件 not_eligible", "3 证件号码 duplicate", "4 申报条件 not_eligible", "5 人员类别 unknown", "6 证件号码 document_length", "7 取得方式依据 not_here"} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %q in %v", want, got)
		}
	}
	if now, _ := e.SessionByID(ctx, by.Actor, s.ID); now.Roster != nil {
		t.Error("a refused roster was stored")
	}
	e.Clock.Set(s.ExamDate.Time().Add(10 * time.Hour))
	_, err = e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 2))})
	wantCode(t, "results without a roster", err, "no_roster")
}

// 破格 or 越级 admits to the exam of 技师 and 高级技师 (苏人社发〔2018〕76号 三（四）2);
// it waives neither scores nor publicity.
func TestApplicationBasisWaivesYearsOnly(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Roster = true })
	by := e.MustAdmit(1)
	s := e.MustPlanFor(by, "6-31-01-03", standards.Technician)
	row := registrytest.RosterRow(0)
	row.Record.Certificates = []eligibility.Certificate{{Level: standards.Senior, Occupation: "6-31-01-03", Kind: eligibility.SkillLevel, Issued: "2025-01-01", Evidence: "S000032058301253000001"}}
	_, err := e.EnterRoster(ctx, by.Actor, s.ID, []registry.RosterRow{row})
	if got := fieldCodes(err); len(got) == 0 || got[0] != "1 申报条件 not_eligible" {
		t.Fatalf("one year after 三级: %v", err)
	}
	row.Basis = eligibility.Basis{Kind: eligibility.Exceptional, Document: "苏人社破〔2026〕1号", Approver: "江苏省人力资源和社会保障厅", Date: "2026-02-01"}
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, []registry.RosterRow{row}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	p := invented.PersonAt(0)
	low := fmt.Sprintf("姓名,证件号码,理论成绩,技能成绩,综合评审成绩\n%s,%s,90,59.5,90\n", p.Name, p.Document)
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(low)}); err != nil {
		t.Fatal(err)
	}
	_, err = e.StartPublicity(ctx, by.Actor, s.ID)
	wantCode(t, "publicity of one who failed", err, "nobody_passed")
}

func TestEmployerExaminesItsOwnPeople(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	own := e.MustAdmit(1)
	f := own.Filing
	f.ID, f.Class, f.Site = "", evaluators.Employer, "058399"
	var err error
	if own.Filing, err = e.RecordFiling(ctx, e.Authority, f); err != nil {
		t.Fatal(err)
	}
	s := e.MustPlan(own)
	rows := registrytest.Roster(0, 2)
	rows[0].Employer, rows[1].Employer = own.Institution.USCC, invented.USCC(99)
	_, err = e.EnterRoster(ctx, own.Actor, s.ID, rows)
	if got := fieldCodes(err); !slices.Equal(got, []string{"2 单位代码 not_own_people"}) {
		t.Errorf("somebody else's employee (E10): %v", got)
	}
	e.Clock.Set(s.ExamDate.Time().Add(10 * time.Hour))
	_, err = e.UploadResults(ctx, own.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 1))})
	wantCode(t, "an employer's results without a roster", err, "no_roster")
}

func TestSecondPersonAndApproval(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.SecondPerson, r.Approval = true, true })
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	_, err := e.ConfirmResults(ctx, by.Colleague(), s.ID)
	wantCode(t, "confirming nothing", err, "no_results_to_confirm")
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	upload := func(csv string) {
		t.Helper()
		if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)}); err != nil {
			t.Fatal(err)
		}
	}
	upload(registrytest.CSV(0, 3))
	_, err = e.StartPublicity(ctx, by.Actor, s.ID)
	wantCode(t, "publicity of unconfirmed results", err, "not_confirmed")
	_, err = e.ConfirmResults(ctx, by.Actor, s.ID)
	wantCode(t, "confirming one's own upload", err, "same_person")
	if _, err := e.ConfirmResults(ctx, by.Colleague(), s.ID); err != nil {
		t.Fatal(err)
	}
	upload(registrytest.CSV(0, 4)) // another file: the confirmation was of the first
	_, err = e.StartPublicity(ctx, by.Actor, s.ID)
	wantCode(t, "publicity of replaced results", err, "not_confirmed")
	_, err = e.ApproveResults(ctx, e.Authority, s.ID, "苏人社审〔2026〕1号")
	wantCode(t, "approval before publicity", err, "not_in_publicity")
	publicise := func() registry.Session {
		t.Helper()
		if _, err := e.ConfirmResults(ctx, by.Colleague(), s.ID); err != nil {
			t.Fatal(err)
		}
		out, err := e.StartPublicity(ctx, by.Actor, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	publicise()
	_, err = e.ApproveResults(ctx, by.Actor, s.ID, "自批〔2026〕1号")
	wantCode(t, "an institution approving itself", err, "not_allowed")
	if s, err = e.ReturnResults(ctx, e.Authority, s.ID, "第三行技能成绩无评分表"); err != nil || s.State != registry.SessionResults || s.Results.Returned == "" {
		t.Fatalf("returned: %+v %v", s, err)
	}
	if s = publicise(); s.Results.Returned == "" {
		t.Error("why it was returned is lost")
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	_, err = e.Issue(ctx, by.Actor, s.ID, nil)
	wantCode(t, "issue without approval", err, "not_approved")
	if _, err := e.ApproveResults(ctx, e.Authority, s.ID, "苏人社审〔2026〕2号"); err != nil {
		t.Fatal(err)
	}
	if got := e.MustIssue(by, s.ID); len(got) != 4 {
		t.Errorf("issued %d", len(got))
	}
	_, err = e.ReturnResults(ctx, e.Authority, s.ID, "再看")
	wantCode(t, "returning what was issued", err, "not_in_publicity")
}

func TestPlatformReferenceFromADay(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.PlatformFrom = "2026-03-03" })
	by := e.MustAdmit(1)
	s := e.MustPlan(by) // exam on 3 March
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	up := registry.Upload{File: strings.NewReader(registrytest.CSV(0, 1))}
	_, err := e.UploadResults(ctx, by.Actor, s.ID, up)
	wantCode(t, "results without a reference", err, "no_platform_reference")
	_, err = e.SetPlatform(ctx, by.Actor, s.ID, "11010519491231002X")
	wantCode(t, "an identity number as reference", err, "platform")
	if _, err := e.SetPlatform(ctx, by.Actor, s.ID, "YM-2026-000123"); err != nil {
		t.Fatal(err)
	}
	s = e.MustPublicise(by, s, registrytest.CSV(0, 1))
	e.MustIssue(by, s.ID)
	_, err = e.SetPlatform(ctx, by.Actor, s.ID, "YM-2026-000124")
	wantCode(t, "a reference after issue", err, "session_closed")
}

func objection(row int) registry.Objection {
	return registry.Objection{Row: row, Text: "该人员考试当日不在考场", Name: "周明", Phone: "13800000000"}
}

func TestAppealStopsItsRow(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 4))
	_, err := e.FileAppeal(ctx, s.ID, objection(2))
	wantCode(t, "an appeal after publicity", err, "publicity_not_running")
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	_, err = e.FileAppeal(ctx, s.ID, objection(99))
	wantCode(t, "an appeal against nobody", err, "not_found")
	_, err = e.FileAppeal(ctx, s.ID, registry.Objection{Row: 2, Text: "不", Phone: "1"})
	if got := fieldCodes(err); len(got) != 3 {
		t.Errorf("an empty appeal: %v", got)
	}
	var ids []string
	for _, row := range []int{2, 3, 3, 4} {
		a, err := e.FileAppeal(ctx, s.ID, objection(row))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	decide := func(i int, to registry.AppealState) {
		t.Helper()
		if _, err := e.DecideAppeal(ctx, by.Actor, s.ID, ids[i], to, "已核查考场录像"); err != nil {
			t.Fatal(err)
		}
	}
	decide(3, registry.AppealUpheld)   // row 4 gets none
	decide(1, registry.AppealRejected) // row 3 has another appeal
	e.Clock.Add(24 * time.Hour)
	if got := e.MustIssue(by, s.ID); len(got) != 1 || got[0].Row != 5 {
		t.Fatalf("issued %+v, want row 5 alone", got)
	}
	if b, err := e.Issue(ctx, by.Actor, s.ID, nil); err != nil || b.Total != 1 {
		t.Errorf("issued again with rows held: %+v %v", b, err)
	}
	decide(0, registry.AppealRejected) // row 2
	decide(2, registry.AppealWithdrawn)
	_, err = e.DecideAppeal(ctx, by.Actor, s.ID, ids[0], registry.AppealUpheld, "改判")
	wantCode(t, "deciding twice", err, "appeal_closed")
	e.MustCheck()
	got := e.MustIssue(by, s.ID)
	var rows []int
	for _, c := range got {
		rows = append(rows, c.Row)
	}
	if slices.Sort(rows); !slices.Equal(rows, []int{2, 3, 5}) {
		t.Fatalf("after the appeals rows %v have certificates", rows)
	}
	var paged []int
	for page := (registry.Page{Limit: 1}); ; {
		list, next, err := e.CertificatesOfSession(ctx, by.Actor, s.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			paged = append(paged, c.Row)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if slices.Sort(paged); !slices.Equal(paged, rows) {
		t.Errorf("page by page: %v", paged)
	}
	list, _, err := e.Appeals(ctx, by.Actor, s.ID, registry.Page{})
	if err != nil || len(list) != 4 || list[0].Objection.Name != "周明" {
		t.Errorf("appeals: %+v %v", list, err)
	}
}

func TestAppealUpheldExcludesEveryRow(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 1))
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	a, err := e.FileAppeal(ctx, s.ID, objection(2))
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(24 * time.Hour)
	_, err = e.Issue(ctx, by.Actor, s.ID, nil)
	wantCode(t, "the only row is held", err, "all_rows_held")
	if _, err := e.DecideAppeal(ctx, e.Authority, s.ID, a.ID, registry.AppealUpheld, "查实替考"); err != nil {
		t.Fatal(err)
	}
	_, err = e.Issue(ctx, by.Actor, s.ID, nil)
	wantCode(t, "the only row is excluded", err, "all_rows_held")
}

// A failed part is taken again, what was passed is kept (practice: one 补考).
func TestRetakeKeepsPassedParts(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Retakes, r.RetainMonths = 1, 6 })
	by := e.MustAdmit(1)
	p := invented.PersonAt(0)
	hold := func(theory, skill string) (registry.Session, registry.UploadReport) {
		t.Helper()
		s := e.MustPlan(by)
		e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
		csv := fmt.Sprintf("姓名,证件号码,理论成绩,技能成绩\n%s,%s,%s,%s\n", p.Name, p.Document, theory, skill)
		report, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)})
		if err != nil {
			t.Fatal(err)
		}
		return s, report
	}
	if _, report := hold("80", "50"); report.Passed != 0 {
		t.Fatal("50 passed")
	}
	s, report := hold("", "70")
	if report.Passed != 1 {
		t.Fatalf("the kept theory does not count: %+v", report)
	}
	s, err := e.StartPublicity(ctx, by.Actor, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	e.MustIssue(by, s.ID)

	p = invented.PersonAt(1)
	hold("80", "50")
	if _, report := hold("", "40"); report.Passed != 0 {
		t.Error("40 passed")
	}
	if _, report := hold("", "90"); report.Passed != 0 {
		t.Error("the theory was kept for a second retake")
	}
	p = invented.PersonAt(2)
	first, _ := hold("80", "50")
	e.Clock.Set(first.ExamDate.AddMonths(6).AddDays(-1).Time().Add(9 * time.Hour)) // the exam of the next is on the last day
	if _, report := hold("", "70"); report.Passed != 1 {
		t.Error("a part was not kept to the last day")
	}
	p = invented.PersonAt(3)
	first, _ = hold("80", "50")
	e.Clock.Set(first.ExamDate.AddMonths(6).Time().Add(9 * time.Hour))
	if _, report := hold("", "70"); report.Passed != 0 {
		t.Error("a part was kept a day too long")
	}
}

func TestModesWithoutExam(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	plan := registry.NewSession{Name: "竞赛晋级", Filing: by.Filing.ID, Occupation: "6-31-01-03", Level: standards.Senior,
		ExamDate: standards.DateOf(e.Clock.Now()).AddDays(1), Mode: policy.ModeCompetition}
	_, err := e.PlanSession(ctx, by.Actor, plan)
	if got := fieldCodes(err); !slices.Equal(got, []string{"0 mode_basis required"}) {
		t.Errorf("no basis: %v", err)
	}
	plan.ModeBasis = &registry.ModeBasis{Document: "苏人社赛〔2026〕3号", Approver: "江苏省人力资源和社会保障厅"}
	award := plan
	award.Mode = policy.ModeAward
	_, err = e.PlanSession(ctx, by.Actor, award)
	if got := fieldCodes(err); !slices.Equal(got, []string{"0 mode unknown"}) {
		t.Errorf("a mode the region does not have: %v", err)
	}
	s, err := e.PlanSession(ctx, by.Actor, plan)
	if err != nil {
		t.Fatal(err)
	}
	rows := registrytest.Roster(0, 2)
	rows[0].ModeBasis = "2026年江苏技能大赛电工第一名"
	_, err = e.EnterRoster(ctx, by.Actor, s.ID, rows)
	if got := fieldCodes(err); !slices.Equal(got, []string{"2 取得方式依据 length"}) {
		t.Errorf("a candidate without a basis: %v", got)
	}
	rows[1].ModeBasis = "2026年江苏技能大赛电工第二名"
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, rows); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	csv := func(first, second string) string {
		a, b := invented.PersonAt(0), invented.PersonAt(1)
		return fmt.Sprintf("姓名,证件号码,认定结果\n%s,%s,%s\n%s,%s,%s\n", a.Name, a.Document, first, b.Name, b.Document, second)
	}
	_, err = e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv("合格", ""))})
	if got := fieldCodes(err); !slices.Equal(got, []string{"3 认定结果 result"}) {
		t.Errorf("no finding: %v", got)
	}
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv("合格", "不合格"))}); err != nil {
		t.Fatal(err)
	}
	if s, err = e.StartPublicity(ctx, by.Actor, s.ID); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	got := e.MustIssue(by, s.ID)
	if len(got) != 1 || got[0].Mode != policy.ModeCompetition {
		t.Fatalf("issued %+v", got)
	}
	// One promotion a year by competition (Tianjin's rule, a sample here).
	plan.ExamDate = standards.DateOf(e.Clock.Now()).AddDays(1)
	if s, err = e.PlanSession(ctx, by.Actor, plan); err != nil {
		t.Fatal(err)
	}
	_, err = e.EnterRoster(ctx, by.Actor, s.ID, rows)
	if got := fieldCodes(err); !slices.Equal(got, []string{"1 姓名 mode_per_year"}) {
		t.Errorf("a second promotion in the year: %v", got)
	}
}

func TestTimelineMarksLateness(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	e.Clock.Set(s.ExamDate.AddDays(8).Time().Add(10 * time.Hour)) // 11 March, results were due on the 6th
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 1))}); err != nil {
		t.Fatal(err)
	}
	marks, err := e.Timeline(ctx, by.Actor, s.ID)
	if err != nil || !course.Late(marks) {
		t.Fatalf("%+v %v", marks, err)
	}
	late := map[course.Step]int{}
	for _, m := range marks {
		late[m.Step] = m.Late
	}
	if late[course.StepPlan] != 9 || late[course.StepResults] != 3 || late[course.StepPublicity] != 1 || late[course.StepIssue] != 0 {
		t.Errorf("late working days %v", late)
	}
}
