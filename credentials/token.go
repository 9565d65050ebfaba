package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// Claims is what a QR token says: what the paper shows, and the certificate's
// place in the status lists. It never holds a full identity number.
type Claims struct {
	Number         string // certificate number, 22 characters, ungrouped
	Name           string // holder's name as on the paper, at most MaxNameBytes bytes
	DocumentMasked string // first character, stars, last character: "3****************X"
	Occupation     string // code "6-31-01-03", or "6-31-01-03@2015" for an older edition
	Trade          string // catalogue id within the occupation, at most 4 letters or digits; "" prints as "--"
	Level          byte   // '5' (五级) … '1' (一级)
	Issued         string // civil date YYYY-MM-DD in Asia/Shanghai
	Status         int    // list × StatusListBits + index, see StatusPermutation
}

// A Token is the signed text of [Claims], a compact JWS. Its header is
// {"alg":"ES256","kid":"…"}, its payload a JSON object with exactly these
// members in this order, without white space or escapes; t is left out when
// there is no trade:
//
//	{"n":"S000032058300253000001","m":"欧阳娜娜","d":"3X18","o":"6-31-01-03","t":"01","l":3,"a":20250630,"s":130971}
//
//	n  certificate number
//	m  name
//	d  document: first character, last character, length in two digits
//	o  occupation code, with "@" and the year for an edition other than 2022
//	t  catalogue id of the trade within the occupation
//	l  level digit as in the number, 5 … 1
//	a  date of issue, YYYYMMDD
//	s  place in the status lists
//
// The institution is known by the first 13 characters of the number, the
// registry by the first characters of the key id. The two ECDSA signatures of
// one message make two valid tokens: never use a token as an identity.
type Token string

// MaxNameBytes is the greatest length of a name in a token: 32 Chinese
// characters, or 24 of the rare ones that need four bytes. [Budget] counts with
// it.
const MaxNameBytes = 96

// maxStatus keeps the place in the status lists to 8 digits (762 lists, 99.9
// million versions), so that the budget holds.
const maxStatus = 99_999_999

// SignToken returns the token of c. It fails (fail.Invalid, bad_claims, with
// the field) when c holds something that a token cannot, and when s is no QR
// key.
func SignToken(s jws.Signer, c Claims) (Token, error) {
	if s.Purpose() != jws.QR {
		return "", fail.New(fail.Invalid, "wrong_purpose", "key %s is for %q and may not sign QR tokens", s.KID(), s.Purpose()).In("密钥 %s 不用于二维码签名", s.KID())
	}
	payload, err := c.encode()
	if err != nil {
		return "", err
	}
	compact, err := s.Sign(payload, "")
	return Token(compact), err
}

// OpenToken returns the claims of t if it is intact and signed by a QR key of
// set. existed is a time at which the token is known to have existed, by the
// audit log; zero when only the token is at hand (see [jws.Limits]). The error
// is one of the jws.Err values; with jws.ErrDistrusted, and only then, the
// claims are filled beside it.
func OpenToken(t Token, set jws.KeySet, existed time.Time) (Claims, jws.Key, error) {
	opened, err := jws.Open(string(t), set, jws.QR, jws.Limits{Existed: existed})
	if err != nil && !errors.Is(err, jws.ErrDistrusted) {
		return Claims{}, jws.Key{}, err
	}
	c, bad := decodeClaims(opened.Payload)
	if bad != nil {
		return Claims{}, jws.Key{}, bad
	}
	return c, opened.Key, err
}

// InstitutionPrefix returns the first 13 characters of the number: class,
// institution, province and site, which name a filing.
func (c Claims) InstitutionPrefix() string {
	if len(c.Number) < 13 {
		return ""
	}
	return c.Number[:13]
}

// StatusPlace returns the status list and the index within it.
func (c Claims) StatusPlace() (list, index int) {
	return c.Status / StatusListBits, c.Status % StatusListBits
}

type wireClaims struct {
	Number     string `json:"n"`
	Name       string `json:"m"`
	Document   string `json:"d"`
	Occupation string `json:"o"`
	Trade      string `json:"t,omitempty"`
	Level      int    `json:"l"`
	Issued     int    `json:"a"`
	Status     int    `json:"s"`
}

// encode returns the payload of c. The checks leave no character that JSON
// would escape, so there is one text for one value.
func (c Claims) encode() ([]byte, error) {
	document, ok := packMask(c.DocumentMasked)
	switch {
	case !validNumber(c.Number):
		return nil, badClaim("number", "a certificate number of 22 letters and digits", "证书编号应为22位字母和数字")
	case !validName(c.Name):
		return nil, badClaim("name", "a printable name of at most 96 bytes", "姓名应为可打印文字且不超过96字节")
	case !ok:
		return nil, badClaim("document", "a masked document number: first character, stars, last character", "证件号码须打码，仅留首尾各一位")
	case !validOccupation(c.Occupation):
		return nil, badClaim("occupation", "an occupation code such as 6-31-01-03", "职业编码应形如 6-31-01-03")
	case !validTrade(c.Trade):
		return nil, badClaim("trade", "a catalogue id of at most 4 letters or digits, or nothing", "工种应为目录编号（至多4位）或空")
	case c.Level < '1' || c.Level > '5':
		return nil, badClaim("level", "a level digit from 5 to 1", "等级代码应为5至1")
	case c.Status < 0 || c.Status > maxStatus:
		return nil, badClaim("status", "a place in the status lists from 0 to 99999999", "状态清单序号超出范围")
	}
	day, err := packDate(c.Issued)
	if err != nil {
		return nil, err
	}
	return marshalPlain(wireClaims{
		Number: c.Number, Name: c.Name, Document: document, Occupation: c.Occupation, Trade: c.Trade,
		Level: int(c.Level - '0'), Issued: day, Status: c.Status,
	})
}

