package registry_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/registry/webhooks"
	"bajigong/standards"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// endpoint is a payer's server, as a real one over TLS. It keeps what came with a
// signature that fits one of its secrets.
type endpoint struct {
	t      *testing.T
	http   *httptest.Server
	sender *webhooks.Sender

	mu      sync.Mutex
	secrets []string
	answer  func(w http.ResponseWriter, r *http.Request) // 204 when nil
	seqs    []uint64
	ids     []string
	forged  int
	asked   int
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	p := &endpoint{t: t}
	p.http = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.http.StartTLS()
	t.Cleanup(p.http.Close)
	pool := x509.NewCertPool()
	pool.AddCert(p.http.Certificate())
	p.sender = webhooks.NewSender(webhooks.SenderConfig{Allow: loopback, Roots: pool, Timeout: 300 * time.Millisecond})
	return p
}

func (p *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if err != nil || !p.signed(r, body) {
		p.forged++
		w.WriteHeader(401)
		return
	}
	var in struct {
		Type string `json:"type"`
		Data struct {
			Seq   uint64 `json:"seq"`
			Entry string `json:"entry"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &in) != nil || in.Data.Entry != r.Header.Get("webhook-id") || !strings.HasPrefix(in.Type, "reliance.") {
		p.t.Errorf("body %s", body)
	}
	if p.answer != nil {
		status := httptest.NewRecorder()
		p.answer(status, r)
		if status.Code/100 != 2 {
			for k, v := range status.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(status.Code)
			return
		}
	}
	p.seqs, p.ids = append(p.seqs, in.Data.Seq), append(p.ids, in.Data.Entry)
	w.WriteHeader(204)
}

// signed is the check of a receiver, by the specification alone.
func (p *endpoint) signed(r *http.Request, body []byte) bool {
	for _, secret := range p.secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) < 24 || !strings.HasPrefix(secret, "whsec_") {
			p.t.Errorf("secret %q", secret)
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		if slices.Contains(strings.Fields(r.Header.Get("webhook-signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
			return true
		}
	}
	return false
}

func (p *endpoint) set(answer func(w http.ResponseWriter, r *http.Request), secrets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer, p.seqs, p.ids, p.asked, p.forged = answer, nil, nil, 0, 0
	if len(secrets) > 0 {
		p.secrets = secrets
	}
}

func (p *endpoint) got() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprint(p.seqs)
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hookEnv is a payer with a claim that can be stirred and an endpoint.
type hookEnv struct {
	*claimEnv
	cert     registry.Issued
	endpoint *endpoint
	hook     registry.NewWebhookSecret
}

func newHookEnv(t *testing.T, opts ...registrytest.Options) *hookEnv {
	t.Helper()
	if len(opts) == 0 {
		opts = []registrytest.Options{{}}
	}
	opts[0].WebhookNetworks = loopback
	e := &hookEnv{claimEnv: newClaimEnv(t, opts...), endpoint: newEndpoint(t)}
	e.cert = e.issue(1, "6-31-01-03", standards.Senior)
	e.mustReserve(e.kunshan, e.request(1, e.cert.Number))
	var err error
	if e.hook, err = e.AddWebhook(ctx, e.kunshan, registry.NewWebhook{URL: e.endpoint.http.URL + "/hooks"}); err != nil {
		t.Fatal(err)
	}
	e.endpoint.set(nil, e.hook.Secret)
	return e
}

// stir writes n entries of the payer's feed.
func (e *hookEnv) stir(n int) {
	e.T.Helper()
	for range n {
		c, err := e.CertificateByNumber(ctx, e.Authority, e.cert.Number)
		if err != nil {
			e.T.Fatal(err)
		}
		kind := registry.ChangeSuspend
		if c.Status == registry.CertificateSuspended {
			kind = registry.ChangeResume
		}
		e.mustChange(e.cert.Number, kind)
	}
}

func (e *hookEnv) deliver() int {
	e.T.Helper()
	n, err := e.DeliverWebhooks(ctx, e.endpoint.sender.Send)
	if err != nil {
		e.T.Fatalf("deliver: %v", err)
	}
	return n
}

func (e *hookEnv) webhook() registry.Webhook {
	e.T.Helper()
	w, err := e.WebhookByID(ctx, e.kunshan, e.hook.ID)
	if err != nil {
		e.T.Fatal(err)
	}
	return w
}

func (e *hookEnv) dead() (out []registry.Delivery) {
	e.T.Helper()
	out, _, err := e.WebhookDeliveries(ctx, e.kunshan, e.hook.ID, true, registry.Page{Limit: 500})
	if err != nil {
		e.T.Fatal(err)
	}
	return out
}

func TestWebhookDelivers(t *testing.T) {
	e := newHookEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	if e.deliver() != 0 {
		t.Fatal("sent before anything happened")
	}
	e.stir(3)
	if n := e.deliver(); n != 3 || e.endpoint.got() != "[1 2 3]" || e.endpoint.forged != 0 {
		t.Fatalf("%d attempts, got %s, %d forged", n, e.endpoint.got(), e.endpoint.forged)
	}
	var ids []string
	for _, entry := range e.feed(e.kunshan) {
		ids = append(ids, entry.ID)
	}
	if !slices.Equal(ids, e.endpoint.ids) {
		t.Errorf("webhook-id %v, entries %v", e.endpoint.ids, ids)
	}
	if n := e.deliver(); n != 0 || !e.webhook().Due.IsZero() {
		t.Errorf("%d attempts with nothing to send, %+v", n, e.webhook())
	}
	e.stir(120) // more than one turn
	for e.deliver() > 0 {
	}
	e.endpoint.mu.Lock()
	defer e.endpoint.mu.Unlock()
	if len(e.endpoint.seqs) != 123 || !slices.IsSorted(e.endpoint.seqs) {
		t.Errorf("%d messages, in order %t", len(e.endpoint.seqs), slices.IsSorted(e.endpoint.seqs))
	}
	page, _, err := e.WebhookDeliveries(ctx, e.kunshan, e.hook.ID, false, registry.Page{Limit: 500})
	if err != nil || len(page) != 123 || page[5].State != webhooks.Delivered || page[5].Attempts != 1 || page[5].Status != 204 {
		t.Errorf("%d deliveries, %v", len(page), err)
	}
}

// An endpoint that fails, hangs, redirects or is not there is tried again by the
// schedule, in order, under the same id; what was given up is listed and sent again
// when the payer says so.
func TestWebhookRetries(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"fails": status(500), "redirects": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
		"hangs": func(w http.ResponseWriter, _ *http.Request) { time.Sleep(500 * time.Millisecond); w.WriteHeader(500) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newHookEnv(t)
			e.stir(2)
			e.endpoint.set(answer)
			if n := e.deliver(); n != 1 {
				t.Fatalf("%d attempts", n)
			}
			if w := e.webhook(); w.Failures != 1 || w.Next != 1 || w.Due.Sub(e.Clock.Now()) < 4*time.Second || w.Due.Sub(e.Clock.Now()) > 6*time.Second {
				t.Fatalf("%+v", w)
			}
			if n := e.deliver(); n != 0 {
				t.Fatalf("tried again at once")
			}
			e.Clock.Add(6 * time.Second)
			if n := e.deliver(); n != 1 || e.webhook().Failures != 2 {
				t.Fatalf("%d attempts, %+v", n, e.webhook())
			}
			e.endpoint.set(nil)
			e.Clock.Add(6 * time.Minute)
			if n := e.deliver(); n != 2 || e.endpoint.got() != "[1 2]" {
				t.Fatalf("after it came back: %d attempts, %s", n, e.endpoint.got())
			}
			all, _, err := e.WebhookDeliveries(ctx, e.kunshan, e.hook.ID, false, registry.Page{})
			if err != nil || len(all) != 2 || all[0].Attempts != 3 || all[1].Attempts != 1 || !e.webhook().FailingSince.IsZero() {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// A payer that is down for a week loses nothing: the feed has everything in its
// order, the endpoint is disabled with an entry about it, and after a replay every
// message has come, under the id it always had.
func TestPayerDownForAWeek(t *testing.T) {
	e := newHookEnv(t)
	e.stir(2)
	e.deliver()
	e.endpoint.set(nil)
	e.endpoint.http.Close() // nobody there
	read := e.feed(e.kunshan)
	began := e.Clock.Now()
	for day := 0; e.Clock.Now().Sub(began) < 7*24*time.Hour; day++ {
		if day%4 == 0 {
			e.stir(1)
		}
		e.deliver()
		e.Clock.Add(4 * time.Hour)
	}
	w := e.webhook()
	if w.State != webhooks.Disabled || w.Ended == nil || w.Ended.Reason != "failing" || w.Ended.At.Sub(began) < 5*24*time.Hour {
		t.Fatalf("%+v", w)
	}
	dead := e.dead()
	if len(dead) == 0 || dead[0].Seq != 3 || dead[0].Fault != webhooks.FaultConnection || dead[0].Attempts != 10 {
		t.Fatalf("dead letters %+v", dead)
	}
	e.MustCheck()
	page, err := e.Reliance(ctx, e.kunshan, read[len(read)-1].Seq, 500, 0)
	if err != nil || len(page.Items) != 12 || page.Items[0].Seq != 3 {
		t.Fatalf("%d entries since, %v", len(page.Items), err)
	}
	notices := 0
	for _, entry := range page.Items {
		if entry.What == registry.RelianceWebhookDisabled {
			notices++
			if entry.Webhook != w.ID || entry.Claim != "" {
				t.Errorf("notice %+v", entry)
			}
		}
	}
	if notices != 1 {
		t.Errorf("%d notices", notices)
	}
	// The payer is back, at another address: a new server with the same secret.
	back := newEndpoint(t)
	back.set(nil, e.hook.Secret)
	e.endpoint.http, e.endpoint.sender = back.http, webhooks.NewSender(webhooks.SenderConfig{Allow: loopback, Timeout: time.Second})
	if _, err := e.ReplayWebhook(ctx, e.other, e.hook.ID, 0); fail.CodeOf(err) != "not_found" {
		t.Errorf("another payer replays: %v", err)
	}
	if _, err := e.ReplayWebhook(ctx, e.kunshan, e.hook.ID, 99); fail.CodeOf(err) != "webhook_from" {
		t.Errorf("from 99: %v", err)
	}
	if w, err = e.ReplayWebhook(ctx, e.kunshan, e.hook.ID, 0); err != nil || w.State != webhooks.Active || w.Next != 3 {
		t.Fatalf("%+v, %v", w, err)
	}
	if n := len(e.dead()); n != 0 {
		t.Errorf("%d dead letters while they are sent again", n)
	}
	send := func(ctx context.Context, m webhooks.Message) (webhooks.Outcome, error) {
		m.URL = back.http.URL
		return back.sender.Send(ctx, m)
	}
	if n, err := e.DeliverWebhooks(ctx, send); err != nil || n != 12 || back.got() != "[3 4 5 6 7 8 9 10 11 12 13 14]" {
		t.Fatalf("%d attempts, %s, %v", n, back.got(), err)
	}
	for i, entry := range page.Items {
		if back.ids[i] != entry.ID {
			t.Errorf("entry %d came as %s", entry.Seq, back.ids[i])
		}
	}
}

func TestWebhookGone(t *testing.T) {
	e := newHookEnv(t)
	e.stir(1)
	e.endpoint.set(status(http.StatusGone))
	e.deliver()
	if w := e.webhook(); w.State != webhooks.Disabled || w.Ended.Reason != "gone" {
		t.Fatalf("%+v", w)
	}
	if es := e.feed(e.kunshan); len(es) != 2 || es[1].What != registry.RelianceWebhookDisabled {
		t.Errorf("%s", told(es))
	}
	e.stir(1)
	e.Clock.Add(100 * time.Hour)
	if e.deliver() != 0 {
		t.Error("sent to an endpoint that is gone")
	}
	e.endpoint.set(nil)
	if _, err := e.ReplayWebhook(ctx, e.kunshan, e.hook.ID, 1); err != nil {
		t.Fatal(err)
	}
	if e.deliver() != 3 || e.endpoint.got() != "[1 2 3]" {
		t.Errorf("%s", e.endpoint.got())
	}
	e.endpoint.set(status(503))
	if _, err := e.ReplayWebhook(ctx, e.kunshan, e.hook.ID, 2); err != nil {
		t.Fatal(err)
	}
	e.deliver()
	all, _, err := e.WebhookDeliveries(ctx, e.kunshan, e.hook.ID, false, registry.Page{})
	if err != nil || all[1].State != webhooks.Retrying || !all[1].Delivered.IsZero() || all[2].State != webhooks.Delivered {
		t.Errorf("%+v, %v", all, err)
	}
}

// Two secrets are valid while the receiver changes over, then one.
func TestWebhookRotation(t *testing.T) {
	e := newHookEnv(t)
	old := e.hook.Secret
	fresh, err := e.RotateWebhook(ctx, e.kunshan, e.hook.ID)
	if err != nil || fresh.Secret == "" || fresh.Secret == old || len(fresh.Secrets) != 2 {
		t.Fatalf("%+v, %v", fresh, err)
	}
	for _, c := range []struct {
		after  time.Duration
		secret string
		right  bool
	}{{0, old, true}, {0, fresh.Secret, true}, {23 * time.Hour, old, true}, {2 * time.Hour, old, false}, {0, fresh.Secret, true}} {
		e.Clock.Add(c.after)
		e.endpoint.set(nil, c.secret)
		e.stir(1)
		e.Clock.Add(10 * time.Second) // a message that was refused is due again
		e.deliver()
		if right := e.endpoint.forged == 0; right != c.right {
			t.Errorf("after %s: signature fits %t", c.after, right)
		}
	}
	idem := e.kunshan
	idem.Idempotency = registry.Idempotency{Route: "POST rotation", Key: "k", Body: []byte("b")}
	first, err := e.RotateWebhook(ctx, idem, e.hook.ID)
	again, err2 := e.RotateWebhook(ctx, idem, e.hook.ID)
	if err != nil || err2 != nil || first.Secret == "" || again.Secret != "" || again.Secrets[0].N != 3 {
		t.Errorf("%v %v; %+v", err, err2, again)
	}
}

func TestWebhooksAreTheirPayersOwn(t *testing.T) {
	e := newHookEnv(t)
	for name, by := range map[string]registry.Actor{"public": {}, "authority": e.Authority, "institution": e.issuer.Actor} {
		if _, err := e.AddWebhook(ctx, by, registry.NewWebhook{URL: "https://a.example/"}); err == nil {
			t.Errorf("%s adds an endpoint", name)
		}
		if _, err := e.WebhookByID(ctx, by, e.hook.ID); err == nil {
			t.Errorf("%s reads an endpoint", name)
		}
	}
	for name, err := range map[string]error{
		"read": second(e.WebhookByID(ctx, e.other, e.hook.ID)), "rotate": second(e.RotateWebhook(ctx, e.other, e.hook.ID)),
		"remove": second(e.RemoveWebhook(ctx, e.other, e.hook.ID)), "replay": second(e.ReplayWebhook(ctx, e.other, e.hook.ID, 1)),
	} {
		if fail.CodeOf(err) != "not_found" {
			t.Errorf("another payer: %s: %v", name, err)
		}
	}
	if _, _, err := e.WebhookDeliveries(ctx, e.other, e.hook.ID, true, registry.Page{}); fail.CodeOf(err) != "not_found" {
		t.Errorf("another payer reads deliveries: %v", err)
	}
	for _, url := range []string{"http://127.0.0.1/", "https://10.0.0.1/", "https://u:p@a.example/", ""} {
		if _, err := e.AddWebhook(ctx, e.kunshan, registry.NewWebhook{URL: url}); fail.CodeOf(err) != "webhook_url" {
			t.Errorf("%q: %v", url, err)
		}
	}
	var last registry.NewWebhookSecret
	var err error
	for n := 1; n < 5; n++ {
		if last, err = e.AddWebhook(ctx, e.kunshan, registry.NewWebhook{URL: "https://a.example/"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.AddWebhook(ctx, e.kunshan, registry.NewWebhook{URL: "https://a.example/"}); fail.CodeOf(err) != "webhooks_many" {
		t.Errorf("a sixth endpoint: %v", err)
	}
	if _, err := e.RemoveWebhook(ctx, e.kunshan, last.ID); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"remove": second(e.RemoveWebhook(ctx, e.kunshan, last.ID)), "replay": second(e.ReplayWebhook(ctx, e.kunshan, last.ID, 0)), "rotate": second(e.RotateWebhook(ctx, e.kunshan, last.ID))} {
		if fail.KindOf(err) != fail.Conflict {
			t.Errorf("%s a removed endpoint: %v", name, err)
		}
	}
	if own, err := e.Webhooks(ctx, e.kunshan); err != nil || len(own) != 4 {
		t.Errorf("%d endpoints, %v", len(own), err)
	}
	err = eachEntry(t, e.Env, func(table, value string) {
		if strings.Contains(value, strings.TrimPrefix(e.hook.Secret, "whsec_")) || strings.Contains(value, "/hooks") && table == "events" {
			t.Errorf("%s holds the secret or the address", table)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two processes: one sends, in order, and the other leaves it alone; what was sent
// by a process that died before it recorded it is sent again under the same id.
func TestWebhookTwoProcesses(t *testing.T) {
	e := newHookEnv(t)
	e.stir(20)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := e.DeliverWebhooks(ctx, e.endpoint.sender.Send); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if e.endpoint.got() != "[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20]" {
		t.Errorf("%s", e.endpoint.got())
	}
	e.endpoint.set(nil)
	e.stir(1)
	died, cancel := context.WithCancel(ctx)
	_, err := e.DeliverWebhooks(died, func(ctx context.Context, m webhooks.Message) (webhooks.Outcome, error) {
		out, err := e.endpoint.sender.Send(ctx, m)
		cancel()
		return out, err
	})
	if err == nil {
		t.Error("recorded after it died")
	}
	e.deliver()
	if e.endpoint.got() != "[21 21]" || e.endpoint.ids[0] != e.endpoint.ids[1] {
		t.Errorf("%s %v", e.endpoint.got(), e.endpoint.ids)
	}
}

// One endpoint that hangs holds up no other.
func TestWebhookThatHangsHoldsUpNobody(t *testing.T) {
	e := newHookEnv(t)
	slow := newEndpoint(t)
	hung, err := e.AddWebhook(ctx, e.kunshan, registry.NewWebhook{URL: slow.http.URL})
	if err != nil {
		t.Fatal(err)
	}
	e.stir(5)
	release := make(chan struct{})
	send := func(ctx context.Context, m webhooks.Message) (webhooks.Outcome, error) {
		if m.URL == hung.URL {
			<-release
			return webhooks.Outcome{Fault: webhooks.FaultTimeout}, nil
		}
		return e.endpoint.sender.Send(ctx, m)
	}
	done := make(chan error)
	go func() {
		_, err := e.DeliverWebhooks(ctx, send)
		done <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); e.endpoint.got() != "[1 2 3 4 5]"; {
		if time.Now().After(deadline) {
			t.Fatalf("got %s beside an endpoint that hangs", e.endpoint.got())
		}
		time.Sleep(5 * time.Millisecond)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if w, err := e.WebhookByID(ctx, e.kunshan, hung.ID); err != nil || w.Failures != 1 || w.Next != 1 {
		t.Errorf("%+v, %v", w, err)
	}
}
