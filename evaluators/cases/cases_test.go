package cases_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, standards.Zone)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	calendar = standards.EmbeddedCalendar()
	whole    = evaluators.Target{Institution: "I1"}
	oneFile  = evaluators.Target{Institution: "I1", Filing: "F1"}
)

func sample(t testing.TB) cases.Rules {
	t.Helper()
	set, err := cases.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok {
		t.Fatal("no rules")
	}
	return r
}

func yes() *bool { v := true; return &v }
func no() *bool  { v := false; return &v }

func measure(k evaluators.Kind, effective standards.Date) cases.Measure {
	m := cases.Measure{Kind: k, Effective: effective}
	switch k {
	case evaluators.Blacklist:
		m.Until = effective.AddDays(365)
	case evaluators.Rectify:
		m.Due = effective.AddDays(30)
	}
	return m
}

// full is a step with everything it needs.
func full(k cases.StepKind, ms ...cases.Measure) cases.Step {
	s := cases.Step{Kind: k}
	switch k {
	case cases.Inquire, cases.Statement, cases.Report, cases.RequestReview, cases.Close, cases.Dismiss:
		s.Text = "情况说明"
	case cases.Notify, cases.Decide:
		s.Document, s.Basis, s.Reason, s.Measures = "昆人社告〔2026〕1号", "示例办法第二十条", "考试现场无录像", ms
	case cases.Accept:
		s.Document, s.Basis, s.Passed = "昆人社验〔2026〕1号", "整改报告", yes()
	case cases.DecideReview:
		s.Document, s.Basis, s.Outcome = "昆人社复〔2026〕1号", "复核意见", cases.Upheld
	}
	return s
}

// matter is a case on its way, with its clock.
type matter struct {
	t     testing.TB
	rules cases.Rules
	cases.Case
	now time.Time
}

func open(t testing.TB, subject cases.Subject) *matter {
	t.Helper()
	m := &matter{t: t, rules: sample(t), now: at("2026-03-02 09:00")}
	c, err := cases.Open(cases.Case{ID: "c-1", Region: "320583", Subject: subject, Origin: cases.Origin{Kind: cases.FromReport}}, "群众举报", m.rules, "a-1", m.now)
	if err != nil {
		t.Fatal(err)
	}
	m.Case = c
	return m
}

func (m *matter) take(s cases.Step) error {
	by := "a-1"
	if s.Kind == cases.DecideReview {
		by = "a-2"
	}
	c, err := m.Case.Take(s, m.rules, calendar, by, m.now)
	m.Case = c
	return err
}

func (m *matter) must(s cases.Step) {
	m.t.Helper()
	if err := m.take(s); err != nil {
		m.t.Fatalf("%s while %s: %v %+v", s.Kind, m.State, err, fail.Of(err).Fields)
	}
}

func (m *matter) conflict(s cases.Step, code, zh string) {
	m.t.Helper()
	before := m.Case
	err := m.take(s)
	var e *fail.Error
	if fail.KindOf(err) != fail.Conflict || fail.CodeOf(err) != code || !errors.As(err, &e) || !strings.Contains(e.ZH, zh) || e.Text == "" {
		m.t.Fatalf("%s: %v, want conflict %s with %q", s.Kind, err, code, zh)
	}
	if m.State != before.State || len(m.Steps) != len(before.Steps) {
		m.t.Errorf("%s was refused and changed the case", s.Kind)
	}
}

