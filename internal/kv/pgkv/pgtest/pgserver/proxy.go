package pgserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Fault is what a Proxy does to one COMMIT.
type Fault int

// The faults.
const (
	Pass        Fault = iota
	CutBefore         // the connection breaks before COMMIT reaches the server
	CutAfter          // it breaks as soon as COMMIT was passed on, whatever comes of it
	CutAnswered       // it breaks when the server has committed, before the client hears of it
)

// Proxy stands between a client and a server and breaks connections at a
// chosen moment. It speaks the protocol without TLS.
type Proxy struct {
	config   *pgconn.Config
	listener net.Listener
	gate     sync.RWMutex // held by Freeze; read-locked while a message passes

	mu       sync.Mutex
	conns    map[*proxied]bool
	onCommit func() Fault
	frozen   bool
	left     int // bytes until a connection breaks; 0 for none
	delay    time.Duration

	cutAtByte chan struct{}
}

type proxied struct {
	client, server net.Conn

	mu     sync.Mutex
	answer bool // break when the server answers COMMIT
}

func (c *proxied) cut() {
	c.client.Close()
	c.server.Close()
}

// NewProxy starts a proxy for the server of connString.
func NewProxy(connString string) (*Proxy, error) {
	config, err := pgconn.ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{config: config, listener: listener, conns: make(map[*proxied]bool)}
	go p.accept()
	return p, nil
}

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() {
	p.listener.Close()
	p.Cut()
	p.Thaw()
}

// Addr is where the proxy listens, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// CutAtByte breaks the connection on which the nth byte from now on passes, in
// either direction, right after that byte; n is at least 1. The channel is closed
// when it has happened.
func (p *Proxy) CutAtByte(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.cutAtByte = n, make(chan struct{})
	return p.cutAtByte
}

// ConnString leads to the same database through the proxy.
func (p *Proxy) ConnString() string {
	addr := p.listener.Addr().(*net.TCPAddr)
	s := fmt.Sprintf("host=127.0.0.1 port=%d user='%s' dbname='%s' sslmode=disable", addr.Port, p.config.User, p.config.Database)
	if p.config.Password != "" {
		s += fmt.Sprintf(" password='%s'", p.config.Password)
	}
	return s
}

// OnCommit calls f at each COMMIT of a client and does as it says; nil lets all pass.
func (p *Proxy) OnCommit(f func() Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onCommit = f
}

// Cut breaks every connection there is; new ones are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.cut()
	}
}

// Delay makes every round trip take so much longer, as the way to a server far
// away does.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Freeze keeps every connection open and passes nothing on, as if the client's
// host had lost its power.
func (p *Proxy) Freeze() {
	p.gate.Lock()
	p.mu.Lock()
	p.frozen = true
	p.mu.Unlock()
}

// Thaw ends Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	was := p.frozen
	p.frozen = false
	p.mu.Unlock()
	if was {
		p.gate.Unlock()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		network, addr := pgconn.NetworkAddress(p.config.Host, p.config.Port)
		server, err := net.Dial(network, addr)
		if err != nil {
			client.Close()
			continue
		}
		c := &proxied{client: client, server: server}
		p.mu.Lock()
		p.conns[c] = true
		p.mu.Unlock()
		var both sync.WaitGroup
		both.Go(func() { p.requests(c); c.cut() })
		both.Go(func() { p.answers(c); c.cut() })
		go func() {
			both.Wait()
			p.mu.Lock()
			delete(p.conns, c)
			p.mu.Unlock()
		}()
	}
}

// message reads one message: a type byte unless it is the first of a client,
// and a length that counts itself.
func message(r io.Reader, typed bool) (kind byte, raw []byte, err error) {
	head := make([]byte, 5)
	if !typed {
		head = head[:4]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[len(head)-4:])
	if n < 4 || n > 1<<30 {
		return 0, nil, fmt.Errorf("message of %d bytes", n)
	}
	raw = append(head, make([]byte, n-4)...)
	_, err = io.ReadFull(r, raw[len(head):])
	return head[0], raw, err
}

func (p *Proxy) pass(w io.Writer, raw []byte) error {
	p.gate.RLock()
	defer p.gate.RUnlock()
	if len(raw) > 0 && (raw[0] == 'Q' || raw[0] == 'S') { // what ends a round trip's requests
		p.mu.Lock()
		delay := p.delay
		p.mu.Unlock()
		time.Sleep(delay)
	}
	raw, cut := p.count(raw)
	_, err := w.Write(raw)
	if err == nil && cut {
		err = errCut
	}
	return err
}

var errCut = errors.New("the connection is cut here")

// count gives what may pass of raw, and whether the connection breaks after it.
func (p *Proxy) count(raw []byte) (_ []byte, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return raw, false
	}
	if p.left > len(raw) {
		p.left -= len(raw)
		return raw, false
	}
	raw, p.left = raw[:p.left], 0
	close(p.cutAtByte)
	return raw, true
}

func (p *Proxy) requests(c *proxied) {
	_, raw, err := message(c.client, false)
	if err != nil || p.pass(c.server, raw) != nil {
		return
	}
	var (
		commits = make(map[string]bool) // prepared statements that are COMMIT
		bound   bool                    // the bound portal is COMMIT
	)
	for {
		kind, raw, err := message(c.client, true)
		if err != nil {
			return
		}
		commit := false
		switch body := raw[5:]; kind {
		case 'Q':
			commit = isCommit(text(body))
		case 'P':
			name := text(body)
			commits[name] = isCommit(text(body[len(name)+1:]))
		case 'B':
			portal := text(body)
			bound = commits[text(body[len(portal)+1:])]
		case 'E':
			commit, bound = bound, false
		}
		fault := Pass
		if commit {
			fault = p.fault()
		}
		switch fault {
		case CutBefore:
			return
		case CutAnswered:
			c.mu.Lock()
			c.answer = true
			c.mu.Unlock()
		}
		if p.pass(c.server, raw) != nil || fault == CutAfter {
			return
		}
	}
}

func (p *Proxy) fault() Fault {
	p.mu.Lock()
	f := p.onCommit
	p.mu.Unlock()
	if f == nil {
		return Pass
	}
	return f()
}

func (p *Proxy) answers(c *proxied) {
	for {
		kind, raw, err := message(c.server, true)
		if err != nil {
			return
		}
		c.mu.Lock()
		cut := c.answer && kind == 'C' && text(raw[5:]) == "COMMIT"
		c.mu.Unlock()
		if cut || p.pass(c.client, raw) != nil {
			return
		}
	}
}

func isCommit(sql string) bool {
	return strings.EqualFold(strings.TrimRight(strings.TrimSpace(sql), ";"), "commit")
}

// text is the zero-terminated string at the start of b.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
