package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"bajigong/internal/fail"

	"github.com/xuri/excelize/v2"
)

// XLSX is the Encoding of a table that was read from a workbook.
const XLSX = "XLSX"

// Bounds of a workbook. A workbook is unpacked in memory as a whole and never
// onto a disk, where its personal data would stay.
const (
	workbookBytes    = 64 << 20  // packed, where Limits.Bytes does not say less
	workbookUnpacked = 256 << 20 // a file of 20 MB that is not a bomb unpacks to less than this
	workbookCells    = 50 << 20  // passed over, empty ones included
)

// isWorkbook reports whether b begins as a ZIP archive does, which XLSX is.
func isWorkbook(b []byte) bool { return bytes.HasPrefix(b, []byte("PK\x03\x04")) }

// noFolder is where nothing can be written: what does not fit into memory fails
// rather than leave personal data on a disk.
const noFolder = os.DevNull

// workbook reads the rows of one worksheet as a parser reads those of a text.
type workbook struct {
	rows    *excelize.Rows
	row     int
	columns int
	cells   int
	bytes   int
	ended   error // why there are no more rows, once it is known
}

// openWorkbook finds the worksheet with the table: the first visible one with
// content. Others may stand beside it (注意事项, 填写说明), but none with the same
// first row: such a table is spread over several sheets, and reading one of them
// would lose the rest.
func openWorkbook(b []byte, columns int, most bounds) (w *workbook, err error) {
	defer func() {
		if p := recover(); p != nil { // the file chose what the library stumbled over
			w, err = nil, noWorkbook(fmt.Errorf("panic: %v", p))
		}
	}()
	if err := most.fit(b); err != nil {
		return nil, err
	}
	f, err := excelize.OpenReader(bytes.NewReader(b), excelize.Options{RawCellValue: true, UnzipSizeLimit: most.unpacked, UnzipXMLSizeLimit: most.unpacked, TmpDir: noFolder})
	if err != nil {
		return nil, noWorkbook(err)
	}
	if props, err := f.GetWorkbookProps(); err == nil && props.Date1904 != nil && *props.Date1904 {
		return nil, fail.New(fail.Invalid, "sheet_date1904", "the workbook counts dates from 1904; switch that off in the options of the spreadsheet program, check the dates and save again").
			In("该工作簿使用 1904 日期系统，日期会相差四年。请在表格软件的选项中取消“1904 日期系统”，核对日期后重新保存")
	}
	var found, head = "", []string(nil)
	for _, name := range f.GetSheetList() {
		if visible, err := f.GetSheetVisible(name); err != nil || !visible {
			continue
		}
		first, err := firstRow(f, name, columns)
		switch {
		case err != nil:
			return nil, err
		case first == nil:
		case found == "":
			found, head = name, first
		case slices.Equal(first, head):
			return nil, fail.New(fail.Invalid, "sheet_several", "the table stands on the worksheets “%s” and “%s”; put it on one", shorten(found), shorten(name)).
				In("数据分别在“%s”和“%s”两个工作表中，请合并到一个工作表后再上传", shorten(found), shorten(name))
		}
	}
	if found == "" {
		return nil, empty()
	}
	rows, err := f.Rows(found)
	if err != nil {
		return nil, noWorkbook(err)
	}
	return &workbook{rows: rows, columns: columns}, nil
}

// firstRow is the first row with content; nil when the sheet has none, or is no
// table but a chart.
func firstRow(f *excelize.File, sheet string, columns int) ([]string, error) {
	rows, err := f.Rows(sheet)
	if err != nil {
		return nil, nil
	}
	w := workbook{rows: rows, columns: columns}
	for {
		rec, err := w.next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil || len(rec.cells) > 0 {
			return rec.cells, err
		}
	}
}

func noWorkbook(cause error) error {
	return fail.New(fail.Invalid, "sheet_format", "this is a zip archive or a damaged workbook, not a table; save the table as “.xlsx” or “CSV UTF-8” again").
		In("这是压缩包或已损坏的工作簿，不是表格。请用表格软件打开后，重新另存为 .xlsx 或“CSV UTF-8”再上传").Because(cause)
}

func (w *workbook) next() (rec record, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.ended = noWorkbook(fmt.Errorf("panic: %v", p))
			rec, err = record{}, w.ended
		}
	}()
	if w.ended != nil {
		return record{}, w.ended
	}
	if !w.rows.Next() {
		if w.ended = io.EOF; w.rows.Error() != nil {
			w.ended = noWorkbook(w.rows.Error())
		}
		return record{}, w.ended
	}
	w.row++
	rec.number = w.row
	cells, err := w.rows.Columns(excelize.Options{RawCellValue: true})
	if err != nil {
		w.ended = noWorkbook(err)
		return record{}, w.ended
	}
	if w.cells += len(cells) + 1; w.cells > workbookCells || w.bytes > workbookUnpacked {
		w.ended = fail.New(fail.TooLarge, "sheet_rows", "the worksheet has too many cells; clear the formats of empty rows and columns").
			In("工作表的单元格过多，请清除空行、空列的格式后再上传")
		return record{}, w.ended
	}
	for i, c := range cells {
		w.bytes += len(c) // one long text may stand in very many cells
		cells[i] = cellValue(clean(c))
	}
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	if len(cells) > w.columns {
		return rec, fail.New(fail.TooLarge, "sheet_columns", "row %d has more than %d columns", w.row, w.columns).
			In("第 %d 行超过 %d 列", w.row, w.columns)
	}
	rec.cells = cells
	return rec, nil
}

// cellValue undoes what binary fractions do to figures: a mark of 85.3 may stand
// in the file as 85.299999999999997, and nobody ever saw that. Spreadsheets show
// 15 digits at most. Long whole numbers stay as they are, so that a number of
// an identity card that has lost digits is found out.
func cellValue(s string) string {
	if len(s) < 16 || strings.Trim(s, "0123456789.-+Ee") != "" || !strings.Contains(s, ".") || strings.ContainsAny(s, "Ee") && !strings.Contains(s, "E-") {
		return s
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}
