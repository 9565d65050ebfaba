package registry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// documentedStates reads the state table in the comment of a type: what each
// action in the header leads to from each state; a dash is refused.
func documentedStates(t *testing.T, file, name string) (actions []string, table map[string]map[string]string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var doc string
	for _, d := range parsed.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Specs[0].(*ast.TypeSpec).Name.Name == name {
			doc = g.Doc.Text()
		}
	}
	table = map[string]map[string]string{}
	for line := range strings.Lines(doc) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 2:
		case actions == nil:
			actions = cells[1:]
		default:
			table[cells[0]] = map[string]string{}
			for i, c := range cells[1:] {
				table[cells[0]][actions[i]] = c
			}
		}
	}
	if len(actions) == 0 || len(table) == 0 {
		t.Fatalf("%s has no state table in its comment", name)
	}
	return actions, table
}

// Every action is tried in every state of a session: what the table does not
// have is refused and leaves the session as it was.
func TestSessionStateTable(t *testing.T) {
	actions, table := documentedStates(t, "session.go", "SessionState")
	for from, row := range table {
		for _, action := range actions {
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
			case want == "-":
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
	actions, table := documentedStates(t, "appeal.go", "AppealState")
	to := map[string]registry.AppealState{"uphold": registry.AppealUpheld, "reject": registry.AppealRejected, "withdraw": registry.AppealWithdrawn}
	for from, row := range table {
		for _, action := range actions {
			a, err := registry.Appeal{ID: "y-1", State: registry.AppealState(from)}.Decide(to[action], registry.SignOff{By: "a"}, "已核查")
			switch want := row[action]; {
			case want == "-" && fail.KindOf(err) != fail.Conflict:
				t.Errorf("%s of an appeal that is %s: %v; want a conflict", action, from, err)
			case want != "-" && (err != nil || string(a.State) != want):
				t.Errorf("%s of an appeal that is %s leads to %s, %v; want %s", action, from, a.State, err, want)
			}
		}
	}
	_, err := registry.Appeal{State: registry.AppealOpen}.Decide("perhaps", registry.SignOff{}, "")
	wantCode(t, "a state that does not exist", err, "appeal_state")
}
