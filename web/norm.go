package web

import (
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// normDecision is what is decided on a norm.
type normDecision struct {
	Step     standards.NormStep `json:"step"` // accept, refuse, withdraw
	Document string             `json:"document,omitempty"`
	Reason   string             `json:"reason,omitempty"`
}

func normRoutes() []route {
	return keyedRoutes("sessions", []route{ // what a session goes by
		{Method: "GET", Path: "/api/v1/norms", Query: append([]parameter{{Name: "institution", Description: "id; the caller's own when absent"}}, paging...),
			Summary: "Evaluation norms 评价规范 of an institution, every version", endpoint: api((*Server).norms)},
		{Method: "POST", Path: "/api/v1/norms", Success: 201, Idempotent: withKey, Summary: "File an evaluation norm of an employer, or its next version",
			Description: "Filed by the institution it waits for the authority; recorded by the authority it counts at once.", endpoint: api((*Server).fileNorm)},
		{Method: "GET", Path: "/api/v1/norms/{id}", Summary: "One evaluation norm", endpoint: api((*Server).norm)},
		{Method: "POST", Path: "/api/v1/norms/{id}/decision", Idempotent: notIdempotent, Summary: "Accept, refuse or withdraw an evaluation norm",
			Description: "The institution may withdraw its own. Sessions planned by the norm go on with it. A step taken before is a conflict.", endpoint: api((*Server).decideNorm)},
	})
}

func (s *Server) norms(c *call, _ none) (list[standards.Norm], error) {
	institution, err := c.query("institution")
	if err != nil {
		return list[standards.Norm]{}, err
	}
	if institution == "" {
		institution = c.by.Organisation
	}
	if institution == "" || len(institution) > 128 {
		return list[standards.Norm]{}, fail.New(fail.Invalid, "institution", "say whose norms: ?institution=").In("请在 institution 参数中写明机构").
			At(fail.Field{Name: "institution", Code: "required", ZH: "请填写机构标识", EN: "the id of an institution"})
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[standards.Norm]{}, err
	}
	out, next, err := s.reg.Norms(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}

func (s *Server) fileNorm(c *call, in registry.NewNorm) (standards.Norm, error) {
	return s.reg.FileNorm(c.ctx, c.by, in)
}

func (s *Server) norm(c *call, _ none) (standards.Norm, error) {
	id, err := c.param("id")
	if err != nil {
		return standards.Norm{}, err
	}
	return s.reg.NormByID(c.ctx, c.by, id)
}

func (s *Server) decideNorm(c *call, in normDecision) (standards.Norm, error) {
	id, err := c.param("id")
	if err != nil {
		return standards.Norm{}, err
	}
	return s.reg.DecideNorm(c.ctx, c.by, id, standards.NormDecision{Step: in.Step, Document: in.Document, Reason: in.Reason})
}
