package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

const townFile = "town.json"

// townStates are the states of a town that its store may be in: a load is written
// in one commit, and which of two states the store has says the size of its log.
type townStates struct {
	Before *Town `json:"before,omitempty"`
	Now    *Town `json:"now"`
}

// SaveTown keeps what must be known of a register in its folder. before is the state
// that the store has until the next commit, nil when it has the other already.
func SaveTown(dir string, before, now *Town) error {
	b, err := json.Marshal(townStates{before, now})
	if err != nil {
		return err
	}
	next := filepath.Join(dir, townFile+".new")
	f, err := os.Create(next)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(dir, townFile))
}

// LoadTown reads what SaveTown has kept and takes the state that the store is in:
// its log has so many entries. What was measured since has added some. The error
// wraps os.ErrNotExist when there is no town.
func LoadTown(dir string, entries uint64) (*Town, error) {
	b, err := os.ReadFile(filepath.Join(dir, townFile))
	if err != nil {
		return nil, err
	}
	var s townStates
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", townFile, err)
	}
	switch {
	case s.Now != nil && s.Now.Entries <= entries:
		return s.Now, nil
	case s.Before != nil && s.Before.Entries <= entries:
		return s.Before, nil
	}
	return nil, fmt.Errorf("%s is not of the store beside it; remove the folder", townFile)
}

// A Delay is an engine on a slow disk: each commit takes so much longer.
type Delay struct {
	kv.Engine
	By time.Duration
}

// Apply implements kv.Engine.
func (d Delay) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	err := d.Engine.Apply(ctx, fn)
	if err == nil {
		time.Sleep(d.By)
	}
	return err
}

// TableSize is how much room a table takes in a bbolt file.
type TableSize struct {
	Table string `json:"table"`
	Keys  int    `json:"keys"`
	Used  int    `json:"used_bytes"`  // by keys, values and what bbolt says of each
	Pages int    `json:"pages_bytes"` // whole pages
}

// TableSizes reads all pages of a bbolt file that nobody has open.
func TableSizes(path string) (out []TableSize, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			s := b.Stats()
			out = append(out, TableSize{Table: string(name), Keys: s.KeyN, Used: s.LeafInuse + s.BranchInuse, Pages: s.LeafAlloc + s.BranchAlloc})
			return nil
		})
	})
	return out, err
}

// CopyToPostgreSQL copies a bbolt file that nobody has open into the empty store of a
// PostgreSQL database, table by table in the order of the keys. show hears how many
// rows are there.
func CopyToPostgreSQL(ctx context.Context, path, connString string, show func(rows int)) (rows int, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := pgx.Connect(ctx, connString)
	if err != nil {
		return 0, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	err = db.View(func(tx *bbolt.Tx) error {
		src := &copied{tables: tx.Cursor(), show: show}
		n, err := c.CopyFrom(ctx, pgx.Identifier{"bajigong_kv"}, []string{"tbl", "key", "value"}, src)
		rows = int(n)
		return err
	})
	if err == nil {
		_, err = c.Exec(ctx, "vacuum analyze bajigong_kv")
	}
	return rows, err
}

// copied gives the rows of a bbolt file to COPY.
type copied struct {
	tables     *bbolt.Cursor
	rows       *bbolt.Cursor
	table      string
	key, value []byte
	begun      bool
	n          int
	show       func(int)
}

// Next implements pgx.CopyFromSource.
func (c *copied) Next() bool {
	for {
		if c.rows != nil {
			if c.key == nil {
				c.key, c.value = c.rows.First()
			} else {
				c.key, c.value = c.rows.Next()
			}
			if c.key != nil {
				if c.n++; c.n%100_000 == 0 && c.show != nil {
					c.show(c.n)
				}
				return true
			}
		}
		var name []byte
		if c.begun {
			name, _ = c.tables.Next()
		} else {
			name, _ = c.tables.First()
			c.begun = true
		}
		if name == nil {
			return false
		}
		c.table, c.key, c.rows = string(name), nil, c.tables.Bucket().Bucket(name).Cursor()
	}
}

// Values implements pgx.CopyFromSource.
func (c *copied) Values() ([]any, error) {
	if c.value == nil {
		c.value = []byte{}
	}
	return []any{c.table, c.key, c.value}, nil
}

// Err implements pgx.CopyFromSource.
func (c *copied) Err() error { return nil }
