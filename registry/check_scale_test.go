package registry_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/needed"
	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// farEngine is an engine of which every read of a snapshot is a round trip, as over a
// network, unless it was fetched in one before. It counts them, and the keys and
// entries that come with them.
type farEngine struct {
	kv.Engine
	trips, read atomic.Int64
}

func (e *farEngine) Snapshot(ctx context.Context) (kv.Reader, func(), error) {
	rd, release, err := e.Engine.Snapshot(ctx)
	return &farReader{e: e, below: rd}, release, err
}

type farReader struct {
	e       *farEngine
	below   kv.Reader
	fetched map[string]bool
}

func (r *farReader) trip(ids ...string) {
	if slices.ContainsFunc(ids, func(id string) bool { return !r.fetched[id] }) {
		r.e.trips.Add(1)
	}
}

func keyID(t kv.Table, key []byte) string { return string(t) + "\x00" + string(key) }

func rangeID(t kv.Table, r kv.Range) string {
	return fmt.Sprintf("%s %t %d %q %q", t, r.Reverse, r.Limit, r.From, r.To)
}

func (r *farReader) Prefetch(reads []kv.Read) error {
	r.e.trips.Add(1)
	r.fetched = map[string]bool{}
	for _, read := range reads {
		if read.Range != nil {
			r.fetched[rangeID(read.Table, *read.Range)] = true
		} else {
			r.fetched[keyID(read.Table, read.Key)] = true
		}
	}
	return nil
}

func (r *farReader) Forget() { r.fetched = nil }

func (r *farReader) Get(t kv.Table, key []byte) ([]byte, error) {
	r.trip(keyID(t, key))
	r.e.read.Add(1)
	return r.below.Get(t, key)
}

func (r *farReader) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = keyID(t, key)
	}
	r.trip(ids...)
	r.e.read.Add(int64(len(keys)))
	return r.below.GetMany(t, keys)
}

func (r *farReader) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	r.trip(rangeID(t, rng))
	entries, err := r.below.Scan(t, rng)
	r.e.read.Add(int64(len(entries)))
	return entries, err
}

