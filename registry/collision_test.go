package registry_test

import (
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// Every act is tried in every state of a collision: what the documented table does
// not have is refused.
func TestCollisionStateTable(t *testing.T) {
	table := doctest.States(t, "collision.go", "CollisionState")
	doctest.Holds(t, table, registry.CollisionStates(), registry.CollisionActs())
	for _, from := range registry.CollisionStates() {
		for _, do := range registry.CollisionActs() {
			got, err := registry.NextCollision(from, do)
			want := registry.CollisionState(table.Next[string(from)][string(do)])
			ok := want != doctest.Refused
			if ok != (err == nil) || ok && got != want {
				t.Errorf("%s of %s gives %s, %v; the table says %q", do, from, got, err, want)
			}
			if !ok && (fail.CodeOf(err) != "collision_state" || fail.KindOf(err) != fail.Conflict || got != from) {
				t.Errorf("%s of %s is refused with %v", do, from, err)
			}
		}
		if from.Name().ZH == "" || from.Name().EN == "" {
			t.Errorf("%s has no words", from)
		}
	}
}

// The rule takes the acts from what was proposed, and needs two accounts.
func TestCollisionTakesTwoPersons(t *testing.T) {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	one, two := registry.Actor{Account: "a"}, registry.Actor{Account: "b"}
	open := registry.Collision{ID: "o-1", Claims: []string{"c-2", "c-1"}, State: registry.CollisionOpen}
	for _, c := range []struct {
		in   registry.CollisionProposal
		code string
	}{
		{registry.CollisionProposal{Outcome: "accepted", Reason: "两次培训工种不同"}, ""},
		{registry.CollisionProposal{Outcome: "to_recover", Claim: "c-2", Reason: "同一职业同一等级"}, ""},
		{registry.CollisionProposal{Outcome: "dismissed", Reason: "误报"}, ""},
		{registry.CollisionProposal{Outcome: "to_recover", Reason: "同一职业"}, "collision"},
		{registry.CollisionProposal{Outcome: "to_recover", Claim: "c-3", Reason: "同一职业"}, "collision"},
		{registry.CollisionProposal{Outcome: "accepted", Claim: "c-1", Reason: "同一职业"}, "collision"},
		{registry.CollisionProposal{Outcome: "accepted"}, "collision"},
		{registry.CollisionProposal{Outcome: "accepted", Reason: "见11010519491231002X"}, "collision"},
		{registry.CollisionProposal{Outcome: "lapsed", Reason: "无"}, "collision"},
		{registry.CollisionProposal{Reason: "无"}, "collision"},
	} {
		proposed, err := open.Propose(c.in, one, at)
		if fail.CodeOf(err) != c.code {
			t.Errorf("%+v: %v", c.in, err)
			continue
		}
		if c.code != "" {
			continue
		}
		if _, err := proposed.Decide(true, "", one, at); fail.CodeOf(err) != "second_person" {
			t.Errorf("the proposer approves %s: %v", c.in.Outcome, err)
		}
		if got, err := proposed.Decide(true, "", two, at); err != nil || got.State != c.in.Outcome || len(got.Steps) != 2 || got.Proposal == nil {
			t.Errorf("%s approved: %+v, %v", c.in.Outcome, got, err)
		}
		if got, err := proposed.Decide(false, "", one, at); err != nil || got.State != registry.CollisionOpen || got.Steps[1].Do != registry.WithdrawProposal || got.Proposal != nil {
			t.Errorf("%s withdrawn: %+v, %v", c.in.Outcome, got, err)
		}
		if _, err := proposed.Decide(false, "", two, at); fail.CodeOf(err) != "collision" {
			t.Errorf("%s rejected without a reason: %v", c.in.Outcome, err)
		}
		if got, err := proposed.Decide(false, "证据不足", two, at); err != nil || got.State != registry.CollisionOpen || got.Steps[1].Do != registry.RejectCollision {
			t.Errorf("%s rejected: %+v, %v", c.in.Outcome, got, err)
		}
		if _, err := proposed.Propose(c.in, two, at); fail.CodeOf(err) != "collision_state" {
			t.Errorf("proposed twice: %v", err)
		}
	}
	if _, err := open.Decide(true, "", two, at); fail.CodeOf(err) != "collision_state" {
		t.Errorf("approved without a proposal: %v", err)
	}
}
