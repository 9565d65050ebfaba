package evaluators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Kind is what a decision does. Admission is not a decision: it is the filing.
type Kind string

// The kinds of decision.
const (
	Suspend       Kind = "suspend"        // 暂停: nothing may be issued until resumed, or until its last day is over
	Resume        Kind = "resume"         // 恢复: lifts the suspension of the same target
	ExitVoluntary Kind = "exit_voluntary" // 自愿退出: ends the target
	ExitOrdered   Kind = "exit_ordered"   // 取消备案并移出目录: ends the target
	ExitExpired   Kind = "exit_expired"   // 期满不续: ends the target, whose filings have run out
	Warn          Kind = "warn"           // 警告（约谈）: changes no state
	Rectify       Kind = "rectify"        // 限期整改: to be put right by a day, and accepted
	Accept        Kind = "accept"         // 整改验收合格: ends the rectification of the same target
	Blacklist     Kind = "blacklist"      // 列入黑名单: no new filing until its last day is over
	Unlist        Kind = "unlist"         // 移出黑名单
)

// Kinds lists every kind of decision.
func Kinds() []Kind {
	return []Kind{Suspend, Resume, ExitVoluntary, ExitOrdered, ExitExpired, Warn, Rectify, Accept, Blacklist, Unlist}
}

// Chinese returns the word officials use; empty for a kind that does not exist.
func (k Kind) Chinese() string { return kindWords[k].zh }

// English returns an English word; empty for a kind that does not exist.
func (k Kind) English() string { return kindWords[k].en }

func (k Kind) exits() bool { return k == ExitVoluntary || k == ExitOrdered || k == ExitExpired }

// lists reports whether k is about the blacklist, which is a track of its own.
func (k Kind) lists() bool { return k == Blacklist || k == Unlist }

var kindWords = map[Kind]words{
	Suspend:       {"暂停", "suspension"},
	Resume:        {"恢复", "resumption"},
	ExitVoluntary: {"自愿退出", "voluntary exit"},
	ExitOrdered:   {"取消备案并移出目录", "ordered removal"},
	ExitExpired:   {"期满不续", "exit at expiry"},
	Warn:          {"警告（约谈）", "warning"},
	Rectify:       {"限期整改", "order to rectify"},
	Accept:        {"整改验收合格", "acceptance of the rectification"},
	Blacklist:     {"列入黑名单", "blacklisting"},
	Unlist:        {"移出黑名单", "removal from the blacklist"},
}

// A Decision is a recorded act of the authority on an institution or a part of
// it, or the institution's own exit as the authority has accepted it. Decisions
// are never changed; another decision follows.
type Decision struct {
	ID string `json:"id"`
	Target
	Kind      Kind           `json:"kind"`
	Effective standards.Date `json:"effective"`          // 生效日期, may lie before or after Recorded
	Recorded  time.Time      `json:"recorded"`           // the store's time, UTC
	Document  string         `json:"document,omitempty"` // 文号; only a voluntary exit and one at expiry may have none
	Basis     string         `json:"basis"`              // 依据: the rule or application it rests on
	Reason    string         `json:"reason,omitempty"`   // 事由, public
	// Until is the last day of a suspension or of a blacklisting, which then end
	// by themselves. A suspension without it lasts until it is lifted; a
	// blacklisting always has it.
	Until standards.Date `json:"until,omitempty"`
	// Due is the day by which a rectification is to be done. Passing it changes
	// no state: the rectification ends when it is accepted.
	Due standards.Date `json:"due,omitempty"`
	// HoldsIssue says that nothing may be issued while this rectification lasts;
	// whoever records it takes it from the rule in force then.
	HoldsIssue bool `json:"holds_issue,omitempty"`
	// FinishSessions are sessions 认定批次 that may still be issued although
	// this exit is in force. Their exams must have been held before it was.
	FinishSessions []string `json:"finish_sessions,omitempty"`
	// FinishUntil is the last day on which they may; without it there is none.
	FinishUntil standards.Date `json:"finish_until,omitempty"`
	// Case is the case 案件 that the decision comes from, if there was one.
	Case string `json:"case,omitempty"`
}

