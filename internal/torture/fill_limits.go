package torture

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// SignOne makes one ES256 signature.
func (c *Crypto) SignOne() error {
	_, err := ecdsa.SignASN1(rand.Reader, c.key, c.digest[:])
	return err
}

// PgxWrites writes the rows of groups into a table of its own in a PostgreSQL
// database, each group in one durable commit, with pgx and nothing between: by one
// statement for what is put and one for what is deleted. The table goes in the end.
func PgxWrites(ctx context.Context, connString string, groups []Group) (s Sample, err error) {
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		return s, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	const create = `drop table if exists bajigong_bench; create table bajigong_bench (
	tbl text collate "C" not null, key bytea not null, value bytea not null, primary key (tbl, key)); set synchronous_commit = on`
	if _, err := c.Exec(ctx, create); err != nil {
		return s, err
	}
	s, err = Measure(1, len(groups), time.Hour, func(i int) error { return pgxWrite(ctx, c, groups[i].Writes) })
	if _, dropped := c.Exec(ctx, "drop table bajigong_bench"); err == nil {
		err = dropped
	}
	return s, err
}

func pgxWrite(ctx context.Context, c *pgx.Conn, writes []kv.Write) error {
	var put, gone struct {
		tables       []string
		keys, values [][]byte
	}
	for _, w := range writes {
		to := &put
		if w.Value == nil {
			to = &gone
		}
		to.tables, to.keys, to.values = append(to.tables, string(w.Table)), append(to.keys, w.Key), append(to.values, w.Value)
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	if len(put.keys) > 0 {
		const sql = `insert into bajigong_bench select * from unnest($1::text[], $2::bytea[], $3::bytea[]) on conflict (tbl, key) do update set value = excluded.value`
		if _, err := tx.Exec(ctx, sql, put.tables, put.keys, put.values); err != nil {
			return err
		}
	}
	if len(gone.keys) > 0 {
		const sql = `delete from bajigong_bench b using unnest($1::text[], $2::bytea[]) as g(tbl, key) where b.tbl = g.tbl and b.key = g.key`
		if _, err := tx.Exec(ctx, sql, gone.tables, gone.keys); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

// LogAlone appends groups of entries like those of an issue to a log of its own in
// memory. An entry is an operation.
func LogAlone(ctx context.Context, groups, entries int) (Sample, error) {
	db, err := kv.Open(ctx, NewBuffer(emptyEngine{}), kv.Options{Now: time.Now, Process: "log"}, nil)
	if err != nil {
		return Sample{}, err
	}
	defer db.Close()
	if err := db.Update(ctx, func(tx kv.Tx) error { return auditlog.StartOrigin(tx, "log.example.gov.cn/log") }); err != nil {
		return Sample{}, err
	}
	event, err := json.Marshal(map[string]any{"kind": "certificate_signed", "object": "S000032058301263000001", "institution": "i-0123456789abcdef",
		"by":     map[string]any{"account": "a-0123456789abcdef", "organisation": "i-0123456789abcdef", "via": "key:k-0123456789abcdef"},
		"detail": map[string]any{"batch": "b-0123456789abcdef", "version": 1, "status": 123456, "kid": "js01"}})
	if err != nil {
		return Sample{}, err
	}
	salts := make([][auditlog.SaltSize]byte, entries)
	for i := range salts {
		_, _ = rand.Read(salts[i][:])
	}
	s, err := Measure(1, groups, time.Hour, func(int) error {
		return db.Bulk(ctx, func(tx kv.Tx) error {
			for _, salt := range salts {
				if _, err := auditlog.Append(tx, event, salt); err != nil {
					return err
				}
			}
			return nil
		})
	})
	s.Ops *= entries
	return s, err
}

// emptyEngine is an engine that has nothing, below a Buffer that is never flushed.
type emptyEngine struct{}

func (emptyEngine) View(_ context.Context, fn func(kv.Reader) error) error { return fn(emptyEngine{}) }

func (emptyEngine) Apply(context.Context, func(kv.Reader) ([]kv.Write, error)) error {
	return fmt.Errorf("this engine keeps nothing")
}

func (emptyEngine) Snapshot(context.Context) (kv.Reader, func(), error) {
	return emptyEngine{}, func() {}, nil
}

func (emptyEngine) Close() error { return nil }

func (emptyEngine) Get(kv.Table, []byte) ([]byte, error) { return nil, nil }

func (emptyEngine) GetMany(_ kv.Table, keys [][]byte) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}

func (emptyEngine) Scan(kv.Table, kv.Range) ([]kv.Entry, error) { return nil, nil }
