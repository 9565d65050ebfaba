package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// requestOf reads a claim from flags.
func requestOf(t *testing.T, args ...string) (registry.ClaimRequest, error) {
	t.Helper()
	var f requestFlags
	flags := pflag.NewFlagSet("claim", pflag.ContinueOnError)
	f.add(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f.request(world{now: func() time.Time { return time.Date(2026, 3, 20, 1, 0, 0, 0, time.UTC) }})
}

func TestFlagsOfAClaimWithoutACertificate(t *testing.T) {
	got, err := requestOf(t, "--subject", "apprentice_year", "--from", "2025-09-01", "--to", "2026年8月31日", "--units", "1", "--course", "KB-1",
		"--occupation", "6-31-01-03", "--trade", "矿井维修电工", "--level", "三级", "--employer", "91350100M000100Y43", "--applied", "2026-03-19", "--channel", "file",
		"--exception", "rule=channel,document=昆人社〔2026〕5号,approver=昆山市人社局,on=2026-03-01,reference=附件1", "--exception", "rule=frequency")
	if err != nil {
		t.Fatal(err)
	}
	want := registry.ClaimRequest{
		Subject: policy.Subject{Kind: policy.ForApprentice, From: "2025-09-01", To: "2026-08-31", Units: 1, Course: "KB-1", Occupation: "6-31-01-03",
			Trade: "矿井维修电工", Level: standards.Senior, Employer: "91350100M000100Y43"},
		Applied: "2026-03-19", Channel: policy.ByFile,
		Exceptions: []policy.Exception{{Rule: "channel", Document: "昆人社〔2026〕5号", Approver: "昆山市人社局", On: "2026-03-01", Reference: "附件1"}, {Rule: "frequency"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read\n%+v, want\n%+v", got, want)
	}
	for _, args := range [][]string{
		{"--from", "yesterday"}, {"--applied", "2026-02-30"}, {"--level", "十级"}, {"--exception", "channel"}, {"--exception", "rule=a,by=me"}, {"--exception", "rule=a,on=never"},
	} {
		if _, err := requestOf(t, args...); err == nil {
			t.Errorf("%q was read", args)
		}
	}
}
