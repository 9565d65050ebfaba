package eligibility

import (
	"slices"

	"bajigong/standards"
)

// Question is what is asked of a record.
type Question struct {
	Level standards.Level `json:"level"`
	On    standards.Date  `json:"on"` // the day of registration; what is dated later does not count
}

// Result is the answer for every condition of the level. It is a value: to
// satisfy none is an expected outcome.
type Result struct {
	Question    Question      `json:"question"`
	Occupation  string        `json:"occupation"`
	Files       []string      `json:"files"`   // ids of the rule files
	Version     string        `json:"version"` // of the standard or technical rule
	Satisfied   []Satisfied   `json:"satisfied"`
	Unsatisfied []Unsatisfied `json:"unsatisfied"`
	Waivers     []Waiver      `json:"waivers,omitempty"` // for [Eligible]
}

// Satisfied is a condition that is met.
type Satisfied struct {
	Key      string         `json:"key"`
	Since    standards.Date `json:"since"`    // the first day on which it was, by what the record has now
	Evidence []string       `json:"evidence"` // ids, in order; age needs none
}

// Unsatisfied is a condition that is not met, with what is missing in one
// sentence.
type Unsatisfied struct {
	Key     string    `json:"key"`
	ZH      string    `json:"zh"`
	EN      string    `json:"en"`
	Missing []Missing `json:"missing"`
}

// Missing is one thing that a condition lacks.
type Missing struct {
	Kind MissingKind `json:"kind"`
	Days int         `json:"days,omitempty"` // until it is there if the work or time goes on; 0 when that cannot be said
	ZH   string      `json:"zh"`
	EN   string      `json:"en"`
}

// MissingKind says what sort of thing is missing.
type MissingKind string

// What can be missing. Only years and certificate can be waived.
const (
	MissingAge         MissingKind = "age"
	MissingIntention   MissingKind = "intention"
	MissingWork        MissingKind = "work"        // does not work in the occupation now
	MissingYears       MissingKind = "years"       // 年限
	MissingCertificate MissingKind = "certificate" // of the previous level
	MissingTitle       MissingKind = "title"
	MissingDiploma     MissingKind = "diploma"
	MissingStudent     MissingKind = "student"
	MissingTraining    MissingKind = "apprenticeship"
)

// Keys returns the keys of the conditions that are met.
func (r Result) Keys() []string {
	var out []string
	for _, s := range r.Satisfied {
		out = append(out, s.Key)
	}
	return out
}

// Evaluate answers q for a record under rules. Entries without a date that
// exists do not count: see [Record.Problems]. The order of entries is of no
// importance.
func Evaluate(rules Rules, record Record, q Question) Result {
	out := Result{Question: q, Occupation: rules.Occupation, Files: rules.Files, Version: rules.Version,
		Satisfied: []Satisfied{}, Unsatisfied: []Unsatisfied{}, Waivers: rules.Waivers}
	on, ok := dayOf(q.On)
	if !ok {
		on = -never // nothing has happened yet
	}
	e := evaluation{rules: rules, record: record, on: on, onDate: q.On, work: rules.work(record)}
	for _, c := range rules.Conditions {
		if c.Level != q.Level {
			continue
		}
		since, evidence, missing := e.condition(c)
		if len(missing) > 0 {
			zh, en := sentence(missing)
			out.Unsatisfied = append(out.Unsatisfied, Unsatisfied{Key: c.Key, ZH: zh, EN: en, Missing: missing})
			continue
		}
		out.Satisfied = append(out.Satisfied, Satisfied{Key: c.Key, Since: since.date(), Evidence: evidence})
	}
	return out
}

// work returns the periods that count, at whatever time.
func (r Rules) work(record Record) []span {
	out := make([]span, 0, len(record.Work))
	for _, w := range record.Work {
		from, ok := dayOf(w.From)
		if !ok {
			continue
		}
		end := never
		if w.Until != "" {
			if end, ok = dayOf(w.Until); !ok {
				continue
			}
			end++ // the last day is worked
		}
		if _, counts := r.Scope(w.Occupation, w.Related); counts {
			out = append(out, span{from, end, w.Evidence})
		}
	}
	return out
}

