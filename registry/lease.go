package registry

import (
	"context"
	"errors"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// LeaseTime is how long a lease lasts when it is not renewed, in the store's
// time: how long a job stands still after the process that did it has died.
const LeaseTime = 30 * time.Second

// LeaseState says whether somebody does a job.
//
//	state | take | renew | release | run out
//	------+------+-------+---------+--------
//	free  | held | -     | -       | -
//	held  | -    | held  | free    | over
//	over  | held | -     | -       | -
//
// take is anybody's; renew and release are the holder's alone, and the holder is
// known by the fencing number that take gave out: each take gives the next
// number, so that whoever held the lease before holds it no more. run out is no
// action: the store's time has reached the end of the lease. A holder whose
// lease has run out cannot renew it, also when nobody has taken it meanwhile; it
// takes it again like anybody else.
type LeaseState string

// The states of a lease.
const (
	LeaseFree LeaseState = "free"
	LeaseHeld LeaseState = "held"
	LeaseOver LeaseState = "over"
)

// leaseRecord is the one record of a lease. It is never deleted, or its numbers
// would begin again.
type leaseRecord struct {
	Name   string    `json:"name"`
	Number uint64    `json:"number"`           // of the newest take: the fencing number
	Holder string    `json:"holder,omitempty"` // random, one for each take; empty when free
	Taken  time.Time `json:"taken"`
	Until  time.Time `json:"until"` // held before it, over from it on
}

func (l leaseRecord) state(now time.Time) LeaseState {
	switch {
	case l.Holder == "":
		return LeaseFree
	case now.Before(l.Until):
		return LeaseHeld
	}
	return LeaseOver
}

// take gives a free lease, or one that has run out, to a holder under the next
// number. Conflict lease_busy while somebody holds it.
func (l leaseRecord) take(holder string, now time.Time) (leaseRecord, error) {
	if l.state(now) == LeaseHeld {
		return l, fail.New(fail.Conflict, "lease_busy", "the job %s is being done until %s", l.Name, l.Until.Format(time.RFC3339)).
			In("后台任务 %s 正在由另一进程执行", l.Name)
	}
	l.Number++
	l.Holder, l.Taken, l.Until = holder, now, now.Add(LeaseTime)
	return l, nil
}

// renew makes a lease last longer. Conflict lease_lost for every holder but that
// of the newest number, and for that one too once the lease has run out.
func (l leaseRecord) renew(number uint64, holder string, now time.Time) (leaseRecord, error) {
	if l.Number != number || l.Holder != holder || l.state(now) != LeaseHeld {
		return l, fail.New(fail.Conflict, "lease_lost", "the lease of the job %s with number %d has run out or was given back; nothing more is stored under it", l.Name, number).
			In("后台任务 %s 的执行权（序号 %d）已失效，本次结果不予保存", l.Name, number)
	}
	l.Until = now.Add(LeaseTime)
	return l, nil
}

// release ends a lease; errors as of renew.
func (l leaseRecord) release(number uint64, holder string, now time.Time) (leaseRecord, error) {
	l, err := l.renew(number, holder, now)
	if err == nil {
		l.Holder, l.Until = "", now
	}
	return l, err
}

// Lease is held by one job of one process. Its methods may be called from
// several goroutines.
type Lease struct {
	r      *Registry
	name   string
	holder string
	number uint64
}

// Number is the fencing number: higher than that of every earlier holder.
func (l *Lease) Number() uint64 { return l.number }

// Hold says in an Update that stores results of the job that the lease is still
// held, and renews it. Conflict lease_lost: it is not; return the error, so that
// the Update stores nothing.
func (l *Lease) Hold(tx kv.Tx) error {
	record, _, err := leases.Get(tx, kv.Key(l.name))
	if err != nil {
		return err
	}
	if record, err = record.renew(l.number, l.holder, tx.Now()); err != nil {
		return err
	}
	return leases.Put(tx, record)
}

// Renew is Hold in an Update of its own, for a job that works longer than
// LeaseTime without storing anything.
func (l *Lease) Renew(ctx context.Context) error { return l.r.db.Update(ctx, l.Hold) }

// Leased runs fn if no other process, and nobody else in this one, is doing the
// job of that name; held says whether it ran. Everything that fn stores it stores
// in Updates that begin with Lease.Hold: then a process that was stopped for
// longer than LeaseTime, and wakes up when another has taken over, stores
// nothing. fn runs outside any Update and may take long if it renews.
//
// The lease is given back when fn ends, also by a panic. After a crash it runs
// out by itself: LeaseTime of the store's time later the next call takes it. An
// error is that of fn, or of the store.
func (r *Registry) Leased(ctx context.Context, name string, fn func(ctx context.Context, l *Lease) error) (held bool, err error) {
	l, err := r.takeLease(ctx, name)
	if fail.CodeOf(err) == "lease_busy" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// The end of ctx ends the job, not the giving back.
	defer func() { err = errors.Join(err, l.release(context.WithoutCancel(ctx))) }()
	return true, fn(ctx, l)
}

func (r *Registry) takeLease(ctx context.Context, name string) (*Lease, error) {
	l := &Lease{r: r, name: name, holder: r.rand.id("l")}
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		l.number = 0
		record, _, err := leases.Get(tx, kv.Key(name))
		if err != nil {
			return err
		}
		record.Name = name
		if record, err = record.take(l.holder, tx.Now()); err != nil {
			return err
		}
		l.number = record.Number
		return leases.Put(tx, record)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// release gives the lease back; one that is lost is no error.
func (l *Lease) release(ctx context.Context) error {
	err := l.r.db.Update(ctx, func(tx kv.Tx) error {
		record, _, err := leases.Get(tx, kv.Key(l.name))
		if err != nil {
			return err
		}
		if record, err = record.release(l.number, l.holder, tx.Now()); err != nil {
			return err
		}
		return leases.Put(tx, record)
	})
	if fail.CodeOf(err) == "lease_lost" {
		return nil
	}
	return err
}
