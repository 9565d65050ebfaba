package eligibility

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Limits of one record.
const (
	MaxEntries  = 200 // of each list
	MaxEvidence = 128 // characters of an evidence id
	maxText     = 100
)

// Record is what a person has brought forward, as reviewed. Every entry names
// its evidence 证明材料 by an id of the caller's; nothing counts without one.
type Record struct {
	Birth        standards.Date   `json:"birth"`
	Intention    *Intention       `json:"intention,omitempty"` // 拟从事本职业或相关职业
	Work         []Work           `json:"work,omitempty"`
	Apprentice   []Apprenticeship `json:"apprentice,omitempty"`
	Certificates []Certificate    `json:"certificates,omitempty"`
	Titles       []Title          `json:"titles,omitempty"`
	Diplomas     []Diploma        `json:"diplomas,omitempty"`
	Enrolled     []Enrolment      `json:"enrolled,omitempty"`
}

// Intention is the declaration that one means to work in the occupation.
type Intention struct {
	Declared standards.Date `json:"declared"`
	Evidence string         `json:"evidence"`
}

// Work is a period of work, both days worked.
type Work struct {
	From       standards.Date `json:"from"`
	Until      standards.Date `json:"until,omitempty"` // the last day worked; empty while it goes on
	Occupation string         `json:"occupation"`      // code d-dd-dd-dd, or its name or post as the proof has it
	Related    bool           `json:"related,omitempty"`
	Kind       WorkProof      `json:"kind"`
	Evidence   string         `json:"evidence"`
}

// WorkProof is what proves a period of work.
type WorkProof string

// The proofs of work.
const (
	Insurance  WorkProof = "insurance"  // 社保缴纳记录
	Commitment WorkProof = "commitment" // 承诺书
	Contract   WorkProof = "contract"   // 劳动合同
)

// Apprenticeship is one that ended with its full term 学徒期满.
type Apprenticeship struct {
	Completed  standards.Date `json:"completed"`
	Occupation string         `json:"occupation"`
	Related    bool           `json:"related,omitempty"`
	Evidence   string         `json:"evidence"`
}

// Certificate is a 职业资格证书 or a 职业技能等级证书; both count alike.
type Certificate struct {
	Level      standards.Level `json:"level"`
	Occupation string          `json:"occupation"`
	Related    bool            `json:"related,omitempty"`
	Kind       CertificateKind `json:"kind"`
	Issued     standards.Date  `json:"issued"`
	Evidence   string          `json:"evidence"` // its number, or the id of a copy
}

// CertificateKind is which of the two it is.
type CertificateKind string

// The kinds of certificates.
const (
	Qualification CertificateKind = "qualification" // 职业资格证书
	SkillLevel    CertificateKind = "skill_level"   // 职业技能等级证书
)

// Title is a professional title 职称, or the 专业技术人员职业资格 that stands for it.
type Title struct {
	Rank     Rank           `json:"rank"`
	Issued   standards.Date `json:"issued"`
	Field    Field          `json:"field"` // own and related both are 符合专业对应关系
	Evidence string         `json:"evidence"`
}

// Rank is the rank of a title.
type Rank string

// The ranks, lowest first.
const (
	JuniorTitle Rank = "junior" // 初级职称
	MidTitle    Rank = "mid"    // 中级职称
	SeniorTitle Rank = "senior" // 高级职称
)

var ranks = []Rank{JuniorTitle, MidTitle, SeniorTitle}

// Field is how a field of study or a title stands to the occupation.
type Field string

// The fields.
const (
	OwnField     Field = "own"     // 本专业
	RelatedField Field = "related" // 相关专业
	OtherField   Field = "other"
)

