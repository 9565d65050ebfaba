package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/internal/kv"
	"bajigong/internal/torture"
	"bajigong/registry"
)

// benchOptions say what is measured.
type benchOptions struct {
	size    int
	clients int
	each    time.Duration
	store   string
	dir     string
}

// benchReport is what `bench` prints.
type benchReport struct {
	Store        string        `json:"store"`
	Certificates int           `json:"certificates"`
	Processors   int           `json:"processors"`
	BuildSeconds float64       `json:"build_seconds"`
	Figures      []benchFigure `json:"figures"`
}

// benchFigure is one measurement beside the limit of its necessary parts.
type benchFigure struct {
	Path      string  `json:"path"`
	Clients   int     `json:"clients"`
	Ops       int     `json:"ops"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Limit     string  `json:"limit"` // what it is held against
	AtLimit   float64 `json:"limit_per_second"`
	Times     float64 `json:"x_limit"` // how many times the time of the limit
}

func benchCommand(w world) *cobra.Command {
	var opt benchOptions
	var seconds float64
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "在本机测量各主要路径 (measure this machine)",
		Long: `bench 建立一个含 --size 份证书的登记系统（真实存储、同步写盘），测量发证、按码查验、
按网址查验、锁定补贴：吞吐、p50、p99，并在同一存储上测量各自不可省的部分（同样的读写、
签名、验签、解密），x_limit 为其倍数，1 即再无多余。结果以 JSON 打印。

  bajigong bench --size 10000 --clients 64
  bajigong bench --size 10000 --store postgres://…   (an empty database)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.size < 100 || opt.size > 10_000_000 || opt.clients < 1 || opt.clients > 1000 || seconds < 0.1 || seconds > 600 {
				return usageError{errors.New("--size is 100 to 10000000, --clients 1 to 1000, --seconds 0.1 to 600")}
			}
			opt.each = time.Duration(seconds * float64(time.Second))
			report, err := bench(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, 0)
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.size, "size", 10_000, "证书数量 (certificates in the store)")
	f.IntVar(&opt.clients, "clients", 64, "并发数 (clients at a time)")
	f.Float64Var(&seconds, "seconds", 3, "每项测量时间，秒 (of each measurement)")
	f.StringVar(&opt.store, "store", "", "空的 postgres://… 数据库；默认 bbolt (an empty database; bbolt when not given)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

// bencher is a register with a tap before its engine.
type bencher struct {
	*registry.Registry
	opt    benchOptions
	tap    *torture.Tap
	scene  *torture.Scene
	clock  *simClock
	crypto *torture.Crypto
	claims []torture.Holding
	steps  *progress
}

func bench(ctx context.Context, w world, opt benchOptions) (report benchReport, err error) {
	report = benchReport{Store: storeKind(opt.store), Processors: runtime.GOMAXPROCS(0)}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	p, err := newPatient(ctx, w, filepath.Join(dir, "bench"), opt.store, 1)
	if err != nil {
		return report, err
	}
	b := &bencher{opt: opt, scene: p.scene, clock: p.clock, steps: newProgress(w, "发证 certificates")}
	db, err := b.open(ctx, p)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begun := w.now()
	if report.Certificates, err = b.build(ctx); err != nil {
		return report, err
	}
	report.BuildSeconds = w.now().Sub(begun).Seconds()
	for _, path := range []func(context.Context) ([]benchFigure, error){b.issue, b.overHTTP, b.byToken, b.byHandle, b.reserve} {
		figures, err := path(ctx)
		if err != nil {
			return report, err
		}
		for _, f := range figures {
			fmt.Fprintf(w.stderr, "%s: %.0f/s, p50 %.2f ms, p99 %.2f ms, %.2f × limit\n", f.Path, f.PerSecond, f.P50, f.P99, f.Times)
		}
		report.Figures = append(report.Figures, figures...)
	}
	return report, nil
}

// open is dataFlags.open with a tap.
func (b *bencher) open(ctx context.Context, p *patient) (*kv.DB, error) {
	c, err := loadConfig(p.data.config())
	if err != nil {
		return nil, err
	}
	keys, err := credentials.OpenKeyRing(p.data.keys(), credentials.Opener{})
	if err != nil {
		return nil, err
	}
	if b.crypto, err = torture.NewCrypto(); err != nil {
		return nil, err
	}
	engine, err := openStore(ctx, p.data.storePath(), true)
	if err != nil {
		return nil, err
	}
	b.tap = torture.NewTap(engine)
	log := slog.New(slog.DiscardHandler)
	db, err := kv.Open(ctx, b.tap, kv.Options{Now: p.w.now, Process: "bench", Log: log}, registry.Migrations())
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	if b.Registry, err = newRegistry(db, c, p.data.rules(), keys, p.w.now, p.w.rand, log); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// build issues the certificates, in five loads of sessions of 500.
func (b *bencher) build(ctx context.Context) (certificates int, err error) {
	for certificates < b.opt.size {
		load := min(b.opt.size-certificates, max(2000, (b.opt.size+4)/5))
		if err := b.scene.Fill(ctx, b.Registry, b.clock.move, torture.Size{Claims: load}); err != nil {
			return certificates, err
		}
		b.claims = append(b.claims, b.scene.Claims...)
		certificates += len(b.scene.Claims) + len(b.scene.Void)
		b.steps.show(certificates, max(certificates, b.opt.size))
	}
	b.steps.end()
	rand.Shuffle(len(b.claims), func(i, j int) { b.claims[i], b.claims[j] = b.claims[j], b.claims[i] })
	b.scene.Claims = b.claims
	return certificates, nil
}

func figureOf(path string, clients int, s, limit torture.Sample, necessary string) benchFigure {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return benchFigure{Path: path, Clients: clients, Ops: s.Ops, PerSecond: s.PerSecond(), P50: ms(s.P50), P99: ms(s.P99),
		Limit: necessary, AtLimit: limit.PerSecond(), Times: limit.PerSecond() / s.PerSecond()}
}

// issue measures sessions of 500 (fewer in a smaller register), one after another; a row is an operation, the
// percentiles are of a whole session.
func (b *bencher) issue(ctx context.Context) ([]benchFigure, error) {
	const sessions = 6
	rows := min(500, b.opt.size)
	if err := b.scene.Fill(ctx, b.Registry, b.clock.move, torture.Size{Issue: sessions, IssueRows: rows}); err != nil {
		return nil, err
	}
	b.tap.Start()
	ours, err := torture.Measure(1, sessions, time.Hour, func(i int) error {
		_, err := b.Issue(ctx, b.scene.Issuer(), b.scene.Issue[i].ID, nil)
		return err
	})
	commits, _ := b.tap.Stop()
	if err != nil {
		return nil, err
	}
	limit, err := torture.Measure(1, 1, time.Hour, func(int) error {
		for _, g := range commits {
			if err := torture.Redo(ctx, b.tap.Engine, torture.Group{Writes: g.Writes}); err != nil {
				return err
			}
		}
		return b.crypto.Sign(sessions * rows)
	})
	ours.Ops, limit.Ops = ours.Ops*rows, limit.Ops*sessions*rows
	b.scene.Claims = b.claims
	return []benchFigure{figureOf("issue", 1, ours, limit, "the same writes in the same commits, then ES256 signatures on all processors")}, err
}

func (b *bencher) byToken(ctx context.Context) ([]benchFigure, error) {
	return b.verdict(ctx, "verdict by token", "the distinct reads in one View, one ES256 verification",
		func(c registry.Issued) (credentials.Verdict, error) { return b.VerdictByToken(ctx, c.QR) },
		func() error {
			b.crypto.Verify()
			return nil
		})
}

func (b *bencher) byHandle(ctx context.Context) ([]benchFigure, error) {
	return b.verdict(ctx, "verdict by handle", "the distinct reads in one View, one AES-256-GCM opening",
		func(c registry.Issued) (credentials.Verdict, error) { return b.VerdictByHandle(ctx, string(c.Handle)) },
		b.crypto.Open)
}

// sampled is how many certificates verdicts are asked of.
const sampled = 1000

func (b *bencher) verdict(ctx context.Context, name, necessary string, ask func(registry.Issued) (credentials.Verdict, error), crypto func() error) ([]benchFigure, error) {
	issued, err := b.scene.Certificates(ctx, b.Registry, sampled)
	if err != nil {
		return nil, err
	}
	one := func(i int) error {
		v, err := ask(issued[i%len(issued)])
		if err == nil && !v.Valid {
			err = fmt.Errorf("%s: %v", name, v.Reasons)
		}
		return err
	}
	reads := make([]torture.Group, len(issued))
	for i := range reads {
		if reads[i], err = b.tap.Reads(func() error { return one(i) }); err != nil {
			return nil, err
		}
	}
	const unlimited = 1 << 60
	clients := b.opt.clients
	if b.opt.store == "" {
		// Nothing waits here but for a processor: more clients would measure
		// the queue in front of it.
		clients = min(clients, runtime.GOMAXPROCS(0))
	}
	ours, err := torture.Measure(clients, unlimited, b.opt.each, one)
	if err != nil {
		return nil, err
	}
	limit, err := torture.Measure(clients, unlimited, b.opt.each, func(i int) error {
		if err := torture.Reread(ctx, b.tap.Engine, reads[i%len(reads)]); err != nil {
			return err
		}
		return crypto()
	})
	return []benchFigure{figureOf(name, clients, ours, limit, necessary)}, err
}

// reserve measures claims on certificates of different people.
func (b *bencher) reserve(ctx context.Context) ([]benchFigure, error) {
	claims := slices.Clone(b.claims)
	b.tap.Start()
	ours, err := torture.Measure(b.opt.clients, len(claims), b.opt.each, func(i int) error { return b.scene.Reserve(ctx, b.Registry, claims[i]) })
	commits, _ := b.tap.Stop()
	if err != nil {
		return nil, err
	}
	merged := torture.Merge(commits, "claims", b.opt.clients)
	for i := range merged {
		merged[i] = merged[i].Distinct()
	}
	limit, err := torture.Measure(1, len(merged), time.Hour, func(i int) error { return torture.Redo(ctx, b.tap.Engine, merged[i]) })
	limit.Ops = ours.Ops
	return []benchFigure{figureOf("reserve", b.opt.clients, ours, limit, fmt.Sprintf("the same reads and writes in commits of %d claims, one after another", b.opt.clients))}, err
}
