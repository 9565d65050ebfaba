package sameness_test

import (
	"fmt"
	"strings"
	"testing"

	"bajigong/internal/rulefile"
	"bajigong/standards/sameness"
)

const head = "id: s\nregion: \"000000\"\nfrom: 2000-01-01\nname: {zh: 例, en: Example}\nsample: a test\n"

func entry(from, to, kind string, more ...string) string {
	at := func(j string) string {
		p := strings.Split(j, "/")
		if len(p) == 1 {
			return fmt.Sprintf("{edition: %q}", p[0])
		}
		return fmt.Sprintf("{edition: %q, code: %s, name: %s}", p[0], p[1], p[2])
	}
	return fmt.Sprintf("  - {from: %s, to: %s, kind: %s, sample: a test%s}\n", at(from), at(to), kind, strings.Join(more, ""))
}

func table(t *testing.T, names string, entries ...string) sameness.Table {
	t.Helper()
	f, err := rulefile.Parse[sameness.File]("a.yaml", []byte(head+"names: "+names+"\nentries:\n"+strings.Join(entries, "")))
	if err != nil {
		t.Fatal(err)
	}
	return sameness.NewTable(f)
}

func job(s string) sameness.Job {
	p := strings.Split(s, "/")
	j := sameness.Job{Edition: p[0], Code: p[1]}
	if len(p) > 2 {
		j.Name = p[2]
	}
	return j
}

// same and renamed are carried on, merged and split relate old with new and no
// more, unless the entries say among.
func TestSame(t *testing.T) {
	x := table(t, "none",
		entry("1999/6-01-01-01/甲", "2015/6-11-01-01/甲", "same"), entry("2015/6-11-01-01/甲", "2022/6-21-01-01/新甲", "renamed"),
		entry("2015/6-11-01-02/乙", "2022/6-21-01-09/合", "merged"), entry("2015/6-11-01-03/丙", "2022/6-21-01-09/合", "merged"),
		entry("1999/6-01-01-02/老乙", "2015/6-11-01-02/乙", "renamed"),
		entry("2015/6-11-01-04/丁", "2022/6-21-01-04/丁一", "split"), entry("2015/6-11-01-04/丁", "2022/6-21-01-05/丁二", "split"),
		entry("2015/6-11-02-01/戊", "2022/6-21-02-09/并", "merged", ", among: true"), entry("2015/6-11-02-02/己", "2022/6-21-02-09/并", "merged", ", among: true"),
		entry("2015/6-11-02-03/庚", "2022/6-21-02-09/并", "merged"),
		entry("2015/6-11-03-01/辛", "2022/6-21-03-01/辛一", "split", ", among: true"), entry("2015/6-11-03-01/辛", "2022/6-21-03-02/辛二", "split", ", among: true"),
		entry("2015/6-11-04-01/壬", "2022", "ended"),
	)
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"2015/6-11-01-01", "2015/6-11-01-01", true},      // itself
		{"2022/9-99-99-99", "2022/9-99-99-99", true},      // itself, though the table does not have it
		{"2022/9-99-99-99", "2022/9-99-99-98", false},     //
		{"1999/6-01-01-01", "2015/6-11-01-01", true},      // same
		{"1999/6-01-01-01", "2022/6-21-01-01", true},      // carried on over a renaming
		{"1999/6-11-01-01", "2015/6-11-01-01", false},     // the code of another edition
		{"2015/6-11-01-02", "2022/6-21-01-09", true},      // merged: each old with the new one
		{"2015/6-11-01-03", "2022/6-21-01-09", true},      //
		{"2015/6-11-01-02", "2015/6-11-01-03", false},     // but not among themselves
		{"1999/6-01-01-02", "2022/6-21-01-09", true},      // renamed, then merged
		{"1999/6-01-01-02", "2015/6-11-01-03", false},     //
		{"2015/6-11-01-04", "2022/6-21-01-04", true},      // split: the old with each new one
		{"2015/6-11-01-04", "2022/6-21-01-05", true},      //
		{"2022/6-21-01-04", "2022/6-21-01-05", false},     // but not the parts
		{"2015/6-11-02-01", "2015/6-11-02-02", true},      // among: true in both
		{"2015/6-11-02-01", "2015/6-11-02-03", false},     // in one only
		{"2022/6-21-03-01", "2022/6-21-03-02", true},      // parts among: true
		{"2015/6-11-04-01", "2022/6-11-04-01", false},     // ended
		{"2015/6-11-01-01", "2015/6-11-01-02", false},     //
		{"2022/", "2022/", false},                         // no code is no occupation
		{"2015/6-11-01-01/甲", "2022/6-11-01-01/甲", false}, // names say nothing in this file
	} {
		if got := x.Same(job(c.a), job(c.b)); got != c.want {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
		if x.Same(job(c.a), job(c.b)) != x.Same(job(c.b), job(c.a)) {
			t.Errorf("%s and %s: not symmetric", c.a, c.b)
		}
	}
	if got := x.Lookup(" 老乙"); len(got) != 1 || got[0].Code != "6-01-01-02" {
		t.Errorf("老乙: %v", got)
	}
	if got := x.Lookup("甲"); len(got) != 2 {
		t.Errorf("甲 in two editions: %v", got)
	}
	if len(x.Lookup("")) != 0 || len(x.Lookup("无此职业")) != 0 {
		t.Error("a name that is not there was found")
	}
}

