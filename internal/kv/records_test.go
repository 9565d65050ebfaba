package kv_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/kv"
)

type person struct {
	ID   uint64
	Name string
}

var people = kv.Records[person]{
	Table: "people",
	Key:   func(p person) []byte { return kv.Key(p.ID) },
	Indexes: []kv.Index[person]{{Table: "people_by_name", Unique: true, Keys: func(p person) [][]byte {
		return [][]byte{kv.Key(p.Name)}
	}}},
}

// TestCheckFindsEachDamage damages the tables past Records, one way at a time.
func TestCheckFindsEachDamage(t *testing.T) {
	other, _ := json.Marshal(person{ID: 8, Name: "eight"})
	for name, c := range map[string]struct {
		damage func(tx kv.Tx)
		want   []string
	}{
		"none": {func(tx kv.Tx) {}, nil},
		"entry missing": {func(tx kv.Tx) { tx.Delete("people_by_name", kv.Key("b")) },
			[]string{"no entry"}},
		"entry of another": {func(tx kv.Tx) { tx.Put("people_by_name", kv.Key("b"), kv.Key(uint64(1))) },
			[]string{"is of", "is not of record"}},
		"entry too many": {func(tx kv.Tx) { tx.Put("people_by_name", kv.Key("x"), kv.Key(uint64(1))) },
			[]string{"is not of record"}},
		"entry to nothing": {func(tx kv.Tx) { tx.Put("people_by_name", kv.Key("x"), kv.Key(uint64(9))) },
			[]string{"points to no record"}},
		"empty entry": {func(tx kv.Tx) { tx.Put("people_by_name", kv.Key("x"), nil) },
			[]string{"outside the limits"}},
		"record missing": {func(tx kv.Tx) { tx.Delete("people", kv.Key(uint64(2))) },
			[]string{"points to no record"}},
		"record unreadable": {func(tx kv.Tx) { tx.Put("people", kv.Key(uint64(2)), []byte("{")) },
			[]string{"unexpected end"}},
		"record under another key": {func(tx kv.Tx) { tx.Put("people", kv.Key(uint64(7)), other) },
			[]string{"own key is", "no entry"}},
	} {
		t.Run(name, func(t *testing.T) {
			db := openDB(t, openBolt(t), kv.Options{})
			err := db.Update(t.Context(), func(tx kv.Tx) error {
				for id, name := range []string{"", "a", "b", "c"} {
					if err := people.Put(tx, person{uint64(id), name}); err != nil {
						return err
					}
				}
				c.damage(tx)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r, release, err := db.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			var problems []string
			if err := people.Check(r, func(p string) { problems = append(problems, p) }); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(problems, c.want, strings.Contains) {
				t.Errorf("problems %q, want %q", problems, c.want)
			}
		})
	}
}

func TestGetManyRecords(t *testing.T) {
	db := openDB(t, openBolt(t), kv.Options{})
	err := db.Update(t.Context(), func(tx kv.Tx) error {
		if err := people.Put(tx, person{1, "a"}); err != nil {
			return err
		}
		ps, ok, err := people.GetMany(tx, [][]byte{kv.Key(uint64(2)), kv.Key(uint64(1))})
		if err != nil {
			return err
		}
		if !slices.Equal(ok, []bool{false, true}) || ps[1] != (person{1, "a"}) {
			t.Errorf("GetMany = %v, %v", ps, ok)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// known is a Reader that has decoded one record, and differently, so that it shows.
type known struct{ kv.Reader }

func (known) Decoded(t kv.Table, key []byte) any {
	switch {
	case t == "people" && string(key) == string(kv.Key(uint64(2))):
		return person{ID: 2, Name: "known"}
	case t == "people" && string(key) == string(kv.Key(uint64(3))):
		return "of another type"
	}
	return nil
}

func TestRecordsThatAreDecodedAlready(t *testing.T) {
	db := openDB(t, openBolt(t), kv.Options{})
	if err := db.Update(t.Context(), func(tx kv.Tx) error {
		for id, name := range []string{"", "a", "b", "c"} {
			if err := people.Put(tx, person{uint64(id), name}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.View(t.Context(), func(rd kv.Reader) error {
		keys := [][]byte{kv.Key(uint64(1)), kv.Key(uint64(2)), kv.Key(uint64(3)), kv.Key(uint64(9))}
		many, ok, err := people.GetMany(known{rd}, keys)
		if err != nil {
			return err
		}
		for i, want := range []string{"a", "known", "c", ""} {
			one, there, err := people.Get(known{rd}, keys[i])
			if err != nil || there != ok[i] || there != (want != "") || one.Name != want || many[i].Name != want {
				t.Errorf("%d: %+v, %t; %+v, %t, %v", i, one, there, many[i], ok[i], err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
