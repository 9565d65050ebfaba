package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

const electrician = "6-31-01-03"

// crew is an institution with the people that a session needs: examiners 0 to 7,
// staff 0 to 3 and an internal supervisor, people 9000 and up of package invented.
type crew struct {
	*registrytest.Env
	t         testing.TB
	issuer    registrytest.Issuer
	examiners []string
	staff     []string
	inside    string
}

func newCrew(t testing.TB, n int, e *registrytest.Env) *crew {
	t.Helper()
	c := &crew{Env: e, t: t, issuer: e.MustAdmit(n)}
	for i := range 8 {
		c.examiners = append(c.examiners, c.mustRegister(e.Authority, c.examiner(fmt.Sprintf("KP-%d-%d", n, i), n*100+9000+i)))
	}
	for i := range 4 {
		c.staff = append(c.staff, c.mustRegister(c.issuer.Actor, c.own(examiners.Staff, fmt.Sprintf("KW-%d-%d", n, i), n*100+9020+i)))
	}
	c.inside = c.mustRegister(c.issuer.Actor, c.own(examiners.InternalSupervisor, fmt.Sprintf("ND-%d", n), n*100+9040))
	return c
}

func (c *crew) examiner(number string, person int) registry.NewExaminer {
	p := invented.PersonAt(person)
	return registry.NewExaminer{Kind: examiners.OrdinaryExaminer, Region: "320583", Number: number, Name: p.Name, Document: p.Document, Phone: "13900000000",
		Occupations: []string{electrician}, Qualification: &examiners.Qualification{Code: "technician", Document: "S0001"}, From: standards.DateOf(c.Clock.Now())}
}

func (c *crew) own(kind examiners.Kind, number string, person int) registry.NewExaminer {
	p := invented.PersonAt(person)
	return registry.NewExaminer{Kind: kind, Institution: c.issuer.Institution.ID, Number: number, Name: p.Name, Document: p.Document, From: standards.DateOf(c.Clock.Now())}
}

func (c *crew) mustRegister(by registry.Actor, in registry.NewExaminer) string {
	c.t.Helper()
	v, err := c.RegisterExaminer(ctx, by, in)
	if err != nil {
		c.t.Fatalf("register: %v %+v", err, fail.Of(err).Fields)
	}
	return v.ID
}

// plan has three examiners beginning with number from, the first in the chair.
func (c *crew) plan(from int) registry.NewArrangement {
	p := registry.NewArrangement{}
	for i := range 3 {
		p.Panel = append(p.Panel, examiners.Member{Examiner: c.examiners[from+i], Chair: i == 0})
	}
	p.Rooms = []examiners.Room{{Name: "一考场", Seats: 30, Invigilators: []string{c.staff[0], c.staff[1]}}}
	p.Internal = c.inside
	return p
}

// session plans a session with the exam in some days.
func (c *crew) session(days int) registry.Session {
	c.t.Helper()
	s, err := c.PlanSession(ctx, c.issuer.Actor, registry.NewSession{Name: "测试批次", Filing: c.issuer.Filing.ID, Occupation: electrician, Level: standards.Senior,
		ExamDate: standards.DateOf(c.Clock.Now()).AddDays(days)})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *crew) mustArrange(s registry.Session, in registry.NewArrangement) registry.ArrangementView {
	c.t.Helper()
	v, err := c.ArrangeSession(ctx, c.issuer.Actor, s.ID, in)
	if err != nil {
		c.t.Fatalf("arrange: %v %+v", err, fail.Of(err).Fields)
	}
	return v
}

// refused expects the plan to be refused with exactly these fields.
func (c *crew) refused(s registry.Session, in registry.NewArrangement, want ...string) {
	c.t.Helper()
	_, err := c.ArrangeSession(ctx, c.issuer.Actor, s.ID, in)
	wantRefusal(c.t, err, "arrangement_refused", want...)
}

