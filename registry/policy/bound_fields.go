package policy

import (
	"slices"

	"bajigong/standards"
)

// boundForm is what a field's value looks like.
type boundForm int

const (
	boundFree   boundForm = iota // a section that can only be delegated
	boundNumber                  // a whole number
	boundYuan                    // money
	boundWord                    // one word
	boundSet                     // different words
)

// said is whether a policy says something about a field.
type said int

const (
	saidValue   said = iota // it has a value
	saidNone                // it expressly has no such rule
	saidNothing             // its text is silent
)

// fieldValue is what a policy says about a field.
type fieldValue struct {
	said   said
	number int64
	words  []string
}

// boundField is a field that a bound may name. Absent tells what a policy without
// the rule means by it.
type boundField struct {
	form    boundForm
	section string // says none or unknown
	absent  absence
	value   func(p *Policy) (fieldValue, bool) // false: not there
}

type absence int

const (
	absentNothing absence = iota // zero, or the empty set
	absentAll                    // not limited
)

func number(n int) (fieldValue, bool) { return fieldValue{number: int64(n)}, n != 0 }

func wordsOf[W ~string](ws []W) (fieldValue, bool) {
	var v fieldValue
	for _, w := range ws {
		v.words = append(v.words, string(w))
	}
	return v, len(ws) > 0
}

func oneWord[W ~string](w W) (fieldValue, bool) {
	return fieldValue{words: []string{string(w)}}, w != ""
}

func yesNo(b bool) string {
	if b {
		return Yes
	}
	return No
}

// boundFields are the fields with values; sections can be delegated besides.
var boundFields = makeBoundFields()

func makeBoundFields() map[string]boundField {
	none := func() (fieldValue, bool) { return fieldValue{}, false }
	out := map[string]boundField{
		"amounts.flat": {boundYuan, "amounts", absentNothing, func(p *Policy) (fieldValue, bool) {
			return fieldValue{number: int64(p.Amounts.Flat)}, p.Amounts.Flat != 0
		}},
		"scarce.uplift_percent": {boundNumber, "scarce", absentNothing, func(p *Policy) (fieldValue, bool) {
			switch {
			case p.Scarce != nil:
				return number(p.Scarce.Percent)
			case p.ScarceAlways != nil:
				return number(p.ScarceAlways.Percent)
			}
			return none()
		}},
		"frequency.max": {boundNumber, "frequency", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Frequency == nil {
				return none()
			}
			return number(p.Frequency.Max)
		}},
		"frequency.extra": {boundNumber, "frequency", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Frequency == nil || p.Frequency.Extra == nil {
				return none()
			}
			return number(p.Frequency.Extra.Max)
		}},
		"frequency.per": {boundWord, "frequency", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Frequency == nil {
				return none()
			}
			return oneWord(p.Frequency.Per)
		}},
		"window.months": {boundNumber, "window", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Window == nil {
				return none()
			}
			return number(p.Window.Months)
		}},
		"window.days": {boundNumber, "window", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Window == nil {
				return none()
			}
			return number(p.Window.Days)
		}},
		"kinds": {boundSet, "kinds", absentAll, func(p *Policy) (fieldValue, bool) { return wordsOf(p.Kinds.Allowed) }},
		"modes": {boundSet, "modes", absentAll, modesAllowed},
		"institutions": {boundSet, "institutions", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Institutions == nil {
				return none()
			}
			return wordsOf(p.Institutions.Classes)
		}},
		"groups": {boundSet, "groups", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Groups == nil {
				return none()
			}
			return wordsOf(p.Groups.AnyOf)
		}},
		"groups.none_of": {boundSet, "groups", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Groups == nil {
				return none()
			}
			return wordsOf(p.Groups.NoneOf)
		}},
		"once": {boundSet, "once", absentNothing, func(p *Policy) (fieldValue, bool) { return wordsOf(p.Once.Same) }},
		"refund": {boundWord, "refund", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Refund == nil {
				return none()
			}
			return oneWord(yesNo(p.Refund.RestoresRight))
		}},
		"higher_excludes_lower": {boundWord, "higher_excludes_lower", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Higher == nil {
				return none()
			}
			return oneWord(p.Higher.By)
		}},
		"decided_by": {boundWord, "decided_by", absentNothing, func(p *Policy) (fieldValue, bool) { return oneWord(p.DecidedBy) }},
		"beneficiary": {boundWord, "beneficiary", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Beneficiary == nil {
				return none()
			}
			return oneWord(p.Beneficiary.PayTo)
		}},
		"channel": {boundWord, "channel", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Channel == nil {
				return none()
			}
			return oneWord(yesNo(p.Channel.SystemOnly))
		}},
		"supervision": {boundWord, "supervision", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Supervision == nil {
				return none()
			}
			return oneWord(Yes)
		}},
		"prepayment": {boundNumber, "prepayment", absentNothing, func(p *Policy) (fieldValue, bool) {
			if p.Prepayment == nil {
				return none()
			}
			return number(p.Prepayment.Percent)
		}},
		"subject.most_units": {boundNumber, "subject", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Subject == nil {
				return none()
			}
			return number(p.Subject.MostUnits)
		}},
	}
	for _, l := range standards.Levels() {
		out["amounts."+l.Code()] = boundField{boundYuan, "amounts", absentNothing, func(p *Policy) (fieldValue, bool) { return amountOf(p, l) }}
	}
	for name, of := range map[string]func(*Ages) int{
		"ages.max_male": func(a *Ages) int { return a.MaxMale }, "ages.max_female": func(a *Ages) int { return a.MaxFemale },
	} {
		out[name] = boundField{boundNumber, "ages", absentAll, func(p *Policy) (fieldValue, bool) {
			if p.Ages == nil {
				return none()
			}
			return number(of(p.Ages))
		}}
	}
	out["ages.min"] = boundField{boundNumber, "ages", absentNothing, func(p *Policy) (fieldValue, bool) {
		if p.Ages == nil {
			return none()
		}
		return number(p.Ages.Min)
	}}
	for k, f := range factForms {
		if f.asked {
			continue
		}
		form := boundWord
		if f.as == asCount {
			form = boundNumber
		}
		out["facts."+string(k)] = boundField{form, "facts", absentNothing, func(p *Policy) (fieldValue, bool) { return factAsked(p, k) }}
	}
	return out
}

