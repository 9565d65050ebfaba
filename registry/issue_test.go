package registry_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

var ctx = context.Background()

func TestFromAdmissionToVerdict(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	got := e.MustCertificates(by, 0, 1200) // three pages
	if len(got) != 1200 {
		t.Fatalf("issued %d certificates, want 1200", len(got))
	}
	first := got[0]
	if first.Number != "S000032058301263000001" {
		t.Errorf("first number is %s", first.Number)
	}
	v, err := e.VerdictByHandle(ctx, string(first.Handle))
	if err != nil || !v.Valid || v.First() != credentials.ReasonValid || v.Certificate.Name != first.Name {
		t.Fatalf("verdict by handle: %+v, %v", v, err)
	}
	if v, err = e.VerdictByToken(ctx, first.QR); err != nil || v.First() != credentials.ReasonValid {
		t.Fatalf("verdict by token: %+v, %v", v, err)
	}
	if v, err = e.VerdictByHandle(ctx, "0000000000000"); err != nil || v.First() != credentials.ReasonUnknownCertificate {
		t.Fatalf("verdict on nothing: %+v, %v", v, err)
	}
	again, err := e.Issue(ctx, by.Actor, first.Session, nil)
	if err != nil || again.Total != 1200 || again.State != registry.BatchPublished {
		t.Fatalf("issued again: %+v, %v", again, err)
	}
}

func TestIssueFollowsPublicity(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 3))
	e.Clock.Set(s.Publicity.Until.Time().Add(20 * time.Hour))
	if _, err := e.Issue(ctx, by.Actor, s.ID, nil); fail.CodeOf(err) != "publicity_running" {
		t.Fatalf("issue on the last day of publicity: %v", err)
	}
	if _, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(registrytest.CSV(0, 4))}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(24 * time.Hour)
	if _, err := e.Issue(ctx, by.Actor, s.ID, nil); fail.CodeOf(err) != "not_publicised" {
		t.Fatalf("issue after the results were replaced: %v", err)
	}
}

// A batch of a few is issued in two commits: one begins and allocates it, one stores
// and publishes it. What stands between them nobody can see.
func TestSmallBatchesTakeTwoCommits(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	for rows, want := range map[int][]registry.BatchState{
		10: {registry.BatchPublished},
		11: {registry.BatchSigning, registry.BatchSigned, registry.BatchPublished},
	} {
		s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(100*rows, 101*rows))
		var seen []registry.BatchState
		b, err := e.Issue(ctx, by.Actor, s.ID, func(b registry.Batch) { seen = append(seen, b.State) })
		if err != nil || b.Total != rows || !slices.Equal(seen, want) {
			t.Errorf("%d rows: %v, %+v, %v", rows, seen, b, err)
		}
	}
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 3))
	if b, err := e.StartBatchOnly(ctx, by.Actor, s.ID); err != nil || b.State != registry.BatchSigning || b.Allocated != 3 {
		t.Fatalf("%+v, %v", b, err)
	}
	mustDecide(t, e, by, evaluators.Suspend)
	if b, err := e.Issue(ctx, by.Actor, s.ID, nil); fail.CodeOf(err) != "batch_aborted" || b.State != registry.BatchAborted || b.Signed != 3 {
		t.Errorf("suspended between the two: %+v, %v", b, err)
	}
}

func TestSuspensionBetweenPagesAbortsTheBatch(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 600))
	b, err := e.Issue(ctx, by.Actor, s.ID, func(b registry.Batch) {
		if b.State == registry.BatchSigned {
			mustDecide(t, e, by, evaluators.Suspend)
		}
	})
	if fail.CodeOf(err) != "batch_aborted" || b.State != registry.BatchAborted {
		t.Fatalf("got %+v, %v", b, err)
	}
	if s, err = e.SessionByID(ctx, by.Actor, s.ID); err != nil || s.State != registry.SessionPublicity {
		t.Fatalf("session is %s, %v", s.State, err)
	}
	if _, err = e.Issue(ctx, by.Actor, s.ID, nil); fail.CodeOf(err) != "not_entitled" {
		t.Fatalf("issue while suspended: %v", err)
	}
	mustDecide(t, e, by, evaluators.Resume)
	got := e.MustIssue(by, s.ID)
	if len(got) != 600 || got[0].Number != "S000032058301263000601" {
		t.Fatalf("after resuming: %d certificates, the first %s; burnt numbers must stay burnt", len(got), got[0].Number)
	}
}

