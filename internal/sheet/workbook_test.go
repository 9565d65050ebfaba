package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/needed"

	"github.com/xuri/excelize/v2"
)

// book makes a workbook of named sheets, each by a function.
func book(t testing.TB, fill func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func cells(t testing.TB, f *excelize.File, sheet string, rows ...[]any) {
	t.Helper()
	for i, r := range rows {
		if err := f.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &r); err != nil {
			t.Fatal(err)
		}
	}
}

func codeOf(err error) string {
	var f *fail.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return fmt.Sprint(err)
}

func TestWorkbookCellsAreText(t *testing.T) {
	data := book(t, func(f *excelize.File) {
		cells(t, f, "Sheet1", []any{" 姓名 ", "证件号码", "理论", "日期", "备注"}, nil,
			[]any{"张三", "320582199001011234", 85.3, 45717, `="00123"`},
			[]any{"李四", 320582199001011234, 0.1 + 0.2, nil, "多\n行"},
			[]any{"𬭎𠮷", 3.20582199001011e17, 60, "2025.3.1"})
		if err := f.SetCellRichText("Sheet1", "E5", []excelize.RichTextRun{{Text: "粗"}, {Text: "细", Font: &excelize.Font{Bold: true}}}); err != nil {
			t.Fatal(err)
		}
		date, _ := f.NewStyle(&excelize.Style{NumFmt: 14})
		if err := f.SetCellStyle("Sheet1", "D3", "D3", date); err != nil {
			t.Fatal(err)
		}
	})
	s, err := Read(bytes.NewReader(data), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"张三", "320582199001011234", "85.3", "45717", "00123"},
		{"李四", "320582199001011234", "0.3", "", "多\n行"},
		{"𬭎𠮷", "320582199001011000", "60", "2025.3.1", "粗细"},
	}
	if s.Encoding != XLSX || !slices.Equal(s.Header, []string{"姓名", "证件号码", "理论", "日期", "备注"}) || len(s.Rows) != len(want) {
		t.Fatalf("%+v", s)
	}
	for i, r := range s.Rows {
		if r.Number != i+3 { // row 2 is empty and counts
			t.Errorf("row %d has number %d", i, r.Number)
		}
		if i == 2 && strings.HasPrefix(r.Cells[1], "3.2") { // either spelling says that digits are lost
			r.Cells[1] = want[i][1]
		}
		if !slices.Equal(r.Cells, want[i]) {
			t.Errorf("row %d: %q, want %q", r.Number, r.Cells, want[i])
		}
	}
	// The stream reads the same.
	st, err := OpenStream(bytes.NewReader(data), Limits{}, []Column{{Name: "姓名"}, {Name: "证件号码"}, {Name: "理论"}, {Name: "日期"}, {Name: "备注"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		r, faults, err := st.Next()
		if err == io.EOF && i == len(want) {
			break
		}
		if err != nil || len(faults) > 0 || r.Number != i+3 || r.Get("姓名") != want[i][0] {
			t.Fatalf("%d: %v %v %v", i, r, faults, err)
		}
	}
}

func TestWorkbookSheets(t *testing.T) {
	head := []any{"姓名", "证件号码"}
	for name, c := range map[string]struct {
		fill func(f *excelize.File)
		code string
		rows int
	}{
		"first with content": {func(f *excelize.File) {
			_, _ = f.NewSheet("数据")
			cells(t, f, "数据", head, []any{"张三", "1"})
		}, "", 1},
		"notes beside it": {func(f *excelize.File) {
			_, _ = f.NewSheet("填写说明")
			cells(t, f, "Sheet1", head, []any{"张三", "1"})
			cells(t, f, "填写说明", []any{"请勿修改表头"})
		}, "", 1},
		"hidden sheet with old data": {func(f *excelize.File) {
			_, _ = f.NewSheet("旧")
			cells(t, f, "旧", head, []any{"李四", "1"})
			cells(t, f, "Sheet1", head, []any{"张三", "1"})
			_ = f.SetSheetVisible("旧", false)
		}, "", 1},
		"two tables of one kind": {func(f *excelize.File) {
			_, _ = f.NewSheet("二班")
			cells(t, f, "Sheet1", head, []any{"张三", "1"})
			cells(t, f, "二班", head, []any{"李四", "1"})
		}, "sheet_several", 0},
		"nothing": {func(*excelize.File) {}, "sheet_empty", 0},
		"1904": {func(f *excelize.File) {
			yes := true
			_ = f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes})
			cells(t, f, "Sheet1", head)
		}, "sheet_date1904", 0},
		"too wide": {func(f *excelize.File) {
			cells(t, f, "Sheet1", head)
			_ = f.SetCellStr("Sheet1", "XFD2", "x")
		}, "sheet_columns", 0},
		"longer than its header": {func(f *excelize.File) { cells(t, f, "Sheet1", head, []any{"张三", "1", "2"}) }, "sheet_cells", 0},
		"too many rows": {func(f *excelize.File) {
			cells(t, f, "Sheet1", head, []any{"1"}, []any{"2"}, []any{"3"}, []any{"4"})
		}, "sheet_rows", 0},
		"figures far to the right without content": {func(f *excelize.File) {
			cells(t, f, "Sheet1", head, []any{"张三", "1"})
			bold, _ := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
			_ = f.SetCellStyle("Sheet1", "A1", "ZZ4", bold)
		}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Read(bytes.NewReader(book(t, c.fill)), Limits{Rows: 3})
			if c.code != "" {
				if codeOf(err) != c.code {
					t.Fatalf("%v, want %s", err, c.code)
				}
				return
			}
			if err != nil || len(s.Rows) != c.rows || s.Rows[0].Cells[0] != "张三" {
				t.Fatalf("%v %+v", err, s)
			}
		})
	}
}

