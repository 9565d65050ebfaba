package policy

import (
	"slices"

	"bajigong/standards"
)

// Catalogue is a 补贴目录: what is not on it is not payable. Without Entries the
// list stands elsewhere, and the fact [CatalogueListed] is asked for; so it is
// for claims of another year than the catalogue's.
type Catalogue struct {
	Rule
	Name    string
	Year    int // 0: not one year's
	Sample  bool
	Entries []CatalogueEntry
	Edition string // of 职业分类大典 that its codes are of; empty: not said
	Across  bool   // codes of other editions are looked up by the table of same occupations
}

// CatalogueEntry is an occupation of the catalogue; without trades all its trades
// are in it, without levels all levels.
type CatalogueEntry struct {
	Occupation string
	Name       string
	Trades     []string
	Levels     []LevelAmount
}

// ScarceAlways raises the amount whatever the occupation 按紧缺标准.
type ScarceAlways struct {
	Rule
	Percent int
}

// Beneficiary says to whom it is paid.
type Beneficiary struct {
	Rule
	PayTo Payee
}

// Prepayment is the share that may be paid ahead 先行拨付.
type Prepayment struct {
	Rule
	Percent int
	For     []Payee // only when it is paid to one of these; empty: to anybody
}

// NotInCatalogue is the reason for an occupation or level that the catalogue does not have.
const NotInCatalogue Reason = "not_in_catalogue"

func (d *decoder) amounts(n node) Amounts {
	if d.language == 1 {
		r, m := d.rule(n, "levels")
		return Amounts{Rule: r, Levels: d.levels(m["levels"])}
	}
	r, m := d.ruleWith(n, nil, []string{"levels", "flat_yuan", "mean", "per"})
	a := Amounts{Rule: r}
	levels, some := m["levels"]
	flat, one := m["flat_yuan"]
	if m != nil && some == one {
		n.problem("amounts", "应有 levels 或 flat_yuan 之一", "needs one of levels and flat_yuan")
	}
	if some {
		a.Levels = d.levels(levels)
	}
	if one {
		a.Flat = flat.yuan()
	}
	if x, ok := m["mean"]; ok {
		a.AtMost = word(x, "exact", "at_most") == "at_most"
	}
	if x, ok := m["per"]; ok {
		a.PerUnit = word(x, "claim", "unit") == "unit"
	}
	return a
}

func (d *decoder) prepayment(n node, p Policy) *Prepayment {
	r, m := d.ruleWith(n, []string{"percent"}, []string{"for"})
	out := &Prepayment{Rule: r, Percent: m["percent"].number(1, 100)}
	if x, ok := m["for"]; ok {
		out.For = wordList(x, PayPerson, PayEnterprise, PayInstitution)
		if p.Beneficiary == nil {
			x.problem("prepayment", "写明 for 时，beneficiary 应有规则", "with for there must be a rule beneficiary")
		}
	}
	return out
}

func (d *decoder) levels(n node) []LevelAmount {
	var out []LevelAmount
	for _, c := range n.list() {
		x := c.mapping([]string{"level", "yuan"}, nil)
		level, ok := d.level(x["level"])
		if !ok {
			continue
		}
		if slices.ContainsFunc(out, func(l LevelAmount) bool { return l.Level == level }) {
			x["level"].problem("duplicate", "等级重复", "the level stands twice")
		}
		out = append(out, LevelAmount{Level: level, Fen: x["yuan"].yuan()})
	}
	return out
}

// uplift reads a percentage by which every amount of p must come out in whole fen.
func (d *decoder) uplift(n node, p Policy) int {
	percent := n.number(1, 200)
	whole := func(f Fen) {
		if _, ok := f.raised(percent); !ok {
			n.problem("uplift", "%s 元上浮后不是整数分", "%s yuan raised by it is no whole number of fen", f)
		}
	}
	for _, l := range p.Amounts.Levels {
		whole(l.Fen)
	}
	whole(p.Amounts.Flat)
	if p.Amounts.Of == AmountOfCatalogue && p.Catalogue != nil {
		for _, c := range p.Catalogue.Entries {
			for _, l := range c.Levels {
				whole(l.Fen)
			}
		}
	}
	return percent
}

