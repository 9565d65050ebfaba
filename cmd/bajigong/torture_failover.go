package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
	"bajigong/internal/torture"
)

// failoverOptions say how a primary dies.
type failoverOptions struct {
	runs   int
	seed   uint64
	window time.Duration // within which it dies, after the work of a run began
	strict bool
	dir    string
	size   torture.Size
	// fsync is off in tests only: no power is cut here.
	fsync bool
}

// failoverReport is what `torture failover` prints. Seconds of a run are counted
// from the moment at which the primary was dead.
type failoverReport struct {
	Runs   int           `json:"runs"`
	Seed   uint64        `json:"seed"`
	Strict bool          `json:"strict"`
	Fsync  bool          `json:"fsync"`
	Each   []failoverRun `json:"failovers"`
	GapMax float64       `json:"gap_max_seconds"`
	GapMid float64       `json:"gap_median_seconds"`
	stormTally
	Seconds float64 `json:"seconds"`
}

// failoverRun is one failover.
type failoverRun struct {
	After     float64   `json:"killed_after_seconds"`       // the work of the run began
	Promoted  float64   `json:"promoted_seconds"`           // the standby could be written to
	Gap       []float64 `json:"gap_seconds"`                // by process: the longest time without an answer
	Protected float64   `json:"synchronous_again_seconds"`  // a new standby had everything
	Port      int       `json:"port_of_the_primary_killed"` // which of the two addresses in the DSN
}

