package registry

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// The reliance feed tells a payer what changed under its claims: one entry for
// each of its claims that a change concerns, numbered 1, 2, 3, … for each payer,
// never changed and never deleted. An entry is written in the Update that makes
// the change; where a change concerns many certificates, that Update puts it into
// an outbox (reliance_due), which SpreadReliance writes out page by page, in the
// order of the changes. Nothing is lost by a crash, nor by a payer that is away:
// it goes on reading where it stopped.

// RelianceWhat is what changed under a claim.
type RelianceWhat string

// What can change.
const (
	RelianceVoided           RelianceWhat = "voided"    // 撤销
	RelianceCancelled        RelianceWhat = "cancelled" // 注销
	RelianceSuspended        RelianceWhat = "suspended" // 暂停
	RelianceResumed          RelianceWhat = "resumed"   // 恢复
	RelianceRestored         RelianceWhat = "restored"  // 撤回: a mass change was undone
	RelianceCorrected        RelianceWhat = "corrected" // 更正
	RelianceReissued         RelianceWhat = "reissued"  // 补发
	RelianceMerged           RelianceWhat = "merged"    // 人员合并
	RelianceIntegrity        RelianceWhat = "integrity" // 诚信记录
	RelianceIntegrityChanged RelianceWhat = "integrity_changed"
	RelianceCollision        RelianceWhat = "collision" // 疑似重复
	// ReliancePaidVoid is a payment that was reported after the certificate had been
	// voided.
	ReliancePaidVoid RelianceWhat = "paid_void"
	// RelianceWebhookDisabled is no change under a claim: an endpoint of the payer
	// is sent nothing any more.
	RelianceWebhookDisabled RelianceWhat = "webhook_disabled"
)

// RelianceWhats lists what can change.
func RelianceWhats() []RelianceWhat {
	return []RelianceWhat{RelianceVoided, RelianceCancelled, RelianceSuspended, RelianceResumed, RelianceRestored, RelianceCorrected, RelianceReissued,
		RelianceMerged, RelianceIntegrity, RelianceIntegrityChanged, RelianceCollision, ReliancePaidVoid, RelianceWebhookDisabled}
}

// Name is what changed as officials say it.
func (w RelianceWhat) Name() policy.Text {
	return map[RelianceWhat]policy.Text{
		RelianceVoided: {ZH: "证书已撤销，自始无效", EN: "the certificate was voided, from the start"}, RelianceCancelled: {ZH: "证书已注销", EN: "the certificate was cancelled"},
		RelianceSuspended: {ZH: "证书核查中，暂停使用", EN: "the certificate is suspended while it is under review"}, RelianceResumed: {ZH: "证书已恢复", EN: "the certificate was resumed"},
		RelianceRestored:  {ZH: "批量处理已撤回，证书恢复原状态", EN: "a mass change was undone: the certificate has its former status"},
		RelianceCorrected: {ZH: "证书信息已更正", EN: "the certificate was corrected"}, RelianceReissued: {ZH: "证书已补发", EN: "the certificate was reissued"},
		RelianceMerged: {ZH: "人员记录已合并", EN: "records of the person were merged"}, RelianceIntegrity: {ZH: "持证人有诚信记录", EN: "an integrity entry was recorded for the person"},
		RelianceIntegrityChanged: {ZH: "持证人的诚信记录有变更", EN: "an integrity entry of the person was changed"},
		RelianceCollision:        {ZH: "发现疑似重复申领，待复核", EN: "claims that may exclude each other were found, to be reviewed"},
		ReliancePaidVoid:         {ZH: "证书撤销之后仍登记发放", EN: "a payment was reported although the certificate had been voided"},
		RelianceWebhookDisabled:  {ZH: "通知接收地址已停用", EN: "an endpoint for webhooks was disabled"},
	}[w]
}

// RelianceAdvice is what a payer should do about it.
type RelianceAdvice string

// The advices.
const (
	AdviceRecover RelianceAdvice = "recover" // 应追回: it was paid and the certificate is void from the start
	AdviceStop    RelianceAdvice = "stop"    // 不予拨付: it was not paid yet and the certificate is void
	AdviceHold    RelianceAdvice = "hold"    // 暂缓拨付: it was not paid yet and something is under review
	AdviceNotify  RelianceAdvice = "notify"  // 仅告知
	AdviceNone    RelianceAdvice = "none"
)

