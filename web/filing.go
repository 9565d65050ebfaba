package web

import (
	"context"

	"bajigong/evaluators"
	"bajigong/registry"
	"bajigong/standards"
)

// stepReason says why a step on an application is taken.
type stepReason struct {
	Reason string `json:"reason,omitempty"`
}

// refusalOf an application: why, and the rule it rests on.
type refusalOf struct {
	Reason string `json:"reason"`
	Basis  string `json:"basis"`
}

// newScopeChange is a change of a filing's scope to be recorded.
type newScopeChange struct {
	Kind           evaluators.ScopeChangeKind `json:"kind"`
	Items          []evaluators.ScopeItem     `json:"items"`
	From           standards.Date             `json:"from"`
	Document       string                     `json:"document"`
	Reason         string                     `json:"reason,omitempty"`
	FinishSessions []string                   `json:"finish_sessions,omitempty"`
}

// newSiteChange is a change of a place of examination to be recorded. Without a
// site it is about the filing's own.
type newSiteChange struct {
	Site     string                    `json:"site,omitempty"`
	Kind     evaluators.SiteChangeKind `json:"kind"`
	Name     string                    `json:"name,omitempty"`
	Address  string                    `json:"address,omitempty"`
	Region   string                    `json:"region,omitempty"`
	From     standards.Date            `json:"from"`
	Document string                    `json:"document"`
	Reason   string                    `json:"reason,omitempty"`
}

// newGroup widens whom a filing of class Y may examine.
type newGroup struct {
	Kind     evaluators.GroupKind `json:"kind"`
	Members  []string             `json:"members"` // 统一社会信用代码
	From     standards.Date       `json:"from"`
	Until    standards.Date       `json:"until,omitempty"`
	Document string               `json:"document"`
	Reason   string               `json:"reason,omitempty"`
}

// newRecognition is 薪酬挂钩 or 试点认定 to be recorded, or its end.
type newRecognition struct {
	Kind     evaluators.RecognitionKind `json:"kind"`
	Ended    bool                       `json:"ended,omitempty"`
	From     standards.Date             `json:"from"`
	Until    standards.Date             `json:"until,omitempty"`
	Document string                     `json:"document"`
	Reason   string                     `json:"reason,omitempty"`
}

// newSupervision says who stands in which relation to a filing.
type newSupervision struct {
	Bodies   []evaluators.Body `json:"bodies"`
	From     standards.Date    `json:"from"`
	Document string            `json:"document"`
	Reason   string            `json:"reason,omitempty"`
}

// newName is a change of name to be recorded.
type newName struct {
	Name     string         `json:"name"`
	From     standards.Date `json:"from"`
	Document string         `json:"document"`
}

// newReadmission lets an institution that has ended be filed anew.
type newReadmission struct {
	Effective standards.Date `json:"effective"`
	Document  string         `json:"document"`
	Basis     string         `json:"basis"`
	Reason    string         `json:"reason,omitempty"`
}

func filingRoutes() []route {
	change := func(path, summary string, e endpoint) route {
		return route{Method: "POST", Path: "/api/v1/filings/{id}/" + path, Idempotent: withKey, Summary: summary, endpoint: e}
	}
	step := func(path, summary string, e endpoint) route {
		return route{Method: "POST", Path: "/api/v1/applications/{id}/" + path, Idempotent: withKey, Summary: summary, endpoint: e}
	}
	return keyedRoutes("filings", []route{
		{Method: "POST", Path: "/api/v1/institutions/{id}/applications", Success: 201, Idempotent: withKey, Summary: "Apply for a filing 备案申请, or for the renewal 续期 of one",
			endpoint: api((*Server).applyForFiling)},
		{Method: "GET", Path: "/api/v1/applications", Query: append([]parameter{{Name: "institution", Description: "id: its applications; the open ones made to the authority when absent"},
			{Name: "authority", Description: "region of the authority; the caller's own when absent"}}, paging...),
			Summary: "Applications of an institution, or those an authority has to decide", endpoint: api((*Server).applications)},
		{Method: "GET", Path: "/api/v1/applications/{id}", Summary: "One application", endpoint: api((*Server).application)},
		step("supplement", "Hand a returned application in anew 补正", api((*Server).supplementApplication)),
		step("withdraw", "Withdraw an application 撤回", api(applicationStep((*registry.Registry).WithdrawApplication))),
		step("return", "Return an application for correction 一次性告知补正", api(applicationStep((*registry.Registry).ReturnApplication))),
		step("refuse", "Refuse an application 不予备案, with reason and basis", api((*Server).refuseApplication)),
		step("admit", "Admit an application 予以备案: it becomes a filing", api((*Server).admitApplication)),
		{Method: "GET", Path: "/api/v1/filings/{id}", Query: []parameter{{Name: "on", Description: "a date; today when absent"}},
			Summary: "A filing as it stands on a date: state, scope, sites, authorities", endpoint: api((*Server).filing)},
		change("scope-changes", "Extend or shrink the scope 扩项、减项", api((*Server).changeScope)),
		change("site-changes", "Open, change, suspend, resume or close a place of examination 考点", api((*Server).changeSite)),
		change("groups", "Widen whom an employer (class Y) may examine", api((*Server).admitGroup)),
		change("recognitions", "Record 薪酬挂钩 or 试点认定 of an employer (class Y), or its end", api((*Server).recognise)),
		change("authorities", "Record who stands in which relation to the filing", api((*Server).supervise)),
		{Method: "POST", Path: "/api/v1/institutions/{id}/names", Idempotent: withKey, Summary: "Record a change of name 更名", endpoint: api((*Server).renameInstitution)},
		{Method: "POST", Path: "/api/v1/institutions/{id}/readmission", Idempotent: withKey, Summary: "Let an institution that has ended be filed anew 重新准入", endpoint: api((*Server).readmitInstitution)},
	})
}

