package web

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/sheet"
	"bajigong/registry"
)

var ofInstitution = parameter{Name: "institution", Description: "id; the caller's own when absent"}

// photoTime is how long an archive of photos may take to arrive and to be read.
const photoTime = 4 * time.Minute

// stockRoutes are photos, blank certificates, prints and lists.
func stockRoutes() []route {
	const at = "/api/v1/blanks"
	own := []parameter{ofInstitution}
	paged := append([]parameter{ofInstitution}, paging...)
	rows := []route{
		{Method: "POST", Path: "/api/v1/sessions/{id}/photos", Body: registry.PhotosMaxBytes + 64<<10, Time: photoTime,
			Takes:       []string{"application/zip", fiber.MIMEMultipartForm},
			Query:       []parameter{{Name: "accept", Description: "take the photos without mistakes and answer the others", Enum: []string{"good"}}},
			Summary:     "Upload photos of the candidates as a ZIP",
			Description: "Files are named by document number, 准考证号, certificate number where the results bring it, or row. JPEG or PNG of one inch; metadata is not kept. An archive with any bad file is refused as a whole, with a reason for each, unless accept=good. Photos are replaced until the session is issued, later only by correction.",
			endpoint:    rawOf[registry.PhotoReport]((*Server).uploadPhotos)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/photos", Summary: "Who of a session has no photo yet", endpoint: api((*Server).photosOfSession)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/lists/{kind}", Time: time.Minute,
			Query: []parameter{{Name: "format", Description: "json when absent; Accept is honoured too", Enum: []string{"json", "xlsx", "csv", "pdf"}},
				{Name: "part", Description: fmt.Sprintf("of admission tickets as PDF: from 1 on, %d each; 1 when absent. Link has the next part", registry.TicketsMost), Integer: true}},
			Summary:     "A list of a session: tickets 准考证, sign-in 签到表, passed 合格人员名册, handovers 发放签领表",
			Description: "Documents are masked, but for the roll of those who passed as the institution has it; making that one is logged.",
			Answers: []answer{{200, fiber.MIMEApplicationJSON, "the list"}, {200, typeXLSX, "a workbook"}, {200, "text/csv", "for spreadsheets"},
				{200, mediaPDF, "to be printed and signed; admission tickets with their photos, four a page"}},
			endpoint: rawOf[registry.List]((*Server).listOfSession)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/blanks", Summary: "What became of the blanks of a session", endpoint: api((*Server).blanksOfSession)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/print-jobs", Success: 201, Time: time.Minute, Idempotent: withKey,
			Summary:     "Print the certificates of a session, or some of them",
			Description: "Gives each its blank in the order of the codes and records the print. Those that are not due are passed over, so that it is safe to begin again. 202 while it goes on or waits for blanks: continue it.",
			Answers:     []answer{{202, fiber.MIMEApplicationJSON, "not yet done"}}, endpoint: api((*Server).startPrintJob)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/print-jobs", Query: paging, Summary: "The print jobs of a session, the newest first", endpoint: api((*Server).printJobs)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/prints", Query: paging, Summary: "The prints of a session's certificates", endpoint: api((*Server).printsOfSession)},
		{Method: "GET", Path: "/api/v1/print-jobs/{id}", Summary: "How far a print job has come", endpoint: api((*Server).printJob)},
		{Method: "POST", Path: "/api/v1/print-jobs/{id}/continuation", Time: time.Minute, Summary: "Go on with a print job, also one that waited for blanks",
			Answers: []answer{{202, fiber.MIMEApplicationJSON, "not yet done"}}, endpoint: api((*Server).continuePrintJob)},
		{Method: "POST", Path: "/api/v1/print-jobs/{id}/cancellation", Summary: "End a print job where it stands; what was printed stays so", endpoint: api((*Server).cancelPrintJob)},
		{Method: "GET", Path: "/api/v1/print-jobs/{id}/items", Query: paging, Summary: "What a print job has assigned, in the order of its document", endpoint: api((*Server).printItems)},
		{Method: "POST", Path: "/api/v1/certificates/{number}/prints", Success: 201, Idempotent: withKey, Summary: "Record one print of a certificate with the 印制流水码 of its blank",
			Description: "A certificate that was printed needs a reason to be printed again 补打.", endpoint: api((*Server).recordPrint)},
		{Method: "GET", Path: "/api/v1/certificates/{number}/prints", Query: paging, Summary: "The prints of a certificate", endpoint: api((*Server).printsOfCertificate)},
		{Method: "POST", Path: "/api/v1/certificates/{number}/handout", Summary: "Record that a certificate was handed out 领取, or to whom for its holder 代领",
			endpoint: api((*Server).recordHandout)},
		{Method: "GET", Path: "/api/v1/certificates/{number}/handout", Summary: "When a certificate was handed out, version by version", endpoint: api((*Server).handouts)},

		{Method: "GET", Path: at, Query: own, Summary: "The blank certificates of an institution in figures, and what it is reminded of", endpoint: api((*Server).blankStock)},
		{Method: "GET", Path: at + "/ranges", Query: append([]parameter{{Name: "state", Description: "stock when absent", Enum: blankStates()}}, paged...),
			Summary: "The blanks in one state, as ranges of codes", endpoint: api((*Server).blankRanges)},
		{Method: "GET", Path: at + "/codes/{code}", Summary: "One blank by its 印制流水码, and the print on it", endpoint: api((*Server).blankByCode)},
		{Method: "POST", Path: at + "/applications", Success: 201, Idempotent: withKey, Query: own, Summary: "Apply for blank certificates 申领", endpoint: api((*Server).applyForBlanks)},
		{Method: "GET", Path: at + "/applications", Query: paged, Summary: "Applications for blanks, the newest first", endpoint: api((*Server).blankApplications)},
		{Method: "POST", Path: at + "/destructions", Success: 201, Idempotent: withKey, Query: own, Summary: "Put spoiled blanks into a batch of destruction 销毁批次; all of them without ranges", endpoint: api((*Server).collectBlanks)},
		{Method: "GET", Path: at + "/destructions", Query: paged, Summary: "Batches of destruction, the newest first", endpoint: api((*Server).destructions)},
		{Method: "POST", Path: at + "/destructions/{id}/record", Summary: "Record that a batch was destroyed 销毁", endpoint: api(endDestruction(blanks.DestroyBatch))},
		{Method: "POST", Path: at + "/destructions/{id}/dissolution", Summary: "Take a batch of destruction apart again", endpoint: api(endDestruction(blanks.DissolveBatch))},
		{Method: "POST", Path: at + "/stocktakings", Success: 201, Idempotent: withKey, Query: own, Summary: "Record a count of the stock 盘点; answers what is missing and surplus", endpoint: api((*Server).countBlanks)},
		{Method: "GET", Path: at + "/stocktakings", Query: paged, Summary: "Counts of the stock, the newest first", endpoint: api((*Server).stocktakings)},
	}
	for _, step := range []struct {
		path, summary string
		act           blanks.ApplicationAct
	}{{"approval", "Approve an application for blanks, all of it or less", blanks.ApproveApplication}, {"rejection", "Reject an application for blanks, with a note", blanks.RejectApplication},
		{"withdrawal", "Withdraw one's own application for blanks", blanks.WithdrawApplication}, {"shipment", "Record which blanks were sent 发出", blanks.SendApplication},
		{"receipt", "Record that the blanks have arrived 入库", blanks.ReceiveApplication}} {
		rows = append(rows, route{Method: "POST", Path: at + "/applications/{id}/" + step.path, Summary: step.summary, endpoint: api(moveBlankApplication(step.act))})
	}
	for _, step := range []struct {
		path, summary string
		act           blanks.Act
	}{{"takings", "Take blanks for a session 领用, by ranges or by quantity", blanks.Take}, {"returns", "Return blanks that were taken 退回", blanks.Return},
		{"spoilings", "Record spoiled blanks 作废; a print on one counts no more", blanks.Spoil}, {"losses", "Record lost blanks 遗失", blanks.Lose},
		{"findings", "Record that lost blanks were found; they are spoiled", blanks.Find}} {
		rows = append(rows, route{Method: "POST", Path: at + "/" + step.path, Idempotent: withKey, Query: own, Summary: step.summary, endpoint: api(useBlanks(step.act))})
	}
	return keyedRoutes("stock", rows)
}

