package kv_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"bajigong/internal/kv"
)

// reads counts what reaches a Tx.
type reads struct {
	kv.Tx
	n int
}

func (r *reads) Get(t kv.Table, key []byte) ([]byte, error) { r.n++; return r.Tx.Get(t, key) }
func (r *reads) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	r.n++
	return r.Tx.GetMany(t, keys)
}

// PutMany is Put in a loop with two reads: it leaves the same entries, also when a
// key stands twice, names move from one record to another, or one is taken.
func TestPutManyIsPut(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	duplicates := 0
	for try := range 400 {
		page := func() (out []person) {
			for range 1 + rnd.IntN(6) {
				out = append(out, person{ID: uint64(rnd.IntN(6)), Name: fmt.Sprint(rnd.IntN(12))})
			}
			return out
		}
		first, second := page(), page()
		var stores [2][]kv.Entry
		var errs [2]error
		for i, put := range []func(kv.Tx, []person) error{
			func(tx kv.Tx, ps []person) error {
				for _, p := range ps {
					if err := people.Put(tx, p); err != nil {
						return err
					}
				}
				return nil
			},
			func(tx kv.Tx, ps []person) error {
				r := &reads{Tx: tx}
				err := people.PutMany(r, ps)
				if r.n > 2 {
					t.Errorf("%d reads for %d records", r.n, len(ps))
				}
				return err
			},
		} {
			db := openDB(t, openBolt(t), kv.Options{})
			for _, ps := range [][]person{first, second} {
				if err := db.Update(t.Context(), func(tx kv.Tx) error { return put(tx, ps) }); errs[i] == nil {
					errs[i] = err
				}
			}
			err := db.View(t.Context(), func(r kv.Reader) error {
				for _, table := range []kv.Table{"people", "people_by_name"} {
					entries, err := r.Scan(table, kv.Range{Limit: 100})
					if err != nil {
						return err
					}
					stores[i] = append(stores[i], entries...)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
		}
		if !reflect.DeepEqual(stores[0], stores[1]) || errors.Is(errs[0], kv.ErrDuplicate) != errors.Is(errs[1], kv.ErrDuplicate) {
			t.Fatalf("try %d, %v then %v:\nPut     %s %v\nPutMany %s %v", try, first, second, stores[0], errs[0], stores[1], errs[1])
		}
		if errs[0] != nil {
			duplicates++
		}
	}
	if duplicates < 20 || duplicates > 380 {
		t.Errorf("%d of 400 had a duplicate: the test tries too little", duplicates)
	}
}
