package policy

import (
	"slices"

	"bajigong/standards"
)

func (d *decoder) scarce(n node, p Policy) *Scarce {
	if d.language == 1 {
		r, m := d.rule(n, "uplift_percent", "list")
		out := &Scarce{Rule: r, Percent: d.uplift(m["uplift_percent"], p)}
		out.List = d.scarceOne(m["list"])
		return out
	}
	r, m := d.ruleWith(n, nil, []string{"uplift_percent", "list", "lists", "levels", "back_pay", "raises_approved"})
	out := &Scarce{Rule: r}
	if up, ok := m["uplift_percent"]; ok {
		out.Percent = d.uplift(up, p)
	}
	if x, ok := m["raises_approved"]; ok {
		if out.RaisesApproved = x.flag(); out.RaisesApproved && (p.Amounts.Of != AmountApproved || out.Percent == 0) {
			x.problem("scarce", "仅在标准为 unknown 且有 uplift_percent 时使用", "only goes with amounts unknown and an uplift_percent")
		}
	}
	list, one := m["list"]
	lists, several := m["lists"]
	if m != nil && one == several {
		n.problem("scarce", "应有 list 或 lists 之一", "needs one of list and lists")
	}
	if one {
		out.List = d.scarceOne(list)
	}
	if several {
		for _, c := range lists.list() {
			out.Lists = append(out.Lists, d.scarceList(c))
		}
		d.backPay(n, m, out)
	} else if back, ok := m["back_pay"]; ok {
		back.problem("unknown_key", "仅与 lists 一起使用", "only goes with lists")
	}
	if levels, ok := m["levels"]; ok {
		for _, c := range levels.list() {
			if l, ok := d.level(c); ok && !slices.Contains(out.Levels, l) {
				out.Levels = append(out.Levels, l)
			} else if ok {
				c.problem("duplicate", "等级重复", "the level stands twice")
			}
		}
	}
	return out
}

func (d *decoder) backPay(n node, m map[string]node, s *Scarce) {
	back, ok := m["back_pay"]
	if !ok {
		n.problem("missing_key", "缺少键 %s", "lacks the key %s", "back_pay")
		return
	}
	if s.BackPay = word(back, BackPayNone, BackPayCovered, BackPayUnknown); s.BackPay == BackPayUnknown {
		d.unknown["scarce.back_pay"] = back
	}
}

// scarceOne reads one list, or unknown.
func (d *decoder) scarceOne(n node) *ScarceList {
	if n.is("unknown") {
		d.unknown["scarce.list"] = n
		return nil
	}
	l := d.scarceList(n)
	return &l
}

func (d *decoder) scarceList(n node) ScarceList {
	keys := []string{"name", "sample", "from", "until", "occupations"}
	var optional []string
	if d.language == 2 {
		optional = []string{"published", "edition", "across_editions"}
	}
	x := n.mapping(keys, optional)
	list := ScarceList{Name: x["name"].text(), Sample: d.yes(x["sample"]), From: x["from"].date()}
	if list.Sample && !d.sample {
		x["sample"].problem("sample", "正式政策不能使用示例目录", "a policy that is no sample cannot use a sample list")
	}
	if !x["until"].is("open") {
		if list.Until = x["until"].date(); list.Until != "" && list.Until < list.From {
			x["until"].problem("dates", "早于 from", "is before from")
		}
	}
	if p, ok := x["published"]; ok {
		list.Published = p.date()
	}
	list.Edition, list.Across = d.edition(x)
	for _, c := range x["occupations"].list() {
		y := c.mapping([]string{"code", "name"}, []string{"trades"})
		entry := ScarceEntry{
			Occupation: d.formed(y["code"], codeForm, "职业编码，例如 6-31-01-03", "an occupation code, such as 6-31-01-03"),
			Name:       y["name"].text(), Trades: trades(y["trades"]),
		}
		if slices.ContainsFunc(list.Entries, func(o ScarceEntry) bool { return o.Occupation == entry.Occupation }) {
			y["code"].problem("duplicate", "职业重复", "the occupation stands twice")
		}
		list.Entries = append(list.Entries, entry)
	}
	return list
}

// scarceListed reports whether the occupation is scarce on the deciding date, by
// the policy's own lists or by an outside fact. It is looked up once.
func (e *evaluation) scarceListed() (listed, known bool) {
	if !e.scarceAsked {
		e.scarceAsked = true
		e.isScarce, e.scarceKnown = e.lookUpScarce(e.p.Scarce)
	}
	return e.isScarce, e.scarceKnown
}

func (e *evaluation) lookUpScarce(s *Scarce) (listed, known bool) {
	if s.List == nil && len(s.Lists) == 0 {
		v, ok := e.fact(s.Rule, ScarceListed)
		return v == Yes, ok
	}
	if e.on == "" {
		return false, false
	}
	if s.List != nil {
		in, sure := s.List.has(e)
		if !sure && s.List.covers(e.on) {
			v, ok := e.fact(s.Rule, ScarceListed)
			return v == Yes, ok
		}
		return s.List.covers(e.on) && in, true
	}
	doubt := false
	for i := range s.Lists {
		l := &s.Lists[i]
		in, sure := l.has(e)
		if !l.covers(e.on) || !in && sure {
			continue
		}
		if !sure {
			doubt = doubt || l.published() <= e.on || l.published() <= e.received && s.BackPay != BackPayNone
			continue
		}
		switch byDay, byReceipt := l.published() <= e.on, l.published() <= e.received; {
		case byDay, byReceipt && s.BackPay == BackPayCovered:
			return true, true
		case byReceipt && s.BackPay == BackPayUnknown:
			doubt = true
		}
	}
	if doubt {
		v, ok := e.fact(s.Rule, ScarceListed)
		return v == Yes, ok
	}
	return false, true
}

func (l *ScarceList) covers(on standards.Date) bool {
	return on >= l.From && (l.Until == "" || on <= l.Until)
}

func (l *ScarceList) published() standards.Date {
	if l.Published == "" {
		return l.From
	}
	return l.Published
}

// has reports whether the claim's occupation is on the list; sure is false where
// its code is of another edition than the list's and nothing says what that means.
func (l *ScarceList) has(e *evaluation) (in, sure bool) {
	if !e.readable(l.Edition, l.Across) {
		return false, false
	}
	for i := range l.Entries {
		if e.covers(l.Edition, l.Across, l.Entries[i].Occupation, l.Entries[i].Trades) {
			return true, true
		}
	}
	return false, true
}
