package webhooks_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/needed"
	"bajigong/registry/webhooks"
)

// The published example of Standard Webhooks (libraries of 1.0.0 test with it, and
// so does every implementation): secret, id, timestamp, payload and signature.
func TestSignatureOfTheSpecification(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	h, err := webhooks.Message{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", At: time.Unix(1614265330, 0), Secrets: [][]byte{secret}, Body: []byte(`{"test": 2432232314}`)}.Headers()
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
	if h.Get("webhook-id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" || h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("%v", h)
	}
	if got := webhooks.FormatSecret(secret); got != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" {
		t.Errorf("secret %s", got)
	}
	for _, m := range []webhooks.Message{{ID: "a"}, {ID: "a.b", Secrets: [][]byte{secret}}, {Secrets: [][]byte{secret}}} {
		if _, err := m.Headers(); err == nil {
			t.Errorf("%+v is signed", m)
		}
	}
}

// verified checks a message with nothing but the specification.
func verified(r *http.Request, body, secret []byte) bool {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, s := range strings.Split(r.Header.Get("webhook-signature"), " ") {
		if s == want {
			return true
		}
	}
	return false
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func server(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

func message(url string) webhooks.Message {
	return webhooks.Message{ID: "re-1", At: time.Unix(1614265330, 0), URL: url, Secrets: [][]byte{[]byte("new secret of 24 bytes.."), []byte("old secret of 24 bytes..")}, Body: []byte(`{"type":"reliance.voided"}`)}
}

func TestSend(t *testing.T) {
	ctx := context.Background()
	var seen atomic.Int32
	s, pool := server(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		body, _ := io.ReadAll(r.Body)
		for _, secret := range message("").Secrets {
			if !verified(r, body, secret) {
				t.Errorf("a signature does not fit: %v", r.Header)
			}
		}
		if verified(r, append(body, ' '), message("").Secrets[0]) || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || strconv.Itoa(len(body)) != r.Header.Get("Content-Length") {
			t.Errorf("%s %v %q", r.Method, r.Header, body)
		}
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		case "/later":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(503)
		case "/flood":
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		case "/cut":
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		case "/hang":
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		case "/headers":
			for i := range 40 {
				w.Header().Set("x-"+strconv.Itoa(i), strings.Repeat("a", 1000))
			}
		default:
			n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			w.WriteHeader(max(n, 200))
		}
	})
	sender := webhooks.NewSender(webhooks.SenderConfig{Allow: loopback, Roots: pool, Timeout: 400 * time.Millisecond})
	for path, want := range map[string]webhooks.Outcome{
		"/200": {Status: 200}, "/204": {Status: 204}, "/404": {Status: 404}, "/410": {Status: 410}, "/500": {Status: 500}, "/redirect": {Status: 307},
		"/later": {Status: 503, RetryAfter: 2 * time.Minute}, "/flood": {Status: 200}, "/cut": {Fault: webhooks.FaultConnection},
		"/hang": {Fault: webhooks.FaultTimeout}, "/headers": {Fault: webhooks.FaultConnection},
	} {
		before := seen.Load()
		got, err := sender.Send(ctx, message(s.URL+path))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", path, got, err, want)
		}
		if seen.Load() != before+1 {
			t.Errorf("%s: %d requests", path, seen.Load()-before)
		}
		if got.OK() != (want.Fault == "" && want.Status/100 == 2) || got.Gone() != (path == "/410") {
			t.Errorf("%s: ok %t, gone %t", path, got.OK(), got.Gone())
		}
	}
	s.Close()
	if got, err := sender.Send(ctx, message(s.URL)); err != nil || got.Fault != webhooks.FaultConnection {
		t.Errorf("nobody there: %+v, %v", got, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := sender.Send(ended, message(s.URL)); err == nil {
		t.Error("sent after the end")
	}
}

// SSRF: the address is looked at when the connection is made, so that neither a
// name nor a redirect leads into the register's own network.
func TestSenderRefusesOwnNetwork(t *testing.T) {
	var seen atomic.Int32
	s, pool := server(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) })
	for _, allow := range [][]netip.Prefix{nil, {netip.MustParsePrefix("10.0.0.0/8")}} {
		sender := webhooks.NewSender(webhooks.SenderConfig{Roots: pool, Timeout: time.Second, Allow: allow})
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		for _, url := range []string{s.URL, "https://localhost:" + port, "https://[::ffff:127.0.0.1]:" + port, "https://169.254.169.254/", "https://10.255.255.1:1/"} {
			got, err := sender.Send(context.Background(), message(url))
			if allow != nil && strings.Contains(url, "//10.") {
				continue
			}
			if err != nil || got.Fault != webhooks.FaultAddress {
				t.Errorf("%s: %+v, %v", url, got, err)
			}
		}
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestSenderChecksTheServersCertificate(t *testing.T) {
	s, _ := server(t, func(http.ResponseWriter, *http.Request) {})
	sender := webhooks.NewSender(webhooks.SenderConfig{Allow: loopback, Roots: x509.NewCertPool(), Timeout: time.Second})
	if got, err := sender.Send(context.Background(), message(s.URL)); err != nil || got.Fault != webhooks.FaultTLS {
		t.Errorf("unknown authority: %+v, %v", got, err)
	}
	old := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	pool := x509.NewCertPool()
	pool.AddCert(old.Certificate())
	sender = webhooks.NewSender(webhooks.SenderConfig{Allow: loopback, Roots: pool, Timeout: time.Second})
	if got, err := sender.Send(context.Background(), message(old.URL)); err != nil || got.OK() {
		t.Errorf("TLS 1.1: %+v, %v", got, err)
	}
}

// node's own crypto, which shares no code with us, finds the signatures right.
func TestSignatureForNode(t *testing.T) {
	node := needed.Tool(t, "node", "nodejs")
	m := message("")
	h, err := m.Headers()
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(map[string]string{"id": h.Get("webhook-id"), "at": h.Get("webhook-timestamp"), "signature": h.Get("webhook-signature"), "body": string(m.Body),
		"first": webhooks.FormatSecret(m.Secrets[0]), "second": webhooks.FormatSecret(m.Secrets[1])})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "-e", `
		const { createHmac } = require("node:crypto");
		const m = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
		const sign = s => "v1," + createHmac("sha256", Buffer.from(s.replace(/^whsec_/, ""), "base64")).update(m.id + "." + m.at + "." + m.body).digest("base64");
		console.log(m.signature === sign(m.first) + " " + sign(m.second) ? "right" : "wrong");`)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "right" {
		t.Errorf("node: %s %v", out, err)
	}
}
