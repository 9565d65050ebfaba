package evaluators_test

import (
	"math/rand"
	"slices"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/standards"
)

func change(k evaluators.ScopeChangeKind, from standards.Date, recorded string, items ...evaluators.ScopeItem) evaluators.ScopeChange {
	return evaluators.ScopeChange{Kind: k, Items: items, From: from, Document: "苏人社备〔2026〕20号", Recorded: at(recorded)}
}

var (
	cookSeniorItem = evaluators.ScopeItem{Occupation: cook, Levels: standards.LevelsOf(standards.Senior)}
	cookTrade      = evaluators.ScopeItem{Occupation: cook, Trade: "01", Levels: standards.LevelsOf(standards.Senior)}
	nursing        = evaluators.ScopeItem{Occupation: "4-10-01-05", Levels: standards.LevelsOf(standards.Senior)}
)

func TestScopeChangesAndEntitlement(t *testing.T) {
	finishing := change(evaluators.Shrink, "2026-03-20", "2026-03-15 09:00", cookSeniorItem)
	finishing.FinishSessions = []string{"S1"}
	for _, c := range []struct {
		name    string
		changes []evaluators.ScopeChange
		now     string
		set     func(*evaluators.Question)
		want    []evaluators.Reason
	}{
		{"to come", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-20", "2026-03-15 09:00", cookSeniorItem)}, "2026-03-19 23:59", nil, nil},
		{"on its day", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-20", "2026-03-15 09:00", cookSeniorItem)}, "2026-03-20 00:00", nil, []evaluators.Reason{evaluators.ReasonScopeNotInForce}},
		{"earlier date, the second before it is recorded", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-20 09:00", cookSeniorItem)}, "2026-03-20 08:59", nil, nil},
		{"earlier date, recorded", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-20 09:00", cookSeniorItem)}, "2026-03-20 09:00", nil,
			[]evaluators.Reason{evaluators.ReasonScopeNotInForce}}, // and the exam of 10 March stays lawful
		{"a session that may finish", []evaluators.ScopeChange{finishing}, "2026-03-25 09:00", nil, nil},
		{"another session", []evaluators.ScopeChange{finishing}, "2026-03-25 09:00", func(q *evaluators.Question) { q.Session = "S2" }, []evaluators.Reason{evaluators.ReasonScopeNotInForce}},
		{"no session", []evaluators.ScopeChange{finishing}, "2026-03-25 09:00", func(q *evaluators.Question) { q.Session = "" }, []evaluators.Reason{evaluators.ReasonScopeNotInForce}},
		{"it may finish, its exam is on the day it is out", []evaluators.ScopeChange{finishing}, "2026-03-25 09:00", func(q *evaluators.Question) { q.ExamDate = "2026-03-20" },
			[]evaluators.Reason{evaluators.ReasonExamOutsideScope}},
		{"another level", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-01 09:00", evaluators.ScopeItem{Occupation: cook, Levels: standards.LevelsOf(standards.Junior)})}, "2026-03-25 09:00", nil, nil},
		{"one trade of the whole occupation, the whole asked", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-01 09:00", cookTrade)}, "2026-03-25 09:00", nil, nil},
		{"one trade of the whole occupation, the trade asked", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-01 09:00", cookTrade)}, "2026-03-25 09:00",
			func(q *evaluators.Question) { q.Trade = "01" }, []evaluators.Reason{evaluators.ReasonScopeNotInForce, evaluators.ReasonExamOutsideScope}},
		{"one trade of the whole occupation, another asked", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-01 09:00", cookTrade)}, "2026-03-25 09:00",
			func(q *evaluators.Question) { q.Trade = "02" }, nil},
		{"put back", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-01 09:00", cookSeniorItem), change(evaluators.Extend, "2026-03-05", "2026-03-05 09:00", cookSeniorItem)}, "2026-03-25 09:00", nil, nil},
		{"out again", []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-01 09:00", cookSeniorItem), change(evaluators.Extend, "2026-03-05", "2026-03-05 09:00", cookSeniorItem),
			change(evaluators.Shrink, "2026-03-22", "2026-03-06 09:00", cookSeniorItem)}, "2026-03-25 09:00", nil, []evaluators.Reason{evaluators.ReasonScopeNotInForce}},

		{"extended", []evaluators.ScopeChange{change(evaluators.Extend, "2026-03-10", "2026-03-05 09:00", nursing)}, "2026-03-25 09:00", func(q *evaluators.Question) { q.Occupation = nursing.Occupation }, nil},
		{"extended the day after the exam", []evaluators.ScopeChange{change(evaluators.Extend, "2026-03-11", "2026-03-05 09:00", nursing)}, "2026-03-25 09:00",
			func(q *evaluators.Question) { q.Occupation = nursing.Occupation }, []evaluators.Reason{evaluators.ReasonExamOutsideScope}},
		{"extended with an earlier date after the exam", []evaluators.ScopeChange{change(evaluators.Extend, "2026-03-01", "2026-03-12 09:00", nursing)}, "2026-03-25 09:00",
			func(q *evaluators.Question) { q.Occupation = nursing.Occupation }, []evaluators.Reason{evaluators.ReasonExamOutsideScope}},
		{"planned before the extension counts", []evaluators.ScopeChange{change(evaluators.Extend, "2026-03-08", "2026-03-05 09:00", nursing)}, "2026-03-07 09:00",
			func(q *evaluators.Question) { q.Occupation = nursing.Occupation }, []evaluators.Reason{evaluators.ReasonScopeNotInForce}},
		{"not known yet", []evaluators.ScopeChange{change(evaluators.Extend, "2026-03-01", "2026-03-25 09:01", nursing)}, "2026-03-25 09:00",
			func(q *evaluators.Question) { q.Occupation = nursing.Occupation }, []evaluators.Reason{evaluators.ReasonOutOfScopeOccupation}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, q := filing(), question(c.now)
			f.ScopeChanges = c.changes
			if c.set != nil {
				c.set(&q)
			}
			e := evaluators.Entitled(institution(), f, nil, q)
			if !slices.Equal(e.Reasons, c.want) || e.Entitled != (len(c.want) == 0) {
				t.Fatalf("reasons %v, want %v", e.Reasons, c.want)
			}
			checkRefusal(t, e)
		})
	}
}

// Rule E8 looks at the scope as it was recorded when the day of the exam began.
func TestE8LooksAtTheChanges(t *testing.T) {
	n, _ := standards.ParseLevelNumber("S000032058300263000001")
	f := filing()
	face := evaluators.Face{Occupation: cook, Level: standards.Senior, ExamDate: "2026-03-10", Issued: "2026-03-25"}
	f.ScopeChanges = []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-10", "2026-03-09 09:00", cookSeniorItem)}
	if ps := evaluators.CheckNumber(n, f, face); len(ps) != 1 || ps[0].Rule != "E8" {
		t.Errorf("taken out on the day of the exam: %v", ps)
	}
	f.ScopeChanges = []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-01", "2026-03-12 09:00", cookSeniorItem)}
	if ps := evaluators.CheckNumber(n, f, face); len(ps) != 0 {
		t.Errorf("taken out later with an earlier date: %v", ps)
	}
	f.ScopeChanges = []evaluators.ScopeChange{change(evaluators.Shrink, "2026-03-11", "2026-03-01 09:00", cookSeniorItem)}
	if ps := evaluators.CheckNumber(n, f, face); len(ps) != 0 {
		t.Errorf("taken out the day after the exam: %v", ps)
	}
}

func TestChangeScopeNamesEveryFault(t *testing.T) {
	now := at("2026-03-02 09:00")
	_, err := filing().ChangeScope(nil, evaluators.ScopeChange{}, now)
	wantFields(t, err, "scope_change_invalid", "kind kind", "document missing", "from date", "items missing")
	_, err = filing().ChangeScope(nil, evaluators.ScopeChange{Kind: evaluators.Shrink, Document: "x", From: "2028-01-01",
		Items: []evaluators.ScopeItem{nursing, {Occupation: cook, Levels: standards.LevelsOf(standards.Senior), From: "2026-04-01"}}}, now)
	wantFields(t, err, "scope_change_invalid", "from outside", "items[0].occupation not_in_scope", "items[1].from dates")
	_, err = filing().ChangeScope(nil, evaluators.ScopeChange{Kind: evaluators.Extend, Document: "x", From: "2026-04-01", FinishSessions: []string{"S1"},
		Items: []evaluators.ScopeItem{{Occupation: cook, Levels: standards.LevelsOf(standards.Senior), From: "2026-03-31"}}}, now)
	wantFields(t, err, "scope_change_invalid", "finish_sessions kind", "items[0].from before_change")
	exit := []evaluators.Decision{decision("1", evaluators.ExitVoluntary, oneFile, "2026-03-01", at("2026-03-01 09:00"))}
	_, err = filing().ChangeScope(exit, change(evaluators.Shrink, "2026-03-02", "2026-03-02 09:00", cookSeniorItem), now)
	wantConflict(t, err, "filing_ended")
	_, err = filing().ChangeScope(nil, change(evaluators.Shrink, "2027-12-31", "2026-03-02 09:00", cookSeniorItem), at("2028-01-01 00:00"))
	wantConflict(t, err, "filing_ended")

	first := filing()
	a, _ := first.ChangeScope(nil, change(evaluators.Shrink, "2026-03-02", "2026-03-02 09:00", cookSeniorItem), now)
	b, _ := a.ChangeScope(nil, change(evaluators.Extend, "2026-03-03", "2026-03-02 09:00", nursing), now)
	c, err := a.ChangeScope(nil, change(evaluators.Extend, "2026-03-04", "2026-03-02 09:00", nursing), now)
	if err != nil || len(first.ScopeChanges) != 0 || b.ScopeChanges[1].From != "2026-03-03" || c.ScopeChanges[1].From != "2026-03-04" {
		t.Errorf("an earlier value changed: %v", err)
	}
}

// A decision may be taken on an occupation that came by an extension.
func TestADecisionOnWhatWasExtended(t *testing.T) {
	f := filing()
	f.ScopeChanges = []evaluators.ScopeChange{change(evaluators.Extend, "2026-03-01", "2026-03-01 09:00", nursing)}
	now := at("2026-03-05 09:00")
	d := decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Filing: firstID, Occupation: nursing.Occupation}, "2026-03-05", now)
	if _, err := evaluators.Decide(institution(), []evaluators.Filing{f}, nil, d, now); err != nil {
		t.Error(err)
	}
}

// Random changes against a model that walks through the days, and: what is
// recorded later changes no earlier answer.
func TestRandomScopeChanges(t *testing.T) {
	items := []evaluators.ScopeItem{cookSeniorItem, cookTrade, nursing, {Occupation: cook, Levels: standards.LevelRange(standards.Junior, standards.Senior)}}
	in, out := 0, 0
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		f, now := filing(), at("2026-02-01 08:00")
		type answer struct {
			now  time.Time
			q    evaluators.Question
			says bool
		}
		var before []answer
		for range 8 {
			now = now.Add(time.Duration(1+r.Intn(5*24)) * time.Hour)
			kind := evaluators.Shrink
			if r.Intn(2) == 0 {
				kind = evaluators.Extend
			}
			c := evaluators.ScopeChange{Kind: kind, Items: items[r.Intn(4):][:1], From: standards.DateOf(now).AddDays(r.Intn(21) - 10), Document: "x"}
			if next, err := f.ChangeScope(nil, c, now); err == nil {
				f = next
			}
			q := evaluators.Question{Occupation: cook, Trade: []string{"", "01"}[r.Intn(2)], Level: standards.Senior, Now: now, ExamDate: standards.DateOf(now).AddDays(-r.Intn(20))}
			e := evaluators.Entitled(institution(), f, nil, q)
			today := standards.DateOf(now)
			want := model(f.ScopeChanges, q, today, now)
			if got := !slices.Contains(e.Reasons, evaluators.ReasonScopeNotInForce); got != want {
				t.Fatalf("seed %d: in scope today %v, the model says %v; %+v", seed, got, want, f.ScopeChanges)
			}
			wantExam := model(f.ScopeChanges, q, q.ExamDate, q.ExamDate.Time())
			if got := !slices.Contains(e.Reasons, evaluators.ReasonExamOutsideScope); got != wantExam {
				t.Fatalf("seed %d: the exam in scope %v, the model says %v", seed, got, wantExam)
			}
			if want {
				in++
			} else {
				out++
			}
			before = append(before, answer{now, q, e.Entitled})
			now = now.Add(time.Hour)
		}
		for _, b := range before {
			if again := evaluators.Entitled(institution(), f, nil, b.q); again.Entitled != b.says {
				t.Fatalf("seed %d: the answer at %s was %v and is now %v", seed, b.now, b.says, again.Entitled)
			}
		}
	}
	if in < 100 || out < 100 {
		t.Errorf("the changes prove little: %d in, %d out", in, out)
	}
}

// model walks hour by hour and keeps one flag.
func model(changes []evaluators.ScopeChange, q evaluators.Question, on standards.Date, known time.Time) bool {
	in := true // cook, all trades and levels, from the beginning
	done := make([]bool, len(changes))
	for h, end := at("2026-01-20 00:00"), at("2026-04-01 00:00"); h.Before(end); h = h.Add(time.Hour) {
		for i, c := range changes {
			if done[i] || c.Recorded.After(known) || c.From > on || h.Before(c.Recorded) || h.Before(c.From.Time()) {
				continue
			}
			done[i] = true
			item := c.Items[0]
			if item.Occupation == q.Occupation && (item.Trade == "" || item.Trade == q.Trade) && item.Levels.Has(q.Level) {
				in = c.Kind == evaluators.Extend
			}
		}
	}
	return in
}
