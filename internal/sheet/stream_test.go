package sheet

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"bajigong/internal/fail"
)

type streamed struct {
	rows   []Row
	faults []fail.Field
}

func stream(t testing.TB, text string, limit Limits, columns []Column) (*Stream, streamed, error) {
	t.Helper()
	s, err := OpenStream(strings.NewReader(text), limit, columns)
	if err != nil {
		return nil, streamed{}, err
	}
	var out streamed
	for {
		row, faults, err := s.Next()
		if errors.Is(err, io.EOF) {
			return s, out, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(faults) == 0 {
			out.rows = append(out.rows, row)
		}
		out.faults = append(out.faults, faults...)
	}
}

func TestAStreamReadsWhatReadReads(t *testing.T) {
	var text strings.Builder
	text.WriteString("姓名,证件号码,备注\r\n")
	for i := range 30_000 { // more than one block, borders within characters
		fmt.Fprintf(&text, "欧阳%d,\"%018d\",\"甲,\"\"乙\"\"\n丙𠮷\"\r\n", i, i)
		if i%1000 == 0 {
			text.WriteString(",,\r\n")
		}
	}
	want, err := Read(strings.NewReader(text.String()), Limits{Rows: 50_000})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"UTF-8": text.String(), "BOM": "\xEF\xBB\xBF" + text.String(), "GB18030": string(gb18030(t, text.String())),
		"UTF-16LE": string(utf16Bytes(text.String(), false)), "UTF-16BE": string(utf16Bytes(text.String(), true)),
	} {
		s, got, err := stream(t, in, Limits{}, nil)
		if err != nil || len(got.faults) > 0 {
			t.Fatalf("%s: %v, %v", name, err, got.faults)
		}
		if s.Encoding != strings.TrimRight(strings.Replace(name, "BOM", "UTF-8", 1), "LBE") || len(got.rows) != len(want.Rows) {
			t.Fatalf("%s: %s, %d rows, want %d", name, s.Encoding, len(got.rows), len(want.Rows))
		}
		for i, row := range got.rows {
			if fmt.Sprint(row.Number, row.Cells) != fmt.Sprint(want.Rows[i].Number, want.Rows[i].Cells) {
				t.Fatalf("%s row %d: %q, want %q", name, i, row.Cells, want.Rows[i].Cells)
			}
		}
	}
}

func TestAFaultIsOfItsRowAlone(t *testing.T) {
	text := "a,b,\n1,2\nx,\"y\nz,w\n3,4,,5\n5,6,,\n7,\"8\" 9\n10,1\x0111\n" + strings.Repeat("长", 30) + ",1\n丢\uFFFD,2\n11,12,13\n14,15\n"
	_, got, err := stream(t, text, Limits{Cell: 20}, []Column{{Name: "a", Required: true}, {Name: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	// Row 3 opens a quotation mark that the one of row 7 closes, before text.
	var codes []string
	for _, f := range got.faults {
		codes = append(codes, fmt.Sprint(f.Row, " ", f.Name, " ", f.Code))
		if f.ZH == "" || f.EN == "" {
			t.Errorf("%+v has no text", f)
		}
	}
	want := "3  sheet_quote|5 C row_too_long|7  sheet_quote|8 b cell_control|9 a cell_too_long|10 a cell_lost|11 C row_too_long"
	if s := strings.Join(codes, "|"); s != want {
		t.Errorf("faults\n%s\nwant\n%s", s, want)
	}
	var rows []string
	for _, r := range got.rows {
		rows = append(rows, fmt.Sprint(r.Number, r.Get("a"), r.Get("b")))
	}
	if s := strings.Join(rows, "|"); s != "212|4zw|656|121415" {
		t.Errorf("rows %s", s)
	}
}

func TestAQuoteThatIsNeverClosedCostsOneRow(t *testing.T) {
	text := "a,b\n\"1,2\n" + strings.Repeat("3,4\n", 200_000)
	_, got, err := stream(t, text, Limits{}, nil)
	if err != nil || len(got.faults) != 1 || len(got.rows) != 200_000 || got.rows[199_999].Number != 200_002 {
		t.Fatalf("%v, %v, %d rows", err, got.faults, len(got.rows))
	}
}

func TestAStreamRefusesWhatIsNoTable(t *testing.T) {
	for text, code := range map[string]string{
		"": "sheet_empty", "\n\n": "sheet_empty", "PK\x03\x04xx": "sheet_format", "a,b\n\x00": "sheet_format",
		"x,b\n1,2\n": "sheet_header", "a,a\n": "sheet_header", "\"a\n": "sheet_quote",
	} {
		_, _, err := stream(t, text, Limits{}, []Column{{Name: "a", Required: true}, {Name: "b"}})
		if fail.CodeOf(err) != code {
			t.Errorf("%q: %v, want %s", text, err, code)
		}
	}
}

// Whatever is read whole is read the same row by row.
func FuzzStream(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "sep=;\na;b\n\"1\n2\";3", "\xEF\xBB\xBFa\tb\r\n1\t2", "a,b\n\"", "\xd0\xd5\xc3\xfb,b\n1,2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, got, err := stream(t, text, Limits{}, nil)
		whole, wholeErr := Read(strings.NewReader(text), Limits{})
		if wholeErr != nil {
			return // refused as a whole, row by row at most partly
		}
		if err != nil || len(got.faults) > 0 && whole.Header != nil && !strings.Contains(fmt.Sprint(got.faults), "cell_nameless") {
			t.Fatalf("%q: %v, %v", text, err, got.faults)
		}
		if len(got.faults) == 0 && len(got.rows) != len(whole.Rows) {
			t.Fatalf("%q: %d rows, want %d", text, len(got.rows), len(whole.Rows))
		}
	})
}
