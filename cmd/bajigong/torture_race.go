package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"bajigong/internal/torture"
	"bajigong/web"
)

// raceOptions say how payers race.
type raceOptions struct {
	size  torture.RaceSize
	store string
	dir   string
}

// raceReport is what `torture race` prints.
type raceReport struct {
	Store string `json:"store"`
	torture.RaceReport
	Total float64 `json:"seconds"`
}

func tortureRaceCommand(w world) *cobra.Command {
	var opt raceOptions
	cmd := &cobra.Command{
		Use:   "race",
		Short: "多地经办机构并发争锁同一批人的补贴 (payers race for the same people's claims)",
		Long: `race 让昆山、南京、广东三家经办机构的两组客户端（两个操作系统进程）按五项政策，对同一批人同时核验、
锁定、公示、延长、转待拨付、发放、先行拨付、批量发放与退票、解除、撤回、追回、更正（两人）、
文件预检、合并与撤销合并（两人），时钟走过 --days 天，证书随时暂停或撤销；结束后按日志次序
以独立模型核对每一答复、每一步骤、每一笔金额，重放全部决定，检查全部不变量。结果以 JSON 打印。
PostgreSQL：两个进程各开自己的登记系统和连接池，共用一个数据库；bbolt 文件只容一个进程：
两个客户端进程经 HTTP 访问本进程的服务 (two processes with a register each on one database;
on bbolt two client processes over HTTP of one server, since one process holds the file)。

  bajigong torture race --seed 7 --for 3m
  bajigong torture race --seed 7 --for 3m --store postgres://…   (an empty database)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s := opt.size; s.For < time.Second || s.For > 24*time.Hour || s.Clients > 1000 || s.Valid() != nil {
				return usageError{errors.New("--for is 1s to 24h, --people 10 to 10000, --clients 1 to 1000, --days 1 to 700")}
			}
			report, err := tortureRace(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&opt.size.Seed, "seed", 1, "随机种子 (of what is done)")
	f.DurationVar(&opt.size.For, "for", 2*time.Minute, "并发操作时长 (of the storm)")
	f.IntVar(&opt.size.People, "people", 2000, "人数 (people)")
	f.IntVar(&opt.size.Clients, "clients", 32, "并发数 (clients at a time)")
	f.IntVar(&opt.size.Days, "days", 420, "期间时钟走过的天数 (days that the register's clock moves)")
	f.StringVar(&opt.store, "store", "", "空的 postgres://… 数据库；默认 bbolt (an empty database; bbolt when not given)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

// raceStorms is how many processes storm.
const raceStorms = 2

func tortureRace(ctx context.Context, w world, opt raceOptions) (report raceReport, err error) {
	started := w.now()
	report.Store = storeKind(opt.store)
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	if opt.store != "" {
		if err := mustBeEmpty(ctx, opt.store); err != nil {
			return report, err
		}
	}
	r := &racing{w: w, clock: &raceTime{real: w.now, before: newSimClock(torture.RaceBegin.Add(-time.Hour), w.now)},
		data: dataFlags{dir: filepath.Join(dir, "race"), store: opt.store}}
	r.w.now, r.w.stderr = r.clock.now, io.Discard
	if err := r.begin(ctx, opt.size); err != nil {
		return report, err
	}
	lines, took, err := r.storm(ctx)
	if err == nil {
		report.RaceReport, err = r.plan.Settle(ctx, r.reg.Registry, r.clock.now, lines)
	}
	report.Storms, report.Seconds, report.Total = raceStorms, took.Seconds(), w.now().Sub(started).Seconds()
	return report, errors.Join(err, r.reg.Close())
}

// raceTime is the clock of a race in one of its processes: before the storm one that
// is moved, from then on the one that all of them share.
type raceTime struct {
	real   func() time.Time
	before *simClock
	shared atomic.Pointer[torture.RaceClock]
}

func (c *raceTime) now() time.Time {
	if shared := c.shared.Load(); shared != nil {
		return shared.At(c.real())
	}
	return c.before.now()
}

// racing is a register that is raced on.
type racing struct {
	w     world
	clock *raceTime
	data  dataFlags
	reg   *opened
	plan  *torture.RacePlan
}

// begin makes the register and its people.
func (r *racing) begin(ctx context.Context, size torture.RaceSize) error {
	if err := shortCourse(r.data.rules()); err != nil {
		return err
	}
	c := config{Origin: tortureOrigin, Region: torture.Region, OperatorZH: "职业技能证书登记系统（耐久测试）", OperatorEN: "Register of Skill Certificates (torture)"}
	if _, _, err := initData(ctx, r.w, r.data, c, "tt"); err != nil {
		return err
	}
	reg, err := r.data.open(ctx, r.w, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	r.reg = reg
	if r.plan, err = torture.NewRace(ctx, reg.Registry, r.clock.before.move, size); err == nil {
		r.plan.Clock.From = r.clock.now().UTC().Truncate(time.Second).Add(time.Second)
		err = r.plan.Save(r.data.dir)
	}
	if err != nil {
		return errors.Join(err, reg.Close())
	}
	return nil
}

// storm lets the processes storm and answers all that they said, and how long it
// took. Where one process holds the store, this one serves it to them.
func (r *racing) storm(ctx context.Context) (lines []torture.RaceLine, took time.Duration, err error) {
	url := ""
	if r.data.store == "" {
		var stop func() error
		if url, stop, err = serveRace(r.reg, r.clock.real); err != nil {
			return nil, 0, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	all := make([]*raceProcess, raceStorms)
	defer func() {
		for _, p := range all {
			p.kill()
		}
	}()
	for i := range all {
		if all[i], err = r.start(i, url); err != nil {
			return nil, 0, err
		}
	}
	stop := context.AfterFunc(ctx, func() {
		for _, p := range all {
			p.kill()
		}
	})
	defer stop()
	for _, p := range all {
		if err := p.ready(); err != nil {
			return nil, 0, err
		}
	}
	clock := r.plan.Clock
	clock.Wall = r.clock.real().UTC()
	r.clock.shared.Store(&clock)
	for _, p := range all {
		p.tell(torture.RaceLine{Start: &clock})
	}
	said := make([][]torture.RaceLine, len(all))
	var group errgroup.Group
	for i, p := range all {
		group.Go(func() error {
			return p.listen(func(l torture.RaceLine) {
				said[i] = append(said[i], l)
				if l.Ask != nil {
					all[(i+1)%len(all)].tell(l)
				}
			})
		})
	}
	err = group.Wait()
	return slices.Concat(said...), r.clock.real().Sub(clock.Wall), errors.Join(err, ctx.Err())
}

// raceProcess is one process of a race as its parent sees it.
type raceProcess struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	out    *bufio.Reader

	mu sync.Mutex
	in io.WriteCloser
}

func (r *racing) start(n int, url string) (*raceProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &raceProcess{cmd: exec.Command(self, "torture", "race-storm", "--data", r.data.dir, "--store", r.data.storePath(),
		"--storm", strconv.Itoa(n), "--server", url)}
	p.cmd.Stderr = &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<20)
	return p, p.cmd.Start()
}

func (p *raceProcess) kill() {
	if p != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
	}
}

// tell writes a line to the process; one that has ended needs none.
func (p *raceProcess) tell(l torture.RaceLine) {
	b, err := json.Marshal(l)
	if err != nil {
		return // it was read from JSON
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.in.Write(append(b, '\n'))
}

func (p *raceProcess) line() (l torture.RaceLine, err error) {
	text, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	return l, err
}

func (p *raceProcess) ready() error {
	if l, err := p.line(); err != nil || !l.Ready {
		p.kill()
		return fmt.Errorf("a storm did not begin: %w: %s", errors.Join(err, p.cmd.Wait()), p.stderr.String())
	}
	return nil
}

// listen reads what the process says until it ends, which it does with a last line.
func (p *raceProcess) listen(heard func(torture.RaceLine)) error {
	ended := false
	for {
		l, err := p.line()
		if err != nil {
			p.in.Close()
			if left := p.cmd.Wait(); left != nil || !ended || !errors.Is(err, io.EOF) {
				return fmt.Errorf("a storm broke off: %w: %s", errors.Join(err, left), p.stderr.String())
			}
			return nil
		}
		ended = ended || l.End
		heard(l)
	}
}

// serveRace serves a register on this machine alone.
func serveRace(reg *opened, real func() time.Time) (url string, stop func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	pages := webConfig(reg.config, real, log)
	pages.Limits.Batch = -1
	server, err := web.New(reg.Registry, pages)
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	return "http://" + ln.Addr().String(), func() error {
		grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		return errors.Join(server.Shutdown(grace), <-served)
	}, nil
}

// tortureRaceStormCommand is one of the processes of a race. It says on standard
// output, a line each, what RaceLine has, and reads the same of the others.
func tortureRaceStormCommand(w world) *cobra.Command {
	var data dataFlags
	var server string
	var n int
	cmd := &cobra.Command{
		Use:    "race-storm",
		Short:  "a process of torture",
		Hidden: true,
		Args:   exactly(0),
		RunE:   func(cmd *cobra.Command, _ []string) error { return stormAlone(cmd.Context(), w, data, server, n) },
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().StringVar(&server, "server", "", "address of the register; opened here when empty")
	cmd.Flags().IntVar(&n, "storm", 0, "which of the storms")
	return cmd
}

// stormAlone is the storm of one process; without the address of a server it has a
// register of its own.
func stormAlone(ctx context.Context, w world, data dataFlags, url string, n int) (err error) {
	plan, err := torture.LoadRace(data.dir)
	if err != nil {
		return err
	}
	clock := &raceTime{real: w.now, before: newSimClock(plan.Clock.From, func() time.Time { return plan.Clock.From })}
	w.now = clock.now
	if url == "" {
		reg, err := data.open(ctx, w, newLog(w.stderr))
		if err != nil {
			return err
		}
		defer reg.Close()
		var stop func() error
		if url, stop, err = serveRace(reg, clock.real); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var mu sync.Mutex
	out := json.NewEncoder(w.stdout)
	say := func(l torture.RaceLine) {
		mu.Lock()
		defer mu.Unlock()
		if out.Encode(l) != nil {
			end() // nobody listens
		}
	}
	say(torture.RaceLine{Ready: true})
	in := json.NewDecoder(bufio.NewReaderSize(w.stdin, 1<<20))
	var first torture.RaceLine
	if err := in.Decode(&first); err != nil || first.Start == nil {
		return fmt.Errorf("no beginning of the race: %w", err)
	}
	clock.shared.Store(first.Start)
	storm := plan.Storm(url, n, raceStorms, clock.now, say)
	go func() {
		for {
			var l torture.RaceLine
			if in.Decode(&l) != nil { // whoever tortures has gone when this ends
				end()
				return
			}
			storm.Hear(l)
		}
	}()
	return storm.Run(ctx, first.Start.Wall.Add(first.Start.For))
}
