package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
	"bajigong/internal/torture"
	"bajigong/registry"
)

// TestClockBetweenRuns: the clock is a day behind when the process starts again,
// then a year ahead, then right. What is recorded never runs against the order of
// the log, a lease is neither held twice nor for ever, and every invariant holds.
func TestClockBetweenRuns(t *testing.T) {
	w := tortureWorld(t)
	data := dataFlags{dir: filepath.Join(realDir(t), "data")}
	clock := newSimClock(torture.Begin, w.now)
	w.now = clock.now
	if _, _, err := initData(t.Context(), w, data, config{Origin: tortureOrigin, Region: torture.Region}, "tt"); err != nil {
		t.Fatal(err)
	}
	last := time.Time{}
	for i, at := range []time.Time{torture.Begin, torture.Begin.AddDate(0, 0, -1), torture.Begin.AddDate(1, 0, 0), torture.Begin.AddDate(0, 0, 1)} {
		clock.move(at)
		reg, err := data.open(t.Context(), w, newLog(io.Discard))
		if err != nil {
			t.Fatalf("start %d: %v", i, err)
		}
		held, err := reg.Leased(t.Context(), "clock", func(ctx context.Context, _ *registry.Lease) error {
			again, err := reg.Leased(ctx, "clock", func(context.Context, *registry.Lease) error { return nil })
			if again {
				t.Errorf("start %d: a lease was held twice", i)
			}
			return err
		})
		if !held || err != nil {
			t.Errorf("start %d: the lease was not to be had: %v", i, err)
		}
		account, err := reg.CreateAccount(t.Context(), registry.Operator(), registry.NewAccount{Name: fmt.Sprint("clock ", i), Roles: []registry.Role{registry.RoleAuditor}, Region: torture.Region})
		if err != nil {
			t.Fatalf("start %d: %v", i, err)
		}
		if account.Created.Before(last) || account.Created.Before(at) {
			t.Errorf("start %d: recorded at %s, after an entry of %s", i, account.Created, last)
		}
		last = account.Created
		report, err := reg.Check(t.Context(), registry.Operator(), nil)
		if err != nil || report.Found > 0 {
			t.Errorf("start %d: check: %v %v", i, report.Problems, err)
		}
		if err := reg.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadOnlyDisk: a store on a disk that is mounted read-only is refused with
// its reason, nothing is changed, and it opens when the disk can be written again.
func TestReadOnlyDisk(t *testing.T) {
	w := tortureWorld(t)
	dir := filepath.Join(realDir(t), "disk")
	unmount, err := smallDisk(t.Context(), dir, 64<<20)
	if err != nil {
		needed.Missing(t, err)
	}
	defer unmount()
	data := dataFlags{dir: filepath.Join(dir, "data")}
	if _, _, err := initData(t.Context(), w, data, config{Origin: tortureOrigin, Region: torture.Region}, "tt"); err != nil {
		t.Fatal(err)
	}
	remount(t, dir, "ro")
	_, err = data.open(t.Context(), w, newLog(io.Discard))
	if fail.KindOf(err) != fail.Unavailable || err == nil || fail.CodeOf(err) != "store" {
		t.Errorf("on a read-only disk: %v", err)
	}
	remount(t, dir, "rw")
	reg, err := data.open(t.Context(), w, newLog(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	report, err := reg.Check(t.Context(), registry.Operator(), nil)
	if err = errors.Join(err, reg.Close()); err != nil || report.Found > 0 {
		t.Errorf("check: %v %v", report.Problems, err)
	}
}

// TestClaimsBesideACheck: claims are reserved while the whole store is checked
// again and again, on both engines, and no check holds one up.
func TestClaimsBesideACheck(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"", "postgresql"} {
		t.Run(cmp.Or(store, "bbolt"), func(t *testing.T) {
			if store != "" {
				store = postgresURL(pgtest.New(t))
			}
			p, err := newPatient(t.Context(), tortureWorld(t), filepath.Join(realDir(t), "data"), store, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.fill(t.Context(), torture.Size{Claims: 120}); err != nil {
				t.Fatal(err)
			}
			err = p.with(t.Context(), func(reg *opened) error {
				ctx, stop := context.WithCancel(t.Context())
				var checks sync.WaitGroup
				checked := 0
				checks.Go(func() {
					for ctx.Err() == nil {
						report, err := reg.Check(ctx, registry.Operator(), nil)
						if ctx.Err() == nil && (err != nil || report.Found > 0) {
							t.Errorf("check: %v %v", report.Problems, err)
							return
						}
						checked++
					}
				})
				slowest, sum := time.Duration(0), time.Duration(0)
				for _, h := range p.scene.Claims {
					began := time.Now()
					if err := p.scene.Reserve(t.Context(), reg.Registry, h); err != nil {
						t.Fatal(err)
					}
					took := time.Since(began)
					slowest, sum = max(slowest, took), sum+took
				}
				stop()
				checks.Wait()
				t.Logf("%d claims, on average %s, the slowest %s, beside %d checks", len(p.scene.Claims), sum/time.Duration(len(p.scene.Claims)), slowest, checked)
				if checked == 0 || slowest > needed.Span(3*time.Second) {
					t.Errorf("a claim took %s beside %d checks", slowest, checked)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
