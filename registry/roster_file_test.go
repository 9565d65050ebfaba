package registry_test

import (
	"slices"
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

const rosterHead = "姓名,证件号码,单位代码,人员类别,申报依据,申报依据文号,工作起止,工作证明,原证书等级,原证书编号,原证书日期,职称,职称日期,毕业院校类别,班级类别,毕业日期,专业\n"

func TestReadRoster(t *testing.T) {
	rows, err := registry.ReadRoster(strings.NewReader(rosterHead+
		"张伟,11010519491231002X,91350100M000100Y43,农民工,破格,苏人社破〔2026〕1号,2015.3.1～2018-05-31；2019年1月1日至今,劳动合同,四级/中级工,1610000000400123,2016-05-01,中级职称,2020-01-01,技师学院,技师班,2012-07-01,相关专业\n"+
		"李娜,11010519491231002X,,,,,,,,,,,,,,,\n"), "6-31-01-03")
	if err != nil {
		t.Fatal(err)
	}
	r := rows[0]
	if r.Row != 2 || r.Employer != "91350100M000100Y43" || r.Group != "农民工" || r.Basis.Kind != eligibility.Exceptional || r.Basis.Document == "" {
		t.Errorf("%+v", r)
	}
	if w := r.Record.Work; len(w) != 2 || w[0].From != "2015-03-01" || w[0].Until != "2018-05-31" || w[1].From != "2019-01-01" || w[1].Until != "" || w[0].Kind != eligibility.Contract {
		t.Errorf("work %+v", r.Record.Work)
	}
	if c := r.Record.Certificates; len(c) != 1 || c[0].Kind != eligibility.Qualification || c[0].Level != standards.Intermediate || c[0].Issued != "2016-05-01" {
		t.Errorf("certificate %+v", c)
	}
	if r.Record.Titles[0].Rank != eligibility.MidTitle || r.Record.Diplomas[0].Class != eligibility.TechnicianClass || r.Record.Diplomas[0].Field != eligibility.RelatedField {
		t.Errorf("title and diploma %+v %+v", r.Record.Titles, r.Record.Diplomas)
	}
	if r = rows[1]; r.Basis.Kind != eligibility.Normal || len(r.Record.Work)+len(r.Record.Certificates)+len(r.Record.Titles)+len(r.Record.Diplomas) != 0 {
		t.Errorf("an empty row %+v", r)
	}
}

func TestReadRosterNamesEveryMistake(t *testing.T) {
	_, err := registry.ReadRoster(strings.NewReader(rosterHead+
		"张伟,11010519491231002X,,,越权,,2015年,口头,九级,1610000000400123,2016-13-01,大师,,幼儿园,,,\n"), "6-31-01-03")
	var got []string
	for _, f := range fail.Of(err).Fields {
		if f.Row != 2 || f.ZH == "" || f.EN == "" {
			t.Errorf("field %+v", f)
		}
		got = append(got, f.Name)
	}
	for _, want := range []string{"申报依据", "工作起止", "原证书等级", "原证书日期", "职称", "毕业院校类别", "专业"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not named in %v", want, got)
		}
	}
}

func FuzzReadRoster(f *testing.F) {
	f.Add(rosterHead + "张伟,11010519491231002X,,,,,2015.3.1～2018-05-31；2019-01-01~,,三级,S000032058300253000001,2020-01-01,,,,,,\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := registry.ReadRoster(strings.NewReader(text), "6-31-01-03")
		if err != nil && len(rows) > 0 {
			t.Error("rows beside an error")
		}
		if fail.KindOf(err) == fail.Internal && err != nil {
			t.Errorf("an error nobody is told: %v", err)
		}
	})
}
