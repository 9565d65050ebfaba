package web

import (
	"bajigong/internal/fail"
	"bajigong/registry"
)

func (s *Server) proposeAppointment(c *call, in registry.NewAppointment) (registry.Appointment, error) {
	return s.reg.ProposeAppointment(c.ctx, c.by, in)
}

func (s *Server) changeAppointment(c *call, in registry.AppointmentChange) (registry.Appointment, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Appointment{}, err
	}
	return s.reg.ChangeAppointment(c.ctx, c.by, id, in)
}

func (s *Server) appointments(c *call, _ none) (list[registry.AppointmentView], error) {
	institution, err := c.query("institution")
	if err != nil {
		return list[registry.AppointmentView]{}, err
	}
	if institution == "" {
		institution = c.by.Organisation
	}
	if institution == "" || len(institution) > 128 {
		return list[registry.AppointmentView]{}, fail.New(fail.Invalid, "institution", "say whose appointments: ?institution=").In("请在 institution 参数中写明单位").
			At(fail.Field{Name: "institution", Code: "required", ZH: "请填写机构标识", EN: "the id of an institution"})
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.AppointmentView]{}, err
	}
	out, next, err := s.reg.Appointments(c.ctx, c.by, institution, page)
	return listOf(out, next), err
}

func (s *Server) beginApprenticeship(c *call, in registry.NewApprentice) (registry.Apprentice, error) {
	return s.reg.BeginApprenticeship(c.ctx, c.by, in)
}

func (s *Server) endApprenticeship(c *call, in registry.ApprenticeChange) (registry.Apprentice, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.Apprentice{}, err
	}
	return s.reg.EndApprenticeship(c.ctx, c.by, id, in)
}

// personRequest names a person by a document; it is a body, so that no address
// or log has the number.
type personRequest struct {
	DocumentKind string `json:"document_kind,omitempty"`
	Document     string `json:"document"`
}

func (s *Server) personRecord(c *call, in personRequest) (registry.PersonRecord, error) {
	return s.reg.PersonByDocument(c.ctx, c.by, in.DocumentKind, in.Document)
}
