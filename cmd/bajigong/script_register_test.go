package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// registerCommands adds what scripts need of a register that is served:
//
//	register N       serve a register with certificates of N persons. For person i
//	                 there are claim-i.json and counter-i.json; keys are in keys/NAME
//	                 (ks and ks2 of one payer, wj of another, ry and ry2 of the
//	                 authority, sj of an auditor); TODAY and INSTITUTION are set
//	merge-file A B   write merge.json, which makes persons A and B one
//	as NAME          use that key from now on
//	keep VAR REGEXP  keep the first group, found in what was printed last, as $VAR
//	days N           let N days go by; sets TODAY
//	void I           void the certificate of person I
func registerCommands(cmds map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	cmds["register"], cmds["merge-file"], cmds["as"], cmds["keep"], cmds["days"], cmds["void"] = scriptRegister, scriptMerge, scriptAs, scriptKeep, scriptDays, scriptVoid
	return cmds
}

// scriptServed are the registers of scripts by their directory.
type scriptServed struct {
	*served
	issued []registry.Issued
}

func servedOf(ts *testscript.TestScript) *scriptServed {
	s, ok := ts.Value("served").(**scriptServed)
	if !ok || *s == nil {
		ts.Fatalf("no register is served")
	}
	return *s
}

func numberArg(ts *testscript.TestScript, args []string, at int) int {
	if len(args) <= at {
		ts.Fatalf("a number is missing")
	}
	n, err := strconv.Atoi(args[at])
	ts.Check(err)
	return n
}

func scriptRegister(ts *testscript.TestScript, _ bool, args []string) {
	n := numberArg(ts, args, 0)
	t, ok := ts.Value("t").(testing.TB)
	if !ok {
		ts.Fatalf("the test itself cannot be reached")
	}
	s := &scriptServed{served: newServed(t)}
	*ts.Value("served").(**scriptServed) = s
	by := s.MustAdmit(1)
	s.issued = s.MustCertificates(by, 0, n)
	ts.Check(os.MkdirAll(ts.MkAbs("keys"), 0o700))
	authority := registry.NewAccount{Roles: []registry.Role{registry.RoleAuthority}, Region: registrytest.Region}
	for name, a := range map[string]registry.NewAccount{
		"ks": {Organisation: "ks-jy", Roles: []registry.Role{registry.RolePayer}, Region: "320583"}, "ks2": {Organisation: "ks-jy", Roles: []registry.Role{registry.RolePayer}, Region: "320583"},
		"wj": {Organisation: "wj-rs", Roles: []registry.Role{registry.RolePayer}, Region: "320583"}, "ry": authority, "ry2": authority,
		"sj": {Roles: []registry.Role{registry.RoleAuditor}, Region: registrytest.Region},
	} {
		a.Name = name
		ts.Check(os.WriteFile(ts.MkAbs("keys/"+name), []byte(s.key(a)), 0o600))
	}
	for i := range n {
		p := invented.PersonAt(i)
		write := func(name string, v any) {
			b, err := json.Marshal(v)
			ts.Check(err)
			ts.Check(os.WriteFile(ts.MkAbs(fmt.Sprintf("%s-%d.json", name, i)), b, 0o600))
		}
		write("claim", registry.ClaimRequest{Policy: "sample-2026", Certificate: s.issued[i].Number, Name: p.Name, Document: p.Document,
			Facts: policy.Facts{policy.Insured: {Value: policy.Yes, Source: "昆山社保", At: s.Clock.Now(), Reference: "SB-1"}}})
		write("counter", registry.OverviewRequest{Name: p.Name, Document: p.Document, Purpose: "本人到窗口咨询"})
	}
	ts.Setenv("BAJIGONG_SERVER", s.url)
	ts.Setenv("INSTITUTION", by.Institution.ID)
	ts.Setenv("TODAY", string(standards.DateOf(s.Clock.Now())))
}

func scriptMerge(ts *testscript.TestScript, _ bool, args []string) {
	b, err := json.Marshal(registry.NewMerge{Keep: invented.PersonAt(numberArg(ts, args, 0)).Document, Other: invented.PersonAt(numberArg(ts, args, 1)).Document,
		Reason: registry.MergeNewDocument, Evidence: "公安机关证明 2026-17"})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("merge.json"), b, 0o600))
}

func scriptAs(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: as NAME")
	}
	ts.Setenv("BAJIGONG_KEY", ts.ReadFile("keys/"+args[0]))
}

func scriptKeep(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: keep VAR REGEXP")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s is not in what was printed", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func scriptDays(ts *testscript.TestScript, _ bool, args []string) {
	s := servedOf(ts)
	today := standards.DateOf(s.Clock.Now()).AddDays(numberArg(ts, args, 0))
	s.Clock.Set(today.Time().Add(9 * 3600e9))
	ts.Setenv("TODAY", string(today))
}

func scriptVoid(ts *testscript.TestScript, _ bool, args []string) {
	s := servedOf(ts)
	_, err := s.ChangeCertificate(context.Background(), s.Authority, s.issued[numberArg(ts, args, 0)].Number,
		registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社撤〔2026〕3号", Reason: "替考"})
	ts.Check(err)
}
