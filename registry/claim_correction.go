package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimCorrectionState says how far the correction 更正 of a step of a claim is.
// One account of the payer asks for it, another one decides.
//
//	state     | approve  | reject   | withdraw
//	----------+----------+----------+----------
//	proposed  | approved | rejected | withdrawn
//	approved  | -        | -        | -
//	rejected  | -        | -        | -
//	withdrawn | -        | -        | -
//
// approve adds the correcting step to the claim in the same Update.
type ClaimCorrectionState string

// The states of a correction of a claim's step.
const (
	ClaimCorrectionProposed  ClaimCorrectionState = "proposed"
	ClaimCorrectionApproved  ClaimCorrectionState = "approved"
	ClaimCorrectionRejected  ClaimCorrectionState = "rejected"
	ClaimCorrectionWithdrawn ClaimCorrectionState = "withdrawn"
)

// ClaimCorrectionAct is what is done with a correction that was asked for.
type ClaimCorrectionAct string

// The acts.
const (
	ApproveClaimCorrection  ClaimCorrectionAct = "approve"
	RejectClaimCorrection   ClaimCorrectionAct = "reject"
	WithdrawClaimCorrection ClaimCorrectionAct = "withdraw"
)

var claimCorrectionMoves = map[ClaimCorrectionState]map[ClaimCorrectionAct]ClaimCorrectionState{
	ClaimCorrectionProposed: {ApproveClaimCorrection: ClaimCorrectionApproved, RejectClaimCorrection: ClaimCorrectionRejected, WithdrawClaimCorrection: ClaimCorrectionWithdrawn},
}

// after is the state after an act. Conflict claim_correction_state.
func (s ClaimCorrectionState) after(do ClaimCorrectionAct) (ClaimCorrectionState, error) {
	if to, ok := claimCorrectionMoves[s][do]; ok {
		return to, nil
	}
	return s, fail.New(fail.Conflict, "claim_correction_state", "the correction is %s; nothing is left to %s", s, do).
		In("该更正当前为“%s”，不能再办理此操作", claimCorrectionZH[s])
}

var claimCorrectionZH = map[ClaimCorrectionState]string{ClaimCorrectionProposed: "待复核", ClaimCorrectionApproved: "已更正",
	ClaimCorrectionRejected: "不予更正", ClaimCorrectionWithdrawn: "已撤回"}

// NewClaimCorrection asks for a step to be corrected: what is given takes the place
// of what was recorded, or, with Void, the step did not happen, as when a payment
// was recorded on the wrong claim.
type NewClaimCorrection struct {
	Step      int            `json:"step"`
	Void      bool           `json:"void,omitempty"`
	Amount    *policy.Fen    `json:"amount_fen,omitempty"`
	Reference string         `json:"reference,omitempty"`
	On        standards.Date `json:"on,omitempty"`
	Reason    string         `json:"reason"` // 1 to 200 characters, nothing personal
}

// ClaimCorrection is a correction of one step of a claim from its proposal on, for
// ever. Amount, Reference and On are those the step has after it.
type ClaimCorrection struct {
	N         int                  `json:"n"` // 1, 2, … per claim
	Step      int                  `json:"step"`
	Void      bool                 `json:"void,omitempty"`
	Amount    policy.Fen           `json:"amount_fen,omitempty"`
	Reference string               `json:"reference,omitempty"`
	On        standards.Date       `json:"on,omitempty"`
	Reason    string               `json:"reason"`
	State     ClaimCorrectionState `json:"state"`
	By        string               `json:"by"` // account id
	At        time.Time            `json:"at"`
	LogIndex  uint64               `json:"log_index"` // of the proposal
	Decided   *SignOff             `json:"decided,omitempty"`
	Why       string               `json:"why,omitempty"` // it was rejected or withdrawn
	Ended     uint64               `json:"ended,omitempty"`
}

// claimCorrectionsMax bounds the corrections of one claim.
const claimCorrectionsMax = 20

