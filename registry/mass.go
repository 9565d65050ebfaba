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

// MassState is how far a change of many certificates at once has come. A pair
// that is not in the table is refused as a conflict.
//
//	state     | approve  | reject   | withdraw  | page    | finish | undo    | restore | close
//	----------+----------+----------+-----------+---------+--------+---------+---------+-------
//	proposed  | approved | rejected | withdrawn | -       | -      | -       | -       | -
//	approved  | -        | -        | -         | running | -      | undoing | -       | -
//	running   | -        | -        | -         | running | done   | undoing | -       | -
//	done      | -        | -        | -         | -       | -      | undoing | -       | -
//	undoing   | -        | -        | -         | -       | -      | -       | undoing | undone
//	undone    | -        | -        | -         | -       | -      | -       | -       | -
//	rejected  | -        | -        | -         | -       | -      | -       | -       | -
//	withdrawn | -        | -        | -         | -       | -      | -       | -       | -
//
// approve and reject are for an account other than the proposer's, withdraw for
// the proposer, undo for the proposer or the approver and, once done, only before
// UndoUntil. page, finish, restore and close are the register's own work: after
// every page it is durable how far it has come, and a new process goes on there.
type MassState string

// The states of a mass change.
const (
	MassProposed  MassState = "proposed"
	MassApproved  MassState = "approved"
	MassRunning   MassState = "running"
	MassDone      MassState = "done"
	MassUndoing   MassState = "undoing"
	MassUndone    MassState = "undone"
	MassRejected  MassState = "rejected"
	MassWithdrawn MassState = "withdrawn"
)

// MassStates lists every state.
func MassStates() []MassState {
	return []MassState{MassProposed, MassApproved, MassRunning, MassDone, MassUndoing, MassUndone, MassRejected, MassWithdrawn}
}

// Working reports whether the register has pages to do.
func (s MassState) Working() bool { return s == MassApproved || s == MassRunning || s == MassUndoing }

// Words is the state as officials say it.
func (s MassState) Words() (zh, en string) { w := massWords[s]; return w[0], w[1] }

var massWords = map[MassState][2]string{
	MassProposed: {"待复核", "waiting for a second person"}, MassApproved: {"已批准，待执行", "approved and about to run"},
	MassRunning: {"执行中", "running"}, MassDone: {"已执行", "done"}, MassUndoing: {"撤回中", "being undone"},
	MassUndone: {"已撤回，证书恢复原状态", "undone; the certificates have their former status"}, MassRejected: {"不予批准", "rejected"},
	MassWithdrawn: {"提出人已撤销申请", "withdrawn by its proposer"},
}

// massAct is what moves a mass change on.
type massAct string

const (
	massApprove  massAct = "approve"
	massReject   massAct = "reject"
	massWithdraw massAct = "withdraw"
	massPage     massAct = "page"
	massFinish   massAct = "finish"
	massUndo     massAct = "undo"
	massRestore  massAct = "restore"
	massClose    massAct = "close"
)

func massActs() []massAct {
	return []massAct{massApprove, massReject, massWithdraw, massPage, massFinish, massUndo, massRestore, massClose}
}

var massTable = map[MassState]map[massAct]MassState{
	MassProposed: {massApprove: MassApproved, massReject: MassRejected, massWithdraw: MassWithdrawn},
	MassApproved: {massPage: MassRunning, massUndo: MassUndoing},
	MassRunning:  {massPage: MassRunning, massFinish: MassDone, massUndo: MassUndoing},
	MassDone:     {massUndo: MassUndoing},
	MassUndoing:  {massRestore: MassUndoing, massClose: MassUndone},
}

