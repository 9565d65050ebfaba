package signs

import (
	"strconv"
	"strings"

	"bajigong/standards"
)

// Figures is what the signs need of one results file, counted while it is
// stored. It has counts alone: nothing of it leads to a person.
type Figures struct {
	Scored   int    `json:"scored"`             // rows with a score
	Same     int    `json:"same"`               // rows in the largest group with the very same scores
	Distinct int    `json:"distinct"`           // different sets of scores
	AgeKnown int    `json:"age_known"`          // rows whose document tells the age
	Aged     int    `json:"aged,omitempty"`     // of these, those of pension age on the exam date
	AgeRule  string `json:"age_rule,omitempty"` // id of the rule file that said which age
}

// Tally counts the rows of one results file.
type Tally struct {
	exam    standards.Date
	rules   Rules
	figures Figures
	groups  map[string]int
}

// NewTally begins to count for an exam date under the rules in force.
func (r Rules) NewTally(exam standards.Date) *Tally {
	t := &Tally{exam: exam, rules: r, groups: map[string]int{}}
	if r.PensionAge != nil {
		t.figures.AgeRule = r.ID
	}
	return t
}

// Add counts one row.
func (t *Tally) Add(scores standards.Scores, document standards.Document) {
	if len(scores) > 0 {
		t.figures.Scored++
		key := vector(scores)
		t.groups[key]++
		t.figures.Same = max(t.figures.Same, t.groups[key])
		t.figures.Distinct = len(t.groups)
	}
	if t.rules.PensionAge == nil {
		return
	}
	if reached, known := t.rules.PensionAge.reached(document, t.exam); known {
		t.figures.AgeKnown++
		if reached {
			t.figures.Aged++
		}
	}
}

// Figures returns what was counted.
func (t *Tally) Figures() Figures { return t.figures }

// vector writes scores so that equal ones are equal texts.
func vector(scores standards.Scores) string {
	var b strings.Builder
	for _, part := range []standards.PartKind{standards.Theory, standards.Skill, standards.Review} {
		if score, ok := scores[part]; ok {
			b.WriteString(string(part) + "=" + strconv.FormatFloat(score, 'f', -1, 64) + ";")
		}
	}
	return b.String()
}

// reached reports whether the holder of a document had reached pension age on a
// date; known is false when the document does not tell birth and sex. The 17th
// digit is odd for men (GB 11643).
func (a PensionAge) reached(d standards.Document, on standards.Date) (reached, known bool) {
	birth, ok := d.Birth()
	if !ok || !on.Valid() {
		return false, false
	}
	switch d.Kind {
	case standards.ResidentID, standards.HKMacaoResidence, standards.TaiwanResidence, standards.ForeignerPR:
	default:
		return false, false
	}
	age := a.Women
	if (d.Number[16]-'0')%2 == 1 {
		age = a.Men
	}
	years := on.Year() - birth.Year()
	if on[5:] < birth[5:] {
		years--
	}
	return years >= age, true
}

// Results is one session's results as the signs see them.
type Results struct {
	Session string
	Level   standards.Level
	Rows    int
	Passed  int
	Figures Figures
}

// AfterResults looks at the results of one session on the day they came in.
func (r Rules) AfterResults(in Results, today standards.Date) (out []Sign) {
	session := Record{"session", in.Session}
	f := in.Figures
	if c := r.SameScores; c != nil && f.Scored >= c.Rows && percent(f.Same, f.Scored) > c.Share {
		out = append(out, r.sign(KindSameScores, month(today), today, Measure{"share_percent", percent(f.Same, f.Scored), c.Share}).says(
			text("%d 名有成绩考生中有 %d 名各科成绩完全相同，占 %d%%（阈值 %d%%）", f.Scored, f.Same, percent(f.Same, f.Scored), c.Share),
			text("%d of %d candidates with scores have the very same scores, %d%% (threshold %d%%)", f.Same, f.Scored, percent(f.Same, f.Scored), c.Share)).
			Naming(session))
	}
	if c := r.AllPassed; c != nil && in.Rows >= c.Rows && c.looksAt(in.Level) && percent(in.Passed, in.Rows) > c.Share {
		out = append(out, r.sign(KindAllPassed, month(today), today, Measure{"share_percent", percent(in.Passed, in.Rows), c.Share}).says(
			text("%s %d 人参加、%d 人合格，合格率 %d%%（阈值 %d%%）", in.Level.Grade()+"/"+in.Level.Name(), in.Rows, in.Passed, percent(in.Passed, in.Rows), c.Share),
			text("%d of %d passed at the level %s, %d%% (threshold %d%%)", in.Passed, in.Rows, in.Level.English(), percent(in.Passed, in.Rows), c.Share)).
			Naming(session))
	}
	if c := r.PensionAge; c != nil && f.Aged > c.People && percent(f.Aged, f.AgeKnown) > c.Share {
		out = append(out, r.sign(KindPensionAge, month(today), today, Measure{"people", f.Aged, c.People}, Measure{"share_percent", percent(f.Aged, f.AgeKnown), c.Share}).says(
			text("%d 名考生考试日已达养老年龄（男 %d、女 %d 周岁），占 %d%%（阈值 %d 人且 %d%%）", f.Aged, c.Men, c.Women, percent(f.Aged, f.AgeKnown), c.People, c.Share),
			text("%d candidates had reached pension age on the exam date (men %d, women %d), %d%% (thresholds %d people and %d%%)",
				f.Aged, c.Men, c.Women, percent(f.Aged, f.AgeKnown), c.People, c.Share)).
			Naming(session))
	}
	return out
}

func (a AllPassed) looksAt(l standards.Level) bool {
	for _, one := range a.Levels {
		if one == l {
			return true
		}
	}
	return false
}

// Step is a step of a session that can be late.
type Step string

// The steps that have a threshold.
const (
	StepResults   Step = "results"
	StepPublicity Step = "publicity"
	StepIssue     Step = "issue"
)

var stepWords = map[Step][2]string{StepResults: {"成绩上报", "results"}, StepPublicity: {"公示", "publicity"}, StepIssue: {"发证", "issue"}}

// AfterStep looks at a step of a session done working days after its due day;
// days is negative when it was early.
func (r Rules) AfterStep(session string, step Step, due, done standards.Date, days int) []Sign {
	l := r.Late
	if l == nil {
		return nil
	}
	limit, ok := map[Step]int{StepResults: l.Results, StepPublicity: l.Publicity, StepIssue: l.Issue}[step]
	s := r.sign(KindLate, month(done), done, Measure{string(step) + "_working_days", days, limit})
	if !ok || !s.over() {
		return nil
	}
	return []Sign{s.says(
		text("%s应于%s前完成，实际为%s，迟 %d 个工作日（阈值 %d 个）", stepWords[step][0], due.Chinese(), done.Chinese(), days, limit),
		text("%s was due on %s and done on %s, %d working days late (threshold %d)", stepWords[step][1], due, done, days, limit)).
		Naming(Record{"session", session})}
}
