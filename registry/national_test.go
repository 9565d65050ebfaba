package registry_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// nationalRule changes the embedded rules on reports.
func nationalRule(t testing.TB, change func(*uploads.Rules)) func(*registry.Rules) {
	t.Helper()
	return func(r *registry.Rules) {
		set, err := uploads.Embedded()
		if err != nil {
			t.Fatal(err)
		}
		rules := set.All()[0]
		rules.ID, rules.Region, rules.From = "own", "320000", "2026-01-01"
		change(&rules)
		if r.National, err = r.National.With(rules); err != nil {
			t.Fatal(err)
		}
	}
}

type nationalEnv struct {
	*registrytest.Env
	by registrytest.Issuer
}

func (e nationalEnv) mustMake(in registry.NewNationalUpload) registry.NationalUpload {
	e.T.Helper()
	u, err := e.MakeNationalUpload(ctx, e.by.Actor, in)
	if err != nil {
		e.T.Fatalf("make: %v", err)
	}
	return u
}

func reference(text string) registry.NewNationalStep {
	return registry.NewNationalStep{Reference: text}
}

// mustStep sends a report, records its receipt and, when show, that it can be
// queried.
func (e nationalEnv) mustStep(u registry.NationalUpload, show bool, returned ...uploads.ReturnedRow) registry.NationalUpload {
	e.T.Helper()
	u, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("上报回执 1"))
	if err == nil {
		u, err = e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, registry.NewNationalReceipt{NewNationalStep: reference("处理结果 1"), All: len(returned) == 0, Rows: returned})
	}
	if err == nil && show {
		u, err = e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, reference("截图 1"))
	}
	if err != nil {
		e.T.Fatalf("report %s: %v", u.ID, err)
	}
	return u
}

func (e nationalEnv) verdict(c registry.Issued) credentials.Verdict {
	e.T.Helper()
	now, err := e.CertificateByNumber(ctx, e.by.Actor, c.Number)
	if err != nil {
		e.T.Fatal(err)
	}
	v, err := e.VerdictByHandle(ctx, string(now.Handle))
	if err != nil {
		e.T.Fatal(err)
	}
	return v
}

func (e nationalEnv) wantState(c registry.Issued, state credentials.NationalState, first credentials.Reason) {
	e.T.Helper()
	v := e.verdict(c)
	got := credentials.NationalState("")
	if v.National != nil {
		got = v.National.State
	}
	if got != state || v.First() != first {
		e.T.Errorf("%s is %q in the national query and %v; want %q and %s", c.Number, got, v.Reasons, state, first)
	}
}

func (e nationalEnv) waiting() (out []string) {
	e.T.Helper()
	ws, _, err := e.WaitingForReport(ctx, e.by.Actor, e.by.Institution.ID, registry.Page{Limit: 500})
	if err != nil {
		e.T.Fatal(err)
	}
	for _, w := range ws {
		out = append(out, w.Type+" "+w.Number)
	}
	return out
}

// 1,200 certificates of one session are reported in files of at most 500 rows; 7
// rows are returned, corrected, reported again, and can be queried. After every step
// all invariants hold.
func TestNationalQuery(t *testing.T) {
	people := 1200
	if testing.Short() || needed.RaceDetector {
		people = 520
	}
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, people)
	session := issued[0].Session
	e.wantState(issued[0], credentials.NationalNotReported, credentials.ReasonValid)

	var made []registry.NationalUpload
	for range (people + uploads.MaxRows - 1) / uploads.MaxRows {
		made = append(made, e.mustMake(registry.NewNationalUpload{Session: session}))
	}
	if _, err := e.MakeNationalUpload(ctx, e.by.Actor, registry.NewNationalUpload{Session: session}); fail.CodeOf(err) != "nothing_to_report" {
		t.Errorf("one more: %v", err)
	}
	total := 0
	for i, u := range made {
		total += u.Rows
		if u.Rows > uploads.MaxRows || u.TypeName.ZH != "新增" || u.Number != fmt.Sprintf("2026-%05d", i+1) || len(u.Counts) != 1 || u.Counts[0].Certificates != u.Rows {
			t.Errorf("%+v", u)
		}
	}
	if total != people {
		t.Fatalf("%d of %d certificates are in the reports", total, people)
	}
	e.wantState(issued[0], credentials.NationalGenerated, credentials.ReasonValid)
	e.MustCheck()

	var back []uploads.ReturnedRow
	for i := range 7 {
		one := uploads.ReturnedRow{Row: 10*i + 1, Reason: "姓名与证件号码不符"}
		if i%2 == 0 {
			one = uploads.ReturnedRow{Number: issued[10*i].Number, Reason: "姓名与证件号码不符"}
		}
		back = append(back, one)
	}
	first := e.mustStep(made[0], false, back...)
	if first.State != uploads.Returned || first.Receipt.Returned != 7 {
		t.Fatalf("%+v", first)
	}
	for _, u := range made[1:] {
		e.mustStep(u, true)
	}
	e.MustCheck()
	e.wantState(issued[0], credentials.NationalReturned, credentials.ReasonValid)
	e.wantState(issued[1], credentials.NationalAccepted, credentials.ReasonValid)
	e.wantState(issued[people-1], credentials.NationalQueryable, credentials.ReasonValid)

	for i := range 7 {
		c, err := e.ProposeCorrection(ctx, e.by.Actor, issued[10*i].Number, correctName(fmt.Sprintf("更名%c", '甲'+i)))
		if err == nil {
			c, err = e.ApproveCorrection(ctx, colleague(e.by), c.ID, "")
		}
		if err != nil || c.State != corrections.Done {
			t.Fatalf("correct %d: %+v, %v", i, c, err)
		}
	}
	if w := e.waiting(); len(w) != 7 || !strings.HasPrefix(w[0], "new ") {
		t.Errorf("waiting: %v", w)
	}
	again := e.mustMake(registry.NewNationalUpload{Institution: e.by.Institution.ID})
	if again.Rows != 7 || again.Type != uploads.New || len(e.waiting()) != 0 {
		t.Fatalf("%+v; waiting %v", again, e.waiting())
	}
	rows, err := e.NationalUploadRows(ctx, e.by.Actor, again.ID)
	if err != nil || len(rows) != 7 || rows[0].Version != 2 {
		t.Errorf("%+v, %v", rows, err)
	}
	file, err := e.NationalFileOf(ctx, e.by.Actor, again.ID, registry.NationalCSV)
	if err != nil || strings.Count(string(file.Bytes), "更名") != 7 {
		t.Errorf("the corrected names are not in the file: %v", err)
	}
	e.wantState(issued[0], credentials.NationalGenerated, credentials.ReasonValid)
	e.MustCheck()
	e.mustStep(again, true)
	if _, err := e.ConfirmNationalQueryable(ctx, e.Authority, first.ID, reference("截图 2")); err != nil {
		t.Fatal(err)
	}
	if c, err := e.CertificateByNumber(ctx, e.by.Actor, issued[0].Number); err != nil || c.National == nil || c.National.Upload != again.ID || c.National.State != uploads.Queryable {
		t.Errorf("%+v, %v", c.National, err)
	}
	for i := range people {
		if i%97 == 0 || i < 80 {
			e.wantState(issued[i], credentials.NationalQueryable, credentials.ReasonValid)
		}
	}
	if v := e.verdict(issued[0]); v.National.Since != string(standards.DateOf(e.Clock.Now())) {
		t.Errorf("%+v", v.National)
	}
	if due, _, err := e.UnreportedBatches(ctx, e.Authority, "", registry.Page{}); err != nil || len(due) != 0 {
		t.Errorf("still to be reported: %+v, %v", due, err)
	}
}

