// Package sheet reads the tables that people upload: XLSX workbooks, and CSV files
// as spreadsheets and office programs write them, in UTF-8, UTF-16 or GB18030,
// with commas, tabs or semicolons. Rows keep the numbers that the spreadsheet
// shows, so that an error can say 第 37 行. It also writes tables for people, as
// XLSX and CSV.
//
//	s, err := sheet.Read(body, sheet.Limits{Rows: 5000})
//	s, err = s.Select([]sheet.Column{
//		{Name: "姓名", Required: true},
//		{Name: "证件号码", Also: []string{"身份证号"}, Required: true},
//	})
//	for _, row := range s.Rows {
//		name := row.Get("姓名")
//	}
//
// Nothing is guessed about the meaning of cells: all are text.
package sheet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// Limits bound what is read; a zero takes the default.
type Limits struct {
	Bytes   int64 // of the file; default 20 MB
	Rows    int   // with content, without the header; default 20,000
	Columns int   // default 200
	Cell    int   // characters of a cell; default 2,000
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 20 << 20
	}
	if l.Rows <= 0 {
		l.Rows = 20_000
	}
	if l.Columns <= 0 {
		l.Columns = 200
	}
	if l.Cell <= 0 {
		l.Cell = 2_000
	}
	return l
}

// Sheet is a table with a header.
type Sheet struct {
	Header    []string // as written, without spaces around
	HeaderRow int      // its row number, 1 unless empty rows stand before it
	Rows      []Row    // rows with content
	Encoding  string   // UTF-8, UTF-16, GB18030 or XLSX
	Delimiter rune     // ',', '\t' or ';'; 0 of a workbook
}

// Row is one row with at least one cell that is not empty. It has exactly as
// many cells as the header.
type Row struct {
	Number  int // as a spreadsheet counts; the first row of the file is 1
	Cells   []string
	columns map[string]int // by Column.Name, after Select
}

// Get returns the cell under a column's Name, after [Sheet.Select]; empty when
// the sheet does not have the column.
func (r Row) Get(name string) string {
	if i, ok := r.columns[name]; ok && i < len(r.Cells) {
		return r.Cells[i]
	}
	return ""
}

// maxFields bounds the faults that one error lists.
const maxFields = 1000

