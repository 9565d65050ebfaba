package credit

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// StarRules are the criteria of star ratings 星级评定 of one region from a date
// on. An assessment goes by those in force on the day it was begun.
type StarRules struct {
	rulefile.Head `yaml:",inline"`

	// Parts are what is scored, 0 to 100 each; the weights add up to 100.
	Parts []StarPart `yaml:"parts" json:"parts"`
	// Grades are the stars, the most first; who has less than the last gets none.
	Grades []StarGrade `yaml:"grades" json:"grades"`
	// PublicityDays is the least number of working days of publicity.
	PublicityDays int `yaml:"publicity_days" json:"publicity_days"`
	// TermMonths is how long a rating is in force.
	TermMonths int `yaml:"term_months" json:"term_months"`
}

// StarPart is one part of an assessment.
type StarPart struct {
	Code   Part   `yaml:"code" json:"code"`
	Name   Text   `yaml:"name" json:"name"`
	Weight int    `yaml:"weight" json:"weight"` // percent
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// StarGrade is the least result for a number of stars.
type StarGrade struct {
	Stars  int    `yaml:"stars" json:"stars"`
	From   int    `yaml:"from" json:"from"` // weighted result, 0 to 100
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Part is who scores.
type Part string

// The parts.
const (
	PartSelf       Part = "self"        // 机构自评
	PartThirdParty Part = "third_party" // 第三方评估
	PartSpotCheck  Part = "spot_check"  // 抽查
)

// Problems says what is wrong with a file beyond its form.
func (r StarRules) Problems() []Text {
	var p problems
	weight, seen := 0, map[Part]bool{}
	for _, part := range r.Parts {
		p.say(part.Code == PartSelf || part.Code == PartThirdParty || part.Code == PartSpotCheck, "评定环节 "+string(part.Code)+" 不存在", "there is no part "+string(part.Code))
		p.say(!seen[part.Code], "评定环节 "+string(part.Code)+" 重复", "the part "+string(part.Code)+" is there twice")
		p.say(part.Weight >= 1 && part.Weight <= 100, "权重应为 1 至 100", "a weight is 1 to 100")
		p.named("评定环节 part", string(part.Code), part.Name)
		seen[part.Code] = true
		weight += part.Weight
	}
	p.say(weight == 100, "各环节权重之和应为 100", "the weights add up to 100")
	for i, g := range r.Grades {
		p.say(g.Stars >= 1 && g.Stars <= 5 && g.From >= 0 && g.From <= 100, "星级应为 1 至 5，分数线应为 0 至 100", "stars are 1 to 5, from is 0 to 100")
		p.say(i == 0 || g.Stars < r.Grades[i-1].Stars && g.From < r.Grades[i-1].From, "星级应由高到低排列", "grades go from the most stars to the fewest")
	}
	p.say(len(r.Grades) > 0, "应有 grades", "there are grades")
	p.say(r.PublicityDays >= 1 && r.PublicityDays <= 60, "publicity_days 应为 1 至 60", "publicity_days is 1 to 60")
	p.say(r.TermMonths >= 1 && r.TermMonths <= 120, "term_months 应为 1 至 120", "term_months is 1 to 120")
	return p
}

// StarState is how far an assessment has come; see the package comment.
type StarState string

// The states of an assessment.
const (
	StarDraft      StarState = "draft"
	StarPublicised StarState = "publicised" // 公示中
	StarInForce    StarState = "in_force"   // 有效
	StarExpired    StarState = "expired"    // 已到期
	StarWithdrawn  StarState = "withdrawn"  // 已撤回
)

// StarStates lists every state.
func StarStates() []StarState {
	return []StarState{StarDraft, StarPublicised, StarInForce, StarExpired, StarWithdrawn}
}

// Chinese returns the word officials use.
func (s StarState) Chinese() string {
	return map[StarState]string{StarDraft: "评定中", StarPublicised: "公示中", StarInForce: "有效", StarExpired: "已到期", StarWithdrawn: "已撤回"}[s]
}

// StarAct is what may be done to an assessment.
type StarAct string

// The acts.
const (
	StarScore     StarAct = "score"
	StarPublicise StarAct = "publicise"
	StarObject    StarAct = "object"
	StarUphold    StarAct = "uphold"
	StarReject    StarAct = "reject"
	StarConfirm   StarAct = "confirm"
	StarWithdraw  StarAct = "withdraw"
)

// StarActs lists every act.
func StarActs() []StarAct {
	return []StarAct{StarScore, StarPublicise, StarObject, StarUphold, StarReject, StarConfirm, StarWithdraw}
}

var starNext = map[StarState]map[StarAct]StarState{
	StarDraft:      {StarScore: StarDraft, StarPublicise: StarPublicised, StarWithdraw: StarWithdrawn},
	StarPublicised: {StarObject: StarPublicised, StarUphold: StarDraft, StarReject: StarPublicised, StarConfirm: StarInForce, StarWithdraw: StarWithdrawn},
	StarInForce:    {StarWithdraw: StarWithdrawn},
}

// An Assessment is one star rating 星级评定 of an institution.
type Assessment struct {
	ID          string         `json:"id"`
	Institution string         `json:"institution"`
	From        standards.Date `json:"from"`  // first day of the period assessed
	Until       standards.Date `json:"until"` // last day
	Rules       string         `json:"rules"`
	Sample      string         `json:"sample,omitempty"`
	// Parts, Grades and the days are those of the file when it was begun.
	Parts         []StarPart  `json:"parts"`
	Grades        []StarGrade `json:"grades"`
	PublicityDays int         `json:"publicity_days"`
	TermMonths    int         `json:"term_months"`

	State      StarState      `json:"state"`
	Recorded   time.Time      `json:"recorded"`
	Scores     []PartScore    `json:"scores,omitempty"`
	Result     int            `json:"result"` // hundredths of a point, 0 to 10000
	Stars      int            `json:"stars"`  // 0 to 5; counts when in force
	Publicity  *StarPublicity `json:"publicity,omitempty"`
	Objections []Objection    `json:"objections,omitempty"`
	Term       *StarTerm      `json:"term,omitempty"`
	Withdrawn  *Withdrawal    `json:"withdrawn,omitempty"`
}

// PartScore is the score of one part.
type PartScore struct {
	Part     Part      `json:"part"`
	Score    int       `json:"score"` // 0 to 100
	Document string    `json:"document"`
	At       time.Time `json:"at"`
}

// StarPublicity is the publicity 公示 of a result.
type StarPublicity struct {
	From  standards.Date  `json:"from"`
	Until standards.Date  `json:"until"` // last day; confirmed from the day after
	Basis standards.Basis `json:"basis"`
	At    time.Time       `json:"at"`
}

// Objection 异议 was raised during the publicity.
type Objection struct {
	N       int        `json:"n"`
	Ground  string     `json:"ground"`
	At      time.Time  `json:"at"`
	Upheld  bool       `json:"upheld,omitempty"`
	Settled *time.Time `json:"settled,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

// StarTerm is when the rating is in force.
type StarTerm struct {
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until"`
	Document string         `json:"document"`
	At       time.Time      `json:"at"`
}

// Withdrawal ends something before its term.
type Withdrawal struct {
	On       standards.Date `json:"on"` // first day on which it does not count
	Document string         `json:"document"`
	Reason   string         `json:"reason"`
	At       time.Time      `json:"at"`
}

// MaxObjections is how many objections one assessment takes.
const MaxObjections = 100

// BeginAssessment returns in as it is to be stored. Errors: Invalid star_invalid;
// Conflict star_rules_missing.
func BeginAssessment(files rulefile.Set[StarRules], region string, in Assessment, now time.Time) (Assessment, error) {
	today := standards.DateOf(now)
	var f faults
	f.text("id", in.ID, true, 64, "标识", "id")
	f.span("from", "until", in.From, in.Until)
	if in.Until.Valid() && in.Until > today {
		f.add("until", "after_today", "评定期间应已结束", "the period assessed must have ended")
	}
	if err := f.refuse("star_invalid", "星级评定有误", "the star assessment is not right"); err != nil {
		return Assessment{}, err
	}
	rules, ok := files.On(region, string(today))
	if !ok {
		return Assessment{}, conflict("star_rules_missing", region+" 没有施行中的星级评定规则文件", "no star rule file is in force in "+region)
	}
	return Assessment{ID: in.ID, Institution: in.Institution, From: in.From, Until: in.Until, Rules: rules.ID, Sample: rules.Sample, Parts: rules.Parts,
		Grades: rules.Grades, PublicityDays: rules.PublicityDays, TermMonths: rules.TermMonths, State: StarDraft, Recorded: now.UTC()}, nil
}

// StateOn is the state on a day: a rating in force whose term has ended is
// expired.
func (a Assessment) StateOn(on standards.Date) StarState {
	if a.State == StarInForce && a.Term != nil && on > a.Term.Until {
		return StarExpired
	}
	return a.State
}

// step refuses an act that the state does not allow and returns a with the next
// state and lists of its own.
func (a Assessment) step(act StarAct, now time.Time) (Assessment, error) {
	state := a.StateOn(standards.DateOf(now))
	next, ok := starNext[state][act]
	if !ok {
		return a, conflict("star_state", fmt.Sprintf("星级评定 %s %s，不能进行此操作（%s）", a.ID, state.Chinese(), act),
			fmt.Sprintf("the assessment %s is %s; it does not allow: %s", a.ID, state, act))
	}
	a.State, a.Scores, a.Objections = next, slices.Clone(a.Scores), slices.Clone(a.Objections)
	return a, nil
}

// Score enters or replaces the score of a part.
func (a Assessment) Score(in PartScore, now time.Time) (Assessment, error) {
	a, err := a.step(StarScore, now)
	if err != nil {
		return a, err
	}
	var f faults
	if !slices.ContainsFunc(a.Parts, func(p StarPart) bool { return p.Code == in.Part }) {
		f.add("part", "unknown", fmt.Sprintf("评定规则 %s 没有环节 %s", a.Rules, in.Part), fmt.Sprintf("the star rules %s have no part %s", a.Rules, in.Part))
	}
	if in.Score < 0 || in.Score > 100 {
		f.add("score", "range", "得分应为 0 至 100", "a score is 0 to 100")
	}
	f.text("document", in.Document, true, 100, "报告编号", "document")
	if err := f.refuse("star_invalid", "星级评定得分有误", "the score is not right"); err != nil {
		return a, err
	}
	in.At = now.UTC()
	a.Scores = append(slices.DeleteFunc(a.Scores, func(s PartScore) bool { return s.Part == in.Part }), in)
	return a, nil
}

// Publicise computes the result and shows it, from today for the working days of
// the rules; days count from the day after today.
func (a Assessment) Publicise(cal standards.Calendar, now time.Time) (Assessment, error) {
	a, err := a.step(StarPublicise, now)
	if err != nil {
		return a, err
	}
	result, missing := 0, []string(nil)
	for _, p := range a.Parts {
		i := slices.IndexFunc(a.Scores, func(s PartScore) bool { return s.Part == p.Code })
		if i < 0 {
			missing = append(missing, p.Name.ZH+" "+string(p.Code))
			continue
		}
		result += p.Weight * a.Scores[i].Score
	}
	if len(missing) > 0 {
		return a, conflict("star_scores_missing", fmt.Sprintf("尚缺得分：%v", missing), fmt.Sprintf("scores are missing: %v", missing))
	}
	a.Result, a.Stars = result, 0
	for _, g := range a.Grades {
		if result >= 100*g.From {
			a.Stars = g.Stars
			break
		}
	}
	today := standards.DateOf(now)
	until, basis := cal.AddWorkingDays(today, a.PublicityDays)
	a.Publicity = &StarPublicity{From: today, Until: until, Basis: basis, At: now.UTC()}
	return a, nil
}

// Object takes an objection while the publicity runs.
func (a Assessment) Object(ground string, now time.Time) (Assessment, error) {
	a, err := a.step(StarObject, now)
	if err != nil {
		return a, err
	}
	var f faults
	f.text("ground", ground, true, 500, "异议理由", "ground")
	if err := f.refuse("star_invalid", "异议有误", "the objection is not right"); err != nil {
		return a, err
	}
	if today := standards.DateOf(now); today > a.Publicity.Until {
		return a, conflict("star_publicity_over", fmt.Sprintf("公示已于 %s 结束，不再受理异议", a.Publicity.Until.Chinese()),
			fmt.Sprintf("the publicity ended on %s; objections are not taken any more", a.Publicity.Until))
	}
	if len(a.Objections) >= MaxObjections {
		return a, conflict("star_objections_full", "异议已达上限，请先处理", "there are as many objections as can be taken; settle some first")
	}
	a.Objections = append(a.Objections, Objection{N: len(a.Objections) + 1, Ground: ground, At: now.UTC()})
	return a, nil
}

// Settle upholds or rejects objection n. Upheld: the assessment is a draft again.
func (a Assessment) Settle(n int, upheld bool, reason string, now time.Time) (Assessment, error) {
	act := StarReject
	if upheld {
		act = StarUphold
	}
	a, err := a.step(act, now)
	if err != nil {
		return a, err
	}
	var f faults
	f.text("reason", reason, true, 500, "处理理由", "reason")
	if n < 1 || n > len(a.Objections) {
		f.add("n", "unknown", fmt.Sprintf("没有第 %d 号异议", n), fmt.Sprintf("there is no objection %d", n))
	}
	if err := f.refuse("star_invalid", "异议处理有误", "the settlement is not right"); err != nil {
		return a, err
	}
	o := &a.Objections[n-1]
	if o.Settled != nil {
		return a, conflict("star_objection_settled", fmt.Sprintf("第 %d 号异议已处理", n), fmt.Sprintf("objection %d is settled already", n))
	}
	at := now.UTC()
	o.Upheld, o.Reason, o.Settled = upheld, reason, &at
	return a, nil
}

// Confirm puts the rating in force from today for the term of the rules.
func (a Assessment) Confirm(document string, now time.Time) (Assessment, error) {
	a, err := a.step(StarConfirm, now)
	if err != nil {
		return a, err
	}
	var f faults
	f.text("document", document, true, 100, "文号", "document")
	if err := f.refuse("star_invalid", "星级公布有误", "the confirmation is not right"); err != nil {
		return a, err
	}
	today := standards.DateOf(now)
	if today <= a.Publicity.Until {
		return a, conflict("star_publicity_running", fmt.Sprintf("公示至 %s 止，次日起方可公布", a.Publicity.Until.Chinese()),
			fmt.Sprintf("the publicity runs until %s; the rating is confirmed from the day after", a.Publicity.Until))
	}
	for _, o := range a.Objections {
		if o.Settled == nil {
			return a, conflict("star_objection_open", fmt.Sprintf("第 %d 号异议尚未处理", o.N), fmt.Sprintf("objection %d is open; uphold or reject it first", o.N))
		}
	}
	a.Term = &StarTerm{From: today, Until: addMonths(today, a.TermMonths).AddDays(-1), Document: document, At: now.UTC()}
	return a, nil
}

// Withdraw ends the assessment, or the rating from today on.
func (a Assessment) Withdraw(document, reason string, now time.Time) (Assessment, error) {
	a, err := a.step(StarWithdraw, now)
	if err != nil {
		return a, err
	}
	var f faults
	f.text("document", document, true, 100, "文号", "document")
	f.text("reason", reason, true, 500, "事由", "reason")
	if err := f.refuse("star_invalid", "撤回有误", "the withdrawal is not right"); err != nil {
		return a, err
	}
	a.Withdrawn = &Withdrawal{On: standards.DateOf(now), Document: document, Reason: reason, At: now.UTC()}
	return a, nil
}

// StarsOn is the rating of an institution on a day as known at a time: of those
// in force the one confirmed last, and of several of one second the one begun
// last.
func StarsOn(assessments []Assessment, on standards.Date, known time.Time) (out Assessment, ok bool) {
	for _, a := range assessments {
		if t := a.Term; t == nil || t.At.After(known) || on < t.From || on > t.Until {
			continue
		}
		if w := a.Withdrawn; w != nil && !w.At.After(known) && on >= w.On {
			continue
		}
		if !ok || cmp.Or(a.Term.At.Compare(out.Term.At), cmp.Compare(a.ID, out.ID)) > 0 {
			out, ok = a, true
		}
	}
	return out, ok
}