// evaluation is one question under way.
type evaluation struct {
	rules  Rules
	record Record
	on     day
	onDate standards.Date
	work   []span
}

// met is how a need is met: since a day, by evidence.
type met struct {
	since    day
	evidence []string
}

func (e *evaluation) condition(c Condition) (since day, evidence []string, missing []Missing) {
	since = -never
	for _, n := range c.Needs {
		m, lacks := e.need(n)
		missing = append(missing, lacks...)
		since = max(since, m.since)
		evidence = append(evidence, m.evidence...)
	}
	slices.Sort(evidence)
	return since, slices.Compact(evidence), missing
}

func (e *evaluation) need(n Need) (met, []Missing) {
	switch {
	case n.MinAge > 0:
		return e.age(n.MinAge)
	case n.IntendsToWork:
		return e.intention()
	case n.Works:
		return e.works()
	case n.WorkYears > 0:
		return e.workYears(n.WorkYears, -never, after{})
	case n.Apprenticeship:
		return e.apprenticeship()
	case n.Certificate != nil:
		return e.certificate(*n.Certificate)
	case n.Title != nil:
		return e.title(*n.Title)
	case n.Diploma != nil:
		return e.diploma(*n.Diploma)
	case n.Student != nil:
		return e.student(*n.Student)
	}
	return met{}, []Missing{{Kind: MissingWork, ZH: "规则文件中的条件无法识别", EN: "the condition in the rule file is not known"}}
}

// past returns the day of a date that has come.
func (e *evaluation) past(d standards.Date) (day, bool) {
	t, ok := dayOf(d)
	return t, ok && t <= e.on
}

func (e *evaluation) age(years int) (met, []Missing) {
	born, ok := dayOf(e.record.Birth)
	if !ok {
		return met{}, []Missing{noBirth()}
	}
	if birthday := born.years(years); birthday <= e.on {
		return met{since: birthday}, nil
	} else {
		return met{}, []Missing{tooYoung(years, int(birthday-max(e.on, born)))}
	}
}

func (e *evaluation) intention() (met, []Missing) {
	if i := e.record.Intention; i != nil {
		if declared, ok := e.past(i.Declared); ok {
			return met{declared, []string{i.Evidence}}, nil
		}
	}
	return met{}, []Missing{noIntention()}
}

// works asks for work on the day itself; it is met since the unbroken period
// that reaches to this day began.
func (e *evaluation) works() (met, []Missing) {
	periods := merged(e.work, -never, e.on+1)
	if n := len(periods); n > 0 && periods[n-1].end == e.on+1 {
		return met{periods[n-1].from, used(e.work, []day{e.on, e.on + 1})}, nil
	}
	return met{}, []Missing{noWork(e.onDate)}
}

// workYears asks for n years of work, cumulated, from a day on.
func (e *evaluation) workYears(n int, from day, a after) (met, []Missing) {
	periods := merged(e.work, from, e.on)
	c := cumulate(periods, n)
	if c.complete <= e.on {
		return met{c.complete, used(e.work, c.worked)}, nil
	}
	return met{}, []Missing{tooFewYears(n, c.short, len(periods) > 0, a, e.onDate)}
}

func (e *evaluation) apprenticeship() (met, []Missing) {
	best := met{since: never}
	for _, a := range e.record.Apprentice {
		if t, ok := e.past(a.Completed); ok {
			if _, counts := e.rules.Scope(a.Occupation, a.Related); counts {
				best.earlier(t, a.Evidence)
			}
		}
	}
	if best.since == never {
		return met{}, []Missing{noApprenticeship()}
	}
	return best, nil
}

// earlier keeps the earlier of two, and of the same day the first by id, so that
// the order of entries does not show.
func (m *met) earlier(t day, evidence string) {
	if t < m.since || t == m.since && evidence < m.evidence[0] {
		m.since, m.evidence = t, []string{evidence}
	}
}

