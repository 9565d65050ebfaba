package figures

import (
	"slices"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// A Fact is one certificate as it is counted.
type Fact struct {
	Month      Period          `json:"m"`           // of 发证日期
	Origin     string          `json:"o"`           // here, elsewhere, …
	Region     string          `json:"r"`           // GB/T 2260, six digits
	Class      string          `json:"c,omitempty"` // Y or S of the number; empty for numbers of other systems
	Level      standards.Level `json:"l"`
	Occupation string          `json:"j"`           // code d-dd-dd-dd
	Group      string          `json:"g,omitempty"` // 人员类别; empty when it was not given
	Mode       string          `json:"w"`           // 取得方式
}

// By is what the figures of one table are listed along.
type By string

// The listings that are kept. Regions are part of every one.
const (
	Total      By = "total"
	Occupation By = "occupation"
	Class      By = "class"
	Group      By = "group"
	Mode       By = "mode"
)

// Rank is a level's code, or one of the two below.
type Rank string

// The ranks that are not levels.
const (
	All      Rank = "all"
	HighRank Rank = "high" // 高技能, kept in totals
)

// High reports whether a level makes its holder 高技能人才: 高级工 and above
// (中办发〔2022〕58号).
func High(l standards.Level) bool { return l >= standards.Senior }

// A Sum names one figure that is kept.
type Sum struct {
	By     By
	Period Period
	Origin string
	Region string
	Value  string // of By; empty in totals
	Rank   Rank
}

// Count is what is counted in one cell; see the package comment.
type Count struct {
	Issued      uint64 `json:"issued"`
	People      uint64 `json:"people"`
	Voided      uint64 `json:"voided"`
	Cancelled   uint64 `json:"cancelled"`
	VoidedSince uint64 `json:"voided_since"`
}

// Plus adds two counts of one cell.
func (c Count) Plus(d Count) Count {
	return Count{c.Issued + d.Issued, c.People + d.People, c.Voided + d.Voided, c.Cancelled + d.Cancelled, c.VoidedSince + d.VoidedSince}
}

// Sums are the figures a fact is counted in: at most 132.
func (f Fact) Sums() []Sum {
	listings := [...]struct {
		by    By
		value string
	}{{Total, ""}, {Occupation, f.Occupation}, {Class, f.Class}, {Group, f.Group}, {Mode, f.Mode}}
	regions := rulefile.Upward(f.Region)
	out := make([]Sum, 0, 3*len(regions)*(2*len(listings)+1))
	for _, period := range f.Month.enclosing() {
		for _, region := range regions {
			for _, l := range listings {
				one := Sum{By: l.by, Period: period, Origin: f.Origin, Region: region, Value: l.value, Rank: All}
				out = append(out, one)
				one.Rank = Rank(f.Level.Code())
				out = append(out, one)
				if l.by == Total && High(f.Level) {
					one.Rank = HighRank
					out = append(out, one)
				}
			}
		}
	}
	return out
}

// place is a fact with the periods and regions it is counted in.
type place struct {
	Fact
	rank    Rank
	periods [3]Period
	regions []string
}

func (f Fact) place() place {
	return place{f, Rank(f.Level.Code()), f.Month.enclosing(), rulefile.Upward(f.Region)}
}

// countedIn reports whether a sum, of any fact, is one of Sums of this one.
func (p place) countedIn(s Sum) bool {
	switch s.Rank {
	case All, p.rank:
	case HighRank:
		if !High(p.Level) {
			return false
		}
	default:
		return false
	}
	return s.Origin == p.Origin && s.Value == p.value(s.By) && slices.Contains(p.periods[:], s.Period) && slices.Contains(p.regions, s.Region)
}

func (f Fact) value(by By) string {
	switch by {
	case Occupation:
		return f.Occupation
	case Class:
		return f.Class
	case Group:
		return f.Group
	case Mode:
		return f.Mode
	}
	return ""
}

// in returns the fact as if it had been issued in another month.
func (f Fact) in(month Period) Fact {
	f.Month = month
	return f
}

// Tally collects what a page of certificates adds to the figures.
type Tally struct {
	facts map[Fact]Count // without the persons that had other facts before
	extra map[Sum]uint64 // persons that count in some sums of a fact and not in others
}

// NewTally returns an empty tally.
func NewTally() *Tally { return &Tally{facts: map[Fact]Count{}, extra: map[Sum]uint64{}} }

func (t *Tally) add(f Fact, c Count) { t.facts[f] = t.facts[f].Plus(c) }

// Issue counts a certificate. had is every fact that was counted for the same
// person in the year of f before; the result is had with f in it.
func (t *Tally) Issue(f Fact, had []Fact) []Fact {
	if len(had) == 0 {
		t.add(f, Count{Issued: 1, People: 1})
		return []Fact{f}
	}
	t.add(f, Count{Issued: 1})
	if slices.Contains(had, f) {
		return had
	}
	before := make([]place, len(had))
	for i, h := range had {
		before[i] = h.place()
	}
	for _, s := range f.Sums() {
		if !slices.ContainsFunc(before, func(h place) bool { return h.countedIn(s) }) {
			t.extra[s]++
		}
	}
	return append(had[:len(had):len(had)], f)
}

// Void counts a voiding 撤销 recorded in a month of a certificate counted as f.
func (t *Tally) Void(f Fact, recorded Period) {
	t.add(f.in(recorded), Count{Voided: 1})
	t.add(f, Count{VoidedSince: 1})
}

// Cancel counts a cancellation 注销 recorded in a month.
func (t *Tally) Cancel(f Fact, recorded Period) { t.add(f.in(recorded), Count{Cancelled: 1}) }

// MinusOne takes one out of a count: counts are sums modulo 2^64, and what is
// taken out was counted before.
const MinusOne = ^uint64(0)

// Unvoid takes back what Void counted, of a voiding that was undone.
func (t *Tally) Unvoid(f Fact, recorded Period) {
	t.add(f.in(recorded), Count{Voided: MinusOne})
	t.add(f, Count{VoidedSince: MinusOne})
}

// Uncancel takes back what Cancel counted.
func (t *Tally) Uncancel(f Fact, recorded Period) {
	t.add(f.in(recorded), Count{Cancelled: MinusOne})
}

// Cells are the additions by fact, the finest figures. They have no 人数.
func (t *Tally) Cells() map[Fact]Count {
	out := make(map[Fact]Count, len(t.facts))
	for f, c := range t.facts {
		c.People = 0
		out[f] = c
	}
	return out
}

// Sums are the additions to the kept figures.
func (t *Tally) Sums() map[Sum]Count {
	out := map[Sum]Count{}
	for f, c := range t.facts {
		for _, s := range f.Sums() {
			out[s] = out[s].Plus(c)
		}
	}
	for s, n := range t.extra {
		out[s] = out[s].Plus(Count{People: n})
	}
	return out
}
