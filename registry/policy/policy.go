// Package policy holds subsidy policies 补贴政策 as dated data and decides, with
// every reason, whether a certificate can be paid for.
//
// A [Policy] is read by [Parse] from a YAML file in which each rule names its
// document and clause and says itself in Chinese and English. [Policy.Evaluate]
// is pure: the caller brings the certificate, the person's other certificates
// and claims, and the outside facts (insurance, employment …) with their
// sources; it gets back a [Decision] with all failing rules, all missing facts
// and the amount with its calculation. A missing fact holds a claim; it never
// refuses one and is never guessed. [Set.Select] finds the policy of a region,
// and [Move] is the life of a claim after it was allowed.
//
// The package has no clock, no store and no input or output but the policy
// files compiled into it.
package policy

import (
	"slices"

	"bajigong/standards"
)

// Text is one sentence in the two languages of every answer.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// A Rule is what every part of a policy carries: an id that is unique in the
// policy, the document and clause it comes from, and its sentence. Quote is the
// passage of the source, character by character; only sample policies may lack it.
type Rule struct {
	ID     string
	Clause string
	Quote  string
	// Secondary says that the quote is from a report of the text, not from the text.
	Secondary bool
	Text
}

// Policy is one version of one subsidy's rules in one region. A pointer that is
// nil means that the policy has no such rule; whether its text excludes the rule
// or is only silent about it stands in Unknown.
type Policy struct {
	ID       string // lower-case words joined by hyphens
	Version  int    // from 1; a decided claim keeps naming the version it was decided by
	Region   string // 6-digit code of GB/T 2260; 000000 is the nation
	Parent   string // the region above; empty for the nation
	Fund     Fund
	Name     Text
	Document Document
	Sample   bool // not law anywhere: figures to try the system with
	Note     Text

	Effective    Effective
	DecidedBy    DecidingDate
	Facts        []FactRule
	Certificate  Rule // the certificate must be valid and lawfully issued
	Kinds        Kinds
	Modes        *Modes
	Institutions *Institutions
	Places       *Places
	Window       *Window
	Amounts      Amounts
	Scarce       *Scarce
	Once         Exclusion // its group and sameness make the once-key
	Reuse        Exclusion // the same certificate may not carry two claims
	Excludes     []Exclusion
	Higher       *Higher
	Frequency    *Frequency
	Refund       *RefundRule // nil: the text does not say whether a refund gives the right back
	Unknown      []Gap

	Digest string // SHA-256 of the file, 64 hexadecimal digits
	Source []byte // the file

	// What follows is of language 2.
	Language     int   // 1 or 2
	Framework    bool  // it only binds the policies below it and decides no claim
	Money        Money // empty in language 1
	Subject      *SubjectRule
	Groups       *Groups
	Ages         *Ages
	Supervision  *Supervision
	Queryable    *Queryable
	Catalogue    *Catalogue
	CostCap      *Rule
	ScarceAlways *ScarceAlways
	Beneficiary  *Beneficiary
	Prepayment   *Prepayment
	Channel      *ChannelRule
	Bounds       []Bound
	Under        []Under
}

// forCertificate reports whether a claim under p rests on a certificate.
func (p *Policy) forCertificate() bool { return p.Subject == nil || p.Subject.Certificate }

// SubjectOf returns what p pays for; [ForCertificate] is the certificate.
func (p Policy) SubjectOf() SubjectKind {
	if p.Subject == nil {
		return ForCertificate
	}
	return p.Subject.Kind
}

// Exceptable reports whether an approved [Exception] may set the rule aside: one
// that its text makes in principle only, or the rule about channels.
func (p Policy) Exceptable(rule string) bool {
	return p.Channel != nil && p.Channel.ID == rule || p.Frequency != nil && p.Frequency.InPrinciple && p.Frequency.ID == rule
}

// Document is the paper a policy is taken from.
type Document struct {
	Number string         `json:"number"` // 文号
	Title  string         `json:"title"`
	Issuer string         `json:"issuer"`
	Dated  standards.Date `json:"dated"`
}

// A Gap is something the text does not say. TakenAs is the reading used instead,
// or empty when the rule is not applied, or when an outside fact is asked for.
type Gap struct {
	Field   string `json:"field"`
	TakenAs string `json:"taken_as,omitempty"`
	Text
}

// End says how a policy's last day is known.
type End string

// The ends of a policy.
const (
	EndKnown   End = "known"   // Until is the last day
	EndOpen    End = "open"    // in force until another policy replaces it
	EndUnknown End = "unknown" // the text does not say; certain only through StatedThrough
)

// Effective is when a policy is in force. With an unknown end, days after
// StatedThrough need the fact [PolicyInForce].
type Effective struct {
	Rule
	From          standards.Date
	End           End
	Until         standards.Date // EndKnown: the last day
	StatedThrough standards.Date // EndUnknown: the last day the text itself speaks of
	// GoesFirst, with EndUnknown: the text goes before those of the regions above that
	// are known to be in force; without it they go before it.
	GoesFirst bool
}

