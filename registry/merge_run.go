package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// MergeView is a merge as the authority sees it: the documents masked, the ids of
// persons not at all.
type MergeView struct {
	ID         string         `json:"id"`
	State      MergeState     `json:"state"`
	StateName  policy.Text    `json:"state_name"`
	Reason     MergeReason    `json:"reason"`
	ReasonName policy.Text    `json:"reason_name"`
	Evidence   string         `json:"evidence"`
	Keep       MaskedDocument `json:"keep"`
	Other      MaskedDocument `json:"other"`
	Proposed   time.Time      `json:"proposed"`
	Steps      []MergeStep    `json:"steps"`
	Collisions []string       `json:"collisions"`        // ids
	Preview    *MergePreview  `json:"preview,omitempty"` // while the merge is proposed
	LogIndex   uint64         `json:"log_index"`
}

// MaskedDocument is a document as it may be shown.
type MaskedDocument struct {
	Kind   standards.DocumentKind `json:"kind"`
	Number string                 `json:"number"` // first and last character
}

// MergePreview is what a merge would mean now. A reviewer looks at it before
// deciding; the approval finds the collisions anew.
type MergePreview struct {
	Keep  MergeSide `json:"keep"`
	Other MergeSide `json:"other"`
	// SameBirth says whether both documents give one date of birth, SameName
	// whether the newest certificates of both name one person; empty is not known.
	SameBirth  policy.Known     `json:"same_birth,omitempty"`
	SameName   policy.Known     `json:"same_name,omitempty"`
	Collisions []MergeCollision `json:"collisions"`
}

// MergeSide is what the register has of one of the two.
type MergeSide struct {
	Documents    int    `json:"documents"` // ids that are one person already
	Name         string `json:"name,omitempty"`
	Certificates int    `json:"certificates"`
	Claims       int    `json:"claims"`
}

// MergeCollision is a claim that would not have been allowed beside others.
type MergeCollision struct {
	Claim   ClaimView        `json:"claim"`
	Against []ClaimView      `json:"against"`
	Rules   []policy.Failure `json:"rules"`
}

// mergeEvent is the detail of the events of a merge.
type mergeEvent struct {
	MergeStep
	Survivor PersonID    `json:"survivor"`
	Loser    PersonID    `json:"loser"`
	Why      MergeReason `json:"why"`
	Evidence string      `json:"evidence"`

	Kinds []standards.DocumentKind `json:"kinds,omitempty"` // of both documents
}

// ProposeMerge proposes that the holders of two documents are one person. Nothing
// changes until another account approves it; the answer shows what would collide.
// Invalid merge: the request is not complete; NotFound: a document is not known
// here; Conflict merge_open: one of the two waits in another merge, merged: they
// are one already, too_many_identities, too_many_claims.
func (r *Registry) ProposeMerge(ctx context.Context, by Actor, in NewMerge) (MergeView, error) {
	id := r.rand.id("g")
	var out MergeView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = MergeView{}
		if err := may(by, MergePersons, Object{Region: r.cfg.Region}); err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = r.mergeView(tx, earlier, tx.Now())
			}
			return err
		}
		m, d, err := r.draftMerge(tx, by, id, in)
		if err != nil {
			return err
		}
		if err := r.vault.seal(tx, sealedMerge(id), d); err != nil {
			return err
		}
		if _, err := r.putMerge(tx, by, m); err != nil {
			return err
		}
		if err := remember(tx, by, id); err != nil {
			return err
		}
		out, err = r.mergeView(tx, id, tx.Now())
		return err
	})
	if err != nil {
		return MergeView{}, fmt.Errorf("propose merge: %w", err)
	}
	return out, nil
}

func (r *Registry) draftMerge(tx kv.Tx, by Actor, id string, in NewMerge) (m Merge, d mergeDocuments, err error) {
	d, evidence, err := in.parse(standards.DateOf(tx.Now()))
	if err != nil {
		return m, d, err
	}
	m = Merge{ID: id, Kinds: []standards.DocumentKind{d.Keep.Kind, d.Other.Kind}, Reason: in.Reason, Evidence: evidence, State: MergeProposed, Proposed: tx.Now(),
		Steps: []MergeStep{{To: MergeProposed, By: by.Account, At: tx.Now()}}}
	for _, one := range []struct {
		document standards.Document
		field    string
		person   *PersonID
	}{{d.Keep, "keep", &m.Survivor}, {d.Other, "other", &m.Loser}} {
		p, known, err := r.personByDocument(tx, one.document)
		if err != nil {
			return m, d, err
		}
		if !known {
			return m, d, fail.New(fail.NotFound, "not_found", "nothing is on record for the document %q; there is nothing to merge", one.field).
				In("系统中没有该证件（%s）的记录，无需合并", map[string]string{"keep": "保留的证件", "other": "另一证件"}[one.field]).
				At(fail.Field{Name: one.field, Code: "unknown", ZH: "系统中没有该证件的记录", EN: "nothing is on record for this document"})
		}
		*one.person = p
	}
	if _, _, err := r.mergeable(tx, m); err != nil {
		return m, d, err
	}
	return m, d, r.noOtherMerge(tx, m)
}

