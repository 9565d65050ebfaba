package pgkv

import (
	"errors"
	"fmt"
	"sync"

	"bajigong/internal/kv"
)

// diskFull is the server's answer when its disk has no room for a table. (No room for
// the log of the database stops the server: that is a lost connection.)
const diskFull = "53100"

// room remembers whether the newest commit found room on the server's disk.
type room struct {
	mu   sync.Mutex
	full error // wraps kv.ErrFull
}

// lacked gives the error of an Apply that the server refused for lack of room, and
// nil for every other.
func (r *room) lacked(err error) error {
	if sqlState(err) != diskFull || errors.Is(err, kv.ErrOutcomeUnknown) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = fmt.Errorf("%w: %w", kv.ErrFull, err)
	return r.full
}

// found is called after a commit that wrote.
func (r *room) found() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = nil
}

// Trouble implements kv.Troubled: it wraps kv.ErrFull from a commit for which the
// server's disk had no room to the next one of this process for which it had.
func (e *Engine) Trouble() error {
	e.room.mu.Lock()
	defer e.room.mu.Unlock()
	return e.room.full
}
