package web

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry"
)

const mediaCSV = "text/csv"

// listBody is a list with what stands around it in a form; percent-encoding
// makes three bytes of one.
const listBody = registry.ListMaxBytes + 256<<10

func listRoutes() []route {
	page := []parameter{language}
	return append(keyedRoutes("verdict", []route{
		{Method: "POST", Path: "/api/v1/lists/check", Body: listBody, Time: 60 * time.Second, Takes: []string{fiber.MIMEApplicationJSON, mediaCSV, typeXLSX, fiber.MIMEMultipartForm},
			Summary:     "Check a list of certificates: codes, or numbers and names",
			Description: "rows as JSON, or a CSV file or workbook with the columns 姓名 and 证书编号, or 二维码. One answer a row and in its order, as JSON, CSV or a workbook by Accept. A name that does not fit answers like a number that is not there. Every list counts against the account's day; nothing of it is stored.",
			Answers:     []answer{{200, fiber.MIMEApplicationJSON, "the answers"}, {200, mediaCSV, "the list with the answers beside it"}, {200, typeXLSX, "the same as a workbook"}, {429, "", "lists_spent: the account's day is used up"}},
			endpoint:    rawOf[listReport]((*Server).checkList)},
	}), []route{
		{Method: "GET", Path: "/lists", Tag: "pages", Access: signed, Query: page, Answers: pageHTML, Summary: "Form to check a list of certificates", endpoint: raw((*Server).listsPage)},
		{Method: "POST", Path: "/lists", Tag: "pages", Access: signed, Query: page, Body: listBody, Time: 60 * time.Second, Takes: []string{fiber.MIMEMultipartForm},
			Summary: "Check a pasted list or a file; answered as a page, CSV or workbook", Answers: append(slices.Clone(pageHTML), answer{200, mediaCSV, "as a file"}, answer{200, typeXLSX, "as a workbook"}),
			endpoint: raw((*Server).listsPost)},
	}...)
}

// listRequest is a list as JSON.
type listRequest struct {
	Rows []registry.ListRow `json:"rows"`
}

// listReport are the answers with words for people.
type listReport struct {
	registry.ListReport
	Answers []listAnswer `json:"answers"`
}

// listAnswer is the answer to one row.
type listAnswer struct {
	registry.ListAnswer
	Band credentials.Band `json:"band"`
	Text words            `json:"text"`
	Next words            `json:"next"`
}

// listWords says what the answer to a row means and what to do next. Of a row
// that was not found it does not say which of its facts is wrong.
func listWords(a registry.ListAnswer) (say, next words) {
	if a.Problem != nil {
		return words{"本行无法识别：" + a.Problem.ZH, "This row cannot be read: " + a.Problem.EN}, words{"请更正本行后重新核验", "Correct the row and check it again"}
	}
	r := a.First()
	if r == credentials.ReasonUnknownCertificate {
		return words{"未查到相符的登记", "Nothing registered fits"}, words{"不等于假证。请核对姓名和编号，或请本人出示二维码；可拨打12333咨询", "That does not mean that it is false. Compare name and number, or ask for the code; or call 12333"}
	}
	args := credentials.Args{Since: a.Since}
	say, next = words{credentials.Sentence(r, credentials.ZH, args), credentials.Sentence(r, credentials.EN, args)}, words{credentials.Next(r, credentials.ZH), credentials.Next(r, credentials.EN)}
	for _, more := range a.Reasons[1:] {
		say.ZH += "；" + credentials.Sentence(more, credentials.ZH, credentials.Args{})
		say.EN += "; " + credentials.Sentence(more, credentials.EN, credentials.Args{})
	}
	if r == credentials.ReasonValid {
		next = words{"请核对证件原件确认本人", "Compare with the person’s own document"}
	}
	return say, next
}

func answeredList(r registry.ListReport) listReport {
	out := listReport{ListReport: r, Answers: make([]listAnswer, len(r.Answers))}
	out.ListReport.Answers = nil
	for i, a := range r.Answers {
		say, next := listWords(a)
		out.Answers[i] = listAnswer{a, a.Band(), say, next}
	}
	return out
}

// checkList checks a list that a system sent.
func (s *Server) checkList(c *call) error {
	c.fiber.Vary(fiber.HeaderAccept)
	format, err := listFormat(c)
	if err != nil {
		return err
	}
	if _, _, _, err := s.reg.ListLimits(c.ctx, c.by); err != nil {
		return err // before the list is read
	}
	release, err := slot(c, s.uploads)
	if err != nil {
		return err
	}
	defer release()
	file, err := c.listFile()
	if err != nil {
		return err
	}
	report, err := s.reg.CheckList(c.ctx, c.by, file.Rows)
	if err != nil {
		return err
	}
	if format != "" {
		return c.listTable(file, answeredList(report), format, credentials.ZH)
	}
	return c.json(answeredList(report))
}

