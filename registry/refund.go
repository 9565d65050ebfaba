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

// Refund is money that came back 追回: all of it, or a part, of which there may be
// several. Restores says whether the person may claim again once all is back. Where
// the policy's text says so, it need not be given and must agree; where the text is
// silent it has to be said when the recovery is opened, by OpenRecovery or by the
// first part, since nobody may guess it; and what was said once stands.
type Refund struct {
	Amount    policy.Fen     `json:"amount_fen"`
	Reference string         `json:"reference,omitempty"` // of this part, 1 to 64 characters; may be empty when all of the claim comes back at once
	On        standards.Date `json:"on,omitempty"`        // day it came back; the day it is recorded when empty
	Reason    string         `json:"reason"`              // 1 to 200 characters, nothing personal; needed when it opens the recovery
	Restores  *bool          `json:"restores_right"`
}

// RefundRecord is a refund as the claim keeps it, once all is back.
type RefundRecord struct {
	Amount   policy.Fen `json:"amount_fen"`
	Reason   string     `json:"reason"`
	Restores bool       `json:"restores_right"`
	At       time.Time  `json:"at"`
	By       string     `json:"by"` // account id
	LogIndex uint64     `json:"log_index"`
}

// NewRecovery opens the recovery 追回立项 of what a claim has paid.
type NewRecovery struct {
	Reason   string `json:"reason"` // 1 to 200 characters, nothing personal
	Restores *bool  `json:"restores_right,omitempty"`
}

// RefundClaim records that money of a claim came back, all or a part of it: until
// all is back the claim counts as paid, and what is owed stays listed. The same
// refund again changes nothing. Invalid refund: it is not complete, more than is
// owed, or against the policy's text; Conflict claim_move: nothing was paid, or all
// is back; refund_reference_reused.
func (r *Registry) RefundClaim(ctx context.Context, by Actor, id string, in Refund) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		law, err := r.refundLaw(tx, c)
		if err != nil {
			return c, false, err
		}
		return c.PayBack(in, law, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("refund claim: %w", err)
	}
	return out, nil
}

// OpenRecovery says that what was paid on a claim has to come back, before any of
// it has. Opened again in the same words nothing changes. Invalid recovery;
// Conflict claim_move: nothing was paid, or the recovery is open.
func (r *Registry) OpenRecovery(ctx context.Context, by Actor, id string, in NewRecovery) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		law, err := r.refundLaw(tx, c)
		if err != nil {
			return c, false, err
		}
		return c.Recover(in, law, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("open recovery: %w", err)
	}
	return out, nil
}

// refundLaw is what the claim's policy says about refunds, nil when it is silent.
// A payment of the past was decided by no policy that is known here.
func (r *Registry) refundLaw(rd kv.Reader, c Claim) (*policy.RefundRule, error) {
	if c.Imported != nil && c.Policy == "" {
		return nil, nil
	}
	p, err := r.policyOf(rd, c)
	return p.Refund, err
}

// restores settles whether a recovery gives the right back: by the law, by what was
// said before, or by what is said now.
func restores(said, now *bool, law *policy.RefundRule) (*bool, []fail.Field) {
	switch {
	case law != nil && now != nil && *now != law.RestoresRight:
		return nil, []fail.Field{{Name: "restores_right", Code: "policy", ZH: "与政策不符：" + law.Clause + " " + law.ZH,
			EN: "the policy says otherwise: " + law.Clause + " " + law.EN}}
	case law != nil:
		return &law.RestoresRight, nil
	case said != nil && now != nil && *said != *now:
		return nil, []fail.Field{{Name: "restores_right", Code: "decided", ZH: "立项时已另行确定，不再更改", EN: "it was said otherwise when the recovery was opened, and stands"}}
	case said != nil:
		return said, nil
	case now == nil:
		return nil, []fail.Field{{Name: "restores_right", Code: "required", ZH: "请写明追回后是否恢复申领资格（true 或 false）",
			EN: "say whether the refund gives the right to claim back: true or false"}}
	}
	return now, nil
}