// DecidingDate names the date that decides whether a policy applies.
type DecidingDate string

// The deciding dates.
const (
	ByReceipt DecidingDate = "receipt" // the day the claim was received 受理日
	ByIssue   DecidingDate = "issue"   // the certificate's date of issue 发证日
	// ByApplication, of language 2, is the day the person applied 申请日.
	ByApplication DecidingDate = "application"
)

// A FactRule asks for an outside fact: Want ("yes" or "no", or one of the fact's
// words) for a question, AtLeast and AtMost for a count. Language 2 has At, and Or:
// the rule holds when any of them does.
type FactRule struct {
	Rule
	Fact    FactKind
	Want    string
	AtLeast int
	AtMost  int      // 0: none
	At      FactDate // empty: receipt
	Or      []FactNeed
}

// FactNeed is one of several facts of which one is enough.
type FactNeed struct {
	Fact    FactKind
	Want    string
	AtLeast int
	AtMost  int
	At      FactDate
}

func (r FactRule) need() FactNeed { return FactNeed{r.Fact, r.Want, r.AtLeast, r.AtMost, r.At} }

// Kinds lists the kinds of certificates a policy pays for.
type Kinds struct {
	Rule
	Allowed []Kind
}

// Modes restricts how the certificate was acquired 取得方式; one of the lists is empty.
type Modes struct {
	Rule
	Allowed  []Mode
	Excluded []Mode
}

// Institutions restricts the class letter of the institution that issued, and in
// language 2 asks what its certificates need to count. None of the lists needs a member.
type Institutions struct {
	Rule
	Classes    []string
	Conditions []Condition
	ForClasses []string // classes that the conditions are for; empty: all
}

// Places asks that certificates of some kinds were acquired in a region.
type Places struct {
	Rule
	Kinds  []Kind
	Region string
}

// Window is the time after issue in which a claim must be received. By Civil
// Code articles 201 and 202 the day of issue does not count and the period ends
// on the same day of the last month, or on that month's last day.
//
// Language 2 may count days instead, and says what day the claim may come first.
// Of a policy decided by application it is the application that must come in time.
type Window struct {
	Rule
	Months        int
	Days          int  // instead of Months
	NotBeforeDays int  // days after issue before which a claim is too early
	SameYear      bool // only in the calendar year of issue 当年
}

// Amounts is the table of base amounts per level. What follows Levels is of
// language 2.
type Amounts struct {
	Rule
	Levels  []LevelAmount
	Flat    Fen          // instead of Levels: whatever the level
	Of      AmountSource // instead of both: where the amount stands
	AtMost  bool         // the table caps what the place sets, the fact [ApprovedAmount]
	PerUnit bool         // for each of the subject's units
}

// AmountSource says where an amount stands that is not in the policy's table.
type AmountSource string

// The sources of amounts.
const (
	AmountOfTable     AmountSource = ""
	AmountOfCatalogue AmountSource = "catalogue" // in the entry of the 补贴目录
	AmountApproved    AmountSource = "approved"  // the fact [ApprovedAmount] alone
)

// LevelAmount is one row of a table of amounts.
type LevelAmount struct {
	Level standards.Level
	Fen   Fen
}

// Scarce raises the amount for occupations on a list of urgently needed ones
// 紧缺职业（工种）目录. Without a list of its own a policy asks for the fact
// [ScarceListed]. Language 2 may have several lists, by quarter, and no Percent
// where being scarce only bears on how often one may claim.
type Scarce struct {
	Rule
	Percent int
	List    *ScarceList
	Lists   []ScarceList      // instead of List
	Levels  []standards.Level // raised levels; empty: all
	BackPay BackPay           // with Lists
	// RaisesApproved says that the fact [ApprovedAmount] is that of an occupation
	// which is not scarce; else it is final.
	RaisesApproved bool
}

// BackPay says whether a list counts for days before it was published.
type BackPay string

// The rules of back-pay. A list counts when the deciding date is one of its days.
const (
	BackPayNone    BackPay = "none"    // and it was published by then
	BackPayCovered BackPay = "covered" // and it was published by the day of receipt
	BackPayUnknown BackPay = "unknown" // where the two differ, the fact [ScarceListed] is asked for
)

// ScarceList is a dated list of scarce occupations.
type ScarceList struct {
	Name      string
	Sample    bool
	From      standards.Date
	Until     standards.Date // zero: open
	Published standards.Date // first day it may be used; empty: From
	Edition   string         // of 职业分类大典 that its codes are of; empty: not said
	Across    bool           // codes of other editions are looked up by the table of same occupations
	Entries   []ScarceEntry
}

// ScarceEntry is an occupation on the list; without trades all its trades are listed.
type ScarceEntry struct {
	Occupation string
	Name       string
	Trades     []string
}

// Sameness is a part of what must be equal for two claims to be the same claim.
type Sameness string

