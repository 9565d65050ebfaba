package web

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials/paper"
	"bajigong/registry"
)

// listColumns are the columns of the lists as they are printed, by their names in
// the header: the width in mm before all are stretched to the page, and where the
// text stands. What people write by hand is wide.
var listColumns = map[string]struct {
	width float64
	align paper.Align
}{
	"序号": {11, paper.Right}, "准考证号": {42, paper.Left}, "考场": {16, paper.Centre}, "座位": {11, paper.Right}, "姓名": {24, paper.Left}, "证件类型": {26, paper.Left},
	"证件号码": {42, paper.Left}, "签到": {32, paper.Left}, "备注": {24, paper.Left}, "理论成绩": {17, paper.Right}, "技能成绩": {17, paper.Right}, "综合评审成绩": {24, paper.Right},
	"证书编号": {70, paper.Left}, "印制流水码": {32, paper.Left}, "领取人签名": {30, paper.Left}, "领取日期": {25, paper.Left}, "代领人证件号码": {38, paper.Left},
}

// listFooters are what is signed under a list.
var listFooters = map[registry.ListKind]string{
	registry.SignInList:  "监考人员签名：                              日期：",
	registry.PassedList:  "制表人：                    审核人：                    评价机构（盖章）：                    日期：",
	registry.HandoutList: "发放人签名：                              日期：",
}

// listPDF answers a list as it is printed: tickets with photos, part by part, and
// the others as tables on A4. The fonts are opened first, so that what cannot be
// printed does not stand in the log as made.
func (s *Server) listPDF(c *call, session string, kind registry.ListKind) error {
	fonts, _, err := s.fonts()
	if err != nil {
		return err
	}
	if kind == registry.TicketList {
		return s.ticketsPDF(c, fonts, session)
	}
	l, err := s.reg.ListOf(c.ctx, c.by, session, kind)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := paper.WriteList(&out, fonts, listSheet(l)); err != nil {
		return err
	}
	return c.sendList(out.Bytes(), l.Kind, l.Session.ID)
}

// listSheet is a list as it is printed.
func listSheet(l registry.List) paper.List {
	f := l.Session
	out := paper.List{Title: l.Title, Rows: l.Rows, RowHeight: 9, Landscape: l.Kind != registry.SignInList,
		Subtitle: fmt.Sprintf("%s　%s　%s %s %s　考试日期 %s　共 %d 人　%s", f.Institution, f.Name, f.Occupation, f.Trade, f.Level, f.ExamDate.Chinese(), len(l.Rows), l.Note)}
	for _, name := range l.Header {
		as, ok := listColumns[name]
		if !ok {
			as.width = 30
		}
		out.Columns = append(out.Columns, paper.Column{Name: name, Width: as.width, Align: as.align})
	}
	if footer := listFooters[l.Kind]; footer != "" {
		out.Footer = []string{footer}
	}
	return out
}

func (s *Server) ticketsPDF(c *call, fonts paper.Fonts, session string) error {
	part, err := c.part()
	if err != nil {
		return err
	}
	found, facts, more, err := s.reg.TicketsOf(c.ctx, c.by, session, part)
	if err != nil {
		return err
	}
	tickets := make([]paper.Ticket, len(found))
	for i, t := range found {
		tickets[i] = ticketSlip((part-1)*registry.TicketsMost+i+1, t, facts)
	}
	var out bytes.Buffer
	if err := paper.WriteTickets(&out, fonts, tickets); err != nil {
		return err
	}
	c.linkPart(part, more)
	return c.sendList(out.Bytes(), registry.TicketList, facts.ID)
}

// ticketSlip is one admission ticket as it is printed.
func ticketSlip(row int, t registry.Ticket, f registry.ListFacts) paper.Ticket {
	place := []string{}
	if t.Room != "" {
		place = append(place, t.Room+" 考场")
	}
	if t.Seat > 0 {
		place = append(place, strconv.Itoa(t.Seat)+" 号")
	}
	occupation := f.Occupation
	if f.Trade != "" && f.Trade != "--" {
		occupation += "（" + f.Trade + "）"
	}
	lines := []paper.TicketLine{{Label: "姓名", Value: t.Name}, {Label: "准考证号", Value: t.Number}, {Label: "证件号码", Value: t.Document},
		{Label: "职业（工种）", Value: occupation}, {Label: "等级", Value: f.Level}, {Label: "考试日期", Value: f.ExamDate.Chinese()}, {Label: "考场座位", Value: strings.Join(place, " ")}, {Label: "评价机构", Value: f.Institution}}
	lines = slices.DeleteFunc(lines, func(l paper.TicketLine) bool { return l.Value == "" })
	return paper.Ticket{Row: row, Title: "职业技能等级认定准考证", Lines: lines, Photo: t.Photo,
		Notes: f.Name + "。请携带本准考证和证件原件，按考试日期和考场入场；证件号码已脱敏，入场时核对证件原件。"}
}

func (c *call) sendList(pdf []byte, kind registry.ListKind, session string) error {
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	c.fiber.Set(fiber.HeaderContentType, mediaPDF)
	c.fiber.Set(fiber.HeaderContentDisposition, fmt.Sprintf(`inline; filename="%s-%s.pdf"`, kind, session))
	return c.fiber.Status(c.status).Send(pdf)
}

// part is the part of what is printed in parts: 1 when absent.
func (c *call) part() (int, error) {
	text, err := c.query("part")
	if err != nil || text == "" {
		return 1, err
	}
	part, err := strconv.Atoi(text)
	if err != nil {
		return 0, badParameter("part", "part 应为整数", "part is a number")
	}
	return part, nil
}

// linkPart points to the part that follows.
func (c *call) linkPart(part int, more bool) {
	if !more {
		return
	}
	q := c.fiber.Context().QueryArgs()
	q.Set("part", strconv.Itoa(part+1))
	c.fiber.Set(fiber.HeaderLink, fmt.Sprintf(`<%s?%s>; rel="next"`, c.fiber.Path(), q.QueryString()))
}
