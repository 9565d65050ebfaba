package web

import (
	"bytes"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
	"bajigong/standards/sameness"
)

// TestMergeOverHTTP: two documents of one person who was paid twice, from the
// proposal to the collision and the undoing.
func TestMergeOverHTTP(t *testing.T) {
	s := newSite(t)
	s.account("authority2", registry.NewAccount{Name: "authority2", Roles: []registry.Role{registry.RoleAuthority}, Region: registrytest.Region})
	issued := s.MustCertificates(s.issuer, 20, 22)
	for i, as := range []string{"payer", "payer2"} {
		p := invented.PersonAt(20 + i)
		a := into[registry.ClaimAnswer](s.do(as, "POST", "/api/v1/claims", registry.ClaimRequest{Reference: "r", Policy: "sample-2026", Certificate: issued[i].Number, Name: p.Name, Document: p.Document,
			Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社会保险系统", At: s.Clock.Now(), Reference: "SB-1"}}}).want(200))
		if a.Outcome != policy.Allow {
			t.Fatalf("%+v", a)
		}
	}
	const at, collisions = "/api/v1/persons/merges", "/api/v1/collisions"
	in := registry.NewMerge{Keep: invented.PersonAt(20).Document, Other: invented.PersonAt(21).Document, Reason: registry.MergeNewDocument, Evidence: "公安证明 1"}
	s.do("", "POST", at, in).problem(401, "key_required")
	s.do("payer", "POST", at, in).problem(403, "not_allowed")
	s.do("authority", "POST", at, registry.NewMerge{}).problem(400, "merge")
	s.do("authority", "POST", at, map[string]any{"keep": "x", "person": "y"}).problem(400, "field_unknown")
	reply := s.do("authority", "POST", at, in, "Idempotency-Key", "g1").want(201)
	m := into[registry.MergeView](reply)
	if again := into[registry.MergeView](s.do("authority", "POST", at, in, "Idempotency-Key", "g1").want(201)); again.ID != m.ID || m.Preview == nil || len(m.Preview.Collisions) != 1 {
		t.Fatalf("%+v", m)
	}
	if bytes.Contains(reply.Body, []byte(in.Keep)) || bytes.Contains(reply.Body, []byte(invented.PersonAt(20).Name)) {
		t.Errorf("%s", reply.Body)
	}
	one := at + "/" + m.ID
	s.get("payer", one).problem(403, "not_allowed")
	s.get("auditor", one).want(200)
	s.get("authority", at+"?waiting=maybe").problem(400, "waiting")
	if l := into[list[registry.MergeView]](s.get("authority2", at+"?waiting=true").want(200)); len(l.Items) != 1 {
		t.Errorf("waiting %+v", l)
	}
	s.do("authority", "POST", one+"/decision", secondOpinion{Approve: true}).problem(403, "second_person")
	s.do("auditor", "POST", one+"/decision", secondOpinion{Approve: true}).problem(403, "not_allowed")
	if m = into[registry.MergeView](s.do("authority2", "POST", one+"/decision", secondOpinion{Approve: true}).want(200)); m.State != registry.MergeMerged || len(m.Collisions) != 1 {
		t.Fatalf("%+v", m)
	}
	s.do("authority2", "POST", one+"/decision", secondOpinion{Approve: true}).problem(409, "merge_state")

	c := collisions + "/" + m.Collisions[0]
	if l := into[list[registry.CollisionView]](s.get("authority", collisions+"?state=open&region=320583").want(200)); len(l.Items) != 1 {
		t.Errorf("%+v", l)
	}
	s.get("authority", collisions+"?state=closed").problem(400, "state")
	s.get("institution", collisions).problem(403, "not_allowed")
	mine := s.get("payer2", collisions).want(200)
	if l := into[list[registry.CollisionView]](mine); len(l.Items) != 1 || bytes.Contains(mine.Body, []byte(`"payer":"kunshan"`)) || bytes.Contains(mine.Body, []byte(issued[0].Number)) {
		t.Errorf("%s", mine.Body)
	}
	view := into[registry.CollisionView](s.get("authority", c).want(200))
	proposal := registry.CollisionProposal{Outcome: registry.CollisionToRecover, Claim: view.Claims[0].Claim.ID, Reason: "同一职业同一等级"}
	s.do("payer", "POST", c+"/proposal", proposal).problem(403, "not_allowed")
	s.do("authority", "POST", c+"/proposal", registry.CollisionProposal{}).problem(400, "collision")
	s.do("authority", "POST", c+"/proposal", proposal).want(200)
	s.do("authority", "POST", c+"/decision", secondOpinion{Approve: true}).problem(403, "second_person")
	if v := into[registry.CollisionView](s.do("authority2", "POST", c+"/decision", secondOpinion{Approve: true}).want(200)); v.State != registry.CollisionToRecover {
		t.Errorf("%+v", v)
	}
	if v := into[registry.CollisionView](s.get("payer2", c).want(200)); !v.Recover {
		t.Errorf("%+v", v)
	}
	s.do("authority", "POST", one+"/undoing", undoReason{}).problem(400, "merge")
	s.do("authority", "POST", one+"/undoing", undoReason{"不是同一人"}).want(200)
	if m = into[registry.MergeView](s.do("authority2", "POST", one+"/decision", secondOpinion{Approve: true}).want(200)); m.State != registry.MergeUndone {
		t.Errorf("%+v", m)
	}
	s.get("authority", c).want(200)
	s.get("authority", collisions+"/o-none").problem(404, "not_found")
}

func TestOccupationsNamedOverHTTP(t *testing.T) {
	s := newSite(t)
	if l := into[list[sameness.Job]](s.get("", "/api/v1/occupations-named?name=%E7%BB%B4%E4%BF%AE%E7%94%B5%E5%B7%A5").want(200)); len(l.Items) != 1 || l.Items[0].Code != "6-07-06-05" {
		t.Errorf("%+v", l)
	}
	s.get("", "/api/v1/occupations-named").problem(400, "name")
}

// TestElsewhereKindsOverHTTP: a certificate without a level is registered and
// looked up by its number and name.
func TestElsewhereKindsOverHTTP(t *testing.T) {
	s := newSite(t)
	p := invented.PersonAt(30)
	in := registry.Elsewhere{Kind: policy.KindSpecialAbility, Number: "2532053010600001", Name: p.Name, Document: p.Document, OccupationName: "低压电工作业", Issued: "2025-06-01",
		InstitutionName: "昆山市职业技能鉴定中心", Place: "320583", Source: "鉴定中心移交清单 2025-6"}
	got := into[list[certificateView]](s.do("authority", "POST", "/api/v1/certificates", elsewhereRequest{[]registry.Elsewhere{in}}).want(201))
	if len(got.Items) != 1 || got.Items[0].Level != standards.Level(0) || got.Items[0].Number != "special_ability:320583:2532053010600001" {
		t.Fatalf("%+v", got)
	}
	s.get("authority", "/api/v1/certificates/"+got.Items[0].Number).want(200)
	in.Number = "T" + p.Document
	s.do("authority", "POST", "/api/v1/certificates", elsewhereRequest{[]registry.Elsewhere{in}}).problem(400, "rows")
}
