package standards

import (
	"strings"
	"unicode"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// lastFour is how many characters at the end of a document are compared.
const lastFour = 4

// LastFour returns the last four characters of the number, all of it when it is
// shorter.
func (d Document) LastFour() string {
	r := []rune(d.Number)
	return string(r[max(len(r)-lastFour, 0):])
}

// ParseLastFour reads the last four characters of a document number 证件号后四位
// as people type them: full-width forms, spaces and case do not matter, and x
// is X. It fails with fail.Invalid, last4, when they are not four characters of
// which a document number can be made.
func ParseLastFour(s string) (string, error) {
	wrong := fail.New(fail.Invalid, "last4", "the last four characters of the document are needed, digits or letters, such as 002X").
		In("请填写证件号码的后四位（数字或字母，如 002X）").
		At(fail.Field{Name: "last4", Code: "shape", ZH: "应为证件号码的后四位，数字或字母（末位可为 X），如 002X", EN: "Enter the last four characters of the document: digits or letters, such as 002X"})
	if len(s) > 64 {
		return "", wrong
	}
	t := strings.ToUpper(squeeze(norm.NFKC.String(s)))
	if len([]rune(t)) != lastFour {
		return "", wrong
	}
	for _, c := range t {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-/()", c) {
			return "", wrong
		}
	}
	return t, nil
}
