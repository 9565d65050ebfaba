package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/invented"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// TestIssueFromPlanToCertificates walks the whole path of an institution, every
// step twice: repeating one changes nothing.
func TestIssueFromPlanToCertificates(t *testing.T) {
	s := newServed(t)
	by := s.MustAdmit(1)
	s.institutionKey(by)
	plan := []string{"issue", "plan", "--filing", by.Filing.ID, "--occupation", "6-31-01-03", "--level", "高级工(三级)", "--exam", "2026年3月3日", "--name", "第1批电工"}
	session := strings.TrimSpace(s.run(exitOK, plan...))
	if again := strings.TrimSpace(s.run(exitOK, plan...)); again != session || !strings.HasPrefix(session, "s-") {
		t.Fatalf("the same plan twice made %q and %q", session, again)
	}
	s.run(exitConflict, "issue", "results", session, file(t, "r.csv", registrytest.CSV(0, 3))) // the exam is tomorrow
	s.Clock.Add(30 * time.Hour)

	good := registrytest.CSV(0, 40)
	lines := strings.Split(good, "\n")
	lines[7] = strings.Replace(lines[7], invented.PersonAt(6).Document, "3.2E+17", 1)
	bad := file(t, "bad.csv", strings.Join(lines, "\n"))
	says(t, s.run(exitInvalid, "issue", "results", session, bad), "第 8 行 证件号码")
	if bytesContain(s.out.Bytes(), invented.PersonAt(6).Document) {
		t.Error("a whole document number is shown")
	}
	says(t, s.run(exitOK, "issue", "results", session, bad, "--accept", "good-rows"), "第 8 行 证件号码")
	says(t, s.errs.String(), "已存 39", "issue publicity "+session)
	s.stdin = good
	s.run(exitOK, "issue", "results", session, "-")
	says(t, s.errs.String(), "已存 40")
	s.run(exitOK, "issue", "results", session, file(t, "成绩.xlsx", workbook(t, good)))
	says(t, s.errs.String(), "已存 40")

	s.run(exitConflict, "issue", "certificates", session) // no publicity yet
	first := s.run(exitOK, "issue", "publicity", session)
	if again := s.run(exitOK, "issue", "publicity", session); again != first {
		t.Errorf("publicity twice: %q, %q", first, again)
	}
	s.run(exitConflict, "issue", "certificates", session) // publicity runs
	says(t, s.errs.String(), "公示")
	s.Clock.Add(10 * 24 * time.Hour)
	says(t, s.run(exitOK, "issue", "certificates", session), "已发布 40 份证书")
	says(t, s.run(exitOK, "issue", "certificates", session), "已发布 40 份证书")
	var batch registry.Batch
	if err := json.Unmarshal([]byte(s.run(exitOK, "issue", "certificates", session, "--json")), &batch); err != nil || batch.Total != 40 {
		t.Errorf("--json: %v, %+v", err, batch)
	}
	s.run(exitNotFound, "issue", "certificates", "s-none")

	says(t, s.run(exitOK, "issue", "list", session), "证书编号 number", invented.PersonAt(39).Name, "有效 valid")
	rows := certificatesCSV(t, s, session)
	if len(rows) != 41 {
		t.Fatalf("%d rows", len(rows))
	}
	number, text := rows[1][1], rows[1][11]
	svg, png := filepath.Join(t.TempDir(), "a.svg"), filepath.Join(t.TempDir(), "a.PNG")
	s.run(exitOK, "issue", "qr", number, "-o", svg)
	s.run(exitOK, "issue", "qr", credentials.GroupNumber(number), "-o", png)
	if b, err := os.ReadFile(png); err != nil || !isImage(b) {
		t.Fatalf("no picture: %v", err)
	} else if got, err := credentials.DecodeImage(bytes.NewReader(b)); err != nil || got != text {
		t.Errorf("the picture says %q, the list %q: %v", got, text, err)
	}
	says(t, s.run(exitOK, "issue", "qr", number), "▀")
	s.run(exitUsage, "issue", "qr", number, "-o", "a.gif")
	s.run(exitInvalid, "issue", "qr", "T"+invented.PersonAt(0).Document, "--server", "http://127.0.0.1:1") // it has an identity number in it: nothing is sent
	says(t, s.run(exitOK, "verify", png), "✓ 证书有效", "Valid certificate", "在线查验", rows[1][2])
}

// TestIssueByTheFullCourse enters candidates and has a second person confirm.
func TestIssueByTheFullCourse(t *testing.T) {
	s := newServed(t, registrytest.Options{FullCourse: true})
	by := s.MustAdmit(1)
	s.institutionKey(by)
	session := strings.TrimSpace(s.run(exitOK, "issue", "plan", "--filing", by.Filing.ID, "--occupation", "6-31-01-03", "--level", "三级", "--exam", "2026-03-20", "--name", "第2批电工"))
	says(t, s.run(exitInvalid, "issue", "roster", session, file(t, "young.csv", "姓名,证件号码\n"+invented.PersonAt(0).Name+","+invented.PersonAt(0).Document+"\n")), "第 2 行 申报条件", "3A")
	s.run(exitOK, "issue", "roster", session, file(t, "roster.csv", rosterFile(0, 5, standards.Senior, "")))
	says(t, s.errs.String(), "已录入 5 人")
	says(t, s.run(exitOK, "issue", "timeline", session), "报名审核 roster：期限 due 2026-03-11，办结 done 2026-03-02", "成绩上报 results：期限 due 2026-03-25，办结 done --")
	s.run(exitConflict, "issue", "confirm", session)
}

// workbook is a CSV text as a workbook.
func workbook(t *testing.T, text string) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sheet.WriteXLSX(&b, sheet.Table{Name: "成绩", Header: rows[0], Rows: slices.Values(rows[1:])}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func certificatesCSV(t *testing.T, s *served, session string) [][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "证书.csv")
	s.run(exitOK, "issue", "list", session, "--csv", path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("a file with names in it has the mode %v: %v", info.Mode(), err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := bytes.CutPrefix(b, []byte("\ufeff"))
	if !ok {
		t.Error("no byte order mark: spreadsheets would misread it")
	}
	rows, err := csv.NewReader(bytes.NewReader(rest)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestIssueWaitsForTheServer: a server that goes away in the middle, answers 202
// and is restarted is waited for.
func TestIssueWaitsForTheServer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if len(body) > 0 {
			t.Errorf("rows are sent: %s", body)
		}
		rw.Header().Set("Content-Type", "application/json")
		b := registry.Batch{ID: "b-1", Session: "s-1", State: registry.BatchSigning, Total: 10, Allocated: 10, Signed: 5}
		switch asked.Add(1) {
		case 1:
			rw.WriteHeader(http.StatusAccepted)
		case 2:
			panic(http.ErrAbortHandler)
		default:
			b.State = registry.BatchPublished
		}
		if err := json.NewEncoder(rw).Encode(b); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	m := newMachine(t)
	m.env["BAJIGONG_KEY"] = "bjg_x_y"
	says(t, m.run(exitOK, "issue", "certificates", "s-1", "--server", server.URL), "已发布 10 份证书")
	says(t, m.errs.String(), "继续等待", "10/10")
}

func TestInterruptedIssueSaysThatItCanGoOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	m := newMachine(t)
	m.env["BAJIGONG_KEY"] = "bjg_x_y"
	if code := run(ctx, []string{"issue", "certificates", "s-1", "--server", server.URL}, m.world()); code != exitTemporary {
		t.Errorf("exit %d: %s", code, &m.errs)
	}
	says(t, m.errs.String(), "已中断")
}
