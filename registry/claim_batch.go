package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// A file of claims is checked before payment 批量预检 in pages of bulkPage rows: each
// is read on one state, decided, and stored in one Update before any of its rows is
// answered. What a crash leaves is a run that the same file goes on with. Nothing is
// reserved.
//
//	begun ── page, page, … ──► answered ── signature ──► ended
//	  └────────── crash, or who asked went away: the same file with the run's id ──────┘
//
// Answers stand sealed for ClaimBatchLife; what remains of a run has nothing
// personal in it.

// ClaimBatchLife is how long the answers to a file can be read again, and a run that
// was interrupted be continued.
const ClaimBatchLife = 30 * 24 * time.Hour

// ClaimBatchCounts is how many rows have which outcome. Their sum is the rows that
// are answered.
type ClaimBatchCounts struct {
	Allow   int `json:"allow"`
	Deny    int `json:"deny"`
	Hold    int `json:"hold"`
	Invalid int `json:"invalid"`
	// Repeated rows are those that an earlier row of the file stands in the way of.
	Repeated int `json:"repeated"`
	// Amount is what the allowed rows would be paid.
	Amount policy.Fen `json:"amount_fen"`
}

// Rows is how many rows are counted.
func (c ClaimBatchCounts) Rows() int { return c.Allow + c.Deny + c.Hold + c.Invalid }

func (c *ClaimBatchCounts) count(l ClaimBatchLine) {
	switch l.Outcome {
	case ClaimBatchOutcome(policy.Allow):
		c.Allow++
		c.Amount += l.Amount
	case ClaimBatchOutcome(policy.Deny):
		c.Deny++
	case ClaimBatchOutcome(policy.Hold):
		c.Hold++
	default:
		c.Invalid++
	}
	if len(l.EarlierRows) > 0 {
		c.Repeated++
	}
}

func (c ClaimBatchCounts) plus(d ClaimBatchCounts) ClaimBatchCounts {
	return ClaimBatchCounts{c.Allow + d.Allow, c.Deny + d.Deny, c.Hold + d.Hold, c.Invalid + d.Invalid, c.Repeated + d.Repeated, c.Amount + d.Amount}
}

// ClaimBatchPolicy is a policy by which rows were decided.
type ClaimBatchPolicy struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Digest  string `json:"digest"` // SHA-256 of the policy file
}

func withPolicy(all []ClaimBatchPolicy, p ClaimBatchPolicy) []ClaimBatchPolicy {
	at, there := slices.BinarySearchFunc(all, p, func(a, b ClaimBatchPolicy) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	})
	if there {
		return all
	}
	return slices.Insert(slices.Clone(all), at, p)
}

// ClaimBatch is one run over a file: for ever, and without anything personal.
type ClaimBatch struct {
	ID     string           `json:"id"`
	Payer  string           `json:"payer"`
	Region string           `json:"region"`
	By     string           `json:"by"` // account id
	Format ClaimBatchFormat `json:"format"`
	File   string           `json:"file"` // SHA-256 of the file, 64 hexadecimal digits
	Policy string           `json:"policy,omitempty"`
	Fund   policy.Fund      `json:"fund,omitempty"`
	// Received is the day of receipt of rows that have none.
	Received standards.Date `json:"received"`
	// Asked is the SHA-256 of how the file is to be decided: a run goes on with the
	// same only.
	Asked []byte `json:"asked"`
	Rows  int    `json:"rows"`
	Done  int    `json:"done"` // rows that are answered
	Pages int    `json:"pages"`
	ClaimBatchCounts
	Policies []ClaimBatchPolicy `json:"policies"` // by id and version
	// The rows were answered while the audit log had TreeFrom to TreeSize entries.
	TreeFrom uint64     `json:"tree_from"`
	TreeSize uint64     `json:"tree_size"`
	Started  time.Time  `json:"started"`
	Expires  time.Time  `json:"expires"` // until then answers can be read, and the run continued
	Ended    *time.Time `json:"ended,omitempty"`
	Results  string     `json:"results,omitempty"`  // SHA-256 of the lines of rows, 64 hexadecimal digits
	Decision string     `json:"decision,omitempty"` // credentials.DecisionBatch, signed
	LogIndex uint64     `json:"log_index,omitempty"`
	Gone     bool       `json:"gone,omitempty"` // the answers were erased
}

