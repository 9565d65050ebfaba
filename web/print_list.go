package web

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials/paper"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// printJobPDF is a part of the document of a print job.
func (s *Server) printJobPDF(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	o, err := s.printOptions(c)
	if err != nil {
		return err
	}
	cursor, err := c.query("cursor")
	if err != nil {
		return err
	}
	fonts, warned, err := s.fonts()
	if err != nil {
		return err
	}
	part, err := s.reg.PapersOfJob(c.ctx, c.by, id, cursor, o.purpose)
	if err != nil {
		return err
	}
	if part.Next != "" {
		q := c.fiber.Context().QueryArgs()
		q.Set("cursor", part.Next)
		c.fiber.Set(fiber.HeaderLink, fmt.Sprintf(`<%s?%s>; rel="next"`, c.fiber.Path(), q.QueryString()))
	}
	c.fiber.Set("Paper-Skipped", strconv.Itoa(len(part.Skipped)))
	if len(part.Papers) == 0 {
		return fail.New(fail.Conflict, "nothing_assigned", "no certificate of this part can be printed: nothing is assigned yet, or what was assigned does not hold any more").
			In("本分册没有可打印的证书：尚未分配，或分配后证书已更正、撤销，或空白证书已作废")
	}
	return s.sendPDF(c, fonts, warned, part.Papers, o, "print-job.pdf")
}

// listPDF prints a list of a session; admission tickets are slips with photos.
func (s *Server) listPDF(c *call, session string, kind registry.ListKind) error {
	fonts, _, err := s.fonts()
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	var out bytes.Buffer
	if kind == registry.TicketList {
		err = s.tickets(c, &out, fonts, session)
	} else {
		var l registry.List
		if l, err = s.reg.ListOf(c.ctx, c.by, session, kind); err == nil {
			err = paper.WriteList(&out, fonts, listOnPaper(l))
		}
	}
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentType, mediaPDF)
	c.fiber.Set(fiber.HeaderContentDisposition, fmt.Sprintf(`inline; filename="%s-%s.pdf"`, kind, url.PathEscape(session)))
	return c.fiber.Send(out.Bytes())
}

func (s *Server) tickets(c *call, out *bytes.Buffer, fonts paper.Fonts, session string) error {
	text, err := c.query("part")
	if err != nil {
		return err
	}
	part := 1
	if text != "" {
		if part, err = strconv.Atoi(text); err != nil {
			return badParameter("part", "part 应为整数", "part is a number")
		}
	}
	people, facts, more, err := s.reg.TicketsOf(c.ctx, c.by, session, part)
	if err != nil {
		return err
	}
	if more {
		q := c.fiber.Context().QueryArgs()
		q.Set("part", strconv.Itoa(part+1))
		c.fiber.Set(fiber.HeaderLink, fmt.Sprintf(`<%s?%s>; rel="next"`, c.fiber.Path(), q.QueryString()))
	}
	slips := make([]paper.Ticket, len(people))
	for i, p := range people {
		slips[i] = paper.Ticket{Row: (part-1)*registry.TicketsMost + i + 1, Title: "职业技能等级认定准考证", Photo: p.Photo,
			Notes: "凭本准考证和证件原件入场。" + facts.Institution}
		for _, line := range [][2]string{{"姓名", p.Name}, {"证件号码", p.Document}, {"准考证号", p.Number}, {"职业（工种）", facts.Occupation + " " + facts.Trade},
			{"等级", facts.Level}, {"考试日期", facts.ExamDate.Chinese()}, {"考点", facts.Site}, {"考场座位", strings.TrimSpace(p.Room + " " + seat(p.Seat))}} {
			if line[1] != "" {
				slips[i].Lines = append(slips[i].Lines, paper.TicketLine{Label: line[0], Value: line[1]})
			}
		}
	}
	return paper.WriteTickets(out, fonts, slips)
}

func seat(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + "号"
}

// signedColumns are the columns in which people write by hand, mm.
var signedColumns = map[string]float64{"签到": 28, "备注": 18, "领取人签名": 27, "领取日期": 24, "代领人证件号码": 32}

// listOnPaper lays a list out: a column is as wide as its longest cell wants, and
// what people fill in by hand has room for it.
func listOnPaper(l registry.List) paper.List {
	out := paper.List{Title: l.Title, Subtitle: l.Session.Line(), Rows: l.Rows, Footer: []string{l.Note, "制表人：　　　　　　　审核人：　　　　　　　日期："}, Landscape: len(l.Header) > 8}
	for i, name := range l.Header {
		wide := textWidth(name)
		for _, row := range l.Rows {
			wide = max(wide, textWidth(row[i]))
		}
		align := paper.Left
		if name == "序号" || name == "座位" || strings.HasSuffix(name, "成绩") {
			align = paper.Centre
		}
		if name == "姓名" {
			wide = min(wide, 32) // the few that are longer take two lines
		}
		out.Columns = append(out.Columns, paper.Column{Name: name, Width: max(min(wide, 70), signedColumns[name]), Align: align})
		if signedColumns[name] > 0 {
			out.RowHeight = 10
		}
	}
	return out
}

// textWidth is about how wide a text is on paper, mm.
func textWidth(s string) float64 {
	width := 4.0
	for _, r := range s {
		if r < utf8.RuneSelf {
			width += 2.2
		} else {
			width += 3.6
		}
	}
	return width
}
