package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// PayoutMaxLines is how many lines a payout batch has at most.
const PayoutMaxLines = 5000

// payoutPage is how many lines one Update reads from and writes to a payout: a
// late payment among them reads all of its person's claims.
const payoutPage = 100

// PayoutState says how far a payout batch 发放批次 is.
//
//	state   | page    | last_page
//	--------+---------+----------
//	running | running | done
//	done    | -       | -
//
// A page is up to a hundred lines in one Update, with the cursor; a crash leaves
// the pages before it and nothing of the one that was being done.
type PayoutState string

// The states of a payout.
const (
	PayoutRunning PayoutState = "running"
	PayoutDone    PayoutState = "done"
)

// payoutMoves is the table of PayoutState.
var payoutMoves = map[PayoutState]map[string]PayoutState{PayoutRunning: {"page": PayoutRunning, "last_page": PayoutDone}}

// LineResult is what a payer says of one payment.
type LineResult string

// The results of a line.
const (
	LinePaid   LineResult = "paid"
	LineFailed LineResult = "failed" // 退票
)

// PayoutLine is one line of a payout batch: the payment of one claim, or that the
// bank returned it.
type PayoutLine struct {
	Claim     string         `json:"claim,omitempty"`     // id; or
	Reference string         `json:"reference,omitempty"` // the payer's own of the claim
	Amount    policy.Fen     `json:"amount_fen"`
	PaidOn    standards.Date `json:"paid_on"` // day of the payment, or of the return
	Payment   string         `json:"payment"` // reference of the payment
	Result    LineResult     `json:"result"`
	Reason    string         `json:"reason,omitempty"` // of a return: 1 to 200 characters, no name, no account
}

// NewPayout is a payout batch as a payer sends it.
type NewPayout struct {
	Reference string       `json:"reference"` // the payer's own, unique for it; shape as of a claim's
	Lines     []PayoutLine `json:"lines"`     // 1 to 5,000
}

// LineOutcome is what became of a line.
type LineOutcome string

// The outcomes of a line.
const (
	OutcomePaid      LineOutcome = "paid"      // the whole amount is paid
	OutcomePartPaid  LineOutcome = "part_paid" // 先行拨付
	OutcomeDuplicate LineOutcome = "duplicate" // 重复发放: recorded, and to be recovered
	OutcomeReturned  LineOutcome = "returned"  // 退票: to be paid again
	OutcomeFailed    LineOutcome = "failed"    // 退票 of a payment that was not recorded as made
	OutcomeAlready   LineOutcome = "already"   // it was recorded before
	OutcomeRefused   LineOutcome = "refused"   // not recorded; Code says why
)

// LineAnswer is the answer to a line.
type LineAnswer struct {
	Outcome LineOutcome  `json:"outcome"`
	Claim   string       `json:"claim,omitempty"`
	State   policy.State `json:"state,omitempty"` // of the claim after the line
	Step    int          `json:"step,omitempty"`
	Code    string       `json:"code,omitempty"` // of a refusal
	ZH      string       `json:"zh,omitempty"`
	EN      string       `json:"en,omitempty"`
}

// PayoutEntry is a line with its answer; there is none before its page was done.
type PayoutEntry struct {
	N int `json:"line"` // from 1
	PayoutLine
	Answer *LineAnswer `json:"answer,omitempty"`
}

// Payout is a payout batch 发放批次, for ever.
type Payout struct {
	ID        string              `json:"id"`
	Payer     string              `json:"payer"`
	Region    string              `json:"region"`
	Reference string              `json:"reference"`
	SHA256    []byte              `json:"sha256"` // of its lines in their one form
	Lines     int                 `json:"lines"`
	Done      int                 `json:"done"` // the cursor: lines that have an answer
	Outcomes  map[LineOutcome]int `json:"outcomes"`
	Paid      policy.Fen          `json:"paid_fen"` // of the lines that were recorded as payments now
	State     PayoutState         `json:"state"`
	By        string              `json:"by"` // account id
	Received  time.Time           `json:"received"`
	Ended     time.Time           `json:"ended,omitzero"`
	LogIndex  uint64              `json:"log_index"` // of its newest entry
}

