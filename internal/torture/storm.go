package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// stormPatience is how long a step is repeated while the register answers that it
// is not available, as its clients are told to do.
const stormPatience = 2 * time.Minute

// A Storm is one of several processes that work on the same scene at the same
// time, for as long as they are let: they fight for the same claims, issue, upload,
// void and publish. Unlike [Scene.Work] it goes on when the store fails, by
// repeating each step until it is answered.
type Storm struct {
	*Scene
	Who, Of int // this process, of how many
	reg     *registry.Registry
	acks    *acker
	stop    atomic.Bool

	mu  sync.Mutex
	end StormEnd
}

// StormEnd is the last line of a process: an Ack that also tells what its clients
// met.
type StormEnd struct {
	Ack
	Steps       int     `json:"steps"`       // answered
	Unavailable int     `json:"unavailable"` // answers that asked to repeat
	Longest     float64 `json:"longest"`     // seconds that a step took, with its repetitions
}

// Storm works until orders ends. Each line of it lets this process issue one more
// of its sessions, upload the results of another and void a certificate.
func (s *Scene) Storm(ctx context.Context, reg *registry.Registry, who, of int, orders io.Reader, out io.Writer) error {
	w := &Storm{Scene: s, Who: who, Of: of, reg: reg, acks: &acker{out: out}}
	if err := w.acks.say(Ack{Did: Ready}); err != nil {
		return err
	}
	todo := make(chan struct{}, 1000)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(todo)
		defer w.stop.Store(true)
		for line := make([]byte, 1); ; {
			if _, err := orders.Read(line); err != nil {
				return nil // whoever tortures has had enough, or is gone
			}
			if line[0] == '\n' {
				todo <- struct{}{}
			}
		}
	})
	group.Go(func() error { return w.batches(ctx, todo) })
	group.Go(func() error { return w.publish(ctx) })
	for i := range claimants {
		group.Go(func() error { return w.claims(ctx, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	w.end.Ack = Ack{Did: Finished}
	return json.NewEncoder(out).Encode(w.end)
}

// insist repeats a step while the register says that it is not available.
func (w *Storm) insist(ctx context.Context, do func() error) error {
	began := time.Now()
	for {
		err := do()
		w.mu.Lock()
		if fail.KindOf(err) == fail.Unavailable {
			w.end.Unavailable++
		} else {
			w.end.Steps++
			w.end.Longest = max(w.end.Longest, time.Since(began).Seconds())
		}
		w.mu.Unlock()
		if fail.KindOf(err) != fail.Unavailable {
			return err
		}
		if time.Since(began) > stormPatience {
			return fmt.Errorf("not available for %s: %w", stormPatience, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// mine are the sessions or certificates of this process.
func mine[T any](w *Storm, list []T) (out []T) {
	for i, x := range list {
		if i%w.Of == w.Who {
			out = append(out, x)
		}
	}
	return out
}

func (w *Storm) batches(ctx context.Context, todo <-chan struct{}) error {
	issue, upload, void := mine(w, w.Issue), mine(w, w.Upload), mine(w, w.Void)
	n := 0
	for range todo {
		if n < len(issue) {
			if err := w.insist(ctx, func() error { return w.issue(ctx, w.reg, w.acks, issue[n]) }); err != nil {
				return fmt.Errorf("issue: %w", err)
			}
		}
		if n < len(void) {
			if err := w.insist(ctx, func() error { return w.void(ctx, w.reg, w.acks, void[n]) }); err != nil {
				return fmt.Errorf("void: %w", err)
			}
		}
		if n < len(upload) {
			if err := w.insist(ctx, func() error { return w.upload(ctx, w.reg, w.acks, upload[n]) }); err != nil {
				return fmt.Errorf("upload: %w", err)
			}
		}
		n++
	}
	return nil
}

// publish signs checkpoints of the audit log.
func (w *Storm) publish(ctx context.Context) error {
	for !w.stop.Load() {
		var note []byte
		err := w.insist(ctx, func() (err error) {
			note, err = w.reg.Checkpoint(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		size, err := noteSize(note)
		if err != nil {
			return err
		}
		if err := w.acks.say(Ack{Did: Checkpointed, Size: size}); err != nil {
			return err
		}
		time.Sleep(10 * checkpointEvery)
	}
	return nil
}

// claims walks over its part of the holdings again and again; the other processes
// walk over the same part by another way.
func (w *Storm) claims(ctx context.Context, part int) error {
	from, to := len(w.Claims)*part/claimants, len(w.Claims)*(part+1)/claimants
	todo := shuffled(w.Seed+uint64(w.Who), w.Claims[from:to])
	for round := 0; ; round++ {
		for _, h := range todo {
			if w.stop.Load() {
				return nil
			}
			if err := w.claimOn(ctx, h, round); err != nil {
				return fmt.Errorf("claim on %s: %w", h.Number, err)
			}
		}
	}
}

// claimOn asks for a claim under a reference of this process and round. Somebody
// else may have it: then the register refuses. What is not paid in this round is
// released, to be fought for again.
func (w *Storm) claimOn(ctx context.Context, h Holding, round int) error {
	ask := TownClaim(FirstLanguage, h, standards.DateOf(w.Clock), w.Clock, fmt.Sprintf("T-%s-%d-%d", h.Number, w.Who, round))
	var answer registry.ClaimAnswer
	err := w.insist(ctx, func() (err error) {
		answer, err = w.reg.ReserveClaim(ctx, w.payer(), ask)
		return err
	})
	if err != nil || answer.Outcome != policy.Allow || answer.Claim == nil {
		return err
	}
	c := *answer.Claim
	ack := Ack{Did: Claimed, Claim: c.ID, Certificate: h.Number, Reference: c.Reference, State: c.State}
	if err := w.acks.say(ack); err != nil {
		return err
	}
	var view registry.ClaimView
	err = w.insist(ctx, func() (err error) {
		if payRound(h) == round {
			view, err = w.reg.ConfirmClaim(ctx, w.payer(), c.ID, registry.Payment{Reference: "P-" + c.Reference, PaidOn: standards.DateOf(c.Reserved), Amount: c.Amount})
		} else {
			view, err = w.reg.ReleaseClaim(ctx, w.payer(), c.ID, "耐久测试")
		}
		return err
	})
	if err != nil {
		return err
	}
	ack.State = view.State
	return w.acks.say(ack)
}

// payRound is the round in which a claim on a holding is paid; -1 for half of them,
// which are fought for as long as the storm lasts.
func payRound(h Holding) int {
	sum := fnv.New32a()
	io.WriteString(sum, h.Number)
	if n := int(sum.Sum32()); n%2 == 0 {
		return n / 2 % 20
	}
	return -1
}
