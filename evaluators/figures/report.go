package figures

import (
	"cmp"
	"slices"
	"strings"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Listing is what the rows of a report stand for.
type Listing string

// The listings of a report.
const (
	ListLevels      Listing = "level"
	ListOccupations Listing = "occupation"
	ListFields      Listing = "field"  // 领域
	ListRegions     Listing = "region" // the regions one step below, and what lies in none of them
	ListClasses     Listing = "class"
	ListGroups      Listing = "group" // 人员类别
	ListModes       Listing = "mode"  // 取得方式
)

// Listings lists every listing.
func Listings() []Listing {
	return []Listing{ListLevels, ListOccupations, ListFields, ListRegions, ListClasses, ListGroups, ListModes}
}

// Along is which kept figures a listing is made from.
func (l Listing) Along() By {
	switch l {
	case ListOccupations, ListFields:
		return Occupation
	case ListClasses:
		return Class
	case ListGroups:
		return Group
	case ListModes:
		return Mode
	}
	return Total
}

// An Entry is one kept figure.
type Entry struct {
	Sum
	Count
}

// Figures are the measures of one row; see the package comment.
type Figures struct {
	Issued      uint64   `json:"issued"`           // 人次
	People      *uint64  `json:"people"`           // 人数; null where there is none that is exact
	High        uint64   `json:"high"`             // of Issued, 高技能: 三级 and above
	HighPeople  *uint64  `json:"high_people"`      // distinct persons of High; in totals and by region
	HighShare   *float64 `json:"high_share"`       // High/Issued, four decimals; null when nothing was issued
	Voided      uint64   `json:"voided"`           // 撤销数, recorded in the period
	Cancelled   uint64   `json:"cancelled"`        // 注销数, recorded in the period
	VoidedSince uint64   `json:"voided_since"`     // of Issued, void by now
	Before      *Before  `json:"before"`           // 上年同期; null while the period runs
	Levels      []Level  `json:"levels,omitempty"` // not in a list by level
}

// Before is the same period of the year before.
type Before struct {
	Issued uint64   `json:"issued"`
	People *uint64  `json:"people"`
	Change *float64 `json:"change"` // (Issued now − then)/then, four decimals; null when there was nothing then
}

// Level is one level of a row.
type Level struct {
	Level  standards.Level `json:"level"`
	Issued uint64          `json:"issued"`
	People *uint64         `json:"people"`
}

// Row is one line of a report.
type Row struct {
	Key  string        `json:"key"` // code; empty for what has none
	Name rulefile.Text `json:"name"`
	Figures
}

// Lookup finds the name of a key; a key without a name is shown by itself.
type Lookup func(key string) rulefile.Text

// Table makes the rows and the total of a report from the kept figures of a
// period and of the same period of the year before; before is nil while the
// period runs. Entries are those of one origin and of one region, listed along
// l.Along(), with those of the regions below it when l is ListRegions; total are
// the totals of the region. fields is for ListFields.
func Table(l Listing, region string, now, before, total, totalBefore []Entry, fields Fields, name Lookup) (rows []Row, sum Figures) {
	key := func(e Entry) (string, bool) {
		switch l {
		case ListLevels:
			if e.Rank == All || e.Rank == HighRank {
				return "", false
			}
			return string(e.Rank), true
		case ListFields:
			return fields.Of(e.Value), true
		case ListRegions:
			return e.Region, e.Region != region
		}
		return e.Value, true
	}
	// Several occupations make one field; their 人数 cannot be added.
	exact := l != ListFields
	cells, past := gather(now, key, exact), gather(before, key, exact)
	for k := range past {
		if cells[k] == nil {
			cells[k] = &cell{levels: map[standards.Level]Count{}}
		}
	}
	for k, c := range cells {
		row := Row{Key: k, Name: name(k), Figures: c.figures(exact, l == ListLevels)}
		if before != nil {
			row.Before = past[k].before(c, exact)
		}
		if row.any() {
			rows = append(rows, row)
		}
	}
	whole := func(Entry) (string, bool) { return "", true }
	t, p := gather(total, whole, true)[""], gather(totalBefore, whole, true)[""]
	sum = t.figures(true, false)
	if totalBefore != nil {
		sum.Before = p.before(t, true)
	}
	if l == ListRegions {
		if rest, any := remainder(rows, sum, before != nil); any {
			rest.Key, rest.Name = region, name(region)
			rows = append(rows, rest)
		}
	}
	order(l, rows)
	return rows, sum
}

// cell gathers the ranks of one row.
type cell struct {
	all, high Count
	levels    map[standards.Level]Count
}

func gather(entries []Entry, key func(Entry) (string, bool), exact bool) map[string]*cell {
	out := map[string]*cell{}
	for _, e := range entries {
		k, ok := key(e)
		if !ok {
			continue
		}
		c := out[k]
		if c == nil {
			c = &cell{levels: map[standards.Level]Count{}}
			out[k] = c
		}
		switch e.Rank {
		case All:
			c.all = c.all.Plus(e.Count)
		case HighRank:
			c.high = c.high.Plus(e.Count)
		default:
			var level standards.Level
			if level.UnmarshalText([]byte(e.Rank)) == nil {
				c.levels[level] = c.levels[level].Plus(e.Count)
			}
		}
	}
	return out
}

func (c *cell) figures(exact, byLevel bool) (out Figures) {
	if c == nil {
		c = &cell{}
	}
	all := c.all
	if byLevel { // one level stands for the whole row
		for _, n := range c.levels {
			all = n
		}
	}
	out = Figures{Issued: all.Issued, Voided: all.Voided, Cancelled: all.Cancelled, VoidedSince: all.VoidedSince}
	if exact {
		out.People = &all.People
	}
	for level, n := range c.levels {
		if High(level) {
			out.High += n.Issued
		}
		if !byLevel {
			one := Level{Level: level, Issued: n.Issued}
			if exact {
				one.People = &n.People
			}
			out.Levels = append(out.Levels, one)
		}
	}
	slices.SortFunc(out.Levels, func(a, b Level) int { return cmp.Compare(a.Level, b.Level) })
	if c.high.Issued > 0 {
		out.HighPeople = &c.high.People
	}
	out.HighShare = share(out.High, out.Issued)
	return out
}

// before compares with the cell of the year before, which is nil for nothing.
func (c *cell) before(now *cell, exact bool) *Before {
	then, of := c.figures(exact, c.single()), now.figures(exact, now.single())
	out := &Before{Issued: then.Issued, People: then.People}
	if then.Issued > 0 {
		change := round((float64(of.Issued) - float64(then.Issued)) / float64(then.Issued))
		out.Change = &change
	}
	return out
}

// single reports whether the cell is a row of one level, which has no rank for
// all levels.
func (c *cell) single() bool { return c != nil && c.all == Count{} && len(c.levels) > 0 }

func share(part, whole uint64) *float64 {
	if whole == 0 {
		return nil
	}
	s := round(float64(part) / float64(whole))
	return &s
}

func round(f float64) float64 {
	if f < 0 {
		return -round(-f)
	}
	return float64(int64(f*10000+0.5)) / 10000
}

// remainder is what lies in the region itself and in none below it. Its 人数 are
// not known: persons may be in both.
func remainder(rows []Row, sum Figures, compared bool) (rest Row, any bool) {
	if len(rows) == 0 { // nothing lies below
		rest.Figures = sum
		return rest, rest.any()
	}
	rest.Figures = Figures{Issued: sum.Issued, High: sum.High, Voided: sum.Voided, Cancelled: sum.Cancelled, VoidedSince: sum.VoidedSince}
	levels := map[standards.Level]uint64{}
	for _, l := range sum.Levels {
		levels[l.Level] = l.Issued
	}
	if compared && sum.Before != nil {
		rest.Before = &Before{Issued: sum.Before.Issued}
	}
	for _, r := range rows {
		rest.Issued, rest.High = rest.Issued-r.Issued, rest.High-r.High
		rest.Voided, rest.Cancelled, rest.VoidedSince = rest.Voided-r.Voided, rest.Cancelled-r.Cancelled, rest.VoidedSince-r.VoidedSince
		for _, l := range r.Levels {
			levels[l.Level] -= l.Issued
		}
		if rest.Before != nil && r.Before != nil {
			rest.Before.Issued -= r.Before.Issued
		}
	}
	for _, l := range sum.Levels {
		if levels[l.Level] > 0 {
			rest.Levels = append(rest.Levels, Level{Level: l.Level, Issued: levels[l.Level]})
		}
	}
	rest.HighShare = share(rest.High, rest.Issued)
	if b := rest.Before; b != nil && b.Issued > 0 {
		change := round((float64(rest.Issued) - float64(b.Issued)) / float64(b.Issued))
		b.Change = &change
	}
	return rest, rest.any()
}

func (r Row) any() bool {
	return r.Issued+r.Voided+r.Cancelled+r.VoidedSince > 0 || r.Before != nil && r.Before.Issued > 0
}

// order: levels and regions as they are ordered, what else there is by size.
func order(l Listing, rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		switch l {
		case ListLevels:
			var x, y standards.Level
			_ = x.UnmarshalText([]byte(a.Key))
			_ = y.UnmarshalText([]byte(b.Key))
			return cmp.Compare(x, y)
		case ListRegions:
			return strings.Compare(a.Key, b.Key)
		}
		return cmp.Or(-cmp.Compare(a.Issued, b.Issued), strings.Compare(a.Key, b.Key))
	})
}
