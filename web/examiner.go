package web

import (
	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// newTerm is a term that renews a card.
type newTerm struct {
	From     standards.Date `json:"from,omitempty"`  // the day after the last term, or today, when empty
	Until    standards.Date `json:"until,omitempty"` // as long as the rule allows when empty
	Document string         `json:"document,omitempty"`
}

// newMeasure is a suspension or revocation of a card.
type newMeasure struct {
	From     standards.Date `json:"from,omitempty"` // today when empty
	Until    standards.Date `json:"until,omitempty"`
	Document string         `json:"document"`
	Basis    string         `json:"basis"`
	Reason   string         `json:"reason,omitempty"`
}

// newLift ends the suspensions of a card.
type newLift struct {
	From     standards.Date `json:"from,omitempty"` // today when empty
	Document string         `json:"document"`
}

func (s *Server) registerExaminer(c *call, in registry.NewExaminer) (registry.ExaminerView, error) {
	return s.reg.RegisterExaminer(c.ctx, c.by, in)
}

func (s *Server) examiner(c *call, _ none) (registry.ExaminerView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ExaminerView{}, err
	}
	return s.reg.ExaminerByID(c.ctx, c.by, id)
}

func (s *Server) examiners(c *call, _ none) (list[registry.ExaminerView], error) {
	var q registry.ExaminerQuery
	var level string
	for name, into := range map[string]*string{"region": &q.Region, "institution": &q.Institution, "occupation": &q.Occupation, "level": &level} {
		value, err := c.query(name)
		if err != nil {
			return list[registry.ExaminerView]{}, err
		}
		if len(value) > 128 {
			return list[registry.ExaminerView]{}, queryError(name)
		}
		*into = value
	}
	if err := q.Level.UnmarshalText([]byte(level)); err != nil {
		return list[registry.ExaminerView]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.ExaminerView]{}, err
	}
	out, next, err := s.reg.Examiners(c.ctx, c.by, q, page)
	return listOf(out, next), err
}

func queryError(name string) error {
	return fail.New(fail.Invalid, "query", "the parameter %s cannot be read", name).In("参数 %s 无法识别", name).
		At(fail.Field{Name: name, Code: "form", ZH: "无法识别", EN: "cannot be read"})
}

func (s *Server) renewExaminer(c *call, in newTerm) (registry.ExaminerView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ExaminerView{}, err
	}
	return s.reg.RenewExaminer(c.ctx, c.by, id, examiners.Term{From: in.From, Until: in.Until, Document: in.Document})
}

// hitExaminer makes the handler of a suspension or revocation.
func hitExaminer(kind examiners.Action) func(*Server, *call, newMeasure) (registry.ExaminerView, error) {
	return func(s *Server, c *call, in newMeasure) (registry.ExaminerView, error) {
		id, err := c.param("id")
		if err != nil {
			return registry.ExaminerView{}, err
		}
		return s.reg.SuspendExaminer(c.ctx, c.by, id, examiners.Measure{Kind: kind, From: in.From, Until: in.Until, Document: in.Document, Basis: in.Basis, Reason: in.Reason})
	}
}

func (s *Server) restoreExaminer(c *call, in newLift) (registry.ExaminerView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ExaminerView{}, err
	}
	return s.reg.RestoreExaminer(c.ctx, c.by, id, examiners.Lift{From: in.From, Document: in.Document})
}

func (s *Server) appealExaminer(c *call, in registry.ExaminerAppeal) (registry.ExaminerView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ExaminerView{}, err
	}
	return s.reg.AppealExaminer(c.ctx, c.by, id, in)
}

func (s *Server) recordAvoidance(c *call, in registry.NewAvoidance) (registry.TiesView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.TiesView{}, err
	}
	return s.reg.RecordAvoidance(c.ctx, c.by, id, in)
}

func (s *Server) recordTeaching(c *call, in registry.NewTeaching) (registry.TiesView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.TiesView{}, err
	}
	return s.reg.RecordTeaching(c.ctx, c.by, id, in)
}

func (s *Server) endTie(c *call, in registry.NewEnding) (registry.TiesView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.TiesView{}, err
	}
	return s.reg.EndTie(c.ctx, c.by, id, in)
}

func (s *Server) examinerTies(c *call, _ none) (registry.TiesView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.TiesView{}, err
	}
	return s.reg.ExaminerTies(c.ctx, c.by, id)
}

func (s *Server) arrangeSession(c *call, in registry.NewArrangement) (registry.ArrangementView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ArrangementView{}, err
	}
	return s.reg.ArrangeSession(c.ctx, c.by, id, in)
}

