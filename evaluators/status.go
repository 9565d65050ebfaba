package evaluators

import (
	"slices"
	"time"

	"bajigong/standards"
)

// Status is where an institution, a filing or a part of one stands.
type Status string

// The statuses. Of an institution and of any Target: registered, rectifying,
// suspended, exited, removed. Of a filing by its dates: not_filed, filed, expired,
// terminated. A verdict on a certificate uses one word of both.
const (
	Registered Status = "registered" // 在册
	Rectifying Status = "rectifying" // 整改中
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
	return []Status{Registered, Rectifying, Suspended, Exited, Removed, NotFiled, Filed, Expired, Terminated}
}

type words struct{ zh, en string }

var statusWords = map[Status]words{
	Registered: {"在册", "registered"},
	Rectifying: {"整改中", "rectifying"},
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

// standing is a row of the state table of the package comment: a status, or a
// suspension during a rectification.
type standing string

const (
	registered          = standing(Registered)
	rectifying          = standing(Rectifying)
	suspended           = standing(Suspended)
	suspendedRectifying = standing("suspended+rectifying")
	exited              = standing(Exited)
	removed             = standing(Removed)
)

// next is the state table of the package comment.
var next = map[standing]map[Kind]standing{
	registered: {Warn: registered, Rectify: rectifying, Suspend: suspended,
		ExitVoluntary: exited, ExitExpired: exited, ExitOrdered: removed},
	rectifying: {Warn: rectifying, Accept: registered, Suspend: suspendedRectifying,
		ExitVoluntary: exited, ExitExpired: exited, ExitOrdered: removed},
	suspended: {Warn: suspended, Rectify: suspendedRectifying, Resume: registered,
		ExitVoluntary: exited, ExitExpired: exited, ExitOrdered: removed},
	suspendedRectifying: {Warn: suspendedRectifying, Accept: suspended, Resume: rectifying,
		ExitVoluntary: exited, ExitExpired: exited, ExitOrdered: removed},
}

// lapsed is where a suspension leaves its target that has ended by itself.
var lapsed = map[standing]standing{suspended: registered, suspendedRectifying: rectifying}

// gravity orders statuses for a part that several decisions hit.
var gravity = map[Status]int{Registered: 0, Rectifying: 1, Suspended: 2, Exited: 3, Removed: 4}

// A state is where one target stands that decisions have named, and by what.
type state struct {
	target   Target
	standing standing
	by       Decision // what suspended, resumed, accepted or ended it
	rectify  Decision // the rectification it has to do, if rectifying
}

// status is the public word of the standing, with the decision behind it.
func (s state) status() (Status, Decision) {
	switch s.standing {
	case rectifying:
		return Rectifying, s.rectify
	case suspendedRectifying:
		return Suspended, s.by
	}
	return Status(s.standing), s.by
}

func (s state) ended() bool { return Status(s.standing).Ended() }

// lapse ends a suspension whose last day is before on.
func (s *state) lapse(on standards.Date) {
	if to, ok := lapsed[s.standing]; ok && s.by.Until != "" && on > s.by.Until {
		s.standing = to
	}
}

// take brings a decision into force. One that the table does not allow here was
// recorded for a later date and overtaken; it changes nothing, but that of two
// suspensions the longer one lasts, which is also how one follows another that
// has lapsed, and that of two rectifications the stricter one counts.
func (s *state) take(d Decision) {
	to, ok := next[s.standing][d.Kind]
	switch {
	case ok && d.Kind == Rectify:
		s.standing, s.rectify = to, d
	case ok && d.Kind == Accept && to == suspended:
		s.standing, s.rectify = to, Decision{} // what suspended it stays behind that
	case ok && d.Kind != Warn:
		s.standing, s.by = to, d
	case d.Kind == Suspend && !s.ended() && s.by.Until != "" && (d.Until == "" || d.Until > s.by.Until):
		s.by = d
	case d.Kind == Rectify && !s.ended() && d.HoldsIssue && !s.rectify.HoldsIssue:
		s.rectify = d
	}
}

// states returns the state of every target that covers t and has been named by a
// decision, on a date as known at a time, in the order of first mention.
func states(decisions []Decision, t Target, on standards.Date, known time.Time) []state {
	var out []state
	touches := func(d Decision) bool { return d.Kind != Warn && !d.Kind.lists() && d.Target.Covers(t) }
	for _, d := range inOrder(decisions, on, known, touches) {
		i := slices.IndexFunc(out, func(s state) bool { return s.target == d.Target })
		if i < 0 {
			i = len(out)
			out = append(out, state{target: d.Target, standing: registered})
		}
		out[i].take(*d)
	}
	for i := range out {
		out[i].lapse(on)
	}
	return out
}

// StatusAt returns the status of t on a date as it was known at a time (see the
// package comment), and the decision that made it so. A part stands no better
// than what it is part of; a filing is part of its site when t names that too.
// The status is registered, rectifying, suspended, exited or removed; the
// decision has no ID if there was none.
func StatusAt(decisions []Decision, t Target, on standards.Date, known time.Time) (Status, Decision) {
	worst, by := Registered, Decision{}
	for _, s := range states(decisions, t, on, known) {
		if status, d := s.status(); gravity[status] > gravity[worst] || by.ID == "" {
			worst, by = status, d
		}
	}
	return worst, by
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
// certificate was received. The word is not_filed, filed, rectifying, expired,
// suspended, terminated (the filing or the occupation was ended), exited or
// removed (the whole institution was). Decisions on a trade or a level alone do
// not count: see [Filing.Standing].
func StatusAtIssue(f Filing, decisions []Decision, occupation string, issued standards.Date, received time.Time) Status {
	return f.Standing(decisions, Part{Occupation: occupation}, issued, received)
}

// StatusNow returns the word of [StatusAtIssue] for 现在. It never decides
// whether a certificate is valid: exit does not void lawful certificates.
func StatusNow(f Filing, decisions []Decision, occupation string, now time.Time) Status {
	return f.Standing(decisions, Part{Occupation: occupation}, standards.DateOf(now), now)
}

// Standing is the word of [StatusAtIssue] for a part of the filing: an
// occupation, a trade, a level, on a date as it was known at a time.
func (f Filing) Standing(decisions []Decision, p Part, on standards.Date, known time.Time) Status {
	decisions = f.standingUnder(decisions)
	dates := f.StatusAt(decisions, on, known)
	if dates == NotFiled {
		return NotFiled
	}
	if s, _ := StatusAt(decisions, Target{Institution: f.Institution}, on, known); s.Ended() {
		return s
	}
	part, _ := StatusAt(decisions, f.part(p), on, known)
	switch {
	case part.Ended():
		return Terminated
	case part == Suspended:
		return Suspended
	case part == Rectifying && dates == Filed:
		return Rectifying
	}
	return dates
}
