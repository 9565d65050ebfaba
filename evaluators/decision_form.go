package evaluators

import (
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// problems says what is missing in a decision or names nothing that exists.
// Recorded is set.
func (d Decision) problems(inst Institution, filed []Filing) []fail.Field {
	fs := text("id", d.ID, true, 64, "决定标识", "id of the decision")
	if d.Kind.Chinese() == "" {
		all := kindList()
		fs = append(fs, wrong("kind", "kind", fmt.Sprintf("决定种类 %q 不存在，应为 %s 之一", d.Kind, all),
			fmt.Sprintf("there is no kind of decision %q; write one of %s", d.Kind, all)))
	}
	fs = append(fs, d.Target.problems(inst, filed)...)
	fs = append(fs, d.reachProblems()...)
	if !d.Effective.Valid() {
		fs = append(fs, wrong("effective", "date", "生效日期应为实际存在的日期，如 2026-03-02",
			"the effective date must be an existing day, for instance 2026-03-02"))
	}
	fs = append(fs, text("document", d.Document, d.Kind != ExitVoluntary && d.Kind != ExitExpired, 100, "决定文号", "number of the document")...)
	fs = append(fs, text("basis", d.Basis, true, 500, "依据", "basis")...)
	fs = append(fs, text("reason", d.Reason, false, 1000, "事由", "reason")...)
	fs = append(fs, d.periodProblems()...)
	return append(fs, d.finishProblems()...)
}

func kindList() string {
	var all []string
	for _, k := range Kinds() {
		all = append(all, string(k))
	}
	return strings.Join(all, ", ")
}

// reachProblems: some kinds cannot hit every part.
func (d Decision) reachProblems() []fail.Field {
	part := d.Occupation != "" || d.Trade != "" || d.Levels != 0
	switch {
	case d.Kind.lists() && (part || d.Filing != "" || d.Site != ""):
		return []fail.Field{wrong("kind", "target", "黑名单只针对机构整体", "only a whole institution can be blacklisted or taken off the list")}
	case d.Kind == ExitExpired && part:
		return []fail.Field{wrong("kind", "target", "期满不续只针对机构、备案或站点", "only an institution, a filing or a site can leave at expiry")}
	}
	return nil
}

// periodProblems: which days a kind has, must have, and where they may lie. A
// last day before the decision is recorded would make it one that never held.
func (d Decision) periodProblems() (fs []fail.Field) {
	recorded := standards.DateOf(d.Recorded)
	day := func(name, zh, en string, v standards.Date, allowed, needed bool) {
		switch {
		case v == "" && allowed && needed:
			fs = append(fs, wrong(name, "missing", zh+"不能为空", "the "+en+" is missing"))
		case v == "":
		case !allowed:
			fs = append(fs, wrong(name, "kind", "此种决定没有"+zh, "a decision of this kind has no "+en))
		case !v.Valid():
			fs = append(fs, wrong(name, "date", zh+"应为实际存在的日期，如 2026-03-02", "the "+en+" must be an existing day, for instance 2026-03-02"))
		case v < d.Effective || v < recorded:
			fs = append(fs, wrong(name, "order", fmt.Sprintf("%s %s 不能早于生效日期 %s 或记录之日 %s", zh, v, d.Effective, recorded),
				fmt.Sprintf("the %s %s must not lie before the effective date %s or the day of recording %s", en, v, d.Effective, recorded)))
		}
	}
	day("until", "期限末日", "last day", d.Until, d.Kind == Suspend || d.Kind == Blacklist, d.Kind == Blacklist)
	day("due", "整改期限", "day by which it is to be put right", d.Due, d.Kind == Rectify, true)
	day("finish_until", "办结期限", "last day for sessions to finish", d.FinishUntil, d.Kind.exits() && len(d.FinishSessions) > 0, false)
	if d.HoldsIssue && d.Kind != Rectify {
		fs = append(fs, wrong("holds_issue", "kind", "只有限期整改可以注明整改期间不得发证", "only an order to rectify can hold the issue"))
	}
	return fs
}

func (d Decision) finishProblems() (fs []fail.Field) {
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
