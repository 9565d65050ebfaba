package evaluators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A Question is whether a certificate may be issued, or an exam planned, now.
type Question struct {
	Occupation string
	Trade      string // catalogue id, empty when the certificate shows --
	Level      standards.Level
	// ExamDate is the day of the exam, past or planned. Empty for a certificate
	// without an exam: then only today is looked at.
	ExamDate standards.Date
	// Now is the store's time, the one time that decides: what was recorded by
	// then, on the civil date it falls on.
	Now time.Time
	// Session is the session 认定批次 the certificate comes from. An exit that
	// lets it finish does not stand against it. May be empty.
	Session string
	// Site is the place of examination, empty for the filing's own.
	Site string
	// Filed are the institution's filings: one that renews the filing without a
	// gap, or that it renewed, stands in for it on the days it does not cover.
	Filed []Filing
}

// Reason is why there is no entitlement.
type Reason string

// The reasons, in the order in which they are given.
const (
	ReasonNotFiledYet          Reason = "not_filed_yet"           // not recorded by now, not this institution's, or not begun
	ReasonFilingExpired        Reason = "filing_expired"          // its last day is past
	ReasonExamOutsideFiling    Reason = "exam_outside_filing"     // the exam is before its first or after its last day
	ReasonOutOfScopeOccupation Reason = "out_of_scope_occupation" // never in scope
	ReasonOutOfScopeTrade      Reason = "out_of_scope_trade"      // the occupation is, the trade is not
	ReasonOutOfScopeLevel      Reason = "out_of_scope_level"      // occupation and trade are, the level is not
	ReasonScopeNotInForce      Reason = "scope_not_in_force"      // in scope on other days, not now
	ReasonExamOutsideScope     Reason = "exam_outside_scope"      // in scope on other days, not on the exam's
	ReasonSiteNotOpen          Reason = "site_not_open"           // the place of examination was not open, or closed, on the day of the exam
	ReasonSiteSuspended        Reason = "site_suspended"          // the place of examination is suspended now, or was on the day of the exam
	ReasonRectifying           Reason = "rectifying"              // now, and nothing may be issued meanwhile
	ReasonSuspended            Reason = "suspended"               // now
	ReasonSuspendedAtExam      Reason = "suspended_at_exam"       // in force when the day of the exam began
	ReasonExited               Reason = "exited"                  // now, of its own will, and the session is not named to finish
	ReasonRemoved              Reason = "removed"                 // now, by order, and the session is not named to finish
	ReasonFinishOver           Reason = "finish_period_over"      // the session was named to finish, until a day that is past
	ReasonExitedAtExam         Reason = "exited_at_exam"          // in force when the day of the exam began, either way
)

type reasonFacts struct {
	words
	field string // of the caller's input it concerns
}

var reasons = map[Reason]reasonFacts{
	ReasonNotFiledYet:          {words{"该机构此时没有这项备案", "the institution has no such filing at this moment"}, "filing"},
	ReasonFilingExpired:        {words{"备案已到期", "the filing has expired"}, "filing"},
	ReasonExamOutsideFiling:    {words{"考试日期不在备案有效期内", "the exam is not within the dates of the filing"}, "exam_date"},
	ReasonOutOfScopeOccupation: {words{"该机构未备案本职业", "the occupation is not in the scope of the filing"}, "occupation"},
	ReasonOutOfScopeTrade:      {words{"该机构未备案本工种", "the trade is not in the scope of the filing"}, "trade"},
	ReasonOutOfScopeLevel:      {words{"该机构未备案本等级", "the level is not in the scope of the filing"}, "level"},
	ReasonScopeNotInForce:      {words{"本职业（工种）本等级此时不在备案有效期内", "occupation, trade and level are not in scope at this date"}, "filing"},
	ReasonExamOutsideScope:     {words{"考试当日本职业（工种）本等级不在备案有效期内", "occupation, trade and level were not in scope on the day of the exam"}, "exam_date"},
	ReasonSiteNotOpen:          {words{"考试当日该考点未启用或已关闭", "the site was not open on the day of the exam"}, "site"},
	ReasonSiteSuspended:        {words{"该考点已被暂停", "the site is suspended"}, "site"},
	ReasonRectifying:           {words{"该机构或其备案、站点、职业（工种）、等级正在整改，整改期间不得发证", "the institution, or its filing, site, occupation, trade or level, is under rectification and may issue nothing meanwhile"}, "filing"},
	ReasonSuspended:            {words{"该机构或其备案、站点、职业（工种）、等级已被暂停", "the institution, or its filing, site, occupation, trade or level, is suspended"}, "filing"},
	ReasonSuspendedAtExam:      {words{"考试当日该机构或其备案、站点、职业（工种）、等级处于暂停状态", "the institution, or its filing, site, occupation, trade or level, was suspended on the day of the exam"}, "exam_date"},
	ReasonExited:               {words{"该机构或其备案、站点、职业（工种）、等级已退出", "the institution has left, or given up the filing, site, occupation, trade or level"}, "filing"},
	ReasonRemoved:              {words{"该机构或其备案、站点、职业（工种）、等级已被取消备案", "the institution, or its filing, site, occupation, trade or level, was removed by order"}, "filing"},
	ReasonFinishOver:           {words{"该批次准予办结的期限已过", "the period in which the session was allowed to finish is over"}, "session"},
	ReasonExitedAtExam:         {words{"考试当日该机构或其备案、站点、职业（工种）、等级已退出或被取消", "the institution, or its filing, site, occupation, trade or level, had ended on the day of the exam"}, "exam_date"},
}