// RelianceAdvices lists the advices.
func RelianceAdvices() []RelianceAdvice {
	return []RelianceAdvice{AdviceRecover, AdviceStop, AdviceHold, AdviceNotify, AdviceNone}
}

// Name is the advice as officials say it.
func (a RelianceAdvice) Name() policy.Text {
	return map[RelianceAdvice]policy.Text{
		AdviceRecover: {ZH: "应追回：已发放的补贴须依法追回", EN: "recover what was paid"},
		AdviceStop:    {ZH: "不予拨付：请解除锁定", EN: "do not pay; release the reservation"},
		AdviceHold:    {ZH: "暂缓拨付：待核查有结果后办理", EN: "hold the payment until the review has ended"},
		AdviceNotify:  {ZH: "仅告知：已发放的不追回，未发放的拨付前请重新核验", EN: "for your information: nothing is recovered; check again before paying"},
		AdviceNone:    {ZH: "无需处理", EN: "nothing to do"},
	}[a]
}

// Advise is the rule: what a payer should do about a change under a claim. status
// is that of the certificate after the change, state and paid those of the claim
// at that time. ok is false for a claim that the change does not concern: one that
// holds no money and no reservation. 撤销 is void from the start, so what was paid
// is recovered; 注销 ends on its date, and earlier payments stand.
func Advise(what RelianceWhat, status CertificateStatus, state policy.State, paid policy.Fen) (advice RelianceAdvice, ok bool) {
	counts := state.Counts()
	if counts == policy.CountsNot {
		return "", false
	}
	unpaid := func(a RelianceAdvice) RelianceAdvice {
		if paid > 0 {
			return AdviceNotify
		}
		return a
	}
	switch {
	case counts == policy.CountsByRefund: // the money is back
		return AdviceNotify, true
	case what == RelianceRestored && status == CertificateVoided, what == RelianceVoided, what == ReliancePaidVoid:
		if paid > 0 {
			return AdviceRecover, true
		}
		return AdviceStop, true
	case what == RelianceRestored && status == CertificateSuspended, what == RelianceSuspended, what == RelianceCollision:
		return unpaid(AdviceHold), true
	case what == RelianceRestored && status == CertificateValid, what == RelianceResumed, what == RelianceCorrected, what == RelianceReissued:
		return AdviceNone, true
	}
	return AdviceNotify, true
}

// RelianceEntry is one entry of a payer's feed. It has no personal data.
type RelianceEntry struct {
	Payer  string       `json:"payer"`
	Region string       `json:"region"` // of the payer, as its claim has it
	Seq    uint64       `json:"seq"`    // 1, 2, 3, … of this payer: the cursor of its feed
	ID     string       `json:"id"`     // random; webhook-id of the message about it
	At     time.Time    `json:"at"`     // when the change was recorded
	What   RelianceWhat `json:"what"`
	// Claim and Reference are the payer's own; Certificate is as the ledger keeps
	// its number.
	Claim       string            `json:"claim,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Certificate string            `json:"certificate,omitempty"`
	Version     int               `json:"version,omitempty"` // that counts after it
	Status      CertificateStatus `json:"status,omitempty"`  // after it
	Institution string            `json:"institution,omitempty"`
	// InstitutionRegion is where the certificate belongs.
	InstitutionRegion string `json:"institution_region,omitempty"`
	// Since is the first day on which the certificate is not good any more: the day
	// of its issue when it was voided. Effective is the day on which the change
	// takes effect.
	Since     standards.Date `json:"since,omitempty"`
	Effective standards.Date `json:"effective"`
	Document  string         `json:"document,omitempty"` // 文号
	Reason    string         `json:"reason,omitempty"`
	Advice    RelianceAdvice `json:"advice"`
	// State and Paid are those of the claim at that time.
	State    policy.State `json:"state,omitempty"`
	Paid     policy.Fen   `json:"paid_fen"`
	Webhook  string       `json:"webhook,omitempty"` // of RelianceWebhookDisabled
	LogIndex uint64       `json:"log_index"`         // of the change
	// Voiding is the entry of the log under which a payment after a voiding is listed as
	// to be recovered. It is 0 where the claim is listed by the voiding itself, or by an
	// earlier payment.
	Voiding uint64 `json:"voiding,omitempty"`
}

// recovers is the entry of the log of the voiding for which the claim is listed as to
// be recovered by this entry; 0: it is not.
func (e RelianceEntry) recovers() uint64 {
	if e.What == RelianceVoided {
		return e.LogIndex
	}
	return e.Voiding
}

// day is the civil day on which the change was recorded.
func (e RelianceEntry) day() string { return string(standards.DateOf(e.At)) }

// relianceSubject is what changed: one certificate, as it is after the change, one
// person, or one claim.
type relianceSubject struct {
	Certificate string            `json:"certificate,omitempty"`
	Version     int               `json:"version,omitempty"`
	Status      CertificateStatus `json:"status,omitempty"`
	Person      *PersonID         `json:"person,omitempty"`
	Claim       string            `json:"claim,omitempty"`
}

// relianceDue is one change with what is left of it to be told.
type relianceDue struct {
	N         uint64            `json:"n"` // its place in the outbox
	What      RelianceWhat      `json:"what"`
	Effective standards.Date    `json:"effective"`
	Document  string            `json:"document,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	At        time.Time         `json:"at"`
	LogIndex  uint64            `json:"log_index"`
	Subjects  []relianceSubject `json:"subjects"`
}

