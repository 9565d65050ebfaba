package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
)

// What the server holds at once, whoever asks for whatever. Beyond it requests
// wait a little or are answered 503 with Retry-After, and connections are closed.
const (
	// connectionsMost is how many connections are open; each costs some 30 KB.
	connectionsMost = 10_000
	// connectionsEach is how many of them one address has that is not a proxy.
	connectionsEach = 500
	// answersMost is how many bytes of answers wait for their readers, and
	// bodiesMost how many of bodies are read into memory.
	answersMost = 256 << 20
	bodiesMost  = 256 << 20
	// bigAnswer and bigBody are what counts in them, in bytes: smaller ones are
	// bounded by the connections.
	bigAnswer = 32 << 10
	bigBody   = 32 << 10
	// wholeBody is the longest body that is read whole; longer ones are read as
	// they come, by few at once.
	wholeBody = imageBody + 1<<20
)

// A body has to arrive: nothing for bodyPause, or less than bodyRate on average
// after it, ends it. That is a tenth of what the slowest phone line does.
const (
	bodyPause = 10 * time.Second
	bodyRate  = 1 << 10 // bytes a second
)

func busy() *fail.Error {
	return fail.New(fail.Unavailable, "busy", "too many of these requests at once; repeat it in a moment").In("同类请求过多，请稍后重试")
}

// places are how many requests do the same heavy thing at once. A few more wait
// for one, briefly; no account has more than half of them.
type places struct {
	free    chan struct{}
	queue   int32
	waiting atomic.Int32

	mu       sync.Mutex
	accounts map[string]*share
}

// share is what one account may have of places, and how many of its requests
// look at it.
type share struct {
	free chan struct{}
	used int
}

func newPlaces(n, queue int) *places {
	return &places{free: make(chan struct{}, n), queue: int32(queue), accounts: map[string]*share{}}
}

// placeWait is how long a request waits for a place.
const placeWait = 5 * time.Second

// take waits for a place, at most until ctx ends. Who finds one free waits for nobody,
// and of those that wait one account is no more than half: the others of an account
// that asks for all of it at once do not stand in the way of anybody else.
func (p *places) take(ctx context.Context, account string) (release func(), err error) {
	own, drop := p.share(account)
	if own == nil {
		return nil, busy()
	}
	release = sync.OnceFunc(func() { <-p.free; <-own; drop() })
	if tryPlace(own) {
		if tryPlace(p.free) {
			return release, nil
		}
		<-own
	}
	if p.waiting.Add(1) > p.queue {
		p.waiting.Add(-1)
		drop()
		return nil, busy()
	}
	defer p.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, placeWait)
	defer cancel()
	if !await(ctx, own) {
		drop()
		return nil, busy()
	}
	if !await(ctx, p.free) {
		<-own
		drop()
		return nil, busy()
	}
	return release, nil
}

// tryPlace takes a place of which one is free now.
func tryPlace(of chan struct{}) bool {
	select {
	case of <- struct{}{}:
		return true
	default:
		return false
	}
}

