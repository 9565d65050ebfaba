package paper

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"bajigong/internal/fail"
)

func roster(n int) List {
	l := List{Title: "职业技能等级认定签到表", Subtitle: "2026年第1批电工 三级/高级工 · 昆山市某某职业技能评价中心 · 2026-03-20", Columns: []Column{{"序号", 12, Centre}, {"姓名", 30, Left}, {"证件号码", 46, Left}, {"工作单位", 50, Left}, {"签名", 35, Left}},
		Footer: []string{"监考人员：　　　　　　　　　　考评员：　　　　　　　　　　日期：　　　年　　月　　日"}, RowHeight: 9}
	for i := range n {
		name, unit := "欧阳𬭎𠮷", "其他"
		if i%7 == 3 {
			name, unit = "阿卜杜热合曼·买买提艾力·阿卜杜热合曼", "江南某市高新技术产业开发区装备制造股份有限公司第三分公司动力车间"
		}
		l.Rows = append(l.Rows, []string{fmt.Sprint(i + 1), name, "3*****************X", unit, ""})
	}
	return l
}

func TestListRepeatsItsHeadingAndCountsItsPages(t *testing.T) {
	for _, landscape := range []bool{false, true} {
		l := roster(70)
		l.Landscape = landscape
		var b bytes.Buffer
		must(t, WriteList(&b, chinese(t), l))
		path := save(t, fmt.Sprintf("list-%t.pdf", landscape), b.Bytes())
		text := run(t, "pdftotext", "-raw", path, "-")
		pages := strings.Count(text, "\f")
		if pages < 3 || strings.Count(text, "序号 姓名 证件号码 工作单位 签名") != pages || !strings.Contains(text, fmt.Sprintf("第 %d 页/共 %d 页", pages, pages)) || strings.Count(text, "监考人员") != 1 {
			t.Errorf("%d pages:\n%s", pages, text)
		}
		for i := range 70 {
			if !regexp.MustCompile(fmt.Sprintf(`(?m)^%d\b`, i+1)).MatchString(text) {
				t.Errorf("row %d is missing", i+1)
			}
		}
		if info := run(t, "pdfinfo", path); strings.Contains(info, "841.89 x 595.28") != landscape {
			t.Errorf("landscape %t:\n%s", landscape, info)
		}
	}
}

func TestListRefusals(t *testing.T) {
	long := roster(3)
	long.Rows[2][1] = strings.Repeat("W", 200)
	rare := roster(3)
	rare.Rows[1][1] = "王\U000323AF"
	short := roster(2)
	short.Rows[1] = short.Rows[1][:3]
	for name, c := range map[string]struct {
		l    List
		code string
		row  int
	}{
		"no columns":    {List{Title: "一"}, "bad_list", 0},
		"a short row":   {short, "bad_list", 0},
		"a rare letter": {rare, "glyph_missing", 2},
	} {
		var b bytes.Buffer
		err := WriteList(&b, chinese(t), c.l)
		if fail.CodeOf(err) != c.code || c.row > 0 && (len(fail.Of(err).Fields) == 0 || fail.Of(err).Fields[0].Row != c.row) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var b bytes.Buffer
	must(t, WriteList(&b, chinese(t), long)) // a word wider than its column is broken
	empty := roster(0)
	b.Reset()
	must(t, WriteList(&b, chinese(t), empty))
}

func TestTickets(t *testing.T) {
	var all []Ticket
	for i := range 6 {
		one := Ticket{Row: i + 1, Title: "职业技能等级认定准考证", Notes: "1. 凭本证和有效身份证件参加考试。2. 考前 30 分钟到场。3. 手机等通信工具不得带入考场。",
			Lines: []TicketLine{{"姓名", "欧阳𬭎𠮷"}, {"准考证号", fmt.Sprintf("2026032000%02d", i)}, {"证件号码", "3*****************X"}, {"职业（工种）", "电工"}, {"等级", "三级/高级工"},
				{"考试时间", "2026年3月20日 9:00—10:30"}, {"考点", "昆山市某某职业技能评价中心实训楼"}, {"考场座位", "第 1 考场 12 号"}}}
		if i%2 == 0 {
			one.Photo = photo(t)
		}
		all = append(all, one)
	}
	var b bytes.Buffer
	must(t, WriteTickets(&b, chinese(t), all))
	path := save(t, "tickets.pdf", b.Bytes())
	text := run(t, "pdftotext", "-raw", path, "-")
	if strings.Count(text, "\f") != 2 || strings.Count(text, "欧阳𬭎𠮷") != 6 || !strings.Contains(text, "202603200005") {
		t.Errorf("%s", text)
	}
	for name, c := range map[string]struct {
		change func(*Ticket)
		code   string
	}{
		"too many lines": {func(o *Ticket) { o.Lines = make([]TicketLine, 9) }, "bad_ticket"},
		"a long value":   {func(o *Ticket) { o.Lines = []TicketLine{{"考点", strings.Repeat("某", 200)}} }, "does_not_fit"},
		"a rare letter":  {func(o *Ticket) { o.Lines = []TicketLine{{"姓名", "王\U000323AF"}} }, "glyph_missing"},
		"no photo":       {func(o *Ticket) { o.Photo = []byte("GIF89a") }, "photo_form"},
	} {
		one := all[0]
		c.change(&one)
		b.Reset()
		if err := WriteTickets(&b, chinese(t), []Ticket{one}); fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
