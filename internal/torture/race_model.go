package torture

import (
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// What stands here was written from the texts of three policies and from the table
// of a claim's life, for the race alone. It shares nothing with the engine but the
// names of states and outcomes: a rule that both have wrong was misread twice.

// The payers of a race, by the policy that each goes by.
const (
	inKunshan   = iota // 昆政办发〔2020〕67号 二（四）4, 三（十四）
	inJiangsu          // 苏人社发〔2025〕22号, as a payer in 南京 applies it
	inGuangdong        // 广东省职业技能培训补贴管理办法 (2023)
	racePayers
)

// raceCertificate is a certificate of a race: person, occupation and level are
// numbers of the race's own, a higher level being the larger.
type raceCertificate struct {
	number     string
	person     int // of package invented
	who        int // from 0
	occupation int
	level      int // 0 五级, 1 四级, 2 三级
	issued     standards.Date
	scarce     bool // on every list of scarce occupations
}

// raceAsk is one question that was asked, and its answer.
type raceAsk struct {
	payer         int
	cert          *raceCertificate
	received      standards.Date
	reference     string
	id            string // of the claim, when one was recorded
	outcome       policy.Outcome
	tree          uint64 // size of the log that the answer rests on
	before, after moment // around the answer
	reserve       bool
}

// modelClaim is a claim as the model sees it.
type modelClaim struct {
	*raceAsk
	amount   policy.Fen
	expires  moment
	state    policy.State
	payments map[int]policy.Fen // by step, in force
	back     policy.Fen
	restores bool // what the recovery says
}

func (c *modelClaim) paid() (sum policy.Fen) {
	for _, p := range c.payments {
		sum += p
	}
	return sum
}

func (c *modelClaim) owed() policy.Fen {
	if c.state.MustRecover() {
		return c.paid() - c.back
	}
	return 0
}

// lockDays is how long a reservation stands by the embedded rules.
const lockDays = 90

// at is the state at a moment: only what is reserved or publicised runs out.
func (c *modelClaim) at(now moment) policy.State {
	if (c.state == policy.Reserved || c.state == policy.Publicised) && now >= c.expires {
		return policy.Expired
	}
	return c.state
}

// counts reports whether nobody else may have the right that the claim has.
func (c *modelClaim) counts(now moment) bool {
	switch c.at(now) {
	case policy.Released, policy.Withdrawn, policy.Expired, registry.StateRefused:
		return false
	case policy.Refunded:
		return !c.restores
	}
	return true
}

// model is the register as far as a race moves it, at one size of the log.
type model struct {
	claims map[int][]*modelClaim // by person, in the order of the log
	held   map[int][]*raceCertificate
	status map[string]registry.CertificateStatus
}

// bars reports whether the person's other claims and certificates stand against
// one more of the payer's on a certificate.
func (m *model) bars(payer int, c *raceCertificate, received standards.Date, now moment, self *modelClaim) bool {
	year, uplift, scarce := 0, 0, 0 // claims of the year: all, skill-uplift, scarce among these
	for _, x := range m.claims[c.who] {
		if x == self || !x.counts(now) {
			continue
		}
		same, training := x.cert.occupation == c.occupation, x.payer == inGuangdong
		switch {
		case same && x.cert.level == c.level: // each counts the other's fund, or excludes it
			return true
		case same && x.cert.level > c.level && (payer == inJiangsu && !training || payer == inGuangdong && training):
			return true // higher paid
		}
		if x.received.Year() != received.Year() {
			continue
		}
		year++
		if !training {
			uplift++
			if x.cert.scarce {
				scarce++
			}
		}
	}
	switch payer {
	case inKunshan: // 每人每年可享受不超过3次
		return year >= 3
	case inJiangsu: // 每人每年1次，紧缺的增加2次; 已持有高等级证书的不再享受
		extra := min(2, scarce)
		free := uplift-extra < 1 || c.scarce && extra < 2
		return !free || m.holds(c, registry.CertificateValid)
	}
	return false
}

// holds reports whether the person has a higher certificate of the occupation with
// a status.
func (m *model) holds(c *raceCertificate, status registry.CertificateStatus) bool {
	for _, x := range m.held[c.who] {
		if x.occupation == c.occupation && x.level > c.level && m.status[x.number] == status {
			return true
		}
	}
	return false
}

// decide answers a question as the three texts do.
func (m *model) decide(a *raceAsk, now moment) policy.Outcome {
	c := a.cert
	switch status := m.status[c.number]; {
	case status == registry.CertificateVoided, a.received < c.issued:
		return policy.Deny
	case a.payer != inKunshan && a.received > "2025-12-31": // 执行至2025年12月31日
		return policy.Deny
	case a.payer != inKunshan && a.received > c.issued.AddMonths(12): // 12个月内
		return policy.Deny
	case a.payer == inGuangdong && !agedForGuangdong(c.person, a.received):
		return policy.Deny
	case m.bars(a.payer, c, a.received, now, nil):
		return policy.Deny
	case status == registry.CertificateSuspended, a.payer == inJiangsu && m.holds(c, registry.CertificateSuspended):
		return policy.Hold
	}
	return policy.Allow
}

// amountOf is what an allowed claim is worth, in fen.
func (a *raceAsk) amountOf() policy.Fen {
	yuan := []policy.Fen{1000, 1500, 2000}[a.cert.level]
	if a.cert.scarce && (a.payer != inGuangdong || a.cert.level == 2) {
		yuan = yuan * 13 / 10
	}
	return yuan * 100
}

// step moves a claim by one of its recorded steps and says what is wrong with it.
func (m *model) step(c *modelClaim, s registry.ClaimStep) string {
	now := momentOf(s.At)
	state := c.at(now)
	open := state == policy.Reserved || state == policy.Publicised
	unpaid := open || state == policy.Payable
	to := policy.None
	switch s.Kind {
	case registry.StepExtended:
		if open {
			to, c.expires = state, momentOf(s.Until.AddDays(1).Time())
		}
	case registry.StepPublicised:
		if state == policy.Reserved {
			to = policy.Publicised
		}
	case registry.StepObjected:
		if state == policy.Publicised {
			to = policy.Reserved
		}
	case registry.StepPayable:
		if open {
			to = policy.Payable
		}
	case registry.StepReleased:
		if unpaid {
			to = policy.Released
		}
	case registry.StepWithdrawn:
		if unpaid {
			to = policy.Withdrawn
		}
	case registry.StepPaid:
		return m.stepPaid(c, s, state)
	case registry.StepReturned:
		to = c.stepReturned(s, state)
	case registry.StepRecovery:
		if state == policy.Confirmed && s.Restores != nil {
			to, c.restores = policy.Recovering, *s.Restores
		}
	case registry.StepRefunded:
		to = c.stepRefunded(s, state)
	}
	if to == policy.None {
		return "the step cannot be taken from " + string(state)
	}
	return c.become(to, s)
}

func (c *modelClaim) become(to policy.State, s registry.ClaimStep) string {
	if c.state = to; to != s.State {
		return "it leads to " + string(s.State) + ", by the model to " + string(to)
	}
	return ""
}

func (m *model) stepPaid(c *modelClaim, s registry.ClaimStep, state policy.State) string {
	late := state == policy.Released || state == policy.Withdrawn || state == policy.Expired
	if !late && state != policy.Reserved && state != policy.Publicised && state != policy.Payable {
		return "a payment cannot be taken from " + string(state)
	}
	if s.Amount != c.amount {
		return "a payment of another amount was taken"
	}
	to := policy.Confirmed
	if late && m.bars(c.payer, c.cert, c.received, momentOf(s.At), c) {
		to = policy.Duplicate
	}
	c.payments[s.N] = s.Amount
	if s.Late != late && !s.TooLate || s.TooLate != (to == policy.Duplicate) {
		return "a late payment is not marked as the model marks it"
	}
	return c.become(to, s)
}

func (c *modelClaim) stepReturned(s registry.ClaimStep, state policy.State) policy.State {
	if s.Of == 0 { // never reported as made
		switch state {
		case policy.Reserved, policy.Publicised, policy.Payable:
			return state
		}
		return policy.None
	}
	if _, ok := c.payments[s.Of]; !ok || s.Amount != c.payments[s.Of] {
		return policy.None
	}
	delete(c.payments, s.Of)
	switch state {
	case policy.Confirmed:
		return policy.Payable
	case policy.Duplicate:
		return policy.Released
	}
	return policy.None
}

func (c *modelClaim) stepRefunded(s registry.ClaimStep, state policy.State) policy.State {
	switch state {
	case policy.Confirmed, policy.Duplicate:
		if s.Restores != nil {
			c.restores = *s.Restores
		}
	case policy.Recovering, policy.PartlyRefunded:
	default:
		return policy.None
	}
	if c.back += s.Amount; s.Amount <= 0 || c.back > c.paid() {
		return policy.None
	}
	if c.back < c.paid() {
		return policy.PartlyRefunded
	}
	return policy.Refunded
}
