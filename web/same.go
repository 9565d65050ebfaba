package web

import (
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards/sameness"
)

// secondOpinion is what the second person says to a proposal. Reason is needed
// to reject it.
type secondOpinion struct {
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"`
}

// undoReason says why a merge was wrong.
type undoReason struct {
	Reason string `json:"reason"`
}

var collisionFilters = []parameter{
	{Name: "region", Description: "GB/T 2260; the caller's own when absent. A payer sees those of its claims, whatever the region"},
	{Name: "state", Description: "only those in this state", Enum: collisionStates()},
}

func collisionStates() (out []string) {
	for _, s := range registry.CollisionStates() {
		out = append(out, string(s))
	}
	return out
}

func sameRoutes() []route {
	const merges, collisions = "/api/v1/persons/merges", "/api/v1/collisions"
	rows := keyedRoutes("persons", []route{
		{Method: "POST", Path: merges, Success: 201, Time: time.Minute, Idempotent: withKey, Summary: "Propose that the holders of two documents are one person 人员合并",
			Description: "For the authority that runs the register. Nothing changes before another account approves it; the answer shows which past claims would collide.",
			endpoint:    api((*Server).proposeMerge)},
		{Method: "GET", Path: merges, Query: append([]parameter{{Name: "waiting", Description: "true: only those that wait for a second person", Enum: []string{"true", "false"}}}, paging...),
			Summary: "Merges of persons, in the order of proposal", endpoint: api((*Server).merges)},
		{Method: "GET", Path: merges + "/{id}", Time: time.Minute, Summary: "One merge; while it is proposed, with what it would mean now", endpoint: api((*Server).merge)},
		{Method: "POST", Path: merges + "/{id}/decision", Time: time.Minute, Summary: "Approve or reject a proposed merge or its proposed undoing; its proposer withdraws it",
			Description: "Approved, both are one person from then on: past claims that should have been refused become collisions. Nothing is paid back by itself.",
			endpoint:    api((*Server).decideMerge)},
		{Method: "POST", Path: merges + "/{id}/undoing", Idempotent: withKey, Summary: "Propose to undo a merge that was wrong 撤销合并", endpoint: api((*Server).proposeMergeUndo)},
	})
	rows = append(rows, keyedRoutes("claims", []route{
		{Method: "GET", Path: collisions, Query: append(collisionFilters[:len(collisionFilters):len(collisionFilters)], paging...), Summary: "Claims of one person that the rules would not have allowed beside each other 重复发放线索",
			Description: "For the authority and auditors of the region, and for the payers concerned: of other payers' claims these see the day alone.", endpoint: api((*Server).collisions)},
		{Method: "GET", Path: collisions + "/{id}", Summary: "One collision", endpoint: api((*Server).collision)},
		{Method: "POST", Path: collisions + "/{id}/proposal", Idempotent: withKey, Summary: "Propose that both claims stand, that one is recovered, or that there is no collision", endpoint: api((*Server).proposeOnCollision)},
		{Method: "POST", Path: collisions + "/{id}/decision", Summary: "Approve or reject the proposal; its proposer withdraws it", endpoint: api((*Server).decideOnCollision)},
	})...)
	return append(rows, route{Method: "GET", Path: "/api/v1/occupations-named", Tag: "public", Access: public,
		Query:   []parameter{{Name: "name", Description: "as on an older certificate, however it is spelled"}},
		Summary: "Occupations of older editions of 职业分类大典 by their name, as far as the table of same occupations has them", endpoint: api((*Server).occupationsNamed)})
}

func (s *Server) proposeMerge(c *call, in registry.NewMerge) (registry.MergeView, error) {
	return s.reg.ProposeMerge(c.ctx, c.by, in)
}

func (s *Server) merges(c *call, _ none) (list[registry.MergeView], error) {
	waiting, err := c.query("waiting")
	if err == nil && waiting != "" && waiting != "true" && waiting != "false" {
		err = fail.New(fail.Invalid, "waiting", "waiting is true or false").In("waiting 参数应为 true 或 false")
	}
	if err != nil {
		return list[registry.MergeView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.MergeView]{}, err
	}
	out, next, err := s.reg.Merges(c.ctx, c.by, waiting == "true", page)
	return listOf(out, next), err
}

func (s *Server) merge(c *call, _ none) (registry.MergeView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.MergeView{}, err
	}
	return s.reg.MergeByID(c.ctx, c.by, id)
}

func (s *Server) decideMerge(c *call, in secondOpinion) (registry.MergeView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.MergeView{}, err
	}
	return s.reg.DecideMerge(c.ctx, c.by, id, in.Approve, in.Reason)
}

func (s *Server) proposeMergeUndo(c *call, in undoReason) (registry.MergeView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.MergeView{}, err
	}
	return s.reg.ProposeMergeUndo(c.ctx, c.by, id, in.Reason)
}

func (s *Server) collisions(c *call, _ none) (list[registry.CollisionView], error) {
	f, err := c.collisionFilter()
	if err != nil {
		return list[registry.CollisionView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.CollisionView]{}, err
	}
	out, next, err := s.reg.Collisions(c.ctx, c.by, f, page)
	return listOf(out, next), err
}

func (c *call) collisionFilter() (f registry.CollisionFilter, err error) {
	if f.Region, err = c.query("region"); err != nil {
		return f, err
	}
	if len(f.Region) > 6 {
		return f, fail.New(fail.Invalid, "region", "a region has six digits").In("行政区划代码为六位数字")
	}
	state, err := c.query("state")
	f.State = registry.CollisionState(state)
	return f, err
}

func (s *Server) collision(c *call, _ none) (registry.CollisionView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CollisionView{}, err
	}
	return s.reg.CollisionByID(c.ctx, c.by, id)
}

func (s *Server) proposeOnCollision(c *call, in registry.CollisionProposal) (registry.CollisionView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CollisionView{}, err
	}
	return s.reg.ProposeOnCollision(c.ctx, c.by, id, in)
}

func (s *Server) decideOnCollision(c *call, in secondOpinion) (registry.CollisionView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CollisionView{}, err
	}
	return s.reg.DecideOnCollision(c.ctx, c.by, id, in.Approve, in.Reason)
}

func (s *Server) occupationsNamed(c *call, _ none) (list[sameness.Job], error) {
	name, err := c.query("name")
	if err != nil {
		return list[sameness.Job]{}, err
	}
	if n := len([]rune(name)); n == 0 || n > 60 {
		return list[sameness.Job]{}, fail.New(fail.Invalid, "name", "a name has 1 to 60 characters").In("职业名称应为 1 至 60 个字")
	}
	return listOf(s.reg.OccupationsNamed(name), ""), nil
}
