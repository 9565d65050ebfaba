package evaluators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// ScopeChangeKind says in which direction a scope changes.
type ScopeChangeKind string

// The kinds of change.
const (
	Extend ScopeChangeKind = "extend" // 扩项: what the items name is added
	Shrink ScopeChangeKind = "shrink" // 减项: what the items name is taken out
)

// A ScopeChange is a recorded change of what a filing may examine. Like a
// decision it has a date from which it is law and the time at which it was
// recorded, and counts from the later of both; a change with an earlier date
// changes no answer that was given before it was recorded.
type ScopeChange struct {
	Kind ScopeChangeKind `json:"kind"`
	// Items are added with their own dates, or taken out: an item without a trade
	// takes out the occupation with all its trades, at the levels it names.
	Items    []ScopeItem    `json:"items"`
	From     standards.Date `json:"from"`
	Document string         `json:"document"`
	Reason   string         `json:"reason,omitempty"`
	// FinishSessions are sessions that may still be issued although what they
	// examined is taken out. Their exams must have been in scope.
	FinishSessions []string  `json:"finish_sessions,omitempty"`
	Recorded       time.Time `json:"recorded"`
}

// InForce returns the moment from which the change counts.
func (c ScopeChange) InForce() time.Time {
	if start := c.From.Time(); start.After(c.Recorded) {
		return start.UTC()
	}
	return c.Recorded
}

// ChangeScope returns the filing with in recorded at now. Whether the catalogue
// knows what is added is for [CheckScope] to say.
//
// Errors: Invalid scope_change_invalid, with a field for everything wrong;
// Conflict filing_ended (the filing is over by the day the change counts from),
// too_many_changes.
func (f Filing) ChangeScope(decisions []Decision, in ScopeChange, now time.Time) (Filing, error) {
	in.Recorded = now.UTC()
	if err := refuse("scope_change_invalid", "备案范围变更有误", "the change of scope is not right", in.problems(f)); err != nil {
		return Filing{}, err
	}
	if err := f.over(decisions, in.InForce(), now); err != nil {
		return Filing{}, err
	}
	if len(f.ScopeChanges) >= maxChanges {
		return Filing{}, tooMany("备案范围", "changes of scope")
	}
	f.ScopeChanges = append(slices.Clip(f.ScopeChanges), in)
	return f, nil
}

// over refuses a change of a filing that has ended or expired by the moment the
// change would count from.
func (f Filing) over(decisions []Decision, from, now time.Time) error {
	on := max(standards.DateOf(from), f.From)
	if s := f.StatusAt(decisions, on, now); s != Filed {
		return fail.New(fail.Conflict, "filing_ended", "filing %s is %s on %s; nothing can be changed in it", f.ID, s.English(), on).
			In("备案 %s 在 %s %s，不能变更", f.ID, on, s.Chinese())
	}
	return nil
}

func (c ScopeChange) problems(f Filing) []fail.Field {
	var fs []fail.Field
	if c.Kind != Extend && c.Kind != Shrink {
		fs = append(fs, wrong("kind", "kind", fmt.Sprintf("变更种类应为 extend（扩项）或 shrink（减项），实为 %q", c.Kind),
			fmt.Sprintf("a change is extend or shrink, not %q", c.Kind)))
	}
	fs = append(fs, text("document", c.Document, true, 100, "变更文号", "number of the document")...)
	fs = append(fs, text("reason", c.Reason, false, 1000, "事由", "reason")...)
	fs = append(fs, day("from", c.From, "生效日期", "effective date")...)
	if c.From.Valid() && !f.Covers(c.From) {
		fs = append(fs, wrong("from", "outside", fmt.Sprintf("生效日期不在备案有效期 %s 至 %s 内", f.From, f.Until),
			fmt.Sprintf("the effective date is not within the filing, %s to %s", f.From, f.Until)))
	}
	switch {
	case len(c.Items) == 0:
		return append(fs, wrong("items", "missing", "未填写变更的职业（工种）和等级", "no occupation is named"))
	case len(c.Items) > maxScope || len(c.FinishSessions) > maxScope:
		return append(fs, wrong("items", "too_many", fmt.Sprintf("变更项和允许办结的批次各不超过 %d 项", maxScope),
			fmt.Sprintf("items and sessions that may finish are at most %d each", maxScope)))
	}
	if c.Kind == Extend && len(c.FinishSessions) > 0 {
		fs = append(fs, wrong("finish_sessions", "kind", "只有减项可以列明允许办结的批次", "only taking out can name sessions that may finish"))
	}
	for i, s := range c.Items {
		at := fmt.Sprintf("items[%d].", i)
		fs = append(fs, s.problems(f, at)...)
		fs = append(fs, c.itemProblems(f, s, at)...)
	}
	for i, s := range c.FinishSessions {
		fs = append(fs, text(fmt.Sprintf("finish_sessions[%d]", i), s, true, 64, "批次", "session")...)
	}
	return fs
}

