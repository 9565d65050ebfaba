package registry_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/figures"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// counted is a certificate as a reader of the whole ledger would list it.
type counted struct {
	issued                                                                     standards.Date
	voided, cancelled                                                          standards.Date
	origin, region, occupation, level, class, group, mode, number, institution string
	person                                                                     int
}

// ledger is the naive side of the property test: a list, counted anew for each
// question by going through all of it.
type ledger []*counted

type answer struct{ issued, people, high, voided, cancelled, since uint64 }

func (l ledger) count(p figures.Period, pick func(*counted) bool) (out answer) {
	from, until := p.From(), p.Until()
	in := func(d standards.Date) bool { return d >= from && d <= until }
	people := map[int]bool{}
	for _, c := range l {
		if !pick(c) {
			continue
		}
		if in(c.issued) {
			out.issued++
			people[c.person] = true
			if slices.Contains([]string{"senior", "technician", "senior_technician", "special_technician", "chief_technician"}, c.level) {
				out.high++
			}
			if c.voided != "" {
				out.since++
			}
		}
		if c.voided != "" && in(c.voided) {
			out.voided++
		}
		if c.cancelled != "" && in(c.cancelled) {
			out.cancelled++
		}
	}
	out.people = uint64(len(people))
	return out
}

// world is a register with some institutions in several places.
type world struct {
	*registrytest.Env
	t       *testing.T
	rnd     *rand.Rand
	issuers []registrytest.Issuer
	list    ledger
	serial  int
}

func newWorld(t *testing.T, seed uint64, opt registrytest.Options) *world {
	set := courseSet(t, func(r *course.Rules) { r.Modes = nil })
	opt.Course = &set
	w := &world{Env: registrytest.New(t, opt), t: t, rnd: rand.New(rand.NewPCG(seed, 3))}
	for i, region := range []string{"320583", "320581", "320106", "320500"} {
		inst, err := w.AdmitInstitution(ctx, w.Authority, evaluators.Institution{Name: fmt.Sprintf("第%d评价中心", i+1), USCC: invented.USCC(i + 1), Region: region})
		if err != nil {
			t.Fatal(err)
		}
		class := evaluators.Social
		if i == 2 {
			class = evaluators.Employer
		}
		today := standards.DateOf(w.Clock.Now())
		f, err := w.RecordFiling(ctx, w.Authority, evaluators.Filing{Institution: inst.ID, Class: class, Code: "0000", Province: "32", Site: fmt.Sprintf("%06d", 100+i),
			Authority: "320000", From: today, Until: today.AddDays(3 * 365), Scope: registrytest.Scope(), Document: "苏人社备〔2026〕1号"})
		if err != nil {
			t.Fatal(err)
		}
		w.issuers = append(w.issuers, registrytest.Issuer{Institution: inst, Filing: f,
			Actor: registry.Actor{Account: "a-" + inst.ID, Organisation: inst.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: region, Via: "test"}})
	}
	return w
}

// issue runs a session of a few of the same thirty people; now and then the batch
// is aborted, and counts only once it was issued again.
func (w *world) issue() {
	w.t.Helper()
	by := w.issuers[w.rnd.IntN(len(w.issuers))]
	occupation := []string{"6-31-01-03", "4-10-01-05"}[w.rnd.IntN(2)]
	level := []standards.Level{standards.Junior, standards.Intermediate, standards.Senior}[w.rnd.IntN(3)]
	from := w.rnd.IntN(30)
	size := 1 + w.rnd.IntN(8)
	group := []string{"", "migrant", "veteran"}[w.rnd.IntN(3)]
	s := w.MustPlanFor(by, occupation, level)
	rows := registrytest.Roster(from, from+size)
	for i := range rows {
		rows[i].Employer, rows[i].Group = by.Institution.USCC, group
	}
	if _, err := w.EnterRoster(ctx, by.Actor, s.ID, rows); err != nil {
		w.t.Fatal(err, fail.Of(err).Fields)
	}
	s = w.MustPublicise(by, s, registrytest.CSV(from, from+size))
	if w.rnd.IntN(4) == 0 {
		w.StepByStep()
		_, err := w.Issue(ctx, by.Actor, s.ID, func(b registry.Batch) {
			if b.State == registry.BatchSigned {
				if _, err := w.AbortBatch(ctx, by.Actor, s.ID, "测试"); err != nil {
					w.t.Fatal(err)
				}
			}
		})
		if fail.CodeOf(err) != "batch_aborted" {
			w.t.Fatalf("aborted: %v", err)
		}
	}
	for i, c := range w.MustIssue(by, s.ID) {
		w.list = append(w.list, &counted{issued: c.Issued, origin: "here", region: by.Institution.Region, occupation: occupation, level: level.Code(),
			class: string(by.Filing.Class), group: group, mode: "exam", number: c.Number, institution: by.Institution.ID, person: from + i})
	}
}

