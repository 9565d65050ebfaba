package signs_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators/signs"
)

func twenty() (ids []string) {
	for i := range 20 {
		ids = append(ids, fmt.Sprintf("s-%02d", i))
	}
	return ids
}

// The vectors were computed by another program, in another language, from the
// words of the constant Algorithm.
func TestDrawGivesTheVectors(t *testing.T) {
	var root [32]byte
	for i := range root {
		root[i] = byte(i)
	}
	fromLog, fromPublic := signs.LogSeed(root, "w-example"), signs.PublicSeed("福彩双色球2026025期 01 05 09", "w-example")
	if got := fromLog.String(); got != "a91e713a4f05bc159cbd9f538079aafac4b3ea0fc1ce9aa694ffac09812e85fd" {
		t.Errorf("log seed %s", got)
	}
	if got := fromPublic.String(); got != "1a754063ec4e409e675d54cca3ab754a8d711e964e86ec438bcdd3aeb4f390fa" {
		t.Errorf("public seed %s", got)
	}
	if got := signs.PopulationHash(twenty()); got != "78cbf8f730c87a1d8324b53de4352e9181d0b9bc3a87e84d4e7d57c1adaeec25" {
		t.Errorf("population hash %s", got)
	}
	cards := []string{"R32260001", "R32260002", "R32260003", "R32260004"}
	for _, c := range []struct {
		seed       signs.Seed
		label      string
		population []string
		n          int
		want       string
	}{
		{signs.Seed{}, "sessions", twenty(), 5, "s-19 s-18 s-06 s-09 s-16"},
		{fromLog, "sessions", twenty(), 99, "s-10 s-07 s-06 s-18 s-11 s-14 s-12 s-03 s-09 s-19 s-02 s-16 s-13 s-00 s-15 s-04 s-05 s-01 s-08 s-17"},
		{fromPublic, "inspectors/s-07", cards, 2, "R32260004 R32260001"},
		{fromLog, "sessions", nil, 3, ""},
		{fromLog, "sessions", twenty(), -1, ""},
	} {
		reversed := slices.Clone(c.population)
		slices.Reverse(reversed)
		for _, p := range [][]string{c.population, reversed, append(reversed, c.population...)} { // order and repetition do not count
			if got := strings.Join(signs.Draw(c.seed, c.label, p, c.n), " "); got != c.want {
				t.Errorf("draw %d with label %s: %s, want %s", c.n, c.label, got, c.want)
			}
		}
	}
}

// Over many seeds every element is drawn about equally often at every place:
// chi-square with 19 degrees of freedom stays under 43.8 (p = 0.001).
func TestDrawIsUniform(t *testing.T) {
	const runs, places = 20_000, 3
	var count [places][20]int
	at := map[string]int{}
	for i, id := range twenty() {
		at[id] = i
	}
	for run := range runs {
		for place, id := range signs.Draw(signs.PublicSeed(fmt.Sprint(run), "uniform"), "sessions", twenty(), places) {
			count[place][at[id]]++
		}
	}
	for place, counts := range count {
		sum := 0.0
		for _, n := range counts {
			sum += math.Pow(float64(n)-runs/20, 2) / (runs / 20)
		}
		if sum > 43.8 {
			t.Errorf("place %d: chi-square %.1f of 19 degrees of freedom: %v", place, sum, counts)
		}
	}
}

func TestInspectorsKeepAwayFromWhereTheyMust(t *testing.T) {
	inspectors := []signs.Inspector{{ID: "R1", Avoid: []string{"i-1"}}, {ID: "R2"}, {ID: "R3", Avoid: []string{"i-1", "i-2"}}, {ID: "R4"}}
	for run := range 500 {
		got := signs.Assign(signs.PublicSeed(fmt.Sprint(run), "avoid"), "s-1", "i-1", inspectors, 2)
		if len(got) != 2 || slices.Contains(got, "R1") || slices.Contains(got, "R3") || got[0] == got[1] {
			t.Fatalf("run %d sends %v", run, got)
		}
	}
	if got := signs.Free(inspectors, "i-2"); strings.Join(got, " ") != "R1 R2 R4" {
		t.Errorf("free for i-2: %v", got)
	}
	if bad := signs.CheckInspectors(inspectors, 2); bad != nil {
		t.Errorf("%v", bad)
	}
	for name, in := range map[string][]signs.Inspector{"repeated": {{ID: "R1"}, {ID: "R1"}}, "empty": {{ID: ""}, {ID: "R1"}}, "spaces": {{ID: " R1"}, {ID: "R2"}}, "too few": {{ID: "R1"}}} {
		if signs.CheckInspectors(in, 2) == nil {
			t.Errorf("%s inspectors were taken", name)
		}
	}
}
