package standards

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bajigong/internal/fail"
)

// Basis says what an answer about working days rests on.
type Basis string

const (
	// Official: every day that counted lies in a year whose State Council notice is known.
	Official Basis = "official"
	// WeekdayFallback: at least one day that counted lies outside; Monday to
	// Friday were taken as working days there.
	WeekdayFallback Basis = "weekday_fallback"
)

// Chinese returns the basis as a note for people.
func (b Basis) Chinese() string {
	if b == Official {
		return "按国务院办公厅节假日安排"
	}
	return "尚无该年度节假日安排，暂按周一至周五计算"
}

// DayKind is what a calendar says about a listed day.
type DayKind string

// The kinds of listed days.
const (
	Holiday DayKind = "holiday" // 休: a day off
	Workday DayKind = "workday" // 班: a Saturday or Sunday on which work is done (调休)
)

type calendarDay struct {
	kind DayKind
	name string
}

// Calendar knows the working days of whole years by the yearly notices of the
// General Office of the State Council, 调休 included, and the weekday rule for
// all other years. The zero Calendar knows the weekday rule only.
type Calendar struct {
	days        map[Date]calendarDay
	first, last int // years, both included
}

//go:embed data/holidays.txt
var holidaysText string

var embedded = sync.OnceValue(func() Calendar {
	c, err := parseHolidays(holidaysText)
	if err != nil {
		panic(err) // a fault of the binary; a test reads every line
	}
	return c
})

// EmbeddedCalendar returns the calendar of the years 2023 to 2026.
func EmbeddedCalendar() Calendar { return embedded() }

// parseHolidays reads the embedded form: a line with a year, then one line per
// festival: name, 休 with days mm-dd or mm-dd..mm-dd, 班 with days.
func parseHolidays(text string) (Calendar, error) {
	days := map[Date]calendarDay{}
	year := 0
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) == 1 {
			var err error
			if year, err = strconv.Atoi(words[0]); err != nil {
				return Calendar{}, fmt.Errorf("holidays line %d: %w", i+1, err)
			}
			continue
		}
		kind := DayKind("")
		for _, w := range words[1:] {
			switch w {
			case "休":
				kind = Holiday
				continue
			case "班":
				kind = Workday
				continue
			}
			from, to, ok := strings.Cut(w, "..")
			if !ok {
				to = from
			}
			a, b := Date(fmt.Sprintf("%04d-%s", year, from)), Date(fmt.Sprintf("%04d-%s", year, to))
			if !a.Valid() || !b.Valid() || b < a || kind == "" {
				return Calendar{}, fmt.Errorf("holidays line %d: %q", i+1, w)
			}
			for d := a; d <= b; d = d.AddDays(1) {
				if _, twice := days[d]; twice {
					return Calendar{}, fmt.Errorf("holidays line %d: %s twice", i+1, d)
				}
				days[d] = calendarDay{kind, words[0]}
			}
		}
	}
	return newCalendar(days)
}

// newCalendar checks that every year from the first to the last is there whole.
// New Year, 1 May and 1 October are days off in every year by law, so a year
// without them is a file cut short, which must not count as official.
func newCalendar(days map[Date]calendarDay) (Calendar, error) {
	if len(days) == 0 {
		return Calendar{}, nil
	}
	listed := slices.Sorted(maps.Keys(days))
	c := Calendar{days: days, first: listed[0].Year(), last: listed[len(listed)-1].Year()}
	var fields []fail.Field
	for y := c.first; y <= c.last && len(fields) < maxFaults; y++ {
		for _, md := range []string{"01-01", "05-01", "10-01"} {
			if d := Date(fmt.Sprintf("%04d-%s", y, md)); days[d].kind != Holiday {
				fields = append(fields, fail.Field{Name: "date", Code: "calendar_year_incomplete",
					ZH: fmt.Sprintf("%d年的安排不完整：缺少法定节日 %s", y, d),
					EN: fmt.Sprintf("the year %d is not complete: the legal holiday %s is missing", y, d)})
				break
			}
		}
	}
	if len(fields) > 0 {
		return Calendar{}, bad("calendar_invalid", fields[0].ZH, fields[0].EN).At(fields...)
	}
	return c, nil
}

const (
	maxFaults       = 1000    // bad rows that one error lists
	maxCalendarRows = 10_000  // of a calendar file
	maxTableBytes   = 8 << 20 // of a CSV table of facts
)

