package sheet

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"bajigong/internal/fail"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// refuseFormats names files that are no table by their first bytes, with what to do.
func refuseFormats(b []byte) error {
	save := func(what, en string) error {
		return fail.New(fail.Invalid, "sheet_format", "this is %s; open it in a spreadsheet and save it as “.xlsx” or “CSV UTF-8”", en).
			In("这是%s，无法直接读取。请用表格软件打开后，另存为 .xlsx 或“CSV UTF-8（逗号分隔）”再上传", what)
	}
	head := b[:min(len(b), 512)]
	trimmed := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF")), " \t\r\n"))
	switch {
	case bytes.HasPrefix(b, []byte("PK\x05\x06")):
		return save("空的压缩包", "an empty zip archive")
	case bytes.HasPrefix(b, []byte("\xD0\xCF\x11\xE0")):
		return save("旧版 Excel 或 WPS 工作簿（.xls、.et），或设有打开密码的工作簿", "an old Excel or WPS workbook (.xls, .et), or one with a password")
	case bytes.HasPrefix(b, []byte("%PDF")):
		return save(" PDF 文件", "a PDF file")
	case bytes.HasPrefix(b, []byte("\x1F\x8B")), bytes.HasPrefix(b, []byte("Rar!")), bytes.HasPrefix(b, []byte("7z\xBC\xAF")):
		return save("压缩文件，请先解压", "a compressed archive")
	case bytes.HasPrefix(b, []byte("\x89PNG")), bytes.HasPrefix(b, []byte("\xFF\xD8\xFF")):
		return save("图片", "an image")
	case bytes.HasPrefix(trimmed, []byte("<html")), bytes.HasPrefix(trimmed, []byte("<!doctype")), bytes.HasPrefix(trimmed, []byte("<table")), bytes.HasPrefix(trimmed, []byte("<meta")):
		return save("网页格式的表格（扩展名可能是 .xls）", "a web page with a table (its name may end in .xls)")
	case bytes.HasPrefix(trimmed, []byte("<?xml")):
		return save(" XML 格式的表格", "an XML file")
	case bytes.HasPrefix(trimmed, []byte(`{\rtf`)):
		return save(" RTF 文档", "an RTF document")
	}
	return nil
}

// decode finds the encoding and returns the text. A byte order mark decides;
// without one, what is valid UTF-8 is UTF-8, and only the rest can be GB18030.
func decode(b []byte) (text, encoding string, err error) {
	switch {
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		b = b[3:]
		if !utf8.Valid(b) {
			return "", "", damagedUTF8(b)
		}
		text, encoding = string(b), "UTF-8"
	case bytes.HasPrefix(b, []byte("\xFF\xFE")), bytes.HasPrefix(b, []byte("\xFE\xFF")):
		if text, err = decodeUTF16(b[2:], b[0] == 0xFE); err != nil {
			return "", "", err
		}
		encoding = "UTF-16"
	case bytes.IndexByte(b, 0) >= 0:
		return "", "", binary()
	case utf8.Valid(b):
		text, encoding = string(b), "UTF-8"
	case mostlyUTF8(b):
		return "", "", damagedUTF8(b)
	default:
		if text, err = decodeGB18030(b); err != nil {
			return "", "", err
		}
		encoding = "GB18030"
	}
	switch {
	case strings.ContainsRune(text, 0):
		return "", "", binary()
	case strings.ContainsRune(text, utf8.RuneError):
		return "", "", lost(text)
	}
	return text, encoding, nil
}

func binary() error {
	return fail.New(fail.Invalid, "sheet_format", "this is a binary file or UTF-16 without a byte order mark, not a CSV file; save the table as “CSV UTF-8”").
		In("这是二进制文件或缺少标记的 UTF-16 文本，不是 CSV 文件。请另存为“CSV UTF-8（逗号分隔）”再上传")
}

// lost names the row in which a character was already replaced by U+FFFD.
func lost(text string) error {
	row := 1 + strings.Count(text[:strings.IndexRune(text, utf8.RuneError)], "\n")
	return fail.New(fail.Invalid, "sheet_encoding", "line %d has characters that were lost in an earlier conversion (shown as �); save the original table as “CSV UTF-8”", row).
		In("第 %d 行有在先前转换中丢失的字符（显示为 �）。请从原表另存为“CSV UTF-8”再上传", row)
}

func truncated() error {
	return fail.New(fail.Invalid, "sheet_truncated", "the file ends in the middle of a character; it was cut short, send it again").
		In("文件在一个字的中间结束，内容不完整，请重新上传")
}

// mostlyUTF8 reports whether b is UTF-8 with damage rather than GB18030: far
// more well-formed characters of several bytes than bytes that fit nowhere, or
// nothing wrong but a last character cut off.
func mostlyUTF8(b []byte) bool {
	good, wrong := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			if !utf8.FullRune(b[i:]) {
				return good > 0 && wrong*10 <= good
			}
			wrong++
		case n >= 3:
			good++
		}
		i += n
	}
	return wrong*10 <= good
}

func damagedUTF8(b []byte) error {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(b[i:]) {
				return truncated()
			}
			line := 1 + bytes.Count(b[:i], []byte("\n"))
			return fail.New(fail.Invalid, "sheet_encoding", "line %d is not valid UTF-8; save the table again as “CSV UTF-8”", line).
				In("第 %d 行不是有效的 UTF-8 文本，请重新另存为“CSV UTF-8”再上传", line)
		}
		i += n
	}
	return nil
}

func decodeUTF16(b []byte, big bool) (string, error) {
	if len(b)%2 != 0 {
		return "", truncated()
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		lo, hi := b[2*i], b[2*i+1]
		if big {
			lo, hi = hi, lo
		}
		units[i] = uint16(hi)<<8 | uint16(lo)
	}
	if n := len(units); n > 0 && units[n-1] >= 0xD800 && units[n-1] < 0xDC00 {
		return "", truncated()
	}
	return string(utf16.Decode(units)), nil
}

func decodeGB18030(b []byte) (string, error) {
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		if cut := len(b) - 1; b[cut] >= 0x80 {
			if head, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b[:cut]); err == nil && !bytes.ContainsRune(head, utf8.RuneError) {
				return "", truncated()
			}
		}
		return "", fail.New(fail.Invalid, "sheet_encoding", "the text is neither UTF-8 nor GB18030; save the table as “CSV UTF-8”").
			In("文本既不是 UTF-8 也不是 GB18030（GBK）编码，请另存为“CSV UTF-8”再上传")
	}
	return string(out), nil
}
