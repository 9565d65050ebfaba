package web

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry/registrytest"
)

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// garbage makes requests that are random, or nearly right and then damaged.
type garbage struct {
	*rand.Rand
	site   *siteTest
	seeds  []string // texts worth damaging
	table  []route
	handle string
}

func newGarbage(s *siteTest, seed uint64) *garbage {
	issued := s.MustCertificates(s.issuer, 0, 2)
	person := invented.PersonAt(0)
	g := &garbage{Rand: rand.New(rand.NewPCG(seed, 1)), site: s, table: routes(), handle: string(issued[0].Handle)}
	g.seeds = []string{issued[0].QR, issued[0].Number, string(issued[0].Handle), person.Name, person.Document, s.issuer.Institution.ID, issued[0].Session,
		"bjg_0123456789abcdef_" + strings.Repeat("A", 43), `{"token":"` + issued[0].QR + `"}`,
		`{"number":"` + issued[0].Number + `","name":"` + person.Name + `"}`, "number=" + issued[0].Number + "&name=" + url.QueryEscape(person.Name),
		"code=" + url.QueryEscape(issued[0].QR), registrytest.CSV(0, 3), "tile/entries/000.p/1", "revocation-0", "{}", "[]", "null", `{"a":{"a":{"a":[1,2,{}]}}}`,
		"--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--b--\r\n", "\x00", "../../etc/passwd", "%00%ff%2e%2e", "18446744073709551616", "-1", "🤷‍♀️𠮷", ""}
	return g
}

func (g *garbage) pick(from ...string) string { return from[g.IntN(len(from))] }

// damaged is a seed with bytes changed, cut, doubled or put in.
func (g *garbage) damaged() string {
	b := []byte(g.seeds[g.IntN(len(g.seeds))])
	for range g.IntN(4) {
		at := 0
		if len(b) > 0 {
			at = g.IntN(len(b))
		}
		switch g.IntN(5) {
		case 0:
			if len(b) > 0 {
				b[at] ^= 1 << g.IntN(8)
			}
		case 1:
			b = b[:at]
		case 2:
			b = append(b[:at:at], append([]byte(g.pick("\x00", "\"", "{", "}", "<", "%", "\xff", "é", "张", "\r\n", "999999999999", "'", "\\u0000")), b[at:]...)...)
		case 3:
			b = append(b, b...)
		case 4:
			b = append(b, []byte(g.seeds[g.IntN(len(g.seeds))])...)
		}
		if len(b) > 4000 {
			b = b[:4000]
		}
	}
	return string(b)
}

// path is one of ours with damaged parts, or none at all.
func (g *garbage) path() (string, route) {
	r := g.table[g.IntN(len(g.table))]
	p := inBraces.ReplaceAllStringFunc(r.Path, func(string) string {
		if g.IntN(3) == 0 {
			return g.pick(g.handle, g.site.issuer.Institution.ID, "qr", "revocation-0", "0", "0/000.p/1")
		}
		return url.PathEscape(g.damaged())
	})
	switch g.IntN(6) {
	case 0:
		p += "/" + url.PathEscape(g.damaged())
	case 1:
		p += "?" + g.pick("lang", "cursor", "limit", "accept", "institution", "scale") + "=" + url.QueryEscape(g.damaged())
	case 2:
		p = "/" + url.PathEscape(g.damaged())
	}
	return p, r
}

func (g *garbage) request() *http.Request {
	path, row := g.path()
	method := row.Method
	if g.IntN(5) == 0 {
		method = g.pick("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")
	}
	r, err := http.NewRequest(method, "http://x"+path, bytes.NewReader([]byte(g.damaged())))
	if err != nil {
		r = httptest.NewRequest("GET", "/", nil)
	}
	for range g.IntN(4) {
		name := g.pick("Accept", "Content-Type", "Content-Encoding", "Authorization", "Idempotency-Key", "If-None-Match", "X-Forwarded-For", "Accept-Language", "Cookie", "Range", "Expect")
		value := g.pick("*/*", "text/html", "application/json", "text/html;q=0,*/*;q=0.1", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded", "text/csv",
			"gzip", "Bearer "+g.damaged(), g.damaged(), "bytes=0-", "100-continue", "*", "application/json; charset=\"")
		r.Header.Set(name, strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' {
				return '.'
			}
			return c
		}, value))
	}
	return r
}

