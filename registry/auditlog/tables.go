package auditlog

import "bajigong/internal/kv"

// The tables of this package; nobody else writes them.
const (
	tableHead   kv.Table = "log_head"
	tableLeaves kv.Table = "log_leaves"
	tableTiles  kv.Table = "log_tiles"
	tableEvents kv.Table = "events"
)

var headKey = kv.Key("head")

func indexKey(index uint64) []byte { return kv.Key(index) }

func tileKey(level int, index uint64) []byte { return kv.Key(uint64(level), index) }
