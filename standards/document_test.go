package standards

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const today = Date("2026-03-02")

func TestResidentIDVectors(t *testing.T) { // GB 11643; all are public specimens
	for _, c := range []struct {
		kind   DocumentKind
		number string
		birth  Date
	}{
		{ResidentID, "11010519491231002X", "1949-12-31"},
		{ResidentID, "34052419800101001X", "1980-01-01"},
		{HKMacaoResidence, "810000199408230021", "1994-08-23"},
		{TaiwanResidence, "830000199201300022", "1992-01-30"},
		{ForeignerPR, "932682198501010017", "1985-01-01"}, // public specimen of the card of 2023
		{ForeignerPR, "911124198108030024", "1981-08-03"}, // public specimen of the card of 2023
	} {
		d, err := ParseDocument(c.kind, c.number, today)
		if err != nil {
			t.Errorf("%s: %v", c.number, err)
			continue
		}
		if b, ok := d.Birth(); !ok || b != c.birth {
			t.Errorf("%s: born %s", c.number, b)
		}
	}
	for _, form := range []string{"11010519491231002x", " 110105 19491231 002X ", "１１０１０５１９４９１２３１００２Ｘ", "'11010519491231002X", "11010519491231002X\u200b"} {
		if d, err := ParseDocument("居民身份证", form, today); err != nil || d.Number != "11010519491231002X" {
			t.Errorf("%q: %v", form, err)
		}
	}
}

func TestEverySingleChangeOfAResidentIDIsRefused(t *testing.T) { // GB 11643: MOD 11-2 finds every single error
	for _, number := range []string{"11010519491231002X", numberWith(t, "32058319990228123"), "810000199408230021", "932682198501010017"} {
		kind := ResidentID
		switch number[:1] {
		case "8":
			kind = HKMacaoResidence
		case "9":
			kind = ForeignerPR
		}
		for i := range number {
			for b := range 256 {
				mutant := []byte(number)
				mutant[i] = byte(b)
				if d, err := ParseDocument(kind, string(mutant), today); err == nil && d.Number != number {
					t.Fatalf("position %d byte %#x was accepted", i+1, b)
				}
			}
		}
	}
}

func TestDocumentErrorsSayWhatWouldBeRight(t *testing.T) {
	future := numberWith(t, "32058320260303123")
	for _, c := range []struct {
		kind         DocumentKind
		number, code string
		zh           string
	}{
		{ResidentID, "", "document_number_missing", "未填写"},
		{ResidentID, "110105194912310023", "document_check_digit", "证件号码校验位应为 X，现为 3"},
		{ResidentID, "1101051949123100", "document_length", "应为18位，现为16位"},
		{ResidentID, "1101051949123100211", "document_length", "现为19位"},
		{ResidentID, "110105491231002", "document_old_number", "18位"},
		{ResidentID, "1101O519491231002X", "document_character", "第5位应为数字，现为“O”（是否为 0）"},
		{ResidentID, "11010519491231002Y", "document_character", "第18位应为数字或 X"},
		{ResidentID, numberWith(t, "99010519491231002"), "document_kind_mismatch", "外国人永久居留身份证"},
		{ResidentID, numberWith(t, "16010519491231002"), "document_region", "现为 16，无此地区"},
		{ResidentID, numberWith(t, "66010519491231002"), "document_region", "66"},
		{ResidentID, numberWith(t, "11010519490229002"), "document_birth", "第7–14位"},
		{ResidentID, numberWith(t, "11010518490228002"), "document_birth", "第7–14位"},
		{ResidentID, future, "document_birth", "晚于当前日期"},
		{ResidentID, "810000199408230021", "document_kind_mismatch", "港澳居民居住证"},
		{ResidentID, "830000199201300022", "document_kind_mismatch", "台湾居民居住证"},
		{ResidentID, numberWith(t, "83010519491231002"), "document_region", "830000"},
		{HKMacaoResidence, "11010519491231002X", "document_region", "810000"},
		{HKMacaoResidence, "830000199201300022", "document_kind_mismatch", "台湾居民居住证"},
		{TaiwanResidence, "11010519491231002X", "document_region", "830000"},
		{ForeignerPR, "11010519491231002X", "document_kind_mismatch", "居民身份证"},
		{Passport, "11010519491231002X", "document_kind_mismatch", "居民身份证"}, // else one person counts twice
		{OtherDocument, "932682198501010017", "document_kind_mismatch", "外国人永久居留身份证"},
		{Passport, "E1", "document_format", "5至17位"},
		{HKMacaoPermit, "A12345678", "document_format", "H 或 M"},
		{TaiwanPermit, "1234567", "document_format", "8位"},
		{Military, "123", "document_format", "4至40个字符，现为3个"},
		{Military, strings.Repeat("1", 41), "document_format", "现为41个"},
		{ResidentID, "USA310178010117", "document_kind_mismatch", "外国人永久居留身份证"},
		{HKMacaoResidence, numberWith(t, "83010519491231002"), "document_region", "810000"},
		{OtherDocument, "a<b>c", "document_format", "“<”"},
		{"visa", "1", "document_kind_unknown", "居民身份证"},
		{"", "1", "document_kind_missing", "证件类型"},
	} {
		_, err := ParseDocument(c.kind, c.number, today)
		e := wantCode(t, err, c.code, c.number)
		if !strings.Contains(e.ZH, c.zh) {
			t.Errorf("%s %s: %s, want %s", c.kind, c.number, e.ZH, c.zh)
		}
	}
	if _, err := ParseDocument(ResidentID, future, ""); err != nil {
		t.Error("without a date the future is not asked:", err)
	}
}

