package sheet

import (
	"archive/zip"
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// bomb is a small workbook whose table of texts has very many empty ones.
func bomb(t *testing.T, texts int) []byte {
	t.Helper()
	f := excelize.NewFile()
	for i, h := range []string{"姓名", "证书编号"} {
		cell, _ := excelize.CoordinatesToCellName(i+1, 1)
		if err := f.SetCellStr("Sheet1", cell, h); err != nil {
			t.Fatal(err)
		}
	}
	var plain, out bytes.Buffer
	if _, err := f.WriteTo(&plain); err != nil {
		t.Fatal(err)
	}
	in, err := zip.NewReader(bytes.NewReader(plain.Bytes()), int64(plain.Len()))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(&out)
	for _, part := range in.File {
		if part.Name != "xl/sharedStrings.xml" {
			if err := w.Copy(part); err != nil {
				t.Fatal(err)
			}
			continue
		}
		p, _ := w.Create(part.Name)
		r, _ := part.Open()
		text, _ := io.ReadAll(r)
		_, _ = io.WriteString(p, strings.Replace(string(text), "</sst>", strings.Repeat("<si/>", texts)+"</sst>", 1))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A workbook of a few hundred KB cannot make the server take gigabytes.
func TestWorkbookOfVeryManyTexts(t *testing.T) {
	data := bomb(t, 4_000_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Read(bytes.NewReader(data), Limits{Bytes: 4 << 20, Rows: 5000})
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; err == nil || mb > 256 {
		t.Errorf("%d KB: %v, %d MB", len(data)>>10, err, mb)
	}
}
