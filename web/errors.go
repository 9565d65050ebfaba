package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
)

// statuses is the one table from kinds of error to HTTP. Whatever is wrong with
// what was sent is 400, in form or in meaning: the fields say what.
var statuses = map[fail.Kind]struct {
	status int
	zh, en string
	retry  int // seconds for Retry-After
}{
	fail.Invalid:      {status: http.StatusBadRequest, zh: "提交的内容有误", en: "The request is not right"},
	fail.Unauthorized: {status: http.StatusUnauthorized, zh: "需要登录或接口密钥", en: "A sign-in or an API key is needed"},
	fail.Forbidden:    {status: http.StatusForbidden, zh: "无权进行此操作", en: "Not allowed"},
	fail.NotFound:     {status: http.StatusNotFound, zh: "没有找到", en: "Not found"},
	fail.Conflict:     {status: http.StatusConflict, zh: "当前状态不允许", en: "The present state does not allow it"},
	fail.TooLarge:     {status: http.StatusRequestEntityTooLarge, zh: "内容过大", en: "Too large"},
	fail.RateLimited:  {status: http.StatusTooManyRequests, zh: "查询过于频繁", en: "Too many requests", retry: 60},
	fail.Unavailable:  {status: http.StatusServiceUnavailable, zh: "暂时无法办理", en: "Not available now", retry: 5},
	fail.Internal:     {status: http.StatusInternalServerError, zh: "暂时无法答复", en: "No answer could be given", retry: 5},
}

// cause is the error inside; the name leaves Error to be the method.
type cause = fail.Error

// refusal is an error with a status of its own, for what HTTP itself refuses.
type refusal struct {
	status int
	*cause
}

// Unwrap gives the error inside.
func (r refusal) Unwrap() error { return r.cause }

// retryLater is an error that says when to come back.
type retryLater struct {
	seconds int
	*cause
}

// Unwrap gives the error inside.
func (r retryLater) Unwrap() error { return r.cause }

// Problem is an error as RFC 9457 has it. The media type is
// application/problem+json. Type is a name and no address:
//
//	{"type":"urn:bajigong:problem:session_closed","title":"The present state does not allow it","status":409,
//	 "detail":"session s-… is issued; its results are final","title_zh":"当前状态不允许","detail_zh":"批次 s-… 已进入发证，成绩不能再改",
//	 "code":"session_closed","fields":[],"reference":"3fa2c1-00012"}
type Problem struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail"`
	TitleZH  string       `json:"title_zh"`
	DetailZH string       `json:"detail_zh"`
	Code     string       `json:"code"`
	Fields   []fail.Field `json:"fields,omitempty"`
	// Reference names this answer in the server's log.
	Reference string `json:"reference"`
}

// frameworkErrors are the texts for what fiber and fasthttp refuse by
// themselves. Their own texts are not shown.
var frameworkErrors = map[int]*fail.Error{
	http.StatusBadRequest: fail.New(fail.Invalid, "request_malformed", "the request cannot be read as HTTP").In("请求格式无法识别"),
	http.StatusNotFound:   fail.New(fail.NotFound, "page_unknown", "there is no such page or route").In("没有这个页面或接口"),
	http.StatusMethodNotAllowed: fail.New(fail.Invalid, "method_not_allowed", "this address does not take that method; see the Allow header").
		In("该地址不支持此请求方法，见 Allow 响应头"),
	http.StatusRequestTimeout:        fail.New(fail.Invalid, "request_timeout", "the request did not arrive whole in time").In("请求未在规定时间内完整到达"),
	http.StatusRequestEntityTooLarge: fail.New(fail.TooLarge, "body_too_large", "the body is larger than this address takes").In("提交内容超过大小限制"),
	// This is fiber's word for a connection that broke while a request came in.
	http.StatusBadGateway:                  fail.New(fail.Invalid, "connection_lost", "the connection broke before the request was whole").In("请求尚未完整到达，连接已中断"),
	http.StatusRequestHeaderFieldsTooLarge: fail.New(fail.TooLarge, "headers_too_large", "address and headers have more than 16 KB").In("网址和请求头超过 16 KB"),
}

