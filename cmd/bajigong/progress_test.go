package main

import (
	"bytes"
	"testing"
	"time"
)

// TestProgress: where there is no terminal a line comes now and then; the rate is
// that of this run alone.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	p := &progress{out: &out, now: func() time.Time { return at }, what: "发证 issuing"}
	for done := 1000; done <= 3000; done += 100 {
		p.show(done, 3000)
		at = at.Add(time.Second)
	}
	p.show(3000, 3000)
	p.end()
	if want := "发证 issuing 1000/3000\n" +
		"发证 issuing 2000/3000 · 100/s · 剩余 10s left\n" +
		"发证 issuing 3000/3000 · 100/s\n"; out.String() != want {
		t.Errorf("%s", &out)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, now: func() time.Time { return time.Unix(0, 0) }, live: true, what: "x"}
	p.show(0, 0)
	p.show(12, 24)
	p.show(24, 24)
	p.end()
	if want := "\r\x1b[Kx 0\r\x1b[Kx [########################] 24/24\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
