package credit

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Text is a text for people in both languages.
type Text = rulefile.Text

// Rules are the credit rules of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	// Base is what an institution has with an empty ledger, in points.
	Base int `yaml:"base" json:"base"`
	// Public is what anybody may see of a score.
	Public Shown `yaml:"public" json:"public"`
	// YearBegins is the first day of the credit year, month-day: 01-01. The
	// yearly review 年度评价 is of the day before it.
	YearBegins string `yaml:"year_begins" json:"year_begins"`
	// CarryOver says what a new credit year does to points that still count.
	CarryOver CarryOver `yaml:"carry_over" json:"carry_over"`
	// Bands 信用等级, the best first. Who has fewer points than the last one asks
	// for is in the last one.
	Bands []Band `yaml:"bands" json:"bands"`
	// Severities 严重程度 in which the items are ordered for people.
	Severities []Word `yaml:"severities" json:"severities"`
	Items      []Item `yaml:"items" json:"items"`
	// Repairs 信用修复: an item that is in none of them cannot be repaired.
	Repairs []Repair `yaml:"repairs" json:"repairs"`
}

// Shown is what the public sees of a score.
type Shown string

// What the public may see.
const (
	ShowBand   Shown = "band"   // the band and its consequences
	ShowPoints Shown = "points" // the points too
)

// CarryOver is what a new credit year does.
type CarryOver string

// The carry-over rules.
const (
	Reset CarryOver = "reset" // points begin anew at the base
	Carry CarryOver = "carry" // points count on until their own term ends
)

