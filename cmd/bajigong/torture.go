package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/torture"
)

// tortureOrigin is the address in the QR codes of tortured and measured
// registers; it is as long as a real one.
const tortureOrigin = "https://zs.jnrd.example.gov.cn"

func tortureCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "torture",
		Short: "在真实存储上反复断电、杀进程并核对 (kill it, cut its power, and check)",
		Long: `torture 让登记系统在发证、上传成绩、锁定与发放补贴、撤销的中途死去，再打开存储核对：
已应答的一件不少，批次要么完整要么不公开，全部不变量成立。结果以 JSON 打印。
It makes a register of its own and never touches another one.

  bajigong torture kill --runs 100 --seed 7       进程被 SIGKILL（bbolt 或 --store postgres://…）
  bajigong torture powercut --cuts 200 --seed 7   断电：由 strace 记录写盘与 fdatasync 后重建存储文件
  bajigong torture failover --runs 10 --seed 7    主库死去、同步备库接任（自行启动 PostgreSQL）
  bajigong torture database --runs 50 --seed 7    数据库后端、数据库、登记进程、连接轮流死去
  bajigong torture faults --runs 40 --seed 7      磁盘读写错误与磁盘满：serve 只读或继续，重启后核对
  bajigong torture soak --for 10m --seed 7        混合负载与慢客户端：内存、文件描述符、存储大小随时间
  bajigong torture race --seed 7 --for 2m         三家经办机构争锁同一批人的补贴，按独立模型核对`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tortureKillCommand(w), torturePowercutCommand(w), tortureRaceCommand(w), tortureRaceStormCommand(w), tortureWorkCommand(w), tortureVerifyCommand(w),
		tortureFailoverCommand(w), tortureDatabaseCommand(w), tortureStormCommand(w), tortureFaultsCommand(w), tortureSoakCommand(w))
	return cmd
}

// tortureWorkCommand is the process that is killed. Its lines on standard output
// are the acknowledgements.
func tortureWorkCommand(w world) *cobra.Command {
	return tortureProcess(w, "work", func(ctx context.Context, scene *torture.Scene, reg *opened) error {
		ctx, end := context.WithCancel(ctx)
		defer end()
		go func() { // whoever tortures has gone when this ends
			_, _ = io.Copy(io.Discard, w.stdin)
			end()
		}()
		return scene.Work(ctx, reg.Registry, w.stdout)
	})
}

// tortureVerifyCommand is the process that opens what is left. It reads the
// acknowledgements and prints a report. It is a process of its own since a store
// that is damaged may end whoever opens it.
func tortureVerifyCommand(w world) *cobra.Command {
	return tortureProcess(w, "verify", func(ctx context.Context, scene *torture.Scene, reg *opened) error {
		said, err := io.ReadAll(w.stdin)
		if err != nil {
			return err
		}
		acks, err := torture.ParseAcks(said)
		if err != nil {
			return err
		}
		report, err := scene.Verify(ctx, reg.Registry, acks)
		if err != nil {
			return err
		}
		return json.NewEncoder(w.stdout).Encode(report)
	})
}

// tortureProcess is a hidden command on the register of a scene, opened as every
// command opens it, with the clock where work begins: the store's own time must
// carry it on.
func tortureProcess(w world, name string, do func(context.Context, *torture.Scene, *opened) error) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:    name,
		Short:  "a process of torture",
		Hidden: true,
		Args:   exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			scene, err := torture.LoadScene(data.dir)
			if err != nil {
				return err
			}
			w := w
			w.now = newSimClock(scene.Clock, w.now).now
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			return errors.Join(do(cmd.Context(), scene, reg), reg.Close())
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}

// patient is a register that is tortured, in a directory of its own.
type patient struct {
	w     world
	clock *simClock
	data  dataFlags
	scene *torture.Scene
}

// newPatient makes a register in an empty directory and, when store names a
// PostgreSQL database, in that, which must be empty too.
func newPatient(ctx context.Context, w world, dir, store string, seed uint64) (*patient, error) {
	clock := newSimClock(torture.Begin, w.now)
	w.now, w.stderr = clock.now, io.Discard
	p := &patient{w: w, clock: clock, data: dataFlags{dir: dir, store: store}}
	if store != "" {
		if err := mustBeEmpty(ctx, store); err != nil {
			return nil, err
		}
	}
	if err := shortCourse(p.data.rules()); err != nil {
		return nil, err
	}
	c := config{Origin: tortureOrigin, Region: torture.Region, OperatorZH: "职业技能证书登记系统（耐久测试）", OperatorEN: "Register of Skill Certificates (torture)"}
	if _, _, err := initData(ctx, w, p.data, c, "tt"); err != nil {
		return nil, err
	}
	err := p.with(ctx, func(reg *opened) (err error) {
		p.scene, err = torture.NewScene(ctx, reg.Registry, clock.move, seed)
		return err
	})
	return p, err
}

