package evaluators_test

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func question(now string) evaluators.Question {
	return evaluators.Question{Occupation: cook, Level: standards.Senior, ExamDate: "2026-03-10", Now: at(now), Session: "S1"}
}

func TestEntitled(t *testing.T) {
	exit := func(target evaluators.Target, sessions ...string) evaluators.Decision {
		d := decision("1", evaluators.ExitVoluntary, target, "2026-03-20", at("2026-03-15 09:00"))
		d.FinishSessions = sessions
		return d
	}
	pause := decision("2", evaluators.Suspend, whole, "2026-03-20", at("2026-03-20 09:00"))
	for _, c := range []struct {
		name string
		q    evaluators.Question
		set  func(*evaluators.Filing, *evaluators.Question)
		ds   []evaluators.Decision
		want []evaluators.Reason // none: entitled
	}{
		{name: "plain", q: question("2026-03-25 09:00")},
		{name: "planned ahead", q: question("2026-02-25 09:00")},
		{name: "without an exam", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "" }},
		{name: "a trade under a whole occupation", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Trade = "03" }},

		{name: "the second before it is recorded", q: question("2026-01-05 09:59"), want: []evaluators.Reason{evaluators.ReasonNotFiledYet}},
		{name: "of another institution", q: question("2026-03-25 09:00"), set: func(f *evaluators.Filing, _ *evaluators.Question) { f.Institution = "I2" },
			want: []evaluators.Reason{evaluators.ReasonNotFiledYet}},
		{name: "not begun", q: question("2026-03-25 09:00"), set: func(f *evaluators.Filing, q *evaluators.Question) { f.From = "2026-04-01" },
			want: []evaluators.Reason{evaluators.ReasonNotFiledYet, evaluators.ReasonExamOutsideFiling}},
		{name: "last day", q: question("2027-12-31 23:59")},
		{name: "the day after", q: question("2028-01-01 00:00"), want: []evaluators.Reason{evaluators.ReasonFilingExpired}},
		{name: "exam after the last day", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2028-01-01" },
			want: []evaluators.Reason{evaluators.ReasonExamOutsideFiling}},

		{name: "occupation", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Occupation = "4-03-02-99" },
			want: []evaluators.Reason{evaluators.ReasonOutOfScopeOccupation}},
		{name: "no trade where only one is filed", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Occupation = welder },
			want: []evaluators.Reason{evaluators.ReasonOutOfScopeTrade}},
		{name: "trade", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Occupation, q.Trade = welder, "01" },
			want: []evaluators.Reason{evaluators.ReasonOutOfScopeTrade}},
		{name: "the trade that is filed", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Occupation, q.Trade = welder, "02" }},
		{name: "level", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) {
			q.Occupation, q.Trade, q.Level = welder, "02", standards.Technician
		}, want: []evaluators.Reason{evaluators.ReasonOutOfScopeLevel}},
		{name: "scope has run out since the exam", q: question("2027-01-01 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) {
			q.Occupation, q.Trade = welder, "02"
		}, want: []evaluators.Reason{evaluators.ReasonScopeNotInForce}},
		{name: "exam after the scope has run out", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) {
			q.Occupation, q.Trade, q.ExamDate = welder, "02", "2027-01-01"
		}, want: []evaluators.Reason{evaluators.ReasonExamOutsideScope}},
		{name: "another item takes over", q: question("2026-03-25 09:00"), set: func(f *evaluators.Filing, _ *evaluators.Question) {
			f.Scope = []evaluators.ScopeItem{
				{Occupation: cook, Levels: standards.LevelsOf(standards.Senior), Until: "2026-03-10"},
				{Occupation: cook, Levels: standards.LevelsOf(standards.Senior, standards.Technician), From: "2026-03-11"},
			}
		}},

		{name: "exam on the first day of an item", q: question("2026-03-25 09:00"), set: func(f *evaluators.Filing, _ *evaluators.Question) {
			f.Scope = []evaluators.ScopeItem{{Occupation: cook, Levels: standards.LevelsOf(standards.Senior), From: "2026-03-10"}}
		}},
		{name: "one item lacks the level, another the trade", q: question("2026-03-25 09:00"), set: func(f *evaluators.Filing, q *evaluators.Question) {
			f.Scope = []evaluators.ScopeItem{
				{Occupation: cook, Levels: standards.LevelsOf(standards.Junior)},
				{Occupation: cook, Trade: "02", Levels: standards.LevelsOf(standards.Senior)},
			}
		}, want: []evaluators.Reason{evaluators.ReasonOutOfScopeLevel}},

		{name: "suspended twice over", q: question("2026-03-20 09:00"), ds: []evaluators.Decision{pause,
			decision("3", evaluators.Suspend, cookOnly, "2026-03-20", at("2026-03-20 09:00"))}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "a suspension lets no session finish", q: question("2026-03-20 09:00"), ds: []evaluators.Decision{func() evaluators.Decision {
			d := pause
			d.FinishSessions = []string{"S1"}
			return d
		}()}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "suspended", q: question("2026-03-20 09:00"), ds: []evaluators.Decision{pause}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "the second before", q: question("2026-03-20 08:59"), ds: []evaluators.Decision{pause}},
		{name: "resumed", q: question("2026-03-22 09:00"), ds: []evaluators.Decision{pause, decision("3", evaluators.Resume, whole, "2026-03-22", at("2026-03-22 09:00"))}},
		{name: "exam while suspended", q: question("2026-03-28 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2026-03-21" },
			ds:   []evaluators.Decision{pause, decision("3", evaluators.Resume, whole, "2026-03-22", at("2026-03-22 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonSuspendedAtExam}},
		{name: "exam on the day the suspension was recorded", q: question("2026-03-28 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2026-03-20" },
			ds: []evaluators.Decision{pause, decision("3", evaluators.Resume, whole, "2026-03-22", at("2026-03-22 09:00"))}},
		{name: "exam within a suspension recorded later", q: question("2026-03-28 09:00"),
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, whole, "2026-03-01", at("2026-03-20 09:00")),
				decision("3", evaluators.Resume, whole, "2026-03-22", at("2026-03-22 09:00"))}},
		{name: "exam planned into a suspension to come", q: question("2026-03-20 08:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2026-04-20" },
			ds:   []evaluators.Decision{decision("2", evaluators.Suspend, oneFile, "2026-04-01", at("2026-03-01 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonSuspendedAtExam}},
		{name: "another occupation suspended", q: question("2026-03-25 09:00"),
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: welder}, "2026-03-01", at("2026-03-01 09:00"))}},

		{name: "exit recorded, not effective", q: question("2026-03-19 23:59"), ds: []evaluators.Decision{exit(whole)}},
		{name: "exit effective", q: question("2026-03-20 00:00"), ds: []evaluators.Decision{exit(whole)}, want: []evaluators.Reason{evaluators.ReasonExited}},
		{name: "removed", q: question("2026-03-20 00:00"), ds: []evaluators.Decision{decision("1", evaluators.ExitOrdered, cookAll, "2026-03-20", at("2026-03-15 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonRemoved}},
		{name: "the session may finish", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{exit(whole, "S0", "S1")}},
		{name: "another session may finish", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{exit(whole, "S0")}, want: []evaluators.Reason{evaluators.ReasonExited}},
		{name: "no session asked", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Session = "" },
			ds: []evaluators.Decision{exit(whole, "S1", "")}, want: []evaluators.Reason{evaluators.ReasonExited}},
		{name: "the session may finish though the scope has run out", q: question("2027-02-01 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) {
			q.Occupation, q.Trade = welder, "02"
		}, ds: []evaluators.Decision{exit(oneFile, "S1")}},
		{name: "the session may finish, its exam was after the exit", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2026-03-20" },
			ds: []evaluators.Decision{exit(whole, "S1")}, want: []evaluators.Reason{evaluators.ReasonExitedAtExam}},
		{name: "the session may finish though the filing has expired", q: question("2028-02-01 09:00"), ds: []evaluators.Decision{exit(whole, "S1")}},
		{name: "the session may finish, another exit does not name it", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{exit(oneFile, "S1"),
			decision("4", evaluators.ExitOrdered, whole, "2026-03-24", at("2026-03-24 09:00"))}, want: []evaluators.Reason{evaluators.ReasonRemoved}},
		{name: "the session may finish, the institution is suspended", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{exit(oneFile, "S1"), pause},
			want: []evaluators.Reason{evaluators.ReasonSuspended}},

		{name: "its trade suspended", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Occupation, q.Trade = welder, "02" },
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, welderTrade, "2026-03-20", at("2026-03-20 09:00"))}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "another trade suspended", q: question("2026-03-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.Trade = "03" },
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: cook, Trade: "01"}, "2026-03-20", at("2026-03-20 09:00"))}},
		{name: "a trade suspended, the paper shows none", q: question("2026-03-25 09:00"),
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: cook, Trade: "01"}, "2026-03-20", at("2026-03-20 09:00"))}},
		{name: "its level suspended", q: question("2026-03-25 09:00"),
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, senior, "2026-03-20", at("2026-03-20 09:00"))}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "its level among those suspended, at the exam too", q: question("2026-03-25 09:00"),
			ds:   []evaluators.Decision{decision("2", evaluators.Suspend, evaluators.Target{Institution: "I1", Levels: standards.LevelRange(standards.Senior, standards.SeniorTechnician)}, "2026-03-01", at("2026-03-01 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonSuspended, evaluators.ReasonSuspendedAtExam}},
		{name: "another level suspended", q: question("2026-03-25 09:00"),
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, evaluators.Target{Institution: "I1", Levels: standards.LevelsOf(standards.Technician)}, "2026-03-20", at("2026-03-20 09:00"))}},
		{name: "its site suspended", q: question("2026-03-25 09:00"),
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, oneSite, "2026-03-20", at("2026-03-20 09:00"))}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "another site suspended", q: question("2026-03-25 09:00"), set: func(f *evaluators.Filing, _ *evaluators.Question) { f.Site = "058301" },
			ds: []evaluators.Decision{decision("2", evaluators.Suspend, oneSite, "2026-03-20", at("2026-03-20 09:00"))}},
		{name: "the last day of a suspension", q: question("2026-04-20 23:59"), ds: []evaluators.Decision{till(pause, "2026-04-20")}, want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "the day after", q: question("2026-04-21 00:00"), ds: []evaluators.Decision{till(pause, "2026-04-20")}},
		{name: "an exam on the last day of a suspension", q: question("2026-04-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2026-04-20" },
			ds: []evaluators.Decision{till(pause, "2026-04-20")}, want: []evaluators.Reason{evaluators.ReasonSuspendedAtExam}},
		{name: "an exam on the day after", q: question("2026-04-25 09:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) { q.ExamDate = "2026-04-21" },
			ds: []evaluators.Decision{till(pause, "2026-04-20")}},
		{name: "a longer one had been recorded for later", q: question("2026-04-21 09:00"), ds: []evaluators.Decision{
			till(decision("3", evaluators.Suspend, whole, "2026-04-10", at("2026-03-01 09:00")), "2026-04-21"), till(pause, "2026-04-20")},
			want: []evaluators.Reason{evaluators.ReasonSuspended}},
		{name: "and a shorter one", q: question("2026-04-20 09:00"), ds: []evaluators.Decision{
			till(decision("3", evaluators.Suspend, whole, "2026-04-10", at("2026-03-01 09:00")), "2026-04-12"), till(pause, "2026-04-20")},
			want: []evaluators.Reason{evaluators.ReasonSuspended}},

		{name: "rectifying", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{ofKind("2", evaluators.Rectify, whole, "2026-03-20", at("2026-03-20 09:00"))}},
		{name: "rectifying, nothing may be issued", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{holding("2", "2026-03-20")}, want: []evaluators.Reason{evaluators.ReasonRectifying}},
		{name: "rectifying past its day", q: question("2027-03-25 09:00"), ds: []evaluators.Decision{holding("2", "2026-03-20")}, want: []evaluators.Reason{evaluators.ReasonRectifying}},
		{name: "accepted", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{holding("2", "2026-03-20"), decision("3", evaluators.Accept, whole, "2026-03-24", at("2026-03-24 09:00"))}},
		{name: "an exam while rectifying, accepted since", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{holding("2", "2026-03-01"), decision("3", evaluators.Accept, whole, "2026-03-24", at("2026-03-24 09:00"))}},
		{name: "suspended and rectifying", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{holding("3", "2026-03-19"), pause},
			want: []evaluators.Reason{evaluators.ReasonRectifying, evaluators.ReasonSuspended}},
		{name: "suspended to a day that is past, not accepted", q: question("2026-04-21 09:00"), ds: []evaluators.Decision{holding("3", "2026-03-19"), till(pause, "2026-04-20")},
			want: []evaluators.Reason{evaluators.ReasonRectifying}},
		{name: "accepted while suspended to a day that is past", q: question("2026-04-21 09:00"), ds: []evaluators.Decision{holding("3", "2026-03-19"), till(pause, "2026-04-20"),
			decision("4", evaluators.Accept, whole, "2026-04-01", at("2026-04-01 09:00"))}},
		{name: "blacklisted and warned, not touched", q: question("2026-03-25 09:00"), ds: []evaluators.Decision{
			ofKind("2", evaluators.Blacklist, whole, "2026-03-01", at("2026-03-01 09:00")), decision("3", evaluators.Warn, whole, "2026-03-01", at("2026-03-01 09:00"))}},

		{name: "the last day on which the session may finish", q: question("2026-04-30 23:59"), ds: []evaluators.Decision{finish(exit(whole, "S1"), "2026-04-30")}},
		{name: "the day after that", q: question("2026-05-01 00:00"), ds: []evaluators.Decision{finish(exit(whole, "S1"), "2026-04-30")}, want: []evaluators.Reason{evaluators.ReasonFinishOver}},
		{name: "the day after that, the filing has run out too", q: question("2028-05-01 00:00"), ds: []evaluators.Decision{finish(exit(oneFile, "S1"), "2028-04-30")},
			want: []evaluators.Reason{evaluators.ReasonFilingExpired, evaluators.ReasonFinishOver}},
		{name: "left at expiry", q: question("2028-01-01 00:00"), ds: []evaluators.Decision{decision("2", evaluators.ExitExpired, oneFile, "2028-01-01", at("2027-12-01 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonFilingExpired, evaluators.ReasonExited}},

		{name: "everything", q: question("2028-01-01 00:00"), set: func(_ *evaluators.Filing, q *evaluators.Question) {
			q.Occupation, q.ExamDate = "4-03-02-99", "2027-12-31"
		},
			ds: []evaluators.Decision{pause, decision("5", evaluators.ExitOrdered, oneFile, "2026-04-01", at("2026-04-01 09:00"))},
			want: []evaluators.Reason{evaluators.ReasonFilingExpired, evaluators.ReasonOutOfScopeOccupation, evaluators.ReasonSuspended,
				evaluators.ReasonSuspendedAtExam, evaluators.ReasonRemoved, evaluators.ReasonExitedAtExam}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, q := filing(), c.q
			if c.set != nil {
				c.set(&f, &q)
			}
			e := evaluators.Entitled(institution(), f, c.ds, q)
			if !slices.Equal(e.Reasons, c.want) || e.Entitled != (len(c.want) == 0) {
				t.Fatalf("entitled %v, reasons %v, want %v", e.Entitled, e.Reasons, c.want)
			}
			checkRefusal(t, e)
		})
	}
}

// checkRefusal: an error if and only if not entitled, with a field per reason.
func checkRefusal(t *testing.T, e evaluators.Entitlement) {
	t.Helper()
	err := e.Refusal()
	if e.Entitled != (err == nil) {
		t.Fatalf("entitled %v, refusal %v", e.Entitled, err)
	}
	if e.Entitled {
		return
	}
	wantConflict(t, err, "not_entitled")
	for i, f := range fail.Of(err).Fields {
		if f.Code != string(e.Reasons[i]) || f.Name == "" || !strings.HasPrefix(f.ZH, e.Reasons[i].Chinese()) {
			t.Errorf("field %+v for %s", f, e.Reasons[i])
		}
	}
}

func TestEntitledRestsOnFacts(t *testing.T) {
	exit := decision("1", evaluators.ExitVoluntary, oneFile, "2026-03-20", at("2026-03-15 09:00"))
	exit.FinishSessions = []string{"S1"}
	pause := decision("2", evaluators.Suspend, whole, "2026-03-21", at("2026-03-21 09:00"))
	lift := decision("3", evaluators.Resume, whole, "2026-03-22", at("2026-03-22 09:00"))
	ds := []evaluators.Decision{exit, pause, lift}
	f := filing()

	got := evaluators.Entitled(institution(), f, ds, question("2026-03-25 09:00"))
	want := []evaluators.Fact{
		{Filing: "F1", Document: f.Document, Effective: f.From, Recorded: f.Recorded},
		{Decision: "1", Document: exit.Document, Effective: exit.Effective, Recorded: exit.Recorded},
		{Decision: "3", Document: lift.Document, Effective: lift.Effective, Recorded: lift.Recorded},
	}
	if !got.Entitled || !reflect.DeepEqual(got.Facts, want) {
		t.Errorf("facts %+v, want %+v", got.Facts, want)
	}

	got = evaluators.Entitled(institution(), f, ds, question("2026-03-21 10:00"))
	want[2] = evaluators.Fact{Decision: "2", Reason: evaluators.ReasonSuspended, Document: pause.Document, Effective: pause.Effective, Recorded: pause.Recorded}
	if got.Entitled || !reflect.DeepEqual(got.Facts, want) {
		t.Errorf("facts %+v, want %+v", got.Facts, want)
	}
	if text := fail.Of(got.Refusal()).Fields[0].ZH; !strings.Contains(text, pause.Document) || !strings.Contains(text, "2026年3月21日") {
		t.Errorf("the refusal does not name the decision: %s", text)
	}
}

// A history of random decisions, taken through Decide as the registry would,
// together with a plain model of what each is worth.
type history struct {
	decisions []evaluators.Decision
	now       time.Time
}

func (h *history) step(r *rand.Rand, i int) {
	h.now = h.now.Add(time.Duration(r.Intn(5*24)) * time.Hour)
	targets := []evaluators.Target{whole, oneFile, cookOnly, cookAll, oneSite, cookSenior, senior,
		{Institution: "I1", Occupation: welder}, welderTrade, {Institution: "I1", Levels: standards.LevelsOf(standards.Senior, standards.Junior)},
		{Institution: "I1", Levels: standards.LevelsOf(standards.Junior)}, {Institution: "I1", Occupation: cook, Trade: "07"}}
	today := standards.DateOf(h.now)
	kinds := evaluators.Kinds()
	if r.Intn(4) > 0 { // exits end histories: mostly the others
		kinds = []evaluators.Kind{evaluators.Suspend, evaluators.Suspend, evaluators.Resume, evaluators.Rectify, evaluators.Accept, evaluators.Warn}
	}
	if r.Intn(2) == 0 {
		targets = targets[r.Intn(2):3] // and mostly on the same few
	}
	in := ofKind(fmt.Sprint(i), kinds[r.Intn(len(kinds))], targets[r.Intn(len(targets))], today.AddDays(r.Intn(21)-10), h.now)
	switch {
	case in.Kind == evaluators.ExitVoluntary && r.Intn(2) == 0:
		in.FinishSessions = []string{"S1"}
		if r.Intn(2) == 0 {
			in.FinishUntil = max(in.Effective, today).AddDays(r.Intn(20))
		}
	case in.Kind == evaluators.Suspend && r.Intn(2) == 0:
		in.Until = max(in.Effective, today).AddDays(r.Intn(15))
	case in.Kind == evaluators.Rectify:
		in.HoldsIssue = r.Intn(2) == 0
	case in.Kind == evaluators.ExitExpired || in.Kind == evaluators.Blacklist || in.Kind == evaluators.Unlist:
		in.Target = whole
	}
	if d, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, h.decisions, in, h.now); err == nil {
		h.decisions = append(h.decisions, d)
	} else if fail.KindOf(err) != fail.Conflict && in.Trade != "07" {
		panic(err)
	}
}

// standsAgainst says by brute force which decisions forbid cook at Senior at the
// moment: it steps through every hour instead of sorting, and keeps every
// suspension that has begun and was not lifted.
func standsAgainst(ds []evaluators.Decision, now time.Time) bool {
	type flags struct {
		suspensions []evaluators.Decision
		held        bool
		ended       bool
	}
	of := map[evaluators.Target]flags{}
	done := map[string]bool{}
	for h := at("2026-01-01 00:00"); !h.After(now); h = h.Add(time.Hour) {
		for _, d := range ds {
			if done[d.ID] || h.Before(d.Recorded) || h.Before(d.Effective.Time()) {
				continue
			}
			done[d.ID] = true
			f := of[d.Target]
			switch d.Kind {
			case evaluators.Suspend:
				f.suspensions = append(slices.Clone(f.suspensions), d)
			case evaluators.Resume:
				f.suspensions = nil
			case evaluators.Rectify:
				f.held = f.held || d.HoldsIssue
			case evaluators.Accept:
				f.held = false
			case evaluators.ExitVoluntary, evaluators.ExitOrdered, evaluators.ExitExpired:
				f.ended = true
			}
			of[d.Target] = f
		}
	}
	today := standards.DateOf(now)
	for t, f := range of {
		if t.Occupation == welder || t.Trade != "" || t.Levels != 0 && !t.Levels.Has(standards.Senior) {
			continue
		}
		running := slices.ContainsFunc(f.suspensions, func(d evaluators.Decision) bool { return d.Until == "" || today <= d.Until })
		if running || f.held || f.ended {
			return true
		}
	}
	return false
}

func TestRandomHistories(t *testing.T) {
	entitled, refused := 0, 0
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		h := history{now: at("2026-02-01 08:00")}
		ask := func(ds []evaluators.Decision, now time.Time, exam standards.Date, session string) evaluators.Entitlement {
			return evaluators.Entitled(institution(), filing(), ds, evaluators.Question{
				Occupation: cook, Level: standards.Senior, ExamDate: exam, Now: now, Session: session})
		}
		const past, middle = "2026-01-20", "2026-03-01" // an exam before all decisions, and one among them
		type answered struct {
			now    time.Time
			answer evaluators.Entitlement
			middle evaluators.Entitlement
			on     standards.Date
			status evaluators.Status
		}
		var before []answered
		for i := range 16 {
			h.step(r, i)
			e := ask(h.decisions, h.now, past, "")
			if e.Entitled == standsAgainst(h.decisions, h.now) {
				t.Fatalf("seed %d: entitled %v at %s, against the model; %+v", seed, e.Entitled, h.now, h.decisions)
			}
			if e.Entitled {
				entitled++
			} else {
				refused++
			}
			checkFinishing(t, h.decisions, e, ask(h.decisions, h.now, past, "S1"))

			on := standards.DateOf(h.now).AddDays(r.Intn(41) - 20)
			s, _ := evaluators.StatusAt(h.decisions, cookOnly, on, h.now)
			before = append(before, answered{h.now, e, ask(h.decisions, h.now, middle, "S1"), on, s})
			h.now = h.now.Add(time.Hour) // what follows is recorded later
		}
		for _, b := range before {
			if again := ask(h.decisions, b.now, past, ""); !reflect.DeepEqual(again, b.answer) {
				t.Fatalf("seed %d: the answer at %s was %+v and is now %+v", seed, b.now, b.answer, again)
			}
			if again := ask(h.decisions, b.now, middle, "S1"); !reflect.DeepEqual(again, b.middle) {
				t.Fatalf("seed %d: the answer at %s on the exam of %s was %+v and is now %+v", seed, b.now, middle, b.middle, again)
			}
			if s, _ := evaluators.StatusAt(h.decisions, cookOnly, b.on, b.now); s != b.status {
				t.Fatalf("seed %d: the status on %s as known %s was %s and is now %s", seed, b.on, b.now, b.status, s)
			}
		}
	}
	if entitled < 200 || refused < 200 {
		t.Errorf("the histories prove little: %d entitled, %d refused", entitled, refused)
	}
}

