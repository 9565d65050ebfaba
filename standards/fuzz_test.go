package standards

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"bajigong/internal/fail"
)

// wantClear checks that a refusal is one of ours, in both languages, and that its
// texts do not contain the whole input.
func wantClear(t *testing.T, err error, secret string) {
	t.Helper()
	e := fail.Of(err)
	if e.Kind != fail.Invalid && e.Kind != fail.TooLarge || e.ZH == "" || e.Text == "" {
		t.Fatalf("%v", err)
	}
	if len(secret) >= 15 && strings.Contains(e.Text+e.ZH, secret) {
		t.Fatalf("the error shows the input: %s", e.Text)
	}
}

func FuzzParseLevel(f *testing.F) {
	for _, s := range []string{"三级/高级工", "高級工（三級）", "Ⅲ级", "level 3", "技师(二级)", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLevel(s)
		if err != nil {
			wantClear(t, err, "")
			return
		}
		if back, err := ParseLevel(l.Certificate()); !l.Valid() || err != nil || back != l {
			t.Fatalf("%q: %s", s, l)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2025-03-01", "2025.3.1", "2025年3月1日", "45717", "20250301", "2025/3/1 0:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err != nil {
			wantClear(t, err, "")
			return
		}
		back, err := ParseDate(string(d))
		if !d.Valid() || err != nil || back != d || DateOf(d.Time()) != d {
			t.Fatalf("%q: %q %v", s, d, err)
		}
		if zh, err := ParseDate(d.Chinese()); err != nil || zh != d {
			t.Fatalf("%q: %s", s, d.Chinese())
		}
	})
}

func FuzzParseLevelNumber(f *testing.F) {
	f.Add("S000032058300253000001")
	f.Add("S 0000 32 058300 25 T 000001")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseLevelNumber(s)
		if err != nil {
			wantClear(t, err, "")
			return
		}
		for _, form := range []string{n.Format(), n.Grouped()} {
			if back, err := ParseLevelNumber(form); err != nil || back != n {
				t.Fatalf("%q: %+v, %q", s, n, form)
			}
		}
		if len(n.Prefix()) != 13 || n.Validate() != nil {
			t.Fatalf("%q", s)
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"S000032058300253000001", "1210003010312345", "0001234567890123", "1234567890123", "RSN32058300125312345", "T11010519491231002X", "晋A012008000001", "11010519491231002X", "YT00012312345619500000", "3.2E+17", "苏-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		if err != nil {
			wantClear(t, err, strings.TrimSpace(s))
			return
		}
		back, err := ParseNumber(n.Text)
		if err != nil || back.Text != n.Text || back.Kind != n.Kind {
			t.Fatalf("%q: %q %s, again %q %s %v", s, n.Text, n.Kind, back.Text, back.Kind, err)
		}
		if n.Personal() && strings.Contains(n.String()+n.Grouped(), n.Text[len(n.Text)-12:]) {
			t.Fatalf("not masked: %s", n)
		}
	})
}

func FuzzParseDocument(f *testing.F) {
	for _, k := range DocumentKinds() {
		for _, s := range []string{"11010519491231002X", "810000199408230021", "932682198501010017", "USA310178010117", "H12345678", "3.2E+17", "110105194912310000"} {
			f.Add(string(k), s)
		}
	}
	f.Fuzz(func(t *testing.T, kind, number string) {
		d, err := ParseDocument(kind, number, today)
		if err != nil {
			wantClear(t, err, strings.TrimSpace(number))
			return
		}
		back, err := ParseDocument(d.Kind, d.Number, today)
		if err != nil || back != d {
			t.Fatalf("%q %q: %#v %v", kind, number, back, err)
		}
		if b, ok := d.Birth(); ok && (!b.Valid() || b > today) {
			t.Fatalf("born %s", b)
		}
		if len(d.Number) >= 4 && strings.Contains(d.String(), d.Number) {
			t.Fatal("not masked")
		}
	})
}

func FuzzParseUSCC(f *testing.F) {
	f.Add("91350100M000100Y43")
	f.Add("91350100m000100y4a")
	f.Fuzz(func(t *testing.T, s string) {
		c, w, err := ParseUSCC(s)
		if err != nil {
			wantClear(t, err, "")
			return
		}
		back, w2, err := ParseUSCC(c)
		if err != nil || back != c || !reflect.DeepEqual(w, w2) || len(c) != 18 {
			t.Fatalf("%q: %q %v", s, c, err)
		}
		if want, ok := USCCCheck(c[:17]); !ok || (want == c[17]) == (w != nil && strings.HasPrefix(w.Code, "uscc_check")) {
			t.Fatalf("%q: %v", c, w)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"张三", "阿卜杜拉 • 买买提", "𠮷", "Jose\u0301", "王\uE863", "王 ·"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n := NormaliseName(s); NormaliseName(n) != n {
			t.Fatalf("normalising again changes %q", n)
		}
		c, err := CleanName(s)
		if err != nil {
			wantClear(t, err, "")
			return
		}
		if back, err := CleanName(c); err != nil || back != c {
			t.Fatalf("%q: %q, again %q %v", s, c, back, err)
		}
		if NormaliseName(c) == "" {
			t.Fatalf("%q has no letters", c)
		}
	})
}

func FuzzReadOccupations(f *testing.F) {
	f.Add([]byte(head + "6-31-01-03,电工,6-31-01,维修,6-31,辅助,6,生产\n"))
	f.Add([]byte("name,code,minor_code,minor_name,middle_code,middle_name,major_code,major_name\n\"电 工\",6-31-01-03,6-31-01,维修,6-31,辅助,6,\"生,产\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ReadOccupations(bytes.NewReader(b))
		if err != nil {
			wantClear(t, err, "")
			return
		}
		var w bytes.Buffer
		if err := WriteOccupations(&w, list); err != nil {
			t.Fatal(err)
		}
		back, err := ReadOccupations(&w)
		if err != nil || !reflect.DeepEqual(back, list) {
			t.Fatalf("%q: %v", b, err)
		}
		if _, err := NewCatalogue(list, nil); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzReadCalendar(f *testing.F) {
	f.Add([]byte("date,kind,name\n2025-01-01,holiday,元旦\n2025-05-01,holiday,劳动节\n2025-10-01,holiday,国庆节\n2025-01-26,workday,春节\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadCalendar(bytes.NewReader(b))
		if err != nil {
			wantClear(t, err, "")
			return
		}
		var w, w2 bytes.Buffer
		if err := c.WriteCSV(&w); err != nil {
			t.Fatal(err)
		}
		text := w.String()
		back, err := ReadCalendar(&w)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if err := back.WriteCSV(&w2); err != nil || w2.String() != text {
			t.Fatalf("%q", b)
		}
		d, _ := c.AddWorkingDays("2025-01-01", 10)
		if n, _ := c.WorkingDaysBetween("2025-01-01", d); n != 10 {
			t.Fatalf("%s %d", d, n)
		}
	})
}