// Diploma is a school-leaving certificate 毕业证书, or one that is to come.
type Diploma struct {
	School    School         `json:"school"`
	Class     Class          `json:"class,omitempty"` // of a 技工院校
	Field     Field          `json:"field"`
	Graduated standards.Date `json:"graduated,omitempty"` // or
	Expected  standards.Date `json:"expected,omitempty"`  // of who is still at school
	Evaluated bool           `json:"evaluated,omitempty"` // 经评估论证
	Evidence  string         `json:"evidence"`
}

// School is a kind of school.
type School string

// The kinds of schools.
const (
	TechnicalSchool       School = "technical_school"        // 技工学校
	SeniorTechnicalSchool School = "senior_technical_school" // 高级技工学校
	TechnicianCollege     School = "technician_college"      // 技师学院
	SecondaryVocational   School = "secondary_vocational"    // 中等职业学校
	HigherVocational      School = "higher_vocational"       // 高等职业学校
	JuniorCollege         School = "junior_college"          // 普通高等学校（专科）
	University            School = "university"              // 普通高等学校（本科及以上）
)

// Class is a kind of class at a 技工院校.
type Class string

// The kinds of classes.
const (
	IntermediateClass  Class = "intermediate_class"   // 中级工班
	SeniorClass        Class = "senior_class"         // 高级工班
	PreTechnicianClass Class = "pre_technician_class" // 预备技师班
	TechnicianClass    Class = "technician_class"     // 技师班
)

// Enrolment is a time at school as a student.
type Enrolment struct {
	School   School         `json:"school"`
	Class    Class          `json:"class"`
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until,omitempty"` // the last day; empty while it goes on
	Evidence string         `json:"evidence"`
}

// ParseRecord reads a record from strict JSON and checks it. Error: Invalid
// eligibility_record with a field for everything wrong.
func ParseRecord(b []byte) (Record, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(&r)
	if err == nil && dec.More() {
		err = fmt.Errorf("more than one value")
	}
	if err != nil {
		return Record{}, fail.New(fail.Invalid, "eligibility_record", "the record cannot be read as JSON of a record").
			In("申报材料记录不是有效的 JSON").Because(err)
	}
	if bad := r.Problems(); len(bad) > 0 {
		return Record{}, fail.New(fail.Invalid, "eligibility_record", "the record has mistakes").In("申报材料记录有误").At(bad...)
	}
	return r, nil
}

// recordChecker gathers what is wrong.
type recordChecker struct{ bad []fail.Field }

