package evaluators_test

import (
	"fmt"
	"slices"
	"testing"

	"bajigong/evaluators"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func form() evaluators.ApplicationForm {
	return evaluators.ApplicationForm{Class: evaluators.Social, Province: "32", Authority: "320500", SiteName: "昆山考点", SiteAddress: "示例路 1 号",
		Scope: []evaluators.ScopeItem{{Occupation: cook, Levels: standards.LevelRange(standards.Junior, standards.Senior)}}}
}

func admission() evaluators.Admission {
	return evaluators.Admission{Filing: "F1", Code: "0000", Site: "058300", From: "2026-03-10", Until: "2029-03-09", Document: "苏人社备〔2026〕9号"}
}

func applied(t *testing.T) evaluators.Application {
	t.Helper()
	a, err := evaluators.Apply(institution(), nil, nil, nil, evaluators.Application{ID: "P1", Institution: "I1", ApplicationForm: form()}, at("2026-03-02 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// take takes one step, with everything that the step needs.
func take(a evaluators.Application, step evaluators.ApplicationStep) (evaluators.Application, error) {
	now := at("2026-03-03 09:00")
	switch step {
	case evaluators.Supplement:
		return a.Supplement(institution(), nil, nil, form(), now)
	case evaluators.Withdraw:
		return a.Withdraw("", now)
	case evaluators.Return:
		return a.Return("请补交场地证明", now)
	case evaluators.Refuse:
		return a.Refuse("场地不足", "示例管理办法第八条", now)
	}
	next, _, err := a.Admit(institution(), nil, nil, admission(), now)
	return next, err
}

func TestApplicationStateTable(t *testing.T) {
	table := doctest.States(t, "application.go", "ApplicationState")
	doctest.Holds(t, table, evaluators.ApplicationStates(), evaluators.ApplicationSteps())
	paths := map[evaluators.ApplicationState][]evaluators.ApplicationStep{
		evaluators.Submitted: nil, evaluators.Returned: {evaluators.Return}, evaluators.Admitted: {evaluators.Return, evaluators.Supplement, evaluators.AdmitIt},
		evaluators.Withdrawn: {evaluators.Withdraw}, evaluators.Refused: {evaluators.Return, evaluators.Refuse},
	}
	for _, from := range evaluators.ApplicationStates() {
		a := applied(t)
		for _, step := range paths[from] {
			var err error
			if a, err = take(a, step); err != nil {
				t.Fatalf("on the way to %s: %v", from, err)
			}
		}
		if a.State != from || from.Chinese() == "" || from.English() == "" {
			t.Fatalf("the way to %s ends in %s", from, a.State)
		}
		for _, step := range evaluators.ApplicationSteps() {
			next, err := take(a, step)
			want := table.Next[string(from)][string(step)]
			ok := want != doctest.Refused
			switch {
			case !ok && (fail.KindOf(err) != fail.Conflict || fail.CodeOf(err) != "application_state"):
				t.Errorf("%s while %s: %v, want a conflict", step, from, err)
			case ok && (err != nil || string(next.State) != want || next.History[len(next.History)-1].Step != step):
				t.Errorf("%s while %s: %s, %v; want %s", step, from, next.State, err, want)
			}
		}
	}
}

func TestApplyNamesEveryFault(t *testing.T) {
	_, err := evaluators.Apply(institution(), nil, nil, nil, evaluators.Application{ID: "P1", Institution: "I2"}, at("2026-03-02 09:00"))
	wantFields(t, err, "application_invalid", "institution institution", "class class", "province digits", "authority digits", "scope missing")
	f := form()
	f.Scope[0].From = "2026-03-01"
	f.Scope = append(f.Scope, evaluators.ScopeItem{Occupation: cook, Levels: standards.LevelsOf(standards.ChiefTechnician)})
	_, err = evaluators.Apply(institution(), nil, nil, nil, evaluators.Application{ID: "P1", Institution: "I1", ApplicationForm: f}, at("2026-03-02 09:00"))
	wantFields(t, err, "application_invalid", "scope[0].from dates", "scope[1].levels not_examined")
	for _, step := range []func() error{
		func() error { _, err := applied(t).Return("", at("2026-03-03 09:00")); return err },
		func() error { _, err := applied(t).Refuse("理由", "", at("2026-03-03 09:00")); return err },
	} {
		if fail.CodeOf(step()) != "step_invalid" {
			t.Errorf("a step without its words: %v", step())
		}
	}
}

func TestAdmitApplication(t *testing.T) {
	now := at("2026-03-03 09:00")
	a, f, err := applied(t).Admit(institution(), nil, nil, admission(), now)
	if err != nil {
		t.Fatal(err)
	}
	if a.Filing != "F1" || f.Application != "P1" || f.Prefix() != "S000032058300" || f.SiteName != "昆山考点" || len(f.Scope) != 1 {
		t.Errorf("application %+v, filing %+v", a, f)
	}
	wider := admission()
	wider.Scope = []evaluators.ScopeItem{{Occupation: cook, Levels: standards.LevelsOf(standards.Senior, standards.Technician)},
		{Occupation: welder, Trade: "02", Levels: standards.LevelsOf(standards.Senior)}}
	_, _, err = applied(t).Admit(institution(), nil, nil, wider, now)
	wantFields(t, err, "filing_invalid", "scope[0].levels not_applied_for", "scope[1].levels not_applied_for")
	narrower := admission()
	narrower.Scope = []evaluators.ScopeItem{{Occupation: cook, Trade: "01", Levels: standards.LevelsOf(standards.Senior), Until: "2027-03-09"}}
	if _, f, err = applied(t).Admit(institution(), nil, nil, narrower, now); err != nil || f.Scope[0].Until != "2027-03-09" {
		t.Errorf("narrower than applied for: %v", err)
	}
}

func renewal(t *testing.T, old evaluators.Filing, set func(*evaluators.Application, *evaluators.Admission)) (evaluators.Filing, error) {
	t.Helper()
	in, adm := evaluators.Application{ID: "P2", Institution: "I1", ApplicationForm: form()}, evaluators.Admission{Filing: "F2", Until: "2029-12-31", Document: "苏人社备〔2027〕9号"}
	in.Renews, in.SiteName, in.SiteAddress = old.ID, "", ""
	if set != nil {
		set(&in, &adm)
	}
	now := at("2027-12-01 09:00")
	a, err := evaluators.Apply(institution(), []evaluators.Filing{old}, nil, nil, in, now)
	if err != nil {
		return evaluators.Filing{}, err
	}
	_, f, err := a.Admit(institution(), []evaluators.Filing{old}, nil, adm, now)
	return f, err
}

// A renewal 续期 follows on under the same number parts and takes over what was
// granted and recorded.
func TestRenewal(t *testing.T) {
	old := filing()
	old.SiteName = "老考点"
	old.Ranges = []evaluators.SerialRange{{Year: 2028, Level: standards.Senior, First: 1, Last: 500}}
	old.SiteChanges = []evaluators.SiteChange{
		{Site: "02", Kind: evaluators.OpenSite, Name: "二号考点", Address: "x", From: "2026-02-01", Recorded: at("2026-02-01 09:00")},
		{Kind: evaluators.MoveSite, Name: "新考点", From: "2026-03-01", Recorded: at("2026-03-01 09:00")},
		{Site: "02", Kind: evaluators.SuspendSite, Reason: "整改", Document: "D", From: "2027-11-01", Recorded: at("2027-11-01 09:00")},
	}
	f, err := renewal(t, old, func(_ *evaluators.Application, a *evaluators.Admission) {
		a.Ranges = []evaluators.SerialRange{{Year: 2028, Level: standards.Senior, First: 501, Last: 900}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.From != "2028-01-01" || f.Prefix() != old.Prefix() || f.SiteName != "新考点" || len(f.Ranges) != 2 {
		t.Errorf("renewal %+v", f)
	}
	if s := f.SiteOn("02", "2028-01-01", at("2028-01-01 09:00")); s.State != evaluators.SiteSuspended || s.Name != "二号考点" {
		t.Errorf("the other site is %+v", s)
	}
	if _, err := renewal(t, old, func(_ *evaluators.Application, a *evaluators.Admission) { a.From = "2027-12-31" }); fail.CodeOf(err) != "filing_overlaps" {
		t.Errorf("beginning on the last day of the old one: %v", err)
	}
	if _, err := renewal(t, old, func(_ *evaluators.Application, a *evaluators.Admission) { a.Site = "058301" }); fail.CodeOf(err) != "renewal_impossible" {
		t.Errorf("under other number parts: %v", err)
	}
	if _, err := renewal(t, old, func(a *evaluators.Application, _ *evaluators.Admission) { a.Authority = "320000" }); fail.CodeOf(err) != "renewal_impossible" {
		t.Errorf("with another authority: %v", err)
	}
	if _, err := renewal(t, old, func(a *evaluators.Application, _ *evaluators.Admission) { a.Renews = "F9" }); fail.CodeOf(err) != "renewal_impossible" {
		t.Errorf("of nothing: %v", err)
	}
	now := at("2027-12-01 09:00")
	in := evaluators.Application{ID: "P3", Institution: "I1", ApplicationForm: form()}
	in.Renews = old.ID
	pending := []evaluators.Application{{ID: "P2", State: evaluators.Submitted, ApplicationForm: evaluators.ApplicationForm{Renews: old.ID}}}
	_, err = evaluators.Apply(institution(), []evaluators.Filing{old}, nil, pending, in, now)
	wantConflict(t, err, "application_pending")
	ended := []evaluators.Decision{decision("1", evaluators.ExitOrdered, oneFile, "2027-11-01", at("2027-11-01 09:00"))}
	_, err = evaluators.Apply(institution(), []evaluators.Filing{old}, ended, nil, in, now)
	wantConflict(t, err, "renewal_impossible")
}

// A session whose exam was within the old filing finishes under its renewal, day
// by day around the boundary.
func TestARenewalWithoutAGapStandsIn(t *testing.T) {
	old := filing() // to 2027-12-31
	next := old
	next.ID, next.Renews, next.From, next.Until, next.Recorded = "F2", firstID, "2028-01-01", "2030-12-31", at("2027-12-20 09:00")
	next.Scope = old.Scope[:1]
	last := evaluators.Question{Occupation: cook, Level: standards.Senior, ExamDate: "2027-12-31", Session: "S1"}
	for _, c := range []struct {
		name string
		now  string
		set  func(old, next *evaluators.Filing, q *evaluators.Question)
		ds   []evaluators.Decision
		want []evaluators.Reason
	}{
		{name: "last day of the old filing", now: "2027-12-31 23:59"},
		{name: "first day of the renewal", now: "2028-01-01 00:00"},
		{name: "within the renewal", now: "2028-01-20 09:00"},
		{name: "a day's gap", now: "2028-01-20 09:00", set: func(_, n *evaluators.Filing, _ *evaluators.Question) { n.From = "2028-01-02" }, want: []evaluators.Reason{evaluators.ReasonFilingExpired}},
		{name: "the renewal is not yet recorded", now: "2028-01-20 09:00", set: func(_, n *evaluators.Filing, _ *evaluators.Question) { n.Recorded = at("2028-01-20 09:01") },
			want: []evaluators.Reason{evaluators.ReasonFilingExpired}},
		{name: "recorded in the very second", now: "2028-01-20 09:00", set: func(_, n *evaluators.Filing, _ *evaluators.Question) { n.Recorded = at("2028-01-20 09:00") }},
		{name: "other number parts", now: "2028-01-20 09:00", set: func(_, n *evaluators.Filing, _ *evaluators.Question) { n.Site = "058301" }, want: []evaluators.Reason{evaluators.ReasonFilingExpired}},
		{name: "it does not name the old one", now: "2028-01-20 09:00", set: func(_, n *evaluators.Filing, _ *evaluators.Question) { n.Renews = "" }, want: []evaluators.Reason{evaluators.ReasonFilingExpired}},
		{name: "the renewal has not this scope", now: "2028-01-20 09:00", set: func(_, n *evaluators.Filing, _ *evaluators.Question) {
			n.Scope = []evaluators.ScopeItem{{Occupation: cook, Levels: standards.LevelsOf(standards.Junior)}}
		}, want: []evaluators.Reason{evaluators.ReasonScopeNotInForce}},
		{name: "the exam was after the old filing", now: "2028-01-20 09:00", set: func(_, _ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2028-01-01" },
			want: []evaluators.Reason{evaluators.ReasonExamOutsideFiling}},
		{name: "the renewal is suspended", now: "2028-01-20 09:00", ds: []evaluators.Decision{decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Filing: "F2"}, "2028-01-10", at("2028-01-10 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "after the renewal", now: "2031-01-01 00:00", want: []evaluators.Reason{evaluators.ReasonFilingExpired}},
		{name: "planned under the renewal before it begins", now: "2027-12-25 09:00", set: func(o, n *evaluators.Filing, q *evaluators.Question) {
			*o, *n = *n, *o
			q.ExamDate = "2028-01-05"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, n, q := old, next, last
			if c.set != nil {
				c.set(&o, &n, &q)
			}
			q.Now, q.Filed = at(c.now), []evaluators.Filing{o, n}
			if e := evaluators.Entitled(institution(), o, c.ds, q); !slices.Equal(e.Reasons, c.want) || e.Entitled != (len(c.want) == 0) {
				t.Errorf("reasons %v, want %v", e.Reasons, c.want)
			}
		})
	}
	// The number: E5 and E9 by the renewal, E8 by the exam.
	n, _ := standards.ParseLevelNumber("S000032058300283000001")
	face := evaluators.Face{Occupation: cook, Level: standards.Senior, ExamDate: "2027-12-31", Issued: "2028-01-20"}
	if ps := evaluators.CheckNumber(n, old, face); len(ps) != 1 || ps[0].Rule != "E5" {
		t.Errorf("without the renewal: %v", ps)
	}
	face.Filed = []evaluators.Filing{old, next}
	if ps := evaluators.CheckNumber(n, old, face); len(ps) != 0 {
		t.Errorf("with the renewal: %v", ps)
	}
}

func TestALineOfManyRenewals(t *testing.T) {
	filed := []evaluators.Filing{}
	for i := range 6 {
		f := filing()
		f.ID, f.From, f.Until = fmt.Sprintf("F%d", i), standards.NewYear(2026+i), standards.NewYear(2027+i).AddDays(-1)
		if i > 0 {
			f.Renews = fmt.Sprintf("F%d", i-1)
		}
		filed = append([]evaluators.Filing{f}, filed...)
	}
	for year := 2026; year < 2032; year++ {
		for _, f := range filed {
			if got := f.InLine(filed, standards.NewYear(year), at("2026-06-01 09:00")); got.ID != fmt.Sprintf("F%d", year-2026) {
				t.Errorf("from %s on 1 January %d: %s", f.ID, year, got.ID)
			}
		}
	}
	if got := filed[0].InLine(filed, "2032-01-01", at("2026-06-01 09:00")); got.ID != "F5" {
		t.Errorf("after the line: %s", got.ID)
	}
	loop := filing()
	loop.Renews = loop.ID
	if got := loop.InLine([]evaluators.Filing{loop}, "2029-01-01", at("2026-06-01 09:00")); got.ID != loop.ID {
		t.Error("a filing that renews itself")
	}
}
