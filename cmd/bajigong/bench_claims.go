package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/kv"
	"bajigong/internal/torture"
)

// fillFlags say how large a store is measured, and where it is.
type fillFlags struct {
	certificates, claims, past int
	load                       int
	store, dir                 string
	clients                    int
	each                       time.Duration
	delay                      time.Duration
	only, tables               bool
	rows                       int // of a file of applicants, and at most of a session; fewer in tests
}

func (o *fillFlags) check() error {
	if o.certificates < 100 || o.certificates > 20_000_000 || o.claims < 0 || o.claims > o.certificates || o.past < 0 || o.past > 20_000_000 {
		return usageError{errors.New("certificates are 100 to 20000000, claims no more than certificates, and payments of the past at most 20000000")}
	}
	if o.clients < 1 || o.clients > 1000 || o.each < 10*time.Millisecond || o.each > 10*time.Minute || o.load < 100 || o.load > 200_000 || o.delay < 0 || o.delay > time.Second {
		return usageError{errors.New("--clients is 1 to 1000, --seconds 0.01 to 600, --load 100 to 200000, --commit-delay at most 1s")}
	}
	return nil
}

// claimsReport is what `bench claims` prints.
type claimsReport struct {
	benchHead
	Figures []benchFigure `json:"figures"`
}

func benchClaimsCommand(w world) *cobra.Command {
	opt := fillFlags{rows: fileRows}
	var seconds float64
	cmd := &cobra.Command{
		Use:   "claims",
		Short: "在已有大量申领的存储上测量锁定与预检 (claims over a store that has many)",
		Long: `claims 先按真实业务路径填充 --stored 条补贴申领（及其证书），再测量锁定（同步写盘，全部规则
逐条判断，第一、二语言政策各一）与一万行预检文件，并在同一存储上测量其不可省的部分。
--past 另从历史台账补录若干笔 2017 年以来的发放，每笔也是一条申领 (and payments of ledgers since 2017).
给出 --dir 时存储保留，下次直接使用；--stored、--past 增大时续填 (kept with --dir, and grown).

  bajigong bench claims --stored 100000 --dir ./bench
  bajigong bench claims --stored 100000 --dir ./bench --store postgres://…   (an empty database)
  bajigong bench claims --stored 1000000 --past 4000000 --dir ./bench`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.each = time.Duration(seconds * float64(time.Second))
			if opt.certificates == 0 {
				opt.certificates = max(100, opt.claims+opt.claims/4)
			}
			if err := opt.check(); err != nil {
				return err
			}
			report, err := benchClaims(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, 0)
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.claims, "stored", 100_000, "存储中的申领数 (claims in the store)")
	f.IntVar(&opt.past, "past", 0, "另从历史台账补录的发放笔数 (payments of the past, taken over from ledgers)")
	f.IntVar(&opt.certificates, "size", 0, "证书数，默认为申领数的 1.25 倍 (certificates; a quarter more than claims when 0)")
	opt.add(f, &seconds)
	return cmd
}

// benchClaims fills and measures.
func benchClaims(ctx context.Context, w world, opt fillFlags) (report claimsReport, err error) {
	b, err := openBench(ctx, w, opt)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	report.benchHead = b.head
	if opt.only {
		return report, nil
	}
	report.Figures, err = b.run(ctx, b.scenery(b.claimRows()+opt.rows), []benchPath{
		{"reserve, 1 client", func(ctx context.Context) ([]benchFigure, error) {
			return b.reserve(ctx, torture.FirstLanguage, 1)
		}},
		{"reserve", func(ctx context.Context) ([]benchFigure, error) {
			return b.reserve(ctx, torture.FirstLanguage, opt.clients)
		}},
		{"reserve, language 2", func(ctx context.Context) ([]benchFigure, error) {
			return b.reserve(ctx, torture.SecondLanguage, opt.clients)
		}},
		{"file", b.checkFile},
	})
	report.benchHead = b.head
	return report, err
}

// fileRows is the length of a file of applicants.
const fileRows = 10_000

// claimRows is how many certificates three measurements of reservations take.
func (b *bencher) claimRows() int { return 3 * b.claimsEach() }

// claimsEach is how many claims one measurement makes at most: fewer when it is
// short, so that a test is.
func (b *bencher) claimsEach() int {
	return max(8*b.opt.clients, min(10_000, int(b.opt.each.Seconds()*4000)))
}

