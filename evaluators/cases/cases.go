package cases

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

// State is where a case stands.
type State string

// The states; the package comment says what may follow each.
const (
	Lead      State = "lead"
	Inquiry   State = "inquiry"
	Noticed   State = "noticed"
	Heard     State = "heard"
	Decided   State = "decided"
	Served    State = "served"
	Published State = "published"
	Settled   State = "settled"
	Reviewing State = "reviewing"
	Reviewed  State = "reviewed"
	Closed    State = "closed"
	Dismissed State = "dismissed"
)

var stateWords = map[State][2]string{
	Lead: {"线索", "lead"}, Inquiry: {"核查", "inquiry"}, Noticed: {"拟处理告知", "notice given"}, Heard: {"已陈述申辩", "party heard"},
	Decided: {"已决定", "decided"}, Served: {"已送达", "served"}, Published: {"已公开", "published"},
	Settled: {"已验收或恢复", "put right"}, Reviewing: {"复核中", "under review"}, Reviewed: {"已复核", "reviewed"},
	Closed: {"已结案", "closed"}, Dismissed: {"查无实据", "closed without a measure"},
}

// States lists every state.
func States() []State {
	return []State{Lead, Inquiry, Noticed, Heard, Decided, Served, Published, Settled, Reviewing, Reviewed, Closed, Dismissed}
}

// Chinese returns the word officials use; empty for a state that does not exist.
func (s State) Chinese() string { return stateWords[s][0] }

// English returns an English word; empty for a state that does not exist.
func (s State) English() string { return stateWords[s][1] }

// Ended reports whether nothing can follow s.
func (s State) Ended() bool { return s == Closed || s == Dismissed }

// A Subject is whom a case is about: an institution or a part of it, or a person
// by an id of the register, never by name or document.
type Subject struct {
	Target *evaluators.Target `json:"target,omitempty"`
	Person string             `json:"person,omitempty"` // id of an examiner 考评员, or of a person
}

// Institution is the institution the case is about; empty for a person.
func (s Subject) Institution() string {
	if s.Target == nil {
		return ""
	}
	return s.Target.Institution
}

// OriginKind is where a case comes from.
type OriginKind string

// The origins.
const (
	FromReport     OriginKind = "report"     // 举报、投诉
	FromInspection OriginKind = "inspection" // 检查、督导
	FromTransfer   OriginKind = "transfer"   // 其他部门移送
	FromSign       OriginKind = "sign"       // a sign of fraud the register has seen
	FromCredit     OriginKind = "credit"     // the yearly review of the credit 信用评价
)

// Origins lists every origin.
func Origins() []OriginKind {
	return []OriginKind{FromReport, FromInspection, FromTransfer, FromSign, FromCredit}
}

// Origin is where a case comes from. A sign and a credit review have an ID.
type Origin struct {
	Kind OriginKind `json:"kind"`
	ID   string     `json:"id,omitempty"`
}

// A Measure is one thing that is intended or decided. Its target is the
// subject's when empty.
type Measure struct {
	Kind           evaluators.Kind    `json:"kind"`
	Target         *evaluators.Target `json:"target,omitempty"` // none for a person
	Effective      standards.Date     `json:"effective,omitempty"`
	Until          standards.Date     `json:"until,omitempty"`
	Due            standards.Date     `json:"due,omitempty"`
	FinishSessions []string           `json:"finish_sessions,omitempty"`
	FinishUntil    standards.Date     `json:"finish_until,omitempty"`
}

// A Notice 拟处理告知 tells the party what is intended.
type Notice struct {
	Document       string         `json:"document"`
	Basis          string         `json:"basis"`
	Reason         string         `json:"reason"`
	Measures       []Measure      `json:"measures"`
	Served         standards.Date `json:"served"`
	StatementUntil standards.Date `json:"statement_until"` // the last day for an answer
}

// A Ruling is what was decided.
type Ruling struct {
	Document  string         `json:"document"`
	Basis     string         `json:"basis"`
	Reason    string         `json:"reason,omitempty"`
	Measures  []Measure      `json:"measures"`
	On        standards.Date `json:"on"`
	By        string         `json:"by"`                  // account
	Decisions []string       `json:"decisions,omitempty"` // ids of the decisions recorded; none for a person
	Lifted    []string       `json:"lifted,omitempty"`    // ids of those that undid them
	// PublishDue is the day by which it has to be public; empty when it has not.
	PublishDue standards.Date `json:"publish_due,omitempty"`
}

// Service 送达 of the decision.
type Service struct {
	On          standards.Date `json:"on"`
	ReviewUntil standards.Date `json:"review_until"` // the last day to ask for a review
}

// Publication 公开 of the decision.
type Publication struct {
	On     standards.Date `json:"on"`
	Late   bool           `json:"late,omitempty"`
	Reason string         `json:"reason,omitempty"` // what is published beside the decision
}

// Check is one inspection of what had to be put right.
type Check struct {
	On       standards.Date `json:"on"`
	Passed   bool           `json:"passed"`
	Document string         `json:"document"`
	Basis    string         `json:"basis"`
	Reason   string         `json:"reason,omitempty"`
	Due      standards.Date `json:"due,omitempty"` // by when it is to be done now, when not passed
}

