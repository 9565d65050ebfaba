package standards

import (
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// NumberKind is a kind of certificate number. A number is always kept with its
// kind: no single pattern fits them all (docs/sources.md).
type NumberKind string

// The kinds of certificate numbers.
const (
	LevelCertificate       NumberKind = "level"                // 职业技能等级证书, 22 characters, 人社鉴发〔2019〕2号
	SpecialTechnicianPaper NumberKind = "special_technician"   // 特级技师, 2 letters and 20 digits
	Qualification          NumberKind = "qualification"        // 职业资格证书, 16 digits
	ShanghaiOld            NumberKind = "shanghai_13"          // Shanghai, 13 digits
	Provincial             NumberKind = "provincial_20"        // provincial style, 20 characters from R
	SpecialOperation       NumberKind = "special_operation"    // 特种作业操作证: T and the identity number
	ConstructionOperation  NumberKind = "construction_special" // 建筑施工特种作业, provincial style, 14 characters
	IdentityNumber         NumberKind = "identity"             // a certificate that uses the holder's identity number
	OtherNumber            NumberKind = "other"                // anything else, taken as it is
)

// Number is a certificate number of any kind. Its printed form is masked where
// the number contains an identity number; Text must then be kept as personal data.
type Number struct {
	Kind NumberKind `json:"kind"`
	Raw  string     `json:"raw,omitempty"` // as it was given
	Text string     `json:"text"`          // normalised; equal numbers have equal kinds and texts

	Parts         *LevelNumber         `json:"parts,omitempty"`         // LevelCertificate and, when its layout is known, SpecialTechnicianPaper
	Qualification *QualificationNumber `json:"qualification,omitempty"` // Qualification
}

// Personal reports whether the number contains an identity number.
func (n Number) Personal() bool { return n.Kind == SpecialOperation || n.Kind == IdentityNumber }

// Masked returns the number for showing: what contains an identity number shows
// only its first and last character (and the T).
func (n Number) Masked() string {
	switch n.Kind {
	case SpecialOperation:
		return n.Text[:min(1, len(n.Text))] + mask(n.Text[min(1, len(n.Text)):])
	case IdentityNumber:
		return mask(n.Text)
	}
	return n.Text
}

// Grouped returns the number in groups for the eye where its parts are known,
// else as Masked.
func (n Number) Grouped() string {
	if n.Parts != nil {
		return n.Parts.Grouped()
	}
	return n.Masked()
}

// QueryText returns the number as the national query expects it: Shanghai's 13
// digits with 000 before them (practice), all others as they are.
func (n Number) QueryText() string {
	if n.Kind == ShanghaiOld {
		return "000" + n.Text
	}
	return n.Text
}

// Level returns the level that the number itself says, false when it says none.
func (n Number) Level() (Level, bool) {
	switch {
	case n.Parts != nil:
		return n.Parts.Level, true
	case n.Qualification != nil:
		return n.Qualification.Level, true
	case n.Kind == SpecialTechnicianPaper:
		return SpecialTechnician, true
	case n.Kind == Provincial:
		l, ok := LevelOfDigit(n.Text[14])
		return l, ok
	}
	return 0, false
}

// String returns Masked.
func (n Number) String() string { return n.Masked() }

// GoString keeps identity numbers out of %#v as well.
func (n Number) GoString() string {
	return fmt.Sprintf("standards.Number(%q)", string(n.Kind)+":"+n.Masked())
}

// LogValue keeps identity numbers out of structured logs.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// LevelNumber is the number of a 职业技能等级证书 in its seven parts
// (人社鉴发〔2019〕2号). Example: S000032058300253000001 is
//
//	S  0000  32  058300  25  3  000001
//
// class, institution, province, site, year, level, serial. It has no check
// digit: one wrong digit gives another number of good shape, so every part must
// be compared with the record. Its text form, in JSON too, is the 22 characters.
type LevelNumber struct {
	Class       byte   // 'Y' employer, 'S' social training and evaluation organisation
	Institution string // 4 digits; 0000 when filed with a province
	Province    string // 2 digits of GB/T 2260 where the institution or site is
	Site        string // 6 digits given by the province
	Year        int    // of issue, 2000 to 2099
	Level       Level
	Serial      int // 1 to 999999
}

// MaxSerial is the highest serial of one institution or site, year and level.
const MaxSerial = 999999

// specialLetter is the letter that stands for 特级技师 in the place of the level
// digit. That such numbers have two letters and twenty digits is confirmed, the
// letter T is recalled, not confirmed.
const specialLetter = 'T'

// ClassName returns the Chinese name of a class letter; the rule has Y and S only.
func ClassName(class byte) (string, bool) {
	switch class {
	case 'Y':
		return "用人单位", true
	case 'S':
		return "社会培训评价组织", true
	}
	return "", false
}

// Prefix returns the first 13 characters: the filing that the number belongs to.
func (n LevelNumber) Prefix() string {
	return string(rune(n.Class)) + n.Institution + n.Province + n.Site
}

// Format returns the 22 characters. Its result parses to n again when n is valid.
func (n LevelNumber) Format() string {
	return fmt.Sprintf("%s%02d%c%06d", n.Prefix(), n.Year%100, n.levelMark(), n.Serial)
}

// Grouped returns the parts with spaces: S 0000 32 058300 25 3 000001.
func (n LevelNumber) Grouped() string {
	return fmt.Sprintf("%c %s %s %s %02d %c %06d", n.Class, n.Institution, n.Province, n.Site, n.Year%100, n.levelMark(), n.Serial)
}

// String returns Format.
func (n LevelNumber) String() string { return n.Format() }

// MarshalText returns Format; the zero LevelNumber is empty.
func (n LevelNumber) MarshalText() ([]byte, error) {
	if n == (LevelNumber{}) {
		return nil, nil
	}
	return []byte(n.Format()), nil
}

// UnmarshalText accepts exactly what MarshalText gives.
func (n *LevelNumber) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*n = LevelNumber{}
		return nil
	}
	v, err := ParseLevelNumber(string(b))
	if err != nil {
		return err
	}
	if v.Format() != string(b) {
		return bad("number_shape", "证书编号应为22位大写字母和数字，中间无空格", "the certificate number must be written as 22 capital letters and digits without spaces")
	}
	*n = v
	return nil
}