// register brings certificates of past years from elsewhere.
func (w *world) register() {
	w.t.Helper()
	by := w.Authority
	by.Region = []string{"320500", "320106"}[w.rnd.IntN(2)]
	var rows []registry.Elsewhere
	var add ledger
	for range 1 + w.rnd.IntN(4) {
		w.serial++
		person := w.rnd.IntN(30)
		p := invented.PersonAt(person)
		issued := standards.Date(fmt.Sprintf("%d-%02d-15", 2023+w.rnd.IntN(3), 1+w.rnd.IntN(12)))
		mode := []policy.Mode{policy.ModeExam, policy.ModeConversion}[w.rnd.IntN(2)]
		e := registry.Elsewhere{Number: fmt.Sprintf("S00003205%04d%02d3%06d", 9000, issued.Year()%100, w.serial), Name: p.Name, Document: p.Document,
			Occupation: "6-31-01-03", Level: standards.Senior, Issued: issued, InstitutionName: "外地评价中心", Mode: mode}
		rows = append(rows, e)
		add = append(add, &counted{issued: issued, origin: "elsewhere", region: by.Region, occupation: e.Occupation, level: "senior", class: "S", mode: string(mode), number: e.Number, person: person})
	}
	if _, err := w.RegisterElsewhere(ctx, by, rows); err != nil {
		w.t.Fatal(err)
	}
	w.list = append(w.list, add...)
}

// change suspends, resumes, cancels or voids one of the certificates.
func (w *world) change() {
	w.t.Helper()
	if len(w.list) == 0 {
		return
	}
	c := w.list[w.rnd.IntN(len(w.list))]
	kind := []registry.ChangeKind{registry.ChangeVoid, registry.ChangeCancel, registry.ChangeSuspend, registry.ChangeResume}[w.rnd.IntN(4)]
	in := registry.NewChange{Kind: kind, Document: "苏人社撤〔2026〕2号", Reason: "测试"}
	if kind == registry.ChangeCancel {
		in.Effective = c.issued // a cancellation may lie in the past; it counts when it is recorded
	}
	_, err := w.ChangeCertificate(ctx, w.Authority, c.number, in)
	if fail.CodeOf(err) == "certificate_status" {
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	switch today := standards.DateOf(w.Clock.Now()); kind {
	case registry.ChangeVoid:
		c.voided = today
	case registry.ChangeCancel:
		c.cancelled = today
	}
}

func (w *world) mustCount() {
	w.t.Helper()
	if _, err := w.CountFigures(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// Whatever is issued, aborted, registered, voided and cancelled, in whatever
// order, every report says what going through the whole ledger says.
func TestStatisticsAreTheLedgers(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed, registrytest.Options{Rerun: kvtest.Rerun(5)})
			for range 24 {
				switch n := w.rnd.IntN(10); {
				case n < 4:
					w.issue()
				case n < 6:
					w.register()
				default:
					w.change()
				}
				if w.rnd.IntN(3) == 0 {
					w.mustCount()
				}
				if w.rnd.IntN(5) == 0 {
					w.Clock.Add(40 * 24 * time.Hour)
				}
			}
			w.mustCount()
			w.Clock.Set(time.Date(2030, 1, 10, 1, 0, 0, 0, time.UTC)) // every period has ended
			w.compare()
		})
	}
}

func (w *world) compare() {
	w.t.Helper()
	asked := 0
	for year := 2023; year <= 2027; year++ {
		periods := []string{fmt.Sprint(year), fmt.Sprintf("%dQ%d", year, 1+w.rnd.IntN(4)), fmt.Sprintf("%d-%02d", year, 1+w.rnd.IntN(12)), fmt.Sprintf("%dQ1", year), fmt.Sprintf("%dQ2", year)}
		for _, period := range periods {
			for _, region := range []string{"000000", "320000", "320500", "320583", "320100"} {
				for _, origin := range []registry.Origin{registry.OriginHere, registry.OriginElsewhere} {
					for _, by := range figures.Listings() {
						asked++
						w.compareOne(registry.StatisticsQuery{Period: period, Region: region, By: by, Origin: origin})
					}
				}
			}
		}
	}
	if asked < 1000 {
		w.t.Fatalf("%d reports were compared", asked)
	}
}