func TestNumbersThatASpreadsheetDamagedAreNamedAsSuch(t *testing.T) { // practice: identity numbers typed into number cells
	for _, s := range []string{"3.2E+17", "3.20583E+17", "3.20583199001011E+17", "3E17", "３．２Ｅ＋１７", "320583199001011230.00", "110105194912310000", "320583199002281000"} {
		for _, kind := range []DocumentKind{ResidentID, ForeignerPR} {
			if kind == ForeignerPR && !strings.ContainsAny(s, "E.Ｅ") {
				continue
			}
			_, err := ParseDocument(kind, s, today)
			wantCode(t, err, "spreadsheet_number", s)
		}
	}
	_, err := ParseLevelNumber("3.2E+17")
	wantCode(t, err, "spreadsheet_number")
	_, _, err = ParseUSCC("9.13501E+17")
	wantCode(t, err, "spreadsheet_number")
	// A rounded number can pass the check by chance; it says so.
	for n := range 100 {
		number := numberWith(t, fmt.Sprintf("3205831990%02d%02d100", n%12+1, n%28+1))
		if !strings.HasSuffix(number, "000") {
			continue
		}
		d, err := ParseDocument(ResidentID, number, today)
		if err != nil || !d.Rounded() {
			t.Errorf("%v, rounded %v", err, d.Rounded())
		}
		return
	}
	t.Error("no valid number that ends in 000 was tried")
}

func TestOldForeignersCard(t *testing.T) { // 3 letters, 4 region, 6 birth, 1 sequence, 7-3-1 check
	body := "USA31017801011"
	card := body + string(rune(check731(body)))
	d, err := ParseDocument(ForeignerPR, strings.ToLower(card), today)
	if err != nil || d.Number != card {
		t.Fatal(err)
	}
	if _, ok := d.Birth(); ok {
		t.Error("two digits do not give the century")
	}
	// 7·30 + 3·28 + 1·10 + 7·3+3·1+1·0+7·1+3·7+1·8+7·0+3·1+1·0+7·1+3·1 = 377
	if check731(body) != '7' {
		t.Errorf("check %c", check731(body))
	}
	for i := 3; i < len(card); i++ { // digits: 7, 3 and 1 have inverses modulo 10
		for c := byte('0'); c <= '9'; c++ {
			if c == card[i] {
				continue
			}
			mutant := card[:i] + string(rune(c)) + card[i+1:]
			if _, err := ParseDocument(ForeignerPR, mutant, today); err == nil {
				t.Errorf("position %d, %c was accepted", i+1, c)
			}
		}
	}
	wantCode(t, errOf(ParseDocument(ForeignerPR, "USA3101780101", today)), "document_format")
	wantCode(t, errOf(ParseDocument(ForeignerPR, "USA310178133017", today)), "document_birth")
}

func TestDocumentKindsAsFilesWriteThem(t *testing.T) { // 201: practice of the national upload table
	for s, want := range map[string]DocumentKind{
		"居民身份证": ResidentID, "身份证": ResidentID, "201": ResidentID, "resident_id": ResidentID, "护照": Passport, "港澳居民来往内地通行证": HKMacaoPermit,
		"回乡证": HKMacaoPermit, "台胞证": TaiwanPermit, "外国人永久居留身份证": ForeignerPR, " 其他 ": OtherDocument,
	} {
		if got, err := ParseDocumentKind(s); err != nil || got != want {
			t.Errorf("%q: %s %v", s, got, err)
		}
	}
	if c, ok := ResidentID.UploadCode(); c != "201" || !ok {
		t.Error(c)
	}
	if _, ok := Passport.UploadCode(); ok {
		t.Error("only the code of the resident card is known")
	}
	for _, k := range DocumentKinds() {
		if !k.Valid() || k.Name() == "" || k.English() == "" {
			t.Error(k)
		}
		if got, err := ParseDocumentKind(k.Name()); err != nil || got != k {
			t.Error(k, err)
		}
	}
	for kind, number := range map[DocumentKind]string{HKMacaoPermit: "H12345678", TaiwanPermit: "12345678", Passport: "E12345678", Military: "军字第1234567号", OtherDocument: "AB-123/4"} {
		if _, err := ParseDocument(kind, number, today); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNumbersAreMaskedWhereverTheyArePrinted(t *testing.T) { // our reading of GB/T 35273-2020: first 1 and last 1
	d := Document{Kind: ResidentID, Number: "11010519491231002X"}
	if d.Masked() != "1****************X" {
		t.Error(d.Masked())
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "d", d)
	n, err := ParseNumber("T" + d.Number)
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "n", n)
	for _, s := range []string{fmt.Sprint(d), fmt.Sprintf("%v %+v %#v %s", d, d, d, d), fmt.Sprintf("%v %+v %#v %s", n, n, n, n), n.Grouped(), b.String()} {
		if strings.Contains(s, "19491231") {
			t.Error(s)
		}
	}
	if (Document{Number: "AB"}).Masked() != "**" || (Document{}).Masked() != "" || (Document{Number: "军123号"}).Masked() != "军***号" {
		t.Error("short numbers")
	}
}
