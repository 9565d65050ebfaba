package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/auditlog"
)

// powercutOptions say how the power is cut.
type powercutOptions struct {
	cuts int
	seed uint64
	dir  string
	of   string // work or serve
	size torture.Size
}

// powercutReport is what `torture powercut` prints.
type powercutReport struct {
	Of       string `json:"of"`
	Cuts     int    `json:"cuts"`
	Seed     uint64 `json:"seed"`
	Calls    int    `json:"recorded_calls"`
	Unsynced int    `json:"unsynced_changes"` // at the moments of the cuts
	Kept     int    `json:"unsynced_sectors_kept"`
	Lost     int    `json:"unsynced_sectors_lost"`
	tally
	Seconds float64 `json:"seconds"`
}

func torturePowercutCommand(w world) *cobra.Command {
	opt := powercutOptions{size: torture.Size{Issue: 4, IssueRows: 300, Upload: 3, UploadRows: 200, Claims: 200}}
	cmd := &cobra.Command{
		Use:   "powercut",
		Short: "在任意时刻断电 (cut the power at any moment)",
		Long: `powercut 用 strace 记录一个真实工作进程对存储文件的每次写入和 fdatasync（需要 Linux 和
strace），然后在随机时刻“断电”：已同步的全部保留，未同步的按 512 字节扇区随机保留，
重建文件、打开、核对断电之前已应答的每一条结果、续完批次、检查全部不变量。
有问题的文件保留在 --dir 中 (files with problems stay in --dir).

  bajigong torture powercut --cuts 200 --seed 7
  bajigong torture powercut --cuts 200 --seed 7 --of serve   the shipped server under load over HTTP`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := timesFlag("cuts", opt.cuts); err != nil {
				return err
			}
			if opt.of != "work" && opt.of != "serve" {
				return usageError{errors.New("--of is work or serve")}
			}
			report, err := torturePowercut(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.cuts, "cuts", 50, "断电次数 (how many cuts)")
	f.Uint64Var(&opt.seed, "seed", 1, "随机种子 (of the moments, and of what was not synced)")
	f.StringVar(&opt.of, "of", "work", "记录哪个进程：work 或 serve (the process that is recorded)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func torturePowercut(ctx context.Context, w world, opt powercutOptions) (powercutReport, error) {
	started := w.now()
	report := powercutReport{Of: opt.of, Seed: opt.seed, tally: newTally()}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	scope, err := recordFor(ctx, w, filepath.Join(dir, "recorded"), opt)
	if err != nil {
		return report, err
	}
	report.Calls = scope.rec.Len()
	rnd := rand.New(rand.NewPCG(opt.seed, 0))
	steps := newProgress(w, "断电 power cuts")
	for _, at := range scope.rec.Points(scope.store, scope.first, opt.cuts, rnd) {
		cut, after, err := scope.cut(ctx, filepath.Join(dir, fmt.Sprintf("cut-%d", report.Cuts)), at, rnd)
		if err != nil {
			return report, fmt.Errorf("cut %d at %d: %w", report.Cuts, at, err)
		}
		report.add(report.Cuts, after)
		report.Cuts++
		report.Unsynced, report.Kept, report.Lost = report.Unsynced+cut.Unsynced, report.Kept+cut.Kept, report.Lost+cut.Lost
		steps.show(report.Cuts, opt.cuts)
	}
	steps.end()
	report.Seconds = w.now().Sub(started).Seconds()
	return report, nil
}

// recorded is the whole work of a patient with what it wrote and synced.
type recorded struct {
	*patient
	rec        *torture.Recording
	store      string // absolute path
	checkpoint string
	base       []byte        // the store when the recording began
	first      int           // position from which cuts make sense
	acks       []torture.Ack // of a server, to whoever asked
}

// recordFor makes a register with work and records the process that does it.
func recordFor(ctx context.Context, w world, dir string, opt powercutOptions) (*recorded, error) {
	if opt.of == "serve" {
		p, site, err := newWorksite(ctx, w, dir, opt.seed, opt.size)
		if err != nil {
			return nil, err
		}
		return recordServing(ctx, p, site)
	}
	p, err := newPatient(ctx, w, dir, "", opt.seed)
	if err != nil {
		return nil, err
	}
	if err := p.fill(ctx, opt.size); err != nil {
		return nil, err
	}
	return recordWork(ctx, p)
}

// said is what was acknowledged before a position.
func (r *recorded) said(at int) ([]byte, error) {
	if r.acks == nil {
		return r.rec.Said(1, at), nil
	}
	acks, err := r.rec.AnsweredBefore(r.acks, at)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, a := range acks {
		if err := enc.Encode(a); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// beforeWork is a recording that has not begun: the directory is copied, cuts
// begin from it.
func beforeWork(p *patient) (*recorded, error) {
	r := &recorded{patient: p, store: p.data.storePath()}
	var err error
	if r.base, err = os.ReadFile(r.store); err != nil {
		return nil, err
	}
	origin, err := registry.LogOrigin(tortureOrigin)
	if err != nil {
		return nil, err
	}
	r.checkpoint = auditlog.NewFileStore(p.data.keys(), origin).Path()
	return r, copyPrivate(r.before(), p.data.dir)
}

func recordWork(ctx context.Context, p *patient) (*recorded, error) {
	r, err := beforeWork(p)
	if err != nil {
		return nil, err
	}
	cmd, err := p.process("work")
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	recorder, err := torture.Record(cmd, p.data.dir)
	if err != nil {
		return nil, err
	}
	if r.rec, err = recorder.Wait(ctx); err != nil {
		return nil, fmt.Errorf("record the worker: %w: %s", err, stderr.String())
	}
	said, err := torture.ParseAcks(r.rec.Said(1, r.rec.Len()))
	if err == nil && torture.Count(said)[torture.Finished] == 0 {
		err = errors.New("the worker did not finish")
	}
	return r, err
}

func (r *recorded) before() string { return r.data.dir + "-before" }

// cut rebuilds the directory in dir as a power cut at a position could have left
// it, and verifies it.
func (r *recorded) cut(ctx context.Context, dir string, at int, rnd *rand.Rand) (cut torture.Cut, report torture.Report, err error) {
	if err := copyPrivate(dir, r.before()); err != nil {
		return cut, report, err
	}
	defer func() {
		if len(report.Problems) == 0 {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if cut, err = r.rec.Cut(r.base, r.store, at, rnd); err != nil {
		return cut, report, err
	}
	after := *r.patient
	after.data.dir = dir
	if err := os.WriteFile(after.data.storePath(), cut.Content, 0o600); err != nil {
		return cut, report, err
	}
	note, err := r.rec.Replaced(r.checkpoint, at)
	if err != nil {
		return cut, report, err
	}
	if note != nil {
		if err := os.WriteFile(filepath.Join(after.data.keys(), filepath.Base(r.checkpoint)), note, 0o644); err != nil {
			return cut, report, err
		}
	}
	said, err := r.said(at)
	if err != nil {
		return cut, report, err
	}
	report, err = after.verify(ctx, said)
	return cut, report, err
}

// copyPrivate copies a directory of the register; a key ring is nobody else's to
// read.
func copyPrivate(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o600)
	})
}
