package sheet

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"bajigong/internal/fail"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Stream reads a table that is too large for [Read], row by row and in bounded
// memory. What is wrong with a row is said of that row alone, so that a reader
// can account for every row of the file.
//
//	s, err := sheet.OpenStream(file, sheet.Limits{}, columns)
//	for {
//		row, faults, err := s.Next()
//		if err == io.EOF {
//			break
//		}
//		…
//	}
type Stream struct {
	Header    []string
	HeaderRow int
	Encoding  string // UTF-8, UTF-16, GB18030 or XLSX
	Delimiter rune
	SHA256    [sha256.Size]byte // of the file as it is

	book    *workbook // instead of all below, of a workbook
	in      io.Reader // decoded
	limit   Limits
	text    string // decoded and not yet parsed, from at
	at      int
	eof     bool
	row     int
	columns map[string]int
}

// Bounds of a stream's memory.
const (
	streamBlock  = 1 << 20
	streamRecord = 64 << 10 // bytes of one row
)

// OpenStream reads the file once for its hash and encoding and then stands
// before its first row. Only Columns and Cell of limit count: the length of a CSV
// file has no limit; a workbook, which has to be unpacked in memory, may have 64 MB.
//
// Error codes: those of [Read] and [Sheet.Select] that concern the file as a
// whole: sheet_empty, sheet_format, sheet_header, sheet_quote (of the header),
// sheet_several, sheet_date1904, sheet_bytes. An error of r is passed on.
func OpenStream(r io.ReadSeeker, limit Limits, columns []Column) (*Stream, error) {
	s := &Stream{limit: limit.withDefaults()}
	if err := s.look(r); err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read sheet: %w", err)
	}
	switch s.Encoding {
	case XLSX:
		if err := s.openBook(r); err != nil {
			return nil, err
		}
	case "UTF-16":
		s.in = transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder())
	case "GB18030":
		s.in = transform.NewReader(r, simplifiedchinese.GB18030.NewDecoder())
	default:
		s.in = transform.NewReader(r, unicode.UTF8BOM.NewDecoder()) // bytes that are not UTF-8 become U+FFFD
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, s.selectColumns(columns)
}

func (s *Stream) openBook(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, workbookBytes+1))
	if err != nil {
		return fmt.Errorf("read sheet: %w", err)
	}
	if len(b) > workbookBytes {
		return fail.New(fail.TooLarge, "sheet_bytes", "a workbook may have %s at most; save it as “CSV UTF-8”, which has no limit", size(workbookBytes)).
			In("工作簿最大 %s；请另存为“CSV UTF-8”，CSV 文件不限大小", size(workbookBytes))
	}
	s.book, err = openWorkbook(b, s.limit.Columns, widest)
	return err
}

// look reads the whole file: its hash, and which encoding it has. A byte order
// mark decides; what is UTF-8, or mostly, is UTF-8; the rest can only be GB18030.
func (s *Stream) look(r io.Reader) error {
	hash := sha256.New()
	var head []byte
	var size int64
	var rest []byte // of a character that the next block ends
	good, wrong, zero := 0, 0, false
	block := make([]byte, streamBlock)
	for {
		n, err := r.Read(block)
		hash.Write(block[:n])
		if len(head) < 512 {
			head = append(head, block[:min(n, 512-len(head))]...)
		}
		size += int64(n)
		zero = zero || bytes.IndexByte(block[:n], 0) >= 0
		text := append(rest, block[:n]...)
		rest = nil
		for i := 0; i < len(text); {
			if text[i] < utf8.RuneSelf {
				i++
				continue
			}
			r, width := utf8.DecodeRune(text[i:])
			switch {
			case r == utf8.RuneError && width == 1 && !utf8.FullRune(text[i:]) && err == nil:
				rest = append(rest, text[i:]...)
				width = len(text) - i
			case r == utf8.RuneError && width == 1:
				wrong++
			case width >= 3:
				good++
			}
			i += width
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read sheet: %w", err)
		}
	}
	hash.Sum(s.SHA256[:0])
	if size == 0 {
		return empty()
	}
	if isWorkbook(head) {
		s.Encoding = XLSX
		return nil
	}
	if err := refuseFormats(head); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xFF\xFE")), bytes.HasPrefix(head, []byte("\xFE\xFF")):
		s.Encoding = "UTF-16"
	case zero:
		return binary()
	case bytes.HasPrefix(head, []byte("\xEF\xBB\xBF")), wrong == 0, wrong*10 <= good:
		s.Encoding = "UTF-8"
	default:
		s.Encoding = "GB18030"
	}
	return nil
}

// begin finds the delimiter and the header.
func (s *Stream) begin() error {
	if s.book == nil {
		if err := s.fill(); err != nil {
			return err
		}
		delimiter, rest := separatorLine(s.text)
		if delimiter == 0 {
			delimiter = guessDelimiter(rest[:min(len(rest), streamRecord)])
		}
		s.Delimiter, s.text = delimiter, rest
	}
	for {
		rec, err := s.record()
		if errors.Is(err, io.EOF) {
			return empty()
		}
		if err != nil {
			return err
		}
		if len(rec.cells) > 0 {
			s.Header, s.HeaderRow = rec.cells, rec.number
			return nil
		}
	}
}