func blankStates() (out []string) {
	for _, s := range blanks.States() {
		out = append(out, string(s))
	}
	return out
}

// institution is whose blanks are meant: the parameter, or the caller's own.
func (c *call) institution() (string, error) {
	id, err := c.query("institution")
	if err != nil {
		return "", err
	}
	if id == "" {
		id = c.by.Organisation
	}
	if id == "" || len(id) > 128 {
		return "", fail.New(fail.Invalid, "institution", "say whose blanks: ?institution=").In("请在 institution 参数中写明机构").
			At(fail.Field{Name: "institution", Code: "required", ZH: "请填写机构标识", EN: "the id of an institution"})
	}
	return id, nil
}

// uploadPhotos takes an archive. Few uploads run at once; who waits holds no memory.
func (s *Server) uploadPhotos(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	accept, err := c.query("accept")
	if err != nil {
		return err
	}
	if accept != "" && accept != "good" {
		return fail.New(fail.Invalid, "accept", "accept is good or absent").In("accept 参数只能是 good 或不填").At(fail.Field{Name: "accept", Code: "unknown", ZH: "只能是 good", EN: "only good"})
	}
	if _, err := s.reg.SessionByID(c.ctx, c.by, id); err != nil {
		return err // before the file is read
	}
	release, err := slot(c, s.uploads)
	if err != nil {
		return err
	}
	defer release()
	file, err := c.file()
	if err != nil {
		return err
	}
	report, err := s.reg.UploadPhotos(c.ctx, c.by, id, registry.PhotoUpload{File: file, GoodOnly: accept != ""})
	if err != nil {
		return err
	}
	return c.json(report)
}