// claimBatchPage says what a page of answers has; they stand sealed beside it.
type claimBatchPage struct {
	Run    string    `json:"run"`
	N      int       `json:"n"`     // from 1
	First  int       `json:"first"` // place of its first row in the file, from 1
	Rows   int       `json:"rows"`
	SHA256 []byte    `json:"sha256"` // of its lines
	Size   uint64    `json:"tree_size"`
	At     time.Time `json:"at"`
}

// ClaimBatchFile is a file to be checked.
type ClaimBatchFile struct {
	File io.Reader
	Ask  ClaimBatchAsk
	// Run is the run to go on with; a new one when empty.
	Run string
}

// ClaimBatchJob is a run that its payer has the turn of. Close gives it back.
type ClaimBatchJob struct {
	r      *Registry
	by     Actor
	lease  *Lease
	signer jws.Signer
	file   batchFile
	run    ClaimBatch

	before *provisionals
	hash   hash.Hash // of the lines so far
}

func mayBatch(by Actor) error {
	return may(by, UseClaims, Object{Payer: by.Organisation, Region: by.Region})
}

// MayCheckClaims says whether an actor may check files of claims, before one is
// read. Unauthorized or Forbidden.
func (r *Registry) MayCheckClaims(by Actor) error { return mayBatch(by) }

// OpenClaimBatch reads a file, takes the payer's turn and begins a run, or finds the
// one to go on with. A payer has one run at a time.
//
// Errors: Invalid and TooLarge: the file cannot be read as a table, or names no
// policy that the payer has; nothing was begun. Conflict batch_running: another file
// of this payer is being checked; batch_other_file, batch_other_question: the run
// belongs to another file, or was asked otherwise. NotFound: no such run, or
// batch_expired.
func (r *Registry) OpenClaimBatch(ctx context.Context, by Actor, in ClaimBatchFile) (job *ClaimBatchJob, err error) {
	if err := mayBatch(by); err != nil {
		return nil, err
	}
	data, err := readLimited(in.File, ClaimBatchMaxBytes)
	if err != nil {
		return nil, err
	}
	j := &ClaimBatchJob{r: r, by: by, before: &provisionals{}, hash: sha256.New()}
	if err := r.batchAsk(by, &in.Ask); err != nil {
		return nil, err
	}
	if j.file, err = readClaimBatch(data, in.Ask); err != nil {
		return nil, err
	}
	if j.signer, err = r.cfg.Keys.Signer(jws.Decision); err != nil {
		return nil, err
	}
	if j.lease, err = r.takeLease(ctx, "claim batch "+by.Organisation); err != nil {
		if fail.CodeOf(err) == "lease_busy" {
			err = fail.New(fail.Conflict, "batch_running", "another file of this payer is being checked; repeat this when it has ended (after an interruption that is within %d seconds)", int(LeaseTime.Seconds())).
				In("本机构另有文件正在预检，请待其结束后再提交（中断的预检在 %d 秒内释放）", int(LeaseTime.Seconds()))
		}
		return nil, err
	}
	if err := j.begin(ctx, in); err != nil {
		j.Close(ctx)
		return nil, fmt.Errorf("check file of claims: %w", err)
	}
	// The day of receipt of rows that have none is that of the run, also when it
	// goes on tomorrow.
	for i := range j.file.rows {
		if q := &j.file.rows[i].query; q.received == "" {
			q.received = j.run.Received
		}
	}
	return j, nil
}

