package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/needed"
)

func dial(t *testing.T, at, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestSlowClients: who sends a head, a body, or nothing more, a byte a second or
// reads an answer as slowly, is let go of in time, and holds nobody up meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel() // it waits
	s := newSite(t)
	at := s.listen()
	head := "POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.keys["payer"] + "\r\nContent-Type: application/json\r\n"
	filler := strings.Repeat(" ", 2*prefetched)
	clients := map[string]struct {
		text, drop string
		answer     string
		within     time.Duration
	}{
		"silent body": {head + "Content-Length: 500000\r\n\r\n" + filler, "", "HTTP/1.1 408 ", bodyPause + 5*time.Second},
		"slow body":   {head + "Content-Length: 500000\r\n\r\n" + filler[:prefetched+10], " ", "HTTP/1.1 408 ", bodyPause + 5*time.Second},
		"slow chunks": {head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", "HTTP/1.1 408 ", bodyPause + 5*time.Second},
		"slow head":   {"GET /healthz HTTP/1.1\r\nX-Slow: ", "s", "", readTimeout + 5*time.Second},
	}
	var all sync.WaitGroup
	for name, c := range clients {
		conn := dial(t, at, c.text)
		all.Go(func() {
			began := time.Now()
			ended := make(chan struct{})
			go func() {
				for c.drop != "" {
					select {
					case <-ended:
						return
					case <-time.After(time.Second):
						_, _ = conn.Write([]byte(c.drop))
					}
				}
			}()
			_ = conn.SetReadDeadline(began.Add(c.within))
			answer, err := io.ReadAll(conn)
			close(ended)
			if took := time.Since(began); err != nil && took >= c.within {
				t.Errorf("%s: held for %s", name, took)
			}
			if !strings.HasPrefix(string(answer), c.answer) {
				t.Errorf("%s: answered %.200q, %v", name, answer, err)
			}
		})
	}
	for i := range 64 { // and many who read nothing
		conn := dial(t, at, strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 20))
		_ = conn.(*net.TCPConn).SetReadBuffer(4096)
		_ = i
	}
	slowest := time.Duration(0)
	for i := range 50 { // writers meanwhile
		body := fmt.Sprintf(`{"name":"慢客户端%d","uscc":"%s","region":"320583"}`, i, invented.USCC(5000+i))
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+at+"/api/v1/institutions", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+s.keys["authority"])
		req.Header.Set("Content-Type", "application/json")
		began := time.Now()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if slowest = max(slowest, time.Since(began)); resp.StatusCode != 201 {
			t.Fatalf("a writer: %d", resp.StatusCode)
		}
	}
	if slowest > needed.Span(3*time.Second) {
		t.Errorf("slow clients held a writer up for %s", slowest)
	}
	t.Logf("slowest writer %s, %d bytes of answers wait", slowest, s.server.answers.now.Load())
	if held := s.server.answers.now.Load(); held > answersMost {
		t.Errorf("%d bytes of answers are held", held)
	}
	all.Wait()
}

// TestAnswersAreHeld: answers that nobody reads count until they are let go of,
// and beyond the bound others are told to come back.
func TestAnswersAreHeld(t *testing.T) {
	s := newSite(t)
	at := s.listen()
	size := int64(len(s.server.OpenAPI()))
	s.server.answers.most = 3 * size
	var slow []net.Conn
	full := false
	for range 40 {
		conn := dial(t, at, strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 40))
		slow = append(slow, conn)
		time.Sleep(50 * time.Millisecond)
		if s.server.answers.now.Load() > 2*size {
			full = true
			break
		}
	}
	if !full {
		t.Fatal("nothing is held: this proves nothing")
	}
	resp, err := http.Get("http://" + at + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", resp.StatusCode)
	}
	for _, conn := range slow {
		conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); s.server.answers.now.Load() != 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still held", s.server.answers.now.Load())
		}
	}
	s.get("", "/openapi.json").want(200)
	if held := s.server.answers.now.Load(); held != 0 {
		t.Errorf("an answer that was read is still held: %d bytes", held)
	}
}

// TestBodiesAreHeld: bodies in memory are bounded together.
func TestBodiesAreHeld(t *testing.T) {
	s := newSite(t)
	at := s.listen()
	s.server.bodies.most = 1 << 20
	head := "POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.keys["payer"] + "\r\nContent-Type: application/json\r\n"
	first := dial(t, at, head+"Content-Length: 900000\r\n\r\n"+strings.Repeat(" ", 2*prefetched))
	for s.server.bodies.now.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	second := dial(t, at, head+"Content-Length: 900000\r\n\r\n"+strings.Repeat(" ", 2*prefetched))
	line, err := bufio.NewReader(second).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 503 ") {
		t.Errorf("one too many: %q, %v", line, err)
	}
	first.Close()
	for deadline := time.Now().Add(15 * time.Second); s.server.bodies.now.Load() != 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still held", s.server.bodies.now.Load())
		}
	}
}

