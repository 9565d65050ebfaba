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
// claims are given.
func (p Policy) Evaluate(in Input) Decision {
	e := newEvaluation(p, in)
	e.inForce()
	e.certificate()
	e.kind()
	e.mode()
	e.institution()
	e.place()
	e.window()
	e.facts()
	e.amount()
	e.takenByClaims()
	return e.decision()
}

// Taken evaluates only the rules that rest on the person's claims and holdings:
// once, reuse, exclusions, higher levels, frequency. A late payment whose claim
// finds nothing here may still be confirmed ([Payment]); give it the claim's own
// day of receipt, so that it counts in the year it was decided for, and the other
// claims without it.
func (p Policy) Taken(in Input) []Failure {
	e := newEvaluation(p, in)
	e.takenByClaims()
	return e.failing
}

type evaluation struct {
	p        Policy
	in       Input
	received standards.Date
	on       standards.Date // deciding date; zero when it is not known
	claims   []PastClaim
	others   []Certificate

	failing     []Failure
	missing     []Missing
	fen         Fen
	calculation []Text
}

func newEvaluation(p Policy, in Input) *evaluation {
	e := &evaluation{p: p, in: in, received: in.Received}
	if !e.received.Valid() {
		e.received = standards.DateOf(in.Now)
	}
	if !e.in.Certificate.Issued.Valid() {
		e.in.Certificate.Issued = ""
	}
	e.on = e.received
	if p.DecidedBy == ByIssue {
		e.on = e.in.Certificate.Issued
	}
	e.in.Certificate.Trade = cleanTrade(in.Certificate.Trade)
	e.claims = slices.Clone(in.Claims)
	for i := range e.claims {
		e.claims[i].Trade = cleanTrade(e.claims[i].Trade)
	}
	slices.SortFunc(e.claims, func(a, b PastClaim) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range in.Others {
		if cleanNumber(c.Number) != cleanNumber(in.Certificate.Number) {
			c.Trade = cleanTrade(c.Trade)
			e.others = append(e.others, c)
		}
	}
	slices.SortFunc(e.others, func(a, b Certificate) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.Number, b.Number))
	})
	return e
}

func (e *evaluation) decision() Decision {
	d := Decision{
		Policy: e.p.ID, Version: e.p.Version, Digest: e.p.Digest, Document: e.p.Document.Number, Sample: e.p.Sample,
		On: e.on, Year: e.received.Year(), Outcome: Allow,
		Failing: append([]Failure{}, e.failing...), Missing: append([]Missing{}, e.missing...),
		Amount: e.fen, Calculation: append([]Text{}, e.calculation...),
		OnceKey: e.onceKey(), Unknown: append([]Gap{}, e.p.Unknown...),
	}
	switch {
	case len(d.Failing) > 0:
		d.Outcome, d.Amount, d.Calculation = Deny, 0, []Text{}
	case len(d.Missing) > 0:
		d.Outcome = Hold
	}
	return d
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
	e.hold(r, "certificate."+member, CertificateLacks, textf("请补充证书的%s", zh)("supply the certificate's %s", en))
}

