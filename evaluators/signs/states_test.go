package signs_test

import (
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/signs"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/standards"
)

var now = time.Date(2026, 5, 6, 2, 0, 0, 0, time.UTC)

// held holds every pair of a table against what the rule does with it.
func held(t *testing.T, tb doctest.Table, code string, do func(from, action string) (string, error)) {
	t.Helper()
	for _, from := range tb.States {
		for _, action := range tb.Actions {
			to, err := do(from, action)
			want := tb.Next[from][action]
			ok := want != doctest.Refused
			switch {
			case ok && (err != nil || to != want):
				t.Errorf("%s on %s gives %s, %v; want %s", action, from, to, err, want)
			case !ok && (fail.KindOf(err) != fail.Conflict || fail.CodeOf(err) != code || fail.Of(err).ZH == ""):
				t.Errorf("%s on %s: %v, want Conflict %s in both languages", action, from, err, code)
			case !ok && to != from:
				t.Errorf("%s on %s was refused and left %s", action, from, to)
			}
		}
	}
}

func TestReviewsFollowTheirTable(t *testing.T) {
	held(t, doctest.States(t, "doc.go", "Reviews"), "review_state", func(from, action string) (string, error) {
		step := signs.ReviewStep{Action: signs.ReviewAction(action), By: "a-1", Reason: "复查试卷与成绩一致"}
		if step.Action == signs.ReviewTakeUp {
			step.Case = "c-1"
		}
		v, err := signs.Review{ID: "v-1", State: signs.ReviewState(from)}.Step(step, now)
		return string(v.State), err
	})
}

func TestDrawsFollowTheirTable(t *testing.T) {
	held(t, doctest.States(t, "doc.go", "Draws"), "draw_state", func(from, action string) (string, error) {
		to, err := signs.DrawState(from).Step(signs.DrawAction(action))
		return string(to), err
	})
}

func TestInspectionsFollowTheirTable(t *testing.T) {
	held(t, doctest.States(t, "doc.go", "Inspections"), "inspection_state", func(from, action string) (string, error) {
		i := signs.Inspection{State: signs.InspectionState(from), AnswerUntil: "2026-05-05"}
		var err error
		switch signs.InspectionAction(action) {
		case signs.InspectionEnter:
			i, err = i.Enter(signs.Finding{Held: "2026-05-06", Outcome: signs.OutcomeFound, Findings: "考场无监控"}, "a-1", "2026-05-20", now)
		case signs.InspectionAnswer:
			i, err = i.Reply("已整改", "a-2", now)
		case signs.InspectionPublish:
			i, err = i.Publish("a-1", now)
		default:
			t.Fatalf("no rule for %s", action)
		}
		return string(i.State), err
	})
}

func TestAReviewEndsOnlyWithItsReasonOrCase(t *testing.T) {
	looked := signs.Review{ID: "v-1", State: signs.ReviewLooked}
	for name, step := range map[string]signs.ReviewStep{
		"dismissed without a reason": {Action: signs.ReviewDismiss, Reason: "  "},
		"dismissed with a case":      {Action: signs.ReviewDismiss, Reason: "无异常", Case: "c-1"},
		"taken up without a case":    {Action: signs.ReviewTakeUp},
		"a reason too long":          {Action: signs.ReviewDismiss, Reason: strings.Repeat("长", 501)},
	} {
		v, err := looked.Step(step, now)
		if fail.KindOf(err) != fail.Invalid || len(fail.Of(err).Fields) == 0 || v.State != signs.ReviewLooked {
			t.Errorf("%s: %s, %v", name, v.State, err)
		}
	}
}

func TestPublicationWaitsForTheAnswer(t *testing.T) {
	i := signs.Inspection{State: signs.InspectionEntered, AnswerUntil: standards.DateOf(now)}
	if _, err := i.Publish("a-1", now); fail.CodeOf(err) != "answer_pending" {
		t.Errorf("published on the last day to answer: %v", err)
	}
	if got, err := i.Publish("a-1", now.AddDate(0, 0, 1)); err != nil || got.State != signs.InspectionPublished {
		t.Errorf("the day after: %s, %v", got.State, err)
	}
	if got, err := i.Reply("无异议", "a-2", now); err != nil {
		t.Error(err)
	} else if _, err := got.Publish("a-1", now); err != nil {
		t.Errorf("after the answer: %v", err)
	}
	for name, in := range map[string]signs.Finding{
		"tomorrow":           {Held: "2026-05-07", Outcome: signs.OutcomeSound},
		"no outcome":         {Held: "2026-05-06"},
		"found without what": {Held: "2026-05-06", Outcome: signs.OutcomeFound},
	} {
		if _, err := (signs.Inspection{State: signs.InspectionDrawn}).Enter(in, "a-1", "2026-05-20", now); fail.KindOf(err) != fail.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEndedReviewSettlesWhatItKnew(t *testing.T) {
	one := signs.Sign{Kind: signs.KindSameScores, Measures: []signs.Measure{{Name: "share_percent", Value: 60, Limit: 30}}, Records: []signs.Record{{Kind: "session", ID: "s-1"}}}
	other := one
	other.Records = []signs.Record{{Kind: "session", ID: "s-2"}}
	worse := one
	worse.Measures = []signs.Measure{{Name: "share_percent", Value: 91, Limit: 30}}
	running := one
	running.Running, running.Records = true, other.Records
	grown := running
	grown.Measures = worse.Measures
	open := signs.OpenReview("v-1", "i-1", "320583", 1, one, now)
	ended := open
	ended.State = signs.ReviewDismissed
	for name, c := range map[string]struct {
		review signs.Review
		sign   signs.Sign
		want   bool
	}{
		"an open review settles nothing":   {open, one, false},
		"the same session again":           {ended, one, true},
		"another session":                  {ended, other, false},
		"the same session, far worse":      {ended, worse, false},
		"a running total that goes on":     {ended, running, true},
		"a running total that grew by 50%": {ended, grown, false},
	} {
		if got := c.review.Settles(c.sign, 150); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAReviewKeepsItsFirstAndNewestFindings(t *testing.T) {
	v := signs.OpenReview("v-1", "i-1", "320583", 1, signs.Sign{On: "2026-01-01"}, now)
	first := v
	for range 100 {
		v = v.Add(signs.Sign{On: "2026-02-01"}, now.AddDate(0, 0, 1))
	}
	v = v.Add(signs.Sign{On: "2026-03-01"}, now.AddDate(0, 0, 2))
	if v.Count != 102 || len(v.Findings) != 20 || v.Findings[0].On != "2026-01-01" || v.Findings[19].On != "2026-03-01" || !v.Newest.Equal(now.AddDate(0, 0, 2)) {
		t.Errorf("%d findings counted, %d kept, first %s, last %s", v.Count, len(v.Findings), v.Findings[0].On, v.Findings[len(v.Findings)-1].On)
	}
	if first.Count != 1 || len(first.Findings) != 1 {
		t.Error("adding changed the review it was added to")
	}
}