// InForce returns the moment from which d counts: when it was recorded, or the
// beginning of its effective date if that is later.
func (d Decision) InForce() time.Time {
	if start := d.Effective.Time(); start.After(d.Recorded) {
		return start.UTC()
	}
	return d.Recorded
}

// chinese and english name the decision in a message.
func (d Decision) chinese() string {
	s := d.Effective.Chinese() + "起" + d.Kind.Chinese()
	if d.Until != "" {
		s += "至" + d.Until.Chinese()
	}
	if d.Document != "" {
		return s + "（" + d.Document + "）"
	}
	return s
}

func (d Decision) english() string {
	s := d.Kind.English() + " from " + string(d.Effective)
	if d.Until != "" {
		s += " to " + string(d.Until)
	}
	if d.Document != "" {
		return s + " (" + d.Document + ")"
	}
	return s
}

// Decide returns in as it is to be stored, recorded at now, after checking it
// against everything recorded about its institution: all filings, and all
// decisions in the order of the log. A site without its province gets the one
// that the filings say.
//
// Errors: Invalid decision_invalid with a field each for what is missing or
// names nothing that exists; Conflict decision_exists (the ID is taken),
// already_suspended, not_suspended, already_rectifying, not_rectifying,
// already_blacklisted, not_blacklisted, not_expired (a filing concerned has not
// run out), already_ended (the target, or something it is part of, has ended by
// the time the decision would come into force).
func Decide(inst Institution, filed []Filing, decisions []Decision, in Decision, now time.Time) (Decision, error) {
	in.Recorded = now.UTC()
	in.Target = in.Target.placed(filed)
	if err := refuse("decision_invalid", "该决定的内容有误", "the decision is not complete or names something that does not exist",
		in.problems(inst, filed)); err != nil {
		return Decision{}, err
	}
	if slices.ContainsFunc(decisions, func(d Decision) bool { return d.ID == in.ID }) {
		return Decision{}, fail.New(fail.Conflict, "decision_exists", "decision %s is already recorded", in.ID).
			In("决定 %s 已记录", in.ID)
	}
	follows, before := in.fits, inst.standingUnder(in, filed, decisions)
	if in.Kind.lists() {
		follows, before = in.fitsList, decisions // a blacklist outlives a standing
	}
	if err := follows(before, filed); err != nil {
		return Decision{}, err
	}
	return in, nil
}

// fits refuses a decision that does not follow from the state of its target at
// the moment it would come into force.
func (d Decision) fits(decisions []Decision, filed []Filing) error {
	at := d.InForce()
	own := state{standing: registered}
	for _, s := range states(decisions, d.Target.within(filed), standards.DateOf(at), at) {
		if s.target == d.Target {
			own = s
		} else if s.ended() {
			return fail.New(fail.Conflict, "already_ended", "no decision on %s: %s has ended, %s",
				d.Target.english(), s.target.english(), s.by.english()).
				In("不能再对%s作决定：%s已终止，%s", d.Target.chinese(), s.target.chinese(), s.by.chinese())
		}
	}
	if _, ok := next[own.standing][d.Kind]; ok {
		return d.hasRunOut(filed, decisions)
	}
	switch {
	case own.ended():
		return fail.New(fail.Conflict, "already_ended", "%s has ended already: %s", d.Target.english(), own.by.english()).
			In("%s已终止：%s", d.Target.chinese(), own.by.chinese())
	case d.Kind == Suspend:
		return alreadySuspended(d, own, decisions)
	case d.Kind == Rectify:
		return fail.New(fail.Conflict, "already_rectifying", "%s has a rectification to do already: %s; accept that first",
			d.Target.english(), own.rectify.english()).
			In("%s已在整改中：%s；请先验收", d.Target.chinese(), own.rectify.chinese())
	case d.Kind == Accept:
		return fail.New(fail.Conflict, "not_rectifying", "%s has no rectification to accept", d.Target.english()).
			In("%s没有待验收的整改", d.Target.chinese())
	default:
		return notSuspended(d, decisions, at)
	}
}

