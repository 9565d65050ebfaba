package auditlog

import (
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"
)

// A Cache remembers hashes of a published log. A hash of a complete subtree
// never changes and the publisher has bound itself to those within its
// checkpoint, so that nothing in a cache grows old; but it is of one log, and
// must be filled from committed states only, never from within an Update.
//
// It has the groups of the upper steps, each of which serves 4,096 entries or
// more, and the unfinished groups at the right edge, which serve every proof. It
// is bounded: at most cacheSlots groups of 16 hashes, about 9 MB. It is safe for
// use by several goroutines; a nil Cache has nothing.
type Cache struct {
	slots [cacheSlots]atomic.Pointer[cached]
}

const cacheSlots = 8192

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{} }

// cached is a group as far as it is in the tree: its first hashes, and above them
// the hashes of pairs, fours and eights of them.
type cached struct {
	place
	levels [stepHeight][]tlog.Hash
}

func newCached(p place, hashes []tlog.Hash) *cached {
	c := &cached{place: p}
	c.levels[0] = hashes
	for i := 1; i < stepHeight; i++ {
		below := c.levels[i-1]
		c.levels[i] = make([]tlog.Hash, len(below)/2)
		for n := range c.levels[i] {
			c.levels[i][n] = tlog.NodeHash(below[2*n], below[2*n+1])
		}
	}
	return c
}

// wants tells whether a group is kept of which so many hashes are in the tree.
// Full groups of leaves, and of subtrees of 16 leaves, are many and serve few.
func (c *Cache) wants(step int, hashes uint64) bool {
	return c != nil && (step >= 2 || hashes < stepWidth)
}

func (c *Cache) slot(p place) *atomic.Pointer[cached] {
	// Fibonacci hashing: neighbours in a step are spread.
	h := (p.index<<5 | uint64(p.step)) * 0x9e3779b97f4a7c15
	return &c.slots[h>>(64-13)]
}

// look gives s its hashes when they are known.
func (c *Cache) look(s *span) bool {
	if c == nil {
		return false
	}
	have, first := c.slot(s.place).Load(), s.index*stepWidth
	if have == nil || have.place != s.place || uint64(len(have.levels[0])) < s.to-first {
		return false
	}
	s.known = have
	return true
}

// keep remembers a group that was read from its first hash on.
func (c *Cache) keep(s *span) {
	if c.wants(s.step, s.to-s.index*stepWidth) && s.from == s.index*stepWidth {
		s.known = newCached(s.place, s.hashes)
		c.slot(s.place).Store(s.known)
	}
}
