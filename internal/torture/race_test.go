package torture_test

import (
	"testing"
	"time"

	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// Payers of 昆山, 南京 and 广东 in a storm on two registers over one store: what
// the log has is what a model of the three policies allows, and no more.
func TestRaceOfThreePayers(t *testing.T) {
	size := torture.RaceSize{Seed: 5, People: 40, Clients: 16, For: time.Minute, Most: 2000, Days: 420}
	t.Run("bbolt", func(t *testing.T) {
		e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt, NoCheck: true, Clock: raceClock()})
		second, err := registry.New(e.DB, e.Config())
		if err != nil {
			t.Fatal(err)
		}
		raceOn(t, e, second, size)
	})
	t.Run("postgres", func(t *testing.T) {
		e := registrytest.New(t, registrytest.Options{Engine: registrytest.PostgreSQL, NoCheck: true, Clock: raceClock()})
		second := registrytest.New(t, registrytest.Options{Engine: registrytest.PostgreSQL, NoCheck: true, Dir: e.Dir, Clock: e.Clock})
		size.Most = 1500
		raceOn(t, e, second.Registry, size)
	})
}

func raceClock() *registrytest.Clock {
	c := new(registrytest.Clock)
	c.Set(torture.RaceBegin)
	return c
}

func raceOn(t *testing.T, e *registrytest.Env, second *registry.Registry, size torture.RaceSize) {
	t.Helper()
	report, err := torture.Race(t.Context(), []*registry.Registry{e.Registry, second}, e.Clock.Now, e.Clock.Set, size)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range report.Problems {
		if i == 20 {
			t.Errorf("… and %d more", len(report.Problems)-i)
			break
		}
		t.Error(p)
	}
	t.Logf("%.1f s, %d steps: %v; %d compared, %d passed over, %d late, %d paid twice", report.Seconds, report.Steps, report.Outcomes,
		report.Compared, report.Passed, report.LatePaid, report.PaidTwice)
	for _, what := range []string{"reserve allow", "reserve deny", "check allow", "check deny", "publicise done", "payable done", "confirm done",
		"payout done", "return done", "release done", "withdraw done", "refund done", "suspend done", "resume done", "void done"} {
		if report.Outcomes[what] == 0 {
			t.Errorf("the storm has no %q", what)
		}
	}
	if report.PaidTwice == 0 || report.LatePaid == report.PaidTwice || report.Replayed != report.Claims || report.Compared == 0 {
		t.Errorf("%d late, %d of them paid twice, %d of %d replayed, %d compared", report.LatePaid, report.PaidTwice, report.Replayed, report.Claims, report.Compared)
	}
}
