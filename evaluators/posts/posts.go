// Package posts has the rules for 特级技师 and 首席技师, which are posts at an
// employer and no exam certificates, and for 学徒工, which is a status before the
// first level (人社部发〔2022〕14号, 中办发〔2022〕58号). It is pure.
//
// # Appointment 评聘
//
// The employer proposes, the authority files or refuses, and the post ends when
// its term is over, its holder leaves or is dismissed, or it was wrongly given.
// The test of this package reads this table; a dash means refused.
//
//	state     | file  | refuse  | withdraw  | end
//	----------+-------+---------+-----------+------
//	proposed  | filed | refused | withdrawn | -
//	filed     | -     | -       | -         | ended
//	refused   | -     | -       | -         | -
//	withdrawn | -     | -       | -         | -
//	ended     | -     | -       | -         | -
//
// # Apprentice 学徒工
//
//	state       | regularise  | leave
//	------------+-------------+------
//	apprentice  | regularised | left
//	regularised | -           | -
//	left        | -           | -
package posts

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Rules are the rules of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	Levels        []LevelRule `yaml:"levels" json:"levels"`
	Apprentice    struct {
		// Levels are those that 转正定级 may lead to.
		Levels []standards.Level `yaml:"levels" json:"levels"`
		Source string            `yaml:"source,omitempty" json:"source,omitempty"`
		Sample string            `yaml:"sample,omitempty" json:"sample,omitempty"`
	} `yaml:"apprentice" json:"apprentice"`
}