// ReadCalendar reads a CSV with the columns date, kind, name: kind is holiday
// (a day off) or workday (a Saturday or Sunday on which work is done). Every
// year from the first to the last must be complete. Every bad row is reported
// with its row number. Error codes: calendar_invalid, table_header,
// table_unreadable, table_too_large.
func ReadCalendar(r io.Reader) (Calendar, error) {
	t, err := openTable(r, []string{"date", "kind", "name"}, maxCalendarRows)
	if err != nil {
		return Calendar{}, err
	}
	days := map[Date]calendarDay{}
	rows := map[Date]int{}
	for _, row := range t.rows {
		d, kind, name := Date(row.cells[0]), DayKind(row.cells[1]), row.cells[2]
		weekend := d.Valid() && (d.Weekday() == time.Saturday || d.Weekday() == time.Sunday)
		switch {
		case !d.Valid():
			t.fault(row.number, "date", "date_format", "日期应为实际存在的日期，写作 2025-03-01", "the date must be an existing day written 2025-03-01")
		case kind != Holiday && kind != Workday:
			t.fault(row.number, "kind", "calendar_kind", "kind 应为 holiday（休）或 workday（班）", "kind must be holiday or workday")
		case kind == Workday && !weekend:
			t.fault(row.number, "kind", "calendar_kind", fmt.Sprintf("%s 不是周六或周日，无需列为补班日", d), fmt.Sprintf("%s is no Saturday or Sunday; only those are listed as workday", d))
		case rows[d] != 0:
			t.fault(row.number, "date", "calendar_twice", fmt.Sprintf("%s 与第 %d 行重复", d, rows[d]), fmt.Sprintf("%s stands in row %d already", d, rows[d]))
		case !plainText(name, 40):
			t.fault(row.number, "name", "calendar_name", "名称应为1至40个字，不含控制字符", "the name must have 1 to 40 characters and no control characters")
		default:
			rows[d] = row.number
			days[d] = calendarDay{kind, name}
		}
	}
	if err := t.err("calendar_invalid"); err != nil {
		return Calendar{}, err
	}
	return newCalendar(days)
}

// WriteCSV writes the form that [ReadCalendar] reads, by date.
func (c Calendar) WriteCSV(w io.Writer) error {
	cw := csv.NewWriter(w)
	if err := cw.Write([]string{"date", "kind", "name"}); err != nil {
		return fmt.Errorf("write calendar: %w", err)
	}
	for _, d := range slices.Sorted(maps.Keys(c.days)) {
		if err := cw.Write([]string{string(d), string(c.days[d].kind), c.days[d].name}); err != nil {
			return fmt.Errorf("write calendar: %w", err)
		}
	}
	cw.Flush()
	if err := cw.Error(); err != nil {
		return fmt.Errorf("write calendar: %w", err)
	}
	return nil
}

// Years returns the first and the last year that the calendar knows by notices;
// zeros when none.
func (c Calendar) Years() (first, last int) { return c.first, c.last }

// Day returns what the calendar lists for d: its kind and the festival. It is
// false for days that follow the weekday.
func (c Calendar) Day(d Date) (kind DayKind, name string, ok bool) {
	v, ok := c.days[d]
	return v.kind, v.name, ok
}

// Working reports whether d is a working day and what that rests on. A date
// that is not valid is not working.
func (c Calendar) Working(d Date) (bool, Basis) {
	basis := WeekdayFallback
	if y := d.Year(); c.first != 0 && y >= c.first && y <= c.last {
		basis = Official
	}
	if !d.Valid() {
		return false, WeekdayFallback
	}
	if v, ok := c.days[d]; ok {
		return v.kind == Workday, basis
	}
	w := d.Weekday()
	return w != time.Saturday && w != time.Sunday, basis
}

// AddWorkingDays returns the n-th working day after d; d itself does not count.
// A negative n counts back. n = 0 gives d. The basis is official only when it
// is for every day passed over. When the count leaves the years 1900 to 2199,
// or d is not valid, the date is empty.
func (c Calendar) AddWorkingDays(d Date, n int) (Date, Basis) {
	basis := Official
	if n == 0 {
		_, basis = c.Working(d)
	}
	step := 1
	if n < 0 {
		step, n = -1, -n
	}
	for n > 0 {
		d = d.AddDays(step)
		if !d.Valid() {
			return "", WeekdayFallback
		}
		working, b := c.Working(d)
		if working {
			n--
		}
		if b != Official {
			basis = b
		}
	}
	if !d.Valid() {
		return "", WeekdayFallback
	}
	return d, basis
}

