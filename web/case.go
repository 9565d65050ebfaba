package web

import (
	"bajigong/evaluators/cases"
	"bajigong/registry"
)

func (s *Server) openCase(c *call, in registry.NewCase) (registry.CaseView, error) {
	return s.reg.OpenCase(c.ctx, c.by, in)
}

func (s *Server) caseByID(c *call, _ none) (registry.CaseView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CaseView{}, err
	}
	return s.reg.CaseByID(c.ctx, c.by, id)
}

func (s *Server) advanceCase(c *call, in cases.Step) (registry.CaseView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CaseView{}, err
	}
	return s.reg.AdvanceCase(c.ctx, c.by, id, in)
}

func (s *Server) cases(c *call, _ none) (list[registry.CaseView], error) {
	var q registry.CaseQuery
	var state string
	for _, one := range []struct {
		name string
		into *string
	}{{"institution", &q.Institution}, {"region", &q.Region}, {"state", &state}} {
		text, err := c.query(one.name)
		if err != nil {
			return list[registry.CaseView]{}, err
		}
		if len(text) > 128 {
			text = text[:128] // longer than any there is
		}
		*one.into = text
	}
	q.State = cases.State(state)
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.CaseView]{}, err
	}
	out, next, err := s.reg.Cases(c.ctx, c.by, q, page)
	return listOf(out, next), err
}

func (s *Server) publishedDecisions(c *call, _ none) (list[registry.PublishedDecision], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.PublishedDecision]{}, err
	}
	out, next, err := s.reg.PublishedDecisions(c.ctx, page)
	return listOf(out, next), err
}

// caseRoutes are rows of the table: the cases, and the decisions that are public.
func caseRoutes() []route {
	var states []string
	for _, s := range cases.States() {
		states = append(states, string(s))
	}
	rows := keyedRoutes("cases", []route{
		{Method: "POST", Path: "/api/v1/cases", Success: 201, Idempotent: withKey, Summary: "Open a case 立案 from a lead",
			Description: "The text is sealed and never shown to the party.", endpoint: api((*Server).openCase)},
		{Method: "GET", Path: "/api/v1/cases", Summary: "Cases of a region, or of an institution; an institution sees its own from the notice on",
			Query: append([]parameter{{Name: "institution", Description: "id; goes before region"}, {Name: "region", Description: "six digits; the caller's own when absent"},
				{Name: "state", Description: "where the case stands", Enum: states}}, paging...), endpoint: api((*Server).cases)},
		{Method: "GET", Path: "/api/v1/cases/{id}", Summary: "One case, as far as the caller may see it", endpoint: api((*Server).caseByID)},
		{Method: "POST", Path: "/api/v1/cases/{id}/steps", Idempotent: withKey, Summary: "Take a step: inquire, notify, statement, decide, serve, publish, report, accept, request_review, review, close or dismiss",
			Description: "statement, report and request_review are the party's own. A decision records its measures at once; 409 statement_period_running says from when it can be taken.",
			endpoint:    api((*Server).advanceCase)},
	})
	return append(rows, route{Method: "GET", Path: "/api/v1/decisions", Tag: "directory", Access: public, CORS: true, Query: paging,
		Summary:     "Decisions on institutions that are public, the newest first",
		Description: "A page may have fewer rows than its limit and not be the last: next says.", endpoint: api((*Server).publishedDecisions)})
}
