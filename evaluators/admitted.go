package evaluators

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// GroupKind is why an institution of class Y may examine people of another unit.
type GroupKind string

// The kinds of group.
const (
	GroupCompanies   GroupKind = "group"       // 集团成员企业
	GroupChain       GroupKind = "chain"       // 产业链上下游企业
	GroupApprentices GroupKind = "apprentices" // 本单位学徒 who are enrolled at the schools named
)

var groupWords = map[GroupKind]words{
	GroupCompanies:   {"集团成员企业", "companies of its group"},
	GroupChain:       {"产业链上下游企业", "companies of its industry chain"},
	GroupApprentices: {"本单位学徒所在院校", "schools where its own apprentices are enrolled"},
}

// Chinese returns the word officials use; empty for a kind that does not exist.
func (k GroupKind) Chinese() string { return groupWords[k].zh }

// English returns English words; empty for a kind that does not exist.
func (k GroupKind) English() string { return groupWords[k].en }

// An AdmittedGroup is a recorded decision that widens whom an institution of
// class Y 用人单位 may examine: its own people, and those of the units named.
type AdmittedGroup struct {
	Kind     GroupKind      `json:"kind"`
	Members  []string       `json:"members"` // 统一社会信用代码 of the units
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until,omitempty"` // none means as long as the filing
	Document string         `json:"document"`
	Reason   string         `json:"reason,omitempty"`
	Recorded time.Time      `json:"recorded"`
}

// AdmitGroup returns the filing with in recorded at now, its codes normalised.
//
// Errors: Invalid group_invalid, with a field for everything wrong; Conflict
// class (the filing is not of class Y), too_many_changes.
func (f Filing) AdmitGroup(in AdmittedGroup, now time.Time) (Filing, error) {
	if err := f.mustBeEmployer(); err != nil {
		return Filing{}, err
	}
	in.Recorded = now.UTC()
	in.Members = slices.Clone(in.Members)
	var fs []fail.Field
	if in.Kind.Chinese() == "" {
		fs = append(fs, wrong("kind", "kind", fmt.Sprintf("种类应为 group、chain 或 apprentices，实为 %q", in.Kind), fmt.Sprintf("a kind is group, chain or apprentices, not %q", in.Kind)))
	}
	if len(in.Members) == 0 || len(in.Members) > maxScope {
		fs = append(fs, wrong("members", "count", fmt.Sprintf("单位应为 1 至 %d 个", maxScope), fmt.Sprintf("1 to %d units are needed", maxScope)))
	} else {
		for i, m := range in.Members {
			code, _, err := standards.ParseUSCC(m)
			if err != nil {
				fs = append(fs, wrong(fmt.Sprintf("members[%d]", i), fail.CodeOf(err), fail.Of(err).ZH, fail.Of(err).Text))
			}
			in.Members[i] = code
		}
	}
	fs = append(fs, period("", in.From, in.Until, false)...)
	if in.From == "" {
		fs = append(fs, day("from", in.From, "起始日期", "first day")...)
	}
	fs = append(fs, text("document", in.Document, true, 100, "文号", "number of the document")...)
	fs = append(fs, text("reason", in.Reason, false, 1000, "事由", "reason")...)
	if err := refuse("group_invalid", "评价对象扩大的决定有误", "the decision that widens whom it may examine is not right", fs); err != nil {
		return Filing{}, err
	}
	if len(f.Groups) >= maxChanges {
		return Filing{}, tooMany("评价对象", "admitted groups")
	}
	f.Groups = append(slices.Clip(f.Groups), in)
	return f, nil
}

func (f Filing) mustBeEmployer() error {
	if f.Class == Employer {
		return nil
	}
	return fail.New(fail.Conflict, "class", "filing %s is of class %s; only an employer (Y) examines its own people and has pay linked to levels", f.ID, f.Class).
		In("备案 %s 的类别为 %s；只有用人单位（Y）限本单位职工并办理薪酬挂钩、试点认定", f.ID, f.Class)
}