// TestStateTable drives a case into every state of the documented table and
// takes every step there.
func TestStateTable(t *testing.T) {
	const (
		i, n, st, d, s, p = cases.Inquire, cases.Notify, cases.Statement, cases.Decide, cases.Serve, cases.Publish
	)
	paths := map[cases.State][]cases.StepKind{
		cases.Lead: nil, cases.Inquiry: {i}, cases.Noticed: {i, n}, cases.Heard: {i, n, st}, cases.Decided: {i, d}, cases.Served: {i, d, s},
		cases.Published: {i, d, s, p}, cases.Settled: {i, d, s, cases.Accept}, cases.Reviewing: {i, d, s, cases.RequestReview},
		cases.Reviewed: {i, d, s, cases.RequestReview, cases.DecideReview}, cases.Closed: {i, d, s, cases.Close}, cases.Dismissed: {cases.Dismiss},
	}
	table := doctest.States(t, "doc.go", "")
	doctest.Holds(t, table, cases.States(), cases.StepKinds())
	for _, from := range cases.States() {
		for _, kind := range cases.StepKinds() {
			want := table.Next[string(from)][string(kind)]
			m := open(t, cases.Subject{Target: &whole})
			// A warning has nothing to settle or to publish, a rectification both.
			what := measure(evaluators.Rectify, "2026-03-02")
			switch {
			case kind == cases.Close && from == cases.Published: // public, and over by itself
				what = measure(evaluators.Suspend, "2026-03-02")
				what.Until = "2026-04-02"
			case kind == cases.Close && from != cases.Settled || from == cases.Closed:
				what = measure(evaluators.Warn, "2026-03-02")
			}
			for _, k := range paths[from] {
				if k == cases.Close {
					m.now = m.now.AddDate(1, 0, 0)
				}
				m.must(full(k, what))
			}
			if m.State != from {
				t.Fatalf("the path to %s ends in %s", from, m.State)
			}
			if kind == cases.Close && from == cases.Settled {
				m.must(full(cases.Publish))
			}
			if kind == cases.Close {
				m.now = m.now.AddDate(1, 0, 0)
			}
			err := m.take(full(kind, what))
			switch {
			case want == doctest.Refused:
				if fail.CodeOf(err) != "case_state" {
					t.Errorf("%s while %s: %v, want case_state", kind, from, err)
				}
			case err != nil:
				t.Errorf("%s while %s: %v", kind, from, err)
			case string(m.State) != want:
				t.Errorf("%s while %s gives %s, want %s", kind, from, m.State, want)
			}
		}
	}
	if err := open(t, cases.Subject{Target: &whole}).take(cases.Step{Kind: "x"}); fail.CodeOf(err) != "step_invalid" {
		t.Errorf("an unknown step: %v", err)
	}
}

// Removal needs a notice; it is decided when the days for an answer are over or
// an answer has come.
func TestRemovalNeedsNoticeAndTime(t *testing.T) {
	removal, list := measure(evaluators.ExitOrdered, "2026-03-20"), measure(evaluators.Blacklist, "2026-03-20")
	m := open(t, cases.Subject{Target: &whole})
	m.must(full(cases.Inquire))
	m.conflict(full(cases.Decide, removal), "notice_needed", "拟处理告知")
	m.must(full(cases.Notify, removal, list))
	// Served on Monday 2 March 2026; five working days end on Monday the 9th.
	if m.Notice.StatementUntil != "2026-03-09" {
		t.Fatalf("to %s", m.Notice.StatementUntil)
	}
	m.conflict(full(cases.Decide, removal), "statement_period_running", "2026年3月10日")
	m.must(full(cases.Decide, measure(evaluators.Warn, "2026-03-02"))) // what needs no notice does not wait

	m = open(t, cases.Subject{Target: &whole})
	m.must(full(cases.Inquire))
	m.must(full(cases.Notify, removal, list))
	m.now = at("2026-03-09 23:59")
	m.conflict(full(cases.Decide, removal), "statement_period_running", "2026年3月9日")
	m.now = at("2026-03-10 00:00")
	m.must(full(cases.Decide, removal, list))

	m = open(t, cases.Subject{Target: &whole})
	m.must(full(cases.Inquire))
	m.must(full(cases.Notify, removal))
	m.must(full(cases.Statement))
	m.must(full(cases.Notify, removal, list)) // announced anew: the answer was to the first
	m.must(full(cases.Statement))
	m.must(full(cases.Notify, removal, list))
	m.conflict(full(cases.Decide, removal), "statement_period_running", "2026年3月10日")
	m.must(full(cases.Statement))
	m.must(full(cases.Decide, removal, list))
}

