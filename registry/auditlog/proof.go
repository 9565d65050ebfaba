package auditlog

import (
	"bytes"
	"encoding/binary"
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
	h, err := tlog.TreeHash(int64(size), nodes{r: r, size: size})
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	return h, nil
}

// InclusionProof proves that entry index is in the tree of the given size (RFC
// 6962 §2.1.1). Errors: NotFound log_size_unknown, log_entry_unknown.
func InclusionProof(r kv.Reader, index, size uint64) (tlog.RecordProof, error) {
	return (*Cache)(nil).inclusion(r, index, size)
}

func (c *Cache) inclusion(r kv.Reader, index, size uint64) (tlog.RecordProof, error) {
	if err := within(r, size); err != nil {
		return nil, err
	}
	if index >= size {
		return nil, unknownEntry(index)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), nodes{r: r, size: size, cache: c})
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
	p, err := tlog.ProveTree(int64(grown), int64(old), nodes{r: r, size: grown})
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

// subtree returns the hash over hashes, whose count is a power of two.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// readHashes returns hashes from to to (exclusive) of a step: of complete
// subtrees of 16^step leaves.
func readHashes(r kv.Reader, step int, from, to uint64) ([]tlog.Hash, error) {
	return readHashesBy(r, rowsOf(step, from, to), step, from)
}

func readHashesBy(r kv.Reader, read kv.Read, step int, from uint64) ([]tlog.Hash, error) {
	rows, err := readRows(r, read, from)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(rows))
	for i, row := range rows {
		switch {
		case step == 0:
			if _, err := ParseLeaf(row.Value); err != nil {
				return nil, damaged("leaf %d: %v", from+uint64(i), err)
			}
			out[i] = tlog.RecordHash(row.Value)
		case len(row.Value) != tlog.HashSize:
			return nil, damaged("hash of step %d at %d: %d bytes", step, from+uint64(i), len(row.Value))
		default:
			out[i] = tlog.Hash(row.Value)
		}
	}
	return out, nil
}

func readLeaves(r kv.Reader, from, to uint64) ([][]byte, error) {
	rows, err := readRows(r, rowsOf(0, from, to), from)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(rows))
	for i, row := range rows {
		if _, err := ParseLeaf(row.Value); err != nil {
			return nil, damaged("leaf %d: %v", from+uint64(i), err)
		}
		out[i] = row.Value
	}
	return out, nil
}

// readRows returns the rows of consecutive keys from an index on, all of which
// must be there.
func readRows(r kv.Reader, read kv.Read, from uint64) ([]kv.Entry, error) {
	entries, err := r.Scan(read.Table, *read.Range)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", read.Table, err)
	}
	if len(entries) != read.Range.Limit {
		return nil, damaged("%s: %d of %d rows from %d", read.Table, len(entries), read.Range.Limit, from)
	}
	// A key ends with the index, see kv.Key; what is before it is the same in all.
	before := len(read.Range.From) - 8
	for i, e := range entries {
		if len(e.Key) != before+8 || !bytes.Equal(e.Key[:before], read.Range.From[:before]) || binary.BigEndian.Uint64(e.Key[before:]) != from+uint64(i) {
			return nil, damaged("%s: row %d missing", read.Table, from+uint64(i))
		}
	}
	return entries, nil
}

// rowsOf is the reading of rows from to to (exclusive) of a step.
func rowsOf(step int, from, to uint64) kv.Read {
	table, first := stepRow(step, from)
	_, end := stepRow(step, to)
	return kv.Read{Table: table, Range: &kv.Range{From: first, To: end, Limit: int(to - from)}}
}
