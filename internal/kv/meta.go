package kv

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// metaTable holds what kv itself keeps, all of it readable text:
//
//	("schema")           "3 claims_by_region"    migrations begun, name of the last
//	("migration")        the cursor of that migration while it is under way
//	("time")             "2026-03-01T02:03:04Z"  the last committed time
//	("restore")          how far a restore has come, see dump_restore.go
//	("writer", process)  "1042"                  the last group that process committed
//	("turn")             process                 who committed last; only where several may
//
// One writer row is added per start of a process and none is removed: some
// fifty bytes each.
const metaTable Table = "meta"

var (
	schemaKey    = Key("schema")
	migrationKey = Key("migration")
	timeKey      = Key("time")
	turnKey      = Key("turn")
)

func writerKey(process string) []byte { return Key("writer", process) }

// meta is what a group reads first, under the lock.
type meta struct {
	schema []byte
	last   time.Time // zero in a new store
	writer uint64    // this process's last committed group
	turn   string    // the process that committed last
}

func readMeta(r Reader, process string) (meta, error) {
	values, err := r.GetMany(metaTable, [][]byte{schemaKey, timeKey, writerKey(process), turnKey})
	if err != nil {
		return meta{}, err
	}
	m := meta{schema: values[0], turn: string(values[3])}
	if m.last, err = parseTime(values[1]); err != nil {
		return meta{}, err
	}
	if values[2] != nil {
		if m.writer, err = strconv.ParseUint(string(values[2]), 10, 64); err != nil {
			return meta{}, fmt.Errorf("meta writer: %w", err)
		}
	}
	return m, nil
}

func parseTime(value []byte) (time.Time, error) {
	if value == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, string(value))
	if err != nil {
		return time.Time{}, fmt.Errorf("meta time: %w", err)
	}
	return t.UTC(), nil
}

func formatTime(t time.Time) []byte { return []byte(t.Format(time.RFC3339)) }

// later is tx time: the clock's whole second, but never before last.
func later(clock, last time.Time) time.Time {
	now := clock.UTC().Truncate(time.Second)
	if now.Before(last) {
		return last
	}
	return now
}

// formatSchema is nil for no migration, like the absent row of a new store.
func formatSchema(version int, name string) []byte {
	if version == 0 {
		return nil
	}
	return []byte(strconv.Itoa(version) + " " + name)
}

func parseSchema(value []byte) (version int, name string, err error) {
	if value == nil {
		return 0, "", nil
	}
	number, name, ok := strings.Cut(string(value), " ")
	version, err = strconv.Atoi(number)
	if !ok || err != nil || version < 1 || string(formatSchema(version, name)) != string(value) {
		return 0, "", fmt.Errorf("meta schema %q cannot be read: %w", value, ErrSchema)
	}
	return version, name, nil
}
