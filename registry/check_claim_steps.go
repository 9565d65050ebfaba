package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"reflect"
	"slices"

	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
)

// steps holds a claim against what its steps lead to: each step was allowed when it
// was taken and led where it says, what is owed and paid adds up, and what stands
// beside the steps agrees with them.
func (p replay) steps() {
	c := p.claim
	if len(c.Steps) == 0 && c.Imported == nil && !c.Since.IsZero() && !c.Since.Equal(c.Reserved) {
		p.problem("has no steps and is in its state since another time than its reservation")
	}
	if c.State == StateRefused {
		if len(c.Steps) > 0 {
			p.problem("was refused and has steps")
		}
		return
	}
	steps := c.viewSteps()
	for i, s := range steps {
		if s.N != i+1 || i > 0 && (s.LogIndex <= steps[i-1].LogIndex || s.At.Before(steps[i-1].At)) || c.Imported == nil && (s.LogIndex <= c.LogIndex || s.At.Before(c.Reserved)) {
			p.problem("has step %d out of the order of the log", s.N)
		}
		l, err := c.lifeAfter(steps[:i+1])
		if err != nil {
			p.problem("has step %d, %s, which its state did not allow: %v", s.N, s.Kind, err)
			return
		}
		if l.state != s.State {
			p.problem("has step %d that says %s, the steps lead to %s", s.N, s.State, l.state)
		}
		p.sums(l)
	}
	if len(c.Steps) == 0 {
		return // of the first release: what stands beside is all there is
	}
	if kept, folded := summaryOf(c), summaryOf(c.with(c.life())); !reflect.DeepEqual(kept, folded) {
		p.problem("keeps other payments, refunds or terms than its steps lead to")
	}
	p.corrections()
}

// sums proves what must be true of the money of a claim after any of its steps.
func (p replay) sums(l claimLife) {
	c, paid := p.claim, policy.Fen(0)
	for _, x := range l.payments {
		paid += x.Amount
	}
	// Beyond what was due there is only what false returns explain, and it has to come back.
	excess := l.net() > c.Amount && (l.net() > c.Amount+l.excused-l.settled || l.recovery == nil || l.recovery.Again && l.net() != c.Amount+l.again)
	open := l.recovery != nil && l.recovery.Closed.IsZero()
	switch {
	case paid != l.paid || l.back > l.paid || l.settled > l.back || excess:
		p.problem("paid %s of %s yuan and got %s back: it does not add up", l.paid, c.Amount, l.back)
	case l.state == policy.Confirmed && l.net() != c.Amount+l.again:
		p.problem("is confirmed with %s of %s yuan paid", l.paid, c.Amount)
	case l.state == policy.PartPaid && (l.net() == 0 || l.net() >= c.Amount):
		p.problem("is paid in part with %s of %s yuan", l.paid, c.Amount)
	case l.state == policy.Refunded && l.back != l.paid, l.state != policy.Refunded && l.net() > 0 && l.back == l.paid:
		p.problem("is %s with %s of %s yuan back", l.state, l.back, l.paid)
	case l.state.MustRecover() != open || open && l.recovery.Amount != map[bool]policy.Fen{false: l.paid, true: l.again}[l.recovery.Again]:
		p.problem("is %s, and its recovery item is not what is owed", l.state)
	case l.state.GivenUp() && l.net() != 0:
		p.problem("is %s with %s yuan paid", l.state, l.paid)
	}
}

// summaryOf is what a claim keeps beside its steps.
func summaryOf(c Claim) Claim {
	return Claim{State: c.State, Since: c.Since, Expires: c.Expires, Publicity: c.Publicity, Release: c.Release, Withdrawal: c.Withdrawal,
		Payment: c.Payment, Refund: c.Refund, Recovery: c.Recovery}
}

// stateBefore is the claim's state when a step of it was taken.
func (p replay) stateBefore(s ClaimStep) policy.State {
	was, _ := p.claim.before(s.LogIndex)
	return policy.StateAt(was.State, was.Expires, s.At)
}

