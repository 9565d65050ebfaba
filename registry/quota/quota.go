// Package quota says how often something may be asked that could be guessed, or
// that costs much: the last characters of a document, a photo, lists of
// certificates. The figures are data; what is remembered of the asking, and what
// is left, is computed here without clock or store.
package quota

import (
	"embed"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Rules are the figures of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	// Document is for the last characters of a holder's document, Photo for the
	// photo on the paper; both are counted for the holder, whatever paper of his
	// is in hand.
	Document Tries `yaml:"document" json:"document"`
	Photo    Tries `yaml:"photo" json:"photo"`
	// Address is how many tries of both kinds one network address has in a day.
	Address int   `yaml:"address" json:"address"`
	Lists   Lists `yaml:"lists" json:"lists"`
	// Claims is how often an account may ask about persons' claims; absent is
	// [DefaultClaims].
	Claims *Claims `yaml:"claims,omitempty" json:"claims,omitempty"`
}

// Claims bound the questions of one account about the claims of persons: checks,
// overviews and notices, and the rows of files of applicants. To reserve is no
// question and is not bounded.
type Claims struct {
	Hour     int `yaml:"hour" json:"hour"`           // questions in an hour
	RowsHour int `yaml:"rows_hour" json:"rows_hour"` // rows of files in an hour
}

// DefaultClaims holds where a rule file says nothing: more than the counters of a
// city ask, and less than it takes to look all its people up.
var DefaultClaims = Claims{Hour: 3000, RowsHour: 100_000}

// OfClaims are the figures for questions about claims.
func (r Rules) OfClaims() Claims {
	if r.Claims == nil {
		return DefaultClaims
	}
	return *r.Claims
}

// Tries bound the answers about one holder.
type Tries struct {
	Day    int `yaml:"day" json:"day"`       // answers in a civil day, right or wrong
	Window int `yaml:"window" json:"window"` // days, today among them
	Wrong  int `yaml:"wrong" json:"wrong"`   // wrong answers in so many days
	// Shortest is the length of a document below which nothing is offered: four
	// of few characters would be most of it.
	Shortest int `yaml:"shortest,omitempty" json:"shortest,omitempty"`
}

// Lists bound the lists of one account.
type Lists struct {
	Rows    int `yaml:"rows" json:"rows"`         // of one list
	Day     int `yaml:"day" json:"day"`           // lists in a civil day
	DayRows int `yaml:"day_rows" json:"day_rows"` // rows in a civil day
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; they are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// What a file may ask for at most: the counts are kept in one record each.
const (
	mostTries  = 1000
	mostWindow = 366
	// MostRows is how many rows a list has at most, whatever a file says.
	MostRows  = 5000
	mostLists = 10_000
	mostDay   = 10_000_000
)

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	for name, t := range map[string]Tries{"document": r.Document, "photo": r.Photo} {
		say(t.Day >= 1 && t.Day <= mostTries && t.Wrong >= 1 && t.Wrong <= mostTries, name+" 的 day、wrong 应为 1 至 1000", name+": day and wrong are 1 to 1000")
		say(t.Window >= 1 && t.Window <= mostWindow, name+" 的 window 应为 1 至 366", name+": window is 1 to 366")
	}
	say(r.Document.Shortest >= 8, "document 的 shortest 不得小于 8", "document: shortest is 8 at least, twice what is asked for")
	say(r.Address >= 1 && r.Address <= mostTries, "address 应为 1 至 1000", "address is 1 to 1000")
	say(r.Lists.Rows >= 1 && r.Lists.Rows <= MostRows, "lists 的 rows 应为 1 至 5000", "lists: rows is 1 to 5000")
	say(r.Lists.Day >= 1 && r.Lists.Day <= mostLists && r.Lists.DayRows >= 1 && r.Lists.DayRows <= mostDay,
		"lists 的 day、day_rows 超出范围", "lists: day or day_rows is out of range")
	if c := r.Claims; c != nil {
		say(c.Hour >= 1 && c.Hour <= mostDay && c.RowsHour >= 1 && c.RowsHour <= mostDay, "claims 的 hour、rows_hour 应为 1 至 10000000", "claims: hour and rows_hour are 1 to 10,000,000")
	}
	return out
}

// Book is what is remembered of the tries at one holder. The zero value is for
// one nobody has asked about.
type Book struct {
	Day   standards.Date `json:"day"`             // of Used
	Used  int            `json:"used"`            // answers on that day
	Wrong []DayCount     `json:"wrong,omitempty"` // by day, the oldest first
	Told  standards.Date `json:"told,omitempty"`  // the day on which running out was last recorded
}

// DayCount is a count of one civil day.
type DayCount struct {
	Day standards.Date `json:"day"`
	N   int            `json:"n"`
}

// Left is how many answers may still be given on a day. A day before the one in
// the book is taken for that one: time does not give tries back.
func (b Book) Left(t Tries, day standards.Date) int {
	day = max(day, b.Day)
	left := t.Day
	if b.Day == day {
		left -= b.Used
	}
	wrong := t.Wrong
	for _, w := range b.Wrong {
		if w.Day > day.AddDays(-t.Window) {
			wrong -= w.N
		}
	}
	return max(min(left, wrong), 0)
}

// LeftOfWrong is how many wrong answers may still be given on a day, whatever was
// answered right.
func (b Book) LeftOfWrong(t Tries, day standards.Date) int {
	day = max(day, b.Day)
	today, all := t.Day, t.Wrong
	for _, w := range b.Wrong {
		if w.Day == day {
			today -= w.N
		}
		if w.Day > day.AddDays(-t.Window) {
			all -= w.N
		}
	}
	return max(min(today, all), 0)
}

// Answer is the book after an answer was given on a day.
func (b Book) Answer(t Tries, day standards.Date, right bool) Book {
	day = max(day, b.Day)
	if b.Day != day {
		b.Day, b.Used = day, 0
	}
	b.Used++
	var kept []DayCount
	for _, w := range b.Wrong {
		if w.Day > day.AddDays(-t.Window) {
			kept = append(kept, w)
		}
	}
	switch n := len(kept); {
	case right:
	case n > 0 && kept[n-1].Day == day:
		kept[n-1].N++
	default:
		kept = append(kept, DayCount{Day: day, N: 1})
	}
	b.Wrong = kept
	return b
}

// Matters is the last day on which the book changes what is left.
func (b Book) Matters(t Tries) standards.Date {
	last := b.Day
	if n := len(b.Wrong); n > 0 {
		last = max(last, b.Wrong[n-1].Day.AddDays(t.Window-1))
	}
	return last
}

// Tally counts lists and their rows of one account on one day.
type Tally struct {
	Day   standards.Date `json:"day"`
	Lists int            `json:"lists"`
	Rows  int            `json:"rows"`
}

// Add is the tally with one more list of so many rows on a day; ok is false when
// that is more than the day has. What was over the day counts for nothing.
func (t Tally) Add(l Lists, day standards.Date, rows int) (_ Tally, ok bool) {
	t = t.on(day)
	if t.Lists+1 > l.Day || t.Rows+rows > l.DayRows {
		return t, false
	}
	t.Lists, t.Rows = t.Lists+1, t.Rows+rows
	return t, true
}

// Left is how many lists and rows the day still has.
func (t Tally) Left(l Lists, day standards.Date) (lists, rows int) {
	t = t.on(day)
	return max(l.Day-t.Lists, 0), max(l.DayRows-t.Rows, 0)
}

func (t Tally) on(day standards.Date) Tally {
	if day > t.Day {
		return Tally{Day: day}
	}
	return t
}
