package registry

import (
	"slices"

	"bajigong/evaluators"
	"bajigong/internal/fail"
)

// Role is what an account may be used for.
type Role string

// The roles. Operator is never held by an account: it is who runs the binary
// on the machine that has the store and the keys.
const (
	RoleAuthority   Role = "authority"   // 人社部门: admits, decides, sees its region
	RoleInstitution Role = "institution" // 评价机构: its own filings, sessions and certificates
	RolePayer       Role = "payer"       // 补贴经办机构: claims
	RoleAuditor     Role = "auditor"     // reads everything that is not sealed
	RoleEmployer    Role = "employer"    // 用人单位: checks lists of certificates
	RoleOperator    Role = "operator"    // the command line beside the store
)

// Roles lists the roles an account can have.
func Roles() []Role {
	return []Role{RoleAuthority, RoleInstitution, RolePayer, RoleAuditor, RoleEmployer}
}

// Actor is who is asking. API keys and sign-ins only prove an account;
// the zero Actor is the public.
type Actor struct {
	Account      string `json:"account"`
	Organisation string `json:"organisation,omitempty"` // an institution's id, a payer's, or an employer's code or name
	Roles        []Role `json:"roles,omitempty"`
	Region       string `json:"region,omitempty"` // GB/T 2260, 6 digits; for an authority what it governs
	Via          string `json:"via,omitempty"`    // "key:<id>", "session:<id>", "cli"

	// Idempotency is the creating request that is being made, if it has a key.
	Idempotency Idempotency `json:"-"`
}

// Operator is the actor of commands that hold the store and the keys themselves.
func Operator() Actor {
	return Actor{Account: "operator", Roles: []Role{RoleOperator}, Via: "cli"}
}

func (a Actor) has(r Role) bool { return slices.Contains(a.Roles, r) }

// Action is something an actor may or may not do.
type Action string

// The actions. Reading what is public needs none.
const (
	ManageAccounts       Action = "manage accounts"
	AdmitInstitutions    Action = "admit institutions"
	DecideOnInstitutions Action = "decide on institutions"
	ReadInstitution      Action = "read an institution"
	RunSessions          Action = "run sessions"
	ReadSession          Action = "read a session"
	ReadCandidates       Action = "read who is on a roster"
	ApproveSessions      Action = "approve results"
	DecideAppeals        Action = "decide appeals"
	ReadCertificate      Action = "read a certificate"
	VoidCertificate      Action = "void a certificate"    // 撤销
	CancelCertificate    Action = "cancel a certificate"  // 注销
	SuspendCertificate   Action = "suspend a certificate" // 暂停
	ReissueCertificate   Action = "reissue a certificate" // 更正, 补发
	ApproveCorrection    Action = "approve a correction"  // 更正审核
	ChangeInMass         Action = "change certificates in mass"
	ReadMassChange       Action = "read a mass change"
	RegisterElsewhere    Action = "register a certificate from elsewhere"
	ManagePosts          Action = "manage posts and apprentices" // 评聘, 学徒工
	FilePosts            Action = "file posts"
	ReadPosts            Action = "read posts"
	ReadPerson           Action = "read the record of a person"
	UseClaims            Action = "use claims"
	ReadClaim            Action = "read a claim"
	OverseeClaims        Action = "oversee claims" // of all payers of a region: lists by institution, totals, patterns
	ReadEvents           Action = "read events"
	CheckRegister        Action = "check the register"
	FileNorms            Action = "file evaluation norms"      // 评价规范
	DecideOnNorms        Action = "decide on evaluation norms" // 评价规范
	ReadReview           Action = "read a review"
	ConductReview        Action = "conduct a review"
	DrawInspections      Action = "draw and enter inspections"
	ReadInspection       Action = "read an inspection"
	AnswerInspection     Action = "answer an inspection"
	ApplyForFiling       Action = "apply for a filing"
	KeepFilings          Action = "keep filings"  // 备案机关: admit, change, renew, readmit
	SuspendSites         Action = "suspend sites" // 属地监管机关 too
	RunCases             Action = "run cases"
	ReadCase             Action = "read a case"
	AnswerCase           Action = "answer in a case"                    // 陈述申辩, 整改报告, 申请复核
	KeepCredit           Action = "keep credit and stars"               // 信用, 星级
	AnswerAssessment     Action = "answer an assessment"                // 自评, 异议
	KeepTaskLists        Action = "keep task lists for subsidised work" // 承接补贴任务名单
	KeepIntegrity        Action = "keep integrity files of persons"     // 诚信档案
	ReadStatistics       Action = "read statistics"
	ManageExaminers      Action = "manage examiners"       // cards that an authority gives, and measures on any
	ManageExamStaff      Action = "manage exam staff"      // cards that an institution registers
	ReadExaminer         Action = "read an examiner"       // the card, without who it is
	NameExaminer         Action = "see who an examiner is" // name, masked document, telephone
	RecordTies           Action = "record what an examiner avoids"
	ArrangeSessions      Action = "arrange sessions"
	SuperviseInside      Action = "report as internal supervisor"
	SuperviseOutside     Action = "report as external supervisor"
	ImportPast           Action = "import the past" // 历史数据
	ManageKeyRing        Action = "manage the key ring"
	KeepBlanks           Action = "keep blank certificates"
	DecideOnBlanks       Action = "decide on blank certificates" // the approver of the rules
	ReadBlanks           Action = "read blank certificates"
	RecordPrints         Action = "record prints"
	ReportNationally     Action = "report to the national query"            // 上报: make, take and follow the file
	ReadNational         Action = "read reports to the national query"      // without personal data
	ConfirmQueryable     Action = "record that certificates can be queried" // 可查询; the issuer only where a rule file lets it
	CheckLists           Action = "check lists of certificates"
	PrintCertificate     Action = "print a certificate"           // 制证: shows the full number of the document
	MergePersons         Action = "merge persons of the register" // and undo it; always two accounts
	ReadMerge            Action = "read a merge of persons"
	ReadCollision        Action = "read a collision of claims"
	DecideCollisions     Action = "decide on collisions of claims"
	ReadReliance         Action = "read what changed under claims"
	KeepWebhooks         Action = "keep webhooks"
	ReadRecoveries       Action = "read recoveries" // 追回清单
)

