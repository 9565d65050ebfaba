package web

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/jpeg"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators/corrections"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestMassChangeOverHTTP: proposed by one account, looked at and approved by
// another, carried out, undone.
func TestMassChangeOverHTTP(t *testing.T) {
	s := newSite(t)
	s.account("authority2", registry.NewAccount{Name: "authority2", Roles: []registry.Role{registry.RoleAuthority}, Region: registrytest.Region})
	issued := s.MustCertificates(s.issuer, 0, 3)
	s.Clock.Add(time.Hour)
	const at = "/api/v1/mass-changes"
	in := registry.NewMassChange{Kind: registry.ChangeVoid, Scope: registry.MassScope{Session: issued[0].Session}, Document: "苏人社撤〔2026〕8号", Reason: "放松考核"}
	s.do("institution", "POST", at, in).problem(403, "not_allowed")
	s.do("authority", "POST", at, registry.NewMassChange{}).problem(400, "mass_change")
	s.do("authority", "POST", at, map[string]any{"kind": "void", "numbers": []string{"x"}}).problem(400, "field_unknown")
	m := into[massView](s.do("authority", "POST", at, in, "Idempotency-Key", "m1").want(201))
	again := into[massView](s.do("authority", "POST", at, in, "Idempotency-Key", "m1").want(201))
	if m.ID != again.ID || m.State != registry.MassProposed || m.Preview.Affected != 3 {
		t.Fatalf("%+v %+v", m, again)
	}
	one := at + "/" + m.ID
	if l := into[list[massView]](s.get("authority2", at).want(200)); len(l.Items) != 1 {
		t.Errorf("waiting %+v", l)
	}
	s.get("institution", one).problem(403, "not_allowed")
	s.get("payer", one).problem(403, "not_allowed")
	s.get("auditor", one).want(200)
	seen := into[massView](s.get("authority2", one).want(200))
	if seen.Present == nil || seen.Present.Hash != m.Preview.Hash {
		t.Fatalf("present %+v", seen.Present)
	}
	s.do("authority", "POST", one+"/approval", massConsent{seen.Present.Hash}).problem(403, "second_person")
	s.do("authority2", "POST", one+"/approval", massConsent{"x"}).problem(409, "mass_preview_changed")
	s.do("auditor", "POST", one+"/approval", massConsent{seen.Present.Hash}).problem(403, "not_allowed")
	reply := s.do("authority2", "POST", one+"/approval", massConsent{seen.Present.Hash})
	if done := into[massView](reply.want(200)); done.State != registry.MassDone || done.Changed != 3 || bytes.Contains(reply.Body, []byte("cursor")) {
		t.Fatalf("%s", reply.Body)
	}
	s.do("authority2", "POST", one+"/approval", massConsent{seen.Present.Hash}).want(200)
	if v := into[credentials.Verdict](s.do("", "POST", "/api/v1/verify", verifyRequest{issued[1].QR}).want(200)); v.First() != credentials.ReasonVoided {
		t.Errorf("verdict %v", v.Reasons)
	}
	if got := into[issuedView](s.get("institution", "/api/v1/certificates/"+issued[0].Number).want(200)); len(got.Changes) != 1 || got.Changes[0].Mass != m.ID {
		t.Errorf("changes %+v", got.Changes)
	}
	s.do("authority", "POST", one+"/closing", massReason{}).problem(409, "mass_state")
	s.do("authority", "POST", one+"/undoing", massReason{}).problem(400, "mass_change")
	if back := into[massView](s.do("authority", "POST", one+"/undoing", massReason{"范围有误"}).want(200)); back.State != registry.MassUndone || back.Undo.Restored != 3 {
		t.Errorf("%+v", back)
	}
	if v := into[credentials.Verdict](s.do("", "POST", "/api/v1/verify", verifyRequest{issued[1].QR}).want(200)); !v.Valid {
		t.Errorf("verdict after the undo %v", v.Reasons)
	}
	s.get("authority", at+"/m-none").problem(404, "not_found")
	if l := into[list[massView]](s.get("authority", at+"?institution="+s.issuer.Institution.ID).want(200)); len(l.Items) != 1 {
		t.Errorf("of the institution %+v", l)
	}
	m = into[massView](s.do("authority", "POST", at, in).want(201))
	if m := into[massView](s.do("authority", "POST", at+"/"+m.ID+"/closing", massReason{}).want(200)); m.State != registry.MassWithdrawn {
		t.Errorf("%+v", m)
	}
}