// zipped makes an archive of parts.
func zipped(t testing.TB, parts map[string]io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, r := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestWorkbookRefusesWhatIsNone(t *testing.T) {
	good := book(t, func(f *excelize.File) { cells(t, f, "Sheet1", []any{"姓名"}, []any{"张三"}) })
	parts := map[string]io.Reader{}
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r)
		parts[f.Name] = bytes.NewReader(b)
	}
	limit, most := Limits{}, int64(workbookUnpacked)
	if needed.RaceDetector { // a tenth of all bounds
		limit.Bytes, most = 1<<20, (16+13)<<20
		defer func(before bounds) { widest = before }(widest)
		widest.unpacked = most
	}
	bomb := maps.Clone(parts)
	bomb["xl/worksheets/sheet1.xml"] = io.LimitReader(spaces{}, most+1)
	for name, data := range map[string][]byte{
		"another archive": zipped(t, map[string]io.Reader{"a.txt": strings.NewReader("x")}),
		"cut short":       good[:len(good)/2],
		"a bomb":          zipped(t, bomb),
		"no archive":      []byte("PK\x03\x04 and then nothing"),
	} {
		if _, err := Read(bytes.NewReader(data), limit); codeOf(err) != "sheet_format" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := OpenStream(bytes.NewReader(data), limit, nil); codeOf(err) != "sheet_format" {
			t.Errorf("%s as a stream: %v", name, err)
		}
	}
}

