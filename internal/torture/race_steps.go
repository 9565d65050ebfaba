package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// raceMoves are the steps of a storm by name, and how often each is taken.
var raceMoves = []struct {
	weight int
	do     func(raceStep, context.Context)
}{
	movePublicise: {4, func(h raceStep, ctx context.Context) {
		h.post(ctx, "publicise", "publicity", registry.NewClaimPublicity{From: h.today})
	}},
	moveObject: {1, func(h raceStep, ctx context.Context) {
		h.post(ctx, "object", "objection", map[string]string{"reason": "异议 " + h.n})
	}},
	moveExtend: {2, func(h raceStep, ctx context.Context) {
		h.post(ctx, "extend", "extend", registry.ClaimExtension{Until: h.today.AddDays(30 + h.rnd.IntN(120)), Reason: "延长 " + h.n})
	}},
	movePayable: {4, func(h raceStep, ctx context.Context) {
		h.post(ctx, "payable", "payable", map[string]string{"document": "批复 " + h.n})
	}},
	movePay:    {5, raceStep.pay},
	movePayout: {3, raceStep.payout},
	moveReturn: {1, func(h raceStep, ctx context.Context) {
		h.post(ctx, "return", "return", registry.PaymentReturn{Payment: h.payment(), Reason: "账户异常", On: h.today})
	}},
	moveRelease: {2, func(h raceStep, ctx context.Context) {
		h.post(ctx, "release", "release", map[string]string{"reason": "解除 " + h.n})
	}},
	moveWithdraw: {2, func(h raceStep, ctx context.Context) {
		h.post(ctx, "withdraw", "withdraw", map[string]string{"reason": "撤回 " + h.n})
	}},
	moveRecover: {2, func(h raceStep, ctx context.Context) {
		h.post(ctx, "recover", "recovery", registry.NewRecovery{Reason: "追回", Restores: h.c.restores()})
	}},
	moveRefund:  {4, raceStep.refund},
	moveCorrect: {5, raceStep.correct},
	moveForeign: {1, raceStep.foreign},
	moveAgain:   {4, raceStep.again},
}

const (
	movePublicise = iota
	moveObject
	moveExtend
	movePayable
	movePay
	movePayout
	moveReturn
	moveRelease
	moveWithdraw
	moveRecover
	moveRefund
	moveCorrect
	moveForeign
	moveAgain
)

// raceFits are the steps that may come next in a state. Half of all steps are
// chosen so: whatever the state, most of the others are refused.
var raceFits = map[policy.State][]int{
	policy.Reserved: {movePublicise, movePublicise, moveExtend, movePay, movePayout, moveRelease}, policy.Publicised: {movePayable, movePayable, movePayable, moveObject, movePay},
	policy.Payable: {movePay, movePayout, moveWithdraw}, policy.PartPaid: {movePay, moveCorrect, moveRefund},
	policy.Confirmed: {moveReturn, moveRecover, moveRefund, moveCorrect, movePayout}, policy.Duplicate: {moveReturn, moveRefund, moveCorrect},
	policy.Recovering: {moveRefund, moveCorrect}, policy.PartlyRefunded: {moveRefund, moveCorrect}, policy.Refunded: {moveCorrect},
	policy.Released: {movePay, movePayout}, policy.Withdrawn: {movePay}, policy.Expired: {movePay, movePayout},
}

// handle takes a step with a claim.
func (s *RaceStorm) handle(ctx context.Context, rnd *rand.Rand, payer int, c *raceClaim) {
	h := raceStep{s, rnd, payer, s.plan.Payers[payer][rnd.IntN(2)], c, standards.DateOf(s.now()), strconv.Itoa(rnd.IntN(1_000_000))}
	if fit := raceFits[c.last().State]; len(fit) > 0 && rnd.IntN(2) == 0 {
		raceMoves[fit[rnd.IntN(len(fit))]].do(h, ctx)
		return
	}
	all := 0
	for _, m := range raceMoves {
		all += m.weight
	}
	n := rnd.IntN(all)
	for _, m := range raceMoves {
		if n -= m.weight; n < 0 {
			m.do(h, ctx)
			return
		}
	}
}

// raceStep is a step that is being taken.
type raceStep struct {
	*RaceStorm
	rnd   *rand.Rand
	payer int
	by    raceAccount
	c     *raceClaim
	today standards.Date
	n     string // a reference
}

func (h raceStep) post(ctx context.Context, what, path string, in any) bool {
	v, err := h.server.claim(ctx, h.by, h.c.ask.ID, path, in)
	if err == nil {
		h.c.saw(v)
	}
	return h.count(ctx, what, err)
}

// pay confirms the whole, what is left of it, or a part: an advance where the
// policy has one, else one that has to be refused.
func (h raceStep) pay(ctx context.Context) {
	v := h.c.last()
	amount, what := h.c.amount-v.InHands, "confirm"
	if h.rnd.IntN(20) == 0 || h.c.advance > 0 && v.InHands == 0 && h.rnd.IntN(3) > 0 {
		if amount, what = h.c.amount/policy.Fen(2+h.rnd.IntN(3)), "confirm a part"; h.c.advance > 0 {
			what = "advance"
		}
	}
	h.post(ctx, what, "confirm", registry.Payment{Reference: "P-" + h.n, PaidOn: h.today, Amount: amount})
}