// mergeable answers the ids of both persons, when they are two and not too many.
func (r *Registry) mergeable(rd kv.Reader, m Merge) (keep, other []PersonID, err error) {
	both, err := identitiesOf(rd, []PersonID{m.Survivor, m.Loser})
	if err != nil {
		return nil, nil, err
	}
	keep, other = both[0], both[1]
	if slices.Contains(keep, m.Loser) {
		return nil, nil, fail.New(fail.Conflict, "merged", "these documents are one person of the register already").In("这两个证件在系统中已为同一人")
	}
	if len(keep)+len(other) > identitiesMost {
		return nil, nil, fail.New(fail.Conflict, "too_many_identities", "the person would have more than %d documents; ask the register's operator for a review", identitiesMost).
			In("合并后同一人超过 %d 个证件，请联系登记系统运营方复核", identitiesMost)
	}
	return keep, other, nil
}

// noOtherMerge refuses a second proposal about one of the two.
func (r *Registry) noOtherMerge(rd kv.Reader, m Merge) error {
	for _, p := range []PersonID{m.Survivor, m.Loser} {
		others, err := mergesOf(rd, p)
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.State == MergeProposed {
				return fail.New(fail.Conflict, "merge_open", "merge %s of one of these persons waits; decide or withdraw it first", o.ID).
					In("其中一人已有未办结的合并事项 %s，请先复核或撤回", o.ID)
			}
		}
	}
	return nil
}

// mergesMost is how many merges of one id are read: proposals that were refused
// stay.
const mergesMost = 100

// mergesOf are the merges that name a person id, in the order of proposal.
func mergesOf(rd kv.Reader, p PersonID) ([]Merge, error) {
	rng := kv.Prefix(kv.Key(p[:]))
	rng.Limit = mergesMost + 1
	out, _, err := merges.ScanIndex(rd, indexMergesByPerson, rng)
	if err == nil && len(out) > mergesMost {
		err = fail.New(fail.Conflict, "too_many_merges", "this person has more than %d proposals to merge; ask the register's operator for a review", mergesMost).
			In("该人员合并事项超过 %d 件，请联系登记系统运营方复核", mergesMost)
	}
	return out, err
}

// DecideMerge is what another account says to a proposed merge, or to its proposed
// undoing: approve makes it hold, else it is rejected with a reason or, by who
// proposed it, withdrawn.
//
// When a merge is approved, the two are one from that entry of the log on: every
// later decision rests on the claims and certificates of both. Their past claims
// are decided again in the order of the log; what should have been refused becomes
// a Collision for review, and nothing is paid back by itself. When the undoing is
// approved, collisions between the two lapse, whatever brought them; what was decided
// in between stands.
//
// Errors: Conflict merge_state and those of ProposeMerge; Forbidden second_person;
// Invalid merge.
func (r *Registry) DecideMerge(ctx context.Context, by Actor, id string, approve bool, reason string) (MergeView, error) {
	base := r.rand.id("o")
	return r.stepMerge(ctx, by, id, false, func(tx kv.Tx, m Merge) (Merge, error) {
		m, err := m.Decide(approve, reason, by, tx.Now())
		if err != nil {
			return m, err
		}
		switch m.State {
		case MergeUndone:
			return r.undoMerge(tx, by, m, base)
		case MergeMerged:
			if approve {
				return r.doMerge(tx, by, m, base)
			}
		}
		return r.putMerge(tx, by, m)
	})
}

// ProposeMergeUndo proposes to undo a merge that stands, because it was wrong.
// Repeated under its Idempotency-Key it proposes once.
func (r *Registry) ProposeMergeUndo(ctx context.Context, by Actor, id, reason string) (MergeView, error) {
	return r.stepMerge(ctx, by, id, true, func(tx kv.Tx, m Merge) (Merge, error) {
		m, err := m.ProposeUndo(reason, by, tx.Now())
		if err != nil {
			return m, err
		}
		return r.putMerge(tx, by, m)
	})
}