func (c ScopeChange) itemProblems(f Filing, s ScopeItem, at string) (fs []fail.Field) {
	switch {
	case c.Kind == Shrink && (s.From != "" || s.Until != ""):
		fs = append(fs, wrong(at+"from", "dates", "减项自生效日期起一律移出，不另填起止日期",
			"what is taken out has no dates of its own: it is out from the effective date on"))
	case c.Kind == Shrink && !f.names(s):
		fs = append(fs, wrong(at+"occupation", "not_in_scope", "备案范围中没有此项，无可移出", "this is not in the scope and cannot be taken out"))
	case c.Kind == Extend && s.From != "" && s.From < c.From:
		fs = append(fs, wrong(at+"from", "before_change", fmt.Sprintf("早于变更生效日期 %s", c.From), fmt.Sprintf("before the change counts, on %s", c.From)))
	}
	return fs
}

// names reports whether a part of the item was ever put in the scope.
func (f Filing) names(s ScopeItem) bool {
	return slices.ContainsFunc(f.everIn(time.Time{}), func(t ScopeItem) bool {
		return s.touches(t) && s.Levels&t.Levels != 0
	})
}

// touches reports whether two items share a trade of one occupation.
func (s ScopeItem) touches(t ScopeItem) bool {
	return s.Occupation == t.Occupation && (s.Trade == "" || t.Trade == "" || s.Trade == t.Trade)
}

// everIn returns what was ever put in the scope, as far as recorded by known; a
// zero time means everything. Items that a change added begin with it.
func (f Filing) everIn(known time.Time) []ScopeItem {
	out := f.Scope
	for _, c := range f.ScopeChanges {
		if c.Kind == Extend && (known.IsZero() || !c.Recorded.After(known)) {
			out = append(slices.Clip(out), c.Items...)
		}
	}
	return out
}

