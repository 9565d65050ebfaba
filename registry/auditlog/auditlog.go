// Package auditlog is the tamper-evident log of every change to the register:
// an RFC 6962 Merkle tree kept in kv tables and published as C2SP tlog-tiles.
//
// What is public and what is not: the tree is built over [Leaf] values, 41 bytes
// of version, time and SHA-256(salt ‖ event). The event itself (JSON without
// personal data) and its random 16-byte salt lie in another table; they are
// shown, with a proof, to those whom they concern ([Bundle]) and can be erased
// ([EraseEvent]) without touching the tree. Hashes cover the stored bytes, never
// a value that was marshalled again.
//
// [Append] runs inside the Update that makes the change it records, so the log
// is in the order of writes. It reads one record, the head, which holds the
// right edge of the tree; it never scans. Everything else the tree needs is
// computed from rows when it is asked for, at most 16 rows per hash.
//
// Tables (keys are kv tuples, all values binary):
//
//	log_head    ("head")       → version, size, time of the last leaf, right edge, origin
//	log_leaves  (index)        → leaf, 41 bytes
//	log_tiles   (level, index) → hash of a complete subtree of 256^level leaves, level ≥ 1
//	log_middles (level, index) → hash of a complete subtree of 16·256^level leaves
//	events      (index)        → 0x01 ‖ salt ‖ event, or 0x00 ‖ time of erasure
//
//	log_witnesses (origin, "cosigned")  → seconds, count, note: the checkpoint with cosignatures
//	log_witnesses (origin, "size", key) → size at which a witness last cosigned
//
// A log is known by its origin and signs checkpoints with an Ed25519 key of that
// name. [Publisher] signs only what extends the last checkpoint it made, which
// is kept outside the data store, so that a restored older store, or one that
// was edited, cannot go on in its name: an operator must start a new origin with
// [StartOrigin] and [Publisher.Begin].
//
// [VerifyBundle] and [AuditLog] need no store and no network of their own: they
// are what `bajigong audit` runs.
package auditlog

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

// SaltSize is the size of an event's salt in bytes. A salt is random, made
// outside the Update, and used once.
const SaltSize = 16

// MaxEvent is the largest event in bytes.
const MaxEvent = 64 << 10

// maxSize bounds the log far above any real one and keeps every index, also
// tlog's stored-hash indexes (about twice the size), within int64.
const maxSize = 1 << 60

// Head is what the log knows about itself without computing anything.
type Head struct {
	Origin string    // the log's name, for example "register.example.cn/log"
	Size   uint64    // number of leaves
	Time   time.Time // of the last leaf, UTC, whole seconds; zero in an empty log
	edge   edge
}

// Root returns the Merkle tree hash of the whole log.
func (h Head) Root() tlog.Hash { return h.edge.root() }

// StartOrigin gives the log its name: at the first start, and when an operator
// decides to go on under a new one because the old may not sign any more
// (log_rolled_back). The leaves stay. A name must never be used twice:
// [Publisher.Begin] refuses one for which a checkpoint was ever saved. Errors:
// Invalid origin_malformed; Conflict origin_in_use when the log already has
// that name.
func StartOrigin(tx kv.Tx, origin string) error {
	if err := checkOrigin(origin); err != nil {
		return err
	}
	h, ok, err := readHead(tx)
	if err != nil {
		return err
	}
	if ok && h.Origin == origin {
		return fail.New(fail.Conflict, "origin_in_use", "the audit log already runs under the origin %s", origin).
			In("审计日志已在使用来源名 %s", origin)
	}
	h.Origin = origin
	tx.Put(tableHead, headKey, formatHead(h))
	return nil
}

