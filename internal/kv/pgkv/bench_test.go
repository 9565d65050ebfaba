package pgkv_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"

	"github.com/jackc/pgx/v5"
)

const (
	benchWriters = 64
	benchReads   = 12
	benchKeys    = 20_000
)

func benchKey(n int) []byte { return fmt.Appendf(nil, "key %08d", n) }

// benchServer is a server that flushes to the disk, with benchKeys entries.
func benchServer(b *testing.B) (string, *pgkv.Engine) {
	connString := pgtest.Start(b, pgtest.Durable...).Database(b)
	e := open(b, connString, pgkv.Options{Conns: 32})
	err := e.Apply(b.Context(), func(kv.Reader) (writes []kv.Write, err error) {
		for n := range benchKeys {
			writes = append(writes, kv.Write{Table: "t", Key: benchKey(n), Value: make([]byte, 300)})
		}
		return writes, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return connString, e
}

// single hides the Prefetcher.
type single struct{ kv.Engine }

func (s single) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	return s.Engine.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
		return fn(struct{ kv.Reader }{r})
	})
}

// BenchmarkUpdate is 64 writers, each Update with 12 single reads and 2 writes.
func BenchmarkUpdate(b *testing.B) {
	_, e := benchServer(b)
	for _, bench := range []struct {
		name string
		e    kv.Engine
	}{{"prefetched", e}, {"single", single{e}}} {
		b.Run(bench.name, func(b *testing.B) {
			db, err := kv.Open(b.Context(), bench.e, kv.Options{Now: time.Now, Process: fmt.Sprint(bench.name, b.N)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.SetParallelism((benchWriters + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					keys := randomKeys()
					err := db.Update(context.Background(), func(tx kv.Tx) error {
						for _, key := range keys {
							if _, err := tx.Get("t", key); err != nil {
								return err
							}
						}
						tx.Put("t", keys[0], make([]byte, 300))
						tx.Put("t", keys[1], make([]byte, 300))
						return nil
					})
					if err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

// BenchmarkRaw is the same work as plain transactions, written by hand: one
// after another, as the lock has it, of 1 or 64 Updates each.
func BenchmarkRaw(b *testing.B) {
	connString, _ := benchServer(b)
	for _, group := range []int{1, benchWriters} {
		b.Run(fmt.Sprint("group-", group), func(b *testing.B) {
			ctx := b.Context()
			c, err := pgx.Connect(ctx, connString)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close(context.Background())
			if _, err := c.Exec(ctx, "set enable_seqscan = off"); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := rawGroup(ctx, c, group); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

func rawGroup(ctx context.Context, c *pgx.Conn, group int) error {
	if _, err := c.PgConn().Exec(ctx, "begin; select layout from bajigong_lock where id = 1 for update").ReadAll(); err != nil {
		return err
	}
	var reads, writes, values [][]byte
	seen := make(map[string]bool)
	for range group {
		keys := randomKeys()
		reads = append(reads, keys...)
		for _, key := range keys[:2] {
			if !seen[string(key)] {
				seen[string(key)] = true
				writes = append(writes, key)
				values = append(values, make([]byte, 300))
			}
		}
	}
	rows, err := c.Query(ctx, "select key, value from bajigong_kv where tbl = 't' and key = any($1::bytea[])", reads)
	if err != nil {
		return err
	}
	for rows.Next() {
		var key, value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
	}
	var batch pgx.Batch
	batch.Queue("insert into bajigong_kv select 't', * from unnest($1::bytea[], $2::bytea[]) "+
		"on conflict (tbl, key) do update set value = excluded.value", writes, values)
	batch.Queue("commit")
	return c.SendBatch(ctx, &batch).Close()
}

func randomKeys() [][]byte {
	keys := make([][]byte, benchReads)
	for i := range keys {
		keys[i] = benchKey(rand.IntN(benchKeys))
	}
	return keys
}

// BenchmarkView is the public path: one read on a pooled connection.
func BenchmarkView(b *testing.B) {
	_, e := benchServer(b)
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := e.View(context.Background(), func(r kv.Reader) error {
				_, err := r.Get("t", benchKey(rand.IntN(benchKeys)))
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}
