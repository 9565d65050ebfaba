package registry

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/sheet"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// RecoveryQuery names the recoveries 追回清单 of one institution whose certificates
// were voided within a period. From and To are civil days, both included; an empty
// one does not bound it.
type RecoveryQuery struct {
	Institution string
	From, To    standards.Date
}

// RecoveriesMost is how many claims one list adds up, and a file has, at most.
const RecoveriesMost = 20_000

func (q RecoveryQuery) check() error {
	var bad []fail.Field
	if q.Institution == "" || len(q.Institution) > 128 {
		bad = append(bad, fail.Field{Name: "institution", Code: "required", ZH: "请填写评价机构标识", EN: "the id of an institution is needed"})
	}
	for name, day := range map[string]standards.Date{"from": q.From, "to": q.To} {
		if day != "" && !day.Valid() {
			bad = append(bad, fail.Field{Name: name, Code: "date", ZH: "应为日期，如 2026-03-01", EN: "a date such as 2026-03-01"})
		}
	}
	if len(bad) == 0 && q.From != "" && q.To != "" && q.To < q.From {
		bad = append(bad, fail.Field{Name: "to", Code: "order", ZH: "截止日期不得早于起始日期", EN: "it is not before from"})
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b fail.Field) int { return cmp.Compare(a.Name, b.Name) })
		return fail.New(fail.Invalid, "recoveries", "the list of recoveries needs an institution and a period").In("追回清单的查询条件有误").At(bad...)
	}
	return nil
}

// within is the part of an index that begins with head and goes on with the day.
func (q RecoveryQuery) within(head ...any) kv.Range {
	rng := kv.Prefix(kv.Key(head...))
	if q.From != "" {
		rng.From = kv.Key(append(slices.Clone(head), string(q.From))...)
	}
	if q.To != "" {
		rng.To = kv.Key(append(slices.Clone(head), string(q.To.AddDays(1)))...)
	}
	return rng
}

// Recovery is one claim on a certificate that was voided. Claim and reference are
// shown to its payer and to the authority of the payer's region alone.
type Recovery struct {
	Day         standards.Date `json:"day"` // on which the certificate was voided
	Institution string         `json:"institution"`
	Certificate string         `json:"certificate"`
	Document    string         `json:"document"` // 撤销决定文号
	Payer       string         `json:"payer"`
	PayerRegion string         `json:"payer_region"`
	Claim       string         `json:"claim,omitempty"`
	Reference   string         `json:"reference,omitempty"`
	Seq         uint64         `json:"seq,omitempty"` // of the payer's feed
	// State is that of the claim now; StateThen that when the certificate was voided.
	State     policy.State `json:"state"`
	StateName policy.Text  `json:"state_name"`
	StateThen policy.State `json:"state_then"`
	// Paid is what was ever paid out, Refunded what came back, Outstanding what has
	// to be recovered yet: nothing when Withdrawn, since the voiding was undone.
	Paid        policy.Fen `json:"paid_fen"`
	Refunded    policy.Fen `json:"refunded_fen"`
	Outstanding policy.Fen `json:"outstanding_fen"`
	Withdrawn   bool       `json:"withdrawn,omitempty"`
	LogIndex    uint64     `json:"log_index"`
}

// RecoveryTotal adds up the recoveries of one payer in one state.
type RecoveryTotal struct {
	Payer       string       `json:"payer"`
	State       policy.State `json:"state"`
	StateName   policy.Text  `json:"state_name"`
	Claims      int          `json:"claims"`
	Paid        policy.Fen   `json:"paid_fen"`
	Refunded    policy.Fen   `json:"refunded_fen"`
	Outstanding policy.Fen   `json:"outstanding_fen"`
}

// Recoveries is one page of the recoveries of an institution by the day of voiding,
// and, with the first page, the totals of all of them by payer and state. A payer
// sees its own; an authority or auditor those of payers in its region, and, of an
// institution of its region, those of payers elsewhere without claim and
// reference. A page may be short while it has a next one. Invalid
// recoveries_too_many: the period has more than RecoveriesMost.
func (r *Registry) Recoveries(ctx context.Context, by Actor, q RecoveryQuery, page Page) (out []Recovery, totals []RecoveryTotal, next string, err error) {
	if out, next, err = r.recoveryPage(ctx, by, q, page); err != nil || page.Cursor != "" {
		return out, nil, next, err
	}
	all, err := r.allRecoveries(ctx, by, q)
	if err != nil {
		return nil, nil, "", err
	}
	return out, sumRecoveries(all), next, nil
}

func (r *Registry) allRecoveries(ctx context.Context, by Actor, q RecoveryQuery) (all []Recovery, err error) {
	for page := (Page{Limit: pageMax}); ; {
		some, next, err := r.recoveryPage(ctx, by, q, page)
		if err != nil {
			return nil, err
		}
		if all = append(all, some...); len(all) > RecoveriesMost {
			return nil, fail.New(fail.Invalid, "recoveries_too_many", "the period has more than %d claims; ask for a shorter one", RecoveriesMost).
				In("所选期间超过 %d 笔，请缩短期间", RecoveriesMost).At(fail.Field{Name: "to", Code: "range", ZH: "请缩短期间", EN: "a shorter period"})
		}
		if page.Cursor = next; next == "" {
			return all, nil
		}
	}
}

