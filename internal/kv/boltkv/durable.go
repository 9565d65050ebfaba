package boltkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"bajigong/internal/kv"
)

// durable knows the last transaction whose meta page was synced. bbolt's readers
// see a transaction a moment earlier, and keep seeing one whose sync failed.
type durable struct {
	mu   sync.RWMutex
	id   int
	next chan struct{} // closed when id moves on or the engine breaks
	err  error         // wraps kv.ErrBroken
}

func (d *durable) start(id int) { d.id, d.next = id, make(chan struct{}) }

// wait returns when transaction id is durable. That takes no longer than a sync,
// unless the disk hangs: then ctx ends it.
func (d *durable) wait(ctx context.Context, id int) error {
	for {
		d.mu.RLock()
		at, err, next := d.id, d.err, d.next
		d.mu.RUnlock()
		if id <= at {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reached is called in the order of the transactions.
func (d *durable) reached(id int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id = id
	d.signal()
}

// breakOff ends writing for this process. After a failed sync the kernel may
// call pages clean that never reached the disk, so no later sync proves anything.
func (d *durable) breakOff(cause error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = fmt.Errorf("%w: %w", kv.ErrBroken, cause)
	}
	d.signal()
	return d.err
}

func (d *durable) broken() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.err
}

func (d *durable) signal() {
	close(d.next)
	d.next = make(chan struct{})
}

// noSpace tells a write that was refused for lack of room from everything else
// that may go wrong with a disk. A failed sync is no *os.PathError.
func noSpace(err error) bool {
	var path *os.PathError
	return errors.As(err, &path) && path.Op == "write" &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT))
}
