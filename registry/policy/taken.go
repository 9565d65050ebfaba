package policy

import (
	"fmt"
	"slices"
	"strings"

	"bajigong/standards"
)

// takenByClaims evaluates the rules over the person's claims and holdings.
func (e *evaluation) takenByClaims() {
	e.exclusion(e.p.Once, OnceTaken)
	e.exclusion(e.p.Reuse, CertificateUsed)
	for _, x := range e.p.Excludes {
		e.exclusion(x, FundExcluded)
	}
	e.higher()
	e.frequency()
}

func (e *evaluation) exclusion(x Exclusion, why Reason) {
	if x.ID == "" || !e.comparable(x.Rule, x.Same, false) { // the text may have no such rule
		return
	}
	e.bar(x.Rule, why, 1, func(c *PastClaim) bool { return x.Among.Has(c.Fund) && e.same(c, x.Same) && e.overlap(x, c) }, func(cs []PastClaim) Text {
		zh, en := e.describe(cs)
		what := Text{"同一" + joinSame(x.Same).ZH, "the same " + joinSame(x.Same).EN}
		return textf("%s已有申领：%s", what.ZH, zh)("a claim for %s exists: %s", what.EN, en)
	})
}

// overlap reports whether a claim that is the same in all else is of the same
// days. Where it does not have them, imported from a ledger, they are asked for.
func (e *evaluation) overlap(x Exclusion, c *PastClaim) bool {
	if !slices.Contains(x.Same, SamePeriod) || c.From != "" && c.To != "" {
		return true
	}
	said, ok := e.fact(x.Rule, PeriodOverlaps)
	return ok && said == Yes
}

func (e *evaluation) higher() {
	h := e.p.Higher
	if h == nil || h.By == HigherNone || !e.comparable(h.Rule, h.Same, true) {
		return
	}
	mine := e.in.Certificate
	e.bar(h.Rule, HigherPaidReason, 1, func(c *PastClaim) bool {
		return c.Level > mine.Level && h.Among.Has(c.Fund) && e.same(c, h.Same) && e.issuedBefore(h, c.Issued)
	}, func(cs []PastClaim) Text {
		zh, en := e.describe(cs)
		return textf("同一%s更高等级已有申领：%s", joinSame(h.Same).ZH, zh)("a higher level of the same %s was claimed: %s", joinSame(h.Same).EN, en)
	})
	if h.By == HigherHeld {
		e.higherHeld(h)
	}
}

// issuedBefore reports whether a higher certificate bars this one by its date.
// Where that date or this one's is not known it is asked which is newer.
func (e *evaluation) issuedBefore(h *Higher, higher standards.Date) bool {
	mine := e.in.Certificate.Issued
	switch {
	case !h.ByIssue:
		return true
	case higher != "" && mine != "":
		return higher <= mine
	}
	later, ok := e.fact(h.Rule, HigherIssuedLater)
	return ok && later == No
}

func (e *evaluation) higherHeld(h *Higher) {
	mine := e.in.Certificate
	var valid, pending *Certificate
	for i, c := range e.others {
		if e.p.Kinds.ID != "" && !slices.Contains(e.p.Kinds.Allowed, c.Kind) || c.Level <= mine.Level || !e.sameOccupation(c.Edition, c.Occupation) ||
			slices.Contains(h.Same, SameTrade) && c.Trade != mine.Trade {
			continue
		}
		switch {
		case c.State != CertificateValid && c.State != CertificateSuspended || !e.issuedBefore(h, c.Issued):
		case c.State == CertificateValid && valid == nil:
			valid = &e.others[i]
		case c.State == CertificateSuspended && pending == nil:
			pending = &e.others[i]
		}
	}
	if valid != nil {
		n := levelName(valid.Level)
		e.fail(h.Rule, HigherHeldReason, textf("本人已持有同一%s更高等级（%s）证书", joinSame(h.Same).ZH, n.ZH)("the person holds a higher certificate (%s) of the same %s", n.EN, joinSame(h.Same).EN))
	} else if pending != nil {
		n := levelName(pending.Level)
		e.hold(h.Rule, "others.state", CertificatePending, textf("本人更高等级（%s）证书核查中；请待其有结论后再办", n.ZH)("the person's higher certificate (%s) is under review; wait until that is settled", n.EN))
	}
}

// bar fails rule r when limit claims count that match. A claim counts while its
// money is locked or in the person's hands: reserved and not expired, confirmed,
// or paid twice and not yet recovered. A refunded one counts only if the refund
// does not give the right back; where the text is silent about that and it
// decides, the fact [RightRestored] is asked for.
func (e *evaluation) bar(r Rule, why Reason, limit int, match func(*PastClaim) bool, say func([]PastClaim) Text) {
	e.barWhen(r, why, func(cs []PastClaim) bool { return len(cs) >= limit }, match, say)
}

