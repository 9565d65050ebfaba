package policy

import (
	"testing"

	"bajigong/standards"
)

// Civil Code articles 201 and 202: the day of issue does not count.
func TestLastDay(t *testing.T) {
	for _, c := range []struct {
		window *Window
		want   standards.Date
	}{
		{nil, ""},
		{&Window{Months: 12}, "2027-03-20"},
		{&Window{Days: 90}, "2026-06-18"},
		{&Window{SameYear: true}, "2026-12-31"},
		{&Window{Months: 12, SameYear: true}, "2026-12-31"},
		{&Window{NotBeforeDays: 10}, ""},
	} {
		if got := (Policy{Window: c.window}).LastDay("2026-03-20"); got != c.want {
			t.Errorf("%+v: %s, want %s", c.window, got, c.want)
		}
	}
}
