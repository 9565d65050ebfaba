package examiners_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

const electrician = "6-31-01-03"

// at is a moment on a civil date in Asia/Shanghai, written 2026-03-02 14:00.
func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, standards.Zone)
	if err != nil {
		panic(err)
	}
	return t
}

var now = at("2026-03-02 09:00")

func rules(t testing.TB) examiners.Rules {
	t.Helper()
	set, err := examiners.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok {
		t.Fatal("no rules")
	}
	return r
}

// fields are the field/code pairs of an error or list, each with both languages.
func fields(t testing.TB, fs []fail.Field) (out []string) {
	t.Helper()
	for _, f := range fs {
		out = append(out, f.Name+" "+f.Code)
		if f.ZH == "" || f.EN == "" {
			t.Errorf("%s %s lacks a language", f.Name, f.Code)
		}
	}
	return out
}

func wantFields(t testing.TB, err error, code string, want ...string) {
	t.Helper()
	if len(want) == 0 {
		if err != nil {
			t.Errorf("%v %v", err, fail.Of(err).Fields)
		}
		return
	}
	if fail.CodeOf(err) != code {
		t.Fatalf("error %v, want %s", err, code)
	}
	if got := fields(t, fail.Of(err).Fields); !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
}

func newCard(change func(*examiners.Examiner)) examiners.Examiner {
	e := examiners.Examiner{ID: "e-1", Person: "aa", Kind: examiners.OrdinaryExaminer, Region: "320583", Number: "KP-1", Occupations: []string{electrician},
		Qualification: &examiners.Qualification{Code: "senior_worker", Document: "Z-1"}, Terms: []examiners.Term{{From: "2026-03-01"}}}
	if change != nil {
		change(&e)
	}
	return e
}

func TestEmbeddedRules(t *testing.T) {
	r := rules(t)
	for _, k := range examiners.Kinds() {
		if _, ok := r.KindRule(k); !ok {
			t.Errorf("no rule for %s", k)
		}
	}
	if r.Panel.Source == "" || r.Rotation.Source == "" || r.Invigilation.Sample == "" || r.Review.Sample == "" || r.Teaching.Sample == "" {
		t.Error("what is confirmed and what is a sample must be told apart")
	}
	for _, k := range r.Kinds {
		if k.Validity.Sample == "" {
			t.Errorf("%s: the time a card is valid is confirmed by no document read", k.Kind)
		}
	}
}

