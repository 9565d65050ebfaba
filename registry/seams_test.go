package registry_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func mustUpload(t *testing.T, e *registrytest.Env, by registry.Actor, session, csv string) registry.UploadReport {
	t.Helper()
	report, err := e.UploadResults(ctx, by, session, registry.Upload{File: strings.NewReader(csv)})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func mustAppeal(t *testing.T, e *registrytest.Env, session string, row int) registry.Appeal {
	t.Helper()
	a, err := e.FileAppeal(ctx, session, objection(row))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func rowsOf(list []registry.Issued) (out []int) {
	for _, c := range list {
		out = append(out, c.Row)
	}
	slices.Sort(out)
	return out
}

// 异议成立 is final for the row: a further objection that is rejected gives it no
// certificate.
func TestUpheldAppealIsNotUndoneByAnother(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 2))
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	for _, to := range []registry.AppealState{registry.AppealUpheld, registry.AppealRejected} {
		a := mustAppeal(t, e, s.ID, 2)
		if _, err := e.DecideAppeal(ctx, e.Authority, s.ID, a.ID, to, "已核查考场录像"); err != nil {
			t.Fatal(err)
		}
	}
	e.Clock.Add(24 * time.Hour)
	if got := rowsOf(e.MustIssue(by, s.ID)); !slices.Equal(got, []int{3}) {
		t.Errorf("rows %v have certificates, want 3 alone", got)
	}
}

// Results that are sent back and shown again keep their appeals: the batch leaves
// out the same rows as it counted.
func TestReturnedResultsKeepTheirAppeals(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 5))
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	var ids []string
	for _, row := range []int{2, 3, 4} {
		ids = append(ids, mustAppeal(t, e, s.ID, row).ID)
	}
	decide := func(i int, to registry.AppealState) {
		t.Helper()
		if _, err := e.DecideAppeal(ctx, by.Actor, s.ID, ids[i], to, "已核查考场录像"); err != nil {
			t.Fatal(err)
		}
	}
	decide(0, registry.AppealUpheld)
	if _, err := e.ReturnResults(ctx, e.Authority, s.ID, "需补充评分表"); err != nil {
		t.Fatal(err)
	}
	decide(1, registry.AppealRejected) // while they are back
	var err error
	if s, err = e.StartPublicity(ctx, by.Actor, s.ID); err != nil {
		t.Fatal(err)
	}
	if p := s.Publicity; p.Held != 1 || p.Excluded != 1 {
		t.Errorf("%d held, %d excluded; want 1 and 1", p.Held, p.Excluded)
	}
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	if got := rowsOf(e.MustIssue(by, s.ID)); !slices.Equal(got, []int{3, 5, 6}) {
		t.Errorf("rows %v have certificates", got)
	}
	decide(2, registry.AppealRejected)
	if got := rowsOf(e.MustIssue(by, s.ID)); !slices.Equal(got, []int{3, 4, 5, 6}) {
		t.Errorf("after the last appeal rows %v", got)
	}
}

func TestResultsAreNotReplacedUnderAnOpenAppeal(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 2))
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	a := mustAppeal(t, e, s.ID, 2)
	_, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 3))})
	wantCode(t, "other results under an open appeal", err, "appeals_open")
	mustUpload(t, e, by.Actor, s.ID, registrytest.CSV(0, 2)) // the same file again changes nothing
	if _, err := e.ReturnResults(ctx, e.Authority, s.ID, "需补充评分表"); err != nil {
		t.Fatal(err)
	}
	_, err = e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 3))})
	wantCode(t, "the same after a return", err, "appeals_open")
	if _, err := e.DecideAppeal(ctx, by.Actor, s.ID, a.ID, registry.AppealRejected, "已核查"); err != nil {
		t.Fatal(err)
	}
	mustUpload(t, e, by.Actor, s.ID, registrytest.CSV(0, 3))
}

