package registry_test

import (
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func (e *claimEnv) standing() (out []registry.CollisionView) {
	e.T.Helper()
	all, _, err := e.Collisions(ctx, e.Authority, registry.CollisionFilter{}, registry.Page{})
	if err != nil {
		e.T.Fatal(err)
	}
	for _, c := range all {
		if c.State != registry.CollisionLapsed {
			out = append(out, c)
		}
	}
	return out
}

func named(c registry.CollisionView) (ids []string) {
	for _, one := range c.Claims {
		ids = append(ids, one.Claim.ID)
	}
	return ids
}

// Three documents of one person, paid under each for one occupation and level. Two
// merges make them one. Whichever is undone first, what collides is exactly what
// stands between those who are still one person.
func TestUndoingOneOfTwoMergesThatBroughtACollision(t *testing.T) {
	for name, c := range map[string]struct {
		merges [2][2]int // keep, other
		undo   int       // which of them
		left   [][2]int  // claims still colliding, by person: the newer first
	}{
		"a star, the first is undone":   {[2][2]int{{10, 11}, {10, 12}}, 0, [][2]int{{12, 10}}},
		"a star, the second is undone":  {[2][2]int{{10, 11}, {10, 12}}, 1, [][2]int{{11, 10}}},
		"a chain, the first is undone":  {[2][2]int{{10, 11}, {11, 12}}, 0, [][2]int{{12, 11}}},
		"a chain, the second is undone": {[2][2]int{{10, 11}, {11, 12}}, 1, [][2]int{{11, 10}}},
		"the middle one first":          {[2][2]int{{11, 12}, {10, 11}}, 0, [][2]int{{11, 10}}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newClaimEnv(t)
			claim := map[int]string{}
			for _, i := range []int{10, 11, 12} {
				a := e.mustReserve(e.kunshan, e.request(i, e.issue(i, "6-31-01-03", standards.Senior).Number))
				claim[i] = a.Claim.ID
				e.mustPay(e.kunshan, a)
				e.Clock.Add(time.Hour)
			}
			var ids []string
			for _, m := range c.merges {
				ids = append(ids, e.mustMerge(m[0], m[1]).ID)
			}
			e.mustUndo(ids[c.undo])
			e.MustCheck()
			got := e.standing()
			if len(got) != len(c.left) {
				t.Fatalf("%d collisions stand, want %d: %s", len(got), len(c.left), asJSON(t, got))
			}
			for i, want := range c.left {
				if ids := named(got[i]); len(ids) != 2 || ids[0] != claim[want[0]] || ids[1] != claim[want[1]] {
					t.Errorf("%v collide, want persons %v of %v", ids, want, claim)
				}
			}
			e.mustUndo(ids[1-c.undo])
			if got := e.standing(); len(got) != 0 {
				t.Errorf("both undone: %s", asJSON(t, got))
			}
		})
	}
}

// 每人每年不超过 3 次 (示例政策 2026 第七条): only all three documents together go over it;
// without the first merge nothing collides any more, though the second found it.
func TestACollisionOfAllThreeEndsWithEitherMerge(t *testing.T) {
	for undo := range 2 {
		e := newClaimEnv(t)
		for i, person := range []int{10, 10, 11, 12} {
			level := []standards.Level{standards.Junior, standards.Intermediate, standards.Senior}[i%3]
			e.mustReserve(e.kunshan, e.request(person, e.issue(person, fourTrades[i/3], level).Number))
			e.Clock.Add(time.Hour)
		}
		merges := []string{e.mustMerge(10, 11).ID, e.mustMerge(10, 12).ID}
		if got := e.standing(); len(got) != 1 || len(got[0].Claims) != 4 || got[0].Merge != merges[1] {
			t.Fatalf("merged: %s", asJSON(t, got))
		}
		e.mustUndo(merges[undo])
		if got := e.standing(); len(got) != 0 {
			t.Errorf("merge %d undone: %s", undo+1, asJSON(t, got))
		}
		e.MustCheck()
	}
}

// A ledger that is taken over while two are one brings a collision of both; it ends
// with the merge, and nothing of it is left to recover.
func TestACollisionFromALedgerEndsWithItsMerge(t *testing.T) {
	e := newClaimEnv(t)
	a := e.mustReserve(e.kunshan, e.request(10, e.issue(10, "6-31-01-03", standards.Senior).Number))
	e.mustPay(e.kunshan, a)
	e.issue(11, "6-31-01-03", standards.Senior)
	m := e.mustMerge(10, 11)
	e.mustImportPayments(ledgerHeader+ledgerLine(11, "2026-01-15", "2000", "", "电工", "三级", "P-1"), false)
	got := e.standing()
	if len(got) != 1 || got[0].Source != registry.FromImport {
		t.Fatalf("taken over: %s", asJSON(t, got))
	}
	e.mustUndo(m.ID)
	if got := e.standing(); len(got) != 0 {
		t.Errorf("undone: %s", asJSON(t, got))
	}
	e.MustCheck()
}

