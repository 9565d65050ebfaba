package evaluators_test

import (
	"math/rand"
	"strings"
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

func TestAllocate(t *testing.T) {
	ranged := filing()
	ranged.Ranges = []evaluators.SerialRange{
		{Year: 2026, Level: standards.Senior, First: 501, Last: 503},
		{Year: 2026, Level: standards.Senior, First: 101, Last: 102},
		{Year: 2026, Level: standards.Junior, First: 1, Last: 999999},
	}
	for _, c := range []struct {
		name       string
		f          evaluators.Filing
		year       int
		level      standards.Level
		next, want int
		code, says string
	}{
		{"first of all", filing(), 2026, standards.Senior, 0, 1, "", ""},
		{"next of all", filing(), 2026, standards.Senior, 42, 42, "", ""},
		{"last of all", filing(), 2026, standards.Senior, 999999, 999999, "", ""},
		{"none left", filing(), 2026, standards.Senior, 1000000, 0, "serials_exhausted", "000001–999999"},
		{"first of the lowest range", ranged, 2026, standards.Senior, 0, 101, "", ""},
		{"on to the next range", ranged, 2026, standards.Senior, 103, 501, "", ""},
		{"last", ranged, 2026, standards.Senior, 503, 503, "", ""},
		{"used up", ranged, 2026, standards.Senior, 504, 0, "serials_exhausted", "000101–000102, 000501–000503"},
		{"no range this year", ranged, 2027, standards.Senior, 0, 0, "serials_not_granted", "2027"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := evaluators.Allocate(c.f, c.year, c.level, c.next)
			if c.code != "" {
				if e := wantConflict(t, err, c.code); !strings.Contains(e.Text, c.says) {
					t.Errorf("text %q does not say %q", e.Text, c.says)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%d, %v, want %d", got, err, c.want)
			}
		})
	}
}

// Allocating until refused gives every granted serial once, in order, and no
// other; Remaining counts what is to come; every number parses and passes.
func TestAllocateGivesEveryGrantedSerialOnce(t *testing.T) {
	for seed := range int64(50) {
		r := rand.New(rand.NewSource(seed))
		f := filing()
		next, granted := 1, map[int]bool{}
		for range 1 + r.Intn(4) {
			first := next + r.Intn(20)
			last := first + r.Intn(15)
			f.Ranges = append(f.Ranges, evaluators.SerialRange{Year: 2026, Level: standards.Senior, First: first, Last: last})
			for s := first; s <= last; s++ {
				granted[s] = true
			}
			next = last + 1
		}
		r.Shuffle(len(f.Ranges), func(i, j int) { f.Ranges[i], f.Ranges[j] = f.Ranges[j], f.Ranges[i] })
		if _, err := evaluators.Admit(institution(), nil, nil, f, f.Recorded); err != nil {
			t.Fatal(err)
		}
		left, last := len(granted), 0
		for {
			if n := f.Remaining(2026, standards.Senior, last+1); n != left {
				t.Fatalf("seed %d: %d remain after %d, want %d", seed, n, last, left)
			}
			s, err := evaluators.Allocate(f, 2026, standards.Senior, last+1)
			if err != nil {
				break
			}
			if s <= last || !granted[s] || !f.Granted(2026, standards.Senior, s) {
				t.Fatalf("seed %d: %d after %d", seed, s, last)
			}
			n, err := standards.ParseLevelNumber(f.Number(2026, standards.Senior, s).Format())
			if err != nil || n != f.Number(2026, standards.Senior, s) {
				t.Fatalf("number of %d: %v, %v", s, n, err)
			}
			face := evaluators.Face{Occupation: cook, Level: standards.Senior, ExamDate: "2026-03-10", Issued: "2026-03-25"}
			if ps := evaluators.CheckNumber(n, f, face); len(ps) > 0 {
				t.Fatalf("number %s: %+v", n, ps)
			}
			last = s
			left--
		}
		if left != 0 {
			t.Fatalf("seed %d: %d serials were never given", seed, left)
		}
		if f.Granted(2026, standards.Senior, next) || f.Granted(2026, standards.Senior, 0) {
			t.Fatalf("seed %d: a serial outside the ranges is granted", seed)
		}
	}
}
