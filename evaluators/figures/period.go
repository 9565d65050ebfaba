package figures

import (
	"fmt"
	"strconv"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A Period is a month, quarter or year as reports have them: 2026-03, 2026Q1 or
// 2026. Periods are civil time in Asia/Shanghai.
type Period string

// MonthOf returns the month of a date; empty when the date is none.
func MonthOf(d standards.Date) Period {
	if !d.Valid() {
		return ""
	}
	return Period(d[:7])
}

// ParsePeriod reads 2026, 2026Q1 or 2026-03, years 1949 to 2199, those of [standards.Date].
//
// Errors: Invalid period.
func ParsePeriod(s string) (Period, error) {
	p := Period(s)
	if _, _, _, ok := p.split(); !ok {
		return "", fail.New(fail.Invalid, "period", "a period is a year, quarter or month: 2026, 2026Q1 or 2026-03").
			In("统计期应为年、季或月，如 2026、2026Q1、2026-03").
			At(fail.Field{Name: "period", Code: "form", ZH: "应形如 2026、2026Q1 或 2026-03", EN: "must read like 2026, 2026Q1 or 2026-03"})
	}
	return p, nil
}

// split gives the year and the first and last month.
func (p Period) split() (year, first, last int, ok bool) {
	digits := func(s string) int {
		n := 0
		for _, c := range []byte(s) {
			if c < '0' || c > '9' {
				return -1
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	if len(p) < 4 {
		return 0, 0, 0, false
	}
	if year = digits(string(p[:4])); year < 1949 || year > 2199 {
		return 0, 0, 0, false
	}
	switch {
	case len(p) == 4:
		return year, 1, 12, true
	case len(p) == 6 && p[4] == 'Q' && p[5] >= '1' && p[5] <= '4':
		q := int(p[5] - '0')
		return year, 3*q - 2, 3 * q, true
	case len(p) == 7 && p[4] == '-':
		m := digits(string(p[5:]))
		return year, m, m, m >= 1 && m <= 12
	}
	return 0, 0, 0, false
}

// Year is the year the period lies in; 0 when it is none.
func (p Period) Year() int { year, _, _, _ := p.split(); return year }

// From is the first day.
func (p Period) From() standards.Date {
	year, first, _, ok := p.split()
	if !ok {
		return ""
	}
	d, _ := standards.NewDate(year, first, 1)
	return d
}

// Until is the last day.
func (p Period) Until() standards.Date {
	year, _, last, ok := p.split()
	if !ok {
		return ""
	}
	for day := 31; ; day-- {
		if d, ok := standards.NewDate(year, last, day); ok {
			return d
		}
	}
}

// Months are the months of the period, in order.
func (p Period) Months() []Period {
	year, first, last, ok := p.split()
	if !ok {
		return nil
	}
	var out []Period
	for m := first; m <= last; m++ {
		out = append(out, Period(fmt.Sprintf("%04d-%02d", year, m)))
	}
	return out
}

// Before is the same period of the year before 上年同期.
func (p Period) Before() Period {
	return Period(fmt.Sprintf("%04d", p.Year()-1)) + p[4:]
}

// enclosing are the periods a month is counted in: itself, its quarter, its year.
func (p Period) enclosing() [3]Period {
	year, m, _, _ := p.split()
	y := Period(strconv.Itoa(year))
	return [3]Period{p, y + Period("Q"+strconv.Itoa((m+2)/3)), y}
}

// Chinese writes the period as a heading has it: 2026年, 2026年第1季度, 2026年3月.
func (p Period) Chinese() string {
	year, first, last, _ := p.split()
	switch {
	case first == last:
		return fmt.Sprintf("%d年%d月", year, first)
	case last-first == 2:
		return fmt.Sprintf("%d年第%d季度", year, last/3)
	}
	return fmt.Sprintf("%d年", year)
}
