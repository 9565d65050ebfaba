package evaluators_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"bajigong/evaluators"
)

func TestRegister(t *testing.T) {
	now := at("2026-03-02 09:00")
	in := evaluators.Institution{ID: "I7", Name: "示例评价中心", USCC: " 91350100m000100y43", Region: "350100"}
	got, err := evaluators.Register(in, now)
	if err != nil {
		t.Fatal(err)
	}
	if got.USCC != "91350100M000100Y43" || got.USCCWarning != nil {
		t.Errorf("code %q, warning %v", got.USCC, got.USCCWarning)
	}
	if len(got.Names) != 1 || got.Names[0].Name != "示例评价中心" || got.Names[0].From != "2026-03-02" || !got.Names[0].Recorded.Equal(now) {
		t.Errorf("names %+v", got.Names)
	}
	in.USCC = "91350100M000100Y44"
	if got, err = evaluators.Register(in, now); err != nil || got.USCCWarning == nil {
		t.Errorf("a failing check character must warn: %v, %v", got.USCCWarning, err)
	}
}

func TestRegisterNamesEveryFault(t *testing.T) {
	_, err := evaluators.Register(evaluators.Institution{Name: " 空格", USCC: "", Region: "990000"}, at("2026-03-02 09:00"))
	wantFields(t, err, "institution_invalid", "id missing", "name spaces", "region province", "uscc uscc_missing")
	_, err = evaluators.Register(evaluators.Institution{ID: "I\u0000", Name: strings.Repeat("长", 101), USCC: "91350100M000100Y43", Region: "3205"}, at("2026-03-02 09:00"))
	wantFields(t, err, "institution_invalid", "id characters", "name too_long", "region digits")
}

func TestRenameKeepsEveryNameOnItsDay(t *testing.T) {
	first := institution()
	second, err := first.Rename("昆山示例技能评价中心", "2026-06-01", at("2026-05-20 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	third, err := second.Rename("苏州示例技能评价中心", "2026-07-01", at("2026-08-01 09:00")) // recorded late
	if err != nil {
		t.Fatal(err)
	}
	if first.Name != "昆山示例职业培训学校" || len(first.Names) != 1 || len(second.Names) != 2 {
		t.Error("an earlier value changed")
	}
	one, _ := third.Rename("甲", "2026-09-01", at("2026-09-01 09:00"))
	two, _ := third.Rename("乙", "2026-09-01", at("2026-09-01 09:00"))
	if one.Names[3].Name != "甲" || two.Names[3].Name != "乙" {
		t.Error("two values share their history")
	}
	for _, c := range []struct{ on, known, want string }{
		{"2020-01-01", "2026-09-01 00:00", "昆山示例职业培训学校"},
		{"2026-05-31", "2026-09-01 00:00", "昆山示例职业培训学校"},
		{"2026-06-01", "2026-05-19 00:00", "昆山示例职业培训学校"},
		{"2026-06-01", "2026-06-01 00:00", "昆山示例技能评价中心"},
		{"2026-07-02", "2026-07-31 00:00", "昆山示例技能评价中心"},
		{"2026-07-02", "2026-08-01 09:00", "苏州示例技能评价中心"},
	} {
		if got := third.NameOn(dateOf(c.on), at(c.known)); got != c.want {
			t.Errorf("on %s as known %s: %s, want %s", c.on, c.known, got, c.want)
		}
	}
}

func TestRenameRefuses(t *testing.T) {
	now := at("2026-03-02 09:00")
	_, err := institution().Rename("昆山示例职业培训学校", "2026-02-30", now)
	wantFields(t, err, "rename_invalid", "name same", "from date")
	_, err = institution().Rename("", "2026-01-04", now)
	wantFields(t, err, "rename_invalid", "name missing", "from order")
}

func TestRecordsKeepTheirFormInJSON(t *testing.T) {
	d := decision("1", evaluators.ExitOrdered, cookOnly, "2026-05-01", at("2026-05-01 09:00").UTC())
	d.FinishSessions = []string{"S1"}
	f := filing()
	f.Recorded = f.Recorded.UTC()
	f.Ranges = []evaluators.SerialRange{{Year: 2026, Level: 4, First: 1, Last: 500}}
	b, err := json.Marshal([]any{f, d})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"class":"S"`, `"site":"058300"`, `"levels":["junior","intermediate","senior"],"until":"2026-12-31"`,
		`"ranges":[{"year":2026,"level":"senior","first":1,"last":500}]`,
		`"institution":"I1","filing":"F1","occupation":"4-03-02-01","kind":"exit_ordered","effective":"2026-05-01"`,
		`"finish_sessions":["S1"]`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("JSON lacks %s:\n%s", part, b)
		}
	}
	var back []json.RawMessage
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	var f2 evaluators.Filing
	var d2 evaluators.Decision
	if err := json.Unmarshal(back[0], &f2); err != nil || !reflect.DeepEqual(f, f2) {
		t.Errorf("filing came back as %+v (%v)", f2, err)
	}
	if err := json.Unmarshal(back[1], &d2); err != nil || !reflect.DeepEqual(d, d2) {
		t.Errorf("decision came back as %+v (%v)", d2, err)
	}
}
