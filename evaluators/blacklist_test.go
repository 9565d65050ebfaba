package evaluators_test

import (
	"strings"
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

// A blacklisting bars new filings to its last day, whether the institution is
// registered or was removed, and a removed one stays removed after it.
func TestBarred(t *testing.T) {
	list := ofKind("1", evaluators.Blacklist, whole, "2026-03-10", at("2026-03-05 09:00"))
	list.Until = "2026-04-20"
	longer := ofKind("2", evaluators.Blacklist, whole, "2026-04-01", at("2026-03-01 09:00")) // recorded for later, before list
	longer.Until = "2026-05-20"
	off := decision("3", evaluators.Unlist, whole, "2026-03-20", at("2026-03-19 09:00"))
	for _, c := range []struct {
		name      string
		ds        []evaluators.Decision
		on, known string
		want      string
	}{
		{"nothing", nil, "2026-03-10", "2026-03-10 09:00", ""},
		{"the day before", []evaluators.Decision{list}, "2026-03-09", "2026-03-09 09:00", ""},
		{"the first day", []evaluators.Decision{list}, "2026-03-10", "2026-03-10 00:00", "1"},
		{"not recorded yet", []evaluators.Decision{list}, "2026-03-10", "2026-03-05 08:59", ""},
		{"the last day", []evaluators.Decision{list}, "2026-04-20", "2026-04-20 23:59", "1"},
		{"the day after", []evaluators.Decision{list}, "2026-04-21", "2026-04-21 00:00", ""},
		{"taken off", []evaluators.Decision{list, off}, "2026-03-20", "2026-03-20 00:00", ""},
		{"before it is taken off", []evaluators.Decision{list, off}, "2026-03-19", "2026-03-19 10:00", "1"},
		{"the longer one counts", []evaluators.Decision{longer, list}, "2026-05-20", "2026-05-20 09:00", "2"},
		{"taken off one, another comes", []evaluators.Decision{longer, list, off}, "2026-04-01", "2026-04-01 09:00", "2"},
	} {
		d, barred := evaluators.Barred(c.ds, standards.Date(c.on), at(c.known))
		if d.ID != c.want || barred != (c.want != "") {
			t.Errorf("%s: %q, %t; want %q", c.name, d.ID, barred, c.want)
		}
	}
	f := filing()
	f.ID, f.Site = "F2", "058399"
	_, err := evaluators.Admit(institution(), nil, []evaluators.Decision{list}, f, at("2026-04-20 23:00"))
	if e := wantConflict(t, err, "blacklisted"); !strings.Contains(e.Text, "before 2026-04-21") || !strings.Contains(e.ZH, "2026年4月21日前") {
		t.Errorf("it does not say until when: %s", e.Text)
	}
	if _, err := evaluators.Admit(institution(), nil, []evaluators.Decision{list}, f, at("2026-04-21 00:00")); err != nil {
		t.Errorf("the day after: %v", err)
	}
}