// The file: eleven columns of text, the same bytes for the same report, whole
// document numbers (上报实务中的 11 列表); its text is given out to who may report
// alone, with an event.
func TestNationalFile(t *testing.T) {
	env := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 5)
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	file, err := e.NationalFileOf(ctx, e.by.Actor, u.ID, registry.NationalCSV)
	if err != nil {
		t.Fatal(err)
	}
	if file.SHA256 != u.Content {
		t.Errorf("the CSV is %s, the report says %s", file.SHA256, u.Content)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file.Bytes, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != 6 || !slices.Equal(rows[0], registry.NationalColumns) {
		t.Fatalf("%v, %v", rows, err)
	}
	p := invented.PersonAt(0)
	want := []string{p.Name, "201", p.Document, "其他", "电工", "--", "3", issued[0].Number, string(issued[0].Issued), "第1职业技能评价中心", "第1职业技能评价中心"}
	if !slices.Equal(rows[1], want) {
		t.Errorf("%q, want %q", rows[1], want)
	}
	var books [2]registry.NationalFile
	for i := range books {
		if books[i], err = e.NationalFileOf(ctx, e.Authority, u.ID, registry.NationalXLSX); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(books[0].Bytes, books[1].Bytes) || books[0].Name != "2026-00001.xlsx" {
		t.Error("two workbooks of one report differ")
	}
	book, err := sheet.Read(bytes.NewReader(books[0].Bytes), sheet.Limits{Rows: 10})
	if err == nil {
		var columns []sheet.Column
		for _, name := range registry.NationalColumns {
			columns = append(columns, sheet.Column{Name: name, Required: true})
		}
		book, err = book.Select(columns)
	}
	if err != nil || len(book.Rows) != 5 || book.Rows[0].Get("证件号码") != p.Document {
		t.Errorf("the workbook: %v", err)
	}
	summary, err := e.NationalSummary(ctx, e.by.Actor, u.ID, registry.NationalCSV)
	if err != nil || !strings.Contains(string(summary.Bytes), u.Content) || !strings.Contains(string(summary.Bytes), "新增") || strings.Contains(string(summary.Bytes), p.Name) {
		t.Errorf("%s, %v", summary.Bytes, err)
	}
	other := e.MustAdmit(2)
	auditor := registry.Actor{Account: "x", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}
	for name, c := range map[string]struct {
		by   registry.Actor
		code string
	}{"another institution": {other.Actor, "not_allowed"}, "an auditor": {auditor, "not_allowed"}, "the public": {registry.Actor{}, "key_required"},
		"the operator": {registry.Operator(), "not_allowed"}} {
		if _, err := e.NationalFileOf(ctx, c.by, u.ID, registry.NationalCSV); fail.CodeOf(err) != c.code {
			t.Errorf("%s takes the file: %v", name, err)
		}
	}
	if _, err := e.NationalUploadByID(ctx, auditor, u.ID); err != nil {
		t.Errorf("an auditor may not see the report: %v", err)
	}
	if _, err := e.NationalFileOf(ctx, e.by.Actor, u.ID, "ods"); fail.CodeOf(err) != "format" {
		t.Errorf("%v", err)
	}
	// A later correction does not change what was reported.
	c, err := e.ProposeCorrection(ctx, e.by.Actor, issued[0].Number, correctName("欧阳娜娜"))
	if err == nil {
		_, err = e.ApproveCorrection(ctx, colleague(e.by), c.ID, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	if same, err := e.NationalFileOf(ctx, e.by.Actor, u.ID, registry.NationalCSV); err != nil || same.SHA256 != file.SHA256 {
		t.Errorf("%s, %v", same.SHA256, err)
	}
	if w := e.waiting(); len(w) != 1 || w[0] != "change "+issued[0].Number {
		t.Errorf("waiting: %v", w)
	}
}

// A verdict says not-yet-published until the national query has the certificate
// where the rules of its region say that this counts; by default it stays valid and
// shows the fact.
func TestVerdictBeforeTheNationalQuery(t *testing.T) {
	for _, c := range []struct {
		name          string
		rules         func(*registry.Rules)
		before, after credentials.Reason
	}{
		{"by default", nil, credentials.ReasonValid, credentials.ReasonValid},
		{"where it counts", nationalRule(t, func(r *uploads.Rules) { r.Counts = true }), credentials.ReasonNotYetPublished, credentials.ReasonValid},
		{"where it counts in another province", nationalRule(t, func(r *uploads.Rules) { r.Counts, r.Region = true, "330000" }), credentials.ReasonValid, credentials.ReasonValid},
		{"where it counts from later on", nationalRule(t, func(r *uploads.Rules) { r.Counts, r.From = true, "2027-01-01" }), credentials.ReasonValid, credentials.ReasonValid},
	} {
		env := registrytest.New(t, registrytest.Options{Rules: c.rules})
		e := nationalEnv{env, env.MustAdmit(1)}
		issued := e.MustCertificates(e.by, 0, 3)
		u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
		e.wantState(issued[0], credentials.NationalGenerated, c.before)
		u = e.mustStep(u, false, uploads.ReturnedRow{Row: 2, Reason: "照片缺失"})
		e.wantState(issued[0], credentials.NationalAccepted, c.before)
		e.wantState(issued[1], credentials.NationalReturned, c.before)
		// The token and the look-up say the same.
		if v, err := e.VerdictByToken(ctx, issued[0].QR); err != nil || v.First() != c.before || v.National == nil {
			t.Errorf("%s: %v, %v", c.name, v.Reasons, err)
		}
		if _, err := e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, reference("截图 1")); err != nil {
			t.Fatal(err)
		}
		e.wantState(issued[0], credentials.NationalQueryable, c.after)
		e.wantState(issued[1], credentials.NationalReturned, c.before)
		// A graver reason decides as before.
		if _, err := e.ChangeCertificate(ctx, e.Authority, issued[1].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社撤〔2026〕1号", Reason: "弄虚作假"}); err != nil {
			t.Fatal(err)
		}
		if v := e.verdict(issued[1]); v.First() != credentials.ReasonVoided || v.National != nil {
			t.Errorf("%s: voided: %v, %+v", c.name, v.Reasons, v.National)
		}
	}
}

// Who may record that certificates can be queried: the authority; the institution
// only where the rules let it, and always with evidence.
func TestWhoConfirmsQueryable(t *testing.T) {
	for _, lets := range []bool{false, true} {
		env := registrytest.New(t, registrytest.Options{Rules: nationalRule(t, func(r *uploads.Rules) { r.IssuerConfirms = lets })})
		e := nationalEnv{env, env.MustAdmit(1)}
		issued := e.MustCertificates(e.by, 0, 2)
		u := e.mustStep(e.mustMake(registry.NewNationalUpload{Session: issued[0].Session}), false)
		if _, err := e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, registry.NewNationalStep{}); fail.CodeOf(err) != "national_step" {
			t.Errorf("without evidence: %v", err)
		}
		if _, err := e.ConfirmNationalQueryable(ctx, e.MustAdmit(2).Actor, u.ID, reference("x")); fail.CodeOf(err) != "not_allowed" {
			t.Errorf("by another: %v", err)
		}
		_, err := e.ConfirmNationalQueryable(ctx, e.by.Actor, u.ID, reference("截图 1"))
		if want := map[bool]string{false: "issuer_confirms", true: ""}[lets]; fail.CodeOf(err) != want {
			t.Errorf("by the institution: %v, want %q", err, want)
		}
	}
}

// Every step again is no other step; what the state table does not have is refused
// and changes nothing; days run forward.
func TestNationalSteps(t *testing.T) {
	env := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 4)
	in := registry.NewNationalUpload{Session: issued[0].Session}
	once := e.by
	once.Idempotency = registry.Idempotency{Route: "POST /api/v1/uploads", Key: "k", Body: []byte("b")}
	u, err := e.MakeNationalUpload(ctx, once.Actor, in)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.MakeNationalUpload(ctx, once.Actor, in); err != nil || again.ID != u.ID {
		t.Errorf("made again: %+v, %v", again, err)
	}
	for name, s := range map[string]struct {
		step registry.NewNationalStep
		code string
	}{
		"before issue":    {registry.NewNationalStep{On: issued[0].Issued.AddDays(-1), Reference: "x"}, "national_step"},
		"tomorrow":        {registry.NewNationalStep{On: standards.DateOf(e.Clock.Now()).AddDays(1), Reference: "x"}, "national_step"},
		"an identity":     {reference("经办人 11010519491231002X"), "national_step"},
		"nothing to show": {registry.NewNationalStep{}, "national_step"},
	} {
		if _, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, s.step); fail.CodeOf(err) != s.code {
			t.Errorf("sent %s: %v", name, err)
		}
	}
	if _, err := e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, registry.NewNationalReceipt{NewNationalStep: reference("x"), All: true}); fail.CodeOf(err) != "upload_state" {
		t.Errorf("a receipt of what was not sent: %v", err)
	}
	u, err = e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("回执 1"))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("回执 1")); err != nil || same.LogIndex != u.LogIndex {
		t.Errorf("sent again: %v", err)
	}
	if _, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("回执 2")); fail.CodeOf(err) != "upload_state" {
		t.Errorf("sent again, otherwise: %v", err)
	}
	if _, err := e.WithdrawNationalUpload(ctx, e.by.Actor, u.ID, reference("重做")); fail.CodeOf(err) != "upload_state" {
		t.Errorf("withdrawn after it was sent: %v", err)
	}
	receipt := registry.NewNationalReceipt{NewNationalStep: reference("结果 1")}
	if _, err := e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, receipt); fail.CodeOf(err) != "receipt" {
		t.Errorf("an empty receipt: %v", err)
	}
	for i := range 4 {
		receipt.Rows = append(receipt.Rows, uploads.ReturnedRow{Row: i + 1, Reason: "系统忙"})
	}
	u, err = e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, receipt)
	if err != nil || u.Receipt.Returned != 4 {
		t.Fatalf("%+v, %v", u, err)
	}
	if same, err := e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, receipt); err != nil || same.LogIndex != u.LogIndex {
		t.Errorf("received again: %v", err)
	}
	if _, err := e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, reference("截图")); fail.CodeOf(err) != "nothing_accepted" {
		t.Errorf("queryable, every row returned: %v", err)
	}
	// All of them again; the report is withdrawn, and made once more.
	for range 2 {
		again := e.mustMake(registry.NewNationalUpload{Institution: e.by.Institution.ID})
		if again.Rows != 4 {
			t.Fatalf("%+v", again)
		}
		if two, err := e.MakeNationalUpload(ctx, e.by.Actor, registry.NewNationalUpload{Institution: e.by.Institution.ID}); fail.CodeOf(err) != "nothing_to_report" {
			t.Fatalf("the same rows in another report: %+v, %v", two, err)
		}
		e.MustCheck()
		if _, err := e.WithdrawNationalUpload(ctx, e.by.Actor, again.ID, reference("重做")); err != nil {
			t.Fatal(err)
		}
		if _, err := e.NationalFileOf(ctx, e.by.Actor, again.ID, registry.NationalCSV); fail.CodeOf(err) != "national_withdrawn" {
			t.Errorf("the file of a report that was withdrawn: %v", err)
		}
		e.MustCheck()
	}
	if w := e.waiting(); len(w) != 4 {
		t.Errorf("waiting: %v", w)
	}
}

