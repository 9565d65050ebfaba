package web

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"bajigong/credentials"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// TestEveryTemplateIsShown executes each page in both languages and looks at
// what all of them promise.
func TestEveryTemplateIsShown(t *testing.T) {
	s := newSite(t, func(c *Config) { c.DemoNotice, c.DemoNoticeEN = "演示", "Demonstration" })
	issued := s.MustCertificates(s.issuer, 0, 1)
	session := s.MustPlan(s.issuer)
	before := s.Clock.Now()
	s.MustPublicise(s.issuer, session, registrytest.CSV(5, 8))
	s.Clock.Set(before.Add(50 * time.Hour))
	paths := map[string]string{"home": "/", "verify": "/verify", "directory": "/directory", "publicity": "/publicity",
		"session": "/publicity/" + session.ID, "verdict": "/c/" + string(issued[0].Handle), "error": "/nowhere",
		"institution": "/directory/" + s.issuer.Institution.ID, "statistics": "/statistics", "decisions": "/decisions", "inspections": "/inspections", "offline": "/offline",
		"receipt": "/receipts", "sign-in": "/sign-in", "lists": "/lists"}
	cookie := s.signedAs("authority")
	if len(paths) != len(pageNames) {
		t.Errorf("%d pages, %d templates", len(paths), len(pageNames))
	}
	for _, name := range pageNames {
		for lang, suffix := range map[string]string{"zh-CN": "", "en": "?lang=en"} {
			r := s.get("", paths[name]+suffix, "Accept", "text/html,*/*;q=0.8", "Cookie", cookie)
			doc := r.html()
			if r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s: %s", name, r.Header.Get("Content-Type"))
			}
			doc.Find("template").Remove() // what a script may put in its place
			wantAttr(t, doc, "html", "lang", lang)
			count(t, doc, "h1", 1)
			count(t, doc, "main#main", 1)
			count(t, doc, "a.skip[href='#main']", 1)
			count(t, doc, "script:not([type=module][src^='/static/']), [style], [onclick], style, iframe", 0)
			count(t, doc, "p.notice.demo", 1)
			count(t, doc, "footer .origin", 1)
			wantText(t, doc, "footer .origin b", registrytest.Origin+"/")
			if doc.Find("title").Text() == "" || doc.Find("meta[name=viewport]").Length() != 1 {
				t.Errorf("%s: head", name)
			}
			other := map[string]string{"zh-CN": paths[name] + "?lang=en", "en": paths[name]}[lang]
			wantAttr(t, doc, "a.switch", "href", other)
			if lang == "en" {
				doc.Find("header a, main a").Each(func(_ int, a *goquery.Selection) {
					href, _ := a.Attr("href")
					file := strings.Contains(href, ".json") || strings.HasPrefix(href, "/api/") || strings.HasPrefix(href, "/log/") || strings.HasPrefix(href, "tel:") || strings.HasPrefix(href, "#")
					if !file && !a.HasClass("switch") && !strings.Contains(href, "lang=en") {
						t.Errorf("%s: %q leaves English", name, href)
					}
				})
			}
			doc.Find("[src], link[href], form[action]").Each(func(_ int, e *goquery.Selection) {
				for _, attr := range []string{"src", "href", "action"} {
					if v, ok := e.Attr(attr); ok && !strings.HasPrefix(v, "/") {
						t.Errorf("%s: %s=%q is not ours", name, attr, v)
					}
				}
			})
			doc.Find("input:not([type=hidden]), textarea, select").Each(func(_ int, in *goquery.Selection) {
				id, _ := in.Attr("id")
				count(t, doc, "label[for='"+id+"']", 1)
				if by, ok := in.Attr("aria-describedby"); ok {
					for _, ref := range strings.Fields(by) {
						count(t, doc, "#"+ref, 1)
					}
				}
			})
			if bytes.Contains(r.Body, []byte("ZgotmplZ")) || bytes.Contains(r.Body, []byte("<no value>")) || bytes.Contains(r.Body, []byte("%!")) {
				t.Errorf("%s has a hole", name)
			}
		}
	}
}

func wantAttr(t testing.TB, doc *goquery.Document, selector, attr, want string) {
	t.Helper()
	if got, _ := doc.Find(selector).First().Attr(attr); got != want {
		t.Errorf("%s[%s] = %q, want %q", selector, attr, got, want)
	}
}

