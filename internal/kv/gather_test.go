package kv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"bajigong/internal/kv"
)

// tableOfTens has under "i" the value "10·i"; its reads can be round trips.
type tableOfTens struct {
	trips, together atomic.Int32
	most            int32
	err             error
}

func (r *tableOfTens) read() func() {
	if r.together.Add(1) > 1 {
		panic("two reads at once")
	}
	return func() { r.together.Add(-1) }
}

func (r *tableOfTens) Get(_ kv.Table, key []byte) ([]byte, error) {
	defer r.read()()
	n := 0
	if _, err := fmt.Sscan(string(key), &n); err != nil {
		return nil, err
	}
	return fmt.Append(nil, 10*n), r.err
}

func (r *tableOfTens) GetMany(t kv.Table, keys [][]byte) (out [][]byte, err error) {
	for _, key := range keys {
		value, err := r.Get(t, key)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

func (r *tableOfTens) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	value, err := r.Get(t, rng.From)
	return []kv.Entry{{Key: rng.From, Value: value}}, err
}

// farTens is the same at the end of a network.
type farTens struct{ *tableOfTens }

func (r farTens) Prefetch(reads []kv.Read) error {
	r.trips.Add(1)
	r.most = max(r.most, int32(len(reads)))
	return r.err
}

func (r farTens) Forget() {}

// Three reads that depend on one another are three round trips, for however many
// records; and what all ask for is asked once.
func TestGatherMakesOneTripOfManyReads(t *testing.T) {
	for name, rd := range map[string]kv.Reader{"near": &tableOfTens{}, "far": farTens{&tableOfTens{}}} {
		t.Run(name, func(t *testing.T) {
			got := make([]string, 300)
			err := kv.Gather(rd, len(got), func(i int, rd kv.Reader) error {
				if i%50 == 49 {
					return nil // some read nothing
				}
				a, err := rd.Get("t", fmt.Append(nil, i))
				if err != nil {
					return err
				}
				b, err := rd.GetMany("t", [][]byte{a, []byte("7")})
				if err != nil {
					return err
				}
				c, err := rd.Scan("t", kv.Range{From: b[0], Limit: 1})
				if err == nil {
					got[i] = string(c[0].Value)
				}
				return errors.Join(err, kv.Gather(rd, 2, func(int, kv.Reader) error { return nil }))
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, value := range got {
				if want := fmt.Sprint(1000 * i); i%50 != 49 && value != want {
					t.Errorf("%d: %s, want %s", i, value, want)
				}
			}
			if far, ok := rd.(farTens); ok && (far.trips.Load() != 3 || far.most != 295) {
				t.Errorf("%d round trips, the largest of %d reads", far.trips.Load(), far.most)
			}
		})
	}
}

func TestGatherEndsWithTheFirstError(t *testing.T) {
	wrong := errors.New("wrong")
	for name, rd := range map[string]kv.Reader{"near": &tableOfTens{}, "far": farTens{&tableOfTens{}}, "broken": farTens{&tableOfTens{err: wrong}}} {
		ran := atomic.Int32{}
		err := kv.Gather(rd, 40, func(i int, rd kv.Reader) error {
			ran.Add(1)
			if _, err := rd.Get("t", []byte("1")); err != nil {
				return err
			}
			if i > 10 {
				return fmt.Errorf("%d: %w", i, wrong)
			}
			return nil
		})
		if !errors.Is(err, wrong) || ran.Load() != 40 || name != "broken" && err.Error() != "11: wrong" {
			t.Errorf("%s: %v after %d", name, err, ran.Load())
		}
		func() {
			defer func() {
				if recover() != "boom" {
					t.Errorf("%s: a panic is lost", name)
				}
			}()
			_ = kv.Gather(rd, 5, func(i int, rd kv.Reader) error {
				if i == 2 {
					panic("boom")
				}
				_, err := rd.Get("t", []byte("1"))
				return err
			})
		}()
		if _, err := (&tableOfTens{}).Get("t", nil); err == nil {
			t.Error("no key")
		}
		if err := kv.Gather(rd, 3, func(_ int, rd kv.Reader) error { _, err := rd.Get("t", nil); return err }); !errors.Is(err, kv.ErrLimit) {
			t.Errorf("%s: an empty key: %v", name, err)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	scanned := 0
	rd := kv.Watch(ctx, farTens{&tableOfTens{}}, func(_ kv.Table, n int) { scanned += n })
	run := func() error {
		return kv.Gather(rd, 3, func(_ int, rd kv.Reader) error {
			_, err := rd.Scan("t", kv.Range{From: []byte("1"), Limit: 1})
			return err
		})
	}
	if err := run(); err != nil || scanned != 3 {
		t.Errorf("%v, %d scanned", err, scanned)
	}
	cancel()
	if err := run(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// owned is a record with one entry in a unique and one in another index.
type owned struct{ ID, Name, Kind string }

var ownedRecords = kv.Records[owned]{
	Table: "owned",
	Key:   func(o owned) []byte { return kv.Key(o.ID) },
	Indexes: []kv.Index[owned]{
		{Table: "owned_by_name", Unique: true, Keys: func(o owned) [][]byte { return [][]byte{kv.Key(o.Name)} }},
		{Table: "owned_by_kind", Keys: func(o owned) [][]byte { return [][]byte{kv.Key(o.Kind, o.ID), kv.Key("all", o.ID)} }},
	},
}

// Whatever is deleted, invented or exchanged in the indexes: a repair brings back
// what the records lead to, and says which records contradict each other.
func TestRepairOfRecords(t *testing.T) {
	for name, spoil := range map[string]func(tx kv.Tx){
		"nothing": func(kv.Tx) {},
		"all gone": func(tx kv.Tx) {
			for _, table := range ownedRecords.IndexTables() {
				_ = kv.Each(tx, table, kv.Range{}, func(e kv.Entry) error { tx.Delete(table, e.Key); return nil })
			}
		},
		"of another": func(tx kv.Tx) { tx.Put("owned_by_name", kv.Key("n0001"), kv.Key("0002")) },
		"of nobody":  func(tx kv.Tx) { tx.Put("owned_by_name", kv.Key("x"), kv.Key("9999")) },
		"no key":     func(tx kv.Tx) { tx.Put("owned_by_kind", kv.Key("x"), []byte{}) },
		"too many":   func(tx kv.Tx) { tx.Put("owned_by_kind", kv.Key("x", "0003"), kv.Key("0003")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openDB(t, openBolt(t), kv.Options{})
			var before []kv.Entry
			tables := append(ownedRecords.IndexTables(), ownedRecords.RecordTable())
			read := func() (all []kv.Entry) {
				for _, table := range tables {
					if err := s.View(t.Context(), func(rd kv.Reader) error {
						return kv.Each(rd, table, kv.Range{}, func(e kv.Entry) error { all = append(all, e); return nil })
					}); err != nil {
						t.Fatal(err)
					}
				}
				return all
			}
			update := func(fn func(tx kv.Tx) error) {
				t.Helper()
				if err := s.Update(t.Context(), fn); err != nil {
					t.Fatal(err)
				}
			}
			problems := func(what func(kv.Reader, func(string)) error) (out []string) {
				t.Helper()
				if err := s.View(t.Context(), func(rd kv.Reader) error {
					out = nil
					return what(rd, func(p string) { out = append(out, p) })
				}); err != nil {
					t.Fatal(err)
				}
				return out
			}
			update(func(tx kv.Tx) error {
				for i := range 1200 {
					if err := ownedRecords.Put(tx, owned{fmt.Sprintf("%04d", i), fmt.Sprintf("n%04d", i), "k"}); err != nil {
						return err
					}
				}
				return nil
			})
			before = read()
			update(func(tx kv.Tx) error { spoil(tx); return nil })
			if found := problems(ownedRecords.Check); (len(found) == 0) != (name == "nothing") {
				t.Errorf("the check finds %d", len(found))
			}
			if found := problems(ownedRecords.Contradictions); len(found) > 0 {
				t.Errorf("contradictions: %v", found)
			}
			var sum kv.Repaired
			var cursor []byte
			for pages := 0; pages == 0 || cursor != nil; pages++ {
				for range 2 { // a page that is done again changes nothing more
					var next []byte
					update(func(tx kv.Tx) (err error) {
						var done kv.Repaired
						if next, done, err = ownedRecords.RepairPage(tx, cursor); err == nil {
							sum = sum.Plus(done)
						}
						return err
					})
					if pages++; pages%2 == 1 {
						continue
					}
					cursor = next
				}
			}
			if after := read(); !slices.EqualFunc(before, after, func(a, b kv.Entry) bool { return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value) }) {
				t.Errorf("%d entries before, %d after", len(before), len(after))
			}
			if want := map[string]kv.Repaired{"all gone": {Written: 3600}, "of another": {Removed: 1, Written: 1}, "of nobody": {Removed: 1}, "no key": {Removed: 1}, "too many": {Removed: 1}}[name]; sum != want {
				t.Errorf("repaired %+v, want %+v", sum, want)
			}
			// Two records with one name, one of them written past Put.
			update(func(tx kv.Tx) error {
				tx.Put("owned", kv.Key("5000"), []byte(`{"ID":"5000","Name":"n0007","Kind":"k"}`))
				return nil
			})
			if found := problems(ownedRecords.Contradictions); len(found) != 1 {
				t.Errorf("a name of two: %v", found)
			}
			update(func(tx kv.Tx) error { tx.Delete("owned_by_name", kv.Key("n0007")); return nil })
			if found := problems(ownedRecords.Contradictions); len(found) != 1 {
				t.Errorf("a name of two that nobody has: %v", found)
			}
			err := s.Update(t.Context(), func(tx kv.Tx) error {
				for cursor := []byte{2}; cursor != nil; {
					var err error
					if cursor, _, err = ownedRecords.RepairPage(tx, cursor); err != nil {
						return err
					}
				}
				return nil
			})
			if !errors.Is(err, kv.ErrDuplicate) {
				t.Errorf("a repair of a name of two: %v", err)
			}
			update(func(tx kv.Tx) error {
				tx.Put("owned", kv.Key("5000"), []byte(`{`))
				tx.Put("owned", kv.Key("5001"), []byte(`{"ID":"5002","Name":"y","Kind":"k"}`))
				return nil
			})
			if found := problems(ownedRecords.Contradictions); len(found) != 2 {
				t.Errorf("one that cannot be read and one in the wrong place: %v", found)
			}
		})
	}
}
