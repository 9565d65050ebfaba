package evaluators

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"
)

// wrong makes a field error from two finished texts.
func wrong(name, code, zh, en string) fail.Field {
	return fail.Field{Name: name, Code: code, ZH: zh, EN: en}
}

// refuse returns nil when nothing is wrong, else one Invalid error that carries
// every field.
func refuse(code, zh, en string, fields []fail.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, code, "%s", en).In("%s", zh).At(fields...)
}

// digits reports a value that is not exactly n ASCII digits.
func digits(name, value string, n int, zh, en string) []fail.Field {
	if len(value) == n && strings.Trim(value, "0123456789") == "" {
		return nil
	}
	return []fail.Field{wrong(name, "digits",
		fmt.Sprintf("%s应为 %d 位数字，实为 %q", zh, n, value),
		fmt.Sprintf("the %s must be %d digits, not %q", en, n, value))}
}

// text reports a value that is empty (when needed), longer than most characters,
// not valid UTF-8, wrapped in spaces, or has control characters.
func text(name, value string, needed bool, most int, zh, en string) []fail.Field {
	switch {
	case value == "" && !needed:
		return nil
	case value == "":
		return []fail.Field{wrong(name, "missing", zh+"不能为空", "the "+en+" is missing")}
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return []fail.Field{wrong(name, "characters", zh+"含有控制字符或不可识别的字符",
			"the "+en+" contains control characters or is not valid UTF-8")}
	case strings.TrimSpace(value) != value:
		return []fail.Field{wrong(name, "spaces", zh+"首尾不能有空格", "the "+en+" must not begin or end with a space")}
	case utf8.RuneCountInString(value) > most:
		return []fail.Field{wrong(name, "too_long", fmt.Sprintf("%s最多 %d 个字", zh, most),
			fmt.Sprintf("the %s may have at most %d characters", en, most))}
	}
	return nil
}