func (n LevelNumber) levelMark() byte {
	if n.Level == SpecialTechnician {
		return specialLetter
	}
	if d, ok := n.Level.Digit(); ok {
		return d
	}
	return '?'
}

// Validate reports the first part of n that cannot stand in a number.
func (n LevelNumber) Validate() error {
	if n.Year < 2000 || n.Year > 2099 {
		return fail.New(fail.Invalid, "number_year", "the year of issue must be 2000 to 2099, not %d", n.Year).
			In("核发年份应在 2000 至 2099 之间，现为 %d", n.Year)
	}
	if n.Serial < 1 || n.Serial > MaxSerial {
		return fail.New(fail.Invalid, "number_serial", "the serial must be 1 to %d, not %d", MaxSerial, n.Serial).
			In("证书序列码应在 000001 至 %d 之间，现为 %d", MaxSerial, n.Serial)
	}
	back, err := ParseLevelNumber(n.Format())
	if err != nil {
		return err
	}
	if back != n {
		return fail.New(fail.Invalid, "number_parts", "the parts of the number have wrong lengths").In("编号各部分的位数不对")
	}
	return nil
}

// cleanNumber unifies full-width forms, removes spaces and the apostrophe by
// which spreadsheets mark texts, and raises lower case.
func cleanNumber(s string) string {
	return strings.TrimLeft(strings.ToUpper(squeeze(norm.NFKC.String(s))), "'‘’`")
}

// levelParts are the parts of the 22 characters, for errors.
var levelParts = []struct {
	from, to int // 1-based, both included
	zh, en   string
}{
	{1, 1, "评价机构类别代码", "class of institution"},
	{2, 5, "评价机构代码", "institution"},
	{6, 7, "省级代码", "province"},
	{8, 13, "机构（站点）序列码", "institution or site"},
	{14, 15, "核发年份", "year of issue"},
	{16, 16, "等级代码", "level"},
	{17, 22, "证书序列码", "serial"},
}

// ParseLevelNumber reads the number of a 职业技能等级证书; spaces, full-width
// forms and lower case are accepted. The error names every wrong position and
// what would be right there, one field each. Error codes: number_missing,
// spreadsheet_number, number_length, number_shape (fields: number_class,
// number_digit, number_province, number_level, number_serial).
func ParseLevelNumber(s string) (LevelNumber, error) {
	t := cleanNumber(s)
	if t == "" {
		return LevelNumber{}, numberMissing()
	}
	if spreadsheetForm.MatchString(t) {
		return LevelNumber{}, spreadsheetNumber()
	}
	return levelParsed(t)
}

