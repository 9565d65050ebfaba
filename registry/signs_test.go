package registry_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// reviewWords lists the reviews that a filter finds as "sign state count".
func reviewWords(t *testing.T, e *registrytest.Env, f registry.ReviewFilter) string {
	t.Helper()
	var out []string
	for page := (registry.Page{Limit: 1}); ; {
		vs, next, err := e.Reviews(ctx, e.Authority, f, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vs {
			out = append(out, fmt.Sprintf("%s %s %d", v.Sign, v.State, v.Count))
		}
		if page.Cursor = next; next == "" {
			return strings.Join(out, ", ")
		}
	}
}

// scored is a results file of n people of working age: all with the same scores
// when same.
func scored(from, n int, same bool) string {
	var s strings.Builder
	s.WriteString("姓名,证件号码,理论成绩,技能成绩\n")
	for i := range n {
		p, theory, skill := invented.PersonAt(2000+from+i), 60+i%30, 61+i/30
		if same {
			theory, skill = 75, 80
		}
		fmt.Fprintf(&s, "%s,%s,%d,%d\n", p.Name, p.Document, theory, skill)
	}
	return s.String()
}

func TestIdenticalScoresOpenOneReviewThatGrows(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	first, second, sound := e.MustPlan(by), e.MustPlan(by), e.MustPlan(by)
	e.Clock.Set(first.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	upload := func(s registry.Session, csv string) registry.Session {
		t.Helper()
		got, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)})
		if err != nil {
			t.Fatal(err)
		}
		return got.Session
	}
	if s := upload(sound, scored(0, 60, false)); s.Results.Figures == nil || s.Results.Figures.Same != 1 || s.Results.Figures.Scored != 60 || s.Results.Figures.AgeKnown != 60 {
		t.Errorf("figures %+v", s.Results.Figures)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "" {
		t.Errorf("sound results: %s", got)
	}
	upload(first, scored(100, 60, true))
	upload(second, scored(200, 40, true))
	upload(second, scored(200, 41, true)) // replaced
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "same_scores open 3" {
		t.Errorf("reviews: %s", got)
	}
	vs, _, _ := e.Reviews(ctx, e.Authority, registry.ReviewFilter{}, registry.Page{})
	v := vs[0]
	if v.Institution != by.Institution.ID || v.Findings[0].Records[0] != (signs.Record{Kind: "session", ID: first.ID}) || v.Findings[1].Records[0].ID != second.ID {
		t.Errorf("the review is on %+v", v.Findings)
	}
	for _, do := range []signs.ReviewAction{signs.ReviewLook, signs.ReviewDismiss} {
		reason := ""
		if do == signs.ReviewDismiss {
			reason = "试卷为机考同卷，已复核"
		}
		if _, err := e.StepReview(ctx, e.Authority, v.ID, do, reason, ""); err != nil {
			t.Fatal(err)
		}
	}
	upload(first, scored(100, 61, true)) // known, and no worse
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "same_scores dismissed 3" {
		t.Errorf("the same session again: %s", got)
	}
	upload(sound, scored(300, 60, true)) // another session
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "same_scores dismissed 3, same_scores open 1" && got != "same_scores open 1, same_scores dismissed 3" {
		t.Errorf("another session: %s", got)
	}
	for f, want := range map[registry.ReviewFilter]string{
		{State: signs.ReviewOpen}: "same_scores open 1", {State: signs.ReviewDismissed, Sign: signs.KindSameScores}: "same_scores dismissed 3",
		{Sign: signs.KindJump}: "", {Region: "320500", State: signs.ReviewOpen}: "same_scores open 1", {Region: "320583", State: signs.ReviewOpen}: "same_scores open 1",
		{Region: "320584"}: "", {Region: "320100"}: "", {Institution: by.Institution.ID, State: signs.ReviewOpen}: "same_scores open 1", {Institution: "i-none"}: "",
	} {
		if got := reviewWords(t, e, f); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
}

func TestWhoSeesAndConductsReviews(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	if err := e.SignsAfterArrangement(ctx, by.Institution.ID, []signs.ExaminerDay{{Examiner: "x-1", Day: "2026-03-05", Sessions: 9, Candidates: 300}}); err != nil {
		t.Fatal(err)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "examiner_load open 1" {
		t.Fatalf("reviews: %s", got)
	}
	vs, _, _ := e.Reviews(ctx, e.Authority, registry.ReviewFilter{}, registry.Page{})
	id := vs[0].ID
	other := registry.Actor{Account: "a-other", Roles: []registry.Role{registry.RoleAuthority}, Region: "330000"}
	county := registry.Actor{Account: "a-county", Roles: []registry.Role{registry.RoleAuthority}, Region: "320583"}
	auditor := registry.Actor{Account: "a-auditor", Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"}
	for name, c := range map[string]struct {
		by              registry.Actor
		read, list, act bool
	}{
		"the public": {registry.Actor{}, false, false, false}, "the institution": {by.Actor, false, false, false},
		"another province": {other, false, false, false}, "the county": {county, true, true, true}, "an auditor": {auditor, true, true, false},
	} {
		if _, err := e.ReviewByID(ctx, c.by, id); (err == nil) != c.read {
			t.Errorf("%s reads: %v", name, err)
		}
		if _, _, err := e.Reviews(ctx, c.by, registry.ReviewFilter{Region: "320583"}, registry.Page{}); (err == nil) != c.list {
			t.Errorf("%s lists: %v", name, err)
		}
		if _, err := e.StepReview(ctx, c.by, id, signs.ReviewDismiss, "理由", ""); (fail.CodeOf(err) == "review_state") != c.act || err == nil {
			t.Errorf("%s acts: %v", name, err)
		}
	}
	// The log shows the finding to the authority and not to the institution.
	for index := uint64(0); ; index++ {
		b, err := e.Proof(ctx, by.Actor, index)
		if fail.KindOf(err) == fail.NotFound || fail.CodeOf(err) == "log_pending" {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b.Event), "review_") {
			t.Errorf("entry %d shows the institution %s", index, b.Event)
		}
		if index > 100 {
			break
		}
	}
	if _, err := e.StepReview(ctx, e.Authority, id, signs.ReviewLook, "身份证 "+invented.PersonAt(1).Document, ""); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a reason with an identity number: %v", err)
	}
	if _, err := e.StepReview(ctx, e.Authority, "v-none", signs.ReviewLook, "", ""); fail.KindOf(err) != fail.NotFound {
		t.Errorf("no such review: %v", err)
	}
	if _, _, err := e.Reviews(ctx, e.Authority, registry.ReviewFilter{Sign: "gossip", State: "maybe"}, registry.Page{}); fail.KindOf(err) != fail.Invalid || len(fail.Of(err).Fields) != 2 {
		t.Errorf("a filter that is none: %v", err)
	}
	if r, err := e.SignRules(ctx, county, ""); err != nil || r.ID != "signs-sample" || r.Velocity == nil {
		t.Errorf("rules: %v, %v", r.ID, err)
	}
}

// One person's certificates are remembered across batches and institutions.
func TestNearTradesAndManyCertificatesAreCountedByPerson(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	for _, occupation := range []string{"6-31-01-03", "4-10-01-05"} {
		for _, level := range []standards.Level{standards.Junior, standards.Intermediate, standards.Senior} {
			s := e.MustPublicise(by, e.MustPlanFor(by, occupation, level), scored(0, 6, false))
			e.MustIssue(by, s.ID)
		}
	}
	// Six certificates each: the fifth and the sixth are over four in a year, 12
	// person-times; two occupations are of two 小类. A new month has a new review.
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "many_certificates open 1, many_certificates open 1" {
		t.Fatalf("reviews: %s", got)
	}
	vs, _, _ := e.Reviews(ctx, e.Authority, registry.ReviewFilter{Sign: signs.KindManyCertificates}, registry.Page{})
	last := vs[1].Findings[0]
	if last.Measures[0].Value != 12 || last.Records[0].Kind != "batch" || last.Records[1].Kind != "certificate" {
		t.Errorf("the finding says %+v", last)
	}
}

// With due days in the course of a session, what is done long after them opens a
// review; what is a little late does not.
func TestLateSteps(t *testing.T) {
	for _, c := range []struct {
		days int
		want string
	}{{8, ""}, {30, "late open 2"}} { // calendar days after the exam
		e := registrytest.New(t, registrytest.Options{Rules: func(r *registry.Rules) {
			file := course.Rules{Head: rulefile.Head{ID: "due", Region: "000000", From: "2000-01-01"}, PublicityDays: 5, Steps: []course.Due{
				{Step: course.StepResults, After: course.StepExam, Days: 3}, {Step: course.StepPublicity, After: course.StepExam, Days: 5}}}
			var err error
			if r.Course, err = rulefile.NewSet(file); err != nil {
				t.Fatal(err)
			}
		}})
		by := e.MustAdmit(1)
		s := e.MustPlan(by)
		e.Clock.Set(s.ExamDate.AddDays(c.days).Time().Add(10 * time.Hour))
		if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(scored(0, 5, false))}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.StartPublicity(ctx, by.Actor, s.ID); err != nil {
			t.Fatal(err)
		}
		if got := reviewWords(t, e, registry.ReviewFilter{}); got != c.want {
			t.Errorf("%d days after the exam: %q, want %q", c.days, got, c.want)
		}
	}
}