func (s *Server) arrangement(c *call, _ none) (registry.ArrangementView, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.ArrangementView{}, err
	}
	return s.reg.ArrangementBySession(c.ctx, c.by, id)
}

func (s *Server) fileSupervision(c *call, in registry.NewReport) (examiners.Report, error) {
	id, err := c.param("id")
	if err != nil {
		return examiners.Report{}, err
	}
	return s.reg.FileSupervisionReport(c.ctx, c.by, id, in)
}

func (s *Server) supervision(c *call, _ none) (list[examiners.Report], error) {
	id, err := c.param("id")
	if err != nil {
		return list[examiners.Report]{}, err
	}
	out, err := s.reg.SupervisionReports(c.ctx, c.by, id)
	return listOf(out, ""), err
}

// examinerRoutes are the people of evaluations, and who serves in a session.
func examinerRoutes() []route {
	return append(keyedRoutes("authority", []route{
		{Method: "POST", Path: "/api/v1/examiners", Success: 201, Idempotent: withKey, Summary: "Register the card of an examiner, exam staff or a supervisor",
			Description: "Examiners and external supervisors are registered by the authority, exam staff and internal supervisors by their institution.", endpoint: api((*Server).registerExaminer)},
		{Method: "GET", Path: "/api/v1/examiners", Query: append([]parameter{{Name: "region", Description: "six digits, and all within it"}, {Name: "institution", Description: "the cards that it has registered"},
			{Name: "occupation", Description: "code"}, {Name: "level", Description: "cards that may examine it today", Enum: levelCodes()}}, paging...),
			Summary: "Cards of examiners, exam staff and supervisors", Description: "A page can be shorter than its limit and still have a next. An institution sees the names of its own people; others are masked.",
			endpoint: api((*Server).examiners)},
		{Method: "GET", Path: "/api/v1/examiners/{id}", Summary: "One card", endpoint: api((*Server).examiner)},
		{Method: "POST", Path: "/api/v1/examiners/{id}/renewal", Idempotent: withKey, Summary: "Renew a card 换证", endpoint: api((*Server).renewExaminer)},
		{Method: "POST", Path: "/api/v1/examiners/{id}/suspension", Idempotent: withKey, Summary: "Suspend a card 暂停", endpoint: api(hitExaminer(examiners.Suspension))},
		{Method: "POST", Path: "/api/v1/examiners/{id}/revocation", Idempotent: withKey, Summary: "Revoke a card 取消资格", endpoint: api(hitExaminer(examiners.Revocation))},
		{Method: "POST", Path: "/api/v1/examiners/{id}/restoration", Idempotent: withKey, Summary: "End the suspension of a card 恢复", endpoint: api((*Server).restoreExaminer)},
		{Method: "POST", Path: "/api/v1/examiners/{id}/appeal", Idempotent: withKey, Summary: "Record that an appeal 申诉 was lodged, upheld or overturned", endpoint: api((*Server).appealExaminer)},
		{Method: "POST", Path: "/api/v1/examiners/{id}/avoidances", Success: 201, Idempotent: withKey, Summary: "Record whom somebody avoids 回避", endpoint: api((*Server).recordAvoidance)},
		{Method: "POST", Path: "/api/v1/examiners/{id}/teaching", Success: 201, Idempotent: withKey, Summary: "Record where somebody teaches 考培分离", endpoint: api((*Server).recordTeaching)},
		{Method: "POST", Path: "/api/v1/examiners/{id}/ties/end", Idempotent: withKey, Summary: "Set the last day of a relation or teaching assignment", endpoint: api((*Server).endTie)},
		{Method: "GET", Path: "/api/v1/examiners/{id}/ties", Summary: "What keeps somebody from examining, for the authority", endpoint: api((*Server).examinerTies)},
	}), keyedRoutes("sessions", []route{
		{Method: "POST", Path: "/api/v1/sessions/{id}/arrangement", Summary: "Name who examines, invigilates and supervises 考务编排",
			Description: "Replaces an earlier arrangement until the day before the exam. A plan that breaks rules is refused with all of them, one field each, each with its source. The same plan again changes nothing.",
			endpoint:    api((*Server).arrangeSession)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/arrangement", Summary: "Who examines, invigilates and supervises", endpoint: api((*Server).arrangement)},
		{Method: "POST", Path: "/api/v1/sessions/{id}/supervision", Success: 201, Idempotent: withKey, Summary: "File a report 督导报告, as internal or external supervisor", endpoint: api((*Server).fileSupervision)},
		{Method: "GET", Path: "/api/v1/sessions/{id}/supervision", Summary: "The reports on a session", endpoint: api((*Server).supervision)},
	})...)
}
