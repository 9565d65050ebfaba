package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// maxStars is how many of an institution's newest assessments are read to tell
// its stars. With a term of months, one in force is always among them.
const maxStars = 100

// starsOf is an institution's rating on a day as known at a time.
func starsOf(rd kv.Reader, institution string, on standards.Date, known time.Time) (credit.Assessment, bool, error) {
	rng := kv.Prefix(kv.Key(institution))
	rng.Limit, rng.Reverse = maxStars, true
	newest, _, err := stars.Scan(rd, rng)
	if err != nil {
		return credit.Assessment{}, false, err
	}
	a, ok := credit.StarsOn(newest, on, known)
	return a, ok, nil
}

func starsByID(rd kv.Reader, id string) (credit.Assessment, error) {
	a, ok, err := stars.Lookup(rd, indexStarsByID, kv.Key(id))
	if err == nil && !ok {
		err = notFound("star assessment", "星级评定", id)
	}
	return a, err
}

// BeginStars begins a star assessment 星级评定 of an institution over a period.
func (r *Registry) BeginStars(ctx context.Context, by Actor, in credit.Assessment) (credit.Assessment, error) {
	var out credit.Assessment
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.Assessment{}
		inst, err := institutionByID(tx, in.Institution)
		if err != nil {
			return err
		}
		if err := may(by, KeepCredit, Object{Region: inst.Region}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = starsByID(tx, id)
			}
			return err
		}
		n, err := counter(tx, counterStars(inst.ID), 1)
		if err != nil {
			return err
		}
		setCounter(tx, counterStars(inst.ID), n+1)
		a := in
		// The id leads with the count, so that a scan gives the order of the log.
		a.ID = fmt.Sprintf("st-%06d-%s", n, r.rand.id("s")[2:])
		if a, err = credit.BeginAssessment(r.cfg.Rules.Credit.Stars, inst.Region, a, tx.Now()); err != nil {
			return err
		}
		if err := stars.Put(tx, a); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: StarsBegun, Object: a.ID, Institution: inst.ID, Detail: a}); err != nil {
			return err
		}
		out = a
		return remember(tx, by, a.ID)
	})
	if err != nil {
		return credit.Assessment{}, fmt.Errorf("begin stars: %w", err)
	}
	return out, nil
}

// starsChange is one act on an assessment; do is what it asks of the actor.
type starsChange struct {
	act  credit.StarAct
	do   Action
	rule func(a credit.Assessment, now time.Time) (credit.Assessment, error)
}

// changeStars loads an assessment, lets the rule decide, and stores it.
func (r *Registry) changeStars(ctx context.Context, by Actor, id string, change starsChange) (credit.Assessment, error) {
	var out credit.Assessment
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = credit.Assessment{}
		a, inst, err := starsFor(tx, by, change.do, id)
		if err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out = a
			}
			return err
		}
		if a, err = change.rule(a, tx.Now()); err != nil {
			return err
		}
		if err := stars.Put(tx, a); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: StarsChanged, Object: a.ID, Institution: inst.ID,
			Detail: map[string]any{"act": change.act, "assessment": a}}); err != nil {
			return err
		}
		out = a
		return remember(tx, by, a.ID)
	})
	if err != nil {
		return credit.Assessment{}, fmt.Errorf("%s stars %s: %w", change.act, id, err)
	}
	return out, nil
}

func starsFor(rd kv.Reader, by Actor, do Action, id string) (credit.Assessment, evaluators.Institution, error) {
	a, err := starsByID(rd, id)
	if err != nil {
		return a, evaluators.Institution{}, err
	}
	inst, err := institutionByID(rd, a.Institution)
	if err != nil {
		return a, inst, err
	}
	return a, inst, may(by, do, Object{Region: inst.Region, Institution: inst.ID})
}

func noIdentity(code string, texts ...[2]string) error {
	var bad []fail.Field
	for _, t := range texts {
		bad = append(bad, impersonal(t[0], t[1])...)
	}
	if len(bad) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, code, "what is shown and logged must not have an identity number in it").In("会公开并写入日志的内容不得写身份证号码").At(bad...)
}

// ScoreStars enters the score of one part. The self assessment is the
// institution's own to enter, the other parts are the authority's.
func (r *Registry) ScoreStars(ctx context.Context, by Actor, id string, in credit.PartScore) (credit.Assessment, error) {
	if err := noIdentity("star_invalid", [2]string{"document", in.Document}); err != nil {
		return credit.Assessment{}, err
	}
	do := KeepCredit
	if in.Part == credit.PartSelf {
		do = AnswerAssessment
	}
	return r.changeStars(ctx, by, id, starsChange{credit.StarScore, do, func(a credit.Assessment, now time.Time) (credit.Assessment, error) {
		return a.Score(in, now)
	}})
}