func TestOnlyWhatWasAnnounced(t *testing.T) {
	onFile := func(k evaluators.Kind) cases.Measure {
		x := measure(k, "2026-03-20")
		x.Target = &oneFile
		return x
	}
	longer := measure(evaluators.Blacklist, "2026-03-20")
	longer.Until = "2027-12-31"
	for _, c := range []struct {
		name      string
		announced cases.Measure
		decided   cases.Measure
		ok        bool
	}{
		{"the same", measure(evaluators.ExitOrdered, "2026-03-20"), measure(evaluators.ExitOrdered, "2026-04-01"), true},
		{"a part of it", measure(evaluators.ExitOrdered, "2026-03-20"), onFile(evaluators.ExitOrdered), true},
		{"more than that", onFile(evaluators.ExitOrdered), measure(evaluators.ExitOrdered, "2026-03-20"), false},
		{"another kind", measure(evaluators.ExitOrdered, "2026-03-20"), measure(evaluators.Blacklist, "2026-03-20"), false},
		{"shorter", longer, measure(evaluators.Blacklist, "2026-03-20"), true},
		{"longer", measure(evaluators.Blacklist, "2026-03-20"), longer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := open(t, cases.Subject{Target: &whole})
			m.must(full(cases.Inquire))
			m.must(full(cases.Notify, c.announced))
			m.must(full(cases.Statement))
			if c.ok {
				m.must(full(cases.Decide, c.decided))
			} else {
				m.conflict(full(cases.Decide, c.decided), "not_announced", "重新告知")
			}
		})
	}
}

func TestReviewAndClosing(t *testing.T) {
	served := func(t *testing.T, k evaluators.Kind) *matter {
		m := open(t, cases.Subject{Target: &whole})
		m.must(full(cases.Inquire))
		m.must(full(cases.Decide, measure(k, "2026-03-02")))
		m.must(full(cases.Serve))
		return m
	}
	m := served(t, evaluators.Suspend)
	if m.Service.ReviewUntil != "2026-05-01" || m.Ruling.PublishDue != "2026-03-11" {
		t.Fatalf("%+v %+v", m.Service, m.Ruling)
	}
	m.now = at("2026-05-01 23:00")
	m.conflict(full(cases.Close), "review_period_running", "2026年5月1日")
	late := *m
	late.now = at("2026-05-02 00:00")
	late.conflict(full(cases.RequestReview), "review_period_over", "2026年5月1日")
	late.conflict(full(cases.Close), "not_published", "2026年3月11日")
	late.must(full(cases.Publish))
	if !late.Publication.Late {
		t.Error("it was late")
	}
	late.conflict(full(cases.Close), "not_settled", "暂停")
	failed := full(cases.Accept)
	failed.Passed, failed.Due = no(), "2026-06-01"
	late.must(failed)
	if late.State != cases.Published || late.Lifting(cases.Accept) != nil {
		t.Errorf("not passed: %s, lifts %v", late.State, late.Lifting(cases.Accept))
	}
	late.conflict(full(cases.Close), "not_settled", "验收")
	late.must(full(cases.Accept))
	if l := late.Lifting(cases.Accept); len(l) != 1 || l[0].Kind != evaluators.Resume || *l[0].Target != whole {
		t.Errorf("lifts %+v", l)
	}
	late.must(full(cases.Close))

	m.must(full(cases.RequestReview))
	if c, err := m.Case.Take(full(cases.DecideReview), m.rules, calendar, "a-1", m.now); fail.CodeOf(err) != "second_person_needed" || c.Review.Outcome != "" {
		t.Errorf("by who decided: %v", err)
	}
	revoke := full(cases.DecideReview)
	revoke.Outcome = cases.Revoked
	m.must(revoke)
	if l := m.Lifting(cases.DecideReview); len(l) != 1 || l[0].Kind != evaluators.Resume {
		t.Errorf("lifts %+v", l)
	}
	m.conflict(full(cases.Accept), "nothing_to_settle", "没有需要")
	m.must(full(cases.Close))

	m = served(t, evaluators.Warn)
	m.conflict(full(cases.Publish), "nothing_to_publish", "不公开")
	m.conflict(full(cases.Report), "nothing_to_settle", "无需")
}

