package registry_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"sync"
	"testing"

	"bajigong/credentials"
	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/picture/bombs"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func jpegOf(t testing.TB, side int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, side, side)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// colleague is another account of the same institution.
func colleague(by registrytest.Issuer) registry.Actor {
	out := by.Actor
	out.Account = "a-second"
	return out
}

var police = []corrections.Proof{{Kind: "police_certificate", Reference: "昆公户证〔2026〕12号"}}

func correctName(name string) registry.NewCorrection {
	return registry.NewCorrection{Name: name, Basis: "更正申请 1", Reason: "姓名录入有误", Proofs: police}
}

func TestCorrectionNeedsASecondAccount(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	old := e.MustCertificates(by, 0, 2)[0]
	in := correctName("欧阳娜娜")
	in.Document, in.Employer, in.Photo = invented.PersonAt(900).Document, "江南造船有限公司", jpegOf(t, 200)
	in.Proofs = append(in.Proofs, corrections.Proof{Kind: "labour_contract", Reference: "HT-1"}, corrections.Proof{Kind: "holder_application", Reference: "申请表 1"})
	c, err := e.ProposeCorrection(ctx, by.Actor, old.Number, in)
	if err != nil || c.State != corrections.Proposed || !slices.Equal(c.Fields, []corrections.Field{corrections.Name, corrections.Document, corrections.Photo, corrections.Employer}) {
		t.Fatalf("%+v, %v", c, err)
	}
	if got, err := e.CertificateByNumber(ctx, by.Actor, old.Number); err != nil || got.Versions != 1 || got.Name != old.Name || len(got.Corrections) != 1 {
		t.Fatalf("a proposal has changed the certificate: %+v, %v", got, err)
	}
	v, err := e.CorrectionByID(ctx, colleague(by), c.ID)
	if err != nil || v.To.Name != "欧阳娜娜" || v.From.Name != old.Name || !strings.Contains(v.To.Document, "*") || v.To.Employer != "江南造船有限公司" || !v.To.Photo || v.From.Photo {
		t.Fatalf("as the approver sees it: %+v %+v, %v", v.To, v.From, err)
	}
	if photo, err := e.CorrectionPhoto(ctx, colleague(by), c.ID); err != nil || !bytes.Equal(photo, in.Photo) {
		t.Errorf("the photo: %d bytes, %v", len(photo), err)
	}
	other := e.MustAdmit(2)
	for name, a := range map[string]struct {
		by             registry.Actor
		document, code string
	}{
		"its proposer":        {by.Actor, in.Document, "second_person"},
		"another institution": {other.Actor, in.Document, "not_allowed"},
		"an auditor":          {registry.Actor{Account: "x", Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region}, in.Document, "not_allowed"},
		"the public":          {registry.Actor{}, in.Document, "key_required"},
		"without the number":  {colleague(by), "", "document"},
		"with another number": {colleague(by), invented.PersonAt(901).Document, "document"},
	} {
		if _, err := e.ApproveCorrection(ctx, a.by, c.ID, a.document); fail.CodeOf(err) != a.code {
			t.Errorf("approved by %s: %v, want %s", name, err, a.code)
		}
	}
	if _, err := e.ProposeCorrection(ctx, by.Actor, old.Number, correctName("欧阳娜")); fail.CodeOf(err) != "correction_open" {
		t.Errorf("a second one: %v", err)
	}
	if c, err = e.ApproveCorrection(ctx, colleague(by), c.ID, in.Document); err != nil || c.State != corrections.Done || c.Version != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	fresh, err := e.CertificateByNumber(ctx, by.Actor, old.Number)
	if err != nil || fresh.Number != old.Number || fresh.Versions != 2 || fresh.Name != "欧阳娜娜" || fresh.Employer != "江南造船有限公司" || !fresh.Photo ||
		fresh.Occupation != old.Occupation || fresh.Level != old.Level || fresh.Issued != old.Issued || fresh.Institution != old.Institution || fresh.Corrections[0].State != corrections.Done {
		t.Fatalf("%+v, %v", fresh, err)
	}
	for qr, want := range map[string]credentials.Reason{old.QR: credentials.ReasonSuperseded, fresh.QR: credentials.ReasonValid} {
		if v, err := e.VerdictByToken(ctx, qr); err != nil || v.First() != want {
			t.Errorf("verdict %v, %v; want %s", v.Reasons, err, want)
		}
	}
	if photo, err := e.CertificatePhoto(ctx, by.Actor, old.Number); err != nil || !bytes.Equal(photo, in.Photo) {
		t.Errorf("the photo of the certificate: %d bytes, %v", len(photo), err)
	}
	if n, err := sealedOf(e, "corrections"); err != nil || n != 0 {
		t.Errorf("%d sealed blocks of the request are left, %v", n, err)
	}
	if _, err := e.CorrectionPhoto(ctx, colleague(by), c.ID); fail.KindOf(err) != fail.NotFound {
		t.Errorf("the photo of the request is still there: %v", err)
	}
	if v, err := e.CorrectionByID(ctx, colleague(by), c.ID); err != nil || v.To != nil || v.From != nil {
		t.Errorf("what it changed is still shown: %+v, %v", v, err)
	}
	if again, err := e.ApproveCorrection(ctx, colleague(by), c.ID, in.Document); err != nil || again.State != corrections.Done || again.Version != 2 {
		t.Errorf("approved again: %+v, %v", again, err)
	}
	// A reissue of the corrected paper keeps employer and photo.
	if fresh, err = e.ReissueCertificate(ctx, by.Actor, old.Number, registry.Reissue{Basis: "补发申请 1", Reason: "遗失"}); err != nil || fresh.Versions != 3 || !fresh.Photo || fresh.Employer == "" {
		t.Errorf("%+v, %v", fresh, err)
	}
	if photo, err := e.CertificatePhoto(ctx, e.Authority, old.Number); err != nil || !bytes.Equal(photo, in.Photo) {
		t.Errorf("the photo after a reissue: %d bytes, %v", len(photo), err)
	}
	event, err := e.Proof(ctx, e.Authority, c.LogIndex)
	if err != nil || !strings.Contains(string(event.Event), c.ID) || strings.Contains(string(event.Event), "欧阳") || strings.Contains(string(event.Event), "造船") || strings.Contains(string(event.Event), in.Document) {
		t.Errorf("its event %s, %v", event.Event, err)
	}
}

