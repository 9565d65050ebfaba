package standards

import (
	"strings"
	"unicode"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the greatest number of characters in a personal name.
const MaxName = 40

// nameDots are the characters that stand for the dot in minority and foreign
// names; · U+00B7 is the one of identity cards.
const nameDots = "·•・．‧･∙⋅"

// CleanName checks a personal name and returns it as it is kept: NFC, the dots
// ·•・．‧ unified to ·, spaces around it removed and those inside collapsed to
// one. Nothing else is changed. Rare characters beyond the first 65,536 are
// allowed; characters of the private use area are refused with their position,
// because they look different, or like nothing, on every machine.
// Error codes: name_missing, name_length, name_private_character,
// name_lost_character, name_character.
func CleanName(s string) (string, error) {
	var b strings.Builder
	position := 0
	letters, space := false, false
	if len(s) > 16*MaxName {
		return "", nameLength()
	}
	for _, r := range norm.NFC.String(s) {
		position++
		switch {
		case unicode.IsSpace(r) && r != '\u0085':
			space = b.Len() > 0
			continue
		case r == '\uFEFF' || r == '\u200B':
			continue
		case strings.ContainsRune(nameDots, r):
			r = '·'
		case unicode.Is(unicode.Co, r):
			return "", fail.New(fail.Invalid, "name_private_character", "character %d of the name is a private-use character (U+%04X) that other systems cannot show; type it again as it stands on the identity card, with an input method for rare characters", position, r).
				In("姓名第%d个字是自造字（U+%04X），其他系统无法显示。请按身份证用生僻字输入法重新录入", position, r)
		case r == unicode.ReplacementChar || r == '?' || r == '？' || r == '□' || r == '■':
			return "", fail.New(fail.Invalid, "name_lost_character", "character %d of the name was lost in a conversion (it is shown as %s); type it again as it stands on the identity card", position, showRune(r)).
				In("姓名第%d个字在转换中丢失（显示为%s）。请按身份证重新录入", position, showRune(r))
		case unicode.IsLetter(r), unicode.IsMark(r), r == '〇', unicode.Is(unicode.Nl, r), r >= 0x20000 && r <= 0x3FFFD:
			letters = true
		case strings.ContainsRune("'’‘`-‐.,，()（）/", r):
		default:
			return "", fail.New(fail.Invalid, "name_character", "character %d (%s) cannot stand in a name; write the name as on the identity document", position, showRune(r)).
				In("姓名第%d个字符%s不应出现，请按身份证件填写", position, showRune(r))
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	name := trimDots(b.String())
	if !letters {
		return "", fail.New(fail.Invalid, "name_missing", "the name is missing").In("未填写姓名")
	}
	if len([]rune(name)) > MaxName {
		return "", nameLength()
	}
	return norm.NFC.String(name), nil
}

var besideDots = strings.NewReplacer(" · ", "·", " ·", "·", "· ", "·")

// trimDots removes spaces beside the dot.
func trimDots(s string) string {
	if !strings.Contains(s, "·") {
		return s
	}
	return besideDots.Replace(s)
}

func nameLength() error {
	return fail.New(fail.Invalid, "name_length", "the name may have %d characters at most", MaxName).
		In("姓名最多 %d 个字符", MaxName)
}

// NormaliseName returns the form in which names are compared: compatibility
// forms unified (NFKC), Latin letters in lower case, without spaces, dots and
// invisible characters. It is not for showing.
func NormaliseName(s string) string {
	for range 3 {
		t := strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '.' || strings.ContainsRune(nameDots, r) {
				return -1
			}
			return r
		}, strings.ToLower(norm.NFKC.String(s)))
		if t == s {
			break
		}
		s = t
	}
	return s
}
