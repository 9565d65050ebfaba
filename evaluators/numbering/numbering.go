// Package numbering says who gives certificates their numbers in a province: the
// register, a range granted to the filing, or the province's own system whose
// numbers the results file brings. It differs by province, so it is data.
package numbering

import (
	"embed"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

// Mode is who gives the number.
type Mode string

// The modes.
const (
	Either    Mode = "either"    // what the file brings is taken, the rest is allocated
	Allocated Mode = "allocated" // allocated here; a number in the file is refused
	Granted   Mode = "granted"   // allocated here from a granted range 号段 and from nothing else
	Supplied  Mode = "supplied"  // brought by the file for everybody who passed
)

// Modes lists every mode.
func Modes() []Mode { return []Mode{Either, Allocated, Granted, Supplied} }

// Rules are the rules of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	Mode          Mode `yaml:"mode" json:"mode"`
	// AfterApproval: no number before the authority has approved the results, so
	// a results file can have none.
	AfterApproval bool `yaml:"after_approval" json:"after_approval"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; most are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	known := false
	for _, m := range Modes() {
		known = known || m == r.Mode
	}
	if !known {
		out = append(out, rulefile.Text{ZH: "mode 应为 either、allocated、granted 或 supplied", EN: "mode is either, allocated, granted or supplied"})
	}
	if r.AfterApproval && r.Mode == Supplied {
		out = append(out, rulefile.Text{ZH: "成绩批准之前没有编号，after_approval 不能与 supplied 并用", EN: "there is no number before approval: after_approval excludes supplied"})
	}
	return out
}

// Row judges the certificate number of one row of a results file: present or
// not, of somebody who passed or not. Error: Invalid number_not_taken,
// number_missing.
func (r Rules) Row(present, passed bool) error {
	switch {
	case present && (r.Mode == Allocated || r.Mode == Granted || r.AfterApproval):
		return fail.New(fail.Invalid, "number_not_taken", "in this province numbers are allocated when the certificates are issued (%s); leave the column empty", r.Name.EN).
			In("本省证书编号在发证时赋码（%s），请将此列留空", r.Name.ZH)
	case !present && passed && r.Mode == Supplied:
		return fail.New(fail.Invalid, "number_missing", "in this province the file brings the number of everybody who passed (%s)", r.Name.EN).
			In("本省证书编号由省级系统赋码后随成绩上报（%s），合格人员必须填写", r.Name.ZH)
	}
	return nil
}

// NeedsRange reports whether only granted ranges may be used.
func (r Rules) NeedsRange() bool { return r.Mode == Granted }
