package standards

import (
	"encoding/json"
	"strings"
	"testing"
)

const example = "S000032058300253000001"

func TestLevelNumberParts(t *testing.T) { // 人社鉴发〔2019〕2号
	want := LevelNumber{Class: 'S', Institution: "0000", Province: "32", Site: "058300", Year: 2025, Level: Senior, Serial: 1}
	for _, s := range []string{example, "S 0000 32 058300 25 3 000001", "s000032058300253000001", "Ｓ０００0３２058300253000001", " S000032058300253000001\u3000", "'" + example} {
		n, err := ParseLevelNumber(s)
		if err != nil || n != want {
			t.Errorf("%q: %+v %v", s, n, err)
		}
	}
	if want.Format() != example || want.Prefix() != "S000032058300" || want.Grouped() != "S 0000 32 058300 25 3 000001" || want.Validate() != nil {
		t.Error(want.Format(), want.Prefix(), want.Grouped(), want.Validate())
	}
	last := want
	last.Year, last.Serial = 2099, MaxSerial
	if last.Validate() != nil {
		t.Error(last.Validate())
	}
	for in, year := range map[string]int{"5010003010312345": 1950, "4910003010312345": 2049} {
		if n, err := ParseNumber(in); err != nil || n.Qualification.Year != year {
			t.Errorf("%s: %+v %v", in, n.Qualification, err)
		}
	}
	b, _ := json.Marshal(want)
	var back LevelNumber
	if err := json.Unmarshal(b, &back); string(b) != `"`+example+`"` || err != nil || back != want {
		t.Error(string(b), back, err)
	}
	if json.Unmarshal([]byte(`"s000032058300253000001"`), &back) == nil {
		t.Error("stored form is strict")
	}
	for _, n := range []LevelNumber{{}, {Class: 'Y', Institution: "1", Province: "32", Site: "058300", Year: 2025, Level: Senior, Serial: 1}, {Class: 'Y', Institution: "0001", Province: "32", Site: "058300", Year: 2025, Level: ChiefTechnician, Serial: 1}, {Class: 'Y', Institution: "0001", Province: "32", Site: "058300", Year: 2125, Level: Senior, Serial: 1}, {Class: 'Y', Institution: "0001", Province: "32", Site: "058300", Year: 2025, Level: Senior, Serial: 1000000}, {Class: 'Y', Institution: "0001", Province: "32", Site: "058300", Year: 2025, Level: Senior}, {Class: 'Y', Institution: "0001", Province: "32", Site: "058300", Year: 1999, Level: Senior, Serial: 1}, {Class: 'Y', Institution: "0001", Province: "32", Site: "058300", Year: 2025, Level: Senior, Serial: -1}} {
		if n.Validate() == nil {
			t.Errorf("%+v is valid", n)
		}
	}
}

func TestLevelNumberErrorsNameThePosition(t *testing.T) { // the parts of 人社鉴发〔2019〕2号
	for s, want := range map[string]struct{ code, field, zh string }{
		"":                       {"number_missing", "", "未填写"},
		"S00003205830025300001":  {"number_length", "", "应为22位，现为21位"},
		"J000032058300253000001": {"number_shape", "number_class", "第1位（评价机构类别代码）应为 Y（用人单位）或 S（社会培训评价组织），现为“J”"},
		"S0O0032058300253000001": {"number_shape", "number_digit", "第3位（评价机构代码）应为数字，现为“O”（是否为 0）"},
		"S000016058300253000001": {"number_shape", "number_province", "第6–7位（省级代码）应为省级行政区划代码，现为 16"},
		"S000032O58300253000001": {"number_shape", "number_digit", "第8位（机构（站点）序列码）"},
		"S0000320583002S3000001": {"number_shape", "number_digit", "第15位（核发年份）应为数字，现为“S”（是否为 5）"},
		"S000032058300256000001": {"number_shape", "number_level", "第16位（等级代码）应为 5、4、3、2、1（五级至一级），现为“6”"},
		"S000032058300253000000": {"number_shape", "number_serial", "现为 000000"},
		"S0000320583002530000-1": {"number_shape", "number_digit", "第21位"},
	} {
		_, err := ParseLevelNumber(s)
		e := wantCode(t, err, want.code)
		if !strings.Contains(e.ZH, want.zh) {
			t.Errorf("%s: %s", s, e.ZH)
		}
		if want.field != "" && (len(e.Fields) != 1 || e.Fields[0].Code != want.field) {
			t.Errorf("%s: %+v", s, e.Fields)
		}
	}
	e := wantCode(t, errOf(ParseLevelNumber("XO00016058300256000000")), "number_shape")
	if len(e.Fields) != 5 {
		t.Errorf("every fault is named: %+v", e.Fields)
	}
}

func TestEveryProvinceOfTheRuleAndTheCorps(t *testing.T) { // GB/T 2260; 66 for the corps is recalled, not confirmed
	known := "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 66 71 81 82"
	n := 0
	for a := byte('0'); a <= '9'; a++ {
		for b := byte('0'); b <= '9'; b++ {
			p := string([]byte{a, b})
			_, err := ParseLevelNumber("S0000" + p + "058300253000001")
			if (err == nil) != strings.Contains(known, p) {
				t.Errorf("%s: %v", p, err)
			}
			if name, ok := Province(p); ok != (err == nil) || ok && name == "" {
				t.Error(p, name)
			}
			if err == nil {
				n++
			}
		}
	}
	if n != 35 {
		t.Error(n)
	}
}

func TestEveryChangeOfALevelNumberIsRefusedOrIsAnotherNumber(t *testing.T) { // there is no check digit
	for i := range example {
		for b := range 256 {
			mutant := []byte(example)
			mutant[i] = byte(b)
			n, err := ParseLevelNumber(string(mutant))
			if err == nil && n.Format() == example && !strings.EqualFold(string(mutant), example) {
				t.Fatalf("position %d byte %#x reads as the same number", i+1, b)
			}
		}
	}
}