// amountOf is the highest amount for a level, before anything is added.
func amountOf(p *Policy, l standards.Level) (fieldValue, bool) {
	most := Fen(0)
	see := func(levels []LevelAmount) {
		for _, a := range levels {
			if a.Level == l {
				most = max(most, a.Fen)
			}
		}
	}
	see(p.Amounts.Levels)
	if p.Amounts.Of == AmountOfCatalogue && p.Catalogue != nil {
		for _, c := range p.Catalogue.Entries {
			see(c.Levels)
		}
	}
	return fieldValue{number: int64(most)}, most != 0
}

func modesAllowed(p *Policy) (fieldValue, bool) {
	switch {
	case p.Modes == nil:
		return fieldValue{}, false
	case len(p.Modes.Allowed) > 0:
		return wordsOf(p.Modes.Allowed)
	}
	return wordsOf(slices.DeleteFunc(AllModes(), func(m Mode) bool { return slices.Contains(p.Modes.Excluded, m) }))
}

func factAsked(p *Policy, k FactKind) (fieldValue, bool) {
	for _, f := range p.Facts {
		switch {
		case f.Fact != k:
		case f.Want != "":
			return oneWord(f.Want)
		case f.AtLeast == 0:
			return number(f.AtMost)
		default:
			return number(f.AtLeast)
		}
	}
	return fieldValue{}, false
}

func boundKind(field string) (boundForm, bool) {
	if f, ok := boundFields[field]; ok {
		return f.form, true
	}
	return boundFree, slices.Contains(sectionKeys2, field)
}

// BoundFields lists the fields that a [Bound] may name, in order.
func BoundFields() []string {
	out := sortedKeys(boundFields)
	for _, s := range sectionKeys2 {
		if _, ok := boundFields[s]; !ok {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}
