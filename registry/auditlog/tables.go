package auditlog

import "bajigong/internal/kv"

// The tables of this package; nobody else writes them.
const (
	tableHead   kv.Table = "log_head"
	tableLeaves kv.Table = "log_leaves"
	tableTiles  kv.Table = "log_tiles"
	tableMiddle kv.Table = "log_middles"
	tableEvents kv.Table = "events"

	tableWitnesses kv.Table = "log_witnesses"
)

var headKey = kv.Key("head")

func cosignedKey(origin string) []byte { return kv.Key(origin, "cosigned") }

func witnessKey(origin string, k WitnessKey) []byte { return kv.Key(origin, "size", k.String()) }

func indexKey(index uint64) []byte { return kv.Key(index) }

func tileKey(level int, index uint64) []byte { return kv.Key(uint64(level), index) }

// stepRow is where the hash of a complete subtree of 16^step leaves is kept;
// step 0 is the leaves themselves.
func stepRow(step int, index uint64) (kv.Table, []byte) {
	switch {
	case step == 0:
		return tableLeaves, indexKey(index)
	case step%2 == 0:
		return tableTiles, tileKey(step/2, index)
	}
	return tableMiddle, tileKey(step/2, index)
}

// For who checks and repairs: LeavesTable has one row per entry of the log,
// TilesTable and MiddlesTable the hashes of subtrees, which follow from them.
const (
	LeavesTable  = tableLeaves
	TilesTable   = tableTiles
	MiddlesTable = tableMiddle
)