const (
	// relianceFew is how many subjects are told of in the Update of the change.
	relianceFew = 5
	// relianceRows is how many claims SpreadReliance takes in one Update.
	relianceRows = 250
)

var relianceOfChange = map[ChangeKind]RelianceWhat{ChangeVoid: RelianceVoided, ChangeCancel: RelianceCancelled, ChangeSuspend: RelianceSuspended,
	ChangeResume: RelianceResumed, ChangeUndo: RelianceRestored}

// relianceAfter tells the payers who rely on certificates what became of them, in
// the Update that changes them. cs are as they are after the change; they have one
// change in common, whose entry of the log is index.
func (r *Registry) relianceAfter(tx kv.Tx, cs []Certificate, what RelianceWhat, index uint64) error {
	if len(cs) == 0 {
		return nil
	}
	d := relianceDue{What: what, Effective: standards.DateOf(tx.Now()), At: tx.Now(), LogIndex: index}
	if changes := cs[0].Changes; len(changes) > 0 && relianceOfChange[changes[len(changes)-1].Kind] == what {
		last := changes[len(changes)-1]
		d.Effective, d.Document, d.Reason = last.Effective, last.Document, last.Reason
	}
	for _, c := range cs {
		d.Subjects = append(d.Subjects, relianceSubject{Certificate: c.Number, Version: c.Versions, Status: c.Status})
	}
	return r.rely(tx, d)
}

// relianceOfPerson tells the payers who rely on a person that something was
// recorded for the person, under entry index of the log.
func (r *Registry) relianceOfPerson(tx kv.Tx, person PersonID, what RelianceWhat, index uint64) error {
	return r.rely(tx, relianceDue{What: what, Effective: standards.DateOf(tx.Now()), At: tx.Now(), LogIndex: index,
		Subjects: []relianceSubject{{Person: &person}}})
}

// relianceOfClaims tells the payers of claims that something was recorded about
// these, under entry index of the log. The claims are stored.
func (r *Registry) relianceOfClaims(tx kv.Tx, ids []string, what RelianceWhat, index uint64) error {
	d := relianceDue{What: what, Effective: standards.DateOf(tx.Now()), At: tx.Now(), LogIndex: index}
	for _, id := range ids {
		d.Subjects = append(d.Subjects, relianceSubject{Claim: id})
	}
	return r.rely(tx, d)
}

