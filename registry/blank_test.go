package registry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func codes(t testing.TB, first, last string) blanks.Range {
	t.Helper()
	a, err := blanks.ParseCode(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := blanks.ParseCode(last)
	if err != nil {
		t.Fatal(err)
	}
	return blanks.Range{First: a, Last: b}
}

// mustStock brings a range of blanks into the stock of an institution.
func mustStock(t testing.TB, e *registrytest.Env, by registrytest.Issuer, first, last string) blanks.Range {
	t.Helper()
	r := codes(t, first, last)
	a, err := e.ApplyForBlanks(ctx, by.Actor, by.Institution.ID, r.Size(), "本季度发证")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		by registry.Actor
		do blanks.ApplicationAct
		in registry.BlankStep
	}{{by.Colleague(), blanks.ApproveApplication, registry.BlankStep{}}, {by.Colleague(), blanks.SendApplication, registry.BlankStep{Ranges: []blanks.Range{r}}}, {by.Actor, blanks.ReceiveApplication, registry.BlankStep{}}} {
		if a, err = e.MoveBlankApplication(ctx, step.by, a.ID, step.do, step.in); err != nil {
			t.Fatalf("%s: %v", step.do, err)
		}
	}
	return r
}

func use(e *registrytest.Env, by registrytest.Issuer, act blanks.Act, session, reason string, quantity int, ranges ...blanks.Range) (registry.BlankUseReport, error) {
	return e.UseBlanks(ctx, by.Actor, by.Institution.ID, registry.BlankUseRequest{Act: act, Session: session, Reason: reason, Quantity: quantity, Ranges: ranges})
}