func await(ctx context.Context, of chan struct{}) bool {
	if tryPlace(of) {
		return true
	}
	select {
	case of <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// share is that of an account, nil when half of the queue waits for it already; the
// public has all, and is counted by its limits.
func (p *places) share(account string) (own chan struct{}, drop func()) {
	if account == "" {
		return make(chan struct{}, 1), func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.accounts[account]
	if one == nil {
		one = &share{free: make(chan struct{}, max(1, cap(p.free)/2))}
		p.accounts[account] = one
	}
	if one.used >= cap(one.free)+max(1, int(p.queue)/2) {
		return nil, nil
	}
	one.used++
	return one.free, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if one.used--; one.used == 0 {
			delete(p.accounts, account)
		}
	}
}

// slot waits for one of a few places, at most until the request ends.
func slot(c *call, of *places) (release func(), err error) {
	return of.take(c.ctx, c.by.Account)
}

// paperRoutes draw or gather documents: each takes much time of a processor, and
// its answer stays in memory until it is read.
var paperRoutes = map[string]bool{
	"GET /api/v1/certificates/{number}/certificate.pdf": true,
	"GET /api/v1/certificates/{number}/print":           true,
	"GET /api/v1/sessions/{id}/certificates.pdf":        true,
	"GET /api/v1/print-jobs/{id}/certificates.pdf":      true,
	"GET /api/v1/sessions/{id}/lists/{kind}":            true,
	"GET /api/v1/recoveries/file":                       true,
	"GET /api/v1/uploads/{id}/file":                     true,
}

func newPaperPlaces() *places { return newPlaces(max(2, runtime.GOMAXPROCS(0)), 32) }

// place takes the place that a route needs as a whole. It is given back when the
// answer has been read, not when it is ready.
func (s *Server) place(c *call) error {
	if !paperRoutes[c.route.Method+" "+c.route.Path] {
		return nil
	}
	release, err := slot(c, s.papers)
	if err == nil {
		c.fiber.Locals(localRelease, release)
	}
	return err
}

// amount is a number of bytes that is held, up to a limit.
type amount struct {
	now  atomic.Int64
	most int64
}

// add reports whether n more may be held; sub gives them back.
func (a *amount) add(n int64) bool {
	if a.now.Add(n) > a.most {
		a.now.Add(-n)
		return false
	}
	return true
}

func (a *amount) sub(n int64) { a.now.Add(-n) }

// hold counts the answer until it has been sent: a client may take a minute to
// read it. What is too much is answered 503.
func (s *Server) hold(c *fiber.Ctx) {
	release, _ := c.Locals(localRelease).(func())
	if release == nil {
		release = func() {}
	}
	resp := c.Response()
	if resp.IsBodyStream() {
		release()
		return
	}
	body := resp.Body()
	n := int64(len(body))
	if n < bigAnswer {
		release()
		return
	}
	if !s.answers.add(n) {
		release()
		_ = s.failed(c, busy())
		return
	}
	if own := resp.SwapBody(nil); len(own) > 0 { // or the server would reuse its buffer
		body = own
	}
	resp.SetBodyStream(&heldAnswer{bytes.NewReader(body), sync.OnceFunc(func() { s.answers.sub(n); release() })}, len(body))
}

// heldAnswer is closed by the server when it has been sent, or cannot be.
type heldAnswer struct {
	*bytes.Reader
	done func()
}

// Close implements io.Closer.
func (h *heldAnswer) Close() error { h.done(); return nil }

// holdBody counts a body that will be read into memory until its request ends.
func (s *Server) holdBody(c *fiber.Ctx, limit int64) error {
	n := int64(c.Request().Header.ContentLength())
	if n < 0 {
		n = limit
	}
	if n < bigBody || limit > wholeBody {
		return nil
	}
	if !s.bodies.add(n) {
		return busy()
	}
	c.Locals(localHeld, n)
	return nil
}

func (s *Server) letBodyGo(c *fiber.Ctx) {
	if n, ok := c.Locals(localHeld).(int64); ok {
		s.bodies.sub(n)
	}
}

// pace ends bodies that do not arrive.
type pace struct {
	conn  net.Conn
	began time.Time
	until time.Time // whatever happens
}

func paceOf(c *fiber.Ctx) pace {
	began := c.Context().Time()
	return pace{conn: c.Context().Conn(), began: began, until: began.Add(readTime(c.Method() == fiber.MethodPost, c.Path()))}
}

func (p pace) next() {
	if p.conn == nil {
		return
	}
	at := p.began.Add(time.Since(p.began) + bodyPause) // the kernel's clock: the register's may be simulated
	if at.After(p.until) {
		at = p.until
	}
	_ = p.conn.SetReadDeadline(at) // a connection that is closed says so when it is read
}

// slow is the error of a body of which so many bytes have arrived.
func (p pace) slow(read int64) error {
	if took := time.Since(p.began); took > bodyPause && float64(read) < bodyRate*took.Seconds() {
		return tooSlow()
	}
	return nil
}

func tooSlow() error {
	return refusal{fiber.StatusRequestTimeout, fail.New(fail.Invalid, "upload_slow", "the body does not arrive: nothing for %d seconds, or less than %d byte a second", int(bodyPause.Seconds()), bodyRate).
		In("提交内容传输过慢（%d 秒无数据，或每秒不足 %d 字节），请检查网络后重试", int(bodyPause.Seconds()), bodyRate)}
}

// arrived is a body that has arrived whole, for work that takes a place.
func (c *call) arrived() (io.Reader, error) {
	b, err := openBody(c.fiber, c.route.bodyLimit())
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(b)
	return bytes.NewReader(data), err
}

func timedOut(err error) bool {
	return os.IsTimeout(err) || strings.Contains(err.Error(), "i/o timeout")
}

// crowd is a listener that bounds the connections of one address. Proxies and
// this machine are not bounded: they speak for many.
type crowd struct {
	net.Listener
	exempt func(netip.Addr) bool
	each   int

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// Accept implements net.Listener. Who has too many is closed without a word.
func (l *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, ok := netip.AddrFromSlice(addressOf(conn))
		if from = from.Unmap(); !ok || from.IsLoopback() || l.exempt(from) {
			return conn, nil
		}
		key := network(from)
		l.mu.Lock()
		full := l.open[key] >= l.each
		if !full {
			l.open[key]++
		}
		l.mu.Unlock()
		if full {
			_ = conn.Close()
			continue
		}
		return &counted{Conn: conn, left: sync.OnceFunc(func() { l.leave(key) })}, nil
	}
}

func (l *crowd) leave(key netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[key]--; l.open[key] <= 0 {
		delete(l.open, key)
	}
}

func addressOf(conn net.Conn) net.IP {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.IP
	}
	return nil
}

// counted is a connection of a crowd.
type counted struct {
	net.Conn
	left func()
}

// Close implements net.Conn.
func (c *counted) Close() error { c.left(); return c.Conn.Close() }

// processFigures are of this process and its store, in the text format of
// Prometheus.
func (s *Server) processFigures() []byte {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var out bytes.Buffer
	gauge := func(name, help string, value int64) {
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", name, help, name, name, value)
	}
	gauge("bajigong_goroutines", "Goroutines.", int64(runtime.NumGoroutine()))
	gauge("bajigong_heap_bytes", "Bytes of the heap in use.", int64(mem.HeapInuse))
	gauge("bajigong_connections", "Open connections.", int64(s.app.Server().GetOpenConnectionsCount()))
	gauge("bajigong_answers_held_bytes", "Bytes of large answers that wait for their readers.", s.answers.now.Load())
	gauge("bajigong_bodies_held_bytes", "Bytes of large bodies in memory.", s.bodies.now.Load())
	trouble := fail.CodeOf(s.reg.StoreTrouble())
	for _, code := range []string{"store_read_only", "store_full"} {
		value := int64(0)
		if code == trouble {
			value = 1
		}
		gauge("bajigong_"+code, "1 while the store takes no writes for this reason.", value)
	}
	return out.Bytes()
}
