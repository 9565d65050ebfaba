package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/torture"
)

// faultOptions say how the disk fails.
type faultOptions struct {
	runs int
	seed uint64
	dir  string
	size torture.Size
}

// diskFault is one way in which the disk of a store fails: a system call on the
// file of the store answers with an error, once or from then on (by thread, as
// strace counts).
type diskFault struct {
	call, errno string
	lasting     bool
	window      int // calls of a thread, within which it happens
}

func (f diskFault) String() string {
	text := f.call + " " + f.errno
	if f.lasting {
		text += " lasting"
	}
	return text
}

// diskFaults are tried in turn. What bbolt does to its file are pwrite64 for
// pages, fdatasync for a commit, ftruncate and fsync when the file grows.
func diskFaults() []*diskFault {
	return []*diskFault{
		{call: "pwrite64", errno: "EIO", window: 200}, {call: "fdatasync", errno: "EIO", window: 24},
		{call: "pwrite64", errno: "ENOSPC", window: 200}, {call: "fdatasync", errno: "EIO", lasting: true, window: 24},
		{call: "pwrite64", errno: "ENOSPC", lasting: true, window: 200}, {call: "fdatasync", errno: "ENOSPC", window: 24},
		{call: "pwrite64", errno: "EIO", lasting: true, window: 200}, {call: "fsync", errno: "EIO", window: 1},
		{call: "pwrite64", errno: "EROFS", lasting: true, window: 200}, {call: "ftruncate", errno: "ENOSPC", window: 1}, {call: "ftruncate", errno: "EIO", window: 1},
	}
}

// faultReport is what `torture faults` prints.
type faultReport struct {
	Runs int    `json:"runs"`
	Seed uint64 `json:"seed"`
	// Met is how often a fault of a kind hit, Ended what state the server was in
	// when it had, and Refused what those who asked were told.
	Met     map[string]int `json:"met"`
	Ended   map[string]int `json:"ended"`
	Refused map[string]int `json:"refused"`
	// Verdicts is how often a server that was read-only still gave a verdict.
	Verdicts int `json:"verdicts_while_read_only"`
	// Full says how the run on a disk that was really full went, or why there was
	// none.
	Full string `json:"full_disk"`
	tally
	Seconds float64 `json:"seconds"`
}

