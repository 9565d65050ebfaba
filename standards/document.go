package standards

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"unicode"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// DocumentKind is a kind of identity document.
type DocumentKind string

// The kinds of documents.
const (
	ResidentID       DocumentKind = "resident_id"        // 居民身份证, GB 11643
	ForeignerPR      DocumentKind = "foreigner_pr"       // 外国人永久居留身份证, 18 characters since 2023-12-01, 15 before
	HKMacaoResidence DocumentKind = "hk_macao_residence" // 港澳居民居住证, 810000 and 820000
	TaiwanResidence  DocumentKind = "taiwan_residence"   // 台湾居民居住证, 830000
	HKMacaoPermit    DocumentKind = "hk_macao_permit"    // 港澳居民来往内地通行证
	TaiwanPermit     DocumentKind = "taiwan_permit"      // 台湾居民来往大陆通行证
	Passport         DocumentKind = "passport"           // 护照
	Military         DocumentKind = "military"           // 军人证件
	OtherDocument    DocumentKind = "other"              // 其他证件
)

type documentFacts struct {
	kind          DocumentKind
	name, english string
	words         []string
}

// documentTable: 201 is the resident identity card in the national upload table
// (practice); 01 and 111 are seen in other systems.
var documentTable = []documentFacts{
	{ResidentID, "居民身份证", "resident identity card", []string{"身份证", "二代身份证", "第二代居民身份证", "公民身份证", "公民身份号码", "201", "01", "111"}},
	{ForeignerPR, "外国人永久居留身份证", "foreigner's permanent residence card", []string{"外国人永久居留证", "永居证", "永久居留证", "五星卡"}},
	{HKMacaoResidence, "港澳居民居住证", "residence permit of a Hong Kong or Macao resident", []string{"港澳居住证", "港澳居民居住证件"}},
	{TaiwanResidence, "台湾居民居住证", "residence permit of a Taiwan resident", []string{"台湾居住证", "台湾居民居住证件"}},
	{HKMacaoPermit, "港澳居民来往内地通行证", "mainland travel permit of a Hong Kong or Macao resident", []string{"港澳通行证", "港澳居民通行证", "回乡证"}},
	{TaiwanPermit, "台湾居民来往大陆通行证", "mainland travel permit of a Taiwan resident", []string{"台湾通行证", "台湾居民通行证", "台胞证"}},
	{Passport, "护照", "passport", []string{"外国护照", "中国护照", "普通护照"}},
	{Military, "军人证件", "military document", []string{"军官证", "士兵证", "军人证", "军人身份证件", "警官证"}},
	{OtherDocument, "其他证件", "other document", []string{"其他", "其它", "其它证件"}},
}

// DocumentKinds returns all kinds, the resident identity card first.
func DocumentKinds() []DocumentKind {
	var out []DocumentKind
	for _, f := range documentTable {
		out = append(out, f.kind)
	}
	return out
}

func (k DocumentKind) facts() documentFacts {
	for _, f := range documentTable {
		if f.kind == k {
			return f
		}
	}
	return documentFacts{}
}

// Valid reports whether k is one of the kinds.
func (k DocumentKind) Valid() bool { return k.facts().kind != "" }

// Name returns the Chinese name: 居民身份证.
func (k DocumentKind) Name() string { return k.facts().name }

// English returns the English name.
func (k DocumentKind) English() string { return k.facts().english }

// UploadCode returns the kind's code in the national upload table. Only the
// code of the resident identity card is known (201, practice).
func (k DocumentKind) UploadCode() (string, bool) {
	if k == ResidentID {
		return "201", true
	}
	return "", false
}

