package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// ReleaseRecord is why and when a reservation was given up.
type ReleaseRecord struct {
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	By       string    `json:"by"` // account id
	LogIndex uint64    `json:"log_index"`
}

// ReleaseClaim gives a reservation up 解除锁定, so that the right is free at once.
// reason has 1 to 200 characters and nothing personal. Released again with the
// same reason nothing changes. Conflict: the claim is not reserved any more.
func (r *Registry) ReleaseClaim(ctx context.Context, by Actor, id, reason string) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, ClaimReleased, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		return c.GiveUp(reason, by, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("release claim: %w", err)
	}
	return out, nil
}

// GiveUp is the rule of ReleaseClaim. done says that it was released before.
func (c Claim) GiveUp(reason string, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "解除原因", reason, 200)
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "release", "the release is not complete").In("解除锁定信息有误").At(bad...)
	}
	if c.State == policy.Released && c.Release.Reason == reason {
		return c, true, nil
	}
	to, err := policy.Move(c.StateAt(now), policy.Release)
	if err != nil {
		return c, false, err
	}
	c.State = to
	c.Release = &ReleaseRecord{Reason: reason, At: now, By: by.Account}
	return c, false, nil
}
