package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// FactKind names a fact that the payer brings, because the register cannot know it,
// or knows it of its own certificates alone ([NationallyQueryable]).
type FactKind string

// The facts that policies ask for.
const (
	Employed        FactKind = "employed"         // yes or no: an employee of an enterprise 企业在职职工
	Insured         FactKind = "insured"          // yes or no: in the insurance 参保
	InsuredMonths   FactKind = "insured_months"   // whole months insured
	PensionEligible FactKind = "pension_eligible" // yes or no: entitled to a monthly pension
	PolicyInForce   FactKind = "policy_in_force"  // yes or no: the policy's authority says it still applies
	ScarceListed    FactKind = "scarce_listed"    // yes or no: on the local list of scarce occupations
	RightRestored   FactKind = "right_restored"   // yes or no: the refund gave the right to claim back
	// NationallyQueryable, yes or no: the national query 全国联网查询 finds the
	// certificate. No is "not yet": it holds a claim and never refuses one. Where the
	// register knows, it puts its own fact in the place of the payer's.
	NationallyQueryable FactKind = "nationally_queryable"
)

// The facts of language 2.
const (
	PersonGroup         FactKind = "person_group"                   // codes of all groups the person is in, between commas; or none
	PersonAge           FactKind = "age"                            // full years, where the document does not say
	PersonSex           FactKind = "sex"                            // where the document does not say
	ApprovedAmount      FactKind = "approved_amount"                // yuan: what the place has set 当地核定的补贴标准
	ApprovedCost        FactKind = "approved_cost"                  // yuan: the cost approved for this occupation and level
	CatalogueListed     FactKind = "catalogue_listed"               // 列入补贴目录
	LabourMonths        FactKind = "labour_contract_months"         // 劳动合同期限
	TrainedWithin       FactKind = "trained_within_contract_months" // months from the contract to the training
	InsuredHereMonths   FactKind = "insured_here_months"            // 在本地参保
	RealNameChecked     FactKind = "real_name_checked"              // 实名核验
	LevelMatchesPost    FactKind = "level_matches_post"             // 证岗相适
	SocialCardActive    FactKind = "social_card_active"             // 社会保障卡金融功能
	ProvinciallyFound   FactKind = "provincially_queryable"         // like NationallyQueryable, "no" is not yet
	IssuerPayLinked     FactKind = "issuer_pay_linked"              // 技能等级与薪酬挂钩
	IssuerPilot         FactKind = "issuer_pilot_recognised"        // 试点认定
	IssuerTaskListed    FactKind = "issuer_task_listed"             // 承接名单
	IsSupervised        FactKind = "supervised"                     // 云眸
	FundedBy            FactKind = "funded_by"                      // who paid for it: person, enterprise or institution
	Mandatory           FactKind = "mandatory"                      // 上岗准入、强制培训
	UnemploymentBenefit FactKind = "unemployment_benefit"           // 领取失业保险金
	FirstEvaluation     FactKind = "first_evaluation"               // 初次评价
	HigherIssuedLater   FactKind = "higher_issued_later"            // the higher certificate is the newer one
	PeriodOverlaps      FactKind = "period_overlaps"                // the days of a claim that lacks them overlap those of this one
	Trained             FactKind = "trained"                        // attended the training
	TrainingPassed      FactKind = "training_passed"                // 培训考核合格
	ThreeChecks         FactKind = "three_checks"                   // 开班申请、过程检查、结业审核
	LevelReached        FactKind = "level_reached"                  // 达到相应等级水平
	StartupReady        FactKind = "startup_ready"                  // 创业意愿、培训愿望和创业条件
	TrainerRecognised   FactKind = "institution_recognised"         // 培训机构经认定
	ProjectRecognised   FactKind = "project_recognised"             // 培训项目经认定
	EnterpriseSchool    FactKind = "enterprise_run_school"          // 企业举办或参与举办的院校
	FullTimeGraduate    FactKind = "full_time_graduate"             // 全日制学制教育毕业生
	EducationFundsUsed  FactKind = "education_funds_used"           // 职工教育经费足额提取并使用完
	KeyEnterprise       FactKind = "key_enterprise"                 // 重点企业
)

type factType string

const (
	asYesNo factType = ""      // yes or no
	asCount factType = "count" // whole months
	asYears factType = "years"
	asYuan  factType = "yuan"
	asSet   factType = "set"  // codes between commas, or none
	asWord  factType = "word" // one of factForm.words
)

