package policy

import (
	"slices"

	"bajigong/standards"
)

// Condition is something that the institution of a certificate must fulfil.
type Condition string

// The conditions.
const (
	NeedsPayLinked  Condition = "pay_linked"       // 技能等级与薪酬挂钩
	NeedsPilot      Condition = "pilot_recognised" // 试点认定
	NeedsTaskListed Condition = "task_listed"      // 考试当日在承接名单内
)

// conditionFacts are asked for where the register does not know.
var conditionFacts = map[Condition]FactKind{NeedsPayLinked: IssuerPayLinked, NeedsPilot: IssuerPilot, NeedsTaskListed: IssuerTaskListed}

// Supervision asks that the training or exam was on the supervised platform
// 云眸: “凡补必进，不进不补”. It is the exam of a certificate and the training of a
// claim without one that is looked at.
type Supervision struct {
	Rule
	Scope []Scope
	From  standards.Date // certificates issued, or training begun, from this day on
	Kinds []Kind         // of certificates; empty: all
}

// Scope is what supervision covers.
type Scope string

// The scopes.
const (
	ScopeTraining   Scope = "training"
	ScopeEvaluation Scope = "evaluation"
)

var scopeNames = map[Scope]Text{ScopeTraining: {"培训", "training"}, ScopeEvaluation: {"评价", "evaluation"}}

// Queryable asks that a public query finds the certificate. Where it does not
// yet, the claim is held.
type Queryable struct {
	Rule
	AnyOf []FactKind // NationallyQueryable, ProvinciallyFound
	Since FactDate   // the day by which it is to be found: receipt
}

// ChannelRule allows payment only for claims made through the system: 全面取消现金
// 业务、手工办理、人工报盘. Another channel needs an approved [Exception].
type ChannelRule struct {
	Rule
	SystemOnly bool
}

// The reasons about issuers and ways.
const (
	ConditionNotMet   Reason = "issuer_condition_not_met"
	NotSupervised     Reason = "not_supervised"
	ChannelNotAllowed Reason = "channel_not_allowed"
)

func (d *decoder) institutions(n node) *Institutions {
	if d.language == 1 {
		r, m := d.rule(n, "classes")
		return &Institutions{Rule: r, Classes: d.classes(m["classes"])}
	}
	r, m := d.ruleWith(n, nil, []string{"classes", "conditions", "for_classes"})
	out := &Institutions{Rule: r}
	classes, restricted := m["classes"]
	conditions, asked := m["conditions"]
	if restricted {
		out.Classes = d.classes(classes)
	}
	if asked {
		out.Conditions = wordList(conditions, sortedKeys(conditionFacts)...)
	}
	if m != nil && !restricted && !asked {
		n.problem("institutions", "应有 classes 或 conditions", "needs classes or conditions")
	}
	if some, ok := m["for_classes"]; ok {
		out.ForClasses = d.classes(some)
		if !asked {
			some.problem("unknown_key", "仅与 conditions 一起使用", "only goes with conditions")
		}
	}
	return out
}

func (d *decoder) classes(n node) []string {
	var out []string
	for _, c := range n.list() {
		if s := d.formed(c, classForm, "一个大写字母", "one capital letter"); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (d *decoder) supervision(n node) *Supervision {
	r, m := d.ruleWith(n, []string{"scope", "from"}, []string{"kinds"})
	s := &Supervision{Rule: r, Scope: wordList(m["scope"], ScopeTraining, ScopeEvaluation), From: m["from"].date()}
	if k, ok := m["kinds"]; ok {
		s.Kinds = wordList(k, sortedKeys(kinds)...)
	}
	return s
}

func (d *decoder) queryable(n node) *Queryable {
	r, m := d.rule(n, "any_of", "since")
	q := &Queryable{Rule: r, Since: word(m["since"], AtReceipt)}
	for _, w := range wordList(m["any_of"], "national", "provincial") {
		q.AnyOf = append(q.AnyOf, map[string]FactKind{"national": NationallyQueryable, "provincial": ProvinciallyFound}[w])
	}
	return q
}

func (e *evaluation) institution() {
	r, class := e.p.Institutions, e.in.Certificate.InstitutionClass
	if r == nil {
		return
	}
	if len(r.Classes) > 0 || len(r.ForClasses) > 0 {
		switch {
		case class == "":
			e.lacks(r.Rule, "institution_class", "评价机构类别", "institution's class")
		case len(r.Classes) > 0 && !slices.Contains(r.Classes, class):
			e.fail(r.Rule, InstitutionNotCovered, textf("评价机构类别为 %s", class)("the institution's class is %s", class))
		}
	}
	if len(r.ForClasses) > 0 && !slices.Contains(r.ForClasses, class) {
		return
	}
	for _, c := range r.Conditions {
		kind := conditionFacts[c]
		if v, ok := e.known(r.Rule, e.condition(c), kind); ok && v == No {
			e.fail(r.Rule, ConditionNotMet, textf("%s：否", kind.Name().ZH)("%s: no", kind.Name().EN))
		}
	}
}

func (e *evaluation) condition(c Condition) Known {
	switch c {
	case NeedsPayLinked:
		return e.in.Certificate.PayLinked
	case NeedsPilot:
		return e.in.Certificate.PilotRecognised
	}
	return e.in.Certificate.TaskListed
}

// known is what the register knows, or else what a fact says.
func (e *evaluation) known(r Rule, k Known, fact FactKind) (string, bool) {
	if k == Yes || k == No {
		return string(k), true
	}
	return e.fact(r, fact)
}

func (e *evaluation) supervision() {
	r := e.p.Supervision
	if r == nil {
		return
	}
	c, since, scope := e.in.Certificate, e.in.Certificate.Issued, ScopeEvaluation
	if !e.p.forCertificate() {
		since, scope = e.in.Subject.From, ScopeTraining
	}
	if len(r.Kinds) > 0 && c.Kind != "" && !slices.Contains(r.Kinds, c.Kind) || since != "" && since < r.From {
		return
	}
	if scope == ScopeTraining && !slices.Contains(r.Scope, scope) {
		return
	}
	var k Known
	if slices.Contains(r.Scope, ScopeEvaluation) {
		k = c.Supervised
	}
	if v, ok := e.known(r.Rule, k, IsSupervised); ok && v == No {
		e.fail(r.Rule, NotSupervised, textf("%s：否", IsSupervised.Name().ZH)("%s: no", IsSupervised.Name().EN))
	}
}

// queryable is satisfied by any of its queries. What is lacking is asked for
// first; when all say no, the claim waits.
func (e *evaluation) queryable() {
	r := e.p.Queryable
	if r == nil {
		return
	}
	first := FactKind("")
	for _, k := range r.AnyOf {
		switch v, _ := e.say(FactNeed{Fact: k, Want: Yes}); v {
		case holds:
			return
		case lacking:
			if first == "" {
				first = k
			}
		}
	}
	if first != "" {
		e.fact(r.Rule, first)
		return
	}
	e.notYetFound(r.Rule, r.AnyOf[0])
}

func (e *evaluation) channel() {
	r := e.p.Channel
	if r == nil || !r.SystemOnly || e.in.Channel == "" || e.in.Channel == BySystem {
		return
	}
	name := nameIn(channels, e.in.Channel)
	e.fail(r.Rule, ChannelNotAllowed, textf("本次为%s，应通过系统申领；例外须有批准文号", name.ZH)("claimed %s; it must come through the system, or with an approved exception", name.EN))
}
