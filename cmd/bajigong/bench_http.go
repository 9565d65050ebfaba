package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/web"
)

// atHTTP is a server of ours and one that always answers the same, both on
// loopback, with the load beside them on the same machine.
type atHTTP struct {
	ours, constant *fasthttp.HostClient
	close          func()
}

func (b *bencher) serve(body []byte) (out *atHTTP, err error) {
	server, err := web.New(b.Registry, web.Config{Log: slog.New(slog.DiscardHandler), Limits: web.Limits{Lookup: -1, Verify: -1, Image: -1}})
	if err != nil {
		return nil, err
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.All("/constant", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(body)
	})
	listen := func(serve func(net.Listener) error) (*fasthttp.HostClient, error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		go func() { _ = serve(ln) }() // ends with its Shutdown
		return &fasthttp.HostClient{Addr: ln.Addr().String(), MaxConns: 4 * b.opt.clients, NoDefaultUserAgentHeader: true}, nil
	}
	out = &atHTTP{}
	if out.ours, err = listen(server.Serve); err == nil {
		out.constant, err = listen(app.Listener)
	}
	out.close = func() {
		_ = errors.Join(server.Shutdown(context.Background()), app.Shutdown()) // nothing is left to answer
	}
	return out, err
}

// httpAsk is a request of a measurement.
type httpAsk struct {
	method, path, key string
	body              []byte
}

// do asks and wants a status below 300 with something in it.
func (a httpAsk) do(client *fasthttp.HostClient) ([]byte, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(a.method)
	req.SetRequestURI("http://" + client.Addr + a.path)
	req.Header.Set(fiber.HeaderAccept, fiber.MIMEApplicationJSON)
	if a.body != nil {
		req.Header.SetContentType(fiber.MIMEApplicationJSON)
		req.SetBodyRaw(a.body)
	}
	if a.key != "" {
		req.Header.Set(fiber.HeaderAuthorization, "Bearer "+a.key)
	}
	if err := client.Do(req, resp); err != nil {
		return nil, err
	}
	if resp.StatusCode() >= 300 || len(resp.Body()) < 100 {
		return nil, fmt.Errorf("%s: %d %s", a.path, resp.StatusCode(), resp.Body())
	}
	return append([]byte(nil), resp.Body()...), nil
}

// constantly measures H: the constant handler with as many clients.
func (b *bencher) constantly(s *atHTTP, ask httpAsk) (torture.Sample, error) {
	const unlimited = 1 << 60
	ask.path = "/constant"
	return torture.Measure(b.opt.clients, unlimited, b.opt.each, func(int) error {
		_, err := ask.do(s.constant)
		return err
	})
}

const constantHandler = "a fiber handler that answers as many bytes"

// overHTTP measures POST /api/v1/verify on tokens that were never seen before, held
// against nothing but P-256 verifications on all processors; and verdicts by handle,
// first for certificates that were never asked for, then for the same ones again,
// held against a handler that answers as many bytes without a thought.
func (b *bencher) overHTTP(ctx context.Context) ([]benchFigure, error) {
	issued, err := b.sampled(ctx)
	if err != nil {
		return nil, err
	}
	bodies := make([][]byte, len(issued))
	for i, c := range issued {
		if bodies[i], err = json.Marshal(map[string]string{"token": c.QR}); err != nil {
			return nil, err
		}
	}
	v, err := b.VerdictByHandle(ctx, string(issued[0].Handle))
	if err != nil || !v.Valid {
		return nil, fmt.Errorf("verdict: %v %w", v.Reasons, err)
	}
	same, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := b.forget(ctx); err != nil {
		return nil, err
	}
	s, err := b.serve(same)
	if err != nil {
		return nil, err
	}
	defer s.close()
	valid := func(a httpAsk) error {
		answer, err := a.do(s.ours)
		if err == nil && string(answer[:13]) != `{"valid":true` {
			err = fmt.Errorf("%s: %s", a.path, answer)
		}
		return err
	}
	token, err := torture.Measure(b.opt.clients, len(bodies), b.opt.each, func(i int) error {
		return valid(httpAsk{method: fiber.MethodPost, path: "/api/v1/verify", body: bodies[i]})
	})
	if err != nil {
		return nil, err
	}
	f := figureOf("verify a new token over HTTP", b.opt.clients, token, torture.Sample{}, "")
	out := []benchFigure{f.atLeast("2V", f.PerSecond/b.limits.Verify, 0.40)}
	return b.handlesHTTP(ctx, s, issued, valid, out)
}

