package standards

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bajigong/internal/fail"
)

// Norm is one version of a 评价规范 of a 用人单位: the parts and pass marks by which
// it evaluates its own people in place of the 国家职业标准 (中办发〔2022〕58号: 企业自主
// 确定评价规范、评价方式). A version is never edited: what changes is a new version
// with the same Series.
//
// A norm that an institution files counts once the authority has accepted it; one
// that the authority records itself counts at once. What is not in the table is
// refused. The test of this package reads this table.
//
//	state     | accept   | refuse  | withdraw
//	----------+----------+---------+----------
//	filed     | accepted | refused | withdrawn
//	accepted  | -        | -       | withdrawn
//	refused   | -        | -       | -
//	withdrawn | -        | -       | -
//
// A session keeps the version it was planned with, also when that version is
// withdrawn or followed by another one.
type Norm struct {
	ID          string           `json:"id"`
	Series      string           `json:"series"`  // id of the first version
	Version     int              `json:"version"` // 1, 2, 3…
	Institution string           `json:"institution"`
	Filing      string           `json:"filing"` // 备案 under which it was filed
	Class       string           `json:"class"`  // of that filing; only Y
	Name        string           `json:"name"`
	Occupation  string           `json:"occupation"`
	Trade       string           `json:"trade,omitempty"`      // catalogue id; none means all trades
	Parts       map[Level][]Part `json:"parts"`                // per level
	Conditions  string           `json:"conditions,omitempty"` // its own 申报条件, in its words; none means those of the standard
	Document    string           `json:"document"`             // 文号 of the norm
	From        Date             `json:"from"`                 // first exam date it governs
	State       NormState        `json:"state"`
	Decision    *NormDecision    `json:"decision,omitempty"` // the newest
	Accepted    *time.Time       `json:"accepted,omitempty"` // the store's time, UTC
	Recorded    time.Time        `json:"recorded"`           // the store's time, UTC
}

// NormState is where a norm stands.
type NormState string

// The states of a norm.
const (
	NormFiled     NormState = "filed"     // 已报备，待审核
	NormAccepted  NormState = "accepted"  // 已备案
	NormRefused   NormState = "refused"   // 不予备案
	NormWithdrawn NormState = "withdrawn" // 已撤回
)

// NormStep is what is decided on a norm.
type NormStep string

// The steps.
const (
	NormAccept   NormStep = "accept"
	NormRefuse   NormStep = "refuse"
	NormWithdraw NormStep = "withdraw"
)

// NormStates lists the states, NormSteps the steps.
func NormStates() []NormState {
	return []NormState{NormFiled, NormAccepted, NormRefused, NormWithdrawn}
}

// NormSteps lists the steps.
func NormSteps() []NormStep { return []NormStep{NormAccept, NormRefuse, NormWithdraw} }

var normSteps = map[NormState]map[NormStep]NormState{
	NormFiled:    {NormAccept: NormAccepted, NormRefuse: NormRefused, NormWithdraw: NormWithdrawn},
	NormAccepted: {NormWithdraw: NormWithdrawn},
}

// NormDecision is what was decided on a norm, and why.
type NormDecision struct {
	Step     NormStep  `json:"step"`
	Document string    `json:"document,omitempty"` // 文号, needed to refuse
	Reason   string    `json:"reason,omitempty"`   // needed to refuse or withdraw
	At       time.Time `json:"at"`                 // the store's time, UTC
}

// employerClass is the class of a 用人单位 in certificate numbers (人社鉴发〔2019〕2号).
const employerClass = "Y"

// maxConditions bounds the text of a norm's own conditions.
const maxConditions = 4000

// FileNorm returns in as it is to be stored, filed at now, as the first version
// or as the next one after prev. What the parts may be is not said beyond their
// form: no source that was read sets a lower bound for the norm of an employer.
//
// Errors: Invalid norm_invalid with a field for everything wrong; Conflict
// norm_class (only a 用人单位 has its own), norm_series (prev is of another
// institution, occupation or trade).
func FileNorm(prev *Norm, in Norm, now time.Time) (Norm, error) {
	if in.Class != employerClass {
		return Norm{}, fail.New(fail.Conflict, "norm_class", "only an employer (class Y) has a norm of its own; the filing is of class %s and examines by the national standard", in.Class).
			In("只有用人单位（Y 类）可以制定评价规范；本备案为 %s 类，应执行国家职业标准", in.Class)
	}
	if bad := in.problems(); len(bad) > 0 {
		return Norm{}, fail.New(fail.Invalid, "norm_invalid", "the norm has mistakes").In("评价规范有误").At(bad...)
	}
	in.Series, in.Version, in.State, in.Decision, in.Accepted, in.Recorded = in.ID, 1, NormFiled, nil, nil, now.UTC()
	if prev != nil {
		if prev.Institution != in.Institution || prev.Occupation != in.Occupation || prev.Trade != in.Trade {
			return Norm{}, fail.New(fail.Conflict, "norm_series", "norm %s is of another institution, occupation or trade; file a new one instead of a version", prev.ID).
				In("评价规范 %s 属于其他机构、职业或工种，请另行报备，不作为新版本", prev.ID)
		}
		in.Series, in.Version = prev.Series, prev.Version+1
	}
	return in, nil
}

