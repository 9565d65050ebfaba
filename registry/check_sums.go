package registry

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
)

// agreement compares two ways of adding up by key, such as what the ledger gives and
// what is kept, in bounded memory whatever the number of keys: keys are thrown
// into a fixed number of buckets, each with a random weight, and buckets are
// compared. Two that differ in any key agree in a bucket with a probability of some
// 2⁻⁶⁰. Only when buckets differ the ledger is read once more, and the keys of
// those buckets are counted each for itself.
type agreement struct {
	seed, weight maphash.Seed
	width        int
	buckets      []uint64
	exact        map[string]*sumPair // nil while buckets are counted
	wrong        map[uint64]bool     // the buckets that differ
	more         int                 // that differ and are not looked at
}

type sumPair struct{ want, have []int64 }

// The two sides of an agreement.
const (
	sideLedger = 1  // what it should be
	sideKept   = -1 // what is kept
)

const (
	sumBuckets    = 1 << 14
	sumBucketsMax = 128 // that are looked into: with ten million keys some 80,000 of them
)

func newAgreement(width int) *agreement {
	return &agreement{seed: maphash.MakeSeed(), weight: maphash.MakeSeed(), width: width, buckets: make([]uint64, sumBuckets*width)}
}

// add adds values to a key on one side.
func (s *agreement) add(side int64, key string, values ...int64) {
	bucket := maphash.String(s.seed, key) % sumBuckets
	if s.exact == nil {
		weight := maphash.String(s.weight, key) | 1
		for i, v := range values {
			s.buckets[int(bucket)*s.width+i] += weight * uint64(side*v)
		}
		return
	}
	if !s.wrong[bucket] {
		return
	}
	p := s.exact[key]
	if p == nil {
		p = &sumPair{make([]int64, s.width), make([]int64, s.width)}
		s.exact[key] = p
	}
	to := p.want
	if side == sideKept {
		to = p.have
	}
	for i, v := range values {
		to[i] += v
	}
}

// settle reports the keys whose sums differ, in order. again adds everything once
// more, as it was added before; it is called only if something differs. Of the
// buckets that differ, at most most are looked into at a time; with rounds all of
// them are, one lot after another.
func (s *agreement) settle(most int, rounds bool, again func() error, differs func(key string, want, have []int64) error) error {
	var bad []uint64
	for b := range uint64(sumBuckets) {
		own := s.buckets[int(b)*s.width : int(b+1)*s.width]
		if slices.ContainsFunc(own, func(n uint64) bool { return n != 0 }) {
			bad = append(bad, b)
		}
	}
	for len(bad) > 0 {
		lot := bad[:min(most, len(bad))]
		bad = bad[len(lot):]
		s.exact, s.wrong = map[string]*sumPair{}, map[uint64]bool{}
		for _, b := range lot {
			s.wrong[b] = true
		}
		if err := again(); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(s.exact)) {
			p := s.exact[key]
			if slices.Equal(p.want, p.have) {
				continue
			}
			if err := differs(key, p.want, p.have); err != nil {
				return err
			}
		}
		if !rounds {
			break
		}
	}
	s.more = len(bad)
	return nil
}

// rest says how much differs that settle did not look into; empty when nothing.
func (s *agreement) rest() string {
	if s.more == 0 {
		return ""
	}
	return fmt.Sprintf("sums differ in at least %d more places", s.more)
}

// adder adds both sides of an agreement.
type adder func(c *check, s *agreement) error

// compare reports through differs what does not agree, and how much more there is.
// The first time all reports problems as it meets them, and its progress; the second
// time it only adds.
func (c *check) compare(width int, all adder, differs func(key string, want, have []int64)) error {
	s := newAgreement(width)
	if err := all(c, s); err != nil {
		return err
	}
	return c.settle(s, func() error { return all(c.quiet(), s) }, differs)
}

func (c *check) settle(s *agreement, again func() error, differs func(key string, want, have []int64)) error {
	err := s.settle(sumBucketsMax, false, again, func(key string, want, have []int64) error { differs(key, want, have); return nil })
	if rest := s.rest(); err == nil && rest != "" {
		c.say(rest)
	}
	return err
}

// quiet is the check going over the same once more: it reports nothing, and counts
// as no progress.
func (c *check) quiet() *check {
	q := *c
	q.lonely, q.show, q.part = &[]CheckProblem{}, nil, &CheckPart{}
	return &q
}