func refusedAs(t testing.TB, what string, err error, code string) {
	t.Helper()
	if fail.CodeOf(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
	if err != nil && (fail.Of(err).ZH == "" || fail.KindOf(err) == fail.Internal) {
		t.Errorf("%s: %v has no Chinese words", what, err)
	}
}

// The way of a blank: applied for, approved, sent, received, taken, printed,
// returned, spoiled, destroyed; and the books agree after each step (Check).
func TestBlanksFromApplicationToDestruction(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 10))
	issued := e.MustIssue(by, s.ID)
	a, err := e.ApplyForBlanks(ctx, by.Actor, by.Institution.ID, 100, "第一季度")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.MoveBlankApplication(ctx, by.Actor, a.ID, blanks.ApproveApplication, registry.BlankStep{})
	refusedAs(t, "approved by the applicant", err, "second_person")
	_, err = e.MoveBlankApplication(ctx, e.Authority, a.ID, blanks.ApproveApplication, registry.BlankStep{})
	refusedAs(t, "approved by the authority where institutions print by themselves", err, "blank_approver")
	if _, err = e.MoveBlankApplication(ctx, by.Colleague(), a.ID, blanks.ApproveApplication, registry.BlankStep{Granted: 60}); err != nil {
		t.Fatal(err)
	}
	_, err = e.MoveBlankApplication(ctx, by.Colleague(), a.ID, blanks.SendApplication, registry.BlankStep{Ranges: []blanks.Range{codes(t, "JS-000001", "JS-000100")}})
	refusedAs(t, "more sent than granted", err, "blank_quantity")
	if _, err = e.MoveBlankApplication(ctx, by.Colleague(), a.ID, blanks.SendApplication, registry.BlankStep{Ranges: []blanks.Range{codes(t, "JS-000001", "JS-000060")}}); err != nil {
		t.Fatal(err)
	}
	_, err = use(e, by, blanks.Take, s.ID, "", 5)
	refusedAs(t, "taken before it was received", err, "blank_short")
	if _, err = e.MoveBlankApplication(ctx, by.Actor, a.ID, blanks.ReceiveApplication, registry.BlankStep{}); err != nil {
		t.Fatal(err)
	}
	_, err = use(e, by, blanks.Take, s.ID, "", 12)
	refusedAs(t, "12 for 10 who passed", err, "blank_allowance")
	got, err := use(e, by, blanks.Take, s.ID, "", 11)
	if err != nil || fmt.Sprint(got.Ranges) != "[JS-000001–JS-000011]" || got.Use.Left != 11 || !got.Stock.Low || got.Stock.Counts[blanks.InStock] != 49 {
		t.Fatalf("%+v, %v", got, err)
	}
	e.MustCheck()

	first, err := e.RecordPrint(ctx, by.Actor, issued[0].Number, registry.NewPrint{Code: "js-000001"})
	if err != nil || first.Kind != blanks.FirstPrint || first.N != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	_, err = e.RecordPrint(ctx, by.Actor, issued[1].Number, registry.NewPrint{Code: "JS-000001"})
	refusedAs(t, "one code twice", err, "blank_state")
	_, err = e.RecordPrint(ctx, by.Actor, issued[0].Number, registry.NewPrint{Code: "JS-000002"})
	refusedAs(t, "printed again without a reason", err, "print_reason")
	_, err = use(e, by, blanks.Lose, "", "遗失", 0, codes(t, "JS-000001", "JS-000001"))
	refusedAs(t, "a printed paper lost", err, "blank_state")
	if _, err = use(e, by, blanks.Spoil, "", "打印错位", 0, codes(t, "JS-000001", "JS-000001")); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	again, err := e.RecordPrint(ctx, by.Actor, issued[0].Number, registry.NewPrint{Code: "JS-000002"})
	if err != nil || again.Kind != blanks.Reprint || again.N != 2 {
		t.Fatalf("after 作废: %+v, %v", again, err)
	}
	_, err = e.RecordPrint(ctx, by.Actor, issued[0].Number, registry.NewPrint{Code: "JS-000003", Reason: "持证人要求"})
	if err != nil {
		t.Fatal(err)
	}
	// 补发 makes a version that needs a new print.
	if _, err := e.ReissueCertificate(ctx, by.Actor, issued[0].Number, registry.Reissue{Basis: "申请1号", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	reissued, err := e.RecordPrint(ctx, by.Actor, issued[0].Number, registry.NewPrint{Code: "JS-000004"})
	if err != nil || reissued.Kind != blanks.FirstPrint || reissued.Version != 2 || reissued.N != 4 {
		t.Fatalf("%+v, %v", reissued, err)
	}
	all, _, err := e.PrintsOfCertificate(ctx, by.Actor, issued[0].Number, registry.Page{})
	if err != nil || len(all) != 4 || all[0].Spoiled == nil || all[0].Spoiled.Note != "打印错位" {
		t.Fatalf("%+v, %v", all, err)
	}
	if one, err := e.BlankByCode(ctx, by.Actor, "JS-000001"); err != nil || one.State != blanks.Spoiled || one.Reason != "打印错位" || one.Print.Number != issued[0].Number {
		t.Fatalf("%+v, %v", one, err)
	}

	if _, err = use(e, by, blanks.Return, s.ID, "", 0, codes(t, "JS-000010", "JS-000011")); err != nil {
		t.Fatal(err)
	}
	if _, err = use(e, by, blanks.Lose, "", "运输途中", 0, codes(t, "JS-000009", "JS-000009")); err != nil {
		t.Fatal(err)
	}
	view, err := e.BlankUse(ctx, by.Actor, s.ID)
	if err != nil || view.Taken != 11 || view.Returned != 2 || view.Lost != 1 || view.Spoiled != 1 || view.Printed != 3 || view.Left != 4 || view.Allowance != 11 {
		t.Fatalf("%+v, %v", view, err)
	}
	e.MustCheck()

	d, err := e.CollectBlanks(ctx, by.Actor, by.Institution.ID, nil)
	if err != nil || d.Quantity != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = e.EndDestruction(ctx, by.Actor, d.ID, blanks.DestroyBatch, "销毁记录1号", "碎纸")
	refusedAs(t, "destroyed by one person", err, "second_person")
	if d, err = e.EndDestruction(ctx, by.Colleague(), d.ID, blanks.DestroyBatch, "销毁记录1号", "碎纸"); err != nil || d.State != blanks.DestructionDone {
		t.Fatalf("%+v, %v", d, err)
	}
	_, err = e.EndDestruction(ctx, by.Colleague(), d.ID, blanks.DissolveBatch, "", "")
	refusedAs(t, "dissolved when destroyed", err, "destruction_state")
	stock, err := e.BlankStock(ctx, by.Actor, by.Institution.ID)
	if err != nil || stock.Total != 60 || stock.Counts[blanks.Destroyed] != 1 || stock.Counts[blanks.InStock] != 51 || stock.Low {
		t.Fatalf("%+v, %v", stock, err)
	}
}

// Where the rules say so, the authority approves.
func TestAuthorityApprovesBlanks(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rules: blankRules(t, func(r *blanks.Rules) { r.Approver, r.NumberedOnly = blanks.ByAuthority, true })})
	by := e.MustAdmit(1)
	a, err := e.ApplyForBlanks(ctx, by.Actor, by.Institution.ID, 5, "第一季度")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.MoveBlankApplication(ctx, by.Colleague(), a.ID, blanks.ApproveApplication, registry.BlankStep{})
	refusedAs(t, "approved by the institution", err, "blank_approver")
	elsewhere := e.Authority
	elsewhere.Region = "330000"
	_, err = e.MoveBlankApplication(ctx, elsewhere, a.ID, blanks.ApproveApplication, registry.BlankStep{})
	refusedAs(t, "approved by another region", err, "not_allowed")
	if _, err := e.MoveBlankApplication(ctx, e.Authority, a.ID, blanks.ApproveApplication, registry.BlankStep{}); err != nil {
		t.Fatal(err)
	}
	issued := e.MustCertificates(by, 0, 1)
	_, err = e.RecordPrint(ctx, by.Actor, issued[0].Number, registry.NewPrint{})
	refusedAs(t, "printed on plain paper", err, "blank_needed")
}