// MassScope names the certificates of a mass change: those of one session, or of
// one institution, as far as they are of a filing, occupation and level and were
// issued 发证日期 in a period. Empty members do not narrow it. Only what the
// public can see belongs to it, and only what the region of its proposer governs.
type MassScope struct {
	Institution string          `json:"institution"`
	Session     string          `json:"session,omitempty"` // then nothing else narrows it
	From        standards.Date  `json:"from,omitempty"`
	Until       standards.Date  `json:"until,omitempty"` // the last day
	Filing      string          `json:"filing,omitempty"`
	Occupation  string          `json:"occupation,omitempty"`
	Level       standards.Level `json:"level,omitzero"`
}

// holds reports whether a certificate is within the scope. Its session and
// institution are the range that is read.
func (s MassScope) holds(c Certificate) bool {
	return c.Institution == s.Institution && (s.Session == "" || c.Session == s.Session) &&
		(s.From == "" || c.Issued >= s.From) && (s.Until == "" || c.Issued <= s.Until) &&
		(s.Filing == "" || c.Filing == s.Filing) && (s.Occupation == "" || c.Occupation == s.Occupation) &&
		(s.Level == 0 || c.Level == s.Level)
}

// NewMassChange is what a mass change needs. Kind is void, cancel, suspend, or
// resume, which lifts one mass suspension: Lifts is its id, and its scope is that
// of the suspension.
type NewMassChange struct {
	Kind     ChangeKind `json:"kind"`
	Scope    MassScope  `json:"scope,omitzero"`
	Lifts    string     `json:"lifts,omitempty"`
	Document string     `json:"document"` // 文号
	Reason   string     `json:"reason"`   // shown on every certificate; no personal data
}

// MassChange is one suspension, voiding, cancellation or resumption of many
// certificates, from its proposal to the end of its undo window, for ever. The
// set of its certificates is fixed by the preview that the approver confirmed:
// what was public before that preview's AsOf, to the second, and nothing later.
type MassChange struct {
	ID       string     `json:"id"`
	Kind     ChangeKind `json:"kind"`
	Scope    MassScope  `json:"scope"`
	Lifts    string     `json:"lifts,omitempty"`
	Region   string     `json:"region"` // of the proposer: what lies outside is left out
	Document string     `json:"document"`
	Reason   string     `json:"reason"`
	State    MassState  `json:"state"`

	By       string      `json:"by"` // account id of the proposer
	Proposed time.Time   `json:"proposed"`
	Preview  MassPreview `json:"preview"` // as its proposer saw it

	ApprovedBy string         `json:"approved_by,omitempty"` // account id, never By
	Approved   time.Time      `json:"approved,omitzero"`
	Confirmed  *MassPreview   `json:"confirmed,omitempty"` // as its approver saw it
	Effective  standards.Date `json:"effective,omitempty"` // the day of the approval
	UndoHours  int            `json:"undo_hours"`
	UndoUntil  time.Time      `json:"undo_until,omitzero"` // none before the last page is done

	Total   int       `json:"total"`   // certificates of the set
	Done    int       `json:"done"`    // of them looked at
	Changed int       `json:"changed"` // of them changed
	Cursor  []byte    `json:"cursor,omitempty"`
	Ended   time.Time `json:"ended,omitzero"` // of the last page

	Closed   *MassClosing `json:"closed,omitempty"` // rejected or withdrawn
	Undo     *MassUndo    `json:"undo,omitempty"`
	LogIndex uint64       `json:"log_index"` // of its newest entry
}