// payoutLines is one page of a payout as it is stored.
type payoutLines struct {
	Payout string        `json:"payout"`
	Page   int           `json:"page"` // from 0
	Lines  []PayoutEntry `json:"lines"`
}

// parse reads a batch in its one form and reports every line that cannot be read;
// what a line means for its claim is decided later.
func (in NewPayout) parse() (NewPayout, []byte, error) {
	var bad []fail.Field
	in.Reference = strings.TrimSpace(in.Reference)
	if !referenceShape.MatchString(in.Reference) || holdsIdentity(in.Reference) {
		bad = append(bad, fail.Field{Name: "reference", Code: "shape", ZH: "批次号为 1 至 64 个字母、数字或 . _ : / -，不含身份证号码", EN: "a reference is 1 to 64 of letters, digits and . _ : / -, and no identity number"})
	}
	if n := len(in.Lines); n == 0 || n > PayoutMaxLines {
		bad = append(bad, fail.Field{Name: "lines", Code: "length", ZH: fmt.Sprintf("每批 1 至 %d 行，现为 %d 行", PayoutMaxLines, n), EN: fmt.Sprintf("a payout has 1 to %d lines, not %d", PayoutMaxLines, n)})
		in.Lines = nil
	}
	in.Lines = slices.Clone(in.Lines)
	seen := map[[3]string]int{}
	for i := range in.Lines {
		var wrong []fail.Field
		in.Lines[i], wrong = in.Lines[i].parse()
		at := [3]string{in.Lines[i].Claim, in.Lines[i].Reference, in.Lines[i].Payment}
		if first := seen[at]; first > 0 && len(wrong) == 0 {
			wrong = append(wrong, fail.Field{Name: "payment", Code: "repeated", ZH: fmt.Sprintf("与第 %d 行重复", first), EN: fmt.Sprintf("line %d says so already", first)})
		}
		seen[at] = i + 1
		for _, f := range wrong {
			f.Row = i + 1
			bad = append(bad, f)
		}
	}
	if len(bad) > 0 {
		n := len(bad)
		return in, nil, fail.New(fail.Invalid, "payout", "the payout has %d mistakes; nothing of it was recorded", n).
			In("发放批次有 %d 处需要更正，整批未登记", n).At(bad[:min(n, 1000)]...)
	}
	b, err := json.Marshal(in.Lines)
	sum := sha256.Sum256(b)
	return in, sum[:], err
}

func (l PayoutLine) parse() (PayoutLine, []fail.Field) {
	var bad []fail.Field
	wrong := func(ok bool, field, code, zh, en string) {
		if !ok {
			bad = append(bad, fail.Field{Name: field, Code: code, ZH: zh, EN: en})
		}
	}
	l.Claim, l.Reference = strings.TrimSpace(l.Claim), strings.TrimSpace(l.Reference)
	wrong((l.Claim == "") != (l.Reference == ""), "claim", "required", "请填写申领编号或申领流水号之一", "the claim's id, or the payer's reference of it, and not both")
	wrong(l.Claim == "" || referenceShape.MatchString(l.Claim), "claim", "shape", "申领编号形如 c-…", "the id of a claim is like c-…")
	wrong(l.Reference == "" || referenceShape.MatchString(l.Reference), "reference", "shape", "流水号为 1 至 64 个字母、数字或 . _ : / -", "a reference is 1 to 64 of letters, digits and . _ : / -")
	wrong(l.Amount > 0, "amount_fen", "amount", "金额应大于零", "the amount is more than nothing")
	wrong(l.PaidOn.Valid(), "paid_on", "date", "日期应写作 2026-03-01", "a day is written 2026-03-01")
	payment, more := plainText("payment", "支付流水号", l.Payment, 64)
	l.Payment, bad = payment, append(bad, more...)
	switch l.Result {
	case LinePaid:
		wrong(strings.TrimSpace(l.Reason) == "", "reason", "either", "发放成功的不填写退票原因", "a payment that was made has no reason")
		l.Reason = ""
	case LineFailed:
		l.Reason, more = bankText("reason", "退票原因", l.Reason)
		bad = append(bad, more...)
	default:
		wrong(false, "result", "unknown", "结果应为 paid（发放成功）或 failed（退票）", "the result is paid or failed")
	}
	return l, bad
}

