package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// lifeWalk is one claim on a random way through everything that its own rules can do
// to it, with an account of its money that knows no states: what was paid, what of it
// the bank returned, and what came back.
type lifeWalk struct {
	t     *testing.T
	rnd   *rand.Rand
	claim Claim
	now   time.Time
	refs  int
	money map[int]*walkedMoney // by step
	told  []string             // what was done, for who reads a failure
	did   map[string]int
}

// walkedMoney is a step that moved money, as it stands after its corrections.
type walkedMoney struct {
	kind      ClaimStepKind
	reference string
	amount    policy.Fen
	of        int // of a return: the step of its payment
	void      bool
}

func newLifeWalk(t *testing.T, rnd *rand.Rand, did map[string]int) *lifeWalk {
	w := &lifeWalk{t: t, rnd: rnd, claim: reservedClaim(), now: claimDay, money: map[int]*walkedMoney{}, did: did}
	c := &w.claim
	switch rnd.IntN(12) {
	case 0, 1:
		c.Imported, c.State, c.Expires = &ImportedPayment{At: claimDay, Row: 1}, policy.Confirmed, time.Time{}
		c.Payment = &PaymentRecord{Payment: Payment{Reference: "P-0", PaidOn: standards.DateOf(claimDay), Amount: c.Amount}, At: claimDay, LogIndex: c.LogIndex}
		w.money[1] = &walkedMoney{kind: StepPaid, reference: "P-0", amount: c.Amount}
	case 2:
		c.Amount = 0 // a rule may give nothing
	case 3, 4, 5, 6, 7:
		c.Advance = 100000
	}
	return w
}

func (w *lifeWalk) today() standards.Date    { return standards.DateOf(w.now) }
func (w *lifeWalk) fresh(kind string) string { w.refs++; return fmt.Sprint(kind, "-", w.refs) }

func (w *lifeWalk) failf(format string, args ...any) {
	panic(walkFailed(w.story(fmt.Sprintf(format, args...))))
}

func (w *lifeWalk) story(problem string) string {
	steps := ""
	for _, s := range w.claim.viewSteps() {
		steps += fmt.Sprintf("\n  %d %s → %s %s %s of %d corrects %d void %t late %t %t at %s", s.N, s.Kind, s.State, s.Amount, s.Reference, s.Of, s.Corrects, s.Void, s.Late, s.TooLate, s.At.Format(time.DateOnly))
	}
	return fmt.Sprintf("%s\namount %s, advance %s, imported %t, now %s\n%s%s", problem, w.claim.Amount, w.claim.Advance, w.claim.Imported != nil, w.now.Format(time.DateOnly), strings.Join(w.told, "; "), steps)
}

// walkFailed is how a walk ends that found something wrong.
type walkFailed string

// inHands is what the person has, and what was ever paid, as the account knows it.
func (w *lifeWalk) inHands() (hands, ever, returned policy.Fen) {
	for _, n := range slices.Sorted(maps.Keys(w.money)) {
		m := w.money[n]
		switch {
		case m.void:
		case m.kind == StepPaid:
			ever, hands = ever+m.amount, hands+m.amount
		case m.kind == StepReturned && m.of != 0 && !w.money[m.of].void:
			returned, hands = returned+w.money[m.of].amount, hands-w.money[m.of].amount
		case m.kind == StepRefunded:
			hands -= m.amount
		}
	}
	return hands, ever, returned
}

func (w *lifeWalk) reference(kind ClaimStepKind) string {
	var all []string
	for _, n := range slices.Sorted(maps.Keys(w.money)) {
		if m := w.money[n]; m.kind == kind && !m.void {
			all = append(all, m.reference)
		}
	}
	if len(all) == 0 || w.rnd.IntN(12) == 0 {
		return w.fresh("N")
	}
	return all[w.rnd.IntN(len(all))]
}

