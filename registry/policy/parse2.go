package policy

import (
	"slices"
)

// The keys of a file of language 2. All but under must be there; a section says
// none or unknown like one of language 1.
var (
	sectionKeys2 = slices.Concat(sectionKeys, []string{"subject", "groups", "certificate", "kinds", "amounts", "once", "reuse", "ages", "supervision",
		"queryable", "catalogue", "cost_cap", "amount_for_scarce_always", "beneficiary", "prepayment", "channel", "bounds"})
	requiredKeys2 = slices.Concat([]string{"language", "id", "version", "region", "parent", "fund", "name", "document", "sample", "note",
		"effective", "decided_by", "money", "framework"}, sectionKeys2, []string{"unknown"})
)

// certificateSections say none in a policy for claims without a certificate.
var certificateSections = []string{"certificate", "kinds", "modes", "institutions", "places", "window", "reuse", "queryable"}

// language returns 2 for a file that says so, and 1 for others. A language that
// is not there is left to be refused as a key that language 1 does not have.
func (n node) language() int {
	if pairs, ok := n.quiet().pairs(); ok {
		for _, p := range pairs {
			if p.key == "language" && p.value.is("2") {
				return 2
			}
		}
	}
	return 1
}

// quiet is n with its problems kept to itself.
func (n node) quiet() node {
	n.p = &problems{}
	return n
}

func (d *decoder) policy2(root node) Policy {
	m := root.mapping(requiredKeys2, []string{"under"})
	if m == nil {
		return Policy{}
	}
	p := d.heading(m)
	p.DecidedBy = word(m["decided_by"], ByReceipt, ByIssue, ByApplication)
	p.Money = word(m["money"], sortedKeys(moneys)...)
	p.Framework = m["framework"].flag()
	if d.given(m, "subject") {
		p.Subject = d.subject(m["subject"])
	}
	d.withoutCertificate(m, p)
	d.people(m, &p)
	d.papers(m, &p)
	d.money(m, &p)
	d.sections(m, &p)
	if d.given(m, "bounds") {
		p.Bounds = d.bounds(m["bounds"], p.Fund)
	}
	p.Under = d.under(m["under"])
	p.Unknown = d.gaps(m["unknown"], sectionKeys2)
	d.together(m, &p)
	return p
}

// papers reads what is asked of the certificate and of who issued it.
func (d *decoder) papers(m map[string]node, p *Policy) {
	if d.given(m, "certificate") {
		p.Certificate, _ = d.rule(m["certificate"])
	} else if p.forCertificate() && !p.Framework && m["certificate"].p != nil {
		m["certificate"].problem("certificate", "凭证书申领的政策应有 certificate 规则", "a policy for a certificate needs the rule certificate")
	}
	if d.given(m, "kinds") {
		p.Kinds = d.kinds(m["kinds"])
	}
	if d.given(m, "once") {
		p.Once = d.exclusion(m["once"], SameOccupation, SameLevel, SameTrade, SameSubject, SamePeriod, SameCourse)
		d.onceParts(m["once"], *p)
	}
	if d.given(m, "reuse") {
		p.Reuse = d.exclusion(m["reuse"], SameCertificate)
	}
	if d.given(m, "supervision") {
		p.Supervision = d.supervision(m["supervision"])
	}
	if d.given(m, "queryable") {
		p.Queryable = d.queryable(m["queryable"])
	}
}

// onceParts refuses a sameness that would bar claims which have nothing in common.
func (d *decoder) onceParts(n node, p Policy) {
	same := p.Once.Same
	has := func(parts ...Sameness) bool {
		return slices.ContainsFunc(parts, func(s Sameness) bool { return slices.Contains(same, s) })
	}
	switch {
	case same == nil:
	case p.Subject == nil && !has(SameOccupation):
		n.problem("once_same", "same 应包含 occupation", "same must contain occupation")
	case p.Subject == nil && has(SameSubject, SamePeriod, SameCourse):
		n.problem("once_same", "凭证书申领的政策不能使用 subject、period、course", "a policy for a certificate cannot use subject, period or course")
	case !has(SameOccupation, SameSubject, SameCourse):
		n.problem("once_same", "same 应包含 occupation、subject 或 course", "same must contain occupation, subject or course")
	}
}

func (d *decoder) people(m map[string]node, p *Policy) {
	if d.given(m, "groups") {
		p.Groups = d.groups(m["groups"])
	}
	if d.given(m, "ages") {
		p.Ages = d.ages(m["ages"])
	}
}