// Whatever order appeals, decisions, issues, aborts and returns come in, a batch
// that begins can end, and in the end exactly the rows have certificates that no
// appeal holds or has excluded.
func TestAppealsInAnyOrder(t *testing.T) {
	rounds := 12
	if testing.Short() || needed.RaceDetector {
		rounds = 3
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 3))
			e := withCourse(t, func(r *course.Rules) {})
			by := e.MustAdmit(1)
			const n = 6
			s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, n))
			e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
			state := map[string]registry.AppealState{}
			row := map[string]int{}
			excluded := map[int]bool{}
			allowed := map[string]bool{"": true, "publicity_not_running": true, "appeal_exists": true, "batch_running": true, "appeal_closed": true, "not_in_publicity": true,
				"publicity_running": true, "not_publicised": true, "all_rows_held": true, "no_batch": true, "batch_aborted": true, "session_without_results": true}
			step := func(what string, err error) bool {
				t.Helper()
				if !allowed[fail.CodeOf(err)] {
					t.Fatalf("%s: %v", what, err)
				}
				return err == nil
			}
			decide := func(id string) {
				to := []registry.AppealState{registry.AppealUpheld, registry.AppealRejected, registry.AppealRejected, registry.AppealWithdrawn}[rnd.IntN(4)]
				if _, err := e.DecideAppeal(ctx, by.Actor, s.ID, id, to, "已核查"); step("decide", err) {
					state[id] = to
					excluded[row[id]] = excluded[row[id]] || to == registry.AppealUpheld
				}
			}
			for range 60 {
				now, err := e.SessionByID(ctx, by.Actor, s.ID)
				if err != nil {
					t.Fatal(err)
				}
				switch rnd.IntN(8) {
				case 0, 1:
					at := 2 + rnd.IntN(n)
					if a, err := e.FileAppeal(ctx, s.ID, objection(at)); step("appeal", err) {
						state[a.ID], row[a.ID] = registry.AppealOpen, at
					}
				case 2, 3:
					for _, id := range sortedKeys(state) {
						if state[id] == registry.AppealOpen && rnd.IntN(2) == 0 {
							decide(id)
							break
						}
					}
				case 4:
					if rnd.IntN(3) == 0 {
						_, err := e.ReturnResults(ctx, e.Authority, s.ID, "需补充评分表")
						step("return", err)
					}
				case 5:
					_, err := e.StartPublicity(ctx, by.Actor, s.ID)
					step("publicity", err)
				case 6:
					if now.Publicity != nil && now.Publicity.Until < standards.DateOf(e.Clock.Now()) || rnd.IntN(4) > 0 {
						_, err := e.StartBatchOnly(ctx, by.Actor, s.ID)
						step("start", err)
						if rnd.IntN(2) == 0 {
							_, err = e.AbortBatch(ctx, by.Actor, s.ID, "测试")
							step("abort", err)
						} else {
							_, err = e.Issue(ctx, by.Actor, s.ID, nil)
							step("issue", err)
						}
					}
				case 7:
					if now.Publicity != nil && rnd.IntN(3) == 0 {
						e.Clock.Set(now.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
					}
				}
			}
			_, err := e.StartPublicity(ctx, by.Actor, s.ID)
			step("publicity", err)
			if now, _ := e.SessionByID(ctx, by.Actor, s.ID); now.Publicity != nil && standards.DateOf(e.Clock.Now()) <= now.Publicity.Until {
				e.Clock.Set(now.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
			}
			_, err = e.Issue(ctx, by.Actor, s.ID, nil)
			step("issue", err)
			for _, id := range sortedKeys(state) {
				if state[id] == registry.AppealOpen {
					decide(id)
				}
			}
			e.MustCheck()
			var want []int
			for at := 2; at < 2+n; at++ {
				if !excluded[at] {
					want = append(want, at)
				}
			}
			if _, err := e.Issue(ctx, by.Actor, s.ID, nil); err != nil && len(want) > 0 {
				t.Fatalf("the last issue: %v", err)
			}
			if len(want) > 0 {
				if got := rowsOf(e.MustIssue(by, s.ID)); !slices.Equal(got, want) {
					t.Errorf("rows %v have certificates, want %v", got, want)
				}
			}
		})
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// A roster that replaces a longer one leaves nothing of it, whatever runs twice;
// what a crash leaves is not shown.
func TestReplacedRosterIsGone(t *testing.T) {
	count := func(e *registrytest.Env) (n int) {
		t.Helper()
		err := e.DB.View(ctx, func(rd kv.Reader) error {
			found, err := rd.Scan("rosters", kv.Range{Limit: 5000})
			n = len(found)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	e := registrytest.New(t, registrytest.Options{Rerun: func() func() bool {
		n := 0
		return func() bool { n++; return n%2 == 1 }
	}()})
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(0, 700)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(800, 801)); err != nil {
		t.Fatal(err)
	}
	if n := count(e); n != 1 {
		t.Errorf("%d entries are there, want 1", n)
	}
}

// Candidates of an organisation that somebody arranged avoids are refused before
// the exam, not when the results of a session that was held come in.
func TestRosterAvoidsEmployers(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{FullCourse: true})
	c := newCrew(t, 1, e)
	s := c.session(3)
	const employer = "91350100M000100Y43"
	if _, err := e.RecordAvoidance(ctx, e.Authority, c.examiners[1], registry.NewAvoidance{Relation: "organisation", USCC: employer, Basis: "本人申报"}); err != nil {
		t.Fatal(err)
	}
	c.mustArrange(s, c.plan(0))
	rows := registrytest.Roster(2000, 2002)
	rows[1].Employer = employer
	_, err := e.EnterRoster(ctx, c.issuer.Actor, s.ID, rows)
	if got := fieldCodes(err); !slices.Equal(got, []string{"2 panel[1] avoidance"}) {
		t.Errorf("a candidate of an employer that is avoided: %v (%v)", got, err)
	}
	rows[1].Employer = ""
	if _, err := e.EnterRoster(ctx, c.issuer.Actor, s.ID, rows); err != nil {
		t.Error(err)
	}
}

// A bar holds where no roster is asked for, and when it comes after the roster.
func TestBarredResultsAreRefused(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	p := invented.PersonAt(1)
	if _, err := e.RecordIntegrity(ctx, e.Authority, registry.NewIntegrityEntry{DocumentNumber: p.Document, Kind: "grave_cheating", Occurred: "2026-03-01", Document: "苏人社决〔2026〕3号", Basis: "考试违纪"}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(s.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	_, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 3))})
	if got := fieldCodes(err); !slices.Equal(got, []string{"3 姓名 barred"}) {
		t.Errorf("results of somebody barred: %v (%v)", got, err)
	}
	// A bar that begins after the exam is for the next one.
	if _, err := e.RecordIntegrity(ctx, e.Authority, registry.NewIntegrityEntry{DocumentNumber: invented.PersonAt(2).Document, Kind: "grave_cheating", Occurred: "2026-03-01", Document: "苏人社决〔2026〕4号", Basis: "考试违纪"}); err != nil {
		t.Fatal(err)
	}
	report, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 3)), GoodRowsOnly: true})
	if err != nil || report.Stored != 2 {
		t.Errorf("%+v %v", report, err)
	}
}