// What changes after a report has to be reported; what nobody was told of has not.
func TestChangesAfterAReport(t *testing.T) {
	m := newMassEnv(t)
	e := nationalEnv{m.Env, m.issuer}
	issued := e.MustCertificates(e.by, 0, 8)
	change := func(c registry.Issued, kind registry.ChangeKind) {
		t.Helper()
		if _, err := e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: kind, Document: "苏人社〔2026〕3号", Reason: "核查"}); err != nil {
			t.Fatal(err)
		}
	}
	change(issued[0], registry.ChangeVoid)    // before the report: never reported
	change(issued[1], registry.ChangeSuspend) // left out until it is valid again
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	if u.Rows != 6 || u.LeftOut != 2 {
		t.Fatalf("%+v", u)
	}
	if v := e.verdict(issued[0]); v.National != nil {
		t.Errorf("a voided certificate that was not reported: %+v", v.National)
	}
	change(issued[2], registry.ChangeCancel) // after the file was made
	// Made anew without it: the first is withdrawn.
	if _, err := e.WithdrawNationalUpload(ctx, e.by.Actor, u.ID, reference("注销 1 份")); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	if u = e.mustMake(registry.NewNationalUpload{Session: issued[0].Session}); u.Rows != 5 || len(e.waiting()) != 0 {
		t.Fatalf("%+v; waiting %v", u, e.waiting())
	}
	e.mustStep(u, true)
	change(issued[1], registry.ChangeResume)
	change(issued[3], registry.ChangeSuspend) // nobody is told by the sample rules
	change(issued[4], registry.ChangeVoid)
	if _, err := e.ReissueCertificate(ctx, e.by.Actor, issued[5].Number, registry.Reissue{Basis: "补发申请 1", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"cancel " + issued[4].Number, "new " + issued[1].Number}; !slices.Equal(e.waiting(), want) {
		t.Errorf("waiting: %v, want %v", e.waiting(), want)
	}
	// A mass voiding that is undone before anybody was told leaves nothing to tell;
	// one that was reported does.
	cancel := e.mustMake(registry.NewNationalUpload{Institution: e.by.Institution.ID, Type: "cancel"})
	if cancel.Rows != 1 || cancel.TypeName.ZH != "注销" {
		t.Fatalf("%+v", cancel)
	}
	e.MustCheck()
	e.mustStep(cancel, false)
	e.Clock.Add(time.Hour)
	scope := registry.MassScope{Session: issued[0].Session}
	void := suspension(scope)
	void.Kind = registry.ChangeVoid
	done := m.mustDo(void)
	if w := e.waiting(); len(w) != 4 || strings.Contains(strings.Join(w, " "), "new ") {
		t.Errorf("after a mass voiding: %v", w)
	}
	told := e.mustMake(registry.NewNationalUpload{Institution: e.by.Institution.ID, Type: "cancel"})
	if told.Rows != 4 {
		t.Fatalf("%+v", told)
	}
	e.mustStep(told, false, uploads.ReturnedRow{Number: issued[5].Number, Reason: "重复"})
	m.mustUndo(done)
	want := []string{"change " + issued[3].Number, "change " + issued[6].Number, "change " + issued[7].Number, "new " + issued[1].Number}
	if !slices.Equal(e.waiting(), want) {
		t.Errorf("after undoing it: %v, want %v", e.waiting(), want)
	}
	if _, err := e.MakeNationalUpload(ctx, e.by.Actor, registry.NewNationalUpload{Institution: e.by.Institution.ID, Type: "merge"}); fail.CodeOf(err) != "national_type" {
		t.Errorf("a data type that is not there: %v", err)
	}
}