func (d *decoder) catalogue(n node) *Catalogue {
	r, m := d.ruleWith(n, nil, []string{"list", "name", "year", "sample", "entries", "edition", "across_editions"})
	c := &Catalogue{Rule: r}
	if list, elsewhere := m["list"]; elsewhere {
		if word(list, "unknown") != "" {
			d.unknown["catalogue.list"] = list
		}
		for _, key := range []string{"name", "year", "sample", "entries", "edition", "across_editions"} {
			if x, ok := m[key]; ok {
				x.problem("unknown_key", "list 为 unknown 时不应有 %s", "with list unknown there is no %s", key)
			}
		}
		return c
	}
	for _, key := range []string{"name", "sample", "entries"} {
		if _, ok := m[key]; m != nil && !ok {
			n.problem("missing_key", "缺少键 %s", "lacks the key %s", key)
		}
	}
	c.Name, c.Sample = m["name"].text(), m["sample"].flag()
	if c.Sample && !d.sample {
		m["sample"].problem("sample", "正式政策不能使用示例目录", "a policy that is no sample cannot use a sample list")
	}
	if y, ok := m["year"]; ok {
		c.Year = y.number(1949, 2199)
	}
	c.Edition, c.Across = d.edition(m)
	for _, x := range m["entries"].list() {
		c.Entries = append(c.Entries, d.catalogueEntry(x, c))
	}
	return c
}

func (d *decoder) catalogueEntry(n node, c *Catalogue) CatalogueEntry {
	m := n.mapping([]string{"occupation", "name"}, []string{"trades", "levels"})
	out := CatalogueEntry{
		Occupation: d.formed(m["occupation"], codeForm, "职业编码，例如 6-31-01-03", "an occupation code, such as 6-31-01-03"),
		Name:       m["name"].text(), Trades: trades(m["trades"]),
	}
	if levels, ok := m["levels"]; ok {
		pairs, _ := levels.pairs()
		for _, p := range pairs {
			var l standards.Level
			if err := l.UnmarshalText([]byte(p.key)); err != nil || l == 0 {
				p.value.problem("level", "不是等级代码，例如 senior", "is no code of a level, such as senior")
				continue
			}
			if slices.ContainsFunc(out.Levels, func(o LevelAmount) bool { return o.Level == l }) {
				p.value.problem("duplicate", "等级重复", "the level stands twice")
			}
			out.Levels = append(out.Levels, LevelAmount{Level: l, Fen: p.value.yuan()})
		}
	}
	for _, o := range c.Entries {
		if o.Occupation == out.Occupation && (len(o.Trades) == 0 || len(out.Trades) == 0 || slices.ContainsFunc(out.Trades, func(t string) bool { return slices.Contains(o.Trades, t) })) {
			m["occupation"].problem("duplicate", "职业（工种）重复", "the occupation or trade stands twice")
		}
	}
	return out
}

func trades(n node) []string {
	var out []string
	for _, id := range n.list() {
		out = append(out, id.text())
	}
	return out
}

// edition reads of which edition of 职业分类大典 the codes of a list are, and whether
// codes of others are looked up by the table of same occupations.
func (d *decoder) edition(m map[string]node) (edition string, across bool) {
	x, said := m["edition"]
	if said {
		edition = d.formed(x, editionForm, "大典版本年份，例如 2022", "the year of an edition, such as 2022")
	}
	if y, ok := m["across_editions"]; ok {
		if across = y.flag(); !said {
			y.problem("unknown_key", "仅与 edition 一起使用", "only goes with edition")
		}
	}
	return edition, across
}

// readable reports whether the claim's occupation can be looked up in a list whose
// codes are of an edition; empty is not said, and then codes are compared as they stand.
func (e *evaluation) readable(edition string, across bool) bool {
	mine := e.in.Certificate.Edition
	return edition == "" || mine == "" || mine == edition || across && e.in.Equivalence != nil
}

// covers reports whether an entry of a list that is readable is about the claim's
// occupation. Trades are those of the register's catalogue.
func (e *evaluation) covers(edition string, across bool, occupation string, trades []string) bool {
	c := &e.in.Certificate
	same := occupation == c.Occupation
	if edition != "" && c.Edition != "" && c.Edition != edition {
		same = across && e.in.Equivalence != nil && e.in.Equivalence.Same(Job{Edition: edition, Code: occupation}, Job{Edition: c.Edition, Code: c.Occupation})
	}
	return same && (len(trades) == 0 || slices.Contains(trades, c.Trade))
}

