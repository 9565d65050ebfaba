package registry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// batchAsk is how most tests ask: by the sample policy, with the facts' sources.
func (e *claimEnv) batchAsk() registry.ClaimBatchAsk {
	return registry.ClaimBatchAsk{Policy: "sample-2026", Source: "昆山社保", At: e.Clock.Now(), Reference: "SB-9"}
}

// batchRow is one row of a test's file.
type batchRow struct {
	reference, certificate, document, name, received, insured string
}

func rowOf(i int, number string) batchRow {
	p := invented.PersonAt(i)
	return batchRow{reference: fmt.Sprintf("R-%d-%s", i, number[len(number)-4:]), certificate: number, document: p.Document, name: p.Name, insured: "是"}
}

var batchHeader = []string{"流水号", "证书编号", "证件号码", "姓名", "受理日期", "参保"}

func (r batchRow) cells() []string {
	return []string{r.reference, r.certificate, r.document, r.name, r.received, r.insured}
}

func asCSV(rows []batchRow) []byte {
	var out strings.Builder
	out.WriteString(strings.Join(batchHeader, ",") + "\n")
	for _, r := range rows {
		out.WriteString(strings.Join(r.cells(), ",") + "\n")
	}
	return []byte(out.String())
}

func asXLSX(t testing.TB, rows []batchRow) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := sheet.WriteXLSX(&out, sheet.Table{Name: "申领", Header: batchHeader, Rows: func(yield func([]string) bool) {
		for _, r := range rows {
			if !yield(r.cells()) {
				return
			}
		}
	}}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// asLines has an empty first line, so that rows have the numbers that they have in
// a table under its header.
func asLines(t testing.TB, rows []batchRow) []byte {
	t.Helper()
	var out strings.Builder
	for _, r := range rows {
		b, err := json.Marshal(map[string]any{"reference": r.reference, "certificate": r.certificate, "document": r.document, "name": r.name, "received": r.received,
			"insured": map[string]any{"是": true, "否": false}[r.insured]})
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n" + string(b))
	}
	return []byte(out.String())
}

// check runs a whole file.
func (e *claimEnv) check(by registry.Actor, file []byte, ask registry.ClaimBatchAsk, run string) ([]registry.ClaimBatchLine, []byte, registry.ClaimBatch, error) {
	e.T.Helper()
	j, err := e.OpenClaimBatch(ctx, by, registry.ClaimBatchFile{File: bytes.NewReader(file), Ask: ask, Run: run})
	if err != nil {
		return nil, nil, registry.ClaimBatch{}, err
	}
	defer j.Close(ctx)
	var all []byte
	b, err := j.Run(ctx, func(lines []byte) error {
		all = append(all, lines...)
		return nil
	})
	return batchLinesOf(e.T, all), all, b, err
}

func (e *claimEnv) mustCheckFile(by registry.Actor, file []byte) ([]registry.ClaimBatchLine, []byte, registry.ClaimBatch) {
	e.T.Helper()
	lines, all, b, err := e.check(by, file, e.batchAsk(), "")
	if err != nil {
		e.T.Fatalf("check file: %v", err)
	}
	return lines, all, b
}

func batchLinesOf(t testing.TB, all []byte) (out []registry.ClaimBatchLine) {
	t.Helper()
	for line := range bytes.Lines(all) {
		var l registry.ClaimBatchLine
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, l)
	}
	return out
}

func (e *claimEnv) mustLine(l registry.ClaimBatchLine, outcome string, reasons ...policy.Reason) {
	e.T.Helper()
	if string(l.Outcome) != outcome || !slices.Equal(l.Reasons, append([]policy.Reason{}, reasons...)) || l.Next == (policy.Text{}) {
		e.T.Errorf("row %d: %s %v %+v, want %s %v", l.Row, l.Outcome, l.Reasons, l.Problems, outcome, reasons)
	}
}

