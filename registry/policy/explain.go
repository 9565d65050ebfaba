package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Language is one of the two languages of explanations.
type Language string

// The languages.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// In returns t in a language; English for all but Chinese.
func (t Text) In(l Language) string {
	if l == Chinese {
		return t.ZH
	}
	return t.EN
}

// An Explanation is one rule of a policy in words, or what its text does not say
// about a section.
type Explanation struct {
	Section    string   `json:"section"` // key in the file
	Rule       string   `json:"rule,omitempty"`
	Clause     string   `json:"clause,omitempty"`
	Sentence   string   `json:"sentence"`
	Quote      string   `json:"quote,omitempty"`
	Secondary  bool     `json:"secondary,omitempty"` // the quote is from a report of the text
	Parameters []string `json:"parameters,omitempty"`
	Silent     bool     `json:"silent,omitempty"`   // the text does not say
	TakenAs    string   `json:"taken_as,omitempty"` // how it is read where it does not say
}

// Explain says every rule of p in the order of evaluation, with its clause, its
// sentence and its parameters, and then what the text does not say.
func (p Policy) Explain(l Language) []Explanation {
	var out []Explanation
	for _, s := range p.sections() {
		x := Explanation{Section: s.key, Rule: s.rule.ID, Clause: s.rule.Clause, Sentence: s.rule.Text.In(l), Quote: s.rule.Quote, Secondary: s.rule.Secondary}
		for _, t := range s.parameters {
			x.Parameters = append(x.Parameters, t.In(l))
		}
		out = append(out, x)
	}
	for _, g := range p.Unknown {
		out = append(out, Explanation{Section: g.Field, Sentence: g.Text.In(l), Silent: true, TakenAs: g.TakenAs})
	}
	return out
}

// A Difference is a rule that two policies have differently, or only one has. A
// side that is nil has no such rule.
type Difference struct {
	Section string `json:"section"`
	Rule    string `json:"rule,omitempty"` // of lists of rules
	Before  *Side  `json:"before,omitempty"`
	After   *Side  `json:"after,omitempty"`
}

// Side is a rule of one of two policies.
type Side struct {
	Rule   string `json:"rule,omitempty"`
	Clause string `json:"clause,omitempty"`
	Text
	Parameters []Text `json:"parameters,omitempty"`
	Silent     bool   `json:"silent,omitempty"` // the text does not say
}

// Diff lists what differs between two policies, section by section in the order
// of evaluation: rules with other parameters, and rules and gaps of one alone.
// Sentences, clauses and quotes alone are no difference.
func Diff(a, b Policy) []Difference {
	left, right := a.sections(), b.sections()
	out := diffHeads(a, b)
	seen := map[string]bool{}
	for _, s := range left {
		seen[s.name()] = true
		i := slices.IndexFunc(right, func(o sectionView) bool { return o.name() == s.name() })
		switch {
		case i < 0:
			out = append(out, Difference{Section: s.key, Rule: s.listed(), Before: s.side(), After: b.silence(s.key)})
		case !slices.Equal(s.parameters, right[i].parameters):
			out = append(out, Difference{Section: s.key, Rule: s.listed(), Before: s.side(), After: right[i].side()})
		}
	}
	for _, s := range right {
		if !seen[s.name()] {
			out = append(out, Difference{Section: s.key, Rule: s.listed(), Before: a.silence(s.key), After: s.side()})
		}
	}
	return out
}

func diffHeads(a, b Policy) []Difference {
	var out []Difference
	for _, h := range []struct {
		key  string
		a, b Text
	}{
		{"region", Text{a.Region, a.Region}, Text{b.Region, b.Region}}, {"fund", a.Fund.Name(), b.Fund.Name()},
		{"document", Text{a.Document.Number, a.Document.Number}, Text{b.Document.Number, b.Document.Number}},
		{"money", a.Money.Name(), b.Money.Name()}, {"sample", yesNoText(a.Sample), yesNoText(b.Sample)},
		{"framework", yesNoText(a.Framework), yesNoText(b.Framework)}, {"decided_by", decidingNames[a.DecidedBy], decidingNames[b.DecidedBy]},
	} {
		if h.a != h.b {
			out = append(out, Difference{Section: h.key, Before: &Side{Text: h.a}, After: &Side{Text: h.b}})
		}
	}
	return out
}

