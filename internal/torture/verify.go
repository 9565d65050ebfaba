package torture

import (
	"context"
	"errors"
	"fmt"
	"io"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Report is what became of a register after its process died.
type Report struct {
	Acknowledged map[Did]int `json:"acknowledged"`
	// Open is how many batches were neither published nor not begun, Resumed how
	// many of them were published afterwards.
	Open     int      `json:"open_batches"`
	Resumed  int      `json:"resumed_batches"`
	Checked  int      `json:"certificates"` // that the check of all invariants saw
	Problems []string `json:"problems"`
}

// verifier holds a register to what was acknowledged.
type verifier struct {
	*Scene
	reg    *registry.Registry
	report Report
	public map[string]bool // sessions whose certificates are public
}

func (v *verifier) problem(format string, args ...any) {
	v.report.Problems = append(v.report.Problems, fmt.Sprintf(format, args...))
}

// samples is how many certificates of a batch are verified as their holders'
// papers would be.
const samples = 3

// Verify holds the register, just opened after its process died, to the
// acknowledgements; then it lets open batches be finished, does the rest of the
// work (on what the crash left), and checks every invariant. Errors mean that
// this could not be done at all; what is wrong stands in Problems.
func (s *Scene) Verify(ctx context.Context, reg *registry.Registry, acks []Ack) (Report, error) {
	v := &verifier{Scene: s, reg: reg, public: map[string]bool{}, report: Report{Acknowledged: Count(acks), Problems: []string{}}}
	for _, step := range []func(context.Context, []Ack) error{v.sessions, v.strays, v.acknowledged, v.check, v.resume, v.goOn, v.check} {
		if err := step(ctx, acks); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

// sessions: each batch is whole or not public.
func (v *verifier) sessions(ctx context.Context, _ []Ack) error {
	for _, x := range v.Issue {
		session, err := v.reg.SessionByID(ctx, v.Issuer(), x.ID)
		if err != nil {
			v.problem("session %s: %v", x.ID, err)
			continue
		}
		issued, err := certificatesOf(ctx, v.reg, v.Issuer(), x.ID)
		if session.State != registry.SessionIssued {
			if session.State == registry.SessionIssuing {
				v.report.Open++
			}
			if fail.CodeOf(err) != "not_issued" {
				v.problem("session %s is %s, and its certificates can be seen: %v", x.ID, session.State, err)
			}
			continue
		}
		v.public[x.ID] = true
		if err != nil || len(issued) != x.To-x.From {
			v.problem("batch of session %s has %d of %d certificates: %v", x.ID, len(issued), x.To-x.From, err)
			continue
		}
		for i := 0; i < len(issued); i += max(1, len(issued)/samples) {
			v.good(ctx, issued[i])
		}
	}
	return nil
}

// good: a public certificate has its verdict by handle and by code.
func (v *verifier) good(ctx context.Context, c registry.Issued) {
	byHandle, err := v.reg.VerdictByHandle(ctx, string(c.Handle))
	if err != nil || !byHandle.Valid {
		v.problem("certificate %s by its handle: %v %v", c.Number, byHandle.Reasons, err)
	}
	byToken, err := v.reg.VerdictByToken(ctx, c.QR)
	if err != nil || !byToken.Valid {
		v.problem("certificate %s by its code: %v %v", c.Number, byToken.Reasons, err)
	}
}

// strays: no certificate is public whose session is not. Numbers follow one
// another, so all that can have been given out can be asked for.
func (v *verifier) strays(ctx context.Context, _ []Ack) error {
	known := map[string]bool{}
	for _, x := range v.Issue {
		known[x.ID] = true
	}
	year, highest := standards.DateOf(v.Clock).Year(), v.People+1
	step := max(1, highest/400)
	for serial := 1; serial <= highest; serial += step {
		number := v.Filing.Number(year, standards.Senior, serial).Format()
		c, err := v.reg.CertificateByNumber(ctx, v.authority(), number)
		switch {
		case fail.KindOf(err) == fail.NotFound:
		case err != nil:
			v.problem("certificate %s: %v", number, err)
		case known[c.Session] && !v.public[c.Session]:
			v.problem("certificate %s is public, its batch is not", number)
		}
	}
	return nil
}

// acknowledged: everything that was acknowledged is there.
func (v *verifier) acknowledged(ctx context.Context, acks []Ack) error {
	highest := uint64(0)
	claims := map[string]Ack{}
	for _, a := range acks {
		switch a.Did {
		case Published:
			v.published(ctx, a)
		case Uploaded:
			session, err := v.reg.SessionByID(ctx, v.Issuer(), a.Session)
			if err != nil || session.Results == nil || session.Results.Rows != a.Rows {
				v.problem("results of session %s (%d rows) are not there: %v", a.Session, a.Rows, err)
			}
		case Voided:
			c, err := v.reg.CertificateByNumber(ctx, v.authority(), a.Certificate)
			if err != nil || c.Status != registry.CertificateVoided {
				v.problem("certificate %s was voided and is %s: %v", a.Certificate, c.Status, err)
			}
		case Claimed:
			claims[a.Claim] = a // the last one counts
		case Checkpointed:
			highest = max(highest, a.Size)
		}
	}
	for _, a := range claims {
		v.claimed(ctx, a)
	}
	note, err := v.reg.Checkpoint(ctx)
	if err != nil {
		v.problem("the audit log cannot go on from its last checkpoint: %v", err)
		return nil
	}
	if size, err := noteSize(note); err != nil || size < highest {
		v.problem("a checkpoint of size %d was handed out, the log has %d: %v", highest, size, err)
	}
	return nil
}

func (v *verifier) published(ctx context.Context, a Ack) {
	issued, err := certificatesOf(ctx, v.reg, v.Issuer(), a.Session)
	if err != nil || len(issued) != len(a.Numbers) {
		v.problem("session %s was published with %d certificates and has %d: %v", a.Session, len(a.Numbers), len(issued), err)
		return
	}
	for i, c := range issued {
		if c.Number != a.Numbers[i] {
			v.problem("session %s was published with certificate %s and has %s", a.Session, a.Numbers[i], c.Number)
		}
	}
}

// claimed: the claim is in the acknowledged state, or in the one that follows it
// and was not acknowledged any more; and its reference answers it again.
func (v *verifier) claimed(ctx context.Context, a Ack) {
	c, err := v.reg.ClaimByID(ctx, v.payer(), a.Claim)
	switch {
	case err != nil:
		v.problem("claim %s (%s) is not there: %v", a.Claim, a.State, err)
	case c.Certificate != a.Certificate || c.Reference != a.Reference:
		v.problem("claim %s is on %s under %s, not on %s under %s", a.Claim, c.Certificate, c.Reference, a.Certificate, a.Reference)
	case c.State != a.State && a.State != policy.Reserved:
		v.problem("claim %s was %s and is %s", a.Claim, a.State, c.State)
	}
	for _, h := range v.Claims {
		if h.Number != a.Certificate {
			continue
		}
		again, err := v.reg.ReserveClaim(ctx, v.payer(), v.claim(FirstLanguage, h))
		if err != nil || again.Claim == nil || again.Claim.ID != a.Claim {
			v.problem("claim %s: its reference does not answer it again: %v", a.Claim, err)
		}
	}
}

// resume: every batch that was begun is finished.
func (v *verifier) resume(ctx context.Context, _ []Ack) error {
	if err := v.reg.ResumeBatches(ctx); err != nil {
		return err
	}
	for _, x := range v.Issue {
		session, err := v.reg.SessionByID(ctx, v.Issuer(), x.ID)
		if err != nil {
			continue // said before
		}
		switch {
		case session.State == registry.SessionIssuing:
			v.problem("the batch of session %s was not finished after the restart", x.ID)
		case session.State == registry.SessionIssued && !v.public[x.ID]:
			v.report.Resumed++
		}
	}
	return nil
}

// goOn works a little on what the crash left, so that pages that are both free
// and in use would be found.
func (v *verifier) goOn(ctx context.Context, _ []Ack) error {
	acks := &acker{out: io.Discard}
	for _, h := range v.Claims[:min(len(v.Claims), 2*claimants)] {
		if err := v.claimOn(ctx, v.reg, acks, h); err != nil {
			v.problem("the work does not go on: %v", err)
		}
	}
	for _, x := range v.Upload[:min(len(v.Upload), 1)] {
		if err := v.upload(ctx, v.reg, acks, x); err != nil {
			v.problem("the work does not go on: %v", err)
		}
	}
	return ctx.Err()
}

func (v *verifier) check(ctx context.Context, _ []Ack) error {
	report, err := v.reg.Check(ctx, registry.Operator(), nil)
	var f *fail.Error
	if err != nil && errors.As(err, &f) && f.Kind != fail.Internal {
		return err
	}
	if err != nil {
		v.problem("the check broke off: %v", err)
	}
	v.report.Checked = report.Certificates
	v.report.Problems = append(v.report.Problems, report.Problems...)
	return nil
}
