package signs_test

import (
	"fmt"
	"strings"
	"testing"

	"bajigong/evaluators/signs"
	"bajigong/standards"
)

// kinds lists what was found, and checks that each finding explains itself.
func kinds(t *testing.T, found []signs.Sign) string {
	t.Helper()
	var out []string
	for _, s := range found {
		out = append(out, string(s.Kind))
		over := false
		for _, m := range s.Measures {
			over = over || m.Over()
		}
		if !over || s.ZH == "" || s.EN == "" || s.Rule != "signs-sample" || s.Version != "2000-01-01" || s.Window == "" || s.On == "" || len(s.Records) == 0 {
			t.Errorf("the sign does not explain itself: %+v", s)
		}
	}
	return strings.Join(out, " ")
}

// steady is so many batches of so many certificates, every so many days.
func steady(admitted, first standards.Date, batches, certificates, every int) signs.Past {
	p := signs.Past{Admitted: admitted, First: first}
	for i := range batches {
		p.Days = append(p.Days, signs.Day{Date: first.AddDays(i * every), Batches: 1, Certificates: certificates})
	}
	return p
}

// upTo is what was known of a past at the end of a day, no further back than the
// rules look.
func upTo(p signs.Past, r signs.Rules, today standards.Date) signs.Past {
	out := signs.Past{Admitted: p.Admitted, First: p.First}
	for _, d := range p.Days {
		if d.Date <= today && d.Date > today.AddDays(-r.History()) {
			out.Days = append(out.Days, d)
		}
	}
	return out
}

// 咸宁: admitted in October 2021; 25 batches and more than 2,600 certificates in
// November and December. The sign is there long before the end.
func TestXianningCrossesTheVelocity(t *testing.T) {
	r := sample(t)
	p := steady("2021-10-20", "2021-11-01", 25, 105, 2)
	crossed, total := standards.Date(""), 0
	for _, d := range p.Days {
		total += d.Certificates
		if got := kinds(t, r.AfterPublishing(upTo(p, r, d.Date), d.Date, signs.Record{Kind: "batch", ID: "b-1"})); got == "velocity" && crossed == "" {
			crossed = d.Date
		} else if got != "velocity" && crossed != "" {
			t.Errorf("on %s: %q after it had been crossed", d.Date, got)
		}
	}
	// 1 November + 2·(6−1) days is day 23: 6 × 105 = 630 over 300 + 350·23/30 = 568.
	if crossed != "2021-11-11" || total != 2625 {
		t.Errorf("crossed on %q with %d in all", crossed, total)
	}
}

// Ten times as many certificates, at a steady pace over two years by an
// institution filed for years, raise nothing on any day; nor does one that joins
// this register with its first certificate.
func TestAnHonestNeighbourTenTimesAsLargeRaisesNothing(t *testing.T) {
	r := sample(t)
	for name, p := range map[string]signs.Past{
		"filed for years":         steady("2018-01-01", "2021-01-04", 250, 105, 3),
		"large batches":           steady("2018-01-01", "2021-01-04", 25, 1050, 29),
		"admitted, slow at first": {Admitted: "2021-01-04", First: "2021-04-07", Days: steady("", "2021-04-07", 250, 105, 3).Days},
	} {
		total := 0
		for _, d := range p.Days {
			total += d.Certificates
			if got := kinds(t, r.AfterPublishing(upTo(p, r, d.Date), d.Date)); got != "" {
				t.Errorf("%s, %s: %s", name, d.Date, got)
			}
		}
		if total < 26_000 {
			t.Errorf("%s: only %d certificates", name, total)
		}
		last := p.Days[len(p.Days)-1].Date
		if got := kinds(t, r.AfterDecision(upTo(p, r, last), "d-1", last)); got != "" {
			t.Errorf("%s: suspended at its usual pace: %s", name, got)
		}
	}
}