// Reasons lists every reason in the order in which they are given.
func Reasons() []Reason {
	return []Reason{
		ReasonNotFiledYet, ReasonFilingExpired, ReasonExamOutsideFiling,
		ReasonOutOfScopeOccupation, ReasonOutOfScopeTrade, ReasonOutOfScopeLevel, ReasonScopeNotInForce, ReasonExamOutsideScope,
		ReasonSiteNotOpen, ReasonSiteSuspended,
		ReasonRectifying, ReasonSuspended, ReasonSuspendedAtExam, ReasonExited, ReasonRemoved, ReasonFinishOver, ReasonExitedAtExam,
	}
}

// Chinese returns a sentence; empty for a reason that does not exist.
func (r Reason) Chinese() string { return reasons[r].zh }

// English returns a sentence; empty for a reason that does not exist.
func (r Reason) English() string { return reasons[r].en }

// A Fact is a record an [Entitlement] rests on. A fact with a reason stands
// against it; one without supports it.
type Fact struct {
	Filing    string         `json:"filing,omitempty"`   // id of the filing the fact is, or
	Decision  string         `json:"decision,omitempty"` // id of the decision it is
	Reason    Reason         `json:"reason,omitempty"`
	Document  string         `json:"document,omitempty"` // 文号
	Effective standards.Date `json:"effective,omitempty"`
	Until     standards.Date `json:"until,omitempty"` // last day of a suspension, or for sessions to finish
	Recorded  time.Time      `json:"recorded,omitzero"`
}

// An Entitlement answers a [Question]. It is a value: not to be entitled is an
// expected outcome.
type Entitlement struct {
	Entitled bool     `json:"entitled"`
	Reasons  []Reason `json:"reasons,omitempty"` // every one that applies, none if Entitled
	Facts    []Fact   `json:"facts,omitempty"`
}

// Refusal returns nil when entitled, else a Conflict not_entitled with a field
// for each reason that names the decision or filing behind it.
func (e Entitlement) Refusal() error {
	if e.Entitled {
		return nil
	}
	var fs []fail.Field
	for _, r := range e.Reasons {
		zh, en := r.Chinese(), r.English()
		if i := slices.IndexFunc(e.Facts, func(f Fact) bool { return f.Reason == r }); i >= 0 {
			zhBy, enBy := e.Facts[i].texts()
			zh, en = zh+zhBy, en+enBy
		}
		fs = append(fs, wrong(reasons[r].field, string(r), zh, en))
	}
	return fail.New(fail.Conflict, "not_entitled", "the institution is not entitled to this").
		In("该机构不具备相应的认定资格").At(fs...)
}

