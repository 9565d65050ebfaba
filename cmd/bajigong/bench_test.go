package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
)

// benchStores are the engines that are measured.
var benchStores = map[string]func(*testing.T) string{
	"bbolt":      func(*testing.T) string { return "" },
	"postgresql": func(t *testing.T) string { return postgresURL(pgtest.New(t)) },
}

func smallBench(t *testing.T, store string) fillFlags {
	return fillFlags{certificates: 200, claims: 100, load: 150, rows: 20, clients: 4, each: 20 * time.Millisecond, store: store, dir: t.TempDir()}
}

// TestBench takes every path of bench once, on both engines. Figures are not
// judged: machines differ.
func TestBench(t *testing.T) {
	t.Parallel()
	for name, store := range benchStores {
		if needed.RaceDetector && name == "postgresql" { // TestBenchClaims has both
			continue
		}
		t.Run(name, func(t *testing.T) {
			opt := smallBench(t, store(t))
			report, err := bench(t.Context(), tortureWorld(t), opt)
			if err != nil {
				t.Fatal(err)
			}
			figures := 16
			if name == "postgresql" {
				figures += 2 // pgx by itself
			}
			if report.Store != name || report.Certificates < 200 || report.Claims < 100 || len(report.Figures) != figures || report.Limits.Sign <= 0 || report.Limits.Constant <= 0 {
				t.Errorf("%d figures of %+v, %+v", len(report.Figures), report.benchHead, report.Limits)
			}
			soundFigures(t, report.Figures)
		})
	}
}

func soundFigures(t *testing.T, figures []benchFigure) {
	t.Helper()
	for _, f := range figures {
		if f.Ops == 0 || f.PerSecond <= 0 || f.P50 <= 0 || f.P99 < f.P50 || f.Limit != "" && (f.Times <= 0 || f.AtLimit <= 0) {
			t.Errorf("%+v", f)
		}
		for _, r := range f.Ratios {
			if r.Value <= 0 || r.Want <= 0 || r.Met != (r.AtMost && r.Value <= r.Want || !r.AtMost && r.Value >= r.Want) {
				t.Errorf("%s: %+v", f.Path, r)
			}
		}
	}
}

// TestBenchClaims fills, measures, fills more and measures again in one folder, on a
// slow disk; the invariants of the register hold in the end.
func TestBenchClaims(t *testing.T) {
	t.Parallel()
	for name, store := range benchStores {
		t.Run(name, func(t *testing.T) {
			opt := smallBench(t, store(t))
			opt.delay = 2 * time.Millisecond
			first, err := benchClaims(t.Context(), tortureWorld(t), opt)
			if err != nil {
				t.Fatal(err)
			}
			soundFigures(t, first.Figures)
			if len(first.Figures) != 5 || first.CommitMS < 2 || first.Claims < 100 || first.FilledNow < 200 {
				t.Errorf("%d figures of %+v", len(first.Figures), first.benchHead)
			}
			if name == "postgresql" {
				if first.CopiedRows < 500 {
					t.Errorf("%d rows copied", first.CopiedRows)
				}
				again, err := benchClaims(t.Context(), tortureWorld(t), opt)
				if err != nil || again.CopiedRows != 0 || again.FilledNow != 0 {
					t.Errorf("the same database again: %+v, %v", again.benchHead, err)
				}
				opt.certificates = 600
				if _, err := benchClaims(t.Context(), tortureWorld(t), opt); err == nil {
					t.Error("a database with a smaller store was taken for a larger one")
				}
				return
			}
			opt.certificates, opt.claims, opt.past, opt.delay, opt.tables = first.Certificates+150, first.Claims+100, 333, 0, true
			second, err := benchClaims(t.Context(), tortureWorld(t), opt)
			if err != nil {
				t.Fatal(err)
			}
			if second.FilledNow == 0 || second.Certificates < opt.certificates || second.Past != opt.past || len(second.Tables) < 20 {
				t.Errorf("%+v", second.benchHead)
			}
			var out bytes.Buffer
			w := tortureWorld(t)
			w.stdout = &out
			if code := run(t.Context(), []string{"check", "--data", opt.dir}, w); code != 0 {
				t.Errorf("check ended with %d\n%s", code, out.Bytes())
			}
		})
	}
}

// TestBenchCompare tells what moved beyond a fifth, by the ratio to the limit where
// there is one.
func TestBenchCompare(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, figures ...benchFigure) string {
		b, err := json.Marshal(benchRun{benchHead{Store: "bbolt", Certificates: 1000}, figures})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := write("a.json", benchFigure{Path: "machine", PerSecond: 1000, P50: 1, P99: 2, Times: 2}, benchFigure{Path: "slower", PerSecond: 1000, P50: 1, P99: 2, Times: 2},
		benchFigure{Path: "bare", PerSecond: 100, P50: 1, P99: 1}, benchFigure{Path: "gone", PerSecond: 5})
	b := write("b.json", benchFigure{Path: "machine", PerSecond: 500, P50: 2, P99: 4, Times: 2.1}, benchFigure{Path: "slower", PerSecond: 990, P50: 1, P99: 2, Times: 3},
		benchFigure{Path: "bare", PerSecond: 79, P50: 1, P99: 1}, benchFigure{Path: "new", PerSecond: 5})
	var out bytes.Buffer
	w := tortureWorld(t)
	w.stdout = &out
	cmd := benchCommand(w)
	cmd.SetArgs([]string{"compare", a, b})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		name, _, _ := strings.Cut(line, " ")
		if want, known := map[string]string{"machine": "", "slower": "moved", "bare": "moved", "new": "only in B", "gone": "only in A"}[name]; known {
			if said := strings.HasSuffix(line, "moved") || strings.Contains(line, "only"); said != (want != "") || !strings.HasSuffix(strings.TrimSpace(line), want) {
				t.Errorf("%q does not say %q", line, want)
			}
		}
	}
	if !strings.Contains(out.String(), "0.50") || !strings.Contains(out.String(), "0.95") {
		t.Errorf("%s", out.String())
	}
}
