package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"bajigong/internal/fail"

	"github.com/xuri/excelize/v2"
)

// Table is a table to be written for people who open it in a spreadsheet.
type Table struct {
	Name   string // of the worksheet, at most 31 characters and none of :\/?*[]
	Title  string // a line above the header; none when empty. CSV has none.
	Header []string
	Rows   iter.Seq[[]string]
}

// WriteXLSX writes a workbook with one worksheet for each table. All cells are
// text, so that no program turns a number of 18 digits into a figure or a text
// into a formula; the header stays in sight. Equal tables give equal bytes.
//
// The workbook stands in memory until the end and touches no disk. It fails
// with the error of w, and with fail.TooLarge, sheet_rows, when a table has more
// than the 1,048,576 rows of a worksheet.
func WriteXLSX(w io.Writer, tables ...Table) error {
	f := excelize.NewFile(excelize.Options{TmpDir: noFolder})
	defer f.Close()
	text, err := f.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	bold, err := f.NewStyle(&excelize.Style{NumFmt: textFormat, Font: &excelize.Font{Bold: true}, Alignment: &excelize.Alignment{Vertical: "center"}})
	if err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	for i, t := range tables {
		if i == 0 {
			err = f.SetSheetName("Sheet1", t.Name)
		} else {
			_, err = f.NewSheet(t.Name)
		}
		if err == nil {
			err = writeSheet(f, t, text, bold)
		}
		if err != nil {
			return fmt.Errorf("write worksheet %s: %w", t.Name, err)
		}
	}
	var packed bytes.Buffer
	if _, err := f.WriteTo(&packed); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return repack(w, packed.Bytes())
}

// repack puts the parts of a workbook, which the library writes in the order of
// a map, into the order of their names.
func repack(w io.Writer, packed []byte) error {
	in, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	slices.SortFunc(in.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	for _, part := range in.File {
		if err := out.Copy(part); err != nil {
			return fmt.Errorf("write workbook: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

// textFormat is the built-in number format "@" (ECMA-376 Part 1 §18.8.30).
const textFormat = 49

func writeSheet(f *excelize.File, t Table, text, bold int) error {
	s, err := f.NewStreamWriter(t.Name)
	if err != nil {
		return err
	}
	for i, h := range t.Header {
		if err := s.SetColWidth(i+1, i+1, min(max(float64(2*utf8.RuneCountInString(h)+4), 12), 60)); err != nil {
			return err
		}
	}
	head := 1
	if t.Title != "" {
		head = 2
	}
	if err := s.SetPanes(&excelize.Panes{Freeze: true, YSplit: head, TopLeftCell: fmt.Sprintf("A%d", head+1), ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if t.Title != "" {
		if err := setRow(s, 1, []string{t.Title}, bold); err != nil {
			return err
		}
	}
	if err := setRow(s, head, t.Header, bold); err != nil {
		return err
	}
	row := head
	for cells := range t.Rows {
		row++
		if err := setRow(s, row, cells, text); err != nil {
			return tooLong(t, err)
		}
	}
	return s.Flush()
}

// tooLong names the table that does not fit.
func tooLong(t Table, err error) error {
	if errors.Is(err, excelize.ErrMaxRows) {
		return fail.New(fail.TooLarge, "sheet_rows", "the table %s has too many rows for a workbook; take it as CSV or in parts", t.Name).
			In("“%s”行数过多，无法生成工作簿，请改用 CSV 或分批导出", t.Name).Because(err)
	}
	return err
}

func setRow(s *excelize.StreamWriter, row int, cells []string, style int) error {
	values := make([]any, len(cells))
	for i, c := range cells {
		values[i] = excelize.Cell{StyleID: style, Value: printable(c)}
	}
	return s.SetRow(fmt.Sprintf("A%d", row), values)
}

// printable leaves out what XML 1.0 §2.2 cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s)
}

// WriteCSV writes a table as RFC 4180 has it, in UTF-8 with a byte order mark,
// without which spreadsheets take Chinese for another encoding. See [Harmless].
func WriteCSV(w io.Writer, t Table) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	write := func(cells []string) error {
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = Harmless(c)
		}
		return out.Write(line)
	}
	err := write(t.Header)
	for cells := range t.Rows {
		if err != nil {
			break
		}
		err = write(cells)
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// Harmless keeps a spreadsheet from taking a text of a CSV file for a formula:
// it puts an apostrophe before it. The -- of a certificate without a trade is
// none and stays.
func Harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) && s != "--" {
		return "'" + s
	}
	return s
}