// batchAsk refuses a policy that no row could be decided by, and defaults that may
// not be stored.
func (r *Registry) batchAsk(by Actor, ask *ClaimBatchAsk) error {
	var bad []fail.Field
	if ask.Policy == "" && ask.Fund == "" {
		bad = append(bad, fail.Field{Name: "policy", Code: "required", ZH: "请填写政策编号或资金类别", EN: "name a policy or the kind of fund"})
	}
	if ask.Fund != "" && !ask.Fund.Known() {
		bad = append(bad, fail.Field{Name: "fund", Code: "fund_unknown", ZH: "没有该资金类别", EN: "there is no such kind of fund"})
	}
	if ask.Received != "" && !ask.Received.Valid() {
		bad = append(bad, fail.Field{Name: "received", Code: "date", ZH: "受理日期应写作 2026-03-01", EN: "the date is written 2026-03-01"})
	}
	bad = append(bad, impersonal("source", ask.Source)...)
	bad = append(bad, impersonal("fact_reference", ask.Reference)...)
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "batch_question", "the file cannot be checked so: %s", bad[0].EN).In("预检参数有误：%s", bad[0].ZH).At(bad...)
	}
	if ask.Policy == "" {
		return nil
	}
	_, err := r.policyFor(by, claimQuery{policy: ask.Policy, fund: ask.Fund}, Certificate{}, ask.Received)
	return err
}

// asked is the hash of a question.
func (a ClaimBatchAsk) asked() ([]byte, error) {
	a.At = a.At.UTC()
	b, err := json.Marshal(a)
	sum := sha256.Sum256(b)
	return sum[:], err
}

// begin stores a new run, or reads the one to go on with. Durable afterwards: the
// run. It also erases a few answers whose time is over.
func (j *ClaimBatchJob) begin(ctx context.Context, in ClaimBatchFile) error {
	id := j.r.rand.id("cb")
	asked, err := in.Ask.asked()
	if err != nil {
		return err
	}
	return j.r.db.Update(ctx, func(tx kv.Tx) error {
		j.run = ClaimBatch{}
		if err := j.lease.Hold(tx); err != nil {
			return err
		}
		if err := mayBatch(j.by); err != nil {
			return err
		}
		if err := forgetClaimBatches(tx); err != nil {
			return err
		}
		if in.Run != "" {
			j.run, err = claimBatchFor(tx, j.by, UseClaims, in.Run)
			if err != nil {
				return err
			}
			return j.run.goesOnWith(j.file, asked, tx.Now())
		}
		today := standards.DateOf(tx.Now())
		j.run = ClaimBatch{ID: id, Payer: j.by.Organisation, Region: j.by.Region, By: j.by.Account, Format: j.file.format, File: j.file.sum,
			Policy: in.Ask.Policy, Fund: in.Ask.Fund, Received: cmp.Or(in.Ask.Received, today), Asked: asked, Rows: len(j.file.rows),
			Policies: []ClaimBatchPolicy{}, Started: tx.Now(), Expires: tx.Now().Add(ClaimBatchLife)}
		return claimBatches.Put(tx, j.run)
	})
}

// goesOnWith says whether a run is that of a file and a question.
func (b ClaimBatch) goesOnWith(f batchFile, asked []byte, now time.Time) error {
	switch {
	case b.Gone || !now.Before(b.Expires):
		return batchExpired(b)
	case b.File != f.sum || b.Rows != len(f.rows):
		return fail.New(fail.Conflict, "batch_other_file", "run %s is that of another file; its SHA-256 is %s", b.ID, b.File).
			In("预检 %s 属于另一文件（SHA-256 为 %s）", b.ID, b.File)
	case !slices.Equal(b.Asked, asked):
		return fail.New(fail.Conflict, "batch_other_question", "run %s was begun with another policy, fund or other defaults; go on with the same ones, or begin a new run", b.ID).
			In("预检 %s 开始时的政策、资金类别或默认值不同，请按原参数继续，或另行预检", b.ID)
	}
	return nil
}