// A bar recorded under one card of a person holds for his others.
func TestBarredExaminerWithAnotherCard(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	s := c.session(3)
	other := c.mustRegister(c.issuer.Actor, c.own(examiners.Staff, "KW-9", 9100)) // the person of examiner 0
	if _, err := e.RecordIntegrity(ctx, e.Authority, registry.NewIntegrityEntry{Examiner: other, Kind: "examiner_misconduct", Occurred: "2026-03-01", Document: "苏人社决〔2026〕3号", Basis: "违规考评"}); err != nil {
		t.Fatal(err)
	}
	c.refused(s, c.plan(0), "people barred")
}

// Nobody is warned: an institution reads of a mass change in the log only once it
// is approved.
func TestProposedMassChangeIsNotTold(t *testing.T) {
	e := newMassEnv(t)
	e.MustCertificates(e.issuer, 0, 2)
	e.Clock.Add(time.Hour)
	seen := func(index uint64) bool {
		t.Helper()
		b, err := e.Proof(ctx, e.issuer.Actor, index)
		if err != nil {
			t.Fatal(err)
		}
		return b.Event != nil
	}
	m := e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	if seen(m.LogIndex) {
		t.Error("the institution reads of a proposed mass suspension")
	}
	if m = e.mustApprove(m); !seen(m.LogIndex) {
		t.Error("the institution cannot read what was approved")
	}
}