func TestTemplatesAreAllKnown(t *testing.T) {
	files, err := fs.Glob(embedded, "templates/*.html")
	if err != nil || len(files) != len(pageNames)+3 {
		t.Errorf("%d templates, %d pages: %v", len(files), len(pageNames), err)
	}
}

func TestStaticFilesHaveTheirContentInTheName(t *testing.T) {
	s := newSite(t)
	_, doc := s.page("/")
	for _, selector := range []string{"link[rel=stylesheet]", "link[rel=icon]"} {
		href, _ := doc.Find(selector).Attr("href")
		r := s.get("", href).want(200)
		if r.Header.Get("Cache-Control") != immutable || r.Header.Get("ETag") == "" {
			t.Errorf("%s: %v", href, r.Header)
		}
		if bytes.Contains(r.Body, []byte("url(")) || bytes.Contains(r.Body, []byte("@import")) {
			t.Errorf("%s loads something", href)
		}
	}
	s.get("", "/static/site.css").problem(404, "page_unknown")
	s.get("", "/static/..%2fweb.go").problem(404, "page_unknown")
}

func TestVerdictPage(t *testing.T) {
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 4)
	person := invented.PersonAt(0)
	c := issued[0]
	r, doc := s.page("/c/" + string(c.Handle))
	r.want(200)
	if r.Header.Get("Vary") != "Accept" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", r.Header)
	}
	count(t, doc, "meta[name=robots][content='noindex, nofollow']", 1)
	count(t, doc, ".band.good[role=status] svg circle", 1)
	wantText(t, doc, ".band h1", "证书有效")
	wantText(t, doc, ".band .do", "请核对姓名和证件号码")
	if got := text(doc, ".band .checked"); !strings.HasPrefix(got, "在线查验 2026-") {
		t.Errorf("checked: %q", got)
	}
	facts := map[string]string{}
	doc.Find(".sheet .facts > div").Each(func(_ int, row *goquery.Selection) {
		facts[row.Find("dt").Text()] = strings.Join(strings.Fields(row.Find("dd").Text()), " ")
	})
	for name, want := range map[string]string{
		"姓名": person.Name, "证件号码": c.Document, "职业": "电工 6-31-01-03", "工种": "--", "等级": "三级 / 高级工",
		"证书编号": c.Number, "评价机构": "第1职业技能评价中心发证时 已备案 · 现在 已备案", "发证日期": string(c.Issued),
	} {
		if facts[name] != want {
			t.Errorf("%s: %q, want %q", name, facts[name], want)
		}
	}
	count(t, doc, ".number span", 7)
	wantText(t, doc, "details.proof summary", "签名与登记记录")
	if _, open := doc.Find("details.proof").Attr("open"); open {
		t.Error("the proof is not folded")
	}
	link, _ := doc.Find("details.proof a[href^='/api/v1/log/entries/']").Attr("href")
	s.get("", link).want(200)
	if got := text(doc, ".receipt b"); len(got) != 9 || got[4] != '-' {
		t.Errorf("receipt %q", got)
	}
	wantText(t, doc, "footer .origin", "本页网址应以 "+registrytest.Origin+"/ 开头，否则为仿冒")
	for _, href := range []string{"tel:12333", "http://zscx.osta.org.cn", "https://report.example.gov.cn/"} {
		count(t, doc, "footer a[href='"+href+"']", 1)
	}
	if strings.Contains(string(r.Body), person.Document) {
		t.Error("the whole document number is on the page")
	}

	// JSON is the same verdict.
	r = s.get("", "/c/"+string(c.Handle), "Accept", "application/json").want(200)
	if v := into[credentials.Verdict](r); !v.Valid || r.Header.Get("Vary") != "Accept" || !bytes.Contains(r.Body, []byte(`"text":{"en":"Valid certificate","zh":"证书有效"}`)) {
		t.Errorf("JSON %s", r.Body)
	}
	s.get("", "/c/"+string(c.Handle), "Accept", "image/png").problem(406, "not_acceptable")
	if r := s.get("", "/c/"+string(c.Handle), "Accept", "*/*"); !bytes.Contains(r.Body, []byte("<!doctype html>")) {
		t.Error("*/* is not answered with the page")
	}

	// Not found is not false, whatever was asked.
	for _, handle := range []string{"0000000000000", "nonsense", "%00", "%FF", strings.Repeat("a", 300), "..%2f..%2fetc"} {
		r, doc := s.page("/c/" + handle)
		r.want(404)
		wantText(t, doc, ".band.unproven h1", "未查到，不等于假证")
		count(t, doc, ".facts", 0)
		r = s.get("", "/c/"+handle, "Accept", "application/json").want(404)
		if v := into[credentials.Verdict](r); v.First() != credentials.ReasonUnknownCertificate {
			t.Errorf("%s: %s", handle, r.Body)
		}
	}

	// Each change has its own words, colour and shape.
	for i, one := range []struct {
		kind             registry.ChangeKind
		band, say, shape string
	}{
		{registry.ChangeVoid, "bad", "证书已撤销，自始无效", "svg path[d^='M15.7']"},
		{registry.ChangeCancel, "bad", "证书已于 " + standards.DateOf(s.Clock.Now()).Chinese() + " 注销", "svg path[d^='M15.7']"},
		{registry.ChangeSuspend, "caution", "证书核查中，暂停使用", "svg path[d^='M24 5']"},
	} {
		if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[i+1].Number, registry.NewChange{Kind: one.kind, Document: "文1号", Reason: "测试"}); err != nil {
			t.Fatal(err)
		}
		_, doc := s.page("/c/" + string(issued[i+1].Handle))
		wantText(t, doc, ".band."+one.band+" h1", one.say)
		count(t, doc, ".band "+one.shape, 1)
		wantText(t, doc, ".sheet h2", "登记的内容")
	}
	_, doc = s.page("/c/" + string(c.Handle) + "?lang=en")
	wantText(t, doc, ".band h1", "Valid certificate")
}

