// Package course has the rules for the course of a session 认定批次: which steps a
// province asks for, in how many working days, and what may be carried over. The
// rules are data ([Rules]); what follows from them is pure.
package course

import (
	"embed"
	"regexp"
	"slices"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Rules are the rules of one region from a date on. A session goes by those in
// force on the day its plan was filed.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	// Roster: candidates are entered and found eligible before the exam, and
	// results are taken for them alone.
	Roster bool `yaml:"roster" json:"roster"`
	// Arrangement: panel, invigilators and supervisors are named before the exam.
	Arrangement bool `yaml:"arrangement" json:"arrangement"`
	// Supervision: a report 督导报告 is filed before publicity.
	Supervision bool `yaml:"supervision" json:"supervision"`
	// SecondPerson: results are confirmed by an account other than the one that
	// uploaded them before they are publicised.
	SecondPerson bool `yaml:"second_person" json:"second_person"`
	// Approval: the authority approves the results between publicity and issue.
	Approval bool `yaml:"approval" json:"approval"`
	// PlatformFrom is the first exam date from which the session's reference on
	// the supervision platform (云眸) is required; none when empty.
	PlatformFrom standards.Date `yaml:"platform_from,omitempty" json:"platform_from,omitempty"`

	// PublicityDays is the least number of working days of publicity.
	PublicityDays int `yaml:"publicity_days" json:"publicity_days"`
	// Retakes is how often a failed part may be taken again on kept results,
	// which are kept for RetainMonths after the exam they come from.
	Retakes      int `yaml:"retakes" json:"retakes"`
	RetainMonths int `yaml:"retain_months" json:"retain_months"`

	// Steps are the due days. What comes later is marked late, never refused.
	Steps []Due `yaml:"steps" json:"steps"`
	// Modes are the ways to acquire a certificate that the region has.
	Modes []Mode `yaml:"modes" json:"modes"`
	// Groups are the 人员类别 a candidate may belong to.
	Groups []Group `yaml:"groups" json:"groups"`
}

// Due is when a step is due: Days working days before (negative) or after the
// day it counts from.
type Due struct {
	Step   Step   `yaml:"step" json:"step"`
	After  Step   `yaml:"after" json:"after"`
	Days   int    `yaml:"days" json:"days"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Step is a step of a session.
type Step string

// The steps, in their order.
const (
	StepPlan        Step = "plan"        // 计划备案
	StepRoster      Step = "roster"      // 报名审核
	StepArrangement Step = "arrangement" // 考务编排、考评员派遣
	StepExam        Step = "exam"        // 考试
	StepResults     Step = "results"     // 成绩上报
	StepPublicity   Step = "publicity"   // 公示开始
	StepIssue       Step = "issue"       // 发证
)

// Group is a group of candidates 人员类别, for statistics and subsidies.
type Group struct {
	Code   string        `yaml:"code" json:"code"`
	Name   rulefile.Text `yaml:"name" json:"name"`
	Source string        `yaml:"source,omitempty" json:"source,omitempty"`
}

// First is the id of the file for sessions planned before the register kept with
// a session by which file it goes.
const First = "course-first"

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; most are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	say(r.PublicityDays >= 1 && r.PublicityDays <= 60, "publicity_days 应为 1 至 60", "publicity_days is 1 to 60")
	say(r.Retakes >= 0 && r.Retakes <= 20, "retakes 应为 0 至 20", "retakes is 0 to 20")
	say(r.RetainMonths >= 0 && r.RetainMonths <= 120, "retain_months 应为 0 至 120", "retain_months is 0 to 120")
	steps := map[Step]bool{}
	for _, d := range r.Steps {
		say(slices.Contains(Steps(), d.Step) && d.Step != StepExam && slices.Contains(Steps(), d.After) && !steps[d.Step],
			"steps 中的步骤重复或不存在："+string(d.Step), "steps has a step twice or one that does not exist: "+string(d.Step))
		say(d.Days >= -250 && d.Days <= 250, "days 应在 -250 至 250 之间", "days is -250 to 250")
		steps[d.Step] = true
	}
	modes, groups := map[string]bool{}, map[string]bool{}
	for _, m := range r.Modes {
		say(idForm.MatchString(m.Mode) && !modes[m.Mode], "modes 中的方式重复或有误："+m.Mode, "modes has one twice or malformed: "+m.Mode)
		say(m.Source != "" || m.Sample != "", "取得方式 "+m.Mode+" 应注明来源或样例", "mode "+m.Mode+" has a source or is a sample")
		say(m.Scores || m.Basis.ZH != "", "不考试的取得方式 "+m.Mode+" 应有依据要求", "mode "+m.Mode+" has no scores, so it asks for a basis")
		modes[m.Mode] = true
	}
	for _, g := range r.Groups {
		say(idForm.MatchString(g.Code) && g.Name.ZH != "" && g.Name.EN != "" && !groups[g.Code], "groups 中的类别重复或有误："+g.Code, "groups has one twice or malformed: "+g.Code)
		groups[g.Code] = true
	}
	return out
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
