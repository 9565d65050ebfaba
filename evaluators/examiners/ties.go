package examiners

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Ties are what keeps one person from examining: whom he avoids, and where he has
// taught. They belong to the person, whatever cards he has.
type Ties struct {
	Person     Person      `json:"person"`
	Avoidances []Avoidance `json:"avoidances,omitempty"`
	Teaching   []Teaching  `json:"teaching,omitempty"`
}

// MaxTies bounds each list of [Ties].
const MaxTies = 1000

// Avoidance 回避 is one relation, to a person or an organisation.
type Avoidance struct {
	ID       string         `json:"id"`
	Relation string         `json:"relation"`         // code of the rule file
	Person   Person         `json:"person,omitempty"` // whom he avoids
	USCC     string         `json:"uscc,omitempty"`   // or the organisation: the institution, or the employer of candidates
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until,omitempty"`
	Basis    string         `json:"basis"` // how it is known
	Recorded time.Time      `json:"recorded"`
	Ended    *Ending        `json:"ended,omitempty"`
}

// Teaching is that somebody teaches or has taught: at an institution, or those who
// sit in one session.
type Teaching struct {
	ID          string         `json:"id"`
	Institution string         `json:"institution,omitempty"`
	Session     string         `json:"session,omitempty"`
	Occupation  string         `json:"occupation,omitempty"` // none means any
	From        standards.Date `json:"from"`
	Until       standards.Date `json:"until,omitempty"` // none while it goes on
	Basis       string         `json:"basis"`
	Recorded    time.Time      `json:"recorded"`
	Ended       *Ending        `json:"ended,omitempty"`
}

// Ending sets the last day of a tie. A tie recorded by mistake ends the day before
// it began and so never holds from then on.
type Ending struct {
	Last     standards.Date `json:"last"`
	Basis    string         `json:"basis"`
	Recorded time.Time      `json:"recorded"`
}

func last(until standards.Date, e *Ending, known time.Time) standards.Date {
	if e != nil && !e.Recorded.After(known) {
		return e.Last
	}
	return until
}

// holds reports whether a relation holds on a date as known at a time.
func (a Avoidance) holds(on standards.Date, known time.Time) bool {
	until := last(a.Until, a.Ended, known)
	return !a.Recorded.After(known) && a.From <= on && (until == "" || on <= until)
}

// bars reports whether t bars from a session, days after the last of it.
func (t Teaching) bars(f Facts, days int) bool {
	until := last(t.Until, t.Ended, f.Known)
	switch {
	case t.Recorded.After(f.Known), t.Occupation != "" && t.Occupation != f.Occupation, until != "" && until < t.From:
		return false
	case t.Session != "":
		return t.Session == f.Session
	}
	return t.Institution == f.Institution && t.From <= f.ExamDate && (until == "" || f.ExamDate <= until.AddDays(days))
}

// Avoid adds a relation.
//
// Errors: Invalid avoidance_invalid; Conflict too_many_ties, avoidance_exists.
func (t Ties) Avoid(r Rules, a Avoidance, now time.Time) (Ties, error) {
	if a.From == "" {
		a.From = standards.DateOf(now)
	}
	fs := span(a.From, a.Until)
	fs = append(fs, text("basis", a.Basis, true, 500, "依据", "basis")...)
	rule, ok := r.relation(a.Relation)
	switch {
	case !ok:
		fs = append(fs, wrong("relation", "unknown", "规则文件中没有这种回避关系", "the rule file has no such relation"))
	case rule.To == ToPerson && (a.Person == "" || a.USCC != ""):
		fs = append(fs, wrong("document", "missing", rule.Name.ZH+"应写明对方的证件", "the relation is to a person: give the document"))
	case rule.To == ToOrganisation && (a.USCC == "" || a.Person != ""):
		fs = append(fs, wrong("uscc", "missing", rule.Name.ZH+"应写明统一社会信用代码", "the relation is to an organisation: give its credit code"))
	}
	if a.Person != "" && a.Person == t.Person {
		fs = append(fs, wrong("document", "same_person", "不能与本人建立回避关系", "nobody avoids himself"))
	}
	if a.USCC != "" {
		code, _, err := standards.ParseUSCC(a.USCC)
		if err != nil {
			fs = append(fs, wrong("uscc", fail.CodeOf(err), fail.Of(err).ZH, fail.Of(err).Text))
		}
		a.USCC = code
	}
	if err := refuse("avoidance_invalid", "回避关系有误", "the relation is not right", fs); err != nil {
		return t, err
	}
	if len(t.Avoidances) >= MaxTies {
		return t, tooManyTies()
	}
	for _, old := range t.Avoidances {
		if old.Relation == a.Relation && old.Person == a.Person && old.USCC == a.USCC && old.Ended == nil && old.From <= a.From && (old.Until == "" || a.Until != "" && a.Until <= old.Until) {
			return t, fail.New(fail.Conflict, "avoidance_exists", "the relation is on record: %s", old.ID).In("该回避关系已登记：%s", old.ID)
		}
	}
	a.Recorded, a.Ended = now.UTC(), nil
	t.Avoidances = append(slices.Clone(t.Avoidances), a)
	return t, nil
}

