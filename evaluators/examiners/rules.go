package examiners

import (
	"embed"
	"fmt"
	"slices"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Kind is what a person is in an evaluation; a card is of one kind.
type Kind string

// The kinds.
const (
	OrdinaryExaminer   Kind = "examiner"            // 考评员
	SeniorExaminer     Kind = "senior_examiner"     // 高级考评员
	Staff              Kind = "staff"               // 考务人员
	InternalSupervisor Kind = "internal_supervisor" // 内部质量督导员（内督）
	ExternalSupervisor Kind = "external_supervisor" // 外部质量督导员（外督）
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{OrdinaryExaminer, SeniorExaminer, Staff, InternalSupervisor, ExternalSupervisor}
}

// Role is what somebody does in one session.
type Role string

// The roles.
const (
	InPanel    Role = "panel"               // 考评组成员
	InReview   Role = "review"              // 综合评审组成员
	Invigilate Role = "invigilator"         // 监考
	Inside     Role = "internal_supervisor" // 内部督导
	Outside    Role = "external_supervisor" // 外部督导
)

// Roles lists every role.
func Roles() []Role { return []Role{InPanel, InReview, Invigilate, Inside, Outside} }

var roleWords = map[Role]rulefile.Text{
	InPanel: {ZH: "考评组成员", EN: "a member of the panel"}, InReview: {ZH: "综合评审组成员", EN: "a member of the review panel"},
	Invigilate: {ZH: "监考人员", EN: "an invigilator"}, Inside: {ZH: "内部督导员", EN: "the internal supervisor"}, Outside: {ZH: "外部督导员", EN: "the external supervisor"},
}

// Text is the word for a role in both languages.
func (r Role) Text() rulefile.Text { return roleWords[r] }

// Basis says where a rule comes from: a document, or why it is only a sample. An
// entry without either stands on that of its file.
type Basis struct {
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Rules are the rules of one region from a date on. A session goes by those in
// force on the day its plan was filed, a card by those of the day it is registered
// or renewed.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	Kinds        []KindRule    `yaml:"kinds" json:"kinds"`
	Panel        PanelRule     `yaml:"panel" json:"panel"`
	Review       ReviewRule    `yaml:"review" json:"review"`
	Invigilation RoomRule      `yaml:"invigilation" json:"invigilation"`
	Rotation     RotationRule  `yaml:"rotation" json:"rotation"`
	SameDay      SameDayRule   `yaml:"same_day" json:"same_day"`
	Supervisors  SupervisorSet `yaml:"supervisors" json:"supervisors"`
	OwnSession   RoleRule      `yaml:"own_session" json:"own_session"`
	Relations    []Relation    `yaml:"relations" json:"relations"`
	Teaching     TeachingRule  `yaml:"teaching" json:"teaching"`
	Appeal       AppealRule    `yaml:"appeal" json:"appeal"`
	Supervision  Supervision   `yaml:"supervision" json:"supervision"`
}

// KindRule is who may hold a card of a kind and what it is good for.
type KindRule struct {
	Kind Kind          `yaml:"kind" json:"kind"`
	Name rulefile.Text `yaml:"name" json:"name"`
	// RegisteredBy is authority or institution; cards of the second belong to one
	// institution and are good in its sessions only.
	RegisteredBy string `yaml:"registered_by" json:"registered_by"`
	Roles        []Role `yaml:"roles" json:"roles"`
	// Levels are what the card may examine; without any it examines nothing.
	Levels         []standards.Level `yaml:"levels,omitempty" json:"levels,omitempty"`
	Qualifications []Choice          `yaml:"qualifications,omitempty" json:"qualifications,omitempty"` // one of them; none asked when empty
	Practice       *Practice         `yaml:"practice,omitempty" json:"practice,omitempty"`
	Validity       Validity          `yaml:"validity" json:"validity"`
	Number         *NumberRule       `yaml:"number,omitempty" json:"number,omitempty"`
	Basis          `yaml:",inline"`
}

// Choice is one of several things with a code.
type Choice struct {
	Code string        `yaml:"code" json:"code"`
	Name rulefile.Text `yaml:"name" json:"name"`
	// Clean, of a conclusion: it can be drawn only when nothing was found.
	Clean bool `yaml:"clean,omitempty" json:"clean,omitempty"`
	Basis `yaml:",inline"`
	// Credit is the item of the credit rules that a finding of the authority's
	// supervisor is recorded as; none when empty.
	Credit string `yaml:"credit,omitempty" json:"credit,omitempty"`
}

// Practice asks for whole years since somebody became of another kind.
type Practice struct {
	Kind  Kind `yaml:"kind" json:"kind"`
	Years int  `yaml:"years" json:"years"`
	Basis `yaml:",inline"`
}

// Validity is how many whole years a term of a card has at most; it is the term
// when none is asked for.
type Validity struct {
	Years int `yaml:"years" json:"years"`
	Basis `yaml:",inline"`
}

// NumberRule asks for a form of card numbers, in some provinces.
type NumberRule struct {
	Form      string   `yaml:"form" json:"form"`           // external_supervisor, see [SupervisorNumber]
	Provinces []string `yaml:"provinces" json:"provinces"` // two digits each
	Basis     `yaml:",inline"`
}

// PanelRule is how a panel 考评组 is made up.
type PanelRule struct {
	Least int  `yaml:"least" json:"least"`
	Odd   bool `yaml:"odd" json:"odd"`
	Chair bool `yaml:"chair" json:"chair"` // exactly one 组长
	Basis `yaml:",inline"`
}

// ReviewRule is how a panel of 综合评审 is made up, at the levels that have one.
type ReviewRule struct {
	Levels []standards.Level `yaml:"levels" json:"levels"`
	Least  int               `yaml:"least" json:"least"`
	Odd    bool              `yaml:"odd" json:"odd"`
	Basis  `yaml:",inline"`
}

// RoomRule is how many invigilators a room needs: one for each Candidates seats
// begun, and no fewer than Least.
type RoomRule struct {
	Candidates int `yaml:"candidates" json:"candidates"`
	Least      int `yaml:"least" json:"least"`
	Basis      `yaml:",inline"`
}

// RotationRule is how often in a row somebody may serve at one institution.
type RotationRule struct {
	Most  int    `yaml:"most" json:"most"` // sessions
	Roles []Role `yaml:"roles" json:"roles"`
	Basis `yaml:",inline"`
}

// SameDayRule is at how many institutions somebody may serve on one day; 0 asks
// nothing.
type SameDayRule struct {
	Institutions int    `yaml:"institutions" json:"institutions"`
	Roles        []Role `yaml:"roles" json:"roles"`
	Basis        `yaml:",inline"`
}

// SupervisorSet is which supervisors a session needs; Apart asks that they do
// nothing else in it.
type SupervisorSet struct {
	Required []Role `yaml:"required" json:"required"`
	Apart    bool   `yaml:"apart" json:"apart"`
	Basis    `yaml:",inline"`
}

// RoleRule is a rule that holds for some roles.
type RoleRule struct {
	Roles []Role `yaml:"roles" json:"roles"`
	Basis `yaml:",inline"`
}

// Relation is a reason to avoid 回避.
type Relation struct {
	Code  string        `yaml:"code" json:"code"`
	Name  rulefile.Text `yaml:"name" json:"name"`
	To    string        `yaml:"to" json:"to"` // person or organisation
	Roles []Role        `yaml:"roles" json:"roles"`
	Basis `yaml:",inline"`
}

// TeachingRule keeps teaching and examining apart 考培分离: who has taught at an
// institution does not examine there until Days days after the last one.
type TeachingRule struct {
	Days  int    `yaml:"days" json:"days"`
	Roles []Role `yaml:"roles" json:"roles"`
	Basis `yaml:",inline"`
}

// AppealRule is within how many days a measure can be appealed against.
type AppealRule struct {
	Days  int `yaml:"days" json:"days"`
	Basis `yaml:",inline"`
}

// Supervision is what a 督导报告 has in it.
type Supervision struct {
	// Sides are the sides that have to report before a session counts as supervised.
	Sides      []Side   `yaml:"sides" json:"sides"`
	Items      []Choice `yaml:"items" json:"items"`
	Severities []Choice `yaml:"severities" json:"severities"`
	Overall    []Choice `yaml:"overall" json:"overall"`
	Basis      `yaml:",inline"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// kind returns the rule of a kind.
func (r Rules) kind(k Kind) (KindRule, bool) {
	for _, one := range r.Kinds {
		if one.Kind == k {
			return one, true
		}
	}
	return KindRule{}, false
}

// KindRule returns the rule of a kind; ok is false when the file has none.
func (r Rules) KindRule(k Kind) (KindRule, bool) { return r.kind(k) }

func (r Rules) relation(code string) (Relation, bool) {
	for _, one := range r.Relations {
		if one.Code == code {
			return one, true
		}
	}
	return Relation{}, false
}

// Relation returns the rule of a relation; ok is false when the file has none.
func (r Rules) Relation(code string) (Relation, bool) { return r.relation(code) }

// cite names where a rule comes from, for the end of a sentence.
func (r Rules) cite(b Basis) (zh, en string) {
	if b.Source == "" && b.Sample == "" {
		b = Basis{Source: r.Source, Sample: r.Sample}
	}
	if b.Source != "" {
		return fmt.Sprintf("（依据：%s）", b.Source), fmt.Sprintf(" (rule: %s)", b.Source)
	}
	return fmt.Sprintf("（依据：规则文件 %s，样例，尚无文件确认）", r.ID), fmt.Sprintf(" (rule: file %s, a sample that no document confirms: %s)", r.ID, b.Sample)
}

func choice(of []Choice, code string) (Choice, bool) {
	for _, c := range of {
		if c.Code == code {
			return c, true
		}
	}
	return Choice{}, false
}

// teller gathers what is wrong with a file.
type teller struct{ out []rulefile.Text }

func (t *teller) say(ok bool, zh, en string) {
	if !ok {
		t.out = append(t.out, rulefile.Text{ZH: zh, EN: en})
	}
}

func (t *teller) basis(at string, b Basis) {
	t.say(b.Source == "" || b.Sample == "", at+" 的 source 与 sample 只能有一项", at+" has a source or a sample, not both")
}

func (t *teller) roles(at string, roles []Role) {
	for _, r := range roles {
		t.say(slices.Contains(Roles(), r), fmt.Sprintf("%s 中没有角色 %q", at, r), fmt.Sprintf("%s: there is no role %q", at, r))
	}
}

func (t *teller) choices(at string, of []Choice) {
	seen := map[string]bool{}
	for _, c := range of {
		t.say(c.Code != "" && !seen[c.Code], fmt.Sprintf("%s 的 code %q 为空或重复", at, c.Code), fmt.Sprintf("%s: code %q is empty or twice", at, c.Code))
		t.say(c.Name.ZH != "" && c.Name.EN != "", fmt.Sprintf("%s %s 应有中英文名称", at, c.Code), fmt.Sprintf("%s %s has a name in zh and en", at, c.Code))
		t.basis(at+" "+c.Code, c.Basis)
		seen[c.Code] = true
	}
}

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() []rulefile.Text {
	t := &teller{}
	r.kindProblems(t)
	t.say(r.Panel.Least >= 1 && r.Panel.Least <= 51, "panel.least 应为 1 至 51", "panel.least is 1 to 51")
	t.say(r.Review.Least >= 0 && r.Review.Least <= 51, "review.least 应为 0 至 51", "review.least is 0 to 51")
	t.say(r.Invigilation.Candidates >= 1 && r.Invigilation.Candidates <= 1000, "invigilation.candidates 应为 1 至 1000", "invigilation.candidates is 1 to 1000")
	t.say(r.Invigilation.Least >= 1 && r.Invigilation.Least <= 20, "invigilation.least 应为 1 至 20", "invigilation.least is 1 to 20")
	t.say(r.Rotation.Most >= 1 && r.Rotation.Most <= MostInARow, fmt.Sprintf("rotation.most 应为 1 至 %d", MostInARow), fmt.Sprintf("rotation.most is 1 to %d", MostInARow))
	t.say(r.SameDay.Institutions >= 0 && r.SameDay.Institutions <= 20, "same_day.institutions 应为 0 至 20", "same_day.institutions is 0 to 20")
	t.say(r.Teaching.Days >= 0 && r.Teaching.Days <= 3660, "teaching.days 应为 0 至 3660", "teaching.days is 0 to 3660")
	t.say(r.Appeal.Days >= 1 && r.Appeal.Days <= 366, "appeal.days 应为 1 至 366", "appeal.days is 1 to 366")
	for at, b := range map[string]Basis{"panel": r.Panel.Basis, "review": r.Review.Basis, "invigilation": r.Invigilation.Basis, "rotation": r.Rotation.Basis,
		"same_day": r.SameDay.Basis, "supervisors": r.Supervisors.Basis, "own_session": r.OwnSession.Basis, "teaching": r.Teaching.Basis, "appeal": r.Appeal.Basis, "supervision": r.Supervision.Basis} {
		t.basis(at, b)
	}
	t.roles("rotation", r.Rotation.Roles)
	t.roles("same_day", r.SameDay.Roles)
	t.roles("teaching", r.Teaching.Roles)
	t.roles("own_session", r.OwnSession.Roles)
	for _, role := range r.Supervisors.Required {
		t.say(role == Inside || role == Outside, "supervisors.required 只能是 internal_supervisor、external_supervisor", "supervisors.required has internal_supervisor and external_supervisor only")
	}
	r.relationProblems(t)
	for _, side := range r.Supervision.Sides {
		t.say(slices.Contains(Sides(), side), fmt.Sprintf("supervision.sides 中没有 %q", side), fmt.Sprintf("supervision.sides: there is no %q", side))
	}
	t.choices("supervision.items", r.Supervision.Items)
	t.choices("supervision.severities", r.Supervision.Severities)
	t.choices("supervision.overall", r.Supervision.Overall)
	t.say(len(r.Supervision.Items) > 0 && len(r.Supervision.Severities) > 0 && len(r.Supervision.Overall) > 0,
		"supervision 应有 items、severities、overall", "supervision has items, severities and overall")
	return t.out
}

func (r Rules) kindProblems(t *teller) {
	seen := map[Kind]bool{}
	for _, k := range r.Kinds {
		at := "kinds " + string(k.Kind)
		t.say(slices.Contains(Kinds(), k.Kind) && !seen[k.Kind], at+" 不存在或重复", at+" does not exist or is twice")
		seen[k.Kind] = true
		t.say(k.Name.ZH != "" && k.Name.EN != "", at+" 应有中英文名称", at+" has a name in zh and en")
		t.say(k.RegisteredBy == ByAuthority || k.RegisteredBy == ByInstitution, at+" 的 registered_by 应为 authority 或 institution", at+": registered_by is authority or institution")
		t.say(k.Validity.Years >= 1 && k.Validity.Years <= 30, at+" 的 validity.years 应为 1 至 30", at+": validity.years is 1 to 30")
		t.basis(at, k.Basis)
		t.basis(at+" validity", k.Validity.Basis)
		t.roles(at, k.Roles)
		t.choices(at+" qualifications", k.Qualifications)
		if k.Practice != nil {
			t.say(slices.Contains(Kinds(), k.Practice.Kind) && k.Practice.Years >= 1 && k.Practice.Years <= 30, at+" 的 practice 有误", at+": practice is not right")
			t.basis(at+" practice", k.Practice.Basis)
		}
		if k.Number != nil {
			t.say(k.Number.Form == formExternal, at+" 的 number.form 只能是 "+formExternal, at+": number.form is "+formExternal)
			t.basis(at+" number", k.Number.Basis)
		}
	}
	t.say(len(seen) == len(Kinds()), "kinds 应包括全部人员类别", "kinds has every kind")
}

func (r Rules) relationProblems(t *teller) {
	seen := map[string]bool{}
	for _, one := range r.Relations {
		at := "relations " + one.Code
		t.say(one.Code != "" && !seen[one.Code], at+" 为空或重复", at+" is empty or twice")
		seen[one.Code] = true
		t.say(one.Name.ZH != "" && one.Name.EN != "", at+" 应有中英文名称", at+" has a name in zh and en")
		t.say(one.To == ToPerson || one.To == ToOrganisation, at+" 的 to 应为 person 或 organisation", at+": to is person or organisation")
		t.basis(at, one.Basis)
		t.roles(at, one.Roles)
	}
}

// Who registers a card, and whom a relation is to.
const (
	ByAuthority    = "authority"
	ByInstitution  = "institution"
	ToPerson       = "person"
	ToOrganisation = "organisation"
)

// MostInARow bounds rotation.most of a rule file.
const MostInARow = 20
