package uploads

import (
	"embed"
	"slices"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// New is the code of the data type of certificates that are reported for the first
// time 新增; every rule file has it.
const New = "new"

// Type is a data type of a report 数据类型, and the changes that are reported as it.
type Type struct {
	Code    string        `yaml:"code" json:"code"` // of this register
	Name    rulefile.Text `yaml:"name" json:"name"` // zh is what stands in the summary
	Changes []Change      `yaml:"changes,omitempty" json:"changes,omitempty"`
	Source  string        `yaml:"source,omitempty" json:"source,omitempty"`
	Sample  string        `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Types are the data types of one rule file.
type Types []Type

// Of is the code of the data type as which a change is reported; none when it is
// not reported.
func (t Types) Of(change Change) string {
	for _, one := range t {
		if slices.Contains(one.Changes, change) {
			return one.Code
		}
	}
	return ""
}

// Named returns the type of a code.
func (t Types) Named(code string) (Type, bool) {
	i := slices.IndexFunc(t, func(one Type) bool { return one.Code == code })
	if i < 0 {
		return Type{}, false
	}
	return t[i], true
}

// due is what changes come to: the last that is reported decides its type.
func (t Types) due(changes []Change, since standards.Date) *Due {
	for i := len(changes) - 1; i >= 0; i-- {
		if code := t.Of(changes[i]); code != "" {
			return &Due{Type: code, Changes: changes, Since: since}
		}
	}
	return nil
}

// DocumentCode is the code of a kind of document in the file.
type DocumentCode struct {
	Kind   standards.DocumentKind `yaml:"kind" json:"kind"`
	Code   string                 `yaml:"code" json:"code"`
	Source string                 `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string                 `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Rules are the rules of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	// Counts says that the national query decides: a certificate issued here is
	// answered not-yet-published until it can be queried. Otherwise the verdict only
	// shows where the report stands.
	Counts bool `yaml:"counts" json:"counts"`
	// LateDays are the working days after issue until which a report is in time.
	LateDays int `yaml:"late_days" json:"late_days"`
	// IssuerConfirms says that the institution itself may record, with evidence,
	// that its certificates can be queried; else only the authority may.
	IssuerConfirms bool `yaml:"issuer_confirms" json:"issuer_confirms"`
	// Employer stands in the file when none is known.
	Employer  string         `yaml:"employer" json:"employer"`
	Documents []DocumentCode `yaml:"documents" json:"documents"`
	Types     Types          `yaml:"types" json:"types"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// maxLate bounds the days of a rule file.
const maxLate = 366

// Document is the code of a kind of document; none when the file does not say.
func (r Rules) Document(kind standards.DocumentKind) string {
	for _, d := range r.Documents {
		if d.Kind == kind {
			return d.Code
		}
	}
	return ""
}

// Due is the last day in time for what was issued on a day.
func (r Rules) Due(cal standards.Calendar, issued standards.Date) standards.Date {
	due, _ := cal.AddWorkingDays(issued, r.LateDays)
	return due
}

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	say(r.LateDays >= 1 && r.LateDays <= maxLate, "late_days 应为 1 至 366 个工作日", "late_days is 1 to 366 working days")
	say(r.Employer != "" && len([]rune(r.Employer)) <= 100, "employer 应为 1 至 100 个字", "employer has 1 to 100 characters")
	kinds := map[standards.DocumentKind]bool{}
	for _, d := range r.Documents {
		say(d.Kind.Valid() && d.Code != "" && len(d.Code) <= 10, "documents 应写明已知的证件类型和不超过 10 个字符的代码", "documents names a known kind of document and a code of at most 10 characters")
		say(!kinds[d.Kind], "documents 中同一证件类型只写一次", "documents names each kind once")
		kinds[d.Kind] = true
	}
	codes, changes := map[string]bool{}, map[Change]bool{}
	for _, t := range r.Types {
		say(t.Code != "" && len(t.Code) <= 20 && !codes[t.Code], "types 的 code 不为空、不重复", "every type has a code of its own")
		say(t.Name.ZH != "" && t.Name.EN != "", "types 应有 zh 和 en 名称", "a type has a name in zh and en")
		codes[t.Code] = true
		for _, c := range t.Changes {
			say(slices.Contains(Changes(), c), "types 的 changes 只能是 correct、reissue、void、cancel、suspend、resume、undo", "changes are correct, reissue, void, cancel, suspend, resume, undo")
			say(!changes[c] && t.Code != New, "每种变化只属于一个数据类型，且不属于 new", "a change belongs to one type, and to another than new")
			changes[c] = true
		}
	}
	say(codes[New], "types 应有 code 为 new 的数据类型（新增）", "there is a type with the code new")
	return out
}
