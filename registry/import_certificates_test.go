package registry_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const pastHeader = "姓名,证件类型,证件号码,所在单位,职业名称,工种名称,职业技能等级,证书编号,发证日期,评价机构,发证机构\n"

// pastLine is row i of a file of the past: 电工 三级 of 2023 under the site 058301.
func pastLine(i int) string {
	p := invented.PersonAt(i)
	return fmt.Sprintf("%s,201,%s,某某电子有限公司,电工,--,3,S000032058301233%06d,2023-05-10,第1职业技能评价中心,第1职业技能评价中心\n", p.Name, p.Document, i+1)
}

func pastFile(n int) string {
	var s strings.Builder
	s.WriteString(pastHeader)
	for i := range n {
		s.WriteString(pastLine(i))
	}
	return s.String()
}

type importing struct {
	registry.PastReport
	findings []registry.Finding
}

func mustImport(t testing.TB, e *registrytest.Env, by registry.Actor, csv string, dry bool) importing {
	t.Helper()
	var out importing
	var err error
	out.PastReport, err = e.ImportCertificates(context.Background(), by, registry.PastFile{File: strings.NewReader(csv), DryRun: dry,
		Finding: func(f registry.Finding) error { out.findings = append(out.findings, f); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if !out.Balanced() || out.Ended == nil {
		t.Fatalf("the report does not balance or has not ended: %+v", out.PastReport)
	}
	return out
}

// said is a finding in short: row bucket code columns.
func said(f registry.Finding) string {
	var columns []string
	for _, x := range f.Faults {
		columns = append(columns, x.Name+" "+x.Code)
	}
	return fmt.Sprintf("%d %s: %s", f.Row, f.Bucket, strings.Join(columns, ", "))
}

// mistaken is a file with every kind of mistake and collision, and what is to be
// said of its rows.
func mistaken() (csv string, want []string, counts registry.Counts) {
	a, b, c := invented.PersonAt(0), invented.PersonAt(1), invented.PersonAt(2)
	line := func(cells ...string) string { return strings.Join(cells, ",") + "\n" }
	n := func(serial int) string { return fmt.Sprintf("S000032058301233%06d", serial) }
	ok := pastLine(0)
	rows := []struct{ line, want string }{
		{ok, ""}, // 2
		{ok, ""}, // 3: already there
		{strings.Replace(ok, a.Name, "王不同", 1), "collision: 姓名 number_collision"},
		{line(b.Name, "201", b.Document, "某某电子有限公司", "电工", "--", "3", n(1), "2023-05-11", "第1职业技能评价中心", ""), "collision: 证件号码 number_collision, 姓名 number_collision, 发证日期 number_collision"},
		{strings.Replace(ok, n(1), n(7), 1), "imported: 证书编号 possible_duplicate"},
		{line(b.Name, "201", "3.20583E+17", "", "电工", "", "3", n(8), "2023-05-10", "某中心", ""), "refused: 证件号码 spreadsheet_number"},
		{line(b.Name, "201", b.Document[:17]+"?", "", "电工", "", "3", n(9), "2023-05-10", "某中心", ""), "refused: 证件号码 document_character"},
		{line("", "201", b.Document, "", "不存在的职业", "", "九级", n(10), "2023年13月1日", "", ""),
			"refused: 发证日期 date_nonexistent, 姓名 name_missing, 职业名称 occupation_unknown, 职业技能等级 level_unknown, 评价机构 length"},
		{line(b.Name, "201", b.Document, "", "电工", "", "4", n(11), "2022-05-10", "某中心", ""), "refused: 发证日期 number_year, 职业技能等级 number_level"},
		{line(b.Name, "201", b.Document, "", "电工", "", "3", "S00003205830X233000012", "2023-05-10", "某中心", ""), "refused: 证书编号 number_shape"},
		{line(b.Name, "201", b.Document, "", "电工", "", "3", n(13), "2033-05-10", "某中心", ""), "refused: 发证日期 date"},
		{line(b.Name, "201", b.Document, "", "电工", "矿山 维修工", "3", n(14), "45056", "", "某发证单位"), ""}, // 13: Excel's day number; only 发证机构
		{line(c.Name, "军官证", c.Document, "", "电工", "", "3", n(15), "2023-05-10", "某中心", "", "多一列"), "refused: L row_too_long"},
		{line(c.Name, "", c.Document, "", "6-31-01-03", "", "高级工（三级）", "1810000000301234", "2018-05-10", "某鉴定站", ""), ""},
		{line(c.Name, "", c.Document, "", "电工", "", "三级", "T"+c.Document, "2020-05-10", "某鉴定站", ""), ""},
		{line(b.Name, "", c.Document, "", "电工", "", "三级", "T"+c.Document, "2020-05-10", "某鉴定站", ""), "collision: 姓名 number_collision"},
		{line("\"" + c.Name), "refused:  sheet_quote"},
		{pastLine(30), ""},
	}
	var text strings.Builder
	text.WriteString(pastHeader)
	for i, row := range rows {
		text.WriteString(row.line)
		if row.want != "" {
			want = append(want, fmt.Sprintf("%d %s", i+2, row.want))
		}
	}
	return text.String(), want, registry.Counts{Imported: 6, AlreadyThere: 1, Collisions: 3, Refused: 8, Flagged: 1}
}

func TestEveryRowOfThePastEndsInOneBucket(t *testing.T) {
	csv, want, counts := mistaken()
	for _, encoding := range []string{"UTF-8", "GB18030"} {
		t.Run(encoding, func(t *testing.T) {
			e := registrytest.New(t)
			if encoding == "GB18030" {
				var err error
				if csv, err = simplifiedchinese.GB18030.NewEncoder().String(csv); err != nil {
					t.Fatal(err)
				}
			}
			for _, run := range []struct {
				what string
				dry  bool
			}{{"dry run", true}, {"first run", false}} {
				got := mustImport(t, e, registry.Operator(), csv, run.dry)
				var s []string
				for _, f := range got.findings {
					s = append(s, said(f))
				}
				if a, b := strings.Join(s, "\n"), strings.Join(want, "\n"); a != b {
					t.Fatalf("%s says\n%s\nwant\n%s", run.what, a, b)
				}
				if got.Counts != counts {
					t.Fatalf("%s: %+v, want %+v", run.what, got.Counts, counts)
				}
				text, err := json.Marshal(got.findings)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range []int{0, 1, 2, 30} {
					p := invented.PersonAt(i)
					if bytes.Contains(text, []byte(p.Name)) || bytes.Contains(text, []byte(p.Document)) || bytes.Contains(text, []byte(p.Document[:14])) {
						t.Fatalf("%s: the findings have personal data: %s", run.what, text)
					}
				}
			}
			again := mustImport(t, e, registry.Operator(), csv, false)
			if again.Imported != 0 || again.AlreadyThere != counts.Imported+counts.AlreadyThere || again.Run != 2 {
				t.Fatalf("the same file again: %+v", again.PastReport)
			}
		})
	}
}

func events(t testing.TB, e *registrytest.Env) uint64 {
	t.Helper()
	report, err := e.Check(context.Background(), registry.Operator(), nil)
	if err != nil || report.Found > 0 {
		t.Fatalf("check: %v, %v", err, report.Problems)
	}
	return report.Events
}

func TestAnInterruptedImportGoesOnWhereItStopped(t *testing.T) {
	e := registrytest.New(t)
	csv := strings.Replace(pastFile(1800), "2023-05-10", "2023年2月30日", 1) // the first row is refused
	ctx, cancel := context.WithCancel(context.Background())
	before := events(t, e)
	stopped, err := e.ImportCertificates(ctx, e.Authority, registry.PastFile{File: strings.NewReader(csv), Progress: func(done, total int) {
		if total != 1800 {
			t.Errorf("total %d", total)
		}
		if done >= 1000 {
			cancel()
		}
	}})
	if err == nil || !errors.Is(err, context.Canceled) || stopped.Ended != nil || stopped.Counts.Rows() != 1000 {
		t.Fatalf("%v, %+v", err, stopped)
	}
	var judged []int
	var findings []registry.Finding
	got, err := e.ImportCertificates(context.Background(), e.Authority, registry.PastFile{File: strings.NewReader(csv),
		Progress: func(done, _ int) { judged = append(judged, done) },
		Finding:  func(f registry.Finding) error { findings = append(findings, f); return nil }})
	if err != nil || !got.Balanced() || got.Resume != 1000 || got.Run != 1 || got.Counts != (registry.Counts{Imported: 1799, Refused: 1}) {
		t.Fatalf("%v, %+v", err, got)
	}
	if !slices.Equal(judged, []int{1500, 1800}) || len(findings) != 1 || findings[0].Row != 2 {
		t.Fatalf("judged %v, found %v", judged, findings)
	}
	if n := events(t, e) - before; n != 5 { // four pages and the end
		t.Errorf("%d events", n)
	}
	before = events(t, e)
	again := mustImport(t, e, e.Authority, csv, false)
	if again.Counts != (registry.Counts{AlreadyThere: 1799, Refused: 1}) || events(t, e) != before {
		t.Fatalf("a third run changed something: %+v", again)
	}
	// Part of it in another file is there already too.
	if part := mustImport(t, e, e.Authority, pastFile(40), false); part.Counts != (registry.Counts{Imported: 1, AlreadyThere: 39}) {
		t.Fatalf("%+v", part.Counts)
	}
}

func TestOnePersonOfTwoRowsIsOne(t *testing.T) {
	e := registrytest.New(t)
	second := strings.NewReplacer(",3,S000032058301233", ",4,S000032058301214", "2023-05-10", "2021-05-10").Replace(pastLine(5))
	mustImport(t, e, registry.Operator(), pastHeader+pastLine(5)+second, false)
	a, err := e.CertificateByNumber(context.Background(), e.Authority, "S000032058301233000006")
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.CertificateByNumber(context.Background(), e.Authority, "S000032058301214000006")
	if err != nil || a.Person != b.Person {
		t.Fatalf("%v: persons %s and %s", err, a.Person, b.Person)
	}
}

func TestAnImportedCertificateIsValidAndEntitlementIsNotAsserted(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1) // its site is 058301
	mustImport(t, e, registry.Operator(), pastFile(3), false)
	v, err := e.Lookup(context.Background(), registry.LookupQuery{Number: "S000032058301233000002", Name: invented.PersonAt(1).Name})
	if err != nil || !v.Valid || v.Certificate.Origin != "imported" {
		t.Fatalf("%v, %+v", err, v)
	}
	c, err := e.CertificateByNumber(context.Background(), by.Actor, "S000032058301233000002")
	if err != nil || c.Entitlement != nil || c.Origin != registry.OriginImported || c.Institution != by.Institution.ID || c.Filing != by.Filing.ID || c.Region != by.Institution.Region {
		t.Fatalf("%v, %+v", err, c.Certificate)
	}
	if _, err := e.Lookup(context.Background(), registry.LookupQuery{Number: "S000032058301233000002", Name: "王不同"}); err != nil {
		t.Fatal(err)
	}
	// It can be voided like any other, and not reissued here.
	if _, err := e.ChangeCertificate(context.Background(), e.Authority, c.Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社〔2026〕9号", Reason: "经查系伪造"}); err != nil {
		t.Fatal(err)
	}
	// The file says once more what it is: nothing of the decision is undone.
	if again := mustImport(t, e, registry.Operator(), pastFile(3), false); again.AlreadyThere != 3 {
		t.Fatalf("%+v", again.Counts)
	}
	if v, err = e.Lookup(context.Background(), registry.LookupQuery{Number: c.Number, Name: invented.PersonAt(1).Name}); err != nil || v.Valid {
		t.Fatalf("%v, %+v", err, v.Reasons)
	}
}

func TestImportedNumbersAreNeverGivenOutAgain(t *testing.T) {
	for _, order := range []string{"institution first", "certificates first", "backwards", "gap"} {
		t.Run(order, func(t *testing.T) {
			e := registrytest.New(t)
			var by registrytest.Issuer
			if order != "certificates first" {
				by = e.MustAdmit(1)
			}
			var lines []string
			for i := range 603 {
				if order == "gap" && i == 2 {
					continue
				}
				lines = append(lines, strings.NewReplacer("S00003205830123", "S00003205830126", "2023-05-10", "2026-01-10").Replace(pastLine(i)))
			}
			if order == "backwards" {
				slices.Reverse(lines)
			}
			mustImport(t, e, registry.Operator(), pastHeader+strings.Join(lines, ""), false)
			if order == "certificates first" {
				by = e.MustAdmit(1)
			}
			var got []string
			for _, c := range e.MustCertificates(by, 3000, 3003) {
				got = append(got, c.Number[16:])
			}
			want := "000604 000605 000606"
			if order == "gap" {
				want = "000003 000604 000605"
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("issued %s, want %s", s, want)
			}
		})
	}
}

func TestClaimsSeeImportedCertificates(t *testing.T) {
	e := newClaimEnv(t)
	recent := strings.NewReplacer("S00003205830123", "S00003205830126", "2023-05-10", "2026-01-10")
	mustImport(t, e.Env, registry.Operator(), strings.Replace(pastHeader, "\n", ",取得方式\n", 1)+strings.Replace(recent.Replace(pastLine(0)), "\n", ",考核\n", 1), false)
	again := e.issue(0, "6-31-01-03", standards.Senior) // the same person, occupation and level once more
	e.mustAnswer("imported", e.mustReserve(e.kunshan, e.request(0, "S000032058301263000001")), policy.Allow)
	e.mustAnswer("once more", e.mustReserve(e.other, e.request(0, again.Number)), policy.Deny, policy.OnceTaken)
}

func TestOnlyTheOperatorAndTheAuthorityOfAllImport(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	city := e.Authority
	city.Region = "320500"
	nation := e.Authority
	nation.Region = "000000"
	for _, c := range []struct {
		actor registry.Actor
		kind  fail.Kind
	}{{by.Actor, fail.Forbidden}, {city, fail.Forbidden}, {registry.Actor{}, fail.Unauthorized}, {nation, ""}, {e.Authority, ""}, {registry.Operator(), ""}} {
		_, err := e.ImportCertificates(context.Background(), c.actor, registry.PastFile{File: strings.NewReader(pastFile(1)), DryRun: true})
		if fail.KindOf(err) != c.kind {
			t.Errorf("%+v: %v", c.actor, err)
		}
	}
}

func TestWhatIsNoFileOfCertificates(t *testing.T) {
	e := registrytest.New(t)
	for csv, code := range map[string]string{"": "sheet_empty", pastHeader: "import_empty", "姓名,电话\n王,1\n": "sheet_header", "PK\x03\x04": "sheet_format"} {
		if _, err := e.ImportCertificates(context.Background(), registry.Operator(), registry.PastFile{File: strings.NewReader(csv)}); fail.CodeOf(err) != code {
			t.Errorf("%q: %v, want %s", csv, err, code)
		}
	}
}

// BenchmarkImportCertificates imports a file of b.N certificates of as many
// persons into a bbolt store that syncs.
func BenchmarkImportCertificates(b *testing.B) {
	e := newBenched(b, onBolt)
	csv := pastFile(b.N)
	b.SetBytes(int64(len(csv) / b.N))
	began := time.Now()
	b.ResetTimer()
	if got := mustImport(b, e.Env, registry.Operator(), csv, false); got.Imported != b.N {
		b.Fatalf("%+v", got.Counts)
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "rows/s")
}

// The functions of Updates run twice and more: nothing is counted or stored twice.
func TestImportsStandReruns(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(2)})
	csv, want, counts := mistaken()
	got := mustImport(t, e, registry.Operator(), csv, false)
	if got.Counts != counts || len(got.findings) != len(want) {
		t.Fatalf("%+v, %d findings", got.Counts, len(got.findings))
	}
	filed, _ := mustImportInstitutions(t, e, filedHeader+filedLine(1, "电工", "", "三级")+filedLine(2, "电工", "", "三级"), false)
	if filed.Imported != 2 {
		t.Fatalf("%+v", filed.Counts)
	}
}