// checkFinishing: naming a session never turns yes into no, and turns no into
// yes only when an exit names it and no suspension is in force.
func checkFinishing(t *testing.T, ds []evaluators.Decision, without, with evaluators.Entitlement) {
	t.Helper()
	if without.Entitled && !with.Entitled {
		t.Fatalf("naming a session took the entitlement away: %v", with.Reasons)
	}
	if with.Entitled && !without.Entitled {
		if slices.Contains(without.Reasons, evaluators.ReasonSuspended) || slices.Contains(without.Reasons, evaluators.ReasonRectifying) || slices.Contains(without.Reasons, evaluators.ReasonRemoved) {
			t.Fatalf("a session finished in spite of %v", without.Reasons)
		}
		if !slices.ContainsFunc(ds, func(d evaluators.Decision) bool { return slices.Contains(d.FinishSessions, "S1") }) {
			t.Fatal("no decision lets the session finish")
		}
	}
}

func holding(id string, effective standards.Date) evaluators.Decision {
	d := ofKind(id, evaluators.Rectify, whole, effective, effective.Time().Add(9*time.Hour))
	d.HoldsIssue = true
	return d
}

func finish(d evaluators.Decision, until standards.Date) evaluators.Decision {
	d.FinishUntil = until
	return d
}

// The fold runs at each issue and for each verdict.
func BenchmarkEntitledAfterAThousandDecisions(b *testing.B) {
	var ds []evaluators.Decision
	now := at("2026-02-01 09:00")
	targets := []evaluators.Target{whole, oneFile, oneSite, cookOnly, cookSenior, senior, welderTrade}
	for i := range 1000 {
		now = now.Add(time.Hour)
		k := []evaluators.Kind{evaluators.Suspend, evaluators.Resume}[i/len(targets)%2]
		ds = append(ds, decision(fmt.Sprint(i), k, targets[i%len(targets)], standards.DateOf(now), now))
	}
	q := question("2026-06-25 09:00")
	for b.Loop() {
		evaluators.Entitled(institution(), filing(), ds, q)
	}
}
