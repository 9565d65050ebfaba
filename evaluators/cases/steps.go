package cases

import (
	"fmt"
	"slices"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

// StepKind is what is done to a case.
type StepKind string

// The steps. Opening is the first entry of every case and is not taken.
const (
	Opening       StepKind = "open"           // 立案
	Inquire       StepKind = "inquire"        // 核查
	Notify        StepKind = "notify"         // 拟处理告知
	Statement     StepKind = "statement"      // 陈述申辩
	Decide        StepKind = "decide"         // 决定
	Serve         StepKind = "serve"          // 送达
	Publish       StepKind = "publish"        // 公开
	Report        StepKind = "report"         // 整改报告
	Accept        StepKind = "accept"         // 整改验收或恢复
	RequestReview StepKind = "request_review" // 申请复核
	DecideReview  StepKind = "review"         // 复核决定
	Close         StepKind = "close"          // 结案
	Dismiss       StepKind = "dismiss"        // 查无实据，不予处理
)

// StepKinds lists every step that can be taken.
func StepKinds() []StepKind {
	return []StepKind{Inquire, Notify, Statement, Decide, Serve, Publish, Report, Accept, RequestReview, DecideReview, Close, Dismiss}
}

var stepWords = map[StepKind][2]string{
	Inquire: {"核查", "to inquire"}, Notify: {"拟处理告知", "to give notice"}, Statement: {"陈述申辩", "to record a statement"}, Decide: {"作出决定", "to decide"},
	Serve: {"送达", "to serve"}, Publish: {"公开", "to publish"}, Report: {"提交整改报告", "to report on the rectification"}, Accept: {"整改验收或恢复", "to accept"},
	RequestReview: {"申请复核", "to ask for a review"}, DecideReview: {"作出复核决定", "to decide the review"}, Close: {"结案", "to close"}, Dismiss: {"不予处理", "to dismiss"},
}

// Chinese returns the word officials use; empty for a step that does not exist.
func (k StepKind) Chinese() string { return stepWords[k][0] }

// English returns an English word; empty for a step that does not exist.
func (k StepKind) English() string { return stepWords[k][1] }

// OfParty reports whether the step is the party's own: its answer, its report,
// its wish for a review.
func (k StepKind) OfParty() bool { return k == Statement || k == Report || k == RequestReview }

// next is the state table of the package comment.
var next = map[State]map[StepKind]State{
	Lead:      {Inquire: Inquiry, Dismiss: Dismissed},
	Inquiry:   {Notify: Noticed, Decide: Decided, Dismiss: Dismissed},
	Noticed:   {Notify: Noticed, Statement: Heard, Decide: Decided, Dismiss: Dismissed},
	Heard:     {Notify: Noticed, Statement: Heard, Decide: Decided, Dismiss: Dismissed},
	Decided:   {Serve: Served},
	Served:    {Publish: Published, Report: Served, Accept: Settled, RequestReview: Reviewing, Close: Closed},
	Published: {Report: Published, Accept: Settled, RequestReview: Reviewing, Close: Closed},
	Settled:   {Publish: Settled, RequestReview: Reviewing, Close: Closed},
	Reviewing: {Publish: Reviewing, Report: Reviewing, DecideReview: Reviewed},
	Reviewed:  {Publish: Reviewed, Report: Reviewed, Accept: Settled, Close: Closed},
}

// A Step is what is done to a case, with what that needs:
//
//	inquire         text
//	notify          document, basis, reason, measures; on: served; text
//	statement       text; on: received
//	decide          document, basis, measures; reason
//	serve           on: served
//	publish         reason
//	report          text
//	accept          passed, document, basis; reason; due when not passed
//	request_review  text; on: received
//	review          outcome, document, basis; reason
//	close           text
//	dismiss         text
type Step struct {
	Kind     StepKind       `json:"step"`
	On       standards.Date `json:"on,omitempty"` // today when empty, never to come
	Text     string         `json:"text,omitempty"`
	Document string         `json:"document,omitempty"`
	Basis    string         `json:"basis,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Measures []Measure      `json:"measures,omitempty"`
	Passed   *bool          `json:"passed,omitempty"`
	Due      standards.Date `json:"due,omitempty"`
	Outcome  Outcome        `json:"outcome,omitempty"`
}

// Limits of a case.
const (
	MaxSteps    = 200
	MaxMeasures = 10
)

// Take returns the case with a step that an account takes at now. r are the rules
// of the day the case was opened.
//
// Errors: Invalid step_invalid with a field for everything wrong; Conflict
// case_state (the table does not allow it), case_too_long,
// statement_period_running, notice_needed, not_announced, nothing_to_publish,
// already_published, nothing_to_settle, review_period_over, already_reviewed,
// second_person_needed, review_period_running, not_published, not_settled.
func (c Case) Take(in Step, r Rules, cal standards.Calendar, by string, now time.Time) (Case, error) {
	today := standards.DateOf(now)
	if in.Kind.Chinese() == "" {
		return c, refuse("step_invalid", "步骤有误", "the step is not right", []fail.Field{wrong("step", "step",
			fmt.Sprintf("没有 %q 这个步骤", in.Kind), fmt.Sprintf("there is no step %q", in.Kind))})
	}
	to, ok := next[c.State][in.Kind]
	if !ok {
		return c, fail.New(fail.Conflict, "case_state", "case %s is %s: it is not the time %s", c.ID, c.State.English(), in.Kind.English()).
			In("案件 %s 目前为“%s”，不能%s", c.ID, c.State.Chinese(), in.Kind.Chinese())
	}
	if len(c.Steps) >= MaxSteps {
		return c, fail.New(fail.Conflict, "case_too_long", "case %s has %d steps; open another one", c.ID, MaxSteps).In("案件 %s 已有 %d 个步骤，请另立案", c.ID, MaxSteps)
	}
	in = c.filled(in, today)
	if err := refuse("step_invalid", "该步骤的内容有误", "the step is not complete or has what does not belong to it", c.problems(in, r, today)); err != nil {
		return c, err
	}
	out := c
	out.State = to
	out.Steps = append(slices.Clone(c.Steps), Entry{Kind: in.Kind, At: now.UTC(), By: by, On: in.On, Text: in.Text != ""})
	if err := out.apply(in, r, cal, by, today); err != nil {
		return c, err
	}
	if in.Kind == Accept && !*in.Passed {
		out.State = c.State
	}
	return out, nil
}

// filled puts in what a step may leave out: its day, and the subject as the
// target of its measures.
func (c Case) filled(in Step, today standards.Date) Step {
	if in.On == "" {
		in.On = today
	}
	in.Measures = slices.Clone(in.Measures)
	for i := range in.Measures {
		if in.Measures[i].Target == nil {
			in.Measures[i].Target = c.Subject.Target
		}
	}
	return in
}

// apply is what a step does, once its form is right and the table allows it.
func (c *Case) apply(in Step, r Rules, cal standards.Calendar, by string, today standards.Date) error {
	switch in.Kind {
	case Notify:
		c.Notice = &Notice{Document: in.Document, Basis: in.Basis, Reason: in.Reason, Measures: in.Measures, Served: in.On,
			StatementUntil: r.Statement.Last(in.On, cal)}
	case Decide:
		return c.decide(in, r, cal, by, today)
	case Serve:
		c.Service = &Service{On: in.On, ReviewUntil: r.Review.Last(in.On, cal)}
	case Publish:
		return c.publish(in, today)
	case Report:
		return c.mustHaveToSettle("没有需要整改或恢复的措施，无需提交整改报告", "there is no measure to report on")
	case Accept:
		if err := c.mustHaveToSettle("没有需要验收或恢复的措施", "there is no measure to accept or to lift"); err != nil {
			return err
		}
		c.Checks = append(slices.Clone(c.Checks), Check{On: today, Passed: *in.Passed, Document: in.Document, Basis: in.Basis, Reason: in.Reason, Due: in.Due})
	case RequestReview:
		return c.requestReview(in)
	case DecideReview:
		if r.SecondReviewer && by == c.Ruling.By {
			return fail.New(fail.Conflict, "second_person_needed", "a review is decided by another account than the decision").In("复核应由作出原决定者以外的账号决定")
		}
		review := *c.Review
		review.Outcome, review.On, review.Document, review.Basis, review.Reason = in.Outcome, today, in.Document, in.Basis, in.Reason
		c.Review = &review
	case Close:
		return c.mayClose(today)
	}
	return nil
}

func (c *Case) decide(in Step, r Rules, cal standards.Calendar, by string, today standards.Date) error {
	public := false
	for _, m := range in.Measures {
		rule := r.Of(m.Kind)
		public = public || rule.Publish
		if !rule.Notice {
			continue
		}
		if err := c.mayDecide(m, today); err != nil {
			return err
		}
	}
	c.Ruling = &Ruling{Document: in.Document, Basis: in.Basis, Reason: in.Reason, Measures: in.Measures, On: today, By: by}
	if public && c.Subject.Person == "" {
		c.Ruling.PublishDue = r.Publish.Last(today, cal)
	}
	return nil
}

// mayDecide refuses a measure that needs a notice before the party was heard or
// has let its days pass, and one that goes beyond what was announced.
func (c Case) mayDecide(m Measure, today standards.Date) error {
	if c.Notice == nil {
		return fail.New(fail.Conflict, "notice_needed", "%s needs a notice to the party first, with time to answer", m.Kind.English()).
			In("%s须先向当事人作拟处理告知，听取陈述申辩", m.Kind.Chinese())
	}
	if !c.heard() && today <= c.Notice.StatementUntil {
		return fail.New(fail.Conflict, "statement_period_running", "the party may answer the notice to the end of %s and has not; decide when it has, or from %s",
			c.Notice.StatementUntil, c.Notice.StatementUntil.AddDays(1)).
			In("当事人可在%s前（含当日）陈述申辩，尚未收到；请于收到后或%s起再作决定", c.Notice.StatementUntil.Chinese(), c.Notice.StatementUntil.AddDays(1).Chinese())
	}
	if !slices.ContainsFunc(c.Notice.Measures, m.announcedBy) {
		return fail.New(fail.Conflict, "not_announced", "%s as decided goes beyond what notice %s announced; give notice anew", m.Kind.English(), c.Notice.Document).
			In("拟作出的%s超出告知书（%s）载明的范围，请重新告知", m.Kind.Chinese(), c.Notice.Document)
	}
	return nil
}

// heard reports whether an answer came to the notice that counts, the last one.
func (c Case) heard() bool {
	for _, e := range slices.Backward(c.Steps) {
		switch e.Kind {
		case Statement:
			return true
		case Notify:
			return false
		}
	}
	return false
}

// announcedBy reports whether m is what was announced, or less.
func (m Measure) announcedBy(a Measure) bool {
	switch {
	case m.Kind != a.Kind:
		return false
	case a.Until != "" && (m.Until == "" || m.Until > a.Until):
		return false
	case m.Target == nil || a.Target == nil:
		return m.Target == a.Target
	}
	return a.Target.Covers(*m.Target)
}

func (c *Case) publish(in Step, today standards.Date) error {
	switch {
	case c.Ruling.PublishDue == "":
		return fail.New(fail.Conflict, "nothing_to_publish", "no measure of case %s is made public: by its rules, or because it concerns a person", c.ID).
			In("案件 %s 的措施按规则不公开，或涉及个人", c.ID)
	case c.Publication != nil:
		return fail.New(fail.Conflict, "already_published", "case %s has been public since %s", c.ID, c.Publication.On).
			In("案件 %s 已于%s公开", c.ID, c.Publication.On.Chinese())
	}
	c.Publication = &Publication{On: today, Late: today > c.Ruling.PublishDue, Reason: in.Reason}
	return nil
}

func (c Case) mustHaveToSettle(zh, en string) error {
	if !c.Revoked() && slices.ContainsFunc(c.Ruling.Measures, func(m Measure) bool { return m.Kind == evaluators.Rectify || m.Kind == evaluators.Suspend }) {
		return nil
	}
	return fail.New(fail.Conflict, "nothing_to_settle", "case %s: %s", c.ID, en).In("案件 %s %s", c.ID, zh)
}

func (c *Case) requestReview(in Step) error {
	switch {
	case c.Review != nil:
		return fail.New(fail.Conflict, "already_reviewed", "the decision in case %s has been reviewed on %s", c.ID, c.Review.On).In("案件 %s 的决定已于%s复核", c.ID, c.Review.On.Chinese())
	case in.On > c.Service.ReviewUntil:
		return fail.New(fail.Conflict, "review_period_over", "a review could be asked for to %s", c.Service.ReviewUntil).In("申请复核的期限已于%s届满", c.Service.ReviewUntil.Chinese())
	}
	c.Review = &Review{Requested: in.On}
	return nil
}

// mayClose: the days for a review are over or it is decided, what has to be
// public is, and what has to be put right was.
func (c Case) mayClose(today standards.Date) error {
	open := func(m Measure) bool {
		return m.Kind == evaluators.Rectify || m.Kind == evaluators.Suspend && m.Until == ""
	}
	switch {
	case c.Review == nil && today <= c.Service.ReviewUntil:
		return fail.New(fail.Conflict, "review_period_running", "a review can be asked for to the end of %s; close from the day after", c.Service.ReviewUntil).
			In("当事人可在%s前（含当日）申请复核，请于次日起结案", c.Service.ReviewUntil.Chinese())
	case c.Ruling.PublishDue != "" && c.Publication == nil && !c.Revoked():
		return fail.New(fail.Conflict, "not_published", "the decision has to be public first; it was due on %s", c.Ruling.PublishDue).
			In("决定尚未公开（应于%s前公开），请先公开", c.Ruling.PublishDue.Chinese())
	case !c.Revoked() && !c.passed() && slices.ContainsFunc(c.Ruling.Measures, open):
		return fail.New(fail.Conflict, "not_settled", "the rectification or suspension has not been accepted or lifted").In("整改尚未验收合格或暂停尚未恢复，不能结案")
	}
	return nil
}

func (c Case) passed() bool {
	return slices.ContainsFunc(c.Checks, func(k Check) bool { return k.Passed })
}

// Lifting returns the measures that undo what was decided: after an acceptance
// the end of a rectification or suspension; after a review that revoked the
// decision that of a blacklisting too. An exit is not undone by a decision: an
// institution that has left comes back by a new filing.
func (c Case) Lifting(k StepKind) (out []Measure) {
	if c.Ruling == nil || k != Accept && k != DecideReview {
		return nil
	}
	if k == Accept && (len(c.Checks) == 0 || !c.Checks[len(c.Checks)-1].Passed) || k == DecideReview && !c.Revoked() {
		return nil
	}
	for _, m := range c.Ruling.Measures {
		switch {
		case m.Kind == evaluators.Rectify:
			out = append(out, Measure{Kind: evaluators.Accept, Target: m.Target})
		case m.Kind == evaluators.Suspend:
			out = append(out, Measure{Kind: evaluators.Resume, Target: m.Target})
		case m.Kind == evaluators.Blacklist && k == DecideReview:
			out = append(out, Measure{Kind: evaluators.Unlist, Target: m.Target})
		}
	}
	return out
}

// Hindrance returns the measure of a case about a person that keeps them from
// examining on a date: a suspension or blacklisting that runs, or a removal; and
// whether there is one. Cases about institutions have none.
func (c Case) Hindrance(on standards.Date) (Measure, bool) {
	if c.Subject.Person == "" || c.Ruling == nil || c.Revoked() {
		return Measure{}, false
	}
	for _, m := range c.Ruling.Measures {
		if on < m.Effective || m.Until != "" && on > m.Until {
			continue
		}
		if m.Kind == evaluators.Suspend && !c.passed() || m.Kind == evaluators.Blacklist || m.Kind == evaluators.ExitOrdered {
			return m, true
		}
	}
	return Measure{}, false
}