func (s *Server) photosOfSession(c *call, _ none) (registry.PhotoReport, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.PhotoReport{}, err
	}
	return s.reg.PhotosOfSession(c.ctx, c.by, id)
}

// listOfSession answers a list in the form that is asked for.
func (s *Server) listOfSession(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	kind, err := c.param("kind")
	if err != nil {
		return err
	}
	format, err := c.listFormat()
	if err != nil {
		return err
	}
	if format == "pdf" {
		return s.listPDF(c, id, registry.ListKind(kind))
	}
	l, err := s.reg.ListOf(c.ctx, c.by, id, registry.ListKind(kind))
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderCacheControl, "no-store")
	if format == "json" {
		return c.json(l)
	}
	var out bytes.Buffer
	table := sheet.Table{Name: l.Title, Title: l.Heading(), Header: l.Header, Rows: l.Each()}
	if format == "csv" {
		err = sheet.WriteCSV(&out, table)
		c.fiber.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	} else {
		err = sheet.WriteXLSX(&out, table)
		c.fiber.Set(fiber.HeaderContentType, typeXLSX)
	}
	if err != nil {
		return err
	}
	c.fiber.Set(fiber.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="%s-%s.%s"`, l.Kind, l.Session.ID, format))
	return c.fiber.Status(c.status).Send(out.Bytes())
}

// listFormat is the parameter format or, without it, what Accept asks for.
func (c *call) listFormat() (string, error) {
	format, err := c.query("format")
	if err != nil {
		return "", err
	}
	switch format {
	case "json", "xlsx", "csv", "pdf":
		return format, nil
	case "":
		accept := c.fiber.Get(fiber.HeaderAccept)
		switch {
		case strings.Contains(accept, typeXLSX):
			return "xlsx", nil
		case strings.Contains(accept, "text/csv"):
			return "csv", nil
		case strings.Contains(accept, mediaPDF):
			return "pdf", nil
		}
		return "json", nil
	}
	return "", fail.New(fail.Invalid, "format", "format is json, xlsx, csv or pdf").In("format 应为 json、xlsx、csv 或 pdf").At(fail.Field{Name: "format", Code: "unknown", ZH: "应为 json、xlsx、csv 或 pdf", EN: "json, xlsx, csv or pdf"})
}

func (s *Server) blanksOfSession(c *call, _ none) (registry.UseView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.UseView{}, err
	}
	return s.reg.BlankUse(c.ctx, c.by, id)
}

// printJobView is a print job; how the register goes through it is its own affair.
type printJobView struct {
	registry.PrintJob
	Cursor *hidden `json:"cursor,omitempty"`
}

func (s *Server) startPrintJob(c *call, in registry.NewPrintJob) (printJobView, error) {
	id, err := c.param("id")
	if err != nil {
		return printJobView{}, err
	}
	j, err := s.reg.StartPrintJob(c.ctx, c.by, id, in)
	if err != nil {
		return printJobView{}, err
	}
	return s.runPrintJob(c, j)
}

// runPrintJob goes on with a job while the request lives. What is left goes on with
// the next request, or when a process starts.
func (s *Server) runPrintJob(c *call, j registry.PrintJob) (printJobView, error) {
	done, err := s.reg.RunPrintJob(c.ctx, c.by, j.ID, nil)
	if err != nil && c.ctx.Err() != nil { // the request took too long; the pages done are durable
		done, err = j, nil
	}
	if err == nil && done.State != blanks.JobDone {
		c.status = fiber.StatusAccepted
		c.fiber.Set(fiber.HeaderLocation, "/api/v1/print-jobs/"+done.ID)
	}
	return printJobView{PrintJob: done}, err
}

func (s *Server) continuePrintJob(c *call, _ none) (printJobView, error) {
	id, err := c.param("id")
	if err != nil {
		return printJobView{}, err
	}
	j, err := s.reg.PrintJobByID(c.ctx, c.by, id)
	if err != nil {
		return printJobView{}, err
	}
	return s.runPrintJob(c, j)
}

func (s *Server) cancelPrintJob(c *call, _ none) (printJobView, error) {
	id, err := c.param("id")
	if err != nil {
		return printJobView{}, err
	}
	j, err := s.reg.CancelPrintJob(c.ctx, c.by, id)
	return printJobView{PrintJob: j}, err
}

func (s *Server) printJob(c *call, _ none) (printJobView, error) {
	id, err := c.param("id")
	if err != nil {
		return printJobView{}, err
	}
	j, err := s.reg.PrintJobByID(c.ctx, c.by, id)
	return printJobView{PrintJob: j}, err
}

func (s *Server) printJobs(c *call, _ none) (list[printJobView], error) {
	id, page, err := c.paramAndPage("id")
	if err != nil {
		return list[printJobView]{}, err
	}
	found, next, err := s.reg.PrintJobs(c.ctx, c.by, id, page)
	var out []printJobView
	for _, j := range found {
		out = append(out, printJobView{PrintJob: j})
	}
	return listOf(out, next), err
}

func (c *call) paramAndPage(name string) (string, registry.Page, error) {
	id, err := c.param(name)
	if err != nil {
		return "", registry.Page{}, err
	}
	page, err := c.page(pageMost)
	return id, page, err
}

func (s *Server) printItems(c *call, _ none) (list[registry.PrintItem], error) {
	id, page, err := c.paramAndPage("id")
	if err != nil {
		return list[registry.PrintItem]{}, err
	}
	out, next, err := s.reg.PrintItems(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (s *Server) printsOfSession(c *call, _ none) (list[blanks.Printing], error) {
	id, page, err := c.paramAndPage("id")
	if err != nil {
		return list[blanks.Printing]{}, err
	}
	out, next, err := s.reg.PrintsOfSession(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (s *Server) recordPrint(c *call, in registry.NewPrint) (blanks.Printing, error) {
	number, err := c.number()
	if err != nil {
		return blanks.Printing{}, err
	}
	return s.reg.RecordPrint(c.ctx, c.by, number, in)
}

func (s *Server) printsOfCertificate(c *call, _ none) (list[blanks.Printing], error) {
	number, err := c.number()
	if err != nil {
		return list[blanks.Printing]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[blanks.Printing]{}, err
	}
	out, next, err := s.reg.PrintsOfCertificate(c.ctx, c.by, number, page)
	return listOf(out, next), err
}

func (s *Server) recordHandout(c *call, in registry.NewHandout) (registry.HandoutView, error) {
	number, err := c.number()
	if err != nil {
		return registry.HandoutView{}, err
	}
	return s.reg.RecordHandout(c.ctx, c.by, number, in)
}

func (s *Server) handouts(c *call, _ none) (list[registry.HandoutView], error) {
	number, err := c.number()
	if err != nil {
		return list[registry.HandoutView]{}, err
	}
	out, err := s.reg.HandoutsOfCertificate(c.ctx, c.by, number)
	return listOf(out, ""), err
}

func (s *Server) blankStock(c *call, _ none) (registry.StockView, error) {
	institution, err := c.institution()
	if err != nil {
		return registry.StockView{}, err
	}
	return s.reg.BlankStock(c.ctx, c.by, institution)
}

func (s *Server) blankRanges(c *call, _ none) (list[blanks.Run], error) {
	institution, err := c.institution()
	if err != nil {
		return list[blanks.Run]{}, err
	}
	state, err := c.query("state")
	if err != nil {
		return list[blanks.Run]{}, err
	}
	if state == "" {
		state = string(blanks.InStock)
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[blanks.Run]{}, err
	}
	out, next, err := s.reg.BlankRuns(c.ctx, c.by, institution, blanks.State(state), page)
	return listOf(out, next), err
}

func (s *Server) blankByCode(c *call, _ none) (registry.BlankView, error) {
	code, err := c.param("code")
	if err != nil {
		return registry.BlankView{}, err
	}
	return s.reg.BlankByCode(c.ctx, c.by, code)
}

// blankApplication asks for blanks.
type blankApplication struct {
	Quantity int    `json:"quantity"`
	Purpose  string `json:"purpose"`
}

func (s *Server) applyForBlanks(c *call, in blankApplication) (blanks.Application, error) {
	institution, err := c.institution()
	if err != nil {
		return blanks.Application{}, err
	}
	return s.reg.ApplyForBlanks(c.ctx, c.by, institution, in.Quantity, in.Purpose)
}

func moveBlankApplication(act blanks.ApplicationAct) func(*Server, *call, registry.BlankStep) (blanks.Application, error) {
	return func(s *Server, c *call, in registry.BlankStep) (blanks.Application, error) {
		id, err := c.param("id")
		if err != nil {
			return blanks.Application{}, err
		}
		return s.reg.MoveBlankApplication(c.ctx, c.by, id, act, in)
	}
}

func (s *Server) blankApplications(c *call, _ none) (list[blanks.Application], error) {
	institution, page, err := c.institutionAndPage()
	if err != nil {
		return list[blanks.Application]{}, err
	}
	out, next, err := s.reg.BlankApplications(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}

func (c *call) institutionAndPage() (string, registry.Page, error) {
	institution, err := c.institution()
	if err != nil {
		return "", registry.Page{}, err
	}
	page, err := c.page(pageMost)
	return institution, page, err
}

func useBlanks(act blanks.Act) func(*Server, *call, registry.BlankUseRequest) (registry.BlankUseReport, error) {
	return func(s *Server, c *call, in registry.BlankUseRequest) (registry.BlankUseReport, error) {
		institution, err := c.institution()
		if err != nil {
			return registry.BlankUseReport{}, err
		}
		in.Act = act
		return s.reg.UseBlanks(c.ctx, c.by, institution, in)
	}
}

// blankRangesRequest names blanks.
type blankRangesRequest struct {
	Ranges []blanks.Range `json:"ranges,omitempty"`
}

func (s *Server) collectBlanks(c *call, in blankRangesRequest) (blanks.Destruction, error) {
	institution, err := c.institution()
	if err != nil {
		return blanks.Destruction{}, err
	}
	return s.reg.CollectBlanks(c.ctx, c.by, institution, in.Ranges)
}

func (s *Server) destructions(c *call, _ none) (list[blanks.Destruction], error) {
	institution, page, err := c.institutionAndPage()
	if err != nil {
		return list[blanks.Destruction]{}, err
	}
	out, next, err := s.reg.Destructions(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}

// destructionRecord says how a batch was destroyed.
type destructionRecord struct {
	Document string `json:"document,omitempty"`
	Method   string `json:"method,omitempty"`
}

func endDestruction(act blanks.DestructionAct) func(*Server, *call, destructionRecord) (blanks.Destruction, error) {
	return func(s *Server, c *call, in destructionRecord) (blanks.Destruction, error) {
		id, err := c.param("id")
		if err != nil {
			return blanks.Destruction{}, err
		}
		return s.reg.EndDestruction(c.ctx, c.by, id, act, in.Document, in.Method)
	}
}

// stocktakingRequest is a count of the stock.
type stocktakingRequest struct {
	Counted []blanks.Range `json:"counted"`
	Note    string         `json:"note,omitempty"`
}

func (s *Server) countBlanks(c *call, in stocktakingRequest) (registry.Stocktaking, error) {
	institution, err := c.institution()
	if err != nil {
		return registry.Stocktaking{}, err
	}
	return s.reg.CountBlanks(c.ctx, c.by, institution, in.Counted, in.Note)
}

func (s *Server) stocktakings(c *call, _ none) (list[registry.Stocktaking], error) {
	institution, page, err := c.institutionAndPage()
	if err != nil {
		return list[registry.Stocktaking]{}, err
	}
	out, next, err := s.reg.Stocktakings(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}
