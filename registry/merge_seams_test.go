package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/course"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// mustBeOne merges persons i and j of package invented; both are made known first.
func mustBeOne(t *testing.T, e *registrytest.Env, i, j int) string {
	t.Helper()
	for _, n := range []int{i, j} {
		if _, err := e.PersonOf(ctx, invented.PersonAt(n).Document); err != nil {
			t.Fatal(err)
		}
	}
	second := e.Authority
	second.Account = "a-authority-2"
	m, err := e.ProposeMerge(ctx, e.Authority, registry.NewMerge{Keep: invented.PersonAt(i).Document, Other: invented.PersonAt(j).Document,
		Reason: registry.MergeMistake, Evidence: "公安机关证明 2026-17"})
	if err == nil {
		m, err = e.DecideMerge(ctx, second, m.ID, true, "")
	}
	if err != nil || m.State != registry.MergeMerged {
		t.Fatalf("merge %d and %d: %s, %v", i, j, m.State, err)
	}
	return m.ID
}

// A part passed under one document is kept for the retake under the other, and the
// results follow a roster that has the person under the other.
func TestRetakesAndRostersFollowAMerge(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Retakes, r.RetainMonths = 1, 6 })
	by := e.MustAdmit(1)
	hold := func(i int, theory, skill string) registry.UploadReport {
		t.Helper()
		p := invented.PersonAt(i)
		s := e.MustPlan(by)
		e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
		report, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(fmt.Sprintf("姓名,证件号码,理论成绩,技能成绩\n%s,%s,%s,%s\n", p.Name, p.Document, theory, skill))})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	hold(10, "80", "50")
	hold(20, "80", "50")
	mustBeOne(t, e, 11, 10)
	if report := hold(11, "", "70"); report.Passed != 1 {
		t.Errorf("the theory passed under the other document does not count: %+v", report)
	}
	if report := hold(21, "", "70"); report.Passed != 0 {
		t.Errorf("somebody else's counts: %+v", report)
	}
}

func TestARosterFollowsAMerge(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Roster = true })
	by := e.MustAdmit(1)
	mustBeOne(t, e, 1, 50)
	s := e.MustPlan(by)
	e.Clock.Set(s.ExamDate.AddDays(-1).Time().Add(10 * time.Hour))
	both := append(registrytest.Roster(1, 2), registrytest.Roster(50, 51)...)
	for i := range both {
		both[i].Row = i + 2
	}
	_, err := e.EnterRoster(ctx, by.Actor, s.ID, both)
	if got := fieldCodes(err); !slices.Equal(got, []string{"3 证件号码 duplicate"}) {
		t.Errorf("one person under two documents: %v", got)
	}
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(0, 2)); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	csv := strings.NewReplacer(invented.PersonAt(1).Document, invented.PersonAt(50).Document).Replace(registrytest.CSV(0, 2))
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)}); err != nil {
		t.Errorf("on the roster with the other document: %v %v", err, fieldCodes(err))
	}
}

// Whom an examiner avoids is avoided under every document of his, and what was
// recorded under another document of the examiner holds.
func TestAvoidanceFollowsAMerge(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	s := c.session(10)
	c.enrol(s, 1, "")
	avoid := registry.NewAvoidance{Relation: "student", Document: invented.PersonAt(2).Document, Basis: "本人申报"}
	if _, err := e.RecordAvoidance(ctx, e.Authority, c.examiners[1], avoid); err != nil {
		t.Fatal(err)
	}
	c.mustArrange(s, c.plan(0))
	if err := e.Arranged(ctx, s); err != nil {
		t.Fatal(err)
	}
	mustBeOne(t, e, 2, 1) // the candidate is whom he avoids
	wantRefusal(t, e.Arranged(ctx, s), "session_not_arranged", "panel[1] avoidance")
	one, err := e.PersonOf(ctx, invented.PersonAt(1).Document)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := e.Conflicts(ctx, s, []registry.PersonID{one})
	if err != nil || len(bad) != 1 || bad[0].Row != 1 || bad[0].Code != "avoidance" {
		t.Errorf("%+v %v", bad, err)
	}
	v, err := e.ExaminerTies(ctx, e.Authority, c.examiners[1])
	if err != nil || len(v.Avoidances) != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	// The examiner's own two documents: his ties are there, and can be ended.
	mustBeOne(t, e, 900, 9101)
	if v, err = e.ExaminerTies(ctx, e.Authority, c.examiners[1]); err != nil || len(v.Avoidances) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	end := registry.NewEnding{ID: v.Avoidances[0].ID, Last: v.Avoidances[0].From.AddDays(-1), Basis: "误录"}
	if v, err = e.EndTie(ctx, e.Authority, c.examiners[1], end); err != nil || v.Avoidances[0].Ended == nil {
		t.Errorf("%+v, %v", v, err)
	}
}

// Certificates under two documents of one person are counted together.
func TestMarksFollowAMerge(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issue := func(i int, occupation string, level standards.Level) {
		t.Helper()
		csv := scored(i, i+1, false)
		e.MustIssue(by, e.MustPublicise(by, e.MustPlanFor(by, occupation, level), csv).ID)
	}
	for i := range 4 {
		issue(2*i, "6-31-01-03", standards.Junior)
		issue(2*i, "6-31-01-03", standards.Intermediate)
		issue(2*i, "6-31-01-03", standards.Senior)
		issue(2*i, "4-10-01-05", standards.Junior)
		mustBeOne(t, e, 2*i, 2*i+1)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); strings.Contains(got, "many_certificates") {
		t.Fatalf("four of each already are many: %s", got)
	}
	for _, level := range []standards.Level{standards.Intermediate, standards.Senior} {
		s := e.MustPublicise(by, e.MustPlanFor(by, "4-10-01-05", level), scored(0, 8, false))
		e.MustIssue(by, s.ID)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); !strings.Contains(got, "many_certificates") {
		t.Errorf("over four in a year under two documents: %s", got)
	}
}
