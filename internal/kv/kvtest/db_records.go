package kvtest

import (
	"errors"
	"fmt"
	"testing"

	"bajigong/internal/kv"
)

type claimRecord struct {
	ID     uint64
	Person string
	Region string
	Tags   []string
}

var claimRecords = kv.Records[claimRecord]{
	Table: "claims",
	Key:   func(c claimRecord) []byte { return kv.Key(c.ID) },
	Indexes: []kv.Index[claimRecord]{
		{Table: "claims_by_person", Unique: true, Keys: func(c claimRecord) [][]byte {
			return [][]byte{kv.Key(c.Person)}
		}},
		{Table: "claims_by_tag", Keys: func(c claimRecord) (keys [][]byte) {
			for _, tag := range c.Tags {
				keys = append(keys, kv.Key(tag, c.ID))
			}
			return keys
		}},
	},
}

// dbRecords moves records and their entries about and checks both sides.
func dbRecords(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	put := func(c claimRecord) error {
		return s.Update(t.Context(), func(tx kv.Tx) error { return claimRecords.Put(tx, c) })
	}
	want := func(tag string, ids ...uint64) {
		t.Helper()
		var got []uint64
		err := s.View(t.Context(), func(r kv.Reader) error {
			got = nil
			rng := kv.Prefix(kv.Key(tag))
			rng.Limit = 2
			for {
				page, next, err := claimRecords.ScanIndex(r, "claims_by_tag", rng)
				if err != nil {
					return err
				}
				for _, c := range page {
					got = append(got, c.ID)
				}
				if next == nil {
					return claimRecords.Check(r, func(problem string) { t.Error(problem) })
				}
				rng.From = next
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "claims tagged "+tag, got, ids)
	}
	for id := range uint64(5) {
		if err := put(claimRecord{ID: id, Person: fmt.Sprint("p", id), Tags: []string{"x", "y"}}); err != nil {
			t.Fatal(err)
		}
	}
	want("x", 0, 1, 2, 3, 4)
	if err := put(claimRecord{ID: 2, Person: "p3"}); !errors.Is(err, kv.ErrDuplicate) {
		t.Errorf("second record of a unique entry: %v", err)
	}
	want("x", 0, 1, 2, 3, 4)
	if err := put(claimRecord{ID: 2, Person: "p2 renamed", Tags: []string{"y", "z"}}); err != nil {
		t.Fatal(err)
	}
	want("x", 0, 1, 3, 4)
	want("z", 2)
	s.update(func(tx kv.Tx) error { return claimRecords.Delete(tx, kv.Key(uint64(4))) })
	want("y", 0, 1, 2, 3)
	// The freed entries can be taken, by a swap inside one Update too.
	s.update(func(tx kv.Tx) error {
		if err := claimRecords.Delete(tx, kv.Key(uint64(0))); err != nil {
			return err
		}
		return claimRecords.Put(tx, claimRecord{ID: 9, Person: "p0"})
	})
	err := s.View(t.Context(), func(r kv.Reader) error {
		c, ok, err := claimRecords.Lookup(r, "claims_by_person", kv.Key("p0"))
		if !ok || c.ID != 9 {
			t.Errorf("Lookup = %v, %t", c, ok)
		}
		if _, ok, err := claimRecords.Lookup(r, "claims_by_person", kv.Key("p2")); ok || err != nil {
			t.Errorf("Lookup of an old entry: %t, %v", ok, err)
		}
		cs, next, err2 := claimRecords.Scan(r, kv.Range{Limit: 2, Reverse: true})
		if err2 != nil || len(cs) != 2 || cs[0].ID != 9 || cs[1].ID != 3 || string(next) != string(kv.Key(uint64(3))) {
			t.Errorf("last page: %v, next %x, %v", cs, next, err2)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want("y", 1, 2, 3)
}
