package web

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// The life of a claim over HTTP: publicity, a payout batch, a bank return, a
// correction by two accounts, recovery in parts, and the lists of what is to be done.
func TestLifeOfAClaimOverHTTP(t *testing.T) {
	s := newSite(t)
	s.account("payer-b", registry.NewAccount{Name: "payer-b", Roles: []registry.Role{registry.RolePayer}, Region: "320583", Organisation: "kunshan"})
	session := s.MustPublicise(s.issuer, s.MustPlan(s.issuer), registrytest.CSV(0, 2))
	var ids []string
	var amount policy.Fen
	for i, one := range s.MustIssue(s.issuer, session.ID) {
		p := invented.PersonAt(i)
		a := into[registry.ClaimAnswer](s.do("payer", "POST", "/api/v1/claims", registry.ClaimRequest{Reference: fmt.Sprint("KS-", i), Policy: "sample-2026",
			Certificate: one.Number, Document: p.Document, Name: p.Name,
			Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社保", At: s.Clock.Now(), Reference: "SB-1"}}}).want(200))
		ids, amount = append(ids, a.Claim.ID), a.Claim.Amount
	}
	step := func(as, id, path string, in any) registry.ClaimView {
		t.Helper()
		return into[registry.ClaimView](s.do(as, "POST", "/api/v1/claims/"+id+"/"+path, in).want(200))
	}
	today := func() standards.Date { return standards.DateOf(s.Clock.Now()) }
	items := func(as, path string) list[registry.ClaimView] {
		t.Helper()
		return into[list[registry.ClaimView]](s.get(as, path).want(200))
	}

	s.do("payer", "POST", "/api/v1/claims/"+ids[0]+"/payable", payableRequest{}).problem(409, "publicity_missing")
	v := step("payer", ids[0], "extend", registry.ClaimExtension{Until: today().AddDays(120), Reason: "财政排期"})
	if len(items("payer", "/api/v1/claims/expiring?days=100").Items) != 1 {
		t.Errorf("expiring: not the one that was not extended")
	}
	step("payer", ids[0], "publicity", registry.NewClaimPublicity{From: today()})
	step("payer", ids[0], "objection", releaseRequest{"有异议"})
	v = step("payer", ids[0], "publicity", registry.NewClaimPublicity{From: today(), Reference: "2"})
	s.Clock.Set(v.Publicity.Until.AddDays(1).Time().Add(time.Hour))
	if v = step("payer", ids[0], "payable", payableRequest{"昆〔2026〕1号"}); v.State != policy.Payable {
		t.Fatalf("%s", v.State)
	}
	s.Clock.Add(61 * 24 * time.Hour)
	if l := items("auditor", "/api/v1/claims/overdue?payer=320583/kunshan"); len(l.Items) != 1 || l.Items[0].ID != ids[0] {
		t.Errorf("overdue %+v", l)
	}

	batch := registry.NewPayout{Reference: "B-1", Lines: []registry.PayoutLine{
		{Claim: ids[0], Amount: amount, PaidOn: today(), Payment: "P-0", Result: registry.LinePaid},
		{Reference: "KS-1", Amount: amount, PaidOn: today(), Payment: "P-1", Result: registry.LinePaid},
		{Reference: "KS-9", Amount: amount, PaidOn: today(), Payment: "P-9", Result: registry.LinePaid}}}
	p := into[registry.Payout](s.do("payer", "POST", "/api/v1/payouts", batch).want(200))
	if p.State != registry.PayoutDone || p.Outcomes[registry.OutcomePaid] != 2 || p.Outcomes[registry.OutcomeRefused] != 1 {
		t.Errorf("%+v", p)
	}
	at := "/api/v1/payouts/" + url.PathEscape(p.ID)
	if l := into[list[registry.PayoutEntry]](s.get("payer", at+"/lines").want(200)); len(l.Items) != 3 || l.Items[2].Answer.Code != "not_found" {
		t.Errorf("%+v", l)
	}
	if l := items("auditor", at+"/claims"); len(l.Items) != 2 {
		t.Errorf("%+v", l)
	}
	s.get("payer2", at).problem(404, "not_found")
	into[registry.Payout](s.get("payer", at).want(200))
	if l := into[list[registry.Payout]](s.get("payer", "/api/v1/payouts").want(200)); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	batch.Lines[0].Payment = ""
	if bad := s.do("payer", "POST", "/api/v1/payouts", batch).problem(400, "payout"); len(bad.Fields) != 1 || bad.Fields[0].Row != 1 {
		t.Errorf("%+v", bad)
	}

	// The bank returns one; the other one was of another person.
	if v = step("payer", ids[0], "return", registry.PaymentReturn{Payment: "P-0", Reason: "账户已销户", On: today()}); v.State != policy.Payable {
		t.Errorf("%s", v.State)
	}
	if v = step("payer", ids[0], "withdraw", releaseRequest{"本人申请撤回"}); v.State != policy.Withdrawn {
		t.Errorf("%s", v.State)
	}
	for _, end := range []string{"reject", "withdraw", "approve"} {
		v = step("payer", ids[1], "corrections", registry.NewClaimCorrection{Step: 1, Reference: "P-1B", Reason: "录入有误"})
		n := fmt.Sprint("corrections/", len(v.Corrections), "/")
		switch end {
		case "reject":
			s.do("payer", "POST", "/api/v1/claims/"+ids[1]+"/"+n+end, releaseRequest{"无凭据"}).problem(403, "second_person")
			step("payer-b", ids[1], n+end, releaseRequest{"无凭据"})
		case "withdraw":
			step("payer", ids[1], n+end, nil)
		default:
			if v = step("payer-b", ids[1], n+end, nil); v.Payment.Reference != "P-1B" || len(v.Steps) != 2 || v.Steps[0].Reference != "P-1" {
				t.Errorf("corrected: %+v", v)
			}
		}
	}
	s.do("payer", "POST", "/api/v1/claims/"+ids[1]+"/corrections/99/approve", nil).problem(404, "not_found")
	v = step("payer", ids[1], "recovery", registry.NewRecovery{Reason: "证书撤销"})
	if l := items("payer", "/api/v1/claims/owed"); len(l.Items) != 1 || l.Items[0].Owed != amount {
		t.Errorf("owed %+v", l)
	}
	for i, part := range []policy.Fen{1000, amount - 1000} {
		v = step("payer", ids[1], "refund", registry.Refund{Amount: part, Reference: fmt.Sprint("R-", i), On: today()})
	}
	if v.State != policy.Refunded || v.Owed != 0 || v.InHands != 0 {
		t.Errorf("%+v", v)
	}
	if l := items("payer", "/api/v1/claims?state=refunded&from=2026-01-01"); len(l.Items) != 1 || l.Items[0].ID != ids[1] {
		t.Errorf("by state %+v", l)
	}
	for path, code := range map[string]string{"/api/v1/claims?state=lost": "query", "/api/v1/claims?from=x": "query", "/api/v1/claims/expiring?days=0": "query", "/api/v1/claims/overdue": "query"} {
		as := "payer"
		if code == "query" && path == "/api/v1/claims/overdue" {
			as = "auditor" // names no payer
		}
		s.get(as, path).problem(400, code)
	}
	s.get("payer2", "/api/v1/claims/owed?payer=320583/kunshan").problem(403, "not_allowed")
}
