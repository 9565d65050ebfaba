package auditlog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
)

func TestCheckFindsDamage(t *testing.T) {
	m := largeLog(t)
	stored := func(i uint64) []byte { return formatStored(testEvent(i), testSalt(i)) }
	for name, c := range map[string]struct {
		harm func(kv.Tx)
		want string // in each report
		n    int
	}{
		"none":             {func(tx kv.Tx) {}, "", 0},
		"no head":          {func(tx kv.Tx) { tx.Delete(tableHead, headKey) }, "head", 2},
		"malformed head":   {func(tx kv.Tx) { tx.Put(tableHead, headKey, nil) }, "head", 2},
		"other size":       {func(tx kv.Tx) { putHead(tx, func(h *Head) { h.Size, h.edge = 4, edge{4, h.edge.hashes[:1]} }) }, "head says 4 leaves", 1},
		"other edge":       {func(tx kv.Tx) { putHead(tx, func(h *Head) { h.edge.hashes[0][3] ^= 1 }) }, "root is", 1},
		"other time":       {func(tx kv.Tx) { putHead(tx, func(h *Head) { h.Time = h.Time.Add(time.Second) }) }, "head says the last leaf", 1},
		"leaf gone":        {func(tx kv.Tx) { tx.Delete(tableLeaves, indexKey(70_000)) }, "leaf 70000 is missing", 1},
		"first leaf gone":  {func(tx kv.Tx) { tx.Delete(tableLeaves, indexKey(0)) }, "leaf 0 is missing", 1},
		"last leaf gone":   {func(tx kv.Tx) { tx.Delete(tableLeaves, indexKey(largeSize-1)) }, "", 2},
		"leaf malformed":   {func(tx kv.Tx) { tx.Put(tableLeaves, indexKey(9), []byte{1}) }, "leaf 9 is malformed", 1},
		"event gone":       {func(tx kv.Tx) { tx.Delete(tableEvents, indexKey(9)) }, "event 9 is missing", 1},
		"last event gone":  {func(tx kv.Tx) { tx.Delete(tableEvents, indexKey(largeSize-1)) }, "event 70449 is missing", 1},
		"event malformed":  {func(tx kv.Tx) { tx.Put(tableEvents, indexKey(9), []byte{3}) }, "event 9 is malformed", 1},
		"event of another": {func(tx kv.Tx) { tx.Put(tableEvents, indexKey(9), stored(10)) }, "event 9 does not have the hash", 1},
		"event too many":   {func(tx kv.Tx) { tx.Put(tableEvents, indexKey(largeSize), stored(1)) }, "belongs to no leaf", 1},
		"event between":    {func(tx kv.Tx) { tx.Put(tableEvents, append(indexKey(9), 0), stored(9)) }, "belongs to no leaf", 1},
		"tile gone":        {func(tx kv.Tx) { tx.Delete(tableTiles, tileKey(1, 200)) }, "log_tiles (1, 200) is missing", 1},
		"high tile gone":   {func(tx kv.Tx) { tx.Delete(tableTiles, tileKey(2, 0)) }, "log_tiles (2, 0) is missing", 1},
		"tile changed":     {func(tx kv.Tx) { tx.Put(tableTiles, tileKey(1, 7), make([]byte, 32)) }, "log_tiles (1, 7) is not", 1},
		"tile too many":    {func(tx kv.Tx) { tx.Put(tableTiles, tileKey(1, 275), make([]byte, 32)) }, "belongs to no leaf", 1},
		"tile of level 0":  {func(tx kv.Tx) { tx.Put(tableTiles, tileKey(0, 1), make([]byte, 32)) }, "belongs to no leaf", 1},
		"tile of level 3":  {func(tx kv.Tx) { tx.Put(tableTiles, tileKey(3, 0), make([]byte, 32)) }, "belongs to no leaf", 1},
		"tile between":     {func(tx kv.Tx) { tx.Put(tableTiles, append(tileKey(1, 3), 0), make([]byte, 32)) }, "belongs to no subtree", 1},
		"leaf into the past": {func(tx kv.Tx) {
			leaf, _ := Leaf{Time: testStart.Add(-time.Second), Digest: Digest(testSalt(70_440), testEvent(70_440))}.Format()
			tx.Put(tableLeaves, indexKey(70_440), leaf)
		}, "", 3},
		"middle gone":       {func(tx kv.Tx) { tx.Delete(tableMiddle, tileKey(0, 200)) }, "log_middles (0, 200) is missing", 1},
		"middle changed":    {func(tx kv.Tx) { tx.Put(tableMiddle, tileKey(1, 1), make([]byte, 32)) }, "log_middles (1, 1) is not", 1},
		"middle too many":   {func(tx kv.Tx) { tx.Put(tableMiddle, tileKey(0, 4403), make([]byte, 32)) }, "belongs to no leaf", 1},
		"middle of level 2": {func(tx kv.Tx) { tx.Put(tableMiddle, tileKey(2, 0), make([]byte, 32)) }, "belongs to no leaf", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m.harmed(c.harm, func(tx kv.Tx) {
				count := &counter{Tx: tx}
				got := problems(t, count)
				if len(got) != c.n || slices.ContainsFunc(got, func(p string) bool { return !strings.Contains(p, c.want) }) {
					t.Fatalf("%d reports: %q", len(got), got)
				}
				if count.widest > rowsPage {
					t.Fatalf("scan of %d rows", count.widest)
				}
			})
		})
	}
	got := problems(t, newStore(t))
	if len(got) != 1 || !strings.Contains(got[0], "no head") {
		t.Fatalf("a store without a log: %q", got)
	}
}

func putHead(tx kv.Tx, change func(*Head)) {
	h, _, _ := readHead(tx)
	change(&h)
	tx.Put(tableHead, headKey, formatHead(h))
}
