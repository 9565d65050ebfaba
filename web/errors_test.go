package web

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
)

func TestEveryKindHasAStatus(t *testing.T) {
	seen := map[int]fail.Kind{}
	for _, k := range fail.Kinds() {
		row, ok := statuses[k]
		if !ok || row.status < 400 || row.zh == "" || row.en == "" {
			t.Errorf("kind %s has no whole row: %+v", k, row)
		}
		if other, twice := seen[row.status]; twice {
			t.Errorf("%s and %s have the same status", k, other)
		}
		seen[row.status] = k
	}
	if len(statuses) != len(fail.Kinds()) {
		t.Error("the table has rows for kinds that do not exist")
	}
}

func TestProblemOf(t *testing.T) {
	conflict := fail.New(fail.Conflict, "session_closed", "closed").In("已归档")
	for _, one := range []struct {
		err    error
		status int
		code   string
		retry  int
	}{
		{fmt.Errorf("reserve: %w", conflict), 409, "session_closed", 0},
		{errors.New("disk on fire"), 500, "internal", 5},
		{fmt.Errorf("view: %w", context.DeadlineExceeded), 503, "timeout", 5},
		{fiber.ErrNotFound, 404, "page_unknown", 0},
		{fiber.ErrMethodNotAllowed, 405, "method_not_allowed", 0},
		{fiber.ErrRequestHeaderFieldsTooLarge, 431, "headers_too_large", 0},
		{fiber.NewError(400, "error when reading request headers: secret"), 400, "request_malformed", 0},
		{fiber.NewError(418, "teapot"), 500, "internal", 5},
		{refusal{415, fail.New(fail.Invalid, "content_type", "no")}, 415, "content_type", 0},
		{retryLater{17, fail.New(fail.RateLimited, "rate_limited", "no")}, 429, "rate_limited", 17},
		{fail.New("never_heard_of", "x", "x"), 500, "x", 5},
	} {
		p, retry := problemOf(one.err)
		if p.Status != one.status || p.Code != one.code || retry != one.retry {
			t.Errorf("%v: %d %s %d, want %d %s %d", one.err, p.Status, p.Code, retry, one.status, one.code, one.retry)
		}
		if strings.Contains(p.Detail+p.DetailZH, "fire") || strings.Contains(p.Detail, "secret") {
			t.Errorf("%v: the cause is shown: %q", one.err, p.Detail)
		}
	}
}

// TestPanicIsAnAnswer: the visitor gets a reference, the log the reason.
func TestPanicIsAnAnswer(t *testing.T) {
	s := newSite(t)
	s.server.mount(route{Method: "GET", Path: "/api/v1/explode", Access: public, endpoint: raw(func(*Server, *call) error { panic("nobody may read this") })})
	s.server.mount(route{Method: "GET", Path: "/explode", Access: public, endpoint: raw(func(*Server, *call) error { panic("nobody may read this") })})
	p := s.get("", "/api/v1/explode").problem(500, "internal")
	if strings.Contains(p.Detail, "nobody") {
		t.Error("the panic is shown")
	}
	for _, want := range []string{p.Reference, "nobody may read this", "errors_test.go"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
	r, doc := s.page("/explode")
	r.want(500)
	wantText(t, doc, "h1", "暂时无法答复")
	if r.Header.Get("Retry-After") == "" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", r.Header)
	}
	s.get("", "/healthz").want(200)
}

func TestWhatHTTPRefuses(t *testing.T) {
	s := newSite(t)
	s.get("", "/api/v1/nothing").problem(404, "page_unknown")
	s.get("", "/api/v1/Institutions").problem(404, "page_unknown") // addresses have one spelling
	s.get("", "/api/v1/institutions/").problem(404, "page_unknown")
	r := s.do("", "PUT", "/api/v1/lookup", nil)
	r.problem(405, "method_not_allowed")
	if got := r.Header.Get("Allow"); got != "POST" {
		t.Errorf("Allow %q", got)
	}
	s.do("", "BREW", "/api/v1/lookup", nil).problem(501, "method_unknown")
	page, doc := s.page("/nowhere")
	page.want(404)
	wantText(t, doc, "h1", "没有找到")
	count(t, doc, ".receipt b", 1)
	page, doc = s.page("/nowhere?lang=en")
	page.want(404)
	wantText(t, doc, "h1", "Not found")
	wantText(t, doc, "a.switch", "中文")
}

func TestEveryAnswerIsHardened(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/api/v1/institutions", "/keys/qr.json", "/nowhere", "/healthz", "/log/checkpoint"} {
		r := s.get("", path)
		for name, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
		if r.Header.Get("X-Request-Id") == "" || r.Header.Get("Server") != "" || r.Header.Get("Cache-Control") == "" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
	}
	if !strings.Contains(contentPolicy, "frame-ancestors 'none'") || strings.Contains(contentPolicy, "unsafe") || strings.Contains(contentPolicy, "script") {
		t.Error("the policy lets scripts or frames in")
	}
}

func TestWeight(t *testing.T) {
	for _, one := range []struct {
		accept string
		want   int
	}{
		{"", 1000}, {"*/*", 1000}, {"text/*;q=0.3, text/html;q=0.7", 700}, {"text/html;q=0, */*", 0}, {"application/json", 0},
		{"TEXT/HTML", 1000}, {"text/html;level=1;q=0.05", 50}, {"text/html;q=nonsense", 1000}, {";;,,=", 0}, {"text/html;q=0.", 0},
	} {
		if got := weight(one.accept, "text", "html"); got != one.want {
			t.Errorf("%q: %d, want %d", one.accept, got, one.want)
		}
	}
}
