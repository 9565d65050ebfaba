package registry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// Every action in every state: what the table does not have is refused and
// leaves the lease as it was.
func TestLeaseStateTable(t *testing.T) {
	begin := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	over := begin.Add(registry.LeaseTime)
	table := doctest.States(t, "lease.go", "LeaseState")
	for from, row := range table.Next {
		for _, action := range table.Actions {
			var l registry.LeaseRule
			now := begin
			if from != string(registry.LeaseFree) {
				l, _ = l.Take("one", begin)
			}
			if from == string(registry.LeaseOver) {
				now = over
			}
			if got := l.State(now); string(got) != from {
				t.Fatalf("the state to begin with is %s, want %s", got, from)
			}
			after, err := l, error(nil)
			switch action {
			case "take":
				after, err = l.Take("two", now)
			case "renew":
				after, err = l.Renew(l.Number(), "one", now)
			case "release":
				after, err = l.Release(l.Number(), "one", now)
			case "run out":
				if now = now.Add(registry.LeaseTime); l.State(now) == registry.LeaseState(from) {
					err = fail.New(fail.Conflict, "nothing", "the time makes no difference")
				}
			}
			want := row[action]
			switch {
			case want == doctest.Refused && (fail.KindOf(err) != fail.Conflict || after != l):
				t.Errorf("%s in state %s: %v, %+v; want a conflict and no change", action, from, err, after)
			case want != doctest.Refused && (err != nil || string(after.State(now)) != want):
				t.Errorf("%s in state %s leads to %s, %v; want %s", action, from, after.State(now), err, want)
			}
			if action == "take" && err == nil && after.Number() != l.Number()+1 {
				t.Errorf("take in state %s gives number %d after %d", from, after.Number(), l.Number())
			}
		}
	}
}

// The holder of an earlier number can do nothing, whatever its name.
func TestOnlyTheNewestHolderHasTheLease(t *testing.T) {
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	var l registry.LeaseRule
	l, _ = l.Take("one", now)
	now = now.Add(registry.LeaseTime - 1)
	if _, err := l.Take("two", now); fail.CodeOf(err) != "lease_busy" {
		t.Errorf("taken one moment too early: %v", err)
	}
	now = now.Add(1)
	second, err := l.Take("two", now)
	if err != nil || second.Number() != 2 {
		t.Fatalf("not taken over: %+v %v", second, err)
	}
	for _, who := range []struct {
		number uint64
		holder string
	}{{1, "one"}, {2, "one"}, {1, "two"}, {3, "two"}, {0, ""}} {
		if _, err := second.Renew(who.number, who.holder, now); fail.CodeOf(err) != "lease_lost" {
			t.Errorf("%+v renews: %v", who, err)
		}
		if _, err := second.Release(who.number, who.holder, now); fail.CodeOf(err) != "lease_lost" {
			t.Errorf("%+v releases: %v", who, err)
		}
	}
	free, err := second.Release(2, "two", now)
	if err != nil || free.State(now) != registry.LeaseFree || free.Number() != 2 {
		t.Fatalf("released: %+v %v", free, err)
	}
	if third, err := free.Take("one", now); err != nil || third.Number() != 3 {
		t.Errorf("taken after release: %+v %v", third, err)
	}
}

