package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
)

// A payer's feed, its endpoints and the list of recoveries over HTTP.
func TestReliance(t *testing.T) {
	s := newSite(t)
	by := s.MustAdmit(31)
	s.account("kunshan", registry.NewAccount{Name: "昆山", Organisation: "ks", Roles: []registry.Role{registry.RolePayer}, Region: "320583"})
	s.account("changshu", registry.NewAccount{Name: "常熟", Organisation: "cs", Roles: []registry.Role{registry.RolePayer}, Region: "320581"})
	issued := s.MustCertificates(by, 0, 2)
	for i, c := range issued {
		p := invented.PersonAt(i)
		a := into[registry.ClaimAnswer](s.do("kunshan", "POST", "/api/v1/claims", registry.ClaimRequest{Reference: fmt.Sprint("r", i), Policy: "sample-2026", Certificate: c.Number, Document: p.Document, Name: p.Name,
			Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社会保险系统", At: s.Clock.Now(), Reference: "SB-1"}}}).want(200))
		if a.Claim == nil {
			t.Fatalf("%+v", a)
		}
	}
	const feed = "/api/v1/reliance"
	if got := into[registry.RelianceFeed](s.get("kunshan", feed).want(200)); len(got.Items) != 0 || got.Next != 0 || got.Items == nil {
		t.Errorf("%+v", got)
	}
	s.get("", feed).problem(401, "key_required")
	s.get("authority", feed).problem(403, "not_allowed")
	s.get("kunshan", feed+"?after=1").problem(400, "cursor_ahead")
	for _, bad := range []string{"after=-1", "after=x", "after=99999999999999999999", "wait=16", "wait=x"} {
		s.get("kunshan", feed+"?"+bad).problem(400, "query")
	}
	s.get("kunshan", feed+"?limit=501").problem(400, "limit")

	s.do("kunshan", "POST", "/api/v1/webhooks", registry.NewWebhook{URL: "http://ks.example.gov.cn/"}).problem(400, "webhook_url")
	s.do("authority", "POST", "/api/v1/webhooks", registry.NewWebhook{URL: "https://ks.example.gov.cn/"}).problem(403, "not_allowed")
	in := registry.NewWebhook{URL: "https://ks.example.gov.cn/hooks"}
	hook := into[registry.NewWebhookSecret](s.do("kunshan", "POST", "/api/v1/webhooks", in, "Idempotency-Key", "k").want(201))
	again := into[registry.NewWebhookSecret](s.do("kunshan", "POST", "/api/v1/webhooks", in, "Idempotency-Key", "k").want(201))
	if !strings.HasPrefix(hook.Secret, "whsec_") || again.Secret != "" || again.ID != hook.ID {
		t.Errorf("%+v, again %+v", hook, again)
	}
	waiting := make(chan registry.RelianceFeed)
	go func() { waiting <- into[registry.RelianceFeed](s.get("kunshan", feed+"?wait=15").want(200)) }()
	time.Sleep(20 * time.Millisecond)
	for _, c := range issued {
		s.do("authority", "POST", "/api/v1/certificates/"+c.Number+"/voiding", registry.NewChange{Document: "苏人社撤〔2026〕3号", Reason: "替考"}).want(200)
	}
	if got := <-waiting; len(got.Items) == 0 || got.Items[0].What != registry.RelianceVoided || got.Items[0].AdviceName.EN == "" {
		t.Errorf("%+v", got)
	}
	first := into[registry.RelianceFeed](s.get("kunshan", feed+"?limit=1").want(200))
	rest := into[registry.RelianceFeed](s.get("kunshan", feed+"?after=1").want(200))
	if len(first.Items) != 1 || !first.More || first.Next != 1 || len(rest.Items) != 1 || rest.More || rest.Next != 2 {
		t.Errorf("%+v %+v", first, rest)
	}
	if got := into[registry.RelianceFeed](s.get("changshu", feed).want(200)); len(got.Items) != 0 {
		t.Errorf("another payer reads %+v", got)
	}
	s.do("kunshan", "POST", feed+"/acknowledgement", acknowledgement{Through: 2}).want(200)
	s.do("kunshan", "POST", feed+"/acknowledgement", acknowledgement{Through: 3}).problem(400, "cursor_ahead")

	one := "/api/v1/webhooks/" + hook.ID
	if got := into[list[registry.Webhook]](s.get("kunshan", "/api/v1/webhooks").want(200)); len(got.Items) != 1 || strings.Contains(fmt.Sprint(got), "whsec") {
		t.Errorf("%+v", got)
	}
	for _, path := range []string{one, one + "/deliveries"} {
		s.get("kunshan", path).want(200)
		s.get("changshu", path).problem(404, "not_found")
	}
	s.get("kunshan", one+"/deliveries?state=alive").problem(400, "query")
	s.do("kunshan", "POST", one+"/replay?from=9", nil).problem(400, "webhook_from")
	s.do("kunshan", "POST", one+"/replay?from=1", nil).want(200)
	if got := into[registry.NewWebhookSecret](s.do("kunshan", "POST", one+"/rotation", nil).want(200)); got.Secret == "" || got.Secret == hook.Secret {
		t.Errorf("%+v", got)
	}
	s.do("kunshan", "POST", one+"/removal", nil).want(200)
	s.do("kunshan", "POST", one+"/replay", nil).problem(409, "endpoint_move")

	list := "/api/v1/recoveries"
	query := "?institution=" + by.Institution.ID
	if got := into[recoveryList](s.get("authority", list+query+"&limit=1").want(200)); len(got.Items) != 1 || got.Next == "" || len(got.Totals) != 1 || got.Totals[0].Claims != 2 {
		t.Errorf("%+v", got)
	}
	s.get("authority", list).problem(400, "recoveries")
	s.get("authority", list+query+"&from=2026-02-30").problem(400, "query")
	s.get("authority", list+"?institution=i-none").problem(404, "not_found")
	s.get("", list+query).problem(401, "key_required")
	if book := s.get("kunshan", list+"/file"+query).want(200); book.Header.Get("Content-Type") != typeXLSX || !strings.HasPrefix(string(book.Body), "PK") || book.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", book.Header)
	}
}
