package policy

import (
	"slices"

	"bajigong/standards"
)

// SubjectRule says what a policy pays for other than a certificate. Without a
// certificate the rules about certificates do not apply, and what a claim is for
// stands in [Subject].
type SubjectRule struct {
	Rule
	Kind        SubjectKind
	MostUnits   int  // months or years of all claims together; 0: not limited
	Certificate bool // a certificate is needed as well
}

// The reasons about subjects.
const (
	SubjectNotCovered Reason = "subject_not_covered"
	UnitsReached      Reason = "units_reached"
	UnitsBeyondPeriod Reason = "units_beyond_period"
	SubjectLacks      Reason = "subject_incomplete" // holds
)

func (d *decoder) subject(n node) *SubjectRule {
	r, m := d.ruleWith(n, []string{"kind", "certificate"}, []string{"most_units"})
	s := &SubjectRule{Rule: r, Kind: word(m["kind"], ForPreJob, ForWorkMonths, ForApprentice, ForGraduate, ForStudy, ForTrainingOnly),
		Certificate: word(m["certificate"], "none", "required") == "required"}
	if most, ok := m["most_units"]; ok {
		s.MostUnits = most.number(1, 99)
	}
	return s
}

// counted reports whether a subject is paid by units of its days.
func (k SubjectKind) counted() bool { return k == ForWorkMonths || k == ForApprentice }

// units is how many months or years are claimed.
func (e *evaluation) units() int { return max(e.in.Subject.Units, 1) }

func (e *evaluation) subject() {
	r, s := e.p.Subject, e.in.Subject
	if r == nil {
		if s.Kind != ForCertificate {
			e.fail(e.p.Certificate, SubjectNotCovered, textf("申领事项为%s，本政策凭证书申领", s.Kind.Name().ZH)("claimed for %s, the policy is for a certificate", s.Kind.Name().EN))
		}
		return
	}
	if s.Kind != r.Kind {
		e.fail(r.Rule, SubjectNotCovered, textf("申领事项为%s，应为%s", s.Kind.Name().ZH, r.Kind.Name().ZH)("claimed for %s instead of %s", s.Kind.Name().EN, r.Kind.Name().EN))
		return
	}
	e.period(r)
	if r.MostUnits > 0 {
		e.mostUnits(r)
	}
}

// period asks for the days of the training or work where they count.
func (e *evaluation) period(r *SubjectRule) {
	s, ok := e.in.Subject, true
	needed := r.Kind.counted() || slices.Contains(e.p.Once.Same, SamePeriod) ||
		slices.ContainsFunc(e.p.Excludes, func(x Exclusion) bool { return slices.Contains(x.Same, SamePeriod) })
	if needed && !s.From.Valid() {
		e.lacksSubject(r.Rule, "from", "起始日期", "first day")
		ok = false
	}
	if needed && !s.To.Valid() {
		e.lacksSubject(r.Rule, "to", "截止日期", "last day")
		ok = false
	}
	if !ok || !needed {
		return
	}
	if s.To < s.From {
		e.lacksSubject(r.Rule, "to", "截止日期（不得早于起始日期）", "last day, not before the first")
		return
	}
	if !r.Kind.counted() {
		return
	}
	months, unit := 1, Text{"个月", "months"}
	if r.Kind == ForApprentice {
		months, unit = 12, Text{"年", "years"}
	}
	n := e.units()
	if last := s.From.AddMonths((n - 1) * months); n > 1 && last > s.To { // begun units count
		e.fail(r.Rule, UnitsBeyondPeriod, textf("申领 %d %s，%s至%s不足", n, unit.ZH, s.From.Chinese(), s.To.Chinese())("%d %s claimed, %s to %s is less", n, unit.EN, s.From, s.To))
	}
}

// mostUnits counts the units of all claims for the subject from this fund.
func (e *evaluation) mostUnits(r *SubjectRule) {
	n := e.units()
	if n > r.MostUnits {
		e.fail(r.Rule, UnitsReached, textf("本次申领 %d，上限 %d", n, r.MostUnits)("%d claimed of at most %d", n, r.MostUnits))
		return
	}
	total := func(cs []PastClaim) int {
		sum := 0
		for _, c := range cs {
			sum += max(c.Units, 1)
		}
		return sum
	}
	e.barWhen(r.Rule, UnitsReached, func(cs []PastClaim) bool { return total(cs)+n > r.MostUnits },
		func(c *PastClaim) bool { return c.Fund == e.p.Fund && c.Subject == r.Kind },
		func(cs []PastClaim) Text {
			zh, en := e.describe(cs)
			return textf("已计 %d，本次 %d，上限 %d：%s", total(cs), n, r.MostUnits, zh)("%d already and %d now, at most %d: %s", total(cs), n, r.MostUnits, en)
		})
}

// lacksSubject holds the claim because something about its subject is not known.
func (e *evaluation) lacksSubject(r Rule, member, zh, en string) {
	e.hold(r, "subject."+member, SubjectLacks, textf("请补充申领事项的%s", zh)("supply the subject's %s", en))
}

// overlaps reports whether two periods share a day; one that is not known may.
func overlaps(from, to, otherFrom, otherTo standards.Date) bool {
	if from == "" || to == "" || otherFrom == "" || otherTo == "" {
		return true
	}
	return from <= otherTo && otherFrom <= to
}