func TestCertificatesFromElsewhereAreLookedAt(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	at := func(n, serial int, issued standards.Date) (out []registry.Elsewhere) {
		for i := range n {
			p := invented.PersonAt(3000 + serial + i)
			out = append(out, registry.Elsewhere{Number: by.Filing.Number(issued.Year(), standards.Senior, serial+i).Format(), Name: p.Name, Document: p.Document,
				Occupation: "6-31-01-03", Level: standards.Senior, Issued: issued, InstitutionName: by.Institution.Name})
		}
		return out
	}
	e.Clock.Set(time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC))
	// What the authority takes over of the past raises nothing, however much.
	if _, err := e.RegisterElsewhere(ctx, e.Authority, at(400, 700_001, "2025-06-01")); err != nil {
		t.Fatal(err)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "" {
		t.Errorf("taken over by the authority: %s", got)
	}
	if _, err := e.RegisterElsewhere(ctx, by.Actor, at(9, 800_001, "2026-03-20")); err != nil { // late, and few
		t.Fatal(err)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "" {
		t.Errorf("nine that are late: %s", got)
	}
	if _, err := e.RegisterElsewhere(ctx, by.Actor, at(1, 810_001, "2026-03-01")); err != nil { // the day before its filing
		t.Fatal(err)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "backdated open 1" {
		t.Errorf("dated before it was filed: %s", got)
	}
	// New ones count for its speed, like those issued here: its first filing is
	// 92 days old on 1 June.
	for i := range 4 {
		if _, err := e.RegisterElsewhere(ctx, by.Actor, at(400, 820_001+1000*i, "2026-05-29")); err != nil {
			t.Fatal(err)
		}
	}
	if got := reviewWords(t, e, registry.ReviewFilter{Sign: signs.KindVelocity}); got != "velocity open 1" { // 1,600 over 300 + 350·92/30
		t.Errorf("1,600 at once: %s", got)
	}
}

func TestARushBeforeASuspension(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	e.Clock.Add(200 * 24 * time.Hour) // no longer new
	e.MustCertificates(by, 2000, 2010)
	e.Clock.Add(60 * 24 * time.Hour)
	var open []registry.Session
	for range 6 {
		open = append(open, e.MustPlan(by))
	}
	e.Clock.Set(open[0].ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	for i, s := range open {
		if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(scored(i*30, 30, false))}); err != nil {
			t.Fatal(err)
		}
		var err error
		if open[i], err = e.StartPublicity(ctx, by.Actor, s.ID); err != nil {
			t.Fatal(err)
		}
	}
	e.Clock.Set(open[0].Publicity.Until.AddDays(1).Time().Add(10 * time.Hour))
	for _, s := range open {
		e.MustIssue(by, s.ID)
	}
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "" {
		t.Errorf("before the decision: %s", got)
	}
	e.Clock.Add(24 * time.Hour)
	mustDecide(t, e, by, evaluators.Suspend)
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "rush open 1" {
		t.Errorf("after the decision: %s", got)
	}
	mustDecide(t, e, by, evaluators.Resume) // looks at nothing
	if got := reviewWords(t, e, registry.ReviewFilter{}); got != "rush open 1" {
		t.Errorf("after it was lifted: %s", got)
	}
}

// TestDrawFromAnnouncementToPublication: 双随机、一公开.
func TestDrawFromAnnouncementToPublication(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by, other := e.MustAdmit(1), e.MustAdmit(2)
	for range 6 {
		e.MustPlan(by)
		e.MustPlan(other)
	}
	exam := standards.DateOf(e.Clock.Now()).AddDays(1)
	inspectors := []signs.Inspector{{ID: "R32260001", Avoid: []string{by.Institution.ID}}, {ID: "R32260002"}, {ID: "R32260003", Avoid: []string{other.Institution.ID}}, {ID: "R32260004"}}
	in := registry.NewDraw{Name: "2026年第一次抽查", From: exam, Until: exam, Wanted: 3, Each: 2, Inspectors: inspectors}

	for name, bad := range map[string]func(*registry.NewDraw){
		"nobody left":           func(d *registry.NewDraw) { d.Inspectors = inspectors[:2] },
		"no session":            func(d *registry.NewDraw) { d.From, d.Until = "2027-01-01", "2027-02-01" },
		"a period of two years": func(d *registry.NewDraw) { d.Until = exam.AddDays(700) },
		"an identity number": func(d *registry.NewDraw) {
			d.Inspectors = append(slices.Clone(inspectors), signs.Inspector{ID: invented.PersonAt(3).Document})
		},
		"nothing is drawn":         func(d *registry.NewDraw) { d.Wanted = 0 },
		"a name of 200 characters": func(d *registry.NewDraw) { d.Name = strings.Repeat("抽", 200) },
	} {
		d := in
		bad(&d)
		if _, err := e.AnnounceDraw(ctx, e.Authority, d); err == nil || fail.KindOf(err) == fail.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.AnnounceDraw(ctx, by.Actor, in); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an institution draws: %v", err)
	}
	keyed := e.Authority
	keyed.Idempotency = registry.Idempotency{Route: "POST /api/v1/draws", Key: "k", Body: []byte("b")}
	d, err := e.AnnounceDraw(ctx, keyed, in)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.AnnounceDraw(ctx, keyed, in); err != nil || again.ID != d.ID {
		t.Errorf("announced again: %+v, %v", again, err)
	}
	if d.Population != 12 || d.State != signs.DrawAnnounced || len(d.Drawn) != 0 || d.Algorithm != signs.Algorithm {
		t.Errorf("announced %+v", d)
	}
	if _, err := e.SeedDraw(ctx, e.Authority, d.ID, "42"); fail.KindOf(err) != fail.Invalid {
		t.Errorf("a value for a draw from the log: %v", err)
	}
	e.MustPlan(by) // comes too late for the population, and moves the log on
	if d, err = e.SeedDraw(ctx, e.Authority, d.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := e.SeedDraw(ctx, e.Authority, d.ID, ""); fail.CodeOf(err) != "draw_state" {
		t.Errorf("drawn twice: %v", err)
	}
	if len(d.Drawn) != 3 || d.Open != 3 || d.State != signs.DrawDrawn {
		t.Fatalf("drawn %+v", d)
	}
	if _, err := e.DrawProof(ctx, d.ID); fail.KindOf(err) != fail.NotFound {
		t.Errorf("who is drawn is told beforehand: %v", err)
	}
	for i, one := range d.Drawn {
		who := by
		if one.Institution == other.Institution.ID {
			who = other
		}
		if len(one.Inspectors) != 2 || slices.Contains(one.Inspectors, map[string]string{by.Institution.ID: "R32260001", other.Institution.ID: "R32260003"}[one.Institution]) {
			t.Errorf("%s is sent %v", one.Institution, one.Inspectors)
		}
		if _, err := e.InspectionByID(ctx, who.Actor, d.ID, one.Session); fail.KindOf(err) != fail.Forbidden {
			t.Errorf("an institution is warned: %v", err)
		}
		if got, _, err := e.InspectionsOfInstitution(ctx, who.Actor, one.Institution, registry.Page{}); err != nil || slices.ContainsFunc(got, func(i signs.Inspection) bool { return i.State == signs.InspectionDrawn }) {
			t.Errorf("an institution is warned by its list: %v, %v", got, err)
		}
		if _, err := e.AnswerInspection(ctx, who.Actor, d.ID, one.Session, "无"); fail.KindOf(err) != fail.Forbidden {
			t.Errorf("answered before there is a result: %v", err)
		}
		finding := signs.Finding{Held: standards.DateOf(e.Clock.Now()), Outcome: signs.OutcomeFound, Findings: "考场监控缺失一处"}
		if _, err := e.EnterInspection(ctx, who.Actor, d.ID, one.Session, finding); fail.KindOf(err) != fail.Forbidden {
			t.Errorf("an institution enters its own result: %v", err)
		}
		got, err := e.EnterInspection(ctx, e.Authority, d.ID, one.Session, finding)
		if err != nil || got.AnswerUntil <= standards.DateOf(e.Clock.Now()) {
			t.Fatalf("entered %+v, %v", got, err)
		}
		if _, err := e.PublishInspection(ctx, e.Authority, d.ID, one.Session); fail.CodeOf(err) != "answer_pending" {
			t.Errorf("published before the answer: %v", err)
		}
		if i == 2 { // no answer comes
			e.Clock.Set(got.AnswerUntil.AddDays(1).Time().Add(time.Hour))
		} else if got, err := e.AnswerInspection(ctx, who.Actor, d.ID, one.Session, "已补装"); err != nil || got.State != signs.InspectionAnswered {
			t.Errorf("answered: %+v, %v", got, err)
		}
		if _, err := e.PublishInspection(ctx, e.Authority, d.ID, one.Session); err != nil {
			t.Error(err)
		}
	}
	results, _, err := e.PublishedInspections(ctx, registry.Page{})
	if err != nil || len(results) != 3 || results[0].OutcomeZH != "发现问题" || results[0].Answer != "" || results[2].Answer != "已补装" || results[0].InstitutionName == "" {
		t.Errorf("published %+v, %v", results, err)
	}
	repeated(t, e, d.ID)
}

// repeated computes a published draw again from nothing but what is public: the
// proof, and the root of the log at the size that the announcement made.
func repeated(t *testing.T, e *registrytest.Env, id string) {
	t.Helper()
	p, err := e.DrawProof(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if got := signs.PopulationHash(p.Sessions); got != p.Draw.Hash || len(p.Sessions) != p.Draw.Population {
		t.Errorf("population of %d with hash %s, announced %d with %s", len(p.Sessions), got, p.Draw.Population, p.Draw.Hash)
	}
	raw, err := hex.DecodeString(p.Draw.Seed)
	if err != nil || len(raw) != 32 {
		t.Fatal(p.Draw.Seed)
	}
	seed := signs.LogSeed(rootAt(t, e, p.Draw.LogIndex+1), id)
	if seed.String() != p.Draw.Seed {
		t.Errorf("the seed is %s by the log, %s by the draw", seed, p.Draw.Seed)
	}
	sessions := signs.Draw(seed, "sessions", p.Sessions, p.Draw.Wanted)
	for i, one := range p.Draw.Drawn {
		if sessions[i] != one.Session || !slices.Equal(signs.Assign(seed, one.Session, one.Institution, p.Inspectors, p.Draw.Each), one.Inspectors) {
			t.Errorf("place %d: %+v, repeated %s", i, one, sessions[i])
		}
	}
}

func TestDrawFromAPublicValue(t *testing.T) {
	e := registrytest.New(t)
	e.MustPlan(e.MustAdmit(1))
	exam := standards.DateOf(e.Clock.Now()).AddDays(1)
	d, err := e.AnnounceDraw(ctx, e.Authority, registry.NewDraw{Name: "抽查", From: exam, Until: exam, Wanted: 5, Each: 1,
		Inspectors: []signs.Inspector{{ID: "R1"}}, PublicSource: "福彩双色球2026025期"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.SeedDraw(ctx, e.Authority, d.ID, " "); fail.KindOf(err) != fail.Invalid {
		t.Errorf("no value: %v", err)
	}
	if d, err = e.SeedDraw(ctx, e.Authority, d.ID, "01 05 09"); err != nil || d.Seed != signs.PublicSeed("01 05 09", d.ID).String() || len(d.Drawn) != 1 || d.LogRoot != "" {
		t.Errorf("%+v, %v", d, err)
	}
	if ds, _, err := e.Draws(ctx, e.Authority, "", registry.Page{}); err != nil || len(ds) != 1 {
		t.Errorf("%d draws, %v", len(ds), err)
	}
	if is, _, err := e.InspectionsOfDraw(ctx, e.Authority, d.ID, registry.Page{}); err != nil || len(is) != 1 || is[0].State != signs.InspectionDrawn {
		t.Errorf("%+v, %v", is, err)
	}
}

// rootAt is the root of the published log at a size, from its leaves as anybody
// can fetch them.
func rootAt(t *testing.T, e *registrytest.Env, size uint64) [32]byte {
	t.Helper()
	note, err := e.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c := strings.Split(string(note), "\n"); len(c) < 2 {
		t.Fatalf("checkpoint %q", note)
	}
	var root [32]byte
	err = e.DB.View(ctx, func(rd kv.Reader) error {
		h, err := auditlog.Root(rd, size)
		root = h
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}
