package boltkv

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrCut is wrapped by Open for a file that is shorter than what it says it has, such
// as an interrupted copy. It is left as it is.
var ErrCut = errors.New("the file of the store is cut off")

// checkWhole refuses a file that ends before its last page. bbolt maps the file and
// looks at nothing: the first page behind the end that is read would end the process
// by a signal. It is opened for reading only, which reads the first pages alone.
func checkWhole(path string, opt Options) error {
	info, err := os.Stat(path)
	if err != nil || opt.NoSync {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: opt.LockTimeout, NoStatistics: true})
	if err != nil {
		if !errors.Is(err, bolterrors.ErrTimeout) && info.Size() < firstPages {
			return fmt.Errorf("%w: it has %d bytes (%w)", ErrCut, info.Size(), err)
		}
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		// Anew, now that the file is locked: it may have grown meanwhile.
		if info, err = os.Stat(path); err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("%w: it has %d of %d bytes", ErrCut, info.Size(), tx.Size())
		}
		return err
	})
}

// firstPages is the size of a new store of the smallest pages: what is shorter was
// never one.
const firstPages = 4 * 4096

// lengthen makes the file as long as it says it is: without syncs bbolt leaves out
// pages at its end that it has not used in the end.
func (e *engine) lengthen() error {
	return e.db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(e.path)
		if err == nil && info.Size() < tx.Size() {
			err = os.Truncate(e.path, tx.Size())
		}
		return err
	})
}
