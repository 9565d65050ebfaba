package registry

import (
	"slices"
	"strings"
	"time"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// MergeState is where the merge of two persons of the register stands who are one:
// two documents of one human being had become two persons. One account proposes it
// on evidence, another one decides; a merge that was wrong is undone the same way.
// A dash means refused.
//
//	state         | approve | reject   | withdraw  | propose_undo
//	--------------+---------+----------+-----------+--------------
//	proposed      | merged  | rejected | withdrawn | -
//	merged        | -       | -        | -         | undo_proposed
//	undo_proposed | undone  | merged   | merged    | -
//	rejected      | -       | -        | -         | -
//	withdrawn     | -       | -        | -         | -
//	undone        | -       | -        | -         | -
//
// While its undoing is proposed a merge holds.
type MergeState string

// The states of a merge.
const (
	MergeProposed     MergeState = "proposed"
	MergeMerged       MergeState = "merged"
	MergeUndoProposed MergeState = "undo_proposed"
	MergeRejected     MergeState = "rejected"
	MergeWithdrawn    MergeState = "withdrawn"
	MergeUndone       MergeState = "undone"
)

// MergeStates lists the states, the first one first.
func MergeStates() []MergeState {
	return []MergeState{MergeProposed, MergeMerged, MergeUndoProposed, MergeRejected, MergeWithdrawn, MergeUndone}
}

var mergeStateNames = map[MergeState]policy.Text{
	MergeProposed: {ZH: "待复核", EN: "proposed"}, MergeMerged: {ZH: "已合并", EN: "merged"},
	MergeUndoProposed: {ZH: "撤销合并待复核", EN: "undoing proposed"}, MergeRejected: {ZH: "未予合并", EN: "rejected"},
	MergeWithdrawn: {ZH: "已撤回", EN: "withdrawn"}, MergeUndone: {ZH: "已撤销合并", EN: "undone"},
}

// Name returns the state as officials say it.
func (s MergeState) Name() policy.Text { return mergeStateNames[s] }

// Stands reports whether the two persons are one.
func (s MergeState) Stands() bool { return s == MergeMerged || s == MergeUndoProposed }

// waits reports whether it is a second person's turn.
func (s MergeState) waits() bool { return s == MergeProposed || s == MergeUndoProposed }

// MergeAct is what is done to a merge.
type MergeAct string

// The acts.
const (
	ApproveMerge  MergeAct = "approve"
	RejectMerge   MergeAct = "reject"
	WithdrawMerge MergeAct = "withdraw"
	ProposeUndo   MergeAct = "propose_undo"
)

// MergeActs lists the acts.
func MergeActs() []MergeAct {
	return []MergeAct{ApproveMerge, RejectMerge, WithdrawMerge, ProposeUndo}
}

// mergeMoves is the table of [MergeState]; what is not here is refused.
var mergeMoves = map[MergeState]map[MergeAct]MergeState{
	MergeProposed:     {ApproveMerge: MergeMerged, RejectMerge: MergeRejected, WithdrawMerge: MergeWithdrawn},
	MergeMerged:       {ProposeUndo: MergeUndoProposed},
	MergeUndoProposed: {ApproveMerge: MergeUndone, RejectMerge: MergeMerged, WithdrawMerge: MergeMerged},
}

// mergeActNames are the acts as officials say them.
var mergeActNames = map[MergeAct]string{ApproveMerge: "复核同意", RejectMerge: "复核不同意", WithdrawMerge: "撤回", ProposeUndo: "提出撤销"}

// NextMerge returns the state after do. Error: Conflict merge_state.
func NextMerge(from MergeState, do MergeAct) (MergeState, error) {
	if to, ok := mergeMoves[from][do]; ok {
		return to, nil
	}
	name := from.Name()
	return from, fail.New(fail.Conflict, "merge_state", "a merge that is %s cannot take the step %s; read its steps to see what was decided", name.EN, do).
		In("人员合并事项状态为“%s”，不能%s，请先查看办理经过", name.ZH, mergeActNames[do])
}

// MergeReason says why one human being has two documents.
type MergeReason string

// The reasons.
const (
	MergeFifteenDigits   MergeReason = "fifteen_digits"   // 15 位身份证号码升 18 位
	MergeResidencePermit MergeReason = "residence_permit" // 港澳台居民居住证与通行证（回乡证）
	MergeForeignerCard   MergeReason = "foreigner_card"   // 外国人永久居留身份证换发新号
	MergeNewDocument     MergeReason = "new_document"     // 证件更换、改名后换发
	MergeMistake         MergeReason = "mistake"          // 登记时证件号码录入错误
)

var mergeReasons = map[MergeReason]policy.Text{
	MergeFifteenDigits:   {ZH: "15 位身份证号码升为 18 位", EN: "an identity number of 15 digits became one of 18"},
	MergeResidencePermit: {ZH: "港澳台居民居住证与来往内地通行证为同一人", EN: "residence permit and travel permit of one resident of Hong Kong, Macao or Taiwan"},
	MergeForeignerCard:   {ZH: "外国人永久居留身份证换发新号码", EN: "a permanent residence card of a foreigner has a new number"},
	MergeNewDocument:     {ZH: "证件更换或更名后换发", EN: "the document was replaced, or issued anew after a change of name"},
	MergeMistake:         {ZH: "登记时证件号码有误", EN: "the document number was registered with a mistake"},
}

// Name returns the reason as officials say it.
func (m MergeReason) Name() policy.Text { return mergeReasons[m] }

// NewMerge proposes that the holders of two documents are one person.
type NewMerge struct {
	KeepKind  string      `json:"keep_kind,omitempty"` // resident_id when empty
	Keep      string      `json:"keep"`                // the document that counts from now on
	OtherKind string      `json:"other_kind,omitempty"`
	Other     string      `json:"other"`
	Reason    MergeReason `json:"reason"`
	Evidence  string      `json:"evidence"` // number or title of the proof, 1 to 200 characters, nothing personal
}

// Merge is one proposed, standing or undone merge, for ever. It has no personal
// data: the documents stand sealed beside it.
type Merge struct {
	ID       string                   `json:"id"`
	Survivor PersonID                 `json:"survivor"` // of the document that counts
	Loser    PersonID                 `json:"loser"`
	Kinds    []standards.DocumentKind `json:"kinds"` // of both documents
	Reason   MergeReason              `json:"reason"`
	Evidence string                   `json:"evidence"`
	State    MergeState               `json:"state"`
	Proposed time.Time                `json:"proposed"`
	Steps    []MergeStep              `json:"steps"`
	From     uint64                   `json:"from,omitempty"`  // log index since which they are one
	Until    uint64                   `json:"until,omitempty"` // log index since which they are not any more
	// Collisions are the ids of those that it brought.
	Collisions []string `json:"collisions,omitempty"`
	LogIndex   uint64   `json:"log_index"` // of its newest entry
}

// MergeStep is one entry of a merge's history. Do is empty of the proposal.
type MergeStep struct {
	Do       MergeAct   `json:"do,omitempty"`
	To       MergeState `json:"to"`
	By       string     `json:"by"` // account id
	At       time.Time  `json:"at"`
	Reason   string     `json:"reason,omitempty"`
	LogIndex uint64     `json:"log_index"`
}

// mergeDocuments are the two documents. They are stored sealed only.
type mergeDocuments struct {
	Keep  standards.Document `json:"keep"`
	Other standards.Document `json:"other"`
}

// parse reads the request and reports everything that is wrong with it.
func (in NewMerge) parse(today standards.Date) (d mergeDocuments, evidence string, err error) {
	evidence, bad := plainText("evidence", "证明材料", in.Evidence, 200)
	document := func(field, kind, number string) (out standards.Document) {
		k, err := standards.ResidentID, error(nil)
		if kind != "" {
			k, err = standards.ParseDocumentKind(kind)
		}
		name := field
		if err != nil {
			name = field + "_kind"
		} else {
			out, err = standards.ParseDocument(k, number, today)
		}
		if err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: name, Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
		return out
	}
	d.Keep, d.Other = document("keep", in.KeepKind, in.Keep), document("other", in.OtherKind, in.Other)
	if len(bad) == 0 && d.Keep == d.Other {
		bad = append(bad, fail.Field{Name: "other", Code: "same", ZH: "两个证件相同，无需合并", EN: "both documents are the same one"})
	}
	if in.Reason.Name() == (policy.Text{}) {
		bad = append(bad, fail.Field{Name: "reason", Code: "unknown", ZH: "请填写合并原因（fifteen_digits、residence_permit、foreigner_card、new_document、mistake 之一）",
			EN: "the reason is fifteen_digits, residence_permit, foreigner_card, new_document or mistake"})
	}
	if len(bad) > 0 {
		return d, evidence, fail.New(fail.Invalid, "merge", "the request is not complete").In("合并信息填写有误").At(bad...)
	}
	return d, evidence, nil
}

// Decide is the rule of the second person. approve makes what was proposed hold:
// the merge, or its undoing; else it is rejected, or withdrawn by who proposed it.
// Errors: Conflict merge_state; Forbidden second_person; Invalid merge.
func (m Merge) Decide(approve bool, reason string, by Actor, at time.Time) (Merge, error) {
	s := MergeStep{Do: ApproveMerge, By: by.Account, At: at}
	switch {
	case !approve && by.Account == m.proposer():
		s.Do = WithdrawMerge
	case !approve:
		s.Do = RejectMerge
	}
	if m.State.waits() && s.Do != WithdrawMerge {
		if err := corrections.SecondPersonDecides(true, m.proposer(), by.Account); err != nil {
			return m, err
		}
	}
	return m.step(s, reason, s.Do == RejectMerge)
}

// ProposeUndo is the rule of undoing a merge that stands: reason says why it was
// wrong.
func (m Merge) ProposeUndo(reason string, by Actor, at time.Time) (Merge, error) {
	return m.step(MergeStep{Do: ProposeUndo, By: by.Account, At: at}, reason, true)
}

func (m Merge) step(s MergeStep, reason string, needed bool) (Merge, error) {
	to, err := NextMerge(m.State, s.Do)
	if err != nil {
		return m, err
	}
	if s.Reason = strings.TrimSpace(reason); s.Reason != "" || needed {
		var bad []fail.Field
		if s.Reason, bad = plainText("reason", "理由", reason, 500); len(bad) > 0 {
			return m, fail.New(fail.Invalid, "merge", "the reason cannot be taken").In("理由填写有误").At(bad...)
		}
	}
	s.To, m.State = to, to
	m.Steps = append(slices.Clone(m.Steps), s)
	return m, nil
}

// proposer is who proposed what waits.
func (m Merge) proposer() string {
	for _, s := range slices.Backward(m.Steps) {
		if s.Do == "" || s.Do == ProposeUndo {
			return s.By
		}
	}
	return ""
}
