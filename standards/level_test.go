package standards

import (
	"encoding/json"
	"testing"
)

func TestLevelsByTheirNames(t *testing.T) { // 人社鉴发〔2021〕1号 (face), 人社鉴发〔2019〕2号 (digits)
	for _, c := range []struct {
		l                 Level
		certificate, code string
		digit             byte
	}{
		{Apprentice, "学徒工", "apprentice", 0},
		{Junior, "五级/初级工", "junior", '5'},
		{Intermediate, "四级/中级工", "intermediate", '4'},
		{Senior, "三级/高级工", "senior", '3'},
		{Technician, "二级/技师", "technician", '2'},
		{SeniorTechnician, "一级/高级技师", "senior_technician", '1'},
		{SpecialTechnician, "特级技师", "special_technician", 0},
		{ChiefTechnician, "首席技师", "chief_technician", 0},
	} {
		d, ok := c.l.Digit()
		if c.l.Certificate() != c.certificate || c.l.Code() != c.code || d != c.digit || ok != (c.digit != 0) {
			t.Errorf("%d: %s %s %c", c.l, c.l.Certificate(), c.l.Code(), d)
		}
		if back, ok := LevelOfDigit(d); ok != (c.digit != 0) || ok && back != c.l {
			t.Errorf("digit %c gives %s", d, back)
		}
		if c.l.English() == "" || c.l.Examined() != ok || c.l.Appointed() != (c.l > SeniorTechnician) {
			t.Errorf("%s: english %q examined %v appointed %v", c.l, c.l.English(), c.l.Examined(), c.l.Appointed())
		}
	}
	if Senior <= Intermediate || Level(0).Valid() || Level(9).Valid() || Level(9).Certificate() != "" || Level(0).String() != "none" {
		t.Error("order or validity")
	}
}

func TestParseLevelReadsWhatPeopleWrite(t *testing.T) {
	for s, want := range map[string]Level{
		"三级": Senior, "高级工": Senior, "三级/高级工": Senior, "高级工(三级)": Senior, "高级工（三级）": Senior, "高級工（三級）": Senior,
		"高级工三级": Senior, "三级高级工": Senior, "高级": Senior, "3": Senior, "３": Senior, "3级": Senior, "Ⅲ级": Senior, "Ⅲ": Senior, "senior": Senior, " Senior skilled worker ": Senior,
		"国家职业资格三级": Senior, "职业技能等级三级": Senior, "高级技能": Senior, "三 级 / 高 级 工": Senior, "level 3": Senior,
		"技师": Technician, "二级/技师": Technician, "技师(二级)": Technician, "技師": Technician, "2": Technician,
		"高级技师": SeniorTechnician, "一级/高级技师": SeniorTechnician, "高級技師": SeniorTechnician, "一级": SeniorTechnician, "Ⅰ级": SeniorTechnician, "senior_technician": SeniorTechnician, "Senior technician": SeniorTechnician,
		"中级工(四级)": Intermediate, "四级": Intermediate, "Ⅳ级": Intermediate,
		"初级工": Junior, "五级": Junior, "初级": Junior, "Ⅴ级": Junior,
		"学徒工": Apprentice, "學徒工": Apprentice, "学徒": Apprentice,
		"特级技师": SpecialTechnician, "特級技師": SpecialTechnician, "特级": SpecialTechnician, "首席技师": ChiefTechnician, "chief_technician": ChiefTechnician,
	} {
		if got, err := ParseLevel(s); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", s, got, err, want)
		}
	}
	for s, code := range map[string]string{
		"": "level_missing", "　": "level_missing", "六级": "level_unknown", "6": "level_unknown", "0": "level_unknown", "八级工": "level_unknown", "等级": "level_unknown", "33": "level_unknown", "高级工高级工": "level_unknown",
		"三级/技师": "level_conflict", "高级工(四级)": "level_conflict", "高级技师三级": "level_conflict", "vi": "level_conflict", "优秀": "level_unknown", "高级经理": "level_unknown",
	} {
		_, err := ParseLevel(s)
		wantCode(t, err, code)
	}
}

func TestEveryLevelIsReadInEveryOneOfItsOwnForms(t *testing.T) {
	for _, l := range Levels() {
		forms := []string{l.Certificate(), l.Name(), l.Code(), l.English()}
		if l.Grade() != "" {
			d, _ := l.Digit()
			forms = append(forms, l.Grade(), l.Name()+"("+l.Grade()+")", l.Grade()+l.Name(), string(d))
		}
		for _, f := range forms {
			if got, err := ParseLevel(f); err != nil || got != l {
				t.Errorf("%q: %s %v", f, got, err)
			}
		}
	}
}

func TestLevelJSON(t *testing.T) {
	type doc struct {
		Level  Level           `json:"level"`
		Levels LevelSet        `json:"levels"`
		By     map[Level]int   `json:"by"`
		None   Level           `json:"none"`
		Empty  LevelSet        `json:"empty"`
		Ptr    *LevelNumber    `json:"ptr"`
		Date   Date            `json:"date"`
		Dates  map[string]Date `json:"dates"`
	}
	in := doc{Level: Senior, Levels: LevelsOf(Senior, Junior), By: map[Level]int{Technician: 1}, Date: "2025-06-30"}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"level":"senior","levels":["junior","senior"],"by":{"technician":1},"none":"","empty":[],"ptr":null,"date":"2025-06-30","dates":null}`
	if string(b) != want {
		t.Fatalf("got  %s\nwant %s", b, want)
	}
	var out doc
	if err := json.Unmarshal(b, &out); err != nil || out.Level != in.Level || out.Levels != in.Levels || out.By[Technician] != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	for _, bad := range []string{`{"level":"三级"}`, `{"level":"Senior"}`, `{"levels":["x"]}`, `{"level":3}`, `{"date":"2025-02-30"}`, `{"date":"2025-6-30"}`} {
		if json.Unmarshal([]byte(bad), &doc{}) == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestLevelSet(t *testing.T) {
	s := LevelRange(Junior, Senior)
	if !s.Has(Junior) || !s.Has(Senior) || s.Has(Technician) || s.Has(0) || s.Has(Level(200)) || s.Chinese() != "五级/初级工、四级/中级工、三级/高级工" {
		t.Error(s, s.Chinese())
	}
	if !s.Contains(LevelsOf(Senior)) || s.Contains(LevelsOf(Senior, Technician)) || LevelsOf(0, 9) != 0 {
		t.Error("contains")
	}
}