func mustDecide(t *testing.T, e *registrytest.Env, by registrytest.Issuer, kind evaluators.Kind) {
	t.Helper()
	_, err := e.RecordDecision(ctx, e.Authority, evaluators.Decision{Target: evaluators.Target{Institution: by.Institution.ID}, Kind: kind,
		Effective: standards.DateOf(e.Clock.Now()), Document: "苏人社决〔2026〕1号", Basis: "《技能人才评价质量督导规程》", Reason: "核查"})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVoidingShowsAtOnce(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	c := e.MustCertificates(by, 0, 2)[0]
	steps := []struct {
		kind registry.ChangeKind
		want credentials.Reason
	}{
		{registry.ChangeSuspend, credentials.ReasonSuspended},
		{registry.ChangeResume, credentials.ReasonValid},
		{registry.ChangeCancel, credentials.ReasonCancelled},
		{registry.ChangeVoid, credentials.ReasonVoided},
	}
	for _, s := range steps {
		if _, err := e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: s.kind, Document: "苏人社撤〔2026〕2号", Reason: "替考"}); err != nil {
			t.Fatal(err)
		}
		v, err := e.VerdictByHandle(ctx, string(c.Handle))
		if err != nil || v.First() != s.want {
			t.Fatalf("after %s the verdict is %v, %v", s.kind, v.Reasons, err)
		}
	}
	if _, err := e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: registry.ChangeResume, Document: "x", Reason: "x"}); fail.CodeOf(err) != "certificate_status" {
		t.Fatalf("a voided certificate was resumed: %v", err)
	}
	var fe *fail.Error
	_, err := e.ChangeCertificate(ctx, by.Actor, c.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "x"})
	if !errors.As(err, &fe) || fe.Kind != fail.Forbidden {
		t.Fatalf("an institution voided a certificate: %v", err)
	}
}

func TestGrantedRangeIsAskedBeforeIssuing(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	in := by.Filing
	in.ID, in.Site = "", "058399"
	in.Ranges = []evaluators.SerialRange{{Year: 2026, Level: standards.Senior, First: 11, Last: 13}}
	f, err := e.RecordFiling(ctx, e.Authority, in)
	if err != nil {
		t.Fatal(err)
	}
	by.Filing = f
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 4))
	if _, err := e.Issue(ctx, by.Actor, s.ID, nil); fail.CodeOf(err) != "serials_exhausted" {
		t.Fatalf("4 certificates from a range of 3: %v", err)
	}
	got := e.MustCertificates(by, 10, 13)
	if got[0].Number != f.Number(2026, standards.Senior, 11).Format() || got[2].Number != f.Number(2026, standards.Senior, 13).Format() {
		t.Fatalf("numbers %s to %s", got[0].Number, got[2].Number)
	}
}

// A province that numbers itself hands the numbers in with the results.
func TestSuppliedNumbers(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	s := e.MustPlan(by)
	line := func(person int, number string) string {
		rows := strings.Split(registrytest.CSV(person, person+1), "\n")
		return rows[1] + "," + number + "\n"
	}
	number := func(serial int) string { return by.Filing.Number(2026, standards.Senior, serial).Format() }
	csv := "姓名,证件类型,证件号码,理论成绩,技能成绩,证书编号\n" + line(0, number(2)) + line(1, "") + line(2, "")
	got := e.MustIssue(by, e.MustPublicise(by, s, csv).ID)
	if len(got) != 3 || got[0].Number != number(2) || got[1].Number != number(1) || got[2].Number != number(3) {
		t.Fatalf("numbers %v", got)
	}
	s = e.MustPlan(by)
	e.Clock.Set(s.ExamDate.Time().Add(18 * time.Hour))
	csv = "姓名,证件类型,证件号码,理论成绩,技能成绩,证书编号\n" + line(5, number(2)) + line(6, number(9)) + line(7, number(9)) + line(8, "S000032058302263000001")
	_, err := e.UploadResults(ctx, by.Actor, s.ID, registry.Upload{File: strings.NewReader(csv)})
	if f := fail.Of(err); len(f.Fields) != 3 {
		t.Fatalf("taken, double and another institution's numbers: %+v", f.Fields)
	}
}

