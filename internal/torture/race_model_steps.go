package torture

import (
	"slices"

	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// step moves a claim by the next of its recorded steps and says what is wrong with
// it. Whether it was due is asked of the newest step only; what a correction leaves
// is folded again from the beginning.
func (m *model) step(c *modelClaim, s registry.ClaimStep) string {
	if c.refused {
		return "a refused claim has steps"
	}
	wrong := ""
	switch s.Kind {
	case registry.StepPaid:
		wrong = m.due(c, s)
	case registry.StepPayable:
		if day := standards.DateOf(s.At); c.life.state != policy.Publicised || c.life.publicity >= day { // 公示期满
			wrong = "it is to be paid before its publicity is over"
		}
	case registry.StepCorrected:
		if s.Proposed == "" || s.Proposed == s.By {
			wrong = "one person corrected it"
		}
	}
	c.steps = append(c.steps, s)
	life, bad := c.fold()
	if life.index = s.LogIndex; bad == "" && life.state != s.State {
		bad = "it leads to " + string(s.State) + ", by the model to " + string(life.state)
	}
	c.life = life
	c.past = append(c.past, life)
	if wrong == "" {
		wrong = bad
	}
	return wrong
}

// due says what is wrong with a payment: its amount, and whether it is marked late,
// and too late, as the model marks it.
func (m *model) due(c *modelClaim, s registry.ClaimStep) string {
	now := momentOf(s.At)
	state, rest := c.life.at(now), c.amount-c.life.got()
	if s.Amount != rest && c.life.got()+s.Amount > c.advance {
		return "a payment was taken that is neither the rest nor an advance"
	}
	tooLate := state == policy.Duplicate
	if givenUp(state) {
		q := m.askedOf(c.raceAsk)
		q.now, q.index, q.self = now, s.LogIndex, c
		tooLate, _ = m.bars(q)
	}
	if s.Late != (givenUp(state) || state == policy.Duplicate) || s.TooLate != tooLate {
		return "a late payment is not marked as the model marks it"
	}
	return ""
}

func givenUp(s policy.State) bool {
	return s == policy.Released || s == policy.Withdrawn || s == policy.Expired
}

// fold takes the claim's steps, as they stand after their corrections, one by one.
func (c *modelClaim) fold() (modelLife, string) {
	newest := map[int]registry.ClaimStep{}
	l := modelLife{state: policy.Reserved, expires: c.expires, arrived: map[int]int{}}
	for _, s := range c.steps {
		if s.Kind == registry.StepCorrected {
			newest[s.Corrects] = s
			if was := c.steps[s.Corrects-1]; s.Void && was.Kind == registry.StepReturned {
				l.arrived[was.Of]++
			}
		}
	}
	for _, s := range c.steps {
		x, corrected := newest[s.N]
		if s.Kind == registry.StepCorrected || corrected && x.Void {
			continue
		}
		if corrected {
			s.Amount, s.Reference, s.On = x.Amount, x.Reference, x.On
		}
		state := l.at(momentOf(s.At))
		if l.state = l.take(c, s, state); l.state == policy.None {
			return l, "the step " + string(s.Kind) + " cannot be taken from " + string(state)
		}
	}
	return l, ""
}

// take is the table of a claim's life.
func (l *modelLife) take(c *modelClaim, s registry.ClaimStep, state policy.State) policy.State {
	if l.paidAllAlong() && c.whileReturned(s.N) {
		switch k := s.Kind; {
		case (k == registry.StepReleased || k == registry.StepWithdrawn) && state != policy.Payable,
			(k == registry.StepPublicised || k == registry.StepObjected) && state != policy.PartPaid:
			return state // nothing comes of it: the person had the money
		}
	}
	open := state == policy.Reserved || state == policy.Publicised
	unpaid := open || state == policy.Payable
	switch s.Kind {
	case registry.StepExtended:
		if open {
			l.expires = momentOf(s.Until.AddDays(1).Time())
			return state
		}
	case registry.StepPublicised:
		if l.publicity = s.Until; state == policy.Reserved {
			return policy.Publicised
		} else if state == policy.PartPaid {
			return state
		}
	case registry.StepObjected:
		if state == policy.Publicised {
			return policy.Reserved
		} else if state == policy.PartPaid {
			return state
		}
	case registry.StepPayable:
		if open {
			return policy.Payable
		}
	case registry.StepReleased:
		if unpaid {
			return policy.Released
		}
	case registry.StepWithdrawn:
		if unpaid {
			return policy.Withdrawn
		}
	case registry.StepPaid:
		return l.takePaid(c, s, state)
	case registry.StepReturned:
		return l.takeReturned(c, s, state)
	case registry.StepRecovery:
		if l.restores = s.Restores; (state == policy.Confirmed || state == policy.PartPaid) && s.Restores != nil {
			return policy.Recovering
		}
	case registry.StepRefunded:
		return l.takeRefunded(s, state)
	}
	return policy.None
}

// paidAllAlong says that a payment is in force that was taken for returned by mistake.
func (l *modelLife) paidAllAlong() bool {
	return slices.ContainsFunc(l.payments, func(p modelPayment) bool { return l.arrived[p.step] > 0 })
}

// whileReturned says that step n was taken between a false return and its correction.
func (c *modelClaim) whileReturned(n int) bool {
	return slices.ContainsFunc(c.steps, func(s registry.ClaimStep) bool {
		return s.Kind == registry.StepCorrected && s.Void && c.steps[s.Corrects-1].Kind == registry.StepReturned && c.steps[s.Corrects-1].Of != 0 && s.Corrects < n && n < s.N
	})
}

func (l *modelLife) takePaid(c *modelClaim, s registry.ClaimStep, state policy.State) policy.State {
	open := state == policy.Reserved || state == policy.Publicised || state == policy.Payable || state == policy.PartPaid
	l.payments = append(slices.Clip(l.payments), modelPayment{step: s.N, amount: s.Amount})
	defer func() { l.excused += policy.Fen(l.arrived[s.N]) * s.Amount }() // of those that come after it
	if l.paidAllAlong() && !givenUp(state) && state != policy.Duplicate {
		s.Late, s.TooLate = false, false // it was never given up
	}
	switch {
	case s.Amount <= 0:
	case l.got() > c.amount:
		return l.takeTwice(c, s, state)
	case s.TooLate && (givenUp(state) || state == policy.Duplicate):
		return policy.Duplicate
	case s.TooLate || s.Late != givenUp(state) || !s.Late && !open:
	case l.got() == c.amount:
		return policy.Confirmed
	default:
		return policy.PartPaid
	}
	return policy.None
}

// takeTwice is of a payment beyond what was due. It can only be one that was made
// because an earlier one was taken for returned and had arrived: what is too much has
// to come back, and the right stays used by the rest.
func (l *modelLife) takeTwice(c *modelClaim, s registry.ClaimStep, state policy.State) policy.State {
	over, again := l.got()-c.amount, l.again > 0
	if over > l.excused-l.settled {
		return policy.None
	}
	switch l.again = over; {
	case state == policy.Duplicate && s.TooLate: // neither had the right
		l.again = 0
		return state
	case state == policy.Confirmed, state == policy.PartPaid, state == policy.Duplicate, state == policy.Recovering && again:
		return policy.Recovering
	case state == policy.PartlyRefunded && again:
		return state
	}
	return policy.None
}

func (l *modelLife) takeReturned(c *modelClaim, s registry.ClaimStep, state policy.State) policy.State {
	i := slices.IndexFunc(l.payments, func(p modelPayment) bool { return s.Of != 0 && p.step == s.Of })
	if i < 0 { // never reported as made, or that was corrected away
		if l.paidAllAlong() {
			return state // tried while the one before was taken for returned
		}
		switch state {
		case policy.Reserved, policy.Publicised, policy.Payable, policy.PartPaid:
			return state
		}
		return policy.None
	}
	l.payments = slices.Delete(slices.Clone(l.payments), i, i+1)
	some := l.got() > 0
	if l.got() < 0 {
		return policy.None
	}
	switch state {
	case policy.Confirmed, policy.PartPaid:
		if some {
			return policy.PartPaid
		}
		return policy.Payable
	case policy.Duplicate:
		if some {
			return policy.Duplicate
		}
		return policy.Released
	case policy.Recovering, policy.PartlyRefunded:
		over, refunded := l.got()-c.amount, l.back-l.settled
		switch {
		case l.again == 0:
			return policy.None
		case over > refunded: // less is too much
			l.again = over
			return state
		}
		if l.settled, l.again = l.back, 0; over == refunded { // it was the one too many
			return policy.Confirmed
		}
		return policy.PartPaid
	}
	return policy.None
}

func (l *modelLife) takeRefunded(s registry.ClaimStep, state policy.State) policy.State {
	switch state {
	case policy.Confirmed, policy.PartPaid, policy.Duplicate:
		l.restores = s.Restores
	case policy.Recovering, policy.PartlyRefunded:
	default:
		return policy.None
	}
	owed := l.owing()
	switch l.back += s.Amount; {
	case s.Amount <= 0 || s.Amount > owed:
		return policy.None
	case s.Amount < owed:
		return policy.PartlyRefunded
	case l.again > 0:
		l.settled, l.again = l.settled+l.again, 0
		return policy.Confirmed
	}
	return policy.Refunded
}

// since is when the claim began to have the right that it has, and the entry: with its
// reservation, or with the step that gave the right back to it, as a late payment does.
func (c *modelClaim) since() (at moment, index uint64) {
	at, index = c.reserved, c.index
	for i, s := range c.steps {
		if now := momentOf(s.At); !c.past[i].counts(now) && c.past[i+1].counts(now) {
			at, index = now, s.LogIndex
		}
	}
	return at, index
}

// foreseen are the claims that collide when two persons become one: what would have
// been refused beside the other's, as far as both stand. Of those in unjudged the model
// does not say: they stood against claims of their own person already.
func (m *model) foreseen(a, b []int, now moment) (collide, unjudged map[string]bool) {
	collide, unjudged = map[string]bool{}, map[string]bool{}
	for i, side := range [][]int{a, b} {
		both := append(slices.Clone(side), [][]int{b, a}[i]...)
		for _, who := range side {
			for _, c := range m.claims[who] {
				if !c.life.counts(now) {
					continue
				}
				q := m.askedOf(c.raceAsk)
				q.people, q.self = side, c
				q.now, q.index = c.since()
				if apart, _ := m.bars(q); apart {
					unjudged[c.ID] = true
					continue
				}
				q.people = both
				barred, against := m.bars(q)
				if barred && (len(against) == 0 || slices.ContainsFunc(against, func(x *modelClaim) bool { return x.life.counts(now) })) {
					collide[c.ID] = true
				}
			}
		}
	}
	return collide, unjudged
}
