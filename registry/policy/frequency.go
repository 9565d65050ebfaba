package policy

import (
	"bajigong/standards"
)

func (d *decoder) frequency(n node, p Policy) *Frequency {
	own, optional := []string{"max", "per", "counter", "funds", "in_principle"}, []string(nil)
	periods := []Period{PerNaturalYear, PerLifetime}
	if d.language == 2 {
		optional, periods = []string{"months", "extra"}, append(periods, PerRolling)
	}
	r, m := d.ruleWith(n, own, optional)
	f := &Frequency{Rule: r, Max: m["max"].number(1, 99), Per: word(m["per"], periods...),
		Counter: d.group(m["counter"], m["funds"]), InPrinciple: d.yes(m["in_principle"])}
	if p.Fund != "" && f.Counter.Name != "" && !f.Counter.Has(p.Fund) {
		m["funds"].problem("group_without_own_fund", "funds 应包含本政策的 fund %s", "funds must contain the policy's own fund %s", p.Fund)
	}
	switch months, ok := m["months"]; {
	case ok && f.Per != PerRolling:
		months.problem("unknown_key", "仅在 per 为 rolling 时使用", "only goes with per rolling")
	case ok:
		f.Months = months.number(1, 120)
	case f.Per == PerRolling:
		n.problem("missing_key", "缺少键 %s", "lacks the key %s", "months")
	}
	if x, ok := m["extra"]; ok {
		y := x.mapping([]string{"for", "max", "order"}, nil)
		word(y["for"], "scarce")
		f.Extra = &Extra{Max: y["max"].number(1, 99), ExtraFirst: word(y["order"], "base_first", "extra_first") == "extra_first"}
	}
	return f
}

// counts reports whether a claim lies in the period of one received on a day.
func (f *Frequency) counts(c *PastClaim, received standards.Date) bool {
	switch f.Per {
	case PerLifetime:
		return true
	case PerRolling:
		// Either day may be the earlier one: a late payment is decided for its own day.
		first, last := c.receivedOn(), received
		if first > last {
			first, last = last, first
		}
		return last.Year()-first.Year() <= f.Months/12+1 && first.AddMonths(f.Months) > last
	}
	return c.year() == received.Year()
}

// reached reports whether one more claim is too many after cs, which are in the
// order of time.
func (f *Frequency) reached(cs []PastClaim, scarce bool) bool {
	if f.Extra == nil {
		return len(cs) >= f.Max
	}
	base, extra := 0, 0
	for i := range cs {
		f.take(cs[i].Scarce, &base, &extra)
	}
	if scarce && extra < f.Extra.Max {
		return false
	}
	return base >= f.Max
}

// take counts one claim where its kind is counted first.
func (f *Frequency) take(scarce bool, base, extra *int) {
	first := f.Extra.ExtraFirst || *base >= f.Max // whether a scarce claim takes from the extra
	if scarce && first && *extra < f.Extra.Max {
		*extra++
	} else {
		*base++
	}
}

func (e *evaluation) frequency() {
	f := e.p.Frequency
	if f == nil {
		return
	}
	scarce, known := false, true
	if f.Extra != nil {
		if scarce, known = e.scarceFor(f); !known && !e.asksNothing {
			return
		}
		scarce = scarce && known // money that is out counts as the ordinary kind until the other is proved
	}
	before := len(e.failing)
	e.barWhen(f.Rule, FrequencyReached, func(cs []PastClaim) bool { return f.reached(cs, scarce) },
		func(c *PastClaim) bool { return f.Counter.Has(c.Fund) && f.counts(c, e.received) },
		func(cs []PastClaim) Text { return e.frequencyText(f, cs, scarce) })
	for i := range e.failing[before:] {
		e.failing[before+i].InPrinciple = f.InPrinciple
	}
}

// scarceFor reports whether the claim may use the extra. That it is not known
// matters only when a claim that is scarce and one that is not are answered differently.
func (e *evaluation) scarceFor(f *Frequency) (scarce, known bool) {
	var all []PastClaim
	for i := range e.claims {
		c := &e.claims[i]
		if f.Counter.Has(c.Fund) && f.counts(c, e.received) && e.stateOf(c).Counts() != CountsNot {
			all = append(all, *c)
		}
	}
	// By extra first it also matters to later claims which number this one uses.
	if same := f.reached(all, true) == f.reached(all, false); same && !e.scarceAsked && (!f.Extra.ExtraFirst || f.reached(all, false)) {
		return false, true
	}
	return e.scarceListed()
}

func (e *evaluation) frequencyText(f *Frequency, cs []PastClaim, scarce bool) Text {
	zh, en := e.describe(cs)
	over, overEN := "", ""
	most := f.Max
	if f.Extra != nil {
		over, overEN = textExtra(f, scarce)
	}
	switch f.Per {
	case PerLifetime:
		return textf("累计已计 %d 次，上限 %d 次%s：%s", len(cs), most, over, zh)("%d of %d already%s: %s", len(cs), most, overEN, en)
	case PerRolling:
		return textf("%d 个月内已计 %d 次，上限 %d 次%s：%s", f.Months, len(cs), most, over, zh)("%d of %d within %d months already%s: %s", len(cs), most, f.Months, overEN, en)
	}
	year := e.received.Year()
	return textf("%d 年已计 %d 次，上限 %d 次%s：%s", year, len(cs), most, over, zh)("%d of %d in %d already%s: %s", len(cs), most, year, overEN, en)
}

func textExtra(f *Frequency, scarce bool) (zh, en string) {
	t := textf("，紧缺职业（工种）另加 %d 次", f.Extra.Max)(", with %d more for scarce occupations", f.Extra.Max)
	if !scarce {
		t = Text{t.ZH + "（本次不属于）", t.EN + ", which this one is not"}
	}
	return t.ZH, t.EN
}

// receivedOn is the day of receipt, or else the day the claim was reserved.
func (c *PastClaim) receivedOn() standards.Date {
	if c.Received != "" {
		return c.Received
	}
	return standards.DateOf(c.At)
}
