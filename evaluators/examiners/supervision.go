package examiners

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Side is who supervises: the institution itself (内督) or the authority (外督).
type Side string

// The sides.
const (
	SideInternal Side = "internal_supervisor"
	SideExternal Side = "external_supervisor"
)

// Sides lists both.
func Sides() []Side { return []Side{SideInternal, SideExternal} }

// Outcome is what one item of a checklist came to.
type Outcome string

// The outcomes.
const (
	OK            Outcome = "ok"
	Found         Outcome = "finding"
	NotApplicable Outcome = "not_applicable"
)

// Outcomes lists every outcome.
func Outcomes() []Outcome { return []Outcome{OK, Found, NotApplicable} }

// Answer is one item of a report.
type Answer struct {
	Code     string  `json:"code"` // of the checklist
	Outcome  Outcome `json:"outcome"`
	Severity string  `json:"severity,omitempty"` // of a finding
	Text     string  `json:"text,omitempty"`     // what was found
}

// Report 督导报告 is what one supervisor saw of one session.
type Report struct {
	ID          string    `json:"id"`
	Session     string    `json:"session"`
	Institution string    `json:"institution"`
	Side        Side      `json:"side"`
	Supervisor  string    `json:"supervisor"` // id of the card
	Items       []Answer  `json:"items"`
	Overall     string    `json:"overall"` // code of the rule file
	Text        string    `json:"text,omitempty"`
	Findings    []Finding `json:"findings,omitempty"`
	Rules       string    `json:"rules"` // id of the rule file
	By          string    `json:"by"`    // account
	Recorded    time.Time `json:"recorded"`
}

// Finding is one thing found, as the credit of an institution counts it.
type Finding struct {
	Session     string    `json:"session"`
	Institution string    `json:"institution"`
	Code        string    `json:"code"`     // item of the checklist
	Severity    string    `json:"severity"` // code of the rule file
	Recorded    time.Time `json:"recorded"`
	Report      string    `json:"report"`
	Credit      string    `json:"credit,omitempty"` // item of the credit rules it is recorded as
}

// File returns in as it is to be stored, its findings drawn from its items. card
// is the supervisor's; examDate is the session's.
//
// Errors: Invalid report_invalid with a field for everything wrong; Conflict
// exam_not_held.
func (r Rules) File(in Report, card Examiner, examDate standards.Date, now time.Time) (Report, error) {
	if standards.DateOf(now) < examDate {
		return in, fail.New(fail.Conflict, "exam_not_held", "the exam is on %s; it is reported on from that day", examDate).In("考试日期为 %s，当日起方可提交督导报告", examDate)
	}
	fs := r.supervisorProblems(in, card, examDate, now)
	fs = append(fs, text("text", in.Text, false, 2000, "总体意见", "text")...)
	fs = append(fs, r.answerProblems(in.Items)...)
	in.Findings = nil
	for _, a := range in.Items {
		if a.Outcome == Found {
			item, _ := choice(r.Supervision.Items, a.Code)
			in.Findings = append(in.Findings, Finding{Session: in.Session, Institution: in.Institution, Code: a.Code, Severity: a.Severity, Recorded: now.UTC(), Report: in.ID, Credit: item.Credit})
		}
	}
	overall, ok := choice(r.Supervision.Overall, in.Overall)
	switch {
	case !ok:
		fs = append(fs, wrong("overall", "unknown", "规则文件中没有这个总体结论", "the rule file has no such conclusion"))
	case overall.Clean && len(in.Findings) > 0:
		fs = append(fs, wrong("overall", "not_clean", "有问题项，总体结论不能为"+overall.Name.ZH, "with findings the conclusion cannot be "+overall.Name.EN))
	}
	if err := refuse("report_invalid", "督导报告有误", "the report is not right", fs); err != nil {
		return in, err
	}
	in.Rules, in.Recorded = r.ID, now.UTC()
	return in, nil
}

func (r Rules) supervisorProblems(in Report, card Examiner, examDate standards.Date, now time.Time) (fs []fail.Field) {
	k, _ := r.kind(card.Kind)
	if !slices.Contains(Sides(), in.Side) {
		return []fail.Field{wrong("side", "unknown", "应为 internal_supervisor 或 external_supervisor", "it is internal_supervisor or external_supervisor")}
	}
	if !slices.Contains(k.Roles, Role(in.Side)) {
		zh, en := r.cite(k.Basis)
		fs = append(fs, wrong("supervisor", "wrong_kind", "该证卡不能担任"+Role(in.Side).Text().ZH+zh, "this card is not good for "+Role(in.Side).Text().EN+en))
	}
	if card.Institution != "" && card.Institution != in.Institution {
		fs = append(fs, wrong("supervisor", "other_institution", "该证卡属其他机构", "the card belongs to another institution"))
	}
	if s := card.StatusAt(examDate, now); s != Valid {
		zh, en := r.cite(k.Validity.Basis)
		fs = append(fs, wrong("supervisor", "card_"+string(s), fmt.Sprintf("证卡在考试日 %s %s%s", examDate, s.Chinese(), zh), fmt.Sprintf("the card is %s on the exam date %s%s", s.English(), examDate, en)))
	}
	return fs
}

// answerProblems: each item of the checklist is answered once, a finding has a
// severity and a text.
func (r Rules) answerProblems(items []Answer) (fs []fail.Field) {
	answered := map[string]bool{}
	for i, a := range items {
		at := fmt.Sprintf("items[%d]", i)
		if _, ok := choice(r.Supervision.Items, a.Code); !ok {
			fs = append(fs, wrong(at+".code", "unknown", "清单中没有此项", "the checklist has no such item"))
		} else if answered[a.Code] {
			fs = append(fs, wrong(at+".code", "duplicate", "此项重复", "the item is there twice"))
		}
		answered[a.Code] = true
		_, severe := choice(r.Supervision.Severities, a.Severity)
		switch {
		case !slices.Contains(Outcomes(), a.Outcome):
			fs = append(fs, wrong(at+".outcome", "unknown", "应为 ok、finding 或 not_applicable", "it is ok, finding or not_applicable"))
		case a.Outcome == Found && !severe:
			fs = append(fs, wrong(at+".severity", "unknown", "请按规则文件填写严重程度", "a finding has a severity of the rule file"))
		case a.Outcome != Found && a.Severity != "":
			fs = append(fs, wrong(at+".severity", "not_finding", "没有问题的项不填严重程度", "only a finding has a severity"))
		}
		fs = append(fs, text(at+".text", a.Text, a.Outcome == Found, 1000, "问题说明", "text of the finding")...)
	}
	for _, c := range r.Supervision.Items {
		if !answered[c.Code] {
			fs = append(fs, wrong("items", "missing", fmt.Sprintf("缺少清单项：%s（%s）", c.Name.ZH, c.Code), fmt.Sprintf("the item %s (%s) is not answered", c.Name.EN, c.Code)))
		}
	}
	return fs
}

// Missing returns the sides that the rule file asks for and that have not reported.
func (r Rules) Missing(reports []Report) (out []Side) {
	for _, side := range r.Supervision.Sides {
		if !slices.ContainsFunc(reports, func(p Report) bool { return p.Side == side }) {
			out = append(out, side)
		}
	}
	return out
}
