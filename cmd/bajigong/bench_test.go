package main

import (
	"testing"
	"time"

	"bajigong/internal/kv/pgkv/pgtest"
)

// TestBench takes every path of bench once, on both engines. Figures are not
// judged: machines differ.
func TestBench(t *testing.T) {
	for name, store := range map[string]func(*testing.T) string{
		"bbolt":      func(*testing.T) string { return "" },
		"postgresql": func(t *testing.T) string { return postgresURL(pgtest.New(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			report, err := bench(t.Context(), tortureWorld(t), benchOptions{size: 100, clients: 8, each: 100 * time.Millisecond, store: store(t), dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if report.Store != name || report.Certificates < 100 || len(report.Figures) != 6 {
				t.Errorf("%+v", report)
			}
			for _, f := range report.Figures {
				if f.Ops == 0 || f.P50 <= 0 || f.P99 < f.P50 || f.Times <= 0 || f.AtLimit <= 0 {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
