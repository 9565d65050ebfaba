package course

import (
	"slices"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Mode is what a region asks for one way to acquire a certificate 取得方式. It is
// another thing than the basis of the application 申报依据, which may waive years
// and levels and never scores or publicity.
type Mode struct {
	// Mode is its code: exam, direct_recognition, competition,
	// exceptional_promotion, conversion.
	Mode string `yaml:"mode" json:"mode"`
	// Scores: the parts of the standard are taken; without, a recognising body
	// says who is found fit 认定结果.
	Scores bool `yaml:"scores" json:"scores"`
	// Basis says what every candidate must bring; empty when nothing beside the
	// conditions of the standard is asked for.
	Basis rulefile.Text `yaml:"basis,omitempty" json:"basis,omitzero"`
	// Eligibility: the conditions 申报条件 of the standard are asked for as well.
	Eligibility bool `yaml:"eligibility" json:"eligibility"`
	// Levels it leads to; all examined levels when empty.
	Levels []standards.Level `yaml:"levels,omitempty" json:"levels,omitempty"`
	// Classes of institutions that may use it; all when empty.
	Classes []string `yaml:"classes,omitempty" json:"classes,omitempty"`
	// PerYear is how many certificates a person may acquire this way in one
	// natural year (Asia/Shanghai); any number when 0.
	PerYear int    `yaml:"per_year,omitempty" json:"per_year,omitempty"`
	Source  string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample  string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Mode returns what is asked for a mode; false when the region does not have it.
func (r Rules) Mode(code string) (Mode, bool) {
	i := slices.IndexFunc(r.Modes, func(m Mode) bool { return m.Mode == code })
	if i < 0 {
		return Mode{}, false
	}
	return r.Modes[i], true
}

// Leads reports whether the mode leads to a level.
func (m Mode) Leads(l standards.Level) bool {
	return len(m.Levels) == 0 || slices.Contains(m.Levels, l)
}

// Open reports whether institutions of a class may use the mode.
func (m Mode) Open(class string) bool {
	return len(m.Classes) == 0 || slices.Contains(m.Classes, class)
}

// Group returns the group with a code or Chinese name.
func (r Rules) Group(s string) (Group, bool) {
	i := slices.IndexFunc(r.Groups, func(g Group) bool { return g.Code == s || g.Name.ZH == s })
	if i < 0 {
		return Group{}, false
	}
	return r.Groups[i], true
}

// Platform reports whether an exam on a date needs the session's reference on
// the supervision platform 云眸 (凡补必进，不进不补).
func (r Rules) Platform(exam standards.Date) bool {
	return r.PlatformFrom != "" && exam >= r.PlatformFrom
}