// stepMerge takes one step of a merge; one that makes something is taken once under
// its Idempotency-Key.
func (r *Registry) stepMerge(ctx context.Context, by Actor, id string, makes bool, step func(tx kv.Tx, m Merge) (Merge, error)) (MergeView, error) {
	var out MergeView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = MergeView{}
		if err := may(by, MergePersons, Object{Region: r.cfg.Region}); err != nil {
			return err
		}
		m, err := need(tx, merges, kv.Key(id), "merge", "人员合并事项", id)
		if err != nil {
			return err
		}
		if makes {
			if _, again, err := repeated(tx, by, tx.Now()); err != nil {
				return err
			} else if again {
				out, err = r.mergeView(tx, id, tx.Now())
				return err
			}
			if err := remember(tx, by, id); err != nil {
				return err
			}
		}
		if _, err := step(tx, m); err != nil {
			return err
		}
		out, err = r.mergeView(tx, id, tx.Now())
		return err
	})
	if err != nil {
		return MergeView{}, fmt.Errorf("merge: %w", err)
	}
	return out, nil
}

// doMerge makes two persons one. Durable afterwards: the merge, the group of every
// id of both, and the collisions, all together.
func (r *Registry) doMerge(tx kv.Tx, by Actor, m Merge, base string) (Merge, error) {
	keep, other, err := r.mergeable(tx, m)
	if err != nil {
		return m, err
	}
	sides, err := r.sidesOf(tx, keep, other)
	if err != nil {
		return m, err
	}
	found, err := r.collidingClaims(tx, sides, tx.Now())
	if err != nil {
		return m, err
	}
	if m, err = r.logMerge(tx, by, m); err != nil {
		return m, err
	}
	m.From = m.LogIndex
	if m.Collisions, err = r.recordCollisions(tx, by, m, found, base); err != nil {
		return m, err
	}
	if err := merges.Put(tx, m); err != nil {
		return m, err
	}
	if err := regroup(tx, append(slices.Clone(keep), other...), m.LogIndex); err != nil {
		return m, err
	}
	return m, r.relianceOfPerson(tx, m.Survivor, RelianceMerged, m.LogIndex)
}

// undoMerge makes one person two again. Durable afterwards: the same as of doMerge.
func (r *Registry) undoMerge(tx kv.Tx, by Actor, m Merge, base string) (Merge, error) {
	members, err := identities(tx, m.Survivor)
	if err != nil {
		return m, err
	}
	if m, err = r.logMerge(tx, by, m); err != nil {
		return m, err
	}
	m.Until = m.LogIndex
	if err := merges.Put(tx, m); err != nil {
		return m, err
	}
	if err := regroup(tx, members, m.LogIndex); err != nil {
		return m, err
	}
	return m, r.partCollisions(tx, by, m, members, base)
}

// regroup writes for each id which others are one person with it from entry index
// on, as the merges that stand say.
func regroup(tx kv.Tx, ids []PersonID, index uint64) error {
	standing, err := standingMerges(tx, ids)
	if err != nil {
		return err
	}
	groups := groupsOf(standing)
	keys := make([][]byte, len(ids))
	for i, p := range ids {
		keys[i] = kv.Key(p[:])
	}
	found, _, err := personsMerged.GetMany(tx, keys)
	if err != nil {
		return err
	}
	for i, p := range ids {
		one := found[i]
		one.Person = p
		members := groupWith(groups, p)
		if slices.Equal(members, one.now()) {
			continue
		}
		one.Groups = append(one.Groups, personGroup{From: index, Members: members})
		if err := personsMerged.Put(tx, one); err != nil {
			return err
		}
	}
	return nil
}

// standingMerges are the merges of some ids that stand, in the order of the log.
func standingMerges(rd kv.Reader, ids []PersonID) (out []Merge, err error) {
	seen := map[string]bool{}
	for _, p := range ids {
		all, err := mergesOf(rd, p)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			if m.State.Stands() && !seen[m.ID] {
				seen[m.ID] = true
				out = append(out, m)
			}
		}
	}
	slices.SortFunc(out, func(a, b Merge) int { return cmp.Compare(a.From, b.From) })
	return out, nil
}

// logMerge logs a merge's newest step.
func (r *Registry) logMerge(tx kv.Tx, by Actor, m Merge) (Merge, error) {
	m.Steps = slices.Clone(m.Steps)
	s := &m.Steps[len(m.Steps)-1]
	index, err := r.appendEvent(tx, by, Event{Kind: PersonsMergeStepped, Object: m.ID,
		Detail: mergeEvent{MergeStep: *s, Survivor: m.Survivor, Loser: m.Loser, Why: m.Reason, Evidence: m.Evidence, Kinds: m.Kinds}})
	s.LogIndex, m.LogIndex = index, index
	return m, err
}

func (r *Registry) putMerge(tx kv.Tx, by Actor, m Merge) (Merge, error) {
	m, err := r.logMerge(tx, by, m)
	if err != nil {
		return m, err
	}
	return m, merges.Put(tx, m)
}