// PayBack is the rule of RefundClaim. law is what the claim's policy says about
// refunds, nil when it is silent. done says that this refund was recorded before.
func (c Claim) PayBack(in Refund, law *policy.RefundRule, by Actor, now time.Time) (out Claim, done bool, err error) {
	life := c.life()
	reason, bad := "", []fail.Field(nil)
	opens := life.recovery == nil || !life.recovery.Closed.IsZero()
	if opens || in.Reason != "" {
		reason, bad = plainText("reason", "追回原因", in.Reason, 200)
	}
	reference := ""
	if in.Reference != "" {
		var more []fail.Field
		reference, more = plainText("reference", "追回凭证号", in.Reference, 64)
		bad = append(bad, more...)
	}
	on := in.On
	if on == "" {
		on = standards.DateOf(now)
	}
	bad = append(bad, c.paidOn("on", on, now)...)
	in.Reason, in.Reference = reason, reference
	if done, err := c.backBefore(in, on); done || err != nil {
		return c, done, err
	}
	if _, err := policy.Move(c.StateAt(now), policy.Refund); err != nil {
		return c, false, err
	}
	var said *bool
	owed := life.paid - life.back
	if !opens {
		said, owed = life.recovery.Restores, life.recovery.Amount-life.recovery.Back
	}
	again := !opens && life.recovery.Again
	if again {
		law = nil // it is about a claim that is paid back, and this one stays paid
	}
	decided, more := restores(said, in.Restores, law)
	if bad = append(bad, more...); len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "refund", "the refund is not complete").In("追回信息有误").At(bad...)
	}
	if in.Reference == "" && in.Amount < owed {
		return c, false, fail.New(fail.Invalid, "refund", "%s of %s yuan came back; a part has a reference, so that it is not taken for another", in.Amount, owed).
			In("追回 %s 元，少于应追回的 %s 元；分次追回的，每次请填写凭证号", in.Amount, owed).
			At(fail.Field{Name: "reference", Code: "required", ZH: "分次追回请填写本次凭证号", EN: "a part needs its reference"})
	}
	if in.Reference == "" && again { // what was due may come back later, and would look the same
		return c, false, fail.New(fail.Invalid, "refund", "what was paid twice came back; its refund has a reference, so that it is not taken for that of what was due").
			In("追回的是多付部分，请填写凭证号，以区别于应得部分的追回").
			At(fail.Field{Name: "reference", Code: "required", ZH: "追回多付部分请填写本次凭证号", EN: "the refund of what was paid twice needs its reference"})
	}
	out, err = c.take(ClaimStep{Kind: StepRefunded, Amount: in.Amount, Reference: in.Reference, On: on, Reason: reason, Restores: decided}, by, now)
	return out, false, err
}

// backBefore reports whether a refund is on the claim already.
func (c Claim) backBefore(in Refund, on standards.Date) (bool, error) {
	for _, s := range effectiveSteps(c.viewSteps()) {
		if s.Kind != StepRefunded || s.Reference != in.Reference {
			continue
		}
		same := s.Amount == in.Amount && (in.Reason == "" || s.Reason == in.Reason) && (in.Restores == nil || s.Restores != nil && *s.Restores == *in.Restores)
		switch {
		case in.Reference == "":
			if same {
				return true, nil
			}
		case same && (in.On == "" || s.On == on):
			return true, nil
		default:
			return false, fail.New(fail.Conflict, "refund_reference_reused", "refund %s was recorded with %s yuan on %s", in.Reference, s.Amount, s.On).
				In("追回凭证号 %s 已登记：%s 元，%s；如登记有误，请申请更正", in.Reference, s.Amount, s.On)
		}
	}
	return false, nil
}

// Recover is the rule of OpenRecovery. done says that it was opened before.
func (c Claim) Recover(in NewRecovery, law *policy.RefundRule, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "追回原因", in.Reason, 200)
	decided, more := restores(nil, in.Restores, law)
	if bad = append(bad, more...); len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "recovery", "the recovery is not complete").In("追回立项信息有误").At(bad...)
	}
	if r := c.Recovery; c.State == policy.Recovering && r != nil && !r.Again && r.Reason == reason && r.Restores != nil && *r.Restores == *decided {
		return c, true, nil
	}
	out, err = c.take(ClaimStep{Kind: StepRecovery, Reason: reason, Restores: decided}, by, now)
	return out, false, err
}