// Occupations returns the codes of every occupation that was ever in the scope,
// sorted.
func (f Filing) Occupations() []string {
	var out []string
	for _, s := range f.everIn(time.Time{}) {
		out = append(out, s.Occupation)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// InScope is what a filing may examine on a day: an item, less what was taken
// out of it.
type InScope struct {
	ScopeItem
	// Without are single trades that were taken out of an item for a whole
	// occupation, each at the levels named.
	Without []ScopeItem `json:"without,omitempty"`
}

func (s InScope) covers(occupation, trade string, level standards.Level) bool {
	return s.Occupation == occupation && (s.Trade == "" || s.Trade == trade) && s.Levels.Has(level) &&
		!slices.ContainsFunc(s.Without, func(w ScopeItem) bool { return w.Trade == trade && w.Levels.Has(level) })
}

// less takes an item out.
func (s InScope) less(out ScopeItem) InScope {
	switch {
	case !s.touches(out):
	case out.Trade == "" || out.Trade == s.Trade:
		s.Levels &^= out.Levels
	default: // one trade out of all
		s.Without = append(slices.Clip(s.Without), ScopeItem{Occupation: out.Occupation, Trade: out.Trade, Levels: s.Levels & out.Levels})
	}
	return s
}

// ScopeOn returns what the filing may examine on a day as it was known at a
// time; none outside its dates. Nothing of a Without is left in what is returned
// with no levels.
func (f Filing) ScopeOn(on standards.Date, known time.Time) []InScope {
	if !f.Covers(on) {
		return nil
	}
	var out []InScope
	add := func(items []ScopeItem) {
		for _, s := range items {
			if s.From <= on && (s.Until == "" || on <= s.Until) {
				out = append(out, InScope{ScopeItem: s})
			}
		}
	}
	add(f.Scope)
	for _, c := range f.scopeChanges(on, known) {
		if c.Kind == Extend {
			add(c.Items)
			continue
		}
		for i := range out {
			for _, item := range c.Items {
				out[i] = out[i].less(item)
			}
		}
	}
	return slices.DeleteFunc(out, func(s InScope) bool { return s.Levels == 0 })
}

// scopeChanges returns the changes recorded by known that are effective by on,
// in the order in which they came into force.
func (f Filing) scopeChanges(on standards.Date, known time.Time) []ScopeChange {
	var out []ScopeChange
	for _, c := range f.ScopeChanges {
		if !c.Recorded.After(known) && c.From <= on {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b ScopeChange) int {
		return cmp.Or(a.InForce().Compare(b.InForce()), a.Recorded.Compare(b.Recorded))
	})
	return out
}

// covers reports whether occupation, trade and level are in scope on a day as
// known at a time.
func (f Filing) covers(occupation, trade string, level standards.Level, on standards.Date, known time.Time) bool {
	if len(f.ScopeChanges) == 0 { // the usual case, asked for every row of a file
		items, _ := f.scope(occupation, trade, level, known)
		return f.anyCovers(items, on)
	}
	return slices.ContainsFunc(f.ScopeOn(on, known), func(s InScope) bool { return s.covers(occupation, trade, level) })
}

// takenOut returns the change in force that took occupation, trade and level out
// last, if one did.
func (f Filing) takenOut(occupation, trade string, level standards.Level, on standards.Date, known time.Time) (out ScopeChange, ok bool) {
	whole := InScope{ScopeItem: ScopeItem{Occupation: occupation, Trade: trade, Levels: standards.LevelsOf(level)}}
	for _, c := range f.scopeChanges(on, known) {
		for _, item := range c.Items {
			if c.Kind == Shrink && (item.Trade == "" || item.Trade == trade) && whole.less(item).Levels == 0 {
				out, ok = c, true
			}
		}
	}
	return out, ok
}

func (c ScopeChange) fact(f Filing) Fact {
	return Fact{Filing: f.ID, Document: c.Document, Effective: c.From, Recorded: c.Recorded}
}

// knownAtExam is when the question about the day of the exam is asked: when that
// day began, or now if it is still to come.
func knownAtExam(exam standards.Date, now time.Time) time.Time {
	if start := exam.Time(); !start.After(now) {
		return start
	}
	return now
}

// Before returns the filing as it was before a moment: without what was recorded
// at that moment or later. Who replays the log asks with it where the order
// within one second is not known.
func (f Filing) Before(at time.Time) Filing {
	f.ScopeChanges = recordedBefore(f.ScopeChanges, at, func(c ScopeChange) time.Time { return c.Recorded })
	f.SiteChanges = recordedBefore(f.SiteChanges, at, func(c SiteChange) time.Time { return c.Recorded })
	f.Bodies = recordedBefore(f.Bodies, at, func(s Supervision) time.Time { return s.Recorded })
	f.Groups = recordedBefore(f.Groups, at, func(g AdmittedGroup) time.Time { return g.Recorded })
	f.Recognitions = recordedBefore(f.Recognitions, at, func(r Recognition) time.Time { return r.Recorded })
	return f
}

func recordedBefore[T any](list []T, at time.Time, recorded func(T) time.Time) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return !recorded(v).Before(at) })
}
