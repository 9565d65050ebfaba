package registry

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// CollisionSource says how it came out that two claims collide.
type CollisionSource string

// The sources of collisions.
const (
	FromImport CollisionSource = "import" // a payment of the past was taken over
	FromMerge  CollisionSource = "merge"  // two persons of the register are one
	FromLate   CollisionSource = "late"   // a payment was reported after its reservation had ended
	// FromCorrection: a refund of one claim was corrected away after the other was made.
	FromCorrection CollisionSource = "correction"
)

// Known reports whether s is one of the sources.
func (s CollisionSource) Known() bool {
	return s == FromImport || s == FromMerge || s == FromLate || s == FromCorrection
}

// CollisionState is where a collision of claims stands: claims of one person that
// the rules would not have allowed beside each other. One account of the authority
// proposes what is to become of it, another one decides. A dash means refused.
//
//	state      | propose  | approve_accept | approve_recover | approve_dismiss | reject | withdraw | lapse
//	-----------+----------+----------------+-----------------+-----------------+--------+----------+-------
//	open       | proposed | -              | -               | -               | -      | -        | lapsed
//	proposed   | -        | accepted       | to_recover      | dismissed       | open   | open     | lapsed
//	accepted   | -        | -              | -               | -               | -      | -        | lapsed
//	to_recover | -        | -              | -               | -               | -      | -        | lapsed
//	dismissed  | -        | -              | -               | -               | -      | -        | -
//	lapsed     | -        | -              | -               | -               | -      | -        | -
//
// Which approval it is follows from what was proposed. A collision lapses when a
// merge is undone that had made its claims those of one person; what was decided
// before stays in its steps, and what collides without that merge is opened anew.
type CollisionState string

// The states of a collision.
const (
	CollisionOpen      CollisionState = "open"
	CollisionProposed  CollisionState = "proposed"   // waits for its second person
	CollisionAccepted  CollisionState = "accepted"   // both stand, for the reason given
	CollisionToRecover CollisionState = "to_recover" // the payer of one claim is asked to get its money back 追回
	CollisionDismissed CollisionState = "dismissed"  // there was none
	CollisionLapsed    CollisionState = "lapsed"     // its merge was undone
)

// CollisionStates lists the states, the first one first.
func CollisionStates() []CollisionState {
	return []CollisionState{CollisionOpen, CollisionProposed, CollisionAccepted, CollisionToRecover, CollisionDismissed, CollisionLapsed}
}

var collisionStateNames = map[CollisionState]policy.Text{
	CollisionOpen: {ZH: "待核查", EN: "open"}, CollisionProposed: {ZH: "待复核", EN: "proposed"},
	CollisionAccepted: {ZH: "核准并存", EN: "both stand"}, CollisionToRecover: {ZH: "应追回", EN: "to recover"},
	CollisionDismissed: {ZH: "不构成重复", EN: "dismissed"}, CollisionLapsed: {ZH: "已失效", EN: "lapsed"},
}

// Name returns the state as officials say it.
func (s CollisionState) Name() policy.Text { return collisionStateNames[s] }

// CollisionAct is what is done to a collision.
type CollisionAct string

// The acts.
const (
	ProposeCollision CollisionAct = "propose"
	ApproveAccept    CollisionAct = "approve_accept"
	ApproveRecover   CollisionAct = "approve_recover"
	ApproveDismiss   CollisionAct = "approve_dismiss"
	RejectCollision  CollisionAct = "reject"
	WithdrawProposal CollisionAct = "withdraw"
	LapseCollision   CollisionAct = "lapse"
)

// CollisionActs lists the acts.
func CollisionActs() []CollisionAct {
	return []CollisionAct{ProposeCollision, ApproveAccept, ApproveRecover, ApproveDismiss, RejectCollision, WithdrawProposal, LapseCollision}
}

