package registry

import (
	"io"
	"strings"
	"unicode"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry/quota"
	"bajigong/standards"
)

// ListFile is a list as somebody gave it: what each row asks, and its own cells,
// so that the answers can stand beside them.
type ListFile struct {
	Header []string // of the cells
	Cells  [][]string
	Rows   []ListRow
}

// ListMaxBytes bounds a list: pasted, or as a file.
const ListMaxBytes = 4 << 20

// listColumns are the columns of a file that are read; all others are carried
// along.
var listColumns = []sheet.Column{
	{Name: "姓名", Also: []string{"持证人", "持证人姓名", "name"}},
	{Name: "证书编号", Also: []string{"证书号", "证书号码", "证书编码", "职业技能等级证书编号", "certificate number", "number"}},
	{Name: "二维码", Also: []string{"查验码", "二维码内容", "二维码/查验码", "二维码或查验码", "qr", "code"}},
}

// ReadList reads a CSV file or a workbook with the columns 姓名 and 证书编号, or
// 二维码 or 查验码. Columns that are not known are kept and not looked at. Errors:
// those of sheet.Read; Invalid list_header: a column is missing or stands twice.
func ReadList(r io.Reader) (ListFile, error) {
	s, err := sheet.Read(r, sheet.Limits{Bytes: ListMaxBytes, Rows: quota.MostRows, Columns: 60, Cell: credentials.MaxScanned})
	if err != nil {
		return ListFile{}, err
	}
	out := ListFile{Header: s.Header}
	read, err := onlyKnown(s).Select(listColumns)
	if err != nil {
		return ListFile{}, err
	}
	has := map[string]bool{}
	for _, h := range read.Header {
		for _, c := range listColumns {
			has[c.Name] = has[c.Name] || knownAs(h, c)
		}
	}
	if !has["二维码"] && !(has["姓名"] && has["证书编号"]) {
		return ListFile{}, fail.New(fail.Invalid, "list_header", "the file needs the columns 姓名 and 证书编号, or 二维码 (or 查验码)").
			In("表头应有“姓名”和“证书编号”两列，或“二维码”（“查验码”）一列").
			At(fail.Field{Name: "证书编号", Row: s.HeaderRow, Code: "header_missing", ZH: "缺少“证书编号”或“二维码”列", EN: "the column 证书编号 or 二维码 is missing"})
	}
	for i, row := range read.Rows {
		out.Cells = append(out.Cells, s.Rows[i].Cells)
		out.Rows = append(out.Rows, ListRow{Row: row.Number, QR: row.Get("二维码"), Number: row.Get("证书编号"), Name: row.Get("姓名")})
	}
	return out, nil
}

func knownAs(header string, c sheet.Column) bool {
	_, err := (&sheet.Sheet{Header: []string{header}}).Select([]sheet.Column{c})
	return err == nil && strings.TrimSpace(header) != ""
}

// onlyKnown is the sheet without the columns that mean nothing here.
func onlyKnown(s *sheet.Sheet) *sheet.Sheet {
	out := &sheet.Sheet{HeaderRow: s.HeaderRow}
	var at []int
	for i, h := range s.Header {
		for _, c := range listColumns {
			if knownAs(h, c) {
				at = append(at, i)
				out.Header = append(out.Header, h)
				break
			}
		}
	}
	for _, row := range s.Rows {
		cells := make([]string, len(at))
		for i, column := range at {
			cells[i] = row.Cells[column]
		}
		out.Rows = append(out.Rows, sheet.Row{Number: row.Number, Cells: cells})
	}
	return out
}

// ParseList reads pasted lines, one certificate each: what a QR code says, its 13
// characters, or number and name in either order with a tab, comma or space
// between. Lines without content are passed over but counted; a first line that
// only names columns is no row.
func ParseList(text string) ListFile {
	out := ListFile{Header: []string{"内容"}}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || len(out.Rows) == 0 && namesColumns(line) {
			continue
		}
		row := parseListLine(line)
		row.Row = n
		out.Cells = append(out.Cells, []string{line})
		out.Rows = append(out.Rows, row)
	}
	return out
}

