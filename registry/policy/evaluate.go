package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bajigong/standards"
)

// Evaluate decides a claim under p. It evaluates every rule, whatever fails
// before, and its answer does not depend on the order in which certificates and
// claims are given. A framework decides nothing and refuses every claim.
func (p *Policy) Evaluate(in Input) Decision {
	e := newEvaluation(p, in)
	if p.Framework {
		e.fail(p.Effective.Rule, NotDeciding, Text{"本政策为框架性规定，由下级政策执行", "this policy is a framework; the policies below it decide"})
		return e.decision()
	}
	e.inForce()
	e.subject()
	if p.forCertificate() {
		e.certificate()
		e.kind()
		e.mode()
		e.institution()
	}
	e.supervision()
	if p.forCertificate() {
		e.queryable()
		e.place()
		e.window()
	}
	e.groups()
	e.ages()
	e.facts()
	e.amount()
	e.payment()
	e.channel()
	e.takenByClaims()
	return e.decision()
}

// Taken evaluates only the rules that rest on the person's claims and holdings:
// units, once, reuse, exclusions, higher levels, frequency. A late payment whose claim
// finds nothing here may still be confirmed ([Payment]); give it the claim's own
// day of receipt, so that it counts in the year it was decided for, and the other
// claims without it.
func (p *Policy) Taken(in Input) []Failure {
	e := newEvaluation(p, in)
	e.asksNothing = true
	if r := p.Subject; r != nil && r.MostUnits > 0 && in.Subject.Kind == r.Kind {
		e.mostUnits(r)
	}
	e.takenByClaims()
	e.except()
	return e.failing
}

type evaluation struct {
	p        *Policy
	in       Input
	received standards.Date
	applied  standards.Date
	on       standards.Date // deciding date; zero when it is not known
	claims   []PastClaim
	others   []Certificate

	failing     []Failure
	missing     []Missing
	fen         Fen
	calculation []Text
	excepted    []Failure
	approvals   []Exception // that cover them
	payTo       Payee
	advance     Fen

	scarceAsked, isScarce, scarceKnown bool // by scarceListed
	asksNothing                        bool // of [Policy.Taken]: what is not known holds nothing up
}

func newEvaluation(p *Policy, in Input) *evaluation {
	e := &evaluation{p: p, in: in, received: in.Received, applied: in.Applied}
	if !e.received.Valid() {
		e.received = standards.DateOf(in.Now)
	}
	if !e.applied.Valid() {
		e.applied = e.received
	}
	if !p.forCertificate() {
		s := in.Subject
		e.in.Certificate = Certificate{Occupation: s.Occupation, Trade: s.Trade, Level: s.Level}
	}
	e.in.Certificate.Trade = cleanTrade(e.in.Certificate.Trade)
	if !e.in.Certificate.Issued.Valid() {
		e.in.Certificate.Issued = ""
	}
	switch e.on = e.received; p.DecidedBy {
	case ByIssue:
		e.on = e.in.Certificate.Issued
	case ByApplication:
		e.on = e.applied
	}
	e.claims = slices.Clone(in.Claims)
	for i := range e.claims {
		e.claims[i].Trade = cleanTrade(e.claims[i].Trade)
	}
	slices.SortFunc(e.claims, func(a, b PastClaim) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	mine := cleanNumber(e.in.Certificate.Number)
	for _, c := range in.Others {
		if cleanNumber(c.Number) != mine {
			c.Trade = cleanTrade(c.Trade)
			e.others = append(e.others, c)
		}
	}
	slices.SortFunc(e.others, func(a, b Certificate) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.Number, b.Number))
	})
	return e
}

// dateAt is the date a rule speaks of; empty when it is not known.
func (e *evaluation) dateAt(at FactDate) standards.Date {
	switch at {
	case AtIssue, AtIssueMonth:
		return e.in.Certificate.Issued
	case AtApplication:
		return e.applied
	}
	return e.received
}

