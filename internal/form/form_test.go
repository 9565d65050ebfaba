package form_test

import (
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/form"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		value  string
		needed bool
		want   string
	}{
		{"", false, ""}, {"", true, "missing"}, {"  ", true, "missing"}, {"  ", false, "missing"}, {"甲乙丙", true, ""}, {"甲乙丙丁", true, "too_long"},
		{" 甲", true, "spaces"}, {"甲 ", false, "spaces"}, {"甲\n乙", true, "characters"}, {"\xff", true, "characters"},
	} {
		got := form.Text("reason", c.value, c.needed, 3, "事由", "reason")
		if len(got) > 1 || (c.want == "") != (len(got) == 0) || len(got) == 1 && (got[0].Code != c.want || got[0].Name != "reason" || got[0].ZH == "" || got[0].EN == "") {
			t.Errorf("%q: %+v, want %q", c.value, got, c.want)
		}
	}
}

func TestRefuse(t *testing.T) {
	if err := form.Refuse("x", "有误", "wrong", nil); err != nil {
		t.Error(err)
	}
	err := form.Refuse("x", "填写 100% 有误", "100% wrong", []fail.Field{form.Wrong("a", "b", "甲", "c")})
	if e := fail.Of(err); fail.KindOf(err) != fail.Invalid || e.ZH != "填写 100% 有误" || e.Text != "100% wrong" || len(e.Fields) != 1 {
		t.Errorf("%+v", e)
	}
}
