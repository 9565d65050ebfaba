package pgkv_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/internal/needed"
)

// share lets the writers of several DBs update for a while and gives, by DB, how
// long the slowest Update took.
func share(t testing.TB, dbs []*kv.DB, writers []int, during time.Duration) []time.Duration {
	longest := make([]time.Duration, len(dbs))
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, db := range dbs {
		for w := range writers[i] {
			all.Go(func() {
				key := fmt.Sprintf("%d %d", i, w)
				for ctx.Err() == nil {
					began := time.Now()
					if err := write(db, key, key); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					longest[i] = max(longest[i], time.Since(began))
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	return longest
}

// Two processes share the writers' lock: one with a single client beside one with
// many, and one that is far from the database beside one at its side. Nobody waits
// long, and nobody has to live on what the other leaves. The figures are loose
// since the machine of a test may do anything meanwhile; -v shows them.
func TestShareOfTheLock(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t)
	for _, test := range []struct {
		name    string
		writers []int
		delay   time.Duration
		least   float64 // the smaller part of all groups
	}{
		{"as many clients", []int{8, 8}, 0, 0.2},
		{"one client against many", []int{32, 1}, 0, 0.2},
		{"far", []int{8, 8}, 2 * time.Millisecond, 0.02}, // bounded by its own round trips
	} {
		t.Run(test.name, func(t *testing.T) {
			second := connString
			if test.delay > 0 {
				p := pgtest.NewProxy(t, connString)
				p.Delay(test.delay)
				second = p.ConnString()
			}
			names := []string{t.Name() + "a", t.Name() + "b"}
			dbs := []*kv.DB{openDB(t, open(t, connString, pgkv.Options{}), names[0]), openDB(t, open(t, second, pgkv.Options{}), names[1])}
			longest := share(t, dbs, test.writers, 2*time.Second)
			var groups [2]float64
			for i, name := range names {
				err := dbs[0].View(t.Context(), func(r kv.Reader) error {
					value, err := r.Get("meta", kv.Key("writer", name))
					if err == nil {
						groups[i], err = strconv.ParseFloat(string(value), 64)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			part := min(groups[0], groups[1]) / (groups[0] + groups[1])
			t.Logf("groups %v, the smaller part %.2f, longest wait %v", groups, part, longest)
			if part < test.least || max(longest[0], longest[1]) > needed.Span(5*time.Second) {
				t.Errorf("the lock is not shared: %.2f of the groups (want %.2f), longest wait %v", part, test.least, longest)
			}
		})
	}
}
