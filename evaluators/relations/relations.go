// Package relations says which bodies stand in which relation to a filing 备案:
// 备案机关, 属地监管机关, 行业主管部门. They differ by region, level and occupation,
// so they are data ([Rules]); a filing carries what was resolved from them when
// it was admitted.
package relations

import (
	"embed"
	"fmt"
	"slices"

	"bajigong/evaluators"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Rules are the bodies of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	// Bodies in the order in which they are asked: for each relation the first
	// that concerns an occupation and a level counts.
	Bodies []Rule `yaml:"bodies" json:"bodies"`
}

// Rule is one body, placed by the region of a site.
type Rule struct {
	Relation    evaluators.Relation `yaml:"relation" json:"relation"`
	At          Seat                `yaml:"at" json:"at"`
	Department  string              `yaml:"department,omitempty" json:"department,omitempty"` // short code, for a trade
	Name        rulefile.Text       `yaml:"name" json:"name"`
	Levels      []standards.Level   `yaml:"levels,omitempty" json:"levels,omitempty"`           // none means all
	Occupations []string            `yaml:"occupations,omitempty" json:"occupations,omitempty"` // beginnings of codes; none means all
	Source      string              `yaml:"source,omitempty" json:"source,omitempty"`
	Sample      string              `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Seat is the level of government at which a body sits.
type Seat string

// The seats.
const (
	Nation     Seat = "nation"
	Province   Seat = "province"   // of a 兵团 too
	Prefecture Seat = "prefecture" // 设区市, 师市
	County     Seat = "county"
)

// Region returns the region of a body that sits there for a place of six digits;
// empty when the place is not that small.
func (s Seat) Region(place string) string {
	switch {
	case len(place) != 6:
		return ""
	case s == Nation:
		return "000000"
	case s == Province:
		return place[:2] + "0000"
	case s == Prefecture && place[2:4] != "00":
		return place[:4] + "00"
	case s == County && place[4:] != "00":
		return place
	}
	return ""
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; most are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(i int, ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: fmt.Sprintf("bodies 第 %d 项：%s", i+1, zh), EN: fmt.Sprintf("bodies, item %d: %s", i+1, en)})
		}
	}
	if len(r.Bodies) > 50 {
		return []rulefile.Text{{ZH: "bodies 不超过 50 项", EN: "bodies has at most 50 items"}}
	}
	for i, b := range r.Bodies {
		say(i, b.Relation.Chinese() != "", "relation 应为 filing、local 或 trade", "relation is filing, local or trade")
		say(i, slices.Contains([]Seat{Nation, Province, Prefecture, County}, b.At), "at 应为 nation、province、prefecture 或 county", "at is nation, province, prefecture or county")
		say(i, b.Name.ZH != "" && b.Name.EN != "", "name 应有 zh 和 en", "name has zh and en")
		say(i, (b.Relation == evaluators.RelationTrade) == (b.Department != ""), "行业主管部门应有 department，其他关系不填", "a trade has a department, the others none")
		say(i, b.Source == "" || b.Sample == "", "source 与 sample 不能并有", "source and sample exclude each other")
	}
	return out
}

// Resolve returns the bodies for a filing with a site in a place. A body that the
// place is too large for is left out; of those that file, only the one that sits
// where the filing authority does is named.
func (r Rules) Resolve(place, authority string) []evaluators.Body {
	var out []evaluators.Body
	for _, b := range r.Bodies {
		region := b.At.Region(place)
		if region == "" || b.Relation == evaluators.RelationFiling && region != authority {
			continue
		}
		out = append(out, evaluators.Body{Relation: b.Relation, Region: region, Department: b.Department, ZH: b.Name.ZH, EN: b.Name.EN,
			Levels: standards.LevelsOf(b.Levels...), Occupations: slices.Clone(b.Occupations)})
	}
	return out
}
