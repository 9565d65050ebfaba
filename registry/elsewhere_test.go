package registry_test

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

func elsewhere(i int, kind policy.Kind, number string) registry.Elsewhere {
	p := invented.PersonAt(i)
	return registry.Elsewhere{Kind: kind, Number: number, Name: p.Name, Document: p.Document, OccupationName: "低压电工作业", Issued: "2025-12-01", InstitutionName: "某考试机构"}
}

func (e *claimEnv) mustRegister(in registry.Elsewhere) registry.Certificate {
	e.T.Helper()
	out, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{in})
	if err != nil {
		e.T.Fatalf("register %s: %v %+v", in.Number, err, fail.Of(err).Fields)
	}
	return out[0]
}

// Every kind of certificate of 昆政办发〔2020〕67号 三（十四） and 二（六） can be
// registered by the authority, with the number forms that are known and with any
// form where none is.
func TestKindsFromElsewhere(t *testing.T) {
	e := newClaimEnv(t)
	with := func(in registry.Elsewhere, change func(*registry.Elsewhere)) registry.Elsewhere {
		change(&in)
		return in
	}
	electrician := func(in *registry.Elsewhere) {
		in.Occupation, in.OccupationName, in.Level = "6-31-01-03", "", standards.Senior
	}
	p := invented.PersonAt(3)
	for name, c := range map[string]struct {
		in    registry.Elsewhere
		kind  policy.Kind
		key   string
		field string // that is refused
	}{
		"职业资格, 16 digits":           {in: with(elsewhere(1, "", "2510003010312345"), electrician), key: "2510003010312345"},
		"职业资格, said so":             {in: with(elsewhere(1, policy.KindQualification, "2510003010312346"), electrician), key: "2510003010312346"},
		"职业资格 without level":        {in: elsewhere(1, "", "2510003010312347"), field: "level"},
		"职业资格 of another level":     {in: with(with(elsewhere(1, "", "2510003010412347"), electrician), func(e *registry.Elsewhere) { e.Level = standards.Senior }), field: "level"},
		"Shanghai, 13 digits":       {in: with(elsewhere(1, policy.KindQualification, "1234567890123"), electrician), key: "1234567890123"},
		"Shanghai, as queried":      {in: with(elsewhere(1, policy.KindQualification, "0001234567890124"), electrician), key: "1234567890124"},
		"the number says another":   {in: with(elsewhere(1, policy.KindSkillLevel, "2510003010312348"), electrician), field: "number"},
		"特种作业, T and ID":            {in: with(elsewhere(3, "", "T"+p.Document), func(e *registry.Elsewhere) { e.ValidTo = "2031-11-30" }), kind: policy.KindSpecialOperation, key: "special_operation:"},
		"专项, like 职业资格 but level 6": {in: with(elsewhere(1, policy.KindSpecialAbility, "2532053010600001"), func(e *registry.Elsewhere) { e.Place = "320583" }), key: "special_ability:320583:2532053010600001"},
		"专项, like a level number":   {in: elsewhere(1, policy.KindSpecialAbility, "S000032058300252000001"), key: "special_ability:320000:S000032058300252000001"},
		"培训合格证":                     {in: with(elsewhere(1, policy.KindTrainingCompletion, "昆培字(2025)0001"), func(e *registry.Elsewhere) { e.Place = "320583" }), key: "training_completion:320583:昆培字(2025)0001"},
		"特种设备":                      {in: elsewhere(1, policy.KindSpecialEquipment, "TS6J苏E00012"), key: "special_equipment:320000:TS6J苏E00012"},
		"特种设备, with an identity":    {in: elsewhere(3, policy.KindSpecialEquipment, "TS"+p.Document), key: "special_equipment:320000:"},
		"kind unknown":              {in: elsewhere(1, "driving", "A-0001"), field: "kind"},
		"other form, kind said":     {in: with(elsewhere(1, policy.KindQualification, "京-2003-55"), electrician), key: "vocational_qualification:320000:京-2003-55"},
		"code of 1999": {in: with(with(elsewhere(1, "", "0510003010312349"), electrician), func(e *registry.Elsewhere) {
			e.Issued, e.Edition, e.Occupation, e.OccupationName = "2005-06-01", "1999", "6-07-06-05", "维修电工"
		}), key: "0510003010312349"},
		"code of 1999, addition": {in: with(with(elsewhere(1, "", "0510003010312350"), electrician), func(e *registry.Elsewhere) {
			e.Issued, e.Edition, e.Occupation, e.OccupationName = "2005-06-01", "1999", "X4-07-12-04", "育婴师"
		}), key: "0510003010312350"},
		"code of 1999, no name": {in: with(with(elsewhere(1, "", "0510003010312351"), electrician), func(e *registry.Elsewhere) { e.Edition, e.Occupation = "1999", "6-07-06-05" }), field: "occupation_name"},
		"edition unknown":       {in: with(with(elsewhere(1, "", "0510003010312352"), electrician), func(e *registry.Elsewhere) { e.Edition = "2010"; e.OccupationName = "电工" }), field: "edition"},
		"place":                 {in: with(elsewhere(1, policy.KindSpecialAbility, "A-0002"), func(e *registry.Elsewhere) { e.Place = "Kunshan" }), field: "place"},
		"ends before it begins": {in: with(elsewhere(1, policy.KindSpecialAbility, "A-0003"), func(e *registry.Elsewhere) { e.ValidTo = "2025-01-01" }), field: "valid_to"},
		"personal source":       {in: with(elsewhere(1, policy.KindSpecialAbility, "A-0004"), func(e *registry.Elsewhere) { e.Source = "申请人 " + p.Document }), field: "source"},
		"no operation named":    {in: with(elsewhere(1, policy.KindSpecialAbility, "A-0005"), func(e *registry.Elsewhere) { e.OccupationName = "" }), field: "occupation_name"},
	} {
		got, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{c.in})
		if c.field != "" {
			if fs := fail.Of(err).Fields; fail.KindOf(err) != fail.Invalid || len(fs) != 1 || fs[0].Name != c.field {
				t.Errorf("%s: %v %+v; want %s refused", name, err, fs, c.field)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v %+v", name, err, fail.Of(err).Fields)
			continue
		}
		if !strings.HasPrefix(got[0].Number, c.key) || strings.Contains(got[0].Number, p.Document) || got[0].Place != c.in.Place || got[0].ValidTo != c.in.ValidTo {
			t.Errorf("%s: %+v", name, got[0])
		}
	}
}

