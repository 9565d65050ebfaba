package torture

import (
	"testing"
	"time"

	"bajigong/registry"
	"bajigong/registry/policy"
)

// A payment was taken for returned, paid again, and proves to have arrived: by the
// model too the person has it twice, what is too much has to come back by either
// way, and the right stays used.
func TestModelOfAFalseReturn(t *testing.T) {
	const due = 1000_00
	paid := registry.ClaimStep{Kind: registry.StepPaid, Amount: due}
	returned := registry.ClaimStep{Kind: registry.StepReturned, Of: 1, Amount: due}
	tried := registry.ClaimStep{Kind: registry.StepReturned, Amount: due}
	arrived := registry.ClaimStep{Kind: registry.StepCorrected, Corrects: 2, Void: true}
	refund := func(f policy.Fen) registry.ClaimStep {
		return registry.ClaimStep{Kind: registry.StepRefunded, Amount: f}
	}
	twice := []registry.ClaimStep{paid, returned, tried, paid, arrived}
	for name, x := range map[string]struct {
		more        []registry.ClaimStep
		state       policy.State
		hands, owed policy.Fen
	}{
		"paid twice":           {nil, policy.Recovering, 2 * due, due},
		"a part back":          {[]registry.ClaimStep{refund(400_00)}, policy.PartlyRefunded, 1600_00, 600_00},
		"all too much back":    {[]registry.ClaimStep{refund(400_00), refund(600_00)}, policy.Confirmed, due, 0},
		"then what was due":    {[]registry.ClaimStep{refund(due), refund(due)}, policy.Refunded, 0, 0},
		"and one returned":     {[]registry.ClaimStep{refund(due), {Kind: registry.StepReturned, Of: 4, Amount: due}}, policy.Payable, 0, 0},
		"and paid again":       {[]registry.ClaimStep{refund(due), {Kind: registry.StepReturned, Of: 4, Amount: due}, paid}, policy.Confirmed, due, 0},
		"more than is owed":    {[]registry.ClaimStep{refund(due + 1)}, policy.None, due - 1, 0},
		"the second returned":  {[]registry.ClaimStep{{Kind: registry.StepReturned, Of: 4, Amount: due}}, policy.Confirmed, due, 0},
		"the second, later":    {[]registry.ClaimStep{refund(400_00), {Kind: registry.StepReturned, Of: 4, Amount: due}}, policy.PartPaid, due - 400_00, 0},
		"and the rest":         {[]registry.ClaimStep{refund(400_00), {Kind: registry.StepReturned, Of: 4, Amount: due}, {Kind: registry.StepPaid, Amount: 400_00}}, policy.Confirmed, due, 0},
		"and a third of a sum": {[]registry.ClaimStep{paid}, policy.None, 3 * due, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := &modelClaim{raceAsk: &raceAsk{}, amount: due, expires: momentOf(RaceBegin.AddDate(0, 0, lockDays))}
			for _, s := range append(twice[:len(twice):len(twice)], x.more...) {
				s.N, s.At = len(c.steps)+1, RaceBegin.Add(time.Duration(len(c.steps))*time.Hour)
				c.steps = append(c.steps, s)
			}
			l, _ := c.fold()
			if l.state != x.state || l.paid()-l.back != x.hands || l.owed() != x.owed {
				t.Errorf("%s, %s in hands, %s owed; want %s, %s, %s", l.state, l.paid()-l.back, l.owed(), x.state, x.hands, x.owed)
			}
		})
	}
}