// correctable are the steps that can be corrected in their values, and those that
// can only be taken away.
var correctable = map[ClaimStepKind]bool{StepPaid: true, StepReturned: true, StepRefunded: true, StepRecovery: false}

// ProposeClaimCorrection asks for a recorded step of a claim to be corrected 更正.
// Another account of the payer decides. Nothing is overwritten: an approved
// correction is one more step. Repeated under its Idempotency-Key it asks once. Invalid claim_correction: nothing would change, or
// it cannot be so; Conflict: another one waits, or later steps rest on what would
// change (claim_correction_rests).
func (r *Registry) ProposeClaimCorrection(ctx context.Context, by Actor, id string, in NewClaimCorrection) (ClaimView, error) {
	out, err := r.onCorrection(ctx, by, id, ClaimCorrectionAsked, func(c Claim, now time.Time) (Claim, int, error) {
		c, err := c.AskCorrection(in, by, now)
		return c, len(c.Corrections), err
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("propose correction of claim: %w", err)
	}
	return out, nil
}

// DecideClaimCorrection approves, rejects or, for who asked, withdraws the n-th
// correction of a claim. reason is needed to reject. Forbidden second_person: the
// account that asked cannot approve or reject. Conflict claim_correction_state;
// claim_correction_reused; and when the claim has moved on so that the correction
// cannot be any more.
func (r *Registry) DecideClaimCorrection(ctx context.Context, by Actor, id string, n int, do ClaimCorrectionAct, reason string) (ClaimView, error) {
	kind := ClaimCorrectionEnded
	if do == ApproveClaimCorrection {
		kind = ClaimCorrected
	}
	out, err := r.onCorrection(ctx, by, id, kind, func(c Claim, now time.Time) (Claim, int, error) {
		c, err := c.DecideCorrection(n, do, reason, by, now)
		return c, n, err
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("decide correction of claim: %w", err)
	}
	return out, nil
}

// onCorrection is changeClaim for a correction: its event is that of the n-th one.
func (r *Registry) onCorrection(ctx context.Context, by Actor, id string, kind EventKind, rule func(c Claim, now time.Time) (Claim, int, error)) (ClaimView, error) {
	var out ClaimView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = ClaimView{}
		c, err := claimFor(tx, by, UseClaims, id)
		if err != nil {
			return err
		}
		if kind == ClaimCorrectionAsked {
			if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
				out = c.View(tx.Now())
				return err
			}
			if err := remember(tx, by, id); err != nil {
				return err
			}
		}
		counted, had := c.counts(tx.Now()), c.InHands()
		c, n, err := rule(c, tx.Now())
		if err != nil {
			return err
		}
		x := &c.Corrections[n-1]
		switch kind {
		case ClaimCorrected:
			if c, err = r.putStep(tx, by, c); err != nil {
				return err
			}
			x = &c.Corrections[n-1]
			x.Ended = c.Steps[len(c.Steps)-1].LogIndex
			if !counted && c.counts(tx.Now()) { // the right may have been used since, because it was free
				if err := r.collideNow(tx, by, FromCorrection, c, x.Ended); err != nil {
					return err
				}
			}
			if had == 0 && c.InHands() > 0 { // the money had arrived, like that of a payment reported now
				if err := r.relianceOfPayment(tx, c, x.Ended); err != nil {
					return err
				}
			}
		default:
			index, err := r.appendEvent(tx, by, Event{Kind: kind, Object: c.ID, Payer: c.Payer, Detail: map[string]any{
				"n": x.N, "step": x.Step, "state": x.State, "void": x.Void, "amount_fen": x.Amount, "payment": x.Reference, "paid_on": x.On}})
			if err != nil {
				return err
			}
			if kind == ClaimCorrectionAsked {
				x.LogIndex = index
			} else {
				x.Ended = index
			}
		}
		if err := countClaims(tx, c); err != nil {
			return err
		}
		if err := claims.Put(tx, c); err != nil {
			return err
		}
		out = c.View(tx.Now())
		return nil
	})
	return out, err
}