func blankRules(t testing.TB, change func(*blanks.Rules)) func(*registry.Rules) {
	return func(all *registry.Rules) {
		r, ok := all.Stock.On("320583", "2026-03-02")
		if !ok {
			t.Fatal("no rules")
		}
		change(&r)
		set, err := rulefile.NewSet(r)
		if err != nil {
			t.Fatal(err)
		}
		all.Stock = set
	}
}

// A code is given out once, whoever asks, and nobody handles another's blanks.
func TestBlanksOfOthers(t *testing.T) {
	e := registrytest.New(t)
	by, other := e.MustAdmit(1), e.MustAdmit(2)
	mustStock(t, e, by, "JS-000001", "JS-000100")
	a, err := e.ApplyForBlanks(ctx, other.Actor, other.Institution.ID, 2, "第一季度")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.MoveBlankApplication(ctx, other.Colleague(), a.ID, blanks.ApproveApplication, registry.BlankStep{}); err != nil {
		t.Fatal(err)
	}
	_, err = e.MoveBlankApplication(ctx, other.Colleague(), a.ID, blanks.SendApplication, registry.BlankStep{Ranges: []blanks.Range{codes(t, "JS-000100", "JS-000101")}})
	refusedAs(t, "a code sent twice", err, "code_taken")
	_, err = use(e, other, blanks.Spoil, "", "x", 0, codes(t, "JS-000001", "JS-000001"))
	refusedAs(t, "another's blank", err, "blank_unknown")
	for name, err := range map[string]error{
		"stock":   errOf(e.BlankStock(ctx, other.Actor, by.Institution.ID)),
		"apply":   errOf(e.ApplyForBlanks(ctx, other.Actor, by.Institution.ID, 1, "x")),
		"code":    errOf(e.BlankByCode(ctx, other.Actor, "JS-000001")),
		"collect": errOf(e.CollectBlanks(ctx, other.Actor, by.Institution.ID, nil)),
		"count":   errOf(e.CountBlanks(ctx, other.Actor, by.Institution.ID, nil, "")),
		"use":     errOf(e.UseBlanks(ctx, other.Actor, by.Institution.ID, registry.BlankUseRequest{Act: blanks.Spoil, Reason: "x", Ranges: []blanks.Range{codes(t, "JS-000001", "JS-000001")}})),
	} {
		refusedAs(t, name, err, "not_allowed")
	}
	refusedAs(t, "the public", errOf(e.BlankStock(ctx, registry.Actor{}, by.Institution.ID)), "key_required")
	refusedAs(t, "keeps for an institution", errOf(e.ApplyForBlanks(ctx, e.Authority, by.Institution.ID, 1, "x")), "not_allowed")
}