func tortureFaultsCommand(w world) *cobra.Command {
	opt := faultOptions{size: torture.Size{Issue: 3, IssueRows: 200, Upload: 3, UploadRows: 150, Claims: 150}}
	cmd := &cobra.Command{
		Use:   "faults",
		Short: "磁盘读写错误与磁盘满 (the disk fails, or is full)",
		Long: `faults 启动真实的 serve 进程，在 HTTP 混合负载下用 strace 让存储文件的写入、同步或扩展
返回 EIO 或 ENOSPC（需要 Linux 和 strace），有 root 权限时再用一个真正写满的小磁盘。此后服务要么
继续，要么明确只读：写入得到 503 和处理办法，/healthz 和日志如实说明，能给的查验照给。然后在没有
故障的情况下重新打开，核对每一条已应答的结果、续完批次、检查全部不变量，无需人工处理。

  bajigong torture faults --runs 40 --seed 7`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := timesFlag("runs", opt.runs); err != nil {
				return err
			}
			report, err := tortureFaults(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.runs, "runs", 20, "次数 (how many times)")
	f.Uint64Var(&opt.seed, "seed", 1, "随机种子 (of the moments)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func tortureFaults(ctx context.Context, w world, opt faultOptions) (faultReport, error) {
	started := w.now()
	report := faultReport{Seed: opt.seed, tally: newTally(), Met: map[string]int{}, Ended: map[string]int{}, Refused: map[string]int{}}
	if _, err := exec.LookPath("strace"); err != nil {
		return report, fail.New(fail.Unavailable, "strace_missing", "making a disk fail needs strace (Debian: apt install strace)").
			In("模拟磁盘故障需要 strace（Debian：apt install strace）").Because(err)
	}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	sick := faulty{rnd: rand.New(rand.NewPCG(opt.seed, 0)), report: &report}
	if sick.whole, sick.site, err = newWorksite(ctx, w, filepath.Join(dir, "whole"), opt.seed, opt.size); err != nil {
		return report, err
	}
	if err := fillUp(ctx, sick.whole); err != nil {
		return report, err
	}
	if sick.handle, err = sick.aHandle(ctx); err != nil {
		return report, err
	}
	steps := newProgress(w, "磁盘故障 faults")
	kinds := diskFaults()
	for ; report.Runs < opt.runs && len(report.Problems) == 0; report.Runs++ {
		where := filepath.Join(dir, fmt.Sprintf("run-%d", report.Runs))
		if err := sick.run(ctx, where, kinds[report.Runs%len(kinds)]); err != nil {
			return report, fmt.Errorf("run %d: %w", report.Runs, err)
		}
		if len(report.Problems) == 0 {
			if err := os.RemoveAll(where); err != nil {
				return report, err
			}
		}
		steps.show(report.Runs+1, opt.runs)
	}
	steps.end()
	if len(report.Problems) == 0 {
		if err := sick.fullDisk(ctx, filepath.Join(dir, "full")); err != nil {
			return report, err
		}
	}
	report.Seconds = w.now().Sub(started).Seconds()
	return report, nil
}

// fillUp pads a store until its file is almost full, so that it has to grow when it
// is worked on: bbolt makes a file longer by many pages at once. How much padding
// goes between two such steps is counted between the first two.
func fillUp(ctx context.Context, p *patient) error {
	engine, err := openStore(ctx, p.data.storePath(), true)
	if err != nil {
		return err
	}
	n := 0
	pad := func() error {
		n++
		return engine.Apply(ctx, func(kv.Reader) ([]kv.Write, error) {
			page := make([]kv.Write, 64) // small values, so that pages that are free are taken too
			for i := range page {
				page[i] = kv.Write{Table: "torture", Key: fmt.Appendf(nil, "%06d-%03d", n, i), Value: make([]byte, 3<<10)}
			}
			return page, nil
		})
	}
	between := 0
	for range 2 {
		between = 0
		for before := p.storeSize(); p.storeSize() == before && err == nil; between++ {
			err = pad()
		}
	}
	for range between - 2 {
		if err == nil {
			err = pad()
		}
	}
	return errors.Join(err, engine.Close())
}

// faulty makes copies of a register and lets their disks fail.
type faulty struct {
	rnd    *rand.Rand
	whole  *patient
	site   torture.Site
	handle string // of a certificate that is public
	probes int    // writes that asked for the state
	report *faultReport
}

func (f *faulty) problem(format string, args ...any) {
	f.report.Problems = append(f.report.Problems, fmt.Sprintf("run %d: ", f.report.Runs)+fmt.Sprintf(format, args...))
}

func (f *faulty) aHandle(ctx context.Context) (handle string, err error) {
	err = f.whole.with(ctx, func(reg *opened) error {
		got, err := f.whole.scene.Certificates(ctx, reg.Registry, 1)
		if err == nil && len(got) == 0 {
			err = errors.New("no certificate is public")
		}
		if err == nil {
			handle = string(got[0].Handle)
		}
		return err
	})
	return handle, err
}

// run lets one copy work until its disk fails, looks at the state it is in, and
// opens it again without the fault.
func (f *faulty) run(ctx context.Context, dir string, kind *diskFault) error {
	p, err := copyPatient(f.whole, dir)
	if err != nil {
		return err
	}
	when := fmt.Sprint(1 + f.rnd.IntN(kind.window))
	if kind.lasting {
		when += "+"
	}
	acks, hit, err := f.underFault(ctx, p, kind, when)
	if err != nil {
		return err
	}
	if hit {
		f.report.Met[kind.String()]++
	} else {
		kind.window = max(1, kind.window*2/3) // it came too late: the work was done
	}
	after, err := p.verify(ctx, acks)
	if err != nil {
		return err
	}
	f.report.add(f.report.Runs, after)
	return nil
}

// underFault is the life of a server whose disk fails; hit says that it did.
func (f *faulty) underFault(ctx context.Context, p *patient, kind *diskFault, when string) (acks []byte, hit bool, err error) {
	log := newServerLog()
	cmd, err := p.serveProcess(log)
	if err != nil {
		return nil, false, err
	}
	own := cmd.Args
	cmd.Args = append([]string{"strace", "-f", "-qq", "-o", os.DevNull, "-P", p.data.storePath(), "-e", "trace=" + kind.call, "-e", "signal=none",
		"-e", fmt.Sprintf("inject=%s:error=%s:when=%s", kind.call, kind.errno, when), "--"}, own...)
	if cmd.Path, err = exec.LookPath("strace"); err != nil {
		return nil, false, err
	}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, false, err
	}
	server := &server{cmd: cmd, log: log, ended: make(chan struct{})}
	go server.wait()
	defer server.kill()
	site := f.site
	if site.URL, err = log.address(ctx, server.ended); errors.Is(err, errNoServer) {
		f.report.Ended["did not start"]++ // it said why, and a restart is all it needs
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	var said bytes.Buffer
	work := p.scene.WorkHTTP(ctx, site, &said)
	for code, n := range work.Refused {
		f.report.Refused[code] += n
	}
	for _, wrong := range work.Wrong {
		f.problem("%s when %s: an answer that is neither yes nor 503: %s", kind, when, wrong)
	}
	hit = f.state(ctx, site, log, work) || len(work.Refused) > 0
	if server.over() {
		f.problem("%s when %s: the server ended by itself: %.800s", kind, when, log)
		return said.Bytes(), true, nil
	}
	if work.Broken > 0 {
		f.problem("%s when %s: %d requests without an answer", kind, when, work.Broken)
	}
	if err := server.stop(ctx); err != nil {
		f.problem("%s when %s: %v", kind, when, err)
	}
	return said.Bytes(), hit, nil
}

// state asks the server how it is and holds what it says against what it does: it
// takes writes, or it says that it does not, why, and what to do. It reports
// whether the server is in trouble.
func (f *faulty) state(ctx context.Context, site torture.Site, log *serverLog, work torture.WorkReport) bool {
	written := f.write(ctx, site, fmt.Sprint(f.report.Runs))
	health, _ := site.Ask(ctx, "GET", "/healthz", "", "", nil)
	ready, _ := site.Ask(ctx, "GET", "/readyz", "", "", nil)
	verdict, _ := site.Ask(ctx, "GET", "/c/"+f.handle, "", "", nil)
	switch {
	case written.Status == 201:
		f.report.Ended["goes on"]++
		if health.Status != 200 || ready.Status != 200 || verdict.Status != 200 {
			f.problem("it takes writes, and /healthz says %d, /readyz %d, a verdict %d", health.Status, ready.Status, verdict.Status)
		}
		return false
	case written.Status == 503 && written.Code == "store_read_only":
		f.report.Ended["read-only"]++
		if health.Status != 503 || health.Code != "store_read_only" {
			f.problem("it is read-only, and /healthz says %d %s", health.Status, health.Code)
		}
		if !strings.Contains(written.Text, "restart") || written.RetryAfter == "" {
			f.problem("a refused write does not say what to do: %s", written.Text)
		}
		f.mustLog(log, "THE STORE IS READ-ONLY")
		f.verdictOf(verdict)
	case written.Status == 503 && written.Code == "store_full":
		f.report.Ended["full"]++
		if health.Status != 200 || !bytes.HasPrefix(ready.Body, []byte("store_full")) || verdict.Status != 200 {
			f.problem("its disk is full, and /healthz says %d, /readyz %q, a verdict %d", health.Status, ready.Body, verdict.Status)
		}
		if !strings.Contains(written.Text, "free room") {
			f.problem("a refused write does not say what to do: %s", written.Text)
		}
		f.mustLog(log, "THE STORE TAKES NO WRITES")
	default:
		f.problem("a write was answered %d %s: neither yes nor a clear no (before: %v)", written.Status, written.Code, work.Last)
	}
	return true
}

// verdictOf: a verdict may be given when what it rests on is durable, and is
// refused with the same words when that is not known: right after a failed sync
// of the page that says what counts.
func (f *faulty) verdictOf(a torture.Answer) {
	switch {
	case a.Status == 200:
		f.report.Verdicts++
	case a.Status != 503:
		f.problem("a verdict of a read-only server was answered %d %s", a.Status, a.Code)
	}
}

func (f *faulty) mustLog(log *serverLog, words string) {
	for range 30 {
		if strings.Contains(log.String(), words) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.problem("the log does not say %q", words)
}

// write admits an institution: the plainest of writes.
func (f *faulty) write(ctx context.Context, site torture.Site, nth string) torture.Answer {
	f.probes++
	body := fmt.Sprintf(`{"name":"磁盘故障测试%s","uscc":"%s","region":"320583"}`, nth, invented.USCC(10_000+f.probes))
	a, err := site.Ask(ctx, "POST", "/api/v1/institutions", site.Authority, "application/json", []byte(body))
	var no torture.Refused
	if err != nil && !errors.As(err, &no) {
		return torture.Answer{Code: err.Error()}
	}
	return a
}

// server is a process that serves.
type server struct {
	cmd    *exec.Cmd
	log    *serverLog
	ended  chan struct{}
	result error
}

func (s *server) wait() {
	s.result = s.cmd.Wait()
	close(s.ended)
}

func (s *server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// stop asks the server to end, as an operator does.
func (s *server) stop(ctx context.Context) error {
	if err := terminate(s.cmd); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopGrace):
		return fmt.Errorf("it did not end within %s of SIGTERM", stopGrace)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) kill() {
	if !s.over() {
		killGroup(s.cmd)
		<-s.ended
	}
}
