// Package kv is one ordered key-value transaction over two engines.
//
// Everything the registry promises to do once (one claim, one number, one place
// in the audit log) needs a single order of writes. An [Engine] gives that
// order; [DB] adds what every use case needs and no engine has: group commit,
// an overlay per Update so that a refused Update harms no neighbour, a time that
// never runs backwards against the order of writes, and recovery of a commit
// whose outcome is unknown.
//
//	db, err := kv.Open(ctx, engine, kv.Options{Now: time.Now, Process: id}, migrations)
//	…
//	err = db.Update(ctx, func(tx kv.Tx) error {
//		key := kv.Key("S000032058300253000001")
//		taken, err := tx.Get("numbers", key)
//		if err != nil {
//			return err
//		}
//		if taken != nil {
//			return errTaken // nothing of this Update is kept
//		}
//		tx.Put("numbers", key, []byte("…"))
//		return nil
//	})
//	// err == nil: durable. errTaken: rests on what is durable.
//
// The keys of a table are ordered tuples, see [Key]; [Records] keeps JSON values
// with their index entries; [Migration] changes what is stored.
package kv

import (
	"context"
	"errors"
	"time"
)

// A Table is a named key space: 1 to [MaxTable] lower-case letters, digits and
// '_'. Tables need no creation. The table "meta" is kv's own.
type Table string

// An Entry is one key with its value.
type Entry struct{ Key, Value []byte }

// A Range is a part of a table. From is inclusive, To exclusive; nil means from
// the start or to the end. Limit is required (1 ≤ Limit ≤ MaxScan). Reverse
// gives the entries with the highest keys first.
type Range struct {
	From, To []byte
	Limit    int
	Reverse  bool
}

// Limits of the store, held by DB for every engine: an engine is never given a
// table, key, value or range outside them.
const (
	MaxTable = 63       // bytes of a table's name
	MaxKey   = 1 << 10  // bytes of a key; an empty key is refused
	MaxValue = 16 << 20 // bytes of a value
	MaxScan  = 10_000   // entries of one Scan
)

// Reader reads a consistent state. It is for one goroutine and for no longer
// than the function it was given to, or until its release. Values belong to the
// caller. An absent key is nil, a present empty value is empty and not nil.
type Reader interface {
	Get(t Table, key []byte) ([]byte, error)
	// GetMany returns one value per key, in order.
	GetMany(t Table, keys [][]byte) ([][]byte, error)
	Scan(t Table, r Range) ([]Entry, error)
}

// Tx is a Reader that sees its own writes. Put and Delete report a bad key or
// value when the Update ends, so that they can be written without a check; the
// Update then fails and leaves nothing.
type Tx interface {
	Reader
	// Put stores a copy of value. A nil value is stored as an empty one.
	Put(t Table, key, value []byte)
	// Delete removes a key; an absent one is no error.
	Delete(t Table, key []byte)
	// Now is the time of this Update: max(clock, last committed time), UTC,
	// whole seconds. It is set anew on each run of the Update's function.
	Now() time.Time
}

// A Write is one change of a committed group. A nil Value deletes. The writes of
// one group name each key once and are ordered by table and key.
type Write struct {
	Table Table
	Key   []byte
	Value []byte
}

// Engine is what a database must offer. Apply calls are alone among writers;
// the writes that fn returns are durable together when Apply returns nil. fn may
// run more than once, each time against the then current state; Apply returns
// fn's error unchanged when fn fails. When fn returns no write nothing need be
// committed, but what fn read must have been durable. An error that wraps
// [ErrOutcomeUnknown] says that the commit may or may not have happened; every
// other error says that it did not, except one that wraps [ErrBroken], which
// says that only a restart will tell.
type Engine interface {
	View(ctx context.Context, fn func(Reader) error) error
	Apply(ctx context.Context, fn func(Reader) ([]Write, error)) error
	// Snapshot is a state for long reads; it holds up no writer however long
	// it lives. release frees it and may be called once.
	Snapshot(ctx context.Context) (r Reader, release func(), err error)
	// Close waits for running Views and Applies; the engine is useless after.
	Close() error
}

// A Read names one thing an Update is expected to read: a key, or a range when
// Range is not nil.
type Read struct {
	Table Table
	Key   []byte
	Range *Range
}

// A Prefetcher is a Reader of an engine for which each read is a round trip. DB
// gives it in one call what the Updates of a group read when they were run on a
// snapshot before; later Gets and Scans of exactly those are answered from it.
type Prefetcher interface {
	Prefetch(reads []Read) error
}

// Stated is a Reader that can name the state it shows.
type Stated interface{ State() uint64 }

// StateOf names the state that r shows: as long as it is the same for Readers of one
// DB, and not 0, they show the same. It is 0 for a Reader that sees writes of its
// own, and where the engine cannot tell.
func StateOf(r Reader) uint64 {
	if s, ok := r.(Stated); ok {
		return s.State()
	}
	return 0
}

// A Watcher is an Engine whose connections may lead to another copy of the
// database one day. DB names the one row that it alone writes, with each of its
// groups; a copy whose row is older than what was confirmed is not to be read.
// Confirm says what the row of a group had that was found to be kept after its
// commit was cut off.
type Watcher interface {
	Watch(t Table, key []byte)
	Confirm(group uint64)
}

// ErrOutcomeUnknown is wrapped by an Engine when the connection broke while the
// commit was under way. DB finds out what happened; callers of DB see it only
// when that too was impossible.
var ErrOutcomeUnknown = errors.New("commit outcome unknown")

// ErrBroken is wrapped by an Engine that can no longer trust its file, for
// example after fsync reported an I/O error: reads of what was durable before
// may go on, writes are refused until the process is restarted. Whether the
// group that met the error was kept is known only then.
var ErrBroken = errors.New("store is read-only after an I/O error; restart to recover")

// ErrStale: the store lacks what this process was told is durable. It is a copy
// that was left behind, such as an old primary that came back or a standby that was
// not synchronous. Nothing may be decided on it; nothing was written.
var ErrStale = errors.New("the store lacks what it had confirmed to this process: it is an old copy")

// Errors of DB and Records. They are wrapped; compare with errors.Is.
var (
	// ErrClosed: the DB was closed, or is being closed.
	ErrClosed = errors.New("store is closed")
	// ErrNested: an Update, View or Snapshot was called by the function of an
	// Update or View, of this DB or another. It would wait for itself, or read a
	// state other than the one that is decided on.
	ErrNested = errors.New("store used from inside another View or Update; pass its Reader or Tx on")
	// ErrSchema: the store was migrated by a newer program, or its list of
	// migrations is not this program's.
	ErrSchema = errors.New("store has another schema than this program")
	// ErrLimit: a table, key, value or range is outside the limits above.
	ErrLimit = errors.New("outside the limits of the store")
	// ErrDuplicate: a unique index already has this entry for another record.
	ErrDuplicate = errors.New("unique index entry is taken")
)