// A holder whose document has no code in the rules is left out of the file and waits;
// the rest is reported. Nothing is invented.
func TestDocumentsWithoutACode(t *testing.T) {
	rules := func(r *uploads.Rules) {}
	env := registrytest.New(t, registrytest.Options{Rules: func(r *registry.Rules) { nationalRule(t, func(u *uploads.Rules) { rules(u) })(r) }})
	e := nationalEnv{env, env.MustAdmit(1)}
	s := e.MustPublicise(e.by, e.MustPlan(e.by), registrytest.CSV(0, 2)+"SMITH JOHN,护照,E12345678,80,80\n")
	issued := e.MustIssue(e.by, s.ID)
	u := e.mustMake(registry.NewNationalUpload{Session: s.ID})
	if u.Rows != 2 || u.LeftOut != 1 || len(e.waiting()) != 1 {
		t.Fatalf("%+v; waiting %v", u, e.waiting())
	}
	e.mustStep(u, false) // until then it could be withdrawn, and would take the third along
	if _, err := e.MakeNationalUpload(ctx, e.by.Actor, registry.NewNationalUpload{Institution: e.by.Institution.ID}); fail.CodeOf(err) != "nothing_to_report" || !strings.Contains(err.Error(), "passport") {
		t.Errorf("%v", err)
	}
	cfg := e.Config()
	nationalRule(t, func(u *uploads.Rules) {
		u.ID, u.From = "own-2", "2026-02-01"
		u.Documents = append(slices.Clone(u.Documents), uploads.DocumentCode{Kind: standards.Passport, Code: "TEST"})
	})(&cfg.Rules)
	reg, err := registry.New(e.DB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := reg.MakeNationalUpload(ctx, e.by.Actor, registry.NewNationalUpload{Institution: e.by.Institution.ID})
	if err != nil || again.Rows != 1 {
		t.Fatalf("%+v, %v", again, err)
	}
	file, err := reg.NationalFileOf(ctx, e.by.Actor, again.ID, registry.NationalCSV)
	if err != nil || !strings.Contains(string(file.Bytes), "TEST,E12345678") {
		t.Errorf("%s, %v", file.Bytes, err)
	}
	e.wantState(issued[2], credentials.NationalGenerated, credentials.ReasonValid)
	if _, err := e.NationalFileOf(ctx, e.by.Actor, again.ID, registry.NationalCSV); fail.CodeOf(err) != "national_rules_missing" {
		t.Errorf("without its rule file: %v", err)
	}
}

// What is not reported in time is listed: for the authority of its region and for
// the institution, with the days.
func TestLateReports(t *testing.T) {
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 2)
	list := func(by registry.Actor, institution string) []registry.UnreportedBatch {
		t.Helper()
		out, _, err := e.UnreportedBatches(ctx, by, institution, registry.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := list(e.Authority, "")
	want, _ := standards.EmbeddedCalendar().AddWorkingDays(issued[0].Issued, 20)
	if len(got) != 1 || got[0].Due != want || got[0].DaysLate != 0 || got[0].Certificates != 2 {
		t.Fatalf("%+v", got)
	}
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	e.Clock.Set(want.AddDays(4).Time().Add(4 * time.Hour))
	late, _ := standards.EmbeddedCalendar().WorkingDaysBetween(want, want.AddDays(4))
	for name, got := range map[string][]registry.UnreportedBatch{"authority": list(e.Authority, ""), "institution": list(e.by.Actor, e.by.Institution.ID)} {
		if len(got) != 1 || got[0].DaysLate != late || late == 0 || len(got[0].Reports) != 1 {
			t.Errorf("%s: %+v, want %d days late", name, got, late)
		}
	}
	elsewhere := registry.Actor{Account: "y", Roles: []registry.Role{registry.RoleAuthority}, Region: "330000"}
	if got := list(elsewhere, ""); len(got) != 0 {
		t.Errorf("another region sees %+v", got)
	}
	if _, _, err := e.UnreportedBatches(ctx, e.MustAdmit(2).Actor, e.by.Institution.ID, registry.Page{}); fail.CodeOf(err) != "not_allowed" {
		t.Errorf("another institution: %v", err)
	}
	if _, err := e.MarkNationalSent(ctx, e.Authority, u.ID, reference("代报 1")); err != nil { // on behalf
		t.Fatal(err)
	}
	if got := list(e.Authority, ""); len(got) != 0 {
		t.Errorf("sent, and still listed: %+v", got)
	}
}

// What the register knows of the national query goes before what a payer says.
func TestClaimsAndTheNationalQuery(t *testing.T) {
	asking := func(e *claimEnv) {
		t.Helper()
		src, err := os.ReadFile("policy/policies/sample-2026.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(src), "facts:\n", "facts:\n  - {id: national, clause: 试, zh: 证书应可在全国联网查询。, en: The national query has it., fact: nationally_queryable, want: \"yes\"}\n", 1)
		p, err := policy.Parse("sample.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		cfg := e.Config()
		all := append(slices.DeleteFunc(cfg.Policies.Policies(), func(q policy.Policy) bool { return q.ID == p.ID }), p)
		if cfg.Policies, err = policy.NewSet(cfg.Policies.Regions(), all...); err != nil {
			t.Fatal(err)
		}
		if e.Registry, err = registry.New(e.DB, cfg); err != nil {
			t.Fatal(err)
		}
	}
	for name, counts := range map[string]bool{"a policy that asks": false, "a region where it counts": true} {
		e := newClaimEnv(t, registrytest.Options{Rules: nationalRule(t, func(r *uploads.Rules) { r.Counts = counts })})
		if !counts {
			asking(e)
		}
		n := nationalEnv{e.Env, e.issuer}
		c := e.issue(0, "6-31-01-03", standards.Senior)
		q := e.request(0, c.Number)
		q.Facts[policy.NationallyQueryable] = policy.Fact{Value: policy.Yes, Source: "经办人网上查询", At: e.Clock.Now(), Reference: "1"}
		a := e.mustReserve(e.kunshan, q)
		e.mustAnswer(name+", not reported", a, policy.Hold, policy.CertificatePending)
		n.mustStep(n.mustMake(registry.NewNationalUpload{Session: c.Session}), true)
		q.Facts[policy.NationallyQueryable] = policy.Fact{Value: policy.No, Source: "经办人网上查询", At: e.Clock.Now(), Reference: "2"}
		e.mustAnswer(name+", queryable", e.mustReserve(e.kunshan, q), policy.Allow)
	}
	// Issued elsewhere: who registers it may say since when; else the payer says.
	e := newClaimEnv(t)
	asking(e)
	for i, c := range []struct {
		queryable standards.Date
		payer     string
		outcome   policy.Outcome
	}{{"2025-12-01", "", policy.Allow}, {"", "", policy.Hold}, {"", policy.Yes, policy.Allow}, {"", policy.No, policy.Hold}} {
		p := invented.PersonAt(40 + i)
		number := e.issuer.Filing.Number(2025, standards.Senior, 700+i).Format()
		if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: number, Name: p.Name, Document: p.Document, Occupation: "6-31-01-03",
			Level: standards.Senior, Issued: "2025-11-03", InstitutionName: "某机构", Queryable: c.queryable}}); err != nil {
			t.Fatal(err)
		}
		q := e.request(40+i, number)
		if c.payer != "" {
			q.Facts[policy.NationallyQueryable] = policy.Fact{Value: c.payer, Source: "经办人网上查询", At: e.Clock.Now(), Reference: "1"}
		}
		if a := e.mustReserve(e.kunshan, q); a.Outcome != c.outcome {
			t.Errorf("from elsewhere, %+v: %s %v", c, a.Outcome, a.Reasons)
		}
	}
	if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: e.issuer.Filing.Number(2025, standards.Senior, 799).Format(), Name: "张三", Document: invented.PersonAt(60).Document,
		Occupation: "6-31-01-03", Level: standards.Senior, Issued: "2025-11-03", InstitutionName: "某机构", Queryable: "2025-11-02"}}); fail.KindOf(err) != fail.Invalid {
		t.Errorf("queryable before it was issued: %v", err)
	}
}