// Append adds one event to the log within the Update that makes the change, and
// returns its index. The leaf's time is tx.Now(). event is JSON in UTF-8, at
// most MaxEvent bytes, and carries no personal data; it is stored as it is.
// salt must come from outside the Update. Errors are Internal (the caller's or
// the store's fault) except NotFound log_not_started.
func Append(tx kv.Tx, event []byte, salt [SaltSize]byte) (uint64, error) {
	switch {
	case len(event) > MaxEvent:
		return 0, fmt.Errorf("append to audit log: event of %d bytes, limit %d", len(event), MaxEvent)
	case !utf8.Valid(event) || !json.Valid(event):
		return 0, errors.New("append to audit log: event is not JSON in UTF-8")
	case salt == [SaltSize]byte{}:
		return 0, errors.New("append to audit log: salt is all zero")
	}
	h, err := ReadHead(tx)
	if err != nil {
		return 0, err
	}
	now := tx.Now()
	if h.Size > 0 && now.Before(h.Time) {
		// Entitlement is decided by the time in the log, so it must never run
		// against the log's order. kv promises it; this is where it would hurt.
		return 0, damaged("time %s is before the last entry's %s", now.Format(time.RFC3339), h.Time.Format(time.RFC3339))
	}
	if h.Size >= maxSize {
		return 0, damaged("size %d", h.Size)
	}
	leaf := Leaf{Time: now, Digest: Digest(salt, event)}
	data, err := leaf.Format()
	if err != nil {
		return 0, err
	}
	index := h.Size
	tx.Put(tableLeaves, indexKey(index), data)
	tx.Put(tableEvents, indexKey(index), formatStored(event, salt))
	h.edge.add(tlog.RecordHash(data), func(step int, n uint64, hash tlog.Hash) {
		if step > 0 {
			table, key := stepRow(step, n)
			tx.Put(table, key, hash[:])
		}
	})
	h.Size, h.Time = h.edge.size, leaf.Time
	tx.Put(tableHead, headKey, formatHead(h))
	return index, nil
}

// An Entry is one place of the log with the event behind it.
type Entry struct {
	Index    uint64
	Leaf     Leaf
	Event    []byte // the stored bytes; nil when erased
	Salt     [SaltSize]byte
	ErasedAt time.Time // zero unless the event was erased
}

// ReadEntry returns entry index. Errors: NotFound log_entry_unknown.
func ReadEntry(r kv.Reader, index uint64) (Entry, error) {
	data, err := r.Get(tableLeaves, indexKey(index))
	if err != nil {
		return Entry{}, fmt.Errorf("read log entry %d: %w", index, err)
	}
	if data == nil {
		return Entry{}, unknownEntry(index)
	}
	leaf, err := ParseLeaf(data)
	if err != nil {
		return Entry{}, damaged("leaf %d: %v", index, err)
	}
	stored, err := r.Get(tableEvents, indexKey(index))
	if err != nil {
		return Entry{}, fmt.Errorf("read event %d: %w", index, err)
	}
	event, salt, erased, err := parseStored(stored)
	if err != nil {
		return Entry{}, damaged("event %d: %v", index, err)
	}
	return Entry{Index: index, Leaf: leaf, Event: event, Salt: salt, ErasedAt: erased}, nil
}

// EraseEvent deletes the salt and the event of entry index for good and leaves
// its leaf, which then says nothing but that something happened at its time.
// Erasing twice changes nothing. Errors: NotFound log_entry_unknown.
func EraseEvent(tx kv.Tx, index uint64) error {
	e, err := ReadEntry(tx, index)
	if err != nil {
		return err
	}
	if e.Event != nil {
		tx.Put(tableEvents, indexKey(index), formatErased(tx.Now()))
	}
	return nil
}

// ReadHead returns the head of the log. Errors: NotFound log_not_started when
// the log has no origin yet.
func ReadHead(r kv.Reader) (Head, error) {
	h, ok, err := readHead(r)
	if err != nil {
		return Head{}, err
	}
	if !ok {
		return Head{}, fail.New(fail.NotFound, "log_not_started", "the audit log has no origin yet; run init").
			In("审计日志尚未启用，请先执行初始化（init）")
	}
	return h, nil
}

func readHead(r kv.Reader) (Head, bool, error) {
	data, err := r.Get(tableHead, headKey)
	if err != nil {
		return Head{}, false, fmt.Errorf("read log head: %w", err)
	}
	if data == nil {
		return Head{}, false, nil
	}
	h, err := parseHead(data)
	if err != nil {
		return Head{}, false, damaged("head: %v", err)
	}
	return h, true, nil
}