// levelParsed reads a number that is cleaned.
func levelParsed(t string) (LevelNumber, error) {
	r := []rune(t)
	if len(r) != 22 {
		return LevelNumber{}, fail.New(fail.Invalid, "number_length", "the certificate number must have 22 characters, not %d", len(r)).
			In("证书编号应为22位，现为%d位", len(r))
	}
	if fields := levelNumberFaults(r); len(fields) > 0 {
		zh, en := fields[0].ZH, fields[0].EN
		if len(fields) > 1 {
			zh += fmt.Sprintf("（另有%d处）", len(fields)-1)
			en += fmt.Sprintf(" (and %d more)", len(fields)-1)
		}
		return LevelNumber{}, bad("number_shape", zh, en).At(fields...)
	}
	n := LevelNumber{Class: t[0], Institution: t[1:5], Province: t[5:7], Site: t[7:13]}
	yy, _ := strconv.Atoi(t[13:15])
	n.Year = 2000 + yy
	n.Level, _ = LevelOfDigit(t[15])
	if t[15] == specialLetter {
		n.Level = SpecialTechnician
	}
	n.Serial, _ = strconv.Atoi(t[16:])
	return n, nil
}

func levelNumberFaults(r []rune) []fail.Field {
	var fields []fail.Field
	fault := func(code, zh, en string) {
		fields = append(fields, fail.Field{Name: "number", Code: code, ZH: zh, EN: en})
	}
	for _, p := range levelParts {
		digits := true
		for i := p.from; i <= p.to; i++ {
			c := r[i-1]
			switch {
			case i == 1:
				if c != 'Y' && c != 'S' {
					fault("number_class",
						fmt.Sprintf("证书编号第1位（%s）应为 Y（用人单位）或 S（社会培训评价组织），现为%s", p.zh, showRune(c)),
						fmt.Sprintf("character 1 of the certificate number (%s) must be Y (employer) or S (social training and evaluation organisation), not %s", p.en, showRune(c)))
				}
			case i == 16:
				if (c < '1' || c > '5') && c != specialLetter {
					fault("number_level",
						fmt.Sprintf("证书编号第16位（%s）应为 5、4、3、2、1（五级至一级），现为%s%s", p.zh, showRune(c), confusedZH(c)),
						fmt.Sprintf("character 16 of the certificate number (%s) must be 5, 4, 3, 2 or 1, not %s%s", p.en, showRune(c), confusedEN(c)))
				}
			case c < '0' || c > '9':
				digits = false
				fault("number_digit",
					fmt.Sprintf("证书编号第%d位（%s）应为数字，现为%s%s", i, p.zh, showRune(c), confusedZH(c)),
					fmt.Sprintf("character %d of the certificate number (%s) must be a digit, not %s%s", i, p.en, showRune(c), confusedEN(c)))
			}
		}
		if !digits {
			continue
		}
		switch text := string(r[p.from-1 : p.to]); {
		case p.from == 6 && provinces[text] == "":
			fault("number_province",
				fmt.Sprintf("证书编号第6–7位（%s）应为省级行政区划代码，现为 %s，无此地区", p.zh, text),
				fmt.Sprintf("characters 6–7 of the certificate number (%s) must be the code of a province; there is none with %s", p.en, text))
		case p.from == 17 && text == "000000":
			fault("number_serial",
				"证书编号第17–22位（证书序列码）应从 000001 起，现为 000000",
				"characters 17–22 of the certificate number (serial) begin at 000001, not 000000")
		}
	}
	return fields
}

func numberMissing() error {
	return bad("number_missing", "证书编号未填写", "the certificate number is missing")
}

// QualificationNumber is the number of a 职业资格证书, 16 digits (docs/sources.md).
// The region is a province or an industry (10 is 江苏, 72 烟草), not GB/T 2260.
type QualificationNumber struct {
	Year         int    `json:"year"`         // 1950 to 2049 by its two digits
	Region       string `json:"region"`       // 2 digits, province or industry
	City         string `json:"city"`         // 2 digits
	Organisation string `json:"organisation"` // 1 digit: 0 centre, 1 national, 2 local, 3 industry, 4 enterprise
	Sequence     string `json:"sequence"`     // 3 digits of the organisation
	Level        Level  `json:"level"`
	Serial       int    `json:"serial"` // 5 digits
}