// relianceOfPayment tells a payer whose payment was recorded under entry index of
// the log that its certificate is void: when it was voided, nothing had been paid.
// c is the claim with its payment.
func (r *Registry) relianceOfPayment(tx kv.Tx, c Claim, index uint64) error {
	if c.Certificate == "" {
		return nil
	}
	cert, ok, err := certificates.Get(tx, kv.Key(c.Certificate))
	if err != nil || !ok || cert.Status != CertificateVoided {
		return err
	}
	e := RelianceEntry{Payer: c.Payer, Region: c.Region, At: tx.Now(), What: ReliancePaidVoid, Claim: c.ID, Reference: c.Reference, Certificate: c.Certificate,
		Version: cert.Versions, Status: cert.Status, Since: cert.Issued, Effective: standards.DateOf(tx.Now()), State: c.StateAt(tx.Now()), Paid: c.InHands(), LogIndex: index}
	if void := cert.last(ChangeVoid); void != nil {
		e.Effective, e.Document, e.Reason = void.Effective, void.Document, void.Reason
		listed, err := listedFor(tx, c, *void)
		if err != nil {
			return err
		}
		if !listed {
			e.Voiding = void.LogIndex
		}
	}
	if e.Advice, ok = Advise(e.What, e.Status, e.State, e.Paid); !ok {
		return nil
	}
	return r.putReliance(tx, []RelianceEntry{e.of(cert)})
}

// listedFor reports whether a claim is among those to be recovered after a voiding: it
// was told of it, or is to be, or was paid after it before.
func listedFor(rd kv.Reader, c Claim, void Change) (bool, error) {
	d := relianceDue{What: RelianceVoided, At: void.Recorded, LogIndex: void.LogIndex}
	if _, told := d.entry(relianceSubject{Status: CertificateVoided}, c); told {
		return true, nil
	}
	rng := kv.Prefix(kv.Key(c.ID))
	rng.Limit = pageMax
	told, _, err := reliances.ScanIndex(rd, indexRelianceByClaim, rng)
	return slices.ContainsFunc(told, func(e RelianceEntry) bool { return e.Voiding == void.LogIndex }), err
}

// rely writes the entries of a change now when they are few and nothing older
// waits; else it puts the change into the outbox, so that what happened to one
// certificate is told in the order in which it happened.
func (r *Registry) rely(tx kv.Tx, d relianceDue) error {
	waiting, _, err := relianceDues.Scan(tx, kv.Range{Limit: 1})
	if err != nil {
		return err
	}
	if len(waiting) == 0 && len(d.Subjects) <= relianceFew {
		return r.relyOn(tx, d, d.Subjects)
	}
	if d.N, err = counter(tx, counterRelianceDue(), 1); err != nil {
		return err
	}
	setCounter(tx, counterRelianceDue(), d.N+1)
	return relianceDues.Put(tx, d)
}

// SpreadReliance writes out what waits in the outbox, page by page, and answers
// how many entries of feeds it wrote. It may run in several processes at once, and
// go on after a crash: each page takes from the outbox what it writes.
func (r *Registry) SpreadReliance(ctx context.Context) (written int, err error) {
	more := false
	if err := r.db.View(ctx, func(rd kv.Reader) error {
		waiting, err := rd.Scan(tableRelianceDue, kv.Range{Limit: 1})
		more = len(waiting) > 0
		return err
	}); err != nil {
		return 0, err
	}
	for n := 0; more; written += n {
		err := r.db.Bulk(ctx, func(tx kv.Tx) (err error) {
			n, more, err = r.spreadPage(tx)
			return err
		})
		if err != nil {
			return written, fmt.Errorf("spread reliance: %w", err)
		}
	}
	return written, nil
}

// spreadPage writes out one page of the oldest change in the outbox; more says
// that something is left. Durable afterwards: the entries, and that they are told.
func (r *Registry) spreadPage(tx kv.Tx) (written int, more bool, err error) {
	waiting, _, err := relianceDues.Scan(tx, kv.Range{Limit: 2})
	if err != nil || len(waiting) == 0 {
		return 0, false, err
	}
	d := waiting[0]
	taken := len(d.Subjects)
	affected, err := relianceClaims(tx, d.Subjects)
	for ; err == nil && len(affected) > relianceRows && taken > 1; affected, err = relianceClaims(tx, d.Subjects[:taken]) {
		taken /= 2
	}
	if err != nil {
		return 0, false, err
	}
	if written, err = r.relyClaims(tx, d, d.Subjects[:taken], affected); err != nil {
		return 0, false, err
	}
	if d.Subjects = d.Subjects[taken:]; len(d.Subjects) > 0 {
		return written, true, relianceDues.Put(tx, d)
	}
	return written, len(waiting) > 1, relianceDues.Delete(tx, relianceDues.Key(d))
}