func TestCorrectionOverHTTP(t *testing.T) {
	s := newSite(t)
	s.account("colleague", registry.NewAccount{Name: "colleague", Roles: []registry.Role{registry.RoleInstitution}, Region: "320583", Organisation: s.issuer.Institution.ID})
	number := s.MustCertificates(s.issuer, 0, 1)[0].Number
	at := "/api/v1/certificates/" + number
	for _, member := range []string{`"level":"technician"`, `"occupation":"4-10-01-05"`, `"issued":"2026-01-01"`, `"institution":"i-2"`, `"institution_name":{"a":[1]}`, `"number":7`} {
		p := s.do("institution", "POST", at+"/correction", `{"name":"王改名","basis":"申请1","reason":"更名","proofs":[],`+member+`}`, "Content-Type", "application/json").problem(400, "not_correctable")
		if p.DetailZH != "职业、等级、发证日期、评价机构不得更正；确有错误的，应撤销或注销后重新发证" || len(p.Fields) != 1 || !strings.HasPrefix(member, `"`+p.Fields[0].Name+`"`) {
			t.Errorf("%s: %+v", member, p)
		}
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 300, 400)), nil); err != nil {
		t.Fatal(err)
	}
	in := newCorrection{Photo: base64.StdEncoding.EncodeToString(photo.Bytes()), Basis: "申请1", Reason: "照片有误", Proofs: []corrections.Proof{{Kind: "holder_application", Reference: "申请表"}}}
	bad := in
	bad.Photo = "###"
	s.do("institution", "POST", at+"/correction", bad).problem(400, "correction")
	bad.Photo = strings.Repeat("A", photoText+4)
	s.do("institution", "POST", at+"/correction", bad).problem(400, "text_form")
	s.get("institution", at+"/photo").problem(404, "not_found")
	asked := into[registry.CorrectionRequest](s.do("institution", "POST", at+"/correction", in, "Idempotency-Key", "c1").want(201))
	if again := into[registry.CorrectionRequest](s.do("institution", "POST", at+"/correction", in, "Idempotency-Key", "c1").want(201)); again.ID != asked.ID {
		t.Errorf("asked twice: %+v", again)
	}
	one := "/api/v1/corrections/" + asked.ID
	if l := into[list[registry.CorrectionView]](s.get("colleague", "/api/v1/corrections").want(200)); len(l.Items) != 1 || !l.Items[0].To.Photo {
		t.Errorf("open %+v", l)
	}
	s.get("authority", "/api/v1/corrections").problem(400, "institution")
	s.get("authority", "/api/v1/corrections?institution="+s.issuer.Institution.ID).want(200)
	s.get("payer", one).problem(403, "not_allowed")
	if r := s.get("colleague", one+"/photo").want(200); !bytes.Equal(r.Body, photo.Bytes()) || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("photo of %d bytes, %v", len(r.Body), r.Header)
	}
	s.do("institution", "POST", one+"/approval", correctionConsent{}).problem(403, "second_person")
	s.do("institution", "POST", one+"/rejection", correctionReason{"x"}).problem(403, "second_person")
	s.do("colleague", "POST", one+"/withdrawal", nil).problem(403, "not_allowed")
	if done := into[registry.CorrectionRequest](s.do("colleague", "POST", one+"/approval", correctionConsent{}).want(200)); done.State != corrections.Done || done.Version != 2 {
		t.Errorf("%+v", done)
	}
	s.do("colleague", "POST", one+"/rejection", correctionReason{"x"}).problem(409, "correction_state")
	if r := s.get("authority", at+"/photo").want(200); !bytes.Equal(r.Body, photo.Bytes()) {
		t.Error("another photo")
	}
	if got := into[issuedView](s.get("institution", at).want(200)); !got.Photo || len(got.Corrections) != 1 || got.Corrections[0].State != corrections.Done {
		t.Errorf("%+v", got)
	}
	if strings.Contains(s.log.String(), "王改名") {
		t.Error("a name is in the log")
	}
}

// What the new addresses answer is what the document says.
func TestDocumentTellsTheTruthOfChanges(t *testing.T) {
	s := newSite(t)
	doc := s.document()
	second := s.Authority
	second.Account = "a-second"
	ctx := t.Context()
	issued := s.MustCertificates(s.issuer, 0, 3)
	s.Clock.Add(time.Hour)
	asked, err := s.ProposeCorrection(ctx, s.issuer.Actor, issued[2].Number, registry.NewCorrection{Name: "王改名", Basis: "x", Reason: "x",
		Proofs: []corrections.Proof{{Kind: "police_certificate", Reference: "证 1"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.ProposeMassChange(ctx, s.Authority, registry.NewMassChange{Kind: registry.ChangeSuspend, Scope: registry.MassScope{Session: issued[0].Session}, Document: "x", Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct{ as, path, route string }{
		{"authority", "/api/v1/mass-changes/" + m.ID, "/api/v1/mass-changes/{id}"},
		{"authority", "/api/v1/mass-changes", "/api/v1/mass-changes"},
		{"institution", "/api/v1/corrections/" + asked.ID, "/api/v1/corrections/{id}"},
		{"institution", "/api/v1/corrections", "/api/v1/corrections"},
		{"done", "/api/v1/mass-changes/" + m.ID, "/api/v1/mass-changes/{id}"},
		{"authority", "/api/v1/certificates/" + issued[2].Number, "/api/v1/certificates/{number}"},
	} {
		if one.as == "done" { // the same once more, carried out and undone
			one.as = "authority"
			if _, err := s.ApproveMassChange(ctx, second, m.ID, m.Preview.Hash); err != nil {
				t.Fatal(err)
			}
			if _, err := s.RunMassChange(ctx, second, m.ID, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := s.UndoMassChange(ctx, second, m.ID, "误"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.RunMassChange(ctx, second, m.ID, nil); err != nil {
				t.Fatal(err)
			}
		}
		s.documented(doc, one.as, one.path, one.route)
	}
}
