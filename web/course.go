package web

import (
	"github.com/gofiber/fiber/v2"

	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// rosterRequest is a roster as JSON.
type rosterRequest struct {
	Candidates []registry.RosterRow `json:"candidates"`
}

// enterRoster takes a roster as CSV or as JSON.
func (s *Server) enterRoster(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	session, err := s.reg.SessionByID(c.ctx, c.by, id) // before the file is read
	if err != nil {
		return err
	}
	release, err := slot(c, s.uploads)
	if err != nil {
		return err
	}
	defer release()
	rows, err := c.roster(session.Occupation)
	if err != nil {
		return err
	}
	report, err := s.reg.EnterRoster(c.ctx, c.by, id, rows)
	if err != nil {
		return err
	}
	return c.json(report)
}

func (c *call) roster(occupation string) ([]registry.RosterRow, error) {
	if c.mediaType() == fiber.MIMEApplicationJSON {
		var in rosterRequest
		err := c.decode(&in)
		return in.Candidates, err
	}
	file, err := c.file()
	if err != nil {
		return nil, err
	}
	return registry.ReadRoster(file, occupation)
}

func (s *Server) roster(c *call, _ none) (list[registry.RosterView], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.RosterView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.RosterView]{}, err
	}
	out, next, err := s.reg.RosterOf(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

// timelineJSON is the course of a session in working days.
type timelineJSON struct {
	Session string        `json:"session"`
	Late    bool          `json:"late"`
	Steps   []course.Mark `json:"steps"`
}

func (s *Server) timeline(c *call, _ none) (timelineJSON, error) {
	id, err := c.param("id")
	if err != nil {
		return timelineJSON{}, err
	}
	steps, err := s.reg.Timeline(c.ctx, c.by, id)
	return timelineJSON{Session: id, Late: course.Late(steps), Steps: steps}, err
}

// platformRequest is the reference on the supervision platform 云眸.
type platformRequest struct {
	Platform string `json:"platform"`
}

func (s *Server) setPlatform(c *call, in platformRequest) (registry.Session, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Session{}, err
	}
	return s.reg.SetPlatform(c.ctx, c.by, id, in.Platform)
}

func (s *Server) confirmResults(c *call, _ none) (registry.Session, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Session{}, err
	}
	return s.reg.ConfirmResults(c.ctx, c.by, id)
}

// approvalRequest is the authority's word on publicised results.
type approvalRequest struct {
	Document string `json:"document"` // 文号
}

func (s *Server) approveResults(c *call, in approvalRequest) (registry.Session, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Session{}, err
	}
	return s.reg.ApproveResults(c.ctx, c.by, id, in.Document)
}

// returnRequest says why results go back.
type returnRequest struct {
	Reason string `json:"reason"`
}

func (s *Server) returnResults(c *call, in returnRequest) (registry.Session, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Session{}, err
	}
	return s.reg.ReturnResults(c.ctx, c.by, id, in.Reason)
}

// receiptJSON is what somebody keeps who filed an appeal.
type receiptJSON struct {
	Receipt string               `json:"receipt"`
	Session string               `json:"session"`
	Row     int                  `json:"row"`
	State   registry.AppealState `json:"state"`
}

func (s *Server) fileAppeal(c *call, in registry.Objection) (receiptJSON, error) {
	id, err := c.param("id")
	if err != nil {
		return receiptJSON{}, err
	}
	a, err := s.reg.FileAppeal(c.ctx, id, in)
	return receiptJSON{Receipt: a.ID, Session: a.Session, Row: a.Row, State: a.State}, err
}

func (s *Server) appeals(c *call, _ none) (list[registry.AppealView], error) {
	id, err := c.param("id")
	if err != nil {
		return list[registry.AppealView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.AppealView]{}, err
	}
	out, next, err := s.reg.Appeals(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

// appealDecision decides an appeal.
type appealDecision struct {
	State  registry.AppealState `json:"state"` // upheld, rejected or withdrawn
	Reason string               `json:"reason"`
}

func (s *Server) decideAppeal(c *call, in appealDecision) (registry.Appeal, error) {
	session, err := c.param("id")
	if err != nil {
		return registry.Appeal{}, err
	}
	id, err := c.param("appeal")
	if err != nil {
		return registry.Appeal{}, err
	}
	if in.State == "" {
		return registry.Appeal{}, fail.New(fail.Invalid, "appeal_state", "say whether the appeal is upheld, rejected or withdrawn").In("请写明异议处理结果").
			At(fail.Field{Name: "state", Code: "required", ZH: "应为 upheld、rejected 或 withdrawn", EN: "upheld, rejected or withdrawn"})
	}
	return s.reg.DecideAppeal(c.ctx, c.by, session, id, in.State, in.Reason)
}