// Band is a band of credit 信用等级 and what follows from it.
type Band struct {
	Code        string `yaml:"code" json:"code"` // A
	Name        Text   `yaml:"name" json:"name"`
	From        int    `yaml:"from" json:"from"` // least points
	Consequence Text   `yaml:"consequence" json:"consequence"`
	Source      string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample      string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Word is a code with its name.
type Word struct {
	Code string `yaml:"code" json:"code"`
	Name Text   `yaml:"name" json:"name"`
}

// Item is something that an institution can gain or lose points for.
type Item struct {
	Code     string `yaml:"code" json:"code"`
	Name     Text   `yaml:"name" json:"name"`
	Points   int    `yaml:"points" json:"points"`     // negative: a deduction
	Severity string `yaml:"severity" json:"severity"` // of Severities
	// Veto is the band that the institution is held in, however many points it
	// has; none when empty.
	Veto string `yaml:"veto,omitempty" json:"veto,omitempty"`
	// Expires is how long an event counts: "24 months", "year" (through its
	// credit year) or "never".
	Expires Term `yaml:"expires" json:"expires"`
	// Cap holds the sum of a credit year within −Cap and Cap; none when 0.
	Cap int `yaml:"cap,omitempty" json:"cap,omitempty"`
	// Origins are the procedures that may give rise to it.
	Origins []Origin `yaml:"origins" json:"origins"`
	// By are the tiers of authority that may record it by hand.
	By     []Tier `yaml:"by,omitempty" json:"by,omitempty"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Repair 修复 says which items an institution can put right, and after how long.
type Repair struct {
	Items       []string `yaml:"items" json:"items"`
	WaitMonths  int      `yaml:"wait_months" json:"wait_months"` // after the event's effective day
	Requirement Text     `yaml:"requirement" json:"requirement"`
	Source      string   `yaml:"source,omitempty" json:"source,omitempty"`
	Sample      string   `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Origin is what gave rise to an event.
type Origin string

// The origins of events.
const (
	OriginSupervision Origin = "supervision" // 督导报告
	OriginCase        Origin = "case"        // 行政决定
	OriginSign        Origin = "sign"        // a sign of fraud that a review confirmed
	OriginManual      Origin = "manual"      // entered by an authority
)

// Origins lists every origin.
func Origins() []Origin {
	return []Origin{OriginSupervision, OriginCase, OriginSign, OriginManual}
}

// Tier is the tier of an authority.
type Tier string

// The tiers.
const (
	Nation     Tier = "nation"
	Province   Tier = "province"
	Prefecture Tier = "prefecture"
	County     Tier = "county"
)

// TierOf tells the tier of an authority by the trailing zeros of its region
// (GB/T 2260); empty for what is no region.
func TierOf(region string) Tier {
	switch {
	case len(region) != 6:
		return ""
	case region == "000000":
		return Nation
	case region[2:] == "0000":
		return Province
	case region[4:] == "00":
		return Prefecture
	}
	return County
}

// Term is how long something counts: "24 months", "year" or "never".
type Term string

var monthsForm = regexp.MustCompile(`^([1-9][0-9]{0,2}) months$`)

// ParseTerm reads a term: the months, or 0 with year, or 0 for never.
func ParseTerm(t Term) (months int, year, ok bool) {
	switch t {
	case "year":
		return 0, true, true
	case "never":
		return 0, false, true
	}
	m := monthsForm.FindStringSubmatch(string(t))
	if m == nil {
		return 0, false, false
	}
	months, _ = strconv.Atoi(m[1])
	return months, false, true
}

// Sets are all the rule files of this package.
type Sets struct {
	Credit    rulefile.Set[Rules]
	Stars     rulefile.Set[StarRules]
	Lists     rulefile.Set[ListRules]
	Integrity rulefile.Set[IntegrityRules]
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the files that come with the product. All are samples: no
// published text with items, bands or criteria was found.
func Embedded() (s Sets, err error) {
	if s.Credit, err = rulefile.ReadSet[Rules](files, "data/credit-*.yaml"); err != nil {
		return s, err
	}
	if s.Stars, err = rulefile.ReadSet[StarRules](files, "data/stars-*.yaml"); err != nil {
		return s, err
	}
	if s.Lists, err = rulefile.ReadSet[ListRules](files, "data/lists-*.yaml"); err != nil {
		return s, err
	}
	s.Integrity, err = rulefile.ReadSet[IntegrityRules](files, "data/integrity-*.yaml")
	return s, err
}

// Item returns an item of the file.
func (r Rules) Item(code string) (Item, bool) {
	i := slices.IndexFunc(r.Items, func(i Item) bool { return i.Code == code })
	if i < 0 {
		return Item{}, false
	}
	return r.Items[i], true
}

// RepairOf returns how an item is repaired; false when it cannot be.
func (r Rules) RepairOf(item string) (Repair, bool) {
	for _, p := range r.Repairs {
		if slices.Contains(p.Items, item) {
			return p, true
		}
	}
	return Repair{}, false
}

// YearOf names the credit year of a day: the calendar year in which it begins.
func (r Rules) YearOf(d standards.Date) int {
	if y := d.Year(); y == 0 || string(d[5:]) >= r.YearBegins {
		return y
	} else {
		return y - 1
	}
}

// YearEnd is the last day of a credit year.
func (r Rules) YearEnd(year int) standards.Date {
	return standards.Date(fmt.Sprintf("%04d-%s", year+1, r.YearBegins)).AddDays(-1)
}

// bandOf is the place of the band that so many points give.
func (r Rules) bandOf(points int) int {
	for i, b := range r.Bands {
		if points >= b.From {
			return i
		}
	}
	return len(r.Bands) - 1
}

func (r Rules) bandIndex(code string) int {
	return slices.IndexFunc(r.Bands, func(b Band) bool { return b.Code == code })
}

// bandForm keeps spaces and punctuation out, see [Groups].
var bandForm = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}+]{0,9}$`)

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// most bounds every list of a rule file.
const most = 200

// problems collects what is wrong with a file.
type problems []Text

func (p *problems) say(ok bool, zh, en string) {
	if !ok {
		*p = append(*p, Text{ZH: zh, EN: en})
	}
}

func (t *problems) named(what string, code string, name Text) {
	t.say(name.ZH != "" && name.EN != "", what+" "+code+" 应有 zh 和 en 名称", what+" "+code+" has a name in zh and en")
}

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() []Text {
	var p problems
	p.say(r.Base >= -10_000 && r.Base <= 10_000, "base 应为 -10000 至 10000", "base is -10000 to 10000")
	p.say(r.Public == ShowBand || r.Public == ShowPoints, "public 应为 band 或 points", "public is band or points")
	p.say(standards.Date("2025-"+r.YearBegins).Valid(), "year_begins 应为 月-日（不得为 02-29），如 01-01", "year_begins is a month-day other than 02-29, such as 01-01")
	p.say(r.CarryOver == Reset || r.CarryOver == Carry, "carry_over 应为 reset 或 carry", "carry_over is reset or carry")
	p.say(len(r.Bands) >= 1 && len(r.Bands) <= 20, "bands 应有 1 至 20 项", "there are 1 to 20 bands")
	p.say(len(r.Items) <= most && len(r.Repairs) <= most && len(r.Severities) <= most, "每张表最多 200 项", "no list has more than 200 entries")
	for i, b := range r.Bands {
		p.say(bandForm.MatchString(b.Code) && r.bandIndex(b.Code) == i, "信用等级代码 "+b.Code+" 应为 1 至 10 个字母或数字，不得重复", "the band code "+b.Code+" has 1 to 10 letters or digits and is there once")
		p.named("信用等级 band", b.Code, b.Name)
		p.named("信用等级 band consequence", b.Code, b.Consequence)
		p.say(i == 0 || b.From < r.Bands[i-1].From, "信用等级应由高到低排列："+b.Code, "bands go from the best to the worst: "+b.Code)
	}
	seen := map[string]bool{}
	for _, item := range r.Items {
		p.say(!seen[item.Code], "事项 "+item.Code+" 重复", "item "+item.Code+" is there twice")
		seen[item.Code] = true
		r.itemProblems(&p, item)
	}
	for _, fix := range r.Repairs {
		p.say(fix.WaitMonths >= 0 && fix.WaitMonths <= 600, "wait_months 应为 0 至 600", "wait_months is 0 to 600")
		p.named("修复要求 requirement", strings.Join(fix.Items, ","), fix.Requirement)
		for _, code := range fix.Items {
			_, ok := r.Item(code)
			p.say(ok, "修复规则中的事项 "+code+" 不存在", "the repair names an item "+code+" that is not there")
		}
	}
	return p
}

func (r Rules) itemProblems(p *problems, item Item) {
	p.say(codeForm.MatchString(item.Code), "事项代码 "+item.Code+" 应为小写字母、数字和下划线", "the item code "+item.Code+" has lower-case letters, digits and _")
	p.named("事项 item", item.Code, item.Name)
	p.say(item.Points >= -10_000 && item.Points <= 10_000 && (item.Points != 0 || item.Veto != ""), "事项 "+item.Code+" 应有分值（-10000 至 10000）或一票否决", "item "+item.Code+" has points, -10000 to 10000, or a veto")
	p.say(item.Cap >= 0 && item.Cap <= 10_000, "事项 "+item.Code+" 的 cap 应为 0 至 10000", "the cap of item "+item.Code+" is 0 to 10000")
	p.say(item.Veto == "" || r.bandIndex(item.Veto) >= 0, "事项 "+item.Code+" 的 veto 不是已列的信用等级", "the veto of item "+item.Code+" is not one of the bands")
	_, _, ok := ParseTerm(item.Expires)
	p.say(ok, "事项 "+item.Code+" 的 expires 应为 \"24 months\"、year 或 never", "expires of item "+item.Code+` is "24 months", year or never`)
	p.say(slices.ContainsFunc(r.Severities, func(w Word) bool { return w.Code == item.Severity }), "事项 "+item.Code+" 的 severity 未列出", "the severity of item "+item.Code+" is not listed")
	p.say(len(item.Origins) > 0, "事项 "+item.Code+" 应列明 origins", "item "+item.Code+" has origins")
	for _, o := range item.Origins {
		p.say(slices.Contains(Origins(), o), "事项 "+item.Code+" 的来源 "+string(o)+" 不存在", "item "+item.Code+" has an origin "+string(o)+" that does not exist")
		p.say(o != OriginManual || len(item.By) > 0, "事项 "+item.Code+" 可人工记录，应列明 by", "item "+item.Code+" can be recorded by hand and has by")
	}
	for _, t := range item.By {
		p.say(t == Nation || t == Province || t == Prefecture || t == County, "事项 "+item.Code+" 的 by "+string(t)+" 不存在", "item "+item.Code+" has a tier "+string(t)+" that does not exist")
	}
}

// file finds a file by its id.
func file[T rulefile.File](set rulefile.Set[T], id string) (out T, ok bool) {
	for _, f := range set.All() {
		if f.Heading().ID == id {
			return f, true
		}
	}
	return out, false
}

// addMonths returns the same day n months later, or the last day of that month
// when it has no such day.
func addMonths(d standards.Date, n int) standards.Date {
	t := d.Time()
	if t.IsZero() {
		return ""
	}
	year, month := t.Year(), int(t.Month())-1+n
	year, month = year+month/12, month%12+1
	for day := t.Day(); day > 0; day-- {
		if out, ok := standards.NewDate(year, month, day); ok {
			return out
		}
	}
	return ""
}