// pair is two processes over one store. On bbolt they are two registries over
// one open store, as a file has one process; on PostgreSQL each has its own
// connections, queue and clock.
func pair(t *testing.T, fn func(t *testing.T, one, two *registrytest.Env)) {
	t.Run("bbolt", func(t *testing.T) {
		one := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt, Rerun: kvtest.Rerun(5)})
		second, err := registry.New(one.DB, one.Config())
		if err != nil {
			t.Fatal(err)
		}
		two := *one
		two.Registry = second
		fn(t, one, &two)
	})
	t.Run("postgres", func(t *testing.T) {
		conn := pgtest.New(t)
		open := func(t testing.TB, _ string) kv.Engine {
			e, err := pgkv.Open(ctx, conn, pgkv.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		one := registrytest.New(t, registrytest.Options{Engine: open})
		clock := &registrytest.Clock{}
		clock.Set(one.Clock.Now())
		fn(t, one, registrytest.New(t, registrytest.Options{Engine: open, Dir: one.Dir, Clock: clock}))
	})
}

// Two processes want to do one job at once, again and again: never both, the
// numbers only grow, and nothing of a turn is lost.
func TestOneOfTwoProcessesDoesTheJob(t *testing.T) {
	pair(t, func(t *testing.T, one, two *registrytest.Env) {
		var inside atomic.Int32
		var mu sync.Mutex
		last, ran := uint64(0), 0
		job := func(e *registrytest.Env) func(context.Context, *registry.Lease) error {
			return func(ctx context.Context, l *registry.Lease) error {
				if inside.Add(1) != 1 {
					t.Error("two at once")
				}
				defer inside.Add(-1)
				mu.Lock()
				if l.Number() <= last {
					t.Errorf("number %d after %d", l.Number(), last)
				}
				last = l.Number()
				ran++
				mu.Unlock()
				return e.DB.Update(ctx, func(tx kv.Tx) error {
					if err := l.Hold(tx); err != nil {
						return err
					}
					n, err := tx.Get("test", kv.Key("n"))
					tx.Put("test", kv.Key("n"), append(n, '.'))
					return err
				})
			}
		}
		var wg sync.WaitGroup
		for _, e := range []*registrytest.Env{one, two, one, two} {
			wg.Go(func() {
				for range 12 {
					if _, err := e.Leased(ctx, "test", job(e)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var stored int
		if err := one.DB.View(ctx, func(rd kv.Reader) error {
			b, err := rd.Get("test", kv.Key("n"))
			stored = len(b)
			return err
		}); err != nil || stored != ran || ran == 0 {
			t.Errorf("%d turns left %d marks, %v", ran, stored, err)
		}
		t.Logf("%d turns of 48 attempts", ran)
	})
}

// A process stops for longer than its lease lasts; another takes over; the first
// wakes up and stores nothing.
func TestALateHolderStoresNothing(t *testing.T) {
	pair(t, func(t *testing.T, one, two *registrytest.Env) {
		late, err := one.TakeLease(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		if held, err := two.Leased(ctx, "test", nil); held || err != nil {
			t.Fatalf("taken from a holder: %t %v", held, err)
		}
		store := func(e *registrytest.Env, l *registry.Lease, text string) error {
			return e.DB.Update(ctx, func(tx kv.Tx) error {
				if err := l.Hold(tx); err != nil {
					return err
				}
				tx.Put("test", kv.Key("result"), []byte(text))
				return nil
			})
		}
		two.Clock.Add(registry.LeaseTime / 2)
		if err := late.Renew(ctx); err != nil {
			t.Fatal(err)
		}
		two.Clock.Add(registry.LeaseTime) // of the one process only, on PostgreSQL
		if two.Clock != one.Clock {
			two.Clock.Add(registry.LeaseTime) // its clock was not that of the renewal
		}
		held, err := two.Leased(ctx, "test", func(ctx context.Context, l *registry.Lease) error {
			if l.Number() != late.Number()+1 {
				t.Errorf("number %d after %d", l.Number(), late.Number())
			}
			if err := store(one, late, "late"); fail.CodeOf(err) != "lease_lost" {
				t.Errorf("the late holder stores: %v", err)
			}
			return store(two, l, "new")
		})
		if !held || err != nil {
			t.Fatalf("not taken over: %t %v", held, err)
		}
		if err := store(one, late, "late"); fail.CodeOf(err) != "lease_lost" {
			t.Errorf("the late holder stores after the release: %v", err)
		}
		if err := late.Release(ctx); err != nil { // what is lost need not be given back
			t.Error(err)
		}
		if err := one.DB.View(ctx, func(rd kv.Reader) error {
			b, err := rd.Get("test", kv.Key("result"))
			if string(b) != "new" {
				t.Errorf("stored: %q", b)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		// Nobody took it and it ran out all the same.
		l, err := one.TakeLease(ctx, "test")
		if err != nil {
			t.Fatal(err)
		}
		one.Clock.Set(two.Clock.Now().Add(2 * registry.LeaseTime))
		if err := l.Renew(ctx); fail.CodeOf(err) != "lease_lost" {
			t.Errorf("renewed after it ran out: %v", err)
		}
	})
}

func TestALeaseIsGivenBackWhateverHappens(t *testing.T) {
	e := registrytest.New(t)
	bad := errors.New("bad")
	if held, err := e.Leased(ctx, "test", func(context.Context, *registry.Lease) error { return bad }); !held || !errors.Is(err, bad) {
		t.Errorf("%t %v", held, err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = e.Leased(ctx, "test", func(context.Context, *registry.Lease) error { panic("job") })
	}()
	stopped, cancel := context.WithCancel(ctx)
	if _, err := e.Leased(stopped, "test", func(context.Context, *registry.Lease) error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
	if held, err := e.Leased(ctx, "test", func(_ context.Context, l *registry.Lease) error {
		if l.Number() != 4 {
			return fmt.Errorf("number %d", l.Number())
		}
		return nil
	}); !held || err != nil {
		t.Errorf("%t %v", held, err)
	}
}
