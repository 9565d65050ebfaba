package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"

	"bajigong/standards"
)

// Parse reads one policy from YAML; file is its name for messages. It is strict:
// every section must be there, a section that the text excludes says none, one
// about which the text is silent says unknown and is explained under unknown;
// keys that are not known, anchors and aliases are refused. The error is
// fail.Invalid "policy_invalid" with all problems, each with its line.
//
// A policy that pays 1000 yuan once for a junior level:
//
//	id: example-2026
//	version: 1
//	region: "320500"
//	parent: "320000"          # none for the nation, 000000
//	fund: skill_uplift
//	name: {zh: 示例, en: Example}
//	document: {number: 示例〔2026〕1号, title: 示例, issuer: 示例, dated: 2026-01-01}
//	sample: true              # false: every rule needs a quote from the text
//	note: {zh: 示例, en: a sample}
//	effective: {id: in_force, clause: 示例, zh: 自2026年起执行, en: from 2026, from: 2026-01-01, until: open}
//	decided_by: receipt
//	facts: none
//	certificate: {id: certificate, clause: 示例, zh: 证书有效, en: a valid certificate}
//	kinds: {id: kinds, clause: 示例, zh: 等级证书, en: level certificates, allowed: [skill_level]}
//	modes: none
//	institutions: none
//	places: none
//	window: none
//	amounts: {id: amounts, clause: 示例, zh: 标准, en: amounts, levels: [{level: junior, yuan: 1000}]}
//	scarce: none
//	once: {id: once, clause: 示例, zh: 一次, en: once, group: uplift, funds: [skill_uplift], same: [occupation, level]}
//	reuse: {id: reuse, clause: 示例, zh: 一证一次, en: one claim per certificate, group: uplift, funds: any, same: [certificate]}
//	excludes: none
//	higher_excludes_lower: none
//	frequency: unknown
//	refund: {id: refund, clause: 示例, zh: 可再申领, en: may be claimed again, restores_right: true}
//	unknown:
//	  - {field: frequency, zh: 未载明次数, en: the text gives no number}
func Parse(file string, src []byte) (Policy, error) {
	p := &problems{file: file}
	root, err := readYAML(file, src, p)
	if err != nil {
		return Policy{}, err
	}
	sum := sha256.Sum256(src)
	d := decoder{p: p, ids: map[string]node{}, unknown: map[string]node{}}
	out := d.policy(root)
	out.Digest, out.Source = hex.EncodeToString(sum[:]), slices.Clone(src)
	if err := p.err(); err != nil {
		return Policy{}, err
	}
	return out, nil
}

var (
	policyIDForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	ruleIDForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	codeForm     = regexp.MustCompile(`^[1-8]-\d\d-\d\d-\d\d$`)
	classForm    = regexp.MustCompile(`^[A-Z]$`)
)

var (
	ruleKeys     = []string{"id", "clause", "zh", "en"}
	sectionKeys  = []string{"facts", "modes", "institutions", "places", "window", "scarce", "excludes", "higher_excludes_lower", "frequency", "refund"}
	requiredKeys = slices.Concat([]string{"id", "version", "region", "parent", "fund", "name", "document", "sample", "note",
		"effective", "decided_by", "certificate", "kinds", "amounts", "once", "reuse"}, sectionKeys, []string{"unknown"})
)

type decoder struct {
	p       *problems
	sample  bool
	ids     map[string]node // by rule id
	unknown map[string]node // sections that say unknown
}