// RecordPayout records a payout batch 发放批次 and works through its lines, each as
// ConfirmClaim or ReturnPayment would: a line that is refused stops no other. The
// same reference with the same lines is answered as it stands, and goes on where
// it was interrupted. Invalid payout: a line cannot be read, and nothing changes;
// Conflict payout_reference_reused.
func (r *Registry) RecordPayout(ctx context.Context, by Actor, in NewPayout) (Payout, error) {
	p, err := r.receivePayout(ctx, by, in)
	if err == nil {
		p, err = r.runPayout(ctx, p)
	}
	if err != nil {
		return Payout{}, fmt.Errorf("record payout: %w", err)
	}
	return p, nil
}

// receivePayout stores a batch that has no answers yet, or finds it again.
func (r *Registry) receivePayout(ctx context.Context, by Actor, in NewPayout) (Payout, error) {
	in, sum, err := in.parse()
	if err != nil {
		return Payout{}, err
	}
	id := r.rand.id("pay")
	var out Payout
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = Payout{}
		if err := may(by, UseClaims, Object{Payer: by.Organisation, Region: by.Region}); err != nil {
			return err
		}
		old, ok, err := payouts.Lookup(tx, indexPayoutsByReference, kv.Key(by.Organisation, in.Reference))
		switch {
		case err != nil:
			return err
		case ok && !slices.Equal(old.SHA256, sum):
			return fail.New(fail.Conflict, "payout_reference_reused", "the reference %s belongs to payout %s, which has other lines; use a new reference", in.Reference, old.ID).
				In("批次号 %s 已用于发放批次 %s，内容不同，请更换批次号", in.Reference, old.ID)
		case ok:
			out = old
			return nil
		}
		out, err = r.putPayout(tx, by, Payout{ID: id, Payer: by.Organisation, Region: by.Region, Reference: in.Reference, SHA256: sum,
			Lines: len(in.Lines), Outcomes: map[LineOutcome]int{}, State: PayoutRunning, By: by.Account, Received: tx.Now()}, in.Lines)
		return err
	})
	return out, err
}

// putPayout stores a new payout with all of its lines: at most fifty records.
func (r *Registry) putPayout(tx kv.Tx, by Actor, p Payout, lines []PayoutLine) (Payout, error) {
	for at, page := 0, 0; at < len(lines); at, page = at+payoutPage, page+1 {
		rows := payoutLines{Payout: p.ID, Page: page}
		for i, l := range lines[at:min(at+payoutPage, len(lines))] {
			rows.Lines = append(rows.Lines, PayoutEntry{N: at + i + 1, PayoutLine: l})
		}
		if err := payoutPages.Put(tx, rows); err != nil {
			return p, err
		}
	}
	var err error
	p.LogIndex, err = r.appendEvent(tx, by, Event{Kind: PayoutReceived, Object: p.ID, Payer: p.Payer,
		Detail: map[string]any{"reference": p.Reference, "region": p.Region, "lines": p.Lines, "sha256": hex.EncodeToString(p.SHA256)}})
	if err != nil {
		return p, err
	}
	return p, payouts.Put(tx, p)
}

// ResumePayouts goes on with the payouts that a crash has interrupted. It is called
// when a process starts, like ResumeMassChanges.
func (r *Registry) ResumePayouts(ctx context.Context) error {
	var open []Payout
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		open, _, err = payouts.ScanIndex(rd, indexPayoutsWorking, kv.Range{Limit: bulkPage})
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range open {
		if _, err := r.runPayout(ctx, p); err != nil {
			r.log.Warn("payout not resumed", "payout", p.ID, "error", err)
		}
	}
	return ctx.Err()
}

func (r *Registry) runPayout(ctx context.Context, p Payout) (Payout, error) {
	for p.State == PayoutRunning {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		next, err := r.payoutStep(ctx, p.ID)
		if err != nil {
			return p, err
		}
		p = next
	}
	return p, nil
}

