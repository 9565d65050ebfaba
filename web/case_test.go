package web

import (
	"bytes"
	"testing"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/registry"
	"bajigong/standards"
)

// A removal over HTTP: the case, the institution's answer, the public list.
func TestCasesOverHTTP(t *testing.T) {
	s := newSite(t)
	inst := s.issuer.Institution.ID
	today := standards.DateOf(s.Clock.Now())
	target := evaluators.Target{Institution: inst}

	s.do("authority", "POST", "/api/v1/decisions", newDecision{Institution: inst, Kind: "exit_ordered", Effective: today, Document: "x", Basis: "x"}).problem(409, "case_needed")
	s.do("institution", "POST", "/api/v1/cases", registry.NewCase{Subject: cases.Subject{Target: &target}, Origin: cases.Origin{Kind: cases.FromReport}, Text: "x"}).want(403)
	lead := registry.NewCase{Subject: cases.Subject{Target: &target}, Origin: cases.Origin{Kind: cases.FromReport}, Text: "举报"}
	c := into[registry.CaseView](s.do("authority", "POST", "/api/v1/cases", lead, "Idempotency-Key", "k").want(201))
	if again := into[registry.CaseView](s.do("authority", "POST", "/api/v1/cases", lead, "Idempotency-Key", "k").want(201)); again.ID != c.ID {
		t.Errorf("%s and %s", again.ID, c.ID)
	}
	at := "/api/v1/cases/" + c.ID
	steps := at + "/steps"
	s.do("institution", "GET", at, nil).want(404)
	s.do("authority", "POST", steps, cases.Step{Kind: cases.Inquire}).want(200)
	ms := []cases.Measure{{Kind: evaluators.ExitOrdered, Effective: today}}
	s.do("authority", "POST", steps, cases.Step{Kind: cases.Notify, Document: "告〔2026〕1号", Basis: "办法第二十条", Reason: "出售试题", Measures: ms}).want(200)
	decide := cases.Step{Kind: cases.Decide, Document: "决〔2026〕1号", Basis: "办法第二十条", Reason: "出售试题", Measures: ms}
	s.do("authority", "POST", steps, decide).problem(409, "statement_period_running")
	s.do("authority", "POST", steps, `{"step":"fly"}`).problem(400, "step_invalid")
	s.do("authority", "POST", steps, `{"step":"close","rows":[]}`).want(400)
	s.do("payer", "GET", at, nil).want(403)
	s.do("institution", "POST", steps, cases.Step{Kind: cases.Statement, Text: "不属实"}).want(200)
	own := into[list[registry.CaseView]](s.do("institution", "GET", "/api/v1/cases", nil).want(200))
	if len(own.Items) != 1 || own.Items[0].State != cases.Heard || own.Items[0].Origin.Kind != "" {
		t.Errorf("%+v", own.Items)
	}
	if found := into[list[registry.CaseView]](s.do("authority", "GET", "/api/v1/cases?state=heard&region=320583", nil).want(200)); len(found.Items) != 1 {
		t.Errorf("%+v", found)
	}
	s.do("authority", "GET", "/api/v1/cases?region=330000", nil).want(403)
	s.do("authority", "GET", "/api/v1/cases?state=x", nil).want(400)
	s.do("authority", "POST", steps, decide).want(200)
	s.do("authority", "POST", steps, cases.Step{Kind: cases.Serve}).want(200)
	if empty := into[list[registry.PublishedDecision]](s.get("", "/api/v1/decisions").want(200)); len(empty.Items) != 0 {
		t.Errorf("%+v", empty)
	}
	s.do("authority", "POST", steps, cases.Step{Kind: cases.Publish}).want(200)
	reply := s.get("", "/api/v1/decisions")
	public := into[list[registry.PublishedDecision]](reply.want(200))
	if len(public.Items) != 1 || public.Items[0].Institution != inst || public.Items[0].Document != decide.Document || public.Items[0].Reason != "出售试题" {
		t.Errorf("%+v", public.Items)
	}
	for _, private := range []string{"举报", "不属实", "a-", c.ID} {
		if bytes.Contains(reply.Body, []byte(private)) {
			t.Errorf("the public list has %q in it", private)
		}
	}
}

// A part, a period and a limit for sessions come through the API as they are.
func TestDecisionOnAPartOverHTTP(t *testing.T) {
	s := newSite(t)
	today := standards.DateOf(s.Clock.Now())
	in := newDecision{Institution: s.issuer.Institution.ID, Site: s.issuer.Filing.Site, Occupation: "6-31-01-03", Levels: standards.LevelsOf(standards.Senior), Kind: "suspend",
		Effective: today, Until: today.AddDays(30), Document: "x", Basis: "x"}
	d := into[evaluators.Decision](s.do("authority", "POST", "/api/v1/decisions", in).want(201))
	if d.Province != "32" || d.Site != in.Site || d.Levels != in.Levels || d.Until != in.Until {
		t.Errorf("%+v", d)
	}
	in.Until = today.AddDays(-1)
	if p := s.do("authority", "POST", "/api/v1/decisions", in).problem(400, "decision_invalid"); len(p.Fields) != 1 || p.Fields[0].Name != "until" {
		t.Errorf("%+v", p.Fields)
	}
	exit := newDecision{Institution: s.issuer.Institution.ID, Kind: "exit_voluntary", Effective: today, Basis: "x", FinishSessions: []string{"s-1"}, FinishUntil: today.AddDays(10)}
	if d := into[evaluators.Decision](s.do("authority", "POST", "/api/v1/decisions", exit).want(201)); d.FinishUntil != exit.FinishUntil {
		t.Errorf("%+v", d)
	}
}
