package web

import (
	"testing"

	"bajigong/evaluators"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// TestFilingOverHTTP walks an application to a filing, and every change of it.
func TestFilingOverHTTP(t *testing.T) {
	s := newSite(t)
	today := standards.DateOf(s.Clock.Now())
	inst := into[struct{ ID string }](s.do("authority", "POST", "/api/v1/institutions", newInstitution{Name: "江南制造", USCC: invented.USCC(78), Region: "320583"}).want(201))
	account := into[registry.Account](s.do("authority", "POST", "/api/v1/accounts",
		registry.NewAccount{Name: "江南制造", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: inst.ID}).want(201))
	s.keys["maker"] = into[keyView](s.do("authority", "POST", "/api/v1/keys", newKey{Account: account.ID, Label: "考务", Days: 30}).want(201)).Secret

	form := evaluators.ApplicationForm{Class: evaluators.Employer, Province: "32", Authority: "320000", Scope: registrytest.Scope()[:1]}
	apply := "/api/v1/institutions/" + inst.ID + "/applications"
	s.do("institution", "POST", apply, form).problem(403, "not_allowed")
	a := into[evaluators.Application](s.do("maker", "POST", apply, form).want(201))
	at := "/api/v1/applications/" + a.ID
	s.do("maker", "POST", at+"/return", stepReason{"x"}).problem(403, "not_allowed")
	s.do("authority", "POST", at+"/return", stepReason{"请补场地证明"}).want(200)
	s.do("authority", "POST", at+"/admit", evaluators.Admission{}).problem(409, "application_state")
	s.do("maker", "POST", at+"/supplement", form).want(200)
	if l := into[list[evaluators.Application]](s.get("authority", "/api/v1/applications").want(200)); len(l.Items) != 1 {
		t.Errorf("%d to decide", len(l.Items))
	}
	s.do("authority", "POST", at+"/admit", evaluators.Admission{}).problem(400, "filing_invalid")
	adm := evaluators.Admission{Code: "0000", Site: "058378", From: today, Until: today.AddDays(900), Document: "苏人社备〔2026〕78号"}
	a = into[evaluators.Application](s.do("authority", "POST", at+"/admit", adm).want(200))
	s.do("maker", "POST", at+"/withdraw", stepReason{}).problem(409, "application_state")
	if got := into[evaluators.Application](s.get("maker", at).want(200)); got.State != evaluators.Admitted || len(got.History) != 3 {
		t.Errorf("application %+v", got)
	}
	s.get("institution", at).problem(403, "not_allowed")

	filing := "/api/v1/filings/" + a.Filing
	s.do("authority", "POST", filing+"/scope-changes", newScopeChange{Kind: evaluators.Extend, Items: registrytest.Scope()[1:], From: today, Document: "d"}).want(200)
	s.do("authority", "POST", filing+"/site-changes", newSiteChange{Site: "02", Kind: evaluators.OpenSite, Name: "二厂", Address: "示例路 2 号", From: today, Document: "d"}).want(200)
	s.do("authority", "POST", filing+"/groups", newGroup{Kind: evaluators.GroupChain, Members: []string{invented.USCC(79)}, From: today, Document: "d"}).want(200)
	s.do("authority", "POST", filing+"/recognitions", newRecognition{Kind: evaluators.PilotRecognised, From: today, Document: "d"}).want(200)
	s.do("authority", "POST", filing+"/authorities", newSupervision{From: today, Document: "d",
		Bodies: []evaluators.Body{{Relation: evaluators.RelationLocal, Region: "320500", ZH: "苏州市人社局", EN: "Suzhou bureau"}}}).want(200)
	v := into[registry.Filing](s.get("maker", filing).want(200))
	if v.StateZH != "已备案" || len(v.ScopeNow) != 2 || len(v.Sites) != 2 || len(v.Authorities) != 2 || v.Pilot == nil || v.PayLinked != nil {
		t.Errorf("filing %+v", v)
	}
	s.get("maker", filing+"?on=2026-02-30").problem(400, "date")
	s.do("authority", "POST", "/api/v1/institutions/"+inst.ID+"/names", newName{Name: "江南智造", From: today, Document: "d"}).want(200)
	s.do("authority", "POST", "/api/v1/institutions/"+inst.ID+"/readmission", newReadmission{Effective: today, Document: "d", Basis: "b"}).problem(409, "not_ended")
	b := into[evaluators.Application](s.do("maker", "POST", apply, form).want(201))
	s.do("authority", "POST", "/api/v1/applications/"+b.ID+"/refuse", refusalOf{Reason: "r", Basis: "b"}).want(200)
	if l := into[list[evaluators.Application]](s.get("maker", "/api/v1/applications?institution="+inst.ID).want(200)); len(l.Items) != 2 {
		t.Errorf("%d of its own", len(l.Items))
	}
}
