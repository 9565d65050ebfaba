package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// A status list is published: signed outside the writer, stored, and served as
// it was stored. The Update that changes a bit leaves a mark in status_due, which
// survives a crash; PublishStatusLists publishes what is marked and signs anew
// what was signed long ago. The rule of storing is publishedStatus.follows: the
// newest publication is never replaced by an older state, whoever comes late.

// How long a status list may be kept, and how soon it is published.
const (
	// StatusTTL is how long a copy of a list may serve before it is fetched again.
	StatusTTL = time.Minute
	// StatusWithin is how soon after a change of a bit the list that has it is
	// published at the latest. The online verdict does not wait for it.
	StatusWithin = time.Minute
	// statusValidity is how long a clear bit proves anything.
	statusValidity = 24 * time.Hour
	// statusSignAnew is when a list is signed anew of which no bit changed.
	statusSignAnew = 15 * time.Minute
)

// statusLease is the job of publishing status lists.
const statusLease = "status lists"

// publishedStatus is the newest publication of a list. Its text lies apart, so
// that who has the text needs to read no more than this.
type publishedStatus struct {
	Purpose    credentials.StatusPurpose `json:"purpose"`
	List       int                       `json:"list"`
	Serial     uint64                    `json:"serial"`   // 1, 2, 3, … of this list
	Version    uint64                    `json:"version"`  // of its bits
	Position   uint64                    `json:"position"` // size of the audit log that it reflects
	ValidFrom  time.Time                 `json:"valid_from"`
	ValidUntil time.Time                 `json:"valid_until"`
	SignAnew   time.Time                 `json:"sign_anew"`
	KID        string                    `json:"kid"`
}

func (p publishedStatus) place() statusPlace { return statusPlace{p.Purpose, p.List} }

// follows is the rule of storing: p replaces before only when it goes back in
// nothing and goes on in something. A key that signs in place of another is
// something.
func (p publishedStatus) follows(before publishedStatus) bool {
	if before.Serial == 0 {
		return true
	}
	back := p.Version < before.Version || p.Position < before.Position || p.ValidFrom.Before(before.ValidFrom)
	on := p.Version > before.Version || p.ValidFrom.After(before.ValidFrom) || p.KID != before.KID
	return !back && on
}

// behind reports whether a request may not wait for the job any longer: the mark
// of the list is older than StatusWithin, or its time to be signed anew is past
// by as much.
func (p publishedStatus) behind(mark []byte, now time.Time) bool {
	return mark != nil && now.Sub(asTime(mark)) > StatusWithin || now.Sub(p.SignAnew) > StatusWithin
}

// SignedStatusList is a signed status list with what it says about its time.
type SignedStatusList struct {
	Text       string // vc+jwt, see credentials.StatusList.Sign
	ValidFrom  time.Time
	ValidUntil time.Time
	// Serial counts the publications of this list, Version the changes of its
	// bits, and Position is the size of the audit log that it reflects. They are
	// 0 for a list of the past.
	Serial, Version, Position uint64
}

// statusTexts keeps texts that were read: published ones by the serial that the
// snapshot of the request has, those of the past by their moment.
type statusTexts struct {
	once singleflight.Group // one publication of a list at a time on request

	mu        sync.Mutex
	published map[string]SignedStatusList
	past      map[pastStatus]SignedStatusList
	kid       string // of the key that signed when this process last looked
}

// textsMost bounds each of the maps: 30 KB a text at most.
const textsMost = 256

// keep adds a text, in place of any other when there are many.
func keep[K comparable](texts *map[K]SignedStatusList, key K, text SignedStatusList) {
	if *texts == nil {
		*texts = map[K]SignedStatusList{}
	}
	for other := range *texts {
		if len(*texts) < textsMost {
			break
		}
		delete(*texts, other)
	}
	(*texts)[key] = text
}

// StatusList is the published text of a list, see [Registry.PublishedStatusList].
func (r *Registry) StatusList(ctx context.Context, name string) (string, error) {
	l, err := r.PublishedStatusList(ctx, name)
	return l.Text, err
}

// PublishedStatusList is the newest publication of a list of a name such as
// "revocation-0". NotFound when no certificate has a place in it; list 0 is
// always there. A list that was never published, or that the job has left behind,
// is published first by the same rule.
func (r *Registry) PublishedStatusList(ctx context.Context, name string) (SignedStatusList, error) {
	purpose, list, err := credentials.ParseStatusListName(name)
	if err != nil {
		return SignedStatusList{}, err
	}
	p := statusPlace{purpose, list}
	out, behind, err := r.servedStatus(ctx, p)
	if err != nil || !behind {
		return out, err
	}
	_, err, _ = r.statuses.once.Do(name, func() (any, error) {
		// What one caller began the others wait for: it does not end with them.
		return r.publishStatus(context.WithoutCancel(ctx), nil, p)
	})
	if err != nil && out.Text == "" {
		return out, err
	}
	if err != nil {
		// What is published is true as of its ValidFrom, and every URL answers.
		r.log.Error("status list not published on request; the older one is served", "list", name, "error", err)
		return out, nil
	}
	out, _, err = r.servedStatus(ctx, p)
	return out, err
}