func (d *decoder) policy(root node) Policy {
	m := root.mapping(requiredKeys, nil)
	if m == nil {
		return Policy{}
	}
	d.sample = m["sample"].yes()
	p := Policy{
		ID:        d.formed(m["id"], policyIDForm, "小写字母、数字和连字符，例如 kunshan-2020-67", "lower-case words joined by hyphens, such as kunshan-2020-67"),
		Version:   m["version"].number(1, 9999),
		Region:    m["region"].region(),
		Fund:      word(m["fund"], sortedKeys(funds)...),
		Name:      d.text(m["name"]),
		Document:  d.document(m["document"]),
		Sample:    d.sample,
		Note:      d.text(m["note"]),
		Effective: d.effective(m["effective"]),
		DecidedBy: word(m["decided_by"], ByReceipt, ByIssue),
		Kinds:     d.kinds(m["kinds"]),
		Amounts:   d.amounts(m["amounts"]),
		Once:      d.exclusion(m["once"], SameOccupation, SameLevel, SameTrade),
		Reuse:     d.exclusion(m["reuse"], SameCertificate),
	}
	if !m["parent"].is("none") {
		p.Parent = m["parent"].region()
	}
	d.hierarchy(m, p)
	p.Certificate, _ = d.rule(m["certificate"])
	if p.Once.Same != nil && !slices.Contains(p.Once.Same, SameOccupation) {
		m["once"].problem("once_same", "same 应包含 occupation", "same must contain occupation")
	}
	for name, g := range map[string]Group{"once": p.Once.Among, "reuse": p.Reuse.Among} {
		if p.Fund != "" && g.Name != "" && !g.Has(p.Fund) {
			m[name].problem("group_without_own_fund", "funds 应包含本政策的 fund %s", "funds must contain the policy's own fund %s", p.Fund)
		}
	}
	if d.given(m, "facts") {
		p.Facts = d.facts(m["facts"])
	}
	if d.given(m, "modes") {
		p.Modes = d.modes(m["modes"])
	}
	if d.given(m, "institutions") {
		p.Institutions = d.institutions(m["institutions"])
	}
	if d.given(m, "places") {
		r, x := d.rule(m["places"], "kinds", "region")
		p.Places = &Places{Rule: r, Kinds: wordList(x["kinds"], sortedKeys(kinds)...), Region: x["region"].region()}
	}
	if d.given(m, "window") {
		r, x := d.rule(m["window"], "months")
		p.Window = &Window{Rule: r, Months: x["months"].number(1, 600)}
	}
	if d.given(m, "scarce") {
		p.Scarce = d.scarce(m["scarce"], p.Amounts)
	}
	if d.given(m, "excludes") {
		for _, n := range m["excludes"].list() {
			p.Excludes = append(p.Excludes, d.exclusion(n, SameOccupation, SameLevel, SameTrade))
		}
	}
	if d.given(m, "higher_excludes_lower") {
		p.Higher = d.higher(m["higher_excludes_lower"])
	}
	if d.given(m, "frequency") {
		p.Frequency = d.frequency(m["frequency"], p.Fund)
	}
	if d.given(m, "refund") {
		r, x := d.rule(m["refund"], "restores_right")
		p.Refund = &RefundRule{Rule: r, RestoresRight: x["restores_right"].yes()}
	}
	p.Unknown = d.gaps(m["unknown"])
	return p
}

func (d *decoder) hierarchy(m map[string]node, p Policy) {
	switch {
	case p.Region == "":
	case p.Region == Nation && p.Parent != "":
		m["parent"].problem("parent", "全国（000000）的 parent 应为 none", "the nation, 000000, has parent none")
	case p.Region != Nation && m["parent"].is("none"), p.Parent == p.Region:
		m["parent"].problem("parent", "应为上一级行政区划代码", "must be the region above")
	}
}

// given reports whether a section has a rule. None and unknown are the other
// things it may say; unknown must be explained.
func (d *decoder) given(m map[string]node, key string) bool {
	n := m[key]
	switch {
	case n.p == nil, n.is("none"):
		return false
	case n.is("unknown"):
		d.unknown[key] = n
		return false
	}
	return true
}

func (d *decoder) formed(n node, form *regexp.Regexp, zh, en string) string {
	s := n.text()
	if s != "" && (!form.MatchString(s) || len(s) > 64) {
		n.problem("form", "应为"+zh, "must be "+en)
		return ""
	}
	return s
}

