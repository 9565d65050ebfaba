package web

import (
	"encoding/base64"
	"slices"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/registry"
)

// newCorrection asks for a correction 更正. Photo is a JPEG of at most 64 KB in
// base64.
type newCorrection struct {
	Name         string              `json:"name,omitempty"`
	DocumentKind string              `json:"document_kind,omitempty"`
	Document     string              `json:"document,omitempty"`
	Employer     string              `json:"employer,omitempty"`
	Photo        string              `json:"photo,omitempty"`
	Proofs       []corrections.Proof `json:"proofs"`
	Basis        string              `json:"basis"`
	Reason       string              `json:"reason"`
	neverCorrected
}

// neverCorrected are the members by which a request tries to change what a
// certificate is. They are known only to be refused with the rule.
type neverCorrected struct {
	Number          any `json:"number,omitempty"`
	Occupation      any `json:"occupation,omitempty"`
	OccupationName  any `json:"occupation_name,omitempty"`
	Trade           any `json:"trade,omitempty"`
	TradeName       any `json:"trade_name,omitempty"`
	Level           any `json:"level,omitempty"`
	Issued          any `json:"issued,omitempty"`
	Institution     any `json:"institution,omitempty"`
	InstitutionName any `json:"institution_name,omitempty"`
}

func (n neverCorrected) named() (out []string) {
	for name, value := range map[string]any{"number": n.Number, "occupation": n.Occupation, "occupation_name": n.OccupationName, "trade": n.Trade,
		"trade_name": n.TradeName, "level": n.Level, "issued": n.Issued, "institution": n.Institution, "institution_name": n.InstitutionName} {
		if value != nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// correctionConsent approves a correction. Document is the corrected number once
// more, as the approver reads it from the proof, where the document changes.
type correctionConsent struct {
	Document string `json:"document,omitempty"`
}

// correctionReason says why a correction is rejected.
type correctionReason struct {
	Reason string `json:"reason"`
}

func correctionRoutes() []route {
	const at = "/api/v1/corrections"
	photo := []answer{{200, "image/jpeg", "the photo"}}
	return keyedRoutes("certificates", []route{
		{Method: "POST", Path: "/api/v1/certificates/{number}/correction", Success: 201, Idempotent: withKey,
			Summary:     "Propose to correct name, document, photo or employer 更正",
			Description: "With proof. Another account of the institution or the authority approves it where the rules want a second person; then a new version is made under the same number and the old paper says superseded, offline too. Occupation, level, date of issue and institution are never corrected.",
			endpoint:    api((*Server).proposeCorrection)},
		{Method: "GET", Path: "/api/v1/certificates/{number}/photo", Summary: "The photo on its newest version", Answers: photo, endpoint: raw((*Server).certificatePhoto)},
		{Method: "GET", Path: at, Query: append([]parameter{{Name: "institution", Description: "id; the caller's own when absent"}}, paging...),
			Summary: "Corrections of an institution that wait for a second person", endpoint: api((*Server).corrections)},
		{Method: "GET", Path: at + "/{id}", Summary: "One correction; while it is open with what it would change", endpoint: api((*Server).correction)},
		{Method: "GET", Path: at + "/{id}/photo", Summary: "The photo that an open correction would bring", Answers: photo, endpoint: raw((*Server).correctionPhoto)},
		{Method: "POST", Path: at + "/{id}/approval", Summary: "Approve a correction; its new version is signed at once",
			Description: "For another account than the proposer's. Asked again by the same account, it goes on with what was interrupted.", endpoint: api((*Server).approveCorrection)},
		{Method: "POST", Path: at + "/{id}/rejection", Summary: "Reject a correction with a reason", endpoint: api((*Server).rejectCorrection)},
		{Method: "POST", Path: at + "/{id}/withdrawal", Summary: "Take back one's own correction", endpoint: api((*Server).withdrawCorrection)},
	})
}

func (s *Server) proposeCorrection(c *call, in newCorrection) (registry.CorrectionRequest, error) {
	number, err := c.number()
	if err != nil {
		return registry.CorrectionRequest{}, err
	}
	photo, err := base64.StdEncoding.DecodeString(in.Photo)
	if err != nil {
		return registry.CorrectionRequest{}, fail.New(fail.Invalid, "correction", "the photo is not base64").In("照片应以 base64 提交").
			At(fail.Field{Name: "photo", Code: "form", ZH: "应为 base64", EN: "base64 is expected"})
	}
	return s.reg.ProposeCorrection(c.ctx, c.by, number, registry.NewCorrection{Name: in.Name, DocumentKind: in.DocumentKind, Document: in.Document,
		Employer: in.Employer, Photo: photo, Proofs: in.Proofs, Basis: in.Basis, Reason: in.Reason, Other: in.named()})
}

func (s *Server) corrections(c *call, _ none) (list[registry.CorrectionView], error) {
	institution, err := c.query("institution")
	if err != nil {
		return list[registry.CorrectionView]{}, err
	}
	if institution == "" {
		institution = c.by.Organisation
	}
	if institution == "" || len(institution) > 128 {
		return list[registry.CorrectionView]{}, fail.New(fail.Invalid, "institution", "say whose corrections: ?institution=").In("请在 institution 参数中写明机构").
			At(fail.Field{Name: "institution", Code: "required", ZH: "请填写机构标识", EN: "the id of an institution"})
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.CorrectionView]{}, err
	}
	out, next, err := s.reg.Corrections(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}

func (s *Server) correction(c *call, _ none) (registry.CorrectionView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CorrectionView{}, err
	}
	return s.reg.CorrectionByID(c.ctx, c.by, id)
}

func (s *Server) approveCorrection(c *call, in correctionConsent) (registry.CorrectionRequest, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CorrectionRequest{}, err
	}
	return s.reg.ApproveCorrection(c.ctx, c.by, id, in.Document)
}

func (s *Server) rejectCorrection(c *call, in correctionReason) (registry.CorrectionRequest, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CorrectionRequest{}, err
	}
	return s.reg.RejectCorrection(c.ctx, c.by, id, in.Reason)
}

func (s *Server) withdrawCorrection(c *call, _ none) (registry.CorrectionRequest, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.CorrectionRequest{}, err
	}
	return s.reg.WithdrawCorrection(c.ctx, c.by, id)
}

func (s *Server) correctionPhoto(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	photo, err := s.reg.CorrectionPhoto(c.ctx, c.by, id)
	if err != nil {
		return err
	}
	return c.photo(photo)
}

func (s *Server) certificatePhoto(c *call) error {
	number, err := c.number()
	if err != nil {
		return err
	}
	photo, err := s.reg.CertificatePhoto(c.ctx, c.by, number)
	if err != nil {
		return err
	}
	return c.photo(photo)
}

// photo answers a photo that nobody may keep.
func (c *call) photo(jpeg []byte) error {
	c.fiber.Set("Content-Type", "image/jpeg")
	c.fiber.Set("Cache-Control", "no-store")
	return c.fiber.Send(jpeg)
}
