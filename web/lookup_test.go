package web

import (
	"net/url"
	"testing"

	"bajigong/internal/invented"
)

// A look-up with a document is a try at the holder's document: a page of another
// site must not make its visitors use up anybody's tries.
func TestLookupWithDocumentFromAnotherSite(t *testing.T) {
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 1)
	number, right := issued[0].Number, invented.PersonAt(0).Document
	form := url.Values{"number": {number}, "document": {invented.PersonAt(7).Document}}.Encode()
	body := map[string]string{"number": number, "document": invented.PersonAt(7).Document}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		for range 6 {
			s.do("", "POST", "/", form, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...).want(403)
		}
		s.do("", "POST", "/api/v1/lookup", body, header...).problem(403, "form_of_another_site")
	}
	r := s.do("", "POST", "/", url.Values{"number": {number}, "document": {right}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Site", "same-origin").want(200)
	wantText(t, r.html(), ".band h1", "证书有效")
	// By name nothing can be used up, and whoever links here may send the form.
	s.do("", "POST", "/", url.Values{"number": {number}, "name": {invented.PersonAt(0).Name}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site").want(200)
}