func wantRefusal(t testing.TB, err error, code string, want ...string) {
	t.Helper()
	if fail.CodeOf(err) != code {
		t.Fatalf("%v, want %s", err, code)
	}
	var got []string
	for _, f := range fail.Of(err).Fields {
		got = append(got, f.Name+" "+f.Code)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func (c *crew) enrol(s registry.Session, person int, employer string) registry.PersonID {
	c.t.Helper()
	p, err := c.PersonOf(ctx, invented.PersonAt(person).Document)
	if err == nil {
		err = c.Enrol(ctx, s.ID, p, employer, true)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := c.Enrol(ctx, s.ID, p, employer, false); err != nil {
			c.t.Error(err)
		}
	})
	return p
}

func TestExaminerCard(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	id := c.examiners[0]
	p := invented.PersonAt(9100)

	v, err := e.ExaminerByID(ctx, e.Authority, id)
	if err != nil || v.Name != p.Name || v.Status != examiners.Valid || v.Phone == "" || v.Document == p.Document || v.Document == "" || v.Terms[0].Until != "2029-03-01" {
		t.Errorf("the authority sees %+v, %v", v, err)
	}
	v, err = e.ExaminerByID(ctx, c.issuer.Actor, id)
	if err != nil || v.Name == p.Name || v.Name == "" || v.Phone != "" || v.Document != "" {
		t.Errorf("an institution sees %+v, %v", v, err)
	}
	auditor := registry.Actor{Account: "a-audit", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}
	if v, err = e.ExaminerByID(ctx, auditor, id); err != nil || v.Name != "" {
		t.Errorf("an auditor sees %+v, %v", v, err)
	}
	if v, err = e.ExaminerByID(ctx, c.issuer.Actor, c.staff[0]); err != nil || v.Name != invented.PersonAt(9120).Name {
		t.Errorf("an institution sees of its own %+v, %v", v, err)
	}
	other := e.MustAdmit(2)
	if _, err = e.ExaminerByID(ctx, other.Actor, c.staff[0]); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("another institution reads its staff: %v", err)
	}
	far := other.Actor
	far.Region = "330100"
	if _, err = e.ExaminerByID(ctx, far, id); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an institution of another province: %v", err)
	}

	for name, one := range map[string]struct {
		by   registry.Actor
		in   func() registry.NewExaminer
		code string
	}{
		"an institution makes an examiner":  {c.issuer.Actor, func() registry.NewExaminer { return c.examiner("KP-9", 9500) }, "not_allowed"},
		"another institution's staff":       {other.Actor, func() registry.NewExaminer { return c.own(examiners.Staff, "KW-9", 9500) }, "not_allowed"},
		"a number in use":                   {e.Authority, func() registry.NewExaminer { return c.examiner("KP-1-0", 9500) }, "card_number_taken"},
		"the same person again":             {e.Authority, func() registry.NewExaminer { return c.examiner("KP-9", 9100) }, "card_exists"},
		"not qualified":                     {e.Authority, func() registry.NewExaminer { in := c.examiner("KP-9", 9500); in.Qualification = nil; return in }, "examiner_invalid"},
		"an identity number as card number": {e.Authority, func() registry.NewExaminer { return c.examiner(invented.PersonAt(1).Document, 9500) }, "examiner_invalid"},
		"no document":                       {e.Authority, func() registry.NewExaminer { in := c.examiner("KP-9", 9500); in.Document = "1"; return in }, "examiner_invalid"},
		"a telephone number that is none":   {e.Authority, func() registry.NewExaminer { in := c.examiner("KP-9", 9500); in.Phone = "call me"; return in }, "examiner_invalid"},
	} {
		if _, err := e.RegisterExaminer(ctx, one.by, one.in()); fail.CodeOf(err) != one.code {
			t.Errorf("%s: %v, want %s", name, err, one.code)
		}
	}

	suspend := examiners.Measure{Kind: examiners.Suspension, Until: "2026-06-30", Document: "苏人社决1号", Basis: "样例"}
	if _, err := e.SuspendExaminer(ctx, c.issuer.Actor, id, suspend); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an institution suspends: %v", err)
	}
	if v, err = e.SuspendExaminer(ctx, e.Authority, id, suspend); err != nil || v.Status != examiners.Suspended {
		t.Errorf("%+v %v", v, err)
	}
	if _, err = e.RenewExaminer(ctx, e.Authority, id, examiners.Term{}); fail.CodeOf(err) != "card_state" {
		t.Errorf("renewed while suspended: %v", err)
	}
	if v, err = e.AppealExaminer(ctx, e.Authority, id, registry.ExaminerAppeal{Measure: v.Measures[0].ID, Step: "lodge", Document: "S-1"}); err != nil {
		t.Error(err)
	}
	if v, err = e.AppealExaminer(ctx, e.Authority, id, registry.ExaminerAppeal{Measure: v.Measures[0].ID, Step: "overturn", Document: "S-2"}); err != nil || v.Status != examiners.Valid {
		t.Errorf("%+v %v", v, err)
	}
	if v, err = e.SuspendExaminer(ctx, e.Authority, id, suspend); err != nil {
		t.Error(err)
	}
	if v, err = e.RestoreExaminer(ctx, e.Authority, id, examiners.Lift{Document: "苏人社决2号"}); err != nil || v.Status != examiners.Valid {
		t.Errorf("%+v %v", v, err)
	}
	if v, err = e.RenewExaminer(ctx, c.issuer.Actor, c.staff[0], examiners.Term{}); err != nil || len(v.Terms) != 2 {
		t.Errorf("an institution renews its staff: %+v %v", v, err)
	}
}