func TestNamesOfTwoEditions(t *testing.T) {
	x := table(t, "code_and_name", entry("1999/6-04-01-01/車工", "2015/6-18-01-01/车工", "same"))
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"2015/6-20-01-01/装配钳工", "2022/6-20-01-01/装配 钳工", true},
		{"2015/6-20-01-01/装配钳工", "2022/6-20-01-01/裝配鉗工", true},
		{"2015/6-20-01-01/装配钳工", "2022/6-20-01-02/装配钳工", false},
		{"2015/6-20-01-01/装配钳工", "2022/6-20-01-01/机修钳工", false},
		{"2015/6-20-01-01", "2022/6-20-01-01", false},   // nothing says what they are called
		{"2015/6-18-01-01", "2022/6-18-01-01/车工", true}, // the table has its name
	} {
		if got := x.Same(job(c.a), job(c.b)); got != c.want {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
	}
}

func TestFilesWithProblems(t *testing.T) {
	good := entry("2015/6-11-01-01/甲", "2022/6-21-01-01/甲", "same")
	for name, c := range map[string]struct{ src, say string }{
		"names":      {"names: maybe\nentries:\n" + good, "names is"},
		"kind":       {"names: none\nentries:\n" + entry("2015/6-11-01-01/甲", "2022/6-21-01-01/甲", "like"), "has a kind"},
		"code":       {"names: none\nentries:\n" + entry("2015/6-11-01/甲", "2022/6-21-01-01/甲", "same"), "from has"},
		"X only old": {"names: none\nentries:\n" + entry("2015/X6-11-01-01/甲", "2022/6-21-01-01/甲", "same"), "from has"},
		"edition":    {"names: none\nentries:\n" + entry("2010/6-11-01-01/甲", "2022/6-21-01-01/甲", "same"), "from has"},
		"order":      {"names: none\nentries:\n" + entry("2022/6-11-01-01/甲", "2015/6-21-01-01/甲", "same"), "older"},
		"twice":      {"names: none\nentries:\n" + good + good, "twice"},
		"among":      {"names: none\nentries:\n" + entry("2015/6-11-01-01/甲", "2022/6-21-01-01/甲", "same", ", among: true"), "among"},
		"no source":  {"names: none\nentries:\n" + strings.Replace(good, ", sample: a test", "", 1), "either a source"},
		"one edition": {"names: none\nentries:\n" + entry("2015/6-11-01-01/甲", "2022/6-21-01-01/丙", "same") + entry("2015/6-11-01-02/乙", "2022/6-21-01-01/丙", "same"),
			"say merged or split"},
		"ended": {"names: none\nentries:\n" + entry("2015/6-11-01-01/甲", "2022/6-21-01-01/甲", "ended"), "ended has"},
	} {
		_, err := rulefile.Parse[sameness.File]("a.yaml", []byte(head+c.src))
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v; want %q", name, err, c.say)
		}
	}
}

