package examiners_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators/examiners"
	"bajigong/standards"
)

// A scene is a session with a plan that keeps every rule: three examiners k0 to
// k2, of whom k0 is the chair, one room of 30 with w0 and w1, and supervisor n0.
type scene struct {
	plan  examiners.Plan
	facts examiners.Facts
}

func newScene() *scene {
	s := &scene{facts: examiners.Facts{Session: "s-1", Institution: "i-1", USCC: "91320583MA000001X1", Occupation: electrician, Level: standards.Senior, ExamDate: "2026-04-01", Known: now,
		Cards: map[string]examiners.Examiner{}, Ties: map[examiners.Person]examiners.Ties{}, Rostered: map[examiners.Person]bool{"c-0": true, "c-1": true},
		Employed: map[string]bool{}, SameDay: map[examiners.Person][]string{}}}
	for i := range 6 {
		s.add(fmt.Sprintf("k%d", i), examiners.OrdinaryExaminer)
	}
	for i := range 4 {
		s.add(fmt.Sprintf("w%d", i), examiners.Staff)
	}
	s.add("n0", examiners.InternalSupervisor)
	s.add("x0", examiners.ExternalSupervisor)
	s.plan = examiners.Plan{Panel: []examiners.Member{{Examiner: "k0", Chair: true}, {Examiner: "k1"}, {Examiner: "k2"}},
		Rooms: []examiners.Room{{Name: "一考场", Seats: 30, Invigilators: []string{"w0", "w1"}}}, Internal: "n0", External: "x0"}
	return s
}

func (s *scene) add(id string, kind examiners.Kind) {
	e := examiners.Examiner{ID: id, Person: examiners.Person("p-" + id), Kind: kind, Region: "320583", Number: "N-" + id,
		Terms: []examiners.Term{{From: "2025-01-01", Until: "2027-12-31", Recorded: at("2025-01-01 09:00")}}}
	switch kind {
	case examiners.OrdinaryExaminer, examiners.SeniorExaminer:
		e.Occupations = []string{electrician}
	case examiners.Staff, examiners.InternalSupervisor:
		e.Institution = "i-1"
	}
	s.facts.Cards[id] = e
}

// card changes one card.
func (s *scene) card(id string, change func(*examiners.Examiner)) {
	e := s.facts.Cards[id]
	e.Terms = slices.Clone(e.Terms)
	change(&e)
	s.facts.Cards[id] = e
}

func (s *scene) avoid(id string, a examiners.Avoidance) {
	if a.From == "" {
		a.From, a.Recorded = "2026-01-01", at("2026-01-01 09:00")
	}
	p := s.facts.Cards[id].Person
	s.facts.Ties[p] = examiners.Ties{Person: p, Avoidances: []examiners.Avoidance{a}}
}

func (s *scene) teach(id string, t examiners.Teaching) {
	t.ID, t.Recorded = "t-1", at("2026-01-01 09:00")
	p := s.facts.Cards[id].Person
	s.facts.Ties[p] = examiners.Ties{Person: p, Teaching: []examiners.Teaching{t}}
}

func (s *scene) panel(ids ...string) {
	s.plan.Panel = nil
	for i, id := range ids {
		s.plan.Panel = append(s.plan.Panel, examiners.Member{Examiner: id, Chair: i == 0})
	}
}

// with and without are sessions of the institution in which k0 served, or not.
var (
	with    = examiners.Held{Held: true, People: []examiners.Person{"p-k0"}}
	without = examiners.Held{Held: true, People: []examiners.Person{"p-k5"}}
	// dummy was arranged without k0 and never held.
	dummy = examiners.Held{People: []examiners.Person{"p-k5"}}
)