func (s *Stream) selectColumns(columns []Column) error {
	if s.columns = nil; columns == nil {
		return nil
	}
	table := Sheet{Header: s.Header, HeaderRow: s.HeaderRow, Rows: []Row{{Number: s.HeaderRow, Cells: make([]string, len(s.Header))}}}
	got, err := table.Select(columns)
	if err != nil {
		return err
	}
	s.columns = got.Rows[0].columns
	return nil
}

// Next returns the next row with content. faults name what makes the row
// unreadable; its cells are then not to be used. io.EOF: there is no more.
//
// Codes of faults: sheet_quote, row_too_long, cell_too_long, cell_control,
// cell_lost (a character that an earlier conversion lost), cell_nameless (content
// under no header).
func (s *Stream) Next() (Row, []fail.Field, error) {
	for {
		rec, err := s.record()
		if s.book != nil && s.book.ended != nil {
			return Row{}, nil, err // of the file, not of a row
		}
		var bad *fail.Error
		if errors.As(err, &bad) {
			f := fail.Field{Row: rec.number, Code: bad.Code, ZH: bad.ZH, EN: bad.Text}
			return Row{Number: rec.number, Cells: make([]string, len(s.Header)), columns: s.columns}, []fail.Field{f}, nil
		}
		if err != nil {
			return Row{}, nil, err
		}
		if len(rec.cells) == 0 {
			continue
		}
		faults := s.faults(rec)
		if len(rec.cells) > len(s.Header) {
			rec.cells = rec.cells[:len(s.Header)]
		}
		return Row{Number: rec.number, Cells: padded(rec.cells, len(s.Header)), columns: s.columns}, faults, nil
	}
}

func (s *Stream) faults(rec record) (out []fail.Field) {
	fault := func(i int, code, zh, en string) {
		name := column(i)
		if i < len(s.Header) && s.Header[i] != "" && !isData(s.Header[i]) {
			name = shorten(s.Header[i])
		}
		out = append(out, fail.Field{Name: name, Row: rec.number, Code: code, ZH: zh, EN: en})
	}
	if n := len(s.Header); len(rec.cells) > n {
		fault(n, "row_too_long", fmt.Sprintf("本行有 %d 列，多于表头的 %d 列；单元格内若有分隔符应加双引号", len(rec.cells), n),
			fmt.Sprintf("the row has %d columns, the header %d; put a cell with the separator in it in quotation marks", len(rec.cells), n))
		return out
	}
	for i, c := range rec.cells {
		if n := utf8.RuneCountInString(c); n > s.limit.Cell {
			fault(i, "cell_too_long", fmt.Sprintf("单元格最多 %d 个字符，现为 %d 个", s.limit.Cell, n), fmt.Sprintf("a cell may have %d characters, not %d", s.limit.Cell, n))
		}
		if at := controlAt(c); at > 0 {
			fault(i, "cell_control", fmt.Sprintf("第 %d 个字符是不可见的控制字符，请重新录入", at), fmt.Sprintf("character %d is a control character; type the cell again", at))
		}
		if strings.ContainsRune(c, utf8.RuneError) {
			fault(i, "cell_lost", "有在先前转换中丢失的字符（显示为 �），请从原表重新导出", "it has characters that were lost in an earlier conversion (shown as �); export it anew from the original")
		}
		if c != "" && i < len(s.Header) && s.Header[i] == "" {
			fault(i, "cell_nameless", "本列有内容但没有列名", "the column has content and no name")
		}
	}
	return out
}

// fill reads until a whole record of the greatest length lies before at, or the
// file ends.
func (s *Stream) fill() error {
	for !s.eof && len(s.text)-s.at < streamRecord+4 {
		block := make([]byte, streamBlock)
		n, err := io.ReadFull(s.in, block)
		s.text, s.at = s.text[s.at:]+string(block[:n]), 0
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			s.eof = true
		case err != nil:
			return fmt.Errorf("read sheet: %w", err)
		}
	}
	return nil
}

// record reads one row, without the empty cells at its end. After a *fail.Error,
// which is about this row, reading goes on behind its first line.
func (s *Stream) record() (record, error) {
	if s.book != nil {
		return s.book.next()
	}
	if err := s.fill(); err != nil {
		return record{}, err
	}
	if s.at >= len(s.text) {
		return record{}, io.EOF
	}
	window := s.text[s.at:min(len(s.text), s.at+streamRecord)]
	whole := s.eof && s.at+len(window) == len(s.text)
	s.row++
	p := parser{text: window, delimiter: s.Delimiter, columns: s.limit.Columns, row: s.row - 1}
	rec, err := p.next()
	rec.number = s.row
	if err == nil && p.at == len(window) && !whole {
		err = fail.New(fail.Invalid, "sheet_quote", "the row is longer than %d KB; perhaps a quotation mark is not closed", streamRecord>>10).
			In("本行超过 %d KB，可能有双引号没有闭合", streamRecord>>10)
	}
	if err != nil {
		s.at += firstLine(window)
		return record{number: s.row}, err
	}
	s.at += p.at
	for len(rec.cells) > 0 && rec.cells[len(rec.cells)-1] == "" {
		rec.cells = rec.cells[:len(rec.cells)-1]
	}
	return rec, nil
}

// firstLine is where the line after the first begins.
func firstLine(text string) int {
	i := strings.IndexAny(text, "\r\n")
	switch {
	case i < 0:
		return len(text)
	case strings.HasPrefix(text[i:], "\r\n"):
		return i + 2
	}
	return i + 1
}
