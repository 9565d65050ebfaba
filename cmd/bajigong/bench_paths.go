package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/internal/torture"
	"bajigong/registry"
)

// benchLimits are the rates that the figures of a run are held against, measured
// in the same run.
type benchLimits struct {
	Sign     float64 `json:"sign_all_processors"`   // 2S on two: raw P-256 signatures a second
	Verify   float64 `json:"verify_all_processors"` // 2V on two
	Constant float64 `json:"constant_handler"`      // H: a fiber handler that answers as many bytes as a verdict
}

// benchReport is what `bench` prints.
type benchReport struct {
	benchHead
	Limits  benchLimits   `json:"limits"`
	Figures []benchFigure `json:"figures"`
}

func benchCommand(w world) *cobra.Command {
	opt := fillFlags{rows: fileRows}
	var seconds float64
	claims := -1
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "在本机测量各主要路径 (measure this machine)",
		Long: `bench 按真实业务路径填充一个含 --size 份证书的登记系统（机构、批次、人员、证书、申领，分布如实际），
在进程内和 HTTP 上测量各主要路径：吞吐、p50、p99、每次操作的内存分配、每份证书的字节数，并在同一次运行中
测量各自不可省的部分：x_limit 为其倍数，1 即再无多余；ratios 为与所要求之值的比较。结果以 JSON 打印。
给出 --dir 时存储保留，下次直接使用或续填 (kept with --dir, and grown).

  bajigong bench --size 10000 --clients 64
  bajigong bench --size 1000000 --dir ./bench > a.json
  bajigong bench --size 10000 --store postgres://…   (an empty database)
  bajigong bench compare a.json b.json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.each = time.Duration(seconds * float64(time.Second))
			if opt.claims = claims; claims < 0 {
				opt.claims = opt.certificates / 2
			}
			if err := opt.check(); err != nil {
				return err
			}
			report, err := bench(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, 0)
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.certificates, "size", 10_000, "证书数量 (certificates in the store)")
	f.IntVar(&claims, "claims", -1, "申领数量，默认为证书的一半 (claims; half as many as certificates when not given)")
	opt.add(f, &seconds)
	cmd.AddCommand(benchClaimsCommand(w), benchCompareCommand(w))
	return cmd
}

// bulkSessions are issued in a measurement, of bulkRows candidates each.
const (
	bulkSessions = 8
	bulkAtOnce   = 4
	bulkRows     = 500
)

func bench(ctx context.Context, w world, opt fillFlags) (report benchReport, err error) {
	b, err := openBench(ctx, w, opt)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	report.benchHead = b.head
	if opt.only {
		return report, nil
	}
	b.rows = min(bulkRows, opt.rows)
	work := torture.Size{Claims: 4*b.claimsEach() + b.rows, Issue: 3 * bulkSessions, IssueRows: b.rows, Single: b.singles()}
	paths := []benchPath{
		{"limits", b.measureLimits}, {"issue", b.issueBulk}, {"log", b.logAlone}, {"single issue", b.issueSingle},
		{"verdict by token", b.byToken}, {"verdict by handle", b.byHandle}, {"over HTTP", b.overHTTP}, {"proof", b.proof},
		{"reserve, 1 client", func(ctx context.Context) ([]benchFigure, error) { return b.reserveAgainst(ctx, 1) }},
		{"reserve", func(ctx context.Context) ([]benchFigure, error) { return b.reserveAgainst(ctx, opt.clients) }},
		{"reserve over HTTP", b.reserveHTTP},
		{"reserve beside issue", b.reserveBeside},
	}
	report.Figures, err = b.run(ctx, work, paths)
	report.benchHead, report.Limits = b.head, b.limits
	return report, err
}

// singles is how many sessions of one candidate are issued over HTTP.
func (b *bencher) singles() int {
	return max(4*b.opt.clients, min(3000, int(b.opt.each.Seconds()*600)))
}

// measureLimits takes the rates that do not depend on the store. A constant handler
// is measured beside the verdicts, since it answers as many bytes.
func (b *bencher) measureLimits(context.Context) ([]benchFigure, error) {
	all := runtime.GOMAXPROCS(0)
	const unlimited = 1 << 60
	s, err := torture.Measure(all, unlimited, b.opt.each, func(int) error { return b.crypto.SignOne() })
	if err != nil {
		return nil, err
	}
	v, err := torture.Measure(all, unlimited, b.opt.each, func(int) error { b.crypto.Verify(); return nil })
	b.limits.Sign, b.limits.Verify = s.PerSecond(), v.PerSecond()
	return []benchFigure{figureOf("raw P-256 signatures, all processors", all, s, torture.Sample{}, ""), figureOf("raw P-256 verifications, all processors", all, v, torture.Sample{}, "")}, err
}

// issueBulk measures sessions of 500 (fewer in a smaller register), complete and
// durable: one after another, and as four institutions issue at a time. A row is an
// operation, the percentiles are of a whole session.
func (b *bencher) issueBulk(ctx context.Context) ([]benchFigure, error) {
	alone, _, err := b.issueAtOnce(ctx, 1)
	if err != nil {
		return nil, err
	}
	f, commits, err := b.issueAtOnce(ctx, bulkAtOnce)
	if err != nil {
		return nil, err
	}
	want := 0.30
	if b.head.Certificates >= 1_000_000 {
		want = 0.20
	}
	f = f.atLeast("2S", f.PerSecond/b.limits.Sign, want)
	out := []benchFigure{alone, f}
	if b.opt.store != "" {
		raw, err := b.withPgx(ctx, "issue, the same rows by pgx", commits, bulkSessions*b.rows)
		if err != nil {
			return nil, err
		}
		out[1] = f.atLeast("pgx", f.PerSecond/raw.PerSecond, 0.50)
		out = append(out, raw)
	}
	return out, nil
}

func (b *bencher) issueAtOnce(ctx context.Context, clients int) (benchFigure, []torture.Group, error) {
	sessions := b.scene.Issue[:bulkSessions]
	b.scene.Issue = b.scene.Issue[bulkSessions:]
	b.tap.Start()
	used := cpuTime()
	ours, err := torture.Measure(clients, bulkSessions, time.Hour, func(i int) error {
		_, err := b.Issue(ctx, b.scene.Issuer(), sessions[i].ID, nil)
		return err
	})
	used = cpuTime() - used
	commits, _ := b.tap.Stop()
	if err != nil {
		return benchFigure{}, nil, err
	}
	rows := bulkSessions * b.rows
	b.issued += rows
	limit, err := torture.Measure(1, 1, time.Hour, func(int) error {
		for _, g := range commits {
			if err := torture.Redo(ctx, b.tap.Engine, torture.Group{Writes: g.Writes}); err != nil {
				return err
			}
		}
		return b.crypto.Sign(rows)
	})
	ours.Ops, limit.Ops = rows, rows
	b.issueCPU = used / time.Duration(rows)
	name := fmt.Sprintf("issue, sessions of %d", b.rows)
	if clients > 1 {
		name += fmt.Sprintf(", %d at a time", clients)
	}
	f := figureOf(name, clients, ours, limit, "the same writes in the same commits, then ES256 signatures on all processors").
		with("cpu_us_per_row", float64(b.issueCPU.Nanoseconds())/1e3)
	return f, commits, err
}

// withPgx writes the rows of the same groups with pgx and nothing else.
func (b *bencher) withPgx(ctx context.Context, name string, commits []torture.Group, ops int) (benchFigure, error) {
	s, err := torture.PgxWrites(ctx, b.opt.store, commits)
	s.Ops = ops
	return figureOf(name, 1, s, torture.Sample{}, ""), err
}

// logAlone appends as many entries to a log of its own as issuing did, and nothing
// else: the log's share of the time that the processors need for an issue.
func (b *bencher) logAlone(ctx context.Context) ([]benchFigure, error) {
	const groups = 40
	used := cpuTime()
	s, err := torture.LogAlone(ctx, groups, bulkRows)
	if err != nil {
		return nil, err
	}
	used = cpuTime() - used
	f := figureOf("log entries alone, in groups of 500, in memory", 1, s, torture.Sample{}, "")
	if b.issueCPU > 0 {
		f = f.atMost("issue CPU", float64(used)/float64(s.Ops)/float64(b.issueCPU), 0.10)
	}
	return []benchFigure{f}, nil
}

func (b *bencher) byToken(ctx context.Context) ([]benchFigure, error) {
	out, err := b.verdict(ctx, "verdict by token, first time", "the distinct reads in one View, one ES256 verification",
		func(c registry.Issued) (credentials.Verdict, error) { return b.VerdictByToken(ctx, c.QR) },
		func() error {
			b.crypto.Verify()
			return nil
		})
	for i := range out {
		out[i] = out[i].atLeast("2V", out[i].PerSecond/b.limits.Verify, 0.40)
	}
	return out, err
}

func (b *bencher) byHandle(ctx context.Context) ([]benchFigure, error) {
	return b.verdict(ctx, "verdict by handle", "the distinct reads in one View, one AES-256-GCM opening",
		func(c registry.Issued) (credentials.Verdict, error) {
			return b.VerdictByHandle(ctx, string(c.Handle))
		}, b.crypto.Open)
}

// sampled are certificates from all over the store. Verdicts remember what they have
// seen: each measurement asks every one of them once.
func (b *bencher) sampled(ctx context.Context) ([]registry.Issued, error) {
	if b.sample != nil {
		return b.sample, nil
	}
	var err error
	b.sample, err = b.scene.CertificatesOf(ctx, b.Registry, b.town.Sample)
	rand.Shuffle(len(b.sample), func(i, j int) { b.sample[i], b.sample[j] = b.sample[j], b.sample[i] })
	return b.sample, err
}

// notedReads is how many verdicts the reads of the limit are noted of.
const notedReads = 1000

func (b *bencher) verdict(ctx context.Context, name, necessary string, ask func(registry.Issued) (credentials.Verdict, error), crypto func() error) ([]benchFigure, error) {
	issued, err := b.sampled(ctx)
	if err != nil {
		return nil, err
	}
	one := func(i int) error {
		v, err := ask(issued[i])
		if err == nil && !v.Valid {
			err = fmt.Errorf("%s: %v", name, v.Reasons)
		}
		return err
	}
	// What is remembered would not be read: the reads are noted in a register that
	// has seen nothing yet, as is what is measured.
	if err := b.forget(ctx); err != nil {
		return nil, err
	}
	reads := make([]torture.Group, min(notedReads, len(issued)))
	for i := range reads {
		if reads[i], err = b.tap.Reads(func() error { return one(i) }); err != nil {
			return nil, err
		}
	}
	if err := b.forget(ctx); err != nil {
		return nil, err
	}
	clients := b.opt.clients
	if b.opt.store == "" {
		// Nothing waits here but for a processor: more clients would measure
		// the queue in front of it.
		clients = min(clients, runtime.GOMAXPROCS(0))
	}
	ours, err := torture.Measure(clients, len(issued), b.opt.each, one)
	if err != nil {
		return nil, err
	}
	const unlimited = 1 << 60
	limit, err := torture.Measure(clients, unlimited, b.opt.each, func(i int) error {
		if err := torture.Reread(ctx, b.tap.Engine, reads[i%len(reads)]); err != nil {
			return err
		}
		return crypto()
	})
	return []benchFigure{figureOf(name, clients, ours, limit, necessary)}, err
}

// forget goes on with a register on the same store that remembers nothing.
func (b *bencher) forget(context.Context) error {
	reg, err := b.town.registry(b.reg.db)
	if err == nil {
		b.reg.Registry, b.Registry = reg, reg
	}
	return err
}

// proof measures entries of the log with their proofs, anywhere in it.
func (b *bencher) proof(ctx context.Context) ([]benchFigure, error) {
	if _, err := b.Checkpoint(ctx); err != nil {
		return nil, err
	}
	entries, _, err := b.reg.head(ctx)
	if err != nil {
		return nil, err
	}
	const unlimited = 1 << 60
	s, err := torture.Measure(1, unlimited, b.opt.each, func(int) error {
		_, err := b.Proof(ctx, registry.Actor{}, rand.Uint64N(entries))
		return err
	})
	f := figureOf("proof of an entry", 1, s, torture.Sample{}, "")
	return []benchFigure{f.with("entries", float64(entries)).atMost("50 µs", f.P50*1000/50, 1)}, err
}

// reserveAgainst is reserve with what is asked of it.
func (b *bencher) reserveAgainst(ctx context.Context, clients int) ([]benchFigure, error) {
	out, err := b.reserve(ctx, torture.FirstLanguage, clients)
	if err != nil {
		return nil, err
	}
	if clients == 1 {
		b.alone = out[0].PerSecond
		return out, nil
	}
	b.reserveP99 = out[0].P99
	out[0] = out[0].atLeast("one client", out[0].PerSecond/b.alone, 3).atLeast("the store's own rate", 1/out[0].Times, 0.60)
	if b.head.CommitMS >= 4 {
		out[0] = out[0].atLeast("C/2T", out[0].PerSecond/(float64(clients)/2/b.head.CommitMS*1000), 0.85)
	}
	if b.opt.store != "" {
		raw, err := b.withPgx(ctx, "reserve, the same rows by pgx", b.reserved, out[0].Ops)
		if err != nil {
			return nil, err
		}
		out[0] = out[0].atLeast("pgx", out[0].PerSecond/raw.PerSecond, 0.50)
		out = append(out, raw)
	}
	return out, nil
}

// reserveBeside measures reservations while sessions are issued one after another.
func (b *bencher) reserveBeside(ctx context.Context) ([]benchFigure, error) {
	n := b.claimsEach()
	if len(b.scene.Claims) < n {
		return nil, errors.New("no certificates are left to claim on")
	}
	own := b.scene.Claims[:n]
	b.scene.Claims = b.scene.Claims[n:]
	var stop atomic.Bool
	sessions := 0
	issuing := make(chan error, 1)
	go func() {
		for _, s := range b.scene.Issue {
			if stop.Load() {
				break
			}
			if _, err := b.Issue(ctx, b.scene.Issuer(), s.ID, nil); err != nil {
				issuing <- err
				return
			}
			sessions++
		}
		stop.Store(true) // what is reserved from now on has nothing beside it
		issuing <- nil
	}()
	var beside atomic.Int64
	errOver := errors.New("over")
	s, err := torture.Measure(b.opt.clients, n, b.opt.each, func(i int) error {
		if stop.Load() {
			return errOver
		}
		beside.Add(1)
		return b.scene.ReserveBy(ctx, b.Registry, torture.FirstLanguage, own[i])
	})
	stop.Store(true)
	if issueErr := <-issuing; issueErr != nil {
		return nil, issueErr
	}
	if err != nil && !errors.Is(err, errOver) {
		return nil, err
	}
	b.claims += int(beside.Load())
	b.issued += sessions * b.rows
	f := figureOf("reserve beside a running bulk issue", b.opt.clients, s, torture.Sample{}, "").with("sessions_issued_meanwhile", float64(sessions))
	return []benchFigure{f.atMost("p99 alone", f.P99/b.reserveP99, 5)}, nil
}