func (s *Server) applyForFiling(c *call, in evaluators.ApplicationForm) (evaluators.Application, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Application{}, err
	}
	return s.reg.ApplyForFiling(c.ctx, c.by, id, in)
}

func (s *Server) applications(c *call, _ none) (list[evaluators.Application], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[evaluators.Application]{}, err
	}
	institution, err := c.query("institution")
	if err != nil {
		return list[evaluators.Application]{}, err
	}
	authority, err := c.query("authority")
	if err != nil {
		return list[evaluators.Application]{}, err
	}
	if authority == "" {
		authority = c.by.Region
	}
	if len(institution) > 128 || len(authority) > 128 {
		return listOf[evaluators.Application](nil, ""), nil // there is none of such an id
	}
	out, next, err := s.reg.Applications(c.ctx, c.by, institution, authority, page)
	return listOf(out, next), err
}

func (s *Server) application(c *call, _ none) (evaluators.Application, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Application{}, err
	}
	return s.reg.ApplicationByID(c.ctx, c.by, id)
}

func (s *Server) supplementApplication(c *call, in evaluators.ApplicationForm) (evaluators.Application, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Application{}, err
	}
	return s.reg.SupplementApplication(c.ctx, c.by, id, in)
}

// applicationStep makes the handler of a step that takes a reason alone.
func applicationStep(step func(r *registry.Registry, ctx context.Context, by registry.Actor, id, reason string) (evaluators.Application, error)) func(*Server, *call, stepReason) (evaluators.Application, error) {
	return func(s *Server, c *call, in stepReason) (evaluators.Application, error) {
		id, err := c.param("id")
		if err != nil {
			return evaluators.Application{}, err
		}
		return step(s.reg, c.ctx, c.by, id, in.Reason)
	}
}

func (s *Server) refuseApplication(c *call, in refusalOf) (evaluators.Application, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Application{}, err
	}
	return s.reg.RefuseApplication(c.ctx, c.by, id, in.Reason, in.Basis)
}

func (s *Server) admitApplication(c *call, in evaluators.Admission) (evaluators.Application, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Application{}, err
	}
	return s.reg.AdmitApplication(c.ctx, c.by, id, in)
}

func (s *Server) filing(c *call, _ none) (registry.Filing, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Filing{}, err
	}
	on, err := c.query("on")
	if err != nil {
		return registry.Filing{}, err
	}
	return s.reg.FilingByID(c.ctx, c.by, id, standards.Date(on))
}

func (s *Server) changeScope(c *call, in newScopeChange) (evaluators.Filing, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Filing{}, err
	}
	return s.reg.ChangeScope(c.ctx, c.by, id, evaluators.ScopeChange{Kind: in.Kind, Items: in.Items, From: in.From, Document: in.Document,
		Reason: in.Reason, FinishSessions: in.FinishSessions})
}

func (s *Server) changeSite(c *call, in newSiteChange) (evaluators.Filing, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Filing{}, err
	}
	return s.reg.ChangeSite(c.ctx, c.by, id, evaluators.SiteChange{Site: in.Site, Kind: in.Kind, Name: in.Name, Address: in.Address, Region: in.Region,
		From: in.From, Document: in.Document, Reason: in.Reason})
}

func (s *Server) admitGroup(c *call, in newGroup) (evaluators.Filing, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Filing{}, err
	}
	return s.reg.AdmitGroup(c.ctx, c.by, id, evaluators.AdmittedGroup{Kind: in.Kind, Members: in.Members, From: in.From, Until: in.Until,
		Document: in.Document, Reason: in.Reason})
}

func (s *Server) recognise(c *call, in newRecognition) (evaluators.Filing, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Filing{}, err
	}
	return s.reg.Recognise(c.ctx, c.by, id, evaluators.Recognition{Kind: in.Kind, Ended: in.Ended, From: in.From, Until: in.Until,
		Document: in.Document, Reason: in.Reason})
}

func (s *Server) supervise(c *call, in newSupervision) (evaluators.Filing, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Filing{}, err
	}
	return s.reg.Supervise(c.ctx, c.by, id, evaluators.Supervision{Bodies: in.Bodies, From: in.From, Document: in.Document, Reason: in.Reason})
}

func (s *Server) renameInstitution(c *call, in newName) (evaluators.Institution, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Institution{}, err
	}
	return s.reg.RenameInstitution(c.ctx, c.by, id, evaluators.NameChange{Name: in.Name, From: in.From, Document: in.Document})
}

func (s *Server) readmitInstitution(c *call, in newReadmission) (evaluators.Institution, error) {
	id, err := c.param("id")
	if err != nil {
		return evaluators.Institution{}, err
	}
	return s.reg.ReadmitInstitution(c.ctx, c.by, id, evaluators.Readmission{Effective: in.Effective, Document: in.Document, Basis: in.Basis, Reason: in.Reason})
}