// reserve measures reservations on certificates of different people, that were
// issued for it.
func (b *bencher) reserve(ctx context.Context, law string, clients int) ([]benchFigure, error) {
	n := b.claimsEach()
	if len(b.scene.Claims) < n {
		return nil, errors.New("no certificates are left to claim on")
	}
	own := b.scene.Claims[:n]
	b.scene.Claims = b.scene.Claims[n:]
	name := fmt.Sprintf("reserve, %s, %d clients", languageOf[law], clients)
	b.tap.Start()
	ours, err := torture.Measure(clients, n, b.opt.each, func(i int) error { return b.scene.ReserveBy(ctx, b.Registry, law, own[i]) })
	commits, _ := b.tap.Stop()
	if err != nil {
		return nil, err
	}
	b.claims += ours.Ops
	merged := torture.Merge(commits, "claims", clients)
	for i := range merged {
		merged[i] = merged[i].Distinct()
	}
	b.reserved = merged
	// The engine first: it writes the books of the store as they were then.
	raw, err := torture.Measure(1, len(merged), time.Hour, func(i int) error { return torture.Redo(ctx, b.tap.Engine, merged[i]) })
	raw.Ops = ours.Ops
	if err != nil {
		return nil, err
	}
	shares := torture.Shares(merged, "claims")
	limit, err := torture.Measure(clients, len(shares), time.Hour, func(i int) error { return torture.Update(ctx, b.reg.db, shares[i]) })
	if err != nil {
		return nil, err
	}
	f := figureOf(name, clients, ours, limit, fmt.Sprintf("Updates of the store by %d clients that read and write as much, and decide nothing", clients))
	return []benchFigure{f.with("commits", float64(len(commits))).with("engine_alone_per_second", raw.PerSecond())}, err
}

var languageOf = map[string]string{torture.FirstLanguage: "language 1", torture.SecondLanguage: "language 2"}

// checkFile measures files of 10,000 applicants, from their bytes to the signed
// decision; a row is an operation.
func (b *bencher) checkFile(ctx context.Context) ([]benchFigure, error) {
	rows := min(b.opt.rows, len(b.scene.Claims))
	var out []benchFigure
	for _, law := range []string{torture.FirstLanguage, torture.SecondLanguage} {
		file := b.scene.ClaimFileBy(law, rows)
		p, err := b.Registry.Config().Policies.Policy(law, 0)
		if err != nil {
			return nil, err
		}
		check := func(int) error {
			run, err := b.scene.CheckFileBy(ctx, b.Registry, law, file)
			if err == nil && (run.Done != rows || run.Invalid > 0 || run.Hold > 0) {
				err = fmt.Errorf("a file of %d rows: %+v", rows, run)
			}
			return err
		}
		ours, err := torture.Measure(1, 3, time.Hour, check)
		if err != nil {
			return nil, err
		}
		// Once more, to note what it reads and writes.
		b.tap.Start()
		err = check(0)
		commits, views := b.tap.Stop()
		if err != nil {
			return nil, err
		}
		ours.Ops *= rows
		limit, err := torture.Measure(1, 1, time.Hour, func(int) error {
			for _, g := range views {
				if err := torture.Reread(ctx, b.tap.Engine, g.Distinct()); err != nil {
					return err
				}
			}
			for _, g := range commits {
				if err := torture.Redo(ctx, b.tap.Engine, g.Distinct()); err != nil {
					return err
				}
			}
			return b.crypto.CheckParts(p, b.clock.now(), rows)
		})
		limit.Ops = rows
		f := figureOf("file of applicants, "+languageOf[law], 1, ours, limit, "the same distinct reads and writes; then the HMAC of each document, the opening of each paper and the rules, on all processors")
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// benchHead says what was measured.
type benchHead struct {
	Store          string              `json:"store"`
	Certificates   int                 `json:"certificates"`
	Claims         int                 `json:"claims"`
	Past           int                 `json:"past_payments,omitempty"` // claims besides, taken over from ledgers
	Processors     int                 `json:"processors"`
	CommitDelayMS  float64             `json:"commit_delay_ms,omitempty"`
	CommitMS       float64             `json:"durable_commit_ms"`   // T: one small write
	FilledNow      int                 `json:"filled_certificates"` // by this run
	FillSeconds    float64             `json:"fill_seconds"`
	FillParts      map[string]float64  `json:"fill_parts_seconds,omitempty"` // of all fillings of this store
	Filled         map[string]int      `json:"claims_by_what_became_of_them,omitempty"`
	StoreBytes     int64               `json:"store_bytes,omitempty"`
	PerCertificate float64             `json:"bytes_per_certificate,omitempty"` // file size over certificates
	CopiedRows     int                 `json:"copied_rows,omitempty"`           // into PostgreSQL
	CopySeconds    float64             `json:"copy_seconds,omitempty"`
	Tables         []torture.TableSize `json:"tables,omitempty"`
	Machine        string              `json:"machine"`
}

func newBenchHead(opt fillFlags) benchHead {
	return benchHead{Store: storeKind(opt.store), Processors: runtime.GOMAXPROCS(0), CommitDelayMS: float64(opt.delay.Microseconds()) / 1000, Machine: runtime.GOOS + "/" + runtime.GOARCH}
}

// durable measures T: one small commit at a time.
func durable(ctx context.Context, e kv.Engine) (float64, error) {
	s, err := torture.Measure(1, 200, time.Second, func(i int) error {
		return e.Apply(ctx, func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "bench", Key: []byte("commit"), Value: []byte(fmt.Sprint(i))}}, nil
		})
	})
	if err == nil {
		err = e.Apply(ctx, func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "bench", Key: []byte("commit")}}, nil
		})
	}
	return float64(s.P50.Microseconds()) / 1000, err
}
