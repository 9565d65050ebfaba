package credit

import (
	"fmt"
	"time"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// A Review 年度评价 is what the authority found when a credit year had ended. Its
// figures are those of the ledger on the last day of the year as known when it
// was made; what is recorded later changes the score of that day, not the review.
type Review struct {
	Institution string         `json:"institution"`
	Year        int            `json:"year"` // credit year
	On          standards.Date `json:"on"`   // its last day
	Rules       string         `json:"rules"`
	Points      int            `json:"points"`
	Band        Band           `json:"band"`
	Vetoes      int            `json:"vetoes,omitempty"` // vetoes that held
	// Events is how many events of the ledger were known.
	Events   int       `json:"events"`
	Document string    `json:"document"`
	Note     string    `json:"note,omitempty"`
	Reviewed time.Time `json:"reviewed"`
	// Published is when the result was made public 公开; nil when it is not.
	Published *time.Time `json:"published,omitempty"`
}

// YearEnd is the last day of a credit year of a region, by the file in force on
// that day. False when no file is in force.
func YearEnd(files rulefile.Set[Rules], region string, year int) (standards.Date, bool) {
	// The year may begin on any day, so that its last day lies in the year itself
	// or the next; a file that begins in between counts if it is in force by then.
	for _, probe := range []standards.Date{standards.Date(fmt.Sprintf("%04d-12-31", year)), standards.Date(fmt.Sprintf("%04d-12-31", year+1))} {
		rules, ok := files.On(region, string(probe))
		if !ok {
			continue
		}
		end := rules.YearEnd(year)
		if in, ok := files.On(region, string(end)); ok && in.YearEnd(year) == end {
			return end, true
		}
	}
	return "", false
}

// MakeReview returns in with the figures of score, which is that of the last day
// of the year. Errors: Invalid credit_review_invalid; Conflict
// credit_year_not_ended.
func MakeReview(in Review, score Score, events int, now time.Time) (Review, error) {
	var f faults
	f.text("document", in.Document, true, 100, "文号", "document")
	f.text("note", in.Note, false, 500, "说明", "note")
	if err := f.refuse("credit_review_invalid", "年度评价有误", "the review is not right"); err != nil {
		return Review{}, err
	}
	if today := standards.DateOf(now); score.On >= today {
		return Review{}, conflict("credit_year_not_ended", fmt.Sprintf("%d 信用年度至 %s 止，今天是 %s，年度结束后方可评价", in.Year, score.On, today),
			fmt.Sprintf("credit year %d ends on %s and today is %s; it is reviewed when it has ended", in.Year, score.On, today))
	}
	in.On, in.Rules, in.Points, in.Band, in.Events = score.On, score.Rules, score.Points, score.Band, events
	for _, v := range score.Vetoes {
		in.Vetoes += v.Vetoes
	}
	in.Reviewed, in.Published = now.UTC(), nil
	return in, nil
}

// Publish makes the result public. Conflict credit_review_published: it is.
func (v Review) Publish(now time.Time) (Review, error) {
	if v.Published != nil {
		return v, conflict("credit_review_published", fmt.Sprintf("%d 年度评价结果已于 %s 公开", v.Year, standards.DateOf(*v.Published)),
			fmt.Sprintf("the review of credit year %d was published on %s", v.Year, standards.DateOf(*v.Published)))
	}
	at := now.UTC()
	v.Published = &at
	return v, nil
}
