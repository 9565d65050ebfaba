package pgkv

import (
	"context"
	"sync"
	"time"

	"bajigong/internal/kv"

	"github.com/jackc/pgx/v5"
)

// A pool lends connections for one kind of work, so that long snapshots never
// take the place of Views, nor Views that of the writer.
type pool struct {
	connect func(context.Context) (*pgx.Conn, error)
	slots   chan struct{} // one for each connection lent

	mu     sync.Mutex
	idle   []*pgx.Conn // the last used at the end
	closed bool
}

func newPool(connect func(context.Context) (*pgx.Conn, error), size int) *pool {
	return &pool{connect: connect, slots: make(chan struct{}, size)}
}

// take lends a connection that is in no transaction, until give. It may have
// died while it lay idle; renew replaces it then.
func (p *pool) take(ctx context.Context) (*pgx.Conn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := p.pop()
	if c == nil && err == nil {
		c, err = p.connect(ctx)
	}
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

func (p *pool) pop() (*pgx.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, kv.ErrClosed
	}
	if len(p.idle) == 0 {
		return nil, nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return c, nil
}

// renew exchanges a dead connection for a new one under the same loan. What
// killed it (a restart, most often) killed the idle ones too, so they go as
// well. On an error it returns nil, which give accepts.
func (p *pool) renew(ctx context.Context, dead *pgx.Conn) (*pgx.Conn, error) {
	discard(dead)
	p.drain()
	return p.connect(ctx)
}

// give takes a connection back, rolling back what is open on it; nil ends a
// loan whose connection is lost.
func (p *pool) give(c *pgx.Conn) {
	defer func() { <-p.slots }()
	if c == nil {
		return
	}
	if !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		if err := exec(context.Background(), c, "rollback", 5*time.Second); err != nil {
			discard(c)
		}
	}
	p.mu.Lock()
	if keep := !p.closed && !c.IsClosed(); keep {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	discard(c)
}

func (p *pool) drain() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		discard(c)
	}
}

// close refuses later loans.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drain()
}

// wait returns once every connection lent before close is given back.
func (p *pool) wait() {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	for range cap(p.slots) {
		<-p.slots
	}
}

// discard closes c, unless it is nil or closed; the server then rolls back.
func discard(c *pgx.Conn) {
	if c == nil || c.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.Close(ctx)
}
