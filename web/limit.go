package web

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
)

// limitName names a rate limit, in the table of routes and in the RateLimit
// header.
type limitName string

// The limits.
const (
	limitNone   limitName = ""
	limitLookup limitName = "lookup"
	limitVerify limitName = "verify"
	limitImage  limitName = "image"
	limitFrame  limitName = "frame"
	limitPast   limitName = "past"
	limitSignIn limitName = "sign-in"
	limitBatch  limitName = "batch" // files of claims
)

// limiter is a bucket of requests per address. It lives in this process alone:
// several processes allow as many times the requests.
type limiter struct {
	name      limitName
	perMinute int
	mu        sync.Mutex
	buckets   map[netip.Prefix]bucket
	swept     time.Time
}

type bucket struct {
	left float64
	at   time.Time
}

// bucketsMax bounds the memory of one limiter. Beyond it the whole table starts
// anew, which forgives everybody once.
const bucketsMax = 100_000

func newLimiters(l Limits) map[limitName]*limiter {
	d := DefaultLimits()
	out := map[limitName]*limiter{}
	for name, figures := range map[limitName][2]int{limitLookup: {l.Lookup, d.Lookup}, limitVerify: {l.Verify, d.Verify}, limitImage: {l.Image, d.Image}, limitFrame: {l.Frame, d.Frame}, limitPast: {l.Past, d.Past}, limitSignIn: {l.SignIn, d.SignIn}, limitBatch: {l.Batch, d.Batch}} {
		n := figures[0]
		if n == 0 {
			n = figures[1]
		}
		if n > 0 {
			out[name] = &limiter{name: name, perMinute: n, buckets: map[netip.Prefix]bucket{}}
		}
	}
	return out
}

// take asks for one request. left is what remains, wait the seconds until there
// is one again when ok is false.
func (l *limiter) take(from netip.Addr, now time.Time) (left, wait int, ok bool) {
	key := network(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	b, known := l.buckets[key]
	if !known {
		b = bucket{left: float64(l.perMinute), at: now}
	}
	rate := float64(l.perMinute) / 60 // a second
	b.left = min(b.left+max(now.Sub(b.at).Seconds(), 0)*rate, float64(l.perMinute))
	b.at = now
	if b.left < 1 {
		l.buckets[key] = b
		return 0, int(math.Ceil((1 - b.left) / rate)), false
	}
	b.left--
	l.buckets[key] = b
	return int(b.left), 0, true
}

// sweep forgets, once a minute, whoever has been away for one: their buckets are
// full again.
func (l *limiter) sweep(now time.Time) {
	if len(l.buckets) >= bucketsMax {
		clear(l.buckets)
	}
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for k, b := range l.buckets {
		if now.Sub(b.at) >= time.Minute {
			delete(l.buckets, k)
		}
	}
}

// network is what counts as one client: an IPv4 address, or the 64-bit network
// that one subscriber has of IPv6.
func network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// limit counts a request and says in headers what is left
// (draft-ietf-httpapi-ratelimit-headers-11).
func (s *Server) limit(c *fiber.Ctx, name limitName) error {
	l := s.limits[name]
	if l == nil {
		return nil
	}
	left, wait, ok := l.take(s.client(c), s.now())
	c.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=60", name, l.perMinute))
	c.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", name, left, max(wait, 1)))
	if ok {
		return nil
	}
	return retryLater{wait, fail.New(fail.RateLimited, "rate_limited", "at most %d of these requests a minute; wait %d seconds", l.perMinute, wait).
		In("每分钟最多 %d 次，请 %d 秒后再试", l.perMinute, wait)}
}