// corrections holds the corrections against the steps that they became: each is of
// two accounts, and one step.
func (p replay) corrections() {
	approved := 0
	for _, x := range p.claim.Corrections {
		if x.State != ClaimCorrectionApproved {
			continue
		}
		approved++
		i := slices.IndexFunc(p.claim.Steps, func(s ClaimStep) bool { return s.Kind == StepCorrected && s.LogIndex == x.Ended })
		if i < 0 || x.Decided == nil || x.Decided.By == x.By || p.claim.Steps[i].By != x.Decided.By || p.claim.Steps[i].Proposed != x.By || p.claim.Steps[i].Corrects != x.Step {
			p.problem("has correction %d without its step, or by one account", x.N)
		}
	}
	for _, s := range p.claim.Steps {
		if s.Kind == StepCorrected {
			approved--
		}
	}
	if approved != 0 {
		p.problem("has corrected steps that nobody approved")
	}
}

// stepsLogged holds every step against its event, unless that was erased.
func (p replay) stepsLogged() error {
	for _, s := range p.claim.viewSteps() {
		if s.LogIndex == p.claim.LogIndex && p.claim.Imported != nil {
			continue // the payment itself, taken over with a ledger
		}
		e, err := auditlog.ReadEntry(p.rd, s.LogIndex)
		if err != nil {
			p.problem("has step %d without an entry of the audit log: %v", s.N, err)
			return nil
		}
		if e.Event == nil {
			continue
		}
		var ev struct {
			Kind   EventKind `json:"kind"`
			Object string    `json:"object"`
			By     string    `json:"by"`
			Detail claimStep `json:"detail"`
		}
		want := s.detail()
		err = json.Unmarshal(e.Event, &ev)
		if ev.Detail.Step == 0 { // of the first release
			want = claimStep{State: ev.Detail.State, Amount: ev.Detail.Amount, Payment: want.Payment, PaidOn: ev.Detail.PaidOn, Restores: ev.Detail.Restores}
			if want.Amount != s.Amount {
				p.problem("has step %d with another amount than entry %d of the audit log", s.N, s.LogIndex)
			}
		}
		if err != nil || ev.Kind != s.event() || ev.Object != p.claim.ID || ev.By != s.By || !reflect.DeepEqual(ev.Detail, want) || !e.Leaf.Time.Equal(s.At) {
			p.problem("has step %d that is not what entry %d of the audit log says", s.N, s.LogIndex)
		}
	}
	return nil
}

// checkPayouts proves that the lines of every payout are answered as far as it says
// it is, that they add up to what it counts, and that each line that was recorded
// is a step of its claim.
func (r *Registry) checkPayouts(rd kv.Reader, report func(string)) error {
	return eachRecord(rd, payouts, func(p Payout) error {
		got := Payout{Outcomes: map[LineOutcome]int{}}
		lines, content := 0, sha256.New()
		for page := 0; page*payoutPage < p.Lines; page++ {
			rows, ok, err := payoutPages.Get(rd, kv.Key(p.ID, uint64(page)))
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			lines += len(rows.Lines)
			for _, l := range rows.Lines {
				addLine(content, l)
				if l.Answer != nil {
					got = got.count(l.Amount, *l.Answer)
				}
			}
			if err := r.checkPayoutLines(rd, p, rows.Lines, report); err != nil {
				return err
			}
		}
		content.Write([]byte("]"))
		if lines == p.Lines && !bytes.Equal(content.Sum(nil), p.SHA256) {
			report("payout " + p.ID + " has other lines than were sent")
		}
		if lines != p.Lines || got.Done != p.Done || got.Paid != p.Paid || !reflect.DeepEqual(got.Outcomes, copied(p.Outcomes)) || (p.State == PayoutDone) != (p.Done == p.Lines) {
			report("payout " + p.ID + " counts other lines than it has")
		}
		return nil
	})
}

func (r *Registry) checkPayoutLines(rd kv.Reader, p Payout, lines []PayoutEntry, report func(string)) error {
	wrong := make([]bool, len(lines))
	err := kv.Gather(rd, len(lines), func(i int, rd kv.Reader) error {
		l := lines[i]
		if l.Answer == nil || l.Answer.Step == 0 {
			return nil
		}
		c, ok, err := claims.Lookup(rd, indexClaimsByID, kv.Key(l.Answer.Claim))
		wrong[i] = !ok || len(c.Steps) < l.Answer.Step || c.Steps[l.Answer.Step-1].Payout != p.ID || c.Steps[l.Answer.Step-1].Line != l.N || c.Steps[l.Answer.Step-1].State != l.Answer.State || c.Payer != p.Payer
		return err
	})
	if err != nil {
		return err
	}
	for i, l := range lines {
		if wrong[i] {
			report("payout " + p.ID + " has a line that is no step of claim " + l.Answer.Claim)
		}
	}
	return nil
}
