package registry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// walker takes random steps that may pay somebody twice, and knows what must be true
// after each of them.
type walker struct {
	*claimEnv
	rnd     *rand.Rand
	people  []int
	numbers map[int][]string
	payers  []registry.Actor
	claims  []string                  // in the order of their making: ids are random, and a seed must tell the same story
	mine    map[string]registry.Actor // payer by claim
	person  map[string]int            // by claim
	merges  []walkMerge               // that stand
	refs    int
	did     map[string]int
}

type walkMerge struct {
	id   string
	a, b int
}

func (w *walker) reference() string { w.refs++; return fmt.Sprint("W-", w.refs) }

// ok fails on what nobody expects; a conflict or a refusal is an answer.
func (w *walker) ok(what string, err error) {
	w.T.Helper()
	if err == nil {
		w.did[what]++
		return
	}
	if k := fail.KindOf(err); k == fail.Internal {
		w.T.Fatalf("%s: %v", what, err)
	}
}

func (w *walker) anyClaim() (id string, by registry.Actor, c registry.ClaimView, ok bool) {
	n := 0
	for _, one := range w.claims {
		if n++; w.rnd.IntN(n) == 0 {
			id = one
		}
	}
	if id == "" {
		return id, by, c, false
	}
	by = w.mine[id]
	c, err := w.ClaimByID(ctx, by, id)
	if err != nil {
		w.T.Fatal(err)
	}
	return id, by, c, true
}

func (w *walker) step() {
	i := w.people[w.rnd.IntN(len(w.people))]
	by := w.payers[w.rnd.IntN(len(w.payers))]
	switch w.rnd.IntN(14) {
	case 0, 1, 2, 3:
		q := w.request(i, w.numbers[i][w.rnd.IntN(len(w.numbers[i]))])
		q.Reference = w.reference()
		a, err := w.ReserveClaim(ctx, by, q)
		w.ok("reserve", err)
		if err == nil && a.Claim != nil && a.Outcome == policy.Allow {
			if _, again := w.mine[a.Claim.ID]; !again {
				w.claims = append(w.claims, a.Claim.ID)
			}
			w.mine[a.Claim.ID], w.person[a.Claim.ID] = by, i
		}
		return
	case 4:
		w.Clock.Add(time.Duration(w.rnd.IntN(40)) * 24 * time.Hour)
		return
	case 5:
		w.mergeOrUndo()
		return
	case 6:
		if w.rnd.IntN(4) == 0 {
			csv := ledgerHeader + ledgerLine(i, string(w.today().AddDays(-w.rnd.IntN(200))), "2000", w.numbers[i][0], "", "", w.reference())
			w.mustImportPayments(csv, false)
			w.did["import"]++
			return
		}
	}
	id, by, c, ok := w.anyClaim()
	if !ok {
		return
	}
	last := ""
	if c.Payment != nil {
		last = c.Payment.Reference
	}
	restores := w.rnd.IntN(2) == 0
	switch w.rnd.IntN(9) {
	case 0, 1, 2:
		_, err := w.ConfirmClaim(ctx, by, id, registry.Payment{Reference: w.reference(), PaidOn: w.today(), Amount: c.Amount})
		w.ok("pay "+string(c.State), err)
	case 3:
		_, err := w.ReleaseClaim(ctx, by, id, "材料不全")
		w.ok("release", err)
	case 4:
		_, err := w.ReturnPayment(ctx, by, id, registry.PaymentReturn{Payment: last, Reason: "账户异常", On: w.today()})
		w.ok("return", err)
	case 5:
		_, err := w.RefundClaim(ctx, by, id, registry.Refund{Amount: c.InHands / policy.Fen(1+w.rnd.IntN(2)), Reference: w.reference(), Reason: "追回", Restores: &restores})
		w.ok("refund", err)
	case 6:
		_, err := w.OpenRecovery(ctx, by, id, registry.NewRecovery{Reason: "追回", Restores: &restores})
		w.ok("recover", err)
	default:
		w.correct(id, by, c)
	}
}

