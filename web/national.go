package web

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// nationalRoutes are the reports to the national query 全国联网查询上报.
func nationalRoutes() []route {
	institution := parameter{Name: "institution", Description: "id; the caller's own when absent"}
	format := parameter{Name: "format", Description: "form of the file; xlsx when absent", Enum: []string{"xlsx", "csv"}}
	file := []answer{{200, typeXLSX, "the file"}, {200, "text/csv", "with format=csv: UTF-8 with a byte order mark"}}
	return keyedRoutes("uploads", []route{
		{Method: "POST", Path: "/api/v1/uploads", Success: 201, Idempotent: withKey, Time: time.Minute, Summary: "Make a report to the national query: at most 500 rows",
			Description: "Of a session: its next certificates that no report has; repeat it until 409 nothing_to_report. Of an institution, the caller's own when none is named: what waits under a data type (new when absent: returned rows).",
			endpoint:    api((*Server).makeUpload)},
		{Method: "GET", Path: "/api/v1/uploads", Query: append([]parameter{institution}, paging...), Summary: "Reports of an institution, the newest first", endpoint: api((*Server).nationalUploads)},
		{Method: "GET", Path: "/api/v1/uploads/unreported", Query: append([]parameter{{Name: "institution", Description: "id; an institution's own, or the whole region of an authority, when absent"}}, paging...),
			Summary: "Published batches not all of which was sent, the oldest first, with the days by which they are late", endpoint: api((*Server).unreportedBatches)},
		{Method: "GET", Path: "/api/v1/uploads/waiting", Query: append([]parameter{institution}, paging...),
			Summary: "Certificates that wait for a further report: returned, left out, or changed since", endpoint: api((*Server).waitingForReport)},
		{Method: "GET", Path: "/api/v1/uploads/{id}", Summary: "One report", endpoint: api((*Server).nationalUpload)},
		{Method: "GET", Path: "/api/v1/uploads/{id}/rows", Summary: "Its rows by certificate number; why rows were returned only for who may report", endpoint: api((*Server).nationalRows)},
		{Method: "GET", Path: "/api/v1/uploads/{id}/file", Query: []parameter{format}, Time: time.Minute, Summary: "The file of eleven columns, with names and whole document numbers",
			Description: "For the national exchange alone. Every call is logged with the SHA-256 of the file; nothing may keep it.", Answers: file, endpoint: raw((*Server).nationalFile)},
		{Method: "GET", Path: "/api/v1/uploads/{id}/summary", Query: []parameter{format}, Summary: "Its summary 汇总表 by occupation, trade and level", Answers: file, endpoint: raw((*Server).nationalSummary)},
		{Method: "POST", Path: "/api/v1/uploads/{id}/sent", Summary: "Record that the file was sent 报送", endpoint: api((*Server).nationalSent)},
		{Method: "POST", Path: "/api/v1/uploads/{id}/withdrawal", Summary: "Take back a report that was not sent", endpoint: api((*Server).nationalWithdrawn)},
		{Method: "POST", Path: "/api/v1/uploads/{id}/receipt", Body: uploads.ReceiptMaxBytes + 64<<10, Time: time.Minute,
			Takes:       []string{fiber.MIMEApplicationJSON, "text/csv", typeXLSX, fiber.MIMEMultipartForm},
			Query:       []parameter{{Name: "reference", Description: "of the receipt, when a file is sent"}, {Name: "on", Description: "day of the receipt, when a file is sent; today when absent"}},
			Summary:     "Record the receipt 回执: all accepted, or the rows that were returned, as JSON or as the file that came back",
			Description: "JSON: {\"reference\": …, \"all\": true} or {\"reference\": …, \"rows\": [{\"number\": …, \"reason\": …}]}. A file has the columns 序号 or 证书编号, and 退回原因; rows whose 处理结果 is 接收 are passed over.",
			endpoint:    rawOf[registry.NationalUpload]((*Server).nationalReceipt)},
		{Method: "POST", Path: "/api/v1/uploads/{id}/queryable", Summary: "Record from which day the national query finds its certificates, with evidence",
			Description: "By the authority; by the institution where the rules of the region let it.", endpoint: api((*Server).nationalQueryable)},
	})
}

func (s *Server) makeUpload(c *call, in registry.NewNationalUpload) (registry.NationalUpload, error) {
	if in.Session == "" && in.Institution == "" {
		in.Institution = c.by.Organisation
	}
	return s.reg.MakeNationalUpload(c.ctx, c.by, in)
}

// institutionAsked is the institution of a list; the caller's own when none is
// named.
func (c *call) institutionAsked() (string, error) {
	id, err := c.query("institution")
	if err != nil {
		return "", err
	}
	if id == "" {
		id = c.by.Organisation
	}
	if len(id) > 128 {
		return "", badQuery("institution", "请填写机构标识", "the id of an institution")
	}
	return id, nil
}

