package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/invented"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/registry/policy"
)

// batchAnswer is the NDJSON of a run taken apart.
type batchAnswer struct {
	begun, ended registry.ClaimBatch
	rows         []registry.ClaimBatchLine
	text         []byte // of the rows
	problem      *Problem
}

func readBatch(t testing.TB, body []byte) (out batchAnswer) {
	t.Helper()
	for line := range bytes.Lines(body) {
		var frame struct {
			Run   *registry.ClaimBatch `json:"run"`
			End   *registry.ClaimBatch `json:"end"`
			Error *Problem             `json:"error"`
		}
		if err := json.Unmarshal(line, &frame); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case frame.Run != nil:
			out.begun = *frame.Run
		case frame.End != nil:
			out.ended = *frame.End
		case frame.Error != nil:
			out.problem = frame.Error
		default:
			var l registry.ClaimBatchLine
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			out.rows, out.text = append(out.rows, l), append(out.text, line...)
		}
	}
	return out
}

const batchQuery = batchPath + "?policy=sample-2026&source=SB&at=2026-03-01&reference=9"

func TestFileOfClaimsOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Limits.Batch = 20 })
	issued := s.MustCertificates(s.issuer, 0, 3)
	var file strings.Builder
	file.WriteString("流水号,证书编号,证件号码,姓名,参保\n")
	for i, c := range issued {
		p := invented.PersonAt(i)
		fmt.Fprintf(&file, "KS-%d,%s,%s,%s,%s\n", i, c.Number, p.Document, p.Name, []string{"是", "否", ""}[i])
	}
	r := s.do("payer", "POST", batchQuery, file.String(), "Content-Type", "text/csv").want(200)
	a := readBatch(t, r.Body)
	if r.Header.Get("Content-Type") != mediaLines || r.Header.Get("Location") != batchPath+"/"+a.begun.ID || a.problem != nil || a.begun.Rows != 3 || a.begun.Ended != nil {
		t.Errorf("%v %+v", r.Header, a.begun)
	}
	for i, want := range []policy.Outcome{policy.Allow, policy.Deny, policy.Hold} {
		if a.rows[i].Outcome != registry.ClaimBatchOutcome(want) || a.rows[i].Reference != fmt.Sprintf("KS-%d", i) {
			t.Errorf("row %d: %+v", i, a.rows[i])
		}
	}
	if sum := sha256.Sum256(a.text); hex.EncodeToString(sum[:]) != a.ended.Results {
		t.Error("the signed hash is not that of the lines that were sent")
	}
	keys, err := jws.ParseJWKS(s.get("", "/keys/decision.json").want(200).Body, jws.Decision)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := credentials.OpenDecisionBatch(a.ended.Decision, keys, jws.Limits{}); err != nil || d.Rows != 3 || !strings.HasSuffix(d.Payer, "kunshan") {
		t.Errorf("%+v, %v", d, err)
	}
	for i := range issued {
		if p := invented.PersonAt(i); bytes.Contains(r.Body, []byte(p.Document)) || bytes.Contains(r.Body, []byte(p.Name)) {
			t.Error("the answer names a person")
		}
	}

	// Again, and as a table.
	path := batchPath + "/" + a.ended.ID
	if got := into[registry.ClaimBatch](s.get("payer", path).want(200)); got.Decision != a.ended.Decision {
		t.Error("the run has another decision")
	}
	if l := into[list[registry.ClaimBatch]](s.get("payer", batchPath).want(200)); len(l.Items) != 1 {
		t.Errorf("runs %+v", l)
	}
	s.get("payer2", path).problem(404, "not_found")
	s.get("payer2", path+"/results").problem(404, "not_found")
	s.get("auditor", path).want(200)
	s.get("auditor", path+"/results").problem(404, "not_found")
	if again := readBatch(t, s.get("payer", path+"/results").want(200).Body); !bytes.Equal(again.text, a.text) {
		t.Error("the results differ")
	}
	for range uploadSlots { // a run's answers are tens of megabytes: few are held at once
		s.server.uploads.free <- struct{}{}
	}
	s.get("payer", path+"/results").problem(503, "busy")
	for range uploadSlots {
		<-s.server.uploads.free
	}
	table := s.get("payer", path+"/results", "Accept", "text/csv").want(200)
	for range uploadSlots { // and all are given back
		select {
		case s.server.uploads.free <- struct{}{}:
		case <-time.After(5 * time.Second):
			t.Fatal("a slot was not given back")
		}
	}
	for range uploadSlots {
		<-s.server.uploads.free
	}
	cells, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(table.Body, []byte("\xEF\xBB\xBF")))).ReadAll()
	if err != nil || len(cells) != 4 || cells[1][3] != "可以申领" || cells[1][4] != "2600" || cells[2][3] != "不予申领" || !strings.Contains(cells[2][5], "参保") || cells[3][6] == "" {
		t.Errorf("%q, %v", cells, err)
	}
	book := s.do("payer", "POST", batchQuery+"&lang=en", file.String(), "Content-Type", "text/csv", "Accept", typeXLSX).want(200)
	read, err := sheet.Read(bytes.NewReader(book.Body), sheet.Limits{})
	if err != nil || len(read.Rows) != 3 || read.Rows[0].Cells[3] != "may be reserved" || read.Rows[0].Cells[1] != "KS-0" {
		t.Errorf("%+v, %v", read, err)
	}

	for _, c := range []struct {
		as, path, kind, body, accept string
		status                       int
		code                         string
	}{
		{"", batchQuery, "text/csv", file.String(), "", 401, "key_required"},
		{"institution", batchQuery, "text/csv", file.String(), "", 403, "not_allowed"},
		{"payer", batchPath, "text/csv", file.String(), "", 400, "batch_question"},
		{"payer", batchPath + "?policy=nothing", "text/csv", file.String(), "", 400, "policy_not_found"},
		{"payer", batchQuery + "&received=1", "text/csv", file.String(), "", 400, "query"},
		{"payer", batchQuery, "application/json", "{}", "", 415, "content_type"},
		{"payer", batchQuery, "text/csv", file.String(), "image/png", 406, "not_acceptable"},
		{"payer", batchQuery, "text/csv", "a,b\n1,2\n", "", 400, "sheet_header"},
		{"payer", batchQuery, mediaLines, "{\"certificate\":1}\n{", "", 400, "batch_lines"},
		{"payer", batchQuery + "&run=cb-0", "text/csv", file.String(), "", 404, "not_found"},
	} {
		headers := []string{"Content-Type", c.kind}
		if c.accept != "" {
			headers = append(headers, "Accept", c.accept)
		}
		s.do(c.as, "POST", c.path, c.body, headers...).problem(c.status, c.code)
	}
	for range 8 {
		s.do("payer", "POST", batchPath, "", "Content-Type", "text/csv")
	}
	s.do("payer", "POST", batchQuery, file.String(), "Content-Type", "text/csv").problem(429, "rate_limited")
}

