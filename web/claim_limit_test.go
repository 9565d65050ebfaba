package web

import (
	"strconv"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
)

func TestAccountQuotaFillsAgain(t *testing.T) {
	var q accountQuota
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	for i := range 60 {
		if _, ok := q.take("a", countQuestions, 1, 60, at); !ok {
			t.Fatalf("question %d", i)
		}
	}
	if wait, ok := q.take("a", countQuestions, 1, 60, at); ok || wait != 60 {
		t.Errorf("one more: wait %d, %t", wait, ok)
	}
	if _, ok := q.take("b", countQuestions, 1, 60, at); !ok {
		t.Error("another account waits")
	}
	if _, ok := q.take("a", countRows, 60, 60, at); !ok {
		t.Error("rows are counted with questions")
	}
	if _, ok := q.take("a", countQuestions, 1, 60, at.Add(time.Minute)); !ok {
		t.Error("after a minute")
	}
	if _, ok := q.take("c", countRows, 90, 60, at); !ok {
		t.Error("a file larger than the hour cannot be checked at all")
	}
	if wait, ok := q.take("c", countRows, 1, 60, at); ok || wait != 31*60 {
		t.Errorf("after it: wait %d, %t", wait, ok)
	}
}

// Questions about persons' claims are counted by account; reservations are not.
func TestClaimChecksAreLimitedByAccount(t *testing.T) {
	s := newSite(t)
	s.account("payer-2", registry.NewAccount{Name: "payer-2", Roles: []registry.Role{registry.RolePayer}, Region: "320583", Organisation: "kunshan"})
	session := s.MustPublicise(s.issuer, s.MustPlan(s.issuer), registrytest.CSV(0, 1))
	cert := s.MustIssue(s.issuer, session.ID)[0]
	p := invented.PersonAt(0)
	ask := registry.ClaimRequest{Policy: "sample-2026", Certificate: cert.Number, Document: p.Document, Name: p.Name, Reference: "R-1",
		Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社保", At: s.Clock.Now(), Reference: "SB-1"}}}
	s.do("payer", "POST", "/api/v1/claims/check", ask).want(200)
	for k, b := range s.server.claimsAsked.buckets { // of the one account that has asked
		b.left = 0
		s.server.claimsAsked.buckets[k] = b
	}
	r := s.do("payer", "POST", "/api/v1/claims/check", ask)
	r.problem(429, "claims_spent")
	if wait, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 10 {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	look := registry.OverviewRequest{Document: p.Document, Name: p.Name, Purpose: "窗口咨询"}
	s.do("payer", "POST", "/api/v1/claims/overview", look).problem(429, "claims_spent")
	s.do("payer", "POST", "/api/v1/claims/notice", look).problem(429, "claims_spent")
	s.do("payer", "POST", "/api/v1/claims", ask).want(200)
	s.do("payer-2", "POST", "/api/v1/claims/check", ask).want(200)
}