func (s *Server) nationalUploads(c *call, _ none) (list[registry.NationalUpload], error) {
	id, page, err := c.institutionPage(true)
	if err != nil {
		return list[registry.NationalUpload]{}, err
	}
	out, next, err := s.reg.NationalUploads(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (c *call) institutionPage(needed bool) (id string, page registry.Page, err error) {
	if id, err = c.institutionAsked(); err != nil {
		return id, page, err
	}
	if id == "" && needed {
		return id, page, badQuery("institution", "请填写机构标识", "the id of an institution")
	}
	page, err = c.page(pageMost)
	return id, page, err
}

func (s *Server) unreportedBatches(c *call, _ none) (list[registry.UnreportedBatch], error) {
	id, page, err := c.institutionPage(false)
	if err != nil {
		return list[registry.UnreportedBatch]{}, err
	}
	out, next, err := s.reg.UnreportedBatches(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (s *Server) waitingForReport(c *call, _ none) (list[registry.WaitingCertificate], error) {
	id, page, err := c.institutionPage(true)
	if err != nil {
		return list[registry.WaitingCertificate]{}, err
	}
	out, next, err := s.reg.WaitingForReport(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (s *Server) nationalUpload(c *call, _ none) (registry.NationalUpload, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.NationalUpload{}, err
	}
	return s.reg.NationalUploadByID(c.ctx, c.by, id)
}

func (s *Server) nationalRows(c *call, _ none) (list[registry.NationalRowView], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.NationalRowView]{}, err
	}
	rows, err := s.reg.NationalUploadRows(c.ctx, c.by, id)
	return listOf(rows, ""), err
}

func (s *Server) nationalFile(c *call) error {
	id, format, err := c.nationalFormat()
	if err != nil {
		return err
	}
	file, err := s.reg.NationalFileOf(c.ctx, c.by, id, format)
	if err != nil {
		return err
	}
	return c.sendNational(file, format)
}

func (s *Server) nationalSummary(c *call) error {
	id, format, err := c.nationalFormat()
	if err != nil {
		return err
	}
	file, err := s.reg.NationalSummary(c.ctx, c.by, id, format)
	if err != nil {
		return err
	}
	return c.sendNational(file, format)
}

func (c *call) nationalFormat() (id string, format registry.NationalFormat, err error) {
	if id, err = c.param("id"); err != nil {
		return id, format, err
	}
	text, err := c.query("format")
	if text == "" {
		text = string(registry.NationalXLSX)
	}
	return id, registry.NationalFormat(text), err
}

// sendNational answers a file that nobody on the way may keep.
func (c *call) sendNational(file registry.NationalFile, format registry.NationalFormat) error {
	media := typeXLSX
	if format == registry.NationalCSV {
		media = "text/csv; charset=utf-8"
	}
	c.fiber.Set(fiber.HeaderContentType, media)
	c.fiber.Set(fiber.HeaderContentDisposition, `attachment; filename="`+file.Name+`"`)
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	return c.fiber.Status(c.status).Send(file.Bytes)
}

func (s *Server) nationalSent(c *call, in registry.NewNationalStep) (registry.NationalUpload, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.NationalUpload{}, err
	}
	return s.reg.MarkNationalSent(c.ctx, c.by, id, in)
}

func (s *Server) nationalWithdrawn(c *call, in registry.NewNationalStep) (registry.NationalUpload, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.NationalUpload{}, err
	}
	return s.reg.WithdrawNationalUpload(c.ctx, c.by, id, in)
}

func (s *Server) nationalQueryable(c *call, in registry.NewNationalStep) (registry.NationalUpload, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.NationalUpload{}, err
	}
	return s.reg.ConfirmNationalQueryable(c.ctx, c.by, id, in)
}

// newReceipt is a receipt as JSON.
type newReceipt struct {
	On        standards.Date        `json:"on,omitempty"`
	Reference string                `json:"reference"`
	All       bool                  `json:"all,omitempty"`
	Rows      []uploads.ReturnedRow `json:"rows,omitempty"`
}

func (s *Server) nationalReceipt(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	in, err := c.receipt()
	if err != nil {
		return err
	}
	u, err := s.reg.RecordNationalReceipt(c.ctx, c.by, id, in)
	if err != nil {
		return err
	}
	return c.json(u)
}

// receipt is the receipt that was sent, as JSON or as a file. A file without
// returned rows says nothing; that all were accepted is said in JSON.
func (c *call) receipt() (out registry.NewNationalReceipt, err error) {
	if c.mediaType() == fiber.MIMEApplicationJSON {
		var in newReceipt
		err = c.decode(&in)
		return registry.NewNationalReceipt{NewNationalStep: registry.NewNationalStep{On: in.On, Reference: in.Reference}, All: in.All, Rows: in.Rows}, err
	}
	if out.Reference, err = c.query("reference"); err != nil {
		return out, err
	}
	if out.On, err = c.date("on"); err != nil {
		return out, err
	}
	file, err := c.file()
	if err != nil {
		return out, err
	}
	if out.Rows, err = uploads.ReadReceipt(file); err == nil && len(out.Rows) == 0 {
		err = fail.New(fail.Invalid, "receipt", "the file returns no row; when all were accepted, say so: {\"all\": true}").
			In("文件中没有退回的行；如全部接收，请以 JSON 提交 {\"all\": true}")
	}
	return out, err
}
