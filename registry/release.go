package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// ReleaseRecord is why and when a claim was given up, by the payer or by the
// person.
type ReleaseRecord struct {
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	By       string    `json:"by"` // account id
	LogIndex uint64    `json:"log_index"`
}

// ReleaseClaim gives a claim up that was not paid 解除锁定, so that the right is
// free at once. reason has 1 to 200 characters and nothing personal. Released
// again with the same reason nothing changes. Conflict claim_move: it is not open
// any more.
func (r *Registry) ReleaseClaim(ctx context.Context, by Actor, id, reason string) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		return c.GiveUp(reason, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("release claim: %w", err)
	}
	return out, nil
}

// WithdrawClaim records that the person took the claim back 本人撤回 before it was
// paid. reason is what the payer keeps of it: 1 to 200 characters, nothing
// personal. The right is free at once. Recorded again with the same reason nothing
// changes. Conflict claim_move: it is not open any more.
func (r *Registry) WithdrawClaim(ctx context.Context, by Actor, id, reason string) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		return c.Withdraw(reason, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("withdraw claim: %w", err)
	}
	return out, nil
}

// GiveUp is the rule of ReleaseClaim. done says that it was released before.
func (c Claim) GiveUp(reason string, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "解除原因", reason, 200)
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "release", "the release is not complete").In("解除锁定信息有误").At(bad...)
	}
	if c.State == policy.Released && c.Release != nil && c.Release.Reason == reason {
		return c, true, nil
	}
	out, err = c.take(ClaimStep{Kind: StepReleased, Reason: reason}, by, now)
	return out, false, err
}

// Withdraw is the rule of WithdrawClaim. done says that it was recorded before.
func (c Claim) Withdraw(reason string, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "撤回原因", reason, 200)
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "withdrawal", "the withdrawal is not complete").In("撤回信息有误").At(bad...)
	}
	if c.State == policy.Withdrawn && c.Withdrawal != nil && c.Withdrawal.Reason == reason {
		return c, true, nil
	}
	out, err = c.take(ClaimStep{Kind: StepWithdrawn, Reason: reason}, by, now)
	return out, false, err
}
