package evaluators

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Relation is what an authority is to a filing. They are three, not one: who
// files is not who inspects, and the departments of the trades look at the
// certificates of their own (苏政办发〔2019〕71号 十五；江苏省2025—2027年行动方案 三).
//
//	relation | keep | suspend_site | inspect | propose | read_certificates
//	---------+------+--------------+---------+---------+------------------
//	filing   | yes  | yes          | yes     | yes     | yes
//	local    | -    | yes          | yes     | yes     | yes
//	trade    | -    | -            | -       | yes     | yes
type Relation string

// The relations.
const (
	RelationFiling Relation = "filing" // 备案机关: admits, changes, removes
	RelationLocal  Relation = "local"  // 属地监管机关: inspects, proposes, may suspend a site
	RelationTrade  Relation = "trade"  // 行业主管部门: checks the certificates of its trade
)

// Relations lists every relation.
func Relations() []Relation { return []Relation{RelationFiling, RelationLocal, RelationTrade} }

// Chinese returns the word officials use; empty for a relation that does not exist.
func (r Relation) Chinese() string { return relationWords[r].zh }

// English returns an English word; empty for a relation that does not exist.
func (r Relation) English() string { return relationWords[r].en }

var relationWords = map[Relation]words{
	RelationFiling: {"备案机关", "filing authority"},
	RelationLocal:  {"属地监管机关", "local supervising authority"},
	RelationTrade:  {"行业主管部门", "department of the trade"},
}

// Power is something a relation gives.
type Power string

// The powers.
const (
	PowerKeep             Power = "keep"         // admit, change, remove
	PowerSuspendSite      Power = "suspend_site" // and let it resume
	PowerInspect          Power = "inspect"
	PowerPropose          Power = "propose"
	PowerReadCertificates Power = "read_certificates"
)

// Powers lists every power.
func Powers() []Power {
	return []Power{PowerKeep, PowerSuspendSite, PowerInspect, PowerPropose, PowerReadCertificates}
}

// Gives reports whether the relation gives a power, by the table above.
func (r Relation) Gives(p Power) bool { return slices.Contains(powers[r], p) }

var powers = map[Relation][]Power{
	RelationFiling: Powers(),
	RelationLocal:  {PowerSuspendSite, PowerInspect, PowerPropose, PowerReadCertificates},
	RelationTrade:  {PowerPropose, PowerReadCertificates},
}

// A Body is one authority in one relation to a filing, for some levels and
// occupations: who supervises may depend on the level.
type Body struct {
	Relation    Relation           `json:"relation"`
	Region      string             `json:"region"`               // six digits; 000000 is the nation
	Department  string             `json:"department,omitempty"` // short code of a department other than 人社
	ZH          string             `json:"zh"`                   // as officials name it
	EN          string             `json:"en"`
	Levels      standards.LevelSet `json:"levels,omitempty"`      // none means all
	Occupations []string           `json:"occupations,omitempty"` // beginnings of codes; none means all
}

func (b Body) concerns(occupation string, level standards.Level) bool {
	return (b.Levels == 0 || b.Levels.Has(level)) && (len(b.Occupations) == 0 ||
		slices.ContainsFunc(b.Occupations, func(p string) bool { return strings.HasPrefix(occupation, p) }))
}

// Supervision is a recorded list of bodies: what a rule file gave when the filing
// was admitted, or what a document has set otherwise. The newest counts.
type Supervision struct {
	Bodies   []Body         `json:"bodies"`             // the first that concerns an occupation and level counts, for each relation
	Rules    string         `json:"rules,omitempty"`    // id of the rule file, or
	Document string         `json:"document,omitempty"` // of the decision
	Reason   string         `json:"reason,omitempty"`
	From     standards.Date `json:"from"`
	Recorded time.Time      `json:"recorded"`
}

// Governs reports whether an authority of region own has region within it, by
// the trailing zeros of GB/T 2260: 320000 has 320583, 320500 has 320583. What
// has no region is governed by nobody: nothing is open because it was not set.
func Governs(own, region string) bool {
	if len(own) != 6 || len(region) != 6 {
		return false
	}
	switch {
	case own == region, own == ministry:
		return true
	case own[2:] == "0000":
		return own[:2] == region[:2]
	case own[4:] == "00":
		return own[:4] == region[:4]
	}
	return false
}

// Keeper returns the region of the authority that keeps the filing in a register
// of a province: the 备案机关, or, when that is the ministry, the province, which
// gives the site its code (人社鉴发〔2019〕2号).
func (f Filing) Keeper() string {
	if f.Authority == ministry && len(f.Province) == 2 {
		return f.Province + "0000"
	}
	return f.Authority
}