// The head record: 0x01 ‖ size uint64 ‖ seconds uint64 ‖ one hash per set bit of
// size, largest subtree first ‖ origin. Big-endian.
const headVersion = 1

func formatHead(h Head) []byte {
	b := []byte{headVersion}
	b = binary.BigEndian.AppendUint64(b, h.Size)
	var seconds uint64
	if h.Size > 0 {
		seconds = uint64(h.Time.Unix())
	}
	b = binary.BigEndian.AppendUint64(b, seconds)
	for _, hash := range h.edge.hashes {
		b = append(b, hash[:]...)
	}
	return append(b, h.Origin...)
}

func parseHead(b []byte) (Head, error) {
	if len(b) < 17 || b[0] != headVersion {
		return Head{}, errors.New("malformed")
	}
	size, seconds := binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	b = b[17:]
	if size > maxSize || seconds > maxSeconds || size == 0 && seconds != 0 {
		return Head{}, errors.New("size or time out of range")
	}
	h := Head{Size: size, edge: edge{size: size, hashes: make([]tlog.Hash, edgeLen(size), edgeLen(size)+1)}}
	if size > 0 {
		h.Time = time.Unix(int64(seconds), 0).UTC()
	}
	if len(b) < len(h.edge.hashes)*tlog.HashSize {
		return Head{}, errors.New("right edge cut off")
	}
	for i := range h.edge.hashes {
		b = b[copy(h.edge.hashes[i][:], b):]
	}
	h.Origin = string(b)
	return h, checkOrigin(h.Origin)
}

const (
	storedErased = 0
	storedEvent  = 1
)

func formatStored(event []byte, salt [SaltSize]byte) []byte {
	b := make([]byte, 0, 1+SaltSize+len(event))
	b = append(b, storedEvent)
	b = append(b, salt[:]...)
	return append(b, event...)
}

func formatErased(at time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte{storedErased}, uint64(at.Unix()))
}

func parseStored(b []byte) (event []byte, salt [SaltSize]byte, erased time.Time, err error) {
	switch {
	case len(b) > 1+SaltSize && b[0] == storedEvent:
		copy(salt[:], b[1:])
		return b[1+SaltSize:], salt, time.Time{}, nil
	case len(b) == 9 && b[0] == storedErased && binary.BigEndian.Uint64(b[1:]) <= maxSeconds:
		return nil, salt, time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0).UTC(), nil
	case b == nil:
		return nil, salt, time.Time{}, errors.New("missing")
	}
	return nil, salt, time.Time{}, errors.New("malformed")
}

// maxOrigin keeps the file name of an origin's checkpoint within what file
// systems take, also when every character of it must be escaped.
const maxOrigin = 80

// checkOrigin holds an origin to the form that C2SP recommends: a URL prefix
// without scheme and without a slash at its ends, of characters that need no
// escaping in a note. Errors: Invalid origin_malformed.
func checkOrigin(origin string) error {
	bad := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("-._:/", c))
	}
	if origin == "" || len(origin) > maxOrigin || strings.ContainsFunc(origin, bad) ||
		strings.HasPrefix(origin, "/") || strings.HasSuffix(origin, "/") || strings.Contains(origin, "//") {
		return fail.New(fail.Invalid, "origin_malformed",
			"the log's origin must be a host and path without scheme, in lower case, at most %d characters, such as register.example.cn/log; got %q", maxOrigin, origin).
			In("日志来源名应为不带协议的主机名加路径（小写，最长 %d 个字符），如 register.example.cn/log；收到的是 %q", maxOrigin, origin)
	}
	return nil
}

func unknownEntry(index uint64) error {
	return fail.New(fail.NotFound, "log_entry_unknown", "the audit log has no entry %d", index).
		In("审计日志中没有第 %d 条记录", index)
}

// damaged reports that the log's own tables contradict each other or their
// formats; the detail is for the operator's log.
func damaged(format string, args ...any) error {
	return fail.New(fail.Internal, "log_damaged", "the audit log's stored data do not agree; run bajigong check").
		In("审计日志的存储数据不一致，请运行 bajigong check 检查").
		Because(fmt.Errorf(format, args...))
}
