package registry_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// engines runs a test on both engines, each wrapped so that it can fail.
func engines(t *testing.T, fn func(t *testing.T, open func(t testing.TB, dir string) kv.Engine)) {
	t.Run("bbolt", func(t *testing.T) {
		fn(t, func(t testing.TB, dir string) kv.Engine {
			e, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			return e
		})
	})
	t.Run("postgres", func(t *testing.T) {
		conn := pgtest.New(t)
		fn(t, func(t testing.TB, _ string) kv.Engine {
			e, err := pgkv.Open(ctx, conn, pgkv.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return e
		})
	})
}

// Batches of random sizes are issued under random faults: commits that fail
// before, after or with unknown outcome, calls that are sent again, and aborts.
// Numbers, handles and status indices must never meet, and every session ends
// with each passed candidate having one certificate. The invariants are checked
// when the test ends (registrytest).
func TestNothingCollidesUnderFaults(t *testing.T) {
	t.Parallel()
	batches := 24
	if needed.RaceDetector {
		batches = 8
	}
	if n, err := strconv.Atoi(os.Getenv("BAJIGONG_BATCHES")); err == nil {
		batches = n // docs/figures.md has a run of thousands
	}
	engines(t, func(t *testing.T, open func(testing.TB, string) kv.Engine) {
		rnd := rand.New(rand.NewPCG(7, 11))
		var faulty *kvtest.Faulty
		e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(9), Engine: func(t testing.TB, dir string) kv.Engine {
			faulty = kvtest.NewFaulty(open(t, dir))
			return faulty
		}})
		var by registrytest.Issuer
		numbers, handles, statuses := map[string]bool{}, map[string]bool{}, map[uint64]bool{}
		next := 0
		for i := range batches {
			if i%80 == 0 { // a filing lasts three years, and every session takes days of the clock
				by = e.MustAdmit(i/80 + 1)
			}
			size := 1 + rnd.IntN(40)
			s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(next, next+size))
			next += size
			faults := []kvtest.Fault{kvtest.None, kvtest.None, kvtest.Unreachable, kvtest.Refused, kvtest.Lost, kvtest.Kept, kvtest.Again}
			for range 8 {
				faulty.Next(faults[rnd.IntN(len(faults))])
			}
			issueThrough(t, e, by, s.ID, rnd)
			for range 12 { // use up what is left of the faults
				_ = e.DB.Update(ctx, func(tx kv.Tx) error { tx.Put("test", []byte("k"), nil); return nil })
			}
			got := e.MustIssue(by, s.ID)
			if len(got) != size {
				t.Fatalf("session of %d candidates has %d certificates", size, len(got))
			}
			for _, c := range got {
				if numbers[c.Number] || handles[string(c.Handle)] || statuses[c.StatusIndex] {
					t.Fatalf("number %s, handle %s or status index %d was given out twice", c.Number, c.Handle, c.StatusIndex)
				}
				numbers[c.Number], handles[string(c.Handle)], statuses[c.StatusIndex] = true, true, true
			}
		}
	})
}

// issueThrough sends the issue again and again, and aborts it now and then, until
// it is published.
func issueThrough(t *testing.T, e *registrytest.Env, by registrytest.Issuer, session string, rnd *rand.Rand) {
	t.Helper()
	for try := range 60 {
		_, err := e.Issue(ctx, by.Actor, session, nil)
		if err == nil {
			return
		}
		if fail.KindOf(err) != fail.Unavailable && fail.CodeOf(err) != "batch_aborted" {
			t.Fatalf("try %d: %v", try, err)
		}
		if rnd.IntN(4) == 0 {
			if _, err := e.AbortBatch(ctx, by.Actor, session, "测试中止"); err != nil && fail.KindOf(err) != fail.Unavailable && fail.CodeOf(err) != "no_batch" {
				t.Fatalf("abort: %v", err)
			}
		}
	}
	t.Fatal("the session was never published")
}

// Two registries over one database: what one records the other obeys, whatever
// its own clock says.
func TestSuspensionHoldsOnEveryProcess(t *testing.T) {
	conn := pgtest.New(t)
	open := func(t testing.TB, _ string) kv.Engine {
		e, err := pgkv.Open(ctx, conn, pgkv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	one := registrytest.New(t, registrytest.Options{Engine: open})
	by := one.MustAdmit(1)
	s := one.MustPublicise(by, one.MustPlan(by), registrytest.CSV(0, 30))
	slow := &registrytest.Clock{}
	slow.Set(one.Clock.Now().Add(-72 * time.Hour))
	two := registrytest.New(t, registrytest.Options{Engine: open, Dir: one.Dir, Clock: slow})

	mustDecide(t, one, by, "suspend")
	// The second process's clock is three days behind: before the suspension, and
	// within publicity. The store's time decides.
	if _, err := two.Issue(ctx, by.Actor, s.ID, nil); fail.CodeOf(err) != "not_entitled" {
		t.Fatalf("a process with a slow clock issued after the suspension: %v", err)
	}
	if _, err := two.PlanSession(ctx, by.Actor, registry.NewSession{Name: "补录", Filing: by.Filing.ID, Occupation: "6-31-01-03", Level: s.Level,
		ExamDate: s.Publicity.Until.AddDays(5)}); fail.CodeOf(err) != "not_entitled" {
		t.Fatalf("a session was planned after the suspension: %v", err)
	}
	old := registry.Elsewhere{Number: "S000032058301263000999", Name: "王建国", Document: "320583196601010014", Occupation: "6-31-01-03", Level: s.Level,
		Issued: "2026-03-02", InstitutionName: by.Institution.Name}
	old.Document = firstDocument()
	got, err := two.RegisterElsewhere(ctx, by.Actor, []registry.Elsewhere{old})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Entitlement == nil || got[0].Entitlement.Entitled {
		t.Fatalf("a certificate dated before the suspension and sent after it is entitled: %+v", got[0].Entitlement)
	}
	v, err := two.Lookup(ctx, registry.LookupQuery{Number: old.Number, Name: old.Name})
	if err != nil || v.Valid || v.First() != "received-too-late" {
		t.Fatalf("its verdict is %v, %v", v.Reasons, err)
	}
}
