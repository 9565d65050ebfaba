// Package web is the HTTP surface: the pages that people open with a phone, the
// API that systems call, and the trust material that verifiers fetch. It knows
// HTTP and nothing of the rules: each route reads a request, calls one method of
// the registry and shows what it answers.
//
// One table, routes, drives the router, the limits of every route and the
// OpenAPI document at /openapi.json. One table, statuses, gives every kind of
// error its HTTP status.
package web

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// Config is what the server needs besides the registry. Every field may be left
// empty.
type Config struct {
	// Log gets one line per request and every error that is our fault. Paths in
	// it are patterns: no handle, number or query.
	Log *slog.Logger
	// Now is the clock of rate limits and durations; the registry's when nil. A
	// registry on a simulated clock needs the real one here.
	Now func() time.Time
	// Footer is what every page says at its end.
	Footer Footer
	// DemoNotice stands on top of every page, in Chinese and English.
	DemoNotice, DemoNoticeEN string
	// TrustedProxies are the addresses whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Limits are the requests a minute from one address; see DefaultLimits.
	Limits Limits
	// IssueWait is how long a request to issue waits for the end of the batch
	// before it answers 202; 8 seconds when zero.
	IssueWait time.Duration
	// Metrics serves /metrics. The figures are not secret, but keep the path
	// inside one's own network.
	Metrics bool
	// MoreMetrics, when not nil, gives further lines of /metrics.
	MoreMetrics func() []byte
	// Paper is what certificates are printed with.
	Paper Paper
}

// Footer is what every page says at its end. What is empty is left out, but for
// Phone and NationalQuery, which have the usual values.
type Footer struct {
	Sponsor, SponsorEN string // 主办单位
	ICP                string // ICP备案号
	Police             string // 公网安备号
	SiteCode           string // 政府网站标识码
	Phone              string // 12333
	NationalQuery      string // http://zscx.osta.org.cn
	Report             string // address where forgeries are reported: https:, http:, mailto: or tel:
}

// Limits are how many requests a minute one address may make. A negative figure
// is no limit, zero the default.
type Limits struct {
	Lookup int // look-ups by number and name or document
	Verify int // codes as text
	Image  int // codes as pictures
	Frame  int // pictures of a camera that looks for a code
	Past   int // status lists of the past, each of which is signed for who asks
	SignIn int // tries to sign in, from one address and with one key
	Batch  int // files of claims
}

// DefaultLimits are the limits of a Config without any.
func DefaultLimits() Limits {
	return Limits{Lookup: 20, Verify: 300, Image: 12, Frame: 90, Past: 60, SignIn: 10, Batch: 20}
}

// How the server treats its connections. Bodies are read by handlers, so the
// limits of routes hold whatever fiber does: its own limit does not apply to
// streamed bodies.
const (
	bodyLimit     = 1 << 20
	readTimeout   = 20 * time.Second
	uploadTimeout = 5 * time.Minute // of a results file
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	headerLimit   = 16 << 10
)

// How many requests do the same heavy thing at once.
const (
	uploadSlots = 4
	imageSlots  = 2
	jobSlots    = 64
)

// Server answers HTTP for one registry.
type Server struct {
	reg    *registry.Registry
	cfg    Config
	log    *slog.Logger
	now    func() time.Time
	app    *fiber.App
	origin string

	prefix string // of request ids, one per process
	serial atomic.Uint64

	pages   *pages
	openapi []byte
	metrics *metrics
	limits  map[limitName]*limiter
	uploads *places
	images  *places
	papers  *places
	answers amount
	bodies  amount

	claimsAsked accountQuota // what accounts ask about persons' claims

	base    context.Context // ends with the server
	end     context.CancelFunc
	jobs    jobs
	closing atomic.Bool

	listening atomic.Pointer[listening]
}

