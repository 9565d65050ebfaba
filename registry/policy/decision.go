package policy

import (
	"time"

	"bajigong/standards"
)

// Certificate is what the rules need to know about a certificate.
type Certificate struct {
	Number           string           `json:"number"`
	Kind             Kind             `json:"kind"`
	Occupation       string           `json:"occupation"` // code
	Edition          string           `json:"edition"`
	Trade            string           `json:"trade,omitempty"` // catalogue id; empty or "--" for none
	Level            standards.Level  `json:"level,omitempty"`
	Issued           standards.Date   `json:"issued"`
	Mode             Mode             `json:"mode"`
	Origin           Origin           `json:"origin"`
	Place            string           `json:"place,omitempty"` // 6-digit region where it was acquired
	State            CertificateState `json:"state"`
	InstitutionClass string           `json:"institution_class,omitempty"`
	Entitled         Entitlement      `json:"entitled"`
	// What the register knows of how it came about. Empty is not known: a rule
	// that needs it asks for it as a fact.
	Supervised      Known `json:"supervised,omitempty"`       // its session has a supervision reference 云眸
	PayLinked       Known `json:"pay_linked,omitempty"`       // 薪酬挂钩, of an employer that examines
	PilotRecognised Known `json:"pilot_recognised,omitempty"` // 试点认定, of an employer that examines
	TaskListed      Known `json:"task_listed,omitempty"`      // its institution stood on a 承接名单 on the day of the exam
}

// Known is yes, no, or empty when the register does not know.
type Known string

// KnownIf is yes or no.
func KnownIf(yes bool) Known {
	if yes {
		return Yes
	}
	return No
}

// Person is what the rules need of a person besides facts, as the document says it.
type Person struct {
	Born standards.Date // empty: the document does not say
	Sex  Sex            // empty: the document does not say
}

// Sex decides about bounds of age where a text has two.
type Sex string

// The sexes, as an identity number has them.
const (
	Female Sex = "female"
	Male   Sex = "male"
)

// SubjectKind is what a claim is made for.
type SubjectKind string

// The subjects. All but the first are claims without a certificate.
const (
	ForCertificate  SubjectKind = ""                // the certificate
	ForPreJob       SubjectKind = "pre_job"         // 岗前培训, once
	ForWorkMonths   SubjectKind = "work_months"     // 以工代训, by month
	ForApprentice   SubjectKind = "apprentice_year" // 新型学徒制, by year
	ForGraduate     SubjectKind = "graduate"        // 院校毕业生就业, by person
	ForStudy        SubjectKind = "advanced_study"  // 技师、高级技师研修
	ForTrainingOnly SubjectKind = "training"        // other training without a certificate
)

// Subject says what a claim without a certificate is for.
type Subject struct {
	Kind       SubjectKind     `json:"kind,omitempty"`
	From       standards.Date  `json:"from,omitempty"`  // first day of the training or work
	To         standards.Date  `json:"to,omitempty"`    // last day
	Units      int             `json:"units,omitempty"` // months of ForWorkMonths, years of ForApprentice; else 1
	Occupation string          `json:"occupation,omitempty"`
	Trade      string          `json:"trade,omitempty"`
	Level      standards.Level `json:"level,omitempty"`
	Course     string          `json:"course,omitempty"`   // the payer's own number of the class 开班编号
	Employer   string          `json:"employer,omitempty"` // 统一社会信用代码
}

// Channel is how a claim comes to the payer's system.
type Channel string

// The channels. Empty is the system.
const (
	BySystem Channel = "system" // 系统申领
	ByFile   Channel = "file"   // 人工报盘
	ByHand   Channel = "manual" // 手工办理
)

// An Exception is an approval, on record, that a rule which its text makes only
// in principle 原则上, or the rule about channels, need not hold for one claim.
type Exception struct {
	Rule      string         `json:"rule"`     // id of the rule
	Document  string         `json:"document"` // 批准文号
	Approver  string         `json:"approver"` // who approved, an office, nothing personal
	On        standards.Date `json:"on"`
	Reference string         `json:"reference,omitempty"`
}

// Job is an occupation of one edition of the classification 职业分类大典.
type Job struct {
	Edition string // 1999, 2015, 2022
	Code    string
	Name    string // may be empty
}

// Equivalence says which occupations count as the same across editions. Digest
// is the SHA-256 of its table, hexadecimal, so that a decision can be recomputed.
type Equivalence interface {
	Same(a, b Job) bool
	Digest() string
}

// Input is everything a decision rests on. Facts, certificates and claims are
// the person's, as read in the transaction that will store the result.
type Input struct {
	Now         time.Time
	Received    standards.Date // the day the claim was received; zero: the day of Now in Asia/Shanghai
	Payer       string         // opaque; claims of other payers are told apart by it
	Certificate Certificate
	Others      []Certificate // the person's other certificates
	Claims      []PastClaim   // the person's claims, without the one being decided
	Facts       Facts

	Applied     standards.Date // the day the person applied; zero: Received
	Subject     Subject        // zero: the certificate
	Person      Person
	Channel     Channel // zero: by the system
	Exceptions  []Exception
	Equivalence Equivalence // nil: occupations are the same when edition and code are
}

