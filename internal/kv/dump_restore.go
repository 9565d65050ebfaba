package kv

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// While a store is being restored, two rows of table meta say so:
//
//	("restore")  "{dump} {records} {sum} {schema}"  how far it has come
//	("schema")   "2147483647 restore under way"     shuts out every program, also
//	                                                those that know no ("restore")
//
// {schema} is the row of that name in the dump, "-" while it was not met. The
// last Apply puts it in its place and removes the marker; before it no DB opens.
var (
	restoreKey      = Key("restore")
	restoringSchema = formatSchema(math.MaxInt32, "restore under way")
)

// A RestorePoint is a place between two records of a dump. Sum is the SHA-256
// of everything before it.
type RestorePoint struct {
	Records uint64
	Sum     [32]byte
}

// A NotEmptyError refuses to restore into a store that has something in it.
type NotEmptyError struct{ Tables []Table }

func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("store is not empty: it has %d tables", len(e.Tables))
}

type marker struct {
	dump   string
	at     RestorePoint
	schema string // "-" when not met
}

func (m marker) format() []byte {
	return fmt.Appendf(nil, "%s %d %x %s", m.dump, m.at.Records, m.at.Sum, m.schema)
}

func parseMarker(value []byte) (m marker, err error) {
	parts := strings.SplitN(string(value), " ", 4)
	if len(parts) != 4 {
		return m, fmt.Errorf("meta restore %q cannot be read: %w", value, ErrRestoring)
	}
	m.dump, m.schema = parts[0], parts[3]
	m.at.Records, err = strconv.ParseUint(parts[1], 10, 64)
	sum, err2 := hex.DecodeString(parts[2])
	if err != nil || err2 != nil || copy(m.at.Sum[:], sum) != len(m.at.Sum) || !bytes.Equal(m.format(), value) {
		return m, fmt.Errorf("meta restore %q cannot be read: %w", value, ErrRestoring)
	}
	return m, nil
}

// A Restoration fills an empty store with the records of one dump, in the order
// of the dump, a page at a time. It works on the engine: no DB is open.
type Restoration struct {
	engine Engine
	marker marker // as it stands in the store
}

// BeginRestoration begins to restore the dump with an id (1 to 64 letters and
// digits) in an empty store, or goes on where the restore of that dump was
// interrupted. Errors: a [*NotEmptyError]; [ErrRestoring] when it is another dump
// that is half restored; those of the engine. The engine stays the caller's.
func BeginRestoration(ctx context.Context, e Engine, dump string) (*Restoration, error) {
	if dump == "" || len(dump) > 64 || strings.ContainsFunc(dump, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}) {
		return nil, fmt.Errorf("dump id %q: %w", dump, ErrLimit)
	}
	var found marker
	err := settled(ctx, e, func(r Reader) ([]Write, error) {
		found = marker{dump: dump, schema: "-"}
		value, err := r.Get(metaTable, restoreKey)
		if err != nil {
			return nil, err
		}
		if value != nil {
			if found, err = parseMarker(value); err == nil && found.dump != dump {
				err = fmt.Errorf("%w from another dump, %s", ErrRestoring, found.dump)
			}
			return nil, err
		}
		tables, err := Tables(r)
		if err != nil {
			return nil, err
		}
		if len(tables) > 0 {
			return nil, &NotEmptyError{tables}
		}
		return []Write{{metaTable, restoreKey, found.format()}, {metaTable, schemaKey, restoringSchema}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Restoration{engine: e, marker: found}, nil
}

// Point is how far the store has come.
func (x *Restoration) Point() RestorePoint { return x.marker.at }

// Page stores the next records of the dump, after which it stands at a point.
// They are durable together with the point: a crash leaves both or none.
func (x *Restoration) Page(ctx context.Context, records []Write, at RestorePoint) error {
	next := x.marker
	next.at = at
	writes := make([]Write, 0, len(records)+1)
	for _, w := range records {
		if err := CheckEntry(w.Table, w.Key, w.Value); err != nil {
			return err
		}
		switch {
		case w.Table == metaTable && bytes.Equal(w.Key, restoreKey):
			return fmt.Errorf("the dump is of a store that was itself half restored: %w", ErrRestoring)
		case w.Table == metaTable && bytes.Equal(w.Key, schemaKey):
			if _, _, err := parseSchema(w.Value); err != nil {
				return err
			}
			next.schema = string(w.Value)
			continue
		}
		writes = append(writes, w)
	}
	return x.step(ctx, append(writes, Write{metaTable, restoreKey, next.format()}), next)
}

// Finish makes the store one that opens. Whatever is to be verified was verified
// before.
func (x *Restoration) Finish(ctx context.Context) error {
	schema := Write{Table: metaTable, Key: schemaKey} // none: a store without migrations
	if x.marker.schema != "-" {
		schema.Value = []byte(x.marker.schema)
	}
	return x.step(ctx, []Write{{Table: metaTable, Key: restoreKey}, schema}, marker{})
}

// step makes writes if the store still stands where this restoration left it.
func (x *Restoration) step(ctx context.Context, writes []Write, next marker) error {
	slices.SortFunc(writes, func(a, b Write) int {
		if a.Table != b.Table {
			return strings.Compare(string(a.Table), string(b.Table))
		}
		return bytes.Compare(a.Key, b.Key)
	})
	var after []byte // the marker when the writes were made before
	if next != (marker{}) {
		after = next.format()
	}
	before := x.marker.format()
	err := settled(ctx, x.engine, func(r Reader) ([]Write, error) {
		value, err := r.Get(metaTable, restoreKey)
		switch {
		case err != nil:
			return nil, err
		case bytes.Equal(value, before):
			return writes, nil
		case bytes.Equal(value, after):
			return nil, nil // the answer of an Apply before was lost
		}
		return nil, fmt.Errorf("another process restores into this store: %w", ErrRestoring)
	})
	if err == nil {
		x.marker = next
	}
	return err
}

// settleTries is how often an Apply whose outcome is unknown is made again, after
// ever longer pauses, half a minute in all: its function sees what became of it.
const settleTries = 9

func settled(ctx context.Context, e Engine, fn func(Reader) ([]Write, error)) error {
	for try := 0; ; try++ {
		err := e.Apply(ctx, fn)
		if !errors.Is(err, ErrOutcomeUnknown) || try == settleTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond << try):
		}
	}
}
