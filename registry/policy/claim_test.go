package policy

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
)

// TestEveryMove tries every event in every state; the table stands in the comment
// of State.
func TestEveryMove(t *testing.T) {
	named := func(s State) string { return cmp.Or(string(s), "none") }
	var names []string
	for _, s := range States() {
		names = append(names, named(s))
	}
	table := doctest.States(t, "claim.go", "State")
	doctest.Holds(t, table, names, Events())
	for _, from := range append(States(), "nonsense") {
		for _, ev := range append(Events(), "nonsense") {
			to, err := Move(from, ev)
			if want, ok := table.Next[named(from)][string(ev)]; ok && want != doctest.Refused {
				if err != nil || named(to) != want {
					t.Errorf("%q %s: %q, %v; want %q", from, ev, to, err, want)
				}
				continue
			}
			if fail.CodeOf(err) != "claim_move" || fail.KindOf(err) != fail.Conflict || to != from {
				t.Errorf("%q %s must be refused and stay: %q, %v", from, ev, to, err)
			}
			if says := from.Name().EN; says == "" && from != "nonsense" || !strings.Contains(fail.Of(err).Text, cmp.Or(says, string(from))) {
				t.Errorf("%q %s: the refusal does not name the state: %v", from, ev, err)
			}
		}
	}
	for _, s := range States() {
		if n := s.Name(); n.ZH == "" || n.EN == "" {
			t.Errorf("%q has no name", s)
		}
	}
	for _, ev := range Events() {
		if eventNames[ev] == "" {
			t.Errorf("%q has no name", ev)
		}
	}
}

func TestPaymentIsAlwaysRecorded(t *testing.T) {
	gone := []Failure{{Rule: "once"}}
	for _, c := range []struct {
		from  State
		taken []Failure
		to    State
		must  bool
	}{
		{Reserved, nil, Confirmed, false}, {Reserved, gone, Confirmed, false},
		{Expired, nil, Confirmed, false}, {Expired, gone, Duplicate, true},
		{Released, nil, Confirmed, false}, {Released, gone, Duplicate, true},
		{Withdrawn, nil, Confirmed, false}, {Withdrawn, gone, Duplicate, true},
		{Publicised, gone, Confirmed, false}, {Payable, gone, Confirmed, false}, {PartPaid, gone, Confirmed, false},
		{Duplicate, nil, Duplicate, true},
	} {
		to, err := Move(c.from, Payment(c.from, c.taken))
		if err != nil || to != c.to || to.MustRecover() != c.must {
			t.Errorf("%s with %d in the way: %s, %v", c.from, len(c.taken), to, err)
		}
		want := c.to
		if want == Confirmed {
			want = PartPaid
		}
		if to, err := Move(c.from, PartPayment(c.from, c.taken)); err != nil || to != want {
			t.Errorf("a part, %s with %d in the way: %s, %v", c.from, len(c.taken), to, err)
		}
	}
}

// Every state says how it counts, when it ends by itself and whether money is owed.
func TestWhatEachStateMeans(t *testing.T) {
	for _, c := range []struct {
		state                  State
		counts                 Counting
		expires, given, mustGo bool
	}{
		{None, CountsNot, false, false, false}, {Reserved, CountsYes, true, false, false}, {Publicised, CountsYes, true, false, false},
		{Payable, CountsYes, false, false, false}, {PartPaid, CountsYes, false, false, false}, {Confirmed, CountsYes, false, false, false},
		{Released, CountsNot, false, true, false}, {Withdrawn, CountsNot, false, true, false}, {Expired, CountsNot, false, true, false},
		{Duplicate, CountsYes, false, false, true}, {Recovering, CountsYes, false, false, true}, {PartlyRefunded, CountsYes, false, false, true},
		{Refunded, CountsByRefund, false, false, false},
	} {
		s := c.state
		if s.Counts() != c.counts || s.Expires() != c.expires || s.GivenUp() != c.given || s.MustRecover() != c.mustGo {
			t.Errorf("%q: %s, %t, %t, %t", s, s.Counts(), s.Expires(), s.GivenUp(), s.MustRecover())
		}
		if _, err := Move(s, Expire); (err == nil) != s.Expires() {
			t.Errorf("%q expires by the table: %v", s, err)
		}
	}
}

func TestReservationEndsByItself(t *testing.T) {
	now := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		stored  State
		expires time.Time
		want    State
	}{
		{Reserved, now.Add(time.Second), Reserved}, {Reserved, now, Expired}, {Reserved, time.Time{}, Reserved},
		{Publicised, now, Expired}, {Payable, now, Payable}, {PartPaid, now, PartPaid},
		{Confirmed, now.Add(-time.Hour), Confirmed}, {Released, now.Add(-time.Hour), Released},
	} {
		if got := StateAt(c.stored, c.expires, now); got != c.want {
			t.Errorf("%s until %v: %s, want %s", c.stored, c.expires, got, c.want)
		}
	}
}

func TestFen(t *testing.T) {
	for yuan, want := range map[string]Fen{"0": 0, "1000": 100000, "2600.5": 260050, "2600.05": 260005, "1.00": 100} {
		if got, ok := ParseFen(yuan); !ok || got != want {
			t.Errorf("%q: %d, %v", yuan, int64(got), ok)
		}
	}
	for _, yuan := range []string{"", "-1", "+1", "1.", ".5", "1.005", "1e3", "1,000", "1 000", "92233720368547758", "１", "1.x"} {
		if got, ok := ParseFen(yuan); ok {
			t.Errorf("%q was read as %d", yuan, int64(got))
		}
	}
	for f, want := range map[Fen]string{0: "0", 100000: "1000", 260050: "2600.50", 5: "0.05", -150: "-1.50"} {
		if f.String() != want {
			t.Errorf("%d: %s, want %s", int64(f), f, want)
		}
	}
	if _, whole := Fen(1).raised(30); whole {
		t.Error("1.3 fen is no whole number")
	}
}