// texts are the brackets behind a reason: which record, from when, to when.
func (f Fact) texts() (zh, en string) {
	name := cmp.Or(f.Document, f.Decision, f.Filing)
	if f.Until == "" {
		return fmt.Sprintf("（%s，%s起）", name, f.Effective.Chinese()), fmt.Sprintf(" (%s, from %s)", name, f.Effective)
	}
	return fmt.Sprintf("（%s，%s起至%s）", name, f.Effective.Chinese(), f.Until.Chinese()), fmt.Sprintf(" (%s, from %s to %s)", name, f.Effective, f.Until)
}

// Entitled answers q for one filing of one institution from what was recorded by
// q.Now (design §5, invariant 2): the filing and its scope must be in force today
// and on the day of the exam, and no decision in force may stand against it,
// neither now nor when the day of the exam began. For the exam counts what was
// recorded then: a suspension recorded later with an earlier date does not make
// the exam unlawful, it is a reason to review it.
//
// If an exit in force names q.Session as one that may finish, and its last day
// for that is not past, neither that exit nor dates of the filing and its scope
// that have since run out stand against it; suspensions, and exits that do not
// name it, do. A change of scope that took the occupation out and names q.Session
// likewise does not stand against it. A rectification stands against issuing only
// while it lasts and only if its decision says so; the day of the exam does not
// matter for it.
//
// Where the filing has run out, or has not begun, the filing in its line that
// covers today (see [Filing.InLine]) stands in for it with its own scope, sites
// and decisions. The exam must have been within the filing itself.
//
// decisions are those of the institution in the order of the log. Records made
// in the second of q.Now count; who replays the log must leave out those that
// stand behind the moment of the question.
func Entitled(inst Institution, filing Filing, decisions []Decision, q Question) Entitlement {
	e := Entitlement{}
	if filing.Institution != inst.ID || filing.ID == "" || filing.Recorded.After(q.Now) {
		e.against(ReasonNotFiledYet)
		return e
	}
	decisions = filing.standingUnder(decisions)
	today := standards.DateOf(q.Now)
	current := filing.InLine(q.Filed, today, q.Now)
	now := states(decisions, filing.part(q.part()), today, q.Now)
	if current.ID != filing.ID {
		for _, s := range states(decisions, current.part(q.part()), today, q.Now) {
			if !slices.ContainsFunc(now, func(o state) bool { return o.target == s.target }) {
				now = append(now, s)
			}
		}
	}
	e.weighDates(filing, current, q, today, finishes(now, q.Session, today))
	e.weighSite(filing, current, q, today)
	e.weighDecisions(now, q.Session, today)
	e.weighExam(filing, decisions, q)
	slices.SortStableFunc(e.Reasons, func(a, b Reason) int {
		return cmp.Compare(slices.Index(Reasons(), a), slices.Index(Reasons(), b))
	})
	e.Entitled = len(e.Reasons) == 0
	return e
}

func (q Question) part() Part {
	return Part{Occupation: q.Occupation, Trade: q.Trade, Level: q.Level}
}

// against adds a reason once, and the fact behind it if there is one.
func (e *Entitlement) against(r Reason, facts ...Fact) {
	if !slices.Contains(e.Reasons, r) {
		e.Reasons = append(e.Reasons, r)
	}
	for _, f := range facts {
		f.Reason = r
		e.Facts = append(e.Facts, f)
	}
}

// finishes reports whether an exit among the states lets the session finish.
func finishes(now []state, session string, today standards.Date) bool {
	return slices.ContainsFunc(now, func(s state) bool { return s.lets(session, today) })
}

// names reports whether an exit names the session as one that may finish.
func (s state) names(session string) bool {
	return session != "" && s.ended() && slices.Contains(s.by.FinishSessions, session)
}

func (s state) lets(session string, today standards.Date) bool {
	return s.names(session) && (s.by.FinishUntil == "" || today <= s.by.FinishUntil)
}

func (d Decision) fact() Fact {
	return Fact{Decision: d.ID, Document: d.Document, Effective: d.Effective, Until: d.Until, Recorded: d.Recorded}
}

func (f Filing) fact() Fact {
	return Fact{Filing: f.ID, Document: f.Document, Effective: f.From, Recorded: f.Recorded}
}

