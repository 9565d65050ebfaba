package policy

import (
	"slices"
	"strings"

	"bajigong/standards"
)

// Groups says who is paid for 补贴对象: who is in one of AnyOf, where it has
// members, and in none of NoneOf. The fact [PersonGroup] says which groups a
// person is in. Declared names codes that the program's table does not have.
type Groups struct {
	Rule
	AnyOf    []PersonGroupCode
	NoneOf   []PersonGroupCode
	Declared []GroupName
}

// GroupName names a group in both languages.
type GroupName struct {
	Code PersonGroupCode
	Text
}

// name returns the group's name, as declared or as in the table.
func (g *Groups) name(code PersonGroupCode) Text {
	for _, d := range g.Declared {
		if d.Code == code {
			return d.Text
		}
	}
	return code.Name()
}

func (g *Groups) known(code PersonGroupCode) bool {
	_, ok := groupNames[code]
	return ok || slices.ContainsFunc(g.Declared, func(d GroupName) bool { return d.Code == code })
}

// Ages bounds the person's age in full years, both ends included.
type Ages struct {
	Rule
	At        FactDate
	Min       int // 0: none
	MaxMale   int // 0: none
	MaxFemale int // 0: none
}

// The reasons about persons.
const (
	GroupNotCovered Reason = "group_not_covered"
	GroupExcluded   Reason = "group_excluded"
	AgeNotCovered   Reason = "age_not_covered"
)

func (d *decoder) groups(n node) *Groups {
	r, m := d.ruleWith(n, nil, []string{"any_of", "none_of", "declares"})
	g := &Groups{Rule: r}
	if x, ok := m["declares"]; ok {
		for _, c := range x.list() {
			y := c.mapping([]string{"code", "zh", "en"}, nil)
			code := PersonGroupCode(d.formed(y["code"], ruleIDForm, "小写字母、数字和下划线", "lower-case letters, digits and underscores"))
			if code != "" && (g.known(code) || code == noGroup) {
				y["code"].problem("duplicate", "已有这个类别", "there is such a group already")
			}
			g.Declared = append(g.Declared, GroupName{Code: code, Text: Text{ZH: y["zh"].text(), EN: y["en"].text()}})
		}
	}
	any, one := m["any_of"]
	none, other := m["none_of"]
	if m != nil && !one && !other {
		n.problem("groups", "应有 any_of 或 none_of", "needs any_of or none_of")
	}
	if one {
		g.AnyOf = d.groupCodes(any, g)
	}
	if other {
		g.NoneOf = d.groupCodes(none, g)
	}
	for _, code := range g.AnyOf {
		if slices.Contains(g.NoneOf, code) {
			n.problem("groups", "%s 同时在 any_of 和 none_of 中", "%s stands in any_of and none_of", string(code))
		}
	}
	return g
}

func (d *decoder) groupCodes(n node, g *Groups) []PersonGroupCode {
	var out []PersonGroupCode
	for _, c := range n.list() {
		code := PersonGroupCode(c.text())
		switch {
		case code == "":
		case !g.known(code):
			c.problem("unknown_group", "没有这个类别；可在 declares 中声明，已有：%s", "no such group; declare it under declares, known are %s", strings.Join(groupCodeNames(), ", "))
		case slices.Contains(out, code):
			c.problem("duplicate", "重复", "stands twice")
		default:
			out = append(out, code)
		}
	}
	return out
}

func groupCodeNames() []string {
	var out []string
	for _, c := range sortedKeys(groupNames) {
		out = append(out, string(c))
	}
	return out
}

func (d *decoder) ages(n node) *Ages {
	r, m := d.ruleWith(n, []string{"at"}, []string{"min", "max_male", "max_female"})
	a := &Ages{Rule: r, At: word(m["at"], AtReceipt, AtIssue, AtApplication)}
	bound := func(key string, to *int) bool {
		x, ok := m[key]
		if ok {
			*to = x.number(1, 120)
		}
		return ok
	}
	least, male, female := bound("min", &a.Min), bound("max_male", &a.MaxMale), bound("max_female", &a.MaxFemale)
	if m != nil && !least && !male && !female {
		n.problem("ages", "应有 min、max_male 或 max_female", "needs min, max_male or max_female")
	}
	for _, most := range []int{a.MaxMale, a.MaxFemale} {
		if most != 0 && most < a.Min {
			n.problem("ages", "上限小于下限", "a maximum is less than min")
		}
	}
	return a
}

