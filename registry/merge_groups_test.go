package registry

import (
	"fmt"
	"slices"
	"testing"
)

// Who is one person with whom, by merges that stand, each keep/other.
func TestGroupsOf(t *testing.T) {
	id := func(c byte) (p PersonID) { p[0] = c; return p }
	for _, c := range []struct {
		merges []string
		want   string
	}{
		{nil, ""},
		{[]string{"ab"}, "ab"},
		{[]string{"ab", "ac"}, "abc"},
		{[]string{"ba", "cb"}, "cba"},   // the new survivor comes first
		{[]string{"ab", "cd"}, "ab cd"}, //
		{[]string{"ab", "cd", "ac"}, "abcd"},
		{[]string{"ab", "cd", "db"}, "cdab"}, // the group of the document that counts comes first
		{[]string{"ab", "cd", "ce", "bd"}, "abcde"},
		{[]string{"ab", "ba"}, "ab"}, // nothing new
	} {
		var standing []Merge
		for _, m := range c.merges {
			standing = append(standing, Merge{Survivor: id(m[0]), Loser: id(m[1])})
		}
		got := ""
		for i, g := range groupsOf(standing) {
			if i > 0 {
				got += " "
			}
			for _, p := range g {
				got += string(rune(p[0]))
			}
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.merges, got, c.want)
		}
	}
	if got := groupWith(nil, id('z')); len(got) != 1 || got[0] != id('z') {
		t.Errorf("alone: %v", got)
	}
}

// A person is what it was before an entry of the log, not at it.
func TestPersonMergesOverTime(t *testing.T) {
	a, b, c := PersonID{1}, PersonID{2}, PersonID{3}
	m := personMerges{Person: a, Groups: []personGroup{{10, []PersonID{b, a}}, {20, []PersonID{b, a, c}}, {30, []PersonID{a}}}}
	for index, want := range map[uint64]int{0: 1, 10: 1, 11: 2, 20: 2, 21: 3, 30: 3, 31: 1, 99: 1} {
		if got := m.at(index); len(got) != want {
			t.Errorf("before entry %d: %v", index, got)
		}
	}
	if got := m.now(); !slices.Equal(got, []PersonID{a}) {
		t.Errorf("now: %v", got)
	}
	if got := m.ever(); !slices.Equal(got, []PersonID{a, b, c}) {
		t.Errorf("ever: %v", got)
	}
	if got := fmt.Sprint(personMerges{Person: a}.now(), personMerges{Person: a}.ever()); got != fmt.Sprint([]PersonID{a}, []PersonID{a}) {
		t.Error(got)
	}
}
