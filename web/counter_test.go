package web

import (
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
)

func TestCounterOverHTTP(t *testing.T) {
	env := registrytest.New(t)
	cfg := env.Config()
	sample, err := cfg.Policies.Policy("sample-2026", 0)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Policies, err = policy.NewSet(cfg.Policies.Regions(), sample); err != nil {
		t.Fatal(err)
	}
	if env.Registry, err = registry.New(env.DB, cfg); err != nil {
		t.Fatal(err)
	}
	s := siteOf(t, env)
	one := s.MustCertificates(s.issuer, 0, 1)[0]
	p := invented.PersonAt(0)
	in := registry.OverviewRequest{Document: p.Document, Name: p.Name, Purpose: "本人到窗口咨询"}
	for as, status := range map[string]int{"": 401, "auditor": 403, "institution": 403, "authority": 403} {
		s.do(as, "POST", "/api/v1/claims/overview", in).want(status)
	}
	o := into[registry.ClaimOverview](s.do("payer", "POST", "/api/v1/claims/overview", in).want(200))
	if !o.Match || len(o.Certificates) != 1 || o.Certificates[0].Number != one.Number || len(o.Certificates[0].Funds) == 0 {
		t.Fatalf("%+v", o)
	}

	r := s.do("payer", "POST", "/api/v1/claims/notice", in).want(200)
	page := string(r.Body)
	if csp := r.Header.Get("Content-Security-Policy"); csp != noticePolicy || r.Header.Get("Cache-Control") != "no-store" || strings.Contains(page, "src=") || strings.Contains(page, "href=") {
		t.Errorf("%v", r.Header)
	}
	for _, want := range []string{"补贴申领一次性告知单", one.Number, "依据：", "请您说明", "参保状态", "下一步", "12333", "示例政策", "没有写明期限", o.Day.Chinese()} {
		if !strings.Contains(page, want) {
			t.Errorf("the notice does not say %q", want)
		}
	}
	for _, never := range []string{p.Name, p.Document, "下一步：", "来源、时间", "320583/", "&lt;", "ZgotmplZ"} {
		if strings.Contains(page, never) {
			t.Errorf("the notice has %q", never)
		}
	}
	in.Name = invented.PersonAt(1).Name
	s.do("payer", "POST", "/api/v1/claims/notice", in).problem(404, "no_match")
	in.Purpose = ""
	s.do("payer", "POST", "/api/v1/claims/notice", in).problem(400, "overview")

	a := into[registry.ClaimAnswer](s.do("payer", "POST", "/api/v1/claims", registry.ClaimRequest{Reference: "KS-1", Policy: "sample-2026", Certificate: one.Number, Document: p.Document, Name: p.Name,
		Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社保", At: s.Clock.Now(), Reference: "SB-1"}}}).want(200))
	for as, status := range map[string]int{"": 401, "institution": 403} {
		s.get(as, "/api/v1/claims/totals").want(status)
		s.get(as, "/api/v1/claims/patterns").want(status)
	}
	for _, as := range []string{"payer", "auditor", "authority"} {
		l := into[list[registry.ClaimTotal]](s.get(as, "/api/v1/claims/totals?year=2026&policy=sample-2026").want(200))
		if len(l.Items) != 1 || l.Items[0].Reserved != 1 || (l.Items[0].Payer != "") != (as == "payer") {
			t.Errorf("%s: %+v", as, l)
		}
	}
	if l := into[list[registry.ClaimPattern]](s.get("auditor", "/api/v1/claims/patterns?claims=2&from=2026-01-01").want(200)); len(l.Items) != 0 {
		t.Errorf("%+v", l)
	}
	s.get("auditor", "/api/v1/claims/patterns?claims=x").problem(400, "query")
	s.get("auditor", "/api/v1/claims/patterns?claims=1").problem(400, "query")
	if l := into[list[registry.ClaimView]](s.get("auditor", "/api/v1/claims?institution="+s.issuer.Institution.ID).want(200)); len(l.Items) != 1 || l.Items[0].ID != a.Claim.ID {
		t.Errorf("%+v", l)
	}
	s.get("payer", "/api/v1/claims?institution="+s.issuer.Institution.ID).want(403)
}
