package policy

import (
	"slices"
	"strings"
)

func (d *decoder) facts(n node) []FactRule {
	var out []FactRule
	for _, c := range n.list() {
		own, optional := []string{"fact"}, []string{"want", "at_least"}
		if d.language == 2 {
			optional = append(optional, "at_most", "at", "or")
		}
		r, m := d.ruleWith(c, own, optional)
		f := d.factNeed(c, m)
		if f.Fact == "" {
			continue
		}
		rule := FactRule{Rule: r, Fact: f.Fact, Want: f.Want, AtLeast: f.AtLeast, AtMost: f.AtMost, At: f.At}
		if alternatives, ok := m["or"]; ok {
			for _, o := range alternatives.list() {
				x := o.mapping([]string{"fact"}, []string{"want", "at_least", "at_most", "at"})
				if need := d.factNeed(o, x); need.Fact != "" {
					rule.Or = append(rule.Or, need)
				}
			}
		}
		if slices.ContainsFunc(out, func(o FactRule) bool {
			return o.Fact.On(o.At) == f.Fact.On(f.At) && len(o.Or)+len(rule.Or) == 0
		}) {
			m["fact"].problem("duplicate", "重复", "stands twice")
		}
		out = append(out, rule)
	}
	return out
}

// factNeed reads one fact and what it must say.
func (d *decoder) factNeed(n node, m map[string]node) FactNeed {
	var may []FactKind
	for _, k := range sortedKeys(factForms) {
		if f := factForms[k]; !f.asked && f.since <= d.language {
			may = append(may, k)
		}
	}
	f := FactNeed{Fact: word(m["fact"], may...)}
	if f.Fact == "" {
		return f
	}
	form := factForms[f.Fact]
	if at, ok := m["at"]; ok {
		f.At = word(at, AtReceipt, AtApplication, AtIssue, AtIssueMonth)
	}
	if form.as != asCount {
		d.factWord(n, m, &f, form)
		return f
	}
	if x, wrong := m["want"]; wrong {
		x.problem("unknown_key", "事实 %s 应使用 %s", "the fact %s goes with %s", string(f.Fact), "at_least")
	}
	least, some := m["at_least"]
	most, bounded := m["at_most"]
	if some {
		f.AtLeast = least.number(1, 999)
	}
	if bounded {
		f.AtMost = most.number(1, 999)
		if some && f.AtMost != 0 && f.AtMost < f.AtLeast {
			most.problem("yaml_number", "小于 at_least", "is less than at_least")
		}
	}
	if !some && !bounded {
		n.problem("missing_key", "缺少键 %s", "lacks the key %s", "at_least")
	}
	return f
}

func (d *decoder) factWord(n node, m map[string]node, f *FactNeed, form factForm) {
	for _, other := range []string{"at_least", "at_most"} {
		if x, wrong := m[other]; wrong {
			x.problem("unknown_key", "事实 %s 应使用 %s", "the fact %s goes with %s", string(f.Fact), "want")
		}
	}
	words := []string{Yes, No}
	if form.as == asWord {
		words = form.words
	}
	if v, ok := m["want"]; ok {
		f.Want = word(v, words...)
	} else {
		n.problem("missing_key", "缺少键 %s", "lacks the key %s", "want")
	}
}

func (e *evaluation) facts() {
	for i := range e.p.Facts {
		e.factRule(&e.p.Facts[i])
	}
}

// verdict is what one fact says about a rule.
type verdict int

const (
	lacking verdict = iota // not supplied, or not usable
	holds
	notYet
	fails
)

// factRule asks for the facts of one rule. With alternatives, one that holds is
// enough; they are asked for only when none does.
func (e *evaluation) factRule(r *FactRule) {
	if len(r.Or) == 0 {
		v, value := e.say(r.need())
		e.factSaid(r, r.need(), v, value)
		return
	}
	first, value := e.say(r.need())
	if first == holds {
		return
	}
	needs, verdicts, values := append([]FactNeed{r.need()}, r.Or...), []verdict{first}, []string{value}
	worst := 0 // what is lacking goes before what is not yet, and that before what fails
	for i, need := range r.Or {
		v, value := e.say(need)
		if v == holds {
			return
		}
		verdicts, values = append(verdicts, v), append(values, value)
		if v < verdicts[worst] {
			worst = i + 1
		}
	}
	if verdicts[worst] != fails {
		e.factSaid(r, needs[worst], verdicts[worst], values[worst])
		return
	}
	var zh, en []string
	for i, need := range needs {
		t := e.notMet(need, values[i])
		zh, en = append(zh, t.ZH), append(en, t.EN)
	}
	e.fail(r.Rule, FactNotMet, Text{strings.Join(zh, "；"), strings.Join(en, "; ")})
}

// say looks up a fact; it holds nothing up.
func (e *evaluation) say(n FactNeed) (verdict, string) {
	k := n.Fact.On(n.At)
	f, given := e.in.Facts[k]
	if !given {
		return lacking, ""
	}
	if _, bad := f.unusable(k, e.in.Now); bad {
		return lacking, ""
	}
	if n.Want != "" {
		switch {
		case f.Value == n.Want:
			return holds, f.Value
		case (n.Fact == NationallyQueryable || n.Fact == ProvinciallyFound) && n.Want == Yes:
			return notYet, f.Value
		}
		return fails, f.Value
	}
	if c, _ := count(f.Value); c < n.AtLeast || n.AtMost != 0 && c > n.AtMost {
		return fails, f.Value
	}
	return holds, f.Value
}

func (e *evaluation) factSaid(r *FactRule, n FactNeed, v verdict, value string) {
	k := n.Fact.On(n.At)
	switch v {
	case lacking:
		e.fact(r.Rule, k)
	case notYet:
		e.notYetFound(r.Rule, k)
	case fails:
		e.fail(r.Rule, FactNotMet, e.notMet(n, value))
	}
}

// notYetFound holds a claim whose certificate a public query does not have yet:
// not yet is not never.
func (e *evaluation) notYetFound(r Rule, k FactKind) {
	say := certificateStates[CertificateNotQueryable]
	if kind, _ := k.Split(); kind == ProvinciallyFound {
		say = Text{"证书已登记，省级查询尚未更新", "the certificate is registered, and the province's query does not have it yet"}
	}
	source := strings.TrimSpace(e.in.Facts[k].Source)
	e.hold(r, string(k), CertificatePending, textf("%s；请待其可查后再办（来源：%s）", say.ZH, source)(
		"%s; wait until it is found there, says %s", say.EN, source))
}

func (e *evaluation) notMet(n FactNeed, value string) Text {
	k := n.Fact.On(n.At)
	name, source := k.Name(), strings.TrimSpace(e.in.Facts[k].Source)
	if n.Want != "" {
		zh := value
		switch factForms[n.Fact].as {
		case asYesNo:
			zh = yesNoZH(value)
		case asWord:
			zh = wordsZH[value]
		}
		return textf("%s：%s（来源：%s）", name.ZH, zh, source)("%s: %s, says %s", name.EN, value, source)
	}
	c, _ := count(value)
	if c < n.AtLeast {
		return textf("%s：%d，要求至少 %d（来源：%s）", name.ZH, c, n.AtLeast, source)("%s: %d of at least %d, says %s", name.EN, c, n.AtLeast, source)
	}
	return textf("%s：%d，要求至多 %d（来源：%s）", name.ZH, c, n.AtMost, source)("%s: %d of at most %d, says %s", name.EN, c, n.AtMost, source)
}