func (e *evaluation) decision() Decision {
	e.except()
	d := Decision{
		Policy: e.p.ID, Version: e.p.Version, Digest: e.p.Digest, Document: e.p.Document.Number, Sample: e.p.Sample,
		On: e.on, Year: e.received.Year(), Outcome: Allow,
		Failing: append([]Failure{}, e.failing...), Missing: append([]Missing{}, e.missing...),
		Amount: e.fen, Calculation: append([]Text{}, e.calculation...),
		OnceKey: e.onceKey(), Unknown: append([]Gap{}, e.p.Unknown...), Excepted: e.excepted, Approvals: e.approvals,
	}
	switch {
	case len(d.Failing) > 0:
		d.Outcome, d.Amount, d.Calculation = Deny, 0, []Text{}
	case len(d.Missing) > 0:
		d.Outcome = Hold
	}
	if e.in.Equivalence != nil {
		d.Equivalence = e.in.Equivalence.Digest()
	}
	if e.p.Language != 2 {
		return d
	}
	d.Scarce, d.PayTo = e.isScarce && e.scarceKnown, string(e.payTo)
	if e.p.Subject != nil {
		d.Units = e.units()
	}
	if d.Outcome != Deny {
		d.AdvanceMost = e.advance
	}
	return d
}

// except sets aside the failures that an approved exception covers.
func (e *evaluation) except() {
	if len(e.in.Exceptions) == 0 {
		return
	}
	today := standards.DateOf(e.in.Now)
	e.failing = slices.DeleteFunc(e.failing, func(f Failure) bool {
		i := slices.IndexFunc(e.in.Exceptions, func(x Exception) bool { return x.Rule == f.Rule && x.Stands(today) })
		if i < 0 || !e.p.Exceptable(f.Rule) {
			return false
		}
		e.excepted = append(e.excepted, f)
		if x := e.in.Exceptions[i]; !slices.Contains(e.approvals, x) {
			e.approvals = append(e.approvals, x)
		}
		return true
	})
}

// Stands reports whether an exception is complete, its document, approver and
// day, and was approved by the given day.
func (x Exception) Stands(on standards.Date) bool {
	return strings.TrimSpace(x.Document) != "" && strings.TrimSpace(x.Approver) != "" && x.On.Valid() && x.On <= on
}

func (e *evaluation) fail(r Rule, why Reason, detail Text, blocks ...Block) {
	e.failing = append(e.failing, Failure{Rule: r.ID, Reason: why, Clause: r.Clause, Text: r.Text, Detail: detail, Blocks: blocks})
}

// hold asks for a fact; several rules may need it, the first is named.
func (e *evaluation) hold(r Rule, fact string, why Reason, say Text) {
	if slices.ContainsFunc(e.missing, func(m Missing) bool { return m.Fact == fact }) {
		return
	}
	e.missing = append(e.missing, Missing{Fact: fact, Rule: r.ID, Reason: why, Clause: r.Clause, Text: say})
}

// lacks holds the claim because a member of the certificate is not known.
func (e *evaluation) lacks(r Rule, member, zh, en string) {
	if !e.p.forCertificate() {
		e.lacksSubject(r, member, zh, en)
		return
	}
	e.hold(r, "certificate."+member, CertificateLacks, textf("请补充证书的%s", zh)("supply the certificate's %s", en))
}

// fact returns the value of an outside fact, or holds the claim.
func (e *evaluation) fact(r Rule, k FactKind) (string, bool) {
	f, given := e.in.Facts[k]
	if !given {
		name := k.Name()
		e.hold(r, string(k), FactMissing, textf("请补充：%s（值、来源、时间、凭据编号）", name.ZH)("supply %s, with value, source, time and reference", name.EN))
		return "", false
	}
	if why, bad := f.unusable(k, e.in.Now); bad {
		name := k.Name()
		e.hold(r, string(k), FactUnusable, textf("请补充：%s，所报内容%s", name.ZH, why.ZH)("supply %s again: it %s", name.EN, why.EN))
		return "", false
	}
	return f.Value, true
}

