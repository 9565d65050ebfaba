package registry_test

import (
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// One stage of a repair goes through millions of records without storing anything: the
// lease is renewed beside it, or a repair of a large store would never end.
func TestRepairOutlastsItsLease(t *testing.T) {
	defer registry.SetRenewEvery(time.Millisecond)()
	e := filled(t, 20, registrytest.Options{})
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		rows, err := tx.Scan("certificates_by_person", kv.Range{Limit: 5})
		for _, row := range rows {
			tx.Delete("certificates_by_person", row.Key)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	stages := map[string]bool{}
	got, err := e.RepairIndexes(ctx, registry.Operator(), func(at registry.CheckProgress) {
		if stages[at.Part] || len(stages) > 3 {
			return
		}
		stages[at.Part] = true
		for range 4 { // each stage takes 80 s of the store's time
			e.Clock.Add(20 * time.Second)
			time.Sleep(100 * time.Millisecond)
		}
	})
	if err != nil || got.Repaired["certificates"].Written != 5 {
		t.Fatalf("%+v %v", got, err)
	}
}