// catalogued looks the claim's occupation and level up in the catalogue. listed is
// false when it is not there, and then the rule has failed, or when it is not
// known; entry is nil when the list stands elsewhere.
func (e *evaluation) catalogued() (entry *CatalogueEntry, listed bool) {
	r, c := e.p.Catalogue, &e.in.Certificate
	if r == nil {
		return nil, false
	}
	if len(r.Entries) == 0 || r.Year != 0 && e.on.Year() != r.Year || c.Occupation != "" && !e.readable(r.Edition, r.Across) {
		v, ok := e.fact(r.Rule, CatalogueListed)
		if ok && v == No {
			e.fail(r.Rule, NotInCatalogue, textf("%s：否（来源：%s）", CatalogueListed.Name().ZH, e.source(CatalogueListed))("%s: no, says %s", CatalogueListed.Name().EN, e.source(CatalogueListed)))
		}
		return nil, v == Yes
	}
	if c.Occupation == "" {
		e.lacks(r.Rule, "occupation", "职业编码", "occupation code")
		return nil, false
	}
	var some bool
	for i := range r.Entries {
		x := &r.Entries[i]
		if !e.covers(r.Edition, r.Across, x.Occupation, x.Trades) {
			continue
		}
		some = true
		if len(x.Levels) == 0 {
			return x, true
		}
		if c.Level == 0 {
			e.lacks(r.Rule, "level", "等级", "level")
			return nil, false
		}
		if slices.ContainsFunc(x.Levels, func(l LevelAmount) bool { return l.Level == c.Level }) {
			return x, true
		}
	}
	if some {
		e.fail(r.Rule, NotInCatalogue, textf("《%s》有该职业（工种），无%s", r.Name, c.Level.Name())("the occupation is in the catalogue %s, but not the level %s", r.Name, c.Level.English()))
	} else {
		e.fail(r.Rule, NotInCatalogue, textf("《%s》无该职业（工种）%s", r.Name, c.Occupation)("the occupation %s is not in the catalogue %s", c.Occupation, r.Name))
	}
	return nil, false
}

// amount makes the amount: the base, raised for scarce occupations, not above
// what the place has set, times the units, not above the cost. All facts that
// are lacking are asked for.
func (e *evaluation) amount() {
	fen, ok := e.base()
	raised, known := e.raised(fen)
	capped, set := e.approvedMost(raised)
	times := e.timesUnits(capped)
	final, costed := e.costMost(times, ok && known && set)
	if ok && known && set && costed {
		e.fen = final
	}
}

// base is the amount before anything is added.
func (e *evaluation) base() (Fen, bool) {
	entry, listed := e.catalogued()
	a := &e.p.Amounts
	switch {
	case a.Of == AmountApproved, a.Of == AmountOfCatalogue && entry == nil && listed:
		return e.approved()
	case a.Of == AmountOfCatalogue:
		if !listed {
			return 0, false
		}
		return e.levelAmount(e.p.Catalogue.Rule, entry.Levels)
	case a.Flat != 0:
		e.calculate(textf("补贴标准 %s 元", a.Flat)("amount: %s yuan", a.Flat))
		return a.Flat, true
	}
	return e.levelAmount(a.Rule, a.Levels)
}

func (e *evaluation) levelAmount(r Rule, levels []LevelAmount) (Fen, bool) {
	c := &e.in.Certificate
	if c.Level == 0 {
		e.lacks(r, "level", "等级", "level")
		return 0, false
	}
	i := slices.IndexFunc(levels, func(l LevelAmount) bool { return l.Level == c.Level })
	if i < 0 {
		name := levelName(c.Level)
		e.fail(r, NoAmount, textf("%s无补贴标准", name.ZH)("no amount for this level, %s", name.EN))
		return 0, false
	}
	base := levels[i].Fen
	e.calculate(Text{c.Level.Name() + "基础标准 " + base.String() + " 元", "base amount for " + c.Level.English() + ": " + base.String() + " yuan"})
	return base, true
}

func (e *evaluation) calculate(t Text) { e.calculation = append(e.calculation, t) }

