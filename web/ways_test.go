package web

import (
	"net/http"
	"strings"
	"testing"
)

// No page is a dead end: whoever gets an answer, or none, is led on.
func TestPagesLeadOn(t *testing.T) {
	s := newSite(t)
	s.employer()
	issued := s.MustCertificates(s.issuer, 0, 1)
	code := "/c/" + string(issued[0].Handle)

	_, home := s.page("/")
	for _, to := range []string{"/lists", "/receipts"} {
		count(t, home, `nav.more a[href="`+to+`"]`, 1)
	}
	_, valid := s.page(code + "?lang=en")
	count(t, valid, `.receipt a[href="/receipts?lang=en"]`, 1)

	// The answer to a form under a verdict, loaded again or opened elsewhere.
	for path, to := range map[string]string{code + "/match": code, code + "/match?lang=en": code + "?lang=en", "/c/%2F%2Fevil.example/match": "/c/%2F%2Fevil.example"} {
		if r := s.get("", path, "Accept", "text/html").want(303); r.Header.Get("Location") != to || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s leads to %s", path, r.Header.Get("Location"))
		}
	}

	// Signed in with a key that may not, and not signed in any more.
	r := s.get("", "/lists", "Cookie", s.signedAs("institution"), "Accept", "text/html").want(http.StatusForbidden)
	count(t, r.html(), `a[href="/sign-in?to=%2Flists"]`, 1)
	r, doc := s.multipart("/lists?lang=en", [][2]string{{"proof", "x"}, {"pasted", "y"}}, nil, "Sec-Fetch-Site", "same-origin")
	r.want(http.StatusUnauthorized)
	count(t, doc, `a[href="/sign-in?lang=en&to=%2Flists"]`, 1)
	if r := s.get("", "/nowhere", "Accept", "text/html").want(404); strings.Contains(string(r.Body), "/sign-in") {
		t.Error("a page for everybody asks to sign in")
	}
}
