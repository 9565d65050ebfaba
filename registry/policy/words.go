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

// Known reports whether k is one of the kinds of certificates.
func (k Kind) Known() bool { _, ok := kinds[k]; return ok }

// Name returns the kind's name; an unknown kind is named by its code.
func (k Kind) Name() Text { return nameIn(kinds, k) }

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

func nameIn[K ~string](table map[K]Text, k K) Text {
	if t, ok := table[k]; ok {
		return t
	}
	return Text{ZH: string(k), EN: string(k)}
}

func levelName(l standards.Level) Text { return Text{ZH: l.Name(), EN: l.English()} }
