package web

import (
	"bajigong/evaluators/signs"
	"bajigong/registry"
)

// reviewFilters are the filters of the list of reviews.
var reviewFilters = []parameter{
	{Name: "region", Description: "GB/T 2260, with all under it; the caller's own when absent"},
	{Name: "institution", Description: "id"},
	{Name: "sign", Description: "kind of sign", Enum: kindNames()},
	{Name: "state", Description: "where the review stands", Enum: []string{"open", "looked", "dismissed", "case"}},
}

func kindNames() (out []string) {
	for _, k := range signs.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// reviewView is a review with the name of its sign for people.
type reviewView struct {
	signs.Review
	SignZH string `json:"sign_zh"`
	SignEN string `json:"sign_en"`
}

func viewOf(v signs.Review) reviewView { return reviewView{v, v.Sign.Chinese(), v.Sign.English()} }

func (s *Server) signRules(c *call, _ none) (signs.Rules, error) {
	region, err := c.query("region")
	if err != nil {
		return signs.Rules{}, err
	}
	return s.reg.SignRules(c.ctx, c.by, region)
}

func (s *Server) reviews(c *call, _ none) (list[reviewView], error) {
	var f registry.ReviewFilter
	var texts [4]string
	for i, name := range []string{"region", "institution", "sign", "state"} {
		text, err := c.query(name)
		if err != nil {
			return list[reviewView]{}, err
		}
		texts[i] = text
	}
	f.Region, f.Institution, f.Sign, f.State = texts[0], texts[1], signs.Kind(texts[2]), signs.ReviewState(texts[3])
	page, err := c.page(pageMost)
	if err != nil {
		return list[reviewView]{}, err
	}
	found, next, err := s.reg.Reviews(c.ctx, c.by, f, page)
	var out []reviewView
	for _, v := range found {
		out = append(out, viewOf(v))
	}
	return listOf(out, next), err
}

func (s *Server) review(c *call, _ none) (reviewView, error) {
	id, err := c.param("id")
	if err != nil {
		return reviewView{}, err
	}
	v, err := s.reg.ReviewByID(c.ctx, c.by, id)
	return viewOf(v), err
}

// dismissal is why a review is dismissed.
type dismissal struct {
	Reason string `json:"reason"`
}

// takeUp is the case that a review became.
type takeUp struct {
	Case   string `json:"case"`
	Reason string `json:"reason,omitempty"`
}

func (s *Server) stepReview(c *call, do signs.ReviewAction, reason, caseID string) (reviewView, error) {
	id, err := c.param("id")
	if err != nil {
		return reviewView{}, err
	}
	v, err := s.reg.StepReview(c.ctx, c.by, id, do, reason, caseID)
	return viewOf(v), err
}

func (s *Server) lookAtReview(c *call, _ none) (reviewView, error) {
	return s.stepReview(c, signs.ReviewLook, "", "")
}

func (s *Server) dismissReview(c *call, in dismissal) (reviewView, error) {
	return s.stepReview(c, signs.ReviewDismiss, in.Reason, "")
}

func (s *Server) takeUpReview(c *call, in takeUp) (reviewView, error) {
	return s.stepReview(c, signs.ReviewTakeUp, in.Reason, in.Case)
}

func (s *Server) announceDraw(c *call, in registry.NewDraw) (registry.Draw, error) {
	return s.reg.AnnounceDraw(c.ctx, c.by, in)
}

func (s *Server) draws(c *call, _ none) (list[registry.Draw], error) {
	region, err := c.query("region")
	if err != nil {
		return list[registry.Draw]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.Draw]{}, err
	}
	out, next, err := s.reg.Draws(c.ctx, c.by, region, page)
	return listOf(out, next), err
}

func (s *Server) draw(c *call, _ none) (registry.Draw, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Draw{}, err
	}
	return s.reg.DrawByID(c.ctx, c.by, id)
}

// publicSeed is the value that the announcement of a draw named; empty when the
// seed is the log's root.
type publicSeed struct {
	PublicValue string `json:"public_value,omitempty"`
}

func (s *Server) seedDraw(c *call, in publicSeed) (registry.Draw, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Draw{}, err
	}
	return s.reg.SeedDraw(c.ctx, c.by, id, in.PublicValue)
}

func (s *Server) drawProof(c *call, _ none) (registry.DrawProof, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.DrawProof{}, err
	}
	return s.reg.DrawProof(c.ctx, id)
}

func (s *Server) inspectionsOfDraw(c *call, _ none) (list[signs.Inspection], error) {
	id, err := c.param("id")
	if err != nil {
		return list[signs.Inspection]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[signs.Inspection]{}, err
	}
	out, next, err := s.reg.InspectionsOfDraw(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

func (s *Server) inspectionsOfInstitution(c *call, _ none) (list[signs.Inspection], error) {
	id, err := c.param("id")
	if err != nil {
		return list[signs.Inspection]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[signs.Inspection]{}, err
	}
	out, next, err := s.reg.InspectionsOfInstitution(c.ctx, c.by, id, page)
	return listOf(out, next), err
}

// inspectionAt reads which inspection a path is about.
func inspectionAt(c *call) (draw, session string, err error) {
	if draw, err = c.param("id"); err != nil {
		return "", "", err
	}
	session, err = c.param("session")
	return draw, session, err
}

func (s *Server) inspection(c *call, _ none) (signs.Inspection, error) {
	draw, session, err := inspectionAt(c)
	if err != nil {
		return signs.Inspection{}, err
	}
	return s.reg.InspectionByID(c.ctx, c.by, draw, session)
}

func (s *Server) enterInspection(c *call, in signs.Finding) (signs.Inspection, error) {
	draw, session, err := inspectionAt(c)
	if err != nil {
		return signs.Inspection{}, err
	}
	return s.reg.EnterInspection(c.ctx, c.by, draw, session, in)
}

// inspectionAnswer is what the institution says to a result.
type inspectionAnswer struct {
	Answer string `json:"answer"`
}

func (s *Server) answerInspection(c *call, in inspectionAnswer) (signs.Inspection, error) {
	draw, session, err := inspectionAt(c)
	if err != nil {
		return signs.Inspection{}, err
	}
	return s.reg.AnswerInspection(c.ctx, c.by, draw, session, in.Answer)
}

func (s *Server) publishInspection(c *call, _ none) (signs.Inspection, error) {
	draw, session, err := inspectionAt(c)
	if err != nil {
		return signs.Inspection{}, err
	}
	return s.reg.PublishInspection(c.ctx, c.by, draw, session)
}

func (s *Server) publishedInspections(c *call, _ none) (list[registry.PublishedInspection], error) {
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.PublishedInspection]{}, err
	}
	out, next, err := s.reg.PublishedInspections(c.ctx, page)
	return listOf(out, next), err
}