func (r *Registry) relyOn(tx kv.Tx, d relianceDue, subjects []relianceSubject) error {
	affected, err := relianceClaims(tx, subjects)
	if err == nil {
		_, err = r.relyClaims(tx, d, subjects, affected)
	}
	return err
}

// relyClaims writes the entries of some subjects of a change, whose claims are
// affected, and answers how many there are.
func (r *Registry) relyClaims(tx kv.Tx, d relianceDue, subjects []relianceSubject, affected []Claim) (int, error) {
	of := map[string]relianceSubject{}
	for _, s := range subjects {
		if s.Certificate != "" {
			of[s.Certificate] = s
		}
	}
	var entries []RelianceEntry
	for _, c := range affected {
		e, ok := d.entry(of[c.Certificate], c)
		if ok {
			entries = append(entries, e)
		}
	}
	certs, err := certificatesRelied(tx, entries)
	if err != nil {
		return 0, err
	}
	for i, e := range entries {
		entries[i] = e.of(certs[e.Certificate])
	}
	return len(entries), r.putReliance(tx, entries)
}

// relianceClaims are the claims on subjects, each once.
func relianceClaims(rd kv.Reader, subjects []relianceSubject) (out []Claim, err error) {
	var numbers []string
	seen := map[string]bool{}
	add := func(cs ...Claim) {
		for _, c := range cs {
			if !seen[c.ID] {
				seen[c.ID] = true
				out = append(out, c)
			}
		}
	}
	for _, s := range subjects {
		switch {
		case s.Person != nil:
			cs, err := personClaims(rd, *s.Person)
			if err != nil {
				return nil, err
			}
			add(cs...)
		case s.Claim != "":
			c, ok, err := claims.Lookup(rd, indexClaimsByID, kv.Key(s.Claim))
			if err != nil {
				return nil, err
			}
			if ok {
				add(c)
			}
		default:
			numbers = append(numbers, s.Certificate)
		}
	}
	on, err := claimsOn(rd, numbers)
	add(on...)
	return out, err
}

// entry is what the payer of a claim is told about a change, by what the claim was
// when the change was recorded; ok is false when it does not concern the claim.
func (d relianceDue) entry(s relianceSubject, c Claim) (e RelianceEntry, ok bool) {
	then, there := c.before(d.LogIndex)
	if !there || then.State == StateRefused {
		return e, false
	}
	state, paid := then.StateAt(d.At), then.InHands()
	advice, ok := Advise(d.What, s.Status, state, paid)
	if !ok {
		return e, false
	}
	return RelianceEntry{Payer: c.Payer, Region: c.Region, At: d.At, What: d.What, Claim: c.ID, Reference: c.Reference, Certificate: c.Certificate,
		Version: s.Version, Status: s.Status, Effective: d.Effective, Document: d.Document, Reason: d.Reason,
		Advice: advice, State: state, Paid: paid, LogIndex: d.LogIndex}, true
}

// of completes an entry by what its certificate always is.
func (e RelianceEntry) of(c Certificate) RelianceEntry {
	e.Institution, e.InstitutionRegion = c.Institution, c.Region
	switch e.What {
	case RelianceVoided:
		e.Since = c.Issued
	case RelianceCancelled, RelianceSuspended:
		e.Since = e.Effective
	}
	return e
}

func certificatesRelied(rd kv.Reader, entries []RelianceEntry) (map[string]Certificate, error) {
	var keys [][]byte
	for _, e := range entries {
		if e.Certificate != "" {
			keys = append(keys, kv.Key(e.Certificate))
		}
	}
	out := map[string]Certificate{}
	if len(keys) == 0 {
		return out, nil
	}
	found, _, err := certificates.GetMany(rd, keys)
	for _, c := range found {
		out[c.Number] = c
	}
	return out, err
}

