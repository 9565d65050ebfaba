package kvtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/kv"
)

var errTaken = errors.New("taken")

// clock is set by hand.
type clock struct{ unix atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.set(time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC))
	return c
}

func (c *clock) set(t time.Time) { c.unix.Store(t.UnixNano()) }

// now is in a zone of its own, with parts of seconds.
func (c *clock) now() time.Time {
	return time.Unix(0, c.unix.Load()).In(time.FixedZone("test", 8*3600))
}

var processes atomic.Int64

// store is a DB over a Faulty engine.
type store struct {
	*kv.DB
	t      *testing.T
	engine *Faulty
	clock  *clock
}

// open opens a DB over e with what opt leaves out, reruns included.
func open(t *testing.T, e kv.Engine, opt kv.Options, migrations ...kv.Migration) *store {
	t.Helper()
	s := &store{t: t, clock: newClock()}
	if f, ok := e.(*Faulty); ok {
		s.engine = f
	} else {
		s.engine = NewFaulty(e)
	}
	db, err := kv.Open(t.Context(), s.engine, s.fill(opt), migrations)
	if err != nil {
		t.Fatal(err)
	}
	s.DB = db
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *store) fill(opt kv.Options) kv.Options {
	if opt.Now == nil {
		opt.Now = s.clock.now
	}
	opt.Process = fmt.Sprint("test-", processes.Add(1))
	if opt.Rerun == nil {
		opt.Rerun = Rerun(4)
	}
	return opt
}

func (s *store) update(fn func(kv.Tx) error) {
	s.t.Helper()
	if err := s.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) put(table kv.Table, key, value string) {
	s.t.Helper()
	s.update(func(tx kv.Tx) error {
		tx.Put(table, []byte(key), []byte(value))
		return nil
	})
}

// get is "-" for an absent key.
func (s *store) get(table kv.Table, key string) (value string) {
	s.t.Helper()
	err := s.View(s.t.Context(), func(r kv.Reader) error {
		v, err := r.Get(table, []byte(key))
		value = string(v)
		if v == nil {
			value = "-"
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return value
}

func (s *store) want(table kv.Table, key, value string) {
	s.t.Helper()
	if got := s.get(table, key); got != value {
		s.t.Errorf("%s %q = %q, want %q", table, key, got, value)
	}
}

// increment is an Update function that counts.
func increment(table kv.Table, key string) func(kv.Tx) error {
	return func(tx kv.Tx) error {
		n, err := number(tx, table, key)
		if err != nil {
			return err
		}
		tx.Put(table, []byte(key), fmt.Append(nil, n+1))
		return nil
	}
}

func number(r kv.Reader, table kv.Table, key string) (n int, err error) {
	v, err := r.Get(table, []byte(key))
	if err != nil || v == nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(v), &n)
	return n, err
}

// claim is an Update function that takes key or is refused.
func claim(key, by string) func(kv.Tx) error {
	return func(tx kv.Tx) error {
		v, err := tx.Get("claims", []byte(key))
		if err != nil {
			return err
		}
		if v != nil {
			return errTaken
		}
		tx.Put("claims", []byte(key), []byte(by))
		return nil
	}
}

// a call is one way to run an Update.
type call func() error

func (s *store) asUpdate(fn func(kv.Tx) error) call {
	return func() error { return s.Update(context.Background(), fn) }
}

func (s *store) asBulk(fn func(kv.Tx) error) call {
	return func() error { return s.Bulk(context.Background(), fn) }
}

// together runs calls so that they wait in the queue in this order and form one
// group, if the caps let them, with the given fault. A panic in one is returned
// as an error of type panicked.
func (s *store) together(fault Fault, calls ...call) []error {
	s.t.Helper()
	held, release := s.engine.Hold()
	defer release()
	var wg sync.WaitGroup
	first := make(chan error, 1)
	wg.Go(func() { first <- s.Update(context.Background(), func(kv.Tx) error { return nil }) })
	<-held
	s.engine.Next(fault)
	errs := make([]error, len(calls))
	for i, run := range calls {
		wg.Go(func() {
			errs[i] = errors.New("ended its goroutine")
			defer func() {
				if p := recover(); p != nil {
					errs[i] = panicked{p}
				}
			}()
			errs[i] = run()
		})
		s.await(func() bool { return s.Waiting() == i+1 })
	}
	release()
	wg.Wait()
	if err := <-first; err != nil {
		s.t.Fatal(err)
	}
	return errs
}

type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// await waits for cond, which another goroutine is about to make true.
func (s *store) await(cond func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); {
		if time.Now().After(deadline) {
			s.t.Fatal("waited in vain")
		}
		runtime.Gosched()
		time.Sleep(50 * time.Microsecond)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
