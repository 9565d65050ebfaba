package registry

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// scoreOn is an institution's score on a day as known now. It reads sums, at
// most one per earlier year and 18 of shorter periods, and no event: the time it
// takes does not grow with the number of events.
func (r *Registry) scoreOn(rd kv.Reader, inst evaluators.Institution, on standards.Date) (credit.Score, error) {
	groups, err := groupsOn(rd, inst.ID, on)
	if err != nil {
		return credit.Score{}, err
	}
	return credit.ScoreOf(r.cfg.Rules.Credit.Credit, inst.Region, groups, on)
}

func groupsOn(rd kv.Reader, institution string, on standards.Date) ([]credit.Group, error) {
	var lists [][]credit.Group
	for _, p := range credit.Periods(on) {
		rng := kv.Range{From: kv.Key(institution, uint64(p.Length), p.From), To: kv.Key(institution, uint64(p.Length), p.To), Limit: pageMax}
		sums, _, err := creditSums.Scan(rd, rng)
		if err != nil {
			return nil, err
		}
		for _, s := range sums {
			lists = append(lists, s.Groups)
		}
	}
	return credit.Add(lists...), nil
}

// ScoreOn is the score of an institution on a day, as known now, with the
// calculation by item and credit year and without its events.
func (r *Registry) ScoreOn(ctx context.Context, by Actor, institution string, on standards.Date) (out credit.Score, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = credit.Score{}
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		if !on.Valid() {
			return badDay()
		}
		out, err = r.scoreOn(rd, inst, on)
		return err
	})
	return out, err
}

func badDay() error {
	return fail.New(fail.Invalid, "credit_query", "the day must be an existing day").In("日期应为实际存在的日期").
		At(fail.Field{Name: "on", Code: "date", ZH: "日期应为实际存在的日期，如 2026-03-02", EN: "an existing day, for instance 2026-03-02"})
}

// CreditQuery asks for the credit of an institution.
type CreditQuery struct {
	// On is the day; today when empty. A day to come is answered with what is
	// known: what ends by then has ended.
	On standards.Date
	// Known is the time as of which; now when zero. An earlier time replays the
	// ledger up to it.
	Known time.Time
	// Year is the credit year to explain line by line; that of the day when 0.
	Year int
	// Page is of the lines.
	Page Page
}

// CreditView is the credit of an institution with its explanation.
type CreditView struct {
	Institution string        `json:"institution"`
	Known       time.Time     `json:"known"`
	Score       credit.Score  `json:"score"`
	Year        int           `json:"year"`    // credit year of the lines
	Opening     int           `json:"opening"` // total before that year
	Lines       []credit.Line `json:"lines"`
}

// maxReplay is how many events a replay reads.
const maxReplay = 100_000

// Credit is the score of an institution on a day with the calculation, and one
// credit year of it line by line. TooLarge credit_replay: the ledger is too long
// to be replayed as known at an earlier time.
func (r *Registry) Credit(ctx context.Context, by Actor, institution string, q CreditQuery) (out CreditView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = CreditView{}, ""
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		if q.On == "" {
			q.On = standards.DateOf(now)
		}
		if !q.On.Valid() {
			return badDay()
		}
		past := !q.Known.IsZero() && q.Known.Before(now)
		if !past {
			q.Known = now
		}
		groups, err := groupsKnown(rd, inst.ID, q, past)
		if err != nil {
			return err
		}
		score, err := credit.ScoreOf(r.cfg.Rules.Credit.Credit, inst.Region, groups, q.On)
		if err != nil {
			return err
		}
		if q.Year == 0 {
			q.Year = score.Year
		}
		out = CreditView{Institution: inst.ID, Known: q.Known, Score: score, Year: q.Year, Opening: credit.Opening(score.Base, groups, q.Year)}
		out.Lines, next, err = creditLines(rd, inst.ID, q, out.Opening)
		return err
	})
	return out, next, err
}

func groupsKnown(rd kv.Reader, institution string, q CreditQuery, past bool) ([]credit.Group, error) {
	if !past {
		return groupsOn(rd, institution, q.On)
	}
	ledger, err := ledgerUntil(rd, institution, q.Known)
	if err != nil {
		return nil, err
	}
	return credit.GroupsOn(credit.Standings(ledger), q.On), nil
}

// ledgerUntil reads what was recorded of an institution by a time.
func ledgerUntil(rd kv.Reader, institution string, known time.Time) (out []credit.Event, err error) {
	for rng := kv.Prefix(kv.Key(institution)); ; {
		rng.Limit = pageMax
		page, next, err := creditEvents.Scan(rd, rng)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Recorded.After(known) {
				return out, nil // times follow the order of the ledger
			}
			out = append(out, e)
		}
		if next == nil {
			return out, nil
		}
		if len(out) >= maxReplay {
			return nil, fail.New(fail.TooLarge, "credit_replay", "the ledger has more than %d events; ask for an earlier time, or as known now", maxReplay).
				In("该机构信用记录超过 %d 条，无法按历史时点重算；请查询更早时点或当前所知", maxReplay)
		}
		rng.From = next
	}
}