// filled makes a register of n certificates, half of them claimed on and a twentieth
// void, and counts its figures.
func filled(t testing.TB, n int, opt registrytest.Options) *registrytest.Env {
	t.Helper()
	e := registrytest.New(t, opt)
	scene, err := torture.NewScene(ctx, e.Registry, e.Clock.Set, 1)
	if err == nil {
		err = scene.Fill(ctx, e.Registry, e.Clock.Set, torture.Size{Claims: n})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range scene.Claims[:n/2] {
		if err := scene.Reserve(ctx, e.Registry, h); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range scene.Claims[n/2 : n/2+n/20] {
		if _, err := e.ChangeCertificate(ctx, e.Authority, h.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "查实替考"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.CountFigures(ctx); err != nil {
		t.Fatal(err)
	}
	return e
}

// A check of more certificates costs so many more round trips as it has pages, and
// reads as much for each: over a network it is the round trips that take the time.
// What it holds does not grow with the register.
func TestCheckReadsAndHoldsPages(t *testing.T) {
	trips, reads, held := map[int]int64{}, map[int]int64{}, map[int]uint64{}
	small, large := 500, 2000
	if needed.RaceDetector {
		large = 1500
	}
	for _, n := range []int{small, large} {
		var far *farEngine
		e := filled(t, n, registrytest.Options{NoCheck: true, Engine: func(t testing.TB, dir string) kv.Engine {
			b, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			far = &farEngine{Engine: b}
			return far
		}})
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before, calls, last := heap(), 0, int64(0)
		report, err := e.Check(ctx, registry.Operator(), &registry.CheckOptions{Progress: func(p registry.CheckProgress) {
			if p.Done > 0 && p.Done == p.Total || p.Done == 0 {
				if now := far.trips.Load(); now-last > int64(n/20) {
					t.Logf("%d certificates: %s is at %d trips more", n, p.Part, now-last)
				}
				last = far.trips.Load()
			}
			if calls++; calls%5 == 0 {
				now := heap()
				held[n] = max(held[n], now-min(before, now))
			}
		}})
		if err != nil || report.Found > 0 || report.Certificates < n || report.Claims != n/2 {
			t.Fatalf("%+v %v", report, err)
		}
		trips[n], reads[n] = far.trips.Load(), far.read.Load()
		t.Logf("%d certificates: %d round trips, %d keys and entries read, %d KB held", n, trips[n], reads[n], held[n]>>10)
	}
	if more := trips[large] - trips[small]; more*8 > int64(large-small) {
		t.Errorf("%d certificates more cost %d round trips more", large-small, more)
	}
	perSmall, perLarge := float64(reads[small])/float64(small), float64(reads[large])/float64(large)
	if perLarge > 1.1*perSmall {
		t.Errorf("%.0f reads a certificate of %d, %.0f of %d", perSmall, small, perLarge, large)
	}
	if held[large] > held[small]+2<<20 {
		t.Errorf("%d KB are held of %d certificates, %d KB of %d", held[small]>>10, small, held[large]>>10, large)
	}
}

func TestCheckTellsPartsAndKinds(t *testing.T) {
	e := filled(t, 60, registrytest.Options{NoCheck: true})
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		return kv.Each(tx, "certificates_by_person", kv.Range{}, func(entry kv.Entry) error { tx.Delete("certificates_by_person", entry.Key); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	var said []registry.CheckProgress
	report, err := e.Check(ctx, registry.Operator(), &registry.CheckOptions{Parts: []string{"audit log", "indexes"}, Progress: func(p registry.CheckProgress) { said = append(said, p) }})
	if err != nil || report.Whole || len(report.Parts) != 2 || report.Parts[0].Name != "indexes" || report.Parts[1].Found != 0 {
		t.Fatalf("%+v %v", report, err)
	}
	p := report.Parts[0]
	if p.Found < 60 || len(p.Kinds) != 1 || p.Problems[0].ID == "" || p.Kinds[p.Problems[0].Kind] != p.Found {
		t.Errorf("%d found, kinds %v, first %+v", p.Found, p.Kinds, p.Problems[0])
	}
	if last := said[len(said)-1]; last.Part != "audit log" || last.Done != last.Total || last.Done != int(report.Events) {
		t.Errorf("progress ends with %+v", last)
	}
	if _, err := e.Check(ctx, registry.Operator(), &registry.CheckOptions{Parts: []string{"index"}}); fail.CodeOf(err) != "check_part" {
		t.Error(err)
	}
}

// A check that is interrupted ends at once, with an error.
func TestCheckEndsWhenItIsInterrupted(t *testing.T) {
	e := filled(t, 600, registrytest.Options{NoCheck: true}) // more than a page
	parts := registry.CheckPartNames()
	for i, part := range parts {
		ctx, cancel := context.WithCancel(ctx)
		began := time.Time{}
		opt := registry.CheckOptions{Parts: []string{part}} // in some of the whole check
		if i%6 == 5 || i == len(parts)-1 {
			opt.Parts = nil
		}
		opt.Progress = func(p registry.CheckProgress) {
			if p.Part == part && began.IsZero() {
				began = time.Now()
				cancel()
			}
		}
		report, err := e.Check(ctx, registry.Operator(), &opt)
		cancel()
		// A part that has nothing to read ends before it can be interrupted.
		if err == nil && report.Parts[len(report.Parts)-1].Entries > 0 || report.Whole && err != nil {
			t.Errorf("%s: %+v %v", part, report.Whole, err)
		}
		if took := time.Since(began); took > needed.Span(2*time.Second) {
			t.Errorf("%s: it took %s", part, took)
		}
	}
}

var checkCertificates = flag.Int("check.certificates", 2000, "certificates of BenchmarkCheck")

// BenchmarkCheck checks a whole register with -check.certificates certificates and
// half as many claims, and says how many entries a second each part goes through.
//
//	go test ./registry -run '^$' -bench 'Check$' -benchtime 1x -check.certificates 20000 -timeout 1h
func BenchmarkCheck(b *testing.B) {
	for name, engine := range map[string]func(testing.TB, string) kv.Engine{"bbolt": registrytest.Bolt, "postgres": registrytest.PostgreSQL} {
		b.Run(name, func(b *testing.B) {
			e := filled(b, *checkCertificates, registrytest.Options{NoCheck: true, Engine: engine})
			b.ResetTimer()
			for b.Loop() {
				at, part, seconds := time.Now(), "", map[string]float64{}
				var peak uint64
				report, err := e.Check(ctx, registry.Operator(), &registry.CheckOptions{Progress: func(p registry.CheckProgress) {
					seconds[part] += time.Since(at).Seconds()
					at, part = time.Now(), p.Part
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
				}})
				if err != nil || report.Found > 0 {
					b.Fatalf("%v %v", report.Problems, err)
				}
				var lines []string
				for _, p := range report.Parts {
					if p.Entries > 100 {
						lines = append(lines, fmt.Sprintf("%-24s %8d entries %7.2f s %9.0f/s", p.Name, p.Entries, seconds[p.Name], float64(p.Entries)/seconds[p.Name]))
					}
				}
				b.Logf("%d certificates, %d claims; heap at most %d MB\n%s", report.Certificates, report.Claims, peak>>20, strings.Join(lines, "\n"))
				b.ReportMetric(float64(report.Certificates)/b.Elapsed().Seconds(), "certificates/s")
			}
		})
	}
}
