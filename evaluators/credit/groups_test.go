package credit_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"bajigong/evaluators/credit"
)

const groupsText = "false_evaluation credit-sample 2026 0 D -100 1 1;late_upload credit-sample 2026 10 - -6 3 0;late_upload credit-sample 2027 10 - 2 -1 0"

func TestGroupsHaveOneForm(t *testing.T) {
	var g credit.Groups
	if err := g.UnmarshalText([]byte(groupsText)); err != nil || len(g) != 3 || g[0].Veto != "D" || g[1].Cap != 10 || g[2].Events != -1 {
		t.Fatalf("%+v, %v", g, err)
	}
	again, err := json.Marshal(credit.Sum{Institution: "i", Period: "2026", Groups: g})
	if err != nil || string(again) != `{"institution":"i","period":"2026","groups":"`+groupsText+`"}` {
		t.Errorf("%s, %v", again, err)
	}
	for _, bad := range []string{"x", groupsText + ";", ";" + groupsText, "a b 2026 0 - 1 1 0 9", "a b 2026 0 - +1 1 0", "a b 2026 0 - 01 1 0", "a b 2026 0 - -0 1 0",
		"a b 2026 0 - 0 0 0", "a b 2026 0  1 1 0", "b r 2026 0 - 1 1 0;a r 2026 0 - 1 1 0", "a r 2026 0 - 1 1 0;a r 2026 0 - 1 1 0"} {
		if err := g.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, g)
		}
	}
}

func FuzzGroups(f *testing.F) {
	f.Add([]byte(groupsText))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		var g, h credit.Groups
		if g.UnmarshalText(text) != nil {
			return
		}
		again, err := g.MarshalText()
		if err != nil || string(again) != string(text) {
			t.Fatalf("%q is written as %q, %v", text, again, err)
		}
		if err := h.UnmarshalText(again); err != nil || !reflect.DeepEqual(g, h) {
			t.Fatalf("%+v, then %+v, %v", g, h, err)
		}
	})
}