// noGroup is the value of [PersonGroup] for who is in no group.
const noGroup = "none"

func (e *evaluation) groups() {
	g := e.p.Groups
	if g == nil {
		return
	}
	v, ok := e.fact(g.Rule, PersonGroup)
	if !ok {
		return
	}
	in := false
	for code := range strings.SplitSeq(v, ",") {
		c := PersonGroupCode(code)
		switch {
		case c == noGroup:
		case !g.known(c):
			e.hold(g.Rule, string(PersonGroup), FactUnusable, textf("请补充：%s，所报类别 %s 未知", PersonGroup.Name().ZH, code)("supply %s again: there is no group %s", PersonGroup.Name().EN, code))
			return
		case slices.Contains(g.NoneOf, c):
			e.fail(g.Rule, GroupExcluded, textf("属于%s，不予补贴（来源：%s）", g.name(c).ZH, e.source(PersonGroup))("belongs to %s, who are not paid for, says %s", g.name(c).EN, e.source(PersonGroup)))
		}
		in = in || slices.Contains(g.AnyOf, c)
	}
	if len(g.AnyOf) > 0 && !in {
		e.fail(g.Rule, GroupNotCovered, textf("不属于补贴对象：%s（来源：%s）", g.names(g.AnyOf).ZH, e.source(PersonGroup))("in none of the groups: %s, says %s", g.names(g.AnyOf).EN, e.source(PersonGroup)))
	}
}

func (g *Groups) names(codes []PersonGroupCode) Text {
	var zh, en []string
	for _, c := range codes {
		zh, en = append(zh, g.name(c).ZH), append(en, g.name(c).EN)
	}
	return Text{strings.Join(zh, "、"), strings.Join(en, ", ")}
}

func (e *evaluation) source(k FactKind) string { return strings.TrimSpace(e.in.Facts[k].Source) }

func (e *evaluation) ages() {
	a := e.p.Ages
	if a == nil {
		return
	}
	age, ok := e.age(a)
	if !ok {
		return
	}
	least, most := a.MaxMale, a.MaxMale // of the bounds above; 0 is none
	if a.MaxFemale != a.MaxMale {
		least, most = min(a.MaxMale, a.MaxFemale), max(a.MaxMale, a.MaxFemale)
		if least == 0 {
			least, most = most, 0
		}
	}
	switch {
	case age < a.Min:
		e.fail(a.Rule, AgeNotCovered, textf("%s %d 周岁，要求年满 %d 周岁", factDates[a.At].ZH, age, a.Min)("aged %d %s, at least %d", age, factDates[a.At].EN, a.Min))
	case least == 0 && most == 0, age <= least:
	case most != 0 && age > most:
		e.tooOld(a, age, most)
	default:
		if sex, ok := e.sex(a); ok {
			bound := a.MaxMale
			if sex == Female {
				bound = a.MaxFemale
			}
			if bound != 0 && age > bound {
				e.tooOld(a, age, bound)
			}
		}
	}
}

func (e *evaluation) tooOld(a *Ages, age, most int) {
	e.fail(a.Rule, AgeNotCovered, textf("%s %d 周岁，要求不超过 %d 周岁", factDates[a.At].ZH, age, most)("aged %d %s, at most %d", age, factDates[a.At].EN, most))
}

// age is in full years on the rule's date, from the document or as a fact.
func (e *evaluation) age(a *Ages) (int, bool) {
	if !e.in.Person.Born.Valid() {
		v, ok := e.fact(a.Rule, PersonAge.On(a.At))
		n, _ := count(v)
		return n, ok
	}
	on := e.dateAt(a.At)
	if on == "" {
		e.lacks(a.Rule, "issued", "发证日期", "date of issue")
		return 0, false
	}
	return fullYears(e.in.Person.Born, on), true
}

func (e *evaluation) sex(a *Ages) (Sex, bool) {
	if s := e.in.Person.Sex; s == Female || s == Male {
		return s, true
	}
	v, ok := e.fact(a.Rule, PersonSex)
	return Sex(v), ok
}

// fullYears is an age: a year is full on the birthday (民法典 第二百条), and for
// who was born on 29 February in other years on the last day of the month
// (第二百零二条).
func fullYears(born, on standards.Date) int {
	years := on.Year() - born.Year()
	if born.AddMonths(12*years) > on {
		years--
	}
	return max(years, 0)
}
