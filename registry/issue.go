package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// bulkPage is how many rows one Update of bulk work takes, so that claims stay
// quick beside it.
const bulkPage = 500

// fewRows is up to how many rows a batch is no bulk work: it is begun and allocated in
// one Update, and stored and published in another.
const fewRows = 10

// Issue turns the passed candidates of a session into certificates, all of them
// or none. It is idempotent by session: called again it goes on where the last
// call or process stopped, and answers the same batch once it is published.
// progress, when not nil, sees the batch after each page. Conflict: publicity
// has not ended, the institution is not entitled (the batch is then aborted), or
// the granted numbers do not suffice.
func (r *Registry) Issue(ctx context.Context, by Actor, session string, progress func(Batch)) (Batch, error) {
	b, err := r.startBatch(ctx, by, session)
	if err == nil {
		b, err = r.finishBatch(ctx, by, b, progress)
	}
	if err != nil {
		return b, fmt.Errorf("issue session %s: %w", session, err)
	}
	return b, nil
}

// ResumeBatches finishes what a crash left open. It is called when a process
// starts; a batch that cannot be finished is logged and left for the next call
// of Issue.
func (r *Registry) ResumeBatches(ctx context.Context) error {
	var open []Batch
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		open, _, err = batches.ScanIndex(rd, indexBatchesOpen, kv.Range{Limit: kv.MaxScan})
		return err
	})
	if err != nil {
		return err
	}
	for _, b := range open {
		if _, err := r.finishBatch(ctx, Actor{Account: b.By, Via: "resume"}, b, nil); err != nil {
			r.log.Warn("batch not resumed", "batch", b.ID, "session", b.Session, "error", err)
		}
	}
	return ctx.Err()
}

func (r *Registry) finishBatch(ctx context.Context, by Actor, b Batch, progress func(Batch)) (Batch, error) {
	for !b.State.Ended() {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		next, err := r.advance(ctx, by, b, progress)
		if err != nil {
			return b, err
		}
		b = next
	}
	if b.State == BatchAborted {
		return b, fail.New(fail.Conflict, "batch_aborted", "the batch was aborted: %s", b.Aborted).In("发证批次已中止：%s", b.AbortedZH)
	}
	return b, nil
}

// advance takes a batch a step on.
func (r *Registry) advance(ctx context.Context, by Actor, b Batch, progress func(Batch)) (Batch, error) {
	if progress == nil {
		progress = func(Batch) {}
	}
	var err error
	switch b.State {
	case BatchAllocating:
		b, err = r.allocatePage(ctx, by, b)
	case BatchSigning:
		return r.signPages(ctx, by, b, progress)
	default:
		b, err = r.publish(ctx, by, b)
	}
	if err == nil {
		progress(b)
	}
	return b, err
}

func (r *Registry) startBatch(ctx context.Context, by Actor, session string) (Batch, error) {
	id := r.rand.id("b")
	handles, err := r.newHandles(r.fewRows)
	if err != nil {
		return Batch{}, err
	}
	var out Batch
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = Batch{}
		s, err := sessionFor(tx, by, RunSessions, session)
		if err != nil {
			return err
		}
		if s.State == SessionIssuing || s.State == SessionIssued && s.Publicity.Released == 0 {
			out, err = need(tx, batches, kv.Key(s.Batch), "batch", "发证批次", s.Batch)
			return err
		}
		inst, f, err := issuerOf(tx, s)
		if err != nil {
			return err
		}
		rules, err := r.courseOf(s)
		if err != nil {
			return err
		}
		if err := s.mustBeApproved(rules); err != nil {
			return err
		}
		s, b, err := s.StartBatch(Batch{ID: id, By: by.Account, InstitutionName: inst.NameOn(standards.DateOf(tx.Now()), tx.Now())}, tx.Now())
		if err != nil {
			return err
		}
		if err := r.mustBeEntitled(tx, inst, f, s, tx.Now()); err != nil {
			return err
		}
		if err := r.mustHaveNumbers(tx, f, s, b); err != nil {
			return err
		}
		if err := r.putBatch(tx, by, s, b, BatchStarted); err != nil {
			return err
		}
		if b.Total <= r.fewRows && s.Results.Rows <= r.fewRows {
			b, err = r.allocateIn(tx, by, s, b, handles)
		}
		out = b
		return err
	})
	return out, err
}

// mustHaveNumbers refuses to begin what the granted ranges cannot finish. Rows
// that bring their own numbers need none; counting them would read every row, so
// a file with supplied numbers is let through and meets the end of a range, if at
// all, while it allocates.
func (r *Registry) mustHaveNumbers(rd kv.Reader, f evaluators.Filing, s Session, b Batch) error {
	if s.Results.Supplied > 0 {
		return nil
	}
	next, err := counter(rd, counterSerial(f.Prefix(), b.Issued.Year(), s.Level), 1)
	if err != nil {
		return err
	}
	filed, err := lineOf(rd, f, b.Issued)
	if err != nil {
		return err
	}
	f = f.InLine(filed, b.Issued, b.Started)
	if rules, ok := r.numbering(f, b.Issued); ok && rules.NeedsRange() && len(f.Ranges) == 0 {
		return fail.New(fail.Conflict, "serials_not_granted", "in this province numbers come from a granted range, and filing %s has none; ask the authority for one", f.ID).
			In("本省证书编号须取自核定号段，备案 %s 尚无号段；请先向备案机关申请", f.ID)
	}
	if left := f.Remaining(b.Issued.Year(), s.Level, int(next)); left < b.Total {
		return fail.New(fail.Conflict, "serials_exhausted", "the granted ranges have %d numbers left, %d are needed; ask the authority for another range", left, b.Total).
			In("号段余量 %d 个，需要 %d 个；请先向备案机关申请号段", left, b.Total)
	}
	return nil
}

