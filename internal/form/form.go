// Package form checks what people fill in: it names every field that is wrong, in
// both languages, for one Invalid error.
package form

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"
)

// Wrong is a field that is wrong, in two finished texts.
func Wrong(name, code, zh, en string) fail.Field {
	return fail.Field{Name: name, Code: code, ZH: zh, EN: en}
}

// Refuse returns nil when nothing is wrong, else one Invalid error that carries
// every field.
func Refuse(code, zh, en string, fields []fail.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, code, "%s", en).In("%s", zh).At(fields...)
}

// Text reports a value of one line that is empty when it is needed (missing), not
// valid UTF-8 or with control characters (characters), wrapped in spaces (spaces),
// or longer than most characters (too_long).
func Text(name, value string, needed bool, most int, zh, en string) []fail.Field {
	switch {
	case value == "" && !needed:
		return nil
	case strings.TrimSpace(value) == "":
		return []fail.Field{Wrong(name, "missing", zh+"不能为空", "the "+en+" is missing")}
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return []fail.Field{Wrong(name, "characters", zh+"含有控制字符或不可识别的字符", "the "+en+" contains control characters or is not valid UTF-8")}
	case strings.TrimSpace(value) != value:
		return []fail.Field{Wrong(name, "spaces", zh+"首尾不能有空格", "the "+en+" must not begin or end with a space")}
	case utf8.RuneCountInString(value) > most:
		return []fail.Field{Wrong(name, "too_long", fmt.Sprintf("%s最多 %d 个字", zh, most), fmt.Sprintf("the %s may have at most %d characters", en, most))}
	}
	return nil
}
