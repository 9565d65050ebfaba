package registry_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// Every benchmark measures a use case and, in the same run on the same store,
// the parts without which it cannot be done: the same distinct reads and the
// same writes given to the engine directly, and the signatures, verifications
// and openings of sealed blocks by themselves. x-limit is how many times the
// time of those parts it takes; 1 would be nothing but them.

// benched is a register that syncs, with a tap before its engine.
type benched struct {
	*registrytest.Env
	scene *torture.Scene
	tap   *torture.Tap
}

func newBenched(b *testing.B, engine func(b *testing.B, dir string) kv.Engine) *benched {
	b.Helper()
	out := &benched{}
	out.Env = registrytest.New(b, registrytest.Options{NoCheck: true, Engine: func(_ testing.TB, dir string) kv.Engine {
		out.tap = torture.NewTap(engine(b, dir))
		return out.tap
	}})
	var err error
	if out.scene, err = torture.NewScene(b.Context(), out.Registry, out.Clock.Set, 1); err != nil {
		b.Fatal(err)
	}
	return out
}

func (e *benched) fill(b *testing.B, size torture.Size) {
	b.Helper()
	if err := e.scene.Fill(b.Context(), e.Registry, e.Clock.Set, size); err != nil {
		b.Fatal(err)
	}
}

func onBolt(b *testing.B, dir string) kv.Engine {
	b.Helper()
	e, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// onPostgreSQL is a server that writes to the disk.
func onPostgreSQL(b *testing.B, _ string) kv.Engine {
	b.Helper()
	e, err := pgkv.Open(b.Context(), pgtest.Start(b, pgtest.Durable...).Database(b), pgkv.Options{Conns: 32})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func newCrypto(b *testing.B) *torture.Crypto {
	b.Helper()
	c, err := torture.NewCrypto()
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// took is the time that fn takes.
func took(b *testing.B, fn func() error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := fn(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkIssue issues sessions of 500, durably. The limit is the same writes
// in the same commits, and after them the ES256 signatures on all processors.
func BenchmarkIssue(b *testing.B) {
	b.Run("bbolt", func(b *testing.B) { benchmarkIssue(b, onBolt) })
	b.Run("postgresql", func(b *testing.B) { benchmarkIssue(b, onPostgreSQL) })
}

func benchmarkIssue(b *testing.B, engine func(*testing.B, string) kv.Engine) {
	const rows = 500
	e, crypto := newBenched(b, engine), newCrypto(b)
	var ours, limit time.Duration
	n := 0
	for ; b.Loop(); n++ {
		b.StopTimer()
		e.fill(b, torture.Size{Issue: 1, IssueRows: rows})
		session := e.scene.Issue[0].ID
		e.tap.Start()
		b.StartTimer()
		ours += took(b, func() error {
			_, err := e.Issue(b.Context(), e.scene.Issuer(), session, nil)
			return err
		})
		b.StopTimer()
		commits, _ := e.tap.Stop()
		limit += took(b, func() error {
			for _, g := range commits {
				if err := torture.Redo(b.Context(), e.tap.Engine, torture.Group{Writes: g.Writes}); err != nil {
					return err
				}
			}
			return crypto.Sign(rows)
		})
		b.StartTimer()
	}
	b.ReportMetric(float64(n*rows)/ours.Seconds(), "rows/s")
	b.ReportMetric(ours.Seconds()/limit.Seconds(), "x-limit")
}

// BenchmarkVerdictByToken checks codes as scanned. The limit is one ES256
// verification and the distinct reads of that verdict in one View.
func BenchmarkVerdictByToken(b *testing.B) {
	crypto := newCrypto(b)
	benchmarkVerdict(b, func(e *benched, c registry.Issued) (bool, error) {
		v, err := e.VerdictByToken(context.Background(), c.QR)
		return v.Valid, err
	}, func() error {
		crypto.Verify()
		return nil
	})
}

// BenchmarkVerdictByHandle is what the page of a QR code asks. The limit is the
// distinct reads in one View and the opening of one sealed block.
func BenchmarkVerdictByHandle(b *testing.B) {
	crypto := newCrypto(b)
	benchmarkVerdict(b, func(e *benched, c registry.Issued) (bool, error) {
		v, err := e.VerdictByHandle(context.Background(), string(c.Handle))
		return v.Valid, err
	}, crypto.Open)
}

func benchmarkVerdict(b *testing.B, verdict func(*benched, registry.Issued) (bool, error), crypto func() error) {
	for _, store := range []struct {
		name   string
		engine func(*testing.B, string) kv.Engine
	}{{"bbolt", onBolt}, {"postgresql", onPostgreSQL}} {
		b.Run(store.name, func(b *testing.B) {
			e := newBenched(b, store.engine)
			e.fill(b, torture.Size{Claims: 1000})
			certificates, err := e.scene.Certificates(b.Context(), e.Registry, 256)
			if err != nil {
				b.Fatal(err)
			}
			one := func(i int) {
				if valid, err := verdict(e, certificates[i%len(certificates)]); err != nil || !valid {
					b.Fatalf("valid %t, %v", valid, err)
				}
			}
			reads := make([]torture.Group, len(certificates))
			for i := range reads {
				if reads[i], err = e.tap.Reads(func() error {
					one(i)
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				one(i)
			}
			b.StopTimer()
			ours := b.Elapsed()
			limit := took(b, func() error {
				for i := range b.N {
					if err := torture.Reread(context.Background(), e.tap.Engine, reads[i%len(reads)]); err != nil {
						return err
					}
					if err := crypto(); err != nil {
						return err
					}
				}
				return nil
			})
			b.ReportMetric(float64(b.N)/ours.Seconds(), "verdicts/s")
			b.ReportMetric(float64(len(reads[0].Reads)), "reads")
			b.ReportMetric(ours.Seconds()/limit.Seconds(), "x-limit")
		})
	}
}

// clients is how many payers reserve at a time.
const clients = 64

// BenchmarkReserve reserves claims of different people, 64 at a time, durably.
// The limit is their reads and writes in commits of 64 claims each, one after
// another.
func BenchmarkReserve(b *testing.B) {
	b.Run("bbolt", func(b *testing.B) { benchmarkReserve(b, onBolt) })
	b.Run("postgresql", func(b *testing.B) { benchmarkReserve(b, onPostgreSQL) })
}

func benchmarkReserve(b *testing.B, engine func(*testing.B, string) kv.Engine) {
	e := newBenched(b, engine)
	// Each claim needs a certificate of its own; they are made before.
	e.fill(b, torture.Size{Claims: b.N})
	claims := slices.Clone(e.scene.Claims)
	rand.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
	var next atomic.Int64
	e.tap.Start()
	b.SetParallelism((clients + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1) - 1
			if err := e.scene.Reserve(context.Background(), e.Registry, claims[i]); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	ours := b.Elapsed()
	commits, _ := e.tap.Stop()
	merged := torture.Merge(commits, "claims", clients)
	for i := range merged {
		merged[i] = merged[i].Distinct()
	}
	limit := took(b, func() error {
		for _, g := range merged {
			if err := torture.Redo(context.Background(), e.tap.Engine, g); err != nil {
				return err
			}
		}
		return nil
	})
	b.ReportMetric(float64(b.N)/ours.Seconds(), "claims/s")
	b.ReportMetric(float64(b.N)/float64(len(commits)), "claims/commit")
	b.ReportMetric(ours.Seconds()/limit.Seconds(), "x-limit")
}
