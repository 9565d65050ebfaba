package registry

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/likeness"
	"bajigong/registry/quota"
	"bajigong/standards"
)

// MatchAnswer is the whole answer to a try at something of a holder.
type MatchAnswer string

// The answers.
const (
	MatchSame      MatchAnswer = "same"        // 一致
	MatchDifferent MatchAnswer = "different"   // 不一致
	MatchUnclear   MatchAnswer = "unclear"     // 无法判断; of photos alone
	MatchSpent     MatchAnswer = "spent"       // no tries are left; nothing was compared
	MatchNone      MatchAnswer = "not_offered" // the document is too short, or there is no photo
)

// MatchAnswers lists them.
func MatchAnswers() []MatchAnswer {
	return []MatchAnswer{MatchSame, MatchDifferent, MatchUnclear, MatchSpent, MatchNone}
}

// HolderMatch is the answer to one try. Left are the tries that are left today.
type HolderMatch struct {
	Kind      credentials.MatchKind `json:"kind"`
	Answer    MatchAnswer           `json:"answer"`
	Left      int                   `json:"left"`
	CheckedAt time.Time             `json:"checked_at"`
}

// asked is what is remembered of asking: tries at the document or the photo of a
// person, tries from a network address (known by a keyed hash of address and day
// alone), or the lists of an account.
type asked struct {
	Kind    string         `json:"kind"`
	Whom    []byte         `json:"whom"`
	Book    quota.Book     `json:"book,omitzero"`
	Tally   quota.Tally    `json:"tally,omitzero"`
	Expires standards.Date `json:"expires"` // the first day on which it matters no more
}

// The kinds of asked besides those of credentials.MatchKind.
const (
	askedAddress = "address"
	askedList    = "list"
)

// quotas are the figures in force in a region.
func (r *Registry) quotas(region string, now time.Time) (quota.Rules, error) {
	q, ok := r.cfg.Rules.Quota.On(region, string(standards.DateOf(now)))
	if !ok {
		return q, fail.New(fail.Conflict, "quota_unset", "no rule file says how often this may be checked in region %s", region).
			In("地区 %s 没有核对次数规则，请联系主管部门配置", region)
	}
	return q, nil
}

func (p Paper) documentOffered(q quota.Rules) bool {
	return len([]rune(p.Document.Number)) >= q.Document.Shortest
}

// matchKinds are what of a holder can be compared on the page of a version.
func (r *Registry) matchKinds(p Paper, v Version, now time.Time) (out []credentials.MatchKind) {
	q, err := r.quotas(r.cfg.Region, now)
	if err != nil || v.Handle == "" {
		return nil
	}
	if p.documentOffered(q) {
		out = append(out, credentials.MatchDocument)
	}
	if p.Photo != nil {
		out = append(out, credentials.MatchPhoto)
	}
	return out
}

// MatchDocument compares the last four characters of a document with those of
// the holder of the certificate behind a code, so that a code copied onto the
// paper of a namesake is caught. Tries are counted for the holder over all his
// certificates, and for the network address they come from, in the same Update
// that answers: processes beside each other give no more answers than one.
//
// What was tried is kept nowhere. A try that does not fit is an event with the
// certificate's number and what is left.
//
// Errors: Invalid last4; NotFound certificate_unknown for what is no public
// certificate.
func (r *Registry) MatchDocument(ctx context.Context, handle, last4, from string) (HolderMatch, error) {
	last4, err := standards.ParseLastFour(last4)
	if err != nil {
		return HolderMatch{}, err
	}
	var out HolderMatch
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = HolderMatch{Kind: credentials.MatchDocument, Answer: MatchNone, CheckedAt: tx.Now()}
		h, err := r.holder(tx, handle)
		if err != nil {
			return err
		}
		q, err := r.quotas(r.cfg.Region, tx.Now())
		if err != nil || !h.paper.documentOffered(q) {
			return err
		}
		right := equalSecret(h.paper.Document.LastFour(), last4)
		answer := MatchDifferent
		if right {
			answer = MatchSame
		}
		out, err = r.answerTry(tx, h, out, answer, from)
		return err
	})
	if err != nil {
		return HolderMatch{}, fmt.Errorf("match document: %w", err)
	}
	return out, nil
}

