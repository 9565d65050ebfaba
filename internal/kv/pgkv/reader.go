package pgkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"bajigong/internal/kv"

	"github.com/jackc/pgx/v5"
)

// A reader reads inside one transaction. Every method is one round trip, or
// none when Prefetch has brought the answer.
type reader struct {
	ctx     context.Context
	conn    *pgx.Conn
	timeout time.Duration // of one round trip
	begin   string        // sent with the first read; "" once the transaction is open
	renew   func(context.Context, *pgx.Conn) (*pgx.Conn, error)
	err     error // the first failure; nothing is read after it

	values map[valueID][]byte
	scans  map[scanID][]kv.Entry
}

var _ kv.Prefetcher = (*reader)(nil)

type valueID struct {
	t   kv.Table
	key string
}

type scanID struct {
	t         kv.Table
	from, to  string
	unlimited bool // no To
	reverse   bool
	limit     int
}

func idOf(t kv.Table, r kv.Range) scanID {
	return scanID{t: t, from: string(r.From), to: string(r.To), unlimited: r.To == nil, reverse: r.Reverse, limit: r.Limit}
}

var errEnded = errors.New("read after the end of its transaction")

func (r *reader) end() { r.err = errEnded }

// Get reads one value.
func (r *reader) Get(t kv.Table, key []byte) ([]byte, error) {
	values, err := r.GetMany(t, [][]byte{key})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

// GetMany reads the values of keys, those that were not prefetched in one round trip.
func (r *reader) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	out := make([][]byte, len(keys))
	var missing [][]byte
	for i, key := range keys {
		if v, ok := r.values[valueID{t, string(key)}]; ok {
			out[i] = bytes.Clone(v)
		} else {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	var found map[string][]byte
	err := r.run(func(b *pgx.Batch) {
		found = make(map[string][]byte, len(missing))
		queueGets(b, t, missing, func(key, value []byte) { found[string(key)] = value })
	})
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if v, ok := found[string(key)]; ok {
			out[i] = v
			// The same key twice gives two values that may be changed apart.
			found[string(key)] = bytes.Clone(v)
		}
	}
	return out, nil
}

// Scan reads a range.
func (r *reader) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := checkLimit(t, rng); err != nil {
		return nil, err
	}
	if entries, ok := r.scans[idOf(t, rng)]; ok {
		return clone(entries), nil
	}
	var out []kv.Entry
	err := r.run(func(b *pgx.Batch) {
		out = nil
		queueScan(b, t, rng, func(entries []kv.Entry) { out = entries })
	})
	return out, err
}

// Prefetch reads all of reads in one round trip.
func (r *reader) Prefetch(reads []kv.Read) error {
	if r.err != nil {
		return r.err
	}
	keys := make(map[kv.Table][][]byte)
	for _, read := range reads {
		if read.Range == nil {
			keys[read.Table] = append(keys[read.Table], read.Key)
		} else if err := checkLimit(read.Table, *read.Range); err != nil {
			return err
		}
	}
	if len(reads) == 0 {
		return nil
	}
	return r.run(func(b *pgx.Batch) {
		if r.values == nil {
			r.values = make(map[valueID][]byte, len(reads))
			r.scans = make(map[scanID][]kv.Entry)
		}
		for t, keys := range keys {
			for _, key := range keys {
				r.values[valueID{t, string(key)}] = nil
			}
			queueGets(b, t, keys, func(key, value []byte) { r.values[valueID{t, string(key)}] = value })
		}
		for _, read := range reads {
			if read.Range != nil {
				id := idOf(read.Table, *read.Range)
				queueScan(b, read.Table, *read.Range, func(entries []kv.Entry) { r.scans[id] = entries })
			}
		}
	})
}

// Forget drops what Prefetch has brought: a snapshot that is read for hours holds
// no more than one round trip at a time.
func (r *reader) Forget() { r.values, r.scans = nil, nil }

// run sends what queue queues; queue may be called again and must then begin anew.
func (r *reader) run(queue func(*pgx.Batch)) error {
	err := r.send(queue)
	if err != nil && r.begin != "" && r.renew != nil && temporary(err) && r.ctx.Err() == nil {
		// The connection died while it lay idle. Nothing of this state has been
		// seen, so that another connection may give another one.
		if r.conn, err = r.renew(r.ctx, r.conn); err == nil {
			err = r.send(queue)
		}
	}
	if err != nil {
		r.err = fmt.Errorf("read: %w", err)
		// What was prefetched in part is no answer.
		r.values, r.scans = nil, nil
		return r.err
	}
	r.begin = ""
	return nil
}

func (r *reader) send(queue func(*pgx.Batch)) error {
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout)
	defer cancel()
	var b pgx.Batch
	if r.begin != "" {
		b.Queue(r.begin)
	}
	queue(&b)
	return r.conn.SendBatch(ctx, &b).Close()
}

func queueGets(b *pgx.Batch, t kv.Table, keys [][]byte, each func(key, value []byte)) {
	b.Queue("select key, value from bajigong_kv where tbl = $1 and key = any($2::bytea[])", string(t), keys).
		Query(func(rows pgx.Rows) error {
			entries, err := collect(rows)
			for _, e := range entries {
				each(e.Key, e.Value)
			}
			return err
		})
}

// Only a range without end lacks the last condition: no key is the highest one.
func queueScan(b *pgx.Batch, t kv.Table, rng kv.Range, done func([]kv.Entry)) {
	args := []any{string(t), append([]byte{}, rng.From...), rng.Limit}
	sql := "select key, value from bajigong_kv where tbl = $1 and key >= $2"
	if rng.To != nil {
		sql += " and key < $4"
		args = append(args, rng.To)
	}
	if rng.Reverse {
		sql += " order by tbl desc, key desc limit $3"
	} else {
		sql += " order by tbl, key limit $3"
	}
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		entries, err := collect(rows)
		done(entries)
		return err
	})
}

func collect(rows pgx.Rows) ([]kv.Entry, error) {
	var out []kv.Entry
	for rows.Next() {
		var e kv.Entry
		if err := rows.Scan(&e.Key, &e.Value); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

func checkLimit(t kv.Table, r kv.Range) error {
	if r.Limit < 1 || r.Limit > kv.MaxScan {
		return fmt.Errorf("%s: scan with limit %d, want 1 to %d: %w", t, r.Limit, kv.MaxScan, kv.ErrLimit)
	}
	return nil
}

func clone(entries []kv.Entry) []kv.Entry {
	out := make([]kv.Entry, len(entries))
	for i, e := range entries {
		out[i] = kv.Entry{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value)}
	}
	return out
}
