package standards

import (
	"strings"
	"testing"
)

func TestStarterNamesAreThoseOfTheClassification(t *testing.T) { // 职业分类大典（2022年版）
	facts := map[string]Occupation{}
	for _, o := range readAllOccupations(t) {
		facts[o.Code] = o
	}
	for _, o := range Starter().Occupations() {
		f, ok := facts[o.Code]
		if !ok || f.Name != o.Name || f.MinorName != o.MinorName || f.MiddleName != o.MiddleName || f.MajorName != o.MajorName ||
			f.MinorCode != o.MinorCode || f.MiddleCode != o.MiddleCode || f.MajorCode != o.MajorCode || f.Edition != o.Edition {
			t.Errorf("%+v\nis in the classification %+v", o, f)
		}
	}
}

func TestStarterIsWholeAndSaysWhatIsSample(t *testing.T) {
	list := Starter().Occupations()
	if len(list) < 30 {
		t.Error(len(list))
	}
	for _, o := range list {
		if o.Levels == 0 || o.MinorName == "" || o.MiddleName == "" || o.MajorName == "" {
			t.Errorf("%+v", o)
		}
		if r, ok := Restricted(o.Code); ok {
			t.Errorf("%s is of the 准入类", r.Name)
		}
		// Only these facts have a source (docs/sources.md).
		if !o.IsSample("levels") && o.Code != "4-04-04-02" {
			t.Errorf("levels of %s are not confirmed and not marked", o.Name)
		}
		if !o.IsSample("trades") && o.Code != "6-18-01-01" && o.Code != "4-04-05-05" {
			t.Errorf("trades of %s are not confirmed and not marked", o.Name)
		}
		for _, s := range o.Sample {
			if s != "levels" && s != "trades" {
				t.Errorf("%s: sample %q names no field", o.Name, s)
			}
		}
		for _, l := range o.Levels.Levels() {
			if !l.Examined() {
				t.Errorf("%s at %s", o.Name, l)
			}
			s, err := Starter().Standard(o.Code, "", l, today)
			if err != nil || len(s.Sample) == 0 {
				t.Errorf("%s %s: %v", o.Name, l, err)
			}
		}
	}
}

func TestPartsAreTheNationalDefault(t *testing.T) { // practice: each part 60 of 100, 综合评审 only at 二级 and 一级
	for _, l := range ExaminedLevels() {
		parts, err := Starter().Parts("6-31-01-03", "", l, today)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, p := range parts {
			kinds = append(kinds, string(p.Kind))
			if p.Pass != 60 {
				t.Errorf("%s %s: pass %v", l, p.Kind, p.Pass)
			}
		}
		want := "theory skill"
		if l >= Technician {
			want += " review"
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%s: %s", l, got)
		}
	}
}

func TestStandardSaysWhyThereIsNone(t *testing.T) {
	c := Starter()
	for _, x := range []struct {
		code, trade string
		level       Level
		on          Date
		want, zh    string
	}{
		{"6-31-01-99", "", Senior, today, "occupation_unknown", "目录中没有该职业"},
		{"4-07-05-01", "", Senior, today, "occupation_restricted", "该职业属准入类，须取得职业资格：保安员"},   // 国家职业资格目录（2021年版）, recalled
		{"4-07-05-03", "", Senior, today, "occupation_restricted", "消防设施操作员"},               // 国家职业资格目录（2021年版）, recalled
		{"4-04-04-02", "", Junior, today, "level_not_allowed", "网络与信息安全管理员不设五级/初级工，可评价等级为"}, // its 国家职业标准: 四级 to 一级 only
		{"4-04-04-02", "01", Junior, today, "level_not_allowed", "网络安全管理员"},
		{"6-31-01-03", "01", Senior, today, "trade_unknown", "没有工种"},
		{"6-18-01-01", "99", Senior, today, "trade_unknown", "数控车工"},
		{"6-31-01-03", "", SpecialTechnician, today, "level_not_examined", "评聘"},
		{"6-31-01-03", "", ChiefTechnician, today, "level_not_examined", "评聘"},
		{"6-31-01-03", "", Apprentice, today, "level_not_examined", "学徒工"},
		{"6-31-01-03", "", 0, today, "level_unknown", "等级"},
		{"6-31-01-03", "", Senior, "2018-12-31", "standard_not_in_force", "2018年12月31日"},
	} {
		_, err := c.Standard(x.code, x.trade, x.level, x.on)
		if e := wantCode(t, err, x.want); !strings.Contains(e.ZH, x.zh) {
			t.Errorf("%+v: %s", x, e.ZH)
		}
	}
	if s, err := c.Standard("6-18-01-01", "01", Senior, ""); err != nil || s.Occupation != "6-18-01-01" {
		t.Error(err)
	}
	if _, err := c.Standard("4-04-04-02", "", Intermediate, today); err != nil {
		t.Error(err)
	}
}

