//go:build unix

package registry_test

import (
	"flag"
	"runtime"
	"syscall"
	"testing"
	"time"

	"bajigong/internal/torture"
)

// batchClaims is how many claims the store has besides: BenchmarkCheckFile is to be
// flat in it.
var batchClaims = flag.Int("batch.claims", 2000, "claims in the store of BenchmarkCheckFile")

// BenchmarkCheckFile checks a file of 10,000 claims, from its bytes to its signed
// decision, durably, in a store with -batch.claims claims. The limit is the HMAC of
// each document, the opening of each sealed paper and the rules, on all processors:
// what is neither reading, JSON nor storing.
//
//	go test ./registry -run '^$' -bench CheckFile -batch.claims 100000
func BenchmarkCheckFile(b *testing.B) {
	const rows = 10_000
	e, crypto := newBenched(b, onBolt), newCrypto(b)
	e.fill(b, torture.Size{Claims: max(rows, *batchClaims)})
	for _, h := range e.scene.Claims[:min(*batchClaims, len(e.scene.Claims))] {
		if err := e.scene.Reserve(b.Context(), e.Registry, h); err != nil {
			b.Fatal(err)
		}
	}
	all := e.scene.Claims
	e.scene.Claims = all[len(all)-rows:]
	file := e.scene.ClaimFile(rows)
	law, err := e.Config().Policies.Policy("sample-2026", 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d rows, %d claims in the store", rows, *batchClaims)
	b.ResetTimer()
	var longest time.Duration
	before := processorTime(b)
	for b.Loop() {
		longest = max(longest, took(b, func() error {
			run, err := e.scene.CheckFile(b.Context(), e.Registry, file)
			if err == nil && (run.Done != rows || run.Invalid > 0 || run.Hold > 0) {
				b.Fatalf("%+v", run)
			}
			return err
		}))
	}
	b.StopTimer()
	ours, spent := b.Elapsed(), processorTime(b)-before
	limit := took(b, func() error { return crypto.CheckParts(law, e.Clock.Now(), rows*b.N) })
	b.ReportMetric(float64(rows*b.N)/ours.Seconds(), "lines/s")
	// What the processors did for a line tells more than the time on a machine that
	// others use too.
	perLine := float64(spent.Microseconds()) / float64(rows*b.N)
	b.ReportMetric(perLine, "cpu-µs/line")
	b.ReportMetric(1e6*float64(runtime.GOMAXPROCS(0))/perLine, "lines/s-cpu-bound")
	b.ReportMetric(float64(rows)/longest.Seconds(), "lines/s-worst")
	b.ReportMetric(ours.Seconds()/limit.Seconds(), "x-limit")
}

// processorTime is what all threads of this process have used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
