package web

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// publicised is a session in the middle of its publicity, with people from to to-1.
func (s *siteTest) publicised(by registrytest.Issuer, from, to int) registry.Session {
	s.t.Helper()
	plan := s.MustPlan(by)
	before := s.Clock.Now()
	out := s.MustPublicise(by, plan, registrytest.CSV(from, to))
	s.Clock.Set(before.Add(50 * time.Hour))
	return out
}

const (
	said   = "本人当日未见该人员到场\r\n请核对监控"
	teller = "王小明"
	phone  = "13800138000"
)

// TestObjectionForm goes from the list over the form to the receipt, as somebody
// without script does.
func TestObjectionForm(t *testing.T) {
	s := newSite(t)
	session := s.publicised(s.issuer, 5, 8)
	_, doc := s.page("/publicity/" + session.ID)
	count(t, doc, "tbody .act a", 3)
	count(t, doc, "#appeal option[selected]", 0)
	count(t, doc, "#appeal option", 4)
	second := doc.Find("tbody tr:nth-child(2) .act a")
	row := doc.Find("tbody tr:nth-child(2) td:first-child").Text()
	if label, _ := second.Attr("aria-label"); !strings.HasPrefix(label, "对第 "+row+" 行 ") {
		t.Errorf("label %q", label)
	}
	href, _ := second.Attr("href")
	if !strings.HasSuffix(href, "?row="+row+"#appeal") {
		t.Fatalf("link %q", href)
	}
	_, doc = s.page(strings.TrimSuffix(href, "#appeal"))
	wantAttr(t, doc, "#appeal option[selected]", "value", row)
	wantAttr(t, doc, "a.switch", "href", "/publicity/"+session.ID+"?lang=en&row="+row)
	wantAttr(t, doc, "#appeal form", "method", "post")
	if got := text(doc, "#appeal"); !strings.Contains(got, "实名") || !strings.Contains(got, "核查期间暂停") || !strings.Contains(got, "加密保存") {
		t.Errorf("the form explains nothing: %q", got)
	}
	action, _ := doc.Find("#appeal form").Attr("action")

	r, doc := s.post(action, url.Values{"row": {row}, "text": {said}, "name": {teller}, "phone": {phone}}.Encode())
	r.want(200)
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("the receipt may be kept")
	}
	wantText(t, doc, "[role=status] h1", "异议已收到")
	receipt := text(doc, ".receipt b")
	count(t, doc, "form", 0)
	count(t, doc, "ol.next li", 4)
	wantAttr(t, doc, ".ways a", "href", "/publicity/"+session.ID)
	wantAttr(t, doc, "a.switch", "href", "/publicity/"+session.ID+"?lang=en")
	for _, private := range []string{teller, phone, "未见该人员"} {
		if strings.Contains(string(r.Body), private) || strings.Contains(s.log.String(), private) {
			t.Errorf("%s is on the receipt or in the log", private)
		}
	}
	filed := into[list[registry.AppealView]](s.get("institution", "/api/v1/sessions/"+session.ID+"/appeals").want(200))
	if len(filed.Items) != 1 || filed.Items[0].ID != receipt || receipt == "" || strconv.Itoa(filed.Items[0].Row) != row {
		t.Fatalf("filed %+v, receipt %q", filed.Items, receipt)
	}
	if o := filed.Items[0].Objection; o.Text != strings.ReplaceAll(said, "\r\n", "\n") || o.Name != teller || o.Phone != phone {
		t.Errorf("objection %+v", o)
	}
	r, doc = s.post(action+"?lang=en", url.Values{"row": {row}, "text": {said}, "name": {teller}, "phone": {phone}}.Encode())
	r.want(200)
	wantText(t, doc, "h1", "Your objection has arrived")
}

