package registry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// NewNationalStep is a step of a report: the day, today when empty, and what proves
// it, at most 200 characters and without personal data.
type NewNationalStep struct {
	On        standards.Date `json:"on,omitempty"`
	Reference string         `json:"reference"`
}

func (in NewNationalStep) check(today standards.Date) (NewNationalStep, error) {
	in.Reference = strings.TrimSpace(in.Reference)
	if in.On == "" {
		in.On = today
	}
	bad := impersonal("reference", in.Reference)
	if n := len([]rune(in.Reference)); n == 0 || n > factMax {
		bad = append(bad, fail.Field{Name: "reference", Code: "length", ZH: "请填写凭据（回执号、截图编号等），1 至 200 字", EN: "what proves it, 1 to 200 characters"})
	}
	if !in.On.Valid() || in.On > today {
		bad = append(bad, fail.Field{Name: "on", Code: "date", ZH: "日期应不晚于今天，如 2026-03-02", EN: "a day not after today, such as 2026-03-02"})
	}
	if len(bad) > 0 {
		return in, fail.New(fail.Invalid, "national_step", "the step is not complete").In("填写有误").At(bad...)
	}
	return in, nil
}

// notBefore refuses a day before another.
func (in NewNationalStep) notBefore(day standards.Date, zh, en string) error {
	if in.On >= day {
		return nil
	}
	return fail.New(fail.Invalid, "national_step", "%s is before %s, %s", in.On, day, en).In("日期 %s 早于%s %s", in.On, zh, day).
		At(fail.Field{Name: "on", Code: "date", ZH: "不得早于" + zh + " " + string(day), EN: "not before " + string(day)})
}

func (in NewNationalStep) same(s *NationalStep) bool {
	return s != nil && s.On == in.On && s.Reference == in.Reference
}

func (in NewNationalStep) step(tx kv.Tx, by Actor) *NationalStep {
	return &NationalStep{On: in.On, Reference: in.Reference, By: by.Account, At: tx.Now()}
}

// nationalStep is the shell of every step: load, ask whether it was taken before,
// let rule decide, store what follows.
func (r *Registry) nationalStep(ctx context.Context, by Actor, do Action, id string, rule func(tx kv.Tx, u NationalUpload) (NationalUpload, error)) (NationalUpload, error) {
	var out NationalUpload
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = NationalUpload{}
		u, err := nationalFor(tx, by, do, id)
		if err != nil {
			return err
		}
		out, err = rule(tx, u)
		return err
	})
	if err != nil {
		return NationalUpload{}, fmt.Errorf("report %s: %w", id, err)
	}
	return out, nil
}

// MarkNationalSent records that the file of a report was sent 已报送. It cannot have
// been sent before the certificates in it were issued. The same again changes
// nothing.
func (r *Registry) MarkNationalSent(ctx context.Context, by Actor, id string, in NewNationalStep) (NationalUpload, error) {
	return r.nationalStep(ctx, by, ReportNationally, id, func(tx kv.Tx, u NationalUpload) (NationalUpload, error) {
		step, err := in.check(standards.DateOf(tx.Now()))
		if err != nil || step.same(u.Sent) {
			return u, err
		}
		if u.State, err = u.State.Step(uploads.Send); err != nil {
			return u, err
		}
		f, err := r.nationalContents(tx, u)
		if err != nil {
			return u, err
		}
		for _, card := range f.cards {
			if err := step.notBefore(card.cert.Issued, "发证日期", "the day of issue of "+card.cert.Number); err != nil {
				return u, err
			}
		}
		u.Sent = step.step(tx, by)
		if err := f.follow(tx, u, "", nil); err != nil {
			return u, err
		}
		return r.putNational(tx, by, u, NationalSent, map[string]any{"on": step.On, "reference": step.Reference})
	})
}

// WithdrawNationalUpload takes back a report that was not sent 撤回; its rows are
// free for another.
func (r *Registry) WithdrawNationalUpload(ctx context.Context, by Actor, id string, in NewNationalStep) (NationalUpload, error) {
	return r.nationalStep(ctx, by, ReportNationally, id, func(tx kv.Tx, u NationalUpload) (NationalUpload, error) {
		step, err := in.check(standards.DateOf(tx.Now()))
		if err != nil || step.same(u.Withdrawn) {
			return u, err
		}
		if u.State, err = u.State.Step(uploads.Withdraw); err != nil {
			return u, err
		}
		f, err := r.nationalContents(tx, u)
		if err != nil {
			return u, err
		}
		u.Withdrawn = step.step(tx, by)
		if err := r.giveBack(tx, u, f); err != nil {
			return u, err
		}
		return r.putNational(tx, by, u, NationalWithdrawn, map[string]any{"on": step.On, "reference": step.Reference})
	})
}

