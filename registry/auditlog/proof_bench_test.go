//go:build unix

package auditlog

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"

	"golang.org/x/mod/sumdb/tlog"
)

var proofEntries = flag.Uint64("proof-entries", 100_000, "entries of the log in BenchmarkProof; with 10 million it is made in about two minutes")

var proofLog = flag.String("proof-log", "", "file in which BenchmarkProof keeps its log, to be used again")

// grown makes a log of n entries without a commit for each thousand: its rows
// are those that Append writes, in groups of 32,768 entries.
func grown(t testing.TB, path string, n uint64) {
	t.Helper()
	e, err := boltkv.Open(path, boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	h := Head{Origin: testOrigin, Time: testStart}
	for h.Size < n {
		page := min(1<<15, n-h.Size)
		err := e.Apply(t.Context(), func(kv.Reader) ([]kv.Write, error) {
			tables := map[kv.Table][]kv.Write{}
			put := func(table kv.Table, key, value []byte) {
				tables[table] = append(tables[table], kv.Write{Table: table, Key: key, Value: value})
			}
			for range page {
				i := h.edge.size
				event := binary.BigEndian.AppendUint64([]byte(`{"kind":"certificate_signed","object":"S0000320583002530`), i)
				leaf, err := Leaf{Time: testStart, Digest: sha256.Sum256(event)}.Format()
				if err != nil {
					return nil, err
				}
				put(tableLeaves, indexKey(i), leaf)
				put(tableEvents, indexKey(i), formatStored(append(event, make([]byte, 150)...), testSalt(i)))
				h.edge.add(tlog.RecordHash(leaf), func(step int, n uint64, hash tlog.Hash) {
					if step > 0 {
						table, key := stepRow(step, n)
						put(table, key, hash[:])
					}
				})
			}
			h.Size = h.edge.size
			put(tableHead, headKey, formatHead(h))
			return sortedWrites(tables), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// cpuTime is what this process has used of the processors: on a machine that
// does other things too it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkProof is an entry with its proof, anywhere in the log: with a cache as
// a server has it, and with none. The limit beside it is the plain reading of the
// same rows.
//
//	go test -run '^$' -bench Proof ./registry/auditlog -args -proof-entries 10000000
func BenchmarkProof(b *testing.B) {
	path := *proofLog
	if path == "" {
		path = filepath.Join(b.TempDir(), "log.db")
	}
	if _, err := os.Stat(path); err != nil {
		begin := time.Now()
		grown(b, path, *proofEntries)
		b.Logf("%d entries made in %.0f s", *proofEntries, time.Since(begin).Seconds())
	}
	m := openStore(b, path, nil)
	at := published(b, m)
	for name, c := range map[string]*Cache{"cached": NewCache(), "uncached": nil} {
		b.Run(name, func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(1, 2))
			b.ReportAllocs()
			used := cpuTime(b)
			defer func() { b.ReportMetric(float64(cpuTime(b)-used)/float64(b.N), "cpu-ns/op") }()
			for b.Loop() {
				i := rnd.Uint64N(at.Size)
				err := m.read(func(r kv.Reader) error {
					bundle, err := c.MakeBundle(r, at, i)
					if len(bundle.Proof) == 0 {
						b.Fatal("no proof")
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