// ParseDocumentKind reads a kind by its code, its Chinese name as people write
// it, or the codes that other systems use for the resident identity card. Error
// codes: document_kind_missing, document_kind_unknown.
func ParseDocumentKind(s string) (DocumentKind, error) {
	if k := DocumentKind(s); k.Valid() {
		return k, nil // as programs write it
	}
	t := strings.ToLower(squeeze(norm.NFKC.String(s)))
	if t == "" {
		return "", fail.New(fail.Invalid, "document_kind_missing", "the kind of identity document is missing; write for instance 居民身份证").
			In("未填写证件类型，应如“居民身份证”")
	}
	for _, f := range documentTable {
		if t == string(f.kind) || t == f.name {
			return f.kind, nil
		}
		for _, w := range f.words {
			if t == w {
				return f.kind, nil
			}
		}
	}
	var names []string
	for _, f := range documentTable {
		names = append(names, f.name)
	}
	return "", fail.New(fail.Invalid, "document_kind_unknown", "the kind of identity document is not known; write one of %s", strings.Join(names, ", ")).
		In("证件类型无法识别，应为 %s 之一", strings.Join(names, "、"))
}

// Document is a checked identity document. Its printed form is masked; Number
// is the whole normalised number and must not reach logs, URLs or errors.
type Document struct {
	Kind   DocumentKind `json:"kind"`
	Number string       `json:"number"`
}

// Masked returns the first and the last character with stars between. (First
// six and last four, as often seen, can be enumerated; our reading.)
func (d Document) Masked() string { return mask(d.Number) }

// mask keeps the first and last character of s.
func mask(s string) string {
	r := []rune(s)
	if len(r) <= 2 {
		return strings.Repeat("*", len(r))
	}
	return string(r[0]) + strings.Repeat("*", len(r)-2) + string(r[len(r)-1])
}

// String returns the kind and the masked number.
func (d Document) String() string { return string(d.Kind) + ":" + d.Masked() }

// GoString keeps the number out of %#v as well.
func (d Document) GoString() string { return fmt.Sprintf("standards.Document(%q)", d.String()) }

// LogValue keeps the number out of structured logs.
func (d Document) LogValue() slog.Value { return slog.StringValue(d.String()) }

// Birth returns the date of birth that the number carries: resident identity
// cards, residence permits and foreigner's cards of 18 characters.
func (d Document) Birth() (Date, bool) {
	switch d.Kind {
	case ResidentID, HKMacaoResidence, TaiwanResidence, ForeignerPR:
	default:
		return "", false
	}
	if len(d.Number) != 18 {
		return "", false
	}
	n := d.Number[6:14]
	b := Date(n[:4] + "-" + n[4:6] + "-" + n[6:])
	return b, b.Valid()
}

// Rounded reports a valid number of 18 characters that ends in 000, as a
// spreadsheet leaves it when it rounds to 15 digits. One rounded number in
// eleven passes the check digit by chance, so when another row of the same
// file is damaged, this one must be compared with the card too.
func (d Document) Rounded() bool {
	return len(d.Number) == 18 && strings.HasSuffix(d.Number, "000")
}

var (
	spreadsheetForm = regexp.MustCompile(`^[+-]?\d+(\.\d*)?E\+?\d{1,3}$|^\d{15,}\.0*$`)
	hkMacaoForm     = regexp.MustCompile(`^[HM]\d{8}(\d{2})?$`)
	taiwanForm      = regexp.MustCompile(`^\d{8}$|^\d{10}[A-Z]?$`)
	passportForm    = regexp.MustCompile(`^[A-Z0-9]{5,17}$`)
	oldCardForm     = regexp.MustCompile(`^[A-Z]{3}\d{12}$`)
	letterCard      = regexp.MustCompile(`^[A-Z]{3}`)
)