var (
	digits13         = regexp.MustCompile(`^\d{13}$`)
	digits16         = regexp.MustCompile(`^\d{16}$`)
	shanghaiPrefixed = regexp.MustCompile(`^000\d{13}$`)
	specialBoth      = regexp.MustCompile(`^[A-Z][ACE-HJKMNPRT-Y]\d{20}$`)
	provincial20     = regexp.MustCompile(`^R[A-Z]{2}`)
	construction14   = regexp.MustCompile(`^\p{Han}[A-Z]\d{12}$`)
	levelLike        = regexp.MustCompile(`^[A-Z][0-9OQDILZSBT]{18,24}$`)
	operationLike    = regexp.MustCompile(`^T\d{13,19}X?$`)
	identity15       = regexp.MustCompile(`^\d{15}$`)
)

// ParseNumber recognises the kind of a certificate number and checks what the
// kind allows to check. What looks like a number of a known kind with a mistake
// in it is refused with the position, not taken as another kind; what looks like
// none becomes [OtherNumber] (4 to 40 letters, digits, Chinese characters and
// - / ( ) with at least one digit). Full-width forms, spaces and lower case are
// normalised.
//
// Error codes: those of [ParseLevelNumber] and number_qualification,
// number_provincial, number_operation, number_format.
func ParseNumber(s string) (Number, error) {
	t := cleanNumber(s)
	if t == "" {
		return Number{}, numberMissing()
	}
	if !plainLevel(t) && spreadsheetForm.MatchString(t) {
		return Number{}, spreadsheetNumber()
	}
	n, err := recognise(t)
	if err != nil {
		return Number{}, err
	}
	n.Raw = s
	if n.Text == "" {
		n.Text = t
	}
	return n, nil
}

// plainLevel reports a capital letter and 21 digits, which nearly all numbers are:
// of the forms that recognise knows it can only be that of a level certificate. R
// begins provincial numbers and T those of operators.
func plainLevel(t string) bool {
	return len(t) == 22 && t[0] >= 'A' && t[0] <= 'Z' && t[0] != 'R' && t[0] != 'T' && strings.Trim(t[1:], "0123456789") == ""
}

func recognise(t string) (Number, error) {
	switch {
	case plainLevel(t):
		return recogniseLevel(t)
	case operationLike.MatchString(t):
		return parseOperation(t)
	case provincial20.MatchString(t) && len([]rune(t)) >= 18 && len([]rune(t)) <= 22:
		return parseProvincial(t)
	case specialBoth.MatchString(t):
		// The two letters may also stand first; which parts they then are is
		// not known, so the number is taken whole. A letter that is easily typed
		// for a digit in the second place is a mistake in an ordinary number.
		return Number{Kind: SpecialTechnicianPaper}, nil
	case digits13.MatchString(t):
		return Number{Kind: ShanghaiOld}, nil
	case shanghaiPrefixed.MatchString(t):
		// As a 职业资格 number this would be one of the year 2000 in a region
		// from 01 to 09; the query form of Shanghai's numbers is what occurs.
		return Number{Kind: ShanghaiOld, Text: t[3:]}, nil
	case digits16.MatchString(t):
		return parseQualification(t)
	case construction14.MatchString(t):
		return Number{Kind: ConstructionOperation}, nil
	case looksIdentity(t):
		// A mistyped identity number must not pass as an opaque number that is
		// shown in full.
		if err := checkTail(t, ""); err != nil {
			return Number{}, err
		}
		return Number{Kind: IdentityNumber}, nil
	case isIdentity(t):
		return Number{Kind: IdentityNumber}, nil
	case levelLike.MatchString(t) || len([]rune(t)) == 22 && unicode.IsLetter([]rune(t)[0]):
		return recogniseLevel(t)
	}
	return parseOther(t)
}

func recogniseLevel(t string) (Number, error) {
	p, err := levelParsed(t)
	if err != nil {
		return Number{}, err
	}
	if p.Level == SpecialTechnician {
		return Number{Kind: SpecialTechnicianPaper, Parts: &p}, nil
	}
	return Number{Kind: LevelCertificate, Parts: &p}, nil
}

// looksIdentity reports whether t has the shape, the region (9 for foreigners)
// and the date of an identity number of 18 characters, whatever its check digit.
func looksIdentity(t string) bool {
	return checkShape(t) == nil && (identityRegion(t[:2]) || t[0] == '9') && yearlessBirth(t[8:14], "") && (t[6:8] == "19" || t[6:8] == "20")
}

// isIdentity reports whether t is an old identity number: 15 digits that hold a
// date, or the 15 characters of the old foreigner's card.
func isIdentity(t string) bool {
	if identity15.MatchString(t) {
		return identityRegion(t[:2]) && yearlessBirth(t[6:12], "")
	}
	return oldCardForm.MatchString(t) && checkForeigner(t, "") == nil
}

