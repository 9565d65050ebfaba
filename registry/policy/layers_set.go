package policy

import (
	"slices"
	"strconv"
	"strings"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Binding is a bound of an upper policy as it meets a lower one.
type Binding struct {
	Policy    string // the upper policy
	Version   int
	Region    string
	Bound     Bound
	Demands   Text // what the bound leaves
	Has       Text // what the lower policy says
	Kept      bool
	Exception *BoundException // the document that allows it not to be kept
}

// Bounds returns every bound that binds p: of the newest policies of the regions
// above its own that bind its fund and were in force on a day with it. Samples
// bind samples and official policies official ones. It is for explanations;
// [NewSet] refuses a set in which a bound is neither kept nor excepted.
func (s Set) Bounds(p Policy) []Binding {
	var out []Binding
	for _, upper := range s.above(p) {
		for _, b := range upper.Bounds {
			if b.Any || slices.Contains(b.Among, p.Fund) {
				out = append(out, p.meets(&upper, b))
			}
		}
	}
	return out
}

// above are the newest policies of the regions above that of p that were in force on
// a day with it, samples for a sample and official ones for an official one.
func (s Set) above(p Policy) (out []Policy) {
	chain, err := s.Chain(p.Region)
	if err != nil || len(chain) == 0 {
		return nil
	}
	current := s.current()
	for _, r := range chain[1:] {
		for i := range current {
			if upper := &current[i]; upper.Region == r.Code && upper.Sample == p.Sample && together(upper.Effective, p.Effective) {
				out = append(out, *upper)
			}
		}
	}
	return out
}

// passesOn is a bound of a policy that leaves to those below what a bound above it
// does not leave to itself.
type passesOn struct {
	upper    Policy
	bound    Bound // above
	own      Bound // below it
	excepted bool
}

// loosened holds the bounds that p sets against those that are set above it: what
// is not left to it, it cannot leave to others.
func (s Set) loosened(p Policy) (out []passesOn) {
	for _, upper := range s.above(p) {
		for _, b := range upper.Bounds {
			for _, own := range p.Bounds {
				common := b.Any || own.Any || slices.ContainsFunc(own.Among, func(f Fund) bool { return slices.Contains(b.Among, f) })
				if own.Field == b.Field && common && !own.within(b) {
					out = append(out, passesOn{upper, b, own, b.InPrinciple && p.meets(&upper, b).Exception != nil})
				}
			}
		}
	}
	return out
}

// within reports whether all that b leaves, upper leaves too. Of two bounds on the
// two sides of one value, or of a set, both hold; they must leave something.
func (b Bound) within(upper Bound) bool {
	switch {
	case upper.May == MayFree:
		return true
	case b.May == MayFree:
		return false
	case upper.May == MayEqual && b.May != MayEqual:
		return false
	}
	if form, _ := boundKind(b.Field); form == boundNumber || form == boundYuan {
		return b.withinNumber(upper)
	}
	own := func(w string) bool { return slices.Contains(b.Words, w) }
	theirs := func(w string) bool { return slices.Contains(upper.Words, w) }
	switch upper.May {
	case MayAtMost:
		return all(b.Words, theirs)
	case MayAtLeast:
		return all(upper.Words, own)
	}
	return all(b.Words, theirs) && all(upper.Words, own)
}

func (b Bound) withinNumber(upper Bound) bool {
	n, most := b.limit(), upper.limit()
	switch upper.May {
	case MayAtMost:
		return n <= most
	case MayAtLeast:
		return n >= most
	}
	return n == most
}

func (x passesOn) refused(p Policy) error {
	own, theirs := x.own.demands(), x.bound.demands()
	return fail.New(fail.Invalid, "policy_set", "policy %s: its bound %s leaves %s of %s to the policies below, and %s v%d %s demands %s", p, x.own.ID, own.EN, x.own.Field, x.upper.ID, x.upper.Version, x.bound.Clause, theirs.EN).
		In("政策 %s 的约束 %s 对下级规定 %s %s，超出 %s 第 %d 版 %s 的规定（%s）", p, x.own.ID, x.own.Field, own.ZH, x.upper.ID, x.upper.Version, x.bound.Clause, theirs.ZH)
}

// together reports whether both are known to be in force on the same day.
func together(a, b Effective) bool {
	last := func(e Effective) standards.Date {
		switch e.End {
		case EndKnown:
			return e.Until
		case EndUnknown:
			return e.StatedThrough
		}
		return "9999"
	}
	return a.From <= last(b) && b.From <= last(a)
}

func (b Binding) refused(p Policy) error {
	why := Text{"未列明例外依据", "and no exception with its document stands"}
	if !b.Bound.InPrinciple {
		why = Text{"不允许例外", "and it allows no exception"}
	}
	return fail.New(fail.Invalid, "policy_set", "policy %s: %s is %s; %s v%d %s demands %s, %s", p, b.Bound.Field, b.Has.EN, b.Policy, b.Version, b.Bound.Clause, b.Demands.EN, why.EN).
		In("政策 %s 的 %s 为%s；%s 第 %d 版 %s 规定%s，%s", p, b.Bound.Field, b.Has.ZH, b.Policy, b.Version, b.Bound.Clause, b.Demands.ZH, why.ZH)
}

// meets holds p against one bound of an upper policy.
func (p *Policy) meets(upper *Policy, b Bound) Binding {
	v := p.says(b.Field)
	out := Binding{Policy: upper.ID, Version: upper.Version, Region: upper.Region, Bound: b, Demands: b.demands(), Has: p.has(b.Field, v), Kept: b.keptBy(v)}
	for _, u := range p.Under {
		for i := range u.Exceptions {
			if u.Policy == upper.ID && u.Exceptions[i].Bound == b.ID {
				out.Exception = &u.Exceptions[i]
			}
		}
	}
	return out
}

// says is what p says about a field. Silence is no breach of a bound: then the
// upper policy's own rule stands. Nor is a rule about certificates missing in a
// policy for claims without one, nor any in a framework.
func (p *Policy) says(field string) fieldValue {
	f, ok := boundFields[field]
	if !ok {
		return fieldValue{said: saidNothing}
	}
	if strings.HasPrefix(field, "window.") {
		if p.Window != nil && p.Window.lastDays() > 0 {
			return fieldValue{number: p.Window.lastDays()}
		}
	} else if v, there := f.value(p); there {
		return v
	}
	silent := slices.ContainsFunc(p.Unknown, func(g Gap) bool { return g.Field == f.section && g.TakenAs == "" })
	if silent || p.Framework || f.section == "amounts" && p.Amounts.Of == AmountApproved ||
		!p.forCertificate() && slices.Contains(certificateSections, f.section) {
		return fieldValue{said: saidNothing}
	}
	return fieldValue{said: saidNone}
}

// lastDays is the length of the window in days, counted in years without a 29 February.
func (w *Window) lastDays() int64 {
	if w.Days > 0 {
		return int64(w.Days)
	}
	return monthDays(w.Months)
}

func monthDays(months int) int64 {
	const first = standards.Date("2025-03-01")
	return int64(first.AddMonths(months).DaysSince(first))
}

// limit is the bound's value as a number.
func (b Bound) limit() int64 {
	switch form, _ := boundKind(b.Field); {
	case form == boundYuan:
		return int64(b.Fen)
	case b.Field == "window.months":
		return monthDays(b.Number)
	}
	return int64(b.Number)
}

func (b Bound) keptBy(v fieldValue) bool {
	if b.May == MayFree || v.said == saidNothing {
		return true
	}
	f := boundFields[b.Field]
	if v.said == saidNone && f.absent == absentAll {
		return b.May == MayAtLeast
	}
	switch f.form {
	case boundWord:
		if v.said == saidNone {
			v.words = []string{"none"}
		}
		return slices.Equal(v.words, b.Words)
	case boundSet:
		lower := func(w string) bool { return slices.Contains(b.Words, w) }
		upper := func(w string) bool { return slices.Contains(v.words, w) }
		return (b.May == MayAtLeast || all(v.words, lower)) && (b.May == MayAtMost || all(b.Words, upper))
	}
	switch n := b.limit(); b.May {
	case MayAtMost:
		return v.number <= n
	case MayAtLeast:
		return v.number >= n
	default:
		return v.number == n
	}
}

func all(words []string, is func(string) bool) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !is(w) })
}

