package blanks

import (
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/form"
)

// Destruction is a batch of spoiled blanks 销毁批次.
type Destruction struct {
	ID          string           `json:"id"`
	Institution string           `json:"institution"`
	Region      string           `json:"region"`
	Ranges      []Range          `json:"ranges"`
	Quantity    int              `json:"quantity"`
	State       DestructionState `json:"state"`
	Rules       string           `json:"rules"`
	// SecondPerson: another account than By records the destruction.
	SecondPerson bool      `json:"second_person"`
	By           string    `json:"by"` // account
	Collected    time.Time `json:"collected"`
	// Document is the record of destruction 销毁记录 or its 文号; Method how.
	Document string `json:"document,omitempty"`
	Method   string `json:"method,omitempty"`
	Ended    *Step  `json:"ended,omitempty"`
	LogIndex uint64 `json:"log_index"`
}

// DestructionState is how far a batch of destruction has come. A pair that is not
// in the table is refused as a conflict.
//
//	state     | destroy   | dissolve
//	----------+-----------+-----------
//	waiting   | destroyed | dissolved
//	destroyed | -         | -
//	dissolved | -         | -
type DestructionState string

// The states of a batch of destruction.
const (
	DestructionWaiting   DestructionState = "waiting"
	DestructionDone      DestructionState = "destroyed"
	DestructionDissolved DestructionState = "dissolved"
)

// DestructionStates lists every state of a batch of destruction.
func DestructionStates() []DestructionState {
	return []DestructionState{DestructionWaiting, DestructionDone, DestructionDissolved}
}

var destructionWords = map[DestructionState][2]string{
	DestructionWaiting: {"待销毁", "waiting"}, DestructionDone: {"已销毁", "destroyed"}, DestructionDissolved: {"已解散", "dissolved"},
}

// Words is the state as officials say it.
func (s DestructionState) Words() (zh, en string) { w := destructionWords[s]; return w[0], w[1] }

// DestructionAct is what is done to a batch of destruction.
type DestructionAct string

// The acts.
const (
	DestroyBatch  DestructionAct = "destroy"
	DissolveBatch DestructionAct = "dissolve"
)

// DestructionActs lists every act.
func DestructionActs() []DestructionAct { return []DestructionAct{DestroyBatch, DissolveBatch} }

var destructionNext = map[DestructionState]map[DestructionAct]DestructionState{
	DestructionWaiting: {DestroyBatch: DestructionDone, DissolveBatch: DestructionDissolved},
}

// NextDestruction is the state after an act. Error: Conflict destruction_state.
func NextDestruction(from DestructionState, do DestructionAct) (DestructionState, error) {
	to, ok := destructionNext[from][do]
	if !ok {
		zh, en := from.Words()
		return from, fail.New(fail.Conflict, "destruction_state", "the batch of destruction is %s (%s) and cannot be changed by %s", from, en, do).
			In("该销毁批次当前为“%s”，不能再办理此操作", zh)
	}
	return to, nil
}

// End records that a batch was destroyed, with its record and method, or dissolves
// it. Errors: Conflict destruction_state; Forbidden second_person; Invalid
// destruction.
func (d Destruction) End(do DestructionAct, by Party, document, method string, now time.Time) (Destruction, error) {
	to, err := NextDestruction(d.State, do)
	if err != nil {
		return d, err
	}
	if do == DestroyBatch && d.SecondPerson && by.Account == d.By {
		return d, fail.New(fail.Forbidden, "second_person", "another account than the one that made the batch records its destruction").
			In("销毁须由建立销毁批次以外的另一账号登记（两人在场）")
	}
	document, method = strings.TrimSpace(document), strings.TrimSpace(method)
	bad := form.Text("document", document, do == DestroyBatch, TextMost, "销毁记录", "record of destruction")
	bad = append(bad, form.Text("method", method, do == DestroyBatch, TextMost, "销毁方式", "method")...)
	if err := form.Refuse("destruction", "销毁信息有误", "the destruction cannot be recorded", bad); err != nil {
		return d, err
	}
	d.State, d.Document, d.Method, d.Ended = to, document, method, &Step{By: by.Account, At: now}
	return d, nil
}