// Teach adds a teaching assignment.
//
// Errors: Invalid teaching_invalid; Conflict too_many_ties.
func (t Ties) Teach(in Teaching, now time.Time) (Ties, error) {
	fs := span(in.From, in.Until)
	fs = append(fs, text("basis", in.Basis, true, 500, "依据", "basis")...)
	if (in.Institution == "") == (in.Session == "") {
		fs = append(fs, wrong("institution", "one_of", "应写明机构或批次之一", "give an institution or a session, one of them"))
	}
	if in.Occupation != "" {
		if code, err := standards.ParseOccupationCode(in.Occupation); err != nil || code != in.Occupation {
			fs = append(fs, wrong("occupation", "occupation", "职业代码应形如 4-03-02-01", "an occupation code reads like 4-03-02-01"))
		}
	}
	if err := refuse("teaching_invalid", "授课信息有误", "the teaching assignment is not right", fs); err != nil {
		return t, err
	}
	if len(t.Teaching) >= MaxTies {
		return t, tooManyTies()
	}
	in.Recorded, in.Ended = now.UTC(), nil
	t.Teaching = append(slices.Clone(t.Teaching), in)
	return t, nil
}

// End sets the last day of a relation or teaching assignment.
//
// Errors: Invalid ending_invalid; NotFound tie_unknown; Conflict tie_ended.
func (t Ties) End(id string, e Ending, now time.Time) (Ties, error) {
	fs := append(date("last", e.Last, true, "最后一日", "last day"), text("basis", e.Basis, true, 500, "依据", "basis")...)
	if err := refuse("ending_invalid", "终止信息有误", "the ending is not right", fs); err != nil {
		return t, err
	}
	e.Recorded = now.UTC()
	ended := fail.New(fail.Conflict, "tie_ended", "%s has an ending on record", id).In("%s 已登记终止", id)
	if i := slices.IndexFunc(t.Avoidances, func(a Avoidance) bool { return a.ID == id }); i >= 0 {
		if t.Avoidances[i].Ended != nil {
			return t, ended
		}
		t.Avoidances = slices.Clone(t.Avoidances)
		t.Avoidances[i].Ended = &e
		return t, nil
	}
	if i := slices.IndexFunc(t.Teaching, func(a Teaching) bool { return a.ID == id }); i >= 0 {
		if t.Teaching[i].Ended != nil {
			return t, ended
		}
		t.Teaching = slices.Clone(t.Teaching)
		t.Teaching[i].Ended = &e
		return t, nil
	}
	return t, fail.New(fail.NotFound, "tie_unknown", "there is no relation or teaching assignment %s", id).In("没有回避关系或授课记录 %s", id)
}

func tooManyTies() error {
	return fail.New(fail.Conflict, "too_many_ties", "a person has at most %d relations and %d teaching assignments", MaxTies, MaxTies).
		In("每人的回避关系和授课记录各不超过 %d 条", MaxTies)
}

func span(from, until standards.Date) []fail.Field {
	fs := append(date("from", from, true, "起始日期", "first day"), date("until", until, false, "截止日期", "last day")...)
	if len(fs) == 0 && until != "" && until < from {
		fs = append(fs, wrong("until", "order", fmt.Sprintf("截止日期不能早于 %s", from), fmt.Sprintf("the last day is not before %s", from)))
	}
	return fs
}
