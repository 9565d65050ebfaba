package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// Refund is money that came back 追回. Amount is the whole that was paid: until
// all of it is back, the claim stays paid. Restores says whether the person may
// claim again; it has to be said, since nobody may guess it.
type Refund struct {
	Amount   policy.Fen `json:"amount_fen"`
	Reason   string     `json:"reason"` // 1 to 200 characters, nothing personal
	Restores *bool      `json:"restores_right"`
}

// RefundRecord is a refund as the claim keeps it.
type RefundRecord struct {
	Amount   policy.Fen `json:"amount_fen"`
	Reason   string     `json:"reason"`
	Restores bool       `json:"restores_right"`
	At       time.Time  `json:"at"`
	By       string     `json:"by"` // account id
	LogIndex uint64     `json:"log_index"`
}

// RefundClaim records that the money of a claim came back. Where the policy's
// text says whether a refund gives the right back, Restores must agree with it;
// where it is silent, later claims go by what is recorded here. The same refund
// again changes nothing. Invalid: the refund is not complete or not the whole;
// Conflict: nothing was paid, or another refund was recorded.
func (r *Registry) RefundClaim(ctx context.Context, by Actor, id string, in Refund) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, ClaimRefunded, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		p, err := r.policyOf(tx, c)
		if err != nil {
			return c, false, err
		}
		return c.PayBack(in, p.Refund, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("refund claim: %w", err)
	}
	return out, nil
}

// PayBack is the rule of RefundClaim. law is what the claim's policy says about
// refunds, nil when it is silent. done says that this refund was recorded before.
func (c Claim) PayBack(in Refund, law *policy.RefundRule, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "追回原因", in.Reason, 200)
	switch {
	case in.Restores == nil:
		bad = append(bad, fail.Field{Name: "restores_right", Code: "required", ZH: "请写明追回后是否恢复申领资格（true 或 false）",
			EN: "say whether the refund gives the right to claim back: true or false"})
	case law != nil && law.RestoresRight != *in.Restores:
		bad = append(bad, fail.Field{Name: "restores_right", Code: "policy", ZH: "与政策不符：" + law.Clause + " " + law.ZH,
			EN: "the policy says otherwise: " + law.Clause + " " + law.EN})
	}
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "refund", "the refund is not complete").In("追回信息有误").At(bad...)
	}
	if c.Refund != nil && c.Refund.Amount == in.Amount && c.Refund.Reason == reason && c.Refund.Restores == *in.Restores {
		return c, true, nil
	}
	to, err := policy.Move(c.StateAt(now), policy.Refund)
	if err != nil {
		return c, false, err
	}
	if in.Amount != c.Payment.Amount {
		return c, false, fail.New(fail.Invalid, "refund", "%s yuan came back, %s yuan were paid; record the refund when all of it is back", in.Amount, c.Payment.Amount).
			In("追回 %s 元，与已发放的 %s 元不一致；全额追回后再登记", in.Amount, c.Payment.Amount).
			At(fail.Field{Name: "amount_fen", Code: "amount", ZH: "应为已发放金额 " + c.Payment.Amount.String() + " 元", EN: "the amount paid is " + c.Payment.Amount.String() + " yuan"})
	}
	c.State = to
	c.Refund = &RefundRecord{Amount: in.Amount, Reason: reason, Restores: *in.Restores, At: now, By: by.Account}
	if c.Recovery != nil {
		closed := *c.Recovery
		closed.Closed = now
		c.Recovery = &closed
	}
	return c, false, nil
}
