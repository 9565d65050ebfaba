package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/locks"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ClaimExtension puts the end of a reservation off 延长锁定: it stands through the
// whole of the day Until.
type ClaimExtension struct {
	Until  standards.Date `json:"until"`
	Reason string         `json:"reason"` // 1 to 200 characters, nothing personal
}

// NewClaimPublicity says on which days a claim is shown to the public 公示. The payer
// states the first day; the last one is that which the rules ask when Until is empty.
type NewClaimPublicity struct {
	From      standards.Date `json:"from"`
	Until     standards.Date `json:"until,omitempty"`
	Reference string         `json:"reference,omitempty"` // of the notice, at most 100 characters
}

// How far from today a publicity may begin, and how long it may be.
const (
	publicityAhead   = 60  // days
	publicityLongest = 180 // days
)

// ExtendClaim puts the end of a reservation off within the bounds of the rules of
// the payer's region. Asked again for the same day nothing changes. Invalid
// extension: the day is not later than the end is now, or beyond the bounds;
// Conflict claim_move: nothing is reserved any more.
func (r *Registry) ExtendClaim(ctx context.Context, by Actor, id string, in ClaimExtension) (ClaimView, error) {
	return r.changeByRules(ctx, by, id, "extend claim", func(c Claim, rules locks.Rules, now time.Time) (Claim, bool, error) {
		return c.Extend(in, rules, by, now)
	})
}

// PubliciseClaim records that a reserved claim is shown to the public 公示, as long
// as the rules of the payer's region ask at least. Recorded again nothing changes.
// Invalid publicity: its days are wrong or too few; Conflict claim_move;
// lock_too_short: the lock would run out before it is over.
func (r *Registry) PubliciseClaim(ctx context.Context, by Actor, id string, in NewClaimPublicity) (ClaimView, error) {
	return r.changeByRules(ctx, by, id, "publicise claim", func(c Claim, rules locks.Rules, now time.Time) (Claim, bool, error) {
		return c.Publicise(in, rules, r.cfg.Calendar, by, now)
	})
}

// ObjectToClaim records that an objection 异议 stops the publicity: the claim is
// reserved again, and is publicised anew, or released. Recorded again nothing
// changes. Conflict claim_move: it is not publicised.
func (r *Registry) ObjectToClaim(ctx context.Context, by Actor, id, reason string) (ClaimView, error) {
	return r.changeByRules(ctx, by, id, "object to claim", func(c Claim, _ locks.Rules, now time.Time) (Claim, bool, error) {
		return c.Object(reason, by, now)
	})
}

// MakeClaimPayable records that a claim is to be paid 待拨付: from then on it does
// not expire and is listed as overdue when it is not paid. document is the payer's
// approval, at most 100 characters. Recorded again nothing changes. Conflict
// claim_move; publicity_running, publicity_missing: the rules ask for it.
func (r *Registry) MakeClaimPayable(ctx context.Context, by Actor, id, document string) (ClaimView, error) {
	return r.changeByRules(ctx, by, id, "make claim payable", func(c Claim, rules locks.Rules, now time.Time) (Claim, bool, error) {
		return c.MakePayable(document, rules, by, now)
	})
}

// changeByRules is changeClaim with the rules for the life of claims in the region
// of the claim's payer.
func (r *Registry) changeByRules(ctx context.Context, by Actor, id, what string, rule func(c Claim, rules locks.Rules, now time.Time) (Claim, bool, error)) (ClaimView, error) {
	out, err := r.changeClaim(ctx, by, id, func(tx kv.Tx, c Claim) (Claim, bool, error) {
		rules, err := r.lockRules(c.Region, tx.Now())
		if err != nil {
			return c, false, err
		}
		return rule(c, rules, tx.Now())
	})
	if err != nil {
		return ClaimView{}, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// Extend is the rule of ExtendClaim. done says that it was done before.
func (c Claim) Extend(in ClaimExtension, rules locks.Rules, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "延长原因", in.Reason, 200)
	if n := len(c.Steps); n > 0 && c.Steps[n-1].Kind == StepExtended && c.Steps[n-1].Until == in.Until && c.Steps[n-1].Reason == reason {
		return c, true, nil
	}
	if _, err := policy.Move(c.StateAt(now), policy.Extend); err != nil {
		return c, false, err
	}
	ends := standards.DateOf(c.Expires)
	most := min(ends.AddDays(rules.ExtendDays), standards.DateOf(rules.Longest(c.Reserved)))
	switch {
	case !in.Until.Valid():
		bad = append(bad, fail.Field{Name: "until", Code: "date", ZH: "日期应写作 2026-03-01", EN: "a day is written 2026-03-01"})
	case most <= ends:
		bad = append(bad, fail.Field{Name: "until", Code: "bound", ZH: "按本地区规则（" + rules.Name.ZH + "）锁定不能再延长", EN: "under the rules of the region (" + rules.Name.EN + ") the lock cannot be extended any more"})
	case in.Until <= ends || in.Until > most:
		bad = append(bad, fail.Field{Name: "until", Code: "bound",
			ZH: fmt.Sprintf("现锁定至 %s；按本地区规则（%s）本次最多延长至 %s", ends.Chinese(), rules.Name.ZH, most.Chinese()),
			EN: fmt.Sprintf("the lock stands until %s; under the rules of the region (%s) it may be extended to %s at most", ends, rules.Name.EN, most)})
	}
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "extension", "the extension cannot be taken").In("延长锁定信息有误").At(bad...)
	}
	out, err = c.take(ClaimStep{Kind: StepExtended, Reason: reason, Until: in.Until, Expires: in.Until.AddDays(1).Time().UTC(), Was: c.Expires}, by, now)
	return out, false, err
}

