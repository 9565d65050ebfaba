package registry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func newNorm(f string, pass float64) registry.NewNorm {
	return registry.NewNorm{Filing: f, Name: "电工评价规范", Occupation: "6-31-01-03", Document: "厂技〔2026〕1号", From: "2026-03-02",
		Parts: map[standards.Level][]standards.Part{standards.Senior: {{Kind: standards.Skill, Name: "实操", Pass: pass}}}}
}

func plan(f, norm string, level standards.Level, exam standards.Date) registry.NewSession {
	return registry.NewSession{Name: "规范批次", Filing: f, Occupation: "6-31-01-03", Level: level, ExamDate: exam, Norm: norm}
}

// A norm filed by the employer counts once accepted; the session goes by its parts
// and pass marks, and keeps its version when another follows and it is withdrawn.
func TestSessionByNorm(t *testing.T) {
	ctx := context.Background()
	e := registrytest.New(t)
	by := e.MustEmploy(1)
	n, err := e.FileNorm(ctx, by.Actor, newNorm(by.Filing.ID, 80))
	if err != nil || n.State != standards.NormFiled || n.Version != 1 {
		t.Fatalf("%+v %v", n, err)
	}
	if _, err := e.PlanSession(ctx, by.Actor, plan(by.Filing.ID, n.ID, standards.Senior, "2026-03-03")); fail.CodeOf(err) != "norm_not_for_session" {
		t.Errorf("planned by a norm that waits: %v", err)
	}
	if _, err := e.DecideNorm(ctx, by.Actor, n.ID, standards.NormDecision{Step: standards.NormAccept}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("accepted by the institution itself: %v", err)
	}
	if n, err = e.DecideNorm(ctx, e.Authority, n.ID, standards.NormDecision{Step: standards.NormAccept}); err != nil || n.Accepted == nil {
		t.Fatalf("%+v %v", n, err)
	}
	if _, err := e.PlanSession(ctx, by.Actor, plan(by.Filing.ID, n.ID, standards.Technician, "2026-03-03")); fail.CodeOf(err) != "norm_not_for_session" {
		t.Errorf("planned for a level without parts: %v", err)
	}
	s, err := e.PlanSession(ctx, by.Actor, plan(by.Filing.ID, n.ID, standards.Senior, "2026-03-03"))
	if err != nil || s.Norm != n.ID || s.Standard != "电工评价规范（厂技〔2026〕1号，第 1 版）" {
		t.Fatalf("%+v %v", s, err)
	}

	// A second version with a lower mark, and the first withdrawn: the session stays.
	next := newNorm(by.Filing.ID, 50)
	next.Replaces = n.ID
	second, err := e.FileNorm(ctx, e.Authority, next)
	if err != nil || second.Version != 2 || second.Series != n.ID || second.State != standards.NormAccepted {
		t.Fatalf("%+v %v", second, err)
	}
	if _, err := e.FileNorm(ctx, by.Actor, next); fail.CodeOf(err) != "norm_version" {
		t.Errorf("a second version twice: %v", err)
	}
	if _, err := e.DecideNorm(ctx, by.Actor, n.ID, standards.NormDecision{Step: standards.NormWithdraw, Reason: "已有新版"}); err != nil {
		t.Error(err)
	}
	if _, err := e.PlanSession(ctx, by.Actor, plan(by.Filing.ID, n.ID, standards.Senior, "2026-03-03")); fail.CodeOf(err) != "norm_not_for_session" {
		t.Errorf("planned by a withdrawn norm: %v", err)
	}

	// The norm has no theory: a score there is a mistake, and the mark is 80.
	a, b := invented.PersonAt(1), invented.PersonAt(2)
	e.MustEnter(by, s, 1, 2)
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	theory := "姓名,证件号码,理论成绩,技能成绩\n" + a.Name + "," + a.Document + ",90,90\n"
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(theory)}); fail.CodeOf(err) != "results_rows" {
		t.Errorf("a theory score: %v", err)
	}
	s = e.MustPublicise(by, s, "姓名,证件号码,理论成绩,技能成绩\n"+a.Name+","+a.Document+",,80\n"+b.Name+","+b.Document+",,79\n")
	if s.Results.Passed != 1 {
		t.Errorf("%d passed, want the one at 80", s.Results.Passed)
	}
	if got := e.MustIssue(by, s.ID); len(got) != 1 || got[0].Row != 2 {
		t.Errorf("issued %+v", got)
	}

	all, _, err := e.Norms(ctx, by.Actor, by.Institution.ID, registry.Page{})
	if err != nil || len(all) != 2 {
		t.Errorf("%d norms %v", len(all), err)
	}
	if got, err := e.NormByID(ctx, by.Actor, n.ID); err != nil || got.State != standards.NormWithdrawn {
		t.Errorf("%+v %v", got, err)
	}
}

