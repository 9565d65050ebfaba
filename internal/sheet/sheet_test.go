package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"bajigong/internal/fail"

	"golang.org/x/text/encoding/simplifiedchinese"
)

func read(t *testing.T, text string) *Sheet {
	t.Helper()
	s, err := Read(strings.NewReader(text), Limits{})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func wantCode(t *testing.T, err error, code string) *fail.Error {
	t.Helper()
	e := fail.Of(err)
	if err == nil || e.Code != code || e.ZH == "" || e.Text == "" || strings.Contains(e.ZH+e.Text, "%!") {
		t.Fatalf("got %v, want %s", err, code)
	}
	return e
}

func gb18030(t *testing.T, s string) []byte {
	t.Helper()
	b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func utf16Bytes(s string, big bool) []byte {
	var b []byte
	for _, u := range append([]uint16{0xFEFF}, utf16.Encode([]rune(s))...) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func TestEveryEncodingGivesTheSameSheet(t *testing.T) { // practice: GBK/GB18030 and UTF-8 CSV
	text := "姓名,证件号码\r\n欧阳娜娜,11010519491231002X\r\n𬭎𠮷,阿卜杜拉·买买提\r\n"
	want := read(t, text).Rows
	if len(want) != 2 || want[1].Cells[0] != "𬭎𠮷" {
		t.Fatal(want)
	}
	for name, b := range map[string][]byte{
		"UTF-8": []byte("\xEF\xBB\xBF" + text), "GB18030": gb18030(t, text), "UTF-16": utf16Bytes(text, false), "UTF-16 ": utf16Bytes(text, true),
	} {
		s, err := Read(bytes.NewReader(b), Limits{})
		if err != nil || s.Encoding != strings.TrimSpace(name) || !reflect.DeepEqual(s.Rows, want) {
			t.Errorf("%s: %v %+v", name, err, s)
		}
	}
}

func TestShortGBTextsAndUTF8AreNotMixedUp(t *testing.T) {
	for _, s := range []string{"联通", "姓名", "张", "中文,车工", "é,ü", "ǎ", "李娜,女", "a,严"} {
		if got := read(t, s).Header; strings.Join(got, ",") != s {
			t.Errorf("UTF-8 %q read as %q", s, got)
		}
	}
	for _, s := range []string{"联通", "姓名", "张", "中文,车工", "李娜,女", "证件号码,理论成绩", "䶮"} {
		sh, err := Read(bytes.NewReader(gb18030(t, s)), Limits{})
		if err != nil || strings.Join(sh.Header, ",") != s {
			t.Errorf("GB18030 %q read as %v %v", s, sh, err)
		}
	}
}

func TestTruncatedAndDamagedFiles(t *testing.T) {
	text := "姓名,单位\n张三,江苏某公司\n李四,苏州某学院"
	for cut := 1; cut < 3; cut++ {
		_, err := Read(strings.NewReader(text[:len(text)-cut]), Limits{})
		wantCode(t, err, "sheet_truncated")
	}
	for _, tail := range [][]byte{{0x00, 0xD8}, {0xFF, 0xDB}} { // half a surrogate pair
		_, err := Read(bytes.NewReader(append(utf16Bytes(text, false), tail...)), Limits{})
		wantCode(t, err, "sheet_truncated")
	}
	gb := gb18030(t, text)
	_, err := Read(bytes.NewReader(gb[:len(gb)-1]), Limits{})
	wantCode(t, err, "sheet_truncated")
	u := utf16Bytes(text, false)
	_, err = Read(bytes.NewReader(u[:len(u)-1]), Limits{})
	wantCode(t, err, "sheet_truncated")
	_, err = Read(strings.NewReader("姓名,单位\n张三,\"江苏"), Limits{})
	if e := wantCode(t, err, "sheet_quote"); !strings.Contains(e.ZH, "第 2 行") {
		t.Error(e.ZH)
	}
	damaged := strings.Replace(text, "三", "\xB8", 1) // one byte of another encoding in much UTF-8
	_, err = Read(strings.NewReader(damaged), Limits{})
	if e := wantCode(t, err, "sheet_encoding"); !strings.Contains(e.ZH, "第 2 行") {
		t.Error(e.ZH)
	}
	_, err = Read(strings.NewReader("姓名\n张\uFFFD"), Limits{})
	wantCode(t, err, "sheet_encoding")
	_, err = Read(bytes.NewReader([]byte{0x80, 0x81, 0xFF, 0xFF, 0x0A}), Limits{})
	wantCode(t, err, "sheet_encoding")
	for _, s := range []string{"", "\xEF\xBB\xBF", "\n\n , ,\n", "sep=,\r\n"} {
		_, err = Read(strings.NewReader(s), Limits{})
		wantCode(t, err, "sheet_empty")
	}
}

func TestOtherFormatsAreNamedWithWhatToDo(t *testing.T) {
	for b, zh := range map[string]string{
		"PK\x03\x04\x14": ".xlsx", "\xD0\xCF\x11\xE0\xA1\xB1": ".xls", "%PDF-1.7": "PDF", "\x1F\x8B\x08": "压缩", "\x89PNG\r\n": "图片",
		" <html><table>": "网页", "\xEF\xBB\xBF<!DOCTYPE html>": "网页", "<?xml version=": "XML", "a,b\x00c": "二进制", "\xFF\xFEa\x00\x00\x00": "二进制",
	} {
		_, err := Read(strings.NewReader(b), Limits{})
		if e := wantCode(t, err, "sheet_format"); !strings.Contains(e.ZH, zh) || !strings.Contains(e.ZH, "CSV") {
			t.Errorf("%q: %s", b, e.ZH)
		}
	}
}

func TestRowsAreCountedAsASpreadsheetCounts(t *testing.T) {
	s := read(t, "姓名,备注\r\n张三,\"两\n行\"\r\n\r\n,\r\n李四,\"他说\"\"好\"\"\"\r\n,,\r\n\r\n")
	want := []Row{{Number: 2, Cells: []string{"张三", "两\n行"}}, {Number: 5, Cells: []string{"李四", `他说"好"`}}}
	if !reflect.DeepEqual(s.Rows, want) {
		t.Errorf("%+v", s.Rows)
	}
	for _, text := range []string{"sep=;\r\na;b\r\n1,5;2\r\n", "\"sep=;\"\na;b\n1,5;2", "sep=;;\na;b\n1,5;2"} {
		s := read(t, text)
		if s.Delimiter != ';' || s.HeaderRow != 1 || len(s.Rows) != 1 || s.Rows[0].Number != 2 || s.Rows[0].Cells[0] != "1,5" {
			t.Errorf("%q: %+v", text, s)
		}
	}
	if s := read(t, "\n\na,b\n1,2\n"); s.HeaderRow != 3 || s.Rows[0].Number != 4 {
		t.Errorf("%+v", s)
	}
	if s := read(t, "a\r1\r2"); len(s.Rows) != 2 || s.Rows[1].Number != 3 {
		t.Errorf("%+v", s)
	}
}

func TestDelimiters(t *testing.T) {
	for text, want := range map[string]rune{"a,b;c,d": ',', "a\tb,c\td": '\t', "a;b;c,d": ';', "a": ',', "\"a;b;c\",d\n": ',', "\n\na;b": ';', "a,b\tc": ','} {
		if got := read(t, text).Delimiter; got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestCells(t *testing.T) {
	for text, want := range map[string]string{
		"h\n  张三 ": "张三", "h\n=\"320583199001011234\"": "320583199001011234", "h\n\"=\"\"0123\"\"\"": "0123", "h\n\"x\t\"": "x", "h\n\u3000x\u00a0": "x",
		"h\n5\" 管": `5" 管`, "h\n \"a\" ": "a", "h\n=1+2": "=1+2",
	} {
		if s := read(t, text); s.Rows[0].Cells[0] != want {
			t.Errorf("%q: %q", text, s.Rows[0].Cells[0])
		}
	}
	_, err := Read(strings.NewReader("a,b\n1,\"2\"3\n"), Limits{})
	if e := wantCode(t, err, "sheet_quote"); !strings.Contains(e.ZH, "第 2 行") {
		t.Error(e.ZH)
	}
	_, err = Read(strings.NewReader("姓名,b\n1,2,3\n张\x07三,x\n1,2,,\n"), Limits{})
	e := wantCode(t, err, "sheet_cells")
	if len(e.Fields) != 2 || e.Fields[0].Row != 2 || e.Fields[0].Code != "row_too_long" || e.Fields[1].Row != 3 || e.Fields[1].Code != "cell_control" || e.Fields[1].Name != "姓名" {
		t.Errorf("%+v", e.Fields)
	}
}

func TestLimits(t *testing.T) {
	text := "a,b,c\n1,2,3\n\n4,5,6\n"
	if _, err := Read(strings.NewReader(text), Limits{Bytes: int64(len(text)), Rows: 2, Columns: 3, Cell: 1}); err != nil {
		t.Fatal(err)
	}
	for code, l := range map[string]Limits{"sheet_bytes": {Bytes: int64(len(text)) - 1}, "sheet_rows": {Rows: 1}, "sheet_columns": {Columns: 2}} {
		_, err := Read(strings.NewReader(text), l)
		if e := wantCode(t, err, code); e.Kind != fail.TooLarge {
			t.Error(e.Kind)
		}
	}
	_, err := Read(strings.NewReader("a\n12\n"), Limits{Cell: 1})
	wantCode(t, err, "sheet_cells")
	if size(20<<20) != "20 MB" || size(1<<20) != "1 MB" || size(1<<10) != "1 KB" || size(1<<20+1) != "1048577 B" || size(1500) != "1500 B" || size(3<<10) != "3 KB" {
		t.Error("sizes", size(20<<20), size(1<<10), size(1<<20+1))
	}
	broken := errors.New("connection lost")
	if _, err := Read(io.MultiReader(strings.NewReader("a,b\n"), iotest.ErrReader(broken)), Limits{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestSelect(t *testing.T) {
	columns := []Column{{Name: "姓名", Also: []string{"name"}, Required: true}, {Name: "证件号码", Also: []string{"身份证号"}, Required: true}, {Name: "备注"}}
	s, err := read(t, "* 姓 名（必填）,身份证号,\n张三,1,\n李四,2,\n").Select(columns)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Rows[1]; r.Get("姓名") != "李四" || r.Get("证件号码") != "2" || r.Get("备注") != "" || r.Get("身份证号") != "" || r.Number != 3 {
		t.Errorf("%+v", r)
	}
	if s, err := read(t, "NAME,ｎａｍｅ\n").Select(columns); err == nil {
		t.Errorf("%+v", s)
	}
	_, err = read(t, "姓名,name,工资,备注\n1,2,3,4\n").Select(columns)
	e := wantCode(t, err, "sheet_header")
	var codes []string
	for _, f := range e.Fields {
		codes = append(codes, f.Code+" "+f.Name)
	}
	if got := strings.Join(codes, "; "); got != "header_twice name; header_unknown 工资; header_missing 证件号码" {
		t.Error(got)
	}
	if !strings.Contains(e.ZH, "A 列与 B 列都是“姓名”") || !strings.Contains(e.ZH, "缺少“证件号码”列") {
		t.Error(e.ZH)
	}
	_, err = read(t, "姓名,,证件号码\n1,2,3\n").Select(columns)
	if e := wantCode(t, err, "sheet_header"); e.Fields[0].Name != "B" {
		t.Errorf("%+v", e.Fields)
	}
	if column(0) != "A" || column(25) != "Z" || column(26) != "AA" || column(701) != "ZZ" || column(702) != "AAA" {
		t.Error("column names")
	}
}

// FuzzRead: whatever comes in is a sheet or a clear refusal, and a sheet that is
// written again as CSV reads as the same cells.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"姓名,证件号码\r\n张三,1\r\n", "sep=;\na;b\n\"1\n2\";\"\"\"\"", "a\tb\r1\t=\"2\"", "\xFF\xFEa\x00,\x00b\x00", "\xD0\xD5\xC3\xFB,b\n1,2", "a,b\n\"x", "=\"=\"0\"\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Read(bytes.NewReader(b), Limits{Bytes: 1 << 16, Rows: 100, Columns: 20, Cell: 200})
		if err != nil {
			e := fail.Of(err)
			if e.Kind != fail.Invalid && e.Kind != fail.TooLarge || e.ZH == "" {
				t.Fatal(err)
			}
			return
		}
		rows := [][]string{s.Header}
		last := s.HeaderRow
		for _, r := range s.Rows {
			if r.Number <= last || len(r.Cells) != len(s.Header) {
				t.Fatalf("row %d of %d cells behind row %d", r.Number, len(r.Cells), last)
			}
			last = r.Number
			rows = append(rows, r.Cells)
		}
		var w bytes.Buffer
		w.WriteString("\xEF\xBB\xBFsep=,\n")
		if err := csv.NewWriter(&w).WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&w, Limits{})
		if err != nil {
			t.Fatalf("%q: %v", rows, err)
		}
		if !reflect.DeepEqual(again.Header, s.Header) || len(again.Rows) != len(s.Rows) {
			t.Fatalf("%+v\n%+v", s, again)
		}
		for i := range s.Rows {
			if !reflect.DeepEqual(again.Rows[i].Cells, s.Rows[i].Cells) {
				t.Fatalf("%+v\n%+v", s.Rows[i], again.Rows[i])
			}
		}
	})
}