// A collision across regions is seen by the authority of every payer's region, each
// its own part, and is decided in the region of the newer claim.
func TestACollisionAcrossRegionsIsSeenInEach(t *testing.T) {
	e := newClaimEnv(t)
	nj, ks := registrytest.Payer("nj", "320100"), registrytest.Payer("ks2", "320583")
	first := e.mustReserve(nj, e.request(10, e.issue(10, "6-31-01-03", standards.Senior).Number))
	e.mustPay(nj, first)
	e.Clock.Add(time.Hour)
	second := e.mustReserve(ks, e.request(11, e.issue(11, "6-31-01-03", standards.Senior).Number))
	e.mustPay(ks, second)
	e.mustMerge(10, 11)
	as := func(region string) registry.Actor {
		by := e.Authority
		by.Region = region
		return by
	}
	for region, want := range map[string]struct {
		claims int // shown whole
		listed bool
	}{"320100": {1, true}, "320583": {2, true}, "320500": {2, true}, "320000": {2, true}, "000000": {2, true}, "440000": {0, false}, "320581": {0, false}, "320900": {0, false}} {
		for _, state := range []registry.CollisionState{"", registry.CollisionOpen} {
			got, _, err := e.Collisions(ctx, as(region), registry.CollisionFilter{State: state}, registry.Page{})
			if err != nil || len(got) != map[bool]int{true: 1}[want.listed] {
				t.Fatalf("%s lists %d, %v", region, len(got), err)
			}
			if !want.listed {
				continue
			}
			whole := 0
			for _, c := range got[0].Claims {
				if c.Claim != nil {
					whole++
				}
			}
			if whole != want.claims || got[0].Region != "320583" {
				t.Errorf("%s sees %d claims of %s", region, whole, asJSON(t, got[0]))
			}
		}
	}
	id := named(e.withRegion("320000"))[0]
	if id != second.Claim.ID {
		t.Errorf("the newer is %s", id)
	}
	all, _, _ := e.Collisions(ctx, as("320583"), registry.CollisionFilter{}, registry.Page{})
	in := registry.CollisionProposal{Outcome: registry.CollisionToRecover, Claim: second.Claim.ID, Reason: "同一职业同一等级"}
	if _, err := e.ProposeOnCollision(ctx, as("320100"), all[0].ID, in); fail.CodeOf(err) != "not_allowed" {
		t.Errorf("the region of the older claim decides: %v", err)
	}
	if _, err := e.ProposeOnCollision(ctx, as("440000"), all[0].ID, in); fail.CodeOf(err) != "not_found" {
		t.Errorf("a region that is not concerned: %v", err)
	}
	if _, err := e.ProposeOnCollision(ctx, as("320583"), all[0].ID, in); err != nil {
		t.Errorf("the region of the newer claim: %v", err)
	}
	// Page by page it is still listed once.
	n, cursor := 0, ""
	for {
		page, next, err := e.Collisions(ctx, as("320000"), registry.CollisionFilter{}, registry.Page{Limit: 1, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		n += len(page)
		if cursor = next; next == "" {
			break
		}
	}
	if n != 1 {
		t.Errorf("listed %d times", n)
	}
}

func (e *claimEnv) withRegion(region string) registry.CollisionView {
	e.T.Helper()
	by := e.Authority
	by.Region = region
	all, _, err := e.Collisions(ctx, by, registry.CollisionFilter{}, registry.Page{})
	if err != nil || len(all) != 1 {
		e.T.Fatalf("%d collisions, %v", len(all), err)
	}
	return all[0]
}

// A payment that was reported late after its reservation had ended gave the right anew
// from that day on, also when the bank has returned it since 退票: it is to be paid again,
// and collides with what was paid under the other document in between.
func TestALatePaymentThatCameBackCollidesInAMerge(t *testing.T) {
	e := newClaimEnv(t)
	first := e.mustReserve(e.kunshan, e.request(10, e.issue(10, "6-31-01-03", standards.Senior).Number))
	e.mustRelease(e.kunshan, first)
	e.Clock.Add(time.Hour)
	second := e.mustReserve(e.other, e.request(11, e.issue(11, "6-31-01-03", standards.Senior).Number))
	e.mustPay(e.other, second)
	e.Clock.Add(time.Hour)
	late := e.mustPay(e.kunshan, first)
	if _, err := e.ReturnPayment(ctx, e.kunshan, first.Claim.ID, registry.PaymentReturn{Payment: late.Payment.Reference, Reason: "账户异常", On: e.today()}); err != nil {
		t.Fatal(err)
	}
	if m := e.mustMerge(10, 11); len(m.Collisions) != 1 {
		t.Errorf("%d collisions", len(m.Collisions))
	}
	if got := e.standing(); len(got) != 1 || named(got[0])[0] != first.Claim.ID || named(got[0])[1] != second.Claim.ID {
		t.Errorf("%s", asJSON(t, got))
	}
}