// amountRule is the rule that asks for what the place has set.
func (e *evaluation) amountRule() Rule {
	if e.p.Amounts.Of == AmountOfCatalogue {
		return e.p.Catalogue.Rule
	}
	return e.p.Amounts.Rule
}

func (e *evaluation) approved() (Fen, bool) {
	v, ok := e.fact(e.amountRule(), ApprovedAmount)
	if !ok {
		return 0, false
	}
	fen, _ := ParseFen(v)
	e.calculate(textf("当地核定标准 %s 元（来源：%s）", fen, e.source(ApprovedAmount))("set by the place: %s yuan, says %s", fen, e.source(ApprovedAmount)))
	return fen, true
}

// raised raises the base for a scarce occupation; known is false when whether it
// is scarce is not known and matters.
func (e *evaluation) raised(base Fen) (fen Fen, known bool) {
	if e.p.Amounts.Of == AmountApproved && (e.p.Scarce == nil || !e.p.Scarce.RaisesApproved) {
		return base, true // what the place has set is final
	}
	if a := e.p.ScarceAlways; a != nil {
		return e.raise(base, a.Percent), true
	}
	s := e.p.Scarce
	if s == nil || s.Percent == 0 || len(s.Levels) > 0 && e.in.Certificate.Level != 0 && !slices.Contains(s.Levels, e.in.Certificate.Level) {
		return base, true
	}
	if e.p.Language != 2 && base == 0 {
		return 0, true // nothing to raise, so nothing is asked
	}
	listed, known := e.scarceListed()
	if !known || !listed {
		return base, known
	}
	return e.raise(base, s.Percent), true
}

func (e *evaluation) raise(base Fen, percent int) Fen {
	fen, _ := base.raised(percent) // Parse refuses figures that do not come out in whole fen
	if base != 0 {
		e.calculate(textf("基础 %s 元 × (1+%d%%) = %s 元", base, percent, fen)("base %s yuan × (1+%d%%) = %s yuan", base, percent, fen))
	}
	return fen
}

// approvedMost holds the amount to what the place has set, where the text only caps it.
func (e *evaluation) approvedMost(fen Fen) (Fen, bool) {
	if !e.p.Amounts.AtMost {
		return fen, true
	}
	v, ok := e.fact(e.p.Amounts.Rule, ApprovedAmount)
	if !ok {
		return fen, false
	}
	set, _ := ParseFen(v)
	least := min(fen, set)
	if fen != 0 {
		e.calculate(textf("上限 %s 元，当地核定 %s 元（来源：%s），取 %s 元", fen, set, e.source(ApprovedAmount), least)(
			"at most %s yuan, set by the place %s yuan, says %s: %s yuan", fen, set, e.source(ApprovedAmount), least))
	}
	return least, true
}

func (e *evaluation) timesUnits(fen Fen) Fen {
	if !e.p.Amounts.PerUnit {
		return fen
	}
	n := e.units()
	total := fen * Fen(n)
	if fen != 0 {
		e.calculate(textf("%s 元 × %d = %s 元", fen, n, total)("%s yuan × %d = %s yuan", fen, n, total))
	}
	return total
}

// costMost holds the amount to the approved cost.
func (e *evaluation) costMost(fen Fen, known bool) (Fen, bool) {
	if e.p.CostCap == nil {
		return fen, true
	}
	v, ok := e.fact(*e.p.CostCap, ApprovedCost)
	if !ok {
		return fen, false
	}
	cost, _ := ParseFen(v)
	least := min(fen, cost)
	if known {
		e.calculate(textf("不超过核定成本 %s 元（来源：%s），取 %s 元", cost, e.source(ApprovedCost), least)(
			"not above the approved cost of %s yuan, says %s: %s yuan", cost, e.source(ApprovedCost), least))
	}
	return least, true
}

// payment says to whom it is paid and how much may be paid ahead.
func (e *evaluation) payment() {
	if r := e.p.Beneficiary; r != nil {
		e.payTo = r.PayTo
		if r.PayTo == PayFunder {
			v, ok := e.fact(r.Rule, FundedBy)
			if e.payTo = ""; ok {
				e.payTo = Payee(v)
			}
		}
	}
	if r := e.p.Prepayment; r != nil && (len(r.For) == 0 || slices.Contains(r.For, e.payTo)) {
		e.advance = e.fen * Fen(r.Percent) / 100
	}
}