// TestObjectionFormRefused: everything wrong at once, at the fields and on top,
// with what was typed; then what the state forbids.
func TestObjectionFormRefused(t *testing.T) {
	s := newSite(t)
	session := s.publicised(s.issuer, 5, 8)
	at := "/publicity/" + session.ID + "/appeal"
	r, doc := s.post(at, url.Values{"row": {"x"}, "text": {"<b>假"}, "name": {"x1"}, "phone": {"12"}}.Encode())
	r.want(400)
	count(t, doc, "#problems[role=alert] li", 4)
	for _, field := range []string{"row", "text", "name", "phone"} {
		count(t, doc, "#problems a[href='#"+field+"']", 1)
		count(t, doc, "#"+field+"[aria-invalid]", 1)
		count(t, doc, "#"+field+"-bad", 1)
		if by, _ := doc.Find("#" + field).Attr("aria-describedby"); !strings.Contains(by, field+"-bad") {
			t.Errorf("%s is described by %q", field, by)
		}
	}
	wantText(t, doc, "#text", "<b>假")
	wantAttr(t, doc, "#name", "value", "x1")
	wantAttr(t, doc, "#phone", "value", "12")
	count(t, doc, "h1", 1)
	// The form stands before the list, so that nobody has to look for it.
	if order := doc.Find("#appeal, .rows").Map(func(_ int, e *goquery.Selection) string { return e.AttrOr("id", "rows") }); strings.Join(order, " ") != "appeal rows" {
		t.Errorf("order %v", order)
	}

	good := url.Values{"row": {"99"}, "text": {"当日未见其到场"}, "name": {teller}, "phone": {phone}}
	for _, row := range []string{"99", "", "-1", "0"} {
		good.Set("row", row)
		r, doc = s.post(at, good.Encode())
		r.want(400)
		count(t, doc, "#problems li", 1)
		wantText(t, doc, "#row-bad", "请选择要反映的人员")
	}
	_, list := s.page("/publicity/" + session.ID)
	good.Set("row", list.Find("tbody td").First().Text())
	for range 3 {
		r, _ = s.post(at, good.Encode())
		r.want(200)
	}
	r, doc = s.post(at, good.Encode())
	r.want(409)
	wantText(t, doc, "#row-bad", "该人员已有异议在核查中，发证已暂停")
	wantText(t, doc, "#text", good.Get("text"))

	r, doc = s.post("/publicity/s-none/appeal", good.Encode())
	r.want(404)
	if got := text(doc, ".do"); !strings.Contains(got, "异议未提交") {
		t.Errorf("%q", got)
	}
	s.do("", "POST", at, "{}", "Accept", "application/json").problem(415, "content_type")
	if r, _ := s.post(at+"?cursor=nonsense!", good.Encode()); r.Status != 400 {
		t.Errorf("cursor: %d", r.Status)
	}
}

// TestLongestObjectionFits: a thousand characters as a form encodes them, with
// line breaks, are no more than the route takes.
func TestLongestObjectionFits(t *testing.T) {
	s := newSite(t)
	session := s.publicised(s.issuer, 5, 6)
	_, doc := s.page("/publicity/" + session.ID)
	form := url.Values{"row": {doc.Find("tbody td").First().Text()}, "text": {strings.Repeat("异\r\n", 499) + "议议"}, "name": {teller}, "phone": {phone}}
	r, _ := s.post("/publicity/"+session.ID+"/appeal", form.Encode())
	r.want(200)
}

// TestObjectionFromAnotherSite: a page elsewhere cannot have its visitors stop
// certificates.
func TestObjectionFromAnotherSite(t *testing.T) {
	s := newSite(t)
	session := s.publicised(s.issuer, 5, 6)
	_, doc := s.page("/publicity/" + session.ID)
	form := url.Values{"row": {doc.Find("tbody td").First().Text()}, "text": {"当日未见其到场"}, "name": {teller}, "phone": {phone}}.Encode()
	for from, status := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200} {
		s.do("", "POST", "/publicity/"+session.ID+"/appeal", form, "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "Sec-Fetch-Site", from).want(status)
	}
}

// TestObjectionsAreLimited like look-ups.
func TestObjectionsAreLimited(t *testing.T) {
	s := newSite(t, func(c *Config) {
		c.Limits = Limits{Lookup: 2}
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}
	})
	session := s.publicised(s.issuer, 5, 6)
	for range 2 {
		r, _ := s.post("/publicity/"+session.ID+"/appeal", "row=1")
		r.want(400)
	}
	r, doc := s.post("/publicity/"+session.ID+"/appeal", "row=1")
	r.want(429)
	count(t, doc, ".band.unproven h1", 1)
	if r, _ := s.page("/publicity/" + session.ID); r.Status != 200 {
		t.Errorf("the list is limited: %d", r.Status)
	}
}

// TestObjectionOnALaterPage keeps the page of the list beside the form.
func TestObjectionOnALaterPage(t *testing.T) {
	s := newSite(t)
	session := s.publicised(s.issuer, 0, sessionRows+3)
	_, doc := s.page("/publicity/" + session.ID)
	next, _ := doc.Find("a[rel=next]").Attr("href")
	_, doc = s.page(next)
	count(t, doc, "tbody tr", 3)
	link, _ := doc.Find("tbody .act a").First().Attr("href")
	_, doc = s.page(strings.TrimSuffix(link, "#appeal"))
	count(t, doc, "#appeal option[selected]", 1)
	action, _ := doc.Find("#appeal form").Attr("action")
	row, _ := doc.Find("#appeal option[selected]").Attr("value")
	r, doc := s.post(action, url.Values{"row": {row}}.Encode())
	r.want(400)
	wantAttr(t, doc, "#appeal option[selected]", "value", row)
	count(t, doc, "#problems li", 3)
}
