package blanks

import (
	"fmt"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/form"
)

// Application is an institution's application for blanks 申领, for ever.
type Application struct {
	ID          string           `json:"id"`
	Institution string           `json:"institution"`
	Region      string           `json:"region"`
	Quantity    int              `json:"quantity"`
	Purpose     string           `json:"purpose"`
	Rules       string           `json:"rules"` // id of the rule file it goes by
	Approver    Approver         `json:"approver"`
	State       ApplicationState `json:"state"`
	By          string           `json:"by"` // account
	Applied     time.Time        `json:"applied"`
	Granted     int              `json:"granted,omitempty"` // at most Quantity
	Decision    *Step            `json:"decision,omitempty"`
	Ranges      []Range          `json:"ranges,omitempty"` // what was sent
	Sent        *Step            `json:"sent,omitempty"`
	Received    *Step            `json:"received,omitempty"`
	LogIndex    uint64           `json:"log_index"`
}

// Step is who took a step, when, and what he said.
type Step struct {
	By   string    `json:"by"` // account
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// ApplicationState is how far an application has come. A pair that is not in the
// table is refused as a conflict.
//
//	state     | approve  | reject   | withdraw  | send | receive
//	----------+----------+----------+-----------+------+---------
//	applied   | approved | rejected | withdrawn | -    | -
//	approved  | -        | -        | withdrawn | sent | -
//	sent      | -        | -        | -         | -    | received
//	received  | -        | -        | -         | -    | -
//	rejected  | -        | -        | -         | -    | -
//	withdrawn | -        | -        | -         | -    | -
//
// approve, reject and send are for the approver that the rules name; withdraw and
// receive for the institution.
type ApplicationState string

// The states of an application.
const (
	Applied              ApplicationState = "applied"
	Approved             ApplicationState = "approved"
	ApplicationSent      ApplicationState = "sent"
	Received             ApplicationState = "received"
	Rejected             ApplicationState = "rejected"
	ApplicationWithdrawn ApplicationState = "withdrawn"
)

// ApplicationStates lists every state of an application.
func ApplicationStates() []ApplicationState {
	return []ApplicationState{Applied, Approved, ApplicationSent, Received, Rejected, ApplicationWithdrawn}
}

var applicationWords = map[ApplicationState][2]string{
	Applied: {"待审批", "waiting for approval"}, Approved: {"已批准、待发出", "approved and to be sent"}, ApplicationSent: {"已发出、待入库", "sent and to be received"},
	Received: {"已入库", "received"}, Rejected: {"不予批准", "rejected"}, ApplicationWithdrawn: {"已撤回", "withdrawn"},
}

// Words is the state as officials say it.
func (s ApplicationState) Words() (zh, en string) { w := applicationWords[s]; return w[0], w[1] }

// ApplicationAct is what is done to an application.
type ApplicationAct string

// The acts.
const (
	ApproveApplication  ApplicationAct = "approve"
	RejectApplication   ApplicationAct = "reject"
	WithdrawApplication ApplicationAct = "withdraw"
	SendApplication     ApplicationAct = "send"
	ReceiveApplication  ApplicationAct = "receive"
)

// ApplicationActs lists every act.
func ApplicationActs() []ApplicationAct {
	return []ApplicationAct{ApproveApplication, RejectApplication, WithdrawApplication, SendApplication, ReceiveApplication}
}

var applicationNext = map[ApplicationState]map[ApplicationAct]ApplicationState{
	Applied:         {ApproveApplication: Approved, RejectApplication: Rejected, WithdrawApplication: ApplicationWithdrawn},
	Approved:        {WithdrawApplication: ApplicationWithdrawn, SendApplication: ApplicationSent},
	ApplicationSent: {ReceiveApplication: Received},
}

// NextApplication is the state after an act. Error: Conflict
// blank_application_state.
func NextApplication(from ApplicationState, do ApplicationAct) (ApplicationState, error) {
	to, ok := applicationNext[from][do]
	if !ok {
		zh, en := from.Words()
		return from, fail.New(fail.Conflict, "blank_application_state", "the application is %s (%s) and cannot be changed by %s", from, en, do).
			In("该申领当前为“%s”，不能再办理此操作", zh)
	}
	return to, nil
}

// Texts and sizes of an application.
const (
	QuantityMost = RangeMost
	TextMost     = 200 // characters of a purpose, note or reason
	RangesMost   = 50  // ranges of one request
)

// Apply is the rule for a new application. Error: Invalid blank_application.
func (r Rules) Apply(a Application, now time.Time) (Application, error) {
	a.Purpose = strings.TrimSpace(a.Purpose)
	bad := form.Text("purpose", a.Purpose, true, TextMost, "用途", "purpose")
	if a.Quantity < 1 || a.Quantity > QuantityMost {
		bad = append(bad, form.Wrong("quantity", "range", fmt.Sprintf("数量应为 1 至 %d", QuantityMost), fmt.Sprintf("the quantity is 1 to %d", QuantityMost)))
	}
	a.State, a.Applied, a.Rules, a.Approver = Applied, now, r.ID, r.Approver
	return a, form.Refuse("blank_application", "申领信息有误", "the application cannot be taken", bad)
}

// Party is who acts on an application: an account of its institution, or of the
// authority.
type Party struct {
	Account   string
	Authority bool
}

// mayDecide refuses whoever is not the approver that the rules name. Error:
// Forbidden blank_approver, second_person.
func (a Application) mayDecide(by Party) error {
	switch {
	case a.Approver == ByAuthority && !by.Authority:
		return fail.New(fail.Forbidden, "blank_approver", "in this region the authority decides on blanks (rules %s)", a.Rules).
			In("按本地区规则（%s），空白证书由人社部门审批发出", a.Rules)
	case a.Approver == ByInstitution && by.Authority:
		return fail.New(fail.Forbidden, "blank_approver", "in this region institutions print by themselves and decide on blanks (rules %s)", a.Rules).
			In("按本地区规则（%s），评价机构自行印制，空白证书由机构自行审批发出", a.Rules)
	case by.Account == a.By:
		return fail.New(fail.Forbidden, "second_person", "another account than the applicant's has to decide").In("须由申领人以外的另一账号审批")
	}
	return nil
}

// Decide approves or rejects. granted is the quantity when approved, all of it
// when zero. Errors: Conflict blank_application_state; Forbidden blank_approver,
// second_person; Invalid.
func (a Application) Decide(do ApplicationAct, by Party, granted int, note string, now time.Time) (Application, error) {
	to, err := NextApplication(a.State, do)
	if err != nil {
		return a, err
	}
	if err := a.mayDecide(by); err != nil {
		return a, err
	}
	note = strings.TrimSpace(note)
	bad := form.Text("note", note, do == RejectApplication, TextMost, "意见", "note")
	if granted == 0 {
		granted = a.Quantity
	}
	if do == ApproveApplication && (granted < 1 || granted > a.Quantity) {
		bad = append(bad, form.Wrong("granted", "range", fmt.Sprintf("批准数量应为 1 至 %d", a.Quantity), fmt.Sprintf("1 to %d can be granted", a.Quantity)))
	}
	if err := form.Refuse("blank_application", "审批信息有误", "the decision cannot be taken", bad); err != nil {
		return a, err
	}
	if do == ApproveApplication {
		a.Granted = granted
	}
	a.State, a.Decision = to, &Step{By: by.Account, At: now, Note: note}
	return a, nil
}

// Send records which blanks were sent 发出: exactly as many as were granted.
// Errors: Conflict blank_application_state; Forbidden; Invalid blank_range,
// blank_quantity.
func (a Application) Send(r Rules, by Party, ranges []Range, now time.Time) (Application, error) {
	to, err := NextApplication(a.State, SendApplication)
	if err != nil {
		return a, err
	}
	if err := a.mayDecide(by); err != nil {
		return a, err
	}
	if err := r.CheckRanges(ranges); err != nil {
		return a, err
	}
	if n := Sum(ranges); n != a.Granted {
		return a, fail.New(fail.Invalid, "blank_quantity", "%d blanks are named and %d were granted", n, a.Granted).In("所列印制流水码共 %d 份，批准数量为 %d 份", n, a.Granted).
			At(fail.Field{Name: "ranges", Code: "quantity", ZH: fmt.Sprintf("应合计 %d 份", a.Granted), EN: fmt.Sprintf("%d in all", a.Granted)})
	}
	a.State, a.Ranges, a.Sent = to, ranges, &Step{By: by.Account, At: now}
	return a, nil
}

// Receive records that what was sent has arrived 入库. What is missing or damaged
// is then reported lost or spoiled by its code.
func (a Application) Receive(by Party, now time.Time) (Application, error) {
	to, err := NextApplication(a.State, ReceiveApplication)
	if err != nil {
		return a, err
	}
	a.State, a.Received = to, &Step{By: by.Account, At: now}
	return a, nil
}

// Withdraw takes an application back before anything is sent.
func (a Application) Withdraw(by Party, now time.Time) (Application, error) {
	to, err := NextApplication(a.State, WithdrawApplication)
	if err != nil {
		return a, err
	}
	a.State, a.Decision = to, &Step{By: by.Account, At: now}
	return a, nil
}