// Nothing personal of a report, its file or its receipt stands in the store.
func TestReportsKeepNoPersonalData(t *testing.T) {
	env := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt})
	e := nationalEnv{env, env.MustAdmit(1)}
	const people = 40
	issued := e.MustCertificates(e.by, 0, people)
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	for _, format := range []registry.NationalFormat{registry.NationalCSV, registry.NationalXLSX} {
		if _, err := e.NationalFileOf(ctx, e.by.Actor, u.ID, format); err != nil {
			t.Fatal(err)
		}
	}
	var back []uploads.ReturnedRow
	for i := range people / 2 {
		p := invented.PersonAt(i)
		back = append(back, uploads.ReturnedRow{Row: i + 1, Reason: fmt.Sprintf("%s %s 与公安库不符", p.Name, p.Document)})
	}
	u = e.mustStep(u, true, back...)
	raw, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range people {
		mustNotHold(t, raw, invented.PersonAt(i))
	}
	rows, err := e.NationalUploadRows(ctx, e.by.Actor, u.ID)
	if err != nil || !rows[0].Returned || !strings.Contains(rows[0].Reason, invented.PersonAt(0).Document) {
		t.Errorf("who reports sees no reason: %+v, %v", rows[0], err)
	}
	auditor := registry.Actor{Account: "x", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}
	if rows, err = e.NationalUploadRows(ctx, auditor, u.ID); err != nil || !rows[0].Returned || rows[0].Reason != "" {
		t.Errorf("an auditor sees %+v, %v", rows[0], err)
	}
	view, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	mustNotHold(t, view, invented.PersonAt(0))
}