var mayNames = map[May]Text{
	MayAtMost: {"不超过", "at most"}, MayAtLeast: {"不少于", "at least"}, MayEqual: {"等于", "equal to"}, MayFree: {"由下级确定", "left to the policies below"},
}

// demands says the bound's value in words.
func (b Bound) demands() Text {
	name := mayNames[b.May]
	if b.May == MayFree {
		return name
	}
	v := Text{strings.Join(b.Words, "、"), strings.Join(b.Words, ", ")}
	switch form, _ := boundKind(b.Field); form {
	case boundYuan:
		v = Text{b.Fen.String() + " 元", b.Fen.String() + " yuan"}
	case boundNumber:
		v = Text{strconv.Itoa(b.Number), strconv.Itoa(b.Number)}
	}
	return Text{name.ZH + " " + v.ZH, name.EN + " " + v.EN}
}

// has says what p says about a field in words.
func (p *Policy) has(field string, v fieldValue) Text {
	switch {
	case v.said == saidNothing:
		return Text{"未载明", "not said"}
	case v.said == saidNone:
		return Text{"无此项规定", "no such rule"}
	case strings.HasPrefix(field, "window.") && p.Window.Days == 0:
		return textf("%d 个月", p.Window.Months)("%d months", p.Window.Months)
	case strings.HasPrefix(field, "window."):
		return textf("%d 天", p.Window.Days)("%d days", p.Window.Days)
	}
	switch boundFields[field].form {
	case boundYuan:
		return textf("%s 元", Fen(v.number))("%s yuan", Fen(v.number))
	case boundNumber:
		return textf("%d", v.number)("%d", v.number)
	}
	return Text{strings.Join(v.words, "、"), strings.Join(v.words, ", ")}
}