// servedStatus reads what is published; behind says that it should be published
// first.
func (r *Registry) servedStatus(ctx context.Context, p statusPlace) (out SignedStatusList, behind bool, err error) {
	name := p.name()
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, behind = SignedStatusList{}, false
		head, ok, err := publishedStatuses.Get(rd, p.key())
		if err != nil {
			return err
		}
		if !ok {
			behind = true
			return listed(rd, p)
		}
		mark, err := rd.Get(tableStatusDue, p.key())
		if err != nil {
			return err
		}
		behind = head.behind(mark, now)
		r.statuses.mu.Lock()
		out = r.statuses.published[name]
		r.statuses.mu.Unlock()
		if out.Serial == head.Serial {
			return nil
		}
		text, err := rd.Get(tableStatusTexts, p.key())
		if err != nil {
			return err
		}
		if text == nil {
			return fmt.Errorf("status list %s is published and has no text", name)
		}
		out = head.signed(string(text))
		return nil
	})
	if err == nil && out.Text != "" {
		r.statuses.mu.Lock()
		if out.Serial > r.statuses.published[name].Serial {
			keep(&r.statuses.published, name, out)
		}
		r.statuses.mu.Unlock()
	}
	return out, behind, err
}

func (p publishedStatus) signed(text string) SignedStatusList {
	return SignedStatusList{Text: text, ValidFrom: p.ValidFrom, ValidUntil: p.ValidUntil, Serial: p.Serial, Version: p.Version, Position: p.Position}
}

// listed refuses a list in which nobody has a place. List 0 is there from the
// beginning: verifiers ask for it before they know any certificate.
func listed(rd kv.Reader, p statusPlace) error {
	if p.list == 0 {
		return nil
	}
	_, began, err := listBegan(rd, p.list)
	if err == nil && !began {
		err = fail.New(fail.NotFound, "no_status_list", "there is no status list %s: no certificate has a place in it", p.name()).
			In("没有状态清单 %s：尚无证书使用该清单", p.name())
	}
	return err
}

// statusDraft is a list that is signed and not stored.
type statusDraft struct {
	head  publishedStatus
	text  string
	bases []statusBase
}

// draftStatus reads a list and signs it outside the writer. ValidFrom is the time
// of the newest commit that the list was read behind: no later Update has an
// earlier time, so that nothing the list does not know can have come before it.
func (r *Registry) draftStatus(ctx context.Context, p statusPlace) (statusDraft, error) {
	list := credentials.NewStatusList(r.cfg.Origin, p.purpose, p.list)
	var out statusDraft
	err := r.db.View(ctx, func(rd kv.Reader) error {
		out = statusDraft{head: publishedStatus{Purpose: p.purpose, List: p.list}}
		if err := listed(rd, p); err != nil {
			return err
		}
		var err error
		if out.head.ValidFrom, err = r.db.Committed(rd); err != nil {
			return err
		}
		if out.head.Version, err = counter(rd, counterStatusVersion(string(p.purpose), p.list), 0); err != nil {
			return err
		}
		if out.head.Position, err = logPosition(rd); err != nil {
			return err
		}
		replay, err := replayStatus(rd, p, math.MaxInt64-1, true)
		if err != nil {
			return err
		}
		out.bases = replay.bases
		return list.SetBits(replay.bits)
	})
	if err != nil {
		return out, err
	}
	out.head.ValidUntil, out.head.SignAnew = out.head.ValidFrom.Add(statusValidity), out.head.ValidFrom.Add(statusSignAnew)
	list.ValidFrom, list.ValidUntil, list.TTL = out.head.ValidFrom, out.head.ValidUntil, StatusTTL
	signer, err := r.cfg.Keys.Signer(jws.Status)
	if err != nil {
		return out, err
	}
	out.head.KID = signer.KID()
	out.text, err = list.Sign(signer)
	return out, err
}

// logPosition is the size of the audit log, 0 while it has no name.
func logPosition(rd kv.Reader) (uint64, error) {
	head, err := auditlog.ReadHead(rd)
	if fail.CodeOf(err) == "log_not_started" {
		return 0, nil
	}
	return head.Size, err
}

// storeStatus publishes a draft, under a lease when there is one. stored is false
// when what is published already is as new. A crash before this Update loses a
// signature and leaves the mark; after it nothing is left to do.
func (r *Registry) storeStatus(ctx context.Context, lease *Lease, d statusDraft) (stored bool, err error) {
	p := d.head.place()
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		stored = false
		if lease != nil {
			if err := lease.Hold(tx); err != nil {
				return err
			}
		}
		before, _, err := publishedStatuses.Get(tx, p.key())
		if err != nil || !d.head.follows(before) {
			return err
		}
		version, err := counter(tx, counterStatusVersion(string(p.purpose), p.list), 0)
		if err != nil {
			return err
		}
		head := d.head
		head.Serial = before.Serial + 1
		if err := publishedStatuses.Put(tx, head); err != nil {
			return err
		}
		tx.Put(tableStatusTexts, p.key(), []byte(d.text))
		for _, b := range d.bases {
			tx.Put(tableStatusBases, statusBaseKey(p.purpose, p.list, b.at), b.bits)
		}
		if version == head.Version {
			tx.Delete(tableStatusDue, p.key())
		} else { // changed while it was signed: not published since then at the earliest
			tx.Put(tableStatusDue, p.key(), unixBytes(head.ValidFrom))
		}
		stored = true
		return nil
	})
	return stored, err
}