// decodeClaims accepts exactly what encode writes: unknown or repeated members,
// another order, white space, escapes and other spellings of a number all fail
// the comparison with the re-encoding.
func decodeClaims(payload []byte) (Claims, error) {
	if len(payload) > 1024 {
		return Claims{}, jws.ErrTooLarge
	}
	var w wireClaims
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return Claims{}, jws.ErrMalformed.Because(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Claims{}, jws.ErrMalformed
	}
	c := Claims{
		Number: w.Number, Name: w.Name, Occupation: w.Occupation, Trade: w.Trade, Status: w.Status,
		Issued: unpackDate(w.Issued),
	}
	if w.Level >= 1 && w.Level <= 5 {
		c.Level = byte('0' + w.Level)
	}
	c.DocumentMasked, _ = unpackMask(w.Document)
	again, err := c.encode()
	if err != nil {
		return Claims{}, jws.ErrMalformed.Because(err)
	}
	if !bytes.Equal(again, payload) {
		return Claims{}, jws.ErrNoncanonical
	}
	return c, nil
}

// marshalPlain is json.Marshal without the escapes for HTML and the final line
// break.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func badClaim(field, want, zh string) error {
	return fail.New(fail.Invalid, "bad_claims", "the %s of a token must be %s", field, want).In("%s", zh).
		At(fail.Field{Name: field, Code: "bad_" + field, ZH: zh, EN: "must be " + want})
}

func validNumber(s string) bool {
	if len(s) != 22 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z') }) < 0
}

func validName(s string) bool {
	if s == "" || len(s) > MaxNameBytes || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !nameRune(r) }) < 0
}

// nameRune allows what can be printed: letters, marks, digits, punctuation and
// the plain space, but no direction controls, no private-use characters, and
// none that JSON or HTML writes in two ways. The supplementary ideographic
// planes are allowed as a whole, because rare names use extensions of them that
// are newer than the Unicode tables of a Go release.
func nameRune(r rune) bool {
	switch {
	case r >= 0x20000 && r <= 0x3FFFD:
		return true
	case strings.ContainsRune(`"\<>&`, r):
		return false
	}
	return r == ' ' || unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || unicode.IsPunct(r)
}

func validOccupation(s string) bool {
	code, edition, dated := strings.Cut(s, "@")
	return matches(code, "9-99-99-99") && (!dated || matches(edition, "9999"))
}

// matches compares s with a pattern in which 9 stands for any digit.
func matches(s, pattern string) bool {
	if len(s) != len(pattern) {
		return false
	}
	for i := range len(s) {
		if digit := s[i] >= '0' && s[i] <= '9'; pattern[i] == '9' && !digit || pattern[i] != '9' && s[i] != pattern[i] {
			return false
		}
	}
	return true
}

func validTrade(s string) bool {
	return len(s) <= 4 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}) < 0
}

func packDate(s string) (int, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1900 {
		return 0, badClaim("issued", "a date YYYY-MM-DD from 1900 on", "发证日期应为1900年以后的年-月-日")
	}
	return t.Year()*10000 + int(t.Month())*100 + t.Day(), nil
}

// unpackDate may return no date at all; encode finds out.
func unpackDate(n int) string {
	s := strconv.Itoa(n)
	if len(s) != 8 {
		return ""
	}
	return s[:4] + "-" + s[4:6] + "-" + s[6:]
}

// Documents have at least 3 characters, or a mask would hide nothing, and at
// most 40.
const minDocument, maxDocument = 3, 40

// packMask turns "3****************X" into "3X18".
func packMask(masked string) (string, bool) {
	r := []rune(masked)
	n := len(r)
	if n < minDocument || n > maxDocument || !maskRune(r[0]) || !maskRune(r[n-1]) {
		return "", false
	}
	for _, star := range r[1 : n-1] {
		if star != '*' {
			return "", false
		}
	}
	return string(r[0]) + string(r[n-1]) + twoDigits(n), true
}

// unpackMask is the opposite of packMask.
func unpackMask(s string) (string, bool) {
	r := []rune(s)
	if len(r) != 4 || !maskRune(r[0]) || !maskRune(r[1]) {
		return "", false
	}
	n, err := strconv.Atoi(string(r[2:]))
	if err != nil || n < minDocument || n > maxDocument || twoDigits(n) != string(r[2:]) {
		return "", false
	}
	return string(r[0]) + strings.Repeat("*", n-2) + string(r[1]), true
}

func maskRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || unicode.Is(unicode.Han, r)
}

func twoDigits(n int) string {
	s := strconv.Itoa(n)
	if len(s) < 2 {
		return "0" + s
	}
	return s
}
