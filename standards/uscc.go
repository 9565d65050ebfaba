package standards

import (
	"fmt"
	"strings"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// Warning is something that looks wrong in a value that is accepted all the same.
type Warning struct {
	Code string `json:"code"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

const usccChars = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// usccKinds are the registering departments with their kinds of organisations,
// the first two characters (GB 32100-2015 with amendment 1 of 2016).
const usccKinds = " 11 12 13 19 21 29 31 32 33 34 35 39 41 49 51 52 53 59 61 62 69 71 72 79 81 89 91 92 93 A1 A9 N1 N2 N3 N9 Y1 "

// ParseUSCC checks and normalises a unified social credit code 统一社会信用代码
// (GB 32100), for instance 91350100M000100Y43. A wrong shape is an error; a
// failing check digit, a failing check of the organisation code inside (GB 11714)
// or an unknown kind is only a warning, since some early real codes fail.
// Error codes: uscc_missing, spreadsheet_number, uscc_length, uscc_character.
// Warning codes: uscc_check_digit, uscc_organisation_check, uscc_kind.
func ParseUSCC(s string) (string, *Warning, error) {
	c := strings.ToUpper(squeeze(norm.NFKC.String(s)))
	if c == "" {
		return "", nil, bad("uscc_missing", "统一社会信用代码未填写", "the unified social credit code is missing")
	}
	if spreadsheetForm.MatchString(c) {
		return "", nil, spreadsheetNumber()
	}
	r := []rune(c)
	if len(r) == 15 && isDigits(c) {
		return "", nil, fail.New(fail.Invalid, "uscc_length", "15 digits are an old business registration number; give the unified social credit code of 18 characters").
			In("15位为旧工商注册号，应填18位统一社会信用代码")
	}
	if len(r) != 18 {
		return "", nil, fail.New(fail.Invalid, "uscc_length", "the unified social credit code must have 18 characters, not %d", len(r)).
			In("统一社会信用代码应为18位，现为%d位", len(r))
	}
	for i, ch := range r {
		if i >= 2 && i < 8 {
			if ch < '0' || ch > '9' {
				return "", nil, fail.New(fail.Invalid, "uscc_character", "character %d of the unified social credit code must be a digit (3–8 are the region), not %s%s", i+1, showRune(ch), confusedEN(ch)).
					In("统一社会信用代码第%d位应为数字（第3–8位为登记机关行政区划码），现为%s%s", i+1, showRune(ch), confusedZH(ch))
			}
			continue
		}
		if !strings.ContainsRune(usccChars, ch) {
			return "", nil, fail.New(fail.Invalid, "uscc_character", "character %d of the unified social credit code must be a digit or a letter other than I, O, S, V, Z, not %s%s", i+1, showRune(ch), confusedEN(ch)).
				In("统一社会信用代码第%d位应为数字或除 I、O、S、V、Z 以外的大写字母，现为%s%s", i+1, showRune(ch), confusedZH(ch))
		}
	}
	return c, usccWarning(c), nil
}

func usccWarning(c string) *Warning {
	var w *Warning
	add := func(code, zh, en string) {
		if w == nil {
			w = &Warning{Code: code, ZH: zh, EN: en}
			return
		}
		w.ZH += "；" + zh
		w.EN += "; " + en
	}
	if want, _ := USCCCheck(c[:17]); want != c[17] {
		add("uscc_check_digit",
			fmt.Sprintf("统一社会信用代码校验位应为 %c，现为 %c，请核对", want, c[17]),
			fmt.Sprintf("the check character of the unified social credit code should be %c, not %c; compare it with the licence", want, c[17]))
	}
	if want, _ := OrganisationCheck(c[8:16]); want != c[16] {
		add("uscc_organisation_check",
			fmt.Sprintf("第9–17位组织机构代码的校验位应为 %c，现为 %c，请核对", want, c[16]),
			fmt.Sprintf("the check character of the organisation code in characters 9–17 should be %c, not %c", want, c[16]))
	}
	if !strings.Contains(usccKinds, " "+c[:2]+" ") {
		add("uscc_kind",
			fmt.Sprintf("前两位 %s 不在登记管理部门和机构类别代码表中，请核对", c[:2]),
			fmt.Sprintf("the first two characters %s are not in the table of registering departments", c[:2]))
	}
	return w
}

// USCCCheck returns the last character of a unified social credit code for its
// first 17 (GB 32100); false when they are not 17 characters of its alphabet.
func USCCCheck(first17 string) (byte, bool) {
	if len(first17) != 17 {
		return 0, false
	}
	sum, weight := 0, 1
	for i := range 17 {
		v := strings.IndexByte(usccChars, first17[i])
		if v < 0 {
			return 0, false
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	return usccChars[(31-sum%31)%31], true
}

// OrganisationCheck returns the check character of an organisation code
// 组织机构代码 (GB 11714) for its 8 characters.
func OrganisationCheck(eight string) (byte, bool) {
	if len(eight) != 8 {
		return 0, false
	}
	sum := 0
	for i, w := range [8]int{3, 7, 9, 10, 5, 8, 4, 2} {
		switch ch := eight[i]; {
		case ch >= '0' && ch <= '9':
			sum += int(ch-'0') * w
		case ch >= 'A' && ch <= 'Z':
			sum += (int(ch-'A') + 10) * w
		default:
			return 0, false
		}
	}
	switch c := 11 - sum%11; c {
	case 10:
		return 'X', true
	case 11:
		return '0', true
	default:
		return byte('0' + c), true
	}
}