type factForm struct {
	as    factType
	asked bool // asked by a section of its own, never by a FactRule
	since int  // language from which a FactRule may ask for it
	words []string
	name  Text
}

var factForms = map[FactKind]factForm{
	Employed:            {name: Text{"是否为企业在职职工", "employment by an enterprise"}},
	Insured:             {name: Text{"参保状态", "insurance status"}},
	InsuredMonths:       {as: asCount, name: Text{"累计参保月数", "months insured"}},
	PensionEligible:     {name: Text{"是否具有按月领取养老金资格", "entitlement to a monthly pension"}},
	NationallyQueryable: {name: Text{"全国联网是否可查", "the certificate's being found by the national query"}},
	PolicyInForce:       {asked: true, name: Text{"政策是否仍然有效", "confirmation that the policy is still in force"}},
	ScarceListed:        {asked: true, name: Text{"该职业（工种）是否列入当地紧缺目录", "listing among the locally scarce occupations"}},
	RightRestored:       {asked: true, name: Text{"追回后是否恢复申领资格", "restoration of the right to claim by the refund"}},

	PersonGroup:         {as: asSet, asked: true, name: Text{"人员类别（可填多类，均不属于的也请填明）", "the person's groups, or that there are none"}},
	PersonAge:           {as: asYears, asked: true, name: Text{"周岁年龄", "age in full years"}},
	PersonSex:           {as: asWord, words: []string{string(Female), string(Male)}, asked: true, name: Text{"性别（男或女）", "sex, male or female"}},
	ApprovedAmount:      {as: asYuan, asked: true, name: Text{"当地核定的补贴标准（元）", "the amount the place has set, in yuan"}},
	ApprovedCost:        {as: asYuan, asked: true, name: Text{"同职业（工种）同等级的核定成本（元）", "the approved cost of this occupation and level, in yuan"}},
	CatalogueListed:     {since: 2, name: Text{"该职业（工种）等级是否列入补贴目录", "listing in the subsidy catalogue"}},
	LabourMonths:        {as: asCount, since: 2, name: Text{"劳动合同期限（月）", "months of the labour contract"}},
	TrainedWithin:       {as: asCount, since: 2, name: Text{"签订劳动合同至培训的月数", "months from the labour contract to the training"}},
	InsuredHereMonths:   {as: asCount, since: 2, name: Text{"在本地累计参保月数", "months insured in this place"}},
	RealNameChecked:     {since: 2, name: Text{"是否已实名核验", "the check of the person's real name"}},
	LevelMatchesPost:    {since: 2, name: Text{"证书与所在岗位是否相适应（证岗相适）", "the certificate's fitting the person's post"}},
	SocialCardActive:    {since: 2, name: Text{"社会保障卡金融功能是否已激活", "the activation of the social security card's account"}},
	ProvinciallyFound:   {since: 2, name: Text{"省级平台是否可查", "the certificate's being found by the province's query"}},
	IssuerPayLinked:     {since: 2, name: Text{"评价企业的技能等级是否与薪酬待遇挂钩", "the employer's linking pay to the level"}},
	IssuerPilot:         {since: 2, name: Text{"评价企业是否经人社部门试点认定", "the employer's recognition as a pilot"}},
	IssuerTaskListed:    {since: 2, name: Text{"评价机构考试当日是否在承接名单内", "the institution's being on the list of those charged, on the day of the exam"}},
	IsSupervised:        {since: 2, name: Text{"培训或评价是否已纳入远程监管（云眸）", "the remote supervision of the training or exam"}},
	FundedBy:            {as: asWord, since: 2, words: []string{string(PayPerson), string(PayEnterprise), string(PayInstitution)}, name: Text{"出资方（个人、企业或机构）", "who paid: person, enterprise or institution"}},
	Mandatory:           {since: 2, name: Text{"是否属于上岗准入或强制培训", "its being training that the law demands for the post"}},
	UnemploymentBenefit: {since: 2, name: Text{"是否正在领取失业保险金", "the drawing of unemployment benefit"}},
	FirstEvaluation:     {since: 2, name: Text{"是否为初次评价", "its being the first evaluation"}},
	Trained:             {since: 2, name: Text{"是否参加了培训（训练）", "attendance of the training"}},
	TrainingPassed:      {since: 2, name: Text{"是否经培训考核合格", "the training's having been passed"}},
	ThreeChecks:         {since: 2, name: Text{"培训是否经开班申请、过程检查和结业审核", "the training's application, inspection and final review"}},
	LevelReached:        {since: 2, name: Text{"是否达到相应等级水平", "the level's having been reached"}},
	StartupReady:        {since: 2, name: Text{"是否具有创业意愿、培训愿望和创业条件", "the will and the means to start a business"}},
	TrainerRecognised:   {since: 2, name: Text{"培训机构是否经认定", "the recognition of the training institution"}},
	ProjectRecognised:   {since: 2, name: Text{"培训项目是否经认定", "the recognition of the training project"}},
	EnterpriseSchool:    {since: 2, name: Text{"院校是否由企业举办或参与举办", "the school's being run by an enterprise"}},
	FullTimeGraduate:    {since: 2, name: Text{"是否为全日制毕业生", "graduation from full-time study"}},
	EducationFundsUsed:  {since: 2, name: Text{"企业职工教育经费是否已足额提取并使用完", "the enterprise's having used its education funds"}},
	KeyEnterprise:       {since: 2, name: Text{"是否为重点企业", "its being a key enterprise"}},
	PeriodOverlaps:      {asked: true, name: Text{"已有申领的起止日期是否与本次重叠", "the overlap of the days of the claim that exists with these"}},
	HigherIssuedLater:   {asked: true, name: Text{"更高等级证书的发证日期是否晚于本证书", "the higher certificate's being newer than this one"}},
}

