package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/text/unicode/norm"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Payment is money that a payer has paid out.
type Payment struct {
	Reference string         `json:"reference"`  // the payment's own, 1 to 64 characters, nothing personal
	PaidOn    standards.Date `json:"paid_on"`    // 发放日期
	Amount    policy.Fen     `json:"amount_fen"` // as decided, or a part that may be paid in advance 先行拨付
}

// PaymentRecord is a payment as the claim keeps it.
type PaymentRecord struct {
	Payment
	Late bool `json:"late,omitempty"` // reported after the claim had been given up
	// Unpublicised says that the rules asked for a publicity that was not over.
	Unpublicised bool      `json:"unpublicised,omitempty"`
	Payout       string    `json:"payout,omitempty"` // the batch that reported it
	Step         int       `json:"step,omitempty"`
	At           time.Time `json:"at"`
	By           string    `json:"by"` // account id
	LogIndex     uint64    `json:"log_index"`
}

// ConfirmClaim records that a claim was paid 确认发放, or a part of it where the
// decision allows an advance 先行拨付: the claim is confirmed when the whole decided
// amount is paid. It is idempotent by the payment's reference. A payment that was
// made is always recorded: one before the end of a publicity that the rules ask is
// marked so; one reported after the claim was given up or has expired is confirmed
// when the right is still free, else paid twice 重复发放 with a recovery item.
//
// Invalid payment: it is not complete, or its amount is neither what is still to
// be paid nor within the advance. Conflict claim_move: the claim was refused, paid
// or is recovered; payment_reference_reused; payment_returned: that payment was
// reported as refused by the bank.
func (r *Registry) ConfirmClaim(ctx context.Context, by Actor, id string, pay Payment) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		return r.payClaim(tx, by, c, paying{Payment: pay})
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("confirm claim: %w", err)
	}
	return out, nil
}

// paying is a payment on its way into a claim.
type paying struct {
	Payment
	payout       string // the batch that reports it; none for a single one
	line         int
	unpublicised bool
}

// payClaim reads what decides a payment and lets the rule take it.
func (r *Registry) payClaim(tx kv.Tx, by Actor, c Claim, p paying) (Claim, bool, error) {
	var taken []policy.Failure
	if c.StateAt(tx.Now()).GivenUp() {
		if c.Imported != nil {
			return c, false, fail.New(fail.Conflict, "claim_imported", "claim %s is a payment of the past that was given up; no policy here says whether the right is free: reserve a claim anew", c.ID).
				In("申领 %s 为历史台账补录且已终止，本系统没有其政策依据，无法判断资格是否仍在；请重新锁定", c.ID)
		}
		var err error
		if taken, err = r.takenFrom(tx, c, tx.Now()); err != nil {
			return c, false, err
		}
	}
	rules, ok := r.cfg.Rules.Locks.On(c.Region, string(standards.DateOf(tx.Now())))
	p.unpublicised = ok && rules.PublicityDays > 0 && !c.Publicity.over(standards.DateOf(tx.Now()))
	return c.pay(p, taken, by, tx.Now())
}

// Confirm is the rule: it answers the claim with the payment. taken is what
// stands against a late payment among the person's other claims. done says that
// this payment was recorded before.
func (c Claim) Confirm(pay Payment, taken []policy.Failure, by Actor, now time.Time) (out Claim, done bool, err error) {
	return c.pay(paying{Payment: pay}, taken, by, now)
}

func (c Claim) pay(p paying, taken []policy.Failure, by Actor, now time.Time) (out Claim, done bool, err error) {
	var bad []fail.Field
	p.Reference, bad = plainText("reference", "支付流水号", p.Reference, 64)
	if bad = append(bad, c.paidOn("paid_on", p.PaidOn, now)...); len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "payment", "the payment is not complete").In("发放信息有误").At(bad...)
	}
	if done, err := c.paidBefore(p.Payment); done || err != nil {
		return c, done, err
	}
	state, paid := c.StateAt(now), c.life().net()
	if p.Amount > c.Amount && c.State != StateRefused { // no sum below may overflow
		return c, false, wrongAmount(p.Amount, c.Amount, paid, c.Advance)
	}
	event := policy.Payment(state, taken)
	if paid+p.Amount != c.Amount {
		event = policy.PartPayment(state, taken)
	}
	if _, err := policy.Move(state, event); err != nil {
		return c, false, err
	}
	if paid+p.Amount != c.Amount && (p.Amount <= 0 || paid+p.Amount > c.Advance) {
		return c, false, wrongAmount(p.Amount, c.Amount, paid, c.Advance)
	}
	out, err = c.take(ClaimStep{Kind: StepPaid, Amount: p.Amount, Reference: p.Reference, On: p.PaidOn, Payout: p.payout, Line: p.line,
		Late:    event == policy.LatePayment || event == policy.LatePart || event == policy.LatePaymentTooLate,
		TooLate: event == policy.LatePaymentTooLate, Unpublicised: p.unpublicised}, by, now)
	return out, false, err
}

