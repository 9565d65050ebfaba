package standards

import (
	"strings"
	"testing"
)

// The spellings of levels that files, papers of 职业资格 and people have: 五级..一级
// and 初级工.., the face of 人社鉴发〔2021〕1号 “一级/高级技师”, “中级工(四级)”, traditional
// glyphs, full-width digits, and the numerals of accounts.
func TestSpellingsOfLevels(t *testing.T) {
	for s, want := range map[string]Level{
		"五级": Junior, "四级": Intermediate, "三级": Senior, "二级": Technician, "一级": SeniorTechnician,
		"初级工": Junior, "中级工": Intermediate, "高级工": Senior, "技师": Technician, "高级技师": SeniorTechnician,
		"一级/高级技师": SeniorTechnician, "二级／技师": Technician, "中级工(四级)": Intermediate, "中級工（四級）": Intermediate,
		"高級技師【一級】": 0, "初級工［五級］": Junior, "５": Junior, "４级": Intermediate, "３級": Senior, "国家职业资格２级": Technician,
		"國家職業資格一級": SeniorTechnician, "職業技能等級五級": Junior, "职业资格四级/中级技能": Intermediate, "国家职业资格三级（高级技能）": Senior,
		"叁级": Senior, "參級": Senior, "貳級/技師": Technician, "壹级": SeniorTechnician, "伍级(初级)": Junior, "肆級": Intermediate, "技术等级三级": Senior, "技術等級：三級": Senior,
		// 八级工资制 counted the other way round and is no level of today.
		"三级工": 0, "八级": 0, "六级工": 0, "叁叁级": 0, "助理技师": 0, "中级工三级": 0,
	} {
		got, err := ParseLevel(s)
		if (err == nil) != (want != 0) || err == nil && got != want {
			t.Errorf("%q: %s, %v; want %s", s, got, err, want)
		}
	}
}

func TestNormaliseTrade(t *testing.T) {
	for s, want := range map[string]string{
		"数控车工": "数控车工", "數控車工": "数控车工", " 数控 车工 ": "数控车工", "车工（数控）": "车工(数控)", "车工[数控]": "车工(数控)", "車工【數控】": "车工(数控)",
		"ＣＮＣ车工": "cnc车工", "--": "", "—": "", "无": "", "無": "", "無工種": "", "": "", "维修电工-初级": "维修电工初级", "机修钳工·装配": "机修钳工装配",
	} {
		if got := NormaliseTrade(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	seen := map[rune]rune{}
	glyphs := []rune(tradeGlyphs)
	for i := 0; i+1 < len(glyphs); i += 2 {
		if to, twice := seen[glyphs[i]]; twice && to != glyphs[i+1] {
			t.Errorf("%c stands for %c and %c", glyphs[i], to, glyphs[i+1])
		}
		seen[glyphs[i]] = glyphs[i+1]
	}
	for from, to := range seen {
		if again, ok := seen[to]; len(glyphs)%2 != 0 || ok && again != to {
			t.Errorf("%c leads on from %c", to, from)
		}
	}
}

func FuzzNormaliseTrade(f *testing.F) {
	for _, s := range []string{"數控車工（高級）", "--", "ＣＮＣ 车工", "无", "ﷺ", "Ⅲ·"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := NormaliseTrade(s)
		if NormaliseTrade(n) != n {
			t.Fatalf("%q: %q, again %q", s, n, NormaliseTrade(n))
		}
		if strings.ContainsAny(n, " \t-") {
			t.Fatalf("%q: %q", s, n)
		}
	})
}

func FuzzParseOtherNumber(f *testing.F) {
	for _, s := range []string{"苏-1", "1210003010362345", "T11010519491231002X", "11010519491231002X", "3.2E+17", "合字(2020)001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseOtherNumber(s)
		if err != nil {
			wantClear(t, err, strings.TrimSpace(s))
			return
		}
		back, err := ParseOtherNumber(n.Text)
		if err != nil || back.Text != n.Text || back.Kind != n.Kind || n.Kind != OtherNumber && !n.Personal() {
			t.Fatalf("%q: %q %s, again %q %s %v", s, n.Text, n.Kind, back.Text, back.Kind, err)
		}
	})
}
