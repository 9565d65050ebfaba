package main

import (
	"testing"
	"time"

	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
	"bajigong/internal/torture"
)

// stormSize is little work, for tests.
var stormSize = torture.Size{IssueRows: 60, UploadRows: 30, Claims: 60}

// TestFailover: two processes work while the primary dies; its synchronous standby
// has everything that was answered, and the processes find it by themselves.
func TestFailover(t *testing.T) {
	t.Parallel()
	pgtest.Start(t) // skips, or fails in CI, when the machine has none
	report, err := tortureFailover(t.Context(), tortureWorld(t), failoverOptions{runs: 1, seed: seedOf(t), window: needed.Span(500 * time.Millisecond), dir: t.TempDir(), size: stormSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
	mustBeWhole(t, report.stormTally)
	if len(report.Each) != 1 || report.GapMax <= 0 || report.GapMax > 30 {
		t.Errorf("%d failovers, a gap of %v s", len(report.Each), report.GapMax)
	}
}

// TestKillAroundTheDatabase strikes once in each way.
func TestKillAroundTheDatabase(t *testing.T) {
	t.Parallel()
	pgtest.Start(t)
	report, err := tortureOnDatabase(t.Context(), tortureWorld(t), failoverOptions{runs: len(databaseBlows), seed: seedOf(t), window: needed.Span(150 * time.Millisecond), dir: t.TempDir(), size: stormSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
	mustBeWhole(t, report.stormTally)
	for _, blow := range databaseBlows {
		if report.Blows[blow] != 1 {
			t.Errorf("%s happened %d times", blow, report.Blows[blow])
		}
	}
}

func mustBeWhole(t *testing.T, tally stormTally) {
	t.Helper()
	for _, p := range tally.Problems {
		t.Error(p)
	}
	if tally.Acknowledged[torture.Claimed] == 0 || tally.Acknowledged[torture.Published] == 0 || len(tally.Processes) != 2 {
		t.Errorf("%v by %d processes: this proves nothing", tally.Acknowledged, len(tally.Processes))
	}
}
