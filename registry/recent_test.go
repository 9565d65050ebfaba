package registry_test

import (
	"crypto/rand"
	"fmt"
	"reflect"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/evaluators"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/registry/uploads"
)

// TestVerdictsAreNotRememberedTooLong asks one process that remembers verdicts
// and one that has just started, before and after everything that can change one.
func TestVerdictsAreNotRememberedTooLong(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 4)
	var upload registry.NationalUpload
	report := func(fn func() (registry.NationalUpload, error)) func() error {
		return func() (err error) {
			upload, err = fn()
			return err
		}
	}
	change := func(kind registry.ChangeKind, i int) func() error {
		return func() error {
			_, err := e.ChangeCertificate(bg, e.Authority, issued[i].Number, registry.NewChange{Kind: kind, Document: "文1", Reason: "核查"})
			return err
		}
	}
	decide := func(kind evaluators.Kind) func() error {
		return func() error {
			_, err := e.RecordDecision(bg, e.Authority, evaluators.Decision{Target: evaluators.Target{Institution: by.Institution.ID}, Kind: kind,
				Effective: today(e), Document: "文2", Basis: "依据", Reason: "核查"})
			return err
		}
	}
	signer, err := e.Keys.Signer(jws.QR)
	must(t, err)
	old := signer.KID()
	scanned, err := credentials.ParseAny(issued[3].QR)
	must(t, err)
	claims, _, err := credentials.OpenToken(scanned.Token, e.Keys.Public(), time.Time{})
	must(t, err)
	claims.Name = "冒名者"
	forged, err := credentials.SignToken(signer, claims)
	must(t, err)
	steps := []struct {
		name string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"reported", report(func() (registry.NationalUpload, error) {
			return e.MakeNationalUpload(bg, by.Actor, registry.NewNationalUpload{Session: issued[0].Session})
		})},
		{"sent", report(func() (registry.NationalUpload, error) {
			return e.MarkNationalSent(bg, by.Actor, upload.ID, reference("上报 1"))
		})},
		{"one returned", report(func() (registry.NationalUpload, error) {
			return e.RecordNationalReceipt(bg, by.Actor, upload.ID, registry.NewNationalReceipt{NewNationalStep: reference("回执 1"),
				Rows: []uploads.ReturnedRow{{Row: 2, Reason: "姓名有误"}}})
		})},
		{"queryable", report(func() (registry.NationalUpload, error) {
			return e.ConfirmNationalQueryable(bg, e.Authority, upload.ID, reference("截图 1"))
		})},
		{"the returned one reported again", report(func() (registry.NationalUpload, error) {
			return e.MakeNationalUpload(bg, by.Actor, registry.NewNationalUpload{Institution: by.Institution.ID})
		})},
		{"and sent", report(func() (registry.NationalUpload, error) {
			return e.MarkNationalSent(bg, by.Actor, upload.ID, reference("上报 2"))
		})},
		{"suspend", change(registry.ChangeSuspend, 0)},
		{"resume", change(registry.ChangeResume, 0)},
		{"cancel", change(registry.ChangeCancel, 0)},
		{"void", change(registry.ChangeVoid, 0)},
		{"reissue", func() error {
			_, err := e.ReissueCertificate(bg, by.Actor, issued[1].Number, registry.Reissue{Basis: "申请1", Reason: "遗失"})
			return err
		}},
		{"institution suspended", decide(evaluators.Suspend)},
		{"institution resumed", decide(evaluators.Resume)},
		{"a new name", func() error {
			_, err := e.RenameInstitution(bg, e.Authority, by.Institution.ID, evaluators.NameChange{Name: "新名称培训中心", From: today(e), Document: "文3"})
			return err
		}},
		{"a day", func() error { e.Clock.Add(24 * time.Hour); return nil }},
		{"keys rotated", func() error { _, err := e.Keys.RotateEarly(jws.QR, rand.Reader, e.Clock.Now()); return err }},
		{"key distrusted", func() error {
			return e.Keys.Distrust(old, e.Clock.Now().Add(-1000*time.Hour), rand.Reader, e.Clock.Now())
		}},
		{"signed anew", func() error { _, err := e.ResignByKey(bg, registry.Operator(), old, nil); return err }},
		{"institution gone", decide(evaluators.ExitVoluntary)},
		{"twenty years", func() error { e.Clock.Add(20 * 365 * 24 * time.Hour); return nil }},
	}
	seen := map[string]bool{}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		fresh, err := registry.New(e.DB, e.Config())
		must(t, err)
		for i, c := range issued {
			for range 2 {
				for name, ask := range map[string]func(r *registry.Registry) (credentials.Verdict, error){
					"token": func(r *registry.Registry) (credentials.Verdict, error) { return r.VerdictByToken(bg, c.QR) },
					"handle": func(r *registry.Registry) (credentials.Verdict, error) {
						return r.VerdictByHandle(bg, string(c.Handle))
					},
					"forgery": func(r *registry.Registry) (credentials.Verdict, error) { return r.VerdictByToken(bg, string(forged)) },
					"look-up": func(r *registry.Registry) (credentials.Verdict, error) {
						return r.Lookup(bg, registry.LookupQuery{Number: c.Number, Name: c.Name})
					},
				} {
					got, err := ask(e.Registry)
					must(t, err)
					want, err := ask(fresh)
					must(t, err)
					if !reflect.DeepEqual(got, want) {
						t.Errorf("after %q, certificate %d by %s:\n%+v\nwant\n%+v", s.name, i, name, got, want)
					}
					seen[fmt.Sprint(got.Reasons, got.Institution, got.National)] = true
				}
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %d different answers: the steps change too little", len(seen))
	}
}