func batchExpired(b ClaimBatch) error {
	return fail.New(fail.NotFound, "batch_expired", "the answers of run %s were kept until %s; check the file again", b.ID, b.Expires.Format(time.RFC3339)).
		In("预检 %s 的结果保留至 %s，已过期，请重新预检", b.ID, standards.DateOf(b.Expires).Chinese())
}

// ClaimBatch is the run as it is now.
func (j *ClaimBatchJob) ClaimBatch() ClaimBatch { return j.run }

// Close gives the payer's turn back, also when ctx has ended. A run that has not
// ended can be continued.
func (j *ClaimBatchJob) Close(ctx context.Context) {
	if err := j.lease.release(context.WithoutCancel(ctx)); err != nil {
		j.r.log.Error("the turn of a payer was not given back; it runs out by itself", "error", err)
	}
}

// Run answers the file. emit gets the lines of rows (see ClaimBatchLine), page by
// page in the order of the file, each page when it is durable: first those that an
// earlier call stored, just as they were answered, then the others. An error of emit
// ends the call and leaves the run to be continued. When the last page is stored the
// decision over the file is signed, and the run has ended.
func (j *ClaimBatchJob) Run(ctx context.Context, emit func(lines []byte) error) (ClaimBatch, error) {
	if err := j.again(ctx, emit); err != nil {
		return j.run, fmt.Errorf("check run %s: %w", j.run.ID, err)
	}
	if j.run.Ended == nil {
		if err := j.rest(ctx, emit); err != nil {
			return j.run, fmt.Errorf("check run %s: %w", j.run.ID, err)
		}
	}
	return j.run, nil
}

// again emits what is stored, and learns from it which rows were allowed.
func (j *ClaimBatchJob) again(ctx context.Context, emit func([]byte) error) error {
	for n := 1; n <= j.run.Pages; n++ {
		lines, allowed, err := j.r.claimBatchLines(ctx, j.run, n)
		if err != nil {
			return err
		}
		for _, x := range allowed {
			j.before.add(x)
		}
		j.hash.Write(lines)
		if err := emit(lines); err != nil {
			return err
		}
	}
	return nil
}

// gatheredPage is what a page of rows is decided from.
type gatheredPage struct {
	rows      []batchRow
	material  []gathered
	documents [][]byte // keyed hashes
	now       time.Time
	size      uint64
	err       error
}

// storedPage is a page that is durable.
type storedPage struct {
	run ClaimBatch
	err error
}

// rest decides page after page. While one is being decided the next is read, and the
// one before stored: it is decided with what all before it have allowed.
func (j *ClaimBatchJob) rest(ctx context.Context, emit func([]byte) error) error {
	reading, stop := context.WithCancel(ctx)
	pages := make(chan gatheredPage, 1)
	go j.gatherPages(reading, j.file.rows[j.run.Done:], pages)
	defer func() { // nothing of this call goes on behind it
		stop()
		for range pages {
		}
	}()
	var storing chan storedPage
	var last batchPage
	settle := func() error { // waits for the page under way and lets its lines go
		if storing == nil {
			return nil
		}
		s := <-storing
		storing = nil
		if s.err != nil {
			return s.err
		}
		j.run = s.run
		j.hash.Write(last.lines)
		return emit(last.lines)
	}
	for g := range pages {
		page, err := j.decide(g)
		if settled := settle(); settled != nil || err != nil {
			return cmp.Or(settled, err)
		}
		for _, x := range page.allowed {
			j.before.add(x)
		}
		storing, last = make(chan storedPage, 1), page
		go func(out chan<- storedPage, seen ClaimBatch) {
			run, err := j.store(ctx, seen, page)
			out <- storedPage{run, err}
		}(storing, j.run)
	}
	if err := cmp.Or(settle(), ctx.Err()); err != nil {
		return err
	}
	return j.end(ctx)
}

