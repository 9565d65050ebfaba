package posts_test

import (
	"slices"
	"testing"
	"time"

	"bajigong/evaluators/posts"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/standards"
)

var now = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

func rules(t *testing.T, region string) posts.Rules {
	t.Helper()
	set, err := posts.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On(region, "2026-03-02")
	if !ok {
		t.Fatal("no rules")
	}
	return r
}

func special() posts.Appointment {
	return posts.Appointment{Employer: "91350100M000100Y43", Occupation: "6-31-01-03", Level: standards.SpecialTechnician, Post: "电气首席岗", From: "2026-03-01",
		Review: posts.Performance, List: "苏人社公告〔2026〕1号", HeldSince: "2022-03-01", HeldProof: "S000032058301221000001"}
}

func TestPropose(t *testing.T) {
	shandong, nation := rules(t, "370100"), rules(t, "320583")
	filed := special()
	filed.State, filed.From = posts.Filed, "2024-01-01"
	chief := special()
	chief.Level = standards.ChiefTechnician
	for _, c := range []struct {
		name   string // with the source
		rules  posts.Rules
		senior bool
		before []posts.Appointment
		change func(*posts.Appointment)
		want   string // "" when it can be proposed
	}{
		{"鲁人社字〔2020〕77号: four years on the very day", shandong, true, nil, nil, ""},
		{"鲁人社字〔2020〕77号: a day short of four years", shandong, true, nil, func(a *posts.Appointment) { a.HeldSince = "2022-03-02" }, "held_since years"},
		{"no number of years elsewhere", nation, true, nil, func(a *posts.Appointment) { a.HeldSince = "2026-02-28" }, ""},
		{"中办发〔2022〕58号: the standard has no 高级技师", nation, false, nil, nil, "occupation no_senior_technician"},
		{"an examined level", nation, true, nil, func(a *posts.Appointment) { a.Level = standards.SeniorTechnician }, "level level"},
		{"no proof", nation, true, nil, func(a *posts.Appointment) { a.HeldProof = " " }, "held_proof length"},
		{"an unknown review", nation, true, nil, func(a *posts.Appointment) { a.Review = "vote" }, "review unknown"},
		{"a term that ends before it begins", nation, true, nil, func(a *posts.Appointment) { a.Until = "2026-02-28" }, "until date"},
		{"held already", nation, true, []posts.Appointment{filed}, nil, "level already"},
		{"a chief who is no special technician", nation, true, nil, func(a *posts.Appointment) { a.Level = standards.ChiefTechnician }, "held_since not_held"},
		{"a chief who is", nation, true, []posts.Appointment{filed}, func(a *posts.Appointment) { a.Level = standards.ChiefTechnician }, ""},
	} {
		in := special()
		if c.change != nil {
			c.change(&in)
		}
		out, err := posts.Propose(c.rules, c.senior, c.before, in, now)
		if c.want == "" {
			if err != nil || out.State != posts.Proposed || out.Rule != c.rules.ID {
				t.Errorf("%s: %+v %v", c.name, out, err)
			}
			continue
		}
		var got []string
		for _, f := range fail.Of(err).Fields {
			got = append(got, f.Name+" "+f.Code)
		}
		if !slices.Contains(got, c.want) {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestStateTables(t *testing.T) {
	r := rules(t, "320583")
	for from, row := range doctest.States(t, "posts.go", "Appointment").Next {
		for action, want := range row {
			a := special()
			a.State = posts.State(from)
			var err error
			switch action {
			case "file":
				a, err = a.File(r, posts.Filing{Document: "苏人社备〔2026〕9号"}, now)
			case "refuse":
				a, err = a.Refuse("材料不全")
			case "withdraw":
				a, err = a.Withdraw("本人放弃")
			case "end":
				a, err = a.Finish(posts.End{On: "2026-03-02", Why: posts.Left}, now)
			default:
				t.Fatalf("an action %q", action)
			}
			if want == doctest.Refused && fail.KindOf(err) != fail.Conflict || want != doctest.Refused && (err != nil || string(a.State) != want) {
				t.Errorf("%s when %s: %s %v, want %s", action, from, a.State, err, want)
			}
		}
	}
	for from, row := range doctest.States(t, "posts.go", "Apprentice").Next {
		for action, want := range row {
			a := posts.Apprenticeship{From: "2025-01-01", State: posts.ApprenticeState(from)}
			var err error
			if action == "regularise" {
				a, err = a.Regularise(r, standards.Junior, "2026-01-01", "远帆人〔2026〕1号", now)
			} else {
				a, err = a.Leave("2026-01-01", now)
			}
			if want == doctest.Refused && fail.KindOf(err) != fail.Conflict || want != doctest.Refused && (err != nil || string(a.State) != want) {
				t.Errorf("apprentice: %s when %s: %s %v, want %s", action, from, a.State, err, want)
			}
		}
	}
}

func TestInForce(t *testing.T) {
	a := special()
	a.State, a.Until = posts.Filed, "2027-02-28"
	ended, revoked := a, a
	ended.State, ended.End = posts.Ended, &posts.End{On: "2026-06-01", Why: posts.Left}
	revoked.State, revoked.End = posts.Ended, &posts.End{On: "2026-06-01", Why: posts.Revoked}
	for _, c := range []struct {
		a    posts.Appointment
		on   standards.Date
		want bool
	}{
		{a, "2026-02-28", false}, {a, "2026-03-01", true}, {a, "2027-02-28", true}, {a, "2027-03-01", false},
		{ended, "2026-05-31", true}, {ended, "2026-06-01", false}, {revoked, "2026-05-31", false}, {special(), "2026-04-01", false},
	} {
		if got := c.a.InForce(c.on); got != c.want {
			t.Errorf("%s %v on %s: %t", c.a.State, c.a.End, c.on, got)
		}
	}
}

func TestRegulariseRefusesOtherLevels(t *testing.T) {
	a, err := posts.Begin(posts.Apprenticeship{From: "2025-03-02"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Regularise(rules(t, "320583"), standards.Senior, "2026-03-01", "文件", now); fail.CodeOf(err) != "apprentice_invalid" {
		t.Errorf("an apprentice became 高级工: %v", err)
	}
	if _, err := posts.Begin(posts.Apprenticeship{From: "2026-03-03"}, now); fail.CodeOf(err) != "apprentice_invalid" {
		t.Errorf("an apprenticeship that begins tomorrow: %v", err)
	}
}