// Actions lists every action, for the table test of may.
func Actions() []Action {
	return []Action{ManageAccounts, AdmitInstitutions, DecideOnInstitutions, ReadInstitution, RunSessions, ReadSession, ReadCandidates, ApproveSessions, DecideAppeals,
		ReadCertificate, VoidCertificate, CancelCertificate, SuspendCertificate, ReissueCertificate, RegisterElsewhere,
		ManagePosts, FilePosts, ReadPosts, ReadPerson, UseClaims, ReadClaim, ReadEvents, CheckRegister, FileNorms, DecideOnNorms, ReadReview, ConductReview, DrawInspections, ReadInspection, AnswerInspection, ApplyForFiling, KeepFilings, SuspendSites, RunCases, ReadCase, AnswerCase, KeepCredit, AnswerAssessment, KeepTaskLists, KeepIntegrity, ReadStatistics, ManageExaminers, ManageExamStaff, ReadExaminer, NameExaminer, RecordTies, ArrangeSessions, SuperviseInside, SuperviseOutside, ApproveCorrection, ChangeInMass, ReadMassChange, ImportPast, ManageKeyRing, ReportNationally, ReadNational, ConfirmQueryable, CheckLists, PrintCertificate, KeepBlanks, DecideOnBlanks, ReadBlanks, RecordPrints,
		MergePersons, ReadMerge, ReadCollision, DecideCollisions, ReadReliance, KeepWebhooks, ReadRecoveries, OverseeClaims}
}

// Object is what an action is about. Empty fields belong to nobody.
type Object struct {
	Institution string // the institution it belongs to
	Payer       string // the payer it belongs to
	Employer    string // the employer it belongs to
	Region      string // GB/T 2260, 6 digits
}

