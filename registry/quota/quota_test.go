package quota

import (
	"testing"

	"bajigong/standards"
)

func TestEmbeddedRules(t *testing.T) {
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok || r.Document.Day != 5 || r.Document.Wrong != 12 || r.Lists.Rows != 2000 || r.Sample == "" {
		t.Fatalf("%+v", r)
	}
	for name, bad := range map[string]func(*Rules){
		"no tries":       func(r *Rules) { r.Document.Day = 0 },
		"short document": func(r *Rules) { r.Document.Shortest = 6 },
		"window":         func(r *Rules) { r.Photo.Window = 400 },
		"rows":           func(r *Rules) { r.Lists.Rows = MostRows + 1 },
		"address":        func(r *Rules) { r.Address = 0 },
		"lists":          func(r *Rules) { r.Lists.Day = 0 },
	} {
		other := r
		bad(&other)
		if len(other.Problems()) != 1 {
			t.Errorf("%s: %v", name, other.Problems())
		}
	}
}

func TestBook(t *testing.T) {
	tries := Tries{Day: 3, Window: 10, Wrong: 5}
	var b Book
	for _, step := range []struct {
		day   standards.Date
		right bool
		left  int // before
	}{
		{"2026-03-01", false, 3}, {"2026-03-01", true, 2}, {"2026-03-01", false, 1},
		{"2026-03-02", false, 3}, {"2026-03-02", false, 2}, // four wrong ones now
		{"2026-03-03", true, 1},  // right ones do not count against the window
		{"2026-03-01", false, 1}, // a clock that runs back opens no new day
		{"2026-03-11", true, 2},  // the wrong ones of 1 March have left the window
		{"2026-03-12", true, 3}, {"2026-03-13", false, 3},
	} {
		if got := b.Left(tries, step.day); got != step.left {
			t.Fatalf("%s: %d left, want %d (%+v)", step.day, got, step.left, b)
		}
		b = b.Answer(tries, step.day, step.right)
	}
	if got := b.Matters(tries); got != "2026-03-22" {
		t.Errorf("matters until %s", got)
	}
	if b.Left(tries, "2026-03-23") != 3 || len(b.Wrong) != 1 {
		t.Errorf("%+v", b)
	}
}

func TestTally(t *testing.T) {
	l := Lists{Rows: 10, Day: 3, DayRows: 20}
	var a Tally
	for i, step := range []struct {
		day  standards.Date
		rows int
		ok   bool
	}{{"2026-03-01", 10, true}, {"2026-03-01", 9, true}, {"2026-03-01", 2, false}, {"2026-03-01", 1, true}, {"2026-03-01", 0, false},
		{"2026-02-28", 1, false}, {"2026-03-02", 10, true}} {
		var ok bool
		if a, ok = a.Add(l, step.day, step.rows); ok != step.ok {
			t.Fatalf("step %d: %t (%+v)", i, ok, a)
		}
	}
	if lists, rows := a.Left(l, "2026-03-02"); lists != 2 || rows != 10 {
		t.Errorf("%d lists, %d rows", lists, rows)
	}
	if lists, rows := a.Left(l, "2026-03-03"); lists != 3 || rows != 20 {
		t.Errorf("%d lists, %d rows", lists, rows)
	}
}
