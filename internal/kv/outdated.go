package kv

import "sync"

// outdated says that the store has another schema since this DB was opened: every
// View and Update fails with why from then on.
type outdated struct {
	once sync.Once
	said chan struct{}
	why  error // before said is closed
}

// Outdated is closed once the DB has found that a newer program migrated the store, or
// that it was emptied or replaced: [DB.OutdatedBy] tells them apart. It answers nothing
// any more; who runs it should end.
func (db *DB) Outdated() <-chan struct{} { return db.outdated.said }

// OutdatedBy is nil, or why nothing is answered any more: [ErrSchema] after a newer
// program, [ErrSchemaLost] when the store has an older schema than it had.
func (db *DB) OutdatedBy() error {
	select {
	case <-db.outdated.said:
		return db.outdated.why
	default:
		return nil
	}
}

func (o *outdated) say(why error) {
	o.once.Do(func() {
		o.why = why
		close(o.said)
	})
}

// An exclusive engine is one that no other process can have open: its schema cannot
// change behind a DB.
type exclusive interface{ Exclusive() }

// guarded is the Reader of a View. With its first read it looks whether the store is
// still of this program's schema, in the same round trip where there are any: a
// process that was left running while a newer one migrates must not make sense of
// records of which it does not know the form.
type guarded struct {
	db    *DB
	below Reader
	sure  bool
	err   error
}

func (db *DB) guard(r Reader) Reader {
	if _, alone := db.engine.(exclusive); alone || !db.ready {
		return r
	}
	return &guarded{db: db, below: r}
}

func (g *guarded) check(reads func() []Read) error {
	if g.sure || g.err != nil {
		return g.err
	}
	if p, ok := g.below.(Prefetcher); ok {
		if g.err = p.Prefetch(append(reads(), Read{Table: metaTable, Key: schemaKey})); g.err != nil {
			return g.err
		}
	}
	schema, err := g.below.Get(metaTable, schemaKey)
	if err == nil {
		err = g.db.checkSchema(schema)
	}
	g.sure, g.err = err == nil, err
	return err
}

// State implements Stated; nothing may be taken from a state before its schema is
// known to be ours.
func (g *guarded) State() uint64 {
	if !g.sure {
		return 0
	}
	return StateOf(g.below)
}

func (g *guarded) Get(t Table, key []byte) ([]byte, error) {
	if err := g.check(func() []Read { return []Read{{Table: t, Key: key}} }); err != nil {
		return nil, err
	}
	return g.below.Get(t, key)
}

func (g *guarded) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	if err := g.check(func() []Read {
		reads := make([]Read, len(keys))
		for i, key := range keys {
			reads[i] = Read{Table: t, Key: key}
		}
		return reads
	}); err != nil {
		return nil, err
	}
	return g.below.GetMany(t, keys)
}

func (g *guarded) Scan(t Table, r Range) ([]Entry, error) {
	if err := g.check(func() []Read { return []Read{{Table: t, Range: &r}} }); err != nil {
		return nil, err
	}
	return g.below.Scan(t, r)
}