// What comes with the product is a sample; one entry has the published list of
// 2022 as its source.
func TestEmbedded(t *testing.T) {
	set, err := sameness.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	confirmed := 0
	for _, f := range set.All() {
		if f.Sample == "" {
			t.Errorf("%s is no sample", f.ID)
		}
		for _, e := range f.Entries {
			if e.Source != "" {
				confirmed++
				if e.Kind != sameness.Ended || e.From.Name != "育婴员" {
					t.Errorf("%+v has a source", e)
				}
			}
		}
	}
	x := sameness.On(set, "320583", "2026-03-02")
	if confirmed != 1 || !x.Same(job("1999/6-04-01-01"), job("2022/6-18-01-01")) || x.Same(job("1999/6-04-01-01"), job("2022/6-18-02-04")) {
		t.Errorf("%d confirmed", confirmed)
	}
	if x.Same(job("1999/6-07-06-05"), job("2015/6-18-01-01")) || !x.Same(job("1999/6-07-06-05"), job("2022/6-31-01-03")) {
		t.Error("维修电工")
	}
}

// A table is that of its region and date, and its digest changes with what it
// says and with nothing else.
func TestTablesOfRegionsAndDates(t *testing.T) {
	file := func(id, region, from, names string, entries ...string) sameness.File {
		h := strings.NewReplacer("id: s", "id: "+id, "000000", region, "2000-01-01", from).Replace(head)
		f, err := rulefile.Parse[sameness.File](id, []byte(h+"names: "+names+"\nentries:\n"+strings.Join(entries, "")))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a, b := entry("2015/6-11-01-01/甲", "2022/6-21-01-01/甲", "same"), entry("2015/6-11-01-02/乙", "2022/6-21-01-02/乙", "same")
	set, err := rulefile.NewSet(file("nation", "000000", "2000-01-01", "none", a), file("js", "320000", "2026-01-01", "none", b))
	if err != nil {
		t.Fatal(err)
	}
	old, now := sameness.On(set, "320583", "2025-12-31"), sameness.On(set, "320583", "2026-01-01")
	if x, y := job("2015/6-11-01-02"), job("2022/6-21-01-02"); old.Same(x, y) || !now.Same(x, y) || sameness.On(set, "330100", "2026-01-01").Same(x, y) {
		t.Error("the file of 2026 in Jiangsu holds there from 2026")
	}
	if got := fmt.Sprint(sameness.Begins(set)); got != "[2000-01-01 2026-01-01]" {
		t.Error(got)
	}
	if old.Digest() == now.Digest() || len(now.Digest()) != 64 || (sameness.Table{}).Digest() != sameness.NewTable().Digest() {
		t.Error("digests")
	}
	again := sameness.NewTable(file("other", "320583", "2025-01-01", "none", b, a))
	if again.Digest() != now.Digest() {
		t.Error("the order of files and entries counts")
	}
	if sameness.NewTable(file("other", "320583", "2025-01-01", "code_and_name", b, a)).Digest() == now.Digest() {
		t.Error("the meaning of names does not count")
	}
}

func FuzzFile(f *testing.F) {
	f.Add(head + "names: none\nentries:\n" + entry("2015/6-11-01-01/甲", "2022/6-21-01-01/甲", "same"))
	f.Add(head + "names: code_and_name\nentries:\n" + entry("2015/6-11-01-01/甲", "2022", "ended"))
	f.Fuzz(func(t *testing.T, src string) {
		file, err := rulefile.Parse[sameness.File]("a.yaml", []byte(src))
		if err != nil {
			return
		}
		x := sameness.NewTable(file)
		for _, e := range file.Entries {
			if e.Kind != sameness.Ended && (!x.Same(e.From, e.To) || !x.Same(e.To, e.From)) {
				t.Fatalf("%+v does not relate", e)
			}
			if found := x.Lookup(e.From.Name); sameness.NormalName(e.From.Name) != "" && len(found) == 0 {
				t.Fatalf("%+v is not found by its name", e)
			}
		}
	})
}

// The text of a table gives the same table again, and nothing else is one.
func TestATableIsReadFromItsText(t *testing.T) {
	set, err := sameness.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, was := range []sameness.Table{{}, sameness.On(set, "320583", "2026-12-31")} {
		got, err := sameness.ParseTable(was.Text())
		if err != nil || got.Digest() != was.Digest() {
			t.Errorf("%s: %s, %v", was.Text(), got.Digest(), err)
		}
	}
	for _, text := range []string{"", "null", "[]", `["sameness-2",false,[]]`, `["sameness-1",false,["[]"]]`, `["sameness-1", false,[]]`} {
		if _, err := sameness.ParseTable([]byte(text)); err == nil {
			t.Errorf("%q is a table", text)
		}
	}
}