// silence is the side of a policy whose text does not say anything about a section.
func (p *Policy) silence(section string) *Side {
	for _, g := range p.Unknown {
		if g.Field == section {
			return &Side{Text: g.Text, Silent: true}
		}
	}
	return nil
}

var decidingNames = map[DecidingDate]Text{
	ByReceipt: {"受理日", "day of receipt"}, ByIssue: {"发证日", "date of issue"}, ByApplication: {"申请日", "day of application"},
}

// sectionView is one rule with its parameters in words.
type sectionView struct {
	key        string
	many       bool // the section is a list of rules
	rule       Rule
	parameters []Text
}

// name is what the same rule of another policy is found by.
func (s sectionView) name() string { return s.key + "/" + s.listed() }

func (s sectionView) listed() string {
	if s.many {
		return s.rule.ID
	}
	return ""
}

func (s sectionView) side() *Side {
	return &Side{Rule: s.rule.ID, Clause: s.rule.Clause, Text: s.rule.Text, Parameters: s.parameters}
}

// sections are the rules of p in the order of evaluation.
func (p *Policy) sections() []sectionView {
	v := &views{}
	v.add("effective", p.Effective.Rule, p.Effective.words()...)
	if s := p.Subject; s != nil {
		v.add("subject", s.Rule, s.words()...)
	}
	v.add("certificate", p.Certificate)
	v.add("kinds", p.Kinds.Rule, named("种类", "kinds", p.Kinds.Allowed, Kind.Name))
	if m := p.Modes; m != nil {
		v.add("modes", m.Rule, named("仅限取得方式", "modes allowed", m.Allowed, Mode.Name), named("排除取得方式", "modes excluded", m.Excluded, Mode.Name))
	}
	if i := p.Institutions; i != nil {
		v.add("institutions", i.Rule, listed("机构类别", "classes", i.Classes), named("条件", "conditions", i.Conditions, func(c Condition) Text { return conditionFacts[c].Name() }),
			listed("条件适用的机构类别", "classes with conditions", i.ForClasses))
	}
	if s := p.Supervision; s != nil {
		v.add("supervision", s.Rule, named("范围", "scope", s.Scope, func(s Scope) Text { return scopeNames[s] }), pairText("自", "from", s.From.Chinese(), string(s.From)), named("证书种类", "kinds", s.Kinds, Kind.Name))
	}
	if q := p.Queryable; q != nil {
		v.add("queryable", q.Rule, named("任一可查", "any of", q.AnyOf, FactKind.Name), factDates[q.Since])
	}
	if x := p.Places; x != nil {
		v.add("places", x.Rule, named("证书种类", "kinds", x.Kinds, Kind.Name), pairText("取得地", "acquired in", x.Region, x.Region))
	}
	if w := p.Window; w != nil {
		v.add("window", w.Rule, w.words()...)
	}
	if g := p.Groups; g != nil {
		v.add("groups", g.Rule, named("属于其一", "any of", g.AnyOf, g.name), named("不得属于", "none of", g.NoneOf, g.name))
	}
	if a := p.Ages; a != nil {
		v.add("ages", a.Rule, a.words()...)
	}
	for _, f := range p.Facts {
		v.addListed("facts", f.Rule, f.words()...)
	}
	p.moneySections(v)
	p.claimSections(v)
	for _, b := range p.Bounds {
		v.addListed("bounds", b.Rule, b.words()...)
	}
	return v.all
}

func (p *Policy) moneySections(v *views) {
	if c := p.Catalogue; c != nil {
		v.add("catalogue", c.Rule, c.words()...)
	}
	a := p.Amounts
	if a.Of == AmountOfCatalogue && p.Catalogue != nil {
		a.Rule = p.Catalogue.Rule
	}
	v.add("amounts", a.Rule, a.words()...)
	if s := p.Scarce; s != nil {
		v.add("scarce", s.Rule, s.words()...)
	}
	if s := p.ScarceAlways; s != nil {
		v.add("amount_for_scarce_always", s.Rule, pairText("一律上浮", "always raised by", percent(s.Percent), percent(s.Percent)))
	}
	if p.CostCap != nil {
		v.add("cost_cap", *p.CostCap)
	}
	if b := p.Beneficiary; b != nil {
		v.add("beneficiary", b.Rule, pairText("支付给", "paid to", b.PayTo.Name().ZH, b.PayTo.Name().EN))
	}
	if x := p.Prepayment; x != nil {
		v.add("prepayment", x.Rule, pairText("先行拨付", "ahead", percent(x.Percent), percent(x.Percent)), named("仅限支付给", "only when paid to", x.For, Payee.Name))
	}
	if c := p.Channel; c != nil {
		v.add("channel", c.Rule, pairText("仅系统申领", "through the system only", yesNoText(c.SystemOnly).ZH, yesNoText(c.SystemOnly).EN))
	}
}

