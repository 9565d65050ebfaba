package registry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// Every act is tried in every state of a merge: what the documented table does not
// have is refused.
func TestMergeStateTable(t *testing.T) {
	table := doctest.States(t, "merge.go", "MergeState")
	doctest.Holds(t, table, registry.MergeStates(), registry.MergeActs())
	for _, from := range registry.MergeStates() {
		for _, do := range registry.MergeActs() {
			got, err := registry.NextMerge(from, do)
			want := registry.MergeState(table.Next[string(from)][string(do)])
			ok := want != doctest.Refused
			if ok != (err == nil) || ok && got != want {
				t.Errorf("%s of %s gives %s, %v; the table says %q", do, from, got, err, want)
			}
			if !ok && (fail.CodeOf(err) != "merge_state" || fail.KindOf(err) != fail.Conflict || got != from) {
				t.Errorf("%s of %s is refused with %v", do, from, err)
			}
		}
		if from.Name().ZH == "" || from.Name().EN == "" {
			t.Errorf("%s has no words", from)
		}
	}
}

// The rule needs two accounts, for a merge and for its undoing.
func TestMergeTakesTwoPersons(t *testing.T) {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	one, two := registry.Actor{Account: "a"}, registry.Actor{Account: "b"}
	m := registry.Merge{ID: "g-1", State: registry.MergeProposed, Steps: []registry.MergeStep{{To: registry.MergeProposed, By: "a", At: at}}}
	if _, err := m.Decide(true, "", one, at); fail.CodeOf(err) != "second_person" {
		t.Errorf("the proposer approves: %v", err)
	}
	if got, err := m.Decide(false, "", one, at); err != nil || got.State != registry.MergeWithdrawn {
		t.Errorf("withdrawn: %s, %v", got.State, err)
	}
	if _, err := m.Decide(false, "", two, at); fail.CodeOf(err) != "merge" {
		t.Errorf("rejected without a reason: %v", err)
	}
	if got, err := m.Decide(false, "证据不足", two, at); err != nil || got.State != registry.MergeRejected {
		t.Errorf("rejected: %s, %v", got.State, err)
	}
	m, err := m.Decide(true, "", two, at)
	if err != nil || m.State != registry.MergeMerged {
		t.Fatalf("approved: %s, %v", m.State, err)
	}
	if _, err := m.ProposeUndo("", two, at); fail.CodeOf(err) != "merge" {
		t.Errorf("undone without a reason: %v", err)
	}
	if m, err = m.ProposeUndo("不是同一人", two, at); err != nil || m.State != registry.MergeUndoProposed || !m.State.Stands() {
		t.Fatalf("undo proposed: %s, %v", m.State, err)
	}
	if _, err := m.Decide(true, "", two, at); fail.CodeOf(err) != "second_person" {
		t.Errorf("the proposer approves the undoing: %v", err)
	}
	if got, err := m.Decide(false, "", two, at); err != nil || got.State != registry.MergeMerged {
		t.Errorf("undoing withdrawn: %s, %v", got.State, err)
	}
	if got, err := m.Decide(true, "", one, at); err != nil || got.State != registry.MergeUndone {
		t.Errorf("undone: %s, %v", got.State, err)
	}
}

func (e *claimEnv) second() registry.Actor {
	by := e.Authority
	by.Account = "a-authority-2"
	return by
}

// merge makes persons i and j of package invented one, of whom i counts.
func (e *claimEnv) propose(i, j int) (registry.MergeView, error) {
	return e.ProposeMerge(ctx, e.Authority, registry.NewMerge{Keep: invented.PersonAt(i).Document, Other: invented.PersonAt(j).Document,
		Reason: registry.MergeMistake, Evidence: "公安机关证明 2026-17"})
}

func (e *claimEnv) mustMerge(i, j int) registry.MergeView {
	e.T.Helper()
	m, err := e.propose(i, j)
	if err == nil {
		m, err = e.DecideMerge(ctx, e.second(), m.ID, true, "")
	}
	if err != nil || m.State != registry.MergeMerged {
		e.T.Fatalf("merge %d and %d: %s, %v", i, j, m.State, err)
	}
	return m
}

