package standards

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// Zone is the zone of all civil dates: Asia/Shanghai as a fixed +08:00.
var Zone = time.FixedZone("CST", 8*60*60)

// Date is a civil date in Asia/Shanghai written 2025-06-30. Dates compare with
// <, ==, >. The empty Date is none.
type Date string

const (
	firstYear = 1900
	lastYear  = 2199
)

// DateOf returns the civil date in Asia/Shanghai at the instant t.
func DateOf(t time.Time) Date { return Date(t.In(Zone).Format(time.DateOnly)) }

// NewDate returns the date of the numbers, false when there is no such day or
// the year is outside 1900–2199.
func NewDate(year, month, day int) (Date, bool) {
	if year < firstYear || year > lastYear || month < 1 || month > 12 || day < 1 || day > 31 {
		return "", false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day {
		return "", false
	}
	return Date(t.Format(time.DateOnly)), true
}

// NewYear returns the first day of a year from 1900 to 2199; empty for others.
func NewYear(year int) Date {
	d, _ := NewDate(year, 1, 1)
	return d
}

var (
	dateParts  = regexp.MustCompile(`^(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?$`)
	dateDigits = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	dateSerial = regexp.MustCompile(`^\d{5}$`)
	dateClock  = regexp.MustCompile(`[ T]0?0:00(:00(\.0+)?)?$`)
)

// ParseDate reads a date as people and spreadsheets write it: 2025-03-01,
// 2025.3.1, 2025年3月1日, 2025/3/1, 20250301, 45717 (days of a spreadsheet since
// 1900), each also with a time of midnight behind it. Orders with the year last
// and years of two digits are refused, because they can be read in two ways.
// Error codes: date_missing, date_format, date_nonexistent.
func ParseDate(s string) (Date, error) {
	t := strings.TrimSpace(norm.NFKC.String(s))
	if t == "" {
		return "", fail.New(fail.Invalid, "date_missing", "the date is missing; write for instance 2025-03-01").
			In("未填写日期，应如 2025-03-01")
	}
	if len(t) > 60 {
		return "", dateFormat()
	}
	t = dateClock.ReplaceAllString(t, "")
	t = squeeze(t)
	if dateSerial.MatchString(t) {
		n, _ := strconv.Atoi(t)
		// Day 60 of the 1900 system is a day that never was; from 61 on the
		// count is right when it starts at 1899-12-30.
		const from, to = 18264, 73050 // 1950-01-01 … 2099-12-31
		if n < from || n > to {
			return "", dateFormat()
		}
		return Date("1899-12-30").AddDays(n), nil
	}
	m := dateParts.FindStringSubmatch(t)
	if m == nil {
		m = dateDigits.FindStringSubmatch(t)
	}
	if m == nil {
		return "", dateFormat()
	}
	year, _ := strconv.Atoi(m[1])
	month, _ := strconv.Atoi(m[2])
	day, _ := strconv.Atoi(m[3])
	d, ok := NewDate(year, month, day)
	if !ok {
		return "", fail.New(fail.Invalid, "date_nonexistent", "there is no date %d-%d-%d (years %d to %d)", year, month, day, firstYear, lastYear).
			In("日期 %d年%d月%d日 不存在（年份应在 %d 至 %d 之间）", year, month, day, firstYear, lastYear)
	}
	return d, nil
}

func dateFormat() error {
	return fail.New(fail.Invalid, "date_format", "the date cannot be read; write year, month and day, for instance 2025-03-01").
		In("日期格式无法识别，应为年月日，如 2025-03-01")
}

// Valid reports whether d is an existing day, 1900 to 2199, in the one form.
func (d Date) Valid() bool {
	y, m, day, ok := d.split()
	if !ok {
		return false
	}
	v, ok := NewDate(y, m, day)
	return ok && v == d
}

func (d Date) split() (year, month, day int, ok bool) {
	if len(d) != 10 || d[4] != '-' || d[7] != '-' {
		return 0, 0, 0, false
	}
	var n [10]int
	for i := range len(d) {
		if i == 4 || i == 7 {
			continue
		}
		if d[i] < '0' || d[i] > '9' {
			return 0, 0, 0, false
		}
		n[i] = int(d[i] - '0')
	}
	return n[0]*1000 + n[1]*100 + n[2]*10 + n[3], n[5]*10 + n[6], n[8]*10 + n[9], true
}

// Time returns the first instant of d in Asia/Shanghai; the zero time for a
// date that is not valid.
func (d Date) Time() time.Time {
	t, err := time.ParseInLocation(time.DateOnly, string(d), Zone)
	if err != nil {
		return time.Time{}
	}
	return t
}

// AddDays returns the date n days later (earlier for negative n). The empty
// Date stays empty.
func (d Date) AddDays(n int) Date {
	if d.Time().IsZero() {
		return ""
	}
	return Date(d.Time().AddDate(0, 0, n).Format(time.DateOnly))
}

// AddMonths returns the date n months later (earlier for negative n): the same
// day of the month, or the month's last day when it has no such day (民法典
// 第二百零二条). The empty Date stays empty.
func (d Date) AddMonths(n int) Date {
	t := d.Time()
	if t.IsZero() {
		return ""
	}
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, Zone)
	last := first.AddDate(0, 1, -1).Day()
	return DateOf(first.AddDate(0, 0, min(t.Day(), last)-1))
}

// DaysSince returns the number of days from e to d, negative when d is earlier.
func (d Date) DaysSince(e Date) int { return int(d.Time().Sub(e.Time()) / (24 * time.Hour)) }

// Year returns the year, 0 for the empty Date.
func (d Date) Year() int {
	y, _, _, _ := d.split()
	return y
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.Time().Weekday() }

// Chinese returns the date for sentences: 2025年6月30日.
func (d Date) Chinese() string {
	y, m, day, ok := d.split()
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d年%d月%d日", y, m, day)
}

// UnmarshalText accepts the form 2025-06-30 of an existing day, and nothing for
// none. Forms that people write are for [ParseDate].
func (d *Date) UnmarshalText(b []byte) error {
	v := Date(b)
	if v != "" && !v.Valid() {
		return fail.New(fail.Invalid, "date_format", "the date must be an existing day written 2025-03-01").
			In("日期应为实际存在的日期，写作 2025-03-01")
	}
	*d = v
	return nil
}