// AdmitsEmployer is rule E10: class Y examines only its own people, and those of
// the units that a recorded decision has admitted; class S examines the public.
// employer is the unit of the candidate, own that of the institution, both as
// 统一社会信用代码. The answer is by what was recorded by known; why is what is
// wrong, with the name "employer", when it is no.
func (f Filing) AdmitsEmployer(employer, own string, on standards.Date, known time.Time) (ok bool, why fail.Field) {
	switch {
	case f.Class != Employer:
		return true, why
	case employer == "":
		return false, wrong("employer", "employer_missing", "用人单位只能评价本单位职工，请填写所在单位的统一社会信用代码",
			"an employer examines only its own people: the unit of the candidate is missing")
	case employer == own:
		return true, why
	}
	for _, g := range f.Groups {
		if !g.Recorded.After(known) && g.From <= on && (g.Until == "" || on <= g.Until) && slices.Contains(g.Members, employer) {
			return true, why
		}
	}
	return false, wrong("employer", "not_own_people",
		fmt.Sprintf("所在单位 %s 不是本用人单位，也不在已备案的评价对象范围内（%s）", employer, on),
		fmt.Sprintf("the unit %s is neither the employer itself nor admitted by a recorded decision on %s", employer, on))
}

// RecognitionKind is what is recognised in an employer.
type RecognitionKind string

// The kinds: an employer's own evaluation counts for subsidies when pay follows
// the level and the authority has recognised the pilot (苏人社发〔2018〕76号 三（三）1).
const (
	PayLinked       RecognitionKind = "pay_linked"       // 薪酬挂钩
	PilotRecognised RecognitionKind = "pilot_recognised" // 试点认定
)

var recognitionWords = map[RecognitionKind]words{
	PayLinked:       {"技能等级与薪酬待遇挂钩", "pay is linked to levels"},
	PilotRecognised: {"人社部门试点认定", "recognised as a pilot by the authority"},
}

// Chinese returns the word officials use; empty for a kind that does not exist.
func (k RecognitionKind) Chinese() string { return recognitionWords[k].zh }

// English returns English words; empty for a kind that does not exist.
func (k RecognitionKind) English() string { return recognitionWords[k].en }

// A Recognition is a record that something is recognised, or no longer is, from
// a date on. Of two that count on a date the later recorded one does.
type Recognition struct {
	Kind     RecognitionKind `json:"kind"`
	Ended    bool            `json:"ended,omitempty"` // it is withdrawn from From on
	From     standards.Date  `json:"from"`
	Until    standards.Date  `json:"until,omitempty"` // none means until another record
	Document string          `json:"document"`
	Reason   string          `json:"reason,omitempty"`
	Recorded time.Time       `json:"recorded"`
}

// Recognise returns the filing with in recorded at now.
//
// Errors: Invalid recognition_invalid, with a field for everything wrong;
// Conflict class (the filing is not of class Y), not_recognised (there is nothing
// to withdraw on that day), too_many_changes.
func (f Filing) Recognise(in Recognition, now time.Time) (Filing, error) {
	if err := f.mustBeEmployer(); err != nil {
		return Filing{}, err
	}
	in.Recorded = now.UTC()
	fs := day("from", in.From, "起始日期", "first day")
	fs = append(fs, period("", in.From, in.Until, false)...)
	if in.Kind.Chinese() == "" {
		fs = append(fs, wrong("kind", "kind", fmt.Sprintf("种类应为 pay_linked 或 pilot_recognised，实为 %q", in.Kind), fmt.Sprintf("a kind is pay_linked or pilot_recognised, not %q", in.Kind)))
	}
	if in.Ended && in.Until != "" {
		fs = append(fs, wrong("until", "ended", "取消认定不填截止日期", "a withdrawal has no last day"))
	}
	fs = append(fs, text("document", in.Document, true, 100, "文号", "number of the document")...)
	fs = append(fs, text("reason", in.Reason, false, 1000, "事由", "reason")...)
	if err := refuse("recognition_invalid", "认定信息有误", "the recognition is not right", fs); err != nil {
		return Filing{}, err
	}
	if _, held := f.Recognised(in.Kind, in.From, now); in.Ended && !held {
		return Filing{}, fail.New(fail.Conflict, "not_recognised", "%s is not recorded for filing %s on %s", in.Kind, f.ID, in.From).
			In("备案 %s 在 %s 没有“%s”记录，无可取消", f.ID, in.From, in.Kind.Chinese())
	}
	if len(f.Recognitions) >= maxChanges {
		return Filing{}, tooMany("认定", "recognitions")
	}
	f.Recognitions = append(slices.Clip(f.Recognitions), in)
	return f, nil
}

// Recognised reports whether something is recognised on a date, as known at a
// time, and by which record. For a certificate ask with its date of issue and the
// time it was received.
func (f Filing) Recognised(k RecognitionKind, on standards.Date, known time.Time) (Recognition, bool) {
	var by Recognition
	for _, r := range f.Recognitions {
		if r.Kind == k && !r.Recorded.After(known) && r.From <= on && (r.Until == "" || on <= r.Until) {
			by = r
		}
	}
	return by, by.Kind != "" && !by.Ended
}