// holds gives person i certificates from elsewhere of several occupations, which the
// sample policy pays for one by one.
func (e *claimEnv) holds(i int, occupations ...string) (numbers []string) {
	e.T.Helper()
	p := invented.PersonAt(i)
	for _, o := range occupations {
		e.refs++
		n := e.issuer.Filing.Number(2025, standards.Senior, 100000+e.refs).Format()
		if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: n, Name: p.Name, Document: p.Document, Occupation: o,
			Level: standards.Senior, Issued: "2025-12-01", InstitutionName: "某职业技能评价中心"}}); err != nil {
			e.T.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

var fourTrades = []string{"6-31-01-03", "4-10-01-05", "6-18-02-04", "4-03-02-01"}

func TestFileIsDecidedRowByRow(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	good, paid := e.issue(1, "6-31-01-03", standards.Senior), e.issue(2, "6-31-01-03", standards.Senior)
	e.mustReserve(e.other, e.request(2, paid.Number))
	wrongName, poor, badRow, future := rowOf(1, good.Number), rowOf(1, good.Number), rowOf(1, good.Number), rowOf(1, good.Number)
	wrongName.name, wrongName.reference = "李四", "W"
	poor.insured, poor.reference = "", "P"
	badRow.certificate, badRow.document, badRow.reference = "X", "123", ""
	future.received, future.reference = string(standards.DateOf(e.Clock.Now()).AddDays(1)), "F"
	lines, all, b := e.mustCheckFile(e.kunshan, asCSV([]batchRow{poor, rowOf(1, good.Number), rowOf(2, paid.Number), wrongName, badRow, future}))
	e.mustLine(lines[0], "hold", policy.FactMissing)
	e.mustLine(lines[1], "allow")
	e.mustLine(lines[2], "deny", policy.OnceTaken, policy.CertificateUsed)
	e.mustLine(lines[3], "deny", registry.NoMatch)
	e.mustLine(lines[4], "invalid")
	e.mustLine(lines[5], "invalid")
	if lines[1].Amount != 260000 || lines[1].Row != 3 || lines[1].SameCertificate != 2 || lines[1].Policy != "sample-2026" {
		t.Errorf("allowed: %+v", lines[1])
	}
	for _, f := range lines[2].Failing {
		if len(f.Blocks) != 1 || f.Blocks[0].Own || f.Blocks[0].Claim != "" {
			t.Errorf("another payer's claim is told: %+v", f.Blocks)
		}
	}
	var fields []string
	for _, p := range lines[4].Problems {
		fields = append(fields, fmt.Sprintf("%s %d", p.Name, p.Row))
	}
	if !slices.Contains(fields, "document 6") {
		t.Errorf("problems of row 6: %v", fields)
	}
	if p := lines[5].Problems; len(p) != 1 || p[0].Name != "received" || p[0].Row != 7 {
		t.Errorf("received tomorrow: %+v", p)
	}
	if want := (registry.ClaimBatchCounts{Allow: 1, Deny: 2, Hold: 1, Invalid: 2, Amount: 260000}); b.ClaimBatchCounts != want || b.Done != 6 || b.Ended == nil {
		t.Errorf("run: %+v", b)
	}
	// The same answers as one by one.
	for i, q := range []registry.ClaimRequest{e.request(1, good.Number), e.request(2, paid.Number)} {
		one, err := e.CheckClaim(ctx, e.kunshan, q)
		if err != nil || string(one.Outcome) != string(lines[i+1].Outcome) || !slices.Equal(one.Reasons, lines[i+1].Reasons) || one.Decision.Amount != lines[i+1].Amount {
			t.Errorf("one by one: %+v, %v", one, err)
		}
	}
	// Nothing personal is answered, stored in clear or logged.
	for _, i := range []int{1, 2} {
		p := invented.PersonAt(i)
		for what, text := range map[string]string{"answers": string(all), "run": asJSON(t, b)} {
			if strings.Contains(text, p.Document) || strings.Contains(text, p.Name) {
				t.Errorf("%s name person %d", what, i)
			}
		}
	}
	if sum := sha256.Sum256(all); hex.EncodeToString(sum[:]) != b.Results {
		t.Error("the hash of the results is not that of the lines")
	}
}

// 每人每年不超过 3 次 (示例政策 2026 第七条): the fourth row of a person is refused though
// nothing of the file is reserved, and it names the rows before it.
func TestRowsOfOnePersonReckonWithEachOther(t *testing.T) {
	e := newClaimEnv(t)
	var rows []batchRow
	for _, n := range e.holds(5, fourTrades...) {
		rows = append(rows, rowOf(5, n))
	}
	held := rowOf(5, rows[0].certificate)
	held.insured, held.reference = "", "held"
	again := rowOf(5, rows[1].certificate)
	again.reference = "again"
	lines, _, b := e.mustCheckFile(e.kunshan, asCSV([]batchRow{held, rows[0], rows[1], again, rows[2], rows[3]}))
	e.mustLine(lines[0], "hold", policy.FactMissing) // not allowed: counts for nothing
	e.mustLine(lines[1], "allow")
	e.mustLine(lines[2], "allow")
	e.mustLine(lines[3], "deny", policy.OnceTaken, policy.CertificateUsed)
	e.mustLine(lines[4], "allow")
	e.mustLine(lines[5], "deny", policy.FrequencyReached)
	if !slices.Equal(lines[3].EarlierRows, []int{4}) || lines[3].SameCertificate != 4 {
		t.Errorf("the same certificate again: %+v", lines[3])
	}
	if !slices.Equal(lines[5].EarlierRows, []int{3, 4, 6}) {
		t.Errorf("the fourth: earlier rows %v", lines[5].EarlierRows)
	}
	if len(lines[5].Failing) != 1 {
		t.Fatalf("the fourth: %+v", lines[5])
	}
	f := lines[5].Failing[0]
	if !strings.Contains(f.Detail.ZH, "本文件第3行") || !strings.Contains(f.Detail.EN, "row 3 of this file") || len(f.Blocks) != 0 || f.Clause == "" {
		t.Errorf("the fourth: %+v", f)
	}
	if b.Repeated != 2 {
		t.Errorf("repeated %d", b.Repeated)
	}
	// Reserved in this order the register says the same.
	var got []string
	for _, i := range []int{1, 2, 4, 5} {
		q := e.request(5, []string{"", rows[0].certificate, rows[1].certificate, "", rows[2].certificate, rows[3].certificate}[i])
		got = append(got, string(e.mustReserve(e.kunshan, q).Outcome))
	}
	if !slices.Equal(got, []string{"allow", "allow", "allow", "deny"}) {
		t.Errorf("reserved: %v", got)
	}
}

// The rows of one person stand far apart: what the first page allowed the second
// reckons with, also when the run was interrupted between them.
func TestProvisionalClaimsCrossPages(t *testing.T) {
	e := newClaimEnv(t)
	numbers := e.holds(5, fourTrades...)
	rows := []batchRow{rowOf(5, numbers[0]), rowOf(5, numbers[1])}
	for i := range 600 { // nobody knows them
		rows = append(rows, rowOf(1000+i, e.issuer.Filing.Number(2024, standards.Senior, 200000+i).Format()))
	}
	rows = append(rows, rowOf(5, numbers[2]), rowOf(5, numbers[3]))
	file := asCSV(rows)
	whole, _, _ := e.mustCheckFile(e.kunshan, file)
	last := whole[len(whole)-1]
	e.mustLine(last, "deny", policy.FrequencyReached)
	if !slices.Equal(last.EarlierRows, []int{2, 3, 604}) {
		t.Errorf("earlier rows %v", last.EarlierRows)
	}

	j, err := e.OpenClaimBatch(ctx, e.kunshan, registry.ClaimBatchFile{File: bytes.NewReader(file), Ask: e.batchAsk()})
	if err != nil {
		t.Fatal(err)
	}
	cut := errors.New("who asked went away")
	var first []byte
	if _, err := j.Run(ctx, func(lines []byte) error {
		first = lines
		return cut
	}); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	run := j.ClaimBatch()
	// As after a crash: the turn is not given back, and runs out.
	if _, _, _, err := e.check(e.kunshan, file, e.batchAsk(), run.ID); fail.CodeOf(err) != "batch_running" {
		t.Fatalf("while another call has the turn: %v", err)
	}
	ask := e.batchAsk()
	e.Clock.Add(registry.LeaseTime + time.Second)
	// What was answered is not decided anew.
	if _, err := e.ReserveClaim(ctx, e.other, e.request(5, numbers[0])); err != nil {
		t.Fatal(err)
	}
	lines, all, b, err := e.check(e.kunshan, file, ask, run.ID)
	if err != nil || b.ID != run.ID || b.Done != len(rows) || b.Ended == nil {
		t.Fatalf("%+v, %v", b, err)
	}
	e.mustLine(lines[0], "allow")
	e.mustLine(lines[len(lines)-1], "deny", policy.FrequencyReached)
	if len(first) == 0 || !bytes.HasPrefix(all, first) {
		t.Error("the first page was answered anew")
	}
	if b.TreeFrom >= b.TreeSize {
		t.Errorf("the log grew between the pages: %d to %d", b.TreeFrom, b.TreeSize)
	}
	j.Close(ctx) // the first call wakes up again
	if _, again, c, err := e.check(e.kunshan, file, ask, run.ID); err != nil || !bytes.Equal(again, all) || c.Decision != b.Decision {
		t.Errorf("asked once more: %v", err)
	}
}

func TestRunGoesOnWithItsOwnFileOnly(t *testing.T) {
	e := newClaimEnv(t)
	file := asCSV([]batchRow{rowOf(5, e.holds(5, fourTrades[0])[0])})
	_, all, b := e.mustCheckFile(e.kunshan, file)
	ask := e.batchAsk()
	other := ask
	other.Source = "另一来源"
	for name, c := range map[string]struct {
		by   registry.Actor
		file []byte
		ask  registry.ClaimBatchAsk
		run  string
		code string
	}{
		"another file":    {e.kunshan, append(slices.Clone(file), '\n'), ask, b.ID, "batch_other_file"},
		"another default": {e.kunshan, file, other, b.ID, "batch_other_question"},
		"another payer":   {e.other, file, ask, b.ID, "not_found"},
		"no run":          {e.kunshan, file, ask, "cb-0", "not_found"},
		"nobody":          {registry.Actor{}, file, ask, "", "key_required"},
		"an institution":  {e.issuer.Actor, file, ask, "", "not_allowed"},
		"no policy":       {e.kunshan, file, registry.ClaimBatchAsk{}, "", "batch_question"},
		"policy unknown":  {e.kunshan, file, registry.ClaimBatchAsk{Policy: "x"}, "", "policy_not_found"},
		"empty":           {e.kunshan, asCSV(nil), ask, "", "batch_empty"},
		"no table":        {e.kunshan, []byte("%PDF-1.7"), ask, "", "sheet_format"},
		"header":          {e.kunshan, []byte("姓名,开户行\n张三,中国银行\n"), ask, "", "sheet_header"},
	} {
		if _, _, _, err := e.check(c.by, c.file, c.ask, c.run); fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := e.ClaimBatchByID(ctx, e.kunshan, b.ID); err != nil || got.Decision != b.Decision {
		t.Errorf("own run: %v", err)
	}
	if _, err := e.ClaimBatchByID(ctx, e.other, b.ID); fail.KindOf(err) != fail.NotFound {
		t.Errorf("another payer sees it: %v", err)
	}
	if list, _, err := e.ClaimBatches(ctx, e.kunshan, registry.Page{}); err != nil || len(list) != 1 {
		t.Errorf("a refused file left a run: %d, %v", len(list), err)
	}
	if list, _, err := e.ClaimBatches(ctx, e.other, registry.Page{}); err != nil || len(list) != 0 {
		t.Errorf("another payer's list: %d, %v", len(list), err)
	}

	var again []byte
	keep := func(lines []byte) error {
		again = append(again, lines...)
		return nil
	}
	e.Clock.Add(registry.ClaimBatchLife - time.Second)
	if _, err := e.ClaimBatchResults(ctx, e.kunshan, b.ID, keep); err != nil || !bytes.Equal(again, all) {
		t.Errorf("on the last day: %v", err)
	}
	e.Clock.Add(time.Second)
	if _, err := e.ClaimBatchResults(ctx, e.kunshan, b.ID, keep); fail.CodeOf(err) != "batch_expired" {
		t.Errorf("after 30 days: %v", err)
	}
	if err := e.ForgetClaimBatches(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := e.ClaimBatchByID(ctx, e.kunshan, b.ID); err != nil || !got.Gone || got.Results != b.Results {
		t.Errorf("what remains: %+v, %v", got, err)
	}
	if _, _, _, err := e.check(e.kunshan, file, ask, b.ID); fail.CodeOf(err) != "batch_expired" {
		t.Errorf("continued after 30 days: %v", err)
	}
}

func TestSameFileInThreeForms(t *testing.T) {
	e := newClaimEnv(t)
	numbers := e.holds(5, fourTrades...)
	rows := []batchRow{rowOf(5, numbers[0]), rowOf(5, numbers[1]), rowOf(5, numbers[2]), rowOf(5, numbers[3]), rowOf(6, numbers[0])}
	rows[1].received = string(standards.DateOf(e.Clock.Now()).AddDays(-3))
	rows[2].insured = "否"
	rows[3].document = "x"
	rows[4].reference = rows[0].reference
	var want []byte
	for form, file := range map[registry.ClaimBatchFormat][]byte{registry.ClaimBatchCSV: asCSV(rows), registry.ClaimBatchXLSX: asXLSX(t, rows), registry.ClaimBatchLines: asLines(t, rows)} {
		lines, all, b := e.mustCheckFile(e.kunshan, file)
		if b.Format != form {
			t.Errorf("%s is taken for %s", form, b.Format)
		}
		e.mustLine(lines[0], "allow")
		e.mustLine(lines[1], "allow")
		e.mustLine(lines[2], "deny", policy.FactNotMet)
		e.mustLine(lines[3], "invalid")
		e.mustLine(lines[4], "invalid")
		if p := lines[4].Problems; len(p) != 1 || p[0].Code != "reference_repeated" || !slices.Equal(lines[4].EarlierRows, []int{2}) {
			t.Errorf("%s: the same reference: %+v", form, lines[4])
		}
		// The three runs come one after another: only the log is longer each time.
		all = bytes.ReplaceAll(all, fmt.Appendf(nil, `"tree_size":%d`, b.TreeSize), []byte(`"tree_size":0`))
		if want == nil {
			want = all
		}
		if !bytes.Equal(all, want) {
			t.Errorf("%s:\n%s\nwant\n%s", form, all, want)
		}
	}
}

// Facts with sources of their own, and what makes a line or a whole file wrong.
func TestLinesWithFactsOfTheirOwn(t *testing.T) {
	e := newClaimEnv(t)
	p, n := invented.PersonAt(5), e.holds(5, fourTrades[0])[0]
	line := func(more string) []byte {
		return []byte(`{"证书编号":"` + n + `","document":"` + p.Document + `","name":"` + p.Name + `"` + more + `}`)
	}
	fact := `,"facts":{"insured":{"value":"yes","source":"市社保","at":"2026-03-01T00:00:00Z","reference":"1"}}`
	lines, _, _, err := e.check(e.kunshan, line(fact), registry.ClaimBatchAsk{Policy: "sample-2026"}, "")
	if err != nil {
		t.Fatal(err)
	}
	e.mustLine(lines[0], "allow")
	for more, code := range map[string]string{
		`,"insured":"yes"`:                           "facts.insured", // no source anywhere
		`,"insured":{"value":"yes"}`:                 "insured",
		`,"facts":{"insured":{"wert":"yes"}}`:        "facts",
		`,"received":20260301`:                       "received",
		`,"at":"gestern","source":"x","insured":"是"`: "at",
	} {
		lines, _, _, err := e.check(e.kunshan, line(more), registry.ClaimBatchAsk{Policy: "sample-2026"}, "")
		if err != nil || lines[0].Outcome != registry.BatchInvalid || lines[0].Problems[0].Name != code || lines[0].Problems[0].Row != 1 {
			t.Errorf("%s: %+v, %v", more, lines, err)
		}
	}
	for bad, at := range map[string]string{
		`,"bank":"1"`: "bank", `,"policy":"x"`: "policy", `,"name":"x"`: "line", `,"姓名":"x"`: "姓名", `,`: "line", `}{`: "line", "\"a\u0000b\":1": "line",
		`,"reference":"a\u0000"`: "reference", `,"11010519491231002X":1`: "?",
	} {
		_, _, _, err := e.check(e.kunshan, append(line(""), append([]byte("\n"), line(bad)...)...), registry.ClaimBatchAsk{Policy: "sample-2026"}, "")
		if fs := fail.Of(err).Fields; fail.CodeOf(err) != "batch_lines" || len(fs) != 1 || fs[0].Name != at || fs[0].Row != 2 {
			t.Errorf("%s: %v %+v", bad, err, fs)
		}
	}
}

func TestRowsAndBytesAreBounded(t *testing.T) {
	e := newClaimEnv(t)
	row := rowOf(5, e.issuer.Filing.Number(2024, standards.Senior, 1).Format())
	row.reference = ""
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"rows":  {asCSV(slices.Repeat([]batchRow{row}, registry.ClaimBatchMaxRows+1)), "sheet_rows"},
		"lines": {asLines(t, slices.Repeat([]batchRow{row}, registry.ClaimBatchMaxRows+1)), "batch_rows"},
		"bytes": {bytes.Repeat([]byte("x"), registry.ClaimBatchMaxBytes+1), "file_too_large"},
		"line":  {[]byte(`{"name":"` + strings.Repeat("张", 30_000) + `"}`), "batch_lines"},
	} {
		if _, _, _, err := e.check(e.kunshan, c.file, e.batchAsk(), ""); fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// randomRows mixes rows that are right with every way in which they can be wrong.
func randomRows(random *rand.Rand, people int, numbers map[int][]string, foreign []string, n int) []batchRow {
	var out []batchRow
	for i := range n {
		person := random.IntN(people)
		number := foreign[random.IntN(len(foreign))]
		if own := numbers[person]; len(own) > 0 && random.IntN(8) > 0 {
			number = own[random.IntN(len(own))]
		}
		row := rowOf(person, number)
		row.reference = fmt.Sprintf("N-%d", i)
		switch random.IntN(16) {
		case 0:
			row.name = "王五"
		case 1:
			row.document = invented.PersonAt(person + 1).Document
		case 2:
			row.insured = ""
		case 3:
			row.insured = "否"
		case 4:
			row.received = "2025-04-01"
		case 5:
			row.received = "2024-01-01" // more than a year ago
		case 6:
			row.certificate = "?"
		case 7:
			row.reference = "N-0"
		}
		out = append(out, row)
	}
	return out
}

// gatherMany reads ahead what gatherClaim reads one by one, and nothing else.
func TestGatheringManyIsGatheringOneByOne(t *testing.T) {
	e := newClaimEnv(t)
	numbers, foreign := map[int][]string{}, []string{e.issuer.Filing.Number(2024, standards.Senior, 1).Format(), "T" + invented.PersonAt(3).Document}
	for i, c := range e.MustCertificates(e.issuer, 0, 30) {
		numbers[i] = append(numbers[i], c.Number)
		foreign = append(foreign, c.Number)
	}
	for i := 0; i < 40; i += 3 {
		numbers[i] = append(numbers[i], e.holds(i, fourTrades[i%3:]...)...)
	}
	for i := range 15 {
		a := e.mustReserve([]registry.Actor{e.kunshan, e.other}[i%2], e.request(i, numbers[i][0]))
		if a.Claim != nil && i%3 == 0 {
			if _, err := e.ConfirmClaim(ctx, []registry.Actor{e.kunshan, e.other}[i%2], a.Claim.ID, registry.Payment{Reference: fmt.Sprint("pay ", i),
				PaidOn: standards.DateOf(e.Clock.Now()), Amount: a.Claim.Amount}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A batch that is not public.
	hidden := e.MustPublicise(e.issuer, e.MustPlan(e.issuer), registrytest.CSV(30, 33))
	if _, err := e.StartBatchOnly(ctx, e.issuer.Actor, hidden.ID); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, ask := range []registry.ClaimBatchAsk{e.batchAsk(), {Fund: "skill_uplift", Source: "x", At: e.Clock.Now(), Reference: "1"}} {
		file := asCSV(randomRows(random, 42, numbers, foreign, 400))
		rows, matched, differ, err := e.GatherBoth(ctx, e.kunshan, file, ask)
		if err != nil || rows < 100 || matched < 50 {
			t.Fatalf("%d rows, %d with a certificate, %v\n%s", rows, matched, err, file[:600])
		}
		for _, d := range differ {
			t.Error(d)
		}
	}
}

func TestSignedDecisionOverTheFile(t *testing.T) {
	e := newClaimEnv(t)
	file := asCSV([]batchRow{rowOf(5, e.holds(5, fourTrades[0])[0]), rowOf(6, "11112222333344")})
	_, all, b := e.mustCheckFile(e.kunshan, file)
	keys := e.Keys.Public()
	d, err := credentials.OpenDecisionBatch(b.Decision, keys, jws.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sum, results := sha256.Sum256(file), sha256.Sum256(all)
	if d.File != hex.EncodeToString(sum[:]) || d.Results != hex.EncodeToString(results[:]) || d.Run != b.ID || d.Payer != "ks-payer" || d.Issuer != registrytest.Origin ||
		d.Rows != 2 || d.Allow != 1 || d.Amount != 260000 || len(d.Policies) != 1 || len(d.Policies[0].Digest) != 64 || d.TreeSize == 0 {
		t.Errorf("%+v", d)
	}
	for _, p := range []int{5, 6} {
		if person := invented.PersonAt(p); strings.Contains(fmt.Sprintf("%+v", d), person.Document) {
			t.Error("a person is named")
		}
	}
	for i := range len(b.Decision) {
		for _, c := range []byte{b.Decision[i] ^ 1, b.Decision[i] ^ 4, 'A', '-', '='} {
			if c == b.Decision[i] {
				continue
			}
			bad := []byte(b.Decision)
			bad[i] = c
			if _, err := credentials.OpenDecisionBatch(string(bad), keys, jws.Limits{}); err == nil {
				t.Fatalf("byte %d as %q opens", i, c)
			}
		}
	}
	// One event, which has nothing of the file's hash in it.
	err = e.DB.View(ctx, func(rd kv.Reader) error {
		entry, err := auditlog.ReadEntry(rd, b.LogIndex)
		if err != nil {
			return err
		}
		if text := string(entry.Event); !strings.Contains(text, b.ID) || !strings.Contains(text, b.Results) || strings.Contains(text, b.File) {
			t.Errorf("the event is %s", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzReadClaimBatch(f *testing.F) {
	p := invented.PersonAt(1)
	f.Add([]byte("流水号,证书编号,证件号码,姓名,受理日期,参保\nA,S000032058301263000001," + p.Document + "," + p.Name + ",2026-03-01,是\n"))
	f.Add([]byte(`{"reference":"A","certificate":"S000032058301263000001","document":"` + p.Document + `","name":"` + p.Name + `","insured":true,"insured_months":12}` + "\n\n{}"))
	f.Add([]byte(`{"` + p.Document + `":1,"facts":{"insured":{"value":"yes"}}}`))
	f.Add([]byte(`{"reference":"` + p.Document + `","certificate":"` + p.Document + `","subject":{"kind":"pre_job"}}`))
	f.Add([]byte(`{"certificate":"00000000` + p.Document + `"}`))
	f.Add([]byte(p.Document + "," + p.Name)) // a file without its header
	f.Add([]byte("\xEF\xBB\xBF {\"a\":{\"b\":[1,2,{}]}}\r\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ask := registry.ClaimBatchAsk{Policy: "sample-2026", Source: "x", Reference: "1", At: time.Unix(1773968400, 0)}
		format, rows, wrong, leaks, err := registry.ReadClaimBatch(data, ask)
		if leaks != "" {
			t.Fatalf("%s: an identity number would be shown", format)
		}
		if err != nil {
			if k := fail.KindOf(err); k != fail.Invalid && k != fail.TooLarge {
				t.Fatalf("%s: %v", format, err)
			}
			return
		}
		if rows == 0 || rows > registry.ClaimBatchMaxRows || wrong > rows {
			t.Fatalf("%s: %d rows, %d wrong", format, rows, wrong)
		}
	})
}
