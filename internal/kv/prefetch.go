package kv

import (
	"bytes"
	"errors"
	"fmt"
)

// rehearse runs fn on a View and gives what it read of the engine, so that the
// group can read it in one round trip while it holds the lock. The run decides
// nothing: its writes are dropped and its error or panic is ignored, since fn
// runs again on the state that counts.
func (db *DB) rehearse(req *request) []Read {
	var rec recorder
	_ = db.engine.View(req.ctx, func(r Reader) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = errors.New("rehearsal panicked")
			}
		}()
		rec = recorder{below: r}
		return newTx(&rec, later(db.opt.Now(), db.lastTime()), req.system).run(req.fn)
	})
	return rec.reads
}

// recorder notes every read that reaches the engine.
type recorder struct {
	below Reader
	reads []Read
}

func (rec *recorder) Get(t Table, key []byte) ([]byte, error) {
	rec.reads = append(rec.reads, Read{Table: t, Key: bytes.Clone(key)})
	return rec.below.Get(t, key)
}

func (rec *recorder) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	for _, key := range keys {
		rec.reads = append(rec.reads, Read{Table: t, Key: bytes.Clone(key)})
	}
	return rec.below.GetMany(t, keys)
}

func (rec *recorder) Scan(t Table, r Range) ([]Entry, error) {
	rec.reads = append(rec.reads, Read{Table: t, Range: &Range{
		From: bytes.Clone(r.From), To: bytes.Clone(r.To), Limit: r.Limit, Reverse: r.Reverse,
	}})
	return rec.below.Scan(t, r)
}

// prefetch asks for the union of what kv itself and the members will read.
func (g *group) prefetch(r Reader) error {
	p, ok := r.(Prefetcher)
	g.db.prefetches.Store(ok)
	if !ok {
		return nil
	}
	reads := []Read{
		{Table: metaTable, Key: schemaKey},
		{Table: metaTable, Key: timeKey},
		{Table: metaTable, Key: writerKey(g.db.opt.Process)},
		{Table: metaTable, Key: turnKey},
	}
	seen := map[string]bool{}
	for _, req := range g.members {
		for _, read := range req.reads {
			if id := read.id(); !seen[id] {
				seen[id] = true
				reads = append(reads, read)
			}
		}
	}
	return p.Prefetch(reads)
}

// id is equal for equal reads.
func (read Read) id() string {
	if read.Range == nil {
		return fmt.Sprintf("%s\x00%s", read.Table, read.Key)
	}
	r := read.Range
	return fmt.Sprintf("%s\x01%t%t%t%d\x00%q%q", read.Table, r.From == nil, r.To == nil, r.Reverse, r.Limit, r.From, r.To)
}