// ParseDocument checks and normalises an identity document. kind may be a
// [DocumentKind] or anything [ParseDocumentKind] reads. A birth date after on
// is refused; an empty on leaves that out. Full-width characters, spaces and a
// lower-case x are normalised.
//
// Numbers with a check digit (GB 11643, the foreigner's cards) are checked in
// full. The other kinds are checked for shape only (their shapes are recalled,
// not confirmed), and may not hold a number that is a valid resident identity
// number, because the same person would then count twice.
//
// Error codes: document_kind_missing, document_kind_unknown,
// document_number_missing, spreadsheet_number, document_length,
// document_character, document_region, document_birth, document_check_digit,
// document_old_number, document_kind_mismatch, document_format.
func ParseDocument[K ~string](kind K, number string, on Date) (Document, error) {
	k, err := ParseDocumentKind(string(kind))
	if err != nil {
		return Document{}, err
	}
	n := strings.ToUpper(squeeze(norm.NFKC.String(number)))
	n = strings.TrimLeft(n, "'‘’`")
	if n == "" {
		return Document{}, bad("document_number_missing", "证件号码未填写", "the document number is missing")
	}
	if strings.ContainsAny(n, ".E") && spreadsheetForm.MatchString(n) {
		return Document{}, spreadsheetNumber()
	}
	switch k {
	case ResidentID, HKMacaoResidence, TaiwanResidence:
		err = checkResident(k, n, on)
	case ForeignerPR:
		err = checkForeigner(n, on)
	default:
		err = checkOther(k, n)
	}
	if err != nil {
		return Document{}, err
	}
	return Document{Kind: k, Number: n}, nil
}

// bad makes an Invalid error from finished texts.
func bad(code, zh, en string) *fail.Error {
	return fail.New(fail.Invalid, code, "%s", en).In("%s", zh)
}

func spreadsheetNumber() error {
	return bad("spreadsheet_number",
		"号码被电子表格改成了数值（如 3.2E+17，或末三位变为 000），末尾数字已丢失，无法还原。请将该列单元格格式设为“文本”，再按证件重新填写",
		"a spreadsheet has turned the number into a figure (such as 3.2E+17, or with 000 at the end); its last digits are lost. Set the column's format to text and enter the number again from the document")
}

// checkShape checks for 18 characters, 17 digits and a digit or X.
func checkShape(n string) error {
	if len([]rune(n)) != 18 {
		return bad("document_length",
			fmt.Sprintf("证件号码应为18位，现为%d位", len([]rune(n))),
			fmt.Sprintf("the document number must have 18 characters, not %d", len([]rune(n))))
	}
	if len(n) == 18 && isDigits(n[:17]) && (isDigits(n[17:]) || n[17] == 'X') {
		return nil
	}
	for i, r := range []rune(n) {
		if r >= '0' && r <= '9' || i == 17 && r == 'X' {
			continue
		}
		want, wantEN := "数字", "a digit"
		if i == 17 {
			want, wantEN = "数字或 X", "a digit or X"
		}
		return bad("document_character",
			fmt.Sprintf("证件号码第%d位应为%s，现为%s%s", i+1, want, showRune(r), confusedZH(r)),
			fmt.Sprintf("character %d of the document number must be %s, not %s%s", i+1, wantEN, showRune(r), confusedEN(r)))
	}
	return nil
}

// checkTail checks the birth date at 7–14 and the check digit of a number of
// the shape that checkShape accepts.
func checkTail(n string, on Date) error {
	last, _ := ResidentIDCheck(n[:17])
	if last != n[17] && strings.HasSuffix(n, "000") {
		return spreadsheetNumber()
	}
	birth := Date(n[6:10] + "-" + n[10:12] + "-" + n[12:14])
	switch {
	case n[6:8] != "19" && n[6:8] != "20" || !birth.Valid():
		return bad("document_birth",
			"证件号码第7–14位应为出生日期（年月日），现为不存在的日期。请核对证件",
			"characters 7–14 of the document number must be the date of birth; they are not an existing date. Compare with the document")
	case on != "" && birth > on:
		return bad("document_birth",
			"证件号码第7–14位的出生日期晚于当前日期。请核对证件",
			"the date of birth in characters 7–14 of the document number lies in the future. Compare with the document")
	case last != n[17]:
		return bad("document_check_digit",
			fmt.Sprintf("证件号码校验位应为 %c，现为 %c。请核对证件，其余各位也可能有误", last, n[17]),
			fmt.Sprintf("the check digit of the document number must be %c, not %c; compare with the document, another digit may be the wrong one", last, n[17]))
	}
	return nil
}

