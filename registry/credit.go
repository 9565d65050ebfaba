package registry

import (
	"context"
	"fmt"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// maxCreditYear is how many events of one credit year an institution's ledger
// takes: a year is explained in one read.
const maxCreditYear = kv.MaxScan

// RecordCreditEvent enters an event in an institution's ledger: an item, a repair
// 修复 of one, or a correction. An event that follows from a case or a sign names
// it as Reference: a case that was decided on the institution, or a review that
// was taken up. Errors: as [credit.Record]; Invalid when a text has an identity
// number in it or the reference is not one; Conflict credit_year_full.
func (r *Registry) RecordCreditEvent(ctx context.Context, by Actor, in credit.Event) (credit.Event, error) {
	var out credit.Event
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.Event{}
		inst, err := institutionByID(tx, in.Institution)
		if err != nil {
			return err
		}
		if err := may(by, KeepCredit, Object{Region: inst.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = creditEventByID(tx, inst.ID, id)
			}
			return err
		}
		if err := creditOrigin(tx, inst.ID, in); err != nil {
			return err
		}
		if out, err = r.recordCredit(tx, by, in); err != nil {
			return err
		}
		return remember(tx, by, out.ID)
	})
	if err != nil {
		return credit.Event{}, fmt.Errorf("record credit event: %w", err)
	}
	return out, nil
}

// creditOrigin refuses an event that claims to follow from something that is not
// there, is about somebody else or has not come so far.
func creditOrigin(rd kv.Reader, institution string, in credit.Event) error {
	switch in.Origin {
	case credit.OriginManual:
		return nil
	case credit.OriginCase:
		c, ok, err := caseRecords.Get(rd, kv.Key(in.Reference))
		if err != nil || ok && c.Subject.Institution() == institution && c.Ruling != nil {
			return err
		}
	case credit.OriginSign:
		v, ok, err := reviews.Get(rd, kv.Key(in.Reference))
		if err != nil || ok && v.Institution == institution && v.State == signs.ReviewCase {
			return err
		}
	}
	return fail.New(fail.Invalid, "credit_event_invalid", "the event does not follow from what it names").In("信用记录的来源有误").
		At(fail.Field{Name: "reference", Code: "origin", ZH: "来源为案件的，应写明已对该机构作出决定的案件；来源为信号的，应写明已立案的核查", EN: "name a case decided on this institution, or a review of it that was taken up"})
}

func creditEventByID(rd kv.Reader, institution, id string) (credit.Event, error) {
	return need(rd, creditEvents, kv.Key(institution, id), "credit event", "信用记录", id)
}

// recordCredit enters an event as part of another use case: a supervision report
// or a decision that has become final. The caller has asked may for what it does
// itself. Of ev it takes who and what, never the judgement.
//
// One event, the few sums it changes and the entry of the audit log are written
// in the caller's Update; nothing is left to repair after a crash.
func (r *Registry) recordCredit(tx kv.Tx, by Actor, ev credit.Event) (credit.Event, error) {
	if err := impersonalCredit(ev); err != nil {
		return credit.Event{}, err
	}
	inst, err := institutionByID(tx, ev.Institution)
	if err != nil {
		return credit.Event{}, err
	}
	before, followers, err := standingOf(tx, ev)
	if err != nil {
		return credit.Event{}, err
	}
	if before != nil {
		if err := credit.Followed(len(followers) - 1); err != nil {
			return credit.Event{}, err
		}
	}
	n, err := counter(tx, counterCredit(inst.ID), 1)
	if err != nil {
		return credit.Event{}, err
	}
	// The id leads with the count, so that a scan gives the order of the ledger.
	ev.ID = fmt.Sprintf("ce-%08d-%s", n, r.rand.id("c")[2:])
	if ev, err = credit.Record(r.cfg.Rules.Credit.Credit, inst.Region, before, ev, credit.TierOf(by.Region), tx.Now()); err != nil {
		return credit.Event{}, err
	}
	if err := countYear(tx, ev); err != nil {
		return credit.Event{}, err
	}
	setCounter(tx, counterCredit(inst.ID), n+1)
	after := credit.Standings(append(followers, ev))[0]
	if err := changeSums(tx, credit.Change(inst.ID, before, &after)); err != nil {
		return credit.Event{}, err
	}
	if err := creditEvents.Put(tx, ev); err != nil {
		return credit.Event{}, err
	}
	_, err = r.appendEvent(tx, by, Event{Kind: CreditRecorded, Object: ev.ID, Institution: inst.ID, Detail: ev})
	return ev, err
}

func impersonalCredit(ev credit.Event) error {
	var bad []fail.Field
	for _, text := range [][2]string{{"document", ev.Document}, {"basis", ev.Basis}, {"note", ev.Note}, {"reference", ev.Reference}} {
		bad = append(bad, impersonal(text[0], text[1])...)
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "credit_event_invalid", "a credit event must not have an identity number in it").
			In("信用记录中不得写身份证号码").At(bad...)
	}
	return nil
}

// standingOf finds the event that ev repairs or corrects, with all that followed
// it in the order of the ledger, itself first. nil when ev follows none, or a
// correction, which nothing can follow.
func standingOf(rd kv.Reader, ev credit.Event) (*credit.Standing, []credit.Event, error) {
	id := ev.Repairs + ev.Corrects
	if ev.Item != "" || id == "" || ev.Repairs != "" && ev.Corrects != "" {
		return nil, nil, nil // an item, or refused by credit.Record
	}
	target, err := creditEventByID(rd, ev.Institution, id)
	if err != nil {
		return nil, nil, err
	}
	if target.Corrects != "" {
		return nil, nil, nil
	}
	rng := kv.Prefix(kv.Key(ev.Institution, target.Subject))
	rng.Limit = credit.MaxFollowers + 2
	chain, _, err := creditEvents.ScanIndex(rd, indexCreditEventsBySubject, rng)
	if err != nil {
		return nil, nil, err
	}
	standings := credit.Standings(chain)
	if len(standings) != 1 {
		return nil, nil, fmt.Errorf("credit event %s: its subject %s has %d standings", target.ID, target.Subject, len(standings))
	}
	return &standings[0], chain, nil
}

