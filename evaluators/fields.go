package evaluators

import (
	"fmt"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/form"
)

// The checks of package form, under the names by which this package has them.
var (
	wrong  = form.Wrong
	refuse = form.Refuse
	text   = form.Text
)

// digits reports a value that is not exactly n ASCII digits.
func digits(name, value string, n int, zh, en string) []fail.Field {
	if len(value) == n && strings.Trim(value, "0123456789") == "" {
		return nil
	}
	return []fail.Field{wrong(name, "digits",
		fmt.Sprintf("%s应为 %d 位数字，实为 %q", zh, n, value),
		fmt.Sprintf("the %s must be %d digits, not %q", en, n, value))}
}
