package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
)

// benchMoved is by which part a figure has to be another to be told.
const benchMoved = 0.20

// benchRun is what a comparison needs of a report of `bench` or `bench claims`.
type benchRun struct {
	benchHead
	Figures []benchFigure `json:"figures"`
}

func benchCompareCommand(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "compare A.json B.json",
		Short: "比较两次测量 (ratio of two runs, path by path)",
		Long: `compare 逐项给出 B 与 A 的吞吐、p50、p99 之比，以及各自相对其极限（同一次运行中测得）之比。
机器快慢已在后者中抵消。变动超过 20% 的标出 moved；没有对方的单独列出。`,
		Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var runs [2]benchRun
			for i, name := range args {
				b, err := os.ReadFile(name)
				if err == nil {
					err = json.Unmarshal(b, &runs[i])
				}
				if err == nil && len(runs[i].Figures) == 0 {
					err = fmt.Errorf("it has no figures")
				}
				if err != nil {
					return fail.New(fail.Invalid, "bench_report", "%s is no report of bench: %v", name, err).In("%s 不是 bench 的报告：%v", name, err)
				}
			}
			return compareRuns(w.stdout, runs[0], runs[1])
		},
	}
}

// compareRuns prints the ratio of b to a for every path that both have.
func compareRuns(out io.Writer, a, b benchRun) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "A\t%s, %d certificates, %d claims, T %.2f ms\n", a.Store, a.Certificates, a.Claims, a.CommitMS)
	fmt.Fprintf(t, "B\t%s, %d certificates, %d claims, T %.2f ms\n", b.Store, b.Certificates, b.Claims, b.CommitMS)
	fmt.Fprintln(t, "path\tA /s\tB /s\tB:A\tp50\tp99\tof limit\t")
	before := map[string]benchFigure{}
	for _, f := range a.Figures {
		before[f.Path] = f
	}
	for _, f := range b.Figures {
		old, both := before[f.Path]
		if !both {
			fmt.Fprintf(t, "%s\t-\t%.0f\t\t\t\t\tonly in B\n", f.Path, f.PerSecond)
			continue
		}
		delete(before, f.Path)
		rate, limit, moved := f.PerSecond/old.PerSecond, "", ""
		said := rate
		if f.Times > 0 && old.Times > 0 {
			said = old.Times / f.Times
			limit = fmt.Sprintf("%.2f", said)
		}
		if math.Abs(said-1) > benchMoved {
			moved = "moved"
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%s\t%s\n", f.Path, old.PerSecond, f.PerSecond, rate, over(f.P50, old.P50), over(f.P99, old.P99), limit, moved)
	}
	for _, f := range a.Figures {
		if _, left := before[f.Path]; left {
			fmt.Fprintf(t, "%s\t%.0f\t-\t\t\t\t\tonly in A\n", f.Path, f.PerSecond)
		}
	}
	return t.Flush()
}

func over(b, a float64) float64 {
	if a == 0 {
		return 0
	}
	return b / a
}