// collisionMoves is the table of [CollisionState]; what is not here is refused.
var collisionMoves = map[CollisionState]map[CollisionAct]CollisionState{
	CollisionOpen: {ProposeCollision: CollisionProposed, LapseCollision: CollisionLapsed},
	CollisionProposed: {ApproveAccept: CollisionAccepted, ApproveRecover: CollisionToRecover, ApproveDismiss: CollisionDismissed,
		RejectCollision: CollisionOpen, WithdrawProposal: CollisionOpen, LapseCollision: CollisionLapsed},
	CollisionAccepted:  {LapseCollision: CollisionLapsed},
	CollisionToRecover: {LapseCollision: CollisionLapsed},
}

// collisionActNames are the acts as officials say them.
var collisionActNames = map[CollisionAct]string{ProposeCollision: "提出处理意见", ApproveAccept: "复核同意并存", ApproveRecover: "复核同意追回", ApproveDismiss: "复核同意不构成重复",
	RejectCollision: "复核不同意", WithdrawProposal: "撤回处理意见", LapseCollision: "作失效处理"}

// NextCollision returns the state after do. Error: Conflict collision_state.
func NextCollision(from CollisionState, do CollisionAct) (CollisionState, error) {
	if to, ok := collisionMoves[from][do]; ok {
		return to, nil
	}
	name := from.Name()
	return from, fail.New(fail.Conflict, "collision_state", "a collision that is %s cannot take the step %s; read its steps to see what was decided", name.EN, do).
		In("重复发放线索状态为“%s”，不能%s，请先查看办理经过", name.ZH, collisionActNames[do])
}

// collisionAgainst is how many claims a collision names besides the newer one. A
// rule that counts more names the latest of them.
const collisionAgainst = 31

// Collision is a finding that claims of one person stand beside each other
// although a rule would have refused the newer of them. Nothing is paid back by
// itself: two persons of the authority decide. It has no personal data and is
// never removed.
type Collision struct {
	ID     string   `json:"id"`
	Person PersonID `json:"person"`
	// Claims are ids: first the one the rules refuse, then those that stand
	// against it, in the order of the log.
	Claims   []string           `json:"claims"`
	Rules    []policy.Failure   `json:"rules"` // that the first one fails, as its own payer may see them
	Source   CollisionSource    `json:"source"`
	Merge    string             `json:"merge,omitempty"`   // id of the merge that brought it
	Region   string             `json:"region"`            // whose authority decides: that of the newer claim's payer
	Regions  []string           `json:"regions,omitempty"` // of the payers, each once: whose authorities see it; Region alone when absent
	Payers   []string           `json:"payers"`            // of the claims, each once
	State    CollisionState     `json:"state"`
	Opened   time.Time          `json:"opened"`
	Proposal *CollisionProposal `json:"proposal,omitempty"` // that waits, or was approved
	Steps    []CollisionStep    `json:"steps"`
	LogIndex uint64             `json:"log_index"` // of its newest entry
}

// CollisionProposal is what one account of the authority proposes.
type CollisionProposal struct {
	Outcome CollisionState `json:"outcome"`         // accepted, to_recover or dismissed
	Claim   string         `json:"claim,omitempty"` // of to_recover: which claim's money has to come back
	Reason  string         `json:"reason"`          // 1 to 500 characters, nothing personal
}

