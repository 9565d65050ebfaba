package boltkv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

var freelists = []freelist{{}, {hashmap: true}, {noSync: true}, {hashmap: true, noSync: true}}

// writers is how many Updates wait at a time: a busy server.
const writers = 64

// BenchmarkGroupCommit measures one Update, a claim with its log entry, among 64
// that come at once. BenchmarkRawBatch is its limit: the same writes, that many
// in one bbolt transaction, without queue, overlay and hand-over.
func BenchmarkGroupCommit(b *testing.B) {
	counter := &counting{engine: openAt(b, newPath(b), Options{})}
	db, err := kv.Open(b.Context(), counter, kv.Options{Now: time.Now, Process: "bench"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var n atomic.Uint64
	b.SetParallelism(writers / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	start := counter.applies.Load()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			err := db.Update(b.Context(), func(tx kv.Tx) error {
				key := kv.Key(person(i))
				if v, err := tx.Get("claims", key); err != nil || v != nil {
					return errors.Join(err, errors.New("taken"))
				}
				tx.Put("claims", key, value)
				tx.Put("events", kv.Key(i), value)
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/float64(counter.applies.Load()-start), "updates/commit")
}

func BenchmarkRawBatch(b *testing.B) {
	for _, size := range []int{1, writers, 2 * writers} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			e := openAt(b, newPath(b), Options{})
			n := uint64(0)
			for b.Loop() {
				if n++; n%uint64(size) != 1 && size > 1 {
					continue // one commit for so many
				}
				err := e.db.Update(func(tx *bbolt.Tx) error { return rawWrites(tx, n, size) })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func rawWrites(tx *bbolt.Tx, n uint64, size int) error {
	claims, err := tx.CreateBucketIfNotExists([]byte("claims"))
	if err != nil {
		return err
	}
	events, err := tx.CreateBucketIfNotExists([]byte("events"))
	if err != nil {
		return err
	}
	for i := n; i < n+uint64(size); i++ {
		key := kv.Key(person(i))
		if claims.Get(key) != nil {
			return errors.New("taken")
		}
		if err := errors.Join(claims.Put(key, value), events.Put(kv.Key(i), value)); err != nil {
			return err
		}
	}
	return nil
}

// person spreads the keys as random ids are.
func person(i uint64) uint64 { return i * 0x9E3779B97F4A7C15 }

var value = make([]byte, 300)

type counting struct {
	*engine
	applies atomic.Int64
}

func (c *counting) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	c.applies.Add(1)
	return c.engine.Apply(ctx, fn)
}

// BenchmarkFreelist measures a commit of ten scattered records in a store of
// 200,000, about a quarter of whose pages are free, for each way to keep these.
func BenchmarkFreelist(b *testing.B) {
	for _, list := range freelists {
		b.Run(fmt.Sprintf("hashmap=%t,noSync=%t", list.hashmap, list.noSync), func(b *testing.B) {
			e := openAt(b, newPath(b), Options{NoSync: true, freelist: list})
			fill(b, e, 200_000)
			e.db.NoSync = false
			for b.Loop() {
				err := e.db.Update(func(tx *bbolt.Tx) error {
					return rawWrites(tx, rand.Uint64(), 10)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fill writes n claims and events and removes every second hundred of the events.
func fill(b *testing.B, e *engine, n int) {
	b.Helper()
	const page = 5000
	for from := 0; from < n; from += page {
		err := e.db.Update(func(tx *bbolt.Tx) error { return rawWrites(tx, uint64(from), page) })
		if err != nil {
			b.Fatal(err)
		}
	}
	err := e.db.Update(func(tx *bbolt.Tx) error {
		for i := range n {
			if i/100%2 == 0 {
				if err := tx.Bucket([]byte("events")).Delete(kv.Key(uint64(i))); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
