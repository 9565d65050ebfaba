package web

import (
	"encoding/json"
	"strings"
	"testing"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// RFC 9110 §12.5.1: what is preferred is answered, what is not acceptable is
// refused, and a browser never gets a file for a page.
func TestCredentialByContentNegotiation(t *testing.T) {
	s := newSite(t)
	one := s.MustCertificates(s.issuer, 0, 2)[0]
	at := "/c/" + string(one.Handle)
	const page, verdict = "text/html; charset=utf-8", "application/json; charset=utf-8"
	for accept, want := range map[string]string{
		"application/vc+jwt":                                              typeVC,
		"Application/VC+JWT":                                              typeVC,
		"application/vc+jwt, application/json;q=0.9":                      typeVC,
		"text/html;q=0.5, application/vc+jwt;q=0.8":                       typeVC,
		"application/vc+jwt;q=0.1, */*;q=0.05":                            typeVC,
		"text/html;q=0, application/json;q=0, */*;q=0.1":                  typeVC,
		"application/vc+jwt, application/json":                            verdict,
		"application/vc+jwt;q=0.3, application/json;q=0.4":                verdict,
		"application/vc+jwt;q=0, application/json;q=0.001":                verdict,
		"application/*":                                                   page,
		"application/vc, application/json;q=0.1":                          verdict,
		"application/vc+jwt, text/html":                                   page,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": page,
		"*/*": page,
		"":    page,
	} {
		if accept == "application/*" {
			want = verdict // JSON is as good as a credential, and a page is not asked for
		}
		r := s.get("", at, "Accept", accept).want(200)
		if got := r.Header.Get("Content-Type"); got != want || r.Header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %s, Vary %q", accept, got, r.Header.Get("Vary"))
		}
		if noindex := r.Header.Get("X-Robots-Tag"); want == typeVC && (noindex != "noindex, nofollow" || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Disposition") != "") {
			t.Errorf("Accept %q: headers %v", accept, r.Header)
		}
	}
	for accept, code := range map[string]string{
		"application/vc":                        "no_embedded_proof",
		"application/vp, image/png":             "no_embedded_proof",
		"application/vc+jwt;q=0":                "not_acceptable",
		"application/vc+jwt;q=0.000, image/png": "not_acceptable",
		"application/vc;q=0":                    "not_acceptable",
		"application/dc+sd-jwt":                 "not_acceptable",
	} {
		if r := s.get("", at, "Accept", accept); r.Header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: Vary %q", accept, r.Header.Get("Vary"))
		} else {
			r.problem(406, code)
		}
	}
	s.get("", "/c/0000000000000", "Accept", typeVC).problem(404, "not_found")
	s.get("", "/c/nonsense", "Accept", typeVC).problem(404, "not_found")
}

