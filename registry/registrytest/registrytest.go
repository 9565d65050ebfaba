// Package registrytest gives tests a real registry: a store, a key ring, a clock
// that the test moves, and short ways to the states that a test begins from. When
// the test ends every invariant of the register is checked.
//
// The store is a bbolt file, or, with BAJIGONG_TEST_ENGINE=postgres in the
// environment, a PostgreSQL database of the test's own, see package pgtest:
//
//	BAJIGONG_TEST_ENGINE=postgres go test ./registry
//
// With BAJIGONG_TEST_REPAIR in the environment, everything that follows from the
// records is deleted when the test has ended, and must come back ([Env.MustRepair]).
//
// With BAJIGONG_TEST_CHANGES in the environment, every member of the records is
// changed when the test has ended, and a check must see it ([Env.MustSeeChanges]).
//
// A test that chooses its engine ([Options].Engine) has that engine in any case.
package registrytest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/numbering"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

// Origin is the address of every test registry; it is as long as a real one.
const Origin = "https://zs.jnrd.example.gov.cn"

// Region is the region of every test registry.
const Region = "320000"

// Clock is a clock that stands still until it is moved.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// Now reads the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Set moves the clock to t, forward or back.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) { c.Set(c.Now().Add(d)) }

// Env is a registry with what it stands on.
type Env struct {
	*registry.Registry
	T     testing.TB
	Clock *Clock
	DB    *kv.DB
	Dir   string // of the store and the keys
	Keys  *credentials.KeyRing
	CP    auditlog.CheckpointStore

	Authority registry.Actor
}

// Options change what New makes.
type Options struct {
	// Engine makes the engine; the one that the environment names when nil.
	Engine func(t testing.TB, dir string) kv.Engine
	// Rerun is given to the store (see kvtest.Rerun).
	Rerun func() bool
	// Clock is shared with another registry when not nil.
	Clock *Clock
	// Dir is where the key ring is, made before; a new one when empty.
	Dir string
	// Course are the rules for the course of a session; see FullCourse when nil.
	Course *rulefile.Set[course.Rules]
	// FullCourse takes the embedded rules for the course of a session; otherwise
	// it is ThinCourse, for tests that are about something else.
	FullCourse bool
	// Rules, when not nil, changes the rule files in use.
	Rules func(*registry.Rules)
	// Numbering takes the place of the embedded rules for certificate numbers.
	Numbering *rulefile.Set[numbering.Rules]
	// Origin takes the place of [Origin], for tests with a browser.
	Origin string
	// WebhookNetworks is given to the registry.
	WebhookNetworks []netip.Prefix
	// NoCheck leaves out the check of all invariants at the end.
	NoCheck bool
}

