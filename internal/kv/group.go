package kv

import (
	"errors"
	"fmt"
	"time"
)

// A group is the Updates that are committed together. One group is under way at
// a time in a process; the engine's lock orders it among processes.
type group struct {
	db      *DB
	number  uint64     // unique in this process: written to meta when the group writes
	members []*request // in the order they run, a bulk page last

	// After an unknown outcome: the next run under the lock first looks whether
	// the commit happened after all, and repeats the Updates only if not.
	unsure  bool
	retries int
	kept    bool // the commit was found to have happened

	wrote  bool // the last run had something to commit
	others bool // another process committed since this one's group before
}

// errLost is a commit that an unknown outcome turned out not to have kept, and
// whose repetition was lost as well.
var errLost = errors.New("commit was lost twice with its connection; nothing of it is stored")

// run is given to Engine.Apply; it may run more than once and begins anew each time.
func (g *group) run(r Reader) ([]Write, error) {
	base := &source{below: r}
	if err := g.prefetch(r); err != nil {
		return nil, fmt.Errorf("prefetch: %w", err)
	}
	m, err := readMeta(base, g.db.opt.Process)
	if err != nil {
		return nil, err
	}
	if m.writer < g.db.durable {
		return nil, fmt.Errorf("%w: it has group %d of this process, which was told that %d is durable", ErrStale, m.writer, g.db.durable)
	}
	g.others = m.turn != g.db.opt.Process
	if g.unsure {
		if g.kept = m.writer == g.number; g.kept {
			return nil, nil // it was committed: the results of the run before stand
		}
		if g.retries == 0 {
			return nil, errLost
		}
		g.unsure = false
		g.retries--
	}
	if err := g.db.checkSchema(m.schema); err != nil {
		return nil, err
	}
	g.db.last.Store(m.last.Unix())
	all, last, err := g.perform(base, m.last)
	g.wrote = err == nil && len(all.tables) > 0
	if err != nil || len(all.tables) == 0 {
		return nil, err
	}
	if !last.Equal(m.last) {
		all.set(metaTable, string(timeKey), formatTime(last))
	}
	all.set(metaTable, string(writerKey(g.db.opt.Process)), fmt.Append(nil, g.number))
	if g.db.prefetches.Load() && g.others {
		all.set(metaTable, string(turnKey), []byte(g.db.opt.Process))
	}
	return all.writes(), nil
}

// perform runs the members one after another over the group's overlay.
func (g *group) perform(base *source, last time.Time) (*overlay, time.Time, error) {
	all := newOverlay(base)
	var stay, back []*request
	for _, req := range g.members {
		if all.size >= g.db.opt.MaxGroupBytes && !req.bulk {
			back = append(back, req)
			continue
		}
		if !g.db.begin(req) {
			continue
		}
		stay = append(stay, req)
		last = g.performOne(req, all, last)
		if base.err != nil {
			// Nothing decided after a failed read may be kept, even if this
			// member took no notice of the error. g.members is left whole:
			// those that have not run get the error too.
			return nil, last, base.err
		}
	}
	g.members = stay
	g.db.putBack(back)
	return all, last, nil
}

// performOne runs one member and keeps its writes if it accepts; it gives the
// time of the last accepted write.
func (g *group) performOne(req *request, all *overlay, last time.Time) time.Time {
	for {
		t := newTx(all, later(g.db.opt.Now(), last), req.system)
		out := req.run(t)
		if !out.dead && g.db.opt.Rerun != nil && g.db.opt.Rerun() {
			continue
		}
		req.err = out.err
		if out.dead {
			g.db.forget(req)
		} else if out.err == nil && len(t.own.tables) > 0 {
			all.merge(t.own)
			last = t.now
		}
		return last
	}
}

// source is the engine's Reader under the lock. It remembers the first error.
type source struct {
	below Reader
	err   error
}

func (s *source) keep(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *source) Get(t Table, key []byte) ([]byte, error) {
	value, err := s.below.Get(t, key)
	s.keep(err)
	return value, err
}

func (s *source) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	values, err := s.below.GetMany(t, keys)
	s.keep(err)
	return values, err
}

func (s *source) Scan(t Table, r Range) ([]Entry, error) {
	entries, err := s.below.Scan(t, r)
	s.keep(err)
	return entries, err
}
