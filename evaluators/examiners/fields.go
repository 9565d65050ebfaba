package examiners

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"
	"bajigong/standards"
)

func wrong(name, code, zh, en string) fail.Field {
	return fail.Field{Name: name, Code: code, ZH: zh, EN: en}
}

func refuse(code, zh, en string, fields []fail.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, code, "%s", en).In("%s", zh).At(fields...)
}

// text reports a value that is missing, too long, or not plain text.
func text(name, value string, needed bool, most int, zh, en string) []fail.Field {
	switch {
	case value == "" && !needed:
		return nil
	case strings.TrimSpace(value) == "":
		return []fail.Field{wrong(name, "missing", zh+"不能为空", "the "+en+" is missing")}
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return []fail.Field{wrong(name, "characters", zh+"含有控制字符或不可识别的字符", "the "+en+" has control characters or is not valid UTF-8")}
	case strings.TrimSpace(value) != value:
		return []fail.Field{wrong(name, "spaces", zh+"首尾不能有空格", "the "+en+" must not begin or end with a space")}
	case utf8.RuneCountInString(value) > most:
		return []fail.Field{wrong(name, "too_long", fmt.Sprintf("%s最多 %d 个字", zh, most), fmt.Sprintf("the %s has at most %d characters", en, most))}
	}
	return nil
}

// date reports a date that does not exist; an empty one when it is needed.
func date(name string, d standards.Date, needed bool, zh, en string) []fail.Field {
	switch {
	case d == "" && !needed:
		return nil
	case d == "":
		return []fail.Field{wrong(name, "missing", zh+"不能为空", "the "+en+" is missing")}
	case !d.Valid():
		return []fail.Field{wrong(name, "date", zh+"应为实际存在的日期，如 2026-03-02", "the "+en+" is an existing day such as 2026-03-02")}
	}
	return nil
}

// years is the same day so many years later; 29 February becomes the 28th where
// there is none (民法典 202: a period ends on the last day of its month).
func years(d standards.Date, n int) standards.Date {
	if !d.Valid() {
		return ""
	}
	t := d.Time().In(standards.Zone)
	if out, ok := standards.NewDate(t.Year()+n, int(t.Month()), t.Day()); ok {
		return out
	}
	out, _ := standards.NewDate(t.Year()+n, int(t.Month()), t.Day()-1)
	return out
}
