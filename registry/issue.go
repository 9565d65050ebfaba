package registry

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// bulkPage is how many rows one Update of bulk work takes, so that claims stay
// quick beside it.
const bulkPage = 500

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
		next, err := r.advance(ctx, by, b)
		if err != nil {
			return b, err
		}
		b = next
		if progress != nil {
			progress(b)
		}
	}
	if b.State == BatchAborted {
		return b, fail.New(fail.Conflict, "batch_aborted", "the batch was aborted: %s", b.Aborted).In("发证批次已中止：%s", b.AbortedZH)
	}
	return b, nil
}

func (r *Registry) advance(ctx context.Context, by Actor, b Batch) (Batch, error) {
	switch b.State {
	case BatchAllocating:
		return r.allocatePage(ctx, by, b)
	case BatchSigning:
		return r.signPage(ctx, by, b)
	}
	return r.publish(ctx, by, b)
}

func (r *Registry) startBatch(ctx context.Context, by Actor, session string) (Batch, error) {
	id := r.rand.id("b")
	var out Batch
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Batch{}
		s, err := sessionFor(tx, by, RunSessions, session)
		if err != nil {
			return err
		}
		if s.State == SessionIssuing || s.State == SessionIssued {
			out, err = need(tx, batches, kv.Key(s.Batch), "batch", "发证批次", s.Batch)
			return err
		}
		inst, f, err := issuerOf(tx, s)
		if err != nil {
			return err
		}
		s, b, err := s.StartBatch(Batch{ID: id, By: by.Account, InstitutionName: inst.Name}, tx.Now())
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
		out = b
		return nil
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
	var out Batch
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
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

// allocatePage gives the next candidates their numbers, handles and status
// indices. Durable afterwards: records that no one can see, since the batch is
// not published. A crash leaves the cursor at the end of the last whole page.
func (r *Registry) allocatePage(ctx context.Context, by Actor, seen Batch) (Batch, error) {
	handles := make([]credentials.Handle, bulkPage)
	for i := range handles {
		var err error
		if handles[i], err = credentials.NewHandle(r.rand); err != nil {
			return seen, err
		}
	}
	return r.onPage(ctx, seen, func(tx kv.Tx, s Session, b Batch) (Batch, error) {
		rng := kv.Prefix(kv.Key(s.ID, uint64(s.Results.Generation)))
		rng.From, rng.Limit = kv.Key(s.ID, uint64(s.Results.Generation), uint64(b.AllocatedRow+1)), bulkPage
		page, _, err := candidates.Scan(tx, rng)
		if err != nil {
			return b, err
		}
		a, err := r.newAllocator(tx, s, b)
		if err != nil {
			return b, err
		}
		for i, c := range page {
			b.AllocatedRow = c.Row
			if !c.Passed {
				continue
			}
			if err := a.allocate(tx, c, handles[i]); err != nil {
				if e := (*fail.Error)(nil); errors.As(err, &e) {
					a.save(tx) // what this page took is burnt with the batch
					return r.abortIn(tx, by, s, b, e)
				}
				return b, err
			}
			b.Allocated++
		}
		a.save(tx)
		if len(page) < bulkPage {
			b.State = BatchSigning
		}
		return b, batches.Put(tx, b)
	})
}

// allocator hands out numbers and status indices within one Update.
type allocator struct {
	r      *Registry
	batch  Batch
	s      Session
	filing evaluators.Filing
	occ    standards.Occupation
	serial int
	status uint64
}

func (r *Registry) newAllocator(tx kv.Tx, s Session, b Batch) (*allocator, error) {
	_, f, err := issuerOf(tx, s)
	if err != nil {
		return nil, err
	}
	o, err := r.occupation(tx, s.Occupation)
	if err != nil {
		return nil, err
	}
	a := &allocator{r: r, batch: b, s: s, filing: f, occ: o}
	serial, err := counter(tx, a.serialKey(), 1)
	if err != nil {
		return nil, err
	}
	a.serial = int(serial)
	a.status, err = counter(tx, counterStatus(), 0)
	return a, err
}

func (a *allocator) serialKey() []byte {
	return counterSerial(a.filing.Prefix(), a.batch.Issued.Year(), a.s.Level)
}

func (a *allocator) save(tx kv.Tx) {
	setCounter(tx, a.serialKey(), uint64(a.serial))
	setCounter(tx, counterStatus(), a.status)
}

// number is the one the file supplied, or the next free one of the granted
// ranges. Numbers that were supplied before are stepped over.
func (a *allocator) number(tx kv.Tx, c Candidate) (string, error) {
	if c.Number != "" {
		n, err := standards.ParseLevelNumber(c.Number)
		if err != nil {
			return "", err
		}
		if problems := evaluators.CheckNumber(n, a.filing, a.face()); len(problems) > 0 {
			return "", fail.New(fail.Conflict, "number_inconsistent", "row %d: the supplied number does not fit: %s", c.Row, problems[0].EN).
				In("第 %d 行：证书编号不符：%s", c.Row, problems[0].ZH)
		}
		taken, err := tx.Get(tableCertificates, kv.Key(c.Number))
		if err == nil && taken != nil {
			err = fail.New(fail.Conflict, "number_taken", "row %d: the supplied number is in use", c.Row).In("第 %d 行：证书编号已被使用", c.Row)
		}
		return c.Number, err
	}
	for {
		serial, err := evaluators.Allocate(a.filing, a.batch.Issued.Year(), a.s.Level, a.serial)
		if err != nil {
			return "", err
		}
		a.serial = serial + 1
		n := a.filing.Number(a.batch.Issued.Year(), a.s.Level, serial).Format()
		taken, err := tx.Get(tableCertificates, kv.Key(n))
		if err != nil || taken == nil {
			return n, err
		}
	}
}

func (a *allocator) face() evaluators.Face {
	return evaluators.Face{Occupation: a.s.Occupation, Trade: a.s.Trade, Level: a.s.Level, ExamDate: a.s.ExamDate, Issued: a.batch.Issued}
}

func (a *allocator) allocate(tx kv.Tx, c Candidate, handle credentials.Handle) error {
	number, err := a.number(tx, c)
	if err != nil {
		return err
	}
	list, index := credentials.StatusPermutation(a.r.cfg.Keys.Permutation(), a.status)
	a.status++
	cert := Certificate{
		Number: number, Kind: standards.LevelCertificate, Origin: OriginHere, Mode: policy.ModeExam, Person: c.Person,
		Institution: a.s.Institution, InstitutionName: a.batch.InstitutionName, Filing: a.s.Filing, Region: a.s.Region,
		Session: a.s.ID, Row: c.Row, Batch: a.batch.ID,
		Occupation: a.occ.Code, OccupationName: a.occ.Name, Trade: a.s.Trade, TradeName: a.occ.TradeText(a.s.Trade), Level: a.s.Level,
		Issued: a.batch.Issued, Created: tx.Now(), Versions: 1, Status: CertificateValid,
	}
	if err := certificates.Put(tx, cert); err != nil {
		return err
	}
	return versions.Put(tx, Version{Number: number, N: 1, Handle: handle, Status: uint64(list)*credentials.StatusListBits + uint64(index), Created: tx.Now()})
}

// signed is one certificate of a page, signed outside the writer.
type signed struct {
	cert    Certificate
	version Version
	block   []byte
}

// signPage signs the next certificates outside the writer, in parallel, and
// stores tokens, sealed papers and log entries in one Update. Durable
// afterwards: signatures that nobody can see. A crash before the Update loses
// only the work of one page.
func (r *Registry) signPage(ctx context.Context, by Actor, seen Batch) (Batch, error) {
	page, papers, err := r.unsignedPage(ctx, seen)
	if err != nil {
		return seen, err
	}
	signer, err := r.cfg.Keys.Signer(jws.QR)
	if err != nil {
		return seen, err
	}
	group, _ := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range page {
		group.Go(func() error { return r.signOne(signer, &page[i], papers[i]) })
	}
	if err := group.Wait(); err != nil {
		return seen, err
	}
	return r.onPage(ctx, seen, func(tx kv.Tx, _ Session, b Batch) (Batch, error) {
		for _, p := range page {
			index, err := r.appendEvent(tx, by, Event{Kind: CertificateSigned, Object: p.cert.Number, Institution: b.Institution,
				Detail: map[string]any{"batch": b.ID, "version": p.version.N, "status": p.version.Status, "kid": p.version.KID}})
			if err != nil {
				return b, err
			}
			v, c := p.version, p.cert
			v.Signed, v.LogIndex, c.LogIndex = true, index, index
			if err := versions.Put(tx, v); err != nil {
				return b, err
			}
			if err := certificates.Put(tx, c); err != nil {
				return b, err
			}
			tx.Put(tableSealed, sealedVersion(c.Number, v.N).storeKey(), p.block)
			b.SignedRow = c.Row
			b.Signed++
		}
		if len(page) < bulkPage {
			b.State = BatchSigned
		}
		return b, batches.Put(tx, b)
	})
}

// unsignedPage reads the next certificates of a batch with the people they are
// for. Results do not change once publicity began, so a View may read them.
func (r *Registry) unsignedPage(ctx context.Context, b Batch) (page []signed, papers []Paper, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		page, papers = nil, nil
		s, err := need(rd, sessions, kv.Key(b.Session), "session", "认定批次", b.Session)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(b.ID))
		rng.From, rng.Limit = kv.Key(b.ID, uint64(b.SignedRow+1)), bulkPage
		cs, _, err := certificates.ScanIndex(rd, indexCertificatesByBatch, rng)
		if err != nil {
			return err
		}
		versionKeys, blockKeys := make([][]byte, len(cs)), make([][]byte, len(cs))
		places := make([]sealedPlace, len(cs))
		for i, c := range cs {
			places[i] = sealedCandidate(Candidate{Session: s.ID, Generation: s.Results.Generation, Row: c.Row})
			versionKeys[i], blockKeys[i] = versionKey(c.Number, 1), places[i].storeKey()
		}
		vs, _, err := versions.GetMany(rd, versionKeys)
		if err != nil {
			return err
		}
		blocks, err := rd.GetMany(tableSealed, blockKeys)
		if err != nil {
			return err
		}
		for i, c := range cs {
			var p Paper
			if blocks[i] == nil {
				return fmt.Errorf("session %s row %d has no sealed block", s.ID, c.Row)
			}
			if err := r.vault.openValue(places[i], blocks[i], &p); err != nil {
				return err
			}
			page, papers = append(page, signed{cert: c, version: vs[i]}), append(papers, p)
		}
		return nil
	})
	return page, papers, err
}

