package signs

import (
	"embed"
	"fmt"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Rules are the thresholds of one region from a date on. A rule that is nil is
// not looked for. Every figure named "over" or "…_over" is the most that raises
// nothing.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	Velocity         *Velocity         `yaml:"velocity,omitempty" json:"velocity,omitempty"`
	Jump             *Jump             `yaml:"jump,omitempty" json:"jump,omitempty"`
	Rush             *Rush             `yaml:"rush,omitempty" json:"rush,omitempty"`
	SameScores       *SameScores       `yaml:"same_scores,omitempty" json:"same_scores,omitempty"`
	AllPassed        *AllPassed        `yaml:"all_passed,omitempty" json:"all_passed,omitempty"`
	PensionAge       *PensionAge       `yaml:"pension_age,omitempty" json:"pension_age,omitempty"`
	Late             *Late             `yaml:"late,omitempty" json:"late,omitempty"`
	Backdated        *Backdated        `yaml:"backdated,omitempty" json:"backdated,omitempty"`
	NearTrades       *NearTrades       `yaml:"near_trades,omitempty" json:"near_trades,omitempty"`
	ManyCertificates *ManyCertificates `yaml:"many_certificates,omitempty" json:"many_certificates,omitempty"`
	ExaminerLoad     *ExaminerLoad     `yaml:"examiner_load,omitempty" json:"examiner_load,omitempty"`
	ExaminerInARow   *ExaminerInARow   `yaml:"examiner_in_a_row,omitempty" json:"examiner_in_a_row,omitempty"`

	// Again is by how much, in percent of what an ended review had measured, the
	// same thing must have grown to open another in the same window; 150 is half
	// as much again.
	Again int `yaml:"again_percent" json:"again_percent"`
	// AnswerDays is how many working days an institution has to answer the result
	// of an inspection.
	AnswerDays int `yaml:"answer_days" json:"answer_days"`
}

