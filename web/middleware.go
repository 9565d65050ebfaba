package web

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
)

// What a request carries from one handler to the next.
type local int

const (
	localReference local = iota
	localRoute
	localBody
	localRelease // func() to be called when the answer has been sent
	localHeld    // bytes of the body that are held
)

// contentPolicy lets a page load its own style sheet and pictures, send forms to
// itself, and nothing else: no script at all.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// outermost is around every route: request id, headers, panics, errors, the rest
// of the body, figures and the log.
func (s *Server) outermost(c *fiber.Ctx) (err error) {
	started := s.now()
	s.reference(c)
	s.harden(c)
	defer func() {
		if p := recover(); p != nil {
			err = s.failed(c, panicError(p))
		}
		s.settleBody(c)
		s.letBodyGo(c)
		s.hold(c)
		took := max(s.now().Sub(started), 0)
		s.metrics.count(c.Method(), routeOf(c), c.Response().StatusCode(), took)
		s.log.Info("request", "reference", s.reference(c), "method", c.Method(), "route", routeOf(c),
			"status", c.Response().StatusCode(), "ms", took.Milliseconds())
	}()
	if err := c.Next(); err != nil {
		return s.failed(c, err)
	}
	return nil
}

// reference is the id of a request: a random prefix of the process and a count.
func (s *Server) reference(c *fiber.Ctx) string {
	if ref, ok := c.Locals(localReference).(string); ok {
		return ref
	}
	ref := fmt.Sprintf("%s-%05d", s.prefix, s.serial.Add(1))
	c.Locals(localReference, ref)
	return ref
}

// hardening are headers of every answer, their names as HTTP/1.1 writes them.
var hardening = []struct{ name, value []byte }{
	{[]byte(fiber.HeaderXContentTypeOptions), []byte("nosniff")},
	{[]byte(fiber.HeaderReferrerPolicy), []byte("no-referrer")},
	{[]byte(fiber.HeaderContentSecurityPolicy), []byte(contentPolicy)},
	{[]byte(fiber.HeaderXFrameOptions), []byte("DENY")},
	{[]byte("Cross-Origin-Opener-Policy"), []byte("same-origin")},
	{[]byte(fiber.HeaderPermissionsPolicy), []byte("camera=(), microphone=(), geolocation=()")},
}

// harden sets the headers that every answer has.
func (s *Server) harden(c *fiber.Ctx) {
	c.Set("X-Request-Id", s.reference(c))
	for _, h := range hardening {
		c.Response().Header.SetCanonical(h.name, h.value)
	}
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
	if strings.HasPrefix(s.origin, "https://") {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

func routeOf(c *fiber.Ctx) string {
	if r, ok := c.Locals(localRoute).(string); ok {
		return r
	}
	return "none"
}

// body is the one way to read what was sent: it counts, and fails with TooLarge
// above the limit of the route.
type body struct {
	from  io.Reader
	read  int64
	limit int64
	ended bool
	pace
	late bool // it does not arrive: nobody waits for the rest
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	b.next()
	n, err := b.from.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.limit:
		return 0, bodyTooLarge(b.limit)
	case err == io.EOF:
		b.ended = true
	case err == nil:
		err = b.slow(b.read)
		b.late = err != nil
	case timedOut(err):
		b.late, err = true, tooSlow()
	default:
		err = fail.New(fail.Invalid, "upload_broken", "the body did not arrive whole").In("提交内容未完整到达，请重试").Because(err)
	}
	return n, err
}

func bodyTooLarge(limit int64) error {
	size := fmt.Sprintf("%d KB", limit>>10)
	if limit >= 1<<20 {
		size = fmt.Sprintf("%d MB", limit>>20)
	}
	return fail.New(fail.TooLarge, "body_too_large", "the body has more than %s", size).In("提交内容超过 %s", size)
}

// openBody starts reading what was sent, up to limit bytes. Compressed bodies
// are refused: a few bytes could become gigabytes.
func openBody(c *fiber.Ctx, limit int64) (*body, error) {
	if e := strings.TrimSpace(c.Get(fiber.HeaderContentEncoding)); e != "" && !strings.EqualFold(e, "identity") {
		return nil, refusal{fiber.StatusUnsupportedMediaType, fail.New(fail.Invalid, "content_encoding", "send the body uncompressed").In("请勿压缩提交内容")}
	}
	if int64(c.Request().Header.ContentLength()) > limit {
		return nil, bodyTooLarge(limit)
	}
	b := &body{limit: limit, from: c.Context().RequestBodyStream(), pace: paceOf(c)}
	if b.from == nil {
		b.from, b.ended = strings.NewReader(""), true
	}
	c.Locals(localBody, b)
	return b, nil
}

// prefetched is how much of a body with a known length the server has read
// before a handler runs; leftover how much of the rest is read for a client that
// is still sending.
const (
	prefetched = 8 << 10
	leftover   = 256 << 10
)

// settleBody reads the rest of a body that its handler left. The server does not
// do it for streamed bodies, and would take what is left for the next request of
// the connection: so where the end is not found, the connection ends.
func (s *Server) settleBody(c *fiber.Ctx) {
	stream := c.Context().RequestBodyStream()
	length := c.Request().Header.ContentLength()
	if stream == nil || length >= 0 && length <= prefetched {
		return
	}
	if b, ok := c.Locals(localBody).(*body); ok && b.ended {
		return
	}
	if b, ok := c.Locals(localBody).(*body); length <= leftover && !(ok && b.late) {
		if _, err := io.CopyN(io.Discard, stream, leftover); err == io.EOF {
			return
		}
	}
	c.Context().SetConnectionClose()
}

// client is the address that a request comes from: the last one in
// X-Forwarded-For that no trusted proxy has, when a trusted proxy sent it.
func (s *Server) client(c *fiber.Ctx) netip.Addr {
	addr, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return netip.Addr{}
	}
	addr = addr.Unmap()
	hops := strings.Split(c.Get(fiber.HeaderXForwardedFor), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap().WithZone("")
	}
	return addr
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
