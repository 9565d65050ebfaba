package web

import (
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// An employer files its norm, the authority accepts it, and a session is planned
// by it, over HTTP alone.
func TestNormOverHTTP(t *testing.T) {
	s := newSite(t)
	today := standards.DateOf(s.Clock.Now())
	inst := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/institutions", newInstitution{Name: "示例机械厂", USCC: invented.USCC(78), Region: "320583"}).want(201))
	filed := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/filings", newFiling{Institution: inst.ID, Class: "Y", Code: "0000", Province: "32", Site: "070078", Authority: "320000",
		From: today, Until: today.AddDays(1000), Scope: registrytest.Scope(), Document: "苏人社备〔2026〕78号"}).want(201))
	s.account("works", registry.NewAccount{Name: "works", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: inst.ID})

	body := `{"filing":"` + filed.ID + `","name":"电工评价规范","occupation":"6-31-01-03","document":"厂技〔2026〕1号","from":"` + string(today) + `",
"parts":{"senior":[{"kind":"skill","name":"实操","pass":75}]}}`
	n := into[standards.Norm](s.do("works", "POST", "/api/v1/norms", body).want(201))
	if n.State != standards.NormFiled || n.Parts[standards.Senior][0].Pass != 75 {
		t.Errorf("norm %+v", n)
	}
	s.do("works", "POST", "/api/v1/norms", strings.Replace(body, `"pass":75`, `"pass":75,"weight":1`, 1)).want(400)
	p := s.do("works", "POST", "/api/v1/norms", strings.Replace(body, `"pass":75`, `"pass":175`, 1)).problem(400, "norm_invalid")
	if len(p.Fields) != 1 || p.Fields[0].Name != "parts.senior[0].pass" {
		t.Errorf("fields %+v", p.Fields)
	}
	s.do("institution", "GET", "/api/v1/norms/"+n.ID, nil).problem(403, "not_allowed")
	s.do("works", "POST", "/api/v1/norms/"+n.ID+"/decision", normDecision{Step: standards.NormAccept}).problem(403, "not_allowed")
	s.do("authority", "POST", "/api/v1/norms/"+n.ID+"/decision", normDecision{Step: "bless"}).problem(400, "norm_step")
	s.do("authority", "POST", "/api/v1/norms/"+n.ID+"/decision", normDecision{Step: standards.NormAccept}).want(200)
	s.do("authority", "POST", "/api/v1/norms/"+n.ID+"/decision", normDecision{Step: standards.NormAccept}).problem(409, "norm_state")
	session := into[registry.Session](s.do("works", "POST", "/api/v1/sessions", registry.NewSession{Name: "规范批次", Filing: filed.ID, Occupation: "6-31-01-03",
		Level: standards.Senior, ExamDate: today.AddDays(1), Norm: n.ID}).want(201))
	if session.Norm != n.ID || !strings.Contains(session.Standard, "第 1 版") {
		t.Errorf("session %+v", session)
	}
	all := into[list[standards.Norm]](s.get("works", "/api/v1/norms").want(200))
	if len(all.Items) != 1 || all.Items[0].ID != n.ID {
		t.Errorf("norms %+v", all)
	}
	s.get("authority", "/api/v1/norms").problem(400, "institution")
}