func TestLookupForm(t *testing.T) {
	s := newSite(t)
	c := s.MustCertificates(s.issuer, 0, 1)[0]
	person := invented.PersonAt(0)
	r, doc := s.post("/", url.Values{"number": {c.Number}, "name": {person.Name}}.Encode())
	r.want(200)
	wantText(t, doc, ".band.good h1", "证书有效")
	masked := []rune(person.Name)[:1]
	wantText(t, doc, ".person", string(masked)+"*")
	wantAttr(t, doc, "#number", "value", c.Number)
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be kept")
	}
	r, doc = s.post("/?lang=en", url.Values{"number": {c.Number}, "document": {person.Document}}.Encode())
	r.want(200)
	wantText(t, doc, ".band.good h1", "Valid certificate")
	r, doc = s.post("/", url.Values{"number": {c.Number}, "name": {"<b>别人</b>"}}.Encode())
	r.want(200)
	wantText(t, doc, ".band.unproven h1", "未查到，不等于假证")
	wantAttr(t, doc, "#name", "value", "<b>别人</b>")

	r, doc = s.post("/", "number=S1&name=")
	r.want(400)
	count(t, doc, "#problems[role=alert] li", 2)
	for _, field := range []string{"number", "name"} {
		count(t, doc, "#problems a[href='#"+field+"']", 1)
		count(t, doc, "#"+field+"[aria-invalid]", 1)
		count(t, doc, "#"+field+"-bad", 1)
	}
	wantAttr(t, doc, "#number", "value", "S1")
	r, _ = s.post("/", "number=%00&name=a")
	r.want(400)
	r, _ = s.post("/", "number=%zz")
	r.want(400)
	s.do("", "POST", "/", "{}", "Accept", "application/json").problem(415, "content_type")
}

