package registrytest

import (
	"context"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/registry"
	"bajigong/standards"
)

// Measure is a measure on a target from today; a rectification is due in 30 days,
// a blacklisting lasts 365.
func (e *Env) Measure(k evaluators.Kind, target evaluators.Target) cases.Measure {
	today := standards.DateOf(e.Clock.Now())
	m := cases.Measure{Kind: k, Target: &target, Effective: today}
	switch k {
	case evaluators.Rectify:
		m.Due = today.AddDays(30)
	case evaluators.Blacklist:
		m.Until = today.AddDays(364)
	}
	return m
}

// MustOpenCase opens a case on a target.
func (e *Env) MustOpenCase(target evaluators.Target) registry.CaseView {
	e.T.Helper()
	c, err := e.OpenCase(context.Background(), e.Authority, registry.NewCase{Subject: cases.Subject{Target: &target},
		Origin: cases.Origin{Kind: cases.FromReport}, Text: "群众举报：考场无录像"})
	if err != nil {
		e.T.Fatalf("open case: %v", err)
	}
	return c
}

// MustStep takes a step of a case.
func (e *Env) MustStep(by registry.Actor, id string, s cases.Step) registry.CaseView {
	e.T.Helper()
	c, err := e.AdvanceCase(context.Background(), by, id, s)
	if err != nil {
		e.T.Fatalf("%s: %v", s.Kind, err)
	}
	return c
}

// MustDecideInCase takes measures the whole way: lead, inquiry, notice, the
// party's statement, decision, all at the present time.
func (e *Env) MustDecideInCase(target evaluators.Target, ms ...cases.Measure) registry.CaseView {
	e.T.Helper()
	c := e.MustOpenCase(target)
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Inquire, Text: "已调取资料"})
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Notify, Document: "苏人社告〔2026〕1号", Basis: "示例办法第二十条", Reason: "考试现场无录像", Measures: ms})
	e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Statement, Text: "当事人陈述：无异议"})
	return e.MustStep(e.Authority, c.ID, cases.Step{Kind: cases.Decide, Document: "苏人社决〔2026〕2号", Basis: "示例办法第二十条", Reason: "考试现场无录像", Measures: ms})
}

// MustRemove removes an institution from the directory by a case.
func (e *Env) MustRemove(institution string) registry.CaseView {
	e.T.Helper()
	t := evaluators.Target{Institution: institution}
	return e.MustDecideInCase(t, e.Measure(evaluators.ExitOrdered, t))
}
