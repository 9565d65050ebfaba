package credit_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// at is a moment on a civil date in Asia/Shanghai, written 2026-03-02 14:00.
func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, standards.Zone)
	if err != nil {
		panic(err)
	}
	return t
}

var names = credit.Text{ZH: "名", EN: "name"}

// rules are made up for these tests: two bands with a gap, an item of each kind.
func rules(id, from string, carry credit.CarryOver, change ...func(*credit.Rules)) credit.Rules {
	r := credit.Rules{Head: rulefile.Head{ID: id, Region: "000000", From: from, Name: names, Sample: "for tests"},
		Base: 100, Public: credit.ShowBand, YearBegins: "01-01", CarryOver: carry,
		Bands: []credit.Band{{Code: "A", From: 90, Name: names, Consequence: names}, {Code: "B", From: 80, Name: names, Consequence: names},
			{Code: "C", From: 60, Name: names, Consequence: names}, {Code: "D", From: 0, Name: names, Consequence: names}},
		Severities: []credit.Word{{Code: "any", Name: names}},
		Items: []credit.Item{
			item("merit", 5, "never", 10, ""),
			item("slip", -3, "year", 10, ""),
			item("fault", -7, "24 months", 20, ""),
			item("grave", -15, "never", 0, ""),
			item("fraud", -40, "36 months", 0, "D"),
			item("mark", 0, "6 months", 0, "C"),
		},
		Repairs: []credit.Repair{{Items: []string{"slip", "fault"}, WaitMonths: 1, Requirement: names}, {Items: []string{"fraud", "mark"}, WaitMonths: 0, Requirement: names}}}
	for _, fn := range change {
		fn(&r)
	}
	return r
}

func item(code string, points int, expires credit.Term, most int, veto string) credit.Item {
	return credit.Item{Code: code, Name: credit.Text{ZH: code + "项", EN: code}, Points: points, Severity: "any", Veto: veto, Expires: expires, Cap: most,
		Origins: credit.Origins(), By: []credit.Tier{credit.Province, credit.Prefecture}}
}

