package evaluators_test

import (
	"testing"

	"bajigong/evaluators"
	"bajigong/internal/invented"
	"bajigong/standards"
)

func employer() evaluators.Filing {
	f := filing()
	f.Class = evaluators.Employer
	return f
}

// Rule E10: class Y examines its own people, and those a recorded decision adds.
func TestAdmitsEmployer(t *testing.T) {
	own, member, stranger := invented.USCC(1), invented.USCC(2), invented.USCC(3)
	f, err := employer().AdmitGroup(evaluators.AdmittedGroup{Kind: evaluators.GroupCompanies, Members: []string{" " + member}, From: "2026-03-10", Until: "2026-12-31", Document: "苏人社函〔2026〕8号"}, at("2026-03-05 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		f        evaluators.Filing
		employer string
		on       standards.Date
		known    string
		code     string // empty: admitted
	}{
		{"own people", f, own, "2026-03-01", "2026-06-01 09:00", ""},
		{"nobody named", f, "", "2026-03-10", "2026-06-01 09:00", "employer_missing"},
		{"first day of the decision", f, member, "2026-03-10", "2026-06-01 09:00", ""},
		{"the day before", f, member, "2026-03-09", "2026-06-01 09:00", "not_own_people"},
		{"last day", f, member, "2026-12-31", "2027-06-01 09:00", ""},
		{"the day after", f, member, "2027-01-01", "2027-06-01 09:00", "not_own_people"},
		{"the second before it is recorded", f, member, "2026-03-10", "2026-03-05 08:59", "not_own_people"},
		{"a stranger", f, stranger, "2026-03-10", "2026-06-01 09:00", "not_own_people"},
		{"class S examines the public", filing(), stranger, "2026-03-10", "2026-06-01 09:00", ""},
	} {
		ok, why := c.f.AdmitsEmployer(c.employer, own, c.on, at(c.known))
		if ok != (c.code == "") || why.Code != c.code || !ok && (why.ZH == "" || why.EN == "") {
			t.Errorf("%s: %v %+v", c.name, ok, why)
		}
	}
	n, _ := standards.ParseLevelNumber("Y000032058300263000001")
	face := evaluators.Face{Occupation: cook, Level: standards.Senior, ExamDate: "2026-03-10", Issued: "2026-03-25"}
	if ps := evaluators.CheckNumber(n, f, face); len(ps) != 0 {
		t.Errorf("without the institution's code nothing is asked: %v", ps)
	}
	face.Own, face.Employer = own, stranger
	if ps := evaluators.CheckNumber(n, f, face); len(ps) != 1 || ps[0].Rule != "E10" || ps[0].Name != "employer" {
		t.Errorf("a stranger: %v", ps)
	}
	face.Employer = member
	if ps := evaluators.CheckNumber(n, f, face); len(ps) != 0 {
		t.Errorf("a member: %v", ps)
	}
}

func TestAdmitGroupNamesEveryFault(t *testing.T) {
	now := at("2026-03-05 09:00")
	_, err := filing().AdmitGroup(evaluators.AdmittedGroup{}, now)
	wantConflict(t, err, "class")
	_, err = employer().AdmitGroup(evaluators.AdmittedGroup{}, now)
	wantFields(t, err, "group_invalid", "kind kind", "members count", "from date", "document missing")
	_, err = employer().AdmitGroup(evaluators.AdmittedGroup{Kind: evaluators.GroupChain, Members: []string{"x"}, From: "2026-03-10", Until: "2026-03-09", Document: "d"}, now)
	if err == nil {
		t.Error("a malformed code and dates the wrong way round pass")
	}
}

// 薪酬挂钩 and 试点认定, 苏人社发〔2018〕76号 三（三）1: what held on the day of issue, as
// it was known when the certificate was received.
func TestRecognised(t *testing.T) {
	f := employer()
	add := func(in evaluators.Recognition, now string) {
		t.Helper()
		in.Document = "苏人社函〔2026〕9号"
		var err error
		if f, err = f.Recognise(in, at(now)); err != nil {
			t.Fatal(err)
		}
	}
	add(evaluators.Recognition{Kind: evaluators.PayLinked, From: "2026-03-01", Until: "2027-02-28"}, "2026-03-05 09:00")
	add(evaluators.Recognition{Kind: evaluators.PilotRecognised, From: "2026-04-01"}, "2026-03-05 09:00")
	add(evaluators.Recognition{Kind: evaluators.PilotRecognised, Ended: true, From: "2026-06-01"}, "2026-06-10 09:00")
	for _, c := range []struct {
		k     evaluators.RecognitionKind
		on    standards.Date
		known string
		want  bool
	}{
		{evaluators.PayLinked, "2026-02-28", "2026-12-01 00:00", false}, {evaluators.PayLinked, "2026-03-01", "2026-12-01 00:00", true},
		{evaluators.PayLinked, "2027-02-28", "2027-12-01 00:00", true}, {evaluators.PayLinked, "2027-03-01", "2027-12-01 00:00", false},
		{evaluators.PayLinked, "2026-03-04", "2026-03-05 08:59", false},
		{evaluators.PilotRecognised, "2026-05-31", "2026-12-01 00:00", true}, {evaluators.PilotRecognised, "2026-06-01", "2026-12-01 00:00", false},
		{evaluators.PilotRecognised, "2026-06-01", "2026-06-10 08:59", true}, // what was answered before stands
	} {
		if by, got := f.Recognised(c.k, c.on, at(c.known)); got != c.want || got && by.Document == "" {
			t.Errorf("%s on %s as known %s: %v", c.k, c.on, c.known, got)
		}
	}
	_, err := f.Recognise(evaluators.Recognition{Kind: evaluators.PilotRecognised, Ended: true, From: "2026-07-01", Document: "d"}, at("2026-07-01 09:00"))
	wantConflict(t, err, "not_recognised")
	_, err = f.Recognise(evaluators.Recognition{Ended: true, Until: "2026-07-01"}, at("2026-07-01 09:00"))
	wantFields(t, err, "recognition_invalid", "from date", "kind kind", "until ended", "document missing")
	_, err = filing().Recognise(evaluators.Recognition{}, at("2026-07-01 09:00"))
	wantConflict(t, err, "class")
}
