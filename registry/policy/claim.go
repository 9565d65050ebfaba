package policy

import (
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// State is where a claim 补贴申领 stands. This is its whole life; none is a claim
// that does not exist yet ([None]), and a dash means refused.
//
//	state     | reserve  | confirm   | release  | expire  | refund   | late_payment | late_payment_too_late
//	----------+----------+-----------+----------+---------+----------+--------------+----------------------
//	none      | reserved | -         | -        | -       | -        | -            | -
//	reserved  | -        | confirmed | released | expired | -        | -            | -
//	confirmed | -        | -         | -        | -       | refunded | -            | -
//	released  | -        | -         | -        | -       | -        | confirmed    | duplicate
//	expired   | -        | -         | -        | -       | -        | confirmed    | duplicate
//	refunded  | -        | -         | -        | -       | -        | -            | -
//	duplicate | -        | -         | -        | -       | refunded | -            | -
type State string

// The states of a claim. None is a claim that does not exist yet.
const (
	None      State = ""
	Reserved  State = "reserved"  // 锁定
	Confirmed State = "confirmed" // 确认发放
	Released  State = "released"  // 解除锁定
	Expired   State = "expired"   // the reservation ran out
	Refunded  State = "refunded"  // 追回
	Duplicate State = "duplicate" // 重复发放: paid although the right was gone; must be recovered
)

// States lists the states, None first.
func States() []State {
	return []State{None, Reserved, Confirmed, Released, Expired, Refunded, Duplicate}
}

// Name returns the state as officials say it.
func (s State) Name() Text {
	return map[State]Text{
		None: {"未申领", "not claimed"}, Reserved: {"已锁定", "reserved"}, Confirmed: {"已确认发放", "confirmed"},
		Released: {"已解除锁定", "released"}, Expired: {"锁定已到期", "expired"},
		Refunded: {"已追回", "refunded"}, Duplicate: {"重复发放", "paid twice"},
	}[s]
}

// MustRecover reports whether money was paid that has to come back: the claim
// needs a recovery item until it is refunded.
func (s State) MustRecover() bool { return s == Duplicate }

// Event is what happens to a claim.
type Event string

// The events. A payment that was made is always recorded: after the reservation
// ended it is a late payment, and which of the two says whether the right was
// still free ([Policy.Taken]).
const (
	Reserve            Event = "reserve"
	Confirm            Event = "confirm"
	Release            Event = "release"
	Expire             Event = "expire"
	Refund             Event = "refund"
	LatePayment        Event = "late_payment"          // the right is still free
	LatePaymentTooLate Event = "late_payment_too_late" // the right is gone
)

// Events lists the events.
func Events() []Event {
	return []Event{Reserve, Confirm, Release, Expire, Refund, LatePayment, LatePaymentTooLate}
}

// moves is the table of [State]; what is not here is refused.
var moves = map[State]map[Event]State{
	None:      {Reserve: Reserved},
	Reserved:  {Confirm: Confirmed, Release: Released, Expire: Expired},
	Released:  {LatePayment: Confirmed, LatePaymentTooLate: Duplicate},
	Expired:   {LatePayment: Confirmed, LatePaymentTooLate: Duplicate},
	Confirmed: {Refund: Refunded},
	Duplicate: {Refund: Refunded},
}

// Move returns the state after ev. A move that the table does not have is
// fail.Conflict "claim_move".
func Move(from State, ev Event) (State, error) {
	if to, ok := moves[from][ev]; ok {
		return to, nil
	}
	name := from.Name()
	if name == (Text{}) {
		name = Text{ZH: string(from), EN: string(from)}
	}
	return from, fail.New(fail.Conflict, "claim_move", "a claim that is %s cannot take the step %q", name.EN, ev).
		In("申领状态为“%s”，不能执行“%s”", name.ZH, eventNames[ev])
}

var eventNames = map[Event]string{
	Reserve: "锁定", Confirm: "确认发放", Release: "解除锁定", Expire: "到期", Refund: "追回",
	LatePayment: "补报发放", LatePaymentTooLate: "补报发放（资格已被占用）",
}

// Payment returns the event that records a payment for a claim in state s, which
// must be its state now ([StateAt]); taken is what [Policy.Taken] found against
// it among the person's other claims.
func Payment(s State, taken []Failure) Event {
	switch {
	case s != Released && s != Expired:
		return Confirm
	case len(taken) > 0:
		return LatePaymentTooLate
	}
	return LatePayment
}

// StateAt returns a claim's state at now, given the one stored: a reservation
// has expired when its time has come, whether or not that was written down. A
// zero expires never comes.
func StateAt(stored State, expires, now time.Time) State {
	if stored == Reserved && !expires.IsZero() && !now.Before(expires) {
		return Expired
	}
	return stored
}

// PastClaim is one of the person's claims as evaluating needs it. Claims made to
// every payer and on every fund are given; the policy's groups choose.
type PastClaim struct {
	ID          string          `json:"id"`
	Payer       string          `json:"payer"` // opaque; only compared
	Fund        Fund            `json:"fund"`
	Policy      string          `json:"policy"`
	Occupation  string          `json:"occupation,omitempty"` // empty for claims without a certificate
	Edition     string          `json:"edition,omitempty"`
	Trade       string          `json:"trade,omitempty"`
	Level       standards.Level `json:"level,omitempty"`
	Certificate string          `json:"certificate,omitempty"` // number
	State       State           `json:"state"`
	At          time.Time       `json:"at"`               // when it was reserved
	Expires     time.Time       `json:"expires,omitzero"` // of a reservation
	Year        int             `json:"year,omitempty"`   // of [Decision.Year]; 0: the year of At in Asia/Shanghai

	Subject  SubjectKind    `json:"subject,omitempty"`
	From     standards.Date `json:"from,omitempty"` // of a claim without a certificate
	To       standards.Date `json:"to,omitempty"`
	Units    int            `json:"units,omitempty"`
	Course   string         `json:"course,omitempty"`   // the payer's own number of the class 开班编号
	Scarce   bool           `json:"scarce,omitempty"`   // it was counted as scarce
	Received standards.Date `json:"received,omitempty"` // the day it was received; empty: the day of At
	Issued   standards.Date `json:"issued,omitempty"`   // of its certificate
}

// Counting says whether a claim counts against later ones.
type Counting string

// How a claim counts.
const (
	CountsNot      Counting = "no"
	CountsYes      Counting = "yes"
	CountsByRefund Counting = "refund" // paid back: the policy, or else the recorded refund, says whether the right came back
)

// Counts says how a claim in state s, which must be its state now ([StateAt]),
// counts: while its money is locked, under way or in the person's hands, yes.
func (s State) Counts() Counting {
	switch s {
	case Reserved, Confirmed, Duplicate:
		return CountsYes
	case Refunded:
		return CountsByRefund
	}
	return CountsNot
}

func (c PastClaim) year() int {
	if c.Year != 0 {
		return c.Year
	}
	return standards.DateOf(c.At).Year()
}
