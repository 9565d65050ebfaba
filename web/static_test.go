package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/PuerkitoBio/goquery"
)

// TestModulesAreServedWhole follows every import of every page's entry module:
// each is a file of ours, named by its content, preloaded, and served compressed
// to those who take it.
func TestModulesAreServedWhole(t *testing.T) {
	s := newSite(t)
	c := s.MustCertificates(s.issuer, 0, 1)[0]
	imports := regexp.MustCompile(`(?:from|import) ?"([^"]+)"`)
	for _, page := range []string{"/c/" + string(c.Handle), "/c/0000000000000", "/verify", "/offline", "/offline?lang=en"} {
		r, doc := s.page(page)
		if got := r.Header.Get("Content-Security-Policy"); got != scriptPolicy || strings.Contains(got, "unsafe") {
			t.Errorf("%s: policy %q", page, got)
		}
		preloaded := map[string]bool{}
		doc.Find("link[rel=modulepreload]").Each(func(_ int, l *goquery.Selection) { preloaded[l.AttrOr("href", "")] = true })
		entry := doc.Find("script[type=module][src]").AttrOr("src", "")
		wanted := map[string]bool{}
		todo := []string{entry}
		for len(todo) > 0 {
			r := s.get("", todo[0], "Accept-Encoding", "br, gzip").want(200)
			if r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Cache-Control") != immutable {
				t.Errorf("%s: headers %v", todo[0], r.Header)
			}
			whole := s.get("", todo[0]).want(200)
			z, err := gzip.NewReader(bytes.NewReader(r.Body))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, whole.Body) || r.Header.Get("ETag") == whole.Header.Get("ETag") {
				t.Errorf("%s: compressed it is something else: %v", todo[0], err)
			}
			todo = todo[1:]
			for _, m := range imports.FindAllSubmatch(whole.Body, -1) {
				if name := string(m[1]); !wanted[name] {
					wanted[name] = true
					todo = append(todo, name)
				}
			}
		}
		if fmt.Sprint(wanted) != fmt.Sprint(preloaded) || len(wanted) == 0 {
			t.Errorf("%s imports %v and preloads %v", page, wanted, preloaded)
		}
	}
	// All other pages run no script at all.
	for _, page := range []string{"/", "/directory", "/nowhere"} {
		if r, doc := s.page(page); doc.Find("script").Length() != 0 || strings.Contains(r.Header.Get("Content-Security-Policy"), "script") {
			t.Errorf("%s lets scripts in", page)
		}
	}
	if r, _ := s.page("/c/" + string(c.Handle)); strings.Contains(r.Header.Get("Permissions-Policy"), "camera=(self)") {
		t.Error("the camera is allowed where there is none")
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip;q=0.000, *": false, "*": true, "*;q=0": false,
		"identity": false, "X-GZIP": true, "GZip ; q=1.0": true, "deflate,br": false, ",,;q=": false,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// TestServiceWorker: it keeps the shell and what the shell needs, its text says
// which, and its store is another one when any of that changes.
func TestServiceWorker(t *testing.T) {
	s := newSite(t)
	r := s.get("", "/sw.js").want(200)
	if r.Header.Get("Content-Security-Policy") != workerPolicy || r.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("headers %v", r.Header)
	}
	body := string(r.Body)
	list, _, _ := strings.Cut(body[strings.Index(body, "[")+1:], "]")
	kept := map[string]bool{}
	for _, one := range strings.Split(list, ",") {
		one = strings.Trim(one, `"`)
		kept[one] = true
		s.get("", one, "Accept", "text/html,*/*").want(200)
	}
	_, doc := s.page("/offline")
	doc.Find("link[href], script[src]").Each(func(_ int, e *goquery.Selection) {
		for _, attr := range []string{"href", "src"} {
			if v, ok := e.Attr(attr); ok && !kept[v] {
				t.Errorf("the worker does not keep %s", v)
			}
		}
	})
	for one := range kept {
		if strings.HasPrefix(one, "/c/") || strings.HasPrefix(one, "/api/") {
			t.Errorf("the worker keeps %s", one)
		}
	}
	// Another footer, another store; the same, the same.
	again, other := newSite(t), newSite(t, func(c *Config) { c.Footer.SiteCode = "3200000001" })
	store := regexp.MustCompile(`bajigong-shell-[0-9a-f]{16}`)
	first := store.FindString(body)
	if first == "" || first != store.FindString(string(again.get("", "/sw.js").Body)) || first == store.FindString(string(other.get("", "/sw.js").Body)) {
		t.Errorf("store %q", first)
	}
	if tag := r.Header.Get("ETag"); s.get("", "/sw.js", "If-None-Match", tag).Status != 304 {
		t.Error("a worker that has not changed is sent again")
	}
}