// gatherPages reads what pages are decided from, each on one state, until ctx ends.
func (j *ClaimBatchJob) gatherPages(ctx context.Context, rows []batchRow, out chan<- gatheredPage) {
	defer close(out)
	for page := range slices.Chunk(rows, bulkPage) {
		g := j.gather(ctx, page)
		select {
		case out <- g:
		case <-ctx.Done():
			return
		}
		if g.err != nil {
			return
		}
	}
}

func (j *ClaimBatchJob) gather(ctx context.Context, rows []batchRow) (g gatheredPage) {
	g = gatheredPage{rows: rows, documents: make([][]byte, len(rows))}
	parallel(len(rows), func(i int) {
		d := rows[i].query.document
		g.documents[i] = j.r.vault.fingerprintUnder(1, "claim batch", []byte(string(d.Kind)+"\x00"+d.Number))
	})
	g.err = j.r.view(ctx, func(rd kv.Reader, now time.Time) error {
		g.now = now
		if err := mayBatch(j.by); err != nil {
			return err
		}
		var err error
		if g.size, err = logPosition(rd); err != nil {
			return err
		}
		g.material, err = j.r.gatherMany(rd, j.by, rows, now)
		return err
	})
	for i := range g.material {
		g.material[i].size = g.size // also of rows that are not decided
	}
	return g
}

// decide answers a page, with what the pages before it have allowed.
func (j *ClaimBatchJob) decide(g gatheredPage) (batchPage, error) {
	if g.err != nil {
		return batchPage{}, g.err
	}
	answers, err := decideBatch(j.by, g.rows, g.material, j.before, func(i int) []byte { return g.documents[i] }, g.now)
	if err != nil {
		return batchPage{}, err
	}
	return pageOf(answers, g.size), nil
}

// store seals a page outside the writer and stores it with the cursor in one Update.
// Durable afterwards: the page, or nothing of it.
func (j *ClaimBatchJob) store(ctx context.Context, seen ClaimBatch, page batchPage) (ClaimBatch, error) {
	n := seen.Pages + 1
	sum := sha256.Sum256(page.lines)
	lines, err := j.r.vault.sealBytes(sealedBatchLines(seen.ID, n), page.lines)
	if err != nil {
		return seen, err
	}
	allowed, err := j.r.vault.sealValue(sealedBatchAllowed(seen.ID, n), page.allowed)
	if err != nil {
		return seen, err
	}
	run := seen
	err = j.r.db.Bulk(ctx, func(tx kv.Tx) error {
		run = ClaimBatch{}
		if err := j.lease.Hold(tx); err != nil {
			return err
		}
		if err := mayBatch(j.by); err != nil {
			return err
		}
		now, err := claimBatchFor(tx, j.by, UseClaims, seen.ID)
		if err != nil {
			return err
		}
		if now.Done != seen.Done || now.Pages != seen.Pages || now.Ended != nil || now.Gone {
			return fail.New(fail.Conflict, "batch_moved", "run %s was continued by somebody else; this call stopped, and nothing was decided twice", seen.ID).
				In("预检 %s 已由另一请求继续；本次已停止，没有重复预检", seen.ID)
		}
		if now.Pages == 0 {
			now.TreeFrom = page.size
		}
		now.Pages, now.TreeSize = n, page.size
		for _, p := range page.policies {
			now.Policies = withPolicy(now.Policies, p)
		}
		if len(now.Policies) > credentials.DecisionPoliciesMost {
			return fail.New(fail.Conflict, "batch_policies", "the rows of this file fall under more than %d policies; split it by day of receipt", credentials.DecisionPoliciesMost).
				In("本文件各行适用的政策超过 %d 项，请按受理日期拆分", credentials.DecisionPoliciesMost)
		}
		if err := claimBatchPages.Put(tx, claimBatchPage{Run: now.ID, N: n, First: now.Done + 1, Rows: page.rows, SHA256: sum[:], Size: page.size, At: tx.Now()}); err != nil {
			return err
		}
		tx.Put(tableSealed, sealedBatchLines(now.ID, n).storeKey(), lines)
		tx.Put(tableSealed, sealedBatchAllowed(now.ID, n).storeKey(), allowed)
		now.Done, now.ClaimBatchCounts = now.Done+page.rows, now.ClaimBatchCounts.plus(page.counts)
		run = now
		return claimBatches.Put(tx, now)
	})
	return run, err
}

