package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"bajigong/internal/needed"
)

// TestShutdownIsNotHeldUpBySilence: a connection on which nothing was ever said is
// closed at once; one on which a request has begun gets its time.
func TestShutdownIsNotHeldUpBySilence(t *testing.T) {
	s := newSite(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ln) }()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	silent, begun := dial(), dial()
	if _, err := fmt.Fprint(begun, "GET /healthz HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // both are in the hands of the server
	ctx, cancel := context.WithTimeout(t.Context(), needed.Span(10*time.Second))
	defer cancel()
	stopped := make(chan error, 1)
	start := time.Now()
	go func() { stopped <- s.server.Shutdown(ctx) }()
	_ = silent.SetReadDeadline(start.Add(needed.Span(5 * time.Second)))
	if n, err := silent.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the silent connection: %d, %v after %s; want it closed", n, err, time.Since(start))
	}
	if _, err := fmt.Fprint(begun, "\r\n"); err != nil {
		t.Error(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(begun), nil)
	if err != nil {
		t.Errorf("the request that had begun: %v", err)
	} else {
		_ = answer.Body.Close()
	}
	if err := <-stopped; err != nil || time.Since(start) > needed.Span(5*time.Second) {
		t.Errorf("stopped after %s: %v", time.Since(start), err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A client that goes away, or a silent connection that is closed when the server stops,
// is no fault of the server's: the log has no error.
func TestABrokenConnectionIsNoFaultOfTheServer(t *testing.T) {
	s := newSite(t)
	at := s.listen()
	head := "POST /api/v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n"
	for _, text := range []string{"", "G", head, head + "\r\n{", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he"} {
		conn := dial(t, at, text)
		time.Sleep(20 * time.Millisecond) // it is in the hands of the server
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close() // with a reset
	}
	dial(t, at, "") // and one that says nothing
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if text := s.log.String(); strings.Contains(text, "level=ERROR") {
		t.Errorf("the log:\n%s", text)
	}
}
