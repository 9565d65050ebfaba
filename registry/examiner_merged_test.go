package registry_test

import (
	"testing"

	"bajigong/evaluators/examiners"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// mustBeOne merges persons i and j of package invented.
func (c *crew) mustBeOne(i, j int) string {
	c.t.Helper()
	second := c.Authority
	second.Account = "a-authority-2"
	m, err := c.ProposeMerge(ctx, c.Authority, registry.NewMerge{Keep: invented.PersonAt(i).Document, Other: invented.PersonAt(j).Document,
		Reason: registry.MergeMistake, Evidence: "公安机关证明 2026-17"})
	if err == nil {
		m, err = c.DecideMerge(ctx, second, m.ID, true, "")
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return m.ID
}

func (c *crew) mustBeTwo(merge string) {
	c.t.Helper()
	second := c.Authority
	second.Account = "a-authority-2"
	_, err := c.ProposeMergeUndo(ctx, c.Authority, merge, "经核查不是同一人")
	if err == nil {
		_, err = c.DecideMerge(ctx, second, merge, true, "")
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// 鉴定考评人员管理工作规程: at most three in a row at one institution, and one institution
// a day, whichever of two documents a card was given for: what one person did counts
// under both, and under each alone again when the merge is undone.
func TestLimitsOfExaminersFollowMerges(t *testing.T) {
	e := registrytest.New(t)
	c := newCrew(t, 1, e)
	panel := func(ids ...string) registry.NewArrangement {
		in := c.plan(0)
		in.Panel = nil
		for i, id := range ids {
			in.Panel = append(in.Panel, examiners.Member{Examiner: id, Chair: i == 0})
		}
		return in
	}
	x := c.examiners
	// Card 0 serves twice, card 7 of his other document once: three in a row.
	c.mustArrange(c.session(2), panel(x[0], x[1], x[2]))
	c.mustArrange(c.session(3), panel(x[0], x[3], x[4]))
	c.mustArrange(c.session(4), panel(x[7], x[5], x[6]))
	merge := c.mustBeOne(9100, 9107)
	fourth := c.session(5)
	c.refused(fourth, panel(x[0], x[1], x[2]), "panel[0] in_a_row")
	c.refused(fourth, panel(x[7], x[1], x[2]), "panel[0] in_a_row")
	c.refused(fourth, panel(x[1], x[0], x[7]), "panel[1] in_a_row", "panel[2] twice", "panel[2] in_a_row")
	c.mustBeTwo(merge)
	c.mustArrange(fourth, panel(x[7], x[1], x[2]))

	// One institution a day.
	neighbour := newCrew(t, 2, e)
	day := neighbour.session(9)
	theirs := neighbour.plan(0)
	theirs.Panel[1].Examiner = x[0]
	neighbour.mustArrange(day, theirs)
	c.mustBeOne(9100, 9107)
	same := c.session(9)
	c.refused(same, panel(x[3], x[7], x[1]), "panel[1] in_a_row", "panel[1] same_day")
	c.mustArrange(same, panel(x[3], x[4], x[1]))

	// A bar recorded under one card keeps the person away with the other one.
	if bad, err := e.KeptAway(ctx, panel(x[3], x[7], x[1]).Plan, x[0]); err != nil || !bad {
		t.Errorf("barred under the other card: %t, %v", bad, err)
	}
}