// leastPublicity is the last day of a publicity that begins on a day, by the rules.
func leastPublicity(from standards.Date, rules locks.Rules, cal standards.Calendar) (standards.Date, standards.Basis) {
	n := rules.PublicityDays
	if working, _ := cal.Working(from); n > 0 && rules.PublicityCountsFirst && working {
		n--
	}
	return cal.AddWorkingDays(from, n)
}

// Publicise is the rule of PubliciseClaim. done says that it was done before.
func (c Claim) Publicise(in NewClaimPublicity, rules locks.Rules, cal standards.Calendar, by Actor, now time.Time) (out Claim, done bool, err error) {
	reference := strings.TrimSpace(in.Reference)
	bad := append(impersonal("reference", reference), length("reference", reference, 0, 100, "公示编号", "number of the notice")...)
	wrong := func(field, zh, en string) {
		bad = append(bad, fail.Field{Name: field, Code: "date", ZH: zh, EN: en})
	}
	today := standards.DateOf(now)
	least, basis := standards.Date(""), standards.Basis("")
	if !in.From.Valid() || in.From < standards.DateOf(c.Reserved) || in.From > today.AddDays(publicityAhead) {
		wrong("from", fmt.Sprintf("公示首日应不早于锁定当日，且在 %d 天以内", publicityAhead), fmt.Sprintf("the first day is on or after that of the reservation, and within %d days", publicityAhead))
	} else {
		least, basis = leastPublicity(in.From, rules, cal)
		if in.Until == "" {
			in.Until = least
		}
		if !in.Until.Valid() || in.Until < least || in.Until > in.From.AddDays(publicityLongest) {
			wrong("until", fmt.Sprintf("按本地区规则（%s）公示不少于 %d 个工作日，最后一日应不早于 %s", rules.Name.ZH, rules.PublicityDays, least.Chinese()),
				fmt.Sprintf("under the rules of the region (%s) publicity takes %d working days, to %s at least", rules.Name.EN, rules.PublicityDays, least))
		}
	}
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "publicity", "the publicity cannot be taken").In("公示信息有误").At(bad...)
	}
	state := c.StateAt(now)
	if p := c.Publicity; p != nil && (state == policy.Publicised || state == policy.PartPaid) && p.Stopped.IsZero() && p.From == in.From && p.Until == in.Until && p.Reference == reference {
		return c, true, nil
	}
	if _, err := policy.Move(state, policy.Publicise); err != nil {
		return c, false, err
	}
	if state.Expires() && !c.Expires.IsZero() && in.Until.AddDays(1).Time().After(c.Expires) {
		return c, false, fail.New(fail.Conflict, "lock_too_short", "the lock runs out on %s, before the publicity is over on %s; extend the lock first", standards.DateOf(c.Expires), in.Until).
			In("锁定至 %s，早于公示结束日 %s，请先延长锁定", standards.DateOf(c.Expires).Chinese(), in.Until.Chinese())
	}
	out, err = c.take(ClaimStep{Kind: StepPublicised, From: in.From, Until: in.Until, Basis: basis, Reference: reference}, by, now)
	return out, false, err
}

// Object is the rule of ObjectToClaim. done says that it was done before.
func (c Claim) Object(reason string, by Actor, now time.Time) (out Claim, done bool, err error) {
	reason, bad := plainText("reason", "异议情况", reason, 200)
	if len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "objection", "the objection is not complete").In("异议信息有误").At(bad...)
	}
	if n := len(c.Steps); n > 0 && c.Steps[n-1].Kind == StepObjected && c.Steps[n-1].Reason == reason {
		return c, true, nil
	}
	if c.Publicity == nil || !c.Publicity.Stopped.IsZero() {
		if _, err := policy.Move(c.StateAt(now), policy.Object); err != nil {
			return c, false, err
		}
		return c, false, fail.New(fail.Conflict, "not_publicised", "claim %s is not publicised", c.ID).In("申领 %s 未在公示", c.ID)
	}
	out, err = c.take(ClaimStep{Kind: StepObjected, Reason: reason}, by, now)
	return out, false, err
}

// MakePayable is the rule of MakeClaimPayable. done says that it was done before.
func (c Claim) MakePayable(document string, rules locks.Rules, by Actor, now time.Time) (out Claim, done bool, err error) {
	document = strings.TrimSpace(document)
	if bad := append(impersonal("document", document), length("document", document, 0, 100, "审批文号", "number of the approval")...); len(bad) > 0 {
		return c, false, fail.New(fail.Invalid, "payable", "the approval cannot be taken").In("审批信息有误").At(bad...)
	}
	state := c.StateAt(now)
	if state == policy.Payable {
		return c, true, nil
	}
	if _, err := policy.Move(state, policy.Approve); err != nil {
		return c, false, err
	}
	today := standards.DateOf(now)
	switch {
	case state == policy.Publicised && !c.Publicity.over(today):
		return c, false, fail.New(fail.Conflict, "publicity_running", "the publicity lasts through %s; the claim can be paid from the day after", c.Publicity.Until).
			In("公示期至 %s（含当日），次日起方可转待拨付", c.Publicity.Until.Chinese())
	case state == policy.Reserved && rules.PublicityDays > 0:
		return c, false, fail.New(fail.Conflict, "publicity_missing", "under the rules of the region (%s) a claim is publicised for %d working days before it is paid", rules.Name.EN, rules.PublicityDays).
			In("按本地区规则（%s）拨付前应公示 %d 个工作日，请先公示", rules.Name.ZH, rules.PublicityDays)
	}
	out, err = c.take(ClaimStep{Kind: StepPayable, Reference: document}, by, now)
	return out, false, err
}
