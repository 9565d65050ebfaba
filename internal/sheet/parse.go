package sheet

import (
	"io"
	"strings"
	"unicode"

	"bajigong/internal/fail"
)

// separatorLine takes a first line such as sep=; away and returns its separator.
// Spreadsheets do not show that line and do not count it.
func separatorLine(text string) (delimiter rune, rest string) {
	end := strings.IndexAny(text, "\r\n")
	if end < 0 {
		end = len(text)
	}
	line := strings.Trim(text[:end], "\" ")
	if len(line) < 5 || !strings.EqualFold(line[:4], "sep=") {
		return 0, text
	}
	switch line[4] { // a program that saved the file anew may have put separators behind it
	case ',', ';', '\t':
		delimiter = rune(line[4])
	default:
		return 0, text
	}
	rest = text[end:]
	if strings.HasPrefix(rest, "\r\n") {
		return delimiter, rest[2:]
	}
	if rest != "" {
		rest = rest[1:]
	}
	return delimiter, rest
}

// guessDelimiter counts separators outside quotation marks in the first line
// that has content. Ties go to the comma, then the tab.
func guessDelimiter(text string) rune {
	count := map[rune]int{}
	quoted, content := false, false
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
			content = true
		case r == '\n' || r == '\r':
			if content {
				return most(count)
			}
			count = map[rune]int{}
		case r == ',' || r == '\t' || r == ';':
			count[r]++
		case !unicode.IsSpace(r):
			content = true
		}
	}
	return most(count)
}

func most(count map[rune]int) rune {
	best := ','
	for _, r := range []rune{'\t', ';'} {
		if count[r] > count[best] {
			best = r
		}
	}
	return best
}

// parser reads records of RFC 4180, more kindly: line ends \r\n, \n or \r, and
// quotation marks inside a cell that does not begin with one are text.
type parser struct {
	text      string
	at        int
	row       int
	delimiter rune
	columns   int
}

func (p *parser) next() (record, error) {
	if p.at >= len(p.text) {
		return record{}, io.EOF
	}
	p.row++
	rec := record{number: p.row}
	for {
		cell, end, err := p.cell()
		if err != nil {
			return record{}, err
		}
		if len(rec.cells) == p.columns {
			if cell != "" {
				return record{}, fail.New(fail.TooLarge, "sheet_columns", "row %d has more than %d columns", p.row, p.columns).
					In("第 %d 行超过 %d 列", p.row, p.columns)
			}
		} else {
			rec.cells = append(rec.cells, cell)
		}
		if end {
			return rec, nil
		}
	}
}

// cell reads one cell and reports whether the record ends with it.
func (p *parser) cell() (cell string, end bool, err error) {
	start := p.at
	for p.at < len(p.text) && (p.text[p.at] == ' ' || strings.HasPrefix(p.text[p.at:], "\u3000")) {
		if p.text[p.at] == ' ' {
			p.at++
		} else {
			p.at += len("\u3000")
		}
	}
	if p.at < len(p.text) && p.text[p.at] == '"' {
		return p.quoted()
	}
	p.at = start
	stop := strings.IndexAny(p.text[p.at:], string(p.delimiter)+"\r\n")
	if stop < 0 {
		cell, p.at = p.text[p.at:], len(p.text)
		return clean(cell), true, nil
	}
	cell = p.text[p.at : p.at+stop]
	p.at += stop
	return clean(cell), p.separator(), nil
}

// separator passes over the delimiter or line end at p.at and reports which.
func (p *parser) separator() (end bool) {
	switch {
	case p.at >= len(p.text):
		return true
	case p.text[p.at] == '\r':
		p.at++
		if p.at < len(p.text) && p.text[p.at] == '\n' {
			p.at++
		}
		return true
	case p.text[p.at] == '\n':
		p.at++
		return true
	}
	p.at++ // all delimiters are one byte
	return false
}

func (p *parser) quoted() (cell string, end bool, err error) {
	p.at++
	var b strings.Builder
	for {
		stop := strings.IndexByte(p.text[p.at:], '"')
		if stop < 0 {
			return "", false, fail.New(fail.Invalid, "sheet_quote", "row %d: a quotation mark is not closed; perhaps the file was cut short", p.row).
				In("第 %d 行：双引号没有闭合，文件可能不完整", p.row).At(fail.Field{Row: p.row, Code: "sheet_quote", ZH: "双引号没有闭合", EN: "a quotation mark is not closed"})
		}
		b.WriteString(p.text[p.at : p.at+stop])
		p.at += stop + 1
		if !strings.HasPrefix(p.text[p.at:], `"`) {
			break
		}
		b.WriteByte('"')
		p.at++
	}
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] != '\r' && p.text[p.at] != '\n' && rune(p.text[p.at]) != p.delimiter {
		return "", false, fail.New(fail.Invalid, "sheet_quote", "row %d: text stands behind a closing quotation mark; quotation marks inside a cell are written twice", p.row).
			In("第 %d 行：双引号闭合后还有文字；单元格内的双引号应写两个", p.row).At(fail.Field{Row: p.row, Code: "sheet_quote", ZH: "双引号闭合后还有文字", EN: "text stands behind a closing quotation mark"})
	}
	return clean(b.String()), p.separator(), nil
}

// clean removes white space and invisible marks around a cell, and the ="…"
// by which programs keep spreadsheets from rounding long numbers.
func clean(s string) string {
	s = trim(s)
	// A file that was saved twice may have it twice; each turn shortens s.
	for len(s) >= 3 && strings.HasPrefix(s, `="`) && strings.HasSuffix(s, `"`) {
		s = trim(strings.ReplaceAll(s[2:len(s)-1], `""`, `"`))
	}
	return s
}

func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\uFEFF' || r == '\u200B' || r == '\u200E' || r == '\u200F' || r == '\u202A' || r == '\u202C' || r == '\u202D'
	})
}
