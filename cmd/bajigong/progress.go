package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows how far long work has come: a bar on a terminal, elsewhere a
// plain line now and then. It writes to stderr, so that stdout has results only.
type progress struct {
	out   io.Writer
	now   func() time.Time
	live  bool
	what  string
	begun bool
	wrote bool
	first int // done when it began: work of an earlier run says nothing of the rate
	start time.Time
	shown time.Time
	done  int // as shown last
	total int
}

// plainEvery is how often a line is written where there is no terminal.
const plainEvery = 10 * time.Second

func newProgress(w world, what string) *progress {
	return &progress{out: w.stderr, now: w.now, live: isTerminal(w.stderr, w.env), what: what}
}

// isTerminal reports whether a person reads along who can be shown a line that
// changes.
func isTerminal(out io.Writer, env func(string) string) bool {
	f, ok := out.(*os.File)
	if !ok || env("TERM") == "" || env("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show says that done of total are done; total is 0 while it is not known.
func (p *progress) show(done, total int) {
	now := p.now()
	if !p.begun {
		p.begun, p.first, p.start = true, done, now
	}
	every := plainEvery
	if p.live {
		every = 200 * time.Millisecond
	}
	if !p.shown.IsZero() && now.Sub(p.shown) < every && (done < total || total == 0) {
		return
	}
	if !p.shown.IsZero() && done == p.done && total == p.total {
		return
	}
	line := p.line(done, total, now.Sub(p.start))
	p.wrote = true
	p.shown, p.done, p.total = now, done, total
	if p.live {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *progress) line(done, total int, took time.Duration) string {
	var s strings.Builder
	s.WriteString(p.what)
	if p.live && total > 0 {
		const width = 24
		full := min(width*done/total, width)
		fmt.Fprintf(&s, " [%s%s]", strings.Repeat("#", full), strings.Repeat("-", width-full))
	}
	if total > 0 {
		fmt.Fprintf(&s, " %d/%d", done, total)
	} else {
		fmt.Fprintf(&s, " %d", done)
	}
	rate := 0.0
	if took >= time.Second {
		rate = float64(done-p.first) / took.Seconds()
	}
	if rate > 0 {
		fmt.Fprintf(&s, " · %.0f/s", max(rate, 1))
		if done < total {
			left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
			fmt.Fprintf(&s, " · 剩余 %s left", left)
		}
	}
	return s.String()
}

// end leaves the line as it is and goes to the next.
func (p *progress) end() {
	if p.live && p.wrote {
		fmt.Fprintln(p.out)
	}
}
