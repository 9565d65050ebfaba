package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
	"bajigong/internal/needed"
	"bajigong/registry"
)

func (s *siteTest) mustPublish() {
	s.t.Helper()
	if _, err := s.PublishStatusLists(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *siteTest) mustChange(number string, kind registry.ChangeKind) {
	s.t.Helper()
	if _, err := s.ChangeCertificate(context.Background(), s.Authority, number, registry.NewChange{Kind: kind, Document: "苏人社决〔2026〕3号", Reason: "涉嫌替考，调查期间"}); err != nil {
		s.t.Fatal(err)
	}
}

// allButOne gives out the places of list 0 up to its last, as issuing 131,000
// certificates would. The counter of places stands in registry/tables.go.
func (s *siteTest) allButOne() {
	s.t.Helper()
	if err := s.DB.Update(context.Background(), func(tx kv.Tx) error {
		tx.Put("counters", kv.Key("status"), []byte{0, 0, 0, 0, 0, 1, 0xff, 0xff})
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

func TestStatusListHeaders(t *testing.T) {
	s := newSite(t)
	got := s.MustCertificates(s.issuer, 0, 2)
	s.mustPublish()
	published := s.Clock.Now()
	s.Clock.Add(30 * time.Second)
	r := s.get("", "/status/suspension-0").want(200)
	// The specification: "Cache-Control" is to be in line with ttl, 60,000 ms.
	if c := r.Header.Get("Cache-Control"); c != "public, max-age=60" {
		t.Errorf("Cache-Control %q", c)
	}
	if c := r.Header.Get("Last-Modified"); c != published.UTC().Format(http.TimeFormat) {
		t.Errorf("Last-Modified %q, published at %s", c, published)
	}
	if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("RateLimit") != "" {
		t.Errorf("headers %v", r.Header)
	}
	s.get("", "/status/suspension-0", "If-None-Match", r.Header.Get("ETag")).want(304)
	s.mustChange(got[0].Number, registry.ChangeSuspend)
	s.mustPublish()
	s.get("", "/status/suspension-0", "If-None-Match", r.Header.Get("ETag")).want(200)

	at := url.QueryEscape(published.Format(time.RFC3339))
	past := s.get("", "/status/suspension-0?at="+at).want(200)
	if past.Header.Get("Cache-Control") != "public, max-age=86400" || past.Header.Get("ETag") == "" || past.Header.Get("Content-Type") != "application/vc+jwt" ||
		past.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers %v", past.Header)
	}
	if again := s.get("", "/status/suspension-0?timestamp="+at).want(200); !bytes.Equal(again.Body, past.Body) {
		t.Error("timestamp is not at")
	}
	// A plus that nobody wrote as %2B is a space.
	local := published.In(time.FixedZone("", 8*3600)).Format(time.RFC3339)
	if again := s.get("", "/status/suspension-0?at="+strings.Replace(local, "+", "%20", 1)).want(200); !bytes.Equal(again.Body, past.Body) {
		t.Error("another zone is another moment")
	}
	for query, code := range map[string]string{
		"at=": "moment", "at=yesterday": "moment", "at=2026-03-02": "moment", "at=2026-03-02T12:00:00": "moment", "timestamp=1772419200": "moment",
		"at=" + at + "&timestamp=" + at: "moment_twice", "at=2126-03-02T12:00:00Z": "status_at_future", "timestamp=9999-12-31T23:59:59Z": "status_at_future",
	} {
		s.get("", "/status/suspension-0?"+query).problem(400, code)
	}
	s.get("", "/status/suspension-0?at=2020-01-01T00:00:00Z").problem(404, "status_before_first")
	s.get("", "/status/suspension-0?at=0001-01-01T00:00:00Z").problem(404, "status_before_first")
	s.get("", "/status/suspension-1?at="+at).problem(404, "no_status_list")
}

func TestStatusListsOfThePastAreLimited(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.Past = 2 })
	s.MustCertificates(s.issuer, 0, 1)
	at := url.QueryEscape(s.Clock.Now().Format(time.RFC3339))
	s.Clock.Add(time.Minute)
	for range 2 {
		s.get("", "/status/refresh-0?at="+at).want(200)
	}
	s.get("", "/status/refresh-0?at="+at).problem(429, "rate_limited")
	s.get("", "/status/refresh-0").want(200) // the present one is not
}

// The lists as anybody fetches them: the first and the second, each purpose, and
// the past.
func TestOtherPartsReadTheServedStatusLists(t *testing.T) {
	s := newSite(t)
	got := s.MustCertificates(s.issuer, 0, 1)
	s.allButOne()
	got = append(got, s.MustCertificates(s.issuer, 1, 5)...)
	s.Clock.Add(time.Minute)
	quiet := s.Clock.Now()
	s.Clock.Add(time.Minute)
	s.mustChange(got[0].Number, registry.ChangeVoid)
	s.mustChange(got[1].Number, registry.ChangeSuspend)
	s.mustChange(got[2].Number, registry.ChangeSuspend)
	s.mustChange(got[3].Number, registry.ChangeCancel)
	busy := s.Clock.Now()
	s.Clock.Add(time.Minute)
	s.mustChange(got[1].Number, registry.ChangeResume)
	if _, err := s.ReissueCertificate(context.Background(), s.Authority, got[4].Number, registry.Reissue{Basis: "补发申请20260302", Reason: "证书遗失"}); err != nil {
		t.Fatal(err)
	}
	s.Clock.Add(time.Minute)
	s.mustPublish()

	places := func(list uint64, of ...int) []int {
		out := []int{}
		for _, i := range of {
			if got[i].StatusIndex/credentials.StatusListBits == list {
				out = append(out, int(got[i].StatusIndex%credentials.StatusListBits))
			}
		}
		slices.Sort(out)
		return out
	}
	var lists []map[string]any
	add := func(purpose credentials.StatusPurpose, list uint64, at time.Time, of ...int) {
		path := "/status/" + credentials.StatusListName(purpose, int(list))
		want := map[string]any{"id": s.server.origin + path, "purpose": purpose, "set": places(list, of...),
			"validFrom": s.Clock.Now(), "validUntil": s.Clock.Now().Add(24 * time.Hour), "ttl": 60000}
		if !at.IsZero() {
			path += "?timestamp=" + url.QueryEscape(at.Format(time.RFC3339))
			want["validFrom"], want["validUntil"] = at, at
			delete(want, "ttl")
		}
		want["text"] = string(s.get("", path).want(200).Body)
		lists = append(lists, want)
	}
	for list := range uint64(2) {
		add(credentials.Revocation, list, time.Time{}, 0, 3, 4)
		add(credentials.Suspension, list, time.Time{}, 2)
		add(credentials.Refresh, list, time.Time{}, 4)
		add(credentials.Revocation, list, quiet)
		add(credentials.Revocation, list, busy, 0, 3)
		add(credentials.Suspension, list, busy, 1, 2)
		add(credentials.Refresh, list, busy)
	}
	input, err := json.Marshal(map[string]any{"keys": json.RawMessage(s.get("", "/.well-known/jwks.json").want(200).Body), "lists": lists})
	if err != nil {
		t.Fatal(err)
	}
	if out := needed.NodeScript(t, "testdata/status.mjs", []string{"jose", "@digitalbazaar/vc-bitstring-status-list"}, nil, input); out != "ok\n" {
		t.Fatal(out)
	}
}