// paidOn says what is wrong with the civil day on which money moved.
func (c Claim) paidOn(field string, on standards.Date, now time.Time) []fail.Field {
	if on.Valid() && on <= standards.DateOf(now) && on >= standards.DateOf(c.Reserved) {
		return nil
	}
	return []fail.Field{{Name: field, Code: "date", ZH: "日期应不早于锁定当日、不晚于今天", EN: "on or after the day of the reservation, and not after today"}}
}

// paidBefore reports whether a payment is on the claim already, under its
// reference. A payment that a correction took away is not.
func (c Claim) paidBefore(pay Payment) (bool, error) {
	steps := effectiveSteps(c.viewSteps())
	for _, s := range steps {
		if s.Reference != pay.Reference {
			continue
		}
		switch {
		case s.Kind == StepPaid && s.Amount == pay.Amount && s.On == pay.PaidOn:
			return true, nil
		case s.Kind == StepPaid:
			return false, fail.New(fail.Conflict, "payment_reference_reused", "payment %s was reported with %s yuan on %s", pay.Reference, s.Amount, s.On).
				In("支付流水号 %s 已登记：%s 元，%s；如登记有误，请申请更正", pay.Reference, s.Amount, s.On)
		case failedAttempt(s, steps):
			return false, fail.New(fail.Conflict, "payment_returned", "payment %s was reported as refused by the bank; a new payment has a new reference", pay.Reference).
				In("支付流水号 %s 已登记为退票；重新拨付请使用新的流水号，登记有误请申请更正", pay.Reference)
		}
	}
	return false, nil
}

// failedAttempt reports whether a step is the bank's refusal of a payment that is not
// recorded as made: it never was, or a correction took it away. steps are the effective ones.
func failedAttempt(s ClaimStep, steps []ClaimStep) bool {
	return s.Kind == StepReturned && !slices.ContainsFunc(steps, func(p ClaimStep) bool { return p.N == s.Of && p.Kind == StepPaid })
}

// returnedBefore reports whether the return of a payment is on the claim already, under
// the reference that was stated then or the one that its payment has now.
func (c Claim) returnedBefore(reference string) bool {
	steps := effectiveSteps(c.viewSteps())
	return slices.ContainsFunc(steps, func(s ClaimStep) bool {
		return s.Kind == StepReturned && (s.Reference == reference ||
			slices.ContainsFunc(steps, func(p ClaimStep) bool { return p.Kind == StepPaid && p.N == s.Of && p.Reference == reference }))
	})
}

// wrongAmount refuses an amount that is neither what is still to be paid nor
// within the advance.
func wrongAmount(amount, decided, paid, advance policy.Fen) error {
	rest := decided - paid
	zh, en := fmt.Sprintf("应为核定金额 %s 元", decided), fmt.Sprintf("the decided amount is %s yuan", decided)
	if paid > 0 && rest > 0 {
		zh, en = fmt.Sprintf("已发放 %s 元，应为余额 %s 元", paid, rest), fmt.Sprintf("%s yuan were paid, %s yuan are left", paid, rest)
	}
	if advance > paid {
		zh, en = fmt.Sprintf("%s，或不超过 %s 元的先行拨付", zh, advance-paid), fmt.Sprintf("%s, or an advance of at most %s yuan", en, advance-paid)
	}
	return fail.New(fail.Invalid, "payment", "%s yuan were paid, %s yuan were decided", amount, decided).
		In("实际发放 %s 元，与核定的 %s 元不一致", amount, decided).
		At(fail.Field{Name: "amount_fen", Code: "amount", ZH: zh, EN: en})
}

// PaymentReturn is a bank return 退票: money of a payment that did not reach the
// person.
type PaymentReturn struct {
	Payment string         `json:"payment"` // reference of the payment
	Reason  string         `json:"reason"`  // as the bank says it, 1 to 200 characters; no name, no account
	On      standards.Date `json:"on"`      // day of the return
}

