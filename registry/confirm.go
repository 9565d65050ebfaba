package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Payment is money that a payer has paid out.
type Payment struct {
	Reference string         `json:"reference"`  // the payment's own, 1 to 64 characters, nothing personal
	PaidOn    standards.Date `json:"paid_on"`    // 发放日期
	Amount    policy.Fen     `json:"amount_fen"` // as decided
}

// PaymentRecord is a payment as the claim keeps it.
type PaymentRecord struct {
	Payment
	Late     bool      `json:"late,omitempty"` // reported after the reservation had ended
	At       time.Time `json:"at"`
	By       string    `json:"by"` // account id
	LogIndex uint64    `json:"log_index"`
}

// ConfirmClaim records that a claim was paid 确认发放. It is idempotent by the
// payment's reference. A payment reported after the reservation was released or
// expired is recorded all the same: as confirmed when the right is still free,
// else as paid twice 重复发放 with a recovery item. Invalid: the payment is not
// complete, or its amount is not the decided one; Conflict: the claim was
// refused, refunded, or paid under another reference.
func (r *Registry) ConfirmClaim(ctx context.Context, by Actor, id string, pay Payment) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, ClaimConfirmed, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		var taken []policy.Failure
		if s := c.StateAt(tx.Now()); s == policy.Released || s == policy.Expired {
			var err error
			if taken, err = r.takenFrom(tx, c, tx.Now()); err != nil {
				return c, false, err
			}
		}
		return c.Confirm(pay, taken, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("confirm claim: %w", err)
	}
	return out, nil
}

// Confirm is the rule: it answers the claim with the payment. taken is what
// stands against a late payment among the person's other claims. done says that
// this payment was recorded before.
func (c Claim) Confirm(pay Payment, taken []policy.Failure, by Actor, now time.Time) (out Claim, done bool, err error) {
	reference, bad := plainText("reference", "支付流水号", pay.Reference, 64)
	pay.Reference = reference
	if !pay.PaidOn.Valid() || pay.PaidOn > standards.DateOf(now) || pay.PaidOn < standards.DateOf(c.Reserved) {
		bad = append(bad, fail.Field{Name: "paid_on", Code: "date", ZH: "发放日期应不早于锁定当日、不晚于今天",
			EN: "paid_on is a date from the day of the reservation to today"})
	}
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "payment", "the payment is not complete").In("发放信息有误").At(bad...)
	}
	if c.Payment != nil && c.Payment.Reference == pay.Reference {
		if c.Payment.Payment != pay {
			return c, false, fail.New(fail.Conflict, "payment_reference_reused", "payment %s was reported with %s yuan on %s", pay.Reference, c.Payment.Amount, c.Payment.PaidOn).
				In("支付流水号 %s 已登记：%s 元，%s", pay.Reference, c.Payment.Amount, c.Payment.PaidOn)
		}
		return c, true, nil
	}
	event := policy.Payment(c.StateAt(now), taken)
	to, err := policy.Move(c.StateAt(now), event)
	if err != nil {
		return c, false, err
	}
	if pay.Amount != c.Amount {
		return c, false, fail.New(fail.Invalid, "payment", "%s yuan were paid, %s yuan were decided", pay.Amount, c.Amount).
			In("实际发放 %s 元，与核定的 %s 元不一致", pay.Amount, c.Amount).
			At(fail.Field{Name: "amount_fen", Code: "amount", ZH: "应为核定金额 " + c.Amount.String() + " 元", EN: "the decided amount is " + c.Amount.String() + " yuan"})
	}
	c.State = to
	c.Payment = &PaymentRecord{Payment: pay, Late: event != policy.Confirm, At: now, By: by.Account}
	if to.MustRecover() {
		c.Recovery = &RecoveryItem{Amount: pay.Amount, Opened: now}
	}
	return c, false, nil
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
	in, ok := r.complete(in, basis)
	if !ok {
		in.Equivalence = r.samenessOn(standards.DateOf(now)) // what is the same is asked of the present table
	}
	return p.Taken(in), nil
}