// putReliance appends entries to the feeds of their payers and marks the payers'
// endpoints due.
func (r *Registry) putReliance(tx kv.Tx, entries []RelianceEntry) error {
	next := map[string]uint64{}
	for _, e := range entries {
		seq, known := next[e.Payer]
		if !known {
			var err error
			if seq, err = counter(tx, counterReliance(e.Payer), 1); err != nil {
				return err
			}
		}
		e.Seq, e.ID = seq, r.rand.id("re")
		if err := reliances.Put(tx, e); err != nil {
			return err
		}
		next[e.Payer] = seq + 1
	}
	for payer, seq := range next {
		setCounter(tx, counterReliance(payer), seq)
		tx.Put(tableWebhookMarks, kv.Key(payer), unixBytes(tx.Now()))
	}
	return nil
}

// RelianceView is an entry with its words for people.
type RelianceView struct {
	RelianceEntry
	WhatName   policy.Text `json:"what_name"`
	AdviceName policy.Text `json:"advice_name"`
}

func (e RelianceEntry) view() RelianceView {
	return RelianceView{e, e.What.Name(), e.Advice.Name()}
}

// RelianceFeed is one page of a payer's feed.
type RelianceFeed struct {
	Items []RelianceView `json:"items"`
	// Next is what to read after next time: the seq of the last entry of this page,
	// or what was asked for when there is none.
	Next         uint64 `json:"next"`
	More         bool   `json:"more"`                   // another page is there already
	Acknowledged uint64 `json:"acknowledged,omitempty"` // by the payer, see AcknowledgeReliance
}

// RelianceWaitMost is the longest time that Reliance waits for an entry.
const RelianceWaitMost = 15 * time.Second

// reliancePoll is how often a waiting reader looks. Another process may write the
// entry, so nobody can tell it.
const reliancePoll = 500 * time.Millisecond

// Reliance is the entries of the caller's own feed after one; after 0 from the
// beginning. When there is none yet it waits, at most wait and RelianceWaitMost.
// Invalid cursor_ahead: after lies beyond the newest entry, so that it comes from
// another register, or from before an older copy of this one was restored.
func (r *Registry) Reliance(ctx context.Context, by Actor, after uint64, limit int, wait time.Duration) (RelianceFeed, error) {
	deadline, cancel := context.WithTimeout(ctx, min(wait, RelianceWaitMost))
	defer cancel()
	for {
		out, err := r.relianceFeed(ctx, by, after, limit)
		if err != nil || len(out.Items) > 0 || wait <= 0 {
			return out, err
		}
		select {
		case <-deadline.Done():
			return out, ctx.Err()
		case <-time.After(reliancePoll):
		}
	}
}

func (r *Registry) relianceFeed(ctx context.Context, by Actor, after uint64, limit int) (out RelianceFeed, err error) {
	if limit == 0 {
		limit = pageDefault
	}
	if limit < 0 || limit > pageMax {
		return out, fail.New(fail.Invalid, "limit", "limit is 1 to %d", pageMax).In("每页条数应为 1 至 %d", pageMax)
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = RelianceFeed{Items: []RelianceView{}, Next: after}
		if err := may(by, ReadReliance, Object{Payer: by.Organisation}); err != nil {
			return err
		}
		next, err := counter(rd, counterReliance(by.Organisation), 1)
		if err != nil {
			return err
		}
		if after >= next {
			return fail.New(fail.Invalid, "cursor_ahead", "the feed ends with entry %d, and entry %d was asked to be passed over; the cursor is of another register, or an older copy of this one was restored: read again from where your own records end", next-1, after).
				In("变动通知目前到第 %d 条，而请求从第 %d 条之后读取：该游标不属于本系统，或本系统由较早的备份恢复，请按本单位记录重新确定起点", next-1, after).
				At(fail.Field{Name: "after", Code: "range", ZH: fmt.Sprintf("0 至 %d", next-1), EN: fmt.Sprintf("0 to %d", next-1)})
		}
		rng := kv.Prefix(kv.Key(by.Organisation))
		rng.From, rng.Limit = kv.Key(by.Organisation, after+1), limit
		entries, _, err := reliances.Scan(rd, rng)
		if err != nil {
			return err
		}
		for _, e := range entries {
			out.Items = append(out.Items, e.view())
			out.Next = e.Seq
		}
		out.More = out.Next+1 < next
		read, _, err := relianceReaders.Get(rd, kv.Key(by.Organisation))
		out.Acknowledged = read.Through
		return err
	})
	return out, err
}

