package kv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a DB. Now and Process are required.
type Options struct {
	// Now is the clock, time.Now in cmd.
	Now func() time.Time
	// Process is a random id of this DB, never used before: under it the DB
	// recognises its own commits after a lost connection.
	Process string
	// MaxGroup is how many Updates one group takes; 256 when 0.
	MaxGroup int
	// MaxGroupBytes is the size of writes after which no further Update joins
	// a group; 4 MB when 0. One Update, and the bulk page, may go beyond it.
	MaxGroupBytes int
	// Settle is how long the DB keeps asking what became of a commit whose
	// outcome is unknown; 30 s when 0.
	Settle time.Duration
	// Log gets a line when an outcome was unknown; nil for none.
	Log *slog.Logger
	// Rerun is asked after each run of an Update's function whether to run it
	// again, as an engine may: tests, see kvtest.Rerun.
	Rerun func() bool
}

// DB is a store over an Engine. It may be used by many goroutines.
type DB struct {
	engine     Engine
	opt        Options
	prefetches atomic.Bool  // the engine's Reader is a Prefetcher
	last       atomic.Int64 // committed time that the last group found, Unix seconds
	seen       atomic.Pointer[committed]

	// Set by Open when the migrations are done: every group must find it.
	version int
	schema  []byte
	ready   bool

	mu         sync.Mutex
	ordinary   []*request
	bulk       []*request
	committing bool // a committer goroutine is running
	closed     bool
	committers sync.WaitGroup

	// Owned by the committer: the number of the last group, of the last one that
	// was said to be durable, and how many came without another process between.
	number  uint64
	durable uint64
	row     int

	outdated outdated
}

// Open prepares the store in e: it runs the migrations that are not done yet and
// refuses a store of a newer program with [ErrSchema]. The DB owns e when Open
// succeeds; otherwise e is still the caller's to close.
func Open(ctx context.Context, e Engine, opt Options, migrations []Migration) (*DB, error) {
	if opt.Now == nil || opt.Process == "" {
		return nil, errors.New("kv: Options.Now and Options.Process are required")
	}
	if opt.MaxGroup == 0 {
		opt.MaxGroup = 256
	}
	if opt.MaxGroupBytes == 0 {
		opt.MaxGroupBytes = 4 << 20
	}
	if opt.Settle == 0 {
		opt.Settle = 30 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if w, ok := e.(Watcher); ok {
		w.Watch(metaTable, writerKey(opt.Process))
	}
	db := &DB{engine: e, opt: opt, outdated: outdated{said: make(chan struct{})}}
	if err := db.migrate(ctx, migrations); err != nil {
		return nil, err
	}
	return db, nil
}

// View runs fn on a consistent state: no Update is seen in part, and none that
// is not durable. Its reads fail with [ErrSchema] once a newer program has begun to
// migrate the store.
func (db *DB) View(ctx context.Context, fn func(Reader) error) error {
	if err := db.enter(); err != nil {
		return err
	}
	return db.engine.View(ctx, func(r Reader) error {
		return enclose(func() error { return fn(checked{db.guard(r)}) })
	})
}

// Snapshot gives a state for long reads, such as dump, check and statistics. It
// holds up no writer however long it lives, but may cost a copy of the store.
func (db *DB) Snapshot(ctx context.Context) (r Reader, release func(), err error) {
	if err := db.enter(); err != nil {
		return nil, nil, err
	}
	r, release, err = db.engine.Snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := db.sameSchema(r); err != nil {
		release()
		return nil, nil, err
	}
	return checked{r}, sync.OnceFunc(release), nil
}

// Update runs fn alone among all writers and returns nil when its writes are
// durable. When fn returns an error nothing of it is kept, and Update returns
// that error once everything fn read is durable. fn may run more than once,
// each time on the then current state; only its last run counts. It runs on the
// caller's goroutine: a panic leaves nothing and reaches only the caller.
//
// A ctx that ends while fn has not run yet takes the Update out of the queue.
// After that, Update returns only when the outcome is known.
func (db *DB) Update(ctx context.Context, fn func(Tx) error) error {
	return db.submit(newRequest(ctx, fn, false))
}

// Bulk is an Update for a page of bulk work of at most 500 rows. A group takes
// one page only, after its ordinary Updates, so that these stay quick.
func (db *DB) Bulk(ctx context.Context, fn func(Tx) error) error {
	return db.submit(newRequest(ctx, fn, true))
}

// Now is the time a View decides with: max(clock, last committed time) as of r,
// UTC, whole seconds. In an Update it is Tx.Now.
func (db *DB) Now(r Reader) (time.Time, error) {
	if t, ok := r.(Tx); ok {
		return t.Now(), nil
	}
	state := StateOf(r)
	if seen := db.seen.Load(); seen != nil && state != 0 && seen.state == state {
		return later(db.opt.Now(), seen.last), nil
	}
	last, err := db.Committed(r)
	if err != nil {
		return time.Time{}, err
	}
	if state != 0 {
		db.seen.Store(&committed{state, last})
	}
	return later(db.opt.Now(), last), nil
}

// committed is the time of the newest group in a state.
type committed struct {
	state uint64
	last  time.Time
}

// Committed is the time of the newest group as of r: no Update that is not in r
// has an earlier one, whatever its process's clock says. Zero in a new store.
func (db *DB) Committed(r Reader) (time.Time, error) {
	value, err := r.Get(metaTable, timeKey)
	if err != nil {
		return time.Time{}, err
	}
	return parseTime(value)
}

// Waiting is how many Updates wait for a group now: for metrics.
func (db *DB) Waiting() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.ordinary) + len(db.bulk)
}

