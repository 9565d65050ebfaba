package main

import (
	"fmt"

	"bajigong/evaluators"
	"bajigong/evaluators/examiners"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/standards"
)

// demoCrew are the people of one institution's sessions.
type demoCrew struct {
	panel     []string // 考评员 or 高级考评员
	staff     []string // 考务人员
	inside    string   // 内督
	inspector string   // 外督, of the authority
}

// roomSeats is how many candidates sit in a room of the demonstration, with two
// invigilators.
const roomSeats = 30

// crew registers the people of an institution: a panel of three for its
// occupations, staff for so many rooms, and a supervisor of its own.
func (s *story) crew(x *demoIssuer, n, rooms int) error {
	at := 9000 + 100*n
	next := func() invented.Person { at++; return invented.PersonAt(at) }
	register := func(by registry.Actor, in registry.NewExaminer) (string, error) {
		p := next()
		in.Name, in.Document, in.From = p.Name, p.Document, s.today()
		v, err := s.reg.RegisterExaminer(s.ctx, by, in)
		return v.ID, err
	}
	kind, qualification := examiners.OrdinaryExaminer, "technician"
	if x.filing.Class == evaluators.Employer {
		kind, qualification = examiners.SeniorExaminer, "senior_technician"
	}
	for i := range 3 {
		in := registry.NewExaminer{Kind: kind, Region: "320583", Number: fmt.Sprintf("KP-%d-%03d", n, i+1), Occupations: x.filing.Occupations(),
			Qualification: &examiners.Qualification{Code: qualification, Document: fmt.Sprintf("演示职业证书〔2020〕%d号", i+1)}}
		if kind == examiners.SeniorExaminer {
			in.Practice = &examiners.Evidence{Since: "2022-01-01", Document: "考评员证卡"}
		}
		id, err := register(s.authority, in)
		if err != nil {
			return err
		}
		x.crew.panel = append(x.crew.panel, id)
	}
	for i := range 2 * rooms {
		id, err := register(x.Actor, registry.NewExaminer{Kind: examiners.Staff, Institution: x.inst.ID, Number: fmt.Sprintf("KW-%d-%03d", n, i+1)})
		if err != nil {
			return err
		}
		x.crew.staff = append(x.crew.staff, id)
	}
	var err error
	if x.crew.inside, err = register(x.Actor, registry.NewExaminer{Kind: examiners.InternalSupervisor, Institution: x.inst.ID, Number: fmt.Sprintf("ND-%d", n)}); err != nil {
		return err
	}
	x.crew.inspector, err = register(s.authority, registry.NewExaminer{Kind: examiners.ExternalSupervisor, Region: "320583", Number: fmt.Sprintf("WD-%d", n)})
	return err
}

// arrange names the people of a session 考务编排.
func (s *story) arrange(x session, planned registry.Session) error {
	plan := registry.NewArrangement{Plan: examiners.Plan{Internal: x.by.crew.inside, External: x.by.crew.inspector}}
	for i, id := range x.by.crew.panel {
		m := examiners.Member{Examiner: id, Chair: i == 0}
		plan.Panel = append(plan.Panel, m)
		if x.level >= standards.Technician {
			plan.Review = append(plan.Review, m)
		}
	}
	for room := 0; room*roomSeats < x.to-x.from; room++ {
		plan.Rooms = append(plan.Rooms, examiners.Room{Name: fmt.Sprintf("第%d考场", room+1), Seats: roomSeats, Invigilators: x.by.crew.staff[2*room : 2*room+2]})
	}
	v, err := s.reg.ArrangeSession(s.ctx, x.by.Actor, planned.ID, plan)
	if err != nil {
		return err
	}
	s.say("   编排：考评组 %d 人，考场 %d 个、监考 %d 人，内督、外督各 1 人", len(v.Panel), len(v.Rooms), 2*len(v.Rooms))
	return nil
}

// report files the supervisors' reports 督导报告; the authority's may have a
// finding.
func (s *story) report(x session, planned registry.Session) error {
	in := registry.NewReport{Overall: "sound"}
	for _, code := range []string{"plan", "place", "identity", "panel", "papers", "invigilation", "scoring", "recording"} {
		in.Items = append(in.Items, examiners.Answer{Code: code, Outcome: examiners.OK})
	}
	if _, err := s.reg.FileSupervisionReport(s.ctx, x.by.Actor, planned.ID, in); err != nil {
		return err
	}
	if x.finding != "" {
		in.Overall = "rectify"
		for i := range in.Items {
			if in.Items[i].Code == x.finding {
				in.Items[i] = examiners.Answer{Code: x.finding, Outcome: examiners.Found, Severity: "major", Text: "第3考场录像缺失 40 分钟"}
			}
		}
	}
	_, err := s.reg.FileSupervisionReport(s.ctx, s.authority, planned.ID, in)
	return err
}