// hasRunOut refuses an exit at expiry while a filing concerned has days left.
func (d Decision) hasRunOut(filed []Filing, decisions []Decision) error {
	if d.Kind != ExitExpired {
		return nil
	}
	on := standards.DateOf(d.InForce())
	for _, f := range d.Target.filings(filed) {
		if f.Until >= on && f.StatusAt(decisions, on, d.InForce()) != Terminated {
			return fail.New(fail.Conflict, "not_expired", "filing %s is in force to %s: an exit at expiry cannot be effective before the day after; an earlier one is exit_voluntary or exit_ordered", f.ID, f.Until).
				In("备案 %s 有效期至%s，期满不续的决定不得早于次日生效；提前退出请用自愿退出或取消备案", f.ID, f.Until.Chinese())
		}
	}
	return nil
}

// alreadySuspended names the suspension in force and, if one is recorded, the
// coming resumption, because the caller may want to suspend again from then on.
func alreadySuspended(d Decision, own state, decisions []Decision) error {
	zh := fmt.Sprintf("%s已处于暂停状态：%s", d.Target.chinese(), own.by.chinese())
	en := fmt.Sprintf("%s is suspended already: %s", d.Target.english(), own.by.english())
	if own.by.Until != "" {
		zh += fmt.Sprintf("；如需延长，请将生效日期定为%s", own.by.Until.AddDays(1).Chinese())
		en += fmt.Sprintf("; to prolong it, make %s the effective date", own.by.Until.AddDays(1))
	}
	for _, p := range decisions {
		if p.Kind == Resume && p.Target == d.Target && p.InForce().After(d.InForce()) {
			zh += fmt.Sprintf("；已记录自%s，如需继续暂停，请将生效日期定为该日", p.chinese())
			en += fmt.Sprintf("; its %s is recorded: to keep it suspended, make that day the effective date", p.english())
			break
		}
	}
	return fail.New(fail.Conflict, "already_suspended", "%s", en).In("%s", zh)
}

// notSuspended names the suspensions of other targets that do hold, because the
// usual mistake is to resume the filing when its institution was suspended.
func notSuspended(d Decision, decisions []Decision, at time.Time) error {
	zh := d.Target.chinese() + "未被暂停"
	en := d.Target.english() + " is not suspended"
	near := func(p Decision) bool {
		return p.Kind == Suspend && (p.Target.Covers(d.Target) || d.Target.Covers(p.Target))
	}
	for _, p := range inOrder(decisions, standards.DateOf(at), at, near) {
		if _, by := StatusAt(decisions, p.Target, standards.DateOf(at), at); by.ID == p.ID {
			zh += fmt.Sprintf("；暂停的是%s，应对其作恢复决定", p.Target.chinese())
			en += fmt.Sprintf("; suspended is %s: resume that", p.Target.english())
			break
		}
	}
	return fail.New(fail.Conflict, "not_suspended", "%s", en).In("%s", zh)
}

// inOrder returns the decisions of interest recorded by known that are effective
// by on, in the order in which they came into force.
func inOrder(decisions []Decision, on standards.Date, known time.Time, of func(Decision) bool) []*Decision {
	type dated struct {
		d  *Decision
		at time.Time
	}
	var found []dated
	for i := range decisions {
		if d := &decisions[i]; !d.Recorded.After(known) && d.Effective <= on && of(*d) {
			found = append(found, dated{d, d.InForce()})
		}
	}
	slices.SortStableFunc(found, func(a, b dated) int {
		return cmp.Or(a.at.Compare(b.at), a.d.Recorded.Compare(b.d.Recorded))
	})
	out := make([]*Decision, len(found))
	for i, f := range found {
		out[i] = f.d
	}
	return out
}