func (d *decoder) text(n node) Text {
	m := n.mapping([]string{"zh", "en"}, nil)
	return Text{ZH: m["zh"].text(), EN: m["en"].text()}
}

func (d *decoder) document(n node) Document {
	m := n.mapping([]string{"number", "title", "issuer", "dated"}, nil)
	return Document{Number: m["number"].text(), Title: m["title"].text(), Issuer: m["issuer"].text(), Dated: m["dated"].date()}
}

// rule reads what every rule has, and returns its mapping for the keys of its own.
func (d *decoder) rule(n node, own ...string) (Rule, map[string]node) {
	return d.ruleWith(n, own, nil)
}

func (d *decoder) ruleWith(n node, own, optional []string) (Rule, map[string]node) {
	required := slices.Concat(ruleKeys, own)
	if d.sample {
		optional = append(slices.Clone(optional), "quote")
	} else {
		required = append(required, "quote")
	}
	m := n.mapping(required, optional)
	if m == nil {
		return Rule{}, nil
	}
	r := Rule{
		ID:     d.formed(m["id"], ruleIDForm, "小写字母、数字和下划线", "lower-case letters, digits and underscores"),
		Clause: m["clause"].text(),
		Text:   Text{ZH: m["zh"].text(), EN: m["en"].text()},
	}
	if m["quote"].p != nil {
		r.Quote = m["quote"].text()
	}
	if other, twice := d.ids[r.ID]; twice {
		first, second := other, m["id"]
		if second.line < first.line { // sections are not read in the order of lines
			first, second = second, first
		}
		second.problem("duplicate_rule", "规则编号与第 %d 行重复", "the id is already used on line %d", first.line)
	} else if r.ID != "" {
		d.ids[r.ID] = m["id"]
	}
	return r, m
}

func (d *decoder) effective(n node) Effective {
	r, m := d.ruleWith(n, []string{"from", "until"}, []string{"stated_through"})
	e := Effective{Rule: r, From: m["from"].date()}
	switch {
	case m["until"].is("open"):
		e.End = EndOpen
	case m["until"].is("unknown"):
		e.End = EndUnknown
		d.unknown["effective.until"] = m["until"]
	default:
		e.End, e.Until = EndKnown, m["until"].date()
		if e.Until != "" && e.Until < e.From {
			m["until"].problem("dates", "早于 from", "is before from")
		}
	}
	through, said := m["stated_through"]
	switch {
	case e.End == EndUnknown && !said:
		n.problem("missing_key", "until 为 unknown 时应有 stated_through", "with until unknown it needs stated_through")
	case e.End == EndUnknown:
		e.StatedThrough = through.date()
		if e.StatedThrough != "" && e.StatedThrough < e.From {
			through.problem("dates", "早于 from", "is before from")
		}
	case said:
		through.problem("unknown_key", "仅在 until 为 unknown 时使用", "only goes with until unknown")
	}
	return e
}

func (d *decoder) facts(n node) []FactRule {
	var out []FactRule
	for _, c := range n.list() {
		r, m := d.ruleWith(c, []string{"fact"}, []string{"want", "at_least"})
		f := FactRule{Rule: r}
		var may []FactKind
		for _, k := range sortedKeys(factForms) {
			if !factForms[k].asked {
				may = append(may, k)
			}
		}
		f.Fact = word(m["fact"], may...)
		if f.Fact == "" {
			continue
		}
		need, other := "want", "at_least"
		if factForms[f.Fact].count {
			need, other = other, need
		}
		if x, wrong := m[other]; wrong {
			x.problem("unknown_key", "事实 %s 应使用 %s", "the fact %s goes with %s", string(f.Fact), need)
		}
		switch v, ok := m[need]; {
		case !ok:
			c.problem("missing_key", "缺少键 %s", "lacks the key %s", need)
		case need == "want":
			f.Want = word(v, Yes, No)
		default:
			f.AtLeast = v.number(1, 999)
		}
		if slices.ContainsFunc(out, func(o FactRule) bool { return o.Fact == f.Fact }) {
			m["fact"].problem("duplicate", "重复", "stands twice")
		}
		out = append(out, f)
	}
	return out
}