// MassClosing is the end of a proposal that was not approved.
type MassClosing struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// MassUndo is how far the way back has come. Kept are certificates that something
// else has changed since: they stay as they are.
type MassUndo struct {
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	Total    int       `json:"total"` // certificates that had been changed
	Done     int       `json:"done"`  // of them looked at again
	Restored int       `json:"restored"`
	Kept     int       `json:"kept"`
	Cursor   []byte    `json:"cursor,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
}

// MassPreview is what a mass change would do, counted at a moment.
type MassPreview struct {
	AsOf time.Time `json:"as_of"` // what was public before this second is in the set
	// Certificates is how many are in the set, ByStatus what they are, Elsewhere
	// how many of them were issued elsewhere and registered here, Affected how
	// many would change.
	Certificates int                       `json:"certificates"`
	ByStatus     map[CertificateStatus]int `json:"by_status"`
	Elsewhere    int                       `json:"elsewhere,omitempty"`
	Affected     int                       `json:"affected"`
	// Claims are the claims on affected certificates by their state; refused ones
	// do not count. Payers has at most massPayers rows, those with most paid.
	Claims     []MassClaims `json:"claims,omitempty"`
	Payers     []MassPayer  `json:"payers,omitempty"`
	PayersMore int          `json:"payers_more,omitempty"` // payers left off
	// Hash is SHA-256, in hexadecimal, over kind, scope and, for each certificate
	// in the order of the register, its number and status and its claims with
	// state and amount. Two previews with one hash are of the same set in the
	// same state.
	Hash string `json:"hash"`
}

// MassClaims are the claims in one state.
type MassClaims struct {
	State  policy.State `json:"state"`
	Claims int          `json:"claims"`
	Amount policy.Fen   `json:"amount_fen"`
}

// MassPayer is what one payer has paid or holds for affected certificates. Paid
// counts confirmed payments and those made twice that have not come back.
type MassPayer struct {
	Payer    string     `json:"payer"`
	Claims   int        `json:"claims"`
	Paid     policy.Fen `json:"paid_fen"`
	Reserved policy.Fen `json:"reserved_fen"`
}

// massPayers bounds the payers that a preview names.
const massPayers = 50

// Limits of one mass change. More is done in several, by session or period.
const (
	massAffectedMax = 100_000
	massReadMax     = 1_000_000 // certificates of the institution that are read to find them
)

// check refuses a proposal that is not complete.
func (in NewMassChange) check() (NewMassChange, error) {
	var bad []fail.Field
	wrong := func(name, code, zh, en string) { bad = append(bad, fail.Field{Name: name, Code: code, ZH: zh, EN: en}) }
	in.Document, in.Reason = strings.TrimSpace(in.Document), strings.TrimSpace(in.Reason)
	if _, ok := changeTable[in.Kind]; !ok {
		wrong("kind", "unknown", "应为 void（撤销）、cancel（注销）、suspend（暂停）或 resume（恢复）", "void, cancel, suspend or resume")
	}
	if n := len([]rune(in.Document)); n == 0 || n > 100 {
		wrong("document", "length", "请填写文号，不超过 100 字", "the document number, at most 100 characters")
	}
	if n := len([]rune(in.Reason)); n == 0 || n > 500 {
		wrong("reason", "length", "请写明依据和原因，1 至 500 字", "a reason of 1 to 500 characters is needed")
	}
	bad = append(append(bad, impersonal("document", in.Document)...), impersonal("reason", in.Reason)...)
	if (in.Kind == ChangeResume) != (in.Lifts != "") {
		wrong("lifts", "required", "恢复须指明所解除的批量暂停编号；其他种类不填此项", "a resumption names the mass suspension it lifts; nothing else does")
	}
	if in.Lifts != "" {
		if in.Scope != (MassScope{}) {
			wrong("scope", "not_here", "解除批量暂停时范围与该次暂停相同，不另填写", "a resumption has the scope of the suspension that it lifts")
		}
	} else {
		bad = append(bad, in.Scope.problems()...)
	}
	if len(bad) > 0 {
		return in, fail.New(fail.Invalid, "mass_change", "the proposal is not complete").In("批量处理的申请信息有误").At(bad...)
	}
	return in, nil
}

func (s MassScope) problems() (bad []fail.Field) {
	wrong := func(name, code, zh, en string) {
		bad = append(bad, fail.Field{Name: "scope." + name, Code: code, ZH: zh, EN: en})
	}
	if s.Institution == "" && s.Session == "" {
		wrong("institution", "required", "请指明评价机构或认定批次", "name an institution or a session")
	}
	alone := s
	alone.Institution, alone.Session = "", ""
	if s.Session != "" && alone != (MassScope{}) {
		wrong("session", "alone", "按认定批次处理时不再填写其他范围条件", "a session is narrowed by nothing else")
	}
	for _, d := range []struct {
		name string
		date standards.Date
	}{{"from", s.From}, {"until", s.Until}} {
		if d.date != "" && !d.date.Valid() {
			wrong(d.name, "date", "应为实际存在的日期，如 2026-03-02", "an existing day, for instance 2026-03-02")
		}
	}
	if s.From != "" && s.Until != "" && s.From > s.Until {
		wrong("until", "order", "发证日期止不得早于发证日期起", "the last day is not before the first")
	}
	return bad
}

// next is the mass change after an act, without what the act brings.
func (m MassChange) next(do massAct) (MassChange, error) {
	to, ok := massTable[m.State][do]
	if !ok {
		zh, en := m.State.Words()
		return m, fail.New(fail.Conflict, "mass_state", "mass change %s is %s (%s); %s is not possible now", m.ID, m.State, en, do).
			In("批量处理 %s 当前为“%s”，不能办理此操作", m.ID, zh)
	}
	m.State = to
	return m, nil
}

// Approve is the rule of the second person: another account confirms the preview
// as it is now, by its hash. Errors: Conflict mass_state, mass_preview_changed,
// mass_nothing; Forbidden second_person.
func (m MassChange) Approve(by Actor, hash string, now MassPreview, at time.Time) (MassChange, error) {
	out, err := m.next(massApprove)
	if err != nil {
		return m, err
	}
	if err := corrections.SecondPersonDecides(true, m.By, by.Account); err != nil {
		return m, err
	}
	if hash != now.Hash {
		return m, fail.New(fail.Conflict, "mass_preview_changed", "the certificates or their claims are no longer what this preview says; look at the present preview and confirm its hash").
			In("预览内容已发生变化（证书或补贴申领有变动），请核对最新预览并按其校验值确认").
			At(fail.Field{Name: "hash", Code: "changed", ZH: "最新预览的校验值为 " + now.Hash, EN: "the hash of the present preview is " + now.Hash})
	}
	if now.Affected == 0 {
		return m, nothingToChange()
	}
	out.ApprovedBy, out.Approved, out.Confirmed, out.Effective, out.Total = by.Account, at, &now, standards.DateOf(at), now.Certificates
	return out, nil
}

func nothingToChange() error {
	return fail.New(fail.Conflict, "mass_nothing", "no certificate of this scope would be changed").In("该范围内没有可以变更状态的证书")
}

// Close is the rule for a proposal that is not approved: rejected by another
// account, withdrawn by its own.
func (m MassChange) Close(by Actor, reason string, at time.Time) (MassChange, error) {
	do := massReject
	if by.Account == m.By {
		do = massWithdraw
	}
	out, err := m.next(do)
	if err != nil {
		return m, err
	}
	if do == massReject || reason != "" {
		var bad []fail.Field
		if reason, bad = plainText("reason", "原因", reason, 500); bad != nil {
			return m, fail.New(fail.Invalid, "mass_change", "the reason cannot be taken").In("原因填写有误").At(bad...)
		}
	}
	out.Closed = &MassClosing{By: by.Account, At: at, Reason: reason}
	return out, nil
}

// GoBack is the rule of undo: the proposer or the approver, with a reason, and
// once the last page is done only within the window. Errors: Conflict mass_state,
// undo_over; Forbidden not_allowed; Invalid.
func (m MassChange) GoBack(by Actor, reason string, at time.Time) (MassChange, error) {
	out, err := m.next(massUndo)
	if err != nil {
		return m, err
	}
	if by.Account != m.By && by.Account != m.ApprovedBy {
		return m, fail.New(fail.Forbidden, "not_allowed", "only the account that proposed or approved it may undo it").In("只有提出人或复核人可以撤回")
	}
	if m.State == MassDone && !at.Before(m.UndoUntil) {
		return m, fail.New(fail.Conflict, "undo_over", "it could be undone within %d hours, until %s; from then on certificates are changed by new decisions", m.UndoHours, m.UndoUntil.Format(time.RFC3339)).
			In("撤回期限（%d 小时）已于 %s 届满；此后应以新的决定处理", m.UndoHours, m.UndoUntil.In(standards.Zone).Format("2006-01-02 15:04"))
	}
	reason, bad := plainText("reason", "撤回原因", reason, 500)
	if bad != nil {
		return m, fail.New(fail.Invalid, "mass_change", "the reason cannot be taken").In("原因填写有误").At(bad...)
	}
	out.Undo = &MassUndo{By: by.Account, At: at, Reason: reason, Total: m.Changed}
	return out, nil
}

// page is the mass change after one page of seen certificates, of which changed
// were changed. cursor is nil after the last.
func (m MassChange) page(seen, changed int, cursor []byte, at time.Time) (MassChange, error) {
	m, err := m.next(massPage)
	if err != nil {
		return m, err
	}
	m.Done, m.Changed, m.Cursor = m.Done+seen, m.Changed+changed, cursor
	if cursor != nil {
		return m, nil
	}
	m.Ended, m.UndoUntil = at, at.Add(time.Duration(m.UndoHours)*time.Hour)
	return m.next(massFinish)
}

// restorePage is page on the way back.
func (m MassChange) restorePage(restored, kept int, cursor []byte, at time.Time) (MassChange, error) {
	m, err := m.next(massRestore)
	if err != nil {
		return m, err
	}
	u := *m.Undo
	u.Done, u.Restored, u.Kept, u.Cursor = u.Done+restored+kept, u.Restored+restored, u.Kept+kept, cursor
	m.Undo = &u
	if cursor != nil {
		return m, nil
	}
	u.Ended = at
	return m.next(massClose)
}

// InMass is the certificate with a mass change; false when its status does not
// allow the change, or it has it already. Then it stays as it is.
func (c Certificate) InMass(m MassChange, at time.Time) (Certificate, bool) {
	to, ok := changeTable[m.Kind][c.Status]
	if !ok || slices.ContainsFunc(c.Changes, func(x Change) bool { return x.Mass == m.ID }) || m.Lifts != "" && !c.latestOf(m.Lifts) {
		return c, false
	}
	c.Status = to
	c.Changes = append(c.Changes[:len(c.Changes):len(c.Changes)], Change{Kind: m.Kind, Effective: m.Effective, Recorded: at,
		By: m.ApprovedBy, Document: m.Document, Reason: m.Reason, Mass: m.ID})
	return c, true
}

// latestOf reports whether the newest change of c is that of a mass change, and
// not its undoing.
func (c Certificate) latestOf(mass string) bool {
	n := len(c.Changes)
	return n > 0 && c.Changes[n-1].Mass == mass && c.Changes[n-1].Kind != ChangeUndo
}

// Undo is the certificate with exactly the status it had before a mass change;
// false when the mass change is not the newest that befell it. It is no ordinary
// transition: it leads out of voided too.
func (c Certificate) Undo(m MassChange, at time.Time) (Certificate, bool) {
	if !c.latestOf(m.ID) {
		return c, false
	}
	c.Status = statusAfter(c.Changes[:len(c.Changes)-1])
	c.Changes = append(c.Changes[:len(c.Changes):len(c.Changes)], Change{Kind: ChangeUndo, Effective: standards.DateOf(at), Recorded: at,
		By: m.Undo.By, Document: m.Document, Reason: m.Undo.Reason, Mass: m.ID})
	return c, true
}

// statusAfter is the status to which changes lead, the oldest first. An undo
// gives back what was before the change it follows.
func statusAfter(changes []Change) CertificateStatus {
	status, before := CertificateValid, CertificateValid
	for _, change := range changes {
		if change.Kind == ChangeUndo {
			status = before
		} else if to, ok := changeTable[change.Kind][status]; ok {
			status, before = to, status
		}
	}
	return status
}
