package policy

import "bajigong/standards"

// LastDay is the last day on which a claim for a certificate of this date of issue
// comes in time: it is received, or of a policy decided by application applied for,
// by then. Empty: the policy knows no such day.
func (p Policy) LastDay(issued standards.Date) (last standards.Date) {
	r := p.Window
	if r == nil || issued == "" {
		return ""
	}
	switch {
	case r.Months > 0:
		last = issued.AddMonths(r.Months)
	case r.Days > 0:
		last = issued.AddDays(r.Days)
	}
	if r.SameYear {
		if end := standards.Date(string(issued[:4]) + "-12-31"); last == "" || end < last {
			last = end
		}
	}
	return last
}