// fact returns the value of an outside fact, or holds the claim.
func (e *evaluation) fact(r Rule, k FactKind) (string, bool) {
	f, given := e.in.Facts[k]
	name := k.Name()
	if !given {
		e.hold(r, string(k), FactMissing, textf("请补充：%s（值、来源、时间、凭据编号）", name.ZH)("supply %s, with value, source, time and reference", name.EN))
		return "", false
	}
	if why, bad := f.unusable(k, e.in.Now); bad {
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
	return Text{"受理日期", "received"}
}

func (e *evaluation) certificate() {
	c, r := e.in.Certificate, e.p.Certificate
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

func (e *evaluation) institution() {
	r, class := e.p.Institutions, e.in.Certificate.InstitutionClass
	switch {
	case r == nil:
	case class == "":
		e.lacks(r.Rule, "institution_class", "评价机构类别", "institution's class")
	case !slices.Contains(r.Classes, class):
		e.fail(r.Rule, InstitutionNotCovered, textf("评价机构类别为 %s", class)("the institution's class is %s", class))
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
	if last := c.Issued.AddMonths(r.Months); e.received > last {
		e.fail(r.Rule, OutsideWindow, textf("发证日期%s，最迟应于%s受理（含当日），实际受理日期%s", c.Issued.Chinese(), last.Chinese(), e.received.Chinese())(
			"issued %s, to be received by %s, received %s", c.Issued, last, e.received))
	}
}

func (e *evaluation) facts() {
	for _, r := range e.p.Facts {
		v, ok := e.fact(r.Rule, r.Fact)
		if !ok {
			continue
		}
		name, source := r.Fact.Name(), strings.TrimSpace(e.in.Facts[r.Fact].Source)
		if r.Fact == NationallyQueryable && r.Want == Yes && v == No { // not yet is not never
			e.hold(r.Rule, string(r.Fact), CertificatePending, textf("%s；请待其可查后再办（来源：%s）", certificateStates[CertificateNotQueryable].ZH, source)(
				"%s; wait until it is found there, says %s", certificateStates[CertificateNotQueryable].EN, source))
			continue
		}
		if r.Want != "" {
			if v != r.Want {
				e.fail(r.Rule, FactNotMet, textf("%s：%s（来源：%s）", name.ZH, yesNoZH(v), source)("%s: %s, says %s", name.EN, v, source))
			}
		} else if n, _ := count(v); n < r.AtLeast {
			e.fail(r.Rule, FactNotMet, textf("%s：%d，要求至少 %d（来源：%s）", name.ZH, n, r.AtLeast, source)("%s: %d of at least %d, says %s", name.EN, n, r.AtLeast, source))
		}
	}
}

func (e *evaluation) amount() {
	c := e.in.Certificate
	if c.Level == 0 {
		e.lacks(e.p.Amounts.Rule, "level", "等级", "level")
		return
	}
	name := levelName(c.Level)
	i := slices.IndexFunc(e.p.Amounts.Levels, func(l LevelAmount) bool { return l.Level == c.Level })
	if i < 0 {
		e.fail(e.p.Amounts.Rule, NoAmount, textf("%s无补贴标准", name.ZH)("no amount for this level, %s", name.EN))
		return
	}
	base := e.p.Amounts.Levels[i].Fen
	e.calculation = append(e.calculation, textf("%s基础标准 %s 元", name.ZH, base)("base amount for %s: %s yuan", name.EN, base))
	s := e.p.Scarce
	if s == nil {
		e.fen = base
		return
	}
	listed, known := e.scarce(s)
	switch {
	case !known:
	case !listed:
		e.fen = base
	default:
		e.fen, _ = base.raised(s.Percent) // Parse refuses figures that do not come out in whole fen
		e.calculation = append(e.calculation, textf("基础 %s 元 × (1+%d%%) = %s 元", base, s.Percent, e.fen)("base %s yuan × (1+%d%%) = %s yuan", base, s.Percent, e.fen))
	}
}

// scarce reports whether the occupation is on the list of scarce ones, by the
// policy's own list or by an outside fact.
func (e *evaluation) scarce(s *Scarce) (listed, known bool) {
	if s.List == nil {
		v, ok := e.fact(s.Rule, ScarceListed)
		return v == Yes, ok
	}
	if e.on == "" {
		return false, false
	}
	if e.on < s.List.From || s.List.Until != "" && e.on > s.List.Until {
		return false, true
	}
	c := e.in.Certificate
	return slices.ContainsFunc(s.List.Entries, func(x ScarceEntry) bool {
		return x.Occupation == c.Occupation && (len(x.Trades) == 0 || slices.Contains(x.Trades, c.Trade))
	}), true
}

func (e *evaluation) onceKey() string {
	c := e.in.Certificate
	key := e.p.Once.Among.Name
	for _, part := range e.p.Once.Same {
		var v string
		switch part {
		case SameOccupation:
			v = c.Edition + ":" + c.Occupation
		case SameLevel:
			if c.Level != 0 {
				v = c.Level.Code()
			}
		case SameTrade:
			v = c.Trade
		}
		key += "/" + string(part) + "=" + v
	}
	return key
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

func cleanNumber(n string) string { return strings.ToUpper(strings.Join(strings.Fields(n), "")) }

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
