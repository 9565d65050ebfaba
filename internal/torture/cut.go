package torture

import (
	"fmt"
	"math/rand/v2"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// A Cut is a file as a power cut could have left it.
type Cut struct {
	Content  []byte
	At       int // position in the recording
	Unsynced int // changes that were under way or in the cache
	Kept     int // sectors of them that the disk has
	Lost     int // sectors that it does not
}

// Points draws n positions for cuts of file: half of them anywhere, the others
// right after a change or sync of the file began, where most is at stake. None
// lies before first.
func (r *Recording) Points(file string, first, n int, rnd *rand.Rand) []int {
	var busy []int
	for _, at := range r.writes(file) {
		if at >= first {
			busy = append(busy, at)
		}
	}
	out := make([]int, n)
	for i := range out {
		out[i] = first + rnd.IntN(max(r.length-first, 0)+1)
		if i%2 == 1 && len(busy) > 0 {
			out[i] = busy[rnd.IntN(len(busy))]
		}
	}
	return out
}

// Cut rebuilds file at a position. base is the file when the recording began,
// all of it durable. What a returned sync covers is there; of everything else
// each sector is there or is as before, in one of these ways by chance: nothing,
// all, some whole writes, some sectors, all but one sector.
func (r *Recording) Cut(base []byte, file string, at int, rnd *rand.Rand) (Cut, error) {
	out := Cut{Content: append([]byte(nil), base...), At: at}
	durable := r.synced(file, at)
	luck := newLuck(rnd, r.Unsynced(file, at))
	for _, c := range r.calls {
		if c.file != file || c.begin >= at || c.kind != callWrite && c.kind != callTruncate {
			continue
		}
		sure := c.end < durable
		if !sure {
			out.Unsynced++
			luck.next()
		}
		if c.kind == callWrite && c.at < 0 {
			return out, fmt.Errorf("%s was written without an offset", file)
		}
		if c.kind == callTruncate {
			if sure || luck.sector(0, 1) {
				out.resize(c.size)
			}
			continue
		}
		out.write(c, sure, luck)
	}
	return out, nil
}

func (c *Cut) resize(size int64) {
	if size <= int64(len(c.Content)) {
		c.Content = c.Content[:size]
		return
	}
	c.Content = append(c.Content, make([]byte, size-int64(len(c.Content)))...)
}

func (c *Cut) write(w call, sure bool, l *luck) {
	sectors := (len(w.data) + sector - 1) / sector
	for i := range sectors {
		if !sure && !l.sector(i, sectors) {
			c.Lost++
			continue
		}
		if !sure {
			c.Kept++
		}
		part := w.data[i*sector : min((i+1)*sector, len(w.data))]
		from := w.at + int64(i*sector)
		if end := from + int64(len(part)); end > int64(len(c.Content)) {
			c.resize(end)
		}
		copy(c.Content[from:], part)
	}
}

// luck decides which unsynced sectors the disk has.
type luck struct {
	rnd    *rand.Rand
	way    int
	chance float64
	victim int // of way allButOne: the write that loses a sector
	write  int // number of the write now looked at
	whole  bool
	lost   int
}

const (
	nothing = iota
	everything
	wholeWrites
	someSectors
	allButOne
	ways
)

func newLuck(rnd *rand.Rand, writes int) *luck {
	return &luck{rnd: rnd, way: rnd.IntN(ways), chance: rnd.Float64(), victim: rnd.IntN(max(writes, 1)), write: -1, lost: -1}
}

// next is called before each unsynced write.
func (l *luck) next() {
	l.write++
	l.whole = l.rnd.Float64() < l.chance
	l.lost = -1
}

func (l *luck) sector(i, of int) bool {
	switch l.way {
	case nothing:
		return false
	case everything:
		return true
	case wholeWrites:
		return l.whole
	case someSectors:
		return l.rnd.Float64() < l.chance
	}
	if l.write != l.victim {
		return true
	}
	if l.lost < 0 {
		l.lost = l.rnd.IntN(of)
	}
	return i != l.lost
}

// Durable is file at a position with nothing but what syncs cover: the least
// that a disk can have.
func (r *Recording) Durable(base []byte, file string, at int) ([]byte, error) {
	out := Cut{Content: append([]byte(nil), base...), At: at}
	synced := r.synced(file, at)
	for _, c := range r.calls {
		switch {
		case c.file != file || c.end >= synced:
		case c.kind == callTruncate:
			out.resize(c.size)
		case c.kind == callWrite && c.at < 0:
			return nil, fmt.Errorf("%s was written without an offset", file)
		case c.kind == callWrite:
			out.write(c, true, nil)
		}
	}
	return out.Content, nil
}
