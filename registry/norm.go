package registry

import (
	"bajigong/internal/kv"
	"bajigong/standards"
)

// partsOf are the parts and pass marks by which a session is decided.
func (r *Registry) partsOf(_ kv.Reader, s Session) ([]standards.Part, error) {
	return r.starter.Parts(s.Occupation, s.Trade, s.Level, s.ExamDate)
}