func TestRegisterOnce(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	by := e.Authority
	by.Idempotency = registry.Idempotency{Route: "POST /api/v1/examiners", Key: "k", Body: []byte("h")}
	first := c.mustRegister(by, c.examiner("KP-9", 9500))
	if again := c.mustRegister(by, c.examiner("KP-9", 9500)); again != first {
		t.Errorf("%s and %s", first, again)
	}
}

func TestExaminersByPlaceOccupationAndLevel(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	in := c.examiner("GK-1", 9600)
	in.Kind, in.Region, in.Qualification.Code = examiners.SeniorExaminer, "320100", "senior_technician"
	in.Practice = &examiners.Evidence{Since: "2020-01-01", Document: "KP-old"}
	nanjing := c.mustRegister(e.Authority, in)
	count := func(by registry.Actor, q registry.ExaminerQuery) (n int) {
		t.Helper()
		for page := (registry.Page{Limit: 3}); ; {
			got, next, err := e.Examiners(ctx, by, q, page)
			if err != nil {
				t.Fatal(err)
			}
			if n += len(got); next == "" {
				return n
			}
			page.Cursor = next
		}
	}
	suzhou := e.Authority
	suzhou.Region = "320500"
	for name, one := range map[string]struct {
		by   registry.Actor
		q    registry.ExaminerQuery
		want int
	}{
		"the province, with staff":         {e.Authority, registry.ExaminerQuery{}, 14},
		"Suzhou":                           {suzhou, registry.ExaminerQuery{}, 13},
		"Nanjing":                          {e.Authority, registry.ExaminerQuery{Region: "320100"}, 1},
		"electricians":                     {e.Authority, registry.ExaminerQuery{Occupation: electrician}, 9},
		"electricians of Suzhou":           {suzhou, registry.ExaminerQuery{Occupation: electrician}, 8},
		"cooks":                            {e.Authority, registry.ExaminerQuery{Occupation: "4-03-02-01"}, 0},
		"二级":                               {e.Authority, registry.ExaminerQuery{Occupation: electrician, Level: standards.Technician}, 1},
		"三级":                               {e.Authority, registry.ExaminerQuery{Level: standards.Senior}, 9},
		"an institution: without others'":  {c.issuer.Actor, registry.ExaminerQuery{}, 14},
		"another one: no staff of others'": {e.MustAdmit(2).Actor, registry.ExaminerQuery{}, 9},
		"its own cards":                    {c.issuer.Actor, registry.ExaminerQuery{Institution: c.issuer.Institution.ID}, 5},
	} {
		if got := count(one.by, one.q); got != one.want {
			t.Errorf("%s: %d, want %d", name, got, one.want)
		}
	}
	if _, _, err := e.Examiners(ctx, suzhou, registry.ExaminerQuery{Region: "320100"}, registry.Page{}); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("Suzhou reads Nanjing: %v", err)
	}
	if _, err := e.ExaminerByID(ctx, suzhou, nanjing); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("Suzhou reads Nanjing: %v", err)
	}
}