// CollisionStep is one entry of a collision's history.
type CollisionStep struct {
	Do       CollisionAct   `json:"do"`
	To       CollisionState `json:"to"`
	By       string         `json:"by"` // account id
	At       time.Time      `json:"at"`
	Outcome  CollisionState `json:"outcome,omitempty"` // of a proposal
	Claim    string         `json:"claim,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	LogIndex uint64         `json:"log_index"`
}

// approval is the act that approves a proposal.
func (p CollisionProposal) approval() CollisionAct {
	return map[CollisionState]CollisionAct{CollisionAccepted: ApproveAccept, CollisionToRecover: ApproveRecover, CollisionDismissed: ApproveDismiss}[p.Outcome]
}

// Propose is the rule of ProposeCollision.
func (c Collision) Propose(in CollisionProposal, by Actor, at time.Time) (Collision, error) {
	reason, bad := plainText("reason", "理由", in.Reason, 500)
	if in.approval() == "" {
		bad = append(bad, fail.Field{Name: "outcome", Code: "unknown", ZH: "处理意见应为 accepted（核准并存）、to_recover（应追回）或 dismissed（不构成重复）",
			EN: "the outcome is accepted, to_recover or dismissed"})
	}
	switch recover := in.Outcome == CollisionToRecover; {
	case recover && !slices.Contains(c.Claims, in.Claim):
		bad = append(bad, fail.Field{Name: "claim", Code: "required", ZH: "请填写应追回的申领，须为本线索所列申领之一", EN: "name the claim whose money has to come back; it is one of this collision"})
	case !recover && in.Claim != "":
		bad = append(bad, fail.Field{Name: "claim", Code: "not_wanted", ZH: "只有“应追回”须填写申领", EN: "only to_recover names a claim"})
	}
	if len(bad) > 0 {
		return c, fail.New(fail.Invalid, "collision", "the proposal is not complete").In("处理意见填写有误").At(bad...)
	}
	out, err := c.step(CollisionStep{Do: ProposeCollision, By: by.Account, At: at, Outcome: in.Outcome, Claim: in.Claim, Reason: reason})
	if err == nil {
		out.Proposal = &CollisionProposal{Outcome: in.Outcome, Claim: in.Claim, Reason: reason}
	}
	return out, err
}

// Decide is the rule of the second person: approve makes the proposal hold, else
// it is rejected, or withdrawn when its proposer says so, and the collision is
// open again. Error: Forbidden second_person.
func (c Collision) Decide(approve bool, reason string, by Actor, at time.Time) (Collision, error) {
	proposer := c.proposer()
	s := CollisionStep{Do: RejectCollision, By: by.Account, At: at}
	switch {
	case c.Proposal == nil: // refused below, whatever it is
	case approve:
		s.Do, s.Claim = c.Proposal.approval(), c.Proposal.Claim
	case by.Account == proposer:
		s.Do = WithdrawProposal
	}
	if c.State == CollisionProposed && s.Do != WithdrawProposal {
		if err := corrections.SecondPersonDecides(true, proposer, by.Account); err != nil {
			return c, err
		}
	}
	var bad []fail.Field
	if s.Reason = strings.TrimSpace(reason); s.Reason != "" || s.Do == RejectCollision {
		if s.Reason, bad = plainText("reason", "理由", reason, 500); len(bad) > 0 && c.State == CollisionProposed {
			return c, fail.New(fail.Invalid, "collision", "the reason cannot be taken").In("理由填写有误").At(bad...)
		}
	}
	out, err := c.step(s)
	if err == nil && !approve {
		out.Proposal = nil
	}
	return out, err
}

// Lapse ends a collision whose merge was undone.
func (c Collision) Lapse(reason string, by Actor, at time.Time) (Collision, error) {
	return c.step(CollisionStep{Do: LapseCollision, By: by.Account, At: at, Reason: reason})
}

func (c Collision) step(s CollisionStep) (Collision, error) {
	to, err := NextCollision(c.State, s.Do)
	if err != nil {
		return c, err
	}
	s.To, c.State = to, to
	c.Steps = append(slices.Clone(c.Steps), s)
	return c, nil
}

// proposer is who made the newest proposal.
func (c Collision) proposer() string {
	for _, s := range slices.Backward(c.Steps) {
		if s.Do == ProposeCollision {
			return s.By
		}
	}
	return ""
}

// collide records that newer stands beside the claims against it although the
// rules failing would have refused it. A collision of the same claims and rules
// that has not ended is there once: recording it again changes nothing. id is the
// id it gets, from r.rand.id("o").
func (r *Registry) collide(tx kv.Tx, by Actor, source CollisionSource, newer Claim, against []Claim, failing []policy.Failure, id string) error {
	_, err := r.openCollision(tx, by, Collision{ID: id, Source: source, Person: newer.Person, Rules: failing}, newer, against)
	return err
}

// collisionOpened is the detail of the event of a new collision. It names no
// claim but the newer one: payers see the events that concern them.
type collisionOpened struct {
	Source  CollisionSource `json:"source"`
	Merge   string          `json:"merge,omitempty"`
	Claim   string          `json:"claim"`
	Against int             `json:"against"`
	Rules   []string        `json:"rules"`
	Record  string          `json:"record_sha256,omitempty"` // see recordDigest
}

// collisionStepped is the detail of the event of a step.
type collisionStepped struct {
	CollisionStep
	Record string `json:"record_sha256,omitempty"` // see recordDigest
}

func (r *Registry) openCollision(tx kv.Tx, by Actor, c Collision, newer Claim, against []Claim) (opened bool, err error) {
	against = latestClaims(against)
	c.Claims, c.Payers, c.Region = []string{newer.ID}, []string{newer.Payer}, r.regionHere(newer.Region)
	c.Regions = []string{c.Region}
	for _, a := range against {
		c.Claims = append(c.Claims, a.ID)
		if !slices.Contains(c.Payers, a.Payer) {
			c.Payers = append(c.Payers, a.Payer)
		}
		if region := r.regionHere(a.Region); !slices.Contains(c.Regions, region) {
			c.Regions = append(c.Regions, region)
		}
	}
	slices.Sort(c.Regions)
	if known, err := collisionKnown(tx, c); err != nil || known {
		return false, err
	}
	c.State, c.Opened, c.Steps = CollisionOpen, tx.Now(), []CollisionStep{}
	if c.LogIndex, err = r.appendEvent(tx, by, Event{Kind: CollisionWasOpened, Object: c.ID, Payer: newer.Payer,
		Detail: collisionOpened{Source: c.Source, Merge: c.Merge, Claim: newer.ID, Against: len(against), Rules: ruleIDs(c.Rules), Record: recordDigest(c)}}); err != nil {
		return false, err
	}
	if err := collisions.Put(tx, c); err != nil {
		return false, err
	}
	return true, r.relianceOfClaims(tx, c.Claims, RelianceCollision, c.LogIndex)
}

// latestClaims are the claims in the order of the log, at most collisionAgainst.
func latestClaims(cs []Claim) []Claim {
	cs = slices.Clone(cs)
	slices.SortFunc(cs, func(a, b Claim) int {
		if a.LogIndex < b.LogIndex {
			return -1
		}
		return 1
	})
	return cs[max(0, len(cs)-collisionAgainst):]
}

// collisionKnown looks for the same collision among those of its newer claim. What
// another merge has brought is not the same: it lapses with that one.
func collisionKnown(rd kv.Reader, c Collision) (bool, error) {
	rng := kv.Prefix(kv.Key(c.Claims[0]))
	rng.Limit = claimsMax
	others, _, err := collisions.ScanIndex(rd, indexCollisionsByClaim, rng)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(others, func(o Collision) bool {
		apart := o.Merge != "" && c.Merge != "" && o.Merge != c.Merge
		return !apart && o.State != CollisionLapsed && slices.Equal(o.Claims, c.Claims) && slices.Equal(ruleIDs(o.Rules), ruleIDs(c.Rules))
	}), nil
}

func ruleIDs(failing []policy.Failure) []string {
	out := []string{}
	for _, f := range failing {
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// regionHere is the region whose authority has to do with a payer of a region: an
// authority above the register's own has no accounts here.
func (r *Registry) regionHere(region string) string {
	if governs(region, r.cfg.Region) {
		return r.cfg.Region
	}
	return region
}

// seenFrom are the regions whose authorities see a collision.
func (c Collision) seenFrom() []string {
	if len(c.Regions) == 0 {
		return []string{c.Region}
	}
	return c.Regions
}

// CollisionFilter narrows the list of collisions. Region is the actor's own when
// empty; a payer sees those of its claims, whatever the region.
type CollisionFilter struct {
	Region string
	State  CollisionState
}

// CollisionView is a collision as an authority, an auditor or one of its payers
// may see it. Of other payers' claims a payer learns the day alone, and so does the
// authority of a payer's region of claims outside it, if another one decides.
type CollisionView struct {
	ID        string             `json:"id"`
	State     CollisionState     `json:"state"`
	StateName policy.Text        `json:"state_name"`
	Source    CollisionSource    `json:"source"`
	Merge     string             `json:"merge,omitempty"`
	Region    string             `json:"region"`
	Opened    time.Time          `json:"opened"`
	Claims    []CollidingClaim   `json:"claims"`
	Rules     []policy.Failure   `json:"rules"`
	Proposal  *CollisionProposal `json:"proposal,omitempty"` // for the authority; of a payer's only when it was approved
	Steps     []CollisionStep    `json:"steps,omitempty"`    // for the authority
	Recover   bool               `json:"recover"`            // a claim of this payer has to be recovered
	LogIndex  uint64             `json:"log_index"`
}

// CollidingClaim is one claim of a collision.
type CollidingClaim struct {
	On    standards.Date `json:"on"`    // the day it was reserved or, imported, paid
	Newer bool           `json:"newer"` // it is the one the rules refuse
	Own   bool           `json:"own"`   // of the payer that asks; then, and for its authority and the one that decides, Claim is there
	Claim *ClaimView     `json:"claim,omitempty"`
}

// whole says that an actor sees all of a collision; others see their own part.
func (c Collision) whole(by Actor) bool {
	return may(by, ReadCollision, Object{Region: c.Region}) == nil
}

// concerns says that it is a collision of an authority's or auditor's region.
func (c Collision) concerns(by Actor) bool {
	return slices.ContainsFunc(c.seenFrom(), func(region string) bool { return may(by, ReadCollision, Object{Region: region}) == nil })
}

// view is the collision for an actor. Its claims are read once each: there are at
// most collisionAgainst + 1.
func (c Collision) view(rd kv.Reader, by Actor, now time.Time) (out CollisionView, err error) {
	whole := c.whole(by)
	out = CollisionView{ID: c.ID, State: c.State, StateName: c.State.Name(), Source: c.Source, Region: c.Region, Opened: c.Opened, LogIndex: c.LogIndex,
		Claims: []CollidingClaim{}, Rules: []policy.Failure{}}
	newerOwn := false
	for i, id := range c.Claims {
		claim, ok, err := claims.Lookup(rd, indexClaimsByID, kv.Key(id))
		if err != nil || !ok {
			return out, cmpErr(err, "collision %s: there is no claim %s", c.ID, id)
		}
		one := CollidingClaim{On: claim.day(), Newer: i == 0, Own: by.Organisation != "" && by.Organisation == claim.Payer}
		newerOwn = newerOwn || one.Newer && one.Own
		if whole || one.Own || may(by, ReadCollision, Object{Region: claim.Region}) == nil {
			v := claim.View(now)
			one.Claim = &v
		}
		if c.Proposal != nil && c.State == CollisionToRecover && c.Proposal.Claim == id && one.Own {
			out.Recover = true
		}
		out.Claims = append(out.Claims, one)
	}
	for _, f := range c.Rules {
		if !whole && !newerOwn { // the failure speaks of another payer's claim
			f.Detail, f.Blocks = policy.Text{}, nil
		}
		out.Rules = append(out.Rules, f)
	}
	if whole || c.concerns(by) {
		out.Merge, out.Proposal, out.Steps = c.Merge, c.Proposal, c.Steps
	}
	return out, nil
}

// cmpErr is err, or when there is none what a missing record is.
func cmpErr(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf(format, args...)
}

// day is the civil day of a claim: of an imported one the day it was paid.
func (c Claim) day() standards.Date {
	if c.Imported != nil && c.Payment != nil {
		return c.Payment.PaidOn
	}
	return standards.DateOf(c.Reserved)
}

// Collisions is one page of collisions, by region and in the order in which they
// were opened for an authority or auditor, in the order in which they were opened
// for a payer concerned.
func (r *Registry) Collisions(ctx context.Context, by Actor, f CollisionFilter, page Page) (out []CollisionView, next string, err error) {
	if f.State != "" && f.State.Name() == (policy.Text{}) {
		return nil, "", fail.New(fail.Invalid, "state", "there is no state %q of a collision", f.State).In("重复发放线索没有 %q 这种状态", f.State)
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		index, rng, err := f.over(by)
		if err != nil {
			return err
		}
		found, cursor, err := f.page(rd, index, rng, page)
		if err != nil {
			return err
		}
		for _, c := range found {
			if f.State != "" && c.State != f.State {
				continue // a payer's list has no index by state; its page may be short
			}
			v, err := c.view(rd, by, now)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// over is the part of an index that a list reads, if the actor may.
func (f *CollisionFilter) over(by Actor) (kv.Table, kv.Range, error) {
	if by.has(RolePayer) && !by.has(RoleAuthority) && !by.has(RoleAuditor) {
		if err := may(by, ReadCollision, Object{Payer: by.Organisation}); err != nil {
			return "", kv.Range{}, err
		}
		return indexCollisionsByPayer, kv.Prefix(kv.Key(by.Organisation)), nil
	}
	if f.Region == "" {
		f.Region = by.Region
	}
	if err := may(by, ReadCollision, Object{Region: f.Region}); err != nil {
		return "", kv.Range{}, err
	}
	from, to := regionsUnder(f.Region)
	if f.State != "" {
		return indexCollisionsByState, kv.Range{From: kv.Key(string(f.State), from), To: kv.Key(string(f.State), to)}, nil
	}
	return indexCollisionsByRegion, kv.Range{From: kv.Key(from), To: kv.Key(to)}, nil
}

// page is one page of a list. A collision of several places of one region stands in
// the index of each of them and is listed once; its page may be short.
func (f CollisionFilter) page(rd kv.Reader, index kv.Table, rng kv.Range, page Page) (out []Collision, next string, err error) {
	if rng, err = page.within(rng); err != nil {
		return nil, "", err
	}
	entries, err := rd.Scan(index, rng)
	if err != nil {
		return nil, "", err
	}
	found, cursor, err := collisions.ScanIndex(rd, index, rng)
	if err != nil {
		return nil, "", err
	}
	for i, c := range found {
		if index == indexCollisionsByPayer || f.firstPlace(c, index, entries[i].Key) {
			out = append(out, c)
		}
	}
	return out, encodeCursor(cursor), nil
}

// firstPlace reports whether an entry is that of the first place of a collision
// within the region that is listed.
func (f CollisionFilter) firstPlace(c Collision, index kv.Table, entry []byte) bool {
	from, to := regionsUnder(f.Region)
	for _, region := range c.seenFrom() {
		if region < from || region >= to {
			continue
		}
		key := kv.Key(region, uint64(c.Opened.Unix()), c.ID)
		if index == indexCollisionsByState {
			key = kv.Key(string(c.State), region, uint64(c.Opened.Unix()), c.ID)
		}
		return bytes.Equal(key, entry)
	}
	return false
}

// CollisionByID shows one collision to the authority, to auditors and to the
// payers concerned; to all others it is NotFound.
func (r *Registry) CollisionByID(ctx context.Context, by Actor, id string) (out CollisionView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		c, err := collisionFor(rd, by, ReadCollision, id)
		if err != nil {
			return err
		}
		out, err = c.view(rd, by, now)
		return err
	})
	return out, err
}

// collisionFor loads a collision that by may handle. That there is one says that
// somebody was paid, so for all others there is none.
func collisionFor(rd kv.Reader, by Actor, do Action, id string) (Collision, error) {
	if len(by.Roles) == 0 {
		return Collision{}, may(by, do, Object{})
	}
	if id == "" || len(id) > 64 {
		return Collision{}, notFound("collision", "重复发放线索", "")
	}
	c, ok, err := collisions.Get(rd, kv.Key(id))
	if err != nil {
		return Collision{}, err
	}
	seen := ok && c.concerns(by)
	for _, p := range c.Payers {
		seen = seen || may(by, ReadCollision, Object{Payer: p}) == nil
	}
	if !seen {
		return Collision{}, notFound("collision", "重复发放线索", id)
	}
	if do == ReadCollision {
		return c, nil
	}
	return c, may(by, do, Object{Region: c.Region})
}

// ProposeOnCollision records what an account of the authority proposes: that both
// claims stand, that the money of one has to come back, or that there is no
// collision. Repeated under its Idempotency-Key it proposes once. Conflict
// collision_state; Invalid: the proposal is not complete.
func (r *Registry) ProposeOnCollision(ctx context.Context, by Actor, id string, in CollisionProposal) (CollisionView, error) {
	return r.stepCollision(ctx, by, id, true, func(c Collision, at time.Time) (Collision, error) { return c.Propose(in, by, at) })
}

// DecideOnCollision is what another account says to the proposal: approve makes
// it hold, else the collision is open again, rejected with a reason or, by the
// proposer, withdrawn. Nothing is paid back by itself: the payer of a claim to
// recover finds it in its list and records the refund. Forbidden second_person;
// Conflict collision_state; Invalid: the reason cannot be taken.
func (r *Registry) DecideOnCollision(ctx context.Context, by Actor, id string, approve bool, reason string) (CollisionView, error) {
	return r.stepCollision(ctx, by, id, false, func(c Collision, at time.Time) (Collision, error) { return c.Decide(approve, reason, by, at) })
}

// stepCollision takes one step of a collision; one that makes something is taken
// once under its Idempotency-Key.
func (r *Registry) stepCollision(ctx context.Context, by Actor, id string, makes bool, rule func(Collision, time.Time) (Collision, error)) (CollisionView, error) {
	var out CollisionView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = CollisionView{}
		c, err := collisionFor(tx, by, DecideCollisions, id)
		if err != nil {
			return err
		}
		if makes {
			if _, again, err := repeated(tx, by, tx.Now()); err != nil {
				return err
			} else if again {
				out, err = c.view(tx, by, tx.Now())
				return err
			}
			if err := remember(tx, by, id); err != nil {
				return err
			}
		}
		if c, err = rule(c, tx.Now()); err != nil {
			return err
		}
		if c, err = r.putCollision(tx, by, c); err != nil {
			return err
		}
		out, err = c.view(tx, by, tx.Now())
		return err
	})
	if err != nil {
		return CollisionView{}, fmt.Errorf("collision: %w", err)
	}
	return out, nil
}

// putCollision logs and stores a collision's newest step. A claim to recover
// concerns its payer, who then sees the event.
func (r *Registry) putCollision(tx kv.Tx, by Actor, c Collision) (Collision, error) {
	c.Steps = slices.Clone(c.Steps)
	s := &c.Steps[len(c.Steps)-1]
	ev := Event{Kind: CollisionStepped, Object: c.ID, Detail: collisionStepped{*s, recordDigest(c)}}
	if s.To == CollisionToRecover {
		claim, ok, err := claims.Lookup(tx, indexClaimsByID, kv.Key(s.Claim))
		if err != nil || !ok {
			return c, cmpErr(err, "collision %s: there is no claim %s", c.ID, s.Claim)
		}
		ev.Payer = claim.Payer
	}
	var err error
	if s.LogIndex, err = r.appendEvent(tx, by, ev); err != nil {
		return c, err
	}
	c.LogIndex = s.LogIndex
	return c, collisions.Put(tx, c)
}
