package main

import (
	"os"
	"testing"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestCheckSeesWhatEventsSay changes members of the records of the demonstration
// behind the register's back, every third of them, or all with CI or
// BAJIGONG_TEST_CHANGES in the environment: a check sees it, or registrytest.Unsaid
// says why not.
func TestCheckSeesWhatEventsSay(t *testing.T) {
	every := 3
	if os.Getenv("CI") != "" || os.Getenv("BAJIGONG_TEST_CHANGES") != "" {
		every = 1
	}
	newDamaged(t).withStore(nil, func(db *kv.DB, reg *registry.Registry) {
		byEvents, byOthers := registrytest.SeesChanges(t, db, reg, every)
		t.Logf("%d changes seen by the comparison with events, %d by other parts", byEvents, byOthers)
		if byEvents < 100 {
			t.Errorf("only %d changes tried are seen by the comparison with events", byEvents)
		}
	})
}