func TestRuleFileProblems(t *testing.T) {
	good, err := os.ReadFile("data/people-sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, say string }{
		"panel of none":   {"panel: {least: 3", "panel: {least: 0", "panel.least"},
		"endless row":     {"rotation: {most: 3", "rotation: {most: 900", "rotation.most"},
		"no such role":    {"rotation: {most: 3, roles: [panel, review]", "rotation: {most: 3, roles: [boss]", "boss"},
		"kind twice":      {"kind: staff", "kind: examiner", "twice"},
		"both bases":      {"panel: {least: 3, ", "panel: {least: 3, sample: x, ", "not both"},
		"no such level":   {"levels: [technician, senior_technician]", "levels: [boss]", ""},
		"relation to all": {"to: organisation", "to: everybody", "person or organisation"},
		"form unknown":    {"form: external_supervisor", "form: x", "number.form"},
	} {
		src := strings.Replace(string(good), c.old, c.new, 1)
		if src == string(good) {
			t.Fatalf("%s: nothing replaced", name)
		}
		if _, err := rulefile.Parse[examiners.Rules]("x", []byte(src)); fail.CodeOf(err) != "rulefile_invalid" || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// 鉴定考评人员管理工作规程: who may be 考评员 and 高级考评员.
func TestRegister(t *testing.T) {
	r := rules(t)
	senior := func(e *examiners.Examiner) {
		e.Kind = examiners.SeniorExaminer
		e.Qualification.Code = "senior_technician"
		e.Practice = &examiners.Evidence{Since: "2025-03-01", Document: "KP-0"}
	}
	for _, c := range []struct {
		name   string
		change func(*examiners.Examiner)
		want   []string
	}{
		{"考评员 with 高级工 [规程]", nil, nil},
		{"考评员 with 技师 [规程]", func(e *examiners.Examiner) { e.Qualification.Code = "technician" }, nil},
		{"考评员 with 中级职称 [规程]", func(e *examiners.Examiner) { e.Qualification.Code = "title_middle" }, nil},
		{"考评员 with 中级工", func(e *examiners.Examiner) { e.Qualification.Code = "intermediate" }, []string{"qualification.code not_enough"}},
		{"考评员 without any", func(e *examiners.Examiner) { e.Qualification = nil }, []string{"qualification missing"}},
		{"高级考评员 with 高级技师 and exactly a year [规程]", senior, nil},
		{"高级考评员 with 高级职称 [规程]", func(e *examiners.Examiner) { senior(e); e.Qualification.Code = "title_senior" }, nil},
		{"高级考评员 with 技师", func(e *examiners.Examiner) { senior(e); e.Qualification.Code = "technician" }, []string{"qualification.code not_enough"}},
		{"高级考评员 a day short of a year", func(e *examiners.Examiner) { senior(e); e.Practice.Since = "2025-03-02" }, []string{"practice.since too_short"}},
		{"高级考评员 since a leap day", func(e *examiners.Examiner) {
			senior(e)
			e.Practice.Since, e.Terms[0].From = "2024-02-29", "2025-02-28"
		}, nil},
		{"高级考评员 since a leap day, a day short", func(e *examiners.Examiner) {
			senior(e)
			e.Practice.Since, e.Terms[0].From = "2024-02-29", "2025-02-27"
		}, []string{"practice.since too_short"}},
		{"高级考评员 without practice", func(e *examiners.Examiner) { senior(e); e.Practice = nil }, []string{"practice missing"}},
		{"three years to the day [sample]", func(e *examiners.Examiner) { e.Terms[0].Until = "2029-02-28" }, nil},
		{"a day over three years [sample]", func(e *examiners.Examiner) { e.Terms[0].Until = "2029-03-01" }, []string{"until too_long"}},
		{"ends before it begins", func(e *examiners.Examiner) { e.Terms[0].Until = "2026-02-28" }, []string{"until order"}},
		{"begins tomorrow", func(e *examiners.Examiner) { e.Terms[0].From = "2026-03-03" }, []string{"from to_come"}},
		{"no occupation", func(e *examiners.Examiner) { e.Occupations = nil }, []string{"occupations missing"}},
		{"an occupation twice", func(e *examiners.Examiner) { e.Occupations = []string{electrician, electrician} }, []string{"occupations[1] duplicate"}},
		{"no occupation at all", func(e *examiners.Examiner) { e.Occupations = []string{"电工"} }, []string{"occupations[0] occupation"}},
		{"an institution's 考评员", func(e *examiners.Examiner) { e.Institution = "i-1" }, []string{"institution kind"}},
		{"a kind that is none", func(e *examiners.Examiner) { e.Kind = "boss" }, []string{"kind unknown"}},
		{"staff", func(e *examiners.Examiner) {
			e.Kind, e.Institution, e.Occupations, e.Qualification = examiners.Staff, "i-1", nil, nil
		}, nil},
		{"staff with an occupation", func(e *examiners.Examiner) { e.Kind, e.Institution = examiners.Staff, "i-1" }, []string{"occupations kind"}},
		{"外督 of Jiangxi [外督证卡]", external("R36260001"), nil},
		{"外督 of Jiangxi with another form", external("W36260001"), []string{"number form"}},
		{"外督 of Jiangxi with another province", external("R32260001"), []string{"number parts"}},
		{"外督 of Jiangxi of next year", external("R36270001"), []string{"number parts"}},
		{"外督 of Jiangsu, whose form is not known", func(e *examiners.Examiner) { external("WD-1")(e); e.Region = "320500" }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := r.Register(newCard(c.change), nil, now)
			wantFields(t, err, "examiner_invalid", c.want...)
			if err == nil && (e.Terms[0].Until == "" || e.Terms[0].Rules != r.ID || e.Recorded != now.UTC()) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func external(number string) func(*examiners.Examiner) {
	return func(e *examiners.Examiner) {
		e.Kind, e.Region, e.Occupations, e.Qualification, e.Number = examiners.ExternalSupervisor, "360100", nil, nil, number
	}
}

func TestNoSecondCard(t *testing.T) {
	r := rules(t)
	first, err := r.Register(newCard(nil), nil, now)
	if err != nil {
		t.Fatal(err)
	}
	second := newCard(func(e *examiners.Examiner) { e.ID, e.Number = "e-2", "KP-2" })
	for _, c := range []struct {
		name string
		had  func(examiners.Examiner) (examiners.Examiner, error)
		now  string
		want string
	}{
		{"while the first is valid", nil, "2026-03-02 10:00", "card_exists"},
		{"on its last day", nil, "2029-02-28 10:00", "card_exists"},
		{"the day after", nil, "2029-03-01 10:00", ""},
		{"while it is suspended", hit(examiners.Suspension, "2029-12-31"), "2029-12-31 10:00", "examiner_barred"},
		{"after the suspension and the term", hit(examiners.Suspension, "2029-12-31"), "2030-01-01 10:00", ""},
		{"while it is revoked", hit(examiners.Revocation, "2031-03-01"), "2031-03-01 10:00", "examiner_barred"},
		{"after the bar", hit(examiners.Revocation, "2031-03-01"), "2031-03-02 10:00", ""},
		{"revoked for good", hit(examiners.Revocation, ""), "2099-03-02 10:00", "examiner_barred"},
	} {
		t.Run(c.name, func(t *testing.T) {
			had := first
			if c.had != nil {
				if had, err = c.had(first); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Register(second, []examiners.Examiner{had}, at(c.now)); fail.CodeOf(err) != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func hit(kind examiners.Action, until standards.Date) func(examiners.Examiner) (examiners.Examiner, error) {
	return func(e examiners.Examiner) (examiners.Examiner, error) {
		return e.Hit(examiners.Measure{ID: "m-1", Kind: kind, Until: until, Document: "苏人社决1号", Basis: "样例"}, now)
	}
}

// cardIn is a card whose status is s at now.
func cardIn(t *testing.T, s examiners.Status) examiners.Examiner {
	t.Helper()
	e := newCard(nil)
	e.Terms[0] = examiners.Term{From: "2025-03-02", Until: "2028-03-01", Recorded: at("2025-03-02 09:00")}
	decided := examiners.Measure{ID: "m-1", From: "2026-01-01", Document: "x", Basis: "x", Recorded: at("2026-01-01 09:00")}
	switch s {
	case examiners.NotBegun:
		e.Terms[0].From = "2026-03-03"
	case examiners.Expired:
		e.Terms[0].Until = "2026-03-01"
	case examiners.Suspended, examiners.Revoked:
		decided.Kind = examiners.Suspension
		if s == examiners.Revoked {
			decided.Kind = examiners.Revocation
		}
		e.Measures = []examiners.Measure{decided}
	}
	if got := e.StatusAt("2026-03-02", now); got != s {
		t.Fatalf("made a card that is %s, not %s", got, s)
	}
	return e
}

// Every pair of the state table, and every pair that is not in it.
func TestCardStates(t *testing.T) {
	r := rules(t)
	table := doctest.States(t, "doc.go", "States of a card")
	doctest.Holds(t, table, examiners.Statuses(), examiners.Actions())
	for _, s := range examiners.Statuses() {
		for _, a := range examiners.Actions() {
			want := table.Next[string(s)][string(a)]
			e := cardIn(t, s)
			var err error
			switch a {
			case examiners.Renewal:
				e, err = e.Renew(r, examiners.Term{}, now)
			case examiners.Restoration:
				e, err = e.Restore(examiners.Lift{Document: "x"}, now)
			default:
				e, err = e.Hit(examiners.Measure{ID: "m-2", Kind: a, Document: "x", Basis: "x"}, now)
			}
			switch {
			case want == doctest.Refused && (fail.KindOf(err) != fail.Conflict || fail.CodeOf(err) != "card_state"):
				t.Errorf("%s, %s: %v, want a refusal", s, a, err)
			case want != doctest.Refused && err != nil:
				t.Errorf("%s, %s: %v", s, a, err)
			case want != doctest.Refused && string(e.StatusAt("2026-03-02", now)) != want:
				t.Errorf("%s, %s: %s, want %s", s, a, e.StatusAt("2026-03-02", now), want)
			}
		}
	}
}

func TestAppealStates(t *testing.T) {
	r := rules(t)
	table := doctest.States(t, "doc.go", "Appeals")
	doctest.Holds(t, table, examiners.AppealStates(), examiners.AppealSteps())
	path := map[examiners.AppealState][]string{examiners.AppealNone: nil, examiners.AppealLodged: {"lodge"},
		examiners.AppealUpheld: {"lodge", "uphold"}, examiners.AppealOverturned: {"lodge", "overturn"}}
	for _, s := range examiners.AppealStates() {
		for _, step := range examiners.AppealSteps() {
			e, err := hit(examiners.Revocation, "")(cardIn(t, examiners.Valid))
			for _, before := range path[s] {
				if err == nil {
					e, err = e.Contest(r, "m-1", before, "S-1", now)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			want := table.Next[string(s)][step]
			e, err = e.Contest(r, "m-1", step, "S-2", now)
			if want == doctest.Refused {
				if fail.CodeOf(err) != "appeal_state" {
					t.Errorf("%s, %s: %v, want a refusal", s, step, err)
				}
				continue
			}
			if err != nil || string(e.Measures[0].Appeal.State) != want {
				t.Errorf("%s, %s: %v %v, want %s", s, step, e.Measures[0].Appeal, err, want)
			}
			if status, over := e.StatusAt("2026-03-02", now), want == "overturned"; (status == examiners.Valid) != over {
				t.Errorf("%s, %s: the card is %s", s, step, status)
			}
		}
	}
}

func TestAppealInTime(t *testing.T) {
	r := rules(t)
	e, err := hit(examiners.Suspension, "")(cardIn(t, examiners.Valid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Contest(r, "m-1", "lodge", "S", at("2026-05-01 23:59")); err != nil {
		t.Errorf("on the 60th day: %v", err)
	}
	if _, err := e.Contest(r, "m-1", "lodge", "S", at("2026-05-02 00:00")); fail.CodeOf(err) != "appeal_late" {
		t.Errorf("on the 61st day: %v", err)
	}
	if _, err := e.Contest(r, "m-9", "lodge", "S", now); fail.CodeOf(err) != "measure_unknown" {
		t.Errorf("another measure: %v", err)
	}
}

// A suspension that is recorded after the exam says nothing about who might
// examine in it.
func TestStatusByTwoTimes(t *testing.T) {
	e := cardIn(t, examiners.Valid)
	e, err := e.Hit(examiners.Measure{ID: "m-1", Kind: examiners.Suspension, From: "2026-02-01", Until: "2026-04-30", Document: "x", Basis: "x"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if e, err = e.Restore(examiners.Lift{From: "2026-04-01", Document: "x"}, at("2026-03-20 09:00")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		on, known string
		want      examiners.Status
	}{
		{"2026-02-10", "2026-02-10 23:59", examiners.Valid},
		{"2026-02-10", "2026-03-02 09:00", examiners.Suspended},
		{"2026-04-01", "2026-03-19 09:00", examiners.Suspended},
		{"2026-04-01", "2026-03-20 09:00", examiners.Valid},
		{"2026-03-31", "2026-03-20 09:00", examiners.Suspended},
		{"2026-05-01", "2026-03-19 09:00", examiners.Valid},
		{"2028-03-01", "2028-03-01 09:00", examiners.Valid},
		{"2028-03-02", "2028-03-02 09:00", examiners.Expired},
		{"2025-03-01", "2026-03-02 09:00", examiners.NotBegun},
		{"2025-03-02", "2025-03-02 08:59", examiners.NotBegun},
	} {
		if got := e.StatusAt(standards.Date(c.on), at(c.known)); got != c.want {
			t.Errorf("on %s as known %s: %s, want %s", c.on, c.known, got, c.want)
		}
	}
}

func TestRenewal(t *testing.T) {
	r := rules(t)
	for _, c := range []struct {
		name string
		on   string
		term examiners.Term
		want []string
		from standards.Date
	}{
		{"before the end: it joins on", "2028-01-10 09:00", examiners.Term{}, nil, "2028-03-02"},
		{"after the end: from today", "2028-05-10 09:00", examiners.Term{}, nil, "2028-05-10"},
		{"never backwards", "2028-05-10 09:00", examiners.Term{From: "2028-03-02"}, []string{"from order"}, ""},
		{"not into the last term", "2028-01-10 09:00", examiners.Term{From: "2028-03-01"}, []string{"from order"}, ""},
		{"too long", "2028-01-10 09:00", examiners.Term{From: "2028-03-02", Until: "2031-03-02"}, []string{"until too_long"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := cardIn(t, examiners.Valid).Renew(r, c.term, at(c.on))
			wantFields(t, err, "renewal_invalid", c.want...)
			if err == nil && e.Terms[1].From != c.from {
				t.Errorf("from %s, want %s", e.Terms[1].From, c.from)
			}
		})
	}
}

func TestSupervisorNumber(t *testing.T) {
	n, err := examiners.ParseSupervisorNumber("R36240001")
	if err != nil || n != (examiners.SupervisorNumber{Province: "36", Year: 2024, Serial: 1}) || n.Format() != "R36240001" {
		t.Fatalf("%+v %v", n, err)
	}
	for _, s := range []string{"", "R3624001", "R362400011", "r36240001", "R99240001", "R36240000", "R3624000１", "W36240001", "R36 40001"} {
		if n, err := examiners.ParseSupervisorNumber(s); fail.CodeOf(err) != "supervisor_number" {
			t.Errorf("%q: %+v %v", s, n, err)
		}
	}
}

func FuzzSupervisorNumber(f *testing.F) {
	f.Add("R36240001")
	f.Add("R99240000")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := examiners.ParseSupervisorNumber(s)
		if err == nil && n.Format() != s {
			t.Errorf("%q reads as %q", s, n.Format())
		}
		if err != nil && fail.CodeOf(err) != "supervisor_number" {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func TestSupervisionReport(t *testing.T) {
	r := rules(t)
	good := func() examiners.Report {
		p := examiners.Report{ID: "p-1", Session: "s-1", Institution: "i-1", Side: examiners.SideInternal, Overall: "sound"}
		for _, c := range r.Supervision.Items {
			p.Items = append(p.Items, examiners.Answer{Code: c.Code, Outcome: examiners.OK})
		}
		return p
	}
	card := cardIn(t, examiners.Valid)
	card.Kind, card.Institution = examiners.InternalSupervisor, "i-1"
	for _, c := range []struct {
		name   string
		change func(*examiners.Report, *examiners.Examiner)
		want   []string
	}{
		{"sound", nil, nil},
		{"an item left out", func(p *examiners.Report, _ *examiners.Examiner) { p.Items = p.Items[1:] }, []string{"items missing"}},
		{"an item twice", func(p *examiners.Report, _ *examiners.Examiner) { p.Items = append(p.Items, p.Items[0]) }, []string{"items[8].code duplicate"}},
		{"an item that is none", func(p *examiners.Report, _ *examiners.Examiner) { p.Items[0].Code = "x" }, []string{"items[0].code unknown", "items missing"}},
		{"a finding without severity and text", func(p *examiners.Report, _ *examiners.Examiner) {
			p.Items[0].Outcome, p.Overall = examiners.Found, "rectify"
		}, []string{"items[0].severity unknown", "items[0].text missing"}},
		{"sound with a finding", func(p *examiners.Report, _ *examiners.Examiner) {
			p.Items[0] = examiners.Answer{Code: "plan", Outcome: examiners.Found, Severity: "minor", Text: "晚到"}
		}, []string{"overall not_clean"}},
		{"severity without a finding", func(p *examiners.Report, _ *examiners.Examiner) { p.Items[0].Severity = "minor" }, []string{"items[0].severity not_finding"}},
		{"no conclusion", func(p *examiners.Report, _ *examiners.Examiner) { p.Overall = "" }, []string{"overall unknown"}},
		{"by a 考评员", func(_ *examiners.Report, e *examiners.Examiner) {
			e.Kind, e.Institution = examiners.OrdinaryExaminer, ""
		}, []string{"supervisor wrong_kind"}},
		{"by another institution's", func(_ *examiners.Report, e *examiners.Examiner) { e.Institution = "i-2" }, []string{"supervisor other_institution"}},
		{"by an expired card", func(_ *examiners.Report, e *examiners.Examiner) { e.Terms[0].Until = "2026-03-01" }, []string{"supervisor card_expired"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, e := good(), card
			e.Terms = slices.Clone(card.Terms)
			if c.change != nil {
				c.change(&p, &e)
			}
			_, err := r.File(p, e, "2026-03-02", now)
			wantFields(t, err, "report_invalid", c.want...)
		})
	}
	if _, err := r.File(good(), card, "2026-03-03", now); fail.CodeOf(err) != "exam_not_held" {
		t.Errorf("before the exam: %v", err)
	}
	p := good()
	p.Overall = "reject"
	p.Items[3] = examiners.Answer{Code: p.Items[3].Code, Outcome: examiners.Found, Severity: "grave", Text: "无证考评"}
	p, err := r.File(p, card, "2026-03-02", now)
	want := examiners.Finding{Session: "s-1", Institution: "i-1", Code: "panel", Severity: "grave", Recorded: now.UTC(), Report: "p-1", Credit: "examiner_breach"}
	if err != nil || len(p.Findings) != 1 || p.Findings[0] != want {
		t.Errorf("%+v %v", p.Findings, err)
	}
	if got := r.Missing([]examiners.Report{p}); len(got) != 0 {
		t.Errorf("missing %v", got)
	}
	if got := fmt.Sprint(r.Missing(nil)); got != "[internal_supervisor]" {
		t.Errorf("missing %s", got)
	}
}
