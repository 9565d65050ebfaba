package cases

import (
	"embed"
	"fmt"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Rules are the rules of one region from a date on. A case goes by those in
// force on the day it was opened; a decision without a case by those of its day.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	// Statement is how long a party may answer a notice, from its service.
	Statement Period `yaml:"statement" json:"statement"`
	// Review is how long a review can be asked for, from the service of the decision.
	Review Period `yaml:"review" json:"review"`
	// Publish is when a decision has to be public, from the day it was taken.
	// What comes later is marked late, never refused.
	Publish Period `yaml:"publish" json:"publish"`
	// ShownDays is how long a published decision is shown; 0 for ever.
	ShownDays int `yaml:"shown_days" json:"shown_days"`
	// SecondReviewer: a review is decided by another account than the decision.
	SecondReviewer bool `yaml:"second_reviewer" json:"second_reviewer"`
	// IssueWhileRectifying: an institution may issue during a rectification.
	IssueWhileRectifying bool `yaml:"can_issue_while_rectifying" json:"can_issue_while_rectifying"`
	// Measures has a row for every kind of decision.
	Measures []MeasureRule `yaml:"measures" json:"measures"`
}

// Period is a number of days after a day, which itself does not count.
type Period struct {
	Days    int    `yaml:"days" json:"days"`
	Working bool   `yaml:"working" json:"working"` // working days by the State Council's calendar
	Source  string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample  string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Last returns the last day of the period from a day.
func (p Period) Last(from standards.Date, cal standards.Calendar) standards.Date {
	if p.Working {
		d, _ := cal.AddWorkingDays(from, p.Days)
		return d
	}
	return from.AddDays(p.Days)
}

// MeasureRule is what one kind of decision needs.
type MeasureRule struct {
	Kind    evaluators.Kind `yaml:"kind" json:"kind"`
	Case    bool            `yaml:"case" json:"case"`                               // can only be decided in a case
	Notice  bool            `yaml:"notice" json:"notice"`                           // only after a notice and a chance to answer
	Publish bool            `yaml:"publish" json:"publish"`                         // is made public
	Most    int             `yaml:"most_days,omitempty" json:"most_days,omitempty"` // longest period in days; 0 no limit
	Source  string          `yaml:"source,omitempty" json:"source,omitempty"`
	Sample  string          `yaml:"sample,omitempty" json:"sample,omitempty"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product, which are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Of returns the row of a kind; of one that has none the strictest, so that
// nothing is easy because it was forgotten.
func (r Rules) Of(k evaluators.Kind) MeasureRule {
	for _, m := range r.Measures {
		if m.Kind == k {
			return m
		}
	}
	return MeasureRule{Kind: k, Case: true, Notice: true, Publish: true}
}

// PeriodProblems says what is wrong with the period of a measure of a kind that
// may last at most so many days: it has no end, or a later one. at goes before
// the names of fields.
func (r Rules) PeriodProblems(at string, k evaluators.Kind, effective, until standards.Date) []fail.Field {
	most := r.Of(k).Most
	if most == 0 || !effective.Valid() || k != evaluators.Suspend && k != evaluators.Blacklist {
		return nil
	}
	last := effective.AddDays(most - 1)
	if until != "" && until <= last {
		return nil
	}
	return []fail.Field{wrong(at+"until", "too_long", fmt.Sprintf("%s最长 %d 天，期限末日不得晚于 %s（规则 %s）", k.Chinese(), most, last, r.ID),
		fmt.Sprintf("%s lasts at most %d days, to %s (rule %s)", k.English(), most, last, r.ID))}
}

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string, args ...any) {
		if !ok {
			out = append(out, rulefile.Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)})
		}
	}
	for _, p := range []struct {
		name string
		Period
	}{{"statement", r.Statement}, {"review", r.Review}, {"publish", r.Publish}} {
		say(p.Days >= 1 && p.Days <= 366, "%s 的天数应为 1 至 366", "the days of %s are 1 to 366", p.name)
	}
	say(r.ShownDays >= 0 && r.ShownDays <= 36525, "shown_days 应为 0 至 36525", "shown_days is 0 to 36525")
	rows := map[evaluators.Kind]int{}
	for _, m := range r.Measures {
		rows[m.Kind]++
		say(m.Kind.Chinese() != "", "没有 %q 这种决定", "there is no kind of decision %q", m.Kind)
		say(m.Case || !m.Notice, "%s：须告知的措施应立案（case: true）", "%s: what needs a notice needs a case", m.Kind)
		say(m.Most >= 0 && m.Most <= 36525, "%s：most_days 应为 0 至 36525", "%s: most_days is 0 to 36525", m.Kind)
	}
	for _, k := range evaluators.Kinds() {
		say(rows[k] == 1, "measures 中 %s 应恰有一行", "measures has exactly one row for %s", k)
	}
	return out
}