// FactDate is the date on which a fact is to hold.
type FactDate string

// The dates of facts. The first is meant by a kind without a date.
const (
	AtReceipt     FactDate = "receipt"     // the day the claim was received
	AtApplication FactDate = "application" // the day the person applied
	AtIssue       FactDate = "issue"       // the certificate's date of issue
	AtIssueMonth  FactDate = "issue_month" // the month of it
)

var factDates = map[FactDate]Text{
	AtReceipt: {"受理时", "on receipt"}, AtApplication: {"申请时", "on application"},
	AtIssue: {"发证日", "on the date of issue"}, AtIssueMonth: {"发证当月", "in the month of issue"},
}

// On returns the key in [Facts] of a fact that is to hold on a date: insured, or
// insured@issue_month.
func (k FactKind) On(d FactDate) FactKind {
	if d == "" || d == AtReceipt {
		return k
	}
	return k + "@" + FactKind(d)
}

// Split returns the kind without its date, and the date.
func (k FactKind) Split() (FactKind, FactDate) {
	kind, date, dated := strings.Cut(string(k), "@")
	if !dated {
		return k, AtReceipt
	}
	return FactKind(kind), FactDate(date)
}

// Known reports whether k is one of the facts, with or without a date.
func (k FactKind) Known() bool {
	kind, date := k.Split()
	_, ok := factForms[kind]
	_, dated := factDates[date]
	return ok && dated && (kind == k || date != AtReceipt)
}

// Name returns what the fact says, as a person would ask for it.
func (k FactKind) Name() Text {
	kind, date := k.Split()
	f, ok := factForms[kind]
	switch {
	case !ok:
		return Text{ZH: string(k), EN: string(k)}
	case kind == k:
		return f.name
	}
	return Text{ZH: f.name.ZH + "（" + factDates[date].ZH + "）", EN: f.name.EN + " " + factDates[date].EN}
}

// The values of a fact that answers a question.
const (
	Yes = "yes"
	No  = "no"
)

// A Fact is something outside the register, as somebody stated it. Value is yes
// or no, or a whole number, by its kind. Source says who stated it, At when,
// Reference where it can be looked up again. All four are needed for a fact to count.
type Fact struct {
	Value     string    `json:"value"`
	Source    string    `json:"source"`
	At        time.Time `json:"at"`
	Reference string    `json:"reference"`
}

// Facts are the outside facts of one claim.
type Facts map[FactKind]Fact