func TestVelocityAtItsBoundary(t *testing.T) {
	r := sample(t)
	day := func(n int) standards.Date { return standards.Date("2026-03-02").AddDays(n - 1) } // day 1 is the first of the filing
	for _, c := range []struct {
		day, batches, certificates int
		want                       string
	}{
		{30, 1, 650, ""}, {30, 1, 651, "velocity"}, // 300 + 350
		{30, 8, 8, ""}, {30, 9, 9, "velocity"}, // 4 + 4
		{1, 4, 311, ""}, {1, 5, 311, "velocity"},
		{92, 1, 5000, "velocity"}, {93, 1, 5000, ""}, // no longer new
	} {
		p := signs.Past{Admitted: day(1), First: day(c.day), Days: []signs.Day{{Date: day(c.day), Batches: c.batches, Certificates: c.certificates}}}
		if got := kinds(t, r.AfterPublishing(p, day(c.day))); got != c.want {
			t.Errorf("day %d with %d batches and %d certificates: %q, want %q", c.day, c.batches, c.certificates, got, c.want)
		}
	}
	// What lies before the filing is not counted: it is for another rule.
	p := signs.Past{Admitted: day(1), First: day(-10), Days: []signs.Day{{Date: day(-10), Batches: 50, Certificates: 9000}, {Date: day(5), Batches: 1, Certificates: 1}}}
	if got := kinds(t, r.AfterPublishing(p, day(5))); got != "" {
		t.Errorf("before its filing: %s", got)
	}
}

