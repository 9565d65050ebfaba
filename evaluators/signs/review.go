package signs

import (
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
)

// ReviewState is where a review stands.
type ReviewState string

// The states of a review.
const (
	ReviewOpen      ReviewState = "open"      // 待核查
	ReviewLooked    ReviewState = "looked"    // 核查中
	ReviewDismissed ReviewState = "dismissed" // 已排除
	ReviewCase      ReviewState = "case"      // 已转线索立案
)

// ReviewStates lists every state of a review.
func ReviewStates() []ReviewState {
	return []ReviewState{ReviewOpen, ReviewLooked, ReviewDismissed, ReviewCase}
}

var reviewWords = map[ReviewState][2]string{
	ReviewOpen: {"待核查", "open"}, ReviewLooked: {"核查中", "being looked at"}, ReviewDismissed: {"已排除", "dismissed"}, ReviewCase: {"已转立案", "turned into a case"},
}

// Ended reports whether nothing more will happen to the review.
func (s ReviewState) Ended() bool { return s == ReviewDismissed || s == ReviewCase }

// ReviewAction is what the authority does with a review.
type ReviewAction string

// The actions on a review.
const (
	ReviewLook    ReviewAction = "look"
	ReviewDismiss ReviewAction = "dismiss"
	ReviewTakeUp  ReviewAction = "take_up"
)

// ReviewActions lists every action on a review.
func ReviewActions() []ReviewAction {
	return []ReviewAction{ReviewLook, ReviewDismiss, ReviewTakeUp}
}

var nextReview = map[ReviewState]map[ReviewAction]ReviewState{
	ReviewOpen:   {ReviewLook: ReviewLooked},
	ReviewLooked: {ReviewDismiss: ReviewDismissed, ReviewTakeUp: ReviewCase},
}

// ReviewStep is one thing that was done to a review. It is never removed.
type ReviewStep struct {
	Action ReviewAction `json:"action"`
	At     time.Time    `json:"at"`
	By     string       `json:"by"` // account id
	Reason string       `json:"reason,omitempty"`
	Case   string       `json:"case,omitempty"`
}

// MaxFindings bounds the findings that a review keeps: the first and the newest.
const MaxFindings = 20

// Review is what signs of one kind on one institution in one window have opened.
type Review struct {
	ID          string      `json:"id"`
	Institution string      `json:"institution"`
	Region      string      `json:"region"` // of the institution, GB/T 2260
	Sign        Kind        `json:"sign"`
	Window      string      `json:"window"`
	N           int         `json:"n"` // 1 for the first review of the window
	State       ReviewState `json:"state"`
	Opened      time.Time   `json:"opened"`
	Newest      time.Time   `json:"newest"` // when the last finding came
	Count       int         `json:"count"`  // of findings
	// Findings are the first and the newest of them, at most 20.
	Findings []Sign       `json:"findings"`
	Steps    []ReviewStep `json:"steps,omitempty"`
}

// OpenReview begins a review with its first finding.
func OpenReview(id, institution, region string, n int, first Sign, now time.Time) Review {
	return Review{ID: id, Institution: institution, Region: region, Sign: first.Kind, Window: first.Window, N: n, State: ReviewOpen,
		Opened: now, Newest: now, Count: 1, Findings: []Sign{first}}
}

// Add adds a finding to a review that has not ended.
func (v Review) Add(s Sign, now time.Time) Review {
	v.Findings = append(slices.Clip(v.Findings), s)
	if len(v.Findings) > MaxFindings {
		v.Findings = slices.Delete(slices.Clone(v.Findings), 1, 2)
	}
	v.Count++
	v.Newest = now
	return v
}

// Settles reports whether an ended review answers a new finding of its window as
// well: it is about the same records, or goes on with the same running total,
// and has not grown by again percent of what was known.
func (v Review) Settles(s Sign, again int) bool {
	if !v.State.Ended() || !s.Running && !v.knows(s.Records) {
		return false
	}
	known := map[string]int{}
	for _, f := range v.Findings {
		for _, m := range f.Measures {
			known[m.Name] = max(known[m.Name], m.Value)
		}
	}
	for _, m := range s.Measures {
		if m.Over() && m.Value*100 > known[m.Name]*again {
			return false
		}
	}
	return true
}

func (v Review) knows(records []Record) bool {
	for _, r := range records {
		if !slices.ContainsFunc(v.Findings, func(f Sign) bool { return slices.Contains(f.Records, r) }) {
			return false
		}
	}
	return true
}

// Step does what the authority decides. Errors: Invalid review when dismissing
// without a reason or taking up without a case; Conflict review_state when the
// table of the package comment does not have the pair.
func (v Review) Step(in ReviewStep, now time.Time) (Review, error) {
	in.Reason, in.Case, in.At = strings.TrimSpace(in.Reason), strings.TrimSpace(in.Case), now
	to, ok := nextReview[v.State][in.Action]
	if !ok {
		return v, fail.New(fail.Conflict, "review_state", "the review %s is %s; it cannot be changed by %q now%s", v.ID, reviewWords[v.State][1], in.Action, reviewHint(v.State, 1)).
			In("核查事项 %s 当前为“%s”，不能进行此操作%s", v.ID, reviewWords[v.State][0], reviewHint(v.State, 0))
	}
	var bad []fail.Field
	if n := len([]rune(in.Reason)); n > 500 || n == 0 && in.Action == ReviewDismiss {
		bad = append(bad, fail.Field{Name: "reason", Code: "length", ZH: "排除须写明理由，1 至 500 字", EN: "a review is dismissed with a reason of 1 to 500 characters"})
	}
	if n := len(in.Case); n > 64 || (n == 0) == (in.Action == ReviewTakeUp) {
		bad = append(bad, fail.Field{Name: "case", Code: "case", ZH: "转立案须填写案件标识；其他操作不填", EN: "taking it up names the case; nothing else does"})
	}
	if len(bad) > 0 {
		return v, fail.New(fail.Invalid, "review", "the step is not complete").In("核查操作填写不完整").At(bad...)
	}
	v.State, v.Steps = to, append(slices.Clip(v.Steps), in)
	return v, nil
}

func reviewHint(s ReviewState, language int) string {
	return map[ReviewState][2]string{
		ReviewOpen: {"，请先登记开始核查", "; record first that it is being looked at"},
	}[s][language]
}
