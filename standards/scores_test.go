package standards

import (
	"math"
	"testing"
)

func TestPassed(t *testing.T) { // practice: every part has its own pass mark
	parts, err := Starter().Parts("6-31-01-03", "", Technician, today)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scores Scores
		ok     bool
		short  int
	}{
		{Scores{Theory: 60, Skill: 60, Review: 60}, true, 0},
		{Scores{Theory: 59.99, Skill: 60, Review: 60}, false, 1},
		{Scores{Theory: 90, Skill: 90}, false, 1}, // 综合评审 forgotten
		{Scores{Theory: 59, Skill: 90}, false, 2},
		{Scores{Theory: math.NaN(), Skill: 60, Review: 60}, false, 1},
		{Scores{Theory: 101, Skill: 60, Review: 60}, false, 1},
		{nil, false, 3},
	} {
		ok, short := Passed(parts, c.scores)
		if ok != c.ok || len(short) != c.short {
			t.Errorf("%v: %v %v", c.scores, ok, short)
		}
		for _, s := range short {
			if s.Chinese() == "" || s.English() == "" {
				t.Error(s)
			}
		}
	}
	if ok, _ := Passed(nil, Scores{Theory: 100}); ok {
		t.Error("without parts nothing is passed")
	}
	_, short := Passed(parts[:2], Scores{Theory: 58.5})
	if short[0].Chinese() != "理论知识考试 58.5 分，低于合格分 60 分" || short[1].Chinese() != "技能考核无成绩" {
		t.Error(short[0].Chinese(), short[1].Chinese())
	}
	if u := Unexpected(parts[:2], Scores{Theory: 1, Review: 80}); len(u) != 1 || u[0] != Review {
		t.Error(u)
	}
}

func TestParseScore(t *testing.T) {
	for in, want := range map[string]float64{"60": 60, "59.5": 59.5, "100": 100, "0": 0, " ８８ ": 88, "60.00": 60, "75分": 75, "60.500": 60.5} {
		if got, taken, err := ParseScore(in); err != nil || !taken || got != want {
			t.Errorf("%q: %v %v %v", in, got, taken, err)
		}
	}
	for _, in := range []string{"", "缺考", "--", "/"} {
		if _, taken, err := ParseScore(in); taken || err != nil {
			t.Errorf("%q", in)
		}
	}
	for _, in := range []string{"101", "-1", "60.123", "1e2", "NaN", "合格", "6O", "100.01"} {
		_, _, err := ParseScore(in)
		wantCode(t, err, "score")
	}
}