func TestReissueSupersedesTheOldPaper(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	got := e.MustCertificates(by, 0, 3)
	old, other := got[0], invented.PersonAt(2)
	proofs := []corrections.Proof{{Kind: "police_certificate", Reference: "昆公户证〔2026〕12号"}}
	if _, err := e.ProposeCorrection(ctx, by.Actor, old.Number, registry.NewCorrection{Document: other.Document, Basis: "更正申请 1", Reason: "证件号码录入有误", Proofs: proofs}); fail.CodeOf(err) != "document_of_another" {
		t.Fatalf("a document of another person: %v", err)
	}
	asked, err := e.ProposeCorrection(ctx, by.Actor, old.Number, registry.NewCorrection{Name: "欧阳娜娜", Document: invented.PersonAt(900).Document, Basis: "更正申请 2", Reason: "姓名更正", Proofs: proofs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.ApproveCorrection(ctx, e.Authority, asked.ID, invented.PersonAt(900).Document); err != nil {
		t.Fatal(err)
	}
	fresh, err := e.CertificateByNumber(ctx, by.Actor, old.Number)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.Number != old.Number || fresh.Handle == old.Handle || fresh.StatusIndex == old.StatusIndex || fresh.Name != "欧阳娜娜" || fresh.Versions != 2 {
		t.Fatalf("the new version is %+v", fresh)
	}
	for qr, want := range map[string]credentials.Reason{old.QR: credentials.ReasonSuperseded, fresh.QR: credentials.ReasonValid} {
		if v, err := e.VerdictByToken(ctx, qr); err != nil || v.First() != want {
			t.Errorf("verdict %v, %v; want %s", v.Reasons, err, want)
		}
	}
	if _, err := e.PublishStatusLists(ctx); err != nil {
		t.Fatal(err)
	}
	list, err := e.StatusList(ctx, "revocation-0")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := credentials.OpenStatusList(list, e.Keys.Public(), e.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range map[uint64]bool{old.StatusIndex: true, fresh.StatusIndex: false, got[1].StatusIndex: false} {
		if bit, err := opened.Get(int(index)); err != nil || bit != want {
			t.Errorf("status bit %d is %t, %v", index, bit, err)
		}
	}
	// The person is found by the corrected document now, and by the old one.
	if v, err := e.Lookup(ctx, registry.LookupQuery{Number: old.Number, Name: "欧阳娜娜"}); err != nil || !v.Valid {
		t.Errorf("look-up by the corrected name: %v %v", v.Reasons, err)
	}
}

// What is public and logged has no place for an identity number.
func TestReasonsHoldNoIdentityNumber(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	c := e.MustCertificates(by, 0, 1)[0]
	reason := "冒用" + invented.PersonAt(7).Document + "身份"
	personal := func(what string, err error) {
		t.Helper()
		f := fail.Of(err)
		if f == nil || f.Kind != fail.Invalid || len(f.Fields) == 0 || f.Fields[0].Code != "personal" || strings.Contains(f.Error(), invented.PersonAt(7).Document) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := e.ChangeCertificate(ctx, e.Authority, c.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: reason})
	personal("void", err)
	_, err = e.ReissueCertificate(ctx, by.Actor, c.Number, registry.Reissue{Basis: "x", Reason: reason})
	personal("reissue", err)
	_, err = e.RecordDecision(ctx, e.Authority, evaluators.Decision{Target: evaluators.Target{Institution: by.Institution.ID}, Kind: evaluators.Suspend,
		Effective: standards.DateOf(e.Clock.Now()), Document: "x", Basis: "x", Reason: reason})
	personal("decision", err)
	_, err = e.PlanSession(ctx, by.Actor, registry.NewSession{Name: reason, Filing: by.Filing.ID, Occupation: "6-31-01-03", Level: standards.Senior,
		ExamDate: standards.DateOf(e.Clock.Now()).AddDays(2)})
	personal("session", err)
	_, err = e.AbortBatch(ctx, by.Actor, c.Session, reason)
	personal("abort", err)
}