// claimBatchEnded is the detail of the one event of a run. The hash of the file is
// not in it: a file of one row could be guessed by who knows the rest.
type claimBatchEnded struct {
	Rows     int                `json:"rows"`
	Counts   ClaimBatchCounts   `json:"counts"`
	Policies []ClaimBatchPolicy `json:"policies"`
	TreeFrom uint64             `json:"tree_from"`
	TreeSize uint64             `json:"tree_size"`
	Results  string             `json:"results_sha256"`
	Record   string             `json:"record_sha256,omitempty"` // see recordDigest
}

// end signs the decision over the file, outside the writer, and ends the run. A
// crash before the Update leaves a run whose rows are all answered; continued, it is
// signed then.
func (j *ClaimBatchJob) end(ctx context.Context) error {
	results := hex.EncodeToString(j.hash.Sum(nil))
	var now time.Time
	if err := j.r.view(ctx, func(_ kv.Reader, at time.Time) error {
		now = at
		return nil
	}); err != nil {
		return err
	}
	text, err := credentials.SignDecisionBatch(j.signer, j.run.decision(j.r.cfg.Origin, results, now))
	if err != nil {
		return err
	}
	var run ClaimBatch
	err = j.r.db.Update(ctx, func(tx kv.Tx) error {
		run = ClaimBatch{}
		if err := j.lease.Hold(tx); err != nil {
			return err
		}
		b, err := claimBatchFor(tx, j.by, UseClaims, j.run.ID)
		if err != nil {
			return err
		}
		if b.Ended != nil || b.Done != b.Rows || b.Gone {
			return fail.New(fail.Conflict, "batch_moved", "run %s was continued by somebody else", b.ID).In("预检 %s 已由另一请求继续", b.ID)
		}
		at := tx.Now()
		b.Ended, b.Results, b.Decision = &at, results, text
		if b.LogIndex, err = j.r.appendEvent(tx, j.by, Event{Kind: ClaimsChecked, Object: b.ID, Payer: b.Payer, Detail: claimBatchEnded{
			Rows: b.Rows, Counts: b.ClaimBatchCounts, Policies: b.Policies, TreeFrom: b.TreeFrom, TreeSize: b.TreeSize, Results: results, Record: recordDigest(b)}}); err != nil {
			return err
		}
		run = b
		return claimBatches.Put(tx, b)
	})
	if err == nil {
		j.run = run
	}
	return err
}

// decision is what is signed of a run whose rows are all answered.
func (b ClaimBatch) decision(origin, results string, now time.Time) credentials.DecisionBatch {
	out := credentials.DecisionBatch{Issuer: origin, IssuedAt: now.Unix(), Run: b.ID, Payer: b.Payer, File: b.File, Results: results,
		Policies: []credentials.DecisionPolicy{}, Rows: b.Rows, Allow: b.Allow, Deny: b.Deny, Hold: b.Hold, Invalid: b.Invalid,
		Amount: int64(b.Amount), TreeFrom: b.TreeFrom, TreeSize: b.TreeSize}
	for _, p := range b.Policies {
		out.Policies = append(out.Policies, credentials.DecisionPolicy{ID: p.ID, Version: p.Version, Digest: p.Digest})
	}
	return out
}

// claimBatchFor loads a run for whom it may concern; for all others there is none.
func claimBatchFor(rd kv.Reader, by Actor, do Action, id string) (ClaimBatch, error) {
	b, err := need(rd, claimBatches, kv.Key(id), "check run", "预检", id)
	if err != nil {
		return b, err
	}
	if may(by, do, Object{Payer: b.Payer, Region: b.Region}) != nil {
		return ClaimBatch{}, notFound("check run", "预检", id)
	}
	return b, nil
}