// 提醒、约谈 stay between the parties (the sample rules), and what is decided on a
// site is not shown as decided on the whole institution.
func TestHistoryShowsWhatIsPublished(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	decide := func(kind evaluators.Kind, target evaluators.Target) {
		t.Helper()
		target.Institution = by.Institution.ID
		if _, err := e.RecordDecision(ctx, e.Authority, evaluators.Decision{Target: target, Kind: kind, Effective: standards.DateOf(e.Clock.Now()), Document: "苏人社决〔2026〕1号", Basis: "核查", Reason: "约谈内容"}); err != nil {
			t.Fatal(err)
		}
	}
	decide(evaluators.Warn, evaluators.Target{})
	decide(evaluators.Suspend, evaluators.Target{Province: "32", Site: by.Filing.Site})
	h, err := e.HistoryOf(ctx, by.Institution.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Decisions) != 1 || h.Decisions[0].Kind != evaluators.Suspend || h.Decisions[0].Site != by.Filing.Site {
		t.Errorf("decisions shown: %+v", h.Decisions)
	}
}

func TestHistoryOfReadmittedInstitution(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	e.MustRemove(by.Institution.ID)
	e.Clock.Add(24 * time.Hour)
	today := standards.DateOf(e.Clock.Now())
	if _, err := e.ReadmitInstitution(ctx, e.Authority, by.Institution.ID, evaluators.Readmission{Effective: today, Document: "苏人社决〔2026〕9号", Basis: "示例管理办法第三十条"}); err != nil {
		t.Fatal(err)
	}
	if h, err := e.HistoryOf(ctx, by.Institution.ID); err != nil || h.Status != evaluators.Registered {
		t.Errorf("shown as %s, %v", h.Status, err)
	}
}

// A part is kept from results that count. When those were replaced, no
// certificate rests on the score that is gone.
func TestKeptPartOfReplacedResults(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) { r.Retakes, r.RetainMonths = 1, 6 })
	by := e.MustAdmit(1)
	p := invented.PersonAt(0)
	csv := func(theory, skill string) string {
		return fmt.Sprintf("姓名,证件号码,理论成绩,技能成绩\n%s,%s,%s,%s\n", p.Name, p.Document, theory, skill)
	}
	first := e.MustPlan(by)
	e.Clock.Set(first.ExamDate.AddDays(1).Time().Add(10 * time.Hour))
	mustUpload(t, e, by.Actor, first.ID, csv("80", "50"))
	s := e.MustPublicise(by, e.MustPlan(by), csv("", "70"))
	mustUpload(t, e, by.Actor, first.ID, csv("40", "50")) // the theory was not passed after all
	_, err := e.Issue(ctx, by.Actor, s.ID, nil)
	wantCode(t, "a certificate on a replaced score", err, "batch_aborted")
	if report := mustUpload(t, e, by.Actor, s.ID, csv("", "70")); report.Passed != 0 {
		t.Errorf("the same file passes again: %+v", report)
	}
}