// MatchPhoto compares a picture of the photo on a paper with the photo that is
// registered for that version, as pictures: nothing is known of faces, see package
// likeness. The stored photo is shown to nobody, and nothing of the picture is
// kept. Tries are counted as for MatchDocument, apart from those. The comparison
// runs outside the store; its result is dropped when no try is left by then.
//
// Errors: Invalid picture_form; TooLarge picture_size; NotFound
// certificate_unknown.
func (r *Registry) MatchPhoto(ctx context.Context, handle string, picture image.Image, from string) (HolderMatch, error) {
	none := HolderMatch{Kind: credentials.MatchPhoto, Answer: MatchNone}
	var h holder
	var stored []byte
	var left int
	err := r.view(ctx, func(rd kv.Reader, now time.Time) error {
		none.CheckedAt, stored = now, nil
		var err error
		if h, err = r.holder(rd, handle); err != nil || h.paper.Photo == nil {
			return err
		}
		if stored, err = r.photoAt(rd, photoPlace(h.certificate, *h.paper.Photo), h.paper.Photo.SHA256); err != nil {
			return err
		}
		_, left, err = r.triesLeft(rd, h, none.Kind, from, now)
		return err
	})
	if err != nil || stored == nil {
		return none, err
	}
	result := likeness.Unknown
	if left > 0 {
		photo, err := jpeg.Decode(bytes.NewReader(stored))
		if err != nil {
			return none, fmt.Errorf("the stored photo of a certificate cannot be decoded: %w", err)
		}
		result, _ = likeness.Compare(photo, picture)
	}
	answer := map[likeness.Answer]MatchAnswer{likeness.Match: MatchSame, likeness.NoMatch: MatchDifferent, likeness.Unknown: MatchUnclear}[result]
	var out HolderMatch
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = none
		out.CheckedAt = tx.Now()
		h, err := r.holder(tx, handle)
		if err != nil {
			return err
		}
		out, err = r.answerTry(tx, h, out, answer, from)
		return err
	})
	if err != nil {
		return HolderMatch{}, fmt.Errorf("match photo: %w", err)
	}
	return out, nil
}

// holder is the holder of the certificate behind a handle.
type holder struct {
	certificate Certificate
	version     Version
	paper       Paper
}

// holder loads it; what is not public is not found.
func (r *Registry) holder(rd kv.Reader, handle string) (h holder, err error) {
	unknown := fail.New(fail.NotFound, "certificate_unknown", "%s", credentials.Sentence(credentials.ReasonUnknownCertificate, credentials.EN, credentials.Args{})).
		In("%s", credentials.Sentence(credentials.ReasonUnknownCertificate, credentials.ZH, credentials.Args{}))
	parsed, err := credentials.ParseHandle(handle)
	if err != nil {
		return h, unknown
	}
	var ok bool
	if h.version, ok, err = versions.Lookup(rd, indexVersionsByHandle, kv.Key(string(parsed))); err != nil {
		return h, err
	}
	if !ok {
		return h, unknown
	}
	h.certificate, _, err = r.publicCertificate(rd, h.version.Number)
	if fail.KindOf(err) == fail.NotFound || err == nil && h.version.N > h.certificate.Versions {
		return h, unknown
	}
	if err != nil {
		return h, err
	}
	h.paper, err = r.paper(rd, h.version.Number, h.version.N)
	return h, err
}

// tries are the two books of a try: the holder's and the address's.
type tries struct {
	books  [2]asked
	limits [2]quota.Tries
	day    standards.Date
}