func lies(region, in string) bool {
	return strings.HasPrefix(region, strings.TrimRight(in, "0")) && (in != "320500" || region[:4] == "3205") && (in != "320100" || region[:4] == "3201")
}

func (w *world) compareOne(q registry.StatisticsQuery) {
	w.t.Helper()
	got, err := w.Statistics(ctx, registry.Operator(), q)
	if fail.CodeOf(err) == "fields_unknown" && q.By == figures.ListFields && (q.Region == "000000" || q.Period < "2025") {
		return
	}
	if err != nil {
		w.t.Fatalf("%+v: %v", q, err)
	}
	within := func(c *counted) bool { return c.origin == string(q.Origin) && lies(c.region, q.Region) }
	same := func(where string, f figures.Figures, pick func(*counted) bool, people bool) {
		w.t.Helper()
		now, before := w.list.count(got.Period, pick), w.list.count(got.Period.Before(), pick)
		have := answer{issued: f.Issued, people: now.people, high: f.High, voided: f.Voided, cancelled: f.Cancelled, since: f.VoidedSince}
		if f.People != nil {
			have.people = *f.People
		} else if people {
			w.t.Errorf("%+v %s: no 人数", q, where)
		}
		if have != now {
			w.t.Errorf("%+v %s: %+v, the ledger has %+v", q, where, have, now)
		}
		if f.Before == nil || f.Before.Issued != before.issued || f.Before.People != nil && *f.Before.People != before.people {
			w.t.Errorf("%+v %s: before %+v, the ledger has %+v", q, where, f.Before, before)
		}
		for _, l := range f.Levels {
			n := w.list.count(got.Period, func(c *counted) bool { return pick(c) && c.level == l.Level.Code() })
			if l.Issued != n.issued || l.People != nil && *l.People != n.people {
				w.t.Errorf("%+v %s %s: %d %v, the ledger has %+v", q, where, l.Level.Code(), l.Issued, l.People, n)
			}
		}
		if f.HighPeople != nil {
			n := w.list.count(got.Period, func(c *counted) bool { return pick(c) && slices.Contains([]string{"senior", "technician"}, c.level) })
			if *f.HighPeople != n.people {
				w.t.Errorf("%+v %s: high people %d, the ledger has %d", q, where, *f.HighPeople, n.people)
			}
		}
	}
	same("total", got.Total, within, true)
	rows, listed := uint64(0), map[string]bool{}
	for _, r := range got.Rows {
		rows += r.Issued
		listed[r.Key] = true
		key := r.Key
		same(key, r.Figures, func(c *counted) bool { return within(c) && keyOf(c, q) == key }, q.By != figures.ListFields && q.By != figures.ListRegions)
	}
	if rows != got.Total.Issued {
		w.t.Errorf("%+v: the rows have %d 人次, the total %d", q, rows, got.Total.Issued)
	}
	for _, c := range w.list {
		if within(c) && c.issued >= got.From && c.issued <= got.Until && !listed[keyOf(c, q)] {
			w.t.Errorf("%+v: no row for %+v", q, c)
		}
	}
}

func keyOf(c *counted, q registry.StatisticsQuery) string {
	switch q.By {
	case figures.ListLevels:
		return c.level
	case figures.ListOccupations:
		return c.occupation
	case figures.ListFields:
		return map[string]string{"6-31-01-03": "manufacturing", "4-10-01-05": "services"}[c.occupation]
	case figures.ListClasses:
		return c.class
	case figures.ListGroups:
		return c.group
	case figures.ListModes:
		return c.mode
	}
	switch {
	case q.Region == "000000":
		return c.region[:2] + "0000"
	case q.Region == "320000":
		return c.region[:4] + "00"
	}
	return c.region
}