func parseOperation(t string) (Number, error) {
	id := t[1:]
	if len(id) != 18 {
		return Number{}, fail.New(fail.Invalid, "number_operation", "the number of an operator's certificate is T and the 18 characters of the identity number; here %d follow", len(id)).
			In("特种作业操作证编号应为 T 加18位身份证号码，现 T 后为%d位", len(id))
	}
	if _, ok := residentKind(id); ok || id[0] == '9' && checkForeigner(id, "") == nil {
		return Number{Kind: SpecialOperation}, nil
	}
	err := fail.Of(checkResident(ResidentID, id, ""))
	return Number{}, fail.New(fail.Invalid, "number_operation", "the number of an operator's certificate is T and the identity number: %s", err.Text).
		In("特种作业操作证编号应为 T 加身份证号码：%s", err.ZH)
}

func parseProvincial(t string) (Number, error) {
	r := []rune(t)
	no := func(zh, en string) (Number, error) {
		return Number{}, bad("number_provincial", "20位证书编号"+zh, "the certificate number of 20 characters "+en)
	}
	if len(r) != 20 {
		return no(fmt.Sprintf("（R 开头）应为20位，现为%d位", len(r)), fmt.Sprintf("(from R) has %d", len(r)))
	}
	if !strings.ContainsRune("SCXG", r[1]) {
		return no("第2位应为 S、C、X、G 之一，现为"+showRune(r[1]), "must have S, C, X or G at position 2, not "+showRune(r[1]))
	}
	if !strings.ContainsRune("NW", r[2]) {
		return no("第3位应为 N 或 W，现为"+showRune(r[2]), "must have N or W at position 3, not "+showRune(r[2]))
	}
	for i := 3; i < 20; i++ {
		if r[i] < '0' || r[i] > '9' {
			return no(fmt.Sprintf("第%d位应为数字，现为%s%s", i+1, showRune(r[i]), confusedZH(r[i])),
				fmt.Sprintf("must have a digit at position %d, not %s%s", i+1, showRune(r[i]), confusedEN(r[i])))
		}
	}
	if _, ok := LevelOfDigit(t[14]); !ok {
		return no(fmt.Sprintf("第15位（等级）应为 5、4、3、2、1，现为“%c”", t[14]),
			fmt.Sprintf("must have a level from 5 to 1 at position 15, not “%c”", t[14]))
	}
	return Number{Kind: Provincial}, nil
}

func parseQualification(t string) (Number, error) {
	if t[6] > '4' {
		return Number{}, fail.New(fail.Invalid, "number_qualification", "digit 7 of the 16-digit number (kind of organisation) must be 0 to 4, not %c", t[6]).
			In("16位职业资格证书编号第7位（机构识别码）应为 0 至 4，现为 %c", t[6])
	}
	level, ok := LevelOfDigit(t[10])
	if !ok {
		return Number{}, fail.New(fail.Invalid, "number_qualification", "digit 11 of the 16-digit number (level) must be 5 to 1, not %c", t[10]).
			In("16位职业资格证书编号第11位（等级）应为 5、4、3、2、1，现为 %c", t[10])
	}
	yy, _ := strconv.Atoi(t[:2])
	year := 2000 + yy
	if yy >= 50 {
		year = 1900 + yy
	}
	serial, _ := strconv.Atoi(t[11:])
	return Number{Kind: Qualification, Qualification: &QualificationNumber{
		Year: year, Region: t[2:4], City: t[4:6], Organisation: t[6:7], Sequence: t[7:10], Level: level, Serial: serial,
	}}, nil
}

func parseOther(t string) (Number, error) {
	r := []rune(t)
	if len(r) < 4 || len(r) > 40 {
		return Number{}, fail.New(fail.Invalid, "number_length", "the certificate number must have 4 to 40 characters (22 for a skill level certificate), not %d", len(r)).
			In("证书编号应为4至40位（职业技能等级证书为22位），现为%d位", len(r))
	}
	digit := false
	for i, c := range r {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'A' && c <= 'Z', unicode.Is(unicode.Han, c), strings.ContainsRune("-/()", c):
		default:
			return Number{}, fail.New(fail.Invalid, "number_format", "character %d of the certificate number (%s) cannot stand there; letters, digits, Chinese characters and - / ( ) can", i+1, showRune(c)).
				In("证书编号第%d位%s不应出现，只可用字母、数字、汉字和 - / ( )", i+1, showRune(c))
		}
	}
	if !digit {
		return Number{}, bad("number_format", "证书编号中应有数字", "a certificate number has digits")
	}
	return Number{Kind: OtherNumber}, nil
}
