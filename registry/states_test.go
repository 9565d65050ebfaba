package registry_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/course"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// Every action is tried in every state of a session: what the table does not
// have is refused and leaves the session as it was.
func TestSessionStateTable(t *testing.T) {
	table := doctest.States(t, "session.go", "SessionState")
	for from, row := range table.Next {
		for _, action := range table.Actions {
			e := withCourse(t, func(r *course.Rules) {})
			by := e.MustAdmit(1)
			s := e.MustPlan(by)
			reach(t, e, by, s, registry.SessionState(from))
			err := act(e, by, s, action)
			after, sessionErr := e.SessionByID(ctx, by.Actor, s.ID)
			if sessionErr != nil {
				t.Fatal(sessionErr)
			}
			switch want := row[action]; {
			case want == doctest.Refused:
				if fail.KindOf(err) != fail.Conflict || string(after.State) != from {
					t.Errorf("%s in state %s: %v, now %s; want a conflict", action, from, err, after.State)
				}
			case err != nil && err.Error() != "left running":
				t.Errorf("%s in state %s: %v", action, from, err)
			case string(after.State) != want && !(want == "issuing" && after.State == registry.SessionIssued):
				t.Errorf("%s in state %s leads to %s, want %s", action, from, after.State, want)
			}
		}
	}
}

// reach brings a planned session into a state.
func reach(t *testing.T, e *registrytest.Env, by registrytest.Issuer, s registry.Session, state registry.SessionState) {
	t.Helper()
	path := map[registry.SessionState][]string{
		registry.SessionPlanned: nil, registry.SessionResults: {"exam", "results"}, registry.SessionPublicity: {"exam", "results", "publicity"},
		registry.SessionIssuing: {"exam", "results", "publicity", "stop"}, registry.SessionIssued: {"exam", "results", "publicity", "issue"},
	}[state]
	for _, step := range path {
		var err error
		switch step {
		case "exam":
			e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
		case "stop":
			err = act(e, by, s, "stop")
		default:
			err = act(e, by, s, step)
		}
		if err != nil {
			t.Fatalf("%s on the way to %s: %v", step, state, err)
		}
	}
	if now, err := e.SessionByID(ctx, by.Actor, s.ID); err != nil || now.State != state {
		t.Fatalf("session is %s (%v), want %s", now.State, err, state)
	}
}

func act(e *registrytest.Env, by registrytest.Issuer, s registry.Session, action string) error {
	now, err := e.SessionByID(ctx, by.Actor, s.ID)
	if err != nil {
		return err
	}
	switch action {
	case "roster":
		_, err = e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(0, 2))
	case "results":
		if now.State == registry.SessionPlanned {
			e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
		}
		csv := registrytest.CSV(0, 2)
		if now.Results != nil {
			csv = registrytest.CSV(0, 3)
		}
		_, err = e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)})
	case "confirm":
		_, err = e.ConfirmResults(ctx, by.Colleague(), s.ID)
	case "return":
		_, err = e.ReturnResults(ctx, e.Authority, s.ID, "需补充评分表")
	case "publicity":
		_, err = e.StartPublicity(ctx, by.Actor, s.ID)
	case "appeal":
		_, err = e.FileAppeal(ctx, s.ID, objection(2))
	case "approve":
		_, err = e.ApproveResults(ctx, e.Authority, s.ID, "苏人社审〔2026〕1号")
	case "issue", "stop":
		if now.Publicity != nil {
			e.Clock.Set(now.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
		}
		if action == "issue" {
			_, err = e.Issue(ctx, by.Actor, s.ID, nil)
			break
		}
		_, err = e.StartBatchOnly(ctx, by.Actor, s.ID)
	}
	return err
}

