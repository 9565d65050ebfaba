package web

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/evaluators/corrections"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// TestWholeLife walks the main path over HTTP alone: an institution is admitted,
// holds a session, issues, is verified, is claimed for once, and one certificate
// is voided.
func TestWholeLife(t *testing.T) {
	s := newSite(t)
	today := standards.DateOf(s.Clock.Now())

	inst := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/institutions", newInstitution{Name: "江南技师学院", USCC: invented.USCC(77), Region: "320583"}).want(201))
	filing := newFiling{Institution: inst.ID, Class: "S", Code: "0000", Province: "32", Site: "058377", Authority: "320000",
		From: today, Until: today.AddDays(1000), Scope: registrytest.Scope(), Document: "苏人社备〔2026〕77号"}
	filed := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/filings", filing).want(201))
	account := into[registry.Account](s.do("authority", "POST", "/api/v1/accounts",
		registry.NewAccount{Name: "江南技师学院", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: inst.ID}).want(201))
	key := into[keyView](s.do("authority", "POST", "/api/v1/keys", newKey{Account: account.ID, Label: "考务", Days: 30}).want(201))
	if !strings.HasPrefix(key.Secret, "bjg_") || key.Hash != nil || key.Expires.Sub(key.Created) != 30*24*time.Hour {
		t.Errorf("key %+v", key)
	}
	s.keys["school"] = key.Secret

	session := into[registry.Session](s.do("school", "POST", "/api/v1/sessions", registry.NewSession{Name: "2026年第一批", Filing: filed.ID, Occupation: "6-31-01-03",
		Level: standards.Senior, ExamDate: today.AddDays(1)}).want(201))
	at := "/api/v1/sessions/" + session.ID
	s.do("school", "POST", at+"/results", registrytest.CSV(0, 3), "Content-Type", "text/csv").problem(409, "exam_not_held")
	s.Clock.Add(48 * time.Hour)

	bad := registrytest.CSV(0, 30) + "王某,居民身份证,320583199001011234,70,70\n"
	p := s.do("school", "POST", at+"/results", bad, "Content-Type", "text/csv; charset=utf-8").problem(400, "results_rows")
	if len(p.Fields) != 1 || p.Fields[0].Row != 32 || p.Fields[0].ZH == "" || strings.Contains(p.Fields[0].ZH, "320583199001011234") {
		t.Errorf("fields %+v", p.Fields)
	}
	s.do("school", "POST", at+"/results?accept=all", bad, "Content-Type", "text/csv").problem(400, "accept")
	report := into[registry.UploadReport](s.do("school", "POST", at+"/results?accept=good-rows", bad, "Content-Type", "text/csv").want(200))
	if report.Stored != 30 || report.Refused != 1 || len(report.Errors) != 1 {
		t.Errorf("report %+v", report)
	}
	report = into[registry.UploadReport](s.upload("school", at+"/results", "成绩.csv", registrytest.CSV(0, 3)).want(200))
	if report.Stored != 3 || report.Passed != 3 {
		t.Errorf("report of the form %+v", report)
	}

	s.do("school", "POST", at+"/certificates", nil).problem(409, "not_publicised")
	session = into[registry.Session](s.do("school", "POST", at+"/publicity", nil).want(200))
	s.do("school", "POST", at+"/certificates", nil).problem(409, "publicity_running")
	_, doc := s.page("/publicity")
	count(t, doc, "tbody tr", 1)
	_, doc = s.page("/publicity/" + session.ID)
	count(t, doc, "tbody tr", 3)
	wantText(t, doc, "h1", "2026年第一批")
	s.Clock.Set(session.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	if r, _ := s.page("/publicity/" + session.ID); r.Status != 404 {
		t.Error("names are still shown after publicity")
	}

	s.get("school", at+"/batch").problem(404, "not_found")
	batch := into[registry.Batch](s.do("school", "POST", at+"/certificates", nil).want(201))
	if batch.State != registry.BatchPublished || batch.Signed != 3 {
		t.Errorf("batch %+v", batch)
	}
	s.do("school", "POST", at+"/certificates", nil).want(200)
	s.get("school", at+"/batch").want(200)
	if r := s.get("authority", at+"/certificates?limit=2"); true {
		page := into[list[issuedView]](r.want(200))
		rest := into[list[issuedView]](s.get("authority", at+"/certificates?limit=2&cursor="+page.Next).want(200))
		if len(page.Items) != 2 || len(rest.Items) != 1 || rest.Next != "" {
			t.Errorf("pages of %d and %d", len(page.Items), len(rest.Items))
		}
		if bytes.Contains(r.Body, []byte(`"person"`)) {
			t.Error("the holder's internal id is shown")
		}
	}
	issued := into[list[issuedView]](s.get("school", at+"/certificates").want(200)).Items
	one := issued[0]
	number := "/api/v1/certificates/" + one.Number
	if got := into[issuedView](s.get("school", number).want(200)); got.QR != one.QR || got.Name == "" || !strings.Contains(got.Document, "*") {
		t.Errorf("certificate %+v", got)
	}

	picture := s.get("school", number+"/qr.png?scale=4").want(200)
	if _, err := png.Decode(bytes.NewReader(picture.Body)); err != nil {
		t.Error(err)
	}
	if read, err := credentials.DecodeImage(bytes.NewReader(picture.Body)); err != nil || read != one.QR {
		t.Errorf("the picture reads %q, %v", read, err)
	}
	if svg := s.get("school", number+"/qr.svg").want(200); svg.Header.Get("Content-Type") != "image/svg+xml" || !bytes.Contains(svg.Body, []byte("<svg")) {
		t.Error("no SVG")
	}
	s.get("school", number+"/qr.png?scale=1000").problem(400, "scale")

	// Anybody verifies it.
	for _, token := range []string{one.QR, one.QR[strings.Index(one.QR, "#")+1:]} {
		if v := into[credentials.Verdict](s.do("", "POST", "/api/v1/verify", verifyRequest{token}).want(200)); !v.Valid || v.Certificate.Number != one.Number {
			t.Errorf("verdict %+v", v)
		}
	}
	s.do("", "POST", "/api/v1/verify", verifyRequest{"not a code"}).problem(400, "not_our_qr")
	person := invented.PersonAt(0)
	for _, q := range []registry.LookupQuery{{Number: one.Number, Name: person.Name}, {Number: one.Number, Document: person.Document}} {
		if v := into[credentials.Verdict](s.do("", "POST", "/api/v1/lookup", q).want(200)); !v.Valid {
			t.Errorf("look-up %+v", v)
		}
	}
	if v := into[credentials.Verdict](s.do("", "POST", "/api/v1/lookup", registry.LookupQuery{Number: one.Number, Name: "别人"}).want(200)); v.First() != credentials.ReasonUnknownCertificate {
		t.Errorf("another name finds %v", v.Reasons)
	}

	// One payer reserves and pays, the other is refused.
	claim := registry.ClaimRequest{Reference: "KS-1", Policy: "sample-2026", Certificate: one.Number, Document: person.Document, Name: person.Name,
		Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社会保险系统", At: s.Clock.Now(), Reference: "SB-1"}}}
	if a := into[registry.ClaimAnswer](s.do("payer", "POST", "/api/v1/claims/check", claim).want(200)); a.Outcome != policy.Allow || a.Claim != nil {
		t.Fatalf("check %+v", a)
	}
	a := into[registry.ClaimAnswer](s.do("payer", "POST", "/api/v1/claims", claim).want(200))
	if a.Outcome != policy.Allow || a.Claim == nil {
		t.Fatalf("reserve %+v", a)
	}
	second := claim
	second.Reference = "OTHER-1"
	refused := s.do("payer2", "POST", "/api/v1/claims", second).want(200)
	if b := into[registry.ClaimAnswer](refused); b.Outcome != policy.Deny || bytes.Contains(refused.Body, []byte(a.Claim.ID)) {
		t.Errorf("second payer: %s", refused.Body)
	}
	path := "/api/v1/claims/" + a.Claim.ID
	s.get("payer2", path).problem(404, "not_found")
	paid := into[registry.ClaimView](s.do("payer", "POST", path+"/confirm", registry.Payment{Reference: "PAY-1", PaidOn: standards.DateOf(s.Clock.Now()), Amount: a.Claim.Amount}).want(200))
	if paid.State != policy.Confirmed {
		t.Errorf("paid %+v", paid)
	}
	s.do("payer", "POST", path+"/release", releaseRequest{"重复"}).want(409)
	yes := true
	s.do("payer", "POST", path+"/refund", registry.Refund{Amount: a.Claim.Amount, Reason: "银行退票", Restores: &yes})
	if l := into[list[registry.ClaimView]](s.get("payer", "/api/v1/claims").want(200)); len(l.Items) != 1 {
		t.Errorf("claims %+v", l)
	}

	// A voided certificate shows at once.
	s.do("school", "POST", number+"/voiding", registry.NewChange{Document: "x", Reason: "x"}).problem(403, "not_allowed")
	s.do("authority", "POST", number+"/suspension", registry.NewChange{Document: "苏人社〔2026〕1号", Reason: "核查"}).want(200)
	s.do("authority", "POST", number+"/resumption", registry.NewChange{Document: "苏人社〔2026〕2号", Reason: "核查无误"}).want(200)
	s.do("school", "POST", "/api/v1/certificates/"+issued[1].Number+"/cancellation", registry.NewChange{Reason: "持证人申请"}).want(200)
	voided := s.do("authority", "POST", number+"/voiding", registry.NewChange{Document: "苏人社〔2026〕3号", Reason: "替考"}).want(200)
	if got := into[certificateView](voided); got.Status != registry.CertificateVoided {
		t.Errorf("voided %+v", got)
	}
	page, doc := s.page("/c/" + string(one.Handle))
	page.want(200)
	wantText(t, doc, ".band h1", "证书已撤销，自始无效")

	// A correction keeps the number and leaves the old paper behind.
	third := "/api/v1/certificates/" + issued[2].Number
	s.do("school", "POST", third+"/reissue", registry.Reissue{Name: "王改名", Basis: "申请1", Reason: "遗失"}).problem(400, "reissue")
	correction := newCorrection{Name: "王改名", Basis: "申请1", Reason: "更名", Proofs: []corrections.Proof{{Kind: "police_certificate", Reference: "昆公户证〔2026〕12号"}}}
	s.do("payer", "POST", third+"/correction", correction).problem(403, "not_allowed")
	asked := into[registry.CorrectionRequest](s.do("school", "POST", third+"/correction", correction).want(201))
	s.do("school", "POST", "/api/v1/corrections/"+asked.ID+"/approval", correctionConsent{}).problem(403, "second_person")
	s.do("authority", "POST", "/api/v1/corrections/"+asked.ID+"/approval", correctionConsent{}).want(200)
	corrected := into[issuedView](s.get("school", third).want(200))
	if corrected.Versions != 2 || corrected.Name != "王改名" || corrected.Handle == issued[2].Handle {
		t.Errorf("corrected %+v", corrected)
	}
	page, doc = s.page("/c/" + string(issued[2].Handle))
	page.want(200)
	wantText(t, doc, ".band h1", "信息已更正或补发，请以新版本为准")

	// From elsewhere.
	old := registry.Elsewhere{Number: "S000032099999233000007", Name: person.Name, Document: person.Document, Occupation: "6-31-01-03", Level: standards.Senior,
		Issued: "2023-05-06", InstitutionName: "某市旧系统"}
	came := into[list[certificateView]](s.do("authority", "POST", "/api/v1/certificates", elsewhereRequest{[]registry.Elsewhere{old}}).want(201))
	if len(came.Items) != 1 || came.Items[0].Origin != registry.OriginElsewhere {
		t.Errorf("from elsewhere %+v", came)
	}
	s.get("authority", "/api/v1/certificates/"+old.Number+"/qr.png").problem(404, "no_qr")

	// The log proves it.
	index := fmt.Sprint(one.LogIndex)
	if r := s.get("", "/api/v1/log/entries/"+index).want(200); bytes.Contains(r.Body, []byte("certificate_signed")) {
		t.Error("the public sees the event")
	}
	if r := s.get("school", "/api/v1/log/entries/"+index).want(200); !bytes.Contains(r.Body, []byte("certificate_signed")) {
		t.Error("its institution does not see the event")
	}

	// The institution leaves; its key is revoked.
	s.do("authority", "POST", "/api/v1/decisions", newDecision{Institution: inst.ID, Kind: "suspend", Effective: standards.DateOf(s.Clock.Now()), Document: "苏人社〔2026〕9号", Basis: "办法第十条"}).want(201)
	if got := into[keyView](s.do("authority", "DELETE", "/api/v1/keys/"+key.ID, nil).want(200)); got.Revoked == nil {
		t.Error("not revoked")
	}
	s.get("school", at).problem(401, "key_unknown")
	for _, secret := range s.keys {
		if strings.Contains(s.log.String(), secret) || strings.Contains(s.log.String(), string(one.Handle)) || strings.Contains(s.log.String(), one.Number) {
			t.Error("the log has a key, a handle or a number")
		}
	}
}

// upload sends a file as a form does.
func (s *siteTest) upload(as, path, name, content string) reply {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("note", "first"); err != nil {
		s.t.Fatal(err)
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	return s.do(as, "POST", path, b.Bytes(), "Content-Type", w.FormDataContentType())
}

// TestLongIssueAnswers202: the request ends, the batch goes on.
func TestLongIssueAnswers202(t *testing.T) {
	s := newSite(t, func(c *Config) { c.IssueWait = time.Nanosecond })
	session := s.MustPublicise(s.issuer, s.MustPlan(s.issuer), registrytest.CSV(0, 700))
	path := "/api/v1/sessions/" + session.ID + "/certificates"
	seen202 := false
	for range 2000 {
		r := s.do("institution", "POST", path, nil)
		switch r.Status {
		case 202:
			seen202 = true
			if b := into[registry.Batch](r); b.Session != session.ID || r.Header.Get("Location") != "/api/v1/sessions/"+session.ID+"/batch" {
				t.Fatalf("202 with %+v %v", b, r.Header)
			}
		case 503: // not begun yet
		case 200, 201:
			if !seen202 {
				t.Error("it was never unfinished")
			}
			if b := into[registry.Batch](s.do("institution", "POST", path, nil).want(200)); b.State != registry.BatchPublished || b.Signed != 700 {
				t.Errorf("%+v", b)
			}
			return
		default:
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the batch did not end")
}

func TestIdempotencyKey(t *testing.T) {
	s := newSite(t)
	first := newInstitution{Name: "甲培训中心", USCC: invented.USCC(11), Region: "320583"}
	a := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/institutions", first, "Idempotency-Key", `"once"`).want(201))
	b := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/institutions", first, "Idempotency-Key", `once`).want(201))
	if a.ID == "" || a.ID != b.ID {
		t.Errorf("%q and %q", a.ID, b.ID)
	}
	other := first
	other.USCC = invented.USCC(12)
	s.do("authority", "POST", "/api/v1/institutions", other, "Idempotency-Key", "once").problem(409, "idempotency_key_reused")
	s.do("authority", "POST", "/api/v1/institutions", other, "Idempotency-Key", "带汉字").problem(400, "idempotency_key")
	s.do("authority", "POST", "/api/v1/institutions", other, "Idempotency-Key", strings.Repeat("x", 101)).problem(400, "idempotency_key")
	s.do("authority", "POST", "/api/v1/institutions", first).problem(409, "institution_exists")
	s.do("authority", "POST", "/api/v1/keys", newKey{Account: "x"}, "Idempotency-Key", "k").problem(400, "idempotency_not_taken")

	// One key and body for two objects is two requests.
	issued := s.MustCertificates(s.issuer, 0, 2)
	for i, status := range []int{200, 409} {
		s.do("institution", "POST", "/api/v1/certificates/"+issued[i].Number+"/cancellation", registry.NewChange{Reason: "申请"}, "Idempotency-Key", "c").want(status)
	}
}

// TestWhoMay goes through every route that wants a key: without one, and with
// one that proves nobody, nothing is answered. The body is not even read.
func TestWhoMay(t *testing.T) {
	s := newSite(t)
	s.keys["nobody"] = "bjg_0123456789abcdef_" + strings.Repeat("A", 43)
	before := s.state()
	fill := strings.NewReplacer("{id}", "s-1", "{number}", "S000032058300253000001")
	for _, r := range routes() {
		if r.Access != keyed {
			continue
		}
		path := fill.Replace(r.Path)
		reply := s.do("", r.Method, path, "{}")
		reply.problem(401, "key_required")
		if reply.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", path)
		}
		s.do("nobody", r.Method, path, "{}").problem(401, "key_unknown")
		request := httptest.NewRequest(r.Method, path, nil)
		request.Header.Set("Authorization", "Basic Og==")
		s.send(request).problem(401, "scheme_unknown")
	}
	s.get("nobody", "/api/v1/log/entries/0").problem(401, "key_unknown")
	if after := s.state(); after != before {
		t.Errorf("the store changed: %s, was %s", after, before)
	}

	// With a key of the wrong kind each use case refuses.
	session := s.MustPlan(s.issuer)
	other := s.MustAdmit(2)
	s.account("other", registry.NewAccount{Name: "other", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: other.Institution.ID})
	at := "/api/v1/sessions/" + session.ID
	for _, one := range []struct {
		as, method, path string
		body             any
		status           int
	}{
		{"institution", "POST", "/api/v1/institutions", newInstitution{Name: "x", USCC: invented.USCC(5), Region: "320583"}, 403},
		{"payer", "POST", "/api/v1/decisions", newDecision{Institution: s.issuer.Institution.ID, Kind: "suspend", Effective: "2026-03-02", Basis: "x", Document: "x"}, 403},
		{"institution", "POST", "/api/v1/accounts", registry.NewAccount{Name: "x", Roles: []registry.Role{"authority"}, Region: "320000"}, 403},
		{"auditor", "POST", "/api/v1/accounts", registry.NewAccount{Name: "x", Roles: []registry.Role{"operator"}, Region: "320000"}, 400},
		{"other", "GET", at, nil, 403},
		{"other", "POST", at + "/publicity", nil, 403},
		{"other", "POST", at + "/results", "姓名,证件号码\n", 403},
		{"authority", "POST", at + "/certificates", nil, 403},
		{"other", "POST", at + "/batch/abort", abortRequest{"x"}, 403},
		{"payer", "GET", "/api/v1/institutions/" + s.issuer.Institution.ID, nil, 403},
		{"authority", "POST", "/api/v1/claims/check", registry.ClaimRequest{}, 400},
		{"auditor", "GET", at, nil, 200},
	} {
		var headers []string
		if strings.HasSuffix(one.path, "/results") {
			headers = []string{"Content-Type", "text/csv"}
		}
		if r := s.do(one.as, one.method, one.path, one.body, headers...); r.Status != one.status {
			t.Errorf("%s %s %s: %d, want %d: %s", one.as, one.method, one.path, r.Status, one.status, r.Body)
		}
	}
}

func TestTrustMaterial(t *testing.T) {
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 2)
	for path, contentType := range map[string]string{
		"/keys/qr.json": typeJWKS, "/keys/directory.json": typeJWKS, "/.well-known/jwks.json": typeJWKS,
		"/status/revocation-0": "application/vc+jwt", "/directory.jws": "application/jose",
		"/log/checkpoint": "text/plain; charset=utf-8", "/log/key": "text/plain; charset=utf-8",
		"/openapi.json": "application/json; charset=utf-8",
	} {
		r := s.get("", path).want(200)
		if got := r.Header.Get("Content-Type"); got != contentType {
			t.Errorf("%s: %s", path, got)
		}
		tag := r.Header.Get("ETag")
		if tag == "" || r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Cache-Control") == "no-store" || r.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
		if again := s.get("", path, "If-None-Match", `"x", W/`+tag); again.Status != 304 || len(again.Body) != 0 || again.Header.Get("ETag") != tag {
			t.Errorf("%s again: %d with %d bytes", path, again.Status, len(again.Body))
		}
		if other := s.get("", path, "If-None-Match", `"other"`); other.Status != 200 {
			t.Errorf("%s with another tag: %d", path, other.Status)
		}
	}
	s.get("", "/keys/checkpoint.json").problem(404, "purpose_unknown")
	s.get("", "/keys/../qr.json").want(404)
	s.get("", "/status/revocation-99").problem(404, "no_status_list")
	s.get("", "/status/nonsense").problem(404, "no_status_list")
	s.get("", "/log/tile/0/000.p/1").want(200)
	s.get("", "/log/tile/0/999").want(404)
	s.get("", "/log/tile/../../etc/passwd").want(404)
	s.get("", "/api/v1/log/entries/999999").problem(404, "log_entry_unknown")
	s.get("", "/api/v1/log/entries/01").problem(404, "log_entry_unknown")
	s.get("", "/readyz").want(200)
	s.get("", "/api/v1/occupations/9-99-99-99").problem(404, "not_found")
	s.get("", "/api/v1/occupations/6-31-01-03").want(200)
	s.get("", "/api/v1/occupations").want(200)
	if r := s.get("", "/metrics").want(200); !bytes.Contains(r.Body, []byte(`route="GET /keys/{purpose}.json",status="200"`)) {
		t.Errorf("metrics: %s", r.Body)
	}

	// What is served is enough to verify with no server.
	v, err := credentials.VerifyOffline(issued[0].QR, s.trust(), s.Clock.Now())
	if err != nil || !v.Valid || v.First() != credentials.ReasonValid {
		t.Errorf("offline: %+v, %v", v, err)
	}
}

// trust is what an offline verifier fetches.
func (s *siteTest) trust() credentials.Trust {
	s.t.Helper()
	keys := func(purpose jws.Purpose) jws.KeySet {
		set, err := jws.ParseJWKS(s.get("", "/keys/"+string(purpose)+".json").want(200).Body, purpose)
		if err != nil {
			s.t.Fatal(err)
		}
		return set
	}
	out := credentials.Trust{Keys: keys(jws.QR)}
	directory, err := credentials.OpenDirectory(string(s.get("", "/directory.jws").Body), keys(jws.Directory))
	if err != nil {
		s.t.Fatal(err)
	}
	out.Directory = &directory
	if _, err := s.PublishStatusLists(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range credentials.StatusPurposes() {
		list, err := credentials.OpenStatusList(string(s.get("", "/status/"+credentials.StatusListName(p, 0)).Body), keys(jws.Status), s.Clock.Now())
		if err != nil {
			s.t.Fatal(err)
		}
		out.StatusLists = append(out.StatusLists, list)
	}
	return out
}