// TestLevelsMayDifferBetweenOccupationAndTrades: 贵金属首饰与宝玉石检测员 is examined
// at 五级 only as such, at 四级 to 一级 only in its trades (its 国家职业标准).
func TestLevelsMayDifferBetweenOccupationAndTrades(t *testing.T) {
	parts := map[Level][]Part{}
	for _, l := range ExaminedLevels() {
		parts[l] = []Part{{Theory, "理论", 60}}
	}
	c, err := NewCatalogue([]Occupation{{Code: "4-08-05-03", Name: "贵金属首饰与宝玉石检测员", Levels: LevelsOf(Junior), Trades: []Trade{{ID: "01", Name: "甲", Levels: LevelRange(Intermediate, SeniorTechnician)}}}},
		[]Standard{{Version: "2019", From: "2019-01-01", Parts: parts}, {Version: "2024", From: "2024-01-01", Parts: map[Level][]Part{Junior: {{Skill, "技能", 70}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Standard("4-08-05-03", "", Junior, "2023-12-31"); err != nil {
		t.Error(err)
	}
	wantCode(t, errOf(c.Standard("4-08-05-03", "", Senior, "2023-12-31")), "level_not_allowed")
	wantCode(t, errOf(c.Standard("4-08-05-03", "01", Junior, "2023-12-31")), "level_not_allowed")
	if s, err := c.Standard("4-08-05-03", "01", Senior, "2023-12-31"); err != nil || s.Version != "2019" {
		t.Error(err)
	}
	if s, err := c.Standard("4-08-05-03", "", Junior, "2024-01-01"); err != nil || s.Version != "2024" {
		t.Error(err)
	}
	wantCode(t, errOf(c.Standard("4-08-05-03", "01", Senior, "2024-01-01")), "level_not_allowed") // the newer version has no parts for it
	if o, err := c.Find(" 贵金属首饰与宝玉石检测员 "); err != nil || o.Code != "4-08-05-03" {
		t.Error(err)
	}
	if o, err := c.Find("４－08－05－03"); err != nil || o.Code != "4-08-05-03" {
		t.Error(err)
	}
	wantCode(t, errOf(c.Find("电工")), "occupation_unknown")
}

func TestNewCatalogueRefusesUnsoundData(t *testing.T) {
	ok := Occupation{Code: "6-31-01-03", Name: "电工", Levels: LevelsOf(Senior)}
	std := Standard{Version: "1", From: "2019-01-01", Parts: map[Level][]Part{Senior: {{Theory, "理论", 60}}}}
	if _, err := NewCatalogue([]Occupation{ok}, []Standard{std}); err != nil {
		t.Fatal(err)
	}
	with := func(f func(o *Occupation, s *Standard)) ([]Occupation, []Standard) {
		o, s := ok, std
		f(&o, &s)
		return []Occupation{o}, []Standard{s}
	}
	for i, f := range []func(o *Occupation, s *Standard){
		func(o *Occupation, _ *Standard) { o.Code = "6-31" },
		func(o *Occupation, _ *Standard) { o.Name = "" },
		func(o *Occupation, _ *Standard) { o.Trades = []Trade{{ID: "", Name: "甲"}} },
		func(o *Occupation, _ *Standard) { o.Trades = []Trade{{ID: "1", Name: "甲"}, {ID: "1", Name: "乙"}} },
		func(_ *Occupation, s *Standard) { s.Occupation = "6-31-01-04" },
		func(_ *Occupation, s *Standard) { s.From = "" },
		func(_ *Occupation, s *Standard) { s.Parts = map[Level][]Part{Senior: {{Theory, "理论", 0}}} },
		func(_ *Occupation, s *Standard) { s.Parts = map[Level][]Part{Senior: {{Theory, "理论", 101}}} },
		func(_ *Occupation, s *Standard) { s.Parts = map[Level][]Part{Senior: {{"oral", "口试", 60}}} },
		func(_ *Occupation, s *Standard) {
			s.Parts = map[Level][]Part{ChiefTechnician: {{Theory, "理论", 60}}}
		},
	} {
		if _, err := NewCatalogue(with(f)); err == nil {
			t.Errorf("case %d was accepted", i)
		}
	}
	if _, err := NewCatalogue([]Occupation{ok, ok}, nil); err == nil {
		t.Error("twice")
	}
	if _, err := NewCatalogue([]Occupation{ok}, []Standard{std, std}); err == nil {
		t.Error("two versions from one day")
	}
	if _, err := parseStarter([]byte(`{"edition":"2022","surprise":1}`)); err == nil {
		t.Error("unknown fields are refused")
	}
}
