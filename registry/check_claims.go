package registry

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"

	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// replayClaims proves invariant 3: it replays every person's claims in the order
// of the log, each against the ledger as it stood at its entry, and reports what
// was allowed and should have been refused, or the other way round. The persons of
// a page are replayed side by side.
func (c *check) replayClaims() error {
	c.of(tableClaims)
	var last []Claim // of the person with whom a page ends
	replayed := func(persons [][]Claim) error {
		return c.side(len(persons), func(i int, c *check) error { return c.r.replayPerson(c.rd, persons[i], c.say) })
	}
	err := eachPage(c, claims, claimsAtOnce, func(page []Claim) error {
		c.report.Claims += len(page)
		var persons [][]Claim
		for _, one := range page {
			if len(last) > 0 && last[0].Person != one.Person {
				persons, last = append(persons, last), nil
			}
			last = append(last, one)
		}
		return replayed(persons)
	})
	if err != nil || len(last) == 0 {
		return err
	}
	return replayed([][]Claim{last})
}

// claimsAtOnce is how many claims are replayed at once: each with all that its
// person has.
const claimsAtOnce = 200

func (r *Registry) replayPerson(rd kv.Reader, all []Claim, report func(string)) error {
	whole, err := r.wholeOf(rd, all)
	if cannotReplay(err) {
		report("claim " + all[0].ID + " and those after it cannot be replayed: " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	for i, c := range all {
		p := replay{r: r, rd: rd, whole: whole, claim: c, report: report}
		if c.Seq != i+1 || i > 0 && (c.LogIndex < all[i-1].LogIndex || c.LogIndex == all[i-1].LogIndex && c.Imported == nil) {
			p.problem("is number %d of its person, out of the order of the log", c.Seq)
		}
		if err := p.run(); err != nil {
			return err
		}
	}
	return nil
}

// replay is one claim held against what was known at its entry of the log.
type replay struct {
	r      *Registry
	rd     kv.Reader
	whole  wholePerson // the person's claims and holdings, as they are now
	claim  Claim
	report func(string)
	tell   func(policy.Text) // in its place: the claim's payer reads what was found
}

// finding is a problem that a payer may be told as well.
func (p replay) finding(zh, en string, args ...any) {
	if p.tell == nil {
		p.problem(en, args...)
		return
	}
	p.tell(policy.Text{ZH: fmt.Sprintf(zh, args...), EN: "it " + fmt.Sprintf(en, args...)})
}

func (p replay) problem(format string, args ...any) {
	p.report("claim " + p.claim.ID + " " + fmt.Sprintf(format, args...))
}

func (p replay) run() error {
	c := p.claim
	if at, ok := c.before(math.MaxUint64); !ok || at.State != c.State {
		p.problem("is %s, its steps lead to %s", c.State, at.State)
	}
	p.steps()
	if err := p.stepsLogged(); err != nil {
		return err
	}
	if c.Imported != nil {
		return nil // it was decided elsewhere: there is nothing to replay
	}
	if err := p.logged(); err != nil {
		return err
	}
	basis, sound, err := p.r.claimBasis(p.rd, c)
	if err != nil {
		p.problem("cannot be replayed: %v", err)
		return nil
	}
	if !sound {
		p.problem("rests on a sealed basis other than the one it was recorded with")
	}
	law, err := p.r.policyOf(p.rd, c)
	if err != nil {
		p.problem("cannot be replayed: %v", err)
		return nil
	}
	p.decision(law, basis)
	p.latePayment(law, basis)
	return nil
}

// logged holds the claim against its event, unless that was erased.
func (p replay) logged() error {
	e, err := auditlog.ReadEntry(p.rd, p.claim.LogIndex)
	if err != nil {
		return err
	}
	if e.Event == nil {
		return nil
	}
	var ev struct {
		Kind   EventKind    `json:"kind"`
		Object string       `json:"object"`
		Detail claimDecided `json:"detail"`
	}
	kind := ClaimReserved
	if p.claim.State == StateRefused {
		kind = ClaimRefused
	}
	d := &ev.Detail
	began := p.claim.Expires
	for _, s := range p.claim.Steps {
		if s.Kind == StepExtended {
			began = s.Was // before the first extension
			break
		}
	}
	if json.Unmarshal(e.Event, &ev) != nil || ev.Kind != kind || ev.Object != p.claim.ID || d.Basis != hex.EncodeToString(p.claim.Basis) ||
		d.Amount != p.claim.Amount || d.Digest != p.claim.PolicyDigest || !e.Leaf.Time.Equal(p.claim.Reserved) || !d.Expires.IsZero() && !d.Expires.Equal(began) {
		p.problem("is not what entry %d of the audit log says", p.claim.LogIndex)
	}
	return nil
}

// input is what the claim was decided on, as it was known before its entry of the
// log. Besides problems it reports nothing.
func (p replay) input(law policy.Policy, basis claimBasis) policy.Input {
	c, index, on := p.claim, p.claim.LogIndex, standards.DateOf(p.claim.Reserved)
	in := policy.Input{Now: c.Reserved, Received: basis.Received, Payer: c.Payer}
	_, held := p.whole.at(index)
	for _, h := range held {
		listed := slices.Contains(basis.Certificates, h.Number)
		if !listed && h.received.Before(c.Reserved) {
			p.finding("作出决定时未计入已公布的证书 %s", "was decided without certificate %s, which was public", h.Number)
		}
		if listed {
			in.Others = append(in.Others, claimed(h.Certificate, h.statusBefore(index), on))
		}
		if h.Number == c.Certificate {
			in.Certificate = claimed(h.Certificate, h.statusBefore(index), on)
		}
	}
	if len(in.Others) != len(basis.Certificates) || in.Certificate.Number != c.Certificate || c.Certificate == "" && basis.Subject.Kind == "" {
		p.finding("作出决定时所依据的证书不是该人员的", "was decided with certificates that are not the person's")
	}
	in.Claims, in.Facts = pastClaims(law, p.claimsBefore(index), c.ID, basis.Facts)
	in, ok := p.r.complete(p.rd, in, basis)
	if !ok {
		p.finding("无法重新计算：现有的职业等同关系表不是作出决定时所用的", "cannot be replayed: the table of same occupations is not the one it was decided by")
	}
	if basis.Asked.State == policy.CertificateNotQueryable && in.Certificate.State == policy.CertificateValid {
		in.Certificate.State = basis.Asked.State // the national query did not have it then
	}
	return in
}

// decision evaluates the claim anew.
func (p replay) decision(law policy.Policy, basis claimBasis) {
	c := p.claim
	got := law.Evaluate(p.input(law, basis))
	switch {
	case got.Outcome != c.Outcome:
		p.problem("was answered %s, the rules say %s %v", c.Outcome, got.Outcome, reasonsOf(got))
	case got.Amount != c.Amount || got.Year != c.Year || got.OnceKey != c.OnceKey:
		p.problem("was decided as %s yuan in %d for %s, the rules say %s yuan in %d for %s", c.Amount, c.Year, c.OnceKey, got.Amount, got.Year, got.OnceKey)
	}
	if (c.Outcome == policy.Allow) == (c.State == StateRefused) {
		p.problem("is %s although it was answered %s", c.State, c.Outcome)
	}
	if d := basis.Decision; d.Outcome != c.Outcome || d.Amount != c.Amount || d.Digest != c.PolicyDigest {
		p.problem("differs from its sealed decision")
	} else if basis.Received != "" && c.Received != "" && basis.Received != c.Received || d.Scarce != c.Scarce || d.PayTo != c.PayTo || d.AdvanceMost != c.Advance || basis.Asked.Number != "" && c.Issued != "" && basis.Asked.Issued != c.Issued {
		p.problem("says other days, another payee or another advance than it was decided on")
	} else if c.Channel != basis.Channel && basis.Channel != "" || basis.Subject.Kind != "" && !reflect.DeepEqual(c.Subject, basis.paidSubject()) {
		p.problem("says another channel or subject than it was decided on")
	} else if a := basis.Asked; c.Fund != law.Fund || a.Number != "" && a.Number == c.Certificate && (a.Occupation != c.Occupation || a.Edition != c.Edition || a.Trade != c.Trade || a.Level != c.Level) {
		p.problem("says another fund, occupation or level than it was decided on")
	} else if !sameDecision(d, got) {
		p.problem("was answered with other words than deciding it anew gives")
	}
}

// latePayment decides anew for every payment that was reported late whether the
// right was still free. Certificates that came in the second of the payment may lie
// on either side of it; they are left out where they would accuse.
func (p replay) latePayment(law policy.Policy, basis claimBasis) {
	c := p.claim
	for _, s := range c.viewSteps() {
		if s.Kind != StepPaid || !s.Late || p.stateBefore(s) == policy.Duplicate {
			continue
		}
		in := policy.Input{Now: s.At, Received: basis.Received, Payer: c.Payer}
		_, held := p.whole.at(s.LogIndex)
		for _, h := range held {
			seen := claimed(h.Certificate, h.statusBefore(s.LogIndex), standards.DateOf(s.At))
			if h.received.Before(s.At) || s.TooLate && h.received.Equal(s.At) {
				in.Others = append(in.Others, seen)
			}
			if h.Number == c.Certificate {
				in.Certificate = seen
			}
		}
		in.Claims, in.Facts = pastClaims(law, p.claimsBefore(s.LogIndex), c.ID, basis.Facts)
		in, ok := p.r.complete(p.rd, in, basis)
		if !ok {
			return // decision has said so
		}
		if taken := law.Taken(in); (len(taken) > 0) != s.TooLate {
			p.problem("was paid late: recorded as paid twice %t, %d rules stand against it", s.TooLate, len(taken))
		}
	}
}

// claimsBefore are the person's claims as they stood before entry index.
func (p replay) claimsBefore(index uint64) []Claim {
	var out []Claim
	all, _ := p.whole.at(index)
	for _, c := range all {
		if c, ok := c.before(index); ok {
			out = append(out, c)
		}
	}
	return out
}

// before is the claim as it stood before entry index of the log; ok is false
// when it was not there yet.
func (c Claim) before(index uint64) (Claim, bool) {
	if c.LogIndex >= index {
		return Claim{}, false
	}
	if c.State == StateRefused {
		return c, true
	}
	steps := c.steps()
	n := 0 // steps are kept in the order of the log
	for n < len(steps) && steps[n].LogIndex < index {
		n++
	}
	l, _ := c.lifeAfter(steps[:n]) // as far as they can be taken; replay.steps reports the one that cannot
	was := c.with(l)
	was.Steps = steps[:n]
	return was, true
}

// statusBefore is the status of a certificate before entry index of the log.
func (c Certificate) statusBefore(index uint64) CertificateStatus {
	n := 0 // changes are kept in the order of the log
	for n < len(c.Changes) && c.Changes[n].LogIndex < index {
		n++
	}
	return statusAfter(c.Changes[:n])
}

// paidSubject is what a claim keeps of the subject it was decided on.
func (b claimBasis) paidSubject() policy.Subject {
	s := b.Subject
	if s.Units == 0 {
		s.Units = b.Decision.Units
	}
	return s
}