// Many ask for the report of one session at once: each certificate is in one.
func TestOneReportOfMany(t *testing.T) {
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 20)
	var made, refused atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch _, err := e.MakeNationalUpload(ctx, e.by.Actor, registry.NewNationalUpload{Session: issued[0].Session}); fail.CodeOf(err) {
			case "":
				made.Add(1)
			case "nothing_to_report":
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d reports were made, %d refused", made.Load(), refused.Load())
	}
}

// changeFor changes a certificate by the authority.
func (e nationalEnv) changeFor(c registry.Issued, kind registry.ChangeKind) {
	e.T.Helper()
	if _, err := e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: kind, Document: "苏人社〔2026〕3号", Reason: "核查"}); err != nil {
		e.T.Fatal(err)
	}
}

// A change of a certificate is reported after the certificate itself: while its
// file lies unsent, and may be withdrawn, the change waits.
func TestAChangeIsNotReportedBeforeItsCertificate(t *testing.T) {
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 3)
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	e.changeFor(issued[0], registry.ChangeCancel)
	cancels := registry.NewNationalUpload{Institution: e.by.Institution.ID, Type: "cancel"}
	if early, err := e.MakeNationalUpload(ctx, e.by.Actor, cancels); fail.CodeOf(err) != "nothing_to_report" {
		t.Errorf("its cancellation is in a report before it was sent: %+v, %v", early, err)
	}
	if _, err := e.WithdrawNationalUpload(ctx, e.by.Actor, u.ID, reference("重做")); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	if w := e.waiting(); len(w) != 0 {
		t.Errorf("waiting: %v", w)
	}
	// Sent as it was, its cancellation follows.
	u = e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	e.changeFor(issued[1], registry.ChangeCancel)
	if _, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("上报 2")); err != nil {
		t.Fatal(err)
	}
	if c := e.mustMake(cancels); c.Rows != 1 {
		t.Errorf("%+v", c)
	}
}

