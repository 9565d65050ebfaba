package evaluators_test

import (
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

func TestCheckScope(t *testing.T) {
	// An occupation that is examined up to 三级 itself, with one trade up to 二级;
	// one that is examined in its trades only; and one of which nothing is known.
	newest, _ := standards.Starter().Standard(cook, "", standards.Technician, "")
	newest.Occupation = ""
	c, err := standards.NewCatalogue([]standards.Occupation{
		{Code: cook, Name: "甲", Levels: standards.LevelRange(standards.Junior, standards.Senior),
			Trades: []standards.Trade{{ID: "01", Name: "甲一", Levels: standards.LevelRange(standards.Junior, standards.Technician)}}},
		{Code: welder, Name: "乙", Trades: []standards.Trade{{ID: "02", Name: "乙二", Levels: standards.LevelsOf(standards.Senior)}}},
		{Code: "4-03-02-03", Name: "丙"},
	}, []standards.Standard{newest})
	if err != nil {
		t.Fatal(err)
	}
	one := func(occupation, trade string, levels ...standards.Level) evaluators.ScopeItem {
		return evaluators.ScopeItem{Occupation: occupation, Trade: trade, Levels: standards.LevelsOf(levels...)}
	}
	for _, tc := range []struct {
		name string
		item evaluators.ScopeItem
		want string
	}{
		{"the occupation", one(cook, "", standards.Junior, standards.Senior), ""},
		{"a level of a trade under it", one(cook, "", standards.Technician), ""},
		{"a trade", one(cook, "01", standards.Technician), ""},
		{"examined in its trades only", one(welder, "", standards.Senior), ""},
		{"nothing known", one("4-03-02-03", "", standards.Senior), ""},
		{"no such occupation", one("4-03-02-99", "", standards.Junior, standards.Senior), "scope[0].occupation occupation_unknown"},
		{"准入类", one("4-07-05-01", "", standards.Junior, standards.Senior), "scope[0].occupation occupation_restricted"},
		{"no such trade", one(cook, "09", standards.Senior), "scope[0].trade trade_unknown"},
		{"no such level", one(cook, "", standards.Senior, standards.SeniorTechnician), "scope[0].levels level_not_allowed"},
		{"no such level of the trade", one(welder, "02", standards.Senior, standards.Technician), "scope[0].levels level_not_allowed"},
		{"appointed", one(cook, "", standards.ChiefTechnician), "scope[0].levels level_not_examined"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, f := range evaluators.CheckScope(c, []evaluators.ScopeItem{tc.item}) {
				got = append(got, f.Name+" "+f.Code)
				if f.ZH == "" || f.EN == "" {
					t.Errorf("%s %s has no text in one language", f.Name, f.Code)
				}
			}
			if joined(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}
