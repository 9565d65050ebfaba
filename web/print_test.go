package web

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"bajigong/credentials"
	"bajigong/credentials/paper"
	"bajigong/internal/invented"
	"bajigong/internal/needed"
	"bajigong/internal/rulefile"
	"bajigong/registry"
)

// withFonts prints with the fonts of this machine; the test is skipped without.
func withFonts(t testing.TB) func(*Config) {
	t.Helper()
	var chain []*paper.Font
	for _, f := range paper.FindFonts(os.DirFS("/"), "usr/share/fonts") {
		chain = append(chain, f.Font)
	}
	fonts, err := paper.NewFonts(chain...)
	if err != nil {
		needed.Missing(t, "a Chinese TrueType font (Debian: fonts-lxgw-wenkai):", err)
	}
	return func(c *Config) {
		c.Paper.Fonts = func() (paper.Fonts, []rulefile.Text, error) {
			return fonts, []rulefile.Text{{ZH: "不是仿宋", EN: "not 仿宋"}}, nil
		}
	}
}

func TestCertificatePDFOverHTTP(t *testing.T) {
	s := newSite(t, withFonts(t))
	issued := s.MustCertificates(s.issuer, 0, 3)
	at := "/api/v1/certificates/" + issued[0].Number + "/certificate.pdf"
	for as, status := range map[string]int{"": 401, "payer": 403, "auditor": 403, "authority": 200} {
		s.get(as, at).want(status)
	}
	r := s.get("institution", at+"?lang=both").want(200)
	if r.Header.Get("Content-Type") != "application/pdf" || r.Header.Get("Cache-Control") != "no-store" || !bytes.HasPrefix(r.Body, []byte("%PDF-1.7")) ||
		r.Header.Get("Paper-Warning") != "font, sample-text" || strings.Contains(r.Header.Get("Content-Disposition"), issued[0].Number) {
		t.Errorf("%v", r.Header)
	}
	for query, code := range map[string]string{"?lang=fr": "query", "?blank=none": "query", "?blank=blank-sample&x=99": "query", "?blank=blank-sample&y=NaN": "query", "?purpose=fun": "purpose"} {
		s.get("institution", at+query).problem(400, code)
	}
	if r := s.get("institution", at+"?blank=blank-sample&x=0.5&y=-1").want(200); r.Header.Get("Paper-Warning") != "font, sample-layout" {
		t.Errorf("on a blank: %v", r.Header)
	}
	all := s.get("institution", "/api/v1/sessions/"+issued[0].Session+"/certificates.pdf").want(200)
	if all.Header.Get("Paper-Skipped") != "0" || all.Header.Get("Link") != "" || !bytes.Contains(all.Body, []byte("/Count 3/")) {
		t.Errorf("a session: %v", all.Header)
	}
	s.get("institution", "/api/v1/sessions/"+issued[0].Session+"/certificates.pdf?part=2").want(404)
	s.get("institution", "/api/v1/sessions/"+issued[0].Session+"/certificates.pdf?part=0").problem(400, "part")
	for _, one := range issued {
		if _, err := s.ChangeCertificate(t.Context(), s.Authority, one.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文 1", Reason: "虚假评价"}); err != nil {
			t.Fatal(err)
		}
	}
	s.get("institution", at).problem(409, "certificate_status")
	s.get("institution", "/api/v1/sessions/"+issued[0].Session+"/certificates.pdf").problem(409, "nothing_valid")
	if bytes.Contains([]byte(s.log.String()), []byte(invented.PersonAt(0).Document)) {
		t.Error("a document number is in the log")
	}
}

// Without a font there is no PDF, and nothing is logged as printed; the print
// view works.
func TestWithoutFontsTheBrowserPrints(t *testing.T) {
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 1)
	at := "/api/v1/certificates/" + issued[0].Number
	s.get("institution", at+"/certificate.pdf").problem(400, "no_font")
	s.get("payer", at+"/print").want(403)
	for _, lang := range []string{"", "?lang=both"} {
		r := s.get("institution", at+"/print"+lang).want(200)
		doc, err := goquery.NewDocumentFromReader(bytes.NewReader(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		text := doc.Find(".sheet").Text()
		last := -1
		for _, want := range []string{"职业技能等级证书", "评价机构名称", "发证日期", "姓名", issued[0].Name, "证件类型", "居民身份证", "证件号码", invented.PersonAt(0).Document,
			"职业名称", "工种/职业方向", "职业技能等级", "三级/高级工", "证书编号", issued[0].Number, issued[0].Handle.Grouped(), "http://jndj.osta.org.cn", "http://pjjg.osta.org.cn"} { // 人社鉴发〔2021〕1号
			at := strings.Index(text[last+1:], want)
			if at < 0 {
				t.Errorf("%s: no %s in its place", lang, want)
				continue
			}
			last += at
		}
		if doc.Find(".qr svg path").Length() != 1 || doc.Find("script, link, [onclick], iframe, [style]").Length() != 0 || strings.Contains(string(r.Body), "ZgotmplZ") {
			t.Errorf("the page has something it must not have, or no code")
		}
		if english := doc.Find("dt small").Length() > 0; english != (lang != "") {
			t.Errorf("%q: English %t", lang, english)
		}
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "style-src 'sha256-") || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", r.Header)
		}
		save(t, "print"+strings.TrimPrefix(lang, "?lang=")+".html", r.Body)
	}
}

func save(t testing.TB, name string, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("PAPER_KEEP"); keep != "" {
		dir = keep
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The print view in a real browser: one page of A4, its code readable.
func TestPrintViewInABrowser(t *testing.T) {
	t.Parallel()
	for program, debian := range map[string]string{"chromium": "chromium", "pdftoppm": "poppler-utils", "pdfinfo": "poppler-utils", "zbarimg": "zbar-tools", "ZXingReader": "zxing-cpp-tools"} {
		needed.Tool(t, program, debian)
	}
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 1)
	r := s.get("institution", "/api/v1/certificates/"+issued[0].Number+"/print?lang=both").want(200)
	html := save(t, "browser.html", r.Body)
	pdf := strings.TrimSuffix(html, ".html") + ".pdf"
	run := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+t.TempDir(), "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+html)
	if info := run("pdfinfo", pdf); !strings.Contains(info, "Pages:           1\n") || !strings.Contains(info, "A4") {
		t.Error(info)
	}
	run("pdftoppm", "-r", "300", "-png", "-singlefile", pdf, strings.TrimSuffix(pdf, ".pdf"))
	if got := run("zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", strings.TrimSuffix(pdf, ".pdf")+".png"); strings.TrimSpace(got) != issued[0].QR {
		t.Errorf("zbar reads %q, want %q", got, issued[0].QR)
	}
	picture := strings.TrimSuffix(pdf, ".pdf") + ".png"
	if got := run("ZXingReader", "-format", "QRCode", picture); !strings.Contains(got, issued[0].QR) {
		t.Errorf("ZXing reads %q", got)
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := credentials.DecodeImage(f); err != nil || got != issued[0].QR {
		t.Errorf("gozxing reads %q, %v", got, err)
	}
}