func TestPeopleAreNotPublished(t *testing.T) {
	m := open(t, cases.Subject{Person: "e-1"})
	ban := measure(evaluators.Blacklist, "2026-03-20")
	m.must(full(cases.Inquire))
	m.must(full(cases.Notify, ban))
	m.must(full(cases.Statement))
	m.must(full(cases.Decide, ban))
	m.must(full(cases.Serve))
	m.conflict(full(cases.Publish), "nothing_to_publish", "涉及个人")
	for on, want := range map[standards.Date]bool{"2026-03-19": false, "2026-03-20": true, ban.Until: true, ban.Until.AddDays(1): false} {
		if _, hindered := m.Hindrance(on); hindered != want {
			t.Errorf("on %s: %t", on, hindered)
		}
	}
	if err := open(t, cases.Subject{Person: "e-1"}).take(full(cases.Notify, ban)); fail.CodeOf(err) != "case_state" {
		t.Error(err)
	}
}

func TestStepsNameEveryFault(t *testing.T) {
	for _, c := range []struct {
		name string
		path []cases.StepKind
		in   cases.Step
		want []string
	}{
		{"a bare notice", []cases.StepKind{cases.Inquire}, cases.Step{Kind: cases.Notify}, []string{"document missing", "basis missing", "reason missing", "measures missing"}},
		{"a bare decision", []cases.StepKind{cases.Inquire}, cases.Step{Kind: cases.Decide, Text: "x", Measures: []cases.Measure{{Kind: evaluators.Warn}}},
			[]string{"text step", "document missing", "basis missing", "measures[0].effective date"}},
		{"no measure", []cases.StepKind{cases.Inquire}, full(cases.Notify, measure(evaluators.Resume, "2026-03-02"), cases.Measure{Kind: "x"}), []string{"measures[0].kind kind", "measures[1].kind kind"}},
		{"another's", []cases.StepKind{cases.Inquire}, full(cases.Notify, cases.Measure{Kind: evaluators.Suspend, Target: &evaluators.Target{Institution: "I2"}}), []string{"measures[0].target institution"}},
		{"twice", []cases.StepKind{cases.Inquire}, full(cases.Notify, measure(evaluators.Warn, ""), measure(evaluators.Warn, "")), []string{"measures[1].kind repeated"}},
		{"too long", []cases.StepKind{cases.Inquire}, full(cases.Notify, cases.Measure{Kind: evaluators.Blacklist, Effective: "2026-03-02", Until: "2029-03-02"}), []string{"measures[0].until too_long"}},
		{"without an end", []cases.StepKind{cases.Inquire}, full(cases.Notify, cases.Measure{Kind: evaluators.Blacklist}), []string{"measures[0].until date"}},
		{"to come", []cases.StepKind{cases.Inquire, cases.Decide}, cases.Step{Kind: cases.Serve, On: "2026-03-03"}, []string{"on order"}},
		{"before the decision", []cases.StepKind{cases.Inquire, cases.Decide}, cases.Step{Kind: cases.Serve, On: "2026-03-01"}, []string{"on order"}},
		{"a day of its own", []cases.StepKind{cases.Inquire}, cases.Step{Kind: cases.Dismiss, Text: "x", On: "2026-03-01"}, []string{"on step"}},
		{"no outcome", []cases.StepKind{cases.Inquire, cases.Decide, cases.Serve, cases.RequestReview}, cases.Step{Kind: cases.DecideReview, Document: "x", Basis: "x", Passed: yes()},
			[]string{"passed step", "outcome outcome"}},
		{"not said whether passed", []cases.StepKind{cases.Inquire, cases.Decide, cases.Serve}, cases.Step{Kind: cases.Accept, Document: "x", Basis: "x", Outcome: cases.Upheld, Due: "2026-04-01"},
			[]string{"passed missing", "outcome step", "due step"}},
		{"too much", nil, cases.Step{Kind: cases.Dismiss, Text: strings.Repeat("长", cases.MaxText+1)}, []string{"text too_long"}},
		{"odd characters", nil, cases.Step{Kind: cases.Dismiss, Text: "a\x07"}, []string{"text characters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := open(t, cases.Subject{Target: &whole})
			for _, k := range c.path {
				m.must(full(k, measure(evaluators.Rectify, "2026-03-02")))
			}
			err := m.take(c.in)
			if fail.KindOf(err) != fail.Invalid || fail.CodeOf(err) != "step_invalid" {
				t.Fatalf("%v", err)
			}
			var got []string
			for _, f := range fail.Of(err).Fields {
				got = append(got, f.Name+" "+f.Code)
				if f.ZH == "" || f.EN == "" {
					t.Errorf("%s lacks a language", f.Name)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("fields %q, want %q", got, c.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	_, err := cases.Open(cases.Case{Subject: cases.Subject{Target: &whole, Person: "p"}, Origin: cases.Origin{Kind: "x"}}, "", sample(t), "a-1", at("2026-03-02 09:00"))
	if len(fail.Of(err).Fields) != 3 {
		t.Errorf("%+v", fail.Of(err).Fields)
	}
	_, err = cases.Open(cases.Case{Subject: cases.Subject{Person: "p"}, Origin: cases.Origin{Kind: cases.FromSign}}, "x", sample(t), "a-1", at("2026-03-02 09:00"))
	if fs := fail.Of(err).Fields; len(fs) != 1 || fs[0].Name != "origin.id" {
		t.Errorf("%+v", fs)
	}
}

// Every rule that has no source says so, and what the sample lets be decided
// without a case takes nothing away.
func TestTheSampleSaysThatItIsOne(t *testing.T) {
	set, err := cases.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range set.All() {
		for _, m := range r.Measures {
			if r.Source == "" && m.Source == "" && m.Sample == "" {
				t.Errorf("%s: %s has neither source nor sample", r.ID, m.Kind)
			}
		}
		for _, p := range []cases.Period{r.Statement, r.Review, r.Publish} {
			if r.Source == "" && p.Source == "" && p.Sample == "" {
				t.Errorf("%s: a period has neither source nor sample", r.ID)
			}
		}
		for _, k := range []evaluators.Kind{evaluators.ExitOrdered, evaluators.Blacklist} {
			if m := r.Of(k); !m.Case || !m.Notice {
				t.Errorf("%s: %s without a case and notice", r.ID, k)
			}
		}
	}
	if m := (cases.Rules{}).Of(evaluators.Suspend); !m.Case || !m.Notice {
		t.Error("a rule that is not there is not the strictest")
	}
	if p := (cases.Rules{Measures: []cases.MeasureRule{{Kind: "x", Notice: true}}}).Problems(); len(p) < 4+len(evaluators.Kinds()) {
		t.Errorf("%v", p)
	}
}

func TestEveryWordIsThere(t *testing.T) {
	seen := map[string]bool{}
	check := func(zh, en string) {
		if zh == "" || en == "" || seen[zh] || seen[en] {
			t.Errorf("%q %q is missing or used twice", zh, en)
		}
		seen[zh], seen[en] = true, true
	}
	for _, s := range cases.States() {
		check(s.Chinese(), s.English())
	}
	clear(seen)
	for _, k := range cases.StepKinds() {
		check(k.Chinese(), k.English())
	}
}

func TestACaseDoesNotGrowForEver(t *testing.T) {
	m := open(t, cases.Subject{Target: &whole})
	m.must(full(cases.Inquire))
	m.must(full(cases.Notify, measure(evaluators.Warn, "")))
	for len(m.Steps) < cases.MaxSteps {
		m.must(full(cases.Statement))
	}
	m.conflict(full(cases.Statement), "case_too_long", "另立案")
}