// payoutStep does the next page in one Update, from where the stored payout stands:
// another process may have gone on meanwhile. Durable afterwards: the claims of the
// page with their entries of the log, the answers, and the cursor, all together.
func (r *Registry) payoutStep(ctx context.Context, id string) (Payout, error) {
	var out Payout
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = Payout{}
		p, err := need(tx, payouts, kv.Key(id), "payout", "发放批次", id)
		if err != nil || p.State != PayoutRunning {
			out = p
			return err
		}
		page, err := need(tx, payoutPages, kv.Key(id, uint64(p.Done/payoutPage)), "page of payout", "发放批次分页", id)
		if err != nil {
			return err
		}
		by := Actor{Account: p.By, Organisation: p.Payer, Roles: []Role{RolePayer}, Region: p.Region, Via: "payout:" + p.ID}
		p.Outcomes = copied(p.Outcomes)
		for i := range page.Lines {
			answer, err := r.payoutLine(tx, by, p, page.Lines[i])
			if err != nil {
				return err
			}
			page.Lines[i].Answer = &answer
			p = p.count(page.Lines[i].Amount, answer)
		}
		if err := payoutPages.Put(tx, page); err != nil {
			return err
		}
		out, err = r.putPayoutPage(tx, by, p)
		return err
	})
	return out, err
}

func copied(in map[LineOutcome]int) map[LineOutcome]int {
	out := map[LineOutcome]int{}
	for k, n := range in {
		out[k] = n
	}
	return out
}

func (p Payout) count(amount policy.Fen, a LineAnswer) Payout {
	p.Done++
	p.Outcomes[a.Outcome]++
	switch a.Outcome {
	case OutcomePaid, OutcomePartPaid, OutcomeDuplicate:
		p.Paid += amount
	}
	return p
}

func (r *Registry) putPayoutPage(tx kv.Tx, by Actor, p Payout) (Payout, error) {
	move := "page"
	if p.Done == p.Lines {
		move = "last_page"
	}
	p.State = payoutMoves[p.State][move]
	if p.State == PayoutDone {
		p.Ended = tx.Now()
		index, err := r.appendEvent(tx, by, Event{Kind: PayoutEnded, Object: p.ID, Payer: p.Payer, Detail: map[string]any{"outcomes": p.Outcomes, "paid_fen": p.Paid}})
		if err != nil {
			return p, err
		}
		p.LogIndex = index
	}
	return p, payouts.Put(tx, p)
}

// payoutLine does one line. What the caller can put right is the answer; an error
// is ours, and stops the page.
func (r *Registry) payoutLine(tx kv.Tx, by Actor, p Payout, l PayoutEntry) (LineAnswer, error) {
	c, done, err := r.claimOfLine(tx, by, l)
	if err == nil {
		if l.Result == LinePaid {
			c, done, err = r.payClaim(tx, by, c, paying{Payment: Payment{Reference: l.Payment, PaidOn: l.PaidOn, Amount: l.Amount}, payout: p.ID, line: l.N})
		} else if err = c.returnedWhole(l.Payment, l.Amount); err == nil {
			c, done, err = c.giveBack(PaymentReturn{Payment: l.Payment, Reason: l.Reason, On: l.PaidOn}, p.ID, l.N, by, tx.Now())
		}
	}
	switch e := fail.Of(err); {
	case err == nil && done:
		return LineAnswer{Outcome: OutcomeAlready, Claim: c.ID, State: c.StateAt(tx.Now())}, nil
	case err == nil:
		if c, err = r.putStep(tx, by, c); err != nil {
			return LineAnswer{}, err
		}
		step := c.Steps[len(c.Steps)-1]
		return LineAnswer{Outcome: step.outcome(), Claim: c.ID, State: c.State, Step: step.N}, nil
	case e.Kind == fail.Invalid || e.Kind == fail.Conflict || e.Kind == fail.NotFound || e.Kind == fail.Forbidden:
		a := LineAnswer{Outcome: OutcomeRefused, Code: e.Code, ZH: e.ZH, EN: e.Text}
		for _, f := range e.Fields {
			a.ZH, a.EN = a.ZH+"；"+f.Name+"："+f.ZH, a.EN+"; "+f.Name+": "+f.EN
		}
		if e.Kind != fail.NotFound {
			a.Claim, a.State = c.ID, c.StateAt(tx.Now())
		}
		return a, nil
	}
	return LineAnswer{}, err
}

