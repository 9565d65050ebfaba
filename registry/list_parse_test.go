package registry_test

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/registry"
)

func TestParseList(t *testing.T) {
	const number, handle = "S000032058300253000001", "7k3m9qh2c4x5t"
	for in, want := range map[string]registry.ListRow{
		number + "\t张三":                        {Number: number, Name: "张三"},
		"张三\t" + number:                        {Number: number, Name: "张三"},
		"张三，" + number:                         {Number: number, Name: "张三"},
		"张三 " + number:                         {Number: number, Name: "张三"},
		"S 0000 32 058300 25 3 000001 张三":      {Number: "S 0000 32 058300 25 3 000001", Name: "张三"},
		"John Smith " + number:                 {Number: number, Name: "John Smith"},
		"阿卜杜热合曼·买买提 " + number:                 {Number: number, Name: "阿卜杜热合曼·买买提"},
		"1,张三,钳工车间," + number + ",13800000000": {Number: number, Name: "张三"},
		handle:               {QR: handle},
		"7k3m9-qh2c-4x5t 张三": {QR: "7k3m9-qh2c-4x5t", Name: "张三"},
		"https://zs.example.cn/c/" + handle + "#1234": {QR: "https://zs.example.cn/c/" + handle + "#1234"},
		"https://zs.example.cn/c/" + handle + ", 张三":  {QR: "https://zs.example.cn/c/" + handle, Name: "张三"},
		"1234567890123 张三":                            {Number: "1234567890123", Name: "张三"}, // 13 digits are a number
		"S00003205830X253000001,张三":                   {Number: "S00003205830X253000001", Name: "张三"},
		number:                                        {Number: number},
		"张三":                                          {Number: "张三"},
		",,,":                                         {Number: ",,,"},
	} {
		got := registry.ParseList("\n" + in + "\n")
		want.Row = 2
		if len(got.Rows) != 1 || got.Rows[0] != want {
			t.Errorf("%q: %+v, want %+v", in, got.Rows, want)
		}
	}
	got := registry.ParseList("姓名\t证书编号\r\n张三\t" + number + "\r\n\r\n李四\t" + number)
	if len(got.Rows) != 2 || got.Rows[0].Row != 2 || got.Rows[1].Row != 4 || got.Cells[1][0] != "李四\t"+number {
		t.Errorf("with a header: %+v", got)
	}
}

func TestReadList(t *testing.T) {
	const number = "S000032058300253000001"
	got, err := registry.ReadList(strings.NewReader("工号,姓名,部门,证书编号\n007,张三,车间," + number + "\n,,,\n008,李四,,\n"))
	if err != nil || len(got.Rows) != 2 || got.Rows[0] != (registry.ListRow{Row: 2, Number: number, Name: "张三"}) || got.Rows[1].Row != 4 ||
		strings.Join(got.Header, " ") != "工号 姓名 部门 证书编号" || got.Cells[0][2] != "车间" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err = registry.ReadList(strings.NewReader("查验码\n7k3m9qh2c4x5t\n")); err != nil || got.Rows[0].QR != "7k3m9qh2c4x5t" {
		t.Errorf("%+v, %v", got, err)
	}
	for in, code := range map[string]string{"姓名,部门\n张三,车间\n": "list_header", "姓名,证书编号,证书号\na,b,c\n": "sheet_header", "": "sheet_empty", "部门\n车间\n": "list_header"} {
		if _, err := registry.ReadList(strings.NewReader(in)); fail.CodeOf(err) != code {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// Whatever is pasted is read in order, a row a line, and nothing of it is lost.
func FuzzParseList(f *testing.F) {
	for _, s := range []string{"S000032058300253000001 张三", "姓名\t证书编号\n", "7k3m9-qh2c-4x5t", "https://a.cn/c/7k3m9qh2c4x5t#12, 张", "\x00,\xff\r\r\n|", "a b c d e f g h 1 2 3 4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, last := registry.ParseList(s), 0
		if len(got.Rows) != len(got.Cells) {
			t.Fatal("rows and cells differ")
		}
		for i, r := range got.Rows {
			if r.Row <= last || r.QR != "" && r.Number != "" || r.QR+r.Number == "" {
				t.Errorf("%q: row %d: %+v", s, i, r)
			}
			last = r.Row
		}
	})
}