// Read reads a table from a workbook or a CSV file. Cells lose the spaces around
// them and the wrapping ="…" by which some programs protect long numbers. Rows
// without any content are left out but counted. A first line sep=, as Excel
// writes it is not a row. Of a workbook the first visible worksheet with content
// is read; a figure is the text of its value, a date the number of its day.
//
// Error codes: sheet_empty, sheet_format (an old workbook, a page or another
// binary file), sheet_several (worksheets), sheet_date1904, sheet_encoding,
// sheet_truncated, sheet_quote, sheet_cells (cells too long or with control
// characters, rows longer than the header; one field each), and with kind
// TooLarge sheet_bytes, sheet_rows, sheet_columns. An error of r is passed on.
func Read(r io.Reader, limit Limits) (*Sheet, error) {
	limit = limit.withDefaults()
	b, err := io.ReadAll(io.LimitReader(r, limit.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read sheet: %w", err)
	}
	if int64(len(b)) > limit.Bytes {
		return nil, fail.New(fail.TooLarge, "sheet_bytes", "the file may have %s at most; split it", size(limit.Bytes)).
			In("文件最大 %s，请拆分后上传", size(limit.Bytes))
	}
	if isWorkbook(b) {
		w, err := openWorkbook(b, limit.Columns, boundsOf(limit))
		if err != nil {
			return nil, err
		}
		return collect(&Sheet{Encoding: XLSX}, w, limit)
	}
	if err := refuseFormats(b); err != nil {
		return nil, err
	}
	text, encoding, err := decode(b)
	if err != nil {
		return nil, err
	}
	delimiter, rest := separatorLine(text)
	if delimiter == 0 {
		delimiter = guessDelimiter(rest)
	}
	return collect(&Sheet{Encoding: encoding, Delimiter: delimiter}, &parser{text: rest, delimiter: delimiter, columns: limit.Columns}, limit)
}

func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	if n >= 1<<10 && n%(1<<10) == 0 {
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// record is one row of the file, before it is known whether it counts.
type record struct {
	number int
	cells  []string
}

// records are the rows of a file, one after another; io.EOF after the last.
type records interface{ next() (record, error) }

// collect reads all rows into s.
func collect(s *Sheet, p records, limit Limits) (*Sheet, error) {
	var fields []fail.Field
	more := 0
	fault := func(row int, name, code, zh, en string) {
		if len(fields) == maxFields {
			more++
			return
		}
		fields = append(fields, fail.Field{Name: name, Row: row, Code: code, ZH: zh, EN: en})
	}
	for {
		rec, err := p.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for len(rec.cells) > 0 && rec.cells[len(rec.cells)-1] == "" {
			rec.cells = rec.cells[:len(rec.cells)-1]
		}
		if len(rec.cells) == 0 {
			continue
		}
		for i, c := range rec.cells {
			name := column(i)
			if s.Header != nil && i < len(s.Header) && s.Header[i] != "" {
				name = s.Header[i]
			}
			if n := utf8.RuneCountInString(c); n > limit.Cell {
				fault(rec.number, name, "cell_too_long", fmt.Sprintf("单元格最多 %d 个字符，现为 %d 个", limit.Cell, n), fmt.Sprintf("a cell may have %d characters, not %d", limit.Cell, n))
			}
			if at := controlAt(c); at > 0 {
				fault(rec.number, name, "cell_control", fmt.Sprintf("第 %d 个字符是不可见的控制字符，请重新录入", at), fmt.Sprintf("character %d is a control character; type the cell again", at))
			}
		}
		if s.Header == nil {
			s.Header, s.HeaderRow = rec.cells, rec.number
			continue
		}
		if len(rec.cells) > len(s.Header) {
			fault(rec.number, column(len(s.Header)), "row_too_long",
				fmt.Sprintf("本行有 %d 列，多于表头的 %d 列；请补上列名，单元格内若有分隔符应加双引号", len(rec.cells), len(s.Header)),
				fmt.Sprintf("the row has %d columns, the header %d; name the column, and put a cell with the separator in it in quotation marks", len(rec.cells), len(s.Header)))
			continue
		}
		if len(s.Rows) == limit.Rows {
			return nil, fail.New(fail.TooLarge, "sheet_rows", "the file may have %d rows at most; split it", limit.Rows).
				In("文件最多 %d 行，请拆分后上传", limit.Rows)
		}
		s.Rows = append(s.Rows, Row{Number: rec.number, Cells: padded(rec.cells, len(s.Header))})
	}
	if s.Header == nil {
		return nil, empty()
	}
	if len(fields) > 0 {
		f, n := fields[0], len(fields)+more
		zh, en := fmt.Sprintf("第 %d 行“%s”：%s", f.Row, f.Name, f.ZH), fmt.Sprintf("row %d, %s: %s", f.Row, f.Name, f.EN)
		if n > 1 {
			zh += fmt.Sprintf("（共 %d 处错误）", n)
			en += fmt.Sprintf(" (%d errors in all)", n)
		}
		return nil, fail.New(fail.Invalid, "sheet_cells", "%s", en).In("%s", zh).At(fields...)
	}
	return s, nil
}

func empty() error {
	return fail.New(fail.Invalid, "sheet_empty", "the file is empty; its first row must name the columns").
		In("文件为空，第一行应为列名")
}

func padded(cells []string, n int) []string {
	out := make([]string, n)
	copy(out, cells)
	return out
}

// column names a column as spreadsheets do: 0 is A, 26 is AA.
func column(i int) string {
	s := ""
	for i++; i > 0; i = (i - 1) / 26 {
		s = string(rune('A'+(i-1)%26)) + s
	}
	return s
}

// controlAt returns the 1-based position of the first character that no cell
// may have, 0 when there is none. Line breaks and tabs may stand in a cell.
func controlAt(s string) int {
	n := 0
	for _, r := range s {
		n++
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return n
		}
	}
	return 0
}

// Column is a column that a reader of tables knows. In headers, spaces, case,
// full-width forms, underscores, a * and a trailing （必填） do not matter.
type Column struct {
	Name     string   // for [Row.Get], and a header that means it
	Also     []string // other headers that mean it
	Required bool
}

// Select finds the known columns by the header, so that [Row.Get] serves their
// names in the result; s stays as it is. Headers that are missing, stand twice
// or are not known are all named in one error, sheet_header, with a field each:
// header_missing, header_twice, header_unknown. Columns without a name and
// without content are passed over. A header that looks like a row of data is that
// of a file without one: nothing of it is repeated in the error.
func (s *Sheet) Select(columns []Column) (*Sheet, error) {
	known := map[string]int{} // normalised header → index in columns
	for i, c := range columns {
		known[headerForm(c.Name)] = i
		for _, n := range c.Also {
			known[headerForm(n)] = i
		}
	}
	at := map[string]int{}
	var fields []fail.Field
	fault := func(name, code, zh, en string) {
		fields = append(fields, fail.Field{Name: name, Row: s.HeaderRow, Code: code, ZH: zh, EN: en})
	}
	data := slices.ContainsFunc(s.Header, isData)
	for i, h := range s.Header {
		form, h := headerForm(h), shorten(h)
		k, ok := known[form]
		if form == "" {
			if !s.emptyColumn(i) {
				fault(column(i), "header_missing", fmt.Sprintf("%s 列有内容但没有列名", column(i)), fmt.Sprintf("column %s has cells but no name", column(i)))
			}
			continue
		}
		if !ok && data {
			fault(column(i), "header_unknown", fmt.Sprintf("%s 列首行不是可识别的列名，首行似为数据，请补上表头", column(i)), fmt.Sprintf("column %s has no known name; its first row looks like data: add a header", column(i)))
			continue
		}
		if !ok {
			fault(h, "header_unknown", fmt.Sprintf("%s 列“%s”不是可识别的列名", column(i), h), fmt.Sprintf("column %s, “%s”, is not known", column(i), h))
			continue
		}
		name := columns[k].Name
		if was, twice := at[name]; twice {
			fault(h, "header_twice", fmt.Sprintf("%s 列与 %s 列都是“%s”，请删去一列", column(was), column(i), name), fmt.Sprintf("columns %s and %s are both “%s”; remove one", column(was), column(i), name))
			continue
		}
		at[name] = i
	}
	for _, c := range columns {
		if _, ok := at[c.Name]; c.Required && !ok {
			fault(c.Name, "header_missing", fmt.Sprintf("缺少“%s”列", c.Name), fmt.Sprintf("the column “%s” is missing", c.Name))
		}
	}
	if len(fields) > 0 {
		return nil, headerError(fields)
	}
	out := *s
	out.Rows = make([]Row, len(s.Rows))
	for i, r := range s.Rows {
		out.Rows[i] = Row{Number: r.Number, Cells: r.Cells, columns: at}
	}
	return &out, nil
}

func headerError(fields []fail.Field) error {
	var zh, en []string
	for _, f := range fields[:min(len(fields), 5)] {
		zh, en = append(zh, f.ZH), append(en, f.EN)
	}
	if n := len(fields) - len(zh); n > 0 {
		zh, en = append(zh, fmt.Sprintf("另有 %d 处", n)), append(en, fmt.Sprintf("and %d more", n))
	}
	return fail.New(fail.Invalid, "sheet_header", "the header is not as expected: %s", strings.Join(en, "; ")).
		In("表头有误：%s", strings.Join(zh, "；")).At(fields...)
}

// headerMost is how many characters a column's name has at most, and headerDigits
// how many digits on end, beside spaces and hyphens: fewer than those of any
// document, telephone or account number.
const headerMost, headerDigits = 30, 5

// isData reports whether a cell of the header looks like one of a row: what it has
// may be somebody's.
func isData(h string) bool {
	digits, chars := 0, 0
	for _, r := range norm.NFKC.String(h) {
		chars++
		switch {
		case unicode.IsDigit(r):
			digits++
		case r == '-' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
		default:
			digits = 0
		}
		if digits > headerDigits || chars > headerMost {
			return true
		}
	}
	return false
}

// shorten keeps a header that is quoted in an error within bounds.
func shorten(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return s
}

func (s *Sheet) emptyColumn(at int) bool {
	for _, r := range s.Rows {
		if r.Cells[at] != "" {
			return false
		}
	}
	return true
}

// headerForm is the form in which headers are compared.
func headerForm(s string) string {
	s = strings.ToLower(norm.NFKC.String(s))
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '*' || r == '_' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSuffix(strings.TrimSuffix(s, "(必填)"), "(选填)")
}