// RelianceReader is how far a payer says that it has dealt with its feed.
type RelianceReader struct {
	Payer   string    `json:"payer"`
	Through uint64    `json:"through"`
	At      time.Time `json:"at"`
	By      string    `json:"by"` // account id
}

// AcknowledgeReliance records that the caller has dealt with its feed through an
// entry. Nobody has to: the feed stays as it is. It never goes back.
func (r *Registry) AcknowledgeReliance(ctx context.Context, by Actor, through uint64) (RelianceReader, error) {
	var out RelianceReader
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = RelianceReader{}
		if err := may(by, ReadReliance, Object{Payer: by.Organisation}); err != nil {
			return err
		}
		next, err := counter(tx, counterReliance(by.Organisation), 1)
		if err != nil {
			return err
		}
		if through >= next {
			return fail.New(fail.Invalid, "cursor_ahead", "the feed ends with entry %d", next-1).In("变动通知目前到第 %d 条", next-1).
				At(fail.Field{Name: "through", Code: "range", ZH: fmt.Sprintf("0 至 %d", next-1), EN: fmt.Sprintf("0 to %d", next-1)})
		}
		read, _, err := relianceReaders.Get(tx, kv.Key(by.Organisation))
		if err != nil {
			return err
		}
		if out = read; through <= read.Through {
			return nil
		}
		out = RelianceReader{Payer: by.Organisation, Through: through, At: tx.Now(), By: by.Account}
		return relianceReaders.Put(tx, out)
	})
	if err != nil {
		return RelianceReader{}, fmt.Errorf("acknowledge reliance: %w", err)
	}
	return out, nil
}

// relianceBegins notes, in a store that is older than the feed, from which entry
// of the log on changes are told: what was changed before is not.
func relianceBegins(tx kv.Tx, _ []byte) (next []byte, done bool, err error) {
	size, err := logPosition(tx)
	if err == nil {
		setCounter(tx, counterRelianceSince(), size)
	}
	return nil, true, err
}

// relianceBegan finds the note of relianceBegins, which every store has that is not of
// an older release, and nothing else writes.
func relianceBegan(r kv.Reader) (bool, error) {
	since, err := r.Get(tableCounters, counterRelianceSince())
	return since != nil, err
}

// checkReliance: every claim that a change of a certificate concerns has exactly
// one entry in its payer's feed, or the change waits in the outbox; feeds have no
// gap, and say what the ledger says.
func (c *check) reliance() error {
	since, err := counter(c.rd, counterRelianceSince(), 0)
	if err != nil {
		return err
	}
	c.of(tableRelianceDue, tableReliance, tableCertificates)
	waiting := waitingChanges{seed: maphash.MakeSeed()}
	if err := eachPage(c, relianceDues, sealedPage, func(page []relianceDue) error {
		for _, d := range page {
			for _, s := range d.Subjects {
				waiting.hashes = append(waiting.hashes, waiting.hash(s.Certificate, d.LogIndex))
			}
		}
		return nil
	}); err != nil {
		return err
	}
	slices.Sort(waiting.hashes)
	if err := c.relianceFeeds(); err != nil {
		return err
	}
	return eachPage(c, certificates, pageMax, func(page []Certificate) error { return c.relianceOf(page, since, waiting) })
}

// waitingChanges are the changes of certificates in the outbox, 8 bytes each.
type waitingChanges struct {
	seed   maphash.Seed
	hashes []uint64 // in order
}

func (w waitingChanges) hash(certificate string, logIndex uint64) uint64 {
	return maphash.Bytes(w.seed, kv.Key(certificate, logIndex))
}