// Close waits for the group under way, refuses what waits behind it with
// [ErrClosed] and closes the engine. A second Close does nothing.
func (db *DB) Close() error {
	db.mu.Lock()
	closed := db.closed
	db.closed = true
	db.mu.Unlock()
	db.committers.Wait()
	if closed {
		return nil
	}
	return db.engine.Close()
}

// enter says whether the DB may be used, here and now.
func (db *DB) enter() error {
	if enclosed() {
		return ErrNested
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	return nil
}

func (db *DB) submit(req *request) error {
	if err := db.enter(); err != nil {
		return err
	}
	if err := req.ctx.Err(); err != nil {
		return err
	}
	if db.prefetches.Load() {
		req.reads = db.rehearse(req)
	}
	if err := db.enqueue(req); err != nil {
		return err
	}
	return req.wait(db)
}

// checkSchema is what each group and each View does first: a process that was left running
// while a newer one migrated the store must not write to it any more.
func (db *DB) checkSchema(schema []byte) error {
	if !db.ready || string(schema) == string(db.schema) {
		return nil // !ready: a migration step, which looks for itself
	}
	version, name, err := parseSchema(schema)
	if err != nil {
		return err
	}
	why := ErrSchema
	if version < db.version { // emptied, or an older copy put in its place
		why = ErrSchemaLost
	}
	err = fmt.Errorf("store is at migration %d (%s), this program at %d: %w", version, name, db.version, why)
	db.outdated.say(err)
	return err
}

func (db *DB) sameSchema(r Reader) error {
	schema, err := r.Get(metaTable, schemaKey)
	if err != nil {
		return err
	}
	return db.checkSchema(schema)
}

func (db *DB) lastTime() time.Time { return time.Unix(db.last.Load(), 0).UTC() }

// commit is the committer: it runs while there are requests.
func (db *DB) commit() {
	defer db.committers.Done()
	for {
		db.gather()
		members := db.take()
		if len(members) == 0 {
			return
		}
		db.number++
		g := &group{db: db, number: db.number, members: members, retries: 1}
		err := db.engine.Apply(context.Background(), g.run)
		if errors.Is(err, ErrOutcomeUnknown) {
			err = db.settle(g, err)
		}
		if err == nil && g.wrote {
			db.durable = g.number
		}
		// Here the group is durable, or none of it is: only now may any of its
		// answers, refusals too, be heard.
		db.answer(g, err)
		if db.prefetches.Load() {
			db.yield(g)
		}
	}
}

// gather lets the callers that the last group answered come back with their next
// Update, or every other group would be small. It waits for nobody: it ends when
// the queue has not grown while others ran.
func (db *DB) gather() {
	for before := -1; ; {
		n := db.Waiting()
		if n <= before || n >= db.opt.MaxGroup {
			return
		}
		before = n
		runtime.Gosched()
	}
}
