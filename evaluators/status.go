package evaluators

import (
	"time"

	"bajigong/standards"
)

// Status is where an institution, a filing or a part of one stands.
type Status string

// The statuses. Of an institution and of any Target: registered, suspended,
// exited, removed. Of a filing by its dates: not_filed, filed, expired,
// terminated. A verdict on a certificate uses one word of both.
const (
	Registered Status = "registered" // 在册
	Suspended  Status = "suspended"  // 暂停
	Exited     Status = "exited"     // 退出（自愿）
	Removed    Status = "removed"    // 取消（责令）
	NotFiled   Status = "not_filed"  // 未备案
	Filed      Status = "filed"      // 已备案
	Expired    Status = "expired"    // 已到期
	Terminated Status = "terminated" // 已终止
)

// Statuses lists every status.
func Statuses() []Status {
	return []Status{Registered, Suspended, Exited, Removed, NotFiled, Filed, Expired, Terminated}
}

type words struct{ zh, en string }

var statusWords = map[Status]words{
	Registered: {"在册", "registered"},
	Suspended:  {"暂停", "suspended"},
	Exited:     {"已退出", "has left"},
	Removed:    {"已取消备案", "removed by order"},
	NotFiled:   {"未备案", "not filed"},
	Filed:      {"已备案", "filed"},
	Expired:    {"已到期", "expired"},
	Terminated: {"已终止", "ended"},
}

// Chinese returns the word officials use; empty for a status that does not exist.
func (s Status) Chinese() string { return statusWords[s].zh }

// English returns an English word; empty for a status that does not exist.
func (s Status) English() string { return statusWords[s].en }

// Ended reports whether s is final: exited or removed.
func (s Status) Ended() bool { return s == Exited || s == Removed }

// next is the state table of the package comment.
var next = map[Status]map[Kind]Status{
	Registered: {Suspend: Suspended, ExitVoluntary: Exited, ExitOrdered: Removed},
	Suspended:  {Resume: Registered, ExitVoluntary: Exited, ExitOrdered: Removed},
}

// gravity orders statuses for a part that several decisions hit.
var gravity = map[Status]int{Registered: 0, Suspended: 1, Exited: 2, Removed: 3}

// A state is the status of one target that decisions have named, and the
// decision that made it so.
type state struct {
	target Target
	status Status
	by     Decision
}

// states returns the state of every target that covers t and has been named by a
// decision, on a date as known at a time, in the order of first mention. A
// decision that the table does not allow in that order (a suspension recorded
// for a later date, overtaken by an exit) changes nothing.
func states(decisions []Decision, t Target, on standards.Date, known time.Time) []state {
	var out []state
	at := map[Target]int{}
	for _, d := range inOrder(decisions, on, known) {
		if !d.Target.Covers(t) {
			continue
		}
		i, ok := at[d.Target]
		if !ok {
			i = len(out)
			at[d.Target] = i
			out = append(out, state{target: d.Target, status: Registered})
		}
		if s, ok := next[out[i].status][d.Kind]; ok {
			out[i].status, out[i].by = s, d
		}
	}
	return out
}

// StatusAt returns the status of t on a date as it was known at a time (see the
// package comment), and the decision that made it so. A part stands no better
// than what it is part of. The status is registered, suspended, exited or
// removed; the decision has no ID if there was none.
func StatusAt(decisions []Decision, t Target, on standards.Date, known time.Time) (Status, Decision) {
	worst := state{status: Registered}
	for _, s := range states(decisions, t, on, known) {
		if gravity[s.status] > gravity[worst.status] || worst.by.ID == "" {
			worst = s
		}
	}
	return worst.status, worst.by
}

// StatusAt returns the status of the filing itself on a date as it was known at
// a time: not_filed, filed, expired or terminated. A suspension does not change
// it: a suspended institution stays filed.
func (f Filing) StatusAt(decisions []Decision, on standards.Date, known time.Time) Status {
	if f.Recorded.After(known) || on < f.From {
		return NotFiled
	}
	decisions = f.standingUnder(decisions)
	if s, _ := StatusAt(decisions, f.target(""), on, known); s.Ended() {
		return Terminated
	}
	if on > f.Until {
		return Expired
	}
	return Filed
}

// StatusAtIssue returns the one word of a verdict for 发证时: where the issuer
// stood, for this occupation, on the certificate's date as it was known when the
// certificate was received. The word is not_filed, filed, expired, suspended,
// terminated (the filing or the occupation was ended), exited or removed (the
// whole institution was).
func StatusAtIssue(f Filing, decisions []Decision, occupation string, issued standards.Date, received time.Time) Status {
	return f.standing(decisions, occupation, issued, received)
}

// StatusNow returns the word of [StatusAtIssue] for 现在. It never decides
// whether a certificate is valid: exit does not void lawful certificates.
func StatusNow(f Filing, decisions []Decision, occupation string, now time.Time) Status {
	return f.standing(decisions, occupation, standards.DateOf(now), now)
}

func (f Filing) standing(decisions []Decision, occupation string, on standards.Date, known time.Time) Status {
	decisions = f.standingUnder(decisions)
	dates := f.StatusAt(decisions, on, known)
	if dates == NotFiled {
		return NotFiled
	}
	if s, _ := StatusAt(decisions, Target{Institution: f.Institution}, on, known); s.Ended() {
		return s
	}
	part, _ := StatusAt(decisions, f.target(occupation), on, known)
	switch {
	case part.Ended():
		return Terminated
	case part == Suspended:
		return Suspended
	}
	return dates
}