func (e *evaluation) inForce() {
	v := e.p.Effective
	if e.on == "" {
		e.lacks(v.Rule, "issued", "发证日期", "date of issue")
		return
	}
	name := e.dateName()
	switch {
	case e.on < v.From:
		e.fail(v.Rule, NotInForce, textf("%s%s，政策自%s起执行", name.ZH, e.on.Chinese(), v.From.Chinese())("%s %s, in force from %s", name.EN, e.on, v.From))
	case v.End == EndKnown && e.on > v.Until:
		e.fail(v.Rule, NotInForce, textf("%s%s，政策执行至%s", name.ZH, e.on.Chinese(), v.Until.Chinese())("%s %s, in force until %s", name.EN, e.on, v.Until))
	case v.End == EndUnknown && e.on > v.StatedThrough:
		if said, ok := e.fact(v.Rule, PolicyInForce); ok && said == No {
			e.fail(v.Rule, NotInForce, textf("主管部门答复：%s政策已不再执行", e.on.Chinese())("its authority says it no longer applied on %s", e.on))
		}
	}
}

func (e *evaluation) dateName() Text {
	if e.p.DecidedBy == ByIssue {
		return Text{"发证日期", "issued"}
	}
	if e.p.DecidedBy == ByApplication {
		return Text{"申请日期", "applied"}
	}
	return Text{"受理日期", "received"}
}

func (e *evaluation) certificate() {
	c, r := e.in.Certificate, e.p.Certificate
	if r.ID == "" { // a framework only
		return
	}
	say, known := certificateStates[c.State]
	switch {
	case c.State == CertificateValid:
	case c.State == CertificateSuspended || c.State == CertificateUnpublished || c.State == CertificateNotQueryable:
		e.hold(r, "certificate.state", CertificatePending, textf("%s；请待其有结论后再办", say.ZH)("%s; wait until that is settled", say.EN))
	case known:
		e.fail(r, CertificateNotGood, say)
	default:
		e.lacks(r, "state", "当前状态", "present state")
	}
	switch {
	case c.Entitled == NotEntitled:
		e.fail(r, IssuerNotEntitled, Text{"发证时该机构未备案本职业（工种）本等级", "the institution was not entitled to issue this occupation and level when it did"})
	case c.Origin == OriginElsewhere || c.Entitled == Entitled:
	default:
		e.lacks(r, "entitled", "发证机构资格核对结果", "check of its issuer's entitlement")
	}
	switch {
	case c.Issued == "":
		if e.p.DecidedBy != ByIssue {
			e.lacks(r, "issued", "发证日期", "date of issue")
		}
	case c.Issued > e.received:
		e.fail(r, IssuedAfterReceipt, textf("发证日期%s晚于受理日期%s", c.Issued.Chinese(), e.received.Chinese())("issued %s, after the claim was received on %s", c.Issued, e.received))
	}
}

func (e *evaluation) kind() {
	r, k := e.p.Kinds, e.in.Certificate.Kind
	if r.ID == "" { // the text does not say
		return
	}
	if k == "" {
		e.lacks(r.Rule, "kind", "种类", "kind")
	} else if !slices.Contains(r.Allowed, k) {
		e.fail(r.Rule, KindNotCovered, textf("证书种类为%s", k.Name().ZH)("the certificate is a %s", k.Name().EN))
	}
}

func (e *evaluation) mode() {
	r, m := e.p.Modes, e.in.Certificate.Mode
	switch {
	case r == nil:
	case m == "":
		e.lacks(r.Rule, "mode", "取得方式", "mode of acquisition")
	case slices.Contains(r.Excluded, m) || len(r.Allowed) > 0 && !slices.Contains(r.Allowed, m):
		e.fail(r.Rule, ModeNotCovered, textf("取得方式为%s", m.Name().ZH)("acquired by %s", m.Name().EN))
	}
}

func (e *evaluation) place() {
	r, c := e.p.Places, e.in.Certificate
	switch {
	case r == nil || !slices.Contains(r.Kinds, c.Kind):
	case c.Place == "":
		e.lacks(r.Rule, "place", "取得地（6 位行政区划代码）", "place of acquisition, a 6-digit region code")
	case !within(c.Place, r.Region):
		e.fail(r.Rule, PlaceNotCovered, textf("证书取得地为 %s，应为 %s", c.Place, r.Region)("acquired in %s instead of %s", c.Place, r.Region))
	}
}