func tortureFailoverCommand(w world) *cobra.Command {
	opt := failoverOptions{size: torture.Size{IssueRows: 200, UploadRows: 150, Claims: 400}, fsync: true}
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "主库在负载下死去、同步备库接任 (kill the primary, promote its synchronous standby)",
		Long: `failover 在本机启动一个 PostgreSQL 主库和一个同步备库，两个登记进程在混合负载（锁定、发放、
解除、发证、上传、撤销、签发检查点）下以多主机连接串工作；在随机时刻 SIGKILL 主库的全部进程，
提升备库，登记进程自行重连，再建新的备库，如此 --runs 次。最后核对：已应答的一件不少，
没有一张证书被重复发放，全部不变量成立；每次报告两个进程各自中断服务的秒数。
它自己启动数据库，不触碰别的数据库 (needs PostgreSQL's own programs; it touches no other database)。

  bajigong torture failover --runs 10 --seed 7
  bajigong torture failover --runs 10 --seed 7 --strict   新备库就绪前不应答写入 (no write is answered
                                                          until the new standby is there)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opt.valid(); err != nil {
				return err
			}
			report, err := tortureFailover(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.runs, "runs", 10, "次数 (how many times)")
	f.Uint64Var(&opt.seed, "seed", 1, "随机种子 (of the random moments)")
	f.DurationVar(&opt.window, "for", 2*time.Second, "每次在此时长内的随机时刻杀死 (it dies at a random moment within this time)")
	f.BoolVar(&opt.strict, "strict", false, "提升后在新备库同步前不应答写入 (wait for the new standby)")
	f.StringVar(&opt.dir, "dir", "", "保留数据目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func (opt failoverOptions) valid() error {
	if err := timesFlag("runs", opt.runs); err != nil {
		return err
	}
	if opt.window < 10*time.Millisecond || opt.window > time.Hour {
		return usageError{fmt.Errorf("--for is 10ms to 1h")}
	}
	return nil
}

func tortureFailover(ctx context.Context, w world, opt failoverOptions) (report failoverReport, err error) {
	started := time.Now()
	report = failoverReport{Seed: opt.seed, Strict: opt.strict, Fsync: opt.fsync, Each: []failoverRun{}}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	pair, err := newPair(opt)
	if err != nil {
		return report, err
	}
	defer pair.remove()
	s, err := newStorm(ctx, w, dir, stormOptions{seed: opt.seed, runs: opt.runs, size: opt.size, stores: []string{pair.store(), pair.store()}})
	if err != nil {
		return report, err
	}
	defer s.kill()
	rnd := rand.New(rand.NewPCG(opt.seed, 2))
	steps := newProgress(w, "主备切换 failovers")
	for ; report.Runs < opt.runs; report.Runs++ {
		run, err := pair.failover(ctx, s, time.Duration(rnd.Int64N(int64(opt.window))))
		if err != nil {
			return report, fmt.Errorf("failover %d: %w", report.Runs, err)
		}
		report.Each = append(report.Each, run)
		steps.show(report.Runs+1, opt.runs)
	}
	steps.end()
	report.stormTally, err = s.finish(ctx)
	report.GapMax, report.GapMid = spread(report.Each, func(r failoverRun) float64 { return slices.Max(r.Gap) })
	report.Seconds = time.Since(started).Seconds()
	return report, err
}

// spread is the highest and the middle value.
func spread[T any](list []T, of func(T) float64) (highest, middle float64) {
	var values []float64
	for _, x := range list {
		values = append(values, of(x))
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0, 0
	}
	return values[len(values)-1], values[len(values)/2]
}

// pair is a primary and its standby; they change places.
type pair struct {
	opt              failoverOptions
	ports            [2]int
	primary, standby *pgserver.Server
	at               int // which of the ports is the primary's
}

const tortureDatabase = "bajigong"

func newPair(opt failoverOptions) (_ *pair, err error) {
	p := &pair{opt: opt}
	for i := range p.ports {
		if p.ports[i], err = pgserver.FreePort(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			p.remove()
		}
	}()
	if p.primary, err = pgserver.Start(p.settings(0)...); err != nil {
		return nil, err
	}
	if _, err = p.primary.Query("create database " + tortureDatabase); err != nil {
		return nil, err
	}
	return p, p.protect()
}

func (p *pair) settings(i int) []string {
	return append(pgserver.Address(p.ports[i]), durably(p.opt.fsync)...)
}

func durably(fsync bool) []string {
	if fsync {
		return pgserver.Durable
	}
	return nil
}

// store names both servers: which of them writes is for the register to find out.
func (p *pair) store() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable&target_session_attrs=read-write", p.ports[0], p.ports[1], tortureDatabase)
}

// protect makes a standby at the other address, and lets commits wait for it.
func (p *pair) protect() (err error) {
	if p.standby, err = p.primary.Standby(p.settings(1 - p.at)...); err != nil {
		return err
	}
	return p.primary.Synchronous(true)
}

func (p *pair) remove() {
	for _, s := range []*pgserver.Server{p.primary, p.standby} {
		if s != nil {
			s.Remove()
		}
	}
}

// failover lets the processes work, kills the primary after a while, promotes the
// standby, waits until both processes work again, and makes a new standby.
func (p *pair) failover(ctx context.Context, s *storm, after time.Duration) (run failoverRun, err error) {
	began, err := s.flowing(ctx, time.Now())
	if err != nil {
		return run, err
	}
	s.order()
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return run, ctx.Err()
	}
	run.Port = p.ports[p.at]
	p.primary.Crash()
	died := time.Now()
	run.After = died.Sub(began).Seconds()
	if err := p.standby.Promote(); err != nil {
		return run, err
	}
	if !p.opt.strict {
		// The copy that the dead one had is the only one there is; to answer
		// nothing until there are two again is what --strict says.
		if err := p.standby.Synchronous(false); err != nil {
			return run, err
		}
	}
	promoted := time.Now()
	run.Promoted = promoted.Sub(died).Seconds()
	p.primary.Remove()
	p.primary, p.standby, p.at = p.standby, nil, 1-p.at
	flowing := make(chan error, 1)
	go func() {
		_, err := s.flowing(ctx, promoted)
		flowing <- err
	}()
	if err := p.protect(); err != nil {
		return run, err
	}
	run.Protected = time.Since(died).Seconds()
	if err := <-flowing; err != nil {
		return run, err
	}
	run.Gap = s.gaps(died, promoted)
	return run, nil
}

// stormDir is the data directory of one of the processes, as if on a machine of
// its own: it shares nothing with the others but the database.
func stormDir(dir string, who int) string { return filepath.Join(dir, "process-"+strconv.Itoa(who)) }
