package evaluators_test

import (
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

func TestAdmit(t *testing.T) {
	now := at("2026-01-05 10:00")
	f, err := evaluators.Admit(institution(), nil, nil, filing(), now)
	if err != nil {
		t.Fatal(err)
	}
	if f.Prefix() != "S000032058300" || !f.Recorded.Equal(now) {
		t.Errorf("prefix %s, recorded %s", f.Prefix(), f.Recorded)
	}
	national := filing()
	national.Code, national.Authority = "0041", "000000"
	if _, err := evaluators.Admit(institution(), nil, nil, national, now); err != nil {
		t.Errorf("filed with the ministry: %v", err)
	}
}

func TestAdmitNamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		name string
		mar  func(*evaluators.Filing)
		want []string
	}{
		{"empty", func(f *evaluators.Filing) { *f = evaluators.Filing{} }, []string{
			"id missing", "institution institution", "class class", "code digits", "province digits", "site digits",
			"authority digits", "document missing", "from missing", "until missing", "scope missing"}},
		{"class", func(f *evaluators.Filing) { f.Class = "J" }, []string{"class class"}},
		{"code", func(f *evaluators.Filing) { f.Code = "41" }, []string{"code digits"}},
		{"full-width digits", func(f *evaluators.Filing) { f.Site = "０５" }, []string{"site digits"}},
		{"province", func(f *evaluators.Filing) { f.Province = "38" }, []string{"province province", "authority province"}},
		{"authority of another province", func(f *evaluators.Filing) { f.Authority = "330100" }, []string{"authority province"}},
		{"the ministry for a province", func(f *evaluators.Filing) { f.Authority = "000000" }, []string{"authority province"}},
		{"dates reversed", func(f *evaluators.Filing) { f.Until = "2025-12-31"; f.Scope = f.Scope[:1] }, []string{"until order"}},
		{"no such day", func(f *evaluators.Filing) { f.Until = "2027-02-29"; f.Scope = f.Scope[:1] }, []string{"until date"}},
		{"scope", func(f *evaluators.Filing) {
			f.Scope = []evaluators.ScopeItem{
				{Occupation: "4-3-2-1"},
				{Occupation: cook, Levels: standards.LevelsOf(standards.Senior, standards.SpecialTechnician), From: "2025-12-31", Until: "2028-01-01"},
				{Occupation: cook, Levels: standards.LevelsOf(standards.Senior), From: "2026-06-01", Until: "2026-05-01"},
			}
		}, []string{"scope[0].occupation occupation", "scope[0].levels missing", "scope[1].levels not_examined",
			"scope[1].from outside", "scope[1].until outside", "scope[2].until order"}},
		{"ranges", func(f *evaluators.Filing) {
			f.Ranges = []evaluators.SerialRange{
				{Year: 1999, Level: standards.Senior, First: 1, Last: 10},
				{Year: 2026, Level: standards.Apprentice, First: 0, Last: 10},
				{Year: 2026, Level: standards.Senior, First: 10, Last: 20},
				{Year: 2026, Level: standards.Senior, First: 20, Last: 30},
				{Year: 2026, Level: standards.Junior, First: 20, Last: 1000000},
				{Year: 2026, Level: standards.Technician, First: 20, Last: 19},
			}
		}, []string{"ranges[0].year year", "ranges[1].level not_examined", "ranges[1].first range",
			"ranges[3].first overlaps", "ranges[4].first range", "ranges[5].first range"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := filing()
			c.mar(&f)
			_, err := evaluators.Admit(institution(), nil, nil, f, at("2026-01-05 10:00"))
			wantFields(t, err, "filing_invalid", c.want...)
		})
	}
}

func TestAdmitRefusesWhatTheStateDoesNotAllow(t *testing.T) {
	now := at("2026-06-01 10:00")
	renewal := filing()
	renewal.ID, renewal.From, renewal.Until, renewal.Scope = "F2", "2027-12-31", "2029-12-31", renewal.Scope[:1]
	admit := func(in evaluators.Filing, ds ...evaluators.Decision) error {
		_, err := evaluators.Admit(institution(), []evaluators.Filing{filing()}, ds, in, now)
		return err
	}
	same := renewal
	same.ID = firstID
	wantConflict(t, admit(same), "filing_exists")
	wantConflict(t, admit(renewal), "filing_overlaps")
	next := renewal
	next.From = "2028-01-01"
	if err := admit(next); err != nil {
		t.Errorf("a renewal from the day after: %v", err)
	}
	if err := admit(renewal, decision("1", evaluators.ExitVoluntary, oneFile, "2026-05-01", at("2026-05-01 09:00"))); err != nil {
		t.Errorf("the old filing has ended: %v", err)
	}
	other := renewal
	other.Site = "058301"
	if err := admit(other); err != nil {
		t.Errorf("another site: %v", err)
	}
	wantConflict(t, admit(next, decision("1", evaluators.ExitOrdered, whole, "2026-05-01", at("2026-05-01 09:00"))), "institution_ended")
	if err := admit(next, decision("1", evaluators.ExitVoluntary, whole, "2026-12-31", at("2026-05-01 09:00"))); err != nil {
		t.Errorf("the exit is still to come: %v", err)
	}
}
