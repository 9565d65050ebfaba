package registry_test

import (
	mathrand "math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// withBits is a register of which list 0 of revocations has so many bits set, in
// pages of 500 as a mass change sets them, published now and then.
func withBits(b *testing.B, share float64) listsOf {
	b.Helper()
	e := listsOf{registrytest.New(b, registrytest.Options{NoCheck: true, Engine: func(t testing.TB, dir string) kv.Engine { return registrytest.Bolt(t, dir) }})}
	e.MustCertificates(e.MustAdmit(1), 0, 1)
	indices := mathrand.New(mathrand.NewPCG(1, 2)).Perm(credentials.StatusListBits)[:int(share*credentials.StatusListBits)]
	for n := 0; len(indices) > 0; n++ {
		page := indices[:min(500, len(indices))]
		indices = indices[len(page):]
		if err := e.SetStatusBits(ctx, credentials.Revocation, 0, true, page...); err != nil {
			b.Fatal(err)
		}
		if n%10 == 9 {
			e.Clock.Add(time.Minute)
			e.publish()
		}
	}
	e.Clock.Add(time.Minute)
	e.publish()
	return e
}

// BenchmarkStatusServe is a request for a published list that did not change:
// what is read, beside what one read of the store costs.
func BenchmarkStatusServe(b *testing.B) {
	e := withBits(b, 0.2)
	text := e.served("revocation-0").Text
	b.Run("list", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if l, err := e.PublishedStatusList(ctx, "revocation-0"); err != nil || len(l.Text) != len(text) {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(text)), "chars")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := e.DB.View(ctx, func(rd kv.Reader) error {
				_, err := rd.Get("status_published", kv.Key("revocation", uint64(0)))
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStatusPublish is one bit that changes and the publication of its list:
// reading it behind its newest base, packing, signing, storing. heap-MB is what
// the process holds afterwards beyond what it held before.
func BenchmarkStatusPublish(b *testing.B) {
	for _, percent := range []int{0, 1, 20} {
		b.Run(strconv.Itoa(percent)+"%", func(b *testing.B) {
			e := withBits(b, float64(percent)/100)
			rnd := mathrand.New(mathrand.NewPCG(1, 3))
			before := heap()
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				i := rnd.IntN(credentials.StatusListBits)
				for _, on := range []bool{false, true} { // it changes in any case
					if err := e.SetStatusBits(ctx, credentials.Revocation, 0, on, i); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if e.publish() != 1 {
					b.Fatal("not published")
				}
			}
			b.ReportMetric(float64(len(e.served("revocation-0").Text)), "chars")
			b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MB")
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkStatusPast is a list of a moment that nobody asked for before.
func BenchmarkStatusPast(b *testing.B) {
	e := withBits(b, 0.2)
	began := e.Clock.Now().Add(-5 * time.Minute)
	fresh, err := registry.New(e.DB, e.Config())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if _, err := fresh.StatusListAt(ctx, "revocation-0", began.Add(time.Duration(n%240)*time.Second)); err != nil {
			b.Fatal(err)
		}
		if n%240 == 0 { // the texts that were kept are asked for no more
			if fresh, err = registry.New(e.DB, e.Config()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
