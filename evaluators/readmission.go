package evaluators

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A Readmission 重新准入 lets an institution that has left or was removed be filed
// anew. It revives no earlier filing: those stay ended, and nothing may be issued
// until a new filing is recorded. For a new filing, and for the institution as a
// whole from Effective on, the decisions on its former standing count no more;
// for the earlier filings they count for ever.
type Readmission struct {
	Effective standards.Date `json:"effective"` // the first day on which a new filing may begin
	Document  string         `json:"document"`
	Basis     string         `json:"basis"`
	Reason    string         `json:"reason,omitempty"`
	Former    string         `json:"former"` // the last decision recorded before it
	Recorded  time.Time      `json:"recorded"`
}

// Readmit returns the institution with in recorded at now. decisions are all on
// it, in the order of the log.
//
// Errors: Invalid readmission_invalid, with a field for everything wrong;
// Conflict not_ended (it has not left), blacklisted (today or on the day from
// which it would be readmitted).
func (i Institution) Readmit(decisions []Decision, in Readmission, now time.Time) (Institution, error) {
	today := standards.DateOf(now)
	fs := day("effective", in.Effective, "生效日期", "effective date")
	fs = append(fs, text("document", in.Document, true, 100, "决定文号", "number of the document")...)
	fs = append(fs, text("basis", in.Basis, true, 500, "依据", "basis")...)
	fs = append(fs, text("reason", in.Reason, false, 1000, "事由", "reason")...)
	if len(fs) == 0 && in.Effective < today {
		fs = append(fs, wrong("effective", "past", "重新准入不能溯及既往，生效日期不能早于今天",
			"nobody is readmitted for days that are past: the effective date must not be before today"))
	}
	if err := refuse("readmission_invalid", "重新准入决定的内容有误", "the readmission is not complete", fs); err != nil {
		return Institution{}, err
	}
	if s, _ := i.StatusAt(decisions, today, now); !s.Ended() {
		return Institution{}, fail.New(fail.Conflict, "not_ended", "institution %s has not left; a filing can be recorded without readmission", i.ID).
			In("机构 %s 未退出，无须重新准入，可直接备案", i.ID)
	}
	for _, on := range []standards.Date{today, in.Effective} {
		if d, barred := Barred(decisions, on, now); barred {
			return Institution{}, d.Barring()
		}
	}
	in.Former, in.Recorded = decisions[len(decisions)-1].ID, now.UTC()
	i.Readmissions = append(slices.Clip(i.Readmissions), in)
	return i, nil
}

// StatusAt is [StatusAt] of the whole institution, by its present standing: an
// exit before a readmission counts until the day of the readmission.
func (i Institution) StatusAt(decisions []Decision, on standards.Date, known time.Time) (Status, Decision) {
	return StatusAt(behind(decisions, i.former(on, known)), Target{Institution: i.ID}, on, known)
}

// former returns the last decision on the institution's former standing, as of a
// date and known at a time; none if it was never readmitted.
func (i Institution) former(on standards.Date, known time.Time) (id string) {
	for _, r := range i.Readmissions {
		if r.Effective <= on && !r.Recorded.After(known) {
			id = r.Former
		}
	}
	return id
}

// behind returns the decisions that follow the one with the id; all of them if
// it is not there.
func behind(decisions []Decision, id string) []Decision {
	if id == "" {
		return decisions
	}
	at := slices.IndexFunc(decisions, func(d Decision) bool { return d.ID == id })
	return decisions[at+1:]
}

// standingUnder leaves out the decisions on the institution's former standing.
func (f Filing) standingUnder(decisions []Decision) []Decision { return behind(decisions, f.Former) }

// standingUnder returns the decisions that a new one is to be compared with.
func (i Institution) standingUnder(d Decision, filed []Filing, decisions []Decision) []Decision {
	if at := slices.IndexFunc(filed, func(f Filing) bool { return f.ID == d.Filing }); at >= 0 {
		return filed[at].standingUnder(decisions)
	}
	at := d.InForce()
	return behind(decisions, i.former(standards.DateOf(at), at))
}

// mayFile refuses a filing from a day on for an institution that has ended and
// was not readmitted by that day.
func (i Institution) mayFile(decisions []Decision, from standards.Date, now time.Time) error {
	today := standards.DateOf(now)
	s, by := i.StatusAt(decisions, today, now)
	if s.Ended() {
		s, by = i.StatusAt(decisions, max(today, from), now)
	}
	if s.Ended() {
		return fail.New(fail.Conflict, "institution_ended", "institution %s can have no new filing: %s; it has to be readmitted first", i.ID, by.english()).
			In("机构 %s 不能新增备案：%s；须先作出重新准入决定", i.ID, by.chinese())
	}
	if n := len(i.Readmissions); n > 0 && from < i.Readmissions[n-1].Effective {
		return fail.New(fail.Conflict, "institution_ended", "institution %s was readmitted from %s; a filing cannot begin before", i.ID, i.Readmissions[n-1].Effective).
			In("机构 %s 自 %s 起重新准入，备案不能早于该日", i.ID, i.Readmissions[n-1].Effective)
	}
	return nil
}

// ChangeName is [Institution.Rename] with the document of the change.
//
// Errors: Invalid rename_invalid, with a field for everything wrong.
func (i Institution) ChangeName(in NameChange, now time.Time) (Institution, error) {
	if err := refuse("rename_invalid", "更名信息有误", "the change of name is not right",
		text("document", in.Document, true, 100, "变更文号", "number of the document")); err != nil {
		return Institution{}, err
	}
	if len(i.Names) >= maxChanges {
		return Institution{}, tooMany("名称", "names")
	}
	i, err := i.Rename(in.Name, in.From, now)
	if err != nil {
		return Institution{}, err
	}
	i.Names[len(i.Names)-1].Document = in.Document
	return i, nil
}

// maxChanges bounds each list of changes on a record.
const maxChanges = 200

func tooMany(zh, en string) error {
	return fail.New(fail.Conflict, "too_many_changes", "the record has %d %s already; record a new filing", maxChanges, en).
		In("该记录的%s变更已达 %d 条，请办理新的备案", zh, maxChanges)
}

// day reports a date that is missing or does not exist.
func day(name string, d standards.Date, zh, en string) []fail.Field {
	if d.Valid() {
		return nil
	}
	return []fail.Field{wrong(name, "date", fmt.Sprintf("%s应为实际存在的日期，如 2026-03-02", zh),
		fmt.Sprintf("the %s must be an existing day, for instance 2026-03-02", en))}
}