// What is not counted yet is not in a report, which says so; what is counted once
// is not counted again; a batch of several pages is counted in pages.
func TestStatisticsLagAndCatchUp(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	e.MustCertificates(by, 0, 510)
	ask := registry.StatisticsQuery{Period: "2026", By: figures.ListRegions}
	got, err := e.Statistics(ctx, e.Authority, ask)
	if err != nil || !got.Behind || got.Total.Issued != 0 || !got.Running || got.Total.Before != nil {
		t.Fatalf("before counting: %+v, %v", got, err)
	}
	e.MustCheck() // what waits is no broken invariant
	for i, want := range []int{510, 0} {
		if n, err := e.CountFigures(ctx); err != nil || n != want {
			t.Fatalf("count %d: %d, %v", i, n, err)
		}
	}
	if got, err = e.Statistics(ctx, e.Authority, ask); err != nil || got.Behind || got.Total.Issued != 510 || *got.Total.People != 510 || got.Targets[1].Done != 510 {
		t.Fatalf("after counting: %+v, %v", got, err)
	}
	if len(got.Rows) != 1 || got.Rows[0].Key != "320500" || got.Rows[0].Issued != 510 {
		t.Fatalf("rows: %+v", got.Rows)
	}
	// A county has nothing below it: what it issued is its own.
	ask.Region = "320583"
	if got, err = e.Statistics(ctx, e.Authority, ask); err != nil || len(got.Rows) != 1 || got.Rows[0].Key != "320583" || *got.Rows[0].People != 510 || got.Targets != nil {
		t.Fatalf("county: %+v, %v", got, err)
	}
}

// A process that counts and one that was cut off in the middle of it, many times,
// on both engines: everything is counted once.
func TestCountingSurvivesFaults(t *testing.T) {
	engines(t, func(t *testing.T, open func(testing.TB, string) kv.Engine) {
		var faulty *kvtest.Faulty
		e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(4), Engine: func(t testing.TB, dir string) kv.Engine {
			faulty = kvtest.NewFaulty(open(t, dir))
			return faulty
		}})
		by := e.MustAdmit(1)
		issued := e.MustCertificates(by, 0, 420)
		for i := range 30 {
			if _, err := e.ChangeCertificate(ctx, e.Authority, issued[i].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文1号", Reason: "测试"}); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []kvtest.Fault{kvtest.Unreachable, kvtest.Kept, kvtest.Lost, kvtest.None, kvtest.Refused, kvtest.Again, kvtest.Kept} {
			faulty.Next(f)
			if _, err := e.CountFigures(ctx); err != nil && fail.KindOf(err) != fail.Unavailable {
				t.Fatal(err)
			}
		}
		for range 12 { // use up what is left of the faults
			_ = e.DB.Update(ctx, func(tx kv.Tx) error { tx.Put("test", []byte("k"), nil); return nil })
		}
		if _, err := e.CountFigures(ctx); err != nil {
			t.Fatal(err)
		}
		got, err := e.Statistics(ctx, e.Authority, registry.StatisticsQuery{Period: "2026"})
		if err != nil || got.Behind || got.Total.Issued != 420 || *got.Total.People != 420 || got.Total.Voided != 30 || got.Total.VoidedSince != 30 {
			t.Fatalf("%+v, %v", got.Total, err)
		}
	})
}

