package boltkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

// Snapshot copies the file beside itself and reads the copy. Writers go on while
// it is copied; the copy needs as much room as the store until it is released.
// [ErrNoRoom] when the disk has not got it.
func (e *engine) Snapshot(ctx context.Context) (_ kv.Reader, release func(), err error) {
	if err := e.checkRoom(); err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(e.path), snapshotPrefix(e.path)+"*")
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	name := file.Name()
	defer func() {
		if err != nil {
			_ = os.Remove(name)
		}
	}()
	err = e.view(ctx, func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(writer{ctx, file})
		return err
	})
	full := err != nil && noSpace(err) // others may fill the disk meanwhile
	if err = errors.Join(err, file.Close()); full {
		err = fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot: %w", err)
	}
	tx, err := db.Begin(false)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("snapshot: %w", err), db.Close())
	}
	return reader{context.WithoutCancel(ctx), tx}, func() {
		_ = tx.Rollback()
		_ = db.Close()
		_ = os.Remove(name)
	}, nil
}

// writer ends a long copy when nobody waits for it any more.
type writer struct {
	ctx  context.Context
	file *os.File
}

func (w writer) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.file.Write(b)
}

func snapshotPrefix(path string) string { return filepath.Base(path) + ".snapshot-" }

// removeSnapshots removes what a killed process left. No process can be using
// them: the store's lock is held.
func removeSnapshots(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), snapshotPrefix(path)) {
			if err := os.Remove(filepath.Join(filepath.Dir(path), entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
