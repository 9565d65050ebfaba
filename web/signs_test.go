package web

import (
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/signs"
	"bajigong/registry"
	"bajigong/standards"
)

// TestReviewsOverHTTP: 1,000 certificates at once by a new institution open a
// review, which the authority conducts and nobody else sees.
func TestReviewsOverHTTP(t *testing.T) {
	s := newSite(t)
	s.MustCertificates(s.issuer, 2000, 3000)
	for key, status := range map[string]int{"institution": 403, "payer": 403, "": 401} {
		s.do(key, "GET", "/api/v1/reviews", nil).want(status)
	}
	if n := len(into[list[reviewView]](s.do("auditor", "GET", "/api/v1/reviews", nil).want(200)).Items); n != 1 {
		t.Errorf("the auditor sees %d reviews", n)
	}
	found := into[list[reviewView]](s.do("authority", "GET", "/api/v1/reviews?state=open&sign=velocity&institution="+s.issuer.Institution.ID, nil).want(200))
	if len(found.Items) != 1 || found.Items[0].SignZH != "备案后短期集中发证" || found.Items[0].SignEN == "" || found.Items[0].Findings[0].ZH == "" {
		t.Fatalf("reviews %+v", found)
	}
	at := "/api/v1/reviews/" + found.Items[0].ID
	s.do("authority", "GET", "/api/v1/reviews?state=perhaps", nil).problem(400, "review_filter")
	s.do("authority", "POST", at+"/dismissal", dismissal{Reason: "理由"}).problem(409, "review_state")
	s.do("auditor", "POST", at+"/look", nil).problem(403, "not_allowed")
	s.do("authority", "POST", at+"/look", nil).want(200)
	s.do("authority", "POST", at+"/dismissal", dismissal{}).problem(400, "review")
	s.do("authority", "POST", at+"/case", takeUp{Case: "case-none"}).want(404)
	c := s.MustOpenCase(evaluators.Target{Institution: s.issuer.Institution.ID})
	if v := into[reviewView](s.do("authority", "POST", at+"/case", takeUp{Case: c.ID}).want(200)); v.State != signs.ReviewCase || len(v.Steps) != 2 || v.Steps[1].Case != c.ID {
		t.Errorf("taken up %+v", v)
	}
	if v := into[reviewView](s.do("authority", "GET", at, nil).want(200)); v.State != signs.ReviewCase {
		t.Errorf("review %+v", v)
	}
	if r := into[signs.Rules](s.do("authority", "GET", "/api/v1/signs/rules", nil).want(200)); r.Velocity == nil || r.Sample == "" {
		t.Errorf("rules %+v", r)
	}
}

// TestDrawOverHTTP: 双随机、一公开 by those who take part in it.
func TestDrawOverHTTP(t *testing.T) {
	s := newSite(t)
	s.MustPlan(s.issuer)
	exam := standards.DateOf(s.Clock.Now()).AddDays(1)
	in := registry.NewDraw{Name: "2026年第一次抽查", From: exam, Until: exam, Wanted: 1, Each: 1, Inspectors: []signs.Inspector{{ID: "R32260001"}}}
	s.do("institution", "POST", "/api/v1/draws", in).problem(403, "not_allowed")
	d := into[registry.Draw](s.do("authority", "POST", "/api/v1/draws", in, "Idempotency-Key", "draw-1").want(201))
	if again := into[registry.Draw](s.do("authority", "POST", "/api/v1/draws", in, "Idempotency-Key", "draw-1").want(201)); again.ID != d.ID {
		t.Errorf("announced twice: %s and %s", d.ID, again.ID)
	}
	at := "/api/v1/draws/" + d.ID
	s.do("", "GET", at+"/proof", nil).problem(404, "not_found")
	d = into[registry.Draw](s.do("authority", "POST", at+"/seed", publicSeed{}).want(200))
	one := at + "/inspections/" + d.Drawn[0].Session
	s.do("institution", "GET", one, nil).problem(403, "not_allowed")
	s.do("institution", "GET", "/api/v1/institutions/"+s.issuer.Institution.ID+"/inspections", nil).want(200)
	s.do("authority", "POST", one+"/result", signs.Finding{Held: exam, Outcome: signs.OutcomeSound}).problem(400, "inspection") // tomorrow
	s.Clock.Add(24 * time.Hour)
	s.do("authority", "POST", one+"/result", signs.Finding{Held: exam, Outcome: signs.OutcomeFound, Findings: strings.Repeat("长", 900)}).want(200)
	s.do("authority", "POST", one+"/publication", nil).problem(409, "answer_pending")
	s.do("institution", "POST", one+"/answer", inspectionAnswer{Answer: "已整改"}).want(200)
	s.do("authority", "POST", one+"/publication", nil).want(200)
	results := into[list[registry.PublishedInspection]](s.do("", "GET", "/api/v1/inspections/published", nil).want(200))
	if len(results.Items) != 1 || results.Items[0].Answer != "已整改" || results.Items[0].InstitutionName == "" {
		t.Errorf("published %+v", results)
	}
	p := into[registry.DrawProof](s.do("", "GET", at+"/proof", nil).want(200))
	if p.Draw.State != signs.DrawPublished || p.Draw.By != "" || signs.PopulationHash(p.Sessions) != p.Draw.Hash {
		t.Errorf("proof %+v", p)
	}
	s.do("authority", "GET", "/api/v1/draws", nil).want(200)
	s.do("authority", "GET", at+"/inspections", nil).want(200)
	s.do("auditor", "GET", one, nil).want(200)
}
