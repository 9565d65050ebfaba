package doctest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/doctest"
)

const page = `// Package p is for tests.
//
// # Doors
//
//	state  | open   | close
//	-------+--------+-------
//	closed | opened | -
//	opened | -      | closed
//
// # Rights
//
//	who    | open
//	-------+------
//	keeper | yes
//
// # Locks
//
//	state | turn
//	shut  | shut
package p

// T is a type.
//
//	state | go
//	a     | -
type T string
`

func TestTables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.go")
	write := func(src string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(page)
	doors := doctest.States(t, file, "Doors")
	doctest.Holds(t, doors, []string{"opened", "closed"}, []string{"close", "open"})
	if doors.Next["closed"]["open"] != "opened" || doors.Next["closed"]["close"] != doctest.Refused || strings.Count(doors.Text, "\n") != 4 {
		t.Errorf("%+v", doors)
	}
	if table := doctest.States(t, file, "T"); table.Type != "T" || table.Next["a"]["go"] != doctest.Refused {
		t.Errorf("%+v", table)
	}
	if all, err := doctest.Tables(file); err != nil || len(all) != 3 {
		t.Errorf("%v %v", all, err)
	}
	for name, change := range map[string][2]string{
		"a row too short":      {"closed | opened | -", "closed | opened"},
		"a state twice":        {"//	opened | -      | closed", "//	closed | -      | closed"},
		"a state that is none": {"closed | opened | -", "closed | ajar | -"},
		"no row":               {"//	a     | -\n", ""},
	} {
		write(strings.Replace(page, change[0], change[1], 1))
		if all, err := doctest.Tables(file); err == nil {
			t.Errorf("%s: %v", name, all)
		}
	}
}