// listFields cuts a line at tabs and commas of either width.
func listFields(line string) (out []string) {
	for _, f := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("\t,，;；、|", r) }) {
		if f = strings.Trim(f, " 　\"'“”"); f != "" {
			out = append(out, f)
		}
	}
	return out
}

func namesColumns(line string) bool {
	fields := listFields(line)
	if len(fields) < 2 {
		fields = strings.Fields(line)
	}
	for _, f := range fields {
		known := false
		for _, c := range listColumns {
			known = known || knownAs(f, c)
		}
		if known {
			return !strings.ContainsFunc(line, unicode.IsDigit)
		}
	}
	return false
}

func parseListLine(line string) ListRow {
	fields := listFields(line)
	if len(fields) == 0 {
		return ListRow{Number: line}
	}
	if len(fields) == 1 {
		if isCode(fields[0]) {
			return ListRow{QR: fields[0]}
		}
		return spacedLine(fields[0])
	}
	for i, f := range fields {
		if isCode(f) && !ofKnownKind(f) {
			return ListRow{QR: f, Name: nameAmong(fields, i)}
		}
	}
	at := -1
	for i, f := range fields {
		if isNumber(f) {
			at = i
			break
		}
		if at < 0 || countDigits(f) > countDigits(fields[at]) {
			at = i // the likeliest, so that what is wrong with it can be said
		}
	}
	return ListRow{Number: fields[at], Name: nameAmong(fields, at)}
}

// spacedLine finds the number among words with spaces between: it may have spaces
// itself, and so may a name.
func spacedLine(line string) ListRow {
	words := strings.Fields(line)
	if len(words) > 24 {
		return ListRow{Number: line}
	}
	if len(words) > 1 {
		if first, last := words[0], words[len(words)-1]; isCode(first) && !ofKnownKind(first) {
			return ListRow{QR: first, Name: strings.Join(words[1:], " ")}
		} else if isCode(last) && !ofKnownKind(last) {
			return ListRow{QR: last, Name: strings.Join(words[:len(words)-1], " ")}
		}
	}
	for n := len(words); n > 0; n-- { // the longest number
		if head, rest := strings.Join(words[:n], " "), words[n:]; isNumber(head) {
			return ListRow{Number: head, Name: strings.Join(rest, " ")}
		}
		if tail, rest := strings.Join(words[len(words)-n:], " "), words[:len(words)-n]; isNumber(tail) {
			return ListRow{Number: tail, Name: strings.Join(rest, " ")}
		}
	}
	if len(words) == 2 && countDigits(words[0]) < countDigits(words[1]) {
		return ListRow{Number: words[1], Name: words[0]}
	}
	return ListRow{Number: words[0], Name: strings.Join(words[1:], " ")}
}

// nameAmong is the first other field that can be a name.
func nameAmong(fields []string, not int) string {
	for i, f := range fields {
		if i != not && countDigits(f) == 0 && !isCode(f) {
			return f
		}
	}
	return ""
}

// isCode reports what a QR code says, or the 13 characters that stand for it. 13
// digits are an old number of Shanghai.
func isCode(s string) bool {
	if strings.Contains(s, "://") {
		return true
	}
	digits := countDigits(s)
	if _, err := credentials.ParseTypedHandle(s); err == nil {
		return digits > 0 && digits < 13
	}
	if len(s) < 60 {
		return false
	}
	_, err := credentials.ParseAny(s)
	return err == nil
}

// isNumber reports a number of a kind that is known. Anything may be a number of
// another kind; such a one has digits, and no word of another script with them.
func isNumber(s string) bool {
	n, err := standards.ParseNumber(s)
	if err != nil {
		return false
	}
	if n.Kind != standards.OtherNumber {
		return true
	}
	for _, r := range s {
		if unicode.Is(unicode.Han, r) || unicode.IsSpace(r) {
			return false
		}
	}
	return countDigits(s) >= 4
}

// ofKnownKind reports a number that is not merely of another kind.
func ofKnownKind(s string) bool {
	n, err := standards.ParseNumber(s)
	return err == nil && n.Kind != standards.OtherNumber
}

func countDigits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}
