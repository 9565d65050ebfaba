package registry

import (
	"cmp"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimStepKind is what one step of a claim records.
type ClaimStepKind string

// The kinds of steps after the reservation.
const (
	StepExtended   ClaimStepKind = "extended"        // 延长锁定
	StepPublicised ClaimStepKind = "publicised"      // 公示
	StepObjected   ClaimStepKind = "objected"        // 异议停止公示
	StepPayable    ClaimStepKind = "payable"         // 转待拨付
	StepPaid       ClaimStepKind = "paid"            // 发放, whole or in part
	StepReturned   ClaimStepKind = "returned"        // 退票
	StepReleased   ClaimStepKind = "released"        // 解除锁定
	StepWithdrawn  ClaimStepKind = "withdrawn"       // 本人撤回
	StepRecovery   ClaimStepKind = "recovery_opened" // 追回立项
	StepRefunded   ClaimStepKind = "refunded"        // 追回, whole or in part
	StepCorrected  ClaimStepKind = "corrected"       // 更正 of an earlier step
)

// Limits of the steps of one claim. The room after claimStepsSoft is kept for money
// and corrections, which are facts and cannot wait.
const (
	claimStepsMax  = 120
	claimStepsSoft = 40
)

// ClaimStep is one step of a claim, for ever. What was wrong in one is corrected
// by a further step, never by changing it. Fields that its kind does not use are
// empty.
type ClaimStep struct {
	N        int           `json:"n"` // 1, 2, … in the order of the log
	Kind     ClaimStepKind `json:"kind"`
	State    policy.State  `json:"state"` // of the claim after it
	At       time.Time     `json:"at"`
	By       string        `json:"by"` // account id
	LogIndex uint64        `json:"log_index"`
	Reason   string        `json:"reason,omitempty"`

	Amount    policy.Fen     `json:"amount_fen,omitempty"`
	Reference string         `json:"reference,omitempty"` // of the payment or refund; of the notice or document
	On        standards.Date `json:"on,omitempty"`        // civil day of the payment, return or refund

	// Late and TooLate are about a payment reported after the claim was given up:
	// TooLate when another claim had the right by then.
	Late         bool   `json:"late,omitempty"`
	TooLate      bool   `json:"too_late,omitempty"`
	Unpublicised bool   `json:"unpublicised,omitempty"` // paid before the publicity that the rules ask was over
	Payout       string `json:"payout,omitempty"`       // the payout batch that reported it
	Line         int    `json:"line,omitempty"`         // of that batch, from 1

	Of       int   `json:"of,omitempty"`             // of a return: the step of the payment; 0 when none was recorded
	Restores *bool `json:"restores_right,omitempty"` // of a recovery

	From    standards.Date  `json:"from,omitempty"` // of a publicity
	Until   standards.Date  `json:"until,omitempty"`
	Basis   standards.Basis `json:"basis,omitempty"`    // what its working days rest on
	Expires time.Time       `json:"expires,omitzero"`   // of an extension: the new end of the lock
	Was     time.Time       `json:"was_until,omitzero"` // and the end before it

	Corrects int    `json:"corrects,omitempty"` // the step that this one corrects
	Void     bool   `json:"void,omitempty"`     // that step did not happen
	Proposed string `json:"proposed,omitempty"` // account id of who asked for the correction; By approved it
}

// ClaimPublicity is the publicity 公示 of a claim: both days are shown whole.
type ClaimPublicity struct {
	From      standards.Date  `json:"from"`
	Until     standards.Date  `json:"until"`
	Basis     standards.Basis `json:"basis"`
	Reference string          `json:"reference,omitempty"` // of the notice
	At        time.Time       `json:"at"`
	Stopped   time.Time       `json:"stopped,omitzero"` // by an objection
}

// over reports whether the publicity has run its whole time by a day.
func (p *ClaimPublicity) over(today standards.Date) bool {
	return p != nil && p.Stopped.IsZero() && p.Until < today
}

// claimLife is what the steps of a claim have led to.
type claimLife struct {
	state      policy.State
	since      time.Time // in this state
	expires    time.Time
	publicity  *ClaimPublicity
	payments   []PaymentRecord // in force: not returned, oldest first
	paid, back policy.Fen
	unreturned map[int]ClaimStep // see takenBack
	mistakes   []ClaimStep       // all of them; Of is the step of the payment
	again      policy.Fen        // of paid: beyond what was due and not yet back, see payAgain
	settled    policy.Fen        // of paid and of back: what was beyond it and came back
	excused    policy.Fen        // what the mistakes so far explain of payments beyond what was due, settled or not
	release    *ReleaseRecord
	withdrawal *ReleaseRecord
	refund     *RefundRecord // once all is back
	recovery   *RecoveryItem
}

// net is what was paid of what is due. What was paid twice and came back is neither.
func (l claimLife) net() policy.Fen { return l.paid - l.settled }

// steps are the steps of the claim; those of the first release were kept in
// fields of their own, and a payment of the past is its one step.
func (c Claim) steps() []ClaimStep {
	if len(c.Steps) > 0 {
		return c.Steps
	}
	var out []ClaimStep
	if x := c.Release; x != nil {
		out = append(out, ClaimStep{Kind: StepReleased, At: x.At, By: x.By, LogIndex: x.LogIndex, Reason: x.Reason})
	}
	if x := c.Payment; x != nil {
		out = append(out, ClaimStep{Kind: StepPaid, At: x.At, By: x.By, LogIndex: x.LogIndex, Amount: x.Amount, Reference: x.Reference, On: x.PaidOn,
			Late: x.Late, TooLate: x.Late && c.Recovery != nil})
	} else if c.Imported != nil {
		out = append(out, ClaimStep{Kind: StepPaid, At: c.Imported.At, LogIndex: c.LogIndex, Amount: c.Amount, On: standards.DateOf(c.Reserved)})
	}
	if x := c.Refund; x != nil {
		restores := x.Restores
		out = append(out, ClaimStep{Kind: StepRefunded, At: x.At, By: x.By, LogIndex: x.LogIndex, Amount: x.Amount, Reason: x.Reason,
			On: standards.DateOf(x.At), Restores: &restores})
	}
	slices.SortStableFunc(out, func(a, b ClaimStep) int { return cmp.Compare(a.LogIndex, b.LogIndex) })
	for i := range out {
		out[i].N = i + 1
		if l, err := c.lifeAfter(out[:i+1]); err == nil {
			out[i].State = l.state
		}
	}
	return out
}

// effectiveSteps are the steps as they stand after their corrections: the newest
// correction of a step counts.
func effectiveSteps(steps []ClaimStep) []ClaimStep {
	newest := map[int]ClaimStep{}
	for _, s := range steps {
		if s.Kind == StepCorrected {
			newest[s.Corrects] = s
		}
	}
	var out []ClaimStep
	for _, s := range steps {
		x, corrected := newest[s.N]
		switch {
		case s.Kind == StepCorrected || corrected && x.Void:
			continue
		case corrected:
			s.Amount, s.Reference, s.On = x.Amount, x.Reference, x.On
		}
		out = append(out, s)
	}
	return out
}

// lifeAfter folds steps, the first of the claim, into what they lead to. A step
// that the one before does not allow is an error.
func (c Claim) lifeAfter(steps []ClaimStep) (claimLife, error) {
	l := claimLife{state: policy.Reserved, since: c.Reserved, expires: c.Expires}
	l.unreturned, l.mistakes = takenBack(steps)
	for _, s := range slices.Concat(c.Steps, steps) {
		if s.Kind == StepExtended {
			l.expires = s.Was // the end of the lock before the first extension
			break
		}
	}
	if x, ok := c.neverPaid(steps); ok {
		l.state, l.since, l.expires = policy.Released, x.At, time.Time{}
		l.release = &ReleaseRecord{Reason: x.Reason, At: x.At, By: x.By, LogIndex: x.LogIndex}
	}
	for _, s := range effectiveSteps(steps) {
		if now := policy.StateAt(l.state, l.expires, s.At); now != l.state {
			l.state, l.since = now, l.expires
		}
		if l.inVain(s) {
			continue
		}
		was := l.state
		ev, err := l.take(c, s)
		if err != nil {
			return l, err
		}
		if l.state, err = policy.Move(was, ev); err != nil {
			return l, err
		}
		if l.state != was {
			l.since = s.At
		}
	}
	return l, nil
}

// arrived reports whether a payment is in force that was once taken for returned.
func (l claimLife) arrived() bool {
	return slices.ContainsFunc(l.payments, func(p PaymentRecord) bool { _, ok := l.unreturned[p.Step]; return ok })
}

// inVain reports whether nothing comes of a step that the state does not allow, because
// it was taken while a payment was taken for returned that had arrived: an attempt that
// failed, a publicity or an objection to it, a release or a withdrawal.
func (l claimLife) inVain(s ClaimStep) bool {
	ev, ok := map[ClaimStepKind]policy.Event{StepReturned: policy.FailPayment, StepPublicised: policy.Publicise, StepObjected: policy.Object,
		StepReleased: policy.Release, StepWithdrawn: policy.Withdraw}[s.Kind]
	if !ok || !l.arrived() || s.Kind == StepReturned && slices.ContainsFunc(l.payments, func(p PaymentRecord) bool { return p.Step == s.Of }) {
		return false
	}
	if _, err := policy.Move(l.state, ev); err == nil {
		return false
	}
	return s.Kind == StepReturned || slices.ContainsFunc(l.mistakes, func(x ClaimStep) bool { return x.Corrects < s.N && s.N < x.N })
}

// neverPaid reports whether a payment of the past was taken away again by a
// correction, and which. Nobody had reserved anything: what is left of the claim is
// given up, and gives and blocks nothing.
func (c Claim) neverPaid(steps []ClaimStep) (ClaimStep, bool) {
	if c.Imported == nil {
		return ClaimStep{}, false
	}
	for _, s := range slices.Backward(steps) {
		if s.Kind == StepCorrected && s.Corrects == 1 {
			return s, s.Void
		}
	}
	return ClaimStep{}, false
}

// takenBack are the returns among steps that a correction took away, by the step of
// the payment that they had taken for returned, the newest of each, and all: the money
// had reached the person.
func takenBack(steps []ClaimStep) (newest map[int]ClaimStep, all []ClaimStep) {
	for _, s := range steps {
		if s.Kind != StepCorrected || !s.Void || s.Corrects < 1 || s.Corrects > len(steps) {
			continue
		}
		if was := steps[s.Corrects-1]; was.Kind == StepReturned && was.Of != 0 {
			if newest == nil {
				newest = map[int]ClaimStep{}
			}
			newest[was.Of] = s
			s.Of = was.Of
			all = append(all, s)
		}
	}
	return newest, all
}

// payAgain puts a payment into the life that was made because an earlier one was
// taken for returned, by mistake: what the person has beyond amount has to come
// back, and the right stays used by what was due. ok is false when no such mistake
// explains the payment.
func (l *claimLife) payAgain(amount policy.Fen) (ok bool) {
	over := l.net() - amount
	open := l.recovery != nil && l.recovery.Closed.IsZero() && !l.recovery.Again
	if over > l.excused-l.settled || open && l.state != policy.Duplicate {
		return false
	}
	by := l.mistakes[len(l.mistakes)-1]
	for _, p := range l.payments[:len(l.payments)-1] {
		if x, mistaken := l.unreturned[p.Step]; mistaken {
			by = x
		}
	}
	restores := false
	l.again = over
	l.recovery = &RecoveryItem{Amount: over, Back: l.back - l.settled, Opened: by.At, Restores: &restores, Reason: by.Reason, Again: true}
	return true
}

// take puts what a step says into the life and answers the event that it is.
func (l *claimLife) take(c Claim, s ClaimStep) (policy.Event, error) {
	switch s.Kind {
	case StepExtended:
		l.expires = s.Expires
		return policy.Extend, nil
	case StepPublicised:
		l.publicity = &ClaimPublicity{From: s.From, Until: s.Until, Basis: s.Basis, Reference: s.Reference, At: s.At}
		return policy.Publicise, nil
	case StepObjected:
		if l.publicity != nil {
			stopped := *l.publicity
			stopped.Stopped = s.At
			l.publicity = &stopped
		}
		return policy.Object, nil
	case StepPayable:
		return policy.Approve, nil
	case StepPaid:
		return l.takePayment(c, s)
	case StepReturned:
		return l.takeReturn(c.Amount, s)
	case StepReleased:
		l.release = &ReleaseRecord{Reason: s.Reason, At: s.At, By: s.By, LogIndex: s.LogIndex}
		return policy.Release, nil
	case StepWithdrawn:
		l.withdrawal = &ReleaseRecord{Reason: s.Reason, At: s.At, By: s.By, LogIndex: s.LogIndex}
		return policy.Withdraw, nil
	case StepRecovery:
		l.recovery = &RecoveryItem{Amount: l.paid, Back: l.back, Opened: s.At, Restores: s.Restores, Reason: s.Reason}
		return policy.Recover, nil
	case StepRefunded:
		return l.takeRefund(s)
	}
	return "", fail.New(fail.Conflict, "claim_step", "claim %s has a step of unknown kind %q", c.ID, s.Kind).In("申领 %s 有无法识别的步骤", c.ID)
}

func (l *claimLife) takePayment(c Claim, s ClaimStep) (policy.Event, error) {
	defer func() {
		for _, x := range l.mistakes {
			if x.Of == s.N {
				l.excused += s.Amount // of those that come after it
			}
		}
	}()
	over := l.net() > c.Amount-s.Amount // nothing may overflow
	if s.Amount < 0 || s.Amount > c.Amount || s.Amount == 0 && c.Amount != 0 || over && len(l.unreturned) == 0 {
		return "", wrongAmount(s.Amount, c.Amount, l.net(), 0)
	}
	l.paid += s.Amount
	l.payments = append(slices.Clip(l.payments), PaymentRecord{Payment: Payment{Reference: s.Reference, PaidOn: s.On, Amount: s.Amount},
		Late: s.Late, Unpublicised: s.Unpublicised, Payout: s.Payout, Step: s.N, At: s.At, By: s.By, LogIndex: s.LogIndex})
	whole := l.net() == c.Amount
	if l.arrived() && !l.state.GivenUp() && l.state != policy.Duplicate {
		s.Late, s.TooLate = false, false // it was given up only while the one before was taken for returned
	}
	switch {
	case over:
		duplicate := l.recovery // which has all of it to come back, if this one had no right either
		if !l.payAgain(c.Amount) {
			return "", wrongAmount(s.Amount, c.Amount, l.net()-s.Amount, 0)
		}
		if l.state != policy.Duplicate || !s.TooLate {
			return policy.PayAgain, nil
		}
		l.again, l.recovery = 0, duplicate
		fallthrough
	case s.TooLate:
		item := RecoveryItem{Back: l.back, Opened: s.At}
		if l.recovery != nil && l.state == policy.Duplicate {
			item = *l.recovery
		}
		item.Amount = l.paid
		l.recovery = &item
		return policy.LatePaymentTooLate, nil
	case s.Late && whole:
		return policy.LatePayment, nil
	case s.Late:
		return policy.LatePart, nil
	case whole:
		return policy.Confirm, nil
	}
	return policy.PayPart, nil
}

func (l *claimLife) takeReturn(due policy.Fen, s ClaimStep) (policy.Event, error) {
	i := slices.IndexFunc(l.payments, func(p PaymentRecord) bool { return s.Of != 0 && p.Step == s.Of })
	if i < 0 {
		return policy.FailPayment, nil
	}
	if l.paid -= l.payments[i].Amount; l.net() < 0 {
		return "", fail.New(fail.Conflict, "return_refunded", "%s yuan came back as paid twice, which cannot be when payment %q is returned too; correct the refund first", l.settled, s.Reference).
			In("多付的 %s 元已登记追回，与支付流水号 %s 的退票相抵触；请核实后先更正追回记录", l.settled, s.Reference)
	}
	l.payments = slices.Delete(slices.Clone(l.payments), i, i+1)
	if l.state == policy.Duplicate {
		item := *l.recovery
		if item.Amount = l.paid; l.net() == 0 {
			item.Closed = s.At
		}
		l.recovery = &item
	}
	switch {
	case l.again > 0:
		return l.returnAgain(due, s), nil
	case l.net() == 0:
		return policy.Return, nil
	}
	return policy.ReturnPart, nil
}

// returnAgain is a bank return while what was paid twice is recovered. A part of it that
// came back already is settled once no more is too much.
func (l *claimLife) returnAgain(due policy.Fen, s ClaimStep) policy.Event {
	item := *l.recovery
	l.recovery = &item
	over := l.net() - due
	if over > item.Back {
		item.Amount, l.again = over, over
		return policy.AgainPart
	}
	item.Amount, item.Closed = item.Back, s.At
	l.settled, l.again = l.settled+item.Back, 0
	if over == item.Back {
		return policy.AgainBack
	}
	return policy.AgainShort
}

func (l *claimLife) takeRefund(s ClaimStep) (policy.Event, error) {
	item := RecoveryItem{Amount: l.paid, Back: l.back, Opened: s.At, Reason: s.Reason}
	if l.recovery != nil && l.recovery.Closed.IsZero() {
		item = *l.recovery
	}
	if item.Reason == "" {
		item.Reason = s.Reason
	}
	if item.Restores == nil {
		item.Restores = s.Restores
	}
	owed := item.Amount - item.Back
	if s.Amount < 0 || s.Amount > owed || s.Amount == 0 && owed != 0 {
		return "", fail.New(fail.Invalid, "refund", "%s yuan came back, %s yuan are owed", s.Amount, owed).
			In("追回 %s 元，超出应追回的 %s 元", s.Amount, owed).
			At(fail.Field{Name: "amount_fen", Code: "amount", ZH: "应为大于零、不超过 " + owed.String() + " 元", EN: "more than nothing and at most " + owed.String() + " yuan"})
	}
	l.back += s.Amount
	item.Back += s.Amount
	l.recovery = &item
	if s.Amount < owed {
		return policy.RefundPart, nil
	}
	item.Closed = s.At
	if item.Again {
		l.settled, l.again = l.settled+l.again, 0
		return policy.AgainBack, nil
	}
	l.refund = &RefundRecord{Amount: item.Back, Reason: item.Reason, Restores: item.Restores != nil && *item.Restores, At: s.At, By: s.By, LogIndex: s.LogIndex}
	return policy.Refund, nil
}

// with is the claim with what its steps have led to.
func (c Claim) with(l claimLife) Claim {
	c.State, c.Since, c.Expires, c.Publicity = l.state, l.since, l.expires, l.publicity
	c.Release, c.Withdrawal, c.Refund, c.Recovery, c.Payment = l.release, l.withdrawal, l.refund, l.recovery, nil
	if n := len(l.payments); n > 0 {
		newest := l.payments[n-1]
		c.Payment = &newest
	}
	return c
}

// take is the claim with one more step, if the state allows it.
func (c Claim) take(s ClaimStep, by Actor, now time.Time) (Claim, error) {
	steps := slices.Clone(c.steps())
	soft := s.Kind == StepExtended || s.Kind == StepPublicised || s.Kind == StepObjected || s.Kind == StepReturned && s.Of == 0
	if len(steps) >= claimStepsMax || soft && len(steps) >= claimStepsSoft {
		return c, fail.New(fail.Conflict, "too_many_steps", "claim %s has %d steps already; ask the register's operator for a review", c.ID, len(steps)).
			In("申领 %s 已有 %d 个步骤，请联系登记系统运营方复核", c.ID, len(steps))
	}
	s.N, s.At, s.By = len(steps)+1, now, by.Account
	steps = append(steps, s)
	if c.State == StateRefused {
		_, err := policy.Move(c.State, policy.Event(s.Kind))
		return c, err
	}
	l, err := c.lifeAfter(steps)
	if err != nil {
		return c, err
	}
	steps[len(steps)-1].State = l.state
	c.Steps = steps
	return c.with(l), nil
}

// logged is the claim whose newest step is entry index of the log.
func (c Claim) logged(index uint64) (Claim, error) {
	c.Steps = slices.Clone(c.Steps)
	c.Steps[len(c.Steps)-1].LogIndex = index
	l, err := c.lifeAfter(c.Steps)
	return c.with(l), err
}

// life is what the claim's steps have led to; the zero life of a refused one.
func (c Claim) life() claimLife {
	if c.State == StateRefused {
		return claimLife{state: c.State}
	}
	l, _ := c.lifeAfter(c.steps()) // what is stored was folded when it was stored
	return l
}

// InHands is what the person has of the claim's money now: paid, neither returned
// by the bank nor recovered.
func (c Claim) InHands() policy.Fen { paid, back := c.Money(); return paid - back }

// Money is what was paid on the claim and not returned by the bank, and how much of
// it came back since.
func (c Claim) Money() (paid, back policy.Fen) { l := c.life(); return l.paid, l.back }

// Owed is what of the claim's money still has to come back.
func (c Claim) Owed() policy.Fen {
	if c.Recovery == nil || !c.Recovery.Closed.IsZero() {
		return 0
	}
	return c.Recovery.Amount - c.Recovery.Back
}

// stepEvents are the kinds of events of steps. Payments of less than the whole
// have a kind of their own, so that "confirmed" means it.
var stepEvents = map[ClaimStepKind]EventKind{
	StepExtended: ClaimExtended, StepPublicised: ClaimPublicised, StepObjected: ClaimObjected, StepPayable: ClaimMadePayable,
	StepPaid: ClaimConfirmed, StepReturned: ClaimReturned, StepReleased: ClaimReleased, StepWithdrawn: ClaimWithdrawn,
	StepRecovery: ClaimRecovery, StepRefunded: ClaimRefunded, StepCorrected: ClaimCorrected,
}

func (s ClaimStep) event() EventKind {
	if s.Kind == StepPaid && s.State == policy.PartPaid {
		return ClaimPartPaid
	}
	return stepEvents[s.Kind]
}

// claimStep is the detail of the event of a step: what an auditor needs to fold
// the claim again, without the texts that people wrote.
type claimStep struct {
	Step     int            `json:"step,omitempty"` // absent in the first release
	State    policy.State   `json:"state"`
	Amount   policy.Fen     `json:"amount_fen,omitempty"`
	Payment  string         `json:"payment,omitempty"` // the payment's or the refund's reference
	PaidOn   standards.Date `json:"paid_on,omitempty"` // the day of it
	Restores *bool          `json:"restores_right,omitempty"`
	Of       int            `json:"of,omitempty"`
	From     standards.Date `json:"from,omitempty"`
	Until    standards.Date `json:"until,omitempty"`
	Expires  time.Time      `json:"expires,omitzero"`
	Corrects int            `json:"corrects,omitempty"`
	Void     bool           `json:"void,omitempty"`
	Proposed string         `json:"proposed,omitempty"`
	Payout   string         `json:"payout,omitempty"`
	Line     int            `json:"line,omitempty"`
}

func (s ClaimStep) detail() claimStep {
	d := claimStep{Step: s.N, State: s.State, Amount: s.Amount, Restores: s.Restores, Of: s.Of, From: s.From, Until: s.Until, Expires: s.Expires,
		Corrects: s.Corrects, Void: s.Void, Proposed: s.Proposed, Payout: s.Payout, Line: s.Line}
	switch s.Kind {
	case StepPaid, StepReturned, StepRefunded, StepCorrected:
		d.Payment, d.PaidOn = s.Reference, s.On
	}
	return d
}