// shortCourseFile leaves out of a session what needs people around it: what is
// tortured and measured is the store and the issue.
const shortCourseFile = `id: course-sample
region: "000000"
from: 2000-01-01
name: {zh: 耐久测试流程, en: Course for torture}
sample: for tests of the store only
roster: false
arrangement: false
supervision: false
second_person: false
approval: false
publicity_days: 5
retakes: 0
retain_months: 0
steps: []
modes: []
groups: []
`

// shortCourse puts rules for a short course of sessions into a data directory.
func shortCourse(folder string) error {
	folder = filepath.Join(folder, "course")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "short.yaml"), []byte(shortCourseFile), 0o600)
}

// mustBeEmpty refuses a store in which somebody has a register.
func mustBeEmpty(ctx context.Context, store string) error {
	engine, err := openStore(ctx, store, false)
	if err != nil {
		return err
	}
	var found []kv.Entry
	err = engine.View(ctx, func(r kv.Reader) error {
		found, err = r.Scan("log_head", kv.Range{Limit: 1})
		return err
	})
	if err == nil && len(found) > 0 {
		err = fail.New(fail.Conflict, "store_in_use", "there is a register in this store; name an empty one").In("该存储中已有登记系统，请换一个空的存储")
	}
	return errors.Join(err, engine.Close())
}

// with opens the register for fn, as every command does.
func (p *patient) with(ctx context.Context, fn func(*opened) error) error {
	reg, err := p.data.open(ctx, p.w, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(fn(reg), reg.Close())
}

// fill gives the register work.
func (p *patient) fill(ctx context.Context, size torture.Size) error {
	err := p.with(ctx, func(reg *opened) error { return p.scene.Fill(ctx, reg.Registry, p.clock.move, size) })
	if err != nil {
		return err
	}
	return p.scene.Save(p.data.dir)
}

// process is a command of tortureProcess on the patient, not started yet.
func (p *patient) process(name string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, "torture", name, "--data", p.data.dir, "--store", p.data.storePath()), nil
}

// verify holds the register to what a process said before it died, in another
// process. A store that cannot be opened is a problem like any other.
func (p *patient) verify(ctx context.Context, said []byte) (report torture.Report, err error) {
	cmd, err := p.process("verify")
	if err != nil {
		return report, err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(said), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return report, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	stop()
	if ctx.Err() != nil {
		return report, ctx.Err()
	}
	if err == nil {
		err = json.Unmarshal(stdout.Bytes(), &report)
	}
	if err != nil {
		report.Problems = append(report.Problems, fmt.Sprintf("it does not open: %v: %.600s", err, stderr.String()))
	}
	return report, nil
}

// tally sums up the reports of several runs.
type tally struct {
	Acknowledged map[torture.Did]int `json:"acknowledged"`
	Open         int                 `json:"open_batches"`
	Resumed      int                 `json:"resumed_batches"`
	Certificates int                 `json:"certificates_checked"`
	Problems     []string            `json:"problems"`
}

func newTally() tally { return tally{Acknowledged: map[torture.Did]int{}, Problems: []string{}} }

func (t *tally) add(run int, r torture.Report) {
	for did, n := range r.Acknowledged {
		t.Acknowledged[did] += n
	}
	t.Open += r.Open
	t.Resumed += r.Resumed
	t.Certificates += r.Checked
	for _, p := range r.Problems {
		t.Problems = append(t.Problems, fmt.Sprintf("run %d: %s", run, p))
	}
}

// tortureDir is where registers are made: a directory of the user's, or a
// temporary one that is removed.
func tortureDir(dir string) (string, func(), error) {
	remove := func() {}
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp("", "bajigong-torture-"); err != nil {
			return "", nil, err
		}
		made := dir
		remove = func() { _ = os.RemoveAll(made) }
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	// strace shows paths whole and without symbolic links.
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	return dir, remove, err
}

// timesFlag is how often something is done; far too often is a slip of the hand.
func timesFlag(name string, n int) error {
	if n < 1 || n > 1_000_000 {
		return usageError{fmt.Errorf("--%s is 1 to 1000000", name)}
	}
	return nil
}

func storeKind(store string) string {
	if strings.HasPrefix(store, "postgres") {
		return "postgresql"
	}
	return "bbolt"
}

// printReport prints a report and says no when there are problems.
func printReport(out io.Writer, report any, problems int) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(report); err != nil {
		return err
	}
	if problems > 0 {
		return errNo
	}
	return nil
}