func TestJumpAgainstTheOwnPast(t *testing.T) {
	r := sample(t)
	at := standards.Date("2026-06-30")
	withRecent := func(p signs.Past, n int) signs.Past {
		p.Days = append(p.Days, signs.Day{Date: at, Batches: 1, Certificates: n})
		return p
	}
	// 100 every 10 days: 300 in 30 days, so the limit is 4 × 303 on average days.
	usual := steady("2018-01-01", "2025-06-01", 36, 100, 10)
	seasonal := signs.Past{Admitted: "2018-01-01", First: "2025-06-01", Days: []signs.Day{{Date: "2025-06-20", Certificates: 2000}, {Date: "2025-12-20", Certificates: 2000}}}
	for _, c := range []struct {
		name string
		past signs.Past
		n    int
		want string
	}{
		{"usual", usual, 100, ""}, {"thrice as much", usual, 900, ""}, {"five times", usual, 1500, "jump"},
		{"a school that examines twice a year", seasonal, 2000, ""}, {"its season doubled and more", seasonal, 4100, "jump"},
		{"too short a past", steady("2018-01-01", "2026-05-01", 3, 10, 5), 5000, ""},
		{"small figures", steady("2018-01-01", "2025-06-01", 36, 1, 10), 299, ""},
		{"no past at all", signs.Past{Admitted: "2018-01-01"}, 5000, ""},
	} {
		if got := kinds(t, r.AfterPublishing(withRecent(c.past, c.n), at)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRushBeforeASuspension(t *testing.T) {
	r := sample(t)
	slow := steady("2018-01-01", "2025-06-01", 18, 50, 20) // until 2026-05-07
	rush := slow
	for i := range 6 {
		rush.Days = append(rush.Days, signs.Day{Date: standards.Date("2026-05-20").AddDays(i), Batches: 1, Certificates: 60})
	}
	fresh := signs.Past{Admitted: "2026-05-01", First: "2026-05-20", Days: rush.Days[18:]}
	for _, c := range []struct {
		name     string
		past     signs.Past
		recorded standards.Date
		want     string
	}{
		{"at its usual pace", slow, "2026-05-10", ""}, {"six batches in six days", rush, "2026-05-26", "rush"},
		{"long after", rush, "2026-07-01", ""}, {"without a past", fresh, "2026-05-26", "rush"}, {"nothing was ever issued", signs.Past{Admitted: "2026-05-01"}, "2026-05-26", ""},
	} {
		if got := kinds(t, r.AfterDecision(c.past, "d-1", c.recorded)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSignsOfOneSession(t *testing.T) {
	r := sample(t)
	for _, c := range []struct {
		name string
		in   signs.Results
		want string
	}{
		{"ordinary", signs.Results{Level: standards.Senior, Rows: 100, Passed: 100, Figures: signs.Figures{Scored: 100, Same: 3}}, ""},
		// 国务院2022年度审计工作报告: 放水、篡改成绩
		{"31 of 100 the same", signs.Results{Level: standards.Senior, Rows: 100, Passed: 90, Figures: signs.Figures{Scored: 100, Same: 31}}, "same_scores"},
		{"30 of 100 the same", signs.Results{Level: standards.Senior, Rows: 100, Passed: 90, Figures: signs.Figures{Scored: 100, Same: 30}}, ""},
		{"19 of 19 the same", signs.Results{Level: standards.Senior, Rows: 19, Passed: 19, Figures: signs.Figures{Scored: 19, Same: 19}}, ""},
		{"all passed at 二级", signs.Results{Level: standards.Technician, Rows: 20, Passed: 20}, "all_passed"},
		{"all but one passed at 一级", signs.Results{Level: standards.SeniorTechnician, Rows: 20, Passed: 19}, ""},
		{"all of few passed", signs.Results{Level: standards.Technician, Rows: 19, Passed: 19}, ""},
		{"everything at once", signs.Results{Level: standards.Technician, Rows: 40, Passed: 40, Figures: signs.Figures{Scored: 40, Same: 40, AgeKnown: 40, Aged: 9}}, "same_scores all_passed pension_age"},
		{"many aged, a small share", signs.Results{Level: standards.Senior, Rows: 400, Passed: 1, Figures: signs.Figures{AgeKnown: 400, Aged: 40}}, ""},
		{"few aged, a large share", signs.Results{Level: standards.Senior, Rows: 10, Passed: 1, Figures: signs.Figures{AgeKnown: 10, Aged: 4}}, ""},
	} {
		c.in.Session = "s-1"
		if got := kinds(t, r.AfterResults(c.in, "2026-05-06")); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// person is an identity number for a birth date; the 17th digit is odd for men
// (GB 11643).
func person(t *testing.T, birth string, man bool) standards.Document {
	t.Helper()
	first17 := "320583" + birth + map[bool]string{true: "011", false: "012"}[man]
	check, ok := standards.ResidentIDCheck(first17)
	if !ok {
		t.Fatal(first17)
	}
	return standards.Document{Kind: standards.ResidentID, Number: first17 + string(check)}
}

func TestTallyCountsWithoutNames(t *testing.T) {
	r := sample(t)
	for _, c := range []struct {
		birth string
		man   bool
		exam  standards.Date
		aged  int
	}{
		{"19630506", true, "2026-05-06", 1}, {"19630507", true, "2026-05-06", 0}, // 63 on the day
		{"19680506", false, "2026-05-06", 1}, {"19680507", false, "2026-05-06", 0}, {"19680506", true, "2026-05-06", 0}, // 58
		{"19640229", true, "2027-02-28", 0}, {"19640229", true, "2027-03-01", 1}, // a leap day
	} {
		tally := r.NewTally(c.exam)
		tally.Add(standards.Scores{standards.Theory: 60}, person(t, c.birth, c.man))
		if f := tally.Figures(); f.AgeKnown != 1 || f.Aged != c.aged || f.AgeRule != "signs-sample" {
			t.Errorf("born %s on %s: %+v, want %d aged", c.birth, c.exam, f, c.aged)
		}
	}
	tally := r.NewTally("2026-05-06")
	passport := standards.Document{Kind: standards.DocumentKind("passport"), Number: "E12345678"}
	for i := range 10 {
		tally.Add(standards.Scores{standards.Theory: 80, standards.Skill: float64(80 + i%2)}, passport)
	}
	tally.Add(standards.Scores{}, passport)
	tally.Add(standards.Scores{standards.Skill: 80}, passport) // 80 in another part is not the same
	tally.Add(standards.Scores{standards.Theory: 80}, passport)
	if f := tally.Figures(); f.Scored != 12 || f.Same != 5 || f.Distinct != 4 || f.AgeKnown != 0 {
		t.Errorf("%+v", f)
	}
}

func TestLateStep(t *testing.T) {
	r := sample(t)
	for _, c := range []struct {
		step signs.Step
		days int
		want string
	}{
		{signs.StepResults, -2, ""}, {signs.StepResults, 7, ""}, {signs.StepResults, 8, "late"},
		{signs.StepPublicity, 10, ""}, {signs.StepPublicity, 11, "late"}, {signs.StepIssue, 20, ""}, {signs.StepIssue, 21, "late"}, {"plan", 99, ""},
	} {
		if got := kinds(t, r.AfterStep("s-1", c.step, "2026-05-06", "2026-06-06", c.days)); got != c.want {
			t.Errorf("%s %d days late: %q, want %q", c.step, c.days, got, c.want)
		}
	}
}

func TestBackdating(t *testing.T) {
	r := sample(t)
	old := signs.Joined{Admitted: "2018-01-01", Recorded: "2025-01-02"} // on this register for more than a year
	fresh := signs.Joined{Admitted: "2018-01-01", Recorded: "2026-05-01"}
	many := func(n int, issued standards.Date, entitled bool) (out []signs.Arrival) {
		for i := range n {
			out = append(out, signs.Arrival{Number: fmt.Sprint("S", i), Issued: issued, Entitled: entitled})
		}
		return out
	}
	for _, c := range []struct {
		name   string
		joined signs.Joined
		in     []signs.Arrival
		want   string
	}{
		{"within 30 days", old, many(50, "2026-04-06", true), ""},
		{"31 days, ten of them", old, many(10, "2026-04-05", true), "backdated"},
		{"31 days, nine of them", old, many(9, "2026-04-05", true), ""},
		{"the past of an institution that joins", fresh, many(500, "2023-04-05", true), ""},
		{"dated before it was filed at all", fresh, many(1, "2017-12-31", true), "backdated"},
		{"sent while it may not issue", old, many(1, "2026-05-05", false), "backdated"},
	} {
		if got := kinds(t, r.AfterArrivals(c.joined, c.in, "2026-05-06")); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// 同一小类: 6-31-01 has 电工 and its neighbours.
func TestPeopleWithManyCertificates(t *testing.T) {
	r := sample(t)
	add := func(ms signs.Marks, f signs.PeopleFigures, occupation, trade string, level standards.Level, on standards.Date) (signs.Marks, signs.PeopleFigures) {
		m := signs.Mark{Number: "S-" + occupation + trade, Occupation: occupation, Trade: trade, Level: level, On: on}
		ms = ms.Add(m)
		return ms, r.Count(f, ms, m)
	}
	var ms signs.Marks
	var f signs.PeopleFigures
	for i, occupation := range []string{"6-31-01-01", "6-31-01-02", "6-31-02-01", "6-31-01-03"} {
		ms, f = add(ms, f, occupation, "", standards.Senior, standards.Date("2026-01-05").AddDays(i*10))
	}
	if f.NearTrades != 1 || f.ManyCertificates != 0 || len(f.Examples) != 1 { // the third of 6-31-01
		t.Errorf("three of one 小类: %+v", f)
	}
	if ms, f = add(ms, f, "6-31-01-03", "", standards.Senior, "2026-02-20"); f.NearTrades != 2 || f.ManyCertificates != 0 || len(ms) != 4 {
		t.Errorf("the same occupation and level issued anew: %+v with %d marks", f, len(ms))
	}
	if _, f = add(ms, f, "4-10-01-05", "", standards.Junior, "2026-03-20"); f.ManyCertificates != 1 {
		t.Errorf("five certificates in 2026: %+v", f)
	}
	// Levels of one occupation are a career, not near trades.
	ms, f = nil, signs.PeopleFigures{}
	for i, level := range []standards.Level{standards.Junior, standards.Intermediate, standards.Senior, standards.Technician} {
		ms, f = add(ms, f, "6-31-01-03", "", level, standards.Date("2026-01-05").AddDays(i*10))
	}
	if f.NearTrades != 0 {
		t.Errorf("four levels of one occupation: %+v", f)
	}
	// 12 months: the same day of the next year is outside.
	for _, c := range []struct {
		on   standards.Date
		want int
	}{{"2027-01-04", 1}, {"2027-01-05", 0}} {
		ms, f = nil, signs.PeopleFigures{}
		ms, f = add(ms, f, "6-31-01-01", "", standards.Senior, "2026-01-05")
		ms, f = add(ms, f, "6-31-01-02", "", standards.Senior, "2026-06-05")
		if _, f = add(ms, f, "6-31-01-03", "", standards.Senior, c.on); f.NearTrades != c.want {
			t.Errorf("a third on %s: %+v", c.on, f)
		}
	}
	// What arrives out of order counts as well.
	ms, f = nil, signs.PeopleFigures{}
	ms, f = add(ms, f, "6-31-01-01", "", standards.Senior, "2026-06-05")
	ms, f = add(ms, f, "6-31-01-02", "", standards.Senior, "2026-06-06")
	if _, f = add(ms, f, "6-31-01-03", "", standards.Senior, "2026-01-05"); f.NearTrades != 1 {
		t.Errorf("out of order: %+v", f)
	}
	ms = nil
	for i := range 200 {
		ms = ms.Add(signs.Mark{Occupation: fmt.Sprintf("6-31-01-%02d", i%100), Trade: fmt.Sprint(i), On: standards.Date("2026-01-05").AddDays(i)})
	}
	if len(ms) > 64 || ms[len(ms)-1].Trade != "199" {
		t.Errorf("%d marks kept", len(ms))
	}
	p := signs.Past{First: "2026-01-05", Days: []signs.Day{{Date: "2026-04-30", NearTrades: 3}, {Date: "2026-05-06", NearTrades: 2, ManyCertificates: 5}}}
	if got := kinds(t, r.AfterPublishing(p, "2026-05-06", signs.Record{Kind: "certificate", ID: "S1"})); got != "near_trades many_certificates" {
		t.Errorf("five person-times in a month: %q", got)
	}
	if got := kinds(t, r.AfterPublishing(p, "2026-05-30", signs.Record{Kind: "certificate", ID: "S1"})); got != "many_certificates" {
		t.Errorf("a month later: %q", got)
	}
}

// 职业技能鉴定考评人员管理工作规程: the same examiner at one institution at most
// three times in a row; what a day can hold is a sample.
func TestExaminers(t *testing.T) {
	r := sample(t)
	day := func(sessions, candidates, inARow int) signs.ExaminerDay {
		return signs.ExaminerDay{Examiner: "e-1", Day: "2026-05-06", Sessions: sessions, Candidates: candidates, InARow: inARow}
	}
	for _, c := range []struct {
		panel []signs.ExaminerDay
		want  string
	}{
		{[]signs.ExaminerDay{day(3, 120, 2), day(3, 120, 2), day(1, 10, 2)}, ""},
		{[]signs.ExaminerDay{day(4, 40, 1)}, "examiner_load"}, {[]signs.ExaminerDay{day(1, 121, 1)}, "examiner_load"},
		{[]signs.ExaminerDay{day(1, 10, 3), day(1, 10, 1), day(1, 10, 1)}, ""},
		{[]signs.ExaminerDay{day(1, 10, 3), day(1, 10, 3), day(1, 10, 1)}, "examiner_in_a_row"},
		{nil, ""},
	} {
		if got := kinds(t, r.AfterArrangement(c.panel, "2026-05-01")); got != c.want {
			t.Errorf("%+v: %q, want %q", c.panel, got, c.want)
		}
	}
}

// A region whose file has no rules finds nothing.
func TestWithoutRulesNothingIsFound(t *testing.T) {
	var r signs.Rules
	p := steady("2026-01-01", "2026-01-02", 30, 1000, 1)
	found := r.AfterPublishing(p, "2026-01-31")
	found = append(found, r.AfterDecision(p, "d-1", "2026-01-31")...)
	found = append(found, r.AfterResults(signs.Results{Level: standards.Technician, Rows: 100, Passed: 100, Figures: signs.Figures{Scored: 100, Same: 100, AgeKnown: 100, Aged: 100}}, "2026-01-31")...)
	found = append(found, r.AfterStep("s", signs.StepIssue, "2026-01-01", "2026-12-31", 250)...)
	found = append(found, r.AfterArrivals(signs.Joined{Admitted: "2026-01-01"}, []signs.Arrival{{Issued: "2020-01-01"}}, "2026-01-31")...)
	found = append(found, r.AfterArrangement([]signs.ExaminerDay{{Sessions: 99, InARow: 99}}, "2026-01-31")...)
	if len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
