package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bajigong/internal/needed"
	"bajigong/internal/torture"
)

// TestFaults lets the disk of `serve` fail in every way once, and be full.
func TestFaults(t *testing.T) {
	t.Parallel()
	needStrace(t)
	runs, met := len(diskFaults())/needed.Every(2, 2), 2
	opt := faultOptions{runs: runs, seed: seedOf(t), dir: realDir(t), size: torture.Size{Issue: 3, IssueRows: 60, Upload: 1, UploadRows: 40, Claims: 50}}
	report, err := tortureFaults(t.Context(), tortureWorld(t), opt)
	noProblems(t, report, report.Problems, err)
	if len(report.Met) < met || report.Ended["read-only"] == 0 || report.Acknowledged[torture.Claimed] == 0 {
		t.Errorf("%d kinds of faults hit: this proves nothing", len(report.Met))
	}
	if strings.HasPrefix(report.Full, "not tried") {
		needed.Missing(t, "the full disk was", report.Full)
	}
}

// TestPowerCutOfServe cuts the power at moments of `serve` under load over HTTP.
func TestPowerCutOfServe(t *testing.T) {
	t.Parallel()
	needStrace(t)
	opt := powercutOptions{of: "serve", cuts: 6, seed: seedOf(t), dir: realDir(t), size: torture.Size{Issue: 2, IssueRows: 40, Upload: 1, UploadRows: 30, Claims: 24}}
	report, err := torturePowercut(t.Context(), tortureWorld(t), opt)
	noProblems(t, report, report.Problems, err)
	if report.Cuts != opt.cuts || report.Kept+report.Lost == 0 || report.Acknowledged[torture.Claimed] == 0 {
		t.Error("nothing was at stake at these moments: this proves nothing")
	}
}

// TestSoak is seconds of what `torture soak` does for hours.
func TestSoak(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		needed.Missing(t, "the memory of a process, which Linux shows:", err)
	}
	memory := int64(soakMemory)
	if needed.RaceDetector { // it takes several times as much, and seconds are all warm-up
		memory *= 4
	}
	opt := soakOptions{span: needed.Span(5 * time.Second), memory: memory, seed: seedOf(t), dir: realDir(t), clients: 4, idle: 50, size: torture.Size{Issue: 2, IssueRows: 60, Upload: 2, UploadRows: 40, Claims: 300}}
	report, err := tortureSoak(t.Context(), tortureWorld(t), opt)
	noProblems(t, report, report.Problems, err)
	for _, name := range []string{"reserve", "verdict by handle", "big file", "too big", "noise as JSON"} {
		if report.Requests[name] == 0 {
			t.Errorf("nobody did %q", name)
		}
	}
}

// TestJudge: what grows is found, what only warms up is not.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name  string
		grow  func(i int) int64
		wrong bool
	}{
		{"level", func(int) int64 { return 50 << 20 }, false},
		{"warms up", func(i int) int64 { return int64(min(i, 5)) * 40 << 20 }, false},
		{"leaks", func(i int) int64 { return int64(i) * 10 << 20 }, true},
	} {
		s := &soaker{opt: soakOptions{memory: soakMemory}, report: &soakReport{Growth: map[string]int64{}}}
		for i := range 40 {
			s.report.Samples = append(s.report.Samples, soakSample{Anonymous: c.grow(i), Descriptors: 20, Goroutines: 50})
		}
		if s.judge(); len(s.report.Problems) > 0 != c.wrong {
			t.Errorf("%s: %v", c.name, s.report.Problems)
		}
	}
}

// remount changes how a disk that a test has mounted is mounted.
func remount(t *testing.T, dir, how string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,"+how, dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v %s", err, out)
	}
}
