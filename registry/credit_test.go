package registry_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func creditEvent(institution, item string, on standards.Date) credit.Event {
	return credit.Event{Institution: institution, Item: item, Effective: on, Origin: credit.OriginManual, Document: "苏人社督〔2026〕1号"}
}

func mustCredit(t testing.TB, e *registrytest.Env, in credit.Event) credit.Event {
	t.Helper()
	out, err := recordCredit(e, in)
	if err != nil {
		t.Fatalf("%+v: %v", in, err)
	}
	return out
}

// recordCredit records an event; one of a case as the use case of the case does,
// without the case itself.
func recordCredit(e *registrytest.Env, in credit.Event) (credit.Event, error) {
	if in.Origin != credit.OriginCase {
		return e.RecordCreditEvent(ctx, e.Authority, in)
	}
	out, err := e.HookRecordCredit(ctx, e.Authority, in)
	if err != nil {
		return credit.Event{}, err
	}
	return out[0], nil
}

// caseEvent is for items that only a decision gives rise to.
func caseEvent(institution, item string, on standards.Date) credit.Event {
	ev := creditEvent(institution, item, on)
	ev.Origin, ev.Reference = credit.OriginCase, "case-1"
	return ev
}

func scoreOf(t testing.TB, e *registrytest.Env, institution string, q registry.CreditQuery) registry.CreditView {
	t.Helper()
	v, _, err := e.Credit(ctx, e.Authority, institution, q)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCreditIsTheLedger enters random events, late ones, repairs and corrections
// through the register over years. What it answers for any day is the replay of
// its own ledger, as known now and at every earlier time; the check at the end
// recomputes every stored sum.
func TestCreditIsTheLedger(t *testing.T) {
	e := registrytest.New(t)
	insts := []string{e.MustAdmit(1).Institution.ID, e.MustAdmit(2).Institution.ID}
	files := e.Config().Rules.Credit.Credit
	rnd := rand.New(rand.NewPCG(7, 7))
	ledgers := map[string][]credit.Event{}
	items := []string{"award", "late_upload", "plan_deviation", "examiner_breach", "archive_missing", "out_of_scope", "rectification_failed", "false_evaluation"}
	var known []time.Time
	for range 260 {
		e.Clock.Add(time.Duration(rnd.IntN(10*24)) * time.Hour)
		today := standards.DateOf(e.Clock.Now())
		inst := insts[rnd.IntN(2)]
		past := ledgers[inst]
		in := caseEvent(inst, items[rnd.IntN(len(items))], today.AddDays(-rnd.IntN(3)*rnd.IntN(300)))
		if in.Item != "out_of_scope" && in.Item != "rectification_failed" && in.Item != "false_evaluation" {
			in.Origin = credit.OriginManual
		}
		if n := rnd.IntN(10); n >= 6 && len(past) > 0 {
			in.Item = ""
			if target := past[max(0, len(past)-1-rnd.IntN(20))].ID; n < 9 {
				in.Repairs = target
			} else {
				in.Corrects, in.Effective = target, ""
			}
		}
		out, err := recordCredit(e, in)
		if err != nil {
			if k := fail.KindOf(err); k != fail.Conflict {
				t.Fatalf("%+v: %v", in, err)
			}
			continue
		}
		ledgers[inst] = append(past, out)
		known = append(known, e.Clock.Now())
	}
	for i := range 120 {
		inst := insts[rnd.IntN(2)]
		on := standards.Date("2025-06-01").AddDays(rnd.IntN(4000))
		v := scoreOf(t, e, inst, registry.CreditQuery{On: on})
		want, err := credit.Replay(files, "320583", ledgers[inst], on, e.Clock.Now())
		if err != nil || !reflect.DeepEqual(v.Score, want) {
			t.Fatalf("on %s: stored %+v\nreplay %+v, %v", on, v.Score, want, err)
		}
		k := known[rnd.IntN(len(known))]
		v = scoreOf(t, e, inst, registry.CreditQuery{On: on, Known: k})
		if want, err = credit.Replay(files, "320583", ledgers[inst], on, k); err != nil || !reflect.DeepEqual(v.Score, want) {
			t.Fatalf("on %s known %s: %+v, want %+v, %v", on, k, v.Score, want, err)
		}
		if i%8 == 0 { // years of pages
			linesOf(t, e, inst, on, v)
		}
	}
}

// linesOf pages through the lines of every year up to the score.
func linesOf(t *testing.T, e *registrytest.Env, inst string, on standards.Date, v registry.CreditView) {
	t.Helper()
	total, seen := v.Score.Base, map[string]bool{}
	for year := 2020; year <= 2040; year++ {
		for page := (registry.Page{Limit: 7}); ; {
			got, next, err := e.Credit(ctx, e.Authority, inst, registry.CreditQuery{On: on, Known: v.Known, Year: year, Page: page})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range got.Lines {
				if seen[l.Event] {
					t.Fatalf("event %s twice", l.Event)
				}
				seen[l.Event] = true
				if total += l.Counted; total != l.Total {
					t.Fatalf("line %s has %d, want %d", l.Event, l.Total, total)
				}
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
	}
	if total != v.Score.Points {
		t.Fatalf("the lines come to %d, the score is %d", total, v.Score.Points)
	}
}

func TestCreditOfOneInstitution(t *testing.T) {
	e := registrytest.New(t)
	own, other := e.MustAdmit(1), e.MustAdmit(2)
	city := e.Authority
	city.Region = "320500"
	late := mustCredit(t, e, creditEvent(own.Institution.ID, "late_upload", "2026-03-01"))
	if late.Points != -2 || late.Rules != "credit-sample" || late.Until != "2026-12-31" {
		t.Fatalf("judged %+v", late.Judgement)
	}
	mustCredit(t, e, caseEvent(own.Institution.ID, "false_evaluation", "2026-03-02"))
	v := scoreOf(t, e, own.Institution.ID, registry.CreditQuery{})
	if v.Score.Points != -2 || v.Score.Band.Code != "D" || len(v.Score.Vetoes) != 1 || len(v.Lines) != 2 || v.Score.Sample == "" {
		t.Errorf("%+v", v)
	}
	if !strings.Contains(v.Score.Text.ZH, "样例") || !strings.Contains(v.Score.Text.EN, "sample") {
		t.Errorf("the text does not say that the rules are a sample: %s", v.Score.Text.ZH)
	}
	if mine, _, err := e.Credit(ctx, own.Actor, own.Institution.ID, registry.CreditQuery{}); err != nil || !reflect.DeepEqual(mine.Score, v.Score) {
		t.Errorf("the institution sees %+v, %v", mine.Score, err)
	}
	for name, err := range map[string]error{
		"a neighbour reads":      errOf3(e.Credit(ctx, other.Actor, own.Institution.ID, registry.CreditQuery{})),
		"the public reads":       errOf3(e.Credit(ctx, registry.Actor{}, own.Institution.ID, registry.CreditQuery{})),
		"an institution records": errOf2(e.RecordCreditEvent(ctx, own.Actor, creditEvent(own.Institution.ID, "award", "2026-03-01"))),
		"an operator records":    errOf2(e.RecordCreditEvent(ctx, registry.Operator(), creditEvent(own.Institution.ID, "award", "2026-03-01"))),
	} {
		if k := fail.KindOf(err); k != fail.Forbidden && k != fail.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Commendations are recorded by a province; the sample says so.
	if _, err := e.RecordCreditEvent(ctx, city, creditEvent(own.Institution.ID, "award", "2026-03-01")); fail.CodeOf(err) != "credit_event_invalid" {
		t.Errorf("a city records a commendation: %v", err)
	}
	personal := creditEvent(own.Institution.ID, "late_upload", "2026-03-01")
	personal.Note = "考生 " + invented.PersonAt(1).Document
	if _, err := e.RecordCreditEvent(ctx, e.Authority, personal); fail.CodeOf(err) != "credit_event_invalid" {
		t.Errorf("an identity number in a note: %v", err)
	}
	if _, err := e.RecordCreditEvent(ctx, e.Authority, credit.Event{Institution: other.Institution.ID, Corrects: late.ID, Origin: credit.OriginManual, Document: "文"}); fail.KindOf(err) != fail.NotFound {
		t.Errorf("another institution's event corrected: %v", err)
	}
	pub, err := e.PublicStanding(ctx, own.Institution.ID)
	if err != nil || pub.Band.Code != "D" || pub.Points != nil {
		t.Errorf("the public sees %+v, %v", pub, err)
	}
}

func errOf3[A, B any](_ A, _ B, err error) error { return err }
func errOf2[A any](_ A, err error) error         { return err }

func TestCreditEventIsIdempotent(t *testing.T) {
	e := registrytest.New(t)
	inst := e.MustAdmit(1).Institution.ID
	by := e.Authority
	by.Idempotency = registry.Idempotency{Route: "POST /api/v1/credit-events", Key: "k", Body: []byte("b")}
	first, err := e.RecordCreditEvent(ctx, by, creditEvent(inst, "late_upload", "2026-03-01"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.RecordCreditEvent(ctx, by, creditEvent(inst, "late_upload", "2026-03-01"))
	if err != nil || again.ID != first.ID {
		t.Errorf("%s, then %s, %v", first.ID, again.ID, err)
	}
	if v := scoreOf(t, e, inst, registry.CreditQuery{}); v.Score.Points != 98 {
		t.Errorf("%d points", v.Score.Points)
	}
}

func TestCreditReview(t *testing.T) {
	e := registrytest.New(t)
	inst := e.MustAdmit(1).Institution.ID
	mustCredit(t, e, creditEvent(inst, "archive_missing", "2025-11-01"))
	in := credit.Review{Institution: inst, Year: 2026, Document: "苏人社信〔2026〕2号"}
	if _, err := e.ReviewCredit(ctx, e.Authority, in); fail.CodeOf(err) != "credit_year_not_ended" {
		t.Errorf("a running year: %v", err)
	}
	in.Year = 2025
	v, err := e.ReviewCredit(ctx, e.Authority, in)
	if err != nil || v.Points != 92 || v.Band.Code != "A" || v.On != "2025-12-31" || v.Events != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := e.ReviewCredit(ctx, e.Authority, in); fail.CodeOf(err) != "credit_reviewed" {
		t.Errorf("twice: %v", err)
	}
	// What is recorded later changes the day, not the review; the check agrees.
	mustCredit(t, e, creditEvent(inst, "archive_missing", "2025-12-01"))
	if s := scoreOf(t, e, inst, registry.CreditQuery{On: "2025-12-31"}); s.Score.Points != 84 {
		t.Errorf("%d points on the last day", s.Score.Points)
	}
	if pub, err := e.PublicStanding(ctx, inst); err != nil || len(pub.Reviews) != 0 {
		t.Errorf("published before it was: %+v, %v", pub.Reviews, err)
	}
	if _, err := e.PublishCreditReview(ctx, e.Authority, inst, 2025); err != nil {
		t.Fatal(err)
	}
	if pub, err := e.PublicStanding(ctx, inst); err != nil || len(pub.Reviews) != 1 || pub.Reviews[0].Band.Code != "A" || pub.Reviews[0].Points != nil {
		t.Errorf("%+v, %v", pub.Reviews, err)
	}
	if all, err := e.CreditReviews(ctx, e.Authority, inst); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestCheckFindsChangedCredit changes what is stored behind the register's back.
func TestCheckFindsChangedCredit(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{NoCheck: true})
	inst := e.MustAdmit(1).Institution.ID
	mustCredit(t, e, creditEvent(inst, "late_upload", "2026-03-01"))
	if _, err := e.ReviewCredit(ctx, e.Authority, credit.Review{Institution: inst, Year: 2025, Document: "文"}); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	for name, change := range map[string]struct {
		table kv.Table
		old   string
		new   string
	}{
		"a sum":    {"credit_sums", ` -2 1 0"`, ` -1 1 0"`},
		"an event": {"credit_events", `"points":-2`, `"points":-1`},
		"a review": {"credit_reviews", `"points":100`, `"points":90`},
	} {
		swap := func(from, to string) {
			if err := e.DB.Update(ctx, func(tx kv.Tx) error {
				all, err := tx.Scan(change.table, kv.Range{Limit: 1})
				if err != nil || len(all) == 0 {
					return fmt.Errorf("%s: nothing there, %v", change.table, err)
				}
				if !strings.Contains(string(all[0].Value), from) {
					return fmt.Errorf("%s has no %s: %s", change.table, from, all[0].Value)
				}
				tx.Put(change.table, all[0].Key, []byte(strings.Replace(string(all[0].Value), from, to, 1)))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		swap(change.old, change.new)
		report, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil || report.Found == 0 || !strings.Contains(strings.Join(report.Problems, "\n"), "credit") {
			t.Errorf("%s was changed and the check says %v, %v", name, report.Problems, err)
		}
		swap(change.new, change.old)
	}
	e.MustCheck()
}

func TestStarsOfAnInstitution(t *testing.T) {
	e := registrytest.New(t)
	own, other := e.MustAdmit(1), e.MustAdmit(2)
	a, err := e.BeginStars(ctx, e.Authority, credit.Assessment{Institution: own.Institution.ID, From: "2025-01-01", Until: "2025-12-31"})
	if err != nil {
		t.Fatal(err)
	}
	part := func(by registry.Actor, p credit.Part, n int) error {
		_, err := e.ScoreStars(ctx, by, a.ID, credit.PartScore{Part: p, Score: n, Document: "报告1"})
		return err
	}
	if err := part(own.Actor, credit.PartSelf, 95); err != nil {
		t.Fatal(err)
	}
	if err := part(own.Actor, credit.PartSpotCheck, 95); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("the institution scores its own spot check: %v", err)
	}
	if err := part(other.Actor, credit.PartSelf, 95); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("a neighbour scores: %v", err)
	}
	for _, p := range []credit.Part{credit.PartThirdParty, credit.PartSpotCheck} {
		if err := part(e.Authority, p, 82); err != nil {
			t.Fatal(err)
		}
	}
	if a, err = e.PubliciseStars(ctx, e.Authority, a.ID); err != nil || a.Stars != 4 {
		t.Fatalf("%+v, %v", a, err)
	}
	running, _, err := e.StarPublicities(ctx, registry.Page{})
	if err != nil || len(running) != 1 || running[0].Name != own.Institution.Name || running[0].Sample == "" {
		t.Errorf("in publicity: %+v, %v", running, err)
	}
	if _, err := e.ObjectToStars(ctx, own.Actor, a.ID, "抽查得分有误"); err != nil {
		t.Fatal(err)
	}
	e.Clock.Set(a.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	if _, err := e.ConfirmStars(ctx, e.Authority, a.ID, "文2"); fail.CodeOf(err) != "star_objection_open" {
		t.Errorf("confirmed over an objection: %v", err)
	}
	if _, err := e.SettleStarsObjection(ctx, e.Authority, a.ID, 1, false, "经核实无误"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ConfirmStars(ctx, e.Authority, a.ID, "文2"); err != nil {
		t.Fatal(err)
	}
	pub, err := e.PublicStanding(ctx, own.Institution.ID)
	if err != nil || pub.Stars != 4 {
		t.Fatalf("%+v, %v", pub, err)
	}
	e.Clock.Set(pub.StarsUntil.AddDays(1).Time())
	if pub, err = e.PublicStanding(ctx, own.Institution.ID); err != nil || pub.Stars != 0 {
		t.Errorf("after the term: %+v, %v", pub, err)
	}
	all, _, err := e.StarAssessments(ctx, own.Actor, own.Institution.ID, registry.Page{})
	if err != nil || len(all) != 1 || all[0].Today != credit.StarExpired {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := e.WithdrawStars(ctx, e.Authority, a.ID, "文3", "事由"); fail.CodeOf(err) != "star_state" {
		t.Errorf("an expired rating withdrawn: %v", err)
	}
}

func TestTaskListsOfARegion(t *testing.T) {
	e := registrytest.New(t)
	good, bad := e.MustAdmit(1).Institution.ID, e.MustAdmit(2).Institution.ID
	mustCredit(t, e, caseEvent(bad, "rectification_failed", "2026-03-01"))
	city := e.Authority
	city.Region = "320500"
	in := credit.TaskList{Region: "320500", Name: "2026年承接名单", Document: "苏州人社〔2026〕3号", Basis: "江苏省2025—2027年行动方案 二（四）", Method: "tender", From: "2026-03-02", Until: "2026-12-31"}
	if _, err := e.MakeTaskList(ctx, registry.Actor{Account: "x", Roles: []registry.Role{registry.RoleAuthority}, Region: "320600"}, in); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("another city made the list: %v", err)
	}
	l, err := e.MakeTaskList(ctx, city, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.EnterTaskList(ctx, city, l.ID, []credit.Entry{{Institution: good}, {Institution: bad}})
	if fail.CodeOf(err) != "task_list_criteria" || len(fail.Of(err).Fields) != 1 || fail.Of(err).Fields[0].Name != "institutions[1].institution" {
		t.Fatalf("band C: %v %+v", err, fail.Of(err))
	}
	by := city
	by.Idempotency = registry.Idempotency{Route: "x", Key: "k", Body: []byte("b")}
	for range 2 { // the second time is a repetition
		entries, err := e.EnterTaskList(ctx, by, l.ID, []credit.Entry{{Institution: good, Occupations: []string{"6-31-01-03"}}})
		if err != nil || len(entries) != 1 || entries[0].Band != "A" {
			t.Fatalf("%+v, %v", entries, err)
		}
	}
	if _, err := e.EnterTaskList(ctx, city, l.ID, []credit.Entry{{Institution: good}}); fail.CodeOf(err) != "task_list_criteria" {
		t.Errorf("listed twice: %v", err)
	}
	on, _, err := e.TaskListEntries(ctx, l.ID, registry.Page{})
	if err != nil || len(on) != 1 || on[0].Name == "" {
		t.Fatalf("%+v, %v", on, err)
	}
	if pub, err := e.PublicStanding(ctx, good); err != nil || len(pub.Lists) != 1 {
		t.Errorf("%+v, %v", pub.Lists, err)
	}
	e.Clock.Add(48 * time.Hour)
	if _, err := e.RemoveFromTaskList(ctx, city, l.ID, on[0].ID, credit.Withdrawal{On: "2026-03-04", Document: "文", Reason: "退出"}); err != nil {
		t.Fatal(err)
	}
	if pub, err := e.PublicStanding(ctx, good); err != nil || len(pub.Lists) != 0 {
		t.Errorf("after the removal: %+v, %v", pub.Lists, err)
	}
	if lists, _, err := e.TaskLists(ctx, registry.Page{}); err != nil || len(lists) != 1 || lists[0].Entries != 1 {
		t.Errorf("%+v, %v", lists, err)
	}
}

func TestIntegrityFileOfAPerson(t *testing.T) {
	e := registrytest.New(t)
	issuer := e.MustAdmit(1)
	issued := e.MustCertificates(issuer, 0, 2)
	person := invented.PersonAt(0)
	in := registry.NewIntegrityEntry{DocumentNumber: person.Document, Kind: "cheating", Occurred: "2026-03-02", Document: "文1", Basis: "依据"}
	if _, err := e.RecordIntegrity(ctx, issuer.Actor, in); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("an institution records: %v", err)
	}
	v, err := e.RecordIntegrity(ctx, e.Authority, in)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(v); strings.Contains(string(b), person.Document) || strings.Contains(string(b), person.Name) {
		t.Error("the entry names the person")
	}
	for name, q := range map[string]registry.NewIntegrityEntry{"document": {DocumentNumber: person.Document}, "certificate": {Certificate: issued[0].Number}} {
		found, err := e.LookupIntegrity(ctx, e.Authority, q)
		if err != nil || len(found.Entries) != 1 || found.Barred == nil || found.Barred.Entry != v.Entry.ID {
			t.Errorf("by %s: %+v, %v", name, found, err)
		}
	}
	// Another region sees that the person is barred, not the entry.
	city := e.Authority
	city.Region = "320600"
	if found, err := e.LookupIntegrity(ctx, city, registry.NewIntegrityEntry{DocumentNumber: person.Document}); err != nil || len(found.Entries) != 0 || found.Barred == nil {
		t.Errorf("another region: %+v, %v", found, err)
	}
	if _, err := e.AppealIntegrity(ctx, city, v.Entry.ID, "不服"); fail.KindOf(err) != fail.NotFound {
		t.Errorf("another region's entry appealed: %v", err)
	}
	if _, err := e.AppealIntegrity(ctx, e.Authority, v.Entry.ID, "不服"); err != nil {
		t.Fatal(err)
	}
	if v, err = e.DecideIntegrityAppeal(ctx, e.Authority, v.Entry.ID, true, "文2", "证据不足"); err != nil || v.Entry.State != credit.IntegrityAnnulled {
		t.Fatalf("%+v, %v", v, err)
	}
	if found, err := e.LookupIntegrity(ctx, e.Authority, registry.NewIntegrityEntry{DocumentNumber: person.Document}); err != nil || len(found.Entries) != 0 || found.Barred != nil {
		t.Errorf("after the appeal: %+v, %v", found, err)
	}
	if found, err := e.LookupIntegrity(ctx, e.Authority, registry.NewIntegrityEntry{DocumentNumber: invented.PersonAt(77).Document}); err != nil || found.Subject != nil {
		t.Errorf("somebody unknown: %+v, %v", found, err)
	}
	for name, bad := range map[string]registry.NewIntegrityEntry{
		"nobody": {Kind: "cheating", Occurred: "2026-03-02", Document: "文", Basis: "依据"},
		"two":    {DocumentNumber: person.Document, Examiner: "x", Kind: "cheating", Occurred: "2026-03-02", Document: "文", Basis: "依据"},
		"kind":   {Examiner: "x-1", Kind: "cheating", Occurred: "2026-03-02", Document: "文", Basis: "依据"},
	} {
		if _, err := e.RecordIntegrity(ctx, e.Authority, bad); fail.CodeOf(err) != "integrity_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkScoreAt asks for the score of an institution with 10,000 events at a
// random day, from a bbolt file; the limit the register holds is 1 ms. replay is
// the same from the ledger.
func BenchmarkScoreAt(b *testing.B) {
	const events = 10_000
	e := registrytest.New(b, registrytest.Options{NoCheck: true, Engine: func(_ testing.TB, dir string) kv.Engine {
		engine, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		return engine
	}})
	inst := e.MustAdmit(1).Institution.ID
	rnd := rand.New(rand.NewPCG(1, 2))
	items := []string{"award", "late_upload", "plan_deviation", "examiner_breach", "archive_missing", "out_of_scope", "rectification_failed", "false_evaluation"}
	first := standards.DateOf(e.Clock.Now())
	for i := range events { // five years, and a fifth recorded late
		e.Clock.Add(262 * time.Minute)
		on := standards.DateOf(e.Clock.Now())
		if i%5 == 0 {
			on = max(first, on.AddDays(-rnd.IntN(200)))
		}
		item := items[rnd.IntN(len(items))]
		ev := creditEvent(inst, item, on)
		if item == "out_of_scope" || item == "rectification_failed" || item == "false_evaluation" {
			ev.Origin, ev.Reference = credit.OriginCase, "case-1"
		}
		if _, err := e.RecordCreditEvent(ctx, e.Authority, ev); err != nil {
			b.Fatal(err)
		}
	}
	span := standards.DateOf(e.Clock.Now()).DaysSince(first)
	days := make([]standards.Date, 512)
	for i := range days {
		days[i] = first.AddDays(rnd.IntN(span))
	}
	days[0] = first.AddDays(span).AddDays(-1)
	b.Run("stored", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, err := e.ScoreOn(ctx, e.Authority, inst, days[i%len(days)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("stored-december", func(b *testing.B) { // most sums: late in a month, late in a year
		on := standards.Date(fmt.Sprintf("%04d-12-31", first.Year()+4))
		for b.Loop() {
			if _, err := e.ScoreOn(ctx, e.Authority, inst, on); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("replay", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := e.Credit(ctx, e.Authority, inst, registry.CreditQuery{On: days[0], Known: e.Clock.Now().Add(-time.Second), Year: 2020}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestHooksOfCredit calls what other use cases call inside their own Update or
// View: findings that become events, the roster's question, the claim's question.
func TestHooksOfCredit(t *testing.T) {
	e := registrytest.New(t)
	issuer := e.MustAdmit(1)
	inst := issuer.Institution.ID
	finding := credit.Event{Institution: inst, Item: "archive_missing", Effective: "2026-03-01", Origin: credit.OriginSupervision, Reference: "sr-1", Document: "督〔2026〕1号"}
	out, err := e.HookRecordCredit(ctx, issuer.Actor, finding, finding, finding, finding)
	if err != nil || len(out) != 4 || out[0].ID >= out[3].ID {
		t.Fatalf("%+v, %v", out, err)
	}
	if s, err := e.ScoreOn(ctx, e.Authority, inst, "2026-03-02"); err != nil || s.Points != 76 { // 4 × −8, held to 24
		t.Errorf("%d points, %v", s.Points, err)
	}
	// One that is refused refuses the whole: nothing of it is left.
	bad := finding
	bad.Item = "award"
	if _, err := e.HookRecordCredit(ctx, issuer.Actor, finding, bad); fail.CodeOf(err) != "credit_event_invalid" {
		t.Errorf("an item that no supervision gives rise to: %v", err)
	}
	if s, err := e.ScoreOn(ctx, e.Authority, inst, "2026-03-02"); err != nil || s.Groups[0].Events != 4 {
		t.Errorf("%+v, %v", s.Groups, err)
	}

	e.MustCertificates(issuer, 0, 3)
	today := standards.DateOf(e.Clock.Now())
	for _, in := range []registry.NewIntegrityEntry{
		{DocumentNumber: invented.PersonAt(1).Document, Kind: "grave_cheating"},
		{DocumentNumber: invented.PersonAt(2).Document, Kind: "subject_cancelled"}, // on file, not barred
		{Examiner: "ex-7", Kind: "examiner_misconduct"},
	} {
		in.Occurred, in.Document, in.Basis = today, "文1", "依据"
		if _, err := e.RecordIntegrity(ctx, e.Authority, in); err != nil {
			t.Fatal(err)
		}
	}
	var documents []standards.Document
	for i := range 3 {
		d, err := standards.ParseDocument(standards.ResidentID, invented.PersonAt(i).Document, today)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, d)
	}
	persons, examiners, ids, err := e.HookBarred(ctx, documents, []string{"ex-7", "ex-8"}, today)
	if err != nil || len(persons) != 1 || persons[ids[1]].Until != today.AddDays(1096).AddDays(-1) {
		t.Errorf("%+v, %v", persons, err)
	}
	if _, barred := examiners["ex-7"]; !barred || len(examiners) != 1 {
		t.Errorf("%+v", examiners)
	}

	l, err := e.MakeTaskList(ctx, e.Authority, credit.TaskList{Region: "320500", Name: "名单", Document: "文", Basis: "依据", Method: "experts", From: today, Until: today.AddDays(100)})
	if err != nil {
		t.Fatal(err)
	}
	second := e.MustAdmit(2).Institution.ID
	if _, err := e.EnterTaskList(ctx, e.Authority, l.ID, []credit.Entry{{Institution: second, Occupations: []string{"6-31-01-03"}}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		inst, region string
		want         int
	}{{second, "320583", 1}, {second, "320600", 0}, {inst, "320583", 0}} {
		got, err := e.HookListed(ctx, c.inst, credit.ListQuery{Occupation: "6-31-01-03", Region: c.region, On: today, Known: e.Clock.Now()})
		if err != nil || len(got) != c.want {
			t.Errorf("%s for %s: %+v, %v", c.inst, c.region, got, err)
		}
	}
}