// Outcome is the answer in one word.
type Outcome string

// The outcomes.
const (
	Allow Outcome = "allow" // every rule holds
	Deny  Outcome = "deny"  // at least one rule fails
	Hold  Outcome = "hold"  // no rule fails, but something must be supplied or settled first
)

// Reason is the machine code of a failing rule or a missing fact.
type Reason string

// The reasons for which rules fail.
const (
	NotInForce            Reason = "policy_not_in_force"
	CertificateNotGood    Reason = "certificate_not_valid"
	IssuerNotEntitled     Reason = "issuer_not_entitled"
	IssuedAfterReceipt    Reason = "issued_after_receipt"
	KindNotCovered        Reason = "certificate_kind_not_covered"
	ModeNotCovered        Reason = "acquisition_mode_not_covered"
	InstitutionNotCovered Reason = "institution_class_not_covered"
	PlaceNotCovered       Reason = "place_not_covered"
	OutsideWindow         Reason = "outside_window"
	FactNotMet            Reason = "fact_not_met"
	NoAmount              Reason = "no_amount_for_level"
	OnceTaken             Reason = "already_claimed"
	CertificateUsed       Reason = "certificate_already_used"
	FundExcluded          Reason = "other_subsidy_excludes"
	HigherPaidReason      Reason = "higher_level_claimed"
	HigherHeldReason      Reason = "higher_level_held"
	FrequencyReached      Reason = "frequency_reached"
	NotDeciding           Reason = "policy_is_framework"
)

// The reasons for which a claim is held.
const (
	FactMissing        Reason = "fact_missing"
	FactUnusable       Reason = "fact_unusable"
	CertificateLacks   Reason = "certificate_incomplete"
	CertificatePending Reason = "certificate_pending"
	WindowNotOpen      Reason = "window_not_open"
)

// A Failure is a rule that fails: the rule's own sentence, and in Detail the
// fact that failed it. About other payers' claims it says the date and no more.
// InPrinciple marks a rule of which its text says 原则上: exceptions are approved
// and documented outside.
type Failure struct {
	Rule   string `json:"rule"`
	Reason Reason `json:"reason"`
	Clause string `json:"clause"`
	Text
	Detail      Text    `json:"detail"`
	Blocks      []Block `json:"blocks,omitempty"`
	InPrinciple bool    `json:"in_principle,omitempty"`
}

// A Block is a claim that stands in the way. Claim and State are only given to
// the payer whose claim it is.
type Block struct {
	On    standards.Date `json:"on"` // the day it was reserved
	Own   bool           `json:"own"`
	Claim string         `json:"claim,omitempty"`
	State State          `json:"state,omitempty"`
}

// A Missing is what must be supplied or settled before the claim can be decided.
// Fact is a [FactKind], or "certificate." and a member of [Certificate].
type Missing struct {
	Fact   string `json:"fact"`
	Rule   string `json:"rule"`
	Reason Reason `json:"reason"`
	Clause string `json:"clause"`
	Text
}

// Decision is the answer to a claim under one policy. Amount and Calculation
// are given when the outcome is allow, or hold and the amount does not depend on
// what is missing. Year is the natural year in which the claim counts: store it
// in [PastClaim.Year]. OnceKey is for auditors; nothing is locked by it.
//
// OnceKey has the form group/part=value/…, for example
//
//	skill_uplift/occupation=2022:6-31-01-03/level=senior
type Decision struct {
	Policy      string         `json:"policy"`
	Version     int            `json:"version"`
	Digest      string         `json:"digest"`
	Document    string         `json:"document"`
	Sample      bool           `json:"sample"`
	On          standards.Date `json:"on"` // the deciding date
	Year        int            `json:"year"`
	Outcome     Outcome        `json:"outcome"`
	Failing     []Failure      `json:"failing"`
	Missing     []Missing      `json:"missing"`
	Amount      Fen            `json:"amount_fen"`
	Calculation []Text         `json:"calculation"`
	OnceKey     string         `json:"once_key"`
	Unknown     []Gap          `json:"unknown"` // what the policy's text does not say

	Excepted    []Failure   `json:"excepted,omitempty"`         // rules that fail and are covered by an approved exception
	Approvals   []Exception `json:"approvals,omitempty"`        // the exceptions that cover them: document, office and day, one for a rule
	Scarce      bool        `json:"scarce,omitempty"`           // counted as scarce: store it in [PastClaim.Scarce]
	Units       int         `json:"units,omitempty"`            // months or years paid for, of a claim without a certificate
	PayTo       string      `json:"pay_to,omitempty"`           // person, enterprise or institution
	AdvanceMost Fen         `json:"advance_most_fen,omitempty"` // what may be paid ahead 先行拨付
	Equivalence string      `json:"equivalence,omitempty"`      // digest of the table of same occupations that was used
}
