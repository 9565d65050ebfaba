package evaluators_test

import (
	"fmt"
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

func TestStatusByTwoTimes(t *testing.T) {
	// Suspended from 10 March, recorded on the 20th; lifted by a decision of 1 May
	// that says from 15 April; gone at the end of the year, recorded on 1 June.
	ds := []evaluators.Decision{
		decision("1", evaluators.Suspend, whole, "2026-03-10", at("2026-03-20 09:00")),
		decision("2", evaluators.Resume, whole, "2026-04-15", at("2026-05-01 09:00")),
		decision("3", evaluators.ExitVoluntary, whole, "2026-12-31", at("2026-06-01 09:00")),
	}
	const (
		in, out  = evaluators.Registered, evaluators.Suspended
		left     = evaluators.Exited
		thisYear = "2026-12-30"
	)
	for _, c := range []struct {
		on, known string
		want      evaluators.Status
		by        string
	}{
		{"2026-03-09", "2026-07-01 00:00", in, ""},
		{"2026-03-10", "2026-03-20 08:59", in, ""},
		{"2026-03-10", "2026-03-20 09:00", out, "1"},
		{"2026-04-20", "2026-04-30 00:00", out, "1"},
		{"2026-04-20", "2026-05-01 09:00", in, "2"},
		{"2026-04-14", "2026-07-01 00:00", out, "1"},
		{thisYear, "2026-07-01 00:00", in, "2"},
		{"2026-12-31", "2026-05-31 00:00", in, "2"},
		{"2026-12-31", "2026-06-01 09:00", left, "3"},
	} {
		s, by := evaluators.StatusAt(ds, cookOnly, dateOf(c.on), at(c.known))
		if s != c.want || by.ID != c.by {
			t.Errorf("on %s as known %s: %s by %q, want %s by %q", c.on, c.known, s, by.ID, c.want, c.by)
		}
	}
}

// A suspension with an earlier date than a resumption that was recorded before
// it is a new suspension, not one that was lifted.
func TestALateSuspensionHolds(t *testing.T) {
	ds := []evaluators.Decision{
		decision("1", evaluators.Suspend, whole, "2026-03-01", at("2026-03-01 09:00")),
		decision("2", evaluators.Resume, whole, "2026-03-05", at("2026-03-05 09:00")),
		decision("3", evaluators.Suspend, whole, "2026-03-03", at("2026-03-10 09:00")),
	}
	if s, _ := evaluators.StatusAt(ds, whole, "2026-03-10", at("2026-03-10 09:00")); s != evaluators.Suspended {
		t.Errorf("status %s", s)
	}
	if s, _ := evaluators.StatusAt(ds, whole, "2026-03-10", at("2026-03-10 08:59")); s != evaluators.Registered {
		t.Errorf("status before it was recorded %s", s)
	}
}

// A suspension recorded for a later date holds from then on, whatever was
// recorded and lifted in between.
func TestASuspensionToComeHolds(t *testing.T) {
	ds := []evaluators.Decision{
		decision("1", evaluators.Suspend, whole, "2026-03-20", at("2026-03-01 09:00")),
		decision("2", evaluators.Suspend, whole, "2026-03-05", at("2026-03-05 09:00")),
		decision("3", evaluators.Resume, whole, "2026-03-10", at("2026-03-10 09:00")),
	}
	for on, want := range map[standards.Date]evaluators.Status{
		"2026-03-04": evaluators.Registered, "2026-03-05": evaluators.Suspended,
		"2026-03-10": evaluators.Registered, "2026-03-20": evaluators.Suspended,
	} {
		if s, _ := evaluators.StatusAt(ds, whole, on, at("2026-03-30 09:00")); s != want {
			t.Errorf("on %s: %s, want %s", on, s, want)
		}
	}
}

func TestDecisionsOfOneSecondCountInLogOrder(t *testing.T) {
	now := at("2026-03-01 09:00")
	// The first comes into force last, so that there is something to sort.
	ds := []evaluators.Decision{decision("0", evaluators.Suspend, oneFile, "2026-03-02", now)}
	for i := range 20 {
		ds = append(ds,
			decision(fmt.Sprint(99-i), evaluators.Suspend, whole, "2026-03-01", now),
			decision(fmt.Sprint(49-i), evaluators.Resume, whole, "2026-03-01", now))
		if s, by := evaluators.StatusAt(ds, whole, "2026-03-02", at("2026-03-02 09:00")); s != evaluators.Registered || by.ID != fmt.Sprint(49-i) {
			t.Fatalf("after %d decisions: status %s by %s", len(ds), s, by.ID)
		}
	}
}

func TestAPartStandsNoBetterThanTheWhole(t *testing.T) {
	now := at("2026-03-05 09:00")
	ds := []evaluators.Decision{
		decision("1", evaluators.Suspend, whole, "2026-03-01", at("2026-03-01 09:00")),
		decision("2", evaluators.ExitVoluntary, oneFile, "2026-03-02", at("2026-03-02 09:00")),
		decision("3", evaluators.ExitOrdered, cookAll, "2026-03-03", at("2026-03-03 09:00")),
	}
	for _, c := range []struct {
		target evaluators.Target
		want   evaluators.Status
		by     string
	}{
		{whole, evaluators.Suspended, "1"},
		{oneFile, evaluators.Exited, "2"},
		{cookOnly, evaluators.Removed, "3"},
		{evaluators.Target{Institution: "I1", Filing: "F2"}, evaluators.Suspended, "1"},
		{evaluators.Target{Institution: "I2", Filing: firstID}, evaluators.Registered, ""},
	} {
		if s, by := evaluators.StatusAt(ds, c.target, "2026-03-05", now); s != c.want || by.ID != c.by {
			t.Errorf("%+v: %s by %q, want %s by %q", c.target, s, by.ID, c.want, c.by)
		}
	}
}

func TestFilingStatus(t *testing.T) {
	exit := decision("1", evaluators.ExitVoluntary, oneFile, "2026-09-01", at("2026-08-01 09:00"))
	pause := decision("2", evaluators.Suspend, whole, "2026-09-01", at("2026-08-01 09:00"))
	part := decision("3", evaluators.ExitOrdered, cookOnly, "2026-09-01", at("2026-08-01 09:00"))
	for _, c := range []struct {
		on, known string
		ds        []evaluators.Decision
		want      evaluators.Status
	}{
		{"2026-06-01", "2026-01-05 09:59", nil, evaluators.NotFiled},
		{"2025-12-31", "2026-06-01 00:00", nil, evaluators.NotFiled},
		{"2026-01-01", "2026-06-01 00:00", nil, evaluators.Filed},
		{"2027-12-31", "2028-06-01 00:00", nil, evaluators.Filed},
		{"2028-01-01", "2028-06-01 00:00", nil, evaluators.Expired},
		{"2026-08-31", "2026-10-01 00:00", []evaluators.Decision{exit}, evaluators.Filed},
		{"2026-09-01", "2026-10-01 00:00", []evaluators.Decision{exit}, evaluators.Terminated},
		{"2026-09-01", "2026-10-01 00:00", []evaluators.Decision{pause}, evaluators.Filed},
		{"2026-09-01", "2026-10-01 00:00", []evaluators.Decision{part}, evaluators.Filed},
	} {
		if got := filing().StatusAt(c.ds, dateOf(c.on), at(c.known)); got != c.want {
			t.Errorf("on %s as known %s: %s, want %s", c.on, c.known, got, c.want)
		}
	}
}

func TestStatusAtIssueAndNow(t *testing.T) {
	rec := at("2026-09-01 09:00")
	for _, c := range []struct {
		name       string
		d          evaluators.Decision
		occupation string
		want       evaluators.Status
	}{
		{"left", decision("1", evaluators.ExitVoluntary, whole, "2026-09-01", rec), cook, evaluators.Exited},
		{"removed", decision("1", evaluators.ExitOrdered, whole, "2026-09-01", rec), cook, evaluators.Removed},
		{"filing ended", decision("1", evaluators.ExitOrdered, oneFile, "2026-09-01", rec), cook, evaluators.Terminated},
		{"occupation ended", decision("1", evaluators.ExitOrdered, cookAll, "2026-09-01", rec), cook, evaluators.Terminated},
		{"another occupation ended", decision("1", evaluators.ExitOrdered, cookAll, "2026-09-01", rec), welder, evaluators.Filed},
		{"suspended", decision("1", evaluators.Suspend, cookOnly, "2026-09-01", rec), cook, evaluators.Suspended},
		{"to come", decision("1", evaluators.Suspend, cookOnly, "2026-09-30", rec), cook, evaluators.Filed},
	} {
		t.Run(c.name, func(t *testing.T) {
			ds := []evaluators.Decision{c.d}
			if s := evaluators.StatusAtIssue(filing(), ds, c.occupation, "2026-08-20", at("2026-08-21 09:00")); s != evaluators.Filed {
				t.Errorf("at issue %s", s)
			}
			if s := evaluators.StatusNow(filing(), ds, c.occupation, at("2026-09-02 09:00")); s != c.want {
				t.Errorf("now %s, want %s", s, c.want)
			}
		})
	}
	if s := evaluators.StatusNow(filing(), nil, cook, at("2028-01-01 00:00")); s != evaluators.Expired {
		t.Errorf("after its last day: %s", s)
	}
	if s := evaluators.StatusAtIssue(filing(), nil, cook, "2025-12-31", at("2026-03-01 00:00")); s != evaluators.NotFiled {
		t.Errorf("before its first day: %s", s)
	}
	// Backdated: its date is before the suspension, it was received after.
	ds := []evaluators.Decision{decision("1", evaluators.Suspend, whole, "2026-09-01", rec)}
	if s := evaluators.StatusAtIssue(filing(), ds, cook, "2026-08-31", at("2026-09-05 09:00")); s != evaluators.Filed {
		t.Errorf("on the date it bears: %s", s)
	}
}
