package web

import (
	"bajigong/evaluators"
	"bajigong/registry"
	"bajigong/standards"
)

// newInstitution is an institution to be admitted.
type newInstitution struct {
	Name   string `json:"name"`
	USCC   string `json:"uscc"`   // 统一社会信用代码
	Region string `json:"region"` // GB/T 2260, six digits
}

// newFiling is a filing 备案 to be recorded.
type newFiling struct {
	Institution string                   `json:"institution"`
	Class       evaluators.Class         `json:"class"`
	Code        string                   `json:"code"`
	Province    string                   `json:"province"`
	Site        string                   `json:"site"`
	SiteName    string                   `json:"site_name,omitempty"`
	SiteAddress string                   `json:"site_address,omitempty"`
	Authority   string                   `json:"authority"`
	From        standards.Date           `json:"from"`
	Until       standards.Date           `json:"until"`
	Scope       []evaluators.ScopeItem   `json:"scope"`
	Ranges      []evaluators.SerialRange `json:"ranges,omitempty"`
	Document    string                   `json:"document"`
	Renews      string                   `json:"renews,omitempty"`      // id of the filing that it renews
	SiteRegion  string                   `json:"site_region,omitempty"` // six digits; the institution's own when absent
}

// newDecision is a decision to be recorded. Filing or Site, Occupation, Trade and
// Levels narrow what it hits.
type newDecision struct {
	Institution    string             `json:"institution"`
	Filing         string             `json:"filing,omitempty"`
	Province       string             `json:"province,omitempty"`
	Site           string             `json:"site,omitempty"`
	Occupation     string             `json:"occupation,omitempty"`
	Trade          string             `json:"trade,omitempty"`
	Levels         standards.LevelSet `json:"levels,omitempty"`
	Kind           evaluators.Kind    `json:"kind"`
	Effective      standards.Date     `json:"effective"`
	Until          standards.Date     `json:"until,omitempty"`
	Due            standards.Date     `json:"due,omitempty"`
	Document       string             `json:"document,omitempty"`
	Basis          string             `json:"basis"`
	Reason         string             `json:"reason,omitempty"`
	FinishSessions []string           `json:"finish_sessions,omitempty"`
	FinishUntil    standards.Date     `json:"finish_until,omitempty"`
}

func (s *Server) admitInstitution(c *call, in newInstitution) (evaluators.Institution, error) {
	return s.reg.AdmitInstitution(c.ctx, c.by, evaluators.Institution{Name: in.Name, USCC: in.USCC, Region: in.Region})
}

func (s *Server) institution(c *call, _ none) (registry.Institution, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Institution{}, err
	}
	return s.reg.InstitutionByID(c.ctx, c.by, id)
}

func (s *Server) recordFiling(c *call, in newFiling) (evaluators.Filing, error) {
	return s.reg.RecordFiling(c.ctx, c.by, evaluators.Filing{
		Institution: in.Institution, Class: in.Class, Code: in.Code, Province: in.Province, Site: in.Site, SiteName: in.SiteName,
		SiteAddress: in.SiteAddress, Authority: in.Authority, From: in.From, Until: in.Until, Scope: in.Scope, Ranges: in.Ranges, Document: in.Document,
		Renews: in.Renews, SiteRegion: in.SiteRegion})
}

func (s *Server) recordDecision(c *call, in newDecision) (evaluators.Decision, error) {
	return s.reg.RecordDecision(c.ctx, c.by, evaluators.Decision{
		Target: evaluators.Target{Institution: in.Institution, Filing: in.Filing, Province: in.Province, Site: in.Site,
			Occupation: in.Occupation, Trade: in.Trade, Levels: in.Levels},
		Kind: in.Kind, Effective: in.Effective, Until: in.Until, Due: in.Due, Document: in.Document, Basis: in.Basis, Reason: in.Reason,
		FinishSessions: in.FinishSessions, FinishUntil: in.FinishUntil})
}

func (s *Server) occupations(c *call, _ none) (list[standards.Occupation], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[standards.Occupation]{}, err
	}
	out, next, err := s.reg.Occupations(c.ctx, page)
	return listOf(out, next), err
}

func (s *Server) occupation(c *call, _ none) (standards.Occupation, error) {
	code, err := c.param("code")
	if err != nil {
		return standards.Occupation{}, err
	}
	return s.reg.OccupationByCode(c.ctx, code)
}

func (s *Server) catalogue(_ *call, _ none) (list[standards.Occupation], error) {
	return listOf(s.reg.Starter().Occupations(), ""), nil
}
