package boltkv

import (
	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

var _ kv.Lister = reader{}

// Tables gives the buckets that have an entry.
func (r reader) Tables() (tables []kv.Table, err error) {
	err = r.tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		if key, _ := bucket.Cursor().First(); key != nil {
			tables = append(tables, kv.Table(name))
		}
		return nil
	})
	return tables, err
}
