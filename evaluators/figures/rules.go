package figures

import (
	"embed"
	"regexp"
	"slices"
	"strings"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Fields is the rule file that puts occupations into fields 领域 for reports.
type Fields struct {
	rulefile.Head `yaml:",inline"`
	Fields        []Field      `yaml:"fields" json:"fields"`
	Occupations   []Membership `yaml:"occupations" json:"occupations"`
}

// Field is one 领域.
type Field struct {
	Code   string        `yaml:"code" json:"code"`
	Name   rulefile.Text `yaml:"name" json:"name"`
	Source string        `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string        `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Membership puts all occupations whose code begins with Prefix into a field; the
// longest prefix decides.
type Membership struct {
	Prefix string `yaml:"prefix" json:"prefix"` // 4-10 or 4-10-01-05
	Field  string `yaml:"field" json:"field"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

var prefixForm = regexp.MustCompile(`^\d(-\d\d){0,3}$`)

// Problems says what is wrong with a file beyond its form.
func (f Fields) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	say(len(f.Fields) > 0, "fields 不能为空", "there are no fields")
	codes, prefixes := map[string]bool{}, map[string]bool{}
	for _, x := range f.Fields {
		say(x.Code != "" && !codes[x.Code], "领域代码 "+x.Code+" 为空或重复", "the field code "+x.Code+" is empty or twice there")
		say(x.Name.ZH != "" && x.Name.EN != "", "领域 "+x.Code+" 应有 zh 和 en 名称", "the field "+x.Code+" has names zh and en")
		say((x.Source != "") != (x.Sample != ""), "领域 "+x.Code+" 应有 source 或 sample 之一", "the field "+x.Code+" has either a source or a sample")
		codes[x.Code] = true
	}
	for _, m := range f.Occupations {
		say(prefixForm.MatchString(m.Prefix), "职业编码前缀 "+m.Prefix+" 应形如 4-10 或 4-10-01-05", "the prefix "+m.Prefix+" must read like 4-10 or 4-10-01-05")
		say(!prefixes[m.Prefix], "职业编码前缀 "+m.Prefix+" 重复", "the prefix "+m.Prefix+" is twice there")
		say(codes[m.Field], "职业编码前缀 "+m.Prefix+" 的领域 "+m.Field+" 不存在", "the prefix "+m.Prefix+" names the unknown field "+m.Field)
		say((m.Source != "") != (m.Sample != ""), "职业编码前缀 "+m.Prefix+" 应有 source 或 sample 之一", "the prefix "+m.Prefix+" has either a source or a sample")
		prefixes[m.Prefix] = true
	}
	return out
}

// Of is the code of the field that an occupation is in; empty for none.
func (f Fields) Of(occupation string) string {
	field, length := "", 0
	for _, m := range f.Occupations {
		if len(m.Prefix) > length && (occupation == m.Prefix || strings.HasPrefix(occupation, m.Prefix+"-")) {
			field, length = m.Field, len(m.Prefix)
		}
	}
	return field
}

// Targets is the rule file with the targets of one region; they hold for that
// region alone, not for those within it.
type Targets struct {
	rulefile.Head `yaml:",inline"`
	Targets       []Target `yaml:"targets" json:"targets"`
}

// Measure is what a target counts, in 人次.
type Measure string

// The measures.
const (
	Certificates Measure = "certificates" // 新增取得证书
	HighSkilled  Measure = "high"         // 新增高技能人才, see High
)

// Target is a number to be reached by the end of a span of years.
type Target struct {
	Code    string        `yaml:"code" json:"code"`
	Name    rulefile.Text `yaml:"name" json:"name"`
	Measure Measure       `yaml:"measure" json:"measure"`
	From    int           `yaml:"from" json:"from"`   // first year
	Until   int           `yaml:"until" json:"until"` // last year
	Value   uint64        `yaml:"value" json:"value"` // 人次
	Source  string        `yaml:"source,omitempty" json:"source,omitempty"`
	Sample  string        `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// maxSpan bounds the years of a target: each is read for a report.
const maxSpan = 20

// Problems says what is wrong with a file beyond its form.
func (t Targets) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	codes := map[string]bool{}
	say(len(t.Targets) <= 20, "目标不超过 20 项", "there are at most 20 targets")
	for _, x := range t.Targets {
		say(x.Code != "" && !codes[x.Code], "目标代码 "+x.Code+" 为空或重复", "the code of the target "+x.Code+" is empty or twice there")
		say(x.Name.ZH != "" && x.Name.EN != "", "目标 "+x.Code+" 应有 zh 和 en 名称", "the target "+x.Code+" has names zh and en")
		say(slices.Contains([]Measure{Certificates, HighSkilled}, x.Measure), "目标 "+x.Code+" 的 measure 应为 certificates 或 high", "the measure of "+x.Code+" is certificates or high")
		say(x.From >= 1949 && x.From <= x.Until && x.Until-x.From < maxSpan, "目标 "+x.Code+" 的年份有误", "the years of "+x.Code+" are not right")
		say(x.Value > 0, "目标 "+x.Code+" 的数值应为正数", "the value of "+x.Code+" is positive")
		say((x.Source != "") != (x.Sample != ""), "目标 "+x.Code+" 应有 source 或 sample 之一", "the target "+x.Code+" has either a source or a sample")
		codes[x.Code] = true
	}
	return out
}

//go:embed data/*.yaml
var files embed.FS

// EmbeddedFields returns the fields that come with the product.
func EmbeddedFields() (rulefile.Set[Fields], error) {
	return rulefile.ReadSet[Fields](files, "data/fields-*.yaml")
}

// EmbeddedTargets returns the targets that come with the product.
func EmbeddedTargets() (rulefile.Set[Targets], error) {
	return rulefile.ReadSet[Targets](files, "data/targets-*.yaml")
}

// TargetsOf returns the targets of a region itself whose years include one.
func TargetsOf(set rulefile.Set[Targets], region string, on standards.Date) []Target {
	f, ok := set.On(region, string(on))
	if !ok || f.Region != region {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.Targets), func(t Target) bool { return on.Year() < t.From || on.Year() > t.Until })
}
