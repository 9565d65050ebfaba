package evaluators

import (
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Barred returns the blacklisting that is running on a date as it was known at a
// time, and whether there is one. While it runs the institution gets no new
// filing, whether it is in the directory or was removed from it. Its last day is
// the last on which it bars.
func Barred(decisions []Decision, on standards.Date, known time.Time) (Decision, bool) {
	var running Decision
	for _, d := range inOrder(decisions, on, known, func(d Decision) bool { return d.Kind.lists() }) {
		switch d.Kind {
		case Blacklist:
			// One that was recorded for later may begin while another runs: the
			// longer one counts.
			if running.ID == "" || d.Until > running.Until {
				running = *d
			}
		case Unlist:
			running = Decision{}
		}
	}
	if running.ID == "" || on > running.Until {
		return Decision{}, false
	}
	return running, true
}

// Barring is the Conflict blacklisted of an institution that Barred has found
// the blacklisting d of.
func (d Decision) Barring() error {
	return fail.New(fail.Conflict, "blacklisted", "institution %s is on the blacklist, %s: it can get no new filing before %s",
		d.Institution, d.english(), d.Until.AddDays(1)).
		In("机构 %s 在黑名单内（%s），%s前不得新增备案", d.Institution, d.chinese(), d.Until.AddDays(1).Chinese())
}

// fitsList refuses to list what is listed and to unlist what is not, at the
// moment the decision would come into force.
func (d Decision) fitsList(decisions []Decision, _ []Filing) error {
	at := d.InForce()
	running, listed := Barred(decisions, standards.DateOf(at), at)
	switch {
	case listed && d.Kind == Blacklist:
		return fail.New(fail.Conflict, "already_blacklisted", "institution %s is on the blacklist already: %s; to prolong it, make %s the effective date",
			d.Institution, running.english(), running.Until.AddDays(1)).
			In("机构 %s 已在黑名单内：%s；如需延长，请将生效日期定为%s", d.Institution, running.chinese(), running.Until.AddDays(1).Chinese())
	case !listed && d.Kind == Unlist:
		return fail.New(fail.Conflict, "not_blacklisted", "institution %s is not on the blacklist on that day", d.Institution).
			In("机构 %s 当日不在黑名单内", d.Institution)
	}
	return nil
}
