package registry_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// checklist is a report in which everything is as it should be but for one item.
func checklist(finding string) registry.NewReport {
	report := registry.NewReport{Overall: "sound"}
	for _, code := range []string{"plan", "place", "identity", "panel", "papers", "invigilation", "scoring", "recording"} {
		a := examiners.Answer{Code: code, Outcome: examiners.OK}
		if code == finding {
			a, report.Overall = examiners.Answer{Code: code, Outcome: examiners.Found, Severity: "major", Text: "现场与计划不符"}, "rectify"
		}
		report.Items = append(report.Items, a)
	}
	return report
}

// A session under the embedded rules: every step asks for the one before it.
func TestTheFullCourse(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{FullCourse: true})
	c := newCrew(t, 1, e)
	by := c.issuer
	s := c.session(1)
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(2000, 2003)); err != nil {
		t.Fatal(err)
	}
	up := func() error {
		_, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(2000, 2003))})
		return err
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	wantCode(t, "results of a session nobody was named for", up(), "session_not_arranged")
	e.Clock.Set(s.ExamDate.AddDays(-1).Time().Add(10 * time.Hour))
	outside := c.examiner("WD-1", 9700)
	outside.Kind, outside.Occupations, outside.Qualification = examiners.ExternalSupervisor, nil, nil
	inspector := c.mustRegister(e.Authority, outside)
	plan := c.plan(0)
	plan.External = inspector
	c.mustArrange(s, plan)
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	if err := up(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ConfirmResults(ctx, by.Colleague(), s.ID); err != nil {
		t.Fatal(err)
	}
	_, err := e.StartPublicity(ctx, by.Actor, s.ID)
	wantCode(t, "publicity without a supervisor's report", err, "session_not_supervised")
	if _, err := e.FileSupervisionReport(ctx, by.Actor, s.ID, checklist("")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.FileSupervisionReport(ctx, e.Authority, s.ID, checklist("plan")); err != nil {
		t.Fatal(err)
	}
	if s, err = e.StartPublicity(ctx, by.Actor, s.ID); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	if got := e.MustIssue(by, s.ID); len(got) != 3 {
		t.Errorf("issued %d", len(got))
	}
	marks, err := e.Timeline(ctx, by.Actor, s.ID)
	if err != nil || marks[2].Step != course.StepArrangement || marks[2].Done != "2026-03-02" {
		t.Errorf("timeline %+v %v", marks, err)
	}
	// What only a case can give rise to needs a case that was decided.
	event := credit.Event{Institution: by.Institution.ID, Item: "false_evaluation", Effective: standards.DateOf(e.Clock.Now()), Document: "苏人社决〔2026〕9号", Origin: credit.OriginCase}
	target := evaluators.Target{Institution: by.Institution.ID}
	open := e.MustOpenCase(target)
	for _, reference := range []string{"", "case-none", open.ID} {
		event.Reference = reference
		_, err := e.RecordCreditEvent(ctx, e.Authority, event)
		wantCode(t, "an event of case "+reference, err, "credit_event_invalid")
	}
	event.Reference = e.MustDecideInCase(target, e.Measure(evaluators.Warn, target)).ID
	if _, err := e.RecordCreditEvent(ctx, e.Authority, event); err != nil {
		t.Error(err, fail.Of(err).Fields)
	}
	// The finding of the authority's supervisor is in the ledger of credit, once.
	ledger, _, err := e.Credit(ctx, e.Authority, by.Institution.ID, registry.CreditQuery{On: standards.DateOf(e.Clock.Now())})
	if err != nil || len(ledger.Lines) != 2 || ledger.Lines[0].Item != "plan_deviation" || ledger.Lines[0].Total != 97 {
		t.Errorf("credit %+v %v", ledger, err)
	}
}

// More candidates than seats: the rooms were not arranged for them.
func TestEverybodyHasASeat(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{FullCourse: true})
	c := newCrew(t, 1, e)
	s := c.session(1)
	c.mustArrange(s, c.plan(0)) // 30 seats
	if _, err := e.EnterRoster(ctx, c.issuer.Actor, s.ID, registrytest.Roster(2000, 2031)); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	_, err := e.UploadResults(ctx, c.issuer.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(2000, 2031))})
	wantCode(t, "31 candidates on 30 seats", err, "session_not_arranged")
	if got := fieldCodes(err); !slices.Equal(got, []string{"0 rooms seats"}) {
		t.Errorf("fields %v", got)
	}
}

// Whoever an integrity file keeps away is not arranged, nor entered as a candidate.
func TestWhoIsKeptAway(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{FullCourse: true})
	c := newCrew(t, 1, e)
	s := c.session(2)
	entry := func(in registry.NewIntegrityEntry) {
		t.Helper()
		in.Occurred, in.Document, in.Basis = "2026-03-01", "苏人社决〔2026〕3号", "考试违纪"
		if _, err := e.RecordIntegrity(ctx, e.Authority, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.EnterRoster(ctx, c.issuer.Actor, s.ID, registrytest.Roster(2000, 2002)); err != nil {
		t.Fatal(err)
	}
	entry(registry.NewIntegrityEntry{DocumentNumber: registrytest.RosterRow(2001).Document, Kind: "grave_cheating"})
	_, err := e.EnterRoster(ctx, c.issuer.Actor, s.ID, registrytest.Roster(2000, 2002))
	if got := fieldCodes(err); !slices.Equal(got, []string{"2 姓名 barred"}) {
		t.Errorf("a barred candidate: %v", got)
	}
	c.mustArrange(s, c.plan(0))
	entry(registry.NewIntegrityEntry{Examiner: c.examiners[5], Kind: "examiner_misconduct"})
	plan := c.plan(3)
	plan.Reason = "原考评员请假"
	_, err = e.ArrangeSession(ctx, c.issuer.Actor, s.ID, plan)
	if got := fieldCodes(err); !slices.Equal(got, []string{"0 people barred"}) {
		t.Errorf("a barred examiner: %v", got)
	}
	// A candidate who is on the panel of his own session.
	panel := registrytest.RosterRow(9100) // number 0 of the crew, 1*100+9000
	_, err = e.EnterRoster(ctx, c.issuer.Actor, s.ID, []registry.RosterRow{registrytest.RosterRow(2000), panel})
	if got := fieldCodes(err); len(got) == 0 || !strings.HasPrefix(got[0], "2 ") {
		t.Errorf("an examiner as candidate: %v", got)
	}
}
