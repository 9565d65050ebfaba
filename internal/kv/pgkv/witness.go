package pgkv

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"

	"bajigong/internal/kv"

	"github.com/jackc/pgx/v5/pgconn"
)

// A witness remembers the highest number that the row which this process alone
// writes was confirmed to have. A new connection to a database where it is lower
// leads to an old copy: to a primary that came back after its standby was promoted,
// or to a standby that had not been given everything. It is not read, and the next
// host is tried.
type witness struct {
	mu        sync.Mutex
	table     kv.Table
	key       []byte
	confirmed uint64
}

// Watch names the row. kv.DB calls it.
func (e *Engine) Watch(t kv.Table, key []byte) {
	e.witness.mu.Lock()
	defer e.witness.mu.Unlock()
	e.witness.table, e.witness.key, e.witness.confirmed = t, bytes.Clone(key), 0
}

// committed says that these writes are durable.
func (w *witness) committed(writes []kv.Write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, write := range writes {
		if write.Table != w.table || !bytes.Equal(write.Key, w.key) {
			continue
		}
		if n, err := strconv.ParseUint(string(write.Value), 10, 64); err == nil {
			w.confirmed = max(w.confirmed, n)
		}
	}
}

// Confirm says that the row was found to have this number. kv.DB calls it.
func (e *Engine) Confirm(group uint64) {
	e.witness.mu.Lock()
	defer e.witness.mu.Unlock()
	e.witness.confirmed = max(e.witness.confirmed, group)
}

// question is a statement to be put after others, or nothing, and the least number
// that is a good answer.
func (w *witness) question() (sql string, least uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.confirmed == 0 {
		return "", 0
	}
	return fmt.Sprintf("; select convert_from(value, 'UTF8') from bajigong_kv where tbl = '%s' and key = decode('%s', 'hex')",
		w.table, hex.EncodeToString(w.key)), w.confirmed
}

// checkWitness looks at the answer to a question.
func checkWitness(results []*pgconn.Result, least uint64) error {
	if least == 0 {
		return nil
	}
	var found uint64
	if len(results) > 0 && len(results[0].Rows) > 0 {
		found, _ = strconv.ParseUint(string(results[0].Rows[0][0]), 10, 64)
	}
	if found < least {
		return fmt.Errorf("%w: it has group %d of this process, which was told that %d is durable", kv.ErrStale, found, least)
	}
	return nil
}
