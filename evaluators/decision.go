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
	Suspend       Kind = "suspend"        // 暂停: nothing may be issued until resumed
	Resume        Kind = "resume"         // 恢复: lifts the suspension of the same target
	ExitVoluntary Kind = "exit_voluntary" // 自愿退出, also 期满不续: ends the target
	ExitOrdered   Kind = "exit_ordered"   // 取消备案并移出目录: ends the target
)

// Kinds lists every kind of decision.
func Kinds() []Kind { return []Kind{Suspend, Resume, ExitVoluntary, ExitOrdered} }

// Chinese returns the word officials use; empty for a kind that does not exist.
func (k Kind) Chinese() string { return kindWords[k].zh }

// English returns an English word; empty for a kind that does not exist.
func (k Kind) English() string { return kindWords[k].en }

func (k Kind) exits() bool { return k == ExitVoluntary || k == ExitOrdered }

var kindWords = map[Kind]words{
	Suspend:       {"暂停", "suspension"},
	Resume:        {"恢复", "resumption"},
	ExitVoluntary: {"自愿退出", "voluntary exit"},
	ExitOrdered:   {"取消备案并移出目录", "ordered removal"},
}

// A Target is what a decision hits: a whole institution, one filing (Filing set),
// an occupation under one filing, or an occupation under every filing of the
// institution (only Occupation set).
type Target struct {
	Institution string `json:"institution"`
	Filing      string `json:"filing,omitempty"`
	Occupation  string `json:"occupation,omitempty"` // code d-dd-dd-dd
}

// Covers reports whether u is t or lies under it.
func (t Target) Covers(u Target) bool {
	return t.Institution == u.Institution &&
		(t.Filing == "" || t.Filing == u.Filing) &&
		(t.Occupation == "" || t.Occupation == u.Occupation)
}

func (t Target) chinese() string {
	s := "机构 " + t.Institution
	if t.Filing != "" {
		s = "备案 " + t.Filing
	}
	if t.Occupation != "" {
		s += " 的职业 " + t.Occupation
	}
	return s
}

func (t Target) english() string {
	s := "institution " + t.Institution
	if t.Filing != "" {
		s = "filing " + t.Filing
	}
	if t.Occupation != "" {
		s = "occupation " + t.Occupation + " of " + s
	}
	return s
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
	Document  string         `json:"document,omitempty"` // 文号; only a voluntary exit may have none
	Basis     string         `json:"basis"`              // 依据: the rule or application it rests on
	Reason    string         `json:"reason,omitempty"`   // 事由, public
	// FinishSessions are sessions 认定批次 that may still be issued although
	// this exit is in force. Their exams must have been held before it was.
	FinishSessions []string `json:"finish_sessions,omitempty"`
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
	if d.Document != "" {
		return s + "（" + d.Document + "）"
	}
	return s
}

func (d Decision) english() string {
	s := d.Kind.English() + " from " + string(d.Effective)
	if d.Document != "" {
		return s + " (" + d.Document + ")"
	}
	return s
}

// Decide returns in as it is to be stored, recorded at now, after checking it
// against everything recorded about its institution: all filings, and all
// decisions in the order of the log.
//
// Errors: Invalid decision_invalid with a field each for what is missing or
// names nothing that exists; Conflict decision_exists (the ID is taken),
// already_suspended, not_suspended, already_ended (the target, or something it
// is part of, has ended by the time the decision would come into force).
func Decide(inst Institution, filed []Filing, decisions []Decision, in Decision, now time.Time) (Decision, error) {
	in.Recorded = now.UTC()
	if err := refuse("decision_invalid", "该决定的内容有误", "the decision is not complete or names something that does not exist",
		in.problems(inst, filed)); err != nil {
		return Decision{}, err
	}
	if slices.ContainsFunc(decisions, func(d Decision) bool { return d.ID == in.ID }) {
		return Decision{}, fail.New(fail.Conflict, "decision_exists", "decision %s is already recorded", in.ID).
			In("决定 %s 已记录", in.ID)
	}
	if err := in.fits(inst.standingUnder(in, filed, decisions)); err != nil {
		return Decision{}, err
	}
	return in, nil
}

// fits refuses a decision that does not follow from the state of its target at
// the moment it would come into force.
func (d Decision) fits(decisions []Decision) error {
	at := d.InForce()
	var own state
	for _, s := range states(decisions, d.Target, standards.DateOf(at), at) {
		if s.target == d.Target {
			own = s
		} else if s.status.Ended() {
			return fail.New(fail.Conflict, "already_ended", "no decision on %s: %s has ended, %s",
				d.Target.english(), s.target.english(), s.by.english()).
				In("不能再对%s作决定：%s已终止，%s", d.Target.chinese(), s.target.chinese(), s.by.chinese())
		}
	}
	if own.status == "" {
		own.status = Registered
	}
	if _, ok := next[own.status][d.Kind]; ok {
		return nil
	}
	switch {
	case own.status.Ended():
		return fail.New(fail.Conflict, "already_ended", "%s has ended already: %s", d.Target.english(), own.by.english()).
			In("%s已终止：%s", d.Target.chinese(), own.by.chinese())
	case d.Kind == Suspend:
		return alreadySuspended(d, own, decisions)
	default:
		return notSuspended(d, decisions, at)
	}
}

