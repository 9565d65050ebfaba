package torture

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// claimants is how many payers work at a time.
const claimants = 8

// checkpointEvery is how often a worker publishes the audit log.
const checkpointEvery = 20 * time.Millisecond

// Work resumes what an earlier process left open, does all the work of the
// scene, and writes an Ack to out for each step after the register has answered
// it. Steps that were taken before are taken again and acknowledged with the
// same answer. It ends when everything is done, or when ctx ends.
func (s *Scene) Work(ctx context.Context, reg *registry.Registry, out io.Writer) error {
	acks := &acker{out: out}
	if err := acks.say(Ack{Did: Ready}); err != nil {
		return err
	}
	work, end := context.WithCancel(ctx)
	defer end()
	background := make(chan error, 1)
	go func() { background <- s.checkpoints(work, reg, acks) }()
	err := s.foreground(ctx, reg, acks)
	end()
	if published := <-background; err == nil {
		err = published
	}
	if err != nil {
		return err
	}
	return acks.say(Ack{Did: Finished})
}

func (s *Scene) foreground(ctx context.Context, reg *registry.Registry, acks *acker) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := reg.ResumeBatches(ctx); err != nil {
			return err
		}
		return each(ctx, shuffled(s.Seed, s.Issue), func(x SceneSession) error { return s.issue(ctx, reg, acks, x) })
	})
	group.Go(func() error {
		return each(ctx, s.Upload, func(x SceneSession) error { return s.upload(ctx, reg, acks, x) })
	})
	group.Go(func() error {
		return each(ctx, s.Void, func(h Holding) error { return s.void(ctx, reg, acks, h) })
	})
	todo := shuffled(s.Seed, s.Claims)
	for i := range claimants {
		group.Go(func() error {
			from, to := len(todo)*i/claimants, len(todo)*(i+1)/claimants
			return each(ctx, todo[from:to], func(h Holding) error { return s.claimOn(ctx, reg, acks, h) })
		})
	}
	return group.Wait()
}

func each[T any](ctx context.Context, list []T, do func(T) error) error {
	for _, x := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(x); err != nil {
			return err
		}
	}
	return nil
}

func shuffled[T any](seed uint64, list []T) []T {
	out := append([]T(nil), list...)
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (s *Scene) issue(ctx context.Context, reg *registry.Registry, acks *acker, x SceneSession) error {
	if _, err := reg.Issue(ctx, s.Issuer(), x.ID, nil); err != nil {
		return err
	}
	issued, err := certificatesOf(ctx, reg, s.Issuer(), x.ID)
	if err != nil {
		return err
	}
	ack := Ack{Did: Published, Session: x.ID}
	for _, c := range issued {
		ack.Numbers = append(ack.Numbers, c.Number)
	}
	return acks.say(ack)
}

func (s *Scene) upload(ctx context.Context, reg *registry.Registry, acks *acker, x SceneSession) error {
	report, err := reg.UploadResults(ctx, s.Issuer(), x.ID, registry.Upload{File: strings.NewReader(x.results())})
	if err != nil {
		return err
	}
	return acks.say(Ack{Did: Uploaded, Session: x.ID, Rows: report.Stored})
}

func (s *Scene) void(ctx context.Context, reg *registry.Registry, acks *acker, h Holding) error {
	_, err := reg.ChangeCertificate(ctx, s.authority(), h.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "测试撤〔2026〕1号", Reason: "耐久测试"})
	if err != nil && fail.CodeOf(err) != "certificate_status" { // voided before the crash
		return err
	}
	return acks.say(Ack{Did: Voided, Certificate: h.Number})
}

// claimOn reserves, and then does with the claim what its number says: of ten
// six are confirmed, two released, two left.
func (s *Scene) claimOn(ctx context.Context, reg *registry.Registry, acks *acker, h Holding) error {
	claim, err := s.reserve(ctx, reg, FirstLanguage, h)
	if err != nil {
		return err
	}
	ack := Ack{Did: Claimed, Claim: claim.ID, Certificate: h.Number, Reference: claim.Reference, State: claim.State}
	if err := acks.say(ack); err != nil {
		return err
	}
	view, err := s.end(ctx, reg, h, claim)
	if err != nil {
		return err
	}
	ack.State = view.State
	return acks.say(ack)
}

func (s *Scene) end(ctx context.Context, reg *registry.Registry, h Holding, c registry.ClaimView) (registry.ClaimView, error) {
	sum := fnv.New32a()
	io.WriteString(sum, h.Number)
	switch fate := sum.Sum32() % 10; {
	case fate < 6:
		return reg.ConfirmClaim(ctx, s.payer(), c.ID, registry.Payment{Reference: "P-" + h.Number, PaidOn: standards.DateOf(c.Reserved), Amount: c.Amount})
	case fate < 8:
		return reg.ReleaseClaim(ctx, s.payer(), c.ID, "耐久测试")
	}
	return c, nil
}

// checkpoints publishes the audit log until ctx ends.
func (s *Scene) checkpoints(ctx context.Context, reg *registry.Registry, acks *acker) error {
	for {
		note, err := reg.Checkpoint(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		size, err := noteSize(note)
		if err != nil {
			return err
		}
		if err := acks.say(Ack{Did: Checkpointed, Size: size}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkpointEvery):
		}
	}
}

// noteSize is the second line of a checkpoint.
func noteSize(note []byte) (uint64, error) {
	lines := strings.SplitN(string(note), "\n", 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("a checkpoint of %d lines", len(lines))
	}
	return strconv.ParseUint(lines[1], 10, 64)
}