// One row a rule and boundary; the source of each stands in brackets: 规程 is
// 职业技能鉴定考评人员管理工作规程, sample is the rule file.
func TestArrange(t *testing.T) {
	const rule = "鉴定考评人员管理工作规程"
	for _, c := range []struct {
		name   string
		change func(*scene)
		want   []string
		source string // in each message
	}{
		{"keeps every rule", func(*scene) {}, nil, ""},

		{"panel of two [规程]", func(s *scene) { s.panel("k0", "k1") }, []string{"panel too_few", "panel even"}, rule},
		{"panel of one [规程]", func(s *scene) { s.panel("k0") }, []string{"panel too_few"}, rule},
		{"panel of four [规程]", func(s *scene) { s.panel("k0", "k1", "k2", "k3") }, []string{"panel even"}, rule},
		{"panel of five [规程]", func(s *scene) { s.panel("k0", "k1", "k2", "k3", "k4") }, nil, ""},
		{"no panel", func(s *scene) { s.panel() }, []string{"panel too_few"}, rule},
		{"no chair", func(s *scene) { s.plan.Panel[0].Chair = false }, []string{"panel chair"}, rule},
		{"two chairs", func(s *scene) { s.plan.Panel[1].Chair = true }, []string{"panel chair"}, rule},
		{"one person twice", func(s *scene) { s.panel("k0", "k1", "k1") }, []string{"panel[2] twice"}, ""},
		{"one person with two cards", func(s *scene) {
			s.card("k2", func(e *examiners.Examiner) { e.Person = "p-k1" })
		}, []string{"panel[2] twice"}, ""},
		{"a card that is none", func(s *scene) { s.panel("k0", "k1", "nobody") }, []string{"panel[2] unknown"}, ""},

		{"二级 with a 考评员 [规程]", func(s *scene) {
			s.facts.Level = standards.Technician
			s.card("k0", senior)
			s.card("k1", senior)
		}, []string{"panel[2] wrong_level"}, rule},
		{"一级 with 高级考评员 [规程]", func(s *scene) {
			s.facts.Level = standards.SeniorTechnician
			for _, id := range []string{"k0", "k1", "k2"} {
				s.card(id, senior)
			}
		}, nil, ""},
		{"五级 with a 高级考评员 [规程]", func(s *scene) { s.facts.Level = standards.Junior; s.card("k0", senior) }, nil, ""},
		{"三级 with 考评员 [规程]", func(s *scene) { s.facts.Level = standards.Senior }, nil, ""},
		{"二级: a review panel of two [sample]", func(s *scene) {
			s.facts.Level = standards.Technician
			for _, id := range []string{"k0", "k1", "k2", "k3", "k4"} {
				s.card(id, senior)
			}
			s.plan.Review = []examiners.Member{{Examiner: "k3"}, {Examiner: "k4"}}
		}, []string{"review too_few", "review even"}, "people-sample"},
		{"三级 has no review panel", func(s *scene) { s.plan.Review = []examiners.Member{{Examiner: "k3"}} }, nil, ""},

		{"expired the day before [sample: three years]", func(s *scene) {
			s.card("k1", func(e *examiners.Examiner) { e.Terms[0].Until = "2026-03-31" })
		}, []string{"panel[1] card_expired"}, "people-sample"},
		{"expires on the exam day", func(s *scene) {
			s.card("k1", func(e *examiners.Examiner) { e.Terms[0].Until = "2026-04-01" })
		}, nil, ""},
		{"suspended", func(s *scene) { s.card("k1", measured(examiners.Suspension, "2026-04-01")) }, []string{"panel[1] card_suspended"}, rule},
		{"suspended until the day before", func(s *scene) { s.card("k1", measured(examiners.Suspension, "2026-03-31")) }, nil, ""},
		{"revoked", func(s *scene) { s.card("k1", measured(examiners.Revocation, "2026-03-01")) }, []string{"panel[1] card_revoked"}, rule},
		{"an occupation the card does not have", func(s *scene) {
			s.card("k1", func(e *examiners.Examiner) { e.Occupations = []string{"4-03-02-01"} })
		}, []string{"panel[1] wrong_occupation"}, rule},
		{"staff in the panel", func(s *scene) { s.panel("k0", "k1", "w2") }, []string{"panel[2] wrong_kind"}, "people-sample"},
		{"a 考评员 invigilates", func(s *scene) { s.plan.Rooms[0].Invigilators = []string{"w0", "k3"} }, nil, ""},
		{"another institution's staff", func(s *scene) {
			s.card("w1", func(e *examiners.Examiner) { e.Institution = "i-2" })
		}, []string{"rooms[0].invigilators[1] other_institution"}, "people-sample"},

		{"no room", func(s *scene) { s.plan.Rooms = nil }, []string{"rooms missing"}, "people-sample"},
		{"30 seats, two invigilators [sample 1:15]", func(s *scene) { s.plan.Rooms[0].Seats = 30 }, nil, ""},
		{"31 seats, two invigilators [sample 1:15]", func(s *scene) { s.plan.Rooms[0].Seats = 31 }, []string{"rooms[0].invigilators too_few"}, "people-sample"},
		{"15 seats, one invigilator [sample: two a room]", func(s *scene) {
			s.plan.Rooms[0].Seats, s.plan.Rooms[0].Invigilators = 15, []string{"w0"}
		}, []string{"rooms[0].invigilators too_few"}, "people-sample"},
		{"one person in two rooms", func(s *scene) {
			s.plan.Rooms = append(s.plan.Rooms, examiners.Room{Name: "二考场", Seats: 10, Invigilators: []string{"w0", "w2"}})
		}, []string{"rooms[1].invigilators[0] twice"}, ""},
		{"no internal supervisor [sample]", func(s *scene) { s.plan.Internal = "" }, []string{"internal_supervisor missing"}, "people-sample"},
		{"no external supervisor", func(s *scene) { s.plan.External = "" }, nil, ""},
		{"a supervisor who examines [sample]", func(s *scene) {
			s.card("n0", func(e *examiners.Examiner) { e.Person = "p-k1" })
		}, []string{"internal_supervisor not_apart"}, "people-sample"},

		{"the 3rd in a row [规程]", func(s *scene) { s.facts.Before = []examiners.Held{with, with, without} }, nil, ""},
		{"the 4th in a row [规程]", func(s *scene) { s.facts.Before = []examiners.Held{with, with, with} }, []string{"panel[0] in_a_row"}, rule},
		{"again after one without him [规程]", func(s *scene) { s.facts.Before = []examiners.Held{without, with, with, with} }, nil, ""},
		{"one without him that was never held ends no row", func(s *scene) {
			s.facts.Before = []examiners.Held{dummy, with, with, with}
		}, []string{"panel[0] in_a_row"}, rule},
		{"two before and two after: the 5th [规程]", func(s *scene) {
			s.facts.Before, s.facts.After = []examiners.Held{with, with, without}, []examiners.Held{with, with, without}
		}, []string{"panel[0] in_a_row"}, rule},
		{"one before and one after: the 3rd [规程]", func(s *scene) {
			s.facts.Before, s.facts.After = []examiners.Held{with, without}, []examiners.Held{with, without}
		}, nil, ""},
		{"who invigilates is not counted", func(s *scene) {
			s.facts.Before = slices.Repeat([]examiners.Held{{Held: true, People: []examiners.Person{"p-w0"}}}, 4)
		}, nil, ""},

		{"a relative on the roster [规程]", func(s *scene) { s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "relative", Person: "c-1"}) }, []string{"panel[2] avoidance"}, rule},
		{"own student on the roster [规程]", func(s *scene) { s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "student", Person: "c-1"}) }, []string{"panel[2] avoidance"}, rule},
		{"own student elsewhere", func(s *scene) { s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "student", Person: "c-9"}) }, nil, ""},
		{"relation ended the day before", func(s *scene) {
			s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "student", Person: "c-1", From: "2026-01-01", Until: "2026-03-31"})
		}, nil, ""},
		{"relation taken back", func(s *scene) {
			s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "student", Person: "c-1", From: "2026-01-01", Ended: &examiners.Ending{Last: "2025-12-31", Recorded: now}})
		}, nil, ""},
		{"relation to the institution [sample]", func(s *scene) {
			s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "organisation", USCC: s.facts.USCC})
		}, []string{"panel[2] avoidance"}, "people-sample"},
		{"relation to an employer of candidates [sample]", func(s *scene) {
			s.facts.Employed["E"] = true
			s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "organisation", USCC: "E"})
		}, []string{"panel[2] avoidance"}, "people-sample"},
		{"a relative who invigilates [sample: the panel avoids]", func(s *scene) { s.avoid("w0", examiners.Avoidance{ID: "v-1", Relation: "relative", Person: "c-1"}) }, nil, ""},
		{"a candidate in the panel", func(s *scene) { s.facts.Rostered["p-k1"] = true }, []string{"panel[1] own_session"}, "people-sample"},
		{"a candidate who invigilates", func(s *scene) { s.facts.Rostered["p-w1"] = true }, []string{"rooms[0].invigilators[1] own_session"}, "people-sample"},

		{"teaches this session [sample 考培分离]", func(s *scene) { s.teach("k1", examiners.Teaching{Session: "s-1", From: "2026-03-01"}) }, []string{"panel[1] teaching"}, "people-sample"},
		{"teaches another session", func(s *scene) { s.teach("k1", examiners.Teaching{Session: "s-2", From: "2026-03-01"}) }, nil, ""},
		{"taught here a year ago to the day [sample 365]", func(s *scene) {
			s.teach("k1", examiners.Teaching{Institution: "i-1", From: "2025-01-01", Until: "2025-04-01"})
		}, []string{"panel[1] teaching"}, "people-sample"},
		{"taught here a day longer ago [sample 365]", func(s *scene) {
			s.teach("k1", examiners.Teaching{Institution: "i-1", From: "2025-01-01", Until: "2025-03-31"})
		}, nil, ""},
		{"will teach here after the exam", func(s *scene) { s.teach("k1", examiners.Teaching{Institution: "i-1", From: "2026-04-02"}) }, nil, ""},
		{"teaches another occupation here", func(s *scene) {
			s.teach("k1", examiners.Teaching{Institution: "i-1", Occupation: "4-03-02-01", From: "2026-03-01"})
		}, nil, ""},
		{"who invigilates may teach", func(s *scene) { s.teach("w1", examiners.Teaching{Institution: "i-1", From: "2026-03-01"}) }, nil, ""},

		{"the same day elsewhere [sample]", func(s *scene) { s.facts.SameDay["p-k2"] = []string{"i-2"} }, []string{"panel[2] same_day"}, "people-sample"},

		{"everything at once", func(s *scene) {
			s.panel("k0", "k1")
			s.card("k1", func(e *examiners.Examiner) { e.Terms[0].Until, e.Occupations = "2026-03-31", nil })
			s.facts.Before = []examiners.Held{with, with, with}
			s.facts.SameDay["p-k0"] = []string{"i-2"}
			s.plan.Rooms[0].Seats, s.plan.Internal = 46, ""
		}, []string{"panel too_few", "panel even", "rooms[0].invigilators too_few", "internal_supervisor missing", "panel[0] in_a_row", "panel[0] same_day",
			"panel[1] card_expired", "panel[1] wrong_occupation"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene()
			c.change(s)
			bad := rules(t).Check(s.plan, s.facts)
			if got := fields(t, bad); !slices.Equal(got, c.want) {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for _, f := range bad {
				if !strings.Contains(f.ZH, c.source) || !strings.Contains(f.EN, c.source) {
					t.Errorf("%s %s does not name its rule: %s / %s", f.Name, f.Code, f.ZH, f.EN)
				}
			}
		})
	}
}

