package examiners

import (
	"bajigong/internal/fail"
	"bajigong/internal/form"
	"bajigong/standards"
)

// The checks of package form, under the names by which this package has them.
var (
	wrong  = form.Wrong
	refuse = form.Refuse
	text   = form.Text
)

// date reports a date that does not exist; an empty one when it is needed.
func date(name string, d standards.Date, needed bool, zh, en string) []fail.Field {
	switch {
	case d == "" && !needed:
		return nil
	case d == "":
		return []fail.Field{wrong(name, "missing", zh+"不能为空", "the "+en+" is missing")}
	case !d.Valid():
		return []fail.Field{wrong(name, "date", zh+"应为实际存在的日期，如 2026-03-02", "the "+en+" is an existing day such as 2026-03-02")}
	}
	return nil
}

// years is the same day so many years later; 29 February becomes the 28th where
// there is none (民法典 202: a period ends on the last day of its month).
func years(d standards.Date, n int) standards.Date {
	if !d.Valid() {
		return ""
	}
	t := d.Time().In(standards.Zone)
	if out, ok := standards.NewDate(t.Year()+n, int(t.Month()), t.Day()); ok {
		return out
	}
	out, _ := standards.NewDate(t.Year()+n, int(t.Month()), t.Day()-1)
	return out
}