// listFormat is the file that Accept asks for; empty for JSON.
func listFormat(c *call) (string, error) {
	accept := c.fiber.Get(fiber.HeaderAccept)
	best, format := weight(accept, "application", "json"), ""
	for _, media := range []string{mediaCSV, typeXLSX} {
		major, minor, _ := strings.Cut(media, "/")
		if q := weight(accept, major, minor); q > best {
			best, format = q, media
		}
	}
	if best == 0 {
		return "", refusal{fiber.StatusNotAcceptable, fail.New(fail.Invalid, "not_acceptable", "this address answers JSON, CSV and XLSX").In("该地址只提供 JSON、CSV 和 XLSX")}
	}
	return format, nil
}

// listFile reads a list from the body: JSON, or a file.
func (c *call) listFile() (registry.ListFile, error) {
	if c.mediaType() == fiber.MIMEApplicationJSON {
		var in listRequest
		if err := c.decode(&in); err != nil {
			return registry.ListFile{}, err
		}
		file := registry.ListFile{Header: []string{"证书编号", "姓名", "二维码"}, Rows: in.Rows}
		for i, row := range in.Rows {
			if row.Row < 0 || row.Row > 1<<20 {
				return file, fail.New(fail.Invalid, "list_row", "row numbers are 1 to 1048576").In("行号应为 1 至 1048576").
					At(fail.Field{Name: fmt.Sprintf("rows[%d].row", i), Code: "range", ZH: "应为 1 至 1048576", EN: "1 to 1048576"})
			}
			file.Cells = append(file.Cells, []string{row.Number, row.Name, row.QR})
		}
		return file, nil
	}
	r, err := c.file()
	if err != nil {
		return registry.ListFile{}, err
	}
	return registry.ReadList(r)
}

// listTable answers the list with the answers beside it.
func (c *call) listTable(file registry.ListFile, report listReport, format string, lang credentials.Lang) error {
	extra := []string{"结果", "原因", "处理建议", "查验时间", "回执"}
	title := "名单核验结果"
	if lang == credentials.EN {
		extra, title = []string{"Result", "Reason", "What to do", "Checked at", "Receipt"}, "Checked list"
	}
	extra = append(extra, map[credentials.Lang][]string{credentials.ZH: {"职业", "等级", "发证日期", "行号", "重复"}, credentials.EN: {"Occupation", "Level", "Issued", "Row", "Repeats row"}}[lang]...)
	at := report.CheckedAt
	t := sheet.Table{Name: title, Header: append(slices.Clone(file.Header), extra...), Rows: func(yield func([]string) bool) {
		for i, a := range report.Answers {
			row := make([]string, len(file.Header), len(file.Header)+len(extra))
			copy(row, file.Cells[i])
			row = append(row, bandWord(a.Band).in(lang), a.Text.in(lang), a.Next.in(lang), page{}.Civil(at), a.Receipt)
			var occupation, level, issued, repeats string
			if f := a.Certificate; f != nil {
				occupation, issued = f.Occupation, f.Issued
				level = words{f.LevelZH, f.LevelEN}.in(lang)
			}
			if a.DuplicateOf > 0 {
				repeats = fmt.Sprint(a.DuplicateOf)
			}
			if !yield(append(row, occupation, level, issued, fmt.Sprint(a.Row), repeats)) {
				return
			}
		}
	}}
	var out bytes.Buffer
	name, write := "list.csv", sheet.WriteCSV
	if format == typeXLSX {
		name, write = "list.xlsx", func(w io.Writer, t sheet.Table) error { return sheet.WriteXLSX(w, t) }
	}
	if err := write(&out, t); err != nil {
		return err
	}
	contentType := format
	if format == mediaCSV {
		contentType += "; charset=utf-8"
	}
	c.fiber.Set(fiber.HeaderContentType, contentType)
	c.fiber.Set(fiber.HeaderContentDisposition, fmt.Sprintf("attachment; filename=%q", name))
	return c.fiber.Status(c.status).Send(out.Bytes())
}

// bandWord is a result in one word.
func bandWord(b credentials.Band) words {
	switch b {
	case credentials.Good:
		return words{"有效", "valid"}
	case credentials.Bad:
		return words{"不可采信", "not to be relied on"}
	case credentials.Caution:
		return words{"须留意", "caution"}
	}
	return words{"未证实", "not proven"}
}

// listsPage has the form for a list, and its answers.
type listsPage struct {
	page
	Proof               string
	Account             string
	RowsMost            int
	LeftLists, LeftRows int
	Pasted              string
	Report              *listReport
	File                registry.ListFile
}

// Word is the result of a row in one word.
func (p listsPage) Word(b credentials.Band) string { return bandWord(b).in(p.Lang) }