func TestStaticsRefuse(t *testing.T) {
	for name, folder := range map[string]fstest.MapFS{
		"a module that imports itself by another": {"static/a.js": {Data: []byte(`import "./b.js";`)}, "static/b.js": {Data: []byte(`import "./a.js";`)}},
		"a module that is not there":              {"static/a.js": {Data: []byte(`import { x } from "./b.js";`)}},
		"a file of no kind":                       {"static/a.exe": {}},
	} {
		if _, err := newStatics(folder); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestModulesLoseTheirComments: what is left out is comment and nothing else.
func TestModulesLoseTheirComments(t *testing.T) {
	got := withoutComments([]byte("/**\n * What it is.\n */\nexport const a = 1; // stays\n  // goes\n\n  f(`x`,\n    2);\n/* one line */\n"))
	if want := "export const a = 1; // stays\nf(`x`,\n2);\n"; string(got) != want {
		t.Errorf("%q", got)
	}
	names, err := fs.Glob(embedded, "static/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "worker/sw.js") {
		data, err := fs.ReadFile(embedded, name)
		if err != nil {
			t.Fatal(err)
		}
		// Every line that goes is inside a comment for somebody who reads letter by
		// letter too: no text of several lines begins like one.
		for i, line := range strings.Split(string(data), "\n") {
			if n := strings.Count(line, "`"); n%2 == 1 {
				t.Errorf("%s:%d: a text of several lines", path.Base(name), i+1)
			}
		}
	}
}

// TestFooterIsTheSameEverywhere: what a government site must show, from the
// configuration, on the pages that people are sent to.
func TestFooterIsTheSameEverywhere(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Footer.SiteCode = "3205830001" })
	var first string
	for _, page := range []string{"/verify", "/c/0000000000000", "/offline"} {
		_, doc := s.page(page)
		got := text(doc, "footer")
		for _, want := range []string{"主办单位：江南某市人力资源和社会保障局", "苏ICP备00000000号", "苏公网安备00000000000000号", "政府网站标识码 3205830001", "12333", "全国联网查询", "举报", "本页网址应以"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the footer has no %s: %s", page, want, got)
			}
		}
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%s has another footer", page)
		}
	}
}

// TestForeignCodesExplainForgedPages: one sentence, only where it is needed.
func TestForeignCodesExplainForgedPages(t *testing.T) {
	s := newSite(t)
	c := s.MustCertificates(s.issuer, 0, 1)[0]
	_, doc := s.post("/verify", "code="+strings.Replace(strings.ReplaceAll(c.QR, "#", "%23"), "https://", "https://fake-", 1))
	wantText(t, doc, ".band.bad h1", "不是本系统的二维码")
	wantText(t, doc, "p.forged", "谁都可以做一个显示“证书有效”的网页：只有网址以 https://zs.jnrd.example.gov.cn/ 开头的页面，才是本系统的查验结果。 举报")
	_, doc = s.page("/c/" + string(c.Handle))
	count(t, doc, ".forged", 0)
}
