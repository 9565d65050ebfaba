package main

import (
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestCheckSeesWhatEventsSay changes members of the records of the demonstration
// behind the register's back, one in twelve: a check sees it, or registrytest.Unsaid says why not.
func TestCheckSeesWhatEventsSay(t *testing.T) {
	t.Parallel()
	every := needed.Every(12, 12)
	newDamaged(t).withStore(nil, func(db *kv.DB, reg *registry.Registry) {
		byEvents, byOthers := registrytest.SeesChanges(t, db, reg, every)
		t.Logf("%d changes seen by the comparison with events, %d by other parts", byEvents, byOthers)
		if byEvents < 300/every {
			t.Errorf("only %d changes tried are seen by the comparison with events", byEvents)
		}
	})
}
