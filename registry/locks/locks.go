// Package locks says how long a claim may stand on its way from reservation 锁定 to
// payment: when it expires by itself, how far that can be put off, how long the
// publicity 公示 before a payment lasts, and when one that is to be paid 待拨付 is
// late. How long a payment takes differs by place, so all of it is data.
package locks

import (
	"embed"
	"time"

	"bajigong/internal/rulefile"
)

// Rules are the rules of one payer region from a date on. What is zero is not
// there: no extension, no publicity, no list of what is late.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	// Days are the calendar days that a reservation stands.
	Days int `yaml:"days" json:"days"`
	// ExtendDays are the calendar days by which one extension puts the end off at
	// most; LongestDays how far from the reservation it may be with all of them.
	ExtendDays  int `yaml:"extend_days,omitempty" json:"extend_days,omitempty"`
	LongestDays int `yaml:"longest_days,omitempty" json:"longest_days,omitempty"`
	// WarnDays: what expires within so many calendar days is warned of.
	WarnDays int `yaml:"warn_days,omitempty" json:"warn_days,omitempty"`
	// PublicityDays are the working days of the publicity before a payment. They
	// count from the day after the first one, unless PublicityCountsFirst.
	PublicityDays        int  `yaml:"publicity_days,omitempty" json:"publicity_days,omitempty"`
	PublicityCountsFirst bool `yaml:"publicity_counts_first,omitempty" json:"publicity_counts_first,omitempty"`
	// OverdueDays: a claim that is to be paid is overdue after so many calendar days.
	OverdueDays int `yaml:"overdue_days,omitempty" json:"overdue_days,omitempty"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; they are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// What a file may say at most: what is not paid must not stand for ever.
const (
	maxDays      = 366
	maxPublicity = 60
)

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	say(r.Days >= 1 && r.Days <= maxDays, "days 应为 1 至 366", "days is 1 to 366")
	say(r.ExtendDays >= 0 && r.ExtendDays <= maxDays, "extend_days 应为 0 至 366", "extend_days is 0 to 366")
	say(r.ExtendDays == 0 && r.LongestDays == 0 || r.ExtendDays > 0 && r.LongestDays > r.Days && r.LongestDays <= 2*maxDays,
		"extend_days 与 longest_days 应同时填写，longest_days 应大于 days 且不超过 732", "extend_days goes with longest_days, which is more than days and at most 732")
	say(r.WarnDays >= 0 && r.WarnDays <= maxDays, "warn_days 应为 0 至 366", "warn_days is 0 to 366")
	say(r.PublicityDays >= 0 && r.PublicityDays <= maxPublicity, "publicity_days 应为 0 至 60", "publicity_days is 0 to 60")
	say(r.OverdueDays >= 0 && r.OverdueDays <= maxDays, "overdue_days 应为 0 至 366", "overdue_days is 0 to 366")
	return out
}

// Until is the moment at which a reservation made at a time expires.
func (r Rules) Until(reserved time.Time) time.Time { return reserved.Add(days(r.Days)) }

// Longest is the moment until which a reservation may be extended in all, the end
// that it has without extensions where there are none.
func (r Rules) Longest(reserved time.Time) time.Time {
	return reserved.Add(days(max(r.Days, r.LongestDays)))
}

// Overdue is the latest moment at which a claim that is overdue at now can have
// become payable; false where the rules know no such thing.
func (r Rules) Overdue(now time.Time) (time.Time, bool) {
	return now.Add(-days(r.OverdueDays)), r.OverdueDays > 0
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
