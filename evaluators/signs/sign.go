package signs

import (
	"fmt"
	"slices"

	"bajigong/standards"
)

// Kind is a kind of sign.
type Kind string

// The kinds of sign.
const (
	KindVelocity         Kind = "velocity"          // 备案后短期集中发证
	KindJump             Kind = "jump"              // 发证量陡增
	KindRush             Kind = "rush"              // 暂停前突击发证
	KindSameScores       Kind = "same_scores"       // 成绩雷同
	KindAllPassed        Kind = "all_passed"        // 高等级全员合格
	KindPensionAge       Kind = "pension_age"       // 超龄考生集中
	KindLate             Kind = "late"              // 上报滞后
	KindBackdated        Kind = "backdated"         // 疑似倒签
	KindNearTrades       Kind = "near_trades"       // 相近职业（工种）短期多证
	KindManyCertificates Kind = "many_certificates" // 一人一年多证
	KindExaminerLoad     Kind = "examiner_load"     // 考评员单日超量
	KindExaminerInARow   Kind = "examiner_in_a_row" // 考评员连续执考
)

var kindWords = map[Kind][2]string{
	KindVelocity:         {"备案后短期集中发证", "many certificates soon after admission"},
	KindJump:             {"发证量陡增", "a jump in certificates"},
	KindRush:             {"暂停前突击发证", "a rush before a suspension"},
	KindSameScores:       {"成绩雷同", "identical scores"},
	KindAllPassed:        {"高等级全员合格", "everybody passed at a high level"},
	KindPensionAge:       {"超龄考生集中", "many candidates of pension age"},
	KindLate:             {"上报滞后", "a step done late"},
	KindBackdated:        {"疑似倒签", "certificates that may be backdated"},
	KindNearTrades:       {"相近职业（工种）短期多证", "many near trades in a short time"},
	KindManyCertificates: {"一人一年多证", "many certificates for one person in a year"},
	KindExaminerLoad:     {"考评员单日超量", "more than an examiner can do in a day"},
	KindExaminerInARow:   {"考评员连续执考", "the same examiners in a row"},
}

// Kinds lists every kind, in a fixed order.
func Kinds() []Kind {
	return []Kind{KindVelocity, KindJump, KindRush, KindSameScores, KindAllPassed, KindPensionAge, KindLate, KindBackdated,
		KindNearTrades, KindManyCertificates, KindExaminerLoad, KindExaminerInARow}
}

// Chinese returns the word officials use; empty for a kind that does not exist.
func (k Kind) Chinese() string { return kindWords[k][0] }

// English returns an English word; empty for a kind that does not exist.
func (k Kind) English() string { return kindWords[k][1] }

// Measure is one thing that was measured. It is over its limit when Value is
// larger; Limit is the most that raises nothing.
type Measure struct {
	Name  string `json:"name"` // certificates, batches, share_percent, …
	Value int    `json:"value"`
	Limit int    `json:"limit"`
}

// Over reports whether the limit is crossed.
func (m Measure) Over() bool { return m.Value > m.Limit }

// Record names a record that a sign rests on. Kind is session, batch, decision,
// certificate, examiner or day; ID is its id, number or date.
type Record struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// maxRecords bounds the records that one sign names; its measures count all.
const maxRecords = 20

// Sign is one finding. It names records, never a person.
type Sign struct {
	Kind    Kind           `json:"kind"`
	Window  string         `json:"window"`  // what one review is kept for: the admission, a month, a decision
	Rule    string         `json:"rule"`    // id of the rule file
	Version string         `json:"version"` // the day from which that file is in force
	On      standards.Date `json:"on"`      // the day it was found
	// Measures are the figures, those that are over their limit and those that
	// are not.
	Measures []Measure `json:"measures"`
	Records  []Record  `json:"records,omitempty"`
	// Running says that the figures are totals of the window that go on growing,
	// not of these records alone.
	Running bool   `json:"running,omitempty"`
	ZH      string `json:"zh"`
	EN      string `json:"en"`
}

// over reports whether any measure is over its limit.
func (s Sign) over() bool { return slices.ContainsFunc(s.Measures, Measure.Over) }

// sign begins a finding of these rules.
func (r Rules) sign(k Kind, window string, on standards.Date, measures ...Measure) Sign {
	return Sign{Kind: k, Window: window, Rule: r.ID, Version: r.From, On: on, Measures: measures}
}

// says sets the explanation.
func (s Sign) says(zh, en string) Sign { s.ZH, s.EN = zh, en; return s }

// Naming returns s with the records it rests on, as many as a sign names.
func (s Sign) Naming(records ...Record) Sign {
	s.Records = append(slices.Clip(s.Records), records...)
	if len(s.Records) > maxRecords {
		s.Records = s.Records[:maxRecords]
	}
	return s
}

// month is the window of signs that are looked at month by month.
func month(d standards.Date) string {
	if len(d) < 7 {
		return string(d)
	}
	return string(d[:7])
}

func percent(part, whole int) int {
	if whole <= 0 {
		return 0
	}
	return part * 100 / whole
}

// text is fmt.Sprintf, short because every rule has two sentences.
func text(format string, args ...any) string { return fmt.Sprintf(format, args...) }
