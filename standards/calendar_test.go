package standards

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"strings"
	"testing"

	"bajigong/internal/needed"
)

func TestEmbeddedCalendarIsTheStateCouncils(t *testing.T) { // the yearly notices of 国务院办公厅, as collected in data/holidays-2023-2026.csv
	source := needed.Shared(t, "..", "data/holidays-2023-2026.csv")
	rows, err := csv.NewReader(bytes.NewReader(source)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	c := EmbeddedCalendar()
	for _, r := range rows[1:] {
		kind, name, ok := c.Day(Date(r[0]))
		if !ok || string(kind) != r[1] || name != r[2] {
			t.Errorf("%v: got %s %s", r, kind, name)
		}
	}
	if len(rows)-1 != len(c.days) {
		t.Errorf("%d days, the source has %d", len(c.days), len(rows)-1)
	}
	read, err := ReadCalendar(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := read.WriteCSV(&a); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Error("the calendar read from the file differs from the embedded one")
	}
}

func TestWorkingDays(t *testing.T) {
	c := EmbeddedCalendar()
	if first, last := c.Years(); first != 2023 || last != 2026 {
		t.Fatal(first, last)
	}
	for d, want := range map[Date]bool{
		"2026-03-02": true, "2026-02-14": true, "2026-02-13": true, "2026-02-15": false, "2026-10-08": true, "2026-10-10": true, "2025-10-11": true, "2026-04-06": false, "2026-03-07": false,
	} {
		if got, basis := c.Working(d); got != want || basis != Official {
			t.Errorf("%s: %v %s", d, got, basis)
		}
	}
	if w, b := c.Working("2027-01-01"); !w || b != WeekdayFallback {
		t.Error("past the end, the weekday rule must be used and say so", w, b)
	}
	if w, _ := c.Working("2026-02-30"); w {
		t.Error("a date that is none is no working day")
	}
	for _, x := range []struct {
		d     Date
		n     int
		want  Date
		basis Basis
	}{
		{"2026-03-02", 5, "2026-03-09", Official},
		{"2026-02-12", 2, "2026-02-14", Official}, // a Saturday on which work is done
		{"2026-02-13", 2, "2026-02-24", Official}, // 春节 between
		{"2026-09-30", 1, "2026-10-08", Official},
		{"2026-10-09", 1, "2026-10-10", Official},
		{"2026-12-31", 1, "2027-01-01", WeekdayFallback},
		{"2022-12-31", 1, "2023-01-03", Official},
		{"2026-03-09", -5, "2026-03-02", Official},
		{"2026-02-24", -1, "2026-02-14", Official},
		{"2026-03-07", 0, "2026-03-07", Official},
	} {
		got, basis := c.AddWorkingDays(x.d, x.n)
		if got != x.want || basis != x.basis {
			t.Errorf("%s %+d: %s %s, want %s %s", x.d, x.n, got, basis, x.want, x.basis)
		}
	}
	if d, _ := c.AddWorkingDays("2199-12-30", 100); d != "" {
		t.Error(d)
	}
	if d, _ := (Calendar{}).AddWorkingDays("", 3); d != "" {
		t.Error(d)
	}
}

func TestWorkingDaysBetweenUndoesAddWorkingDays(t *testing.T) {
	c := EmbeddedCalendar()
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		d, n := Date("2022-12-01").AddDays(r.IntN(1600)), r.IntN(81)-40
		to, basis := c.AddWorkingDays(d, n)
		got, back := c.WorkingDaysBetween(d, to)
		if got != n || basis != back {
			t.Fatalf("%s %+d is %s (%s), between counts %d (%s)", d, n, to, basis, got, back)
		}
	}
}

func TestReadCalendarNamesEveryBadRow(t *testing.T) {
	good := "2025-01-01,holiday,元旦\n2025-05-01,holiday,劳动节\n2025-10-01,holiday,国庆节\n"
	if _, err := ReadCalendar(strings.NewReader("\uFEFFdate,kind,name\r\n" + good)); err != nil {
		t.Fatal(err)
	}
	e := wantCode(t, errOf(ReadCalendar(strings.NewReader("date,kind,name\n"+good+"2025-02-30,holiday,x\n\n2025-06-02,rest,x\n2025-06-03,workday,x\n2025-05-01,holiday,x\n2025-06-04,holiday,\n2025-06-05,holiday\n"))), "calendar_invalid")
	rows := map[int]string{}
	for _, f := range e.Fields {
		rows[f.Row] = f.Code
	}
	want := map[int]string{5: "date_format", 7: "calendar_kind", 8: "calendar_kind", 9: "calendar_twice", 10: "calendar_name", 11: "table_columns"}
	for row, code := range want {
		if rows[row] != code {
			t.Errorf("row %d: %q, want %q", row, rows[row], code)
		}
	}
	if len(rows) != len(want) {
		t.Error(rows)
	}
	wantCode(t, errOf(ReadCalendar(strings.NewReader("date,kind,name\n2025-01-01,holiday,元旦\n"))), "calendar_invalid") // a year cut short is not official
	wantCode(t, errOf(ReadCalendar(strings.NewReader("date,kind\n"))), "table_header")
	wantCode(t, errOf(ReadCalendar(strings.NewReader("date,kind,name,date\n"))), "table_header")
	wantCode(t, errOf(ReadCalendar(strings.NewReader(""))), "table_unreadable")
	wantCode(t, errOf(ReadCalendar(strings.NewReader("date,kind,name\n\"2025"))), "table_unreadable")
}

func errOf[T any](_ T, err error) error { return err }

func TestFaultsOfTheEmbeddedFormAreFound(t *testing.T) {
	const year = "2025\n元旦 休 01-01\n劳动节 休 05-01\n国庆节 休 10-01\n"
	if _, err := parseHolidays(year); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"二〇二五\n", year + "x 休 02-30\n", year + "x 休 02-01..02-30\n", year + "x 休 02-05..02-01\n", year + "x 02-01\n", year + "x 休 01-01\n", year + "2026\n元旦 休 01-01\n", "元旦 休 01-01\n"} {
		if _, err := parseHolidays(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