func (e *evaluation) window() {
	r, c := e.p.Window, e.in.Certificate
	if r == nil || c.Issued == "" { // a missing date of issue is asked for by certificate()
		return
	}
	on, what := e.received, Text{"受理", "received"}
	if e.p.DecidedBy == ByApplication {
		on, what = e.applied, Text{"申请", "applied for"}
	}
	var last standards.Date
	switch {
	case r.Months > 0:
		last = c.Issued.AddMonths(r.Months)
	case r.Days > 0:
		last = c.Issued.AddDays(r.Days)
	}
	if r.SameYear && on.Year() != c.Issued.Year() {
		e.fail(r.Rule, OutsideWindow, textf("发证日期%s，应于当年%s，实际%s日期%s", c.Issued.Chinese(), what.ZH, what.ZH, on.Chinese())(
			"issued %s, to be %s in the same year, %s %s", c.Issued, what.EN, what.EN, on))
	}
	if last != "" && on > last {
		e.fail(r.Rule, OutsideWindow, textf("发证日期%s，最迟应于%s%s（含当日），实际%s日期%s", c.Issued.Chinese(), last.Chinese(), what.ZH, what.ZH, on.Chinese())(
			"issued %s, to be %s by %s, %s %s", c.Issued, what.EN, last, what.EN, on))
	}
	if r.NotBeforeDays == 0 {
		return
	}
	if first := c.Issued.AddDays(r.NotBeforeDays); on < first {
		e.hold(r.Rule, "received", WindowNotOpen, textf("发证日期%s，%s起方可%s；请届时再办", c.Issued.Chinese(), first.Chinese(), what.ZH)(
			"issued %s; it may be %s from %s on", c.Issued, what.EN, first))
	}
}

func (e *evaluation) onceKey() string {
	c := &e.in.Certificate
	if e.p.Once.ID == "" {
		return ""
	}
	key := append(make([]byte, 0, 96), e.p.Once.Among.Name...)
	put := func(part Sameness, values ...string) {
		key = append(append(append(key, '/'), part...), '=')
		for _, v := range values {
			key = append(key, v...)
		}
	}
	for _, part := range e.p.Once.Same {
		switch s := &e.in.Subject; {
		case part == SameOccupation && e.p.forCertificate():
			put(part, c.Edition, ":", c.Occupation)
		case part == SameOccupation:
			put(part, c.Occupation)
		case part == SameLevel && c.Level != 0:
			put(part, c.Level.Code())
		case part == SameTrade:
			put(part, c.Trade)
		case part == SameSubject:
			put(part, string(s.Kind))
		case part == SamePeriod:
			put(part, string(s.From), "..", string(s.To))
		case part == SameCourse:
			put(part, s.Course)
		default:
			put(part)
		}
	}
	return string(key)
}

// textf formats both languages: textf(chinese, args…)(english, args…).
func textf(zh string, args ...any) func(en string, args ...any) Text {
	return func(en string, enArgs ...any) Text {
		return Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, enArgs...)}
	}
}

func yesNoZH(v string) string {
	if v == Yes {
		return "是"
	}
	return "否"
}

func cleanTrade(t string) string {
	if t = strings.TrimSpace(t); strings.Trim(t, "-") == "" {
		return ""
	}
	return t
}

func cleanNumber(n string) string {
	for _, c := range []byte(n) {
		if c <= ' ' || 'a' <= c && c <= 'z' || c >= 0x80 {
			return strings.ToUpper(strings.Join(strings.Fields(n), ""))
		}
	}
	return n // as numbers nearly always come
}

// within reports whether the 6-digit region place lies in region by the
// structure of GB/T 2260: two digits each for province, city and county, zeros
// for the whole.
func within(place, region string) bool {
	prefix := region
	for strings.HasSuffix(prefix, "00") {
		prefix = prefix[:len(prefix)-2]
	}
	return len(place) == 6 && strings.HasPrefix(place, prefix)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
