package evaluators_test

import (
	"maps"
	"slices"
	"testing"

	"bajigong/evaluators"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func siteChange(site string, k evaluators.SiteChangeKind, from standards.Date) evaluators.SiteChange {
	c := evaluators.SiteChange{Site: site, Kind: k, From: from, Document: "苏人社备〔2026〕30号"}
	switch k {
	case evaluators.OpenSite:
		c.Name, c.Address, c.Region = "二号考点", "示例路 2 号", "320583"
	case evaluators.MoveSite:
		c.Address = "示例路 3 号"
	case evaluators.SuspendSite:
		c.Reason = "监控缺失"
	}
	return c
}

func TestSiteStateTable(t *testing.T) {
	table := doctest.States(t, "site.go", "SiteState")
	now := at("2026-03-02 09:00")
	paths := map[string][]evaluators.SiteChangeKind{
		"absent": nil, "open": {evaluators.OpenSite}, "suspended": {evaluators.OpenSite, evaluators.SuspendSite},
		"closed": {evaluators.OpenSite, evaluators.SuspendSite, evaluators.CloseSite},
	}
	doctest.Holds(t, table, slices.Collect(maps.Keys(paths)), evaluators.SiteChangeKinds())
	for from, path := range paths {
		for _, kind := range evaluators.SiteChangeKinds() {
			f := filing()
			var err error
			for _, k := range path {
				if f, err = f.ChangeSite(nil, siteChange("02", k, "2026-03-02"), now); err != nil {
					t.Fatal(err)
				}
			}
			if s := f.SiteOn("02", "2026-03-02", now); string(s.State) != from || s.State.Chinese() == "" || s.State.English() == "" {
				t.Fatalf("the way to %s ends in %s", from, s.State)
			}
			f, err = f.ChangeSite(nil, siteChange("02", kind, "2026-03-02"), now)
			want := table.Next[from][string(kind)]
			if want == doctest.Refused {
				if fail.KindOf(err) != fail.Conflict || fail.CodeOf(err) != "site_state" {
					t.Errorf("%s while %s: %v, want a conflict", kind, from, err)
				}
				continue
			}
			if s := f.SiteOn("02", "2026-03-02", now); err != nil || string(s.State) != want {
				t.Errorf("%s while %s gives %s, %v; want %s", kind, from, s.State, err, want)
			}
		}
	}
}

func TestSitesKeepTheirHistory(t *testing.T) {
	f := filing()
	f.SiteName, f.SiteAddress = "总部考点", "老路 1 号"
	now := at("2026-03-02 09:00")
	f, err := f.ChangeSite(nil, siteChange("", evaluators.MoveSite, "2026-06-01"), now)
	if err != nil {
		t.Fatal(err)
	}
	for on, want := range map[standards.Date]string{"2026-05-31": "老路 1 号", "2026-06-01": "示例路 3 号"} {
		if s := f.SitesOn(on, at("2026-07-01 09:00"))[0]; s.Address != want || s.Name != "总部考点" || s.State != evaluators.SiteOpen {
			t.Errorf("on %s: %+v", on, s)
		}
	}
	if s := f.SitesOn("2026-06-01", at("2026-03-01 09:00"))[0]; s.Address != "老路 1 号" {
		t.Errorf("before it was recorded: %+v", s)
	}
	_, err = f.ChangeSite(nil, siteChange("", evaluators.CloseSite, "2026-06-01"), now)
	wantFields(t, err, "site_change_invalid", "site own")
	_, err = f.ChangeSite(nil, evaluators.SiteChange{Site: "02", Kind: evaluators.OpenSite, Region: "990000"}, now)
	wantFields(t, err, "site_change_invalid", "name missing", "address missing", "region province", "document missing", "from date")
	_, err = f.ChangeSite(nil, evaluators.SiteChange{Kind: evaluators.SuspendSite, From: "2028-01-01", Document: "x", Name: "y"}, now)
	wantFields(t, err, "site_change_invalid", "address kind", "reason missing", "from outside")
}

// The 属地监管机关 may suspend a site and lift that; what the 备案机关 suspended it
// cannot lift.
func TestWhoLiftsASuspension(t *testing.T) {
	now := at("2026-03-02 09:00")
	for _, c := range []struct {
		by, lift evaluators.Relation
		ok       bool
	}{
		{evaluators.RelationLocal, evaluators.RelationLocal, true}, {evaluators.RelationLocal, evaluators.RelationFiling, true},
		{evaluators.RelationFiling, evaluators.RelationFiling, true}, {evaluators.RelationFiling, evaluators.RelationLocal, false},
	} {
		in := siteChange("", evaluators.SuspendSite, "2026-03-02")
		in.Relation = c.by
		f, err := filing().ChangeSite(nil, in, now)
		if err != nil {
			t.Fatal(err)
		}
		out := siteChange("", evaluators.ResumeSite, "2026-03-02")
		out.Relation = c.lift
		if _, err = f.ChangeSite(nil, out, now); (err == nil) != c.ok || err != nil && fail.CodeOf(err) != "suspended_above" {
			t.Errorf("suspended by %s, lifted by %s: %v", c.by, c.lift, err)
		}
	}
}

func TestSitesAndEntitlement(t *testing.T) {
	rec := func(c evaluators.SiteChange, recorded string) evaluators.SiteChange {
		c.Recorded = at(recorded)
		return c
	}
	opened := rec(siteChange("02", evaluators.OpenSite, "2026-03-10"), "2026-03-01 09:00")
	closed := rec(siteChange("02", evaluators.CloseSite, "2026-03-11"), "2026-03-01 09:30")
	for _, c := range []struct {
		name    string
		site    string
		changes []evaluators.SiteChange
		now     string
		want    []evaluators.Reason
	}{
		{"own", "", nil, "2026-03-25 09:00", nil},
		{"of no such id", "02", nil, "2026-03-25 09:00", []evaluators.Reason{evaluators.ReasonSiteNotOpen}},
		{"opened on the day of the exam", "02", []evaluators.SiteChange{opened}, "2026-03-25 09:00", nil},
		{"planned before it opens", "02", []evaluators.SiteChange{opened}, "2026-03-02 09:00", nil},
		{"opened the day after", "02", []evaluators.SiteChange{rec(siteChange("02", evaluators.OpenSite, "2026-03-11"), "2026-03-01 09:00")}, "2026-03-25 09:00", []evaluators.Reason{evaluators.ReasonSiteNotOpen}},
		{"closed since the exam", "02", []evaluators.SiteChange{opened, closed}, "2026-03-25 09:00", nil},
		{"closed on the day of the exam", "02", []evaluators.SiteChange{rec(siteChange("02", evaluators.OpenSite, "2026-03-01"), "2026-03-01 09:00"), rec(siteChange("02", evaluators.CloseSite, "2026-03-10"), "2026-03-02 09:00")},
			"2026-03-25 09:00", []evaluators.Reason{evaluators.ReasonSiteNotOpen}},
		{"own suspended since the exam", "", []evaluators.SiteChange{rec(siteChange("", evaluators.SuspendSite, "2026-03-20"), "2026-03-20 09:00")}, "2026-03-20 09:00", []evaluators.Reason{evaluators.ReasonSiteSuspended}},
		{"the second before", "", []evaluators.SiteChange{rec(siteChange("", evaluators.SuspendSite, "2026-03-20"), "2026-03-20 09:00")}, "2026-03-20 08:59", nil},
		{"another one suspended", "", []evaluators.SiteChange{opened, rec(siteChange("02", evaluators.SuspendSite, "2026-03-20"), "2026-03-20 09:00")}, "2026-03-25 09:00", nil},
		{"suspended over the exam, resumed", "", []evaluators.SiteChange{rec(siteChange("", evaluators.SuspendSite, "2026-03-05"), "2026-03-05 09:00"), rec(siteChange("", evaluators.ResumeSite, "2026-03-12"), "2026-03-12 09:00")},
			"2026-03-25 09:00", []evaluators.Reason{evaluators.ReasonSiteSuspended}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, q := filing(), question(c.now)
			f.SiteChanges, q.Site = c.changes, c.site
			e := evaluators.Entitled(institution(), f, nil, q)
			if !slices.Equal(e.Reasons, c.want) {
				t.Errorf("reasons %v, want %v", e.Reasons, c.want)
			}
			checkRefusal(t, e)
		})
	}
}