// 鉴定考评人员管理工作规程: at most three in a row at one institution.
func TestRotation(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	neighbour := newCrew(t, 2, e)
	for i := range 3 {
		s := c.session(2 + i)
		c.mustArrange(s, c.plan(0))
		// What it replaces is not one more of the row.
		smaller := c.plan(0)
		smaller.Rooms[0].Seats, smaller.Reason = 20, "考场调整"
		c.mustArrange(s, smaller)
	}
	fourth := c.session(10)
	c.refused(fourth, c.plan(0), "panel[0] in_a_row", "panel[1] in_a_row", "panel[2] in_a_row")
	c.refused(fourth, c.plan(2), "panel[0] in_a_row")
	// Another institution's sessions are another row.
	s := neighbour.session(11)
	theirs := neighbour.plan(0)
	theirs.Panel = c.plan(0).Panel
	neighbour.mustArrange(s, theirs)
	// A session without them ends the row.
	c.mustArrange(fourth, c.plan(3))
	fifth := c.session(12)
	c.mustArrange(fifth, c.plan(0))
	// To fill the gap afterwards would make it five.
	again := c.plan(0)
	again.Reason = "调整"
	c.refused(fourth, again, "panel[0] in_a_row", "panel[1] in_a_row", "panel[2] in_a_row")

	// The fourth session, arranged without them, passes and no results come: it
	// ends no row, until they do.
	e.Clock.Set(fifth.ExamDate.AddDays(1).Time().Add(time.Hour))
	sixth, seventh := c.session(3), c.session(5)
	c.refused(sixth, c.plan(0), "panel[0] in_a_row", "panel[1] in_a_row", "panel[2] in_a_row")
	e.MustPublicise(c.issuer, fourth, registrytest.CSV(0, 2))
	e.Clock.Set(fifth.ExamDate.AddDays(1).Time().Add(2 * time.Hour))
	c.mustArrange(sixth, c.plan(0))
	c.mustArrange(seventh, c.plan(0))
	c.refused(c.session(6), c.plan(0), "panel[0] in_a_row", "panel[1] in_a_row", "panel[2] in_a_row")
}

// However many sessions an institution has held, one more reads three of them.
func TestRotationReadsFew(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	var last registry.Session
	for i := range 24 {
		last = c.session(2 + i)
		c.mustArrange(last, c.plan(i%2*3))
	}
	person, err := e.PersonOf(ctx, invented.PersonAt(9100).Document)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := e.HeldBefore(ctx, last, person); err != nil || n != 3 {
		t.Errorf("%d sessions read, %v", n, err)
	}
}

