package blanks

import (
	"fmt"

	"bajigong/standards"
)

// Stock is how many blanks of an institution are in which state. Their sum is how
// many were ever sent to it.
type Stock struct {
	Institution string         `json:"institution"`
	Counts      map[State]int  `json:"counts"`
	Since       standards.Date `json:"since,omitempty"`   // of the first that came in
	Counted     standards.Date `json:"counted,omitempty"` // of the last stocktaking 盘点
}

// Total is how many blanks were ever sent.
func (s Stock) Total() (n int) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// Move counts blanks from one state to another; from is empty for new ones. It
// fails where there are not so many, which would be an error of the ledger.
func (s Stock) Move(from, to State, n int) (Stock, error) {
	counts := map[State]int{}
	for state, c := range s.Counts {
		counts[state] = c
	}
	if from != "" {
		counts[from] -= n
		if counts[from] < 0 {
			return s, fmt.Errorf("stock of %s: %d blanks %s and %d to move", s.Institution, s.Counts[from], from, n)
		}
	}
	counts[to] += n
	s.Counts = counts
	return s, nil
}

// Use is what became of the blanks of one session. Printed are those that carry a
// certificate now: 打印数 = 领用 − 退回 − 作废 − 遗失 once nothing is left over.
type Use struct {
	Session     string `json:"session"`
	Institution string `json:"institution"`
	Taken       int    `json:"taken"`    // 领用, ever
	Returned    int    `json:"returned"` // 退回, ever
	Spoiled     int    `json:"spoiled"`  // 作废
	Lost        int    `json:"lost"`     // 遗失 and not found
	Printed     int    `json:"printed"`  // 打印
}

// Left is how many blanks are taken and neither printed, returned, spoiled nor
// lost.
func (u Use) Left() int { return u.Taken - u.Returned - u.Spoiled - u.Lost - u.Printed }

// Move counts blanks of the session from one state to another.
func (u Use) Move(from, to State, n int) Use {
	switch from {
	case InStock:
		u.Taken += n
	case Printed:
		u.Printed -= n
	case Lost:
		u.Lost -= n
	}
	switch to {
	case InStock:
		u.Returned += n
	case Printed:
		u.Printed += n
	case Spoiled:
		u.Spoiled += n
	case Lost:
		u.Lost += n
	}
	return u
}

// OfSession reports whether a move between two states is one of the blanks of a
// session. What is spoiled or lost in stock was nobody's; what is collected and
// destroyed has been counted as spoiled.
func OfSession(from, to State) bool {
	switch to {
	case Taken, Printed:
		return true
	case InStock:
		return from == Taken
	case Spoiled, Lost:
		return from == Taken || from == Printed || from == Lost
	}
	return false
}