// barWhen is bar with the limit as a question about the claims, in order of time.
func (e *evaluation) barWhen(r Rule, why Reason, reached func([]PastClaim) bool, match func(*PastClaim) bool, say func([]PastClaim) Text) {
	var sure, all []PastClaim
	for i := range e.claims {
		c := &e.claims[i]
		counts := e.stateOf(c).Counts()
		if counts == CountsNot || !match(c) {
			continue
		}
		switch {
		case counts == CountsYes:
			sure, all = append(sure, *c), append(all, *c)
		case e.p.Refund == nil:
			all = append(all, *c)
		case !e.p.Refund.RestoresRight:
			sure, all = append(sure, *c), append(all, *c)
		}
	}
	if !reached(all) {
		return
	}
	blocking := sure
	if !reached(sure) {
		if restored, ok := e.fact(r, RightRestored); !ok || restored == Yes {
			return
		}
		blocking = all
	}
	var blocks []Block
	for _, c := range blocking {
		b := Block{On: standards.DateOf(c.At), Own: e.own(c)}
		if b.Own {
			b.Claim, b.State = c.ID, e.stateOf(&c)
		}
		blocks = append(blocks, b)
	}
	e.fail(r, why, say(blocking), blocks...)
}

func (e *evaluation) stateOf(c *PastClaim) State { return StateAt(c.State, c.Expires, e.in.Now) }

func (e *evaluation) own(c PastClaim) bool { return c.Payer != "" && c.Payer == e.in.Payer }

// describe says claims in words: the asking payer's own with id and state, those
// of others by date only.
func (e *evaluation) describe(cs []PastClaim) (zh, en string) {
	var zhs, ens []string
	for _, c := range cs {
		on := standards.DateOf(c.At)
		if e.own(c) {
			n := e.stateOf(&c).Name()
			zhs = append(zhs, fmt.Sprintf("%s 本机构 %s（%s）", on.Chinese(), c.ID, n.ZH))
			ens = append(ens, fmt.Sprintf("%s your claim %s (%s)", on, c.ID, n.EN))
		} else {
			zhs, ens = append(zhs, on.Chinese()+" 其他补贴经办机构"), append(ens, string(on)+" another payer")
		}
	}
	return strings.Join(zhs, "；"), strings.Join(ens, "; ")
}

// comparable holds the claim when the certificate lacks what sameness needs.
// With level, that is needed besides.
func (e *evaluation) comparable(r Rule, parts []Sameness, level bool) bool {
	c, ok := &e.in.Certificate, true
	if slices.Contains(parts, SameOccupation) && c.Occupation == "" {
		e.lacks(r, "occupation", "职业编码", "occupation code")
		ok = false
	}
	if (level || slices.Contains(parts, SameLevel)) && c.Level == 0 {
		e.lacks(r, "level", "等级", "level") // amount() may have asked already
		ok = false
	}
	if slices.Contains(parts, SameCertificate) && c.Number == "" {
		e.lacks(r, "number", "证书编号", "number")
		ok = false
	}
	if slices.Contains(parts, SameCourse) && e.in.Subject.Course == "" {
		e.lacksSubject(r, "course", "开班编号", "number of its class")
		ok = false
	}
	return ok
}

// same compares a claim with the one that is decided, in every part.
func (e *evaluation) same(c *PastClaim, parts []Sameness) bool {
	mine := &e.in.Certificate
	for _, p := range parts {
		var equal bool
		switch p {
		case SameOccupation:
			equal = e.sameOccupation(c.Edition, c.Occupation)
		case SameLevel:
			equal = c.Level == mine.Level
		case SameTrade:
			equal = c.Trade == mine.Trade
		case SameCertificate:
			equal = cleanNumber(c.Certificate) == cleanNumber(mine.Number)
		case SameSubject:
			equal = c.Subject == e.in.Subject.Kind
		case SamePeriod:
			equal = overlaps(c.From, c.To, e.in.Subject.From, e.in.Subject.To)
		case SameCourse:
			equal = c.Course == e.in.Subject.Course
		case SamePerson:
			equal = true
		}
		if !equal {
			return false
		}
	}
	return true
}

// sameOccupation compares an occupation with that of the claim. Across editions a
// table of equivalences says what is the same; without one, or where an edition
// is not known, equal codes are.
func (e *evaluation) sameOccupation(edition, code string) bool {
	mine := &e.in.Certificate
	if e.in.Equivalence == nil || edition == "" || mine.Edition == "" || edition == mine.Edition && code == mine.Occupation {
		return code == mine.Occupation
	}
	return code != "" && e.in.Equivalence.Same(Job{Edition: edition, Code: code}, Job{Edition: mine.Edition, Code: mine.Occupation})
}

var samenessNames = map[Sameness]Text{
	SameOccupation: {"职业", "occupation"}, SameLevel: {"等级", "level"},
	SameTrade: {"工种", "trade"}, SameCertificate: {"证书", "certificate"},
	SameSubject: {"事项", "subject"}, SamePeriod: {"时段", "period"}, SameCourse: {"班次", "class"},
	SamePerson: {"人员", "person"},
}

func joinSame(parts []Sameness) Text {
	var zh, en []string
	for _, p := range parts {
		zh, en = append(zh, samenessNames[p].ZH), append(en, samenessNames[p].EN)
	}
	return Text{strings.Join(zh, "、同一"), strings.Join(en, " and ")}
}
