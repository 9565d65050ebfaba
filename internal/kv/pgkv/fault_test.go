package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
)

func openDB(t testing.TB, e kv.Engine, process string) *kv.DB {
	t.Helper()
	db, err := kv.Open(t.Context(), e, kv.Options{Now: time.Now, Process: process, Log: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// claimAll lets writers of all dbs fight for the same claims and counts, in
// the store, each claim that was given. It checks that no claim was given
// twice, that the counter saw each once, and that the holder knows it; an error
// is good only if nothing of its Update is stored.
func claimAll(t *testing.T, check *kv.DB, dbs []*kv.DB, writers, claims int) (failed int64) {
	t.Helper()
	var won [][]string // by claim: who was told that it is his
	var mu sync.Mutex
	won = make([][]string, claims)
	var errs atomic.Int64
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			me := fmt.Sprint("writer ", w)
			db := dbs[w%len(dbs)]
			for _, c := range rand.Perm(claims) {
				key := kv.Key("claim", uint64(c))
				var mine bool
				err := db.Update(context.Background(), func(tx kv.Tx) error {
					mine = false
					held, err := tx.Get("claims", key)
					if err != nil || held != nil {
						return err
					}
					count, err := tx.Get("counter", []byte("n"))
					if err != nil {
						return err
					}
					tx.Put("counter", []byte("n"), append(count, 1))
					tx.Put("claims", key, []byte(me))
					mine = true
					return nil
				})
				if err != nil {
					errs.Add(1)
				} else if mine {
					mu.Lock()
					won[c] = append(won[c], me)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	err := check.View(t.Context(), func(r kv.Reader) error {
		given := 0
		for c := range claims {
			holder, err := r.Get("claims", kv.Key("claim", uint64(c)))
			if err != nil {
				return err
			}
			if holder != nil {
				given++
			}
			if got := strings.Join(won[c], ", "); got != string(holder) {
				t.Errorf("claim %d: stored for %q, told to %q", c, holder, got)
			}
		}
		count, err := r.Get("counter", []byte("n"))
		if len(count) != given {
			t.Errorf("%d claims given, counted %d times", given, len(count))
		}
		if given < claims && errs.Load() == 0 {
			t.Errorf("%d of %d claims given, without an error", given, claims)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return errs.Load()
}

func TestClaimOnceFromTwoProcesses(t *testing.T) {
	connString := pgtest.New(t)
	a := openDB(t, open(t, connString, pgkv.Options{}), "a")
	b := openDB(t, open(t, connString, pgkv.Options{}), "b")
	if failed := claimAll(t, a, []*kv.DB{a, b}, 32, 40); failed > 0 {
		t.Errorf("%d Updates failed", failed)
	}
}

// The connection breaks in every third COMMIT, in every way; the DBs settle it.
func TestClaimOnceWhileCommitsAreCut(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t)
	var dbs []*kv.DB
	var cuts atomic.Int64
	for _, process := range []string{"a", "b"} {
		p := pgtest.NewProxy(t, connString)
		dbs = append(dbs, openDB(t, open(t, p.ConnString(), pgkv.Options{}), process))
		p.OnCommit(func() pgtest.Fault {
			if rand.IntN(3) > 0 {
				return pgtest.Pass
			}
			cuts.Add(1)
			return []pgtest.Fault{pgtest.CutBefore, pgtest.CutAfter, pgtest.CutAnswered}[rand.IntN(3)]
		})
	}
	check := openDB(t, open(t, connString, pgkv.Options{}), "check")
	failed := claimAll(t, check, dbs, 16, 60)
	t.Logf("%d commits cut, %d Updates refused", cuts.Load(), failed)
	if cuts.Load() < 5 {
		t.Errorf("only %d commits were cut", cuts.Load())
	}
}

func TestOutcomeUnknown(t *testing.T) {
	connString := pgtest.New(t)
	p := pgtest.NewProxy(t, connString)
	e := open(t, p.ConnString(), pgkv.Options{})
	direct := open(t, connString, pgkv.Options{})
	for _, test := range []struct {
		fault pgtest.Fault
		want  string
	}{
		{pgtest.CutBefore, ""},
		{pgtest.CutAnswered, "v"},
	} {
		key := fmt.Sprint("k", test.fault)
		p.OnCommit(func() pgtest.Fault { return test.fault })
		runs := 0
		err := e.Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
			runs++
			return put(key, "v")(r)
		})
		if !errors.Is(err, kv.ErrOutcomeUnknown) || runs != 1 {
			t.Errorf("fault %d: %v after %d runs", test.fault, err, runs)
		}
		p.OnCommit(nil)
		// The next writer waits for what is left of it.
		if err := direct.Apply(t.Context(), put("next", "x")); err != nil {
			t.Fatal(err)
		}
		if got := get(t, direct, key); got != test.want {
			t.Errorf("fault %d: stored %q, want %q", test.fault, got, test.want)
		}
		if err := e.Apply(t.Context(), put("again", "x")); err != nil {
			t.Errorf("fault %d: the engine does not recover: %v", test.fault, err)
		}
	}
}

// Before COMMIT was sent a broken connection is no news to anybody.
func TestRetriesBeforeCommit(t *testing.T) {
	connString := pgtest.New(t)
	p := pgtest.NewProxy(t, connString)
	e := open(t, p.ConnString(), pgkv.Options{})
	for _, swallow := range []bool{false, true} {
		runs := 0
		err := e.Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
			runs++
			if runs == 1 {
				p.Cut()
			}
			if _, err := r.Get("t", []byte("k")); err != nil && !swallow {
				return nil, fmt.Errorf("wrapped: %w", err)
			}
			return put("k", fmt.Sprint("run ", runs))(r)
		})
		if err != nil || runs != 2 {
			t.Fatalf("%v after %d runs", err, runs)
		}
		if got := get(t, e, "k"); got != "run 2" {
			t.Errorf("stored %q", got)
		}
	}
	// Connections that died in the pool.
	p.Cut()
	if got := get(t, e, "k"); got != "run 2" {
		t.Errorf("View reads %q", got)
	}
	_, release, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	p.Cut()
	if _, release, err = e.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	release()
}

// A View whose state was lost in the middle fails: it has seen a part.
func TestViewIsNotMixed(t *testing.T) {
	p := pgtest.NewProxy(t, pgtest.New(t))
	e := open(t, p.ConnString(), pgkv.Options{})
	err := e.View(t.Context(), func(r kv.Reader) error {
		if _, err := r.Get("t", []byte("k")); err != nil {
			t.Fatal(err)
		}
		p.Cut()
		if _, err := r.Get("t", []byte("k")); err == nil {
			t.Error("reads go on in another state")
		}
		return nil // taking no notice does not help
	})
	if err == nil {
		t.Error("View reports success")
	}
}

func TestServerRestart(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e := open(t, s.Database(t), pgkv.Options{})
	if err := e.Apply(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, e, "k"); got != "v" {
		t.Fatal(got)
	}
	s.Restart(t)
	if got := get(t, e, "k"); got != "v" {
		t.Fatal(got)
	}
	// A restart under way is waited for.
	s.Stop()
	done := make(chan error)
	go func() { done <- e.Apply(context.Background(), put("k", "w")) }()
	time.Sleep(100 * time.Millisecond)
	s.Restart(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := get(t, e, "k"); got != "w" {
		t.Fatal(got)
	}
}

// When the wait for the standby that must have a commit is cancelled, the server
// gives a warning and calls the commit done. It is not, and nothing that was
// decided on it is.
func TestUnreplicatedCommitIsUnknown(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	connString := s.Database(t)
	e := open(t, connString, pgkv.Options{})
	stop := make(chan bool)
	var cancelling sync.WaitGroup
	cancelling.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				sql(t, connString, "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
			}
		}
	})
	defer cancelling.Wait()
	defer close(stop)
	// The setting reaches every process of the server a moment later.
	until := func(what string, good func(error) bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; {
			err := e.Apply(t.Context(), put("k", what))
			if good(err) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	unknown := func(err error) bool {
		return errors.Is(err, kv.ErrOutcomeUnknown) && strings.Contains(err.Error(), "canceling wait for synchronous replication")
	}
	sql(t, connString, "alter system set synchronous_standby_names = 'nobody'")
	sql(t, connString, "select pg_reload_conf()")
	until("waits for nobody", unknown)
	err := e.Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
		_, err := r.Get("t", []byte("k"))
		return nil, err
	})
	if !unknown(err) {
		t.Errorf("read: %v", err)
	}
	sql(t, connString, "alter system reset synchronous_standby_names")
	sql(t, connString, "select pg_reload_conf()")
	until("waits for nobody no more", func(err error) bool { return err == nil })
}

// TestDeadProcessFreesLock kills a process like this one that holds the lock.
func TestDeadProcessFreesLock(t *testing.T) {
	t.Parallel()
	const variable = "PGKV_TEST_HOLD_LOCK"
	if connString := os.Getenv(variable); connString != "" {
		e := open(t, connString, pgkv.Options{})
		e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
			os.Stdout.WriteString("!")
			time.Sleep(time.Minute)
			return put("k", "of the dead")(nil)
		})
		return
	}
	connString := pgtest.New(t)
	e := open(t, connString, pgkv.Options{})
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), variable+"="+connString)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- e.Apply(context.Background(), put("k", "v")) }()
	select {
	case err := <-done:
		t.Fatalf("two writers at once (%v)", err)
	case <-time.After(300 * time.Millisecond):
	}
	child.Process.Kill()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := get(t, e, "k"); got != "v" {
		t.Errorf("stored %q", got)
	}
}

// A host that went silent with the lock loses it after the idle time-out, and
// the writes it had sent go nowhere.
func TestSilentHostFreesLock(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t)
	p := pgtest.NewProxy(t, connString)
	silent := open(t, p.ConnString(), pgkv.Options{Timeout: time.Second})
	e := open(t, connString, pgkv.Options{})
	lost := make(chan error, 1)
	frozen := make(chan bool)
	go func() {
		ctx, cancel := context.WithCancel(context.Background())
		lost <- silent.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
			cancel() // no further attempt
			p.Freeze()
			close(frozen)
			return put("k", "of the silent")(r)
		})
	}()
	<-frozen
	if err := e.Apply(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; !errors.Is(err, kv.ErrOutcomeUnknown) {
		t.Errorf("the silent one hears %v", err)
	}
	p.Thaw()
	if err := e.Apply(t.Context(), put("other", "x")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, e, "k"); got != "v" {
		t.Errorf("stored %q", got)
	}
}
