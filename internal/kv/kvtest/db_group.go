package kvtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"bajigong/internal/kv"
)

// dbNeighbours puts a refused, a panicking and a goroutine-ending Update into a
// group: they leave nothing and the others are committed, even if the group has
// to run again when those are over.
func dbNeighbours(t *testing.T, h Harness) {
	for _, fault := range []Fault{None, Again, Lost, Kept} {
		neighbours(t, open(t, h.Open(t), kv.Options{}), fault)
	}
}

func neighbours(t *testing.T, s *store, fault Fault) {
	refused := errors.New("refused")
	held := s.engine.Applies() + 1
	spoil := func(end func() error) call {
		return s.asUpdate(func(tx kv.Tx) error {
			tx.Put("a", []byte("spoilt"), []byte("x"))
			tx.Put("a", []byte("n"), []byte("1000"))
			return end()
		})
	}
	errs := s.together(fault,
		s.asUpdate(increment("a", "n")),
		spoil(func() error { return refused }),
		s.asUpdate(increment("a", "n")),
		spoil(func() error { panic("boom") }),
		s.asUpdate(increment("a", "n")),
		spoil(func() error {
			if s.engine.Applies() > held { // not when it is only rehearsed
				runtime.Goexit()
			}
			return nil
		}),
		s.asUpdate(increment("a", "n")),
	)
	equal(t, "answers", fmt.Sprint(errs), fmt.Sprint([]error{
		nil, refused, nil, panicked{"boom"}, nil, errors.New("ended its goroutine"), nil}))
	s.want("a", "n", "4")
	s.want("a", "spoilt", "-")
}

// dbOneGroup checks that waiting Updates are one commit and see each other.
func dbOneGroup(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	before := s.engine.Applies()
	errs := s.together(None,
		s.asUpdate(claim("k", "first")), s.asUpdate(claim("k", "second")), s.asUpdate(claim("other", "third")))
	equal(t, "answers", errs, []error{nil, errTaken, nil})
	equal(t, "Applies", s.engine.Applies()-before, 2) // the one that was held, and the group
	s.want("claims", "k", "first")
}

// members runs n Updates as together does and gives the group each ran in.
func members(s *store, n int, size int, as func(func(kv.Tx) error) call) (groups []int) {
	groups = make([]int, n)
	base := s.engine.Applies() + 1
	var calls []call
	for i := range n {
		calls = append(calls, as(func(tx kv.Tx) error {
			groups[i] = s.engine.Applies() - base
			tx.Put("a", fmt.Append(nil, i), make([]byte, size))
			return nil
		}))
	}
	equal(s.t, "errors", errors.Join(s.together(None, calls...)...), nil)
	return groups
}

func dbGroupCaps(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{MaxGroup: 3, MaxGroupBytes: 10_000})
	equal(t, "groups by count", members(s, 7, 1, s.asUpdate), []int{1, 1, 1, 2, 2, 2, 3})
	equal(t, "groups by bytes", members(s, 4, 6_000, s.asUpdate), []int{1, 1, 2, 2})
	equal(t, "groups of large Updates", members(s, 3, 60_000, s.asUpdate), []int{1, 2, 3})
}

// dbBulk queues bulk pages first: one goes with each group, behind the others,
// however full the group is.
func dbBulk(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{MaxGroup: 2, MaxGroupBytes: 10_000})
	equal(t, "groups of bulk pages", members(s, 3, 1, s.asBulk), []int{1, 2, 3})

	base := s.engine.Applies() + 1
	place := func(name string, size int) func(kv.Tx) error {
		return func(tx kv.Tx) error {
			n, err := number(tx, "order", "n")
			tx.Put("order", []byte("n"), fmt.Append(nil, n+1))
			tx.Put("order", []byte(name), fmt.Appendf(nil, "%d in group %d", n, s.engine.Applies()-base))
			tx.Put("ballast", []byte(name), make([]byte, size))
			return err
		}
	}
	equal(t, "errors", errors.Join(s.together(None,
		s.asBulk(place("bulk1", 1)), s.asBulk(place("bulk2", 1)),
		s.asUpdate(place("a", 20_000)), s.asUpdate(place("b", 1)), s.asUpdate(place("c", 1)))...), nil)
	for name, want := range map[string]string{
		"a": "0 in group 1", "bulk1": "1 in group 1",
		"b": "2 in group 2", "c": "3 in group 2", "bulk2": "4 in group 2",
	} {
		s.want("order", name, want)
	}
}

// dbCancelledWaiter cancels an Update that waits behind a group under way.
func dbCancelledWaiter(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	held, release := s.engine.Hold()
	defer release()
	first := make(chan error, 1)
	go func() { first <- s.Update(context.Background(), increment("a", "n")) }()
	<-held
	for _, as := range []func(context.Context, func(kv.Tx) error) error{s.Update, s.Bulk} {
		ctx, cancel := context.WithCancel(context.Background())
		left := make(chan error, 1)
		go func() { left <- as(ctx, increment("a", "n")) }()
		s.await(func() bool { return s.Waiting() > 0 })
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) { // while the group is still held
			t.Errorf("cancelled waiter: %v", err)
		}
		s.await(func() bool { return s.Waiting() == 0 })
	}
	release()
	equal(t, "first", <-first, nil)
	s.update(increment("a", "n"))
	s.want("a", "n", "2")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Update(ctx, increment("a", "n")); !errors.Is(err, context.Canceled) {
		t.Errorf("Update with a cancelled context: %v", err)
	}
	s.want("a", "n", "2")
}

// dbCancelledWhileRunning cancels from inside the function, and at the latest
// moment: the answer is that of the commit.
func dbCancelledWhileRunning(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	var inside atomic.Bool
	err := s.Update(ctx, func(tx kv.Tx) error {
		inside.Store(true)
		defer inside.Store(false)
		if s.engine.Applies() > 1 { // not when it is only rehearsed
			cancel()
		}
		for range 100 {
			runtime.Gosched()
		}
		return increment("a", "n")(tx)
	})
	if inside.Load() {
		t.Error("Update returned while its function ran")
	}
	cancel()
	if err != nil {
		t.Errorf("Update cancelled while it ran: %v, want its outcome", err)
	}
	s.want("a", "n", "1")
}