// 盘点: what is missing and what is too many, by code; due every three months by
// the sample rules.
func TestStocktaking(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	mustStock(t, e, by, "JS-000001", "JS-000100")
	if s, err := e.BlankStock(ctx, by.Actor, by.Institution.ID); err != nil || s.CountDue != "2026-06-02" || s.Overdue {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := use(e, by, blanks.Spoil, "", "受潮", 0, codes(t, "JS-000050", "JS-000050")); err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(100 * 24 * time.Hour)
	if s, err := e.BlankStock(ctx, by.Actor, by.Institution.ID); err != nil || !s.Overdue {
		t.Fatalf("%+v, %v", s, err)
	}
	c, err := e.CountBlanks(ctx, by.Actor, by.Institution.ID, []blanks.Range{codes(t, "JS-000001", "JS-000098")}, "第二季度盘点")
	if err != nil || fmt.Sprint(c.Missing) != "[JS-000099–JS-000100]" || fmt.Sprint(c.Surplus) != "[JS-000050]" || c.Quantity != 98 || c.Ledger != 99 {
		t.Fatalf("%+v, %v", c, err)
	}
	if s, err := e.BlankStock(ctx, by.Actor, by.Institution.ID); err != nil || s.Overdue || s.Counts[blanks.InStock] != 99 {
		t.Fatalf("%+v, %v", s, err)
	}
	if all, _, err := e.Stocktakings(ctx, by.Actor, by.Institution.ID, registry.Page{}); err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
}

// The same request under one Idempotency-Key takes blanks once.
func TestTakingIsRepeatable(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	mustStock(t, e, by, "JS-000001", "JS-000100")
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 10))
	by.Actor.Idempotency = registry.Idempotency{Route: "r", Key: "k", Body: []byte("b")}
	for range 2 {
		got, err := use(e, by, blanks.Take, s.ID, "", 4)
		if err != nil || got.Quantity != 4 || got.Use.Taken != 4 || fmt.Sprint(got.Ranges) != "[JS-000001–JS-000004]" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

// A print job of a session: short of blanks it waits, with more it goes on, and it
// prints each certificate once, however often it is run.
func TestPrintJob(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	by := e.MustAdmit(1)
	mustStock(t, e, by, "JS-000001", "JS-000500")
	const people = 450 // three pages
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, people))
	_, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{})
	refusedAs(t, "before issue", err, "not_issued")
	issued := e.MustIssue(by, s.ID)
	if _, err := e.ChangeCertificate(ctx, e.Authority, issued[7].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社决〔2026〕1号", Reason: "虚假材料"}); err != nil {
		t.Fatal(err)
	}
	if _, err := use(e, by, blanks.Take, s.ID, "", 250); err != nil {
		t.Fatal(err)
	}
	// One in the middle was printed by hand, and splits the blanks.
	if _, err := e.RecordPrint(ctx, by.Actor, issued[300].Number, registry.NewPrint{Code: "JS-000100"}); err != nil {
		t.Fatal(err)
	}
	j, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{})
	if err != nil || j.Total != people {
		t.Fatalf("%+v, %v", j, err)
	}
	steps := 0
	j, err = e.RunPrintJob(ctx, by.Actor, j.ID, func(registry.PrintJob) { steps++ })
	if err != nil || j.State != blanks.JobWaiting || j.Done != 249 || !j.Lacking || steps < 3 {
		t.Fatalf("%+v in %d steps, %v", j, steps, err)
	}
	if j, err = e.RunPrintJob(ctx, by.Actor, j.ID, nil); err != nil || j.State != blanks.JobWaiting || j.Done != 249 {
		t.Fatalf("run again without blanks: %+v, %v", j, err)
	}
	e.MustCheck()
	if _, err := use(e, by, blanks.Take, s.ID, "", 230); err != nil {
		t.Fatal(err)
	}
	// A crash after one page: the context ends, another process resumes.
	cut, cancel := context.WithCancel(ctx)
	_, err = e.RunPrintJob(cut, by.Actor, j.ID, func(registry.PrintJob) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("not cut off: %v", err)
	}
	if err := e.ResumePrintJobs(ctx); err != nil {
		t.Fatal(err)
	}
	j, err = e.PrintJobByID(ctx, by.Actor, j.ID)
	if err != nil || j.State != blanks.JobDone || j.Done != people-2 || j.Skipped != 2 || j.Seen != people {
		t.Fatalf("%+v, %v", j, err)
	}
	seen, numbers := map[string]bool{}, map[string]bool{}
	place := 0
	for page := (registry.Page{Limit: 500}); ; {
		items, next, err := e.PrintItems(ctx, by.Actor, j.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if place++; item.Place != place || item.Code == nil || seen[item.Code.String()] || numbers[item.Number] || item.Number == issued[7].Number {
				t.Fatalf("%+v at %d", item, place)
			}
			seen[item.Code.String()], numbers[item.Number] = true, true
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if place != people-2 || seen["JS-000100"] {
		t.Fatalf("%d items", place)
	}
	again, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{})
	if err == nil {
		again, err = e.RunPrintJob(ctx, by.Actor, again.ID, nil)
	}
	if err != nil || again.Done != 0 || again.State != blanks.JobDone {
		t.Fatalf("another job prints again: %+v, %v", again, err)
	}
	// Named ones need a reason, and are then printed again.
	_, err = e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{Numbers: []string{issued[0].Number, issued[7].Number}})
	refusedAs(t, "named without a reason", err, "print_job")
	if n := len(fail.Of(err).Fields); n != 2 {
		t.Errorf("%d fields: %v", n, fail.Of(err).Fields)
	}
	named, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{Numbers: []string{issued[0].Number}, Reason: "打印模糊"})
	if err == nil {
		named, err = e.RunPrintJob(ctx, by.Actor, named.ID, nil)
	}
	if err != nil || named.Done != 1 || named.State != blanks.JobDone {
		t.Fatalf("%+v, %v", named, err)
	}
	_, err = e.CancelPrintJob(ctx, by.Actor, named.ID)
	refusedAs(t, "cancelled when done", err, "print_job_state")
	left, err := e.BlankUse(ctx, by.Actor, s.ID)
	if err != nil || left.Left != 480-people {
		t.Fatalf("%+v, %v", left, err)
	}
}