func (p *Policy) claimSections(v *views) {
	v.add("once", p.Once.Rule, p.Once.words()...)
	v.add("reuse", p.Reuse.Rule, p.Reuse.words()...)
	for _, x := range p.Excludes {
		v.addListed("excludes", x.Rule, x.words()...)
	}
	if h := p.Higher; h != nil {
		v.add("higher_excludes_lower", h.Rule, h.words()...)
	}
	if f := p.Frequency; f != nil {
		v.add("frequency", f.Rule, f.words()...)
	}
	if r := p.Refund; r != nil {
		v.add("refund", r.Rule, pairText("追回后恢复资格", "a refund restores the right", yesNoText(r.RestoresRight).ZH, yesNoText(r.RestoresRight).EN))
	}
}

// views gathers rules; those without an id are not in the policy.
type views struct{ all []sectionView }

func (v *views) add(key string, r Rule, parameters ...Text)       { v.put(key, false, r, parameters) }
func (v *views) addListed(key string, r Rule, parameters ...Text) { v.put(key, true, r, parameters) }

func (v *views) put(key string, many bool, r Rule, parameters []Text) {
	if r.ID == "" {
		return
	}
	v.all = append(v.all, sectionView{key, many, r, slices.DeleteFunc(parameters, func(t Text) bool { return t == Text{} })})
}

// pairText is "name: value" in both languages.
func pairText(zh, en, valueZH, valueEN string) Text {
	return Text{zh + "：" + valueZH, en + ": " + valueEN}
}

// named is a list by names, or nothing when it is empty.
func named[T any](zh, en string, all []T, name func(T) Text) Text {
	if len(all) == 0 {
		return Text{}
	}
	var zhs, ens []string
	for _, x := range all {
		n := name(x)
		zhs, ens = append(zhs, n.ZH), append(ens, n.EN)
	}
	return pairText(zh, en, strings.Join(zhs, "、"), strings.Join(ens, ", "))
}

func listed[T ~string](zh, en string, all []T) Text {
	return named(zh, en, all, func(s T) Text { return Text{string(s), string(s)} })
}

func percent(n int) string { return strconv.Itoa(n) + "%" }

func yesNoText(b bool) Text { return Text{yesNoZH(yesNo(b)), yesNo(b)} }

func ifSaid(is bool, t Text) Text {
	if is {
		return t
	}
	return Text{}
}

func intText(zh, en string, n int) Text {
	if n == 0 {
		return Text{}
	}
	return pairText(zh, en, strconv.Itoa(n), strconv.Itoa(n))
}

func (e Effective) words() []Text {
	out := []Text{pairText("自", "from", e.From.Chinese(), string(e.From))}
	switch e.End {
	case EndKnown:
		return append(out, pairText("至", "until", e.Until.Chinese(), string(e.Until)))
	case EndOpen:
		return append(out, Text{"未定终止日期，至新政策施行", "open, until another replaces it"})
	}
	return append(out, pairText("终止日期未载明，文本载明至", "no last day is given; the text speaks of days until", e.StatedThrough.Chinese(), string(e.StatedThrough)),
		ifSaid(e.GoesFirst, Text{"先于上级区划现行政策适用", "it goes before the texts in force of the regions above"}))
}

func (s *SubjectRule) words() []Text {
	n := s.Kind.Name()
	return []Text{pairText("事项", "subject", n.ZH, n.EN), ifSaid(!s.Certificate, Text{"无需证书", "without a certificate"}),
		ifSaid(s.Certificate, Text{"须有证书", "with a certificate"}), intText("累计上限（月或年）", "most months or years", s.MostUnits)}
}

