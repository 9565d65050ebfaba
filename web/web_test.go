package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// siteTest is a server over a test registry with an account for each role.
type siteTest struct {
	*registrytest.Env
	t      testing.TB
	server *Server
	log    *safeBuffer
	issuer registrytest.Issuer
	keys   map[string]string // role → secret
}

// safeBuffer collects the log of several requests.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newSite(t testing.TB, change ...func(*Config)) *siteTest {
	t.Helper()
	return siteOf(t, registrytest.New(t), change...)
}

// siteOf is a server over a registry that is there.
func siteOf(t testing.TB, env *registrytest.Env, change ...func(*Config)) *siteTest {
	t.Helper()
	s := &siteTest{Env: env, t: t, log: &safeBuffer{}, keys: map[string]string{}}
	cfg := Config{Log: slog.New(slog.NewTextHandler(s.log, nil)), Metrics: true, Limits: Limits{Lookup: -1, Verify: -1, Image: -1},
		Footer: Footer{Sponsor: "江南某市人力资源和社会保障局", ICP: "苏ICP备00000000号", Police: "苏公网安备00000000000000号", Report: "https://report.example.gov.cn/"}}
	for _, fn := range change {
		fn(&cfg)
	}
	var err error
	if s.server, err = New(s.Registry, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s.issuer = s.MustAdmit(1)
	s.account("authority", registry.NewAccount{Name: "authority", Roles: []registry.Role{registry.RoleAuthority}, Region: registrytest.Region})
	s.account("institution", registry.NewAccount{Name: "institution", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: s.issuer.Institution.ID})
	s.account("payer", registry.NewAccount{Name: "payer", Roles: []registry.Role{registry.RolePayer}, Region: "320583", Organisation: "kunshan"})
	s.account("payer2", registry.NewAccount{Name: "payer2", Roles: []registry.Role{registry.RolePayer}, Region: "320583", Organisation: "kunshan-2"})
	s.account("auditor", registry.NewAccount{Name: "auditor", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region})
	return s
}

func (s *siteTest) account(name string, in registry.NewAccount) {
	s.t.Helper()
	a, err := s.CreateAccount(context.Background(), s.Authority, in)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, s.keys[name], err = s.IssueKey(context.Background(), s.Authority, a.ID, "test", registry.KeyLifeMax); err != nil {
		s.t.Fatal(err)
	}
}

// reply is an answer, read.
type reply struct {
	t      testing.TB
	what   string
	Status int
	Header http.Header
	Body   []byte
}

func (s *siteTest) send(r *http.Request) reply {
	s.t.Helper()
	res, err := s.server.App().Test(r, -1)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{s.t, r.Method + " " + r.URL.Path, res.StatusCode, res.Header, body}
}

// do sends a request as somebody ("" is the public). A body that is no string or
// []byte is sent as JSON. Headers are pairs.
func (s *siteTest) do(as, method, path string, body any, headers ...string) reply {
	s.t.Helper()
	var data []byte
	contentType := ""
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	case []byte:
		data = b
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	if body != nil {
		contentType = "application/json"
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(data))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+s.keys[as])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.send(r)
}

func (s *siteTest) get(as, path string, headers ...string) reply {
	s.t.Helper()
	return s.do(as, "GET", path, nil, headers...)
}

// page opens a page as a browser does.
func (s *siteTest) page(path string) (reply, *goquery.Document) {
	s.t.Helper()
	r := s.get("", path, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	return r, r.html()
}

// post sends a form as a browser does.
func (s *siteTest) post(path, form string) (reply, *goquery.Document) {
	s.t.Helper()
	r := s.do("", "POST", path, form, "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html,*/*;q=0.8")
	return r, r.html()
}

func (r reply) html() *goquery.Document {
	r.t.Helper()
	if len(r.Body) == 0 {
		return nil
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(r.Body))
	if err != nil {
		r.t.Fatal(err)
	}
	return doc
}

func (r reply) want(status int) reply {
	r.t.Helper()
	if r.Status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.Status, status, r.Body)
	}
	return r
}

// problem expects an error with a code and checks the form of it.
func (r reply) problem(status int, code string) Problem {
	r.t.Helper()
	r.want(status)
	var p Problem
	if got := r.Header.Get("Content-Type"); got != "application/problem+json; charset=utf-8" {
		r.t.Errorf("%s: content type %q", r.what, got)
	}
	if err := json.Unmarshal(r.Body, &p); err != nil {
		r.t.Fatalf("%s: %v: %s", r.what, err, r.Body)
	}
	if p.Code != code || p.Type != "urn:bajigong:problem:"+code || p.Status != status || p.Title == "" || p.TitleZH == "" ||
		p.Detail == "" || p.DetailZH == "" || p.Reference == "" || p.Reference != r.Header.Get("X-Request-Id") {
		r.t.Errorf("%s: problem %+v, want code %s", r.what, p, code)
	}
	return p
}

func into[T any](r reply) T {
	r.t.Helper()
	var out T
	if err := json.Unmarshal(r.Body, &out); err != nil {
		r.t.Fatalf("%s: %v: %s", r.what, err, r.Body)
	}
	return out
}

// text is the text of a selection without needless space.
func text(doc *goquery.Document, selector string) string {
	return strings.Join(strings.Fields(doc.Find(selector).Text()), " ")
}

func wantText(t testing.TB, doc *goquery.Document, selector, want string) {
	t.Helper()
	if got := text(doc, selector); got != want {
		t.Errorf("%s: %q, want %q", selector, got, want)
	}
}

func count(t testing.TB, doc *goquery.Document, selector string, want int) {
	t.Helper()
	if got := doc.Find(selector).Length(); got != want {
		t.Errorf("%d of %s, want %d", got, selector, want)
	}
}

// state is a picture of the store: all that a request without a key must not
// change.
func (s *siteTest) state() string {
	s.t.Helper()
	r, err := s.Check(context.Background(), registry.Operator(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(r.Certificates, r.Versions, r.Claims, r.Events, r.Problems)
}
