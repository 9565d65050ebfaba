package evaluators

import (
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// An Institution is one organisation that evaluates skills 评价机构. What it may
// do stands in its filings, what became of it in the decisions.
type Institution struct {
	ID          string             `json:"id"`                     // short text given by the registry
	Name        string             `json:"name"`                   // the newest of Names
	Names       []NameChange       `json:"names"`                  // all names, oldest first
	USCC        string             `json:"uscc"`                   // 统一社会信用代码 GB 32100, 18 characters
	USCCWarning *standards.Warning `json:"uscc_warning,omitempty"` // what looks wrong in it, for instance the check character
	Region      string             `json:"region"`                 // 行政区划代码 GB/T 2260, six digits
	// Readmissions 重新准入 are the decisions by which it may be filed anew after
	// an exit, oldest first.
	Readmissions []Readmission `json:"readmissions,omitempty"`
}

// A NameChange is a name and the day from which it counts.
type NameChange struct {
	Name     string         `json:"name"`
	From     standards.Date `json:"from"`
	Recorded time.Time      `json:"recorded"`
	Document string         `json:"document,omitempty"` // 变更文号
}

// Register returns in as it is to be stored, its code normalised and its history
// begun with its first name, which counts from the day of now and for all time
// before.
//
// Errors: Invalid institution_invalid, with a field for everything wrong.
func Register(in Institution, now time.Time) (Institution, error) {
	fs := text("id", in.ID, true, 64, "机构标识", "id of the institution")
	fs = append(fs, text("name", in.Name, true, 100, "机构名称", "name of the institution")...)
	fs = append(fs, region("region", in.Region, "机构所在地区划代码", "region of the institution")...)
	code, warning, err := standards.ParseUSCC(in.USCC)
	if err != nil {
		fs = append(fs, wrong("uscc", fail.CodeOf(err), fail.Of(err).ZH, fail.Of(err).Text))
	}
	if err := refuse("institution_invalid", "机构信息有误", "the institution's particulars are not right", fs); err != nil {
		return Institution{}, err
	}
	in.USCC, in.USCCWarning = code, warning
	in.Names = []NameChange{{Name: in.Name, From: standards.DateOf(now), Recorded: now.UTC()}}
	return in, nil
}

// Rename returns the institution with a name that counts from a date, which may
// be past or to come but not before the newest name's. Certificates keep the
// name of their day, see [Institution.NameOn].
//
// Errors: Invalid rename_invalid, with a field for everything wrong.
func (i Institution) Rename(name string, from standards.Date, now time.Time) (Institution, error) {
	fs := text("name", name, true, 100, "机构名称", "name of the institution")
	if name == i.Name {
		fs = append(fs, wrong("name", "same", "新名称与现名称相同", "the new name is the present name"))
	}
	last := i.Names[len(i.Names)-1]
	switch {
	case !from.Valid():
		fs = append(fs, wrong("from", "date", "起用日期应为实际存在的日期，如 2026-03-02",
			"the first day of the name must be an existing day, for instance 2026-03-02"))
	case from < last.From:
		fs = append(fs, wrong("from", "order",
			fmt.Sprintf("起用日期不能早于现名称的起用日期 %s", last.From),
			fmt.Sprintf("the first day must not be before %s, from which the present name counts", last.From)))
	}
	if err := refuse("rename_invalid", "更名信息有误", "the change of name is not right", fs); err != nil {
		return Institution{}, err
	}
	i.Name = name
	i.Names = append(i.Names[:len(i.Names):len(i.Names)], NameChange{Name: name, From: from, Recorded: now.UTC()})
	return i, nil
}

// NameOn returns the institution's name on a date as it was known at a time:
// what a certificate of that date, received at that time, has on its face.
func (i Institution) NameOn(on standards.Date, known time.Time) string {
	name := i.Names[0].Name
	for _, n := range i.Names[1:] {
		if n.From <= on && !n.Recorded.After(known) {
			name = n.Name
		}
	}
	return name
}
