package pgkv

import (
	"bajigong/internal/kv"

	"github.com/jackc/pgx/v5"
)

var _ kv.Lister = (*reader)(nil)

// tablesQuery walks along the primary key from one table to the next, where
// "select distinct" would read every entry.
const tablesQuery = `with recursive t(tbl) as (
	(select tbl from bajigong_kv order by tbl limit 1)
	union all
	select (select k.tbl from bajigong_kv k where k.tbl > t.tbl order by k.tbl limit 1) from t where t.tbl is not null
) select tbl from t where tbl is not null`

// Tables gives the tables that have an entry, in one round trip.
func (r *reader) Tables() (tables []kv.Table, err error) {
	if r.err != nil {
		return nil, r.err
	}
	err = r.run(func(b *pgx.Batch) {
		tables = nil
		b.Queue(tablesQuery).Query(func(rows pgx.Rows) error {
			var name string
			for rows.Next() {
				if err := rows.Scan(&name); err != nil {
					return err
				}
				tables = append(tables, kv.Table(name))
			}
			return rows.Err()
		})
	})
	return tables, err
}
