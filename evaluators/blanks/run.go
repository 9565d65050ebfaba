package blanks

import (
	"cmp"
	"fmt"
	"slices"

	"bajigong/internal/fail"
)

// Run is blanks with neighbouring codes that share everything. Runs never overlap.
type Run struct {
	Range
	Institution string `json:"institution"`
	State       State  `json:"state"`
	Application string `json:"application"` // that brought them
	// Session took them, also once they are printed, spoiled or lost from there.
	Session     string `json:"session,omitempty"`
	Destruction string `json:"destruction,omitempty"` // batch of destruction
	Reason      string `json:"reason,omitempty"`      // why spoiled, lost or found
}

// alike reports whether two runs differ in their codes alone.
func (r Run) alike(o Run) bool {
	r.Range, o.Range = Range{}, Range{}
	return r == o
}

// Move is an act on the blanks of one range.
type Move struct {
	Act         Act
	Range       Range
	Institution string // whose they must be
	Session     string // of Take, Return and Print
	Destruction string // of Collect, Release and Destroy
	Reason      string // of Spoil, Lose and Find
}

// Moved is one run as it is after a move, the state it was in, and the session
// whose blanks they were before or are now.
type Moved struct {
	Run
	From State
	Of   string
}

// Apply moves the blanks of a range. runs are all that share a code with it, in
// order. kept are the parts of them outside the range. Errors: Conflict
// blank_unknown (a code that was never brought in, or is another institution's),
// blank_state (naming the codes that are in another state), blank_session (taken
// for another session).
func (m Move) Apply(runs []Run) (kept []Run, moved []Moved, err error) {
	var bad []fail.Field
	var first error
	at := m.Range.First.Number
	for _, run := range runs {
		if !run.overlap(m.Range) {
			continue
		}
		if run.First.Number > at || run.Institution != m.Institution {
			break // a gap
		}
		part := run
		if run.First.Number < m.Range.First.Number {
			left := run
			left.Last = left.Last.at(m.Range.First.Number - 1)
			kept, part.First = append(kept, left), m.Range.First
		}
		if run.Last.Number > m.Range.Last.Number {
			right := run
			right.First = right.First.at(m.Range.Last.Number + 1)
			kept, part.Last = append(kept, right), m.Range.Last
		}
		at = part.Last.Number + 1
		to, why := m.step(part)
		if why != nil {
			e := fail.Of(why)
			if first == nil {
				first = why
			}
			if len(bad) < fieldsMost {
				bad = append(bad, fail.Field{Name: part.Range.String(), Code: e.Code, ZH: e.ZH, EN: e.Text})
			}
			continue
		}
		moved = append(moved, Moved{Run: to, From: run.State, Of: cmp.Or(run.Session, to.Session)})
	}
	if at <= m.Range.Last.Number {
		return nil, nil, unknown(One(m.Range.First.at(at)))
	}
	if first != nil {
		return nil, nil, fail.Of(first).At(bad...)
	}
	return kept, moved, nil
}

// fieldsMost is how many ranges one refusal names.
const fieldsMost = 20

func unknown(r Range) error {
	return fail.New(fail.Conflict, "blank_unknown", "the blank %s was never sent to this institution", r).In("印制流水码 %s 不在本机构已发出的空白证书之内", r)
}

// step is what becomes of one run.
func (m Move) step(run Run) (Run, error) {
	to, err := Next(run.State, m.Act)
	if err != nil {
		return run, err
	}
	if (m.Act == Return || m.Act == Print) && run.Session != m.Session {
		return run, fail.New(fail.Conflict, "blank_session", "%s was taken for session %s; return it there first", run.Range, run.Session).
			In("%s 系为批次 %s 领用，请先办理退回", run.Range, run.Session)
	}
	if (m.Act == Release || m.Act == Destroy) && run.Destruction != m.Destruction {
		return run, fail.New(fail.Conflict, "blank_destruction", "%s is in destruction batch %s", run.Range, run.Destruction).In("%s 属于销毁批次 %s", run.Range, run.Destruction)
	}
	run.State = to
	switch m.Act {
	case Take:
		run.Session = m.Session
	case Return:
		run.Session = ""
	case Spoil, Lose, Find:
		run.Reason = m.Reason
	case Collect:
		run.Destruction = m.Destruction
	case Release:
		run.Destruction = ""
	}
	return run, nil
}

// Join puts runs in order and together where they are neighbours and alike.
func Join(runs []Run) (out []Run) {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b Run) int {
		switch {
		case a.before(b.Range):
			return -1
		case b.before(a.Range):
			return 1
		}
		return 0
	})
	for _, run := range runs {
		if n := len(out) - 1; n >= 0 && out[n].alike(run) && out[n].Last.series() == run.First.series() && out[n].Last.Number+1 == run.First.Number {
			out[n].Last = run.Last
			continue
		}
		out = append(out, run)
	}
	return out
}

// Compare holds what was counted in stock against the ledger's stock: missing are
// in the ledger alone, surplus were counted alone. Neither list may overlap in
// itself; Error: Invalid stocktaking_twice when a code was counted twice.
func Compare(stock, counted []Range) (missing, surplus []Range, err error) {
	order := func(in []Range) []Range {
		out := slices.Clone(in)
		slices.SortFunc(out, func(a, b Range) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		return out
	}
	stock, counted = order(stock), order(counted)
	for i := 1; i < len(counted); i++ {
		if counted[i].overlap(counted[i-1]) {
			return nil, nil, fail.New(fail.Invalid, "stocktaking_twice", "%s was counted twice", counted[i]).In("%s 重复清点", counted[i]).
				At(fail.Field{Name: fmt.Sprintf("counted[%d]", i), Code: "twice", ZH: "与另一段重复", EN: "shares codes with another range"})
		}
	}
	return without(stock, counted), without(counted, stock), nil
}

// without is what of a lies in no range of b; both are in order.
func without(a, b []Range) (out []Range) {
	for _, r := range a {
		rest, left := r, true
		for _, cut := range b {
			if !left || !rest.overlap(cut) {
				continue
			}
			if cut.First.Number > rest.First.Number {
				out = append(out, Range{First: rest.First, Last: rest.First.at(cut.First.Number - 1)})
			}
			if left = cut.Last.Number < rest.Last.Number; left {
				rest.First = rest.First.at(cut.Last.Number + 1)
			}
		}
		if left {
			out = append(out, rest)
		}
	}
	return out
}
