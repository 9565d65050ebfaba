// Package boltkv is the embedded engine of the store: one bbolt file, held by
// one process.
//
// A View of bbolt keeps the pages it sees from being reused and keeps a writer
// from growing the memory map, and while that writer waits no new View starts.
// So the map is opened far larger than the file (Options.InitialMmapSize), Views
// are kept short, and a Snapshot is a copy of the file.
//
// Right after bbolt has written its meta page, and before the fsync that makes
// it durable, its readers see the new state. Here a View that meets such a state
// waits for the fsync, so that nobody is told what a power cut could take back.
package boltkv

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"bajigong/internal/kv"
)

// ErrLocked is wrapped by Open when another process holds the store.
var ErrLocked = errors.New("store is in use by another process, such as a running server")

// Options of Open. The zero value is right for production.
type Options struct {
	// MustExist refuses a path with no file instead of making a new store.
	MustExist bool
	// InitialMmapSize is the address space, in bytes, that is mapped at first;
	// the file can grow to it without waiting for Views. 64 GB when 0 (no
	// memory is used for it), or 512 MB on a 32-bit machine.
	InitialMmapSize int
	// LockTimeout is how long to wait for another process that is just
	// leaving; 1 s when 0.
	LockTimeout time.Duration
	// Scattered are the tables whose new keys fall anywhere among those that are
	// there, such as hashes and random ids: their full pages are split in the middle.
	// Those of other tables, which grow at an end, are left nearly full.
	Scattered []kv.Table
	// NoSync never calls fsync: for tests, a power cut then loses the store.
	NoSync bool

	freelist freelist
}

// freelist is how the free pages are kept. The zero value, an array written with
// each commit, opens a large file at once: measured on 11 GB, 0.2 ms against
// 2.9 s (56 s cold) for a list that is rebuilt at open. A hash map written with
// each commit made commits 12 times slower once pages were free.
// BenchmarkFreelist measures the commits.
type freelist struct {
	hashmap bool // rather than an array
	noSync  bool // rebuilt at open instead of written with each commit
}

type engine struct {
	db      *bbolt.DB
	path    string
	writing sync.Mutex // held until durable knows how the commit ended, longer than bbolt's lock
	durable durable
	free    func(string) (uint64, bool) // FreeSpace but for tests

	scattered map[kv.Table]bool
}

var (
	_ kv.Engine   = (*engine)(nil)
	_ kv.Troubled = (*engine)(nil)
)

// Trouble implements kv.Troubled.
func (e *engine) Trouble() error { return e.durable.trouble() }

// Open opens the store at path and makes a new one if there is none. A store
// that another process holds is refused with [ErrLocked], a file that is not whole
// with [ErrCut]. Snapshots that a
// killed process left beside the file are removed.
func Open(path string, opt Options) (kv.Engine, error) {
	info, err := os.Stat(path)
	isNew := errors.Is(err, os.ErrNotExist)
	if err != nil && (!isNew || opt.MustExist) {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if !isNew && info.Size() == 0 {
		if opt.MustExist {
			return nil, fmt.Errorf("open store %s: %w: it is empty", path, ErrCut)
		}
		isNew = true // its first process died before it wrote anything
	}
	if opt.InitialMmapSize == 0 {
		opt.InitialMmapSize = 512 << 20
		if bits.UintSize == 64 {
			opt.InitialMmapSize <<= 7
		}
	}
	if opt.LockTimeout == 0 {
		opt.LockTimeout = time.Second
	}
	if !isNew {
		err = checkWhole(path, opt)
	}
	var db *bbolt.DB
	if err == nil || isNew {
		db, err = bbolt.Open(path, 0o600, opt.bolt())
	}
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open store %s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	e := &engine{db: db, path: path, free: FreeSpace, scattered: map[kv.Table]bool{}}
	for _, t := range opt.Scattered {
		e.scattered[t] = true
	}
	if err := e.start(isNew && !opt.NoSync); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	return e, nil
}

func (opt Options) bolt() *bbolt.Options {
	o := &bbolt.Options{
		Timeout:         opt.LockTimeout,
		InitialMmapSize: opt.InitialMmapSize,
		NoSync:          opt.NoSync,
		NoGrowSync:      opt.NoSync,
		NoStatistics:    true,
		FreelistType:    bbolt.FreelistArrayType,
		NoFreelistSync:  opt.freelist.noSync,
	}
	if opt.freelist.hashmap {
		o.FreelistType = bbolt.FreelistMapType
	}
	return o
}

// start runs once the file is locked and no other process can be using it.
func (e *engine) start(isNew bool) error {
	if isNew {
		// bbolt has synced the file but not its name.
		if err := syncDir(filepath.Dir(e.path)); err != nil {
			return err
		}
	}
	if err := removeSnapshots(e.path); err != nil {
		return err
	}
	return e.db.View(func(tx *bbolt.Tx) error {
		e.durable.start(tx.ID())
		return nil
	})
}

func (e *engine) View(ctx context.Context, fn func(kv.Reader) error) error {
	return e.view(ctx, func(tx *bbolt.Tx) error { return fn(reader{ctx, tx}) })
}

// view gives fn a state that is durable.
func (e *engine) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return e.db.View(func(tx *bbolt.Tx) error {
		if err := e.durable.wait(ctx, tx.ID()); err != nil {
			return err
		}
		return fn(tx)
	})
}

