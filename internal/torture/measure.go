package torture

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Sample is what some clients did in a time.
type Sample struct {
	Ops      int
	Elapsed  time.Duration
	P50, P99 time.Duration // of one operation
	// Mallocs and Bytes were allocated meanwhile, by all that went on in the process.
	Mallocs, Bytes uint64
}

// PerSecond is the throughput.
func (s Sample) PerSecond() float64 { return float64(s.Ops) / s.Elapsed.Seconds() }

// Measure lets clients call op, each one after another, until d is over or most
// operations were begun. op is given the number of the operation, from 0. The
// first error ends the measurement.
func Measure(clients, most int, d time.Duration, op func(i int) error) (Sample, error) {
	var (
		wg     sync.WaitGroup
		next   atomic.Int64
		mu     sync.Mutex
		all    []time.Duration
		failed error
	)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for range clients {
		wg.Go(func() {
			var own []time.Duration
			var err error
			for err == nil && time.Since(begin) < d {
				i := int(next.Add(1)) - 1
				if i >= most {
					break
				}
				start := time.Now()
				err = op(i)
				own = append(own, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			if err != nil {
				next.Store(int64(most))
				failed = err
			}
		})
	}
	wg.Wait()
	s := Sample{Ops: len(all), Elapsed: time.Since(begin)}
	runtime.ReadMemStats(&after)
	s.Mallocs, s.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	if len(all) > 0 {
		slices.Sort(all)
		s.P50, s.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return s, failed
}