// Rule files and keys aside, the store of an import has nothing readable of a person.
func TestAnImportLeavesNothingReadable(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt}) // its file is read
	csv, _, _ := mistaken()
	mustImport(t, e, registry.Operator(), csv, false)
	b, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 2, 30} {
		p := invented.PersonAt(i)
		for _, secret := range []string{p.Name, p.Document, "某某电子有限公司"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("the store has %q in clear", secret)
			}
		}
	}
}

func TestTwoImportsOfOneFileDoNothingTwice(t *testing.T) {
	e := registrytest.New(t)
	csv := pastFile(1200)
	pages := 0
	_, err := e.ImportCertificates(context.Background(), registry.Operator(), registry.PastFile{File: strings.NewReader(csv), Progress: func(done, _ int) {
		if pages++; done != 500 {
			return
		}
		if got := mustImport(t, e, e.Authority, csv, false); got.Resume != 500 || got.Imported != 1200 {
			t.Errorf("the second: %+v", got.PastReport)
		}
	}})
	if fail.CodeOf(err) != "import_moved" || pages != 1 {
		t.Fatalf("the first went on for %d pages: %v", pages, err)
	}
}

// The counter of serials stands behind what was imported, so that issuing does
// not pass over it one by one.
func TestTheSerialCounterMovesOn(t *testing.T) {
	e := registrytest.New(t)
	e.MustAdmit(1)
	mustImport(t, e, registry.Operator(), pastFile(1203), false)
	err := e.DB.View(context.Background(), func(rd kv.Reader) error {
		b, err := rd.Get("counters", kv.Key("serial", "S000032058301", uint64(2023), uint64(standards.Senior)))
		if len(b) != 8 || binary.BigEndian.Uint64(b) != 1204 {
			t.Errorf("the next serial is %x", b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkIssueBehindImported issues one certificate where b.N imported ones
// stand before the first free serial and the counter does not know of them.
func BenchmarkIssueBehindImported(b *testing.B) {
	e := registrytest.New(b, registrytest.Options{NoCheck: true})
	mustImport(b, e, registry.Operator(), strings.NewReplacer("S00003205830123", "S00003205830126", "2023-05-10", "2026-01-10").Replace(pastFile(b.N)), false)
	by := e.MustAdmit(1)
	s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(2_000_000, 2_000_001))
	b.ResetTimer()
	e.MustIssue(by, s.ID)
}

// BenchmarkImportCertificatesAgain compares a file that is there already.
func BenchmarkImportCertificatesAgain(b *testing.B) {
	e := newBenched(b, onBolt)
	csv := pastFile(b.N)
	mustImport(b, e.Env, registry.Operator(), csv, false)
	began := time.Now()
	b.ResetTimer()
	if got := mustImport(b, e.Env, registry.Operator(), csv, false); got.AlreadyThere != b.N {
		b.Fatalf("%+v", got.Counts)
	}
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "rows/s")
}

func TestImportedNumbersWithinGrantedRanges(t *testing.T) {
	e := registrytest.New(t)
	inst, err := e.AdmitInstitution(context.Background(), e.Authority, evaluators.Institution{Name: "第1职业技能评价中心", USCC: invented.USCC(1), Region: "320583"})
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for i := range 30 { // serials 1 to 30, without 23
		if i != 22 {
			lines.WriteString(strings.NewReplacer("S00003205830123", "S00003205830126", "2023-05-10", "2026-01-10").Replace(pastLine(i)))
		}
	}
	mustImport(t, e, registry.Operator(), pastHeader+lines.String(), false)
	today := standards.DateOf(e.Clock.Now())
	by := registrytest.Issuer{Institution: inst, Actor: registry.Actor{Account: "a-" + inst.ID, Organisation: inst.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: inst.Region}}
	by.Filing, err = e.RecordFiling(context.Background(), e.Authority, evaluators.Filing{Institution: inst.ID, Class: evaluators.Social, Code: evaluators.ProvincialCode, Province: "32", Site: "058301",
		Authority: "320000", From: today, Until: today.AddDays(900), Scope: registrytest.Scope(), Document: "苏人社备〔2026〕1号",
		Ranges: []evaluators.SerialRange{{Year: 2026, Level: standards.Senior, First: 5, Last: 10}, {Year: 2026, Level: standards.Senior, First: 21, Last: 40}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range e.MustCertificates(by, 3000, 3003) {
		got = append(got, c.Number[16:])
	}
	if s := strings.Join(got, " "); s != "000023 000031 000032" {
		t.Errorf("issued %s", s)
	}
}