// The parts of sameness.
const (
	SameOccupation  Sameness = "occupation"
	SameLevel       Sameness = "level"
	SameTrade       Sameness = "trade"
	SameCertificate Sameness = "certificate"
	// Of language 2, for claims without a certificate.
	SameSubject Sameness = "subject"
	SamePeriod  Sameness = "period" // their days overlap
	SameCourse  Sameness = "course"
	SamePerson  Sameness = "person" // whatever it was for; for excludes only
)

// A Group is a named set of funds: claims on any of them exclude each other or
// count together. Any means all funds.
type Group struct {
	Name  string
	Any   bool
	Funds []Fund
}

// Has reports whether claims on fund f belong to the group.
func (g Group) Has(f Fund) bool { return g.Any || slices.Contains(g.Funds, f) }

// An Exclusion refuses a claim when a counting claim of the group agrees with it
// in every part of Same.
type Exclusion struct {
	Rule
	Among Group
	Same  []Sameness
}

// HigherBy says what about a higher level bars a lower one.
type HigherBy string

// What bars a lower level.
const (
	HigherPaid HigherBy = "paid" // a claim for a higher level
	HigherHeld HigherBy = "held" // that, or only holding the certificate
	HigherNone HigherBy = "none" // nothing: the text says that it does not matter
)

// Higher refuses a lower level to whom has a higher one of the same occupation.
// Order is that of receipt: a lower claim made first is not touched by a later higher one.
// By issue, of language 2, a higher one bars only when its certificate is not the newer one.
type Higher struct {
	Rule
	By      HigherBy
	Among   Group
	Same    []Sameness // occupation, or occupation and trade
	ByIssue bool
}

// Period is the time over which claims are counted.
type Period string

// The periods.
const (
	PerNaturalYear Period = "natural_year" // 1 January to 31 December in Asia/Shanghai
	PerLifetime    Period = "lifetime"
	PerRolling     Period = "rolling" // of language 2: any months of the given number, by days of receipt
)

// Frequency limits the number of claims of a group of funds that count together.
type Frequency struct {
	Rule
	Max     int
	Per     Period
	Counter Group
	// InPrinciple is set where the text says 原则上: a documented exception may be
	// approved outside this rule.
	InPrinciple bool
	Months      int    // of a rolling period
	Extra       *Extra // of language 2
}

// Extra is what claims counted as scarce may have on top. By base first they fill
// the common number first; by extra first they use the extra first and leave the
// common number to others.
type Extra struct {
	Max        int
	ExtraFirst bool
}

// RefundRule says whether paying back 追回 gives the right to claim back.
type RefundRule struct {
	Rule
	RestoresRight bool
}

// rules lists every rule of p in the order in which it is evaluated.
func (p *Policy) rules() []Rule {
	var out []Rule
	add := func(rs ...Rule) {
		for _, r := range rs {
			if r.ID != "" {
				out = append(out, r)
			}
		}
	}
	add(p.Effective.Rule)
	if p.Subject != nil {
		add(p.Subject.Rule)
	}
	add(p.Certificate, p.Kinds.Rule)
	if p.Modes != nil {
		add(p.Modes.Rule)
	}
	if p.Institutions != nil {
		add(p.Institutions.Rule)
	}
	if p.Supervision != nil {
		add(p.Supervision.Rule)
	}
	if p.Queryable != nil {
		add(p.Queryable.Rule)
	}
	if p.Places != nil {
		add(p.Places.Rule)
	}
	if p.Window != nil {
		add(p.Window.Rule)
	}
	if p.Groups != nil {
		add(p.Groups.Rule)
	}
	if p.Ages != nil {
		add(p.Ages.Rule)
	}
	for _, f := range p.Facts {
		add(f.Rule)
	}
	p.moneyRules(add)
	add(p.Once.Rule, p.Reuse.Rule)
	for _, x := range p.Excludes {
		add(x.Rule)
	}
	if p.Higher != nil {
		add(p.Higher.Rule)
	}
	if p.Frequency != nil {
		add(p.Frequency.Rule)
	}
	if p.Refund != nil {
		add(p.Refund.Rule)
	}
	for _, b := range p.Bounds {
		add(b.Rule)
	}
	return out
}

// moneyRules adds the rules that make the amount and its way.
func (p *Policy) moneyRules(add func(...Rule)) {
	if p.Catalogue != nil {
		add(p.Catalogue.Rule)
	}
	add(p.Amounts.Rule)
	if p.Scarce != nil {
		add(p.Scarce.Rule)
	}
	if p.ScarceAlways != nil {
		add(p.ScarceAlways.Rule)
	}
	if p.CostCap != nil {
		add(*p.CostCap)
	}
	if p.Beneficiary != nil {
		add(p.Beneficiary.Rule)
	}
	if p.Prepayment != nil {
		add(p.Prepayment.Rule)
	}
	if p.Channel != nil {
		add(p.Channel.Rule)
	}
}

// Rules returns every rule of p in the order of evaluation, for explanations.
func (p Policy) Rules() []Rule { return p.rules() }
