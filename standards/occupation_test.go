package standards

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"

	"bajigong/internal/needed"
)

func readAllOccupations(t *testing.T) []Occupation {
	t.Helper()
	list, err := ReadOccupations(bytes.NewReader(needed.Shared(t, "..", "data/occupations-2022.csv")))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReadOccupationsReadsTheWholeClassification(t *testing.T) { // 职业分类大典（2022年版）: 1639 细类
	list := readAllOccupations(t)
	major := map[string]int{}
	for _, o := range list {
		major[o.MajorCode]++
		for _, s := range []string{o.Name, o.MinorName, o.MiddleName, o.MajorName} {
			if strings.ContainsAny(s, " 　（）") {
				t.Errorf("%s: %q", o.Code, s)
			}
		}
	}
	want := map[string]int{"1": 25, "2": 492, "3": 36, "4": 356, "5": 54, "6": 671, "7": 4, "8": 1}
	if len(list) != 1639 || !reflect.DeepEqual(major, want) {
		t.Errorf("%d occupations, %v", len(list), major)
	}
	var b bytes.Buffer
	if err := WriteOccupations(&b, list); err != nil {
		t.Fatal(err)
	}
	back, err := ReadOccupations(&b)
	if err != nil || !reflect.DeepEqual(back, list) {
		t.Error("write and read differ", err)
	}
}

const head = "code,name,minor_code,minor_name,middle_code,middle_name,major_code,major_name\n"

func TestReadOccupationsNamesEveryBadRow(t *testing.T) {
	list, err := ReadOccupations(strings.NewReader("\uFEFF" + head + "6-31-01-03, 电　工 ,6-31-01,通用 机械（维修）,6-31,生产辅助,6,生产制造\n"))
	if err != nil || list[0].Name != "电工" || list[0].MinorName != "通用机械(维修)" || list[0].Edition != "2022" {
		t.Fatalf("%+v %v", list, err)
	}
	for in, want := range map[string]string{"IT  运维": "IT运维", "UI UX": "UI UX", "A 1": "A 1", "数 控\u200b": "数控", "Ａ 工": "A工"} {
		if got := classText(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if plainText("a\u2028b", 9) || plainText("a\uFFFDb", 9) || plainText("", 9) || plainText("电工", 1) || !plainText("电工", 2) {
		t.Error("plainText")
	}
	e := wantCode(t, errOf(ReadOccupations(strings.NewReader(head+
		"6-31-01-03,电工,6-31-01,维修,6-31,辅助,6,生产\n"+ // 2
		"6-31-01-3,钳工,6-31-01,维修,6-31,辅助,6,生产\n"+ // 3 code
		"\n"+
		"6-31-01-03,车工,6-31-01,维修,6-31,辅助,6,生产\n"+ // 5 code twice
		"6-31-01-04,电工,6-31-01,维修,6-31,辅助,6,生产\n"+ // 6 name twice
		"6-31-01-05,焊工,6-31-02,维修,6-31,辅助,6,生产\n"+ // 7 group code
		"6-31-01-06,铣工,6-31-01,别的,6-31,辅助,6,生产\n"+ // 8 group name
		"6-31-01-07,,6-31-01,维修,6-31,辅助,6,生产\n"+ // 9 no name
		"6-31-01-08,刨工\n"+ // 10 columns
		"6-31-01-09,磨\uE000工,6-31-01,维修,6-31,辅助,6,生产\n"+ // 11 private use
		"9-31-01-09,镗工,9-31-01,维修,9-31,辅助,9,生产\n", // 12 code
	))), "occupations_invalid")
	got := map[int]string{}
	for _, f := range e.Fields {
		got[f.Row] = f.Name + " " + f.Code
	}
	want := map[int]string{3: "code occupation_code", 5: "code occupation_twice", 6: "name occupation_twice", 7: "minor_code occupation_group", 8: "minor_name occupation_group",
		9: "name occupation_name", 10: " table_columns", 11: "name occupation_name", 12: "code occupation_code"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !strings.HasPrefix(e.ZH, "第 10 行：") && !strings.HasPrefix(e.ZH, "第 3 行：") {
		t.Error(e.ZH)
	}
	for in, code := range map[string]string{
		head: "occupations_invalid", "": "table_unreadable", "code,name\n": "table_header", head + "6-31-01-03,\"电\n工\",6-31-01,维修,6-31,辅助,6,生产\n": "table_unreadable",
	} {
		wantCode(t, errOf(ReadOccupations(strings.NewReader(in))), code)
	}
	_, err = ReadOccupations(io.MultiReader(strings.NewReader(head), strings.NewReader(strings.Repeat("x", 9<<20))))
	if err == nil || !strings.Contains(err.Error(), "table_too_large") {
		t.Error(err)
	}
}

func TestParseOccupationCode(t *testing.T) {
	for in, want := range map[string]string{"6-31-01-03": "6-31-01-03", " 6－31－01－03 ": "6-31-01-03", "6—31—01—03": "6-31-01-03"} {
		if got, err := ParseOccupationCode(in); err != nil || got != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	for in, code := range map[string]string{"": "occupation_code_missing", "6-31-1-3": "occupation_code", "6310103": "occupation_code", "9-31-01-03": "occupation_code", "6-31-01-03-01": "occupation_code"} {
		wantCode(t, errOf(ParseOccupationCode(in)), code)
	}
}

func TestFindTrade(t *testing.T) {
	lathe, _ := Starter().Occupation("6-18-01-01")
	for in, want := range map[string]string{"数控车工": "01", "01": "01", " 普通 车工": "02", "": "", "--": "", "——": "", "无": "", "车工": ""} {
		if got, err := lathe.FindTrade(in); err != nil || got.ID != want {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	e := wantCode(t, errOf(lathe.FindTrade("数控铣工")), "trade_unknown")
	if !strings.Contains(e.ZH, "数控车工、普通车工") {
		t.Error(e.ZH)
	}
	electrician, _ := Starter().Occupation("6-31-01-03")
	wantCode(t, errOf(electrician.FindTrade("维修电工")), "trade_unknown")
	if lathe.TradeText("") != "--" || lathe.TradeText("01") != "数控车工" || lathe.TradeText("99") != "99" {
		t.Error("TradeText")
	}
}
