package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards/sameness"
)

// LawKind says what a [Law] is.
type LawKind string

// The kinds of laws.
const (
	LawPolicy   LawKind = "policy"   // a subsidy policy
	LawSameness LawKind = "sameness" // a table of same occupations
)

// Law is the text of rules by which a claim was decided, as it was then. It is
// kept under its SHA-256 with the first claim that rests on it and never changed
// or deleted: the files of the program and of its operator change, and a decision
// is recomputed by the rules that made it.
type Law struct {
	Digest   string    `json:"digest"` // SHA-256 of Text, hexadecimal
	Kind     LawKind   `json:"kind"`
	ID       string    `json:"id"`
	Version  int       `json:"version,omitempty"`
	Text     []byte    `json:"text"`
	Recorded time.Time `json:"recorded"`
	LogIndex uint64    `json:"log_index"`
}

func lawOfPolicy(p policy.Policy) Law {
	return Law{Digest: p.Digest, Kind: LawPolicy, ID: p.ID, Version: p.Version, Text: p.Source}
}

// recordLaws keeps the texts by which d was decided, and answers their digests.
// A text that this process has seen committed is there for ever, and is not read
// again for every claim; the caller says so when its Update has ended.
func (r *Registry) recordLaws(tx kv.Tx, by Actor, d decided) (kept []string, err error) {
	if _, known := r.laws.Load(d.policy.Digest); !known {
		if err := r.recordLaw(tx, by, lawOfPolicy(d.policy)); err != nil {
			return nil, err
		}
		kept = append(kept, d.policy.Digest)
	}
	same, ok := d.sameness.(sameJobs)
	if !ok {
		return kept, nil // none, or one that the program was given and that has no text
	}
	if _, known := r.laws.Load(same.Digest()); known {
		return kept, nil
	}
	return append(kept, same.Digest()), r.recordLaw(tx, by, Law{Digest: same.Digest(), Kind: LawSameness, ID: string(LawSameness), Text: same.table.Text()})
}

// lawRecorded is the detail of the event of a new law.
type lawRecorded struct {
	Kind    LawKind `json:"kind"`
	Version int     `json:"version,omitempty"`
	Digest  string  `json:"digest"`
}

// recordLaw keeps the text of a law, if it is not there yet.
func (r *Registry) recordLaw(tx kv.Tx, by Actor, l Law) error {
	_, ok, err := laws.Get(tx, kv.Key(l.Digest))
	if err != nil || ok {
		return err
	}
	if !l.sound() {
		return fmt.Errorf("law %s: its text is not that of its digest", l.ID)
	}
	l.Recorded = tx.Now()
	if l.LogIndex, err = r.appendEvent(tx, by, Event{Kind: LawRecorded, Object: l.ID, Detail: lawRecorded{l.Kind, l.Version, l.Digest}}); err != nil {
		return err
	}
	return laws.Put(tx, l)
}

func (l Law) sound() bool {
	sum := sha256.Sum256(l.Text)
	return hex.EncodeToString(sum[:]) == l.Digest
}

// policyOf is the policy by which a claim was decided: one in use when its text
// is still the same, or else the text that was kept.
func (r *Registry) policyOf(rd kv.Reader, c Claim) (policy.Policy, error) {
	if p, err := r.cfg.Policies.Policy(c.Policy, c.PolicyVersion); err == nil && p.Digest == c.PolicyDigest {
		return p, nil
	}
	l, ok, err := laws.Get(rd, kv.Key(c.PolicyDigest))
	if err != nil {
		return policy.Policy{}, err
	}
	if !ok || !l.sound() || l.Kind != LawPolicy {
		return policy.Policy{}, fmt.Errorf("policy of claim %s: the text of %s version %d is neither in use nor kept", c.ID, c.Policy, c.PolicyVersion)
	}
	p, err := policy.Parse(l.ID, l.Text)
	if err != nil { // a text that was in force was read before
		return policy.Policy{}, fmt.Errorf("policy of claim %s: %v", c.ID, err)
	}
	return p, nil
}

// checkLaws proves that every law kept has the text of its digest.
func checkLaws(rd kv.Reader, report func(string)) error {
	return eachRecord(rd, laws, func(l Law) error {
		if !l.sound() {
			report("law " + l.ID + " has another text than that of its digest")
		}
		if l.Kind == LawPolicy {
			if p, err := policy.Parse(l.ID, l.Text); err != nil || p.ID != l.ID || p.Version != l.Version {
				report("law " + l.ID + " is no policy of that id and version: " + fail.Of(err).Text)
			}
		}
		if l.Kind == LawSameness {
			if _, err := sameness.ParseTable(l.Text); err != nil {
				report("law " + l.ID + " is no table of same occupations")
			}
		}
		return nil
	})
}