// What a file has left out waits for that file too: while it lies unsent, and may be
// made anew with all of its rows, no other report takes them.
func TestWhatAReportLeftOutWaitsForIt(t *testing.T) {
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 3)
	e.changeFor(issued[1], registry.ChangeSuspend)
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	e.changeFor(issued[1], registry.ChangeResume)
	rest := registry.NewNationalUpload{Institution: e.by.Institution.ID}
	if early, err := e.MakeNationalUpload(ctx, e.by.Actor, rest); fail.CodeOf(err) != "nothing_to_report" {
		t.Errorf("it is in another report: %+v, %v", early, err)
	}
	if _, err := e.WithdrawNationalUpload(ctx, e.by.Actor, u.ID, reference("重做")); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	e.changeFor(issued[1], registry.ChangeSuspend)
	u = e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	e.changeFor(issued[1], registry.ChangeResume)
	e.mustStep(u, true)
	e.mustStep(e.mustMake(rest), true)
	for _, c := range issued {
		e.wantState(c, credentials.NationalQueryable, credentials.ReasonValid)
	}
}

// What the receipt returned is not to be queried, whatever happens to the
// certificate before the rest of its report can be.
func TestAReturnedCertificateIsNotQueryable(t *testing.T) {
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 2)
	u := e.mustStep(e.mustMake(registry.NewNationalUpload{Session: issued[0].Session}), false, uploads.ReturnedRow{Row: 1, Reason: "照片缺失"})
	e.changeFor(issued[0], registry.ChangeSuspend)
	e.changeFor(issued[0], registry.ChangeResume)
	if _, err := e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, reference("截图 1")); err != nil {
		t.Fatal(err)
	}
	e.wantState(issued[0], credentials.NationalNotReported, credentials.ReasonValid)
	e.wantState(issued[1], credentials.NationalQueryable, credentials.ReasonValid)
	if want := []string{"new " + issued[0].Number}; !slices.Equal(e.waiting(), want) {
		t.Errorf("waiting: %v, want %v", e.waiting(), want)
	}
}

