package web

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/standards"
)

// TestPeopleOfASession walks over HTTP from the cards to the report.
func TestPeopleOfASession(t *testing.T) {
	s := newSite(t)
	today := standards.DateOf(s.Clock.Now())
	n := 0
	register := func(as string, in registry.NewExaminer) string {
		n++
		p := invented.PersonAt(8000 + n)
		in.Number, in.Name, in.Document, in.From = fmt.Sprintf("ZK-%d", n), p.Name, p.Document, today
		return into[registry.ExaminerView](s.do(as, "POST", "/api/v1/examiners", in).want(201)).ID
	}
	var ids []string
	for range 4 {
		ids = append(ids, register("authority", registry.NewExaminer{Kind: examiners.OrdinaryExaminer, Region: "320583", Occupations: []string{"6-31-01-03"},
			Qualification: &examiners.Qualification{Code: "technician", Document: "S1"}}))
	}
	own := s.issuer.Institution.ID
	staff := []string{register("institution", registry.NewExaminer{Kind: examiners.Staff, Institution: own}), register("institution", registry.NewExaminer{Kind: examiners.Staff, Institution: own})}
	inside := register("institution", registry.NewExaminer{Kind: examiners.InternalSupervisor, Institution: own})

	if got := into[list[registry.ExaminerView]](s.get("institution", "/api/v1/examiners?occupation=6-31-01-03&level=senior").want(200)).Items; len(got) != 4 || !strings.HasSuffix(got[0].Name, "*") {
		t.Errorf("examiners %+v", got)
	}
	s.get("institution", "/api/v1/examiners?level=三级").problem(400, "level_unknown")
	s.get("institution", "/api/v1/examiners/"+ids[0]+"/ties").problem(403, "not_allowed")
	s.get("", "/api/v1/examiners").problem(401, "key_required")

	session := s.MustPlanFor(s.issuer, "6-31-01-03", standards.Senior)
	at := "/api/v1/sessions/" + session.ID
	plan := registry.NewArrangement{Plan: examiners.Plan{Panel: []examiners.Member{{Examiner: ids[0], Chair: true}, {Examiner: ids[1]}},
		Rooms: []examiners.Room{{Name: "一考场", Seats: 20, Invigilators: staff}}, Internal: inside}}
	p := s.do("institution", "POST", at+"/arrangement", plan).problem(400, "arrangement_refused")
	if len(p.Fields) != 2 || !strings.Contains(p.Fields[1].ZH, "鉴定考评人员管理工作规程") || !strings.Contains(p.Fields[1].ZH, "单数") {
		t.Errorf("fields %+v", p.Fields)
	}
	plan.Panel = append(plan.Panel, examiners.Member{Examiner: ids[2]})
	if v := into[registry.ArrangementView](s.do("institution", "POST", at+"/arrangement", plan).want(200)); v.N != 1 || len(v.People) != 6 || v.People[0].Name == "" {
		t.Errorf("arrangement %+v", v)
	}
	ties := "/api/v1/examiners/" + ids[3]
	s.do("authority", "POST", ties+"/avoidances", registry.NewAvoidance{Relation: "relative", Document: invented.PersonAt(5).Document, Basis: "本人申报"}).want(201)
	s.do("institution", "POST", ties+"/teaching", registry.NewTeaching{Session: session.ID, From: today, Basis: "授课协议"}).want(201)
	known := into[registry.TiesView](s.get("authority", ties+"/ties").want(200))
	if len(known.Avoidances) != 1 || len(known.Teaching) != 1 {
		t.Fatalf("ties %+v", known)
	}
	s.do("authority", "POST", ties+"/ties/end", registry.NewEnding{ID: known.Teaching[0].ID, Last: today, Basis: "结束"}).want(200)
	if v := into[registry.ExaminerView](s.do("authority", "POST", ties+"/suspension", newMeasure{Document: "决1号", Basis: "样例"}).want(200)); v.Status != examiners.Suspended {
		t.Errorf("%+v", v)
	} else {
		s.do("authority", "POST", ties+"/appeal", registry.ExaminerAppeal{Measure: v.Measures[0].ID, Step: "lodge", Document: "S-1"}).want(200)
	}
	s.do("authority", "POST", ties+"/restoration", newLift{Document: "决2号"}).want(200)
	s.do("authority", "POST", ties+"/renewal", newTerm{}).want(200)
	s.do("authority", "POST", ties+"/revocation", newMeasure{Document: "决3号", Basis: "样例"}).want(200)
	s.do("authority", "POST", ties+"/renewal", newTerm{}).problem(409, "card_state")

	report := registry.NewReport{Overall: "sound"}
	for _, code := range []string{"plan", "place", "identity", "panel", "papers", "invigilation", "scoring", "recording"} {
		report.Items = append(report.Items, examiners.Answer{Code: code, Outcome: examiners.OK})
	}
	s.do("institution", "POST", at+"/supervision", report).problem(409, "exam_not_held")
	s.Clock.Set(session.ExamDate.Time().Add(10 * time.Hour))
	s.do("institution", "POST", at+"/supervision", report).want(201)
	s.do("institution", "POST", at+"/arrangement", registry.NewArrangement{Plan: plan.Plan, Reason: "x"}).problem(409, "arrangement_closed")

	s.wantDocumented(map[string]string{
		"/api/v1/examiners": "/api/v1/examiners", "/api/v1/examiners/" + ids[3]: "/api/v1/examiners/{id}", ties + "/ties": "/api/v1/examiners/{id}/ties",
		at + "/arrangement": "/api/v1/sessions/{id}/arrangement", at + "/supervision": "/api/v1/sessions/{id}/supervision",
	})
}

// wantDocumented compares what the authority is answered with the document, and
// sees that no person's internal id is in it.
func (s *siteTest) wantDocumented(paths map[string]string) {
	s.t.Helper()
	doc := s.document()
	for path, route := range paths {
		r := s.documented(doc, "authority", path, route)
		if bytes.Contains(r.Body, []byte(`"person"`)) {
			s.t.Errorf("%s shows a person's internal id", path)
		}
	}
}