// PubliciseStars computes the result and begins its publicity 公示.
func (r *Registry) PubliciseStars(ctx context.Context, by Actor, id string) (credit.Assessment, error) {
	return r.changeStars(ctx, by, id, starsChange{credit.StarPublicise, KeepCredit, func(a credit.Assessment, now time.Time) (credit.Assessment, error) {
		return a.Publicise(r.cfg.Calendar, now)
	}})
}

// ObjectToStars takes an objection 异议 of the institution, or one that the
// authority received. Who objected is not recorded.
func (r *Registry) ObjectToStars(ctx context.Context, by Actor, id, ground string) (credit.Assessment, error) {
	if err := noIdentity("star_invalid", [2]string{"ground", ground}); err != nil {
		return credit.Assessment{}, err
	}
	return r.changeStars(ctx, by, id, starsChange{credit.StarObject, AnswerAssessment, func(a credit.Assessment, now time.Time) (credit.Assessment, error) {
		return a.Object(ground, now)
	}})
}

// SettleStarsObjection upholds or rejects objection n. Upheld, the assessment is
// a draft again.
func (r *Registry) SettleStarsObjection(ctx context.Context, by Actor, id string, n int, upheld bool, reason string) (credit.Assessment, error) {
	if err := noIdentity("star_invalid", [2]string{"reason", reason}); err != nil {
		return credit.Assessment{}, err
	}
	act := credit.StarReject
	if upheld {
		act = credit.StarUphold
	}
	return r.changeStars(ctx, by, id, starsChange{act, KeepCredit, func(a credit.Assessment, now time.Time) (credit.Assessment, error) {
		return a.Settle(n, upheld, reason, now)
	}})
}

// ConfirmStars puts the rating in force after its publicity.
func (r *Registry) ConfirmStars(ctx context.Context, by Actor, id, document string) (credit.Assessment, error) {
	if err := noIdentity("star_invalid", [2]string{"document", document}); err != nil {
		return credit.Assessment{}, err
	}
	return r.changeStars(ctx, by, id, starsChange{credit.StarConfirm, KeepCredit, func(a credit.Assessment, now time.Time) (credit.Assessment, error) {
		return a.Confirm(document, now)
	}})
}

// WithdrawStars ends an assessment, or a rating from today on.
func (r *Registry) WithdrawStars(ctx context.Context, by Actor, id, document, reason string) (credit.Assessment, error) {
	if err := noIdentity("star_invalid", [2]string{"document", document}, [2]string{"reason", reason}); err != nil {
		return credit.Assessment{}, err
	}
	return r.changeStars(ctx, by, id, starsChange{credit.StarWithdraw, KeepCredit, func(a credit.Assessment, now time.Time) (credit.Assessment, error) {
		return a.Withdraw(document, reason, now)
	}})
}

// AssessmentView is an assessment with its state today: a rating whose term has
// ended is expired.
type AssessmentView struct {
	credit.Assessment
	Today credit.StarState `json:"today"`
}

// StarAssessments is one page of an institution's assessments, in the order in
// which they were begun.
func (r *Registry) StarAssessments(ctx context.Context, by Actor, institution string, page Page) (out []AssessmentView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Region: inst.Region, Institution: inst.ID}); err != nil {
			return err
		}
		found, cursor, err := scanPage(rd, stars, kv.Prefix(kv.Key(inst.ID)), page)
		if err != nil {
			return err
		}
		for _, a := range found {
			out = append(out, AssessmentView{a, a.StateOn(standards.DateOf(now))})
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// PublicStars is a rating in publicity.
type PublicStars struct {
	ID          string         `json:"id"`
	Institution string         `json:"institution"`
	Name        string         `json:"name"`
	Stars       int            `json:"stars"`
	From        standards.Date `json:"from"`
	Until       standards.Date `json:"until"`
	Sample      string         `json:"sample,omitempty"`
}

// StarPublicities is one page of the ratings whose publicity is running.
func (r *Registry) StarPublicities(ctx context.Context, page Page) (out []PublicStars, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		found, cursor, err := scanIndexPage(rd, stars, indexStarsInPublicity, kv.Range{From: kv.Key(string(standards.DateOf(now)))}, page)
		if err != nil {
			return err
		}
		keys := make([][]byte, len(found))
		for i, a := range found {
			keys[i] = kv.Key(a.Institution)
		}
		insts, _, err := institutions.GetMany(rd, keys)
		if err != nil {
			return err
		}
		for i, a := range found {
			out = append(out, PublicStars{ID: a.ID, Institution: a.Institution, Name: insts[i].Name, Stars: a.Stars, From: a.Publicity.From, Until: a.Publicity.Until, Sample: a.Sample})
		}
		next = cursor
		return nil
	})
	return out, next, err
}
