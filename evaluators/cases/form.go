package cases

import (
	"fmt"
	"slices"
	"strings"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

// need says of one field of a step: never, may be, must be.
type need byte

const (
	never need = iota
	maybe
	must
)

type form struct{ text, document, basis, reason, measures, passed, outcome, on need }

// forms is the table of the comment on Step.
var forms = map[StepKind]form{
	Inquire:       {text: maybe},
	Notify:        {text: maybe, document: must, basis: must, reason: must, measures: must, on: maybe},
	Statement:     {text: must, on: maybe},
	Decide:        {document: must, basis: must, reason: maybe, measures: must},
	Serve:         {on: maybe},
	Publish:       {reason: maybe},
	Report:        {text: must},
	Accept:        {document: must, basis: must, reason: maybe, passed: must},
	RequestReview: {text: must, on: maybe},
	DecideReview:  {document: must, basis: must, reason: maybe, outcome: must},
	Close:         {text: maybe},
	Dismiss:       {text: must},
}

func (c Case) problems(in Step, r Rules, today standards.Date) (fs []fail.Field) {
	f := forms[in.Kind]
	for _, t := range []struct {
		name, value string
		need        need
		most        int
		zh, en      string
	}{
		{"text", in.Text, f.text, MaxText, "内容", "text"},
		{"document", in.Document, f.document, 100, "文号", "number of the document"},
		{"basis", in.Basis, f.basis, 500, "依据", "basis"},
		{"reason", in.Reason, f.reason, 1000, "事由", "reason"},
	} {
		if t.value != "" && t.need == never {
			fs = append(fs, foreign(t.name, in.Kind))
			continue
		}
		fs = append(fs, short(t.name, t.value, t.need == must, t.most, t.zh, t.en)...)
	}
	if in.Passed != nil && f.passed == never {
		fs = append(fs, foreign("passed", in.Kind))
	} else if in.Passed == nil && f.passed == must {
		fs = append(fs, wrong("passed", "missing", "请写明验收是否合格", "say whether it was passed"))
	}
	if in.Outcome != "" && f.outcome == never {
		fs = append(fs, foreign("outcome", in.Kind))
	} else if f.outcome == must && in.Outcome != Upheld && in.Outcome != Revoked {
		fs = append(fs, wrong("outcome", "outcome", "复核结果应为 upheld（维持）或 revoked（撤销）", "the outcome is upheld or revoked"))
	}
	fs = append(fs, dueProblems(in, today)...)
	fs = append(fs, c.dayProblems(in, f.on, today)...)
	return append(fs, c.measureProblems(in, f.measures, r)...)
}

func foreign(name string, k StepKind) fail.Field {
	return wrong(name, "step", fmt.Sprintf("“%s”没有此项", k.Chinese()), fmt.Sprintf("step %s has no such field", k))
}

func dueProblems(in Step, today standards.Date) []fail.Field {
	switch failed := in.Kind == Accept && in.Passed != nil && !*in.Passed; {
	case in.Due == "":
		return nil
	case !failed:
		return []fail.Field{foreign("due", in.Kind)}
	case !in.Due.Valid() || in.Due < today:
		return []fail.Field{wrong("due", "date", "新的整改期限应为今天或以后的日期", "the new day for it is an existing day, today or later")}
	}
	return nil
}

// dayProblems: a step reports what has happened, not before what it follows.
func (c Case) dayProblems(in Step, n need, today standards.Date) []fail.Field {
	from := c.OpenDay()
	switch {
	case in.Kind == Statement:
		from = c.Notice.Served
	case in.Kind == Serve:
		from = c.Ruling.On
	case in.Kind == RequestReview:
		from = c.Service.On
	}
	switch {
	case n == never && in.On != today:
		return []fail.Field{foreign("on", in.Kind)}
	case !in.On.Valid():
		return []fail.Field{wrong("on", "date", "日期应为实际存在的日期，如 2026-03-02", "the date must be an existing day, for instance 2026-03-02")}
	case in.On > today || in.On < from:
		return []fail.Field{wrong("on", "order", fmt.Sprintf("日期应在 %s 至 %s（今天）之间", from, today), fmt.Sprintf("the date lies between %s and %s, today", from, today))}
	}
	return nil
}

// personal are the kinds of measure against a person.
var personal = []evaluators.Kind{evaluators.Warn, evaluators.Suspend, evaluators.ExitOrdered, evaluators.Blacklist}

// measureProblems checks what the rules of evaluators do not, which hear a
// measure only when it is decided.
func (c Case) measureProblems(in Step, n need, r Rules) (fs []fail.Field) {
	switch {
	case n == never && len(in.Measures) > 0:
		return append(fs, foreign("measures", in.Kind))
	case n == must && len(in.Measures) == 0:
		return append(fs, wrong("measures", "missing", "请写明处理措施", "the measures are missing"))
	case len(in.Measures) > MaxMeasures:
		return append(fs, wrong("measures", "too_many", fmt.Sprintf("措施不超过 %d 项", MaxMeasures), fmt.Sprintf("at most %d measures", MaxMeasures)))
	}
	for i, m := range in.Measures {
		at := fmt.Sprintf("measures[%d].", i)
		fs = append(fs, c.kindProblems(at, m)...)
		for _, d := range []struct {
			name   string
			date   standards.Date
			needed bool
		}{{"effective", m.Effective, in.Kind == Decide}, {"until", m.Until, m.Kind == evaluators.Blacklist}, {"due", m.Due, false}, {"finish_until", m.FinishUntil, false}} {
			if d.date == "" && d.needed || d.date != "" && !d.date.Valid() {
				fs = append(fs, wrong(at+d.name, "date", "应为实际存在的日期，如 2026-03-02", "it must be an existing day, for instance 2026-03-02"))
			}
		}
		if m.Until != "" || in.Kind == Decide {
			fs = append(fs, r.PeriodProblems(at, m.Kind, m.Effective, m.Until)...)
		}
		if slices.ContainsFunc(in.Measures[:i], m.same) {
			fs = append(fs, wrong(at+"kind", "repeated", "同一措施重复", "the same measure is named twice"))
		}
	}
	return fs
}

func (m Measure) same(o Measure) bool {
	return m.Kind == o.Kind && (m.Target == nil) == (o.Target == nil) && (m.Target == nil || *m.Target == *o.Target)
}

func (c Case) kindProblems(at string, m Measure) (fs []fail.Field) {
	lifts := []evaluators.Kind{evaluators.Resume, evaluators.Accept, evaluators.Unlist, evaluators.ExitVoluntary, evaluators.ExitExpired}
	switch {
	case m.Kind.Chinese() == "":
		fs = append(fs, wrong(at+"kind", "kind", fmt.Sprintf("没有 %q 这种措施", m.Kind), fmt.Sprintf("there is no kind of measure %q", m.Kind)))
	case slices.Contains(lifts, m.Kind):
		fs = append(fs, wrong(at+"kind", "kind", m.Kind.Chinese()+"不是处理措施", m.Kind.English()+" is no measure that a case decides"))
	case c.Subject.Person != "" && !slices.Contains(personal, m.Kind):
		fs = append(fs, wrong(at+"kind", "person", "对个人的措施为 "+kinds(personal)+" 之一", "a measure against a person is one of "+kinds(personal)))
	}
	switch {
	case c.Subject.Person != "" && (m.Target != nil || m.Due != "" || len(m.FinishSessions) > 0 || m.FinishUntil != ""):
		fs = append(fs, wrong(at+"target", "person", "对个人的措施只有种类、生效日期和期限", "a measure against a person has only a kind, an effective date and a last day"))
	case m.Target != nil && m.Target.Institution != c.Subject.Institution():
		fs = append(fs, wrong(at+"target", "institution", "措施应针对本案的机构", "the measure must be on the institution of the case"))
	case c.Subject.Person != "" && m.Until.Valid() && m.Until < m.Effective:
		fs = append(fs, wrong(at+"until", "order", "期限末日早于生效日期", "the last day is before the effective date"))
	}
	return fs
}

func kinds(ks []evaluators.Kind) string {
	var out []string
	for _, k := range ks {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}