// AskCorrection is the rule of ProposeClaimCorrection.
func (c Claim) AskCorrection(in NewClaimCorrection, by Actor, now time.Time) (Claim, error) {
	reason, bad := plainText("reason", "更正原因", in.Reason, 200)
	wrong := func(field, code, zh, en string) {
		bad = append(bad, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
	}
	for _, x := range c.Corrections {
		if x.State == ClaimCorrectionProposed {
			return c, fail.New(fail.Conflict, "claim_correction_open", "correction %d of claim %s waits for its second person; decide it first", x.N, c.ID).
				In("申领 %s 的第 %d 项更正尚待复核，请先办结", c.ID, x.N)
		}
	}
	if len(c.Corrections) >= claimCorrectionsMax {
		return c, fail.New(fail.Conflict, "too_many_steps", "claim %s has %d corrections already; ask the register's operator for a review", c.ID, len(c.Corrections)).
			In("申领 %s 已有 %d 项更正，请联系登记系统运营方复核", c.ID, len(c.Corrections))
	}
	old, ok := c.standing(in.Step)
	values, known := correctable[old.Kind]
	if !ok || !known {
		wrong("step", "not_correctable", "只能更正发放、退票、追回步骤，且该步骤未被撤销", "a payment, return or refund that was recorded and not taken away")
	} else if !in.Void && !values {
		wrong("void", "not_correctable", "追回立项只能撤销（void: true）", "the opening of a recovery can only be taken away: void is true")
	}
	x := ClaimCorrection{N: len(c.Corrections) + 1, Step: in.Step, Void: in.Void, Amount: old.Amount, Reference: old.Reference, On: old.On,
		Reason: reason, State: ClaimCorrectionProposed, By: by.Account, At: now}
	if !in.Void {
		bad = append(bad, x.change(c, in, old, now)...)
	} else if in.Amount != nil || in.Reference != "" || in.On != "" {
		wrong("void", "either", "撤销步骤时不填写金额、流水号、日期", "a step that did not happen has no amount, reference or day")
	}
	if len(bad) > 0 {
		return c, fail.New(fail.Invalid, "claim_correction", "the correction cannot be taken").In("更正信息有误").At(bad...)
	}
	if _, err := c.correct(x, by, now); err != nil {
		return c, err
	}
	c.Corrections = append(slices.Clone(c.Corrections), x)
	return c, nil
}

// standing is a step as it stands after its corrections.
func (c Claim) standing(n int) (ClaimStep, bool) {
	for _, s := range effectiveSteps(c.viewSteps()) {
		if s.N == n {
			return s, true
		}
	}
	return ClaimStep{}, false
}

// change puts the values that are asked for into a correction.
func (x *ClaimCorrection) change(c Claim, in NewClaimCorrection, old ClaimStep, now time.Time) (bad []fail.Field) {
	if in.Amount != nil {
		if x.Amount = *in.Amount; x.Amount != old.Amount && old.Kind == StepReturned {
			bad = append(bad, fail.Field{Name: "amount_fen", Code: "amount", ZH: "退票为整笔，金额以发放步骤为准", EN: "a return is of a whole payment; correct the payment"})
		}
	}
	if in.Reference != "" {
		var more []fail.Field
		x.Reference, more = plainText("reference", "流水号", in.Reference, 64)
		bad = append(bad, more...)
		if x.Reference != old.Reference && old.Kind == StepReturned && old.Of != 0 {
			bad = append(bad, fail.Field{Name: "reference", Code: "of", ZH: "退票对应的发放有误的，请撤销后重新登记", EN: "a return of another payment is taken away and recorded anew"})
		}
	}
	if in.On != "" {
		x.On = in.On
		bad = append(bad, c.paidOn("on", in.On, now)...)
	}
	if x.Amount == old.Amount && x.Reference == old.Reference && x.On == old.On {
		bad = append(bad, fail.Field{Name: "step", Code: "unchanged", ZH: "与现有记录相同，无需更正", EN: "the step says so already"})
	}
	if c.referenceUsed(x.Reference, old) {
		bad = append(bad, fail.Field{Name: "reference", Code: "reused", ZH: "该流水号已用于本申领的另一步骤", EN: "another step of this claim has this reference"})
	}
	return bad
}

// referenceUsed reports whether another step has the reference that a step is to have: one
// of its kind, and of a payment the bank's refusal under it, which would be taken for its
// return, and the other way round.
func (c Claim) referenceUsed(reference string, old ClaimStep) bool {
	steps := effectiveSteps(c.viewSteps())
	return reference != "" && slices.ContainsFunc(steps, func(s ClaimStep) bool {
		return s.N != old.N && s.Reference == reference && (s.Kind == old.Kind ||
			old.Kind == StepPaid && failedAttempt(s, steps) || failedAttempt(old, steps) && s.Kind == StepPaid)
	})
}

// correct is the claim with the correcting step. Conflict claim_correction_rests:
// what came later could not have been then.
func (c Claim) correct(x ClaimCorrection, by Actor, now time.Time) (Claim, error) {
	step := ClaimStep{Kind: StepCorrected, Corrects: x.Step, Void: x.Void, Amount: x.Amount, Reference: x.Reference, On: x.On, Reason: x.Reason, Proposed: x.By}
	if x.Void {
		step.Amount, step.Reference, step.On = 0, "", ""
	}
	out, err := c.take(step, by, now)
	switch e := fail.Of(err); {
	case err == nil || e.Kind == fail.Internal || e.Code == "too_many_steps":
		return out, err
	case e.Kind == fail.Invalid && !x.Void:
		return c, err // an amount that cannot be
	}
	return c, fail.New(fail.Conflict, "claim_correction_rests", "later steps of claim %s rest on step %d; correct or take away those first", c.ID, x.Step).
		In("申领 %s 的后续步骤以第 %d 步为前提，请先更正后续步骤", c.ID, x.Step)
}

// DecideCorrection is the rule of DecideClaimCorrection.
func (c Claim) DecideCorrection(n int, do ClaimCorrectionAct, reason string, by Actor, now time.Time) (Claim, error) {
	if n < 1 || n > len(c.Corrections) {
		return c, notFound("correction", "更正", fmt.Sprint(n))
	}
	x := c.Corrections[n-1]
	to, err := x.State.after(do)
	if err != nil {
		return c, err
	}
	switch {
	case do == WithdrawClaimCorrection && by.Account != x.By:
		return c, fail.New(fail.Forbidden, "not_allowed", "only the account that proposed it may withdraw it").In("只有提出人可以撤回")
	case do != WithdrawClaimCorrection:
		if err := corrections.SecondPersonDecides(true, x.By, by.Account); err != nil {
			return c, err
		}
	}
	if do == RejectClaimCorrection {
		var bad []fail.Field
		if reason, bad = plainText("reason", "原因", reason, 200); bad != nil {
			return c, fail.New(fail.Invalid, "claim_correction", "the reason cannot be taken").In("原因填写有误").At(bad...)
		}
		x.Why = reason
	}
	x.State, x.Decided = to, &SignOff{By: by.Account, At: now}
	if do == ApproveClaimCorrection {
		if old, ok := c.standing(x.Step); ok && !x.Void && x.Reference != old.Reference && c.referenceUsed(x.Reference, old) {
			return c, fail.New(fail.Conflict, "claim_correction_reused", "another step of claim %s was recorded under %s meanwhile; reject the correction", c.ID, x.Reference).
				In("申领 %s 的另一步骤其间已使用流水号 %s，请不予更正", c.ID, x.Reference)
		}
		if c, err = c.correct(x, by, now); err != nil {
			return c, err
		}
	}
	c.Corrections = slices.Clone(c.Corrections)
	c.Corrections[n-1] = x
	return c, nil
}
