package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// A Migration changes what is stored, in pages. Migrations are numbered by their
// place in the list: append to it, never edit it.
//
// Step works on one page, from cursor (nil at first), and gives the cursor of
// the next page; or done. Page, cursor and progress are committed together, so a
// process that dies between two pages goes on with the second one, and two
// processes that open the store at once share the work. A store that is new runs
// every migration, over empty tables.
type Migration struct {
	Name string // lower-case words, kept in the store
	Step func(tx Tx, cursor []byte) (next []byte, done bool, err error)
	// Trace, when not nil, finds what the first page of Step leaves in every store and
	// nothing else does. A store that has it although its schema row says that the
	// migration is still to come has lost that row: see [ErrSchemaLost].
	Trace func(r Reader) (bool, error)
}

// ErrSchemaLost: the row that says which migrations the store has had is gone, or
// older than the store. Migrations would run twice over what is stored; nothing was
// written.
var ErrSchemaLost = errors.New("store has lost the record of its migrations")

// migrate runs one group per page. The version is raised with the first page of
// a migration, not its last: from then on programs that do not know it are shut
// out, or they would write the old form behind the cursor.
func (db *DB) migrate(ctx context.Context, migrations []Migration) error {
	for {
		var finished bool
		req := newRequest(ctx, func(t Tx) error {
			var err error
			finished, err = migratePage(t.(*tx), migrations)
			return err
		}, true)
		req.system = true
		if err := db.submit(req); err != nil {
			return err
		}
		if finished {
			break
		}
	}
	db.version = len(migrations)
	if db.version > 0 {
		db.schema = formatSchema(db.version, migrations[db.version-1].Name)
	}
	db.ready = true
	return nil
}

// migratePage does the next page that the store needs, or says there is none.
func migratePage(t *tx, migrations []Migration) (finished bool, err error) {
	if err := refuseRestoring(t); err != nil {
		return false, err
	}
	values, err := t.GetMany(metaTable, [][]byte{schemaKey, migrationKey})
	if err != nil {
		return false, err
	}
	version, name, err := parseSchema(values[0])
	if err != nil {
		return false, err
	}
	if version > len(migrations) {
		return false, fmt.Errorf("store is at migration %d (%s), this program knows %d: %w", version, name, len(migrations), ErrSchema)
	}
	if version > 0 && migrations[version-1].Name != name {
		return false, fmt.Errorf("migration %d of the store is %q, of this program %q: %w", version, name, migrations[version-1].Name, ErrSchema)
	}
	cursor := values[1]
	if cursor != nil && version == 0 {
		return false, fmt.Errorf("a migration is under way, and the row of table meta that names it is missing: %w", ErrSchemaLost)
	}
	if cursor == nil { // none is under way
		if version == len(migrations) {
			return true, nil
		}
		if err := refuseTraces(t, migrations, version); err != nil {
			return false, err
		}
		version++
		t.Put(metaTable, schemaKey, formatSchema(version, migrations[version-1].Name))
	} else if len(cursor) == 0 {
		cursor = nil
	}
	m := migrations[version-1]
	next, done, err := m.page(t, cursor)
	if err != nil {
		return false, fmt.Errorf("migration %d (%s): %w", version, m.Name, err)
	}
	if done {
		t.Delete(metaTable, migrationKey)
	} else {
		t.Put(metaTable, migrationKey, next)
	}
	return false, nil
}

// refuseTraces is asked before a migration begins: a store that shows one which is
// still to come, as its schema row has it, must not be migrated by that row.
func refuseTraces(r Reader, migrations []Migration, version int) error {
	for i, m := range migrations[version:] {
		if m.Trace == nil {
			continue
		}
		found, err := m.Trace(r)
		if err != nil {
			return err
		}
		if found {
			return fmt.Errorf("migration %d (%s) has run, and table meta knows of %d only: %w", version+i+1, m.Name, version, ErrSchemaLost)
		}
	}
	return nil
}

// page runs Step without the right to write kv's own table.
func (m Migration) page(t *tx, cursor []byte) (next []byte, done bool, err error) {
	t.system = false
	defer func() { t.system = true }()
	next, done, err = m.Step(t, cursor)
	if err == nil && !done && (len(next) == 0 || bytes.Equal(next, cursor)) {
		err = errors.New("step is not done and its cursor does not move")
	}
	return next, done, err
}
