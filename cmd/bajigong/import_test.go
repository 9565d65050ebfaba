package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
)

func TestThePastIsTakenOver(t *testing.T) {
	m := newStore(t)
	filed := "机构名称,统一社会信用代码,行政区划,机构类别,评价机构代码,省级代码,机构序列码,备案机关,备案文号,备案开始日期,备案截止日期,职业名称,工种,等级\n" +
		fmt.Sprintf("某某评价中心,%s,320583,S,0000,32,058301,320000,苏人社备〔2021〕1号,2021-01-01,2023-12-31,电工,,五级、四级、三级\n", invented.USCC(1))
	institutions := file(t, "机构.csv", filed)
	m.run(exitOK, "import", "institutions", institutions, "--dry-run")
	says(t, m.errs.String(), "试导入", "导入 imported")
	m.run(exitOK, "import", "institutions", institutions)
	m.run(exitOK, "import", "institutions", institutions)

	var text strings.Builder
	text.WriteString("姓名,证件类型,证件号码,所在单位,职业名称,工种名称,职业技能等级,证书编号,发证日期,评价机构,发证机构\n")
	for i := range 600 {
		p := invented.PersonAt(i)
		fmt.Fprintf(&text, "%s,201,%s,其他,电工,--,3,S000032058301233%06d,2023-05-10,某某评价中心,某某评价中心\n", p.Name, p.Document, i+1)
	}
	csv := file(t, "证书.csv", text.String()+"甲,201,1,,电工,,3,S000032058301233009999,2023-05-10,某某评价中心,\n")
	report := filepath.Join(t.TempDir(), "report.json")
	m.run(exitNo, "import", "certificates", csv, "--report", report)
	says(t, m.errs.String(), "601")
	var got struct {
		registry.PastReport
		Findings []registry.Finding `json:"findings"`
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if !got.Balanced() || got.Imported != 600 || got.Refused != 1 || len(got.Findings) != 1 || got.Findings[0].Row != 602 || len(got.SHA256) != 64 || got.Ended == nil {
		t.Fatalf("%s", b)
	}
	says(t, m.run(exitNo, "import", "certificates", csv), "第 602 行 证件号码", "不符 refused")
	m.run(exitOK, "import", "certificates", file(t, "a.csv", text.String()))
	m.run(exitOK, "check")

	m.run(exitNotFound, "import", "certificates", "none.csv")
	m.run(exitInvalid, "import", "certificates", institutions, "--report", report+"2")
	if _, err := os.Stat(report + "2.new"); err == nil {
		t.Error("a file that was refused as a whole left a report")
	}
	m.run(exitUsage, "import", "certificates")
}