// Without blanks the same job records plain prints.
func TestPlainPrintJob(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 5))
	e.MustIssue(by, s.ID)
	j, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{Plain: true})
	if err == nil {
		j, err = e.RunPrintJob(ctx, by.Actor, j.ID, nil)
	}
	if err != nil || j.Done != 5 || j.State != blanks.JobDone {
		t.Fatalf("%+v, %v", j, err)
	}
	all, _, err := e.PrintsOfSession(ctx, by.Actor, s.ID, registry.Page{})
	if err != nil || len(all) != 5 || all[0].Code != nil {
		t.Fatalf("%+v, %v", all, err)
	}
}

// Broken books are found.
func TestCheckFindsWrongBlanks(t *testing.T) {
	for what, break_ := range map[string]func(*blanks.Run){
		"a state":   func(r *blanks.Run) { r.State = blanks.Printed },
		"one short": func(r *blanks.Run) { r.Last.Number-- },
	} {
		e := registrytest.New(t, registrytest.Options{NoCheck: true})
		mustStock(t, e, e.MustAdmit(1), "JS-000001", "JS-000100")
		e.MustCheck()
		if err := registry.BreakBlankRun(ctx, e.Registry, "JS-000001", break_); err != nil {
			t.Fatal(err)
		}
		report, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil || report.Found == 0 || !strings.Contains(strings.Join(report.Problems, "\n"), "blank") {
			t.Errorf("%s: %v, %v", what, report.Problems, err)
		}
	}
}

