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
// A file that begins with language: 2 has more sections: [Schema] is their form,
// and docs/policy-language.md says what each means. A file without it is of language 1
// and decides as it always did. In language 1, a policy that pays 1000 yuan once for a junior level:
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
	editionForm  = regexp.MustCompile(`^(1999|2015|2022)$`)
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
	p        *problems
	language int
	sample   bool
	ids      map[string]node // by rule id
	unknown  map[string]node // sections that say unknown
}

func (d *decoder) policy(root node) Policy {
	if d.language = root.language(); d.language == 2 {
		return d.policy2(root)
	}
	m := root.mapping(requiredKeys, nil)
	if m == nil {
		return Policy{}
	}
	p := d.heading(m)
	p.DecidedBy = word(m["decided_by"], ByReceipt, ByIssue)
	p.Certificate, _ = d.rule(m["certificate"])
	p.Kinds = d.kinds(m["kinds"])
	p.Amounts = d.amounts(m["amounts"])
	p.Once = d.exclusion(m["once"], SameOccupation, SameLevel, SameTrade)
	if p.Once.Same != nil && !slices.Contains(p.Once.Same, SameOccupation) {
		m["once"].problem("once_same", "same 应包含 occupation", "same must contain occupation")
	}
	p.Reuse = d.exclusion(m["reuse"], SameCertificate)
	d.sections(m, &p)
	p.Unknown = d.gaps(m["unknown"], sectionKeys)
	return p
}

// heading reads what stands above the rules.
func (d *decoder) heading(m map[string]node) Policy {
	d.sample = d.yes(m["sample"])
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
		Language:  d.language,
	}
	if !m["parent"].is("none") {
		p.Parent = m["parent"].region()
	}
	d.hierarchy(m, p)
	return p
}

// sections reads the sections that both languages have and that may say none or unknown.
func (d *decoder) sections(m map[string]node, p *Policy) {
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
		p.Window = d.window(m["window"])
	}
	if d.given(m, "scarce") {
		p.Scarce = d.scarce(m["scarce"], *p)
	}
	if d.given(m, "excludes") {
		for _, n := range m["excludes"].list() {
			p.Excludes = append(p.Excludes, d.exclusion(n, d.excludeParts(p)...))
		}
	}
	if d.given(m, "higher_excludes_lower") {
		p.Higher = d.higher(m["higher_excludes_lower"])
	}
	if d.given(m, "frequency") {
		p.Frequency = d.frequency(m["frequency"], *p)
	}
	if d.given(m, "refund") {
		r, x := d.rule(m["refund"], "restores_right")
		p.Refund = &RefundRule{Rule: r, RestoresRight: d.yes(x["restores_right"])}
	}
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

// yes reads true or false, and in language 2 also yes or no.
func (d *decoder) yes(n node) bool {
	if d.language == 1 {
		return n.yes()
	}
	return n.flag()
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
	out := Document{Number: m["number"].text(), Title: m["title"].text(), Issuer: m["issuer"].text()}
	if dated := m["dated"]; d.language == 2 && dated.is("unknown") {
		d.unknown["document.dated"] = dated
	} else {
		out.Dated = dated.date()
	}
	return out
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
	if d.language == 2 {
		optional = append(slices.Clone(optional), "quoted")
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
	if q, ok := m["quoted"]; ok {
		r.Secondary = word(q, "secondary") != ""
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
	r, m := d.ruleWith(n, []string{"from", "until"}, []string{"stated_through", "goes_first"})
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
	if first, ok := m["goes_first"]; ok {
		if e.GoesFirst = first.flag(); e.End != EndUnknown {
			first.problem("unknown_key", "仅在 until 为 unknown 时使用", "only goes with until unknown")
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

func (d *decoder) window(n node) *Window {
	if d.language == 1 {
		r, x := d.rule(n, "months")
		return &Window{Rule: r, Months: x["months"].number(1, 600)}
	}
	r, x := d.ruleWith(n, nil, []string{"months", "days", "not_before_days", "same_year", "from"})
	w := &Window{Rule: r}
	months, byMonths := x["months"]
	days, byDays := x["days"]
	if early, ok := x["not_before_days"]; ok {
		w.NotBeforeDays = early.number(1, 999)
	}
	switch {
	case x == nil:
	case byMonths && byDays:
		days.problem("window", "months 与 days 只能有一项", "there is either months or days")
	case byMonths:
		w.Months = months.number(1, 600)
	case byDays:
		w.Days = days.number(1, 9999)
	case w.NotBeforeDays == 0 && x["same_year"].p == nil:
		n.problem("window", "应有 months、days、not_before_days 或 same_year", "needs months, days, not_before_days or same_year")
	}
	if same, ok := x["same_year"]; ok {
		if w.SameYear = same.flag(); !w.SameYear {
			same.problem("window", "只能为 yes；否则不写", "says yes or is left out")
		}
	}
	if from, ok := x["from"]; ok {
		word(from, "issue")
	}
	return w
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
	by, optional := []HigherBy{HigherPaid, HigherHeld}, []string(nil)
	if d.language == 2 {
		by, optional = append(by, HigherNone), []string{"order"}
	}
	r, m := d.ruleWith(n, []string{"by", "group", "funds", "same"}, optional)
	h := &Higher{Rule: r, By: word(m["by"], by...), Among: d.group(m["group"], m["funds"]), Same: wordList(m["same"], SameOccupation, SameTrade)}
	if h.Same != nil && !slices.Contains(h.Same, SameOccupation) {
		m["same"].problem("same", "应包含 occupation", "must contain occupation")
	}
	if order, ok := m["order"]; ok {
		h.ByIssue = word(order, "submission", "issue") == "issue"
	}
	return h
}

// gaps reads what the text does not say. Every section that says unknown needs
// one; others may add how a silent text was read.
func (d *decoder) gaps(n node, sections []string) []Gap {
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
		if _, silent := d.unknown[g.Field]; !silent && g.TakenAs == "" && slices.Contains(sections, g.Field) {
			n.problem("explained", "%s 并非 unknown", "%s does not say unknown", g.Field)
		}
	}
	return out
}

// String names the policy and its version, "kunshan-2020-67 v1".
func (p Policy) String() string { return fmt.Sprintf("%s v%d", p.ID, p.Version) }
