package webhooks_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"bajigong/registry/webhooks"
)

// Post is under the guard of messages: not into one's own network, no redirect,
// a bounded answer.
func TestPost(t *testing.T) {
	var asked string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + string(b)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/add-checkpoint", http.StatusTemporaryRedirect)
		case "/long":
			io.WriteString(w, strings.Repeat("x", 101))
		default:
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, "12\n")
		}
	}))
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	guarded := webhooks.NewSender(webhooks.SenderConfig{Roots: pool, Timeout: time.Second})
	if _, err := guarded.Post(t.Context(), server.URL, nil, 100); err == nil || asked != "" {
		t.Fatalf("this machine was asked: %v", err)
	}
	sender := webhooks.NewSender(webhooks.SenderConfig{Roots: pool, Timeout: time.Second, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	got, err := sender.Post(t.Context(), server.URL+"/add-checkpoint", []byte("old 0\n"), 100)
	if err != nil || got.Status != 409 || got.ContentType != "text/x.tlog.size" || string(got.Body) != "12\n" || asked != "POST old 0\n" {
		t.Fatalf("%+v, %v, asked %q", got, err, asked)
	}
	if got, err = sender.Post(t.Context(), server.URL+"/moved", nil, 100); err != nil || got.Status != 307 {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err = sender.Post(t.Context(), server.URL+"/long", nil, 100); err == nil {
		t.Fatal("a long answer is taken")
	}
}