func set(t testing.TB, files ...credit.Rules) rulefile.Set[credit.Rules] {
	t.Helper()
	for _, f := range files {
		if p := f.Problems(); len(p) > 0 {
			t.Fatalf("%s: %v", f.ID, p)
		}
	}
	s, err := rulefile.NewSet(files...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// book is a ledger in the making.
type book struct {
	t      testing.TB
	files  rulefile.Set[credit.Rules]
	events []credit.Event
	sums   map[string]credit.Sum
}

func newBook(t testing.TB, files ...credit.Rules) *book {
	return &book{t: t, files: set(t, files...), sums: map[string]credit.Sum{}}
}

func (b *book) chain(id string) (*credit.Standing, []credit.Event) {
	i := slices.IndexFunc(b.events, func(e credit.Event) bool { return e.ID == id })
	if i < 0 || b.events[i].Corrects != "" {
		return nil, nil
	}
	var chain []credit.Event
	for _, e := range b.events {
		if e.Subject == b.events[i].Subject {
			chain = append(chain, e)
		}
	}
	return &credit.Standings(chain)[0], chain
}

// add records an event and keeps the sums as the store does.
func (b *book) add(in credit.Event, now time.Time) (credit.Event, error) {
	in.ID, in.Institution = fmt.Sprintf("e%05d", len(b.events)), "i"
	if in.Origin == "" {
		in.Origin, in.Reference = credit.OriginSupervision, "r"
	}
	if in.Document == "" {
		in.Document = "文1"
	}
	before, chain := b.chain(in.Repairs + in.Corrects)
	e, err := credit.Record(b.files, "320583", before, in, credit.Province, now)
	if err != nil {
		return e, err
	}
	after := credit.Standings(append(chain, e))[0]
	for _, c := range credit.Change("i", before, &after) {
		s := b.sums[c.Period]
		s.Institution, s.Period = c.Institution, c.Period
		if s, any := s.Add(c); any {
			b.sums[c.Period] = s
		} else {
			delete(b.sums, c.Period)
		}
	}
	b.events = append(b.events, e)
	return e, nil
}

func (b *book) must(in credit.Event, now string) credit.Event {
	b.t.Helper()
	e, err := b.add(in, at(now))
	if err != nil {
		b.t.Fatalf("%+v: %v", in, err)
	}
	return e
}

// fast is the score from sums, as the store reads them.
func (b *book) fast(on standards.Date) credit.Score {
	b.t.Helper()
	var lists [][]credit.Group
	for _, p := range credit.Periods(on) {
		for period, s := range b.sums {
			if len(period) == p.Length && period >= p.From && period < p.To {
				lists = append(lists, s.Groups)
			}
		}
	}
	s, err := credit.ScoreOf(b.files, "320583", credit.Add(lists...), on)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *book) replay(on standards.Date, known time.Time) credit.Score {
	b.t.Helper()
	s, err := credit.Replay(b.files, "320583", b.events, on, known)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// plain is the score by the words of the package comment, written apart from the
// code: whole sets first, no standings, no moves.
func plain(ledger []credit.Event, known time.Time, on standards.Date) (points int, vetoes []string) {
	gone := map[string]bool{}
	for _, e := range ledger {
		if e.Corrects != "" && !e.Recorded.After(known) {
			gone[e.Corrects] = true
		}
	}
	repaired := map[string]standards.Date{}
	for _, e := range ledger {
		if e.Repairs != "" && !e.Recorded.After(known) && !gone[e.ID] {
			repaired[e.Repairs] = e.Effective
		}
	}
	type group struct {
		rules, item string
		year        int
	}
	sum, limit := map[group]int{}, map[group]int{}
	for _, e := range ledger {
		if e.Item == "" || e.Recorded.After(known) || gone[e.ID] || e.Effective > on {
			continue
		}
		if day, ok := repaired[e.ID]; ok && on >= day {
			continue
		}
		if e.Until == "" || on <= e.Until {
			g := group{e.Rules, e.Item, e.Year}
			sum[g] += e.Points
			limit[g] = e.Cap
		}
		if e.Veto != "" && (e.VetoUntil == "" || on <= e.VetoUntil) {
			vetoes = append(vetoes, e.Veto)
		}
	}
	for g, n := range sum {
		if c := limit[g]; c > 0 && n > c {
			n = c
		} else if c > 0 && n < -c {
			n = -c
		}
		points += n
	}
	return points, vetoes
}

// TestSumsAreTheLedger: for ledgers of random items, late ones, repairs and
// corrections over years, two changes of the rules and both carry-over rules, the
// score from sums, the replay and the words of the comment agree on every day
// tried, as known then and now; and the lines of a year add up to its groups.
func TestSumsAreTheLedger(t *testing.T) {
	for seed := range uint64(16) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		carry := []credit.CarryOver{credit.Reset, credit.Carry}
		b := newBook(t, rules("one", "2000-01-01", carry[seed%2]),
			rules("two", "2023-05-20", carry[seed/2%2], func(r *credit.Rules) {
				r.Base = 120
				r.Items[1].Points = -4
				r.Items[2].Cap = 9
				r.YearBegins = "07-01"
			}),
			rules("three", "2024-09-01", carry[seed/4%2], func(r *credit.Rules) {
				r.Items = append(r.Items[:3:3], r.Items[4:]...)
				r.Repairs[0].WaitMonths = 3
			}))
		now := at("2022-01-03 09:00")
		type seen struct {
			n  int
			at time.Time
		}
		var times []seen
		for range 250 {
			now = now.Add(time.Duration(rnd.IntN(14*24)) * time.Hour)
			in := credit.Event{Effective: standards.DateOf(now)}
			switch n := rnd.IntN(10); {
			case n < 6 || len(b.events) == 0:
				in.Item = []string{"merit", "slip", "fault", "grave", "fraud", "mark"}[rnd.IntN(6)]
				if rnd.IntN(3) == 0 { // recorded late
					in.Effective = in.Effective.AddDays(-rnd.IntN(500))
				}
			case n < 9:
				in.Repairs = b.events[max(0, len(b.events)-1-rnd.IntN(12))].ID
				in.Effective = in.Effective.AddDays(-rnd.IntN(60))
			default:
				in.Corrects, in.Effective = b.events[rnd.IntN(len(b.events))].ID, ""
			}
			if _, err := b.add(in, now); err != nil {
				if k := fail.KindOf(err); k != fail.Conflict && k != fail.Invalid {
					t.Fatal(err)
				}
				continue
			}
			times = append(times, seen{len(b.events), now})
		}
		want := map[string]credit.Sum{}
		for _, s := range credit.Sums("i", b.events) {
			want[s.Period] = s
		}
		if !reflect.DeepEqual(b.sums, want) {
			t.Fatalf("seed %d: the sums kept are not those of the ledger", seed)
		}
		for range 30 {
			on := standards.Date("2021-12-01").AddDays(rnd.IntN(3000))
			if e := b.events[rnd.IntN(len(b.events))]; rnd.IntN(2) == 0 && e.Item != "" { // on the edges
				on = e.Effective.AddDays(rnd.IntN(3) - 1)
				if e.Until != "" && rnd.IntN(2) == 0 {
					on = e.Until.AddDays(rnd.IntN(3) - 1)
				}
			}
			if on.Year() < 2001 {
				continue
			}
			fast, full := b.fast(on), b.replay(on, now)
			if !reflect.DeepEqual(fast, full) {
				t.Fatalf("seed %d on %s:\nsums   %+v\nreplay %+v", seed, on, fast, full)
			}
			known := times[rnd.IntN(len(times))]
			for _, k := range []time.Time{now, known.at} {
				got := b.replay(on, k)
				points, vetoes := plain(b.events, k, on)
				if got.Points != got.Base+points {
					t.Fatalf("seed %d on %s known %s: %d points, want %d", seed, on, k, got.Points, got.Base+points)
				}
				n := 0
				for _, v := range got.Vetoes {
					n += v.Vetoes
				}
				if n != len(vetoes) {
					t.Fatalf("seed %d on %s: %d vetoes, want %d", seed, on, n, len(vetoes))
				}
				if slices.Contains(vetoes, "D") && got.Band.Code != "D" || slices.Contains(vetoes, "C") && got.Band.Code < "C" {
					t.Fatalf("seed %d on %s: band %s with vetoes %v", seed, on, got.Band.Code, vetoes)
				}
				b.linesAddUp(on, k, got)
			}
		}
	}
}

func (b *book) linesAddUp(on standards.Date, known time.Time, s credit.Score) {
	b.t.Helper()
	ledger := credit.Known(b.events, known)
	years := map[int][]credit.Event{}
	for _, e := range ledger {
		years[e.Year] = append(years[e.Year], e)
	}
	groups := credit.GroupsOn(credit.Standings(ledger), on)
	total := s.Base
	for _, year := range slices.Sorted(func(yield func(int) bool) {
		for y := range years {
			if !yield(y) {
				return
			}
		}
	}) {
		opening := credit.Opening(s.Base, groups, year)
		if opening != total {
			b.t.Fatalf("year %d opens with %d, the years before give %d", year, opening, total)
		}
		lines := credit.Explain(credit.Standings(years[year]), opening, on)
		for _, l := range lines {
			if total += l.Counted; l.Total != total {
				b.t.Fatalf("line %+v: running total %d, want %d", l, l.Total, total)
			}
			if l.Text.ZH == "" || l.Text.EN == "" {
				b.t.Fatalf("line %+v says nothing", l)
			}
		}
	}
	if total != s.Points {
		b.t.Fatalf("on %s the lines come to %d, the score is %d", on, total, s.Points)
	}
}

func TestScoreByTheCalendar(t *testing.T) {
	b := newBook(t, rules("r", "2000-01-01", credit.Carry))
	for range 4 {
		b.must(credit.Event{Item: "slip", Effective: "2026-03-10"}, "2026-03-10 09:00") // -3 each, cap 10
	}
	b.must(credit.Event{Item: "fault", Effective: "2024-02-29"}, "2026-03-11 09:00") // 24 months, recorded late
	b.must(credit.Event{Item: "mark", Effective: "2026-08-31"}, "2026-09-01 09:00")  // veto C for 6 months
	for _, c := range []struct {
		on     standards.Date
		points int
		band   string
	}{
		{"2024-02-28", 100, "A"},
		{"2024-02-29", 93, "A"},
		{"2026-02-27", 93, "A"},
		{"2026-02-28", 100, "A"}, // 24 months from 29 February: the 28th is the first day after them
		{"2026-03-01", 100, "A"},
		{"2026-03-10", 90, "A"}, // 4 × −3, held to 10
		{"2026-08-31", 90, "C"},
		{"2026-12-31", 90, "C"}, // the slips end with their year, the veto with its months
		{"2027-01-01", 100, "C"},
		{"2027-02-27", 100, "C"},
		{"2027-02-28", 100, "A"}, // six months from 31 August are over on 28 February
	} {
		if s := b.fast(c.on); s.Points != c.points || s.Band.Code != c.band {
			t.Errorf("on %s: %d points, band %s, want %d, %s", c.on, s.Points, s.Band.Code, c.points, c.band)
		}
	}
}

// A file that comes later, whatever its first day, and a file changed in place
// change nothing that was recorded; base and bands are those of the day.
func TestNewRulesDoNotRewriteThePast(t *testing.T) {
	b := newBook(t, rules("old", "2000-01-01", credit.Carry))
	b.must(credit.Event{Item: "fault", Effective: "2025-06-01"}, "2025-06-02 09:00")
	before := b.fast("2025-12-31")
	harsher := func(r *credit.Rules) {
		for i := range r.Items {
			r.Items[i].Points *= 3
		}
	}
	b.files = set(t, rules("old", "2000-01-01", credit.Carry, harsher), rules("new", "2026-01-01", credit.Carry, harsher, func(r *credit.Rules) { r.Base = 110 }))
	if s := b.fast("2025-12-31"); s.Points != before.Points || s.Points != 93 {
		t.Errorf("the past became %d from %d", s.Points, before.Points)
	}
	if s := b.fast("2026-01-01"); s.Points != 103 || s.Rules != "new" {
		t.Errorf("under the new base: %d by %s", s.Points, s.Rules)
	}
	// Late, after the new file came: still by the file of its day.
	b.must(credit.Event{Item: "slip", Effective: "2025-12-31"}, "2026-01-05 09:00")
	b.must(credit.Event{Item: "slip", Effective: "2026-01-01"}, "2026-01-05 09:00")
	if e := b.events[1]; e.Rules != "old" || e.Year != 2025 || e.Points != -9 || e.Until != "2025-12-31" {
		t.Errorf("judged %+v", e.Judgement)
	}
	if e := b.events[2]; e.Rules != "new" || e.Year != 2026 {
		t.Errorf("judged %+v", e.Judgement)
	}
}

func TestAYearBeginsAnewUnderReset(t *testing.T) {
	b := newBook(t, rules("r", "2000-01-01", credit.Reset, func(r *credit.Rules) { r.YearBegins = "07-01" }))
	b.must(credit.Event{Item: "grave", Effective: "2026-06-30"}, "2026-06-30 09:00") // never expires by itself
	b.must(credit.Event{Item: "fraud", Effective: "2026-06-30"}, "2026-06-30 09:00") // veto of 36 months
	if e := b.events[0]; e.Year != 2025 || e.Until != "2026-06-30" {
		t.Errorf("judged %+v", e.Judgement)
	}
	if s := b.fast("2026-06-30"); s.Points != 45 || s.Band.Code != "D" || s.Year != 2025 {
		t.Errorf("%d points, band %s", s.Points, s.Band.Code)
	}
	if s := b.fast("2026-07-01"); s.Points != 100 || s.Band.Code != "D" || s.Year != 2026 {
		t.Errorf("in the new year %d points, band %s: points begin anew, the veto stays", s.Points, s.Band.Code)
	}
	if s := b.fast("2029-06-30"); s.Band.Code != "A" {
		t.Errorf("after 36 months band %s", s.Band.Code)
	}
	if end, ok := credit.YearEnd(b.files, "320583", 2025); !ok || end != "2026-06-30" {
		t.Errorf("credit year 2025 ends on %s", end)
	}
}

func TestRepairAndCorrection(t *testing.T) {
	b := newBook(t, rules("r", "2000-01-01", credit.Carry))
	fault := b.must(credit.Event{Item: "fault", Effective: "2026-01-31"}, "2026-02-01 09:00")
	grave := b.must(credit.Event{Item: "grave", Effective: "2026-02-01"}, "2026-02-01 09:00")
	refused := func(in credit.Event, now, code string) {
		t.Helper()
		if _, err := b.add(in, at(now)); fail.CodeOf(err) != code {
			t.Errorf("%+v: %v, want %s", in, err, code)
		} else if fail.Of(err).ZH == "" {
			t.Errorf("%s has no Chinese", code)
		}
	}
	refused(credit.Event{Repairs: fault.ID, Effective: "2026-02-27"}, "2026-03-05 09:00", "credit_repair_too_early") // a month from 31 January is 28 February
	refused(credit.Event{Repairs: grave.ID, Effective: "2026-03-01"}, "2026-03-05 09:00", "credit_not_repairable")
	refused(credit.Event{Repairs: fault.ID, Effective: "2028-02-01"}, "2028-02-01 09:00", "credit_ended")
	repair := b.must(credit.Event{Repairs: fault.ID, Effective: "2026-02-28"}, "2026-03-05 09:00")
	if s := b.fast("2026-02-27"); s.Points != 78 {
		t.Errorf("before the repair %d", s.Points)
	}
	if s := b.fast("2026-02-28"); s.Points != 85 {
		t.Errorf("from the repair on %d", s.Points)
	}
	if s := b.replay("2026-02-28", at("2026-03-05 08:59")); s.Points != 78 {
		t.Errorf("before the repair was known %d", s.Points)
	}
	refused(credit.Event{Repairs: fault.ID, Effective: "2026-03-05"}, "2026-03-06 09:00", "credit_already_repaired")
	refused(credit.Event{Repairs: repair.ID, Effective: "2026-03-05"}, "2026-03-06 09:00", "credit_follower_unknown")
	undo := b.must(credit.Event{Corrects: repair.ID}, "2026-03-07 09:00")
	if s := b.fast("2026-03-07"); s.Points != 78 {
		t.Errorf("the repair was taken back: %d", s.Points)
	}
	refused(credit.Event{Corrects: repair.ID}, "2026-03-07 10:00", "credit_follower_unknown")
	refused(credit.Event{Corrects: undo.ID}, "2026-03-07 10:00", "credit_follower_unknown")
	b.must(credit.Event{Corrects: fault.ID}, "2026-03-08 09:00")
	if s := b.fast("2026-02-10"); s.Points != 85 {
		t.Errorf("a corrected event never counted: %d", s.Points)
	}
	if s := b.replay("2026-02-10", at("2026-03-07 12:00")); s.Points != 78 {
		t.Errorf("as known before the correction: %d", s.Points)
	}
	refused(credit.Event{Corrects: fault.ID}, "2026-03-08 10:00", "credit_already_corrected")
	refused(credit.Event{Repairs: fault.ID, Effective: "2026-03-08"}, "2026-03-08 10:00", "credit_already_corrected")
	if err := credit.Followed(credit.MaxFollowers); fail.CodeOf(err) != "credit_too_many_followers" {
		t.Error(err)
	}
	lines := credit.Explain(credit.Standings(b.events), 100, "2026-03-08")
	if len(lines) != 2 || lines[0].How != credit.Corrected || lines[1].How != credit.Counts || lines[1].Total != 85 {
		t.Errorf("%+v", lines)
	}
}

func TestRecordNamesEveryFault(t *testing.T) {
	files := set(t, rules("r", "2000-01-01", credit.Carry, func(r *credit.Rules) { r.Items[0].Origins = []credit.Origin{credit.OriginManual} }))
	now := at("2026-03-02 09:00")
	whole := credit.Event{ID: "e", Institution: "i", Item: "slip", Effective: "2026-03-02", Origin: credit.OriginCase, Reference: "c", Document: "文1"}
	for name, c := range map[string]struct {
		change func(*credit.Event)
		tier   credit.Tier
		want   string
	}{
		"sound":            {func(*credit.Event) {}, "", ""},
		"nothing":          {func(e *credit.Event) { *e = credit.Event{} }, "", "id missing, item one_of, effective date, origin unknown, document missing, reference missing"},
		"two":              {func(e *credit.Event) { e.Repairs = "x" }, "", "item one_of"},
		"tomorrow":         {func(e *credit.Event) { e.Effective = "2026-03-03" }, "", "effective after_today"},
		"unknown item":     {func(e *credit.Event) { e.Item = "x" }, "", "item unknown"},
		"origin of item":   {func(e *credit.Event) { e.Item = "merit" }, "", "origin not_of_item"},
		"tier":             {func(e *credit.Event) { e.Item, e.Origin = "merit", credit.OriginManual }, credit.County, "origin not_of_tier"},
		"tier ok":          {func(e *credit.Event) { e.Item, e.Origin = "merit", credit.OriginManual }, credit.Prefecture, ""},
		"correction dated": {func(e *credit.Event) { e.Item, e.Corrects = "", "x" }, "", "effective not_of_a_correction"},
	} {
		e := whole
		c.change(&e)
		_, err := credit.Record(files, "320583", nil, e, c.tier, now)
		var got []string
		if err != nil {
			for _, f := range fail.Of(err).Fields {
				got = append(got, f.Name+" "+f.Code)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
	none, _ := rulefile.NewSet[credit.Rules]()
	if _, err := credit.Record(none, "320583", nil, whole, "", now); fail.CodeOf(err) != "credit_rules_missing" {
		t.Error(err)
	}
}

func TestReview(t *testing.T) {
	b := newBook(t, rules("r", "2000-01-01", credit.Carry))
	b.must(credit.Event{Item: "grave", Effective: "2025-05-05"}, "2025-05-05 09:00")
	in := credit.Review{Institution: "i", Year: 2025, Document: "文2"}
	if _, err := credit.MakeReview(in, b.fast("2025-12-31"), 1, at("2025-12-31 09:00")); fail.CodeOf(err) != "credit_year_not_ended" {
		t.Error(err)
	}
	v, err := credit.MakeReview(in, b.fast("2025-12-31"), 1, at("2026-01-01 09:00"))
	if err != nil || v.Points != 85 || v.Band.Code != "B" || v.Published != nil {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err = v.Publish(at("2026-01-09 09:00")); err != nil || v.Published == nil {
		t.Fatal(err)
	}
	if _, err = v.Publish(at("2026-01-10 09:00")); fail.CodeOf(err) != "credit_review_published" {
		t.Error(err)
	}
}

func starRules() credit.StarRules {
	return credit.StarRules{Head: rulefile.Head{ID: "s", Region: "000000", From: "2000-01-01", Name: names, Sample: "for tests"},
		Parts:  []credit.StarPart{{Code: credit.PartSelf, Name: names, Weight: 25}, {Code: credit.PartSpotCheck, Name: names, Weight: 75}},
		Grades: []credit.StarGrade{{Stars: 5, From: 90}, {Stars: 3, From: 70}}, PublicityDays: 5, TermMonths: 12}
}

func begun(t testing.TB, now time.Time) credit.Assessment {
	t.Helper()
	files, err := rulefile.NewSet(starRules())
	if err != nil {
		t.Fatal(err)
	}
	a, err := credit.BeginAssessment(files, "320583", credit.Assessment{ID: "st-1", Institution: "i", From: "2025-01-01", Until: "2025-12-31"}, now)
	if err != nil {
		t.Fatal(err)
	}
	for part, n := range map[credit.Part]int{credit.PartSelf: 100, credit.PartSpotCheck: 60} {
		if a, err = a.Score(credit.PartScore{Part: part, Score: n, Document: "文1"}, now); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// starAct does an act with input that is right, so that only the state can
// refuse it.
func starAct(a credit.Assessment, act credit.StarAct, now time.Time) (credit.Assessment, error) {
	switch act {
	case credit.StarScore:
		return a.Score(credit.PartScore{Part: credit.PartSelf, Score: 90, Document: "文1"}, now)
	case credit.StarPublicise:
		return a.Publicise(standards.EmbeddedCalendar(), now)
	case credit.StarObject:
		return a.Object("有异议", now)
	case credit.StarUphold, credit.StarReject:
		n := slices.IndexFunc(a.Objections, func(o credit.Objection) bool { return o.Settled == nil }) + 1
		return a.Settle(n, act == credit.StarUphold, "核实", now)
	case credit.StarConfirm:
		return a.Confirm("文2", now)
	}
	return a.Withdraw("文3", "事由", now)
}

// TestStarStates drives an assessment into every state of the documented table
// and tries every act there.
func TestStarStates(t *testing.T) {
	table := doctest.States(t, "doc.go", "Stars")
	doctest.Holds(t, table, credit.StarStates(), credit.StarActs())
	start, later, end := at("2026-03-02 09:00"), at("2026-03-16 09:00"), at("2027-06-01 09:00")
	states := map[credit.StarState]func(act credit.StarAct) (credit.Assessment, time.Time){}
	step := func(a credit.Assessment, act credit.StarAct, now time.Time) credit.Assessment {
		out, err := starAct(a, act, now)
		if err != nil {
			t.Fatalf("%s: %v", act, err)
		}
		return out
	}
	states[credit.StarDraft] = func(credit.StarAct) (credit.Assessment, time.Time) { return begun(t, start), start }
	states[credit.StarPublicised] = func(act credit.StarAct) (credit.Assessment, time.Time) {
		a := step(begun(t, start), credit.StarPublicise, start)
		switch act {
		case credit.StarUphold, credit.StarReject:
			return step(a, credit.StarObject, start), start
		case credit.StarConfirm:
			return a, later
		}
		return a, start
	}
	confirmed := func() credit.Assessment {
		return step(step(begun(t, start), credit.StarPublicise, start), credit.StarConfirm, later)
	}
	states[credit.StarInForce] = func(credit.StarAct) (credit.Assessment, time.Time) { return confirmed(), later }
	states[credit.StarExpired] = func(credit.StarAct) (credit.Assessment, time.Time) { return confirmed(), end }
	states[credit.StarWithdrawn] = func(credit.StarAct) (credit.Assessment, time.Time) {
		return step(confirmed(), credit.StarWithdraw, later), later
	}
	for _, state := range credit.StarStates() {
		if state.Chinese() == "" {
			t.Errorf("%s has no word", state)
		}
		for _, act := range credit.StarActs() {
			a, now := states[state](act)
			if got := a.StateOn(standards.DateOf(now)); got != state {
				t.Fatalf("driven to %s, is %s", state, got)
			}
			out, err := starAct(a, act, now)
			want := table.Next[string(state)][string(act)]
			allowed := want != doctest.Refused
			switch {
			case allowed && (err != nil || string(out.State) != want):
				t.Errorf("%s in %s: %s, %v, want %s", act, state, out.State, err, want)
			case !allowed && fail.CodeOf(err) != "star_state":
				t.Errorf("%s in %s: %v, want it refused", act, state, err)
			}
		}
	}
}

func TestStarsInTime(t *testing.T) {
	start := at("2026-04-29 09:00") // 1 to 5 May are days off, 9 May is worked
	a := begun(t, start)
	a, err := a.Publicise(standards.EmbeddedCalendar(), start)
	if err != nil || a.Result != 25*100+75*60 || a.Stars != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a.Publicity.Until != "2026-05-09" || a.Publicity.Basis != standards.Official { // 30 April, 6, 7, 8 and 9 May
		t.Errorf("publicity until %s", a.Publicity.Until)
	}
	if _, err := a.Confirm("文2", at("2026-05-09 20:00")); fail.CodeOf(err) != "star_publicity_running" {
		t.Error(err)
	}
	o, err := a.Object("有异议", at("2026-05-09 20:00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Object("有异议", at("2026-05-10 00:00")); fail.CodeOf(err) != "star_publicity_over" {
		t.Error(err)
	}
	if _, err := o.Confirm("文2", at("2026-05-12 09:00")); fail.CodeOf(err) != "star_objection_open" {
		t.Error(err)
	}
	if o, err = o.Settle(1, false, "不成立", at("2026-05-12 09:00")); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Settle(1, true, "再议", at("2026-05-12 09:00")); fail.CodeOf(err) != "star_objection_settled" {
		t.Error(err)
	}
	if o, err = o.Confirm("文2", at("2026-05-12 09:00")); err != nil || o.Term.Until != "2027-05-11" {
		t.Fatalf("%+v, %v", o.Term, err)
	}
	w, err := o.Withdraw("文3", "弄虚作假", at("2026-08-01 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		on    standards.Date
		known string
		want  bool
	}{
		{"2026-05-11", "2026-12-01 09:00", false}, {"2026-05-12", "2026-12-01 09:00", true}, {"2026-05-12", "2026-05-12 08:59", false},
		{"2026-07-31", "2026-12-01 09:00", true}, {"2026-08-01", "2026-12-01 09:00", false}, {"2026-08-01", "2026-07-31 09:00", true},
		{"2027-05-12", "2026-07-31 09:00", false},
	} {
		if got, ok := credit.StarsOn([]credit.Assessment{w}, c.on, at(c.known)); ok != c.want || ok && got.Stars != 3 {
			t.Errorf("on %s known %s: %t", c.on, c.known, ok)
		}
	}
	draft := begun(t, start)
	draft.Scores = draft.Scores[:1]
	if _, err := draft.Publicise(standards.EmbeddedCalendar(), start); fail.CodeOf(err) != "star_scores_missing" {
		t.Error(err)
	}
}

func TestTaskList(t *testing.T) {
	files, err := rulefile.NewSet(credit.ListRules{Head: rulefile.Head{ID: "l", Region: "000000", From: "2000-01-01", Name: names, Sample: "for tests"},
		Bands: []string{"A", "B"}, Stars: 3, Methods: []credit.Method{{Code: "tender", Name: names}}})
	if err != nil {
		t.Fatal(err)
	}
	now := at("2026-03-02 09:00")
	l, err := credit.NewList(files, credit.TaskList{ID: "tl", Region: "320500", Name: "名单", Document: "文1", Basis: "依据", Method: "tender", From: "2026-04-01", Until: "2026-12-31"}, now)
	if err != nil {
		t.Fatal(err)
	}
	one := func(inst, band string, stars int) credit.Candidacy {
		return credit.Candidacy{Entry: credit.Entry{ID: inst + "-1", Institution: inst, Occupations: []string{"6-31-01-03"}, Band: band, StarsHad: stars}, Row: 1, Exists: true}
	}
	if _, err := l.Enter([]credit.Candidacy{one("i", "C", 2)}, now); fail.CodeOf(err) != "task_list_criteria" || len(fail.Of(err).Fields) != 2 {
		t.Errorf("below the criteria: %v", err)
	}
	if _, err := l.Enter([]credit.Candidacy{one("i", "A", 3), one("i", "A", 3)}, now); fail.CodeOf(err) != "task_list_invalid" {
		t.Errorf("twice: %v", err)
	}
	entries, err := l.Enter([]credit.Candidacy{one("i", "B", 3)}, now)
	if err != nil || entries[0].From != "2026-04-01" || entries[0].Region != "320500" {
		t.Fatalf("%+v, %v", entries, err)
	}
	gone, err := entries[0].Remove(credit.Withdrawal{On: "2026-09-01", Document: "文2", Reason: "降级"}, at("2026-09-10 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Remove(credit.Withdrawal{On: "2026-10-01", Document: "文2", Reason: "再次"}, now); fail.CodeOf(err) != "task_list_removed" {
		t.Error(err)
	}
	for _, c := range []struct {
		q    credit.ListQuery
		want int
	}{
		{credit.ListQuery{Occupation: "6-31-01-03", Region: "320583", On: "2026-04-01", Known: at("2026-05-01 09:00")}, 1},
		{credit.ListQuery{Occupation: "6-31-01-03", Region: "320583", On: "2026-03-31", Known: at("2026-05-01 09:00")}, 0},
		{credit.ListQuery{Occupation: "6-31-01-03", On: "2026-04-01", Known: at("2026-03-02 08:59")}, 0},
		{credit.ListQuery{Occupation: "4-10-01-05", On: "2026-04-01", Known: at("2026-05-01 09:00")}, 0},
		{credit.ListQuery{Region: "320600", On: "2026-04-01", Known: at("2026-05-01 09:00")}, 0}, // another city's list
		{credit.ListQuery{Region: "320000", On: "2026-04-01", Known: at("2026-05-01 09:00")}, 0}, // a city's list is not the province's
		{credit.ListQuery{On: "2026-09-01", Known: at("2026-09-10 08:59")}, 1},
		{credit.ListQuery{On: "2026-09-01", Known: at("2026-09-10 09:00")}, 0},
		{credit.ListQuery{On: "2026-08-31", Known: at("2026-12-10 09:00")}, 1},
	} {
		if got := credit.Listed([]credit.Entry{gone}, c.q); len(got) != c.want {
			t.Errorf("%+v: %d entries, want %d", c.q, len(got), c.want)
		}
	}
}

func integrityFiles(t testing.TB) rulefile.Set[credit.IntegrityRules] {
	t.Helper()
	kind := func(code string, holds bool) credit.IntegrityKind {
		return credit.IntegrityKind{Code: code, Name: names, Subjects: []credit.SubjectKind{credit.SubjectCandidate}, BarMonths: 12, FileMonths: 60, BarredOnAppeal: holds}
	}
	r := credit.IntegrityRules{Head: rulefile.Head{ID: "g", Region: "000000", From: "2000-01-01", Name: names, Sample: "for tests"}, AppealDays: 5,
		Kinds: []credit.IntegrityKind{kind("cheating", true), kind("doubt", false)}}
	if p := r.Problems(); len(p) > 0 {
		t.Fatal(p)
	}
	out, err := rulefile.NewSet(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func entered(t testing.TB, kind string) credit.IntegrityFile {
	t.Helper()
	p, err := credit.IntegrityFile{Subject: credit.Subject{Kind: credit.SubjectCandidate, ID: "p"}}.Enter(integrityFiles(t), standards.EmbeddedCalendar(),
		credit.IntegrityEntry{ID: "e", Kind: kind, Region: "320583", Occurred: "2026-02-20", Document: "文1", Basis: "依据"}, at("2026-03-02 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIntegrityStates(t *testing.T) {
	table := doctest.States(t, "doc.go", "Integrity files")
	doctest.Holds(t, table, credit.IntegrityStates(), credit.IntegrityActs())
	now := at("2026-03-03 09:00")
	act := func(p credit.IntegrityFile, do credit.IntegrityAct) (credit.IntegrityFile, error) {
		if do == credit.IntegrityAppeal {
			return p.Appeal("e", "不服", now)
		}
		return p.Decide("e", do == credit.IntegrityUphold, "文2", "理由", now)
	}
	path := map[credit.IntegrityState][]credit.IntegrityAct{credit.IntegrityInForce: {}, credit.IntegrityAppealed: {credit.IntegrityAppeal},
		credit.IntegrityAnnulled: {credit.IntegrityAppeal, credit.IntegrityUphold}, credit.IntegrityConfirmed: {credit.IntegrityAppeal, credit.IntegrityReject}}
	for _, state := range credit.IntegrityStates() {
		for _, do := range credit.IntegrityActs() {
			p := entered(t, "cheating")
			for _, before := range path[state] {
				var err error
				if p, err = act(p, before); err != nil {
					t.Fatal(err)
				}
			}
			if p.Entries[0].State != state || state.Chinese() == "" {
				t.Fatalf("driven to %s, is %s", state, p.Entries[0].State)
			}
			out, err := act(p, do)
			want := table.Next[string(state)][string(do)]
			allowed := want != doctest.Refused
			switch {
			case allowed && (err != nil || string(out.Entries[0].State) != want):
				t.Errorf("%s in %s: %v, want %s", do, state, err, want)
			case !allowed && fail.CodeOf(err) != "integrity_state":
				t.Errorf("%s in %s: %v, want it refused", do, state, err)
			}
		}
	}
}

func TestBarred(t *testing.T) {
	p := entered(t, "cheating")
	e := p.Entries[0]
	if e.From != "2026-03-02" || e.Until != "2027-03-01" || e.FileUntil != "2031-03-01" || e.AppealUntil != "2026-03-09" {
		t.Errorf("%+v", e)
	}
	if _, err := p.Appeal("e", "不服", at("2026-03-10 00:00")); fail.CodeOf(err) != "integrity_appeal_late" {
		t.Error(err)
	}
	appealed := func(kind string) credit.IntegrityFile {
		p, err := entered(t, kind).Appeal("e", "不服", at("2026-03-05 09:00"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	decided := func(upheld bool) credit.IntegrityFile {
		p, err := appealed("doubt").Decide("e", upheld, "文2", "理由", at("2026-04-01 09:00"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		file  credit.IntegrityFile
		on    standards.Date
		known string
		want  bool
	}{
		"before it was known":   {p, "2026-03-05", "2026-03-02 08:59", false},
		"first day":             {p, "2026-03-02", "2026-03-02 09:00", true},
		"the day before":        {p, "2026-03-01", "2026-06-01 09:00", false},
		"last day":              {p, "2027-03-01", "2026-06-01 09:00", true},
		"after":                 {p, "2027-03-02", "2026-06-01 09:00", false},
		"appeal, bar holds":     {appealed("cheating"), "2026-03-06", "2026-03-06 09:00", true},
		"appeal, bar rests":     {appealed("doubt"), "2026-03-06", "2026-03-06 09:00", false},
		"before the appeal":     {appealed("doubt"), "2026-03-06", "2026-03-05 08:59", true},
		"rejected":              {decided(false), "2026-04-02", "2026-04-02 09:00", true},
		"rejected, known later": {decided(false), "2026-04-02", "2026-03-31 09:00", false},
		"upheld":                {decided(true), "2026-03-03", "2026-04-02 09:00", false},
	} {
		if _, got := c.file.Barred(c.on, at(c.known)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if n := len(p.OnFile("2031-03-01")); n != 1 {
		t.Errorf("%d entries on the last day on file", n)
	}
	if n := len(p.OnFile("2031-03-02")); n != 0 {
		t.Errorf("%d entries after it", n)
	}
}

// TestEmbeddedAreSamples: nothing confirmed was found, so every file that comes
// with the product is a sample, and so is every entry that has no source.
func TestEmbeddedAreSamples(t *testing.T) {
	s, err := credit.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	says := func(what, source, sample string) {
		if source == "" && sample == "" {
			t.Errorf("%s has neither source nor sample", what)
		}
	}
	for _, r := range s.Credit.All() {
		if r.Sample == "" {
			t.Errorf("%s is no sample", r.ID)
		}
		for _, b := range r.Bands {
			says("band "+b.Code, b.Source, b.Sample)
		}
		for _, i := range r.Items {
			says("item "+i.Code, i.Source, i.Sample)
		}
		for _, p := range r.Repairs {
			says("repair of "+strings.Join(p.Items, ","), p.Source, p.Sample)
		}
	}
	for _, r := range s.Stars.All() {
		for _, p := range r.Parts {
			says("part "+string(p.Code), p.Source, p.Sample)
		}
		for _, g := range r.Grades {
			says(fmt.Sprint("grade ", g.Stars), g.Source, g.Sample)
		}
	}
	for _, r := range s.Lists.All() {
		for _, m := range r.Methods {
			says("method "+m.Code, m.Source, m.Sample)
		}
	}
	for _, r := range s.Integrity.All() {
		for _, k := range r.Kinds {
			says("kind "+k.Code, k.Source, k.Sample)
		}
	}
	for _, n := range []int{len(s.Credit.All()), len(s.Stars.All()), len(s.Lists.All()), len(s.Integrity.All())} {
		if n == 0 {
			t.Error("a kind of rule file is missing")
		}
	}
}

func TestProblemsAreFound(t *testing.T) {
	for name, change := range map[string]func(*credit.Rules){
		"public": func(r *credit.Rules) { r.Public = "all" }, "year": func(r *credit.Rules) { r.YearBegins = "02-29" },
		"carry": func(r *credit.Rules) { r.CarryOver = "" }, "bands": func(r *credit.Rules) { r.Bands = nil; r.Items = nil; r.Repairs = nil },
		"band order": func(r *credit.Rules) { r.Bands[0].From = 10 }, "band twice": func(r *credit.Rules) { r.Bands[1].Code = "A" },
		"item twice": func(r *credit.Rules) { r.Items[1].Code = "merit" }, "veto": func(r *credit.Rules) { r.Items[0].Veto = "Z" },
		"expires": func(r *credit.Rules) { r.Items[0].Expires = "24" }, "severity": func(r *credit.Rules) { r.Items[0].Severity = "x" },
		"origin": func(r *credit.Rules) { r.Items[0].Origins = []credit.Origin{"x"} }, "by": func(r *credit.Rules) { r.Items[0].By = nil },
		"no points": func(r *credit.Rules) { r.Items[0].Points = 0 }, "repair": func(r *credit.Rules) { r.Repairs[0].Items = []string{"x"} },
	} {
		if r := rules("r", "2000-01-01", credit.Carry, change); len(r.Problems()) == 0 {
			t.Errorf("%s: no problem was found", name)
		}
	}
}

func FuzzParseTerm(f *testing.F) {
	for _, s := range []string{"24 months", "year", "never", "0 months", "999 months", "1000 months", "١ months"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		months, year, ok := credit.ParseTerm(credit.Term(s))
		if !ok {
			return
		}
		again := "never"
		if year {
			again = "year"
		} else if months > 0 {
			again = fmt.Sprintf("%d months", months)
		}
		if again != s {
			t.Errorf("%q reads as %q", s, again)
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add([]byte("id: x\nbands: [{code: A, from: 1}]\nitems: [{code: a, expires: 3 months}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := rulefile.Parse[credit.Rules]("f", src)
		if err != nil {
			return
		}
		s, err := rulefile.NewSet(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range r.Items {
			for _, tier := range append(item.By, "") {
				e, err := credit.Record(s, r.Region, nil, credit.Event{ID: "e", Item: item.Code, Effective: "2026-02-28", Origin: item.Origins[0], Reference: "r", Document: "d"}, tier, at("2026-03-02 09:00"))
				if err == nil {
					if _, err := credit.Replay(s, r.Region, []credit.Event{e}, "2026-03-01", at("2026-03-02 09:00")); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}