// ClaimBatchByID is a run, for its payer and for auditors of its region; for all
// others NotFound.
func (r *Registry) ClaimBatchByID(ctx context.Context, by Actor, id string) (out ClaimBatch, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) (err error) {
		out, err = claimBatchFor(rd, by, ReadClaim, id)
		return err
	})
	return out, err
}

// ClaimBatches are the caller's own runs, the newest first.
func (r *Registry) ClaimBatches(ctx context.Context, by Actor, page Page) (out []ClaimBatch, next string, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) (err error) {
		out, next = nil, ""
		if err := mayBatch(by); err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(by.Organisation))
		rng.Reverse = true
		out, next, err = scanIndexPage(rd, claimBatches, indexClaimBatchesByPayer, rng, page)
		return err
	})
	return out, next, err
}

// ClaimBatchResults gives the answers of a run to its payer once more, page by page
// and byte for byte, as far as they have come. NotFound batch_expired when their time
// is over.
func (r *Registry) ClaimBatchResults(ctx context.Context, by Actor, id string, emit func(lines []byte) error) (ClaimBatch, error) {
	var run ClaimBatch
	err := r.view(ctx, func(rd kv.Reader, now time.Time) (err error) {
		if run, err = claimBatchFor(rd, by, UseClaims, id); err == nil && (run.Gone || !now.Before(run.Expires)) {
			err = batchExpired(run)
		}
		return err
	})
	if err != nil {
		return run, err
	}
	for n := 1; n <= run.Pages; n++ {
		lines, _, err := r.claimBatchLines(ctx, run, n)
		if err != nil {
			return run, err
		}
		if err := emit(lines); err != nil {
			return run, err
		}
	}
	return run, nil
}

// claimBatchLines opens page n of a run.
func (r *Registry) claimBatchLines(ctx context.Context, run ClaimBatch, n int) (lines []byte, allowed []*provisional, err error) {
	var blocks [][]byte
	places := []sealedPlace{sealedBatchLines(run.ID, n), sealedBatchAllowed(run.ID, n)}
	err = r.db.View(ctx, func(rd kv.Reader) (err error) {
		blocks, err = rd.GetMany(tableSealed, [][]byte{places[0].storeKey(), places[1].storeKey()})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if blocks[0] == nil || blocks[1] == nil {
		return nil, nil, batchExpired(run)
	}
	if lines, err = r.vault.openBytes(places[0], blocks[0]); err != nil {
		return nil, nil, err
	}
	return lines, allowed, r.vault.openValue(places[1], blocks[1], &allowed)
}

// forgetMost is how many runs one Update erases the answers of: each begins with
// one, so that they do not grow.
const forgetMost = 2

// forgetClaimBatches erases the answers of a few runs whose time is over.
func forgetClaimBatches(tx kv.Tx) error {
	old, _, err := claimBatches.ScanIndex(tx, indexClaimBatchesByExpiry, kv.Range{To: kv.Key(uint64(tx.Now().Unix() + 1)), Limit: forgetMost})
	if err != nil {
		return err
	}
	for _, b := range old {
		for n := 1; n <= b.Pages; n++ {
			if err := claimBatchPages.Delete(tx, kv.Key(b.ID, uint64(n))); err != nil {
				return err
			}
			tx.Delete(tableSealed, sealedBatchLines(b.ID, n).storeKey())
			tx.Delete(tableSealed, sealedBatchAllowed(b.ID, n).storeKey())
		}
		b.Gone = true
		if err := claimBatches.Put(tx, b); err != nil {
			return err
		}
	}
	return nil
}

// ForgetClaimBatches erases the answers of some runs whose time is over: for a job
// that runs now and then, since payers who check nothing more erase nothing.
func (r *Registry) ForgetClaimBatches(ctx context.Context) error {
	return r.db.Update(ctx, forgetClaimBatches)
}
