package main

import (
	"log/slog"
	"sync"
	"time"
)

// Jumps of the machine's clock that a running server does not follow. A step back
// would let the store's time stand still until the clock has caught up; one far
// forward would be in the store for good, since its time never runs backwards:
// every term and reservation would be over.
const (
	steadyBack    = 2 * time.Minute
	steadyForward = 24 * time.Hour // a machine that slept wakes up with such a jump, and is right
	// steadyTell is how often the log says that the clock is not followed.
	steadyTell = 10 * time.Minute
)

// steadyClock is the machine's clock without its jumps: where the time of day
// leaves what the monotonic clock says, it goes on by the monotonic clock until
// the two agree again or the process is restarted.
type steadyClock struct {
	wall    func() time.Time     // the time of day, which can be set
	elapsed func() time.Duration // since some moment, which cannot
	log     *slog.Logger

	mu     sync.Mutex
	time   time.Time     // that was given last
	last   time.Duration // elapsed then
	astray bool          // the clock is not followed
	told   time.Duration // elapsed when the log was told so
}

func newSteadyClock(real func() time.Time, log *slog.Logger) *steadyClock {
	began := real() // with both readings, as time.Now
	return &steadyClock{wall: func() time.Time { return real().Round(0) }, elapsed: func() time.Duration { return real().Sub(began) }, log: log, time: began.Round(0)}
}

// now is the time.
func (c *steadyClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.elapsed()
	steady := c.time.Add(max(at-c.last, 0))
	c.last = at
	c.time = c.follow(c.wall(), steady)
	return c.time
}

// follow decides between what the clock says and what has passed.
func (c *steadyClock) follow(wall, steady time.Time) time.Time {
	jump := wall.Sub(steady)
	if jump > -steadyBack && jump < steadyForward {
		if c.astray {
			c.astray = false
			c.log.Info("the machine's clock is right again and followed")
		}
		return wall
	}
	if !c.astray || c.last-c.told >= steadyTell {
		c.astray, c.told = true, c.last
		c.log.Error("THE MACHINE'S CLOCK JUMPED and is not followed: set it right (NTP), and this goes on by itself; if it was wrong before and is right now, restart this process",
			"clock", wall.UTC().Format(time.RFC3339), "going_on_with", steady.UTC().Format(time.RFC3339), "jump", jump.Round(time.Second).String())
	}
	return steady
}