func TestNumbersOfEveryKind(t *testing.T) { // 人社鉴发〔2019〕2号; for the other kinds docs/sources.md
	for _, c := range []struct {
		in, text string
		kind     NumberKind
		level    Level
	}{
		{example, example, LevelCertificate, Senior},
		{"y000123123456195000001", "Y000123123456195000001", LevelCertificate, Junior},
		{"S00003205830025T000001", "S00003205830025T000001", SpecialTechnicianPaper, SpecialTechnician},
		{"YT00012312345619500000", "YT00012312345619500000", SpecialTechnicianPaper, SpecialTechnician},
		{"1210003010312345", "1210003010312345", Qualification, Senior}, // 江苏 is 10 here, not GB/T 2260
		{"1372013001412345", "1372013001412345", Qualification, Intermediate},
		{"1234567890123", "1234567890123", ShanghaiOld, 0},
		{"0001234567890123", "1234567890123", ShanghaiOld, 0},
		{"RSN32058300125312345", "RSN32058300125312345", Provincial, Senior},
		{"T11010519491231002X", "T11010519491231002X", SpecialOperation, 0},
		{"t11010519491231002x", "T11010519491231002X", SpecialOperation, 0},
		{"晋A012008000001", "晋A012008000001", ConstructionOperation, 0},
		{"11010519491231002X", "11010519491231002X", IdentityNumber, 0},
		{"110105491231002", "110105491231002", IdentityNumber, 0},
		{"932682198501010017", "932682198501010017", IdentityNumber, 0},
		{"USA310178010117", "USA310178010117", IdentityNumber, 0},
		{"USA310178010118", "USA310178010118", OtherNumber, 0},
		{"932682198513010017", "932682198513010017", OtherNumber, 0}, // no date in it
		{"1210004010312345", "1210004010312345", Qualification, Senior},
		{"苏人社专-2025-0001", "苏人社专-2025-0001", OtherNumber, 0},
		{"12345678", "12345678", OtherNumber, 0},
	} {
		n, err := ParseNumber(c.in)
		if err != nil || n.Kind != c.kind || n.Text != c.text || n.Raw != c.in {
			t.Errorf("%s: %s %q %v", c.in, n.Kind, n.Text, err)
			continue
		}
		if l, ok := n.Level(); l != c.level || ok != (c.level != 0) {
			t.Errorf("%s: level %s", c.in, l)
		}
	}
	n, _ := ParseNumber("1210003010312345")
	if q := *n.Qualification; q != (QualificationNumber{Year: 2012, Region: "10", City: "00", Organisation: "3", Sequence: "010", Level: Senior, Serial: 12345}) {
		t.Errorf("%+v", q)
	}
	n, _ = ParseNumber("1234567890123")
	if n.QueryText() != "0001234567890123" {
		t.Error(n.QueryText())
	}
	n, _ = ParseNumber("T11010519491231002X")
	if n.String() != "T1****************X" || !n.Personal() {
		t.Error(n.String())
	}
	b, err := json.Marshal(n)
	var back Number
	if err != nil || json.Unmarshal(b, &back) != nil || back.Text != n.Text {
		t.Error(string(b), err)
	}
}

func TestMistypedNumbersAreNotTakenForOtherKinds(t *testing.T) {
	for s, code := range map[string]string{
		"":                        "number_missing",
		"3.2E+17":                 "spreadsheet_number",
		"S00003205830025300001":   "number_length", // 21 characters
		"S0000320583002530000011": "number_length",
		"SO00032058300253000001":  "number_shape",
		"J000032058300253000001":  "number_shape",
		"1210009010312345":        "number_qualification",
		"1210003010612345":        "number_qualification",
		"RAN32058300125312345":    "number_provincial",
		"RSN3205830012531234":     "number_provincial",
		"RSN32058300125912345":    "number_provincial",
		"T110105194912310023":     "number_operation",
		"T11010519491231002":      "number_operation",
		"110105194912310023":      "document_check_digit", // an identity number must not pass as opaque
		"abc":                     "number_length",
		"没有数字的编号":                 "number_format",
		"AB<1234>":                "number_format",
		strings.Repeat("1", 41):   "number_length",
	} {
		_, err := ParseNumber(s)
		wantCode(t, err, code, s, strings.TrimPrefix(s, "T"))
	}
}

// A capital letter and 21 digits is told by a shorter way, which has to be the way
// that all numbers go.
func TestPlainLevelNumbersAreNoOtherNumbers(t *testing.T) {
	for letter := 'A'; letter <= 'Z'; letter++ {
		number := string(letter) + "000032058301263000001"
		others := operationLike.MatchString(number) || provincial20.MatchString(number) || specialBoth.MatchString(number) || digits13.MatchString(number) ||
			shanghaiPrefixed.MatchString(number) || digits16.MatchString(number) || construction14.MatchString(number) || looksIdentity(number) || isIdentity(number) ||
			spreadsheetForm.MatchString(number)
		if plainLevel(number) && (others || !levelLike.MatchString(number)) {
			t.Errorf("%s could be another number", number)
		}
		if !plainLevel(number) && letter != 'R' && letter != 'T' {
			t.Errorf("%s goes the long way", number)
		}
	}
	for _, number := range []string{"", "S", "S00003205830126300000", "S0000320583012630000011", "s000032058301263000001", "S00003205830126300000X", "SS00032058301263000001", "0000032058301263000001"} {
		if plainLevel(number) {
			t.Errorf("%q is taken for one", number)
		}
	}
}