func TestAvoidance(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	s := c.session(10)
	student := c.enrol(s, 1, "91350100M000100Y43")
	avoid := registry.NewAvoidance{Relation: "student", Document: invented.PersonAt(1).Document, Basis: "本人申报"}
	v, err := e.RecordAvoidance(ctx, c.issuer.Actor, c.examiners[1], avoid)
	if err != nil || len(v.Avoidances) != 0 {
		t.Errorf("an institution sees what others recorded: %+v %v", v, err)
	}
	c.refused(s, c.plan(0), "panel[1] avoidance")
	if v, err = e.ExaminerTies(ctx, e.Authority, c.examiners[1]); err != nil || len(v.Avoidances) != 1 {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := e.ExaminerTies(ctx, c.issuer.Actor, c.examiners[1]); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an institution reads ties: %v", err)
	}
	end := registry.NewEnding{ID: v.Avoidances[0].ID, Last: v.Avoidances[0].From.AddDays(-1), Basis: "误录"}
	if _, err := e.EndTie(ctx, c.issuer.Actor, c.examiners[1], end); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an institution ends it: %v", err)
	}
	if _, err := e.EndTie(ctx, e.Authority, c.examiners[1], end); err != nil {
		t.Error(err)
	}
	c.mustArrange(s, c.plan(0))

	// Recorded after the arrangement: persons added later, and the session itself.
	avoid.Document = invented.PersonAt(2).Document
	if _, err := e.RecordAvoidance(ctx, e.Authority, c.examiners[2], avoid); err != nil {
		t.Fatal(err)
	}
	two, err := e.PersonOf(ctx, invented.PersonAt(2).Document)
	if err != nil {
		t.Fatal(err)
	}
	examiner, err := e.PersonOf(ctx, invented.PersonAt(9100).Document)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := e.Conflicts(ctx, s, []registry.PersonID{student, examiner, two})
	if err != nil || len(bad) != 2 || bad[0].Row != 2 || bad[0].Code != "own_session" || bad[1].Row != 3 || bad[1].Code != "avoidance" {
		t.Errorf("%+v %v", bad, err)
	}
	if err := e.Arranged(ctx, s); err != nil {
		t.Errorf("arranged: %v", err)
	}
	c.enrol(s, 2, "")
	wantRefusal(t, e.Arranged(ctx, s), "session_not_arranged", "panel[2] avoidance")

	// An organisation: the institution itself, or an employer of candidates.
	for _, uscc := range []string{c.issuer.Institution.USCC, "91350100M000100Y43"} {
		if _, err := e.RecordAvoidance(ctx, e.Authority, c.examiners[5], registry.NewAvoidance{Relation: "organisation", USCC: uscc, Basis: "本人申报"}); err != nil {
			t.Fatal(err)
		}
	}
	in := c.plan(3)
	in.Reason = "调整"
	c.refused(s, in, "panel[2] avoidance", "panel[2] avoidance")
}

func TestTeachingAndExaminingApart(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	s, other := c.session(10), c.session(11)
	teach := registry.NewTeaching{Session: s.ID, From: "2026-03-02", Basis: "授课协议"}
	if _, err := e.RecordTeaching(ctx, c.issuer.Actor, c.examiners[0], teach); err != nil {
		t.Fatal(err)
	}
	if _, err := e.RecordTeaching(ctx, c.issuer.Actor, c.examiners[0], registry.NewTeaching{Session: "s-none", From: "2026-03-02", Basis: "授课协议"}); fail.KindOf(err) != fail.NotFound {
		t.Errorf("a session that is not there: %v", err)
	}
	c.refused(s, c.plan(0), "panel[0] teaching")
	c.mustArrange(other, c.plan(0))
	if _, err := e.RecordTeaching(ctx, e.Authority, c.examiners[1], registry.NewTeaching{Institution: c.issuer.Institution.ID, From: "2026-03-02", Until: "2026-03-05", Basis: "授课协议"}); err != nil {
		t.Fatal(err)
	}
	c.refused(s, c.plan(0), "panel[0] teaching", "panel[1] teaching")
}

