package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// ReviewFilter narrows a list of reviews. Region is the caller's own when empty.
type ReviewFilter struct {
	Region      string            // GB/T 2260, six digits; everything under it
	Institution string            // id
	Sign        signs.Kind        // kind of sign
	State       signs.ReviewState // open, looked, dismissed, case
}

func (f ReviewFilter) validate() error {
	var bad []fail.Field
	if !regionShape.MatchString(f.Region) {
		bad = append(bad, fail.Field{Name: "region", Code: "shape", ZH: "行政区划代码应为 6 位数字", EN: "region has 6 digits (GB/T 2260)"})
	}
	if f.Sign != "" && f.Sign.English() == "" {
		bad = append(bad, fail.Field{Name: "sign", Code: "unknown", ZH: "没有这种异常线索", EN: "there is no such sign"})
	}
	known := f.State == ""
	for _, s := range signs.ReviewStates() {
		known = known || f.State == s
	}
	if !known {
		bad = append(bad, fail.Field{Name: "state", Code: "unknown", ZH: "状态应为 open、looked、dismissed 或 case", EN: "state is open, looked, dismissed or case"})
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "review_filter", "the filter has mistakes").In("筛选条件有误").At(bad...)
	}
	return nil
}

func (f ReviewFilter) lets(v signs.Review) bool {
	return governs(f.Region, v.Region) && (f.Institution == "" || f.Institution == v.Institution) &&
		(f.Sign == "" || f.Sign == v.Sign) && (f.State == "" || f.State == v.State)
}

// reviewRounds bounds how many pages of reviews one request reads for a filter
// that no index serves.
const reviewRounds = 10

// Reviews is one page of reviews, by region and then in the order in which they
// were opened. A page may have fewer than it could while there is a next one:
// what a filter leaves out is looked through, at most ten pages of it.
func (r *Registry) Reviews(ctx context.Context, by Actor, f ReviewFilter, page Page) (out []signs.Review, next string, err error) {
	if f.Region == "" {
		f.Region = by.Region
	}
	if err := may(by, ReadReview, Object{Region: f.Region}); err != nil {
		return nil, "", err
	}
	if err := f.validate(); err != nil {
		return nil, "", err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, page.Cursor
		want := page.Limit
		if want == 0 {
			want = pageDefault
		}
		for round := 0; round < reviewRounds; round++ {
			index, rng := f.over()
			found, cursor, err := scanIndexPage(rd, reviews, index, rng, Page{Cursor: next, Limit: want - len(out)})
			if err != nil {
				return err
			}
			for _, v := range found {
				if f.lets(v) {
					out = append(out, v)
				}
			}
			if next = cursor; next == "" || len(out) == want {
				return nil
			}
		}
		return nil
	})
	return out, next, err
}

// over is the index that serves a filter best.
func (f ReviewFilter) over() (kv.Table, kv.Range) {
	from, to := regionsUnder(f.Region)
	switch {
	case f.Institution != "":
		return indexReviewsByWindow, kv.Prefix(kv.Key(f.Institution))
	case f.State != "":
		return indexReviewsByState, kv.Range{From: kv.Key(string(f.State), from), To: kv.Key(string(f.State), to)}
	}
	return indexReviewsByRegion, kv.Range{From: kv.Key(from), To: kv.Key(to)}
}

// ReviewByID shows one review.
func (r *Registry) ReviewByID(ctx context.Context, by Actor, id string) (out signs.Review, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = reviewFor(rd, by, ReadReview, id)
		return err
	})
	return out, err
}

// reviewFor loads a review and asks may. An institution is not told whether
// there is one.
func reviewFor(rd kv.Reader, by Actor, do Action, id string) (signs.Review, error) {
	v, err := need(rd, reviews, kv.Key(id), "review", "核查事项", id)
	if err != nil {
		return v, err
	}
	return v, may(by, do, Object{Region: v.Region})
}

// StepReview records what the authority does with a review: that it looks at it,
// dismisses it with a reason, or has turned it into a case. Nothing else follows
// from it: measures are decided in the case. Errors: Invalid review; Conflict
// review_state.
func (r *Registry) StepReview(ctx context.Context, by Actor, id string, do signs.ReviewAction, reason, caseID string) (signs.Review, error) {
	if bad := append(impersonal("reason", reason), impersonal("case", caseID)...); len(bad) > 0 {
		return signs.Review{}, fail.New(fail.Invalid, "review", "the reason is logged and must not have an identity number in it").
			In("理由会写入日志，不得写身份证号码").At(bad...)
	}
	var out signs.Review
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = signs.Review{}
		v, err := reviewFor(tx, by, ConductReview, id)
		if err != nil {
			return err
		}
		if do == signs.ReviewTakeUp {
			c, err := need(tx, caseRecords, kv.Key(caseID), "case", "案件", caseID)
			if err != nil {
				return err
			}
			if c.Subject.Institution() != v.Institution {
				return fail.New(fail.Conflict, "case_of_another", "case %s is not about institution %s", caseID, v.Institution).In("案件 %s 不是针对该机构的", caseID)
			}
		}
		if v, err = v.Step(signs.ReviewStep{Action: do, By: by.Account, Reason: reason, Case: caseID}, tx.Now()); err != nil {
			return err
		}
		if err := reviews.Put(tx, v); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: ReviewStepped, Object: v.ID, Detail: v.Steps[len(v.Steps)-1]}); err != nil {
			return err
		}
		out = v
		return nil
	})
	if err != nil {
		return signs.Review{}, fmt.Errorf("review %s: %w", id, err)
	}
	return out, nil
}

// SignRules are the thresholds in force in a region today, for who conducts
// reviews there. NotFound: no file covers it.
func (r *Registry) SignRules(ctx context.Context, by Actor, region string) (out signs.Rules, err error) {
	if region = strings.TrimSpace(region); region == "" {
		region = by.Region
	}
	if err := may(by, ReadReview, Object{Region: region}); err != nil {
		return out, err
	}
	err = r.view(ctx, func(_ kv.Reader, now time.Time) error {
		var ok bool
		if out, ok = r.signRules(region, standards.DateOf(now)); !ok {
			return notFound("rule file of signs for the region", "地区异常线索规则", region)
		}
		return nil
	})
	return out, err
}