// LevelRule is what a post asks for.
type LevelRule struct {
	Level     standards.Level `yaml:"level" json:"level"`
	FromLevel standards.Level `yaml:"from_level" json:"from_level"`
	// Years are the whole years in a post of FromLevel.
	Years   int      `yaml:"years" json:"years"`
	Reviews []Review `yaml:"reviews" json:"reviews"`
	Paper   Paper    `yaml:"paper" json:"paper"` // what the region gives
	Source  string   `yaml:"source,omitempty" json:"source,omitempty"`
	Sample  string   `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Review is a kind of review.
type Review string

// The kinds of review.
const (
	Performance Review = "performance" // 业绩评审
	Defence     Review = "defence"     // 现场答辩
	Overall     Review = "overall"     // 综合评审
)

// Paper is what an appointed person has in hand.
type Paper string

// The papers.
const (
	Certificate Paper = "certificate" // 证书
	Listing     Paper = "listing"     // 公布的名单
)

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	seen := map[standards.Level]bool{}
	for _, l := range r.Levels {
		say(l.Level.Appointed() && !seen[l.Level], "levels 中的等级应为特级技师、首席技师，且不重复", "levels are 特级技师 and 首席技师, each once")
		say(l.FromLevel.Valid() && l.FromLevel < l.Level, "from_level 应低于 level", "from_level is below level")
		say(l.Years >= 0 && l.Years <= 40, "years 应为 0 至 40", "years is 0 to 40")
		say(l.Paper == Certificate || l.Paper == Listing, "paper 应为 certificate 或 listing", "paper is certificate or listing")
		say(len(l.Reviews) > 0, "reviews 不能为空", "reviews is not empty")
		say((l.Source != "") != (l.Sample != ""), "每个等级应注明 source 或 sample", "every level has a source or is a sample")
		for _, v := range l.Reviews {
			say(v == Performance || v == Defence || v == Overall, "reviews 中有不存在的方式", "reviews has a kind that does not exist")
		}
		seen[l.Level] = true
	}
	say(len(r.Apprentice.Levels) > 0, "apprentice.levels 不能为空", "apprentice.levels is not empty")
	return out
}

// rule is what the region says of a level.
func (r Rules) rule(l standards.Level) (LevelRule, bool) {
	i := slices.IndexFunc(r.Levels, func(x LevelRule) bool { return x.Level == l })
	if i < 0 {
		return LevelRule{}, false
	}
	return r.Levels[i], true
}

// State is how far an appointment has come.
type State string

// The states of an appointment.
const (
	Proposed  State = "proposed"
	Filed     State = "filed" // 已备案
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Ended     State = "ended"
)

// Ending is why a post ended.
type Ending string

// The endings.
const (
	Left      Ending = "left"       // 离开本单位
	Dismissed Ending = "dismissed"  // 解聘
	TermOver  Ending = "term_over"  // 聘期届满
	Revoked   Ending = "revoked"    // 取消：不应聘任
	Promoted  Ending = "promoted"   // 晋升
	Retired   Ending = "retirement" // 退休
)

var endings = []Ending{Left, Dismissed, TermOver, Revoked, Promoted, Retired}

// Appointment is a post given by an employer 评聘.
type Appointment struct {
	Employer   string          `json:"employer"` // 统一社会信用代码
	Occupation string          `json:"occupation"`
	Trade      string          `json:"trade,omitempty"`
	Level      standards.Level `json:"level"`
	Post       string          `json:"post"` // 岗位
	From       standards.Date  `json:"from"`
	Until      standards.Date  `json:"until,omitempty"` // the last day of the term; open when empty
	Review     Review          `json:"review"`
	List       string          `json:"list"`       // the name list it stands on
	HeldSince  standards.Date  `json:"held_since"` // in a post of the level below, without a break
	HeldProof  string          `json:"held_proof"` // number of that certificate, or of the earlier appointment
	State      State           `json:"state"`
	Proposed   time.Time       `json:"proposed"`
	Filed      *Filing         `json:"filed,omitempty"`
	End        *End            `json:"end,omitempty"`
	Why        string          `json:"why,omitempty"`  // it was refused or withdrawn
	Rule       string          `json:"rule,omitempty"` // id of the rule file
}

// Filing is the authority's filing of an appointment, and what the region gives.
type Filing struct {
	Document string    `json:"document"`
	Paper    Paper     `json:"paper"`
	Number   string    `json:"number,omitempty"` // of the certificate, when the region gives one
	At       time.Time `json:"at"`
}

// End is how a post ended. It counts from On.
type End struct {
	On       standards.Date `json:"on"`
	Why      Ending         `json:"why"`
	Document string         `json:"document,omitempty"`
	Recorded time.Time      `json:"recorded"`
}

// InForce reports whether the post is held on a day.
func (a Appointment) InForce(on standards.Date) bool {
	if a.State != Filed && a.State != Ended || on < a.From || a.Until != "" && on > a.Until {
		return false
	}
	return a.End == nil || a.End.Why != Revoked && on < a.End.On
}

func wrong(name, code, zh, en string) fail.Field {
	return fail.Field{Name: name, Code: code, ZH: zh, EN: en}
}

// Propose returns in as it is to be stored. hasSenior says whether the standard
// of the occupation has 高级技师: only above it the posts exist (中办发〔2022〕58号).
// before are the person's earlier appointments. Error: Invalid post_invalid with
// a field for everything wrong.
func Propose(r Rules, hasSenior bool, before []Appointment, in Appointment, now time.Time) (Appointment, error) {
	var bad []fail.Field
	say := func(ok bool, name, code, zh, en string) {
		if !ok {
			bad = append(bad, wrong(name, code, zh, en))
		}
	}
	rule, ok := r.rule(in.Level)
	say(in.Level.Appointed(), "level", "level", "只有特级技师、首席技师实行评聘；其他等级由评价机构考核认定", "only 特级技师 and 首席技师 are appointed; other levels are evaluated")
	say(ok || !in.Level.Appointed(), "level", "no_rule", "本地区尚无"+in.Level.Name()+"评聘规则", "this region has no rules for "+in.Level.English())
	say(hasSenior, "occupation", "no_senior_technician", "特级技师、首席技师只在设有高级技师的职业（工种）上增设（中办发〔2022〕58号）",
		"special and chief technicians exist only for occupations whose standard has 高级技师 (中办发〔2022〕58号)")
	for name, text := range map[string]string{"post": in.Post, "list": in.List, "held_proof": in.HeldProof} {
		n := len([]rune(strings.TrimSpace(text)))
		say(n >= 1 && n <= 100, name, "length", "应为 1 至 100 个字", "1 to 100 characters")
	}
	say(in.From.Valid(), "from", "date", "聘任起始日期应为实际存在的日期", "the first day is an existing day")
	say(in.Until == "" || in.Until.Valid() && in.Until >= in.From, "until", "date", "聘期截止日期应不早于起始日期", "the last day is not before the first")
	say(!ok || slices.Contains(rule.Reviews, in.Review), "review", "unknown", "评审方式不在本地区规定之列", "not a review of this region")
	if ok && in.From.Valid() {
		bad = append(bad, rule.held(before, in)...)
	}
	for _, a := range before {
		say(!(a.Level == in.Level && a.Occupation == in.Occupation && a.Employer == in.Employer && a.InForce(in.From)), "level", "already", "该人员在本单位已聘任同一职业同一等级", "the person holds this post already")
	}
	if len(bad) > 0 {
		return Appointment{}, fail.New(fail.Invalid, "post_invalid", "the appointment cannot be proposed").In("评聘信息有误").At(bad...)
	}
	in.State, in.Proposed, in.Rule, in.Filed, in.End, in.Why = Proposed, now.UTC(), r.ID, nil, nil, ""
	return in, nil
}

// held checks the time in the level below.
func (rule LevelRule) held(before []Appointment, in Appointment) (bad []fail.Field) {
	since := in.HeldSince
	if rule.FromLevel.Appointed() {
		// A chief was a special technician on our own record.
		i := slices.IndexFunc(before, func(a Appointment) bool {
			return a.Level == rule.FromLevel && a.Occupation == in.Occupation && a.InForce(in.From)
		})
		if i < 0 {
			return []fail.Field{wrong("held_since", "not_held", "聘任"+in.Level.Name()+"之日应在"+rule.FromLevel.Name()+"岗位", "on the first day the person holds a post as "+rule.FromLevel.English())}
		}
		since = before[i].From
	}
	if !since.Valid() || since > in.From {
		return []fail.Field{wrong("held_since", "date", "请填写任"+rule.FromLevel.Name()+"岗位的起始日期", "since when the person is "+rule.FromLevel.English())}
	}
	if full := since.AddMonths(12 * rule.Years); full > in.From {
		return []fail.Field{wrong("held_since", "years", fmt.Sprintf("在%s岗位应满 %d 年（%s），至%s方满", rule.FromLevel.Name(), rule.Years, rule.Source, full.Chinese()),
			fmt.Sprintf("%d whole years as %s are needed (%s), which are complete on %s", rule.Years, rule.FromLevel.English(), rule.Source, full))}
	}
	return nil
}

// transitions is the table of the package comment.
var transitions = map[State]map[string]State{
	Proposed: {"file": Filed, "refuse": Refused, "withdraw": Withdrawn},
	Filed:    {"end": Ended},
}

func (a Appointment) to(action string) (Appointment, error) {
	next, ok := transitions[a.State][action]
	if !ok {
		return a, fail.New(fail.Conflict, "post_state", "an appointment that is %s cannot be changed so", a.State).In("该评聘记录当前状态不能办理此项")
	}
	a.State = next
	return a, nil
}

// File records the authority's filing 备案.
func (a Appointment) File(r Rules, f Filing, now time.Time) (Appointment, error) {
	a, err := a.to("file")
	if err != nil {
		return a, err
	}
	rule, _ := r.rule(a.Level)
	f.Paper, f.At = rule.Paper, now.UTC()
	if f.Document = strings.TrimSpace(f.Document); f.Document == "" || len([]rune(f.Document)) > 100 {
		return a, fail.New(fail.Invalid, "post_invalid", "the number of the filing is missing").In("请填写备案文号").At(wrong("document", "length", "应为 1 至 100 个字", "1 to 100 characters"))
	}
	if f.Number != "" && f.Paper != Certificate {
		return a, fail.New(fail.Invalid, "post_invalid", "this region gives no certificates for posts").In("本地区以名单公布，不发证书").At(wrong("number", "not_here", "本地区不发证书，请留空", "leave it empty"))
	}
	a.Filed = &f
	return a, nil
}

// Refuse records why the authority does not file it.
func (a Appointment) Refuse(why string) (Appointment, error) { return a.because("refuse", why) }

// Withdraw takes a proposal back.
func (a Appointment) Withdraw(why string) (Appointment, error) { return a.because("withdraw", why) }

func (a Appointment) because(action, why string) (Appointment, error) {
	a, err := a.to(action)
	if err != nil {
		return a, err
	}
	if a.Why = strings.TrimSpace(why); a.Why == "" || len([]rune(a.Why)) > 500 {
		return a, fail.New(fail.Invalid, "post_invalid", "say why").In("请写明原因").At(wrong("reason", "length", "应为 1 至 500 个字", "1 to 500 characters"))
	}
	return a, nil
}

// Finish ends a post: its holder left, was dismissed, or should not have had it.
func (a Appointment) Finish(e End, now time.Time) (Appointment, error) {
	a, err := a.to("end")
	if err != nil {
		return a, err
	}
	var bad []fail.Field
	if !slices.Contains(endings, e.Why) {
		bad = append(bad, wrong("why", "unknown", "应为离开、解聘、期满、取消、晋升或退休", "left, dismissed, term_over, revoked, promoted or retirement"))
	}
	if !e.On.Valid() || e.On < a.From || e.On > standards.DateOf(now) {
		bad = append(bad, wrong("on", "date", "终止日期应在聘任起始日期之后，且不晚于今天", "from the first day to today"))
	}
	if e.Why == Revoked && strings.TrimSpace(e.Document) == "" {
		bad = append(bad, wrong("document", "required", "取消应有文号", "a revocation rests on a document"))
	}
	if len(bad) > 0 {
		return a, fail.New(fail.Invalid, "post_invalid", "the end of the post is not right").In("终止信息有误").At(bad...)
	}
	e.Recorded = now.UTC()
	a.End = &e
	return a, nil
}

// ApprenticeState is where an apprentice stands.
type ApprenticeState string

// The states of an apprentice.
const (
	IsApprentice ApprenticeState = "apprentice"
	Regularised  ApprenticeState = "regularised" // 转正定级
	HasLeft      ApprenticeState = "left"
)

// Apprenticeship is the status of a 学徒工 at an employer. It is no certificate
// and carries no subsidy unless a policy says so.
type Apprenticeship struct {
	Employer   string          `json:"employer"`
	Occupation string          `json:"occupation"`
	Trade      string          `json:"trade,omitempty"`
	From       standards.Date  `json:"from"`
	State      ApprenticeState `json:"state"`
	// On and Level are those of 转正定级, or On the day of leaving.
	On       standards.Date  `json:"on,omitempty"`
	Level    standards.Level `json:"level,omitempty"`
	Document string          `json:"document,omitempty"`
	Recorded time.Time       `json:"recorded"`
}

// Begin returns in as it is to be stored.
func Begin(in Apprenticeship, now time.Time) (Apprenticeship, error) {
	if !in.From.Valid() || in.From > standards.DateOf(now) {
		return in, fail.New(fail.Invalid, "apprentice_invalid", "the first day is not right").In("学徒起始日期有误").At(wrong("from", "date", "应为不晚于今天的日期", "a day not after today"))
	}
	in.State, in.Recorded, in.On, in.Level, in.Document = IsApprentice, now.UTC(), "", 0, ""
	return in, nil
}

// Regularise is 转正定级: the apprentice is given his first level by the employer.
func (a Apprenticeship) Regularise(r Rules, level standards.Level, on standards.Date, document string, now time.Time) (Apprenticeship, error) {
	if a.State != IsApprentice {
		return a, apprenticeState(a)
	}
	var bad []fail.Field
	if !slices.Contains(r.Apprentice.Levels, level) {
		bad = append(bad, wrong("level", "level", "学徒工转正定级不能定为"+level.Name(), "regularisation does not lead to this level"))
	}
	if !on.Valid() || on < a.From || on > standards.DateOf(now) {
		bad = append(bad, wrong("on", "date", "转正日期应在学徒起始日期之后，且不晚于今天", "from the first day to today"))
	}
	if document = strings.TrimSpace(document); document == "" || len([]rune(document)) > 100 {
		bad = append(bad, wrong("document", "length", "请填写定级文件，1 至 100 个字", "the document, 1 to 100 characters"))
	}
	if len(bad) > 0 {
		return a, fail.New(fail.Invalid, "apprentice_invalid", "the regularisation is not right").In("转正定级信息有误").At(bad...)
	}
	a.State, a.On, a.Level, a.Document = Regularised, on, level, document
	return a, nil
}

// Leave ends an apprenticeship without a level.
func (a Apprenticeship) Leave(on standards.Date, now time.Time) (Apprenticeship, error) {
	if a.State != IsApprentice {
		return a, apprenticeState(a)
	}
	if !on.Valid() || on < a.From || on > standards.DateOf(now) {
		return a, fail.New(fail.Invalid, "apprentice_invalid", "the day of leaving is not right").In("离开日期有误").At(wrong("on", "date", "应在学徒起始日期之后，且不晚于今天", "from the first day to today"))
	}
	a.State, a.On = HasLeft, on
	return a, nil
}

func apprenticeState(a Apprenticeship) error {
	return fail.New(fail.Conflict, "apprentice_state", "the apprentice is %s already", a.State).In("该学徒记录已办结")
}