// New makes the server of a registry. It listens nowhere yet.
func New(reg *registry.Registry, cfg Config) (*Server, error) {
	rc := reg.Config()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = rc.Now
	}
	if cfg.IssueWait == 0 {
		cfg.IssueWait = 8 * time.Second
	}
	var prefix [3]byte
	if _, err := io.ReadFull(rc.Rand, prefix[:]); err != nil {
		return nil, fmt.Errorf("request ids: %w", err)
	}
	s := &Server{
		reg: reg, cfg: cfg, log: cfg.Log, now: cfg.Now, origin: rc.Origin,
		prefix: hex.EncodeToString(prefix[:]), metrics: newMetrics(), limits: newLimiters(cfg.Limits),
		uploads: newPlaces(uploadSlots, 64), images: newPlaces(imageSlots, 64), papers: newPaperPlaces(),
	}
	s.answers.most, s.bodies.most = answersMost, bodiesMost
	s.base, s.end = context.WithCancel(context.Background())
	var err error
	if s.pages, err = newPages(rc, cfg); err != nil {
		return nil, err
	}
	table := routes()
	if !cfg.Metrics {
		table = withoutMetrics(table)
	}
	if s.openapi, err = document(table, rc); err != nil {
		return nil, err
	}
	s.app = fiber.New(fiber.Config{
		Immutable: true, StrictRouting: true, CaseSensitive: true, Prefork: false, DisableStartupMessage: true,
		BodyLimit: bodyLimit, StreamRequestBody: true, DisablePreParseMultipartForm: true,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, ReadBufferSize: headerLimit, Concurrency: connectionsMost,
		ErrorHandler: s.failed,
	})
	s.tuneConnections()
	s.app.Use(s.outermost)
	for _, r := range table {
		s.mount(r)
	}
	return s, nil
}

// tuneConnections sets what fiber does not: a longer time to send a results
// file, and an answer of ours for methods that do not exist.
func (s *Server) tuneConnections() {
	server := s.app.Server()
	server.HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		path, _, _ := strings.Cut(string(h.RequestURI()), "?")
		return fasthttp.RequestConfig{ReadTimeout: readTime(h.IsPost(), path)}
	}
	known, inner := map[string]bool{}, server.Handler
	for _, m := range fiber.DefaultMethods {
		known[m] = true
	}
	server.Handler = func(rc *fasthttp.RequestCtx) {
		if !known[string(rc.Method())] {
			c := s.app.AcquireCtx(rc)
			defer s.app.ReleaseCtx(c)
			_ = s.failed(c, refusal{fiber.StatusNotImplemented, fail.New(fail.Invalid, "method_unknown", "there is no such method").In("不支持该请求方法")})
			rc.SetConnectionClose()
			return
		}
		inner(rc)
	}
}

// readTime is how long a request may take to arrive.
func readTime(post bool, path string) time.Duration {
	if post && (strings.HasPrefix(path, "/api/v1/sessions/") && (strings.HasSuffix(path, "/results") || strings.HasSuffix(path, "/photos")) || path == batchPath) {
		return uploadTimeout
	}
	return readTimeout
}

// Serve answers requests on a listener until Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	l := newListening(ln)
	s.listening.Store(l)
	return s.app.Listener(&crowd{Listener: l, exempt: s.trusted, each: connectionsEach, open: map[netip.Prefix]int{}})
}

// App is the fiber application, for tests that send requests without a network.
func (s *Server) App() *fiber.App { return s.app }

// OpenAPI is the document served at /openapi.json.
func (s *Server) OpenAPI() []byte { return s.openapi }

// Shutdown takes no more requests, lets the running ones and the batches being
// issued end, and cuts them off when ctx ends. A connection on which nothing was
// said holds nothing up. A batch that is cut off goes on
// where it stopped when the next process starts.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	if l := s.listening.Load(); l != nil {
		defer time.AfterFunc(silentGrace, l.closeSilent).Stop()
	}
	err := s.app.ShutdownWithContext(ctx)
	if !s.jobs.wait(ctx) {
		err = ctx.Err()
	}
	s.end()
	s.jobs.wait(context.Background())
	return err
}

// jobs are the batches that this process is issuing.
type jobs struct {
	mu      sync.Mutex
	running map[string]*job
	all     sync.WaitGroup
}

type job struct {
	done  chan struct{}
	batch registry.Batch
	err   error
}

// start joins the job of a key or begins it. ok is false when too many run.
func (j *jobs) start(key string, fn func() (registry.Batch, error)) (_ *job, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if running := j.running[key]; running != nil {
		return running, true
	}
	if len(j.running) >= jobSlots {
		return nil, false
	}
	if j.running == nil {
		j.running = map[string]*job{}
	}
	one := &job{done: make(chan struct{})}
	j.running[key] = one
	j.all.Go(func() {
		one.batch, one.err = guarded(fn)
		j.mu.Lock()
		delete(j.running, key)
		j.mu.Unlock()
		close(one.done)
	})
	return one, true
}

// guarded turns a panic into an error: nobody waits for a job that has died.
func guarded(fn func() (registry.Batch, error)) (b registry.Batch, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return fn()
}

func (j *jobs) wait(ctx context.Context) bool {
	ended := make(chan struct{})
	go func() { j.all.Wait(); close(ended) }()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		return false
	}
}
