// Package pgkv is the engine of package kv on PostgreSQL, for registries of
// several processes over one database.
//
// All entries lie in one table. Writers take the lock of the single row of a
// second table first and hold it to the end of their transaction: that is the
// single order of writes, and it asks nothing of the server but tables and row
// locks (no advisory lock, sequence or extension). Every session has short
// time-outs, so a writer whose host died gives the lock back after seconds.
//
// A pooler between may share connections by session only, never by
// transaction, because these time-outs are settings of the session.
package pgkv

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"bajigong/internal/kv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Options has the settings of an Engine; the zero value is good.
type Options struct {
	// Conns is how many Views may run at once; 16 when 0. One more connection
	// serves the writer and up to 4 serve snapshots.
	Conns int
	// Timeout bounds connecting, the wait for the writers' lock, the idle time
	// of a transaction that holds it, and the time until the server gives up a
	// client that no longer answers; a single statement may take twice as
	// long, an Apply after it has the lock three times. 10 seconds when 0.
	Timeout time.Duration
	// Log hears of dangerous settings of the server; nil means nobody.
	Log *slog.Logger
}

// maxSnapshots is how many snapshots live at once; more wait.
const maxSnapshots = 4

// Engine is a kv.Engine on PostgreSQL. Its Readers are for one goroutine at a
// time and implement kv.Prefetcher.
type Engine struct {
	timeout                   time.Duration
	views, writers, snapshots *pool
	witness                   *witness
	room                      room
}

var (
	_ kv.Engine   = (*Engine)(nil)
	_ kv.Watcher  = (*Engine)(nil)
	_ kv.Troubled = (*Engine)(nil)
)

// Open connects to the database named by connString (a URL or key=value pairs,
// as for libpq) and creates the tables when they are absent. A standby or a
// read-only database is refused; of several hosts the first that can write is
// taken.
func Open(ctx context.Context, connString string, opt Options) (*Engine, error) {
	if opt.Conns == 0 {
		opt.Conns = 16
	}
	if opt.Timeout == 0 {
		opt.Timeout = 10 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	seen := new(witness)
	connect, err := connector(connString, opt.Timeout, seen)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		timeout:   opt.Timeout,
		views:     newPool(connect, opt.Conns),
		writers:   newPool(connect, 1),
		snapshots: newPool(connect, maxSnapshots),
		witness:   seen,
	}
	c, err := e.writers.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	err = prepare(ctx, c, opt.Log)
	e.writers.give(c)
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	return e, nil
}

// Close waits for running Views and Applies and closes their connections. A
// snapshot keeps its own until it is released.
func (e *Engine) Close() error {
	e.views.close()
	e.writers.close()
	e.snapshots.close()
	e.views.wait()
	e.writers.wait()
	return nil
}

// View runs fn over one state, that of its first read.
func (e *Engine) View(ctx context.Context, fn func(kv.Reader) error) error {
	c, err := e.views.take(ctx)
	if err != nil {
		return err
	}
	r := &reader{ctx: ctx, conn: c, timeout: 2 * e.timeout, begin: beginRead, renew: e.views.renew}
	// The rollback is nothing the caller need wait for.
	defer func() {
		r.end()
		go e.views.give(r.conn)
	}()
	if err := fn(r); err != nil {
		return err
	}
	return r.err
}

// Snapshot gives the state of now for long reads. Reads fail once ctx is done.
func (e *Engine) Snapshot(ctx context.Context) (kv.Reader, func(), error) {
	c, err := e.snapshots.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err = exec(ctx, c, beginSnapshot, 2*e.timeout); temporary(err) {
		if c, err = e.snapshots.renew(ctx, c); err == nil {
			err = exec(ctx, c, beginSnapshot, 2*e.timeout)
		}
	}
	if err != nil {
		e.snapshots.give(c)
		return nil, nil, fmt.Errorf("begin snapshot: %w", err)
	}
	r := &reader{ctx: ctx, conn: c, timeout: time.Minute}
	return r, sync.OnceFunc(func() {
		r.end()
		e.snapshots.give(c)
	}), nil
}

// The pauses between the attempts of one Apply: short, since each is a part of the
// gap that a failover leaves.
const firstPause, longestPause = 10 * time.Millisecond, 200 * time.Millisecond

