package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// listen serves on a real connection, where framing and connections matter.
func (s *siteTest) listen() string {
	s.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		if err := s.server.Serve(ln); err != nil {
			s.t.Error(err)
		}
	}()
	return ln.Addr().String()
}

// talk sends bytes over one connection and returns every answer until the server
// has nothing more to say.
func talk(t testing.TB, addr, bytesOut string) (answers []*http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, bytesOut) }() // the server may hang up before the end
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the server neither answers nor ends the connection")
			}
			return answers
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		res.Body = io.NopCloser(bytes.NewReader(body))
		answers = append(answers, res)
	}
}

// TestUnreadBodyIsNoRequest: what a handler leaves of a body must never be taken
// for the next request of the connection.
func TestUnreadBodyIsNoRequest(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	hidden := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	long := strings.Repeat(hidden, 400<<10/len(hidden))
	short := strings.Repeat(hidden, 20<<10/len(hidden))
	chunked := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(s), s) }
	head := func(line, more string) string { return line + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n" }
	next := head("GET /readyz", "Connection: close\r\n") // answered only when the server found its beginning
	for name, one := range map[string]struct {
		send string
		want []int
	}{
		"small body on a GET":        {head("GET /healthz", "Content-Length: 34\r\n") + hidden + next, []int{200, 200}},
		"refused before it is read":  {head("POST /api/v1/institutions", fmt.Sprintf("Content-Length: %d\r\n", len(short))) + short + next, []int{401, 200}},
		"long and refused":           {head("POST /api/v1/institutions", fmt.Sprintf("Content-Length: %d\r\n", len(long))) + long + next, []int{401}},
		"too long for its route":     {head("POST /api/v1/verify", fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(long))) + long + next, []int{413}},
		"chunked and unread":         {head("POST /api/v1/institutions", "Transfer-Encoding: chunked\r\n") + chunked(short) + next, []int{401, 200}},
		"chunked, long and unread":   {head("POST /api/v1/institutions", "Transfer-Encoding: chunked\r\n") + chunked(long) + next, []int{401}},
		"chunked over the limit":     {head("POST /api/v1/verify", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") + chunked(long) + next, []int{413}},
		"chunked and read":           {head("POST /api/v1/verify", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") + chunked(`{"token":"x"}`) + next, []int{400, 200}},
		"chunk that is none":         {head("POST /api/v1/verify", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") + "zz\r\n" + next, []int{400}},
		"headers without end":        {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", []int{431}},
		"no HTTP at all":             {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		"unknown method, small body": {head("BREW /api/v1/verify", "Content-Length: 34\r\n") + hidden, []int{501}},
		"unknown page with a body":   {head("POST /nowhere", fmt.Sprintf("Content-Length: %d\r\n", len(long))) + long + next, []int{404}},
		"continue":                   {head("POST /api/v1/verify", "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 13\r\n") + `{"token":"x"}` + next, []int{100, 400, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := talk(t, addr, one.send)
			var got []int
			for _, a := range answers {
				got = append(got, a.StatusCode)
				if a.StatusCode >= 400 && a.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%d is not hardened: %v", a.StatusCode, a.Header)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(one.want) {
				t.Errorf("%v, want %v", got, one.want)
			}
		})
	}
}

// TestEveryRouteHasABodyLimit sends a byte too many to every route that reads
// one, with a length and without.
func TestEveryRouteHasABodyLimit(t *testing.T) {
	s := newSite(t)
	session := s.MustPlan(s.issuer)
	s.Clock.Add(48 * time.Hour)
	fill := strings.NewReplacer("{id}", session.ID, "{number}", "S000032058300253000001")
	roles := map[string]string{"authority": "authority", "sessions": "institution", "certificates": "authority", "claims": "payer", "oversight": "authority", "stock": "institution"}
	cookie := s.signedAs("authority")
	addr := s.listen()
	spaces := bytes.Repeat([]byte(" "), 64<<10)
	for _, r := range routes() {
		if r.in == nil && len(r.Takes) == 0 {
			continue
		}
		limit := r.bodyLimit()
		if limit <= 0 || limit > 40<<20 {
			t.Errorf("%s %s: limit %d", r.Method, r.Path, limit)
		}
		takes := r.Takes
		if r.in != nil {
			takes = []string{fiber.MIMEApplicationJSON}
		}
		for _, media := range takes {
			if media == fiber.MIMEMultipartForm {
				media += "; boundary=b"
			}
			for _, chunked := range []bool{false, true} {
				var head strings.Builder
				fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n", r.Method, fill.Replace(r.Path), media)
				if r.Access == signed {
					fmt.Fprintf(&head, "Cookie: %s\r\n", cookie)
				}
				role := roles[r.Tag]
				if role == "" && r.Access == keyed {
					role = "authority"
				}
				if role != "" {
					fmt.Fprintf(&head, "Authorization: Bearer %s\r\n", s.keys[role])
				}
				begin := ""
				if strings.HasPrefix(media, fiber.MIMEMultipartForm) {
					begin = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.csv\"\r\n\r\n"
				}
				if got, said := tooMuch(t, addr, head.String(), begin, spaces, int(limit)+1, chunked); got != 413 {
					t.Errorf("%s %s (%s, chunked %v): %d %.200s", r.Method, r.Path, media, chunked, got, said)
				}
			}
		}
	}
}

// tooMuch sends a body of so many bytes, with its length or in chunks, and returns
// the answer.
func tooMuch(t *testing.T, addr, head, begin string, spaces []byte, size int, chunked bool) (status int, said []byte) {
	t.Helper()
	conn := dial(t, addr, head)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go func() { // the server may hang up before the end
		if chunked {
			_, _ = fmt.Fprintf(conn, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", size, begin)
		} else {
			_, _ = fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n%s", size, begin)
		}
		for left := size - len(begin); left > 0; left -= len(spaces) {
			if _, err := conn.Write(spaces[:min(left, len(spaces))]); err != nil {
				return
			}
		}
		if chunked {
			_, _ = io.WriteString(conn, "\r\n0\r\n\r\n")
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer res.Body.Close()
	said, _ = io.ReadAll(res.Body)
	return res.StatusCode, said
}

func TestStrictJSON(t *testing.T) {
	s := newSite(t)
	for name, one := range map[string]struct{ body, code, field string }{
		"nothing":         {"", "body_missing", ""},
		"spaces":          {" \n", "body_missing", ""},
		"null":            {"null", "body_not_object", ""},
		"list":            {"[]", "body_not_object", ""},
		"unknown member":  {`{"token":"x","jwk":{}}`, "field_unknown", "jwk"},
		"another type":    {`{"token":7}`, "field_type", "token"},
		"trailing":        {`{"token":"x"} {}`, "body_trailing", ""},
		"trailing letter": {`{"token":"x"}x`, "body_trailing", ""},
		"cut off":         {`{"token":"x`, "body_malformed", ""},
		"not JSON":        {`{token}`, "body_malformed", ""},
		"not UTF-8":       {"{\"token\":\"\xff\"}", "body_not_utf8", ""},
		"U+0000":          {`{"token":"a\u0000b"}`, "text_form", "token"},
		"too long":        {`{"token":"` + strings.Repeat("x", 8193) + `"}`, "text_form", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			p := s.do("", "POST", "/api/v1/verify", one.body).problem(400, one.code)
			if one.field != "" && (len(p.Fields) != 1 || p.Fields[0].Name != one.field) {
				t.Errorf("fields %+v", p.Fields)
			}
		})
	}
	ok := `{"token":"x"}`
	s.do("", "POST", "/api/v1/verify", ok, "Content-Type", "text/plain").problem(415, "content_type")
	s.do("", "POST", "/api/v1/verify", ok, "Content-Type", "application/json; charset=gbk").problem(415, "content_type")
	s.do("", "POST", "/api/v1/verify", ok, "Content-Encoding", "gzip").problem(415, "content_encoding")
	s.do("", "POST", "/api/v1/verify", ok, "Content-Type", "application/json; charset=UTF-8").problem(400, "not_our_qr")

	// A level that does not exist is named; a key of the store is never too long.
	s.do("institution", "POST", "/api/v1/sessions", `{"name":"x","filing":"f","occupation":"6-31-01-03","level":"三级","exam_date":"2026-03-09"}`).want(400)
	p := s.do("institution", "POST", "/api/v1/sessions", registry.NewSession{Name: "x", Filing: strings.Repeat("f", 5000)}).problem(400, "text_form")
	if len(p.Fields) != 1 || p.Fields[0].Name != "filing" {
		t.Errorf("%+v", p.Fields)
	}
	s.get("institution", "/api/v1/sessions/"+strings.Repeat("s", 3000)).problem(404, "not_found")
	s.get("institution", "/api/v1/sessions?institution="+strings.Repeat("s", 1500)).problem(400, "institution")
	s.get("institution", "/api/v1/sessions?cursor=%00").problem(400, "query")
	s.get("institution", "/api/v1/sessions?limit=501").problem(400, "limit")
	s.get("institution", "/api/v1/sessions?limit=x").problem(400, "limit")
	s.get("institution", "/api/v1/sessions?cursor=!!").problem(400, "cursor")
	s.get("authority", "/api/v1/certificates/T110101199003070011").want(400)
}

// TestNumberOfAPersonIsNotAnAddress: 特种作业 numbers have an identity number in
// them.
func TestNumberOfAPersonIsNotAnAddress(t *testing.T) {
	s := newSite(t)
	p := s.get("authority", "/api/v1/certificates/T11010119900307651X/qr.png").want(400)
	if p.problem(400, "number_personal"); strings.Contains(s.log.String(), "11010119900307651X") {
		t.Error("it is in the log")
	}
}

func TestRateLimit(t *testing.T) {
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	s := newSite(t, func(c *Config) {
		c.Limits = Limits{Lookup: 3, Image: 2}
		c.Now = func() time.Time { return now }
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")} // the address of requests without a network
	})
	ask := func(forwarded string) reply {
		return s.do("", "POST", "/api/v1/lookup", registry.LookupQuery{Number: "S000032058300253000001", Name: "某"}, "X-Forwarded-For", forwarded)
	}
	for i := range 3 {
		r := ask("198.51.100.7").want(200)
		if got := r.Header.Get("RateLimit"); got != fmt.Sprintf(`"lookup";r=%d;t=1`, 2-i) || r.Header.Get("RateLimit-Policy") != `"lookup";q=3;w=60` {
			t.Errorf("RateLimit %q", got)
		}
	}
	r := ask("198.51.100.7")
	r.problem(429, "rate_limited")
	if r.Header.Get("Retry-After") != "20" {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	ask("203.0.113.1, 198.51.100.7").problem(429, "rate_limited") // what a client writes itself does not help it
	ask("198.51.100.8").want(200)
	ask("2001:db8:1:2::1").want(200)
	ask("2001:db8:1:2::2").want(200)
	ask("2001:db8:1:2:ffff::3").want(200)
	ask("2001:db8:1:2::4").problem(429, "rate_limited") // one subscriber
	ask("2001:db8:1:3::4").want(200)
	now = now.Add(20 * time.Second)
	ask("198.51.100.7").want(200)
	ask("198.51.100.7").problem(429, "rate_limited")
	if r, doc := s.post("/", "number=x&name=y"); r.Status != 400 {
		t.Errorf("the form: %d", r.Status)
	} else {
		count(t, doc, "form", 2)
	}
	now = now.Add(2 * time.Minute)
	ask("198.51.100.9").want(200)
	if n := len(s.server.limits[limitLookup].buckets); n != 1 {
		t.Errorf("%d buckets are kept", n)
	}
	for range 2 {
		s.picture("", []byte("x")).want(400)
	}
	r = s.picture("", []byte("x")).want(429)
	wantText(t, r.html(), "h1", "查询过于频繁")
}

func TestClientAddress(t *testing.T) {
	l := &limiter{perMinute: 60, buckets: map[netip.Prefix]bucket{}}
	now := time.Now()
	for i := range bucketsMax + 10 {
		l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(l.buckets) > bucketsMax {
		t.Error("the table has no bound")
	}
}

// TestDeadline: a request that takes too long is told so, and nothing is ours to
// blame.
func TestDeadline(t *testing.T) {
	s := newSite(t)
	s.server.mount(route{Method: "GET", Path: "/api/v1/slow", Access: public, Time: 20 * time.Millisecond, endpoint: raw(func(s *Server, c *call) error {
		<-c.ctx.Done()
		_, _, err := s.reg.Institutions(c.ctx, registry.Page{})
		if err == nil {
			err = c.ctx.Err()
		}
		return err
	})})
	r := s.get("", "/api/v1/slow")
	r.problem(503, "timeout")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestSlotsAreFew(t *testing.T) {
	s := newSite(t)
	c := &call{ctx: t.Context()}
	for range uploadSlots {
		if _, err := slot(c, s.server.uploads); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := contextFor(10 * time.Millisecond)
	defer cancel()
	if _, err := slot(&call{ctx: short}, s.server.uploads); fail.KindOf(err) != fail.Unavailable {
		t.Errorf("one too many: %v", err)
	}
}

func TestNotReadyWhenClosing(t *testing.T) {
	s := newSite(t)
	s.server.closing.Store(true)
	s.get("", "/readyz").problem(503, "closing")
	s.get("", "/healthz").want(200)
	s.do("institution", "POST", "/api/v1/sessions/x/certificates", nil).problem(404, "not_found")
}

func TestMetricsAreOff(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Metrics = false })
	s.get("", "/metrics").problem(404, "page_unknown")
}

// TestHiddenFieldsStayHidden compares what encoding/json writes with what the
// document says, for the types that shadow a field.
func TestHiddenFieldsStayHidden(t *testing.T) {
	for _, v := range []any{keyView{APIKey: registry.APIKey{Hash: []byte("x")}}, certificateView{}, issuedView{}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(`"hash"`)) || bytes.Contains(data, []byte(`"person"`)) {
			t.Errorf("%T: %s", v, data)
		}
	}
}

// TestShutdownLetsBatchesEnd: what runs is finished when there is time, and cut
// off when there is none; the next process goes on.
func TestShutdownLetsBatchesEnd(t *testing.T) {
	s := newSite(t, func(c *Config) { c.IssueWait = time.Nanosecond })
	first := s.MustPublicise(s.issuer, s.MustPlan(s.issuer), registrytest.CSV(0, 600))
	s.do("institution", "POST", "/api/v1/sessions/"+first.ID+"/certificates", nil)
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := s.SessionByID(t.Context(), s.Authority, first.ID)
	if err != nil || got.State != registry.SessionIssued {
		t.Errorf("after a patient end: %s, %v", got.State, err)
	}

	second := s.MustPublicise(s.issuer, s.MustPlan(s.issuer), registrytest.CSV(0, 600))
	if s.server, err = New(s.Registry, s.server.cfg); err != nil {
		t.Fatal(err)
	}
	s.do("institution", "POST", "/api/v1/sessions/"+second.ID+"/certificates", nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.server.Shutdown(ended); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("%v", err)
	}
	if s.server, err = New(s.Registry, Config{}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	b := into[registry.Batch](s.do("institution", "POST", "/api/v1/sessions/"+second.ID+"/certificates", nil))
	if b.State != registry.BatchPublished || b.Signed != 600 {
		t.Errorf("taken up: %+v", b)
	}
}

// TestHugeFilingIsRefused: what fits a request but no record is the caller's
// mistake.
func TestHugeFilingIsRefused(t *testing.T) {
	s := newSite(t)
	f := newFiling{Institution: s.issuer.Institution.ID, Class: "S", Code: "0000", Province: "32", Site: "058399", Authority: "320000", From: "2026-03-02", Until: "2027-03-01", Document: "x"}
	for range 5000 {
		f.Scope = append(f.Scope, registrytest.Scope()[0])
	}
	if p := s.do("authority", "POST", "/api/v1/filings", f).problem(400, "text_form"); len(p.Fields) != 1 || p.Fields[0].Name != "scope" {
		t.Errorf("%+v", p.Fields)
	}
	f.Scope = f.Scope[:300]
	for i := range f.Scope {
		f.Scope[i].From, f.Scope[i].Until = f.From, f.Until
	}
	if r := s.do("authority", "POST", "/api/v1/filings", f); r.Status >= 500 {
		t.Errorf("%d %.300s", r.Status, r.Body)
	}
	d := newDecision{Institution: s.issuer.Institution.ID, Kind: "exit_voluntary", Effective: "2026-03-02", Basis: "x"}
	for i := range 40_000 {
		d.FinishSessions = append(d.FinishSessions, fmt.Sprint(i))
	}
	if r := s.do("authority", "POST", "/api/v1/decisions", d); r.Status >= 500 {
		t.Errorf("%d %.300s", r.Status, r.Body)
	}
}