func senior(e *examiners.Examiner) { e.Kind = examiners.SeniorExaminer }

// measured suspends until a day, or revokes from it.
func measured(kind examiners.Action, day standards.Date) func(*examiners.Examiner) {
	return func(e *examiners.Examiner) {
		m := examiners.Measure{ID: "m-1", Kind: kind, From: "2026-02-01", Recorded: at("2026-02-01 09:00")}
		if kind == examiners.Suspension {
			m.Until = day
		}
		e.Measures = []examiners.Measure{m}
	}
}

// A relation that is recorded only later was not known.
func TestArrangeByWhatWasKnown(t *testing.T) {
	s := newScene()
	s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "relative", Person: "c-1", From: "2026-01-01", Recorded: at("2026-04-02 09:00")})
	s.facts.Known = at("2026-04-01 23:59")
	if bad := rules(t).Check(s.plan, s.facts); len(bad) > 0 {
		t.Errorf("%v", bad)
	}
	s.facts.Known = at("2026-04-02 09:00")
	if bad := rules(t).Check(s.plan, s.facts); len(bad) != 1 {
		t.Errorf("%v", bad)
	}
}

func TestConflictsNameTheRow(t *testing.T) {
	s := newScene()
	s.avoid("k2", examiners.Avoidance{ID: "v-1", Relation: "student", Person: "c-7"})
	bad := rules(t).Conflicts(s.plan, s.facts, []examiners.Person{"c-5", "p-w1", "c-7", "c-7"})
	var got []string
	for _, f := range bad {
		got = append(got, fmt.Sprint(f.Row, " ", f.Name, " ", f.Code))
	}
	if want := []string{"3 panel[2] avoidance", "2 rooms[0].invigilators[1] own_session"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if bad := rules(t).Conflicts(s.plan, s.facts, []examiners.Person{"c-0", "c-1"}); len(bad) > 0 {
		t.Errorf("%v", bad)
	}
}

// However many sessions an institution has held, the rotation is decided by the
// nearest.
func TestDecided(t *testing.T) {
	r := rules(t)
	for _, c := range []struct {
		name string
		near []examiners.Held
		want bool
	}{
		{"nothing read", nil, false},
		{"two with him", []examiners.Held{with, with}, false},
		{"three with him", []examiners.Held{with, with, with}, true},
		{"one without him", []examiners.Held{without}, true},
		{"one that was never held", []examiners.Held{dummy}, false},
	} {
		if got := r.Decided(c.near, []examiners.Person{"p-k0"}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	if !r.Decided(nil, nil) {
		t.Error("nobody to decide on")
	}
}

func TestPlansThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*examiners.Plan)
		want   string
	}{
		{"room without a name", func(p *examiners.Plan) { p.Rooms[0].Name = "" }, "rooms[0].name missing"},
		{"two rooms of one name", func(p *examiners.Plan) { p.Rooms = append(p.Rooms, p.Rooms[0]) }, "rooms[1].name duplicate"},
		{"no seats", func(p *examiners.Plan) { p.Rooms[0].Seats = 0 }, "rooms[0].seats range"},
		{"nobody", func(p *examiners.Plan) { p.Panel[0].Examiner = "" }, "panel[0] missing"},
		{"crowd", func(p *examiners.Plan) { p.Panel = slices.Repeat(p.Panel, 30) }, "panel too_many"},
	} {
		s := newScene()
		c.change(&s.plan)
		if got := fields(t, rules(t).Check(s.plan, s.facts)); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTies(t *testing.T) {
	r := rules(t)
	ties := examiners.Ties{Person: "aa"}
	for _, c := range []struct {
		name string
		in   examiners.Avoidance
		code string
		want []string
	}{
		{"to a person", examiners.Avoidance{ID: "v-1", Relation: "relative", Person: "bb", Basis: "申报"}, "", nil},
		{"to an organisation", examiners.Avoidance{ID: "v-2", Relation: "organisation", USCC: "91350100M000100Y43", Basis: "申报"}, "", nil},
		{"to himself", examiners.Avoidance{Relation: "relative", Person: "aa", Basis: "申报"}, "avoidance_invalid", []string{"document same_person"}},
		{"to nobody", examiners.Avoidance{Relation: "relative", Basis: "申报"}, "avoidance_invalid", []string{"document missing"}},
		{"no such relation", examiners.Avoidance{Relation: "friend", Person: "bb", Basis: "申报"}, "avoidance_invalid", []string{"relation unknown"}},
		{"no basis", examiners.Avoidance{Relation: "relative", Person: "bb"}, "avoidance_invalid", []string{"basis missing"}},
		{"not a credit code", examiners.Avoidance{Relation: "organisation", USCC: "1", Basis: "申报"}, "avoidance_invalid", []string{"uscc uscc_shape"}},
	} {
		got, err := ties.Avoid(r, c.in, now)
		if c.code != "" && len(c.want) == 1 && strings.HasPrefix(c.want[0], "uscc") {
			if err == nil {
				t.Errorf("%s: taken", c.name)
			}
			continue
		}
		wantFields(t, err, c.code, c.want...)
		if err == nil && (len(got.Avoidances) != 1 || got.Avoidances[0].From != "2026-03-02") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	one, err := ties.Avoid(r, examiners.Avoidance{ID: "v-1", Relation: "relative", Person: "bb", Basis: "申报"}, now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = one.Avoid(r, examiners.Avoidance{ID: "v-2", Relation: "relative", Person: "bb", Basis: "申报"}, now)
	if err == nil {
		t.Error("the same relation twice")
	}
	if one, err = one.End("v-1", examiners.Ending{Last: "2026-03-01", Basis: "误录"}, now); err != nil || one.Avoidances[0].Ended == nil {
		t.Errorf("%+v %v", one, err)
	}
	if _, err := one.End("v-1", examiners.Ending{Last: "2026-03-01", Basis: "误录"}, now); err == nil {
		t.Error("ended twice")
	}
	_, err = ties.Teach(examiners.Teaching{From: "2026-03-02", Until: "2026-03-01", Basis: "x", Session: "s", Institution: "i"}, now)
	wantFields(t, err, "teaching_invalid", "until order", "institution one_of")
}