func (c *recordChecker) say(ok bool, field, code, zh, en string) {
	if !ok {
		c.bad = append(c.bad, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
	}
}

func (c *recordChecker) date(field string, d standards.Date, needed bool) {
	c.say(d != "" || !needed, field, "missing", "未填写日期", "the date is missing")
	c.say(d == "" || d.Valid(), field, "date", "应为实际存在的日期，如 2025-03-01", "an existing day written 2025-03-01")
}

func (c *recordChecker) order(field string, from, until standards.Date) {
	c.say(until == "" || from <= until, field, "order", fmt.Sprintf("截止日期 %s 早于起始日期 %s", until, from),
		fmt.Sprintf("the last day %s is before the first day %s", until, from))
}

func (c *recordChecker) text(field, s string, most int) {
	n := utf8.RuneCountInString(s)
	c.say(n > 0 && n <= most && utf8.ValidString(s) && strings.TrimSpace(s) == s, field, "text",
		fmt.Sprintf("应为 1 至 %d 个字，首尾无空格", most), fmt.Sprintf("1 to %d characters, without spaces at either end", most))
}

func oneOf[T ~string](c *recordChecker, field string, v T, all ...T) {
	var names []string
	for _, a := range all {
		if a == v {
			return
		}
		names = append(names, string(a))
	}
	c.say(false, field, "unknown", "应为 "+strings.Join(names, "、")+" 之一", "one of "+strings.Join(names, ", "))
}

// Problems says what is wrong with the form of a record, each with its place;
// none when it is sound. What the record is worth is for [Evaluate].
func (r Record) Problems() []fail.Field {
	c := &recordChecker{}
	c.date("birth", r.Birth, true)
	for _, list := range []struct {
		name string
		n    int
	}{{"work", len(r.Work)}, {"apprentice", len(r.Apprentice)}, {"certificates", len(r.Certificates)},
		{"titles", len(r.Titles)}, {"diplomas", len(r.Diplomas)}, {"enrolled", len(r.Enrolled)}} {
		if list.n > MaxEntries {
			return []fail.Field{{Name: list.name, Code: "too_many", ZH: fmt.Sprintf("最多 %d 项", MaxEntries), EN: fmt.Sprintf("at most %d entries", MaxEntries)}}
		}
	}
	if i := r.Intention; i != nil {
		c.date("intention.declared", i.Declared, true)
		c.text("intention.evidence", i.Evidence, MaxEvidence)
	}
	for i, w := range r.Work {
		at := fmt.Sprintf("work[%d].", i)
		c.date(at+"from", w.From, true)
		c.date(at+"until", w.Until, false)
		c.order(at+"until", w.From, w.Until)
		c.say(w.From == "" || r.Birth == "" || w.From > r.Birth, at+"from", "before_birth", "早于出生日期", "before the date of birth")
		c.text(at+"occupation", w.Occupation, maxText)
		oneOf(c, at+"kind", w.Kind, Insurance, Commitment, Contract)
		c.text(at+"evidence", w.Evidence, MaxEvidence)
	}
	for i, a := range r.Apprentice {
		at := fmt.Sprintf("apprentice[%d].", i)
		c.date(at+"completed", a.Completed, true)
		c.text(at+"occupation", a.Occupation, maxText)
		c.text(at+"evidence", a.Evidence, MaxEvidence)
	}
	for i, one := range r.Certificates {
		at := fmt.Sprintf("certificates[%d].", i)
		c.say(one.Level.Examined(), at+"level", "level", "应为五级至一级", "五级 to 一级 (junior to senior_technician)")
		c.text(at+"occupation", one.Occupation, maxText)
		oneOf(c, at+"kind", one.Kind, Qualification, SkillLevel)
		c.date(at+"issued", one.Issued, true)
		c.text(at+"evidence", one.Evidence, MaxEvidence)
	}
	for i, t := range r.Titles {
		at := fmt.Sprintf("titles[%d].", i)
		oneOf(c, at+"rank", t.Rank, ranks...)
		c.date(at+"issued", t.Issued, true)
		oneOf(c, at+"field", t.Field, OwnField, RelatedField, OtherField)
		c.text(at+"evidence", t.Evidence, MaxEvidence)
	}
	r.schoolProblems(c)
	return c.bad
}

func (r Record) schoolProblems(c *recordChecker) {
	for i, d := range r.Diplomas {
		at := fmt.Sprintf("diplomas[%d].", i)
		oneOf(c, at+"school", d.School, schools...)
		if d.Class != "" {
			oneOf(c, at+"class", d.Class, classes...)
		}
		oneOf(c, at+"field", d.Field, OwnField, RelatedField, OtherField)
		c.say((d.Graduated == "") != (d.Expected == ""), at+"graduated", "one_date", "毕业日期与预计毕业日期应且只应填一项",
			"either the date of graduation or the expected one")
		c.date(at+"graduated", d.Graduated, false)
		c.date(at+"expected", d.Expected, false)
		c.text(at+"evidence", d.Evidence, MaxEvidence)
	}
	for i, e := range r.Enrolled {
		at := fmt.Sprintf("enrolled[%d].", i)
		oneOf(c, at+"school", e.School, schools...)
		oneOf(c, at+"class", e.Class, classes...)
		c.date(at+"from", e.From, true)
		c.date(at+"until", e.Until, false)
		c.order(at+"until", e.From, e.Until)
		c.text(at+"evidence", e.Evidence, MaxEvidence)
	}
}