// may is the one rule of authorisation. It is pure and is called inside the
// same View or Update that reads the object.
//
//	operator     accounts, institutions and decisions, the past; reads; no other certificate, session or claim
//	authority    institutions, sessions and certificates of its region; accounts;
//	             filings as far as its relation to each allows (mayUse); credit,
//	             stars, task lists and integrity files
//	institution  its own sessions and certificates; cancels, never voids; applies;
//	             answers its assessments
//	payer        claims of its own
//	auditor      reads
//	employer     checks lists of certificates
func may(by Actor, do Action, about Object) error {
	if allowed(by, do, about) {
		return nil
	}
	if len(by.Roles) == 0 {
		return fail.New(fail.Unauthorized, "key_required", "an API key is needed to %s", do).
			In("此操作需要接口密钥，请在请求头 Authorization: Bearer 中提供")
	}
	return fail.New(fail.Forbidden, "not_allowed", "this account may not %s here", do).
		In("本账号无权进行此操作，或该记录不属于本单位、本辖区")
}

func allowed(by Actor, do Action, about Object) bool {
	if by.has(RoleOperator) {
		switch do {
		case ManageAccounts, AdmitInstitutions, DecideOnInstitutions, ReadInstitution, ReadSession, ReadCertificate, ReadEvents, CheckRegister,
			ApplyForFiling, KeepFilings, SuspendSites, ReadCase, ReadStatistics, ImportPast, ManageKeyRing, MergePersons, ReadMerge:
			return true
		}
	}
	if by.has(RoleAuthority) && governs(by.Region, about.Region) {
		switch do {
		case ManageAccounts, AdmitInstitutions, DecideOnInstitutions, ReadInstitution, ReadSession, ReadCandidates, ApproveSessions, DecideAppeals, ReadCertificate,
			VoidCertificate, CancelCertificate, SuspendCertificate, ReissueCertificate, RegisterElsewhere, FilePosts, ReadPosts, ReadPerson, ReadEvents, CheckRegister, FileNorms, DecideOnNorms, ReadReview, ConductReview, DrawInspections, ReadInspection, ApplyForFiling, KeepFilings, SuspendSites, RunCases, ReadCase, AnswerCase, KeepCredit, AnswerAssessment, KeepTaskLists, KeepIntegrity, ReadStatistics, ManageExaminers, ManageExamStaff, ReadExaminer, NameExaminer, RecordTies, ArrangeSessions, SuperviseOutside, ApproveCorrection, ChangeInMass, ReadMassChange, ImportPast, ReportNationally, ReadNational, ConfirmQueryable, CheckLists, PrintCertificate, DecideOnBlanks, ReadBlanks,
			MergePersons, ReadMerge, ReadCollision, DecideCollisions, ReadRecoveries, OverseeClaims:
			return true
		}
	}
	if by.has(RoleInstitution) && by.Organisation != "" && by.Organisation == about.Institution {
		switch do {
		case ReadInstitution, RunSessions, ReadSession, ReadCandidates, DecideAppeals, ReadCertificate, CancelCertificate, ReissueCertificate, RegisterElsewhere, ManagePosts, ReadPosts, FileNorms, ReadInspection, AnswerInspection, ApplyForFiling, ReadCase, AnswerCase, AnswerAssessment, ManageExamStaff, ReadExaminer, NameExaminer, RecordTies, ArrangeSessions, SuperviseInside, ApproveCorrection, ReportNationally, ReadNational, ConfirmQueryable, PrintCertificate, KeepBlanks, DecideOnBlanks, ReadBlanks, RecordPrints:
			return true
		}
	}
	if by.has(RolePayer) && by.Organisation != "" && by.Organisation == about.Payer {
		switch do {
		case UseClaims, ReadClaim, ReadCollision, ReadReliance, KeepWebhooks, ReadRecoveries:
			return true
		}
	}
	if by.has(RoleAuditor) && governs(by.Region, about.Region) {
		switch do {
		case ReadInstitution, ReadSession, ReadCertificate, ReadClaim, ReadEvents, CheckRegister, ReadReview, ReadInspection, ReadCase, ReadStatistics, ReadExaminer, ReadMassChange, ReadNational, CheckLists, ReadBlanks, ReadMerge, ReadCollision, ReadRecoveries, OverseeClaims:
			return true
		}
	}
	if by.has(RoleEmployer) && by.Organisation != "" && by.Organisation == about.Employer {
		return do == CheckLists
	}
	return false
}

// governs reports whether an authority of region own has region within it, by
// the trailing zeros of GB/T 2260: 320000 has 320583, 320500 has 320583. What
// has no region is governed by nobody: nothing is open because it was not set.
func governs(own, region string) bool { return evaluators.Governs(own, region) }