func sumRecoveries(all []Recovery) []RecoveryTotal {
	type key struct {
		payer string
		state policy.State
	}
	sums := map[key]*RecoveryTotal{}
	for _, row := range all {
		k := key{row.Payer, row.State}
		if sums[k] == nil {
			sums[k] = &RecoveryTotal{Payer: row.Payer, State: row.State, StateName: row.StateName}
		}
		if row.Withdrawn {
			continue // it stands in the list, and its money is not to come back
		}
		s := sums[k]
		s.Claims++
		s.Paid, s.Refunded, s.Outstanding = s.Paid+row.Paid, s.Refunded+row.Refunded, s.Outstanding+row.Outstanding
	}
	out := []RecoveryTotal{}
	for _, s := range sums {
		if s.Claims > 0 {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b RecoveryTotal) int {
		return cmp.Or(cmp.Compare(a.Payer, b.Payer), cmp.Compare(a.State, b.State))
	})
	return out
}

func (r *Registry) recoveryPage(ctx context.Context, by Actor, q RecoveryQuery, page Page) (out []Recovery, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = []Recovery{}, ""
		asPayer := may(by, ReadRecoveries, Object{Payer: by.Organisation}) == nil
		if err := may(by, ReadRecoveries, Object{Region: by.Region}); err != nil && !asPayer {
			return err
		}
		if err := q.check(); err != nil {
			return err
		}
		inst, err := need(rd, institutions, kv.Key(q.Institution), "institution", "评价机构", q.Institution)
		if err != nil {
			return err
		}
		index, rng := indexRecoveries, q.within(q.Institution)
		if asPayer {
			index, rng = indexRecoveriesByPayer, q.within(by.Organisation, q.Institution)
		}
		entries, cursor, err := scanIndexPage(rd, reliances, index, rng, page)
		if err != nil {
			return err
		}
		rows, err := recoveriesOf(rd, entries, now)
		if err != nil {
			return err
		}
		for _, row := range rows {
			whole := asPayer || may(by, ReadRecoveries, Object{Region: row.PayerRegion}) == nil
			if !whole && may(by, ReadRecoveries, Object{Region: inst.Region}) != nil {
				continue
			}
			if !whole {
				row.Claim, row.Reference, row.Seq = "", "", 0
			}
			out = append(out, row)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// recoveriesOf joins entries of feeds with what claims and certificates are now.
func recoveriesOf(rd kv.Reader, entries []RelianceEntry, now time.Time) ([]Recovery, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	byID := make([][]byte, len(entries))
	for i, e := range entries {
		byID[i] = kv.Key(e.Claim)
	}
	keys, err := rd.GetMany(indexClaimsByID, byID)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(keys, func(k []byte) bool { return k == nil }); i >= 0 {
		return nil, fmt.Errorf("entry %d of payer %s is about claim %s, which is not there", entries[i].Seq, entries[i].Payer, entries[i].Claim)
	}
	cs, _, err := claims.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	certs, err := certificatesRelied(rd, entries)
	if err != nil {
		return nil, err
	}
	out := make([]Recovery, len(entries))
	for i, e := range entries {
		out[i] = e.recovery(cs[i], certs[e.Certificate], now)
	}
	return out, nil
}

func (e RelianceEntry) recovery(c Claim, cert Certificate, now time.Time) Recovery {
	state := c.StateAt(now)
	row := Recovery{Day: standards.Date(e.day()), Institution: e.Institution, Certificate: e.Certificate, Document: e.Document, Payer: e.Payer, PayerRegion: e.Region,
		Claim: e.Claim, Reference: e.Reference, Seq: e.Seq, State: state, StateName: ClaimStateName(state), StateThen: e.State, LogIndex: e.LogIndex}
	row.Paid, row.Refunded = c.Money()
	row.Outstanding = row.Paid - row.Refunded
	if last := cert.last(ChangeVoid); cert.Status != CertificateVoided || last == nil || last.LogIndex != e.recovers() {
		row.Withdrawn, row.Outstanding = true, 0
	}
	return row
}

// RecoveryFile is the list of Recoveries as a workbook, for printing and filing.
func (r *Registry) RecoveryFile(ctx context.Context, by Actor, q RecoveryQuery) ([]byte, error) {
	all, err := r.allRecoveries(ctx, by, q)
	if err != nil {
		return nil, err
	}
	rows := sheet.Table{Name: "追回清单", Header: []string{"撤销日期", "撤销决定文号", "证书编号", "经办机构", "行政区划", "申领编号", "经办机构流水号", "撤销时状态", "当前状态", "已发放（元）", "已追回（元）", "待追回（元）", "备注", "日志序号"},
		Rows: func(yield func([]string) bool) {
			for _, row := range all {
				note := ""
				if row.Withdrawn {
					note = "撤销已撤回，不再追回"
				}
				if !yield([]string{string(row.Day), row.Document, row.Certificate, row.Payer, row.PayerRegion, row.Claim, row.Reference, ClaimStateName(row.StateThen).ZH, row.StateName.ZH,
					row.Paid.String(), row.Refunded.String(), row.Outstanding.String(), note, fmt.Sprint(row.LogIndex)}) {
					return
				}
			}
		}}
	sums := sheet.Table{Name: "汇总", Header: []string{"经办机构", "当前状态", "笔数", "已发放（元）", "已追回（元）", "待追回（元）"},
		Rows: func(yield func([]string) bool) {
			for _, s := range sumRecoveries(all) {
				if !yield([]string{s.Payer, s.StateName.ZH, fmt.Sprint(s.Claims), s.Paid.String(), s.Refunded.String(), s.Outstanding.String()}) {
					return
				}
			}
		}}
	var out bytes.Buffer
	if err := sheet.WriteXLSX(io.Writer(&out), rows, sums); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
