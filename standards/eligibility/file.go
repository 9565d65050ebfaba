package eligibility

import (
	"fmt"
	"regexp"
	"slices"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// File is one rule file. It has conditions, lists of related occupations,
// waivers, or several of these; what it has counts in its region from its first
// day, which is compared with the date of registration.
type File struct {
	rulefile.Head `yaml:",inline"`

	// Version names the standard or technical rule that the conditions are of.
	Version string `yaml:"version,omitempty" json:"version,omitempty"`
	// Occupations are the codes whose own standard this is; empty for the default.
	Occupations []string    `yaml:"occupations,omitempty" json:"occupations,omitempty"`
	Conditions  []Condition `yaml:"conditions,omitempty" json:"conditions,omitempty"`
	// FinalYear says who at school is in the final year 应届. Without it no student
	// is, and only diplomas count.
	FinalYear *FinalYear `yaml:"final_year,omitempty" json:"final_year,omitempty"`
	Related   []Related  `yaml:"related,omitempty" json:"related,omitempty"`
	Waivers   []Waiver   `yaml:"waivers,omitempty" json:"waivers,omitempty"`
}

// Condition is one 申报条件 of a level.
type Condition struct {
	Key    string          `yaml:"key" json:"key"` // the level's digit and a letter: 4B
	Level  standards.Level `yaml:"level" json:"level"`
	ZH     string          `yaml:"zh" json:"zh"`
	EN     string          `yaml:"en" json:"en"`
	Source string          `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string          `yaml:"sample,omitempty" json:"sample,omitempty"`
	Needs  []Need          `yaml:"needs" json:"needs"` // all of them
}

// Need is one thing that a condition asks for. Exactly one member is set.
type Need struct {
	MinAge         int              `yaml:"min_age,omitempty" json:"min_age,omitempty"`                   // whole years
	IntendsToWork  bool             `yaml:"intends_to_work,omitempty" json:"intends_to_work,omitempty"`   // 拟从事
	Works          bool             `yaml:"works,omitempty" json:"works,omitempty"`                       // 从事: works in it on the day
	WorkYears      int              `yaml:"work_years_total,omitempty" json:"work_years_total,omitempty"` // 累计从事, whole years
	Apprenticeship bool             `yaml:"apprenticeship,omitempty" json:"apprenticeship,omitempty"`     // 学徒期满
	Certificate    *NeedCertificate `yaml:"certificate,omitempty" json:"certificate,omitempty"`
	Title          *NeedTitle       `yaml:"title,omitempty" json:"title,omitempty"`
	Diploma        *NeedDiploma     `yaml:"diploma,omitempty" json:"diploma,omitempty"`
	Student        *NeedStudent     `yaml:"student,omitempty" json:"student,omitempty"`
}

// NeedCertificate asks for a certificate, and for years after it.
type NeedCertificate struct {
	Level     standards.Level `yaml:"level" json:"level"`
	Scope     Scope           `yaml:"scope" json:"scope"`
	OrHigher  bool            `yaml:"or_higher,omitempty" json:"or_higher,omitempty"`
	Years     int             `yaml:"years_since_certificate,omitempty" json:"years_since_certificate,omitempty"`           // 取得证书满
	WorkYears int             `yaml:"work_years_after_certificate,omitempty" json:"work_years_after_certificate,omitempty"` // 取得证书后累计从事
}

// NeedTitle asks for a title that corresponds to the occupation, and for years
// after it.
type NeedTitle struct {
	Rank      Rank `yaml:"rank" json:"rank"`
	OrHigher  bool `yaml:"or_higher,omitempty" json:"or_higher,omitempty"`
	Years     int  `yaml:"years_since_title,omitempty" json:"years_since_title,omitempty"`
	WorkYears int  `yaml:"work_years_after_title,omitempty" json:"work_years_after_title,omitempty"`
}

// NeedDiploma asks for a school-leaving certificate.
type NeedDiploma struct {
	Words     rulefile.Text `yaml:"words" json:"words"` // what the schools are called in a sentence
	Schools   []School      `yaml:"schools" json:"schools"`
	Classes   []Class       `yaml:"classes,omitempty" json:"classes,omitempty"` // none: any class, or none
	Field     Scope         `yaml:"field" json:"field"`
	Students  bool          `yaml:"students,omitempty" json:"students,omitempty"`   // 含在读应届毕业生
	Evaluated bool          `yaml:"evaluated,omitempty" json:"evaluated,omitempty"` // 经评估论证
}

// NeedStudent asks to be a student on the day.
type NeedStudent struct {
	Words   rulefile.Text `yaml:"words" json:"words"`
	Schools []School      `yaml:"schools" json:"schools"`
	Classes []Class       `yaml:"classes" json:"classes"`
}

// Scope is how near to the occupation something has to be.
type Scope string

// The scopes.
const (
	Own          Scope = "own"            // 本职业, 本专业
	OwnOrRelated Scope = "own_or_related" // 本职业或相关职业, 本专业或相关专业
	AnyField     Scope = "any"            // of diplomas: the field is not asked for
)

// FinalYear is how many months before graduation somebody is 应届.
type FinalYear struct {
	Months int    `yaml:"months" json:"months"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Related is the list of 相关职业 that a standard names. Codes that the occupation
// had in earlier editions belong in it too.
type Related struct {
	Occupation string   `yaml:"occupation" json:"occupation"`
	Codes      []string `yaml:"codes" json:"codes"`
	Source     string   `yaml:"source,omitempty" json:"source,omitempty"`
	Sample     string   `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Waiver is what an application basis waives, and at which levels.
type Waiver struct {
	Basis  BasisKind         `yaml:"basis" json:"basis"`
	Levels []standards.Level `yaml:"levels" json:"levels"`
	Waives []MissingKind     `yaml:"waives" json:"waives"`
	Source string            `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string            `yaml:"sample,omitempty" json:"sample,omitempty"`
}

var (
	schools = []School{TechnicalSchool, SeniorTechnicalSchool, TechnicianCollege, SecondaryVocational, HigherVocational, JuniorCollege, University}
	classes = []Class{IntermediateClass, SeniorClass, PreTechnicianClass, TechnicianClass}
	keyForm = regexp.MustCompile(`^[1-5][A-Z]$`)
)

// maxYears bounds years in a file; nobody works longer.
const maxYears = 60

// fileChecker gathers what is wrong with a file.
type fileChecker struct{ bad []rulefile.Text }

func (c *fileChecker) say(ok bool, zh, en string) {
	if !ok {
		c.bad = append(c.bad, rulefile.Text{ZH: zh, EN: en})
	}
}

func (c *fileChecker) origin(at, source, sample string) {
	c.say(source == "" || sample == "", at+" 的 source 与 sample 只能有一项", at+": a source or a sample, not both")
}

func (c *fileChecker) code(at, code string) {
	parsed, err := standards.ParseOccupationCode(code)
	c.say(err == nil && parsed == code, at+"：职业编码应形如 6-31-01-03", at+": an occupation code has the form 6-31-01-03")
}

// Problems says what is wrong with a file beyond its form.
func (f File) Problems() []rulefile.Text {
	c := &fileChecker{}
	c.say(len(f.Conditions)+len(f.Related)+len(f.Waivers) > 0, "文件没有 conditions、related 或 waivers", "there are no conditions, related or waivers")
	c.say(len(f.Conditions) == 0 || f.Version != "", "conditions 应写明 version", "conditions need a version")
	for _, code := range f.Occupations {
		c.code("occupations", code)
	}
	seen := map[string]bool{}
	for _, one := range f.Conditions {
		at := "conditions " + one.Key
		digit, _ := one.Level.Digit()
		c.say(keyForm.MatchString(one.Key) && one.Key[0] == digit, at+"：key 应为等级数字加一个大写字母，如 4B", at+": a key is the level's digit and a capital, such as 4B")
		c.say(!seen[one.Key], at+" 重复", at+" stands twice")
		seen[one.Key] = true
		c.say(one.ZH != "" && one.EN != "", at+" 应有 zh 和 en", at+" has zh and en")
		c.origin(at, one.Source, one.Sample)
		c.say(len(one.Needs) > 0, at+" 没有 needs", at+" has no needs")
		for _, n := range one.Needs {
			c.need(at, n)
		}
	}
	if y := f.FinalYear; y != nil {
		c.origin("final_year", y.Source, y.Sample)
		c.say(y.Months >= 1 && y.Months <= 24, "final_year.months 应为 1 至 24", "final_year.months is 1 to 24")
	}
	f.listProblems(c)
	return c.bad
}

func (f File) listProblems(c *fileChecker) {
	seen := map[string]bool{}
	for _, r := range f.Related {
		c.code("related", r.Occupation)
		c.say(!seen[r.Occupation], "related 中 "+r.Occupation+" 重复", "related: "+r.Occupation+" stands twice")
		seen[r.Occupation] = true
		c.origin("related "+r.Occupation, r.Source, r.Sample)
		c.say(len(r.Codes) > 0, "related "+r.Occupation+" 没有 codes", "related "+r.Occupation+" has no codes")
		for _, code := range r.Codes {
			c.code("related "+r.Occupation, code)
			c.say(code != r.Occupation, "related 中不列本职业", "an occupation is not related to itself")
		}
	}
	for _, w := range f.Waivers {
		c.say(w.Basis == Exceptional || w.Basis == LevelSkipping, "waivers.basis 应为 exceptional 或 level_skipping", "waivers.basis is exceptional or level_skipping")
		c.origin("waivers", w.Source, w.Sample)
		c.say(len(w.Levels) > 0 && len(w.Waives) > 0, "waivers 应有 levels 和 waives", "a waiver has levels and waives")
		for _, l := range w.Levels {
			c.say(l.Examined(), "waivers.levels 应为五级至一级", "waivers.levels are junior to senior_technician")
		}
		for _, k := range w.Waives {
			c.say(k == MissingYears || k == MissingCertificate, "waives 只能是 years 或 certificate", "waives is years or certificate")
		}
	}
}

func (c *fileChecker) years(at string, years ...int) {
	for _, y := range years {
		c.say(y >= 0 && y <= maxYears, fmt.Sprintf("%s：年数应为 0 至 %d", at, maxYears), fmt.Sprintf("%s: years are 0 to %d", at, maxYears))
	}
}

func (c *fileChecker) need(at string, n Need) {
	c.years(at, n.MinAge, n.WorkYears)
	set := 0
	for _, is := range []bool{n.MinAge > 0, n.IntendsToWork, n.Works, n.WorkYears > 0, n.Apprenticeship, n.Certificate != nil, n.Title != nil, n.Diploma != nil, n.Student != nil} {
		if is {
			set++
		}
	}
	c.say(set == 1, at+"：每个 need 应且只应有一项", at+": each need has exactly one member")
	if k := n.Certificate; k != nil {
		c.years(at, k.Years, k.WorkYears)
		c.say(k.Level.Examined(), at+"：证书等级应为五级至一级", at+": a certificate's level is junior to senior_technician")
		c.say(k.Scope == Own || k.Scope == OwnOrRelated, at+"：scope 应为 own 或 own_or_related", at+": scope is own or own_or_related")
	}
	if k := n.Title; k != nil {
		c.years(at, k.Years, k.WorkYears)
		c.say(slices.Contains(ranks, k.Rank), at+"：rank 应为 junior、mid 或 senior", at+": rank is junior, mid or senior")
	}
	if k := n.Diploma; k != nil {
		c.school(at, k.Words, k.Schools, k.Classes)
		c.say(k.Field == Own || k.Field == OwnOrRelated || k.Field == AnyField, at+"：field 应为 own、own_or_related 或 any", at+": field is own, own_or_related or any")
	}
	if k := n.Student; k != nil {
		c.school(at, k.Words, k.Schools, k.Classes)
		c.say(len(k.Classes) > 0, at+"：student 应有 classes", at+": student has classes")
	}
}

func (c *fileChecker) school(at string, words rulefile.Text, ss []School, cs []Class) {
	c.say(words.ZH != "" && words.EN != "", at+"：words 应有 zh 和 en", at+": words has zh and en")
	c.say(len(ss) > 0, at+"：没有 schools", at+": there are no schools")
	for _, s := range ss {
		c.say(slices.Contains(schools, s), at+"：不认识的学校类别 "+string(s), at+": school "+string(s)+" is not known")
	}
	for _, k := range cs {
		c.say(slices.Contains(classes, k), at+"：不认识的班级类别 "+string(k), at+": class "+string(k)+" is not known")
	}
}
