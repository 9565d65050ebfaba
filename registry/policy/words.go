package policy

import (
	"maps"
	"slices"

	"bajigong/standards"
)

// Fund is the kind of money a claim is paid from. It names the kind only, not
// whose it is, so that claims to different payers meet in one group.
type Fund string

// The kinds of funds. The list grows with the policies.
const (
	FundSkillUplift      Fund = "skill_uplift"      // 技能提升补贴
	FundTraining         Fund = "training"          // 职业培训补贴
	FundAppraisal        Fund = "appraisal"         // 鉴定（评价）补贴
	FundEnterpriseDirect Fund = "enterprise_direct" // 直补企业的岗位技能提升培训补贴
	FundPreJob           Fund = "pre_job"           // 岗前培训补贴
	FundWorkTraining     Fund = "work_training"     // 以工代训补贴
	FundApprenticeship   Fund = "apprenticeship"    // 新型学徒制补贴
	FundAdvancedStudy    Fund = "advanced_study"    // 技师、高级技师研修补贴
	FundSpecialOperation Fund = "special_operation" // 特种作业（设备）取证补贴
	FundGraduate         Fund = "graduate"          // 院校毕业生就业补助
	FundTrainingResults  Fund = "training_results"  // 政府购买高技能人才培训成果
	FundLiving           Fund = "living_allowance"  // 培训期间生活费补贴
	FundKeyGroup         Fund = "key_group"         // 重点群体就业技能培训补贴
	FundNewEmployee      Fund = "new_employee"      // 企业新录用人员岗位技能培训补贴
	FundGraduateTraining Fund = "graduate_training" // 离校未就业高校毕业生培训补贴
	FundStartup          Fund = "entrepreneurship"  // 创业培训补贴
	FundEducationExcess  Fund = "education_excess"  // 超出职工教育经费部分的补贴
)

var funds = map[Fund]Text{
	FundSkillUplift:      {"技能提升补贴", "skill-uplift subsidy"},
	FundTraining:         {"职业培训补贴", "vocational training subsidy"},
	FundAppraisal:        {"鉴定（评价）补贴", "appraisal subsidy"},
	FundEnterpriseDirect: {"企业直补", "subsidy paid to the enterprise"},
	FundPreJob:           {"岗前培训补贴", "pre-job training subsidy"},
	FundWorkTraining:     {"以工代训补贴", "work-as-training subsidy"},
	FundApprenticeship:   {"新型学徒制补贴", "apprenticeship subsidy"},
	FundAdvancedStudy:    {"技师研修补贴", "technicians' study subsidy"},
	FundSpecialOperation: {"特种作业取证补贴", "special-operation licence subsidy"},
	FundGraduate:         {"院校毕业生就业补助", "subsidy for graduates in employment"},
	FundTrainingResults:  {"政府购买培训成果", "government purchase of training results"},
	FundLiving:           {"培训期间生活费补贴", "living allowance during training"},
	FundKeyGroup:         {"重点群体就业技能培训补贴", "job-skill training subsidy for key groups"},
	FundNewEmployee:      {"新录用人员岗位技能培训补贴", "training subsidy for newly hired employees"},
	FundGraduateTraining: {"离校未就业高校毕业生培训补贴", "training subsidy for unemployed graduates"},
	FundStartup:          {"创业培训补贴", "start-up training subsidy"},
	FundEducationExcess:  {"超出职工教育经费部分补贴", "subsidy beyond the staff education funds"},
}

// Known reports whether f is one of the kinds of funds.
func (f Fund) Known() bool { _, ok := funds[f]; return ok }

// Name returns the fund's name; an unknown fund is named by its code.
func (f Fund) Name() Text { return nameIn(funds, f) }

// Kind is a kind of certificate that can carry a subsidy. The source documents
// end their lists in 等, so the list is open and grows here.
type Kind string

// The kinds of certificates (昆政办发〔2020〕67号 三（十四）, 二（六）).
const (
	KindQualification      Kind = "vocational_qualification" // 职业资格证书
	KindSkillLevel         Kind = "skill_level"              // 职业技能等级证书
	KindSpecialAbility     Kind = "special_ability"          // 专项职业能力证书
	KindSpecialOperation   Kind = "special_operation"        // 特种作业操作证书
	KindSpecialEquipment   Kind = "special_equipment"        // 特种设备作业人员证
	KindTrainingCompletion Kind = "training_completion"      // 培训合格证书
)

var kinds = map[Kind]Text{
	KindQualification:      {"职业资格证书", "vocational qualification certificate"},
	KindSkillLevel:         {"职业技能等级证书", "vocational skill level certificate"},
	KindSpecialAbility:     {"专项职业能力证书", "special vocational ability certificate"},
	KindSpecialOperation:   {"特种作业操作证书", "special operation licence"},
	KindSpecialEquipment:   {"特种设备作业人员证", "special equipment operator licence"},
	KindTrainingCompletion: {"培训合格证书", "training completion certificate"},
}

