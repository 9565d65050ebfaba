package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/registry/webhooks"
)

func TestRelianceByCommand(t *testing.T) {
	ctx := context.Background()
	s := newServed(t, registrytest.Options{WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	by := s.MustAdmit(1)
	number := s.MustCertificates(by, 0, 1)[0].Number
	kunshan, other := s.payerKey("ks-jy", "320583"), s.payerKey("wj-rs", "320583")
	s.env["BAJIGONG_KEY"] = kunshan
	s.run(exitOK, "claim", "reserve", "--file", claimRequest(t, number, invented.PersonAt(0), "KS-1", claimFacts(s.Clock.Now())))
	if out := s.run(exitOK, "reliance"); out != "" {
		t.Errorf("before anything happened:\n%s", out)
	}
	secret := strings.TrimSpace(s.run(exitOK, "webhook", "add", "https://127.0.0.1:9/hooks", "--once", "k1"))
	if !strings.HasPrefix(secret, "whsec_") || len(secret) != len("whsec_")+44 {
		t.Errorf("secret %q", secret)
	}
	s.run(exitConflict, "webhook", "add", "https://127.0.0.1:9/hooks", "--once", "k1")
	s.run(exitInvalid, "webhook", "add", "http://a.example/")
	for _, kind := range []registry.ChangeKind{registry.ChangeSuspend, registry.ChangeVoid} {
		if _, err := s.ChangeCertificate(ctx, s.Authority, number, registry.NewChange{Kind: kind, Document: "苏人社撤〔2026〕3号", Reason: "替考"}); err != nil {
			t.Fatal(err)
		}
	}
	says(t, s.run(exitOK, "reliance"), "1  ", "暂缓拨付", "2  ", "证书已撤销，自始无效", "不予拨付", "KS-1", "苏人社撤〔2026〕3号", "替考")
	line := s.run(exitOK, "reliance", "--after", "1", "--json")
	var e registry.RelianceView
	if err := json.Unmarshal([]byte(line), &e); err != nil || strings.Count(line, "\n") != 1 || e.Seq != 2 || e.Advice != registry.AdviceStop {
		t.Errorf("%s: %v", line, err)
	}
	s.run(exitInvalid, "reliance", "--after", "9")
	says(t, s.run(exitOK, "reliance", "acknowledge", "1"), "已处理至 dealt with through  1")
	says(t, s.run(exitOK, "reliance", "acknowledge", "0"), "1")
	s.run(exitInvalid, "reliance", "acknowledge", "9")
	s.run(exitUsage, "reliance", "acknowledge", "x")

	if n, err := s.DeliverWebhooks(ctx, func(context.Context, webhooks.Message) (webhooks.Outcome, error) {
		return webhooks.Outcome{Status: 410}, nil
	}); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	list := s.run(exitOK, "webhook", "list")
	says(t, list, "https://127.0.0.1:9/hooks", "已停用", "gone")
	id := strings.Fields(list)[0]
	says(t, s.run(exitOK, "webhook", "replay", id, "--from", "1"), "启用", "下一条 next entry")
	if fresh := strings.TrimSpace(s.run(exitOK, "webhook", "rotate", id)); !strings.HasPrefix(fresh, "whsec_") || fresh == secret {
		t.Errorf("rotated %q", fresh)
	}
	s.env["BAJIGONG_KEY"] = other
	if out := s.run(exitOK, "reliance"); out != "" {
		t.Errorf("another payer reads:\n%s", out)
	}
	s.run(exitNotFound, "webhook", "replay", id)
	s.env["BAJIGONG_KEY"] = kunshan
	says(t, s.run(exitOK, "webhook", "remove", id), "已移除")
}

// A reader that follows goes on when the server was away, from where it stopped.
func TestRelianceFollows(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch asked.Add(1) {
		case 1:
			io.WriteString(w, `{"items":[{"seq":1,"what":"voided"},{"seq":2,"what":"voided"}],"next":2,"more":true}`)
		case 2:
			if r.URL.Query().Get("after") != "2" || r.URL.Query().Get("wait") != "15" {
				t.Errorf("%s", r.URL)
			}
			io.WriteString(w, `{"items":[{"seq":3,"what":"voided"}],"next":3}`)
		default:
			io.WriteString(w, `{"items":[],"next":3}`)
		}
	}))
	defer server.Close()
	m := newMachine(t)
	flags := serverFlags{url: server.URL, key: "k"}
	w := m.world()
	c, err := flags.client(w, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seqs []uint64
	err = c.readReliance(ctx, w, 0, true, func(e registry.RelianceView) error {
		if seqs = append(seqs, e.Seq); len(seqs) == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || len(seqs) != 3 || seqs[2] != 3 {
		t.Errorf("%v, %v", seqs, err)
	}
}

// A server tells of what changed within seconds: the job is started with it.
func TestServerSendsWebhooks(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := registrytest.New(t, registrytest.Options{WebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	payer := registrytest.Payer("ks-jy", "320583")
	by := e.MustAdmit(1)
	number := e.MustCertificates(by, 0, 1)[0].Number
	q := registry.ClaimRequest{Reference: "r", Policy: "sample-2026", Certificate: number, Document: invented.PersonAt(0).Document, Name: invented.PersonAt(0).Name}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(claimFacts(e.Clock.Now()), `, "facts": `)), &q.Facts); err != nil {
		t.Fatal(err)
	}
	if a, err := e.ReserveClaim(ctx, payer, q); err != nil || a.Claim == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	// Its certificate is nobody's: the connection is refused by name of TLS, and
	// that is recorded, which shows that the job ran.
	hung := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hung.Close()
	hook, err := e.AddWebhook(ctx, payer, registry.NewWebhook{URL: hung.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.ChangeCertificate(ctx, e.Authority, number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文", Reason: "替考"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		background(ctx, e.Registry, slog.New(slog.DiscardHandler))
	}()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ds, _, err := e.WebhookDeliveries(ctx, payer, hook.ID, false, registry.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) == 1 && ds[0].Fault == webhooks.FaultTLS {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was sent: %+v", ds)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-ended
}