// Outcome is what a review decides.
type Outcome string

// The outcomes. To change a decision it is revoked and a new one taken.
const (
	Upheld  Outcome = "upheld"  // 维持
	Revoked Outcome = "revoked" // 撤销原决定
)

// A Review 复核.
type Review struct {
	Requested standards.Date `json:"requested"`
	Outcome   Outcome        `json:"outcome,omitempty"` // none while it runs
	On        standards.Date `json:"on,omitempty"`
	Document  string         `json:"document,omitempty"`
	Basis     string         `json:"basis,omitempty"`
	Reason    string         `json:"reason,omitempty"`
}

// An Entry is one step of a case, as it was taken.
type Entry struct {
	Kind StepKind       `json:"step"`
	At   time.Time      `json:"at"`
	By   string         `json:"by"`             // account
	On   standards.Date `json:"on,omitempty"`   // the day it is about
	Text bool           `json:"text,omitempty"` // there is a text, kept sealed
}

// A Case is one matter from its lead to its end.
type Case struct {
	ID      string    `json:"id"`
	Region  string    `json:"region"` // GB/T 2260, six digits: where it belongs
	Subject Subject   `json:"subject"`
	Origin  Origin    `json:"origin"`
	State   State     `json:"state"`
	Opened  time.Time `json:"opened"`
	Rules   string    `json:"rules"` // id of the rule file it goes by

	Notice      *Notice      `json:"notice,omitempty"`
	Ruling      *Ruling      `json:"ruling,omitempty"`
	Service     *Service     `json:"service,omitempty"`
	Publication *Publication `json:"publication,omitempty"`
	Checks      []Check      `json:"checks,omitempty"`
	Review      *Review      `json:"review,omitempty"`
	Steps       []Entry      `json:"steps"`
}

// Disclosed reports whether the party may see the case: from the notice on, or
// from the decision if that needed none. What goes before is not shown to it.
func (c Case) Disclosed() bool { return c.Notice != nil || c.Ruling != nil }

// Revoked reports whether a review has taken the decision back.
func (c Case) Revoked() bool { return c.Review != nil && c.Review.Outcome == Revoked }

// OpenDay is the day by whose rules the case goes.
func (c Case) OpenDay() standards.Date { return standards.DateOf(c.Opened) }

// Open returns in as it is to be stored, opened at now by an account with a text
// that the caller seals. Error: Invalid case_invalid with a field for everything
// wrong.
func Open(in Case, text string, r Rules, by string, now time.Time) (Case, error) {
	var fs []fail.Field
	fs = append(fs, short("text", text, true, MaxText, "线索", "lead")...)
	fs = append(fs, short("origin.id", in.Origin.ID, in.Origin.Kind == FromSign || in.Origin.Kind == FromCredit, 64, "来源记录标识", "id of the record it comes from")...)
	if !slices.Contains(Origins(), in.Origin.Kind) {
		fs = append(fs, wrong("origin.kind", "origin", "来源应为 report、inspection、transfer、sign 或 credit", "the origin is report, inspection, transfer, sign or credit"))
	}
	if (in.Subject.Institution() == "") == (in.Subject.Person == "") {
		fs = append(fs, wrong("subject", "subject", "案件应针对一家机构（target）或一人（person），只写一项", "a case is about an institution (target) or a person, one of them"))
	}
	fs = append(fs, short("subject.person", in.Subject.Person, false, 64, "人员标识", "id of the person")...)
	if err := refuse("case_invalid", "立案信息有误", "the case is not right", fs); err != nil {
		return Case{}, err
	}
	return Case{ID: in.ID, Region: in.Region, Subject: in.Subject, Origin: in.Origin, State: Lead, Opened: now.UTC(), Rules: r.ID,
		Steps: []Entry{{Kind: Opening, At: now.UTC(), By: by, Text: true}}}, nil
}

// MaxText is the longest text of a step in characters.
const MaxText = 4000

func wrong(name, code, zh, en string) fail.Field {
	return fail.Field{Name: name, Code: code, ZH: zh, EN: en}
}

func refuse(code, zh, en string, fields []fail.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, code, "%s", en).In("%s", zh).At(fields...)
}

// short reports a text that is missing or too long, or that holds what no line
// of a document has. Line breaks are for texts of their own.
func short(name, value string, needed bool, most int, zh, en string) []fail.Field {
	odd := func(r rune) bool { return unicode.IsControl(r) && (r != '\n' || most != MaxText) }
	switch {
	case value == "" && !needed:
		return nil
	case strings.TrimSpace(value) == "":
		return []fail.Field{wrong(name, "missing", zh+"不能为空", "the "+en+" is missing")}
	case !utf8.ValidString(value) || strings.ContainsFunc(value, odd):
		return []fail.Field{wrong(name, "characters", zh+"含有控制字符或不可识别的字符", "the "+en+" contains control characters or is not valid UTF-8")}
	case utf8.RuneCountInString(value) > most:
		return []fail.Field{wrong(name, "too_long", fmt.Sprintf("%s最多 %d 个字", zh, most), fmt.Sprintf("the %s may have at most %d characters", en, most))}
	}
	return nil
}