// BodiesOn returns who stands in which relation to the filing on a date, as known
// at a time. The 备案机关 is always the filing's own authority, whatever a list
// says; when nothing is recorded there is no other.
func (f Filing) BodiesOn(on standards.Date, known time.Time) []Body {
	own := Body{Relation: RelationFiling, Region: f.Authority, ZH: RelationFiling.Chinese(), EN: RelationFiling.English()}
	var listed []Body
	for _, s := range f.Bodies {
		if !s.Recorded.After(known) && s.From <= on {
			listed = s.Bodies
		}
	}
	out := []Body{own}
	for _, b := range listed {
		if b.Relation != RelationFiling {
			out = append(out, b)
		} else if b.Region == f.Authority {
			out[0].ZH, out[0].EN = b.ZH, b.EN
		}
	}
	return out
}

// BodyFor returns the authority in a relation to the filing for an occupation at
// a level.
func (f Filing) BodyFor(r Relation, occupation string, level standards.Level, on standards.Date, known time.Time) (Body, bool) {
	for _, b := range f.BodiesOn(on, known) {
		if b.Relation == r && b.concerns(occupation, level) {
			return b, true
		}
	}
	return Body{}, false
}

// RelationTo returns in which relations an authority stands to the filing: that
// of a region and, for a trade, of a department (none for 人社). An authority
// above a body stands where the body does; one below never does: the county in
// which a site lies does not keep what the province has filed.
func (f Filing) RelationTo(region, department string, on standards.Date, known time.Time) []Relation {
	var out []Relation
	for _, b := range f.BodiesOn(on, known) {
		where := b.Region
		if b.Relation == RelationFiling {
			where = f.Keeper()
		}
		if b.Department == department && Governs(region, where) && !slices.Contains(out, b.Relation) {
			out = append(out, b.Relation)
		}
	}
	return out
}

// Holds returns the relation that gives a power among relations, the strongest
// first; none if none does.
func Holds(relations []Relation, p Power) (Relation, bool) {
	for _, r := range Relations() {
		if slices.Contains(relations, r) && r.Gives(p) {
			return r, true
		}
	}
	return "", false
}

// Supervise returns the filing with in recorded at now: who stands in which
// relation to it from a date on.
//
// Errors: Invalid supervision_invalid, with a field for everything wrong;
// Conflict too_many_changes.
func (f Filing) Supervise(in Supervision, now time.Time) (Filing, error) {
	in.Recorded = now.UTC()
	fs := day("from", in.From, "生效日期", "effective date")
	fs = append(fs, text("document", in.Document, in.Rules == "", 100, "文号", "number of the document")...)
	fs = append(fs, text("reason", in.Reason, false, 1000, "事由", "reason")...)
	if len(in.Bodies) == 0 || len(in.Bodies) > maxBodies {
		fs = append(fs, wrong("bodies", "count", fmt.Sprintf("监管机关应为 1 至 %d 个", maxBodies), fmt.Sprintf("1 to %d bodies are needed", maxBodies)))
	} else {
		for i, b := range in.Bodies {
			fs = append(fs, b.problems(f, fmt.Sprintf("bodies[%d].", i))...)
		}
	}
	if err := refuse("supervision_invalid", "监管关系有误", "the relations of authority are not right", fs); err != nil {
		return Filing{}, err
	}
	if len(f.Bodies) >= maxChanges {
		return Filing{}, tooMany("监管关系", "changes of authorities")
	}
	f.Bodies = append(slices.Clip(f.Bodies), in)
	return f, nil
}

// maxBodies bounds the authorities of one filing.
const maxBodies = 50

func (b Body) problems(f Filing, at string) []fail.Field {
	fs := text(at+"zh", b.ZH, true, 100, "机关名称", "Chinese name of the body")
	fs = append(fs, text(at+"en", b.EN, true, 200, "机关英文名称", "English name of the body")...)
	fs = append(fs, text(at+"department", b.Department, b.Relation == RelationTrade, 40, "部门代码", "code of the department")...)
	if b.Relation.Chinese() == "" {
		fs = append(fs, wrong(at+"relation", "relation", fmt.Sprintf("关系应为 filing（备案机关）、local（属地监管机关）或 trade（行业主管部门），实为 %q", b.Relation),
			fmt.Sprintf("a relation is filing, local or trade, not %q", b.Relation)))
	}
	if b.Region != ministry {
		fs = append(fs, region(at+"region", b.Region, "机关所属区划代码", "region of the body")...)
	}
	if b.Relation == RelationFiling && b.Region != f.Authority {
		fs = append(fs, wrong(at+"region", "authority", fmt.Sprintf("备案机关为 %s，变更备案机关须办理新的备案", f.Authority),
			fmt.Sprintf("the filing authority is %s; another one needs a new filing", f.Authority)))
	}
	if b.Relation != RelationTrade && b.Department != "" {
		fs = append(fs, wrong(at+"department", "relation", "备案机关和属地监管机关为人社部门，不填部门代码", "only a department of a trade has a code"))
	}
	if len(b.Occupations) > maxBodies {
		fs = append(fs, wrong(at+"occupations", "too_many", "职业代码过多", "too many occupations"))
	}
	return fs
}