func (w *walker) correct(id string, by registry.Actor, c registry.ClaimView) {
	if len(c.Steps) == 0 {
		return
	}
	s := c.Steps[w.rnd.IntN(len(c.Steps))]
	c, err := w.ProposeClaimCorrection(ctx, by, id, registry.NewClaimCorrection{Step: s.N, Void: true, Reason: "登记有误"})
	if err == nil {
		second := by
		second.Account += "-2"
		_, err = w.DecideClaimCorrection(ctx, second, id, len(c.Corrections), registry.ApproveClaimCorrection, "")
	}
	w.ok("correct "+string(s.Kind), err)
}

func (w *walker) mergeOrUndo() {
	if len(w.merges) > 0 && w.rnd.IntN(2) == 0 {
		n := w.rnd.IntN(len(w.merges))
		w.mustUndo(w.merges[n].id)
		w.merges = slices.Delete(w.merges, n, n+1)
		w.did["undo"]++
		return
	}
	a, b := w.people[w.rnd.IntN(len(w.people))], w.people[w.rnd.IntN(len(w.people))]
	if a == b || w.same(a)[b] {
		return
	}
	w.merges = append(w.merges, walkMerge{w.mustMerge(a, b).ID, a, b})
	w.did["merge"]++
}

// same are the people who are one with i now.
func (w *walker) same(i int) map[int]bool {
	out := map[int]bool{i: true}
	for range w.people {
		for _, m := range w.merges {
			if out[m.a] || out[m.b] {
				out[m.a], out[m.b] = true, true
			}
		}
	}
	return out
}

// unseen are pairs of claims of one person for one occupation and level that both have
// money in the person's hands, or locked for it, and that nobody was told of.
func (w *walker) unseen() (out []string) {
	told := map[[2]string]bool{}
	for _, c := range w.standing() {
		ids := named(c)
		for _, a := range ids {
			for _, b := range ids {
				told[[2]string{a, b}] = true
			}
		}
	}
	var all []registry.ClaimView
	for _, id := range w.claims {
		c, err := w.ClaimByID(ctx, w.mine[id], id)
		if err != nil {
			w.T.Fatal(err)
		}
		if c.State.Counts() == policy.CountsYes {
			all = append(all, c)
		}
	}
	for n, a := range all {
		for _, b := range all[:n] {
			if w.same(w.person[a.ID])[w.person[b.ID]] && a.Occupation == b.Occupation && a.Level == b.Level && !told[[2]string{a.ID, b.ID}] {
				out = append(out, fmt.Sprintf("%s (person %d, %s) and %s (person %d, %s)", a.ID, w.person[a.ID], a.State, b.ID, w.person[b.ID], b.State))
			}
		}
	}
	return out
}

// Whatever order of reservations, payments, late payments, returns, refunds,
// corrections, ledgers, merges and their undoing: nobody has money twice for one
// occupation and level without a collision that names both claims, and the store is sound.
func TestNobodyIsPaidTwiceUnnoticed(t *testing.T) {
	total := map[string]int{}
	for _, seed := range []uint64{0, 1, 2, 3, 18} {
		e := newClaimEnv(t)
		w := &walker{claimEnv: e, rnd: rand.New(rand.NewPCG(seed, 7)), people: []int{10, 11, 12}, numbers: map[int][]string{}, mine: map[string]registry.Actor{},
			person: map[string]int{}, payers: []registry.Actor{e.kunshan, e.other}, did: total}
		for _, i := range w.people {
			w.numbers[i] = []string{e.issue(i, "6-31-01-03", standards.Senior).Number, e.issue(i, "6-31-01-03", standards.Intermediate).Number}
		}
		for n := range 130 {
			w.step()
			if bad := w.unseen(); len(bad) > 0 {
				t.Fatalf("seed %d, step %d: %v\n%s", seed, n, bad, asJSON(t, w.standing()))
			}
			if n%30 == 29 {
				e.MustCheck()
			}
		}
	}
	t.Log(total)
	for _, what := range []string{"reserve", "pay reserved", "pay released", "pay expired", "return", "refund", "correct paid", "correct refunded", "merge", "undo", "import"} {
		if total[what] == 0 {
			t.Errorf("never done: %s (%v)", what, total)
		}
	}
}
