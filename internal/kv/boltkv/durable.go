package boltkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
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
	full error         // wraps kv.ErrFull: the newest commit found no room
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
	d.id, d.full = id, nil
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

// lackRoom notes a commit that the disk had no room for.
func (d *durable) lackRoom(cause error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = fmt.Errorf("%w: %w", kv.ErrFull, cause)
	return d.full
}

// trouble is what the operator has to know.
func (d *durable) trouble() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.err != nil {
		return d.err
	}
	return d.full
}

func (d *durable) signal() {
	close(d.next)
	d.next = make(chan struct{})
}

// noRoom are the answers of a kernel that has no room for a file: the disk, a
// quota, or the largest file that it allows.
var noRoom = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// noSpace tells a write that was refused for lack of room from everything else
// that may go wrong with a disk. A failed sync is no *os.PathError. bbolt names
// a failure to make the file longer in its text alone; nothing has been written
// then.
func noSpace(err error) bool {
	var path *os.PathError
	written := errors.As(err, &path) && path.Op == "write"
	longer := strings.HasPrefix(err.Error(), "file resize error: ")
	for _, errno := range noRoom {
		if written && errors.Is(err, errno) || longer && strings.HasSuffix(err.Error(), errno.Error()) {
			return true
		}
	}
	return false
}