func checkResident(k DocumentKind, n string, on Date) error {
	if len(n) == 15 && isDigits(n) {
		return bad("document_old_number",
			"证件号码为15位旧号码，应填18位公民身份号码",
			"this is an old number of 15 digits; give the one of 18")
	}
	if len(n) == 15 && letterCard.MatchString(n) || len(n) == 18 && n[0] == '9' && isDigits(n[:17]) {
		return mismatch(k, ForeignerPR)
	}
	if err := checkShape(n); err != nil {
		return err
	}
	if !identityRegion(n[:2]) {
		return bad("document_region",
			fmt.Sprintf("证件号码前两位应为省级行政区划代码，现为 %s，无此地区", n[:2]),
			fmt.Sprintf("the document number must begin with the code of a province; there is none with %s", n[:2]))
	}
	is := ResidentID
	switch {
	case n[:6] == "810000" || n[:6] == "820000":
		is = HKMacaoResidence
	case n[:6] == "830000":
		is = TaiwanResidence
	}
	switch {
	case k == is && (k != ResidentID || n[:2] != "83"):
	case k == HKMacaoResidence && is == ResidentID:
		return bad("document_region", "港澳居民居住证号码应以 810000 或 820000 开头", "the number of this residence permit must begin with 810000 or 820000")
	case k == TaiwanResidence && is == ResidentID:
		return bad("document_region", "台湾居民居住证号码应以 830000 开头", "the number of this residence permit must begin with 830000")
	case k == is:
		return bad("document_region", "以 83 开头的号码应为 830000（台湾居民居住证）", "a number that begins with 83 must begin with 830000, the residence permit of a Taiwan resident")
	default:
		return mismatch(k, is)
	}
	return checkTail(n, on)
}

func mismatch(k, is DocumentKind) error {
	return bad("document_kind_mismatch",
		fmt.Sprintf("证件类型填的是%s，而号码是%s的号码，应将证件类型改为%s", k.Name(), is.Name(), is.Name()),
		fmt.Sprintf("the kind is %s, but the number is that of a %s; correct the kind", k.English(), is.English()))
}

func checkForeigner(n string, on Date) error {
	if letterCard.MatchString(n) {
		if !oldCardForm.MatchString(n) {
			return bad("document_format",
				"外国人永久居留身份证旧号码应为3位字母加12位数字，共15位；2023年12月起的新号码为18位，以9开头",
				"the old number of this card has 3 letters and 12 digits; the new one, since December 2023, has 18 characters and begins with 9")
		}
		if !yearlessBirth(n[7:13], on) {
			return bad("document_birth",
				"证件号码第8–13位应为出生日期（年月日各两位），现为不存在或晚于当前日期的日期",
				"characters 8–13 of the document number must be the date of birth (yymmdd); they are not an existing date in the past")
		}
		if want := check731(n[:14]); want != n[14] {
			return bad("document_check_digit",
				fmt.Sprintf("证件号码校验位应为 %c，现为 %c。请核对证件，其余各位也可能有误", want, n[14]),
				fmt.Sprintf("the check digit of the document number must be %c, not %c; compare with the document, another character may be the wrong one", want, n[14]))
		}
		return nil
	}
	if err := checkShape(n); err != nil {
		return err
	}
	if n[0] != '9' {
		if is, ok := residentKind(n); ok {
			return mismatch(ForeignerPR, is)
		}
		return bad("document_region",
			"外国人永久居留身份证新号码应以 9 开头",
			"the new number of this card must begin with 9")
	}
	return checkTail(n, on)
}

// yearlessBirth reports whether yymmdd is a day of the 1900s or 2000s, not after on.
func yearlessBirth(yymmdd string, on Date) bool {
	for _, century := range []string{"19", "20"} {
		d := Date(century + yymmdd[:2] + "-" + yymmdd[2:4] + "-" + yymmdd[4:])
		if d.Valid() && (on == "" || d <= on) {
			return true
		}
	}
	return false
}