// certificate takes the earliest that fits: years after it can only be more than
// after a later one. Without one the years of all work are counted in its place,
// so that a waiver of the certificate alone does not waive the years too.
func (e *evaluation) certificate(n NeedCertificate) (met, []Missing) {
	best := met{since: never}
	for _, c := range e.record.Certificates {
		t, ok := e.past(c.Issued)
		if !ok || c.Level != n.Level && !(n.OrHigher && c.Level > n.Level) {
			continue
		}
		if scope, counts := e.rules.Scope(c.Occupation, c.Related); counts && (scope == Own || n.Scope == OwnOrRelated) {
			best.earlier(t, c.Evidence)
		}
	}
	a := after{certificate: n.Level}
	if best.since == never {
		missing := []Missing{noCertificate(n)}
		if n.WorkYears > 0 {
			_, lacks := e.workYears(n.WorkYears, -never, after{})
			missing = append(missing, lacks...)
		}
		if n.Years > 0 {
			missing = append(missing, tooEarly(n.Years, 0, a))
		}
		return met{}, missing
	}
	return e.since(best, n.Years, n.WorkYears, a)
}

func (e *evaluation) title(n NeedTitle) (met, []Missing) {
	best := met{since: never}
	rank := slices.Index(ranks, n.Rank)
	for _, t := range e.record.Titles {
		at, ok := e.past(t.Issued)
		r := slices.Index(ranks, t.Rank)
		if ok && t.Field != OtherField && (r == rank || n.OrHigher && r > rank) {
			best.earlier(at, t.Evidence)
		}
	}
	if best.since == never {
		return met{}, []Missing{noTitle(n)}
	}
	return e.since(best, n.Years, n.WorkYears, after{title: n.Rank})
}

// since adds to a certificate or title the time and the work after it.
func (e *evaluation) since(m met, years, workYears int, a after) (met, []Missing) {
	issued := m.since
	var missing []Missing
	if years > 0 {
		if full := issued.years(years); full <= e.on {
			m.since = full
		} else {
			missing = append(missing, tooEarly(years, int(full-e.on), a))
		}
	}
	if workYears > 0 {
		w, lacks := e.workYears(workYears, issued, a)
		m.since = max(m.since, w.since)
		m.evidence = append(m.evidence, w.evidence...)
		missing = append(missing, lacks...)
	}
	if len(missing) > 0 {
		return met{}, missing
	}
	return m, nil
}

func (e *evaluation) diploma(n NeedDiploma) (met, []Missing) {
	best := met{since: never}
	for _, d := range e.record.Diplomas {
		fits := slices.Contains(n.Schools, d.School) && (len(n.Classes) == 0 || slices.Contains(n.Classes, d.Class)) &&
			(n.Field == AnyField || d.Field == OwnField || d.Field == RelatedField && n.Field == OwnOrRelated) &&
			(d.Evaluated || !n.Evaluated)
		if !fits {
			continue
		}
		if t, ok := e.past(d.Graduated); ok {
			best.earlier(t, d.Evidence)
		}
		if t, ok := dayOf(d.Expected); ok && n.Students && e.rules.FinalYear > 0 && e.on <= t {
			if begin := t.months(-e.rules.FinalYear); begin <= e.on {
				best.earlier(begin, d.Evidence)
			}
		}
	}
	if best.since == never {
		return met{}, []Missing{noDiploma(n)}
	}
	return best, nil
}

func (e *evaluation) student(n NeedStudent) (met, []Missing) {
	best := met{since: never}
	for _, s := range e.record.Enrolled {
		from, ok := e.past(s.From)
		if !ok || !slices.Contains(n.Schools, s.School) || !slices.Contains(n.Classes, s.Class) {
			continue
		}
		if until, ended := dayOf(s.Until); s.Until == "" || ended && e.on <= until {
			best.earlier(from, s.Evidence)
		}
	}
	if best.since == never {
		return met{}, []Missing{noStudent(n)}
	}
	return best, nil
}
