package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/torture"
)

// killOptions say how a process is killed.
type killOptions struct {
	runs  int
	seed  uint64
	store string
	dir   string
	size  torture.Size
	// every is how many runs share one load of work, fresh how many share one
	// register: a check of everything takes longer as it grows.
	every, fresh int
}

// killReport is what `torture kill` prints.
type killReport struct {
	Store    string `json:"store"`
	Runs     int    `json:"runs"`
	Seed     uint64 `json:"seed"`
	Kills    int    `json:"kills"`
	Finished int    `json:"finished_before_kill"`
	tally
	Seconds float64 `json:"seconds"`
}

func tortureKillCommand(w world) *cobra.Command {
	opt := killOptions{size: torture.Size{Issue: 4, IssueRows: 300, Upload: 4, UploadRows: 200, Claims: 200}, every: 2, fresh: 10}
	cmd := &cobra.Command{
		Use:   "kill",
		Short: "SIGKILL 正在发证和锁定补贴的进程 (kill -9 during issue and claims)",
		Long: `kill 启动一个真实的工作进程（同步写盘），在随机时刻用 SIGKILL 杀死它（一半的情况下在
恢复途中再杀一次），重新打开存储核对每一条已应答的结果，续完未完成的批次，再检查全部不变量。
发现问题即停，--dir 中的存储留待查看 (stops at the first problem).
尚无一笔申领即被杀死的不计次数 (a run without a single claim is not counted).

  bajigong torture kill --runs 100 --seed 7
  bajigong torture kill --runs 20 --store postgres://…   (an empty database; what is made in it goes)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := timesFlag("runs", opt.runs); err != nil {
				return err
			}
			report, err := tortureKill(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.runs, "runs", 20, "次数 (how many times)")
	f.Uint64Var(&opt.seed, "seed", 1, "随机种子 (of the random moments)")
	f.StringVar(&opt.store, "store", "", "空的 postgres://… 数据库；默认 bbolt (an empty database; bbolt when not given)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func tortureKill(ctx context.Context, w world, opt killOptions) (killReport, error) {
	started := w.now()
	report := killReport{Store: storeKind(opt.store), Seed: opt.seed, tally: newTally()}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	rnd := rand.New(rand.NewPCG(opt.seed, 0))
	steps := newProgress(w, "杀进程 kills")
	var p *patient
	killer := killer{rnd: rnd, window: 600 * time.Millisecond}
	// After a run with problems the store is what shows why: it is left alone.
	for n := 0; report.Runs < opt.runs && len(report.Problems) == 0; n++ {
		if n%opt.fresh == 0 {
			if p != nil && opt.store != "" { // it was empty when we came
				if err := torture.Clear(ctx, opt.store); err != nil {
					return report, err
				}
			}
			if p, err = newPatient(ctx, w, filepath.Join(dir, fmt.Sprintf("store-%d", n)), opt.store, opt.seed); err != nil {
				return report, err
			}
		}
		if n%opt.every == 0 {
			if err := p.fill(ctx, opt.size); err != nil {
				return report, err
			}
		}
		said, counts, err := killer.run(ctx, p)
		if err != nil {
			return report, err
		}
		after, err := p.verify(ctx, said)
		if err != nil {
			return report, fmt.Errorf("run %d: %w", n, err)
		}
		report.add(n, after)
		if counts {
			report.Runs++
		}
		steps.show(report.Runs, opt.runs)
	}
	steps.end()
	report.Kills, report.Finished, report.Seconds = killer.kills, killer.finished, w.now().Sub(started).Seconds()
	return report, nil
}

// killer kills workers at random moments within a window that it fits to the
// speed of the machine: smaller when a worker had finished, larger when one had no
// time for a single claim. Such a run is not counted.
type killer struct {
	rnd             *rand.Rand
	window          time.Duration
	kills, finished int
}

// run lets the patient work and kills it, half of the time once more while it
// recovers; the answer is what was acknowledged, in whole lines, and whether a claim
// was among it or all was done.
func (k *killer) run(ctx context.Context, p *patient) (said []byte, counts bool, err error) {
	said, counts, err = k.kill(ctx, p, k.window)
	if err != nil || k.rnd.IntN(2) == 0 {
		return said, counts, err
	}
	more, also, err := k.kill(ctx, p, k.window/4)
	return append(said, more...), counts || also, err
}

func (k *killer) kill(ctx context.Context, p *patient, window time.Duration) (said []byte, counts bool, err error) {
	cmd, err := p.process("work")
	if err != nil {
		return nil, false, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, false, err
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, false, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, false, err
	}
	delay := time.Duration(k.rnd.Int64N(int64(window)))
	said, took, err := killAfterReady(ctx, cmd.Process, stdout, delay)
	state := cmd.Wait()
	if err != nil {
		return nil, false, fmt.Errorf("the worker: %w: %s", err, stderr.String())
	}
	said = said[:bytes.LastIndexByte(said, '\n')+1] // it died in its last line
	acks, err := torture.ParseAcks(said)
	if err != nil {
		return nil, false, err
	}
	k.kills++
	count := torture.Count(acks)
	counts = count[torture.Claimed]+count[torture.Finished] > 0
	switch {
	case count[torture.Finished] > 0:
		k.finished++
		k.window = max(took*3/4, 20*time.Millisecond)
	case cmd.ProcessState.Exited():
		return nil, false, fmt.Errorf("the worker ended by itself: %w: %s", state, stderr.String())
	case !counts && delay > k.window/2:
		k.window *= 2
	}
	return said, counts, nil
}

// killAfterReady reads what the worker says, kills it some time after its first
// line, and answers all that it said; took is how long it worked.
func killAfterReady(ctx context.Context, worker *os.Process, stdout io.Reader, delay time.Duration) (said []byte, took time.Duration, err error) {
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		return nil, 0, fmt.Errorf("it did not begin: %w", err)
	}
	began := time.Now()
	end := make(chan struct{})
	go func() {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		case <-end:
		}
		_ = worker.Kill()
	}()
	rest, err := io.ReadAll(lines)
	took = time.Since(began)
	close(end)
	return append([]byte(first), rest...), took, err
}