func (n Norm) problems() (bad []fail.Field) {
	say := func(ok bool, field, code, zh, en string) {
		if !ok {
			bad = append(bad, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
		}
	}
	say(plainText(n.Name, 100) && strings.TrimSpace(n.Name) == n.Name, "name", "text", "名称应为 1 至 100 个字，首尾无空格", "name has 1 to 100 characters, without spaces at either end")
	say(plainText(n.Document, 100) && strings.TrimSpace(n.Document) == n.Document, "document", "text", "应填写规范文号，1 至 100 个字", "document has 1 to 100 characters")
	say(n.From.Valid(), "from", "date", "起用日期应为实际存在的日期，如 2026-03-02", "from is an existing day such as 2026-03-02")
	say(utf8.ValidString(n.Conditions) && utf8.RuneCountInString(n.Conditions) <= maxConditions, "conditions", "too_long",
		fmt.Sprintf("申报条件最多 %d 个字", maxConditions), fmt.Sprintf("conditions have at most %d characters", maxConditions))
	code, err := ParseOccupationCode(n.Occupation)
	say(err == nil && code == n.Occupation, "occupation", "occupation", "职业编码应形如 6-31-01-03", "an occupation code has the form 6-31-01-03")
	if r, ok := Restricted(n.Occupation); ok {
		say(false, "occupation", "occupation_restricted", r.Name+"属准入类职业，须取得职业资格，不发职业技能等级证书", r.Name+" requires the vocational qualification (准入类)")
	}
	say(len(n.Parts) > 0, "parts", "missing", "应至少有一个等级的考核项目", "at least one level has parts")
	for _, l := range Levels() {
		parts, has := n.Parts[l]
		if !has {
			continue
		}
		at := "parts." + l.Code()
		say(l.Examined(), at, "not_examined", l.Name()+"不经考试认定", l.English()+" is not examined")
		say(len(parts) > 0, at, "missing", "应至少有一项考核", "at least one part is needed")
		kinds := map[PartKind]bool{}
		for i, p := range parts {
			one := fmt.Sprintf("%s[%d].", at, i)
			say(slices.Contains([]PartKind{Theory, Skill, Review}, p.Kind), one+"kind", "unknown", "应为 theory、skill 或 review", "kind is theory, skill or review")
			say(!kinds[p.Kind], one+"kind", "duplicate", "同一等级同类考核只能有一项", "a level has one part of a kind")
			kinds[p.Kind] = true
			say(plainText(p.Name, 30), one+"name", "text", "考核名称应为 1 至 30 个字", "the name of a part has 1 to 30 characters")
			say(p.Pass > 0 && p.Pass <= 100, one+"pass", "range", "合格分应大于 0 且不超过 100", "the pass mark is above 0 and at most 100")
		}
	}
	if _, none := n.Parts[0]; none {
		say(false, "parts", "level_unknown", "等级不能为空", "the level is missing")
	}
	return bad
}

// Decide returns the norm after a step at now. Errors: Invalid norm_step (no such
// step), norm_reason (a document or reason is missing); Conflict norm_state.
func (n Norm) Decide(d NormDecision, now time.Time) (Norm, error) {
	if !slices.Contains(NormSteps(), d.Step) {
		return n, fail.New(fail.Invalid, "norm_step", "the step is accept, refuse or withdraw").In("操作应为 accept、refuse 或 withdraw")
	}
	next, ok := normSteps[n.State][d.Step]
	if !ok {
		return n, fail.New(fail.Conflict, "norm_state", "norm %s is %s and cannot be changed by %s", n.ID, n.State, d.Step).
			In("评价规范 %s 当前状态为 %s，不能执行 %s", n.ID, n.State, d.Step)
	}
	var bad []fail.Field
	need := func(field, s string, needed bool) {
		if s == "" && !needed || plainText(s, 200) && strings.TrimSpace(s) == s {
			return
		}
		bad = append(bad, fail.Field{Name: field, Code: "text", ZH: "应为 1 至 200 个字，首尾无空格", EN: "1 to 200 characters, without spaces at either end"})
	}
	need("document", d.Document, d.Step == NormRefuse)
	need("reason", d.Reason, d.Step != NormAccept)
	if len(bad) > 0 {
		return n, fail.New(fail.Invalid, "norm_reason", "say on what document and why").In("请写明依据文件和理由").At(bad...)
	}
	d.At = now.UTC()
	n.State, n.Decision = next, &d
	if next == NormAccepted {
		n.Accepted = &d.At
	}
	return n, nil
}

// Governs reports whether a session of a level with an exam on a date may be
// planned by the norm; trade is the catalogue id of the session's, none for none.
// Error: Conflict norm_not_for_session with every reason as a field.
func (n Norm) Governs(occupation, trade string, level Level, exam Date) error {
	var bad []fail.Field
	say := func(ok bool, field, code, zh, en string) {
		if !ok {
			bad = append(bad, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
		}
	}
	say(n.State == NormAccepted, "norm", "norm_state", fmt.Sprintf("评价规范状态为 %s，尚未备案或已失效", n.State), fmt.Sprintf("the norm is %s, not accepted", n.State))
	say(n.Occupation == occupation, "occupation", "norm_occupation", "评价规范适用于职业 "+n.Occupation, "the norm is for occupation "+n.Occupation)
	say(n.Trade == "" || n.Trade == trade, "trade", "norm_trade", "评价规范只适用于工种 "+n.Trade, "the norm is for trade "+n.Trade+" alone")
	say(len(n.Parts[level]) > 0, "level", "norm_level", "评价规范没有"+level.Certificate()+"的考核要求", "the norm has no parts for "+level.Certificate())
	say(n.From <= exam, "exam_date", "norm_from", fmt.Sprintf("评价规范自 %s 起适用", n.From), fmt.Sprintf("the norm counts from %s", n.From))
	if len(bad) == 0 {
		return nil
	}
	return fail.New(fail.Conflict, "norm_not_for_session", "norm %s does not govern this session", n.ID).In("评价规范 %s 不适用于本批次", n.ID).At(bad...)
}

// VersionText is how a session names the norm as the standard it goes by.
func (n Norm) VersionText() string {
	return fmt.Sprintf("%s（%s，第 %d 版）", n.Name, n.Document, n.Version)
}
