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
	if !e.comparable(x.Rule, x.Same) {
		return
	}
	e.bar(x.Rule, why, 1, func(c PastClaim) bool { return x.Among.Has(c.Fund) && e.same(c, x.Same) }, func(cs []PastClaim) Text {
		zh, en := e.describe(cs)
		what := Text{"同一" + joinSame(x.Same).ZH, "the same " + joinSame(x.Same).EN}
		return textf("%s已有申领：%s", what.ZH, zh)("a claim for %s exists: %s", what.EN, en)
	})
}

func (e *evaluation) higher() {
	h := e.p.Higher
	if h == nil || !e.comparable(h.Rule, append(slices.Clone(h.Same), SameLevel)) {
		return
	}
	mine := e.in.Certificate
	e.bar(h.Rule, HigherPaidReason, 1, func(c PastClaim) bool {
		return h.Among.Has(c.Fund) && e.same(c, h.Same) && c.Level > mine.Level
	}, func(cs []PastClaim) Text {
		zh, en := e.describe(cs)
		return textf("同一%s更高等级已有申领：%s", joinSame(h.Same).ZH, zh)("a higher level of the same %s was claimed: %s", joinSame(h.Same).EN, en)
	})
	if h.By != HigherHeld {
		return
	}
	var valid, pending *Certificate
	for i, c := range e.others {
		if !slices.Contains(e.p.Kinds.Allowed, c.Kind) || c.Level <= mine.Level || c.Occupation != mine.Occupation ||
			slices.Contains(h.Same, SameTrade) && c.Trade != mine.Trade {
			continue
		}
		switch {
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

func (e *evaluation) frequency() {
	f := e.p.Frequency
	if f == nil {
		return
	}
	year, before := e.received.Year(), len(e.failing)
	e.bar(f.Rule, FrequencyReached, f.Max, func(c PastClaim) bool {
		return f.Counter.Has(c.Fund) && (f.Per == PerLifetime || c.year() == year)
	}, func(cs []PastClaim) Text {
		zh, en := e.describe(cs)
		if f.Per == PerLifetime {
			return textf("累计已计 %d 次，上限 %d 次：%s", len(cs), f.Max, zh)("%d of %d already: %s", len(cs), f.Max, en)
		}
		return textf("%d 年已计 %d 次，上限 %d 次：%s", year, len(cs), f.Max, zh)("%d of %d in %d already: %s", len(cs), f.Max, year, en)
	})
	for i := range e.failing[before:] {
		e.failing[before+i].InPrinciple = f.InPrinciple
	}
}

// bar fails rule r when limit claims count that match. A claim counts while its
// money is locked or in the person's hands: reserved and not expired, confirmed,
// or paid twice and not yet recovered. A refunded one counts only if the refund
// does not give the right back; where the text is silent about that and it
// decides, the fact [RightRestored] is asked for.
func (e *evaluation) bar(r Rule, why Reason, limit int, match func(PastClaim) bool, say func([]PastClaim) Text) {
	var sure, all []PastClaim
	for _, c := range e.claims {
		if !match(c) {
			continue
		}
		switch StateAt(c.State, c.Expires, e.in.Now).Counts() {
		case CountsYes:
			sure, all = append(sure, c), append(all, c)
		case CountsByRefund:
			if e.p.Refund == nil {
				all = append(all, c)
			} else if !e.p.Refund.RestoresRight {
				sure, all = append(sure, c), append(all, c)
			}
		}
	}
	if len(all) < limit {
		return
	}
	blocking := sure
	if len(sure) < limit {
		if restored, ok := e.fact(r, RightRestored); !ok || restored == Yes {
			return
		}
		blocking = all
	}
	var blocks []Block
	for _, c := range blocking {
		b := Block{On: standards.DateOf(c.At), Own: e.own(c)}
		if b.Own {
			b.Claim, b.State = c.ID, StateAt(c.State, c.Expires, e.in.Now)
		}
		blocks = append(blocks, b)
	}
	e.fail(r, why, say(blocking), blocks...)
}

func (e *evaluation) own(c PastClaim) bool { return c.Payer != "" && c.Payer == e.in.Payer }

// describe says claims in words: the asking payer's own with id and state, those
// of others by date only.
func (e *evaluation) describe(cs []PastClaim) (zh, en string) {
	var zhs, ens []string
	for _, c := range cs {
		on := standards.DateOf(c.At)
		if e.own(c) {
			n := StateAt(c.State, c.Expires, e.in.Now).Name()
			zhs = append(zhs, fmt.Sprintf("%s 本机构 %s（%s）", on.Chinese(), c.ID, n.ZH))
			ens = append(ens, fmt.Sprintf("%s your claim %s (%s)", on, c.ID, n.EN))
		} else {
			zhs, ens = append(zhs, on.Chinese()+" 其他补贴经办机构"), append(ens, string(on)+" another payer")
		}
	}
	return strings.Join(zhs, "；"), strings.Join(ens, "; ")
}

// comparable holds the claim when the certificate lacks what sameness needs.
func (e *evaluation) comparable(r Rule, parts []Sameness) bool {
	c, ok := e.in.Certificate, true
	if slices.Contains(parts, SameOccupation) && c.Occupation == "" {
		e.lacks(r, "occupation", "职业编码", "occupation code")
		ok = false
	}
	if slices.Contains(parts, SameLevel) && c.Level == 0 {
		ok = false // asked for by amount()
	}
	if slices.Contains(parts, SameCertificate) && c.Number == "" {
		e.lacks(r, "number", "证书编号", "number")
		ok = false
	}
	return ok
}

// same compares a claim with the certificate in every part. Occupations are the
// same when their codes are.
func (e *evaluation) same(c PastClaim, parts []Sameness) bool {
	mine := e.in.Certificate
	for _, p := range parts {
		var equal bool
		switch p {
		case SameOccupation:
			equal = c.Occupation == mine.Occupation
		case SameLevel:
			equal = c.Level == mine.Level
		case SameTrade:
			equal = c.Trade == mine.Trade
		case SameCertificate:
			equal = cleanNumber(c.Certificate) == cleanNumber(mine.Number)
		}
		if !equal {
			return false
		}
	}
	return true
}

var samenessNames = map[Sameness]Text{
	SameOccupation: {"职业", "occupation"}, SameLevel: {"等级", "level"},
	SameTrade: {"工种", "trade"}, SameCertificate: {"证书", "certificate"},
}

func joinSame(parts []Sameness) Text {
	var zh, en []string
	for _, p := range parts {
		zh, en = append(zh, samenessNames[p].ZH), append(en, samenessNames[p].EN)
	}
	return Text{strings.Join(zh, "、同一"), strings.Join(en, " and ")}
}