// creditLines explains one credit year: its events lie together in an index.
func creditLines(rd kv.Reader, institution string, q CreditQuery, opening int) ([]credit.Line, string, error) {
	if q.Year < 0 || q.Year > 9999 {
		return nil, "", fail.New(fail.Invalid, "credit_query", "there is no credit year %d", q.Year).In("没有 %d 信用年度", q.Year)
	}
	page, err := q.Page.within(kv.Range{})
	if err != nil {
		return nil, "", err
	}
	rng := kv.Prefix(kv.Key(institution, uint64(q.Year)))
	rng.Limit = kv.MaxScan
	events, _, err := creditEvents.ScanIndex(rd, indexCreditEventsByYear, rng)
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(events, func(a, b credit.Event) int { return cmp.Compare(a.ID, b.ID) })
	lines := credit.Explain(credit.Standings(credit.Known(events, q.Known)), opening, q.On)
	place := func(l credit.Line) []byte { return kv.Key(string(l.Effective), l.Event) }
	for len(lines) > 0 && bytes.Compare(place(lines[0]), page.From) < 0 {
		lines = lines[1:]
	}
	if len(lines) <= page.Limit {
		return lines, "", nil
	}
	return lines[:page.Limit], encodeCursor(place(lines[page.Limit])), nil
}

// PublicStanding is what anybody may know of an institution: its band, its stars
// and the lists it is on. Points are shown where the rules say so.
type PublicStanding struct {
	Institution string         `json:"institution"`
	Name        string         `json:"name"`
	On          standards.Date `json:"on"`
	Band        credit.Band    `json:"band"`
	Points      *int           `json:"points,omitempty"`
	Rules       string         `json:"rules"`
	Sample      string         `json:"sample,omitempty"`
	Stars       int            `json:"stars"` // 0: not rated
	StarsFrom   standards.Date `json:"stars_from,omitempty"`
	StarsUntil  standards.Date `json:"stars_until,omitempty"`
	Lists       []credit.Entry `json:"lists"`
	Reviews     []PublicReview `json:"reviews"`
}

// PublicReview is a published yearly review.
type PublicReview struct {
	Year     int         `json:"year"`
	Band     credit.Band `json:"band"`
	Points   *int        `json:"points,omitempty"`
	Document string      `json:"document"`
}

// PublicStanding answers the public about an institution, today.
func (r *Registry) PublicStanding(ctx context.Context, institution string) (out PublicStanding, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = PublicStanding{Lists: []credit.Entry{}, Reviews: []PublicReview{}}
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		today := standards.DateOf(now)
		score, err := r.scoreOn(rd, inst, today)
		if err != nil {
			return err
		}
		out.Institution, out.Name, out.On = inst.ID, inst.NameOn(today, now), today
		out.Band, out.Rules, out.Sample = score.Band, score.Rules, score.Sample
		if score.Public == credit.ShowPoints {
			out.Points = &score.Points
		}
		rating, rated, err := starsOf(rd, inst.ID, today, now)
		if err != nil {
			return err
		}
		if rated {
			out.Stars, out.StarsFrom, out.StarsUntil = rating.Stars, rating.Term.From, rating.Term.Until
		}
		listed, err := r.listed(rd, inst.ID, credit.ListQuery{On: today, Known: now})
		if err != nil {
			return err
		}
		out.Lists = append(out.Lists, listed...)
		return publicReviews(rd, inst.ID, score.Public, &out.Reviews)
	})
	return out, err
}

func publicReviews(rd kv.Reader, institution string, show credit.Shown, out *[]PublicReview) error {
	all, err := reviewsOf(rd, institution)
	if err != nil {
		return err
	}
	for _, v := range all {
		if v.Published == nil {
			continue
		}
		one := PublicReview{Year: v.Year, Band: v.Band, Document: v.Document}
		if show == credit.ShowPoints {
			one.Points = &v.Points
		}
		*out = append(*out, one)
	}
	return nil
}

// reviewsOf are the yearly reviews of an institution, the newest first.
func reviewsOf(rd kv.Reader, institution string) ([]credit.Review, error) {
	rng := kv.Prefix(kv.Key(institution))
	rng.Limit, rng.Reverse = pageMax, true
	out, _, err := creditReviews.Scan(rd, rng)
	return out, err
}

// CreditReviews are the yearly reviews of an institution, the newest first.
func (r *Registry) CreditReviews(ctx context.Context, by Actor, institution string) (out []credit.Review, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = nil
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		out, err = reviewsOf(rd, inst.ID)
		return err
	})
	return out, err
}

// CreditRules are the credit rules in force in a region on a day; today when
// empty. NotFound: none are.
func (r *Registry) CreditRules(ctx context.Context, region string, on standards.Date) (out credit.Rules, err error) {
	if region == "" {
		region = r.cfg.Region
	}
	if on == "" {
		err := r.view(ctx, func(_ kv.Reader, now time.Time) error {
			on = standards.DateOf(now)
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	out, ok := r.cfg.Rules.Credit.Credit.On(region, string(on))
	if !ok {
		return out, notFound("credit rule file", "信用规则文件", region+" "+string(on))
	}
	return out, nil
}
