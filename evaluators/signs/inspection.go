package signs

import (
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// DrawState is where a draw stands.
type DrawState string

// The states of a draw.
const (
	DrawAnnounced DrawState = "announced" // population fixed, seed not known
	DrawDrawn     DrawState = "drawn"
	DrawPublished DrawState = "published" // every inspection is published
)

// DrawAction is what is done to a draw.
type DrawAction string

// The actions on a draw.
const (
	DrawSeed    DrawAction = "seed"
	DrawPublish DrawAction = "publish"
)

var nextDraw = map[DrawState]map[DrawAction]DrawState{
	DrawAnnounced: {DrawSeed: DrawDrawn},
	DrawDrawn:     {DrawPublish: DrawPublished},
}

// Step returns the state after an action. Conflict draw_state: the table of the
// package comment does not have the pair.
func (s DrawState) Step(do DrawAction) (DrawState, error) {
	to, ok := nextDraw[s][do]
	if !ok {
		return s, fail.New(fail.Conflict, "draw_state", "the draw is %s; %q does not follow", s, do).
			In("该次抽查当前状态为 %s，不能进行此操作", s)
	}
	return to, nil
}

// InspectionState is where one inspection stands.
type InspectionState string

// The states of an inspection.
const (
	InspectionDrawn     InspectionState = "drawn"
	InspectionEntered   InspectionState = "entered"
	InspectionAnswered  InspectionState = "answered"
	InspectionPublished InspectionState = "published"
)

// InspectionAction is what is done to an inspection.
type InspectionAction string

// The actions on an inspection.
const (
	InspectionEnter   InspectionAction = "enter"
	InspectionAnswer  InspectionAction = "answer"
	InspectionPublish InspectionAction = "publish"
)

var nextInspection = map[InspectionState]map[InspectionAction]InspectionState{
	InspectionDrawn:    {InspectionEnter: InspectionEntered},
	InspectionEntered:  {InspectionAnswer: InspectionAnswered, InspectionPublish: InspectionPublished},
	InspectionAnswered: {InspectionPublish: InspectionPublished},
}

// Outcome is what an inspection came to.
type Outcome string

// The outcomes.
const (
	OutcomeSound  Outcome = "sound"  // 未发现问题
	OutcomeFound  Outcome = "found"  // 发现问题
	OutcomeFailed Outcome = "failed" // 无法完成检查: not there, not let in
)

var outcomeWords = map[Outcome][2]string{OutcomeSound: {"未发现问题", "nothing found"}, OutcomeFound: {"发现问题", "something was found"},
	OutcomeFailed: {"未能完成检查", "could not be inspected"}}

// Chinese returns the word officials use; empty for an outcome that does not exist.
func (o Outcome) Chinese() string { return outcomeWords[o][0] }

// English returns an English word; empty for an outcome that does not exist.
func (o Outcome) English() string { return outcomeWords[o][1] }

// Inspection is one drawn session: who was sent, what was found, what the
// institution says, and when it was published.
type Inspection struct {
	Draw        string          `json:"draw"`
	Session     string          `json:"session"`
	Institution string          `json:"institution"`
	Region      string          `json:"region"`
	Inspectors  []string        `json:"inspectors"` // ids
	State       InspectionState `json:"state"`
	Held        standards.Date  `json:"held,omitempty"` // the day of the inspection
	Outcome     Outcome         `json:"outcome,omitempty"`
	Findings    string          `json:"findings,omitempty"` // public; no personal data
	EnteredBy   string          `json:"entered_by,omitempty"`
	EnteredAt   *time.Time      `json:"entered_at,omitempty"`
	// AnswerUntil is the last day on which the institution can answer before it
	// may be published without.
	AnswerUntil standards.Date `json:"answer_until,omitempty"`
	Answer      string         `json:"answer,omitempty"` // public; no personal data
	AnsweredBy  string         `json:"answered_by,omitempty"`
	AnsweredAt  *time.Time     `json:"answered_at,omitempty"`
	PublishedBy string         `json:"published_by,omitempty"`
	PublishedAt *time.Time     `json:"published_at,omitempty"`
}

// Finding is the result of an inspection as it is entered.
type Finding struct {
	Held     standards.Date `json:"held"`
	Outcome  Outcome        `json:"outcome"`
	Findings string         `json:"findings"`
}

func (i Inspection) follows(do InspectionAction) (InspectionState, error) {
	to, ok := nextInspection[i.State][do]
	if !ok {
		return i.State, fail.New(fail.Conflict, "inspection_state", "the inspection is %s; %q does not follow", i.State, do).
			In("该项检查当前状态为 %s，不能进行此操作", i.State)
	}
	return to, nil
}

// Enter records the result. The institution can answer until answerUntil.
// Invalid inspection: a field is wrong; Conflict inspection_state.
func (i Inspection) Enter(in Finding, by string, answerUntil standards.Date, now time.Time) (Inspection, error) {
	to, err := i.follows(InspectionEnter)
	if err != nil {
		return i, err
	}
	var bad []fail.Field
	if today := standards.DateOf(now); !in.Held.Valid() || in.Held > today {
		bad = append(bad, fail.Field{Name: "held", Code: "date", ZH: "检查日期应为不晚于今天的日期", EN: "held is a date not after today"})
	}
	if in.Outcome.English() == "" {
		bad = append(bad, fail.Field{Name: "outcome", Code: "unknown", ZH: "检查结果应为 sound、found 或 failed", EN: "outcome is sound, found or failed"})
	}
	in.Findings = strings.TrimSpace(in.Findings)
	if n := len([]rune(in.Findings)); n > 1000 || n == 0 && in.Outcome != OutcomeSound {
		bad = append(bad, fail.Field{Name: "findings", Code: "length", ZH: "请写明发现的问题，不超过 1000 字", EN: "say what was found, in at most 1000 characters"})
	}
	if len(bad) > 0 {
		return i, fail.New(fail.Invalid, "inspection", "the result of the inspection is not complete").In("检查结果填写有误").At(bad...)
	}
	i.State, i.Held, i.Outcome, i.Findings = to, in.Held, in.Outcome, in.Findings
	i.EnteredBy, i.EnteredAt, i.AnswerUntil = by, &now, answerUntil
	return i, nil
}

// Reply records what the institution says to the result. Invalid inspection: the
// text is empty or too long; Conflict inspection_state.
func (i Inspection) Reply(answer, by string, now time.Time) (Inspection, error) {
	to, err := i.follows(InspectionAnswer)
	if err != nil {
		return i, err
	}
	answer = strings.TrimSpace(answer)
	if n := len([]rune(answer)); n == 0 || n > 1000 {
		return i, fail.New(fail.Invalid, "inspection", "the answer is not complete").In("反馈意见填写有误").
			At(fail.Field{Name: "answer", Code: "length", ZH: "反馈意见应为 1 至 1000 字", EN: "the answer has 1 to 1000 characters"})
	}
	i.State, i.Answer, i.AnsweredBy, i.AnsweredAt = to, answer, by, &now
	return i, nil
}

// Publish makes the result public. Conflict inspection_state, or answer_pending:
// the institution has not answered and still may.
func (i Inspection) Publish(by string, now time.Time) (Inspection, error) {
	to, err := i.follows(InspectionPublish)
	if err != nil {
		return i, err
	}
	if today := standards.DateOf(now); i.State == InspectionEntered && today <= i.AnswerUntil {
		return i, fail.New(fail.Conflict, "answer_pending", "the institution can answer until %s; publish it after that, or after its answer", i.AnswerUntil).
			In("机构可在 %s 前反馈意见，反馈后或期满后方可公开", i.AnswerUntil.Chinese())
	}
	i.State, i.PublishedBy, i.PublishedAt = to, by, &now
	return i, nil
}