// money reads what makes the amount and its way.
func (d *decoder) money(m map[string]node, p *Policy) {
	if d.given(m, "catalogue") {
		p.Catalogue = d.catalogue(m["catalogue"])
	}
	switch n := m["amounts"]; {
	case n.is(string(AmountOfCatalogue)):
		p.Amounts.Of = AmountOfCatalogue
	case n.is("unknown"):
		p.Amounts.Of = AmountApproved
		d.unknown["amounts"] = n
	case n.is("none"):
		if !p.Framework {
			n.problem("amounts", "除框架性政策外应有补贴标准，或写 unknown", "only a framework may have no amounts; say unknown where the text has none")
		}
	default:
		p.Amounts = d.amounts(n)
	}
	if d.given(m, "cost_cap") {
		r, _ := d.rule(m["cost_cap"])
		p.CostCap = &r
	}
	if d.given(m, "amount_for_scarce_always") {
		r, x := d.rule(m["amount_for_scarce_always"], "uplift_percent")
		p.ScarceAlways = &ScarceAlways{Rule: r, Percent: d.uplift(x["uplift_percent"], *p)}
	}
	if d.given(m, "beneficiary") {
		r, x := d.rule(m["beneficiary"], "pay_to")
		p.Beneficiary = &Beneficiary{Rule: r, PayTo: word(x["pay_to"], sortedKeys(payees)...)}
	}
	if d.given(m, "prepayment") {
		p.Prepayment = d.prepayment(m["prepayment"], *p)
	}
	if d.given(m, "channel") {
		r, x := d.rule(m["channel"], "system_only")
		p.Channel = &ChannelRule{Rule: r, SystemOnly: x["system_only"].flag()}
	}
}

// together finds what sections say against each other.
func (d *decoder) together(m map[string]node, p *Policy) {
	if p.Amounts.Of == AmountOfCatalogue && p.Catalogue == nil && m["catalogue"].p != nil {
		m["amounts"].problem("amounts", "标准取自补贴目录时，catalogue 应有目录", "with amounts from the catalogue there must be a catalogue")
	}
	if p.Amounts.Of == AmountOfCatalogue && p.Catalogue != nil && slices.ContainsFunc(p.Catalogue.Entries, func(c CatalogueEntry) bool { return len(c.Levels) == 0 }) {
		m["catalogue"].problem("catalogue", "标准取自补贴目录时，每个职业都应有 levels", "with amounts from the catalogue each entry has levels")
	}
	if p.Amounts.Of == AmountApproved {
		p.Amounts.Rule = Rule{ID: "amounts", Clause: p.Document.Number}
		for _, g := range p.Unknown {
			if g.Field == "amounts" {
				p.Amounts.Rule.Text = g.Text
			}
		}
		if other, twice := d.ids["amounts"]; twice {
			other.problem("duplicate_rule", "标准为 unknown 时，编号 amounts 已被占用", "the id amounts is taken when amounts is unknown")
		}
	}
	if p.Scarce != nil && p.ScarceAlways != nil {
		m["scarce"].problem("scarce", "amount_for_scarce_always 与 scarce 只能有一项", "there is either scarce or amount_for_scarce_always")
	}
	if p.Frequency != nil && p.Frequency.Extra != nil && p.Scarce == nil {
		m["frequency"].problem("extra", "另加紧缺次数时，scarce 应有规则", "a number on top for scarce occupations needs the section scarce")
	}
	if p.Framework && p.Bounds == nil && m["bounds"].p != nil {
		m["bounds"].problem("framework", "框架性政策应有 bounds", "a framework has bounds")
	}
}

// withoutCertificate finds rules about certificates in a policy for claims that have none.
func (d *decoder) withoutCertificate(m map[string]node, p Policy) {
	if p.forCertificate() {
		return
	}
	for _, key := range certificateSections {
		if n := m[key]; n.p != nil && !n.is("none") {
			n.problem("without_certificate", "无需证书的事项，%s 应为 none", "a subject without certificate has none for %s", key)
		}
	}
	if p.DecidedBy == ByIssue {
		m["decided_by"].problem("without_certificate", "无需证书的事项不能按发证日判断", "a subject without certificate cannot be decided by date of issue")
	}
}

// excludeParts are what claims on other funds can be compared in: a certificate
// has no days and no class.
func (d *decoder) excludeParts(p *Policy) []Sameness {
	parts := []Sameness{SameOccupation, SameLevel, SameTrade}
	if d.language == 2 {
		parts = append(parts, SamePerson)
	}
	if p.Subject != nil {
		parts = append(parts, SameSubject, SamePeriod, SameCourse)
	}
	return parts
}