func countYear(tx kv.Tx, ev credit.Event) error {
	key := counterCreditYear(ev.Institution, ev.Year)
	n, err := counter(tx, key, 0)
	if err != nil {
		return err
	}
	if n >= maxCreditYear {
		return fail.New(fail.Conflict, "credit_year_full", "the ledger of credit year %d has %d events, as many as it takes", ev.Year, n).
			In("%d 信用年度的记录已达 %d 条上限", ev.Year, n)
	}
	setCounter(tx, key, n+1)
	return nil
}

func changeSums(tx kv.Tx, changes []credit.Sum) error {
	keys := make([][]byte, len(changes))
	for i, c := range changes {
		keys[i] = creditSums.Key(c)
	}
	if len(keys) == 0 {
		return nil
	}
	old, _, err := creditSums.GetMany(tx, keys)
	if err != nil {
		return err
	}
	for i, c := range changes {
		sum, any := c.Add(old[i])
		if !any {
			if err := creditSums.Delete(tx, keys[i]); err != nil {
				return err
			}
			continue
		}
		if err := creditSums.Put(tx, sum); err != nil {
			return err
		}
	}
	return nil
}

// ReviewCredit records the yearly review 年度评价 of a credit year that has ended.
// Conflict: it is reviewed already, or has not ended.
func (r *Registry) ReviewCredit(ctx context.Context, by Actor, in credit.Review) (credit.Review, error) {
	if bad := append(impersonal("document", in.Document), impersonal("note", in.Note)...); len(bad) > 0 {
		return credit.Review{}, fail.New(fail.Invalid, "credit_review_invalid", "a review is public and must not have an identity number in it").
			In("年度评价会公开，不得写身份证号码").At(bad...)
	}
	var out credit.Review
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.Review{}
		inst, err := institutionByID(tx, in.Institution)
		if err != nil {
			return err
		}
		if err := may(by, KeepCredit, Object{Region: inst.Region}); err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = reviewOf(tx, inst.ID, in.Year)
			}
			return err
		}
		v, err := r.reviewNow(tx, inst, in)
		if err != nil {
			return err
		}
		if err := creditReviews.Put(tx, v); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: CreditReviewed, Object: inst.ID, Institution: inst.ID, Detail: v}); err != nil {
			return err
		}
		out = v
		return remember(tx, by, fmt.Sprint(v.Year))
	})
	if err != nil {
		return credit.Review{}, fmt.Errorf("review credit: %w", err)
	}
	return out, nil
}

func (r *Registry) reviewNow(tx kv.Tx, inst evaluators.Institution, in credit.Review) (credit.Review, error) {
	end, ok := standards.Date(""), false
	if standards.NewYear(in.Year) != "" {
		end, ok = credit.YearEnd(r.cfg.Rules.Credit.Credit, inst.Region, in.Year)
	}
	if !ok {
		return in, fail.New(fail.Invalid, "credit_review_invalid", "there is no credit year %d here", in.Year).In("没有 %d 信用年度", in.Year).
			At(fail.Field{Name: "year", Code: "unknown", ZH: "信用年度为四位年份", EN: "a credit year is a year of four digits"})
	}
	if _, done, err := creditReviews.Get(tx, kv.Key(inst.ID, uint64(in.Year))); err != nil {
		return in, err
	} else if done {
		return in, fail.New(fail.Conflict, "credit_reviewed", "credit year %d of this institution was reviewed already", in.Year).
			In("该机构 %d 信用年度已评价", in.Year)
	}
	score, err := r.scoreOn(tx, inst, end)
	if err != nil {
		return in, err
	}
	n, err := counter(tx, counterCredit(inst.ID), 1)
	if err != nil {
		return in, err
	}
	return credit.MakeReview(in, score, int(n-1), tx.Now())
}

func reviewOf(rd kv.Reader, institution string, year int) (credit.Review, error) {
	if year < 0 {
		return credit.Review{}, notFound("review", "年度评价", fmt.Sprint(year))
	}
	return need(rd, creditReviews, kv.Key(institution, uint64(year)), "review", "年度评价", fmt.Sprint(year))
}

// PublishCreditReview makes the result of a review public 公开.
func (r *Registry) PublishCreditReview(ctx context.Context, by Actor, institution string, year int) (credit.Review, error) {
	var out credit.Review
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.Review{}
		inst, err := institutionByID(tx, institution)
		if err != nil {
			return err
		}
		if err := may(by, KeepCredit, Object{Region: inst.Region}); err != nil {
			return err
		}
		v, err := reviewOf(tx, institution, year)
		if err != nil {
			return err
		}
		if v, err = v.Publish(tx.Now()); err != nil {
			return err
		}
		if err := creditReviews.Put(tx, v); err != nil {
			return err
		}
		out = v
		_, err = r.appendEvent(tx, by, Event{Kind: CreditReviewPublished, Object: inst.ID, Institution: inst.ID, Detail: v})
		return err
	})
	if err != nil {
		return credit.Review{}, fmt.Errorf("publish credit review: %w", err)
	}
	return out, nil
}