// claimOfLine is the payer's own claim that a line names.
func (r *Registry) claimOfLine(tx kv.Tx, by Actor, l PayoutEntry) (Claim, bool, error) {
	if l.Claim != "" {
		c, err := claimFor(tx, by, UseClaims, l.Claim)
		return c, false, err
	}
	c, ok, err := claims.Lookup(tx, indexClaimsByReference, kv.Key(by.Organisation, l.Reference))
	if err == nil && !ok {
		err = notFound("claim of reference", "流水号对应的申领", l.Reference)
	}
	return c, false, err
}

// outcome is what a step that a payout has just made means for its line.
func (s ClaimStep) outcome() LineOutcome {
	switch {
	case s.Kind == StepReturned && s.Of == 0:
		return OutcomeFailed
	case s.Kind == StepReturned:
		return OutcomeReturned
	case s.TooLate:
		return OutcomeDuplicate
	case s.State == policy.PartPaid:
		return OutcomePartPaid
	}
	return OutcomePaid
}

// payoutFor loads a payout that by may see.
func payoutFor(rd kv.Reader, by Actor, id string) (Payout, error) {
	if len(by.Roles) == 0 {
		return Payout{}, may(by, ReadClaim, Object{})
	}
	p, ok, err := payouts.Get(rd, kv.Key(id))
	if err == nil && (!ok || may(by, ReadClaim, Object{Payer: p.Payer, Region: p.Region}) != nil) {
		err = notFound("payout", "发放批次", id)
	}
	return p, err
}

// PayoutByID shows a payout and how far it is, to its payer and to auditors of its
// region; to all others it is NotFound.
func (r *Registry) PayoutByID(ctx context.Context, by Actor, id string) (out Payout, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) (err error) {
		out, err = payoutFor(rd, by, id)
		return err
	})
	return out, err
}

// Payouts is one page of a payer's own payouts, the newest first.
func (r *Registry) Payouts(ctx context.Context, by Actor, page Page) (out []Payout, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) (err error) {
		out, next = nil, ""
		if err := may(by, ReadClaim, Object{Payer: by.Organisation, Region: by.Region}); err != nil || by.Organisation == "" {
			return err
		}
		rng := kv.Prefix(kv.Key(by.Organisation))
		rng.Reverse = true
		out, next, err = scanIndexPage(rd, payouts, indexPayoutsByPayer, rng, page)
		return err
	})
	return out, next, err
}

// PayoutLines is one page of the lines of a payout with their answers, by line.
func (r *Registry) PayoutLines(ctx context.Context, by Actor, id string, page Page) (out []PayoutEntry, next string, err error) {
	rng, err := page.within(kv.Range{From: kv.Key(uint64(0)), To: kv.Key(uint64(PayoutMaxLines))})
	if err != nil {
		return nil, "", err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		p, err := payoutFor(rd, by, id)
		if err != nil {
			return err
		}
		from, ok := 0, false
		for n := range p.Lines { // a cursor is the key of a line
			if ok = slices.Equal(kv.Key(uint64(n)), rng.From); ok {
				from = n
				break
			}
		}
		if !ok {
			return nil
		}
		until := min(from+rng.Limit, p.Lines)
		var keys [][]byte
		for n := from / payoutPage; n <= (until-1)/payoutPage; n++ {
			keys = append(keys, kv.Key(id, uint64(n)))
		}
		pages, _, err := payoutPages.GetMany(rd, keys)
		if err != nil {
			return err
		}
		for _, x := range pages {
			for _, l := range x.Lines {
				if l.N > from && l.N <= until {
					out = append(out, l)
				}
			}
		}
		if until < p.Lines {
			next = encodeCursor(kv.Key(uint64(until)))
		}
		return nil
	})
	return out, next, err
}

// PayoutClaims is one page of the claims that a payout has changed, by line, as
// they are now.
func (r *Registry) PayoutClaims(ctx context.Context, by Actor, id string, page Page) (out []ClaimView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		if _, err := payoutFor(rd, by, id); err != nil {
			return err
		}
		cs, cursor, err := scanIndexPage(rd, claims, indexClaimsByPayout, kv.Prefix(kv.Key(id)), page)
		for _, c := range cs {
			out = append(out, c.View(now))
		}
		next = cursor
		return err
	})
	return out, next, err
}