// ReturnPayment records that the bank returned a payment 退票, before or after it
// was confirmed. The claim is to be paid again 待拨付 and keeps the right; one that
// was paid twice is released, since it had none. A payment that was never reported
// as made is recorded as failed and leaves the state as it is. Recorded again
// nothing changes. Invalid return; Conflict claim_move: the money is recovered, or
// nothing is open.
func (r *Registry) ReturnPayment(ctx context.Context, by Actor, id string, in PaymentReturn) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		return c.Return(in, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("return payment: %w", err)
	}
	return out, nil
}

// Return is the rule of ReturnPayment. done says that it was recorded before.
func (c Claim) Return(in PaymentReturn, by Actor, now time.Time) (out Claim, done bool, err error) {
	return c.giveBack(in, "", 0, by, now)
}

func (c Claim) giveBack(in PaymentReturn, payout string, line int, by Actor, now time.Time) (out Claim, done bool, err error) {
	reference, bad := plainText("payment", "支付流水号", in.Payment, 64)
	reason, more := bankText("reason", "退票原因", in.Reason)
	bad = append(append(bad, more...), c.paidOn("on", in.On, now)...)
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "return", "the return is not complete").In("退票信息有误").At(bad...)
	}
	step := ClaimStep{Kind: StepReturned, Reference: reference, Reason: reason, On: in.On, Payout: payout, Line: line}
	for _, p := range c.life().payments {
		if p.Reference == reference {
			step.Of, step.Amount = p.Step, p.Amount
		}
	}
	if step.Of == 0 {
		if c.returnedBefore(reference) {
			return c, true, nil
		}
		if _, err := policy.Move(c.StateAt(now), policy.FailPayment); err != nil {
			return c, false, err
		}
	}
	out, err = c.take(step, by, now)
	return out, false, err
}

// returnedWhole refuses the return of a payment in force under another amount than it has:
// a bank returns a payment whole, and a line that says otherwise may be of another claim.
func (c Claim) returnedWhole(payment string, amount policy.Fen) error {
	for _, p := range c.life().payments {
		if p.Reference == payment && p.Amount != amount {
			return fail.New(fail.Invalid, "return", "payment %q is of %s yuan, and %s yuan were returned; a return is of a whole payment", p.Reference, p.Amount, amount).
				In("支付流水号 %s 的发放金额为 %s 元，退票金额为 %s 元；退票为整笔，请核对", p.Reference, p.Amount, amount).
				At(fail.Field{Name: "amount_fen", Code: "amount", ZH: "应为 " + p.Amount.String() + " 元", EN: p.Amount.String() + " yuan"})
		}
	}
	return nil
}

// bankText is plainText for what a bank writes, which must not name an account.
func bankText(field, zhName, text string) (string, []fail.Field) {
	text, bad := plainText(field, zhName, text, 200)
	run := 0
	for _, r := range norm.NFKC.String(text) {
		if r >= '0' && r <= '9' {
			run++
		} else if !spacesDigits(r) {
			run = 0
		}
		if run == 12 && bad == nil {
			bad = []fail.Field{{Name: field, Code: "personal", ZH: zhName + "不得含有银行账号", EN: field + " must not contain an account number"}}
		}
	}
	return text, bad
}

// takenFrom is what stands against a claim whose reservation has ended: what the
// rules that rest on claims and holdings find among the person's other claims.
func (r *Registry) takenFrom(rd kv.Reader, c Claim, now time.Time) ([]policy.Failure, error) {
	p, err := r.policyOf(rd, c)
	if err != nil {
		return nil, err
	}
	basis, _, err := r.claimBasis(rd, c)
	if err != nil {
		return nil, err
	}
	held, err := r.holdings(rd, c.Person)
	if err != nil {
		return nil, err
	}
	all, err := personClaims(rd, c.Person)
	if err != nil {
		return nil, err
	}
	in := policy.Input{Now: now, Received: basis.Received, Payer: c.Payer}
	for _, h := range held {
		in.Others = append(in.Others, claimed(h.Certificate, h.Status, standards.DateOf(now)))
		if h.Number == c.Certificate {
			in.Certificate = claimed(h.Certificate, h.Status, standards.DateOf(now))
		}
	}
	in.Claims, in.Facts = pastClaims(p, all, c.ID, basis.Facts)
	in, ok := r.complete(rd, in, basis)
	if !ok {
		in.Equivalence = r.samenessOn(standards.DateOf(now)) // what is the same is asked of the present table
	}
	return p.Taken(in), nil
}