func TestCredentialToKeep(t *testing.T) {
	s := newSite(t)
	one := s.MustCertificates(s.issuer, 0, 2)[0]
	at := "/c/" + string(one.Handle)
	_, doc := s.page(at + "?lang=en")
	wantText(t, doc, ".verdict .ways a", "Download the credential (W3C VC)")
	_, doc = s.page(at)
	wantText(t, doc, ".verdict .ways a", "下载电子凭证 (W3C VC)")
	href, _ := doc.Find(".verdict .ways a").Attr("href")
	if href != at+"/credential.jwt" {
		t.Fatalf("link %q", href)
	}
	r := s.get("", href, "Accept", "text/html,*/*;q=0.8").want(200)
	if got := r.Header.Get("Content-Disposition"); got != `attachment; filename="credential.jwt"` || r.Header.Get("Content-Type") != typeVC || r.Header.Get("X-Robots-Tag") != "noindex, nofollow" {
		t.Errorf("headers %v", r.Header)
	}
	if strings.Contains(s.log.String(), string(one.Handle)) {
		t.Error("the handle is in the log")
	}
	c, _, err := credentials.OpenVC(string(r.Body), s.Keys.Public(), s.Clock.Now(), jws.Limits{})
	if err != nil || c.Claims.Number != one.Number {
		t.Fatal(c, err)
	}

	// What was downloaded is verified in every form.
	doc2, err := credentials.Enveloped(string(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(r.Body), string(doc2)} {
		v := into[credentials.Verdict](s.do("", "POST", "/api/v1/verify", verifyRequest{Token: text}).want(200))
		if !v.Valid || v.Form != credentials.TypVC {
			t.Errorf("%+v", v)
		}
	}
	_, doc = s.post("/verify", "code="+string(r.Body))
	wantText(t, doc, ".band h1", "证书有效")
	if link, _ := doc.Find("details.proof a").First().Attr("href"); link != "/keys/vc.json" {
		t.Errorf("key at %q", link)
	}
	payload, _ := jws.Open(string(r.Body), s.Keys.Public(), jws.VC, jws.Limits{Typ: credentials.TypVC, MaxChars: credentials.MaxVC})
	s.do("", "POST", "/api/v1/verify", verifyRequest{Token: string(payload.Payload)}).problem(400, "no_signature")

	// Voided: no link, no new signature, and the old file says so.
	if _, err := s.ChangeCertificate(t.Context(), s.Authority, one.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社〔2026〕9号", Reason: "材料不实"}); err != nil {
		t.Fatal(err)
	}
	_, doc = s.page(at)
	count(t, doc, "a[href$='credential.jwt']", 0)
	if p := s.get("", href).problem(409, "certificate_not_good"); p.Fields[0].Code != "voided" || !strings.Contains(p.DetailZH, "证书已撤销") {
		t.Errorf("%+v", p)
	}
	s.get("", at, "Accept", typeVC).problem(409, "certificate_not_good")
	page := s.get("", href, "Accept", "text/html,*/*;q=0.8").want(409)
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || page.Header.Get("Content-Disposition") != "" {
		t.Errorf("headers %v", page.Header)
	}
	if v := into[credentials.Verdict](s.do("", "POST", "/api/v1/verify", verifyRequest{Token: string(r.Body)}).want(200)); v.First() != credentials.ReasonVoided {
		t.Errorf("%+v", v)
	}
}

// Schema and context are where the credential says, for everybody and for ever.
func TestSchemaAndContextAreServed(t *testing.T) {
	s := newSite(t)
	for url, contentType := range map[string]string{
		credentials.CertificateSchemaURL(registrytest.Origin): typeSchema, credentials.CertificateContextURL(registrytest.Origin): typeContext,
	} {
		path := strings.TrimPrefix(url, registrytest.Origin)
		r := s.get("", path).want(200)
		if r.Header.Get("Content-Type") != contentType || r.Header.Get("Cache-Control") != immutable || r.Header.Get("Access-Control-Allow-Origin") != "*" || !json.Valid(r.Body) {
			t.Errorf("%s: %v", path, r.Header)
		}
		if again := s.get("", path, "If-None-Match", r.Header.Get("ETag")); again.Status != 304 {
			t.Errorf("%s again: %d", path, again.Status)
		}
	}
	s.get("", "/schemas/certificate-2.json").problem(404, "no_schema")
	s.get("", "/contexts/certificate-1.json", "Accept", "text/html").problem(404, "no_context")
	s.get("", "/contexts/..%2f..%2fetc").problem(404, "no_context")
}

// TestOthersVerifyWhatIsServed: npm jose, a status list decoder and a JSON-LD
// processor, against a server on loopback.
func TestOthersVerifyWhatIsServed(t *testing.T) {
	s := newSite(t)
	one := s.MustCertificates(s.issuer, 0, 2)[0]
	_, _, token, err := credentials.ParseQRText(one.QR)
	if err != nil {
		t.Fatal(err)
	}
	out := needed.NodeScript(t, "testdata/served.mjs", []string{"jose", "jsonld", "@digitalbazaar/credentials-context", "@digitalbazaar/vc-bitstring-status-list"},
		[]string{"http://" + s.listen(), registrytest.Origin, string(one.Handle)}, []byte(token))
	if out != "ok\n" {
		t.Fatal(out)
	}
}
