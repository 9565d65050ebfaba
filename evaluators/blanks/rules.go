package blanks

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Approver is who decides on applications for blanks and sends them.
type Approver string

// The approvers.
const (
	ByInstitution Approver = "institution" // its own head office, by another account than the applicant's
	ByAuthority   Approver = "authority"   // 人社部门
)

// Rules are the rules of one region from a date on.
type Rules struct {
	rulefile.Head `yaml:",inline"`

	Approver Approver `yaml:"approver" json:"approver"`
	// NumberedOnly: a certificate is printed on a blank of the ledger only, and
	// never without a code.
	NumberedOnly bool     `yaml:"numbered_only" json:"numbered_only"`
	Code         CodeForm `yaml:"code" json:"code"`
	// Spare is how many blanks a session may have of its passed candidates, in
	// percent; who takes more says why.
	Spare Figure `yaml:"spare_percent" json:"spare_percent"`
	// LowStock is the count below which stock is low.
	LowStock Figure `yaml:"low_stock" json:"low_stock"`
	// Stocktaking 盘点 is due so many months after the last one.
	Stocktaking Figure `yaml:"stocktaking_months" json:"stocktaking_months"`
	// SecondPersonDestroys: another account than the one that made the batch of
	// destruction records that it was destroyed.
	SecondPersonDestroys bool `yaml:"second_person_destroys" json:"second_person_destroys"`
}

// CodeForm is how 印制流水码 are written: the length of what stands before the
// digits, and the number of digits.
type CodeForm struct {
	PrefixMin int    `yaml:"prefix_min" json:"prefix_min"`
	PrefixMax int    `yaml:"prefix_max" json:"prefix_max"`
	DigitsMin int    `yaml:"digits_min" json:"digits_min"`
	DigitsMax int    `yaml:"digits_max" json:"digits_max"`
	Source    string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample    string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Figure is a number with where it comes from.
type Figure struct {
	Value  int    `yaml:"value" json:"value"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the rules that come with the product: samples.
func Embedded() (rulefile.Set[Rules], error) { return rulefile.ReadSet[Rules](files, "data/*.yaml") }

// Problems says what is wrong with a file beyond its form.
func (r Rules) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	origin := func(what, source, sample string) {
		say((source != "") != (sample != ""), what+" 的 source 与 sample 应且只应有一项", what+" has either a source or a sample, not both")
	}
	say(r.Approver == ByInstitution || r.Approver == ByAuthority, "approver 应为 institution 或 authority", "approver is institution or authority")
	c := r.Code
	say(c.PrefixMin >= 0 && c.PrefixMin <= c.PrefixMax && c.PrefixMax <= PrefixMost, fmt.Sprintf("code 的前缀长度应为 0 至 %d", PrefixMost), fmt.Sprintf("the prefix of code has 0 to %d characters", PrefixMost))
	say(c.DigitsMin >= 1 && c.DigitsMin <= c.DigitsMax && c.DigitsMax <= DigitsMost, fmt.Sprintf("code 的数字位数应为 1 至 %d", DigitsMost), fmt.Sprintf("code has 1 to %d digits", DigitsMost))
	origin("code", c.Source, c.Sample)
	for _, f := range []struct {
		name      string
		figure    Figure
		low, high int
	}{{"spare_percent", r.Spare, 100, 1000}, {"low_stock", r.LowStock, 0, 100_000}, {"stocktaking_months", r.Stocktaking, 1, 36}} {
		say(f.figure.Value >= f.low && f.figure.Value <= f.high, fmt.Sprintf("%s 应为 %d 至 %d", f.name, f.low, f.high), fmt.Sprintf("%s is %d to %d", f.name, f.low, f.high))
		origin(f.name, f.figure.Source, f.figure.Sample)
	}
	return out
}

// CheckRanges refuses ranges that are none, that are not written as the region
// writes codes, and that share a code. Error: Invalid blank_range.
func (r Rules) CheckRanges(ranges []Range) error {
	var bad []fail.Field
	for i, one := range ranges {
		name := fmt.Sprintf("ranges[%d]", i)
		if err := one.Check(); err != nil {
			e := fail.Of(err)
			bad = append(bad, fail.Field{Name: name, Code: e.Code, ZH: e.ZH, EN: e.Text})
			continue
		}
		if n := len(one.First.Prefix); n < r.Code.PrefixMin || n > r.Code.PrefixMax || one.First.Digits < r.Code.DigitsMin || one.First.Digits > r.Code.DigitsMax {
			zh, en := r.Code.words()
			bad = append(bad, fail.Field{Name: name, Code: "form", ZH: "按现行规则，印制流水码应为" + zh, EN: "under the rules in force a code has " + en})
		}
		if slices.ContainsFunc(ranges[:i], one.overlap) {
			bad = append(bad, fail.Field{Name: name, Code: "twice", ZH: "与另一段重复", EN: "shares codes with another range"})
		}
	}
	if len(ranges) == 0 {
		bad = append(bad, fail.Field{Name: "ranges", Code: "required", ZH: "请填写印制流水码起止", EN: "at least one range is needed"})
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "blank_range", "the codes cannot be taken").In("印制流水码有误").At(bad...)
	}
	return nil
}

func (c CodeForm) words() (zh, en string) {
	span := func(low, high int) string {
		if low == high {
			return fmt.Sprint(low)
		}
		return fmt.Sprintf("%d–%d", low, high)
	}
	return span(c.PrefixMin, c.PrefixMax) + " 位前缀和 " + span(c.DigitsMin, c.DigitsMax) + " 位数字",
		span(c.PrefixMin, c.PrefixMax) + " characters and then " + span(c.DigitsMin, c.DigitsMax) + " digits"
}

// Allowance is how many blanks a session may have without a reason: its passed
// candidates by the percentage, rounded up.
func (r Rules) Allowance(passed int) int { return (passed*r.Spare.Value + 99) / 100 }

// MayTake refuses more blanks than the allowance without a reason. passed are the
// candidates that passed; only they are given certificates. Errors: Conflict
// nobody_passed; Invalid blank_allowance.
func (r Rules) MayTake(u Use, passed, quantity int, reason string) error {
	if passed == 0 {
		return fail.New(fail.Conflict, "nobody_passed", "nobody has passed in session %s; blanks are for those who passed", u.Session).In("批次 %s 没有合格人员，不能领用空白证书", u.Session)
	}
	have := u.Taken - u.Returned
	if most := r.Allowance(passed); have+quantity > most && strings.TrimSpace(reason) == "" {
		return fail.New(fail.Invalid, "blank_allowance", "session %s would have %d blanks for %d who passed, more than %d percent (%d); say why", u.Session, have+quantity, passed, r.Spare.Value, most).
			In("批次 %s 合格 %d 人，领用累计将达 %d 份，超过 %d%%（%d 份），须说明原因", u.Session, passed, have+quantity, r.Spare.Value, most).
			At(fail.Field{Name: "reason", Code: "required", ZH: "请说明超量领用的原因", EN: "a reason is needed"})
	}
	return nil
}

// Low reports whether a stock is low.
func (r Rules) Low(s Stock) bool { return s.Counts[InStock] < r.LowStock.Value }

// CountDue is the day by which stock is counted again; empty for an institution
// that never had any.
func (r Rules) CountDue(s Stock) standards.Date {
	last := s.Counted
	if last == "" {
		last = s.Since
	}
	if last == "" {
		return ""
	}
	return last.AddMonths(r.Stocktaking.Value)
}
