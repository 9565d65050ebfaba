package registry

import (
	"bytes"
	"fmt"
	"time"

	"bajigong/internal/kv"
)

// massSet is the certificates of a mass change as they are read: in the order of
// one index, page by page.
type massSet struct {
	MassScope
	region  string    // governs every certificate of the set
	asOf    time.Time // what became public in this second or later is not in it
	lifts   string    // only those whose newest change is this mass suspension
	batches []string  // of the session, in their order, when the scope is one
}

// setOf is the set that a mass change was proposed or approved for.
func (m MassChange) setOf(rd kv.Reader, asOf time.Time) (massSet, error) {
	s := massSet{MassScope: m.Scope, region: m.Region, asOf: asOf, lifts: m.Lifts}
	if s.Session == "" {
		return s, nil
	}
	rng := kv.Prefix(kv.Key(s.Session))
	rng.Limit = kv.MaxScan
	issued, next, err := batches.ScanIndex(rd, indexBatchesBySession, rng)
	if err == nil && next != nil {
		err = fmt.Errorf("session %s has more than %d batches", s.Session, kv.MaxScan)
	}
	for _, b := range issued {
		s.batches = append(s.batches, b.ID)
	}
	return s, err
}

// scan is the next page of the index that has the set, and where the page after
// it begins, nil at the end. A page is of one batch, when the scope is a session;
// else of an institution, whose certificates are created on or after their date
// of issue and before they are public.
func (s massSet) scan(rd kv.Reader, cursor []byte) (page []Certificate, next []byte, err error) {
	if s.Session == "" {
		rng := kv.Prefix(kv.Key(s.Institution))
		if s.From != "" {
			rng.From = kv.Key(s.Institution, uint64(s.From.Time().Unix()))
		}
		rng.To = kv.Key(s.Institution, uint64(s.asOf.Unix()))
		return scanFrom(rd, indexCertificatesByIssuer, rng, cursor)
	}
	for i, id := range s.batches {
		rng := kv.Prefix(kv.Key(id))
		if bytes.Compare(cursor, rng.To) >= 0 {
			continue // done
		}
		page, next, err = scanFrom(rd, indexCertificatesByBatch, rng, cursor)
		if next == nil && i+1 < len(s.batches) {
			next = kv.Key(s.batches[i+1])
		}
		return page, next, err
	}
	return nil, nil, nil
}

func scanFrom(rd kv.Reader, index kv.Table, rng kv.Range, cursor []byte) ([]Certificate, []byte, error) {
	if bytes.Compare(cursor, rng.From) > 0 {
		rng.From = cursor
	}
	rng.Limit = bulkPage
	return certificates.ScanIndex(rd, index, rng)
}

// readMassSet is the next page of a set: what of it lies among the next bulkPage
// entries of its index from cursor on, how many were read, and where the page
// after it begins, nil at the end.
func (r *Registry) readMassSet(rd kv.Reader, s massSet, cursor []byte) (members []Certificate, read int, next []byte, err error) {
	page, next, err := s.scan(rd, cursor)
	if err != nil {
		return nil, 0, nil, err
	}
	public, err := receivedAt(rd, page)
	if err != nil {
		return nil, 0, nil, err
	}
	for i, c := range page {
		at := public[i]
		if at.IsZero() || !at.Before(s.asOf) || !s.holds(c) || !governs(s.region, c.Region) || s.lifts != "" && !c.latestOf(s.lifts) {
			continue
		}
		members = append(members, c)
	}
	return members, len(page), next, nil
}

// receivedAt tells for each certificate when it became public; never is the zero
// time. It reads each batch once.
func receivedAt(rd kv.Reader, page []Certificate) ([]time.Time, error) {
	place := map[string]int{}
	var keys [][]byte
	for _, c := range page {
		if _, known := place[c.Batch]; !known && c.Origin == OriginHere {
			place[c.Batch] = len(keys)
			keys = append(keys, kv.Key(c.Batch))
		}
	}
	issued, found, err := batches.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	out := make([]time.Time, len(page))
	for i, c := range page {
		if c.Origin != OriginHere {
			out[i] = c.Created
			continue
		}
		if b := issued[place[c.Batch]]; found[place[c.Batch]] && b.State == BatchPublished {
			out[i] = *b.Published
		}
	}
	return out, nil
}
