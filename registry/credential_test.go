package registry_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func mustVC(t *testing.T, e *registrytest.Env, h credentials.Handle) string {
	t.Helper()
	compact, err := e.CredentialByHandle(context.Background(), string(h))
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// checkText is the first reason of the verdict on a text.
func checkText(t *testing.T, e *registrytest.Env, text string) credentials.Verdict {
	t.Helper()
	v, err := e.VerdictByToken(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCredentialSaysWhatThePaperShows(t *testing.T) {
	e := registrytest.New(t)
	one := e.MustCertificates(e.MustAdmit(1), 0, 2)[0]
	compact := mustVC(t, e, one.Handle)
	c, key, err := credentials.OpenVC(compact, e.Keys.Public(), e.Clock.Now(), jws.Limits{})
	if err != nil || key.Purpose != jws.VC {
		t.Fatal(key, err)
	}
	want := credentials.Credential{Origin: registrytest.Origin, Handle: one.Handle, OccupationName: one.OccupationName, TradeName: one.TradeName, Institution: one.InstitutionName,
		Claims: credentials.Claims{Number: one.Number, Name: one.Name, DocumentMasked: one.Document, Occupation: one.Occupation, Trade: one.Trade, Level: '3',
			Issued: string(one.Issued), Status: int(one.StatusIndex)}}
	if c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	opened, err := jws.Open(compact, e.Keys.Public(), jws.VC, jws.Limits{Typ: credentials.TypVC, MaxChars: credentials.MaxVC})
	if err != nil {
		t.Fatal(err)
	}
	if full := invented.PersonAt(0).Document; strings.Contains(string(opened.Payload), full) {
		t.Error("the full document number is in it")
	}
	// Made anew each time: another signature, the same content.
	if again := mustVC(t, e, one.Handle); strings.Split(again, ".")[1] != strings.Split(compact, ".")[1] {
		t.Error("the content of two downloads differs")
	}
	v := checkText(t, e, compact)
	if !v.Valid || v.Form != credentials.TypVC || v.KeyID != key.ID || v.Handle != one.Handle || v.Certificate.Name != one.Name || v.LogIndex == nil || v.Receipt == "" {
		t.Errorf("%+v", v)
	}
	doc, err := credentials.Enveloped(compact)
	if err != nil {
		t.Fatal(err)
	}
	if v := checkText(t, e, string(doc)); !v.Valid {
		t.Errorf("enveloped: %+v", v)
	}
}

// What the register would not call good now it does not sign anew; what it signed
// before answers for what has become of it.
func TestCredentialFollowsTheCertificate(t *testing.T) {
	ctx := context.Background()
	for name, x := range map[string]struct {
		do     func(e *registrytest.Env, by registrytest.Issuer, number string) error
		reason credentials.Reason
	}{
		"void": {func(e *registrytest.Env, _ registrytest.Issuer, n string) error {
			_, err := e.ChangeCertificate(ctx, e.Authority, n, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社〔2026〕9号", Reason: "材料不实"})
			return err
		}, credentials.ReasonVoided},
		"cancelled": {func(e *registrytest.Env, _ registrytest.Issuer, n string) error {
			_, err := e.ChangeCertificate(ctx, e.Authority, n, registry.NewChange{Kind: registry.ChangeCancel, Reason: "持证人申请"})
			return err
		}, credentials.ReasonCancelled},
		"suspended": {func(e *registrytest.Env, _ registrytest.Issuer, n string) error {
			_, err := e.ChangeCertificate(ctx, e.Authority, n, registry.NewChange{Kind: registry.ChangeSuspend, Document: "苏人社〔2026〕9号", Reason: "核查"})
			return err
		}, credentials.ReasonSuspended},
		"superseded": {func(e *registrytest.Env, by registrytest.Issuer, n string) error {
			_, err := e.ReissueCertificate(ctx, by.Actor, n, registry.Reissue{Basis: "申请1号", Reason: "遗失"})
			return err
		}, credentials.ReasonSuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			e := registrytest.New(t)
			by := e.MustAdmit(1)
			one := e.MustCertificates(by, 0, 2)[0]
			compact := mustVC(t, e, one.Handle)
			if err := x.do(e, by, one.Number); err != nil {
				t.Fatal(err)
			}
			_, err := e.CredentialByHandle(ctx, string(one.Handle))
			var f *fail.Error
			if fail.CodeOf(err) != "certificate_not_good" || !errors.As(err, &f) || f.Fields[0].Code != string(x.reason) {
				t.Errorf("download: %v", err)
			}
			if v := checkText(t, e, compact); v.Valid || v.First() != x.reason {
				t.Errorf("online: %+v", v)
			}
			// Offline, by the entries in the credential itself.
			trust := credentials.Trust{Keys: e.Keys.Public()}
			for _, p := range credentials.StatusPurposes() {
				signed, err := e.StatusList(ctx, credentials.StatusListName(p, 0))
				if err != nil {
					t.Fatal(err)
				}
				list, err := credentials.OpenStatusList(signed, trust.Keys, e.Clock.Now())
				if err != nil {
					t.Fatal(err)
				}
				trust.StatusLists = append(trust.StatusLists, list)
			}
			if v, err := credentials.VerifyOffline(compact, trust, e.Clock.Now()); err != nil || v.Valid {
				t.Errorf("offline: %+v, %v", v, err)
			}
			if name == "superseded" {
				now, err := e.CertificateByNumber(ctx, by.Actor, one.Number)
				if err != nil {
					t.Fatal(err)
				}
				if v := checkText(t, e, mustVC(t, e, now.Handle)); !v.Valid {
					t.Errorf("the new version: %+v", v)
				}
			}
			if name == "suspended" {
				if _, err := e.ChangeCertificate(ctx, e.Authority, one.Number, registry.NewChange{Kind: registry.ChangeResume, Document: "苏人社〔2026〕10号", Reason: "核查完毕"}); err != nil {
					t.Fatal(err)
				}
				mustVC(t, e, one.Handle)
				if v := checkText(t, e, compact); !v.Valid {
					t.Errorf("after the review: %+v", v)
				}
			}
		})
	}
}

func TestCredentialRefusals(t *testing.T) {
	ctx := context.Background()
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	pair := e.MustCertificates(by, 0, 2)
	for _, handle := range []string{"", "x", "0000000000000", "../../etc"} {
		if _, err := e.CredentialByHandle(ctx, handle); fail.KindOf(err) != fail.NotFound {
			t.Errorf("%q: %v", handle, err)
		}
	}
	compact := mustVC(t, e, pair[0].Handle)
	good, _, err := credentials.OpenVC(compact, e.Keys.Public(), e.Clock.Now(), jws.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	vc, err := e.Keys.Signer(jws.VC)
	if err != nil {
		t.Fatal(err)
	}
	// Signed with our own key, and not what the ledger says: a stolen key.
	for name, x := range map[string]struct {
		edit func(*credentials.Credential)
		want credentials.Reason
	}{
		"name":        {func(c *credentials.Credential) { c.Claims.Name = "张三" }, credentials.ReasonBadSignature},
		"level":       {func(c *credentials.Credential) { c.Claims.Level = '1' }, credentials.ReasonBadSignature},
		"institution": {func(c *credentials.Credential) { c.Institution = "别的机构" }, credentials.ReasonBadSignature},
		"handle":      {func(c *credentials.Credential) { c.Handle = pair[1].Handle }, credentials.ReasonBadSignature},
		"number":      {func(c *credentials.Credential) { c.Claims.Number = c.Claims.Number[:16] + "999999" }, credentials.ReasonUnknownCertificate},
		"place":       {func(c *credentials.Credential) { c.Claims.Status ^= 1 }, credentials.ReasonUnknownCertificate},
		"origin":      {func(c *credentials.Credential) { c.Origin = "https://other.example.org" }, credentials.ReasonWrongRegistry},
	} {
		c := good
		x.edit(&c)
		forged, err := credentials.SignVC(vc, c)
		if err != nil {
			t.Fatal(err)
		}
		if v := checkText(t, e, forged); v.Valid || v.First() != x.want || v.Certificate != nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
	// A text of the right content under another purpose's key.
	payload, err := jws.Open(compact, e.Keys.Public(), jws.VC, jws.Limits{Typ: credentials.TypVC, MaxChars: credentials.MaxVC})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []jws.Purpose{jws.QR, jws.Status, jws.Directory, jws.Decision} {
		other, err := e.Keys.Signer(p)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := other.Sign(payload.Payload, credentials.TypVC)
		if err != nil {
			t.Fatal(err)
		}
		if v := checkText(t, e, forged); v.First() != credentials.ReasonUnknownKey || v.Form != credentials.TypVC || v.Certificate != nil {
			t.Errorf("%s key: %+v", p, v)
		}
	}
	list, err := e.StatusList(ctx, "revocation-0")
	if err != nil {
		t.Fatal(err)
	}
	if v := checkText(t, e, list); v.First() != credentials.ReasonUnknownKey {
		t.Errorf("a status list: %+v", v)
	}
	if _, err := e.VerdictByToken(ctx, string(payload.Payload)); fail.CodeOf(err) != "no_signature" {
		t.Errorf("plain JSON: %v", err)
	}
}

// What the ledger says too stays good; what the thief of a key makes up does not.
func TestCredentialOfADistrustedKey(t *testing.T) {
	e := registrytest.New(t)
	one := e.MustCertificates(e.MustAdmit(1), 0, 2)[0]
	compact := mustVC(t, e, one.Handle)
	signer, err := e.Keys.Signer(jws.VC)
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := credentials.OpenVC(compact, e.Keys.Public(), e.Clock.Now(), jws.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	made.Claims.Name = "冒名者"
	forged, err := credentials.SignVC(signer, made)
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(time.Hour)
	if err := e.Keys.Distrust(signer.KID(), e.Clock.Now(), rand.Reader, e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	v := checkText(t, e, forged)
	if v.Valid || v.First() != credentials.ReasonKeyDistrusted || !strings.Contains(v.Next(credentials.EN), "download the credential anew") || v.Certificate != nil {
		t.Errorf("%+v", v)
	}
	if v := checkText(t, e, compact); !v.Valid {
		t.Errorf("as the ledger has it: %+v", v)
	}
	if v := checkText(t, e, mustVC(t, e, one.Handle)); !v.Valid {
		t.Errorf("downloaded anew: %+v", v)
	}
}
