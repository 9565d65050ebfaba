// Package locks says for how long a reserved claim 锁定 stands before it expires
// by itself. How long a payment takes differs by place, so it is data.
package locks

import (
	"embed"
	"time"

	"bajigong/internal/rulefile"
)

// Rules are the rules of one payer region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`
	// Days are the calendar days that a reservation stands.
	Days int `yaml:"days" json:"days"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product; they are samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// maxDays bounds a reservation: one that is not paid must not stand for ever.
const maxDays = 366

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() []rulefile.Text {
	if r.Days < 1 || r.Days > maxDays {
		return []rulefile.Text{{ZH: "days 应为 1 至 366", EN: "days is 1 to 366"}}
	}
	return nil
}

// Until is the moment at which a reservation made at a time expires.
func (r Rules) Until(reserved time.Time) time.Time {
	return reserved.Add(time.Duration(r.Days) * 24 * time.Hour)
}
