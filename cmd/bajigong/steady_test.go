package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"bajigong/internal/torture"
)

// TestSteadyClock: jumps of a running machine are not followed; small steps, a
// machine that slept, and a clock that is put right are.
func TestSteadyClock(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for _, c := range []struct {
		name  string
		steps []time.Duration // how wrong the machine's clock is after each hour
		want  []time.Duration // how wrong is what is given
		tells int
	}{
		{"right", []time.Duration{0, 0}, []time.Duration{0, 0}, 0},
		{"small steps of NTP", []time.Duration{time.Second, -time.Second, -90 * time.Second}, []time.Duration{time.Second, -time.Second, -90 * time.Second}, 0},
		{"slept for eight hours", []time.Duration{8 * time.Hour, 8 * time.Hour}, []time.Duration{8 * time.Hour, 8 * time.Hour}, 0},
		{"back a day and right again", []time.Duration{-day, -day, 0}, []time.Duration{0, 0, 0}, 2},
		{"forward a year and back", []time.Duration{year, year, year, 0}, []time.Duration{0, 0, 0, 0}, 3},
		{"forward a year, back a day, right", []time.Duration{year, -day, 0}, []time.Duration{0, 0, 0}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			passed, wrong := time.Duration(0), time.Duration(0)
			s := &steadyClock{log: slog.New(slog.NewTextHandler(&log, nil)), time: torture.Begin,
				wall: func() time.Time { return torture.Begin.Add(passed + wrong) }, elapsed: func() time.Duration { return passed }}
			for i, step := range c.steps {
				passed, wrong = passed+time.Hour, step
				if got := s.now().Sub(torture.Begin.Add(passed)); got != c.want[i] {
					t.Errorf("hour %d: wrong by %s, want %s", i+1, got, c.want[i])
				}
			}
			if got := strings.Count(log.String(), "CLOCK JUMPED"); got != c.tells {
				t.Errorf("told %d times, want %d:\n%s", got, c.tells, log.String())
			}
		})
	}
}

// TestSteadyClockGoesOn: it is the machine's clock as long as nothing is wrong.
func TestSteadyClockGoesOn(t *testing.T) {
	c := newSteadyClock(time.Now, slog.New(slog.DiscardHandler))
	for range 100 {
		if off := time.Since(c.now()); off < 0 || off > 10*time.Second {
			t.Fatalf("off by %s", off)
		}
	}
}
