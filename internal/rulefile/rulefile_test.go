package rulefile_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

type days struct {
	rulefile.Head `yaml:",inline"`
	Days          int `yaml:"days"`
}

func (d days) Problems() []rulefile.Text {
	if d.Days < 1 {
		return []rulefile.Text{{ZH: "days 应为正数", EN: "days is positive"}}
	}
	return nil
}

func file(id, region, from string, n string) string {
	return "id: " + id + "\nregion: \"" + region + "\"\nfrom: " + from + "\nname: {zh: 例, en: Example}\nsample: a test\ndays: " + n + "\n"
}

func TestParse(t *testing.T) {
	good := file("a-1", "320000", "2026-01-01", "5")
	d, err := rulefile.Parse[days]("a.yaml", []byte(good))
	if err != nil || d.Days != 5 || d.Region != "320000" || d.From != "2026-01-01" || d.Name.ZH != "例" {
		t.Fatalf("%+v %v", d, err)
	}
	for name, c := range map[string]struct{ src, say string }{
		"unknown key":   {good + "more: 1\n", "unknown field"},
		"key twice":     {good + "days: 6\n", "already defined"},
		"no number":     {strings.Replace(good, "days: 5", "days: five", 1), "cannot unmarshal"},
		"own rule":      {strings.Replace(good, "days: 5", "days: 0", 1), "days is positive"},
		"no source":     {strings.Replace(good, "sample: a test\n", "", 1), "either a source or a sample"},
		"both":          {good + "source: 文号\n", "either a source or a sample"},
		"region":        {strings.Replace(good, "320000", "32", 1), "six digits"},
		"date":          {strings.Replace(good, "2026-01-01", "2026", 1), "a date"},
		"id":            {strings.Replace(good, "a-1", "A 1", 1), "lower-case"},
		"english name":  {strings.Replace(good, ", en: Example", "", 1), "zh and en"},
		"anchor":        {strings.Replace(good, "days: 5", "days: &d 5", 1), "anchors"},
		"two documents": {good + "---\n" + good, "exactly one"},
		"nothing":       {"", "exactly one"},
		"not YAML":      {"id: [", "YAML"},
		"deep":          {strings.Repeat("[", 1000), "deep"},
		"large":         {good + "#" + strings.Repeat("x", rulefile.MaxBytes), "1 MB"},
	} {
		_, err := rulefile.Parse[days]("a.yaml", []byte(c.src))
		if fail.CodeOf(err) != "rulefile_invalid" || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v; want %q", name, err, c.say)
		}
	}
}

func TestSet(t *testing.T) {
	fsys := fstest.MapFS{}
	for name, src := range map[string]string{
		"nation.yaml":   file("nation", "000000", "2020-01-01", "1"),
		"nation-2.yaml": file("nation-2", "000000", "2024-01-01", "2"),
		"js.yaml":       file("js", "320000", "2025-01-01", "3"),
		"ks.yaml":       file("ks", "320583", "2026-01-01", "4"),
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(src)}
	}
	set, err := rulefile.ReadSet[days](fsys, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		region, date string
		days         int
	}{
		{"320583", "2026-05-01", 4}, {"320583", "2026-01-01", 4}, {"320583", "2025-12-31", 3}, {"320500", "2026-05-01", 3},
		{"320583", "2024-12-31", 2}, {"420000", "2023-12-31", 1}, {"", "2024-01-01", 2}, {"320583", "2019-12-31", 0},
	} {
		if d, ok := set.On(c.region, c.date); d.Days != c.days || ok != (c.days > 0) {
			t.Errorf("On(%s, %s) = %d %t, want %d", c.region, c.date, d.Days, ok, c.days)
		}
	}
	own, err := rulefile.Parse[days]("own.yaml", []byte(file("js", "320000", "2025-01-01", "9")))
	if err != nil {
		t.Fatal(err)
	}
	if set, err = set.With(own); err != nil {
		t.Fatal(err)
	}
	if d, _ := set.On("320500", "2026-05-01"); d.Days != 9 || len(set.All()) != 4 {
		t.Errorf("a file with the id of the set does not take its place: %+v of %d", d, len(set.All()))
	}
	if d, ok := set.ByID("ks"); !ok || d.Days != 4 {
		t.Errorf("by id: %+v %t", d, ok)
	}
	if _, ok := set.ByID("none"); ok {
		t.Error("an id that is not there was found")
	}
	own.ID = "other"
	if _, err := set.With(own); fail.CodeOf(err) != "rulefile_invalid" {
		t.Errorf("two files for one region and day: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(file("a", "320000", "2026-01-01", "5")))
	f.Add([]byte("id: [{"))
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := rulefile.Parse[days]("x", src)
		if err == nil && (d.Days < 1 || len(d.Region) != 6) {
			t.Errorf("accepted %q as %+v", src, d)
		}
		if err != nil && fail.CodeOf(err) != "rulefile_invalid" {
			t.Errorf("error without a code: %v", err)
		}
	})
}
