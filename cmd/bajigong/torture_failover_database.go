package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
	"bajigong/internal/torture"
)

// databaseBlow is what happens to a register on PostgreSQL.
type databaseBlow string

// The blows, in turns.
const (
	blowCommit    databaseBlow = "connection_cut_in_commit" // before COMMIT is passed on, right after it, and before its answer
	blowBackend   databaseBlow = "backend_killed"           // SIGKILL: the server throws everybody out and recovers
	blowRegister  databaseBlow = "register_killed"          // SIGKILL of one of the two processes, and a new one
	blowByte      databaseBlow = "connection_cut_at_a_byte" // any byte of any connection
	blowServer    databaseBlow = "server_killed"            // SIGKILL of every process of the server, and a start
	mostBytes                  = 200_000                    // until blowByte cuts
	databaseTitle              = " " + tortureDatabase + " "
)

var databaseBlows = []databaseBlow{blowCommit, blowBackend, blowRegister, blowByte, blowServer}

// databaseReport is what `torture database` prints.
type databaseReport struct {
	Runs  int                     `json:"runs"`
	Seed  uint64                  `json:"seed"`
	Fsync bool                    `json:"fsync"`
	Blows map[databaseBlow]int    `json:"blows"`
	Gap   map[databaseBlow]gapMax `json:"gap_seconds"`
	stormTally
	Seconds float64 `json:"seconds"`
}

// gapMax is how long the processes were without an answer, in seconds.
type gapMax struct {
	Highest float64 `json:"highest"`
	Middle  float64 `json:"median"`
}

func tortureDatabaseCommand(w world) *cobra.Command {
	opt := failoverOptions{size: torture.Size{IssueRows: 100, UploadRows: 60, Claims: 400}, fsync: true}
	cmd := &cobra.Command{
		Use:   "database",
		Short: "数据库进程、连接与登记进程轮流死去 (kill database, register and connections in turn)",
		Long: `database 在本机启动一个 PostgreSQL，两个登记进程经代理在混合负载下工作；依次在 COMMIT 中切断
连接、SIGKILL 一个数据库后端、SIGKILL 一个登记进程、在任意字节处切断连接、SIGKILL 整个数据库，
共 --runs 次，最后核对已应答的一切和全部不变量。它自己启动数据库，不触碰别的数据库
(needs PostgreSQL's own programs; it touches no other database)。

  bajigong torture database --runs 50 --seed 7`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opt.valid(); err != nil {
				return err
			}
			report, err := tortureOnDatabase(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.runs, "runs", 50, "次数 (how many times)")
	f.Uint64Var(&opt.seed, "seed", 1, "随机种子 (of the random moments)")
	f.DurationVar(&opt.window, "for", time.Second, "每次在此时长内的随机时刻发生 (it happens at a random moment within this time)")
	f.StringVar(&opt.dir, "dir", "", "保留数据目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func tortureOnDatabase(ctx context.Context, w world, opt failoverOptions) (report databaseReport, err error) {
	started := time.Now()
	report = databaseReport{Seed: opt.seed, Fsync: opt.fsync, Blows: map[databaseBlow]int{}, Gap: map[databaseBlow]gapMax{}}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	d, err := newStruckDatabase(opt)
	if err != nil {
		return report, err
	}
	defer d.remove()
	s, err := newStorm(ctx, w, dir, stormOptions{seed: opt.seed, runs: opt.runs, size: opt.size, stores: d.stores()})
	if err != nil {
		return report, err
	}
	defer s.kill()
	gaps := map[databaseBlow][]float64{}
	steps := newProgress(w, "打击 blows")
	for ; report.Runs < opt.runs; report.Runs++ {
		blow := databaseBlows[report.Runs%len(databaseBlows)]
		gap, err := d.strike(ctx, s, blow)
		if err != nil {
			return report, fmt.Errorf("run %d, %s: %w", report.Runs, blow, err)
		}
		report.Blows[blow]++
		gaps[blow] = append(gaps[blow], gap)
		steps.show(report.Runs+1, opt.runs)
	}
	steps.end()
	for blow, list := range gaps {
		highest, middle := spread(list, func(x float64) float64 { return x })
		report.Gap[blow] = gapMax{highest, middle}
	}
	report.stormTally, err = s.finish(ctx)
	report.Seconds = time.Since(started).Seconds()
	return report, err
}

// struckDatabase is a server and, for each process, a proxy in front of it.
type struckDatabase struct {
	opt     failoverOptions
	rnd     *rand.Rand
	server  *pgserver.Server
	proxies []*pgserver.Proxy
}

func newStruckDatabase(opt failoverOptions) (*struckDatabase, error) {
	d := &struckDatabase{opt: opt, rnd: rand.New(rand.NewPCG(opt.seed, 3))}
	var err error
	if d.server, err = pgserver.Start(durably(opt.fsync)...); err != nil {
		return nil, err
	}
	_, err = d.server.Query("create database " + tortureDatabase)
	for range 2 {
		var p *pgserver.Proxy
		if err == nil {
			if p, err = pgserver.NewProxy(d.server.Admin()); err == nil {
				d.proxies = append(d.proxies, p)
			}
		}
	}
	if err != nil {
		d.remove()
	}
	return d, err
}

func (d *struckDatabase) remove() {
	for _, p := range d.proxies {
		p.Close()
	}
	d.server.Remove()
}

func (d *struckDatabase) stores() (out []string) {
	for _, p := range d.proxies {
		out = append(out, fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", p.Addr(), tortureDatabase))
	}
	return out
}

// strike does one thing to the register while it works and waits until both
// processes work again; the answer is the longest time that one of them did not.
func (d *struckDatabase) strike(ctx context.Context, s *storm, blow databaseBlow) (float64, error) {
	if _, err := s.flowing(ctx, time.Now()); err != nil {
		return 0, err
	}
	s.order()
	select {
	case <-time.After(time.Duration(d.rnd.Int64N(int64(d.opt.window)))):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	began := time.Now()
	if err := d.hit(s, blow); err != nil {
		return 0, err
	}
	again := time.Now()
	if _, err := s.flowing(ctx, again); err != nil {
		return 0, err
	}
	gaps := s.gaps(began, again)
	return max(gaps[0], gaps[1]), nil
}

// hit returns when it has happened and what was killed was started again.
func (d *struckDatabase) hit(s *storm, blow databaseBlow) error {
	who := d.rnd.IntN(len(d.proxies))
	switch p := d.proxies[who]; blow {
	case blowCommit:
		// Each of them, since only one loses the commit and only one keeps it for sure.
		faults := []pgserver.Fault{pgserver.CutAfter, pgserver.CutAnswered, pgserver.CutBefore}
		for _, i := range d.rnd.Perm(len(faults)) {
			cut := make(chan struct{}, 1)
			p.OnCommit(func() pgserver.Fault {
				p.OnCommit(nil) // once
				cut <- struct{}{}
				return faults[i]
			})
			if err := happens(cut); err != nil {
				return err
			}
		}
		return nil
	case blowByte:
		return happens(p.CutAtByte(1 + d.rnd.IntN(mostBytes)))
	case blowBackend:
		if !d.server.KillBackend(databaseTitle) {
			return fmt.Errorf("no process of the database was found to be killed")
		}
		return d.server.Answers()
	case blowRegister:
		return s.restart(who)
	case blowServer:
		d.server.Crash()
		return d.server.Restart()
	}
	return fmt.Errorf("there is no %s", blow)
}

func happens[T any](done <-chan T) error {
	select {
	case <-done:
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("no connection was cut in 30 s")
	}
}
