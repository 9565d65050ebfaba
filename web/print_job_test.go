package web

import (
	"bytes"
	"image"
	_ "image/jpeg" // what is cut out of the document
	"os/exec"
	"strings"
	"testing"

	"bajigong/evaluators/blanks"
	"bajigong/internal/invented"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// copied is what can be copied out of a document.
func copied(t *testing.T, pdf []byte) string {
	t.Helper()
	cmd := exec.Command(needed.Tool(t, "pdftotext", "poppler-utils"), "-layout", "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// From photos and blanks to paper: a job's document carries the code of each blank
// and the photo that was uploaded before issue; what was assigned and does not hold
// any more is left out; lists and tickets come as PDF.
func TestPrintJobAndListsAsPDF(t *testing.T) {
	s := newSite(t, withFonts(t))
	by := s.issuer
	s.account("second", registry.NewAccount{Name: "second", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: by.Institution.ID})
	one := s.MustPublicise(by, s.MustPlan(by), registrytest.CSV(0, 4))
	at := "/api/v1/sessions/" + one.ID
	s.do("institution", "POST", at+"/photos", photoArchive(t, "2.jpg", "3.jpg", "4.jpg", "5.jpg"), "Content-Type", "application/zip").want(200)
	tickets := s.get("institution", at+"/lists/tickets?format=pdf").want(200)
	if text := copied(t, tickets.Body); text != "" && (!strings.Contains(text, "准考证号") || !strings.Contains(text, invented.PersonAt(2).Name) || strings.Contains(text, invented.PersonAt(2).Document)) {
		t.Errorf("tickets:\n%s", text)
	}
	if !bytes.Contains(tickets.Body, []byte("/DCTDecode")) {
		t.Error("the tickets have no photos")
	}
	issued := s.MustIssue(by, one.ID)

	a := into[blanks.Application](s.do("institution", "POST", "/api/v1/blanks/applications", map[string]any{"quantity": 10, "purpose": "第一季度"}, "Idempotency-Key", "k1").want(201))
	of := "/api/v1/blanks/applications/" + a.ID
	s.do("second", "POST", of+"/approval", map[string]any{}).want(200)
	s.do("second", "POST", of+"/shipment", map[string]any{"ranges": []map[string]string{{"first": "JS-000001", "last": "JS-000010"}}}).want(200)
	s.do("institution", "POST", of+"/receipt", map[string]any{}).want(200)
	s.do("institution", "POST", "/api/v1/blanks/takings", map[string]any{"session": one.ID, "quantity": 4}).want(200)
	job := into[registry.PrintJob](s.do("institution", "POST", at+"/print-jobs", map[string]any{}).want(201))
	document := "/api/v1/print-jobs/" + job.ID + "/certificates.pdf"
	for as, status := range map[string]int{"": 401, "payer": 403, "auditor": 403, "authority": 200} {
		s.get(as, document).want(status)
	}
	all := s.get("institution", document).want(200)
	if all.Header.Get("Paper-Skipped") != "0" || all.Header.Get("Cache-Control") != "no-store" || !bytes.Contains(all.Body, []byte("/Count 4/")) || !bytes.Contains(all.Body, []byte("/DCTDecode")) {
		t.Errorf("%v", all.Header)
	}
	if text := copied(t, all.Body); text != "" {
		for i, code := range []string{"JS-000001", "JS-000002", "JS-000003", "JS-000004"} {
			if !strings.Contains(text, code) || !strings.Contains(text, issued[i].Number) {
				t.Errorf("%s or %s is not on paper", code, issued[i].Number)
			}
		}
	}
	// One blank is spoiled, one certificate corrected, one voided: one is left.
	s.do("institution", "POST", "/api/v1/blanks/spoilings", map[string]any{"ranges": []map[string]string{{"first": "JS-000001", "last": "JS-000001"}}, "reason": "卡纸"}).want(200)
	if _, err := s.ReissueCertificate(t.Context(), by.Actor, issued[1].Number, registry.Reissue{Basis: "申请1", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[2].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文 1", Reason: "虚假评价"}); err != nil {
		t.Fatal(err)
	}
	left := s.get("institution", document+"?blank=blank-sample&x=0.5").want(200)
	if left.Header.Get("Paper-Skipped") != "3" || !bytes.Contains(left.Body, []byte("/Count 1/")) {
		t.Errorf("%v", left.Header)
	}
	if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[3].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文 1", Reason: "虚假评价"}); err != nil {
		t.Fatal(err)
	}
	s.get("institution", document).problem(409, "nothing_valid")

	for kind, whole := range map[string]bool{"sign-in": false, "passed": true, "handovers": false} {
		r := s.get("institution", at+"/lists/"+kind, "Accept", "application/pdf").want(200)
		text := copied(t, r.Body)
		if r.Header.Get("Content-Type") != "application/pdf" || text != "" && (!strings.Contains(text, invented.PersonAt(0).Name) || strings.Contains(strings.ReplaceAll(text, "\n", ""), invented.PersonAt(0).Document) != whole) {
			t.Errorf("%s:\n%s", kind, text)
		}
	}
	s.get("institution", at+"/lists/tickets?format=pdf&part=2").want(404)
	s.get("payer", at+"/lists/tickets?format=pdf").want(403)
}

// The photo uploaded before issue is what the holder's photo is compared with.
func TestMatchWithAPhotoOfTheSession(t *testing.T) {
	s := newSite(t)
	one := s.MustPublicise(s.issuer, s.MustPlan(s.issuer), registrytest.CSV(0, 1))
	s.do("institution", "POST", "/api/v1/sessions/"+one.ID+"/photos", photoArchive(t, "2.jpg"), "Content-Type", "application/zip").want(200)
	issued := s.MustIssue(s.issuer, one.ID)
	v, err := s.VerdictByHandle(t.Context(), string(issued[0].Handle))
	if err != nil || len(v.Matches) != 2 {
		t.Fatalf("%v %v", v.Matches, err)
	}
	photo, err := s.CertificatePhoto(t.Context(), s.issuer.Actor, issued[0].Number)
	if err != nil {
		t.Fatal(err)
	}
	picture, _, err := image.Decode(bytes.NewReader(photo))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.MatchPhoto(t.Context(), string(issued[0].Handle), picture, "192.0.2.1")
	if err != nil || m.Answer == registry.MatchNone {
		t.Errorf("%+v %v", m, err)
	}
}
