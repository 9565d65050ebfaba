package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answering runs a command against a server that gives one answer to all.
func answering(t *testing.T, status int, kind, body string, header map[string]string) (*machine, string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			rw.Header().Set(k, v)
		}
		rw.Header().Set("Content-Type", kind)
		rw.WriteHeader(status)
		rw.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	m := newMachine(t)
	m.env["BAJIGONG_KEY"] = "bjg_abc_geheim"
	m.env["BAJIGONG_SERVER"] = server.URL
	return m, server.URL
}

func TestAnswersThatAreNone(t *testing.T) {
	const problems = "application/problem+json"
	for name, c := range map[string]struct {
		status int
		kind   string
		body   string
		header map[string]string
		exit   int
		says   []string
	}{
		"a problem":          {409, problems, `{"code":"claim_move","detail":"it is released","detail_zh":"已解除"}`, nil, exitConflict, []string{"已解除", "it is released", "claim_move"}},
		"its fields":         {400, problems, `{"code":"claim","detail":"one mistake","detail_zh":"有误","fields":[{"field":"name","code":"x","zh":"缺","en":"missing"}]}`, nil, exitInvalid, []string{"name：缺 — missing"}},
		"no key":             {401, problems, `{"code":"key_unknown","detail":"unknown key","detail_zh":"密钥不存在"}`, nil, exitDenied, []string{"密钥不存在"}},
		"too often":          {429, problems, `{"code":"too_many","detail":"later","detail_zh":"过于频繁"}`, map[string]string{"Retry-After": "17"}, exitTemporary, []string{"17 秒后再试", "again in 17 s"}},
		"its fault":          {500, problems, `{"code":"internal","detail":"no answer","detail_zh":"无法答复","reference":"3fa2c1-12"}`, nil, exitInternal, []string{"3fa2c1-12"}},
		"any other refusal":  {405, problems, `{"code":"method_not_allowed","detail":"no","detail_zh":"不支持"}`, nil, exitInvalid, []string{"不支持"}},
		"somebody else":      {404, "text/html", `<h1>404</h1>`, nil, exitTemporary, []string{"is the address right"}},
		"not JSON":           {200, "text/html", `<h1>Welcome</h1>`, nil, exitTemporary, []string{"is the address right"}},
		"another address":    {301, "text/html", ``, map[string]string{"Location": "https://new.example.gov.cn/api/v1/claims/c-1"}, exitInvalid, []string{"https://new.example.gov.cn"}},
		"a redirect to self": {302, "text/html", ``, map[string]string{"Location": "/login"}, exitTemporary, []string{"is the address right"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := answering(t, c.status, c.kind, c.body, c.header)
			m.run(c.exit, "claim", "show", "c-1")
			says(t, m.errs.String(), c.says...)
			if bytesContain(m.errs.Bytes(), "geheim") || m.out.Len() > 0 {
				t.Errorf("stdout %q, stderr %q", &m.out, &m.errs)
			}
		})
	}
}

// TestNothingPersonalInAddresses: what people type goes into bodies.
func TestNothingPersonalInAddresses(t *testing.T) {
	const name, document = "欧阳娜娜", "32058319660101001X"
	var addresses []string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		addresses = append(addresses, r.Method+" "+r.RequestURI)
		if got := r.Header.Get("Authorization"); got != "Bearer bjg_abc_geheim" {
			t.Errorf("Authorization: %q", got)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.Write([]byte(`{"outcome": "allow", "match": true}`))
	}))
	defer server.Close()
	m := newMachine(t)
	m.env["BAJIGONG_KEY"], m.env["BAJIGONG_SERVER"] = "bjg_abc_geheim", server.URL
	for _, step := range []string{"check", "reserve"} {
		m.run(exitOK, "claim", step, "--name", name, "--document", document, "--reference", "KS-1", "--certificate", "S000032058300263000001")
	}
	if got := strings.Join(addresses, ","); got != "POST /api/v1/claims/check,POST /api/v1/claims" {
		t.Error(got)
	}
}

func TestListsAreReadToTheirEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		page := map[string]string{
			"":    `{"items": [{"code": "1-01-00-01", "name": "甲"}], "next": "b+/"}`,
			"b+/": `{"items": [], "next": "c"}`,
			"c":   `{"items": [{"code": "1-01-00-02", "name": "\u001b[2J乙"}]}`,
		}[r.URL.Query().Get("cursor")]
		rw.Write([]byte(page))
	}))
	defer server.Close()
	m := newMachine(t)
	out := m.run(exitOK, "occupations", "list", "--server", server.URL)
	says(t, out, "甲", "乙")
	says(t, m.errs.String(), "2 个职业")
	if strings.Contains(out, "\x1b") {
		t.Error("a server can steer the terminal")
	}
}

func TestNobodyAnswers(t *testing.T) {
	m, url := answering(t, 200, "application/json", "{}", nil)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	m.run(exitTemporary, "claim", "show", "c-1", "--server", dead.URL)
	says(t, m.errs.String(), "没有应答", "safe to run this command again")
	if strings.Contains(m.errs.String(), "c-1") {
		t.Errorf("the address is in the error: %s", &m.errs)
	}

	delete(m.env, "BAJIGONG_KEY")
	m.run(exitDenied, "claim", "show", "c-1", "--server", url)
	m.run(exitNotFound, "claim", "show", "c-1", "--key-file", "none")
	m.run(exitDenied, "claim", "show", "c-1", "--key-file", file(t, "key", "two words"))
	m.run(exitUsage, "claim", "show", "c-1", "--key", "a", "--key-file", "none")
	m.run(exitOK, "claim", "show", "c-1", "--key-file", file(t, "key", "bjg_a_b\n"))
}

func TestKeysGoOnlyWhereNobodyListens(t *testing.T) {
	for host, near := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "192.168.1.20": true, "registry": true,
		"8.8.8.8": false, "zs.example.gov.cn": false, "localhost.example.com": false} {
		if nearby(host) != near {
			t.Errorf("%s: %v", host, !near)
		}
	}
}