// residentKind reports which of the kinds with a GB 11643 number n is a valid
// number of.
func residentKind(n string) (DocumentKind, bool) {
	if len(n) != 18 {
		return "", false
	}
	for _, k := range []DocumentKind{ResidentID, HKMacaoResidence, TaiwanResidence} {
		if checkResident(k, n, "") == nil {
			return k, true
		}
	}
	return "", false
}

func checkOther(k DocumentKind, n string) error {
	if is, ok := residentKind(n); ok {
		return mismatch(k, is)
	}
	if len(n) == 18 && n[0] == '9' && checkForeigner(n, "") == nil {
		return mismatch(k, ForeignerPR)
	}
	format := func(zh, en string) error {
		return bad("document_format", k.Name()+"号码"+zh, "the number of this document ("+k.English()+") "+en)
	}
	switch k {
	case HKMacaoPermit:
		if !hkMacaoForm.MatchString(n) {
			return format("应为 H 或 M 加8位数字（旧证加10位）", "must be H or M and 8 digits (10 on old ones)")
		}
	case TaiwanPermit:
		if !taiwanForm.MatchString(n) {
			return format("应为8位数字（旧证10位数字，可带一位字母）", "must be 8 digits (10 and perhaps a letter on old ones)")
		}
	case Passport:
		if !passportForm.MatchString(n) {
			return format("应为5至17位字母和数字", "must be 5 to 17 letters and digits")
		}
	default:
		if r := []rune(n); len(r) < 4 || len(r) > 40 {
			return format(fmt.Sprintf("应为4至40个字符，现为%d个", len(r)), fmt.Sprintf("must have 4 to 40 characters, not %d", len(r)))
		}
		for i, r := range []rune(n) {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-/()", r) {
				return format(fmt.Sprintf("第%d个字符%s不应出现，只可用字母、数字、汉字和 - / ( )", i+1, showRune(r)),
					fmt.Sprintf("may not contain %s (character %d); letters, digits and - / ( ) are allowed", showRune(r), i+1))
			}
		}
	}
	return nil
}

// ResidentIDCheck returns the check character of GB 11643 (ISO 7064 MOD 11-2)
// for the first 17 digits of a number; false when they are not 17 digits.
func ResidentIDCheck(first17 string) (byte, bool) {
	if len(first17) != 17 || !isDigits(first17) {
		return 0, false
	}
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i := range 17 {
		sum += int(first17[i]-'0') * weights[i]
	}
	return "10X98765432"[sum%11], true
}

// check731 is the check digit of the foreigner's card of 15 characters: weights
// 7 3 1 in turn, letters count 10 to 35, modulo 10, as in travel documents.
func check731(s string) byte {
	weights := [3]int{7, 3, 1}
	sum := 0
	for i := range len(s) {
		v := int(s[i] - '0')
		if s[i] >= 'A' {
			v = int(s[i]-'A') + 10
		}
		sum += v * weights[i%3]
	}
	return byte('0' + sum%10)
}

// isDigits reports whether s has ASCII digits only; an empty s has.
func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// showRune names a character for an error text.
func showRune(r rune) string {
	if unicode.IsPrint(r) {
		return "“" + string(r) + "”"
	}
	return fmt.Sprintf("U+%04X", r)
}

// lookalikes are letters that are taken for digits.
var lookalikes = map[rune]rune{'O': '0', 'Q': '0', 'D': '0', 'I': '1', 'L': '1', 'Z': '2', 'S': '5', 'B': '8', '×': 'X', 'Х': 'X', 'Χ': 'X', '*': 'X'}

func confusedZH(r rune) string {
	if d, ok := lookalikes[r]; ok {
		return fmt.Sprintf("（是否为 %c）", d)
	}
	return ""
}

func confusedEN(r rune) string {
	if d, ok := lookalikes[r]; ok {
		return fmt.Sprintf(" (perhaps %c)", d)
	}
	return ""
}
