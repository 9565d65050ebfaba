package sheet

import (
	"strings"
	"testing"
)

// A file without a header has its first person there: nothing of that row may come
// back in an error, which is answered, shown and kept (PIPL art. 6, the least that
// the purpose needs).
func TestAFirstRowOfDataIsNotQuoted(t *testing.T) {
	columns := []Column{{Name: "姓名", Required: true}, {Name: "证件号码", Required: true}, {Name: "备注"}}
	for name, row := range map[string]string{
		"identity number": "欧阳某某,110101199003070038,电工", "full width": "欧阳某某,１１０１０１１９９００３０７００３８,电工",
		"spaced": "欧阳某某,110101 19900307 0038,电工", "15 digits": "欧阳某某,110101900307003,电工", "with hyphens": "欧阳某某,1101-0119-9003-0700-38,电工",
		"special operation": "欧阳某某,T110101199003070038,电工", "telephone": "欧阳某某,13800000000,电工", "long text": "欧阳某某," + strings.Repeat("住所", 20) + ",电工",
	} {
		_, err := read(t, row+"\n张三,1,\n").Select(columns)
		e := wantCode(t, err, "sheet_header")
		all := e.ZH + e.Text
		for _, f := range e.Fields {
			all += f.Name + f.ZH + f.EN
		}
		for _, cell := range strings.Split(row, ",") {
			if strings.Contains(all, cell) || strings.Contains(all, shorten(cell)) {
				t.Errorf("%s: the error repeats %q: %s", name, cell, all)
			}
		}
		if e.Fields[0].Name != "A" || e.Fields[0].Row != 1 || e.Fields[0].Code != "header_unknown" || !strings.Contains(e.ZH, "首行") || !strings.Contains(e.Text, "first row") {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, h := range []string{"工资", "2026年成绩", "column 12", "GB/T 2260"} {
		_, err := read(t, "姓名,证件号码,"+h+"\n张三,1,2\n").Select(columns)
		if e := wantCode(t, err, "sheet_header"); !strings.Contains(e.ZH, h) || e.Fields[0].Name != h {
			t.Errorf("%q is not named: %+v", h, e)
		}
	}
}
