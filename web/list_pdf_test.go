package web

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/evaluators/blanks"
	"bajigong/internal/invented"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// pdfText is what a reader of PDF finds on the pages.
func pdfText(t testing.TB, pdf []byte) string {
	t.Helper()
	tool := needed.Tool(t, "pdftotext", "poppler-utils")
	path := filepath.Join(t.TempDir(), "one.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool, "-layout", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// photoBytes is the photo of photoArchive.
func photoBytes(t testing.TB) []byte {
	t.Helper()
	b := photoArchive(t, "1.jpg")
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	photo, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return photo
}

// Every list of a session is printed too 准考证、签到表、合格人员名册、发放签领表, and a
// certificate shows the 印制流水码 of its blank.
func TestListsAndSerialsOnPaper(t *testing.T) {
	s := newSite(t, withFonts(t))
	by := s.issuer
	s.account("second", registry.NewAccount{Name: "second", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: by.Institution.ID})
	one := s.MustPublicise(by, s.MustPlan(by), registrytest.CSV(0, 3))
	at := "/api/v1/sessions/" + one.ID
	s.do("institution", "POST", at+"/photos?accept=good", photoArchive(t, "2.jpg"), "Content-Type", "application/zip").want(200)
	issued := s.MustIssue(by, one.ID)
	a := into[blanks.Application](s.do("institution", "POST", "/api/v1/blanks/applications", map[string]any{"quantity": 10, "purpose": "第一季度"}).want(201))
	of := "/api/v1/blanks/applications/" + a.ID
	s.do("second", "POST", of+"/approval", map[string]any{}).want(200)
	s.do("second", "POST", of+"/shipment", map[string]any{"ranges": []map[string]string{{"first": "JS-000001", "last": "JS-000010"}}}).want(200)
	s.do("institution", "POST", of+"/receipt", map[string]any{}).want(200)
	s.do("institution", "POST", "/api/v1/blanks/takings", map[string]any{"session": one.ID, "quantity": 3}).want(200)

	// The photo of the archive is on the paper, and compared with it.
	if pdf := s.get("institution", "/api/v1/certificates/"+issued[0].Number+"/certificate.pdf").want(200); !bytes.Contains(pdf.Body, []byte("/DCTDecode")) {
		t.Error("the photo of the archive is not on the certificate")
	}
	if view := s.get("institution", "/api/v1/certificates/"+issued[0].Number+"/print").want(200); !bytes.Contains(view.Body, []byte("data:image/jpeg")) {
		t.Error("the photo of the archive is not on the print view")
	}
	r, doc := s.multipart("/c/"+string(issued[0].Handle)+"/match", [][2]string{{"picture", "@a.jpg"}}, photoBytes(t))
	r.want(200)
	if answer := doc.Find("#match-answer .head").Text(); !strings.Contains(answer, "照片") {
		t.Errorf("the photo of the archive is compared: %q", answer)
	}

	sheet := "/api/v1/certificates/" + issued[1].Number + "/certificate.pdf"
	if text := pdfText(t, s.get("institution", sheet).want(200).Body); strings.Contains(text, "印制流水码") {
		t.Error("a serial before there is a blank")
	}
	job := into[registry.PrintJob](s.do("institution", "POST", at+"/print-jobs", map[string]any{}).want(201))
	if text := pdfText(t, s.get("institution", sheet).want(200).Body); !strings.Contains(text, "印制流水码：JS-000002") {
		t.Errorf("the certificate does not say its serial:\n%s", text)
	}
	s.do("institution", "POST", "/api/v1/blanks/spoilings", map[string]any{"ranges": []map[string]string{{"first": "JS-000002", "last": "JS-000002"}}, "reason": "卡纸"}).want(200)
	if text := pdfText(t, s.get("institution", sheet).want(200).Body); strings.Contains(text, "JS-000002") {
		t.Error("the serial of a spoiled blank is printed")
	}

	// What the job gave blanks to, as the sheets lie in the tray.
	all := "/api/v1/print-jobs/" + job.ID + "/certificates.pdf"
	r = s.get("institution", all).want(200)
	text := pdfText(t, r.Body)
	if first, last := strings.Index(text, "JS-000001"), strings.Index(text, "JS-000003"); r.Header.Get("Paper-Skipped") != "1" || first < 0 || last < first || strings.Contains(text, "JS-000002") || r.Header.Get("Link") != "" {
		t.Errorf("the job: %v\n%s", r.Header, text)
	}
	again := into[registry.PrintJob](s.do("institution", "POST", at+"/print-jobs", map[string]any{"numbers": []string{issued[0].Number}, "reason": "打印模糊", "plain": true}).want(201))
	if r := s.get("institution", all).want(200); r.Header.Get("Paper-Skipped") != "2" {
		t.Errorf("a print that has a newer one: %v", r.Header)
	}
	s.get("institution", "/api/v1/print-jobs/"+again.ID+"/certificates.pdf").want(200)
	s.get("institution", all+"?part=2").want(404)
	s.get("institution", all+"?part=0").problem(400, "part")
	s.get("auditor", all).problem(403, "not_allowed")
	s.get("institution", "/api/v1/print-jobs/pj-none/certificates.pdf").want(404)
	s.get("institution", all+"?blank=none").problem(400, "query")

	says := map[registry.ListKind][]string{
		registry.TicketList: {"职业技能等级认定准考证", "准考证号", "电工"}, registry.SignInList: {"考生签到表", "签到", "第 1 页/共 1 页", "监考人员签名"},
		registry.PassedList: {"合格人员名册", invented.PersonAt(0).Document, "审核人"}, registry.HandoutList: {"发放签领表", "JS-000003", "领取人签名", "代领人证件号码"},
	}
	for _, kind := range registry.ListKinds() {
		r := s.get("institution", at+"/lists/"+string(kind)+"?format=pdf").want(200)
		if r.Header.Get("Content-Type") != mediaPDF || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Link") != "" || !bytes.HasPrefix(r.Body, []byte("%PDF-1.7")) {
			t.Errorf("%s: %v", kind, r.Header)
		}
		text := pdfText(t, r.Body)
		for _, want := range append(says[kind], invented.PersonAt(0).Name, invented.PersonAt(2).Name) {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %s:\n%s", kind, want, text)
			}
		}
		if kind != registry.PassedList && strings.Contains(text, invented.PersonAt(0).Document) {
			t.Errorf("%s has a whole document number", kind)
		}
		if dir := os.Getenv("BAJIGONG_PICTURES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, string(kind)+".pdf"), r.Body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.get("institution", at+"/lists/tickets?format=pdf&part=2").want(404)
	s.get("institution", at+"/lists/tickets?format=pdf&part=x").problem(400, "query")
	s.get("institution", at+"/lists/wages?format=pdf").problem(400, "list_kind")
}