func (d *decoder) kinds(n node) Kinds {
	r, m := d.rule(n, "allowed")
	return Kinds{Rule: r, Allowed: wordList(m["allowed"], sortedKeys(kinds)...)}
}

func (d *decoder) modes(n node) *Modes {
	r, m := d.ruleWith(n, nil, []string{"allowed", "excluded"})
	out := &Modes{Rule: r}
	allowed, a := m["allowed"]
	excluded, x := m["excluded"]
	if a == x && m != nil {
		n.problem("modes", "应有 allowed 或 excluded 之一", "needs one of allowed and excluded")
	}
	if a {
		out.Allowed = wordList(allowed, sortedKeys(modes)...)
	}
	if x {
		out.Excluded = wordList(excluded, sortedKeys(modes)...)
	}
	return out
}

func (d *decoder) institutions(n node) *Institutions {
	r, m := d.rule(n, "classes")
	out := &Institutions{Rule: r}
	for _, c := range m["classes"].list() {
		if s := d.formed(c, classForm, "一个大写字母", "one capital letter"); s != "" {
			out.Classes = append(out.Classes, s)
		}
	}
	return out
}

func (d *decoder) amounts(n node) Amounts {
	r, m := d.rule(n, "levels")
	out := Amounts{Rule: r}
	for _, c := range m["levels"].list() {
		x := c.mapping([]string{"level", "yuan"}, nil)
		level, ok := d.level(x["level"])
		if !ok {
			continue
		}
		if slices.ContainsFunc(out.Levels, func(l LevelAmount) bool { return l.Level == level }) {
			x["level"].problem("duplicate", "等级重复", "the level stands twice")
		}
		fen, ok := ParseFen(x["yuan"].text())
		if !ok || fen == 0 || fen > 100_000_000 {
			x["yuan"].problem("yuan", "应为元，至多两位小数，例如 1000 或 1000.50", "must be yuan with at most two decimals, such as 1000 or 1000.50")
		}
		out.Levels = append(out.Levels, LevelAmount{Level: level, Fen: fen})
	}
	return out
}

func (d *decoder) level(n node) (standards.Level, bool) {
	s := n.text()
	if s == "" {
		return 0, false
	}
	var l standards.Level
	if err := l.UnmarshalText([]byte(s)); err != nil {
		n.problem("level", "不是等级代码，例如 senior", "is no code of a level, such as senior")
		return 0, false
	}
	return l, true
}

func (d *decoder) scarce(n node, a Amounts) *Scarce {
	r, m := d.rule(n, "uplift_percent", "list")
	out := &Scarce{Rule: r, Percent: m["uplift_percent"].number(1, 200)}
	for _, l := range a.Levels {
		if _, whole := l.Fen.raised(out.Percent); !whole {
			m["uplift_percent"].problem("uplift", "%s 元上浮后不是整数分", "%s yuan raised by it is no whole number of fen", l.Fen)
		}
	}
	if m["list"].is("unknown") {
		d.unknown["scarce.list"] = m["list"]
		return out
	}
	x := m["list"].mapping([]string{"name", "sample", "from", "until", "occupations"}, nil)
	list := &ScarceList{Name: x["name"].text(), Sample: x["sample"].yes(), From: x["from"].date()}
	if list.Sample && !d.sample {
		x["sample"].problem("sample", "正式政策不能使用示例目录", "a policy that is no sample cannot use a sample list")
	}
	if !x["until"].is("open") {
		if list.Until = x["until"].date(); list.Until != "" && list.Until < list.From {
			x["until"].problem("dates", "早于 from", "is before from")
		}
	}
	for _, c := range x["occupations"].list() {
		y := c.mapping([]string{"code", "name"}, []string{"trades"})
		entry := ScarceEntry{
			Occupation: d.formed(y["code"], codeForm, "职业编码，例如 6-31-01-03", "an occupation code, such as 6-31-01-03"),
			Name:       y["name"].text(),
		}
		if t, ok := y["trades"]; ok {
			for _, id := range t.list() {
				entry.Trades = append(entry.Trades, id.text())
			}
		}
		if slices.ContainsFunc(list.Entries, func(o ScarceEntry) bool { return o.Occupation == entry.Occupation }) {
			y["code"].problem("duplicate", "职业重复", "the occupation stands twice")
		}
		list.Entries = append(list.Entries, entry)
	}
	out.List = list
	return out
}