// TestPlaces: no account has more than half, few wait, and all are given back.
func TestPlaces(t *testing.T) {
	p := newPlaces(4, 2)
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	var held []func()
	for range 2 {
		release, err := p.take(short(), "a")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, release)
	}
	if _, err := p.take(short(), "a"); fail.CodeOf(err) != "busy" {
		t.Errorf("an account has more than half: %v", err)
	}
	for _, account := range []string{"b", ""} {
		release, err := p.take(short(), account)
		if err != nil {
			t.Fatalf("%q has no place beside it: %v", account, err)
		}
		held = append(held, release)
	}
	var waits sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for _, account := range []string{"c", "e"} { // half of the queue is one account's
		waits.Go(func() { _, _ = p.take(ctx, account) })
	}
	for p.waiting.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if _, err := p.take(t.Context(), "d"); fail.CodeOf(err) != "busy" || time.Since(began) > needed.Span(time.Second) {
		t.Errorf("the queue has no end: %v after %s", err, time.Since(began))
	}
	cancel()
	waits.Wait()
	for _, release := range held {
		release()
		release() // twice is once
	}
	if len(p.free) != 0 || len(p.accounts) != 0 || p.waiting.Load() != 0 {
		t.Errorf("%d places, %d accounts, %d that wait are left", len(p.free), len(p.accounts), p.waiting.Load())
	}
}

// TestPaperRoutes: each is in the table of routes.
func TestPaperRoutes(t *testing.T) {
	known := map[string]bool{}
	for _, r := range routes() {
		known[r.Method+" "+r.Path] = true
	}
	for name := range paperRoutes {
		if !known[name] {
			t.Errorf("there is no route %s", name)
		}
	}
}

// TestEveryRouteIsBounded: time, and a body that is read whole or by few at once.
func TestEveryRouteIsBounded(t *testing.T) {
	for _, r := range routes() {
		if r.timeout() <= 0 || r.timeout() > 6*time.Minute {
			t.Errorf("%s %s may take %s", r.Method, r.Path, r.timeout())
		}
		if r.bodyLimit() <= 0 || r.Access == public && r.bodyLimit() > wholeBody {
			t.Errorf("%s %s takes %d bytes", r.Method, r.Path, r.bodyLimit())
		}
	}
}

// fakeListener gives connections that come from an address.
type fakeListener struct {
	net.Listener
	from []string
}

type fakeConn struct {
	net.Conn
	from   string
	closed *int
}

func (c fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.from), 1))
}
func (c fakeConn) Close() error { *c.closed++; return nil }

func (l *fakeListener) Accept() (net.Conn, error) {
	if len(l.from) == 0 {
		return nil, io.EOF
	}
	next := l.from[0]
	l.from = l.from[1:]
	return fakeConn{from: next, closed: new(int)}, nil
}

func TestCrowd(t *testing.T) {
	accept := func(l *crowd) (out []net.Conn) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return out
			}
			out = append(out, conn)
		}
	}
	inner := &fakeListener{from: []string{"203.0.113.1", "203.0.113.1", "203.0.113.1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "127.0.0.1", "127.0.0.1", "127.0.0.1", "198.51.100.9", "198.51.100.9", "198.51.100.9"}}
	l := &crowd{Listener: inner, each: 2, exempt: func(a netip.Addr) bool { return a.String() == "198.51.100.9" }, open: map[netip.Prefix]int{}}
	got := accept(l)
	if len(got) != 10 { // of the first address and of the one network two each
		t.Fatalf("%d connections", len(got))
	}
	for _, conn := range got {
		conn.Close()
		conn.Close()
	}
	if len(l.open) != 0 {
		t.Errorf("%v are counted and closed", l.open)
	}
	inner.from = []string{"203.0.113.1"}
	if len(accept(l)) != 1 {
		t.Error("who has closed cannot come back")
	}
}

// TestACrowdOfOneAccountShutsNobodyOut: an account that asks for a heavy thing a
// thousand times at once gets its half and some waiting; another finds the other half
// free, and room to wait.
func TestACrowdOfOneAccountShutsNobodyOut(t *testing.T) {
	p := newPlaces(4, 8)
	ctx, cancel := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	var got, refused atomic.Int32
	for range 1000 {
		crowd.Go(func() {
			release, err := p.take(ctx, "a")
			if err != nil {
				refused.Add(1)
				return
			}
			got.Add(1)
			<-ctx.Done()
			release()
		})
	}
	for deadline := time.Now().Add(10 * time.Second); got.Load() < 2 || p.waiting.Load() < 4 || refused.Load() < 994; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d have a place, %d wait, %d were refused", got.Load(), p.waiting.Load(), refused.Load())
		}
	}
	for range 2 {
		release, err := p.take(ctx, "b")
		if err != nil {
			t.Fatalf("another account, with half of the places free: %v", err)
		}
		defer release()
	}
	waits := make(chan error, 1)
	go func() { _, err := p.take(ctx, "c"); waits <- err }()
	select {
	case err := <-waits:
		t.Errorf("a third account cannot even wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	cancel()
	crowd.Wait()
}
