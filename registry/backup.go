package registry

import (
	"context"
	"time"

	"bajigong/internal/kv"
)

// Backup is the newest backup that a server made of the whole store. It stands
// in the store, so that of several processes over one database each knows what
// the others did. It is of the store's making alone: a backup made by command
// (bajigong dump) is not recorded.
type Backup struct {
	ID      string    `json:"id"` // of the dump
	At      time.Time `json:"at"` // tx time when it was recorded: written and read back
	Host    string    `json:"host,omitempty"`
	File    string    `json:"file"`
	Bytes   int64     `json:"bytes"`
	Records uint64    `json:"records"`
	Seconds float64   `json:"seconds"` // how long it took
}

// backupJob names the lease of the job and its one record.
const backupJob = "backup"

// LastBackup returns the newest backup that servers of this store have recorded;
// ok is false before the first.
func (r *Registry) LastBackup(ctx context.Context) (last Backup, ok bool, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		last, ok, err = backups.Get(rd, kv.Key(backupJob))
		return err
	})
	return last, ok, err
}

// BackupDue says whether the next backup is due: every after the last one, by the
// store's time.
func (r *Registry) BackupDue(ctx context.Context, every time.Duration) (due bool, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		last, ok, err := backups.Get(rd, kv.Key(backupJob))
		due = !ok || !now.Before(last.At.Add(every))
		return err
	})
	return due, err
}

// LeasedBackup runs work while no other process makes a backup, and records what
// it made. held is false when another one is at it. The lease is renewed while
// work runs; when it is lost, because this process stood still, the ctx of work
// ends and nothing is recorded: the file, if there is one, is a backup all the
// same. Errors are those of work and of the store.
func (r *Registry) LeasedBackup(ctx context.Context, work func(ctx context.Context) (Backup, error)) (made Backup, held bool, err error) {
	held, err = r.Leased(ctx, backupJob, func(ctx context.Context, l *Lease) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		renewed := renewing(ctx, l, cancel)
		var err error
		made, err = work(ctx)
		cancel(nil)
		if lost := <-renewed; lost != nil {
			return lost
		}
		if err != nil {
			return err
		}
		return r.db.Update(context.WithoutCancel(ctx), func(tx kv.Tx) error {
			if err := l.Hold(tx); err != nil {
				return err
			}
			record := made
			record.At = tx.Now()
			return backups.Put(tx, record)
		})
	})
	return made, held, err
}

// renewEvery is how often a lease is renewed beside a job; a variable for tests.
var renewEvery = LeaseTime / 3

// renewing renews a lease until ctx ends. When that fails it ends the job and
// the channel says why.
func renewing(ctx context.Context, l *Lease, cancel context.CancelCauseFunc) <-chan error {
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			if err := l.Renew(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
				done <- err
				return
			}
		}
	}()
	return done
}