// Note says where a rule comes from. Source is the document that describes the
// pattern or has the figure; Sample says that the figure is not confirmed and
// what it was chosen by. There is at least one of them.
type Note struct {
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Allowance is how much a new institution may do before it is looked at: Free
// from the first day and Monthly more in every 30 days.
type Allowance struct {
	Free    int `yaml:"free" json:"free"`
	Monthly int `yaml:"per_30_days" json:"per_30_days"`
}

// After is the allowance at the end of so many days.
func (a Allowance) After(days int) int { return a.Free + a.Monthly*days/30 }

// Velocity looks at the first Days days after the first filing began.
type Velocity struct {
	Note         `yaml:",inline"`
	Days         int       `yaml:"days" json:"days"`
	Batches      Allowance `yaml:"batches" json:"batches"`
	Certificates Allowance `yaml:"certificates" json:"certificates"`
}

// Jump compares the certificates of the last Days days with the institution's
// own past of at most History days before: with its mean in as many days and
// with its highest such period, so that those who examine twice a year are
// compared with their last season. A past shorter than LeastHistory is none.
type Jump struct {
	Note         `yaml:",inline"`
	Days         int `yaml:"days" json:"days"`
	History      int `yaml:"history_days" json:"history_days"`
	LeastHistory int `yaml:"least_history_days" json:"least_history_days"`
	Certificates int `yaml:"certificates_over" json:"certificates_over"`
	MeanPercent  int `yaml:"mean_percent_over" json:"mean_percent_over"`
	PeakPercent  int `yaml:"peak_percent_over" json:"peak_percent_over"`
}

// Rush looks, when a suspension or ordered removal is recorded, at the Days days
// up to it against the mean and the highest such period of at most History days
// before them.
type Rush struct {
	Note         `yaml:",inline"`
	Days         int `yaml:"days" json:"days"`
	History      int `yaml:"history_days" json:"history_days"`
	Batches      int `yaml:"batches_over" json:"batches_over"`
	Certificates int `yaml:"certificates_over" json:"certificates_over"`
	MeanPercent  int `yaml:"mean_percent_over" json:"mean_percent_over"`
	PeakPercent  int `yaml:"peak_percent_over" json:"peak_percent_over"`
}

// SameScores looks at sessions of Rows scored rows or more: which share has the
// very same scores.
type SameScores struct {
	Note  `yaml:",inline"`
	Rows  int `yaml:"rows" json:"rows"`
	Share int `yaml:"share_percent_over" json:"share_percent_over"`
}

// AllPassed looks at sessions of Rows rows or more at the named levels.
type AllPassed struct {
	Note   `yaml:",inline"`
	Levels []standards.Level `yaml:"levels" json:"levels"`
	Rows   int               `yaml:"rows" json:"rows"`
	Share  int               `yaml:"share_percent_over" json:"share_percent_over"`
}

// PensionAge counts candidates who on the exam date had reached Men or Women
// years of age by their document.
type PensionAge struct {
	Note   `yaml:",inline"`
	Men    int `yaml:"men" json:"men"`
	Women  int `yaml:"women" json:"women"`
	People int `yaml:"people_over" json:"people_over"`
	Share  int `yaml:"share_percent_over" json:"share_percent_over"`
}

// Late looks at how many working days after its due day a step was done.
type Late struct {
	Note      `yaml:",inline"`
	Results   int `yaml:"results_days_over" json:"results_days_over"`
	Publicity int `yaml:"publicity_days_over" json:"publicity_days_over"`
	Issue     int `yaml:"issue_days_over" json:"issue_days_over"`
}

// Backdated looks at certificates of its own numbers that an institution
// registers instead of issuing them here. Those issued before it joined this
// register are taken over, not late, for JoiningDays days after its first filing
// was recorded.
type Backdated struct {
	Note         `yaml:",inline"`
	Days         int `yaml:"days" json:"days"` // received later than so many days after issue
	JoiningDays  int `yaml:"joining_days" json:"joining_days"`
	Late         int `yaml:"late_over" json:"late_over"`
	BeforeFiling int `yaml:"before_filing_over" json:"before_filing_over"`
	Unentitled   int `yaml:"unentitled_over" json:"unentitled_over"`
}

// NearTrades counts, in Days days, the certificates 人次 by which one person came
// to more than Trades occupations or trades of one 小类 within 12 months.
type NearTrades struct {
	Note   `yaml:",inline"`
	Trades int `yaml:"trades_over" json:"trades_over"`
	Days   int `yaml:"days" json:"days"`
	Times  int `yaml:"person_times_over" json:"person_times_over"`
}

// ManyCertificates counts, in Days days, the certificates 人次 by which one person
// came to more than Certificates in one natural year.
type ManyCertificates struct {
	Note         `yaml:",inline"`
	Certificates int `yaml:"certificates_over" json:"certificates_over"`
	Days         int `yaml:"days" json:"days"`
	Times        int `yaml:"person_times_over" json:"person_times_over"`
}

// ExaminerLoad is what one examiner can do on one day.
type ExaminerLoad struct {
	Note       `yaml:",inline"`
	Sessions   int `yaml:"sessions_over" json:"sessions_over"`
	Candidates int `yaml:"candidates_over" json:"candidates_over"`
}

// ExaminerInARow looks at panels in which more than Examiners are at their more
// than InARow-th session in a row at one institution.
type ExaminerInARow struct {
	Note      `yaml:",inline"`
	InARow    int `yaml:"in_a_row_over" json:"in_a_row_over"`
	Examiners int `yaml:"examiners_over" json:"examiners_over"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; their figures are
// samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// HistoryMax is how many days of daily counts a rule may look back over, the
// recent window included.
const HistoryMax = 480

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	p := problems{&out}
	p.figure("again_percent", r.Again, 100, 1000)
	p.figure("answer_days", r.AnswerDays, 1, 60)
	if v := r.Velocity; v != nil {
		p.note("velocity", v.Note)
		p.figure("velocity.days", v.Days, 1, HistoryMax)
		for _, a := range []Allowance{v.Batches, v.Certificates} {
			p.figure("velocity.free", a.Free, 0, 1_000_000)
			p.figure("velocity.per_30_days", a.Monthly, 0, 1_000_000)
		}
	}
	if j := r.Jump; j != nil {
		p.note("jump", j.Note)
		p.window("jump", j.Days, j.History)
		p.figure("jump.least_history_days", j.LeastHistory, j.Days, j.History)
		p.figure("jump.certificates_over", j.Certificates, 0, 10_000_000)
		p.figure("jump.mean_percent_over", j.MeanPercent, 100, 100_000)
		p.figure("jump.peak_percent_over", j.PeakPercent, 100, 100_000)
	}
	if u := r.Rush; u != nil {
		p.note("rush", u.Note)
		p.window("rush", u.Days, u.History)
		p.figure("rush.batches_over", u.Batches, 0, 1_000_000)
		p.figure("rush.certificates_over", u.Certificates, 0, 10_000_000)
		p.figure("rush.mean_percent_over", u.MeanPercent, 100, 100_000)
		p.figure("rush.peak_percent_over", u.PeakPercent, 100, 100_000)
	}
	r.sessionProblems(p)
	r.peopleProblems(p)
	return out
}

func (r Rules) sessionProblems(p problems) {
	if s := r.SameScores; s != nil {
		p.note("same_scores", s.Note)
		p.figure("same_scores.rows", s.Rows, 2, 100_000)
		p.figure("same_scores.share_percent_over", s.Share, 0, 99)
	}
	if a := r.AllPassed; a != nil {
		p.note("all_passed", a.Note)
		p.figure("all_passed.rows", a.Rows, 2, 100_000)
		p.figure("all_passed.share_percent_over", a.Share, 0, 99)
		p.say(len(a.Levels) > 0, "all_passed.levels 不能为空", "all_passed.levels is empty")
		for _, l := range a.Levels {
			p.say(l.Examined(), "all_passed.levels 只能是考核等级", "all_passed.levels are examined levels")
		}
	}
	if a := r.PensionAge; a != nil {
		p.note("pension_age", a.Note)
		p.figure("pension_age.men", a.Men, 16, 120)
		p.figure("pension_age.women", a.Women, 16, 120)
		p.figure("pension_age.people_over", a.People, 0, 100_000)
		p.figure("pension_age.share_percent_over", a.Share, 0, 99)
	}
	if l := r.Late; l != nil {
		p.note("late", l.Note)
		p.figure("late.results_days_over", l.Results, 0, 1000)
		p.figure("late.publicity_days_over", l.Publicity, 0, 1000)
		p.figure("late.issue_days_over", l.Issue, 0, 1000)
	}
	if e := r.ExaminerLoad; e != nil {
		p.note("examiner_load", e.Note)
		p.figure("examiner_load.sessions_over", e.Sessions, 0, 1000)
		p.figure("examiner_load.candidates_over", e.Candidates, 0, 100_000)
	}
	if e := r.ExaminerInARow; e != nil {
		p.note("examiner_in_a_row", e.Note)
		p.figure("examiner_in_a_row.in_a_row_over", e.InARow, 0, 1000)
		p.figure("examiner_in_a_row.examiners_over", e.Examiners, 0, 1000)
	}
}

func (r Rules) peopleProblems(p problems) {
	if b := r.Backdated; b != nil {
		p.note("backdated", b.Note)
		p.figure("backdated.days", b.Days, 0, 3660)
		p.figure("backdated.joining_days", b.JoiningDays, 0, 3660)
		p.figure("backdated.late_over", b.Late, 0, 1_000_000)
		p.figure("backdated.before_filing_over", b.BeforeFiling, 0, 1_000_000)
		p.figure("backdated.unentitled_over", b.Unentitled, 0, 1_000_000)
	}
	if n := r.NearTrades; n != nil {
		p.note("near_trades", n.Note)
		p.figure("near_trades.trades_over", n.Trades, 1, maxMarks/2)
		p.figure("near_trades.days", n.Days, 1, HistoryMax)
		p.figure("near_trades.person_times_over", n.Times, 0, 1_000_000)
	}
	if m := r.ManyCertificates; m != nil {
		p.note("many_certificates", m.Note)
		p.figure("many_certificates.certificates_over", m.Certificates, 1, maxMarks/2)
		p.figure("many_certificates.days", m.Days, 1, HistoryMax)
		p.figure("many_certificates.person_times_over", m.Times, 0, 1_000_000)
	}
}

// problems collects what is wrong with a file.
type problems struct{ out *[]rulefile.Text }

func (p problems) say(ok bool, zh, en string) {
	if !ok {
		*p.out = append(*p.out, rulefile.Text{ZH: zh, EN: en})
	}
}

func (p problems) note(name string, n Note) {
	p.say(n.Source != "" || n.Sample != "", name+" 应写明 source（来源）或 sample（样例说明）", name+" needs a source or a sample")
}

func (p problems) figure(name string, n, least, most int) {
	p.say(n >= least && n <= most, fmt.Sprintf("%s 应为 %d 至 %d", name, least, most), fmt.Sprintf("%s is %d to %d", name, least, most))
}

func (p problems) window(name string, days, history int) {
	p.figure(name+".days", days, 1, 180)
	p.figure(name+".history_days", history, days, HistoryMax-days)
}
