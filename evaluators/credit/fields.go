package credit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// faults collects what is wrong with an input.
type faults []fail.Field

func (f *faults) add(name, code, zh, en string) {
	*f = append(*f, fail.Field{Name: name, Code: code, ZH: zh, EN: en})
}

// text reports a text that is empty (when needed), longer than most characters,
// not valid UTF-8, wrapped in spaces, or has control characters.
func (f *faults) text(name, value string, needed bool, most int, zh, en string) {
	switch {
	case value == "" && !needed:
	case value == "":
		f.add(name, "missing", "请填写"+zh, "the "+en+" is missing")
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		f.add(name, "characters", zh+"含有控制字符或不可识别的字符", "the "+en+" contains control characters or is not valid UTF-8")
	case strings.TrimSpace(value) != value:
		f.add(name, "spaces", zh+"首尾不能有空格", "the "+en+" must not begin or end with a space")
	case utf8.RuneCountInString(value) > most:
		f.add(name, "too_long", fmt.Sprintf("%s最多 %d 个字", zh, most), fmt.Sprintf("the %s may have at most %d characters", en, most))
	}
}

// past reports a date that does not exist or is after today.
func (f *faults) past(name string, d, today standards.Date, zh, en string) {
	switch {
	case !d.Valid():
		f.add(name, "date", zh+"应为实际存在的日期，如 2026-03-02", "the "+en+" must be an existing day, for instance 2026-03-02")
	case d > today:
		f.add(name, "after_today", fmt.Sprintf("%s %s 晚于今天 %s", zh, d, today), fmt.Sprintf("the %s %s is after today, %s", en, d, today))
	}
}

// span reports two dates that do not exist or are in the wrong order.
func (f *faults) span(fromName, untilName string, from, until standards.Date) {
	for name, d := range map[string]standards.Date{fromName: from, untilName: until} {
		if !d.Valid() {
			f.add(name, "date", "应为实际存在的日期，如 2026-03-02", "must be an existing day, for instance 2026-03-02")
		}
	}
	if from.Valid() && until.Valid() && until < from {
		f.add(untilName, "order", fmt.Sprintf("止期 %s 早于起期 %s", until, from), fmt.Sprintf("the last day %s is before the first day %s", until, from))
	}
}

// refuse returns nil when nothing is wrong, else one Invalid error with every
// field.
func (f faults) refuse(code, zh, en string) error {
	if len(f) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, code, "%s", en).In("%s", zh).At(f...)
}

func conflict(code, zh, en string) error {
	return fail.New(fail.Conflict, code, "%s", en).In("%s", zh)
}