func (w *Window) words() []Text {
	return []Text{intText("发证后月数", "months after issue", w.Months), intText("发证后天数", "days after issue", w.Days),
		intText("发证后最早天数", "days after issue before which it is too early", w.NotBeforeDays), ifSaid(w.SameYear, Text{"发证当年", "in the year of issue"})}
}

func (a *Ages) words() []Text {
	return []Text{factDates[a.At], intText("最低周岁", "at least", a.Min), intText("男性最高周岁", "men at most", a.MaxMale), intText("女性最高周岁", "women at most", a.MaxFemale)}
}

func (r FactRule) words() []Text {
	out := []Text{r.need().words()}
	for _, o := range r.Or {
		t := o.words()
		out = append(out, Text{"或 " + t.ZH, "or " + t.EN})
	}
	return out
}

func (n FactNeed) words() Text {
	name := n.Fact.On(n.At).Name()
	switch {
	case n.Want == Yes || n.Want == No:
		return pairText(name.ZH, name.EN, yesNoZH(n.Want), n.Want)
	case n.Want != "":
		return pairText(name.ZH, name.EN, n.Want, n.Want)
	case n.AtMost == 0:
		return pairText(name.ZH, name.EN, fmt.Sprintf("至少 %d", n.AtLeast), fmt.Sprintf("at least %d", n.AtLeast))
	case n.AtLeast == 0:
		return pairText(name.ZH, name.EN, fmt.Sprintf("至多 %d", n.AtMost), fmt.Sprintf("at most %d", n.AtMost))
	}
	return pairText(name.ZH, name.EN, fmt.Sprintf("%d 至 %d", n.AtLeast, n.AtMost), fmt.Sprintf("%d to %d", n.AtLeast, n.AtMost))
}

func (c *Catalogue) words() []Text {
	if len(c.Entries) == 0 {
		return []Text{{"目录另行发布，须提供是否列入", "published elsewhere: whether it is listed must be supplied"}}
	}
	out := []Text{pairText("目录", "catalogue", c.Name, c.Name), intText("年度", "year", c.Year), ifSaid(c.Sample, Text{"示例目录", "a sample"}), editionText(c.Edition, c.Across)}
	for _, e := range c.Entries {
		what := e.Occupation + " " + e.Name
		if len(e.Trades) > 0 {
			what += "（" + strings.Join(e.Trades, "、") + "）"
		}
		out = append(out, named(what, what, e.Levels, LevelAmount.words))
		if len(e.Levels) == 0 {
			out = append(out, Text{what, what})
		}
	}
	return out
}

func (l LevelAmount) words() Text {
	n := levelName(l.Level)
	return textf("%s %s 元", n.ZH, l.Fen)("%s %s yuan", n.EN, l.Fen)
}

func (a Amounts) words() []Text {
	var out []Text
	switch {
	case a.Of == AmountOfCatalogue:
		out = append(out, Text{"按补贴目录所列标准", "as the catalogue says"})
	case a.Of == AmountApproved:
		out = append(out, Text{"按当地核定标准，须提供", "as the place has set, which must be supplied"})
	case a.Flat != 0:
		out = append(out, textf("%s 元", a.Flat)("%s yuan", a.Flat))
	default:
		out = append(out, named("标准", "amounts", a.Levels, LevelAmount.words))
	}
	return append(out, ifSaid(a.AtMost, Text{"为上限，按当地核定标准执行", "at most: the place sets the amount"}), ifSaid(a.PerUnit, Text{"按月（年）计", "for each month or year"}))
}

func (s *Scarce) words() []Text {
	var out []Text
	if s.Percent != 0 {
		out = append(out, pairText("上浮", "raised by", percent(s.Percent), percent(s.Percent)))
	}
	out = append(out, named("仅限等级", "levels", s.Levels, levelName), ifSaid(s.RaisesApproved, Text{"在当地核定标准上上浮", "raises the amount the place has set"}))
	lists := s.Lists
	if s.List != nil {
		lists = []ScarceList{*s.List}
	}
	if len(lists) == 0 {
		out = append(out, Text{"目录另行发布，须提供是否列入", "published elsewhere: whether it is listed must be supplied"})
	}
	for _, l := range lists {
		out = append(out, l.words())
	}
	if s.BackPay != "" {
		out = append(out, backPayNames[s.BackPay])
	}
	return out
}

