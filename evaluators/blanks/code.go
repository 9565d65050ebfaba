package blanks

import (
	"fmt"
	"strings"

	"bajigong/internal/fail"
)

// Code is a 印制流水码: capitals, digits and hyphens that do not end in a digit,
// at most PrefixMost of them or none, and 1 to DigitsMost digits, such as
// JS-00012345. Which lengths a region uses stands in its rules. Codes with one
// prefix and length are a series; within it they are counted by their digits.
type Code struct {
	Prefix string
	Digits int // how many, zeros in front included
	Number uint64
}

// Limits of a code. With 15 digits at most no identity number is one.
const (
	PrefixMost = 12
	DigitsMost = 15
)

// ParseCode reads a code; spaces around it and lower case do not matter. Error:
// Invalid blank_code.
func ParseCode(text string) (Code, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	at := len(text)
	for at > 0 && text[at-1] >= '0' && text[at-1] <= '9' {
		at--
	}
	c := Code{Prefix: text[:at], Digits: len(text) - at}
	fits := len(c.Prefix) <= PrefixMost && c.Digits >= 1 && c.Digits <= DigitsMost
	for _, b := range []byte(c.Prefix) {
		fits = fits && (b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-')
	}
	if !fits {
		return Code{}, fail.New(fail.Invalid, "blank_code", "a blank's code has letters, digits and hyphens, %d at most, and then 1 to %d digits", PrefixMost, DigitsMost).
			In("印制流水码应为不超过 %d 位的字母、数字、连字符前缀加 1 至 %d 位数字", PrefixMost, DigitsMost)
	}
	for _, b := range []byte(text[at:]) {
		c.Number = c.Number*10 + uint64(b-'0')
	}
	return c, nil
}

// String is the code as it is printed.
func (c Code) String() string { return fmt.Sprintf("%s%0*d", c.Prefix, c.Digits, c.Number) }

// MarshalText is the form of String.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the form of String.
func (c *Code) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCode(string(b))
	return err
}

func (c Code) series() Code { return Code{Prefix: c.Prefix, Digits: c.Digits} }

func (c Code) at(number uint64) Code { c.Number = number; return c }

// Range is a row of codes of one series, both ends included.
type Range struct {
	First Code `json:"first"`
	Last  Code `json:"last"`
}

// RangeMost is how many blanks one range may have.
const RangeMost = 1_000_000

// Check refuses what is no range. Error: Invalid blank_range.
func (r Range) Check() error {
	if r.First.Digits == 0 || r.First.series() != r.Last.series() || r.First.Number > r.Last.Number || r.Last.Number-r.First.Number >= RangeMost {
		return fail.New(fail.Invalid, "blank_range", "a range of blanks goes up, within one prefix and number of digits, and has at most %d of them", RangeMost).
			In("印制流水码起止应前缀、位数一致，由小到大，一段不超过 %d 份", RangeMost)
	}
	return nil
}

// One is the range of a single code.
func One(c Code) Range { return Range{First: c, Last: c} }

// Size is how many blanks a range has.
func (r Range) Size() int { return int(r.Last.Number-r.First.Number) + 1 }

// String is the code of a single blank, or first–last.
func (r Range) String() string {
	if r.First == r.Last {
		return r.First.String()
	}
	return r.First.String() + "–" + r.Last.String()
}

// Sum is how many blanks several ranges have.
func Sum(ranges []Range) (n int) {
	for _, r := range ranges {
		n += r.Size()
	}
	return n
}

// overlap reports whether two ranges share a code.
func (r Range) overlap(o Range) bool {
	return r.First.series() == o.First.series() && r.First.Number <= o.Last.Number && o.First.Number <= r.Last.Number
}

// before orders ranges by series and number.
func (r Range) before(o Range) bool {
	a, b := r.First, o.First
	switch {
	case a.Prefix != b.Prefix:
		return a.Prefix < b.Prefix
	case a.Digits != b.Digits:
		return a.Digits < b.Digits
	}
	return a.Number < b.Number
}
