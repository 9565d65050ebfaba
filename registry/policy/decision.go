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
)

// The reasons for which a claim is held.
const (
	FactMissing        Reason = "fact_missing"
	FactUnusable       Reason = "fact_unusable"
	CertificateLacks   Reason = "certificate_incomplete"
	CertificatePending Reason = "certificate_pending"
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
}