func (r *Registry) signOne(signer jws.Signer, s *signed, p Paper) error {
	token, err := credentials.SignToken(signer, claimsOf(s.cert, s.version, p))
	if err != nil {
		return err
	}
	p.Token = string(token)
	s.version.KID = signer.KID()
	s.block, err = r.vault.sealValue(sealedVersion(s.cert.Number, s.version.N), p)
	return err
}

// claimsOf is what the QR code says: what the paper shows, and no more.
func claimsOf(c Certificate, v Version, p Paper) credentials.Claims {
	return credentials.Claims{Number: c.Number, Name: p.Name, DocumentMasked: p.Document.Masked(), Occupation: c.Occupation, Trade: c.Trade,
		Level: levelDigit(c.Level), Issued: string(c.Issued), Status: int(v.Status)}
}

func levelDigit(l standards.Level) byte {
	d, _ := l.Digit()
	return d
}

// publish is the flip: one Update asks once more whether the institution may
// issue, by what is recorded at that moment, and makes the whole batch public or
// ends it. Durable afterwards: either every certificate or none.
func (r *Registry) publish(ctx context.Context, by Actor, seen Batch) (Batch, error) {
	return r.onPage(ctx, seen, func(tx kv.Tx, s Session, b Batch) (Batch, error) {
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
		return b, r.putBatch(tx, by, s, b, BatchWasPublished)
	})
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