// Merges is one page of merges in the order of proposal, or of those that wait for
// a second person.
func (r *Registry) Merges(ctx context.Context, by Actor, waiting bool, page Page) (out []MergeView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		if err := may(by, ReadMerge, Object{Region: r.cfg.Region}); err != nil {
			return err
		}
		index := indexMergesByTime
		if waiting {
			index = indexMergesWaiting
		}
		found, cursor, err := scanIndexPage(rd, merges, index, kv.Range{}, page)
		if err != nil {
			return err
		}
		for _, m := range found {
			v, err := r.maskedMerge(rd, m)
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

// MergeByID shows one merge; while it is proposed, with what it would mean now.
func (r *Registry) MergeByID(ctx context.Context, by Actor, id string) (out MergeView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		if err := may(by, ReadMerge, Object{Region: r.cfg.Region}); err != nil {
			return err
		}
		out, err = r.mergeView(rd, id, now)
		return err
	})
	return out, err
}

func (r *Registry) mergeView(rd kv.Reader, id string, now time.Time) (MergeView, error) {
	m, err := need(rd, merges, kv.Key(id), "merge", "人员合并事项", id)
	if err != nil {
		return MergeView{}, err
	}
	out, err := r.maskedMerge(rd, m)
	if err == nil && m.State == MergeProposed {
		out.Preview, err = r.previewMerge(rd, m, now)
	}
	return out, err
}

func (r *Registry) maskedMerge(rd kv.Reader, m Merge) (MergeView, error) {
	var d mergeDocuments
	ok, err := r.vault.open(rd, sealedMerge(m.ID), &d)
	if err == nil && !ok {
		err = fmt.Errorf("merge %s has no sealed documents", m.ID)
	}
	if err != nil {
		return MergeView{}, err
	}
	out := MergeView{ID: m.ID, State: m.State, StateName: m.State.Name(), Reason: m.Reason, ReasonName: m.Reason.Name(), Evidence: m.Evidence,
		Keep: MaskedDocument{d.Keep.Kind, d.Keep.Masked()}, Other: MaskedDocument{d.Other.Kind, d.Other.Masked()},
		Proposed: m.Proposed, Steps: m.Steps, Collisions: m.Collisions, LogIndex: m.LogIndex}
	if out.Collisions == nil {
		out.Collisions = []string{}
	}
	return out, nil
}

// previewMerge is what a merge would mean now; what stands in its way is an error,
// as it would be at its approval.
func (r *Registry) previewMerge(rd kv.Reader, m Merge, now time.Time) (*MergePreview, error) {
	keep, other, err := r.mergeable(rd, m)
	if err != nil {
		return nil, err
	}
	sides, err := r.sidesOf(rd, keep, other)
	if err != nil {
		return nil, err
	}
	found, err := r.collidingClaims(rd, sides, now)
	if err != nil {
		return nil, err
	}
	out := &MergePreview{Collisions: []MergeCollision{}}
	for _, one := range found {
		c := MergeCollision{Claim: one.newer.View(now), Against: []ClaimView{}, Rules: one.failing}
		for _, a := range one.against {
			c.Against = append(c.Against, a.View(now))
		}
		out.Collisions = append(out.Collisions, c)
	}
	var d mergeDocuments
	if _, err := r.vault.open(rd, sealedMerge(m.ID), &d); err != nil {
		return nil, err
	}
	a, okA := d.Keep.Birth()
	b, okB := d.Other.Birth()
	if okA && okB {
		out.SameBirth = policy.KnownIf(a == b)
	}
	var names [2]string
	for i, ids := range [][]PersonID{keep, other} {
		side, name, err := r.mergeSide(rd, sides.side(ids[0]), len(ids))
		if err != nil {
			return nil, err
		}
		if names[i] = name; i == 0 {
			out.Keep = side
		} else {
			out.Other = side
		}
	}
	if names[0] != "" && names[1] != "" {
		out.SameName = policy.KnownIf(standards.NormaliseName(names[0]) == standards.NormaliseName(names[1]))
	}
	return out, nil
}

// mergeSide is one side of a preview, and the name on its newest certificate.
func (r *Registry) mergeSide(rd kv.Reader, s mergeSides, ids int) (out MergeSide, name string, err error) {
	out = MergeSide{Documents: ids, Certificates: len(s.held), Claims: len(s.claims)}
	if len(s.held) == 0 {
		return out, "", nil
	}
	newest := slices.MaxFunc(s.held, func(a, b holding) int { return cmp.Compare(a.Issued, b.Issued) })
	p, err := r.paper(rd, newest.Number, newest.Versions)
	if err != nil {
		return out, "", err
	}
	out.Name = maskName(p.Name)
	return out, p.Name, nil
}