// weighDates compares the dates of the filing and its scope with the exam, and
// those of the filing that stands for it today (usually itself) with today.
// finishing forgives what has run out by today.
func (e *Entitlement) weighDates(f, current Filing, q Question, today standards.Date, finishing bool) {
	had := len(e.Reasons)
	switch {
	case today < current.From:
		e.against(ReasonNotFiledYet, f.fact())
	case today > current.Until && !finishing:
		e.against(ReasonFilingExpired, f.fact())
	}
	if q.ExamDate != "" && !f.Covers(q.ExamDate) {
		e.against(ReasonExamOutsideFiling, f.fact())
	}
	if _, missing := f.scope(q.Occupation, q.Trade, q.Level, q.Now); missing != "" {
		e.against(missing, f.fact())
		return
	}
	if current.Covers(today) && !current.covers(q.Occupation, q.Trade, q.Level, today, q.Now) && !finishing {
		fact := current.fact()
		c, out := current.takenOut(q.Occupation, q.Trade, q.Level, today, q.Now)
		if out {
			fact = c.fact(current)
		}
		if !out || q.Session == "" || !slices.Contains(c.FinishSessions, q.Session) {
			e.against(ReasonScopeNotInForce, fact)
		} else {
			e.Facts = append(e.Facts, fact)
		}
	}
	if exam := q.ExamDate; f.Covers(exam) && !f.covers(q.Occupation, q.Trade, q.Level, exam, knownAtExam(exam, q.Now)) {
		e.against(ReasonExamOutsideScope, f.fact())
	}
	if len(e.Reasons) == had {
		e.Facts = append(e.Facts, f.fact())
		if current.ID != f.ID {
			e.Facts = append(e.Facts, current.fact())
		}
	}
}

// weighSite asks whether the place of examination was open on the day of the
// exam, by what was known when that day began, and whether it is suspended now.
// A site that was closed since the exam does not stand against it.
func (e *Entitlement) weighSite(f, current Filing, q Question, today standards.Date) {
	for _, at := range []Filing{f, current} {
		if s := at.SiteOn(q.Site, today, q.Now); s.State == SiteSuspended {
			e.against(ReasonSiteSuspended, s.fact(at))
		}
		if f.ID == current.ID {
			break
		}
	}
	if q.ExamDate == "" {
		if s := current.SiteOn(q.Site, today, q.Now); s.State == SiteAbsent || s.State == SiteClosed {
			e.against(ReasonSiteNotOpen, s.fact(current))
		}
		return
	}
	switch s := f.SiteOn(q.Site, q.ExamDate, knownAtExam(q.ExamDate, q.Now)); s.State {
	case SiteSuspended:
		e.against(ReasonSiteSuspended, s.fact(f))
	case SiteAbsent, SiteClosed:
		e.against(ReasonSiteNotOpen, s.fact(f))
	}
}

// weighDecisions looks at what is in force now. Every decision that decided a
// state is a fact, those that lifted a suspension or let the session finish too.
func (e *Entitlement) weighDecisions(now []state, session string, today standards.Date) {
	for _, s := range now {
		status, by := s.status()
		if (s.standing == rectifying || s.standing == suspendedRectifying) && s.rectify.HoldsIssue {
			e.against(ReasonRectifying, s.rectify.fact())
		}
		switch {
		case status == Rectifying && s.rectify.HoldsIssue, by.ID == "":
		case status == Registered || status == Rectifying || s.lets(session, today):
			e.Facts = append(e.Facts, by.fact())
		case status == Suspended:
			e.against(ReasonSuspended, by.fact())
		case s.names(session):
			f := by.fact()
			f.Until = by.FinishUntil
			e.against(ReasonFinishOver, f)
		case status == Exited:
			e.against(ReasonExited, by.fact())
		case status == Removed:
			e.against(ReasonRemoved, by.fact())
		}
	}
}

// weighExam looks at what was in force when the day of the exam began, as far as
// it is known now if that day is still to come.
func (e *Entitlement) weighExam(f Filing, decisions []Decision, q Question) {
	if q.ExamDate == "" {
		return
	}
	known := q.ExamDate.Time()
	if known.After(q.Now) {
		known = q.Now
	}
	for _, s := range states(decisions, f.part(q.part()), q.ExamDate, known) {
		switch status, by := s.status(); {
		case status == Suspended:
			e.against(ReasonSuspendedAtExam, by.fact())
		case status.Ended():
			e.against(ReasonExitedAtExam, by.fact())
		}
	}
}
