package kv

import "errors"

// ErrFull is wrapped by an Engine whose disk had no room for a group: nothing of
// it was kept, reads go on, and so do writes as soon as there is room.
var ErrFull = errors.New("the disk of the store is full; nothing was stored, and it goes on by itself once there is room")

// ErrNoRoom is wrapped by an Engine whose Snapshot is a copy for which the disk has no
// room; nothing was written.
var ErrNoRoom = errors.New("not enough room on the disk")

// Troubled is an Engine that knows when its disk has let it down.
type Troubled interface {
	// Trouble wraps [ErrBroken] from the failure of the disk to the end of the
	// process, [ErrFull] from a commit that found no room to the next one that
	// did, and is nil otherwise.
	Trouble() error
}

// Trouble is what an operator has to know of the disk of the store; nil when
// there is nothing, or when the engine has no disk of its own.
func (db *DB) Trouble() error {
	if e, ok := db.engine.(Troubled); ok {
		return e.Trouble()
	}
	return nil
}