func (d *decoder) group(name, funding node) Group {
	g := Group{Name: d.formed(name, ruleIDForm, "小写字母、数字和下划线", "lower-case letters, digits and underscores")}
	if funding.is("any") {
		g.Any = true
	} else {
		g.Funds = wordList(funding, sortedKeys(funds)...)
	}
	return g
}

func (d *decoder) exclusion(n node, parts ...Sameness) Exclusion {
	r, m := d.rule(n, "group", "funds", "same")
	return Exclusion{Rule: r, Among: d.group(m["group"], m["funds"]), Same: wordList(m["same"], parts...)}
}

func (d *decoder) higher(n node) *Higher {
	r, m := d.rule(n, "by", "group", "funds", "same")
	h := &Higher{Rule: r, By: word(m["by"], HigherPaid, HigherHeld), Among: d.group(m["group"], m["funds"]), Same: wordList(m["same"], SameOccupation, SameTrade)}
	if h.Same != nil && !slices.Contains(h.Same, SameOccupation) {
		m["same"].problem("same", "应包含 occupation", "must contain occupation")
	}
	return h
}

func (d *decoder) frequency(n node, own Fund) *Frequency {
	r, m := d.rule(n, "max", "per", "counter", "funds", "in_principle")
	f := &Frequency{Rule: r, Max: m["max"].number(1, 99), Per: word(m["per"], PerNaturalYear, PerLifetime),
		Counter: d.group(m["counter"], m["funds"]), InPrinciple: m["in_principle"].yes()}
	if own != "" && f.Counter.Name != "" && !f.Counter.Has(own) {
		m["funds"].problem("group_without_own_fund", "funds 应包含本政策的 fund %s", "funds must contain the policy's own fund %s", own)
	}
	return f
}

// gaps reads what the text does not say. Every section that says unknown needs
// one; others may add how a silent text was read.
func (d *decoder) gaps(n node) []Gap {
	var out []Gap
	if !n.is("none") {
		for _, c := range n.list() {
			m := c.mapping([]string{"field", "zh", "en"}, []string{"taken_as"})
			g := Gap{Field: m["field"].text(), Text: Text{ZH: m["zh"].text(), EN: m["en"].text()}}
			if t, ok := m["taken_as"]; ok {
				g.TakenAs = t.text()
			}
			if slices.ContainsFunc(out, func(o Gap) bool { return o.Field == g.Field }) {
				m["field"].problem("duplicate", "重复", "stands twice")
			}
			out = append(out, g)
		}
	}
	for _, field := range sortedKeys(d.unknown) {
		if !slices.ContainsFunc(out, func(g Gap) bool { return g.Field == field }) {
			d.unknown[field].problem("unexplained", "为 unknown，应在 unknown 中说明 %s", "is unknown: explain %s under unknown", field)
		}
	}
	for _, g := range out {
		if _, silent := d.unknown[g.Field]; !silent && g.TakenAs == "" && slices.Contains(sectionKeys, g.Field) {
			n.problem("explained", "%s 并非 unknown", "%s does not say unknown", g.Field)
		}
	}
	return out
}

// String names the policy and its version, "kunshan-2020-67 v1".
func (p Policy) String() string { return fmt.Sprintf("%s v%d", p.ID, p.Version) }
