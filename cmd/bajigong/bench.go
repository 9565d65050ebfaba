package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/torture"
	"bajigong/registry"
)

// benchFigure is one measurement beside the limit of its necessary parts.
type benchFigure struct {
	Path      string  `json:"path"`
	Clients   int     `json:"clients"`
	Ops       int     `json:"ops"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	// Allocations and AllocatedBytes are of one operation, with the client's own when
	// it runs in this process.
	Allocations    float64 `json:"allocations"`
	AllocatedBytes float64 `json:"allocated_bytes"`
	Limit          string  `json:"limit,omitempty"` // what it is held against
	AtLimit        float64 `json:"limit_per_second,omitempty"`
	Times          float64 `json:"x_limit,omitempty"` // how many times the time of the limit
	// Ratios are what is asked of it, see benchRatio.
	Ratios []benchRatio       `json:"ratios,omitempty"`
	More   map[string]float64 `json:"more,omitempty"`
}

// benchRatio holds a figure against what is wanted of it.
type benchRatio struct {
	Of     string  `json:"of"`    // such as "2S", "H": see benchLimits
	Value  float64 `json:"value"` // the figure over that
	Want   float64 `json:"want"`
	AtMost bool    `json:"at_most,omitempty"` // else at least
	Met    bool    `json:"met"`
}

// String is the figure as progress shows it.
func (f benchFigure) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %.0f/s, p50 %.3f ms, p99 %.3f ms", f.Path, f.PerSecond, f.P50, f.P99)
	if f.Times > 0 {
		fmt.Fprintf(&out, ", %.2f × limit", f.Times)
	}
	for _, r := range f.Ratios {
		word := map[bool]string{true: "≤", false: "≥"}[r.AtMost]
		fmt.Fprintf(&out, "; %.3f of %s (%s %.2f: %s)", r.Value, r.Of, word, r.Want, map[bool]string{true: "met", false: "missed"}[r.Met])
	}
	return out.String()
}

func (f benchFigure) with(name string, value float64) benchFigure {
	if f.More == nil {
		f.More = map[string]float64{}
	}
	f.More[name] = value
	return f
}

// atLeast and atMost hold the figure against what is wanted.
func (f benchFigure) atLeast(of string, value, want float64) benchFigure {
	f.Ratios = append(f.Ratios, benchRatio{Of: of, Value: value, Want: want, Met: value >= want})
	return f
}

func (f benchFigure) atMost(of string, value, want float64) benchFigure {
	f.Ratios = append(f.Ratios, benchRatio{Of: of, Value: value, Want: want, AtMost: true, Met: value <= want})
	return f
}

func figureOf(path string, clients int, s, limit torture.Sample, necessary string) benchFigure {
	ms := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	f := benchFigure{Path: path, Clients: clients, Ops: s.Ops, PerSecond: s.PerSecond(), P50: ms(s.P50), P99: ms(s.P99),
		Allocations: float64(s.Mallocs) / float64(max(s.Ops, 1)), AllocatedBytes: float64(s.Bytes) / float64(max(s.Ops, 1))}
	if limit.Ops > 0 {
		f.Limit, f.AtLimit, f.Times = necessary, limit.PerSecond(), limit.PerSecond()/s.PerSecond()
	}
	return f
}

// add adds the flags of every command that measures a filled store.
func (o *fillFlags) add(f *pflag.FlagSet, seconds *float64) {
	f.IntVar(&o.clients, "clients", 64, "并发数 (clients at a time)")
	f.Float64Var(seconds, "seconds", 3, "每项测量时间，秒 (of each measurement)")
	f.StringVar(&o.store, "store", "", "空的 postgres://… 数据库，填充后复制过去；默认 bbolt (an empty database that the filled store is copied to; bbolt when not given)")
	f.StringVar(&o.dir, "dir", "", "保留存储的目录，再次使用时不重填 (folder to keep and to use again; a temporary one when empty)")
	f.IntVar(&o.load, "load", torture.LoadDefault, "每次填充的证书数 (certificates written at a time while filling)")
	f.DurationVar(&o.delay, "commit-delay", 0, "模拟慢盘：每次提交加此时长 (added to each commit, as a slow disk would)")
	f.BoolVar(&o.only, "fill-only", false, "只填充，不测量 (fill, and measure nothing)")
	f.BoolVar(&o.tables, "tables", false, "报告各表大小，须读遍文件 (report the size of each table; reads the whole file)")
}

// bencher is an open register that is measured, with a tap before its engine.
type bencher struct {
	*registry.Registry
	w      world
	opt    fillFlags
	head   benchHead
	town   *town
	reg    *townRegister
	tap    *torture.Tap
	scene  *torture.Scene
	clock  *simClock
	crypto *torture.Crypto
	remove func()
	issued int // what measuring has added
	claims int

	limits     benchLimits
	rows       int               // of a session that is issued
	sample     []registry.Issued // from all over the store
	issueCPU   time.Duration     // of a row
	alone      float64           // reservations a second of one client
	reserveP99 float64
	reserved   []torture.Group // what the last reservations have written, merged
}

// openBench fills a store and opens it as serve does, unless it is to be filled only.
func openBench(ctx context.Context, w world, opt fillFlags) (b *bencher, err error) {
	b = &bencher{w: w, opt: opt, head: newBenchHead(opt), remove: func() {}}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return nil, err
	}
	b.remove = remove
	if err := b.fill(ctx, dir); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if opt.only {
		return b, nil
	}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bencher) fill(ctx context.Context, dir string) (err error) {
	if b.town, err = openTown(ctx, b.w, dir); err != nil {
		return err
	}
	b.clock = b.town.clock
	begun, before := time.Now(), b.town.Certificates
	if err := b.town.fill(ctx, torture.TownSize{Certificates: b.opt.certificates, Claims: b.opt.claims, Past: b.opt.past, Load: b.opt.load}); err != nil {
		return err
	}
	h := &b.head
	h.Certificates, h.Claims, h.Past, h.Filled, h.FillParts = b.town.Certificates, b.town.Recorded(), b.town.Past, b.town.Claims, b.town.Seconds
	h.FillSeconds, h.FilledNow = time.Since(begun).Seconds(), b.town.Certificates-before
	h.StoreBytes = b.town.storeBytes()
	h.PerCertificate = float64(h.StoreBytes) / float64(h.Certificates)
	if b.opt.tables {
		h.Tables, err = torture.TableSizes(b.town.data.storePath())
	}
	return err
}

func (b *bencher) open(ctx context.Context) (err error) {
	store := b.town.data.storePath()
	if b.opt.store != "" {
		if err := b.toPostgreSQL(ctx); err != nil {
			return err
		}
		store = b.opt.store
	}
	if b.crypto, err = torture.NewCrypto(); err != nil {
		return err
	}
	engine, err := openStore(ctx, store, true)
	if err != nil {
		return err
	}
	if b.opt.delay > 0 {
		engine = torture.Delay{Engine: engine, By: b.opt.delay}
	}
	b.tap = torture.NewTap(engine)
	if b.head.CommitMS, err = durable(ctx, engine); err != nil {
		return errors.Join(err, engine.Close())
	}
	if b.reg, err = b.town.open(ctx, b.tap); err != nil {
		return err
	}
	b.Registry = b.reg.Registry
	return nil
}

// townMark is kept in a PostgreSQL database that a town was copied to.
type townMark struct {
	Town         string `json:"town"`
	Certificates int    `json:"certificates"`
	Claims       int    `json:"claims"`
	Past         int    `json:"past_payments"`
}

// toPostgreSQL copies the filled store into an empty database, or finds that it was
// copied there before.
func (b *bencher) toPostgreSQL(ctx context.Context) error {
	engine, err := openStore(ctx, b.opt.store, false)
	if err != nil {
		return err
	}
	defer engine.Close()
	var there []byte
	var any []kv.Entry
	err = engine.View(ctx, func(r kv.Reader) (err error) {
		if there, err = r.Get("bench", []byte("town")); err == nil {
			any, err = r.Scan("log_head", kv.Range{Limit: 1})
		}
		return err
	})
	if err != nil {
		return err
	}
	mark := townMark{b.town.ID, b.town.Certificates, b.town.Recorded(), b.town.Past}
	var old townMark
	switch {
	case len(any) == 0:
	case json.Unmarshal(there, &old) == nil && old.Town == mark.Town && old.Certificates >= b.opt.certificates && old.Claims >= b.opt.claims && old.Past >= b.opt.past:
		b.head.Certificates, b.head.Claims, b.head.Past, b.head.StoreBytes, b.head.PerCertificate = old.Certificates, old.Claims, old.Past, 0, 0
		return nil
	default:
		return fail.New(fail.Conflict, "store_in_use", "there is a register in this database that is not this one, or is too small; name an empty one").In("该数据库中已有登记系统，且不是本次填充的；请换一个空的数据库")
	}
	begun := time.Now()
	steps := newProgress(b.w, "复制 copying rows")
	steps.now = time.Now
	b.head.CopiedRows, err = torture.CopyToPostgreSQL(ctx, b.town.data.storePath(), b.opt.store, func(rows int) { steps.show(rows, 0) })
	if err != nil {
		return err
	}
	b.head.CopySeconds = time.Since(begun).Seconds()
	value, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	return engine.Apply(ctx, func(kv.Reader) ([]kv.Write, error) {
		return []kv.Write{{Table: "bench", Key: []byte("town"), Value: value}}, nil
	})
}

func (b *bencher) close() error {
	defer b.remove()
	if b.reg == nil {
		return nil
	}
	return b.reg.Close()
}

// benchPath is one thing that is measured.
type benchPath struct {
	name string
	do   func(context.Context) ([]benchFigure, error)
}

// run makes work for the measurements and takes them one after another, with the
// collector as serve has it.
func (b *bencher) run(ctx context.Context, work torture.Size, paths []benchPath) (out []benchFigure, err error) {
	entries, now, err := b.reg.head(ctx)
	if err != nil {
		return nil, err
	}
	if b.scene, err = torture.NewSceneIn(ctx, b.Registry, b.clock.move, now.Add(time.Hour), entries); err != nil {
		return nil, err
	}
	if err := b.scene.Fill(ctx, b.Registry, b.clock.move, work); err != nil {
		return nil, err
	}
	b.issued += len(b.scene.Claims) + len(b.scene.Void)
	rand.Shuffle(len(b.scene.Claims), func(i, j int) {
		b.scene.Claims[i], b.scene.Claims[j] = b.scene.Claims[j], b.scene.Claims[i]
	})
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	for _, path := range paths {
		figures, err := path.do(ctx)
		if err != nil {
			return out, fmt.Errorf("%s: %w", path.name, err)
		}
		for _, f := range figures {
			fmt.Fprintln(b.w.stderr, f)
		}
		out = append(out, figures...)
	}
	if b.opt.store != "" {
		return out, nil // the file beside it has seen nothing of it
	}
	return out, b.town.measured(ctx, b.reg, b.issued, b.claims)
}

// scenery is work for measuring reservations alone.
func (b *bencher) scenery(claims int) torture.Size { return torture.Size{Claims: claims} }