// WorkingDaysBetween counts the working days after a up to and including b, so
// that it undoes [Calendar.AddWorkingDays]; it is negative when b lies before a.
// To count both ends, give a.AddDays(-1).
func (c Calendar) WorkingDaysBetween(a, b Date) (int, Basis) {
	if !a.Valid() || !b.Valid() {
		return 0, WeekdayFallback
	}
	if b < a {
		// The days from b up to, not including, a: AddWorkingDays(a, -n) stops on
		// the last of them.
		n, basis := c.WorkingDaysBetween(b.AddDays(-1), a.AddDays(-1))
		return -n, basis
	}
	basis := Official
	if a == b {
		_, basis = c.Working(a)
	}
	n := 0
	for d := a.AddDays(1); d <= b; d = d.AddDays(1) {
		working, bs := c.Working(d)
		if working {
			n++
		}
		if bs != Official {
			basis = bs
		}
	}
	return n, basis
}

// table is a small strict CSV of facts with known columns.
type table struct {
	rows   []tableRow
	fields []fail.Field
	more   int
}

type tableRow struct {
	number int // as a spreadsheet counts; the header is row 1
	cells  []string
}

// openTable reads a UTF-8 CSV, with or without a byte order mark, whose header
// has exactly the columns given, in any order; cells come in the order given.
func openTable(r io.Reader, columns []string, maxRows int) (*table, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTableBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	tooLarge := fail.New(fail.TooLarge, "table_too_large", "the table may have %d rows and %d MB at most", maxRows, maxTableBytes>>20).
		In("表格最多 %d 行、%d MB", maxRows, maxTableBytes>>20)
	if len(b) > maxTableBytes {
		return nil, tooLarge
	}
	cr := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\uFEFF")))
	cr.FieldsPerRecord = -1
	header, err := cr.Read()
	if err != nil {
		return nil, tableUnreadable(err)
	}
	at := map[string]int{}
	for i, h := range header {
		h = strings.ToLower(squeeze(h))
		if _, twice := at[h]; twice || !slices.Contains(columns, h) {
			return nil, tableHeader(columns)
		}
		at[h] = i
	}
	if len(at) != len(columns) {
		return nil, tableHeader(columns)
	}
	t := &table{}
	for {
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, tableUnreadable(err)
		}
		line, _ := cr.FieldPos(0)
		if len(t.rows) == maxRows {
			return nil, tooLarge
		}
		last, _ := cr.FieldPos(len(record) - 1)
		if last != line || strings.ContainsAny(strings.Join(record, ""), "\r\n") {
			return nil, fail.New(fail.Invalid, "table_unreadable", "row %d: a cell of this table may not contain a line break", line).
				In("第 %d 行：单元格内不应有换行", line)
		}
		if len(record) != len(columns) {
			t.fault(line, "", "table_columns", fmt.Sprintf("应有 %d 列，现为 %d 列", len(columns), len(record)), fmt.Sprintf("the row must have %d columns, not %d", len(columns), len(record)))
			continue
		}
		row := tableRow{number: line}
		for _, c := range columns {
			row.cells = append(row.cells, record[at[c]])
		}
		t.rows = append(t.rows, row)
	}
}

func tableHeader(columns []string) error {
	return fail.New(fail.Invalid, "table_header", "the first row must name the columns %s, each once", strings.Join(columns, ",")).
		In("第 1 行应为列名 %s，各出现一次", strings.Join(columns, ","))
}

func tableUnreadable(err error) error {
	row := 1
	var pe *csv.ParseError
	if errors.As(err, &pe) {
		row = pe.StartLine
	}
	return fail.New(fail.Invalid, "table_unreadable", "row %d is not valid CSV; look for a quotation mark that is not closed", row).
		In("第 %d 行不是有效的 CSV，请检查未闭合的引号", row).Because(err)
}

func (t *table) fault(row int, name, code, zh, en string) {
	if len(t.fields) == maxFaults {
		t.more++
		return
	}
	t.fields = append(t.fields, fail.Field{Name: name, Row: row, Code: code, ZH: zh, EN: en})
}

// err returns nil when no row is bad.
func (t *table) err(code string) error {
	if len(t.fields) == 0 {
		return nil
	}
	n, f := len(t.fields)+t.more, t.fields[0]
	zh, en := fmt.Sprintf("第 %d 行：%s", f.Row, f.ZH), fmt.Sprintf("row %d: %s", f.Row, f.EN)
	if n > 1 {
		zh += fmt.Sprintf("（共 %d 处错误）", n)
		en += fmt.Sprintf(" (%d errors in all)", n)
	}
	return bad(code, zh, en).At(t.fields...)
}
