// Package dump is the file of a whole store: every entry of every table of one
// snapshot, in order, for moving to another engine and for backups.
//
// A file is
//
//	age( zstd( content ) )     or, when it is not encrypted,     zstd( content )
//
// so that `age -d` and `zstd -d` open it without this program. The content is
//
//	"bajigong dump\n"
//	'H' length header               JSON, see Header
//	for each table that has an entry, in order of the names:
//	    'T' length name
//	    for each entry, in order of the keys:
//	        'R' length key length value
//	'Z' length trailer              JSON, see Trailer
//
// with nothing behind it; lengths are unsigned varints in their shortest form.
// For example, the dump of a store with one entry, lengths in angle brackets:
//
//	bajigong dump
//	H⟨169⟩{"format":1,"id":"00…01","made":"2026-03-02T01:00:00Z","schema":0,"schema_name":"","time":"…"}
//	T⟨8⟩accounts R⟨3⟩a-1⟨2⟩{}
//	Z⟨136⟩{"records":1,"tables":[{"table":"accounts","records":1}],"sha256":"…"}
//
// The trailer counts the records and has the SHA-256 of everything before its
// 'Z', so that a file that was cut or changed is found. The hash is against
// accidents: whoever can write the file can also write another hash. What is in
// the file is sealed as in the store, but the file as a whole is the register,
// with its salts and hashes of keys: keep it like the store, or encrypt it.
//
// There is one way to write a content: what [Reader] accepts, [Writer] writes
// again byte for byte.
package dump

import (
	"encoding/json"
	"errors"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// Format is the version of the format that this package writes and reads.
const Format = 1

const magic = "bajigong dump\n"

const (
	tagHeader  = 'H'
	tagTable   = 'T'
	tagRecord  = 'R'
	tagTrailer = 'Z'
)

// maxJSON bounds header and trailer, maxTables what a reader keeps of a file before
// it has come to the trailer.
const (
	maxJSON   = 1 << 20
	maxTables = 5000
)

// Header says what is in a dump before it is read.
type Header struct {
	Format     int       `json:"format"`
	ID         string    `json:"id"`                  // 32 hexadecimal digits, random
	Made       time.Time `json:"made"`                // by the clock of the process that made it, UTC, whole seconds
	Origin     string    `json:"origin,omitempty"`    // of the register, as in its QR codes
	Schema     int       `json:"schema"`              // migrations of the store
	SchemaName string    `json:"schema_name"`         // of the last of them
	Migrating  bool      `json:"migrating,omitempty"` // it was under way
	Time       time.Time `json:"time"`                // the last committed time of the store
	Log        *Log      `json:"log,omitempty"`       // nil when the store has no audit log
}

// Log is the audit log of a dump as its head says.
type Log struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   string `json:"root"` // base64, as in a checkpoint
}

// Trailer says what was in a dump.
type Trailer struct {
	Records uint64  `json:"records"`
	Tables  []Count `json:"tables"`
	SHA256  string  `json:"sha256"` // of the content before the trailer, hexadecimal
}

// Count is the number of entries of a table.
type Count struct {
	Table   kv.Table `json:"table"`
	Records uint64   `json:"records"`
}

// Check holds a header to its form. Errors: Invalid dump_header.
func (h Header) Check() error {
	bad := func(what string) error {
		return fail.New(fail.Invalid, "dump_header", "the header of the dump is wrong: %s", what).In("备份文件头有误：%s", what)
	}
	switch {
	case h.Format != Format:
		return bad("format")
	case len(h.ID) != 32 || !isHex(h.ID):
		return bad("id")
	case h.Made.IsZero() || !whole(h.Made):
		return bad("made")
	case !whole(h.Time):
		return bad("time")
	case h.Schema < 0 || h.Schema == 0 && h.SchemaName != "":
		return bad("schema")
	}
	return nil
}

func whole(t time.Time) bool { return t.Location() == time.UTC && t.Nanosecond() == 0 }

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of texts and numbers
	}
	return b
}

// damaged says that a file is not what a Writer wrote, or not all of it.
func damaged(what string, cause error) error {
	e := fail.New(fail.Invalid, "dump_damaged", "the dump is cut off or damaged (%s); take another copy of it, or another backup", what).
		In("备份文件不完整或已损坏（%s）；请改用该文件的其他副本或其他备份", what)
	if cause != nil {
		e = e.Because(cause)
	}
	return e
}

var errOrder = errors.New("out of order")