// Every decision is tried in every state of an appeal.
func TestAppealStateTable(t *testing.T) {
	table := doctest.States(t, "appeal.go", "AppealState")
	to := map[string]registry.AppealState{"uphold": registry.AppealUpheld, "reject": registry.AppealRejected, "withdraw": registry.AppealWithdrawn}
	for from, row := range table.Next {
		for _, action := range table.Actions {
			a, err := registry.Appeal{ID: "y-1", State: registry.AppealState(from)}.Decide(to[action], registry.SignOff{By: "a"}, "已核查")
			switch want := row[action]; {
			case want == doctest.Refused && fail.KindOf(err) != fail.Conflict:
				t.Errorf("%s of an appeal that is %s: %v; want a conflict", action, from, err)
			case want != doctest.Refused && (err != nil || string(a.State) != want):
				t.Errorf("%s of an appeal that is %s leads to %s, %v; want %s", action, from, a.State, err, want)
			}
		}
	}
	_, err := registry.Appeal{State: registry.AppealOpen}.Decide("perhaps", registry.SignOff{}, "")
	wantCode(t, "a state that does not exist", err, "appeal_state")
}

// Every step is tried in every state of a batch by a process that believes it
// due: what the table does not have leaves the batch as it was.
func TestBatchStateTable(t *testing.T) {
	table := doctest.States(t, "batch.go", "BatchState")
	path := map[string][]string{"allocating": nil, "signing": {"allocate"}, "signed": {"allocate", "sign"},
		"published": {"allocate", "sign", "publish"}, "aborted": {"allocate", "abort"}}
	for _, from := range table.States {
		for _, step := range table.Actions {
			e := withCourse(t, func(r *course.Rules) {})
			e.StepByStep()
			by := e.MustAdmit(1)
			s := e.MustPlan(by)
			reach(t, e, by, s, registry.SessionIssuing)
			b, err := e.BatchOfSession(ctx, by.Actor, s.ID)
			for _, before := range path[from] {
				if err == nil {
					b, err = e.BatchStep(ctx, by.Actor, b.ID, before)
				}
			}
			if err != nil || string(b.State) != from {
				t.Fatalf("the way to %s ends in %s: %v", from, b.State, err)
			}
			after, err := e.BatchStep(ctx, by.Actor, b.ID, step)
			switch want := table.Next[from][step]; {
			case want != doctest.Refused && (err != nil || string(after.State) != want):
				t.Errorf("%s while %s: %s, %v; want %s", step, from, after.State, err, want)
			case want == doctest.Refused && !reflect.DeepEqual(after, b):
				t.Errorf("%s while %s changes the batch to %+v", step, from, after)
			case want == doctest.Refused && (step == "publish" || step == "abort") && fail.KindOf(err) != fail.Conflict:
				t.Errorf("%s while %s: %v, want a conflict", step, from, err)
			}
		}
	}
}

// Every kind of change is tried in every status of a certificate.
func TestCertificateStatusTable(t *testing.T) {
	table := doctest.States(t, "certificate.go", "CertificateStatus")
	doctest.Holds(t, table, []registry.CertificateStatus{registry.CertificateValid, registry.CertificateSuspended, registry.CertificateCancelled, registry.CertificateVoided},
		[]registry.ChangeKind{registry.ChangeVoid, registry.ChangeCancel, registry.ChangeSuspend, registry.ChangeResume})
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	for _, from := range table.States {
		for _, kind := range append(slices.Clone(table.Actions), string(registry.ChangeUndo)) {
			c := registry.Certificate{Number: "n", Issued: "2026-01-05", Status: registry.CertificateStatus(from)}
			after, err := c.Change(registry.NewChange{Kind: registry.ChangeKind(kind), Document: "苏人社决〔2026〕1号", Reason: "经核查"}, registry.Actor{Account: "a"}, now)
			want, ok := table.Next[from][kind]
			ok = ok && want != doctest.Refused
			switch {
			case ok && (err != nil || string(after.Status) != want || len(after.Changes) != 1 || after.Changes[0].Kind != registry.ChangeKind(kind)):
				t.Errorf("%s of a certificate that is %s: %s, %v; want %s", kind, from, after.Status, err, want)
			case !ok && (fail.CodeOf(err) != "certificate_status" || string(after.Status) != from || len(after.Changes) != 0):
				t.Errorf("%s of a certificate that is %s: %s, %v; want it refused", kind, from, after.Status, err)
			}
		}
	}
}