func (e *engine) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	tx, err := e.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := e.durable.broken(); err != nil {
		return err
	}
	writes, err := fn(reader{ctx, tx})
	if err != nil || len(writes) == 0 {
		return err
	}
	if err := e.put(tx, writes); err != nil {
		return err
	}
	return e.commit(tx)
}

// How full a page is left that is split. Most tables grow at the end of a prefix (an
// institution's numbers, a batch's rows, the log), where bbolt's half would leave
// every page half empty: a store of 50,000 certificates and 25,000 claims is a third
// smaller with nine tenths. Between random keys a page so full is split again at once
// and leaves crumbs behind: at 3.5 million certificates the pages of such tables were
// filled to 40 %, where the middle gives 70 %.
const (
	growingFill   = 0.9
	scatteredFill = 0.5
)

// put stores writes, which are ordered by table.
func (e *engine) put(tx *bbolt.Tx, writes []kv.Write) error {
	var bucket *bbolt.Bucket
	for i, w := range writes {
		var err error
		if i == 0 || w.Table != writes[i-1].Table {
			if bucket, err = tx.CreateBucketIfNotExists([]byte(w.Table)); err == nil {
				bucket.FillPercent = growingFill
				if e.scattered[w.Table] {
					bucket.FillPercent = scatteredFill
				}
			}
		}
		if err == nil {
			if w.Value == nil {
				err = bucket.Delete(w.Key)
			} else {
				err = bucket.Put(w.Key, w.Value)
			}
		}
		if err != nil {
			return fmt.Errorf("%s %x: %w", w.Table, w.Key, err)
		}
	}
	return nil
}

// commit writes the data pages, syncs, writes the meta page and syncs. A crash
// before the meta page is whole on the disk leaves the state before.
func (e *engine) commit(tx *bbolt.Tx) error {
	id := tx.ID()
	err := tx.Commit()
	if err == nil {
		e.durable.reached(id)
		return nil
	}
	if noSpace(err) && e.visible() != id {
		// Nothing points to what was written of it: no harm done, and the
		// next commit may find the disk with room again.
		return e.durable.lackRoom(err)
	}
	return e.durable.breakOff(err)
}

// visible is the transaction that bbolt's readers see now, 0 when they can see none.
func (e *engine) visible() (id int) {
	_ = e.db.View(func(tx *bbolt.Tx) error {
		id = tx.ID()
		return nil
	})
	return id
}

func (e *engine) Close() error {
	if e.db.NoGrowSync {
		if err := e.lengthen(); err != nil && !errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			return errors.Join(err, e.db.Close())
		}
	}
	return e.db.Close()
}

// Exclusive says that the lock of the file keeps every other process out.
func (e *engine) Exclusive() {}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
