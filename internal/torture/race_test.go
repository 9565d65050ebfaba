package torture_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/web"
)

// raceTries bounds how often a race is run again, each time from another seed, for
// what did not happen in it: how much comes about in one depends on the machine.
const raceTries = 5

// raced is what came of several races.
type raced struct {
	races                                  int
	outcomes                               map[string]int
	late, collisions, corrected, paidTwice int
}

func (r *raced) add(one torture.RaceReport) {
	r.races++
	for what, n := range one.Outcomes {
		r.outcomes[what] += n
	}
	r.late, r.collisions = r.late+one.LatePaid, r.collisions+one.Collisions
	r.corrected, r.paidTwice = r.corrected+one.Corrected, r.paidTwice+one.PaidTwice
}

// missing are the outcomes that did not occur, of all that a race is for.
func (r raced) missing(outcomes ...string) (out []string) {
	for _, what := range outcomes {
		if r.outcomes[what] == 0 {
			out = append(out, what)
		}
	}
	if r.late == 0 {
		out = append(out, "late payment")
	}
	return out
}

// usual occurs in a race on either engine, rare in one of them.
var (
	usual = []string{"reserve allow", "reserve deny", "check allow", "check deny", "reserve bare allow", "publicise done", "confirm done",
		"payout done", "line paid", "line refused", "release done", "withdraw done", "refund done", "merge decided true done"}
	rare = []string{"payable done", "line returned", "advance done", "approve correction done", "suspension done", "voiding done", "undo decided true done"}
)

// Payers of 昆山, 南京 and 广东 in two storms on two registers over one store: what
// the log has is what a model of the five policies allows, and no more.
func TestRaceOfThreePayers(t *testing.T) {
	size := torture.RaceSize{Seed: 5, People: 40, Clients: 16, For: time.Minute, Days: 420}
	both := raced{outcomes: map[string]int{}}
	onBolt := func(t *testing.T) torture.RaceReport {
		e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt, NoCheck: true, Clock: raceClock()})
		second, err := registry.New(e.DB, e.Config())
		if err != nil {
			t.Fatal(err)
		}
		size.Most = 500
		return raceOn(t, e, second, size)
	}
	onPostgres := func(t *testing.T) torture.RaceReport {
		e := registrytest.New(t, registrytest.Options{Engine: registrytest.PostgreSQL, NoCheck: true, Clock: raceClock()})
		second := registrytest.New(t, registrytest.Options{Engine: registrytest.PostgreSQL, NoCheck: true, Dir: e.Dir, Clock: e.Clock})
		size.Most = 300
		return raceOn(t, e, second.Registry, size)
	}
	race := func(name string, on func(*testing.T) torture.RaceReport, lacking func() []string) {
		for try := 0; try < raceTries && !t.Failed() && len(lacking()) > 0; try++ {
			t.Run(name, func(t *testing.T) { both.add(on(t)) })
			size.Seed++
		}
	}
	engines := 0
	for _, one := range []struct {
		name string
		on   func(*testing.T) torture.RaceReport
	}{{"bbolt", onBolt}, {"postgres", onPostgres}} {
		here := raced{outcomes: map[string]int{}}
		race(one.name, func(t *testing.T) torture.RaceReport {
			report := one.on(t)
			here.add(report)
			return report
		}, func() []string { return here.missing(usual...) })
		if here.races == 0 { // the engines may be tested one by one, and one may be missing
			continue
		}
		if engines++; len(here.missing(usual...)) > 0 && !t.Failed() {
			t.Errorf("the storms on %s have no %q", one.name, here.missing(usual...))
		}
	}
	if engines < 2 {
		return
	}
	lacking := func() []string {
		out := both.missing(rare...)
		if both.collisions == 0 || both.corrected == 0 || both.paidTwice == 0 {
			out = append(out, fmt.Sprintf("enough: %d collisions, %d corrected, %d paid twice", both.collisions, both.corrected, both.paidTwice))
		}
		return out
	}
	race("bbolt again", onBolt, lacking)
	if what := lacking(); len(what) > 0 && !t.Failed() {
		t.Errorf("the storms have no %q", what)
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
	if report.Replayed != report.Claims || report.Compared == 0 {
		t.Errorf("this proves little: %+v", report)
	}
	return report
}
