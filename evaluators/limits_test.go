package evaluators

import (
	"fmt"
	"testing"
	"time"

	"bajigong/internal/fail"
)

// What fits a request but no record is refused at once, in time that does not
// grow with its square.
func TestTooManyItemsAreRefused(t *testing.T) {
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	f := Filing{ID: "f-1", Institution: "i-1"}
	for range 20_000 {
		f.Scope = append(f.Scope, ScopeItem{Occupation: "6-31-01-03"})
	}
	if _, err := Admit(Institution{ID: "i-1"}, nil, nil, f, now); !hasField(err, "scope", "too_many") {
		t.Errorf("a filing with 20,000 items: %v", err)
	}
	d := Decision{ID: "d-1", Target: Target{Institution: "i-1"}, Kind: ExitVoluntary, Effective: "2026-03-02", Basis: "x"}
	for i := range 40_000 {
		d.FinishSessions = append(d.FinishSessions, fmt.Sprint(i))
	}
	if _, err := Decide(Institution{ID: "i-1"}, nil, nil, d, now); !hasField(err, "finish_sessions", "too_many") {
		t.Errorf("a decision that names 40,000 sessions: %v", err)
	}
}

func hasField(err error, name, code string) bool {
	if err == nil {
		return false
	}
	for _, f := range fail.Of(err).Fields {
		if f.Name == name && f.Code == code {
			return true
		}
	}
	return false
}
