package torture_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/web"
)

// Payers of 昆山, 南京 and 广东 in two storms on two registers over one store: what
// the log has is what a model of the five policies allows, and no more.
func TestRaceOfThreePayers(t *testing.T) {
	size := torture.RaceSize{Seed: 5, People: 40, Clients: 16, For: time.Minute, Days: 420}
	size.Most = 500
	var bolt, postgres torture.RaceReport
	t.Run("bbolt", func(t *testing.T) {
		e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt, NoCheck: true, Clock: raceClock()})
		second, err := registry.New(e.DB, e.Config())
		if err != nil {
			t.Fatal(err)
		}
		bolt = raceOn(t, e, second, size)
	})
	t.Run("postgres", func(t *testing.T) {
		e := registrytest.New(t, registrytest.Options{Engine: registrytest.PostgreSQL, NoCheck: true, Clock: raceClock()})
		second := registrytest.New(t, registrytest.Options{Engine: registrytest.PostgreSQL, NoCheck: true, Dir: e.Dir, Clock: e.Clock})
		size.Most = 300
		postgres = raceOn(t, e, second.Registry, size)
	})
	both := bolt.Steps > 0 && postgres.Steps > 0 // the tests may be run one by one
	// What is rare may be missing in one of them, where it is a matter of chance.
	for _, what := range []string{"payable done", "line returned", "advance done", "approve correction done", "suspension done", "voiding done", "undo decided true done"} {
		if bolt.Outcomes[what]+postgres.Outcomes[what] == 0 && both {
			t.Errorf("the storms have no %q", what)
		}
	}
	if both && (bolt.Collisions+postgres.Collisions == 0 || bolt.Corrected+postgres.Corrected == 0 || bolt.PaidTwice+postgres.PaidTwice == 0) {
		t.Error("this proves little")
	}
}

func raceClock() *registrytest.Clock {
	c := new(registrytest.Clock)
	c.Set(torture.RaceBegin)
	return c
}

// served serves a register until the test ends.
func served(t *testing.T, reg *registry.Registry) string {
	t.Helper()
	server, err := web.New(reg, web.Config{Log: slog.New(slog.DiscardHandler), Now: time.Now, Limits: web.Limits{Batch: -1}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})
	return "http://" + ln.Addr().String()
}

func raceOn(t *testing.T, e *registrytest.Env, second *registry.Registry, size torture.RaceSize) torture.RaceReport {
	t.Helper()
	report, err := torture.Race(t.Context(), torture.RaceOn{Register: e.Registry, Servers: []string{served(t, e.Registry), served(t, second)},
		Now: e.Clock.Now, Move: e.Clock.Set}, size)
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
	t.Logf("%+v", report)
	for _, what := range []string{"reserve allow", "reserve deny", "check allow", "check deny", "reserve bare allow", "publicise done", "confirm done",
		"payout done", "line paid", "line refused", "release done", "withdraw done", "refund done", "merge decided true done"} {
		if report.Outcomes[what] == 0 {
			t.Errorf("the storm has no %q", what)
		}
	}
	if report.LatePaid == 0 || report.Replayed != report.Claims || report.Compared == 0 {
		t.Errorf("this proves little: %+v", report)
	}
	return report
}