// One number of a form that no source tells may be given by two places; the claim
// finds the one of its holder. The same number of one place and kind is there once.
func TestSameNumberOfTwoPlaces(t *testing.T) {
	e := newClaimEnv(t)
	kunshan, taicang := elsewhere(1, policy.KindTrainingCompletion, "P-2025-001"), elsewhere(2, policy.KindTrainingCompletion, "P-2025-001")
	kunshan.Place, taicang.Place = "320583", "320585"
	e.mustRegister(kunshan)
	e.mustRegister(taicang)
	if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{taicang}); fail.KindOf(err) != fail.Invalid || fail.Of(err).Fields[0].Code != "number_taken" {
		t.Errorf("registered twice: %v", err)
	}
	ability := kunshan
	ability.Kind = policy.KindSpecialAbility
	e.mustRegister(ability) // another kind of paper with that number
	for i, want := range map[int]bool{1: true, 2: true, 3: false} {
		v, err := e.Lookup(ctx, registry.LookupQuery{Number: "P-2025-001", Name: invented.PersonAt(i).Name})
		if err != nil || (v.Certificate != nil) != want {
			t.Errorf("look-up of person %d: %+v, %v", i, v, err)
		}
	}
	if v, err := e.Lookup(ctx, registry.LookupQuery{Number: "P-2025-001", Document: invented.PersonAt(1).Document}); err != nil || v.Certificate != nil {
		t.Errorf("look-up without a name: %+v, %v", v, err)
	}
	for i, match := range map[int]bool{1: true, 2: true, 3: false} {
		got, err := e.CheckClaim(ctx, e.kunshan, e.request(i, "p-2025-001"))
		if err != nil || got.Match != match {
			t.Errorf("person %d: match %t, %v", i, got.Match, err)
		}
		if match && got.Reasons[0] != policy.KindNotCovered {
			t.Errorf("person %d: %v", i, got.Reasons)
		}
	}
}

// 职业资格证书 and 职业技能等级证书 of one occupation and level count as one level:
// 同一职业同一等级只能享受一次 (昆政办发〔2020〕67号 三（十四）).
func TestQualificationAndLevelCertificateAreOneLevel(t *testing.T) {
	e := newClaimEnv(t)
	issued := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustAnswer("等级证书", e.mustReserve(e.kunshan, e.request(1, issued.Number)), policy.Allow)
	old := elsewhere(1, "", "2510003010312345")
	old.Occupation, old.OccupationName, old.Level = "6-31-01-03", "", standards.Senior
	c := e.mustRegister(old)
	e.mustAnswer("职业资格证书", e.mustReserve(e.other, e.request(1, c.Number)), policy.Deny, policy.OnceTaken)
	old.Number, old.Level = "2510003010412345", standards.Intermediate
	e.mustAnswer("another level", e.mustReserve(e.other, e.request(1, e.mustRegister(old).Number)), policy.Allow)
}

// A licence with a term is expired after its last day; what was decided before
// stays as it was decided.
func TestLicenceExpires(t *testing.T) {
	e := newClaimEnv(t)
	in := elsewhere(5, policy.KindQualification, "2510003010312345")
	in.Occupation, in.OccupationName, in.Level, in.ValidTo = "6-31-01-03", "", standards.Senior, "2026-03-02"
	c := e.mustRegister(in)
	if got, err := e.CheckClaim(ctx, e.kunshan, e.request(5, c.Number)); err != nil || got.Outcome != policy.Allow {
		t.Fatalf("on its last day: %+v, %v", got, err)
	}
	e.mustAnswer("on its last day", e.mustReserve(e.kunshan, e.request(5, c.Number)), policy.Allow)
	e.Clock.Set(standards.Date("2026-03-03").Time())
	got, err := e.CheckClaim(ctx, e.other, e.request(5, c.Number))
	if err != nil || got.Outcome != policy.Deny || !strings.Contains(asJSON(t, got.Reasons), string(policy.CertificateNotGood)) {
		t.Errorf("the day after: %+v, %v", got, err)
	}
}

// An institution registers under its own number parts only; others need the
// authority.
func TestWhoRegistersFromElsewhere(t *testing.T) {
	e := newClaimEnv(t)
	in := elsewhere(1, policy.KindSpecialAbility, "A-0001")
	for _, by := range []registry.Actor{e.issuer.Actor, e.kunshan, registrytest.Payer("x", "320583"), {}} {
		if _, err := e.RegisterElsewhere(ctx, by, []registry.Elsewhere{in}); err == nil {
			t.Errorf("%v registers", by.Roles)
		}
	}
}

func TestOccupationsNamed(t *testing.T) {
	e := registrytest.New(t)
	if got := e.OccupationsNamed("維修 電工"); len(got) != 1 || got[0].Edition != "1999" {
		t.Errorf("%+v", got)
	}
	if got := e.OccupationsNamed("育婴员"); len(got) != 1 || got[0].Edition != "2015" {
		t.Errorf("%+v", got)
	}
	if got := e.OccupationsNamed("无此职业"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
