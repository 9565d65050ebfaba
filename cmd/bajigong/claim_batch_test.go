package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/internal/sheet"
	"bajigong/registry"
)

func TestFileOfClaimsIsChecked(t *testing.T) {
	s := newServed(t)
	issued := s.MustCertificates(s.MustAdmit(1), 0, 3)
	s.env["BAJIGONG_KEY"] = s.payerKey("ks-jy", "320583")
	var rows strings.Builder
	rows.WriteString("流水号,证书编号,证件号码,姓名,参保\n")
	for i, c := range issued {
		p := invented.PersonAt(i)
		fmt.Fprintf(&rows, "KS-%d,%s,%s,%s,%s\n", i, c.Number, p.Document, p.Name, []string{"是", "", "否"}[i])
	}
	in := file(t, "claims.csv", rows.String())
	asked := []string{"claim", "check-batch", in, "--policy", "sample-2026", "--fact-source", "昆山社保", "--fact-at", "2026-03-01", "--fact-reference", "SB-9"}
	out := s.run(exitNo, asked...)
	says(t, out, "‖ 第 3 行", "✕ 第 4 行", "KS-2", "[fact_not_met]")
	if strings.Contains(out, "KS-0") || strings.Contains(out, invented.PersonAt(2).Name) {
		t.Errorf("the output has rows with nothing to say about, or a name:\n%s", out)
	}

	result := filepath.Join(t.TempDir(), "result.xlsx")
	var run registry.ClaimBatch
	if err := json.Unmarshal([]byte(s.run(exitNo, append(asked, "-o", result, "--json")...)), &run); err != nil || run.Allow != 1 || run.Decision == "" {
		t.Fatalf("%+v, %v", run, err)
	}
	b, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	table, err := sheet.Read(bytes.NewReader(b), sheet.Limits{})
	if err != nil || len(table.Rows) != 3 || table.Rows[0].Cells[1] != "KS-0" {
		t.Errorf("%+v, %v", table, err)
	}
	// The same run again is the same answer.
	lines := filepath.Join(t.TempDir(), "result.jsonl")
	var again registry.ClaimBatch
	if err := json.Unmarshal([]byte(s.run(exitNo, append(asked, "--run", run.ID, "-o", lines, "--json")...)), &again); err != nil || again.Decision != run.Decision {
		t.Errorf("%+v, %v", again, err)
	}
	if b, err := os.ReadFile(lines); err != nil || bytes.Count(b, []byte("\n")) != 3 {
		t.Errorf("%s, %v", b, err)
	}

	// The signed decision over the file, opened offline and held against both files.
	text, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	kept, keys := file(t, "run.json", string(text)), fetched(t, s, "/keys/decision.json", "decision.json")
	verify := []string{"policy", "verify", kept, "--jwks", keys}
	says(t, s.run(exitOK, verify...), "✓ 签名有效", "批量预检的决定", again.ID, "320583/ks-jy", "3 行 rows", "可以申领 allow", "2600 元", again.Results, "sample-2026 v1")
	says(t, s.run(exitOK, append(verify, "--file", in, "--results", lines, "--json")...), `"subject": "batch"`, `"allow": 1`)
	s.run(exitNo, append(verify, "--file", lines)...)
	says(t, s.errs.String(), "不是当时的文件", lines)
	unsigned := again
	unsigned.Decision = ""
	if text, err = json.Marshal(unsigned); err != nil {
		t.Fatal(err)
	}
	s.run(exitInvalid, "policy", "verify", file(t, "open.json", string(text)), "--jwks", keys)

	one := file(t, "one.csv", strings.Join(strings.SplitAfterN(rows.String(), "\n", 3)[:2], ""))
	s.run(exitOK, "claim", "check-batch", one, "--policy", "sample-2026", "--fact-source", "x", "--fact-at", "2026-03-01", "--fact-reference", "1")
	s.run(exitConflict, "claim", "check-batch", one, "--policy", "sample-2026", "--run", run.ID)
	says(t, s.run(exitInvalid, "claim", "check-batch", file(t, "bad.csv", "姓名,开户行\n张三,x\n"), "--policy", "sample-2026"), "开户行")
	s.run(exitUsage, "claim", "check-batch", one, "--policy", "sample-2026", "-o", "x.pdf")
	s.run(exitUsage, "policy", "verify", fetched(t, s, "/api/v1/claims/"+mustReserveFirst(t, s, issued[0].Number)+"/decision", "c.jwt"), "--jwks", keys, "--file", in)
}

// mustReserveFirst reserves a claim of the first person and answers its id.
func mustReserveFirst(t *testing.T, s *served, number string) string {
	t.Helper()
	var a registry.ClaimAnswer
	out := s.run(exitOK, "claim", "reserve", "--json", "--file", claimRequest(t, number, invented.PersonAt(0), "KS-9", claimFacts(s.Clock.Now())))
	if err := json.Unmarshal([]byte(out), &a); err != nil || a.Claim == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a.Claim.ID
}