var kindsByName = func() map[string]Kind {
	out := make(map[string]Kind, len(kinds))
	for k, name := range kinds {
		out[standards.NormaliseName(name.ZH)] = k
	}
	return out
}()

// Known reports whether k is one of the kinds of certificates.
func (k Kind) Known() bool { _, ok := kinds[k]; return ok }

// Name returns the kind's name; an unknown kind is named by its code.
func (k Kind) Name() Text { return nameIn(kinds, k) }

// ParseKind reads a kind of certificate by its code or its name. What is neither
// is a kind that is not [Kind.Known].
func ParseKind(s string) Kind {
	if k := Kind(s); s == "" || k.Known() {
		return k
	}
	if k, ok := kindsByName[standards.NormaliseName(s)]; ok {
		return k
	}
	return Kind(s)
}

// Mode is how a certificate was acquired 取得方式. A waiver of application years
// (破格参评) is still an exam.
type Mode string

// The modes of acquisition.
const (
	ModeExam                 Mode = "exam"                  // 考核
	ModeDirectRecognition    Mode = "direct_recognition"    // 直接认定
	ModeExceptionalPromotion Mode = "exceptional_promotion" // 破格晋升
	ModeCompetition          Mode = "competition"           // 竞赛晋级
	ModeAward                Mode = "award"                 // 表彰授予
	ModeConversion           Mode = "conversion"            // 职业资格换发
	ModeSchool               Mode = "school"                // 院校学历＋等级
	ModeAppointment          Mode = "appointment"           // 评聘
)

var modes = map[Mode]Text{
	ModeExam:                 {"考核", "exam"},
	ModeDirectRecognition:    {"直接认定", "direct recognition"},
	ModeExceptionalPromotion: {"破格晋升", "exceptional promotion"},
	ModeCompetition:          {"竞赛晋级", "promotion by competition"},
	ModeAward:                {"表彰授予", "award"},
	ModeConversion:           {"职业资格换发", "conversion of a vocational qualification"},
	ModeSchool:               {"院校学历＋等级", "school certificate with level"},
	ModeAppointment:          {"评聘", "appointment"},
}

// AllModes lists every mode of acquisition, in order of their codes.
func AllModes() []Mode { return slices.Sorted(maps.Keys(modes)) }

// Known reports whether m is one of the modes.
func (m Mode) Known() bool { _, ok := modes[m]; return ok }

// Name returns the mode's name; an unknown mode is named by its code.
func (m Mode) Name() Text { return nameIn(modes, m) }

// Origin says where a certificate was issued from.
type Origin string

// The origins.
const (
	OriginHere      Origin = "here"      // issued through this register
	OriginElsewhere Origin = "elsewhere" // registered here, issued elsewhere or before
)

// CertificateState is what the register knows about a certificate now.
type CertificateState string

// The states of a certificate. Suspended, unpublished and not queryable hold a
// claim; all others but valid refuse it.
const (
	CertificateValid        CertificateState = "valid"
	CertificateUnpublished  CertificateState = "unpublished"   // its batch is not public yet
	CertificateNotQueryable CertificateState = "not_queryable" // its region counts the national query, which does not have it yet
	CertificateSuspended    CertificateState = "suspended"     // 暂停: under review
	CertificateVoided       CertificateState = "voided"        // 撤销: void from the start
	CertificateCancelled    CertificateState = "cancelled"     // 注销: ended on its date
	CertificateSuperseded   CertificateState = "superseded"    // a newer version stands in its place
	CertificateExpired      CertificateState = "expired"       // kinds with a term
)

var certificateStates = map[CertificateState]Text{
	CertificateValid:        {"证书有效", "the certificate is valid"},
	CertificateUnpublished:  {"证书所在批次尚未公开", "the certificate's batch is not public yet"},
	CertificateNotQueryable: {"证书已登记，全国查询尚未更新", "the certificate is registered, and the national query does not have it yet"},
	CertificateSuspended:    {"证书核查中，暂停使用", "the certificate is suspended while under review"},
	CertificateVoided:       {"证书已撤销，自始无效", "the certificate was voided and is void from the start"},
	CertificateCancelled:    {"证书已注销", "the certificate was cancelled"},
	CertificateSuperseded:   {"信息已更正或补发，请以新版本为准", "the certificate was corrected or reissued; the new version counts"},
	CertificateExpired:      {"证书已过有效期", "the certificate has expired"},
}

// Entitlement says whether the institution was entitled to issue this
// certificate when the register received it.
type Entitlement string

// The entitlements. Certificates from elsewhere are not asserted either way.
const (
	Entitled    Entitlement = "entitled"
	NotEntitled Entitlement = "not_entitled"
	NotAsserted Entitlement = "not_asserted"
)

// PersonGroupCode names a group of persons 补贴对象. The list is open: a policy
// may declare more.
type PersonGroupCode string