// Apply runs fn under the writers' lock. An attempt that failed before COMMIT was
// sent, because the connection, the server or the lock failed, or because there is
// no primary at this moment, is made again for as long as Options.Timeout: a
// restart, and the promotion of a standby, take less. Once fn has begun, ctx no
// longer stops the attempt.
func (e *Engine) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	patience, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		again, err := e.apply(ctx, fn)
		if full := e.room.lacked(err); full != nil {
			return full
		}
		if !again {
			return err
		}
		select {
		case <-patience.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// apply is one attempt of Apply; again says that nothing was committed and that
// another attempt may do better.
func (e *Engine) apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) (again bool, err error) {
	c, err := e.writers.take(ctx)
	if err != nil {
		return temporary(err) && ctx.Err() == nil, err
	}
	// give rolls back whatever is open: after an error, a panic, a Goexit.
	defer e.writers.give(c)
	if err := lock(ctx, c, 3*e.timeout); err != nil {
		if sqlState(err) == readOnlyTransaction {
			discard(c) // a middleman leads elsewhere than it did
		}
		return temporary(err) && ctx.Err() == nil, fmt.Errorf("take the writers' lock: %w", err)
	}

	// A cancelled caller must not cut its group in two.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*e.timeout)
	defer cancel()
	r := &reader{ctx: ctx, conn: c, timeout: 2 * e.timeout}
	defer r.end()
	writes, err := fn(r)
	if r.err != nil {
		// Whatever fn made of it, it decided without having read.
		if err == nil {
			err = r.err
		}
		return temporary(r.err), err
	}
	if err != nil {
		return false, err
	}
	// Without writes too: the lock alone makes COMMIT wait until all that fn
	// has read is flushed, and replicated where that is configured.
	again, err = commit(ctx, c, writes)
	if err == nil {
		e.witness.committed(writes)
		if len(writes) > 0 {
			e.room.found()
		}
	}
	return again, err
}

// lock begins a transaction and waits until it is the only writer. A deleted
// lock row would let writers pass side by side, so it is an error. The server
// ends the wait by itself; timeout is for a server that is gone without a word.
func lock(ctx context.Context, c *pgx.Conn, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	results, err := c.PgConn().Exec(ctx, "begin isolation level read committed; "+
		"select layout from bajigong_lock where id = 1 for update").ReadAll()
	if err != nil {
		return err
	}
	if len(results) != 2 || len(results[1].Rows) != 1 {
		return fmt.Errorf("%w: the row of bajigong_lock is missing", errTables)
	}
	return checkLayout(string(results[1].Rows[0][0]))
}

// commit sends all writes and COMMIT in one round trip. From the first byte on
// a broken connection leaves the outcome open; only the server's word settles it.
func commit(ctx context.Context, c *pgx.Conn, writes []kv.Write) (again bool, err error) {
	var b pgx.Batch
	queueWrites(&b, writes)
	var tag pgconn.CommandTag
	b.Queue("commit").Exec(func(t pgconn.CommandTag) error {
		tag = t
		return nil
	})
	delete(c.PgConn().CustomData(), lastWarning)
	err = c.SendBatch(ctx, &b).Close()
	// What is durable now: all writes when the server answered COMMIT, none
	// when it answered an error; otherwise kv.DB compares its group number.
	warning, warned := c.PgConn().CustomData()[lastWarning]
	switch {
	case err == nil && warned:
		// For example "canceling wait for synchronous replication".
		return false, fmt.Errorf("commit: %w: %s", kv.ErrOutcomeUnknown, warning)
	case err == nil && tag.String() != "COMMIT":
		return false, fmt.Errorf("commit answered %q", tag)
	case err == nil:
		return false, nil
	case refused(err) || pgconn.SafeToRetry(err):
		return temporary(err), fmt.Errorf("write: %w", err)
	}
	return false, fmt.Errorf("commit: %w: %w", kv.ErrOutcomeUnknown, err)
}

// queueWrites adds the writes to b, the last one of each key only.
func queueWrites(b *pgx.Batch, writes []kv.Write) {
	type id struct {
		t   kv.Table
		key string
	}
	last := make(map[id]int, len(writes))
	for i, w := range writes {
		last[id{w.Table, string(w.Key)}] = i
	}
	var putTables, deleteTables []string
	var putKeys, values, deleteKeys [][]byte
	for i, w := range writes {
		switch {
		case last[id{w.Table, string(w.Key)}] != i:
		case w.Value == nil:
			deleteTables = append(deleteTables, string(w.Table))
			deleteKeys = append(deleteKeys, w.Key)
		default:
			putTables = append(putTables, string(w.Table))
			putKeys = append(putKeys, w.Key)
			values = append(values, w.Value)
		}
	}
	if len(putKeys) > 0 {
		b.Queue("insert into bajigong_kv (tbl, key, value) "+
			"select * from unnest($1::text[], $2::bytea[], $3::bytea[]) "+
			"on conflict (tbl, key) do update set value = excluded.value", putTables, putKeys, values)
	}
	if len(deleteKeys) > 0 {
		b.Queue("delete from bajigong_kv k using unnest($1::text[], $2::bytea[]) d(tbl, key) "+
			"where k.tbl = d.tbl and k.key = d.key", deleteTables, deleteKeys)
	}
}
