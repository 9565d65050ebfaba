package registry_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/examiners"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
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

// Most of what a register does, one after another on each engine, under the
// embedded rules; every invariant is checked at the end.
func TestTheFullCourse(t *testing.T) {
	registrytest.Engines(t, func(t *testing.T, engine func(testing.TB, string) kv.Engine) {
		e := newMassEnv(t, registrytest.Options{FullCourse: true, Engine: engine, Rerun: kvtest.Rerun(3)})
		c := newCrew(t, 2, e.Env)
		s, issued := theFullCourse(t, c)
		drawAndInspect(t, e, s)
		creditIsReplayed(t, e, c.issuer)

		m := e.mustDo(suspension(registry.MassScope{Session: s.ID}))
		if n := e.bits("suspension-0", issued); n != len(issued) || m.Changed != len(issued) {
			t.Errorf("%d certificates are suspended, %d changed", n, m.Changed)
		}
		e.mustUndo(m)
		if n := e.bits("suspension-0", issued); n != 0 {
			t.Errorf("%d certificates are still suspended after the undo", n)
		}

		if past := mustImport(t, e.Env, registry.Operator(), pastFile(200), false); past.Imported != 200 {
			t.Errorf("imported %+v", past.Counts)
		}
		voided := suspension(registry.MassScope{Session: s.ID})
		voided.Kind = registry.ChangeVoid
		e.mustDo(voided)
		if _, err := e.CountFigures(ctx); err != nil {
			t.Fatal(err)
		}
		h, err := e.HistoryOf(ctx, c.issuer.Institution.ID)
		if err != nil || len(h.Issued) != 1 || h.Issued[0].Issued != uint64(len(issued)) || h.Issued[0].Voided != uint64(len(issued)) {
			t.Errorf("figures %+v %v", h.Issued, err)
		}

		e.MustRemove(c.issuer.Institution.ID)
		if inst, err := e.InstitutionByID(ctx, e.Authority, c.issuer.Institution.ID); err != nil || inst.Status != evaluators.Removed {
			t.Errorf("removed: %s %v", inst.Status, err)
		}
	})
}

// drawAndInspect announces a draw of which s is the population, and draws it.
func drawAndInspect(t *testing.T, e *massEnv, s registry.Session) {
	t.Helper()
	d, err := e.AnnounceDraw(ctx, e.Authority, registry.NewDraw{Name: "抽查", From: s.ExamDate, Until: s.ExamDate, Wanted: 1, Each: 2,
		Inspectors: []signs.Inspector{{ID: "R1"}, {ID: "R2"}, {ID: "R3", Avoid: []string{s.Institution}}}})
	if err != nil {
		t.Fatal(err)
	}
	e.MustAdmit(3) // moves the log on
	if d, err = e.SeedDraw(ctx, e.Authority, d.ID, ""); err != nil || len(d.Drawn) != 1 || d.Drawn[0].Session != s.ID {
		t.Fatalf("drawn %+v %v", d, err)
	}
}

// creditIsReplayed enters events, one of them late, and compares the stored score
// with the replay of the ledger.
func creditIsReplayed(t *testing.T, e *massEnv, by registrytest.Issuer) {
	t.Helper()
	today := standards.DateOf(e.Clock.Now())
	for i, item := range []string{"award", "late_upload", "plan_deviation", "examiner_breach"} {
		mustCredit(t, e.Env, creditEvent(by.Institution.ID, item, today.AddDays(-i)))
	}
	stored, err := e.ScoreOn(ctx, e.Authority, by.Institution.ID, today)
	if err != nil {
		t.Fatal(err)
	}
	// Of an earlier time nothing is stored: Credit replays.
	e.Clock.Add(time.Second)
	v := scoreOf(t, e.Env, by.Institution.ID, registry.CreditQuery{On: today, Known: e.Clock.Now().Add(-time.Second)})
	if !reflect.DeepEqual(stored, v.Score) {
		t.Errorf("stored %+v, replayed %+v", stored, v.Score)
	}
}

// theFullCourse takes a session under the embedded rules through all its steps;
// every step asks for the one before it.
func theFullCourse(t *testing.T, c *crew) (registry.Session, []registry.Issued) {
	t.Helper()
	e, by := c.Env, c.issuer
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
	got := e.MustIssue(by, s.ID)
	if len(got) != 3 {
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
	return s, got
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