var backPayNames = map[BackPay]Text{
	BackPayNone:    {"目录公布前的不补发", "nothing for days before a list was published"},
	BackPayCovered: {"受理时目录已公布且覆盖判断日的，可以补发", "a list published by the day of receipt counts for the days it covers"},
	BackPayUnknown: {"目录公布前的是否补发未载明，须提供是否列入", "not said for days before a list was published: whether it is listed must be supplied"},
}

func editionText(edition string, across bool) Text {
	switch {
	case edition == "":
		return Text{}
	case across:
		return textf("职业编码为大典%s年版，其他版本按职业等同关系表对照", edition)("codes of the edition of %s, those of others by the table of same occupations", edition)
	}
	return textf("职业编码为大典%s年版，其他版本的须提供是否列入", edition)("codes of the edition of %s; for those of others it must be supplied whether they are listed", edition)
}

func (l ScarceList) words() Text {
	until, untilEN := "未定", "open"
	if l.Until != "" {
		until, untilEN = l.Until.Chinese(), string(l.Until)
	}
	var names []string
	for _, e := range l.Entries {
		names = append(names, strings.Join(append([]string{e.Occupation, e.Name}, e.Trades...), " "))
	}
	of := strings.Join(names, "、")
	if l.Sample {
		of += "（示例目录 a sample）"
	}
	if t := editionText(l.Edition, l.Across); t.ZH != "" {
		of += "（" + t.ZH + " " + t.EN + "）"
	}
	return textf("%s（%s至%s，%s起可用）：%s", l.Name, l.From.Chinese(), until, l.published().Chinese(), of)(
		"%s (%s to %s, usable from %s): %s", l.Name, l.From, untilEN, l.published(), of)
}

func (g Group) words() Text {
	if g.Any {
		return textf("计入范围 %s：全部资金类别", g.Name)("among %s: all funds", g.Name)
	}
	return named("计入范围 "+g.Name, "among "+g.Name, g.Funds, Fund.Name)
}

func sameWords(parts []Sameness) Text {
	if len(parts) == 0 {
		return Text{}
	}
	t := joinSame(parts)
	return Text{"同一" + t.ZH, "the same " + t.EN}
}

func (x Exclusion) words() []Text { return []Text{x.Among.words(), sameWords(x.Same)} }

func (h *Higher) words() []Text {
	by := map[HigherBy]Text{HigherPaid: {"已享受更高等级的", "when a higher level was paid"}, HigherHeld: {"已享受或持有更高等级的", "when a higher level was paid or is held"},
		HigherNone: {"不影响", "does not matter"}}[h.By]
	order := Text{"按提交先后", "in the order of submission"}
	if h.ByIssue {
		order = Text{"按发证先后", "in the order of issue"}
	}
	return []Text{by, h.Among.words(), sameWords(h.Same), order}
}

func (f *Frequency) words() []Text {
	per := map[Period]Text{PerNaturalYear: {"每自然年度", "in a calendar year"}, PerLifetime: {"累计", "in all"},
		PerRolling: textf("任意 %d 个月内", f.Months)("within any %d months", f.Months)}[f.Per]
	out := []Text{textf("%s不超过 %d 次", per.ZH, f.Max)("at most %d %s", f.Max, per.EN), f.Counter.words(),
		ifSaid(f.InPrinciple, Text{"原则上；可凭批准文号例外", "in principle; an approved exception may pass"})}
	if x := f.Extra; x != nil {
		order := Text{"先计基本次数", "the common number first"}
		if x.ExtraFirst {
			order = Text{"先计另加次数", "the extra first"}
		}
		out = append(out, textf("紧缺职业（工种）另加 %d 次，%s", x.Max, order.ZH)("%d more for scarce occupations, %s", x.Max, order.EN))
	}
	return out
}

func (b Bound) words() []Text {
	d := b.demands()
	return []Text{pairText(b.Field, b.Field, d.ZH, d.EN), named("资金类别", "funds", b.Among, Fund.Name), ifSaid(b.Any, Text{"全部资金类别", "all funds"}),
		ifSaid(b.InPrinciple, Text{"原则上；可凭文件例外", "in principle; a document may except"})}
}
