package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

const filedHeader = "机构名称,统一社会信用代码,行政区划,机构类别,评价机构代码,省级代码,机构序列码,备案机关,备案文号,备案开始日期,备案截止日期,职业名称,工种,等级\n"

// filedLine is a row of institution n: dates 2021 to 2024, which have passed.
func filedLine(n int, occupation, trade, levels string) string {
	return fmt.Sprintf("第%d职业技能评价中心,%s,320583,S,0000,32,%06d,320000,苏人社备〔2021〕%d号,2021-01-01,2023-12-31,%s,%s,%s\n", n, invented.USCC(n), 58300+n, n, occupation, trade, levels)
}

func mustImportInstitutions(t testing.TB, e *registrytest.Env, csv string, dry bool) (out importing, said []string) {
	t.Helper()
	var err error
	out.PastReport, err = e.ImportInstitutions(context.Background(), registry.Operator(), registry.PastFile{File: strings.NewReader(csv), DryRun: dry,
		Finding: func(f registry.Finding) error {
			out.findings = append(out.findings, f)
			said = append(said, saidOf(f))
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if !out.Balanced() || out.Ended == nil {
		t.Fatalf("the report does not balance or has not ended: %+v", out.PastReport)
	}
	return out, said
}

func saidOf(f registry.Finding) string { return said(f) }

func TestInstitutionsFiledForYearsAreTakenOver(t *testing.T) {
	e := registrytest.New(t)
	csv := filedHeader + filedLine(1, "电工", "", "五级、四级、三级") + filedLine(1, "4-10-01-05", "", "5-3") + filedLine(2, "电工", "--", "五级/初级工；四级/中级工") +
		strings.NewReplacer("2021-01-01,2023-12-31", "2024.1.1,2026年12月31日", "〔2021〕", "〔2024〕").Replace(filedLine(2, "电工", "", "三级"))
	for _, dry := range []bool{true, false} {
		if got, said := mustImportInstitutions(t, e, csv, dry); got.Counts != (registry.Counts{Imported: 4}) {
			t.Fatalf("%+v: %v", got.Counts, said)
		}
	}
	list, _, err := e.Institutions(context.Background(), registry.Page{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %d institutions", err, len(list))
	}
	for _, inst := range list {
		want := map[string]int{"第1职业技能评价中心": 1, "第2职业技能评价中心": 2}[inst.Name]
		if len(inst.Filings) != want || !inst.Filings[0].Recorded.Equal(e.Clock.Now()) {
			t.Errorf("%s has %d filings, want %d, recorded now", inst.Name, len(inst.Filings), want)
		}
		if inst.Name == "第1职业技能评价中心" && (len(inst.Filings[0].Scope) != 2 || inst.Filings[0].Scope[0].Levels != standards.LevelRange(standards.Junior, standards.Senior)) {
			t.Errorf("scope %+v", inst.Filings[0].Scope)
		}
	}
	if got, said := mustImportInstitutions(t, e, csv, false); got.Counts != (registry.Counts{AlreadyThere: 4}) {
		t.Fatalf("the same file again: %+v %v", got.Counts, said)
	}
	// A filing that has expired entitles to nothing now; what was issued under it is
	// attributed to it and not asserted.
	inst := list[slices.IndexFunc(list, func(i registry.Institution) bool { return i.Name == "第1职业技能评价中心" })]
	by := registry.Actor{Account: "a", Organisation: inst.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: inst.Region}
	if _, err := e.PlanSession(context.Background(), by, registry.NewSession{Name: "补录", Filing: inst.Filings[0].ID, Occupation: "6-31-01-03", Level: standards.Senior,
		ExamDate: standards.DateOf(e.Clock.Now()).AddDays(3)}); fail.CodeOf(err) != "not_entitled" {
		t.Errorf("an expired filing plans a session: %v", err)
	}
	mustImport(t, e, registry.Operator(), pastFile(1), false)
	c, err := e.CertificateByNumber(context.Background(), by, "S000032058301233000001")
	if err != nil || c.Filing != inst.Filings[0].ID || c.Entitlement != nil {
		t.Errorf("%v, %+v", err, c.Certificate)
	}
}

func TestEveryMistakeOfAFiling(t *testing.T) {
	swap := func(line string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(line) }
	ok := func(n int) string { return filedLine(n, "电工", "", "三级") }
	rows := []struct{ line, want string }{
		{ok(11), ""}, // 2
		{ok(11), ""}, // 3: the same once more
		{filedLine(12, "电工", "", "三级"), "refused: 备案文号 filing_refused"},
		{filedLine(12, "不存在", "", "三级"), "refused: 职业名称 occupation_unknown"},
		{filedLine(13, "电工", "没有的工种", "九级"), "refused: 工种 trade_unknown, 等级 level_unknown"},
		{swap(ok(14), invented.USCC(14), "91320583MA000014"), "refused: 统一社会信用代码 uscc_length"},
		{swap(ok(15), ",S,0000,", ",J,0,"), "refused: 机构类别 class, 评价机构代码 digits"},
		{swap(ok(16), "2023-12-31", "2020-12-31"), "refused: 备案截止日期 order"},
		{swap(ok(17), "2023-12-31", "2023-02-30"), "refused: 备案截止日期 date_nonexistent"},
		{ok(17), "refused: 备案文号 filing_refused"}, // 11: the row before may be of this filing
		{swap(ok(18), ",320000,", ",330000,"), "refused: 备案机关 province"},
		{swap(ok(1), "第1职业", "改名职业", "2021-01-01,2023-12-31", "2018-01-01,2020-12-31"), "imported: 机构名称 name_differs"},
		{swap(ok(1), "2021-01-01,2023-12-31", "2026-01-01,2027-01-01"), "collision: 机构序列码 filing_overlaps"},
		{swap(ok(19), "058319", "058301"), "collision: 机构序列码 number_parts_taken"},
		{swap(ok(20), "058320", "058311"), "collision: 机构序列码 number_parts_taken"}, // with row 2 of this file
		{swap(ok(21), "〔2021〕21号", "〔2021〕22号") + "", ""},
		{ok(21), "refused: 备案文号 filing_differs"},
		{swap(ok(22), "\n", ",多\n"), "refused: O row_too_long"},
		{filedLine(23, "保安员", "", "三级"), "refused: 职业名称 occupation_restricted"},
	}
	rows[15].want = "refused: 备案文号 filing_refused"
	var csv strings.Builder
	var want []string
	csv.WriteString(filedHeader)
	for i, row := range rows {
		csv.WriteString(row.line)
		if row.want != "" {
			want = append(want, fmt.Sprintf("%d %s", i+2, row.want))
		}
	}
	e := registrytest.New(t)
	e.MustAdmit(1) // has a filing from today on
	guards, err := standards.ReadOccupations(strings.NewReader("code,name,minor_code,minor_name,middle_code,middle_name,major_code,major_name\n4-07-05-01,保安员,4-07-05,甲,4-07,乙,4,丙\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.ImportOccupations(context.Background(), registry.Operator(), guards); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		got, said := mustImportInstitutions(t, e, csv.String(), dry)
		if a, b := strings.Join(said, "\n"), strings.Join(want, "\n"); a != b {
			t.Fatalf("dry %t says\n%s\nwant\n%s", dry, a, b)
		}
		if got.Counts != (registry.Counts{Imported: 2, AlreadyThere: 1, Collisions: 3, Refused: 13, Flagged: 1}) {
			t.Errorf("%+v", got.Counts)
		}
	}
	// Another scope under the same parts and dates is a collision.
	if _, said := mustImportInstitutions(t, e, filedHeader+filedLine(11, "电工", "", "四级"), false); strings.Join(said, "") != "2 collision: 职业名称 filing_collision" {
		t.Errorf("%v", said)
	}
}

func TestAnInterruptedImportOfInstitutionsIsRunAgain(t *testing.T) {
	e := registrytest.New(t)
	var csv strings.Builder
	csv.WriteString(filedHeader)
	for n := range 20 {
		csv.WriteString(filedLine(n+1, "电工", "", "三级"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	got, err := e.ImportInstitutions(ctx, e.Authority, registry.PastFile{File: strings.NewReader(csv.String()), Progress: func(done, _ int) {
		if done == 7 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || got.Ended != nil || got.Imported != 7 {
		t.Fatalf("%v, %+v", err, got)
	}
	if again, _ := mustImportInstitutions(t, e, csv.String(), false); again.Counts != (registry.Counts{Imported: 13, AlreadyThere: 7}) {
		t.Fatalf("%+v", again.Counts)
	}
}

func TestAnImportedNameOfAnOccupationCanBeFiled(t *testing.T) {
	e := registrytest.New(t)
	list, err := standards.ReadOccupations(strings.NewReader("code,name,minor_code,minor_name,middle_code,middle_name,major_code,major_name\n1-01-00-01,某某负责人,1-01-00,甲,1-01,乙,1,丙\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.ImportOccupations(context.Background(), registry.Operator(), list); err != nil {
		t.Fatal(err)
	}
	if got, said := mustImportInstitutions(t, e, filedHeader+filedLine(1, "某某负责人", "", "三级"), false); got.Imported != 1 {
		t.Fatalf("%v", said)
	}
	if got := mustImport(t, e, registry.Operator(), pastHeader+strings.Replace(pastLine(0), "电工", "某某负责人", 1), false); got.Imported != 1 {
		t.Fatalf("%v", got.findings)
	}
}
