package kv

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Lister is a Reader that knows which tables there are: those of an engine's
// Views, Applies and Snapshots. A dump asks it rather than a list in the program,
// which might have forgotten one.
type Lister interface {
	// Tables gives the tables that have an entry, in order.
	Tables() ([]Table, error)
}

// Tables gives the tables of r that have an entry, in order, kv's own with them.
// r is of a View or Snapshot of a DB, or of an engine.
func Tables(r Reader) ([]Table, error) {
	if c, ok := r.(checked); ok {
		r = c.below
	}
	l, ok := r.(Lister)
	if !ok {
		return nil, fmt.Errorf("a %T cannot list its tables", r)
	}
	tables, err := l.Tables()
	slices.Sort(tables)
	return tables, err
}

// CheckEntry holds an entry that comes from outside, such as from a dump, to the
// limits of the store; the error wraps [ErrLimit].
func CheckEntry(t Table, key, value []byte) error {
	if len(value) > MaxValue {
		return fmt.Errorf("%s: value of %d bytes: %w", t, len(value), ErrLimit)
	}
	return checkKey(t, key)
}

// State is what a store says about itself, whatever program made it.
type State struct {
	Schema     int    // migrations begun; 0 in a store without any
	SchemaName string // of the last of them
	Migrating  bool   // the last one is under way
	Time       time.Time
	Restoring  string // id of the dump that is being restored; empty in a whole store
}

// ReadState reads the state of a store that need not have been opened as a DB.
func ReadState(r Reader) (s State, err error) {
	values, err := r.GetMany(metaTable, [][]byte{schemaKey, migrationKey, timeKey, restoreKey})
	if err != nil {
		return s, err
	}
	if values[3] != nil {
		m, err := parseMarker(values[3])
		s.Restoring = m.dump
		return s, err
	}
	if s.Schema, s.SchemaName, err = parseSchema(values[0]); err != nil {
		return s, err
	}
	s.Migrating = values[1] != nil
	s.Time, err = parseTime(values[2])
	return s, err
}

// ErrRestoring: a dump is being restored into the store, or was when a process
// died. Only the restore of the same dump can end it.
var ErrRestoring = errors.New("store is half restored")

// refuseRestoring is asked before anything else when a DB is opened.
func refuseRestoring(r Reader) error {
	value, err := r.Get(metaTable, restoreKey)
	if err != nil || value == nil {
		return err
	}
	m, err := parseMarker(value)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %d records of dump %s are in it", ErrRestoring, m.at.Records, m.dump)
}
