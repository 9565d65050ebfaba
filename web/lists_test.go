package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"bajigong/internal/sheet"
	"bajigong/registry"
)

func (s *siteTest) employer() {
	s.t.Helper()
	s.account("employer", registry.NewAccount{Name: "远帆公司人事", Organisation: "远帆装备制造有限公司", Roles: []registry.Role{registry.RoleEmployer}, Region: "320583"})
}

// signedAs signs in as somebody and returns the cookie for the Cookie header.
func (s *siteTest) signedAs(name string) string {
	s.t.Helper()
	r := s.do("", "POST", "/sign-in", url.Values{"key": {s.keys[name]}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin").want(303)
	cookies := (&http.Response{Header: r.Header}).Cookies()
	if len(cookies) != 1 {
		s.t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Name != "__Host-bjg" || c.MaxAge <= 0 {
		s.t.Errorf("cookie %v", c)
	}
	return c.Name + "=" + c.Value
}

func (s *siteTest) lists(cookie string) (proof string) {
	s.t.Helper()
	r := s.get("", "/lists", "Cookie", cookie, "Accept", "text/html").want(200)
	proof, _ = r.html().Find("form input[name=proof]").First().Attr("value")
	return proof
}

func TestSignInPages(t *testing.T) {
	s := newSite(t)
	s.employer()
	r := s.get("", "/lists", "Accept", "text/html").want(303)
	if to := r.Header.Get("Location"); to != "/sign-in?to=%2Flists" {
		t.Fatalf("on to %s", to)
	}
	page, doc := s.page("/sign-in?to=%2Flists&lang=en")
	page.want(200)
	if action, _ := doc.Find("form").Attr("action"); action != "/sign-in?lang=en&to=%2Flists" || doc.Find("input[type=password]").Length() != 1 {
		t.Errorf("the form goes to %s", action)
	}
	if _, doc = s.page("/sign-in?to=https://evil.example/"); strings.Contains(doc.Find("form").AttrOr("action", ""), "evil") {
		t.Error("one is led to another site")
	}
	r, doc = s.post("/sign-in", "key=bjg_x_y")
	r.want(400)
	count(t, doc, "#key[aria-invalid]", 1)
	if _, has := doc.Find("#key").Attr("value"); has || r.Header.Get("Set-Cookie") != "" {
		t.Error("the form shows what was typed, or a cookie is set")
	}
	s.do("", "POST", "/sign-in", "key="+s.keys["employer"], "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site").want(403)
	cookie := s.signedAs("employer")
	if proof := s.lists(cookie); len(proof) != 22 || strings.Contains(cookie, proof) {
		t.Errorf("proof %q", proof)
	}
	// The cookie is for pages alone, and pages take no key.
	s.do("", "GET", "/api/v1/sessions", nil, "Cookie", cookie).problem(401, "key_required")
	s.do("", "POST", "/api/v1/lists/check", listRequest{}, "Cookie", cookie).problem(401, "key_required")
	s.do("", "GET", "/lists", nil, "Authorization", "Bearer "+s.keys["employer"]).want(303)
	_, secret, _ := strings.Cut(cookie, "=")
	s.do("", "GET", "/api/v1/sessions", nil, "Authorization", "Bearer "+secret).problem(401, "key_unknown")
	s.do("", "GET", "/lists", nil, "Cookie", "bjg="+secret).want(303) // the name without the prefix
	// Signing out needs the form of the page, and ends it at once.
	out := func(proof, site string) reply {
		return s.do("", "POST", "/sign-out", "proof="+proof, "Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie, "Sec-Fetch-Site", site, "Accept", "text/html")
	}
	out("x", "same-origin").want(403)
	out(s.lists(cookie), "cross-site").want(403)
	out(s.lists(cookie), "").want(403)
	r = out(s.lists(cookie), "same-origin").want(303)
	if !strings.Contains(r.Header.Get("Set-Cookie"), "__Host-bjg=;") {
		t.Errorf("cookie %s", r.Header.Get("Set-Cookie"))
	}
	s.get("", "/lists", "Cookie", cookie).want(303)
	// Who may check no lists is told so.
	s.get("", "/lists", "Cookie", s.signedAs("institution"), "Accept", "text/html").want(403)
	for _, may := range []string{"authority", "auditor"} {
		s.get("", "/lists", "Cookie", s.signedAs(may), "Accept", "text/html").want(200)
	}
	// A revoked key ends what was begun with it.
	cookie = s.signedAs("employer")
	if _, err := s.RevokeKey(t.Context(), s.Authority, registry.KeyID(s.keys["employer"])); err != nil {
		t.Fatal(err)
	}
	s.get("", "/lists", "Cookie", cookie).want(303)
	r, _ = s.multipart("/lists", [][2]string{{"proof", "x"}, {"pasted", "y"}}, nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	r.want(401)
	if log := s.log.String(); strings.Contains(log, secret) || strings.Contains(log, s.keys["employer"]) {
		t.Error("the log has a secret")
	}
}

func TestSignInIsLimited(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.SignIn = 3 })
	for i := range 5 {
		r := s.do("", "POST", "/sign-in", "key=bjg_abc_x", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
		if want := map[bool]int{true: 400, false: 429}[i < 3]; r.Status != want {
			t.Errorf("try %d: %d", i, r.Status)
		}
	}
	// One key, from many addresses.
	s = newSite(t, func(c *Config) {
		c.Limits.SignIn = 3
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}
	})
	for i := range 5 {
		r := s.do("", "POST", "/sign-in", "key=bjg_abc_x", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "X-Forwarded-For", "198.51.100."+string(rune('1'+i)))
		if want := map[bool]int{true: 400, false: 429}[i < 3]; r.Status != want {
			t.Errorf("address %d: %d", i, r.Status)
		}
	}
}

// Without https nobody signs in, but on the machine itself.
func TestSignInNeedsHTTPS(t *testing.T) {
	s := newSite(t)
	for origin, safe := range map[string]bool{"https://zs.example.cn": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true, "http://localhost": true,
		"http://192.168.1.20:8080": false, "http://zs.example.cn": false} {
		s.server.origin = origin
		if s.server.cookiesAreSafe() != safe {
			t.Errorf("%s: %t", origin, !safe)
		}
	}
	s.server.origin = "http://192.168.1.20:8080"
	_, doc := s.page("/sign-in")
	count(t, doc, "form input[name=key]", 0)
	r, _ := s.post("/sign-in", "key="+s.keys["authority"])
	r.want(403)
	s.server.origin = "http://127.0.0.1:8080"
	r, _ = s.post("/sign-in", "key="+s.keys["authority"])
	if c := r.want(303).Header.Get("Set-Cookie"); !strings.HasPrefix(c, "bjg=") || strings.Contains(c, "secure") || !strings.Contains(strings.ToLower(c), "httponly") || !strings.Contains(c, "SameSite=Strict") {
		t.Errorf("cookie %s", c)
	}
}

func TestListsPage(t *testing.T) {
	s := newSite(t)
	s.employer()
	issued := s.MustCertificates(s.issuer, 0, 5)
	if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[1].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社撤〔2026〕3号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	cookie := s.signedAs("employer")
	proof := s.lists(cookie)
	pasted := strings.Join([]string{issued[0].Number + "\t" + issued[0].Name, issued[1].Number + " " + issued[1].Name, "", "张三丰 " + issued[2].Number, issued[3].QR, issued[0].Number + "," + issued[0].Name}, "\r\n")
	send := func(fields [][2]string, file []byte) reply {
		r, _ := s.multipart("/lists", append([][2]string{{"proof", proof}}, fields...), file, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
		return r
	}
	doc := send([][2]string{{"pasted", pasted}, {"file", "@"}, {"as", "page"}}, nil).want(200).html()
	count(t, doc, ".answers tbody tr", 5)
	count(t, doc, ".answers tbody tr.fine", 2)
	wantText(t, doc, ".sum b", "共 5 行：有效 3 行，有问题 2 行")
	for i, want := range []string{"有效", "不可采信", "未证实", "有效", "有效"} {
		if got := strings.TrimSpace(doc.Find(".answers tbody tr .status").Eq(i).Contents().Last().Text()); got != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
	text := doc.Find(".answers").Text()
	for _, want := range []string{"未查到相符的登记", "与第 1 行重复", "证书已撤销", issued[3].Name} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing: %s", want, text)
		}
	}
	if strings.Contains(text, issued[2].Name) {
		t.Error("a name was told to somebody who did not know it")
	}
	if doc.Find("#pasted").Text() != strings.ReplaceAll(pasted, "\r\n", "\n") && doc.Find("#pasted").Text() != pasted {
		t.Error("what was pasted is gone")
	}
	// A file back, with its own columns.
	file := []byte("工号,姓名,证书编号\n007," + issued[0].Name + "," + issued[0].Number + "\n=1+1,没有,S000032058300253999999\n")
	r := send([][2]string{{"pasted", ""}, {"file", "@名单.csv"}, {"as", "csv"}}, file).want(200)
	if r.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(r.Header.Get("Content-Disposition"), "attachment") || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", r.Header)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(r.Body, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != 3 || strings.Join(rows[0], " ") != "工号 姓名 证书编号 结果 原因 处理建议 查验时间 回执 职业 等级 发证日期 行号 重复" || rows[1][0] != "007" || rows[1][3] != "有效" ||
		rows[2][3] != "未证实" || rows[2][0] == "=1+1" || rows[1][8] != "电工" || rows[1][11] != "2" {
		t.Errorf("%q, %v", rows, err)
	}
	r = send([][2]string{{"file", "@list.csv"}, {"as", "xlsx"}}, file).want(200)
	back, err := sheet.Read(bytes.NewReader(r.Body), sheet.Limits{})
	if err != nil || len(back.Rows) != 2 || back.Rows[1].Cells[0] != "=1+1" || back.Rows[0].Cells[3] != "有效" {
		t.Errorf("%+v, %v", back, err)
	}
	// The workbook itself is a list.
	if r = send([][2]string{{"file", "@list.xlsx"}, {"as", "page"}}, r.Body); r.Status != 200 {
		t.Errorf("the workbook again: %d %s", r.Status, r.html().Find("#problems").Text())
	}
	for name, one := range map[string]struct {
		fields [][2]string
		file   []byte
		status int
		at     string
	}{
		"nothing":       {[][2]string{{"pasted", " \n"}}, nil, 400, "#pasted"},
		"both":          {[][2]string{{"pasted", "x 1234"}, {"file", "@a.csv"}}, file, 400, "#pasted"},
		"wrong columns": {[][2]string{{"file", "@a.csv"}}, []byte("姓名,部门\na,b\n"), 400, "#file"},
		"no table":      {[][2]string{{"file", "@a.csv"}}, []byte("%PDF-1.4"), 400, "#pasted"},
		"too many":      {[][2]string{{"pasted", strings.Repeat("x 1234\n", 2001)}}, nil, 413, "#pasted"},
	} {
		r := send(one.fields, one.file)
		if r.Status != one.status || r.html().Find(`#problems a[href="`+one.at+`"]`).Length() == 0 {
			t.Errorf("%s: %d %s", name, r.Status, r.html().Find("#problems").Text())
		}
	}
	// The form of another page does nothing, nor does one without its proof.
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, nil} {
		r, _ := s.multipart("/lists", [][2]string{{"proof", proof}, {"pasted", pasted}}, nil, append([]string{"Cookie", cookie}, headers...)...)
		r.want(403)
	}
	r, _ = s.multipart("/lists", [][2]string{{"proof", "x"}, {"pasted", pasted}}, nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	r.want(403)
	r, _ = s.multipart("/lists", [][2]string{{"pasted", pasted}}, nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
	r.want(403)
	// An old browser that says neither: its Origin is null here, and the proof is what counts.
	r, _ = s.multipart("/lists", [][2]string{{"proof", proof}, {"pasted", pasted}, {"as", "page"}}, nil, "Cookie", cookie, "Origin", "null")
	r.want(200)
	if log := s.log.String(); strings.Contains(log, issued[0].Name) || strings.Contains(log, issued[0].Number) {
		t.Error("the log has the list")
	}
}

func TestListsAPI(t *testing.T) {
	s := newSite(t)
	s.employer()
	issued := s.MustCertificates(s.issuer, 0, 3)
	in := listRequest{Rows: []registry.ListRow{{Number: issued[0].Number, Name: issued[0].Name}, {Number: issued[1].Number, Name: "张三丰"}, {QR: issued[2].QR}}}
	r := s.do("employer", "POST", "/api/v1/lists/check", in).want(200)
	var got listReport
	if err := json.Unmarshal(r.Body, &got); err != nil || got.Rows != 3 || got.Good != 2 || len(got.Answers) != 3 || got.Answers[1].First() != "unknown-certificate" || got.Answers[0].Row != 1 || got.Answers[2].Text.ZH != "证书有效" {
		t.Errorf("%s %v", r.Body, err)
	}
	file := "姓名,证书编号\n" + issued[0].Name + "," + issued[0].Number + "\n"
	r = s.do("employer", "POST", "/api/v1/lists/check", file, "Content-Type", "text/csv", "Accept", "text/csv").want(200)
	if !strings.Contains(string(r.Body), "有效") {
		t.Errorf("%s", r.Body)
	}
	r = s.do("employer", "POST", "/api/v1/lists/check", file, "Content-Type", "text/csv", "Accept", typeXLSX).want(200)
	if back, err := sheet.Read(bytes.NewReader(r.Body), sheet.Limits{}); err != nil || len(back.Rows) != 1 {
		t.Error(err)
	}
	s.do("employer", "POST", "/api/v1/lists/check", in, "Accept", "image/png").want(406)
	s.do("employer", "POST", "/api/v1/lists/check", listRequest{}).problem(400, "list_empty")
	s.do("employer", "POST", "/api/v1/lists/check", `{"rows":[{"number":"x","other":1}]}`).problem(400, "field_unknown")
	s.do("payer", "POST", "/api/v1/lists/check", in).problem(403, "not_allowed")
	s.do("", "POST", "/api/v1/lists/check", in).problem(401, "key_required")
	for range 17 {
		s.do("employer", "POST", "/api/v1/lists/check", in).want(200)
	}
	s.do("employer", "POST", "/api/v1/lists/check", in).problem(429, "lists_spent")
}