// problemOf is what is said of an error, and after how many seconds to repeat.
func problemOf(err error) (p Problem, retry int) {
	status := 0
	var framework *fiber.Error
	var own refusal
	var later retryLater
	e := (*fail.Error)(nil)
	switch {
	case errors.As(err, &own):
		status, e = own.status, own.cause
	case errors.As(err, &framework) && !errors.As(err, &e):
		if known := frameworkErrors[framework.Code]; known != nil {
			if e = known.Because(err); framework.Code < http.StatusInternalServerError {
				status = framework.Code
			}
		} else {
			e = fail.Of(err)
		}
	case errors.As(err, &e):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		e = fail.New(fail.Unavailable, "timeout", "there was no answer in time; it is safe to repeat the request").In("未能及时答复，可以放心重试").Because(err)
	default:
		e = fail.Of(err)
	}
	row, ok := statuses[e.Kind]
	if !ok {
		row = statuses[fail.Internal]
	}
	if status == 0 {
		status = row.status
	}
	retry = row.retry
	if errors.As(err, &later) {
		retry = later.seconds
	}
	p = Problem{Type: "urn:bajigong:problem:" + e.Code, Title: row.en, Status: status, Detail: e.Text,
		TitleZH: row.zh, DetailZH: e.ZH, Code: e.Code, Fields: e.Fields}
	if p.DetailZH == "" {
		p.DetailZH = row.zh
	}
	return p, retry
}

// failed answers an error. It is the only place where errors become answers and
// where they are logged.
func (s *Server) failed(c *fiber.Ctx, err error) error {
	ref := s.reference(c)
	s.harden(c)
	p, retry := problemOf(err)
	p.Reference = ref
	if p.Status >= 500 {
		s.log.Error("request failed", "reference", ref, "route", routeOf(c), "code", p.Code, "error", err.Error())
	}
	allow := string(c.Response().Header.Peek(fiber.HeaderAllow))
	c.Response().ResetBody()
	c.Status(p.Status)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Response().Header.Del(fiber.HeaderETag)
	if allow != "" {
		c.Set(fiber.HeaderAllow, allow)
	}
	if retry > 0 {
		c.Set(fiber.HeaderRetryAfter, fmt.Sprint(retry))
	}
	if p.Status == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="bajigong"`)
	}
	if wantsPage(c) {
		return s.pages.sendError(c, p)
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/problem+json; charset=utf-8")
	return c.Send(body)
}

// apiPaths are never answered with a page.
var apiPaths = []string{"/api/", "/keys/", "/.well-known/", "/status/", "/log/", "/directory.jws", "/openapi.json", "/schemas/", "/contexts/", "/healthz", "/readyz", "/metrics", "/static/"}

// wantsPage reports whether an error is to be read by a person.
func wantsPage(c *fiber.Ctx) bool {
	path := c.Path()
	for _, p := range apiPaths {
		if strings.HasPrefix(path, p) {
			return false
		}
	}
	return prefersHTML(c, false)
}

// prefersHTML reads the Accept header (RFC 9110 §12.5.1): whether text/html has
// a greater weight than JSON. any is the answer when both are as good.
func prefersHTML(c *fiber.Ctx, any bool) bool {
	accept := c.Get(fiber.HeaderAccept)
	html := weight(accept, "text", "html")
	other := max(weight(accept, "application", "json"), weight(accept, "application", "problem+json"))
	if html == other {
		return any
	}
	return html > other
}

// weight is the quality that an Accept header gives to a media type, in
// thousandths; the most specific range decides. An absent header takes all.
func weight(accept, major, minor string) int {
	if strings.TrimSpace(accept) == "" {
		return 1000
	}
	best, found := 0, -1
	for part := range strings.SplitSeq(accept, ",") {
		media, params, _ := strings.Cut(part, ";")
		kind, of, _ := strings.Cut(strings.TrimSpace(media), "/")
		specific := -1
		switch {
		case strings.EqualFold(kind, major) && strings.EqualFold(of, minor):
			specific = 2
		case strings.EqualFold(kind, major) && of == "*":
			specific = 1
		case kind == "*" && of == "*":
			specific = 0
		}
		if specific > found {
			found, best = specific, quality(params)
		}
	}
	return best
}

// quality reads q=0.123; anything else counts as 1.
func quality(params string) int {
	for p := range strings.SplitSeq(params, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		whole, frac, _ := strings.Cut(strings.TrimSpace(value), ".")
		if whole != "0" {
			return 1000
		}
		q := 0
		for _, d := range (frac + "000")[:3] {
			if d < '0' || d > '9' {
				return 1000
			}
			q = q*10 + int(d-'0')
		}
		return q
	}
	return 1000
}

// panicError keeps what a panic said and where, for the log.
func panicError(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// sentence is a problem in the reader's language.
func (p Problem) sentence(lang credentials.Lang) (title, detail string) {
	if lang == credentials.EN {
		return p.Title, p.Detail
	}
	return p.TitleZH, p.DetailZH
}