// Validate reports facts of unknown kinds and values of the wrong form as
// fail.Invalid with a field each. A fact that is absent is not an error:
// evaluating asks for it.
func (f Facts) Validate() error {
	var fields []fail.Field
	for _, k := range sortedKeys(f) {
		if !k.Known() {
			fields = append(fields, fail.Field{Name: "facts." + string(k), Code: "unknown_fact",
				ZH: "未知的事实项，可用：" + strings.Join(factNames(), "、"),
				EN: "no such fact; known are " + strings.Join(factNames(), ", ")})
			continue
		}
		if why, bad := f[k].unusable(k, time.Time{}); bad {
			fields = append(fields, fail.Field{Name: "facts." + string(k), Code: "fact_form", ZH: why.ZH, EN: why.EN})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, "facts", "%d of the facts cannot be read", len(fields)).
		In("有 %d 项事实无法识别", len(fields)).At(fields...)
}

func factNames() []string {
	var out []string
	for _, k := range sortedKeys(factForms) {
		out = append(out, string(k))
	}
	return out
}

// unusable says why a fact cannot be used. A zero now skips the check against
// facts stated on a later day than now.
func (f Fact) unusable(k FactKind, now time.Time) (Text, bool) {
	kind, _ := k.Split()
	if why, bad := factForms[kind].wrong(f.Value); bad {
		return why, true
	}
	switch {
	case strings.TrimSpace(f.Source) == "":
		return Text{"缺少来源（由谁提供）", "lacks its source: who says so"}, true
	case f.At.IsZero():
		return Text{"缺少时间（何时核查）", "lacks its time: when it was looked up"}, true
	case strings.TrimSpace(f.Reference) == "":
		return Text{"缺少凭据编号（可再次查证）", "lacks its reference: where it can be looked up again"}, true
	case !now.IsZero() && f.At.After(now) && standards.DateOf(f.At) > standards.DateOf(now):
		return Text{"核查时间晚于今天", "was stated on a day after today"}, true
	}
	return Text{}, false
}

// wordsZH are the values of facts that are words, in Chinese.
var wordsZH = map[string]string{string(Female): "女", string(Male): "男", string(PayPerson): "个人", string(PayEnterprise): "企业", string(PayInstitution): "机构"}

// ReadValue is the value that a text of a table means for a fact of kind k: 是 and 否
// are yes and no, and words are taken in Chinese. What is none of these stays as it is.
func (k FactKind) ReadValue(text string) string {
	text = strings.TrimSpace(text)
	kind, _ := k.Split()
	form := factForms[kind]
	for _, w := range form.words {
		if text == wordsZH[w] {
			return w
		}
	}
	switch strings.ToLower(text) {
	case "是", Yes, "true":
		return Yes
	case "否", No, "false":
		return No
	}
	return text
}

// yuanMost bounds a fact that is money, so that nothing computed from it overflows.
const yuanMost Fen = 1_000_000_000

// wrong says why a value does not have the form.
func (f factForm) wrong(v string) (Text, bool) {
	switch f.as {
	case asYesNo:
		return Text{"应为 yes 或 no", "must be yes or no"}, v != Yes && v != No
	case asCount:
		_, ok := count(v)
		return Text{"应为不带小数的月数，例如 12", "must be a whole number, such as 12"}, !ok
	case asYears:
		_, ok := count(v)
		return Text{"应为整数周岁，例如 30", "must be a whole number of years, such as 30"}, !ok
	case asYuan:
		fen, ok := ParseFen(v)
		return Text{"应为大于零的金额（元），例如 1500 或 1500.50", "must be an amount above zero in yuan, such as 1500 or 1500.50"}, !ok || fen == 0 || fen > yuanMost
	case asWord:
		if slices.Contains(f.words, v) {
			return Text{}, false
		}
		var zh []string
		for _, w := range f.words {
			zh = append(zh, wordsZH[w]+"（"+w+"）")
		}
		return Text{"应为 " + strings.Join(zh, "、") + " 之一", "must be one of " + strings.Join(f.words, ", ")}, true
	}
	for code := range strings.SplitSeq(v, ",") {
		if !isCode(code) {
			return Text{"应为以逗号分隔的类别代码，例如 enterprise_employee,veteran，或 none", "must be codes of groups between commas, such as enterprise_employee,veteran, or none"}, true
		}
	}
	return Text{}, false
}

// isCode reports whether s is made of lower-case letters, digits and underscores
// and begins with a letter.
func isCode(s string) bool {
	return s != "" && len(s) <= 64 && 'a' <= s[0] && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// count reads a whole number of at most four digits.
func count(s string) (int, bool) {
	if !digits(s) || len(s) > 4 {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
