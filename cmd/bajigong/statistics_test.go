package main

import (
	"encoding/json"
	"strings"
	"testing"

	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestStatisticsFromAServer prints a report as JSON and as CSV, for the authority
// alone.
func TestStatisticsFromAServer(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	s.MustCertificates(by, 0, 5)
	if _, err := s.CountFigures(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.institutionKey(by)
	s.run(exitDenied, "statistics", "2026")
	s.key(registry.NewAccount{Name: "authority", Roles: []registry.Role{registry.RoleAuthority}, Region: registrytest.Region})
	var got registry.Statistics
	if err := json.Unmarshal([]byte(s.run(exitOK, "statistics", "2026", "--by", "region")), &got); err != nil || len(got.Rows) != 1 || got.Rows[0].Key != "320500" || got.Total.Issued != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	csv := s.run(exitOK, "statistics", "2026Q1", "--by", "occupation", "--format", "csv-bom")
	if !strings.HasPrefix(csv, "\uFEFF编码,名称,人次,人数") || !strings.Contains(csv, "\r\n6-31-01-03,电工,5,5,") {
		t.Errorf("%q", csv)
	}
	s.run(exitInvalid, "statistics", "2026-13")
	s.run(exitInvalid, "statistics", "2026", "--by", "name")
	s.run(exitUsage, "statistics", "2026", "--format", "xls")
	s.run(exitUsage, "statistics")
}
