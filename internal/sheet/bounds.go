package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"

	"bajigong/internal/fail"
)

var errBomb = errors.New("it unpacks to more than a workbook of its size")

// bounds are what the parts of a workbook may be, unpacked. What stands beside the
// worksheets, the table of texts above all, is held in memory element by element,
// each many times as large as the four bytes that it may have in the file.
type bounds struct {
	unpacked int64 // bytes of all parts
	elements int   // marks < of all parts but worksheets
}

// widest are the bounds of a table without a limit to its rows.
var widest = bounds{unpacked: workbookUnpacked, elements: 10_000_000}

// boundsOf are those of a table: room for a text in each of 32 columns, in an
// element with its text and the ends of both, half as much again for formats.
func boundsOf(l Limits) bounds {
	return bounds{unpacked: min(workbookUnpacked, 16<<20+13*l.Bytes), elements: min(widest.elements, 200_000+6*32*l.Rows)}
}

// fit counts before anything of a workbook is believed. What is no archive, or
// broken, is for others to say.
func (most bounds) fit(b []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil
	}
	tooLarge := fail.New(fail.TooLarge, "sheet_rows", "the workbook holds too much besides its table; copy the table alone into a new one").
		In("工作簿中表格以外的内容过多，请将表格单独复制到新工作簿后再上传")
	page := make([]byte, 64<<10)
	for _, part := range archive.File {
		counted := !strings.Contains(strings.ToLower(part.Name), "worksheets/")
		r, err := part.Open()
		if err != nil {
			continue
		}
		for err == nil {
			var n int
			n, err = r.Read(page)
			if most.unpacked -= int64(n); counted {
				most.elements -= bytes.Count(page[:n], []byte("<"))
			}
			if most.unpacked < 0 {
				_ = r.Close()
				return noWorkbook(errBomb)
			}
			if most.elements < 0 {
				_ = r.Close()
				return tooLarge
			}
		}
		_ = r.Close()
	}
	return nil
}
