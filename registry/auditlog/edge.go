package auditlog

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is the number of tree levels in a tile, tileWidth the number of
// hashes in a full one (C2SP tlog-tiles).
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// A step is half a tile's height: the store keeps the hashes of all complete
// subtrees whose height is a multiple of it, so that any hash of the tree is
// computed from at most stepWidth rows.
const (
	stepHeight = tileHeight / 2
	stepWidth  = 1 << stepHeight
)

// An edge is the right edge of a Merkle tree: the roots of the complete subtrees
// into which its size divides, largest first, one per set bit of size. It is all
// that is needed to add leaves and to compute the root. The zero edge is that of
// the empty tree.
type edge struct {
	size   uint64
	hashes []tlog.Hash
}

func edgeLen(size uint64) int { return bits.OnesCount64(size) }

// add appends a leaf by its hash. It calls complete for each hash that is kept
// and is now final: that of the leaf itself (step 0), and of each subtree of
// 16^step leaves that the leaf completes, lowest step first. An even step is
// level step/2 of the tiles.
func (e *edge) add(h tlog.Hash, complete func(step int, n uint64, h tlog.Hash)) {
	complete(0, e.size, h)
	level := 0
	for ; e.size>>level&1 == 1; level++ {
		last := len(e.hashes) - 1
		h = tlog.NodeHash(e.hashes[last], h)
		e.hashes = e.hashes[:last]
		if up := level + 1; up%stepHeight == 0 {
			complete(up/stepHeight, e.size>>up, h)
		}
	}
	e.hashes = append(e.hashes, h)
	e.size++
}

// root returns the Merkle tree hash (RFC 6962 §2.1): the complete subtrees
// joined from the right.
func (e edge) root() tlog.Hash {
	if len(e.hashes) == 0 {
		h, _ := tlog.TreeHash(0, nil) // the hash of nothing; reads no hashes
		return h
	}
	h := e.hashes[len(e.hashes)-1]
	for i := len(e.hashes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.hashes[i], h)
	}
	return h
}