func (b *bencher) handlesHTTP(ctx context.Context, s *atHTTP, issued []registry.Issued, valid func(httpAsk) error, out []benchFigure) ([]benchFigure, error) {
	h, err := b.constantly(s, httpAsk{method: fiber.MethodGet})
	if err != nil {
		return nil, err
	}
	b.limits.Constant = h.PerSecond()
	want := 0.40
	if b.head.Certificates > 1_000_000 {
		want = 0.30
	}
	for _, one := range []struct {
		name string
		most int
	}{{"verdict by handle over HTTP, first time", len(issued)}, {"verdict by handle over HTTP", 1 << 60}} {
		ours, err := torture.Measure(b.opt.clients, one.most, b.opt.each, func(i int) error {
			return valid(httpAsk{method: fiber.MethodGet, path: "/c/" + string(issued[i%len(issued)].Handle)})
		})
		if err != nil {
			return nil, err
		}
		f := figureOf(one.name, b.opt.clients, ours, h, constantHandler)
		out = append(out, f.atLeast("H", f.PerSecond/b.limits.Constant, want))
	}
	return out, nil
}

// keyFor makes an account with a key.
func (b *bencher) keyFor(ctx context.Context, name string, as registry.Actor) (string, error) {
	account, err := b.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: fmt.Sprintf("%s-%d", name, time.Now().UnixNano()), Organisation: as.Organisation, Roles: as.Roles, Region: as.Region})
	if err != nil {
		return "", err
	}
	_, secret, err := b.IssueKey(ctx, registry.Operator(), account.ID, "bench", 0)
	return secret, err
}

// issueSingle issues sessions of one candidate each over HTTP.
func (b *bencher) issueSingle(ctx context.Context) ([]benchFigure, error) {
	keys := map[string]string{} // of the institutions
	for _, x := range b.scene.Single {
		if keys[x.By] != "" {
			continue
		}
		var err error
		if keys[x.By], err = b.keyFor(ctx, "issuer-"+x.By, b.scene.IssuerOf(x)); err != nil {
			return nil, err
		}
	}
	s, err := b.serve(nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ours, err := torture.Measure(b.opt.clients, len(b.scene.Single), b.opt.each, func(i int) error {
		x := b.scene.Single[i]
		_, err := httpAsk{method: fiber.MethodPost, path: "/api/v1/sessions/" + x.ID + "/certificates", key: keys[x.By]}.do(s.ours)
		return err
	})
	if err != nil {
		return nil, err
	}
	b.issued += ours.Ops
	f := figureOf("single issue over HTTP", b.opt.clients, ours, torture.Sample{}, "")
	return []benchFigure{f.atLeast("2S", f.PerSecond/b.limits.Sign, 0.10).atMost("p50 of 5 ms", f.P50/5, 1)}, nil
}

// reserveHTTP reserves over HTTP.
func (b *bencher) reserveHTTP(ctx context.Context) ([]benchFigure, error) {
	n := b.claimsEach()
	if len(b.scene.Claims) < n {
		return nil, errors.New("no certificates are left to claim on")
	}
	own := b.scene.Claims[:n]
	b.scene.Claims = b.scene.Claims[n:]
	key, err := b.keyFor(ctx, "payer", b.scene.Payer())
	if err != nil {
		return nil, err
	}
	bodies := make([][]byte, n)
	for i, h := range own {
		if bodies[i], err = json.Marshal(b.scene.ClaimBy(torture.FirstLanguage, h)); err != nil {
			return nil, err
		}
	}
	s, err := b.serve(nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ours, err := torture.Measure(b.opt.clients, n, b.opt.each, func(i int) error {
		answer, err := httpAsk{method: fiber.MethodPost, path: "/api/v1/claims", key: key, body: bodies[i]}.do(s.ours)
		if err != nil {
			return err
		}
		var said struct {
			Outcome string `json:"outcome"`
		}
		if json.Unmarshal(answer, &said) != nil || said.Outcome != "allow" {
			return fmt.Errorf("reserve: %s", answer)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b.claims += ours.Ops
	f := figureOf("reserve over HTTP", b.opt.clients, ours, torture.Sample{}, "")
	return []benchFigure{f.atLeast("H", f.PerSecond/b.limits.Constant, 0.15)}, nil
}
