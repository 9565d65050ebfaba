package registry

import (
	"bajigong/evaluators/course"
	"bajigong/internal/rulefile"
)

// Rules are the rule files in use: what differs by region and date.
type Rules struct {
	Course rulefile.Set[course.Rules] // the course of a session
}

// EmbeddedRules returns the files that come with the product.
func EmbeddedRules() (r Rules, err error) {
	if r.Course, err = course.Embedded(); err != nil {
		return r, err
	}
	return r, nil
}