// Two processes over one database count at the same time; nothing counts twice.
func TestTwoProcessesCount(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	e.MustCertificates(by, 0, 620)
	done := make(chan error, 4)
	for range cap(done) {
		go func() { _, err := e.CountFigures(ctx); done <- err }()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if got, err := e.Statistics(ctx, e.Authority, registry.StatisticsQuery{Period: "2026-03"}); err != nil || got.Total.Issued != 620 {
		t.Fatalf("%+v, %v", got.Total, err)
	}
}

// The check sees every figure that is not the ledger's.
func TestCheckSeesWrongFigures(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{NoCheck: true})
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 3)
	if _, err := e.ChangeCertificate(ctx, e.Authority, issued[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文1号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CountFigures(ctx); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	for _, table := range []kv.Table{"figure_cells", "figure_sums", "figure_issuers", "figure_people"} {
		var entry kv.Entry
		tamper := func(name string, change func(tx kv.Tx)) {
			if err := e.DB.Update(ctx, func(tx kv.Tx) error { change(tx); return nil }); err != nil {
				t.Fatal(err)
			}
			report, err := e.Check(ctx, registry.Operator(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if report.Found == 0 || !strings.Contains(report.Problems[0], "statistics") {
				t.Errorf("%s %s: %v", table, name, report.Problems)
			}
			if err := e.DB.Update(ctx, func(tx kv.Tx) error { tx.Put(table, entry.Key, entry.Value); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.DB.View(ctx, func(rd kv.Reader) error {
			all, err := rd.Scan(table, kv.Range{Limit: 1})
			entry = all[0]
			return err
		}); err != nil {
			t.Fatal(err)
		}
		tamper("gone", func(tx kv.Tx) { tx.Delete(table, entry.Key) })
		wrong := slices.Clone(entry.Value)
		wrong[len(wrong)-1]++
		tamper("changed", func(tx kv.Tx) { tx.Put(table, entry.Key, wrong) })
	}
	e.MustCheck()
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		tx.Put("figure_people", kv.Key(uint64(2026), []byte("0123456789abcdef")), []byte("[]"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if report, err := e.Check(ctx, registry.Operator(), nil); err != nil || report.Found != 1 {
		t.Errorf("a person too many: %v %v", report.Problems, err)
	}
}

// Whose figures are whose: an authority sees its region and those within it.
func TestStatisticsBelongToARegion(t *testing.T) {
	e := registrytest.New(t)
	city := registry.Actor{Account: "a", Roles: []registry.Role{registry.RoleAuthority}, Region: "320500"}
	for region, want := range map[string]fail.Kind{"320500": "", "320583": "", "": "", "320000": fail.Forbidden, "320100": fail.Forbidden, "000000": fail.Forbidden} {
		_, err := e.Statistics(ctx, city, registry.StatisticsQuery{Period: "2026", Region: region})
		if (err == nil) != (want == "") || err != nil && fail.KindOf(err) != want {
			t.Errorf("statistics of %q: %v", region, err)
		}
		_, _, err = e.StatisticsCells(ctx, city, "2026-03", region, registry.Page{})
		if (err == nil) != (want == "") || err != nil && fail.KindOf(err) != want {
			t.Errorf("cells of %q: %v", region, err)
		}
	}
}

// BenchmarkStatistics asks for a year by region and level, and by occupation, in
// a province of 100 counties with 200 occupations, a year of which is 640,000
// certificates. certificates is how many times over: the kept figures are as
// many, only larger, so the time is the same.
func BenchmarkStatistics(b *testing.B) {
	for _, certificates := range []uint64{1, 16} {
		e := registrytest.New(b, registrytest.Options{NoCheck: true})
		cells := fillFigures(b, e, certificates)
		e.Clock.Set(time.Date(2027, 1, 10, 1, 0, 0, 0, time.UTC))
		for _, by := range []figures.Listing{figures.ListLevels, figures.ListRegions, figures.ListOccupations} {
			b.Run(fmt.Sprintf("%dcertificates/%s", certificates*640_000, by), func(b *testing.B) {
				rows := 0
				for b.Loop() {
					got, err := e.Statistics(ctx, e.Authority, registry.StatisticsQuery{Period: "2026", By: by})
					if err != nil {
						b.Fatal(err)
					}
					rows = len(got.Rows)
				}
				b.ReportMetric(float64(rows), "rows")
				b.ReportMetric(float64(cells), "kept")
			})
		}
	}
}

// fillFigures writes the sums of 2025 and 2026 as counting would leave them.
func fillFigures(b *testing.B, e *registrytest.Env, each uint64) (cells int) {
	b.Helper()
	tally := map[figures.Sum]figures.Count{}
	for county := range 100 {
		for occupation := range 200 {
			if (county+occupation)%5 != 0 {
				continue
			}
			for level := range 4 {
				for month := range 8 {
					f := figures.Fact{Month: figures.Period(fmt.Sprintf("%d-%02d", 2025+month%2, 1+month)), Origin: "here", Region: fmt.Sprintf("32%02d%02d", 1+county/10, 1+county%10),
						Class: "S", Level: standards.Level(2 + level), Occupation: fmt.Sprintf("6-31-%02d-%02d", occupation/20, occupation%20), Group: []string{"", "migrant", "youth"}[month%3], Mode: "exam"}
					for _, s := range f.Sums() {
						tally[s] = tally[s].Plus(figures.Count{Issued: 10 * each, People: 9 * each})
					}
				}
			}
		}
	}
	var all []figures.Sum
	for s := range tally {
		all = append(all, s)
	}
	for part := range slices.Chunk(all, 5000) {
		if err := e.DB.Update(ctx, func(tx kv.Tx) error {
			for _, s := range part {
				var v []byte
				c := tally[s]
				for _, n := range []uint64{c.Issued, c.People, 0, 0, 0} {
					v = binary.BigEndian.AppendUint64(v, n)
				}
				tx.Put("figure_sums", kv.Key(s.By, s.Period, s.Origin, s.Region, s.Value, s.Rank), v)
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	return len(all)
}

// BenchmarkCountFigures counts a published session of 500.
func BenchmarkCountFigures(b *testing.B) {
	e := newBenched(b, onBolt)
	n := 0
	for b.Loop() {
		b.StopTimer()
		e.fill(b, torture.Size{Issue: 1, IssueRows: 500})
		if _, err := e.Issue(b.Context(), e.scene.Issuer(), e.scene.Issue[0].ID, nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		counted, err := e.CountFigures(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n += counted
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "certificates/s")
}
