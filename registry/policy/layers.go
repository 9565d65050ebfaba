package policy

import (
	"slices"
	"strings"
)

// Bound is a limit that an upper policy sets to those of the regions below it. It
// binds policies that pay from one of Funds.
type Bound struct {
	Rule
	Field       string // see [BoundFields]
	May         May
	Number      int      // of fields that are numbers
	Fen         Fen      // of amounts
	Words       []string // of fields that are sets or words
	Among       []Fund   // empty with Any
	Any         bool     // all funds
	InPrinciple bool     // an exception with its document may stand against it
}

// May is what a bound leaves to the policies below.
type May string

// What a lower policy may do: at most and at least are about numbers, and of sets
// of words mean no others and none missing. Free delegates the field expressly.
const (
	MayAtMost  May = "at_most"
	MayAtLeast May = "at_least"
	MayEqual   May = "equal"
	MayFree    May = "free"
)

// Under names an upper policy that a policy stands under, and the bounds against
// which a document allows it to stand.
type Under struct {
	Policy     string
	Exceptions []BoundException
}

// BoundException is the document that allows a policy to leave a bound that is
// one in principle.
type BoundException struct {
	Bound    string // id of the bound's rule
	Document string
	Text
}

func (d *decoder) bounds(n node, own Fund) []Bound {
	var out []Bound
	for _, c := range n.list() {
		r, m := d.ruleWith(c, []string{"field", "may"}, []string{"value", "funds", "in_principle"})
		b := Bound{Rule: r, Field: m["field"].text(), May: word(m["may"], MayAtMost, MayAtLeast, MayEqual, MayFree), Among: []Fund{own}}
		if f, ok := m["funds"]; ok && f.is("any") {
			b.Among, b.Any = nil, true
		} else if ok {
			b.Among = wordList(f, sortedKeys(funds)...)
		}
		if x, ok := m["in_principle"]; ok {
			b.InPrinciple = x.flag()
		}
		d.boundValue(c, m, &b)
		out = append(out, b)
	}
	return out
}

// boundValue reads the value that the field's kind asks for.
func (d *decoder) boundValue(n node, m map[string]node, b *Bound) {
	kind, ok := boundKind(b.Field)
	if b.Field != "" && !ok {
		m["field"].problem("bound_field", "不能约束这个字段，可用：%s", "no field that can be bound; known are %s", strings.Join(BoundFields(), ", "))
		return
	}
	value, given := m["value"]
	if ok && kind == boundFree && b.May != MayFree && b.May != "" {
		m["may"].problem("bound_may", "这个字段只能用 free", "this field goes with free only")
		return
	}
	switch {
	case b.May == MayFree && given:
		value.problem("unknown_key", "may 为 free 时不应有 value", "with may free there is no value")
	case b.May == MayFree || b.Field == "" || b.May == "":
	case !given:
		n.problem("missing_key", "缺少键 %s", "lacks the key %s", "value")
	case kind == boundNumber:
		b.Number = value.number(0, 9999)
	case kind == boundYuan:
		b.Fen = value.yuan()
	case kind == boundWord:
		if b.May != MayEqual {
			m["may"].problem("bound_may", "这个字段只能用 equal 或 free", "this field goes with equal or free")
		}
		if s := value.text(); s != "" {
			b.Words = []string{s}
		}
	default:
		for _, c := range value.list() {
			if s := c.text(); s != "" && !slices.Contains(b.Words, s) {
				b.Words = append(b.Words, s)
			}
		}
	}
}

func (d *decoder) under(n node) []Under {
	if n.p == nil || n.is("none") {
		return nil
	}
	var out []Under
	for _, c := range n.list() {
		m := c.mapping([]string{"policy"}, []string{"exceptions"})
		u := Under{Policy: d.formed(m["policy"], policyIDForm, "政策编号", "the id of a policy")}
		if x, ok := m["exceptions"]; ok {
			for _, y := range x.list() {
				z := y.mapping([]string{"bound", "document", "zh", "en"}, nil)
				u.Exceptions = append(u.Exceptions, BoundException{Bound: d.formed(z["bound"], ruleIDForm, "规则编号", "the id of a rule"),
					Document: z["document"].text(), Text: Text{ZH: z["zh"].text(), EN: z["en"].text()}})
			}
		}
		if slices.ContainsFunc(out, func(o Under) bool { return o.Policy == u.Policy }) {
			m["policy"].problem("duplicate", "重复", "stands twice")
		}
		out = append(out, u)
	}
	return out
}
