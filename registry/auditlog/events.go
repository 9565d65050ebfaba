package auditlog

import (
	"bytes"
	"fmt"
	"time"

	"bajigong/internal/kv"
)

// StoredEvent is an event as it is stored, without its leaf.
type StoredEvent struct {
	Index    uint64
	Event    []byte    // nil when it was erased
	ErasedAt time.Time // zero unless it was
}

// ScanEvents reads a page of at most limit events from entry from on, in the order
// of the log. A row that is malformed or missing is left out: [Check] says so.
func ScanEvents(r kv.Reader, from uint64, limit int) (page []StoredEvent, next uint64, more bool, err error) {
	entries, err := r.Scan(tableEvents, kv.Range{From: indexKey(from), Limit: limit})
	if err != nil {
		return nil, 0, false, fmt.Errorf("read events from %d: %w", from, err)
	}
	next = from
	for _, e := range entries {
		parts, err := kv.ParseKey(e.Key)
		if err != nil || len(parts) != 1 {
			continue
		}
		index, ok := parts[0].(uint64)
		if !ok || !bytes.Equal(e.Key, indexKey(index)) {
			continue
		}
		next = index + 1
		event, _, erased, err := parseStored(e.Value)
		if err != nil {
			continue
		}
		page = append(page, StoredEvent{Index: index, Event: event, ErasedAt: erased})
	}
	return page, next, len(entries) == limit && next > from, nil
}