func TestVerifyForm(t *testing.T) {
	s := newSite(t)
	c := s.MustCertificates(s.issuer, 0, 1)[0]
	r, doc := s.post("/verify", url.Values{"code": {" " + c.QR + "\n"}}.Encode())
	r.want(200)
	wantText(t, doc, ".band.good h1", "证书有效")
	wantText(t, doc, ".person", invented.PersonAt(0).Name)
	r, _ = s.post("/verify?lang=en", url.Values{"code": {strings.ToUpper(c.Handle.Grouped())}}.Encode())
	if r.Status != 303 || r.Header.Get("Location") != "/c/"+string(c.Handle)+"?lang=en" {
		t.Errorf("a typed handle: %d to %q", r.Status, r.Header.Get("Location"))
	}
	r, doc = s.post("/verify", "code=hello+world")
	r.want(400)
	count(t, doc, "#code[aria-invalid]", 1)
	wantText(t, doc, "textarea", "hello world")
	r, doc = s.post("/verify", "code=")
	r.want(400)
	count(t, doc, "#problems li", 1)

	image, err := credentials.NewImage(c.QR)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := image.PNG(4)
	if err != nil {
		t.Fatal(err)
	}
	r = s.picture("", picture)
	r.want(200)
	wantText(t, r.html(), ".band.good h1", "证书有效")
	r = s.picture("", []byte("no picture"))
	r.want(400)
	count(t, r.html(), "#image[aria-invalid]", 1)
	r = s.picture("", nil)
	r.want(400)
	count(t, r.html(), "#code[aria-invalid]", 1)
	altered := c.QR[:len(c.QR)-2] + "20"
	if altered == c.QR {
		altered = c.QR[:len(c.QR)-2] + "21"
	}
	r, doc = s.post("/verify", url.Values{"code": {altered}}.Encode())
	r.want(200)
	wantText(t, doc, ".band.bad h1", "二维码内容被改动")
	r, _ = s.post("/verify", url.Values{"code": {"https://evil.example.com/c/0000000000000#5676"}}.Encode())
	if r.Status >= 500 {
		t.Errorf("%d", r.Status)
	}
	r = s.do("", "POST", "/verify", "--x", "Content-Type", "multipart/form-data", "Accept", "text/html")
	r.want(400)
}

// picture sends the form of /verify with a picture; nil chooses none.
func (s *siteTest) picture(code string, data []byte) reply {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("code", code); err != nil {
		s.t.Fatal(err)
	}
	name := "code.png"
	if data == nil {
		name = ""
	}
	part, err := w.CreateFormFile("image", name)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := part.Write(data); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	return s.do("", "POST", "/verify", b.Bytes(), "Content-Type", w.FormDataContentType(), "Accept", "text/html")
}

func TestDirectoryPage(t *testing.T) {
	s := newSite(t)
	for i := 2; i <= 23; i++ {
		s.MustAdmit(i)
	}
	_, doc := s.page("/directory")
	count(t, doc, "tbody tr", directoryRows)
	next, ok := doc.Find("a[rel=next]").Attr("href")
	if !ok {
		t.Fatal("no next page")
	}
	wantText(t, doc, "tbody tr:first-child .status", "✓ 已备案")
	wantText(t, doc, "tbody tr:first-child .scope li:first-child span[lang]", "电工")
	_, doc = s.page(next)
	count(t, doc, "tbody tr", 3)
	count(t, doc, "a[rel=next]", 0)
	other, _ := doc.Find("a.switch").Attr("href")
	if _, doc = s.page(other); doc.Find("tbody tr").Length() != 3 || doc.Find("html").AttrOr("lang", "") != "en" {
		t.Errorf("the switch to %q loses the page", other)
	}
	r, _ := s.page("/directory?cursor=nonsense!")
	r.want(400)

	// A suspension shows on the page and in the API.
	s.do("authority", "POST", "/api/v1/decisions", newDecision{Institution: s.issuer.Institution.ID, Filing: s.issuer.Filing.ID, Kind: "suspend",
		Effective: standards.DateOf(s.Clock.Now()), Document: "苏人社〔2026〕9号", Basis: "办法第十条"}).want(201)
	all := into[registry.DirectoryPage](s.get("", "/api/v1/institutions?limit=500").want(200))
	found := false
	for _, inst := range all.Items {
		if inst.ID == s.issuer.Institution.ID {
			found = inst.Filings[0].Status == credentials.InstitutionOnHold && inst.Filings[0].Prefix == s.issuer.Filing.Prefix()
		}
	}
	if !found {
		t.Error("the suspended filing is not shown as suspended")
	}
	raw, _ := json.Marshal(all)
	if bytes.Contains(raw, []byte("decisions")) {
		t.Error("decisions are in the public directory")
	}
}

func TestEmptyListsSayWhatToDo(t *testing.T) {
	s := newSite(t)
	_, doc := s.page("/publicity")
	if got := text(doc, "p.notice"); !strings.Contains(got, "没有正在公示") {
		t.Errorf("%q", got)
	}
}