// change rewrites a stored record behind the registry's back.
func change(t *testing.T, e *registrytest.Env, table kv.Table, fn func(map[string]any)) {
	t.Helper()
	err := e.DB.Update(ctx, func(tx kv.Tx) error {
		found, err := tx.Scan(table, kv.Range{Limit: 1})
		if err != nil || len(found) == 0 {
			return fmt.Errorf("%s: %d records, %v", table, len(found), err)
		}
		var record map[string]any
		if err := json.Unmarshal(found[0].Value, &record); err != nil {
			return err
		}
		fn(record)
		data, err := json.Marshal(record)
		if err == nil {
			tx.Put(table, found[0].Key, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Check finds a certificate of a row that is held or was not on the roster, and a
// kept part that is not of an earlier exam of the same thing.
func TestCheckFindsUnearnedCertificates(t *testing.T) {
	for name, tamper := range map[string]struct {
		table kv.Table
		fn    func(map[string]any)
		want  string
	}{
		"held":           {"results", func(m map[string]any) { m["hold"] = "appeal" }, "held by an appeal"},
		"excluded":       {"results", func(m map[string]any) { m["hold"] = "excluded" }, "held by an appeal"},
		"off the roster": {"rosters", func(m map[string]any) { m["generation"] = 99 }, "not entered and found eligible"},
		"kept from itself": {"results", func(m map[string]any) {
			score := m["scores"].(map[string]any)["theory"]
			m["kept"] = map[string]any{"theory": map[string]any{"session": m["session"], "generation": m["generation"], "row": m["row"], "score": score, "exam": "2026-03-03"}}
		}, "theory score is not that"},
	} {
		t.Run(name, func(t *testing.T) {
			set := courseSet(t, func(r *course.Rules) {})
			e := registrytest.New(t, registrytest.Options{Course: &set, NoCheck: true, Rerun: kvtest.Rerun(2)})
			by := e.MustAdmit(1)
			s := e.MustPlan(by)
			if _, err := e.EnterRoster(ctx, by.Actor, s.ID, registrytest.Roster(0, 1)); err != nil {
				t.Fatal(err)
			}
			e.MustIssue(by, e.MustPublicise(by, s, registrytest.CSV(0, 1)).ID)
			e.MustCheck()
			change(t, e, tamper.table, tamper.fn)
			report, err := e.Check(ctx, registry.Operator(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, tamper.want) }) {
				t.Errorf("problems %q, want one with %q", report.Problems, tamper.want)
			}
		})
	}
}

// The county in which a site lies does not suspend what the province has filed,
// nor lift what the province has imposed (苏政办发〔2019〕71号 十五).
func TestLowerAuthorityDoesNotUndoTheUpper(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	county := registry.Actor{Account: "a-county", Roles: []registry.Role{registry.RoleAuthority}, Region: "320583", Via: "test"}
	decide := func(actor registry.Actor, kind evaluators.Kind) error {
		t.Helper()
		_, err := e.RecordDecision(ctx, actor, evaluators.Decision{Target: evaluators.Target{Institution: by.Institution.ID}, Kind: kind,
			Effective: standards.DateOf(e.Clock.Now()), Document: "苏人社决〔2026〕1号", Basis: "核查"})
		return err
	}
	wantCode(t, "a county suspends what the province has filed", decide(county, evaluators.Suspend), "not_filing_authority")
	if err := decide(e.Authority, evaluators.Suspend); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a county resumes what the province has suspended", decide(county, evaluators.Resume), "not_filing_authority")
	if err := decide(e.Authority, evaluators.Resume); err != nil {
		t.Fatal(err)
	}
	if err := decide(county, evaluators.Warn); err != nil {
		t.Errorf("a county warns: %v", err)
	}
}

func TestNoAccountIsBothSides(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	_, err := e.CreateAccount(ctx, e.Authority, registry.NewAccount{Name: "both", Roles: []registry.Role{registry.RoleAuthority, registry.RoleInstitution}, Organisation: by.Institution.ID, Region: "320583"})
	if got := fieldCodes(err); !slices.Equal(got, []string{"0 roles together"}) {
		t.Errorf("an account of an institution and the authority: %v (%v)", got, err)
	}
}
