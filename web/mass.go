package web

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// massView is a mass change as the authority sees it. How the register goes
// through it is its own affair.
type massView struct {
	registry.MassChange
	Cursor *hidden `json:"cursor,omitempty"`
	// Present is what a proposal would do now; its hash is what the approver
	// confirms. Only in the answer for one proposal.
	Present *registry.MassPreview `json:"present,omitempty"`
	Undo    *massUndoView         `json:"undo,omitempty"`
}

type massUndoView struct {
	registry.MassUndo
	Cursor *hidden `json:"cursor,omitempty"`
}

func massViewOf(m registry.MassChange) massView {
	out := massView{MassChange: m}
	if m.Undo != nil {
		out.Undo = &massUndoView{MassUndo: *m.Undo}
	}
	return out
}

// massConsent confirms a mass change by the hash of its present preview.
type massConsent struct {
	Hash string `json:"hash"`
}

// massReason says why.
type massReason struct {
	Reason string `json:"reason,omitempty"`
}

func massRoutes() []route {
	const at = "/api/v1/mass-changes"
	return keyedRoutes("certificates", []route{
		{Method: "POST", Path: at, Success: 201, Time: time.Minute, Idempotent: withKey, Summary: "Propose to suspend, void or cancel many certificates, or to lift a mass suspension",
			Description: "Scope is a session, or an institution narrowed by date of issue, filing, occupation and level. Nothing changes before another account of the authority approves it; the answer counts certificates and claims.",
			endpoint:    api((*Server).proposeMass)},
		{Method: "GET", Path: at, Query: append([]parameter{{Name: "institution", Description: "id; without it, what waits for a second person"}}, paging...),
			Summary: "Mass changes", endpoint: api((*Server).massChanges)},
		{Method: "GET", Path: at + "/{id}", Time: time.Minute, Summary: "One mass change with its progress; a proposal also with what it would do now", endpoint: api((*Server).massChange)},
		{Method: "POST", Path: at + "/{id}/approval", Time: time.Minute, Summary: "Approve a mass change by the hash of its present preview, and carry it out",
			Description: "For another account than the proposer's. 202 while it goes on: look at it, or ask again. What became public after the confirmed preview is not in the set.",
			Answers:     []answer{{202, fiber.MIMEApplicationJSON, "not yet done"}}, endpoint: api((*Server).approveMass)},
		{Method: "POST", Path: at + "/{id}/closing", Summary: "Withdraw one's own proposal, or reject another's with a reason", endpoint: api((*Server).closeMass)},
		{Method: "POST", Path: at + "/{id}/undoing", Time: time.Minute, Summary: "Undo a mass change within its window",
			Description: "For its proposer or approver. Every certificate that nothing else has changed since has exactly the status it had. 202 while it goes on.",
			Answers:     []answer{{202, fiber.MIMEApplicationJSON, "not yet undone"}}, endpoint: api((*Server).undoMass)},
	})
}

func (s *Server) proposeMass(c *call, in registry.NewMassChange) (massView, error) {
	m, err := s.reg.ProposeMassChange(c.ctx, c.by, in)
	return massViewOf(m), err
}

func (s *Server) massChanges(c *call, _ none) (list[massView], error) {
	institution, err := c.query("institution")
	if err != nil {
		return list[massView]{}, err
	}
	if len(institution) > 128 {
		return list[massView]{}, fail.New(fail.Invalid, "institution", "that is no id of an institution").In("institution 参数不是机构标识")
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[massView]{}, err
	}
	found, next, err := s.reg.MassChanges(c.ctx, c.by, institution, page)
	var out []massView
	for _, m := range found {
		out = append(out, massViewOf(m))
	}
	return listOf(out, next), err
}

func (s *Server) massChange(c *call, _ none) (massView, error) {
	id, err := c.param("id")
	if err != nil {
		return massView{}, err
	}
	m, err := s.reg.MassChangeByID(c.ctx, c.by, id)
	out := massViewOf(m)
	if err != nil || m.State != registry.MassProposed {
		return out, err
	}
	p, err := s.reg.PreviewMassChange(c.ctx, c.by, id)
	switch fail.CodeOf(err) {
	case "": // as it is
		out.Present = &p
	case "mass_state": // it was decided in this moment
		m, err = s.reg.MassChangeByID(c.ctx, c.by, id)
		out = massViewOf(m)
	}
	return out, err
}

func (s *Server) approveMass(c *call, in massConsent) (massView, error) {
	id, err := c.param("id")
	if err != nil {
		return massView{}, err
	}
	m, err := s.reg.ApproveMassChange(c.ctx, c.by, id, in.Hash)
	if err != nil {
		return massView{}, err
	}
	return s.runMass(c, m)
}

func (s *Server) closeMass(c *call, in massReason) (massView, error) {
	id, err := c.param("id")
	if err != nil {
		return massView{}, err
	}
	m, err := s.reg.CloseMassChange(c.ctx, c.by, id, in.Reason)
	return massViewOf(m), err
}

func (s *Server) undoMass(c *call, in massReason) (massView, error) {
	id, err := c.param("id")
	if err != nil {
		return massView{}, err
	}
	m, err := s.reg.UndoMassChange(c.ctx, c.by, id, in.Reason)
	if err != nil {
		return massView{}, err
	}
	return s.runMass(c, m)
}

// runMass begins or joins the work on a mass change and waits a while for its
// end. The work belongs to the server, not to the request; what a process leaves
// undone, the next one does.
func (s *Server) runMass(c *call, m registry.MassChange) (massView, error) {
	if !m.State.Working() {
		return massViewOf(m), nil
	}
	c.status = fiber.StatusAccepted
	if s.closing.Load() {
		return massViewOf(m), nil // the next process goes on with it
	}
	by := c.by
	running, ok := s.jobs.start("mass\x00"+m.ID+"\x00"+string(m.State), func() (registry.Batch, error) {
		_, err := s.reg.RunMassChange(s.base, by, m.ID, nil)
		if err != nil && fail.KindOf(err) == fail.Internal {
			s.log.Error("mass change stopped", "mass", m.ID, "error", err.Error())
		}
		return registry.Batch{}, err
	})
	if !ok {
		return massView{}, fail.New(fail.Unavailable, "busy", "it is decided, but too much is running in this process; ask again in a moment and it goes on").
			In("已受理，但当前执行的任务过多，请稍后原样重试以继续执行")
	}
	wait := time.NewTimer(s.cfg.IssueWait)
	defer wait.Stop()
	select {
	case <-running.done:
		if running.err != nil {
			return massView{}, running.err
		}
	case <-wait.C:
	case <-c.ctx.Done():
	}
	now, err := s.reg.MassChangeByID(c.ctx, c.by, m.ID)
	if err == nil && !now.State.Working() {
		c.status = fiber.StatusOK
	}
	return massViewOf(now), err
}