// Words is a text in the language of the page.
func (p listsPage) Words(w words) string { return w.in(p.Lang) }

// LevelIn is the level of a certificate in the language of the page.
func (p listsPage) LevelIn(f registry.ListFace) string { return p.T(f.LevelZH, f.LevelEN) }

// Row is a row as it was given, without what a QR code says: a number of hundreds
// of digits tells nobody anything.
func (p listsPage) Row(i int) registry.ListRow {
	row := p.File.Rows[i]
	if row.Number = strings.TrimSpace(row.Number + row.QR); len(row.QR) > 24 {
		row.Number = p.T("二维码", "QR code")
	}
	return row
}

// Look is how many rows there is something to look at: bad ones and repeated ones.
func (p listsPage) Look() (n int) {
	for _, a := range p.Report.Answers {
		if !a.Fine() {
			n++
		}
	}
	return n
}

// Fine reports a row with nothing to look at.
func (a listAnswer) Fine() bool { return a.Band == credentials.Good && a.DuplicateOf == 0 }

func (s *Server) listsFor(c *call) (listsPage, error) {
	p := listsPage{page: s.pages.page(c.fiber, ""), Proof: c.proof()}
	p.Title, p.NoIndex = p.T("批量核验证书", "Check a list of certificates"), true
	l, lists, rows, err := s.reg.ListLimits(c.ctx, c.by)
	if err != nil {
		return p, err
	}
	p.RowsMost, p.LeftLists, p.LeftRows, p.Account = l.Rows, lists, rows, c.by.Organisation
	return p, nil
}

func (s *Server) listsPage(c *call) error {
	p, err := s.listsFor(c)
	if err != nil {
		return err
	}
	return s.pages.send(c, "lists", p)
}

// listsPost checks the list of the form, each time anew: nothing of it is kept,
// so that the page and the files are answers of their own and count as such.
func (s *Server) listsPost(c *call) error {
	p, err := s.listsFor(c)
	if err != nil {
		return err
	}
	release, err := slot(c, s.uploads)
	if err != nil {
		return err
	}
	defer release()
	form, err := c.listForm()
	if err == nil || form.proof != "" {
		if err := s.mustProve(c, form.proof); err != nil {
			return err
		}
	}
	p.Pasted = form.pasted
	var report registry.ListReport
	if err == nil {
		report, err = s.reg.CheckList(c.ctx, c.by, form.file.Rows)
	}
	switch kind := fail.KindOf(err); kind {
	case "":
	case fail.Invalid, fail.TooLarge, fail.RateLimited:
		p.problems(err, "pasted", map[string]string{"证书编号": "file", "姓名": "file"})
		c.status = statuses[kind].status
		return s.pages.send(c, "lists", p)
	default:
		return err
	}
	answers := answeredList(report)
	if form.as != "" {
		return c.listTable(form.file, answers, form.as, p.Lang)
	}
	p.Report, p.File, p.LeftLists, p.LeftRows = &answers, form.file, report.LeftLists, report.LeftRows
	return s.pages.send(c, "lists", p)
}

// listForm is what the form of a list says.
type listForm struct {
	proof, pasted string
	as            string // a file's media type; a page when empty
	file          registry.ListFile
}

// listForm reads the form: the proof stands first in it.
func (c *call) listForm() (out listForm, err error) {
	if c.mediaType() != fiber.MIMEMultipartForm {
		return out, refusal{fiber.StatusUnsupportedMediaType, fail.New(fail.Invalid, "content_type", "send a form").In("请以表单方式提交")}
	}
	b, err := openBody(c.fiber, c.route.bodyLimit())
	if err != nil {
		return out, err
	}
	parts, err := c.multipart(b)
	if err != nil {
		return out, err
	}
	var fileErr error
	read := false
	for range formParts {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return out, formError(err)
		}
		if part.FormName() == "file" {
			if part.FileName() != "" {
				out.file, fileErr = registry.ReadList(part)
				read = true
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(part, registry.ListMaxBytes+1))
		if err != nil {
			return out, formError(err)
		}
		if !plain(string(text)) {
			return out, formMalformed()
		}
		switch part.FormName() {
		case "proof":
			out.proof = string(text)
		case "pasted":
			out.pasted = string(text)
		case "as":
			out.as = map[string]string{"csv": mediaCSV, "xlsx": typeXLSX}[string(text)]
		}
	}
	switch {
	case fileErr != nil:
		return out, formError(fileErr)
	case read && strings.TrimSpace(out.pasted) != "":
		return out, fail.New(fail.Invalid, "list_twice", "there is a pasted list and a file; give one of them").In("既粘贴了名单又选择了文件，请只保留一种")
	case !read:
		out.file = registry.ParseList(out.pasted)
	}
	return out, nil
}
