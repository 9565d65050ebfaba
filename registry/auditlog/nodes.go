package auditlog

import (
	"fmt"
	"math/bits"

	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

// nodes reads any hash of the tree of size leaves from the rows of its group: up
// to 16 hashes of one step that have the same parent. The hash of a subtree of
// 2^k leaves needs 2^(k mod 4) rows of step k/4. Every index asked for must lie
// in the tree.
type nodes struct {
	r     kv.Reader
	size  uint64
	cache *Cache // nil: none
}

var _ tlog.HashReader = nodes{}

// A place is a group: the hashes of a step from index·16.
type place struct {
	step  int
	index uint64
}

// A span is what is needed of a group, and what was read of it.
type span struct {
	place
	from, to uint64 // within the step, not within the group
	hashes   []tlog.Hash
	known    *cached // nil: hashes is all there is
	read     kv.Read // of hashes
}

// hash returns that of the subtree over hashes from to to.
func (s *span) hash(from, to uint64) tlog.Hash {
	if s.known == nil {
		return subtree(s.hashes[from-s.from : to-s.from])
	}
	level := bits.TrailingZeros64(to - from)
	return s.known.levels[level][(from%stepWidth)>>level]
}

// locate returns the rows that give a hash of the tree, by tlog's number of it.
func locate(index int64) (p place, from, to uint64) {
	level, n := tlog.SplitStoredHashIndex(index)
	sub := level % stepHeight
	from, to = uint64(n)<<sub, uint64(n+1)<<sub
	return place{level / stepHeight, from / stepWidth}, from, to
}

// ReadHashes implements tlog.HashReader.
func (ns nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	spans := make([]span, 0, 16)
	find := func(p place) *span {
		for i := range spans { // few: one or two for each step
			if spans[i].place == p {
				return &spans[i]
			}
		}
		return nil
	}
	for _, index := range indexes {
		p, from, to := locate(index)
		if have := find(p); have != nil {
			have.from, have.to = min(have.from, from), max(have.to, to)
		} else {
			spans = append(spans, span{place: p, from: from, to: to})
		}
	}
	if err := ns.fill(spans); err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		p, from, to := locate(index)
		out[i] = find(p).hash(from, to)
	}
	return out, nil
}

// fill reads what the cache does not have, on PostgreSQL in one round trip.
func (ns nodes) fill(spans []span) error {
	reads := make([]kv.Read, 0, len(spans))
	for i := range spans {
		if s := &spans[i]; !ns.cache.look(s) {
			ns.widen(s)
			s.read = rowsOf(s.step, s.from, s.to)
			reads = append(reads, s.read)
		}
	}
	if len(reads) > 1 {
		if err := ahead(ns.r, reads); err != nil {
			return fmt.Errorf("read hashes of the log: %w", err)
		}
	}
	for i := range spans {
		s := &spans[i]
		if s.known != nil {
			continue
		}
		var err error
		if s.hashes, err = readHashesBy(ns.r, s.read, s.step, s.from); err != nil {
			return err
		}
		ns.cache.keep(s)
	}
	return nil
}

// widen has the whole group read, as far as it is in the tree, when it is to be
// kept.
func (ns nodes) widen(s *span) {
	first := s.index * stepWidth
	have := min(ns.size>>(stepHeight*s.step), first+stepWidth)
	if ns.cache.wants(s.step, have-first) {
		s.from, s.to = first, have
	}
}

// ahead gives the engine what is read next when every read of it is a round trip.
func ahead(r kv.Reader, reads []kv.Read) error {
	if p, ok := r.(kv.Prefetcher); ok {
		return p.Prefetch(reads)
	}
	return nil
}
