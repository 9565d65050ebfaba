package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"bajigong/internal/torture"
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
	app.Post("/constant", func(c *fiber.Ctx) error {
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

// ask posts a body and wants 200 with something in it.
func ask200(client *fasthttp.HostClient, path string, body []byte) ([]byte, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetRequestURI("http://" + client.Addr + path)
	req.Header.SetContentType(fiber.MIMEApplicationJSON)
	req.SetBodyRaw(body)
	if err := client.Do(req, resp); err != nil {
		return nil, err
	}
	if resp.StatusCode() != fasthttp.StatusOK || len(resp.Body()) < 100 {
		return nil, fmt.Errorf("%s: %d %s", path, resp.StatusCode(), resp.Body())
	}
	return append([]byte(nil), resp.Body()...), nil
}

// overHTTP measures POST /api/v1/verify: tokens that were never seen before, held
// against nothing but P-256 verifications on all processors; and one token again
// and again, held against a handler that answers the same bytes without a thought.
func (b *bencher) overHTTP(ctx context.Context) ([]benchFigure, error) {
	issued, err := b.scene.Certificates(ctx, b.Registry, max(b.opt.size, sampled))
	if err != nil {
		return nil, err
	}
	bodies := make([][]byte, len(issued))
	for i, c := range issued {
		if bodies[i], err = json.Marshal(map[string]string{"token": c.QR}); err != nil {
			return nil, err
		}
	}
	v, err := b.VerdictByToken(ctx, issued[0].QR)
	if err != nil || !v.Valid {
		return nil, fmt.Errorf("verdict: %v %w", v.Reasons, err)
	}
	same, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(same)
	if err != nil {
		return nil, err
	}
	defer s.close()
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent)) // as serve does, for both servers and the limits
	verify := func(i int) error {
		answer, err := ask200(s.ours, "/api/v1/verify", bodies[i%len(bodies)])
		if err == nil && string(answer[:13]) != `{"valid":true` {
			err = fmt.Errorf("verify: %s", answer)
		}
		return err
	}
	const unlimited = 1 << 60
	var out []benchFigure
	// Every token once, before any cache can know it.
	ours, err := torture.Measure(b.opt.clients, len(bodies), b.opt.each, verify)
	if err != nil {
		return nil, err
	}
	limit, err := torture.Measure(2*b.opt.clients, unlimited, b.opt.each, func(int) error { b.crypto.Verify(); return nil })
	if err != nil {
		return nil, err
	}
	out = append(out, figureOf("verify a new token over HTTP", b.opt.clients, ours, limit, "P-256 verifications on all processors, without HTTP and without load beside them"))
	ours, err = torture.Measure(b.opt.clients, unlimited, b.opt.each, func(int) error { return verify(0) })
	if err != nil {
		return nil, err
	}
	limit, err = torture.Measure(b.opt.clients, unlimited, b.opt.each, func(int) error {
		_, err := ask200(s.constant, "/constant", bodies[0])
		return err
	})
	return append(out, figureOf("verify a token again over HTTP", b.opt.clients, ours, limit, "a fiber handler that answers the same bytes")), err
}
