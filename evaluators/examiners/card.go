package examiners

import (
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Status is where a card stands; see the package comment.
type Status string

// The statuses.
const (
	NotBegun  Status = "not_begun" // 尚未生效
	Valid     Status = "valid"     // 有效
	Suspended Status = "suspended" // 暂停
	Expired   Status = "expired"   // 已到期
	Revoked   Status = "revoked"   // 已取消
)

// Statuses lists every status.
func Statuses() []Status { return []Status{NotBegun, Valid, Suspended, Expired, Revoked} }

var statusWords = map[Status][2]string{
	NotBegun: {"尚未生效", "not begun"}, Valid: {"有效", "valid"}, Suspended: {"暂停", "suspended"},
	Expired: {"已到期", "expired"}, Revoked: {"已取消", "revoked"},
}

// Chinese returns the word officials use.
func (s Status) Chinese() string { return statusWords[s][0] }

// English returns an English word.
func (s Status) English() string { return statusWords[s][1] }

// Action is what is done to a card.
type Action string

// The actions.
const (
	Renewal     Action = "renew"   // 换证（续期）
	Suspension  Action = "suspend" // 暂停
	Restoration Action = "restore" // 恢复
	Revocation  Action = "revoke"  // 取消资格
)

// Actions lists every action.
func Actions() []Action { return []Action{Renewal, Suspension, Restoration, Revocation} }

var actionWords = map[Action]string{Renewal: "换证", Suspension: "暂停", Restoration: "恢复", Revocation: "取消资格"}

func (a Action) status() Status {
	if a == Revocation {
		return Revoked
	}
	return Suspended
}

// next is the state table of the package comment.
var next = map[Status]map[Action]Status{
	Valid:     {Renewal: Valid, Suspension: Suspended, Revocation: Revoked},
	Suspended: {Restoration: Valid, Revocation: Revoked},
	Expired:   {Renewal: Valid, Revocation: Revoked},
}

// Measure is a suspension or revocation of a card, as decided.
type Measure struct {
	ID   string         `json:"id"`
	Kind Action         `json:"kind"` // suspend or revoke
	From standards.Date `json:"from"`
	// Until is the last day: of a suspension, none when it is open; of a
	// revocation, the day until which there is no new card, none for good.
	Until    standards.Date `json:"until,omitempty"`
	Document string         `json:"document"` // 文号
	Basis    string         `json:"basis"`    // the rule it rests on
	Reason   string         `json:"reason,omitempty"`
	Recorded time.Time      `json:"recorded"`
	Lifted   *Lift          `json:"lifted,omitempty"`
	Appeal   *Appeal        `json:"appeal,omitempty"`
}

// Lift ends a measure.
type Lift struct {
	From     standards.Date `json:"from"` // first day without it
	Document string         `json:"document"`
	Appeal   bool           `json:"appeal,omitempty"` // by a successful appeal
	Recorded time.Time      `json:"recorded"`
}

// AppealState is where an appeal 申诉 stands.
type AppealState string

// The states of an appeal.
const (
	AppealNone       AppealState = "none"
	AppealLodged     AppealState = "lodged"
	AppealUpheld     AppealState = "upheld"     // 维持原决定
	AppealOverturned AppealState = "overturned" // 撤销原决定
)

// AppealStates lists every state.
func AppealStates() []AppealState {
	return []AppealState{AppealNone, AppealLodged, AppealUpheld, AppealOverturned}
}

// Appeal is an appeal against a measure.
type Appeal struct {
	State    AppealState `json:"state"`
	Document string      `json:"document"` // number under which it was received
	Lodged   time.Time   `json:"lodged"`
	Answer   string      `json:"answer,omitempty"` // 文号 of the answer
	Answered *time.Time  `json:"answered,omitempty"`
}

// applies reports whether m hits the card on a date as known at a time.
func (m Measure) applies(on standards.Date, known time.Time) bool {
	if m.Recorded.After(known) || on < m.From {
		return false
	}
	return m.Lifted == nil || m.Lifted.Recorded.After(known) || on < m.Lifted.From
}

// inForce is applies within the measure's period: a revocation outlives its last
// day for the card, not for the person.
func (m Measure) inForce(on standards.Date, known time.Time) bool {
	return m.applies(on, known) && (m.Until == "" || on <= m.Until)
}

// StatusAt returns the card's status on a date as it was known at a time.
func (e Examiner) StatusAt(on standards.Date, known time.Time) Status {
	begun, covered := false, false
	for _, t := range e.Terms {
		if !t.Recorded.After(known) && t.From <= on {
			begun = true
			covered = covered || on <= t.Until
		}
	}
	suspended := false
	for _, m := range e.Measures {
		switch {
		case m.Kind == Revocation && m.applies(on, known):
			return Revoked
		case m.Kind == Suspension && m.inForce(on, known):
			suspended = true
		}
	}
	switch {
	case !begun:
		return NotBegun
	case suspended:
		return Suspended
	case covered:
		return Valid
	}
	return Expired
}

// allow holds an action against the state table.
func (e Examiner) allow(a Action, on standards.Date, now time.Time) error {
	s := e.StatusAt(on, now)
	if _, ok := next[s][a]; ok {
		return nil
	}
	return fail.New(fail.Conflict, "card_state", "card %s is %s on %s; %s is not possible then", e.Number, s.English(), on, a).
		In("证卡 %s 在 %s %s，不能办理%s", e.Number, on, s.Chinese(), actionWords[a])
}

// Hit adds a measure to a card: a suspension or a revocation, from today when
// From is empty.
//
// Errors: Invalid measure_invalid; Conflict card_state.
func (e Examiner) Hit(m Measure, now time.Time) (Examiner, error) {
	today := standards.DateOf(now)
	if m.From == "" {
		m.From = today
	}
	fs := append(date("from", m.From, true, "起始日期", "first day"), date("until", m.Until, false, "截止日期", "last day")...)
	fs = append(fs, text("document", m.Document, true, 100, "文号", "number of the decision")...)
	fs = append(fs, text("basis", m.Basis, true, 500, "依据", "rule it rests on")...)
	fs = append(fs, text("reason", m.Reason, false, 1000, "事由", "reason")...)
	switch {
	case m.Kind != Suspension && m.Kind != Revocation:
		fs = append(fs, wrong("kind", "unknown", "只能是暂停或取消资格", "it is suspend or revoke"))
	case m.From.Valid() && m.Until.Valid() && m.Until < m.From:
		fs = append(fs, wrong("until", "order", "截止日期不能早于起始日期", "the last day is not before the first"))
	case m.Until != "" && m.Until.Valid() && m.Until < today:
		fs = append(fs, wrong("until", "past", "截止日期已过", "the last day is past"))
	}
	if err := refuse("measure_invalid", "决定信息有误", "the decision is not right", fs); err != nil {
		return e, err
	}
	if err := e.allow(m.Kind, max(m.From, today), now); err != nil {
		return e, err
	}
	if len(e.Measures) >= maxMeasures {
		return e, fail.New(fail.Conflict, "too_many_measures", "the card has %d measures; register a new card", maxMeasures).In("该证卡的处理记录已达 %d 条，请另行登记", maxMeasures)
	}
	m.Recorded, m.Lifted, m.Appeal = now.UTC(), nil, nil
	e.Measures = append(slices.Clone(e.Measures), m)
	return e, nil
}

// Restore ends every suspension in force, from l.From on; from today when empty.
//
// Errors: Invalid restoration_invalid; Conflict card_state.
func (e Examiner) Restore(l Lift, now time.Time) (Examiner, error) {
	today := standards.DateOf(now)
	if l.From == "" {
		l.From = today
	}
	fs := append(date("from", l.From, true, "恢复日期", "first day"), text("document", l.Document, true, 100, "文号", "number of the decision")...)
	if l.From.Valid() && l.From < today {
		fs = append(fs, wrong("from", "past", "恢复日期不能早于今天", "a card is restored from today or later"))
	}
	if err := refuse("restoration_invalid", "恢复信息有误", "the restoration is not right", fs); err != nil {
		return e, err
	}
	if err := e.allow(Restoration, l.From, now); err != nil {
		return e, err
	}
	l.Recorded, l.Appeal = now.UTC(), false
	e.Measures = slices.Clone(e.Measures)
	for i, m := range e.Measures {
		if m.Kind == Suspension && m.inForce(l.From, now) {
			lift := l
			e.Measures[i].Lifted = &lift
		}
	}
	return e, nil
}

// nextAppeal is the table of appeals of the package comment.
var nextAppeal = map[AppealState]map[string]AppealState{
	AppealNone:   {"lodge": AppealLodged},
	AppealLodged: {"uphold": AppealUpheld, "overturn": AppealOverturned},
}

// AppealSteps are the steps of an appeal.
func AppealSteps() []string { return []string{"lodge", "uphold", "overturn"} }

// Contest takes a step of an appeal against a measure: lodge, uphold or overturn.
// document is the number under which it was received or answered.
//
// Errors: Invalid appeal_invalid; NotFound measure_unknown; Conflict appeal_state,
// or appeal_late.
func (e Examiner) Contest(r Rules, measure, step, document string, now time.Time) (Examiner, error) {
	fs := text("document", document, true, 100, "文号", "number of the document")
	if !slices.Contains(AppealSteps(), step) {
		fs = append(fs, wrong("step", "unknown", "应为 lodge、uphold 或 overturn", "it is lodge, uphold or overturn"))
	}
	if err := refuse("appeal_invalid", "申诉信息有误", "the appeal is not right", fs); err != nil {
		return e, err
	}
	i := slices.IndexFunc(e.Measures, func(m Measure) bool { return m.ID == measure })
	if i < 0 {
		return e, fail.New(fail.NotFound, "measure_unknown", "the card has no measure %s", measure).In("该证卡没有处理决定 %s", measure)
	}
	m := e.Measures[i]
	state := AppealNone
	if m.Appeal != nil {
		state = m.Appeal.State
	}
	to, ok := nextAppeal[state][step]
	if !ok {
		return e, fail.New(fail.Conflict, "appeal_state", "the appeal against %s is %s; %s is not possible then", measure, state, step).
			In("对该决定的申诉状态不允许此操作（%s）", state)
	}
	today := standards.DateOf(now)
	last := standards.DateOf(m.Recorded).AddDays(r.Appeal.Days)
	if zh, en := r.cite(r.Appeal.Basis); step == "lodge" && today > last {
		return e, fail.New(fail.Conflict, "appeal_late", "an appeal could be lodged until %s%s", last, en).In("申诉期限为 %d 日，已于 %s 届满%s", r.Appeal.Days, last, zh)
	}
	e.Measures = slices.Clone(e.Measures)
	if step == "lodge" {
		e.Measures[i].Appeal = &Appeal{State: to, Document: document, Lodged: now.UTC()}
		return e, nil
	}
	answered := now.UTC()
	appeal := *m.Appeal
	appeal.State, appeal.Answer, appeal.Answered = to, document, &answered
	e.Measures[i].Appeal = &appeal
	if to == AppealOverturned && (m.Lifted == nil || m.Lifted.From > today) {
		e.Measures[i].Lifted = &Lift{From: today, Document: document, Appeal: true, Recorded: answered}
	}
	return e, nil
}