func (e *claimEnv) mustUndo(id string) registry.MergeView {
	e.T.Helper()
	m, err := e.ProposeMergeUndo(ctx, e.Authority, id, "经核查不是同一人")
	if err == nil {
		m, err = e.DecideMerge(ctx, e.second(), m.ID, true, "")
	}
	if err != nil || m.State != registry.MergeUndone {
		e.T.Fatalf("undo: %s, %v", m.State, err)
	}
	return m
}

func (e *claimEnv) mustPay(by registry.Actor, a registry.ClaimAnswer) registry.ClaimView {
	e.T.Helper()
	out, err := e.ConfirmClaim(ctx, by, a.Claim.ID, registry.Payment{Reference: "PAY-" + a.Claim.ID, PaidOn: standards.DateOf(e.Clock.Now()), Amount: a.Claim.Amount})
	if err != nil {
		e.T.Fatalf("pay: %v", err)
	}
	return out
}

// One human being with two documents was paid twice for one occupation and level.
// The merge finds it and takes nothing back; after it the two are one for every
// payer; undone, they are two again.
func TestMergeOfTwoPersonsWhoWerePaidApart(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	a, b := e.issue(10, "6-31-01-03", standards.Senior), e.issue(11, "6-31-01-03", standards.Senior)
	first := e.mustReserve(e.kunshan, e.request(10, a.Number))
	e.mustAnswer("the first", first, policy.Allow)
	e.mustPay(e.kunshan, first)
	e.Clock.Add(24 * time.Hour)
	second := e.mustReserve(e.other, e.request(11, b.Number))
	e.mustAnswer("under the other document", second, policy.Allow)

	m, err := e.propose(10, 11)
	if err != nil || m.State != registry.MergeProposed || m.Preview == nil || len(m.Preview.Collisions) != 1 {
		t.Fatalf("proposed: %+v, %v", m, err)
	}
	p := m.Preview
	if p.Keep.Certificates != 1 || p.Other.Claims != 1 || p.SameBirth != policy.No || p.SameName != policy.No || p.Collisions[0].Claim.ID != second.Claim.ID ||
		len(p.Collisions[0].Against) != 1 || p.Collisions[0].Against[0].ID != first.Claim.ID || p.Collisions[0].Rules[0].Rule != "once" {
		t.Errorf("preview: %s", asJSON(t, p))
	}
	text := asJSON(t, m)
	for i := 10; i < 12; i++ {
		if one := invented.PersonAt(i); strings.Contains(text, one.Document) || strings.Contains(text, one.Name) {
			t.Errorf("the view shows who person %d is: %s", i, text)
		}
	}
	if _, err := e.propose(11, 10); fail.CodeOf(err) != "merge_open" {
		t.Errorf("proposed twice: %v", err)
	}
	if _, err := e.DecideMerge(ctx, e.Authority, m.ID, true, ""); fail.CodeOf(err) != "second_person" {
		t.Errorf("one person: %v", err)
	}
	if m, err = e.DecideMerge(ctx, e.second(), m.ID, true, ""); err != nil || m.State != registry.MergeMerged || len(m.Collisions) != 1 {
		t.Fatalf("approved: %+v, %v", m, err)
	}
	if _, err := e.propose(10, 11); fail.CodeOf(err) != "merged" {
		t.Errorf("merged again: %v", err)
	}
	e.MustCheck()

	// Both payers see it, each its own claim and of the other the day alone.
	region := e.Authority
	region.Region = "320500"
	all, _, err := e.Collisions(ctx, region, registry.CollisionFilter{State: registry.CollisionOpen}, registry.Page{})
	if err != nil || len(all) != 1 || all[0].Region != "320581" || all[0].Source != registry.FromMerge || all[0].Claims[0].Claim == nil || all[0].Claims[1].Claim == nil {
		t.Fatalf("collisions of the authority: %s, %v", asJSON(t, all), err)
	}
	for _, by := range []registry.Actor{e.kunshan, e.other} {
		own, _, err := e.Collisions(ctx, by, registry.CollisionFilter{}, registry.Page{})
		if err != nil || len(own) != 1 || len(own[0].Claims) != 2 || len(own[0].Rules) == 0 || own[0].Merge != "" {
			t.Fatalf("collisions of %s: %s, %v", by.Organisation, asJSON(t, own), err)
		}
		foreign, foreignID := "cz-payer", second.Claim.ID
		if by.Organisation == foreign {
			foreign, foreignID = "ks-payer", first.Claim.ID
		}
		if text := asJSON(t, own); strings.Contains(text, foreign) || strings.Contains(text, foreignID) {
			t.Errorf("%s sees of %s: %s", by.Organisation, foreign, text)
		}
	}
	if none, _, err := e.Collisions(ctx, registrytest.Payer("third", "320583"), registry.CollisionFilter{}, registry.Page{}); err != nil || len(none) != 0 {
		t.Errorf("a payer that is not concerned sees %v, %v", none, err)
	}
	if _, err := e.CollisionByID(ctx, registrytest.Payer("third", "320583"), all[0].ID); fail.KindOf(err) != fail.NotFound {
		t.Errorf("a payer that is not concerned: %v", err)
	}
	county := e.Authority
	county.Region = "320583"
	if _, err := e.ProposeOnCollision(ctx, county, all[0].ID, registry.CollisionProposal{Outcome: "dismissed", Reason: "误报"}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("the county of the older claim decides: %v", err)
	}
	if _, err := e.ProposeOnCollision(ctx, e.kunshan, all[0].ID, registry.CollisionProposal{Outcome: "dismissed", Reason: "误报"}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("a payer decides: %v", err)
	}

	// A later claim, under either document, rests on both.
	third := e.issue(11, "6-31-01-03", standards.Intermediate)
	e.mustAnswer("another level", e.mustReserve(e.kunshan, e.request(11, third.Number)), policy.Allow)
	again := e.issue(11, "6-31-01-03", standards.Senior)
	e.mustAnswer("the same level once more, the fourth of the year", e.mustReserve(e.kunshan, e.request(11, again.Number)), policy.Deny, policy.OnceTaken, policy.FrequencyReached)
	crossed := e.request(10, a.Number)
	crossed.Document = invented.PersonAt(11).Document
	if got, err := e.CheckClaim(ctx, e.kunshan, crossed); err != nil || !got.Match {
		t.Errorf("the certificate of one document with the other: %+v, %v", got, err)
	}
	record, err := e.PersonByDocument(ctx, e.Authority, "", invented.PersonAt(11).Document)
	if err != nil || len(record.Certificates) != 4 {
		t.Errorf("record by either document: %d certificates, %v", len(record.Certificates), err)
	}
	e.MustCheck()

	// Two persons decide; the payer of the claim to recover sees it.
	v, err := e.ProposeOnCollision(ctx, region, all[0].ID, registry.CollisionProposal{Outcome: registry.CollisionToRecover, Claim: second.Claim.ID, Reason: "同一职业同一等级"})
	if err != nil || v.State != registry.CollisionProposed {
		t.Fatalf("%+v, %v", v, err)
	}
	region.Account = "a-authority-2"
	if v, err = e.DecideOnCollision(ctx, region, all[0].ID, true, ""); err != nil || v.State != registry.CollisionToRecover {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err = e.CollisionByID(ctx, e.other, all[0].ID); err != nil || !v.Recover {
		t.Errorf("the payer to recover: %+v, %v", v, err)
	}
	if v, err = e.CollisionByID(ctx, e.kunshan, all[0].ID); err != nil || v.Recover || v.State != registry.CollisionToRecover {
		t.Errorf("the other payer: %+v, %v", v, err)
	}

	// Undone they are two again, and what the merge brought says nothing any more.
	e.mustUndo(m.ID)
	if v, err = e.CollisionByID(ctx, e.other, all[0].ID); err != nil || v.State != registry.CollisionLapsed || v.Recover {
		t.Errorf("after the undoing: %+v, %v", v, err)
	}
	if got, err := e.CheckClaim(ctx, e.kunshan, crossed); err != nil || got.Match {
		t.Errorf("the certificate of one document with the other, undone: %+v, %v", got, err)
	}
	e.mustAnswer("of the other person alone", e.mustReserve(e.kunshan, e.request(10, e.issue(10, "4-10-01-05", standards.Senior).Number)), policy.Allow)
	if m := e.mustMerge(10, 11); len(m.Collisions) == 0 {
		t.Error("merged once more, nothing collides")
	}
}

// What came to nothing does not collide; what was refunded with the right given
// back neither; a frequency that both together go over does.
func TestWhatCollidesInAMerge(t *testing.T) {
	occupations := []string{"6-31-01-03", "4-10-01-05"}
	for name, c := range map[string]struct {
		after func(e *claimEnv, first, second registry.ClaimAnswer)
		want  int
	}{
		"both reserved":     {nil, 1},
		"the older expired": {func(e *claimEnv, first, _ registry.ClaimAnswer) { e.mustRelease(e.kunshan, first) }, 0},
		"the newer expired": {func(e *claimEnv, _, second registry.ClaimAnswer) { e.mustRelease(e.other, second) }, 0},
		"the older refunded": {func(e *claimEnv, first, _ registry.ClaimAnswer) {
			e.mustPay(e.kunshan, first)
			yes := true
			if _, err := e.RefundClaim(ctx, e.kunshan, first.Claim.ID, registry.Refund{Amount: first.Claim.Amount, Reason: "退回", Restores: &yes}); err != nil {
				e.T.Fatal(err)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := newClaimEnv(t)
			first := e.mustReserve(e.kunshan, e.request(10, e.issue(10, occupations[0], standards.Senior).Number))
			second := e.mustReserve(e.other, e.request(11, e.issue(11, occupations[0], standards.Senior).Number))
			e.mustAnswer("second", second, policy.Allow)
			if c.after != nil {
				c.after(e, first, second)
			}
			if m := e.mustMerge(10, 11); len(m.Collisions) != c.want {
				t.Errorf("%d collisions, want %d", len(m.Collisions), c.want)
			}
		})
	}
	t.Run("frequency", func(t *testing.T) {
		e := newClaimEnv(t)
		levels := []standards.Level{standards.Junior, standards.Intermediate, standards.Senior}
		for i := range 4 { // two each: three a year are allowed, all of different occupation and level
			person := 10 + i%2
			e.mustAnswer(fmt.Sprint(i), e.mustReserve(e.kunshan, e.request(person, e.issue(person, occupations[i/3], levels[i%3]).Number)), policy.Allow)
		}
		m := e.mustMerge(10, 11)
		if len(m.Collisions) != 1 {
			t.Fatalf("%d collisions", len(m.Collisions))
		}
		v, err := e.CollisionByID(ctx, e.Authority, m.Collisions[0])
		if err != nil || len(v.Claims) != 4 || len(v.Rules) != 1 || v.Rules[0].Reason != policy.FrequencyReached || !v.Claims[0].Newer {
			t.Errorf("%s, %v", asJSON(t, v), err)
		}
	})
}

func (e *claimEnv) mustRelease(by registry.Actor, a registry.ClaimAnswer) {
	e.T.Helper()
	if _, err := e.ReleaseClaim(ctx, by, a.Claim.ID, "申请人撤回"); err != nil {
		e.T.Fatal(err)
	}
}

// Three documents of one person: undoing one merge leaves the other, and Check
// replays what was decided in between as it was decided.
func TestMergesOfThree(t *testing.T) {
	e := newClaimEnv(t)
	var number [3]string
	for i := range number {
		number[i] = e.issue(10+i, "6-31-01-03", standards.Senior).Number
	}
	e.mustAnswer("0", e.mustReserve(e.kunshan, e.request(10, number[0])), policy.Allow)
	one := e.mustMerge(11, 10) // the one paid counts no more, its records do
	e.mustAnswer("1 as 0", e.mustReserve(e.other, e.request(11, number[1])), policy.Deny, policy.OnceTaken)
	two := e.mustMerge(12, 11)
	e.mustAnswer("2 as 0 and 1", e.mustReserve(e.other, e.request(12, number[2])), policy.Deny, policy.OnceTaken)
	e.MustCheck()
	e.mustUndo(one.ID)
	e.mustAnswer("1 and 2", e.mustReserve(e.other, e.request(12, number[2])), policy.Allow)
	e.mustAnswer("2 as 1", e.mustReserve(e.kunshan, e.request(11, number[1])), policy.Deny, policy.OnceTaken)
	e.MustCheck()
	e.mustUndo(two.ID)
	e.mustAnswer("1 alone", e.mustReserve(e.kunshan, e.request(11, number[1])), policy.Allow)
	for i, want := range []int{1, 1, 1} {
		record, err := e.PersonByDocument(ctx, e.Authority, "", invented.PersonAt(10+i).Document)
		if err != nil || len(record.Certificates) != want {
			t.Errorf("person %d: %d certificates, %v", i, len(record.Certificates), err)
		}
	}
}

// Requests that cannot be taken, and who may make them.
func TestProposeMergeRefuses(t *testing.T) {
	e := newClaimEnv(t)
	e.issue(10, "6-31-01-03", standards.Senior)
	e.issue(11, "6-31-01-03", standards.Senior)
	good := registry.NewMerge{Keep: invented.PersonAt(10).Document, Other: invented.PersonAt(11).Document, Reason: registry.MergeFifteenDigits, Evidence: "户籍证明 2026-3"}
	for name, c := range map[string]struct {
		change func(*registry.NewMerge)
		code   string
		field  string
	}{
		"no evidence":       {func(m *registry.NewMerge) { m.Evidence = "" }, "merge", "evidence"},
		"personal evidence": {func(m *registry.NewMerge) { m.Evidence = "见 " + invented.PersonAt(11).Document }, "merge", "evidence"},
		"reason":            {func(m *registry.NewMerge) { m.Reason = "because" }, "merge", "reason"},
		"one document":      {func(m *registry.NewMerge) { m.Other = m.Keep }, "merge", "other"},
		"wrong digit":       {func(m *registry.NewMerge) { m.Keep = "110105194912310021" }, "merge", "keep"},
		"kind":              {func(m *registry.NewMerge) { m.OtherKind = "library_card" }, "merge", "other_kind"},
		"nobody":            {func(m *registry.NewMerge) { m.Other = invented.PersonAt(999).Document }, "not_found", "other"},
	} {
		in := good
		c.change(&in)
		_, err := e.ProposeMerge(ctx, e.Authority, in)
		if fs := fail.Of(err).Fields; fail.CodeOf(err) != c.code || len(fs) != 1 || fs[0].Name != c.field {
			t.Errorf("%s: %v %+v", name, err, fs)
		}
	}
	county := e.Authority
	county.Region = "320583"
	for _, by := range []registry.Actor{county, e.kunshan, e.issuer.Actor, {}} {
		if _, err := e.ProposeMerge(ctx, by, good); fail.KindOf(err) != fail.Forbidden && fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("%v proposes: %v", by.Roles, err)
		}
	}
	by := e.Authority
	by.Idempotency = registry.Idempotency{Route: "POST /api/v1/persons/merges", Key: "k", Body: []byte{1}}
	m, err := e.ProposeMerge(ctx, by, good)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.ProposeMerge(ctx, by, good); err != nil || again.ID != m.ID {
		t.Errorf("the same request again: %s, %v", again.ID, err)
	}
	if waiting, _, err := e.Merges(ctx, e.Authority, true, registry.Page{}); err != nil || len(waiting) != 1 {
		t.Errorf("waiting: %v, %v", waiting, err)
	}
	if m, err = e.DecideMerge(ctx, e.Authority, m.ID, false, ""); err != nil || m.State != registry.MergeWithdrawn {
		t.Errorf("withdrawn: %s, %v", m.State, err)
	}
	if _, err := e.ProposeMergeUndo(ctx, e.Authority, m.ID, "有误"); fail.CodeOf(err) != "merge_state" {
		t.Errorf("undone before it was made: %v", err)
	}
	// The operator may propose; the authority is the second person.
	m, err = e.ProposeMerge(ctx, registry.Operator(), good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.DecideMerge(ctx, registry.Operator(), m.ID, true, ""); fail.CodeOf(err) != "second_person" {
		t.Errorf("the operator alone: %v", err)
	}
	if m, err = e.DecideMerge(ctx, e.Authority, m.ID, true, ""); err != nil || m.State != registry.MergeMerged {
		t.Errorf("operator and authority: %s, %v", m.State, err)
	}
	for _, waiting := range []bool{true, false} {
		list, _, err := e.Merges(ctx, e.Authority, waiting, registry.Page{})
		if err != nil || len(list) != map[bool]int{true: 0, false: 2}[waiting] {
			t.Errorf("waiting %t: %d, %v", waiting, len(list), err)
		}
	}
	b, err := json.Marshal(m)
	if err != nil || strings.Contains(string(b), "survivor") {
		t.Errorf("%s, %v", b, err)
	}
}
