package auditlog

import (
	"bytes"
	"fmt"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

// Root returns the Merkle tree hash of the first size entries, computed from
// the stored rows. Errors: NotFound log_size_unknown when the log is smaller.
func Root(r kv.Reader, size uint64) (tlog.Hash, error) {
	if err := within(r, size); err != nil {
		return tlog.Hash{}, err
	}
	h, err := tlog.TreeHash(int64(size), nodes{r})
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	return h, nil
}

// InclusionProof proves that entry index is in the tree of the given size (RFC
// 6962 §2.1.1). Errors: NotFound log_size_unknown, log_entry_unknown.
func InclusionProof(r kv.Reader, index, size uint64) (tlog.RecordProof, error) {
	if err := within(r, size); err != nil {
		return nil, err
	}
	if index >= size {
		return nil, unknownEntry(index)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), nodes{r})
	if err != nil {
		return nil, fmt.Errorf("inclusion of %d in %d: %w", index, size, err)
	}
	return p, nil
}

// ConsistencyProof proves that the tree of size grown extends the tree of size
// old (RFC 6962 §2.1.2). From the empty tree the proof is empty: everything
// extends it. Errors: Invalid log_sizes when old is the larger; NotFound
// log_size_unknown.
func ConsistencyProof(r kv.Reader, old, grown uint64) (tlog.TreeProof, error) {
	if old > grown {
		return nil, fail.New(fail.Invalid, "log_sizes", "the old size %d is larger than the new size %d", old, grown).
			In("旧大小 %d 大于新大小 %d", old, grown)
	}
	if err := within(r, grown); err != nil {
		return nil, err
	}
	if old == 0 {
		return tlog.TreeProof{}, nil
	}
	p, err := tlog.ProveTree(int64(grown), int64(old), nodes{r})
	if err != nil {
		return nil, fmt.Errorf("consistency of %d with %d: %w", grown, old, err)
	}
	return p, nil
}

func within(r kv.Reader, size uint64) error {
	h, err := ReadHead(r)
	if err != nil {
		return err
	}
	if size > h.Size {
		return fail.New(fail.NotFound, "log_size_unknown", "the audit log has %d entries, not yet %d", h.Size, size).
			In("审计日志目前有 %d 条记录，尚未达到 %d 条", h.Size, size)
	}
	return nil
}

// nodes reads any hash of the tree from the rows of its tile: the hash of a
// subtree of 2^k leaves needs 2^(k mod 8) rows of level k/8, and hashes in the
// same tile share one Scan. Every index asked for must lie in the tree.
type nodes struct{ r kv.Reader }

var _ tlog.HashReader = nodes{}

// A run is consecutive hashes of one tile.
type run struct {
	from, to uint64 // within the level, not within the tile
	hashes   []tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (ns nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	type place struct {
		level int
		tile  uint64
	}
	runs := map[place]*run{}
	locate := func(index int64) (p place, from, to uint64) {
		level, n := tlog.SplitStoredHashIndex(index)
		sub := level % tileHeight
		from, to = uint64(n)<<sub, uint64(n+1)<<sub
		return place{level / tileHeight, from / tileWidth}, from, to
	}
	for _, index := range indexes {
		p, from, to := locate(index)
		if have, ok := runs[p]; ok {
			have.from, have.to = min(have.from, from), max(have.to, to)
		} else {
			runs[p] = &run{from: from, to: to}
		}
	}
	for p, have := range runs {
		var err error
		if have.hashes, err = readHashes(ns.r, p.level, have.from, have.to); err != nil {
			return nil, err
		}
	}
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		p, from, to := locate(index)
		have := runs[p]
		out[i] = subtree(have.hashes[from-have.from : to-have.from])
	}
	return out, nil
}

// subtree returns the hash over hashes, whose count is a power of two.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// readHashes returns hashes from to to (exclusive, at most a tile) of a tile
// level.
func readHashes(r kv.Reader, level int, from, to uint64) ([]tlog.Hash, error) {
	if level == 0 {
		leaves, err := readLeaves(r, from, to)
		if err != nil {
			return nil, err
		}
		out := make([]tlog.Hash, len(leaves))
		for i, leaf := range leaves {
			out[i] = tlog.RecordHash(leaf)
		}
		return out, nil
	}
	rows, err := readRows(r, tableTiles, func(n uint64) []byte { return tileKey(level, n) }, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(rows))
	for i, row := range rows {
		if len(row) != tlog.HashSize {
			return nil, damaged("tile hash (%d, %d): %d bytes", level, from+uint64(i), len(row))
		}
		out[i] = tlog.Hash(row)
	}
	return out, nil
}

func readLeaves(r kv.Reader, from, to uint64) ([][]byte, error) {
	rows, err := readRows(r, tableLeaves, indexKey, from, to)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if _, err := ParseLeaf(row); err != nil {
			return nil, damaged("leaf %d: %v", from+uint64(i), err)
		}
	}
	return rows, nil
}

// readRows returns the values of consecutive keys, all of which must be there.
func readRows(r kv.Reader, t kv.Table, key func(uint64) []byte, from, to uint64) ([][]byte, error) {
	entries, err := r.Scan(t, kv.Range{From: key(from), To: key(to), Limit: int(to - from)})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t, err)
	}
	if uint64(len(entries)) != to-from {
		return nil, damaged("%s: %d rows from %d to %d", t, len(entries), from, to)
	}
	out := make([][]byte, len(entries))
	for i, e := range entries {
		if !bytes.Equal(e.Key, key(from+uint64(i))) {
			return nil, damaged("%s: row %d missing", t, from+uint64(i))
		}
		out[i] = e.Value
	}
	return out, nil
}
