package numbering_test

import (
	"testing"

	"bajigong/evaluators/numbering"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

func TestRow(t *testing.T) {
	for _, c := range []struct {
		mode            numbering.Mode
		approval        bool
		present, passed bool
		want            string
	}{
		{numbering.Either, false, true, true, ""}, {numbering.Either, false, false, true, ""},
		{numbering.Allocated, false, true, true, "number_not_taken"}, {numbering.Allocated, false, true, false, "number_not_taken"}, {numbering.Allocated, false, false, true, ""},
		{numbering.Granted, false, true, true, "number_not_taken"}, {numbering.Granted, false, false, true, ""},
		{numbering.Supplied, false, false, true, "number_missing"}, {numbering.Supplied, false, false, false, ""}, {numbering.Supplied, false, true, true, ""},
		{numbering.Either, true, true, true, "number_not_taken"}, {numbering.Either, true, false, true, ""},
		{"", false, true, true, ""}, // no file: as before
	} {
		err := numbering.Rules{Mode: c.mode, AfterApproval: c.approval}.Row(c.present, c.passed)
		if got := fail.CodeOf(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Guangdong numbers only after the province has approved the results
// (省级审核认定结果后赋码).
func TestGuangdongNumbersAfterApproval(t *testing.T) {
	set, err := numbering.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := set.On("440000", "2026-03-01"); !ok || !r.AfterApproval || r.Row(true, true) == nil {
		t.Errorf("Guangdong: %+v", r)
	}
	if r, ok := set.On("320000", "2026-03-01"); !ok || r.Mode != numbering.Either || r.Sample == "" {
		t.Errorf("elsewhere: %+v", r)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("id: a\nregion: \"320000\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: x\nmode: supplied\nafter_approval: false\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := rulefile.Parse[numbering.Rules]("f", src)
		if err == nil && r.AfterApproval && r.Row(false, true) != nil {
			t.Error("a number is asked for before approval")
		}
	})
}
