package boltkv

import (
	"fmt"
	"os"
	"path/filepath"

	"bajigong/internal/kv"
)

// ErrNoRoom is wrapped by Snapshot when the disk has no room for the copy of the
// store; nothing was written.
var ErrNoRoom = kv.ErrNoRoom

// spare is the room that a copy leaves to the store, which goes on growing
// while the copy stands beside it: a twentieth of its size, and at least this.
const spare = 16 << 20

// checkRoom refuses a copy that would fill the disk on which the store lives.
func (e *engine) checkRoom() error {
	info, err := os.Stat(e.path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(e.path)
	free, known := e.free(dir)
	need := uint64(info.Size()) + max(uint64(info.Size())/20, spare)
	if known && free < need {
		return fmt.Errorf("%w: a copy of the store needs %d MB in %s, %d MB are free", ErrNoRoom, need>>20, dir, free>>20)
	}
	return nil
}