// Two jobs for the same certificates: what the first has printed the second passes
// over, and ends; it names no reason to print it again.
func TestTwoPrintJobsForOneCertificate(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	by := e.MustAdmit(1)
	mustStock(t, e, by, "JS-000001", "JS-000010")
	issued := e.MustCertificates(by, 0, 3)
	if _, err := use(e, by, blanks.Take, issued[0].Session, "", 3); err != nil {
		t.Fatal(err)
	}
	numbers := []string{issued[0].Number, issued[1].Number, issued[2].Number}
	var jobs [2]registry.PrintJob
	for i := range jobs {
		var err error
		if jobs[i], err = e.StartPrintJob(ctx, by.Actor, issued[0].Session, registry.NewPrintJob{Numbers: numbers[i : i+2]}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []registry.PrintJob{{Done: 2}, {Done: 1, Skipped: 1}} {
		j, err := e.RunPrintJob(ctx, by.Actor, jobs[i].ID, nil)
		if err != nil || j.State != blanks.JobDone || j.Done != want.Done || j.Skipped != want.Skipped {
			t.Errorf("job %d: %+v, %v", i, j, err)
		}
	}
}

// A print job passes over what is not public: the rows of a further batch that is
// being issued, and may be aborted, and the numbers that an aborted one has burnt.
func TestOnlyPublicCertificatesArePrinted(t *testing.T) {
	e := withCourse(t, func(r *course.Rules) {})
	by := e.MustAdmit(1)
	mustStock(t, e, by, "JS-000001", "JS-000010")
	e.StepByStep()
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 3))
	e.Clock.Set(s.Publicity.Until.Time().Add(10 * time.Hour))
	a := mustAppeal(t, e, s.ID, 3)
	e.Clock.Set(s.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	// A batch that is begun, signed and then stopped: for what it has no paper.
	stop := func(at registry.BatchState) {
		t.Helper()
		cut, cancel := context.WithCancel(ctx)
		defer cancel()
		_, err := e.Issue(cut, by.Actor, s.ID, func(b registry.Batch) {
			if b.State == at {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("not stopped: %v", err)
		}
	}
	stop(registry.BatchSigned)
	if _, err := e.AbortBatch(ctx, by.Actor, s.ID, "名单有误"); err != nil {
		t.Fatal(err)
	}
	issued := e.MustIssue(by, s.ID)
	burnt := issued[0].Number[:len(issued[0].Number)-1] + "1"
	if burnt == issued[0].Number || len(issued) != 2 {
		t.Fatalf("%d certificates from %s on", len(issued), issued[0].Number)
	}
	if _, err := use(e, by, blanks.Take, s.ID, "", 1); err != nil {
		t.Fatal(err)
	}
	_, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{Numbers: []string{burnt}})
	refusedAs(t, "a burnt number", err, "print_job")
	j, err := e.StartPrintJob(ctx, by.Actor, s.ID, registry.NewPrintJob{})
	if err == nil {
		j, err = e.RunPrintJob(ctx, by.Actor, j.ID, nil)
	}
	if err != nil || j.State != blanks.JobWaiting || j.Done != 1 {
		t.Fatalf("%+v, %v", j, err)
	}
	if _, err := e.DecideAppeal(ctx, by.Actor, s.ID, a.ID, registry.AppealRejected, "已核查考场录像"); err != nil {
		t.Fatal(err)
	}
	if _, err := use(e, by, blanks.Take, s.ID, "余量", 3); err != nil {
		t.Fatal(err)
	}
	stop(registry.BatchSigned)
	if j, err = e.RunPrintJob(ctx, by.Actor, j.ID, nil); err != nil || j.State != blanks.JobDone || j.Done != 2 || j.Seen != j.Total {
		t.Errorf("while a further batch is issued: %+v, %v", j, err)
	}
	if _, err := e.AbortBatch(ctx, by.Actor, s.ID, "名单有误"); err != nil {
		t.Fatal(err)
	}
	if left, err := e.BlankUse(ctx, by.Actor, s.ID); err != nil || left.Printed != 2 || left.Left != 2 {
		t.Errorf("%+v, %v", left, err)
	}
}

// What a session spoiled and lost is counted like what it printed.
func TestCheckFindsWrongCountsOfASession(t *testing.T) {
	for what, break_ := range map[string]func(*blanks.Use){
		"spoiled": func(u *blanks.Use) { u.Taken++; u.Spoiled++ },
		"lost":    func(u *blanks.Use) { u.Returned++; u.Lost-- },
	} {
		e := registrytest.New(t, registrytest.Options{NoCheck: true})
		by := e.MustAdmit(1)
		all := mustStock(t, e, by, "JS-000001", "JS-000010")
		issued := e.MustCertificates(by, 0, 2)
		if _, err := use(e, by, blanks.Take, issued[0].Session, "备用", 3); err != nil {
			t.Fatal(err)
		}
		for act, code := range map[blanks.Act]blanks.Code{blanks.Spoil: all.First, blanks.Lose: {Prefix: all.First.Prefix, Digits: all.First.Digits, Number: 2}} {
			if _, err := use(e, by, act, "", "受潮", 0, blanks.One(code)); err != nil {
				t.Fatal(err)
			}
		}
		e.MustCheck()
		if err := registry.BreakBlankUse(ctx, e.Registry, issued[0].Session, break_); err != nil {
			t.Fatal(err)
		}
		report, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil || report.Found != 1 || !strings.Contains(report.Problems[0], what) {
			t.Errorf("%s: %v, %v", what, report.Problems, err)
		}
	}
}

// Whatever order blanks are taken, returned, spoiled, lost, printed on, collected
// and destroyed in, by several at once, beside print jobs that are run twice and
// cancelled and certificates that are voided and reissued: the books add up, and no
// certificate has two prints that stand unless somebody said why.
func TestBlanksInAnyOrder(t *testing.T) {
	seeds := 3
	if testing.Short() || needed.RaceDetector {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(5)})
			by := e.MustAdmit(1)
			mustStock(t, e, by, "JS-000001", "JS-000300")
			issued := e.MustCertificates(by, 0, 40)
			session := issued[0].Session
			var group sync.WaitGroup
			for worker := range 4 {
				group.Add(1)
				go func() {
					defer group.Done()
					rnd := rand.New(rand.NewPCG(uint64(seed), uint64(worker)))
					some := func() blanks.Range {
						first := 1 + rnd.Uint64N(300)
						return codes(t, fmt.Sprintf("JS-%06d", first), fmt.Sprintf("JS-%06d", min(300, first+rnd.Uint64N(4))))
					}
					for range 40 {
						var err error
						c := issued[rnd.IntN(len(issued))]
						switch rnd.IntN(12) {
						case 0, 1:
							_, err = use(e, by, blanks.Take, session, "备用", 1+rnd.IntN(12))
						case 2:
							_, err = use(e, by, blanks.Return, session, "", 0, some())
						case 3:
							_, err = use(e, by, blanks.Spoil, "", "受潮", 0, some())
						case 4:
							_, err = use(e, by, blanks.Lose, "", "遗失", 0, some())
						case 5:
							_, err = use(e, by, blanks.Find, "", "找回", 0, some())
						case 6:
							_, err = e.RecordPrint(ctx, by.Actor, c.Number, registry.NewPrint{Code: some().First.String()})
						case 7:
							var d blanks.Destruction
							if d, err = e.CollectBlanks(ctx, by.Actor, by.Institution.ID, nil); err == nil {
								_, err = e.EndDestruction(ctx, colleague(by), d.ID, []blanks.DestructionAct{blanks.DestroyBatch, blanks.DissolveBatch}[rnd.IntN(2)], "销毁记录", "粉碎")
							}
						case 8, 9:
							in := registry.NewPrintJob{}
							if rnd.IntN(2) == 0 {
								in.Numbers = []string{c.Number}
							}
							var j registry.PrintJob
							if j, err = e.StartPrintJob(ctx, by.Actor, session, in); err != nil {
								break
							}
							var twice sync.WaitGroup
							for range 2 {
								twice.Add(1)
								go func() {
									defer twice.Done()
									if _, err := e.RunPrintJob(ctx, by.Actor, j.ID, nil); err != nil {
										t.Errorf("run: %v", err)
									}
								}()
							}
							if rnd.IntN(3) == 0 {
								_, err = e.CancelPrintJob(ctx, by.Actor, j.ID)
							}
							twice.Wait()
						case 10:
							_, err = e.ReissueCertificate(ctx, by.Actor, c.Number, registry.Reissue{Basis: "补发申请", Reason: "遗失"})
						case 11:
							_, err = e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: []registry.ChangeKind{registry.ChangeSuspend, registry.ChangeResume}[rnd.IntN(2)], Document: "文1", Reason: "核查"})
						}
						if kind := fail.KindOf(err); err != nil && kind != fail.Conflict && kind != fail.Invalid {
							t.Errorf("%v", err)
						}
					}
				}()
			}
			group.Wait()
			stock, err := e.BlankStock(ctx, by.Actor, by.Institution.ID)
			if err != nil || stock.Total != 300 {
				t.Errorf("%+v, %v", stock, err)
			}
			for _, c := range issued {
				ps, _, err := e.PrintsOfCertificate(ctx, by.Actor, c.Number, registry.Page{Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				stand := map[int]int{}
				for _, p := range ps {
					if p.Spoiled == nil {
						stand[p.Version]++
					}
				}
				for v, n := range stand {
					if n > 1 {
						t.Errorf("%s version %d has %d prints", c.Number, v, n)
					}
				}
			}
		})
	}
}
