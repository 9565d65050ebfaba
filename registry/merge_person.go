package registry

import (
	"cmp"
	"slices"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// identitiesMost is how many ids one person may have after merges.
const identitiesMost = 8

// personMerges is what merges made of one person id: the ids that were one person
// with it, from which entry of the log on. Records stay under the id they were
// made for, and so do documents: two documents lead to two ids, and these to each
// other. That makes undoing a merge exact, leaves sessions alone that had both on
// their rosters, and covers documents of a person that nobody named.
type personMerges struct {
	Person PersonID      `json:"person"`
	Groups []personGroup `json:"groups"` // in the order of the log; the last one holds now
}

// personGroup is one person under several ids. Members begins with the survivor,
// the one whose document counts; alone it has the id itself only, after an undo.
type personGroup struct {
	From    uint64     `json:"from"` // log index of the merge or its undoing
	Members []PersonID `json:"members"`
}

// now are the ids that are one person with it.
func (m personMerges) now() []PersonID {
	if n := len(m.Groups); n > 0 {
		return m.Groups[n-1].Members
	}
	return []PersonID{m.Person}
}

// at are the ids that were one person with it before entry index of the log.
func (m personMerges) at(index uint64) []PersonID {
	for _, g := range slices.Backward(m.Groups) {
		if g.From < index {
			return g.Members
		}
	}
	return []PersonID{m.Person}
}

// ever are all ids that were one person with it at some time.
func (m personMerges) ever() []PersonID {
	out := []PersonID{m.Person}
	for _, g := range m.Groups {
		out = append(out, g.Members...)
	}
	slices.SortFunc(out, comparePersons)
	return slices.Compact(out)
}

func comparePersons(a, b PersonID) int { return slices.Compare(a[:], b[:]) }

// identities are the ids that are one person with p after reviewed merges, the
// survivor first; p alone when there was none.
func identities(rd kv.Reader, p PersonID) ([]PersonID, error) {
	m, ok, err := personsMerged.Get(rd, kv.Key(p[:]))
	if err != nil || !ok {
		return []PersonID{p}, err
	}
	return m.now(), nil
}

// identitiesOf is identities of many persons, in one read.
func identitiesOf(rd kv.Reader, people []PersonID) ([][]PersonID, error) {
	keys := make([][]byte, len(people))
	for i, p := range people {
		keys[i] = kv.Key(p[:])
	}
	found, there, err := personsMerged.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	out := make([][]PersonID, len(people))
	for i, p := range people {
		if out[i] = []PersonID{p}; there[i] {
			out[i] = found[i].now()
		}
	}
	return out, nil
}

// onePerson reports whether two ids are one person.
func onePerson(rd kv.Reader, a, b PersonID) (bool, error) {
	if a == b {
		return true, nil
	}
	all, err := identities(rd, a)
	return slices.Contains(all, b), err
}

// claimsUnderAll reads the claims of several ids of one person in the order of the log.
func claimsUnderAll(rd kv.Reader, ids []PersonID) (out []Claim, err error) {
	for _, p := range ids {
		own, err := claimsUnder(rd, p)
		if err != nil {
			return nil, err
		}
		out = append(out, own...)
	}
	if len(out) > claimsMax {
		return nil, tooManyClaims()
	}
	if len(ids) > 1 {
		slices.SortFunc(out, func(a, b Claim) int { return cmp.Compare(a.LogIndex, b.LogIndex) })
	}
	return out, nil
}

func tooManyClaims() error {
	return fail.New(fail.Conflict, "too_many_claims", "this person has more than %d claims; ask the register's operator for a review", claimsMax).
		In("该人员申领记录超过 %d 条，请联系登记系统运营方复核", claimsMax)
}

// certificatesUnder are the certificates of several ids of one person, by number
// within each id, at most one more than most.
func certificatesUnder(rd kv.Reader, ids []PersonID, most int) (out []Certificate, err error) {
	for _, p := range ids {
		rng := kv.Prefix(kv.Key(p[:]))
		rng.Limit = most + 1 - len(out)
		if rng.Limit <= 0 {
			break
		}
		own, _, err := certificates.ScanIndex(rd, indexCertificatesByPerson, rng)
		if err != nil {
			return nil, err
		}
		out = append(out, own...)
	}
	if len(ids) > 1 {
		slices.SortFunc(out, func(a, b Certificate) int { return cmp.Compare(a.Number, b.Number) })
	}
	return out, nil
}

// groupsOf are the persons that merges make of ids, each with its survivor first:
// ids that are joined by a merge that stands, in whatever steps. It is pure; merges
// are given in the order of the log.
func groupsOf(standing []Merge) [][]PersonID {
	var groups [][]PersonID
	at := func(p PersonID) int {
		return slices.IndexFunc(groups, func(g []PersonID) bool { return slices.Contains(g, p) })
	}
	for _, m := range standing {
		keep, other := at(m.Survivor), at(m.Loser)
		switch {
		case keep < 0 && other < 0:
			groups = append(groups, []PersonID{m.Survivor, m.Loser})
		case keep < 0: // what was merged before follows the new survivor
			groups[other] = append([]PersonID{m.Survivor}, groups[other]...)
		case other < 0:
			groups[keep] = append(groups[keep], m.Loser)
		case keep != other:
			groups[keep] = append(groups[keep], groups[other]...)
			groups = slices.Delete(groups, other, other+1)
		}
	}
	return groups
}

// groupWith is the group of p among groups; p alone when there is none.
func groupWith(groups [][]PersonID, p PersonID) []PersonID {
	for _, g := range groups {
		if slices.Contains(g, p) {
			return g
		}
	}
	return []PersonID{p}
}