func stored(t *testing.T, c Claim) string {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// try takes a step, and holds what it does to the claim against what every step must do.
func (w *lifeWalk) try(what string, do func(c Claim) (Claim, bool, error)) bool {
	w.t.Helper()
	was, before := w.claim, stored(w.t, w.claim)
	out, done, err := do(w.claim)
	if stored(w.t, was) != before {
		w.failf("%s changed the claim that it was asked of", what)
	}
	state := string(was.StateAt(w.now))
	if err != nil || done {
		if k := fail.KindOf(err); err != nil && (k == fail.Internal || fail.Of(err).ZH == "") {
			w.failf("%s: %v", what, err)
		}
		if stored(w.t, out) != before {
			w.failf("%s was refused or there already (%v), and changed the claim", what, err)
		}
		return false
	}
	if out, err = out.logged(out.LogIndex + 10*uint64(len(out.Steps))); err != nil {
		w.failf("%s: logged: %v", what, err)
	}
	w.claim = out
	s := out.Steps[len(out.Steps)-1]
	if want, ok := map[ClaimStepKind]policy.State{StepReleased: policy.Released, StepWithdrawn: policy.Withdrawn, StepPublicised: out.State, StepReturned: out.State}[s.Kind]; ok && s.Of == 0 {
		ev := map[ClaimStepKind]policy.Event{StepReleased: policy.Release, StepWithdrawn: policy.Withdraw, StepPublicised: policy.Publicise, StepReturned: policy.FailPayment}[s.Kind]
		if _, err := policy.Move(policy.State(state), ev); err != nil || out.State != want {
			w.failf("%s was taken in state %s: %s, %v", what, state, out.State, err)
		}
	}
	w.told = append(w.told, what)
	w.did[strings.Fields(what)[0]+" "+state]++
	w.did["in "+string(out.State)]++
	switch s.Kind {
	case StepPaid, StepReturned, StepRefunded:
		w.money[s.N] = &walkedMoney{kind: s.Kind, reference: s.Reference, amount: s.Amount, of: s.Of}
	case StepCorrected:
		if m := w.money[s.Corrects]; m != nil && s.Void {
			m.void = true
		} else if m != nil {
			m.amount, m.reference = s.Amount, s.Reference
		}
	}
	w.check(what)
	if again, done, err := do(w.claim); s.Kind != StepCorrected && (err != nil || !done || stored(w.t, again) != stored(w.t, w.claim)) {
		w.failf("%s a second time: done %t, %v", what, done, err)
	}
	return true
}

func (w *lifeWalk) check(what string) {
	w.t.Helper()
	c, l := w.claim, w.claim.life()
	report := func(problem string) { w.failf("%s: %s", what, problem) }
	replay{claim: c, report: report}.sums(l)
	hands, ever, returned := w.inHands()
	if c.InHands() != hands || hands < 0 || c.Owed() < 0 || c.Owed() > hands {
		w.failf("%s: %s in hands and %s owed, by the account %s", what, c.InHands(), c.Owed(), hands)
	}
	if sum := c.total(); sum.Paid != ever || sum.Returned != returned || sum.Paid-sum.Returned-sum.Back != hands {
		w.failf("%s: counted as %+v, by the account %s paid, %s returned", what, sum, ever, returned)
	}
	if at := c.State; (at == policy.Reserved || at == policy.Publicised || at == policy.Payable || at.GivenUp() || at == policy.Refunded) && hands != 0 {
		w.failf("%s: %s with %s in hands", what, at, hands)
	}
	if (c.State == policy.Confirmed) && hands != c.Amount || c.State == policy.PartPaid && (hands <= 0 || hands >= c.Amount) {
		w.failf("%s: %s with %s in hands", what, c.State, hands)
	}
	w.leadsOn(what)
}

// leadsOn proves that the claim is not stuck: whatever has not ended can go on to where it
// should, and what truly happens to its money can be recorded.
func (w *lifeWalk) leadsOn(what string) {
	w.t.Helper()
	c, now := w.claim, w.now
	if len(c.viewSteps()) > claimStepsSoft-5 {
		return
	}
	must := func(how string, to policy.State, next Claim, done bool, err error) Claim {
		w.t.Helper()
		if err != nil || done || next.State != to {
			w.failf("after %s: %s cannot be %s: %s (done %t), %v", what, c.StateAt(now), how, next.State, done, err)
		}
		return next
	}
	hands := c.InHands()
	pay := Payment{Reference: "probe", PaidOn: w.today(), Amount: c.Amount - hands}
	refund := Refund{Amount: c.Owed(), Reference: "probe", On: w.today(), Reason: "x", Restores: &saysNo}
	switch state := c.StateAt(now); state {
	case policy.Reserved, policy.Publicised, policy.Payable, policy.PartPaid, policy.Released, policy.Withdrawn, policy.Expired:
		next, done, err := c.Confirm(pay, nil, payerActor, now)
		must("paid with the rest", policy.Confirmed, next, done, err)
		if state.GivenUp() {
			next, done, err = c.Confirm(pay, []policy.Failure{{}}, payerActor, now)
			must("paid too late", policy.Duplicate, next, done, err)
		}
	case policy.Confirmed:
		refund.Amount = hands
		next, done, err := c.PayBack(refund, nil, payerActor, now)
		must("refunded", policy.Refunded, next, done, err)
		next, done, err = c.Recover(NewRecovery{Reason: "核查后追回", Restores: &saysNo}, nil, payerActor, now)
		must("recovered", policy.Recovering, next, done, err)
	case policy.Duplicate, policy.Recovering, policy.PartlyRefunded:
		refund.Restores = c.Recovery.Restores
		if refund.Restores == nil {
			refund.Restores = &saysNo
		}
		to := policy.Refunded
		if c.Recovery.Again {
			to = policy.Confirmed
		}
		next, done, err := c.PayBack(refund, nil, payerActor, now)
		if next = must("refunded", to, next, done, err); next.Owed() != 0 {
			w.failf("after %s and the refund %s are owed", what, next.Owed())
		}
	}
	w.returns(what)
}

// returns proves that the bank may return each payment that is in force and that nobody
// recovers, and that what was taken for returned by mistake can be put right at once.
func (w *lifeWalk) returns(what string) {
	w.t.Helper()
	c, now := w.claim, w.now
	for _, p := range c.life().payments {
		if p.Reference == "" || c.State != policy.Confirmed && c.State != policy.PartPaid && c.State != policy.Duplicate && (c.State != policy.Recovering || !c.Recovery.Again) {
			continue
		}
		next, done, err := c.Return(PaymentReturn{Payment: p.Reference, Reason: "账户状态异常", On: w.today()}, payerActor, now)
		if fail.CodeOf(err) == "return_refunded" {
			continue
		}
		if err != nil || done || next.InHands() != c.InHands()-p.Amount {
			w.failf("after %s: payment %s cannot be returned: done %t, %s in hands, %v", what, p.Reference, done, next.InHands(), err)
		}
		if len(next.Corrections) >= claimCorrectionsMax {
			continue
		}
		back, err := next.AskCorrection(NewClaimCorrection{Step: len(next.viewSteps()), Void: true, Reason: "x"}, payerActor, now)
		if err == nil {
			back, err = back.DecideCorrection(len(back.Corrections), ApproveClaimCorrection, "", otherPayer, now)
		}
		if err != nil || back.State != c.State || back.InHands() != c.InHands() || back.Owed() != c.Owed() {
			w.failf("after %s: %s was returned and the return taken away: %s, %s in hands, %s owed, %v", what, p.Reference, back.State, back.InHands(), back.Owed(), err)
		}
	}
}

func (w *lifeWalk) step() {
	on, now := w.today(), w.now
	switch w.rnd.IntN(16) {
	case 0, 1, 2, 3:
		w.pay()
	case 4, 5, 6:
		if len(w.money) == 0 && w.rnd.IntN(4) > 0 {
			return // nothing was paid
		}
		in := PaymentReturn{Payment: w.reference(StepPaid), Reason: "账户状态异常", On: on}
		w.try("return "+in.Payment, func(c Claim) (Claim, bool, error) { return c.Return(in, payerActor, now) })
	case 7, 8:
		w.refund()
	case 9:
		var law *policy.RefundRule
		if w.rnd.IntN(2) == 0 {
			law = &policy.RefundRule{}
		}
		if w.rnd.IntN(3) == 0 {
			w.try("recover", func(c Claim) (Claim, bool, error) {
				return c.Recover(NewRecovery{Reason: "核查后追回", Restores: &saysNo}, law, payerActor, now)
			})
		}
	case 10:
		if w.rnd.IntN(2) == 0 {
			w.try("release", func(c Claim) (Claim, bool, error) { return c.GiveUp("x", payerActor, now) })
		} else {
			w.try("withdraw", func(c Claim) (Claim, bool, error) { return c.Withdraw("x", payerActor, now) })
		}
	case 11:
		w.beforeMoney()
	case 12:
		w.now = w.now.AddDate(0, 0, w.rnd.IntN(25))
	default:
		w.correct()
	}
}

// beforeMoney is what a claim does before it is paid.
func (w *lifeWalk) beforeMoney() {
	on, now := w.today(), w.now
	switch w.rnd.IntN(4) {
	case 0:
		in := ClaimExtension{Until: standards.DateOf(w.claim.Expires).AddDays(1 + w.rnd.IntN(60)), Reason: "材料补正"}
		w.try("extend", func(c Claim) (Claim, bool, error) { return c.Extend(in, lockRules, payerActor, now) })
	case 1:
		w.try("publicise", func(c Claim) (Claim, bool, error) {
			return c.Publicise(NewClaimPublicity{From: on}, lockRules, standards.Calendar{}, payerActor, now)
		})
	case 2:
		reason := w.fresh("异议")
		w.try("object", func(c Claim) (Claim, bool, error) { return c.Object(reason, payerActor, now) })
	default:
		free := lockRules
		free.PublicityDays = 5 * w.rnd.IntN(2)
		w.try("payable", func(c Claim) (Claim, bool, error) { return c.MakePayable("", free, payerActor, now) })
	}
}

func (w *lifeWalk) pay() {
	c, now := w.claim, w.now
	in := Payment{Reference: w.fresh("P"), PaidOn: w.today(), Amount: max(c.Amount-c.InHands(), 0)}
	switch w.rnd.IntN(6) {
	case 0:
		in.Amount = 50000
	case 1:
		in.Amount = policy.Fen(w.rnd.IntN(int(c.Amount) + 2))
	case 2:
		in.Amount = c.Amount
	}
	if w.rnd.IntN(8) == 0 {
		in.Reference = w.reference(StepPaid)
	}
	var taken []policy.Failure
	if w.rnd.IntN(2) == 0 {
		taken = []policy.Failure{{Reason: policy.OnceTaken}}
	}
	if c.Imported != nil && c.StateAt(now).GivenUp() {
		return // no policy says whether the right is free: see payClaim
	}
	w.try("pay "+in.Reference, func(c Claim) (Claim, bool, error) { return c.Confirm(in, taken, payerActor, now) })
}

func (w *lifeWalk) refund() {
	c, now := w.claim, w.now
	restores := w.rnd.IntN(2) == 0
	in := Refund{Amount: c.Owed(), Reference: w.fresh("R"), On: w.today(), Reason: "追回", Restores: &restores}
	if c.Recovery != nil && c.Recovery.Restores != nil {
		in.Restores = c.Recovery.Restores
	}
	switch w.rnd.IntN(5) {
	case 0:
		in.Amount = c.InHands()
	case 1, 2:
		in.Amount = c.InHands() / 3
	case 3:
		in.Amount, in.Reference = max(c.Owed(), c.InHands()), ""
		if c.Owed() > 0 {
			in.Amount = c.Owed()
		}
	}
	w.try("refund "+in.Reference, func(c Claim) (Claim, bool, error) { return c.PayBack(in, nil, payerActor, now) })
}

func (w *lifeWalk) correct() {
	steps := w.claim.viewSteps()
	if len(steps) == 0 {
		return
	}
	s := steps[w.rnd.IntN(len(steps))]
	in := NewClaimCorrection{Step: s.N, Reason: "登记有误"}
	amount := policy.Fen(w.rnd.IntN(int(w.claim.Amount) + 2))
	switch w.rnd.IntN(6) {
	case 0:
		in.Amount = &amount
	case 1:
		in.Reference = w.fresh("K")
	case 2:
		in.On = w.today()
	default:
		in.Void = true
	}
	if m := w.money[s.N]; in.Void && m != nil && m.kind == StepReturned && !m.void && m.of != 0 && !w.money[m.of].void {
		what := fmt.Sprintf("unreturn %d", in.Step)
		if !w.try(what, w.correcting(in)) {
			w.did["unreturn refused"]++
			if !w.rests(in.Step) {
				w.failf("%s was refused, and nothing rests on it", what)
			}
		}
		return
	}
	before, old := w.claim, ClaimStep{}
	if s, ok := before.standing(s.N); ok {
		old = s
	}
	if !w.try(fmt.Sprintf("correct %d (void %t)", in.Step, in.Void), w.correcting(in)) || in.Void || w.rnd.IntN(2) == 0 {
		return
	}
	if w.try(fmt.Sprintf("correct %d back", in.Step), w.correcting(NewClaimCorrection{Step: in.Step, Amount: &old.Amount, Reference: old.Reference, On: old.On, Reason: "原登记无误"})) {
		if was, is := before.life(), w.claim.life(); was.state != is.state || !reflect.DeepEqual(was.payments, is.payments) || was.paid != is.paid || was.back != is.back || was.again != is.again || was.settled != is.settled {
			w.failf("corrected and back: %+v, before %+v", is, was)
		}
	}
}

// rests reports whether something stands on a false return that has to be corrected first:
// money that came back, or a recovery, of less than the person turns out to have; a late
// part; or payments of nothing, of which none is too much.
func (w *lifeWalk) rests(n int) bool {
	if w.claim.Amount == 0 || len(w.claim.Corrections) >= claimCorrectionsMax || len(w.claim.Steps) >= claimStepsMax {
		return true
	}
	return slices.ContainsFunc(effectiveSteps(w.claim.viewSteps()), func(s ClaimStep) bool {
		return s.N > n && (s.Kind == StepRefunded || s.Kind == StepRecovery || s.Late && s.Amount < w.claim.Amount)
	})
}

// correcting asks for a correction, and a second account approves it.
func (w *lifeWalk) correcting(in NewClaimCorrection) func(c Claim) (Claim, bool, error) {
	now := w.now
	return func(c Claim) (Claim, bool, error) {
		out, err := c.AskCorrection(in, payerActor, now)
		if err != nil {
			return c, false, err
		}
		n := len(out.Corrections)
		if out, err = out.DecideCorrection(n, ApproveClaimCorrection, "", otherPayer, now); err != nil {
			return c, false, fmt.Errorf("asked for and not decided: %w", err)
		}
		out.Corrections[n-1].Ended = out.LogIndex + 10*uint64(len(out.Steps))
		return out, false, nil
	}
}

// Whatever becomes of a claim: its money is conserved, it is never stuck, what is said
// again changes nothing, what is refused neither, and its steps fold to what it says.
func TestRandomLivesOfOneClaim(t *testing.T) {
	seed, walks := uint64(20261122), 900
	if s := os.Getenv("BAJIGONG_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	if testing.Short() {
		walks = 300
	}
	did, failed := map[string]int{}, 0
	for i := range walks {
		func() {
			defer func() {
				switch x := recover().(type) {
				case nil:
				case walkFailed:
					if failed++; failed <= 3 {
						t.Error(x)
					}
				default:
					panic(x)
				}
			}()
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			w := newLifeWalk(t, rnd, did)
			w.told = []string{fmt.Sprintf("BAJIGONG_SEED=%d, walk %d", seed, i)}
			for range 8 + rnd.IntN(28) {
				w.step()
			}
			replay{claim: w.claim, report: func(problem string) { w.failf("%s", problem) }}.steps()
		}()
	}
	if failed > 0 {
		t.Errorf("%d of %d walks failed", failed, walks)
	}
	t.Log(did)
	for _, what := range []string{"pay part_paid", "pay duplicate", "pay released", "pay payable", "return recovering", "return partly_refunded", "return duplicate",
		"refund recovering", "refund partly_refunded", "refund duplicate", "recover confirmed", "correct refunded", "correct confirmed", "extend publicised", "object publicised",
		"unreturn released", "unreturn withdrawn", "unreturn duplicate", "unreturn part_paid", "in refunded", "in recovering"} {
		if did[what] == 0 && failed == 0 && !testing.Short() && os.Getenv("BAJIGONG_SEED") == "" {
			t.Errorf("never seen: %s", what)
		}
	}
}