// check sends one request and holds the answer to what is promised of any: never
// our fault, never a panic, always hardened, and an error in the one form.
func (g *garbage) check(t testing.TB, r *http.Request) {
	t.Helper()
	what := fmt.Sprintf("%s %s %v", r.Method, r.URL, r.Header)
	res, err := g.site.server.App().Test(r, -1)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented {
		var b bytes.Buffer
		_, _ = b.ReadFrom(res.Body)
		t.Fatalf("%s: %d %s\n%s", what, res.StatusCode, b.String(), g.site.log.String())
	}
	if res.StatusCode != 100 && res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%s: %d is not hardened: %v", what, res.StatusCode, res.Header)
	}
	contentType := res.Header.Get("Content-Type")
	verdict := strings.HasPrefix(r.URL.Path, "/c/")
	if res.StatusCode >= 400 && !verdict && contentType != "application/problem+json; charset=utf-8" && contentType != "text/html; charset=utf-8" {
		t.Fatalf("%s: %d as %q", what, res.StatusCode, contentType)
	}
}

// TestGarbageChangesNothing sends requests without a key for two seconds.
func TestGarbageChangesNothing(t *testing.T) {
	s := newSite(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := newGarbage(s, seed)
	before := s.state()
	n := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); n++ {
		g.check(t, g.request())
	}
	t.Logf("%d requests", n)
	if after := s.state(); after != before {
		t.Errorf("the store changed: %s, was %s", after, before)
	}
	if strings.Contains(s.log.String(), invented.PersonAt(0).Document) {
		t.Error("the log has a document number")
	}
}

// TestGarbageWithAKey sends the same with a key of each role: what is nearly
// right is refused in order, whoever sends it.
func TestGarbageWithAKey(t *testing.T) {
	s := newSite(t)
	g := newGarbage(s, uint64(time.Now().UnixNano()))
	names := []string{"authority", "institution", "payer", "auditor"}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		r := g.request()
		r.Header.Set("Authorization", "Bearer "+s.keys[names[g.IntN(len(names))]])
		if r.Header.Get("Content-Type") == "" && g.IntN(2) == 0 {
			r.Header.Set("Content-Type", "application/json")
		}
		g.check(t, r)
	}
}

// FuzzRequest lets the fuzzer write a request:
//
//	go test -run xxx -fuzz FuzzRequest -fuzzminimizetime 10x ./web
func FuzzRequest(f *testing.F) {
	s := newSite(f)
	g := newGarbage(s, 1)
	before := s.state()
	f.Cleanup(func() {
		if after := s.state(); after != before {
			f.Errorf("the store changed: %s, was %s", after, before)
		}
	})
	for _, seed := range g.seeds {
		f.Add("POST", "/api/v1/verify", "application/json", "*/*", []byte(seed))
		f.Add("POST", "/verify", "application/x-www-form-urlencoded", "text/html", []byte(seed))
		f.Add("POST", "/verify", "multipart/form-data; boundary=b", "text/html", []byte(seed))
		f.Add("GET", "/c/"+url.PathEscape(seed), "", "application/json", []byte{})
	}
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"}
	f.Fuzz(func(t *testing.T, method, path, contentType, accept string, body []byte) {
		if !slices.Contains(methods, method) || strings.ContainsAny(path+contentType+accept, "\r\n\x00") || !strings.HasPrefix(path, "/") || len(path) > 8000 {
			t.Skip()
		}
		u, err := url.ParseRequestURI("http://x" + path)
		if err != nil {
			t.Skip()
		}
		r, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
		if err != nil {
			t.Skip()
		}
		for name, v := range map[string]string{"Content-Type": contentType, "Accept": accept} {
			if strings.IndexFunc(v, func(c rune) bool { return c < ' ' || c > '~' }) < 0 {
				r.Header.Set(name, v)
			}
		}
		g.check(t, r)
	})
}