// alreadySuspended names the suspension in force and, if one is recorded, the
// coming resumption, because the caller may want to suspend again from then on.
func alreadySuspended(d Decision, own state, decisions []Decision) error {
	zh := fmt.Sprintf("%s已处于暂停状态：%s", d.Target.chinese(), own.by.chinese())
	en := fmt.Sprintf("%s is suspended already: %s", d.Target.english(), own.by.english())
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
	for _, p := range inOrder(decisions, standards.DateOf(at), at) {
		if p.Kind != Suspend || !(p.Target.Covers(d.Target) || d.Target.Covers(p.Target)) {
			continue
		}
		if _, by := StatusAt(decisions, p.Target, standards.DateOf(at), at); by.ID == p.ID {
			zh += fmt.Sprintf("；暂停的是%s，应对其作恢复决定", p.Target.chinese())
			en += fmt.Sprintf("; suspended is %s: resume that", p.Target.english())
			break
		}
	}
	return fail.New(fail.Conflict, "not_suspended", "%s", en).In("%s", zh)
}

func (d Decision) problems(inst Institution, filed []Filing) []fail.Field {
	fs := text("id", d.ID, true, 64, "决定标识", "id of the decision")
	if d.Kind.Chinese() == "" {
		fs = append(fs, wrong("kind", "kind",
			fmt.Sprintf("决定种类 %q 不存在，应为 suspend、resume、exit_voluntary 或 exit_ordered", d.Kind),
			fmt.Sprintf("there is no kind of decision %q; write suspend, resume, exit_voluntary or exit_ordered", d.Kind)))
	}
	fs = append(fs, d.targetProblems(inst, filed)...)
	if !d.Effective.Valid() {
		fs = append(fs, wrong("effective", "date", "生效日期应为实际存在的日期，如 2026-03-02",
			"the effective date must be an existing day, for instance 2026-03-02"))
	}
	fs = append(fs, text("document", d.Document, d.Kind != ExitVoluntary, 100, "决定文号", "number of the document")...)
	fs = append(fs, text("basis", d.Basis, true, 500, "依据", "basis")...)
	fs = append(fs, text("reason", d.Reason, false, 1000, "事由", "reason")...)
	if len(d.FinishSessions) > 0 && !d.Kind.exits() {
		fs = append(fs, wrong("finish_sessions", "kind", "只有退出或取消的决定可以列明允许办结的批次",
			"only an exit can name sessions that may finish"))
	}
	if len(d.FinishSessions) > maxScope {
		return append(fs, wrong("finish_sessions", "too_many", fmt.Sprintf("允许办结的批次不超过 %d 个", maxScope),
			fmt.Sprintf("at most %d sessions can be named", maxScope)))
	}
	for i, s := range d.FinishSessions {
		name := fmt.Sprintf("finish_sessions[%d]", i)
		fs = append(fs, text(name, s, true, 64, "批次", "session")...)
		if slices.Contains(d.FinishSessions[:i], s) {
			fs = append(fs, wrong(name, "repeated", fmt.Sprintf("批次 %s 重复", s), fmt.Sprintf("session %s is named twice", s)))
		}
	}
	return fs
}

func (d Decision) targetProblems(inst Institution, filed []Filing) (fs []fail.Field) {
	if d.Institution != inst.ID {
		return append(fs, wrong("institution", "institution",
			fmt.Sprintf("决定针对机构 %q，不是 %q", d.Institution, inst.ID),
			fmt.Sprintf("the decision is on institution %q, not on %q", d.Institution, inst.ID)))
	}
	under := slices.DeleteFunc(slices.Clone(filed), func(f Filing) bool {
		return f.Institution != inst.ID || d.Filing != "" && f.ID != d.Filing
	})
	if d.Filing != "" && len(under) == 0 {
		return append(fs, wrong("filing", "filing",
			fmt.Sprintf("机构 %s 没有备案 %s", inst.ID, d.Filing),
			fmt.Sprintf("institution %s has no filing %s", inst.ID, d.Filing)))
	}
	inScope := func(f Filing) bool {
		return slices.Contains(f.Occupations(), d.Occupation)
	}
	if d.Occupation != "" && !slices.ContainsFunc(under, inScope) {
		fs = append(fs, wrong("occupation", "occupation",
			fmt.Sprintf("%s 不在备案范围内", d.Occupation),
			fmt.Sprintf("occupation %s is not in the scope of any filing concerned", d.Occupation)))
	}
	return fs
}

// inOrder returns the decisions recorded by known that are effective by on, in
// the order in which they came into force.
func inOrder(decisions []Decision, on standards.Date, known time.Time) []Decision {
	var out []Decision
	for _, d := range decisions {
		if !d.Recorded.After(known) && d.Effective <= on {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Decision) int {
		return cmp.Or(a.InForce().Compare(b.InForce()), a.Recorded.Compare(b.Recorded))
	})
	return out
}