// New makes a registry on 2 March 2026, 09:00 in Shanghai, whose store is
// checked when the test ends.
func New(t testing.TB, opts ...Options) *Env {
	t.Helper()
	var opt Options
	if len(opts) > 0 {
		opt = opts[0]
	}
	ctx := context.Background()
	e := &Env{T: t, Clock: opt.Clock, Dir: opt.Dir}
	if e.Clock == nil {
		e.Clock = &Clock{t: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)}
	}
	var err error
	if e.Dir == "" {
		e.Dir = t.TempDir()
		if e.Keys, err = credentials.CreateKeyRing(filepath.Join(e.Dir, "keys"), "js", credentials.Opener{}, rand.Reader, e.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	} else if e.Keys, err = credentials.OpenKeyRing(filepath.Join(e.Dir, "keys"), credentials.Opener{}); err != nil {
		t.Fatal(err)
	}
	if opt.Engine == nil {
		opt.Engine = engineOfEnvironment(t)
	}
	engine := opt.Engine(t, e.Dir)
	var process [8]byte
	rand.Read(process[:])
	log := slog.New(slog.DiscardHandler)
	if e.DB, err = kv.Open(ctx, engine, kv.Options{Now: e.Clock.Now, Process: hex.EncodeToString(process[:]), Log: log, Rerun: opt.Rerun}, registry.Migrations()); err != nil {
		t.Fatal(err)
	}
	policies, err := policy.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := registry.EmbeddedRules()
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case opt.Course != nil:
		rules.Course = withFirst(t, *opt.Course, rules.Course)
	case !opt.FullCourse:
		rules.Course = withFirst(t, ThinCourse(t), rules.Course)
	}
	if opt.Rules != nil {
		opt.Rules(&rules)
	}
	if opt.Numbering != nil {
		rules.Numbering = *opt.Numbering
	}
	if opt.Origin == "" {
		opt.Origin = Origin
	}
	origin, err := registry.LogOrigin(opt.Origin)
	if err != nil {
		t.Fatal(err)
	}
	e.CP = auditlog.NewFileStore(e.Keys.Dir(), origin)
	if e.Registry, err = registry.New(e.DB, registry.Config{
		Origin: opt.Origin, Region: Region, OperatorZH: "职业技能证书登记系统（测试）", OperatorEN: "Skill Certificate Register (test)",
		Keys: e.Keys, Checkpoint: e.CP, Policies: policies, Rules: rules, Calendar: standards.EmbeddedCalendar(), Now: e.Clock.Now, Rand: rand.Reader, Log: log,
		WebhookNetworks: opt.WebhookNetworks,
	}); err != nil {
		t.Fatal(err)
	}
	if err := e.BeginLog(ctx); err != nil {
		t.Fatal(err)
	}
	e.Authority = registry.Actor{Account: "a-authority", Roles: []registry.Role{registry.RoleAuthority}, Region: Region, Via: "test"}
	t.Cleanup(func() {
		if !opt.NoCheck && !t.Failed() {
			e.MustCheck()
			if os.Getenv("BAJIGONG_TEST_REPAIR") != "" && !t.Failed() {
				e.MustRepair()
			}
			if os.Getenv("BAJIGONG_TEST_CHANGES") != "" && !t.Failed() {
				e.MustSeeChanges()
			}
		}
		if err := e.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// ThinCourse asks for nothing but plan, results and publicity.
func ThinCourse(t testing.TB) rulefile.Set[course.Rules] {
	t.Helper()
	set, err := rulefile.NewSet(course.Rules{Head: rulefile.Head{ID: "thin", Region: "000000", From: "2000-01-01"}, PublicityDays: 5})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// withFirst adds the file of sessions that name none.
func withFirst(t testing.TB, set, embedded rulefile.Set[course.Rules]) rulefile.Set[course.Rules] {
	t.Helper()
	first, _ := embedded.ByID(course.First)
	set, err := set.With(first)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// MustCheck fails the test for every broken invariant.
func (e *Env) MustCheck() {
	e.T.Helper()
	report, err := e.Check(context.Background(), registry.Operator(), nil)
	if err != nil {
		e.T.Fatalf("check: %v", err)
	}
	for _, p := range report.Problems {
		e.T.Errorf("invariant broken: %s", p)
	}
}

// Issuer is an institution that may issue.
type Issuer struct {
	registry.Actor
	Institution evaluators.Institution
	Filing      evaluators.Filing
}

// Scope is a filing's scope for 电工, all five levels, and 养老护理员.
func Scope() []evaluators.ScopeItem {
	all := standards.LevelsOf(standards.ExaminedLevels()...)
	return []evaluators.ScopeItem{
		{Occupation: "6-31-01-03", Levels: all},
		{Occupation: "4-10-01-05", Levels: all},
	}
}

// MustAdmit admits institution number n with one filing of Scope.
func (e *Env) MustAdmit(n int) Issuer {
	e.T.Helper()
	ctx := context.Background()
	inst, err := e.AdmitInstitution(ctx, e.Authority, evaluators.Institution{Name: fmt.Sprintf("第%d职业技能评价中心", n), USCC: invented.USCC(n), Region: "320583"})
	if err != nil {
		e.T.Fatalf("admit: %v", err)
	}
	today := standards.DateOf(e.Clock.Now())
	f, err := e.RecordFiling(ctx, e.Authority, evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode,
		Province: "32", Site: fmt.Sprintf("%06d", 58300+n), Authority: "320000", From: today, Until: today.AddDays(3 * 365), Scope: Scope(), Document: "苏人社备〔2026〕1号"})
	if err != nil {
		e.T.Fatalf("file: %v", err)
	}
	return Issuer{Institution: inst, Filing: f,
		Actor: registry.Actor{Account: "a-" + inst.ID, Organisation: inst.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: inst.Region, Via: "test"}}
}

// CSV is a results file of people from to to-1 of package invented, all passed
// at a level without review.
func CSV(from, to int) string {
	var s strings.Builder
	s.WriteString("姓名,证件类型,证件号码,理论成绩,技能成绩\n")
	for i := from; i < to; i++ {
		p := invented.PersonAt(i)
		fmt.Fprintf(&s, "%s,居民身份证,%s,%d,%d\n", p.Name, p.Document, 60+i%40, 60+i*7%40)
	}
	return s.String()
}

// MustPlan plans a session for 电工 三级 with the exam tomorrow.
func (e *Env) MustPlan(by Issuer) registry.Session {
	e.T.Helper()
	return e.MustPlanFor(by, "6-31-01-03", standards.Senior)
}

// MustPlanFor plans a session with the exam tomorrow.
func (e *Env) MustPlanFor(by Issuer, occupation string, level standards.Level) registry.Session {
	e.T.Helper()
	s, err := e.PlanSession(context.Background(), by.Actor, registry.NewSession{Name: "测试批次", Filing: by.Filing.ID, Occupation: occupation, Level: level,
		ExamDate: standards.DateOf(e.Clock.Now()).AddDays(1)})
	if err != nil {
		e.T.Fatalf("plan: %v", err)
	}
	return s
}

// MustPublicise takes a planned session through its exam, upload and publicity;
// afterwards the clock stands on the first day on which it can be issued.
func (e *Env) MustPublicise(by Issuer, s registry.Session, csv string) registry.Session {
	e.T.Helper()
	ctx := context.Background()
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)}); err != nil {
		e.T.Fatalf("results: %v", err)
	}
	s, err := e.StartPublicity(ctx, by.Actor, s.ID)
	if err != nil {
		e.T.Fatalf("publicity: %v", err)
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	return s
}

// MustIssue issues a session and returns its certificates.
func (e *Env) MustIssue(by Issuer, session string) []registry.Issued {
	e.T.Helper()
	ctx := context.Background()
	if _, err := e.Issue(ctx, by.Actor, session, nil); err != nil {
		e.T.Fatalf("issue: %v", err)
	}
	var out []registry.Issued
	for page := (registry.Page{Limit: 500}); ; {
		got, next, err := e.CertificatesOfSession(ctx, by.Actor, session, page)
		if err != nil {
			e.T.Fatalf("certificates: %v", err)
		}
		out = append(out, got...)
		if page.Cursor = next; next == "" {
			return out
		}
	}
}

// MustCertificates issues certificates of 电工 三级 for invented people from to
// to-1, the short way to most tests.
func (e *Env) MustCertificates(by Issuer, from, to int) []registry.Issued {
	e.T.Helper()
	s := e.MustPublicise(by, e.MustPlan(by), CSV(from, to))
	return e.MustIssue(by, s.ID)
}

// MustEmploy admits institution number n with one filing of class Y 用人单位.
func (e *Env) MustEmploy(n int) Issuer {
	e.T.Helper()
	by := e.MustAdmit(n)
	f := by.Filing
	f.ID, f.Class = "", evaluators.Employer
	var err error
	if by.Filing, err = e.RecordFiling(context.Background(), e.Authority, f); err != nil {
		e.T.Fatalf("file: %v", err)
	}
	return by
}

// MustEnter enters invented people as the institution's own on the roster of a
// session.
func (e *Env) MustEnter(by Issuer, s registry.Session, people ...int) registry.Session {
	e.T.Helper()
	var rows []registry.RosterRow
	for _, i := range people {
		row := RosterRow(i)
		row.Employer = by.Institution.USCC
		rows = append(rows, row)
	}
	report, err := e.EnterRoster(context.Background(), by.Actor, s.ID, rows)
	if err != nil {
		e.T.Fatalf("roster: %v", err)
	}
	return report.Session
}

// Colleague is another account of the same institution: the second person.
func (i Issuer) Colleague() registry.Actor {
	a := i.Actor
	a.Account += "-2"
	return a
}

// RosterRow is an invented person who has worked as an electrician for eleven
// years, which is enough for every level up to 三级.
func RosterRow(i int) registry.RosterRow {
	p := invented.PersonAt(i)
	return registry.RosterRow{Name: p.Name, Document: p.Document, Record: eligibility.Record{Work: []eligibility.Work{
		{From: "2014-01-02", Occupation: "6-31-01-03", Kind: eligibility.Insurance, Evidence: "社保记录"}}}}
}

// Roster is a roster of the people from to to-1.
func Roster(from, to int) (out []registry.RosterRow) {
	for i := from; i < to; i++ {
		out = append(out, RosterRow(i))
	}
	return out
}

// Payer is an actor of a subsidy office.
func Payer(name, region string) registry.Actor {
	return registry.Actor{Account: "a-" + name, Organisation: name, Roles: []registry.Role{registry.RolePayer}, Region: region, Via: "test"}
}
