package web

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silentGrace is how long a connection may still begin its first request once the
// server stops. fasthttp takes one on which nothing was ever said for one with a
// request under way, and would wait until its read times out.
const silentGrace = time.Second

// listening is a listener that knows the connections on which nothing was said yet.
type listening struct {
	net.Listener

	mu     sync.Mutex
	silent map[*silentConn]struct{} // nil once they were closed
}

func newListening(ln net.Listener) *listening {
	return &listening{Listener: ln, silent: map[*silentConn]struct{}{}}
}

// Accept implements net.Listener.
func (l *listening) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &silentConn{Conn: conn, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent == nil { // the listener was closed meanwhile
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	l.silent[c] = struct{}{}
	return c, nil
}

// closeSilent closes the connections on which nothing was said. No request is lost:
// of none has a byte been read.
func (l *listening) closeSilent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.silent {
		_ = c.Conn.Close()
	}
	l.silent = nil
}

func (l *listening) forget(c *silentConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.silent, c)
}

// silentConn is a connection until its first byte; after that it costs a look.
type silentConn struct {
	net.Conn
	of    *listening
	known atomic.Bool // to be silent no more
}

// Read implements net.Conn.
func (c *silentConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.spoke()
	}
	return n, err
}

// Close implements net.Conn.
func (c *silentConn) Close() error {
	c.spoke()
	return c.Conn.Close()
}

func (c *silentConn) spoke() {
	if !c.known.Load() && c.known.CompareAndSwap(false, true) {
		c.of.forget(c)
	}
}
