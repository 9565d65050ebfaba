package registry_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func TestPaperOfHasAllThatThePaperShowsAndLogsThePrint(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 2)
	one := issued[0]
	photo := jpegOf(t, 120)
	c, err := e.ProposeCorrection(ctx, by.Actor, one.Number, registry.NewCorrection{Photo: photo, Basis: "更正申请 2", Reason: "照片有误",
		Proofs: []corrections.Proof{{Kind: "holder_application", Reference: "申请表 2"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.ApproveCorrection(ctx, by.Colleague(), c.ID, invented.PersonAt(0).Document); err != nil {
		t.Fatal(err)
	}
	got, err := e.PaperOf(ctx, by.Actor, one.Number, registry.PrintReissue)
	if err != nil || got.Version != 2 || got.Name != one.Name || got.Document.Number != invented.PersonAt(0).Document || !bytes.Equal(got.Photo, photo) || got.Trade == "" || got.QR == one.QR ||
		!strings.Contains(got.QR, string(got.Handle)) || got.Number != one.Number {
		t.Fatalf("%+v, %v", got, err)
	}
	if face := got.Certificate(); face.Level != "三级/高级工" || face.DocumentKind != "居民身份证" || face.DocumentNumber != got.Document.Number || strings.Contains(got.QR, got.Document.Number) {
		t.Errorf("%+v", face)
	}
	// The event names who, which, what for, and nobody's data.
	events := printEvents(t, e)
	if len(events) != 1 || !strings.Contains(events[0], `"purpose":"reissue"`) || !strings.Contains(events[0], one.Number) || strings.Contains(events[0], got.Name) || strings.Contains(events[0], got.Document.Number) {
		t.Errorf("events %q", events)
	}
}

// printEvents are the logged prints as the authority sees them.
func printEvents(t *testing.T, e *registrytest.Env) (out []string) {
	t.Helper()
	for index := uint64(0); ; index++ {
		p, err := e.Proof(ctx, e.Authority, index)
		if err != nil {
			return out
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(p.Event); strings.Contains(text, "certificate_printed") {
			out = append(out, text)
		} else if strings.Contains(string(b), "certificate_printed") {
			out = append(out, string(b))
		}
	}
}

func TestOnlyWhatStandsIsPrintedAndOnlyByItsOwn(t *testing.T) {
	e := registrytest.New(t)
	by, other := e.MustAdmit(1), e.MustAdmit(2)
	issued := e.MustCertificates(by, 0, 3)
	number := issued[0].Number
	for name, a := range map[string]struct {
		by   registry.Actor
		code string
	}{
		"another institution": {other.Actor, "not_allowed"},
		"an auditor":          {registry.Actor{Account: "x", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}, "not_allowed"},
		"another authority":   {registry.Actor{Account: "y", Roles: []registry.Role{registry.RoleAuthority}, Region: "330100"}, "not_allowed"},
		"the operator":        {registry.Operator(), "not_allowed"},
		"the public":          {registry.Actor{}, "key_required"},
	} {
		if _, err := e.PaperOf(ctx, a.by, number, registry.PrintIssue); fail.CodeOf(err) != a.code {
			t.Errorf("%s: %v, want %s", name, err, a.code)
		}
		if _, _, _, err := e.PapersOfSession(ctx, a.by, issued[0].Session, 1, registry.PrintIssue); fail.CodeOf(err) != a.code {
			t.Errorf("%s, a session: %v, want %s", name, err, a.code)
		}
	}
	if _, err := e.PaperOf(ctx, e.Authority, number, registry.PrintArchive); err != nil {
		t.Errorf("the authority: %v", err)
	}
	if _, err := e.PaperOf(ctx, by.Actor, number, "fun"); fail.CodeOf(err) != "purpose" {
		t.Errorf("no purpose: %v", err)
	}
	if _, err := e.ChangeCertificate(ctx, e.Authority, number, registry.NewChange{Kind: registry.ChangeSuspend, Document: "文 1", Reason: "核查"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.PaperOf(ctx, by.Actor, number, registry.PrintIssue); fail.CodeOf(err) != "certificate_status" {
		t.Errorf("a suspended one: %v", err)
	}
	if _, err := e.PapersOf(ctx, by.Actor, []string{issued[1].Number, number}, registry.PrintIssue); fail.CodeOf(err) != "certificate_status" {
		t.Errorf("with a suspended one: %v", err)
	}
	before := len(printEvents(t, e))
	papers, skipped, more, err := e.PapersOfSession(ctx, by.Actor, issued[0].Session, 1, registry.PrintIssue)
	if err != nil || len(papers) != 2 || skipped != 1 || more || papers[0].Number != issued[1].Number {
		t.Errorf("%d, %d skipped, more %t, %v", len(papers), skipped, more, err)
	}
	if got := len(printEvents(t, e)) - before; got != 2 {
		t.Errorf("%d events of 2 prints", got)
	}
	if _, _, _, err := e.PapersOfSession(ctx, by.Actor, issued[0].Session, 2, registry.PrintIssue); fail.KindOf(err) != fail.NotFound {
		t.Errorf("a part behind the last: %v", err)
	}
}