// Who may have and see a norm, and what it may be for.
func TestNormRefused(t *testing.T) {
	ctx := context.Background()
	e := registrytest.New(t)
	social, employer := e.MustAdmit(1), e.MustEmploy(2)
	other := registry.Actor{Account: "a-x", Organisation: "i-x", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583"}
	elsewhere := registry.Actor{Account: "a-zj", Roles: []registry.Role{registry.RoleAuthority}, Region: "330000"}
	with := func(change func(*registry.NewNorm)) registry.NewNorm {
		n := newNorm(employer.Filing.ID, 60)
		change(&n)
		return n
	}
	for name, c := range map[string]struct {
		by   registry.Actor
		in   registry.NewNorm
		code string
	}{
		"class S":                 {social.Actor, newNorm(social.Filing.ID, 60), "norm_class"},
		"another institution":     {other, newNorm(employer.Filing.ID, 60), "not_allowed"},
		"another authority":       {elsewhere, newNorm(employer.Filing.ID, 60), "not_allowed"},
		"nobody":                  {registry.Actor{}, newNorm(employer.Filing.ID, 60), "key_required"},
		"no such filing":          {e.Authority, with(func(n *registry.NewNorm) { n.Filing = "f-none" }), "not_found"},
		"outside the scope":       {employer.Actor, with(func(n *registry.NewNorm) { n.Occupation = "4-03-02-01" }), "not_entitled"},
		"a mark above 100":        {employer.Actor, newNorm(employer.Filing.ID, 101), "norm_invalid"},
		"an identity number":      {employer.Actor, with(func(n *registry.NewNorm) { n.Conditions = "除 " + invented.PersonAt(1).Document + " 外" }), "norm_invalid"},
		"replaces what is not":    {employer.Actor, with(func(n *registry.NewNorm) { n.Replaces = "n-none" }), "not_found"},
		"a trade not in the list": {employer.Actor, with(func(n *registry.NewNorm) { n.Trade = "不存在的工种" }), "trade_unknown"},
	} {
		if got, err := e.FileNorm(ctx, c.by, c.in); fail.CodeOf(err) != c.code || got.ID != "" {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	n, err := e.FileNorm(ctx, e.Authority, newNorm(employer.Filing.ID, 60))
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []registry.Actor{other, elsewhere, {}} {
		if got, err := e.NormByID(ctx, by, n.ID); err == nil || got.ID != "" {
			t.Errorf("%s sees the norm", by.Account)
		}
		if _, _, err := e.Norms(ctx, by, employer.Institution.ID, registry.Page{}); err == nil {
			t.Errorf("%s lists the norms", by.Account)
		}
		if _, err := e.DecideNorm(ctx, by, n.ID, standards.NormDecision{Step: standards.NormWithdraw, Reason: "x"}); err == nil {
			t.Errorf("%s withdraws the norm", by.Account)
		}
	}
	// Another institution cannot plan by it, nor learn that it is there.
	if _, err := e.PlanSession(ctx, social.Actor, plan(social.Filing.ID, n.ID, standards.Senior, "2026-03-03")); fail.CodeOf(err) != "not_found" {
		t.Errorf("another institution's norm: %v", err)
	}
	if _, err := e.PlanSession(ctx, employer.Actor, plan(employer.Filing.ID, "", standards.Senior, "2026-03-03")); err != nil {
		t.Errorf("an employer by the national standard: %v", err)
	}
	// Suspended, it cannot file.
	if _, err := e.RecordDecision(ctx, e.Authority, evaluators.Decision{Target: evaluators.Target{Institution: employer.Institution.ID}, Kind: evaluators.Suspend,
		Effective: "2026-03-02", Document: "昆人社决〔2026〕1号", Basis: "示例"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.FileNorm(ctx, employer.Actor, newNorm(employer.Filing.ID, 60)); fail.CodeOf(err) != "not_entitled" {
		t.Errorf("filed while suspended: %v", err)
	}
}

// The same request again answers the same norm.
func TestFileNormAgain(t *testing.T) {
	ctx := context.Background()
	e := registrytest.New(t)
	by := e.MustEmploy(1)
	by.Idempotency = registry.Idempotency{Route: "POST /api/v1/norms", Key: "k-1", Body: []byte("body")}
	first, err := e.FileNorm(ctx, by.Actor, newNorm(by.Filing.ID, 60))
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.FileNorm(ctx, by.Actor, newNorm(by.Filing.ID, 60))
	if err != nil || again.ID != first.ID {
		t.Errorf("%s and %s: %v", first.ID, again.ID, err)
	}
	all, _, err := e.Norms(ctx, by.Actor, by.Institution.ID, registry.Page{})
	if err != nil || len(all) != 1 {
		t.Errorf("%d norms %v", len(all), err)
	}
}
