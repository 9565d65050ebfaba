package evaluators

import (
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A renewal 续期（延续） is a filing that names the one it goes on from: the same
// institution and number parts, beginning after its last day. When it begins on
// the very next day there is no gap, and the two are one line: a session that was
// planned under the one may be finished under the other.

// follows checks what a renewal says it renews, and lets it take over the serial
// ranges 号段 that were granted to it.
func (f *Filing) follows(filed []Filing, decisions []Decision, today standards.Date, now time.Time) error {
	if f.Renews == "" {
		return nil
	}
	at := slices.IndexFunc(filed, func(g Filing) bool { return g.ID == f.Renews })
	if at < 0 || filed[at].Institution != f.Institution {
		return fail.New(fail.Conflict, "renewal_impossible", "there is no filing %s of institution %s to renew", f.Renews, f.Institution).
			In("机构 %s 没有可续期的备案 %s", f.Institution, f.Renews)
	}
	old := filed[at]
	switch {
	case old.Prefix() != f.Prefix():
		return fail.New(fail.Conflict, "renewal_impossible", "a renewal keeps the number parts: filing %s has %s, not %s", old.ID, old.Prefix(), f.Prefix()).
			In("续期应沿用原编码：备案 %s 的编码为 %s，不是 %s", old.ID, old.Prefix(), f.Prefix())
	case old.StatusAt(decisions, max(today, old.From), now) == Terminated:
		return fail.New(fail.Conflict, "renewal_impossible", "filing %s has ended and cannot be renewed", old.ID).
			In("备案 %s 已终止，不能续期；请重新申请备案", old.ID)
	}
	f.Ranges = takenOver(old.Ranges, f.Ranges)
	return nil
}

// takenOver adds the old ranges to the new ones, leaving out what a new one has
// already. No range at all means every serial, and stays so.
func takenOver(old, more []SerialRange) []SerialRange {
	out := slices.Clone(old)
	for _, r := range more {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// InLine returns the filing that stands for f on a date: f itself within its
// dates, and otherwise the one that covers the date among those which renewed f,
// or which f renewed, each without a gap and with the same number parts, as far
// as recorded by known. When none covers the date it is f. It looks at dates
// alone; decisions on the filing it returns are for the caller.
func (f Filing) InLine(filed []Filing, on standards.Date, known time.Time) Filing {
	at := f
	for range filed {
		switch {
		case !on.Valid() || at.Covers(on):
			return at
		case on > at.Until:
			next, ok := at.renewedBy(filed, known)
			if !ok {
				return f
			}
			at = next
		default:
			before := slices.IndexFunc(filed, func(g Filing) bool { return g.ID == at.Renews && at.goesOn(g) && !g.Recorded.After(known) })
			if before < 0 {
				return f
			}
			at = filed[before]
		}
	}
	if at.Covers(on) {
		return at
	}
	return f
}

func (f Filing) renewedBy(filed []Filing, known time.Time) (next Filing, ok bool) {
	for _, g := range filed {
		if g.goesOn(f) && !g.Recorded.After(known) && (!ok || !g.Recorded.Before(next.Recorded)) {
			next, ok = g, true
		}
	}
	return next, ok
}

// goesOn reports whether f renews g without a gap.
func (f Filing) goesOn(g Filing) bool {
	return f.Renews == g.ID && f.Institution == g.Institution && f.Prefix() == g.Prefix() && f.From > g.From && f.From <= g.Until.AddDays(1)
}