// Who asks goes away in the middle of the answer: the run is continued, and what was
// answered is answered the same.
func TestInterruptedFileGoesOn(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits.Batch = -1 })
	number := s.issuer.Filing.Number(2024, 3, 1).Format()
	var file strings.Builder
	file.WriteString("certificate,document,name,insured\n")
	for i := range 3000 {
		p := invented.PersonAt(i)
		fmt.Fprintf(&file, "%s,%s,%s,yes\n", number, p.Document, p.Name)
	}
	base := "http://" + s.listen()
	send := func(run string) *http.Response {
		req, err := http.NewRequest("POST", base+batchQuery+run, strings.NewReader(file.String()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/csv")
		req.Header.Set("Authorization", "Bearer "+s.keys["payer"])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := send("")
	part := make([]byte, 4096)
	if _, err := res.Body.Read(part); err != nil || res.StatusCode != 200 {
		t.Fatal(res.Status, err)
	}
	if len(res.TransferEncoding) == 0 {
		t.Error("the answer does not stream")
	}
	res.Body.Close()
	id := strings.TrimPrefix(res.Header.Get("Location"), batchPath+"/")
	var a batchAnswer
	for range 100 { // until the turn of the call that was broken off is given back
		res = send("&run=" + id)
		var body bytes.Buffer
		if _, err := body.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == 200 {
			a = readBatch(t, body.Bytes())
			break
		}
		if !bytes.Contains(body.Bytes(), []byte("batch_running")) {
			t.Fatal(body.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a.ended.ID != id || len(a.rows) != 3000 || a.ended.Deny != 3000 || a.rows[2999].Row != 3001 || a.problem != nil {
		t.Errorf("%+v, %d rows, %+v", a.ended, len(a.rows), a.problem)
	}
}