// Practice: 姓名、证件、照片、单位 with proof; never occupation, level, date or
// institution.
func TestCorrectionNamesEveryFault(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	got := e.MustCertificates(by, 0, 2)
	for name, c := range map[string]struct {
		change func(*registry.NewCorrection)
		want   string
	}{
		"level":        {func(in *registry.NewCorrection) { in.Other = []string{"level", "issued"} }, "not_correctable: level, issued"},
		"nothing":      {func(in *registry.NewCorrection) { *in = registry.NewCorrection{} }, "correction: reason, basis, name"},
		"no proof":     {func(in *registry.NewCorrection) { in.Proofs = nil }, "correction: proofs"},
		"personal":     {func(in *registry.NewCorrection) { in.Proofs[0].Reference = "证" + invented.PersonAt(3).Document }, "correction: proofs[0].reference"},
		"same name":    {func(in *registry.NewCorrection) { in.Name = got[0].Name }, "correction: name"},
		"no document":  {func(in *registry.NewCorrection) { in.DocumentKind = "passport" }, "correction: document"},
		"bad document": {func(in *registry.NewCorrection) { in.Document = "11010519491231002Y" }, "correction: document"},
		"bad name":     {func(in *registry.NewCorrection) { in.Name = "王\ue000" }, "correction: name"},
		"no JPEG": {func(in *registry.NewCorrection) {
			in.Name, in.Photo = "", []byte("\x89PNG")
			in.Proofs[0].Kind = "holder_application"
		}, "correction: photo"},
		"large photo": {func(in *registry.NewCorrection) {
			in.Name, in.Photo = "", make([]byte, registry.PhotoMaxBytes+1)
			in.Proofs[0].Kind = "holder_application"
		}, "correction: photo"},
		"wide photo": {func(in *registry.NewCorrection) {
			in.Name, in.Photo = "", jpegOf(t, 2001)
			in.Proofs[0].Kind = "holder_application"
		}, "correction: photo"},
		"many scans": {func(in *registry.NewCorrection) {
			in.Name, in.Photo = "", bombs.Progressive(1900, 1900, 1000)
			in.Proofs[0].Kind = "holder_application"
		}, "correction: photo"},
		"half a photo": {func(in *registry.NewCorrection) {
			in.Name, in.Photo = "", jpegOf(t, 200)[:400]
			in.Proofs[0].Kind = "holder_application"
		}, "correction: photo"},
		"long employer": {func(in *registry.NewCorrection) {
			in.Name, in.Employer = "", strings.Repeat("厂", 101)
			in.Proofs[0].Kind = "labour_contract"
		}, "correction: employer"},
	} {
		in := correctName("欧阳娜娜")
		in.Proofs = slices.Clone(police)
		c.change(&in)
		_, err := e.ProposeCorrection(ctx, by.Actor, got[0].Number, in)
		var fields []string
		for _, f := range fail.Of(err).Fields {
			fields = append(fields, f.Name)
		}
		if s := fail.CodeOf(err) + ": " + strings.Join(fields, ", "); s != c.want || fail.KindOf(err) != fail.Invalid || strings.Contains(err.Error(), invented.PersonAt(3).Document) {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
	in := correctName("欧阳娜娜")
	in.Other = []string{"level"}
	if _, err := e.ProposeCorrection(ctx, by.Actor, got[0].Number, in); fail.Of(err).ZH != "职业、等级、发证日期、评价机构不得更正；确有错误的，应撤销或注销后重新发证" {
		t.Errorf("the sentence is %q", fail.Of(err).ZH)
	}
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[1].Number, registry.NewChange{Kind: registry.ChangeSuspend, Document: "x", Reason: "核查"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ProposeCorrection(ctx, by.Actor, got[1].Number, correctName("欧阳娜娜")); fail.CodeOf(err) != "certificate_status" {
		t.Errorf("a suspended one: %v", err)
	}
}

func TestCorrectionIsRejectedOrWithdrawn(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	cert := e.MustCertificates(by, 0, 1)[0]
	propose := func() registry.CorrectionRequest {
		t.Helper()
		c, err := e.ProposeCorrection(ctx, by.Actor, cert.Number, correctName("欧阳娜娜"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := propose()
	if open, _, err := e.Corrections(ctx, e.Authority, by.Institution.ID, registry.Page{}); err != nil || len(open) != 1 || open[0].To.Name != "欧阳娜娜" {
		t.Errorf("open %+v, %v", open, err)
	}
	if _, err := e.RejectCorrection(ctx, by.Actor, c.ID, "证明不足"); fail.CodeOf(err) != "second_person" {
		t.Errorf("rejected by its proposer: %v", err)
	}
	if _, err := e.WithdrawCorrection(ctx, colleague(by), c.ID); fail.CodeOf(err) != "not_allowed" {
		t.Errorf("withdrawn by somebody else: %v", err)
	}
	if _, err := e.RejectCorrection(ctx, colleague(by), c.ID, ""); fail.KindOf(err) != fail.Invalid {
		t.Errorf("rejected without a reason: %v", err)
	}
	if c, err := e.RejectCorrection(ctx, colleague(by), c.ID, "证明不足"); err != nil || c.State != corrections.Rejected {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := e.ApproveCorrection(ctx, colleague(by), c.ID, ""); fail.CodeOf(err) != "correction_state" {
		t.Errorf("approved after it was rejected: %v", err)
	}
	c = propose()
	if c, err := e.WithdrawCorrection(ctx, by.Actor, c.ID); err != nil || c.State != corrections.Withdrawn {
		t.Errorf("%+v, %v", c, err)
	}
	if open, _, err := e.Corrections(ctx, by.Actor, by.Institution.ID, registry.Page{}); err != nil || len(open) != 0 {
		t.Errorf("open %+v, %v", open, err)
	}
	if got, err := e.CertificateByNumber(ctx, by.Actor, cert.Number); err != nil || len(got.Corrections) != 2 || got.Versions != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if n, err := sealedOf(e, "corrections"); err != nil || n != 0 {
		t.Errorf("%d sealed blocks of ended corrections are left, %v", n, err)
	}
}

// sealedOf counts the sealed blocks of a table.
func sealedOf(e *registrytest.Env, table string) (n int, err error) {
	err = e.DB.View(ctx, func(rd kv.Reader) error {
		rng := kv.Prefix(kv.Key(table))
		rng.Limit = kv.MaxScan
		entries, err := rd.Scan("sealed", rng)
		n = len(entries)
		return err
	})
	return n, err
}

// A crash between the consent and the signature loses nothing: a new process
// signs what was approved, once.
func TestCorrectionResumes(t *testing.T) {
	for _, applies := range []int{1, 2} { // commits that are made before the crash: the consent, and the handle of the new version
		var faulty *kvtest.Faulty
		e := registrytest.New(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
			faulty = kvtest.NewFaulty(boltEngine(t, dir))
			return faulty
		}})
		by := e.MustAdmit(1)
		cert := e.MustCertificates(by, 0, 1)[0]
		in := correctName("欧阳娜娜")
		in.Photo, in.Proofs = jpegOf(t, 100), append(in.Proofs, corrections.Proof{Kind: "holder_application", Reference: "申请表 1"})
		c, err := e.ProposeCorrection(ctx, by.Actor, cert.Number, in)
		if err != nil {
			t.Fatal(err)
		}
		faulty.Next(append(slices.Repeat([]kvtest.Fault{kvtest.None}, applies), kvtest.Refused)...)
		if _, err := e.ApproveCorrection(ctx, colleague(by), c.ID, ""); err == nil {
			t.Fatal("nothing was refused")
		}
		if v, err := e.CorrectionByID(ctx, by.Actor, c.ID); err != nil || v.State != corrections.Approved {
			t.Fatalf("after the crash %+v, %v", v.State, err)
		}
		e.MustCheck()
		if _, err := e.WithdrawCorrection(ctx, by.Actor, c.ID); fail.CodeOf(err) != "correction_state" {
			t.Errorf("withdrawn after it was approved: %v", err)
		}
		for range 2 {
			if err := e.ResumeCorrections(ctx); err != nil {
				t.Fatal(err)
			}
		}
		got, err := e.CertificateByNumber(ctx, by.Actor, cert.Number)
		if err != nil || got.Versions != 2 || got.Name != "欧阳娜娜" || got.Corrections[0].State != corrections.Done || got.Corrections[0].Version != 2 || !got.Photo {
			t.Fatalf("resumed %+v, %v", got, err)
		}
	}
}

// Asked for by several at once, it is signed once and everybody is told so.
func TestCorrectionIsSignedOnce(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	cert := e.MustCertificates(by, 0, 1)[0]
	c, err := e.ProposeCorrection(ctx, by.Actor, cert.Number, correctName("欧阳娜娜"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if c, err := e.ApproveCorrection(ctx, colleague(by), c.ID, ""); err != nil || c.State != corrections.Done || c.Version != 2 {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	all.Wait()
}

// What was approved and cannot be signed any more lapses, and says why; a paper
// that was replaced in between is corrected in its newest form.
func TestCorrectionMeetsOtherChanges(t *testing.T) {
	var faulty *kvtest.Faulty
	e := registrytest.New(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
		faulty = kvtest.NewFaulty(boltEngine(t, dir))
		return faulty
	}})
	by := e.MustAdmit(1)
	got := e.MustCertificates(by, 0, 2)
	approveAndCrash := func(cert registry.Issued) registry.CorrectionRequest {
		t.Helper()
		c, err := e.ProposeCorrection(ctx, by.Actor, cert.Number, correctName("欧阳娜娜"))
		if err != nil {
			t.Fatal(err)
		}
		faulty.Next(kvtest.None, kvtest.Refused)
		if _, err := e.ApproveCorrection(ctx, colleague(by), c.ID, ""); err == nil {
			t.Fatal("nothing was refused")
		}
		return c
	}
	c := approveAndCrash(got[0])
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "替考"}); err != nil {
		t.Fatal(err)
	}
	if err := e.ResumeCorrections(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err := e.CorrectionByID(ctx, by.Actor, c.ID); err != nil || v.State != corrections.Lapsed || v.Decision.LapsedZH == "" || v.Version != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	c = approveAndCrash(got[1])
	if _, err := e.ReissueCertificate(ctx, by.Actor, got[1].Number, registry.Reissue{Basis: "补发 1", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	if err := e.ResumeCorrections(ctx); err != nil {
		t.Fatal(err)
	}
	if one, err := e.CertificateByNumber(ctx, by.Actor, got[1].Number); err != nil || one.Versions != 3 || one.Name != "欧阳娜娜" || one.Corrections[0].Version != 3 {
		t.Errorf("%+v, %v", one, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := e.ResumeCorrections(stopped); err == nil {
		t.Error("a process that ends reports nothing")
	}
}

// Where the rules want no second person, a correction is signed when it is asked
// for, and where they know fewer fields, the others are refused.
func TestCorrectionByTheRulesOfTheRegion(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	cert := e.MustCertificates(by, 0, 1)[0]
	cfg := e.Config()
	rules := cfg.Rules.Corrections.All()[0]
	rules.ID, rules.Region, rules.SecondPerson, rules.Fields = "lenient", "320500", false, rules.Fields[:2]
	var err error
	if cfg.Rules.Corrections, err = cfg.Rules.Corrections.With(rules); err != nil {
		t.Fatal(err)
	}
	if e.Registry, err = registry.New(e.DB, cfg); err != nil {
		t.Fatal(err)
	}
	if c, err := e.ProposeCorrection(ctx, by.Actor, cert.Number, correctName("欧阳娜娜")); err != nil || c.State != corrections.Done || c.Version != 2 || c.Rules != "lenient" {
		t.Errorf("%+v, %v", c, err)
	}
	in := registry.NewCorrection{Employer: "某厂", Basis: "x", Reason: "x", Proofs: []corrections.Proof{{Kind: "labour_contract", Reference: "HT-1"}}}
	if _, err := e.ProposeCorrection(ctx, by.Actor, cert.Number, in); fail.CodeOf(err) != "correction" || fail.Of(err).Fields[0].Code != "not_correctable" {
		t.Errorf("an employer: %v", err)
	}
}