func TestArrangementHasAHistory(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	s := c.session(3)
	if _, err := e.ArrangementBySession(ctx, c.issuer.Actor, s.ID); fail.KindOf(err) != fail.NotFound {
		t.Errorf("before it is arranged: %v", err)
	}
	wantRefusal(t, e.Arranged(ctx, s), "session_not_arranged", "arrangement missing")
	first := c.mustArrange(s, c.plan(0))
	if first.N != 1 || first.Seats != 30 || len(first.People) != 6 || first.People[0].Name != invented.PersonAt(9100).Name {
		t.Errorf("%+v", first)
	}
	if again := c.mustArrange(s, c.plan(0)); again.N != 1 {
		t.Errorf("the same plan counts again: %d", again.N)
	}
	c.refused(s, c.plan(1), "reason missing")
	next := c.plan(1)
	next.Reason = "一名考评员生病"
	if v := c.mustArrange(s, next); v.N != 2 || len(v.Past) != 1 || v.Past[0].Panel[0].Examiner != c.examiners[0] {
		t.Errorf("%+v", v)
	}
	if _, err := e.ArrangeSession(ctx, e.MustAdmit(2).Actor, s.ID, next); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("another institution: %v", err)
	}
	auditor := registry.Actor{Account: "a-audit", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}
	if v, err := e.ArrangementBySession(ctx, auditor, s.ID); err != nil || v.People[0].Name != "" || v.People[0].Number == "" {
		t.Errorf("an auditor sees %+v, %v", v, err)
	}
	// Suspended before the exam: the session is not arranged any more. What is
	// recorded after the exam day refuses nothing.
	e.Clock.Set(s.ExamDate.AddDays(-1).Time().Add(9 * time.Hour))
	if _, err := e.SuspendExaminer(ctx, e.Authority, c.examiners[1], examiners.Measure{Kind: examiners.Suspension, Document: "决1号", Basis: "样例"}); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, e.Arranged(ctx, s), "session_not_arranged", "panel[0] card_suspended")
	last := c.plan(3)
	last.Reason = "一名考评员被暂停"
	c.mustArrange(s, last)
	e.Clock.Set(s.ExamDate.Time().Add(time.Hour))
	if _, err := e.ArrangeSession(ctx, c.issuer.Actor, s.ID, next); fail.CodeOf(err) != "arrangement_closed" {
		t.Errorf("on the exam day: %v", err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(time.Hour))
	if _, err := e.SuspendExaminer(ctx, e.Authority, c.examiners[3], examiners.Measure{Kind: examiners.Suspension, From: s.ExamDate, Document: "决2号", Basis: "样例"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Arranged(ctx, s); err != nil {
		t.Errorf("after the exam: %v", err)
	}
}

// Every broken rule is listed at once, and one person is at one institution a day.
func TestAllBrokenRulesAtOnce(t *testing.T) {
	e := registrytest.New(t)
	c, neighbour := newCrew(t, 1, e), newCrew(t, 2, e)
	mine, theirs := c.session(5), neighbour.session(5)
	c.mustArrange(mine, c.plan(0))
	in := neighbour.plan(0)
	in.Panel = []examiners.Member{{Examiner: c.examiners[0], Chair: true}, {Examiner: c.staff[3]}}
	in.Rooms[0].Seats = 31
	in.Internal = ""
	neighbour.refused(theirs, in, "panel too_few", "panel even", "rooms[0].invigilators too_few", "internal_supervisor missing", "panel[0] same_day", "panel[1] wrong_kind")
}

func TestSupervisionReports(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	s := c.session(1)
	c.mustArrange(s, c.plan(0))
	report := registry.NewReport{Overall: "rectify"}
	for _, code := range []string{"plan", "place", "identity", "panel", "papers", "invigilation", "scoring", "recording"} {
		report.Items = append(report.Items, examiners.Answer{Code: code, Outcome: examiners.OK})
	}
	report.Items[5] = examiners.Answer{Code: "invigilation", Outcome: examiners.Found, Severity: "major", Text: "监考人员中途离场"}
	if _, err := e.FileSupervisionReport(ctx, c.issuer.Actor, s.ID, report); fail.CodeOf(err) != "exam_not_held" {
		t.Errorf("before the exam: %v", err)
	}
	wantRefusal(t, e.Supervised(ctx, s), "session_not_supervised", "internal_supervisor missing")
	e.Clock.Set(s.ExamDate.Time().Add(10 * time.Hour))
	for name, one := range map[string]struct {
		by   registry.Actor
		edit func(*registry.NewReport)
		code string
	}{
		"another institution":        {e.MustAdmit(2).Actor, func(*registry.NewReport) {}, "not_allowed"},
		"nobody":                     {registry.Actor{}, func(*registry.NewReport) {}, "key_required"},
		"no external supervisor":     {e.Authority, func(*registry.NewReport) {}, "no_supervisor"},
		"not the one named":          {c.issuer.Actor, func(p *registry.NewReport) { p.Supervisor = c.staff[0] }, "report_invalid"},
		"an item left out":           {c.issuer.Actor, func(p *registry.NewReport) { p.Items = p.Items[1:] }, "report_invalid"},
		"an identity number in text": {c.issuer.Actor, func(p *registry.NewReport) { p.Text = "考生 " + invented.PersonAt(3).Document + " 替考" }, "report_invalid"},
	} {
		in := report
		one.edit(&in)
		if _, err := e.FileSupervisionReport(ctx, one.by, s.ID, in); fail.CodeOf(err) != one.code {
			t.Errorf("%s: %v, want %s", name, err, one.code)
		}
	}
	by := c.issuer.Actor
	by.Idempotency = registry.Idempotency{Route: "POST", Key: "k", Body: []byte("h")}
	got, err := e.FileSupervisionReport(ctx, by, s.ID, report)
	if err != nil || got.Side != examiners.SideInternal || got.Supervisor != c.inside || len(got.Findings) != 1 || got.Findings[0].Report != got.ID || got.Findings[0].Severity != "major" {
		t.Fatalf("%+v %v", got, err)
	}
	if again, err := e.FileSupervisionReport(ctx, by, s.ID, report); err != nil || again.ID != got.ID {
		t.Errorf("%+v %v", again, err)
	}
	if err := e.Supervised(ctx, s); err != nil {
		t.Error(err)
	}
	outside := c.examiner("WD-1", 9700)
	outside.Kind, outside.Occupations, outside.Qualification = examiners.ExternalSupervisor, nil, nil
	outside.From = standards.DateOf(e.Clock.Now()).AddDays(-1)
	report.Supervisor = c.mustRegister(e.Authority, outside)
	if got, err = e.FileSupervisionReport(ctx, e.Authority, s.ID, report); err != nil || got.Side != examiners.SideExternal {
		t.Errorf("%+v %v", got, err)
	}
	if reports, err := e.SupervisionReports(ctx, c.issuer.Actor, s.ID); err != nil || len(reports) != 2 {
		t.Errorf("%d reports, %v", len(reports), err)
	}
}

// The store file has no name, document or telephone number of anybody in it.
func TestExaminersAreSealed(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt}) // its file is read
	c := newCrew(t, 1, e)
	s := c.session(5)
	c.mustArrange(s, c.plan(0))
	if _, err := e.RecordAvoidance(ctx, e.Authority, c.examiners[1], registry.NewAvoidance{Relation: "relative", Document: invented.PersonAt(77).Document, Basis: "本人申报"}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte("KP-1-0")) {
		t.Fatal("the search looks at the wrong file")
	}
	for _, i := range []int{9100, 9101, 9120, 9140, 77} {
		mustNotHold(t, raw, invented.PersonAt(i))
	}
	if bytes.Contains(raw, []byte("13900000000")) {
		t.Error("a telephone number is in the store file")
	}
}

// A function may run more than once; nothing is counted twice.
func TestArrangeRerun(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	c := newCrew(t, 1, e)
	s := c.session(5)
	if v := c.mustArrange(s, c.plan(0)); v.N != 1 {
		t.Errorf("n %d", v.N)
	}
	next := c.plan(1)
	next.Reason = "调整"
	if v := c.mustArrange(s, next); v.N != 2 || len(v.Past) != 1 {
		t.Errorf("%+v", v)
	}
	if _, err := e.SuspendExaminer(ctx, e.Authority, c.examiners[0], examiners.Measure{Kind: examiners.Suspension, Document: "决1号", Basis: "样例"}); err != nil {
		t.Error(err)
	}
	if _, err := e.SuspendExaminer(ctx, e.Authority, c.examiners[0], examiners.Measure{Kind: examiners.Suspension, Document: "决1号", Basis: "样例"}); !errors.Is(err, fail.New(fail.Conflict, "card_state", "")) {
		t.Errorf("suspended twice: %v", err)
	}
}
