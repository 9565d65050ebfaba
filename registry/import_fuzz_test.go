package registry

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/invented"
	"bajigong/internal/sheet"
	"bajigong/standards"
)

// rowsOf reads a text as a table with the columns, as far as it is one.
func rowsOf(text string, columns []sheet.Column, fn func(sheet.Row)) {
	var header []string
	for _, c := range columns {
		header = append(header, c.Name)
	}
	s, err := sheet.OpenStream(strings.NewReader(strings.Join(header, ",")+"\n"+text), sheet.Limits{Cell: 1000}, columns)
	for err == nil {
		var row sheet.Row
		if row, _, err = s.Next(); err == nil {
			fn(row)
		}
	}
	if !errors.Is(err, io.EOF) {
		return
	}
}

// Whatever stands in a row, it is taken with all that a certificate needs or
// refused with a fault in both languages, and the fault says nothing of the holder.
func FuzzReadPast(f *testing.F) {
	now := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	keys, err := credentials.CreateKeyRing(filepath.Join(f.TempDir(), "keys"), "js", credentials.Opener{}, rand.Reader, now)
	if err != nil {
		f.Fatal(err)
	}
	random := &randomness{r: rand.Reader}
	r := &Registry{rand: random, vault: &vault{secrets: keys, rand: random}, starter: standards.Starter()}
	names := newPastNames(r.starter.Occupations())
	p := invented.PersonAt(1)
	for _, s := range []string{
		p.Name + ",201," + p.Document + ",其他,电工,--,3,S000032058301233000001,2023-05-10,某中心,某中心,,考核",
		p.Name + ",201," + p.Document + ",,6-31-01-03,,高级工（三级）,1810000000301234,45056,,某中心,6-31-01-03,exam",
		p.Name + ",,3.2E+17,,电工,,9,T" + p.Document + ",2023年2月30日,,,,", p.Document + "," + p.Name + ",,,,,,,,,,,", ",,,,,,,,,,,,", "\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rowsOf(text, PastCertificateColumns, func(row sheet.Row) {
			got := r.readPast(row, nil, names, true, "2026-03-02")
			for _, x := range got.faults {
				if x.Name == "" || x.Code == "" || x.ZH == "" || x.EN == "" || x.Row != row.Number {
					t.Fatalf("%q: fault %+v", text, x)
				}
				if number := row.Get("证件号码"); digitsIn(number) > 8 && len(number) > 10 && strings.Contains(x.ZH+x.EN, number) {
					t.Fatalf("%q: the fault repeats the document: %+v", text, x)
				}
			}
			if len(got.faults) > 0 {
				return
			}
			if got.key == "" || got.occupation.Code == "" || !got.in.Level.Valid() || !got.in.Issued.Valid() || got.paper.Name == "" || got.paper.Document.Number == "" ||
				got.in.TradeName == "" || strings.TrimSpace(got.in.InstitutionName) == "" || got.number.Personal() != (got.paper.Number != "") {
				t.Fatalf("%q was taken as %+v", text, got)
			}
			if columns := got.facts().differ(got.facts()); columns != nil {
				t.Fatalf("%q differs from itself in %v", text, columns)
			}
			if _, err := json.Marshal(Finding{Number: got.masked()}); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func digitsIn(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}

// Whatever stands in a row of a filing, it has a scope or a fault.
func FuzzReadScope(f *testing.F) {
	names := newPastNames(standards.Starter().Occupations())
	for _, s := range []string{
		"某中心," + invented.USCC(1) + ",320583,S,0000,32,058301,320000,文号,2021-01-01,2023-12-31,电工,,,五级、四级、三级",
		"某中心,x,,用人单位,,,,,,2021.1.1,44927,,6-31-01-03,01,5-3", ",,,,,,,,,,,,,,五级至", ",,,,,,,,,,,,,,一级～五级；3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rowsOf(text, PastInstitutionColumns, func(row sheet.Row) {
			got := readScope(row, nil, names)
			for _, x := range got.faults {
				if x.Name == "" || x.Code == "" || x.ZH == "" || x.EN == "" || x.Row != row.Number {
					t.Fatalf("%q: fault %+v", text, x)
				}
			}
			if len(got.faults) == 0 && (got.item.Occupation == "" || got.item.Levels == 0 || !got.filing.From.Valid() || !got.filing.Until.Valid() || len(got.inst.USCC) != 18) {
				t.Fatalf("%q was taken as %+v", text, got)
			}
		})
	})
}

func TestLevelsOfAFiling(t *testing.T) {
	for text, want := range map[string]string{
		"五级、四级、三级": "junior,intermediate,senior", "5,4,3": "junior,intermediate,senior", "五级/初级工；四级/中级工": "junior,intermediate", "三级": "senior",
		"五级至三级": "junior,intermediate,senior", "1-3": "senior,technician,senior_technician", "高级工、技师": "senior,technician", "五级～一级": "junior,intermediate,senior,technician,senior_technician",
		"": "", "、": "", "九级": "", "五级至": "", "五级至三级至一级": "", "33": "",
	} {
		got, err := parseLevels(text)
		if got.String() != want || (err == nil) != (want != "") {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
}
