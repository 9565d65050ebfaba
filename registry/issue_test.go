package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
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