// groupNames are the groups that policies name most.
var groupNames = map[PersonGroupCode]Text{
	"enterprise_employee":       {"企业在职职工", "employees of enterprises"},
	"new_employee":              {"企业新录用人员", "newly hired employees"},
	"worker_on_leave":           {"转岗、待岗职工", "employees changing or awaiting posts"},
	"unemployment_benefit":      {"领取失业保险金人员", "those who draw unemployment benefit"},
	"registered_unemployed":     {"登记失业人员", "registered unemployed"},
	"unemployed_youth":          {"登记失业青年", "registered unemployed youth"},
	"hard_to_employ":            {"就业困难人员", "those hard to employ"},
	"zero_employment_family":    {"零就业家庭成员", "members of families without employment"},
	"rural_worker":              {"农村转移就业劳动者（农民工）", "rural workers"},
	"land_expropriated":         {"被征地农民", "farmers whose land was taken"},
	"graduate":                  {"高校毕业生", "graduates"},
	"graduating_student":        {"毕业年度毕业生", "students of the graduating year"},
	"two_after":                 {"两后生", "school leavers without further study"},
	"poor":                      {"脱贫（低收入、低保）人员", "persons of low income"},
	"disabled":                  {"残疾人", "disabled persons"},
	"disabled_relative":         {"贫困或重度残疾人的直系亲属", "close relatives of poor or severely disabled persons"},
	"veteran":                   {"退役军人", "veterans"},
	"student":                   {"在校学生", "students at school"},
	"flexible_employment":       {"灵活就业人员", "persons in flexible employment"},
	"self_employed":             {"个体工商户、创业人员", "self-employed persons"},
	"retired":                   {"退休（领取养老金）人员", "pensioners"},
	"civil_servant":             {"公务员（含参公人员）", "civil servants"},
	"institution_staff":         {"事业单位工作人员", "staff of public institutions"},
	"skilled_institution_staff": {"事业单位工勤技能人员", "skilled workers of public institutions"},
	"prisoner_release":          {"刑满释放、戒毒康复人员", "released persons"},
	"frontline":                 {"生产服务一线职工", "workers in production"},
	"apprentice":                {"企业新型学徒", "apprentices"},
	"village_cadre":             {"村（社区）干部", "village officials"},
}

// Name returns the group's name; a code that is not in the table is its own name.
func (g PersonGroupCode) Name() Text { return nameIn(groupNames, g) }

// Payee is to whom a subsidy is paid.
type Payee string

// The payees.
const (
	PayPerson      Payee = "person"
	PayEnterprise  Payee = "enterprise"
	PayInstitution Payee = "institution"
	PayFunder      Payee = "funder" // 谁出资谁受益: which of the three the fact [FundedBy] says
)

var payees = map[Payee]Text{
	PayPerson: {"个人", "the person"}, PayEnterprise: {"企业", "the enterprise"},
	PayInstitution: {"培训（评价）机构", "the institution"}, PayFunder: {"出资方", "who paid for it"},
}

// Name returns the payee in words.
func (p Payee) Name() Text { return nameIn(payees, p) }

// Money is where the money of a fund comes from 资金来源.
type Money string

// The sources of money.
const (
	MoneyUnemployment Money = "unemployment_insurance"
	MoneyEmployment   Money = "employment"
	MoneyEducation    Money = "education"
	MoneyFinance      Money = "finance"
	MoneyMixed        Money = "mixed"
	MoneyUnknown      Money = "unknown"
)

var moneys = map[Money]Text{
	MoneyUnemployment: {"失业保险基金", "unemployment insurance fund"}, MoneyEmployment: {"就业补助资金", "employment subsidies"},
	MoneyEducation: {"职工教育经费", "staff education funds"}, MoneyFinance: {"财政资金", "public finance"},
	MoneyMixed: {"多项资金", "several"}, MoneyUnknown: {"文件未载明", "not said"},
}

// Name returns the source of money in words.
func (m Money) Name() Text { return nameIn(moneys, m) }

var subjects = map[SubjectKind]Text{
	ForCertificate: {"证书", "a certificate"},
	ForPreJob:      {"岗前培训", "pre-job training"}, ForWorkMonths: {"以工代训", "work as training"},
	ForApprentice: {"新型学徒制", "apprenticeship"}, ForGraduate: {"院校毕业生就业", "a graduate's employment"},
	ForStudy: {"技师（高级技师）研修", "technicians' study"}, ForTrainingOnly: {"职业技能培训", "vocational training"},
}

// Name returns the subject in words.
func (k SubjectKind) Name() Text { return nameIn(subjects, k) }

var channels = map[Channel]Text{
	BySystem: {"系统申领", "through the system"}, ByFile: {"人工报盘", "by a file handed in"}, ByHand: {"手工办理", "by hand"},
}

func nameIn[K ~string](table map[K]Text, k K) Text {
	if t, ok := table[k]; ok {
		return t
	}
	return Text{ZH: string(k), EN: string(k)}
}

func levelName(l standards.Level) Text { return Text{ZH: l.Name(), EN: l.English()} }
