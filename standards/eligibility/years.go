package eligibility

import (
	"slices"

	"bajigong/standards"
)

// day counts civil days from 1970-01-01. never is after all days.
type day int

const never day = 1 << 30

// dayOf returns the day of a date; false when there is no such date.
func dayOf(d standards.Date) (day, bool) {
	if !d.Valid() {
		return never, false
	}
	n := func(from, to int) (v int) {
		for _, c := range d[from:to] {
			v = v*10 + int(c-'0')
		}
		return v
	}
	return civil(n(0, 4), n(5, 7), n(8, 10)), true
}

// civil counts the days to a date of the proleptic Gregorian calendar, years
// beginning in March so that a leap day is the last day of its year.
func civil(y, m, d int) day {
	if m <= 2 {
		y, m = y-1, m+12
	}
	return day(365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1 - 719468)
}

// parts is the inverse of civil for days after the year 0.
func (t day) parts() (y, m, d int) {
	n := int(t) + 719468
	era := n / 146097
	doe := n % 146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m, d = yoe+era*400, mp+3, doy-(153*mp+2)/5+1
	if m > 12 {
		y, m = y+1, m-12
	}
	return y, m, d
}

// date returns the civil date; empty for days outside 1900–2199.
func (t day) date() standards.Date {
	if t >= never {
		return ""
	}
	d, _ := standards.NewDate(t.parts())
	return d
}

// years returns the corresponding day n years later, or the last day of its
// month (民法典 第二百零二条).
func (t day) years(n int) day {
	y, m, d := t.parts()
	return civil(y+n, m, min(d, lastDay(y+n, m)))
}

// months is years in months; n may be negative.
func (t day) months(n int) day {
	y, m, d := t.parts()
	m += n - 1
	for ; m < 0; m += 12 {
		y--
	}
	y, m = y+m/12, m%12+1
	return civil(y, m, min(d, lastDay(y, m)))
}

func lastDay(y, m int) int {
	switch {
	case m == 2 && (y%4 == 0 && y%100 != 0 || y%400 == 0):
		return 29
	case m == 2:
		return 28
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}

// span is worked days from first up to, not including, end.
type span struct {
	from, end day
	evidence  string
}

// merged returns what of spans lies in [from, until), in order, those that
// overlap or touch joined. The evidence of joined spans is lost: see used.
func merged(spans []span, from, until day) []span {
	var out []span
	for _, s := range spans {
		s.from, s.end, s.evidence = max(s.from, from), min(s.end, until), ""
		if s.from < s.end {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b span) int { return int(a.from - b.from) })
	n := 0
	for _, s := range out {
		if n > 0 && s.from <= out[n-1].end {
			out[n-1].end = max(out[n-1].end, s.end)
			continue
		}
		out[n] = s
		n++
	}
	return out[:n]
}

// cumulated is how far work has come towards a number of whole years.
type cumulated struct {
	complete day   // the day on which the years were complete; never when they are not
	short    int   // days missing, 0 when complete
	worked   []day // from, end, from, end…: what was counted
}

// cumulate pushes the periods together to the first day of the first and counts
// n years from there. periods come from merged. Without any, short is 0 and
// complete is never: there is no day to count from.
func cumulate(periods []span, n int) cumulated {
	c := cumulated{complete: never}
	if len(periods) == 0 {
		return c
	}
	first := periods[0].from
	short := first.years(n) - first
	for _, p := range periods {
		if length := p.end - p.from; length < short {
			short -= length
			c.worked = append(c.worked, p.from, p.end)
			continue
		}
		c.complete = p.from + short
		c.worked = append(c.worked, p.from, c.complete)
		return c
	}
	c.short = int(short)
	return c
}

// used lists the evidence of the spans that have a day in what was counted.
func used(spans []span, worked []day) []string {
	var out []string
	for _, s := range spans {
		for i := 0; i+1 < len(worked); i += 2 {
			if s.from < worked[i+1] && worked[i] < s.end {
				out = append(out, s.evidence)
				break
			}
		}
	}
	return out
}