// When the receipts return both a certificate and its change, the national query
// has neither: what is reported next is the certificate as it is, and nothing else.
func TestACertificateAndItsChangeReturned(t *testing.T) {
	env := registrytest.New(t)
	e := nationalEnv{env, env.MustAdmit(1)}
	issued := e.MustCertificates(e.by, 0, 3)
	u := e.mustMake(registry.NewNationalUpload{Session: issued[0].Session})
	if _, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("上报 1")); err != nil {
		t.Fatal(err)
	}
	e.changeFor(issued[0], registry.ChangeCancel)
	c, err := e.ProposeCorrection(ctx, e.by.Actor, issued[1].Number, correctName("欧阳娜娜"))
	if err == nil {
		_, err = e.ApproveCorrection(ctx, colleague(e.by), c.ID, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	var changes []registry.NationalUpload
	for _, typ := range []string{"cancel", "change"} {
		one := e.mustMake(registry.NewNationalUpload{Institution: e.by.Institution.ID, Type: typ})
		if _, err := e.MarkNationalSent(ctx, e.by.Actor, one.ID, reference("上报 "+typ)); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, one)
	}
	back := func(u registry.NationalUpload, rows ...uploads.ReturnedRow) {
		t.Helper()
		if _, err := e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, registry.NewNationalReceipt{NewNationalStep: reference("结果"), Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	back(u, uploads.ReturnedRow{Row: 1, Reason: "姓名有误"}, uploads.ReturnedRow{Row: 2, Reason: "姓名有误"})
	for _, one := range changes {
		back(one, uploads.ReturnedRow{Row: 1, Reason: "查无此证"})
	}
	if want := []string{"new " + issued[1].Number}; !slices.Equal(e.waiting(), want) {
		t.Errorf("waiting: %v, want %v", e.waiting(), want)
	}
	e.mustStep(e.mustMake(registry.NewNationalUpload{Institution: e.by.Institution.ID}), true)
	if w := e.waiting(); len(w) != 0 {
		t.Errorf("waiting at the end: %v", w)
	}
}

// What a receipt returned and what was shown since stand as their report says.
func TestCheckFindsWrongStandings(t *testing.T) {
	for what, break_ := range map[string]func(*uploads.Row){
		"queryable":                 func(r *uploads.Row) { r.State = uploads.Queryable },
		"accepted":                  func(r *uploads.Row) { r.State = uploads.Accepted },
		"followed by another state": func(r *uploads.Row) { r.State = uploads.Sent },
	} {
		env := registrytest.New(t, registrytest.Options{NoCheck: true})
		e := nationalEnv{env, env.MustAdmit(1)}
		issued := e.MustCertificates(e.by, 0, 2)
		e.mustStep(e.mustMake(registry.NewNationalUpload{Session: issued[0].Session}), true, uploads.ReturnedRow{Row: 1, Reason: "照片缺失"})
		e.MustCheck()
		if err := registry.BreakNationalRow(ctx, e.Registry, issued[0].Number, break_); err != nil {
			t.Fatal(err)
		}
		report, err := e.Check(ctx, registry.Operator(), nil)
		if err != nil || report.Found != 1 || !strings.Contains(report.Problems[0], issued[0].Number) {
			t.Errorf("%s: %v, %v", what, report.Problems, err)
		}
	}
}

// Whatever order reports, receipts, withdrawals and changes come in, the books agree
// after each; and when everything is sent and accepted in the end, every valid
// certificate can be queried and nothing waits.
func TestReportsInAnyOrder(t *testing.T) {
	seeds, steps := 6, 40
	if testing.Short() || needed.RaceDetector {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 11))
			env := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(5)})
			e := nationalEnv{env, env.MustAdmit(1)}
			issued := e.MustCertificates(e.by, 0, 6)
			ins := []registry.NewNationalUpload{{Session: issued[0].Session}}
			for _, typ := range []string{"", "change", "cancel"} {
				ins = append(ins, registry.NewNationalUpload{Institution: e.by.Institution.ID, Type: typ})
			}
			all := func() []registry.NationalUpload {
				us, _, err := e.NationalUploads(ctx, e.by.Actor, e.by.Institution.ID, registry.Page{Limit: 500})
				if err != nil {
					t.Fatal(err)
				}
				return us
			}
			may := func(err error) {
				t.Helper()
				if kind := fail.KindOf(err); err != nil && kind != fail.Conflict && kind != fail.Invalid {
					t.Fatal(err)
				}
			}
			kinds := []registry.ChangeKind{registry.ChangeSuspend, registry.ChangeSuspend, registry.ChangeResume, registry.ChangeResume, registry.ChangeResume, registry.ChangeCancel, registry.ChangeVoid}
			for step := range steps {
				c := issued[rnd.IntN(len(issued))]
				var u registry.NationalUpload
				if us := all(); len(us) > 0 {
					u = us[rnd.IntN(len(us))]
				}
				switch rnd.IntN(9) {
				case 0, 1:
					_, err := e.MakeNationalUpload(ctx, e.by.Actor, ins[rnd.IntN(len(ins))])
					may(err)
				case 2:
					_, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("报送"))
					if u.ID != "" {
						may(err)
					}
				case 3:
					_, err := e.WithdrawNationalUpload(ctx, e.by.Actor, u.ID, reference("重做"))
					if u.ID != "" {
						may(err)
					}
				case 4, 5:
					in := registry.NewNationalReceipt{NewNationalStep: reference("回执"), All: true}
					for i := range u.Rows {
						if rnd.IntN(2) == 0 {
							in.All, in.Rows = false, append(in.Rows, uploads.ReturnedRow{Row: i + 1, Reason: "有误"})
						}
					}
					if u.ID != "" {
						_, err := e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, in)
						may(err)
					}
				case 6:
					if u.ID != "" {
						_, err := e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, reference("截图"))
						may(err)
					}
				case 7:
					_, err := e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: kinds[rnd.IntN(len(kinds))], Document: "文1", Reason: "核查"})
					may(err)
				case 8:
					p, err := e.ProposeCorrection(ctx, e.by.Actor, c.Number, correctName(fmt.Sprintf("更名%c", '一'+rune(step))))
					may(err)
					if err == nil {
						_, err = e.ApproveCorrection(ctx, colleague(e.by), p.ID, "")
						may(err)
					}
				}
				e.MustCheck()
			}
			for round := 0; ; round++ {
				made := 0
				for _, u := range all() {
					_, err := e.MarkNationalSent(ctx, e.by.Actor, u.ID, reference("报送"))
					may(err)
					_, err = e.RecordNationalReceipt(ctx, e.by.Actor, u.ID, registry.NewNationalReceipt{NewNationalStep: reference("回执"), All: true})
					may(err)
					_, err = e.ConfirmNationalQueryable(ctx, e.Authority, u.ID, reference("截图"))
					may(err)
				}
				for _, in := range ins {
					_, err := e.MakeNationalUpload(ctx, e.by.Actor, in)
					if may(err); err == nil {
						made++
					}
				}
				if made == 0 {
					break
				}
				if round > 10 {
					t.Fatalf("there is always more to report: %v", e.waiting())
				}
			}
			if w := e.waiting(); len(w) != 0 {
				t.Errorf("waiting at the end: %v", w)
			}
			for _, c := range issued {
				now, err := e.CertificateByNumber(ctx, e.by.Actor, c.Number)
				if err != nil {
					t.Fatal(err)
				}
				if now.Status == registry.CertificateValid && now.National.State != uploads.Queryable {
					t.Errorf("%s is valid and %q in the end", c.Number, now.National.State)
				}
			}
		})
	}
}