func TestCellValue(t *testing.T) {
	for in, want := range map[string]string{
		"85.299999999999997": "85.3", "0.30000000000000004": "0.3", "1.0000000000000001E-2": "0.01", "-85.299999999999997": "-85.3",
		"3.2058219900101101E+17": "3.2058219900101101E+17", "320582199001011234": "320582199001011234",
		"85.3": "85.3", "2025.3.1": "2025.3.1", "2025.3.1.2025.3.1.2025.3.1": "2025.3.1.2025.3.1.2025.3.1", "张三.2999999999999999": "张三.2999999999999999",
	} {
		if got := cellValue(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestWriteXLSX(t *testing.T) {
	rows := [][]string{{"张三", "320582199001011234", "=1+1"}, {"𬭎𠮷", "--", "-5"}, {"a\x01b", "", "@x"}}
	write := func() []byte {
		var b bytes.Buffer
		err := WriteXLSX(&b, Table{Name: "名册", Header: []string{"姓名", "证件号码", "备注"}, Rows: slices.Values(rows)},
			Table{Name: "汇总", Title: "电工三级", Header: []string{"项", "数"}, Rows: slices.Values([][]string{{"合格", "3"}})})
		if err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := write()
	if !bytes.Equal(first, write()) {
		t.Error("equal tables gave other bytes")
	}
	s, err := Read(bytes.NewReader(first), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rows[2][0] = "ab"
	for i, r := range s.Rows {
		if !slices.Equal(r.Cells, rows[i]) {
			t.Errorf("%q, want %q", r.Cells, rows[i])
		}
	}
	f, err := excelize.OpenReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if formula, _ := f.GetCellFormula("名册", "C2"); formula != "" {
		t.Errorf("a text became the formula %q", formula)
	}
	if kind, _ := f.GetCellType("名册", "B2"); kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
		t.Errorf("a number of 18 digits has cell type %v", kind)
	}
	if title, _ := f.GetCellValue("汇总", "A1"); title != "电工三级" {
		t.Errorf("title %q", title)
	}
}

// A large table never goes through a temporary file, where personal data would
// stay after a crash.
func TestWorkbooksNeedNoDisk(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	long, rows := strings.Repeat("长", 300), 20_000 // 18 MB of XML, above the 16 MB that the library keeps
	var b bytes.Buffer
	err := WriteXLSX(&b, Table{Name: "大", Header: []string{"a"}, Rows: func(yield func([]string) bool) {
		for i := range rows {
			if i%100 == 0 {
				if left, _ := os.ReadDir(folder); len(left) > 0 {
					return
				}
			}
			if !yield([]string{long}) {
				return
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(&b, Limits{Rows: rows})
	if err != nil || len(s.Rows) != rows {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if needed.RaceDetector {
		return // what follows is a million rows
	}
	err = WriteXLSX(io.Discard, Table{Name: "大", Header: []string{"a"}, Rows: func(yield func([]string) bool) {
		for yield(nil) {
		}
	}})
	if codeOf(err) != "sheet_rows" || fail.KindOf(err) != fail.TooLarge {
		t.Fatal(err)
	}
}

func TestWriteCSV(t *testing.T) {
	var b bytes.Buffer
	err := WriteCSV(&b, Table{Header: []string{"姓名", "备注"}, Rows: slices.Values([][]string{{"张三", "=1+1"}, {"李,四", "--"}, {"@x", "-5"}})})
	if want := "\ufeff姓名,备注\r\n张三,'=1+1\r\n\"李,四\",--\r\n'@x,'-5\r\n"; err != nil || b.String() != want {
		t.Fatalf("%q %v", b.String(), err)
	}
}

func FuzzWorkbook(f *testing.F) {
	f.Add(book(f, func(x *excelize.File) { cells(f, x, "Sheet1", []any{"姓名", "理论"}, []any{"张三", 85.3}) }))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !isWorkbook(data) {
			data = append([]byte("PK\x03\x04"), data...)
		}
		s, err := Read(bytes.NewReader(data), Limits{Bytes: 1 << 20, Rows: 100, Columns: 50, Cell: 100})
		if err != nil {
			if fail.KindOf(err) == fail.Internal {
				t.Fatal(err)
			}
			return
		}
		for _, r := range s.Rows {
			if len(r.Cells) != len(s.Header) {
				t.Fatalf("row %d has %d cells, the header %d", r.Number, len(r.Cells), len(s.Header))
			}
		}
	})
}

func BenchmarkReadWorkbook(b *testing.B) {
	var data bytes.Buffer
	row := []string{"张三", "320582199001011234", "85", "86", "2025-06-30"}
	if err := WriteXLSX(&data, Table{Name: "a", Header: []string{"姓名", "证件号码", "理论", "技能", "日期"}, Rows: slices.Values(slices.Repeat([][]string{row}, 5000))}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s, err := Read(bytes.NewReader(data.Bytes()), Limits{}); err != nil || len(s.Rows) != 5000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(5000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
