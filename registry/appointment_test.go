package registry_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators/posts"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func post(institution string, level standards.Level) registry.NewAppointment {
	p := invented.PersonAt(7)
	return registry.NewAppointment{Institution: institution, Name: p.Name, Document: p.Document, Post: posts.Appointment{Occupation: "6-31-01-03", Level: level,
		Post: "电气首席岗", From: "2026-03-01", Review: posts.Defence, List: "苏人社公告〔2026〕1号", HeldSince: "2020-01-01", HeldProof: "S000032058301201000001"}}
}

func TestAppointmentsStandApartFromCertificates(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustEmploy(1)
	social := e.MustAdmit(2)
	_, err := e.ProposeAppointment(ctx, social.Actor, post(social.Institution.ID, standards.SpecialTechnician))
	wantCode(t, "a post at an institution that is no employer", err, "not_an_employer")
	unknown := post(by.Institution.ID, standards.SpecialTechnician)
	unknown.Post.Occupation = "8-99-99-99"
	_, err = e.ProposeAppointment(ctx, by.Actor, unknown)
	wantCode(t, "a post in an occupation that does not exist", err, "not_found")
	_, err = e.ProposeAppointment(ctx, by.Actor, post(by.Institution.ID, standards.ChiefTechnician))
	if got := fieldCodes(err); !slices.Contains(got, "0 held_since not_held") {
		t.Errorf("a chief who was no special technician: %v", err)
	}
	a, err := e.ProposeAppointment(ctx, by.Actor, post(by.Institution.ID, standards.SpecialTechnician))
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.ChangeAppointment(ctx, by.Actor, a.ID, registry.AppointmentChange{Do: "file", Document: "自备〔2026〕1号"})
	wantCode(t, "an employer filing for itself", err, "not_allowed")
	if a, err = e.ChangeAppointment(ctx, e.Authority, a.ID, registry.AppointmentChange{Do: "file", Document: "苏人社备〔2026〕8号"}); err != nil || a.Filed.Paper != posts.Listing {
		t.Fatalf("filed: %+v %v", a, err)
	}
	chief, err := e.ProposeAppointment(ctx, by.Actor, post(by.Institution.ID, standards.ChiefTechnician))
	if err != nil {
		t.Fatal(err)
	}
	if chief, err = e.ChangeAppointment(ctx, by.Actor, chief.ID, registry.AppointmentChange{Do: "withdraw", Reason: "材料需补充"}); err != nil || chief.State != posts.Withdrawn {
		t.Fatalf("withdrawn: %+v %v", chief, err)
	}
	if a, err = e.ChangeAppointment(ctx, by.Actor, a.ID, registry.AppointmentChange{Do: "end", On: "2026-03-02", Why: posts.Left}); err != nil || a.InForce("2026-03-02") {
		t.Fatalf("left: %+v %v", a, err)
	}
	p := invented.PersonAt(7)
	_, err = e.PersonByDocument(ctx, by.Actor, "", p.Document)
	wantCode(t, "an employer reading a person's record", err, "not_allowed")
	record, err := e.PersonByDocument(ctx, e.Authority, "", p.Document)
	if err != nil || len(record.Appointments) != 2 || len(record.Certificates) != 0 {
		t.Fatalf("record: %+v %v", record, err)
	}
	if b, _ := json.Marshal(record); strings.Contains(string(b), p.Document) || strings.Contains(string(b), p.Name) {
		t.Error("the record has the person's name or document")
	}
	list, _, err := e.Appointments(ctx, by.Actor, by.Institution.ID, registry.Page{})
	if err != nil || len(list) != 2 || list[0].Name != p.Name {
		t.Errorf("appointments: %+v %v", list, err)
	}
}

func TestApprenticeBecomesJunior(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustEmploy(1)
	p := invented.PersonAt(8)
	in := registry.NewApprentice{Institution: by.Institution.ID, Name: p.Name, Document: p.Document, Occupation: "6-31-01-03", From: "2025-03-01"}
	a, err := e.BeginApprenticeship(ctx, by.Actor, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.BeginApprenticeship(ctx, by.Actor, in)
	wantCode(t, "an apprentice twice", err, "apprentice_exists")
	_, err = e.EndApprenticeship(ctx, by.Actor, a.ID, registry.ApprenticeChange{Level: standards.Senior, On: "2026-03-01", Document: "远帆人〔2026〕1号"})
	wantCode(t, "an apprentice who becomes 高级工", err, "apprentice_invalid")
	if a, err = e.EndApprenticeship(ctx, by.Actor, a.ID, registry.ApprenticeChange{Level: standards.Junior, On: "2026-03-01", Document: "远帆人〔2026〕1号"}); err != nil || a.State != posts.Regularised {
		t.Fatalf("%+v %v", a, err)
	}
	_, err = e.EndApprenticeship(ctx, by.Actor, a.ID, registry.ApprenticeChange{On: "2026-03-02"})
	wantCode(t, "leaving after 转正定级", err, "apprentice_state")
}