func issuerOf(rd kv.Reader, s Session) (inst evaluators.Institution, f evaluators.Filing, err error) {
	if inst, err = institutionByID(rd, s.Institution); err != nil {
		return inst, f, err
	}
	f, err = filingByID(rd, s.Filing)
	return inst, f, err
}

func (r *Registry) putBatch(tx kv.Tx, by Actor, s Session, b Batch, kind EventKind) error {
	if err := sessions.Put(tx, s); err != nil {
		return err
	}
	if err := batches.Put(tx, b); err != nil {
		return err
	}
	_, err := r.appendEvent(tx, by, Event{Kind: kind, Object: b.ID, Institution: b.Institution, Detail: b})
	return err
}

// onPage runs fn in one Update on the stored batch, when it still stands where
// the caller saw it. Another process may have gone on meanwhile; then nothing is
// done and its batch is the answer.
func (r *Registry) onPage(ctx context.Context, seen Batch, fn func(tx kv.Tx, s Session, b Batch) (Batch, error)) (Batch, error) {
	write := r.db.Bulk
	if seen.Total <= r.fewRows {
		write = r.db.Update // a group takes one page of bulk work: small ones would wait for each other
	}
	var out Batch
	err := write(ctx, func(tx kv.Tx) error {
		out = Batch{}
		b, err := need(tx, batches, kv.Key(seen.ID), "batch", "发证批次", seen.ID)
		if err != nil {
			return err
		}
		if b.State != seen.State || b.AllocatedRow != seen.AllocatedRow || b.SignedRow != seen.SignedRow {
			out = b
			return nil
		}
		s, err := need(tx, sessions, kv.Key(b.Session), "session", "认定批次", b.Session)
		if err != nil {
			return err
		}
		out, err = fn(tx, s, b)
		return err
	})
	return out, err
}

// publish is the flip: one Update asks once more whether the institution may
// issue, by what is recorded at that moment, and makes the whole batch public or
// ends it. Durable afterwards: either every certificate or none.
func (r *Registry) publish(ctx context.Context, by Actor, seen Batch) (Batch, error) {
	return r.onPage(ctx, seen, func(tx kv.Tx, s Session, b Batch) (Batch, error) { return r.publishIn(tx, by, s, b) })
}

// publishIn is publish within an Update.
func (r *Registry) publishIn(tx kv.Tx, by Actor, s Session, b Batch) (Batch, error) {
	inst, f, err := issuerOf(tx, s)
	if err != nil {
		return b, err
	}
	e, err := r.entitlement(tx, inst, f, s, tx.Now())
	if err != nil {
		return b, err
	}
	if err := e.Refusal(); err != nil {
		return r.abortIn(tx, by, s, b, fail.Of(err))
	}
	if s, b, err = s.Publish(b, tx.Now()); err != nil {
		return b, err
	}
	batchToCount(tx, b)
	if err := r.putBatch(tx, by, s, b, BatchWasPublished); err != nil {
		return b, err
	}
	return b, r.signsAfterPublish(tx, s, b)
}

// abortIn ends a batch within an Update. What the Update itself put before is
// part of it: burnt numbers stay taken.
func (r *Registry) abortIn(tx kv.Tx, by Actor, s Session, b Batch, why *fail.Error) (Batch, error) {
	s, b, err := s.Abort(b, why)
	if err != nil {
		return Batch{}, err
	}
	return b, r.putBatch(tx, by, s, b, BatchWasAborted)
}

// AbortBatch ends an unfinished batch; its numbers are burnt and the session can
// be issued anew. Conflict: the batch has ended.
func (r *Registry) AbortBatch(ctx context.Context, by Actor, session, reason string) (Batch, error) {
	if bad := impersonal("reason", reason); bad != nil {
		return Batch{}, fail.New(fail.Invalid, "abort", "the reason has an identity number in it").In("原因中不得写身份证号码").At(bad...)
	}
	var out Batch
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Batch{}
		s, err := sessionFor(tx, by, RunSessions, session)
		if err != nil {
			return err
		}
		if s.State != SessionIssuing {
			return fail.New(fail.Conflict, "no_batch", "session %s is not being issued", s.ID).In("批次 %s 没有进行中的发证", s.ID)
		}
		why := fail.New(fail.Conflict, "aborted_by_request", "by request: %s", reason).In("应要求中止：%s", reason)
		b, err := need(tx, batches, kv.Key(s.Batch), "batch", "发证批次", s.Batch)
		if err != nil {
			return err
		}
		out, err = r.abortIn(tx, by, s, b, why)
		return err
	})
	if err != nil {
		return Batch{}, fmt.Errorf("abort batch of session %s: %w", session, err)
	}
	return out, nil
}

// BatchOfSession shows how far the issue of a session has come. NotFound when it
// has not begun.
func (r *Registry) BatchOfSession(ctx context.Context, by Actor, session string) (out Batch, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		s, err := sessionFor(rd, by, ReadSession, session)
		if err != nil {
			return err
		}
		out, err = need(rd, batches, kv.Key(s.Batch), "batch", "发证批次", s.Batch)
		return err
	})
	return out, err
}