// payout reports a batch: the claim paid or returned, another claim paid, and a line
// of a claim that there is not.
func (h raceStep) payout(ctx context.Context) {
	v := h.c.last()
	line := registry.PayoutLine{Claim: h.c.ask.ID, Amount: h.c.amount - v.InHands, PaidOn: h.today, Payment: "B-" + h.n, Result: registry.LinePaid}
	if len(v.Payments) > 0 {
		newest := v.Payments[len(v.Payments)-1]
		line.Payment, line.Amount, line.Result, line.Reason = newest.Reference, newest.Amount, registry.LineFailed, "账户异常"
	}
	if line.Amount <= 0 {
		line.Amount = h.c.amount
	}
	in := registry.NewPayout{Reference: h.unique("batch"), Lines: []registry.PayoutLine{line,
		{Reference: "R-none-" + h.n, Amount: 100, PaidOn: h.today, Payment: "B-none-" + h.n, Result: registry.LinePaid}}}
	h.mu.Lock()
	if open := h.open[h.payer]; len(open) > 0 {
		if o := open[len(open)-1-h.rnd.IntN(min(len(open), h.plan.Size.People))]; o != h.c {
			in.Lines = append(in.Lines, registry.PayoutLine{Reference: o.ask.Reference, Amount: o.amount, PaidOn: h.today, Payment: "C-" + h.n, Result: registry.LinePaid})
		}
	}
	h.mu.Unlock()
	var out registry.Payout
	if !h.count(ctx, "payout", h.server.post(ctx, h.by, "/api/v1/payouts", "", in, &out)) {
		return
	}
	for outcome, n := range out.Outcomes {
		for range n {
			h.tally("line " + string(outcome))
		}
	}
	if out.State != registry.PayoutDone || out.Done != len(in.Lines) || out.Outcomes[registry.OutcomeRefused] == 0 {
		h.problem("payout %s ended %s after %d of %d lines: %v", out.ID, out.State, out.Done, len(in.Lines), out.Outcomes)
	}
}

func (h raceStep) refund(ctx context.Context) {
	v := h.c.last()
	in := registry.Refund{Amount: max(v.InHands, 1), On: h.today, Reason: "追回", Restores: h.c.restores()}
	if h.rnd.IntN(2) == 0 {
		in.Amount, in.Reference = h.c.amount/policy.Fen(2+h.rnd.IntN(3)), "Z-"+h.n
	}
	h.post(ctx, "refund", "refund", in)
}

// payment is the reference of one of the claim's payments, or of one that was
// never reported.
func (h raceStep) payment() string {
	payments := h.c.last().Payments
	if len(payments) == 0 || h.rnd.IntN(5) == 0 {
		return "P-none-" + h.n
	}
	return payments[h.rnd.IntN(len(payments))].Reference
}

// correct asks for the correction of a step, or decides on one that waits. A
// correction needs two people: what the first one could approve is a problem.
func (h raceStep) correct(ctx context.Context) {
	v := h.c.last()
	if n := len(v.Corrections); n > 0 && v.Corrections[n-1].State == registry.ClaimCorrectionProposed {
		h.decide(ctx, v.Corrections[n-1])
		return
	}
	var fit []registry.ClaimStep
	for _, s := range v.Steps {
		switch s.Kind {
		case registry.StepPaid, registry.StepReturned, registry.StepRefunded, registry.StepRecovery:
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		return
	}
	step := fit[h.rnd.IntN(len(fit))]
	in := registry.NewClaimCorrection{Step: step.N, Reason: "更正 " + h.n}
	switch h.rnd.IntN(4) {
	case 0:
		in.Reference = "K-" + h.n
	case 1:
		amount := h.c.amount / policy.Fen(1+h.rnd.IntN(3))
		in.Amount = &amount
	default:
		in.Void = true
	}
	if h.post(ctx, "propose correction", "corrections", in) && h.rnd.IntN(3) > 0 {
		if v = h.c.last(); len(v.Corrections) > 0 {
			h.decide(ctx, v.Corrections[len(v.Corrections)-1])
		}
	}
}

func (h raceStep) decide(ctx context.Context, x registry.ClaimCorrection) {
	accounts := h.plan.Payers[h.payer]
	first, second := accounts[0], accounts[1]
	if x.By == second.Account {
		first, second = second, first
	}
	path := fmt.Sprintf("corrections/%d/", x.N)
	if h.rnd.IntN(8) == 0 {
		if _, err := h.server.claim(ctx, first, h.c.ask.ID, path+"approve", nil); err == nil {
			h.problem("claim %s, correction %d: who asked for it could approve it", h.c.ask.ID, x.N)
		}
	}
	do, by, in := "approve", second, any(nil)
	switch h.rnd.IntN(8) {
	case 0:
		do, in = "reject", map[string]string{"reason": "不予更正 " + h.n}
	case 1:
		do, by = "withdraw", first
	}
	h.by = by
	h.post(ctx, do+" correction", path+do, in)
}

// foreign touches the claim of another payer, for which it is not there.
func (h raceStep) foreign(ctx context.Context) {
	_, err := h.server.claim(ctx, h.plan.Payers[(h.payer+1)%len(racePayers)][0], h.c.ask.ID, "release", map[string]string{"reason": "解除 " + h.n})
	if h.count(ctx, "foreign", err); fail.KindOf(err) != fail.NotFound && ctx.Err() == nil {
		h.problem("payer %d could touch claim %s of payer %d: %v", (h.payer+1)%len(racePayers), h.c.ask.ID, h.payer, err)
	}
}

// again sends the request of the claim once more.
func (h raceStep) again(ctx context.Context) {
	var answer raceAnswer
	err := h.server.post(ctx, h.by, "/api/v1/claims", "", h.c.ask.request(h.plan), &answer)
	h.count(ctx, "again", err)
	if ctx.Err() != nil {
		return
	}
	if err != nil || answer.Claim == nil || answer.Claim.ID != h.c.ask.ID || answer.Outcome != policy.Allow {
		h.problem("reference %s does not answer claim %s again: %v", h.c.ask.Reference, h.c.ask.ID, err)
		return
	}
	h.c.saw(*answer.Claim)
}