// publishStatus brings one list up to date. Without a lease it first makes a
// commit, so that the time of the list is that of the request.
func (r *Registry) publishStatus(ctx context.Context, lease *Lease, p statusPlace) (stored bool, err error) {
	if lease == nil {
		if err := r.commitMoment(ctx); err != nil {
			return false, err
		}
	}
	d, err := r.draftStatus(ctx, p)
	if err != nil {
		return false, err
	}
	return r.storeStatus(ctx, lease, d)
}

// commitMoment makes a commit at the present time: no later Update, of whatever
// process with whatever clock, has an earlier time than this.
func (r *Registry) commitMoment(ctx context.Context) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		setCounter(tx, counterMoment(), uint64(tx.Now().Unix()))
		return nil
	})
}

// publishPage is how many lists are found by one read.
const publishPage = 200

// PublishStatusLists publishes every list of which a bit changed since it was
// published, and signs anew those whose time has come or whose key was replaced;
// published counts them. It is called every few seconds in every process: when
// there is nothing to do it is two small reads, and when another process does it,
// it leaves it to that one.
func (r *Registry) PublishStatusLists(ctx context.Context) (published int, err error) {
	signer, err := r.cfg.Keys.Signer(jws.Status)
	if err != nil {
		return 0, err
	}
	r.statuses.mu.Lock()
	replaced := r.statuses.kid != signer.KID()
	r.statuses.mu.Unlock()
	due, err := r.dueStatuses(ctx, 1)
	if err == nil && len(due) == 0 && replaced {
		due, err = r.statusesOfOldKeys(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("publish status lists: %w", err)
	}
	if len(due) == 0 {
		r.lookedAtKey(signer.KID())
		return 0, nil
	}
	held, err := r.Leased(ctx, statusLease, func(ctx context.Context, lease *Lease) (err error) {
		published, err = r.publishDue(ctx, lease, replaced)
		return err
	})
	if err != nil {
		return published, fmt.Errorf("publish status lists: %w", err)
	}
	if held {
		r.lookedAtKey(signer.KID())
	}
	return published, nil
}

// lookedAtKey remembers that no published list waits to be signed by this key.
func (r *Registry) lookedAtKey(kid string) {
	r.statuses.mu.Lock()
	defer r.statuses.mu.Unlock()
	r.statuses.kid = kid
}

// publishDue publishes what is due. One list that cannot be published does not
// keep the others back.
func (r *Registry) publishDue(ctx context.Context, lease *Lease, replaced bool) (published int, err error) {
	due, err := r.dueStatuses(ctx, publishPage)
	if err == nil && replaced {
		var more []statusPlace
		more, err = r.statusesOfOldKeys(ctx)
		due = append(due, more...)
	}
	if err != nil {
		return 0, err
	}
	var failed []error
	done := map[statusPlace]bool{}
	for _, p := range due {
		if done[p] || ctx.Err() != nil {
			continue
		}
		done[p] = true
		stored, err := r.publishStatus(ctx, lease, p)
		switch {
		case fail.CodeOf(err) == "lease_lost":
			return published, err
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", p.name(), err))
		case stored:
			published++
		}
	}
	return published, errors.Join(append(failed, ctx.Err())...)
}

// dueStatuses are the lists to be published now: at most `most` marked ones, and
// as many whose time to be signed anew has come.
func (r *Registry) dueStatuses(ctx context.Context, most int) (out []statusPlace, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = nil
		marked, err := rd.Scan(tableStatusDue, kv.Range{Limit: most})
		if err != nil {
			return err
		}
		for _, e := range marked {
			p, err := parseStatusPlace(e.Key)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		old, _, err := publishedStatuses.ScanIndex(rd, indexStatusToSign, kv.Range{To: kv.Key(uint64(now.Unix()) + 1), Limit: most})
		for _, head := range old {
			out = append(out, head.place())
		}
		return err
	})
	return out, err
}

// statusesOfOldKeys are the lists that a key signed which signs no more, or is
// trusted no more. A key that this process does not know yet is no old one: a
// process whose key ring is behind does not undo what another did.
func (r *Registry) statusesOfOldKeys(ctx context.Context) (out []statusPlace, err error) {
	keys := r.cfg.Keys.Public()
	err = r.db.View(ctx, func(rd kv.Reader) error {
		out = nil
		return eachRecord(rd, publishedStatuses, func(head publishedStatus) error {
			if key, ok := keys.Key(head.KID); ok && (key.State == jws.Retired || key.State == jws.Distrusted) {
				out = append(out, head.place())
			}
			return nil
		})
	})
	return out, err
}
