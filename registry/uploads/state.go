package uploads

import (
	"slices"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// MaxRows is how many rows one report has at most: what one Update of the register
// takes.
const MaxRows = 500

// State is where a report stands, or a certificate in the national query.
type State string

// The states of a report.
const (
	Generated State = "generated" // 已生成
	Sent      State = "sent"      // 已报送
	Accepted  State = "accepted"  // 全部接收
	Returned  State = "returned"  // 部分或全部退回
	Queryable State = "queryable" // 可查询
	Withdrawn State = "withdrawn" // 已撤回: was never sent
)

// The states that only a certificate has.
const (
	// NotUploaded is a certificate in no report.
	NotUploaded State = ""
	// Waiting is a certificate that its batch's report has left out and that has to
	// be reported as new.
	Waiting State = "waiting"
	// LeftOut is a certificate that is not reported, because it is not valid.
	LeftOut State = "left_out"
)

// States lists the states of a report.
func States() []State {
	return []State{Generated, Sent, Accepted, Returned, Queryable, Withdrawn}
}

// Action is what is done to a report.
type Action string

// The actions.
const (
	Send     Action = "send"     // 报送
	Withdraw Action = "withdraw" // 撤回
	Accept   Action = "accept"   // 回执：全部接收
	Return   Action = "return"   // 回执：部分退回
	Show     Action = "show"     // 可查询
)

// Actions lists the actions.
func Actions() []Action { return []Action{Send, Withdraw, Accept, Return, Show} }

var next = map[State]map[Action]State{
	Generated: {Send: Sent, Withdraw: Withdrawn},
	Sent:      {Accept: Accepted, Return: Returned},
	Accepted:  {Show: Queryable},
	Returned:  {Show: Queryable},
}

var stateWords = map[State][2]string{
	NotUploaded: {"尚未上报", "not reported"}, Waiting: {"待上报", "to be reported"}, LeftOut: {"不在上报范围", "not to be reported"},
	Generated: {"已生成", "generated"}, Sent: {"已报送", "sent"}, Accepted: {"全部接收", "accepted"}, Returned: {"有退回", "returned in part"},
	Queryable: {"可查询", "queryable"}, Withdrawn: {"已撤回", "withdrawn"},
}

var actionWords = map[Action]string{Send: "登记报送", Withdraw: "撤回", Accept: "登记回执", Return: "登记回执", Show: "登记可查询"}

// Chinese returns the state as officials say it.
func (s State) Chinese() string { return stateWords[s][0] }

// English returns the state in English.
func (s State) English() string { return stateWords[s][1] }

// Open reports whether a report in this state still has its rows to itself: until
// there is a receipt, none of them may be in another.
func (s State) Open() bool { return s == Generated || s == Sent }

// Step returns the state after an action. Conflict upload_state: the table of the
// package comment does not have the pair.
func (s State) Step(do Action) (State, error) {
	to, ok := next[s][do]
	if !ok {
		return s, fail.New(fail.Conflict, "upload_state", "the report is %s; %q does not follow", s.English(), do).
			In("该次上报当前为“%s”，不能%s", s.Chinese(), actionWords[do])
	}
	return to, nil
}

// Part is the first report of a run of a batch's rows, both ends within it.
type Part struct {
	Upload string         `json:"upload"`
	From   int            `json:"from"`
	To     int            `json:"to"`
	State  State          `json:"state"`
	Since  standards.Date `json:"since,omitempty"` // first day on which it can be queried
	// Apart is how many of its certificates have a Row of their own; when there are
	// none, nobody has to look.
	Apart int `json:"apart,omitempty"`
}

// PartOf finds the part that has a row.
func PartOf(parts []Part, row int) (Part, bool) {
	for _, p := range parts {
		if p.From <= row && row <= p.To {
			return p, true
		}
	}
	return Part{}, false
}

// Standing is what is known of one certificate in the national query.
type Standing struct {
	State  State          `json:"state"`            // empty: in no report
	Upload string         `json:"upload,omitempty"` // the report that has it, or had it last
	Since  standards.Date `json:"since,omitempty"`  // first day on which it can be queried
}

// Standing is that of a certificate of the part without a Row of its own, or whose
// Row follows the part.
func (p Part) Standing() Standing {
	if p.State == Returned {
		return Standing{State: Accepted, Upload: p.Upload}
	}
	return Standing{State: p.State, Upload: p.Upload, Since: p.Since}
}

// Gap is the first run of rows from 1 to last that no part has; to is last when
// nothing bounds it earlier. ok is false when the parts have every row.
func Gap(parts []Part, last int) (from, to int, ok bool) {
	sorted := slices.Clone(parts)
	slices.SortFunc(sorted, func(a, b Part) int { return a.From - b.From })
	from = 1
	for _, p := range sorted {
		if p.From > from {
			return from, min(p.From-1, last), from <= last
		}
		from = max(from, p.To+1)
	}
	return from, last, from <= last
}

// Reported reports whether the parts have every row from 1 to last and all were
// sent: nothing of the batch is late any more.
func Reported(parts []Part, last int) bool {
	_, _, gap := Gap(parts, last)
	return !gap && !slices.ContainsFunc(parts, func(p Part) bool { return p.State == Generated })
}
