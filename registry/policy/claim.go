package policy

import (
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// State is where a claim 补贴申领 stands. This is its whole life; none is a claim
// that does not exist yet ([None]), and a dash means refused.
//
//	state           | reserve  | extend     | publicise  | object    | approve | pay_part  | confirm   | return   | return_part | fail       | release  | withdraw  | expire  | recover    | refund_part     | refund   | late_payment | late_part | late_payment_too_late | pay_again       | again_back | again_part      | again_short
//	----------------+----------+------------+------------+-----------+---------+-----------+-----------+----------+-------------+------------+----------+-----------+---------+------------+-----------------+----------+--------------+-----------+-----------------------+-----------------+------------+-----------------+------------
//	none            | reserved | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | -               | -        | -            | -         | -                     | -               | -          | -               | -
//	reserved        | -        | reserved   | publicised | -         | payable | part_paid | confirmed | -        | -           | reserved   | released | withdrawn | expired | -          | -               | -        | -            | -         | -                     | -               | -          | -               | -
//	publicised      | -        | publicised | -          | reserved  | payable | part_paid | confirmed | -        | -           | publicised | released | withdrawn | expired | -          | -               | -        | -            | -         | -                     | -               | -          | -               | -
//	payable         | -        | -          | -          | -         | -       | part_paid | confirmed | -        | -           | payable    | released | withdrawn | -       | -          | -               | -        | -            | -         | -                     | -               | -          | -               | -
//	part_paid       | -        | -          | part_paid  | part_paid | -       | part_paid | confirmed | payable  | part_paid   | part_paid  | -        | -         | -       | recovering | partly_refunded | refunded | -            | -         | -                     | recovering      | -          | -               | -
//	confirmed       | -        | -          | -          | -         | -       | -         | -         | payable  | part_paid   | -          | -        | -         | -       | recovering | partly_refunded | refunded | -            | -         | -                     | recovering      | -          | -               | -
//	released        | -        | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | -               | -        | confirmed    | part_paid | duplicate             | -               | -          | -               | -
//	withdrawn       | -        | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | -               | -        | confirmed    | part_paid | duplicate             | -               | -          | -               | -
//	expired         | -        | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | -               | -        | confirmed    | part_paid | duplicate             | -               | -          | -               | -
//	duplicate       | -        | -          | -          | -         | -       | -         | -         | released | duplicate   | -          | -        | -         | -       | -          | partly_refunded | refunded | -            | -         | duplicate             | recovering      | -          | -               | -
//	recovering      | -        | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | partly_refunded | refunded | -            | -         | -                     | recovering      | confirmed  | recovering      | part_paid
//	partly_refunded | -        | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | partly_refunded | refunded | -            | -         | -                     | partly_refunded | confirmed  | partly_refunded | part_paid
//	refunded        | -        | -          | -          | -         | -       | -         | -         | -        | -           | -          | -        | -         | -       | -          | -               | -        | -            | -         | -                     | -               | -          | -               | -
//
// Reserved and publicised expire when the lock runs out: the right is held for one
// payer only as long as that payer moves on, and publicity 公示 by itself gives no
// right. Payable does not expire: the payment has been decided and may be on its
// way to the bank, and a second payer that took the right meanwhile would pay
// twice; it is listed as overdue instead. Nothing expires once money was paid.
//
// return is a bank return 退票 of all that is in the person's hands, return_part of
// some of it; fail is a payment that the bank refused before anybody had reported
// it as made, and leaves the claim where it is. A claim paid twice whose money the
// bank returned has no right to keep: it is released. A correction 更正 of what was
// recorded is no event: it changes or takes away a step, and the state is what the
// steps that remain lead to.
//
// pay_again is a payment beyond what was due: one before it had been recorded as
// returned, was paid again, and then a correction took that return away, since the
// money had arrived. What was too much is recovered, and again_back is the last of
// it; the claim itself stays paid and its right used. The bank may return one of these
// payments too: again_part leaves less of it to recover, and after again_short some of
// what was due is to be paid again.
type State string

// The states of a claim. None is a claim that does not exist yet.
const (
	None           State = ""
	Reserved       State = "reserved"        // 锁定
	Publicised     State = "publicised"      // 公示中
	Payable        State = "payable"         // 待拨付: decided, the money is under way
	PartPaid       State = "part_paid"       // 先行拨付: some of the amount is paid, the rest is still to come
	Confirmed      State = "confirmed"       // 确认发放: the whole amount is paid
	Released       State = "released"        // 解除锁定, by the payer
	Withdrawn      State = "withdrawn"       // 本人撤回
	Expired        State = "expired"         // the reservation ran out
	Duplicate      State = "duplicate"       // 重复发放: paid although the right was gone; must be recovered
	Recovering     State = "recovering"      // 追回中: nothing is back yet
	PartlyRefunded State = "partly_refunded" // 部分追回
	Refunded       State = "refunded"        // 追回: all of it is back
)

// States lists the states, None first.
func States() []State {
	return []State{None, Reserved, Publicised, Payable, PartPaid, Confirmed, Released, Withdrawn, Expired, Duplicate, Recovering, PartlyRefunded, Refunded}
}

// Name returns the state as officials say it.
func (s State) Name() Text {
	return map[State]Text{
		None: {"未申领", "not claimed"}, Reserved: {"已锁定", "reserved"}, Publicised: {"公示中", "publicised"},
		Payable: {"待拨付", "to be paid"}, PartPaid: {"已先行拨付", "paid in part"}, Confirmed: {"已确认发放", "confirmed"},
		Released: {"已解除锁定", "released"}, Withdrawn: {"本人已撤回", "withdrawn by the person"}, Expired: {"锁定已到期", "expired"},
		Duplicate: {"重复发放", "paid twice"}, Recovering: {"追回中", "being recovered"}, PartlyRefunded: {"已部分追回", "recovered in part"},
		Refunded: {"已追回", "refunded"},
	}[s]
}

// MustRecover reports whether money is out that has to come back: the claim has
// an open recovery item until it is refunded.
func (s State) MustRecover() bool { return s == Duplicate || s == Recovering || s == PartlyRefunded }

// Expires reports whether a claim in state s ends by itself when its lock runs out.
func (s State) Expires() bool { return s == Reserved || s == Publicised }

// GivenUp reports whether the claim ended without a payment: one that is reported
// now comes late.
func (s State) GivenUp() bool { return s == Released || s == Withdrawn || s == Expired }

// Event is what happens to a claim.
type Event string

// The events. A payment that was made is always recorded: after the claim was
// given up it is a late payment, and which of them says whether the right was
// still free ([Policy.Taken]).
const (
	Reserve            Event = "reserve"
	Extend             Event = "extend"    // 延长锁定
	Publicise          Event = "publicise" // 公示
	Object             Event = "object"    // an objection 异议 stops the publicity
	Approve            Event = "approve"   // 转待拨付
	PayPart            Event = "pay_part"  // less than what is still to be paid
	Confirm            Event = "confirm"   // all that was still to be paid
	Return             Event = "return"    // 退票: nothing is left in the person's hands
	ReturnPart         Event = "return_part"
	FailPayment        Event = "fail" // 退票 of a payment that was not recorded as made
	Release            Event = "release"
	Withdraw           Event = "withdraw"
	Expire             Event = "expire"
	Recover            Event = "recover" // 追回立项
	RefundPart         Event = "refund_part"
	Refund             Event = "refund"                // the last of it
	LatePayment        Event = "late_payment"          // the right is still free
	LatePart           Event = "late_part"             // the right is still free
	LatePaymentTooLate Event = "late_payment_too_late" // the right is gone
	PayAgain           Event = "pay_again"             // beyond what was due: a payment before had been taken for returned, wrongly
	AgainBack          Event = "again_back"            // the last of what was paid beyond it is back
	AgainPart          Event = "again_part"            // the bank returned some of what was paid beyond it
	AgainShort         Event = "again_short"           // the bank returned more than what was paid beyond it
)

// Events lists the events.
func Events() []Event {
	return []Event{Reserve, Extend, Publicise, Object, Approve, PayPart, Confirm, Return, ReturnPart, FailPayment, Release, Withdraw, Expire,
		Recover, RefundPart, Refund, LatePayment, LatePart, LatePaymentTooLate, PayAgain, AgainBack, AgainPart, AgainShort}
}

// moves is the table of [State]; what is not here is refused.
var moves = map[State]map[Event]State{
	None:           {Reserve: Reserved},
	Reserved:       {Extend: Reserved, Publicise: Publicised, Approve: Payable, PayPart: PartPaid, Confirm: Confirmed, FailPayment: Reserved, Release: Released, Withdraw: Withdrawn, Expire: Expired},
	Publicised:     {Extend: Publicised, Object: Reserved, Approve: Payable, PayPart: PartPaid, Confirm: Confirmed, FailPayment: Publicised, Release: Released, Withdraw: Withdrawn, Expire: Expired},
	Payable:        {PayPart: PartPaid, Confirm: Confirmed, FailPayment: Payable, Release: Released, Withdraw: Withdrawn},
	PartPaid:       {Publicise: PartPaid, Object: PartPaid, PayPart: PartPaid, Confirm: Confirmed, Return: Payable, ReturnPart: PartPaid, FailPayment: PartPaid, Recover: Recovering, RefundPart: PartlyRefunded, Refund: Refunded, PayAgain: Recovering},
	Confirmed:      {PayAgain: Recovering, Return: Payable, ReturnPart: PartPaid, Recover: Recovering, RefundPart: PartlyRefunded, Refund: Refunded},
	Released:       {LatePayment: Confirmed, LatePart: PartPaid, LatePaymentTooLate: Duplicate},
	Withdrawn:      {LatePayment: Confirmed, LatePart: PartPaid, LatePaymentTooLate: Duplicate},
	Expired:        {LatePayment: Confirmed, LatePart: PartPaid, LatePaymentTooLate: Duplicate},
	Duplicate:      {Return: Released, ReturnPart: Duplicate, RefundPart: PartlyRefunded, Refund: Refunded, LatePaymentTooLate: Duplicate, PayAgain: Recovering},
	Recovering:     {RefundPart: PartlyRefunded, Refund: Refunded, PayAgain: Recovering, AgainBack: Confirmed, AgainPart: Recovering, AgainShort: PartPaid},
	PartlyRefunded: {RefundPart: PartlyRefunded, Refund: Refunded, PayAgain: PartlyRefunded, AgainBack: Confirmed, AgainPart: PartlyRefunded, AgainShort: PartPaid},
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
	Reserve: "锁定", Extend: "延长锁定", Publicise: "公示", Object: "异议停止公示", Approve: "转待拨付", PayPart: "先行拨付", Confirm: "确认发放",
	Return: "退票", ReturnPart: "部分退票", FailPayment: "拨付失败", Release: "解除锁定", Withdraw: "本人撤回", Expire: "到期",
	Recover: "追回立项", RefundPart: "部分追回", Refund: "追回",
	LatePayment: "补报发放", LatePart: "补报先行拨付", LatePaymentTooLate: "补报发放（资格已被占用）",
	PayAgain: "重复拨付（前次退票有误）", AgainBack: "多付部分追回",
	AgainPart: "多付部分退票", AgainShort: "退票超出多付部分",
}

// Payment returns the event that records the payment of all that was still to be
// paid on a claim in state s, which must be its state now ([StateAt]); taken is
// what [Policy.Taken] found against it among the person's other claims.
func Payment(s State, taken []Failure) Event { return payment(s, taken, Confirm, LatePayment) }

// PartPayment is [Payment] for less than what was still to be paid.
func PartPayment(s State, taken []Failure) Event { return payment(s, taken, PayPart, LatePart) }

func payment(s State, taken []Failure, timely, late Event) Event {
	switch {
	case s == Duplicate:
		return LatePaymentTooLate // the right has not come back by itself
	case !s.GivenUp():
		return timely
	case len(taken) > 0:
		return LatePaymentTooLate
	}
	return late
}

// StateAt returns a claim's state at now, given the one stored: a reservation,
// publicised or not, has expired when its time has come, whether or not that was
// written down. A zero expires never comes.
func StateAt(stored State, expires, now time.Time) State {
	if stored.Expires() && !expires.IsZero() && !now.Before(expires) {
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
// counts: while its money is locked, under way or in the person's hands, yes. Of
// money that is being recovered any part may still be in the person's hands, so
// that nothing is free before all of it is back.
func (s State) Counts() Counting {
	switch s {
	case Reserved, Publicised, Payable, PartPaid, Confirmed, Duplicate, Recovering, PartlyRefunded:
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