func (w waitingChanges) has(certificate string, logIndex uint64) bool {
	_, found := slices.BinarySearch(w.hashes, w.hash(certificate, logIndex))
	return found
}

func (c *check) relianceFeeds() error {
	payer, last := "", uint64(0)
	end := func() error {
		if payer == "" {
			return nil
		}
		next, err := counter(c.rd, counterReliance(payer), 1)
		if err == nil && next != last+1 {
			c.problem("the feed of payer %s ends with entry %d, its counter says %d", payer, last, next-1)
		}
		return err
	}
	err := eachPage(c, reliances, pageMax, func(page []RelianceEntry) error {
		for _, e := range page {
			if e.Payer != payer {
				if err := end(); err != nil {
					return err
				}
				payer, last = e.Payer, 0
			}
			if e.Seq != last+1 {
				c.problem("the feed of payer %s has entry %d after %d", e.Payer, e.Seq, last)
			}
			last = e.Seq
		}
		return c.side(len(page), func(i int, c *check) error {
			e := page[i]
			if e.Claim == "" {
				return nil
			}
			claim, ok, err := claims.Lookup(c.rd, indexClaimsByID, kv.Key(e.Claim))
			if err != nil {
				return err
			}
			if !ok || claim.Payer != e.Payer || claim.LogIndex >= e.LogIndex {
				c.problem("entry %d of the feed of payer %s is about claim %s, which is not that payer's or is younger", e.Seq, e.Payer, e.Claim)
				return nil
			}
			return c.reliedOn(e, claim)
		})
	})
	if err != nil {
		return err
	}
	return end()
}

// relianceOf holds a page of certificates against the feeds.
func (c *check) relianceOf(page []Certificate, since uint64, waiting waitingChanges) error {
	changed := map[string]Certificate{}
	var numbers []string
	for _, cert := range page {
		if slices.ContainsFunc(cert.Changes, func(x Change) bool { return x.LogIndex >= since }) {
			changed[cert.Number] = cert
			numbers = append(numbers, cert.Number)
		}
	}
	on, err := claimsOn(c.rd, numbers)
	if err != nil {
		return err
	}
	return c.side(len(on), func(i int, c *check) error {
		claim := on[i]
		cert := changed[claim.Certificate]
		for i, change := range cert.Changes {
			d := relianceDue{What: relianceOfChange[change.Kind], At: change.Recorded, LogIndex: change.LogIndex, Effective: change.Effective}
			want, concerned := d.entry(relianceSubject{Status: statusAfter(cert.Changes[:i+1])}, claim)
			if change.LogIndex < since || waiting.has(cert.Number, change.LogIndex) {
				continue
			}
			got, there, err := reliances.Lookup(c.rd, indexRelianceByClaim, kv.Key(claim.ID, change.LogIndex))
			if err != nil {
				return err
			}
			switch {
			case concerned && !there:
				c.problem("claim %s: nobody was told that certificate %s was %s by entry %d of the log", claim.ID, cert.Number, d.What, change.LogIndex)
			case there && (!concerned || got.What != d.What || got.Advice != want.Advice || got.Paid != want.Paid || got.State != want.State || got.Status != want.Status):
				c.problem("claim %s: entry %d of the feed of payer %s does not say what became of certificate %s by entry %d of the log", claim.ID, got.Seq, got.Payer, cert.Number, change.LogIndex)
			}
		}
		return nil
	})
}

// relied is what a new version is to those who rely on the certificate.
func (in newVersion) relied() RelianceWhat {
	if in.kind == Correction {
		return RelianceCorrected
	}
	return RelianceReissued
}

// relianceOfIntegrity tells the payers who rely on a candidate that something was
// entered in the person's integrity file, and not what.
func (r *Registry) relianceOfIntegrity(tx kv.Tx, kind EventKind, whose credit.Subject, index uint64) error {
	if whose.Kind != credit.SubjectCandidate {
		return nil
	}
	var person PersonID
	if err := person.UnmarshalText([]byte(whose.ID)); err != nil {
		return err
	}
	what := RelianceIntegrityChanged
	if kind == IntegrityRecorded {
		what = RelianceIntegrity
	}
	return r.relianceOfPerson(tx, person, what, index)
}
