package web

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
)

func (s *Server) sessions(c *call, _ none) (list[registry.Session], error) {
	institution, err := c.query("institution")
	if err != nil {
		return list[registry.Session]{}, err
	}
	if institution == "" {
		institution = c.by.Organisation
	}
	if institution == "" || len(institution) > 128 {
		return list[registry.Session]{}, fail.New(fail.Invalid, "institution", "say whose sessions: ?institution=").In("请在 institution 参数中写明机构").
			At(fail.Field{Name: "institution", Code: "required", ZH: "请填写机构标识", EN: "the id of an institution"})
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.Session]{}, err
	}
	out, next, err := s.reg.Sessions(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}

func (s *Server) planSession(c *call, in registry.NewSession) (registry.Session, error) {
	return s.reg.PlanSession(c.ctx, c.by, in)
}

func (s *Server) session(c *call, _ none) (registry.Session, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Session{}, err
	}
	return s.reg.SessionByID(c.ctx, c.by, id)
}

// uploadResults reads the file while it arrives. Few uploads run at once; who
// waits holds no memory.
func (s *Server) uploadResults(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	accept, err := c.query("accept")
	if err != nil {
		return err
	}
	if accept != "" && accept != "good-rows" {
		return fail.New(fail.Invalid, "accept", "accept is good-rows or absent").In("accept 参数只能是 good-rows 或不填").
			At(fail.Field{Name: "accept", Code: "unknown", ZH: "只能是 good-rows", EN: "only good-rows"})
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
	report, err := s.reg.UploadResults(c.ctx, c.by, id, registry.Upload{File: file, GoodRowsOnly: accept != ""})
	if err != nil {
		return err
	}
	return c.json(report)
}

// typeXLSX is the media type of a workbook (ECMA-376).
const typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// file is the uploaded file: the body itself, or the first file of a form.
func (c *call) file() (io.Reader, error) {
	media := c.mediaType()
	if media == fiber.MIMEApplicationJSON || media == fiber.MIMEApplicationForm {
		return nil, refusal{fiber.StatusUnsupportedMediaType, fail.New(fail.Invalid, "content_type", "send the file as text/csv or %s, or in a multipart/form-data form", typeXLSX).
			In("请以 text/csv、XLSX 或 multipart/form-data 表单上传文件")}
	}
	b, err := openBody(c.fiber, c.route.bodyLimit())
	if err != nil || media != fiber.MIMEMultipartForm {
		return b, err
	}
	parts, err := c.multipart(b)
	if err != nil {
		return nil, err
	}
	for range formParts {
		part, err := parts.NextPart()
		if err != nil {
			if e := (*fail.Error)(nil); errors.As(err, &e) {
				return nil, e
			}
			break
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
	return nil, fail.New(fail.Invalid, "file_missing", "the form has no file").In("表单中没有文件").
		At(fail.Field{Name: "file", Code: "required", ZH: "请选择文件", EN: "choose a file"})
}

// formParts is how many parts of a form are looked at.
const formParts = 10

func (c *call) multipart(b io.Reader) (*multipart.Reader, error) {
	boundary := string(c.fiber.Request().Header.MultipartFormBoundary())
	if boundary == "" || len(boundary) > 100 {
		return nil, fail.New(fail.Invalid, "form_malformed", "the form has no boundary").In("表单格式不正确")
	}
	return multipart.NewReader(b, boundary), nil
}

func (s *Server) startPublicity(c *call, _ none) (registry.Session, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Session{}, err
	}
	return s.reg.StartPublicity(c.ctx, c.by, id)
}

// issue begins or joins the issue of a session and waits a while for its end.
// The work belongs to the server, not to the request: a caller that goes away
// stops nothing.
func (s *Server) issue(c *call, _ none) (registry.Batch, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Batch{}, err
	}
	before, err := s.reg.SessionByID(c.ctx, c.by, id)
	if err != nil {
		return registry.Batch{}, err
	}
	if before.State == registry.SessionIssued {
		c.status = fiber.StatusOK
	}
	if s.closing.Load() {
		return registry.Batch{}, fail.New(fail.Unavailable, "closing", "this process is shutting down").In("本进程正在停止，请稍后重试")
	}
	by := c.by
	// One job for an account: another account has its own rights and joins at the store.
	running, ok := s.jobs.start(strings.Join([]string{by.Account, id}, "\x00"), func() (registry.Batch, error) {
		b, err := s.reg.Issue(s.base, by, id, nil)
		if err != nil && fail.KindOf(err) == fail.Internal {
			s.log.Error("batch stopped", "session", id, "error", err.Error())
		}
		return b, err
	})
	if !ok {
		return registry.Batch{}, fail.New(fail.Unavailable, "busy", "too many batches are being issued; repeat it in a moment").In("正在发证的批次过多，请稍后重试")
	}
	wait := time.NewTimer(s.cfg.IssueWait)
	defer wait.Stop()
	select {
	case <-running.done:
		return running.batch, running.err
	case <-wait.C:
	case <-c.ctx.Done():
	}
	return s.unfinished(c, id)
}

// unfinished answers a batch that goes on.
func (s *Server) unfinished(c *call, session string) (registry.Batch, error) {
	ctx, cancel := context.WithTimeout(s.base, 5*time.Second)
	defer cancel()
	b, err := s.reg.BatchOfSession(ctx, c.by, session)
	if fail.KindOf(err) == fail.NotFound {
		return b, fail.New(fail.Unavailable, "busy", "the batch has not begun yet; repeat the request").In("发证尚未开始，请稍后重试")
	}
	if err != nil {
		return b, err
	}
	if b.State != registry.BatchPublished {
		c.status = fiber.StatusAccepted
		c.fiber.Set(fiber.HeaderLocation, "/api/v1/sessions/"+b.Session+"/batch")
		c.fiber.Set(fiber.HeaderRetryAfter, "2")
	}
	return b, nil
}

func (s *Server) batch(c *call, _ none) (registry.Batch, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Batch{}, err
	}
	return s.reg.BatchOfSession(c.ctx, c.by, id)
}

// abortRequest says why a batch is ended.
type abortRequest struct {
	Reason string `json:"reason"`
}

func (s *Server) abortBatch(c *call, in abortRequest) (registry.Batch, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Batch{}, err
	}
	if strings.TrimSpace(in.Reason) == "" {
		return registry.Batch{}, fail.New(fail.Invalid, "reason", "say why the batch is ended").In("请写明中止原因").
			At(fail.Field{Name: "reason", Code: "required", ZH: "请写明中止原因", EN: "a reason is needed"})
	}
	return s.reg.AbortBatch(c.ctx, c.by, id, in.Reason)
}