// triesLeft reads the books and says what is left of both.
func (r *Registry) triesLeft(rd kv.Reader, h holder, kind credentials.MatchKind, from string, now time.Time) (t tries, left int, err error) {
	q, err := r.quotas(r.cfg.Region, now)
	if err != nil {
		return t, 0, err
	}
	limit := q.Document
	if kind == credentials.MatchPhoto {
		limit = q.Photo
	}
	t.day = standards.DateOf(now)
	t.limits = [2]quota.Tries{limit, {Day: q.Address, Window: 1, Wrong: q.Address}}
	address := r.vault.fingerprint("asked-from", []byte(string(t.day)+"\x00"+from))[:16]
	t.books = [2]asked{{Kind: string(kind), Whom: h.certificate.Person[:]}, {Kind: askedAddress, Whom: address}}
	found, ok, err := askedRecords.GetMany(rd, [][]byte{askedRecords.Key(t.books[0]), askedRecords.Key(t.books[1])})
	if err != nil {
		return t, 0, err
	}
	for i := range found {
		if ok[i] {
			t.books[i] = found[i]
		}
	}
	return t, min(t.books[0].Book.Left(t.limits[0], t.day), t.books[1].Book.Left(t.limits[1], t.day)), nil
}

// answerTry gives an answer, if a try is left, and counts it.
func (r *Registry) answerTry(tx kv.Tx, h holder, out HolderMatch, answer MatchAnswer, from string) (HolderMatch, error) {
	t, left, err := r.triesLeft(tx, h, out.Kind, from, tx.Now())
	if err != nil {
		return out, err
	}
	if left == 0 {
		out.Answer, out.Left = MatchSpent, 0
		return out, r.tellSpent(tx, h, out.Kind, t)
	}
	for i := range t.books {
		t.books[i].Book = t.books[i].Book.Answer(t.limits[i], t.day, answer != MatchDifferent)
		if err := putAsked(tx, t.books[i], t.books[i].Book.Matters(t.limits[i])); err != nil {
			return out, err
		}
	}
	out.Answer = answer
	out.Left = min(t.books[0].Book.Left(t.limits[0], t.day), t.books[1].Book.Left(t.limits[1], t.day))
	if answer == MatchDifferent {
		_, err = r.appendEvent(tx, Actor{}, Event{Kind: HolderDiffers, Object: h.certificate.Number, Institution: h.certificate.Institution,
			Detail: map[string]any{"kind": out.Kind, "version": h.version.N, "left": out.Left}})
	}
	return out, err
}

// tellSpent records that tries have run out, once a day for each book, so that
// nobody fills the log by going on.
func (r *Registry) tellSpent(tx kv.Tx, h holder, kind credentials.MatchKind, t tries) error {
	for i, b := range t.books {
		if b.Book.Left(t.limits[i], t.day) > 0 || b.Book.Told == t.day {
			continue
		}
		b.Book.Told = t.day
		if err := putAsked(tx, b, max(b.Book.Matters(t.limits[i]), t.day)); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, Actor{}, Event{Kind: HolderTriesSpent, Object: h.certificate.Number, Institution: h.certificate.Institution,
			Detail: map[string]any{"kind": kind, "of": map[int]string{0: "holder", 1: "address"}[i]}}); err != nil {
			return err
		}
	}
	return nil
}

// putAsked stores a book that matters until a day, and clears a few that matter
// no more.
func putAsked(tx kv.Tx, a asked, until standards.Date) error {
	old, _, err := askedRecords.ScanIndex(tx, indexAskedByExpiry, kv.Range{To: kv.Key(string(standards.DateOf(tx.Now()))), Limit: 4})
	if err != nil {
		return err
	}
	for _, gone := range old {
		if !bytes.Equal(askedRecords.Key(gone), askedRecords.Key(a)) {
			if err := askedRecords.Delete(tx, askedRecords.Key(gone)); err != nil {
				return err
			}
		}
	}
	a.Expires = until.AddDays(1)
	return askedRecords.Put(tx, a)
}
