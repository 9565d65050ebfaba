package web

import (
	"io"
	"log/slog"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// BenchmarkAnswer is what an answer costs the server, without a network: a verdict by
// handle that was asked for before, beside a handler that does nothing
// but send as many bytes.
func BenchmarkAnswer(b *testing.B) {
	s := newSite(b, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	one := s.MustCertificates(s.issuer, 0, 1)[0]
	answer := s.get("", "/c/"+string(one.Handle), "Accept", fiber.MIMEApplicationJSON).want(200).Body
	constant := fiber.New()
	constant.All("/*", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(answer)
	})
	for name, c := range map[string]struct {
		handler fasthttp.RequestHandler
		path    string
	}{
		"handle":   {s.server.app.Handler(), "/c/" + string(one.Handle)},
		"constant": {constant.Handler(), "/c/" + string(one.Handle)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var ctx fasthttp.RequestCtx
			for b.Loop() {
				ctx.Request.Reset()
				ctx.Response.Reset()
				ctx.Request.SetRequestURI(c.path)
				ctx.Request.Header.Set(fiber.HeaderAccept, fiber.MIMEApplicationJSON)
				c.handler(&ctx)
				if ctx.Response.StatusCode() != 200 {
					b.Fatal(ctx.Response.StatusCode(), string(ctx.Response.Body()))
				}
			}
		})
	}
}