// giveBack frees the rows of a report. Those of a first report stand as if it had
// never been made: their batch has a gap, and nobody of it differs.
func (r *Registry) giveBack(tx kv.Tx, u NationalUpload, f nationalContents) error {
	if u.Batch == "" {
		rules, err := r.nationalRules(u.Region, standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		for i, card := range f.cards {
			f.cards[i].row.Row = card.row.GiveBack(u.ID, card.cert.Status == CertificateValid, rules.Types)
		}
		return putNationalCards(tx, f.cards)
	}
	b, err := need(tx, batches, kv.Key(u.Batch), "batch", "发证批次", u.Batch)
	if err != nil {
		return err
	}
	b.National = slices.DeleteFunc(slices.Clone(b.National), func(p uploads.Part) bool { return p.Upload == u.ID })
	if err := batches.Put(tx, b); err != nil {
		return err
	}
	// Every certificate of the run, those left out too, and there may be no more
	// of them than one report has.
	cs, _, err := certificates.ScanIndex(tx, indexCertificatesByBatch,
		kv.Range{From: kv.Key(u.Batch, uint64(u.From)), To: kv.Key(u.Batch, uint64(u.To+1)), Limit: uploads.MaxRows})
	if err != nil {
		return err
	}
	cards, err := r.nationalCards(tx, cs)
	if err != nil {
		return err
	}
	for _, card := range cards {
		if card.there {
			if err := nationalRows.Delete(tx, kv.Key(card.cert.Number)); err != nil {
				return err
			}
		}
	}
	return nil
}

// nationalContents is a report with its certificates, in its order.
type nationalContents struct {
	file  nationalFile
	cards []nationalCard
}

func (r *Registry) nationalContents(rd kv.Reader, u NationalUpload) (f nationalContents, err error) {
	if f.file, err = need(rd, nationalFiles, kv.Key(u.ID), "report", "上报", u.ID); err != nil {
		return f, err
	}
	cs, err := certificatesOf(rd, f.file.Rows)
	if err != nil {
		return f, err
	}
	f.cards, err = r.nationalCards(rd, cs)
	return f, err
}

// follow lets batch and certificates follow a step of their report. since is the
// day from which it can be queried, returned the places of rows that were sent back.
func (f nationalContents) follow(tx kv.Tx, u NationalUpload, since standards.Date, returned map[int]uploads.Row) error {
	if u.Batch != "" {
		b, err := need(tx, batches, kv.Key(u.Batch), "batch", "发证批次", u.Batch)
		if err != nil {
			return err
		}
		b.National = slices.Clone(b.National)
		for i, p := range b.National {
			if p.Upload == u.ID {
				b.National[i].State, b.National[i].Since = u.State, since
			}
		}
		if err := batches.Put(tx, b); err != nil {
			return err
		}
	}
	var own []nationalCard
	for i, card := range f.cards {
		if row, back := returned[i]; back {
			card.row.Row = row
			own = append(own, card)
		} else if card.there {
			card.row.Row = card.row.Follow(u.ID, u.State, since)
			own = append(own, card)
		}
	}
	return putNationalCards(tx, own)
}

// NewNationalReceipt is a receipt of a report. All says that every row was
// accepted; else Rows are those that were returned, the others were accepted.
type NewNationalReceipt struct {
	NewNationalStep
	All  bool                  `json:"all,omitempty"`
	Rows []uploads.ReturnedRow `json:"rows,omitempty"`
}

// RecordNationalReceipt records the receipt of a report 回执. Returned rows wait for
// the next report of new certificates, or of their change. The same receipt again
// changes nothing. Invalid receipt: its rows are not the report's.
func (r *Registry) RecordNationalReceipt(ctx context.Context, by Actor, id string, in NewNationalReceipt) (NationalUpload, error) {
	if in.All == (len(in.Rows) > 0) {
		return NationalUpload{}, fail.New(fail.Invalid, "receipt", "say that all rows were accepted, or name those that were returned").
			In("请注明全部接收，或列出退回的行").At(fail.Field{Name: "rows", Code: "required", ZH: "全部接收与退回的行二者填一", EN: "one of all and rows"})
	}
	return r.nationalStep(ctx, by, ReportNationally, id, func(tx kv.Tx, u NationalUpload) (NationalUpload, error) {
		step, err := in.check(standards.DateOf(tx.Now()))
		if err != nil {
			return u, err
		}
		f, err := r.nationalContents(tx, u)
		if err != nil {
			return u, err
		}
		reasons, err := uploads.Resolve(in.Rows, f.numbers())
		if err != nil {
			return u, err
		}
		digest, err := r.receiptDigest(u.ID, step, reasons)
		if err != nil || u.Receipt != nil && bytes.Equal(u.Receipt.Digest, digest) {
			return u, err
		}
		do := uploads.Accept
		if len(reasons) > 0 {
			do = uploads.Return
		}
		if u.State, err = u.State.Step(do); err != nil {
			return u, err
		}
		if err := step.notBefore(u.Sent.On, "报送日期", "the day it was sent"); err != nil {
			return u, err
		}
		u.Receipt = &NationalReceipt{NationalStep: *step.step(tx, by), Returned: len(reasons), Digest: digest}
		return r.storeReceipt(tx, by, u, f, reasons)
	})
}

func (f nationalContents) numbers() []string {
	out := make([]string, len(f.file.Rows))
	for i, ref := range f.file.Rows {
		out[i] = ref.Number
	}
	return out
}

// receiptDigest is a keyed hash of a receipt: reasons may hold personal data.
func (r *Registry) receiptDigest(id string, step NewNationalStep, reasons map[int]string) ([]byte, error) {
	b, err := json.Marshal([]any{id, step, reasons})
	if err != nil {
		return nil, err
	}
	return r.vault.fingerprint("national-receipt", b), nil
}

func (r *Registry) storeReceipt(tx kv.Tx, by Actor, u NationalUpload, f nationalContents, reasons map[int]string) (NationalUpload, error) {
	rules, err := r.nationalRules(u.Region, standards.DateOf(tx.Now()))
	if err != nil {
		return u, err
	}
	back := make(map[int]uploads.Row, len(reasons))
	for at := range reasons {
		card := f.cards[at]
		valid := card.cert.Status == CertificateValid
		if u.Type == uploads.New {
			back[at] = card.row.SentBack(u.ID, valid)
		} else {
			back[at] = card.row.GiveBack(u.ID, valid, rules.Types)
		}
		f.file.Rows[at].Returned = true
	}
	if err := f.follow(tx, u, "", back); err != nil {
		return u, err
	}
	if len(reasons) > 0 {
		if err := r.vault.seal(tx, sealedReceipt(u.ID), reasons); err != nil {
			return u, err
		}
		if err := nationalFiles.Put(tx, f.file); err != nil {
			return u, err
		}
	}
	rows := make([]int, 0, len(reasons))
	for _, at := range slices.Sorted(maps.Keys(reasons)) {
		rows = append(rows, at+1)
	}
	return r.putNational(tx, by, u, NationalReceived, map[string]any{"on": u.Receipt.On, "reference": u.Receipt.Reference, "accepted": u.Rows - len(rows),
		"returned_rows": rows, "digest": hex.EncodeToString(u.Receipt.Digest)})
}

// ConfirmNationalQueryable records from which day the national query finds the rows
// of a report that were not returned 可查询, with what proves it. The authority may;
// the institution itself only where the rules of the region let it. Conflict
// nothing_accepted: every row was returned. Forbidden issuer_confirms.
func (r *Registry) ConfirmNationalQueryable(ctx context.Context, by Actor, id string, in NewNationalStep) (NationalUpload, error) {
	return r.nationalStep(ctx, by, ConfirmQueryable, id, func(tx kv.Tx, u NationalUpload) (NationalUpload, error) {
		today := standards.DateOf(tx.Now())
		rules, err := r.nationalRules(u.Region, today)
		if err != nil {
			return u, err
		}
		if !by.has(RoleAuthority) && !rules.IssuerConfirms {
			return u, fail.New(fail.Forbidden, "issuer_confirms", "in this region the authority records that certificates can be queried (rule %s)", rules.ID).
				In("本地区由主管部门登记全国联网可查询（规则 %s）", rules.ID)
		}
		step, err := in.check(today)
		if err != nil || step.same(u.Queryable) {
			return u, err
		}
		if u.State, err = u.State.Step(uploads.Show); err != nil {
			return u, err
		}
		if u.Receipt.Returned == u.Rows {
			return u, fail.New(fail.Conflict, "nothing_accepted", "every row of report %s was returned; report them again", u.Number).In("上报 %s 的各行均被退回，请更正后重报", u.Number)
		}
		if err := step.notBefore(u.Sent.On, "报送日期", "the day it was sent"); err != nil {
			return u, err
		}
		f, err := r.nationalContents(tx, u)
		if err != nil {
			return u, err
		}
		u.Queryable = step.step(tx, by)
		if err := f.follow(tx, u, step.On, nil); err != nil {
			return u, err
		}
		return r.putNational(tx, by, u, NationalQueryable, map[string]any{"since": step.On, "reference": step.Reference})
	})
}
